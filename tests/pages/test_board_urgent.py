"""What stands first on the board: pure, from facts to sentences in their order."""

import datetime
from typing import Any

import pytest

from ledger.matters import APPEAL, CASE, DISPUTE, FINDING, SANCTION, Matter
from store.mirror import AlarmRow
from store.overview import FundRow, NewSuspicions
from store.summaries import LedgerRow, SuspicionRow
from web.pages.board import in_order
from web.pages.board_facts import Known, Seen, summed, unseen
from web.pages.board_urgent import DAY_SECONDS, Item, urgent
from web.service.subtree import Sum

TODAY = datetime.date(2026, 11, 22)
NOW = int(datetime.datetime(2026, 11, 22, 4, tzinfo=datetime.UTC).timestamp())
VILLAGE = "v.example/huzhu"


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "en")


def row(origin: str = VILLAGE, parent: str = "t.example/huzhu", **more: Any) -> LedgerRow:
    found = LedgerRow(origin, parent, "village", 10, NOW - 100, NOW - 50, "sound", 0, 0, 3, 4, b"")
    return found._replace(**more)


def known(*matters: Matter, is_silent: bool = False, of: LedgerRow | None = None, **more: Any) -> Known:
    return Known(of or row(), is_silent, list(matters), **more)


def items(*ledgers: Known) -> list[Item]:
    seen = Seen({each.row.origin: each for each in ledgers}, Sum([], is_whole=True), is_audited=True)
    return urgent(seen, TODAY, NOW)


def matter(kind: str, index: int = 17, days: int = 0, **more: Any) -> Matter:
    found = Matter(kind, index, 0, "12345676", "overlap", NOW - days * DAY_SECONDS, "", "")
    return found._replace(**more)


@pytest.mark.parametrize(
    ("each", "told"),
    [
        (matter(CASE), ""),
        (matter(CASE, days=31), "case 17 about account 12345676 has been open for 31 days"),
        (matter(CASE, days=31, outcome="cleared"), ""),
        (matter(CASE, outcome="imposed"), ""),
        (matter(CASE, outcome="upheld"), "case 17 was upheld, and nothing is decided about account 12345676"),
        (matter(APPEAL, place=9), "account 12345676 objects to what was imposed in case 9"),
        (matter(DISPUTE, days=14), "an objection of account 12345676 waits for a decision"),
        (matter(DISPUTE, days=15), "an objection of account 12345676 has waited for 15 days"),
        (matter(FINDING, code="fire", due="2026-11-22"), ""),
        (matter(FINDING, code="fire", due="2026-11-21"), "was to be mended by 2026-11-21: fire"),
        (matter(SANCTION, code="suspend", due="2026-11-22"), ""),
        (matter(SANCTION, code="suspend", due="2026-11-21"), "was to end on 2026-11-21: suspended"),
        (matter(SANCTION, code="suspend"), ""),
    ],
)
def test_what_of_a_ledger_needs_a_person(each: Matter, told: str) -> None:
    found = [item.what for item in items(known(each))]
    assert len(found) == bool(told) and all(told in what for what in found)


def test_the_most_urgent_stands_first() -> None:
    fork = AlarmRow(1, VILLAGE, "forked", NOW - 5, "two", "f", 0, 1, NOW, "f")
    found = items(
        known(of=row("fund.example/huzhu"), funds=[FundRow("fund-meals", 9, 100), FundRow("fund-a", 10, 100)]),
        known(of=row("paper.example/huzhu"), evidence={"paper": 19, "coupon": 1}),
        known(of=row("few.example/huzhu"), evidence={"paper": 19}),
        known(is_silent=True, of=row("silent.example/huzhu"), trouble="no route"),
        known(of=row("light.example/huzhu"), suspicions=[NewSuspicions("round", 9, 0)]),
        known(of=row("heavy.example/huzhu"), suspicions=[NewSuspicions("round", 9, 0), NewSuspicions("ring", 1, 9)]),
        known(of=row("mended.example/huzhu", findings=2, state="findings")),
        known(matter(CASE, outcome="upheld"), of=row("case.example/huzhu")),
        known(of=row(state="forked"), alarms=[fork]),
    )
    names = ["v", "mended", "case", "heavy", "light", "silent", "fund", "paper"]
    assert [item.ledger.partition(".")[0] for item in found] == names
    assert found[0].link.endswith("#alarms") and "huzhu alarms --seen 1" in found[0].todo
    assert "10 suspicions" in found[3].what and "circle" in found[3].what
    assert "no route" in found[5].todo


def test_what_waits_longest_comes_first_among_equals() -> None:
    found = items(known(matter(CASE, 3, 40), matter(CASE, 1, 50), matter(CASE, 2, 60)))
    assert [item.link.rpartition("/")[2] for item in found] == ["2", "1", "3"]


def test_a_case_covers_what_came_before_it() -> None:
    rows = [
        SuspicionRow(0, "overlap", "12345676", [3, 9], ""),
        SuspicionRow(1, "overlap", "12345676", [3, 20], ""),
        SuspicionRow(2, "night", "12345676", [3], ""),
        SuspicionRow(3, "overlap", "87654342", [3], ""),
    ]
    fresh = unseen(rows, [matter(CASE, 17, outcome="cleared"), matter(SANCTION, 30)])
    assert [each.place for each in fresh] == [1, 2, 3]
    assert summed(fresh) == [NewSuspicions("night", 1, 2), NewSuspicions("overlap", 2, 1)]


def test_ledgers_stand_below_those_that_admit_them() -> None:
    rows = [row("b", "top"), row("a", "top"), row("a1", "a"), row("top", "beyond"), row("x", "y"), row("y", "x")]
    found = [(each.origin, depth) for each, depth in in_order(rows)]
    assert found[:4] == [("top", 0), ("a", 1), ("a1", 2), ("b", 1)]
    assert sorted(found[4:]) == [("x", 0), ("y", 0)]
