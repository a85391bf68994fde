"""Requests over HTTP: who may do what, what is said wrongly, groups, objections, and what happened without the page."""

import datetime
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from typing import Any

import httpx
import msgspec
import pytest

from care.requestbook import REQUESTS_FILE, RequestBook, open_book
from care.requests import RECORD, Request, Step, take
from chain.fields import UTC, Time, format_time
from store.drafts import Drafts
from store.home import Home
from tests.pages.test_requests_journey import services
from tests.pages.village import Village
from web.pages.requests_form import care_level_of
from web.pages.requests_kit import STAFF

HOUR, MINUTE = datetime.timedelta(hours=1), datetime.timedelta(minutes=1)
LOCAL = 8 * HOUR
NUMBERS = count(1)
REQUEST = re.compile(r"/requests/([0-9]+)")


def now() -> Time:
    return datetime.datetime.now(UTC).replace(microsecond=0)


def send(client: httpx.Client, path: str, page: str = "", **fields: Any) -> httpx.Response:
    """What a form of a page sends."""
    shown = client.get(page or path).text
    token = re.search(r'name="token" value="([^"]+)"', shown)
    assert token is not None, path
    return client.post(path, data={"token": token[1], **fields})


def told(client: httpx.Client, answer: httpx.Response) -> str:
    """The note on the page that comes after a form."""
    assert answer.status_code == 303, answer.text
    shown = client.get(answer.headers["location"]).text
    found = re.search(r'<p class="note (good|bad)"[^>]*>([^<]*)</p>', shown)
    return f"{found[1]}: {found[2]}" if found else ""


@contextmanager
def book_of(village: Village) -> Iterator[RequestBook]:
    """The village's book, between two questions of its service."""

    def patience() -> Iterator[None]:
        for _tick in range(2_000):
            time.sleep(0.005)
            yield

    home = Home(village.home)
    with home.lock(patience()), closing(open_book(home.folder / REQUESTS_FILE, home.people_secret(None))) as book:
        yield book


Ask = Callable[..., int]


@pytest.fixture
def ask(village: Village, clerk: httpx.Client) -> Ask:
    """A new request, by the clerk."""

    def make(hours: float = 1, **fields: Any) -> int:
        local = now() + LOCAL + hours * HOUR
        usual = {
            "person": village.elders[1].account,
            "what": "assistance",
            "day": f"{local:%Y-%m-%d}",
            "clock": f"{local:%H%M}",
            "minutes": "60",
            "details": f"the {next(NUMBERS)}th",
        }
        answer = send(clerk, "/requests/new", **(usual | fields))
        found = REQUEST.fullmatch(answer.headers.get("location", ""))
        assert found is not None, answer.text
        return int(found[1])

    return make


def offer(clerk: httpx.Client, number: int, account: str) -> str:
    answer = send(clerk, f"/requests/{number}", act="offer", offer=account)
    return told(clerk, answer) if answer.status_code == 303 else re.sub(r"<[^>]+>", " ", answer.text)


def stage(village: Village, number: int) -> str:
    with book_of(village) as book:
        found = book.request(number)
        return "" if found is None else found.stage


