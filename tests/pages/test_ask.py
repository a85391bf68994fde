"""Asking for help from one's own page: who may ask for whom, what the desk makes of it, and what is read of it then."""

import datetime
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from store.access import Access
from store.wishes import HELP, OF_ACCOUNT_MAX, WISHES_FILE, Wishes
from tests.pages.passbook_people import post
from tests.pages.test_requests import LOCAL, REQUEST, now, send, told
from tests.pages.village import Village

DAY = datetime.timedelta(days=1)


@pytest.fixture
def clerk(village: Village) -> Iterator[httpx.Client]:
    with village.client("clerk") as client:
        yield client


def wish_of(elder: str, **fields: Any) -> dict[str, str]:
    """What somebody types who wants help tomorrow at ten."""
    tomorrow = (now() + LOCAL + DAY).date()
    usual = {"person": elder, "what": "assistance", "day": f"{tomorrow}", "clock": "10:00", "minutes": "90"}
    return usual | fields


def ask(client: httpx.Client, elder: str, **fields: Any) -> None:
    answer = post(client, "/me/ask", **wish_of(elder, **fields))
    assert (answer.status_code, answer.headers.get("location")) == (303, "/me"), answer.text


def numbers(clerk: httpx.Client, details: str) -> list[str]:
    """The wishes at the desk with those words."""
    cards = clerk.get("/desk/asked").text.split("<section")[1:]
    found = [re.search(r'name="wish" value="([0-9]+)"', card) for card in cards if details in card]
    return [each[1] for each in found if each is not None]


def words(page: httpx.Response) -> str:
    """What stands on a page, without its marks."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.text.partition("<main")[2]).split())


def card(page: httpx.Response, about: str) -> str:
    """The words of the card in which something is told."""
    cards = page.text.partition('id="helps"')[2].split('<div class="card">')
    return next((words(httpx.Response(200, text=f"<main>{each}")) for each in cards if about in each), "")


def counted(clerk: httpx.Client) -> int:
    """What the desk's first page counts."""
    found = re.search(r'href="/desk/asked"><b>([0-9]+)</b>', clerk.get("/desk").text)
    assert found is not None
    return int(found[1])


def test_from_a_wish_to_somebody_who_comes(village: Village, clerk: httpx.Client) -> None:
    """Sent twice it waits once, sealed; the whistle makes a request of it, and the elder reads who comes."""
    elder, volunteer = village.elders[0], village.volunteers[4]
    village.add_user("comes", "person", volunteer.account)
    before = counted(clerk)
    with village.client("elder") as me, village.client("comes") as phone:
        for _time in range(2):
            ask(me, elder.account, what="emotional_comfort", details="窗户坏了")
        assert counted(clerk) == before + 1
        assert "waits at the village desk" in card(me.get("/me"), "1.5 h")
        (number,) = numbers(clerk, "窗户坏了")
        assert elder.name in clerk.get("/desk/asked").text
        kept = village.home / WISHES_FILE
        assert "窗户坏了".encode() not in kept.read_bytes() and b"emotional_comfort" not in kept.read_bytes()
        answer = send(clerk, "/desk/asked", wish=number, act="whistle")
        found = REQUEST.fullmatch(answer.headers["location"])
        assert found is not None and "窗户坏了" in clerk.get(found[0]).text
        assert Wishes(kept).get(int(number)) is None
        assert "bad" in told(clerk, send(clerk, "/desk/asked", "/account", wish=number, act="whistle"))
        shown = card(me.get("/me"), "1.5 h")
        assert "the committee is looking for somebody" in shown and "Take it back" not in shown
        send(clerk, found[0], act=f"offer:{volunteer.account}")
        send(clerk, found[0], act="offer", offer=volunteer.account)
        assert "good" in told(phone, send(phone, f"/me{found[0]}", "/me/requests", step="accept"))
        shown = card(me.get("/me"), "1.5 h")
        assert f"{volunteer.name} will come" in shown and "looking for" not in shown
        send(clerk, found[0], act="withdraw")
        assert "withdrawn" in card(me.get("/me"), "1.5 h")
    with closing(Access(village.home / "access.db")) as access:
        looks = {(look.user, look.what) for look in access.looks(account=elder.account)}
    assert ("clerk", "care_level,diet,languages") in looks, "the dossier was looked into, and that is on record"


def test_guardian_and_kin_ask_and_nobody_else_sees_it(village: Village, clerk: httpx.Client) -> None:
    ward, mother = village.elders[1].account, village.elders[0].account
    with village.client("guardian") as guardian, village.client("person") as child, village.client("elder") as other:
        assert ward in guardian.get("/me/ask").text and mother not in guardian.get("/me/ask").text
        ask(guardian, ward, details="by the guardian", minutes="30")
        (number,) = numbers(clerk, "by the guardian")
        assert "asked for by" in clerk.get("/desk/asked").text
        assert f"/me/ask/{number}" not in child.get("/me/ask").text + other.get("/me/ask").text
        for stranger in (child, other):
            assert "bad" in told(stranger, send(stranger, f"/me/ask/{number}", "/me/ask"))
        assert "good" in told(guardian, send(guardian, f"/me/ask/{number}", "/me"))
        assert numbers(clerk, "by the guardian") == [] and f"/me/ask/{number}" not in guardian.get("/me").text
        assert "bad" in told(guardian, send(guardian, f"/me/ask/{number}", "/me/ask"))
        ask(child, mother, details="by the child", minutes="30")
        (number,) = numbers(clerk, "by the child")
        assert f"/me/ask/{number}" in other.get("/me").text, "the mother sees it, and may take it back"
        assert "good" in told(other, send(other, f"/me/ask/{number}", "/me"))


