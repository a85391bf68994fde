"""Hours that travel: exactly once, whoever is off line, and whatever a library says."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, repeat
from pathlib import Path

import pytest

from chain.entry import Body
from chain.limits import ADMISSIONS_MAX
from ledger.bodies import OrgAdmit, OrgRetire, TransferIn, TransferOut
from ledger.numbers import BRIDGE, POOL
from sync import transfers
from sync.fetch import FetchError
from sync.library import ArchiveLibrary, Library, Notice
from sync.transfers import BAD_PROOFS_MAX, Settled, TransferReport, arrivals
from tests.sync.city import ANNE, BEN, HOURS, NOBODY, Result, Town, on_the_way, shelf
from verify.source import MemorySource


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path, "town", "township")


@pytest.fixture
def east(tmp_path: Path, town: Town) -> Town:
    return village(tmp_path, "east", town)


@pytest.fixture
def west(tmp_path: Path, town: Town) -> Town:
    return village(tmp_path, "west", town)


def village(folder: Path, name: str, above: Town) -> Town:
    made = Town(folder, name, above=above)
    made.people()
    return made


def kinds(report: TransferReport) -> list[str]:
    """What a round settled, where nothing was amiss."""
    assert (report.bad, report.failures) == ((), ())
    return [each.kind for each in report.settled]


def test_hours_arrive(town: Town, east: Town, west: Town) -> None:
    index = east.send(west, BEN, 90)
    assert east.balance() == HOURS - 90
    east.seal()
    report = west.fetch(shelf(town, east))
    assert report.settled == (Settled("transfer_in", 5, east.origin, index, 90),)
    assert (west.balance(BEN), west.balance(ANNE)) == (90, HOURS)
    assert on_the_way(east, west) == 0
    west.seal()
    for each in (town, east, west):
        each.check()


def test_nothing_is_there_before_the_seal(town: Town, east: Town, west: Town) -> None:
    east.seal()
    east.send(west)
    report = west.fetch(shelf(town, east))
    assert (kinds(report), report.waiting) == ([], 1)
    east.seal()
    assert kinds(west.fetch(shelf(town, east))) == ["transfer_in"]


def test_it_can_be_repeated(town: Town, east: Town, west: Town) -> None:
    east.send(west)
    east.seal()
    library = shelf(town, east)
    reports = [west.fetch(library, library), west.fetch(library), west.fetch(shelf(town, east))]
    assert [kinds(report) for report in reports] == [["transfer_in"], [], []]
    assert west.balance() == HOURS + 60


@pytest.mark.parametrize(("number", "reason"), [(NOBODY, "no_account"), (BEN, "closed")])
def test_what_cannot_arrive_comes_back(town: Town, east: Town, west: Town, number: str, reason: str) -> None:
    index = east.send(west, number)
    east.seal()
    west.close_account(BEN)
    assert kinds(west.fetch(shelf(town, east))) == ["transfer_refuse"]
    assert kinds(west.fetch(shelf(town, east))) == []
    refused = west.fetch(shelf(town, east, west))
    assert kinds(refused) == []
    assert kinds(east.fetch(shelf(town, west))) == []
    west.seal()
    library = shelf(town, west)
    (back,) = east.fetch(library, library).settled
    assert (back.kind, back.ledger, back.minutes, back.reason) == ("transfer_back", west.origin, 60, reason)
    assert kinds(east.fetch(library)) == []
    assert (east.balance(), west.balance(), on_the_way(east, west)) == (HOURS, HOURS, 0)
    with east.node() as node:
        assert node.state.returned == {index}
    for each in (east, west):
        each.seal()
        each.check()


def test_an_account_opened_too_late_does_not_undo_a_refusal(town: Town, east: Town, west: Town) -> None:
    """Refused is refused: the hours are on their way back."""
    east.send(west, BEN)
    east.seal()
    west.close_account(BEN)
    library = shelf(town, east)
    assert kinds(west.fetch(library)) == ["transfer_refuse"]
    with west.node() as node:
        proof = node.entry(node.store.size - 1).body
        body = TransferIn(admissions=proof.admissions, minutes=60, proof=proof.proof, to=ANNE)
        assert [result.outcome for result in node.declare([body])] == ["already-used"]  # type: ignore[union-attr]


def test_either_side_may_be_off_line(town: Town, east: Town, west: Town) -> None:
    """The line comes back piece by piece; each round does what is possible."""
    for _day in range(3):
        east.send(west)
        east.seal()
        old = shelf(town, east)
    east.send(west, NOBODY)
    east.seal()
    assert kinds(west.fetch(old)) == ["transfer_in"] * 3
    assert kinds(east.fetch(old)) == []
    assert kinds(west.fetch(shelf(town, east))) == ["transfer_refuse"]
    assert kinds(west.fetch(old)) == []
    west.seal()
    assert kinds(east.fetch(old)) == []
    assert kinds(east.fetch(shelf(town, west))) == ["transfer_back"]
    assert (east.balance(), west.balance(), on_the_way(east, west)) == (HOURS - 180, HOURS + 180, 0)


def test_hours_go_both_ways_and_add_up(tmp_path: Path, town: Town, east: Town, west: Town) -> None:
    north = village(tmp_path, "north", town)
    towns = (east, west, north)
    for sender in towns:
        for receiver in towns:
            if sender is not receiver:
                sender.send(receiver, BEN, 10)
                sender.send(receiver, NOBODY, 7)
        sender.seal()
    assert on_the_way(*towns) == 3 * 2 * 17
    for _round in range(2):
        for each in towns:
            each.fetch(shelf(town, *towns))
            each.seal()
    assert on_the_way(*towns) == 0
    assert [(each.balance(ANNE), each.balance(BEN)) for each in towns] == [(HOURS - 20, 20)] * 3
    for each in towns:
        each.check()


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_in_whatever_order(
    seed: int, tmp_path: Path, town: Town, east: Town, west: Town
) -> None:
    """Sending, sealing, fetching from shelves old and new, as chance has it: in the end each hour is in one place."""
    chance, towns = random.Random(seed), (east, west, village(tmp_path, "north", town))
    shelves = [shelf(town, *towns)]
    for _step in range(40):
        each = chance.choice(towns)
        action = chance.randrange(4)
        if action == 0 and each.balance() >= 50:
            other = chance.choice([one for one in towns if one is not each])
            each.send(other, chance.choice((ANNE, BEN, NOBODY)), chance.randrange(1, 50))
        elif action == 1:
            each.seal()
            shelves.append(shelf(town, *chance.sample(towns, 2)))
        else:
            kinds(each.fetch(*chance.choices(shelves, k=2)))
        assert sum(one.balance(number) for one in towns for number in (ANNE, BEN, BRIDGE)) == 3 * HOURS
    for _round in range(3):
        for each in towns:
            each.seal()
            kinds(each.fetch(shelf(town, *towns)))
    assert on_the_way(*towns) == 0
    assert sum(one.balance(number) for one in towns for number in (ANNE, BEN)) == 3 * HOURS
    for each in towns:
        each.seal()
        each.check()


@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_break_loses_nothing(
    town: Town, east: Town, west: Town, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies after so many batches; the next round goes on."""
    monkeypatch.setattr(transfers, "BATCH", 2)
    for _number in range(5):
        east.send(west, BEN, 1)
    east.seal()
    library = shelf(town, east)
    batches = iter([west.declare] * written)

    def break_off(bodies: Sequence[Body]) -> Sequence[Result]:
        declare = next(batches, None)
        if declare is None:
            raise OSError("pulled plug")
        return declare(bodies)

    with west.node() as node:
        state = node.state
    with pytest.raises(OSError, match="plug"):
        transfers.run_transfers(west.origin, state, [library], break_off)
    assert west.balance(BEN) == 2 * written
    assert kinds(west.fetch(library)) == ["transfer_in"] * (5 - 2 * written)
    assert west.balance(BEN) == 5


