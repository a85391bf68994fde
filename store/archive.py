"""Reads archives that others made (FORMAT §9): one SQLite file with one or many ledgers, none of it trusted.

The file is opened for reading only, its schema is compared with the format's before any table is used, and no value is
loaded before its size is known. What cannot be read at all is ``StoreError``; what is merely wrong is the audit's.
"""

import itertools
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from gettext import gettext as _
from pathlib import Path

from chain.checkpoint import CHECKPOINT_MAX_BYTES
from chain.fields import is_origin
from chain.limits import ENTRY_MAX_BYTES
from store.log import StoreError
from store.sqlite import APPLICATION_ID, USER_VERSION

LEDGERS_MAX = 1_000_000
ROWS_AT_ONCE = 32
TABLES = {
    "log": {"id": 1, "origin": 0},
    "entry": {"log": 1, "idx": 2, "bytes": 0},
    "checkpoint": {"log": 1, "size": 2, "note": 0},
}
"""Columns of the three tables, with their place in the primary key."""
VALUE_MAX_BYTES = 2**20
"""SQLite loads no value longer than this: room for a checkpoint, and for what a schema's own texts need."""
HEAP_MAX_BYTES = 2**26
"""For all that SQLite does in a process that does not look through a file first."""
INTEGER_MAX_DIGITS = 20
INTEGER_MIN = -(2**63)
STEPS_A_LOOK = 1_000_000
STEPS_A_BYTE = 20
LOOKS_MIN = 50
"""Steps of SQLite's machine: an honest audit takes less than one for each byte of the file."""

PRIMARY_CODE = 0xFF
"""The part of SQLite's error codes that names the kind of error."""

NO_NOTE = b""
"""Stands for a checkpoint that is too large or no bytes: it can only be malformed."""


class ArchiveLedger:
    """One ledger of an archive (``verify.source.Source``)."""

    def __init__(self, connection: sqlite3.Connection, path: Path, log: int, origin: str) -> None:
        self.origin = origin
        self._connection = connection
        self._path = path
        self._log = log

    def rows(self, start: int = 0) -> Iterator[tuple[int, bytes | None]]:
        """All entries from ``start`` on in order of index; None for what is too large or no bytes."""
        return self._select("idx", "bytes", "entry", ENTRY_MAX_BYTES, start)

    def entry(self, index: int) -> bytes:
        """One entry that ``rows`` has given; IndexError where it gave none. The audit compares it with what it was."""
        with _readable(self._path):
            row = self._connection.execute(
                "SELECT bytes FROM entry WHERE log=? AND idx=?", (self._log, index)
            ).fetchone()
        if row is None or not isinstance(row[0], bytes) or len(row[0]) > ENTRY_MAX_BYTES:
            raise IndexError(index)
        return row[0]

    def checkpoints(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """The signed notes by size, from ``start`` on."""
        for size, note in self._select("size", "note", "checkpoint", CHECKPOINT_MAX_BYTES, start):
            yield size, NO_NOTE if note is None else note

    def size(self) -> int:
        """About how many entries there are, for progress."""
        with _readable(self._path):
            row = self._connection.execute("SELECT max(idx) FROM entry WHERE log=?", (self._log,)).fetchone()
        return row[0] + 1 if isinstance(row[0], int) else 0

    def _select(
        self, key: str, value: str, table: str, maximum_bytes: int, start: int
    ) -> Iterator[tuple[int, bytes | None]]:
        """The rows whose key is an integer, all of them where ``start`` is 0: a hostile file has any keys."""
        sql = (
            f"SELECT {key}, CASE WHEN typeof({value})='blob' AND length({value})<=? THEN {value} END"  # noqa: S608
            f" FROM {table} WHERE log=? AND {key}>=? AND typeof({key})='integer' ORDER BY {key}"
        )
        with _readable(self._path):
            cursor = self._connection.execute(sql, (maximum_bytes, self._log, start or INTEGER_MIN))
        rows: list[tuple[int, bytes | None]] = [(0, None)]
        while rows:
            with _readable(self._path):
                rows = cursor.fetchmany(ROWS_AT_ONCE)
            for row in rows:  # noqa: UP028 - `yield from` would close the cursor of a closed file
                yield row


@contextmanager
def open_archive(
    path: Path, *, origin: str | None = None, looks_through: bool = True
) -> Iterator[list[ArchiveLedger]]:
    """The ledgers of an archive, or the one of ``origin``, as they were at one moment: it may be written meanwhile.

    Where it is not to be looked through for values that are too long, which reads all of it, SQLite gets so little
    memory in this process that they cannot be loaded.
    """
    with _readable(path):
        connection = _open(path)
    try:
        with _readable(path):
            _check_schema(connection, path)
            if looks_through:
                _check_lengths(connection, path)
            else:
                connection.execute(f"PRAGMA hard_heap_limit={HEAP_MAX_BYTES}")
            ledgers = list(_ledgers(connection, path, origin))
        if not ledgers:
            raise StoreError(_("{path} holds no ledger").format(path=path))
        yield ledgers
    finally:
        connection.close()


def _ledgers(connection: sqlite3.Connection, path: Path, wanted: str | None) -> Iterator[ArchiveLedger]:
    sql = "SELECT id, origin FROM log WHERE ?1 IS NULL OR origin=?1 ORDER BY id LIMIT ?2"
    for log, origin in connection.execute(sql, (wanted, LEDGERS_MAX)):
        if not isinstance(origin, str) or not is_origin(origin):
            text = _("{path} names a ledger that cannot be one: {origin}")
            raise StoreError(text.format(path=path, origin=repr(str(origin)[:64])))
        yield ArchiveLedger(connection, path, log, origin)


def _open(path: Path) -> sqlite3.Connection:
    """A read-only connection inside one read transaction; a file in WAL mode on a read-only medium is read as it is."""
    if not path.is_file():
        raise StoreError(_("{path} is not a file").format(path=path))
    address = path.absolute().as_uri()
    try:
        return _begin(f"{address}?mode=ro", path.stat().st_size)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & PRIMARY_CODE not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        return _begin(f"{address}?mode=ro&immutable=1", path.stat().st_size)


def _begin(address: str, file_bytes: int) -> sqlite3.Connection:
    connection = sqlite3.connect(address, uri=True, isolation_level=None)
    connection.set_progress_handler(_patience(file_bytes), STEPS_A_LOOK)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_MAX_BYTES)
    try:
        for setting in ("trusted_schema=OFF", "cell_size_check=ON", "query_only=ON", "mmap_size=0"):
            connection.execute(f"PRAGMA {setting}")
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _check_schema(connection: sqlite3.Connection, path: Path) -> None:
    identity = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if identity != APPLICATION_ID:
        raise StoreError(_("{path} is no archive of a ledger").format(path=path))
    if version != USER_VERSION:
        text = _("{path} is an archive of version {version}; this program reads version {known}")
        raise StoreError(text.format(path=path, version=version, known=USER_VERSION))
    for table, columns in TABLES.items():
        if not _is_plain(connection, table, columns):
            text = _("{path} has no plain table {table}({columns})")
            raise StoreError(text.format(path=path, table=table, columns=", ".join(columns)))


