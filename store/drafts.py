"""What waits for a second person's signature, in one file ``drafts.db`` of the home.

    drafts = Drafts(home.drafts)
    ids = drafts.put([Order("service", body, "C+M")], Signer("li", key_id, now))
    drafts.expect({ids[0]: Place(17, leaf_hash)}, {ids[0]: Signer("wang", other_key, now)})   # before its commit
    node.commit()
    drafts.settle(ids, now)                                                             # after it

A draft is *waiting* until it is *recorded* on the ledger or *refused* by a person. Two files cannot be committed at
once, so between the two it is *expected*: where a crash comes then, the draft says which entry it would be, and the
ledger knows whether it is (``recover``). So nothing is recorded twice, and nothing that was approved is forgotten.

*Durability*: what a method wrote is on disk when it returns, all of it or nothing. *Concurrency*: any number of
threads; each call has a connection of its own. Bodies are JSON as an entry has them; a remark is for people alone,
stays off the ledger, and is forgotten with the decision, as is what is private. Times are
seconds since 1970. Raises StoreError.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from gettext import gettext as _
from pathlib import Path
from typing import NamedTuple

from store.database import Identity, SideFile
from store.log import StoreError

IDENTITY = Identity(0x48555A44, 1)
SETTINGS = ("secure_delete=ON", "synchronous=FULL")
WAITING, EXPECTED, RECORDED, REFUSED = "waiting", "expected", "recorded", "refused"
WAITING_MAX = 20_000
"""As many may wait; somebody has to look at them first."""
KEPT_SECONDS = 93 * 86_400
"""How long a decided draft is still shown."""
BODY_MAX_BYTES = 65_536
DECIDED_MAX = 1_000
"""As many decided ones are told at once, the newest."""

TABLES = (
    "PRAGMA journal_mode=WAL",
    "CREATE TABLE draft(id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, body BLOB NOT NULL,"
    " demand TEXT NOT NULL, sheet TEXT NOT NULL, remark TEXT NOT NULL, private BLOB NOT NULL, state TEXT NOT NULL,"
    " reason TEXT NOT NULL, decided INTEGER NOT NULL, entry INTEGER, leaf BLOB)",
    "CREATE INDEX draft_state ON draft(state, decided)",
    "CREATE TABLE signer(draft INTEGER NOT NULL, place INTEGER NOT NULL, user TEXT NOT NULL, key TEXT NOT NULL,"
    " at INTEGER NOT NULL, PRIMARY KEY(draft, place)) WITHOUT ROWID",
)
FIELDS = "id, kind, body, demand, sheet, remark, private, state, reason, decided, entry"


class Signer(NamedTuple):
    """A person who stands for a draft: the user who was signed in, and the key that will sign."""

    user: str
    key: str
    at_seconds: int


class Order(NamedTuple):
    """What somebody proposes. ``demand`` says who must sign, ``sheet`` names what belongs together.

    ``private`` is what another file of the home gets together with the entry, such as a locked dossier.
    """

    kind: str
    body: bytes
    demand: str
    sheet: str = ""
    remark: str = ""
    private: bytes = b""


class Draft(NamedTuple):
    """A statement that is not on the ledger yet, or was decided. The first signer proposed it."""

    id: int
    kind: str
    body: bytes
    demand: str
    sheet: str
    remark: str
    private: bytes
    state: str
    reason: str
    decided_seconds: int
    entry: int | None
    signers: tuple[Signer, ...]

    @property
    def by(self) -> Signer:
        """Who proposed it."""
        return self.signers[0]


class Place(NamedTuple):
    """Which entry a draft is on the ledger."""

    entry: int
    leaf_hash: bytes


class Drafts:
    """The file; it is made by the first draft."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = SideFile(path, IDENTITY, TABLES, SETTINGS, _foreign)

    def put(self, orders: Sequence[Order], signer: Signer) -> list[int]:
        """Keep drafts that ``signer`` proposes; answers their numbers. Old decided ones are forgotten."""
        if any(max(len(order.body), len(order.private)) > BODY_MAX_BYTES for order in orders):
            raise StoreError(_("a draft has at most {most} bytes").format(most=BODY_MAX_BYTES))
        with self._file.writing() as connection:
            run = connection.execute
            (count,) = run("SELECT count(*) FROM draft WHERE state IN (?, ?)", (WAITING, EXPECTED)).fetchone()
            if count + len(orders) > WAITING_MAX:
                text = _("{most} drafts wait for a second signature already: certify or refuse some first")
                raise StoreError(text.format(most=WAITING_MAX))
            _forget(connection, signer.at_seconds - KEPT_SECONDS)
            return [_insert(connection, order, signer) for order in orders]

    def waiting(self, *ids: int) -> list[Draft]:
        """Those that nobody has decided yet, the oldest first; of these numbers only, where some are named."""
        if not ids:
            return self._drafts("state IN (?, ?) ORDER BY id", WAITING, EXPECTED)
        places = ",".join("?" * len(ids))
        return self._drafts(f"state IN (?, ?) AND id IN ({places}) ORDER BY id", WAITING, EXPECTED, *ids)

    def get(self, number: int) -> Draft | None:
        """One of them, decided or not."""
        found = self._drafts("id=?", number)
        return found[0] if found else None

    def decided(self, since_seconds: int, state: str = RECORDED) -> list[Draft]:
        """Those that were recorded (or refused) since then, the newest first."""
        where = "state=? AND decided>=? ORDER BY decided DESC, id DESC LIMIT ?"
        return self._drafts(where, state, since_seconds, DECIDED_MAX)

    def has_expected(self) -> bool:
        """Whether a crash may have left something to ``recover``."""
        return bool(self._drafts("state=? LIMIT 1", EXPECTED))

    def sign(self, ids: Iterable[int], signer: Signer) -> None:
        """Somebody stands for these too, and they go on waiting for others."""
        with self._file.writing() as connection:
            for number in ids:
                _sign(connection, number, signer)

    def expect(self, places: Mapping[int, Place], signed: Mapping[int, Signer] | None = None) -> None:
        """These are about to be on the ledger; whoever of ``signed`` signs last is written down too."""
        sql = "UPDATE draft SET state=?, entry=?, leaf=? WHERE id=? AND state=?"
        with self._file.writing() as connection:
            for number, place in places.items():
                done = connection.execute(sql, (EXPECTED, place.entry, place.leaf_hash, number, WAITING)).rowcount
                if done != 1:
                    raise StoreError(_("draft {number} was decided meanwhile").format(number=number))
                if signed and number in signed:
                    _sign(connection, number, signed[number])

    def settle(self, ids: Iterable[int], at_seconds: int) -> None:
        """Those expected are on the ledger."""
        with self._file.writing() as connection:
            for number in ids:
                _decide(connection, number, RECORDED, "", at_seconds, EXPECTED)

    def refuse(self, ids: Iterable[int], reason: str, at_seconds: int, signer: Signer) -> int:
        """Somebody does not want them on the ledger; answers how many were still waiting."""
        count = 0
        with self._file.writing() as connection:
            for number in ids:
                done = _decide(connection, number, REFUSED, reason, at_seconds, WAITING)
                if done:
                    _sign(connection, number, signer)
                count += done
        return count

    def recover(self, leaf_at: Callable[[int], bytes | None], at_seconds: int) -> None:
        """Ask the ledger after a crash, while nobody writes: what is expected is recorded or waits again.

        ``leaf_at`` answers the leaf hash of the entry on disk at an index. Who signed last signs again.
        """
        with self._file.writing() as connection:
            run = connection.execute
            for number, entry, leaf in run("SELECT id, entry, leaf FROM draft WHERE state=?", (EXPECTED,)).fetchall():
                if leaf_at(entry) == leaf:
                    _decide(connection, number, RECORDED, "", at_seconds, EXPECTED)
                else:
                    run("UPDATE draft SET state=?, entry=NULL, leaf=NULL WHERE id=?", (WAITING, number))
                    last = "SELECT max(place) FROM signer WHERE draft=?1 AND place>0"
                    run(f"DELETE FROM signer WHERE draft=?1 AND place=({last})", (number,))  # noqa: S608 - a constant

    def _drafts(self, where: str, *values: object) -> list[Draft]:
        if not self._path.exists():
            return []
        chosen = f"SELECT {FIELDS} FROM draft WHERE {where}"  # noqa: S608 - of this module alone
        with self._file.reading() as connection:
            connection.execute("BEGIN")
            rows = connection.execute(chosen, values).fetchall()
            signers: dict[int, list[Signer]] = {row[0]: [] for row in rows}
            some = connection.execute("SELECT draft, user, key, at FROM signer ORDER BY draft, place")
            for number, *signer in some if len(rows) > 1 else _signers_of(connection, signers):
                if number in signers:
                    signers[number].append(Signer(*signer))
            connection.execute("COMMIT")
        return [Draft._make((*row, tuple(signers[row[0]]))) for row in rows]


