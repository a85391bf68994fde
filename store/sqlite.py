"""The node's own ledger in one SQLite file (FORMAT §9), with what only the node needs beside it.

WAL with full sync: a commit that returned survives a power cut, one that did not leaves nothing. ``log``, ``entry``
and ``checkpoint`` are the archive; ``tile``, ``leg``, ``snapshot`` and ``account`` follow from them, and are made again
where they are missing. ``answer`` remembers what was answered to sheets that came over the network, until they are
stale.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from gettext import gettext as _
from pathlib import Path
from typing import Any, TypeVar

from care.layout import RECORD, Layout
from chain.checkpoint import open_checkpoint
from chain.errors import NoteError
from chain.merkle import leaf_hash, tree_root
from chain.tile import TILE_WIDTH
from store.database import Identity, check_identity, connect, explain, explained, mark, new_file, touch
from store.hashes import HashTiles, TileRow
from store.log import AccountRow, Answer, Leg, Legs, StoreError
from verify.source import Source

APPLICATION_ID = 0x48555A48
USER_VERSION = 1
IDENTITY = Identity(APPLICATION_ID, USER_VERSION)
PAGE_BYTES = 16_384
"""Large enough that an entry or a checkpoint of usual length needs no overflow page."""

REBUILD_ENTRIES = 8_192

LEG_TABLES = ("fresh_leg", "settled_leg")
NODE_PARTS = ("view leg", "table tile", *(f"table {table}" for table in LEG_TABLES), "table snapshot")
"""What only a node needs: all of it follows from the archive."""
SERVICE_PARTS = ("table account", "table answer")
"""What only a node's service needs."""
FRESH_LEGS_MAX = 16_384
"""Legs stand by account, and those of a batch belong to accounts all over. Were they put into one large table, each
would cost a page of its own, written twice; a small one takes them in, and is swept into the large one when it is full.
"""

layout = Layout("huzhu")


@layout.step("0001-archive")
def _archive(connection: sqlite3.Connection) -> None:
    """An archive has these three tables, whoever made it, and perhaps no record of migrations."""
    connection.execute("CREATE TABLE IF NOT EXISTS log(id INTEGER PRIMARY KEY, origin TEXT UNIQUE NOT NULL)")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS entry(log INTEGER, idx INTEGER, bytes BLOB, PRIMARY KEY(log, idx)) WITHOUT ROWID"
    )
    connection.execute(
        "CREATE TABLE IF NOT EXISTS checkpoint(log INTEGER, size INTEGER, note BLOB, PRIMARY KEY(log, size))"
        " WITHOUT ROWID"
    )


@layout.step("0002-node")
def _node(connection: sqlite3.Connection) -> None:
    """Made anew as a whole where one of them is missing: each goes with the others."""
    _drop(connection, NODE_PARTS)
    connection.execute(
        "CREATE TABLE tile(log INTEGER, level INTEGER, idx INTEGER, hashes BLOB, PRIMARY KEY(log, level, idx))"
    )
    for table in LEG_TABLES:
        connection.execute(
            f"CREATE TABLE {table}(log INTEGER, account TEXT, idx INTEGER, balance INTEGER, held INTEGER,"
            " PRIMARY KEY(log, account, idx)) WITHOUT ROWID"
        )
    connection.execute("CREATE VIEW leg AS SELECT * FROM settled_leg UNION ALL SELECT * FROM fresh_leg")
    connection.execute("CREATE TABLE snapshot(log INTEGER PRIMARY KEY, size INTEGER, digest BLOB, state BLOB)")


@layout.step("0003-service")
def _service(connection: sqlite3.Connection) -> None:
    """Made anew as a whole too; the node fills ``account`` when it opens the ledger."""
    _drop(connection, SERVICE_PARTS)
    connection.execute(
        "CREATE TABLE account(log INTEGER, number TEXT, position INTEGER, balance INTEGER, held INTEGER, status TEXT,"
        " unit TEXT, PRIMARY KEY(log, number)) WITHOUT ROWID"
    )
    connection.execute("CREATE UNIQUE INDEX account_position ON account(log, position)")
    connection.execute(
        "CREATE TABLE answer(log INTEGER, digest BLOB, at_seconds INTEGER, results BLOB, PRIMARY KEY(log, digest))"
        " WITHOUT ROWID"
    )


