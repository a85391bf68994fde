"""Few rows about each mirrored ledger: added to, replaced, and all or nothing."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from chain.merkle import leaf_hash
from ledger.suspicion_list import Suspicion
from store.mirror import MirrorLog, MirrorStore
from store.reading import LedgerReader
from store.summaries import read_services, read_services_by_ledger, read_snapshot, read_suspicions
from verify.summary import ServiceCount, ServiceKey, Summary

PARENT, VILLAGE, OTHER = "county.example/huzhu", "village.example/huzhu", "other.example/huzhu"
MARCH, APRIL = ServiceKey("2026-03", "training", "paper"), ServiceKey("2026-04", "training", "coupon")
Accounts = list[tuple[str, int, int, int, str, str]]
ACCOUNTS: Accounts = [
    ("issue", 0, -90, 0, "open", "minute"),
    ("bridge", 2, 10, 0, "open", "minute"),
    ("fund-meals", 4, 700, 0, "open", "fen"),
    ("10000119", 5, 50, 5, "open", "minute"),
    ("10000216", 6, 20, 0, "open", "minute"),
    ("10000313", 7, 5, 0, "closed", "minute"),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MirrorStore]:
    with closing(MirrorStore(tmp_path / "mirror.db")) as made:
        yield made


@pytest.fixture
def reader(store: MirrorStore) -> Iterator[LedgerReader]:
    with closing(LedgerReader(store.path)) as opened:
        yield opened


def suspicion(code: str, account: str) -> Suspicion:
    return Suspicion(code=code, account=account, entries=(3, 5), text="{count} times", values={"count": 2})


def keep(log: MirrorLog, services: Mapping[ServiceKey, ServiceCount], *, is_whole: bool, codes: str = "") -> None:
    raw = b"entry %d" % log.staged
    log.stage([raw], [leaf_hash(raw)])
    log.reach(b"note", b"audit", ACCOUNTS, {}, 1_000, 0)
    found = [suspicion(code, "10000119") for code in codes.split()]
    counts = {each.code: 1 for each in found}
    log.put_summary(Summary(services, is_whole, 2, 1, found, counts))


def counted(reader: LedgerReader, *origins: str, last: str = "2026-12") -> list[tuple[str, int]]:
    return [(row.month, row.number) for row in read_services(reader, origins, "2026-01", last)]


def test_totals_are_by_kind_status_and_unit(store: MirrorStore, reader: LedgerReader) -> None:
    keep(store.admit(VILLAGE, PARENT, "village", "vkey"), {}, is_whole=True)
    store.commit()
    (row,) = read_snapshot(reader).ledgers
    assert (row.origin, row.volunteers, row.elders, row.note, row.size) == (VILLAGE, 2, 1, b"note", 1)
    found = {(each.kind, each.status): each[4:] for each in read_snapshot(reader).totals[VILLAGE]}
    assert found == {
        ("issue", "open"): (1, -90, 0),
        ("bridge", "open"): (1, 10, 0),
        ("fund", "open"): (1, 700, 0),
        ("account", "open"): (2, 70, 5),
        ("account", "closed"): (1, 5, 0),
    }


def test_new_services_are_added_and_a_whole_audit_replaces_them(store: MirrorStore, reader: LedgerReader) -> None:
    log, other = (store.admit(name, PARENT, "village", "vkey") for name in (VILLAGE, OTHER))
    keep(log, {MARCH: ServiceCount(2, 60, 30)}, is_whole=True)
    keep(other, {MARCH: ServiceCount(1, 10, 0)}, is_whole=True)
    keep(log, {MARCH: ServiceCount(-1, -20, 0), APRIL: ServiceCount(1, 5, 5)}, is_whole=False)
    store.commit()
    assert counted(reader, VILLAGE) == [("2026-03", 1), ("2026-04", 1)]
    assert counted(reader, VILLAGE, OTHER, last="2026-03") == [("2026-03", 2)]
    assert read_services_by_ledger(reader, [VILLAGE, OTHER], "2026-01", "2026-12") == {VILLAGE: (2, 45), OTHER: (1, 10)}
    keep(log, {MARCH: ServiceCount(-1, -40, -30)}, is_whole=False)
    store.commit()
    assert counted(reader, VILLAGE) == [("2026-04", 1)]
    keep(log, {MARCH: ServiceCount(3, 90, 0)}, is_whole=True)
    store.commit()
    assert counted(reader, VILLAGE) == [("2026-03", 3)]


def test_suspicions_are_those_of_the_newest_audit(store: MirrorStore, reader: LedgerReader) -> None:
    log = store.admit(VILLAGE, PARENT, "village", "vkey")
    keep(log, {}, is_whole=True, codes="night overlap ring")
    store.commit()
    assert [(row.place, row.code) for row in read_suspicions(reader, VILLAGE, 0, 1)] == [(1, "overlap")]
    (row,) = read_suspicions(reader, VILLAGE, -1, 9, "ring")
    assert (row.account, row.entries, row.detail) == ("10000119", [3, 5], "2 times")
    assert read_snapshot(reader).ledgers[0].suspicions == 3
    keep(log, {}, is_whole=False, codes="night")
    store.commit()
    assert read_snapshot(reader).suspicion_counts == {VILLAGE: {"night": 1}}
    assert read_suspicions(reader, VILLAGE, 0, 9) == []


def test_without_a_commit_there_is_nothing(store: MirrorStore, reader: LedgerReader) -> None:
    keep(store.admit(VILLAGE, PARENT, "village", "vkey"), {MARCH: ServiceCount(1, 1, 1)}, is_whole=True, codes="night")
    store.rollback()
    (row,) = read_snapshot(reader).ledgers
    assert (row.size, row.note, row.suspicions) == (0, None, 0)
    assert (read_snapshot(reader).totals, counted(reader, VILLAGE)) == ({}, [])
