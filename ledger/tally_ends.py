"""What everybody had when a period began and when it ended, and what changed it in between (``ledger.tally``)."""

import datetime
from collections import Counter

import msgspec

from chain.block import SEAL
from ledger.figures import AFTER, BEFORE, Books, Figures
from ledger.numbers import ISSUE, fund_number
from ledger.risk import figures, forecast
from ledger.state import FUND, INSTITUTION, PERSON, Account, Month, State

CEILING, EARNED, SPENT = "ceiling", "earned", "spent"
SERVICE = "service"
CAUSES = {
    SEAL: CEILING,
    SERVICE: EARNED,
    "account_close": "closed",
    "donate": "donated",
    "grant": "granted",
    "resolve": "reversed",
    "reverse": "reversed",
    "transfer_back": "returned",
    "transfer_in": "arrived",
    "transfer_out": "sent",
}
"""What changes the hours of all people together, by kind; of other kinds the kind itself. At a seal hours become free,
which changes nothing but for what the ceiling takes. What a service costs its recipient is ``SPENT``."""


class Holding(msgspec.Struct):
    """One account: as it was at the end, the places of its opening and closing, and what it had."""

    account: Account
    place: int
    closed: int = AFTER
    before: int = 0
    before_held: int = 0
    balance: int = 0
    held: int = 0


class Ends:
    """Both ends of a period: told of accounts and legs, each with the place of its log time."""

    def __init__(self) -> None:
        self._holdings: dict[str, Holding] = {}
        self._flows: Counter[str] = Counter()

    def describe(self, account: Account, place: int) -> None:
        """An account was opened or changed; as the last such entry up to the end of the period says, it is counted."""
        if place == AFTER:
            return
        described = msgspec.structs.replace(account, balance=0, held=0)
        holding = self._holdings.get(account.number)
        if holding is None:
            self._holdings[account.number] = Holding(described, place)
        else:
            holding.account = described

    def close_account(self, number: str, place: int) -> None:
        """An account was closed."""
        holding = self._holdings.get(number)
        if holding is not None:
            holding.closed = place

    def move(self, account: Account, balance: int, held: int, place: int, kind: str) -> None:
        """One leg of an entry of that kind."""
        if place == AFTER:
            return
        holding = self._holdings.get(account.number)
        if holding is None:
            described = msgspec.structs.replace(account, balance=0, held=0)
            holding = self._holdings[account.number] = Holding(described, place)
        holding.balance += balance
        holding.held += held
        if place == BEFORE:
            holding.before += balance
            holding.before_held += held
        elif holding.account.holder in (PERSON, INSTITUTION):
            change = balance + held
            self._flows[SPENT if kind == SERVICE and change < 0 else CAUSES.get(kind, kind)] += change

    def tell_excess(self, kind: str, minutes: int) -> None:
        """Of an entry's credit so much went to the pool at once: the entry gave it, the ceiling took it."""
        self._flows[CEILING] -= minutes
        self._flows[CAUSES.get(kind, kind)] += minutes

    def close(self, found: Figures, month: Month, month_number: int, day: datetime.date) -> None:
        """Enter both ends, and the risk figures of a state that holds what was there at the end, on that day.

        ``month`` is the whole period as ``ledger.risk`` has a month, ``month_number`` its last one.
        """
        shown = State()
        for number, holding in self._holdings.items():
            account = holding.account
            if holding.place == BEFORE:
                _count(found.begin, account, holding.before, holding.before_held, holding.closed != BEFORE)
            _count(found.end, account, holding.balance, holding.held, holding.closed == AFTER)
            account.balance, account.held = holding.balance, holding.held
            shown.accounts[number] = account
        issue = self._holdings.get(ISSUE)
        shown.granted_minutes = 0 if issue is None else -issue.balance
        shown.months[month_number] = month
        found.risk = figures(shown, month_number)
        found.forecast = {str(years): minutes for years, minutes in forecast(shown, day).items()}
        found.flows = {cause: minutes for cause, minutes in sorted(self._flows.items()) if minutes}
        for code, fund in found.funds.items():
            holding = self._holdings[fund_number(code)]
            fund.before_fen, fund.after_fen = holding.before, holding.balance


def _count(books: Books, account: Account, balance: int, held: int, is_open: bool) -> None:
    """Count what one account has at one end of the period."""
    if account.holder == FUND:
        books.fen += balance
    elif account.holder in (PERSON, INSTITUTION):
        books.accounts += is_open
        books.net_minutes += balance + held
        books.outstanding_minutes += max(0, balance + held)
        books.held_minutes += held
