"""The watch against a model that compares everything with everything, and against itself with another memory.

The model is written from RULES §6 alone: it keeps all services, and asks each question anew at each.
"""

import datetime
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from chain.fields import Time
from ledger.suspicions import Watch
from tests.ledger.claims import Log, local

PEOPLE = ["12345676", "23456756", "34567836"]
WEEK, MINUTE = 7, datetime.timedelta(minutes=1)
DAY = datetime.timedelta(days=1)
MODELLED = ("overlap", "night", "reciprocal", "gifts", "impossible", "round", "sleeper")

Parameters = dict[str, int]
Named = tuple[str, str, tuple[int, ...]]


class Step(NamedTuple):
    """A service, or where ``is_gift`` a donation, recorded ``delay`` after it."""

    is_gift: bool
    one: int
    other: int
    day: int
    minute: int
    minutes: int
    spare: int
    """Minutes by which the interval is longer than what is booked."""
    delay: int
    by: str

    @property
    def start(self) -> Time:
        return local(self.day, 0, self.minute)

    @property
    def end(self) -> Time:
        return self.start + (self.minutes + self.spare) * MINUTE

    @property
    def at(self) -> Time:
        return self.end + self.delay * MINUTE


def steps(days: int) -> st.SearchStrategy[list[Step]]:
    """A log of services and donations over so many days; some were held at once, or last for days."""
    step = st.builds(
        Step,
        is_gift=st.sampled_from([False] * 5 + [True]),
        one=st.integers(0, 2),
        other=st.integers(1, 2),
        day=st.integers(0, days),
        minute=st.integers(0, 143).map(lambda ten: ten * 10),
        minutes=st.sampled_from([10, 30, 60, 120, 480, 720]),
        spare=st.sampled_from([0] * 8 + [500, 3_000, 20_000]),
        delay=st.sampled_from([0, 0, 600, 1_440, 5_000]),
        by=st.sampled_from(["clerk", "aide"]),
    )
    return st.lists(step, max_size=60)


parameters = st.fixed_dictionaries(
    {
        "night_start": st.sampled_from([1_320, 0, 300]),
        "night_end": st.sampled_from([360, 0, 301]),
        "reciprocal_count": st.integers(1, 3),
        "reciprocal_days": st.sampled_from([1, 2, 5]),
        "gift_count": st.integers(1, 2),
        "gift_days": st.sampled_from([1, 4]),
        "record_within_days": st.sampled_from([0, 2, 7, 36_500]),
        "utc_offset_minutes": st.sampled_from([480, -720, 0]),
    }
)


def play(log: Log, script: list[Step]) -> None:
    """Hand all of it to the log's watch."""
    for step in script:
        one, other = PEOPLE[step.one], PEOPLE[(step.one + step.other) % 3]
        if step.is_gift:
            log.give(one, step.at)
        else:
            log.serve(one, other, step.start, step.minutes, end=step.end, at=step.at, by=step.by)


