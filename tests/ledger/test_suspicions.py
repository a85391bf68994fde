"""Each suspicion, planted and just missed; an ordinary village, which is left alone; and the sample's own answers."""

import datetime
import json
import random
import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from chain.fields import Time
from ledger import suspicion_months, suspicion_pairs
from ledger.parameters import DEFAULTS
from ledger.replay import Replay
from ledger.state import State
from ledger.suspicion_clock import SuspicionClock
from ledger.suspicion_list import ENTRIES_MAX, LISTED_MAX, TEXTS
from ledger.suspicion_people import KEPT_SERVICES
from ledger.suspicions import Watch
from node import Node
from tests.ledger.claims import PAPER, SIGNED, Log, local
from tests.web.desk import BEGINNING, Desk

ANNE, BEN, CLARA, DORA, ELLA, FRED = "12345676", "23456756", "34567836", "45678916", "56789095", "67890175"
SAMPLE = Path(__file__).resolve().parent.parent / "data" / "liuduhe"
MINUTE = datetime.timedelta(minutes=1)


def test_overlap_names_all_that_go_on_at_once() -> None:
    log = Log()
    log.serve(ANNE, CLARA, local(0, 8), 60)
    long = log.serve(ANNE, CLARA, local(0, 9), 120)
    late = log.serve(ANNE, DORA, local(0, 11), 30)
    both = log.serve(ANNE, ELLA, local(0, 10, 50), 20)
    log.serve(BEN, CLARA, local(0, 9), 120)
    assert log.named() == [("overlap", ANNE, (long, late, both))]


def test_overlap_is_found_whatever_the_order() -> None:
    log = Log()
    long = log.serve(ANNE, CLARA, local(0, 9), 240)
    first = log.serve(ANNE, DORA, local(0, 7), 30)
    within = log.serve(ANNE, ELLA, local(0, 10), 10)
    around = log.serve(ANNE, FRED, local(0, 6, 50), 200)
    assert log.named() == [("overlap", ANNE, (long, within)), ("overlap", ANNE, (long, first, within, around))]


def test_overlap_forgets_what_ended_two_days_before_anything_could_still_be_recorded() -> None:
    for minutes_more, is_found in ((0, True), (1, False)):
        log = Log(record_within_days=7)
        log.serve(ANNE, CLARA, local(0, 9), 60)
        at = local(0, 10) + datetime.timedelta(days=9, minutes=minutes_more)
        log.serve(ANNE, DORA, local(0, 9), 30, end=local(8), at=at, evidence=SIGNED)
        assert bool(log.watch.counts["overlap"]) == is_found


