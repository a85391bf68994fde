"""One command at work: which home, which keys, what time, and how its answer is printed."""

import datetime
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from chain.encoding import format_base64
from chain.entry import Body
from chain.fields import KEY_ID, Time, format_time
from chain.keys import SEED_BYTES, SigningKey
from ledger.bodies import AccountOpen, Resolve
from store.home import Home
from store.keyfiles import KEY_FILE_MAX_BYTES, PassphraseError
from web.command import DONE, WRONG
from web.desk import Accepted, Balance, DeskNode, OpenNode, Result, refusal
from web.export import STDOUT, in_folder, write_file
from web.keyring import Keyring, Plan
from web.problems import DeskError, is_text
from web.text import NO_NEUTRAL_PART, sentence

if TYPE_CHECKING:
    from web.importing import ImportSummary

DEFAULT_HOME = "huzhu-home"
HOME_VARIABLE, PASSPHRASE_VARIABLE = "HUZHU_HOME", "HUZHU_PASSPHRASE"
PASSPHRASE_MAX_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Settings:
    """What the common options say; each is explained where ``web.command`` declares it."""

    home: Path | None = None
    passphrase_file: Path | None = None
    at: Time | None = None
    clerk: str | None = None
    members: tuple[str, ...] = ()
    key_files: tuple[Path, ...] = ()
    as_json: bool = False


