"""The page that checks receipts: in the browser, off line, and by the node where no script runs."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from chain.note import ED25519, format_vkey, make_vkey
from tests.pages.conftest import Check, OpenPage, Shoot
from tests.pages.village import Village
from tests.web.desk import run
from tests.web.test_papercodes import BAD, code, name_of
from web.papercodes import PaperError, format_codes, parse_codes, slim
from web.service.door import CHECK_MAX_BYTES

PROVEN, NOT_PROVEN, NOT_CHECKED = "Proven", "Not proven", "Not checked"
OTHER_KEY = format_vkey(make_vkey("village.example/huzhu", ED25519, bytes(range(32))))
CAMERA = """
window.seen = [];
window.BarcodeDetector = class {
  async detect() { return window.seen.splice(0, 1).map((rawValue) => ({ rawValue })); }
};
"""
NO_CAMERA = "delete window.BarcodeDetector;"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8ffff3f0005fe02fe"
    "dccc59e70000000049454e44ae426082"
)


class Papers:
    """What a committee has handed out."""

    def __init__(self, village: Village, folder: Path) -> None:
        self.account = village.volunteers[0].account
        self.trust = self._made(village, folder / "trust.txt", "trust")
        self.members = self._made(village, folder / "members.txt", "trust", "--members")
        self.balance = self._made(village, folder / "balance", "receipt", "--balance", self.account).encode()
        self.entry = self._made(village, folder / "entry", "receipt", "38").encode()
        self.codes = format_codes(slim(self.balance))

    def _made(self, village: Village, path: Path, *words: str) -> str:
        run(*words, "--home", village.home, "-o", path, "--lang", "en")
        return path.read_text()


@pytest.fixture(scope="module")
def papers(village: Village, tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(village, tmp_path_factory.mktemp("papers"))


@pytest.fixture
def check_page(browser_page: OpenPage) -> Page:
    """The page in English, loaded by a stranger, and then off line."""
    page = browser_page(None, "en")
    page.add_init_script(NO_CAMERA)
    return off_line(page)


def off_line(page: Page) -> Page:
    page.goto("/check")
    page.locator("[data-ready]").wait_for()
    page.context.set_offline(True)
    return page


def checked(page: Page, receipt: str, trust: str | None = None) -> tuple[str, str]:
    """The heading and the rest of what the page says."""
    page.evaluate("document.getElementById('found').replaceChildren()")
    page.fill("#receipt", receipt)
    if trust is not None:
        page.fill("#trust", trust)
    page.get_by_role("button", name="Check", exact=True).click()
    return told(page)


def told(page: Page) -> tuple[str, str]:
    heading = page.locator("#found h2")
    heading.wait_for()
    assert page.evaluate("document.activeElement.id") == "found"
    return heading.inner_text()[2:], page.locator("#found .note").inner_text().partition("\n")[2].strip()


def test_the_codes_of_a_balance_are_proven_off_line(check_page: Page, papers: Papers) -> None:
    heading, text = checked(check_page, "\n".join(reversed(papers.codes)))
    assert heading == PROVEN
    assert papers.account in text and "liuduhe.example/huzhu" in text and "5 h" in text
    assert "this node states of itself" in text and "nothing was sent" in text


def test_the_receipt_itself_is_proven_too(check_page: Page, papers: Papers) -> None:
    for raw, word in ((papers.balance, "Free to spend"), (papers.entry, "emotional comfort")):
        heading, text = checked(check_page, raw.decode().replace("\n", "\r\n"), papers.trust + "# from the board\n")
        assert heading == PROVEN and word in text and "the key that you gave" in text


def test_a_key_alone_is_trust_enough(check_page: Page, papers: Papers) -> None:
    assert checked(check_page, papers.entry.decode(), f"  {papers.trust.split()[1]} \n")[0] == PROVEN


def test_a_quorum_counts(check_page: Page, papers: Papers) -> None:
    heading, text = checked(check_page, papers.balance.decode(), papers.members)
    assert heading == NOT_PROVEN and "lacks signatures" in text
    none = papers.members.replace("quorum members", "quorum none")
    assert checked(check_page, papers.balance.decode(), none)[0] == PROVEN


def test_one_changed_byte_is_not_proven(check_page: Page, papers: Papers) -> None:
    raw = slim(papers.balance)
    for place in range(5, len(raw), 211):
        changed = raw[:place] + (b"2" if raw[place : place + 1] != b"2" else b"3") + raw[place + 1 :]
        for text in ("\n".join(format_codes(changed)), changed.decode(errors="replace")):
            heading, said = checked(check_page, text, papers.trust)
            assert heading in (NOT_PROVEN, NOT_CHECKED), (place, said)


@pytest.mark.parametrize(
    ("trust", "heading", "said"),
    [
        (OTHER_KEY, NOT_PROVEN, "the key above is of another ledger than this receipt, which is of liuduhe"),
        ("", NOT_CHECKED, "no trust file and no key"),
        ("hello", NOT_CHECKED, "no trust file and no key"),
        (f"log {OTHER_KEY}\n", NOT_CHECKED, "no trust file and no key"),
        (f"log {OTHER_KEY}\ngroup a 2 b\nquorum a\n", NOT_CHECKED, "no trust file and no key"),
    ],
)
def test_trust_is_asked_for(check_page: Page, papers: Papers, trust: str, heading: str, said: str) -> None:
    found = checked(check_page, papers.entry.decode(), trust)
    assert found[0] == heading and said in found[1]


def test_the_browser_says_of_codes_what_the_command_says(check_page: Page) -> None:
    texts = [text for text, _said in BAD]
    said = check_page.evaluate(
        """async (texts) => {
          const { src } = document.querySelector("script[src*='check.js']");
          const { parseCodes } = await import(src.replace("check.js", "papercodes.js"));
          const words = JSON.parse(document.querySelector(".check").dataset.words).codes;
          return Promise.all(texts.map((text) => parseCodes(text).then(() => "read", ({ why, values }) =>
            words[why].replace(/\\{(\\w+)\\}/g, (_, name) => values[name]))));
        }""",
        texts,
    )
    assert said == [_refusal(text) for text in texts]


def _refusal(text: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANGUAGE", "en")
        try:
            parse_codes(text)
        except PaperError as error:
            return str(error)
    return "read"


def test_files_are_read_where_they_are(check_page: Page, papers: Papers, tmp_path: Path) -> None:
    receipt, codes, picture = tmp_path / "a", tmp_path / "b.txt", tmp_path / "c.png"
    receipt.write_bytes(papers.balance)
    codes.write_text("\n".join(papers.codes))
    picture.write_bytes(PIXEL)
    for path, heading, said in (
        (receipt, PROVEN, papers.account),
        (codes, PROVEN, papers.account),
        (picture, NOT_CHECKED, "this browser cannot read codes from pictures"),
    ):
        check_page.evaluate("document.getElementById('found').replaceChildren()")
        check_page.set_input_files("#file", path)
        found = told(check_page)
        assert found[0] == heading and said in found[1]
    check_page.evaluate("document.getElementById('found').replaceChildren()")
    check_page.evaluate(
        """(text) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([text], "codes.txt", { type: "text/plain" }));
          document.querySelector(".check h1").dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
        }""",
        "\n".join(papers.codes),
    )
    assert told(check_page)[0] == PROVEN


def test_codes_are_scanned_one_by_one(browser_page: OpenPage, papers: Papers) -> None:
    page = browser_page(None, "en", permissions=["camera"])
    page.add_init_script(CAMERA)
    page.add_init_script(_stream())
    page = off_line(page)
    page.get_by_role("button", name="Scan with the camera").click()
    page.locator("[data-aim]").get_by_text("Hold the code").wait_for()
    page.evaluate("(text) => window.seen.push(text)", papers.codes[1])
    page.locator("[data-aim]").get_by_text("1 codes read.").wait_for()
    page.evaluate("(text) => window.seen.push(text, text)", papers.codes[0])
    assert told(page)[0] == PROVEN
    expect(page.locator(".viewer")).to_be_hidden()
    page.get_by_role("button", name="Scan the key").click()
    page.evaluate("(text) => window.seen.push(text)", papers.trust)
    expect(page.locator("#trust")).to_have_value(papers.trust.strip())


def _stream() -> str:
    """A camera that shows a grey wall."""
    return """
    navigator.mediaDevices.getUserMedia = async () => {
      const canvas = document.createElement("canvas");
      canvas.getContext("2d").fillRect(0, 0, 9, 9);
      return canvas.captureStream(5);
    };
    """


def test_it_is_checked_by_keyboard_alone(check_page: Page, papers: Papers) -> None:
    check_page.locator("#receipt").focus()
    check_page.keyboard.insert_text("\n".join(papers.codes))
    for _step in range(3):
        check_page.keyboard.press("Tab")
    check_page.keyboard.press("Enter")
    assert told(check_page)[0] == PROVEN


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_looks_right(
    browser_page: OpenPage, papers: Papers, shoot: Shoot, check_axe: Check, language: str
) -> None:
    for width in (1280, 360):
        page = browser_page(None, language, width)
        page.goto("/check")
        page.locator("[data-ready]").wait_for()
        check_axe(page)
        page.fill("#receipt", "\n".join(papers.codes))
        page.locator("form .button:visible").last.click()
        page.locator("#found h2").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        check_axe(page)
        shoot(page, f"check-{width}")


# By the node


def posted(village: Village, receipt: str = "", trust: str = "", **more: Any) -> tuple[int, str]:
    """The status, and what the page says."""
    with village.client(None, "en") as client:
        answer = client.post("/check", data={"receipt": receipt, "trust": trust}, **more)
    text = answer.text
    return answer.status_code, text[text.index('id="found"') : text.index("</section>")]


def test_without_scripts_the_node_checks(browser_page: OpenPage, papers: Papers) -> None:
    page = browser_page(None, "en", javascript=False)
    page.goto("/check")
    page.fill("#receipt", "\n".join(papers.codes))
    page.get_by_role("button", name="Check", exact=True).click()
    assert PROVEN in page.locator("#found h2").inner_text()
    assert papers.account in page.locator("#found").inner_text()


def test_the_node_checks_codes_receipts_and_files(village: Village, papers: Papers) -> None:
    for receipt in (papers.balance.decode(), papers.entry.decode().replace("\n", "\r\n"), "\n".join(papers.codes)):
        status, said = posted(village, receipt, papers.trust)
        assert status == 200 and PROVEN in said and "states of itself" in said
    status, said = posted(village, "", papers.trust.split()[1], files={"file": ("a", papers.balance)})
    assert status == 200 and PROVEN in said and "the key that you gave" in said
    raw = papers.entry.replace(b"index 38", b"index 37")
    status, said = posted(village, raw.decode(), papers.trust)
    assert status == 200 and NOT_PROVEN in said and "does not lead" in said
    status, said = posted(village, papers.entry.decode(), papers.members)
    assert status == 200 and "lacks the quorum" in said


@pytest.mark.parametrize(
    ("receipt", "trust", "said"),
    [
        ("", "", "no trust file"),
        ("hello", None, "this is no receipt"),
        ("<script>alert(1)</script>", None, "this is no receipt"),
        ("HZR1:1/2:hello", None, "cut off or misread: HZR1:1/2:HELLO"),
        (code(1, 1, name_of(b"abc"), "AAAA"), None, "make no receipt"),
        ("x" * (CHECK_MAX_BYTES // 2), None, "this is no receipt"),
        ("hello", "log nobody\nquorum none", "no trust file"),
        ("hello", "\ud800", "no trust file"),
    ],
)
def test_what_cannot_be_checked_is_said(
    village: Village, papers: Papers, receipt: str, trust: str | None, said: str
) -> None:
    encoded = (papers.trust if trust is None else trust).encode(errors="replace").decode()
    status, text = posted(village, receipt, encoded)
    assert status == 422 and NOT_CHECKED in text and said in text and "<script>" not in text


def test_the_form_is_bounded(village: Village) -> None:
    with village.client(None, "en") as client:
        answer = client.post("/check", data={"receipt": "x" * (CHECK_MAX_BYTES + 1)})
    assert answer.status_code == 413
