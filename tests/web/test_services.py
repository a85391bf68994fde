"""Services are found again by who gave or received them, and objections by being open."""

from pathlib import Path

import pytest

from tests.web.desk import ANNE, BEN, CLARA, DORA, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Three services by Anne, the last of them for Clara, and all paid by the platform."""
    desk = Desk(tmp_path)
    desk.init()
    desk.populate()
    rows = [{"start": "09:00", "end": "10:00"}, {"start": "11:00", "end": "11:30"}]
    desk("import", desk.sheet(*rows, {"start": "13:00", "end": "14:00", "recipient": CLARA}))
    return desk


def test_an_elder_finds_what_the_platform_paid_for(desk: Desk) -> None:
    lines = desk.json("statement", DORA)["lines"]
    assert [(line["kind"], line["other"], line["minutes"], line["held"], line["balance"]) for line in lines] == [
        ("service", ANNE, 0, 0, 0)
    ] * 2
    found = desk.json("services", DORA)
    assert [(each["provider"], each["minutes"], each["state"]) for each in found] == [
        (ANNE, 60, "standing"),
        (ANNE, 30, "standing"),
    ]
    assert len(desk.json("services", ANNE)) == 3
    assert desk.json("services", BEN) == []
    first = str(found[0]["index"])
    assert any(line.split()[0] == first and DORA in line for line in desk("services", DORA).stdout.splitlines())


def test_an_objection_is_listed_until_it_is_decided(desk: Desk) -> None:
    disputed = [each["index"] for each in desk.json("services", DORA)]
    words = (DORA, "--ground", "nobody\u202e came")
    disputes = [desk.json("dispute", str(index), *words)["index"] for index in disputed]
    listed = desk.json("objections")
    assert [each["dispute"] for each in listed] == disputes
    assert [each["service"]["index"] for each in listed] == disputed
    assert "\u202e" not in desk("objections").stdout
    desk("resolve", str(disputes[0]), "upheld", "--reason", "x")
    desk("resolve", str(disputes[1]), "rejected", "--reason", "x")
    assert desk.json("objections") == []
    told = [(line["kind"], line["other"]) for line in desk.json("statement", DORA)["lines"]]
    assert told == [(kind, ANNE) for kind in ("service", "service", "dispute", "dispute", "resolve", "resolve")]
    assert [each["state"] for each in desk.json("services", DORA)] == ["reversed", "standing"]


def test_nobody_of_that_number(desk: Desk) -> None:
    refused = desk("services", "00000195", status=2)
    assert "00000195" in refused.stderr
    assert refused.stderr.count("\n") == 1
