"""The ledgers that somebody may see, and figures over all of them: from few rows a ledger, never from their accounts.

What is read of the mirror is of one moment, and kept until somebody commits there. The own ledger's totals are added up
from its accounts whenever it has changed. Used from the event loop's thread only.
"""

import datetime
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chain.checkpoint import open_checkpoint
from chain.encoding import format_base64
from chain.errors import ChainError
from chain.fields import UTC, Time, format_time
from ledger.kinds import CODEC
from ledger.numbers import BRIDGE, ISSUE, POOL
from store.log import StoreError
from store.summaries import (
    ACCOUNT_KIND,
    FUND_KIND,
    LedgerRow,
    Snapshot,
    TotalRow,
    own_totals,
    read_snapshot,
)
from web.access.guard import Guard
from web.access.who import Who
from web.service.ledgers import Ledgers
from web.service.writer import Writer

OWN = "own"
SECONDS_AN_HOUR = 3_600
LEDGER, TIER, STATUS = "ledger", "tier", "status"
TOTAL = "total"
SYSTEM_KINDS = (BRIDGE, POOL, ISSUE)


@dataclass(slots=True)
class Sum:
    """Totals of some ledgers, or of the accounts in one status of theirs."""

    rows: list[LedgerRow]
    is_whole: bool
    """Whether system accounts are in it."""
    accounts: int = 0
    amounts: dict[str, int] = field(default_factory=dict)
    """Balances by kind of account."""
    held: int = 0

    def add(self, row: TotalRow) -> None:
        """Count accounts."""
        self.amounts[row.kind] = self.amounts.get(row.kind, 0) + row.balance
        if row.kind == ACCOUNT_KIND:
            self.accounts += row.accounts
            self.held += row.held

    def plain(self, name: str) -> dict[str, Any]:
        """A line of an answer."""
        amounts = self.amounts
        bridge, pool, issue = (amounts.get(kind, 0) if self.is_whole else None for kind in SYSTEM_KINDS)
        return {
            "name": name,
            "ledgers": len(self.rows),
            "accounts": self.accounts,
            "minutes": amounts.get(ACCOUNT_KIND, 0),
            "held_minutes": self.held,
            "fund_fen": amounts.get(FUND_KIND, 0),
            "pool_minutes": pool,
            "issue_minutes": issue,
            "on_way_minutes": bridge,
            "oldest_sealed": oldest_sealed(self.rows),
            "checkpoint": plain_checkpoint(self.rows[0]) if len(self.rows) == 1 else None,
        }


