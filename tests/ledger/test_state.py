"""The state as bytes and back, and the small books in it."""

import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.block import SEAL
from chain.merkle import leaf_hash
from ledger.kinds import CODEC
from ledger.replay import Replay
from ledger.state import DayBook, State, freeze, thaw
from tests.scenarios.audit import check
from tests.scenarios.script import Player, Scenario, scenarios_on_file
from tests.scenarios.village import Village

SCENARIOS = [pytest.param(scenario, id=f"{stem}: {scenario.title}") for stem, scenario in scenarios_on_file()]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_thawed_anywhere_a_state_goes_on_as_if_never_frozen(scenario: Scenario) -> None:
    village = Player(scenario).play()
    state = State(origin=village.node.origin)
    for raw in village.store.entries(0, village.store.size):
        state = thaw(freeze(state))
        entry = CODEC.parse(raw).statement
        replay = Replay(state, lambda index: CODEC.read(village.store.entry(index)))
        if entry.kind == SEAL:
            replay.close_block(entry, leaf_hash(raw))
            assert replay.books.root() == entry.body.state
        else:
            signers = replay.signers(entry)
            assert signers is not None
            assert replay.admit(entry, signers) is None
    assert state == village.state


@pytest.mark.parametrize("raw", [b"", b"\x80", b"\xc1", b"\x81\xa4size\xa1x", b"{}"])
def test_other_bytes_are_no_state(raw: bytes) -> None:
    if raw == b"\x80":
        assert thaw(raw) == State()
    else:
        with pytest.raises(msgspec.DecodeError):
            thaw(raw)


def test_a_frozen_state_that_is_cut_off_is_refused() -> None:
    village = Village()
    village.found()
    village.open("wang")
    village.seal()
    frozen = freeze(village.state)
    assert thaw(frozen) == village.state
    for length in range(0, len(frozen), 7):
        with pytest.raises((msgspec.DecodeError, TypeError, ValueError)):
            thaw(frozen[:length])
    check(village)


@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(0, 480), st.booleans())))
def test_a_day_book_adds_up_each_day(given_minutes: list[tuple[int, int, bool]]) -> None:
    book, days = DayBook(), dict.fromkeys(range(-5, 6), 0)
    first = datetime.date(2026, 3, 1).toordinal()
    for day, minutes, is_reversed in given_minutes:
        book.add(first + day, minutes)
        days[day] += minutes
        if is_reversed:
            book.add(first + day, -minutes)
            days[day] -= minutes
        assert {day: book.on(first + day) for day in days} == days
