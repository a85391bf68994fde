"""The node's requests, and what volunteers told about themselves: one private file, ``requests.db``, all of it sealed.

    with closing(open_book(path, secret)) as book:       # whoever opens it holds the home's lock; made where none is
        request = book.add(request)                      # its number is given
        book.put(changed)                                # on disk when this returns
        book.live(); book.since(day); book.of_person(account); book.profiles()

Which accounts take part, and on which day, stands open, for looking up and for erasing, as in ``people.db``; where,
what for and what was said does not: every row is a box under the node's people key (``care.vault``), bound to its table
and number, so that no row is of use in another's place.

*Erased means gone from the file*, as in ``care.people``, whose way this is: rows are overwritten, the file is rebuilt,
the journal is overwritten and removed, and where a crash comes between the next opening ends it. A request is erased
with any of its recipients; of a volunteer their visits go and what they told.

*Crash.* One request is written in one transaction. Nothing here has to agree with the ledger: a visit that was recorded
says by which draft or entry, and who reads it looks there.

*Bounded.* So many requests are open at once, and those that are over are kept for so many days.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from gettext import gettext as _
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from care.dossier import CareError
from care.layout import Layout
from care.people import connect, explained, scrub_journal
from care.requests import Request, Visit
from care.vault import NONCE_BYTES, SEALED_MAX_BYTES, TAG_BYTES, Vault, VaultError
from care.walking import Place
from chain.limits import INTEGER_MAX

APPLICATION_ID = 0x48555A52
USER_VERSION = 1
REQUESTS_FILE = "requests.db"
"""Its name in the home."""
LIVE_MAX = 2_000
ROWS_MAX = 20_000
KEPT_DAYS = 400
"""What is over stays so long: a year's pattern can be seen, and no longer a life's."""
PROFILES_MAX = 20_000
SEALED = f"CASE WHEN length(sealed)<={SEALED_MAX_BYTES} THEN sealed END"
"""A box as it is read: none where it is larger than any that was made here."""
BOX_MAX_BYTES = SEALED_MAX_BYTES - NONCE_BYTES - TAG_BYTES

layout = Layout("huzhu-requests")
T = TypeVar("T")


@layout.step("0001-requests")
def _requests(connection: sqlite3.Connection) -> None:
    run = connection.execute
    run("CREATE TABLE request(id INTEGER PRIMARY KEY AUTOINCREMENT, live INTEGER, day INTEGER, sealed BLOB)")
    run("CREATE INDEX request_live ON request(live, day)")
    run("CREATE TABLE recipient(account TEXT, request INTEGER, PRIMARY KEY(account, request)) WITHOUT ROWID")
    run(
        "CREATE TABLE visit(request INTEGER, place INTEGER, volunteer TEXT, sealed BLOB,"
        " PRIMARY KEY(request, place)) WITHOUT ROWID"
    )
    run("CREATE INDEX visit_volunteer ON visit(volunteer)")
    run("CREATE TABLE profile(account TEXT PRIMARY KEY, sealed BLOB) WITHOUT ROWID")
    run("CREATE TABLE owner(mark BLOB NOT NULL)")
    run("CREATE TABLE cleaning(due INTEGER NOT NULL)")
    run("INSERT INTO cleaning(due) VALUES(0)")


class BookError(CareError):
    """The file is damaged or of another home, or holds as much as it may. The text says what to do."""


class Profile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody told about themselves: where they live, and as a volunteer when they are free and for what."""

    place: Place | None = None
    languages: tuple[str, ...] = ()
    diets: tuple[str, ...] = ()
    care_most: int | None = None
    free_hours: tuple[int, ...] = ()
    is_resting: bool = False


NOTHING_TOLD = Profile()


def open_book(path: Path, secret: bytes) -> "RequestBook":
    """The book, made where there is none; raises CareError."""
    if not path.exists():
        _create(path, secret)
    return RequestBook(path, secret)


def _create(path: Path, secret: bytes) -> None:
    """An empty one under another name, moved into place when it is whole."""
    draft = path.with_name(f".{path.name}-new")
    draft.unlink(missing_ok=True)
    with explained(path), suppress(FileExistsError):
        draft.touch(0o600, exist_ok=False)
        connection = connect(draft)
        try:
            layout.complete(connection)
            connection.execute("INSERT INTO owner(mark) VALUES(?)", (Vault(secret).lock_mark(),))
            connection.execute(f"PRAGMA user_version={USER_VERSION}")
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        finally:
            connection.close()
        scrub_journal(draft)
        draft.rename(path)


