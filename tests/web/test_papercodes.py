"""Receipts as the texts of QR codes: there and back, and everything that is not quite one."""

import zlib
from base64 import b32encode
from hashlib import sha256
from pathlib import Path

import pytest
import segno

from chain.errors import NoteError
from tests.web.desk import Desk, run
from web.papercodes import (
    CODE_MAX_CHARACTERS,
    PARTS_MAX,
    RECEIPT_MAX_BYTES,
    TEXT_MAX_CHARACTERS,
    PaperError,
    format_codes,
    is_codes,
    parse_codes,
    slim,
)
from web.printing import QR_ERROR_CORRECTION

VERSION_MAX = 22
LONG = b"".join(sha256(bytes([number])).digest() for number in range(60))
"""Nothing of it can be packed: it needs several codes."""


def code(part: int, parts: int, name: str, piece: str) -> str:
    """A code as a forger would make it: its own check is right."""
    head = f"HZR1:{part}/{parts}:{name}:{piece}"
    return f"{head}:{base32(sha256(head.encode()).digest())[:4]}"


def base32(raw: bytes) -> str:
    return b32encode(raw).decode().rstrip("=")


def name_of(raw: bytes) -> str:
    return base32(sha256(raw).digest()[:10])


@pytest.mark.parametrize("raw", [b"", b"x", bytes(5_000), LONG], ids=["nothing", "one", "same", "long"])
def test_what_goes_onto_paper_comes_back(raw: bytes) -> None:
    texts = format_codes(raw)
    assert parse_codes("\n".join(texts)) == raw
    assert parse_codes("".join(reversed(texts))) == raw
    assert parse_codes("\r\n\r\n".join(text.lower() for text in [*texts, *texts])) == raw


def test_codes_survive_being_wrapped_and_sent() -> None:
    wrapped = "\ufeff" + "\n".join(text[:70] + " \u3000\n " + text[70:] for text in format_codes(LONG))
    assert parse_codes(wrapped.replace(":", "\uff1a")) == LONG
    assert is_codes(wrapped.encode())


def test_every_code_is_of_a_size_that_prints() -> None:
    texts = format_codes(LONG)
    lengths = {len(text.split(":")[3]) for text in texts}
    assert len(texts) > 2 and max(lengths) <= CODE_MAX_CHARACTERS and max(lengths) - min(lengths) < len(texts)
    text = "HZR1:32/32:" + "A" * 16 + ":" + "B" * CODE_MAX_CHARACTERS + ":CCCC"
    made = segno.make(text, error=QR_ERROR_CORRECTION)
    assert (made.mode, made.version) == ("alphanumeric", VERSION_MAX)


def test_what_is_too_long_for_paper_is_said_so() -> None:
    noise = b"".join(sha256(number.to_bytes(4, "big")).digest() for number in range(PARTS_MAX * 25))
    for raw in (noise, bytes(RECEIPT_MAX_BYTES + 1)):
        with pytest.raises(PaperError, match="too long for paper"):
            format_codes(raw)


def test_every_mangled_character_is_found() -> None:
    texts = format_codes(LONG)
    second = texts[1]
    for place, character in enumerate(second):
        other = "3" if character != "3" else "4"
        with pytest.raises(PaperError):
            parse_codes("\n".join([texts[0], second[:place] + other + second[place + 1 :], *texts[2:]]))
        with pytest.raises(PaperError):
            parse_codes("\n".join([texts[0], second[:place] + second[place + 1 :], *texts[2:]]))


FIRST, SECOND, *REST = format_codes(LONG)
OTHER = format_codes(LONG[1:])
BOMB = zlib.compress(bytes(RECEIPT_MAX_BYTES + 1), 9)
PIECE = base32(zlib.compress(b"abc", 9))


BAD = [
    ("", "no code of a receipt in it"),
    ("https://example.org/", "no code of a receipt: HTTPS://EXAMPLE.ORG/"),
    (FIRST, "of 3 codes these are missing: 2, 3"),
    ("\n".join([SECOND, *REST]), "of 3 codes these are missing: 1"),
    ("\n".join([FIRST, OTHER[1], *REST]), "different receipts"),
    ("\n".join([FIRST, "hello", SECOND, *REST]), "no code of a receipt: HELLO"),
    ("\n".join([FIRST, SECOND[:-9], *REST]), "code 2 of 3|cut off"),
    ("\n".join([FIRST, SECOND, *REST])[:-3], "cut off or misread: HZR1:3/3"),
    (FIRST[:60] + ("A" if FIRST[60] != "A" else "B") + FIRST[61:], "code 1 of 3 was not read right"),
    (code(2, 1, name_of(b"abc"), PIECE), "no code 2 of 1"),
    (code(1, 99, name_of(b"abc"), PIECE), "no code 1 of 99"),
    (code(1, 1, name_of(b"abd"), PIECE), "make no receipt"),
    (code(1, 1, name_of(b""), "A"), "make no receipt"),
    (code(1, 1, name_of(b"abc"), base32(zlib.compress(b"abc") + b"more")), "make no receipt"),
    (code(1, 1, name_of(b"abc"), base32(zlib.compress(b"abc")[:-1])), "make no receipt"),
    (code(1, 1, name_of(bytes(RECEIPT_MAX_BYTES + 1)), base32(BOMB)), "make no receipt"),
    ("A" * (TEXT_MAX_CHARACTERS + 1), "too much text"),
]
"""What is no receipt's codes, and what is said of it; the browser says the same (``tests/pages/test_check.py``)."""


@pytest.mark.parametrize(("text", "said"), BAD)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(PaperError, match=said):
        parse_codes(text)


def test_a_bomb_takes_no_memory() -> None:
    packed = zlib.compress(bytes(20_000_000), 9)
    pieces = base32(packed)
    size = -(-len(pieces) // PARTS_MAX)
    texts = [code(part + 1, PARTS_MAX, "A" * 16, pieces[part * size : part * size + size]) for part in range(PARTS_MAX)]
    with pytest.raises(PaperError, match="make no receipt"):
        parse_codes("".join(texts))


def test_only_receipts_are_made_slim() -> None:
    with pytest.raises(NoteError):
        slim(b"something else")


def test_the_command_takes_scanned_codes(tmp_path: Path, desk: Desk) -> None:
    desk("trust", "-o", tmp_path / "trust.txt")
    desk("receipt", "0", "-o", tmp_path / "0.receipt")
    raw = (tmp_path / "0.receipt").read_bytes()
    texts = format_codes(slim(raw))
    assert len(slim(raw)) < len(raw) - 3_000
    scanned = tmp_path / "scanned.txt"
    scanned.write_text("\n".join(reversed(texts)))
    assert "PROVEN" in run("check-receipt", scanned, "--trust", tmp_path / "trust.txt").output
    scanned.write_text("\n".join(texts[1:]))
    refused = run("check-receipt", scanned, "--trust", tmp_path / "trust.txt", status=2)
    assert "codes these are missing: 1" in refused.output
