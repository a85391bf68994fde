"""Reads ledgers without opening a node: the node's own file and those it mirrors, as the service answers from them.

    reader = LedgerReader(home.ledger)             # or home.mirror
    for origin in reader.origins(): ...
    ledger = reader.ledger("village.example/huzhu")
    ledger.account("12345678"); ledger.entry(17); ledger.checkpoint(); ledger.receipt(17)

Both files have the archive's tables (FORMAT §9) and the same ``account``, ``leg`` and ``tile``. What is read is what
was committed last; nothing is replayed and nothing is written. One thread at a time for each reader. Errors of the
medium are StoreError.
"""

import sqlite3
from gettext import gettext as _
from pathlib import Path
from typing import Any

from chain.checkpoint import open_checkpoint
from chain.errors import NoteError
from chain.limits import LOG_MAX_ENTRIES
from chain.merkle import HASH_BYTES, leaf_hash, prove_inclusion
from chain.receipt import EntryReceipt, format_entry_receipt
from chain.tile import TILE_WIDTH, tile_width
from store.database import connect, explained
from store.hashes import HashTiles
from store.log import AccountRow, Leg, StoreError
from store.sqlite import APPLICATION_ID

ROWS_MAX = 1_024
"""So many rows one question gives at most."""
CACHE_KIBIBYTES = 16_384
_ACCOUNT = "SELECT number, position, balance, held, status, unit FROM account WHERE log=?"


