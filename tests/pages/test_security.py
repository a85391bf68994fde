"""What other sites, strangers' links and broken programs try on the pages."""

import re
from base64 import b64encode
from hashlib import sha256
from urllib.parse import quote, urljoin, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pages.areas import APP, may_see
from tests.pages.conftest import OpenPage
from tests.pages.test_roles import other, token_of
from tests.pages.village import PASSWORD, Village
from tests.pages.walking import PRINTED, Found, Route, patterns
from web.access.who import AUDITOR, MEMBER, PERSON, ROLES
from web.pages.kit import local_path
from web.service.door import body_max_bytes

NOT_TAKEN = frozenset({400, 401, 403, 404, 405, 413, 415, 422})
ELSEWHERE = (
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\\\evil.example",
    "https://evil.example/",
    "https:evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/\t/evil.example/",
    "/\n/evil.example",
    "\t//evil.example/",
    " //evil.example/",
    "/%09/evil.example",
    "%2F%2Fevil.example",
    "/\r\nSet-Cookie: huzhu=1",
    "/\u2028/evil.example",
    "/。evil.example/",
    "@evil.example",
)
"""Ways back that lead elsewhere, or that some browser would read so."""
TOKEN = re.compile(r'name="token" value="([^"]+)"')


# From another site


@pytest.mark.parametrize("role", ROLES)
def test_a_form_that_our_page_did_not_make_changes_nothing(village: Village, known: list[Route], role: str) -> None:
    """What answers modules in JSON has no form; the browser's word on where it comes from must do, as below."""
    with village.client(role) as client, village.client(role) as another:
        mine, theirs = token_of(client), token_of(another)
        broken = mine[:-4] + ("AAAA" if mine[-4:] != "AAAA" else "BBBB")
        for route in patterns(known, "POST"):
            if not may_see(role, route.pattern) or route.pattern == "/sign-in":
                continue
            for token in (None, broken, theirs):
                answer = client.post(route.sample(other(village)), data={} if token is None else {"token": token})
                is_data = answer.headers.get("content-type") == "application/json"
                assert is_data or answer.status_code in NOT_TAKEN, (route, token, answer.status_code)
                assert "set-cookie" not in answer.headers, route


@pytest.mark.parametrize(
    "said",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    ],
    ids=str,
)
def test_a_request_from_another_site_is_refused(village: Village, known: list[Route], said: dict[str, str]) -> None:
    for role in (MEMBER, PERSON):
        with village.client(role) as client:
            token = token_of(client)
            for route in patterns(known, "POST"):
                if not may_see(role, route.pattern):
                    continue
                fields = {"token": token, "name": role, "password": PASSWORD}
                answer = client.post(route.sample(other(village)), data=fields, headers=said)
                assert answer.status_code in NOT_TAKEN, (route, answer.status_code)
                assert "set-cookie" not in answer.headers, route


def test_a_token_is_another_on_every_page_and_the_session_is_not_in_it(village: Village) -> None:
    with village.client("clerk") as client:
        found = {TOKEN.findall(client.get("/account").text)[0] for _each in range(3)}
        assert len(found) == 3
        assert not any(client.cookies["huzhu"] in client.get("/account").text for _each in range(2))


# Sessions


def test_signing_in_begins_another_session_whatever_was_there(village: Village) -> None:
    village.add_user("fixed")
    planted = village.session("auditor")
    with village.client(session=planted) as client:
        answer = client.post("/sign-in", data={"name": "fixed", "password": PASSWORD})
        assert answer.status_code == 303
        made = answer.cookies["huzhu"]
        assert made != planted
    with village.client(session=planted) as client:
        assert client.get("/account").status_code == 303, "the planted one has ended"
    with village.client(session=made) as client:
        assert "fixed" in client.get("/account").text


def test_signing_out_ends_the_session_itself(village: Village) -> None:
    with village.client("auditor") as client:
        kept = client.cookies["huzhu"]
        answer = client.post("/sign-out", data={"token": token_of(client)})
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    with village.client(session=kept) as client:
        assert client.get("/account").status_code == 303


def test_cookies_are_for_no_script_and_no_other_site(village: Village) -> None:
    village.add_user("baker")
    with village.client() as client:
        answer = client.post("/sign-in", data={"name": "baker", "password": PASSWORD})
        signed = answer.headers.get_list("set-cookie")
        chosen = client.get("/language?to=en").headers.get_list("set-cookie")
    assert len(signed) == 2 and len(chosen) == 1
    for cookie in (*signed, *chosen):
        flags = {each.strip().lower() for each in cookie.split(";")[1:]}
        assert {"httponly", "path=/"} <= flags and not any(flag.startswith("domain") for flag in flags), cookie
        assert ("samesite=lax" if cookie in chosen else "samesite=strict") in flags


# Ways that lead elsewhere


def leads_home(location: str) -> bool:
    """Whether a browser that takes this header stays at the node."""
    plain = re.sub(r"[\x00-\x20]", "", location).replace("\\", "/")
    return urlsplit(urljoin("http://node.example/here", plain))[:2] == ("http", "node.example")


