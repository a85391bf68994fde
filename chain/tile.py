"""Tiles and entry bundles: a whole log as files that never change (C2SP tlog-tiles; FORMAT §4).

A *tile* at level L is up to 256 hashes side by side, each the root over 256**L entries; a *bundle* is the up to 256
entries under one tile of level 0. The last of each level may be *partial*, and then its path ends in its width.

Whoever hands out the files is not trusted. ``TileReader`` authenticates each one before it uses it, and each time it
gets it, also one it has had before. At first the partial tiles, one a level at most, are put together: they hold the
complete subtrees whose roots make the checkpoint's root. From there every full tile is known by the hash that the tile
above it holds, and every bundle by a hash of the tile above it.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from chain.encoding import format_decimal, parse_decimal, shown
from chain.errors import NoteError, ProofError
from chain.limits import ENTRY_MAX_BYTES, LOG_MAX_ENTRIES
from chain.merkle import HASH_BYTES, leaf_hash, root_of

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
TILE_MAX_BYTES = TILE_WIDTH * HASH_BYTES
TILE_MAX_LEVEL = 63
BUNDLE_LENGTH_BYTES = 2
BUNDLE_MAX_BYTES = TILE_WIDTH * (BUNDLE_LENGTH_BYTES + ENTRY_MAX_BYTES)
"""16 MiB: what a fetching function has to be ready for, and where it may stop."""

_PATH_MAX_CHARACTERS = 64
_GROUP_DIGITS = 3
_GROUP = 10**_GROUP_DIGITS

Fetch = Callable[[str], bytes]
"""From a path such as ``tile/0/000`` to the file's bytes; raises FileNotFoundError where there is none.

