"""The logs as static files, exactly as C2SP tlog-tiles has them: below ``/log/<origin>/``, open to everybody.

    checkpoint                       may be stale for a moment: revalidated by its ETag
    tile/<L>/<N>[.p/<W>]             never change, and may be cached for ever
    tile/entries/<N>[.p/<W>]         the same; compressed for whoever takes it, each encoding with its own ETag
    /log/origins                     which logs there are, one a line, the own one first

Only what the newest signed checkpoint covers is served: what it does not cover might still go away. This is a plain
ASGI application beside FastAPI's: most of what a mirror asks for is answered from memory. What is in memory is let go
when a ledger's file was replaced or its checkpoint covers less than before, as after a restore.
"""

import gzip
import hashlib
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, NamedTuple

import zstandard

from chain.errors import NoteError
from chain.tile import TILE_WIDTH, Bundle, Tile, format_bundle, parse_entries_path, parse_tile_path, tile_width
from store.log import StoreError
from store.reading import KeptLedger
from web.i18n import translate as _
from web.problem import PROBLEM_TYPE, Problem, format_problem
from web.service.ledgers import Ledgers

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIX = "/log/"
PATH_MAX_CHARACTERS = 400
CACHE_BYTES = 64 * 1_048_576
COMPRESSED_FROM_BYTES, COMPRESSED_MAX_BYTES = 512, 2 * 1_048_576
"""Smaller files gain nothing, larger ones would keep everybody else waiting."""
GZIP_LEVEL, ZSTD_LEVEL = 5, 3
TEXT, BYTES = b"text/plain; charset=utf-8", b"application/octet-stream"
FOR_EVER = b"public, max-age=31536000, immutable"
MOMENT = b"public, max-age=5, must-revalidate"
GZIP, ZSTD, IDENTITY = b"gzip", b"zstd", b"identity"

_WEIGHT = re.compile(rb"q\s*=\s*([01](?:\.[0-9]{0,3})?)")
Headers = list[tuple[bytes, bytes]]


class File(NamedTuple):
    """A file ready to be sent: its bytes, how it may be compressed, and its headers but for those of one encoding.

    ``name`` is what its entity tags begin with. ``encoded`` keeps what was asked for once.
    """

    plain: bytes
    name: bytes
    headers: Headers
    encodings: tuple[bytes, ...]
    encoded: dict[bytes, bytes]


