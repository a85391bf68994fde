"""From a suspicion to a sanction and back, at the desk (RULES §7)."""

import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ledger import bodies
from node import Node
from store.home import Home
from tests.web.desk import ANNE, BEN, CLARA, DORA, Desk, run
from web.history import indexes_of
from web.session import new_key, now

LATER = "2998-12-31"


@pytest.fixture
def village(desk: Desk) -> Desk:
    """Four people, and two services of Anne's."""
    desk.populate()
    desk("import", desk.sheet({}, {"start": "11:00", "end": "12:00"}), "--at", "2025-11-02T00:00:00Z")
    return desk


def services(desk: Desk) -> list[int]:
    """Where the services stand."""
    return [index for index, entry in enumerate(desk.entries()) if entry.kind == "service"]


def kept(desk: Desk, role: str) -> list[str]:
    """Key ids of that role in the home, in the order in which they are chosen."""
    return sorted(key["key"] for key in desk.json("key", "list") if key["role"] == role and key["kept"])


def open_case(desk: Desk, account: str = ANNE, *words: str) -> str:
    """A case that rests on all services; its number."""
    rests_on = [word for index in services(desk) for word in ("--entry", str(index))]
    return str(desk.json("case", "open", account, "--suspicion", "overlap", *rests_on, *words)["index"])


def uphold(desk: Desk, account: str = ANNE) -> str:
    """A case that was upheld."""
    case = open_case(desk, account)
    desk("case", "close", case, "upheld", "--note", "same hours twice")
    return case


def signers(desk: Desk, index: int) -> set[str]:
    """Who signed an entry."""
    entry = desk.entries()[index]
    return {entry.by, *entry.beside}


def written_by(desk: Desk, body: Any, author: str, beside: Sequence[str] = ()) -> Any:
    """Write a body with these keys of the home, and nobody's choice."""
    home = Home(desk.home)
    keys = {path.stem.rpartition("-")[2]: path for path in home.keys.glob("*-*.pem")}
    with Node.open(desk.home, writes=True) as node:
        first, *others = (home.signing_key(keys[key], None) for key in (author, *beside))
        (result,) = node.write(first, others, [body])
        return result


def list_overdue(desk: Desk, case: str) -> int:
    """Put Anne on the public list until a day that is past, as no command does; the entry's index."""
    until = datetime.date(2001, 1, 1)
    body = bodies.Sanction(account=ANNE, case=int(case), measure="list", until=until)
    author, beside, *_others = kept(desk, "member")
    return int(written_by(desk, body, author, [beside]).index)


def refused(desk: Desk, *words: str | Path) -> str:
    """The outcome of a command that the rules refuse."""
    return str(desk.json(*words, status=1)["outcome"])


def test_the_whole_path_of_a_case(village: Desk) -> None:
    case = open_case(village, ANNE, "--note", "two at once")
    assert refused(village, "sanction", "impose", ANNE, "suspend", "--case", case) == "case-not-upheld"
    village("case", "step", case, "remind", "--note", "by telephone")
    village("case", "step", case, "track", "--note", "for a month")
    village("case", "step", case, "hear", "--note", "says nothing")
    assert [each["case"] for each in village.json("case", "list", "--open")] == [int(case)]
    village("case", "close", case, "upheld", "--note", "same hours twice")
    assert village.json("case", "list", "--open") == []
    assert refused(village, "case", "step", case, "hear", "--note", "x") == "no-case"
    assert refused(village, "sanction", "impose", BEN, "suspend", "--case", case) == "no-case"

    sanction = str(village.json("sanction", "impose", ANNE, "suspend", "--case", case, "--until", LATER)["index"])
    assert village.json("balance", ANNE)["status"] == "suspended"
    assert "suspended" in village("balance", ANNE).stdout
    assert f"suspended (by the sanctions {sanction})" in village("person", "show", ANNE).stdout
    village("import", village.sheet({"date": "2025-11-02"}, name="more.csv"), status=1)
    assert village.outcomes("more.refused.csv") == [(2, "suspended")]
    assert refused(village, "donate", ANNE, "1") == "suspended"

    appeal = village.json("case", "appeal", case, "--ground", "I was at home")["index"]
    shown = village("case", "show", case).stdout
    for said in (
        f"case {case}, account {ANNE}: upheld",
        "note: two at once",
        "reminded; note: by telephone",
        "watched",
        "heard",
        "note: same hours twice",
        f"due to be lifted on {LATER}",
        "the person objects; reason: I was at home",
        "it rests on:",
        f"{ANNE} served {DORA}",
    ):
        assert said in shown
    history = village.json("case", "show", case)
    kinds = ["case_open", *["case_step"] * 3, "case_close", "sanction", "appeal"]
    assert [each["kind"] for each in history["history"]] == kinds
    assert history["history"][-1] | {"at": ""} == {
        "index": appeal,
        "at": "",
        "kind": "appeal",
        "case": int(case),
        "ground": "I was at home",
    }
    assert [each["index"] for each in history["entries"]] == services(village)
    assert history["in_force"] == [int(sanction)]

    village("sanction", "lift", sanction, "--reason", "heard again")
    assert refused(village, "sanction", "lift", sanction, "--reason", "x") == "no-sanction"
    assert village.json("case", "show", case)["in_force"] == []
    assert f"sanction {sanction} is lifted; reason: heard again" in village("case", "show", case).stdout
    village("import", "--again", village.sheet({"date": "2025-11-03"}, name="again.csv"))
    assert village.json("balance", ANNE)["status"] == "open"
    village("seal")
    assert village.verify()["ok"]


