"""The command line as a process: how it starts, how it ends, and what it does when its surroundings fail."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ledger.numbers import account_number
from tests.web.desk import ROW, table
from web.daysheet import COLUMNS as SHEET_COLUMNS
from web.people import COLUMNS as PEOPLE_COLUMNS

HUZHU = Path(sys.executable).with_name("huzhu")
ORIGIN = "liuduhe.example/huzhu"


def start(*words: str | Path, home: Path, **more: str) -> subprocess.Popen[str]:
    """A process of its own, as from a shell, with nobody at the terminal."""
    environment = {"PATH": os.environ["PATH"], "HUZHU_HOME": str(home), "LANG": "en_US.UTF-8"} | more
    return subprocess.Popen(
        [HUZHU, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment,
    )


def run(*words: str | Path, home: Path, status: int = 0, **more: str) -> tuple[str, str]:
    """What it wrote to stdout and stderr."""
    with start(*words, home=home, **more) as process:
        out, error = process.communicate(timeout=60)
    assert process.returncode == status, (words, process.returncode, out, error)
    assert "Traceback" not in error
    return out, error


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    run("init", "--origin", ORIGIN, home=home)
    return home


def test_help_of_an_audit_imports_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys; sys.argv = ['huzhu', 'verify', '--help']\n"
        "import cli\n"
        "try: cli.main()\n"
        "except SystemExit: print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    command = [sys.executable, "-c", program]
    loaded = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.split()
    assert "click" in loaded
    assert not {"node", "store", "ledger", "nacl", "cryptography", "sqlite3", "msgspec"} & set(loaded)


def test_data_on_stdout_and_messages_on_stderr(home: Path) -> None:
    out, error = run("balance", "--json", home=home)
    assert out.startswith("[{")
    assert not error


def test_a_reader_that_goes_away_is_no_error(home: Path) -> None:
    with start("balance", "--json", home=home) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode in (0, 2)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_terminal_that_cannot_show_chinese(home: Path, encoding: str) -> None:
    run("balance", "--lang", "zh", home=home, PYTHONIOENCODING=encoding)
    _out, error = run("balance", "nobody", "--lang", "zh", home=home, status=2, PYTHONIOENCODING=encoding)
    assert error.count("\n") == 1


@pytest.mark.parametrize("damage", ["ledger.db", "node.toml"])
def test_damaged_files_are_named_in_one_line(home: Path, damage: str) -> None:
    (home / damage).write_bytes(b"\0" * 5_000)
    for words in (("balance",), ("seal",)):
        _out, error = run(*words, home=home, status=2)
        assert error.count("\n") == 1
        assert damage in error


def test_lost_keys_are_named_in_one_line(home: Path) -> None:
    (home / "keys" / "node.pem").write_bytes(b"nothing")
    _out, error = run("seal", home=home, status=2)
    assert "node.pem" in error
    for path in (home / "keys").glob("clerk-*"):
        path.unlink()


def test_interrupted(home: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "sheet.csv"
    os.mkfifo(fifo)
    with start("import", fifo, home=home) as process:
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _out, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Traceback" not in error
    run("seal", home=home)


def test_an_import_that_was_killed_goes_on(home: Path, tmp_path: Path) -> None:
    """Whenever the process dies: what is on the ledger stays, and the same file then completes it."""
    volunteer, elder = account_number(1), account_number(2)
    people = tmp_path / "people.csv"
    rows = [
        {"account": volunteer, "born": "1980-01-01", "roles": "volunteer"},
        {"account": elder, "born": "1940-01-01", "roles": "elder", "funded": "key_elder"},
    ]
    people.write_text(table(PEOPLE_COLUMNS, rows), "utf-8")
    run("person", "import", people, home=home)
    run("params", "set", "record_within_days=36500", "day_max_minutes=1440", "posting_days=0", home=home)
    services = [
        ROW | {"date": f"2025-{day // 28 + 1:02}-{day % 28 + 1:02}", "start": start, "end": f"{start[:-1]}1"}
        for day in range(300)
        for start in (f"{hour:02}:{minute}0" for hour in range(5) for minute in range(6))
    ]
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(
        table(SHEET_COLUMNS, [row | {"provider": volunteer, "recipient": elder} for row in services]), "utf-8"
    )
    for delay in (0.45, 0.65):
        with start("import", sheet, "--resume", "--seal-by", "date", home=home) as process:
            time.sleep(delay)
            process.kill()
    out, _error = run("import", sheet, "--resume", "--seal-by", "date", "--json", home=home)
    summary = json.loads(out)
    assert summary["accepted"] + summary["skipped"] == len(services)
    out, _error = run("balance", volunteer, "--json", home=home)
    assert json.loads(out)["balance"] == len(services)
    run("verify", home / "ledger.db", home=home)
