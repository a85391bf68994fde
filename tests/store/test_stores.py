"""What every store promises (``store.log.LogStore``): one suite over all of them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chain.merkle import leaf_hash, levels_of, prove_inclusion, root_of
from store.log import Leg, LogStore, MemoryStore
from store.sqlite import SqliteStore
from tests.store.stores import STORES, MakeStore
from tests.store.village import ORIGIN, contents

ENTRIES = [b"entry %d" % number for number in range(700)]
HASHES = [leaf_hash(entry) for entry in ENTRIES]


@pytest.fixture(params=list(STORES.values()), ids=list(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LogStore]:
    make: MakeStore = request.param
    made = make(tmp_path)
    yield made
    made.close()


def add(store: LogStore, count: int, legs: int = 1) -> None:
    """Append the next so many entries, with legs of two accounts."""
    start = store.size
    posted = {(account, start): (5, -2) for account in ("a", "b")[:legs]}
    store.append(ENTRIES[start : start + count], HASHES[start : start + count], posted)


def test_a_new_one_is_empty(store: LogStore) -> None:
    assert (store.origin, store.size, store.hashes.size) == (ORIGIN, 0, 0)
    assert [*store.entries(0, 10), *store.checkpoints(), *store.legs("a")] == []
    assert [store.last_checkpoint(), store.snapshot(), store.checkpoint(0)] == [None] * 3
    assert store.hashes.frontier().root() == root_of([])


def test_entries_come_back_in_order(store: LogStore) -> None:
    add(store, 3)
    add(store, 1)
    store.append([], [], {})
    add(store, 300)
    assert store.size == 304
    assert list(store.entries(0, 304)) == ENTRIES[:304]
    assert list(store.entries(2, 5)) == ENTRIES[2:5]
    assert list(store.entries(300, 10_000)) == ENTRIES[300:304]
    assert list(store.entries(304, 310)) == list(store.entries(5, 5)) == []
    assert [store.entry(index) for index in (0, 3, 303)] == [ENTRIES[0], ENTRIES[3], ENTRIES[303]]


@pytest.mark.parametrize("index", [-1, 4, 2**53])
def test_there_is_nothing_outside_the_log(store: LogStore, index: int) -> None:
    add(store, 4)
    with pytest.raises(IndexError):
        store.entry(index)


def test_hashes_go_with_the_entries(store: LogStore) -> None:
    for count in (1, 254, 1, 1, 255, 100):
        add(store, count)
        size = store.size
        assert store.hashes.size == size
        assert store.hashes.frontier().root() == root_of(HASHES[:size])
        levels = levels_of(HASHES[:size])
        for index in {0, size // 2, size - 1}:
            path = prove_inclusion(index, size, store.hashes.read)
            assert path == [level[i] for level, i in _siblings(levels, index)]


def _siblings(levels: list[list[bytes]], index: int) -> Iterator[tuple[list[bytes], int]]:
    for level in levels[:-1]:
        if index ^ 1 < len(level):
            yield level, index ^ 1
        index >>= 1


def test_legs_come_back_by_account_in_order_of_entries(store: LogStore) -> None:
    for _ in range(3):
        add(store, 1, legs=2)
    store.put_legs({("b", 9): (1, 1)})
    assert [leg.entry_index for leg in store.legs("a")] == [0, 1, 2]
    assert next(iter(store.legs("a"))) == Leg("a", 0, 5, -2)
    assert list(store.legs("nobody")) == []
    store.clear_legs()
    assert list(store.legs("a")) == list(store.legs("b")) == []
    store.put_legs({("a", 1): (7, 0)})
    assert list(store.legs("a")) == [Leg("a", 1, 7, 0)]


def test_a_checkpoint_is_kept_by_its_size_and_may_get_more_signatures(store: LogStore) -> None:
    add(store, 12)
    for size in (2, 9, 4):
        store.put_checkpoint(size, b"note of %d" % size)
    store.put_checkpoint(4, b"note of 4 with one more")
    assert store.checkpoint(4) == b"note of 4 with one more"
    assert store.checkpoint(3) is None
    assert store.last_checkpoint() == (9, b"note of 9")
    assert list(store.checkpoints()) == [(2, b"note of 2"), (4, b"note of 4 with one more"), (9, b"note of 9")]


def test_only_the_newest_snapshot_is_kept(store: LogStore) -> None:
    store.put_snapshot(3, b"digest", b"state")
    store.put_snapshot(5, b"other digest", b"\x00" * 100_000)
    assert store.snapshot() == (5, b"other digest", b"\x00" * 100_000)


def fill(store: LogStore) -> None:
    """Something of everything."""
    add(store, 260, legs=2)
    store.put_checkpoint(store.size, b"note")
    store.put_snapshot(store.size, b"digest", b"state")


def test_rollback_forgets_all_since_the_last_commit_and_nothing_before(store: LogStore) -> None:
    before_anything = contents(store)
    fill(store)
    store.rollback()
    assert contents(store) == before_anything
    fill(store)
    store.commit()
    committed = contents(store)
    add(store, 300, legs=2)
    store.put_checkpoint(260, b"other note")
    store.put_checkpoint(400, b"note")
    store.put_snapshot(300, b"d", b"s")
    store.clear_legs()
    store.put_legs({("a", 1): (1, 1)})
    assert contents(store) != committed
    store.rollback()
    assert contents(store) == committed
    store.rollback()
    assert contents(store) == committed
    add(store, 5, legs=2)
    assert store.hashes.frontier().root() == root_of(HASHES[:265])


def test_commit_without_anything_to_write(store: LogStore) -> None:
    store.commit()
    fill(store)
    store.commit()
    store.commit()
    assert store.size == 260


def test_what_was_committed_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    first = SqliteStore(tmp_path / "ledger.db", ORIGIN)
    fill(first)
    first.commit()
    committed = contents(first)
    add(first, 1)
    first.close()
    for read_only in (False, True, False):
        again = SqliteStore(tmp_path / "ledger.db", read_only=read_only)
        assert contents(again) == committed
        again.close()


class BothStores(RuleBasedStateMachine):
    """Whatever is done to both, memory and SQLite hold the same."""

    def __init__(self) -> None:
        super().__init__()
        self._sweeping_often = patch("store.sqlite.FRESH_LEGS_MAX", 3)
        self._sweeping_often.start()
        self._holder = tempfile.TemporaryDirectory()
        self._folder = Path(self._holder.name)
        self.memory: LogStore = MemoryStore(ORIGIN)
        self.sqlite: LogStore = SqliteStore(self._folder / "ledger.db", ORIGIN)

    def teardown(self) -> None:
        self.sqlite.close()
        self._holder.cleanup()
        self._sweeping_often.stop()

    @rule(count=st.sampled_from([1, 2, 7, 120]))
    def append(self, count: int) -> None:
        if self.memory.size + count <= len(ENTRIES):
            add(self.memory, count)
            add(self.sqlite, count)

    @rule(part=st.integers(0, 4))
    def put_checkpoint(self, part: int) -> None:
        size = self.memory.size * part // 4
        for store in (self.memory, self.sqlite):
            store.put_checkpoint(size, b"note %d" % part)

    @rule(size=st.integers(0, 9))
    def put_snapshot(self, size: int) -> None:
        for store in (self.memory, self.sqlite):
            store.put_snapshot(size, b"digest", b"%d" % size)

    @rule()
    def clear_legs(self) -> None:
        self.memory.clear_legs()
        self.sqlite.clear_legs()

    @rule()
    def commit(self) -> None:
        self.memory.commit()
        self.sqlite.commit()

    @rule()
    def rollback(self) -> None:
        self.memory.rollback()
        self.sqlite.rollback()

    @rule()
    def reopen(self) -> None:
        self.memory.close()
        self.sqlite.close()
        self.sqlite = SqliteStore(self._folder / "ledger.db")

    @invariant()
    def same(self) -> None:
        assert contents(self.memory) == contents(self.sqlite)


TestBothStores = BothStores.TestCase
TestBothStores.settings = settings(max_examples=60, stateful_step_count=20)
