"""``huzhu user``, ``huzhu token`` and ``huzhu looks``."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from store.access import Access, Look
from tests.web import tiers
from tests.web.access.service import FAST, PASSWORD
from tests.web.conftest import _english as _english
from tests.web.conftest import desk as desk
from tests.web.desk import ANNE, ORIGIN, Desk, run
from web import commands_access
from web.access.passwords import Passwords

NOW = 1_700_000_000


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed in no time."""
    monkeypatch.setattr(commands_access, "Passwords", lambda: Passwords(1, 8_192))


@pytest.fixture
def access(desk: Desk) -> Iterator[Access]:
    """What the service has open meanwhile."""
    with closing(Access(desk.home / "access.db")) as opened:
        yield opened


def add(desk: Desk, name: str, *words: str, status: int = 0, stdin: str = f"{PASSWORD}\n") -> str:
    return desk("user", "add", name, *words, "--password-file", "-", status=status, stdin=stdin).output


def test_there_is_no_user_until_one_is_added(desk: Desk) -> None:
    assert desk.json("user", "list") == []
    assert (desk.home / "access.db").stat().st_mode & 0o777 == 0o600


def test_users_are_added_with_what_their_role_sees(desk: Desk, access: Access) -> None:
    desk.populate()
    add(desk, "Wang", "--role", "clerk")
    add(desk, "town", "--role", "supervisor", "--ledger", ORIGIN)
    add(desk, "below", "--role", "supervisor")
    add(desk, "court", "--role", "auditor")
    add(desk, "anne", "--role", "person", "--account", ANNE)
    desk("user", "add", "machine", "--role", "auditor", "--no-password")
    found = {each["name"]: (each["role"], each["ledger"], each["account"]) for each in desk.json("user", "list")}
    assert found == {
        "anne": ("person", ORIGIN, ANNE),
        "below": ("supervisor", ORIGIN, ""),
        "court": ("auditor", "", ""),
        "machine": ("auditor", "", ""),
        "town": ("supervisor", ORIGIN, ""),
        "wang": ("clerk", ORIGIN, ""),
    }
    user = access.user("wang")
    assert user is not None
    assert FAST.is_right(user.password, PASSWORD)
    assert "tokens only" in desk("user", "list").stdout


def test_a_supervisor_oversees_a_ledger_that_this_node_has(desk: Desk) -> None:
    tiers.township(desk)
    tiers.admit_sample(desk)
    add(desk, "chen", "--role", "supervisor", "--ledger", tiers.VILLAGE)
    assert [each["ledger"] for each in desk.json("user", "list")] == [tiers.VILLAGE]
    mistyped = add(desk, "li", "--role", "supervisor", "--ledger", "xizhang.example/huzhu", status=2)
    assert "called xizhang.example/huzhu: see" in mistyped and f"is it {tiers.VILLAGE}" in mistyped
    assert "is it" not in add(desk, "li", "--role", "supervisor", "--ledger", "q.q/q", status=2)


def test_roles_are_said_in_the_language_that_is_asked_for(desk: Desk) -> None:
    said = add(desk, "wang", "--role", "clerk", "--lang", "zh")
    assert "录入员" in said and "clerk" in said
    assert "录入员" in desk("user", "list", "--lang", "zh").stdout
    assert "(clerk)" not in desk("user", "list").stdout


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--role", "king"), "is not one of"),
        (("--role", "clerk", "--ledger", "a.example/x"), "--ledger is for a supervisor only"),
        (("--role", "supervisor", "--ledger", "no ledger"), "is no ledger's name"),
        (("--role", "person"), "a person needs it"),
        (("--role", "clerk", "--account", ANNE), "--account is for a person"),
        (("--role", "person", "--account", ANNE), f"there is no account {ANNE}"),
        (("--role", "clerk", "--no-password"), "not both"),
    ],
)
def test_users_that_are_not_added(desk: Desk, words: tuple[str, ...], text: str) -> None:
    assert text in add(desk, "wang", *words, status=2)
    assert desk.json("user", "list") == []


@pytest.mark.parametrize(
    ("stdin", "text"),
    [
        ("short\n", "too short"),
        ("\n", "too short"),
        ("", "too short"),
        ("a" * 300 + "bcd\n", "too long"),
        ("Wang-The-Clerk\n", "is the user's name"),
    ],
)
def test_passwords_that_are_refused(desk: Desk, stdin: str, text: str) -> None:
    told = add(desk, "wang-the-clerk", "--role", "clerk", status=2, stdin=stdin)
    assert text in told
    assert desk.json("user", "list") == []


def test_a_password_comes_from_a_file_with_bom_or_without(desk: Desk, access: Access) -> None:
    path = desk.file("password.txt", b"\xef\xbb\xbf" + PASSWORD.encode() + b"\r\nmore\r\n")
    desk("user", "add", "wang", "--role", "clerk", "--password-file", path)
    user = access.user("wang")
    assert user is not None
    assert FAST.is_right(user.password, PASSWORD)
    desk.file("password.txt", b"\xff\xfe\xff\xfe\xff\xfe\xff\xfe")
    told = desk("user", "password", "wang", "--password-file", path, status=2).output
    assert "is not UTF-8 text" in told


def test_a_password_that_is_made_at_the_machine_is_given(desk: Desk) -> None:
    add(desk, "wang", "--role", "clerk")
    desk("user", "add", "machine", "--role", "auditor", "--no-password")
    assert {each["name"]: each["given"] for each in desk.json("user", "list")} == {"machine": False, "wang": True}
    assert "given password" in desk("user", "list").stdout
    desk("user", "password", "machine", "--password-file", "-", stdin=f"{PASSWORD}\n")
    assert all(each["given"] for each in desk.json("user", "list"))


