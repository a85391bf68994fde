"""The rule for services: the one kind by which hours are earned (RULES §3, §4)."""

from chain.fields import Time
from ledger.bodies import COUPON, PAPER, Service
from ledger.coupons import coupon, use_coupon
from ledger.hours import RECIPIENT_PAYS, overflows, payer_and_payee
from ledger.numbers import has_check_digits
from ledger.parameters import CATEGORIES
from ledger.risk import count_service
from ledger.roster import PEOPLE
from ledger.signing import Claim, deals_with_itself
from ledger.state import CLOSED, OPEN, SUSPENDED, Account, Books, DayBook, State

POOL_PAYS = "pool"
MINUTE_SECONDS, DAY_SECONDS = 60, 86_400


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
    if provider.status != OPEN or recipient.status != OPEN or guardian is not None:
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
    age, length = time - body.end, body.end - body.start
    if age.days < 0:
        return "in-future"
    if age.days >= parameters.record_within_days and _is_late(state, time, body.end):
        return "too-late"
    if length.days < 0 or body.minutes * MINUTE_SECONDS > length.days * DAY_SECONDS + length.seconds:
        return "bad-interval"
    if body.minutes > parameters.service_max_minutes:
        return "over-service-cap"
    if body.minutes + _minutes_on(provider, state.local_day(body.start)) > parameters.day_max_minutes:
        return "over-day-cap"
    if body.minutes % parameters.unit_minutes:
        return "under-unit"
    if not provider.may_serve:
        return "not-volunteer"
    if not recipient.elder:
        return "not-elder"
    if not _is_qualified(claim, body, provider):
        return "needs-credential"
    if provider.minor and body.guardian != provider.guardian:
        return "guardian-missing"
    return _payment(state, body, provider, recipient) or _evidence(claim, body, recipient)


def _is_late(state: State, time: Time, end: Time) -> bool:
    """Whether too many local midnights lie between; so many only where so many times 24 hours do."""
    return state.local_day(time) - state.local_day(end) > state.parameters.record_within_days


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
    if body.category not in needed and body.local not in needed:
        return True
    scopes = [needed[code] for code in (body.category, body.local) if code in needed]
    return any(provider.holds_credential(scope, claim.time) for scope in scopes)


def _evidence(claim: Claim, body: Service, recipient: Account) -> str | None:
    """Whether the evidence shows what it should."""
    if body.evidence.form == PAPER:
        return None
    if body.evidence.form == COUPON:
        return coupon(claim.state, body)
    return None if _is_confirmed(claim, body, recipient) else "no-evidence"


def _is_confirmed(claim: Claim, body: Service, recipient: Account) -> bool:
    """Whether the recipient, its guardian or kin signed beside; never the provider."""
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
    count_service(state, index, body)
    if body.evidence.form == COUPON:
        use_coupon(state, body.evidence)
    provider = state.accounts[payee]
    if provider.served is None:
        provider.served = DayBook()
    provider.served.add(state.local_day(body.start), minutes)
    if state.first_service is None:
        state.first_service = index
