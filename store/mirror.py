"""The ledgers that a node mirrors, in one archive (FORMAT §9) with side tables: ``mirror.db``, safe to hand out.

``log``, ``entry`` and ``checkpoint`` are the archive. Beside them stand what a supervisor asks for without a replay
(``account``, ``leg``, ``transfer``, ``admission``), what an audit goes on from (``mirror``, ``staged``), the hashes
(``tile``), and what was found wrong (``alarm``). All of it follows from the archive but the alarms.

Entries come in steps, each one transaction. What is past ``mirror.size`` is *staged*: proven to be under a checkpoint
that is not reached yet, and counted by nobody. ``reach`` makes it count, with the checkpoint, the balances and the
audit's state, in one transaction. A crash leaves what was committed, and the next round goes on from there.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from gettext import gettext as _
from pathlib import Path
from typing import Any, NamedTuple

from sqlite_utils import Database, Migrations

from chain.merkle import ReadNode, leaf_hash
from chain.tile import TILE_WIDTH
from store.hashes import HashTiles
from store.log import StoreError
from store.sqlite import (
    APPLICATION_ID,
    BUSY_MILLISECONDS,
    PAGE_BYTES,
    USER_VERSION,
    LostTileError,
    _connect,
    _explained,
    _touch,
    write_archive,
)
from store.summaries import TABLES, write_summary
from verify.summary import Summary

SOUND, FINDINGS, FORKED, ROLLED_BACK = "sound", "findings", "forked", "rolled-back"
HELD_STATES = (FORKED, ROLLED_BACK)
"""Of these nothing more is taken before a person has looked."""

ALARMS_LISTED_MAX = 1_000
ROWS_AT_ONCE = 512
TROUBLE_MAX_CHARACTERS = 500

migrations = Migrations("huzhu-mirror")


@migrations(name="0001-mirror")
def _mirror(database: Database) -> None:
    for statement in (
        "CREATE TABLE IF NOT EXISTS log(id INTEGER PRIMARY KEY, origin TEXT UNIQUE NOT NULL)",
        "CREATE TABLE IF NOT EXISTS entry(log INTEGER, idx INTEGER, bytes BLOB, PRIMARY KEY(log, idx)) WITHOUT ROWID",
        "CREATE TABLE IF NOT EXISTS checkpoint(log INTEGER, size INTEGER, note BLOB, PRIMARY KEY(log, size))"
        " WITHOUT ROWID",
        "CREATE TABLE mirror(log INTEGER PRIMARY KEY, parent TEXT NOT NULL, tier TEXT NOT NULL, vkey TEXT NOT NULL,"
        " size INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0, sealed_seconds INTEGER,"
        " pulled_seconds INTEGER, state TEXT NOT NULL DEFAULT 'sound', findings INTEGER NOT NULL DEFAULT 0,"
        " trouble TEXT NOT NULL DEFAULT '', audit BLOB, tried_seconds INTEGER)",
        "CREATE TABLE staged(log INTEGER PRIMARY KEY, size INTEGER NOT NULL, bytes INTEGER NOT NULL, target BLOB)",
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
        " at_seconds INTEGER NOT NULL, detail TEXT NOT NULL, evidence TEXT NOT NULL, seen INTEGER NOT NULL DEFAULT 0)",
        "CREATE INDEX alarm_code ON alarm(log, code, seen)",
        *TABLES,
    ):
        database.conn.execute(statement)


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


class AlarmRow(NamedTuple):
    """Something that a person has to look at; ``evidence`` is a file's path, or empty."""

    id: int
    origin: str
    code: str
    at_seconds: int
    detail: str
    evidence: str
    seen: int


_ROWS = (
    "SELECT l.origin, m.parent, m.tier, m.vkey, m.size, coalesce(s.size, m.size), coalesce(s.bytes, m.bytes),"
    " m.sealed_seconds, m.pulled_seconds, m.state, m.findings, m.trouble, m.tried_seconds"
    " FROM mirror m JOIN log l ON l.id=m.log LEFT JOIN staged s ON s.log=m.log"
)


