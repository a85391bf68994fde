"""Merkle trees against the definition in RFC 6962, read out loud: slow, recursive, and sharing no code with ours."""

import hashlib
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.errors import ProofError
from chain.merkle import (
    EMPTY_ROOT,
    Frontier,
    StateTree,
    check_consistency,
    check_inclusion,
    frontier,
    leaf_hash,
    levels_of,
    path_in,
    prove_consistency,
    prove_inclusion,
    root_from_inclusion,
    root_of,
    tree_root,
)

SIZES = range(71)
LEAVES = [hashlib.sha256(b"leaf %d" % number).digest() for number in range(70)]
NODES = levels_of(LEAVES)

hash_lists = st.lists(st.binary(min_size=32, max_size=32), max_size=40)


def naive_split(size: int) -> int:
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1 over leaf hashes."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = naive_split(len(leaves))
    return hashlib.sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


def naive_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962 §2.1.1."""
    if len(leaves) == 1:
        return []
    split = naive_split(len(leaves))
    if index < split:
        return [*naive_path(index, leaves[:split]), naive_root(leaves[split:])]
    return [*naive_path(index - split, leaves[split:]), naive_root(leaves[:split])]


def naive_proof(old: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PROOF of RFC 6962 §2.1.2."""
    return naive_subproof(old, leaves, True) if 0 < old < len(leaves) else []


def naive_subproof(old: int, leaves: Sequence[bytes], whole: bool) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [naive_root(leaves)]
    split = naive_split(len(leaves))
    if old <= split:
        return [*naive_subproof(old, leaves[:split], whole), naive_root(leaves[split:])]
    return [*naive_subproof(old - split, leaves[split:], False), naive_root(leaves[:split])]


def read(level: int, index: int) -> bytes:
    """Complete subtrees of all 70 leaves; anything else must not be asked for."""
    assert (index + 1) << level <= len(LEAVES)
    return NODES[level][index]


ROOTS = [naive_root(LEAVES[:size]) for size in SIZES]


def test_hashes_are_those_of_rfc_6962() -> None:
    assert hashlib.sha256().digest() == EMPTY_ROOT == ROOTS[0]
    assert leaf_hash(b"abc") == hashlib.sha256(b"\x00abc").digest()


@pytest.mark.parametrize("size", SIZES)
def test_every_way_to_a_root_ends_at_the_same(size: int) -> None:
    leaves, growing = LEAVES[:size], Frontier()
    for leaf in leaves:
        growing.append(leaf)
    assert root_of(leaves) == growing.root() == StateTree(leaves).root() == tree_root(size, read) == ROOTS[size]
    assert frontier(size, read).nodes() == growing.nodes()
    assert growing.size == size and len(growing.nodes()) == size.bit_count()


def test_a_frontier_goes_on_from_what_it_was_made_of() -> None:
    for size in SIZES[:-1]:
        fresh = Frontier(size, frontier(size, read).nodes())
        for leaf in LEAVES[size:]:
            fresh.append(leaf)
        assert fresh.root() == ROOTS[-1]


@pytest.mark.parametrize(("size", "count"), [(0, 1), (1, 0), (3, 1), (4, 3), (7, 2)])
def test_a_frontier_of_a_wrong_number_of_nodes_is_refused(size: int, count: int) -> None:
    with pytest.raises(ProofError):
        Frontier(size, LEAVES[:count])


@pytest.mark.parametrize("size", SIZES[1:])
def test_every_inclusion_is_proven_and_nothing_else(size: int) -> None:
    levels = levels_of(LEAVES[:size])
    for index in range(size):
        path = prove_inclusion(index, size, read)
        assert path == path_in(levels, index) == naive_path(index, LEAVES[:size])
        assert root_from_inclusion(LEAVES[index], index, size, path) == ROOTS[size]
        check_inclusion(LEAVES[index], index, size, path, ROOTS[size])
        for bad in _mangled(path):
            with pytest.raises(ProofError):
                check_inclusion(LEAVES[index], index, size, bad, ROOTS[size])
        for other in {0, index - 1, index + 1, size - 1, size, -1} - {index}:
            with pytest.raises(ProofError):
                check_inclusion(LEAVES[index], other, size, path, ROOTS[size])
        with pytest.raises(ProofError):
            check_inclusion(LEAVES[index - 1] if size > 1 else EMPTY_ROOT, index, size, path, ROOTS[size])
        with pytest.raises(ProofError):
            check_inclusion(LEAVES[index], index, size, path, ROOTS[size - 1])


