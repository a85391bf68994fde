"""What comes out of a printer: pages drawn as pictures, and the QR codes that a reader finds in them."""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pypdfium2  # type: ignore[import-untyped]
import zxingcpp
from PIL.Image import Image

POINTS_AN_INCH = 72
A4_MM = (210, 297)
MM_AN_INCH = 25.4
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_WORDS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-pdf-header-footer",
)
BROWSER_SECONDS = 120


class Letter(NamedTuple):
    """One character on paper, and the box of its ink."""

    character: str
    left: float
    top: float
    right: float
    bottom: float


def pdf_pictures(raw: bytes, dpi: int = 150) -> list[Image]:
    """The pages of a PDF."""
    document = pypdfium2.PdfDocument(raw)
    try:
        return [page.render(scale=dpi / POINTS_AN_INCH).to_pil() for page in document]
    finally:
        document.close()


def page_sizes(raw: bytes) -> list[tuple[int, int]]:
    """Width and height of the pages of a PDF, in whole millimetres."""
    document = pypdfium2.PdfDocument(raw)
    try:
        sizes = [page.get_size() for page in document]
    finally:
        document.close()
    return [(_millimetres(width), _millimetres(height)) for width, height in sizes]


def letters(raw: bytes) -> list[list[Letter]]:
    """The characters that can be seen on each page of a PDF, and where they stand, in millimetres from above left."""
    document = pypdfium2.PdfDocument(raw)
    try:
        return [_letters(page) for page in document]
    finally:
        document.close()


def _letters(page: pypdfium2.PdfPage) -> list[Letter]:
    text, height = page.get_textpage(), page.get_height()
    found = []
    for place in range(text.count_chars()):
        character = text.get_text_range(place, 1)
        left, bottom, right, top = text.get_charbox(place)
        if character.strip():
            box = (left, height - top, right, height - bottom)
            found.append(Letter(character, *(side / POINTS_AN_INCH * MM_AN_INCH for side in box)))
    text.close()
    return found


def printed_by_browser(page: Path, folder: Path) -> bytes:
    """The PDF that a browser prints of a page in a file."""
    browser = next(filter(None, map(shutil.which, BROWSERS)))
    output, profile = folder / f"{page.stem}.browser.pdf", folder / "browser"
    words = [browser, *BROWSER_WORDS, f"--user-data-dir={profile}", f"--print-to-pdf={output}", page.as_uri()]
    subprocess.run(words, check=True, capture_output=True, timeout=BROWSER_SECONDS)
    return output.read_bytes()


def codes(picture: Image) -> list[str]:
    """The texts of the QR codes in a picture, line by line."""
    found = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    rows: list[list[zxingcpp.Barcode]] = []
    for each in sorted(found, key=_top):
        half = (each.position.bottom_left.y - _top(each)) / 2
        if rows and _top(each) - _top(rows[-1][0]) < half:
            rows[-1].append(each)
        else:
            rows.append([each])
    return [each.text for row in rows for each in sorted(row, key=lambda code: code.position.top_left.x)]


def _top(code: zxingcpp.Barcode) -> int:
    return code.position.top_left.y


def _millimetres(points: float) -> int:
    return round(points / POINTS_AN_INCH * MM_AN_INCH)
