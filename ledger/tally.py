"""What happened in a period: every figure of a report, counted while a ledger is replayed.

    tally = Tally(period)
    replay = Replay(state, read, on_leg=tally.take_leg, on_admitted=tally.see)
    ...replay the whole log, from its first entry to its last...
    figures = tally.finish(state, suspicions, suspicion_counts)

An entry belongs to the local month of its log time, a service to that of its ``end`` (RULES §8). Log time can go back
a little within a block: what follows an entry of a later period belongs to that later one too, so that a period has one
begin and one end in the log. A service that is reversed, whenever that is, no longer stands and is in no figure but
``reversed_services``. What else is reversed was made in its own month, and counts back in the month of the reversal. So
a report of a past period changes only by services recorded, reversed or disputed later.

Memory grows with accounts, cases and open findings, as the state does, never by a line a service.
"""

import datetime
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from chain.block import SEAL
from chain.entry import Statement
from chain.fields import UTC, Time
from ledger.bodies import COUPON, FundReceive, FundSpend, Service
from ledger.corrections import UPHELD
from ledger.figures import (
    AFTER,
    BEFORE,
    OTHERS,
    TEXT_MAX_CHARACTERS,
    WITHIN,
    AssessmentLine,
    CaseLine,
    CertifiedLine,
    ChangeLine,
    Count,
    Figures,
    FindingLine,
    Fund,
    MonthLine,
    Period,
    SanctionLine,
    SuspicionLine,
)
from ledger.hours import RECIPIENT_PAYS
from ledger.numbers import fund_number
from ledger.parameters import Parameters, format_parameters
from ledger.risk import format_period
from ledger.roster import CLERK
from ledger.signing import Claim
from ledger.state import Month, State, month_of
from ledger.suspicion_list import Suspicion
from ledger.tally_ends import Ends

NAMES_MAX = 2_000
"""So many different payees and local services are told apart; what else there is goes under ``OTHERS``."""

NONE, DEVICE = "-", "device"
"""Keys for: names none, a person's own key."""

SCORES_MAX = 32
"""An assessment's line has so many."""


