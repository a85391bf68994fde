"""What a suspicion is, and the list of those that were found (RULES §6).

A suspicion says that something allowed is unusual. Its text is one of ``TEXTS`` with values put in, kept apart so that
a page can translate the text; it holds numbers only, nothing of a person but account numbers.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

LISTED_MAX = 10_000
"""So many suspicions of one log are kept, all are counted: nobody reads more, and a hostile log must not fill us up."""

ENTRIES_MAX = 64
"""So many entries a suspicion names, the latest ones; ``count`` in its detail counts all."""

OVERLAP, NIGHT, RECIPROCAL, GIFTS = "overlap", "night", "reciprocal", "gifts"
RING, PAPER_HEAVY, SAME_CERTIFIER, BURST = "ring", "paper_heavy", "same_certifier", "burst"
ROUND, IMPOSSIBLE, SLEEPER = "round", "impossible", "sleeper"

TEXTS = {
    OVERLAP: "{count} services by one person overlap in time",
    NIGHT: "a service of {minutes} minutes, part of it in the night, from {night_start} to {night_end}",
    RECIPROCAL: "served account {other} {given} times and was served by it {taken} times within {days} days",
    GIFTS: "{count} gifts and donations within {days} days",
    RING: "each served the next at least {times} times within {days} days, the last one the first: {ring}",
    PAPER_HEAVY: "in {month}, {count} of the {services} services recorded were on paper; of those of all other clerks, "
    "{paper_others} of {services_others}",
    SAME_CERTIFIER: "in {month}, recorded by {recorder} and certified by this one: {count} of all {services} services",
    BURST: "{count} services that ended at least {days} days before, recorded at the same moment",
    ROUND: "the last {count} services are all of whole hours",
    IMPOSSIBLE: "received {minutes} minutes of service on one day, in {count} services",
    SLEEPER: "gave {count} times and neither served nor was served",
}
"""English texts by code; placeholders are the names in ``Suspicion.values``."""


class Suspicion(msgspec.Struct, frozen=True, kw_only=True):
    """One suspicion: its code, the account or key it is about, and the indexes of entries it rests on, rising."""

    code: str
    account: str
    entries: tuple[int, ...]
    text: str
    """The English text with placeholders, from ``TEXTS``."""
    values: dict[str, int | str]

    @property
    def detail(self) -> str:
        """The text in English with its values."""
        return self.text.format(**self.values)


class SuspicionList:
    """Suspicions in the order in which they were found: the first ``LISTED_MAX`` kept, all counted by code."""

    def __init__(self) -> None:
        self.kept: list[Suspicion] = []
        self.counts: Counter[str] = Counter()

    def copy(self) -> "SuspicionList":
        """The same suspicions in a list of its own."""
        other = SuspicionList()
        other.kept, other.counts = self.kept.copy(), self.counts.copy()
        return other

    def add(
        self, code: str, account: str, entries: Iterable[int], *, count: int | None = None, **values: int | str
    ) -> None:
        """Enter one. ``count`` is how many entries there are, where ``entries`` does not hold them all."""
        self.counts[code] += 1
        if len(self.kept) < LISTED_MAX:
            rising = sorted(entries)
            named = tuple(rising[-ENTRIES_MAX:])
            values["count"] = len(rising) if count is None else count
            self.kept.append(Suspicion(code=code, account=account, entries=named, text=TEXTS[code], values=values))