def _drop(connection: sqlite3.Connection, parts: Iterable[str]) -> None:
    """Drop what has these names, whatever it is: a file may have anything by them."""
    names = {part.split()[1] for part in parts}
    for kind, name in connection.execute("SELECT type, name FROM sqlite_schema").fetchall():
        if name in names:
            connection.execute(f"DROP {kind} {name}")


T = TypeVar("T")


class LostTileError(StoreError):
    """A tile is not there: the file is a bare archive, or somebody deleted it."""


class SqliteStore:
    """One ledger in a file. Opens or makes the file; the caller holds the lock that keeps other writers away."""

    def __init__(self, path: Path, origin: str | None = None, *, read_only: bool = False) -> None:
        """``origin`` makes a new ledger in a new file; without it the file's only ledger is opened."""
        self._path = path
        self._read_only = read_only
        if origin is None and not path.is_file():
            raise StoreError(_("{path} is missing; restore it from a backup").format(path=path))
        if origin is not None:
            touch(path)
        self._connection = self._do(lambda: connect(path, "ro" if read_only else "rw"))
        try:
            self._open(origin, read_only)
        except BaseException:
            self._connection.close()
            raise

    def _open(self, origin: str | None, read_only: bool) -> None:
        path = self._path
        if origin is None:
            self._do(self._check_identity)
        if not read_only:
            self._do(self._write_ahead)
            self._do(self._migrate)
        if origin is not None:
            self._do(lambda: mark(self._connection, IDENTITY))
            self._do(lambda: self._run("INSERT INTO log(id, origin) VALUES(1, ?)", origin))
            self.commit()
        rows = self._do(lambda: self._run("SELECT id, origin FROM log").fetchmany(2))
        if len(rows) != 1:
            text = _("{path} does not hold one ledger, as a node's own file does, but none or several")
            raise StoreError(text.format(path=path))
        self._log, self.origin = int(rows[0][0]), str(rows[0][1])
        self._version = self._data_version()
        if read_only and self._lacks(NODE_PARTS):
            text = _("{path} is a bare archive: run `huzhu seal`, which completes it")
            raise StoreError(text.format(path=path))
        self._load()

    def _check_identity(self) -> None:
        """A file of another program is not to be written into."""
        foreign = _("{path} is not a ledger; restore it from a backup")
        check_identity(self._connection, self._path, IDENTITY, foreign)

    def _write_ahead(self) -> None:
        for setting in (f"page_size={PAGE_BYTES}", "journal_mode=WAL", "synchronous=FULL"):
            self._run(f"PRAGMA {setting}")

    def _migrate(self) -> None:
        layout.complete(self._connection)
        if self._lacks(NODE_PARTS):
            _node(self._connection)
        if self._lacks(SERVICE_PARTS):
            _service(self._connection)

    def _lacks(self, parts: Sequence[str]) -> bool:
        rows = self._do(lambda: self._run("SELECT type || ' ' || name FROM sqlite_schema").fetchall())
        return not {part for (part,) in rows}.issuperset(parts)

    def _load(self) -> None:
        (last,) = self._do(lambda: self._run("SELECT max(idx) FROM entry WHERE log=?", self._log).fetchone())
        if not isinstance(last, int | None):
            text = _("{path} is damaged: an index in it is no number; restore it from a backup")
            raise StoreError(text.format(path=self._path))
        self.size = 0 if last is None else last + 1
        (self._fresh_legs,) = self._do(lambda: self._run("SELECT count(*) FROM fresh_leg").fetchone())
        try:
            self.hashes = self._do(lambda: HashTiles(self.size, self._tile))
            is_whole = self._agrees_with_checkpoint()
        except LostTileError:
            is_whole = False
        if not is_whole and self._read_only:
            text = _("{path} is damaged: run `huzhu seal`, which mends what can be made again, or says what to restore")
            raise StoreError(text.format(path=self._path))
        if not is_whole:
            self.rebuild_hashes()

    def _agrees_with_checkpoint(self) -> bool:
        """Whether the tiles lead to the root that was signed last: a node must not seal on damaged hashes."""
        last = self.last_checkpoint()
        if last is None:
            return True
        try:
            checkpoint, _signed = open_checkpoint(last[1])
        except NoteError:
            return True
        return checkpoint.size != last[0] or tree_root(checkpoint.size, self.hashes.read) == checkpoint.root

    def rebuild_hashes(self) -> None:
        """Make all tiles again from the entries."""
        self._do(self._begin)
        self._do(lambda: self._run("DELETE FROM tile WHERE log=?", self._log))
        self.hashes = HashTiles(0, self._tile)
        for start in range(0, self.size, REBUILD_ENTRIES):
            entries = self.entries(start, start + REBUILD_ENTRIES)
            self._put_tiles(self.hashes.append([leaf_hash(entry) for entry in entries]))
        if self.hashes.size != self.size:
            self._do(lambda: self._run("ROLLBACK"))
            text = _("{path} lacks some of its {size} entries; restore it from a backup")
            raise StoreError(text.format(path=self._path, size=self.size))
        self.commit()

    def _put_tiles(self, rows: Iterable[TileRow]) -> None:
        kept = [(self._log, *row) for row in rows if row[0]]
        if kept:
            sql = "INSERT OR REPLACE INTO tile(log, level, idx, hashes) VALUES(?, ?, ?, ?)"
            self._do(lambda: self._connection.executemany(sql, kept))

    def append(self, entries: Sequence[bytes], leaf_hashes: Sequence[bytes], legs: Legs) -> None:
        rows = self.hashes.append(leaf_hashes)
        self._do(self._begin)
        sql = f"INSERT INTO entry(log, idx, bytes) VALUES({self._log}, ?, ?)"
        self._do(lambda: self._connection.executemany(sql, enumerate(entries, self.size)))
        self._put_tiles(rows)
        self.put_legs(legs)
        self.size += len(entries)

    def legs(self, account: str) -> Iterator[Leg]:
        sql = "SELECT idx, balance, held FROM leg WHERE log=? AND account=? AND idx<? ORDER BY idx"
        return (Leg(account, *row) for row in self._rows(sql, self._log, account, self.size))

    def clear_legs(self) -> None:
        self._do(self._begin)
        for table in LEG_TABLES:
            self._do(partial(self._run, f"DELETE FROM {table}"))  # noqa: S608 - names of ours
        self._fresh_legs = 0

    def put_legs(self, legs: Legs) -> None:
        self._do(self._begin)
        if self._fresh_legs + len(legs) > FRESH_LEGS_MAX:
            self._do(lambda: self._run("INSERT INTO settled_leg SELECT * FROM fresh_leg"))
            self._do(lambda: self._run("DELETE FROM fresh_leg"))
            self._fresh_legs = 0
        self._do(
            lambda: self._connection.executemany(
                f"INSERT INTO fresh_leg VALUES({self._log}, ?, ?, ?, ?)",
                [(*place, *legs[place]) for place in sorted(legs)],
            )
        )
        self._fresh_legs += len(legs)

    def entry(self, index: int) -> bytes:
        row = self._do(
            lambda: self._run("SELECT bytes FROM entry WHERE log=? AND idx=?", self._log, index).fetchone()
        )
        if row is None:
            raise IndexError(index)
        return self._blob(row[0])

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        sql = "SELECT bytes FROM entry WHERE log=? AND idx>=? AND idx<? ORDER BY idx"
        return (self._blob(raw) for (raw,) in self._rows(sql, self._log, start, min(end, self.size)))

    def put_checkpoint(self, size: int, note: bytes) -> None:
        self._do(self._begin)
        self._do(
            lambda: self._run(
                "INSERT OR REPLACE INTO checkpoint(log, size, note) VALUES(?, ?, ?)", self._log, size, note
            )
        )

    def checkpoint(self, size: int) -> bytes | None:
        row = self._do(
            lambda: self._run("SELECT note FROM checkpoint WHERE log=? AND size=?", self._log, size).fetchone()
        )
        return None if row is None else self._blob(row[0])

    def last_checkpoint(self) -> tuple[int, bytes] | None:
        row = self._do(
            lambda: self._run(
                "SELECT size, note FROM checkpoint WHERE log=? AND size<=? ORDER BY size DESC LIMIT 1",
                self._log,
                self.size,
            ).fetchone()
        )
        return None if row is None else (row[0], self._blob(row[1]))

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        sql = "SELECT size, note FROM checkpoint WHERE log=? AND size<=? ORDER BY size"
        return ((size, self._blob(note)) for size, note in self._rows(sql, self._log, self.size))

    def put_snapshot(self, size: int, digest: bytes, raw: bytes) -> None:
        self._do(self._begin)
        self._do(
            lambda: self._run(
                "INSERT OR REPLACE INTO snapshot(log, size, digest, state) VALUES(?, ?, ?, ?)",
                self._log,
                size,
                digest,
                raw,
            )
        )

    def snapshot(self) -> tuple[int, bytes, bytes] | None:
        sql = (
            "SELECT size, digest, state FROM snapshot WHERE log=?"
            " AND typeof(size)='integer' AND typeof(digest)='blob' AND typeof(state)='blob'"
        )
        row = self._do(lambda: self._run(sql, self._log).fetchone())
        return None if row is None else (row[0], row[1], row[2])

    def accounts(self) -> list[AccountRow]:
        sql = "SELECT number, position, balance, held, status, unit FROM account WHERE log=? ORDER BY position"
        return [AccountRow(*row) for row in self._do(lambda: self._run(sql, self._log).fetchall())]

    def put_accounts(self, rows: Sequence[AccountRow]) -> None:
        self._do(self._begin)
        self._do(
            lambda: self._connection.executemany(
                "INSERT INTO account(log, number, position, balance, held, status, unit) VALUES(?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT(log, number) DO UPDATE SET balance=excluded.balance, held=excluded.held,"
                " status=excluded.status",
                ((self._log, *row) for row in rows),
            )
        )

    def clear_accounts(self) -> None:
        self._do(self._begin)
        self._do(lambda: self._run("DELETE FROM account WHERE log=?", self._log))

    def answers(self, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        places = ",".join("?" * len(digests))
        sql = f"SELECT digest, results FROM answer WHERE log=? AND digest IN ({places})"  # noqa: S608 - question marks
        rows = self._do(lambda: self._run(sql, self._log, *digests).fetchall())
        return {self._blob(digest): self._blob(results) for digest, results in rows}

    def put_answers(self, answers: Sequence[Answer]) -> None:
        self._do(self._begin)
        sql = "INSERT INTO answer(log, digest, at_seconds, results) VALUES(?, ?, ?, ?)"
        self._do(lambda: self._connection.executemany(sql, [(self._log, *answer) for answer in answers]))

    def drop_answers(self, before_seconds: int) -> None:
        self._do(self._begin)
        self._do(lambda: self._run("DELETE FROM answer WHERE log=? AND at_seconds<?", self._log, before_seconds))

    def refresh(self) -> bool:
        version = self._data_version()
        if version == self._version:
            return False
        self._version = version
        self._load()
        return True

    def _data_version(self) -> int:
        """Another one where another connection has committed; our own commits do not change it."""
        return int(self._do(lambda: self._run("PRAGMA data_version").fetchone())[0])

    def commit(self) -> None:
        if self._connection.in_transaction:
            self._do(lambda: self._run("COMMIT"))

    def rollback(self) -> None:
        if self._connection.in_transaction:
            self._do(lambda: self._run("ROLLBACK"))
        self._load()

    def copy_to(self, path: Path) -> None:
        """A copy of the archive alone, taken live: entries and checkpoints, in one plain file of mode 0600."""
        with new_file(path) as target:
            self._connection.backup(target)
            _drop(target, (*NODE_PARTS, *SERVICE_PARTS, f"table {RECORD}"))
            target.execute("PRAGMA journal_mode=DELETE")
            target.execute("VACUUM")

    def close(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._connection.close()

    def _begin(self) -> None:
        if not self._connection.in_transaction:
            self._run("BEGIN IMMEDIATE")

    def _run(self, sql: str, *values: object) -> sqlite3.Cursor:
        return self._connection.execute(sql, values)

    def _tile(self, level: int, index: int) -> bytes:
        """Tiles of level 0 are hashed from their entries: on disk they would be most of what stands beside the log."""
        if level == 0:
            start = index * TILE_WIDTH
            sql = "SELECT bytes FROM entry WHERE log=? AND idx>=? AND idx<? ORDER BY idx"
            rows = self._run(sql, self._log, start, min(start + TILE_WIDTH, self.size)).fetchall()
            return b"".join([leaf_hash(self._blob(raw)) for (raw,) in rows])
        row = self._run(
            "SELECT hashes FROM tile WHERE log=? AND level=? AND idx=?", self._log, level, index
        ).fetchone()
        if row is None or not isinstance(row[0], bytes):
            text = _("{path} has lost tile {index} of level {level}")
            raise LostTileError(text.format(path=self._path, index=index, level=level))
        return row[0]

    def _blob(self, value: object) -> bytes:
        """What a column holds that must hold bytes: the file may hold anything anywhere."""
        if not isinstance(value, bytes):
            text = _("{path} is damaged: text stands in it for bytes; restore it from a backup")
            raise StoreError(text.format(path=self._path))
        return value

    def _rows(self, sql: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """Row by row; what fails on the way is explained too."""
        with explained(self._path):
            for row in self._run(sql, *values):  # noqa: UP028 - `yield from` would close the cursor of a closed file
                yield row

    def _do(self, action: Callable[[], T]) -> T:
        """As ``explained``, for what is done some times for every record."""
        try:
            return action()
        except sqlite3.Error as error:
            raise StoreError(explain(self._path, error)) from error


def write_archive(path: Path, ledgers: Iterable[Source]) -> None:
    """A new archive, of mode 0600, of all these ledgers as they are: whether they are sound is for the audit to say.

    Raises StoreError where the file is there already, a ledger comes twice or cannot be read; then nothing is left.
    """
    with new_file(path) as target:
        mark(target, IDENTITY)
        target.execute("BEGIN")
        _archive(target)
        for log, ledger in enumerate(ledgers, 1):
            if target.execute("SELECT 1 FROM log WHERE origin=?", (ledger.origin,)).fetchone():
                raise StoreError(_("the ledger {origin} comes twice: leave one out").format(origin=ledger.origin))
            target.execute("INSERT INTO log(id, origin) VALUES(?, ?)", (log, ledger.origin))
            entries = ((log, index, raw) for index, raw in _readable_rows(ledger))
            target.executemany("INSERT INTO entry(log, idx, bytes) VALUES(?, ?, ?)", entries)
            notes = ((log, size, note) for size, note in ledger.checkpoints())
            target.executemany("INSERT INTO checkpoint(log, size, note) VALUES(?, ?, ?)", notes)
        target.execute("COMMIT")


def _readable_rows(ledger: Source) -> Iterator[tuple[int, bytes]]:
    for index, raw in ledger.rows():
        if raw is None:
            text = _("entry {index} of {origin} cannot be read: audit that ledger, and leave it out")
            raise StoreError(text.format(index=index, origin=ledger.origin))
        yield index, raw