def test_a_stale_state_counts_nothing_twice(town: Town, east: Town, west: Town) -> None:
    """Two rounds begin at the same moment."""
    east.send(west)
    east.seal()
    with west.node() as node:
        state = node.state
    library = shelf(town, east)
    reports = [transfers.run_transfers(west.origin, state, [library], west.declare) for _twice in range(2)]
    assert [kinds(report) for report in reports] == [["transfer_in"], []]
    assert west.balance() == HOURS + 60


def test_a_whole_county(tmp_path: Path) -> None:
    """Between villages of two townships, by the county's key; from above, admissions begin too high and are cut."""
    city = Town(tmp_path, "city", "city")
    county = Town(tmp_path, "county", "county", city)
    hill, lake = (Town(tmp_path, name, "township", county) for name in ("hill", "lake"))
    one, two = village(tmp_path, "one", hill), village(tmp_path, "two", lake)
    one.send(two)
    one.send(two, NOBODY)
    one.seal()
    everything = shelf(city, county, hill, lake, one)
    assert len(everything.admissions(one.origin)) == 3
    stranger = two.fetch(everything)
    assert stranger.settled == ()
    assert {each.why for each in stranger.bad} == {"its receipt does not prove it, by any ledger that is trusted here"}
    two.trust(county)
    assert [each.kind for each in two.fetch(everything).settled] == ["transfer_in", "transfer_refuse"]
    two.seal()
    one.trust(city)
    lower, upper = shelf(county, lake, two, name="lower"), shelf(city, county, hill, lake, two)
    report = one.fetch(lower, upper)
    assert [each.kind for each in report.settled] == ["transfer_back"]
    assert [each.library for each in report.bad] == ["lower"]
    assert (one.balance(), two.balance(), on_the_way(one, two)) == (HOURS - 60, HOURS + 60, 0)
    with two.node() as node:
        bodies = [node.entry(index).body for index in range(node.store.size)]
    assert [len(body.admissions) for body in bodies if isinstance(body, TransferIn)] == [2]
    for each in (one, two):
        each.seal()
        each.check()