def test_overlap_looks_at_the_services_that_started_last() -> None:
    log = Log(record_within_days=36_500)
    first = log.serve(ANNE, CLARA, local(0, 8), 30, at=local(400))
    for each in range(KEPT_SERVICES - 1):
        log.serve(ANNE, CLARA, local(1 + each // 20, each % 20), 30, at=local(400))
    second = log.serve(ANNE, CLARA, local(0, 8), 30, at=local(400))
    third = log.serve(ANNE, CLARA, local(0, 8), 30, at=local(400))
    log.serve(ANNE, CLARA, local(390), 30, at=local(400))
    log.serve(ANNE, CLARA, local(0, 8), 30, at=local(400))
    overlaps = [each.entries for each in log.end() if each.code == "overlap"]
    assert overlaps == [(first, second), (second, third)]


def test_services_that_touch_do_not_overlap() -> None:
    log = Log()
    for hour in (9, 12, 10, 8, 11):
        log.serve(ANNE, CLARA, local(0, hour), 60, at=local(0, 20))
    assert log.named() == []


def test_a_suspicion_names_the_latest_entries_and_counts_all() -> None:
    log = Log()
    entries = [log.serve(ANNE, CLARA, local(0, 9, each), 1, at=local(1)) for each in range(70)]
    entries.append(log.serve(ANNE, DORA, local(0, 9), 70, at=local(1)))
    [overlap] = log.end()
    assert (overlap.entries, overlap.detail) == (
        tuple(entries[-ENTRIES_MAX:]),
        "71 services by one person overlap in time",
    )


@pytest.mark.parametrize(
    ("start", "minutes", "night", "is_named"),
    [
        (local(0, 21), 60, (1_320, 360), False),
        (local(0, 21), 61, (1_320, 360), True),
        (local(0, 23, 30), 60, (1_320, 360), True),
        (local(1, 5, 59), 10, (1_320, 360), True),
        (local(1, 6), 10, (1_320, 360), False),
        (local(1, 6), 960, (1_320, 360), False),
        (local(1, 6), 1_440, (1_320, 360), True),
        (local(0, 1), 60, (60, 120), True),
        (local(0, 2), 60, (60, 120), False),
        (local(0, 0), 60, (60, 120), False),
        (local(0, 22), 181, (60, 120), True),
        (local(0, 12), 1_440, (60, 61), True),
        (local(0, 1), 2_000, (60, 60), False),
    ],
)
def test_night_is_any_part_of_it(start: Time, minutes: int, night: tuple[int, int], is_named: bool) -> None:
    log = Log(night_start=night[0], night_end=night[1])
    index = log.serve(ANNE, CLARA, start, minutes)
    assert log.named() == ([("night", ANNE, (index,))] if is_named else [])


def test_night_goes_by_the_offset_in_force() -> None:
    log = Log(utc_offset_minutes=0)
    log.serve(ANNE, CLARA, local(0, 23), 45)
    log.set_parameters(utc_offset_minutes=480)
    index = log.serve(ANNE, CLARA, local(1, 23), 45)
    [night] = log.end()
    assert (night.entries, night.detail) == (
        (index,),
        "a service of 45 minutes, part of it in the night, from 22:00 to 06:00",
    )


def test_reciprocal_names_both_once() -> None:
    log = Log()
    entries = []
    for day in range(3):
        entries += [log.serve(ANNE, BEN, local(day, 9)), log.serve(BEN, ANNE, local(day, 14))]
    log.serve(ANNE, BEN, local(3, 9))
    log.serve(BEN, ANNE, local(3, 14))
    log.serve(ANNE, CLARA, local(4))
    assert log.named() == [("reciprocal", BEN, tuple(entries)), ("reciprocal", ANNE, tuple(entries))]
    assert (
        log.watch.suspicions[0].detail == f"served account {ANNE} 3 times and was served by it 3 times within 30 days"
    )


@pytest.mark.parametrize(("last_day", "is_named"), [(29, True), (30, False)])
def test_reciprocal_is_within_the_window(last_day: int, is_named: bool) -> None:
    log = Log()
    days = [0, 1, 2, last_day - 1, last_day - 1, last_day]
    for place, day in enumerate(days):
        one, other = (ANNE, BEN) if place < 3 else (BEN, ANNE)
        log.serve(one, other, local(day, 9 + place if place < 5 else 9))
    assert log.watch.counts["reciprocal"] == 2 * is_named


def test_reciprocal_is_within_one_window_also_where_sheets_come_in_late() -> None:
    log = Log(record_within_days=60, reciprocal_count=2, reciprocal_days=10)
    for one, other, day in ((ANNE, BEN, 6), (BEN, ANNE, 16), (BEN, ANNE, 15), (ANNE, BEN, 10)):
        log.serve(one, other, local(day), at=local(20))
    assert log.named() == []


def test_only_the_last_pairs_are_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspicion_pairs, "QUIET_KEPT", 2)
    log = Log(record_within_days=60, reciprocal_count=1, reciprocal_days=5)
    for other, day in ((BEN, 0), (CLARA, 1), (BEN, 8), (DORA, 9), (BEN, 10), (CLARA, 4), (CLARA, 5)):
        log.serve(ANNE, other, local(day, 9), at=local(11))
        log.serve(other, ANNE, local(day, 10), at=local(11))
    accounts = [each.account for each in log.end() if each.code == "reciprocal" and each.account != ANNE]
    assert accounts == [BEN, CLARA, BEN, DORA, CLARA]


def test_reciprocal_is_found_where_sheets_come_in_late_and_again_after_the_window() -> None:
    log = Log(record_within_days=60)
    for base in (0, 60):
        later = [log.serve(ANNE, BEN, local(base + 10 + day), at=local(base + 20)) for day in range(3)]
        earlier = [log.serve(BEN, ANNE, local(base + day), at=local(base + 20)) for day in range(3)]
        assert log.watch.suspicions[-1].entries == (*later, *earlier)
    assert log.watch.counts == {"reciprocal": 4}


def test_ring_names_its_smallest_account_once() -> None:
    log = Log(reciprocal_count=2)
    circle = [CLARA, ANNE, BEN, CLARA]
    entries = [
        log.serve(one, other, local(day, 9 + place))
        for day in range(2)
        for place, (one, other) in enumerate(pairwise(circle))
    ]
    for day in range(2, 5):
        log.serve(CLARA, ANNE, local(day))
    assert log.named() == [("ring", ANNE, tuple(entries))]
    assert log.watch.suspicions[0].detail == (
        f"each served the next at least 2 times within 30 days, the last one the first: {ANNE} {BEN} {CLARA}"
    )


def test_ring_is_named_again_after_the_window() -> None:
    log = Log(reciprocal_count=1)
    steps = [(ANNE, BEN, 0), (BEN, CLARA, 1), (CLARA, ANNE, 5), (ANNE, BEN, 30), (BEN, CLARA, 36), (CLARA, ANNE, 37)]
    entries = [log.serve(one, other, local(day)) for one, other, day in steps]
    assert log.named() == [("ring", ANNE, tuple(entries[:3])), ("ring", ANNE, tuple(entries[3:]))]


@pytest.mark.parametrize(("people", "is_named"), [(3, True), (4, True), (5, True), (6, False)])
def test_ring_has_three_to_five(people: int, is_named: bool) -> None:
    log = Log(reciprocal_count=1)
    circle = [ANNE, BEN, CLARA, DORA, ELLA, FRED][:people]
    for place, one in enumerate(circle):
        log.serve(one, circle[(place + 1) % people], local(place))
    assert log.watch.counts == ({"ring": 1} if is_named else {})


def test_a_chain_is_no_ring() -> None:
    log = Log(reciprocal_count=1, reciprocal_days=10)
    log.serve(ANNE, BEN, local(0))
    log.serve(BEN, CLARA, local(1))
    log.serve(CLARA, DORA, local(2))
    log.serve(DORA, ANNE, local(10, 9))
    assert log.named() == [], "the first one is out of the window"


def test_gifts_are_more_than_the_count_within_the_days() -> None:
    log = Log(gift_count=3, gift_days=30)
    log.serve(ANNE, CLARA, local(0))
    first = log.give(ANNE, local(0, 12))
    entries = [log.give(ANNE, local(day), BEN) for day in (10, 20)]
    entries.append(log.give(ANNE, local(30, 12)))
    assert log.watch.counts == {}, "the first has just left the window"
    entries.append(log.give(ANNE, local(31), BEN))
    for day in (32, 33, 60):
        log.give(ANNE, local(day))
    assert first not in entries
    assert log.named() == [("gifts", ANNE, tuple(entries))]
    last = log.give(ANNE, local(61))
    log.give(ANNE, local(62))
    assert log.watch.counts == {"gifts": 2}
    assert log.watch.suspicions[-1].entries == (last - 3, last - 2, last - 1, last)


def test_log_time_does_not_go_back_within_a_block() -> None:
    log = Log(gift_count=2, gift_days=3)
    log.serve(ANNE, CLARA, local(0))
    entries = [log.give(ANNE, local(day)) for day in (10, 5, 11)]
    assert log.named() == [("gifts", ANNE, tuple(entries))]


def test_sleeper_only_gives() -> None:
    log = Log(gift_count=3)
    log.serve(BEN, CLARA, local(0))
    entries = [log.give(number, local(day)) for day in (0, 100, 200, 300) for number in (ANNE, BEN, CLARA)]
    log.serve(DORA, ELLA, local(301))
    assert log.named() == [("sleeper", ANNE, (entries[0], entries[3], entries[6]))]


def test_impossible_is_more_than_a_day_in_a_day() -> None:
    log = Log()
    entries = [log.serve(one, DORA, local(0, 7), 480) for one in (ANNE, BEN, CLARA)]
    log.serve(ELLA, DORA, local(1, 7), 1)
    assert log.watch.counts == {}
    entries.append(log.serve(FRED, DORA, local(0, 8), 1))
    log.serve(ELLA, DORA, local(0, 9), 1)
    assert log.named() == [("impossible", DORA, tuple(entries))]


@pytest.mark.parametrize(("days_later", "is_named"), [(127, True), (128, False)])
def test_impossible_counts_late_sheets_of_four_months(days_later: int, is_named: bool) -> None:
    log = Log(Watch(sweep_every=1), record_within_days=400)
    entries = [log.serve(one, DORA, local(0, 7), 480) for one in (ANNE, BEN, CLARA)]
    log.serve(ELLA, DORA, local(days_later))
    for each in range(10):
        log.serve(FRED, CLARA, local(300, 8 + each))
    entries.append(log.serve(FRED, DORA, local(0, 8), 1, at=local(300)))
    assert log.named() == ([("impossible", DORA, tuple(entries))] if is_named else [])


@pytest.mark.parametrize(("minutes_more", "is_named"), [(0, True), (1, False)])
def test_impossible_counts_what_is_not_older_than_the_horizon(minutes_more: int, is_named: bool) -> None:
    for sweep_every in (1, 1_000):
        log = Log(Watch(sweep_every), record_within_days=7)
        for one in (ANNE, BEN, CLARA):
            log.serve(one, DORA, local(0, 7), 480)
        for each in range(5):
            log.serve(ELLA, CLARA, local(9, 6, each), 1, at=local(9, 8))
        log.serve(FRED, DORA, local(0, 8), 1, at=local(9, 8, minutes_more))
        assert log.watch.counts["impossible"] == is_named


def test_round_is_thirty_whole_hours_in_a_row() -> None:
    log = Log()
    for day in range(29):
        log.serve(ANNE, CLARA, local(day), 60 + 60 * (day % 2))
        log.serve(BEN, CLARA, local(day), 60)
    log.serve(BEN, CLARA, local(29), 61)
    last = log.serve(ANNE, CLARA, local(29), 60)
    log.serve(ANNE, CLARA, local(30), 60)
    assert log.named() == [("round", ANNE, (*range(0, 58, 2), last))]


def test_round_is_not_asked_where_time_is_booked_by_the_half_hour() -> None:
    log = Log(unit_minutes=30)
    for day in range(40):
        log.serve(ANNE, CLARA, local(day), 60)
    assert log.named() == []


@pytest.mark.parametrize(("count", "days", "is_named"), [(50, 3, True), (49, 3, False), (50, 2, False), (70, 9, True)])
def test_burst_is_many_late_ones_at_one_moment(count: int, days: int, is_named: bool) -> None:
    log = Log()
    at = local(20, 18)
    log.serve(ANNE, CLARA, local(20 - days), at=at - MINUTE)
    entries = [log.serve(f"9{each:07d}", CLARA, local(20 - days), 5, at=at) for each in range(count - 1)]
    log.give(FRED, at)
    entries.append(log.serve(DORA, CLARA, local(20 - days), 5, at=at))
    log.serve(ANNE, CLARA, local(20), at=at)
    log.serve(BEN, CLARA, local(20 - days), by="aide", at=at)
    log.serve(BEN, CLARA, local(20 - days, 12), at=at + MINUTE)
    assert log.named() == ([("burst", "clerk", tuple(entries[-ENTRIES_MAX:]))] if is_named else [])
    assert not is_named or log.watch.suspicions[0].values["count"] == count


def dump(log: Log, day: int, count: int = 60, days: int = 4) -> None:
    """So many services of some days before, recorded at one moment."""
    for each in range(count):
        log.serve(f"9{each:07d}", CLARA, local(day - days), 5, at=local(day, 18))


def test_burst_is_not_what_a_recorder_does_every_week() -> None:
    log = Log()
    for week in range(8):
        dump(log, 20 + 7 * week, count=60 + 5 * week)
    assert log.named() == []


def test_burst_is_twice_as_many_as_ever_before() -> None:
    log = Log()
    dump(log, 20, 55)
    dump(log, 27, 109)
    dump(log, 34, 219)
    assert [suspicion.values["count"] for suspicion in log.end()] == [219]


@pytest.mark.parametrize("spare", [suspicion_pairs.SPARE_MAX, 0])
def test_a_search_for_rings_ends_when_nothing_is_spare(spare: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspicion_pairs, "SPARE_MAX", spare)
    log = Log(reciprocal_count=1)
    for day, (provider, recipient) in enumerate(((ANNE, BEN), (BEN, CLARA), (CLARA, ANNE))):
        log.serve(provider, recipient, local(day))
    assert [code for code, _account, _entries in log.named()] == (["ring"] if spare else [])


def month(log: Log, papers: int, signed: int, others: int, others_paper: int) -> list[int]:
    """A month of a clerk who is fond of paper and an aide who is less; the entries of the clerk on paper."""
    by_aide = [PAPER] * others_paper + [SIGNED] * (others - others_paper)
    evidence = [("clerk", PAPER)] * papers + [("clerk", SIGNED)] * signed + [("aide", each) for each in by_aide]
    certifiers = ["mei", "ning", "ou"]
    entries = []
    for each, (by, shown) in enumerate(evidence):
        beside = (certifiers[each % 3],) if shown is PAPER else (CLARA,)
        index = log.serve(f"9{each:07d}", CLARA, local(each % 28, 9), 1, by=by, beside=beside, evidence=shown)
        entries += [index] if by == "clerk" and shown is PAPER else []
    return entries


@pytest.mark.parametrize(
    ("figures", "is_named"),
    [
        ((50, 0, 50, 24), True),
        ((54, 6, 50, 24), True),
        ((53, 6, 50, 24), False),
        ((49, 0, 50, 24), False),
        ((50, 0, 49, 0), False),
        ((50, 0, 50, 25), False),
    ],
)
def test_paper_heavy_stands_out_from_the_others(figures: tuple[int, int, int, int], is_named: bool) -> None:
    log = Log()
    entries = month(log, *figures)
    assert log.watch.counts == {}, "the month is not over"
    log.serve(ANNE, CLARA, local(32), beside=("mei",))
    named = [("paper_heavy", "clerk", (entries[0], entries[-1]))] if is_named else []
    assert [(each.code, each.account, each.entries) for each in log.watch.suspicions] == named
    assert log.named() == named


def test_however_many_sign_the_month_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspicion_months, "TEAMS_KEPT", 1)
    log = Log()
    entries = month(log, 54, 6, 50, 24)
    assert log.named() == [("paper_heavy", "clerk", (entries[0], entries[-1]))]


