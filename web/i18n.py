"""Which language people are spoken to in: Chinese, unless they or their locale ask for another (then English).

The texts in the code are English and are the msgids of ``web/locale/zh/LC_MESSAGES/huzhu.po``. Modules write
``from gettext import gettext as _``; click does the same, so ``use`` makes both speak one language.

The service speaks to many people at one time. What answers a request writes ``from web.i18n import translate as _``
instead: after ``listen_to`` that is the language of the request at hand, by its ``Accept-Language``; elsewhere it is
the process's own. The header is read only when a text is needed.
"""

import gettext
import os
import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from functools import cache
from itertools import pairwise
from pathlib import Path

DOMAIN = "huzhu"
LOCALE = Path(__file__).resolve().parent / "locale"
CHINESE, ENGLISH = "zh", "en"
LANGUAGES = (CHINESE, ENGLISH)
NO_LANGUAGE = ("C", "POSIX")
"""Locales that say nothing of a language."""

OPTION = "--lang"

Headers = Sequence[tuple[bytes, bytes]]
"""Of a request, the names in small letters, as ASGI has them."""
ACCEPT_MAX_BYTES = 256
"""Of ``Accept-Language`` no more is read."""
RANGE = re.compile(r"\s*([a-z]{1,8})(?:-[a-z0-9-]{1,32})?\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?)\s*)?", re.IGNORECASE)
"""A language, with how much it is wanted (RFC 9110 §12.5.4)."""
_request: ContextVar[Headers | None] = ContextVar("request", default=None)
_chosen: ContextVar[str | None] = ContextVar("chosen", default=None)


def use(language: str) -> None:
    """Speak this language from now on, in the whole process."""
    os.environ["LANGUAGE"] = language
    gettext.bindtextdomain(DOMAIN, str(LOCALE))
    gettext.textdomain(DOMAIN)


def language_of(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """The language that a command line asks for, or else the locale; needed before the command line is understood."""
    asked = [word.removeprefix(f"{OPTION}=") for word in arguments if word.startswith(f"{OPTION}=")]
    asked += [after for word, after in pairwise(arguments) if word == OPTION]
    known = [language for language in asked if language in LANGUAGES]
    return known[-1] if known else language_of_locale(environment)


def language_of_locale(environment: Mapping[str, str]) -> str:
    """Chinese, unless LC_ALL, LC_MESSAGES or LANG, the first that is set, names another language."""
    names = (environment.get(variable) for variable in ("LC_ALL", "LC_MESSAGES", "LANG"))
    locale = next(filter(None, names), "")
    language = locale.partition(".")[0].partition("_")[0]
    return CHINESE if language in ("", CHINESE, *NO_LANGUAGE) else ENGLISH


def language_of_header(value: str) -> str | None:
    """Which of ours an ``Accept-Language`` wants most, the first of equals; None where it names neither."""
    wanted: dict[str, float] = {}
    for part in value[:ACCEPT_MAX_BYTES].split(","):
        found = RANGE.fullmatch(part)
        if found is not None and found[1].lower() in LANGUAGES:
            wanted.setdefault(found[1].lower(), float(found[2] or 1))
    best = max(wanted, key=lambda language: wanted[language], default=None)
    return best if best is not None and wanted[best] > 0 else None


def listen_to(headers: Headers) -> None:
    """Speak from now on, in this task, as the request with these headers asks."""
    _request.set(headers)


def speak(language: str) -> None:
    """Speak this language from now on, in this task: whoever asks has chosen it."""
    _chosen.set(language)


def language() -> str:
    """The language in use here: as was chosen, or of the request at hand, or else of the process."""
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    values = [value for name, value in _request.get() or () if name == b"accept-language"]
    asked = language_of_header(values[0].decode("latin-1")) if values else None
    own = os.environ.get("LANGUAGE", "")
    return asked or (own if own in LANGUAGES else language_of_locale(os.environ))


def translate(text: str) -> str:
    """The text in the language in use here."""
    return _catalogue().gettext(text) if language() == CHINESE else text


@cache
def _catalogue() -> gettext.NullTranslations:
    """The Chinese texts; where they were not compiled, none."""
    return gettext.translation(DOMAIN, str(LOCALE), [CHINESE], fallback=True)


def marked(text: str) -> str:
    """The text itself: marks a msgid that is translated where it is shown."""
    return text


CLICK_TEXTS = (
    marked("Usage:"),
    marked("Options"),
    marked("Commands"),
    marked("Positional arguments"),
    marked("Show this message and exit."),
    marked("Show the version and exit."),
    marked("%(prog)s, version %(version)s"),
    marked("default: {default}"),
    marked("env var: {var}"),
    marked("required"),
    marked("Missing command."),
    marked("Missing argument"),
    marked("Missing option"),
    marked("Missing parameter"),
    marked("No such option {name!r}."),
    marked("No such command {name!r}."),
    marked("Invalid value: {message}"),
    marked("Invalid value for {param_hint}: {message}"),
    marked("{value!r} is not a valid {number_type}."),
    marked("{value} is not in the range {range}."),
    marked("Option {name!r} does not take a value."),
    marked("Choose from:\n\t{choices}"),
    marked("{name} {filename!r} does not exist."),
    marked("{name} {filename!r} is a directory."),
    marked("{name} {filename!r} is a file."),
    marked("{name} {filename!r} is not readable."),
    marked("file"),
    marked("directory"),
    marked("path"),
    marked("File"),
    marked("Path"),
    marked("Directory"),
    marked("Repeat for confirmation"),
    marked("Error: {message}"),
    marked("Error: The two entered values do not match."),
    marked("d"),
)
"""What click itself says to people who use this program."""

CLICK_PLURALS = (
    (marked("Got unexpected extra argument ({args})"), "Got unexpected extra arguments ({args})"),
    (marked("Did you mean {possibility}?"), "(Did you mean one of: {possibilities}?)"),
    (marked("Option {name!r} requires an argument."), "Option {name!r} requires {nargs} arguments."),
    (marked("{value!r} is not {choice}."), "{value!r} is not one of {choices}."),
    (marked("Takes {nargs} values but 1 was given."), "Takes {nargs} values but {len} were given."),
)
"""The same where a number decides."""
