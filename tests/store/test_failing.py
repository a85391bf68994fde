"""A medium that fails at each step in turn: nothing is half, and the node goes on."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from chain.checkpoint import open_checkpoint
from chain.cosignature import cosign_ed25519, member_name
from chain.merkle import leaf_hash
from chain.note import add_signatures, format_note
from chain.sheet import SignedSheet
from ledger.state import freeze
from node import Node, NodeError
from store.log import LogStore, MemoryStore, StoreError
from store.sqlite import SqliteStore
from tests.store.stores import FailingStore
from tests.store.village import (
    CLERK,
    HOLDING,
    KEYS,
    MEMBERS,
    ORIGIN,
    PROVIDER,
    START,
    HandClock,
    assert_whole,
    contents,
    donation,
    founding,
    new_node,
    presigned,
    record,
    service,
)

ENTRIES = [b"entry %d" % number for number in range(600)]
STEPS_MAX = 60


@pytest.fixture(params=["memory", "sqlite"])
def inner(request: pytest.FixtureRequest, tmp_path: Path) -> LogStore:
    return MemoryStore(ORIGIN) if request.param == "memory" else SqliteStore(tmp_path / "ledger.db", ORIGIN)


# The store alone


def write_something(store: LogStore) -> None:
    for part in (ENTRIES[store.size : store.size + 3], ENTRIES[store.size + 3 : store.size + 290]):
        store.append(part, [leaf_hash(entry) for entry in part], {("a", store.size): (1, 1)})
    store.put_checkpoint(store.size, b"note")
    store.clear_legs()
    store.put_legs({("b", 1): (2, 3), ("b", 2): (2, 3)})
    store.put_snapshot(store.size, b"digest", b"state")
    store.commit()


@pytest.mark.parametrize("after", [False, True], ids=["before-its-work", "after-its-work"])
def test_rollback_restores_exactly_what_was_committed(inner: LogStore, after: bool) -> None:
    write_something(inner)
    store = FailingStore(inner)
    committed = contents(inner)
    for step in range(STEPS_MAX):
        store.fail(step, after=after)
        try:
            write_something(store)
        except StoreError:
            store.rollback()
        else:
            break
        if store.calls[step] == "commit" and after:
            committed = contents(inner)
            assert inner.size == 580
            break
        assert contents(inner) == committed
    assert 6 <= step < STEPS_MAX
    inner.close()


def test_a_failure_in_the_middle_of_an_append_is_forgotten(tmp_path: Path) -> None:
    """SQLite itself refuses the second row of legs: the entries before it are gone too."""
    store = SqliteStore(tmp_path / "ledger.db", ORIGIN)
    write_something(store)
    committed = contents(store)
    with pytest.raises(StoreError):
        store.append(ENTRIES[290:400], [leaf_hash(entry) for entry in ENTRIES[290:400]], {("b", 1): (1, 1)})
    store.rollback()
    assert contents(store) == committed
    write_something(store)
    store.close()


# The node on top


def write(node: Node) -> None:
    record(node, [service(5), donation(2)])


def write_and_refuse(node: Node) -> None:
    results = node.write(CLERK, [MEMBERS[0]], [service(10_000), donation(3)])
    assert len(results) == 2


def write_later(node: Node) -> None:
    record(node, [service(5)], durable=False)
    record(node, [donation(2), donation(3)], durable=False)
    node.commit()


def seal(node: Node) -> None:
    node.seal()


def blocks_at_once(node: Node) -> None:
    """As an import does that seals by date."""
    for minutes in (1, 2, 3):
        record(node, [service(minutes)], durable=False)
        node.seal(durable=False)
    record(node, [donation(1)], durable=False)
    node.commit()


def submit(node: Node) -> None:
    node.submit(presigned(node, [service(4), service(10_000), donation(1)]))


def cosign(node: Node) -> None:
    checkpoint, note = open_checkpoint(node.checkpoint())
    line = cosign_ed25519(checkpoint, member_name(ORIGIN, MEMBERS[0].id), MEMBERS[0], int(START.timestamp()))
    node.cosign(format_note(add_signatures(note, line)))


ACTIONS: dict[str, Callable[[Node], None]] = {
    action.__name__: action for action in (write, write_and_refuse, write_later, seal, blocks_at_once, submit, cosign)
}
actions = pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)


def entries_of(store: LogStore) -> list[bytes]:
    return list(store.entries(0, store.size))


@actions
@pytest.mark.parametrize("after", [False, True], ids=["before-its-work", "after-its-work"])
@pytest.mark.parametrize("medium", ["memory", "sqlite"])
def test_one_failure_leaves_all_or_nothing_and_a_node_that_works(
    action: Callable[[Node], None], after: bool, medium: str, tmp_path: Path
) -> None:
    for step in range(STEPS_MAX):
        folder = tmp_path / f"{step}"
        folder.mkdir()
        inner = MemoryStore(ORIGIN) if medium == "memory" else SqliteStore(folder / "ledger.db", ORIGIN)
        store = FailingStore(inner)
        node = new_node(store, parameters=HOLDING)
        before, state, entries = contents(inner), freeze(node.state), entries_of(inner)
        store.fail(step, after=after)
        try:
            action(node)
        except StoreError:
            failed = True
        else:
            failed = False
        reached, commits = store.has_failed, store.calls[:step].count("commit")
        store.heal()
        if failed and not commits and not (after and store.calls[step] == "commit"):
            assert contents(inner) == before
            assert freeze(node.state) == state
        assert entries_of(inner)[: len(entries)] == entries
        assert_whole(node)
        record(node, [donation(1)])
        node.seal()
        assert_whole(node)
        assert node.store.last_checkpoint() == (node.store.size, node.checkpoint())
        again = Node(inner, KEYS, HandClock())
        assert freeze(again.state) == freeze(node.state)
        inner.close()
        if not reached:
            break
        assert failed, "a failure was swallowed"
    else:
        pytest.fail("it never ends")
    assert step > 2


@actions
@pytest.mark.parametrize("lasting", [2, 3, 5, STEPS_MAX])
def test_a_medium_that_stays_away_for_a_while(action: Callable[[Node], None], lasting: int) -> None:
    """It fails in the recovery too. Once it is back, so is the node, without being started again."""
    for step in range(STEPS_MAX):
        inner = MemoryStore(ORIGIN)
        store = FailingStore(inner)
        node = new_node(store, parameters=HOLDING)
        store.fail(step, lasting)
        with suppress(StoreError):
            action(node)
        reached = store.has_failed
        store.heal()
        record(node, [service(1), donation(1)])
        node.seal()
        assert_whole(node)
        if not reached:
            break


def test_an_entry_is_on_the_log_as_a_whole_sheet_or_not_at_all() -> None:
    inner = MemoryStore(ORIGIN)
    store = FailingStore(inner)
    node = new_node(store)
    size, balance = inner.size, node.balance(PROVIDER)
    store.fail(0)
    with pytest.raises(StoreError):
        record(node, [service(3)] * 5)
    assert inner.size == size and node.balance(PROVIDER) == balance
    store.heal()
    assert [result.index for result in record(node, [service(3)] * 5)] == list(range(size, size + 5))


def test_a_founding_that_fails_can_be_done_again() -> None:
    for step in range(STEPS_MAX):
        inner = MemoryStore(ORIGIN)
        store = FailingStore(inner)
        node = Node(store, KEYS, HandClock())
        store.fail(step)
        try:
            node.found(founding())
        except StoreError:
            pass
        else:
            break
        store.heal()
        if inner.size == 0:
            node.found(founding())
        assert inner.size == 2
        assert_whole(node)
    assert step > 2


def test_a_refusal_by_the_node_itself_changes_nothing() -> None:
    node = new_node()
    before, state = contents(node.store), freeze(node.state)
    with pytest.raises(NodeError):
        node.write(CLERK, [], [donation(1)] * 1_025)
    with pytest.raises(NodeError):
        node.submit(SignedSheet((), ()))
    assert contents(node.store) == before and freeze(node.state) == state
