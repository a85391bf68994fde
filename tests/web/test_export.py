"""Copies for others."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.web.desk import BEN, CLARA, DORA, ORIGIN, Desk, run


@pytest.fixture
def village(desk: Desk) -> Desk:
    """A ledger on which hours wait, were given away, taken back and closed away."""
    desk.populate()
    desk("import", desk.sheet({"provider": BEN}, {"start": "11:00", "end": "12:00", "provider": BEN}), "--seal")
    desk("params", "set", "posting_days=3")
    sheet = desk.sheet({"date": "2025-11-02", "provider": BEN}, {"date": "2025-11-02"}, name="later.csv")
    desk("import", sheet, "--seal")
    desk("donate", BEN, "30")
    desk("grant", DORA, "15", "--reason", "x")
    desk("reverse", str(len(desk.entries()) - 1), "--reason", "x")
    desk("person", "close", DORA, "--reason", "died")
    desk("seal")
    return desk


def test_hledger_agrees(village: Desk) -> None:
    journal = village.folder / "j.journal"
    village("export", "--journal", journal)
    subprocess.run(["hledger", "-f", journal, "check", "--strict"], check=True)
    command: list[str | Path] = ["hledger", "-f", journal, "balance", "--flat", "--empty", "-O", "csv", "-N"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[1:]
    found = {}
    for line in lines:
        name, amount = (cell.strip('"') for cell in line.split(","))
        _unit, _holder, account, part = name.split(":")
        found[account, part] = int(amount.split()[0])
    ours = {}
    for line in village.json("balance"):
        ours[line["account"], "balance"] = line["balance"]
        ours[line["account"], "held"] = line["held"]
    assert {place: amount for place, amount in found.items() if amount} == {
        place: amount for place, amount in ours.items() if amount
    }
    assert found[BEN, "held"] == 60


def test_hledger_sees_a_journal_that_was_changed(village: Desk) -> None:
    text = village("export", "--journal", "-").stdout
    changed = village.file("j.journal", text.replace("  60 min", "  61 min").replace("  -60 min", "  -61 min"))
    assert subprocess.run(["hledger", "-f", changed, "check"], capture_output=True, check=False).returncode


def test_journal_to_stdout_names_date_and_entry(village: Desk) -> None:
    text = village("export", "--journal", "-").stdout
    assert f"; {ORIGIN}, {len(village.entries())} entries" in text
    assert "service  ; entry:" in text


def test_tiles_go_on_from_an_earlier_export(village: Desk, tmp_path: Path) -> None:
    tiles, trust = tmp_path / "tiles", tmp_path / "trust"
    village("trust", "-o", trust)
    village("export", "--tiles", tiles)
    place = tiles / "liuduhe.example" / "huzhu"
    first = {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()}
    village("export", "--tiles", tiles)
    assert {path for path in first if path.stat().st_mtime_ns != first[path]} == {place / "checkpoint"}

    rows = [{"date": f"2025-{month:02}-{day:02}", "recipient": CLARA} for month in (8, 9, 10) for day in range(1, 29)]
    for number in range(4):
        marked = [row | {"remark": str(number)} for row in rows]
        village("import", village.sheet(*marked, name=f"{number}.csv"), "--seal")
    village("export", "--tiles", tiles)
    report = json.loads(run("verify", tiles, "--trust", trust, "--json").stdout)
    assert report["ledgers"][0]["size"] == len(village.entries())


def test_tiles_leave_pending_entries_out(village: Desk, tmp_path: Path) -> None:
    size = len(village.entries())
    village("donate", BEN, "1")
    village("export", "--tiles", tmp_path / "tiles")
    report = json.loads(run("verify", tmp_path / "tiles", "--json").stdout)
    assert report["ledgers"][0]["size"] == size


def test_tiles_of_another_ledger_are_not_overwritten(village: Desk, tmp_path: Path) -> None:
    other = Desk(tmp_path / "other")
    other.folder.mkdir()
    other.init()
    other("export", "--tiles", tmp_path / "tiles")
    assert "holds another ledger" in village("export", "--tiles", tmp_path / "tiles", status=2).stderr
    checkpoint = tmp_path / "tiles" / "liuduhe.example" / "huzhu" / "checkpoint"
    checkpoint.write_text("x\n", "utf-8")
    assert "is no checkpoint" in village("export", "--tiles", tmp_path / "tiles", status=2).stderr


def test_an_archive_is_a_new_file(village: Desk, tmp_path: Path) -> None:
    archive = tmp_path / "copy.db"
    village("export", "--archive", archive)
    assert archive.stat().st_mode & 0o777 == 0o600
    assert run("verify", archive).exit_code == 0
    assert "exists already" in village("export", "--archive", archive, status=2).stderr
    assert "there is no folder" in village("export", "--archive", tmp_path / "no" / "copy.db", status=2).stderr
    assert not (tmp_path / "no").exists()
    assert village("export", status=2).stderr.count("\n") == 1
