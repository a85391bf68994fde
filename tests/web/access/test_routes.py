"""Signing in and out, and tokens, over HTTP."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from store.access import Access
from tests.web.access.service import (
    CITY,
    DAY,
    FAST,
    HOUR,
    NOW,
    PASSWORD,
    SESSION,
    TOKENS,
    VILLAGE,
    Service,
    opened,
)
from web.access.limits import LIMITS
from web.access.login import Login
from web.access.passwords import Passwords


def test_a_clerk_signs_in_looks_who_it_is_and_signs_out(service: Service) -> None:
    client = service.client()
    answer = service.sign_in("Wang", client=client)
    assert answer.status_code == 200
    told = {
        "name": "wang",
        "role": "clerk",
        "ledger": VILLAGE,
        "account": "",
        "scopes": ["read", "submit"],
        "by": "session",
        "must_choose": False,
        "expires_at": "2023-11-15T10:13:20Z",
    }
    assert answer.json() == told
    assert client.get(SESSION).json() == told
    left = client.delete(SESSION, headers={"Sec-Fetch-Site": "same-origin"})
    assert left.status_code == 204
    assert "huzhu" not in client.cookies
    assert client.get(SESSION).status_code == 401


def test_the_cookie_is_for_this_node_alone_and_for_no_script(service: Service) -> None:
    cookies = service.sign_in().headers.get_list("set-cookie")
    session = "HttpOnly; Max-Age=43200; Path=/; SameSite=strict"
    assert [each.partition("; ")[2] for each in cookies] == [session, session.replace("43200", "15552000")]
    assert [each.partition("=")[0] for each in cookies] == ["huzhu", "huzhu-device"]


def test_under_tls_the_cookie_never_leaves_it(tmp_path: Path) -> None:
    with opened(tmp_path, is_secure=True) as service:
        for each in service.sign_in().headers.get_list("set-cookie"):
            assert each.startswith("__Host-huzhu")
            assert "; Secure" in each
        plain = service.client()
        plain.cookies.set("huzhu", service.signed_in().cookies["__Host-huzhu"])
        assert plain.get(SESSION).status_code == 401


def test_answers_with_secrets_are_not_stored_on_the_way(service: Service) -> None:
    client = service.signed_in()
    made = client.post(TOKENS, json={"scopes": ["read"], "days": 1})
    for answer in (service.sign_in(), client.get(SESSION), client.get(TOKENS), made, client.delete(SESSION)):
        assert answer.headers["cache-control"] == "no-store"


def test_a_session_is_new_at_every_sign_in_and_the_old_one_ends(service: Service) -> None:
    client = service.signed_in()
    first = client.cookies["huzhu"]
    service.sign_in(client=client)
    assert client.cookies["huzhu"] != first
    assert with_session(service, first).status_code == 401


def test_a_session_that_somebody_planted_is_not_taken_over(service: Service) -> None:
    planted = "A" * 43
    client = service.client()
    client.cookies.set("huzhu", planted)
    assert service.sign_in(client=client).status_code == 200
    assert with_session(service, planted).status_code == 401


def with_session(service: Service, session: str) -> Any:
    client = service.client()
    client.cookies.set("huzhu", session)
    return client.get(SESSION)


def test_a_session_ends_when_it_is_not_used(service: Service) -> None:
    client = service.signed_in()
    service.clock.seconds += HOUR - 1
    assert client.get(SESSION).status_code == 200
    service.clock.seconds += HOUR - 1
    assert client.get(SESSION).status_code == 200
    service.clock.seconds += HOUR
    assert client.get(SESSION).status_code == 401


def test_a_session_ends_after_twelve_hours_whatever_is_done_in_it(service: Service) -> None:
    client = service.signed_in()
    for _half in range(23):
        service.clock.seconds += HOUR // 2
        assert client.get(SESSION).status_code == 200
    service.clock.seconds = NOW + LIMITS.session_seconds
    assert client.get(SESSION).status_code == 401


def test_a_session_in_use_writes_to_the_disk_only_now_and_then(service: Service) -> None:
    client = service.signed_in()
    version = service.access.version
    service.clock.seconds += LIMITS.renew_seconds - 1
    client.get(SESSION)
    assert service.access.version == version
    service.clock.seconds += 1
    client.get(SESSION)
    assert service.access.version != version


@pytest.mark.parametrize("change", ["password", "disabled", "removed"])
def test_sessions_end_with_the_password_and_the_user(service: Service, change: str) -> None:
    client = service.signed_in()
    assert client.get(SESSION).status_code == 200
    match change:
        case "password":
            service.access.set_password("wang", FAST.hash("another long one"))
        case "disabled":
            service.access.set_disabled("wang", True)
        case "removed":
            service.access.remove_user("wang")
    assert client.get(SESSION).status_code == 401
    assert service.sign_in().status_code == 401


def test_wrong_unknown_disabled_and_tokens_only_are_told_alike(service: Service) -> None:
    service.add("li")
    service.access.set_disabled("li", True)
    service.access.add_user("machine", "auditor", now=NOW)
    tries = [("wang", "wrong"), ("nobody", PASSWORD), ("li", PASSWORD), ("machine", ""), ("no name!", PASSWORD)]
    answers = [service.sign_in(*each) for each in tries]
    assert {(each.status_code, each.content) for each in answers} == {(401, answers[0].content)}
    assert not any("set-cookie" in each.headers for each in answers)


def test_the_same_work_is_done_for_nobody(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[bool] = []
    real = Passwords.is_right

    def counting(self: Passwords, hashed: str | None, password: str) -> bool:
        done.append(hashed is not None)
        return real(self, hashed, password)

    monkeypatch.setattr(Passwords, "is_right", counting)
    for name in ("wang", "nobody", "no name!"):
        service.sign_in(name, "wrong")
    assert done == [True, False, False]


def test_a_weak_hash_is_made_anew_at_sign_in(service: Service) -> None:
    login = Login(service.access, Passwords(2, 16_384))
    before = service.access.user("wang")
    tried = login.begin("wang", address="", device=None, now=NOW)
    login.sign_in(tried, PASSWORD, device=None, old_session=None, now=NOW)
    after = service.access.user("wang")
    assert before is not None
    assert after is not None
    assert "m=16,t=2" in after.password
    assert FAST.is_right(after.password, PASSWORD)


def test_nobody_asks_for_a_role(service: Service) -> None:
    for more in ({"role": "auditor"}, {"scopes": ["admin"]}, {"ledger": CITY}):
        body = {"name": "wang", "password": PASSWORD, **more}
        assert service.client().post(SESSION, json=body).status_code == 422
        assert service.signed_in().post(TOKENS, json={"scopes": ["read"], "days": 1, **more}).status_code in (403, 422)
    client = service.client()
    client.post(SESSION + "?role=auditor", json={"name": "wang", "password": PASSWORD}, headers={"X-Role": "auditor"})
    assert client.get(SESSION, params={"role": "auditor", "name": "li"}).json()["role"] == "clerk"


def test_no_password_and_no_hash_is_told_or_logged(
    service: Service, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [service.sign_in(), service.sign_in(password=PASSWORD + "x"), service.signed_in().get(SESSION)]
    user = service.access.user("wang")
    assert user is not None
    told = caplog.text + "".join(each.text for each in answers) + "".join(capsys.readouterr())
    assert PASSWORD not in told
    assert user.password not in told
    assert "argon2" not in told


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"name":1,"password":2}',
        b'{"name":"wang"}',
        b'{"name":"wang","password":null}',
        b'{"name":"\\ud800","password":"\\udfff12345678"}',
        b'{"name":"\\u0000","password":"\\u0000"}',
        b'{"name":"' + b"w" * 129 + b'","password":"x"}',
        b'{"name":"wang","password":"' + b"x" * 257 + b'"}',
        b"\xff\xfe",
        b"[" * 5_000,
    ],
)
def test_mangled_bodies_are_the_senders_fault(service: Service, body: bytes) -> None:
    answer = service.client().post(SESSION, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 401, 422)


def test_a_form_of_another_site_is_no_sign_in(service: Service) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        body = json.dumps({"name": "wang", "password": PASSWORD}).encode()
        answer = service.client().post(SESSION, content=body, headers={"Content-Type": kind})
        assert answer.status_code == 422


def test_a_full_disk_is_said_without_the_files_path(service: Service, tmp_path: Path) -> None:
    service.access._writer.execute("PRAGMA query_only=ON")
    answer = service.sign_in()
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:huzhu:problem:no-storage"
    assert str(tmp_path) not in answer.text


PATH = "/api/v1/password"


def test_people_change_their_own_password(service: Service) -> None:
    client, elsewhere = service.signed_in(), service.signed_in()
    answer = client.put(PATH, json={"old": PASSWORD, "new": "another long one"})
    assert answer.status_code == 204
    assert "huzhu" not in client.cookies
    assert elsewhere.get(SESSION).status_code == 401
    assert service.sign_in().status_code == 401
    assert service.sign_in(password="another long one").status_code == 200


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [(PASSWORD + "x", "another long one", 401), (PASSWORD, "short", 422), (PASSWORD, "aaaaaaaaaaaa", 422)],
)
def test_passwords_that_are_not_changed(service: Service, old: str, new: str, status: int) -> None:
    client = service.signed_in()
    answer = client.put(PATH, json={"old": old, "new": new})
    assert answer.status_code == status
    assert new not in answer.text or new == "short"
    assert client.get(SESSION).status_code == 200


def test_who_has_a_session_cannot_guess_the_password(service: Service) -> None:
    client = service.signed_in()
    body = {"old": "wrong", "new": "another long one"}
    statuses = [client.put(PATH, json=body).status_code for _try in range(LIMITS.device_free_tries + 1)]
    assert statuses == [401] * LIMITS.device_free_tries + [429]
    assert service.client(service.token("wang")).put(PATH, json=body).status_code == 403
    assert client.put(PATH, json=body, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


# Tokens


def test_a_token_is_made_shown_once_listed_and_revoked(service: Service) -> None:
    client = service.signed_in()
    made = client.post(TOKENS, json={"label": " monthly figures ", "scopes": ["submit", "read"], "days": 7})
    assert made.status_code == 201
    plain = made.json()
    secret = plain.pop("token")
    assert plain == {
        "id": 1,
        "label": "monthly figures",
        "scopes": ["read", "submit"],
        "created_at": "2023-11-14T22:13:20Z",
        "expires_at": "2023-11-21T22:13:20Z",
    }
    assert client.get(TOKENS).json() == {"tokens": [plain]}
    program = service.client(secret)
    assert program.get(SESSION).json()["by"] == "token"
    assert client.delete(f"{TOKENS}/1").status_code == 204
    assert program.get(SESSION).status_code == 401
    assert client.delete(f"{TOKENS}/1").status_code == 404


def test_a_token_makes_lists_and_revokes_no_tokens(service: Service) -> None:
    program = service.client(service.token("wang", "read", "submit"))
    assert program.post(TOKENS, json={"scopes": ["read"], "days": 1}).status_code == 403
    assert program.get(TOKENS).status_code == 403
    assert program.delete(f"{TOKENS}/1").status_code == 403
    assert program.delete(SESSION).status_code == 403
    assert program.get(SESSION).status_code == 200


def test_nobody_sees_or_revokes_anothers_tokens(service: Service) -> None:
    service.add("li", "auditor", "")
    secret = service.token("li")
    client = service.signed_in()
    assert client.get(TOKENS).json() == {"tokens": []}
    assert client.delete(f"{TOKENS}/1").status_code == 404
    assert service.client(secret).get(SESSION).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"scopes": ["admin"], "days": 1}, 403),
        ({"scopes": ["read", "admin"], "days": 1}, 403),
        ({"scopes": [], "days": 1}, 422),
        ({"scopes": ["root"], "days": 1}, 422),
        ({"scopes": ["read"] * 4, "days": 1}, 422),
        ({"scopes": ["read"], "days": 0}, 422),
        ({"scopes": ["read"], "days": LIMITS.token_days_max + 1}, 422),
        ({"scopes": ["read"], "days": 10**30}, 422),
        ({"scopes": ["read"]}, 422),
        ({"scopes": ["read"], "days": 1, "label": "x" * 61}, 422),
        ({"scopes": ["read"], "days": 1, "label": "a\nb"}, 422),
        ({"scopes": ["read"], "days": 1, "user": "li"}, 422),
    ],
)
def test_tokens_that_are_not_made(service: Service, body: dict[str, object], status: int) -> None:
    assert service.signed_in().post(TOKENS, json=body).status_code == status
    assert service.access.tokens() == []


@pytest.mark.parametrize("number", ["0", "-1", str(2**63), "x", "1.5", "%00"])
def test_numbers_that_no_token_has(service: Service, number: str) -> None:
    assert service.signed_in().delete(f"{TOKENS}/{number}").status_code in (404, 422)


def test_a_token_expires(service: Service) -> None:
    program = service.client(service.token("wang", days=1))
    service.clock.seconds += DAY - 1
    assert program.get(SESSION).status_code == 200
    service.clock.seconds += 1
    assert program.get(SESSION).status_code == 401


def test_the_description_names_every_field_with_an_example(service: Service) -> None:
    schemas = service.app.openapi()["components"]["schemas"]
    told = ("Credentials", "PasswordChange", "Signed", "TokenWanted", "TokenListed", "TokenMade")
    for name in told:
        for field, schema in schemas[name]["properties"].items():
            assert schema.get("description"), (name, field)
            assert schema.get("examples"), (name, field)
    assert service.app.openapi()["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_two_processes_share_the_file(service: Service, tmp_path: Path) -> None:
    other = Access(tmp_path / "access.db")
    other.add_user("zhao", "clerk", ledger=VILLAGE, password=FAST.hash(PASSWORD), now=NOW)
    client = service.signed_in("zhao")
    assert client.get(SESSION).status_code == 200
    other.set_disabled("zhao", True)
    assert client.get(SESSION).status_code == 401
    other.close()
