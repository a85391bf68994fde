"""What every command of the command line shares: its language, its common options, and how it ends.

    @main.command(example="huzhu seal", takes=WRITES)
    @pass_session
    def seal(session: Session) -> None:
        '''Close the block …'''

A command's docstring is its help; it and every option's help are msgids, translated where they are shown. ``--home``,
``--lang`` and the like are understood before and after the command's name. A command ends with 0 by returning, with 1
by returning ``WRONG``, and with 2 by an error of ``web.problems``, which becomes one line.
"""

import datetime
import functools
import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, Protocol, TypeVar

import click

from web import i18n
from web.i18n import marked

if TYPE_CHECKING:
    from web.session import Session

DONE, WRONG = 0, 1
"""Exit status: done; done, and something is wrong with the data. ``web.problems.FAILED``: could not run."""

OPTIONS = "huzhu.options"
CLOCK_AHEAD_MAX = datetime.timedelta(minutes=5)
NEGATIVE = re.compile(r"-\d+")
PATH = "PATH"
UNBROKEN_HYPHEN = "\u2011"
CHINESE_HELP_COLUMNS = 56
"""Characters in a line of help; a Chinese one is two columns wide."""

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Decorator(Protocol):
    """Adds a parameter to a command's function."""

    def __call__(self, function: F, /) -> F: ...


class Translated:
    """Something of click whose ``help`` is a msgid, read in the language in use."""

    _msgid: str | None = None

    @property
    def help(self) -> str | None:
        return _(self._msgid) if self._msgid else None

    @help.setter
    def help(self, text: str | None) -> None:
        self._msgid = text and inspect.cleandoc(text)

    @property
    def msgid(self) -> str | None:
        """The English text."""
        return self._msgid


class Formatter(click.HelpFormatter):
    """Writes help in which no word is broken at its hyphen: `./huzhu-home` can be copied from it."""

    def write(self, string: str) -> None:
        super().write(string.replace(UNBROKEN_HYPHEN, "-"))

    def write_text(self, text: str) -> None:
        super().write_text(text.replace("-", UNBROKEN_HYPHEN))

    def write_dl(self, rows: Iterable[tuple[str, str]], *args: Any, **more: Any) -> None:
        super().write_dl([(term, text.replace("-", UNBROKEN_HYPHEN)) for term, text in rows], *args, **more)


class Context(click.Context):
    """A command at work, with help of our form."""

    formatter_class = Formatter


class TranslatedCommand(Translated, click.Command):
    """What a command and a group of them have in common."""

    context_class = Context

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            number = next((word for word in words if NEGATIVE.fullmatch(word)), None)
            if number is None or not NEGATIVE.fullmatch(error.option_name):
                raise
            for param in self.params:
                if isinstance(param, click.Argument) and isinstance(param.type, Number):
                    param.type.convert(number, param, ctx)
            raise

    def get_short_help_str(self, limit: int = 45) -> str:  # noqa: ARG002 - click's signature
        return (self.help or "").partition("\n")[0].rstrip(".。")

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        found = super().get_help_option(ctx)
        if found is not None:
            found.help = _("Show this message and exit.")
        return found


class Option(Translated, click.Option):
    """An option with translated help."""


class Argument(Translated, click.Argument):
    """An argument with translated help."""


class Moment(click.ParamType[Any]):
    """A time ``YYYY-MM-DDTHH:MM:SSZ``, ahead of the clock only where it may be; or one of ``words``, as it is."""

    name = "TIME"

    def __init__(self, *words: str, ahead: bool = False) -> None:
        self._words = words
        self._ahead = ahead

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, datetime.datetime) or value in self._words:
            return value
        from chain.fields import parse_time

        try:
            moment = parse_time(value)
        except ValueError:
            self.fail(_("{value!r} is not a time: write 2026-11-21T09:30:00Z").format(value=value), param, ctx)
        if not self._ahead and moment > datetime.datetime.now(datetime.UTC) + CLOCK_AHEAD_MAX:
            self.fail(_("{value} is in the future").format(value=value), param, ctx)
        return moment


