"""What somebody writes is shown as it was written, and never runs; and no form takes a page down.

In the village of these tests everybody's name and address end in ``MARK``. Every form that anybody finds is sent with
it in every field, and then all pages are read again, by a parser and in the browser.
"""

import datetime
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.pages.areas import may_see
from tests.pages.conftest import OpenPage
from tests.pages.village import Village, make_village, serving
from tests.pages.walking import Form, Found, Route, pattern_of, patterns, read, routes, walk
from web.access.who import ROLES

MARK = """</title></textarea><script>hz=1</script>"'><img src=x onerror=hz=1>{{7*7}}𠮷e\u0301"""
RAW = ("<script>hz", "<img src=x", "{{49}}")
FIRST = "陈"
"""How the first one's name begins: modules that offer names find it."""
NEVER = ("/sign-out", "/sign-in", "/account")
CLOCKS = {"time": "09:00", "month": "2026-11", "number": "60"}
TYPED = frozenset({"text", "input", "search", "tel", "email", "url", "textarea", "password"})
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ROUNDS = 3
"""Tries to find what a form takes: what was wrong in one is mended in the next."""
ASKED = ("after", "q", "only", "day", "from", "month", "page", "of")
FAULT = 500
"""From this status on it was no answer to a mistake, but a fault."""
TRIES = 4
"""Of each form and each address."""
NASTY = (
    *("", " ", "0", "-1", "9" * 40, "1e9", "NaN", "٣", "\x00", "\ud800", "a" * 9_000, "'; DROP TABLE user; --"),
    *("2026-02-30", "9999-12-31", "0001-01-01", "25:61", "００：００", "%00", "\u202e", "../../etc/passwd", MARK),
)


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    """A village whose people have names that no page may run."""
    with serving(make_village(tmp_path_factory.mktemp("marked"), MARK)) as held:
        yield held


@pytest.fixture(scope="module")
def hung(marked: Village) -> list[Route]:
    return routes(marked)


@pytest.fixture(scope="module")
def forms(marked: Village, hung: list[Route]) -> list[tuple[str, str, Form]]:
    """Every form that changes something: who found it, where, and itself."""
    found: dict[tuple[str, str, tuple[str, ...]], tuple[str, str, Form]] = {}
    for role in ROLES:
        with marked.client(role) as client:
            for path, page in walk(client, hung, 1).items():
                for form in page.forms:
                    whom = {each.value for each in form.fields if each.name == "name"}
                    if form.method == "post" and form.action not in NEVER and not whom & marked.users.keys():
                        found.setdefault((role, pattern_of(form.action, hung), form.names), (role, path, form))
    return list(found.values())


def filled(form: Form, typed: dict[str, str]) -> dict[str, str]:
    """What a browser would send, with what was typed."""
    today = {"date": str(datetime.datetime.now(datetime.UTC).date())}
    fields = {}
    for each in form.fields:
        value = each.value or (CLOCKS | today).get(each.type, "")
        fields[each.name] = typed.get(each.name, MARK if each.type in TYPED else value)
    return fields


def send(client: httpx.Client, path: str, form: Form, typed: dict[str, str]) -> Found:
    """A form, freshly loaded, filled in and sent; the answer after all redirections."""
    page = read(path, client.get(path))
    fresh = next((each for each in page.forms if (each.action, each.names) == (form.action, form.names)), form)
    answer = client.post(fresh.action, data=filled(fresh, typed), follow_redirects=True)
    assert answer.status_code < FAULT, (form.action, answer.text)
    return read(path, answer)


def test_what_was_written_is_only_shown(
    marked: Village, hung: list[Route], forms: list[tuple[str, str, Form]], browser_page: OpenPage
) -> None:
    elder, volunteer = marked.elders[0].account, marked.volunteers[0].account
    for role, path, form in forms:
        with marked.client(role) as client:
            typed: dict[str, str] = {}
            for turn in range(ROUNDS):
                answer = send(client, path, form, typed)
                check_page(answer.answer)
                wrong = [name for name in form.names if f'id="{name}-flaw"' in answer.answer.text]
                typed |= {name: (volunteer if len(typed) % 2 else elder, "60", "A")[turn] for name in wrong}
    shown = 0
    for finder in ROLES:
        firsts: dict[str, str] = {}
        with marked.client(finder) as client:
            for path, found in walk(client, hung, 1).items():
                check_page(found.answer)
                if found.is_page and "hz=1" in found.answer.text:
                    firsts.setdefault(pattern_of(path.partition("?")[0], hung), path)
        shown += len(firsts)
        if firsts:
            look(browser_page(finder, of=marked), list(firsts.values()))
    assert shown, "the mark is on no page: then nothing was tried"


def look(page: Any, paths: list[str]) -> None:
    """See whether anything of the mark became more than text, also in what modules offer while somebody types."""
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog: {dialog.message}"))
    for path in paths:
        page.goto(path)
        for field in page.locator("input[role=combobox]").all()[:2]:
            if field.is_visible():
                field.press_sequentially(FIRST)
                page.locator("[role=option]:visible, .hint[role=status]:not(:empty)").first.wait_for()
        assert not page.evaluate("() => 'hz' in window || document.querySelector('img[src=x]') !== null"), path


def test_no_form_takes_the_node_down(marked: Village, forms: list[tuple[str, str, Form]]) -> None:
    chance, faults = random.Random(5), set()
    for role, path, form in forms:
        with marked.client(role) as client:
            page = read(path, client.get(path))
            fresh = next((each for each in page.forms if (each.action, each.names) == (form.action, form.names)), form)
            for turn in range(TRIES):
                nasty = [name for name in fresh.names if name != "token" and chance.random() < 0.6]
                fields = filled(fresh, {name: chance.choice(NASTY) for name in nasty}).items()
                raw = {name: value.encode(errors="surrogatepass") for name, value in fields}
                if turn % 2:
                    body = "&".join(f"{quote(name)}={quote(value)}" for name, value in raw.items())
                    answer = client.post(fresh.action, content=body, headers=FORM)
                else:
                    files = [(name, (chance.choice((None, name)), value)) for name, value in raw.items()]
                    answer = client.post(fresh.action, files=files)
                if answer.status_code >= FAULT:
                    faults.add((fresh.action, str(raw)))
                check_page(answer)
    assert not faults


def test_no_address_takes_the_node_down(marked: Village, hung: list[Route]) -> None:
    chance, faults = random.Random(6), set()

    def nasty(most: int) -> str:
        return quote(chance.choice(NASTY)[:most].encode(errors="surrogatepass"), safe="")

    for route in patterns(hung):
        role = next((role for role in ROLES if may_see(role, route.pattern)), None)
        with marked.client(role) as client:
            for _turn in range(TRIES):
                query = "&".join(f"{name}={nasty(500)}" for name in ASKED)
                path = "/".join(nasty(200) if "{" in part else part for part in route.pattern.split("/"))
                answer = client.get(f"{path}?{query}")
                if answer.status_code >= FAULT:
                    faults.add((route.pattern, f"{path}?{query}"))
                check_page(answer)
    assert not faults


def check_page(answer: httpx.Response) -> None:
    """Nothing of the mark stands on a page as anything but text."""
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert not any(raw in answer.text for raw in RAW), answer.url
