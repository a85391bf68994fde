"""Tiles, entry bundles, and a reader that trusts neither."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.checkpoint import open_checkpoint
from chain.errors import NoteError, ProofError
from chain.limits import ENTRY_MAX_BYTES, LOG_MAX_ENTRIES
from chain.merkle import (
    check_consistency,
    check_inclusion,
    leaf_hash,
    prove_consistency,
    prove_inclusion,
    root_of,
    tree_root,
)
from chain.tile import (
    BUNDLE_MAX_BYTES,
    TILE_MAX_BYTES,
    Bundle,
    Tile,
    TileReader,
    bundles_of,
    format_bundle,
    format_entries_path,
    format_tile,
    format_tile_path,
    parse_bundle,
    parse_entries_path,
    parse_tile,
    parse_tile_path,
    tile_width,
    tiles_of,
)
from tests.chain.helpers import PUBLISHED, flipped, node_reader, some_entries, tile_files

PUBLISHED_LOG = PUBLISHED / "tile-log"
SIZE = 2 * 256 + 88
ENTRIES = some_entries(SIZE)
FILES = tile_files(ENTRIES)
ROOT = root_of([leaf_hash(entry) for entry in ENTRIES])
LARGE_SIZE = 256 * 256 + 256 + 3
LARGE_ENTRIES = some_entries(LARGE_SIZE)
LARGE_FILES = tile_files(LARGE_ENTRIES)
LARGE_ROOT = root_of([leaf_hash(entry) for entry in LARGE_ENTRIES])

indexes = st.integers(0, LOG_MAX_ENTRIES)
widths = st.integers(1, 256)


def fetch_from(files: dict[str, bytes]) -> Callable[[str], bytes]:
    """``files`` as a ``Fetch``."""

    def fetch(path: str) -> bytes:
        try:
            return files[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    return fetch


def read_all(fetch: Callable[[str], bytes], size: int = SIZE, root: bytes = ROOT) -> list[bytes]:
    """Everything a reader can give: every entry, every tile, and proofs that go back to where it has been."""
    reader = TileReader(fetch, size, root)
    entries = [entry for _, entry in reader.entries()]
    for tile in tiles_of(size):
        reader.tile(tile.level, tile.index)
    for index in (0, size - 1, size // 2, 0):
        check_inclusion(leaf_hash(entries[index]), index, size, prove_inclusion(index, size, reader.hash), root)
    return entries


# Paths


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 1_234_067, 8), "tile/0/x001/x234/067.p/8"),
        (Tile(0, 0), "tile/0/000"),
        (Tile(1, 0, 1), "tile/1/000.p/1"),
        (Tile(0, 999), "tile/0/999"),
        (Tile(0, 1_000), "tile/0/x001/000"),
        (Tile(63, 255, 255), "tile/63/255.p/255"),
        (Tile(0, 1_000_000), "tile/0/x001/x000/000"),
    ],
)
def test_tile_paths(tile: Tile, path: str) -> None:
    assert format_tile_path(tile) == path
    assert parse_tile_path(path) == tile


def test_entries_paths() -> None:
    assert format_entries_path(Bundle(1_234_067, 8)) == "tile/entries/x001/x234/067.p/8"
    assert parse_entries_path("tile/entries/x001/x234/067.p/8") == Bundle(1_234_067, 8)
    assert parse_entries_path("tile/entries/000") == Bundle(0)


@given(st.integers(0, 63), indexes, widths)
def test_every_path_comes_back(level: int, index: int, width: int) -> None:
    assert parse_tile_path(format_tile_path(Tile(level, index, width))) == Tile(level, index, width)
    assert parse_entries_path(format_entries_path(Bundle(index, width))) == Bundle(index, width)


BAD_PLACES = [
    *("", "0", "00", "0000", "x000", "x000/000", "001/000", "x001/x000", "x001/0", "x01/000", "x0001/000", "/000"),
    *("000/", "000.p", "000.p/", "000.p/0", "000.p/256", "000.p/08", "000.p/+8", "000.p/8/", "000.p/8.p/8", "-01"),
    *("../000", "x../000", "00a", "０００", "000 ", " 000", "000\n", "x009/x007/x199/x254/x740/992"),
    "x001/" * 20 + "000",
]


@pytest.mark.parametrize("place", BAD_PLACES)
def test_bad_places_are_refused(place: str) -> None:
    with pytest.raises(NoteError):
        parse_tile_path(f"tile/0/{place}")
    with pytest.raises(NoteError):
        parse_entries_path(f"tile/entries/{place}")


@pytest.mark.parametrize(
    "path", ["", "tile", "tile/", "tile/0", "tile/64/000", "tile/00/000", "tile/-1/000", "tiles/0/000", "/tile/0/000"]
)
def test_bad_tile_paths_are_refused(path: str) -> None:
    with pytest.raises(NoteError):
        parse_tile_path(path)
    with pytest.raises(NoteError):
        parse_entries_path(path)


@pytest.mark.parametrize(
    "tile", [Tile(-1, 0), Tile(64, 0), Tile(0, -1), Tile(0, 2**53), Tile(0, 0, 0), Tile(0, 0, 257)]
)
def test_an_impossible_tile_has_no_path(tile: Tile) -> None:
    with pytest.raises(NoteError):
        format_tile_path(tile)


# Which tiles there are


def test_the_published_example_of_70_000() -> None:
    tiles = list(tiles_of(70_000))
    of_level = [[tile for tile in tiles if tile.level == level] for level in range(4)]
    assert of_level[0] == [*(Tile(0, index) for index in range(273)), Tile(0, 273, 112)]
    assert of_level[1] == [Tile(1, 0), Tile(1, 1, 17)]
    assert of_level[2] == [Tile(2, 0, 1)]
    assert of_level[3] == []
    assert list(bundles_of(70_000)) == [*(Bundle(index) for index in range(273)), Bundle(273, 112)]


def test_a_tree_of_256_has_a_full_tile_and_one_of_width_1() -> None:
    assert list(tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []
    assert list(bundles_of(0)) == []


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_what_is_new_is_what_the_old_tree_had_not(size: int, old_size: int) -> None:
    new = list(tiles_of(size, old_size))
    old = set(tiles_of(old_size))
    expected = [tile for tile in tiles_of(size) if tile not in old and size > old_size]
    assert new == expected
    assert [Bundle(tile.index, tile.width) for tile in expected if tile.level == 0] == list(bundles_of(size, old_size))


def test_widths() -> None:
    assert [tile_width(0, index, 600) for index in range(4)] == [256, 256, 88, 0]
    assert [tile_width(level, 0, 70_000) for level in range(4)] == [256, 256, 1, 0]


# Bundles and tiles as bytes


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=256))
def test_every_bundle_comes_back(entries: list[bytes]) -> None:
    assert parse_bundle(format_bundle(entries)) == entries


@given(st.binary(max_size=200))
def test_what_parses_as_a_bundle_formats_to_itself(raw: bytes) -> None:
    try:
        entries = parse_bundle(raw)
    except ProofError:
        return
    assert format_bundle(entries) == raw


def test_the_largest_bundle_comes_back_and_a_larger_one_is_refused() -> None:
    raw = format_bundle([bytes(ENTRY_MAX_BYTES)] * 256)
    assert len(raw) == BUNDLE_MAX_BYTES
    assert len(parse_bundle(raw)) == 256
    with pytest.raises(ProofError, match="at most 16777472 bytes"):
        parse_bundle(raw + b"\0")


@pytest.mark.parametrize(
    "raw",
    [b"", b"\0", b"\0\1", b"\0\2a", b"\0\1a\0", b"\0\1a\0\1", b"\0\0" * 257, b"\xff\xff" + bytes(65_534)],
    ids=["empty", "half-a-length", "no-bytes", "a-byte-short", "half-a-length-after", "length-after", "257", "short"],
)
def test_bad_bundles_are_refused(raw: bytes) -> None:
    with pytest.raises(ProofError):
        parse_bundle(raw)


@pytest.mark.parametrize("entries", [[], [b""] * 257, [bytes(ENTRY_MAX_BYTES + 1)]])
def test_a_bundle_that_would_not_parse_is_not_written(entries: list[bytes]) -> None:
    with pytest.raises(ProofError):
        format_bundle(entries)


def test_tiles_hold_as_many_hashes_as_they_should() -> None:
    hashes = [leaf_hash(bytes([number])) for number in range(256)]
    assert len(format_tile(hashes)) == TILE_MAX_BYTES
    assert parse_tile(format_tile(hashes), 256) == tuple(hashes)
    for raw in (b"", bytes(31), bytes(8_191), bytes(8_193)):
        with pytest.raises(ProofError, match="a tile of 256 hashes has 8192 bytes"):
            parse_tile(raw, 256)
    for bad in ([], [*hashes, hashes[0]], [bytes(31)]):
        with pytest.raises(ProofError):
            format_tile(bad)


# The published log


def fetch_published(path: str) -> bytes:
    return (PUBLISHED_LOG / path).read_bytes()


@pytest.mark.parametrize("size", range(16))
def test_every_published_size_reads_and_is_authentic(size: int) -> None:
    checkpoint, _ = open_checkpoint((PUBLISHED_LOG / f"checkpoint.{size}").read_bytes())
    reader = TileReader(fetch_published, checkpoint.size, checkpoint.root)
    entries = [entry for _, entry in reader.entries()]
    assert len(entries) == size
    assert tree_root(size, reader.hash) == checkpoint.root


def test_the_published_root_and_files_are_what_the_entries_make() -> None:
    checkpoint, _ = open_checkpoint((PUBLISHED_LOG / "checkpoint").read_bytes())
    assert checkpoint.size == 15
    entries = [entry for _, entry in TileReader(fetch_published, 15, checkpoint.root).entries()]
    for size in range(1, 16):
        assert {path: fetch_published(path) for path in tile_files(entries[:size])} == tile_files(entries[:size])


def test_published_sizes_are_consistent_by_proofs_from_tiles() -> None:
    roots = [open_checkpoint((PUBLISHED_LOG / f"checkpoint.{size}").read_bytes())[0].root for size in range(16)]
    reader = TileReader(fetch_published, 15, roots[15])
    for size in range(16):
        check_consistency(size, 15, roots[size], roots[15], prove_consistency(size, 15, reader.hash))


# The reader


def test_it_reads_every_entry_in_order() -> None:
    assert read_all(fetch_from(FILES)) == ENTRIES
    reader = TileReader(fetch_from(FILES), SIZE, ROOT)
    assert list(reader.entries(300)) == list(enumerate(ENTRIES))[300:]
    assert list(reader.entries(SIZE)) == []


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 513])
def test_it_reads_logs_about_the_edges_of_tiles(size: int) -> None:
    entries = some_entries(size)
    reader = TileReader(fetch_from(tile_files(entries)), size, root_of([leaf_hash(entry) for entry in entries]))
    assert [entry for _, entry in reader.entries()] == entries
    read = node_reader(entries)
    for level in range(size.bit_length()):
        assert [reader.hash(level, index) for index in range(size >> level)] == [
            read(level, index) for index in range(size >> level)
        ]


def test_it_reads_a_log_of_three_levels() -> None:
    reader = TileReader(fetch_from(LARGE_FILES), LARGE_SIZE, LARGE_ROOT)
    read = node_reader(LARGE_ENTRIES)
    for index in (0, 255, 256, 65_535, 65_536, 65_792, LARGE_SIZE - 1):
        path = prove_inclusion(index, LARGE_SIZE, reader.hash)
        assert path == prove_inclusion(index, LARGE_SIZE, read)
        check_inclusion(leaf_hash(LARGE_ENTRIES[index]), index, LARGE_SIZE, path, LARGE_ROOT)
    for size in (1, 256, 65_536, 65_537, LARGE_SIZE - 1):
        assert prove_consistency(size, LARGE_SIZE, reader.hash) == prove_consistency(size, LARGE_SIZE, read)
    assert reader.bundle(256) == LARGE_ENTRIES[65_536:65_792]
    assert reader.bundle(257) == LARGE_ENTRIES[65_792:]


def test_every_flipped_byte_of_every_file_is_found() -> None:
    for path, good in FILES.items():
        step = 97 if path.startswith("tile/entries/") else 31
        for bad in list(flipped(good, [3]))[::step]:
            with pytest.raises(ProofError):
                read_all(fetch_from({**FILES, path: bad}))


@pytest.mark.parametrize(
    "path",
    [
        *("tile/0/000", "tile/0/256", "tile/0/257.p/3", "tile/1/000", "tile/1/001.p/1", "tile/2/000.p/1"),
        *("tile/entries/000", "tile/entries/256", "tile/entries/257.p/3"),
    ],
)
def test_a_flipped_byte_on_any_level_is_found(path: str) -> None:
    _read_the_beginning_and_the_end(LARGE_FILES)
    bad = next(flipped(LARGE_FILES[path]))
    with pytest.raises(ProofError):
        _read_the_beginning_and_the_end({**LARGE_FILES, path: bad})


def _read_the_beginning_and_the_end(files: dict[str, bytes]) -> None:
    reader = TileReader(fetch_from(files), LARGE_SIZE, LARGE_ROOT)
    for index in (0, 65_536, LARGE_SIZE - 1):
        reader.hash(0, index)
        reader.bundle(index // 256)


def test_a_file_that_is_good_once_and_bad_another_time_is_found_every_time() -> None:
    """Tiles are fetched more than once in one read; each fetch in turn is answered with a forged file."""
    fetched: list[str] = []

    def count(path: str) -> bytes:
        fetched.append(path)
        return FILES[path]

    read_all(count)
    assert len(fetched) > len(set(fetched))
    for forged in range(len(fetched)):
        left = [forged]

        def fetch(path: str, left: list[int] = left) -> bytes:
            left[0] -= 1
            good = FILES[path]
            return good if left[0] != -1 else good[:-1] + bytes([good[-1] ^ 1])

        with pytest.raises(ProofError):
            read_all(fetch)


def test_a_tile_swapped_for_another_good_one_is_found() -> None:
    for path, other in (("tile/0/000", "tile/0/001"), ("tile/entries/000", "tile/entries/001")):
        with pytest.raises(ProofError):
            read_all(fetch_from({**FILES, path: FILES[other]}))


def test_another_root_or_size_is_refused_before_anything_is_read() -> None:
    with pytest.raises(ProofError, match="do not make the root"):
        TileReader(fetch_from(FILES), SIZE, bytes(32))
    with pytest.raises(ProofError):
        TileReader(fetch_from({**FILES, "tile/0/002.p/87": FILES["tile/0/002.p/88"][:-32]}), SIZE - 1, ROOT)
    with pytest.raises(ProofError):
        TileReader(fetch_from({}), 0, bytes(32))
    for size in (-1, LOG_MAX_ENTRIES + 1):
        with pytest.raises(ProofError, match="a log has at most"):
            TileReader(fetch_from({}), size, ROOT)


def test_a_tile_of_another_length_is_refused() -> None:
    for path in ("tile/0/002.p/88", "tile/1/000.p/2", "tile/0/000", "tile/entries/000", "tile/entries/002.p/88"):
        for bad in (b"", FILES[path][:-32], FILES[path] + bytes(32), FILES[path][:-1]):
            with pytest.raises(ProofError):
                read_all(fetch_from({**FILES, path: bad}))


def test_a_partial_file_that_is_gone_is_taken_from_the_full_one() -> None:
    grown = tile_files(some_entries(1_024))
    files = {path: raw for path, raw in grown.items() if path not in FILES or ".p/" not in path}
    files["tile/1/000.p/2"] = FILES["tile/1/000.p/2"]
    assert "tile/0/002.p/88" not in files
    assert read_all(fetch_from(files)) == ENTRIES


def test_a_file_that_is_missing_altogether_is_the_fetchers_error() -> None:
    for path in ("tile/0/000", "tile/0/002.p/88", "tile/entries/001"):
        with pytest.raises(FileNotFoundError):
            read_all(fetch_from({other: raw for other, raw in FILES.items() if other != path}))


def test_what_is_not_in_the_tree_is_not_read() -> None:
    reader = TileReader(fetch_from(FILES), SIZE, ROOT)
    for level, index in ((0, 3), (0, -1), (1, 1), (2, 0)):
        with pytest.raises(ProofError, match="has no tile"):
            reader.tile(level, index)
    for index in (-1, 3):
        with pytest.raises(ProofError, match="has no bundle"):
            reader.bundle(index)
    for level, index in ((0, SIZE), (0, -1), (9, 1), (10, 0), (16, 0)):
        with pytest.raises(ProofError):
            reader.hash(level, index)


def test_entries_come_a_bundle_at_a_time() -> None:
    fetched: list[str] = []

    def fetch(path: str) -> bytes:
        fetched.append(path)
        return FILES[path]

    entries = TileReader(fetch, SIZE, ROOT).entries()
    assert next(entries) == (0, ENTRIES[0])
    assert [path for path in fetched if "entries" in path] == ["tile/entries/000"]
    for _ in range(256):
        next(entries)
    assert [path for path in fetched if "entries" in path] == ["tile/entries/000", "tile/entries/001"]
    assert "tile/0/000" not in fetched  # the tile above holds the hash that a full bundle has to make
