"""What other nodes ask of this one so that hours can travel: found in ``ledger.db`` and ``mirror.db``, never written.

    exchange = Exchange(home.ledger, home.mirror)
    exchange.transfers("village.example/huzhu", after=None, limit=500)
    exchange.admissions("village.example/huzhu")      # [("county.example/huzhu", 7), ("township.example/huzhu", 4)]
    exchange.anchor("village.example/huzhu", 1_000)   # ("city.example/huzhu", 412), of our own log

Of the mirrored ledgers only what counts is told: under a checkpoint, found true by the audit. Which entries of our own
log are asked for is kept in memory, read once and then followed (``_Index``): entries are never changed. A file that
was replaced, as by a restore, is read anew. Safe to be called from several threads. What fails is StoreError.
"""

import sqlite3
from bisect import bisect_left
from gettext import gettext as _
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from chain.limits import ADMISSIONS_MAX
from ledger.bodies import Anchor, OrgAdmit, OrgRetire, TransferIn, TransferOut, TransferRefuse
from ledger.kinds import CODEC
from ledger.numbers import parse_address
from ledger.proofs import parse_proof
from store.database import Place, connect, explained, place_of
from store.log import StoreError

ANSWERS = ("transfer_in", "transfer_refuse")
INDEXED_LOGS_MAX = 256
"""So many mirrored ledgers' admissions are kept in memory."""

_ORG, _TRANSFER, _ANCHOR = b'"kind":"org_', b'"kind":"transfer_', b'"kind":"anchor"'
"""Stand in every entry of these kinds: no text in an entry can hold them unescaped."""


class TransferRow(NamedTuple):
    """An entry of ``ledger`` that concerns the one that asks; ``answers`` is the index of that one's own entry."""

    ledger: str
    entry_index: int
    kind: str
    answers: int | None


class _Index:
    """Which entries of one log are asked for; read up to the newest checkpoint whenever somebody asks."""

    def __init__(self, log: int, origin: str, *marks: bytes) -> None:
        self.log = log
        self.origin = origin
        self.admitted: dict[str, list[tuple[int, str]]] = {}
        """Index and vkey of each ``org_admit`` of a ledger, in order."""
        self.retired: dict[str, int] = {}
        self.anchors: dict[str, tuple[list[int], list[int]]] = {}
        """Sizes and entry indexes of the anchors of each ledger, both rising."""
        self.transfers: dict[str, list[TransferRow]] = {}
        """By the ledger that each concerns."""
        self._marks = marks
        self._size = 0

    def follow(self, connection: sqlite3.Connection) -> None:
        """Read what has come since, as far as it is sealed."""
        (sealed,) = connection.execute("SELECT max(size) FROM checkpoint WHERE log=?", (self.log,)).fetchone()
        if not isinstance(sealed, int) or sealed <= self._size:
            return
        wanted = " OR ".join("instr(bytes, ?)" for _mark in self._marks)
        sql = f"SELECT idx, bytes FROM entry WHERE log=? AND idx>=? AND idx<? AND ({wanted}) ORDER BY idx"  # noqa: S608
        for index, raw in connection.execute(sql, (self.log, self._size, sealed, *self._marks)):
            self._take(index, CODEC.read(raw).body)
        self._size = sealed

    def _take(self, index: int, body: object) -> None:
        if isinstance(body, Anchor):
            sizes, indexes = self.anchors.setdefault(body.origin, ([], []))
            sizes.append(int(body.checkpoint.split(b"\n", 2)[1]))
            indexes.append(index)
        elif isinstance(body, OrgAdmit):
            self.admitted.setdefault(body.origin, []).append((index, body.vkey))
        elif isinstance(body, OrgRetire):
            self.retired[body.origin] = index
        elif isinstance(body, TransferOut):
            address = parse_address(body.to)
            if address is not None:
                self._tell(address[0], index, "transfer_out", None)
        elif isinstance(body, TransferIn | TransferRefuse):
            other = parse_proof(body.proof)
            if other is not None:
                self._tell(other.origin, index, ANSWERS[isinstance(body, TransferRefuse)], other.index)

    def _tell(self, target: str, index: int, kind: str, answers: int | None) -> None:
        self.transfers.setdefault(target, []).append(TransferRow(self.origin, index, kind, answers))