@pytest.mark.parametrize(
    ("by_pair", "rest", "is_named"),
    [
        (95, [("clerk", "ning"), ("clerk", "ou")] * 2 + [("clerk", "ou")], True),
        (95, [("aide", "mei")] * 5, True),
        (95, [("clerk", "ning")] * 5, False),
        (100, [], False),
        (94, [("clerk", "ning"), ("clerk", "ou")] * 3, False),
        (94, [("clerk", "ning"), ("clerk", "ou")], False),
    ],
)
def test_same_certifier_is_almost_always_the_same_two(
    by_pair: int, rest: list[tuple[str, str]], is_named: bool
) -> None:
    log = Log()
    pairs = rest + [("clerk", "mei")] * by_pair
    for each, (by, beside) in enumerate(pairs):
        log.serve(f"9{each:07d}", CLARA, local(each % 28), 1, by=by, beside=(beside,))
    named = [("same_certifier", "mei", (len(rest), len(pairs) - 1))] if is_named else []
    assert log.named() == named


def test_the_clock_never_goes_back() -> None:
    clock = SuspicionClock()
    assert clock.advance(local(31, 0))
    assert not clock.advance(local(31, 1))
    assert clock.month == "2026-02"
    oldest, oldest_pair = clock.oldest, clock.oldest_pair
    clock.set_parameters(msgspec.structs.replace(DEFAULTS, utc_offset_minutes=-720, record_within_days=36_500))
    assert not clock.advance(local(20))
    assert (clock.month, clock.oldest, clock.oldest_pair) == ("2026-02", oldest, oldest_pair)
    assert clock.advance(local(61))
    assert clock.month == "2026-03"


