"""The sample village: its people and sixty days of sheets, with the answers that its key gives."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.web.desk import BEGINNING, Desk, run

SAMPLE = Path(__file__).resolve().parent.parent / "data" / "liuduhe"
KEY: dict[str, Any] = json.loads((SAMPLE / "key.json").read_text("utf-8"))
REFUSED = [(row["line"], row["outcome"]) for row in KEY["refused"]]


@pytest.fixture(scope="module", params=[(), ("--at", "date")], ids=["at-the-clock", "at-each-date"])
def village(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, dict[str, Any]]:
    """The village after its import, and what the import said."""
    desk = Desk(tmp_path_factory.mktemp("liuduhe"))
    for name in ("people.csv", "day-sheets.csv"):
        shutil.copy(SAMPLE / name, desk.folder)
    desk.init(parameters=json.loads((SAMPLE / "params.json").read_text("utf-8")))
    people = desk.json("person", "import", desk.folder / "people.csv", "--at", BEGINNING)
    assert (people["rows"], len(people["opened"]), people["refused"]) == (320, 320, 0)
    sheets = desk.folder / "day-sheets.csv"
    return desk, desk.json("import", sheets, "--seal-by", "date", *request.param, status=1)


def test_exactly_the_keys_rows_are_refused(village: tuple[Desk, dict[str, Any]]) -> None:
    desk, summary = village
    assert (summary["rows"], summary["accepted"], summary["refused"]) == (KEY["rows"], KEY["accepted"], len(REFUSED))
    assert desk.outcomes("day-sheets.refused.csv") == REFUSED
    assert summary["blocks"] == 65


def test_balances_are_exactly_the_keys(village: tuple[Desk, dict[str, Any]]) -> None:
    desk, _summary = village
    balances = {line["account"]: line["balance"] for line in desk.json("balance")}
    issued = balances.pop("issue")
    assert {account: minutes for account, minutes in balances.items() if minutes} == KEY["balances"]
    assert issued == -sum(KEY["balances"].values())


def test_the_audit_is_sound(village: tuple[Desk, dict[str, Any]]) -> None:
    desk, _summary = village
    assert desk.verify()["ledgers"][0]["entries"]["service"] == KEY["accepted"]


def test_refused_rows_keep_their_cells(village: tuple[Desk, dict[str, Any]]) -> None:
    desk, _summary = village
    lines = (desk.folder / "day-sheets.csv").read_text("utf-8").splitlines()
    for row in desk.refused("day-sheets.refused.csv"):
        assert ",".join(list(row.values())[3:]) == lines[int(row["line"]) - 1]


def test_hledger_finds_the_same_balances(village: tuple[Desk, dict[str, Any]]) -> None:
    desk, _summary = village
    journal = desk.folder / "liuduhe.journal"
    desk("export", "--journal", journal)
    subprocess.run(["hledger", "-f", journal, "check", "--strict"], check=True)
    command: list[str | Path] = ["hledger", "-f", journal, "balance", "--flat", "-O", "csv", "-N", "minute:person"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[1:]
    found = {line.split(":")[2]: int(line.split(",")[1].strip('"').split()[0]) for line in lines}
    assert found == KEY["balances"]


def test_tiles_and_archive_hold_the_same_ledger(village: tuple[Desk, dict[str, Any]], tmp_path: Path) -> None:
    desk, _summary = village
    desk("export", "--tiles", tmp_path / "tiles", "--archive", tmp_path / "copy.db")
    trust = tmp_path / "trust.txt"
    desk("trust", "-o", trust)
    reports = [
        json.loads(run("verify", target, "--trust", trust, "--json").stdout)
        for target in (desk.home / "ledger.db", tmp_path / "tiles", tmp_path / "copy.db")
    ]
    assert all(report["ok"] and report["trusted"] for report in reports)
    assert len({report["ledgers"][0]["root"] for report in reports}) == 1