def test_the_same_in_chinese(village: Desk) -> None:
    case = uphold(village)
    list_overdue(village, case)
    village("case", "appeal", case, "--ground", "在家")
    shown = village("case", "show", case, "--lang", "zh").stdout
    assert "属实" in shown and "立案" in shown and "本人申诉" in shown and "note" not in shown
    listed = village("public-list", "--lang", "zh").stdout
    assert ANNE in listed and "2001-01-01，已逾期" in listed and "same hours twice" in listed
    assert "公示名单" in village("sanction", "list", "--lang", "zh").stdout
    error = village("sanction", "lift", case, "--reason", "x", "--lang", "zh", status=1).stderr
    assert error == "被拒（no-sanction）：没有这项处理，或已经解除\n"


def test_facts_are_divided_as_the_language_does(village: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    case = open_case(village, ANNE, "--note", "two at once")
    monkeypatch.setattr("web.commands_cases._", lambda msgid: "；" if msgid == "; " else msgid)
    shown = village("case", "show", case).stdout
    assert "；note: two at once" in shown and "; note" not in shown


def test_an_end_in_the_past_is_past_on_the_recorded_day(village: Desk) -> None:
    case = uphold(village)
    today = (now() + datetime.timedelta(hours=8)).date()
    words = ("sanction", "impose", ANNE, "suspend", "--case", case, "--until")
    assert "is past" in village(*words, str(today - datetime.timedelta(days=2)), status=2).stderr
    village(*words, str(today + datetime.timedelta(days=2)))


def test_a_case_is_closed_by_somebody_who_did_not_open_it(village: Desk) -> None:
    first, second, third = kept(village, "member")
    body = bodies.CaseOpen(account=ANNE, entries=(1,), suspicion="overlap")
    case = str(written_by(village, body, first, [second]).index)
    told = village("case", "close", case, "cleared", "--note", "x", "--member", first, "--member", second, status=1)
    assert "needs-second" in told.stderr
    assert "one of the two who close a case must be somebody who did not sign its opening" in told.stderr
    closed = village.json("case", "close", case, "cleared", "--note", "x")["index"]
    assert third in signers(village, closed) and len(signers(village, closed)) == 2


def test_without_a_third_member_nobody_can_close_it(village: Desk) -> None:
    first, second, third = kept(village, "member")
    body = bodies.CaseOpen(account=ANNE, entries=(1,), suspicion="overlap")
    case = str(written_by(village, body, first, [second]).index)
    (village.home / "keys" / f"member-{third}.pem").unlink()
    error = village("case", "close", case, "cleared", "--note", "x", status=2).stderr
    assert "one of them did not sign its opening" in error and error.count("\n") == 1
    assert village.json("case", "list")[0]["outcome"] is None


def test_a_named_member_signs_with_one_who_did_not_open_it(village: Desk) -> None:
    first, second, third = kept(village, "member")
    case = open_case(village, ANNE, "--by", third)
    closed = village.json("case", "close", case, "cleared", "--note", "x", "--member", third)["index"]
    assert signers(village, closed) == {third, first}
    assert {second} == set(kept(village, "member")) - signers(village, closed)


def test_who_is_kin_does_not_sign_where_others_can(village: Desk) -> None:
    """Anne is Clara's child: Clara's keys come last, and alone they may not sign about her."""
    first = kept(village, "member")[0]
    made = next(key for key in iter(new_key, None) if key.id < first)
    Home(village.home).add_key("member", made, None)
    key = made.id
    village("key", "grant", key, "--role", "member", "--account", CLARA)
    assert kept(village, "member")[0] == key
    case = open_case(village)
    assert key not in signers(village, int(case))
    assert key not in signers(village, village.json("case", "close", case, "upheld", "--note", "x")["index"])
    assert key not in signers(village, village.json("sanction", "impose", ANNE, "revoke", "--case", case)["index"])
    assert key in signers(village, int(open_case(village, DORA)))
    words = ("case", "open", ANNE, "--suspicion", "overlap", "--entry", "1", "--by", key)
    assert refused(village, *words) == "self-dealing"
    assert "their kin" in village(*words, status=1).stderr


def test_a_person_appeals_by_a_key_of_their_own(village: Desk) -> None:
    key = village.json("key", "new", "--role", "volunteer")["key"]
    village("key", "grant", key, "--role", "volunteer", "--account", ANNE)
    case = open_case(village)
    appeal = village.json("case", "appeal", case, "--ground", "x", "--by", key)["index"]
    assert signers(village, appeal) == {key}
    other = open_case(village, BEN)
    assert refused(village, "case", "appeal", other, "--ground", "x", "--by", key) == "not-allowed"


def test_what_revoke_takes_and_a_lift_gives_back(village: Desk) -> None:
    case = uphold(village)
    sanction = str(village.json("sanction", "impose", ANNE, "revoke", "--case", case)["index"])
    assert f"no (by the sanctions {sanction})" in village("person", "show", ANNE).stdout
    village("import", village.sheet({"date": "2025-11-02"}, name="more.csv"), status=1)
    assert village.outcomes("more.refused.csv") == [(2, "not-volunteer")]
    village("sanction", "lift", sanction, "--reason", "x")
    village("import", village.sheet({"date": "2025-11-03"}, name="again.csv"))


def test_the_public_list(village: Desk) -> None:
    case = uphold(village)
    overdue = list_overdue(village, case)
    village("sanction", "impose", ANNE, "suspend", "--case", case)
    other = uphold(village, BEN)
    village("sanction", "impose", BEN, "list", "--case", other, "--until", LATER)
    listed = village.json("public-list")
    assert listed[0] == {
        "sanction": overdue,
        "account": ANNE,
        "measure": "list",
        "case": int(case),
        "suspicion": "overlap",
        "note": "same hours twice",
        "since": listed[0]["since"],
        "until": "2001-01-01",
        "overdue": True,
    }
    assert [(each["account"], each["overdue"]) for each in listed] == [(ANNE, True), (BEN, False)]
    heading, *lines = village("public-list").stdout.splitlines()
    assert heading.split() == ["account", "why", "since", "until", "note"]
    assert "2001-01-01, overdue" in lines[0] and f"{LATER}, overdue" not in lines[1]
    assert [each["measure"] for each in village.json("sanction", "list")] == ["list", "suspend", "list"]
    village("sanction", "lift", str(overdue), "--reason", "x")
    assert [each["account"] for each in village.json("public-list")] == [BEN]


def test_the_tier_above_imposes_where_genesis_names_it(tmp_path: Path) -> None:
    above = Desk(tmp_path / "above")
    above.folder.mkdir()
    parent = json.loads(above("init", "--origin", "county.example", "--tier", "county", "--json").stdout)["vkey"]
    made = [above.json("key", "new", "--role", "authority", "-o", above.folder / str(place)) for place in (1, 2)]
    desk = Desk(tmp_path)
    desk.init("--parent", parent, "--authority", desk.file("publics", "".join(f"{key['public']}\n" for key in made)))
    keys = [desk.home / "keys" / f"authority-{key['key']}.pem" for key in made]
    for place, path in enumerate(keys, start=1):
        path.write_bytes((above.folder / str(place)).read_bytes())
    desk.populate()
    desk("import", desk.sheet({}), "--at", "2025-11-02T00:00:00Z")
    case = uphold(desk)
    sanction = desk.json("sanction", "impose", ANNE, "suspend", "--case", case)["index"]
    assert signers(desk, sanction) == {key["key"] for key in made}
    by_authority = open_case(desk, BEN, "--by", made[0]["key"])
    assert signers(desk, int(by_authority)) == {made[0]["key"]}
    for path in (desk.home / "keys").glob("member-*.pem"):
        path.unlink()
    closed = desk.json("case", "close", by_authority, "cleared", "--note", "x")["index"]
    assert signers(desk, closed) == {key["key"] for key in made}
    keys[0].unlink()
    error = desk("sanction", "lift", str(sanction), "--reason", "x", status=2).stderr
    assert "role authority" in error and error.count("\n") == 1
    assert desk.verify()["ok"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("case", "show", "0"), "there is no case 0"),
        (("case", "show", "99999999999999999999"), "there is no case"),
        (("case", "step", "9999", "hear", "--note", "x"), "there is no entry 9999"),
        (("case", "close", "9999", "upheld", "--note", "x"), "there is no entry 9999"),
        (("case", "open", ANNE, "--suspicion", "overlap", "--entry", "9999"), "there is no entry 9999"),
        (("case", "open", ANNE, "--suspicion", "Overlap!", "--entry", "1"), "is no code"),
        (("case", "open", ANNE, "--suspicion", "overlap"), "Missing option '--entry'"),
        (("case", "open", ANNE, "--suspicion", "overlap", "--entry", "1", "--by", "none.pem"), "none.pem"),
        (("sanction", "impose", ANNE, "fine", "--case", "1"), "'fine'"),
        (("sanction", "impose", ANNE, "list", "--case", "1", "--until", "soon"), "is no date"),
        (("sanction", "impose", ANNE, "list", "--case", "1", "--until", "2025-10-31"), "2025-10-31 is past"),
        (("case", "open", ANNE, "--suspicion", "overlap", "--entry", "1", "--note", " \u3000"), "only spaces"),
        (("case", "step", "1", "hear", "--note", " "), "only spaces"),
        (("case", "close", "1", "upheld", "--note", " "), "only spaces"),
        (("case", "appeal", "1", "--ground", " "), "only spaces"),
        (("sanction", "lift", "1", "--reason", " "), "only spaces"),
        (("sanction", "lift", "9999", "--reason", "x"), "there is no entry 9999"),
    ],
)
def test_words_that_cannot_be(desk: Desk, words: tuple[str, ...], message: str) -> None:
    size = len(desk.entries())
    result = desk(*words, status=2)
    assert message in result.stderr and result.stderr.count("\n") == 1
    assert len(desk.entries()) == size