class MirrorStore:
    """``mirror.db``. One writer; everything is on disk when the method that wrote it has returned, but see ``stage``.

    Errors of the medium are StoreError; after one, ``rollback``.
    """

    def __init__(self, path: Path) -> None:
        """Opens the file, or makes it."""
        self.path = path
        is_new = not path.exists()
        if is_new:
            _touch(path)
        with _explained(path):
            self._connection = _connect(path, "rw")
        try:
            with _explained(path):
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
        migrations.apply(Database(self._connection))
        if self._connection.in_transaction:
            self._run("COMMIT")

    # The ledgers

    def rows(self) -> list[MirrorRow]:
        """All mirrored ledgers, those next asked first: the one that was asked longest ago."""
        with _explained(self.path):
            found = self._run(f"{_ROWS} ORDER BY coalesce(m.tried_seconds, 0), l.origin").fetchall()
        return [MirrorRow(*row) for row in found]

    def log(self, origin: str) -> "MirrorLog | None":
        """The ledger of that name, where it is mirrored."""
        with _explained(self.path):
            row = self._run(
                "SELECT l.id FROM log l JOIN mirror m ON m.log=l.id WHERE l.origin=?", origin
            ).fetchone()
            return None if row is None else MirrorLog(self, row[0])

    def parent(self, origin: str) -> str | None:
        """The ledger under which it is mirrored; None where it is not."""
        log = self.log(origin)
        return None if log is None else log.row.parent

    def admit(self, origin: str, parent: str, tier: str, vkey: str) -> "MirrorLog":
        """The ledger of that name, from now on under that parent and key; made where it is new."""
        known = self.log(origin)
        if known is not None and known.row[1:4] == (parent, tier, vkey):
            return known
        with _explained(self.path):
            self.begin()
            self._run("INSERT OR IGNORE INTO log(origin) VALUES(?)", origin)
            (number,) = self._run("SELECT id FROM log WHERE origin=?", origin).fetchone()
            self._run(
                "INSERT INTO mirror(log, parent, tier, vkey) VALUES(?, ?, ?, ?) ON CONFLICT(log) DO UPDATE"
                " SET parent=excluded.parent, tier=excluded.tier, vkey=excluded.vkey",
                *(number, parent, tier, vkey),
            )
            self.commit()
            return MirrorLog(self, number)

    def admissions(self, origin: str) -> dict[str, tuple[str, str]]:
        """Verifier key and tier of each ledger that this one has admitted, by what counts of it."""
        with _explained(self.path):
            rows = self._run(
                "SELECT a.origin, a.vkey, a.tier FROM admission a JOIN log l ON l.id=a.log WHERE l.origin=?"
                " ORDER BY a.origin",
                origin,
            ).fetchall()
        return {admitted: (vkey, tier) for admitted, vkey, tier in rows}

    def tried(self) -> dict[str, int]:
        """When each ledger was asked last, whatever came of it."""
        return {row.origin: row.tried_seconds or 0 for row in self.rows()}

    # Alarms

    def alarm(
        self,
        origin: str,
        code: str,
        detail: str,
        keep_evidence: Callable[[], str],
        at_seconds: int,
        *,
        each: bool = False,
    ) -> bool:
        """Raise an alarm; False where the same one stands there already and nobody has looked at it, or knows it.

        ``keep_evidence`` writes the file, before the alarm names it, and answers its path. With ``each``, an alarm is
        the same one only where its evidence is.
        """
        evidence = keep_evidence() if each else ""
        with _explained(self.path):
            (number,) = self._run("SELECT id FROM log WHERE origin=?", origin).fetchone()
            same, value = ("evidence=?", evidence) if each else ("(NOT seen OR detail=?)", detail)
            sql = f"SELECT 1 FROM alarm WHERE log=? AND code=? AND {same} LIMIT 1"  # noqa: S608 - one of two texts
            if self._run(sql, number, code, value).fetchone():
                return False
        evidence = evidence or keep_evidence()
        with _explained(self.path):
            self.begin()
            self._run(
                "INSERT INTO alarm(log, code, at_seconds, detail, evidence) VALUES(?, ?, ?, ?, ?)",
                *(number, code, at_seconds, detail, evidence),
            )
            self.commit()
        return True

    def notes(self, origins: Iterable[str]) -> dict[str, bytes]:
        """The newest checkpoint that counts of each of these ledgers, where it is sound enough to stand for it."""
        logs = [log for origin in origins if (log := self.log(origin)) is not None and log.state not in HELD_STATES]
        return {log.origin: note for log in logs if (note := log.note()) is not None}

    def alarms(self, *, also_seen: bool = False) -> list[AlarmRow]:
        """The newest first."""
        with _explained(self.path):
            rows = self._run(
                "SELECT a.id, l.origin, a.code, a.at_seconds, a.detail, a.evidence, a.seen FROM alarm a"
                " JOIN log l ON l.id=a.log WHERE ? OR NOT a.seen ORDER BY a.id DESC LIMIT ?",
                *(also_seen, ALARMS_LISTED_MAX),
            ).fetchall()
        return [AlarmRow(*row) for row in rows]

    def see(self, alarm_id: int) -> bool:
        """Somebody has looked at it; whether there is one of that number."""
        with _explained(self.path):
            self.begin()
            count = self._run("UPDATE alarm SET seen=1 WHERE id=?", alarm_id).rowcount
            self.commit()
        return count > 0

    # How it is done

    def begin(self) -> None:
        if not self._connection.in_transaction:
            self._run("BEGIN IMMEDIATE")

    def commit(self) -> None:
        if self._connection.in_transaction:
            with _explained(self.path):
                self._run("COMMIT")

    def rollback(self) -> None:
        """Forget everything since the last ``commit``."""
        if self._connection.in_transaction:
            with _explained(self.path):
                self._run("ROLLBACK")

    def close(self) -> None:
        self.rollback()
        self._connection.close()

    def _run(self, sql: str, *values: object) -> sqlite3.Cursor:
        return self._connection.execute(sql, values)

    def _run_all(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        self._connection.executemany(sql, rows)

    def _fetch(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        with _explained(self.path):
            row: tuple[Any, ...] | None = self._run(sql, *values).fetchone()
        return row


class MirrorLog:
    """One mirrored ledger. ``stage`` and what follows it are one transaction up to ``commit`` of the store."""

    def __init__(self, store: MirrorStore, number: int) -> None:
        self._store = store
        self._log = number
        self.load()

    def load(self) -> None:
        """Read again what stands on disk: after ``rollback``."""
        row = self._store._fetch(f"{_ROWS} WHERE m.log=?", self._log)
        if row is None:
            raise StoreError(_("{path} has lost a ledger; restore it from a backup").format(path=self._store.path))
        self.row = MirrorRow(*row)
        self.hashes = HashTiles(self.row.staged, self._tile)

    @property
    def origin(self) -> str:
        return self.row.origin

    @property
    def vkey(self) -> str:
        return self.row.vkey

    @property
    def state(self) -> str:
        return self.row.state

    @property
    def size(self) -> int:
        """How many entries count."""
        return self.row.size

    @property
    def staged(self) -> int:
        """How many entries are here: those that count, and those on the way to ``target``."""
        return self.row.staged

    @property
    def byte_count(self) -> int:
        """How many bytes of entries are here."""
        return self.row.bytes

    @property
    def read(self) -> ReadNode:
        """The hashes of the tree of what is here."""
        return self.hashes.read

    def note(self) -> bytes | None:
        """The checkpoint that counts."""
        row = self._store._fetch("SELECT note FROM checkpoint WHERE log=? AND size=?", self._log, self.row.size)
        return None if row is None else bytes(row[0])

    def target(self) -> bytes | None:
        """The newest checkpoint that was seen, where not all of its entries are here yet."""
        row = self._store._fetch("SELECT target FROM staged WHERE log=?", self._log)
        return None if row is None or row[0] is None else bytes(row[0])

    def audit(self) -> bytes | None:
        """The frozen audit of the entries that count."""
        row = self._store._fetch("SELECT audit FROM mirror WHERE log=?", self._log)
        return None if row is None or row[0] is None else bytes(row[0])

    def entry(self, index: int) -> bytes:
        """One entry's bytes; IndexError outside of what is here."""
        row = self._store._fetch("SELECT bytes FROM entry WHERE log=? AND idx=?", self._log, index)
        if row is None or index >= self.row.staged:
            raise IndexError(index)
        return bytes(row[0])

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """The entries from ``start`` up to but not including ``end``, of those that are here."""
        sql = "SELECT bytes FROM entry WHERE log=? AND idx>=? AND idx<? ORDER BY idx"
        end = min(end, self.row.staged)
        for first in range(start, end, ROWS_AT_ONCE):
            with _explained(self._store.path):
                rows = self._store._run(sql, self._log, first, min(end, first + ROWS_AT_ONCE)).fetchall()
            yield from (raw for (raw,) in rows)

    def checkpoints(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """The checkpoints that count, by size, from ``start`` on."""
        sql = "SELECT size, note FROM checkpoint WHERE log=? AND size>=? AND size<=? ORDER BY size"
        with _explained(self._store.path):
            yield from self._store._run(sql, self._log, start, self.row.size)

    # What is written; on disk after ``MirrorStore.commit``

    def aim(self, target: bytes) -> None:
        """Keep a checkpoint before its entries are here: what was once signed is never forgotten."""
        with _explained(self._store.path):
            self._store.begin()
            self._store._run(
                "INSERT INTO staged(log, size, bytes, target) VALUES(?, ?, ?, ?)"
                " ON CONFLICT(log) DO UPDATE SET target=excluded.target",
                *(self._log, self.row.staged, self.row.bytes, target),
            )

    def stage(self, entries: Sequence[bytes], leaf_hashes: Sequence[bytes]) -> None:
        """Add entries; they do not count before ``reach``."""
        log, start = self._log, self.row.staged
        tiles = self.hashes.append(leaf_hashes)
        size, byte_count = start + len(entries), self.row.bytes + sum(map(len, entries))
        with _explained(self._store.path):
            store = self._store
            store.begin()
            store._run_all(
                "INSERT OR REPLACE INTO entry(log, idx, bytes) VALUES(?, ?, ?)",
                ((log, index, raw) for index, raw in enumerate(entries, start)),
            )
            store._run_all(
                "INSERT OR REPLACE INTO tile(log, level, idx, hashes) VALUES(?, ?, ?, ?)",
                ((log, *row) for row in tiles if row[0]),
            )
            store._run(
                "INSERT INTO staged(log, size, bytes) VALUES(?, ?, ?) ON CONFLICT(log) DO UPDATE"
                " SET size=excluded.size, bytes=excluded.bytes",
                *(log, size, byte_count),
            )
        self.row = self.row._replace(staged=size, bytes=byte_count)

    def put_legs(self, legs: Mapping[tuple[str, int], tuple[int, int]]) -> None:
        """What entries post, by account and entry: changes of ``balance`` and ``held``."""
        with _explained(self._store.path):
            self._store.begin()
            self._store._run_all(
                "INSERT OR REPLACE INTO leg(log, account, idx, balance, held) VALUES(?, ?, ?, ?, ?)",
                [(self._log, *place, *legs[place]) for place in sorted(legs)],
            )

    def put_transfers(self, transfers: Sequence[tuple[int, str, str, int | None]]) -> None:
        """Entries about transfers: (index, kind, other ledger, the ``transfer_out`` that it speaks of)."""
        with _explained(self._store.path):
            self._store.begin()
            self._store._run_all(
                "INSERT OR REPLACE INTO transfer(log, idx, kind, target, ref) VALUES(?, ?, ?, ?, ?)",
                ((self._log, *transfer) for transfer in transfers),
            )

    def reach(
        self,
        note: bytes,
        audit: bytes,
        accounts: Iterable[tuple[str, int, int, int, str, str]],
        admissions: Mapping[str, tuple[str, str]],
        sealed_seconds: int | None,
        findings: int,
    ) -> None:
        """All that is staged counts now: it is what ``note`` says.

        Accounts are (number, position, balance, held, status, unit), admissions verifier key and tier by origin.
        """
        log, size = self._log, self.row.staged
        state = FINDINGS if findings else SOUND
        with _explained(self._store.path):
            store = self._store
            store.begin()
            store._run("INSERT OR REPLACE INTO checkpoint(log, size, note) VALUES(?, ?, ?)", log, size, note)
            self._put_accounts(accounts)
            store._run("DELETE FROM admission WHERE log=?", log)
            store._run_all(
                "INSERT INTO admission(log, origin, vkey, tier) VALUES(?, ?, ?, ?)",
                ((log, origin, *admitted) for origin, admitted in admissions.items()),
            )
            store._run(
                "UPDATE mirror SET size=?, bytes=?, sealed_seconds=?, state=?, findings=?, audit=? WHERE log=?",
                *(size, self.row.bytes, sealed_seconds, state, findings, audit or None, log),
            )
            store._run("DELETE FROM staged WHERE log=?", log)
        self.row = self.row._replace(
            size=size, sealed_seconds=sealed_seconds, state=state, findings=findings
        )

    def put_summary(self, summary: Summary) -> None:
        """What is asked of it most often, as of what ``reach`` made count."""
        with _explained(self._store.path):
            self._store.begin()
            write_summary(self._store._run, self._store._run_all, self._log, summary)

    def _put_accounts(self, accounts: Iterable[tuple[str, int, int, int, str, str]]) -> None:
        """Write down those that are others than they were."""
        sql = "SELECT number, position, balance, held, status, unit FROM account WHERE log=?"
        before = {row[0]: row for row in self._store._run(sql, self._log)}
        self._store._run_all(
            "INSERT OR REPLACE INTO account(log, number, position, balance, held, status, unit)"
            " VALUES(?, ?, ?, ?, ?, ?, ?)",
            ((self._log, *account) for account in accounts if before.get(account[0]) != tuple(account)),
        )

    def drop_staged(self) -> None:
        """Forget what is not under a checkpoint of this ledger; the target stays."""
        with _explained(self._store.path):
            self._store.begin()
            for table in ("entry", "leg", "transfer"):
                sql = f"DELETE FROM {table} WHERE log=? AND idx>=?"  # noqa: S608 - one of three names
                self._store._run(sql, self._log, self.row.size)
            self._store._run(
                "UPDATE staged SET size=m.size, bytes=m.bytes FROM mirror m"
                " WHERE m.log=staged.log AND staged.log=?",
                self._log,
            )
            self._store.commit()
        self.load()

    def keep_note(self, note: bytes) -> None:
        """In place of the checkpoint that counts: the same one, with more signatures."""
        with _explained(self._store.path):
            self._store.begin()
            self._store._run(
                "UPDATE checkpoint SET note=? WHERE log=? AND size=?", note, self._log, self.row.size
            )

    def pulled(self, at_seconds: int) -> None:
        """The ledger was asked and answered."""
        with _explained(self._store.path):
            self._store.begin()
            sql = "UPDATE mirror SET pulled_seconds=?, tried_seconds=?, trouble='' WHERE log=?"
            self._store._run(sql, at_seconds, at_seconds, self._log)
        self.row = self.row._replace(pulled_seconds=at_seconds, tried_seconds=at_seconds, trouble="")

    def trouble(self, text: str, at_seconds: int) -> None:
        """Why it could not be had the last time."""
        short = text[:TROUBLE_MAX_CHARACTERS]
        with _explained(self._store.path):
            self._store.begin()
            sql = "UPDATE mirror SET trouble=?, tried_seconds=? WHERE log=?"
            self._store._run(sql, short, at_seconds, self._log)
        self.row = self.row._replace(trouble=short, tried_seconds=at_seconds)

    def hold(self, state: str) -> None:
        """Take nothing more: it is ``forked`` or ``rolled-back``."""
        with _explained(self._store.path):
            self._store.begin()
            self._store._run("UPDATE mirror SET state=? WHERE log=?", state, self._log)
        self.row = self.row._replace(state=state)

    def release(self) -> None:
        """Take from it again, if it goes on from what is here."""
        self.hold(FINDINGS if self.row.findings else SOUND)
        self._store.commit()

    def _tile(self, level: int, index: int) -> bytes:
        """As in a node's own file: those of level 0 are hashed from their entries."""
        if level:
            row = self._store._fetch(
                "SELECT hashes FROM tile WHERE log=? AND level=? AND idx=?", self._log, level, index
            )
            if row is None:
                text = _("{path} has lost tile {index} of level {level}")
                raise LostTileError(text.format(path=self._store.path, index=index, level=level))
            return bytes(row[0])
        start = index * TILE_WIDTH
        sql = "SELECT bytes FROM entry WHERE log=? AND idx>=? AND idx<? ORDER BY idx"
        end = min(start + TILE_WIDTH, self.row.staged)
        with _explained(self._store.path):
            rows = self._store._run(sql, self._log, start, end).fetchall()
        return b"".join([leaf_hash(raw) for (raw,) in rows])


class MirrorSource:
    """What counts of one mirrored ledger, as an audit reads it (``verify.source.Source``)."""

    def __init__(self, log: MirrorLog) -> None:
        self.origin = log.origin
        self._log = log

    def size(self) -> int:
        return self._log.size

    def rows(self, start: int = 0) -> Iterator[tuple[int, bytes | None]]:
        return enumerate(self._log.entries(start, self._log.size), start)

    def entry(self, index: int) -> bytes:
        return self._log.entry(index)

    def checkpoints(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        return self._log.checkpoints(start)


def export_mirror(store: MirrorStore, origins: Sequence[str], path: Path) -> None:
    """Write an archive of mirrored ledgers: a node that lost its disk takes its own as its ``ledger.db``."""
    logs = []
    for origin in origins:
        log = store.log(origin)
        if log is None or not log.size:
            text = _("the ledger {origin} is not mirrored here: see `huzhu mirror list`")
            raise StoreError(text.format(origin=origin))
        logs.append(MirrorSource(log))
    write_archive(path, logs)