def test_a_whole_way_by_forms(village: Village, clerk: httpx.Client, ask: Ask) -> None:
    """Asked, accepted, come and gone with the phone's time, objected, talked over, confirmed; and recorded by two."""
    volunteer = village.volunteers[6].account
    village.add_user("seven", "person", volunteer)
    number = ask(-1.5, minutes="120")
    assert offer(clerk, number, volunteer).startswith("good")
    with village.client("seven") as phone, village.client("guardian") as family:
        assert "good" in told(phone, send(phone, f"/me/requests/{number}", "/me/requests", step="accept"))
        came, went = now() - 80 * MINUTE, now() - 20 * MINUTE
        for step, at in (("check_in", came), ("check_out", went)):
            fields = {"step": step, "at": format_time(at), "mark": "m1"}
            answers = [send(phone, f"/me/service/{number}", "/me/requests", **fields) for _time in range(2)]
            assert [told(phone, answer)[:4] for answer in answers][:1] == ["good"]
            assert {answer.status_code for answer in answers} == {303}, "sent twice, done once"
        objection = {"step": "object", "volunteer": volunteer, "text": "too short"}
        assert told(family, send(family, f"/me/service/{number}", "/me/service", **objection)).startswith("good")
        assert "too short" in clerk.get(f"/requests/{number}").text
        answer = send(family, f"/me/service/{number}", "/me/service", step="confirm", volunteer=volunteer, rating="4")
        assert told(family, answer).startswith("good")
    record = {f"payer-{volunteer}": "issue", f"minutes-{volunteer}": "61"}
    assert "not more minutes" in told(clerk, send(clerk, f"/requests/{number}", act=f"record:{volunteer}", **record))
    record[f"minutes-{volunteer}"] = "45"
    assert "certifies it next" in told(clerk, send(clerk, f"/requests/{number}", act=f"record:{volunteer}", **record))
    assert "already" in told(clerk, send(clerk, f"/requests/{number}", act=f"record:{volunteer}", **record))
    with village.client("member") as member:
        page = member.get("/desk/certify").text
        draft = max(map(int, re.findall(r'name="draft" value="([0-9]+)"', page)))
        assert told(member, send(member, "/desk/certify", act="sign", draft=str(draft))).startswith("good")
    index, body = next(services(village))
    assert (body.provider, body.minutes, body.rating, body.guardian) == (volunteer, 45, 4, None)
    assert body.start == came.replace(second=0) and body.end == body.start + 45 * MINUTE
    assert f"entry {index}" in clerk.get(f"/requests/{number}").text
    assert stage(village, number) == "recorded"


def test_a_group_shares_the_minutes_of_each(village: Village, clerk: httpx.Client, ask: Ask) -> None:
    """Three elders, a volunteer without a phone: one sheet of three statements that follow each other in time."""
    volunteer, elders = village.volunteers[7].account, [village.elders[place].account for place in (5, 6, 7)]
    number = ask(-1, minutes="90", person=elders[0], others=", ".join(elders[1:]), title="早操", what="culture_sports")
    assert offer(clerk, number, volunteer).startswith("good")
    local = now() + LOCAL
    for act, clock in (("accept", None), ("check_in", 60), ("check_out", 10), ("confirm", None)):
        fields = {} if clock is None else {f"clock-{volunteer}": f"{local - clock * MINUTE:%H:%M}"}
        assert told(clerk, send(clerk, f"/requests/{number}", act=f"{act}:{volunteer}", **fields)) == "good: noted", act
    record = {f"payer-{volunteer}": "issue", f"minutes-{volunteer}": "50"}
    assert told(clerk, send(clerk, f"/requests/{number}", act=f"record:{volunteer}", **record)).startswith("good")
    with village.client("member") as member:
        page = member.get("/desk/certify").text
        sheet = re.search(rf'value="(sheet:[^"]*request-{number}#[0-9]+)"', page)
        assert sheet is not None
        assert told(member, send(member, "/desk/certify", act=sheet[1])).startswith("good")
    bodies = [body for _index, body in services(village) if body.group == f"request {number}"]
    assert [body.recipient for body in reversed(bodies)] == elders
    assert [body.minutes for body in reversed(bodies)] == [17, 17, 16]
    assert [bodies[2].end, bodies[1].end] == [bodies[1].start, bodies[0].start]
    clerk.get("/requests")
    assert stage(village, number) == "recorded"


@pytest.mark.parametrize(
    ("fields", "flaw"),
    [
        ({"person": ""}, "this is needed"),
        ({"person": "12345678"}, "eight digits"),
        ({"what": "nonsense"}, "choose one of those offered"),
        ({"day": "2026-13-01"}, "a date"),
        ({"day": "2020-01-01"}, "two days ago"),
        ({"clock": "25:00"}, "time of the day"),
        ({"minutes": "0"}, "whole number"),
        ({"places": "9"}, "whole number"),
        ({"others": "1234"}, "account numbers"),
        ({"details": "x" * 401}, "at most 400"),
        ({"title": "x" * 61}, "at most 60"),
    ],
)
def test_what_is_typed_wrongly_is_said_beside_its_field(
    village: Village, clerk: httpx.Client, fields: dict[str, str], flaw: str
) -> None:
    local = now() + LOCAL
    usual = {
        "person": village.elders[1].account,
        "what": "assistance",
        "day": f"{local:%Y-%m-%d}",
        "clock": "10:00",
        "minutes": "60",
    }
    answer = send(clerk, "/requests/new", **(usual | fields))
    assert answer.status_code == 422
    assert flaw in re.sub(r"<[^>]+>", "", answer.text)


