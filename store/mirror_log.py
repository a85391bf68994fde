"""One mirrored ledger in ``mirror.db``: what counts of it, and what is staged.

Entries come in steps, each one transaction. What is past ``mirror.size`` is *staged*: proven to be under a checkpoint
that is not reached yet, and counted by nobody. ``reach`` makes it count, with the checkpoint, the balances and the
audit's state, in one transaction. A crash leaves what was committed, and the next round goes on from there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from gettext import gettext as _

from chain.merkle import ReadNode, leaf_hash
from chain.tile import TILE_WIDTH
from store.database import explained
from store.hashes import HashTiles
from store.log import Legs, StoreError
from store.mirror_file import FINDINGS, KEPT_TABLES, ROWS, SOUND, MirrorFile, MirrorRow
from store.sqlite import LostTileError
from store.summaries import write_summary
from verify.summary import Summary

ROWS_AT_ONCE = 512
SHOWN_MAX = 64
"""So many checkpoints that are not reached are kept of one ledger: half of them the largest, half the latest."""
TROUBLE_MAX_CHARACTERS = 500


class MirrorLog:
    """One mirrored ledger. ``stage`` and what follows it are one transaction up to ``commit`` of the store."""

    def __init__(self, store: MirrorFile, number: int) -> None:
        self._store = store
        self._log = number
        self.load()

    def load(self) -> None:
        """Read again what stands on disk: after ``rollback``."""
        row = self._store._fetch(f"{ROWS} WHERE m.log=?", self._log)
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
        """The largest checkpoint that was seen, where not all of its entries are here yet."""
        return next(iter(self.shown()), None)

    def shown(self) -> list[bytes]:
        """The checkpoints that were seen of more entries than count, the largest first: the first one of each size.

        Only those that were signed by the key under which it is admitted now, or by one that its log ties to that.
        """
        sql = "SELECT note FROM shown WHERE log=? AND vkey=? AND size>? ORDER BY size DESC"
        with explained(self._store.path):
            rows = self._store._run(sql, self._log, self.row.vkey, self.row.size).fetchall()
        return [bytes(note) for (note,) in rows]

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
            with explained(self._store.path):
                rows = self._store._run(sql, self._log, first, min(end, first + ROWS_AT_ONCE)).fetchall()
            yield from (raw for (raw,) in rows)

    def checkpoints(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """The checkpoints that count, by size, from ``start`` on."""
        sql = "SELECT size, note FROM checkpoint WHERE log=? AND size>=? AND size<=? ORDER BY size"
        with explained(self._store.path):
            yield from self._store._run(sql, self._log, start, self.row.size)

    # What is written; on disk after ``MirrorStore.commit``

    def show(self, size: int, note: bytes) -> None:
        """Keep a signed checkpoint before its entries are here, unless there is one of that size.

        Of more than ``SHOWN_MAX`` the smallest and oldest go: what signs so many has no other way to be forgotten.
        """
        log, vkey = self._log, self.row.vkey
        with explained(self._store.path):
            self._store.begin()
            sql = "INSERT OR IGNORE INTO shown(log, vkey, size, note) VALUES(?, ?, ?, ?)"
            self._store._run(sql, log, vkey, size, note)
            self._store._run(
                "DELETE FROM shown WHERE log=?1 AND vkey=?2"
                " AND id NOT IN (SELECT id FROM shown WHERE log=?1 AND vkey=?2 ORDER BY size DESC LIMIT ?3)"
                " AND id NOT IN (SELECT id FROM shown WHERE log=?1 AND vkey=?2 ORDER BY id DESC LIMIT ?3)",
                *(log, vkey, SHOWN_MAX // 2),
            )

    def unshow(self, size: int) -> None:
        """Forget the checkpoint of that size which was seen: evidence has it."""
        with explained(self._store.path):
            self._store.begin()
            self._store._run("DELETE FROM shown WHERE log=? AND vkey=? AND size=?", self._log, self.row.vkey, size)

    def stage(self, entries: Sequence[bytes], leaf_hashes: Sequence[bytes]) -> None:
        """Add entries; they do not count before ``reach``."""
        log, start = self._log, self.row.staged
        tiles = self.hashes.append(leaf_hashes)
        size, byte_count = start + len(entries), self.row.bytes + sum(map(len, entries))
        with explained(self._store.path):
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

    def put_legs(self, legs: Legs) -> None:
        """What entries post, by account and entry: changes of ``balance`` and ``held``."""
        with explained(self._store.path):
            self._store.begin()
            self._store._run_all(
                "INSERT OR REPLACE INTO leg(log, account, idx, balance, held) VALUES(?, ?, ?, ?, ?)",
                [(self._log, *place, *legs[place]) for place in sorted(legs)],
            )

    def put_transfers(self, transfers: Sequence[tuple[int, str, str, int | None]]) -> None:
        """Entries about transfers: (index, kind, other ledger, the ``transfer_out`` that it speaks of)."""
        with explained(self._store.path):
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
        with explained(self._store.path):
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
            store._run("DELETE FROM shown WHERE log=? AND size<=?", log, size)
        self.row = self.row._replace(
            size=size, sealed_seconds=sealed_seconds, state=state, findings=findings
        )

    def put_summary(self, summary: Summary) -> None:
        """What is asked of it most often, as of what ``reach`` made count."""
        with explained(self._store.path):
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
        """Forget what is not under a checkpoint of this ledger; what it has shown stays."""
        with explained(self._store.path):
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
        with explained(self._store.path):
            self._store.begin()
            self._store._run(
                "UPDATE checkpoint SET note=? WHERE log=? AND size=?", note, self._log, self.row.size
            )

    def pulled(self, at_seconds: int) -> None:
        """The ledger was asked and answered."""
        with explained(self._store.path):
            self._store.begin()
            sql = "UPDATE mirror SET pulled_seconds=?, tried_seconds=?, trouble='' WHERE log=?"
            self._store._run(sql, at_seconds, at_seconds, self._log)
        self.row = self.row._replace(pulled_seconds=at_seconds, tried_seconds=at_seconds, trouble="")

    def trouble(self, text: str, at_seconds: int) -> None:
        """Why it could not be had the last time."""
        short = text[:TROUBLE_MAX_CHARACTERS]
        with explained(self._store.path):
            self._store.begin()
            sql = "UPDATE mirror SET trouble=?, tried_seconds=? WHERE log=?"
            self._store._run(sql, short, at_seconds, self._log)
        self.row = self.row._replace(trouble=short, tried_seconds=at_seconds)

    def hold(self, state: str) -> None:
        """Take nothing more: it is ``forked`` or ``rolled-back``."""
        with explained(self._store.path):
            self._store.begin()
            self._store._run("UPDATE mirror SET state=? WHERE log=?", state, self._log)
        self.row = self.row._replace(state=state)

    def release(self) -> None:
        """Take from it again, if it goes on from what is here. What it does from now on is another alarm."""
        self.hold(FINDINGS if self.row.findings else SOUND)
        self._end_alarms()
        self._store.commit()

    def forget(self) -> None:
        """All that is here of it but the alarms: it is mirrored again from its beginning.

        It gets another number, so that nobody who reads beside us takes what was here before for what comes.
        """
        with explained(self._store.path):
            store = self._store
            store.begin()
            for table in KEPT_TABLES:
                store._run(f"DELETE FROM {table} WHERE log=?", self._log)  # noqa: S608 - names of tables
            (number,) = store._run("SELECT max(id)+1 FROM log").fetchone()
            self._end_alarms()
            for table, column in (("log", "id"), ("alarm", "log"), ("mirror", "log")):
                store._run(f"UPDATE {table} SET {column}=? WHERE {column}=?", number, self._log)  # noqa: S608
            store._run(
                "UPDATE mirror SET size=0, bytes=0, sealed_seconds=NULL, pulled_seconds=NULL, tried_seconds=NULL,"
                " state=?, findings=0, trouble='', audit=NULL WHERE log=?",
                *(SOUND, number),
            )
            store.commit()
        self._log = number
        self.load()

    def _end_alarms(self) -> None:
        with explained(self._store.path):
            self._store.begin()
            self._store._run("UPDATE alarm SET over=1 WHERE log=?", self._log)

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
        with explained(self._store.path):
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