class Number(click.IntRange):
    """A whole number from ``min`` on, up to ``max`` where there is one."""

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        return "NUMBER" if isinstance(param, click.Option) else super().get_metavar(param, ctx)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = int(value)
        except ValueError:
            self.fail(_("{value!r} is not a whole number").format(value=value), param, ctx)
        least, most = self.min or 0, self.max
        if number < least or (most is not None and number > most):
            text = _("it must be {least} or more, not {value}")
            if most is not None:
                text = _("it must be from {least} to {most}, not {value}")
            self.fail(text.format(least=least, most=most, value=number), param, ctx)
        return number


class Cell(click.ParamType[Any]):
    """What a cell of a day sheet may hold, by the function of ``web.daysheet`` that reads it."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from web.table import BadRowError

        try:
            return self._parse(value) if isinstance(value, str) else value
        except BadRowError as error:
            self.fail(str(error), param, ctx)


def keep(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Note a common option, wherever on the line it stands; the last word counts."""
    if value is not None and value != () and value is not False:
        ctx.meta.setdefault(OPTIONS, {})[param.name] = value
    return value


def common_option(*names: str, **settings: Any) -> Option:
    """An option that goes into the session, not to the command's function."""
    return Option(list(names), expose_value=False, callback=keep, **settings)


def place_options() -> list[click.Parameter]:
    """What every command takes."""
    return [
        common_option(
            "--home",
            type=click.Path(path_type=Path),
            metavar=PATH,
            help=marked("The node's folder; HUZHU_HOME does the same (default: ./huzhu-home)."),
        ),
        common_option(i18n.OPTION, type=click.Choice(i18n.LANGUAGES), help=marked("Chinese or English.")),
    ]


def key_options() -> list[click.Parameter]:
    """What every command takes that opens private keys."""
    return [
        common_option(
            "--passphrase-file",
            type=click.Path(path_type=Path),
            metavar=PATH,
            help=marked("File whose first line opens the keys; HUZHU_PASSPHRASE holds the passphrase itself."),
        )
    ]


def brought_option() -> Option:
    """For keys of people who come to this desk with them."""
    text = marked("Key that is not kept here and signs first, as the tier above brings it; can be repeated.")
    return common_option(
        "--key-file", "key_files", type=click.Path(path_type=Path), metavar=PATH, multiple=True, help=text
    )


def time_options() -> list[click.Parameter]:
    """What every command takes that writes."""
    return [common_option("--at", type=Moment(), help=marked("The recorded time in place of the clock's, UTC."))]


def signer_options() -> list[click.Parameter]:
    """What every command takes that signs for people."""
    text = marked("A member's key that signs; can be repeated (default: the first kept, as many as must sign).")
    clerk = marked("The clerk's key that signs (default: the first kept).")
    return [common_option("--clerk", metavar="KEYID", help=clerk), _member_option(text), brought_option()]


def two_members_options() -> list[click.Parameter]:
    """What a command takes that two members sign, and no clerk."""
    return [
        _member_option(marked("A member's key that signs; two must (default: the first two kept).")),
        brought_option(),
    ]


def neutral_members_options() -> list[click.Parameter]:
    """The same where they must have had no part in what is decided."""
    text = marked("A member's key that signs; two must (default: two kept ones that had no part in the record).")
    return [_member_option(text), brought_option()]


def _member_option(text: str) -> Option:
    return common_option("--member", "members", metavar="KEYID", multiple=True, help=text)


def json_options() -> list[click.Parameter]:
    """What every command takes whose answer can be JSON."""
    return [common_option("--json", "as_json", is_flag=True, help=marked("Print JSON."))]


