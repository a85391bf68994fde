"""Archives of several villages in one file."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.web.desk import Desk, run


@pytest.fixture
def archives(tmp_path: Path) -> list[Path]:
    """Two villages' archives."""
    found = []
    for name in ("east", "west"):
        desk = Desk(tmp_path / name)
        desk.folder.mkdir()
        desk.init("--origin", f"{name}.example/huzhu")
        desk.populate()
        desk("seal")
        found.append(tmp_path / f"{name}.db")
        desk("export", "--archive", found[-1])
    return found


def test_what_is_joined_is_sound_and_keeps_its_mode(archives: list[Path], tmp_path: Path) -> None:
    county = tmp_path / "county.db"
    run("join", county, *archives)
    report = run("verify", county, "--json").stdout
    assert '"east.example/huzhu"' in report
    assert '"west.example/huzhu"' in report
    assert county.stat().st_mode & 0o777 == 0o600
    run("report", "--period", "2025-10", "--archive", county, "--format", "json")
    again = tmp_path / "again.db"
    run("join", again, county)
    assert run("verify", again, "--json").stdout.count("pending") == 2


@pytest.mark.parametrize("trouble", ["twice", "there", "none", "nowhere"])
def test_what_cannot_be_joined(archives: list[Path], tmp_path: Path, trouble: str) -> None:
    county, sources = tmp_path / "county.db", archives
    if trouble == "twice":
        sources = [archives[0], archives[0]]
    elif trouble == "there":
        county.write_bytes(b"something else")
    elif trouble == "none":
        sources = [tmp_path / "nothing.db"]
    else:
        county = tmp_path / "nowhere" / "county.db"
    refused = run("join", county, *sources, status=2)
    assert refused.stderr.count("\n") == 1
    assert county.exists() == (trouble == "there")
    assert trouble != "there" or county.read_bytes() == b"something else"


def test_an_entry_that_is_too_large_is_not_passed_over(archives: list[Path], tmp_path: Path) -> None:
    with closing(sqlite3.connect(archives[0])) as connection, connection:
        connection.execute("UPDATE entry SET bytes=zeroblob(70000) WHERE idx=3")
    county = tmp_path / "county.db"
    refused = run("join", county, *archives, status=2)
    assert "3" in refused.stderr
    assert not county.exists()
