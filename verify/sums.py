"""What balances add up to, and whether they are those that somebody published (FORMAT §12 step 9)."""

from collections.abc import Mapping

from ledger.numbers import FEN, MINUTE
from ledger.state import SYSTEM, State
from verify.finding import Findings

Totals = dict[str, dict[str, int]]


def compare_sums(state: State, balances: Mapping[str, tuple[int, int]], findings: Findings) -> None:
    """Whether each unit adds up to zero, and ``balances`` (``balance`` and ``held`` by number) follow."""
    for unit, total in _sums(state).items():
        if total:
            detail = f"the {unit} balances of all accounts do not add up to zero"
            findings.add("sum.nonzero", detail, None, None, 0, total)
    for number, published in balances.items():
        account = state.accounts.get(number)
        replayed = None if account is None else (account.balance, account.held)
        if replayed != published:
            expected, found = _amounts(published), "no such account" if replayed is None else _amounts(replayed)
            detail = f"the published balance and held hours of account {number} do not follow from the entries"
            findings.add("balance.differs", detail, None, None, expected, found)


def totals_of(state: State) -> Totals:
    """For each unit: each system account, what all others have together, and how many there are."""
    totals: Totals = {MINUTE: {}, FEN: {}}
    for account in state.accounts.values():
        total = totals[account.unit]
        if account.holder == SYSTEM:
            total[account.number] = account.balance
        else:
            total["accounts"] = total.get("accounts", 0) + 1
            total["balance"] = total.get("balance", 0) + account.balance
            total["held"] = total.get("held", 0) + account.held
    return totals


def _sums(state: State) -> dict[str, int]:
    sums = {MINUTE: 0, FEN: 0}
    for account in state.accounts.values():
        sums[account.unit] += account.balance + account.held
    return sums


def _amounts(amounts: tuple[int, int]) -> str:
    return f"balance {amounts[0]}, held {amounts[1]}"
