"""Rules for cases, sanctions and appeals (RULES §7): people decide, two at a time, and the person may answer."""

from ledger.bodies import Appeal, CaseClose, CaseOpen, CaseStep, Sanction, SanctionLift
from ledger.corrections import UPHELD
from ledger.signing import Claim
from ledger.state import CLOSED, OPEN, SUSPENDED, Account, Books, Case, Measure

SUSPEND, REVOKE, LIST = "suspend", "revoke", "list"


def open_case(claim: Claim, books: Books) -> None:
    body: CaseOpen = claim.entry.body
    openers = tuple(sorted({key.person for key in (claim.author, *claim.beside)}))
    books.state.cases[claim.index] = Case(body.account, body.suspicion, openers)


def case_step(claim: Claim) -> str | None:
    """Also the ladder of ``case_close``: a case that is closed goes no further."""
    body: CaseStep | CaseClose = claim.entry.body
    case = claim.state.cases.get(body.case)
    return "no-case" if case is None or case.outcome is not None else None


def close_case(claim: Claim, books: Books) -> None:
    body: CaseClose = claim.entry.body
    books.state.cases[body.case].outcome = body.outcome


def sanction(claim: Claim) -> str | None:
    body: Sanction = claim.entry.body
    case = claim.state.cases.get(body.case)
    if case is None or case.account != body.account:
        return "no-case"
    return None if case.outcome == UPHELD else "case-not-upheld"


def impose_sanction(claim: Claim, books: Books) -> None:
    body: Sanction = claim.entry.body
    books.state.sanctions[claim.index] = Measure(body.account, body.measure, body.case, body.until)
    account = books.state.accounts[body.account]
    if body.measure == SUSPEND:
        account.suspensions.add(claim.index)
        _set_status(account, books)
    elif body.measure == REVOKE:
        account.revocations.add(claim.index)


def sanction_lift(claim: Claim) -> str | None:
    body: SanctionLift = claim.entry.body
    return None if body.sanction in claim.state.sanctions else "no-sanction"


def lift_sanction(claim: Claim, books: Books) -> None:
    """Another sanction of the same kind that stands goes on."""
    body: SanctionLift = claim.entry.body
    measure = books.state.sanctions.pop(body.sanction)
    account = books.state.accounts[measure.account]
    account.suspensions.discard(body.sanction)
    account.revocations.discard(body.sanction)
    _set_status(account, books)


def _set_status(account: Account, books: Books) -> None:
    if account.status != CLOSED:
        books.set_status(account, SUSPENDED if account.suspensions else OPEN)


def appeal(claim: Claim) -> str | None:
    body: Appeal = claim.entry.body
    return None if body.case in claim.state.cases else "no-case"