def test_a_new_key_is_admitted_before_its_proofs_count(town: Town, east: Town, west: Town) -> None:
    """After a change of its key a ledger is retired and admitted again; what was on its way waits and is not lost."""
    east.send(west, BEN, 10)
    east.rotate()
    report = west.fetch(shelf(town, east))
    assert (report.settled, len(report.bad)) == ((), 1)
    town.write((town.one, town.two), OrgRetire(origin=east.origin, reason="new key"))
    town.write((town.one, town.two), OrgAdmit(origin=east.origin, tier="village", vkey=east.vkey))
    town.seal()
    assert kinds(west.fetch(shelf(town, east))) == ["transfer_in"]
    assert (west.balance(BEN), on_the_way(east, west)) == (10, 0)


def test_arrivals_are_hinted_at(town: Town, east: Town, west: Town) -> None:
    first, second = east.send(west), east.send(west, NOBODY)
    east.seal()
    west.fetch(shelf(town, east))
    west.seal()
    found, failures = arrivals(east.origin, [Deaf(), shelf(town, west)])
    kinds_found = {index: arrival.kind for index, arrival in found.items()}
    assert kinds_found == {first: "transfer_in", second: "transfer_refuse"}
    assert failures == ["deaf: the line is down for east.example/huzhu"]


# Libraries that lie


@dataclass
class Liar:
    """A library that gives what it is told to, and for the rest what an honest one gives."""

    honest: Library
    told: dict[tuple[str, int], bytes] = field(default_factory=dict)
    listed: Sequence[Notice] | None = None
    admitting: dict[str, Sequence[bytes]] = field(default_factory=dict)
    name: str = "liar"
    asked: int = 0

    def notices(self, to: str) -> Iterator[Notice]:
        return self.honest.notices(to) if self.listed is None else iter(self.listed)

    def receipt(self, ledger: str, index: int) -> bytes:
        self.asked += 1
        return self.told.get((ledger, index)) or self.honest.receipt(ledger, index)

    def admissions(self, ledger: str) -> Sequence[bytes]:
        return self.admitting.get(ledger, self.honest.admissions(ledger))


