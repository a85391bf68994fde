"""Hours that move: who pays whom, and the rules for gifts, donations, openings and grants (RULES §3)."""

from chain.limits import INTEGER_MAX
from ledger.bodies import Donate, Gift, Grant, Opening, Service
from ledger.numbers import ISSUE, POOL
from ledger.signing import Claim
from ledger.state import Account, Books

Movement = Service | Gift | Donate | Opening | Grant
"""The bodies that move minutes from one account to another, and can be reversed."""

RECIPIENT_PAYS = "recipient"


def payer_and_payee(body: Movement) -> tuple[str, str]:
    """The accounts whose balances fall and rise by ``body.minutes``."""
    if isinstance(body, Service):
        return (body.recipient if body.paid_by == RECIPIENT_PAYS else body.paid_by), body.provider
    if isinstance(body, Gift):
        return body.giver, body.to
    if isinstance(body, Donate):
        return body.giver, POOL
    return ISSUE, body.to if isinstance(body, Grant) else body.account


def post_hours(claim: Claim, books: Books) -> None:
    """Post a gift, donation, opening or grant."""
    body: Movement = claim.entry.body
    payer, payee = payer_and_payee(body)
    books.post(claim.index, payer, -body.minutes)
    books.credit(claim.index, payee, body.minutes, claim.index)
    if payer == ISSUE:
        books.state.granted_minutes += body.minutes


def overflows(payer: Account, payee: Account, minutes: int) -> bool:
    """Whether a balance would leave the integers that an entry can hold (FORMAT §1)."""
    return payer.balance - minutes < -INTEGER_MAX or payee.balance + payee.held + minutes > INTEGER_MAX


def _overflows(claim: Claim) -> bool:
    body: Movement = claim.entry.body
    payer, payee = payer_and_payee(body)
    accounts = claim.state.accounts
    has_ceiling = claim.state.parameters.balance_max_minutes > 0
    if has_ceiling and accounts[POOL].balance + body.minutes > INTEGER_MAX:  # what is over it goes there
        return True
    return overflows(accounts[payer], accounts[payee], body.minutes)


def gift(claim: Claim) -> str | None:
    body: Gift = claim.entry.body
    if body.to not in claim.state.accounts[body.giver].kin:
        return "not-kin"
    return donate(claim)


def donate(claim: Claim) -> str | None:
    body: Gift | Donate = claim.entry.body
    state = claim.state
    left = state.accounts[body.giver].balance - body.minutes
    return "no-balance" if left < -state.parameters.overdraft_minutes or _overflows(claim) else None


def opening(claim: Claim) -> str | None:
    if claim.state.first_service is not None:
        return "not-first-day"
    return "no-balance" if _overflows(claim) else None


def grant(claim: Claim) -> str | None:
    body: Grant = claim.entry.body
    funded = claim.state.accounts[body.to].funded
    if funded not in claim.state.parameters.funded_groups:
        return "not-funded"
    return "no-balance" if _overflows(claim) else None
