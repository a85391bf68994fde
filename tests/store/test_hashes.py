"""The tree's hashes in tiles, against a tree that is kept whole."""

import hashlib
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.merkle import (
    ReadNode,
    check_consistency,
    check_inclusion,
    levels_of,
    prove_consistency,
    prove_inclusion,
    root_of,
    tree_root,
)
from store.hashes import HashTiles, TileRow

EDGES = [0, 1, 2, 255, 256, 257, 511, 512, 513, 65_279, 65_280, 65_535, 65_536, 65_537, 65_792, 66_000]
LEAVES = [hashlib.sha256(b"%d" % number).digest() for number in range(66_100)]
LEVELS = levels_of(LEAVES)


def read_whole(level: int, index: int) -> bytes:
    """Complete subtrees of all the leaves."""
    assert (index + 1) << level <= len(LEAVES)
    return LEVELS[level][index]


class Tiles:
    """Rows as a table would keep them, and how often each was read."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int], bytes] = {}
        self.reads = 0

    def put(self, rows: Sequence[TileRow]) -> None:
        for level, index, joined in rows:
            assert len(joined) % 32 == 0 and 0 < len(joined) <= 256 * 32
            self.rows[level, index] = joined

    def read(self, level: int, index: int) -> bytes:
        self.reads += 1
        return self.rows[level, index]


def grown(*steps: int) -> tuple[HashTiles, Tiles]:
    """Tiles that grew to these sizes one after the other."""
    tiles = Tiles()
    hashes = HashTiles(0, tiles.read)
    for size in steps:
        tiles.put(hashes.append(LEAVES[hashes.size : size]))
    return hashes, tiles


def assert_same(read: ReadNode, size: int, chance: random.Random) -> None:
    """All proofs asked for are those of the whole tree, and prove."""
    root = tree_root(size, read_whole)
    assert tree_root(size, read) == root
    if not size:
        return
    for index in {0, size - 1, size // 2, *(chance.randrange(size) for _ in range(12))}:
        path = prove_inclusion(index, size, read)
        assert path == prove_inclusion(index, size, read_whole)
        check_inclusion(LEAVES[index], index, size, path, root)
    for old in {1, size, size // 2 or 1, *(chance.randint(1, size) for _ in range(12))}:
        path = prove_consistency(old, size, read)
        assert path == prove_consistency(old, size, read_whole)
        check_consistency(old, size, tree_root(old, read_whole), root, path)


@pytest.mark.parametrize("size", EDGES)
def test_every_proof_is_that_of_the_whole_tree(size: int) -> None:
    hashes, tiles = grown(size)
    assert hashes.size == size
    assert_same(hashes.read, size, random.Random(size))
    assert hashes.frontier().root() == root_of(LEAVES[:size])
    assert_same(HashTiles(size, tiles.read).read, size, random.Random(size + 1))


@pytest.mark.parametrize("size", EDGES)
def test_it_goes_on_from_what_the_table_holds(size: int) -> None:
    _, tiles = grown(size)
    for more in (1, 255, 256, 300):
        again = HashTiles(size, tiles.read)
        rows = again.append(LEAVES[size : size + more])
        fresh, fresh_tiles = grown(size + more)
        assert again.frontier().root() == fresh.frontier().root() == root_of(LEAVES[: size + more])
        assert {**tiles.rows, **{(level, index): joined for level, index, joined in rows}} == fresh_tiles.rows


def test_a_table_that_has_grown_further_serves_a_reader_of_the_older_size() -> None:
    """A reader that opened before the writer went on: the rows of its edge are longer by now."""
    for size in (1, 255, 256, 257, 1_000):
        _, tiles = grown(size, size + 300)
        reader = HashTiles(size, tiles.read)
        assert reader.frontier().root() == root_of(LEAVES[:size])
        assert_same(reader.read, size, random.Random(size))


def test_one_by_one_is_as_good_as_all_at_once() -> None:
    one_by_one, by_ones = grown(*range(1, 600))
    at_once, by_all = grown(599)
    assert by_ones.rows == by_all.rows
    assert one_by_one.frontier().nodes() == at_once.frontier().nodes()


@settings(max_examples=50)
@given(st.lists(st.integers(0, 700), max_size=8))
def test_any_steps(steps: list[int]) -> None:
    sizes = [sum(steps[: count + 1]) for count in range(len(steps))]
    hashes, tiles = grown(*sizes)
    size = sizes[-1] if sizes else 0
    assert hashes.frontier().root() == root_of(LEAVES[:size])
    assert HashTiles(size, tiles.read).frontier().nodes() == hashes.frontier().nodes()


def test_a_proof_reads_few_tiles_and_the_same_tile_once() -> None:
    hashes, tiles = grown(66_000)
    tiles.reads = 0
    prove_inclusion(12_345, 66_000, hashes.read)
    assert tiles.reads <= 3
    before = tiles.reads
    prove_inclusion(12_346, 66_000, hashes.read)
    assert tiles.reads == before


def test_many_proofs_do_not_pile_up_tiles() -> None:
    hashes, _ = grown(66_000)
    for index in range(0, 66_000, 257):
        prove_inclusion(index, 66_000, hashes.read)
    assert len(hashes._cache) <= 64
