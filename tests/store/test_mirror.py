"""What is kept of mirrored ledgers: steps, alarms, exports, and files that are no mirror."""

import multiprocessing
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from chain.merkle import leaf_hash, root_of, tree_root
from store.archive import open_archive
from store.log import StoreError
from store.mirror import FORKED, ROLLED_BACK, MirrorLog, MirrorStore, export_mirror
from store.mirror_log import SHOWN_MAX
from store.tending import free_bytes, keep_evidence, tend_lock

PARENT, VILLAGE, OTHER = "county.example/huzhu", "village.example/huzhu", "other.example/huzhu"
ENTRIES = [f"entry {number}".encode() for number in range(700)]
HASHES = [leaf_hash(raw) for raw in ENTRIES]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MirrorStore]:
    with closing(MirrorStore(tmp_path / "mirror.db")) as made:
        yield made


def add(log: MirrorLog, start: int, end: int) -> None:
    log.stage(ENTRIES[start:end], HASHES[start:end])


def reach(log: MirrorLog, findings: int = 0) -> None:
    accounts = [("10000119", 0, log.staged, 0, "open", "minute")]
    log.reach(b"note %d" % log.staged, b"audit", accounts, {OTHER: ("vkey", "village")}, 1_000, findings)


def fresh(store: MirrorStore) -> MirrorLog:
    """The ledger as it stands on disk."""
    store.rollback()
    with closing(MirrorStore(store.path)) as again:
        log = again.log(VILLAGE)
        assert log is not None
    log = store.log(VILLAGE)
    assert log is not None
    return log


@pytest.mark.parametrize("cuts", [(0, 700), (0, 1, 256, 257, 511, 513, 700), (0, 255, 256, 512, 700)])
def test_hashes_are_those_of_the_entries_however_they_come(store: MirrorStore, cuts: tuple[int, ...]) -> None:
    log = store.admit(VILLAGE, PARENT, "village", "vkey")
    for start, end in pairwise(cuts):
        add(log, start, end)
        store.commit()
        again = fresh(store)
        assert tree_root(end, again.read) == root_of(HASHES[:end])
        assert list(again.entries(0, 10_000)) == ENTRIES[:end]
    assert log.byte_count == sum(map(len, ENTRIES))


def test_what_is_staged_does_not_count(store: MirrorStore) -> None:
    log = store.admit(VILLAGE, PARENT, "village", "vkey")
    log.show(300, b"target")
    add(log, 0, 300)
    store.commit()
    log = fresh(store)
    assert (log.size, log.staged, log.target(), log.note(), log.audit()) == (0, 300, b"target", None, None)
    assert list(log.checkpoints()) == []
    reach(log)
    store.commit()
    log = fresh(store)
    assert (log.size, log.staged, log.target(), log.note(), log.audit()) == (300, 300, None, b"note 300", b"audit")
    assert (log.row.sealed_seconds, log.state) == (1_000, "sound")
    assert store.admissions(VILLAGE) == {OTHER: ("vkey", "village")}


def test_a_step_that_is_not_committed_never_was(store: MirrorStore) -> None:
    log = store.admit(VILLAGE, PARENT, "village", "vkey")
    add(log, 0, 300)
    reach(log)
    store.commit()
    add(log, 300, 600)
    log.put_legs({("10000119", 400): (5, 0)})
    reach(log)
    log = fresh(store)
    assert (log.size, log.staged) == (300, 300)
    assert store._run("SELECT count(*) FROM leg").fetchone() == (0,)
    assert tree_root(300, log.read) == root_of(HASHES[:300])


def test_dropping_what_is_staged_leaves_what_counts(store: MirrorStore) -> None:
    log = store.admit(VILLAGE, PARENT, "village", "vkey")
    add(log, 0, 300)
    reach(log)
    log.show(700, b"target")
    add(log, 300, 700)
    store.commit()
    log.drop_staged()
    log = fresh(store)
    assert (log.size, log.staged, log.target()) == (300, 300, b"target")
    assert log.byte_count == sum(map(len, ENTRIES[:300]))
    add(log, 300, 555)
    store.commit()
    assert tree_root(555, fresh(store).read) == root_of(HASHES[:555])
    with pytest.raises(IndexError):
        fresh(store).entry(555)


