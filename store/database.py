"""A SQLite file of this home: made so that only its owner reads it, opened so that nothing in it runs, its errors told.

    make_whole(path, fill)                                   # a new file, complete or not there
    with explained(path):
        connection = connect(path, settings=(…))
        check_identity(connection, path, Identity(…), foreign)   # a file of another program is not written into

Which tables stand in it is for its module to say, and when it is on disk: ``settings`` has the pragmas of that. Foreign
archives are not opened here but in ``archive``, which trusts nothing in them; nor is ``care.people``, which needs no
other part of the store, lays its pages down otherwise (what is erased must be gone), and so has its own.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from gettext import gettext as _
from pathlib import Path
from typing import NamedTuple

from store.log import StoreError

BUSY_MILLISECONDS = 5_000
FILE_MODE = 0o600
BESIDE = ("", "-wal", "-shm", "-journal")
"""The file, and what SQLite puts beside it."""

Place = tuple[int, int]
"""Device and inode: which file it is, whatever its name."""


class Identity(NamedTuple):
    """Whose file it is, and how it is laid out: SQLite's ``application_id`` and ``user_version``."""

    application_id: int
    user_version: int


def connect(
    path: Path, mode: str = "rw", *, settings: Iterable[str] = (), any_thread: bool = False
) -> sqlite3.Connection:
    """A connection to a file that is there, ``mode`` "ro" or "rw"; raises sqlite3.Error.

    With ``any_thread`` any thread may use it: the caller sees to it that one does at a time.
    """
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=not any_thread)
    try:
        for setting in (f"busy_timeout={BUSY_MILLISECONDS}", "trusted_schema=OFF", *settings):
            connection.execute(f"PRAGMA {setting}")
    except BaseException:
        connection.close()
        raise
    return connection


def mark(connection: sqlite3.Connection, identity: Identity) -> None:
    """Write down whose file it is."""
    connection.execute(f"PRAGMA user_version={identity.user_version}")
    connection.execute(f"PRAGMA application_id={identity.application_id}")


def check_identity(connection: sqlite3.Connection, path: Path, wanted: Identity, foreign: str) -> None:
    """Raise StoreError where it is another program's file, with ``foreign``, or one of a newer program."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application_id != wanted.application_id:
        raise StoreError(foreign.format(path=path))
    if version != wanted.user_version:
        text = _("{path} is of version {version}; this program knows version {known}")
        raise StoreError(text.format(path=path, version=version, known=wanted.user_version))


def touch(path: Path) -> None:
    """Make an empty file that only its owner reads; raises StoreError where one stands there."""
    try:
        path.touch(FILE_MODE, exist_ok=False)
    except OSError as error:
        raise _cannot_make(path, error) from error


@contextmanager
def new_file(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a new file; where the block fails nothing is left of it."""
    touch(path)
    try:
        with explained(path), closing(connect(path)) as connection:
            yield connection
    except BaseException:
        _remove(path)
        raise


def make_whole(path: Path, fill: Callable[[sqlite3.Connection], None]) -> None:
    """A new file as ``fill`` leaves it, made under another name and linked into place: nobody ever opens half of one.

    Where another process was faster, its file stands, and ours goes. Raises StoreError.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}-")
        os.close(descriptor)
    except OSError as error:
        raise _cannot_make(path, error) from error
    draft = Path(name)
    try:
        with explained(path), closing(connect(draft)) as connection:
            fill(connection)
        with suppress(FileExistsError):
            os.link(draft, path)
    except OSError as error:
        raise _cannot_make(path, error) from error
    finally:
        _remove(draft)


@dataclass(frozen=True)
class SideFile:
    """A small file beside the ledger: made whole when it is first written, and opened for each transaction.

    ``statements`` make an empty one; ``foreign`` is what to say of another program's file, in the reader's language.
    """

    path: Path
    identity: Identity
    statements: Sequence[str]
    settings: Sequence[str]
    foreign: Callable[[], str]

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The file, which has to be there; raises StoreError."""
        with explained(self.path), closing(connect(self.path, settings=self.settings)) as connection:
            check_identity(connection, self.path, self.identity, self.foreign())
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on disk where the block ends well."""
        if not self.path.exists():
            make_whole(self.path, self._fill)
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _fill(self, connection: sqlite3.Connection) -> None:
        for statement in self.statements:
            connection.execute(statement)
        mark(connection, self.identity)


def place_of(path: Path) -> Place | None:
    """Which file stands there; None: none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Errors of SQLite as one clear sentence."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(explain(path, error)) from error


def explain(path: Path, error: sqlite3.Error) -> str:
    """What an error of SQLite means for whoever runs the node."""
    text = "{path}: {error}"
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            text = _("the disk that holds {path} is full; nothing more was written. Free some space and try again")
        case sqlite3.SQLITE_READONLY:
            text = _("{path} cannot be written: check its owner and mode")
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_ERROR:
            text = _("{path} is damaged ({error}); restore it from a backup")
        case sqlite3.SQLITE_BUSY:
            text = _("another process writes {path}: wait for it to end, or stop it")
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN:
            text = _("{path} cannot be read or written ({error}): is its disk full, failing or gone?")
    return text.format(path=path, error=error)


def _remove(path: Path) -> None:
    for suffix in BESIDE:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _cannot_make(path: Path, error: OSError) -> StoreError:
    return StoreError(_("{path} cannot be made: {error}").format(path=path, error=error.strerror))