def _is_plain(connection: sqlite3.Connection, table: str, columns: Mapping[str, int]) -> bool:
    """Whether it is a table with that key: no view, nothing virtual, and no index that could say something else."""
    kinds = connection.execute("SELECT type, rootpage>0 FROM sqlite_schema WHERE name=?", (table,)).fetchall()
    if kinds != [("table", 1)]:
        return False
    found = {row[1]: row[5] for row in connection.execute(f"PRAGMA table_xinfo({table})") if not row[6]}
    expected = {"pk", "u"} if table == "log" else {"pk"}
    made = {row[3] for row in connection.execute(f"PRAGMA index_list({table})")}
    return found == columns and made <= expected


def _patience(file_bytes: int) -> Callable[[], bool]:
    """Ends SQLite's work where a file of that size cannot honestly ask so much: its pages may lead round in circles."""
    looks = itertools.count()
    most = LOOKS_MIN + file_bytes * STEPS_A_BYTE // STEPS_A_LOOK
    return lambda: next(looks) > most


def _check_lengths(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse values that nobody should load.

    Looking up a row makes SQLite load whole rows on the way, however long they are; going through all of them in order,
    as here, does not.
    """
    for table, (log, key, value) in (("entry", TABLES["entry"]), ("checkpoint", TABLES["checkpoint"])):
        sql = f"SELECT 1 FROM {table} WHERE length({value})>? OR length({key})>? OR length({log})>? LIMIT 1"  # noqa: S608
        if connection.execute(sql, (VALUE_MAX_BYTES, INTEGER_MAX_DIGITS, INTEGER_MAX_DIGITS)).fetchone():
            text = _("{path} holds a value in {table} that is too long for an archive of ledgers")
            raise StoreError(text.format(path=path, table=table))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Errors of SQLite as one clear sentence; what they quote from the file is hostile, and may not be text at all."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError, MemoryError) as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise StoreError(_("{path} is no archive of a ledger").format(path=path)) from error
        text = _("{path} cannot be read as an archive: {error}")
        raise StoreError(text.format(path=path, error=ascii(str(error)[:200])[1:-1])) from error
