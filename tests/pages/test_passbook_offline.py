"""The passbook without a network: pages of this session open, what is entered waits, after sign-out nothing stays."""

import datetime
import re

import pytest
from playwright.sync_api import Page, expect

from tests.pages.conftest import OpenPage, Shoot
from tests.pages.passbook_people import post
from tests.pages.village import Village

CACHED = "async () => (await (await caches.open('huzhu-pages')).keys()).map((each) => new URL(each.url).pathname)"
UNTIL_KEPT = f"""async (wanted) => {{
    for (let turn = 0; turn < 200; turn += 1) {{
        const found = (await ({CACHED})()).filter((path) => path !== "/me/offline").sort();
        if (found.join() === wanted.join()) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
    }}
    throw new Error(`kept: ${{await ({CACHED})()}}, not ${{wanted}}`);
}}"""


def kept(page: Page) -> list[str]:
    """What the service worker has of this session."""
    found: list[str] = page.evaluate(CACHED)
    return found


def open_kept(page: Page, *paths: str) -> None:
    """Open pages, and wait until the service worker has these and no others."""
    for place, path in enumerate(paths, 1):
        page.goto(path)
        page.evaluate(UNTIL_KEPT, sorted(paths[:place]))


def promise_a_visit(village: Village, elder: str) -> str:
    """The whistle: a request for now, offered to the user ``person``, who has accepted it; its number."""
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=8)
    with village.client("clerk") as clerk, village.client("person") as person:
        asked = post(
            clerk,
            "/requests/new",
            person=elder,
            what="assistance",
            day=now.date().isoformat(),
            clock=now.strftime("%H:%M"),
            minutes="60",
        )
        assert asked.status_code == 303, re.findall(r'class="flaw"[^<]*<[^<]*', asked.text)
        found = re.search(r"/requests/(\d+)", asked.headers["location"])
        assert found is not None
        offered = post(clerk, f"/requests/{found[1]}", act="offer", offer=village.users["person"])
        assert offered.status_code == 303
        assert clerk.get(f"/requests/{found[1]}").status_code == 200
        token = re.search(r'name="token" value="([^"]+)"', person.get("/me/requests").text)
        assert token is not None
        taken = person.post(f"/me/requests/{found[1]}", data={"token": token[1], "step": "accept"})
        assert taken.status_code == 303
        return found[1]


@pytest.mark.parametrize(("language", "elder"), [("zh", 3), ("en", 4)])
def test_a_volunteer_off_line_then_on(
    browser_page: OpenPage, village: Village, shoot: Shoot, language: str, elder: int
) -> None:
    number = promise_a_visit(village, village.elders[elder].account)
    page = browser_page("person", language, 360)
    open_kept(page, "/me", "/me/service")
    page.context.set_offline(True)

    page.goto("/me")
    expect(page.locator(".balance")).to_be_visible()
    expect(page.locator("#offline")).to_be_visible()
    shoot(page, "me-offline-360")

    page.goto("/me/service")
    form = page.locator(f'form[action="/me/service/{number}"]').first
    form.locator("button").click()
    expect(page.locator("#later")).to_have_attribute("data-waiting", "1")
    expect(form).to_have_attribute("data-step", "check_out")
    shoot(page, "me-service-waits-360")

    page.goto("/me/service")
    expect(page.locator("#later")).to_have_attribute("data-waiting", "1")
    expect(page.locator(f'form[action="/me/service/{number}"]').first).to_have_attribute("data-step", "check_out")

    page.context.set_offline(False)
    expect(page.locator("#later")).to_have_attribute("data-waiting", "0")
    expect(page.locator("#later-text")).to_be_visible()
    expect(page.locator(f'form[action="/me/service/{number}"][data-step=check_out]')).to_be_visible()
    page.goto("/me/service")
    expect(page.locator("#later")).to_be_hidden()
    with village.client("person", "en") as client:
        assert 'data-step="check_out"' in client.get("/me/service").text


def test_what_was_pressed_off_line_is_not_offered_again(browser_page: OpenPage, village: Village) -> None:
    number = promise_a_visit(village, village.elders[5].account)
    page = browser_page("person", "zh", 360)
    open_kept(page, "/me/service")
    page.context.set_offline(True)
    button = page.locator(f'form[action="/me/service/{number}"] button').first
    for waiting in ("1", "2"):
        button.click()
        expect(page.locator("#later")).to_have_attribute("data-waiting", waiting)
    expect(button).to_be_disabled()
    expect(button).to_have_text("已记在手机上")


def test_after_sign_out_nobody_sees_the_page_off_line(browser_page: OpenPage, village: Village) -> None:
    page = browser_page("person", "zh", 360)
    open_kept(page, "/me")
    account = village.users["person"]
    page.locator('form[action="/sign-out"] button').click()
    page.wait_for_url("**/sign-in")
    assert kept(page) == []
    page.context.set_offline(True)
    assert opened(page, "/me", account) is False


def test_a_sign_out_elsewhere_empties_what_is_kept(browser_page: OpenPage, village: Village) -> None:
    """The session ends on the node alone: the next page with a network finds out, and nothing is left."""
    page = browser_page("person", "zh", 360)
    open_kept(page, "/me")
    page.context.clear_cookies()
    page.goto("/me")
    page.wait_for_url("**/sign-in**")
    assert kept(page) == []
    page.context.set_offline(True)
    assert opened(page, "/me", village.users["person"]) is False


def test_another_person_never_sees_the_first_ones_page(browser_page: OpenPage, village: Village) -> None:
    """The phone goes from hand to hand without a sign-out."""
    page = browser_page("person", "zh", 360)
    open_kept(page, "/me", "/me/lines")
    held = village.session("elder")
    page.context.clear_cookies()
    page.context.add_cookies([{"name": "huzhu", "value": held, "url": village.url, "httpOnly": True}])
    page.goto("/me")
    expect(page.locator("main")).to_contain_text(village.users["elder"])
    page.evaluate(UNTIL_KEPT, ["/me"])
    page.context.set_offline(True)
    assert opened(page, "/me", village.users["person"]) is False
    assert opened(page, "/me/lines", village.users["person"]) is False
    assert opened(page, "/me", village.users["elder"]) is True


def test_a_session_that_has_ended_opens_nothing_off_line(browser_page: OpenPage, village: Village) -> None:
    page = browser_page("person", "zh", 360)
    open_kept(page, "/me")
    page.evaluate(
        """async () => { const cache = await caches.open("huzhu-pages");
        const old = await cache.match("/me", { ignoreVary: true }); const headers = new Headers(old.headers);
        headers.set("Huzhu-Until", "1"); await cache.put("/me", new Response(await old.text(), { headers })); }"""
    )
    page.context.set_offline(True)
    assert opened(page, "/me", village.users["person"]) is False
    page.context.set_offline(False)


def opened(page: Page, path: str, account: str) -> bool:
    """Whether that account's page opens; the browser's own page for a missing network is none."""
    try:
        page.goto(path)
    except Exception as error:
        assert "ERR_" in str(error)
        return False
    return account in page.content()
