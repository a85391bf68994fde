"""Who goes to whom: the ladder of reasons, the weights, the best of all ways, fairness, and that it is quick."""

import datetime
import subprocess
import sys
import time
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from care.matching import (
    Busy,
    Helper,
    Need,
    Reason,
    assign,
    match,
    propose,
    ranked,
    reasons,
    unsuitable,
)
from care.walking import DIRECTIONS, Place, place_of, told, walking_minutes

NINE = datetime.datetime(2026, 11, 23, 9, tzinfo=datetime.UTC)
HOME = Place(0, 0)
NEED = Need(id=1, recipients=("elder",), starts_at=NINE, minutes=60, week_hours=frozenset({9, 10}), day=5, place=HOME)
HELPER = Helper(account="a", free_hours=frozenset(range(168)), place=Place(100, 0))


def hours(number: float) -> datetime.timedelta:
    return datetime.timedelta(hours=number)


@pytest.mark.parametrize(
    ("need", "helper", "outcome"),
    [
        ({}, {}, None),
        ({}, {"may_serve": False, "is_suspended": True}, "not-volunteer"),
        ({}, {"is_suspended": True}, "suspended"),
        ({"recipients": ("b", "a")}, {}, "self"),
        ({"kin": frozenset({"a"})}, {}, "kin"),
        ({"refused": frozenset({"a"})}, {}, "declined"),
        ({}, {"is_resting": True}, "resting"),
        ({"scopes": frozenset({"legal"})}, {}, "needs-credential"),
        ({"scopes": frozenset({"legal", "finance"})}, {"scopes": frozenset({"finance"})}, None),
        ({"care_level": 1}, {}, None),
        ({"care_level": 2}, {}, "care-level"),
        ({"care_level": 2}, {"care_most": 2}, None),
        ({"care_level": 2}, {"care_most": 4, "is_minor": True}, "care-level"),
        ({"languages": frozenset({"吴语"})}, {"languages": frozenset({"普通话"})}, "no-language"),
        ({"languages": frozenset({"吴语"})}, {"languages": frozenset({"普通话", "吴语"})}, None),
        ({"languages": frozenset({"吴语"})}, {}, None),
        ({}, {"free_hours": frozenset({9})}, "not-free"),
        ({}, {"free_hours": frozenset()}, None),
        ({}, {"day_minutes_max": 120, "day_minutes": {5: 61}}, "day-full"),
        ({}, {"day_minutes_max": 120, "day_minutes": {4: 120, 5: 60}}, None),
        ({}, {"busy": (Busy(NINE + hours(1), NINE + hours(2)),)}, "busy"),
        ({}, {"busy": (Busy(NINE + hours(1.25), NINE + hours(2)),)}, None),
        ({}, {"busy": (Busy(NINE - hours(2), NINE - hours(0.25)),)}, None),
        ({}, {"place": Place(2_000, 0)}, "too-far"),
        ({"place": None}, {"place": Place(2_000, 0)}, None),
    ],
)
def test_the_first_reason_against_a_pair(need: dict[str, Any], helper: dict[str, Any], outcome: str | None) -> None:
    pair = msgspec.structs.replace(NEED, **need), msgspec.structs.replace(HELPER, **helper)
    assert unsuitable(*pair) == outcome
    assert (propose(*pair) is None) == (outcome is not None)


