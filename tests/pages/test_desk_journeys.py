"""A clerk's day and a member's, in a browser: by keyboard alone, in both languages, on a wide page and a narrow one."""

import datetime
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from chain.fields import UTC
from tests.pages.conftest import Check, OpenPage, Shoot
from tests.pages.village import Village
from web.daysheet import COLUMNS

STROKES_MAX = 30
"""For a service by a volunteer and an elder of whom neither was typed before: less than twenty seconds."""
QUARTERS = count()


class Keys:
    """Somebody's hands on the keyboard, counted."""

    def __init__(self, page: Page) -> None:
        self.page, self.strokes = page, 0

    def type(self, text: str) -> None:
        self.strokes += len(text)
        self.page.keyboard.type(text)

    def press(self, *names: str) -> None:
        for name in names:
            self.strokes += 1
            self.page.keyboard.press(name)

    def find(self, field: str, typed: str) -> None:
        """Type a few letters and take the first who is found."""
        self.type(typed)
        expect(self.page.locator(f"#{field} + ul li").first).to_be_visible()
        self.press("Enter")


def times() -> tuple[str, str]:
    """Fifteen minutes of yesterday evening that no other test has."""
    minute = 18 * 60 + next(QUARTERS) * 15
    return f"{minute // 60:02}{minute % 60:02}", f"{(minute + 15) // 60:02}{(minute + 15) % 60:02}"


def yesterday() -> str:
    return (datetime.datetime.now(UTC).date() - datetime.timedelta(days=1)).isoformat()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_clerk_s_day(browser_page: OpenPage, shoot: Shoot, check_axe: Check, language: str) -> None:
    """Two services by keyboard alone, the second with what is kept; a member signs both as a sheet."""
    page = browser_page("clerk", language)
    page.goto(f"/desk/record?date={yesterday()}&paid_by=issue&sheet=journey")
    keys, (start, end) = Keys(page), times()
    expect(page.locator("#provider")).to_be_focused()
    keys.find("provider", "zg")
    expect(page.locator("#recipient")).to_be_focused()
    keys.find("recipient", "hsq")
    expect(page.locator("#start")).to_be_focused()
    keys.type(start)
    keys.press("Tab")
    keys.type(end)
    expect(page.locator("#hours")).to_have_text("0.25")
    expect(page.locator("#preview.note")).to_contain_text("0.25")
    shoot(page, "desk-record-filled")
    check_axe(page)
    keys.press("Enter")
    page.wait_for_url("**/desk/record?provider=*")
    assert keys.strokes <= STROKES_MAX, keys.strokes

    expect(page.locator(".note.good")).to_be_visible()
    expect(page.locator("#recipient")).to_be_focused()
    keys, (start, end) = Keys(page), times()
    keys.find("recipient", "yyg")
    keys.type(start)
    keys.press("Tab")
    keys.type(end)
    keys.press("Enter")
    expect(page.locator(".note.good")).to_be_visible()
    assert keys.strokes <= STROKES_MAX / 2 + 2, keys.strokes

    member = browser_page("member", language)
    member.goto("/desk/certify")
    sheet = member.locator(".sheet", has=member.get_by_role("heading", name="journey"))
    expect(sheet.locator(".draft")).to_have_count(2)
    shoot(member, "desk-certify-sheet")
    check_axe(member)
    sheet.locator("button").focus()
    member.keyboard.press("Enter")
    expect(member.locator(".note.good")).to_be_visible()
    expect(member.locator(".sheet", has_text="journey")).to_have_count(0)
    member.goto("/desk")
    expect(member.locator("#done + p, #done ~ ul")).not_to_have_count(0)
    shoot(member, "desk-today-done")


def test_the_list_of_people_by_keyboard(browser_page: OpenPage, check_axe: Check) -> None:
    """As the pattern of a combobox asks: arrows, Escape, and what is told to whoever hears the page."""
    page = browser_page("clerk", "en")
    page.goto("/desk/record")
    field, lines = page.locator("#provider"), page.locator("#provider + ul li")
    page.keyboard.type("l")
    expect(lines.nth(1)).to_be_visible()
    expect(field).to_have_attribute("aria-expanded", "true")
    first = lines.nth(0).get_attribute("id")
    expect(field).to_have_attribute("aria-activedescendant", str(first))
    check_axe(page)
    page.keyboard.press("ArrowDown")
    expect(lines.nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(lines.last).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(field).to_have_attribute("aria-expanded", "false")
    page.keyboard.type("zzzz")
    expect(page.get_by_text("nobody is found by this")).to_be_visible()


def test_a_day_sheet_with_wrong_rows(
    village: Village, browser_page: OpenPage, shoot: Shoot, check_axe: Check, tmp_path: Path
) -> None:
    rows = [dict.fromkeys(COLUMNS, "") for _row in range(3)]
    for row, recipient in zip(rows, (village.elders[9], village.volunteers[1], village.elders[10]), strict=True):
        start, end = times()
        row |= {"date": yesterday(), "start": f"{start[:2]}:{start[2:]}", "end": f"{end[:2]}:{end[2:]}"}
        row |= {"provider": village.volunteers[6].account, "recipient": recipient.account, "category": "training"}
        row |= {"paid_by": "issue", "evidence": "paper"}
    rows[2]["start"] = "99:99"
    path = tmp_path / "day.csv"
    path.write_text("\n".join([",".join(COLUMNS), *(",".join(row.values()) for row in rows)]))
    page = browser_page("clerk")
    page.goto("/desk/sheets")
    page.locator("#file").set_input_files(path)
    expect(page.locator("tr.bad")).to_have_count(2)
    shoot(page, "desk-sheet-read")
    check_axe(page)
    page.locator("button[value=propose]").click()
    expect(page.locator("main [role=status]")).to_contain_text("1")
    with page.expect_download() as download:
        page.locator("button[value=refused]").click()
    assert download.value.suggested_filename == "day.refused.csv"
    assert Path(download.value.path()).read_text("utf-8-sig").count("\n") == 3


@pytest.mark.parametrize(
    ("language", "entry", "ground"), [("zh", 114, "那天没有人来过"), ("en", 113, "nobody came on that day")]
)
def test_an_objection(browser_page: OpenPage, shoot: Shoot, language: str, entry: int, ground: str) -> None:
    """From the entry to the objection that waits for a second person, without JavaScript."""
    page = browser_page("clerk", language, javascript=False)
    page.goto(f"/desk/entries/{entry}")
    page.locator("a[href^='/desk/objections']").click()
    expect(page.locator("#entry")).to_have_value(str(entry))
    page.locator("#ground").fill(ground)
    shoot(page, "desk-objection")
    page.locator("#write ~ form button").click()
    expect(page.locator(".note.good")).to_be_visible()
    member = browser_page("member", language, javascript=False)
    member.goto("/desk/certify")
    line = member.locator(".draft", has_text=ground)
    line.locator("input").check()
    member.locator("button[value=sign]").click()
    expect(member.locator(".note.good")).to_be_visible()
    member.goto("/desk/objections")
    expect(member.get_by_text(ground)).to_be_visible()
    shoot(member, "desk-objections-open")
    member.goto(f"/desk/entries/{entry}")
    expect(member.locator(".badge.warn")).to_be_visible()
