"""A SQLite file of ours: who may read it, that it is whole or not there, and what its errors mean."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from store.database import (
    Identity,
    check_identity,
    connect,
    explain,
    explained,
    make_whole,
    mark,
    new_file,
    place_of,
    touch,
)
from store.log import StoreError

OURS = Identity(0x48555A00, 3)
FOREIGN = "{path} is another's"


def fill(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE kept(x)")
    mark(connection, OURS)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_made_whole_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    make_whole(path, fill)
    assert names(tmp_path) == ["x.db"] and path.stat().st_mode & 0o777 == 0o600
    place = place_of(path)
    make_whole(path, fill)
    assert place_of(path) == place is not None and place_of(tmp_path / "none.db") is None
    with closing(connect(path)) as connection:
        check_identity(connection, path, OURS, FOREIGN)


@pytest.mark.parametrize("make", [lambda path: make_whole(path, fill), touch], ids=["whole", "empty"])
def test_a_folder_that_is_not_there_is_told(tmp_path: Path, make: Callable[[Path], None]) -> None:
    with pytest.raises(StoreError, match="cannot be made: No such file"):
        make(tmp_path / "nowhere" / "x.db")


def test_a_draft_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        fill(connection)
        fill(connection)

    with pytest.raises(StoreError, match="already exists"):
        make_whole(tmp_path / "x.db", fail)
    assert names(tmp_path) == []


def test_a_new_file_goes_where_its_block_fails(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with pytest.raises(StoreError, match="no such table"), new_file(path) as connection:
        fill(connection)
        connection.execute("SELECT x FROM lost")
    assert names(tmp_path) == []
    with new_file(path) as connection:
        fill(connection)
    with pytest.raises(StoreError, match="cannot be made: File exists"), new_file(path):
        pass
    assert names(tmp_path) == ["x.db"]


@pytest.mark.parametrize(
    ("identity", "says"),
    [
        (Identity(1, OURS.user_version), "x.db is another's"),
        (Identity(OURS.application_id, 4), "is of version 4; this program knows version 3"),
    ],
)
def test_a_file_of_another_program_is_told(tmp_path: Path, identity: Identity, says: str) -> None:
    path = tmp_path / "x.db"
    with new_file(path) as connection:
        mark(connection, identity)
        with pytest.raises(StoreError, match=says):
            check_identity(connection, path, OURS, FOREIGN)


def test_a_reader_writes_nothing_and_nothing_is_made_by_opening(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with pytest.raises(StoreError, match="cannot be read or written"), explained(path):
        connect(path)
    make_whole(path, fill)
    refused = pytest.raises(StoreError, match="cannot be written: check its owner")
    with closing(connect(path, "ro")) as connection, refused, explained(path):
        connection.execute("INSERT INTO kept VALUES(1)")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (sqlite3.SQLITE_FULL, "the disk that holds x.db is full"),
        (sqlite3.SQLITE_READONLY, "x.db cannot be written"),
        (sqlite3.SQLITE_NOTADB, "x.db is damaged (why); restore it from a backup"),
        (sqlite3.SQLITE_CORRUPT, "x.db is damaged (why)"),
        (sqlite3.SQLITE_ERROR, "x.db is damaged (why)"),
        (sqlite3.SQLITE_BUSY, "another process writes x.db"),
        (sqlite3.SQLITE_IOERR_READ, "x.db cannot be read or written (why)"),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, "x.db: why"),
    ],
)
def test_errors_are_told_in_one_sentence(code: int, says: str) -> None:
    error = sqlite3.OperationalError("why")
    error.sqlite_errorcode = code
    assert explain(Path("x.db"), error).startswith(says)
