"""Suspicions about people who serve each other: ``reciprocal`` (two) and ``ring`` (three to five) (RULES §6)."""

from collections.abc import Iterator

from ledger.suspicion_clock import LONG_AGO, SuspicionClock
from ledger.suspicion_list import RECIPROCAL, RING, SuspicionList
from ledger.suspicion_people import Provider, Recipient, Services

RING_MIN, RING_MAX = 3, 5
"""How many people a ring has: two are ``reciprocal``, and a chain of six does not pay those who arrange it."""

RING_WIDTH = 16
"""Of one person, so many whom it served often are followed."""

RING_STEPS = 512
"""So many steps a search goes: a dense web of mutual help is no ring, and an audit must end."""

SPARE_MAX, SPARE_EACH, STEP_COST = 65_536, 256, 16
"""Searches may look at so many services at first and at most, and at so many more for each service that is asked about;
a step costs as much as some of them. Ordinary logs need next to none of it; a hostile one must not hold up an audit."""

QUIET_KEPT = 10_000
"""So many pairs and rings are remembered as named; then the one named longest ago is forgotten."""

Served = dict[str, dict[str, Services]]
"""By provider and recipient: the services around a time."""


class Pairs:
    """Looks at pairs and rings, over the providers that the watch remembers."""

    def __init__(self, clock: SuspicionClock, found: SuspicionList, providers: dict[str, Provider]) -> None:
        self._clock, self._found, self._providers = clock, found, providers
        self.quiet_until: dict[tuple[str, ...], int] = {}
        """Pairs and rings that were named, smallest number first: a service that starts earlier renews nothing."""
        self.spare = SPARE_MAX
        """How many services searches may still look at."""

    def look(self, provider: str, served: Recipient, start: int) -> None:
        """``provider`` gave a service to somebody who has ever served too."""
        recipient, count = served.number, self._clock.parameters.reciprocal_count
        self.spare = min(SPARE_MAX, self.spare + SPARE_EACH)
        given_count = self._providers[provider].count_for(served, *self._window(start))
        if given_count < count:
            return
        pair = (min(provider, recipient), max(provider, recipient))
        if start >= self.quiet_until.get(pair, LONG_AGO):
            given, taken = self._around(provider, start)[recipient], self._around(recipient, start).get(provider, [])
            window = common_window(given, taken, start, self._clock.pair_span, count)
            self._name_pair(provider, recipient, pair, window)
        if given_count == count:
            self._look_for_rings(provider, recipient, start)

    def _around(self, number: str, start: int) -> dict[str, Services]:
        """What the provider gave less than ``reciprocal_days`` before or after ``start``."""
        return self._providers[number].served(*self._window(start))

    def _window(self, start: int) -> tuple[int, int]:
        span = self._clock.pair_span
        return max(start - span + 1, self._clock.oldest_pair), start + span

    def _name_pair(
        self, provider: str, recipient: str, pair: tuple[str, ...], sides: tuple[Services, Services] | None
    ) -> None:
        if sides is None:
            return
        given, taken = map(len, sides)
        entries, days = self._silence(pair, sides[0] + sides[1]), self._clock.parameters.reciprocal_days
        self._found.add(RECIPROCAL, provider, entries, other=recipient, given=given, taken=taken, days=days)
        self._found.add(RECIPROCAL, recipient, entries, other=provider, given=taken, taken=given, days=days)

    def _silence(self, circle: tuple[str, ...], services: Services) -> list[int]:
        """Do not name these people again before all these services are out of the window; the services' indexes."""
        self.quiet_until.pop(circle, None)
        self.quiet_until[circle] = max(each for each, _ in services) + self._clock.pair_span
        if len(self.quiet_until) > QUIET_KEPT:
            del self.quiet_until[next(iter(self.quiet_until))]
        return [index for _, index in services]

    def _look_for_rings(self, provider: str, recipient: str, start: int) -> None:
        served: Served = {}
        parameters = self._clock.parameters
        for path in self._search(provider, recipient, start, served):
            smallest = path.index(min(path))
            ring = path[smallest:] + path[:smallest]
            if start < self.quiet_until.get(ring, LONG_AGO):
                continue
            steps = zip(ring, ring[1:] + ring[:1], strict=True)
            services = [each for one, other in steps for each in served[one][other]]
            self.spare -= len(services)
            entries = self._silence(ring, services)
            times, days = parameters.reciprocal_count, parameters.reciprocal_days
            self._found.add(RING, ring[0], entries, times=times, days=days, ring=" ".join(ring))

    def _search(self, first: str, second: str, start: int, served: Served) -> Iterator[tuple[str, ...]]:
        """Rings through the two, depth first, smallest numbers first; ``served`` gets who served whom often.

        It ends early where nothing is spare any more.
        """
        served[first] = self._often(first, start)
        paths: list[tuple[str, ...]] = [(first, second)]
        for _ in range(RING_STEPS):
            self.spare -= STEP_COST
            if not paths or self.spare <= 0:
                return
            path = paths.pop()
            last = path[-1]
            if last not in served:
                served[last] = self._often(last, start)
            if len(path) >= RING_MIN and first in served[last]:
                yield path
            if len(path) < RING_MAX:
                following = sorted(served[last])[:RING_WIDTH]
                paths += [(*path, number) for number in reversed(following) if number not in path]

    def _often(self, number: str, start: int) -> dict[str, Services]:
        """Whom the provider served at least ``reciprocal_count`` times around ``start``, and who ever served."""
        count, providers = self._clock.parameters.reciprocal_count, self._providers
        around = self._around(number, start)
        self.spare -= sum(map(len, around.values()))
        return {each: found for each, found in around.items() if len(found) >= count and each in providers}


def common_window(
    given: Services, taken: Services, start: int, span: int, count: int
) -> tuple[Services, Services] | None:
    """Of both sides, what started in the first ``span`` seconds that hold ``start`` and ``count`` of each side.

    A window is all times over e − span up to e; of several, the one with the smallest e. Both sides rise.
    """
    sides = given, taken
    lows, highs = [0, 0], [0, 0]
    for end in sorted({each for each, _ in given + taken if each >= start}):
        for side, services in enumerate(sides):
            while highs[side] < len(services) and services[highs[side]][0] <= end:
                highs[side] += 1
            while lows[side] < highs[side] and services[lows[side]][0] <= end - span:
                lows[side] += 1
        if min(highs[0] - lows[0], highs[1] - lows[1]) >= count:
            return given[lows[0] : highs[0]], taken[lows[1] : highs[1]]
    return None
