"""Rules for reversals and disputes (RULES §3). Nothing is ever taken off the log: it is posted back."""

from collections.abc import Iterator
from typing import Any

from chain.entry import Body, Statement
from chain.limits import INTEGER_MAX
from ledger.bodies import (
    Appeal,
    CaseClose,
    CaseStep,
    Dispute,
    Donate,
    FundReceive,
    FundSpend,
    Gift,
    Grant,
    Opening,
    Resolve,
    Reverse,
    Sanction,
    SanctionLift,
    Service,
    TransferBack,
)
from ledger.hours import Movement, payer_and_payee
from ledger.numbers import OUTSIDE, POOL, fund_number
from ledger.risk import count_service
from ledger.roster import MEMBER
from ledger.signing import NEEDS_SECOND, NOT_ALLOWED, Claim, two_members
from ledger.state import Books, Objection, ReadEntry, State

REVERSIBLE = (Service, Gift, Donate, Opening, Grant, FundReceive, FundSpend)
DAY_SECONDS = 86_400
UPHELD = "upheld"


def entry_at(state: State, read: ReadEntry, index: int) -> Statement[Any] | None:
    """The earlier entry at ``index``, or None where there is none that changed anything."""
    return read(index) if index < state.size and state.kinds[index] else None


def reverse(claim: Claim) -> str | None:
    body: Reverse = claim.entry.body
    entry = entry_at(claim.state, claim.read, body.index)
    if entry is None or not isinstance(entry.body, REVERSIBLE):
        return "not-reversible"
    if body.index in claim.state.reversed:
        return "already-reversed"
    return "no-balance" if _overflows(claim, body.index, entry.body) else None


def post_reversal(claim: Claim, books: Books) -> None:
    _post_back(claim, books, claim.entry.body.index)


def dispute(claim: Claim) -> str | None:
    body: Dispute = claim.entry.body
    state = claim.state
    entry = entry_at(state, claim.read, body.index)
    if entry is None or not isinstance(entry.body, Service) or body.index in state.reversed:
        return "not-reversible"
    if body.party not in (entry.body.provider, entry.body.recipient):
        return "not-party"
    sealed = state.sealed_after(body.index)
    if sealed is not None and claim.time.timestamp() - sealed > state.parameters.dispute_within_days * DAY_SECONDS:
        return "too-late"
    return "already-disputed" if body.index in state.disputed else None


def open_dispute(claim: Claim, books: Books) -> None:
    service_index = claim.entry.body.index
    books.state.disputed.add(service_index)
    books.state.month(service_index, claim.read(service_index).body.end).disputed += 1
    books.state.objections[service_index] = Objection(claim.index, service_index)


def for_resolution(claim: Claim) -> str | None:
    """M+M, and neither who recorded nor who certified the service."""
    entry = _disputed_service(claim)
    if entry is None:
        return two_members(claim)
    keys = claim.state.roster.keys
    involved = {keys[key].person for key in (entry.by, *entry.beside)}
    if claim.author.role != MEMBER or claim.author.person in involved:
        return NOT_ALLOWED
    others = {key.person for key in claim.beside if key.role == MEMBER} - involved - {claim.author.person}
    return None if others else NEEDS_SECOND


def resolve(claim: Claim) -> str | None:
    body: Resolve = claim.entry.body
    entry = entry_at(claim.state, claim.read, body.index)
    if entry is None or not isinstance(entry.body, Dispute):
        return "no-dispute"
    service_index = entry.body.index
    objection = claim.state.objections.get(service_index)
    if objection is None or objection.index != body.index:
        return "already-resolved"
    is_upheld = body.outcome == UPHELD
    return "no-balance" if is_upheld and _overflows(claim, service_index, claim.read(service_index).body) else None


def close_dispute(claim: Claim, books: Books) -> None:
    """Upheld, the service is reversed; rejected, its credit moves when it is due."""
    body: Resolve = claim.entry.body
    service_index = claim.read(body.index).body.index
    if body.outcome == UPHELD:
        _post_back(claim, books, service_index)
    else:
        del books.state.objections[service_index]
        books.wait_no_more(service_index)


def parties_of(claim: Claim) -> set[str | None]:
    """The accounts that take part: those the entry names, and those named where it points to, and so on from there."""
    body = claim.entry.body
    parties = set(body.numbers())
    while (index := _points_to(body)) is not None:
        entry = entry_at(claim.state, claim.read, index)
        if entry is None:
            break
        body = entry.body
        parties.update(body.numbers())
    return parties


def _points_to(body: Body) -> int | None:
    """The entry that a field ``index``, ``case`` or ``sanction`` names."""
    if isinstance(body, Reverse | Dispute | Resolve | TransferBack):
        return body.index
    if isinstance(body, CaseStep | CaseClose | Sanction | Appeal):
        return body.case
    return body.sanction if isinstance(body, SanctionLift) else None


def _disputed_service(claim: Claim) -> Statement[Any] | None:
    """The service that the dispute at ``index`` is about."""
    entry = entry_at(claim.state, claim.read, claim.entry.body.index)
    if entry is None or not isinstance(entry.body, Dispute):
        return None
    return claim.read(entry.body.index)


def _overflows(claim: Claim, entry_index: int, body: Movement | FundReceive | FundSpend) -> bool:
    """Whether the legs of an entry, negated, would take a balance out of the integers that an entry can hold."""
    accounts = claim.state.accounts
    for number, balance, _held in _legs_back(claim.state, entry_index, body):
        if abs(accounts[number].balance + balance) > INTEGER_MAX:
            return True
    return False


def _legs_back(
    state: State, entry_index: int, body: Movement | FundReceive | FundSpend
) -> Iterator[tuple[str, int, int]]:
    """The legs of an entry negated, as they were posted: account, change of balance, change of what is held."""
    if isinstance(body, FundReceive | FundSpend):
        fen = body.fen if isinstance(body, FundSpend) else -body.fen
        yield OUTSIDE, -fen, 0
        yield fund_number(body.fund), fen, 0
        return
    payer, payee = payer_and_payee(body)
    yield payer, body.minutes, 0
    if entry_index in state.credits:
        yield payee, 0, -body.minutes
        return
    excess = state.excess.get(entry_index, 0)
    yield payee, excess - body.minutes, 0
    if excess:
        yield POOL, -excess, 0


def _post_back(claim: Claim, books: Books, entry_index: int) -> None:
    """Post an entry back: from its own held credit, from the balance, or from the pool."""
    state, body = books.state, claim.read(entry_index).body
    for number, balance, held in list(_legs_back(state, entry_index, body)):
        books.post(claim.index, number, balance, held)
    state.credits.pop(entry_index, None)
    state.reversed.add(entry_index)
    state.objections.pop(entry_index, None)
    if isinstance(body, Service):
        count_service(state, entry_index, body, -1)
        served = state.accounts[body.provider].served
        if served is not None:
            served.add((body.start + state.utc_offset_at(entry_index)).toordinal(), -body.minutes)
    elif isinstance(body, Grant | Opening):
        state.granted_minutes -= body.minutes
