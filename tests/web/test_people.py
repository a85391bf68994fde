"""People onto the ledger, and nothing of them that is personal; that lies in people.db, encrypted."""

import datetime
from collections.abc import Mapping
from pathlib import Path

import pytest

from ledger.numbers import account_number, has_check_digits
from tests.web.desk import ANNE, BEGINNING, BEN, CLARA, DORA, PEOPLE, Desk
from web.people import age_on, band_of

AT = ("--at", BEGINNING)
TIM = account_number(222_222)


def opened(desk: Desk) -> dict[str, dict[str, object]]:
    """What the ledger knows of each account."""
    accounts = [line["account"] for line in desk.json("balance")]
    return {account: desk.json("person", "show", account) for account in accounts if account.isdigit()}


def test_accounts_with_their_credentials_and_kin(desk: Desk) -> None:
    rows = [*PEOPLE[:3], PEOPLE[3] | {"credentials": "legal+finance", "kin": f"spouse:{BEN}+child:{ANNE}"}]
    result = desk.json("person", "import", desk.people(*rows), *AT)
    assert (result["rows"], result["refused"], result["credentials"], result["kin"]) == (4, 0, 2, 3)
    assert result["opened"] == [{"line": place + 2, "account": row["account"]} for place, row in enumerate(PEOPLE)]

    people = opened(desk)
    anne, ben, dora = people[ANNE], people[BEN], people[DORA]
    assert (anne["volunteer"], anne["elder"], anne["redeemable"], anne["band"]) == (True, False, False, 1970)
    assert (ben["volunteer"], ben["elder"], ben["redeemable"], ben["funded"]) == (True, True, True, "key_elder")
    assert (dora["kin"], dora["credentials"]) == (sorted([ANNE, BEN]), ["finance", "legal"])
    assert (anne["kin"], ben["kin"]) == (sorted([CLARA, DORA]), [DORA])
    assert desk.verify()["ok"]


def test_what_is_personal_lies_nowhere_open_and_is_shown(desk: Desk) -> None:
    row = {
        "account": ANNE,
        "name": "高秀芳",
        "born": "1957-01-03",
        "roles": "elder",
        "phone": "15040260662",
        "address": "六渡河村23号",
        "care_level": "partial",
    }
    desk("person", "import", desk.people(row))
    (desk.folder / "people.csv").unlink()
    held = b"".join(path.read_bytes() for path in desk.folder.rglob("*") if path.is_file())
    for personal in ("高秀芳", "1957-01-03", "15040260662", "六渡河村"):
        assert personal.encode() not in held
    shown = desk.json("person", "show", ANNE)["dossier"]
    assert shown == {name: row[name] for name in ("name", "born", "phone", "address", "care_level")}


def test_the_same_dossier_has_another_hash_each_time(desk: Desk) -> None:
    rows = [{"name": "高秀芳", "born": "1957-01-03"}] * 3
    desk("person", "import", desk.people(*rows))
    assert len({bytes(entry.body.dossier) for entry in desk.entries() if entry.kind == "account_open"}) == 3


def test_missing_numbers_are_drawn_and_printed(desk: Desk) -> None:
    rows = [{"born": "1950-01-01", "roles": "elder"}, {"account": ANNE, "born": "1950-01-01"}]
    result = desk("person", "import", desk.people(*rows))
    first, drawn = result.stdout.splitlines()
    number = drawn.removeprefix("line 2: ")
    assert "accounts opened: 2" in first
    assert len(number) == 8
    assert has_check_digits(number)
    assert set(opened(desk)) == {number, ANNE}
    assert "people.accounts.csv" in result.stderr


# Nothing twice


def accounts(desk: Desk, name: str = "people") -> str:
    """The file that says who has which number."""
    return (desk.folder / f"{name}.accounts.csv").read_text("utf-8")


def test_the_numbers_stand_beside_the_file(desk: Desk) -> None:
    path = desk.people({"born": "1950-01-01", "roles": "elder"}, PEOPLE[2], {"born": "x"})
    result = desk.json("person", "import", path, *AT, status=1)
    [drawn] = opened(desk).keys() - {CLARA}
    assert accounts(desk) == f"line,account\n2,{drawn}\n3,{CLARA}\n"
    assert result["accounts_file"] == str(desk.folder / "people.accounts.csv")
    assert (desk.folder / "people.accounts.csv").stat().st_mode & 0o777 == 0o600
    assert (result["rows"], len(result["opened"]), result["refused"]) == (3, 2, 1)


