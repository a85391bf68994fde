"""Commands about hours that travel to another ledger and come from one (RULES §10)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chain.entry import Body
from chain.fields import format_time
from ledger.bodies import TransferBack, TransferIn, TransferOut, TransferRefuse
from ledger.numbers import parse_address
from ledger.proofs import parse_proof
from web.command import (
    DONE,
    READS,
    WRITES,
    WRITES_ALONE,
    WRONG,
    Cell,
    Group,
    Number,
    file_option,
    option,
    pass_session,
)
from web.commands_hours import BY_HELP
from web.daysheet import parse_account
from web.desk import DeskNode, Result
from web.history import Past, past_of
from web.i18n import marked
from web.keyring import Keyring, Pair
from web.problems import DeskError
from web.session import Session, say
from web.table import BadRowError
from web.text import OUTCOMES, coded, columns, printable, reason_of

if TYPE_CHECKING:
    from sync.library import Library
    from sync.transfers import Arrival, TransferReport

OUT, IN, REFUSE, BACK = "transfer_out", "transfer_in", "transfer_refuse", "transfer_back"
SENT, OPEN, ARRIVED, REFUSED, RETURNED, TAKEN = "sent", "not-sealed", "arrived", "refused", "returned", "taken"
BAD_SHOWN_MAX = 20
ADDRESS_SHOWN_CHARACTERS = 80

TARGET_HELP = marked("The other ledger, and who gets them.")
ARCHIVE_HELP = marked("Archive of the tier above, as from a USB stick, in place of asking the parents in node.toml.")


def parse_target(cell: str) -> str:
    """An account of another ledger, ``origin#account``, with the leading zeros that the account may have lost."""
    origin, separator, number = cell.partition("#")
    address = f"{origin}#{parse_account(number)}" if separator else cell
    if parse_address(address) is None:
        text = _("{address} is no account of another ledger: write village.example/huzhu#12345676")
        raise BadRowError(text.format(address=cell[:ADDRESS_SHOWN_CHARACTERS]))
    return address


@click.group(cls=Group)
def transfer() -> None:
    """Send hours to another ledger, and fetch what was sent."""


@transfer.command(
    "out",
    example="huzhu transfer out --from 12345676 --to xizhuang.example/huzhu#87654342 --minutes 60"
    " --from-archive township.db",
    takes=WRITES,
)
@option("--from", "giver", type=Cell("ACCOUNT", parse_account), required=True, help=marked("Whose hours they are."))
@option("--to", type=Cell("ORIGIN#ACCOUNT", parse_target), required=True, help=TARGET_HELP)
@option("--minutes", type=Number(min=1), required=True, help=marked("How many minutes."))
@option("--by", metavar="KEY", help=BY_HELP)
@file_option("--from-archive", "archive", help=ARCHIVE_HELP)
@option("--anyway", is_flag=True, help=marked("Send also where nobody knows that ledger, and wait until there is one."))
@pass_session
def transfer_out(
    session: Session, giver: str, to: str, minutes: int, by: str | None, archive: Path | None, anyway: bool
) -> int:
    """Send hours to an account of another ledger.

    They leave the account at once. The other ledger takes them in by a proof, once this ledger is sealed and the tier
    above has a copy of it; if it does not take them, they come back. Only that ledger can send them back: so first it
    is looked for here, in the archive, or at the parents in node.toml, and nothing is sent where nobody knows it.
    """
    from web.knowing import check_known

    target = parse_address(to)
    if target is not None and not anyway:
        with session.reading() as node:
            state = node.state
        check_known(target[0], session.home, state, archive)

    def plan(keyring: Keyring) -> Pair:
        return keyring.clerk_and_members() if by is None else Pair(session.person_key(by))

    status = session.write(plan, TransferOut(giver=giver, minutes=minutes, to=to))
    if status == DONE:
        say(_("They arrive after the next seal: before it nobody can have a proof. `huzhu seal` closes the block now."))
    return status


