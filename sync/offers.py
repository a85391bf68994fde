"""A ledger as somebody offers it: the files of tlog-tiles, from a node's site or made from an archive.

    offers = site_offers(site)                    # asks GET /log/origins
    offers = archive_offers(ledgers)              # ``verify.source.Source``s
    fetch = offers["village.example/huzhu"]
    raw = fetch("checkpoint", CHECKPOINT_MAX_BYTES)

Nothing that comes through here is believed: ``sync.mirror`` authenticates it against a signed checkpoint. ``Ahead``
asks for bundles before they are needed, so that a long line costs its delay once and not with every file.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from functools import partial
from gettext import gettext as _
from itertools import islice

from chain.encoding import shown
from chain.fields import is_origin
from chain.limits import ORIGIN_MAX_BYTES
from chain.merkle import leaf_hash, root_of
from chain.tile import (
    BUNDLE_MAX_BYTES,
    TILE_MAX_BYTES,
    TILE_WIDTH,
    Bundle,
    Tile,
    format_bundle,
    format_entries_path,
    format_tile,
    parse_entries_path,
    parse_tile_path,
)
from sync.fetch import FetchError, Site
from verify.source import Source

CHECKPOINT = "checkpoint"
ORIGINS_MAX = 100_000
"""Ledgers below one child; a city has 690,000 villages, its counties some hundred each."""
ORIGINS_MAX_BYTES = ORIGINS_MAX * (ORIGIN_MAX_BYTES + 1)
AHEAD_BUNDLES = 4
"""So many bundles of at most 16 MiB are under way or wait at once."""

Fetch = Callable[[str, int], bytes]
"""From a path inside a ledger's folder, and how many bytes it may have at most, to the bytes.

Raises FileNotFoundError where there is none, FetchError for everything else.
"""


def site_offers(site: Site) -> dict[str, Fetch]:
    """The ledgers that a site serves, its own first; raises FetchError."""
    try:
        raw = site.get("log/origins", ORIGINS_MAX_BYTES)
    except FileNotFoundError:
        raise FetchError(_("{url} serves no logs: is the address right?").format(url=site.url)) from None
    origins = raw.decode("ascii", errors="replace").split("\n")
    if origins.pop() or not origins or len(origins) > ORIGINS_MAX:
        raise FetchError(_("{url} does not say which logs it serves, one on each line").format(url=site.url))
    for origin in origins:
        if not is_origin(origin):
            text = _("{url} says that it serves {origin}, which cannot name a ledger")
            raise FetchError(text.format(url=site.url, origin=shown(origin)))
    return {origin: site_offer(site, origin) for origin in origins}


def site_offer(site: Site, origin: str) -> Fetch:
    """One ledger on a site."""
    return lambda path, maximum_bytes: site.get(f"log/{origin}/{path}", maximum_bytes)


def archive_offers(ledgers: Iterable[Source]) -> dict[str, Fetch]:
    """The ledgers of an archive."""
    return {ledger.origin: ArchiveOffer(ledger) for ledger in ledgers}


class ArchiveOffer:
    """The files that a site would serve, made from rows that nobody has checked."""

    def __init__(self, ledger: Source) -> None:
        self._ledger = ledger
        self._above: list[list[bytes]] = []
        """The hashes of tile level 1, and so on up; made when the first of them is asked for."""

    def __call__(self, path: str, maximum_bytes: int) -> bytes:  # noqa: ARG002 - rows are bounded when they are read
        if path == CHECKPOINT:
            return self._checkpoint()
        if path.startswith("tile/entries/"):
            return self._bundle(parse_entries_path(path))
        return self._tile(parse_tile_path(path))

    def _checkpoint(self) -> bytes:
        """The one of the largest size."""
        note = b""
        for _size, note in self._ledger.checkpoints():  # noqa: B007 - the last one is meant
            pass
        if not note:
            raise FetchError(_("the archive has no checkpoint of {origin}").format(origin=self._ledger.origin))
        return note

    def _bundle(self, bundle: Bundle) -> bytes:
        return format_bundle(self._entries(bundle.index * TILE_WIDTH, bundle.width))

    def _tile(self, tile: Tile) -> bytes:
        if tile.level == 0:
            return format_tile([leaf_hash(raw) for raw in self._entries(tile.index * TILE_WIDTH, tile.width)])
        if not self._above:
            self._hash_all()
        start = tile.index * TILE_WIDTH
        hashes = self._above[tile.level - 1][start : start + tile.width] if tile.level <= len(self._above) else []
        if len(hashes) != tile.width:
            raise self._lacking()
        return format_tile(hashes)

    def _entries(self, start: int, count: int) -> list[bytes]:
        """So many entries from ``start`` on, without a gap."""
        entries = []
        for expected, (index, raw) in enumerate(islice(self._ledger.rows(start), count), start):
            if index != expected or raw is None:
                raise self._lacking()
            entries.append(raw)
        if len(entries) != count:
            raise self._lacking()
        return entries

    def _hash_all(self) -> None:
        """The roots over each 256 entries, over each 65,536, and so on: 32 bytes for each 256 entries."""
        level = list(self._full_roots())
        while level:
            self._above.append(level)
            level = [root_of(level[at : at + TILE_WIDTH]) for at in range(0, len(level) - TILE_WIDTH + 1, TILE_WIDTH)]

    def _full_roots(self) -> Iterator[bytes]:
        hashes: list[bytes] = []
        for expected, (index, raw) in enumerate(self._ledger.rows()):
            if index != expected or raw is None:
                return
            hashes.append(leaf_hash(raw))
            if len(hashes) == TILE_WIDTH:
                yield root_of(hashes)
                hashes.clear()

    def _lacking(self) -> FetchError:
        text = _("the archive lacks entries of {origin} that its checkpoint claims: copy it again")
        return FetchError(text.format(origin=self._ledger.origin))


class Ahead:
    """Fetches files for ``chain.tile.TileReader``, each with its bound; bundles before they are asked for."""

    def __init__(self, fetch: Fetch, executor: Executor | None, bundles: Iterable[Bundle]) -> None:
        """``bundles`` are those that will be asked for, each once, in order; without ``executor`` none comes early."""
        self._fetch = fetch
        self._executor = executor
        self._coming = iter(bundles if executor is not None else ())
        self._under_way: deque[tuple[str, Future[bytes]]] = deque()

    def __call__(self, path: str) -> bytes:
        if not path.startswith("tile/entries/"):
            return self._fetch(path, TILE_MAX_BYTES)
        if not self._under_way or self._under_way[0][0] != path:
            return self._fetch(path, BUNDLE_MAX_BYTES)
        future = self._under_way.popleft()[1]
        self.look_ahead()
        return future.result()

    def look_ahead(self) -> None:
        """Ask for the next bundles, as many as may be under way."""
        if self._executor is None:
            return
        for bundle in islice(self._coming, AHEAD_BUNDLES - len(self._under_way)):
            path = format_entries_path(bundle)
            self._under_way.append((path, self._executor.submit(partial(self._fetch, path, BUNDLE_MAX_BYTES))))

    def stop(self) -> None:
        """Ask for nothing more; what is under way ends by itself."""
        while self._under_way:
            self._under_way.popleft()[1].cancel()
