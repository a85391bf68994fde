"""Guessing is slow; and nobody is locked out by strangers."""

import threading
from contextlib import ExitStack
from typing import Any

import pytest
from fastapi import Request

from store.access import Access
from tests.web.access.service import FAST, NOW, PASSWORD, SESSION, Service
from web.access.limits import LIMITS
from web.access.login import Login, SignedIn, Tried, network_of
from web.access.queue import KNOWN_PLACES, PLACES, PLACES_OF_ONE, HashQueue
from web.problem import Problem

WRONG = "wrong"
HERE, THERE = "192.0.2.1", "198.51.100.7"


def attempt(
    access: Access, name: str, password: str = WRONG, address: str = HERE, device: str | None = None, now: int = NOW
) -> SignedIn | int:
    """Who signed in, or the status of the refusal."""
    try:
        login = Login(access, FAST)
        tried = login.begin(name, address=address, device=device, now=now)
        return login.sign_in(tried, password, device=device, old_session=None, now=now)
    except Problem as problem:
        return problem.status


def test_after_some_wrong_passwords_one_waits_and_is_told_how_long(service: Service) -> None:
    statuses = [service.sign_in(password="wrong").status_code for _try in range(LIMITS.name_free_tries + 1)]
    assert statuses == [401] * LIMITS.name_free_tries + [429]
    answer = service.sign_in()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert answer.json()["wait_seconds"] == 1
    service.clock.seconds += 1
    assert service.sign_in().status_code == 200


def test_names_that_nobody_has_wait_as_long(service: Service) -> None:
    told: dict[str, list[Any]] = {"wang": [], "nobody": []}
    for name, answers in told.items():
        for number in range(30):
            try:
                login, now = Login(service.access, FAST), NOW + number
                tried = login.begin(name, address=f"192.0.{number}.1", device=None, now=now)
                login.sign_in(tried, "wrong", device=None, old_session=None, now=now)
            except Problem as problem:
                answers.append((problem.status, problem.detail, problem.headers))
    assert told["wang"] == told["nobody"]
    assert 429 in {each[0] for each in told["wang"]}


def test_one_address_cannot_try_many_names(service: Service) -> None:
    statuses = [attempt(service.access, f"user{number}") for number in range(LIMITS.address_free_tries + 1)]
    assert statuses == [401] * LIMITS.address_free_tries + [429]
    assert attempt(service.access, "user0", address=THERE) == 401


def test_a_new_spelling_of_a_name_is_the_same_name(service: Service) -> None:
    for number in range(LIMITS.name_free_tries):
        attempt(service.access, ("wang", "WANG", "Ｗang")[number % 3], address=f"192.0.2.{number}")
    assert attempt(service.access, "wAng", address=THERE) == 429


def test_strangers_make_a_name_wait_a_minute_at_most(service: Service) -> None:
    now = NOW
    for number in range(100):
        attempt(service.access, "wang", address=f"192.0.2.{number}", now=now)
        now += LIMITS.name_wait_max_seconds
    assert isinstance(attempt(service.access, "wang", PASSWORD, THERE, now=now), SignedIn)


def test_strangers_do_not_make_a_known_browser_wait(service: Service) -> None:
    signed = attempt(service.access, "wang", PASSWORD)
    assert isinstance(signed, SignedIn)
    for number in range(100):
        attempt(service.access, "wang", address=f"192.0.2.{number}")
        attempt(service.access, "nobody", address=HERE)
    assert attempt(service.access, "wang", PASSWORD, HERE) == 429
    assert isinstance(attempt(service.access, "wang", PASSWORD, HERE, signed.device), SignedIn)


def test_a_known_browser_is_counted_alone_and_known_for_one_name_only(service: Service) -> None:
    service.add("li")
    signed = attempt(service.access, "wang", PASSWORD)
    assert isinstance(signed, SignedIn)
    statuses = [attempt(service.access, "wang", device=signed.device) for _try in range(LIMITS.device_free_tries + 1)]
    assert statuses == [401] * LIMITS.device_free_tries + [429]
    assert isinstance(attempt(service.access, "wang", PASSWORD), SignedIn)
    other = attempt(service.access, "li", PASSWORD, device=signed.device)
    assert isinstance(other, SignedIn)
    assert other.device != signed.device


def test_a_known_browser_stays_known_by_its_mark(service: Service) -> None:
    client = service.signed_in()
    mark = client.cookies["huzhu-device"]
    client.delete("/api/v1/session")
    assert client.cookies["huzhu-device"] == mark
    service.sign_in(client=client)
    assert client.cookies["huzhu-device"] == mark
    service.access.set_password("wang", FAST.hash(PASSWORD))
    service.sign_in(client=client)
    assert client.cookies["huzhu-device"] != mark


