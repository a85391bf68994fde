"""The two spellings that every text of this package shares: base64 and decimal (FORMAT §1, §6, §10).

Each value has one spelling only. A parser takes the number of bytes, or the largest number, that its place allows, and
looks at the length of the text before it decodes.
"""

import base64
import binascii
import re

from chain.errors import NoteError

DECIMAL_MAX_DIGITS = 20
"""Enough for 2**64 − 1; longer runs of digits are refused before they are converted."""
_DECIMAL = re.compile(r"0|[1-9][0-9]*")
_SHOWN_CHARACTERS = 40


def parse_base64(text: str, minimum_bytes: int, maximum_bytes: int) -> bytes:
    """The bytes that ``text`` spells in standard base64 with padding (RFC 4648 §4).

    Raises NoteError for another spelling of the same bytes, and for fewer or more bytes than the place allows.
    """
    if len(text) > _base64_length(maximum_bytes):
        raise NoteError(f"{shown(text)} is base64 of more than {maximum_bytes} bytes")
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise NoteError(f"{shown(text)} is not base64: {error}") from None
    if format_base64(raw) != text:
        raise NoteError(f"{shown(text)} is not the one spelling of its bytes in base64")
    if not minimum_bytes <= len(raw) <= maximum_bytes:
        raise NoteError(f"{shown(text)} holds {len(raw)} bytes, not {_span(minimum_bytes, maximum_bytes)}")
    return raw


def format_base64(raw: bytes) -> str:
    """Standard base64 with padding, on one line."""
    return base64.b64encode(raw).decode()


def parse_decimal(text: str, maximum: int) -> int:
    """The number that ``text`` spells in ASCII digits without leading zeros, 0 to ``maximum``; raises NoteError."""
    if len(text) > DECIMAL_MAX_DIGITS or not _DECIMAL.fullmatch(text):
        raise NoteError(f"{shown(text)} is not a decimal number without leading zeros")
    number = int(text)
    if number > maximum:
        raise NoteError(f"{number} is more than {maximum}")
    return number


def format_decimal(number: int) -> str:
    """ASCII digits without leading zeros."""
    return str(number)


def shown(text: str) -> str:
    """The beginning of a hostile text, quoted and escaped, for an error message."""
    return ascii(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…")


def _base64_length(byte_count: int) -> int:
    return (byte_count + 2) // 3 * 4


def _span(minimum: int, maximum: int) -> str:
    return str(minimum) if minimum == maximum else f"{minimum} to {maximum}"
