"""The node's private database (RULES §9): one file, ``people.db``, in which nothing that is personal lies open.

    create_people(path)                                    # once, with the home
    with closing(People(path, secret)) as people:          # whoever opens it holds the home's lock
        locked = people.lock(account, dossier)             # locked.hash goes onto the log …
        people.put([locked], log_size)                     # … and this on disk, before the log is committed
        people.settle({(account, locked.hash), …})         # what the log names stays, what it does not goes

*Two databases, one fact.* A version that was ``put`` is *pending* until ``settle``: a crash between the two commits
leaves it pending, and the next to open the file looks into the log (from ``pending_since`` on) whether its hash is
there. So no account stands on the log whose dossier is lost, and no dossier stays of which the log knows nothing.

*What waits.* A dossier that one person wrote and another has yet to sign for (a draft) stands in ``waiting``: no log
names it, and ``settle`` leaves it alone. ``bring`` makes it pending just before the entry that names it is committed;
``forget`` destroys it where the draft is refused. An erasure waits as well, for the second member's will.

*Erased means gone from the file*, not marked: rows are overwritten (``secure_delete``), the file is rebuilt from what
is left (VACUUM, since pages that were once divided may hold copies), and the journal, which held the old pages, is
overwritten and removed. ``cleaning.due`` is set in the transaction that deletes: where a crash comes before the rest is
done, the next opening does it. What a disk keeps in blocks that no file owns, and what backups hold, is not in reach.

*One file, one key.* Whoever opens a new file first leaves a mark in it that the people key made; with another key it is
not opened. A link is followed first, as SQLite does: its journal lies beside the file itself.
"""

import datetime
import os
import sqlite3
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing, contextmanager
from gettext import gettext as _
from pathlib import Path
from typing import Any, NamedTuple

from care.dossier import CareError, Dossier
from care.layout import Layout
from care.vault import SEALED_MAX_BYTES, WRAPPED_BYTES, Locked, Vault, VaultError
from chain.fields import Time, format_time
from chain.merkle import HASH_BYTES

APPLICATION_ID = 0x48555A50
USER_VERSION = 1
BUSY_MILLISECONDS = 5_000
FILE_MODE = 0o600
LOOKS_MAX = 10_000
"""As many of a person's looks are told, the newest."""
NOTE_MAX_BYTES = 2_000
CHUNK_BYTES = 1 << 20
FOR_EVER = "9999"
WAITING_TIME = datetime.timedelta(days=93)
"""A draft that nobody decided in so long is none any more."""

layout = Layout("huzhu-people")


@layout.step("0001-dossiers")
def _dossiers(connection: sqlite3.Connection) -> None:
    """``since`` is the log's size before the entry with the hash, while that entry may not be on the log.

    ``wish``: that a dossier be erased, by the first of the two members whose will it has to be.
    """
    run = connection.execute
    run(
        "CREATE TABLE dossier(account TEXT, version INTEGER, hash BLOB, wrapped BLOB, sealed BLOB, since INTEGER,"
        " PRIMARY KEY(account, version)) WITHOUT ROWID"
    )
    run("CREATE TABLE look(id INTEGER PRIMARY KEY, account TEXT, time TEXT, key TEXT, fields TEXT, purpose BLOB)")
    run("CREATE INDEX look_account ON look(account)")
    run("CREATE TABLE erasure(id INTEGER PRIMARY KEY, account TEXT, time TEXT, keys TEXT)")
    run("CREATE TABLE cleaning(due INTEGER NOT NULL)")
    run("INSERT INTO cleaning(due) VALUES(0)")
    run("CREATE TABLE owner(mark BLOB NOT NULL)")
    run(
        "CREATE TABLE waiting(account TEXT, version INTEGER, hash BLOB, wrapped BLOB, sealed BLOB, time TEXT,"
        " PRIMARY KEY(account, version)) WITHOUT ROWID"
    )
    run("CREATE TABLE wish(account TEXT PRIMARY KEY, time TEXT, key TEXT) WITHOUT ROWID")


