"""What a home keeps for its witness: ``witness.db``, its keys, its name, and evidence.

The file holds the newest checkpoint of each log that was cosigned. A witness that forgets what it cosigned can be made
to cosign something else, so the file is made once, with the witness (``make_memory``), and never again: opening makes
none. A random id stands in it and beside the keys, so that another's file is refused, and a file that was moved away or
replaced while it is open is written no more. Never put an older copy of this file in its place.

WAL with full sync: what ``advance`` answered with True survives a power cut.
"""

import os
import secrets
import sqlite3
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from gettext import gettext as _
from pathlib import Path
from typing import TypeVar

from care.layout import Layout
from chain.checkpoint import Checkpoint
from chain.keys import MldsaSigningKey, SigningKey
from chain.witness import origin_hash
from store.database import BUSY_MILLISECONDS, FILE_MODE
from store.database import explained as _explained
from store.home import Home
from store.log import StoreError
from store.settings import parse_settings
from store.tending import keep_evidence

APPLICATION_ID = 0x48555A57
WITNESS_KEY, WITNESS_MLDSA_KEY = "witness.pem", "witness-mldsa.pem"
"""Of the folder of keys: the node signs its own log with others (FORMAT §2)."""
WITNESS_ID = "witness.id"
"""Beside the keys: the id of the file that goes with them."""
ID_BYTES = 16

layout = Layout("huzhu-witness")