def _insert(connection: sqlite3.Connection, order: Order, signer: Signer) -> int:
    sql = (
        "INSERT INTO draft(kind, body, demand, sheet, remark, private, state, reason, decided)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, '', 0)"
    )
    values = (order.kind, order.body, order.demand, order.sheet, order.remark, order.private, WAITING)
    number = int(connection.execute(sql, values).lastrowid or 0)
    _sign(connection, number, signer)
    return number


def _sign(connection: sqlite3.Connection, number: int, signer: Signer) -> None:
    sql = (
        "INSERT INTO signer(draft, place, user, key, at)"
        " VALUES(?1, (SELECT count(*) FROM signer WHERE draft=?1), ?2, ?3, ?4)"
    )
    connection.execute(sql, (number, *signer))


def _decide(
    connection: sqlite3.Connection, number: int, state: str, reason: str, at_seconds: int, before: str
) -> int:
    sql = "UPDATE draft SET state=?, reason=?, decided=?, remark='', private=x'' WHERE id=? AND state=?"
    return connection.execute(sql, (state, reason, at_seconds, number, before)).rowcount


def _signers_of(connection: sqlite3.Connection, drafts: Iterable[int]) -> Iterator[tuple[int, str, str, int]]:
    for number in drafts:
        yield from connection.execute("SELECT draft, user, key, at FROM signer WHERE draft=? ORDER BY place", (number,))


def _forget(connection: sqlite3.Connection, before_seconds: int) -> None:
    old = (RECORDED, REFUSED, before_seconds)
    gone = "SELECT id FROM draft WHERE state IN (?, ?) AND decided<?"
    connection.execute(f"DELETE FROM signer WHERE draft IN ({gone})", old)  # noqa: S608 - a constant
    connection.execute("DELETE FROM draft WHERE state IN (?, ?) AND decided<?", old)


def _foreign() -> str:
    return _("{path} holds no drafts; restore it from a backup, or move it away to begin anew")