def test_right_passwords_cost_no_tries(service: Service) -> None:
    for _try in range(2 * LIMITS.address_free_tries):
        assert isinstance(attempt(service.access, "wang", PASSWORD), SignedIn)


def test_many_tries_at_once_are_counted_one_by_one(service: Service) -> None:
    found: list[SignedIn | int] = []
    tries = [
        threading.Thread(target=lambda: found.append(attempt(service.access, "wang", address="")))
        for _try in range(3 * LIMITS.name_free_tries)
    ]
    for each in tries:
        each.start()
    for each in tries:
        each.join()
    assert sorted(map(str, found)) == ["401"] * LIMITS.name_free_tries + ["429"] * 2 * LIMITS.name_free_tries


def test_too_many_at_once_are_sent_away(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    client = service.signed_in()
    monkeypatch.setattr("web.access.queue.PLACES", 8)
    for _try in range(2 * LIMITS.name_free_tries):
        answer = service.sign_in(password=WRONG)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert service.sign_in(client=client).status_code == 200


def test_who_has_to_wait_takes_no_place(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for _try in range(LIMITS.name_free_tries):
        service.sign_in(password=WRONG)
    monkeypatch.setattr("web.access.queue.PLACES", 0)
    assert service.sign_in().status_code == 429


def test_places_in_the_queue() -> None:
    queue = HashQueue()
    with ExitStack() as taken:
        for number in range(PLACES - KNOWN_PLACES):
            stranger = Tried("wang", (), b"%d" % (number // PLACES_OF_ONE), is_known=False)
            taken.enter_context(queue.place(stranger))
            if number == PLACES_OF_ONE - 1:
                with pytest.raises(Problem, match="too many people"), queue.place(stranger):
                    pass
        with pytest.raises(Problem, match="too many people"), queue.place(Tried("li", (), b"new", is_known=False)):
            pass
        for number in range(KNOWN_PLACES):
            taken.enter_context(queue.place(Tried("li", (), b"known %d" % number, is_known=True)))
        with pytest.raises(Problem, match="too many people"), queue.place(Tried("li", (), b"x", is_known=True)):
            pass
    with queue.place(stranger):
        pass


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", ""),
        ("", ""),
        ("x" * 10_000, ""),
    ],
)
def test_networks(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("peer", "forwarded", "behind_proxy", "address"),
    [
        ("127.0.0.1", ["192.0.2.9, 198.51.100.7"], True, "198.51.100.7"),
        ("::1", ["192.0.2.9", "2001:db8::1"], True, "2001:db8::1"),
        ("::ffff:127.0.0.1", [THERE], True, THERE),
        ("127.0.0.1", [THERE], False, "127.0.0.1"),
        (HERE, [THERE], True, HERE),
        ("127.0.0.1", [], True, "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.9, unknown"], True, "127.0.0.1"),
        ("127.0.0.1", [""], True, "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.9, 198.51.100.7:5678"], True, "198.51.100.7"),
        ("127.0.0.1", ["[2001:db8::1]:5678"], True, "2001:db8::1"),
        ("127.0.0.1", ["[2001:db8::1]"], True, "2001:db8::1"),
        ("127.0.0.1", ["[2001:db8::1]x"], True, "127.0.0.1"),
        ("127.0.0.1", ["unknown:5678"], True, "127.0.0.1"),
    ],
)
def test_whom_a_proxy_on_this_machine_names_last_is_who_asks(
    service: Service, peer: str, forwarded: list[str], behind_proxy: bool, address: str
) -> None:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    scope = {"type": "http", "method": "GET", "path": "/", "client": (peer, 1), "headers": headers}
    guard = Service(service.access, behind_proxy=behind_proxy).guard
    assert guard.address(Request(scope)) == address


def test_behind_a_proxy_each_address_is_throttled_alone(service: Service) -> None:
    proxied = Service(service.access, is_secure=True, behind_proxy=True)
    with proxied.client() as client:

        def attempt_from(address: str, name: str) -> int:
            body = {"name": name, "password": WRONG}
            status: int = client.post(SESSION, json=body, headers={"X-Forwarded-For": f"{HERE}, {address}"}).status_code
            return status

        statuses = [attempt_from(THERE, f"user{number}") for number in range(LIMITS.address_free_tries + 1)]
        assert statuses == [401] * LIMITS.address_free_tries + [429]
        assert attempt_from("203.0.113.5", "user0") == 401
