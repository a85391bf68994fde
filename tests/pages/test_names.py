"""Names beside numbers: found as typed, shown to clerk and member alone, and forgotten with the dossier."""

from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from ledger.numbers import account_number
from store.access import Access
from tests.pages.village import Village
from tests.web.desk import Desk
from web.pages.names import AT_ONCE, SEARCH


def ask(village: Village, typed: str, user: str | None = "clerk", **more: Any) -> httpx.Response:
    with village.client(user, **more) as client:
        return client.post("/people/find", data={"q": typed})


def found(village: Village, typed: str) -> list[tuple[str, str]]:
    answer = ask(village, typed)
    assert answer.status_code == 200, answer.text
    return [(one["account"], one["name"]) for one in answer.json()["found"]]


def test_finds_by_name_sound_number_and_telephone(own_village: Village) -> None:
    someone = own_village.people[0]
    wanted = (someone.account, someone.name)
    ends = someone.account[-4:], someone.phone[-4:]
    for typed in ("陈秀英", "秀英", "cxy", "chenxy", "xiuying", someone.account, *ends):
        assert wanted in found(own_village, typed), typed
    assert ask(own_village, "cxy").json()["found"][0]["detail"] == f"phone …{someone.phone[-4:]}"
    assert found(own_village, "") == found(own_village, "nobody at all") == []


@pytest.mark.parametrize("user", ["supervisor", "auditor", "person", "elder", None])
def test_nobody_else_may_search(own_village: Village, user: str | None) -> None:
    answer = ask(own_village, "陈", user)
    assert answer.status_code == (401 if user is None else 403)
    assert not any(someone.name in answer.text for someone in own_village.people)


def test_other_sites_may_not_ask_in_somebodys_name(own_village: Village) -> None:
    answer = ask(own_village, "陈", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


def test_a_name_is_in_no_address(own_village: Village) -> None:
    with own_village.client("clerk") as client:
        assert client.get("/people/find", params={"q": "陈"}).status_code != 200
        page = client.get("/people")
        assert 'method="post" action="/people"' in page.text


def test_searching_is_one_look_an_hour_at_nobody_in_particular(own_village: Village) -> None:
    for _again in range(3):
        ask(own_village, "陈", "member")
    with closing(Access(own_village.home / "access.db")) as access:
        looks = [look for look in access.looks(user="member") if look.what == SEARCH]
    assert {(look.account, look.times) for look in looks} == {("", 1)} and len(looks) <= 2


def test_nobody_copies_all_names_out(own_village: Village) -> None:
    with own_village.client("second") as client:
        answers = [client.post("/people/find", data={"q": str(number)}) for number in range(2 * AT_ONCE)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused and refused[0].headers["retry-after"] == "5"


def test_whoever_is_erased_or_renamed_is_forgotten_at_once(own_village: Village) -> None:
    erased, renamed = own_village.people[3], own_village.people[4]
    assert found(own_village, erased.name) == [(erased.account, erased.name)]
    desk = Desk(own_village.home.parent)
    desk("person", "erase", erased.account, "--yes")
    assert found(own_village, erased.name) == found(own_village, "zhangzq") == []
    assert found(own_village, erased.account) == [(erased.account, "")]
    desk("person", "update", renamed.account, "--name", "刘玉环")
    assert found(own_village, renamed.name) == []
    assert found(own_village, "lyh") == [(renamed.account, "刘玉环")]


def test_whoever_is_new_is_found(own_village: Village) -> None:
    desk = Desk(own_village.home.parent)
    number = account_number(999_999)
    desk("person", "open", number, "--born", "1950-01-01", "--elder", "--name", "曾单仇")
    assert found(own_village, "zengdanchou") == found(own_village, "zsq") == found(own_village, number)
    assert found(own_village, number) == [(number, "曾单仇")]


def test_names_are_on_no_disk_but_in_people_db(own_village: Village) -> None:
    for typed in ("陈秀英", "chenxiuying"):
        found(own_village, typed)
    kept = b"".join(path.read_bytes() for path in own_village.home.parent.rglob("*") if is_ours(path))
    assert "陈秀英".encode() not in kept
    assert b"chenxiuying" not in kept


def is_ours(path: Path) -> bool:
    """Whether the service writes it; people.csv is what the committee typed."""
    return path.is_file() and path.suffix not in (".csv", ".pkl")


def test_what_is_not_readable_is_told(own_village: Village) -> None:
    people = own_village.home / "people.db"
    aside = people.rename(people.with_suffix(".aside"))
    try:
        answer = ask(own_village, "陈")
        assert (answer.status_code, "people.db" in answer.json()["detail"]) == (503, True)
    finally:
        aside.rename(people)
    assert found(own_village, "陈秀英")
