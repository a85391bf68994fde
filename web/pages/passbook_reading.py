"""What a passbook page shows of an account: what it has, what waits, its keys, and its lines as sentences.

    own = await kit.writer.ask(partial(own_of, number="12345676"))       # None: no such account
    lines = lines_of(kit.ledgers.own, number, before=None)                # the newest first, a page of them
    said(line)                                                            # "You helped 10000119: meals"

Amounts are minutes; ``spoken`` says them as people do. All of it is read, nothing is written.
"""

import datetime
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from chain.block import SEAL
from chain.entry import Entry
from chain.errors import EntryError
from chain.fields import Time
from chain.limits import LOG_MAX_ENTRIES
from chain.merkle import leaf_hash
from chain.note import format_vkey
from ledger.bodies import (
    AccountClose,
    Dispute,
    Donate,
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
from ledger.corrections import UPHELD
from ledger.kinds import CODEC
from ledger.roster import PEOPLE, Key
from ledger.state import State
from store.log import Leg, StoreError
from store.reading import ROWS_MAX, KeptLedger
from web.desk import DeskNode
from web.i18n import translate as _
from web.passbook import other_side
from web.text import CATEGORIES, HOUR_MINUTES, named, named_account, named_kind

LINES = 20
"""On one page."""
GRANTED, ENDED = "granted", "ended"


@dataclass(frozen=True, slots=True)
class Held:
    """Earned, and not free yet. ``free_on`` is the local day; None as long as the block is open."""

    index: int
    minutes: int
    free_on: datetime.date | None
    is_disputed: bool


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A key that the log has named for the account."""

    id: str
    role: str
    state: str
    until: Time | None


@dataclass(frozen=True, slots=True)
class Domain:
    """What a browser needs to sign for this ledger, and to check what it is told (FORMAT §3)."""

    origin: str
    genesis: bytes
    vkey: str


@dataclass(frozen=True, slots=True)
class OwnCase:
    """A case about the account, which its person may see and appeal against; ``outcome`` is None while it is open."""

    index: int
    suspicion: str
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Own:
    """One account as its person sees it, at one moment."""

    number: str
    balance: int
    held: int
    status: str
    is_volunteer: bool
    is_elder: bool
    is_minor: bool
    guardian: str | None
    wards: tuple[str, ...]
    kin: tuple[str, ...]
    waiting: tuple[Held, ...]
    keys: tuple[OwnKey, ...]
    next_seq: int
    posting_days: int
    dispute_days: int
    overdraft_minutes: int
    utc_offset: datetime.timedelta
    domain: Domain
    cases: tuple[OwnCase, ...]
    objected: frozenset[int]
    """The services of this ledger about which an objection is open."""

    @property
    def granted(self) -> tuple[str, ...]:
        """The ids of the keys that count now."""
        return tuple(key.id for key in self.keys if key.state == GRANTED)

    def local(self, time: Time) -> Time:
        """A time on the village's clock."""
        return time + self.utc_offset


def own_of(node: DeskNode, number: str, now: Time) -> Own | None:
    """Everything of an account that its pages show; None where there is no such account of a person."""
    state = node.state
    account = state.accounts.get(number)
    if account is None or not number.isdigit():
        return None
    keys = _keys_of(state, number)
    parameters = state.parameters
    return Own(
        number=number,
        balance=account.balance,
        held=account.held,
        status=account.status,
        is_volunteer=account.volunteer,
        is_elder=account.elder,
        is_minor=account.minor,
        guardian=account.guardian,
        wards=tuple(each.number for each in state.accounts.values() if each.guardian == number),
        kin=tuple(sorted(account.kin)),
        waiting=tuple(_waiting(state, number)),
        keys=tuple(_own_key(state, key, now) for key in keys),
        next_seq=1 + max((key.last_seq for key in keys), default=-1),
        posting_days=parameters.posting_days,
        dispute_days=parameters.dispute_within_days,
        overdraft_minutes=parameters.overdraft_minutes,
        utc_offset=state.utc_offset,
        domain=Domain(state.origin, leaf_hash(node.store.entry(0)), format_vkey(node.vkey)),
        cases=tuple(
            OwnCase(index, case.suspicion, case.outcome)
            for index, case in sorted(state.cases.items())
            if case.account == number
        ),
        objected=frozenset(state.objections),
    )


def _keys_of(state: State, number: str) -> list[Key]:
    found = (state.roster.keys[key_id] for key_id in state.roster.of_person.get(number, ()))
    return [key for key in found if key.role in PEOPLE]


def _own_key(state: State, key: Key, now: Time) -> OwnKey:
    return OwnKey(key.id, key.role, GRANTED if key.counts_at(state.log_time(now)) else ENDED, key.until)


def _waiting(state: State, number: str) -> list[Held]:
    found = [
        Held(
            index,
            credit.minutes,
            None if credit.due_at is None else (credit.due_at + state.utc_offset).date(),
            index in state.objections,
        )
        for index, credit in state.credits.items()
        if credit.account == number
    ]
    return sorted(found, key=lambda held: (held.free_on is None, held.free_on or datetime.date.max, held.index))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the passbook: ``entry`` did ``change`` to the balance and ``held`` to what waits.

    Both are 0 where it concerns the account and does nothing to it: a service that the platform pays for, an objection.
    ``about`` is the entry that an objection, a decision or a reversal is about in the end.
    """

    index: int
    entry: Entry[Any]
    about: int | None
    date: datetime.date
    number: str
    other: str | None
    change: int
    held: int
    balance: int
    balance_held: int
    is_sealed: bool


class _Entries:
    """As much of a node as ``other_side`` asks for."""

    def __init__(self, ledger: KeptLedger) -> None:
        self._ledger = ledger

    def entry(self, index: int) -> Entry[Any]:
        raw = self._ledger.entry(index)
        if raw is None:
            raise StoreError(_("entry {index} is missing").format(index=index))
        try:
            return CODEC.parse(raw)
        except EntryError as error:
            raise StoreError(str(error)) from error


def lines_of(
    ledger: KeptLedger, number: str, utc_offset: datetime.timedelta, before: int | None = None, most: int = LINES
) -> list[Line]:
    """The last lines of an account, those of entries below ``before``, the newest first."""
    end = LOG_MAX_ENTRIES if before is None else before
    legs: deque[Leg] = deque(maxlen=most)
    after = -1
    while after < end:
        page = ledger.legs(number, after, ROWS_MAX)
        legs.extend(leg for leg in page if leg.entry_index < end)
        if len(page) < ROWS_MAX:
            break
        after = page[-1].entry_index
    return _lines(ledger, number, utc_offset, list(legs))[::-1]


def line_of(ledger: KeptLedger, number: str, utc_offset: datetime.timedelta, index: int) -> Line | None:
    """One line; None where that entry does not concern the account."""
    legs = [leg for leg in ledger.legs(number, index - 1, 1) if leg.entry_index == index]
    return next(iter(_lines(ledger, number, utc_offset, legs)), None)


def _lines(ledger: KeptLedger, number: str, utc_offset: datetime.timedelta, legs: list[Leg]) -> list[Line]:
    """The balance after each, from what was posted before the first."""
    if not legs:
        return []
    entries, sealed = _Entries(ledger), ledger.size
    balance, held = ledger.posted(number, legs[0].entry_index - 1)
    lines = []
    for leg in legs:
        balance, held = balance + leg.balance, held + leg.held
        entry = entries.entry(leg.entry_index)
        time = entry.body.start if isinstance(entry.body, Service) else entry.at
        lines.append(
            Line(
                index=leg.entry_index,
                entry=entry,
                about=_about(entries, entry),
                date=(time + utc_offset).date(),
                number=number,
                other=None
                if entry.kind == SEAL
                else other_side(cast(DeskNode, entries), leg.entry_index, number),
                change=leg.balance,
                held=leg.held,
                balance=balance,
                balance_held=held,
                is_sealed=leg.entry_index < sealed,
            )
        )
    return lines


def _about(entries: _Entries, entry: Entry[Any]) -> int | None:
    body, about = entry.body, None
    while isinstance(body, Dispute | Resolve | Reverse):
        about = body.index
        body = entries.entry(about).body
    return about


def met(lines: Iterable[Line]) -> set[str]:
    """Those on the other side of services: they were there, so each may be told who the other is."""
    return {line.other for line in lines if line.other and isinstance(line.entry.body, Service)}


# Words


def spoken(minutes: int) -> str:
    """An amount as people say it: hours, and minutes where there are any; its sign is the caller's."""
    hours, rest = divmod(abs(minutes), HOUR_MINUTES)
    if not rest:
        return _("{hours} h").format(hours=hours)
    if not hours:
        return _("{minutes} min").format(minutes=rest)
    return _("{hours} h {minutes} min").format(hours=hours, minutes=rest)


def standing(minutes: int) -> str:
    """What somebody has, or owes."""
    return _("{amount} owed").format(amount=spoken(minutes)) if minutes < 0 else spoken(minutes)


def said(line: Line, name: str = "") -> str:
    """What a line is, as a sentence; ``name`` stands for the other side, else its number."""
    body, other = line.entry.body, name or named_account(line.other or "")
    if line.entry.kind == SEAL:
        return _("Waiting hours became free")
    if isinstance(body, Service):
        what = named(CATEGORIES, body.category)
        text = _("You helped {other}: {what}") if line.number == body.provider else _("{other} helped you: {what}")
        return text.format(other=other, what=what)
    if isinstance(body, Gift):
        text = _("You gave to {other}") if line.number == body.giver else _("Given to you by {other}")
        return text.format(other=other)
    if isinstance(body, Donate):
        return _("You gave to the village's pool")
    if isinstance(body, Opening):
        return _("Taken over from the old book")
    if isinstance(body, Grant):
        return _("Given by the platform: {reason}").format(reason=body.reason)
    if isinstance(body, Dispute):
        is_own = body.party == line.number
        text = _("You objected to entry {index}") if is_own else _("{other} objected to entry {index}")
        return text.format(other=other, index=line.about)
    if isinstance(body, Resolve) and body.outcome != UPHELD:
        return _("The objection to entry {index} was rejected").format(index=line.about)
    if isinstance(body, Reverse | Resolve):
        return _("Entry {index} was taken back").format(index=line.about)
    if isinstance(body, TransferOut | TransferBack | TransferIn):
        return _("Between ledgers: {other}").format(other=other)
    if isinstance(body, AccountClose):
        return _("An account was closed")
    return named_kind(line.entry.kind)


def changed(line: Line) -> str:
    """What it did, in words: so much more or less, and what waits."""
    if line.change > 0 and line.change == -line.held:
        return _("{amount} are yours to spend now").format(amount=spoken(line.change))
    if line.held > 0 and not line.change:
        return _("{amount} earned, to be free later").format(amount=spoken(line.held))
    if not line.change and not line.held:
        payer = paid_by(line)
        return _("{payer}; your hours do not change").format(payer=payer) if payer else _("your hours do not change")
    parts = []
    if line.change:
        text = _("plus {amount}") if line.change > 0 else _("minus {amount}")
        parts.append(text.format(amount=spoken(line.change)))
    if line.held:
        text = _("{amount} wait") if line.held > 0 else _("{amount} wait no more")
        parts.append(text.format(amount=spoken(line.held)))
    return _(", ").join(parts)


def paid_by(line: Line) -> str:
    """Who paid for a service that did nothing to the hours of whoever was served; "" for another line."""
    body = line.entry.body
    if line.change or line.held or not isinstance(body, Service):
        return ""
    return {"issue": _("by the platform"), "pool": _("by the village's pool")}.get(body.paid_by, "")


def is_objectable(line: Line) -> bool:
    """Whether it is a service, which its two sides may object to."""
    return isinstance(line.entry.body, Service)


def is_about(entry: Entry[Any], number: str) -> bool:
    """Whether the account gave or got that service."""
    body = entry.body
    return isinstance(body, Service) and number in (body.provider, body.recipient)
