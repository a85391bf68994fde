"""The hashes of a log's tree, kept as the tiles of tlog-tiles, so that any proof is read from a few of them.

A tile at tile level L holds up to 256 hashes of tree level 8 × L. Only complete subtrees are kept; the right edge of a
tree follows from them.
"""

from collections.abc import Callable, Sequence

from chain.merkle import HASH_BYTES, Frontier, frontier, root_of
from chain.tile import TILE_HEIGHT, TILE_WIDTH

ReadTile = Callable[[int, int], bytes]
"""From tile level and tile index to the hashes of that tile, side by side."""

TileRow = tuple[int, int, bytes]
"""Tile level, tile index, hashes."""

CACHED_TILES = 64


class HashTiles:
    """The hashes of a log of ``size`` entries, whose tiles ``read_tile`` gives."""

    def __init__(self, size: int, read_tile: ReadTile) -> None:
        self.size = size
        self._read_tile = read_tile
        self._edges: list[bytes] = []
        self._cache: dict[tuple[int, int], bytes] = {}
        while size:
            tile, width = divmod(size, TILE_WIDTH)
            self._edges.append(read_tile(len(self._edges), tile)[: width * HASH_BYTES] if width else b"")
            size = tile

    def append(self, leaf_hashes: Sequence[bytes]) -> list[TileRow]:
        """Add leaf hashes; the tiles to write, in the same transaction as the entries."""
        rows: list[TileRow] = []
        self._extend(0, leaf_hashes, self.size, rows)
        self.size += len(leaf_hashes)
        return rows

    def _extend(self, level: int, hashes: Sequence[bytes], position: int, rows: list[TileRow]) -> None:
        """Add ``hashes`` at ``position`` of a tile level; the roots of tiles that become full go to the level above."""
        if level == len(self._edges):
            self._edges.append(b"")
        above = position // TILE_WIDTH
        full: list[bytes] = []
        while hashes:
            tile, width = divmod(position, TILE_WIDTH)
            taken, hashes = hashes[: TILE_WIDTH - width], hashes[TILE_WIDTH - width :]
            edge = self._edges[level] + b"".join(taken)
            rows.append((level, tile, edge))
            position += len(taken)
            if position % TILE_WIDTH == 0:
                full.append(root_of(split_hashes(edge)))
                edge = b""
            self._edges[level] = edge
        if full:
            self._extend(level + 1, full, above, rows)

    def read(self, level: int, index: int) -> bytes:
        """The hash of the complete subtree of 2**level leaves at ``index`` (``chain.merkle.ReadNode``)."""
        tile_level, within = divmod(level, TILE_HEIGHT)
        start = index << within
        tile, offset = divmod(start, TILE_WIDTH)
        hashes = self._tile(tile_level, tile)[offset * HASH_BYTES : (offset + (1 << within)) * HASH_BYTES]
        return root_of(split_hashes(hashes))

    def frontier(self) -> Frontier:
        """The tree to go on appending to."""
        return frontier(self.size, self.read)

    def _tile(self, level: int, index: int) -> bytes:
        position = self.size >> TILE_HEIGHT * level
        if index == position // TILE_WIDTH:
            return self._edges[level]
        key = (level, index)
        found = self._cache.get(key)
        if found is None:
            if len(self._cache) >= CACHED_TILES:
                self._cache.pop(next(iter(self._cache)))
            found = self._cache[key] = self._read_tile(level, index)
        return found


def split_hashes(joined: bytes) -> list[bytes]:
    """Hashes that stand side by side, one by one."""
    return [joined[start : start + HASH_BYTES] for start in range(0, len(joined), HASH_BYTES)]
