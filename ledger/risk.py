"""Risk figures: what the ledger itself says of its own health, recomputed by everyone (RULES §8).

    figures(state, month_number)        # all the codes that a `risk` entry must hold
    forecast(state, day, years)         # minutes whose owners will be old enough to spend them

What they need of past services is kept by month as they come in: ``count_service``.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from chain.fields import Date
from ledger.bodies import Risk, Service
from ledger.hours import RECIPIENT_PAYS
from ledger.numbers import ISSUE
from ledger.signing import Claim
from ledger.state import FUND, INSTITUTION, MONTHS_A_YEAR, PERSON, Account, Month, State, month_of

PERIOD = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
PER_MILLE = 1_000
TOP_SHARE = 10
"""The tenth of accounts that hold most."""
REDEEMABLE_YEARS, BAND_YEARS = 60, 5
YEARS_AHEAD = (1, 5, 10, 20)


def parse_period(text: str) -> int | None:
    """The number of the month ``YYYY-MM`` (``month_of``), or None where it is none."""
    if PERIOD.fullmatch(text) is None:
        return None
    return int(text[:4]) * MONTHS_A_YEAR + int(text[5:]) - 1


def format_period(month_number: int) -> str:
    """``YYYY-MM``."""
    year, month = divmod(month_number, MONTHS_A_YEAR)
    return f"{year:04d}-{month + 1:02d}"


def risk(claim: Claim) -> str | None:
    body: Risk = claim.entry.body
    period = parse_period(body.period)
    if period is None or period > month_of(claim.time + claim.state.utc_offset):
        return "figures-differ"
    return None if body.figures == figures(claim.state, period) else "figures-differ"


def count_service(state: State, index: int, body: Service, sign: int = 1) -> None:
    """Count the service at ``index`` in its month and for its provider; with ``sign`` −1 one that is reversed."""
    minutes = body.minutes
    month = state.month(index, body.end)
    if sign > 0:
        month.services += 1
    month.add(body.evidence.form, minutes, minutes if body.paid_by == RECIPIENT_PAYS else 0, sign)
    state.accounts[body.provider].earned += sign * minutes
    if body.paid_by == ISSUE:
        state.granted_minutes += sign * minutes


def figures(state: State, month_number: int) -> dict[str, int]:
    """The figures of RULES §8 in the order of their codes. Minutes, fen, and shares in per mille."""
    month = state.months.get(month_number, Month())
    owned = sorted(map(outstanding, owners(state)), reverse=True)
    whole = sum(owned)
    found = {
        "outstanding": whole,
        "held": sum(account.held for account in state.accounts.values()),
        "earned": month.earned_minutes,
        "redeemed": month.redeemed_minutes,
        "granted": state.granted_minutes,
        "top_tenth": _share(sum(owned[: -(-len(owned) // TOP_SHARE)]), whole),
        "disputed": _share(month.disputed, month.services),
        "fen": sum(account.balance for account in state.accounts.values() if account.holder == FUND),
    }
    for form in ("paper", "coupon", "signed"):
        found[form] = _share(month.evidence.get(form, 0), month.standing)
    for band, minutes in bands(state).items():
        found[f"band_{band}"] = minutes
    return dict(sorted(found.items()))


def owners(state: State) -> Iterator[Account]:
    """The accounts of persons and institutions, closed ones too."""
    return (account for account in state.accounts.values() if account.holder in (PERSON, INSTITUTION))


def outstanding(account: Account) -> int:
    """Minutes that the account is owed."""
    return max(0, account.balance + account.held)


def bands(state: State) -> dict[int, int]:
    """Outstanding minutes by the band of birth, 0 where an account has none; of bands that some account has."""
    minutes: Counter[int] = Counter()
    for account in owners(state):
        minutes[account.band or 0] += outstanding(account)
    return dict(sorted(minutes.items()))


def forecast(state: State, day: Date, years: tuple[int, ...] = YEARS_AHEAD) -> dict[int, int]:
    """Minutes outstanding now whose owners turn 60 within so many years of ``day`` and may not spend them yet.

    A band's people are taken as born evenly over its five years. Accounts without a band are in none of it.
    """
    return forecast_of(waiting_bands(state), day, years)


def waiting_bands(state: State) -> dict[int, int]:
    """Outstanding minutes of those who may not spend them yet, by the band of birth; of accounts that have one."""
    minutes: Counter[int] = Counter()
    for account in owners(state):
        if account.band is not None and not account.redeemable:
            minutes[account.band] += outstanding(account)
    return dict(sorted(minutes.items()))


def forecast_of(minutes: Mapping[int, int], day: Date, years: tuple[int, ...] = YEARS_AHEAD) -> dict[int, int]:
    """The same from minutes by band, as of many ledgers together."""
    found = {}
    for ahead in years:
        born = day.year + ahead - REDEEMABLE_YEARS
        found[ahead] = sum(amount * _born_by(band, born) // BAND_YEARS for band, amount in minutes.items())
    return found


def _born_by(band: int, year: int) -> int:
    """How many of a band's five years of birth are not after ``year``."""
    return min(BAND_YEARS, max(0, year - band + 1))


def _share(part: int, whole: int) -> int:
    return part * PER_MILLE // whole if whole else 0
