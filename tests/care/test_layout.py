"""How a file comes to its tables."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from care.layout import Layout
from tests.store.village import new_home


@pytest.fixture
def file(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "file.db", isolation_level=None)) as connection:
        yield connection


def tables(file: sqlite3.Connection) -> set[str]:
    return {name for (name,) in file.execute("SELECT name FROM sqlite_schema WHERE type='table'")}


def make(file: sqlite3.Connection, *names: str, name: str = "huzhu-test") -> None:
    layout = Layout(name)
    for each in names:

        def step(connection: sqlite3.Connection, each: str = each) -> None:
            connection.execute(f"CREATE TABLE {each}(x)")

        layout.step(each)(step)
    layout.complete(file)


def test_each_step_is_taken_once_and_later_ones_come_later(file: sqlite3.Connection) -> None:
    make(file, "first", "second")
    make(file, "first", "second")
    assert tables(file) >= {"first", "second"}
    make(file, "first", "second", "third")
    make(file, "other", name="huzhu-other")
    assert tables(file) >= {"first", "second", "third", "other"}


def test_a_step_that_fails_leaves_nothing_and_is_taken_again(file: sqlite3.Connection) -> None:
    layout = Layout("huzhu-test")
    broken = True

    @layout.step("0001")
    def _first(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE first(x)")
        if broken:
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        layout.complete(file)
    assert "first" not in tables(file)
    broken = False
    layout.complete(file)
    assert "first" in tables(file)


def test_what_is_complete_is_opened_without_the_library(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    code = "import sys; from store.sqlite import SqliteStore; from pathlib import Path; import web.session\n"
    code += "SqliteStore(Path(sys.argv[1])).close(); sys.exit('numpy' in sys.modules or 'sqlite_utils' in sys.modules)"
    subprocess.run([sys.executable, "-c", code, str(home / "ledger.db")], check=True)
