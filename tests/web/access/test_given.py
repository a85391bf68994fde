"""A password that somebody else made opens nothing but its own change, by session; tokens and people go on."""

import httpx
import pytest

from tests.web.access.service import ANNE, PASSWORD, SESSION, TOKENS, VILLAGE, Service
from web.access.passwords import are_same

OWN = "six green persimmons"
STAFF = ("clerk", "member", "supervisor", "auditor")
CLOSED = (
    ("GET", f"/ledger/{VILLAGE}"),
    ("GET", f"/statement/{ANNE}/{VILLAGE}"),
    ("POST", "/entries"),
    ("GET", TOKENS),
    ("POST", TOKENS),
    ("DELETE", f"{TOKENS}/1"),
)


@pytest.fixture(params=STAFF)
def newcomer(service: Service, request: pytest.FixtureRequest) -> httpx.Client:
    """Somebody of each role who signed in for the first time."""
    service.add("new", request.param, is_given=True)
    return service.signed_in("new")


def change(client: httpx.Client, new: str = OWN, old: str = PASSWORD) -> httpx.Response:
    return client.put("/api/v1/password", json={"old": old, "new": new})


def test_nothing_is_open_and_one_sentence_says_why(newcomer: httpx.Client) -> None:
    for method, path in CLOSED:
        body = {"scopes": ["read"], "days": 1} if (method, path) == ("POST", TOKENS) else None
        answer = newcomer.request(method, path, json=body)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:huzhu:problem:given-password"), path
        assert answer.json()["detail"].startswith("somebody else made your password: first choose your own")
    told = newcomer.get(SESSION).json()
    assert (told["name"], told["must_choose"]) == ("new", True)


def test_all_is_open_once_it_is_changed(service: Service, newcomer: httpx.Client) -> None:
    assert change(newcomer).status_code == 204
    assert newcomer.get(SESSION).status_code == 401
    assert service.sign_in("new").status_code == 401
    again = service.client()
    assert service.sign_in("new", OWN, again).json()["must_choose"] is False
    assert again.get(f"/ledger/{VILLAGE}").status_code == 200


@pytest.mark.parametrize("same", [PASSWORD, PASSWORD.replace("f", "\uff46")], ids=["same", "full-width"])
def test_the_given_one_is_none_of_ones_own(newcomer: httpx.Client, same: str) -> None:
    answer = change(newcomer, same)
    assert (answer.status_code, answer.json()["detail"]) == (422, "this is the password until now: choose another")
    assert newcomer.get(f"/ledger/{VILLAGE}").status_code == 403


def test_who_must_choose_may_sign_out(newcomer: httpx.Client) -> None:
    assert newcomer.delete(SESSION).status_code == 204
    assert newcomer.get(SESSION).status_code == 401


def test_tokens_go_on(service: Service) -> None:
    service.add("new", "clerk", is_given=True)
    client = service.client(service.token("new"))
    assert client.get(f"/ledger/{VILLAGE}").status_code == 200
    assert client.get(SESSION).json()["must_choose"] is False


def test_a_person_is_not_made_to(service: Service) -> None:
    service.add("anne", "person", account=ANNE, is_given=True)
    client = service.signed_in("anne")
    assert client.get(f"/statement/{ANNE}/{VILLAGE}").status_code == 200
    assert client.get(SESSION).json()["must_choose"] is False


def test_a_given_password_counts_from_the_moment_it_is_made(service: Service) -> None:
    client = service.signed_in()
    assert client.get(f"/ledger/{VILLAGE}").status_code == 200
    user = service.access.user("wang")
    assert user is not None
    service.access.set_password("wang", user.password, is_given=True)
    assert client.get(f"/ledger/{VILLAGE}").status_code == 401
    assert service.signed_in().get(f"/ledger/{VILLAGE}").status_code == 403


def test_passwords_are_compared_as_they_are_hashed() -> None:
    assert are_same("password", "\uff50assword")
    assert not are_same("password", "Password")