class Tally:
    """Counts while it is told (``take_leg``, ``see``); ``finish`` gives the figures."""

    def __init__(self, period: Period) -> None:
        self._period = period
        self._found = Figures()
        self._first: int | None = None
        self._next: int | None = None
        """The first entry of the period, and the first one after it."""
        self._legs: list[tuple[int, str, int, int]] = []
        """Those of the entry at hand, and of the seals before it."""
        self._ends = Ends()
        self._providers: Counter[str] = Counter()
        self._recipients: Counter[str] = Counter()
        self._disputed: set[int] = set()
        """Services with an open dispute, at the end of the period."""
        self._cases: dict[int, CaseLine] = {}
        self._sanctions: dict[int, SanctionLine] = {}
        self._findings: dict[int, dict[int, FindingLine]] = {}
        self._parameters: Parameters | None = None
        self._time: Time | None = None
        self._offset: datetime.timedelta | None = None
        self._place = BEFORE
        self._latest: datetime.date | None = None
        """The last local day that is not after the period."""

    def take_leg(self, index: int, number: str, balance: int, held: int) -> None:
        """Told each leg (``ledger.state.OnLeg``)."""
        self._legs.append((index, number, balance, held))

    def see(self, claim: Claim) -> None:
        """Told every entry that is true, after what it changed (``ledger.replay.OnAdmitted``)."""
        state, index, since = claim.state, claim.index, self._place
        if claim.time != self._time or state.utc_offset is not self._offset:
            self._turn_to(claim.time, state)
        place = self._place
        if place != BEFORE and self._first is None:
            self._first = index
        if place == AFTER and self._next is None:
            self._next = index
        if self._legs:
            self._post(state, index, claim.entry.kind, since, place)
        take = TAKES.get(claim.entry.kind)
        if take is not None:
            take(self, claim, place)

    def finish(
        self, state: State, suspicions: Sequence[Suspicion] = (), suspicion_counts: Mapping[str, int] | None = None
    ) -> Figures:
        """The figures, at the end of the log. Then ``see`` nothing more."""
        found = self._found
        if self._legs:
            self._post(state, state.size, SEAL, self._place, AFTER)
        if state.sealed_at is not None:
            self._turn_to(state.sealed_at, state)
        day = self._latest or self._period.last_day
        found.as_of = day.isoformat()
        found.volunteers, found.elders = _positive(self._providers), _positive(self._recipients)
        self._drop_empty()
        self._ends.close(found, self._as_month(), self._period.last, day)
        self._list_cases()
        self._list_findings(day.isoformat())
        self._list_suspicions(state, suspicions, suspicion_counts or {})
        return found

    # Time

    def _turn_to(self, time: Time, state: State) -> None:
        """Go to a log time, by the local time in force."""
        self._time, self._offset = time, state.utc_offset
        local = time + state.utc_offset
        self._place = max(self._place, self._period.place(month_of(local)))
        day = min(local.date(), self._period.last_day)
        if self._latest is None or day > self._latest:
            self._latest = day

    def _day(self, claim: Claim) -> str:
        return (claim.time + claim.state.utc_offset).date().isoformat()

    def _add(self, counts: dict[str, int], name: str, number: int = 1) -> None:
        counts[name] = counts.get(name, 0) + number

    # What everybody has

    def _post(self, state: State, index: int, kind: str, since: int, place: int) -> None:
        """Take the legs of the entry at ``index``, and those of the seals since the entry whose place is ``since``."""
        excess = state.excess.get(index, 0)
        if excess and place == WITHIN:
            self._ends.tell_excess(kind, excess)
        for leg_index, number, balance, held in self._legs:
            if leg_index == index:
                self._ends.move(state.accounts[number], balance, held, place, kind)
            else:
                sealed = max(since, self._seal_place(state, leg_index))
                self._ends.move(state.accounts[number], balance, held, sealed, SEAL)
        self._legs.clear()

    def _seal_place(self, state: State, index: int) -> int:
        seconds = state.sealed_after(index)
        if seconds is None:
            raise RuntimeError(f"the legs of entry {index} came without it")
        local = datetime.datetime.fromtimestamp(seconds, UTC) + state.utc_offset
        return self._period.place(month_of(local))

    def _as_month(self) -> Month:
        """The whole period as ``ledger.risk`` has a month."""
        found = self._found
        return Month(
            services=found.services.number + found.reversed_services.number,
            disputed=found.disputed_services,
            standing=found.services.number,
            earned_minutes=found.services.minutes,
            redeemed_minutes=found.payers.get(RECIPIENT_PAYS, Count()).minutes,
            evidence={form: count.number for form, count in found.evidence.items()},
        )

    # Services

    def _take_service(self, claim: Claim, place: int) -> None:
        body: Service = claim.entry.body
        if place == WITHIN and body.evidence.form == COUPON:
            self._add(self._found.coupons, "used")
        self._count(claim.state, claim.index, claim.entry, 1)

    def _count(self, state: State, index: int, entry: Statement[Any], sign: int) -> None:
        """Count a service in its month; with ``sign`` −1 take it out again."""
        body: Service = entry.body
        offset = state.utc_offset if sign > 0 else state.utc_offset_at(index)
        month = month_of(body.end + offset)
        period = self._period
        if not period.first <= month <= period.last:
            return
        found, minutes = self._found, body.minutes
        key = state.roster.keys[entry.by]
        _count_as(found.categories, body.category, minutes, sign)
        _count_as(found.local, body.local or NONE, minutes, sign)
        _count_as(found.points, key.person if key.role == CLERK else DEVICE, minutes, sign)
        _count_as(found.evidence, body.evidence.form, minutes, sign)
        _count_as(found.payers, body.paid_by, minutes, sign)
        found.services.add(minutes, sign)
        if sign < 0:
            found.reversed_services.add(minutes)
        line = found.months.setdefault(format_period(month), MonthLine())
        line.services += sign
        line.minutes += sign * minutes
        if body.paid_by == RECIPIENT_PAYS:
            line.redeemed_minutes += sign * minutes
        self._providers[body.provider] += sign
        self._recipients[body.recipient] += sign

    def _drop_empty(self) -> None:
        """A name of which nothing stands is no line."""
        for counts in (self._found.categories, self._found.local, self._found.points, self._found.evidence):
            for name in [name for name, count in counts.items() if not count.number]:
                del counts[name]

    # Gifts, grants, hours that travel, corrections

    def _take_gift(self, claim: Claim, place: int) -> None:
        self._count_hours(self._found.gifts, claim, place)

    def _take_donation(self, claim: Claim, place: int) -> None:
        self._count_hours(self._found.donations, claim, place)

    def _take_grant(self, claim: Claim, place: int) -> None:
        self._count_hours(self._found.grants, claim, place)

    def _take_opening(self, claim: Claim, place: int) -> None:
        self._count_hours(self._found.openings, claim, place)

    def _take_sending(self, claim: Claim, place: int) -> None:
        self._count_hours(self._found.sent, claim, place)

    def _take_arrival(self, claim: Claim, place: int) -> None:
        self._count_hours(self._found.arrived, claim, place)

    def _take_return(self, claim: Claim, place: int) -> None:
        if place == WITHIN:
            self._found.returned.add(claim.read(claim.entry.body.index).body.minutes)

    def _count_hours(self, count: Count, claim: Claim, place: int) -> None:
        if place == WITHIN:
            count.add(claim.entry.body.minutes)

    def _take_reversal(self, claim: Claim, place: int) -> None:
        index = claim.entry.body.index
        self._undo(claim, index, place)
        if place != AFTER and index in self._disputed:
            self._disputed.discard(index)
            if place == WITHIN:
                self._add(self._found.disputes, "overtaken")

    def _undo(self, claim: Claim, index: int, place: int) -> None:
        entry = claim.read(index)
        if place == WITHIN:
            self._add(self._found.reversals, entry.kind)
        if isinstance(entry.body, Service):
            self._count(claim.state, index, entry, -1)
        elif isinstance(entry.body, FundReceive | FundSpend) and place == WITHIN:
            self._move_money(entry.body, -1)

    def _take_dispute(self, claim: Claim, place: int) -> None:
        index = claim.entry.body.index
        month = month_of(claim.read(index).body.end + claim.state.utc_offset_at(index))
        if self._period.place(month) == WITHIN:
            self._found.disputed_services += 1
        if place != AFTER:
            self._disputed.add(index)
        if place == WITHIN:
            self._add(self._found.disputes, "opened")

    def _take_resolution(self, claim: Claim, place: int) -> None:
        body = claim.entry.body
        index = claim.read(body.index).body.index
        if place != AFTER:
            self._disputed.discard(index)
        if place == WITHIN:
            self._add(self._found.disputes, body.outcome)
        if body.outcome == UPHELD:
            self._undo(claim, index, place)

    # Accounts, parameters

    def _take_account(self, claim: Claim, place: int) -> None:
        """Opened or changed."""
        self._ends.describe(claim.state.accounts[claim.entry.body.account], place)

    def _take_closing(self, claim: Claim, place: int) -> None:
        self._ends.close_account(claim.entry.body.account, place)

    def _take_parameters(self, claim: Claim, place: int) -> None:
        new, old = claim.state.parameters, self._parameters
        self._parameters = new
        if old is None or place != WITHIN:
            return
        before, after = format_parameters(old), format_parameters(new)
        day, version = self._day(claim), claim.state.parameters_version
        for name in before:
            if before[name] != after[name]:
                line = ChangeLine(
                    claim.state.origin, day, version, name, _short(str(before[name])), _short(str(after[name]))
                )
                self._found.changes.add(line)

    # Oversight

    def _take_case(self, claim: Claim, place: int) -> None:
        body = claim.entry.body
        if place != AFTER:
            day = self._day(claim)
            self._cases[claim.index] = CaseLine(claim.state.origin, claim.index, body.account, body.suspicion, day)
        if place == WITHIN:
            self._add(self._found.cases, "opened")

    def _take_step(self, claim: Claim, place: int) -> None:
        if place != AFTER:
            self._cases[claim.entry.body.case].steps += 1
        if place == WITHIN:
            self._add(self._found.cases, "steps")

    def _take_appeal(self, claim: Claim, place: int) -> None:
        case = self._cases.get(claim.entry.body.case)
        if case is not None and place != AFTER:
            case.appeals += 1
        if place == WITHIN:
            self._add(self._found.cases, "appeals")

    def _take_case_end(self, claim: Claim, place: int) -> None:
        body = claim.entry.body
        if place == AFTER:
            return
        case = self._cases[body.case]
        case.outcome, case.closed = body.outcome, self._day(claim)
        if place == WITHIN:
            self._add(self._found.cases, body.outcome)
        else:
            del self._cases[body.case]

    def _list_cases(self) -> None:
        found = self._found
        for case in self._cases.values():
            found.case_lines.add(case)
        found.cases["open"] = sum(case.outcome is None for case in self._cases.values())
        found.disputes["open"] = len(self._disputed)
        for line in self._sanctions.values():
            found.sanction_lines.add(line)
        found.sanctions["in_force"] = len(self._sanctions)

    def _take_sanction(self, claim: Claim, place: int) -> None:
        body = claim.entry.body
        if place != AFTER:
            until = None if body.until is None else body.until.isoformat()
            self._sanctions[claim.index] = SanctionLine(
                claim.state.origin, claim.index, body.account, body.measure, self._day(claim), until
            )
        if place == WITHIN:
            self._add(self._found.sanctions, "imposed")

    def _take_lift(self, claim: Claim, place: int) -> None:
        if place != AFTER:
            self._sanctions.pop(claim.entry.body.sanction, None)
        if place == WITHIN:
            self._add(self._found.sanctions, "lifted")

    def _list_suspicions(
        self, state: State, suspicions: Sequence[Suspicion], counts: Mapping[str, int]
    ) -> None:
        found = self._found
        first = state.size if self._first is None else self._first
        following = state.size if self._next is None else self._next
        for each in suspicions:
            if first <= each.entries[-1] < following:
                self._add(found.suspicions, each.code)
                found.suspicion_lines.add(
                    SuspicionLine(state.origin, each.code, each.account, each.entries, each.text, each.values)
                )
        found.suspicions_not_kept = sum(counts.values()) - len(suspicions) if counts else 0

    # Money, quality

    def _take_fund(self, claim: Claim, place: int) -> None:
        body = claim.entry.body
        self._ends.describe(claim.state.accounts[fund_number(body.fund)], place)
        if place != AFTER:
            self._found.funds[body.fund] = Fund(_short(body.title), body.purpose, received_fen={})

    def _take_money(self, claim: Claim, place: int) -> None:
        if place == WITHIN:
            self._move_money(claim.entry.body, 1)

    def _move_money(self, body: FundReceive | FundSpend, sign: int) -> None:
        fund = self._found.funds[body.fund]
        if isinstance(body, FundReceive):
            self._add(fund.received_fen, body.source, sign * body.fen)
        else:
            fund.spent_fen += sign * body.fen
            self._add(self._found.payees, _told_apart(self._found.payees, _short(body.payee)), sign * body.fen)

    def _take_inspection(self, claim: Claim, place: int) -> None:
        body = claim.entry.body
        if place == WITHIN:
            self._add(self._found.inspections, "made")
            self._add(self._found.inspections, "findings", len(body.findings))
        if place != AFTER and body.findings:
            self._findings[claim.index] = {
                number: FindingLine(
                    claim.state.origin,
                    claim.index,
                    _short(body.subject),
                    finding.code,
                    _short(finding.text),
                    finding.due.isoformat(),
                )
                for number, finding in enumerate(body.findings)
            }

    def _take_mending(self, claim: Claim, place: int) -> None:
        body = claim.entry.body
        if place == WITHIN:
            self._add(self._found.inspections, "done")
        if place != AFTER:
            still_open = self._findings[body.inspection]
            del still_open[body.finding]
            if not still_open:
                del self._findings[body.inspection]

    def _list_findings(self, day: str) -> None:
        """Those that nobody has mended, the longest due first."""
        lines = [line for found in self._findings.values() for line in found.values()]
        for line in sorted(lines, key=lambda line: (line.due, line.inspection)):
            line.overdue = line.due < day
            self._found.finding_lines.add(line)
        self._found.inspections["open"] = len(lines)
        self._found.inspections["overdue"] = sum(line.overdue for line in lines)

    def _take_assessment(self, claim: Claim, place: int) -> None:
        body = claim.entry.body
        if place == WITHIN:
            subject, period = _short(body.subject), _short(body.period)
            scores = dict(islice(body.scores.items(), SCORES_MAX))
            line = AssessmentLine(claim.state.origin, self._day(claim), subject, period, scores)
            self._found.assessments.add(line)

    def _take_certificate(self, claim: Claim, place: int) -> None:
        if place == WITHIN:
            line = CertifiedLine(claim.state.origin, self._day(claim), claim.entry.body.account)
            self._found.certified.add(line)

    def _take_coupons(self, claim: Claim, place: int) -> None:
        if place == WITHIN:
            self._add(self._found.coupons, "books")
            self._add(self._found.coupons, "printed", claim.entry.body.count)


