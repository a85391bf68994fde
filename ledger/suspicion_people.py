"""What is remembered of people for suspicions: the latest services they gave, and what they were given by days.

Arrays of seconds and indexes, since there are millions. ``prune`` only lets go of what no rule can look at any more, so
that when it is called makes no difference to what is found (RULES §6).
"""

import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence

import msgspec

from ledger.state import Ints
from ledger.suspicion_clock import LONG_AGO

DAY_MINUTES = 1_440

KEPT_SERVICES = 1_024
"""Of one provider, those that started last: years of service, and the most that a hostile log can make us keep."""

KEPT_DAYS = 128
"""Of one recipient, the days so many before the latest one: sheets that come in late belong to some month before."""

Services = list[tuple[int, int]]
"""Start and index of some services."""


class RecipientRecord(msgspec.Struct, array_like=True):
    """A recipient at rest."""

    number: str
    days: dict[int, list[int]]
    latest_day: int


class ProviderRecord(msgspec.Struct, array_like=True):
    """A provider at rest: arrays as their bytes, recipients by their place in the list of all."""

    starts: bytes
    ends: bytes
    indexes: bytes
    recipients: bytes
    latest_end: int
    longest: int
    whole: list[int]


class Recipient:
    """One who was ever served: on which local days, for how long, and in which services."""

    __slots__ = ("days", "latest_day", "number")

    def __init__(self, number: str) -> None:
        self.number = number
        self.days: dict[int, list[int]] = {}
        """By local day: minutes, then the indexes of the services."""
        self.latest_day = LONG_AGO

    def add(self, day: int, minutes: int, index: int) -> list[int] | None:
        """Enter a service; minutes and indexes of that day where it takes them over a day's minutes."""
        received = self.days.get(day)
        if received is None:
            if day > self.latest_day:
                self.latest_day = day
            if day > self.latest_day - KEPT_DAYS:
                self.days[day] = [minutes, index]
                if len(self.days) > 2 * KEPT_DAYS:
                    self.prune(LONG_AGO)
        elif received[0] <= DAY_MINUTES and day > self.latest_day - KEPT_DAYS:
            received[0] += minutes
            received.append(index)
            if received[0] > DAY_MINUTES:
                return received
        return None

    def record(self) -> RecipientRecord:
        """What ``thaw_recipient`` makes one of again."""
        return RecipientRecord(self.number, self.days, self.latest_day)

    def prune(self, oldest_day: int) -> None:
        """Let go of the days before that one, and of those too long before the latest."""
        first = max(oldest_day, self.latest_day - KEPT_DAYS + 1)
        self.days = {day: received for day, received in self.days.items() if day >= first}


class Provider:
    """One who ever served: the services, in the order of their start, and of the log where that is the same."""

    __slots__ = ("ends", "indexes", "latest_end", "longest", "recipients", "starts", "whole")

    def __init__(self) -> None:
        self.starts: Ints = array.array("q")
        self.ends: Ints = array.array("q")
        self.indexes: Ints = array.array("q")
        self.recipients: list[Recipient] = []
        self.latest_end = LONG_AGO
        self.longest = 0
        """The longest of them in seconds: none that started earlier than this before a time still goes on then."""
        self.whole: list[int] = []
        """The latest services, as long as all were of whole hours."""

    def insert(self, start: int, end: int, index: int, recipient: Recipient, oldest: int) -> list[int]:
        """Enter a service; the indexes of the kept ones that it overlaps and that did not end before ``oldest``."""
        starts, ends, indexes = self.starts, self.ends, self.indexes
        place = bisect_right(starts, start)
        first = max(len(starts) - KEPT_SERVICES, bisect_left(starts, start - self.longest), 0)
        beyond = bisect_left(starts, end, place)
        found = [indexes[each] for each in range(first, beyond) if ends[each] > start and ends[each] >= oldest]
        starts.insert(place, start)
        ends.insert(place, end)
        indexes.insert(place, index)
        self.recipients.insert(place, recipient)
        self.latest_end = max(self.latest_end, end)
        return found

    def count_for(self, recipient: Recipient, low: int, high: int) -> int:
        """How many kept services for that one started from ``low`` on and before ``high``."""
        starts = self.starts
        first = max(bisect_left(starts, low), len(starts) - KEPT_SERVICES)
        return self.recipients[first : bisect_left(starts, high)].count(recipient)

    def served(self, low: int, high: int) -> dict[str, Services]:
        """By recipient: the kept services that started from ``low`` on and before ``high``, rising."""
        first = max(bisect_left(self.starts, low), len(self.starts) - KEPT_SERVICES)
        services: dict[str, Services] = {}
        for place in range(first, bisect_left(self.starts, high)):
            service = (self.starts[place], self.indexes[place])
            services.setdefault(self.recipients[place].number, []).append(service)
        return services

    def record(self, places: Mapping[str, int]) -> ProviderRecord:
        """What ``thaw_provider`` makes one of again; ``places`` are those of the recipients by number."""
        recipients = array.array("q", [places[recipient.number] for recipient in self.recipients])
        return ProviderRecord(
            self.starts.tobytes(),
            self.ends.tobytes(),
            self.indexes.tobytes(),
            recipients.tobytes(),
            self.latest_end,
            self.longest,
            self.whole,
        )

    def prune(self, oldest: int) -> None:
        """Let go of what ended before ``oldest``, as far as nothing that is kept started earlier."""
        ends = self.ends
        cut = max(0, len(ends) - KEPT_SERVICES)
        while cut < len(ends) and ends[cut] < oldest:
            cut += 1
        if cut:
            del self.starts[:cut], ends[:cut], self.indexes[:cut], self.recipients[:cut]


def thaw_recipient(record: RecipientRecord) -> Recipient:
    """The recipient that the record is of."""
    recipient = Recipient(record.number)
    recipient.days, recipient.latest_day = record.days, record.latest_day
    return recipient


def thaw_provider(record: ProviderRecord, recipients: Sequence[Recipient]) -> Provider:
    """The provider that the record is of."""
    provider = Provider()
    for thawed, raw in (
        (provider.starts, record.starts),
        (provider.ends, record.ends),
        (provider.indexes, record.indexes),
    ):
        thawed.frombytes(raw)
    places = array.array("q")
    places.frombytes(record.recipients)
    provider.recipients = [recipients[place] for place in places]
    provider.latest_end, provider.longest, provider.whole = record.latest_end, record.longest, record.whole
    return provider