class Model:
    """All that happened, in order, and what of it is suspicious."""

    def __init__(self, script: list[Step], parameters: Parameters) -> None:
        self.parameters, self.named = parameters, set[Named]()
        self.services: list[tuple[int, Step]] = []
        self.gifts: dict[int, list[tuple[int, Time]]] = {}
        self.pair_quiet: dict[frozenset[int], Time] = {}
        self.gifts_quiet: dict[int, Time] = {}
        self.days: dict[tuple[int, int], list[tuple[int, int]]] = {}
        self.now, self.offset = script[0].at, parameters["utc_offset_minutes"] * MINUTE
        for index, step in enumerate(script):
            self.now = max(self.now, step.at)
            if step.is_gift:
                self.give(index, step)
            else:
                self.serve(index, step)

    def name(self, code: str, account: int, entries: list[int]) -> None:
        self.named.add((code, PEOPLE[account], tuple(sorted(entries))))

    def give(self, index: int, step: Step) -> None:
        given = self.gifts.setdefault(step.one, [])
        given.append((index, self.now))
        span = self.parameters["gift_days"] * DAY
        within = [each for each, time in given if time > self.now - span]
        if len(within) > self.parameters["gift_count"] and self.now >= self.gifts_quiet.get(step.one, self.now):
            self.gifts_quiet[step.one] = self.now + span
            self.name("gifts", step.one, within)
        people = {number for _, each in self.services for number in (each.one, (each.one + each.other) % 3)}
        asleep = any(code == "sleeper" and account == PEOPLE[step.one] for code, account, _ in self.named)
        if not asleep and len(given) >= self.parameters["gift_count"] and step.one not in people:
            self.name("sleeper", step.one, [each for each, _ in given])

    def serve(self, index: int, step: Step) -> None:
        oldest = self.now - (self.parameters["record_within_days"] + 2) * DAY
        mine = [(each, other) for each, other in self.services if other.one == step.one]
        at_once = [each for each, other in mine if other.start < step.end and step.start < other.end >= oldest]
        if at_once:
            self.name("overlap", step.one, [*at_once, index])
        if self.is_in_night(step):
            self.name("night", step.one, [index])
        self.services.append((index, step))
        run = [(each, other.minutes % 60) for each, other in self.services if other.one == step.one]
        partial = [place for place, (_, minutes) in enumerate(run) if minutes]
        whole = run[partial[-1] + 1 :] if partial else run
        if len(whole) == 30:
            self.name("round", step.one, [each for each, _ in whole])
        if step.start >= oldest:
            self.receive(index, step)
            self.look_back(step)

    def is_in_night(self, step: Step) -> bool:
        begin, end = self.parameters["night_start"], self.parameters["night_end"]
        night = {(begin + each) % 1_440 for each in range((end - begin) % 1_440)}
        first = step.start + self.offset
        return any(
            (first.hour * 60 + first.minute + each) % 1_440 in night
            for each in range(min(step.minutes + step.spare, 1_440))
        )

    def receive(self, index: int, step: Step) -> None:
        recipient = (step.one + step.other) % 3
        day = self.days.setdefault((recipient, (step.start + self.offset).toordinal()), [])
        before = sum(minutes for _, minutes in day)
        day.append((index, step.minutes))
        if before <= 1_440 < before + step.minutes:
            self.name("impossible", recipient, [each for each, _ in day])

    def look_back(self, step: Step) -> None:
        one, other, span = step.one, (step.one + step.other) % 3, self.parameters["reciprocal_days"] * DAY
        if step.start < self.pair_quiet.get(frozenset((one, other)), step.start):
            return
        sides = [
            [(index, each.start) for index, each in self.services if (each.one, (each.one + each.other) % 3) == pair]
            for pair in ((one, other), (other, one))
        ]
        for end in sorted(start for side in sides for _, start in side if step.start <= start < step.start + span):
            within = [[(index, start) for index, start in side if end - span < start <= end] for side in sides]
            if min(map(len, within)) >= self.parameters["reciprocal_count"]:
                both = within[0] + within[1]
                self.pair_quiet[frozenset((one, other))] = max(start for _, start in both) + span
                for account in (one, other):
                    self.name("reciprocal", account, [index for index, _ in both])
                return


@given(steps(WEEK), parameters)
def test_the_watch_finds_what_the_model_finds(script: list[Step], parameters: Parameters) -> None:
    log = Log(None, **parameters)
    play(log, script)
    found = [named for named in log.named() if named[0] in MODELLED]
    assert len(found) == len(set(found))
    assert set(found) == (Model(script, parameters).named if script else set())


@given(steps(60), steps(60), parameters, parameters)
def test_what_is_let_go_of_changes_nothing(
    first: list[Step], second: list[Step], before: Parameters, after: Parameters
) -> None:
    found = []
    for sweep_every in (1, 1_000_000):
        log = Log(Watch(sweep_every), **before)
        play(log, first)
        log.set_parameters(**after)
        play(log, second)
        log.end()
        found.append((log.watch.suspicions, log.watch.counts))
    assert found[0] == found[1]


def test_memory_does_not_grow_with_the_log() -> None:
    log = Log(Watch(1_000))
    for day in range(400):
        for hour in range(12):
            log.serve(PEOPLE[hour % 2], PEOPLE[2], local(day, 7 + hour), 20)
    watch = log.watch
    kept = [len(provider.starts) for provider in watch._providers.values()]
    days = [len(recipient.days) for recipient in watch._recipients.values()]
    assert max(kept) < 1_000
    assert max(days) < 300