def test_accounts_that_did_not_change_are_not_written_again(store: MirrorStore) -> None:
    log = store.admit(VILLAGE, PARENT, "village", "vkey")
    rows = [(f"{number:08}", number, 0, 0, "open", "minute") for number in range(100)]
    add(log, 0, 10)
    log.reach(b"one", b"", rows, {}, None, 0)
    store.commit()
    before = store._connection.total_changes
    rows[7] = ("00000007", 7, 1, 0, "closed", "minute")
    add(log, 10, 11)
    log.reach(b"two", b"", rows, {}, None, 2)
    store.commit()
    assert store._connection.total_changes - before < 10
    assert store._run("SELECT balance, status FROM account WHERE position=7").fetchone() == (1, "closed")
    assert (log.state, log.row.findings) == ("findings", 2)


def test_a_held_ledger_stays_held_until_it_is_released(store: MirrorStore) -> None:
    log = store.admit(VILLAGE, PARENT, "village", "vkey")
    for state in (FORKED, ROLLED_BACK):
        log.hold(state)
        store.commit()
        assert fresh(store).state == state
        assert store.notes([VILLAGE]) == {}
        log.release()
        assert fresh(store).state == "sound"


def test_admitting_again_changes_key_and_parent_alone(store: MirrorStore) -> None:
    log = store.admit(VILLAGE, PARENT, "village", "vkey")
    add(log, 0, 5)
    reach(log)
    store.commit()
    again = store.admit(VILLAGE, OTHER, "village", "new")
    assert (again.row.parent, again.vkey, again.size) == (OTHER, "new", 5)
    assert store.parent(VILLAGE) == OTHER
    assert store.parent("nobody.example/huzhu") is None
    assert store.notes([VILLAGE, "nobody.example/huzhu"]) == {VILLAGE: b"note 5"}


def test_rows_begin_with_the_one_that_waited_longest(store: MirrorStore) -> None:
    for number, origin in enumerate(("c.example/x", "a.example/x", "b.example/x")):
        log = store.admit(origin, PARENT, "village", "vkey")
        if number:
            log.pulled(100 - number)
            store.commit()
    assert [row.origin for row in store.rows()] == ["c.example/x", "b.example/x", "a.example/x"]


def test_an_alarm_is_new_once(store: MirrorStore) -> None:
    store.admit(VILLAGE, PARENT, "village", "vkey")
    written: list[str] = []

    def raise_alarm(code: str, detail: str) -> bool:
        return store.alarm(VILLAGE, code, detail, lambda: written.append(detail) or f"evidence/{detail}", 7)  # type: ignore[func-returns-value]

    assert raise_alarm("forked", "one")
    assert not raise_alarm("forked", "one")
    assert not raise_alarm("forked", "two")
    assert raise_alarm("findings", "three")
    assert written == ["one", "one", "two", "three"]
    (_newest, first) = store.alarms()
    assert first[1:] == (VILLAGE, "forked", 7, "one", "evidence/one", 0, 3, 7, "evidence/two")
    assert store.see(first.id)
    assert not store.see(99)
    assert not raise_alarm("forked", "one")
    assert raise_alarm("forked", "two")
    assert [alarm.detail for alarm in store.alarms()] == ["two", "three"]
    assert [alarm.detail for alarm in store.alarms(also_seen=True)] == ["two", "three", "one"]


def test_what_is_exported_is_what_counts(store: MirrorStore, tmp_path: Path) -> None:
    log = store.admit(VILLAGE, PARENT, "village", "vkey")
    store.admit(OTHER, PARENT, "village", "vkey")
    add(log, 0, 300)
    reach(log)
    add(log, 300, 400)
    store.commit()
    export_mirror(store, [VILLAGE], tmp_path / "out.db")
    with open_archive(tmp_path / "out.db") as (ledger,):
        assert [raw for _index, raw in ledger.rows()] == ENTRIES[:300]
        assert list(ledger.checkpoints()) == [(300, b"note 300")]
    assert (tmp_path / "out.db").stat().st_mode & 0o777 == 0o600
    for origin in (OTHER, "nobody.example/huzhu"):
        with pytest.raises(StoreError, match="is not mirrored here"):
            export_mirror(store, [origin], tmp_path / "more.db")


