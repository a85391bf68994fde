"""An elder asks for help in a browser, the desk blows the whistle, and the elder reads who comes."""

import re

import pytest

from tests.pages.conftest import Check, OpenPage, Shoot
from tests.pages.test_requests_journey import fits
from tests.pages.village import Village

REQUEST = re.compile(r"/requests/[0-9]+$")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_asked_for_on_a_phone_and_answered(
    village: Village, browser_page: OpenPage, shoot: Shoot, check_axe: Check, language: str
) -> None:
    elder, volunteer = village.elders[0], village.volunteers[8 if language == "zh" else 9]
    phone, desk = browser_page("elder", language, 360), browser_page("clerk", language)

    phone.goto("/me")
    phone.click("main a[href='/me/ask']")
    phone.select_option("#what", "emotional_comfort")
    phone.fill("#clock", "14:30")
    phone.select_option("#minutes", "120")
    phone.fill("#details", f"灯泡要换 {language}")
    fits(phone)
    check_axe(phone)
    shoot(phone, "me-ask-360")
    phone.click("main form .button")
    assert phone.url.endswith("/me"), "nothing of it stands in the address"
    assert phone.locator("form[action^='/me/ask/'] button").count() == 1
    fits(phone)
    check_axe(phone)
    shoot(phone, "me-asked-360")

    desk.goto("/desk/asked")
    check_axe(desk)
    shoot(desk, "desk-asked")
    about = desk.locator("section.card", has_text=f"灯泡要换 {language}")
    about.locator("a.button").click()
    assert desk.input_value("#person") == elder.account and desk.input_value("#clock") == "14:30"
    desk.goto("/desk/asked")
    about.locator("button[value=whistle]").click()
    desk.wait_for_url(REQUEST)

    phone.goto("/me")
    assert not phone.locator("form[action^='/me/ask/']").count()
    desk.request.get("/desk")
    number = desk.url.rpartition("/")[2]
    village.add_user(f"answers-{language}", "person", volunteer.account)
    other = browser_page(f"answers-{language}", language, 360)
    other.goto("/me/requests")
    fits(other)
    shoot(other, "me-requests-360")
    other.click(f"form[action='/me/requests/{number}'] button")
    other.goto("/me/service")
    fits(other)
    check_axe(other)
    shoot(other, "me-service-360")

    phone.goto("/me")
    assert volunteer.name in phone.inner_text("main")
    shoot(phone, "me-answered-360")