class Deaf:
    """Nobody there."""

    name = "deaf"

    def notices(self, to: str) -> Iterator[Notice]:
        raise FetchError(f"the line is down for {to}")

    def receipt(self, ledger: str, index: int) -> bytes:
        raise FetchError(f"the line is down for entry {index} of {ledger}")

    def admissions(self, ledger: str) -> Sequence[bytes]:
        raise FetchError(f"the line is down for {ledger}")


def test_a_library_that_is_down_keeps_nobody_from_the_next(town: Town, east: Town, west: Town) -> None:
    east.send(west)
    east.seal()
    report = west.fetch(Deaf(), shelf(town, east))
    assert [each.kind for each in report.settled] == ["transfer_in"]
    assert report.failures == ("deaf: the line is down for west.example/huzhu",)


def test_wrong_receipts_block_nothing(town: Town, east: Town, west: Town) -> None:
    first, second, third = (east.send(west, BEN, minutes) for minutes in (1, 2, 4))
    east.seal()
    honest = shelf(town, east)
    good = honest.receipt(east.origin, second)
    liar = Liar(
        honest,
        {
            (east.origin, first): good.replace(b"index ", b"index 1", 1),
            (east.origin, third): b"\xff" * 100_000,
        },
    )
    report = west.fetch(liar)
    assert [(each.their_index, each.minutes) for each in report.settled] == [(second, 2)]
    assert [each.index for each in report.bad] == [first, third]
    assert kinds(west.fetch(liar.honest)) == ["transfer_in"] * 2
    assert west.balance(BEN) == 7


def test_a_receipt_in_the_place_of_another_is_not_taken(town: Town, east: Town, west: Town) -> None:
    first, second = east.send(west, BEN, 1), east.send(west, BEN, 2)
    east.seal()
    honest = shelf(town, east)
    report = west.fetch(Liar(honest, {(east.origin, first): honest.receipt(east.origin, second)}))
    assert [each.why for each in report.bad] == ["its receipt is of another entry"]
    assert west.balance(BEN) == 2


def test_other_kinds_and_other_peoples_hours_are_not_taken(tmp_path: Path, town: Town, east: Town, west: Town) -> None:
    north = village(tmp_path, "north", town)
    to_north = east.send(north)
    east.seal()
    lies = [Notice(east.origin, 0, "transfer_out"), Notice(east.origin, to_north, "transfer_out")]
    lies += [Notice(town.origin, 2, "transfer_refuse"), Notice(east.origin, to_north, "transfer_refuse")]
    lies += [Notice(west.origin, 3, "transfer_out"), Notice(east.origin, 1, "gift")]
    lies += [Notice(east.origin, 99, "transfer_out")]
    report = west.fetch(Liar(shelf(town, east, west), listed=lies))
    assert report.settled == ()
    assert [(each.ledger, each.index) for each in report.bad] == [
        (east.origin, 0),
        (east.origin, to_north),
        (town.origin, 2),
        (east.origin, to_north),
    ]
    assert report.waiting == 1
    assert west.balance() == HOURS


def test_a_ledger_that_nobody_admitted_sends_nothing(tmp_path: Path, town: Town, east: Town, west: Town) -> None:
    forger = Town(tmp_path, "forger")
    forger.people()
    forger.send(west)
    forger.seal()
    admissions = shelf(town).admissions(east.origin)
    for admitting in ((), admissions, (*admissions, *admissions), tuple(repeat(admissions[0], ADMISSIONS_MAX + 1))):
        report = west.fetch(Liar(shelf(town, forger), admitting={forger.origin: admitting}))
        assert (report.settled, len(report.bad)) == ((), 1)
    assert west.balance() == HOURS


