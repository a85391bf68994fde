"""Supply and demand: for each hour of the week, how much is asked for, how many could come, and what is missing.

    found = demand(asked, helpers)
    found.cells[(hour, category)]        # a Cell: asked, free, served
    found.totals[category]               # a Total: the minutes asked for, and those somebody agreed to
    found.missing()                      # the hours in which more was asked than came, the worst first

The hours are local, 0 to 167, Monday 0 o'clock being 0. ``asked`` are the requests of some weeks; a category's supply
is whoever is free at that hour and may give that category. A volunteer counts once, however many they serve.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from care.matching import WEEK_HOURS, Helper

MISSING_SHOWN = 12


class Asked(msgspec.Struct, frozen=True):
    """One request as it counts: its category and length, the hours of the week it touches, and who came."""

    category: str
    minutes: int
    hours: tuple[int, ...]
    places: int
    came: int


class Cell(msgspec.Struct, frozen=True):
    """One category at one hour of the week: places asked for and served in the weeks looked at, people who are free."""

    asked: int = 0
    served: int = 0
    free: int = 0

    @property
    def missing(self) -> int:
        return self.asked - self.served


class Total(msgspec.Struct, frozen=True):
    """One category in all the weeks, in minutes of those who are asked to come."""

    asked_minutes: int = 0
    served_minutes: int = 0

    @property
    def missing_minutes(self) -> int:
        return self.asked_minutes - self.served_minutes


class Demand(msgspec.Struct, frozen=True):
    """All of it. ``cells`` has those alone where anything is asked; ``free`` is everybody by hour."""

    cells: Mapping[tuple[int, str], Cell]
    totals: Mapping[str, Total]
    free: tuple[int, ...]
    untold: int
    """Volunteers of whom nobody knows when they are free."""

    def missing(self, most: int = MISSING_SHOWN) -> list[tuple[int, str, Cell]]:
        """Where the most places stayed empty, and then where the fewest are free."""
        short = [(hour, category, cell) for (hour, category), cell in self.cells.items() if cell.missing > 0]
        return sorted(short, key=lambda one: (-one[2].missing, one[2].free, one[0], one[1]))[:most]


def demand(asked: Iterable[Asked], helpers: Sequence[Helper], needed: Mapping[str, frozenset[str]]) -> Demand:
    """``needed``: the credentials of which a category asks one; nothing for a category that asks for none."""
    useful = [helper for helper in helpers if helper.may_serve and not helper.is_suspended and not helper.is_resting]
    places: Counter[tuple[int, str]] = Counter()
    came: Counter[tuple[int, str]] = Counter()
    totals: dict[str, Total] = {}
    for one in asked:
        sofar, served = totals.get(one.category, Total()), min(one.came, one.places)
        asked_minutes = sofar.asked_minutes + one.places * one.minutes
        totals[one.category] = Total(asked_minutes, sofar.served_minutes + served * one.minutes)
        for hour in one.hours:
            places[hour, one.category] += one.places
            came[hour, one.category] += served
    cells = {
        (hour, category): Cell(
            count, came[hour, category], _free(useful, hour, needed.get(category, frozenset()))
        )
        for (hour, category), count in sorted(places.items())
    }
    free = tuple(_free(useful, hour, frozenset()) for hour in range(WEEK_HOURS))
    return Demand(cells, totals, free, sum(not helper.free_hours for helper in useful))


def _free(helpers: Iterable[Helper], hour: int, scopes: frozenset[str]) -> int:
    return sum(
        hour in helper.free_hours and (not scopes or not scopes.isdisjoint(helper.scopes)) for helper in helpers
    )
