"""Dossiers at the desk: who is shown what, that each look is recorded, and what a crash or damage leaves."""

import datetime
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from care.dossier import DOSSIER_MAX_BYTES
from care.people import NOTE_MAX_BYTES, People, PeopleError
from node import Node
from store.home import Home
from tests.web.desk import ANNE, BEGINNING, BEN, CLARA, DORA, PEOPLE, Desk
from web.dossiers import DOSSIER_FILE_MAX_BYTES

ROOT = Path(__file__).resolve().parent.parent.parent
AT = ("--at", BEGINNING)
NOBODY = "87654300"
GAO = {
    "name": "高秀芳",
    "phone": "15040260662",
    "born": "1957-01-03",
    "address": "六渡河村23号",
    "care_level": "partial",
    "income_band": "low",
    "languages": ["普通话", "怀柔话"],
    "diet": "无糖",
    "emergency_contact": "高明 13900000000",
}


@pytest.fixture
def village(desk: Desk) -> Desk:
    """Four people with names and telephones."""
    rows = [row | {"name": f"n{row['account']}", "phone": f"139{row['account']}"} for row in PEOPLE]
    desk("person", "import", desk.people(*rows), *AT)
    return desk


def dossier_file(desk: Desk, content: Any = GAO) -> Path:
    return desk.file("dossier.json", json.dumps(content, ensure_ascii=False))


def dossier(desk: Desk, account: str) -> Any:
    return desk.json("person", "show", account)["dossier"]


def looks(desk: Desk, account: str) -> Any:
    return desk.json("person", "looks", account)["looks"]


def key_of(desk: Desk, role: str) -> str:
    """The first kept key of that role."""
    return Home(desk.home).key_files(role)[0][0]


def said(desk: Desk, *words: str | Path) -> str:
    """What a command that cannot run says: one line, without anything personal."""
    stderr = desk(*words, status=2).stderr
    assert stderr.count("\n") == 1
    assert "unexpected" not in stderr
    assert not any(text in stderr for text in ("高秀芳", "15040260662", "六渡河", "秘"))
    return stderr


# What is kept


def test_a_dossier_from_a_file_is_kept_whole(desk: Desk) -> None:
    number = desk.json("person", "open", "--dossier", dossier_file(desk), "--elder", *AT)["account"]
    shown = desk.json("person", "show", number)
    assert shown["dossier"] == GAO
    assert (shown["band"], shown["redeemable"], shown["elder"]) == (1955, True, True)
    lines = desk("person", "show", number).stdout
    assert all(text in lines for text in ("高秀芳", "1957-01-03", "普通话, 怀柔话", "emergency contact"))


def test_options_say_the_same_and_stand_over_the_file(desk: Desk) -> None:
    words: list[str] = []
    for name, value in GAO.items():
        words += [f"--{name.replace('_', '-')}", "+".join(value) if isinstance(value, list) else str(value)]
    number = desk.json("person", "open", *words, *AT)["account"]
    assert dossier(desk, number) == GAO
    over = desk.json("person", "open", "--dossier", dossier_file(desk), "--phone", "1", "--born", "1990-05-05", *AT)
    assert dossier(desk, over["account"]) == GAO | {"phone": "1", "born": "1990-05-05"}
    assert desk.json("person", "show", over["account"], "--ledger")["band"] == 1990


def test_the_log_has_the_hash_of_what_is_kept(desk: Desk) -> None:
    number = desk.json("person", "open", "--dossier", dossier_file(desk), *AT)["account"]
    [entry] = [entry for entry in desk.entries() if entry.kind == "account_open"]
    with Node.open(desk.home, writes=True) as node, node.people() as people:
        found = people.dossier(number)
    assert found is not None and found[0].hash == entry.body.dossier
    assert "高秀芳".encode() not in (desk.home / "ledger.db").read_bytes()


def test_an_update_changes_what_it_says_and_destroys_the_old(village: Desk) -> None:
    before = dossier(village, BEN)
    village("person", "update", BEN, "--diet", "无糖", *AT)
    assert dossier(village, BEN) == before | {"diet": "无糖"}
    village("person", "update", BEN, "--phone", "", "--dossier", dossier_file(village, {"diet": None}), *AT)
    assert dossier(village, BEN) == {name: text for name, text in before.items() if name != "phone"}
    with closing(sqlite3.connect(village.home / "people.db")) as database:
        rows = database.execute("SELECT version FROM dossier WHERE account=?", (BEN,)).fetchall()
    assert rows == [(3,)]
    assert village.verify()["ok"]


