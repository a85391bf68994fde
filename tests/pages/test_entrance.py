"""The way in: signing in and out, one's own password, the language; in both languages, by keyboard, without scripts."""

import asyncio

import pytest
from playwright.sync_api import Page, expect

from tests.pages.conftest import Check, OpenPage, Shoot
from tests.pages.village import PASSWORD, Village

LANGUAGES = ("zh", "en")
WRONG = {"zh": "请改正", "en": "Please mend"}
TABS_MAX = 60


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """Fill in the form and send it."""
    page.fill("#name", name)
    page.fill("#password", password)
    page.click("main button")


def on_screen(page: Page) -> str:
    return page.locator("main").inner_text()


@pytest.mark.parametrize("language", LANGUAGES)
def test_in_and_out_and_back_to_where_one_wanted(
    village: Village, browser_page: OpenPage, shoot: Shoot, check_axe: Check, language: str
) -> None:
    page = browser_page(None, language)
    page.goto("/account?from=letter")
    expect(page).to_have_url(f"{village.url}/sign-in?to=%2Faccount%3Ffrom%3Dletter")
    shoot(page, "sign-in")
    check_axe(page)
    sign_in(page, "auditor")
    expect(page).to_have_url(f"{village.url}/account?from=letter")
    assert "auditor" in on_screen(page)
    shoot(page, "account")
    check_axe(page)
    page.locator("header form button").click()
    expect(page).to_have_url(f"{village.url}/sign-in")
    page.goto("/account")
    expect(page).to_have_url(f"{village.url}/sign-in?to=%2Faccount")
    page.go_back()
    assert "auditor" not in page.content(), "what was shown is kept by the browser"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_wrong_password_is_told_beside_its_field(
    browser_page: OpenPage, shoot: Shoot, check_axe: Check, language: str
) -> None:
    page = browser_page(None, language)
    page.goto("/sign-in?to=%2Faccount")
    sign_in(page, "supervisor", "another long sentence")
    expect(page.get_by_role("alert")).to_contain_text(WRONG[language])
    expect(page.locator("#password")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#password")).to_have_value("")
    expect(page.locator("#name")).to_have_value("supervisor")
    shoot(page, "sign-in-wrong")
    check_axe(page)
    page.get_by_role("alert").get_by_role("link").click()
    expect(page.locator("#password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/account")


def test_an_unknown_name_reads_the_same(browser_page: OpenPage) -> None:
    page, told = browser_page(), []
    for name in ("nobody-at-all", "supervisor"):
        page.goto("/sign-in")
        sign_in(page, name, "another long sentence")
        told.append(page.get_by_role("alert").inner_text())
    assert told[0] == told[1]


def test_the_language_is_chosen_on_the_page_and_kept(village: Village, browser_page: OpenPage) -> None:
    page = browser_page(None, "zh")
    page.goto("/sign-in?to=%2Faccount%3Fa%3D1%26b%3D2")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.get_by_role("link", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page).to_have_url(f"{village.url}/sign-in?to=%2Faccount%3Fa%3D1%26b%3D2")
    page.goto("/about")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_role("link", name="中文").click()
    expect(page).to_have_url(f"{village.url}/about")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


def test_another_password_ends_every_session(village: Village, browser_page: OpenPage, shoot: Shoot) -> None:
    village.add_user("forgetful")
    page, elsewhere = browser_page("forgetful"), browser_page("forgetful")
    elsewhere.goto("/account")
    for old, new, flawed in (("not the old one", "a newer sentence", "old"), (PASSWORD, "short", "new")):
        page.goto("/account")
        page.fill("#old", old)
        page.fill("#new", new)
        page.click("main button")
        expect(page.locator(f"#{flawed}-flaw")).to_be_visible()
    shoot(page, "account-wrong")
    page.fill("#old", PASSWORD)
    page.fill("#new", "a newer sentence")
    page.click("main button")
    page.wait_for_url("**/sign-in")
    elsewhere.reload()
    expect(elsewhere).to_have_url(f"{village.url}/sign-in?to=%2Faccount")
    page.goto("/sign-in?to=%2Faccount")
    sign_in(page, "forgetful", "a newer sentence")
    page.wait_for_url("**/account")


def test_by_keyboard_alone(village: Village, browser_page: OpenPage) -> None:
    page = browser_page(None, "en")
    page.goto("/sign-in?to=%2Faccount")
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.type("auditor")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/account")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    assert is_on_screen(page), "who jumps to the content sees where the key leads"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#old")).to_be_focused()
    reached = set()
    page.reload()
    for _tab in range(TABS_MAX):
        page.keyboard.press("Tab")
        at = page.evaluate("() => document.activeElement.outerHTML.slice(0, 200)")
        if at in reached:
            break
        reached.add(at)
        assert at.startswith("<body") or has_ring(page), f"the focus cannot be seen: {at}"
    wanted = page.locator("a[href], button, input:not([type=hidden])")
    assert all(each[:200] in reached for each in wanted.evaluate_all("all => all.map(each => each.outerHTML)"))
    assert village.url in page.url


def is_on_screen(page: Page) -> bool:
    """Whether what has the focus can be seen."""
    box = page.locator(":focus").bounding_box()
    return box is not None and box["x"] >= 0 and box["y"] >= 0 and box["width"] > 0


def has_ring(page: Page) -> bool:
    """Whether what has the focus is marked."""
    script = "() => getComputedStyle(document.activeElement).outlineStyle"
    return bool(page.evaluate(script) not in ("none", ""))


def test_without_scripts(browser_page: OpenPage) -> None:
    page = browser_page(None, "zh", javascript=False)
    page.goto("/sign-in?to=%2Faccount")
    sign_in(page, "auditor")
    page.wait_for_url("**/account")


@pytest.mark.parametrize(
    ("role", "first"),
    [("clerk", "/desk"), ("member", "/desk"), ("supervisor", "/board"), ("auditor", "/board"), ("person", "/me")],
)
def test_everybody_has_a_first_page(village: Village, role: str, first: str) -> None:
    with village.client(role) as client:
        answer = client.get("/")
        assert (answer.status_code, answer.headers["location"]) == (303, first)
        assert client.get(first).status_code == 200


def test_other_tests_may_run_a_loop_while_the_browser_is_open() -> None:
    asyncio.run(asyncio.sleep(0))
