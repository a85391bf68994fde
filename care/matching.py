"""Who best goes to whom: every open request with every volunteer, the reasons said, solved as one assignment.

    plan = match(needs, helpers)         # all open requests at once
    plan.proposals                       # who is proposed for what, and why
    ranked(need, helpers)                # all who are suitable for one request, the best first

*Suitable or not* is a ladder: the first reason against a pair is its outcome, and no weight can buy it off. *How well*
is a sum of small costs, all of them minutes of walking or as much trouble as so many minutes::

    walking              1 a minute; 12 where one of the two homes is not known
    asked lately         2 for each hour of the last 30 days, up to 40: whoever was asked less comes first
    served before        −6 the first times: a known face; +9 once it was the same at three of the last four visits,
                         so that an elder does not hang on one person, nor one person's word on an elder
    no language known    4; a common one that is written down costs nothing
    free time not told   6
    diet not known       3, where the elder's matters
    rare skill           5 where somebody holds a credential that this request does not ask for: keep them free

The solver is SciPy's (Jonker and Volgenant's); pairs that are not suitable cost more than all others together, so as
many requests as possible get somebody, and among those ways the cheapest is taken. One round gives everybody one
request at most; what is left over goes into the next round, where those who were proposed are busy then and were asked
for more. The same needs and helpers give the same plan, in whatever order they come.

Nothing is decided here: the clerk sees the reasons and chooses.
"""

import datetime
from collections.abc import Iterable, Sequence

import msgspec

from care.walking import WALK_MAX_MINUTES, Place, walking_minutes
from chain.fields import Time

UNKNOWN_WALK_COST, LATELY_HOUR_COST, LATELY_MAX_COST = 12, 2, 40
KNOWN_FACE_COST, ALWAYS_SAME_COST = -6, 9
NO_LANGUAGE_COST, NO_HOURS_COST, NO_DIET_COST, RARE_SKILL_COST = 4, 6, 3, 5
LAST_VISITS, OFTEN_VISITS = 4, 3
BASE_COST = -KNOWN_FACE_COST
"""Added to every pair, so that no cost is below zero."""
FORBIDDEN_COST = 10_000_000
ROWS_MAX, COLUMNS_MAX, ROUNDS_MAX = 2_000, 5_000, 4
BETWEEN_MINUTES = 15
"""From one visit to the next."""
NEXT_BEST = 4
HOUR_MINUTES = 60
WEEK_HOURS = 168
CARE_LEVELS = range(5)
"""By the national standard for assessing elders (GB/T 42195): 0 able, 1 light, 2 medium, 3 heavy, 4 wholly disabled."""


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for. ``scopes``: one of these credentials; empty: none is needed."""

    id: int
    recipients: tuple[str, ...]
    starts_at: Time
    minutes: int
    day: int = 0
    """The local day, counted from 0001-01-01."""
    week_hours: frozenset[int] = frozenset()
    """The local hours of the week that it touches, Monday 0 o'clock being 0."""
    places: int = 1
    scopes: frozenset[str] = frozenset()
    care_level: int | None = None
    languages: frozenset[str] = frozenset()
    diet: str = ""
    place: Place | None = None
    kin: frozenset[str] = frozenset()
    """Of the recipients, guardians included."""
    last_visits: tuple[str, ...] = ()
    """The volunteers of the last visits, the newest first."""
    refused: frozenset[str] = frozenset()
    """Those who have declined, or whose offer was taken back."""
    asked: frozenset[str] = frozenset()
    """Those who hold an offer now, or a place."""

    @property
    def ends_at(self) -> Time:
        return self.starts_at + datetime.timedelta(minutes=self.minutes)


class Busy(msgspec.Struct, frozen=True, array_like=True):
    """When somebody is with another."""

    starts_at: Time
    ends_at: Time