def test_only_elders_are_helped(village: Village, clerk: httpx.Client) -> None:
    local = now() + LOCAL
    fields = {"what": "assistance", "day": f"{local:%Y-%m-%d}", "clock": "10:00", "minutes": "60"}
    answer = send(clerk, "/requests/new", person=village.volunteers[0].account, **fields)
    assert answer.status_code == 422 and 'id="person-flaw"' in answer.text


def test_kin_and_strangers_to_serving_are_not_asked(village: Village, clerk: httpx.Client, ask: Ask) -> None:
    number = ask(person=village.elders[0].account)
    assert "is family" in offer(clerk, number, village.volunteers[0].account)
    assert "no volunteer" in offer(clerk, number, village.elders[4].account)
    with village.client("person") as phone:
        assert f"/me/requests/{number}" not in phone.get("/me/requests").text
        assert "bad" in told(phone, send(phone, f"/me/requests/{number}", "/account", step="accept"))


def test_people_see_what_is_theirs_and_do_what_is_theirs(village: Village, clerk: httpx.Client, ask: Ask) -> None:
    """Whoever is not asked sees no name; whoever did not accept no address; nobody speaks for another."""
    elder, volunteer = village.elders[5], village.volunteers[8].account
    village.add_user("nine", "person", volunteer)
    number = ask(person=elder.account, details="密码 4711")
    with village.client("nine") as phone, village.client("elder") as other:
        shown = phone.get("/me/requests").text
        assert f"/me/requests/{number}" in shown and elder.name not in shown and "4711" not in shown
        assert phone.get(f"/me/requests/{number}").status_code == 404
        assert "good" in told(phone, send(phone, f"/me/requests/{number}", "/me/requests", step="accept"))
        shown = phone.get(f"/me/requests/{number}").text
        assert elder.address in shown and elder.phone in shown and "4711" in shown
        assert other.get(f"/me/requests/{number}").status_code == 404
        fields = {"volunteer": volunteer, "text": "x"}
        for step in ("check_in", "confirm", "object", "nobody"):
            said = told(other, send(other, f"/me/service/{number}", "/account", step=step, **fields))
            assert said.startswith("bad"), step
        assert "good" in told(phone, send(phone, f"/me/requests/{number}", "/me/requests", step="decline"))
        assert phone.get(f"/me/requests/{number}").status_code == 404
    assert "nobody yet" in clerk.get(f"/requests/{number}").text


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"step": "check_out"}, "check in first"),
        ({"step": "check_in", "at": "yesterday"}, "a time, like"),
        ({"step": "check_in", "at": "2026-02-30T10:00:00Z"}, "a time, like"),
        ({"step": "check_in", "at": "2001-01-01T10:00:00Z"}, "two days ago"),
        ({"step": "check_in", "at": "2090-01-01T10:00:00Z"}, "not come yet"),
        ({"step": "check_in", "mark": "<b>"}, "cannot be read"),
        ({"step": "record"}, "choose one"),
        ({"step": "confirm"}, "this is needed"),
    ],
)
def test_a_phone_hears_why_not(
    village: Village, clerk: httpx.Client, ask: Ask, fields: dict[str, str], why: str
) -> None:
    number = ask()
    with village.client("person", headers={"Accept": "application/json"}) as phone:
        send(clerk, f"/requests/{number}", act=f"offer:{village.volunteers[0].account}")
        offer(clerk, number, village.volunteers[0].account)
        send(phone, f"/me/requests/{number}", "/me/requests", step="accept")
        answer = send(phone, f"/me/service/{number}", "/account", **fields)
        assert answer.status_code == 409
        assert answer.json()["done"] is False and why in answer.json()["told"]
    send(clerk, f"/requests/{number}", act="withdraw")


