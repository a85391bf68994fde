"""Printed sheets of coupons, as a printer draws them and a scanner reads them."""

import io
import re
from pathlib import Path

import PIL.Image
import pytest
from PIL import ImageFilter
from PIL.Image import Image

from chain.limits import COUPONS_MAX
from ledger.bodies import CouponIssue
from tests.web.desk import BEN, DORA, Desk
from tests.web.rendering import A4_MM, codes, letters, page_sizes, pdf_pictures, printed_by_browser
from web import i18n
from web.couponbooks import COUPON_MM, COVER_MM, ROW_MM, Book, draw_html
from web.coupons import Coupon, format_coupon
from web.printing import pdf_of

COUNT, A_PAGE = 30, 24
MARGIN_MM = 8
LARGE_DIGIT_MM = 4.5
"""How tall digits of 18 points are at least."""
SERVED = (
    "--category",
    "assistance",
    "--date",
    "2025-11-01",
    "--start",
    "09:00",
    "--end",
    "10:30",
    "--paid-by",
    "issue",
)


@pytest.fixture
def village(desk: Desk) -> Desk:
    """Four people."""
    desk.populate()
    return desk


@pytest.fixture(scope="module")
def book() -> Book:
    """A book of one page and a quarter, far down a long ledger of a long name."""
    secrets = [bytes([place]) * 16 for place in range(COUNT)]
    body = CouponIssue(account=DORA, count=COUNT, minutes_max=120, root=bytes(32))
    return Book("x" * 180 + ".example/huzhu", 123_456_789, body, "2025-11-01", secrets)


@pytest.fixture(scope="module")
def sheets(book: Book) -> bytes:
    """Its sheets as PDF."""
    return pdf_of(draw_html(book, "en"))


def expected(book: Book) -> list[str]:
    """What the codes say, in the order of the numbers."""
    return [format_coupon(Coupon(book.index, place, secret), book.origin) for place, secret in enumerate(book.secrets)]


def test_every_code_of_the_pdf_is_read_back_in_order(book: Book, sheets: bytes) -> None:
    pictures = pdf_pictures(sheets)
    assert page_sizes(sheets) == [A4_MM, A4_MM]
    assert [len(codes(picture)) for picture in pictures] == [A_PAGE, COUNT - A_PAGE]
    assert [text for picture in pictures for text in codes(picture)] == expected(book)


def test_every_code_is_read_from_what_a_browser_prints(book: Book, tmp_path: Path) -> None:
    page = tmp_path / "book.html"
    page.write_text(draw_html(book, "zh"), "utf-8")
    raw = printed_by_browser(page, tmp_path)
    assert page_sizes(raw) == [A4_MM, A4_MM]
    assert [text for picture in pdf_pictures(raw) for text in codes(picture)] == expected(book)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_text_runs_over_a_cut_line(language: str) -> None:
    i18n.use(language)
    body = CouponIssue(account=DORA, count=COUPONS_MAX, minutes_max=1_440, root=bytes(32))
    widest = Book("w" * 180 + ".example", 123_456_789, body, "2025-11-01", [b"\xff" * 16] * A_PAGE)
    [page] = letters(pdf_of(draw_html(widest, language)))
    cut = [letter for letter in page if letter.top > MARGIN_MM + COVER_MM - 0.5]
    assert len(cut) > A_PAGE * 80
    assert {column_and_row(letter.left, letter.top) for letter in cut} == {(x, y) for x in range(3) for y in range(8)}
    for letter in cut:
        assert column_and_row(letter.left, letter.top) == column_and_row(letter.right, letter.bottom), letter
    assert max(letter.bottom - letter.top for letter in cut if letter.character.isdigit()) > LARGE_DIGIT_MM


def column_and_row(x: float, y: float) -> tuple[int, int]:
    """Of which coupon on its page a point is, in millimetres from above left."""
    return int((x - MARGIN_MM) // COUPON_MM), int((y - MARGIN_MM - COVER_MM) // ROW_MM)


def copied(picture: Image) -> Image:
    """After a bad copier: grey, coarse, blurred and squeezed."""
    small = picture.convert("L").resize((picture.width * 9 // 10, picture.height * 9 // 10))
    worn = small.filter(ImageFilter.GaussianBlur(0.8)).rotate(1.5, fillcolor=255)
    squeezed = io.BytesIO()
    worn.point(lambda grey: 60 + grey * 2 // 3).save(squeezed, "JPEG", quality=35)
    return PIL.Image.open(squeezed)


def test_a_bad_copy_is_still_read(book: Book, sheets: bytes) -> None:
    first = pdf_pictures(sheets, dpi=133)[0]
    assert sorted(codes(copied(first))) == sorted(expected(book)[:A_PAGE])


def test_a_page_stands_alone(book: Book) -> None:
    html = draw_html(book, "en")
    assert not re.findall(r"""(?:src|href|url|action)\s*[=(]|<script|<link|<img|@import""", html)
    assert html.count("<article") == COUNT
    assert html.count(f"…{DORA[-4:]}") == COUNT


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_coupon_read_from_a_picture_is_taken_at_the_desk_once(village: Desk, language: str) -> None:
    page = village.folder / "book.pdf"
    words = ("coupon", "issue", DORA, "--count", "3", "--minutes-max", "90", "-o", page, "--lang", language)
    village(*words)
    [picture] = pdf_pictures(page.read_bytes())
    [first, second, _third] = codes(picture)
    assert village.json("record", BEN, "--coupon", first, *SERVED)["accepted"]
    assert village.json("record", BEN, "--coupon", first, *SERVED, status=1)["outcome"] == "coupon-used"
    assert village.json("coupon", "check", second)["number"] == 2
    assert village.verify()["ok"]