@transfer.command("list", example="huzhu transfer list", takes=READS)
@option("--ask", is_flag=True, help=marked("Ask the parents in node.toml what became of the hours that were sent."))
@file_option("--from", "archive", help=ARCHIVE_HELP)
@pass_session
def transfer_list(session: Session, ask: bool, archive: Path | None) -> int:
    """List the hours that were sent and that came, with their numbers.

    Whether hours have arrived stands on the other ledger: --ask or --from tells what the tier above has seen there.
    """
    with session.reading() as node:
        seen, failures = _arrivals(session, node, archive) if ask or archive is not None else ({}, [])
        lines = [*_sent_lines(node, seen), *_came_lines(node)]
    lines.sort(key=lambda line: line["index"])
    rows = [[_("entry"), _("date"), _("account"), _("minutes"), _("other ledger"), _("state")]]
    rows += [_row(line) for line in lines]
    plain = [{key: value for key, value in line.items() if key != "date"} for line in lines]
    session.print(plain, columns(rows, right=(0, 3)))
    for failure in failures:
        say(failure)
    return WRONG if failures else DONE


@transfer.command("fetch", example="huzhu transfer fetch --from township.db", takes=WRITES_ALONE)
@file_option("--from", "archive", help=ARCHIVE_HELP)
@pass_session
def transfer_fetch(session: Session, archive: Path | None) -> int:
    """Take in hours that other ledgers sent here.

    The parents are asked, nearest first. What is proven is taken in; hours for an account that cannot take them are
    refused; and hours of ours that were refused elsewhere come back. It can be repeated at any time: nothing counts
    twice. For a village without a line the tier above makes an archive of its own ledger and its mirror: `huzhu join`.
    """
    from sync.transfers import run_transfers

    def declare(bodies: Sequence[Body]) -> Sequence[Result]:
        with session.writing() as (node, _keyring):
            return node.declare(bodies, session.at)

    with session.reading() as node:
        origin, state = node.origin, node.state
    with _libraries(session, archive) as libraries:
        report = run_transfers(origin, state, libraries, declare)
    session.print(_plain_report(report), [_settled_line(each.kind, each) for each in report.settled])
    return _say_rest(report)


def _plain_report(report: "TransferReport") -> dict[str, Any]:
    return {
        "settled": [
            {
                "kind": each.kind,
                "index": each.index,
                "ledger": each.ledger,
                "their_index": each.their_index,
                "minutes": each.minutes,
                **({"reason": each.reason} if each.reason else {}),
            }
            for each in report.settled
        ],
        "bad": [{"library": b.library, "ledger": b.ledger, "index": b.index, "why": b.why} for b in report.bad],
        "waiting": report.waiting,
        "failures": list(report.failures),
    }


def _settled_line(kind: str, each: Any) -> str:
    texts = {
        IN: _("entry {index}: {minutes} min came in from {ledger}, entry {their_index}"),
        REFUSE: _("entry {index}: {minutes} min from {ledger}, entry {their_index}, are refused ({reason})"),
        BACK: _("entry {index}: {minutes} min are back; {ledger} refused them in entry {their_index} ({reason})"),
    }
    return texts[kind].format(
        index=each.index,
        minutes=each.minutes,
        ledger=each.ledger,
        their_index=each.their_index,
        reason=reason_of(each.reason),
    )


def _say_rest(report: "TransferReport") -> int:
    """What was not settled, on stderr; the exit status."""
    if not report.settled:
        say(_("nothing new has come"))
    if report.waiting:
        say(_("on their way, without a proof yet: {count}").format(count=report.waiting))
    for each in report.bad[:BAD_SHOWN_MAX]:
        text = _("{library}: entry {index} of {ledger} was not taken: {why}")
        say(text.format(library=each.library, index=each.index, ledger=each.ledger, why=_why(each.why)))
    if len(report.bad) > BAD_SHOWN_MAX:
        say(_("and {count} more that were not taken").format(count=len(report.bad) - BAD_SHOWN_MAX))
    for failure in report.failures:
        say(failure)
    return WRONG if report.bad or report.failures else DONE