def test_an_update_of_something_else_leaves_the_dossier_as_it_is(village: Desk) -> None:
    def hashes() -> list[bytes]:
        return [bytes(entry.body.dossier) for entry in village.entries() if getattr(entry.body, "account", "") == BEN]

    village("person", "update", BEN, "--no-volunteer", *AT)
    first, second = hashes()[0], hashes()[-1]
    assert first == second
    assert dossier(village, BEN)["name"] == f"n{BEN}"


def test_what_the_ledger_refuses_changes_no_dossier(village: Desk) -> None:
    before = (village.home / "people.db").read_bytes()
    village("person", "update", BEN, "--name", "秘", "--funded", "nobody", *AT, status=1)
    village("person", "open", BEN, "--name", "秘", *AT, status=1)
    village("person", "open", "12345678", "--name", "秘", *AT, status=1)
    assert (village.home / "people.db").read_bytes() == before
    assert dossier(village, BEN)["name"] == f"n{BEN}"


def test_rows_that_are_refused_leave_nothing_in_the_home(desk: Desk) -> None:
    rows = [{"name": "秘一", "born": "x"}, {"name": "秘二", "born": "2015-01-01"}, PEOPLE[2] | {"name": "三"}]
    desk("person", "import", desk.people(*rows), *AT, status=1)
    with closing(sqlite3.connect(desk.home / "people.db")) as database:
        assert database.execute("SELECT account FROM dossier").fetchall() == [(CLARA,)]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("[]", "holds no JSON object"),
        ('{"name":"秘"', "holds no JSON object"),
        (b"\xff\xfe\xe7", "holds no JSON object"),
        ("[" * 50_000, "holds no JSON object"),
        ('{"shoe_size":"秘"}', "no field shoe_size"),
        ('{"name":["秘"]}', "name of a dossier is a text"),
        ('{"born":"秘"}', "born of a dossier is a date"),
        ('{"diet":"\\u0007秘"}', "control characters"),
        (json.dumps({"diet": "秘" * 501}), "too long"),
        (json.dumps({"languages": ["秘" * 500] * 6}), f"at most {DOSSIER_MAX_BYTES}"),
        (" " * DOSSIER_FILE_MAX_BYTES + "{}", "too large for a dossier"),
    ],
)
def test_a_file_that_is_no_dossier(desk: Desk, content: str | bytes, why: str) -> None:
    size = len(desk.entries())
    assert why in said(desk, "person", "open", "--dossier", desk.file("d.json", content), *AT)
    assert len(desk.entries()) == size


def test_a_file_without_end_or_none_at_all(desk: Desk) -> None:
    assert "too large" in said(desk, "person", "open", "--dossier", "/dev/zero")
    assert "No such file" in said(desk, "person", "open", "--dossier", desk.folder / "none.json")


# Who may look, and that it is recorded


def test_each_look_is_recorded_before_it_is_shown(village: Desk) -> None:
    village("person", "show", BEN)
    village("person", "show", BEN, "--json", "--reason", "上门看望")
    member = key_of(village, "member")
    village("person", "show", BEN, "--member", member)
    village("person", "show", BEN, "--ledger")
    found = looks(village, BEN)
    clerk = key_of(village, "clerk")
    assert [(look["key"], look["fields"], look["purpose"]) for look in found] == [
        (clerk, "name,phone,born", ""),
        (clerk, "name,phone,born", "上门看望"),
        (member, "name,phone,born", ""),
    ]
    assert looks(village, DORA) == []
    assert "上门看望" in village("person", "looks", BEN).stdout
    assert "上门看望".encode() not in b"".join(path.read_bytes() for path in village.home.rglob("*") if path.is_file())


