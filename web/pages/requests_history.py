"""Who served whom lately, by the ledger: matching knows volunteers whom no request has ever asked.

    lately = Lately()
    lately.follow(node, since)                     # catches up with what was recorded meanwhile
    lately.minutes(since, node.state.reversed)     # of each volunteer
    lately.visits(recipients, node.state.reversed) # (when, volunteer), the last first

It stays in memory, a few numbers for each service, and is asked in the writer's thread alone.
"""

from collections import Counter, deque
from collections.abc import Container
from typing import NamedTuple

from chain.fields import Time
from ledger.bodies import Service
from web.desk import DeskNode

SERVICES_MAX = 50_000


class Served(NamedTuple):
    """One service on the ledger."""

    entry: int
    at: Time
    provider: str
    recipient: str
    minutes: int


class Lately:
    """The services of the last weeks."""

    def __init__(self) -> None:
        self._services: deque[Served] = deque(maxlen=SERVICES_MAX)
        self._size = 0

    def follow(self, node: DeskNode, since: Time) -> None:
        """Read what was recorded since it last looked, and forget what is older than ``since``."""
        if node.store.size < self._size:
            self._services.clear()
            self._size = 0
        found: list[Served] = []
        for index in range(node.store.size - 1, self._size - 1, -1):
            entry = node.entry(index)
            if entry.at < since or len(found) == SERVICES_MAX:
                break
            if isinstance(entry.body, Service):
                body = entry.body
                found.append(Served(index, body.start, body.provider, body.recipient, body.minutes))
        self._services.extend(reversed(found))
        self._size = node.store.size
        while self._services and self._services[0].at < since:
            self._services.popleft()

    def minutes(self, since: Time, reversed_: Container[int]) -> Counter[str]:
        """How much each volunteer gave since then."""
        found: Counter[str] = Counter()
        for each in self._services:
            if each.at >= since and each.entry not in reversed_:
                found[each.provider] += each.minutes
        return found

    def visits(self, recipients: Container[str], reversed_: Container[int]) -> list[tuple[Time, str]]:
        """When who was with one of them, the last first."""
        found = (each for each in self._services if each.recipient in recipients and each.entry not in reversed_)
        return sorted(((each.at, each.provider) for each in found), reverse=True)
