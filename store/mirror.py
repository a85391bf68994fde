"""The ledgers that a node mirrors, in one archive (FORMAT §9) with side tables: ``mirror.db``, safe to hand out.

    store = MirrorStore(home.mirror)
    log = store.admit("village.example/huzhu", "township.example/huzhu", "village", vkey)
    log.stage(entries, leaf_hashes); log.reach(...); store.commit()
    store.alarms(); export_mirror(store, ["village.example/huzhu"], path)

``store.mirror_file`` has its tables and transactions, ``store.mirror_log`` one ledger; here is which ledgers there are,
and what was found wrong with them.
"""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing, suppress
from gettext import gettext as _
from pathlib import Path
from typing import NamedTuple

from store.database import explained
from store.log import StoreError
from store.mirror_file import FINDINGS as FINDINGS
from store.mirror_file import FORKED as FORKED
from store.mirror_file import HELD_STATES as HELD_STATES
from store.mirror_file import ROLLED_BACK as ROLLED_BACK
from store.mirror_file import ROWS, MirrorFile
from store.mirror_file import SOUND as SOUND
from store.mirror_file import MirrorRow as MirrorRow
from store.mirror_log import MirrorLog as MirrorLog
from store.mirror_log import MirrorSource as MirrorSource
from store.mirror_receipts import admission_receipt
from store.reading import LedgerReader
from store.sqlite import write_archive

ALARMS_LISTED_MAX = 1_000


class AlarmRow(NamedTuple):
    """Something that a person has to look at; ``evidence`` is a file's path, or empty.

    What happened again before anybody had looked is counted, and of it the latest is kept beside the first.
    """

    id: int
    origin: str
    code: str
    at_seconds: int
    detail: str
    evidence: str
    seen: int
    times: int
    latest_seconds: int
    latest_evidence: str


