"""Rules for what third parties find: assessments, inspections with due dates, certificates (RULES §3, §8)."""

from ledger.bodies import Inspection, InspectionDone, Institution
from ledger.signing import Claim
from ledger.state import Books


def institution(claim: Claim) -> str | None:
    body: Institution = claim.entry.body
    earned = claim.state.accounts[body.account].earned
    return "under-threshold" if earned < claim.state.parameters.institution_minutes else None


def open_findings(claim: Claim, books: Books) -> None:
    body: Inspection = claim.entry.body
    if body.findings:
        books.state.open_findings[claim.index] = {
            place: finding.due for place, finding in enumerate(body.findings)
        }


def inspection_done(claim: Claim) -> str | None:
    body: InspectionDone = claim.entry.body
    return None if body.finding in claim.state.open_findings.get(body.inspection, ()) else "no-finding"


def close_finding(claim: Claim, books: Books) -> None:
    body: InspectionDone = claim.entry.body
    still_open = books.state.open_findings[body.inspection]
    del still_open[body.finding]
    if not still_open:
        del books.state.open_findings[body.inspection]
