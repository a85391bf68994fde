"""``huzhu restore``: a lost disk, an older copy, and the journal of another file beside the ledger."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.web.desk import Desk


@pytest.fixture
def archive(desk: Desk) -> Path:
    """What the tier above has of the ledger: more than the older copy in ``older``, which a backup kept."""
    shutil.copytree(desk.home, desk.folder / "older")
    desk("seal")
    desk("seal")
    desk("export", "--archive", desk.folder / "kept.db")
    return desk.folder / "kept.db"


def put_back_older(desk: Desk) -> None:
    shutil.rmtree(desk.home)
    shutil.copytree(desk.folder / "older", desk.home)


def size_of(desk: Desk) -> int:
    return int(desk.json("verify", str(desk.home / "ledger.db"))["ledgers"][0]["size"])


def test_an_older_copy_gives_way_and_is_kept(desk: Desk, archive: Path) -> None:
    size = size_of(desk)
    put_back_older(desk)
    assert size_of(desk) == size - 2
    assert desk.json("restore", str(archive)) == {"size": size}
    assert size_of(desk) == size and (desk.home / "ledger-before-1.db").is_file()
    desk("seal")
    assert size_of(desk) == size + 1
    assert desk.json("verify", str(desk.home / "ledger.db"))["ok"]


def test_a_ledger_that_is_gone(desk: Desk, archive: Path) -> None:
    size = size_of(desk)
    for file in desk.home.glob("ledger.db*"):
        file.unlink()
    assert desk.json("restore", str(archive)) == {"size": size}
    assert not list(desk.home.glob("ledger-before-*"))


def test_the_journal_of_another_file_is_never_played_over_it(desk: Desk, archive: Path) -> None:
    """As after a power cut: entries that nobody mirrored stand in ``ledger.db-wal`` alone."""
    put_back_older(desk)
    size = size_of(desk)
    writer = sqlite3.connect(desk.home / "ledger.db")
    writer.execute("PRAGMA wal_autocheckpoint=0")
    with writer:
        writer.execute("INSERT INTO checkpoint(log, size, note) VALUES(1, 999999, x'00')")
    copies = {file.name: file.read_bytes() for file in desk.home.glob("ledger.db*")}
    writer.close()
    for name, raw in copies.items():
        (desk.home / name).write_bytes(raw)
    assert len(copies["ledger.db-wal"]) > 0
    desk("restore", str(archive))
    assert size_of(desk) == size + 2
    assert desk.json("verify", str(desk.home / "ledger.db"))["ok"]


def test_a_damaged_ledger(desk: Desk, archive: Path) -> None:
    (desk.home / "ledger.db").write_bytes(b"no database" * 2_000)
    desk("restore", str(archive))
    assert desk.json("verify", str(desk.home / "ledger.db"))["ok"]


def test_nothing_is_restored_over_a_ledger_that_goes_on_from_it(desk: Desk, archive: Path) -> None:
    desk("seal")
    size = size_of(desk)
    assert "nothing to restore" in desk("restore", str(archive), status=2).stderr
    assert size_of(desk) == size


def test_the_archive_of_another_ledger(desk: Desk, archive: Path) -> None:
    other = Desk(desk.folder / "other")
    other.folder.mkdir()
    other("init", "--origin", "other.example/huzhu")
    assert "does not hold the ledger" in other("restore", str(archive), status=2).stderr
    assert "ledger.db.restored" not in {file.name for file in other.home.iterdir()}