def test_the_same_file_is_not_taken_twice(desk: Desk) -> None:
    path = desk.people({"born": "1950-01-01", "roles": "elder"})
    desk("person", "import", path, *AT)
    first = accounts(desk)
    result = desk("person", "import", path, *AT, status=2)
    assert "was imported already" in result.stderr
    assert result.stderr.count("\n") == 1
    assert (len(opened(desk)), accounts(desk)) == (1, first)
    desk("person", "import", path, "--again", *AT)
    assert len(opened(desk)) == 2
    assert accounts(desk) != first


def test_a_file_of_which_nothing_was_opened_can_be_mended_and_taken(desk: Desk) -> None:
    desk("person", "import", desk.people({"born": "x"}), status=1)
    assert not (desk.folder / "people.accounts.csv").exists()
    desk("person", "import", desk.people({"born": "1950-01-01"}))
    assert len(opened(desk)) == 1


def test_guardians_are_opened_before_minors(desk: Desk) -> None:
    rows = [{"account": TIM, "born": "2015-06-01", "roles": "volunteer", "guardian": ANNE}, PEOPLE[0] | {"kin": ""}]
    desk("person", "import", desk.people(*rows), *AT)
    tim = opened(desk)[TIM]
    assert (tim["minor"], tim["guardian"], tim["band"]) == (True, ANNE, 2015)


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        ({"born": ""}, "bad-row"),
        ({"born": "1950-02-30"}, "bad-row"),
        ({"born": "2999-01-01"}, "bad-row"),
        ({"born": "1700-01-01"}, "bad-row"),
        ({"roles": "elder+boss"}, "bad-row"),
        ({"guardian": "x"}, "bad-row"),
        ({"funded": "Key Elder"}, "bad-row"),
        ({"credentials": "+".join(f"c{number}" for number in range(100))}, "bad-row"),
        ({"kin": "12345676"}, "bad-row"),
        ({"kin": "parent:1234567x"}, "bad-row"),
        ({"account": "2345678x"}, "bad-row"),
        ({"name": "\x01"}, "bad-row"),
        ({"account": "87654343"}, "bad-check-digits"),
        ({"account": ANNE}, "account-exists"),
        ({"born": "2015-01-01"}, "minor-needs-guardian"),
        ({"born": "2015-01-01", "guardian": "87654300"}, "no-account"),
        ({"funded": "nobody"}, "unknown-group"),
        ({"kin": "parent:87654300"}, "no-account"),
        ({"kin": f"parent:{TIM}"}, "relation-not-allowed"),
        ({"kin": f"enemy:{ANNE}"}, "relation-not-allowed"),
    ],
)
def test_rows_that_are_refused(desk: Desk, row: Mapping[str, str], outcome: str) -> None:
    desk.populate()
    good = {"account": account_number(333_333), "born": "1950-01-01", "roles": "elder"}
    path = desk.people({"account": TIM, "born": "1950-01-01"} | dict(row), good, name="more.csv")
    result = desk.json("person", "import", path, *AT, status=1)
    assert result["outcomes"] == {outcome: 1}
    [refused] = desk.refused("more.refused.csv")
    assert (refused["line"], refused["outcome"]) == ("2", outcome)
    assert {"line": 3, "account": good["account"]} in result["opened"]


def test_what_hangs_on_an_account_can_be_refused_when_the_account_is_open(desk: Desk) -> None:
    desk("person", "import", desk.people(PEOPLE[0]), *AT, status=1)
    [refused] = desk.refused("people.refused.csv")
    assert refused["outcome"] == "no-account"
    assert refused["reason"].startswith(f"account {ANNE} is open, but not the kin: ")
    assert set(opened(desk)) == {ANNE}


def mend(desk: Desk, old: str, new: str) -> Path:
    """The file of refused people, with something replaced in it."""
    path = desk.folder / "people.refused.csv"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    return path


def test_a_mended_row_is_completed_and_not_opened_again(desk: Desk) -> None:
    row = {"born": "1950-01-01", "roles": "elder", "credentials": "legal", "kin": f"spouse:{BEN}+child:87654300"}
    result = desk.json("person", "import", desk.people(PEOPLE[1], row), *AT, status=1)
    [drawn] = opened(desk).keys() - {BEN}
    assert result["partly_opened"] == [{"line": 3, "account": drawn}]
    assert (result["rows"], len(result["opened"]), result["refused"]) == (2, 1, 1)
    assert accounts(desk) == f"line,account\n2,{BEN}\n3,{drawn}\n"
    assert desk.refused("people.refused.csv")[0]["account"] == drawn

    desk("person", "open", ANNE, "--born", "1970-01-01")
    mended = mend(desk, "87654300", ANNE)
    result = desk.json("person", "import", mended, *AT)
    assert (result["rows"], result["completed"], result["opened"], result["refused"]) == (1, 1, [], 0)
    assert (result["credentials"], result["kin"], result["accounts_file"]) == (0, 1, None)
    assert opened(desk)[drawn]["kin"] == sorted([ANNE, BEN])
    assert "were open already: 1" in desk("person", "import", mended).stdout
    assert len(opened(desk)) == 3
    assert desk.verify()["ok"]