@pytest.mark.parametrize("target", ELSEWHERE, ids=ascii)
def test_no_way_back_leads_elsewhere(village: Village, target: str) -> None:
    with village.client() as client, village.client("auditor") as signed_in:
        answers = [
            client.get(f"/language?to=en&back={quote(target, safe='')}"),
            signed_in.get(f"/sign-in?to={quote(target, safe='')}"),
            client.post("/sign-in", data={"name": "auditor", "password": PASSWORD, "to": target}),
        ]
        for answer in answers:
            assert answer.status_code == 303 and leads_home(answer.headers["location"]), answer.headers
            assert len(answer.headers.get_list("set-cookie")) <= 2
        assert not re.search(r'(href|value|action)="[^"/]*[/\\]{2}', client.get(f"/sign-in?to={quote(target)}").text)


@given(st.text(alphabet="/\\.:@?#%ev\t\r\n 2F。", max_size=12))
def test_a_local_path_is_one_to_every_browser(text: str) -> None:
    assert leads_home(local_path(text)) and local_path(text).isprintable()


def test_no_address_takes_a_way_back_from_a_stranger(village: Village, known: list[Route]) -> None:
    query = "&".join(f"{name}=//evil.example/" for name in ("to", "back", "next", "url", "from", "return", "origin"))
    for role in (MEMBER, AUDITOR, PERSON):
        with village.client(role) as client:
            for route in patterns(known):
                if may_see(role, route.pattern) and not route.pattern.endswith(PRINTED):
                    answer = client.get(f"{route.sample(other(village))}?{query}")
                    assert leads_home(answer.headers.get("location", "/")), route
                    assert not re.search(r'(href|src|action)="(https?:)?//evil', answer.text), route


# What every answer says of itself


def source_of(style: str) -> str:
    """How a policy names what stands in a page."""
    return f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'"


@pytest.mark.parametrize("role", (None, *ROLES))
def test_headers_are_complete(walked: dict[str | None, dict[str, Found]], role: str | None) -> None:
    for path, found in walked[role].items():
        headers = found.answer.headers
        policy = dict(part.split(None, 1) for part in headers["content-security-policy"].split("; "))
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY", path
        assert headers["referrer-policy"] in ("no-referrer", "same-origin"), path
        assert policy["default-src"] == "'none'", path
        assert not re.search(r"unsafe|\*|https?:|blob:", headers["content-security-policy"]), path
        if found.is_page:
            assert policy["script-src"] == policy["form-action"] == "'self'", path
            styles = re.findall("<style>(.*?)</style>", found.answer.text, re.DOTALL)
            assert styles and {source_of(each) for each in styles} <= set(policy["style-src"].split()), path
            assert policy["base-uri"] == policy["frame-ancestors"] == "'none'", path
            assert headers["cross-origin-opener-policy"] == "same-origin", path
            assert headers["cross-origin-resource-policy"] == "same-origin", path
            assert "geolocation=()" in headers["permissions-policy"], path
            assert headers["content-language"] == "en", path
        if path not in APP and (found.is_page or found.answer.is_success or found.answer.is_redirect):
            assert "no-store" in headers["cache-control"], path


def test_nothing_inline_stands_on_a_page(walked: dict[str | None, dict[str, Found]]) -> None:
    pattern = re.compile(
        r"<script(?![^>]*\ssrc=)[^>]*>|<[^>]*\s(style|on\w+)=|<style[^>]|javascript:|rel=.stylesheet", re.IGNORECASE
    )
    for found in walked.values():
        for path, page in found.items():
            if page.is_page:
                assert not pattern.search(page.answer.text), (path, pattern.search(page.answer.text))


def test_nothing_is_asked_of_another_host(browser_page: OpenPage) -> None:
    page = browser_page("clerk")
    for path in ("/", "/account", "/about"):
        page.goto(path)
    found = page.evaluate("() => performance.getEntriesByType('resource').map(each => each.name)")
    assert all(each.startswith(page.url.rsplit("/", 1)[0]) for each in found)


# Bodies


def test_a_body_has_bounds(village: Village, known: list[Route]) -> None:
    with village.client("clerk") as client:
        token = token_of(client)
        for route in patterns(known, "POST"):
            path = route.sample(other(village))
            raw = b"token=" + quote(token).encode() + b"&x=" + b"y" * body_max_bytes(path)
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            for body in (raw, iter([raw[:1000], raw[1000:]])):
                try:
                    answer = client.post(path, content=body, headers=kind)
                    assert answer.status_code in (400, 403, 413), route
                except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
                    pass  # it hung up while more came
            assert client.get("/about").status_code == httpx.codes.OK


@pytest.mark.parametrize("charset, typed", [("undefined", b"x"), ("unicode_escape", rb"a\ud800b"), ("no-such", b"x")])
@pytest.mark.parametrize(
    "user, path, field", [(None, "/sign-in", "name"), (None, "/check", "receipt"), ("clerk", "/desk/record", "start")]
)
def test_a_form_holds_what_text_can(
    village: Village, user: str | None, path: str, field: str, charset: str, typed: bytes
) -> None:
    with village.client(user) as client:
        for part in (f'name="{field}"', 'name="file"; filename="a\\ud800b.csv"'):
            body = f"--x\r\nContent-Disposition: form-data; {part}\r\n\r\n".encode() + typed + b"\r\n--x--\r\n"
            answer = client.post(
                path, content=body, headers={"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"}
            )
            assert answer.status_code in NOT_TAKEN, (answer.status_code, part)