def test_the_desk_changes_it_first(village: Village, clerk: httpx.Client) -> None:
    elder = village.elders[0].account
    with village.client("elder") as me:
        ask(me, elder, what="travel_companion", details="to be changed")
    (number,) = numbers(clerk, "to be changed")
    page = f"/requests/new?wish={number}"
    shown = clerk.get(page).text
    for value in (elder, "10:00", "90", "to be changed", number):
        assert f'value="{value}"' in shown or f">{value}</textarea>" in shown, value
    fields = wish_of(elder, what="travel_companion", minutes="45", details="changed", wish=number)
    answer = send(clerk, "/requests/new", page, **(fields | {"person": village.elders[6].account}))
    assert answer.status_code == 422 and "somebody else" in answer.text
    answer = send(clerk, "/requests/new", page, **(fields | {"day": "2020-01-01"}))
    assert answer.status_code == 422 and numbers(clerk, "to be changed") == [number], "it waits on"
    answer = send(clerk, "/requests/new", page, **fields)
    assert REQUEST.fullmatch(answer.headers["location"]) and "changed" in clerk.get(answer.headers["location"]).text
    assert numbers(clerk, "to be changed") == []
    assert "bad" in told(clerk, clerk.get(page))
    answer = send(clerk, "/requests/new", **fields)
    assert answer.status_code == 422 and "meanwhile" in answer.text, "nothing is made twice"


def test_a_refusal_says_why(village: Village, clerk: httpx.Client) -> None:
    elder = village.elders[0].account
    with village.client("elder") as me:
        ask(me, elder, details="to be refused", minutes="240")
        (number,) = numbers(clerk, "to be refused")
        assert "bad" in told(clerk, send(clerk, "/desk/asked", wish=number, act="refuse"))
        assert "bad" in told(clerk, send(clerk, "/desk/asked", wish=number, act="refuse", word="x" * 201))
        answer = send(clerk, "/desk/asked", wish=number, act="refuse", word="nobody has a ladder")
        assert told(clerk, answer).startswith("good")
        assert "nobody has a ladder" in card(me.get("/me"), "4 h")
        assert "bad" in told(me, send(me, f"/me/ask/{number}", "/me/ask"))
        assert "bad" in told(clerk, send(clerk, "/desk/asked", "/account", wish=number, act="whistle"))
        assert "nobody has a ladder" not in me.get("/me/give").text


@pytest.mark.parametrize(
    ("fields", "flaw"),
    [
        ({"person": ""}, "this is needed"),
        ({"person": "23002195"}, "choose one of those offered"),
        ({"what": "nonsense"}, "choose one of those offered"),
        ({"day": "2026-13-01"}, "a date"),
        ({"day": "2020-01-01"}, "this time has passed"),
        ({"day": "2998-01-01"}, "days ahead"),
        ({"clock": "25:00"}, "time of the day"),
        ({"minutes": "7"}, "choose one of those offered"),
        ({"details": "x" * 401}, "at most 400"),
    ],
)
def test_what_is_chosen_wrongly_is_said(village: Village, fields: dict[str, str], flaw: str) -> None:
    elder = village.elders[0].account
    with village.client("elder") as me:
        answer = post(me, "/me/ask", **(wish_of(elder) | fields))
        assert answer.status_code == 422 and flaw in words(answer), words(answer)


def test_who_speaks_for_no_elder_is_told_so(village: Village) -> None:
    village.add_user("alone", "person", village.volunteers[9].account)
    with village.client("alone") as alone:
        assert "Ask at the village desk" in alone.get("/me/ask").text
        answer = send(alone, "/me/ask", "/account", **wish_of(village.elders[0].account))
        assert answer.status_code == 422


def test_too_many_wait_for_one_person(village: Village) -> None:
    elder = village.elders[9].account
    village.add_user("asks-much", "person", elder)
    with village.client("asks-much") as me:
        for number in range(OF_ACCOUNT_MAX):
            ask(me, elder, details=str(number))
        answer = post(me, "/me/ask", **wish_of(elder, details="one more"))
        assert answer.status_code == 422 and "ask there in person" in answer.text
    kept = Wishes(village.home / WISHES_FILE)
    assert all(wish.kind == HELP for wish in kept.of(elder)) and kept.erase(elder)


def test_forms_of_nobody_are_refused(village: Village) -> None:
    for path in ("/me/ask", "/me/ask/1"):
        with village.client("elder") as me, village.client("clerk") as other:
            assert me.post(path, data={"person": village.elders[0].account}).status_code == 403
            assert send(other, path, "/account").status_code == 403
    with village.client("elder") as me:
        for nobodys in ("999999", "0", "-1", "9" * 30):
            assert "bad" in told(me, send(me, f"/me/ask/{nobodys}", "/me/ask"))


