"""The frozen state beside the log: a cache, believed only where the last seal bears it out."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from chain.keys import SigningKey
from chain.merkle import leaf_hash
from ledger.state import State, freeze, thaw
from node import Founding, Node, NodeKeys
from store.log import LogStore, MemoryStore
from store.sqlite import SqliteStore
from tests.store.village import (
    CLERK,
    KEYS,
    MEMBERS,
    ORIGIN,
    PARAMETERS,
    PROVIDER,
    RECIPIENT,
    STRANGER,
    HandClock,
    assert_whole,
    donation,
    founding,
    new_node,
    open_accounts,
    record,
    service,
)

Snapshot = tuple[int, bytes, bytes]


def digest(size: int, raw: bytes) -> bytes:
    """Anyone can make it: it finds damage, not malice."""
    return hashlib.sha256(b"%d\n" % size + raw).digest()


def frozen(state: State) -> Snapshot:
    raw = freeze(state)
    return state.size, digest(state.size, raw), raw


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LogStore:
    """Three blocks, a snapshot at the end of the second, and two entries that are not sealed."""
    monkeypatch.setattr("node.SNAPSHOT_ENTRIES", 1)
    made: LogStore = MemoryStore(ORIGIN) if request.param == "memory" else SqliteStore(tmp_path / "ledger.db", ORIGIN)
    node = new_node(made)
    record(node, [service(30)])
    node.seal()
    monkeypatch.setattr("node.SNAPSHOT_ENTRIES", 4_096)
    record(node, [service(7), donation(5)])
    node.seal()
    record(node, [service(1), donation(2)])
    return made


def held(store: LogStore) -> Snapshot:
    snapshot = store.snapshot()
    assert snapshot is not None
    return snapshot


def changed(snapshot: Snapshot, change: Callable[[State], None]) -> Snapshot:
    """The state with something else in it, well frozen and with a fitting digest."""
    state = thaw(snapshot[2])
    change(state)
    return frozen(state)


def balance_moved(state: State) -> None:
    state.accounts[PROVIDER].balance += 60
    state.accounts[RECIPIENT].balance -= 60


def account_gone(state: State) -> None:
    del state.accounts[RECIPIENT]


def position_moved(state: State) -> None:
    state.accounts[RECIPIENT].position += 1


def key_added(state: State) -> None:
    state.roster.keys[STRANGER.id] = state.roster.keys.pop(MEMBERS[2].id)


def other_seal(state: State) -> None:
    state.last_seal_hash = bytes(32)


BAD: dict[str, Callable[[Snapshot], Snapshot]] = {
    "wrong-digest": lambda good: (good[0], bytes(32), good[2]),
    "empty-digest": lambda good: (good[0], b"", good[2]),
    "one-bit-flipped": lambda good: (good[0], good[1], good[2][:-1] + bytes([good[2][-1] ^ 1])),
    "cut-off": lambda good: (good[0], good[1], good[2][:-9]),
    "cut-off-with-digest": lambda good: (good[0], digest(good[0], good[2][:-9]), good[2][:-9]),
    "empty-with-digest": lambda good: (good[0], digest(good[0], b""), b""),
    "json-with-digest": lambda good: (good[0], digest(good[0], b"{}"), b"{}"),
    "another-object-with-digest": lambda good: (good[0], digest(good[0], b"\x80"), b"\x80"),
    "size-one-more": lambda good: (good[0] + 1, digest(good[0] + 1, good[2]), good[2]),
    "size-one-less": lambda good: (good[0] - 1, digest(good[0] - 1, good[2]), good[2]),
    "size-0": lambda good: (0, digest(0, good[2]), good[2]),
    "size-negative": lambda good: (-1, digest(-1, good[2]), good[2]),
    "size-beyond-the-log": lambda good: (10**6, digest(10**6, good[2]), good[2]),
    "balances-changed": lambda good: changed(good, balance_moved),
    "account-gone": lambda good: changed(good, account_gone),
    "positions-changed": lambda good: changed(good, position_moved),
    "of-another-seal": lambda good: changed(good, other_seal),
}


def test_a_node_that_opens_begins_at_the_snapshot(store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []
    entries = store.entries

    def noted(start: int, end: int) -> Iterator[bytes]:
        parsed.append(start)
        return entries(start, end)

    monkeypatch.setattr(store, "entries", noted)
    assert_same(Node(store, KEYS, HandClock()), store)
    assert parsed[0] == held(store)[0] > 2


def assert_same(node: Node, store: LogStore) -> None:
    """The state is the one that follows from the log, and the node can go on."""
    assert node.state.accounts[PROVIDER].balance == 1_000_000 + 30 + 7 + 1 - 5 - 2
    assert node.state.accounts[RECIPIENT].balance == 1_000_000 - 30 - 7 - 1
    assert_whole(node)
    record(node, [service(1)])
    node.seal()
    assert_whole(node)
    assert node.store is store


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD)
def test_a_bad_snapshot_is_not_believed(spoil: Callable[[Snapshot], Snapshot], store: LogStore) -> None:
    store.put_snapshot(*spoil(held(store)))
    store.commit()
    assert_same(Node(store, KEYS, HandClock()), store)


def test_no_snapshot_at_all() -> None:
    node = new_node(MemoryStore(ORIGIN))
    record(node, [service(30), donation(1)])
    fresh = MemoryStore(ORIGIN)
    entries = list(node.store.entries(0, node.store.size))
    fresh.append(entries, [leaf_hash(raw) for raw in entries], {})
    for size, note in node.store.checkpoints():
        fresh.put_checkpoint(size, note)
    fresh.commit()
    again = Node(fresh, KEYS, HandClock())
    assert freeze(again.state) == freeze(node.state)
    assert_whole(again)


def test_the_snapshot_of_another_ledger_is_not_believed() -> None:
    """Both are new: they have the same balances and so the same root of them, but other keys."""
    other_keys = NodeKeys(SigningKey(bytes([77]) * 32))
    stores = [MemoryStore(ORIGIN), MemoryStore(ORIGIN)]
    Node(stores[0], KEYS, HandClock()).found(founding())
    Node(stores[1], other_keys, HandClock()).found(
        Founding(origin=ORIGIN, clerks=[STRANGER], members=MEMBERS[:2], threshold=2, parameters=PARAMETERS)
    )
    mine, other = held(stores[0]), held(stores[1])
    assert mine[0] == other[0] and mine[2] != other[2]
    stores[0].put_snapshot(*other)
    stores[0].commit()
    again = Node(stores[0], KEYS, HandClock())
    assert CLERK.id in again.state.roster.keys and STRANGER.id not in again.state.roster.keys
    open_accounts(again)
    assert_whole(again)


def test_a_state_survives_freezing(store: LogStore) -> None:
    state = Node(store, KEYS, HandClock()).state
    assert freeze(thaw(freeze(state))) == freeze(state)
    with pytest.raises(msgspec.DecodeError):
        thaw(b"")


def test_snapshots_follow_each_other_at_seals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.SNAPSHOT_ENTRIES", 5)
    store = MemoryStore(ORIGIN)
    node = new_node(store)
    sizes = [held(store)[0]]
    for _ in range(12):
        record(node, [donation(1), donation(2)])
        assert held(store)[0] == sizes[-1]
        node.seal()
        sizes.append(held(store)[0])
        assert_whole(Node(store, KEYS, HandClock()))
    assert sizes == sorted(sizes) and len(set(sizes)) == 7
    assert sizes[-1] > store.size - 5


def test_what_a_restored_state_holds_is_proven_by_its_seal(store: LogStore) -> None:
    """A list of keys is not under the root of balances: it is the damage that the digest is for."""
    good = held(store)
    bad = changed(good, key_added)
    store.put_snapshot(good[0], good[1], bad[2])
    store.commit()
    assert STRANGER.id not in Node(store, KEYS, HandClock()).state.roster.keys