Options = Callable[[], list[click.Parameter]]
READS = (json_options,)
SEALS = (time_options, key_options)
WRITES = (json_options, time_options, signer_options, key_options)
WRITES_ALONE = (json_options, time_options, key_options)
WRITES_OF_TWO = (json_options, time_options, two_members_options, key_options)
WRITES_OF_NEUTRALS = (json_options, time_options, neutral_members_options, key_options)
"""Common options by what a command does."""


class Command(TranslatedCommand):
    """A command; ``example`` is a line that can be typed as it stands, and is tested; ``takes`` its common options."""

    def __init__(self, *args: Any, example: str = "", takes: Iterable[Options] = (), **more: Any) -> None:
        super().__init__(*args, **more)
        self.example = example
        for options in takes:
            self.params += options()
        self.params += place_options()

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        if self.example:
            with formatter.section(_("Example")):
                formatter.write_text("\b\n" + self.example)


class Group(TranslatedCommand, click.Group):
    """Commands of one subject. ``lazy`` names those that are imported when they are asked for."""

    command_class = Command

    def __init__(self, *args: Any, lazy: dict[str, str] | None = None, **more: Any) -> None:
        """``lazy`` is ``module:name`` by the command's name."""
        super().__init__(*args, **more)
        self.lazy = lazy or {}
        self.params += place_options()

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *self.lazy])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        where = self.lazy.get(cmd_name)
        if where is None:
            return super().get_command(ctx, cmd_name)
        module, _colon, name = where.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


class Program(Group):
    """The whole command line: chooses the language first, and turns every error into one line."""

    # Click's may also return; this one always ends the process.
    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        words = list(sys.argv[1:] if args is None else args)
        language = i18n.language_of(words, os.environ)
        i18n.use(language)
        if language == i18n.CHINESE:
            extra["max_content_width"] = CHINESE_HELP_COLUMNS
            extra["terminal_width"] = CHINESE_HELP_COLUMNS
        extra.pop("standalone_mode", None)
        from web.problems import ending

        sys.exit(ending(lambda: self._run(prog_name or "huzhu", words, **extra)))

    def _run(self, name: str, words: list[str], **extra: Any) -> Any:
        """Understand the words and do it; answers what the command answers."""
        from web.problems import check_words

        check_words(words)
        with self.make_context(name, words, **extra) as context:
            return self.invoke(context)


def pass_session(
    function: Callable[Concatenate["Session", P], T],
) -> Callable[P, T]:
    """Hand the session to a command: what the common options say, and the way to the node."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        from web.session import Session, Settings

        context = click.get_current_context()
        options = context.meta.get(OPTIONS, {})
        options.pop("lang", None)
        return function(Session(context.find_root().obj, Settings(**options)), *args, **kwargs)

    return wrapper


def argument(*names: str, **settings: Any) -> Decorator:
    """Declare an argument with translated help."""
    return click.argument(*names, cls=Argument, **settings)


def option(*names: str, **settings: Any) -> Decorator:
    """Declare an option with translated help."""
    return click.option(*names, cls=Option, **settings)


def file_argument(name: str) -> Decorator:
    """Declare an argument that is a file's path."""
    return argument(name, type=click.Path(path_type=Path))


def file_option(*names: str, **settings: Any) -> Decorator:
    """Declare an option that is a file's path."""
    return option(*names, type=click.Path(path_type=Path), metavar=PATH, **settings)


def parse_account_or_system(cell: str) -> str:
    """An account number, with the leading zeros that it may have lost; or the name of a system account or a fund's."""
    from ledger.numbers import fund_number
    from web.daysheet import parse_account, parse_code
    from web.text import OTHERS

    fund = cell.removeprefix(fund_number(""))
    if fund != cell:
        return fund_number(parse_code(fund))
    return cell if cell in OTHERS else parse_account(cell)


ANY_ACCOUNT = Cell("ACCOUNT", parse_account_or_system)


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None]]:
    """Something to tell how much of how much is done; drawn on stderr where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    with click.progressbar(length=1, file=sys.stderr) as bar:

        def show(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield show
