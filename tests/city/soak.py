"""``make soak``: a city, a county, two townships and four villages for some minutes under everything that can happen.

    make soak                                            # five minutes, a new seed
    make soak SOAK_MINUTES=60 SOAK_SEED=7                # longer, and that schedule again

Each node is real processes in a network namespace of its own. People in the villages submit sheets to their services
(hours to other villages, some for accounts that are not there), again and again until an answer comes, and now and then
twice. Meanwhile, by a schedule that the printed seed decides:

    kill       a service is killed (-9) and comes back          round      a round is killed (-9)
    cut        a line is dead, or a card is down                bad line   frames are late, out of order, lost, doubled
    old disk   a village comes back with an old copy of its disk, is caught, and gets the true one again
    lie        a village's answers are made up: rubbish, endless, dripping, of 10 GB, other bytes
    rumour     a parent's answers are made up, or come late and in another order
    full       a round whose files cannot grow

In the end all lines are mended, rounds go on until nothing moves, and then: nothing counted twice, nothing accepted is
lost, no minute on the way, the audit of all eight ledgers is sound, every alarm is of a lie that was told. Last, a
village writes two histories under one key, and is convicted. Needs root, iproute2 and /dev/net/tun. Prints one line
every ten seconds, and figures at the end; the exit status is 0 only where all of it holds.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from subprocess import TimeoutExpired

import httpx

from ledger.bodies import Donate, TransferOut
from tests.city.between import GIGABYTES_10, HANG_UP, PIECE, Answer, Lies, between, changing
from tests.city.books import check_city
from tests.city.harness import ANNE, BELOW, BEN, NAMES, NOBODY, PORT, VILLAGES, City, Place, make_city, wait_for
from tests.city.wires import CUT, GOOD, Line, Wires, can_wire, inside

TELL_SECONDS = 10.0
SEND_SECONDS, ROUND_SECONDS = 20.0, 600.0
FAULTS = (*["kill", "cut"] * 3, *["round", "bad line", "lie"] * 2, *["old disk"] * 2, "rumour", "full")
"""As often as it stands here, one of them is chosen."""

LIES = {
    "rubbish": changing({"/checkpoint": Answer(b"I am the state")}),
    "endless": changing({"/checkpoint": Answer(endless=PIECE)}),
    "10 GB": changing({"tile/entries/": Answer(endless=PIECE, claimed=GIGABYTES_10)}),
    "other bytes": changing({"tile/entries/": lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])}),
    "dripping": lambda _path, true: replace(true, drips_seconds=0.4),
    "half": changing({"/log/": HANG_UP}),
}
CODES = {"rubbish": "bad-checkpoint", "other bytes": "bad-files"}
"""What is named as a lie; the others are a bad line as far as anybody can tell."""


class WiredPlace(Place):
    """A node with an address of its own."""

    def __init__(self, name: str, home: Path, wires: Wires, city: City) -> None:
        host = wires.add(name)
        prefix = ("ip", "netns", "exec", wires.namespace(name))
        super().__init__(name, home, host=host, port=PORT, prefix=prefix, city=city)
        self.wires = wires
        self.works = threading.Lock()
        """Held by whoever uses the home from here."""
        self.changes = threading.Lock()
        """Held by whoever starts and stops processes, or changes the disk."""

    @contextmanager
    def inside(self) -> Iterator[None]:
        with inside(self.wires.namespace(self.name)):
            yield

    def end_all(self) -> None:
        """Pull the plug: whatever runs there ends."""
        self.stop(signal.SIGKILL)
        self.wires.kill_all(self.name)


class WiredCity(City):
    """The city, each node in its namespace."""

    def __init__(self, template: Path, folder: Path, wires: Wires) -> None:
        self.wires = wires
        super().__init__(template, folder)

    def _place(self, name: str, home: Path) -> Place:
        return WiredPlace(name, home, self.wires, self)

    def wired(self, name: str) -> WiredPlace:
        place = self[name]
        assert isinstance(place, WiredPlace)
        return place


class Soak:
    """One run."""

    def __init__(self, city: WiredCity, wires: Wires, seed: int) -> None:
        self.city, self.wires, self.seed = city, wires, seed
        self.is_over = threading.Event()
        self.counts: Counter[str] = Counter()
        self.told: set[tuple[str, str]] = set()
        """Village and code of each lie that was told."""
        self.wrong: list[str] = []
        self._urls: dict[str, dict[str, str]] = {name: {} for name in NAMES}
        self._settings = threading.Lock()

    def run(self, seconds: float) -> None:
        """All of it."""
        self._write_settings(every_minutes=1)
        self._start(*NAMES)
        threads = [self._thread(self._faults, number) for number in range(3)]
        threads += [self._thread(self._tender, number) for number in range(2)]
        threads += [self._thread(self._clerk, name, number) for number, name in enumerate(VILLAGES)]
        started, told = time.monotonic(), 0.0
        try:
            while time.monotonic() - started < seconds and not self.wrong:
                self.is_over.wait(0.2)
                if time.monotonic() - told > TELL_SECONDS:
                    told = time.monotonic()
                    print(f"{told - started:5.0f} s  {self.figures()}", flush=True)
        finally:
            self.is_over.set()
            for thread in threads:
                thread.join()
        assert not self.wrong, self.wrong[0]
        self._mend()
        self._judge()

    def _thread(self, work: Callable[..., None], *words: object) -> threading.Thread:
        def safely() -> None:
            try:
                work(*words)
            except Exception:
                self.wrong.append(traceback.format_exc())

        thread = threading.Thread(target=safely, name=f"{work.__name__} {words}")
        thread.start()
        return thread

    def figures(self) -> str:
        """What happened so far."""
        return ", ".join(f"{name} {self.counts[name]}" for name in sorted(self.counts))

    def _pause(self, chance: random.Random, least: float, most: float) -> None:
        self.is_over.wait(chance.uniform(least, most))

    # People

    def _clerk(self, name: str, number: int) -> None:
        """Sends hours, and each sheet until it is answered."""
        chance = random.Random(self.seed * 100 + number)
        place = self.city.wired(name)
        others = [other for other in VILLAGES if other != name]
        sheet = b""
        while not self.is_over.is_set() or sheet:
            with place.works, place.inside(), place.client(SEND_SECONDS) as client:
                if not sheet:
                    other = self.city[chance.choice(others)]
                    to = chance.choice((ANNE, ANNE, BEN, NOBODY))
                    hours = TransferOut(giver=ANNE, minutes=chance.randint(1, 3), to=f"{other.origin}#{to}")
                    sheet = place.sheet(chance.choice((hours, hours, Donate(giver=ANNE, minutes=1))))
                if self._send(place, client, sheet) and chance.random() > 0.2:
                    sheet = b""
                if chance.random() < 0.2:
                    place.seal()
            self._pause(chance, 0.1, 1.0)

    def _send(self, place: Place, client: httpx.Client, sheet: bytes) -> bool:
        """Whether it was answered."""
        try:
            answer = place.submit(client, sheet)
        except httpx.HTTPError:
            self.counts["unanswered"] += 1
            return False
        self.counts["accepted" if answer.status_code == httpx.codes.OK else f"answer {answer.status_code}"] += 1
        return answer.status_code in (httpx.codes.OK, httpx.codes.UNPROCESSABLE_ENTITY)

    # Rounds

    def _tender(self, number: int) -> None:
        chance = random.Random(self.seed * 100 + 10 + number)
        while not self.is_over.is_set():
            self._round(self.city.wired(chance.choice(NAMES)), chance.random())

    def _round(self, place: WiredPlace, chance: float, *before: str) -> None:
        """One round, of which some are killed."""
        if place.changes.locked():
            self.is_over.wait(0.1)
            return
        process = place.begin("tend", "--json", before=before)
        is_killed = chance < 0.1
        try:
            _out, said = process.communicate(timeout=chance * 8 if is_killed else ROUND_SECONDS)
        except TimeoutExpired:
            process.kill()
            _out, said = process.communicate()
            self.counts["rounds killed" if is_killed else "rounds hung"] += 1
            assert is_killed, f"a round of {place.name} hangs"
        assert "Traceback" not in said, said
        assert process.returncode in (0, 1, 2, -signal.SIGKILL), (place.name, process.returncode, said)
        self.counts["rounds"] += 1

    # Faults

    def _faults(self, number: int) -> None:
        chance = random.Random(self.seed * 100 + 20 + number)
        does: dict[str, Callable[[random.Random], None]] = {
            "kill": self._kill,
            "round": lambda chance: self._round(self.city.wired(chance.choice(NAMES)), 0.05 * chance.random()),
            "cut": self._cut,
            "bad line": self._bad_line,
            "old disk": self._old_disk,
            "lie": self._lie,
            "rumour": self._rumour,
            "full": self._full,
        }
        while not self.is_over.is_set():
            does[chance.choice(FAULTS)](chance)
            self._pause(chance, 0.2, 2.0)

    @contextmanager
    def _alone(self, name: str) -> Iterator[WiredPlace | None]:
        """A node of which nobody else changes the processes or the disk; None where somebody does."""
        place = self.city.wired(name)
        if not place.changes.acquire(blocking=False):
            yield None
            return
        try:
            yield place
        finally:
            place.changes.release()

    def _kill(self, chance: random.Random) -> None:
        with self._alone(chance.choice(NAMES)) as place:
            if place is not None:
                place.end_all()
                self.counts["kills"] += 1
                self._pause(chance, 0.0, 3.0)
                self._start(place.name)

    def _cut(self, chance: random.Random) -> None:
        name = chance.choice(NAMES)
        self.counts["cuts"] += 1
        if chance.random() < 0.5:
            self.wires.lines[name] = CUT
            self._pause(chance, 0.5, 8.0)
        else:
            self.wires.unplug(name)
            self._pause(chance, 0.5, 8.0)
            self.wires.plug(name)
        self.wires.lines[name] = GOOD

    def _bad_line(self, chance: random.Random) -> None:
        name = chance.choice(NAMES)
        self.counts["bad lines"] += 1
        line = Line(chance.uniform(0, 0.1), chance.uniform(0, 0.3), chance.uniform(0, 0.15), chance.uniform(0, 0.3))
        self.wires.lines[name] = line
        self._pause(chance, 1.0, 10.0)
        self.wires.lines[name] = GOOD

    def _old_disk(self, chance: random.Random) -> None:
        """Back to an old copy; the parent has to see it, and the true disk has to be taken again."""
        name = chance.choice(VILLAGES)
        parent = self.city.wired(BELOW[name])
        with self._alone(name) as place, self._alone(parent.name) as above:
            if place is None or above is None:
                return
            with place.works:
                place.end_all()
                above.wires.kill_all(above.name)
                above.stop()
                old, true = place.home.with_name(f"{name}-old"), place.home.with_name(f"{name}-true")
                shutil.copytree(place.home, old)
                place.write(Donate(giver=ANNE, minutes=1))
                place.seal()
                self._start(name)
                for line in (name, above.name):
                    self.wires.plug(line)
                    self.wires.lines[line] = GOOD
                wait_for(lambda: above.tend("pull").pulled().get(name) in ("new", "same"), f"{name} is mirrored")
                place.end_all()
                place.home.rename(true)
                old.rename(place.home)
                self.city.write_settings(place, NAMES, {}, 0)
                self._start(name)
                self.told |= {(name, "rolled-back")}
                wait_for(lambda: above.tend("pull").pulled().get(name) == "rolled-back", f"{name} is caught")
                assert (name, "rolled-back") in alarms(above)
                place.end_all()
                shutil.rmtree(place.home)
                true.rename(place.home)
                self._start(name)
                above.run("mirror", "release", place.origin)
                wait_for(lambda: above.tend("pull").pulled().get(name) in ("new", "same"), f"{name} is taken again")
                self._start(above.name)
        self.counts["old disks"] += 1

    def _lie(self, chance: random.Random) -> None:
        """Somebody answers in the place of a village."""
        name, kind = chance.choice(VILLAGES), chance.choice(list(LIES))
        parent = self.city.wired(BELOW[name])
        if kind in CODES:
            self.told.add((name, CODES[kind]))
        self.counts["lies"] += 1
        self._heard(parent, name, LIES[kind])

    def _rumour(self, chance: random.Random) -> None:
        """Somebody answers a village in the place of its parent."""
        name = chance.choice(VILLAGES)
        heard: dict[str, list[Answer]] = {}

        def late(path: str, true: Answer) -> Answer:
            heard.setdefault(path, []).append(true)
            return chance.choice([*heard[path], Answer(true.body[: len(true.body) // 2]), Answer(b"[]")])

        self.counts["rumours"] += 1
        self._heard(self.city.wired(name), BELOW[name], late)

    def _heard(self, hearer: WiredPlace, liar: str, lies: Lies) -> None:
        """A node has a round in which it hears lies."""
        place = self.city.wired(liar)
        with place.inside(), between(place.url, lies, host=place.host) as url:
            self._urls[hearer.name] = {liar: url}
            self._write_settings_of(hearer, 1)
            self._round(hearer, 1.0)
            self._urls[hearer.name] = {}
            self._write_settings_of(hearer, 1)

    def _full(self, chance: random.Random) -> None:
        place = self.city.wired(chance.choice(("north", "south", "county", "city")))
        self.counts["full disks"] += 1
        self._round(place, 1.0, "prlimit", f"--fsize={chance.randrange(20_000, 600_000)}")

    # Beginning and end

    def _write_settings(self, every_minutes: int) -> None:
        for name in NAMES:
            self._write_settings_of(self.city.wired(name), every_minutes)

    def _write_settings_of(self, place: WiredPlace, every_minutes: int) -> None:
        with self._settings, suppress(FileNotFoundError):
            self.city.write_settings(place, NAMES, self._urls[place.name], every_minutes)

    def _start(self, *names: str) -> None:
        for name in names:
            if self.city[name].service is None:
                self.city[name].begin_to_serve("--insecure")
        for name in names:
            wait_for(self.city[name].answers, f"{name} serves")

    def _mend(self) -> None:
        """All lines are good, all services run, and the rounds of this process alone are left."""
        for name in NAMES:
            self.wires.plug(name)
            self.wires.lines[name] = GOOD
            self.city.wired(name).end_all()
        self._write_settings(every_minutes=0)
        self._start(*NAMES)
        self.city.rounds(*NAMES, most=40)

    def _judge(self) -> None:
        books = check_city(self.city)
        raised = {alarm for name in NAMES for alarm in alarms(self.city[name])}
        assert raised <= self.told, f"alarms of lies that nobody told: {raised - self.told}"
        self.counts["lies named"] = len(raised)
        assert {told for told in self.told if told[1] == "rolled-back"} <= raised
        self._convict("lake")
        self.counts["entries"] = sum(self.city.sizes(NAMES).values())
        self.counts["transfers"] = len(books.left)
        self.counts["transfers taken"] = len(books.taken)
        self.counts["transfers refused and returned"] = len(books.returned)
        self.counts.update(self.wires.counts)

    def _convict(self, name: str) -> None:
        """A village writes two histories, and its parent keeps the proof."""
        place, parent = self.city.wired(name), self.city.wired(BELOW[name])
        place.end_all()
        copy = place.home.with_name("copy")
        shutil.copytree(place.home, copy)
        place.write(Donate(giver=BEN, minutes=1))
        place.seal()
        self._start(name)
        assert parent.tend().status == 0
        place.end_all()
        true = place.home.with_name("true")
        place.home.rename(true)
        copy.rename(place.home)
        place.write(Donate(giver=BEN, minutes=2))
        place.seal()
        self._start(name)
        assert parent.tend().pulled()[name] == "forked"
        proof = next(each["evidence"] for each in parent.alarms() if each["code"] == "forked")
        assert parent.run("check-fork", proof).plain["proven"]
        self.counts["forks proven"] += 1
        place.end_all()
        shutil.rmtree(place.home)
        true.rename(place.home)


def alarms(place: Place) -> set[tuple[str, str]]:
    """Village and code of each."""
    return {(each["origin"].partition(".")[0], each["code"]) for each in place.alarms()}


def main() -> int:
    """Run it, and tell."""
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=None)
    words = parser.parse_args()
    seed = int.from_bytes(os.urandom(3)) if words.seed is None else words.seed
    why_not = can_wire()
    if why_not:
        print(f"the soak cannot run here: {why_not}", file=sys.stderr)
        return 2
    print(f"seed {seed}, {words.minutes:g} minutes", flush=True)
    signal.signal(signal.SIGTERM, lambda *_told: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="huzhu-soak-") as name, Wires(random.Random(seed)) as wires:
        template = make_city(Path(name) / "template")
        city = WiredCity(template, Path(name) / "city", wires)
        with city:
            soak = Soak(city, wires, seed)
            try:
                soak.run(words.minutes * 60)
            except Exception:
                traceback.print_exc()
                print(f"FAILED with seed {seed}: {soak.figures()}", file=sys.stderr)
                return 1
    print(soak.figures())
    print(f"sound: nothing counted twice, nothing accepted lost, each lie named (seed {seed})")
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
