"""Base64 and decimal: one spelling for each value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.encoding import format_base64, format_decimal, parse_base64, parse_decimal, shown
from chain.errors import NoteError


@given(st.binary(max_size=100))
def test_base64_comes_back(raw: bytes) -> None:
    assert parse_base64(format_base64(raw), 0, 100) == raw


@given(st.text(alphabet="AQgw+/=-_ \n", max_size=12))
def test_base64_that_parses_formats_to_itself(text: str) -> None:
    try:
        raw = parse_base64(text, 0, 100)
    except NoteError:
        return
    assert format_base64(raw) == text


@pytest.mark.parametrize(
    "text", ["A", "AA", "AAA", "AA=", "AB==", "AAB=", "AAAA=", "AA==AA==", "====", " AAAA", "AAAA\n", "AA-_", "ＡAAA"]
)
def test_bad_base64_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_base64(text, 0, 100)


def test_base64_is_bounded_on_both_sides() -> None:
    assert parse_base64("AAAA", 3, 3) == bytes(3)
    with pytest.raises(NoteError, match="holds 3 bytes, not 4 to 9"):
        parse_base64("AAAA", 4, 9)
    with pytest.raises(NoteError, match="holds 3 bytes, not 2"):
        parse_base64("AAAA", 2, 2)
    with pytest.raises(NoteError, match="more than 2 bytes"):
        parse_base64("AAAAAAAA", 0, 2)


@given(st.integers(0, 2**64 - 1))
def test_decimals_come_back(number: int) -> None:
    assert parse_decimal(format_decimal(number), number) == number
    with pytest.raises(NoteError, match="is more than"):
        parse_decimal(format_decimal(number), number - 1)


@pytest.mark.parametrize(
    "text", ["", "00", "01", "+1", "-1", " 1", "1 ", "1\n", "1_0", "1.0", "1e3", "0x1", "１", "1" * 21]
)
def test_bad_decimals_are_refused(text: str) -> None:
    with pytest.raises(NoteError, match="not a decimal number"):
        parse_decimal(text, 2**80)


def test_a_hostile_text_is_shown_short_and_escaped() -> None:
    assert shown("a\x1b\udcff互") == r"'a\x1b\udcff\u4e92'"
    assert len(shown("x" * 10_000)) < 60
