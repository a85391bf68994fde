"""Statements that one person has signed and another has not yet, in one file ``halfsigned.db`` of the home.

    waiting = HalfSigned(home.folder / "halfsigned.db")
    waiting.put(Half(statement, author_signature, author="20000237", beside_key="eaff…", at_seconds=now))
    waiting.for_key("eaff…")            # what waits for that key's signature
    waiting.drop(number)                # signed and submitted, or declined

A volunteer's browser signs a service, and the elder's browser signs beside later (RULES §4): between the two the
statement stands here. It holds what the ledger will hold, and nothing personal. What is too old for the ledger is
forgotten. *Durability*: on disk when a method returns. *Concurrency*: any number of threads and processes.
"""

from gettext import gettext as _
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from store.database import Identity, SideFile
from store.log import StoreError

IDENTITY = Identity(0x48555A53, 1)
SETTINGS = ("synchronous=FULL",)
STATEMENT_MAX_BYTES = 4_096
OF_AUTHOR_MAX = 50
"""So much one person may leave waiting: elders are asked no more than they can read."""
WAITING_MAX = 20_000
KEPT_SECONDS = 60 * 86_400
TABLES = (
    "CREATE TABLE half(id INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, statement BLOB NOT NULL,"
    " signature BLOB NOT NULL, author TEXT NOT NULL, beside TEXT NOT NULL, at INTEGER NOT NULL)",
    "CREATE INDEX half_beside ON half(beside)",
    "CREATE INDEX half_author ON half(author)",
)
FIELDS = "id, statement, signature, author, beside, at"


class CrowdedError(StoreError):
    """Too much of one person, or of all, waits already. The text is for the person."""


class Half(NamedTuple):
    """A statement's canonical bytes with its author's signature; ``beside`` is the id of the key that signs next."""

    statement: bytes
    signature: bytes
    author: str
    beside: str
    at_seconds: int


class Kept(NamedTuple):
    """The same with its number."""

    id: int
    half: Half


class HalfSigned:
    """The file; it is made by the first statement."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = SideFile(path, IDENTITY, TABLES, SETTINGS, _foreign)

    def put(self, half: Half) -> None:
        """Keep it; one that is here already changes nothing. Raises CrowdedError where too much waits."""
        if len(half.statement) > STATEMENT_MAX_BYTES:
            raise StoreError(_("such a statement has at most {most} bytes").format(most=STATEMENT_MAX_BYTES))
        with self._file.writing() as connection:
            run = connection.execute
            run("DELETE FROM half WHERE at<?", (half.at_seconds - KEPT_SECONDS,))
            (count,) = run("SELECT count(*) FROM half").fetchone()
            (own,) = run("SELECT count(*) FROM half WHERE author=?", (half.author,)).fetchone()
            if count >= WAITING_MAX or own >= OF_AUTHOR_MAX:
                raise CrowdedError(_("too much of yours waits for others already: let them confirm it first"))
            fields = "digest, statement, signature, author, beside, at"
            sql = f"INSERT OR IGNORE INTO half({fields}) VALUES(?, ?, ?, ?, ?, ?)"
            run(sql, (sha256(half.statement + half.signature).digest(), *half))

    def for_key(self, key_id: str) -> list[Kept]:
        """What waits for that key's signature, the oldest first."""
        return self._kept("beside=? ORDER BY id", key_id)

    def by_author(self, account: str) -> list[Kept]:
        """What an account's person has signed and others have not."""
        return self._kept("author=? ORDER BY id", account)

    def get(self, number: int) -> Kept | None:
        """One of them."""
        return next(iter(self._kept("id=?", number)), None)

    def drop(self, number: int) -> None:
        """It waits no more."""
        with self._file.writing() as connection:
            connection.execute("DELETE FROM half WHERE id=?", (number,))

    def _kept(self, where: str, value: object) -> list[Kept]:
        if not self._path.exists():
            return []
        with self._file.reading() as connection:
            rows = connection.execute(f"SELECT {FIELDS} FROM half WHERE {where}", (value,)).fetchall()  # noqa: S608
        return [Kept(number, Half(*half)) for number, *half in rows]


def _foreign() -> str:
    return _("{path} holds no half-signed statements; restore it from a backup, or move it away to begin anew")
