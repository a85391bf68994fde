"""The state as bytes and back, and the small books in it."""

import datetime
import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.block import SEAL
from chain.merkle import leaf_hash
from ledger.kinds import CODEC
from ledger.replay import Replay
from ledger.roster import Key, Roster
from ledger.state import (
    FORM,
    Account,
    Admission,
    Anchored,
    Case,
    CouponBook,
    Credit,
    DayBook,
    Measure,
    Month,
    Objection,
    State,
    freeze,
    thaw,
)
from tests.scenarios.audit import check
from tests.scenarios.script import Player, Scenario, scenarios_on_file
from tests.scenarios.village import Village

SCENARIOS = [pytest.param(scenario, id=f"{stem}: {scenario.title}") for stem, scenario in scenarios_on_file()]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_thawed_anywhere_a_state_goes_on_as_if_never_frozen(scenario: Scenario) -> None:
    player = Player(scenario)
    player.play()
    for village in player.villages.values():
        thawed_anywhere(village)


def thawed_anywhere(village: Village) -> None:
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


@pytest.mark.parametrize(
    "raw", [b"", b"\x80", FORM, FORM + b"\xc1", FORM + b"\x81\xa4size\xa1x", FORM + b"{}", FORM[:-1] + b"\x80"]
)
def test_other_bytes_are_no_state(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        thaw(raw)


def test_a_state_of_an_older_program_is_counted_anew() -> None:
    """One that did not keep used proofs would be believed to have seen none."""
    older = freeze(State()).replace(b"huzhu/state/v4\n", b"huzhu/state/v3\n")
    assert thaw(FORM + b"\x80") == State()
    for raw in (older, older.partition(b"\n")[2]):
        with pytest.raises(msgspec.DecodeError):
            thaw(raw)


def test_the_form_has_these_fields() -> None:
    """Whoever changes them gives the form another number, and writes it here with them."""
    structs: list[type[msgspec.Struct]] = [
        State, Account, Month, CouponBook, Case, Measure, Credit, Objection, DayBook, Roster, Key, Admission,
        Anchored,
    ]  # fmt: skip
    named = [f"{struct.__name__}.{name}" for struct in structs for name in struct.__struct_fields__]
    digest = hashlib.sha256("\n".join(named).encode()).hexdigest()

    assert (FORM, digest[:16]) == (b"huzhu/state/v4\n", "83eac1009109e739")


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