@pytest.mark.parametrize("size", SIZES)
def test_every_consistency_is_proven_and_nothing_else(size: int) -> None:
    for old in range(size + 1):
        path = prove_consistency(old, size, read)
        assert path == naive_proof(old, LEAVES[:size])
        check_consistency(old, size, ROOTS[old], ROOTS[size], path)
        for bad in _mangled(path):
            with pytest.raises(ProofError):
                check_consistency(old, size, ROOTS[old], ROOTS[size], bad)
        with pytest.raises(ProofError):
            check_consistency(old, size, LEAVES[69], ROOTS[size], path)
        if old:
            with pytest.raises(ProofError):
                check_consistency(old, size, ROOTS[old], LEAVES[69], path)
        if old < size:
            with pytest.raises(ProofError):
                check_consistency(size, old, ROOTS[size], ROOTS[old], path)


def _mangled(path: list[bytes]) -> list[list[bytes]]:
    """Proofs that differ from a good one in one hash."""
    bad = [[*path, EMPTY_ROOT], [EMPTY_ROOT, *path], [*path, b""], [*path, *[EMPTY_ROOT] * 64]]
    for place, hashed in enumerate(path):
        rest = path[place + 1 :]
        bad.append([*path[:place], *rest])
        bad.append([*path[:place], hashed, hashed, *rest])
        bad.append([*path[:place], bytes([hashed[0] ^ 1]) + hashed[1:], *rest])
        bad.append([*path[:place], hashed[:-1], *rest])
        bad.append([*path[:place], hashed + b"\0", *rest])
    if path != path[::-1]:
        bad.append(path[::-1])
    return bad


@pytest.mark.parametrize(("old", "size"), [(-1, 3), (4, 3), (3, -1)])
def test_sizes_that_cannot_be_are_refused(old: int, size: int) -> None:
    with pytest.raises(ProofError):
        check_consistency(old, size, ROOTS[0], ROOTS[3], [])
    with pytest.raises(ProofError):
        prove_consistency(old, size, read)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0), (2**63, 3)])
def test_leaves_that_cannot_be_are_refused(index: int, size: int) -> None:
    with pytest.raises(ProofError):
        root_from_inclusion(LEAVES[0], index, size, [])
    with pytest.raises(ProofError):
        prove_inclusion(index, size, read)


def test_a_proof_in_the_largest_log_has_53_hashes_and_is_bounded() -> None:
    size = 2**53 - 1
    root_from_inclusion(LEAVES[0], 0, size, [EMPTY_ROOT] * 53)
    for count in (52, 54, 63, 64, 100_000):
        with pytest.raises(ProofError):
            root_from_inclusion(LEAVES[0], 0, size, [EMPTY_ROOT] * count)


@given(hash_lists)
def test_any_leaves(leaves: list[bytes]) -> None:
    growing = Frontier()
    for leaf in leaves:
        growing.append(leaf)
    assert root_of(leaves) == growing.root() == naive_root(leaves)


@settings(max_examples=200)
@given(hash_lists, st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=60))
def test_a_state_tree_is_always_that_over_its_leaves(leaves: list[bytes], puts: list[tuple[int, bool]]) -> None:
    tree, model = StateTree(leaves), list(leaves)
    for number, (position, asks_root) in enumerate(puts):
        place = min(position, len(model))
        leaf = leaf_hash(b"new %d" % number)
        tree.put(place, leaf)
        model[place : place + 1] = [leaf]
        if asks_root:
            assert tree.root() == naive_root(model)
    assert len(tree) == len(model)
    assert tree.root() == naive_root(model)
    for position in range(len(model)):
        assert tree.path(position) == naive_path(position, model)


def test_a_state_tree_that_grows_one_by_one_past_every_power_of_two() -> None:
    asked, unasked = StateTree(), StateTree()
    for size, leaf in enumerate(LEAVES):
        asked.put(size, leaf)
        unasked.put(size, leaf)
        assert asked.root() == ROOTS[size + 1]
    assert unasked.root() == ROOTS[-1]
    chance = random.Random(7)
    model = list(LEAVES)
    for number in range(200):
        position = chance.randrange(len(model))
        model[position] = leaf_hash(b"%d" % number)
        asked.put(position, model[position])
        if chance.random() < 0.3:
            assert asked.root() == naive_root(model)
    assert asked.root() == naive_root(model)


def test_a_state_tree_refuses_a_gap() -> None:
    with pytest.raises(IndexError):
        StateTree(LEAVES[:2]).put(3, LEAVES[3])