class Subtree:
    """What this node has of itself and of the ledgers below it."""

    def __init__(
        self, ledgers: Ledgers, writer: Writer, guard: Guard, silent_hours: int, clock: Callable[[], Time]
    ) -> None:
        self._ledgers, self._writer, self._guard = ledgers, writer, guard
        self._silent_hours, self._clock = silent_hours, clock
        self._own_version: tuple[int, int] | None = None
        self._own_totals: list[TotalRow] = []
        self._mirror_version: tuple[int, int] | None = None
        self._snapshot = Snapshot([], {}, {})
        self._own_parent: tuple[str | None] | None = None

    @property
    def origin(self) -> str:
        """The own ledger."""
        return self._ledgers.origin

    def rows(self, who: Who, ledger: str | None = None, tier: str | None = None) -> list[LedgerRow]:
        """The ledgers that they may see, the own one first; raises Problem where a named one is not among them."""
        if ledger is not None:
            self._guard.check_ledger(who, ledger)
        found = [
            row
            for row in (self._own_row(), *self.snapshot().ledgers)
            if ledger in (None, row.origin)
            and tier in (None, row.tier)
            and who.may_read(row.origin, self._ledgers.parent_of)
        ]
        if ledger is not None and not found and tier is None:
            self._ledgers.get(ledger)
        return found

    def snapshot(self) -> Snapshot:
        """What is known of the mirrored ledgers."""
        mirror = self._ledgers.mirror()
        if mirror is None:
            return Snapshot([], {}, {})
        version = id(mirror), mirror.version()
        if version != self._mirror_version:
            self._snapshot = read_snapshot(mirror)
            self._mirror_version = version
        return self._snapshot

    def totals(self, origin: str) -> Sequence[TotalRow]:
        """Those of one ledger."""
        if origin != self.origin:
            return self.snapshot().totals.get(origin, ())
        reader = self._ledgers.own_file()
        version = id(reader), reader.version()
        if version != self._own_version:
            self._own_totals = own_totals(reader, origin)
            self._own_version = version
        return self._own_totals

    def has_people(self, row: LedgerRow) -> bool:
        """Whether there is an account of anybody on it."""
        return any(each.kind == ACCOUNT_KIND for each in self.totals(row.origin))

    def sums(self, rows: Sequence[LedgerRow], by: str, status: str | None) -> tuple[dict[str, Sum], Sum]:
        """Totals by ledger, tier or status, and of all together; of accounts in that ``status`` where one is named."""
        total = Sum(list(rows), is_whole=status is None)
        groups: dict[str, Sum] = {}
        for row in rows:
            if by != STATUS:
                name = row.origin if by == LEDGER else row.tier
                groups.setdefault(name, Sum([], is_whole=status is None)).rows.append(row)
            for each in self.totals(row.origin):
                is_system = each.kind not in (ACCOUNT_KIND, FUND_KIND)
                if status is not None and (is_system or each.status != status):
                    continue
                total.add(each)
                if by != STATUS:
                    groups[name].add(each)
                elif not is_system:
                    groups.setdefault(each.status, Sum(list(rows), is_whole=False)).add(each)
        return groups, total

    def is_silent(self, row: LedgerRow) -> bool:
        """Whether it has not sealed for so long that somebody should ask why; also where it never came."""
        since = int(self._clock().timestamp()) - self._silent_hours * SECONDS_AN_HOUR
        return row.sealed_seconds is None or row.sealed_seconds < since

    def plain(self, row: LedgerRow) -> dict[str, Any]:
        """A ledger as a line of an answer."""
        is_own = row.state == OWN
        return {
            "ledger": row.origin,
            "parent": row.parent or None,
            "tier": row.tier,
            "size": row.size,
            "sealed": when(row.sealed_seconds),
            "pulled": when(row.pulled_seconds),
            "state": row.state,
            "silent": self.is_silent(row),
            "findings": None if is_own else row.findings,
            "suspicions": None if is_own else row.suspicions,
            "checkpoint": plain_checkpoint(row),
        }

    def _own_row(self) -> LedgerRow:
        own, standing = self._ledgers.own, self._writer.standing
        last = own.checkpoint()
        sealed = None if standing.sealed_at is None else int(standing.sealed_at.timestamp())
        size, note = (0, None) if last is None else last
        return LedgerRow(
            self.origin, self._parent() or "", standing.tier, size, sealed, None, OWN, 0, 0, 0, 0, note
        )

    def _parent(self) -> str | None:
        """The ledger above the own one, as genesis names it."""
        if self._own_parent is None:
            raw = self._ledgers.own.entry(0)
            self._own_parent = (None if raw is None else CODEC.parse(raw).body.parent,)
        return self._own_parent[0]


def oldest_sealed(rows: Iterable[LedgerRow]) -> str | None:
    """When the one was sealed that has not sealed for the longest time; None where one never came."""
    times = [row.sealed_seconds for row in rows]
    return None if None in times else when(min((each for each in times if each is not None), default=None))


def plain_checkpoint(row: LedgerRow) -> dict[str, Any] | None:
    """The checkpoint that a ledger's figures rest on; None where nothing of it is here."""
    if row.note is None:
        return None
    try:
        checkpoint, _note = open_checkpoint(row.note)
    except ChainError as error:
        raise StoreError(str(error)) from error
    return {
        "origin": row.origin,
        "size": checkpoint.size,
        "root": format_base64(checkpoint.root),
        "sealed": when(row.sealed_seconds),
    }


def when(seconds: int | None) -> str | None:
    """A time as the ledger writes it."""
    return None if seconds is None else format_time(datetime.datetime.fromtimestamp(seconds, UTC))