def test_one_ledgers_bad_proofs_are_given_up(tmp_path: Path, town: Town, east: Town, west: Town) -> None:
    """A thousand lies about one ledger cost a few receipts, and the next ledger is heard."""
    north = village(tmp_path, "north", town)
    index = north.send(west)
    north.seal()
    east.seal()
    lies = [Notice(east.origin, 0, "transfer_out")] * 1_000
    liar = Liar(shelf(town, east, north), listed=[*lies, Notice(north.origin, index, "transfer_out")])
    report = west.fetch(liar)
    assert [each.kind for each in report.settled] == ["transfer_in"]
    assert (len(report.bad), liar.asked) == (BAD_PROOFS_MAX, BAD_PROOFS_MAX + 1)


def test_endless_lists_end(town: Town, east: Town, west: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "RECEIPTS_MAX", 50)
    east.send(west)
    east.seal()

    class Endless(Liar):
        def notices(self, to: str) -> Iterator[Notice]:
            yield from super().notices(to)
            for number in count():
                yield Notice(f"x{number}.example", number, "transfer_out")

    liar = Endless(shelf(town, east))
    report = west.fetch(liar)
    assert [each.kind for each in report.settled] == ["transfer_in"]
    assert liar.asked == 50
    assert "next one goes on" in report.failures[0]


def test_a_slow_library_is_left(town: Town, east: Town, west: Town) -> None:
    """What came in time is written down."""
    for _number in range(3):
        east.send(west, BEN, 1)
    east.seal()
    seconds = iter((0.0, 0.0, 0.0, 1_000.0))
    with west.node() as node:
        state = node.state
    report = transfers.run_transfers(
        west.origin, state, [shelf(town, east)], west.declare, clock=lambda: next(seconds)
    )
    assert (len(report.settled), len(report.failures)) == (2, 1)


def test_two_ancestors_of_whom_one_lies(town: Town, east: Town, west: Town) -> None:
    """The nearer one gives wrong proofs and hides half; the next one makes up for it."""
    first = east.send(west, BEN, 1)
    second = east.send(west, BEN, 2)
    east.seal()
    honest = shelf(town, east)
    liar = Liar(honest, {(east.origin, first): b"lie"}, listed=[Notice(east.origin, first, "transfer_out")])
    report = west.fetch(liar, honest)
    assert sorted(each.their_index for each in report.settled) == [first, second]
    assert (west.balance(BEN), on_the_way(east, west)) == (3, 0)


def test_order_does_not_matter(town: Town, east: Town, west: Town) -> None:
    indexes = [east.send(west, BEN, 1) for _number in range(4)]
    east.seal()
    backwards = [Notice(east.origin, index, "transfer_out") for index in reversed(indexes)]
    assert kinds(west.fetch(Liar(shelf(town, east), listed=backwards * 2))) == ["transfer_in"] * 4


def test_broken_archives_give_what_they_can(town: Town, east: Town, west: Town) -> None:
    """A gap ends a ledger; a checkpoint that is none, or of another ledger, is no checkpoint; the others are heard."""
    east.send(west, BEN, 1)
    east.seal()
    whole = east.source()
    entries, checkpoints = [raw for _index, raw in whole.rows()], list(whole.checkpoints())
    gap = MemorySource(east.origin, [*entries[:3], None, *entries[4:]], checkpoints)
    foreign = MemorySource(east.origin, entries, [(len(entries), b"none"), *town.source().checkpoints()])
    for broken in (gap, foreign):
        report = west.fetch(ArchiveLibrary("stick", [town.source(), broken]))
        assert report.settled == ()
    assert kinds(west.fetch(ArchiveLibrary("stick", [town.source(), whole]))) == ["transfer_in"]


def test_a_long_ledger_is_proven_from_an_archive(town: Town, east: Town, west: Town) -> None:
    """By leaves hashed again in a chunk of 256, and by what is kept of whole chunks."""
    east.write((east.clerk, east.one), *[TransferOut(giver=ANNE, minutes=1, to=f"{west.origin}#{BEN}")] * 550)
    east.seal()
    library = shelf(town, east)
    asked = [notice for notice in library.notices(west.origin) if notice.index % 90 == 0]
    assert kinds(west.fetch(Liar(library, listed=asked))) == ["transfer_in"] * len(asked)
    assert (west.balance(BEN), west.balance(POOL)) == (len(asked), 0)