def test_what_people_write_cannot_steer_the_terminal(village: Desk) -> None:
    hostile = ("case", "open", ANNE, "--suspicion", "overlap", "--entry", "1", "--note", "\x1b[2Jgone")
    assert refused(village, *hostile) == "entry.noncanonical"
    case = open_case(village, ANNE, "--note", "gone\u2028back")
    village("case", "close", case, "upheld", "--note", "a\u202eb")
    village("sanction", "impose", ANNE, "list", "--case", case)
    for words in (("case", "show", case), ("public-list",)):
        shown = village(*words).stdout
        assert "\u2028" not in shown and "\u202e" not in shown and "a b" in shown


def test_a_case_that_rests_on_entries_to_come_is_shown(village: Desk) -> None:
    """No rule asks for them: a number that was mistyped elsewhere must not hide the case."""
    body = bodies.CaseOpen(account=ANNE, entries=(1, 99_999), suspicion="unheard_of")
    case = str(written_by(village, body, kept(village, "member")[0]).index)
    assert "unheard_of" in village("case", "show", case).stdout
    assert [each["index"] for each in village.json("case", "show", case)["entries"]] == [1]


def test_entries_are_found_by_their_kind(village: Desk) -> None:
    with Node.open(village.home, writes=False) as node:
        found = indexes_of(node.state, "service", "kin_link")
        assert found == [index for index, each in enumerate(village.entries()) if each.kind in ("service", "kin_link")]
        assert indexes_of(node.state, "service", since=found[-1]) == found[-1:]
        assert indexes_of(node.state, "appeal") == []


def test_nothing_is_listed_where_nothing_was_done(desk: Desk) -> None:
    for words in (("case", "list"), ("sanction", "list"), ("public-list",)):
        assert desk.json(*words) == []
        assert len(desk(*words).stdout.splitlines()) == 1
    assert run("case", status=2).stderr