def test_only_so_many_are_kept_and_all_are_counted() -> None:
    log = Log()
    for each in range(LISTED_MAX + 5):
        log.serve(ANNE, CLARA, local(each, 23))
    assert (len(log.end()), log.watch.counts) == (LISTED_MAX, {"night": LISTED_MAX + 5})


def test_every_text_can_be_filled_in() -> None:
    log = Log(reciprocal_count=2)
    for day in range(2):
        log.serve(ANNE, BEN, local(day, 9))
        log.serve(BEN, ANNE, local(day, 23))
    assert [each.detail.count("{") for each in log.end()] == [0] * 4
    assert {each.text for each in log.end()} <= set(TEXTS.values())


def test_other_entries_and_an_empty_log_say_nothing() -> None:
    watch = Watch()
    watch.finish()
    assert (watch.suspicions, watch.counts) == ([], Counter())


def ordinary_village(log: Log, seed: int) -> None:
    """A year of 60 volunteers, of whom some are served too, and 40 elders; sheets come in on the same day or later."""
    chance = random.Random(seed)
    volunteers = [f"1{each:07d}" for each in range(60)]
    recipients = [f"2{each:07d}" for each in range(40)] + volunteers[:4]
    for day in range(365):
        services = []
        for provider in chance.sample(volunteers, chance.randint(9, 15)):
            hour = 8 * 60 + chance.randrange(0, 120, 5)
            for _ in range(chance.choice((1, 1, 1, 2))):
                minutes = chance.choice((30, 45, 60, 60, 75, 90, 120))
                recipient = chance.choice([each for each in recipients if each != provider])
                services.append((provider, recipient, local(day) + (hour - 540) * MINUTE, minutes))
                hour += minutes + chance.randrange(10, 60)
        chance.shuffle(services)
        for each, (provider, recipient, start, minutes) in enumerate(services):
            at = local(day + chance.choice((0, 0, 0, 0, 1, 1, 2, 5)), 20, each)
            by = chance.choice(("clerk", "clerk", "aide", provider))
            beside, shown = (
                ((recipient,), SIGNED) if by == provider else ((chance.choice(("mei", "ning", "ou")),), PAPER)
            )
            log.serve(provider, recipient, start, minutes, at=at, by=by, beside=beside, evidence=shown)
        if chance.random() < 0.1:
            log.give(chance.choice(volunteers), local(day, 21), chance.choice((None, ANNE)))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_ordinary_village_is_left_alone(seed: int) -> None:
    log = Log()
    ordinary_village(log, seed)
    named = Counter(each.code for each in log.end() for _ in each.entries)
    assert log.state.size > 4_000
    assert all(count * 1_000 < log.state.size for count in named.values()), named