class PeopleError(CareError):
    """The database is missing, damaged, locked or cannot be written. The text says what to do."""


class TracesError(PeopleError):
    """What was deleted is deleted, but traces of it are left until the next opening has cleaned them away."""


class Look(NamedTuple):
    """Somebody was shown something of a dossier. ``purpose`` is empty where none was given, or after an erasure."""

    time: str
    key: str
    fields: str
    purpose: str


class Erasure(NamedTuple):
    """When a dossier was destroyed, and the ids of the keys by whose will."""

    time: str
    keys: str


class Wish(NamedTuple):
    """When somebody first wanted a dossier erased, and by which key."""

    time: str
    key: str


def create_people(path: Path) -> None:
    """Make an empty database; raises PeopleError where a file stands there already."""
    try:
        path.touch(FILE_MODE, exist_ok=False)
    except OSError as error:
        raise PeopleError(_("{path} cannot be made: {error}").format(path=path, error=error.strerror)) from error
    path = path.resolve()
    with explained(path), closing(connect(path)) as connection:
        layout.complete(connection)
        connection.execute(f"PRAGMA user_version={USER_VERSION}")
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    scrub_journal(path)


class People:
    """Everybody's dossiers, opened with the people key's secret."""

    def __init__(self, path: Path, secret: bytes) -> None:
        """Opens what is there; raises PeopleError. Cleans up where a crash came before that was done."""
        if not path.is_file():
            raise PeopleError(_("{path} is missing; restore it from a backup").format(path=path))
        self._path = path = path.resolve()
        self.has_cleaned = False
        """Whether it found traces of an earlier erasure, and cleaned them away."""
        self._vault = Vault(secret)
        with explained(path):
            self._connection = connect(path)
        try:
            self._open()
        except BaseException:
            self._connection.close()
            raise

    def _open(self) -> None:
        (identity,) = self._row("PRAGMA application_id")
        (version,) = self._row("PRAGMA user_version")
        if identity != APPLICATION_ID:
            text = _("{path} is no database of people; restore it from a backup")
            raise PeopleError(text.format(path=self._path))
        if version != USER_VERSION:
            text = _("{path} is of version {version}; this program knows version {known}")
            raise PeopleError(text.format(path=self._path, version=version, known=USER_VERSION))
        with explained(self._path):
            layout.complete(self._connection)
        self._check_owner()
        if self._row("SELECT max(due) FROM cleaning") != (0,):
            self._clean()
            self.has_cleaned = True

    def _check_owner(self) -> None:
        """Raise PeopleError where another key made the file; mark one that has no mark, if what it holds opens."""
        marks = self._rows("SELECT CASE WHEN length(mark)<=? THEN mark END FROM owner", SEALED_MAX_BYTES)
        if not marks:
            next(self.dossiers(), None)
            with self._transaction():
                self._run("INSERT INTO owner(mark) VALUES(?)", self._vault.lock_mark())
        elif not all(isinstance(mark, bytes) and self._vault.is_mark(mark) for (mark,) in marks):
            text = _("{path} is of another home, or people.pem is not its key; restore both from one backup")
            raise PeopleError(text.format(path=self._path))

    def close(self) -> None:
        """Let go of the file; no journal with old pages stays beside it."""
        self._connection.close()
        scrub_journal(self._path)

    # Dossiers

    def lock(self, account: str, dossier: Dossier) -> Locked:
        """The next version of a person's dossier, encrypted; nothing is written yet."""
        both = "SELECT account, version FROM dossier UNION SELECT account, version FROM waiting"
        (last,) = self._row(f"SELECT max(version) FROM ({both}) WHERE account=?", account)  # noqa: S608
        return self._vault.lock(account, 1 + (last or 0), dossier)

    def put(self, versions: Sequence[Locked], log_size: int) -> None:
        """Have versions on disk whose hashes are about to be on the log, at ``log_size`` or after."""
        sql = "INSERT INTO dossier(account, version, hash, wrapped, sealed, since) VALUES(?, ?, ?, ?, ?, ?)"
        with self._transaction():
            self._connection.executemany(sql, ((*locked, log_size) for locked in versions))

    @property
    def pending_since(self) -> int | None:
        """From which index on the log may name what is pending; None where nothing is."""
        (since,) = self._row("SELECT min(since) FROM dossier WHERE since IS NOT NULL")
        if since is not None and not isinstance(since, int):
            raise self._damage()
        return since

    def settle(self, named: AbstractSet[tuple[str, bytes]]) -> None:
        """End what is pending. ``named`` has each account with each hash that the log names from ``pending_since`` on.

        A version that the log names takes the place of the older ones; one that it does not name is destroyed.
        """
        rows = self._rows("SELECT account, version, hash FROM dossier WHERE since IS NOT NULL ORDER BY version")
        with self._transaction():
            count = 0
            for account, version, hashed in rows:
                if (account, hashed) in named:
                    self._run("UPDATE dossier SET since=NULL WHERE account=? AND version=?", account, version)
                    sql = "DELETE FROM dossier WHERE account=? AND version<?"
                else:
                    sql = "DELETE FROM dossier WHERE account=? AND version=?"
                count += self._run(sql, account, version).rowcount
            if count:
                self._run("UPDATE cleaning SET due=1")
        if count:
            self._clean()

    def dossier(self, account: str) -> tuple[Locked, Dossier] | None:
        """A person's dossier as it stands, encrypted and open; None where none is kept. Note the look first."""
        found = next(self._locked("account=?", account), None)
        return None if found is None else (found, self._unlock(found))

    def hashes(self) -> dict[str, bytes]:
        """The hash of everybody's dossier as it stands; nothing is decrypted, and nobody is looked at."""
        rows = self._rows("SELECT account, hash FROM dossier ORDER BY account, version")
        return {str(account): bytes(hashed) for account, hashed in rows}

    def dossiers(self) -> Iterator[tuple[Locked, Dossier]]:
        """Everybody's, in order of account."""
        return ((locked, self._unlock(locked)) for locked in self._locked("true"))

    # What waits for a second person

    def wait(self, locked: Locked, time: Time) -> None:
        """Keep a version that a draft names, until it is brought or forgotten; those too old are destroyed."""
        sql = "INSERT INTO waiting(account, version, hash, wrapped, sealed, time) VALUES(?, ?, ?, ?, ?, ?)"
        with self._transaction():
            self._run("DELETE FROM waiting WHERE time<?", format_time(time - WAITING_TIME))
            self._run(sql, *locked, format_time(time))

    def waiting(self) -> Iterator[tuple[Locked, Dossier]]:
        """All that wait, in order of account, the newest of an account first."""
        return ((locked, self._unlock(locked)) for locked in self._locked("true", table="waiting"))

    def bring(self, account: str, hashed: bytes, log_size: int) -> bool:
        """Make a version that waits pending, as ``put`` does; False where none of that hash waits.

        Raises PeopleError where a newer one has taken its place already: the log would name the older one last.
        """
        waiting = self._locked("account=?", account, table="waiting")
        found = next((each for each in waiting if each.hash == hashed), None)
        if found is None:
            return False
        (newest,) = self._row("SELECT max(version) FROM dossier WHERE account=?", account)
        if (newest or 0) > found.version:
            text = _("the particulars of account {number} were changed meanwhile: refuse this draft, and begin anew")
            raise PeopleError(text.format(number=account))
        sql = "INSERT INTO dossier(account, version, hash, wrapped, sealed, since) VALUES(?, ?, ?, ?, ?, ?)"
        with self._transaction():
            self._run(sql, *found, log_size)
            self._run("DELETE FROM waiting WHERE account=? AND version=?", account, found.version)
        return True

    def forget(self, account: str, hashed: bytes, before: Time | None = None) -> None:
        """Destroy a version that waits, where there is one; one that came after ``before`` is left alone."""
        sql = "DELETE FROM waiting WHERE account=? AND hash=? AND time<?"
        with self._transaction():
            count = self._run(sql, account, hashed, FOR_EVER if before is None else format_time(before)).rowcount
            if count:
                self._run("UPDATE cleaning SET due=1")
        if count:
            self._clean()

    def wish(self, account: str) -> Wish | None:
        """Who wants the dossier erased, where a second member has yet to say so."""
        rows = self._rows("SELECT time, key FROM wish WHERE account=?", account)
        return Wish(*map(str, rows[0])) if rows else None

    def set_wish(self, account: str, wish: Wish | None) -> None:
        """Note the first member's will; None: it is withdrawn."""
        with self._transaction():
            self._run("DELETE FROM wish WHERE account=?", account)
            if wish is not None:
                self._run("INSERT INTO wish(account, time, key) VALUES(?, ?, ?)", account, *wish)

    # Looks and erasures

    def note_looks(self, accounts: Sequence[str], time: Time, key: str, fields: str, purpose: str) -> None:
        """Record that a key's owner was shown fields of these accounts; on disk when this returns."""
        if len(purpose.encode()) > NOTE_MAX_BYTES:
            raise PeopleError(_("the reason is too long: at most {most} bytes").format(most=NOTE_MAX_BYTES))
        sql = "INSERT INTO look(account, time, key, fields, purpose) VALUES(?, ?, ?, ?, ?)"
        with self._transaction():
            for account in accounts:
                note = self._vault.lock_note(account, purpose) if purpose else None
                self._run(sql, account, format_time(time), key, fields, note)

    def looks(self, account: str) -> list[Look]:
        """Who was shown a person's dossier, the oldest first."""
        sql = (
            "SELECT time, key, fields, CASE WHEN length(purpose)<=? THEN purpose ELSE NULL END"
            " FROM look WHERE account=? ORDER BY id DESC LIMIT ?"
        )
        rows = self._rows(sql, SEALED_MAX_BYTES, account, LOOKS_MAX)
        return [
            Look(str(time), str(key), str(fields), self._note(account, note))
            for time, key, fields, note in reversed(rows)
        ]

    def erase(self, account: str, time: Time, keys: Sequence[str]) -> bool:
        """Destroy key, salt and dossier of a person, and why others looked; False where no dossier is kept.

        That there was one, when it was erased and who had looked stays, by account and key ids. When this returns, no
        file holds anything by which the dossier could be read or its hash be confirmed. Raises TracesError where it is
        destroyed, but may be in the file's unused places still; the next opening goes on.
        """
        with self._transaction():
            count = self._run("DELETE FROM dossier WHERE account=?", account).rowcount
            count += self._run("DELETE FROM waiting WHERE account=?", account).rowcount
            self._run("DELETE FROM wish WHERE account=?", account)
            if count:
                self._run("UPDATE look SET purpose=NULL WHERE account=?", account)
                sql = "INSERT INTO erasure(account, time, keys) VALUES(?, ?, ?)"
                self._run(sql, account, format_time(time), " ".join(keys))
                self._run("UPDATE cleaning SET due=1")
        if count:
            try:
                self._clean()
            except TracesError as error:
                text = _("the dossier of account {number} is erased, but {traces}")
                raise TracesError(text.format(number=account, traces=error)) from error
        return bool(count)

    def erasures(self, account: str) -> list[Erasure]:
        """When a person's dossier was destroyed, the first time first."""
        rows = self._rows("SELECT time, keys FROM erasure WHERE account=? ORDER BY id", account)
        return [Erasure(str(time), str(keys)) for time, keys in rows]

    # How it is done

    def _locked(self, condition: str, *values: object, table: str = "dossier") -> Iterator[Locked]:
        """Rows of dossiers, the newest version of an account first; nothing in them is read before it is measured."""
        sql = (
            f"SELECT account, version, hash, wrapped, CASE WHEN length(sealed)<=? THEN sealed END FROM {table}"  # noqa: S608
            f" WHERE {condition} ORDER BY account, version DESC"
        )
        for row in self._rows(sql, SEALED_MAX_BYTES, *values):
            locked = Locked(*row)
            is_whole = isinstance(locked.version, int) and all(isinstance(each, bytes) for each in locked[2:])
            if not is_whole or (len(locked.hash), len(locked.wrapped)) != (HASH_BYTES, WRAPPED_BYTES):
                raise self._damage()
            yield locked

    def _unlock(self, locked: Locked) -> Dossier:
        try:
            return self._vault.unlock(locked)
        except VaultError as error:
            text = _(
                "the dossier of account {number} does not open: {path} was changed, or people.pem is not its key; "
                "restore both from a backup"
            )
            raise PeopleError(text.format(number=locked.account, path=self._path)) from error

    def _note(self, account: str, note: object) -> str:
        if note is None:
            return ""
        try:
            return self._vault.unlock_note(account, note if isinstance(note, bytes) else b"")
        except (VaultError, UnicodeDecodeError) as error:
            raise self._damage() from error

    def _clean(self) -> None:
        """Leave no trace of deleted rows in the file, nor beside it; or TracesError. May be done again."""
        try:
            with explained(self._path):
                self._run("VACUUM")
            scrub_journal(self._path)
            with self._transaction():
                self._run("UPDATE cleaning SET due=0")
        except PeopleError as error:
            text = _(
                "traces of what was erased are left in {path} until its disk has space and the command is run again "
                "({error})"
            )
            raise TracesError(text.format(path=self._path, error=error.__cause__)) from error

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

    def _rows(self, sql: str, *values: object) -> list[Any]:
        with explained(self._path):
            return self._run(sql, *values).fetchall()

    def _row(self, sql: str, *values: object) -> Any:
        rows = self._rows(sql, *values)
        if not rows:
            raise self._damage()
        return rows[0]

    def _damage(self) -> PeopleError:
        return PeopleError(_("{path} is damaged; restore it from a backup").format(path=self._path))


