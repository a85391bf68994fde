"""Periods, and when the hours that people have earned will come due."""

import datetime

import pytest

from ledger.numbers import account_number
from ledger.risk import bands, figures, forecast, format_period, outstanding, parse_period
from ledger.state import CLOSED, FUND, INSTITUTION, Account, State, month_of, system_accounts

TODAY = datetime.date(2026, 7, 1)


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-00", "2026-13", "2026-1", "26-01", "2026-01-01", "2026-01\n", "２026-01"]
)
def test_what_is_no_month(text: str) -> None:
    assert parse_period(text) is None


@pytest.mark.parametrize("text", ["0000-01", "1999-12", "2000-01", "2026-02", "9999-12"])
def test_months_come_and_go(text: str) -> None:
    number = parse_period(text)
    assert number is not None and format_period(number) == text


def test_months_follow_each_other() -> None:
    numbers = [month_of(datetime.date(2025 + place // 12, place % 12 + 1, 28)) for place in range(24)]
    assert numbers == list(range(numbers[0], numbers[0] + 24))
    assert format_period(numbers[0]) == "2025-01"


def state_of(*accounts: tuple[int | None, int, int, bool]) -> State:
    """Accounts with their band, balance and held minutes, and whether they may spend."""
    state = State()
    for account in system_accounts():
        state.open_account(account)
    for place, (band, balance, held, redeemable) in enumerate(accounts):
        state.open_account(
            Account(
                number=account_number(place),
                position=4 + place,
                band=band,
                balance=balance,
                held=held,
                redeemable=redeemable,
            )
        )
    return state


def test_hours_of_those_who_turn_sixty() -> None:
    """Of the band 1965 the years 1965 to 1967 turn 60 by 2027, all five by 2029; who may spend already is not told."""
    state = state_of((1965, 500, 0, False), (1960, 70, 0, True), (1970, 90, 10, False), (None, 1_000, 0, False))
    assert forecast(state, TODAY) == {1: 300, 5: 500 + 40, 10: 600, 20: 600}
    assert forecast(state, TODAY, (0, 4)) == {0: 200, 4: 500 + 20}


def test_who_owes_has_nothing_outstanding() -> None:
    state = state_of((1960, -100, 30, False), (1960, -10, 30, False), (None, 5, 0, False))
    assert [outstanding(account) for account in state.accounts.values()][4:] == [0, 20, 5]
    assert bands(state) == {0: 5, 1960: 20}
    found = figures(state, 0)
    assert (found["outstanding"], found["held"], found["top_tenth"]) == (25, 60, 800)


def test_institutions_count_and_funds_do_not() -> None:
    state = state_of((None, 60, 0, False))
    state.open_account(Account(number=account_number(9), position=5, holder=INSTITUTION, balance=40, status=CLOSED))
    state.open_account(Account(number="fund-canteen", position=6, holder=FUND, unit="fen", balance=777))
    found = figures(state, 0)
    assert (found["outstanding"], found["band_0"], found["fen"], found["top_tenth"]) == (100, 100, 777, 600)


def test_an_empty_ledger_has_all_figures() -> None:
    found = figures(State(), 0)
    assert set(found.values()) == {0}
    assert list(found) == sorted(found) and len(found) == 11
