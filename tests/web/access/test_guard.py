"""Who comes through the door, by token or cookie, and who does not."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from fastapi import Request

from store.access import Holder
from tests.web.access.service import ANNE, BEN, CITY, COUNTY, OTHER, TOWN, VILLAGE, Service, opened
from web.access.secret import new_token
from web.problem import Problem


def request(headers: list[tuple[bytes, bytes]], method: str = "GET") -> Request:
    return Request({"type": "http", "method": method, "headers": headers, "path": "/", "query_string": b""})


@pytest.mark.parametrize(
    ("role", "ledger", "seen"),
    [
        ("clerk", VILLAGE, {VILLAGE}),
        ("member", VILLAGE, {VILLAGE}),
        ("supervisor", TOWN, {TOWN, VILLAGE}),
        ("supervisor", COUNTY, {COUNTY, TOWN, VILLAGE, OTHER}),
        ("auditor", "", {CITY, COUNTY, TOWN, VILLAGE, OTHER, "nobody/knows"}),
        ("person", VILLAGE, set()),
    ],
)
def test_which_ledgers_a_role_sees(service: Service, role: str, ledger: str, seen: set[str]) -> None:
    service.add("li", role, ledger, ANNE if role == "person" else "")
    client = service.client(service.token("li"))
    asked = (CITY, COUNTY, TOWN, VILLAGE, OTHER, "nobody/knows")
    answers = {each: client.get(f"/ledger/{each}").status_code for each in asked}
    assert answers == {each: 200 if each in seen else 403 for each in asked}


def test_whoever_may_not_see_is_not_told_whether_it_is_there(service: Service) -> None:
    client = service.client(service.token("wang"))
    told = [client.get(f"/ledger/{each}").json()["detail"].replace(each, "…") for each in (OTHER, "nobody/knows")]
    assert told[0] == told[1]


def test_looks_are_recorded_but_not_at_oneself(service: Service) -> None:
    service.add("anne", "person", VILLAGE, ANNE)
    service.add("town", "supervisor", TOWN)
    for name, account in (("anne", ANNE), ("anne", BEN), ("wang", BEN), ("town", BEN), ("town", BEN)):
        service.client(service.token(name)).get(f"/statement/{account}/{VILLAGE}")
    looks = service.access.looks()
    assert {(each.user, each.what, each.account, each.ledger, each.times) for each in looks} == {
        ("wang", "statement", BEN, VILLAGE, 1),
        ("town", "statement", BEN, VILLAGE, 2),
    }


def test_what_cannot_be_recorded_is_not_shown(service: Service) -> None:
    client = service.client(service.token("wang"))
    service.access._writer.execute("PRAGMA query_only=ON")
    answer = client.get(f"/statement/{BEN}/{VILLAGE}")
    assert answer.status_code == 503
    assert "every line" not in answer.text


def test_scopes(service: Service) -> None:
    service.add("li", "auditor", "")
    both, read, submit = (service.token("wang", *each) for each in (("read", "submit"), ("read",), ("submit",)))
    statuses = {
        (name, path): service.client(token).request(method, path).status_code
        for name, token in {"both": both, "read": read, "submit": submit, "auditor": service.token("li")}.items()
        for method, path in (("GET", f"/ledger/{VILLAGE}"), ("POST", "/entries"))
    }
    refused = {("read", "/entries"), ("auditor", "/entries"), ("submit", f"/ledger/{VILLAGE}")}
    assert {each for each, status in statuses.items() if status == 403} == refused
    assert set(statuses.values()) == {200, 403}


def test_a_token_never_has_more_than_its_role(service: Service) -> None:
    service.access.add_token("wang", b"", label="", scopes=["read"], now=0, expires_seconds=1)
    service.add("li", "member")
    token = service.token("li", "read", "admin")
    service.access._writer.execute("UPDATE user SET role='clerk' WHERE name='li'")
    assert service.client(token).get("/api/v1/session").json()["scopes"] == ["read"]
    service.access._writer.execute("UPDATE user SET role='king' WHERE name='li'")
    assert service.client(token).get("/api/v1/session").status_code == 401


def test_a_stranger_is_told_to_sign_in(service: Service) -> None:
    answer = service.client().get(f"/ledger/{VILLAGE}")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json()["type"] == "urn:huzhu:problem:not-signed-in"
    assert service.client().get("/public").json() == "stranger"
    assert service.client(service.token("wang")).get("/public").json() == "wang"


GOOD = b"hz_" + b"A" * 43


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer x",
        b"Bearer " + GOOD,
        b"Bearer " + GOOD + b"x",
        b"Bearer " + GOOD[:-1],
        b"Bearer " + GOOD + b" " + GOOD,
        b"Bearer " + GOOD + b"\n",
        b"Basic d2FuZzpmaXZl",
        b"bearer\t" + GOOD,
        b"\xff\xfe\x00",
        b"Bearer " + b"A" * 100_000,
        b"Bearer hz_" + "王".encode() * 43,
    ],
)
def test_mangled_tokens_are_refused(service: Service, value: bytes) -> None:
    for headers in ([(b"authorization", value)], [(b"authorization", value)] * 2):
        with pytest.raises(Problem) as caught:
            service.guard.who(request(headers))
        assert (caught.value.status, caught.value.type) == (401, "urn:huzhu:problem:bad-token")


def test_two_tokens_are_none(service: Service) -> None:
    good = b"Bearer " + service.token("wang").encode()
    assert service.guard.who(request([(b"authorization", good)])).name == "wang"
    assert service.guard.who(request([(b"authorization", b"BEARER" + good[6:])])).name == "wang"
    with pytest.raises(Problem):
        service.guard.who(request([(b"authorization", good)] * 2))


def test_beside_a_token_no_cookie_counts(service: Service) -> None:
    client = service.signed_in()
    assert client.get("/api/v1/session", headers={"Authorization": f"Bearer {new_token()}"}).status_code == 401


@pytest.mark.parametrize(
    "cookie",
    [
        b"",
        b"huzhu",
        b"huzhu=",
        b"huzhu=x",
        b"huzhu=" + b"A" * 43,
        b"huzhu=" + b"A" * 44,
        b'huzhu="' + b"A" * 43 + b'"',
        b"; ; huzhu=\xff; =",
        b"huzhu=" + b"A" * 43 + b"; huzhu=" + b"B" * 43,
        b"=" * 9_000,
        b"huzhu=%00",
        b"Huzhu=" + b"A" * 43,
    ],
)
def test_mangled_cookies_are_nobody(service: Service, cookie: bytes) -> None:
    assert service.guard.who_if_any(request([(b"cookie", cookie)])) is None
    assert service.guard.who_if_any(request([(b"cookie", cookie)] * 3)) is None


def test_a_token_is_no_session_and_a_session_no_token(service: Service) -> None:
    session = service.signed_in().cookies["huzhu"]
    token = service.token("wang")
    for header, value in (("Authorization", f"Bearer hz_{session}"), ("Cookie", f"huzhu={token[3:]}")):
        assert service.client().get("/api/v1/session", headers={header: value}).status_code == 401


SAME = {"Origin": "http://node.example"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-origin", **SAME}, 200),
        (SAME, 200),
        ({"Origin": "http://NODE.example"}, 200),
        ({"Sec-Fetch-Site": "cross-site", **SAME}, 403),
        ({"Sec-Fetch-Site": "same-site", **SAME}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": ""}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://node.example.evil.example"}, 403),
        ({"Origin": "http://evil.example/node.example"}, 403),
        ({"Origin": "http://node.example:81"}, 403),
        ({"Origin": "file://node.example"}, 403),
        ({"Referer": "http://node.example/"}, 403),
    ],
)
def test_what_changes_something_by_a_cookie_comes_from_here(
    service: Service, headers: Mapping[str, str], status: int
) -> None:
    client = service.signed_in()
    del client.headers["Sec-Fetch-Site"]
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        raw = [(b"host", b"node.example"), (b"cookie", b"huzhu=" + client.cookies["huzhu"].encode())]
        raw += [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        assert outcome(service, request(raw, method)) == status
    assert client.post("/entries", headers=headers).status_code == status
    assert client.get("/api/v1/session", headers=headers).status_code == 200
    token = {"Authorization": f"Bearer {service.token('wang', 'submit')}"}
    assert client.post("/entries", headers={**headers, **token}).status_code == 200


def outcome(service: Service, asked: Request) -> int:
    try:
        service.guard.who(asked)
    except Problem as problem:
        return problem.status
    return 200


def test_under_tls_the_page_must_be_too(tmp_path: Path) -> None:
    with opened(tmp_path, is_secure=True) as service:
        client = service.signed_in()
        del client.headers["Sec-Fetch-Site"]
        assert client.post("/entries", headers={"Origin": "https://node.example"}).status_code == 200
        assert client.post("/entries", headers={"Origin": "http://node.example"}).status_code == 403


def test_nobody_is_signed_in_by_another_sites_page(service: Service) -> None:
    body = {"name": "wang", "password": "five yellow persimmons"}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
        answer = service.client().post("/api/v1/session", json=body, headers=headers)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


def test_a_check_asks_the_file_once_until_something_is_committed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []
    real = service.access.token_holder

    def noting(hashed: bytes) -> Holder | None:
        asked.append(hashed)
        return real(hashed)

    monkeypatch.setattr(service.access, "token_holder", noting)
    come = request([(b"authorization", b"Bearer " + service.token("wang").encode())])
    for _time in range(5):
        service.guard.who(come)
    assert len(asked) == 1
    service.access.set_disabled("wang", True)
    assert outcome(service, come) == 401
    service.access.set_disabled("wang", False)
    assert outcome(service, come) == 200


def test_what_is_remembered_is_bounded(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.access.guard.REMEMBERED_MAX", 3)
    tokens = [service.token("wang") for _each in range(10)]
    for token in tokens * 2:
        assert service.client(token).get("/api/v1/session").status_code == 200
        assert len(service.guard._remembered[1]) <= 4
    for _each in range(10):
        assert service.client(new_token()).get("/api/v1/session").status_code == 401
    assert len(service.guard._remembered[1]) <= 4
