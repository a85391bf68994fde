"""The figures of a period, compared with what a second, naive reading of the same entries gives."""

import datetime
from collections import Counter
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from chain.entry import Body, Statement
from chain.fields import UTC, Time
from chain.merkle import leaf_hash
from ledger.bodies import FundOpen, FundSpend
from ledger.figures import (
    LISTED_MAX,
    MONTHS_MAX,
    OTHERS,
    CaseLine,
    Count,
    Figures,
    Listing,
    Period,
    add_up,
    format_span,
    parse_span,
)
from ledger.kinds import CODEC
from ledger.replay import Replay
from ledger.risk import figures as risk_figures
from ledger.risk import forecast, parse_period
from ledger.signing import Claim
from ledger.state import FUND, Account, State
from ledger.suspicions import Watch
from ledger.tally import NAMES_MAX, Tally
from tests.scenarios.script import play
from tests.web.reporting import Year

OFFSET = datetime.timedelta(hours=8)
NEW_YEAR = datetime.datetime(2026, 1, 1, tzinfo=UTC)
PERIODS = ("2026", "2026-03", "2026-Q3", "2026-07..2026-08", "2025", "2027-01", "2026-12")


@cache
def year() -> Year:
    """One village's year, made once."""
    return Year().live()


def replayed(store: Any, tally: Tally | None = None, watch: Watch | None = None) -> State:
    """The state after all entries, with the tally told of them."""
    state = State(origin=store.origin)

    def see(claim: Any) -> None:
        if watch is not None:
            watch.see(claim)
        if tally is not None:
            tally.see(claim)

    on_leg = None if tally is None else tally.take_leg
    replay = Replay(state, lambda index: CODEC.read(store.entry(index)), on_leg, see)
    for raw in store.entries(0, store.size):
        statement = CODEC.read(raw)
        if statement.kind == "seal":
            replay.close_block(statement, leaf_hash(raw))
        else:
            signers = replay.signers(statement)
            assert signers is not None
            assert replay.admit(statement, signers) is None
    if watch is not None:
        watch.finish()
    return state


def figures_of(store: Any, period: str) -> Figures:
    span = parse_span(period)
    assert span is not None
    tally, watch = Tally(span), Watch()
    state = replayed(store, tally, watch)
    return tally.finish(state, watch.suspicions, watch.counts)


class Naive:
    """All entries in a list, and every question answered by walking through it."""

    def __init__(self, year: Year, period: str) -> None:
        store = year.node.store
        self.entries = [CODEC.read(raw) for raw in store.entries(0, store.size)]
        span = parse_span(period)
        assert span is not None
        self.span = span
        self.reversed = set()
        for entry in self.entries:
            if entry.kind == "reverse":
                self.reversed.add(entry.body.index)
            if entry.kind == "resolve" and entry.body.outcome == "upheld":
                self.reversed.add(self.entries[entry.body.index].body.index)

    def is_within(self, time: Time) -> bool:
        local = time + OFFSET
        return self.span.first <= local.year * 12 + local.month - 1 <= self.span.last

    def entered(self, kind: str) -> list[Statement[Any]]:
        """Entries of a kind in the period: in this village the log time is the entry's own."""
        return [entry for entry in self.entries if entry.kind == kind and self.is_within(entry.at)]

    def services(self, standing: bool = True) -> list[Statement[Any]]:
        return [
            entry
            for index, entry in enumerate(self.entries)
            if entry.kind == "service" and self.is_within(entry.body.end) and (index not in self.reversed) == standing
        ]

    def counts(self, field: Any) -> dict[str, Count]:
        found: dict[str, Count] = {}
        for entry in self.services():
            found.setdefault(field(entry), Count()).add(entry.body.minutes)
        return found


@pytest.mark.parametrize("period", PERIODS)
def test_services_are_those_that_a_naive_reading_finds(period: str) -> None:
    found, naive = figures_of(year().node.store, period), Naive(year(), period)
    standing, gone = naive.services(), naive.services(standing=False)
    assert found.services == Count(len(standing), sum(entry.body.minutes for entry in standing))
    assert found.reversed_services == Count(len(gone), sum(entry.body.minutes for entry in gone))
    assert found.volunteers == len({entry.body.provider for entry in standing})
    assert found.elders == len({entry.body.recipient for entry in standing})
    assert found.categories == naive.counts(lambda entry: entry.body.category)
    assert found.local == naive.counts(lambda entry: entry.body.local or "-")
    assert found.points == naive.counts(lambda entry: entry.by)
    assert found.evidence == naive.counts(lambda entry: entry.body.evidence.form)
    assert found.payers == naive.counts(lambda entry: entry.body.paid_by)
    months = naive.counts(lambda entry: (entry.body.end + OFFSET).strftime("%Y-%m"))
    assert {name: Count(line.services, line.minutes) for name, line in found.months.items()} == months