class Exchange:
    """The answers of one node."""

    def __init__(self, ledger: Path, mirror: Path) -> None:
        """``mirror`` need not be there, or not yet."""
        self._ledger = ledger
        self._mirror = mirror
        self._lock = Lock()
        self._files: dict[Path, tuple[Place, sqlite3.Connection]] = {}
        """Each with which file it is."""
        self._own: _Index | None = None
        self._mirrored: dict[int, _Index] = {}

    def transfers(self, to: str, after: tuple[str, int] | None, limit: int) -> list[TransferRow]:
        """What concerns the ledger ``to``, ledger by ledger in order of index, our own log first.

        Transfers to it, and what became of those it sent; from behind the entry ``after`` on, ``limit`` at most.
        """
        with self._lock, explained(self._ledger):
            own = self._own_index()
            rows: list[TransferRow] = []
            if after is None or after[0] == own.origin:
                told = own.transfers.get(to, [])
                start = 0 if after is None else bisect_left(told, after[1] + 1, key=lambda row: row.entry_index)
                rows = told[start : start + limit]
                after = None
            mirror = self._open(self._mirror)
            if mirror is not None and len(rows) < limit:
                rows = rows + _mirrored_transfers(mirror, to, after, limit - len(rows))
            return rows

    def admissions(self, origin: str) -> list[tuple[str, int]]:
        """Ledger and index of each ``org_admit``, from our own log down to the one that admits ``origin``.

        Empty where it is not below us.
        """
        with self._lock, explained(self._ledger):
            own = self._own_index()
            chain: list[tuple[str, int]] = []
            while len(chain) < ADMISSIONS_MAX:
                admitted = own.admitted.get(origin, [])
                if admitted and own.retired.get(origin, -1) < admitted[-1][0]:
                    return [(own.origin, admitted[-1][0]), *reversed(chain)]
                above = self._admitted_below(origin)
                if above is None:
                    break
                chain.append(above)
                origin = above[0]
            return []

    def anchor(self, origin: str, size: int) -> tuple[str, int] | None:
        """Our log, and the index of its oldest entry that anchors ``origin`` at ``size`` or more; None without one."""
        with self._lock, explained(self._ledger):
            own = self._own_index()
            sizes, indexes = own.anchors.get(origin, ([], []))
            place = bisect_left(sizes, size)
            return (own.origin, indexes[place]) if place < len(sizes) else None

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            for path in list(self._files):
                self._drop(path)

    def _admitted_below(self, origin: str) -> tuple[str, int] | None:
        """The mirrored ledger that admits that one, by what counts of it, and the entry that does."""
        mirror = self._open(self._mirror)
        if mirror is None:
            return None
        sql = (
            "SELECT a.log, p.origin, a.vkey FROM admission a JOIN log p ON p.id=a.log WHERE a.origin=?"
            " ORDER BY p.origin=(SELECT m.parent FROM mirror m JOIN log l ON l.id=m.log WHERE l.origin=a.origin) DESC"
        )
        row = mirror.execute(sql, (origin,)).fetchone()
        if row is None:
            return None
        log, parent, vkey = row
        if log not in self._mirrored and len(self._mirrored) >= INDEXED_LOGS_MAX:
            del self._mirrored[next(iter(self._mirrored))]
        index = self._mirrored.setdefault(log, _Index(log, parent, _ORG))
        index.follow(mirror)
        found = [place for place, admitted in index.admitted.get(origin, []) if admitted == vkey]
        return (parent, found[-1]) if found else None

    def _own_index(self) -> _Index:
        connection = self._open(self._ledger)
        if connection is None:
            raise StoreError(_("{path} is missing; restore it from a backup").format(path=self._ledger))
        if self._own is None:
            log, origin = connection.execute("SELECT id, origin FROM log").fetchone()
            self._own = _Index(log, origin, _ORG, _TRANSFER, _ANCHOR)
        self._own.follow(connection)
        return self._own

    def _open(self, path: Path) -> sqlite3.Connection | None:
        """A connection that only reads; None where there is no such file."""
        place = place_of(path)
        if path in self._files and self._files[path][0] != place:
            self._drop(path)
        if place is None:
            return None
        if path not in self._files:
            self._files[path] = place, connect(path, "ro", settings=("query_only=ON",), any_thread=True)
        return self._files[path][1]

    def _drop(self, path: Path) -> None:
        """Forget a file, and what was read in it."""
        if path in self._files:
            self._files.pop(path)[1].close()
            if path == self._ledger:
                self._own = None
            else:
                self._mirrored.clear()


def _mirrored_transfers(
    mirror: sqlite3.Connection, to: str, after: tuple[str, int] | None, limit: int
) -> list[TransferRow]:
    log, index = -1, -1
    if after is not None:
        row = mirror.execute("SELECT id FROM log WHERE origin=?", (after[0],)).fetchone()
        log, index = (-1, -1) if row is None else (row[0], after[1])
    sql = (
        "SELECT l.origin, t.idx, t.kind, iif(t.kind='transfer_out', NULL, t.ref)"
        " FROM transfer t JOIN log l ON l.id=t.log JOIN mirror m ON m.log=t.log"
        " WHERE t.target=? AND t.kind IN ('transfer_in', 'transfer_out', 'transfer_refuse') AND t.idx<m.size"
        " AND (t.log, t.idx)>(?, ?) AND l.origin<>t.target ORDER BY t.log, t.idx LIMIT ?"
    )
    rows: list[Any] = mirror.execute(sql, (to, log, index, limit)).fetchall()
    return [TransferRow(*row) for row in rows]