def test_files_that_are_no_mirror_are_not_touched(tmp_path: Path) -> None:
    for name, make in (("other.db", "CREATE TABLE t(x)"), ("empty-file.db", None)):
        path = tmp_path / name
        path.touch()
        if make is None:
            continue
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(make)
            connection.commit()
        before = path.read_bytes()
        with pytest.raises(StoreError, match="is not a mirror"):
            MirrorStore(path)
        assert path.read_bytes() == before
    (tmp_path / "text.db").write_text("hello\n" * 1_000)
    with pytest.raises(StoreError):
        MirrorStore(tmp_path / "text.db")
    with pytest.raises(StoreError):
        MirrorStore(tmp_path / "nowhere" / "mirror.db")


def test_only_its_owner_reads_what_is_kept(store: MirrorStore, tmp_path: Path) -> None:
    assert store.path.stat().st_mode & 0o777 == 0o600
    path = keep_evidence(tmp_path / "evidence", "a.fork", b"proof")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"proof", 0o600)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["a.fork"]
    with pytest.raises(StoreError):
        keep_evidence(tmp_path / "no" / "such", "a.fork", b"")
    assert free_bytes(tmp_path) > 0


def test_one_tends_at_a_time(tmp_path: Path) -> None:
    with tend_lock(tmp_path), pytest.raises(StoreError, match="another process tends"), tend_lock(tmp_path):
        pass
    with tend_lock(tmp_path):
        pass
    with pytest.raises(StoreError), tend_lock(tmp_path / "nowhere"):
        pass


def live(until: Connection) -> None:
    until.send("alive")
    until.recv()


def test_who_is_forked_from_who_tends_holds_no_lock(tmp_path: Path) -> None:
    with tend_lock(tmp_path):
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(target=live, args=(theirs,), daemon=True)
        process.start()
        assert ours.recv() == "alive"
    with tend_lock(tmp_path), pytest.raises(StoreError, match="another process tends"), tend_lock(tmp_path):
        pass
    ours.send("end")
    process.join()


def test_an_alarm_for_each_evidence(store: MirrorStore) -> None:
    log = store.admit(VILLAGE, PARENT, "village", "vkey")

    def raised(evidence: str, *, each: bool) -> bool:
        return store.alarm(VILLAGE, FORKED, "detail", lambda: evidence, 7, each=each)

    assert [raised("a", each=True), raised("a", each=True), raised("b", each=True), raised("c", each=False)] == [
        True,
        False,
        True,
        False,
    ]
    assert [alarm.evidence for alarm in store.alarms()] == ["b", "a"]
    assert log.origin == VILLAGE


def test_of_lies_that_go_on_the_first_and_the_latest_are_kept(store: MirrorStore, tmp_path: Path) -> None:
    store.admit(VILLAGE, PARENT, "village", "vkey")
    for number in range(5):

        def keep(name: str = f"lie-{number}") -> str:
            return str(keep_evidence(tmp_path / "evidence", name, b"lie"))

        assert store.alarm(VILLAGE, "bad-key", f"lie {number}", keep, 10 + number) == (number == 0)
    (alarm,) = store.alarms()
    assert (alarm.detail, alarm.at_seconds, alarm.times, alarm.latest_seconds) == ("lie 0", 10, 5, 14)
    assert sorted(path.name for path in (tmp_path / "evidence").iterdir()) == ["lie-0", "lie-4"]
    assert [Path(path).name for path in (alarm.evidence, alarm.latest_evidence)] == ["lie-0", "lie-4"]
    store.see(alarm.id)
    assert store.alarm(VILLAGE, "bad-key", "lie 5", lambda: alarm.latest_evidence, 20)
    assert not store.alarm(VILLAGE, "bad-key", "lie 0", lambda: alarm.evidence, 21)
    assert sorted(path.name for path in (tmp_path / "evidence").iterdir()) == ["lie-0", "lie-4"]


