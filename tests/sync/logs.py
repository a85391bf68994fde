"""Logs served on loopback as their nodes would, or with a lie in one place; and a home for what mirrors them."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from chain.checkpoint import open_checkpoint
from chain.keys import SigningKey
from chain.limits import SHEET_MAX_STATEMENTS
from chain.merkle import leaf_hash
from chain.note import format_vkey
from chain.tile import (
    TILE_HEIGHT,
    TILE_WIDTH,
    format_bundle,
    parse_entries_path,
    parse_tile_path,
)
from ledger.bodies import OrgAdmit
from node import Founding, Node, NodeKeys
from store.log import LogStore, MemoryStore
from store.mirror import MirrorLog, MirrorStore
from store.tending import keep_evidence
from sync.fetch import Site
from sync.kept import Bounds, Pulled, Workers, no_workers
from sync.mirror import Mirror
from tests.store.village import CLERK, KEYS, MEMBERS, PARAMETERS, HandClock, accepted, donation, open_accounts, record

PARENT = "county.example/huzhu"
VILLAGE = "village.example/huzhu"
TOWNSHIP = "township.example/huzhu"

Answer = Callable[[str], bytes]
"""From a path below /log/ to the bytes; FileNotFoundError for none. Anything else it raises hangs up."""


def ledger(
    origin: str = VILLAGE, store: LogStore | None = None, keys: NodeKeys = KEYS, tier: str = "village"
) -> Node:
    """A sealed ledger with six accounts and a record."""
    node = Node(store or MemoryStore(origin), keys, HandClock())
    node.found(
        Founding(
            origin=origin,
            clerks=[CLERK],
            members=list(MEMBERS),
            threshold=2,
            parameters=PARAMETERS,
            tier=tier,  # type: ignore[arg-type]
        )
    )
    open_accounts(node)
    grow(node)
    return node


def grow(node: Node, donations: int = 1, minutes: int = 1) -> int:
    """So many records more, sealed; the new size."""
    for start in range(0, donations, SHEET_MAX_STATEMENTS):
        record(node, [donation(minutes)] * min(SHEET_MAX_STATEMENTS, donations - start))
    return node.seal()


def admit(node: Node, below: Node, tier: str = "village") -> None:
    """Enter another ledger into this one, and seal."""
    body = OrgAdmit(origin=below.origin, tier=tier, vkey=format_vkey(below.vkey))
    accepted(node.write(MEMBERS[0], MEMBERS[1:2], [body]))
    node.seal()


def copy(node: Node, size: int | None = None, keys: NodeKeys = KEYS) -> Node:
    """The same ledger in another store, as it was at a checkpoint: a restored disk, or the beginning of a fork."""
    size = node.store.size if size is None else size
    store = MemoryStore(node.origin)
    entries = list(node.store.entries(0, size))
    store.append(entries, [leaf_hash(raw) for raw in entries], {})
    for at, note in node.store.checkpoints():
        if at <= size:
            store.put_checkpoint(at, note)
    store.commit()
    clock = HandClock()
    clock.now = node._clock()
    return Node(store, keys, clock)


class Shelf:
    """A ledger that no node would have written, as it is served."""

    def __init__(self, store: LogStore) -> None:
        self.store = store
        self.origin = store.origin

    def checkpoint(self) -> bytes:
        last = self.store.last_checkpoint()
        assert last is not None
        return last[1]


def files(*nodes: Node | Shelf) -> Answer:
    """What a node serves that has these ledgers, its own first."""
    by_origin = {node.origin: node for node in nodes}

    def answer(path: str) -> bytes:
        if path == "origins":
            return "".join(f"{origin}\n" for origin in by_origin).encode()
        for origin, node in by_origin.items():
            if path.startswith(f"{origin}/"):
                return file_of(node, path.removeprefix(f"{origin}/"))
        raise FileNotFoundError(path)

    return answer


def file_of(node: Node | Shelf, path: str) -> bytes:
    """A file of the log's newest checkpoint."""
    store = node.store
    note = node.checkpoint()
    size = open_checkpoint(note)[0].size
    if path == "checkpoint":
        return note
    if path.startswith("tile/entries/"):
        bundle = parse_entries_path(path)
        start = bundle.index * TILE_WIDTH
        entries = list(store.entries(start, min(size, start + bundle.width)))
        if len(entries) != bundle.width:
            raise FileNotFoundError(path)
        return format_bundle(entries)
    tile = parse_tile_path(path)
    start = tile.index * TILE_WIDTH
    if (start + tile.width) << TILE_HEIGHT * tile.level > size:
        raise FileNotFoundError(path)
    return b"".join(store.hashes.read(tile.level * TILE_HEIGHT, start + place) for place in range(tile.width))


def lying(honest: Answer, lies: Mapping[str, bytes | Exception | Callable[[bytes], bytes]]) -> Answer:
    """Honest but at some paths: those that end so."""

    def answer(path: str) -> bytes:
        for end, lie in lies.items():
            if path.endswith(end):
                if isinstance(lie, Exception):
                    raise lie
                return lie(honest(path)) if callable(lie) else lie
        return honest(path)

    return answer


@contextmanager
def served(answer: Answer, asked: list[str] | None = None) -> Iterator[str]:
    """An address under which the logs are; ``asked`` is told each path."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        """Each answer in one piece: the system would hold back the second of two."""

        def do_GET(self) -> None:
            path = self.path.removeprefix("/log/")
            if asked is not None:
                asked.append(path)
            try:
                body, status = answer(path), 200
            except FileNotFoundError:
                body, status = b"", 404
            except Exception:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Keeper:
    """A node that mirrors: its mirror, and its evidence."""

    def __init__(self, folder: Path, *children: Node, tier: str = "village", bounds: Bounds | None = None) -> None:
        self.folder = folder
        self.store = MirrorStore(folder / "mirror.db")
        self.admitted = {node.origin: (format_vkey(node.vkey), tier) for node in children}
        self.bounds = bounds
        self.free = 10**12
        self.workers: Workers = no_workers

    def mirror(self) -> Mirror:
        def keep(name: str, raw: bytes) -> str:
            return str(keep_evidence(self.folder / "evidence", name, raw))

        return Mirror(self.store, PARENT, self.admitted, keep, lambda: self.free, self.bounds, self.workers, jobs=2)

    def pull(
        self, answer: Answer, child: str = VILLAGE, asked: list[str] | None = None, *, patience: float = 20
    ) -> list[Pulled]:
        """One round with a child that answers so, within so many seconds for each file."""
        with served(answer, asked) as url:
            site = Site(url, timeout_seconds=patience)
            try:
                return self.mirror().pull(child, site)
            finally:
                site.close()

    def log(self, origin: str = VILLAGE) -> MirrorLog:
        """One that is mirrored."""
        log = self.store.log(origin)
        assert log is not None
        return log

    def outcomes(self, answer: Answer, child: str = VILLAGE) -> list[tuple[str, str]]:
        """Origin and outcome of each."""
        return [(each.origin, each.outcome) for each in self.pull(answer, child)]

    def codes(self) -> list[str]:
        """Of the alarms, the oldest first."""
        return [alarm.code for alarm in reversed(self.store.alarms(also_seen=True))]


NEW_KEYS = NodeKeys(SigningKey(bytes([55]) * 32))
"""Of a node that has another key."""

