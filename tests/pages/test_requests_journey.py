"""Whistle to record, in browsers: the clerk asks, a volunteer comes and goes, a guardian confirms, a member signs."""

import datetime
import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page

from chain.fields import UTC
from ledger.bodies import Service
from ledger.kinds import CODEC
from store.home import Home
from store.reading import LedgerReader
from tests.pages.conftest import Check, OpenPage, Shoot
from tests.pages.village import ORIGIN, Village

REQUEST = re.compile(r"/requests/[0-9]+$")
MINUTE = datetime.timedelta(minutes=1)
LOCAL = datetime.timedelta(hours=8)


def services(village: Village) -> Iterator[tuple[int, Service]]:
    """All services on the ledger, the newest first."""
    with closing(LedgerReader(Home(village.home).ledger)) as reader:
        ledger = reader.ledger(ORIGIN)
        assert ledger is not None
        for index in reversed(range(ledger.entry_count())):
            raw = ledger.entry(index)
            body = CODEC.parse(raw).body if raw is not None else None
            if isinstance(body, Service):
                yield index, body


def fits(page: Page) -> None:
    """Nothing hangs over the edge of the window."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_whistle_to_record(
    village: Village, browser_page: OpenPage, shoot: Shoot, check_axe: Check, language: str
) -> None:
    elder, volunteer = village.elders[1], village.volunteers[2 if language == "zh" else 3]
    village.add_user(f"walker-{language}", "person", volunteer.account)
    begin = datetime.datetime.now(UTC).replace(second=0, microsecond=0) - 70 * MINUTE
    clerk = browser_page("clerk", language)

    clerk.goto(f"/requests/volunteers/{elder.account}")
    clerk.fill("#minutes", "6")
    clerk.select_option("#direction", "east")
    clerk.click("main form .button")
    clerk.goto(f"/requests/volunteers/{volunteer.account}")
    clerk.fill("#minutes", "11")
    clerk.select_option("#direction", "east")
    for box in clerk.locator(".week input").all():
        box.check()
    clerk.fill("#languages", "普通话，北京话")
    shoot(clerk, "requests-volunteer")
    check_axe(clerk)
    for box in clerk.locator(".week input").all():
        box.uncheck()  # the week of the form ends at ten in the evening, and this is tested at any hour
    clerk.click("main form .button")
    assert clerk.locator(".note.good").is_visible()
    shoot(clerk, "requests-volunteers")
    check_axe(clerk)

    clerk.goto("/requests/new")
    assert clerk.evaluate("document.activeElement.id") == "person", "the whistle is blown without a mouse"
    clerk.keyboard.type(elder.name[:2] if language == "zh" else elder.phone[-4:])
    clerk.locator("[role=option]").first.wait_for()
    clerk.keyboard.press("ArrowDown")
    clerk.keyboard.press("Enter")
    assert clerk.input_value("#person") == elder.account
    clerk.select_option("#what", "assistance/meals")
    clerk.fill("#day", f"{begin + LOCAL:%Y-%m-%d}")
    clerk.fill("#clock", f"{begin + LOCAL:%H%M}")
    clerk.fill("#minutes", "300")
    clerk.fill("#details", "钥匙在邻居家")
    shoot(clerk, "requests-new")
    check_axe(clerk)
    clerk.press("#clock", "Enter")
    clerk.wait_for_url(REQUEST)
    number = clerk.url.rsplit("/", 1)[1]
    ranks = clerk.locator(".ranked li").all_inner_texts()
    known = {body.provider for _index, body in services(village) if body.recipient == elder.account}
    faces = [each.name for each in village.volunteers if each.account in known]
    strangers = [rank for rank in ranks if not any(name in rank for name in faces)]
    assert volunteer.name in strangers[0], "who lives near, after the known faces"
    shoot(clerk, "requests-one")
    check_axe(clerk)
    clerk.goto("/requests")
    shoot(clerk, "requests-proposed")
    clerk.goto(f"/requests/{number}")
    for box in clerk.locator(".ranked input").all():
        box.set_checked(volunteer.account in (box.get_attribute("value") or ""))
    clerk.click("button[value=offer]")
    clerk.locator(".note.good").wait_for()

    phone = browser_page(f"walker-{language}", language, 360)
    phone.goto("/me/requests")
    shoot(phone, "requests-me")
    check_axe(phone)
    fits(phone)
    card = phone.locator(f"form[action='/me/requests/{number}']:has([value=accept])")
    assert elder.name not in phone.locator("main").inner_text(), "who it is, those alone hear who come"
    card.locator("button").click()
    phone.wait_for_url(f"**/me/requests/{number}")
    assert elder.address in phone.locator("main").inner_text()
    assert "钥匙在邻居家" in phone.locator("main").inner_text()
    shoot(phone, "requests-where")
    check_axe(phone)
    fits(phone)
    phone.goto("/me/service")
    shoot(phone, "requests-check-in")
    check_axe(phone)
    fits(phone)
    phone.wait_for_load_state("networkidle")
    phone.context.set_offline(True)
    phone.clock.set_fixed_time(begin + MINUTE)
    phone.click(f"form[action='/me/service/{number}'][data-step=check_in] button")
    going = phone.locator(f"form[action='/me/service/{number}'][data-step=check_out] button")
    going.wait_for()
    phone.clock.set_fixed_time(begin + 61 * MINUTE)
    going.click()
    phone.locator("#later[data-waiting='2']").wait_for()
    phone.clock.set_fixed_time(datetime.datetime.now(UTC))
    phone.context.set_offline(False)
    phone.locator("#later[data-waiting='0']").wait_for()
    phone.reload()
    assert not phone.locator(f"form[action='/me/service/{number}']").count(), "there and gone, as far as it goes"

    family = browser_page("guardian", language, 360)
    family.goto("/me/service")
    assert volunteer.name in family.locator("main").inner_text()
    shoot(family, "requests-confirm")
    check_axe(family)
    fits(family)
    confirm = family.locator(f"form[action='/me/service/{number}'][data-step=confirm]")
    confirm.locator("[name=rating][value='5']").check()
    confirm.locator("button").click()
    confirm.wait_for(state="detached")

    clerk.goto("/requests")
    shoot(clerk, "requests-overview")
    check_axe(clerk)
    clerk.locator(f"#confirmed ~ table a[href='/requests/{number}']").click()
    shoot(clerk, "requests-record")
    check_axe(clerk)
    assert clerk.input_value(f"#minutes-{volunteer.account}") == "60"
    payer = clerk.input_value(f"#payer-{volunteer.account}")
    clerk.click("button[value^='record:']")
    clerk.locator(".note.good").wait_for()

    member = browser_page("member", language)
    member.goto("/desk/certify")
    row = member.locator(".draft", has_text=volunteer.name).filter(has_text=elder.name).last
    row.locator("input").check()
    member.click("button[value=sign]")
    member.locator(".note.good").wait_for()
    index, body = next(services(village))
    assert (body.provider, body.recipient, body.minutes, body.rating) == (volunteer.account, elder.account, 60, 5)
    assert (body.start, body.end) == (begin + MINUTE, begin + 61 * MINUTE)
    assert body.requested is not None and body.accepted is not None and body.requested <= body.accepted
    assert (body.category, body.local) == ("assistance", "meals")
    assert (body.paid_by, body.evidence.form) == (payer, "paper")

    clerk.goto(f"/requests/{number}")
    assert str(index) in clerk.locator(".visit").inner_text()
    assert not clerk.locator("button[value=withdraw]").count(), "it is over"
    clerk.goto("/requests/demand")
    shoot(clerk, "requests-demand")
    check_axe(clerk)


def test_the_desk_and_a_door_work_without_javascript(village: Village, browser_page: OpenPage) -> None:
    """A request is made, several people of one name are told apart, and somebody without a phone is noted down."""
    elder, volunteer = village.elders[3], village.volunteers[4]
    clerk = browser_page("clerk", "en", javascript=False)
    now = datetime.datetime.now(UTC).replace(second=0, microsecond=0) + LOCAL
    clerk.goto("/requests/new")
    clerk.fill("#person", "13800")
    clerk.fill("#clock", f"{now - 90 * MINUTE:%H:%M}")
    clerk.fill("#day", f"{now - 90 * MINUTE:%Y-%m-%d}")
    clerk.fill("#minutes", "120")
    clerk.press("#minutes", "Enter")
    assert clerk.locator(".flaw").is_visible()
    clerk.fill("#person", elder.name)
    clerk.press("#minutes", "Enter")
    clerk.wait_for_url(REQUEST)
    clerk.fill("#somebody", volunteer.account)
    clerk.press("#somebody", "Enter")
    assert volunteer.name in clerk.locator(".note.good").inner_text()
    assert clerk.locator(".visit").count() == 1
    for act, clock in (("accept", None), ("check_in", 80), ("check_out", 20), ("confirm", None)):
        if clock is not None:
            clerk.fill(f"#clock-{volunteer.account}", f"{now - clock * MINUTE:%H%M}")
        clerk.click(f"button[value='{act}:{volunteer.account}']")
        assert clerk.locator(".note.good").is_visible(), act
    assert clerk.input_value(f"#minutes-{volunteer.account}") == "60"
