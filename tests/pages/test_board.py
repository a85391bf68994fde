"""The board: a supervisor finds a fraud and its proof, suspends the account with a second one, and sees it done."""

import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from chain.policy import NO_QUORUM, Policy
from node import Node
from tests.pages.board_village import FRAUD, PEOPLE, make_board_village
from tests.pages.conftest import Check, OpenPage, Shoot
from tests.pages.village import ORIGIN, Village, serving
from verify.receipts import check_receipt
from verify.rootproof import check_root_proof
from web.i18n import DOMAIN, LOCALE

LEDGER = f"/board/ledgers/{ORIGIN}"
PATHS = (
    "/board",
    "/board/ledgers",
    "/board/suspicions",
    "/board/trends",
    "/board/risk",
    LEDGER,
    f"{LEDGER}/suspicions",
    f"{LEDGER}/suspicions/0",
    f"{LEDGER}/accounts",
    f"{LEDGER}/accounts/{FRAUD}",
    f"{LEDGER}/entries/20",
)


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    """A village with officials of its township; in place of the one that all areas share."""
    with serving(make_board_village(tmp_path_factory.mktemp("board"))) as held:
        yield held


def token_of(text: str) -> str:
    found = re.search(r'name="token" value="([^"]+)"', text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("role", ["clerk", "member", "person"])
def test_only_supervisors_and_auditors(village: Village, role: str) -> None:
    with village.client(role) as client:
        assert {client.get(path).status_code for path in PATHS} == {403}
        assert client.post(f"{LEDGER}/suspicions/0").status_code == 403
    with village.client(None) as client:
        assert client.get("/board").headers["location"] == "/sign-in?to=%2Fboard"


def test_nobody_sees_beyond_their_subtree(village: Village) -> None:
    with village.client("elsewhere") as client:
        assert {client.get(path).status_code for path in PATHS if path.startswith(LEDGER)} == {403}
        assert ORIGIN not in client.get("/board/ledgers").text.partition("<main")[2]
        assert client.get(f"/board/trends?ledger={ORIGIN}").status_code == 403
        assert {client.get(path).status_code for path in ("/desk/certify", "/desk/coupons")} == {403}
    with village.client("auditor") as client:
        assert {client.get(path).status_code for path in PATHS} == {200}
        for path in ("entries/999999", f"accounts/{PEOPLE[0].account[:-1]}9", "cases/3", "suspicions/99"):
            assert client.get(f"{LEDGER}/{path}").status_code == 404, path
        assert client.get("/board/ledgers/x.example/y").status_code == 404


def test_an_auditor_decides_nothing(village: Village) -> None:
    with village.client("auditor") as client:
        page = client.get(f"{LEDGER}/suspicions/0").text
        assert "huzhu case open" in page and "Open the case" not in page
        token = token_of(page)
        assert client.post(f"{LEDGER}/suspicions/0", data={"token": token}).status_code == 403
    with village.client("li") as client:
        assert client.post(f"{LEDGER}/suspicions/0", data={"token": "x"}).status_code == 403


def test_opening_an_account_is_recorded(village: Village) -> None:
    from store.access import Access

    with village.client("zhao") as client:
        assert client.get(f"{LEDGER}/accounts/{PEOPLE[1].account}").status_code == 200
    access = Access(village.home / "access.db")
    looks = access.looks(PEOPLE[1].account)
    access.close()
    assert [(look.user, look.what) for look in looks] == [("zhao", "statement")]


def test_receipts_and_the_way_up_prove_the_entry(village: Village) -> None:
    with Node.open(village.home, writes=False) as node:
        policy = Policy((node.vkey,), (), (), NO_QUORUM)
    with village.client("auditor") as client:
        receipt = client.get(f"{LEDGER}/entries/20/receipt")
        assert "attachment" in receipt.headers["content-disposition"]
        assert check_receipt(receipt.content, policy).index == 20
        proof = client.get(f"{LEDGER}/entries/20/proof").content
        assert check_root_proof(proof, policy).entry.index == 20


def test_pages_are_small_and_need_no_script(village: Village) -> None:
    with village.client("auditor", "zh", headers={"Accept-Encoding": "gzip"}) as client:
        for path in PATHS:
            with client.stream("GET", path) as answer:
                assert len(b"".join(answer.iter_raw())) < 30_000, path
            text = client.get(path).text
            assert "style=" not in text and "<script>" not in text


@pytest.fixture
def in_chinese(tmp_path: Path) -> Iterator[Village]:
    """Another such village: a fraud is found and suspended once."""
    with serving(make_board_village(tmp_path)) as held:
        yield held


@pytest.mark.parametrize(("language", "which"), [("en", "village"), ("zh", "in_chinese")])
def test_a_supervisor_finds_and_suspends_a_fraud(
    request: pytest.FixtureRequest, browser_page: OpenPage, shoot: Shoot, check_axe: Check, language: str, which: str
) -> None:
    village: Village = request.getfixturevalue(which)
    said = gettext.translation(DOMAIN, LOCALE, [language], fallback=language == "en").gettext
    page, second = (browser_page(user, language, of=village) for user in ("li", "zhao"))
    page.goto("/board")
    first = page.locator(".urgent > li").first
    expect(first).to_contain_text(said("one volunteer gave two services at the same time"))
    first.get_by_role("link").click()
    page.get_by_role("link", name=said("one volunteer gave two services at the same time")).first.click()
    expect(page.locator(".entries > li")).to_have_count(2)
    page.locator(".entries a").first.click()
    with page.expect_download() as saved:
        page.get_by_role("link", name=said("Save the receipt")).click()
    with Node.open(village.home, writes=False) as node:
        policy = Policy((node.vkey,), (), (), NO_QUORUM)
    check_receipt(Path(saved.value.path()).read_bytes(), policy)
    page.go_back()
    page.locator("#note").fill("two visits at one time")
    page.get_by_role("button", name=said("Open the case")).click()
    expect(page.get_by_role("status")).to_be_visible()
    case = page.url
    page.locator("#step").select_option("hear")
    page.locator("#note").fill("says it was another day")
    page.get_by_role("button", name=said("Note it")).click()
    expect(page.locator(".entries").first).to_contain_text("says it was another day")
    page.locator("#closing").fill("two places at one time")
    page.locator("#outcome").select_option("upheld")
    act(page, "close")
    expect(page.locator(".note.warn", has=page.get_by_role("link"))).to_be_visible()
    shoot(page, "board-case-proposed")
    check_axe(page)
    sign(second)
    page.goto(case)
    page.locator("#measure").select_option("suspend")
    act(page, "sanction")
    second.goto("/board")
    expect(second.locator(".urgent > li").first).to_contain_text("li")
    shoot(second, "board-to-sign")
    sign(second)
    page.goto(case)
    expect(page.locator(".facts .badge")).to_have_text(said("suspended"))
    expect(page.locator("#counted ~ ul .badge.warn")).to_have_count(2)
    with village.client("member") as member:
        today = member.get("/desk").text
    case_index = case.rsplit("/", 1)[1]
    assert f"Case {case_index}<small" in today and '<small><a href="/desk/entries/' in today
    shoot(page, "board-case-done")
    check_axe(page)
    page.goto(f"{LEDGER}/accounts/{FRAUD}")
    expect(page.locator(".tile.bad")).to_contain_text(said("suspended"))
    with Node.open(village.home, writes=False) as node:
        assert node.state.accounts[FRAUD].status == "suspended"
    page.goto("/board")
    page.emulate_media(media="print")
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_by_keyboard_alone(browser_page: OpenPage) -> None:
    page = browser_page("auditor", "en", javascript=False)
    page.goto("/board/ledgers")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("To the content")
    page.keyboard.press("Enter")
    for _press in range(20):
        page.keyboard.press("Tab")
        if page.locator("tbody a:focus").count():
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(ORIGIN)


def act(page: Page, which: str) -> None:
    """Propose what one of the case's forms says."""
    page.locator("form", has=page.locator(f"input[name=act][value={which}]")).locator("button").click()


def sign(page: Page) -> None:
    """The second official looks at what waits, and signs all of it."""
    page.goto("/desk/certify")
    page.locator("button[value^='sheet:']").first.click()
    expect(page.get_by_role("status")).to_be_visible()
