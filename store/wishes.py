"""What people ask the village desk for on their own pages, in one file ``wishes.db`` of the home.

    wishes = Wishes(home.folder / WISHES_FILE)
    wishes.put("20000237", "gift", body, now)
    wishes.open(); wishes.of("20000237")
    wishes.decide(number, TAKEN, now)             # the desk has taken it up as its own; or REFUSED, with a word
    wishes.name_draft(number, 17)                 # what waits for a second signature in its place
    wishes.drop(number)                           # taken back while it waits: nothing of it is kept

Who has no key on a phone asks here by a form. A wish is no statement and moves nothing: a clerk reads it, and proposes
what it asks for, which a member then signs beside (RULES §1). ``kind`` is that of an entry and ``body`` its JSON; or
``kind`` is HELP and ``body`` a box that the people key opens (``web.pages.helpwishes``). *Durability*: on disk when a
method returns. *Concurrency*: any number of threads and processes.
"""

from gettext import gettext as _
from pathlib import Path
from typing import NamedTuple

from store.database import Identity, SideFile
from store.log import StoreError

IDENTITY = Identity(0x48555A57, 1)
WISHES_FILE = "wishes.db"
"""Its name in the home."""
HELP = "help"
"""The kind of a wish that somebody may come; no entry of the ledger is of it."""
SETTINGS = ("synchronous=FULL", "secure_delete=ON")
OPEN, TAKEN, REFUSED = "open", "taken", "refused"
BODY_MAX_BYTES = 8_192
OBJECTIONS = ("dispute", "appeal")
"""Of these kinds the desk refuses none by one person alone; and they stand first."""
WORD_MAX_CHARACTERS = 200
OF_ACCOUNT_MAX = 20
"""So many of one person wait at most."""
OPEN_MAX = 20_000
WISH_MAX = 2**53 - 1
"""No wish has a higher number."""
SHOWN_MAX = 100
CLAIMED_SECONDS = 120
"""Taken up for so long without anything that waits in its place: something broke off, and it waits again."""
KEPT_SECONDS = 60 * 86_400
"""How long a decided one is still told."""
TABLES = (
    "CREATE TABLE wish(id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, kind TEXT NOT NULL,"
    " body BLOB NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, decided INTEGER NOT NULL,"
    " word TEXT NOT NULL DEFAULT '', refuser TEXT NOT NULL DEFAULT '', draft INTEGER NOT NULL DEFAULT 0)",
    "CREATE INDEX wish_account ON wish(account)",
    "CREATE INDEX wish_state ON wish(state)",
)
FIELDS = "id, account, kind, body, at, state, word, refuser, draft"


class CrowdedError(StoreError):
    """Too much of one person, or of all, waits already. The text is for the person."""


class Wish(NamedTuple):
    """What one person asked for. ``word``: why it was refused; ``refuser``: the first of two who do so.

    ``draft``: what waits for a second signature in its place; 0 as long as there is none.
    """

    id: int
    account: str
    kind: str
    body: bytes
    at_seconds: int
    state: str
    word: str = ""
    refuser: str = ""
    draft: int = 0


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
        """What waits for the desk, objections first, the oldest first; at most ``SHOWN_MAX``."""
        return self._wishes("state=? ORDER BY kind IN (?, ?) DESC, id LIMIT ?", OPEN, *OBJECTIONS, SHOWN_MAX)

    def open_count(self) -> int:
        """How many wait, shown or not."""
        if not self._path.exists():
            return 0
        with self._file.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM wish WHERE state=?", (OPEN,)).fetchone()[0])

    def reopen(self, at_seconds: int) -> None:
        """What was taken up some time ago, and then came to nothing because something broke off, waits again."""
        if self._path.exists():
            with self._file.writing() as connection:
                sql = "UPDATE wish SET state=? WHERE state=? AND draft=0 AND decided<?"
                connection.execute(sql, (OPEN, TAKEN, at_seconds - CLAIMED_SECONDS))

    def of(self, account: str) -> list[Wish]:
        """One person's, the newest first."""
        return self._wishes("account=? ORDER BY id DESC LIMIT ?", account, SHOWN_MAX)

    def get(self, number: int) -> Wish | None:
        """One of them."""
        return next(iter(self._wishes("id=? LIMIT ?", number, 1)), None)

    def decide(
        self, number: int, state: str, at_seconds: int, before: str = OPEN, body: bytes | None = None, word: str = ""
    ) -> bool:
        """The desk took it up or refused it; False where it is not in the state ``before`` any more.

        ``body`` takes the place of the one before: what came of it is kept with it.
        """
        with self._file.writing() as connection:
            sql = "UPDATE wish SET state=?, decided=?, body=coalesce(?, body), word=? WHERE id=? AND state=?"
            return connection.execute(sql, (state, at_seconds, body, word, number, before)).rowcount == 1

    def doubt(self, number: int, refuser: str, word: str) -> bool:
        """The first of two refuses it: it goes on waiting. False where somebody was quicker."""
        with self._file.writing() as connection:
            sql = "UPDATE wish SET refuser=?, word=? WHERE id=? AND state=? AND refuser=''"
            return connection.execute(sql, (refuser, word, number, OPEN)).rowcount == 1

    def name_draft(self, number: int, draft: int) -> None:
        """Keep what waits in its place, so that the person can be told what becomes of it."""
        with self._file.writing() as connection:
            connection.execute("UPDATE wish SET draft=? WHERE id=?", (draft, number))

    def drop(self, number: int, state: str = OPEN) -> bool:
        """Keep nothing of it any more; False where it is not in that state."""
        return self._delete("id=? AND state=?", number, state)

    def erase(self, account: str) -> bool:
        """Destroy all that was asked for an account; whether there was any."""
        return self._delete("account=?", account)

    def _delete(self, where: str, *values: object) -> bool:
        if not self._path.exists():
            return False
        with self._file.writing() as connection:
            return connection.execute(f"DELETE FROM wish WHERE {where}", values).rowcount > 0  # noqa: S608

    def _wishes(self, where: str, *values: object) -> list[Wish]:
        if not self._path.exists():
            return []
        with self._file.reading() as connection:
            rows = connection.execute(f"SELECT {FIELDS} FROM wish WHERE {where}", values).fetchall()  # noqa: S608
        return [Wish(*row) for row in rows]


def _foreign() -> str:
    return _("{path} holds no wishes; restore it from a backup, or move it away to begin anew")