@pytest.mark.parametrize("period", PERIODS)
def test_what_is_entered_in_the_period(period: str) -> None:
    found, naive = figures_of(year().node.store, period), Naive(year(), period)
    for kind, count in (
        ("gift", found.gifts), ("donate", found.donations), ("grant", found.grants), ("opening", found.openings),
    ):  # fmt: skip
        entered = naive.entered(kind)
        assert count == Count(len(entered), sum(entry.body.minutes for entry in entered)), kind
    assert found.disputes.get("opened", 0) == len(naive.entered("dispute"))
    outcomes = Counter(entry.body.outcome for entry in naive.entered("resolve"))
    assert (found.disputes.get("upheld", 0), found.disputes.get("rejected", 0)) == (
        outcomes["upheld"], outcomes["rejected"],
    )  # fmt: skip
    assert found.cases.get("opened", 0) == len(naive.entered("case_open"))
    assert found.cases.get("steps", 0) == len(naive.entered("case_step"))
    assert found.cases.get("appeals", 0) == len(naive.entered("appeal"))
    closed = Counter(entry.body.outcome for entry in naive.entered("case_close"))
    assert (found.cases.get("upheld", 0), found.cases.get("cleared", 0)) == (closed["upheld"], closed["cleared"])
    assert found.sanctions.get("imposed", 0) == len(naive.entered("sanction"))
    assert found.sanctions.get("lifted", 0) == len(naive.entered("sanction_lift"))
    assert found.inspections.get("made", 0) == len(naive.entered("inspection"))
    assert found.inspections.get("findings", 0) == sum(len(e.body.findings) for e in naive.entered("inspection"))
    assert found.inspections.get("done", 0) == len(naive.entered("inspection_done"))
    assert found.coupons.get("books", 0) == len(naive.entered("coupon_issue"))
    assert len(found.assessments.lines) == len(naive.entered("assessment"))
    assert len(found.certified.lines) == len(naive.entered("institution"))


@pytest.mark.parametrize("period", PERIODS)
def test_both_ends_add_up(period: str) -> None:
    found = figures_of(year().node.store, period)
    assert found.begin.net_minutes + sum(found.flows.values()) == found.end.net_minutes
    for fund in found.funds.values():
        assert fund.before_fen + sum(fund.received_fen.values()) - fund.spent_fen == fund.after_fen
    assert sum(fund.spent_fen for fund in found.funds.values()) == sum(found.payees.values())
    assert found.end.fen == sum(fund.after_fen for fund in found.funds.values())


def test_months_join_into_their_year() -> None:
    months = [figures_of(year().node.store, f"2026-{month:02d}") for month in range(1, 13)]
    whole = figures_of(year().node.store, "2026")
    total = months[0]
    for month in months[1:]:
        assert month.begin.net_minutes == total.end.net_minutes
        assert month.begin.fen == total.end.fen
        total = msgspec.structs.replace(add_up(total, month), end=month.end)
    assert total.services == whole.services
    assert total.categories == whole.categories
    assert {cause: minutes for cause, minutes in total.flows.items() if minutes} == whole.flows
    assert total.suspicions == whole.suspicions
    assert total.end == whole.end
    assert sum(fund.spent_fen for fund in total.funds.values()) == sum(f.spent_fen for f in whole.funds.values())


def test_the_end_of_the_ledger_is_the_state_itself() -> None:
    found, state = figures_of(year().node.store, "2026-12"), replayed(year().node.store)
    month = parse_period("2026-12")
    assert month is not None
    assert found.risk == risk_figures(state, month)
    assert found.forecast == {str(years): minutes for years, minutes in forecast(state, as_day(found)).items()}
    assert found.cases["open"] == sum(case.outcome is None for case in state.cases.values())
    assert found.sanctions["in_force"] == len(state.sanctions)
    assert found.disputes["open"] == len(state.objections)
    assert found.inspections["open"] == sum(map(len, state.open_findings.values()))