@pytest.mark.parametrize(
    ("need", "helper", "reason"),
    [
        ({}, {}, Reason("walk", 2, 2)),
        ({}, {"place": None}, Reason("no-place", 0, 12)),
        ({"scopes": frozenset({"legal"})}, {"scopes": frozenset({"legal"})}, Reason("credential")),
        ({}, {"scopes": frozenset({"legal"})}, Reason("rare-skill", 0, 5)),
        ({"languages": frozenset({"吴语"})}, {"languages": frozenset({"吴语"})}, Reason("language")),
        ({"languages": frozenset({"吴语"})}, {}, Reason("no-languages", 0, 4)),
        ({}, {}, Reason("free")),
        ({}, {"free_hours": frozenset()}, Reason("no-hours", 0, 6)),
        ({"diet": "清真"}, {"diets": frozenset({"清真"})}, Reason("diet")),
        ({"diet": "清真"}, {}, Reason("no-diet", 0, 3)),
        ({"last_visits": ("b", "a", "a", "c", "a")}, {}, Reason("known-face", 3, -6)),
        ({"last_visits": ("a", "a", "b", "a")}, {}, Reason("always-same", 3, 9)),
        ({}, {"asked_minutes": 299}, Reason("lately", 4, 8)),
        ({}, {"asked_minutes": 60_000}, Reason("lately", 1_000, 40)),
    ],
)
def test_every_reason_has_its_weight(need: dict[str, Any], helper: dict[str, Any], reason: Reason) -> None:
    found = reasons(msgspec.structs.replace(NEED, **need), msgspec.structs.replace(HELPER, **helper))
    assert reason in found


def test_the_cost_is_the_sum_of_what_is_told() -> None:
    made = propose(NEED, msgspec.structs.replace(HELPER, asked_minutes=120))
    assert made is not None and made.cost == sum(reason.cost for reason in made.reasons) == 2 + 4


def test_those_who_were_asked_are_not_ranked_again() -> None:
    names = enumerate("cab")
    others = [msgspec.structs.replace(HELPER, account=name, asked_minutes=60 * order) for order, name in names]
    need = msgspec.structs.replace(NEED, asked=frozenset({"a"}))
    assert [proposal.account for proposal in ranked(need, others)] == ["c", "b"]


places = st.builds(Place, st.integers(-900, 900), st.integers(-900, 900))
needs = st.builds(
    Need,
    id=st.integers(1, 99),
    recipients=st.just(("elder",)),
    starts_at=st.integers(0, 6).map(lambda number: NINE + hours(number)),
    minutes=st.sampled_from((30, 60, 120)),
    week_hours=st.sets(st.integers(9, 12), min_size=1, max_size=2).map(frozenset),
    place=st.none() | places,
    scopes=st.sampled_from((frozenset(), frozenset({"legal"}))),
    care_level=st.none() | st.integers(0, 3),
    last_visits=st.lists(st.sampled_from("abcd"), max_size=4).map(tuple),
    kin=st.sampled_from((frozenset(), frozenset({"a"}))),
)
helpers = st.builds(
    Helper,
    account=st.sampled_from("abcdefg"),
    scopes=st.sampled_from((frozenset(), frozenset({"legal"}))),
    care_most=st.none() | st.integers(0, 4),
    free_hours=st.sets(st.integers(9, 13)).map(frozenset),
    place=st.none() | places,
    asked_minutes=st.integers(0, 600),
)
several_needs = st.lists(needs, max_size=4, unique_by=lambda need: need.id)
several_helpers = st.lists(helpers, max_size=5, unique_by=lambda helper: helper.account)


def best_by_trying(rows: list[Need], columns: list[Helper]) -> tuple[int, int]:
    """How many pairs at most, and what those cost at least."""
    seats: list[Helper | None] = [*columns, *[None] * len(rows)]
    found = []
    for chosen in permutations(seats, len(rows)):
        pairs = [propose(need, helper) for need, helper in zip(rows, chosen, strict=True) if helper is not None]
        made = [pair for pair in pairs if pair is not None]
        found.append((-len(made), sum(pair.cost for pair in made)))
    return min(found)


@given(several_needs, several_helpers)
def test_no_other_way_is_better(rows: list[Need], columns: list[Helper]) -> None:
    pairs = assign(rows, columns) if rows and columns else []
    made = [propose(rows[row], columns[column]) for row, column in pairs]
    costs = [proposal.cost for proposal in made if proposal is not None]
    assert (-len(costs), sum(costs)) == best_by_trying(rows, columns)


