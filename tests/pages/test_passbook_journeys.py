"""The passbook with a key: made in the browser, granted at the desk, and what it signs stands on the ledger."""

import datetime
import io
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from chain.entry import Entry, statement_of
from chain.keys import key_id, verify_ed25519
from chain.merkle import leaf_hash
from chain.sheet import SheetDomain, SheetRoots
from ledger.bodies import Dispute, Gift, Service
from ledger.kinds import CODEC
from tests.pages.conftest import Check, OpenPage, Shoot
from tests.pages.passbook_people import grant, make_key
from tests.pages.village import ORIGIN, Village
from tests.web.rendering import codes
from web.pages.passbook_keytext import format_key_text


def entry_on(village: Village, index: int) -> tuple[bytes, Entry[Any]]:
    """An entry as anybody may fetch it."""
    with village.client() as client:
        found = client.get(f"/api/v1/entries/{index}")
        raw = found.content.partition(b'"entry":')[2][:-1]
    return raw, CODEC.parse(raw)


def domain_of(village: Village) -> SheetDomain:
    return SheetDomain(ORIGIN, leaf_hash(entry_on(village, 0)[0]))


def holds(village: Village, raw: bytes, entry: Entry[Any], publics: list[bytes]) -> bool:
    """Whether Python's own code takes the signatures: the author's first, then those beside."""
    size, root = SheetRoots().root(leaf_hash(statement_of(raw, entry)), entry)
    as_author, as_beside = domain_of(village).messages(entry.by, size, root)
    messages = [as_author, *[as_beside] * (len(publics) - 1)]
    assert [signature.key for signature in entry.sigs] == [key_id(public) for public in publics]
    signed = zip(publics, messages, entry.sigs, strict=True)
    return all(verify_ed25519(public, message, signature.sig) for public, message, signature in signed)


def index_told(page: Page) -> int:
    """The entry that a note at the head of the page names."""
    note = page.locator(".note.good").first
    expect(note).to_be_visible()
    return int("".join(character for character in note.inner_text() if character.isdigit()))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_from_a_new_key_to_a_gift_an_objection_and_a_confirmed_service(
    browser_page: OpenPage, village: Village, shoot: Shoot, check_axe: Check, language: str
) -> None:
    page = browser_page("person", language, 360)
    account, elder_account = village.users["person"], village.users["elder"]

    # The key: from the phone's screen to the desk, by QR code and by text.
    public = make_key(page)
    check_axe(page)
    shoot(page, "me-key-shown-360")
    picture = Image.open(io.BytesIO(page.locator(".key-qr").screenshot()))
    (code,) = codes(picture)
    assert code == format_key_text(public)
    expect(page.locator("#key-state")).to_have_attribute("data-state", "waits")
    grant(village, account, code, "volunteer")
    page.goto("/me/key")
    expect(page.locator("#key-state")).to_have_attribute("data-state", "granted")

    # A gift to the mother, signed here.
    page.goto("/me/give")
    page.locator(f"#to-{elder_account}").check()
    page.locator("#hours").fill("1")
    page.locator("#minutes").fill("5")
    page.locator("form.card button").click()
    expect(page.locator("p.large")).to_contain_text(village.elders[0].name)
    check_axe(page)
    shoot(page, "me-sure-360")
    page.locator("[data-sign-button]").click()
    page.wait_for_url("**/me")
    expect(page.locator(".note.good")).to_contain_text(village.elders[0].name)
    newest = page.locator(".lines a").first.get_attribute("href") or ""
    raw, entry = entry_on(village, int(newest.rpartition("/")[2]))
    assert entry.body == Gift(giver=account, minutes=65, to=elder_account)
    assert holds(village, raw, entry, [public])

    # Its promise holds in the browser, too.
    page.locator(".lines a").first.click()
    page.locator("[data-check]").click()
    expect(page.locator("#checked")).to_have_class("note good")
    shoot(page, "me-line-360")

    # An objection to the last service.
    page.goto("/me/object")
    page.locator("form[data-sign=dispute] input[name=index]").first.check()
    page.locator("#ground").fill("  那天我不在\n村里  ")
    page.locator("form[data-sign=dispute] [data-sign-button]").click()
    page.wait_for_url("**/me")
    raw, entry = entry_on(village, index_told(page))
    assert isinstance(entry.body, Dispute)
    assert (entry.body.party, entry.body.ground) == (account, "那天我不在 村里")
    assert holds(village, raw, entry, [public])

    # A service that both sign, each on their own phone.
    elder = browser_page("elder", language, 360)
    elder_public = make_key(elder)
    grant(village, elder_account, format_key_text(elder_public), "recipient")
    page.goto(f"/me/report?with={elder_account}")
    day = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=8)).date() - datetime.timedelta(days=1)
    page.locator("#date").fill(day.isoformat())
    page.locator("#start").fill("20:00")
    page.locator("#end").fill("20:50")
    page.locator("#paid-issue").check()
    shoot(page, "me-report-360")
    page.locator("[data-sign-button]").click()
    expect(page.locator(".note.good")).to_be_visible()
    elder.goto("/me")
    shoot(elder, "me-elder-asked-360")
    elder.goto("/me/confirm")
    check_axe(elder)
    shoot(elder, "me-confirm-360")
    elder.locator("[data-sign-button]").click()
    expect(elder.locator(".note.good")).to_be_visible()
    raw, entry = entry_on(village, index_told(elder))
    assert isinstance(entry.body, Service)
    assert (entry.body.provider, entry.body.recipient, entry.body.minutes) == (account, elder_account, 50)
    assert entry.body.evidence.form == "signed"
    assert holds(village, raw, entry, [public, elder_public])
    elder.goto("/me/confirm")
    expect(elder.locator("form[data-sign]")).to_have_count(0)


def test_without_scripts_the_desk_is_asked(browser_page: OpenPage, village: Village, shoot: Shoot) -> None:
    page = browser_page("elder", "zh", 360, javascript=False)
    page.goto("/me/give")
    page.locator("#to-pool").check()
    page.locator("#hours").fill("0")
    page.locator("form.card button").click()
    expect(page.locator(".note.bad:visible")).to_be_visible()
    page.locator("#minutes").fill("30")
    page.locator("#to-pool").check()
    page.locator("form.card button").click()
    page.locator("button[name=back]").click()
    expect(page.locator("#minutes")).to_have_value("30")
    page.locator("form.card button").click()
    page.locator("[data-desk-button]").click()
    expect(page.locator(".note.good")).to_be_visible()
    clerk = browser_page("clerk", "zh")
    clerk.goto("/desk/asked")
    card = clerk.locator("section.card", has_text=village.users["elder"])
    expect(card).to_have_count(1)
    shoot(clerk, "desk-asked")
    card.locator("button[value=take]").click()
    expect(clerk.locator("main .note")).to_be_visible()
