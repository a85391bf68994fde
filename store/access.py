"""Who may ask, in one file ``access.db``: users, their tokens and sessions, tries to sign in, and who looked at whom.

    with closing(Access(path)) as access:       # makes the file where it is missing; the home's lock is not needed
        access.add_user("wang", "clerk", ledger=origin, password=hashed, now=now)
        user = access.user("wang")

No secret lies in it: of passwords their Argon2id hashes (made in ``web.access.passwords``), of tokens and session ids
the SHA-256, which says nothing of 256 random bits. Times are seconds since 1970 and come in as arguments.

*Durability*: what a method wrote is on disk when it returns, all of it or nothing (WAL, full sync). *Concurrency*: any
number of threads and processes; one writes at a time, readers wait for nobody. ``version`` changes with every commit of
anybody's, and costs microseconds: what was read under one version holds as long as it stays. *Replaced*: where another
file was put in its place, by a restore, the next call opens that one; where it is gone, nothing is answered or written.

    StoreError
    └── AccessError     what was asked for cannot be: a name that is taken, a user who is not there

*Looks* are one row per hour, looker, account and kind, with how often; so the table grows with people, not with clicks.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from gettext import gettext as _
from pathlib import Path
from typing import Any, NamedTuple

from care.layout import Layout
from store.attempts import ATTEMPT_INDEX, ATTEMPT_TABLE, Gate, Run, begin_attempt, forgive_attempt
from store.database import Identity, Place, check_identity, connect, explained, make_whole, mark, place_of
from store.log import StoreError

IDENTITY = Identity(0x48555A41, 1)
SETTINGS = ("secure_delete=ON", "synchronous=FULL")
HOUR_SECONDS = 3_600
DAY_SECONDS = 86_400

USERS_MAX = 200_000
TOKENS_MAX = 100
"""Of one user."""
SESSIONS_MAX = 20
"""Of one user; the oldest give way."""
DEVICES_MAX = 10
"""Of one user; the oldest give way."""
SELECT_USER = "SELECT id, name, role, ledger, account, key, password, given, disabled, created FROM user"
LOOK_DAYS = 1_096
LOOKS_MAX = 10_000
"""As many looks are told at once, the newest."""

layout = Layout("huzhu-access")


@layout.step("0001-access")
def _access(connection: sqlite3.Connection) -> None:
    """Hashes are blobs, times are seconds since 1970; ``attempt`` holds tries, ``device`` who signed in from where."""
    run = connection.execute
    run(
        "CREATE TABLE user(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT NULL, role TEXT NOT NULL,"
        " ledger TEXT NOT NULL, account TEXT NOT NULL, key TEXT NOT NULL, password TEXT NOT NULL,"
        " given INTEGER NOT NULL, disabled INTEGER NOT NULL, created INTEGER NOT NULL)"
    )
    run(
        "CREATE TABLE token(id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB UNIQUE NOT NULL, user INTEGER NOT NULL,"
        " label TEXT NOT NULL, scopes TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL)"
    )
    run("CREATE INDEX token_user ON token(user)")
    run(
        "CREATE TABLE session(hash BLOB PRIMARY KEY, user INTEGER NOT NULL, created INTEGER NOT NULL,"
        " seen INTEGER NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID"
    )
    run("CREATE INDEX session_user ON session(user)")
    run("CREATE TABLE device(hash BLOB PRIMARY KEY, user INTEGER NOT NULL, seen INTEGER NOT NULL) WITHOUT ROWID")
    run("CREATE INDEX device_user ON device(user)")
    run(ATTEMPT_TABLE)
    run(ATTEMPT_INDEX)
    run(
        "CREATE TABLE look(account TEXT, ledger TEXT, user TEXT, what TEXT, hour INTEGER, at INTEGER, times INTEGER,"
        " PRIMARY KEY(account, ledger, user, what, hour)) WITHOUT ROWID"
    )
    run("CREATE INDEX look_at ON look(at)")
    run("CREATE INDEX look_user ON look(user)")


Version = tuple[Place | None, int]


class AccessError(StoreError):
    """What was asked for cannot be. The text says why."""


class User(NamedTuple):
    """``ledger``: the one it belongs to, or at the top of what it oversees; "" is every one. ``password``: a hash.

    ``key``: the id of the key with which a clerk or member signs; "" is the first one kept of that role.
    ``is_given``: somebody else made the password, and could sign in with it.
    """

    id: int
    name: str
    role: str
    ledger: str
    account: str
    key: str
    password: str
    is_given: bool
    is_disabled: bool
    created_seconds: int


class Token(NamedTuple):
    """A token as it is listed; itself it is nowhere."""

    id: int
    user: str
    label: str
    scopes: tuple[str, ...]
    created_seconds: int
    expires_seconds: int


class Holder(NamedTuple):
    """Whose token or session it is. ``scopes`` is None for a session: all that the role has."""

    name: str
    role: str
    ledger: str
    account: str
    key: str
    is_given: bool
    scopes: tuple[str, ...] | None
    seen_seconds: int
    expires_seconds: int


class Look(NamedTuple):
    """Somebody was shown something of an account that is not theirs; ``times`` in the hour that began with it."""

    at_seconds: int
    user: str
    what: str
    account: str
    ledger: str
    times: int = 1


class Access:
    """The file, opened; methods may be called from any thread."""

    def __init__(self, path: Path, *, look_days: int = LOOK_DAYS) -> None:
        """Opens it, or makes an empty one of mode 0600; raises StoreError."""
        self._path = path
        self._look_seconds = look_days * DAY_SECONDS
        self._writing, self._reading = threading.RLock(), threading.Lock()
        if not path.exists():
            make_whole(path, _fill)
        self._open()

    def _open(self) -> None:
        """Both connections, to the file that stands there now."""
        self._place = place_of(self._path)
        with explained(self._path), ExitStack() as opened:
            self._writer = opened.enter_context(closing(connect(self._path, settings=SETTINGS, any_thread=True)))
            reading = (*SETTINGS, "query_only=ON")
            self._reader = opened.enter_context(closing(connect(self._path, settings=reading, any_thread=True)))
            self._check()
            opened.pop_all()
        self._log_place = place_of(_log_of(self._path))

    def _check(self) -> None:
        foreign = _("{path} is no list of users; restore it from a backup, or move it away to begin a new one")
        check_identity(self._writer, self._path, IDENTITY, foreign)
        self._writer.execute("BEGIN IMMEDIATE")
        layout.complete(self._writer)
        self._writer.execute("COMMIT")

    def _follow(self) -> None:
        """Open the file anew where another stands in its place; raises StoreError where there is none."""
        place = place_of(self._path)
        if place is None:
            raise StoreError(_("{path} is gone; restore it from a backup").format(path=self._path))
        if place == self._place:
            return
        with self._writing, self._reading:
            if place == self._place:
                return
            self._reader.close()
            self._writer.close()
            self._place = None
            if self._log_place is not None and place_of(_log_of(self._path)) == self._log_place:
                # What the old file had not taken in yet is nothing of the new one's.
                _log_of(self._path).unlink(missing_ok=True)
            try:
                self._open()
            except StoreError:
                self._place = None
                raise

    def close(self) -> None:
        """Let go of the file."""
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()

    @property
    def version(self) -> Version:
        """Changes with every commit, of this process or another, and with the file."""
        self._follow()
        with self._reading, explained(self._path):
            return self._place, self._reader.execute("PRAGMA data_version").fetchone()[0]

    # Users

    def add_user(
        self,
        name: str,
        role: str,
        *,
        ledger: str = "",
        account: str = "",
        key: str = "",
        password: str = "",
        is_given: bool = False,
        now: int,
    ) -> None:
        """A new user; ``password`` is a hash, or "" for who has tokens only. Raises AccessError.

        ``is_given``: somebody else made the password, not the user.
        """
        with self._transaction() as run:
            if run("SELECT 1 FROM user WHERE name=?", (name,)).fetchone():
                raise AccessError(_("there is a user {name} already: choose another name").format(name=name))
            if key and run("SELECT 1 FROM user WHERE key=?", (key,)).fetchone():
                raise AccessError(_("the key {key} is another user's: nobody signs as two").format(key=key))
            if run("SELECT 1 FROM look WHERE user=? LIMIT 1", (name,)).fetchone():
                text = _("{name} was the name of another, whose looks are still recorded: choose another name")
                raise AccessError(text.format(name=name))
            if run("SELECT count(*) FROM user").fetchone()[0] >= USERS_MAX:
                raise AccessError(_("there are {most} users already: remove some").format(most=USERS_MAX))
            run(
                "INSERT INTO user(name, role, ledger, account, key, password, given, disabled, created)"
                " VALUES(?, ?, ?, ?, ?, ?, ?, 0, ?)",
                (name, role, ledger, account, key, password, is_given, now),
            )

    def user(self, name: str) -> User | None:
        """One user, by name."""
        found = self._rows(f"{SELECT_USER} WHERE name=?", name)
        return _user(found[0]) if found else None

    def users(self) -> list[User]:
        """All users, by name."""
        rows = self._rows(f"{SELECT_USER} ORDER BY name")
        return [_user(row) for row in rows]

    def set_password(self, name: str, password: str, *, is_given: bool = False) -> None:
        """Another hash; every session of the user ends, and so does what its devices were trusted with.

        ``is_given``: somebody else made it, not the user.
        """
        with self._transaction() as run:
            user = self._known(run, name)
            run("UPDATE user SET password=?, given=? WHERE id=?", (password, is_given, user))
            self._sign_out(run, user)

    def set_disabled(self, name: str, is_disabled: bool) -> None:
        """Whether a user may do nothing for now; every session ends, and tokens do not count meanwhile."""
        with self._transaction() as run:
            user = self._known(run, name)
            run("UPDATE user SET disabled=? WHERE id=?", (is_disabled, user))
            self._sign_out(run, user)

    def remove_user(self, name: str) -> None:
        """Forget a user, tokens and sessions; the looks stay."""
        with self._transaction() as run:
            user = self._known(run, name)
            self._sign_out(run, user)
            run("DELETE FROM token WHERE user=?", (user,))
            run("DELETE FROM user WHERE id=?", (user,))

    # Tokens

    def add_token(
        self, name: str, hashed: bytes, *, label: str, scopes: Sequence[str], now: int, expires_seconds: int
    ) -> int:
        """Keep a new token's hash; answers its number. Expired ones are forgotten. Raises AccessError."""
        with self._transaction() as run:
            user = self._known(run, name)
            run("DELETE FROM token WHERE user=? AND expires<=?", (user, now))
            if run("SELECT count(*) FROM token WHERE user=?", (user,)).fetchone()[0] >= TOKENS_MAX:
                raise AccessError(_("{name} has {most} tokens already: revoke some").format(name=name, most=TOKENS_MAX))
            sql = "INSERT INTO token(hash, user, label, scopes, created, expires) VALUES(?, ?, ?, ?, ?, ?)"
            cursor = run(sql, (hashed, user, label, " ".join(scopes), now, expires_seconds))
            return int(cursor.lastrowid or 0)

    def tokens(self, name: str | None = None) -> list[Token]:
        """Those of a user, or all, the oldest first."""
        sql = (
            "SELECT token.id, user.name, label, scopes, token.created, expires"
            " FROM token JOIN user ON user.id=token.user WHERE ?1 IS NULL OR user.name=?1 ORDER BY token.id"
        )
        return [
            Token(number, user, label, tuple(scopes.split()), created, expires)
            for number, user, label, scopes, created, expires in self._rows(sql, name)
        ]

    def revoke_token(self, number: int, name: str | None = None) -> bool:
        """End a token, of this user only where one is named; False where there is none of that number."""
        sql = "DELETE FROM token WHERE id=?1 AND (?2 IS NULL OR user=(SELECT id FROM user WHERE name=?2))"
        with self._transaction() as run:
            return run(sql, (number, name)).rowcount > 0

    def token_holder(self, hashed: bytes) -> Holder | None:
        """Whose token it is; None where there is none, or the user is disabled. Expiry is for the caller to see."""
        sql = (
            "SELECT user.name, role, ledger, account, key, given, scopes, 0, expires"
            " FROM token JOIN user ON user.id=token.user WHERE hash=? AND NOT disabled"
        )
        return self._holder(sql, hashed)

    # Sessions

    def open_session(self, user: User, hashed: bytes, *, now: int, expires_seconds: int, password: str) -> bool:
        """Begin a session, and keep ``password`` as the user's hash from now on: the same, or one by newer parameters.

        False where the user was changed, disabled or removed since ``user`` was read. Expired sessions are forgotten.
        """
        with self._transaction() as run:
            run("DELETE FROM session WHERE expires<=?", (now,))
            sql = "UPDATE user SET password=? WHERE id=? AND password=? AND NOT disabled"
            if run(sql, (password, user.id, user.password)).rowcount != 1:
                return False
            sql = "INSERT INTO session(hash, user, created, seen, expires) VALUES(?, ?, ?, ?, ?)"
            run(sql, (hashed, user.id, now, now, expires_seconds))
            _keep_newest(run, "session", user.id, hashed, SESSIONS_MAX)
        return True

    def session_holder(self, hashed: bytes) -> Holder | None:
        """Whose session it is; None where there is none. Expiry is for the caller to see."""
        sql = (
            "SELECT user.name, role, ledger, account, key, given, NULL, seen, expires FROM session"
            " JOIN user ON user.id=session.user WHERE hash=? AND NOT disabled"
        )
        return self._holder(sql, hashed)

    def touch_session(self, hashed: bytes, now: int) -> None:
        """Note that a session is in use."""
        with self._transaction() as run:
            run("UPDATE session SET seen=? WHERE hash=?", (now, hashed))

    def close_session(self, hashed: bytes) -> None:
        """End a session, where there is one."""
        with self._transaction() as run:
            run("DELETE FROM session WHERE hash=?", (hashed,))

    # Tries to sign in

    def begin_attempt(self, gates: Sequence[Gate], now: int) -> int:
        """Count a try at each gate and answer 0; or count nothing and answer how many seconds to wait."""
        with self._transaction() as run:
            return begin_attempt(run, gates, now)

    def forgive_attempt(self, gates: Sequence[Gate]) -> None:
        """Take back a try that was right."""
        with self._transaction() as run:
            forgive_attempt(run, gates)

    def trust_device(self, user: User, hashed: bytes, now: int) -> None:
        """Remember that the user signed in from there."""
        with self._transaction() as run:
            run("INSERT OR REPLACE INTO device(hash, user, seen) VALUES(?, ?, ?)", (hashed, user.id, now))
            _keep_newest(run, "device", user.id, hashed, DEVICES_MAX)

    def device_user(self, hashed: bytes) -> str | None:
        """Who signed in from there."""
        found = self._rows("SELECT name FROM device JOIN user ON user.id=device.user WHERE hash=?", hashed)
        return str(found[0][0]) if found else None

    # Looks

    def note_look(self, look: Look) -> None:
        """Record that somebody is about to be shown something; those are forgotten that are too old."""
        sql = (
            "INSERT INTO look(account, ledger, user, what, hour, at, times) VALUES(?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT(account, ledger, user, what, hour) DO UPDATE SET times=times+excluded.times"
        )
        at, user, what, account, ledger, times = look
        with self._transaction() as run:
            run("DELETE FROM look WHERE at<?", (at - self._look_seconds,))
            run(sql, (account, ledger, user, what, at // HOUR_SECONDS, at, times))

    def looks(self, account: str | None = None, user: str | None = None) -> list[Look]:
        """Those at an account, those by a user, or all; at most ``LOOKS_MAX``, the newest, the oldest first."""
        sql = (
            "SELECT at, user, what, account, ledger, times FROM look WHERE (?1 IS NULL OR account=?1)"
            " AND (?2 IS NULL OR user=?2) ORDER BY at DESC, account, user, what LIMIT ?3"
        )
        return [Look(*row) for row in reversed(self._rows(sql, account, user, LOOKS_MAX))]

    # How it is done

    def _known(self, run: Run, name: str) -> int:
        found = run("SELECT id FROM user WHERE name=?", (name,)).fetchone()
        if found is None:
            raise AccessError(_("there is no user {name}: see `huzhu user list`").format(name=name))
        return int(found[0])

    def _sign_out(self, run: Run, user: int) -> None:
        run("DELETE FROM session WHERE user=?", (user,))
        run("DELETE FROM device WHERE user=?", (user,))

    def _holder(self, sql: str, hashed: bytes) -> Holder | None:
        found = self._rows(sql, hashed)
        if not found:
            return None
        *whose, scopes, seen, expires = found[0]
        name, role, ledger, account, key, given = whose
        kept = None if scopes is None else tuple(scopes.split())
        return Holder(name, role, ledger, account, key, bool(given), kept, seen, expires)

    @contextmanager
    def _transaction(self) -> Iterator[Run]:
        """``execute`` of the writing connection; what is done with it is on disk after the block, or undone."""
        with self._writing, explained(self._path):
            self._follow()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer.execute
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def _rows(self, sql: str, *values: object) -> list[Any]:
        self._follow()
        with self._reading, explained(self._path):
            return self._reader.execute(sql, values).fetchall()


def _user(row: Any) -> User:
    number, name, role, ledger, account, key, password, given, disabled, created = row
    return User(number, name, role, ledger, account, key, password, bool(given), bool(disabled), created)


def _keep_newest(run: Run, table: str, user: int, hashed: bytes, most: int) -> None:
    """So many of a user's, the one just made among them, whatever the clock says of the others."""
    older = f"SELECT hash FROM {table} WHERE user=? AND hash<>? ORDER BY seen DESC LIMIT -1 OFFSET ?"  # noqa: S608
    run(f"DELETE FROM {table} WHERE hash IN ({older})", (user, hashed, most - 1))  # noqa: S608


def _fill(connection: sqlite3.Connection) -> None:
    """An empty file."""
    connection.execute("PRAGMA journal_mode=WAL")
    layout.complete(connection)
    mark(connection, IDENTITY)


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")
