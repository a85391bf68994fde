"""The commands ``report``, what happened in a period, and ``join``, which makes one archive of several for it."""

import json
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

import click

from web.command import (
    DONE,
    WRONG,
    Command,
    Number,
    argument,
    file_argument,
    file_option,
    option,
    pass_session,
    progress_bar,
)
from web.i18n import CHINESE, marked
from web.problems import DeskError

if TYPE_CHECKING:
    from ledger.figures import Period
    from verify.audit import Trust
    from web.report import Report
    from web.session import Session

HTML, PDF, XLSX, JSON = "html", "pdf", "xlsx", "json"
FORMATS = (HTML, PDF, XLSX, JSON)
BINARY = (PDF, XLSX)
EXAMPLE = "huzhu report --period 2026-10 --format html -o 2026-10.html"


@click.command(cls=Command, example=EXAMPLE)
@option("--period", required=True, help=marked("A month 2026-10, a year 2026, a quarter 2026-Q3, or 2026-01..2026-06."))
@option("--format", "form", type=click.Choice(FORMATS), default=HTML, show_default=True, help=marked("What to write."))
@file_option("--archive", help=marked("An archive of one or many ledgers, audited first, in place of the home's own."))
@file_option("--trust", help=marked("Trust file (tlog-policy): pinned keys and quorum."))
@option("--jobs", type=Number(1, 256), help=marked("Processes to use (default: one for each core)."))
@file_option("-o", "--output", help=marked("Where to write it (default: stdout)."))
@pass_session
def report(
    session: "Session",
    period: str,
    form: str,
    archive: Path | None,
    trust: Path | None,
    jobs: int | None,
    output: Path | None,
) -> int:
    """Report on a period.

    Services by category and village point, hours, evidence, money, suspicions, cases, inspections and risk, recomputed
    from the ledger's first entry on. The page and the PDF stand alone; the spreadsheet has a sheet for each table.
    Exit status 1: the audit of the archive has findings.
    """
    from web.export import in_folder
    from web.report import check_begun, check_within, report_of_archive, report_of_home
    from web.session import now

    span = _period(period)
    check_begun(span, now())
    if trust is not None and archive is None:
        raise click.UsageError(_("--trust needs --archive"))
    if output is None and form in BINARY and sys.stdout.isatty():
        raise click.UsageError(_("name a file for it with -o"))
    if output is not None:
        in_folder(output)
    with progress_bar() as progress:
        if archive is not None:
            found = report_of_archive(archive, span, _trust(trust), jobs or os.cpu_count() or 1, progress)
        else:
            with session.reading() as node:
                check_within(span, node)
                found = report_of_home(node, span, progress)
    session.put(_written(found, form), output)
    return DONE if found.is_sound else WRONG


@click.command(cls=Command, example="huzhu join county.db liuduhe.db xizhuang.db")
@file_argument("output")
@argument("archives", nargs=-1, required=True, type=click.Path(path_type=Path))
@pass_session
def join(session: "Session", output: Path, archives: tuple[Path, ...]) -> None:  # noqa: ARG001
    """Make one archive of several.

    OUTPUT is a new file with all ledgers of ARCHIVES, for `huzhu verify` and `huzhu report --archive`. They are copied
    as they are: whether they are sound is for the audit to say.
    """
    from store.archive import open_archive
    from store.sqlite import write_archive
    from web.export import in_folder
    from web.session import say

    in_folder(output)
    with ExitStack() as stack:
        ledgers = [ledger for path in archives for ledger in stack.enter_context(open_archive(path))]
        write_archive(output, ledgers)
    say(_("ledgers in {path}: {count}").format(path=output, count=len(ledgers)))


def _period(text: str) -> "Period":
    from ledger.figures import parse_span

    period = parse_span(text)
    if period is None:
        raise DeskError(
            _("{text} is no period: write 2026-10, 2026, 2026-Q3, or 2026-01..2026-06").format(text=text[:40])
        )
    return period


def _trust(path: Path | None) -> "Trust":
    from verify.audit import Trust
    from web.auditing import read_policy

    return Trust(policy=None if path is None else read_policy(path))


def _written(found: "Report", form: str) -> bytes:
    """The report's bytes in that format and the language in use."""
    writers: dict[str, Callable[[Report], bytes]] = {HTML: _html, PDF: _pdf, XLSX: _xlsx, JSON: _json}
    return writers[form](found)


def _html(found: "Report") -> bytes:
    from web.report_page import report_page

    return report_page(found, os.environ.get("LANGUAGE", CHINESE)).encode()


def _pdf(found: "Report") -> bytes:
    from web.printing import pdf_of

    return pdf_of(_html(found).decode())


def _xlsx(found: "Report") -> bytes:
    from web.report_sheet import report_sheet

    return report_sheet(found)


def _json(found: "Report") -> bytes:
    from web.report import plain_report

    return json.dumps(plain_report(found), ensure_ascii=False, indent=1).encode() + b"\n"