def sample_watch(desk: Desk, *words: str) -> Watch:
    """The suspicions of the sample village, replayed from the ledger that its import made."""
    for name in ("people.csv", "day-sheets.csv"):
        shutil.copy(SAMPLE / name, desk.folder)
    desk.init(parameters=json.loads((SAMPLE / "params.json").read_text("utf-8")))
    desk("person", "import", desk.folder / "people.csv", "--at", BEGINNING)
    desk("import", desk.folder / "day-sheets.csv", "--seal-by", "date", *words, status=1)
    watch = Watch()
    with Node.open(desk.home, writes=False) as node:
        replay = Replay(State(origin=node.origin), lambda index: node.entry(index).statement, on_admitted=watch.see)
        for index in range(node.store.size):
            entry = node.entry(index).statement
            if entry.kind == "seal":
                replay.close_block(entry, bytes(32))
                continue
            signers = replay.signers(entry)
            assert signers is not None
            assert replay.admit(entry, signers) is None
    watch.finish()
    return watch


@pytest.mark.parametrize("time", ["2026-01-05T00:00:00Z", "date"], ids=["all-at-one-moment", "at-each-date"])
def test_the_sample_names_what_was_planted(time: str, tmp_path: Path) -> None:
    watch = sample_watch(Desk(tmp_path), "--at", time)
    planted = json.loads((SAMPLE / "key.json").read_text("utf-8"))["suspicions"]
    found = {
        code: sorted(each.account for each in watch.suspicions if each.code == code) for code in (*planted, "gifts")
    }
    assert found == {"gifts": []} | {code: sorted(accounts) for code, accounts in planted.items()}
    assert watch.counts.keys() == planted.keys()