class MirrorStore(MirrorFile):
    """``mirror.db``. One writer; what a method wrote is on disk when it has returned, but see ``MirrorLog.stage``."""

    def __init__(self, path: Path) -> None:
        """Opens the file, or makes it."""
        super().__init__(path)
        self._raised: set[int] = set()
        """Which alarms were raised since the last ``settle``."""

    # The ledgers

    def rows(self) -> list[MirrorRow]:
        """All mirrored ledgers, those next asked first: the one that was asked longest ago."""
        with explained(self.path):
            found = self._run(f"{ROWS} ORDER BY coalesce(m.tried_seconds, 0), l.origin").fetchall()
        return [MirrorRow(*row) for row in found]

    def log(self, origin: str) -> MirrorLog | None:
        """The ledger of that name, where it is mirrored."""
        with explained(self.path):
            row = self._run(
                "SELECT l.id FROM log l JOIN mirror m ON m.log=l.id WHERE l.origin=?", origin
            ).fetchone()
            return None if row is None else MirrorLog(self, row[0])

    def parent(self, origin: str) -> str | None:
        """The ledger under which it is mirrored; None where it is not."""
        log = self.log(origin)
        return None if log is None else log.row.parent

    def admit(self, origin: str, parent: str, tier: str, vkey: str) -> MirrorLog:
        """The ledger of that name, from now on under that parent and key; made where it is new."""
        known = self.log(origin)
        if known is not None and known.row[1:4] == (parent, tier, vkey):
            return known
        with explained(self.path):
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
        with explained(self.path):
            rows = self._run(
                "SELECT a.origin, a.vkey, a.tier FROM admission a JOIN log l ON l.id=a.log WHERE l.origin=?"
                " ORDER BY a.origin",
                origin,
            ).fetchall()
        return {admitted: (vkey, tier) for admitted, vkey, tier in rows}

    def admission_receipt(self, origin: str, admitted: str) -> bytes:
        """The entry receipt of what admits a ledger in this one, by what counts of it; empty where nothing does."""
        with closing(LedgerReader(self.path)) as reader:
            ledger = reader.ledger(origin)
            return b"" if ledger is None else admission_receipt(ledger, admitted)

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
        the same one only where its evidence is. One that is raised again is counted; one that was over (``settle``,
        ``MirrorLog.release``, ``forget``) and that somebody has looked at, or with ``each``, is a new one.
        """
        evidence = keep_evidence()
        with explained(self.path):
            (number,) = self._run("SELECT id FROM log WHERE origin=?", origin).fetchone()
            same, value = ("(NOT seen OR NOT over AND detail=?)", detail)
            if each:
                same, value = ("NOT over AND evidence=?", evidence)
            sql = (  # one of two texts
                "SELECT id, coalesce(latest_evidence, '') FROM alarm"  # noqa: S608
                f" WHERE log=? AND code=? AND {same} ORDER BY id DESC LIMIT 1"
            )
            row = self._run(sql, number, code, value).fetchone()
            self.begin()
            if row is None:
                sql = "INSERT INTO alarm(log, code, at_seconds, detail, evidence) VALUES(?, ?, ?, ?, ?)"
                (raised,) = self._run(f"{sql} RETURNING id", number, code, at_seconds, detail, evidence).fetchone()
            else:
                raised = row[0]
                sql = "UPDATE alarm SET times=times+1, latest_seconds=?, latest_evidence=?, over=0 WHERE id=?"
                self._run(sql, at_seconds, evidence, raised)
            self.commit()
        self._raised.add(raised)
        if row is not None and row[1] != evidence:
            self._drop_evidence(row[1])
        return row is None

    def settle(self, good: AbstractSet[str], lasts: Callable[[str, str], bool]) -> None:
        """At the end of a round: alarms about ledgers that were good in it are over, but those that it raised.

        ``lasts`` says of an alarm's ledger and code whether what it tells of goes on all the same.
        """
        raised, self._raised = self._raised, set()
        with explained(self.path):
            rows = self._run("SELECT a.id, l.origin, a.code FROM alarm a JOIN log l ON l.id=a.log WHERE NOT a.over")
            over = [
                (number,)
                for number, origin, code in rows.fetchall()
                if number not in raised and origin in good and not lasts(origin, code)
            ]
            if over:
                self.begin()
                self._run_all("UPDATE alarm SET over=1 WHERE id=?", over)
                self.commit()

    def has_rival(self, origin: str) -> bool:
        """Whether another ledger here has admitted one that this one has admitted too."""
        sql = (
            "SELECT 1 FROM log l JOIN admission a ON a.log=l.id JOIN admission b ON b.origin=a.origin AND b.log!=a.log"
            " WHERE l.origin=? LIMIT 1"
        )
        return self._fetch(sql, origin) is not None

    def _drop_evidence(self, path: str) -> None:
        """Of what happens again and again the first and the latest are kept: else a liar would fill the disk."""
        with explained(self.path):
            sql = "SELECT 1 FROM alarm WHERE ? IN (evidence, latest_evidence) LIMIT 1"
            if path and self._run(sql, path).fetchone() is None:
                with suppress(OSError):
                    Path(path).unlink()

    def notes(self, origins: Iterable[str]) -> dict[str, bytes]:
        """The newest checkpoint that counts of each of these ledgers, where it is sound enough to stand for it."""
        logs = [log for origin in origins if (log := self.log(origin)) is not None and log.state not in HELD_STATES]
        return {log.origin: note for log in logs if (note := log.note()) is not None}

    def alarms(self, *, also_seen: bool = False) -> list[AlarmRow]:
        """The newest first."""
        with explained(self.path):
            rows = self._run(
                "SELECT a.id, l.origin, a.code, a.at_seconds, a.detail, a.evidence, a.seen, a.times,"
                " coalesce(a.latest_seconds, a.at_seconds), coalesce(a.latest_evidence, a.evidence) FROM alarm a"
                " JOIN log l ON l.id=a.log WHERE ? OR NOT a.seen ORDER BY a.id DESC LIMIT ?",
                *(also_seen, ALARMS_LISTED_MAX),
            ).fetchall()
        return [AlarmRow(*row) for row in rows]

    def see(self, alarm_id: int) -> bool:
        """Somebody has looked at it; whether there is one of that number."""
        with explained(self.path):
            self.begin()
            count = self._run("UPDATE alarm SET seen=1 WHERE id=?", alarm_id).rowcount
            self.commit()
        return count > 0


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
