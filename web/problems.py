"""How a command that cannot go on ends: one line on stderr that says what, where and what to do, and status 2.

    DeskError    what this folder finds wrong with what people gave it: a file, a key, a word on the command line

Everything else that is expected (a full disk, a wrong passphrase, another process at work) comes from the parts below
with a sentence of its own. Our own bug is not expected: it is one line too, and HUZHU_DEBUG shows its traceback.
"""

import errno
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from gettext import gettext as _

import click

from web.i18n import marked

EXPECTED = (
    ("node", "NodeError"),
    ("store.log", "StoreError"),
    ("sync.fetch", "FetchError"),
    ("verify.source", "SourceError"),
    ("chain.errors", "ChainError"),
    ("sqlite3", "Error"),
)
"""The errors of the parts below, by module: one that was never imported was never raised."""

FAILED = 2
DEBUG_VARIABLE = "HUZHU_DEBUG"
UNEXPECTED_MAX_CHARACTERS = 200
SYSTEM_REASONS = {
    errno.ENOENT: marked("No such file or directory"),
    errno.EACCES: marked("Permission denied"),
    errno.EPERM: marked("Operation not permitted"),
    errno.EEXIST: marked("File exists"),
    errno.ENOTDIR: marked("Not a directory"),
    errno.EISDIR: marked("Is a directory"),
    errno.EROFS: marked("Read-only file system"),
    errno.EADDRINUSE: marked("Address already in use"),
    errno.ENOSPC: marked("the disk is full; free some space and try again"),
}
"""What the system says in English, by its number."""
ENDS = ("?", "？", ")", "）")
"""After these a sentence is over."""


class DeskError(Exception):
    """What people gave cannot be used. The text says what is wrong and what to do."""


def ending(run: Callable[[], object]) -> int:
    """Run a command and answer its exit status, with a line on stderr where it could not run."""
    _open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        with _termination_as_interrupt():
            status = run()
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        return _failed(_("interrupted; what was reported as accepted is on the ledger"), error)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return FAILED
    except click.UsageError as error:
        return _failed(_usage(error))
    except click.ClickException as error:
        return _failed(error.format_message())
    except OSError as error:
        return _piped() if error.errno == errno.EPIPE else _failed(_of_system(error), error)
    except Exception as error:
        return _failed(_worded(error) if is_expected(error) else _unexpected(error), error)
    return status if isinstance(status, int) else 0


def check_words(words: Sequence[str]) -> None:
    """Raise DeskError where a word of the command line is of bytes that are no text."""
    for number, word in enumerate(words, start=1):
        if not is_text(word):
            text = _("word {number} of the command line is not UTF-8 text: {word}")
            raise DeskError(text.format(number=number, word=_printable(word[:UNEXPECTED_MAX_CHARACTERS])))


def is_text(word: str) -> bool:
    """Whether a word of the system's has no bytes that are not text (Python makes surrogates of them)."""
    return word.isascii() or not any("\ud800" <= character <= "\udfff" for character in word)


def _worded(error: Exception) -> str:
    """What an expected error says, also where the part below that raised it knows English only."""
    from web.wording import worded

    return worded(error)


def is_expected(error: Exception) -> bool:
    """Whether it is an error that has a sentence for the person at the desk."""
    named = (getattr(sys.modules.get(module), name, DeskError) for module, name in EXPECTED)
    return isinstance(error, (DeskError, *named))


def _usage(error: click.UsageError) -> str:
    """What is wrong with the command line, on one line, and where its help is."""
    message = error.format_message()
    if error.ctx is None:
        return message
    command = error.ctx.command_path
    if message.endswith(ENDS):
        return _("{message} See `{command} --help`.").format(message=message, command=command)
    return _("{message}; see `{command} --help`").format(message=message.rstrip(".。"), command=command)


def _of_system(error: OSError) -> str:
    """The system's own words, with the file; and, for a full disk, what to do."""
    known = SYSTEM_REASONS.get(error.errno or 0)
    reason = error.strerror or str(error) if known is None else _(known)
    return f"{error.filename}: {reason}" if error.filename else reason


def _failed(message: str, error: BaseException | None = None) -> int:
    """One line, with what was noted on the way up; status 2."""
    notes = getattr(error, "__notes__", ())
    with suppress(OSError, ValueError):
        click.echo("huzhu: " + _printable(" ".join("; ".join((message, *notes)).split())), err=True)
    return FAILED


def _unexpected(error: Exception) -> str:
    """What to say of our own bug."""
    if os.environ.get(DEBUG_VARIABLE):
        with suppress(OSError, ValueError):
            traceback.print_exception(error)
    try:
        told = " ".join(str(error).split())[:UNEXPECTED_MAX_CHARACTERS]
    except Exception:
        told = ""
    text = _("unexpected error in this program: {type}: {text}; please report it")
    return text.format(type=type(error).__name__, text=_printable(told))


def _printable(text: str) -> str:
    """A text for a terminal: control characters and surrogates escaped."""
    if text.isprintable():
        return text
    escaped = (each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return "".join(escaped)


def _open_missing_streams() -> None:
    """Where the program was started with a standard stream closed, nothing else may take its place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - as long as the process


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does, so that it leaves no drafts behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _piped() -> int:
    """Whoever read our output has gone, as `| head` does: say nothing, also not while Python shuts down."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - it lives as long as the process
    return FAILED