class Helper(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a volunteer. ``free_hours`` empty: nothing was told."""

    account: str
    may_serve: bool = True
    is_suspended: bool = False
    is_resting: bool = False
    """Asked not to be asked for now."""
    day_minutes_max: int = 1_440
    is_minor: bool = False
    scopes: frozenset[str] = frozenset()
    care_most: int | None = None
    """The highest care level that they have learnt to deal with; nothing told counts as ``CARE_UNTOLD``."""
    languages: frozenset[str] = frozenset()
    diets: frozenset[str] = frozenset()
    free_hours: frozenset[int] = frozenset()
    busy: tuple[Busy, ...] = ()
    day_minutes: dict[int, int] = msgspec.field(default_factory=dict)
    """What they give on each day that has something already."""
    place: Place | None = None
    asked_minutes: int = 0
    """Of the last 30 days, the visits that were accepted."""


CARE_UNTOLD = 1
MINOR_CARE_MOST = 1
"""What nobody asks of a child."""


class Reason(msgspec.Struct, frozen=True, array_like=True):
    """Something that speaks for or against a pair, and how much: a code, a number and what it costs."""

    code: str
    count: int = 0
    cost: int = 0


class Proposal(msgspec.Struct, frozen=True):
    """A volunteer for a request. ``cost`` is the sum of the reasons'."""

    need: int
    account: str
    cost: int
    reasons: tuple[Reason, ...]


class Plan(msgspec.Struct, frozen=True):
    """What came of all of them: proposals in order of request and cost, and how many volunteers each still wants."""

    proposals: tuple[Proposal, ...]
    missing: dict[int, int]


def unsuitable(need: Need, helper: Helper) -> str | None:
    """The first reason against the pair; None where there is none."""
    if not helper.may_serve:
        return "not-volunteer"
    if helper.is_suspended:
        return "suspended"
    if helper.account in need.recipients:
        return "self"
    if helper.account in need.kin:
        return "kin"
    if helper.account in need.refused:
        return "declined"
    if helper.is_resting:
        return "resting"
    if need.scopes and need.scopes.isdisjoint(helper.scopes):
        return "needs-credential"
    if need.care_level is not None and need.care_level > _care_most(helper):
        return "care-level"
    if need.languages and helper.languages and need.languages.isdisjoint(helper.languages):
        return "no-language"
    if helper.free_hours and not need.week_hours <= helper.free_hours:
        return "not-free"
    if need.minutes + helper.day_minutes.get(need.day, 0) > helper.day_minutes_max:
        return "day-full"
    if helper.busy and _is_busy(need, helper):
        return "busy"
    if need.place is not None and helper.place is not None:
        return "too-far" if walking_minutes(need.place, helper.place) > WALK_MAX_MINUTES else None
    return None


def _care_most(helper: Helper) -> int:
    most = CARE_UNTOLD if helper.care_most is None else helper.care_most
    return min(most, MINOR_CARE_MOST) if helper.is_minor else most


def _is_busy(need: Need, helper: Helper) -> bool:
    between = datetime.timedelta(minutes=BETWEEN_MINUTES)
    begin, end = need.starts_at - between, need.ends_at + between
    return any(begin < busy.ends_at and busy.starts_at < end for busy in helper.busy)


def reasons(need: Need, helper: Helper) -> tuple[Reason, ...]:
    """What makes a suitable pair better or worse, in the order in which people are told."""
    found = [_walk(need, helper)]
    if need.scopes:
        found.append(Reason("credential"))
    elif helper.scopes:
        found.append(Reason("rare-skill", 0, RARE_SKILL_COST))
    if need.languages:
        found.append(Reason("language") if helper.languages else Reason("no-languages", 0, NO_LANGUAGE_COST))
    found.append(Reason("free") if helper.free_hours else Reason("no-hours", 0, NO_HOURS_COST))
    if need.diet:
        found.append(Reason("diet") if need.diet in helper.diets else Reason("no-diet", 0, NO_DIET_COST))
    found += _before(need, helper)
    hours = helper.asked_minutes // HOUR_MINUTES
    found.append(Reason("lately", hours, min(LATELY_MAX_COST, hours * LATELY_HOUR_COST)))
    return tuple(found)


def _walk(need: Need, helper: Helper) -> Reason:
    if need.place is None or helper.place is None:
        return Reason("no-place", 0, UNKNOWN_WALK_COST)
    minutes = walking_minutes(need.place, helper.place)
    return Reason("walk", minutes, minutes)


def _before(need: Need, helper: Helper) -> list[Reason]:
    times = need.last_visits.count(helper.account)
    if not times:
        return []
    if need.last_visits[:LAST_VISITS].count(helper.account) >= OFTEN_VISITS:
        return [Reason("always-same", times, ALWAYS_SAME_COST)]
    return [Reason("known-face", times, KNOWN_FACE_COST)]


def propose(need: Need, helper: Helper) -> Proposal | None:
    """The pair with its reasons; None where it is not suitable."""
    if unsuitable(need, helper) is not None:
        return None
    found = reasons(need, helper)
    return Proposal(need.id, helper.account, sum(reason.cost for reason in found), found)


def ranked(need: Need, helpers: Iterable[Helper], most: int = COLUMNS_MAX) -> list[Proposal]:
    """All suitable pairs of one request whom nobody has asked yet, the best first."""
    pairs = (propose(need, helper) for helper in helpers if helper.account not in need.asked)
    return sorted(filter(None, pairs), key=_order)[:most]


def _order(proposal: Proposal) -> tuple[int, str]:
    return proposal.cost, proposal.account


def match(needs: Sequence[Need], helpers: Sequence[Helper]) -> Plan:
    """Volunteers for all requests at once, for all ``places`` of each; ``ROWS_MAX`` and ``COLUMNS_MAX`` bound both."""
    rows = [need for need in sorted(needs, key=lambda need: need.id) for _place in range(need.places)][:ROWS_MAX]
    columns = sorted(helpers, key=lambda helper: helper.account)[:COLUMNS_MAX]
    found: list[Proposal] = []
    for _round in range(ROUNDS_MAX):
        pairs = assign(rows, columns) if rows and columns else []
        if not pairs:
            break
        found += [proposal for proposal in (propose(rows[row], columns[column]) for row, column in pairs) if proposal]
        taken = {columns[column].account: rows[row] for row, column in pairs}
        columns = [_busier(helper, taken.get(helper.account)) for helper in columns]
        asked = {(rows[row].id, columns[column].account) for row, column in pairs}
        done = {row for row, _column in pairs}
        rows = [_with_asked(need, asked) for place, need in enumerate(rows) if place not in done]
    missing = {need.id: 0 for need in needs}
    for need in rows:
        missing[need.id] += 1
    return Plan(tuple(sorted(found, key=lambda one: (one.need, *_order(one)))), missing)


def assign(rows: Sequence[Need], columns: Sequence[Helper]) -> list[tuple[int, int]]:
    """Pairs of places in both, nobody twice: as many as can be, and of those ways a cheapest one."""
    import numpy
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

    costs = numpy.full((len(rows), len(columns)), FORBIDDEN_COST, dtype=numpy.int64)
    known: dict[int, list[tuple[int, int]]] = {}
    for place, need in enumerate(rows):
        if id(need) not in known:
            known[id(need)] = _costs(need, columns)
        for column, cost in known[id(need)]:
            costs[place, column] = cost
    chosen = zip(*(side.tolist() for side in linear_sum_assignment(costs)), strict=True)
    return [(row, column) for row, column in chosen if costs[row, column] < FORBIDDEN_COST]


def _costs(need: Need, columns: Sequence[Helper]) -> list[tuple[int, int]]:
    """The columns that are suitable for one request, with what each costs."""
    return [
        (column, BASE_COST + sum([reason.cost for reason in reasons(need, helper)]))
        for column, helper in enumerate(columns)
        if helper.account not in need.asked and unsuitable(need, helper) is None
    ]


def _busier(helper: Helper, need: Need | None) -> Helper:
    """The same after they were proposed for a request."""
    if need is None:
        return helper
    return msgspec.structs.replace(
        helper,
        busy=(*helper.busy, Busy(need.starts_at, need.ends_at)),
        asked_minutes=helper.asked_minutes + need.minutes,
        day_minutes=helper.day_minutes | {need.day: helper.day_minutes.get(need.day, 0) + need.minutes},
    )


def _with_asked(need: Need, asked: Iterable[tuple[int, str]]) -> Need:
    return msgspec.structs.replace(need, asked=need.asked | {account for id_, account in asked if id_ == need.id})
