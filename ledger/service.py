"""The rule for services: the one kind by which hours are earned (RULES §3, §4)."""

import datetime

from ledger.bodies import SIGNED, Service
from ledger.hours import RECIPIENT_PAYS, overflows, payer_and_payee
from ledger.numbers import has_check_digits
from ledger.parameters import CATEGORIES
from ledger.roster import PEOPLE
from ledger.signing import Claim, deals_with_itself
from ledger.state import CLOSED, SUSPENDED, Account, Books, DayBook, State

POOL_PAYS = "pool"
MINUTE = datetime.timedelta(minutes=1)


def service(claim: Claim) -> str | None:
    """The ladder of ``service``. All but the first four of the common outcomes stand in it."""
    body: Service = claim.entry.body
    state, time = claim.state, claim.time
    accounts, parameters = state.accounts, state.parameters
    provider, recipient = accounts.get(body.provider), accounts.get(body.recipient)
    guardian = None if body.guardian is None else accounts.get(body.guardian)
    if provider is None or recipient is None or (body.guardian is not None and guardian is None):
        named = (number for number in body.numbers() if number is not None)
        return "no-account" if all(map(has_check_digits, named)) else "bad-check-digits"
    if CLOSED in (provider.status, recipient.status) or (guardian is not None and guardian.status == CLOSED):
        return "closed"
    if SUSPENDED in (provider.status, recipient.status):
        return "suspended"
    if provider is recipient or deals_with_itself(claim, _parties_of):
        return "self-dealing"
    if body.category not in CATEGORIES:
        return "unknown-category"
    if body.local is not None and parameters.local_services.get(body.local) != body.category:
        return "unknown-category"
    if body.end > time:
        return "in-future"
    if state.local_day(time) - state.local_day(body.end) > parameters.record_within_days:
        return "too-late"
    if body.start >= body.end or body.minutes > (body.end - body.start) // MINUTE:
        return "bad-interval"
    if body.minutes > parameters.service_max_minutes:
        return "over-service-cap"
    if body.minutes + _minutes_on(provider, state.local_day(body.start)) > parameters.day_max_minutes:
        return "over-day-cap"
    if body.minutes % parameters.unit_minutes:
        return "under-unit"
    if not provider.volunteer:
        return "not-volunteer"
    if not recipient.elder:
        return "not-elder"
    if not _is_qualified(claim, body, provider):
        return "needs-credential"
    if provider.minor and body.guardian != provider.guardian:
        return "guardian-missing"
    return _payment(state, body, provider, recipient) or (None if _is_shown(claim, body, recipient) else "no-evidence")


def _parties_of(claim: Claim) -> tuple[str | None, ...]:
    numbers: tuple[str | None, ...] = claim.entry.body.numbers()
    return numbers


def _payment(state: State, body: Service, provider: Account, recipient: Account) -> str | None:
    """Whether who should pay may, and can."""
    parameters = state.parameters
    if body.paid_by != RECIPIENT_PAYS:
        if recipient.funded not in parameters.funded_groups:
            return "not-funded"
        payer = state.accounts[body.paid_by]
        is_short = body.paid_by == POOL_PAYS and payer.balance < body.minutes
        return "no-balance" if is_short or overflows(payer, provider, body.minutes) else None
    if not recipient.redeemable:
        return "not-yet-redeemable"
    if recipient.balance < parameters.redeem_min_minutes:
        return "no-balance"
    is_short = recipient.balance - body.minutes < -parameters.overdraft_minutes
    return "no-balance" if is_short or overflows(recipient, provider, body.minutes) else None


def _minutes_on(provider: Account, day: int) -> int:
    return 0 if provider.served is None else provider.served.on(day)


def _is_qualified(claim: Claim, body: Service, provider: Account) -> bool:
    """Whether the provider holds what the category or the local service asks; one of several suffices."""
    needed = claim.state.parameters.credentials_needed
    scopes = [needed[code] for code in (body.category, body.local) if code in needed]
    return not scopes or any(provider.holds_credential(scope, claim.time) for scope in scopes)


def _is_shown(claim: Claim, body: Service, recipient: Account) -> bool:
    """Whether the recipient, its guardian or kin signed beside, where the evidence says so; never the provider."""
    if body.evidence.form != SIGNED:
        return True
    confirming = {recipient.number, recipient.guardian} | recipient.kin
    return any(
        key.role in PEOPLE and key.account != body.provider and key.account is not None and key.account in confirming
        for key in claim.beside
    )


def post_service(claim: Claim, books: Books) -> None:
    """Payer −m, provider +m: at once, or held until its due time (FORMAT §7)."""
    body: Service = claim.entry.body
    index, minutes, state = claim.index, body.minutes, books.state
    payer, payee = payer_and_payee(body)
    books.post(index, payer, -minutes)
    if state.parameters.posting_days:
        books.hold(index, payee, minutes)
    else:
        books.credit(index, payee, minutes, index)
    provider = state.accounts[payee]
    if provider.served is None:
        provider.served = DayBook()
    provider.served.add(state.local_day(body.start), minutes)
    if state.first_service is None:
        state.first_service = index
