"""A committee's first day in a real browser: empty home → set-up → sheets → first sign-in; and a day of practice."""

import re
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page

from store.home import Home
from tests.pages.conftest import HEIGHT, LOCALES, WAIT_MS, Check, Shoot, watch
from tests.pages.setting_up import ASKED, NAMES, ORIGIN, PASSPHRASE, WORD, SettingUp, password_of, setting_up
from tests.web.desk import run
from tests.web.rendering import codes
from web.practice import SHOWN_FILE

Open = Callable[..., Page]
SLOW_MS = 30_000
"""For a service that gives way to another."""


@pytest.fixture
def node(tmp_path: Path) -> Iterator[SettingUp]:
    with setting_up(tmp_path / "huzhu-home") as held:
        yield held


@pytest.fixture
def open_page(chromium: Browser, node: SettingUp) -> Iterator[Open]:
    """A browser at the machine that is set up."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def open_one(language: str = "zh", width: int = 1280, *, javascript: bool = True) -> Page:
        context = chromium.new_context(
            base_url=node.url,
            java_script_enabled=javascript,
            locale=LOCALES[language],
            timezone_id="Asia/Shanghai",
            viewport={"width": width, "height": HEIGHT},
        )
        contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        context.set_default_navigation_timeout(SLOW_MS)
        watch(context, wrong, node.url)
        return context.new_page()

    yield open_one
    for context in contexts:
        context.close()
    assert not wrong, wrong


def fits(page: Page) -> None:
    """Nothing is wider than the window."""
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, (page.url, wide)


class Looker:
    """Looks at every page on the way: a picture, axe, and whether it fits."""

    def __init__(self, shoot: Shoot, check_axe: Check, width: int) -> None:
        self._shoot, self._check, self._width = shoot, check_axe, width

    def __call__(self, page: Page, name: str) -> None:
        fits(page)
        self._check(page)
        self._shoot(page, f"setup-{name}-{self._width}")


def press(page: Page) -> None:
    """The button by which a form goes on, with the keyboard."""
    page.locator("main form button.button:not(.quiet):not(.danger)").first.focus()
    page.keyboard.press("Enter")


def type_into(page: Page, name: str, text: str) -> None:
    """A field, reached as by the Tab key, and typed."""
    page.locator(f"[name={name}]").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type(text)


@pytest.mark.parametrize(("language", "width"), [("zh", 1280), ("en", 360)])
def test_from_an_empty_home_to_the_first_person(
    node: SettingUp, open_page: Open, shoot: Shoot, check_axe: Check, language: str, width: int
) -> None:
    page, look = open_page(language, width), Looker(shoot, check_axe, width)
    page.goto("/")
    look(page, "code")
    type_into(page, "code", "0000-0000")
    page.keyboard.press("Enter")
    page.wait_for_selector("#code-flaw")
    type_into(page, "code", node.code())
    page.keyboard.press("Enter")
    page.wait_for_selector(".cards")
    look(page, "begin")
    page.goto("/setup/sheets")
    assert page.url.endswith("/setup/village")

    type_into(page, "name", "六渡河")
    type_into(page, "origin", ORIGIN)
    look(page, "village")
    press(page)
    page.wait_for_url("**/setup/people")
    for name, seat in zip(("clerk", "member1", "member2", "member3"), NAMES, strict=True):
        type_into(page, name, seat)
    look(page, "people")
    page.keyboard.press("Enter")  # in a name: it goes on, and adds no member
    page.wait_for_url("**/setup/passwords")
    look(page, "passwords")
    page.goto("/setup/passwords/0")
    for place, name in enumerate(NAMES):
        page.wait_for_url(f"**/setup/passwords/{place}")
        type_into(page, "password", password_of(name))
        type_into(page, "again", password_of(name))
        if not place:
            look(page, "password")
        press(page)

    page.wait_for_url("**/setup/passphrase")
    type_into(page, "passphrase", "aaaaaaaaaaaa")
    type_into(page, "passphrase2", "aaaaaaaaaaaa")
    press(page)
    page.wait_for_selector("#passphrase-flaw")
    look(page, "passphrase")
    type_into(page, "passphrase", PASSPHRASE)
    type_into(page, "passphrase2", PASSPHRASE)
    press(page)
    page.wait_for_url("**/setup/rules")
    type_into(page, "posting_days", "0")
    look(page, "rules")
    press(page)

    page.wait_for_url("**/setup/sheets")
    sheets = printed(page, look)
    page.reload()
    look(page, "sheets")
    for name, sheet, place in ASKED.findall(page.content()):
        type_into(page, name, sheets[int(sheet) - 1][int(place) - 1])
    press(page)
    page.wait_for_url("**/setup/found")
    look(page, "found")
    press(page)
    page.wait_for_url("**/setup/done")
    look(page, "done")
    page.reload()
    page.locator("main a.button").focus()
    page.keyboard.press("Enter")

    page.wait_for_url("**/sign-in")
    type_into(page, "name", NAMES[0])
    type_into(page, "password", password_of(NAMES[0]))
    page.keyboard.press("Enter")
    page.wait_for_selector(".me")
    assert NAMES[0] in (page.locator(".me").text_content() or "")
    first_person(page, look)
    assert re.search(r'"account":"[0-9]{8}"', run("balance", "--home", node.home, "--json").stdout)
    assert len(Home(node.home).key_files("member")) == 3


def first_person(page: Page, look: Looker) -> None:
    """The clerk proposes an account, a member signs it."""
    page.goto("/people/open")
    type_into(page, "name", "陈秀英")
    page.locator("[name=born]").fill("1968-03-01")
    page.locator("[name=volunteer]").focus()
    page.keyboard.press("Space")
    press(page)
    page.wait_for_url(re.compile(r"/people/[0-9]{8}$"))
    page.locator(".aside button.link").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-in")
    type_into(page, "name", NAMES[1])
    type_into(page, "password", password_of(NAMES[1]))
    page.keyboard.press("Enter")
    page.wait_for_selector(".me")
    page.goto("/desk/certify")
    page.locator("#drafts button.button").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".note.good")
    look(page, "first-person")


def printed(page: Page, look: Looker) -> list[list[str]]:
    """The sheets, as they come out of the printer."""
    paper = page.context.new_page()
    paper.goto("/setup/sheets/paper")
    look(paper, "paper")
    words = WORD.findall(paper.content())
    sheets = [words[start : start + 20] for start in range(0, len(words), 20)]
    for number, sheet in enumerate(sheets):
        picture = paper.locator(".qr").nth(number).screenshot(scale="device")
        assert codes(Image.open(BytesIO(picture))) == [" ".join(sheet)]
    paper.close()
    return sheets


def test_practice_begins_ends_and_leads_back(
    node: SettingUp, open_page: Open, shoot: Shoot, check_axe: Check
) -> None:
    page, look = open_page("en", 360), Looker(shoot, check_axe, 360)
    page.goto("/setup")
    type_into(page, "code", node.code())
    page.keyboard.press("Enter")
    page.locator("form[action='/setup/practice']").wait_for()
    page.goto("/setup/recover")
    look(page, "recover")
    page.goto("/setup")
    page.locator("form[action='/setup/practice'] button").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/practice", timeout=SLOW_MS)
    page.wait_for_selector("table")
    look(page, "practice-open")

    sign_in(page, (node.home.parent / f"{node.home.name}-practice" / SHOWN_FILE).read_text())
    page.goto("/practice")
    assert page.locator("p.practice").is_visible()
    look(page, "practice")
    page.locator("a[hreflang=zh-CN]").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("html[lang=zh-CN]")
    look(page, "practice")
    again = page.locator("form:has(input[value=again]) button")
    again.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/practice", timeout=SLOW_MS)
    page.wait_for_selector("main a[href='/sign-in']")

    sign_in(page, (node.home.parent / f"{node.home.name}-practice" / SHOWN_FILE).read_text())
    page.goto("/practice")
    page.locator("form:has(input[value=end]) button").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("[name=code]", timeout=SLOW_MS)
    assert not (node.home.parent / f"{node.home.name}-practice").exists()
    assert not node.home.exists()


def sign_in(page: Page, password: str) -> None:
    """As the practice village's clerk."""
    page.goto("/sign-in")
    type_into(page, "name", "clerk")
    type_into(page, "password", password)
    page.keyboard.press("Enter")
    page.wait_for_selector(".me")


def test_it_goes_without_scripts(node: SettingUp, open_page: Open) -> None:
    page: Any = open_page("en", javascript=False)
    page.goto("/setup")
    type_into(page, "code", node.code())
    page.keyboard.press("Enter")
    page.wait_for_selector(".cards")
    page.goto("/setup/village")
    type_into(page, "name", "Liuduhe")
    type_into(page, "origin", ORIGIN)
    press(page)
    page.wait_for_url("**/setup/people")
    page.locator("button[name=more]").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("[name=member4]")