def as_day(found: Figures) -> datetime.date:
    return datetime.date.fromisoformat(found.as_of)


def test_a_past_end_is_the_state_of_that_day() -> None:
    """The same figures as those of a ledger that ends there, but for what is reversed later."""
    store = year().node.store
    months = [entry.at for entry in (CODEC.read(raw) for raw in store.entries(0, store.size))]
    size = next(index for index, at in enumerate(months) if (at + OFFSET).month == 7)
    cut = Cut(store, size)
    short, long = figures_of(cut, "2026-01..2026-06"), figures_of(year().node.store, "2026-01..2026-06")
    for name in ("begin", "end", "flows", "gifts", "grants", "funds", "payees", "cases", "case_lines", "sanctions"):
        assert getattr(short, name) == getattr(long, name), name
    assert short.forecast == long.forecast
    assert short.risk["outstanding"] == long.risk["outstanding"]
    assert short.risk["granted"] == long.risk["granted"]
    assert {code: count for code, count in short.risk.items() if code.startswith("band")} == {
        code: count for code, count in long.risk.items() if code.startswith("band")
    }
    assert long.as_of == "2026-06-30"
    assert short.as_of < long.as_of


class Cut:
    """The first entries of a store."""

    def __init__(self, store: Any, size: int) -> None:
        self.origin, self.size, self.entry = store.origin, size, store.entry
        self.entries = store.entries


def test_overdue_is_what_is_due_before_the_end() -> None:
    found = figures_of(year().node.store, "2026-03")
    assert [(line.due, line.overdue) for line in found.finding_lines.lines] == [("2026-03-18", True)]
    assert found.inspections == {"open": 1, "overdue": 1}
    found = figures_of(year().node.store, "2026-02")
    assert [(line.due, line.overdue) for line in found.finding_lines.lines] == [("2026-03-18", False)]
    assert found.inspections == {"made": 1, "findings": 2, "done": 1, "open": 1, "overdue": 0}


def test_changed_parameters_are_told_with_before_and_after() -> None:
    lines = figures_of(year().node.store, "2026-08").changes.lines
    assert [(line.name, line.before, line.after) for line in lines] == [
        ("night_start", "1320", "1260"), ("posting_days", "3", "5"),
    ]  # fmt: skip
    assert figures_of(year().node.store, "2026-07").changes == Listing()


SMALL = """
given   posting_days=0 overdraft_minutes=0 balance_max_minutes=90
people  wang: volunteer band=1960   li: elder funded=key_elder   chen: volunteer kin-of-wang
2026-03-31 15:00  clerk+m1  service wang -> li 60 issue                   | ok
2026-03-31 16:30  clerk+m1  s: service wang -> li 60 issue                | ok
2026-03-31 17:00  clerk+m1  gift wang -> chen 50                          | ok
2026-04-01 09:00  seal
2026-04-02 09:00  m1+m2     reverse s                                     | ok
2026-04-02 09:00  seal
"""


def test_a_service_belongs_to_the_local_month_of_its_end_and_goes_with_its_reversal() -> None:
    store = play(SMALL).store
    march, april = figures_of(store, "2026-03"), figures_of(store, "2026-04")
    assert march.services == Count(1, 60)
    assert march.reversed_services == Count(0, 0)
    assert march.flows == {"earned": 60}
    assert april.services == Count(0, 0)
    assert april.categories == {}
    assert april.reversed_services == Count(1, 60)
    assert april.flows == {"ceiling": -30, "earned": 60, "reversed": -30}
    assert april.gifts == Count(1, 50)
    assert april.reversals == {"service": 1}
    assert (april.begin.net_minutes, april.end.net_minutes) == (60, 60)
    assert april.volunteers == 0


BACK_IN_TIME = """
given   posting_days=0
people  wang: volunteer   li: elder funded=key_elder
2026-03-31 16:30  clerk+m1  donate wang 10                                | no-balance
2026-03-31 16:30  clerk+m1  service wang -> li 60 issue                   | ok
2026-03-31 16:30  clerk+m1  donate wang 10 at=-60m                        | ok
2026-03-31 16:40  seal
"""


def test_what_follows_a_later_entry_in_its_block_is_no_earlier() -> None:
    store = play(BACK_IN_TIME).store
    assert figures_of(store, "2026-03").donations == Count(0, 0)
    assert figures_of(store, "2026-04").donations == Count(1, 10)


