"""Pages and paper: templates in the reader's language, their PDF, and QR codes as drawings inside a page.

A page stands alone: its style sheet and pictures are in it, nothing is loaded from anywhere and no script runs, so that
it can be sent, kept and printed as one file.
"""

from gettext import gettext as _
from gettext import ngettext
from typing import Any, cast

import segno
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from web.problems import DeskError

QR_ERROR_CORRECTION = "m"
"""A fifteenth of a code may be smudged."""


def render(template: str, language: str, **values: Any) -> str:
    """The page of ``web/templates`` filled with values; texts in it are msgids, everything else is escaped."""
    return _environment().get_template(template).render(language=language, **values)


def pdf_of(html: str) -> bytes:
    """The page as PDF; raises DeskError where the machine cannot make one. It loads nothing from outside."""
    try:
        from weasyprint import HTML  # type: ignore[import-untyped]
    except OSError as error:
        text = _("no PDF can be made here ({error}): install Debian's libpangoft2-1.0-0, or take html")
        raise DeskError(text.format(error=str(error).partition(":")[0])) from None
    return cast(bytes, HTML(string=html, url_fetcher=_fetch_nothing).write_pdf())


def qr_svg(text: str, border: int = 4) -> Markup:
    """A QR code of the text, to stand in a page: it scales with its box; ``border`` in modules, 4 as the norm asks."""
    code = segno.make(text, error=QR_ERROR_CORRECTION, micro=False)
    return Markup(code.svg_inline(omitsize=True, border=border))  # noqa: S704 - segno's drawing, no text in it


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(_, ngettext, newstyle=False)  # type: ignore[attr-defined]
    return environment


def _fetch_nothing(url: str) -> dict[str, Any]:
    raise ValueError(f"a page that stands alone refers to {url[:100]}")
