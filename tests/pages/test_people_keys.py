"""Keys and sign-ins: whose device may sign, who may come in, and who makes which."""

import re
from contextlib import closing
from functools import partial

import pytest

from chain.encoding import format_base64
from node import Node
from store.access import Access, AccessError
from tests.pages.people import HAN, certify, look, opened, send
from tests.pages.village import ORIGIN, Village
from web.access.passwords import new_password
from web.pages.keys import KeyRow, Staff, todo
from web.pages.passbook_keytext import format_key_text
from web.pages.people_signins import draw_password
from web.session import new_key

SECRET = re.compile(r'<p class="secret">([^<]+)</p>')


@pytest.fixture(scope="module")
def han(own_village: Village) -> str:
    """The number of somebody new."""
    return opened(own_village, HAN | {"name": "钥匙"})


def roles_of(village: Village, account: str) -> dict[str, bool]:
    """The role of each key of an account, and whether it counts."""
    with Node.open(village.home, writes=False) as node:
        return {key.role: not key.revoked for key in node.state.roster.keys.values() if key.account == account}


def sign_in(village: Village, name: str, password: str) -> int:
    with village.client() as client:
        return client.post("/sign-in", data={"name": name, "password": password}).status_code


def test_a_device_may_sign_when_two_members_have_certified_its_key(own_village: Village, han: str) -> None:
    page, text = f"/people/{han}/keys", format_key_text(new_key().public)
    wrong = text[:10] + ("A" if text[10] != "A" else "B") + text[11:]
    answer = send(own_village, "clerk", page, {"key": wrong, "role": "recipient"})
    assert (answer.status_code, 'id="key-flaw"' in answer.text) == (422, True)
    assert send(own_village, "clerk", page, {"key": f" {text} ", "role": "recipient"}).status_code == 200
    certify(own_village)
    assert roles_of(own_village, han) == {}
    certify(own_village, "second")
    assert roles_of(own_village, han) == {"recipient": True}
    assert send(own_village, "member", page, {"key": text, "role": "volunteer"}).status_code == 422


def test_a_key_ends_when_two_members_say_so(own_village: Village, han: str) -> None:
    page, key = f"/people/{han}/keys", new_key()
    send(own_village, "member", page, {"key": format_base64(key.public), "role": "volunteer", "until": "2035-01-01"})
    certify(own_village, "second")
    assert roles_of(own_village, han)["volunteer"]
    assert "until 2035-01-01" in look(own_village, "clerk", page)
    send(own_village, "member", page, {"account": han, "reason": "lost"}, f"/people/keys/{key.id}/revoke")
    certify(own_village, "second")
    assert not roles_of(own_village, han)["volunteer"]


@pytest.mark.parametrize("fields", [{"key": ""}, {"key": "HZK1:x:00"}, {"key": "A" * 44}, {"role": "member"}])
def test_what_is_no_persons_key_is_not_proposed(own_village: Village, han: str, fields: dict[str, str]) -> None:
    given = {"key": format_key_text(new_key().public), "role": "recipient"} | fields
    assert send(own_village, "clerk", f"/people/{han}/keys", given).status_code == 422


def test_a_new_clerk_gets_a_key_from_two_members_and_a_sign_in_at_the_machine_alone(own_village: Village) -> None:
    with own_village.client("clerk") as client:
        assert client.post("/people/keys").status_code == 403
    answer = send(own_village, "member", "/people/keys", {"role": "clerk"})
    assert answer.status_code == 200
    certify(own_village, "second")
    with Node.open(own_village.home, writes=False) as node:
        key = [each.id for each in node.state.roster.keys.values() if each.role == "clerk"][-1]
    assert (own_village.home / "keys" / f"clerk-{key}.pem").is_file()
    with own_village.client("member") as client:
        assert client.post("/people/sign-ins").status_code == 405
    with closing(Access(own_village.home / "access.db")) as access:
        add = partial(access.add_user, role="clerk", ledger=ORIGIN, key=key, now=1)
        add("new-clerk")
        with pytest.raises(AccessError, match="another user's"):
            add("shadow")
    assert "new-clerk" in look(own_village, "clerk", "/people/keys")