class LogFiles:
    """The ASGI application. One event loop at a time."""

    def __init__(self, ledgers: Ledgers, headers: Headers) -> None:
        """``headers`` go with every answer."""
        self._ledgers = ledgers
        self._headers = headers
        self._cache: OrderedDict[str, tuple[File, int]] = OrderedDict()
        self._cached_bytes = 0
        self._seen: dict[str, tuple[KeptLedger, int]] = {}

    async def __call__(self, scope: Scope, _receive: object, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        if method not in ("GET", "HEAD"):
            problem = Problem(405, "bad-method", _("GET only"), _("the log is read only: use GET or HEAD"))
            await self._refuse(send, problem, [(b"allow", b"GET, HEAD")])
            return
        try:
            file = self._find(path)
        except StoreError:
            text = _("the node's disk fails; tell whoever runs it")
            await self._refuse(send, Problem(503, "no-storage", _("the node's disk fails"), text), [])
            return
        if file is None:
            text = _("there is no such file of a log under its newest checkpoint")
            await self._refuse(send, Problem(404, "no-file", _("no such file"), text), [])
            return
        await self._answer(scope, send, file)

    def _find(self, path: str) -> File | None:
        """The file of that path; None where there is none."""
        if path == PREFIX + "origins":
            return _file("".join(f"{each}\n" for each in self._ledgers.origins()).encode(), TEXT, MOMENT)
        rest = path.removeprefix(PREFIX)
        if len(path) > PATH_MAX_CHARACTERS:
            return None
        if rest.endswith("/checkpoint"):
            ledger = self._ledgers.find(rest.removesuffix("/checkpoint"))
            last = None if ledger is None else ledger.checkpoint()
            return None if last is None else _file(last[1], TEXT, MOMENT)
        origin, _slash, place = rest.rpartition("/tile/")
        ledger = self._ledgers.find(origin) if place else None
        if ledger is None:
            return None
        self._see(ledger)
        cached = self._cache.get(path)
        if cached is not None:
            self._cache.move_to_end(path)
            return cached[0]
        return self._tile(path, ledger, f"tile/{place}")

    def _see(self, ledger: KeptLedger) -> None:
        """Forget all files where this ledger is not what it was, or more."""
        size, (seen, seen_size) = ledger.size, self._seen.get(ledger.origin, (ledger, 0))
        if seen is not ledger or size < seen_size:
            self._cache.clear()
            self._cached_bytes = 0
        self._seen[ledger.origin] = ledger, size

    def _tile(self, path: str, ledger: KeptLedger, place: str) -> File | None:
        try:
            if place.startswith("tile/entries/"):
                file = _bundle(ledger, parse_entries_path(place))
            else:
                file = _hashes(ledger, parse_tile_path(place))
        except NoteError:
            return None
        if file is not None:
            self._keep(path, file)
        return file

    def _keep(self, path: str, file: File) -> None:
        """Remember a file that never changes, in place of those that nobody asked for longest."""
        size = len(file.plain) * (1 + len(file.encodings))
        if size > CACHE_BYTES // 4:
            return
        self._cache[path] = file, size
        self._cached_bytes += size
        while self._cached_bytes > CACHE_BYTES:
            _path, (_old, old_size) = self._cache.popitem(last=False)
            self._cached_bytes -= old_size

    async def _answer(self, scope: Scope, send: Send, file: File) -> None:
        accepted, known = (_listed(scope, name) for name in (b"accept-encoding", b"if-none-match"))
        encodings = _taken(accepted, file.encodings)
        headers = self._headers + file.headers
        held = _held(file, encodings, known) if known else None
        if held is not None:
            await send({"type": "http.response.start", "status": 304, "headers": [*headers, (b"etag", held)]})
            await send({"type": "http.response.body", "body": b""})
            return
        encoding = encodings[0] if encodings else IDENTITY
        body = file.plain
        if encoding != IDENTITY:
            headers = [*headers, (b"content-encoding", encoding)]
            body = _encoded(file, encoding)
        headers = [*headers, (b"etag", _tag(file, encoding)), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _refuse(self, send: Send, problem: Problem, more: Headers) -> None:
        body = format_problem(problem)
        headers = [
            *self._headers,
            *more,
            (b"content-type", PROBLEM_TYPE.encode()),
            (b"cache-control", b"no-store"),
            (b"content-length", b"%d" % len(body)),
        ]
        await send({"type": "http.response.start", "status": problem.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _hashes(ledger: KeptLedger, tile: Tile) -> File | None:
    """A tile of hashes, which nothing makes smaller."""
    if tile.width > tile_width(tile.level, tile.index, ledger.size):
        return None
    return _file(ledger.tile(tile.level, tile.index, tile.width), BYTES, FOR_EVER)


def _bundle(ledger: KeptLedger, bundle: Bundle) -> File | None:
    if bundle.width > tile_width(0, bundle.index, ledger.size):
        return None
    start = bundle.index * TILE_WIDTH
    return _file(format_bundle(ledger.entries(start, start + bundle.width)), BYTES, FOR_EVER, compressed=True)


def _file(raw: bytes, kind: bytes, cache: bytes, *, compressed: bool = False) -> File:
    name = hashlib.sha256(raw).hexdigest()[:32].encode()
    headers = [(b"content-type", kind), (b"cache-control", cache)]
    if not compressed or not COMPRESSED_FROM_BYTES <= len(raw) <= COMPRESSED_MAX_BYTES:
        return File(raw, name, headers, (), {})
    headers.append((b"vary", b"accept-encoding"))
    return File(raw, name, headers, (ZSTD, GZIP), {})


def _tag(file: File, encoding: bytes) -> bytes:
    """The entity tag of the file as it is sent in that encoding: strong ones differ wherever the bytes do."""
    return b'"%s"' % file.name if encoding == IDENTITY else b'"%s-%s"' % (file.name, encoding)


def _held(file: File, encodings: list[bytes], known: bytes) -> bytes | None:
    """Of the forms that the client takes, the one that it has by its ``If-None-Match`` (RFC 9110 §13.1.2)."""
    tags = [_tag(file, encoding) for encoding in (*encodings, IDENTITY)]
    if known.strip() == b"*":
        return tags[0]
    listed = {each.strip().removeprefix(b"W/") for each in known.split(b",")}
    return next((tag for tag in tags if tag in listed), None)


def _encoded(file: File, encoding: bytes) -> bytes:
    found = file.encoded.get(encoding)
    if found is None:
        if encoding == ZSTD:
            found = zstandard.ZstdCompressor(ZSTD_LEVEL).compress(file.plain)
        else:
            found = gzip.compress(file.plain, GZIP_LEVEL, mtime=0)
        file.encoded[encoding] = found
    return found


def _listed(scope: Scope, name: bytes) -> bytes:
    """A header that is a list, whose lines are one (RFC 9110 §5.3)."""
    return b",".join(value for each, value in scope["headers"] if each == name)


def _taken(accepted: bytes, encodings: Sequence[bytes]) -> list[bytes]:
    """Those of our encodings that the client takes no less gladly than none; the dearest to it first, then to us.

    Who takes nothing at all, not even none, gets the file as it is.
    """
    weights = _weights(accepted)
    others = weights.get(b"*", 0.0)
    plain = weights.get(IDENTITY, others)
    found = [(weights.get(each, others), each) for each in encodings]
    return [each for weight, each in sorted(found, key=lambda pair: -pair[0]) if weight and weight >= plain]


def _weights(accepted: bytes) -> dict[bytes, float]:
    """What ``Accept-Encoding`` says of each encoding, and of all others by ``*`` (RFC 9110 §12.5.3)."""
    weights: dict[bytes, float] = {}
    for part in accepted.lower().split(b","):
        name, _semicolon, weight = part.partition(b";")
        told = _WEIGHT.fullmatch(weight.strip())
        weights.setdefault(name.strip(), 1.0 if told is None else float(told[1]))
    return weights
