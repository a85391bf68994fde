"""Who sees what: every route of the pages is tried by everybody, by address alone.

A new page is tried as soon as it has a route; a new area first needs a line in ``areas.AREAS``.
"""

from urllib.parse import unquote, urlsplit

import httpx
import pytest

from tests.pages.areas import APP, may_see
from tests.pages.village import Village
from tests.pages.walking import PRINTED, Found, Route, patterns, read
from web.access.who import PERSON, ROLES

REFUSALS = frozenset({400, 403, 404, 405, 413, 422})
ANSWERS = frozenset({200, 303, 400, 403, 404, 422})
"""What may be answered to who may not see a page, and to who may."""


def token_of(client: httpx.Client) -> str:
    """A form's token in this client's session."""
    forms = read("/account", client.get("/account")).forms
    return next(each.value for form in forms for each in form.fields if each.name == "token")


def other(village: Village) -> str:
    """The account of somebody who is not the person that asks, nor their parent."""
    return village.volunteers[3].account


def test_a_stranger_is_asked_to_sign_in(village: Village, known: list[Route]) -> None:
    with village.client() as client:
        for route in known:
            path = route.sample(other(village))
            if may_see(None, route.pattern):
                continue
            answer = client.request(route.method, path)
            if route.method == "GET" and answer.status_code not in REFUSALS:
                assert answer.status_code == 303 and answer.headers["location"].startswith("/sign-in?to="), path
            elif answer.status_code != 401:
                assert answer.status_code in REFUSALS, (route, answer.status_code)


@pytest.mark.parametrize("role", ROLES)
def test_nobody_goes_where_the_role_does_not_lead(village: Village, known: list[Route], role: str) -> None:
    with village.client(role) as client:
        token = token_of(client)
        for route in known:
            if may_see(role, route.pattern):
                continue
            fields = None if route.method == "GET" else {"token": token}
            answer = client.request(route.method, route.sample(other(village)), data=fields)
            assert answer.status_code in REFUSALS, (route, answer.status_code)


@pytest.mark.parametrize("role", ROLES)
def test_what_the_role_may_see_answers(village: Village, known: list[Route], role: str) -> None:
    with village.client(role) as client:
        for route in patterns(known):
            if may_see(role, route.pattern) and PRINTED not in route.pattern:
                answer = client.get(route.sample(other(village)))
                assert answer.status_code in ANSWERS, (route, answer.status_code, answer.text[:300])


def test_a_person_sees_nothing_of_another(village: Village, known: list[Route]) -> None:
    stranger = village.elders[-1]
    with village.client("person") as client:
        for route in patterns(known):
            if "{" in route.pattern and may_see(PERSON, route.pattern) and not may_see(None, route.pattern):
                answer = client.get(route.sample(stranger.account))
                assert stranger.name not in answer.text and stranger.phone not in answer.text, route


def test_other_methods_find_nothing(village: Village, known: list[Route]) -> None:
    with village.client("clerk") as client:
        for pattern in {route.pattern for route in known}:
            for method in ("PUT", "DELETE", "PATCH", "TRACE"):
                path = Route(method, pattern).sample(other(village))
                assert client.request(method, path).status_code in (404, 405), (method, pattern)


@pytest.mark.parametrize("role", (None, *ROLES))
def test_no_link_is_dead(walked: dict[str | None, dict[str, Found]], role: str | None) -> None:
    dead = {path: found.answer.status_code for path, found in walked[role].items() if found.answer.status_code >= 400}
    own = [found for path, found in walked[role].items() if role == PERSON or path not in APP]
    linked = {link for found in own for link in found.links}
    assert not {path: status for path, status in dead.items() if path in linked}


def test_no_address_names_a_person(village: Village, walked: dict[str | None, dict[str, Found]]) -> None:
    private = [text for each in village.people for text in (each.name, each.phone, each.address)]
    for found in walked.values():
        for page in found.values():
            for link in [*page.links, page.answer.headers.get("location", "")]:
                plain = unquote(link)
                assert not any(text in plain for text in private), (page.path, urlsplit(link).path)
