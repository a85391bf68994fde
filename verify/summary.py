"""What a supervisor asks of a ledger most often, in few rows, made while its audit goes through the entries.

    services = ServiceCounts()
    audit = LedgerAudit(origin, trust, on_admitted=services.see)
    audit.take(source)
    summary = summary_of(services, audit.state, audit.report(), read, is_whole=True)

Services are counted as in a report (``ledger.tally``): a standing service in the local month of its ``end``, and one
that is reversed, whenever that is, no longer. An audit that goes on from an earlier one counts what is new alone: its
counts are to be added to those before (``is_whole`` is false).
"""

import datetime
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chain.entry import Statement
from ledger.bodies import Service
from ledger.corrections import UPHELD
from ledger.hours import RECIPIENT_PAYS
from ledger.matters import Matter, Read, matters_of
from ledger.risk import bands, format_period, waiting_bands
from ledger.signing import Claim
from ledger.state import CLOSED, State, month_of
from ledger.suspicion_list import Suspicion
from verify.audit import LedgerReport


class ServiceKey(NamedTuple):
    """What services are counted by: local month ``YYYY-MM``, category, and what proves them."""

    month: str
    category: str
    evidence: str


class ServiceCount(NamedTuple):
    """How many services, their minutes, and those of them that recipients paid with hours."""

    number: int = 0
    minutes: int = 0
    redeemed_minutes: int = 0


class ServiceCounts:
    """Counts services while it is told every entry that is true (``ledger.replay.OnAdmitted``)."""

    def __init__(self) -> None:
        self.counts: dict[ServiceKey, ServiceCount] = {}

    def see(self, claim: Claim) -> None:
        entry = claim.entry
        match entry.kind:
            case "service":
                self._add(claim.state, claim.index, entry, 1)
            case "reverse":
                self._undo(claim, entry.body.index)
            case "resolve" if entry.body.outcome == UPHELD:
                self._undo(claim, claim.read(entry.body.index).body.index)

    def _undo(self, claim: Claim, index: int) -> None:
        entry = claim.read(index)
        if isinstance(entry.body, Service):
            self._add(claim.state, index, entry, -1)

    def _add(self, state: State, index: int, entry: Statement[Any], sign: int) -> None:
        body: Service = entry.body
        offset = state.utc_offset if sign > 0 else state.utc_offset_at(index)
        month = format_period(month_of(body.end + offset))
        key = ServiceKey(month, body.category, body.evidence.form)
        before, minutes = self.counts.get(key, ServiceCount()), sign * body.minutes
        redeemed = minutes if body.paid_by == RECIPIENT_PAYS else 0
        self.counts[key] = ServiceCount(
            before.number + sign, before.minutes + minutes, before.redeemed_minutes + redeemed
        )


class Band(NamedTuple):
    """Minutes outstanding to those born in the five years from ``band`` on, and of these who may not spend them yet."""

    band: int
    minutes: int
    waiting_minutes: int


@dataclass(frozen=True, slots=True)
class Summary:
    """A ledger as of the entry at which its audit ended; of ``services`` only what is new, unless ``is_whole``."""

    services: Mapping[ServiceKey, ServiceCount]
    is_whole: bool
    volunteers: int
    """Accounts, not closed, whose holders may serve; and accounts of elders:"""
    elders: int
    suspicions: Sequence[Suspicion]
    suspicion_counts: Mapping[str, int]
    active: Mapping[str, int] = field(default_factory=dict)
    """How many accounts served in each month."""
    matters: Sequence[Matter] = ()
    bands: Sequence[Band] = ()


def summary_of(
    services: ServiceCounts, state: State, report: LedgerReport, read: Read, *, is_whole: bool
) -> Summary:
    """What the audit has found so far; ``services`` was told the entries of this part of it, ``read`` has them all."""
    volunteers, elders = people_of(state)
    return Summary(
        services=services.counts,
        is_whole=is_whole,
        volunteers=volunteers,
        elders=elders,
        suspicions=report.suspicions,
        suspicion_counts=report.suspicion_counts,
        active=active_by_month(state),
        matters=matters_of(state, read),
        bands=bands_of(state),
    )


def active_by_month(state: State, first_day: int = 0) -> dict[str, int]:
    """How many accounts gave a service that stands, by the local month; ``first_day`` counts from 0001-01-01."""
    found: Counter[int] = Counter()
    for account in state.accounts.values():
        if account.served is not None:
            days, minutes = account.served.days, account.served.minutes
            start = bisect_left(days, first_day)
            given = zip(days[start:], minutes[start:], strict=True)
            found.update({month_of(datetime.date.fromordinal(day)) for day, count in given if count})
    return {format_period(month): number for month, number in sorted(found.items())}


def bands_of(state: State) -> list[Band]:
    """Outstanding minutes by the band of birth."""
    waiting = waiting_bands(state)
    return [Band(band, minutes, waiting.get(band, 0)) for band, minutes in bands(state).items()]


def people_of(state: State) -> tuple[int, int]:
    """How many accounts are of volunteers who may serve, and how many of elders; closed ones are none."""
    held = [account for account in state.accounts.values() if account.status != CLOSED]
    return sum(account.may_serve for account in held), sum(account.elder for account in held)