def _count_as(counts: dict[str, Count], name: str, minutes: int, sign: int) -> None:
    """Count under a name that stands in the ledger."""
    count = counts.get(name)
    if count is None:
        count = counts.setdefault(_told_apart(counts, name), Count())
    count.add(minutes, sign)


def _told_apart(counts: Mapping[str, object], name: str) -> str:
    """The name, or ``OTHERS`` where there are too many to tell it from the rest."""
    return name if name in counts or len(counts) < NAMES_MAX else OTHERS


def _short(text: str) -> str:
    return text if len(text) <= TEXT_MAX_CHARACTERS else text[: TEXT_MAX_CHARACTERS - 1] + "…"


def _positive(counts: Counter[str]) -> int:
    return sum(count > 0 for count in counts.values())


TAKES: dict[str, Callable[[Tally, Claim, int], None]] = {
    "account_close": Tally._take_closing,
    "account_open": Tally._take_account,
    "account_update": Tally._take_account,
    "appeal": Tally._take_appeal,
    "assessment": Tally._take_assessment,
    "case_close": Tally._take_case_end,
    "case_open": Tally._take_case,
    "case_step": Tally._take_step,
    "coupon_issue": Tally._take_coupons,
    "dispute": Tally._take_dispute,
    "donate": Tally._take_donation,
    "fund_open": Tally._take_fund,
    "fund_receive": Tally._take_money,
    "fund_spend": Tally._take_money,
    "genesis": Tally._take_parameters,
    "gift": Tally._take_gift,
    "grant": Tally._take_grant,
    "inspection": Tally._take_inspection,
    "inspection_done": Tally._take_mending,
    "institution": Tally._take_certificate,
    "opening": Tally._take_opening,
    "params": Tally._take_parameters,
    "resolve": Tally._take_resolution,
    "reverse": Tally._take_reversal,
    "sanction": Tally._take_sanction,
    "sanction_lift": Tally._take_lift,
    "service": Tally._take_service,
    "transfer_back": Tally._take_return,
    "transfer_in": Tally._take_arrival,
    "transfer_out": Tally._take_sending,
}
"""What is done with each kind; the others are in no figure."""
