"""Ledgers as static files in the layout of tlog-tiles (FORMAT §9): a folder, or the same behind http(s).

An audit needs the checkpoint and the bundles alone: it computes every hash itself. So a changed byte is named by the
entry in which it stands, and what cannot be fetched ends the log there, short of what its checkpoint claims.
"""

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from gettext import gettext as _
from itertools import islice
from pathlib import Path

from chain.checkpoint import CHECKPOINT_MAX_BYTES, open_checkpoint
from chain.errors import ChainError, ProofError
from chain.fields import is_origin
from chain.tile import (
    BUNDLE_MAX_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    Bundle,
    Tile,
    bundles_of,
    format_bundle,
    format_entries_path,
    format_tile_path,
    parse_bundle,
    tiles_of,
)
from store.hashes import HashTiles
from store.log import LogStore, StoreError

CHECKPOINT = "checkpoint"
ORIGINS = "log/origins"
"""Below a node's address: the ledgers that it serves, one origin a line."""
ORIGINS_MAX_BYTES = 2**22
FOLDER_LEDGERS_MAX = 1_000
"""More checkpoints than this lie in no folder that an export made."""
TIMEOUT_SECONDS = 30
GONE = (404, 410)

Fetch = Callable[[str, int], bytes]
"""From a path inside the ledger's folder, and how many bytes it may have at most, to the bytes. Raises OSError."""


