"""A city of real processes to which everything happens that can: nothing is counted twice, nothing accepted is lost.

Each test breaks one thing, lets it be mended, and then looks over the whole city (``tests.city.books``). Those marked
``long`` are run by ``make soak``, and then all of it at random in network namespaces (``tests.city.soak``).
"""

import datetime
import gzip
import json
import random
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from chain.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from chain.encoding import format_base64
from chain.keys import SigningKey
from chain.note import format_note
from ledger.bodies import Donate, OrgAdmit, TransferOut
from ledger.numbers import POOL
from node import Accepted, Node, system_clock
from tests.city.between import GIGABYTES_10, HANG_UP, PIECE, Answer, Lies, between, changing
from tests.city.books import check_city, findings, verify
from tests.city.harness import ANNE, BEN, HOURS, NOBODY, City, Place, Round, found_village, key_of, wait_for

TOWN = ("north", "east", "west")
KILLS = 6
MEMORY_MAX_BYTES = 4 * 2**30
BOMB, GZIPPED = gzip.compress(bytes(100 * 2**20), 1), (("Content-Encoding", "gzip"),)


def held(town: City, *others: str) -> None:
    """A township with its villages serves."""
    town.settle((*TOWN, *others))
    town.start(*TOWN, *others)


# Killed


@pytest.mark.long
def test_rounds_killed_anywhere(city: City) -> None:
    """A round that is killed at any moment is taken up by the next; the hours arrive once."""
    held(city)
    east, west = city["east"], city["west"]
    chance = random.Random(4)
    for number in range(KILLS):
        east.send(west, 10, ANNE if number % 3 else NOBODY)
        east.seal()
        for name in ("north", "west"):
            process = city[name].begin("tend", "--json")
            try:
                process.wait(timeout=chance.uniform(0.1, 0.6))
            except subprocess.TimeoutExpired:
                process.kill()
    city.rounds(*TOWN)
    books = check_city(city)
    assert (len(books.left), len(books.refused)) == (KILLS, KILLS // 3)
    assert (east.balance(), west.balance()) == (HOURS - 40, HOURS + 40)


@pytest.mark.long
def test_services_killed_while_they_are_asked(city: City) -> None:
    """Whatever a service has answered as accepted is there after the plug was pulled; the rest can be sent again."""
    held(city)
    east, north = city["east"], city["north"]
    sheets = [east.sheet(TransferOut(giver=ANNE, minutes=1, to=f"{city['west'].origin}#{BEN}")) for _ in range(3)]
    for number, sheet in enumerate(sheets):
        submitting = threading.Thread(target=_submit, args=(east, sheet))
        pulling = north.begin("tend", "--json")
        submitting.start()
        if number % 2:
            submitting.join()
        east.stop(signal.SIGKILL)
        submitting.join()
        north.stop(signal.SIGKILL)
        pulling.communicate()
        city.start("east", "north")
        assert _submit(east, sheet) == httpx.codes.OK
    city.rounds(*TOWN)
    books = check_city(city)
    assert len(books.left) == len(sheets) and city["west"].balance(BEN) == len(sheets)


def _submit(place: Place, sheet: bytes) -> int:
    """The status of the answer; 0 where none came."""
    with place.inside(), place.client() as client:
        try:
            return place.submit(client, sheet).status_code
        except httpx.HTTPError:
            return 0


# Two histories


@pytest.mark.long
def test_an_old_disk_is_seen_and_its_new_history_proven(city: City) -> None:
    """A village is put back to an old copy of its disk, and writes on from there."""
    held(city)
    east, west, north = (city[name] for name in ("east", "west", "north"))
    old = city.folder / "old-disk"
    shutil.copytree(east.home, old)
    east.send(west, 30)
    city.rounds(*TOWN)
    east.stop()
    true_disk = east.home.rename(city.folder / "true-disk")
    shutil.copytree(old, east.home)
    city.start("east")
    seen = north.tend()
    assert (seen.status, seen.pulled()["east"]) == (1, "rolled-back")
    assert _evidence(north, "rolled-back").status == 1
    again = north.tend()
    assert (again.status, again.pulled()["east"]) == (0, "rolled-back"), "one alarm is enough"
    east.send(west, 45)
    east.seal()
    north.run("mirror", "release", east.origin)
    seen = north.tend()
    assert (seen.status, seen.pulled()["east"]) == (1, "forked")
    proof = _evidence(north, "forked")
    assert (proof.status, proof.plain["proven"]) == (0, True)
    west.tend()
    assert west.balance() == HOURS + 30
    assert {("east", "log.rollback"), ("west", "transfer.unproven")} <= set(findings(verify(city)))
    east.stop()
    shutil.rmtree(east.home)
    true_disk.rename(east.home)
    check_city(city)


def _evidence(place: Place, code: str) -> Round:
    """What ``check-fork`` says of what was kept for the newest alarm of that code."""
    path = next(alarm["evidence"] for alarm in place.alarms() if alarm["code"] == code)
    return place.run("check-fork", path)


@pytest.mark.long
def test_two_nodes_with_one_key(city: City) -> None:
    """A copy of a village works beside it, under the same key: the township meets now one and now the other."""
    held(city)
    east, north = city["east"], city["north"]
    east.write(Donate(giver=ANNE, minutes=1))
    east.seal()
    copy = Place("east", city.folder / "copy", city=city)
    shutil.copytree(east.home, copy.home)
    assert north.tend().status == 0
    east.write(Donate(giver=ANNE, minutes=2))
    copy.write(Donate(giver=ANNE, minutes=3))
    assert east.seal() == copy.seal()
    assert north.tend().status == 0
    copy.port = _free_port()
    city.write_settings(copy, (), {}, 0)
    copy.begin_to_serve()
    wait_for(copy.answers, "the copy serves")
    try:
        city.write_settings(north, TOWN, {"east": copy.url}, 0)
        met = north.tend()
        assert (met.status, met.pulled()["east"]) == (1, "forked")
        proof = _evidence(north, "forked")
        assert (proof.status, proof.plain["proven"]) == (0, True)
        city.write_settings(north, TOWN, {}, 0)
        assert north.tend().pulled()["east"] == "held", "until somebody has looked"
    finally:
        copy.stop(signal.SIGKILL)
    check_city(city)
    assert ("east", "log.fork") in findings(verify(city, {"west": copy.home, "hill": east.home}))


# A child that lies


def _flipped(raw: bytes) -> bytes:
    return raw[:-3] + bytes([raw[-3] ^ 1]) + raw[-2:]


CHECKPOINT, ENTRIES = "east.example/huzhu/checkpoint", "tile/entries/"
BROKEN: dict[str, dict[str, Answer]] = {
    "endless checkpoint": {CHECKPOINT: Answer(endless=PIECE)},
    "endless entries": {ENTRIES: Answer(endless=PIECE)},
    "endless list": {"/log/origins": Answer(endless=b"a.example/huzhu\n" * 4_096)},
    "10 GB of entries": {ENTRIES: Answer(endless=PIECE, claimed=GIGABYTES_10)},
    "a hundred megabytes in 100 kB": {ENTRIES: Answer(BOMB, headers=GZIPPED)},
    "half an answer": {ENTRIES: HANG_UP},
    "no entries": {ENTRIES: Answer(status=404)},
}
"""What might as well be a bad line: trouble, and no alarm."""


@pytest.mark.long
def test_a_child_that_lies(city: City) -> None:
    """Nothing of it counts, little memory is taken, others are not kept waiting; each lie is named, with evidence."""
    city.settle(TOWN)
    city.start("east", "west")
    north, east, west = (city[name] for name in ("north", "east", "west"))
    east.send(west, 20)
    east.seal()
    for name, broken in BROKEN.items():
        assert _heard(city, changing(dict(broken))) == (0, "unreachable"), name
    assert north.alarms() == []
    with west.node() as node:
        note = node.checkpoint()
    lies: dict[str, tuple[str, Answer | Callable[[bytes], bytes]]] = {
        "another ledger's": (CHECKPOINT, Answer(note)),
        "none": (CHECKPOINT, Answer(b"I am the state")),
        "a stranger's": (CHECKPOINT, _signed_by(key_of("stranger"))),
        "other bytes": (ENTRIES, _flipped),
    }
    for name, (path, lie) in lies.items():
        assert _heard(city, changing({path: lie})) == (1, "lies"), name
        north.run("alarms", "--seen", str(north.alarms()[0]["id"]))
    named = [(alarm["origin"], alarm["code"]) for alarm in reversed(north.alarms())]
    assert named == [(east.origin, code) for code in ("bad-checkpoint", "bad-checkpoint", "bad-key", "bad-files")]
    assert all(Path(alarm["evidence"]).stat().st_size for alarm in north.alarms())
    city.write_settings(north, TOWN, {}, 0)
    city.start("north")
    city.rounds(*TOWN)
    check_city(city)
    assert west.balance() == HOURS + 20


def test_a_child_that_signs_another_root(city: City) -> None:
    """By its own key: its own files give it the lie, and what it says then convicts it."""
    city.settle(TOWN)
    city.start("east", "west")
    with city["east"].node() as node:
        key = node._key().signing
    assert _heard(city, changing({CHECKPOINT: _signed_by(key, bytes(32))})) == (1, "lies")
    city.write_settings(city["north"], TOWN, {}, 0)
    assert city["north"].tend("pull").pulled()["east"] == "forked"
    assert _evidence(city["north"], "forked").plain["proven"]


def _signed_by(key: SigningKey, root: bytes = b"") -> Callable[[bytes], bytes]:
    """The same checkpoint by another key, or one with another root."""

    def sign(raw: bytes) -> bytes:
        true, _note = open_checkpoint(raw)
        return format_note(sign_checkpoint(Checkpoint(true.origin, true.size, root or true.root), key))

    return sign


def _heard(city: City, lies: Lies) -> tuple[int, str]:
    """The township hears lies from one village, the truth from the other; its status, and what became of the lies."""
    north, east = city["north"], city["east"]
    with between(east.url, lies) as url:
        city.write_settings(north, TOWN, {"east": url}, 0)
        heard = north.run("tend", "--only", "pull", before=("prlimit", f"--as={MEMORY_MAX_BYTES}"))
    assert heard.pulled()["west"] in ("new", "same")
    return heard.status, heard.pulled()["east"]


# A parent that lies


def test_a_parent_that_makes_up_lists(city: City) -> None:
    """It names entries that are something else, that are not there, or are others', again and again, in any order."""
    held(city)
    east, west, north = (city[name] for name in ("east", "west", "north"))
    index = east.send(west, 20)
    east.send(city["lake"], 15)
    east.seal()
    north.tend()
    true = {"ledger": east.origin, "index": index, "kind": "transfer_out"}
    made_up = [
        *({"ledger": east.origin, "index": each, "kind": "transfer_out"} for each in (7, 3, 0, 999_999)),
        {"ledger": "nowhere.example/huzhu", "index": 3, "kind": "transfer_out"},
        {"ledger": east.origin, "index": index, "kind": "transfer_refuse", "answers": 3},
        *(true, true, true),
    ]
    lists = json.dumps(made_up).encode()
    with between(north.url, changing({"api/v1/transfers": Answer(lists)})) as url:
        city.write_settings(west, TOWN, {"north": url}, 0)
        assert [_settled(west), _settled(west)] == [[index], []]
    city.write_settings(west, TOWN, {}, 0)
    assert _settled(west) == []
    assert west.balance() == HOURS + 20
    check_city(city, is_quiet=False)


def test_a_parent_that_sends_rubbish(city: City) -> None:
    """Instead of lists, admissions or receipts; nothing comes of it, and later all comes of the truth."""
    held(city)
    east, west, north = (city[name] for name in ("east", "west", "north"))
    east.send(west, 20)
    east.seal()
    north.tend()
    for place in ("/receipt", "api/v1/admissions", "api/v1/transfers"):
        for body in (Answer(b"\xff{"), Answer(endless=PIECE)):
            with between(north.url, changing({place: body})) as url:
                city.write_settings(west, TOWN, {"north": url}, 0)
                assert _settled(west) == []
    city.write_settings(west, TOWN, {}, 0)
    assert _settled(west) == [6]
    check_city(city)


def _settled(place: Place) -> list[int]:
    """Indexes of what others sent, that one round takes."""
    return [each["their_index"] for each in place.tend("transfers").duty("transfers") if "kind" in each]


@pytest.mark.long
def test_a_parent_that_admits_a_ghost_on_a_history_of_its_own(city: City) -> None:
    """Hours from a village that is not: a township signs for it apart from its log.

    The village that takes them believes that key, as it must; but with them it takes what convicts the township.
    """
    held(city)
    east, west, north = (city[name] for name in ("east", "west", "north"))
    north.tend()
    ghost = _ghost(city, north)
    shadow = Place("north", city.folder / "shadow", city=city)
    shutil.copytree(north.home, shadow.home)
    with shadow.node() as node:
        body = OrgAdmit(origin=ghost.origin, tier="village", vkey=ghost.vkey())
        (admitted,) = node.write(shadow.members[0], shadow.members[1:], [body])
        assert isinstance(admitted, Accepted)
        node.seal()
        admission = node.receipt(admitted.index)
    index = ghost.send(west, 500)
    ghost.seal()
    with ghost.node() as node:
        receipt = node.receipt(index)
    notices = json.dumps([{"ledger": ghost.origin, "index": index, "kind": "transfer_out"}]).encode()
    lies = {
        "api/v1/transfers": Answer(notices),
        "api/v1/admissions": Answer(json.dumps([format_base64(admission)]).encode()),
        "/receipt": Answer(receipt),
    }
    with between(north.url, changing(dict(lies))) as url:
        city.write_settings(west, TOWN, {"north": url}, 0)
        west.tend("transfers")
    city.write_settings(west, TOWN, {}, 0)
    east.send(west, 1)
    east.seal()
    north.tend()
    west.tend()
    assert west.balance() == HOURS + 501, "the township's key is the one that the village trusts"
    found = verify(city)
    assert findings(found) == [("north", "log.fork")], "what it signed is in the entry that took the hours"
    assert (found.plain["travel"]["came"], found.plain["travel"]["bridge"]) == (500, -500)
    audit = city["city"].run("verify", ghost.home / "ledger.db", north.home / "ledger.db", "--full")
    assert ("ghost", "org.unadmitted") in findings(audit)


def _ghost(city: City, parent: Place) -> Place:
    """The home of a village that nobody knows."""
    ghost = Place("ghost", city.folder / "ghost", city=city)
    found_village(ghost, parent)
    return ghost


# Order and time


def test_requests_that_come_twice(city: City) -> None:
    """Each request reaches its node twice, rounds run at the same time, and sheets are sent again and again."""
    held(city)
    east, west, north = (city[name] for name in ("east", "west", "north"))
    honest = changing({})
    with between(east.url, honest, twice=True) as east_url, between(north.url, honest, twice=True) as north_url:
        urls = {"east": east_url, "north": north_url}
        for place in (north, west):
            city.write_settings(place, TOWN, urls, 0)
        sheet = east.sheet(TransferOut(giver=ANNE, minutes=25, to=f"{west.origin}#{ANNE}"))
        with httpx.Client(base_url=east_url, headers=east.client().headers, timeout=60, trust_env=False) as client:
            answers = [east.submit(client, sheet).json()["results"][0]["index"] for _time in range(3)]
        assert len(set(answers)) == 1
        east.seal()
        for place in (north, west):
            at_once = [place.begin("tend", "--json") for _time in range(3)]
            assert {process.wait() for process in at_once} <= {0, 2}, "done, or another one tends"
        city.rounds(*TOWN)
    assert (east.balance(), west.balance()) == (HOURS - 25, HOURS + 25)
    assert len(check_city(city).left) == 1


@pytest.mark.long
def test_old_answers_that_come_late(city: City) -> None:
    """What the township said before comes again after what it said later, and the other way round."""
    held(city)
    east, west, north = (city[name] for name in ("east", "west", "north"))
    heard: dict[str, list[Answer]] = {}
    chance = random.Random(3)

    def late(path: str, true: Answer) -> Answer:
        heard.setdefault(path, []).append(true)
        return chance.choice(heard[path])

    with between(north.url, late) as url:
        city.write_settings(west, TOWN, {"north": url}, 0)
        for number in range(4):
            east.send(west, 5, ANNE if number % 2 else NOBODY)
            east.seal()
            north.tend("pull", "anchor")
            west.tend("transfers")
    city.write_settings(west, TOWN, {}, 0)
    city.rounds(*TOWN)
    assert (east.balance(), west.balance()) == (HOURS - 10, HOURS + 10)
    assert len(check_city(city).left) == 4


@pytest.mark.parametrize("days", [-1, 1])
def test_a_clock_that_is_a_day_off(city: City, days: int) -> None:
    """A village writes and seals by a wrong clock, and goes on by the right one: the log's time stands still."""
    held(city)
    east, west = city["east"], city["west"]
    east.send(west, 3)
    east.seal()
    off = datetime.timedelta(days=days)
    with Node.open(east.home, writes=True, clock=lambda: system_clock() + off) as node:
        results = node.write(east.clerk, east.members[:1], [Donate(giver=ANNE, minutes=7)])
        assert isinstance(results[0], Accepted)
        size = node.seal()
    east.send(west, 4)
    sheet = east.sheet(TransferOut(giver=ANNE, minutes=40, to=f"{west.origin}#{ANNE}"))
    assert _submit(east, sheet) == httpx.codes.OK
    assert east.seal() > size
    city["north"].tend()
    west.tend()
    assert (west.balance(), east.balance()) == (HOURS + 47, HOURS - 54)
    check_city(city)


# A full disk


def test_a_parent_without_room(city: City) -> None:
    """Its files cannot grow, at one length after the other; what it says then is one sentence, and it goes on later."""
    held(city)
    east, west, north = (city[name] for name in ("east", "west", "north"))
    assert north.run("tend", before=("prlimit", "--fsize=20000")).status == 2, "there is not even room to begin"
    assert north.tend().status == 0
    size = max(path.stat().st_size for path in north.home.iterdir() if path.name.startswith("mirror.db"))
    told = []
    for number in range(4):
        east.send(west, 10)
        east.seal()
        told.append(north.run("tend", before=("prlimit", f"--fsize={size // 2 + size * number // 4}")))
    assert told[0].status == 2 and "full" in told[0].said, told
    city.rounds(*TOWN)
    assert west.balance() == HOURS + 40
    check_city(city)


def test_a_service_without_room_accepts_nothing(city: City) -> None:
    """A village's service whose files cannot grow says so; what it answered as accepted is there."""
    city.settle(TOWN)
    east = city["east"]
    size = max(path.stat().st_size for path in east.home.iterdir() if path.is_file())
    east.begin_to_serve(before=("prlimit", f"--fsize={size + 150_000}"))
    wait_for(east.answers, "it serves")
    answers = []
    for _number in range(40):
        bodies = [Donate(giver=ANNE, minutes=1)] * 20
        answers.append(_submit(east, east.sheet(*bodies)))
    assert answers[0] == httpx.codes.OK and answers[-1] == httpx.codes.SERVICE_UNAVAILABLE, answers
    east.stop()
    city.start("east")
    assert _submit(east, east.sheet(Donate(giver=ANNE, minutes=1))) == httpx.codes.OK
    city.start("north", "west")
    city.rounds(*TOWN)
    assert east.balance(POOL) == 1 + 20 * answers.count(httpx.codes.OK)
    check_city(city)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
    return port
