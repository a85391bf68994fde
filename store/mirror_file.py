"""``mirror.db`` as a file: its tables, what stands in them of each ledger, and transactions.

``log``, ``entry`` and ``checkpoint`` are the archive (FORMAT §9). Beside them stand what a supervisor asks for without
a replay (``account``, ``leg``, ``transfer``, ``admission``), what an audit goes on from (``mirror``, ``staged``), the
hashes (``tile``), what was signed of which not all is here (``shown``), and what was found wrong (``alarm``). All of it
follows from the archive but these two.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from gettext import gettext as _
from pathlib import Path
from typing import Any, NamedTuple

from care.layout import Layout
from store.database import BUSY_MILLISECONDS, connect, explained, touch
from store.log import StoreError
from store.sqlite import APPLICATION_ID, PAGE_BYTES, USER_VERSION
from store.summaries import MATTER_TABLES, TABLES

SOUND, FINDINGS, FORKED, ROLLED_BACK = "sound", "findings", "forked", "rolled-back"
HELD_STATES = (FORKED, ROLLED_BACK)
"""Of these nothing more is taken before a person has looked."""

KEPT_TABLES = (
    *("entry", "checkpoint", "tile", "staged", "account", "leg", "transfer", "admission"),
    *("total", "service", "suspicion", "suspicion_count", "summary", "active", "matter", "band", "shown"),
)
"""What is kept of a ledger, beside its rows in ``log`` and ``mirror``, and its alarms."""

layout = Layout("huzhu-mirror")


@layout.step("0001-mirror")
def _mirror(connection: sqlite3.Connection) -> None:
    for statement in (
        "CREATE TABLE IF NOT EXISTS log(id INTEGER PRIMARY KEY, origin TEXT UNIQUE NOT NULL)",
        "CREATE TABLE IF NOT EXISTS entry(log INTEGER, idx INTEGER, bytes BLOB, PRIMARY KEY(log, idx)) WITHOUT ROWID",
        "CREATE TABLE IF NOT EXISTS checkpoint(log INTEGER, size INTEGER, note BLOB, PRIMARY KEY(log, size))"
        " WITHOUT ROWID",
        "CREATE TABLE mirror(log INTEGER PRIMARY KEY, parent TEXT NOT NULL, tier TEXT NOT NULL, vkey TEXT NOT NULL,"
        " size INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0, sealed_seconds INTEGER,"
        " pulled_seconds INTEGER, state TEXT NOT NULL DEFAULT 'sound', findings INTEGER NOT NULL DEFAULT 0,"
        " trouble TEXT NOT NULL DEFAULT '', audit BLOB, tried_seconds INTEGER)",
        "CREATE TABLE staged(log INTEGER PRIMARY KEY, size INTEGER NOT NULL, bytes INTEGER NOT NULL)",
        "CREATE TABLE shown(id INTEGER PRIMARY KEY, log INTEGER NOT NULL, vkey TEXT NOT NULL, size INTEGER NOT NULL,"
        " note BLOB NOT NULL, UNIQUE(log, vkey, size))",
        "CREATE TABLE account(log INTEGER, number TEXT, position INTEGER, balance INTEGER, held INTEGER, status TEXT,"
        " unit TEXT, PRIMARY KEY(log, number)) WITHOUT ROWID",
        "CREATE INDEX account_position ON account(log, position)",
        "CREATE TABLE leg(log INTEGER, account TEXT, idx INTEGER, balance INTEGER, held INTEGER,"
        " PRIMARY KEY(log, account, idx)) WITHOUT ROWID",
        "CREATE TABLE tile(log INTEGER, level INTEGER, idx INTEGER, hashes BLOB, PRIMARY KEY(log, level, idx))",
        "CREATE TABLE transfer(log INTEGER, idx INTEGER, kind TEXT, target TEXT, ref INTEGER, PRIMARY KEY(log, idx))"
        " WITHOUT ROWID",
        "CREATE INDEX transfer_target ON transfer(target, log, idx)",
        "CREATE TABLE admission(log INTEGER, origin TEXT, vkey TEXT, tier TEXT, PRIMARY KEY(log, origin))"
        " WITHOUT ROWID",
        "CREATE TABLE alarm(id INTEGER PRIMARY KEY, log INTEGER NOT NULL, code TEXT NOT NULL,"
        " at_seconds INTEGER NOT NULL, detail TEXT NOT NULL, evidence TEXT NOT NULL, seen INTEGER NOT NULL DEFAULT 0,"
        " times INTEGER NOT NULL DEFAULT 1, latest_seconds INTEGER, latest_evidence TEXT,"
        " over INTEGER NOT NULL DEFAULT 0)",
        "CREATE INDEX alarm_code ON alarm(log, code, seen)",
        *TABLES,
        *MATTER_TABLES,
    ):
        connection.execute(statement)


class MirrorRow(NamedTuple):
    """What is known of one mirrored ledger; times in POSIX seconds, ``findings`` how many its audit has."""

    origin: str
    parent: str
    tier: str
    vkey: str
    size: int
    staged: int
    bytes: int
    sealed_seconds: int | None
    pulled_seconds: int | None
    state: str
    findings: int
    trouble: str
    tried_seconds: int | None
    """When it was asked last, whatever came of it."""


ROWS = (
    "SELECT l.origin, m.parent, m.tier, m.vkey, m.size, coalesce(s.size, m.size), coalesce(s.bytes, m.bytes),"
    " m.sealed_seconds, m.pulled_seconds, m.state, m.findings, m.trouble, m.tried_seconds"
    " FROM mirror m JOIN log l ON l.id=m.log LEFT JOIN staged s ON s.log=m.log"
)


class MirrorFile:
    """The open file, and one transaction at a time on it.

    Errors of the medium are StoreError; after one, ``rollback``.
    """

    def __init__(self, path: Path) -> None:
        """Opens the file, or makes it."""
        self.path = path
        is_new = not path.exists()
        if is_new:
            touch(path)
        with explained(path):
            self._connection = connect(path, "rw")
        try:
            with explained(path):
                self._open()
        except BaseException:
            self._connection.close()
            raise

    def _open(self) -> None:
        (identity,) = self._run("PRAGMA application_id").fetchone()
        tables = self._run("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if identity != APPLICATION_ID and tables:
            raise StoreError(_("{path} is not a mirror; move it away").format(path=self.path))
        # What it is comes first: a file whose making is broken off below is then gone on with, and not refused.
        names = (f"application_id={APPLICATION_ID}", f"user_version={USER_VERSION}")
        for setting in (f"page_size={PAGE_BYTES}", *names, "journal_mode=WAL", "synchronous=FULL"):
            self._run(f"PRAGMA {setting}")
        self._run(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
        layout.complete(self._connection)
        if self._connection.in_transaction:
            self._run("COMMIT")

    def begin(self) -> None:
        """What is written from here on is one transaction."""
        if not self._connection.in_transaction:
            self._run("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """All of it is on disk when this returns."""
        if self._connection.in_transaction:
            with explained(self.path):
                self._run("COMMIT")

    def rollback(self) -> None:
        """Forget everything since the last ``commit``."""
        if self._connection.in_transaction:
            with explained(self.path):
                self._run("ROLLBACK")

    def close(self) -> None:
        """Let go of the file."""
        self.rollback()
        self._connection.close()

    def _run(self, sql: str, *values: object) -> sqlite3.Cursor:
        return self._connection.execute(sql, values)

    def _run_all(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        self._connection.executemany(sql, rows)

    def _fetch(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        with explained(self.path):
            row: tuple[Any, ...] | None = self._run(sql, *values).fetchone()
        return row