class LedgerReader:
    """The ledgers of one file."""

    def __init__(self, path: Path) -> None:
        """Raises StoreError where the file is not there or is none of ours."""
        self.path = path
        if not path.is_file():
            raise StoreError(_("{path} is missing; restore it from a backup").format(path=path))
        with explained(path):
            self._connection = connect(path, "ro")
        try:
            if self.value("PRAGMA application_id") != APPLICATION_ID:
                raise StoreError(_("{path} is not a ledger; restore it from a backup").format(path=path))
            self.row(f"PRAGMA cache_size=-{CACHE_KIBIBYTES}")
            self.is_mirror = self.value("SELECT 1 FROM sqlite_schema WHERE name='mirror'") is not None
        except BaseException:
            self._connection.close()
            raise
        self._version = -1
        self._ledgers: dict[str, KeptLedger] = {}

    def version(self) -> int:
        """Another number whenever somebody has committed something."""
        return int(self.value("PRAGMA data_version"))

    def origins(self) -> list[str]:
        """The ledgers that have a checkpoint, in the order in which they came."""
        self._refresh()
        return [origin for origin, ledger in self._ledgers.items() if ledger.checkpoint() is not None]

    def ledger(self, origin: str) -> "KeptLedger | None":
        """One of them."""
        self._refresh()
        return self._ledgers.get(origin)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _refresh(self) -> None:
        version = self.version()
        if version != self._version:
            logs = self.rows("SELECT id, origin FROM log ORDER BY id")
            self._ledgers = {
                origin: self._known(log, origin)
                for log, origin in logs
                if isinstance(log, int) and isinstance(origin, str)
            }
            for ledger in self._ledgers.values():
                ledger.forget()
            self._version = version

    def _known(self, log: int, origin: str) -> "KeptLedger":
        """The ledger as it was, where it still stands under that number."""
        known = self._ledgers.get(origin)
        return known if known is not None and known.log == log else KeptLedger(self, log, origin)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a question of which the caller knows that they are few."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error:
            with explained(self.path):
                raise

    def row(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        """The first row."""
        try:
            found: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
        except sqlite3.Error:
            with explained(self.path):
                raise
        return found

    def value(self, sql: str, *values: object) -> Any:
        """The first column of the first row."""
        row = self.row(sql, *values)
        return None if row is None else row[0]

    def damage(self) -> StoreError:
        """The file holds something else than what belongs there."""
        return StoreError(_("{path} is damaged; restore it from a backup").format(path=self.path))


class KeptLedger:
    """One ledger of a file. ``size`` is the newest checkpoint's: what is vouched for."""

    def __init__(self, reader: LedgerReader, log: int, origin: str) -> None:
        self.origin = origin
        self._reader = reader
        self.log = log
        self._checkpoint: tuple[int, bytes] | None = None
        self._is_known = False
        self._entry_count: int | None = None
        self._hashes: HashTiles | None = None

    def forget(self) -> None:
        """Something was committed: look again."""
        self._is_known = False
        self._entry_count = None

    @property
    def size(self) -> int:
        """How many entries the newest checkpoint covers; 0 where there is none."""
        last = self.checkpoint()
        return 0 if last is None else last[0]

    def checkpoint(self) -> tuple[int, bytes] | None:
        """Size and signed note of the newest one."""
        if not self._is_known:
            sql = "SELECT size, note FROM checkpoint WHERE log=? ORDER BY size DESC LIMIT 1"
            row = self._reader.row(sql, self.log)
            if row is not None and not (isinstance(row[0], int) and isinstance(row[1], bytes)):
                raise self._reader.damage()
            self._checkpoint = None if row is None else (row[0], row[1])
            self._is_known = True
        return self._checkpoint

    def checkpoints(self, after_size: int, limit: int) -> list[tuple[int, bytes]]:
        """Those of more than ``after_size`` entries, in order."""
        sql = "SELECT size, note FROM checkpoint WHERE log=? AND size>? ORDER BY size LIMIT ?"
        return [
            (size, self._bytes(note))
            for size, note in self._reader.rows(sql, self.log, after_size, min(limit, ROWS_MAX))
        ]

    def newest_checkpoints(self, limit: int) -> list[tuple[int, bytes]]:
        """The newest ones, the newest first."""
        sql = "SELECT size, note FROM checkpoint WHERE log=? ORDER BY size DESC LIMIT ?"
        return [(size, self._bytes(note)) for size, note in self._reader.rows(sql, self.log, min(limit, ROWS_MAX))]

    def entry_count(self) -> int:
        """How many entries there are, of a node's own ledger those without a checkpoint included."""
        if self._reader.is_mirror:
            return self.size
        if self._entry_count is None:
            last = self._reader.value("SELECT max(idx) FROM entry WHERE log=?", self.log)
            self._entry_count = last + 1 if isinstance(last, int) else 0
        return self._entry_count

    def entry(self, index: int) -> bytes | None:
        """One entry's bytes."""
        if not 0 <= index <= LOG_MAX_ENTRIES or (self._reader.is_mirror and index >= self.size):
            return None
        raw = self._reader.value("SELECT bytes FROM entry WHERE log=? AND idx=?", self.log, index)
        return None if raw is None else self._bytes(raw)

    def entries(self, start: int, end: int) -> list[bytes]:
        """The entries from ``start`` up to but not including ``end``; StoreError where one is missing."""
        sql = "SELECT bytes FROM entry WHERE log=? AND idx>=? AND idx<? ORDER BY idx"
        found = [self._bytes(raw) for (raw,) in self._reader.rows(sql, self.log, start, min(end, start + ROWS_MAX))]
        if len(found) != end - start:
            raise self._reader.damage()
        return found

    def entries_with(self, *marks: bytes) -> list[tuple[int, bytes]]:
        """Index and bytes of the newest entries under the checkpoint that have all of these in them, newest first."""
        wanted = "".join(" AND instr(bytes, ?)" for _mark in marks)
        sql = f"SELECT idx, bytes FROM entry WHERE log=? AND idx<?{wanted} ORDER BY idx DESC LIMIT ?"  # noqa: S608
        rows = self._reader.rows(sql, self.log, self.size, *marks, ROWS_MAX)
        return [(index, self._bytes(raw)) for index, raw in rows]

    def tile(self, level: int, index: int, width: int = TILE_WIDTH) -> bytes:
        """The first ``width`` hashes of a tile, side by side; StoreError where they are not there."""
        if level == 0:
            start = index * TILE_WIDTH
            return b"".join([leaf_hash(raw) for raw in self.entries(start, start + width)])
        sql = "SELECT hashes FROM tile WHERE log=? AND level=? AND idx=?"
        raw = self._bytes(self._reader.value(sql, self.log, level, index))[: width * HASH_BYTES]
        if len(raw) != width * HASH_BYTES:
            raise self._reader.damage()
        return raw

    def hashes(self) -> HashTiles:
        """The hashes of the tree that the newest checkpoint covers."""
        size = self.size
        if self._hashes is None or self._hashes.size != size:
            self._hashes = HashTiles(size, lambda level, index: self.tile(level, index, tile_width(level, index, size)))
        return self._hashes

    def receipt(self, index: int) -> bytes:
        """The entry receipt (FORMAT §10) from the newest checkpoint; IndexError where that does not cover it."""
        last = self.checkpoint()
        if last is None or not 0 <= index < last[0]:
            raise IndexError(index)
        size, note = last
        raw = self.entry(index)
        try:
            checkpoint, _note = open_checkpoint(note)
        except NoteError as error:
            raise self._reader.damage() from error
        if raw is None or checkpoint.size != size:
            raise self._reader.damage()
        path = prove_inclusion(index, size, self.hashes().read)
        return format_entry_receipt(EntryReceipt(raw, index, tuple(path), note))

    def account(self, number: str) -> AccountRow | None:
        """One account, by its number."""
        row = self._reader.row(_ACCOUNT + " AND number=?", self.log, number)
        return None if row is None else AccountRow(*row)

    def accounts(self, after_position: int, limit: int, status: str | None = None) -> list[AccountRow]:
        """Accounts in order of their positions, those behind ``after_position``."""
        sql = f"{_ACCOUNT} AND position>? AND (? IS NULL OR status=?) ORDER BY position LIMIT ?"
        rows = self._reader.rows(sql, self.log, after_position, status, status, min(limit, ROWS_MAX))
        return [AccountRow(*row) for row in rows]

    def legs(self, number: str, after_index: int, limit: int) -> list[Leg]:
        """What was posted to an account behind ``after_index``, in order."""
        sql = "SELECT idx, balance, held FROM leg WHERE log=? AND account=? AND idx>? ORDER BY idx LIMIT ?"
        rows = self._reader.rows(sql, self.log, number, after_index, min(limit, ROWS_MAX))
        return [Leg(number, *row) for row in rows]

    def posted(self, number: str, last_index: int) -> tuple[int, int]:
        """Balance and held of an account after the entry ``last_index``."""
        sql = "SELECT coalesce(sum(balance), 0), coalesce(sum(held), 0) FROM leg WHERE log=? AND account=? AND idx<=?"
        row = self._reader.row(sql, self.log, number, last_index)
        return (0, 0) if row is None else (row[0], row[1])

    def _bytes(self, value: object) -> bytes:
        if not isinstance(value, bytes):
            raise self._reader.damage()
        return value
