"""How long it takes to walk from one home to another, as far as a village clerk can say where they are.

A place is coarse on purpose: minutes on foot from the committee's house and a direction, as anybody in the village
would tell it. No address and no coordinates are kept, and what is kept is under lock (``care.requestbook``).
"""

import math

import msgspec

METRES_A_MINUTE = 4_000 / 60
"""4 km an hour: an ordinary walk."""
DETOUR = 1.3
"""Paths are so much longer than the straight line."""
WALK_MAX_MINUTES = 15
"""A service within a quarter of an hour's walk: what the time bank promises."""
FAR_MAX_MINUTES = 240

DIRECTIONS = ("north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest")
"""In the order of a compass, 45 degrees each."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Metres east and north of the committee's house, as the crow flies."""

    east_metres: int
    north_metres: int


def place_of(direction: str, minutes: int) -> Place:
    """Where somebody lives who walks so many minutes from the committee's house in that direction."""
    angle = math.radians(45 * DIRECTIONS.index(direction)) if minutes else 0.0
    metres = minutes * METRES_A_MINUTE / DETOUR
    return Place(round(metres * math.sin(angle)), round(metres * math.cos(angle)))


def told(place: Place) -> tuple[str, int]:
    """Direction and minutes again, as ``place_of`` takes them."""
    minutes = round(_metres(place, Place(0, 0)) * DETOUR / METRES_A_MINUTE)
    turn = round(math.degrees(math.atan2(place.east_metres, place.north_metres)) / 45) % len(DIRECTIONS)
    return DIRECTIONS[turn], minutes


def walking_minutes(one: Place, other: Place) -> int:
    """Minutes on foot from one place to another; never less than one."""
    return max(1, math.ceil(round(_metres(one, other) * DETOUR / METRES_A_MINUTE, 1)))


def _metres(one: Place, other: Place) -> float:
    return math.hypot(one.east_metres - other.east_metres, one.north_metres - other.north_metres)