def test_who_is_named_is_asked_alone(village: Village, clerk: httpx.Client, ask: Ask) -> None:
    """Whoever is proposed stands ticked beforehand, in another form; and even sent together only the named is asked."""
    number, ticked, named = ask(), village.volunteers[5].account, village.volunteers[4].account
    forms = clerk.get(f"/requests/{number}").text.split("<form")
    assert not any('name="offer"' in form and 'name="somebody"' in form for form in forms)
    empty = send(clerk, f"/requests/{number}", act="offer_one")
    assert empty.status_code == 422 and "this is needed" in empty.text
    said = told(clerk, send(clerk, f"/requests/{number}", act="offer", offer=ticked, somebody=named))
    assert said == f"good: asked: {village.volunteers[4].name}"
    with book_of(village) as book:
        found = book.request(number)
    assert found is not None and [visit.volunteer for visit in found.visits] == [named]
    page = clerk.get(f"/requests/{number}").text
    assert "<details" in page[page.index('class="withdraw"') : page.index('value="withdraw"')], "asked once more"
    send(clerk, f"/requests/{number}", act="withdraw")


def test_what_a_browser_signed_is_kept_with_the_step(village: Village, clerk: httpx.Client, ask: Ask) -> None:
    number, volunteer = ask(), village.volunteers[0].account
    offer(clerk, number, volunteer)
    signed = {"statement": "e30=", "signature": "c2ln", "key": "0123456789abcdef"}
    with village.client("person", headers={"Accept": "application/json"}) as phone:
        send(phone, f"/me/requests/{number}", "/me/requests", step="accept")
        answer = send(phone, f"/me/service/{number}", "/account", step="check_in", **signed)
        assert answer.json() == {"done": True, "stage": "checked_in", "told": "you are checked in: the time is noted"}
    with book_of(village) as book:
        request = book.request(number)
        assert request is not None
        assert [tuple(msgspec.to_builtins(proof)) for proof in request.visits[0].proofs] == [
            ("check_in", "0123456789abcdef", "e30=", "c2ln")
        ]


def test_other_roles_and_forms_of_nobody_are_refused(village: Village, clerk: httpx.Client, ask: Ask) -> None:
    number = ask()
    for role in ("person", "supervisor", "auditor"):
        with village.client(role) as client:
            one = f"/volunteers/{village.people[0].account}"
            for path in ("", "/new", f"/{number}", "/volunteers", one, "/demand"):
                assert client.get(f"/requests{path}").status_code == 403, (role, path)
    for path in (f"/requests/{number}", "/requests/new", "/requests/offer", "/me/service/1", "/me/requests/1"):
        who = "person" if path.startswith("/me") else "clerk"
        with village.client(who) as client:
            assert client.post(path, data={"act": "withdraw"}).status_code == 403, path
    for nobodys in ("999999", "0", "-1", "9" * 30):
        assert clerk.get(f"/requests/{nobodys}").status_code == 404
    assert clerk.get("/requests/x").status_code == 400
    assert stage(village, number) == "requested"


def test_what_was_proposed_for_many_is_asked_at_once(clerk: httpx.Client, ask: Ask) -> None:
    numbers = [ask(hours) for hours in (30, 30, 54)]
    page = clerk.get("/requests").text
    proposed = re.findall(r'name="offer" value="([0-9]+):([0-9]+)"', page)
    pairs = [f"{number}:{account}" for number, account in proposed if int(number) in numbers]
    first, second, _third = (pair.split(":")[1] for pair in pairs)
    assert first != second, "nobody is proposed twice for one hour"
    answer = send(clerk, "/requests/offer", "/requests", offer=pairs)
    assert told(clerk, answer) == "good: asked: 3 volunteers"
    assert "tick somebody" in told(clerk, send(clerk, "/requests/offer", "/requests", offer=["nonsense", "1:2"]))


def test_a_place_and_free_hours_are_kept_and_shown(village: Village, clerk: httpx.Client) -> None:
    account = village.volunteers[11].account
    path = f"/requests/volunteers/{account}"
    fields = {"minutes": "9", "direction": "southwest", "free-2-morning": "on", "care_most": "3", "resting": "on"}
    assert told(clerk, send(clerk, path, languages="吴语，普通话, 吴语", diets="", **fields)) == "good: noted"
    page = clerk.get(path).text
    assert 'value="吴语，普通话"' in page and 'value="9"' in page
    assert re.search(r'id="free-2-morning"[^>]* checked', page)
    assert not re.search(r'id="free-3-morning"[^>]* checked', page)
    assert "Wednesday" in clerk.get("/requests/volunteers").text
    assert send(clerk, path, minutes="9", direction="").status_code == 422
    assert send(clerk, path, minutes="9", direction="up").status_code == 422
    assert clerk.get("/requests/volunteers/00000000").status_code == 404
    assert "Wednesday" in clerk.get("/requests/demand").text


