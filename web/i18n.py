"""Which language people are spoken to in: Chinese, unless they or their locale ask for another (then English).

The texts in the code are English and are the msgids of ``web/locale/zh/LC_MESSAGES/huzhu.po``. Modules write
``from gettext import gettext as _``; click does the same, so ``use`` makes both speak one language.
"""

import gettext
import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

DOMAIN = "huzhu"
LOCALE = Path(__file__).resolve().parent / "locale"
CHINESE, ENGLISH = "zh", "en"
LANGUAGES = (CHINESE, ENGLISH)
NO_LANGUAGE = ("C", "POSIX")
"""Locales that say nothing of a language."""

OPTION = "--lang"


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
