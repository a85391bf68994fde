"""The node's own ledger in one SQLite file (FORMAT §9), with what only the node needs beside it.

WAL with full sync: a commit that returned survives a power cut, one that did not leaves nothing. ``log``, ``entry``
and ``checkpoint`` are the archive; ``tile``, ``leg`` and ``snapshot`` follow from them, and are made again where
they are missing.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from sqlite_utils import Database, Migrations

from chain.merkle import leaf_hash
from store.hashes import HashTiles, TileRow
from store.log import Leg, StoreError

APPLICATION_ID = 0x48555A48
USER_VERSION = 1
PAGE_BYTES = 16_384
"""Large enough that an entry of usual length needs no overflow page."""

REBUILD_ENTRIES = 8_192
BUSY_MILLISECONDS = 5_000
FILE_MODE = 0o600

NODE_TABLES = ("tile", "leg", "snapshot")
"""What only a node needs: all of it follows from the archive."""

migrations = Migrations("huzhu")


@migrations(name="0001-archive")
def _archive(database: Database) -> None:
    database.conn.execute("CREATE TABLE log(id INTEGER PRIMARY KEY, origin TEXT UNIQUE NOT NULL)")
    database.conn.execute(
        "CREATE TABLE entry(log INTEGER, idx INTEGER, bytes BLOB, PRIMARY KEY(log, idx)) WITHOUT ROWID"
    )
    database.conn.execute(
        "CREATE TABLE checkpoint(log INTEGER, size INTEGER, note BLOB, PRIMARY KEY(log, size)) WITHOUT ROWID"
    )


@migrations(name="0002-node")
def _node(database: Database) -> None:
    database.conn.execute(
        "CREATE TABLE tile(log INTEGER, level INTEGER, idx INTEGER, hashes BLOB, PRIMARY KEY(log, level, idx))"
        " WITHOUT ROWID"
    )
    database.conn.execute(
        "CREATE TABLE leg(log INTEGER, account TEXT, idx INTEGER, balance INTEGER, held INTEGER,"
        " PRIMARY KEY(log, account, idx)) WITHOUT ROWID"
    )
    database.conn.execute("CREATE TABLE snapshot(log INTEGER PRIMARY KEY, size INTEGER, digest BLOB, state BLOB)")


T = TypeVar("T")


class LostTileError(StoreError):
    """A tile is not there: the file is a bare archive, or somebody deleted it."""


class SqliteStore:
    """One ledger in a file. Opens or makes the file; the caller holds the lock that keeps other writers away."""

    def __init__(self, path: Path, origin: str | None = None, *, read_only: bool = False) -> None:
        """``origin`` makes a new ledger in a new file; without it the file's only ledger is opened."""
        self._path = path
        if origin is None and not path.is_file():
            raise StoreError(f"{path} is missing; restore it from a backup")
        if origin is not None:
            path.touch(FILE_MODE, exist_ok=False)
        self._connection = self._do(lambda: _connect(path, "ro" if read_only else "rw"))
        if not read_only:
            self._do(self._migrate)
        if origin is not None:
            self._do(lambda: self._run("INSERT INTO log(id, origin) VALUES(1, ?)", origin))
            self.commit()
        rows = self._do(lambda: self._run("SELECT id, origin FROM log").fetchmany(2))
        if len(rows) != 1:
            raise StoreError(f"{path} holds {len(rows)} ledgers; a node's own file holds one")
        self._log, self.origin = int(rows[0][0]), str(rows[0][1])
        self._load()

    def _migrate(self) -> None:
        database = Database(self._connection)
        migrations.apply(database)
        self._run(f"PRAGMA user_version={USER_VERSION}")
        self._run(f"PRAGMA application_id={APPLICATION_ID}")

    def _load(self) -> None:
        row = self._do(lambda: self._run("SELECT max(idx) FROM entry WHERE log=?", self._log).fetchone())
        self.size = 0 if row[0] is None else int(row[0]) + 1
        try:
            self.hashes = self._do(lambda: HashTiles(self.size, self._tile))
        except LostTileError:
            self.rebuild_hashes()

    def rebuild_hashes(self) -> None:
        """Make all tiles again from the entries."""
        self._do(self._begin)
        self._run("DELETE FROM tile WHERE log=?", self._log)
        self.hashes = HashTiles(0, self._tile)
        for start in range(0, self.size, REBUILD_ENTRIES):
            entries = self.entries(start, start + REBUILD_ENTRIES)
            self._put_tiles(self.hashes.append([leaf_hash(entry) for entry in entries]))
        self.commit()

    def _put_tiles(self, rows: Iterable[TileRow]) -> None:
        self._do(
            lambda: self._connection.executemany(
                "INSERT OR REPLACE INTO tile(log, level, idx, hashes) VALUES(?, ?, ?, ?)",
                ((self._log, *row) for row in rows),
            )
        )

    def append(self, entries: Sequence[bytes], leaf_hashes: Sequence[bytes], legs: Sequence[Leg]) -> None:
        rows = self.hashes.append(leaf_hashes)
        log, size = self._log, self.size
        self._do(self._begin)
        self._do(
            lambda: self._connection.executemany(
                "INSERT INTO entry(log, idx, bytes) VALUES(?, ?, ?)",
                ((log, index, raw) for index, raw in enumerate(entries, size)),
            )
        )
        self._put_tiles(rows)
        self.put_legs(legs)
        self.size += len(entries)

    def legs(self, account: str) -> Iterator[Leg]:
        rows = self._run(
            "SELECT idx, balance, held FROM leg WHERE log=? AND account=? ORDER BY idx", self._log, account
        )
        return (Leg(account, *row) for row in rows)

    def clear_legs(self) -> None:
        self._do(self._begin)
        self._do(lambda: self._run("DELETE FROM leg WHERE log=?", self._log))

    def put_legs(self, legs: Sequence[Leg]) -> None:
        self._do(self._begin)
        self._do(
            lambda: self._connection.executemany(
                "INSERT INTO leg(log, account, idx, balance, held) VALUES(?, ?, ?, ?, ?)",
                ((self._log, *leg) for leg in legs),
            )
        )

    def entry(self, index: int) -> bytes:
        row = self._do(
            lambda: self._run("SELECT bytes FROM entry WHERE log=? AND idx=?", self._log, index).fetchone()
        )
        if row is None:
            raise IndexError(index)
        return bytes(row[0])

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        rows = self._run(
            "SELECT bytes FROM entry WHERE log=? AND idx>=? AND idx<? ORDER BY idx", self._log, start, end
        )
        return (row[0] for row in rows)

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
        return None if row is None else bytes(row[0])

    def last_checkpoint(self) -> tuple[int, bytes] | None:
        row = self._do(
            lambda: self._run(
                "SELECT size, note FROM checkpoint WHERE log=? ORDER BY size DESC LIMIT 1", self._log
            ).fetchone()
        )
        return None if row is None else (int(row[0]), bytes(row[1]))

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        return iter(self._run("SELECT size, note FROM checkpoint WHERE log=? ORDER BY size", self._log))

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
        row = self._do(
            lambda: self._run("SELECT size, digest, state FROM snapshot WHERE log=?", self._log).fetchone()
        )
        return None if row is None else (int(row[0]), bytes(row[1]), bytes(row[2]))

    def commit(self) -> None:
        if self._connection.in_transaction:
            self._do(lambda: self._run("COMMIT"))

    def rollback(self) -> None:
        if self._connection.in_transaction:
            self._run("ROLLBACK")
        self._load()

    def copy_to(self, path: Path) -> None:
        """A copy of the archive alone, taken live: entries and checkpoints, in one plain file of mode 0600."""
        path.touch(FILE_MODE, exist_ok=False)
        target = _connect(path, "rw")
        try:
            self._connection.backup(target)
            for table in NODE_TABLES:
                target.execute(f"DROP TABLE {table}")
            target.execute("PRAGMA journal_mode=DELETE")
            target.execute("VACUUM")
        finally:
            target.close()

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
        row = self._run(
            "SELECT hashes FROM tile WHERE log=? AND level=? AND idx=?", self._log, level, index
        ).fetchone()
        if row is None:
            raise LostTileError(f"{self._path} has lost tile {index} of level {level}")
        return bytes(row[0])

    def _do(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except sqlite3.Error as error:
            raise StoreError(_explain(self._path, error)) from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)
    settings = [f"busy_timeout={BUSY_MILLISECONDS}", "trusted_schema=OFF"]
    if mode == "rw":
        settings += [f"page_size={PAGE_BYTES}", "journal_mode=WAL", "synchronous=FULL"]
    for setting in settings:
        connection.execute(f"PRAGMA {setting}")
    return connection


def _explain(path: Path, error: sqlite3.Error) -> str:
    """What an error of SQLite means for whoever runs the node."""
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_FULL:
        return f"the disk that holds {path} is full; nothing was written. Free some space and try again"
    if code == sqlite3.SQLITE_READONLY:
        return f"{path} cannot be written: check its owner and mode"
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return f"{path} is damaged or not a ledger ({error}); restore it from a backup"
    return f"{path}: {error}"
