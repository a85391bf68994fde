"""Account numbers: what is misread at the desk is caught."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.numbers import SIX_DIGITS, account_number, has_check_digits

six_digits = st.integers(0, SIX_DIGITS - 1)


@pytest.mark.parametrize(
    ("number", "is_right"),
    [
        ("00000098", True),
        ("00000195", True),
        ("00000099", False),
        ("12345676", True),
        ("12345678", False),
        ("99999989", False),
        ("00079444", True),  # the example of ISO 7064: 0794, check digits 44
    ],
)
def test_known_numbers(number: str, is_right: bool) -> None:
    assert has_check_digits(number) is is_right


@given(six_digits)
def test_every_number_that_is_given_out_is_right(six: int) -> None:
    number = account_number(six)
    assert len(number) == 8
    assert number.startswith(f"{six:06d}")
    assert has_check_digits(number)


@given(six_digits, st.integers(0, 7), st.integers(1, 9))
def test_one_digit_misread(six: int, place: int, step: int) -> None:
    number = account_number(six)
    misread = str((int(number[place]) + step) % 10)
    assert not has_check_digits(number[:place] + misread + number[place + 1 :])


@given(six_digits, st.integers(0, 6))
def test_two_neighbours_swapped(six: int, place: int) -> None:
    number = account_number(six)
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert has_check_digits(swapped) is (swapped == number)