def test_the_clerk_makes_a_persons_sign_in_whose_password_is_shown_once(own_village: Village, han: str) -> None:
    page = f"/people/{han}/sign-in"
    answer = send(own_village, "clerk", page, {"name": han}, headers={"Accept-Language": "en"})
    name, password = SECRET.findall(answer.text)
    assert (name, answer.headers["cache-control"], answer.url.query) == (han, "no-store", b"")
    assert password not in look(own_village, "clerk", page)
    assert sign_in(own_village, name, password) == 303
    with closing(Access(own_village.home / "access.db")) as access:
        user = access.user(han)
    assert user is not None
    assert (user.role, user.account, password in user.password) == ("person", han, False)
    answer = send(own_village, "clerk", page, {"name": han, "act": "password", "back": "1"}, "/people/sign-ins/change")
    assert sign_in(own_village, name, password) != 303
    assert sign_in(own_village, name, SECRET.findall(answer.text)[1]) == 303


def test_a_sign_in_is_disabled_let_in_again_and_removed(own_village: Village, han: str) -> None:
    change = "/people/sign-ins/change"
    send(own_village, "clerk", f"/people/{han}/sign-in", {"name": han, "act": "remove", "back": "1"}, change)
    send(own_village, "clerk", f"/people/{han}/sign-in", {"name": "kin-of-han"})
    for act, is_there, is_disabled in (("disable", True, True), ("enable", True, False), ("remove", False, False)):
        send(own_village, "clerk", f"/people/{han}/sign-in", {"name": "kin-of-han", "act": act, "back": "1"}, change)
        with closing(Access(own_village.home / "access.db")) as access:
            user = access.user("kin-of-han")
        assert (user is not None, user is not None and user.is_disabled) == (is_there, is_disabled)
    changed = send(own_village, "clerk", "/people/sign-ins", {"name": "member", "act": "promote"}, change)
    assert changed.status_code == 403


def test_a_second_sign_in_of_one_account_is_refused_and_what_is_made_is_on_record(
    own_village: Village, han: str
) -> None:
    page = f"/people/{han}/sign-in"
    send(own_village, "clerk", page, {"name": han})
    assert send(own_village, "clerk", page, {"name": "shadow"}).status_code == 422
    with closing(Access(own_village.home / "access.db")) as access:
        looks = [look.user for look in access.looks(han) if look.what == "sign-in"]
    assert "clerk" in looks


@pytest.mark.parametrize(
    ("user", "name"),
    [("clerk", "clerk"), ("clerk", "member"), ("member", "clerk"), ("member", "second"), ("member", "auditor")],
)
def test_nobody_changes_the_sign_in_of_an_equal_or_a_higher_one(own_village: Village, user: str, name: str) -> None:
    for act in ("password", "disable", "remove"):
        answer = send(own_village, user, "/people/sign-ins", {"name": name, "act": act}, "/people/sign-ins/change")
        assert (answer.status_code, SECRET.findall(answer.text)) == (403, [])
    answer = send(own_village, user, "/people/sign-ins", {"name": "nobody", "act": "remove"}, "/people/sign-ins/change")
    assert answer.status_code == 403


def test_first_passwords_differ_and_are_fit() -> None:
    drawn = {draw_password() for _each in range(100)}
    assert len(drawn) == 100
    assert all(re.fullmatch(r"[0-9]{4}(-[0-9]{4}){3}", each) for each in drawn)
    assert new_password("12345676", "4821-9036-5517-2204")


def test_what_still_needs_doing_is_said() -> None:
    def row(key: str, role: str, user: str = "x", *, counts: bool = True, ends: bool = False) -> KeyRow:
        return KeyRow(key, role, "", user, "2027-01-01" if ends else "", counts, ends, is_kept=True)

    good = [row("1", "member"), row("2", "member"), row("3", "member"), row("4", "clerk")]
    assert todo(Staff(good, 2, has_authority=True)) == []
    assert len(todo(Staff(good[1:], 2, has_authority=True))) == 1
    assert len(todo(Staff(good[:3], 2, has_authority=True))) == 1
    assert len(todo(Staff([*good, row("5", "clerk", ends=True), row("6", "clerk", "")], 2, has_authority=True))) == 2
