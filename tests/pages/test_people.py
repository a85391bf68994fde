"""People: opened, found, shown for a purpose, changed, closed, erased; and who may not see any of it."""

import re
from contextlib import closing
from pathlib import Path

import pytest

from ledger.numbers import account_number
from node import Node
from store.access import Access
from tests.pages.people import HAN, certify, drafts, find, look, opened, send
from tests.pages.village import Village
from tests.web.service.running import patience

EVIL = "<script>alert(1)</script>\"'>"
"""What nobody is called."""


@pytest.fixture(scope="module")
def han(own_village: Village) -> str:
    """The number of somebody new."""
    return opened(own_village)


PAGES = (
    "/people",
    "/people/open",
    "/people/keys",
    "/people/sign-ins",
    "/people/{}",
    "/people/{}/edit",
    "/people/{}/links",
    "/people/{}/end",
    "/people/{}/keys",
    "/people/{}/sign-in",
    "/people/{}/looks",
)
ACTS = (
    "/people",
    "/people/open",
    "/people/keys",
    "/people/sign-ins/change",
    "/people/keys/0123456789abcdef/revoke",
    "/people/{}/particulars",
    "/people/{}/export",
    "/people/{}/edit",
    "/people/{}/links",
    "/people/{}/close",
    "/people/{}/erase",
    "/people/{}/keep",
    "/people/{}/keys",
    "/people/{}/sign-in",
)


@pytest.mark.parametrize("user", ["supervisor", "auditor", "person", "guardian"])
def test_nobody_else_may_look_or_act(own_village: Village, user: str) -> None:
    own = own_village.users[user] or own_village.people[0].account
    with own_village.client(user) as client:
        asked = [client.get(page.format(own)) for page in PAGES] + [client.post(act.format(own)) for act in ACTS]
    assert {(answer.request.url.path, answer.status_code) for answer in asked} == {
        (page.format(own), 403) for page in {*PAGES, *ACTS}
    }
    assert not any(someone.name in answer.text for answer in asked for someone in own_village.people)


def test_a_stranger_is_sent_to_sign_in(own_village: Village) -> None:
    with own_village.client() as client:
        answer = client.get("/people/open")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?to=%2Fpeople%2Fopen")


@pytest.mark.parametrize("act", ACTS)
def test_forms_of_other_sites_and_sessions_are_refused(own_village: Village, act: str) -> None:
    path = act.format(own_village.people[0].account)
    with own_village.client("member") as client:
        assert client.post(path, data={"token": "AAAA"}).status_code == 403
    with own_village.client("member", headers={"Sec-Fetch-Site": "cross-site"}) as client:
        assert client.post(path).status_code == 403


def test_an_account_is_open_once_the_other_role_has_certified_it(own_village: Village, han: str) -> None:
    assert find(own_village, "qiudanjie")[:1] == find(own_village, "qdj")[:1] == find(own_village, han) == [han]
    assert han in find(own_village, "6789") and find(own_village, "仇单") == [han]
    page = look(own_village, "clerk", f"/people/{han}")
    assert "仇单解" in page and "elder" in page and "1950–1954" in page
    assert "139 1234 6789" not in page


def test_before_that_it_is_seen_by_who_certifies_and_found_by_nobody(own_village: Village) -> None:
    answer = send(own_village, "clerk", "/people/open", HAN | {"name": "等等"})
    number = answer.url.path.rpartition("/")[2]
    assert find(own_village, "等等") == find(own_village, number) == []
    assert "等等" in look(own_village, "member", f"/people/{number}")
    assert "等等" in look(own_village, "member", "/desk/certify")
    refusal = {"act": "refuse", "reason": "no", "draft": drafts(own_village, "member")}
    send(own_village, "member", "/desk/certify", refusal)
    with own_village.client("clerk") as client:
        assert client.get(f"/people/{number}/edit").status_code == 404
    assert drafts(own_village, "member") == []


def test_a_minor_needs_a_guardian_and_a_name_is_needed(own_village: Village) -> None:
    answer = send(own_village, "clerk", "/people/open", {"name": "", "born": "2020-02-30"})
    assert answer.status_code == 422
    assert all(f'id="{field}-flaw"' in answer.text for field in ("name", "born"))
    answer = send(own_village, "clerk", "/people/open", {"name": "小明", "born": "2020-02-03"})
    assert (answer.status_code, 'id="guardian-flaw"' in answer.text, 'value="小明"' in answer.text) == (422, True, True)
    unknown = account_number(987_654)
    answer = send(own_village, "clerk", "/people/open", {"name": "小明", "born": "2020-02-03", "guardian": unknown})
    assert (answer.status_code, 'id="name-flaw"' in answer.text) == (422, True)
    assert drafts(own_village, "member") == []
    fields = {"name": "小明", "born": "2020-02-03", "guardian": own_village.people[0].account, "volunteer": "1"}
    number = opened(own_village, fields)
    assert "minor" in look(own_village, "clerk", f"/people/{number}")


