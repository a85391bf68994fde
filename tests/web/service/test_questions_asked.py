"""`huzhu balances`, `ledgers`, `supply-demand`: what a node says of ledgers that are off line, and what is proven."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.sync.city import ANNE, BEN
from tests.sync.logs import Answer, served
from tests.web.desk import run
from tests.web.service.county import County


class Asking:
    """Somebody with a token and a trust file that pins the city's key alone."""

    def __init__(self, county: County, folder: Path) -> None:
        self.county = county
        self.trust = folder / "city.policy"
        self.trust.write_text(f"log {county.towns['city'].vkey}\nquorum none\n")
        self.folder = folder

    def token(self, user: str) -> Path:
        path = self.folder / f"{user}.token"
        path.write_text(f"{self.county.service.tokens[user]}\n")
        return path

    def __call__(self, command: str, *words: str | Path, user: str = "county", status: int = 0) -> str:
        place = ("--at", self.county.service.url, "--token-file", self.token(user))
        result = run(command, *place, *words, "--lang", "en", status=status)
        return result.stdout + result.stderr

    def json(self, command: str, *words: str | Path, status: int = 0) -> Any:
        return json.loads(self(command, *words, "--json", status=status))


@pytest.fixture
def ask(county: County, tmp_path: Path) -> Asking:
    return Asking(county, tmp_path)


def village(county: County, name: str = "v1") -> tuple[str, str]:
    return "--ledger", county.origin(name)


def test_the_balances_of_a_village_that_is_off_line_are_proven_to_who_trusts_the_city(ask: Asking) -> None:
    place = village(ask.county)
    shown = ask("balances", *place, "--trust", ask.trust)
    assert "PROVEN: all 7 accounts of v1.example/huzhu" in shown and "admissions that lead" in shown
    found = ask.json("balances", *place, "--trust", ask.trust)
    balances = {line["account"]: line["balance"] for line in found["balances"]}
    assert found["proven"] and balances[ANNE] == ask.county.towns["v1"].balance(ANNE)
    assert found["origin"] == ask.county.origin("v1") and found["total"]["on_way_minutes"] == 45
    closed = ask.json("balances", *place, "--trust", ask.trust, "--status", "closed")
    assert closed["proven"] and [line["status"] for line in closed["balances"]] == ["closed"]


def test_one_balance_is_proven_by_its_receipt(ask: Asking) -> None:
    place = village(ask.county)
    found = ask.json("balances", *place, "--account", BEN, "--trust", ask.trust)
    assert (found["proven"], found["balance"]) == (True, ask.county.towns["v1"].balance(BEN))
    ask.trust.write_text(f"log {ask.county.towns['v1'].vkey}\nquorum none\n")
    shown = ask("balances", *place, "--account", BEN, "--trust", ask.trust)
    assert "PROVEN by the log v1.example/huzhu" in shown and "rests on this ledger's key" in shown
    assert "has nothing of that" in ask("balances", *place, "--account", "10000020", "--trust", ask.trust, status=2)


def test_without_a_way_from_a_pinned_key_nothing_is_proven(ask: Asking) -> None:
    stranger = ask.county.towns["v3"].vkey.replace("v3", "elsewhere")
    ask.trust.write_text(f"log {ask.county.towns['v2'].vkey}\nquorum none\n")
    for more in ((), ("--account", BEN)):
        shown = ask("balances", *village(ask.county), *more, "--trust", ask.trust, status=1)
        assert "NOT PROVEN" in shown and stranger not in shown
    found = ask.json("balances", *village(ask.county), "--trust", ask.trust, status=1)
    assert found["proven"] is False and found["detail"]


def test_a_node_that_changes_a_balance_is_found_out(ask: Asking) -> None:
    path = ask.county.service.home / "mirror.db"
    with closing(sqlite3.connect(path)) as mirror:
        sql = (
            "UPDATE account SET balance=balance+? WHERE number=? AND log=(SELECT id FROM log WHERE origin=?)",
            (1, ANNE, ask.county.origin("v3")),
        )
        mirror.execute(*sql)
        mirror.commit()
        try:
            shown = ask("balances", *village(ask.county, "v3"), "--trust", ask.trust, status=2)
            assert "has nothing of that" in shown
        finally:
            mirror.execute(sql[0], (-1, *sql[1][1:]))
            mirror.commit()