@given(several_needs, several_helpers, st.randoms())
def test_a_plan_is_suitable_complete_and_the_same_in_any_order(
    rows: list[Need], columns: list[Helper], chance: Any
) -> None:
    rows = [msgspec.structs.replace(need, places=1 + need.id % 2) for need in rows]
    plan = match(rows, columns)
    by_id, by_account = {need.id: need for need in rows}, {helper.account: helper for helper in columns}
    for proposal in plan.proposals:
        assert unsuitable(by_id[proposal.need], by_account[proposal.account]) is None
    assert len({(one.need, one.account) for one in plan.proposals}) == len(plan.proposals)
    for need in rows:
        assert sum(one.need == need.id for one in plan.proposals) + plan.missing[need.id] == need.places
    for account in by_account:
        times = sorted(by_id[one.need].starts_at for one in plan.proposals if one.account == account)
        assert len(set(times)) == len(times), "nobody is in two places at once"
    shuffled_rows, shuffled_columns = list(rows), list(columns)
    chance.shuffle(shuffled_rows)
    chance.shuffle(shuffled_columns)
    assert match(shuffled_rows, shuffled_columns) == plan


@given(st.integers(2, 6), st.integers(1, 30))
def test_those_who_are_alike_are_asked_alike(count: int, days: int) -> None:
    """Day after day the same request: nobody of equals is asked twice before everybody was asked once."""
    asked = {str(number): 0 for number in range(count)}
    for day in range(days):
        need = msgspec.structs.replace(NEED, id=day, day=day)
        found = match([need], [Helper(account=name, asked_minutes=minutes) for name, minutes in asked.items()])
        asked[found.proposals[0].account] += need.minutes
        assert max(asked.values()) - min(asked.values()) <= need.minutes


def test_one_round_is_not_enough_for_few_volunteers() -> None:
    """Two volunteers, six requests through the day: each comes three times, none of them at two places at once."""
    rows = [msgspec.structs.replace(NEED, id=place, starts_at=NINE + hours(2 * place)) for place in range(6)]
    rows = [msgspec.structs.replace(need, week_hours=frozenset()) for need in rows]
    plan = match(rows, [HELPER, msgspec.structs.replace(HELPER, account="b")])
    assert sorted(one.account for one in plan.proposals) == ["a", "a", "a", "b", "b", "b"]
    assert not any(plan.missing.values())


def test_three_hundred_requests_and_five_hundred_volunteers_take_no_time() -> None:
    columns = [
        Helper(
            account=f"{number:08}",
            free_hours=frozenset(range(number % 40, 120)),
            place=Place(number * 7 % 900, number * 13 % 900),
            asked_minutes=number * 31 % 900,
        )
        for number in range(500)
    ]
    rows = [
        msgspec.structs.replace(
            NEED, id=number, week_hours=frozenset({number % 100}), place=Place(number * 11 % 900, number * 3 % 900)
        )
        for number in range(300)
    ]
    began = time.process_time()
    plan = match(rows, columns)
    assert time.process_time() - began < 3.0  # about 0.2 s on an idle core
    assert len(plan.proposals) + sum(plan.missing.values()) == 300


def test_the_solver_is_imported_by_those_alone_who_need_it() -> None:
    program = "import sys, care.matching, care.requests; sys.exit('scipy' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@given(st.sampled_from(DIRECTIONS), st.integers(0, 60))
def test_a_place_is_told_back_as_it_was_told(direction: str, minutes: int) -> None:
    expected = (direction if minutes else "north", minutes)
    assert told(place_of(direction, minutes)) == expected
    assert walking_minutes(place_of(direction, minutes), HOME) == max(1, minutes)


@given(places, places)
def test_walking_is_as_far_there_as_back(one: Place, other: Place) -> None:
    assert walking_minutes(one, other) == walking_minutes(other, one) >= 1