def test_where_others_pay_for_the_hours_more_people_sign(own_village: Village) -> None:
    number = opened(own_village, HAN | {"name": "重点", "funded": "key_elder"})
    assert find(own_village, "重点") == []
    certify(own_village, "second")
    assert find(own_village, "重点") == [number]
    assert "elders whom the platform pays for" in look(own_village, "clerk", f"/people/{number}")


def test_particulars_are_shown_for_a_purpose_which_the_person_can_see(own_village: Village) -> None:
    someone = own_village.people[0]
    page, act = f"/people/{someone.account}", f"/people/{someone.account}/particulars"
    assert someone.address not in look(own_village, "clerk", page)
    answer = send(own_village, "clerk", page, {}, act)
    assert (answer.status_code, someone.address in answer.text) == (422, False)
    answer = send(own_village, "clerk", page, {"purpose": "other"}, act)
    assert (answer.status_code, someone.address in answer.text) == (422, False)
    answer = send(own_village, "clerk", page, {"purpose": "visit", "words": "to bring mooncakes"}, act)
    assert (answer.status_code, someone.address in answer.text) == (200, True)
    for user, path, by in (("member", f"{page}/looks", ">clerk<"), ("person", "/me/looks", "clerk looked at:")):
        seen = look(own_village, user, path)
        assert "a visit or a greeting to bring mooncakes" in seen and by in seen
        assert "上门看望或问候 to bring mooncakes" in look(own_village, user, path, language="zh")


def test_whoever_is_described_anew_is_found_anew(own_village: Village, han: str) -> None:
    page = look(own_village, "clerk", f"/people/{han}/edit")
    assert 'value="普通话, 客家话"' in page and 'value="1950-03-04"' in page
    unchanged = send(own_village, "clerk", f"/people/{han}/edit", HAN)
    assert (unchanged.status_code, "nothing was changed" in unchanged.text) == (422, True)
    changed = HAN | {"name": "仇单解", "phone": "139 8888 7777", "volunteer": "1", "household": "99"}
    assert send(own_village, "clerk", f"/people/{han}/edit", changed).status_code == 200
    again = send(own_village, "clerk", f"/people/{han}/edit", changed | {"phone": "1"})
    assert (again.status_code, "waits already" in again.text) == (422, True)
    assert find(own_village, "7777") == []
    certify(own_village)
    assert find(own_village, "7777") == [han] and han not in find(own_village, "6789")
    page = look(own_village, "clerk", f"/people/{han}/edit")
    assert 'value="99"' in page and re.search(r'name="volunteer" value="1" checked', page)


def test_kin_and_credentials_are_proposed_and_certified(own_village: Village, han: str) -> None:
    relative, page = own_village.people[1].account, f"/people/{han}/links"
    send(own_village, "clerk", page, {"act": "kin", "relative": relative, "relation": "child"})
    send(own_village, "clerk", page, {"act": "credential", "scope": "legal", "issuer": "司法局", "until": "2030-01-01"})
    certify(own_village)
    certify(own_village, "second")
    shown = look(own_village, "clerk", f"/people/{han}")
    assert own_village.people[1].name in shown and "law (until 2030-01-01)" in shown
    send(own_village, "clerk", page, {"act": "unlink", "relative": relative})
    send(own_village, "member", page, {"act": "revoke", "scope": "legal", "reason": "expired"})
    certify(own_village, "second")
    shown = look(own_village, "clerk", f"/people/{han}")
    assert own_village.people[1].name not in shown and "law" not in shown.partition("credentials")[2][:40]


def test_stored_scripts_are_shown_as_they_were_typed(own_village: Village) -> None:
    fields = dict.fromkeys(("name", "phone", "address", "care_level", "income_band", "diet", "languages"), EVIL)
    number = opened(own_village, fields | {"born": "1949-01-01", "emergency_contact": EVIL, "household": EVIL})
    page = f"/people/{number}"
    shown = [look(own_village, "clerk", path) for path in ("/people", page, f"{page}/edit", f"{page}/keys")]
    shown.append(send(own_village, "clerk", page, {"purpose": "other", "words": EVIL}, f"{page}/particulars").text)
    shown.append(look(own_village, "clerk", f"{page}/looks"))
    shown.append(send(own_village, "clerk", "/people", {"q": "<script>"}).text)
    assert all("<script>alert" not in text for text in shown)
    assert sum("&lt;script&gt;alert" in text for text in shown) >= 6