def test_an_empty_ledger_has_figures_too() -> None:
    found = Tally(Period(24_312, 24_323)).finish(State())
    assert found.services == Count()
    assert found.risk["outstanding"] == 0
    assert found.as_of == "2026-12-31"


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-10", "2026-10", "2026-10"),
        ("2026", "2026-01", "2026-12"),
        ("2026-Q1", "2026-01", "2026-03"),
        ("2026-Q4", "2026-10", "2026-12"),
        ("2026-01..2026-06", "2026-01", "2026-06"),
        ("2025-11..2026-02", "2025-11", "2026-02"),
        ("9999", "9999-01", "9999-12"),
    ],
)
def test_periods(text: str, first: str, last: str) -> None:
    period = parse_span(text)
    assert period == Period(parse_period(first) or 0, parse_period(last) or 0)
    assert format_span(period) == text
    assert period.first_day.isoformat() == f"{first}-01"
    assert period.last_day.strftime("%Y-%m") == last


@pytest.mark.parametrize(
    "text",
    ["", "26", "2026-13", "2026-00", "2026-1", "2026-Q5", "2026-Q0", "2026-06..2026-01", "2026..2027", "2026-01..",
     "..2026-01", "2026-01...2026-02", "2026-01..2026-02..2026-03", "0000-01", "0000", "1900-01..2026-01", "２０２６",
     "2026-10\n", " 2026"],
)  # fmt: skip
def test_what_is_no_period(text: str) -> None:
    assert parse_span(text) is None


def test_a_period_is_bounded() -> None:
    assert parse_span("2000-01..2099-12") == Period(24_000, 24_000 + MONTHS_MAX - 1)
    assert parse_span("2000-01..2100-01") is None


def test_sums_of_ledgers() -> None:
    one = figures_of(year().node.store, "2026")
    other = figures_of(Year("other.example/x", seed=2).live().node.store, "2026")
    both = add_up(one, other)
    assert both.services.number == one.services.number + other.services.number
    assert both.risk["outstanding"] == one.risk["outstanding"] + other.risk["outstanding"]
    paper = one.evidence["paper"].number + other.evidence["paper"].number
    assert both.risk["paper"] == paper * 1_000 // both.services.number
    assert "top_tenth" not in both.risk
    assert both.points == {}
    assert both.funds["meals"].after_fen == one.funds["meals"].after_fen + other.funds["meals"].after_fen
    assert len(both.case_lines.lines) == len(one.case_lines.lines) + len(other.case_lines.lines)
    assert add_up(Figures(), one).services == one.services
    assert add_up(add_up(one, other), one) == add_up(one, add_up(other, one))
    assert Figures() == Figures(), "nothing was left in what all figures begin with"


def test_listings_are_bounded_and_count_the_rest() -> None:
    listing = Listing()
    for index in range(LISTED_MAX + 5):
        listing.add(CaseLine("a", index, "12345676", "overlap", "2026-01-01"))
    assert (len(listing.lines), listing.more) == (LISTED_MAX, 5)
    one = Figures(case_lines=listing)
    both = add_up(one, Figures(case_lines=Listing([listing.lines[0]])))
    assert (len(both.case_lines.lines), both.case_lines.more) == (LISTED_MAX, 6)


def test_payees_without_end_are_told_apart_up_to_a_bound() -> None:
    state, tally = State(), Tally(Period(24_312, 24_323))
    state.accounts["fund-meals"] = Account(number="fund-meals", position=0, holder=FUND)
    bodies: list[tuple[str, Body]] = [("fund_open", FundOpen(fund="meals", purpose="meals", title="x"))]
    bodies += [
        ("fund_spend", FundSpend(fen=1, fund="meals", payee=f"payee {number}", purpose="meals", voucher=bytes(32)))
        for number in range(NAMES_MAX + 10)
    ]
    for index, (kind, body) in enumerate(bodies):
        entry = SimpleNamespace(kind=kind, body=body)
        tally.see(cast(Claim, SimpleNamespace(state=state, index=index, time=NEW_YEAR, entry=entry)))
    found = tally.finish(state)
    assert found.payees[OTHERS] == 10
    assert len(found.payees) == NAMES_MAX + 1
    assert found.funds["meals"].spent_fen == NAMES_MAX + 10