class Session:
    """What a command has in hand."""

    def __init__(self, open_node: OpenNode, settings: Settings) -> None:
        self._open_node = open_node
        self.settings = settings

    @property
    def home(self) -> Home:
        """Where the node lives."""
        named = os.environ.get(HOME_VARIABLE) or DEFAULT_HOME
        if self.settings.home is None and not is_text(named):
            raise DeskError(_("the variable {name} is not UTF-8 text").format(name=HOME_VARIABLE))
        return Home(self.settings.home or Path(named))

    @property
    def at(self) -> Time | None:
        """The recorded time that was given, or None for the clock's."""
        return self.settings.at

    @contextmanager
    def reading(self) -> Iterator[DeskNode]:
        """The node, to look at."""
        with self._open_node(self.home.folder, writes=False) as node:
            yield node

    @contextmanager
    def writing(self) -> Iterator[tuple[DeskNode, Keyring]]:
        """The node, locked for this process, with the keys kept there."""
        passphrase = self.passphrase()
        with self._open_node(self.home.folder, passphrase, writes=True) as node:
            yield node, self.keyring(node, passphrase)

    def keyring(self, node: DeskNode, passphrase: bytes | None) -> Keyring:
        """The keys of this home, by the node's roster."""
        settings = self.settings
        brought = {path: self.brought_key(path, passphrase) for path in settings.key_files}
        return Keyring(
            self.home, passphrase, node.state, settings.at or now(), settings.clerk, settings.members, brought
        )

    def brought_key(self, path: Path, passphrase: bytes | None) -> SigningKey:
        """The key in a file from elsewhere; where another passphrase opens it, the terminal is asked."""
        try:
            return self.home.signing_key(path, passphrase)
        except PassphraseError:
            if not is_terminal():
                raise
        asked = click.prompt(_("Passphrase of {path}").format(path=path), hide_input=True, err=True)
        return self.home.signing_key(path, asked.encode(errors="surrogateescape"))

    def passphrase(self) -> bytes | None:
        """What opens the keys: from the file, the environment or, where a key asks for it, the terminal."""
        given = self.given_passphrase()
        if given is None and is_terminal() and any(map(_is_encrypted, self.home.keys.glob("*.pem"))):
            given = click.prompt(_("Passphrase"), hide_input=True, err=True).encode(errors="surrogateescape")
        return given

    def given_passphrase(self) -> bytes | None:
        """The passphrase from the file or the environment; None where neither is there."""
        path = self.settings.passphrase_file
        if path is None:
            return os.fsencode(os.environ.get(PASSPHRASE_VARIABLE, "")) or None
        return passphrase_in(path)

    def new_passphrase(self) -> bytes | None:
        """What new keys are to be encrypted under; None keeps them plain."""
        given = self.given_passphrase()
        if given is None and is_terminal():
            asked = click.prompt(
                _("Passphrase for the keys (empty: none)"),
                default="",
                show_default=False,
                hide_input=True,
                confirmation_prompt=True,
                err=True,
            )
            given = asked.encode(errors="surrogateescape") or None
        return given

    def person_key(self, key: str) -> SigningKey:
        """The private key in a file, or that of an id that is kept in the home."""
        if KEY_ID.fullmatch(key) is None:
            return self.home.signing_key(Path(key), self.passphrase())
        kept = list(self.home.keys.glob(f"*-{key}.pem"))
        if not kept:
            raise DeskError(_("the key {key} is not kept in {folder}").format(key=key, folder=self.home.keys))
        return self.home.signing_key(kept[0], self.passphrase())

    def write(self, plan: Plan, body: Body | Callable[[DeskNode], Body]) -> int:
        """Sign a statement, write it, and say what became of it; answers the exit status.

        ``body`` may be made from the node's state, while nobody else can change it.
        """
        with self.writing() as (node, keyring):
            pair = plan(keyring)
            made = body if isinstance(body, Body) else body(node)
            (result,) = node.write(pair.author, pair.beside, [made], self.at)
            self.say_result_time(node, result)
        return self.report(result, made)

    def say_time(self, recorded: Time | None) -> None:
        """Say which time was recorded, where it is another than the one that was asked for."""
        if recorded is not None and self.at not in (None, recorded):
            text = _("note: recorded at {time}, since nothing may be dated before what is on the ledger")
            say(text.format(time=format_time(recorded)))

    def say_result_time(self, node: DeskNode, result: Result) -> None:
        """The same of what became of a statement."""
        if self.at is not None and refusal(result) is None:
            self.say_time(node.entry(cast(Accepted, result).index).at)

    def report(self, result: Result, body: Body) -> int:
        """Say what became of a statement: what is on the ledger on stdout, what is not on stderr."""
        refused = refusal(result)
        if refused is None:
            taken = cast(Accepted, result)
            plain = {"accepted": True, "index": taken.index, "leaf_hash": format_base64(taken.leaf_hash)}
            lines = [_("accepted as entry {index}").format(index=taken.index)]
            if isinstance(body, AccountOpen):
                plain["account"] = body.account
                lines.append(_("account {number}").format(number=body.account))
            self.print(plain, lines)
            return DONE
        text = sentence(refused.outcome, refused.detail)
        if isinstance(body, Resolve) and refused.outcome == "not-allowed":
            text = _(NO_NEUTRAL_PART)
        self.print({"accepted": False, "outcome": refused.outcome, "detail": text}, [])
        if not self.settings.as_json:
            say(_("refused ({outcome}): {text}").format(outcome=refused.outcome, text=text))
        return WRONG

    def report_import(self, summary: "ImportSummary") -> int:
        """Say what became of a day-sheet file."""
        self.print(
            {
                "rows": summary.rows,
                "accepted": summary.accepted,
                "refused": summary.refused,
                "skipped": summary.skipped,
                "blocks": summary.blocks,
                "outcomes": dict(sorted(summary.outcomes.items())),
                "refused_file": None if summary.refused_file is None else str(summary.refused_file),
            },
            [
                _(
                    "rows: {rows}; accepted: {accepted}; refused: {refused}; there already: {skipped}; "
                    "blocks: {blocks}"
                ).format(
                    rows=summary.rows,
                    accepted=summary.accepted,
                    refused=summary.refused,
                    skipped=summary.skipped,
                    blocks=summary.blocks,
                )
            ],
        )
        self.say_ignored(summary.ignored)
        status = self.report_refused(summary.outcomes, summary.refused_file)
        if summary.unkept is not None:
            raise summary.unkept
        return status

    def say_ignored(self, columns: Sequence[str]) -> None:
        """Say which columns of a file meant nothing."""
        if columns:
            say(_("columns that are not read: {columns}").format(columns=", ".join(columns)))

    def report_refused(self, outcomes: Counter[str], refused_file: Path | None) -> int:
        """Say which rows were refused, on stderr, and where they are."""
        for outcome, count in sorted(outcomes.items(), key=lambda each: (-each[1], each[0])):
            say(f"{count:7}  {outcome}: {sentence(outcome)}")
        if refused_file is not None:
            say(_("the refused rows are in {path}: mend them there, and import that file").format(path=refused_file))
        return WRONG if outcomes else DONE

    def put(self, raw: bytes, output: Path | None) -> None:
        """Write a file into a folder that is there, or to stdout."""
        if output is None or str(output) == STDOUT:
            sys.stdout.buffer.write(raw)
        else:
            in_folder(output)
            write_file(output, raw)

    def known(self, balance: Balance | None, number: str) -> Balance:
        """A balance that is there; raises DeskError where it is not."""
        if balance is None:
            raise DeskError(_("there is no account {number} on this ledger").format(number=number))
        return balance

    def print(self, plain: Any, lines: Sequence[str]) -> None:
        """The command's answer on stdout: JSON where it was asked for, or else lines."""
        if self.settings.as_json:
            print_json(plain)
        else:
            for line in lines:
                click.echo(line)


def passphrase_in(path: Path) -> bytes:
    """The passphrase in a file's first line."""
    with path.open("rb") as file:
        first = file.readline(PASSPHRASE_MAX_BYTES).rstrip(b"\r\n")
    if not first:
        raise DeskError(_("{path} has no passphrase in its first line").format(path=path))
    return first


def new_key() -> SigningKey:
    """A key at random."""
    return SigningKey(os.urandom(SEED_BYTES))


def now() -> Time:
    """The clock's time, in whole seconds."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def say(text: str) -> None:
    """A message to the person at the desk."""
    click.echo(text, err=True)


def print_json(plain: Any) -> None:
    """One value on stdout."""
    click.echo(json.dumps(plain, ensure_ascii=False, separators=(",", ":")))


def known_index(node: DeskNode, index: int) -> int:
    """An index that has an entry; raises DeskError where it has none."""
    if not 0 <= index < node.store.size:
        text = _("there is no entry {index}; the ledger has {size}")
        raise DeskError(text.format(index=index, size=node.store.size))
    return index


def is_terminal() -> bool:
    """Whether somebody sits there who can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _is_encrypted(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b"ENCRYPTED" in file.read(KEY_FILE_MAX_BYTES)
    except OSError:
        return False
