"""Suspicions about those who give time away: ``gifts`` and ``sleeper`` (RULES §6)."""

import msgspec

from ledger.bodies import Donate, Gift
from ledger.signing import Claim
from ledger.suspicion_clock import DAY_SECONDS, LONG_AGO, SuspicionClock
from ledger.suspicion_list import GIFTS, SLEEPER, SuspicionList

KEPT_GIFTS = 256
"""Of one giver, the latest within ``gift_days``."""


class Giver(msgspec.Struct, array_like=True):
    """What one account gave: all of it by number, the latest by time and index."""

    count: int = 0
    times: list[int] = []
    indexes: list[int] = []
    """Of all its gifts, also those outside the window; the last ``KEPT_GIFTS``."""
    quiet_until: int = LONG_AGO
    is_named: bool = False
    """As a sleeper."""


class Gifts:
    """Looks at every gift and donation."""

    def __init__(self, clock: SuspicionClock, found: SuspicionList) -> None:
        self._clock, self._found = clock, found
        self.givers: dict[str, Giver] = {}

    def see(self, claim: Claim, has_served: bool) -> None:
        """Take in a gift or a donation; ``has_served`` where its giver ever served or was served."""
        body: Gift | Donate = claim.entry.body
        giver = self.givers.setdefault(body.giver, Giver())
        giver.count += 1
        giver.times.append(self._clock.now)
        giver.indexes.append(claim.index)
        self._look_at_window(body.giver, giver)
        if not has_served:
            self._look_for_sleeper(body.giver, giver)
        del giver.indexes[:-KEPT_GIFTS]

    def _look_at_window(self, number: str, giver: Giver) -> None:
        parameters, now = self._clock.parameters, self._clock.now
        span = parameters.gift_days * DAY_SECONDS
        giver.times = [time for time in giver.times if time > now - span][-KEPT_GIFTS:]
        count = len(giver.times)
        if count > parameters.gift_count and now >= giver.quiet_until:
            giver.quiet_until = now + span
            self._found.add(GIFTS, number, giver.indexes[-count:], days=parameters.gift_days)

    def _look_for_sleeper(self, number: str, giver: Giver) -> None:
        if not giver.is_named and giver.count >= self._clock.parameters.gift_count:
            giver.is_named = True
            self._found.add(SLEEPER, number, giver.indexes, count=giver.count)
