"""Commands of the tiers: ledgers are admitted and retired, parameters handed down, sheets carried over."""

import json
from pathlib import Path
from typing import Any

import pytest

from node import Node
from tests.sync.servers import raw_server, response, saying
from tests.web.desk import BEGINNING, Desk, run
from tests.web.tiers import (
    OFFICIALS,
    VILLAGE,
    admit_sample,
    mirror,
    params_sheet,
    township,
    village,
    vkey_of,
)
from web.commands_tiers import SAMPLE_VKEY
from web.sheetfile import format_sheet, parse_sheet


@pytest.fixture
def town(desk: Desk) -> Desk:
    """A township's desk."""
    township(desk)
    return desk


def officials(desk: Desk) -> list[str | Path]:
    return [word for file in OFFICIALS for word in ("--key-file", desk.folder / file)]


def test_admitted_and_retired(town: Desk) -> None:
    admit_sample(town)
    (line,) = town.json("org", "list")
    expected = {"origin": VILLAGE, "tier": "village", "vkey": SAMPLE_VKEY, "anchored_size": None, "age_seconds": None}
    assert {key: line[key] for key in expected} == expected
    assert "never anchored" in town("org", "list").stdout
    assert "already-admitted" in town("org", "admit", "--vkey", SAMPLE_VKEY, status=1).stderr
    town("org", "retire", VILLAGE, "--reason", "merged")
    assert town.json("org", "list") == []
    assert "not-admitted" in town("org", "retire", VILLAGE, "--reason", "merged", status=1).stderr


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("--vkey", "x"), 2, "verifier key"),
        (("--vkey", SAMPLE_VKEY, "--origin", "other.example"), 2, "not of other.example"),
        (("--vkey", SAMPLE_VKEY, "--tier", "county"), 1, "wrong-tier"),
    ],
)
def test_not_admitted(town: Desk, words: tuple[str, ...], status: int, told: str) -> None:
    assert told in town("org", "admit", *words, status=status).stderr
    assert town.json("org", "list") == []


def test_a_village_admits_nobody(desk: Desk) -> None:
    assert "no tier is below it" in desk("org", "admit", "--vkey", SAMPLE_VKEY, status=2).stderr


def test_a_whole_city(tmp_path: Path) -> None:
    """Four tiers, each made below the one before."""
    above = Desk(tmp_path)
    above.home = tmp_path / "city"
    above("init", "--origin", "city.example/huzhu", "--tier", "city", "--at", BEGINNING)
    for tier in ("county", "township", "village"):
        keys = [run("key", "new", "--role", "authority", "-o", tmp_path / f"{tier}-{n}.pem").stdout for n in (1, 2)]
        file = above.file("officials.txt", "".join(f"{key.split()[-1]}\n" for key in keys))
        below = Desk(tmp_path)
        below.home = tmp_path / tier
        words = ("--tier", tier, "--parent", vkey_of(above.home), "--authority", file, "--at", BEGINNING)
        below("init", "--origin", f"{tier}.example/huzhu", *words)
        above("org", "admit", "--vkey", vkey_of(below.home))
        above("seal")
        assert above.verify()["findings"] == []
        above = below


def test_parameters_are_handed_down_on_a_stick(town: Desk) -> None:
    below = village(town)
    town("params", "set", "posting_days=5")
    sheets = town.folder / "sheets"
    words = ("params", "hand-down", *officials(town), "-o", sheets)
    assert "no copy of it" in town(*words, status=1).stdout
    mirror(town, below)
    assert town.json(*words)[0]["done"]
    (sheet,) = sheets.iterdir()
    assert below("submit", sheet).stdout == "accepted as entry 2\n"
    assert below.json("params", "show")["params"]["posting_days"] == 5
    assert below("submit", sheet).stdout == "accepted as entry 2\n"
    assert len(below.entries()) == 3
    below("seal")
    mirror(town, below)
    assert "has these parameters already" in town(*words).stdout
    assert below.verify()["findings"] == []


