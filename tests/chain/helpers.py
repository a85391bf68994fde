"""What the tests of ``chain`` share: the published vectors, keys, logs in memory, and ways to mangle bytes."""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from chain.keys import MldsaSigningKey, SigningKey
from chain.merkle import leaf_hash, levels_of
from chain.tile import (
    TILE_HEIGHT,
    bundles_of,
    format_bundle,
    format_entries_path,
    format_tile,
    format_tile_path,
    tiles_of,
)

PUBLISHED = Path(__file__).resolve().parent.parent / "vectors" / "published"

ORIGIN = "village.example/huzhu"
NODE_KEY = SigningKey(bytes(range(32)))
OTHER_KEY = SigningKey(bytes(range(1, 33)))
MLDSA_KEY = MldsaSigningKey(bytes(range(2, 34)))


def published(name: str) -> list[dict[str, Any]]:
    """The cases of one published file."""
    cases: list[dict[str, Any]] = json.loads((PUBLISHED / name).read_text("utf-8"))
    return cases


def from_base64(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def some_entries(count: int) -> list[bytes]:
    """Entries that are as good as any where nobody reads them."""
    return [b"entry %d" % index for index in range(count)]


def node_reader(entries: Sequence[bytes]) -> Any:
    """``read(level, index)`` over entries in memory."""
    levels = levels_of([leaf_hash(entry) for entry in entries])
    return lambda level, index: levels[level][index]


def tile_files(entries: Sequence[bytes]) -> dict[str, bytes]:
    """Path and bytes of every tile and bundle of a log."""
    files = {}
    levels = levels_of([leaf_hash(entry) for entry in entries])
    for tile in tiles_of(len(entries)):
        first = tile.index * 256
        hashes = levels[TILE_HEIGHT * tile.level][first : first + tile.width]
        files[format_tile_path(tile)] = format_tile(hashes)
    for bundle in bundles_of(len(entries)):
        first = bundle.index * 256
        files[format_entries_path(bundle)] = format_bundle(entries[first : first + bundle.width])
    return files


def flipped(raw: bytes, bits: Sequence[int] = (0, 5)) -> Iterator[bytes]:
    """``raw`` with one bit of one byte turned over, for every byte and each of ``bits``."""
    for place in range(len(raw)):
        for bit in bits:
            yield raw[:place] + bytes([raw[place] ^ 1 << bit]) + raw[place + 1 :]


def without_a_line(raw: bytes) -> Iterator[bytes]:
    """``raw`` with one line dropped, for every line."""
    lines = raw.splitlines(keepends=True)
    for place in range(len(lines)):
        yield b"".join(lines[:place] + lines[place + 1 :])


def with_a_line_twice(raw: bytes) -> Iterator[bytes]:
    """``raw`` with one line repeated, for every line."""
    lines = raw.splitlines(keepends=True)
    for place in range(len(lines)):
        yield b"".join(lines[: place + 1] + lines[place:])


def with_a_number_moved(raw: bytes) -> Iterator[bytes]:
    """``raw`` with one decimal number, a word of its own, moved up or down by one."""
    for found in re.finditer(rb"(?<![^ \n])[0-9]+(?![^ \n])", raw):
        for step in (-1, 1):
            if (moved := int(found[0]) + step) >= 0:
                yield raw[: found.start()] + b"%d" % moved + raw[found.end() :]


def cut_off(raw: bytes) -> Iterator[bytes]:
    """Every true beginning of ``raw``."""
    for length in range(len(raw)):
        yield raw[:length]


def mangled(raw: bytes) -> Iterator[bytes]:
    """All of the above."""
    for mangle in (flipped, without_a_line, with_a_number_moved, cut_off):
        yield from mangle(raw)
