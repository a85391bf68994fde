"""The passbook of one account: what came and went, line by line, with the balance after each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from gettext import gettext as _
from typing import Any

from chain.block import SEAL
from ledger.bodies import AccountClose, Dispute, Donate, Gift, Grant, Opening, Resolve, Reverse, Service
from ledger.hours import payer_and_payee
from web.desk import DeskNode
from web.problems import DeskError
from web.text import SEAL_MOVES, columns, hours_of, local_date, named_account, named_kind

MOVEMENTS = Service | Gift | Donate | Opening | Grant


@dataclass(frozen=True, slots=True)
class PassbookLine:
    """One entry's or seal's doing. ``minutes`` is the change of the balance, ``held`` that of what waits.

    ``date`` is the local day of the service, or else that on which it was recorded; ``other`` the account on the other
    side, where there is one; ``balance`` and ``balance_held`` what the account then had.
    """

    entry_index: int
    date: str
    kind: str
    other: str | None
    minutes: int
    held: int
    balance: int
    balance_held: int


def passbook(node: DeskNode, number: str) -> Iterator[PassbookLine]:
    """All lines of an account, the oldest first; raises DeskError where there is none of that number."""
    if node.balance(number) is None:
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
        )


def other_side(node: DeskNode, index: int, number: str) -> str | None:
    """With whom the entry was: of a service the person served or serving, of others the giver or the receiver."""
    body = node.entry(index).body
    while isinstance(body, Reverse | Resolve | Dispute):
        body = node.entry(body.index).body
    if isinstance(body, Service) and number in (body.provider, body.recipient):
        return body.recipient if number == body.provider else body.provider
    if isinstance(body, MOVEMENTS):
        payer, payee = payer_and_payee(body)
        return payee if number == payer else payer
    if isinstance(body, AccountClose):
        return body.to if number == body.account else body.account
    return None


def plain_line(line: PassbookLine) -> dict[str, Any]:
    """A line as JSON has it."""
    return {
        "index": line.entry_index,
        "date": line.date,
        "kind": line.kind,
        "other": line.other,
        "minutes": line.minutes,
        "held": line.held,
        "balance": line.balance,
        "balance_held": line.balance_held,
    }


def passbook_lines(lines: Sequence[PassbookLine]) -> list[str]:
    """The passbook as text."""
    rows = [[_("date"), _("what"), _("with"), "±", _("held"), _("balance"), _("hours"), _("entry")]]
    rows += [
        [
            line.date,
            _(SEAL_MOVES) if line.kind == SEAL else named_kind(line.kind),
            named_account(line.other or ""),
            f"{line.minutes:+d}" if line.minutes else "",
            f"{line.held:+d}" if line.held else "",
            str(line.balance),
            str(hours_of(line.balance)),
            str(line.entry_index),
        ]
        for line in lines
    ]
    return columns(rows, right=range(3, 8))
