"""Commands about witnesses: ``witness`` for a home that is one, ``check-fork`` for what a witness or parent kept."""

from collections.abc import Iterator, Sequence
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from web.command import (
    DONE,
    READS,
    WRONG,
    Command,
    Group,
    file_argument,
    file_option,
    key_options,
    option,
    pass_session,
)
from web.i18n import marked
from web.problems import DeskError
from web.wording import worded

if TYPE_CHECKING:
    from chain.checkpoint import Checkpoint
    from chain.fork import ForkVerdict
    from chain.note import VerifierKey
    from web.session import Session

URL_HELP = marked("Address at which the witness is asked, to stand in its lines.")

ONLY_TWO_NOTES = {
    "rollback": marked(
        "NOT PROVEN: both checkpoints are signed, and show that this ledger once had the larger number of entries. "
        "That it was put back to the smaller later is the word of whoever kept this file."
    ),
    "other-ledger": marked("NOT PROVEN: the two checkpoints are of two ledgers, and say nothing of each other."),
    "not-signed": marked(
        "NOT PROVEN: not both checkpoints have a good signature by a key of this ledger that you trust. Anybody can "
        "write an unsigned one. Give the ledger's key with --trust or --vkey, if you have it."
    ),
    "same": marked("NOT PROVEN: the two checkpoints are of the same entries. That is as it should be."),
    "bad-path": marked(
        "NOT PROVEN: both checkpoints are signed, but the hashes of the file do not lead to the larger one. They show "
        "nothing of how the two go together."
    ),
    "no-path": marked(
        "NOT PROVEN: both checkpoints are signed, and the later one is larger. Whether it goes on from the earlier one "
        "cannot be seen from this file: compare both with the ledger, by `huzhu verify TARGET --since FILE`."
    ),
    "consistent": marked("NOT PROVEN: the later checkpoint goes on from the earlier one. That is as it should be."),
}
"""What is not proven, and why, by outcome."""


@click.command("check-fork", cls=Command, takes=READS, example="huzhu check-fork village.fork --trust trust.txt")
@file_argument("file")
@file_option("--trust", help=marked("Trust file (tlog-policy): the ledger's keys are its `log` lines."))
@option("--vkey", "vkeys", metavar="VKEY", multiple=True, help=marked("A key of the ledger; can be repeated."))
@pass_session
def check_fork(session: "Session", file: Path, trust: Path | None, vkeys: tuple[str, ...]) -> int:
    """Check the evidence that a ledger has two histories.

    FILE holds two checkpoints, as witnesses and parents keep them in the folder `evidence`. Without --trust and --vkey
    the keys of the home's own ledger and of those it admits are taken. Exit status: 0 proven, 1 not, 2 it is no such
    file.
    """
    from chain.errors import NoteError
    from chain.fork import FORK_MAX_BYTES, parse_fork
    from chain.fork import check_fork as check

    with file.open("rb") as opened:
        raw = opened.read(FORK_MAX_BYTES + 1)
    try:
        fork = parse_fork(raw)
    except NoteError as error:
        raise DeskError(_("{path} is no evidence of a fork: {why}").format(path=file, why=worded(error))) from error
    verdict = check(fork, _known_keys(session, trust, vkeys))
    session.print(_plain(verdict), list(_fork_lines(verdict)))
    return DONE if verdict.is_proven else WRONG


def _known_keys(session: "Session", trust: Path | None, vkeys: Sequence[str]) -> "list[VerifierKey]":
    from chain.note import parse_vkey
    from web.auditing import read_policy
    from web.trusting import node_keys

    known = [parse_vkey(each) for each in vkeys]
    if trust is not None:
        known += read_policy(trust).logs
    if known:
        return known
    with session.reading() as node:
        admitted = [parse_vkey(each.vkey) for each in node.state.admitted.values()]
        return [*node_keys(node.state), *admitted]


def _fork_lines(verdict: "ForkVerdict") -> Iterator[str]:
    if verdict.is_proven:
        yield _("PROVEN: the ledger {origin} has two histories.").format(origin=verdict.earlier.origin)
    else:
        yield _(ONLY_TWO_NOTES[verdict.outcome])
    for text, checkpoint, keys in (
        (_("seen first: {origin}, {size} entries, root {root}"), verdict.earlier, verdict.earlier_keys),
        (_("seen later: {origin}, {size} entries, root {root}"), verdict.later, verdict.later_keys),
    ):
        yield text.format(origin=checkpoint.origin, size=checkpoint.size, root=checkpoint.root.hex())
        for vkey in keys:
            yield _("  signed by key {hash} of {name}").format(hash=vkey.hash.hex(), name=vkey.name)
    if verdict.is_proven:
        yield _(
            "Nobody but the holder of the ledger's key can have signed both. It is not proven which of the two is the "
            "true one, who signed them, or why: deceit, a stolen key, and a copy of the node that went on writing all "
            "look the same."
        )


def _plain(verdict: "ForkVerdict") -> dict[str, Any]:
    return {
        "proven": verdict.is_proven,
        "outcome": verdict.outcome,
        "earlier": _plain_checkpoint(verdict.earlier, verdict.earlier_keys),
        "later": _plain_checkpoint(verdict.later, verdict.later_keys),
    }


def _plain_checkpoint(checkpoint: "Checkpoint", keys: "Sequence[VerifierKey]") -> dict[str, Any]:
    from chain.encoding import format_base64
    from chain.note import format_vkey

    return {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": format_base64(checkpoint.root),
        "signed_by": [format_vkey(vkey) for vkey in keys],
    }


@click.group(cls=Group)
def witness() -> None:
    """Witness the ledgers of others."""


@witness.command("new", example="huzhu witness new --name witness.county.example", takes=(key_options,))
@option("--name", required=True, help=marked("The witness's name, for ever: a domain name, and perhaps a path."))
@option("--url", help=URL_HELP)
@pass_session
def witness_new(session: "Session", name: str, url: str | None) -> None:
    """Make this home a witness.

    Makes keys of its own for it, and prints a trust file that asks for its cosignature, by either of its two keys: the
    witness's lines, for `huzhu trust --witness`. It cosigns, while the service runs, for the ledgers that this home
    admits and for those of the `log` lines of its trust file.
    """
    from web.witnessing import make_keys

    with session.home.lock():
        keys = make_keys(session.home, name, session.passphrase())
    click.echo(_policy_text(keys.vkeys(), url), nl=False)


@witness.command("show", example="huzhu witness show --url https://county.example", takes=(key_options,))
@option("--url", help=URL_HELP)
@pass_session
def witness_show(session: "Session", url: str | None) -> None:
    """Print the witness's lines for trust files."""
    from web.witnessing import witness_keys

    keys = witness_keys(session.home, session.passphrase())
    if keys is None:
        text = _("{folder} is no witness: `huzhu witness new` makes it one")
        raise DeskError(text.format(folder=session.home.folder))
    click.echo(_policy_text(keys.vkeys(), url), nl=False)


def _policy_text(vkeys: "tuple[VerifierKey, VerifierKey]", url: str | None) -> str:
    from chain.policy import format_policy
    from web.trusting import trust_in_witness
    from web.witnessing import checked_url

    return format_policy(trust_in_witness(vkeys, None if url is None else checked_url(url))).decode()