def test_a_node_that_answers_other_balances_than_were_sealed_is_found_out(ask: Asking) -> None:
    service, origin = ask.county.service, ask.county.origin("v1")

    def lying(change: dict[str, Any]) -> Answer:
        def answer(path: str) -> bytes:
            raw = service.get(path, "county").content
            if path.startswith("/api/v1/balances"):
                honest = json.loads(raw)
                lines = [each | change if each["account"] == ANNE else each for each in honest["balances"]]
                return json.dumps(honest | {"balances": lines}).encode()
            if path.startswith("/api/v1/totals"):
                honest = json.loads(raw)
                return json.dumps(honest | {"total": honest["total"] | change}).encode()
            return raw

        return answer

    changes: tuple[tuple[dict[str, Any], int], ...] = (
        ({}, 0),
        ({"balance": 1}, 1),
        ({"held": 1}, 1),
        ({"minutes": 1}, 1),
        ({"on_way_minutes": 0}, 1),
        ({"status": "closed"}, 1),
        ({"account": BEN}, 1),
        ({"size": 9}, 0),
    )
    for change, status in changes:
        with served(lying(change)) as url:
            words = ("--ledger", origin, "--trust", ask.trust, "--lang", "en")
            result = run("balances", "--at", url, *words, status=status)
            assert ("NOT PROVEN" in result.stdout) == bool(status), change


def test_totals_say_what_they_rest_on(ask: Asking) -> None:
    shown = ask("balances", "--by", "tier")
    assert "the oldest sealed 2026-03-02" in shown
    assert "This is the node's word" in shown
    found = ask.json("balances", "--tier", "village")
    assert len(found["lines"]) == 3 and found["total"]["on_way_minutes"] == 45
    assert "v1.example/huzhu" in ask("balances", user="east")
    assert "v3.example/huzhu" not in ask("balances", user="east")


def test_ledgers_and_supply(ask: Asking) -> None:
    shown = ask("ledgers", "--silent", "--tier", "village")
    assert shown.count("SILENT") == 3 and "unusual: 2" in shown
    assert len(ask.json("ledgers")) == 6
    shown = ask("supply-demand", "--period", "2026")
    assert "services: 7, 285 min" in shown and "100.0 %" in shown
    assert "This is the node's word" in shown and "--trust" not in shown
    assert ask.json("supply-demand", *village(ask.county, "v2"))["services"] == {"number": 3, "minutes": 105}


def test_refusals_are_clear_sentences(ask: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "does not let you see this" in ask("balances", *village(ask.county, "v3"), user="east", status=2)
    assert "has nothing of that" in ask("balances", "--ledger", "x.example/y", user="auditor", status=2)
    assert "needs --trust" in ask("balances", "--account", BEN, status=2)
    assert "--trust needs" in ask("balances", "--trust", ask.trust, status=2)
    assert "no period" in ask("supply-demand", "--period", "soon", status=2)
    assert "no name of a ledger" in ask("balances", "--ledger", "X Y", status=2)
    url = ask.county.service.url
    assert "does not know who asks" in run("balances", "--at", url, "--lang", "en", status=2).stderr
    monkeypatch.setenv("HUZHU_TOKEN", ask.county.service.tokens["county"])
    assert "in all" in run("balances", "--at", url, "--lang", "en").stdout
    assert "is it up" in run("ledgers", "--at", "http://127.0.0.1:9", "--lang", "en", status=2).stderr
    empty = ask.folder / "empty"
    empty.write_text("\n")
    assert "no token" in run("ledgers", "--at", url, "--token-file", empty, "--lang", "en", status=2).stderr


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"ledgers":[{"ledger":"a\\u001b[2J"}],"count":1,"above":[],"next":null}',
        b'{"ledgers":[],"count":-1,"above":[],"next":null}',
    ],
)
def test_a_node_that_answers_something_else(answer: bytes) -> None:
    with served(lambda _path: answer) as url:
        result = run("ledgers", "--at", url, "--lang", "en", status=2)
    assert "does not answer as a Huzhu node does" in result.stderr and "\x1b" not in result.output