def erase_from(path: Path, secret: bytes, account: str) -> bool:
    """Destroy what a home's book keeps of a person, where there is a book; whether anything was."""
    if not path.exists():
        return False
    with closing(RequestBook(path, secret)) as book:
        return book.erase(account)


class RequestBook:
    """All requests and profiles, opened with the people key's secret."""

    def __init__(self, path: Path, secret: bytes) -> None:
        self._path = path.resolve()
        self._vault = Vault(secret)
        with explained(self._path):
            self._connection = connect(self._path)
        try:
            self._open()
        except BaseException:
            self._connection.close()
            raise

    def _open(self) -> None:
        found = [self._rows(f"PRAGMA {name}") for name in ("application_id", "user_version")]
        if found != [[(APPLICATION_ID,)], [(USER_VERSION,)]]:
            text = _("{path} holds no requests that this program knows; restore it from a backup")
            raise BookError(text.format(path=self._path))
        with explained(self._path):
            layout.complete(self._connection)
        marks = self._rows("SELECT CASE WHEN length(mark)<=? THEN mark END FROM owner", SEALED_MAX_BYTES)
        if not marks or not all(isinstance(mark, bytes) and self._vault.is_mark(mark) for (mark,) in marks):
            text = _("{path} is of another home, or people.pem is not its key; restore both from one backup")
            raise BookError(text.format(path=self._path))
        if self._rows("SELECT max(due) FROM cleaning") != [(0,)]:
            self._clean()

    def close(self) -> None:
        """Let go of the file; no journal with old pages stays beside it."""
        self._connection.close()
        scrub_journal(self._path)

    # Requests

    def add(self, request: Request) -> Request:
        """A new request under a number of its own, whatever number it came with; BookError where too many are open."""
        with self._transaction():
            if self._count("SELECT count(*) FROM request WHERE live=1") >= LIVE_MAX:
                text = _("{most} requests are open: withdraw those that nobody waits for any more")
                raise BookError(text.format(most=LIVE_MAX))
            number = self._run("INSERT INTO request(live, day) VALUES(1, 0)").lastrowid or 0
            numbered = msgspec.structs.replace(request, id=number)
            self._write(numbered)
        return numbered

    def put(self, request: Request) -> None:
        """Have a changed request on disk; one that was erased meanwhile stays erased."""
        with self._transaction():
            if self._count("SELECT count(*) FROM request WHERE id=?", request.id):
                self._write(request)

    def _write(self, request: Request) -> None:
        head = self._lock(f"request/{request.id}", msgspec.structs.replace(request, visits=()))
        sql = "UPDATE request SET live=?, day=?, sealed=? WHERE id=?"
        self._run(sql, int(not request.is_over), request.starts_at.toordinal(), head, request.id)
        for account in request.recipients:
            self._run("INSERT OR IGNORE INTO recipient(account, request) VALUES(?, ?)", account, request.id)
        self._run("DELETE FROM visit WHERE request=?", request.id)
        for place, visit in enumerate(request.visits):
            box = self._lock(f"visit/{request.id}/{place}/{visit.volunteer}", visit)
            sql = "INSERT INTO visit(request, place, volunteer, sealed) VALUES(?, ?, ?, ?)"
            self._run(sql, request.id, place, visit.volunteer, box)

    def request(self, number: int) -> Request | None:
        """The request of that number."""
        return next(iter(self._requests("id=?", number)), None) if 0 < number <= INTEGER_MAX else None

    def live(self) -> list[Request]:
        """Those of which something is still expected, in order of number."""
        return self._requests("live=1")

    def since(self, day: int) -> list[Request]:
        """Those whose day (counted from 0001-01-01) is that one or later, over or not, in order of number."""
        return self._requests("day>=?", day)

    def of_person(self, account: str) -> list[Request]:
        """Those of which an account is a recipient or a volunteer."""
        return self._requests(
            "id IN (SELECT request FROM recipient WHERE account=? UNION SELECT request FROM visit WHERE volunteer=?)",
            account,
            account,
        )

    def _requests(self, condition: str, *values: object) -> list[Request]:
        wanted = f"SELECT id FROM request WHERE {condition} ORDER BY id DESC LIMIT {ROWS_MAX}"  # noqa: S608
        heads = self._rows(
            f"SELECT id, {SEALED} FROM request WHERE id IN ({wanted}) ORDER BY id",  # noqa: S608
            *values,
        )
        parts = self._rows(
            f"SELECT request, place, volunteer, {SEALED} FROM visit"  # noqa: S608
            f" WHERE request IN ({wanted}) ORDER BY request, place",
            *values,
        )
        visits: dict[int, list[Visit]] = {}
        for number, place, volunteer, box in parts:
            visits.setdefault(number, []).append(self._unlock(f"visit/{number}/{place}/{volunteer}", box, Visit))
        return [
            msgspec.structs.replace(
                self._unlock(f"request/{number}", box, Request), visits=tuple(visits.get(number, ()))
            )
            for number, box in heads
        ]

    # What people told

    def profile(self, account: str) -> Profile:
        """What somebody told; nothing where they told nothing."""
        return dict(self._profiles("account=?", account)).get(account, NOTHING_TOLD)

    def profiles(self) -> dict[str, Profile]:
        """What everybody told, by account."""
        return dict(self._profiles("true"))

    def _profiles(self, condition: str, *values: object) -> Iterator[tuple[str, Profile]]:
        sql = f"SELECT account, {SEALED} FROM profile WHERE {condition} LIMIT {PROFILES_MAX}"  # noqa: S608
        for account, box in self._rows(sql, *values):
            yield account, self._unlock(f"profile/{account}", box, Profile)

    def put_profile(self, account: str, profile: Profile) -> None:
        """Keep what somebody told in place of what was there."""
        box = self._lock(f"profile/{account}", profile)
        with self._transaction():
            is_new = not self._count("SELECT count(*) FROM profile WHERE account=?", account)
            if is_new and self._count("SELECT count(*) FROM profile") >= PROFILES_MAX:
                raise BookError(_("at most {most} people can be kept").format(most=PROFILES_MAX))
            self._run("INSERT OR REPLACE INTO profile(account, sealed) VALUES(?, ?)", account, box)

    # What goes

    def erase(self, account: str) -> bool:
        """Destroy what is kept of a person: requests for them, their visits, what they told; whether any was."""
        return self._delete(
            ("DELETE FROM visit WHERE request IN (SELECT request FROM recipient WHERE account=?)", account),
            ("DELETE FROM request WHERE id IN (SELECT request FROM recipient WHERE account=?)", account),
            ("DELETE FROM recipient WHERE request NOT IN (SELECT id FROM request)",),
            ("DELETE FROM visit WHERE volunteer=?", account),
            ("DELETE FROM profile WHERE account=?", account),
        )

    def drop_before(self, day: int) -> bool:
        """Destroy requests that are over and of an earlier day; whether there were any."""
        return self._delete(
            ("DELETE FROM visit WHERE request IN (SELECT id FROM request WHERE live=0 AND day<?)", day),
            ("DELETE FROM request WHERE live=0 AND day<?", day),
            ("DELETE FROM recipient WHERE request NOT IN (SELECT id FROM request)",),
        )

    def _delete(self, *statements: tuple[object, ...]) -> bool:
        with self._transaction():
            count = sum(self._run(str(sql), *values).rowcount for sql, *values in statements)
            if count:
                self._run("UPDATE cleaning SET due=1")
        if count:
            self._clean()
        return bool(count)

    def _clean(self) -> None:
        """Leave no trace of deleted rows in the file, nor beside it. May be done again."""
        with explained(self._path):
            self._run("VACUUM")
        scrub_journal(self._path)
        with self._transaction():
            self._run("UPDATE cleaning SET due=0")

    # How it is done

    def _lock(self, label: str, value: msgspec.Struct) -> bytes:
        text = msgspec.json.encode(value).decode()
        if len(text.encode()) > BOX_MAX_BYTES:
            raise BookError(_("this is too long to be kept: shorten the words"))
        return self._vault.lock_note(label, text)

    def _unlock(self, label: str, box: object, kind: type[T]) -> T:
        try:
            text = self._vault.unlock_note(label, box if isinstance(box, bytes) else b"")
            return msgspec.json.decode(text, type=kind)
        except (VaultError, UnicodeDecodeError, msgspec.DecodeError) as error:
            raise BookError(_("{path} is damaged; restore it from a backup").format(path=self._path)) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with explained(self._path):
            self._run("BEGIN IMMEDIATE")
            try:
                yield
                self._run("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._run("ROLLBACK")
                raise

    def _run(self, sql: str, *values: object) -> sqlite3.Cursor:
        return self._connection.execute(sql, values)

    def _count(self, sql: str, *values: object) -> int:
        return int(self._rows(sql, *values)[0][0])

    def _rows(self, sql: str, *values: object) -> Sequence[Any]:
        with explained(self._path):
            return self._run(sql, *values).fetchall()
