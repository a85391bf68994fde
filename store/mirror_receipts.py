"""Receipts of mirrored ledgers.

Of balances: from their accounts' rows, which are as of the newest checkpoint's seal. Of an admission: the entry by
which a ledger took another one in, as evidence where two have.
"""

from gettext import gettext as _

from chain.block import Seal
from chain.errors import EntryError
from chain.merkle import leaf_hash, levels_of, path_in
from chain.receipt import BalanceReceipt, format_balance_receipt, parse_entry_receipt
from ledger.bodies import OrgAdmit
from ledger.kinds import CODEC
from ledger.state import Account
from store.log import AccountRow, StoreError
from store.reading import ROWS_MAX, KeptLedger


class UnprovenError(StoreError):
    """The accounts' rows are not those of the newest seal: nothing proves them."""


def mirror_balance_receipt(ledger: KeptLedger, number: str) -> bytes:
    """The balance receipt (FORMAT §10) as of the newest checkpoint.

    Raises IndexError where there is no such account under it, UnprovenError where the rows are not those of its seal:
    of a node's own file, where entries may have come since, and of a ledger whose seals have findings.
    """
    seal_index = ledger.size - 1
    raw, genesis = ledger.entry(seal_index), ledger.entry(0)
    if raw is None or genesis is None:
        raise IndexError(number)
    body = CODEC.read(raw).body
    leaves = [_leaf(row) for row in _accounts(ledger)]
    levels = levels_of([leaf_hash(leaf) for leaf in leaves])
    if not isinstance(body, Seal) or len(leaves) != body.accounts or levels[-1] != [body.state]:
        text = _("the balances of {origin} are not those of its newest seal: no receipt of them can be made")
        raise UnprovenError(text.format(origin=ledger.origin))
    account = ledger.account(number)
    if account is None:
        raise IndexError(number)
    return format_balance_receipt(
        BalanceReceipt(
            leaf=leaves[account.position],
            index=account.position,
            accounts=body.accounts,
            genesis=leaf_hash(genesis),
            path=tuple(path_in(levels, account.position)),
            seal=parse_entry_receipt(ledger.receipt(seal_index)),
        )
    )


def admission_receipt(ledger: KeptLedger, admitted: str) -> bytes:
    """The entry receipt (FORMAT §10) of the newest ``org_admit`` of ``admitted``; empty where there is none."""
    for index, raw in ledger.entries_with(b'"kind":"org_admit"', admitted.encode()):
        try:
            body = CODEC.parse(raw).body
        except EntryError:
            continue
        if isinstance(body, OrgAdmit) and body.origin == admitted:
            return ledger.receipt(index)
    return b""


def _accounts(ledger: KeptLedger) -> list[AccountRow]:
    """All of them, in order of their positions."""
    found: list[AccountRow] = []
    while rows := ledger.accounts(found[-1].position if found else -1, ROWS_MAX):
        found += rows
    return found


def _leaf(row: AccountRow) -> bytes:
    return Account(
        number=row.number,
        position=row.position,
        balance=row.balance,
        held=row.held,
        status=row.status,
        unit=row.unit,
    ).leaf()