class TileLedger:
    """One ledger's static files (``verify.source.Source``)."""

    def __init__(self, fetch: Fetch, name: str) -> None:
        try:
            self._note = fetch(CHECKPOINT, CHECKPOINT_MAX_BYTES)
            self._checkpoint, _signed = open_checkpoint(self._note)
        except (OSError, ChainError) as error:
            text = _("{name} has no checkpoint that can be read: {error}")
            raise StoreError(text.format(name=name, error=error)) from error
        self.name = name
        self._fetch = fetch
        self._digests: dict[int, bytes] = {}
        self._last: tuple[int, Sequence[bytes]] = (-1, ())
        self.origin = self._checkpoint.origin

    def size(self) -> int:
        """How many entries the checkpoint claims."""
        return self._checkpoint.size

    def rows(self, start: int = 0) -> Iterator[tuple[int, bytes | None]]:
        """All entries from ``start`` on, up to the first bundle that cannot be had."""
        for bundle in bundles_of(self._checkpoint.size, start):
            first = bundle.index * TILE_WIDTH
            try:
                entries = self._bundle(bundle)
            except (OSError, ProofError):
                return
            self._digests[bundle.index] = _digest(entries)
            yield from islice(enumerate(entries, first), max(0, start - first), None)

    def entry(self, index: int) -> bytes:
        """One entry; raises StoreError where its bundle is another the second time.

        Of a bundle that ``rows`` has not given the audit says whether it is the one it knows.
        """
        if index >= self._checkpoint.size:
            raise IndexError(index)
        number, offset = divmod(index, TILE_WIDTH)
        if self._last[0] != number:
            try:
                entries = self._bundle(Bundle(number, min(TILE_WIDTH, self._checkpoint.size - number * TILE_WIDTH)))
            except (OSError, ProofError) as error:
                text = _("{name} does not give bundle {number} a second time: {error}")
                raise StoreError(text.format(name=self.name, number=number, error=error)) from error
            if _digest(entries) != self._digests.setdefault(number, _digest(entries)):
                text = _("{name} gives another bundle {number} the second time; try again")
                raise StoreError(text.format(name=self.name, number=number))
            self._last = number, entries
        return self._last[1][offset]

    def checkpoints(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """The one that stands there, where it is not of a smaller size than ``start``."""
        if self._checkpoint.size >= start:
            yield self._checkpoint.size, self._note

    def _bundle(self, bundle: Bundle) -> Sequence[bytes]:
        """Its entries; of a partial one that a log has outgrown, they are taken from the full one."""
        try:
            entries = parse_bundle(self._fetch(format_entries_path(bundle), BUNDLE_MAX_BYTES))
        except FileNotFoundError:
            full = Bundle(bundle.index)
            return parse_bundle(self._fetch(format_entries_path(full), BUNDLE_MAX_BYTES))[: bundle.width]
        if len(entries) > bundle.width:
            text = _("bundle {number} has {count} entries instead of {width}")
            raise ProofError(text.format(number=bundle.index, count=len(entries), width=bundle.width))
        return entries


def open_folder(folder: Path) -> list[TileLedger]:
    """The ledgers whose files lie in a folder or below it."""
    found = sorted(islice((file for file in folder.rglob(CHECKPOINT) if file.is_file()), FOLDER_LEDGERS_MAX + 1))
    if len(found) > FOLDER_LEDGERS_MAX:
        text = _("{folder} holds more than {count} files named `checkpoint`: name the folder of one export")
        raise StoreError(text.format(folder=folder, count=FOLDER_LEDGERS_MAX))
    if not found:
        raise StoreError(_("{folder} holds no tiles of a ledger: no file named `checkpoint`").format(folder=folder))
    return [open_tiles(file.parent) for file in found]


def open_tiles(folder: Path) -> TileLedger:
    """The ledger whose files lie in a folder."""
    return TileLedger(_folder_fetch(folder), str(folder))


def open_address(address: str) -> list[TileLedger]:
    """The ledger behind an http(s) address, or all that a node serves there."""
    base = address.rstrip("/")
    fetch = _http_fetch(base)
    try:
        fetch(CHECKPOINT, CHECKPOINT_MAX_BYTES)
        return [TileLedger(fetch, base)]
    except FileNotFoundError:
        origins = _served_origins(fetch, base)
    except OSError as error:
        text = _("{name} has no checkpoint that can be read: {error}")
        raise StoreError(text.format(name=base, error=error)) from error
    return [_served(f"{base}/log/{origin}", origin) for origin in origins]


def _served_origins(fetch: Fetch, base: str) -> list[str]:
    """What a node says it serves."""
    try:
        listed = fetch(ORIGINS, ORIGINS_MAX_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        text = _("{name} has neither a checkpoint nor a list of ledgers that can be read: {error}")
        raise StoreError(text.format(name=base, error=error)) from error
    origins = listed.splitlines()
    if not origins or not all(is_origin(origin) for origin in origins):
        text = _("{name} does not list the ledgers that it serves, one a line")
        raise StoreError(text.format(name=f"{base}/{ORIGINS}"))
    return list(dict.fromkeys(origins))


def _served(address: str, origin: str) -> TileLedger:
    ledger = TileLedger(_http_fetch(address), address)
    if ledger.origin != origin:
        text = _("{name} has a checkpoint of another ledger: {origin}")
        raise StoreError(text.format(name=address, origin=ledger.origin))
    return ledger


def write_tiles(store: LogStore, folder: Path) -> int:
    """Write the ledger's newest checkpoint with its tiles and bundles below ``folder``; the size it covers.

    The checkpoint comes last: whoever reads meanwhile finds all that it claims.
    """
    last = store.last_checkpoint()
    if last is None:
        raise StoreError(_("nothing is sealed yet: run `huzhu seal` first"))
    size, note = last
    target = folder / store.origin
    for tile in tiles_of(size):
        _write(target / format_tile_path(tile), _tile_bytes(store.hashes, tile))
    for bundle in bundles_of(size):
        start = bundle.index * TILE_WIDTH
        entries = list(store.entries(start, start + bundle.width))
        _write(target / format_entries_path(bundle), format_bundle(entries))
    _write(target / CHECKPOINT, note)
    return size


def _tile_bytes(hashes: HashTiles, tile: Tile) -> bytes:
    first = tile.index * TILE_WIDTH
    return b"".join(hashes.read(tile.level * TILE_HEIGHT, first + offset) for offset in range(tile.width))


def _digest(entries: Sequence[bytes]) -> bytes:
    return hashlib.sha256(format_bundle(entries)).digest()


def _write(path: Path, raw: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(raw)
    draft.replace(path)


def _folder_fetch(folder: Path) -> Fetch:
    def fetch(path: str, maximum_bytes: int) -> bytes:
        if not (folder / path).is_file():
            raise FileNotFoundError(_("{path} is not a file").format(path=path))
        with (folder / path).open("rb") as file:
            return _bounded(file.read(maximum_bytes + 1), maximum_bytes, path)

    return fetch


def _http_fetch(address: str) -> Fetch:
    def fetch(path: str, maximum_bytes: int) -> bytes:
        try:
            with urllib.request.urlopen(f"{address}/{path}", timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                return _bounded(answer.read(maximum_bytes + 1), maximum_bytes, path)
        except urllib.error.HTTPError as error:
            error.close()
            kind = FileNotFoundError if error.code in GONE else OSError
            raise kind(_("{path}: status {status}").format(path=path, status=error.code)) from None
        except (http.client.HTTPException, ValueError) as error:
            raise OSError(f"{path}: {str(error)[:100]!a}") from error

    if not address.startswith(("http://", "https://")):
        raise StoreError(_("{address} is not an http(s) address").format(address=address))
    return fetch


def _bounded(raw: bytes, maximum_bytes: int, path: str) -> bytes:
    if len(raw) > maximum_bytes:
        raise OSError(_("{path} has more than {count} bytes").format(path=path, count=maximum_bytes))
    return raw
