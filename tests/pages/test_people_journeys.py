"""The clerk's way with people, in a browser: open, certify, find, change, sign in; by keyboard, without scripts."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.pages.conftest import Check, OpenPage, Shoot
from tests.pages.village import Village


def certify_all(page: Page) -> None:
    """Sign what waits."""
    page.goto("/desk/certify")
    for box in page.locator('input[name="draft"]').all():
        box.check()
    page.locator('button[value="sign"]').click()
    expect(page.locator(".note.good").first).to_be_visible()


@pytest.mark.parametrize(
    ("language", "name", "sound", "phone"),
    [("zh", "仇单解", "qiudj", "139 1234 6789"), ("en", "Anna Müller", "amull", "0123 98765")],
)
def test_opened_certified_found_and_changed(
    browser_page: OpenPage, shoot: Shoot, check_axe: Check, language: str, name: str, sound: str, phone: str
) -> None:
    clerk, member = browser_page("clerk", language), browser_page("member", language)
    clerk.goto("/people/open")
    for field, text in (("name", name), ("born", "1948-05-06"), ("phone", phone), ("address", "六渡河村 7 号")):
        clerk.fill(f"#{field}", text)
    clerk.check("#elder")
    clerk.locator("main form button.button").click()
    expect(clerk.locator(".badge.warn")).to_be_visible()
    check_axe(clerk)
    shoot(clerk, "people-waiting")
    number = clerk.url.rpartition("/")[2]
    certify_all(member)

    for typed in (sound, phone[-4:], number[:5], name):
        clerk.goto("/people")
        clerk.locator("#q").press_sequentially(typed)
        line = clerk.get_by_role("option").filter(has_text=number)
        expect(line).to_be_visible()
        if typed == sound:
            check_axe(clerk)
            shoot(clerk, "people-found")
    line.click()
    expect(clerk.locator("h1")).to_have_text(name)

    clerk.select_option("#purpose", "visit")
    clerk.locator('form[action$="particulars"] button').click()
    expect(clerk.get_by_text("六渡河村 7 号")).to_be_visible()
    check_axe(clerk)
    shoot(clerk, "people-particulars")

    clerk.goto(f"/people/{number}/edit")
    clerk.fill("#phone", "137 0000 4321")
    clerk.locator("main form button.button").click()
    expect(clerk.locator(".note.good")).to_be_visible()
    certify_all(member)
    clerk.goto("/people")
    clerk.locator("#q").press_sequentially("4321")
    expect(clerk.get_by_role("option").filter(has_text=number)).to_be_visible()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_elder_gets_a_sign_in_on_a_slip(
    village: Village, browser_page: OpenPage, shoot: Shoot, check_axe: Check, language: str
) -> None:
    elder, clerk = village.elders[3 if language == "zh" else 4], browser_page("clerk", language)
    clerk.goto(f"/people/{elder.account}/sign-in")
    expect(clerk.locator("#name")).to_have_value(elder.account)
    clerk.locator("main form button.button").click()
    name, password = clerk.locator(".secret").all_inner_texts()
    expect(clerk.locator("button[data-print]")).to_be_visible()
    check_axe(clerk)
    shoot(clerk, "people-slip")

    own = browser_page(None, language)
    own.goto("/sign-in")
    own.fill("#name", name)
    own.fill("#password", password)
    own.locator("main button.button").click()
    own.goto("/account")
    own.get_by_role("link", name="Who looked at my data" if language == "en" else "谁看过我的资料").click()
    expect(own.locator("h1")).to_be_visible()
    check_axe(own)
    assert "/people" not in own.locator("nav").first.inner_html()


def test_by_keyboard_alone(village: Village, browser_page: OpenPage) -> None:
    page = browser_page("clerk")
    someone = village.people[8]
    page.goto("/people")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("wcm")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.get_by_role("option")).to_have_count(0)
    page.keyboard.type(" ")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(page.locator("#q")).to_have_attribute("aria-activedescendant", re.compile("found-0-0"))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/people/{someone.account}")
    page.goto(f"/people/{village.people[9].account}/links")
    page.locator("#relative").focus()
    page.keyboard.type("wcm")
    expect(page.locator(".found").first.get_by_role("option")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#relative")).to_have_value(someone.account)


def test_without_scripts(village: Village, browser_page: OpenPage) -> None:
    page = browser_page("clerk", "en", javascript=False)
    someone = village.people[10]
    page.goto("/people")
    page.fill("#q", "fxy")
    page.locator("main form button.button").click()
    expect(page.locator("h1")).to_have_text(someone.name)
    assert page.url.endswith(f"/people/{someone.account}")
    page.goto("/people")
    page.fill("#q", "138001")
    page.locator("main form button.button").click()
    expect(page.locator(".note.warn")).to_be_visible()