def test_a_look_that_cannot_be_recorded_shows_nothing(village: Desk) -> None:
    with closing(sqlite3.connect(village.home / "people.db")) as database:
        database.execute("CREATE TRIGGER no BEFORE INSERT ON look BEGIN SELECT RAISE(FAIL, 'no'); END")
    for words in (("show", BEN), ("show", BEN, "--json"), ("find", "n"), ("export", BEN, "-o", village.folder / "x")):
        result = village("person", *words, status=2)
        assert result.stdout == "" and f"n{BEN}" not in result.output
    assert not (village.folder / "x").exists()


def test_without_the_role_only_the_ledger_is_shown(village: Desk) -> None:
    assert village.json("key", "new", "--role", "volunteer")
    for path in (village.home / "keys").glob("clerk-*"):
        path.unlink()
    assert village.json("person", "show", BEN)["dossier"]["name"] == f"n{BEN}", "a member may look"
    for path in (village.home / "keys").glob("member-*"):
        path.unlink()
    for words in (("show", BEN), ("looks", BEN), ("find", "n"), ("export", BEN, "-o", village.folder / "x")):
        assert "shown to a clerk or a member only" in said(village, "person", *words)
    shown = village.json("person", "show", BEN, "--ledger")
    assert shown["elder"] is True and "dossier" not in shown
    assert not (village.folder / "x").exists()


def test_a_key_that_counts_no_more_shows_nothing(village: Desk) -> None:
    clerk = key_of(village, "clerk")
    village("key", "revoke", clerk, "--reason", "left")
    assert "counts now" in said(village, "person", "show", BEN, "--clerk", clerk)
    for path in (village.home / "keys").glob("member-*"):
        path.unlink()
    assert "shown to a clerk or a member only" in said(village, "person", "show", BEN)


def test_who_does_not_know_the_passphrase_sees_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    monkeypatch.setenv("HUZHU_PASSPHRASE", "correct horse")
    desk.init()
    desk("person", "open", BEN, "--name", "高秀芳", *AT)
    assert b"ENCRYPTED" in (desk.home / "keys" / "people.pem").read_bytes()
    monkeypatch.setenv("HUZHU_PASSPHRASE", "wrong")
    assert "the passphrase does not open" in said(desk, "person", "show", BEN)
    monkeypatch.delenv("HUZHU_PASSPHRASE")
    assert "is encrypted" in said(desk, "person", "show", BEN)
    assert desk.json("person", "show", BEN, "--ledger")["status"] == "open"


def test_finding_by_name_or_last_digits(village: Desk) -> None:
    assert [found["account"] for found in village.json("person", "find", f"n{BEN[:4]}")] == [BEN]
    assert [found["account"] for found in village.json("person", "find", BEN[-5:], "--reason", "call")] == [BEN]
    assert village.json("person", "find", "nobody") == []
    asked = village("person", "find", stdin=f"n{DORA}\n")
    assert asked.stdout == f"{DORA}  n{DORA}  139{DORA}\n"
    assert [look["fields"] for look in looks(village, BEN)] == ["name,phone"] * 2
    assert len(looks(village, DORA)) == 1
    assert looks(village, ANNE) == []
    assert "give 1 to" in said(village, "person", "find", "x" * 101)
    assert "give 1 to" in said(village, "person", "find", " ")


# Everything that is held


