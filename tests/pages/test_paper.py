"""Paper: every sheet as PDF and as a picture of it, its codes read back, and what they prove."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pypdfium2  # type: ignore[import-untyped]
import pytest
import segno
import zxingcpp
from PIL import Image

from chain.limits import INTEGER_MAX
from store.access import Access
from tests.pages.conftest import Check, OpenPage, Shoot
from tests.pages.village import ORIGIN, Village
from tests.web.desk import run
from web.pages.paper_sheets import check_address
from web.papercodes import parse_codes
from web.printing import QR_ERROR_CORRECTION

A4_POINTS = (595, 842)
POINTS_PER_INCH = 72
MODULE_MIN_MM = 0.4
MM_PER_INCH = 25.4
LANGUAGES = ("zh", "en")
Printed = dict[tuple[str, str], bytes]


def pictures(pdf: bytes, dpi: int) -> Iterator[Image.Image]:
    """The pages as a scanner would see them."""
    for page in pypdfium2.PdfDocument(pdf):
        width, height = page.get_size()
        assert (round(width), round(height)) == A4_POINTS
        yield page.render(scale=dpi / POINTS_PER_INCH).to_pil()


def scanned(picture: Image.Image) -> list[Any]:
    """All codes of a receipt in a picture."""
    return [code for code in zxingcpp.read_barcodes(picture) if code.text.startswith("HZR1:")]


def receipts(texts: list[str]) -> list[str]:
    """The codes sorted by the receipt that they belong to, the order of the paper kept."""
    found: dict[str, list[str]] = {}
    for text in texts:
        found.setdefault(text.split(":")[2], []).append(text)
    return ["\n".join(each) for each in found.values()]


@pytest.fixture(scope="module")
def trust(village: Village, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trust") / "trust.txt"
    run("trust", "--home", village.home, "-o", path, "--lang", "en")
    return path


def proven(text: str, trust: Path, status: int = 0) -> str:
    """What ``huzhu check-receipt`` says of scanned codes."""
    path = trust.parent / "scanned.txt"
    path.write_text(text)
    return run("check-receipt", path, "--trust", trust, "--lang", "en", status=status).output


@pytest.fixture(scope="module")
def sheets(village: Village) -> dict[str, str]:
    """Where each sheet is, for the desk."""
    volunteer = village.volunteers[0].account
    with village.client("clerk") as client:
        month = re.findall(r"/paper/posting/(\d{4}-\d{2})", client.get("/paper").text)[0]
        entry = re.findall(r'number">(\d+)</td></tr>', client.get(f"/paper/passbook/{volunteer}").text)[0]
    return {
        "passbook": f"/paper/passbook/{volunteer}",
        "certificate": f"/paper/hours/{volunteer}?first=2020-01-01",
        "posting": f"/paper/posting/{month}",
        "held": "/paper/held",
        "receipt": f"/paper/entry/{entry}",
    }


@pytest.fixture(scope="module")
def printed(village: Village, sheets: dict[str, str]) -> Printed:
    """Each sheet as PDF, by its name and language."""
    found = {}
    for language in LANGUAGES:
        with village.client("member", language) as client:
            for name, address in sheets.items():
                answer = client.get(as_pdf(address))
                assert answer.headers["content-type"] == "application/pdf"
                assert answer.headers["cache-control"] == "no-store"
                found[name, language] = answer.content
    return found


def as_pdf(address: str) -> str:
    path, mark, query = address.partition("?")
    return f"{path}.pdf{mark}{query}"


SHEETS = ("passbook", "certificate", "posting", "held", "receipt")
DPI = 200
"""As a cheap scanner or a phone held over the page sees it, in black and white without grey."""


@pytest.mark.parametrize("sheet", SHEETS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_printed_is_proven(
    village: Village, printed: Printed, trust: Path, sheet: str, language: str
) -> None:
    codes = [code for picture in pictures(printed[sheet, language], DPI) for code in scanned(picture.convert("1"))]
    (text,) = receipts([code.text for code in codes])
    said = proven(text, trust)
    assert "PROVEN by the log liuduhe.example/huzhu" in said
    assert (village.volunteers[0].account in said) == (sheet not in ("posting", "held"))
    other = "A" if text[-9] != "A" else "B"
    assert "not read right" in proven(f"{text[:-9]}{other}{text[-8:]}", trust, 2)
    for code in codes:
        modules = segno.make(code.text, error=QR_ERROR_CORRECTION).symbol_size(border=0)[0]
        width = code.position.top_right.x - code.position.top_left.x
        assert width / DPI * MM_PER_INCH / modules >= MODULE_MIN_MM


def test_one_changed_byte_is_not_proven(printed: Printed, trust: Path) -> None:
    found = [code.text for picture in pictures(printed["passbook", "zh"], DPI) for code in scanned(picture)]
    raw = parse_codes("".join(found))
    path = trust.parent / "changed.txt"
    digit, signed = raw.index(b"index ") + 6, raw.index(f"— {ORIGIN} ".encode()) + 60
    for place in (digit, len(raw) // 2, signed):  # the log's own signature; a member's beside it is not asked for
        other = b"1" if raw[place : place + 1] != b"1" else b"2"
        path.write_bytes(raw[:place] + other + raw[place + 1 :])
        assert "NOT PROVEN" in run("check-receipt", path, "--trust", trust, "--lang", "en", status=1).output


def test_receipts_of_all_services_stand_behind_a_certificate(
    village: Village, sheets: dict[str, str], trust: Path
) -> None:
    with village.client("clerk", "en") as client:
        address = sheets["certificate"] + "&receipts=1"
        page, pdf = client.get(address).text, client.get(as_pdf(address)).content
    count = len(re.findall(r"<td>\d{4}-\d{2}-\d{2}</td>", page))
    assert f"The receipts of {count} services stand in the PDF." in page
    found = receipts([code.text for picture in pictures(pdf, 200) for code in scanned(picture)])
    assert len(found) == count + 1
    assert all("PROVEN" in proven(text, trust) for text in found)


def test_everything_is_black_and_white(printed: Printed) -> None:
    for pdf in printed.values():
        for picture in pictures(pdf, POINTS_PER_INCH):
            saturation = picture.convert("RGB").convert("HSV").getchannel("S")
            assert saturation.getextrema() == (0, 0)


def test_the_posting_names_nobody(village: Village, sheets: dict[str, str]) -> None:
    with village.client("clerk", "en") as client:
        page = client.get(sheets["posting"]).text
    article = page[page.index("<article") : page.index("</article>")]
    assert village.volunteers[0].account in article
    assert not any(each.name in page or each.phone in page for each in village.people)


def test_the_passbook_adds_up(village: Village) -> None:
    elder = village.people[13].account
    with village.client("clerk", "en") as client:
        page = client.get(f"/paper/passbook/{elder}").text
        earlier = client.get(f"/paper/passbook/{elder}?before=0").text
    assert "from the old book" in page and "+10 h" in page
    assert "Nothing is written on this account yet." in earlier


def test_a_look_is_recorded(village: Village) -> None:
    number = village.volunteers[5].account
    with village.client("clerk") as client:
        client.get(f"/paper/passbook/{number}").raise_for_status()
    held = Access(village.home / "access.db")
    try:
        assert ("clerk", "passbook", number) in {(look.user, look.what, look.account) for look in held.looks(number)}
    finally:
        held.close()


def test_one_prints_what_is_ones_own(village: Village, trust: Path) -> None:
    number = village.users["person"]
    with village.client("person", "en") as client:
        assert number in client.get("/me/paper/passbook").text
        pdf = client.get("/me/paper/passbook.pdf").content
        assert "this account gave" in client.get("/me/paper/hours?first=2020-01-01").text
        entries = re.findall(r'number">(\d+)</td></tr>', client.get("/me/paper/passbook").text)
        assert client.get(f"/me/paper/entry/{entries[0]}").status_code == 200
        foreign = next(str(index) for index in range(40, 90) if str(index) not in entries)
        assert client.get(f"/me/paper/entry/{foreign}").status_code == 403
    (text,) = receipts([code.text for picture in pictures(pdf, DPI) for code in scanned(picture)])
    assert f"account {number} had" in proven(text, trust)


OWN = ["/me/paper", "/me/paper/passbook", "/me/paper/passbook.pdf", "/me/paper/hours", "/me/paper/entry/40"]
DESK = ["/paper", "/paper/passbook/{number}", "/paper/passbook/{number}.pdf", "/paper/hours/{number}"]
DESK += ["/paper/entry/40", "/paper/posting/2026-11", "/paper/posting/2026-11.pdf", "/paper/held", "/paper/held.pdf"]


@pytest.mark.parametrize(
    ("user", "addresses"),
    [("person", DESK), ("supervisor", [*DESK, *OWN]), ("auditor", [*DESK, *OWN]), ("clerk", OWN), ("member", OWN)],
)
def test_others_are_shown_nothing(village: Village, user: str, addresses: list[str]) -> None:
    with village.client(user) as client:
        for address in addresses:
            assert client.get(address.format(number=village.volunteers[1].account)).status_code == 403, address


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/paper/passbook/12345678", 404),
        ("/paper/passbook/x.pdf", 404),
        ("/paper/hours/{number}?first=x", 422),
        ("/paper/hours/{number}?first=2026-02-01&last=2026-01-01", 422),
        ("/paper/hours/{number}?first=9999-12-31&last=9999-12-31", 200),
        ("/paper/posting/2026-13", 404),
        ("/paper/posting/2001-01", 200),
        ("/paper/posting/2099-12", 200),
        ("/paper/entry/99999999", 404),
        (f"/paper/entry/{INTEGER_MAX}", 404),
        ("/paper/entry/-1", 404),
        ("/paper/entry/x", 404),
    ],
)
def test_what_cannot_be_printed_is_said(village: Village, address: str, status: int) -> None:
    with village.client("clerk", "en") as client:
        answer = client.get(address.format(number=village.volunteers[1].account))
    assert answer.status_code == status and "<h1>" in answer.text


def test_what_is_held_hangs_on_the_board_with_how_to_object(village: Village) -> None:
    with village.client("clerk", "en") as client:
        assert 'href="/paper/held"' in client.get("/paper").text
        page = client.get("/paper/held").text
        rows = re.findall(r'<tr><th scope="row" class="number">(\d+)</th>(.*)</tr>', page)
        assert rows and "object for 30 days" in page and not any(each.name in page for each in village.people)
        index, cells = rows[0]
        day, clock, provider, recipient, category, time, free, last = re.findall(r"<td[^>]*>([^<]*)", cells)
        entry = client.get(f"/paper/entry/{index}").text
        assert all(told in entry for told in (provider, recipient))
        assert recipient in {each.account for each in village.elders} and clock.count(":") == 2
        assert day < free < last and category and time.endswith(("h", "min"))


@pytest.mark.parametrize(
    ("host", "is_secure", "address"),
    [
        ("huzhu.example", True, "https://huzhu.example/check"),
        ("192.0.2.7:8300", False, "http://192.0.2.7:8300/check"),
        ("localhost:8300", False, ""),
        ("127.0.0.1", True, ""),
        ("[::1]:8300", False, ""),
        ("", False, ""),
        ("a@huzhu.example", False, ""),
        ("huzhu.example?x", False, ""),
    ],
)
def test_paper_says_where_it_is_checked(host: str, is_secure: bool, address: str) -> None:
    assert check_address(host, is_secure=is_secure) == address


def test_the_desk_chooses(village: Village) -> None:
    number = village.volunteers[2].account
    with village.client("clerk", "en") as client:
        token = _token(client)
        went = client.post("/paper", data={"token": token, "what": "passbook", "account": number})
        assert (went.status_code, went.headers["location"]) == (303, f"/paper/passbook/{number}")
        went = client.post("/paper", data={"token": token, "what": "posting", "month": "2026-11"})
        assert went.headers["location"] == "/paper/posting/2026-11"
        went = client.post("/paper", data={"token": token, "what": "entry", "index": "40"})
        assert went.headers["location"] == "/paper/entry/40"
        days = {"first": "2026-01-01", "last": "2026-11-30"}
        went = client.post("/paper", data={"token": token, "what": "hours", "account": number, **days})
        assert went.headers["location"] == f"/paper/hours/{number}?first=2026-01-01&last=2026-11-30"
        for wrong in ({"what": "passbook", "account": "1"}, {"what": "posting", "month": "May"}, {"what": "x"}, {}):
            assert client.post("/paper", data={"token": token, **wrong}).status_code == 422
        assert client.post("/paper", data={"what": "entry", "index": "40"}).status_code == 403


def _token(client: httpx.Client) -> str:
    return str(re.findall(r'name="token" value="([^"]+)"', client.get("/paper").text)[-1])


def test_a_person_prints_from_the_browser(
    village: Village, trust: Path, browser_page: OpenPage, shoot: Shoot, check_axe: Check
) -> None:
    page = browser_page("person", "zh", 360)
    page.goto("/me/paper")
    check_axe(page)
    shoot(page, "paper-own-360")
    page.locator("main a.button").click()
    printed = page.pdf(prefer_css_page_size=True)
    (text,) = receipts([code.text for picture in pictures(printed, DPI) for code in scanned(picture)])
    assert f"account {village.users['person']} had" in proven(text, trust)