def test_on_a_practice_ledger_no_password_is_given(tmp_path: Path) -> None:
    home = tmp_path / "practice"
    run("init", "--home", home, "--origin", "practice.example/huzhu")
    words = ("--home", home, "--password-file", "-")
    run("user", "add", "wang", "--role", "clerk", *words, stdin=f"{PASSWORD}\n")
    run("user", "password", "wang", *words, stdin=f"{PASSWORD}\n")
    (told,) = json.loads(run("user", "list", "--json", "--home", home).stdout)
    assert not told["given"]


def test_a_password_is_asked_for_where_nothing_names_it(desk: Desk) -> None:
    told = desk("user", "add", "wang", "--role", "clerk", status=2).output
    assert "there is no terminal to ask for the password" in told


def test_no_password_and_no_hash_is_ever_shown(desk: Desk, access: Access) -> None:
    told = add(desk, "wang", "--role", "clerk")
    told += desk("user", "list").output + json.dumps(desk.json("user", "list"))
    user = access.user("wang")
    assert user is not None
    assert PASSWORD not in told
    assert user.password not in told
    assert "argon2" not in told


def test_one_name_is_one_user(desk: Desk) -> None:
    add(desk, "wang", "--role", "clerk")
    assert "there is a user wang already" in add(desk, "WANG", "--role", "auditor", status=2)


@pytest.mark.parametrize(
    "words", [("password", "--password-file", "-"), ("disable",), ("enable",), ("remove", "--yes")]
)
def test_who_is_not_there_is_not_changed(desk: Desk, words: tuple[str, ...]) -> None:
    told = desk("user", words[0], "nobody", *words[1:], status=2, stdin=f"{PASSWORD}\n").output
    assert "there is no user nobody" in told


def test_a_user_is_changed_while_the_service_runs(desk: Desk, access: Access) -> None:
    add(desk, "wang", "--role", "clerk")
    desk("token", "new", "wang")
    version = access.version
    told = desk("user", "password", "wang", "--password-file", "-", stdin="another long one\n").output
    assert "tokens of wang that still count: 1" in told
    assert access.version != version
    desk("user", "disable", "wang")
    assert desk.json("user", "list")[0]["disabled"] is True
    assert "disabled" in desk("user", "list").stdout
    desk("user", "enable", "wang")
    assert desk.json("user", "list")[0]["disabled"] is False
    assert "say --yes" in desk("user", "remove", "wang", status=2).output
    desk("user", "remove", "wang", "--yes")
    assert (access.users(), access.tokens()) == ([], [])


def test_a_token_is_shown_once_on_a_line_of_its_own(desk: Desk) -> None:
    add(desk, "wang", "--role", "clerk")
    told = desk("token", "new", "wang", "--scope", "submit", "--scope", "read", "--days", "7", "--label", "figures")
    secret = told.stdout.strip()
    assert secret.startswith("hz_")
    assert len(secret) == 46
    assert secret not in told.stderr
    (listed,) = desk.json("token", "list")
    assert (listed["user"], listed["scopes"], listed["label"]) == ("wang", ["read", "submit"], "figures")
    assert secret not in desk("token", "list").output
    assert desk.json("token", "new", "wang")["token"].startswith("hz_")
    assert len(desk.json("token", "list", "--of", "wang")) == 2
    desk("token", "revoke", "1")
    assert [each["id"] for each in desk.json("token", "list")] == [2]
    assert "there is no token 1" in desk("token", "revoke", "1", status=2).output


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("wang", "--scope", "admin"), "wang is clerk, which may not admin"),
        (("wang", "--days", "401"), "from 1 to 400"),
        (("wang", "--days", "0"), "from 1 to 400"),
        (("wang", "--scope", "all"), "is not one of"),
        (("wang", "--label", "x" * 61), "at most 60 characters"),
        (("wang", "--label", "a\x1bb"), "one plain line"),
        (("nobody",), "there is no user nobody"),
        (("no name",), "can be no user's name"),
    ],
)
def test_tokens_that_are_not_made(desk: Desk, words: tuple[str, ...], text: str) -> None:
    add(desk, "wang", "--role", "clerk")
    assert text in desk("token", "new", *words, status=2).output
    assert desk.json("token", "list") == []


def test_looks_at_the_service_and_at_the_desk_are_one_list(desk: Desk, access: Access) -> None:
    desk.populate()
    access.note_look(Look(NOW, "town", "statement", ANNE, ORIGIN, 3))
    access.note_look(Look(NOW, "town", "statement", "other", "other.example/huzhu"))
    desk("person", "show", ANNE, "--reason", "a call")
    first, second = desk.json("looks", "--of", ANNE)
    assert first == {
        "time": "2023-11-14T22:13:20Z",
        "by": "town",
        "what": "statement",
        "account": ANNE,
        "ledger": ORIGIN,
        "times": 3,
        "reason": "",
    }
    assert (second["account"], second["reason"], second["ledger"]) == (ANNE, "a call", ORIGIN)
    assert second["what"].startswith("dossier: ")
    assert len(desk.json("looks")) == 3
    assert [each["by"] for each in desk.json("looks", "--by", "Town")] == ["town", "town"]
    assert [each["reason"] for each in desk.json("looks", "--by", second["by"])] == ["a call"]
    assert "a call" in desk("looks").stdout


def test_without_a_node_there_is_no_list_of_users(tmp_path: Path) -> None:
    assert "there is no node in" in run("user", "list", "--home", tmp_path, status=2).output
    assert list(tmp_path.iterdir()) == []
