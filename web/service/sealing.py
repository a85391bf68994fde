"""When a running node closes its block: by size, by the clock, and once a day to show that it is alive."""

import datetime
from collections.abc import Callable

from chain.fields import Time
from ledger.state import State
from store.settings import ServeSettings

ALIVE_HOURS = 24
"""An empty block a day says that nothing happened, where silence would say nothing."""


def seal_rule(settings: ServeSettings, clock: Callable[[], Time]) -> Callable[[State], bool]:
    """Whether a ledger's open block is to be closed now."""
    every, alive = datetime.timedelta(minutes=settings.seal_every_minutes), datetime.timedelta(hours=ALIVE_HOURS)

    def is_due(state: State) -> bool:
        if state.block_entries >= settings.seal_entries:
            return True
        if not settings.seal_every_minutes or state.sealed_at is None:
            return False
        age = clock() - state.sealed_at
        return age >= (every if state.block_entries else alive)

    return is_due