def test_a_ledger_is_forgotten_but_for_its_alarms(store: MirrorStore) -> None:
    log, other = (store.admit(origin, PARENT, "village", "vkey") for origin in (VILLAGE, OTHER))
    for each in (log, other):
        add(each, 0, 300)
        reach(each)
        each.put_legs({("10000119", 5): (1, 0)})
        each.put_transfers([(5, "transfer_out", OTHER, None)])
        add(each, 300, 400)
        each.show(500, b"target")
        store.commit()
    store.alarm(VILLAGE, "readmitted", "detail", str, 7)
    before = log._log
    log.forget()
    found = store.log(VILLAGE)
    assert found is not None and found.row[:6] == (VILLAGE, PARENT, "village", "vkey", 0, 0)
    assert found.note() is None and found.audit() is None and found.state == "sound"
    assert [alarm.origin for alarm in store.alarms()] == [VILLAGE]
    tables = [name for (name,) in store._run("SELECT name FROM sqlite_schema WHERE type='table'")]
    for table in tables:
        columns = [row[1] for row in store._run(f"PRAGMA table_info({table})")]
        if "log" in columns:
            assert store._run(f"SELECT count(*) FROM {table} WHERE log=?", before).fetchone() == (0,), table  # noqa: S608
    add(log, 0, 10)
    reach(log)
    store.commit()
    assert tree_root(10, fresh(store).read) == root_of(HASHES[:10])
    kept = store.log(OTHER)
    assert kept is not None and (kept.size, kept.staged, kept.note()) == (300, 400, b"note 300")


def test_when_a_ledger_was_asked_is_known_whatever_came_of_it(store: MirrorStore) -> None:
    log, other = (store.admit(origin, PARENT, "village", "vkey") for origin in (VILLAGE, OTHER))
    log.trouble("nobody answers", 9)
    other.pulled(5)
    store.commit()
    assert store.tried() == {VILLAGE: 9, OTHER: 5}
    assert [row.origin for row in store.rows()] == [OTHER, VILLAGE]


def test_of_what_was_shown_the_largest_and_the_latest_stay(store: MirrorStore) -> None:
    log = store.admit(VILLAGE, PARENT, "village", "vkey")
    log.show(10**6, b"largest")
    for size in range(1, 1_000):
        log.show(size, b"note %d" % size)
    log.show(999, b"another")
    store.commit()
    found = fresh(store).shown()
    assert found[:2] == [b"largest", b"note 999"] and SHOWN_MAX // 2 <= len(found) <= SHOWN_MAX
    store.admit(VILLAGE, PARENT, "village", "other")
    assert fresh(store).shown() == []
    store.admit(VILLAGE, PARENT, "village", "vkey")
    log = fresh(store)
    log.unshow(10**6)
    add(log, 0, 700)
    reach(log)
    store.commit()
    log = fresh(store)
    assert log.shown()[-1] > b"note 700" and log.target() == b"note 999"


def test_an_alarm_that_is_over_is_a_new_one_once_somebody_has_looked(store: MirrorStore) -> None:
    log = store.admit(VILLAGE, PARENT, "village", "vkey")

    def raised(code: str = "disk-low", *, each: bool = False) -> bool:
        return store.alarm(VILLAGE, code, "the same words", lambda: "same.fork", 7, each=each)

    def settle(*lasting: str) -> None:
        store.settle({VILLAGE}, lambda _origin, code: code in lasting)

    assert raised()
    settle()
    settle()
    assert not raised(), "nobody has looked: it is counted"
    store.see(store.alarms()[0].id)
    settle()
    assert not raised(), "it goes on"
    settle()
    settle("disk-low")
    assert not raised()
    settle()
    store.settle({OTHER}, lambda _origin, _code: False)
    assert not raised()
    settle()
    settle()
    assert raised() and store.alarms()[0].times == 1
    for end in (log.release, log.forget):
        assert raised(FORKED, each=True) and not raised(FORKED, each=True)
        end()
    assert raised(FORKED, each=True)
