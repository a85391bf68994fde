"""What a home keeps for its witness: ``witness.db``, its keys, its name, and evidence.

The file holds the newest checkpoint of each log that was cosigned.

WAL with full sync: what ``advance`` answered with True survives a power cut. Never put an older copy of this file in
its place: a witness that forgets what it cosigned can be made to cosign something else.
"""

import os
import sqlite3
import threading
from collections.abc import Callable
from gettext import gettext as _
from pathlib import Path
from typing import TypeVar

from sqlite_utils import Database, Migrations

from chain.checkpoint import Checkpoint
from chain.keys import MldsaSigningKey, SigningKey
from chain.witness import origin_hash
from store.home import Home
from store.log import StoreError
from store.settings import parse_settings
from store.sqlite import BUSY_MILLISECONDS, FILE_MODE, _explained
from store.tending import keep_evidence

APPLICATION_ID = 0x48555A57
WITNESS_KEY, WITNESS_MLDSA_KEY = "witness.pem", "witness-mldsa.pem"
"""Of the folder of keys: the node signs its own log with others (FORMAT §2)."""

migrations = Migrations("huzhu-witness")


@migrations(name="0001-cosigned")
def _cosigned(database: Database) -> None:
    database.conn.execute(
        "CREATE TABLE IF NOT EXISTS cosigned(origin TEXT PRIMARY KEY, hash TEXT UNIQUE NOT NULL,"
        " size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL) WITHOUT ROWID"
    )


T = TypeVar("T")


class WitnessStore:
    """What a witness remembers (``sync.witness.WitnessStorage``). Several threads and processes may use one file."""

    def __init__(self, path: Path) -> None:
        """Opens the file, or makes it; raises StoreError."""
        self._path = path
        self._lock = threading.Lock()
        try:
            path.touch(FILE_MODE, exist_ok=True)
        except OSError as error:
            raise StoreError(_("{path} cannot be made: {error}").format(path=path, error=error.strerror)) from error
        with _explained(path):
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False
            )
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
        return self._do(lambda: self._run(sql, *values).rowcount) == 1

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
        for setting in (f"application_id={APPLICATION_ID}", "journal_mode=WAL", "synchronous=FULL"):
            self._run(f"PRAGMA {setting}")
        migrations.apply(Database(self._connection))

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

    def keep(self, name: str, raw: bytes) -> None:
        """Write a file, or leave the one of that name; on disk when this returns."""
        if not (self._folder / name).exists():
            keep_evidence(self._folder, name, raw)


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
