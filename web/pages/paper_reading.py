"""What printed pages say, read from the ledger's own file: services of a certificate, a month, and what is held.

    served = await to_thread.run_sync(partial(read_served, home.ledger, origin, "12345676", period, known))
    posting = await to_thread.run_sync(partial(read_posting, home.ledger, origin, Month(2026, 11), known))
    held = await to_thread.run_sync(partial(read_held, home.ledger, origin, waits, known))

Each opens the file for itself, so that a long read holds up nobody. A service belongs to the local day on which it
began, and on a posting to the month of its entry's log time (FORMAT §3). What was reversed, by whichever way, is left
out of both: ``Known`` says what that is, as the node has it in memory.
"""

import datetime
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chain.block import SEAL
from chain.entry import Body, Entry
from chain.errors import EntryError
from chain.fields import UTC, Time
from ledger.bodies import Resolve, Reverse, Service
from ledger.corrections import UPHELD
from ledger.kinds import CODEC
from store.log import StoreError
from store.reading import ROWS_MAX, KeptLedger, LedgerReader
from web.i18n import translate as _

MONTHS = 12
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Known:
    """What the node knows without reading: the village's clock, and which entries were taken back or objected to."""

    utc_offset: datetime.timedelta
    reversed: Collection[int]
    objected: Collection[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Period:
    """Local days, both of them in it."""

    first: datetime.date
    last: datetime.date


@dataclass(frozen=True, slots=True)
class Month:
    """One of a calendar, in the village's time."""

    year: int
    month: int

    @property
    def first(self) -> datetime.date:
        return datetime.date(self.year, self.month, 1)

    @property
    def next(self) -> "Month":
        return Month(self.year + self.month // MONTHS, self.month % MONTHS + 1)

    @property
    def before(self) -> "Month":
        day = self.first - DAY
        return Month(day.year, day.month)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"


@dataclass(frozen=True, slots=True)
class Served:
    """A service that somebody gave. Without a seal over it there is no receipt of it yet."""

    index: int
    day: datetime.date
    category: str
    minutes: int
    is_sealed: bool


@dataclass(frozen=True, slots=True)
class Posted:
    """What a month did to an account, by its number alone: services given and got, and what it had in the end."""

    number: str
    given_minutes: int
    received_minutes: int
    balance: int
    held: int


@dataclass(frozen=True, slots=True)
class Posting:
    """A month of the village. ``free_minutes`` and ``held_minutes`` are those of all its people in the end.

    ``taken_back`` counts reversals in it, of services of whichever month.
    """

    month: Month
    lines: tuple[Posted, ...]
    service_count: int
    service_minutes: int
    taken_back: int
    free_minutes: int
    held_minutes: int


@dataclass(frozen=True, slots=True)
class Wait:
    """A credit that is held, as the node has it in memory. Both are unknown as long as the entry has no seal."""

    index: int
    free_at: Time | None
    sealed_at: Time | None


@dataclass(frozen=True, slots=True)
class HeldService:
    """A service whose hours are held; times are the village's."""

    index: int
    body: Service
    start: Time
    end: Time
    free_on: datetime.date | None
    object_until: datetime.date | None
    is_objected: bool


def read_held(
    path: Path, origin: str, waits: Iterable[Wait], known: Known, dispute_days: int
) -> list[HeldService]:
    """The services among what is held, those that become free first at the head."""
    offset, within = known.utc_offset, datetime.timedelta(days=dispute_days)
    found = []
    with closing(LedgerReader(path)) as reader:
        ledger = _ledger(reader, origin)
        for wait in waits:
            body = _entry(ledger.entry(wait.index)).body
            if isinstance(body, Service):
                found.append(
                    HeldService(
                        index=wait.index,
                        body=body,
                        start=body.start + offset,
                        end=body.end + offset,
                        free_on=None if wait.free_at is None else (wait.free_at + offset).date(),
                        object_until=None if wait.sealed_at is None else (wait.sealed_at + within + offset).date(),
                        is_objected=wait.index in known.objected,
                    )
                )
    return sorted(found, key=lambda held: (held.free_on is None, held.free_on or held.start.date(), held.index))


def read_served(path: Path, origin: str, number: str, period: Period, known: Known) -> list[Served]:
    """The services that an account gave within a period and that still stand, the oldest first."""
    with closing(LedgerReader(path)) as reader:
        ledger = _ledger(reader, origin)
        found = []
        for index in _indexes(ledger, number):
            body = _entry(ledger.entry(index)).body
            if not isinstance(body, Service) or body.provider != number or index in known.reversed:
                continue
            day = (body.start + known.utc_offset).date()
            if period.first <= day <= period.last:
                found.append(Served(index, day, body.category, body.minutes, index < ledger.size))
        return sorted(found, key=lambda served: (served.day, served.index))


def read_posting(path: Path, origin: str, month: Month, known: Known) -> Posting:
    """What a month did to everybody's account."""
    with closing(LedgerReader(path)) as reader:
        ledger = _ledger(reader, origin)
        given: Counter[str] = Counter()
        received: Counter[str] = Counter()
        count = taken_back = until = 0
        for index, entry in _of_month(reader, ledger, month, known.utc_offset):
            until = index + 1
            taken_back += _takes_back(entry.body)
            if isinstance(entry.body, Service) and index not in known.reversed:
                count += 1
                given[entry.body.provider] += entry.body.minutes
                received[entry.body.recipient] += entry.body.minutes
        sums = reader.row(
            "SELECT coalesce(sum(balance), 0), coalesce(sum(held), 0) FROM leg"
            " WHERE log=? AND idx<? AND account GLOB '[0-9]*'",
            *(ledger.log, until),
        )
        free, held = sums or (0, 0)
        lines = tuple(
            Posted(number, given[number], received[number], *ledger.posted(number, until - 1))
            for number in sorted(given | received)
        )
        return Posting(month, lines, count, sum(given.values()), taken_back, free, held)


def _of_month(
    reader: LedgerReader, ledger: KeptLedger, month: Month, utc_offset: datetime.timedelta
) -> Iterator[tuple[int, Entry[Any]]]:
    """The entries whose log time is in a month: seals come in the order of their times, so that few are read."""
    sizes = [int(size) for (size,) in reader.rows("SELECT size FROM checkpoint WHERE log=? ORDER BY size", ledger.log)]
    begin, end = (
        datetime.datetime.combine(each.first, datetime.time(), UTC) - utc_offset for each in (month, month.next)
    )
    before = bisect_left(sizes, begin, key=lambda size: _entry(ledger.entry(size - 1)).at)
    behind = bisect_left(sizes, end, key=lambda size: _entry(ledger.entry(size - 1)).at)
    start = sizes[before - 1] if before else 0
    stop = sizes[behind] if behind < len(sizes) else ledger.entry_count()
    sealed_at = _entry(ledger.entry(start - 1)).at if start else begin
    for first in range(start, stop, ROWS_MAX):
        for place, raw in enumerate(ledger.entries(first, min(first + ROWS_MAX, stop))):
            entry = _entry(raw)
            if begin <= max(entry.at, sealed_at) < end:
                yield first + place, entry
            if entry.kind == SEAL:
                sealed_at = entry.at


def _takes_back(body: Body) -> bool:
    return isinstance(body, Reverse) or (isinstance(body, Resolve) and body.outcome == UPHELD)


def _indexes(ledger: KeptLedger, number: str) -> Iterator[int]:
    """The entries that did something to an account."""
    after = -1
    while legs := ledger.legs(number, after, ROWS_MAX):
        for leg in legs:
            yield leg.entry_index
        after = legs[-1].entry_index


def _ledger(reader: LedgerReader, origin: str) -> KeptLedger:
    found = reader.ledger(origin)
    if found is None:
        raise reader.damage()
    return found


def _entry(raw: bytes | None) -> Entry[Any]:
    if raw is None:
        raise StoreError(_("an entry is missing"))
    try:
        return CODEC.parse(raw)
    except EntryError as error:
        raise StoreError(str(error)) from error