def test_all_that_is_held_on_one_person_is_written_for_its_owner_alone(village: Desk) -> None:
    village("import", village.sheet({"recipient": DORA}, {"recipient": CLARA, "start": "11:00", "end": "12:00"}))
    service = next(index for index, entry in enumerate(village.entries()) if entry.kind == "service")
    village("dispute", str(service), DORA, "--ground", "not so")
    village("kin", "link", BEN, "spouse", DORA)
    path = village.folder / "dora.json"
    path.write_text("old")
    path.chmod(0o644)
    village("person", "export", DORA, "-o", path, "--reason", "she asks")
    held = json.loads(path.read_text("utf-8"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert held["dossier"] == {"name": f"n{DORA}", "phone": f"139{DORA}", "born": "1945-02-01"}
    assert [look["purpose"] for look in held["looks"]] == ["she asks"]
    assert [entry["kind"] for entry in held["entries"]] == ["account_open", "service", "dispute", "kin_link"]
    assert [entry["index"] for entry in held["entries"]][1:3] == [service, service + 2]
    assert (held["account"], held["balance"], held["elder"]) == (DORA, 0, True)
    assert all(entry["body"] for entry in held["entries"])
    assert CLARA not in path.read_text("utf-8")
    assert not list(village.folder.glob(".*"))


def test_an_export_needs_a_folder_and_an_account(village: Desk) -> None:
    assert "there is no folder" in said(village, "person", "export", DORA, "-o", village.folder / "none" / "x.json")
    assert "there is no account" in said(village, "person", "export", NOBODY, "-o", village.folder / "x.json")
    (village.folder / "folder").mkdir()
    assert "is a folder" in said(village, "person", "export", DORA, "-o", village.folder / "folder")
    assert "there is no account" in said(village, "person", "show", NOBODY)
    assert "there is no account" in said(village, "person", "looks", NOBODY)


# Crashes and damage


def crash_in(desk: Desk, killing: str, *words: str | Path) -> None:
    """Type a command in a process that is killed, not ended, at that place."""
    code = (
        f"import os, signal, sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "die = lambda *_a: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"{killing}\n"
        "from cli import main; main()"
    )
    command = [sys.executable, "-c", code, *words, "--home", desk.home]
    ended = subprocess.run(command, env=os.environ, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


BEFORE_THE_LEDGER = "import node; node.Node.commit = die"
AFTER_THE_LEDGER = "import care.people; care.people.People.settle = die"
IN_THE_PRIVATE_COMMIT = (
    "import care.people as c; run = c.People._run\n"
    "c.People._run = lambda self, sql, *v: die() if sql == 'COMMIT' else run(self, sql, *v)"
)


@pytest.mark.parametrize("killing", [BEFORE_THE_LEDGER, IN_THE_PRIVATE_COMMIT], ids=["ledger", "private"])
def test_a_crash_before_the_ledger_knows_leaves_no_dossier(village: Desk, killing: str) -> None:
    size, before = len(village.entries()), dossier(village, BEN)
    crash_in(village, killing, "person", "update", BEN, "--name", "高秀芳")
    crash_in(village, killing, "person", "open", "00000195", "--name", "高秀芳")
    assert len(village.entries()) == size
    assert dossier(village, BEN) == before
    with closing(sqlite3.connect(village.home / "people.db")) as database:
        assert database.execute("SELECT count(*), max(version) FROM dossier").fetchone() == (len(PEOPLE), 1)
    village("person", "open", "00000195", "--name", "高秀芳", *AT)
    assert dossier(village, "00000195") == {"name": "高秀芳"}


def test_a_crash_after_the_ledger_knows_loses_no_dossier(village: Desk) -> None:
    crash_in(village, AFTER_THE_LEDGER, "person", "update", BEN, "--name", "高秀芳")
    village("seal")
    assert dossier(village, BEN)["name"] == "高秀芳"
    people = village.people({"account": "00000195", "born": "1950-01-01", "name": "李建国"}, name="more.csv")
    crash_in(village, AFTER_THE_LEDGER, "person", "import", people)
    assert dossier(village, "00000195")["name"] == "李建国"
    with closing(sqlite3.connect(village.home / "people.db")) as database:
        rows = database.execute("SELECT account, version FROM dossier WHERE since IS NOT NULL OR account=?", (BEN,))
        assert rows.fetchall() == [(BEN, 2)]
    assert village.verify()["ok"]


def test_a_dossier_that_cannot_be_written_opens_no_account(village: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    size = len(village.entries())
    with monkeypatch.context() as patch:
        patch.setattr(People, "put", fail)
        assert "full" in said(village, "person", "open", "--name", "高秀芳")
        people = village.people({"born": "1950-01-01", "name": "秘"}, name="more.csv")
        assert "full" in said(village, "person", "import", people)
    assert len(village.entries()) == size


@pytest.mark.parametrize("words", [("show", BEN), ("open", "--elder"), ("update", BEN), ("erase", BEN, "--yes")])
def test_without_the_database_nothing_is_shown_or_opened(village: Desk, words: tuple[str, ...]) -> None:
    (village.home / "people.db").unlink()
    size = len(village.entries())
    assert "people.db is missing; restore it from a backup" in said(village, "person", *words)
    assert len(village.entries()) == size
    village("seal")
    assert village.json("person", "show", BEN, "--ledger")["status"] == "open"
    assert not (village.home / "people.db").exists()


def test_another_key_of_people_opens_nothing(village: Desk) -> None:
    keys = village.home / "keys"
    (keys / "people.pem").write_bytes((keys / "node.pem").read_bytes())
    assert "people.pem is not its key" in said(village, "person", "show", BEN)
    (keys / "people.pem").unlink()
    assert "people.pem" in said(village, "person", "show", BEN)


def test_one_persons_row_in_anothers_place_is_noticed(village: Desk) -> None:
    with closing(sqlite3.connect(village.home / "people.db")) as database:
        database.execute("UPDATE dossier SET account=? WHERE account=?", ("x", BEN))
        database.execute("UPDATE dossier SET account=? WHERE account=?", (BEN, DORA))
        database.commit()
    assert f"the dossier of account {BEN} does not open" in said(village, "person", "show", BEN)
    assert f"the ledger names for {DORA}" in said(village, "person", "show", DORA)
    assert looks(village, BEN) == []


# Another home's file, and an old copy


def old_copy(desk: Desk, *words: str) -> None:
    """Put a copy of people.db back that was taken before a command."""
    path = desk.home / "people.db"
    copy = path.read_bytes()
    desk(*words)
    path.write_bytes(copy)


def reading(desk: Desk, account: str) -> list[tuple[str | Path, ...]]:
    """The commands that show or change a dossier."""
    return [("show", account), ("export", account, "-o", desk.folder / "x.json"), ("update", account, "--diet", "y")]


def test_the_people_of_another_home_are_not_opened(village: Desk, tmp_path: Path) -> None:
    other = Desk(tmp_path / "other")
    other.folder.mkdir()
    other.init()
    other("person", "open", "00000195", "--name", "x", *AT)
    other("person", "erase", "00000195", "--yes")
    path = village.home / "people.db"
    path.write_bytes((other.home / "people.db").read_bytes())
    before, size = path.read_bytes(), len(village.entries())
    for words in (*reading(village, BEN), ("find", "n"), ("open", "--name", "x"), ("erase", BEN, "--yes")):
        assert "is of another home, or people.pem is not its key" in said(village, "person", *words)
    assert (path.read_bytes(), len(village.entries())) == (before, size)


def test_an_old_copy_shows_and_changes_nothing(village: Desk) -> None:
    old_copy(village, "person", "update", BEN, "--diet", "x", *AT)
    before, size = (village.home / "people.db").read_bytes(), len(village.entries())
    for words in reading(village, BEN):
        assert f"the ledger names for {BEN}: one of the two is an old copy" in said(village, "person", *words)
    assert ((village.home / "people.db").read_bytes(), len(village.entries())) == (before, size)
    assert not (village.folder / "x.json").exists()
    found = village("person", "find", f"n{BEN}")
    assert f"the ledger names for {BEN}" in found.stderr and found.stdout.startswith(BEN)
    assert village("person", "find", f"n{DORA}").stderr == ""
    assert dossier(village, DORA)["name"] == f"n{DORA}"


def test_a_copy_without_the_person_shows_and_changes_nothing(village: Desk) -> None:
    old_copy(village, "person", "open", "00000195", "--name", "x", *AT)
    size = len(village.entries())
    for words in reading(village, "00000195"):
        assert "the ledger names for 00000195" in said(village, "person", *words)
    assert len(village.entries()) == size


def test_what_is_lost_for_good_is_begun_anew(village: Desk) -> None:
    old_copy(village, "person", "open", "00000195", "--name", "x", *AT)
    old_copy(village, "person", "update", BEN, "--diet", "x", *AT)
    for account in ("00000195", BEN):
        village("person", "update", account, "--anew", "--name", "新", *AT)
        assert dossier(village, account) == {"name": "新"}


def test_the_last_hash_is_found_over_many_pieces_of_the_log(village: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    village("person", "update", BEN, "--diet", "x", *AT)
    village("person", "update", BEN, "--diet", "y", *AT)
    monkeypatch.setattr("web.dossiers.SCAN_ENTRIES", 1)
    assert dossier(village, BEN)["diet"] == "y"
    assert village("person", "find", "n").stderr == ""


def test_people_db_may_be_a_link(village: Desk) -> None:
    """SQLite puts its journal beside what the link leads to: no old page may stay there."""
    path, elsewhere = village.home / "people.db", village.folder / "elsewhere"
    elsewhere.mkdir()
    path.rename(elsewhere / "real.db")
    path.symlink_to(elsewhere / "real.db")
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT wrapped, sealed FROM dossier WHERE account=?", (BEN,)).fetchall()
    village("person", "erase", BEN, "--yes")
    assert [each.name for each in elsewhere.iterdir()] == ["real.db"]
    assert not any(part in (elsewhere / "real.db").read_bytes() for part in rows[0])
    assert path.is_symlink()


def test_a_full_disk_after_the_ledger_knows_is_no_failure(village: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(village.entries())
    with monkeypatch.context() as patch:
        patch.setattr(People, "_clean", full_disk)
        done = village("person", "update", BEN, "--diet", "x", *AT)
    assert "people.db is put in order by the next command" in done.stderr
    assert len(village.entries()) == size + 1
    assert dossier(village, BEN)["diet"] == "x"


def full_disk(*_arguments: object) -> None:
    raise PeopleError("full")


def test_a_dossier_cannot_steer_the_terminal(village: Desk) -> None:
    village("person", "update", BEN, "--name", "a\u202eb\u2028c", *AT)
    assert "a b c" in village("person", "show", BEN).stdout
    assert "a b c" in village("person", "find", "c").stdout


def test_only_who_is_shown_was_looked_at(village: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.commands_dossiers.FOUND_MAX", 1)
    found = village("person", "find", "n")
    assert (found.stdout.count("\n"), "there are more than 1" in found.stderr) == (1, True)
    shown = found.stdout[:8]
    assert [account for account in (ANNE, BEN, CLARA, DORA) if looks(village, account)] == [shown]


@pytest.mark.parametrize("reason", ["a\nb", "a\x1b[31mb", "a\u202eb", "a\u2028b"])
def test_a_reason_is_one_plain_line(village: Desk, reason: str) -> None:
    for words in (("show", BEN), ("find", "n"), ("export", BEN, "-o", village.folder / "x.json")):
        assert "control characters" in said(village, "person", *words, "--reason", reason)
    assert looks(village, BEN) == []
    village("person", "show", BEN, "--reason", "上门　看望")


def test_reasons_that_were_kept_cannot_steer_the_terminal(village: Desk) -> None:
    with Node.open(village.home, writes=True) as node, node.people() as people:
        people.note_looks([BEN], datetime.datetime.now(datetime.UTC), "f" * 16, "name", "a\nb\x1b[2J\u202ec")
    shown = village("person", "looks", BEN).stdout
    assert shown.count("\n") == 2 and shown.endswith("a b [2J c\n")


def test_only_digits_are_the_end_of_a_phone_number(village: Desk) -> None:
    def found(text: str) -> list[str]:
        return [each["account"] for each in village.json("person", "find", text)]

    last = BEN[-4:]
    assert found(last) == found(f"{last[:2]}-{last[2:]}") == [BEN]
    assert found("".join(chr(0xFF10 + int(digit)) for digit in last)) == [BEN]
    assert found(f"王{last}") == found(f"王{last[-1]}") == found("..") == []
    village("person", "update", BEN, "--name", "王", *AT)
    assert found(last[-3:]) == []
    assert found("王") == [BEN]


def test_a_reason_without_end_is_refused_before_anything_is_shown(village: Desk) -> None:
    reason = "x" * (NOTE_MAX_BYTES + 1)
    for words in (("show", BEN), ("find", "nobody"), ("export", BEN, "-o", village.folder / "x.json")):
        assert "the reason is too long" in said(village, "person", *words, "--reason", reason)
    assert looks(village, BEN) == []


@pytest.mark.parametrize(("answer", "status", "is_kept"), [("n\n", 2, True), ("", 2, True), ("y\n", 0, False)])
def test_at_a_terminal_an_erasure_is_asked_for(
    village: Desk, monkeypatch: pytest.MonkeyPatch, answer: str, status: int, is_kept: bool
) -> None:
    monkeypatch.setattr("web.commands_dossiers.is_terminal", lambda: True)
    asked = village("person", "erase", BEN, stdin=answer, status=status)
    assert f"Erase the dossier of account {BEN} for ever?" in asked.stderr
    assert (dossier(village, BEN) is not None) is is_kept
