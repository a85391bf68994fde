"""Who signs in with a password that somebody else made: staff are led to choose their own, people are asked to."""

from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from store.access import Access
from tests.pages.areas import may_see
from tests.pages.conftest import Check, OpenPage, Shoot
from tests.pages.people import TOKEN, send
from tests.pages.village import PASSWORD, Village
from tests.pages.walking import Route

OWN = "six green persimmons"
STAFF = ("clerk", "member", "supervisor", "auditor")
FREE = ("/account", "/sign-out")
"""What is open to them, besides what is to a stranger."""
PAGES_MIN = 60
INVITATION = 'p.note a[href="/account"]'


def given(village: Village, name: str, role: str = "clerk", account: str = "") -> None:
    """A user of a test's own with a password that the committee made."""
    with closing(Access(village.home / "access.db")) as access:
        known = access.user(name)
    if known is None:
        village.add_user(name, role, account)
    with closing(Access(village.home / "access.db")) as access:
        user = access.user(name)
        assert user is not None
        access.set_password(name, user.password, is_given=True)


def sign_in(page: Page, name: str, password: str, to: str = "/") -> None:
    page.goto(f"/sign-in?to={to}")
    page.fill("#name", name)
    page.fill("#password", password)
    page.click("main button")


@pytest.mark.parametrize("role", STAFF)
def test_every_page_leads_to_the_account(village: Village, known: list[Route], role: str) -> None:
    given(village, f"given-{role}", role)
    closed = [route for route in known if route.pattern not in FREE and not may_see(None, route.pattern)]
    led = 0
    with village.client(f"given-{role}") as client:
        for route in closed:
            path = route.sample(village.elders[0].account)
            answer = client.request(route.method, path)
            is_led = (answer.status_code, answer.headers.get("location")) == (303, "/account")
            assert is_led or answer.status_code in (403, 404), route
            led += is_led
        assert led > PAGES_MIN
        assert client.get("/account").status_code == 200
        assert client.get("/").status_code == 303


def test_nothing_is_done_by_a_form_before(village: Village) -> None:
    given(village, "given-form")
    with village.client("given-form") as client:
        token = TOKEN.search(client.get("/account").text)
        assert token is not None
        answer = client.post("/people/sign-ins/change", data={"token": token[1], "name": "elder", "act": "remove"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    with closing(Access(village.home / "access.db")) as access:
        assert access.user("elder") is not None


def test_health_tells_a_newcomer_no_more_than_a_stranger(village: Village) -> None:
    given(village, "given-health")
    with village.client("given-health") as client, village.client() as stranger:
        assert client.get("/api/v1/health").json().keys() == stranger.get("/api/v1/health").json().keys()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_clerk_chooses_a_password_and_goes_on(
    village: Village, browser_page: OpenPage, shoot: Shoot, check_axe: Check, language: str
) -> None:
    name = f"given-{language}"
    given(village, name)
    page = browser_page(None, language)
    sign_in(page, name, PASSWORD, "/about")
    expect(page).to_have_url(f"{village.url}/account")
    expect(page.get_by_role("status")).to_be_visible()
    assert not page.get_by_role("navigation").count(), "nothing is offered that is not open"
    check_axe(page)
    shoot(page, "account-given")
    page.goto("/desk/record")
    expect(page).to_have_url(f"{village.url}/account")
    page.fill("#old", PASSWORD)
    page.fill("#new", PASSWORD)
    page.click("main button")
    expect(page.locator("#new-flaw")).to_be_visible()
    page.fill("#old", PASSWORD)
    page.fill("#new", OWN)
    page.click("main button")
    page.wait_for_url("**/sign-in")
    sign_in(page, name, OWN, "/desk/record")
    expect(page).to_have_url(f"{village.url}/desk/record")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_person_is_asked_to_and_may_leave_it(
    village: Village, browser_page: OpenPage, shoot: Shoot, check_axe: Check, language: str
) -> None:
    elder = village.elders[5 if language == "zh" else 6].account
    answer = send(village, "clerk", f"/people/{elder}/sign-in", {"name": f"elder-{language}"})
    assert answer.status_code == 200
    page = browser_page(f"elder-{language}", language)
    page.goto("/me")
    expect(page.locator("h1")).to_be_visible()
    check_axe(page)
    shoot(page, "me-given")
    page.locator(INVITATION).click()
    expect(page.get_by_role("status")).to_be_visible()
    check_axe(page)
    shoot(page, "account-person-given")
    with closing(Access(village.home / "access.db")) as access:
        user = access.user(f"elder-{language}")
        assert user is not None and user.is_given
        access.set_password(user.name, user.password)
    page = browser_page(f"elder-{language}", language)
    page.goto("/me")
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator(INVITATION)).to_have_count(0)


def test_who_looked_stands_at_one_place(village: Village) -> None:
    with village.client("person") as client:
        assert client.get("/account/looks").status_code == 404
        assert 'href="/me/looks"' in client.get("/account").text
        assert client.get("/me/looks").status_code == 200
    with village.client("clerk") as client:
        assert "looks" not in client.get("/account").text
