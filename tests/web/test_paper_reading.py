"""What a certificate and a posting count: services that stand, in the month and the period to which they belong."""

import datetime
from pathlib import Path

import pytest

from store.log import StoreError
from tests.web.desk import ANNE, BEN, CLARA, DORA, ORIGIN, PEOPLE, Desk
from web.pages.paper_reading import Known, Month, Period, Posting, Wait, read_held, read_posting, read_served

OFFSET = datetime.timedelta(hours=8)
YEAR = Period(datetime.date(2025, 1, 1), datetime.date(2025, 12, 31))
SERVICES = (
    (ANNE, DORA, "2025-11-01", "09:00", "10:00"),
    (ANNE, CLARA, "2025-11-30", "23:00", "23:30"),
    (BEN, DORA, "2025-11-30", "10:00", "11:00"),
    (ANNE, DORA, "2025-12-01", "00:00", "02:00"),
)
"""Local times: the second is at 15:00 UTC of its day, the last at 16:00 UTC of the day before."""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Two months with four services, of which Ben's was taken back; the last is not sealed."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    desk.init()
    desk("person", "import", desk.people(*PEOPLE), "--at", "2025-10-31T01:00:00Z")
    for place, (provider, recipient, date, start, end) in enumerate(SERVICES):
        if place == len(SERVICES) - 1:
            desk("reverse", str(_taken_back(desk)), "--reason", "twice", "--at", "2025-11-30T15:40:00Z")
            desk("seal", "--at", "2025-11-30T15:59:59Z")
        at = _utc(date, end)
        words = ("--category", "assistance", "--paid-by", "issue", "--paper", desk.file("slip", f"slip {place}"))
        desk("record", provider, recipient, "--date", date, "--start", start, "--end", end, *words, "--at", at)
        if place == 0:
            desk("seal", "--at", "2025-11-02T00:00:00Z")
    return desk


def _taken_back(desk: Desk) -> int:
    """Ben's only service."""
    (index,) = (line["index"] for line in desk.json("statement", BEN)["lines"] if line["kind"] == "service")
    return int(index)


def _utc(date: str, clock: str) -> str:
    local = datetime.datetime.fromisoformat(f"{date}T{clock}:00")
    return f"{(local - OFFSET).isoformat()}Z"


def _known(*reversed_: int) -> Known:
    return Known(OFFSET, frozenset(reversed_))


def _posting(desk: Desk, month: Month, known: Known) -> Posting:
    return read_posting(desk.home / "ledger.db", ORIGIN, month, known)


def test_a_certificate_has_what_stands_in_its_period(book: Desk) -> None:
    known = _known(_taken_back(book))
    path = book.home / "ledger.db"
    served = read_served(path, ORIGIN, ANNE, YEAR, known)
    assert [(str(each.day), each.minutes, each.is_sealed) for each in served] == [
        ("2025-11-01", 60, True),
        ("2025-11-30", 30, True),
        ("2025-12-01", 120, False),
    ]
    november = Period(datetime.date(2025, 11, 1), datetime.date(2025, 11, 30))
    assert [each.minutes for each in read_served(path, ORIGIN, ANNE, november, known)] == [60, 30]
    assert read_served(path, ORIGIN, BEN, YEAR, known) == []
    assert [each.minutes for each in read_served(path, ORIGIN, BEN, YEAR, _known())] == [60]
    assert read_served(path, ORIGIN, DORA, YEAR, known) == []


def test_a_posting_is_of_one_month(book: Desk) -> None:
    known = _known(_taken_back(book))
    november, december = Month(2025, 11), Month(2025, 12)
    found = _posting(book, november, known)
    assert (found.service_count, found.service_minutes, found.taken_back) == (2, 90, 1)
    assert [(each.number, each.given_minutes, each.received_minutes) for each in found.lines] == [
        (CLARA, 0, 30),
        (DORA, 0, 60),
        (ANNE, 90, 0),
    ]
    assert (found.free_minutes + found.held_minutes, found.lines[-1].balance + found.lines[-1].held) == (90, 90)
    found = _posting(book, december, known)
    assert (found.service_count, found.service_minutes, found.taken_back) == (1, 120, 0)
    assert (found.free_minutes + found.held_minutes, found.lines[-1].balance + found.lines[-1].held) == (210, 210)


@pytest.mark.parametrize("month", [Month(2001, 1), Month(2025, 10), Month(2026, 1), Month(2099, 12)])
def test_an_empty_month_has_no_lines(book: Desk, month: Month) -> None:
    found = _posting(book, month, _known())
    assert (found.lines, found.service_count, found.taken_back) == ((), 0, 0)


def test_months_follow_one_another() -> None:
    assert str(Month(2025, 12).next) == "2026-01" and str(Month(2026, 1).before) == "2025-12"
    assert str(Month(2025, 11).next) == "2025-12" and Month(2026, 3).before == Month(2026, 2)


def test_a_file_of_another_ledger_is_said(book: Desk) -> None:
    with pytest.raises(StoreError):
        read_served(book.home / "ledger.db", "other.example/x", ANNE, YEAR, _known())
    with pytest.raises(StoreError):
        read_served(Path("/nowhere"), ORIGIN, ANNE, YEAR, _known())


def test_held_services_come_by_the_day_on_which_they_are_free(book: Desk) -> None:
    lines = [line for line in book.json("statement", ANNE)["lines"] if line["kind"] == "service"]
    first, second, third = (int(line["index"]) for line in lines)
    evening = datetime.datetime(2025, 12, 1, 16, tzinfo=datetime.UTC)
    day = datetime.timedelta(days=1)
    sealed = [Wait(first, evening + day, evening), Wait(second, evening, evening - day)]
    waits = [Wait(third, None, None), *sealed, Wait(0, None, None)]
    held = read_held(book.home / "ledger.db", ORIGIN, waits, Known(OFFSET, (), {first}), 30)
    assert [(each.index, str(each.free_on), str(each.object_until), each.is_objected) for each in held] == [
        (second, "2025-12-02", "2025-12-31", False),
        (first, "2025-12-03", "2026-01-01", True),
        (third, "None", "None", False),
    ]
    assert (f"{held[0].start:%H:%M}", f"{held[0].end:%H:%M}", held[0].body.recipient) == ("23:00", "23:30", CLARA)
