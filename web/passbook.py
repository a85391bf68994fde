"""The passbook of one account: what came and went, line by line, with the balance after each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from gettext import gettext as _
from typing import Any

from chain.block import SEAL
from ledger.bodies import (
    AccountClose,
    Dispute,
    Donate,
    FundReceive,
    FundSpend,
    Gift,
    Grant,
    Opening,
    Resolve,
    Reverse,
    Service,
    TransferBack,
    TransferIn,
    TransferOut,
)
from ledger.hours import payer_and_payee
from ledger.numbers import FEN, OUTSIDE, format_address, fund_number
from ledger.proofs import parse_proof
from web.desk import DeskNode
from web.problems import DeskError
from web.text import SEAL_MOVES, columns, hours_of, local_date, named_account, named_kind, yuan_of

MOVEMENTS = Service | Gift | Donate | Opening | Grant


@dataclass(frozen=True, slots=True)
class PassbookLine:
    """One entry's or seal's doing. ``change`` is that of the balance, ``held`` that of what waits.

    They are in minutes, or in fen where the account's ``unit`` is that. ``date`` is the local day of the service, or
    else that on which it was recorded; ``other`` the account on the other side, where there is one; ``balance`` and
    ``balance_held`` what the account then had.
    """

    entry_index: int
    date: str
    kind: str
    other: str | None
    change: int
    held: int
    balance: int
    balance_held: int
    unit: str


def passbook(node: DeskNode, number: str) -> Iterator[PassbookLine]:
    """All lines of an account, the oldest first; raises DeskError where there is none of that number."""
    account = node.balance(number)
    if account is None:
        raise DeskError(_("there is no account {number} on this ledger").format(number=number))
    balance = held = 0
    for leg in node.legs(number):
        balance += leg.balance
        held += leg.held
        entry = node.entry(leg.entry_index)
        offset = node.state.utc_offset_at(leg.entry_index)
        day = entry.body.start if isinstance(entry.body, Service) else entry.at
        yield PassbookLine(
            leg.entry_index,
            local_date(day, offset),
            entry.kind,
            None if entry.kind == SEAL else other_side(node, leg.entry_index, number),
            leg.balance,
            leg.held,
            balance,
            held,
            account.unit,
        )


def other_side(node: DeskNode, index: int, number: str) -> str | None:
    """With whom the entry was: of a service the person served or serving, of others the giver or the receiver.

    An account of another ledger is named by its address.
    """
    body = node.entry(index).body
    while isinstance(body, Reverse | Resolve | Dispute):
        body = node.entry(body.index).body
    if isinstance(body, Service) and number in (body.provider, body.recipient):
        return body.recipient if number == body.provider else body.provider
    if isinstance(body, MOVEMENTS):
        payer, payee = payer_and_payee(body)
        return payee if number == payer else payer
    if isinstance(body, TransferOut | TransferIn | TransferBack):
        return _far_side(node, body, number)
    if isinstance(body, FundReceive | FundSpend):
        return fund_number(body.fund) if number == OUTSIDE else OUTSIDE
    if isinstance(body, AccountClose):
        return body.to if number == body.account else body.account
    return None


def _far_side(node: DeskNode, body: TransferOut | TransferIn | TransferBack, number: str) -> str | None:
    """Of hours that travel: for who gave or took them the other ledger's account, for ``bridge`` our own."""
    if isinstance(body, TransferIn):
        proof = parse_proof(body.proof)
        if number != body.to or proof is None:
            return body.to
        return format_address(proof.origin, proof.entry.body.giver)
    sent: TransferOut = node.entry(body.index).body if isinstance(body, TransferBack) else body
    return sent.to if number == sent.giver else sent.giver


def plain_line(line: PassbookLine) -> dict[str, Any]:
    """A line as JSON has it; money is in fen."""
    return {
        "index": line.entry_index,
        "date": line.date,
        "kind": line.kind,
        "other": line.other,
        "fen" if line.unit == FEN else "minutes": line.change,
        "held": line.held,
        "balance": line.balance,
        "balance_held": line.balance_held,
    }


def passbook_lines(lines: Sequence[PassbookLine]) -> list[str]:
    """The passbook as text; money in yuan, which have no hours."""
    rows = [[_("date"), _("what"), _("with"), "±", _("held"), _("balance"), _("hours"), _("entry")]]
    rows += [
        [
            line.date,
            _(SEAL_MOVES) if line.kind == SEAL else named_kind(line.kind),
            named_account(line.other or ""),
            _signed(line.change, line.unit),
            _signed(line.held, line.unit),
            yuan_of(line.balance) if line.unit == FEN else str(line.balance),
            "" if line.unit == FEN else str(hours_of(line.balance)),
            str(line.entry_index),
        ]
        for line in lines
    ]
    return columns(rows, right=range(3, 8))


def _signed(change: int, unit: str) -> str:
    """A change with its sign; nothing where nothing changes."""
    if unit == FEN and change:
        return ("+" if change > 0 else "") + yuan_of(change)
    return f"{change:+d}" if change else ""