def test_other_parameters_for_one_ledger(town: Desk) -> None:
    below, other = village(town), village(town, "dongzhuang")
    mirror(town, below, other)
    params = town.file("other.json", json.dumps({"posting_days": 9}))
    words = ("params", "hand-down", *officials(town), "-o", town.folder / "sheets", "--params", params)
    assert [line["origin"] for line in town.json(*words, "--origin", VILLAGE)] == [VILLAGE]
    assert len(town.json(*words)) == 2
    assert "is not admitted here" in town(*words, "--origin", "x.example", status=2).stderr


def test_who_hands_down(town: Desk) -> None:
    below = village(town)
    mirror(town, below)
    run("key", "new", "--role", "authority", "-o", town.folder / "stranger.pem")
    first, stranger = town.folder / OFFICIALS[0], town.folder / "stranger.pem"
    words = ("params", "hand-down", "-o", town.folder / "sheets", "--key-file", first, "--key-file")
    params = town.file("other.json", '{"posting_days":9}')
    assert "no authority there" in town(*words, stranger, "--params", params, status=1).stdout
    assert "two authority keys sign" in town(*words, first, "--params", params, status=2).stderr
    assert not (town.folder / "sheets").exists()
    assert "--token-file" in town("params", "hand-down", *officials(town), status=2).stderr


@pytest.mark.parametrize(
    ("status", "answer", "done", "told"),
    [
        ("201 Created", {"results": [{"index": 7, "leaf_hash": "x", "promise": None}]}, True, "accepted as entry 7"),
        ("422 X", {"results": [{"outcome": "bad-version", "detail": ""}]}, False, "other parameters came in between"),
        ("401 X", {"detail": "nobody is signed in"}, False, "status 401: nobody is signed in"),
        ("500 X", ["?"], False, "status 500"),
    ],
)
def test_parameters_are_sent(town: Desk, status: str, answer: Any, done: bool, told: str) -> None:
    below = village(town)
    mirror(town, below)
    town.file("token", "hz_" + "x" * 43 + "\n")
    params = town.file("other.json", '{"posting_days":9}')
    words = ("params", "hand-down", *officials(town), "--token-file", town.folder / "token", "--params", params)
    assert "address does not stand" in town(*words, status=1).stdout
    with raw_server(saying(response(json.dumps(answer).encode(), status=status))) as url:
        with (town.home / "node.toml").open("a") as settings:
            settings.write(f'[[children]]\norigin = "{VILLAGE}"\nurl = "{url}"\n')
        (line,) = town.json(*words, status=0 if done else 1)
    assert (line["done"], told in line["detail"]) == (done, True)


def test_a_sheet_is_submitted(desk: Desk) -> None:
    file = desk.file("params.sheet.json", format_sheet(params_sheet(desk)))
    (line,) = desk.json("submit", file)
    assert line["index"] == 2
    with Node.open(desk.home, writes=False) as node:
        assert node.state.parameters_version == 1


def test_a_sheet_for_another_ledger_is_refused(town: Desk) -> None:
    below, other = village(town), village(town, "dongzhuang")
    file = town.file("other.sheet.json", format_sheet(params_sheet(other)))
    assert "entry.unknown-key" in below("submit", file, status=1).stderr


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"statements":[],"sigs":[]}', b"\xff", b"[" * 10_000])
def test_what_is_no_sheet(desk: Desk, raw: bytes) -> None:
    assert "is no signed sheet" in desk("submit", desk.file("x.json", raw), status=2).stderr


def test_a_sheet_goes_there_and_back(desk: Desk) -> None:
    sheet = params_sheet(desk)
    raw = format_sheet(sheet)
    assert parse_sheet(raw) == sheet
    plain = json.loads(raw)
    plain["statements"] = [dict(reversed(each.items())) for each in plain["statements"]]
    assert parse_sheet(json.dumps(plain, indent=2).encode()) == sheet
