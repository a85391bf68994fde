"""Every page of the passbook: whole at 360 px and 200 % zoom, without a violation of WCAG, in both languages."""

import pytest
from playwright.sync_api import ViewportSize

from tests.pages.conftest import Check, OpenPage, Shoot

NAMES = ("lines", "key", "give", "object", "report", "confirm", "family", "looks")
PAGES = ("/me", *(f"/me/{name}" for name in NAMES))
PHONE, ZOOMED = ViewportSize(width=360, height=900), ViewportSize(width=320, height=450)
"""A phone; and 1,280 px at 400 %, which is more than the 200 % that must lose nothing."""
DESK = ViewportSize(width=1280, height=900)
WIDER = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_is_whole_and_accessible(
    browser_page: OpenPage, shoot: Shoot, check_axe: Check, language: str
) -> None:
    page = browser_page("person", language, 360)
    for path in PAGES:
        page.goto(path)
        check_axe(page)
        assert not page.evaluate(WIDER), path
        shoot(page, f"me-{path.rpartition('/')[2]}-360")
        page.set_viewport_size(ZOOMED)
        assert not page.evaluate(WIDER), path
        page.set_viewport_size(PHONE)
    page.set_viewport_size(DESK)
    page.goto("/me")
    shoot(page, "me-1280")
    guardian = browser_page("guardian", language, 360)
    guardian.goto("/me/family")
    check_axe(guardian)
    shoot(guardian, "me-family-guardian-360")
    person = browser_page("elder", language, 360)
    person.goto("/me/looks")
    shoot(person, "me-looks-elder-360")
