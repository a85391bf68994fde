"""What people ask the village desk to record for them, in one file ``wishes.db`` of the home.

    wishes = Wishes(home.folder / "wishes.db")
    wishes.put("20000237", "gift", body, now)
    wishes.open(); wishes.of("20000237")
    wishes.decide(number, TAKEN, now)             # the desk has proposed it as its own; or REFUSED

Who has no key on a phone asks here by a form. A wish is no statement and moves nothing: a clerk reads it, and proposes
what it asks for, which a member then signs beside (RULES §1). ``body`` is JSON as an entry has it. *Durability*: on
disk when a method returns. *Concurrency*: any number of threads and processes.
"""

from gettext import gettext as _
from pathlib import Path
from typing import NamedTuple

from store.database import Identity, SideFile
from store.log import StoreError

IDENTITY = Identity(0x48555A57, 1)
SETTINGS = ("synchronous=FULL", "secure_delete=ON")
OPEN, TAKEN, REFUSED = "open", "taken", "refused"
BODY_MAX_BYTES = 8_192
OF_ACCOUNT_MAX = 20
"""So many of one person wait at most."""
OPEN_MAX = 20_000
SHOWN_MAX = 100
KEPT_SECONDS = 60 * 86_400
"""How long a decided one is still told."""
TABLES = (
    "CREATE TABLE wish(id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, kind TEXT NOT NULL,"
    " body BLOB NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, decided INTEGER NOT NULL)",
    "CREATE INDEX wish_account ON wish(account)",
    "CREATE INDEX wish_state ON wish(state)",
)
FIELDS = "id, account, kind, body, at, state"


class CrowdedError(StoreError):
    """Too much of one person, or of all, waits already. The text is for the person."""


class Wish(NamedTuple):
    """What one person asked for."""

    id: int
    account: str
    kind: str
    body: bytes
    at_seconds: int
    state: str


class Wishes:
    """The file; it is made by the first wish."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = SideFile(path, IDENTITY, TABLES, SETTINGS, _foreign)

    def put(self, account: str, kind: str, body: bytes, at_seconds: int) -> None:
        """Keep it. The same wish that still waits is not kept twice. Raises CrowdedError where too much waits."""
        if len(body) > BODY_MAX_BYTES:
            raise StoreError(_("a wish has at most {most} bytes").format(most=BODY_MAX_BYTES))
        with self._file.writing() as connection:
            run = connection.execute
            run("DELETE FROM wish WHERE state<>? AND decided<?", (OPEN, at_seconds - KEPT_SECONDS))
            same = "SELECT 1 FROM wish WHERE account=? AND kind=? AND body=? AND state=?"
            if run(same, (account, kind, body, OPEN)).fetchone():
                return
            (count,) = run("SELECT count(*) FROM wish WHERE state=?", (OPEN,)).fetchone()
            (own,) = run("SELECT count(*) FROM wish WHERE account=? AND state=?", (account, OPEN)).fetchone()
            if count >= OPEN_MAX or own >= OF_ACCOUNT_MAX:
                raise CrowdedError(_("too much of yours waits at the desk already: ask there in person"))
            sql = "INSERT INTO wish(account, kind, body, at, state, decided) VALUES(?, ?, ?, ?, ?, 0)"
            run(sql, (account, kind, body, at_seconds, OPEN))

    def open(self) -> list[Wish]:
        """What waits for the desk, the oldest first; at most ``SHOWN_MAX``."""
        return self._wishes("state=? ORDER BY id LIMIT ?", OPEN, SHOWN_MAX)

    def of(self, account: str) -> list[Wish]:
        """One person's, the newest first."""
        return self._wishes("account=? ORDER BY id DESC LIMIT ?", account, SHOWN_MAX)

    def get(self, number: int) -> Wish | None:
        """One of them."""
        return next(iter(self._wishes("id=? LIMIT ?", number, 1)), None)

    def decide(self, number: int, state: str, at_seconds: int, before: str = OPEN) -> bool:
        """The desk took it up or refused it; False where it is not in the state ``before`` any more."""
        with self._file.writing() as connection:
            sql = "UPDATE wish SET state=?, decided=? WHERE id=? AND state=?"
            return connection.execute(sql, (state, at_seconds, number, before)).rowcount == 1

    def _wishes(self, where: str, *values: object) -> list[Wish]:
        if not self._path.exists():
            return []
        with self._file.reading() as connection:
            rows = connection.execute(f"SELECT {FIELDS} FROM wish WHERE {where}", values).fetchall()  # noqa: S608
        return [Wish(*row) for row in rows]


def _foreign() -> str:
    return _("{path} holds no wishes; restore it from a backup, or move it away to begin anew")