def test_whose_account_has_hours_is_not_closed_without_an_heir(own_village: Village) -> None:
    rich, page = own_village.people[0].account, f"/people/{own_village.people[0].account}/end"
    answer = send(own_village, "clerk", page, {"reason": "moved", "heir": ""}, f"/people/{rich}/close")
    assert 'class="note bad"' in answer.text and drafts(own_village, "member") == []
    answer = send(own_village, "clerk", page, {"heir": "kin", "to": "1"}, f"/people/{rich}/close")
    assert answer.status_code == 422


def test_an_account_ends(own_village: Village) -> None:
    number = opened(own_village, HAN | {"name": "谢幕"})
    answer = send(own_village, "clerk", f"/people/{number}/end", {"reason": "asked"}, f"/people/{number}/close")
    assert answer.status_code == 200
    certify(own_village)
    assert "closed" in look(own_village, "clerk", f"/people/{number}")
    assert number in look(own_village, "clerk", "/people?only=closed")


def test_two_members_erase_and_nobody_else(own_village: Village) -> None:
    number = opened(own_village, HAN | {"name": "忘忧", "phone": "13055550000"})
    page, act = f"/people/{number}/end", f"/people/{number}/erase"
    with own_village.client("clerk") as client:
        assert client.post(act).status_code == 403
    assert send(own_village, "member", page, {}, act).status_code == 422
    assert "second member" in send(own_village, "member", page, {"sure": "1"}, act).text
    assert find(own_village, "wangyou") == [number]
    again = send(own_village, "member", page, {"sure": "1"}, act)
    assert 'class="note bad"' in again.text and find(own_village, "wangyou") == [number]
    assert "nothing is erased" in send(own_village, "second", page, {}, f"/people/{number}/keep").text
    send(own_village, "second", page, {"sure": "1"}, act)
    done = send(own_village, "member", page, {"sure": "1"}, act)
    assert "erased for ever" in done.text
    assert find(own_village, "wangyou") == find(own_village, "55550000") == [] and find(own_village, number) == [number]
    with Node.open(own_village.home, writes=True, waits=patience) as node, node.people() as people:
        assert len(people.erasures(number)[0].keys.split()) == 2


def test_a_copy_of_everything_is_a_look(own_village: Village) -> None:
    someone = own_village.people[5]
    page = f"/people/{someone.account}"
    answer = send(own_village, "clerk", page, {}, f"{page}/export")
    assert answer.headers["content-disposition"] == f'attachment; filename="{someone.account}.json"'
    plain = answer.json()
    assert (plain["account"], plain["dossier"]["name"], plain["looks"][-1]["key"]) == (
        someone.account,
        someone.name,
        "clerk",
    )


def test_the_list_has_pages_and_kinds(own_village: Village) -> None:
    elders = look(own_village, "clerk", "/people?only=elder")
    assert own_village.elders[0].name in elders and own_village.volunteers[1].account not in elders
    assert own_village.people[0].name not in look(own_village, "clerk", "/people?after=8")
    assert own_village.people[0].name in look(own_village, "clerk", "/people?only=%3Cscript%3E")
    with own_village.client("clerk") as client:
        assert client.get("/people?after=x").status_code == 400


@pytest.mark.parametrize("number", ["99999999", "12345676", "1", "..%2F..%2Fetc", "１２３４５６７６", "0" * 5_000])
def test_who_is_not_there(own_village: Village, number: str) -> None:
    with own_village.client("clerk") as client:
        assert client.get(f"/people/{number}").status_code == 404


def test_one_found_is_shown_at_once_and_nobody_is_told(own_village: Village) -> None:
    someone = own_village.people[7]
    answer = send(own_village, "clerk", "/people", {"q": someone.name})
    assert answer.url.path == f"/people/{someone.account}" and not answer.url.query
    answer = send(own_village, "clerk", "/people", {"q": "查无此人"})
    assert (answer.status_code, "Nobody is found" in answer.text) == (200, True)
    assert send(own_village, "clerk", "/people", {"q": ""}).status_code == 422


def test_nothing_personal_is_in_the_log_or_the_ledger(own_village: Village, han: str) -> None:
    ledger = b"".join(path.read_bytes() for path in Path(own_village.home).glob("ledger.db*"))
    log = (own_village.home.parent / "serve.log").read_bytes()
    for word in (HAN["name"], HAN["phone"], HAN["address"], "mooncakes"):
        assert word.encode() not in ledger + log
    with closing(Access(own_village.home / "access.db")) as access:
        assert any(seen.what == "person" and seen.user == "clerk" for seen in access.looks(han))