def test_time_passes_without_anybody(village: Village, clerk: httpx.Client, ask: Ask) -> None:
    number = ask()
    with book_of(village) as book:
        request = book.request(number)
        assert request is not None
        book.put(msgspec.structs.replace(request, starts_at=now() - 60 * HOUR))
    assert "the time has passed" in clerk.get(f"/requests/{number}").text
    assert f'href="/requests/{number}"' not in clerk.get("/requests").text


def test_a_refused_draft_may_be_proposed_again(village: Village, clerk: httpx.Client, ask: Ask) -> None:
    volunteer, number = village.volunteers[9].account, ask(-1, minutes="90")
    offer(clerk, number, volunteer)
    local = now() + LOCAL
    for act, clock in (("accept", None), ("check_in", 50), ("check_out", 20), ("confirm", None)):
        fields = {} if clock is None else {f"clock-{volunteer}": f"{local - clock * MINUTE:%H:%M}"}
        send(clerk, f"/requests/{number}", act=f"{act}:{volunteer}", **fields)
    record = {f"payer-{volunteer}": "issue", f"minutes-{volunteer}": "30"}
    assert "good" in told(clerk, send(clerk, f"/requests/{number}", act=f"record:{volunteer}", **record))
    with village.client("member") as member:
        page = member.get("/desk/certify").text
        draft = max(map(int, re.findall(r'name="draft" value="([0-9]+)"', page)))
        send(member, "/desk/certify", act="refuse", draft=str(draft), reason="was not there")
    found = Drafts(Home(village.home).drafts).get(draft)
    assert found is not None and found.state == "refused"
    assert f"record:{volunteer}" in clerk.get(f"/requests/{number}").text
    record[f"coupon-{volunteer}"] = "HUZHU:nonsense"
    assert "coupon" in told(clerk, send(clerk, f"/requests/{number}", act=f"record:{volunteer}", **record))


def test_what_the_desk_recorded_by_itself_is_not_recorded_twice(village: Village) -> None:
    """A service that stands on the ledger already ends the visit that it is about."""
    index, body = next(services(village))
    with book_of(village) as book:
        request = book.add(
            Request(
                id=0,
                recipients=(body.recipient,),
                category=body.category,
                starts_at=body.start,
                minutes=60,
                requested_at=body.start - HOUR,
            )
        )
        for kind, at in (("accept", 0), ("check_in", 0), ("check_out", 50)):
            moment = body.start + at * MINUTE
            answer = take(request, Step(kind=kind, by=STAFF, at=moment, volunteer=body.provider, is_suitable=True))
            assert isinstance(answer, Request), answer
            request = answer
        book.put(request)
    with village.client("clerk") as clerk:
        assert f"entry {index}" in clerk.get(f"/requests/{request.id}").text
    assert RECORD and stage(village, request.id) == "recorded"


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("", None),
        ("2", 2),
        ("3级", 3),
        ("４", 4),
        ("轻度失能", 1),
        ("重度", 3),
        ("完全失能", 4),
        ("自理", 0),
        ("9", None),
    ],
)
def test_a_dossiers_care_level_is_understood(text: str, level: int | None) -> None:
    assert care_level_of(text) == level


def test_a_form_that_is_sent_twice_makes_one_request(clerk: httpx.Client, village: Village) -> None:
    local = now() + LOCAL + 3 * HOUR
    form = {"person": village.elders[4].account, "what": "assistance", "minutes": "45", "details": "twice"}
    form |= {"day": f"{local:%Y-%m-%d}", "clock": f"{local:%H%M}"}
    answers = [send(clerk, "/requests/new", **form) for _press in range(2)]
    assert [answer.status_code for answer in answers] == [303, 422]
    assert "there is this very request already" in answers[1].text