def _why(why: str) -> str:
    """Why a proof was not taken: an outcome with what it means, or the sentence that says it."""
    return coded(OUTCOMES, printable(why))


@contextmanager
def _libraries(session: Session, archive: Path | None) -> "Iterator[list[Library]]":
    """Where to look: the archive that was named; or what is mirrored here, and the parents."""
    from web.libraries import archive_library, libraries_of

    with archive_library(archive) if archive is not None else libraries_of(session.home) as libraries:
        if not libraries:
            text = _("no parent stands in {path}: write [[parents]] with its url there, or give --from ARCHIVE")
            raise DeskError(text.format(path=session.home.settings))
        yield libraries


def _arrivals(session: Session, node: DeskNode, archive: Path | None) -> "tuple[Mapping[int, Arrival], list[str]]":
    from sync.transfers import arrivals

    with _libraries(session, archive) as libraries:
        return arrivals(node.origin, libraries)


def _sent_lines(node: DeskNode, seen: "Mapping[int, Arrival]") -> Iterator[dict[str, Any]]:
    """The hours that left."""
    sealed = node.state.seal_indexes[-1] if node.state.seal_indexes else -1
    backs = {past.body.index: past for past in past_of(node, BACK)}
    for past in past_of(node, OUT):
        body: TransferOut = past.body
        arrival = seen.get(past.index)
        state: dict[str, Any] = {"state": SENT if past.index <= sealed else OPEN}
        if past.index in backs:
            state = {"state": RETURNED, "settled_by": backs[past.index].index, **_refusal(backs[past.index].body)}
        elif arrival is not None:
            state = {"state": ARRIVED if arrival.kind == IN else REFUSED, "their_index": arrival.index}
        yield _line(past, OUT, body.giver, body.minutes, body.to) | state


def _came_lines(node: DeskNode) -> Iterator[dict[str, Any]]:
    """The hours that came, and those that were not let in."""
    for past in past_of(node, IN, REFUSE):
        body: TransferIn | TransferRefuse = past.body
        proof = parse_proof(body.proof)
        if proof is None:
            continue
        sent: TransferOut = proof.entry.body
        address = parse_address(sent.to)
        state = {"state": REFUSED, "reason": body.reason} if isinstance(body, TransferRefuse) else {"state": TAKEN}
        line = _line(past, past.entry.kind, address[1] if address else "", sent.minutes, f"{proof.origin}#{sent.giver}")
        yield line | state | {"their_index": proof.index}


def _refusal(body: TransferBack) -> dict[str, Any]:
    """Where and why our hours were refused."""
    proof = parse_proof(body.proof)
    return {} if proof is None else {"their_index": proof.index, "reason": proof.entry.body.reason}


def _line(past: Past, kind: str, account: str, minutes: int, other: str) -> dict[str, Any]:
    return {
        "index": past.index,
        "at": format_time(past.entry.at),
        "date": past.date,
        "kind": kind,
        "account": account,
        "minutes": minutes,
        "other": other,
    }


def _row(line: Mapping[str, Any]) -> list[str]:
    signed = -line["minutes"] if line["kind"] == OUT else line["minutes"]
    return [str(line["index"]), line["date"], line["account"], str(signed), printable(line["other"]), _state(line)]


def _state(line: Mapping[str, Any]) -> str:
    texts = {
        OPEN: _("not sealed yet"),
        SENT: _("sent"),
        ARRIVED: _("arrived there, as entry {their_index}"),
        RETURNED: _("returned by entry {settled_by}: refused there in entry {their_index} ({reason})"),
        TAKEN: _("came in, sent there by entry {their_index}"),
    }
    refused = (
        _("refused, sent there by entry {their_index} ({reason})")
        if line["kind"] == REFUSE
        else _("refused there, in entry {their_index}; the proof is not here yet")
    )
    reason = reason_of(line.get("reason", ""))
    return texts.get(line["state"], refused).format_map({"their_index": "", **line, "reason": reason})