def test_a_credential_that_was_refused_comes_back_with_its_account(desk: Desk) -> None:
    row = {"born": "1950-01-01", "roles": "elder", "credentials": "legal"}
    desk("person", "import", desk.people(row), "--issuer", "", *AT, status=1)
    [drawn] = opened(desk)
    [refused] = desk.refused("people.refused.csv")
    assert (refused["account"], refused["credentials"]) == (drawn, "legal")
    result = desk.json("person", "import", desk.folder / "people.refused.csv", *AT)
    assert (result["completed"], result["credentials"]) == (1, 1)
    assert opened(desk)[drawn]["credentials"] == ["legal"]


def test_a_number_that_was_somebody_elses_is_not_completed(desk: Desk) -> None:
    desk.populate()
    desk("person", "import", desk.people(PEOPLE[0] | {"kin": f"spouse:{BEN}"}), "--again", *AT, status=1)
    result = desk.json("person", "import", desk.folder / "people.refused.csv", *AT, status=1)
    assert (result["outcomes"], result["completed"]) == ({"account-exists": 1}, 0)
    assert opened(desk)[ANNE]["kin"] == [CLARA]


def test_a_row_that_was_mended_badly_can_be_mended_again(desk: Desk) -> None:
    desk("person", "import", desk.people({"born": "1950-01-01", "kin": "child:87654300"}), *AT, status=1)
    desk("person", "import", mend(desk, "87654300", "8765x"), *AT, status=1)
    again = desk.folder / "people.refused.refused.csv"
    assert desk.refused(again.name)[0]["outcome"] == "bad-row"
    again.write_text(again.read_text("utf-8").replace("child:8765x", ""), "utf-8")
    assert desk.json("person", "import", again, *AT)["completed"] == 1
    assert len(opened(desk)) == 1


def test_the_number_of_somebody_born_in_other_years_is_not_completed(desk: Desk) -> None:
    desk.populate()
    desk("person", "import", desk.people({"account": ANNE, "born": "x"}, name="more.csv"), *AT, status=1)
    path = desk.folder / "more.refused.csv"
    path.write_text(path.read_text("utf-8").replace(",x,", ",1990-01-01,"), "utf-8")
    assert desk.json("person", "import", path, *AT, status=1)["outcomes"] == {"account-exists": 1}


def test_a_mended_row_that_was_never_opened_is_opened(desk: Desk) -> None:
    result = desk.json("person", "import", desk.people({"born": "1950-02-30"}, PEOPLE[2]), *AT, status=1)
    assert (result["rows"], len(result["opened"]), result["refused"]) == (2, 1, 1)
    result = desk("person", "import", mend(desk, ",1950-02-30,", ",1950-02-28,"), *AT)
    assert "columns" not in result.stderr
    assert len(opened(desk)) == 2
    assert accounts(desk, "people.refused").startswith("line,account\n2,")


def test_an_import_that_fails_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("node.Node.commit", fail)
    assert "disk is full" in desk("person", "import", desk.people(*PEOPLE), status=2).stderr
    monkeypatch.undo()
    assert not opened(desk)
    assert sorted(path.name for path in desk.folder.glob("*people*")) == ["people.csv"]


@pytest.mark.parametrize(
    ("born", "day", "years"),
    [
        ("1966-11-21", "2026-11-20", 59),
        ("1966-11-21", "2026-11-21", 60),
        ("1964-02-29", "2024-02-29", 60),
        ("1964-02-29", "2025-02-28", 60),
        ("1964-02-29", "2025-03-01", 61),
    ],
)
def test_age(born: str, day: str, years: int) -> None:
    assert age_on(datetime.date.fromisoformat(day), datetime.date.fromisoformat(born)) == years


@pytest.mark.parametrize(("year", "band"), [(1960, 1960), (1964, 1960), (1965, 1965)])
def test_band(year: int, band: int) -> None:
    assert band_of(datetime.date(year, 6, 1)) == band