It stops reading after ``BUNDLE_MAX_BYTES``.
"""


@dataclass(frozen=True, slots=True)
class Tile:
    """The first ``width`` (1 to 256) hashes of the tile ``index`` at ``level``."""

    level: int
    index: int
    width: int = TILE_WIDTH


@dataclass(frozen=True, slots=True)
class Bundle:
    """The first ``width`` (1 to 256) entries of the bundle ``index``: entries 256 × index and on."""

    index: int
    width: int = TILE_WIDTH


def parse_tile_path(path: str) -> Tile:
    """The tile that ``tile/<L>/<N>[.p/<W>]`` names; raises NoteError."""
    prefix, _, rest = path.partition("/")
    level, _, place = rest.partition("/")
    if prefix != "tile" or len(path) > _PATH_MAX_CHARACTERS:
        raise NoteError(f"{shown(path)} is not a tile's path: tile/<level>/<index>[.p/<width>]")
    return Tile(parse_decimal(level, TILE_MAX_LEVEL), *_parse_place(place))


def format_tile_path(tile: Tile) -> str:
    """``tile/<L>/<N>[.p/<W>]``, for example ``tile/0/x001/x234/067.p/8``; raises NoteError for no possible tile."""
    if not 0 <= tile.level <= TILE_MAX_LEVEL:
        raise NoteError(f"there is no tile of level {tile.level}")
    return f"tile/{format_decimal(tile.level)}/{_format_place(tile.index, tile.width)}"


def parse_entries_path(path: str) -> Bundle:
    """The bundle that ``tile/entries/<N>[.p/<W>]`` names; raises NoteError."""
    place = path.removeprefix("tile/entries/")
    if place == path or len(path) > _PATH_MAX_CHARACTERS:
        raise NoteError(f"{shown(path)} is not a bundle's path: tile/entries/<index>[.p/<width>]")
    return Bundle(*_parse_place(place))


def format_entries_path(bundle: Bundle) -> str:
    """``tile/entries/<N>[.p/<W>]``."""
    return f"tile/entries/{_format_place(bundle.index, bundle.width)}"


def parse_tile(raw: bytes, width: int) -> tuple[bytes, ...]:
    """The hashes of a tile that must have ``width`` of them; raises ProofError. They are not authenticated."""
    if len(raw) != width * HASH_BYTES:
        raise ProofError(f"a tile of {width} hashes has {width * HASH_BYTES} bytes, not {len(raw)}")
    return tuple(raw[start : start + HASH_BYTES] for start in range(0, len(raw), HASH_BYTES))


def format_tile(hashes: Sequence[bytes]) -> bytes:
    """The bytes of a tile of 1 to 256 hashes; raises ProofError."""
    raw = b"".join(hashes)
    if not 1 <= len(hashes) <= TILE_WIDTH or any(len(hashed) != HASH_BYTES for hashed in hashes):
        raise ProofError(f"a tile has 1 to {TILE_WIDTH} hashes of {HASH_BYTES} bytes")
    return raw


def parse_bundle(raw: bytes) -> list[bytes]:
    """The entries of a bundle, 1 to 256; raises ProofError. They are not authenticated."""
    if len(raw) > BUNDLE_MAX_BYTES:
        raise ProofError(f"a bundle has at most {BUNDLE_MAX_BYTES} bytes, not {len(raw)}")
    entries: list[bytes] = []
    end = 0
    while end < len(raw):
        start = end + BUNDLE_LENGTH_BYTES
        end = start + int.from_bytes(raw[end:start], "big")
        if len(entries) == TILE_WIDTH or end > len(raw) or start > len(raw):
            raise ProofError(f"the bundle is cut off in its entry {len(entries)}, or has more than {TILE_WIDTH}")
        entries.append(raw[start:end])
    if not entries:
        raise ProofError("the bundle is empty")
    return entries


def format_bundle(entries: Sequence[bytes]) -> bytes:
    """The bytes of a bundle of 1 to 256 entries: each behind its length as uint16, big-endian. Raises ProofError."""
    if not 1 <= len(entries) <= TILE_WIDTH or any(len(entry) > ENTRY_MAX_BYTES for entry in entries):
        raise ProofError(f"a bundle has 1 to {TILE_WIDTH} entries of at most {ENTRY_MAX_BYTES} bytes")
    return b"".join(struct.pack(">H", len(entry)) + entry for entry in entries)


def tile_width(level: int, index: int, size: int) -> int:
    """How many hashes the tile ``index`` at ``level`` has in a tree of ``size`` entries; 0 where it is not there."""
    return max(0, min(TILE_WIDTH, (size >> TILE_HEIGHT * level) - TILE_WIDTH * index))


def tiles_of(size: int, old_size: int = 0) -> Iterator[Tile]:
    """The tiles of a tree of ``size`` entries, level by level, without those that one of ``old_size`` has already."""
    level = 0
    while size >> TILE_HEIGHT * level:
        for index in range(*_grown(level, size, old_size)):
            yield Tile(level, index, tile_width(level, index, size))
        level += 1


def bundles_of(size: int, old_size: int = 0) -> Iterator[Bundle]:
    """The bundles of a log of ``size`` entries, in order, without those that one of ``old_size`` has already."""
    for index in range(*_grown(0, size, old_size)):
        yield Bundle(index, tile_width(0, index, size))


class TileReader:
    """Reads a log from files that nobody vouches for, against a checkpoint whose signatures the caller has verified.

    ``hash`` serves ``chain.merkle``'s ``prove_inclusion`` and ``prove_consistency``; ``entries`` goes through the log.
    It keeps one full tile a level and the partial tiles, and no bundle. Every method raises ProofError where a file is
    not what the checkpoint says, and passes on what ``fetch`` raises; a partial tile or bundle that is no longer there
    is taken from the full one. One thread at a time.
    """

    def __init__(self, fetch: Fetch, size: int, root: bytes) -> None:
        """Fetches the partial tiles of the tree of ``size`` entries and checks them against ``root``."""
        if not 0 <= size <= LOG_MAX_ENTRIES:
            raise ProofError(f"a log has at most {LOG_MAX_ENTRIES} entries, not {size}")
        self._fetch = fetch
        self._size = size
        self._partial = self._read_partial(root)
        self._full: dict[int, tuple[int, tuple[bytes, ...]]] = {}

    def tile(self, level: int, index: int) -> tuple[bytes, ...]:
        """The authenticated hashes of one tile, 1 to 256."""
        width = tile_width(level, index, self._size)
        if width == 0 or index < 0:
            raise ProofError(f"the tree of {self._size} entries has no tile {index} at level {level}")
        if width < TILE_WIDTH:
            return self._partial[level]
        if level not in self._full or self._full[level][0] != index:
            self._full[level] = index, self._read_full(level, index)
        return self._full[level][1]

    def hash(self, level: int, index: int) -> bytes:
        """The hash of the complete subtree ``index`` of 2**``level`` entries: a ``chain.merkle.ReadNode``."""
        tile_level, height = divmod(level, TILE_HEIGHT)
        tile_index, start = divmod(index << height, TILE_WIDTH)
        hashes = self.tile(tile_level, tile_index)[start : start + (1 << height)]
        if len(hashes) != 1 << height:
            raise ProofError(f"the tree of {self._size} entries has no complete subtree {index} at level {level}")
        return root_of(hashes)

    def bundle(self, index: int) -> list[bytes]:
        """The authenticated entries of one bundle, 1 to 256."""
        width = tile_width(0, index, self._size)
        if width == 0 or index < 0:
            raise ProofError(f"the log of {self._size} entries has no bundle {index}")
        raw, whole = self._fetch_part(format_entries_path(Bundle(index)), format_entries_path(Bundle(index, width)))
        entries = parse_bundle(raw)
        if whole:
            entries = entries[:width]
        hashes = [leaf_hash(entry) for entry in entries]
        if len(entries) != width or not self._matches(0, index, hashes):
            raise ProofError(f"bundle {index} does not hold the entries that the checkpoint of {self._size} says")
        return entries

    def entries(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Index and bytes of every entry from ``start`` on, in order, a bundle at a time."""
        for bundle_index in range(start // TILE_WIDTH, -(-self._size // TILE_WIDTH)):
            first = bundle_index * TILE_WIDTH
            for index, entry in enumerate(self.bundle(bundle_index), start=first):
                if index >= start:
                    yield index, entry

    def _matches(self, level: int, index: int, hashes: Sequence[bytes]) -> bool:
        """Whether ``hashes`` are those of the tile, by what is authenticated already: itself, or its parent."""
        if len(hashes) < TILE_WIDTH:
            return tuple(hashes) == self._partial[level]
        parent_index, place = divmod(index, TILE_WIDTH)
        return root_of(hashes) == self.tile(level + 1, parent_index)[place]

    def _read_full(self, level: int, index: int) -> tuple[bytes, ...]:
        hashes = parse_tile(self._fetch(format_tile_path(Tile(level, index))), TILE_WIDTH)
        if not self._matches(level, index, hashes):
            raise ProofError(f"tile {index} of level {level} is not the one that the checkpoint of {self._size} says")
        return hashes

    def _read_partial(self, root: bytes) -> dict[int, tuple[bytes, ...]]:
        """The partial tile of each level that has one; together they make ``root``.

        A tree of so many complete subtrees of 256**L entries, and fewer than 256**L entries after them, has the shape
        of a tree whose leaves are the roots of those subtrees and, last, the root over the rest.
        """
        partial: dict[int, tuple[bytes, ...]] = {}
        rest: list[bytes] = []
        level = 0
        while self._size >> TILE_HEIGHT * level:
            index, width = divmod(self._size >> TILE_HEIGHT * level, TILE_WIDTH)
            if width:
                partial[level] = self._fetch_partial(Tile(level, index, width))
                rest = [root_of([*partial[level], *rest])]
            level += 1
        if root_of(rest) != root:
            raise ProofError(f"the partial tiles do not make the root of the checkpoint of {self._size}")
        return partial

    def _fetch_partial(self, tile: Tile) -> tuple[bytes, ...]:
        full = Tile(tile.level, tile.index)
        raw, whole = self._fetch_part(format_tile_path(full), format_tile_path(tile))
        return parse_tile(raw, TILE_WIDTH if whole else tile.width)[: tile.width]

    def _fetch_part(self, full_path: str, part_path: str) -> tuple[bytes, bool]:
        """A partial file, or the full one where a grown log has deleted the part; and whether it is the full one."""
        try:
            return self._fetch(part_path), part_path == full_path
        except FileNotFoundError:
            if part_path == full_path:
                raise
            return self._fetch(full_path), True


def _grown(level: int, size: int, old_size: int) -> tuple[int, int]:
    """First and end of the tile indexes at ``level`` that differ between two sizes of a log."""
    hashes, old_hashes = size >> TILE_HEIGHT * level, old_size >> TILE_HEIGHT * level
    end = -(-hashes // TILE_WIDTH)
    return (old_hashes // TILE_WIDTH if old_hashes < hashes else end), end


def _parse_place(place: str) -> tuple[int, int]:
    """Index and width from ``<N>[.p/<W>]``."""
    groups, partial, width = place.partition(".p/")
    *heads, last = groups.split("/")
    if not all(head.startswith("x") for head in heads):
        raise NoteError(f"{shown(place)} is not a tile's index: every group of digits but the last begins with x")
    digits = "".join(head[1:] for head in heads) + last
    index = parse_decimal(digits.lstrip("0") or "0", LOG_MAX_ENTRIES)
    parsed = index, parse_decimal(width, TILE_WIDTH - 1) if partial else TILE_WIDTH
    if parsed[1] == 0 or _format_place(*parsed) != place:
        raise NoteError(f"{shown(place)} is not the one spelling of a tile's index and width, such as x001/067.p/8")
    return parsed


def _format_place(index: int, width: int) -> str:
    if not (0 <= index <= LOG_MAX_ENTRIES and 1 <= width <= TILE_WIDTH):
        raise NoteError(f"there is no tile of index {index} and width {width}")
    place = f"{index % _GROUP:03}"
    while index := index // _GROUP:
        place = f"x{index % _GROUP:03}/{place}"
    return place if width == TILE_WIDTH else f"{place}.p/{width}"
