"""What the passbook's journeys need of others: forms sent without a window, and keys granted at the desk."""

import re

import httpx
from playwright.sync_api import Page

from tests.pages.village import Village
from web.pages.passbook_keytext import parse_key_text

TOKEN = re.compile(r'name="token" value="([^"]+)"')


def post(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """Send a form as its page would: with the token that stands on the page."""
    found = TOKEN.search(client.get(path).text)
    assert found is not None, path
    return client.post(path, data={"token": found[1], **fields})


def make_key(page: Page) -> bytes:
    """Make a key in the browser and have its text shown; the public key in it."""
    page.goto("/me/key")
    page.locator("#key-make").click()
    page.locator("#key-show button").click()
    public = parse_key_text(page.locator(".key-text").inner_text())
    assert public is not None
    return public


def grant(village: Village, account: str, text: str, role: str) -> None:
    """Two members: one types what the phone shows, the other signs."""
    with village.client("member") as first, village.client("second") as second:
        typed = post(first, f"/people/{account}/keys", key=text, role=role)
        assert typed.status_code == 303, typed.text
        shown = second.get("/desk/certify").text
        sheet = re.search(r'value="(sheet:member/[^"]+)"', shown)
        assert sheet is not None, shown
        signed = post(second, "/desk/certify", act=sheet[1])
        assert signed.status_code == 303, re.findall(r'class="flaw"[^<]*<?[^<]*', signed.text)
