"""What earlier entries say of cases, sanctions, funds, inspections and certificates (RULES §7, §8).

    past_of(node, "case_open", "appeal")     # the entries of some kinds, the oldest first
    case_history(node, 17)                   # everything about one case
    measures_in_force(node); fund_report(node, "meals"); open_findings(node)

Entries are found by ``State.kinds``, a byte each, so that a ledger of a million entries is searched at once.
"""

import datetime
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from gettext import gettext as _
from typing import Any

import msgspec

from chain.entry import Entry
from chain.fields import Date, format_time
from ledger.bodies import CaseClose, FundOpen, FundReceive, FundSpend, Inspection, Sanction, SanctionLift
from ledger.kinds import KINDS
from ledger.numbers import fund_number
from ledger.state import State
from web.desk import DeskNode
from web.problems import DeskError
from web.text import SOURCES, local_date

ABOUT_A_CASE = ("case_step", "case_close", "sanction", "sanction_lift", "appeal")


@dataclass(frozen=True, slots=True)
class Past:
    """An entry with its index and the local day on which it was recorded."""

    index: int
    date: str
    entry: Entry[Any]

    @property
    def body(self) -> Any:
        return self.entry.body

    def plain(self) -> dict[str, Any]:
        """As JSON has it: its place, and the fields of its body."""
        fields: dict[str, Any] = msgspec.to_builtins(self.body)
        return {"index": self.index, "at": format_time(self.entry.at), "kind": self.entry.kind} | fields


@dataclass(frozen=True, slots=True)
class StandingMeasure:
    """A sanction in force, with why it was imposed: the suspicion and the note with which its case was closed."""

    sanction: int
    date: str
    account: str
    measure: str
    case: int
    suspicion: str
    note: str
    until: Date | None

    def is_overdue(self, today: datetime.date) -> bool:
        """Whether the day has passed that reminds of lifting it."""
        return self.until is not None and self.until < today


@dataclass(frozen=True, slots=True)
class FundReport:
    """Where a fund's money came from and what it went to, in fen; what was reversed is left out."""

    fund: str
    purpose: str
    title: str
    balance_fen: int
    received: dict[str, int]
    """By each of the four sources."""
    spent: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By payee and purpose."""
    movements: list[Past] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class OpenFinding:
    """What an inspection found and nobody has mended yet. ``finding`` counts from 0."""

    inspection: int
    finding: int
    subject: str
    code: str
    text: str
    due: Date

    def is_overdue(self, today: datetime.date) -> bool:
        """Whether it was to be mended before that local day."""
        return self.due < today


def indexes_of(state: State, *kinds: str, since: int = 0) -> list[int]:
    """Where the entries of these kinds stand that are true, from ``since`` on."""
    numbers = bytes(KINDS[kind].number for kind in kinds)
    pattern = re.compile(b"[" + re.escape(numbers) + b"]")
    return [match.start() for match in pattern.finditer(state.kinds, since)]


def past(node: DeskNode, index: int) -> Past:
    """The entry at an index."""
    entry = node.entry(index)
    return Past(index, local_date(entry.at, node.state.utc_offset_at(index)), entry)


def past_of(node: DeskNode, *kinds: str, since: int = 0) -> Iterator[Past]:
    """The entries of these kinds, the oldest first."""
    return (past(node, index) for index in indexes_of(node.state, *kinds, since=since))


def case_history(node: DeskNode, case: int) -> list[Past]:
    """The opening of a case and all that followed from it; raises DeskError where none was opened there."""
    if case not in node.state.cases:
        raise DeskError(_("there is no case {case} on this ledger").format(case=case))
    found, sanctions = [past(node, case)], set()
    for each in past_of(node, *ABOUT_A_CASE, since=case):
        body = each.body
        if body.sanction in sanctions if isinstance(body, SanctionLift) else body.case == case:
            found.append(each)
        if isinstance(body, Sanction) and body.case == case:
            sanctions.add(each.index)
    return found


def measures_in_force(node: DeskNode) -> list[StandingMeasure]:
    """The sanctions that nobody has lifted, the oldest first."""
    state = node.state
    if not state.sanctions:
        return []
    closings: dict[int, CaseClose] = {each.body.case: each.body for each in past_of(node, "case_close")}
    return [
        StandingMeasure(
            sanction=index,
            date=past(node, index).date,
            account=measure.account,
            measure=measure.kind,
            case=measure.case,
            suspicion=state.cases[measure.case].suspicion,
            note=closings[measure.case].note,
            until=measure.until,
        )
        for index, measure in sorted(state.sanctions.items())
    ]


def fund_openings(node: DeskNode) -> list[Past]:
    """The entries that opened the funds."""
    return list(past_of(node, "fund_open"))


def fund_report(node: DeskNode, fund: str) -> FundReport:
    """What became of a fund; raises DeskError where there is none of that code."""
    account = node.balance(fund_number(fund))
    if account is None:
        raise DeskError(_("there is no fund {fund} on this ledger").format(fund=fund))
    opening: FundOpen = next(each.body for each in fund_openings(node) if each.body.fund == fund)
    report = FundReport(fund, opening.purpose, opening.title, account.balance, dict.fromkeys(SOURCES, 0))
    for leg in node.legs(account.account):
        each = past(node, leg.entry_index)
        body = each.body
        if leg.entry_index in node.state.reversed or not isinstance(body, FundReceive | FundSpend):
            continue
        if isinstance(body, FundReceive):
            report.received[body.source] += body.fen
        else:
            report.spent[body.payee, body.purpose] += body.fen
        report.movements.append(each)
    return report


def open_findings(node: DeskNode) -> list[OpenFinding]:
    """What is still to be mended, the most urgent first."""
    found = []
    for inspection, due in node.state.open_findings.items():
        body: Inspection = node.entry(inspection).body
        for place in due:
            finding = body.findings[place]
            found.append(OpenFinding(inspection, place, body.subject, finding.code, finding.text, finding.due))
    return sorted(found, key=lambda each: (each.due, each.inspection, each.finding))
