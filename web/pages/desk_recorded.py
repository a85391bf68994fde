"""Whether a service stands on the ledger already.

Nobody serves the same person twice from the same minute on. The rules do not ask this (a day's cap and the suspicions
do); at a desk it is mostly somebody who typed a line twice, and it is refused: when it is proposed, and when it is
signed, since the same may have been proposed twice before.
"""

from bisect import bisect_left

from chain.fields import Time
from ledger.bodies import Service
from web.desk import DeskNode

ServiceKey = tuple[str, str, Time, Time]
"""Provider, recipient, start and end."""


def key_of(service: Service) -> ServiceKey:
    """What is the same in two records of one service."""
    return service.provider, service.recipient, service.start, service.end


class Recorded:
    """The services of providers that stand on a ledger; each provider is looked up once."""

    def __init__(self, node: DeskNode) -> None:
        self._node = node
        self._known: dict[str, tuple[int, dict[ServiceKey, int]]] = {}

    def index(self, service: Service) -> int | None:
        """The entry that says the same and was not taken back."""
        return self.since(service.provider, service.start).get(key_of(service))

    def since(self, provider: str, time: Time) -> dict[ServiceKey, int]:
        """The entries of all services of a provider that may have ended at that time or later."""
        since = self._first_after(int(time.timestamp()))
        known = self._known.get(provider)
        if known is None or known[0] > since:
            known = since, self._services(provider, since)
            self._known[provider] = known
        return known[1]

    def _services(self, provider: str, since: int) -> dict[ServiceKey, int]:
        found: dict[ServiceKey, int] = {}
        for leg in self._node.legs(provider):
            index = leg.entry_index
            if index >= since and index not in self._node.state.reversed:
                body = self._node.entry(index).body
                if isinstance(body, Service) and body.provider == provider:
                    found[key_of(body)] = index
        return found

    def _first_after(self, seconds: int) -> int:
        """The first entry that can speak of something that happened at that time or later."""
        state = self._node.state
        sealed = bisect_left(state.seal_seconds, seconds)
        return state.seal_indexes[sealed - 1] + 1 if sealed else 0
