"""How a command that cannot go on ends: one line on stderr that says what, where and what to do, and status 2.

    DeskError    what this folder finds wrong with what people gave it: a file, a key, a word on the command line

Everything else that is expected (a full disk, a wrong passphrase, another process at work) comes from the parts below
with a sentence of its own. Our own bug is not expected: it shows its traceback.
"""

import errno
import io
import os
import sys
from collections.abc import Callable
from gettext import gettext as _

import click

EXPECTED = (
    ("node", "NodeError"),
    ("store.log", "StoreError"),
    ("chain.errors", "ChainError"),
    ("sqlite3", "Error"),
)
"""The errors of the parts below, by module: one that was never imported was never raised."""

FAILED = 2


class DeskError(Exception):
    """What people gave cannot be used. The text says what is wrong and what to do."""


def ending(run: Callable[[], object]) -> int:
    """Run a command and answer its exit status, with a line on stderr where it could not run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
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
        if not is_expected(error):
            raise
        return _failed(str(error), error)
    return status if isinstance(status, int) else 0


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
    return _("{message}; see `{command} --help`").format(message=message.rstrip(".。"), command=command)


def _of_system(error: OSError) -> str:
    """The system's own words, with the file; and, for a full disk, what to do."""
    reason = error.strerror or str(error)
    if error.errno == errno.ENOSPC:
        reason = _("the disk is full; free some space and try again")
    return f"{error.filename}: {reason}" if error.filename else reason


def _failed(message: str, error: BaseException | None = None) -> int:
    """One line, with what was noted on the way up; status 2."""
    notes = getattr(error, "__notes__", ())
    click.echo("huzhu: " + " ".join("; ".join((message, *notes)).split()), err=True)
    return FAILED


def _piped() -> int:
    """Whoever read our output has gone, as `| head` does: say nothing, also not while Python shuts down."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - it lives as long as the process
    return FAILED