def connect(path: Path) -> sqlite3.Connection:
    """PERSIST keeps the journal in one place, where it can be overwritten; VACUUM makes its copy in memory."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    for setting in (
        f"busy_timeout={BUSY_MILLISECONDS}",
        "trusted_schema=OFF",
        "secure_delete=ON",
        "temp_store=MEMORY",
        "journal_mode=PERSIST",
        "synchronous=FULL",
    ):
        connection.execute(f"PRAGMA {setting}")
    return connection


def scrub_journal(path: Path) -> None:
    """Overwrite what SQLite put beside the database to be able to undo, and remove it; nothing is under way."""
    journal = path.with_name(f"{path.name}-journal")
    try:
        with journal.open("r+b") as file:
            left = file.seek(0, os.SEEK_END)
            file.seek(0)
            while left > 0:
                left -= file.write(bytes(min(left, CHUNK_BYTES)))
            file.flush()
            os.fsync(file.fileno())
        journal.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        text = _("{path} cannot be removed: {error}")
        raise PeopleError(text.format(path=journal, error=error.strerror)) from error


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Errors of SQLite as one clear sentence."""
    try:
        yield
    except sqlite3.Error as error:
        raise PeopleError(_explain(path, error)) from error


def _explain(path: Path, error: sqlite3.Error) -> str:
    text = _("{path} is damaged ({error}); restore it from a backup")
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            text = _("the disk that holds {path} is full; nothing more was written. Free some space and try again")
        case sqlite3.SQLITE_READONLY:
            text = _("{path} cannot be written: check its owner and mode")
        case sqlite3.SQLITE_BUSY:
            text = _("another process writes {path}: wait for it to end, or stop it")
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN:
            text = _("{path} cannot be read or written ({error}): is its disk full, failing or gone?")
    return text.format(path=path, error=error)
