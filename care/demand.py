"""Supply and demand: for each hour of the week, how much is asked for, how many could come, and what is missing.

    found = demand(asked, helpers)
    found.cells[(hour, category)]        # a Cell: asked, free, served
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
    """One request as it counts: its category, the hours of the week it touches, and whether somebody came."""

    category: str
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


class Demand(msgspec.Struct, frozen=True):
    """All of it. ``cells`` has those alone where anything is asked; ``free`` is everybody by hour."""

    cells: Mapping[tuple[int, str], Cell]
    free: tuple[int, ...]
    untold: int
    """Volunteers of whom nobody knows when they are free."""

    def by_category(self) -> dict[str, Cell]:
        """Asked and served in all hours; ``free``: the people that are free at the best of the hours asked."""
        found: dict[str, Cell] = {}
        for (_hour, category), cell in sorted(self.cells.items()):
            sofar = found.get(category, Cell())
            sums = sofar.asked + cell.asked, sofar.served + cell.served, max(sofar.free, cell.free)
            found[category] = Cell(*sums)
        return found

    def missing(self, most: int = MISSING_SHOWN) -> list[tuple[int, str, Cell]]:
        """Where the most places stayed empty, and then where the fewest are free."""
        short = [(hour, category, cell) for (hour, category), cell in self.cells.items() if cell.missing > 0]
        return sorted(short, key=lambda one: (-one[2].missing, one[2].free, one[0], one[1]))[:most]


def demand(asked: Iterable[Asked], helpers: Sequence[Helper], needed: Mapping[str, frozenset[str]]) -> Demand:
    """``needed``: the credentials of which a category asks one; nothing for a category that asks for none."""
    useful = [helper for helper in helpers if helper.may_serve and not helper.is_suspended and not helper.is_resting]
    places: Counter[tuple[int, str]] = Counter()
    came: Counter[tuple[int, str]] = Counter()
    for one in asked:
        for hour in one.hours:
            places[hour, one.category] += one.places
            came[hour, one.category] += min(one.came, one.places)
    cells = {
        (hour, category): Cell(
            count, came[hour, category], _free(useful, hour, needed.get(category, frozenset()))
        )
        for (hour, category), count in sorted(places.items())
    }
    free = tuple(_free(useful, hour, frozenset()) for hour in range(WEEK_HOURS))
    return Demand(cells, free, sum(not helper.free_hours for helper in useful))


def _free(helpers: Iterable[Helper], hour: int, scopes: frozenset[str]) -> int:
    return sum(
        hour in helper.free_hours and (not scopes or not scopes.isdisjoint(helper.scopes)) for helper in helpers
    )