@layout.step("0001-cosigned")
def _cosigned(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS cosigned(origin TEXT PRIMARY KEY, hash TEXT UNIQUE NOT NULL,"
        " size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL) WITHOUT ROWID"
    )
    connection.execute("CREATE TABLE IF NOT EXISTS witness(id TEXT NOT NULL)")


T = TypeVar("T")


class WitnessStore:
    """What a witness remembers (``sync.witness.WitnessStorage``). Several threads and processes may use one file."""

    def __init__(self, path: Path, identity: Path) -> None:
        """Opens the file that has the id which stands in ``identity``; raises StoreError where there is none."""
        self._path, self._identity = path, identity
        self._lock = threading.Lock()
        self._place = _place_of(path)
        if self._place is None:
            raise _forgotten(path)
        with _explained(path):
            self._connection = _connect(path)
        try:
            self._do(self._open)
        except BaseException:
            self._connection.close()
            raise

    def latest(self, origin: str) -> tuple[Checkpoint, bytes] | None:
        """The checkpoint of that log that was cosigned last, and its note."""
        row = self._do(lambda: self._run("SELECT size, root, note FROM cosigned WHERE origin=?", origin).fetchone())
        if row is None:
            return None
        size, root, note = row
        if not (isinstance(size, int) and isinstance(root, bytes) and isinstance(note, bytes)):
            text = _("{path} is damaged: do not witness with it, and ask for help")
            raise StoreError(text.format(path=self._path))
        return Checkpoint(origin, size, root), note

    def by_hash(self, hashed: str) -> bytes | None:
        """The note of the log whose origin has that SHA-256."""
        row = self._do(lambda: self._run("SELECT note FROM cosigned WHERE hash=?", hashed).fetchone())
        return None if row is None else bytes(row[0])

    def origins(self) -> list[tuple[str, int]]:
        """Origin and size of every log that was cosigned."""
        return self._do(lambda: self._run("SELECT origin, size FROM cosigned ORDER BY origin").fetchall())

    def advance(self, old: Checkpoint | None, new: Checkpoint, note: bytes) -> bool:
        """Put ``new`` in the place of ``old``, where that is what the file holds: one statement, on disk at once."""
        if old is not None and new.size < old.size:
            raise ValueError(f"a witness does not go back from {old.size} to {new.size}")
        if old is None:
            sql = "INSERT INTO cosigned(origin, hash, size, root, note) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
            values: tuple[object, ...] = (new.origin, origin_hash(new.origin), new.size, new.root, note)
        else:
            sql = "UPDATE cosigned SET size=?, root=?, note=? WHERE origin=? AND size=? AND root=?"
            values = (new.size, new.root, note, new.origin, old.size, old.root)

        def write() -> bool:
            self._check_place()
            is_done = self._run(sql, *values).rowcount == 1
            self._check_place()
            return is_done

        return self._do(write)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    def _open(self) -> None:
        for setting in (f"busy_timeout={BUSY_MILLISECONDS}", "trusted_schema=OFF"):
            self._run(f"PRAGMA {setting}")
        (identity,) = self._run("PRAGMA application_id").fetchone()
        (tables,) = self._run("SELECT count(*) FROM sqlite_schema").fetchone()
        if identity != APPLICATION_ID and (identity or tables):
            text = _("{path} is not the file of a witness: move it away, or name the right home")
            raise StoreError(text.format(path=self._path))
        if identity != APPLICATION_ID:
            raise _forgotten(self._path)
        for setting in ("journal_mode=WAL", "synchronous=FULL"):
            self._run(f"PRAGMA {setting}")
        layout.complete(self._connection)
        if _read_id(self._connection) != _id_beside(self._identity):
            text = _(
                "{path} is not the file that this witness was made with, by what stands in {identity}: put that file "
                "back, or make a new witness with a new name"
            )
            raise StoreError(text.format(path=self._path, identity=self._identity))
        self._check_place()

    def _check_place(self) -> None:
        """Raise StoreError where the file that is open is not the one that stands there now."""
        if _place_of(self._path) != self._place:
            text = _("{path} was moved away or replaced while it was in use: nothing is cosigned until a restart")
            raise StoreError(text.format(path=self._path))

    def _run(self, sql: str, *values: object) -> sqlite3.Cursor:
        return self._connection.execute(sql, values)

    def _do(self, action: Callable[[], T]) -> T:
        with self._lock, _explained(self._path):
            return action()


class EvidenceFolder:
    """A home's evidence, for the witness (``sync.witness.Evidence``)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def count(self, prefix: str) -> int:
        """How many files have a name that begins so."""
        return sum(1 for _path in self._folder.glob(f"{prefix}*"))

    def keep(self, name: str, raw: bytes) -> bool:
        """Write a file, or leave the one of that name; on disk when this returns, True where it is new."""
        if (self._folder / name).exists():
            return False
        keep_evidence(self._folder, name, raw)
        return True


def open_memory(home: Home) -> WitnessStore:
    """What the home's witness remembers; raises StoreError where the file is missing, or another's."""
    return WitnessStore(home.witness, home.keys / WITNESS_ID)


def make_memory(path: Path, identity: Path) -> None:
    """The file of a new witness, with nothing in it; raises StoreError.

    It is made under another name and linked into its place. Where one stands there already, a crash left it before the
    witness had keys: it is taken.
    """
    try:
        if not path.exists():
            _make_file(path)
        with closing(_connect(path)) as connection:
            made = _read_id(connection)
        descriptor = os.open(identity, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{made}\n")
            file.flush()
            os.fsync(file.fileno())
        for folder in (path.absolute().parent, identity.absolute().parent):
            _sync_folder(folder)
    except sqlite3.Error as error:
        text = _("{path} is not the file of a witness: move it away, or name the right home")
        raise StoreError(text.format(path=path)) from error
    except OSError as error:
        raise StoreError(_("{path} cannot be made: {error}").format(path=path, error=error.strerror)) from error


def _make_file(path: Path) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}-")
    os.close(descriptor)
    draft = Path(name)
    try:
        with closing(_connect(draft)) as connection:
            connection.execute("PRAGMA synchronous=FULL")
            layout.complete(connection)
            connection.execute("INSERT INTO witness(id) VALUES(?)", (secrets.token_hex(ID_BYTES),))
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _connect(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def _read_id(connection: sqlite3.Connection) -> str | None:
    row = connection.execute("SELECT id FROM witness").fetchone()
    return None if row is None else str(row[0])


def _id_beside(identity: Path) -> str:
    """The id that stands beside the keys; raises StoreError where there is none."""
    try:
        with identity.open("rb") as file:
            return file.read(2 * ID_BYTES).decode("ascii", "replace")
    except OSError as error:
        text = _("{path} is missing; restore it from a backup").format(path=identity)
        raise StoreError(text) from error


def _place_of(path: Path) -> tuple[int, int] | None:
    """Which file stands there; None: none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _forgotten(path: Path) -> StoreError:
    text = _(
        "{path} is missing or empty: a witness that has forgotten must not cosign again; move keys/witness* away, take "
        "[witness] out of node.toml, and make a new one with a new name by `huzhu witness new`"
    )
    return StoreError(text.format(path=path))


def read_witness_keys(home: Home, passphrase: bytes | None) -> tuple[SigningKey, MldsaSigningKey]:
    """The witness's own keys; raises StoreError where they are missing or closed."""
    key = home.signing_key(home.keys / WITNESS_KEY, passphrase)
    mldsa = home.mldsa_key(home.keys / WITNESS_MLDSA_KEY, passphrase)
    if mldsa is None:
        raise StoreError(_("{path} is missing; restore it from a backup").format(path=home.keys / WITNESS_MLDSA_KEY))
    return key, mldsa


def name_witness(home: Home, name: str) -> None:
    """Write the witness's name into ``node.toml``: all of the new file is there, or all of the old."""
    text = home.settings.read_text("utf-8")
    changed = f'{text.rstrip()}\n\n[witness]\nname = "{name}"\n'
    parse_settings(changed, home.settings)
    draft = home.settings.with_name(f".{home.settings.name}.draft")
    with draft.open("w", encoding="utf-8") as file:
        draft.chmod(FILE_MODE)
        file.write(changed)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(home.settings)
