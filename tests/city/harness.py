"""A small city of real processes: homes made once and copied, services started and ended, rounds run, books balanced.

    with City(copied, folder) as city:                       # on loopback
        city.start("north", "east", "west")
        city["east"].send(city["west"], 60)
        city["east"].seal()
        city["north"].tend()
        city["west"].tend()
        city.check()

A *place* is one node: its home, its people's keys, its service while that runs. Everything that was started is ended
when the block ends, however it ends.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from chain.encoding import parse_base64
from chain.entry import Body
from chain.keys import SigningKey
from chain.merkle import leaf_hash
from chain.note import format_vkey
from ledger.bodies import AccountOpen, Opening, OrgAdmit, TransferOut
from ledger.numbers import account_number
from ledger.parameters import Parameters
from node import Accepted, Founding, Node, system_clock
from store.access import Access
from store.settings import ServeSettings
from tests.store.village import presigned
from web.access.making import make_token
from web.sheetfile import format_sheet

HUZHU = Path(sys.executable).with_name("huzhu")
START_SECONDS, ROUND_SECONDS, TICK_SECONDS = 120.0, 300.0, 0.02
LOCK_TICKS = 6_000
"""So often the home's lock is asked for, each after a tick."""

BELOW: dict[str, str] = {
    **{"north": "county", "south": "county", "county": "city"},
    **{"east": "north", "west": "north", "hill": "south", "lake": "south"},
}
TIERS = {"city": "city", "county": "county", "north": "township", "south": "township"}
NAMES = ("city", *("county", "north", "south"), *("east", "west", "hill", "lake"))
VILLAGES = ("east", "west", "hill", "lake")
ANNE, BEN, NOBODY = (account_number(number) for number in (100_001, 100_002, 100_003))
"""Two with accounts in every village, and one without."""

HOURS = 6_000
"""What Anne begins with, in minutes."""

_HASH = bytes(range(32))
PORT = ServeSettings().port
"""Where every node of a city listens that has an address of its own."""


def key_of(name: str) -> SigningKey:
    """Somebody's key, the same in every run."""
    return SigningKey(sha256(name.encode()).digest())


def _ticks() -> Iterator[object]:
    """How a busy lock is waited for."""
    return (threading.Event().wait(TICK_SECONDS) for _tick in range(LOCK_TICKS))


def wait_for(ready: Any, what: str, seconds: float = START_SECONDS) -> None:
    """Ask again and again; AssertionError where it does not come."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        threading.Event().wait(TICK_SECONDS)


@dataclass(frozen=True)
class Round:
    """What a command answered."""

    status: int
    plain: Any
    said: str

    def duty(self, name: str) -> list[dict[str, Any]]:
        """What one duty of ``tend`` tells."""
        assert self.plain is not None, (self.status, self.said)
        found: list[dict[str, Any]] = self.plain[name]
        return found

    def pulled(self) -> dict[str, str]:
        """The outcome of each ledger that was asked for."""
        return {each["origin"].partition(".")[0]: each["outcome"] for each in self.duty("pull")}


@dataclass
class Place:
    """One node."""

    name: str
    home: Path
    host: str = "127.0.0.1"
    port: int = 0
    prefix: tuple[str, ...] = ()
    """The words before a command that has to run where this node is."""

    city: "City | None" = None
    service: "subprocess.Popen[bytes] | None" = None
    accepted: dict[int, bytes] = field(default_factory=dict)
    """Leaf hashes of the entries that the service has answered as accepted, by their index."""

    @property
    def origin(self) -> str:
        return f"{self.name}.example/huzhu"

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def clerk(self) -> SigningKey:
        return key_of(f"{self.name} clerk")

    @property
    def members(self) -> list[SigningKey]:
        return [key_of(f"{self.name} member {number}") for number in (1, 2)]

    @property
    def token(self) -> str:
        """The clerk's."""
        return (self.home.parent / f"{self.name}.token").read_text()

    # In this process

    @contextmanager
    def node(self, *, writes: bool = True) -> Iterator[Node]:
        """The node, beside whatever else writes it."""
        with Node.open(self.home, writes=writes, waits=_ticks) as node:
            yield node

    def write(self, *bodies: Body, signers: int = 1) -> list[Accepted]:
        """As the clerk with so many members; all must be accepted."""
        with self.node() as node:
            results = node.write(self.clerk, self.members[:signers], bodies)
        taken = [result for result in results if isinstance(result, Accepted)]
        assert len(taken) == len(bodies), results
        return taken

    def send(self, other: "Place", minutes: int = 60, to: str = ANNE) -> int:
        """Anne's hours leave, not yet sealed."""
        (result,) = self.write(TransferOut(giver=ANNE, minutes=minutes, to=f"{other.origin}#{to}"))
        return result.index

    def seal(self) -> int:
        with self.node() as node:
            return node.seal()

    def balance(self, number: str = ANNE) -> int:
        with self.node(writes=False) as node:
            found = node.balance(number)
        return 0 if found is None else found.balance

    def vkey(self) -> str:
        with self.node(writes=False) as node:
            return format_vkey(node.vkey)

    # By its programs

    def run(self, *words: str | Path, before: Sequence[str] = ()) -> Round:
        """A command at this node, with its JSON."""
        process = self.begin(*words, "--json", before=before)
        raw, said = process.communicate(timeout=ROUND_SECONDS)
        assert "Traceback" not in said, said
        return Round(process.returncode, json.loads(raw) if raw.strip() else None, said)

    def begin(self, *words: str | Path, before: Sequence[str] = ()) -> "subprocess.Popen[str]":
        """The same, not waited for."""
        assert self.city is not None
        command: list[str | Path] = [*self.prefix, *before, HUZHU, *words, "--home", self.home]
        process = subprocess.Popen(
            command, env=self.city.variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.city.processes.append(process)
        return process

    def tend(self, *only: str) -> Round:
        """One round of its duties."""
        return self.run("tend", *(word for duty in only for word in ("--only", duty)))

    def alarms(self) -> list[dict[str, Any]]:
        """All of them, the newest first."""
        found: list[dict[str, Any]] = self.run("alarms", "--all").plain
        return found

    def begin_to_serve(self, *more: str, before: Sequence[str] = ()) -> None:
        """Start the service; see ``City.start``."""
        assert self.city is not None
        command: list[str | Path] = [*self.prefix, *before, HUZHU, "serve", "--home", self.home, *more]
        with (self.city.folder / f"{self.name}.log").open("ab") as log:
            self.service = subprocess.Popen(command, env=self.city.variables, stdout=log, stderr=log)

    def answers(self) -> bool:
        """Whether its service is there."""
        assert self.service is not None and self.service.poll() is None, f"{self.name} does not serve: {self.log()}"
        try:
            with self.inside(), socket.create_connection((self.host, self.port), timeout=1):
                return True
        except OSError:
            return False

    def log(self) -> str:
        """The last that its service said."""
        assert self.city is not None
        return (self.city.folder / f"{self.name}.log").read_text()[-2_000:]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End its service, by SIGKILL as a plug that is pulled."""
        process, self.service = self.service, None
        if process is not None:
            process.send_signal(how)
            process.wait()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread stands where the node is; on loopback that is here."""
        yield

    def client(self, seconds: float = 60.0) -> httpx.Client:
        """The clerk, at this node's service. Used ``inside``."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=seconds, trust_env=False)

    def sheet(self, *bodies: Body) -> bytes:
        """A sheet of these that the clerk and a member have signed just now, to be submitted."""
        with self.node(writes=False) as node:
            seq = max(time.time_ns() // 1_000_000, node.state.roster.keys[self.clerk.id].last_seq + 1)
            at = system_clock()
            sheet = presigned(node, bodies, author=self.clerk, beside=self.members[:1], at=at, seq=seq)
        return format_sheet(sheet)

    def submit(self, client: httpx.Client, sheet: bytes) -> httpx.Response:
        """Send a sheet, and note what was accepted."""
        answer = client.post("/api/v1/entries", content=sheet)
        if answer.status_code == httpx.codes.OK:
            taken = [result for result in answer.json()["results"] if "index" in result]
            self.accepted.update({result["index"]: parse_base64(result["leaf"], 32, 32) for result in taken})
        return answer

    def assert_kept(self) -> None:
        """Every entry that was answered as accepted is where the answer said."""
        with self.node(writes=False) as node:
            for index, hashed in self.accepted.items():
                assert leaf_hash(node.store.entry(index)) == hashed, (self.name, index)


class City:
    """Copies of homes, and what runs in them."""

    def __init__(self, template: Path, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(template, folder, dirs_exist_ok=True)
        self.places = {name: self._place(name, folder / name) for name in NAMES}
        self.processes: list[subprocess.Popen[str]] = []
        self._ends = ExitStack()
        variables = {name: value for name, value in os.environ.items() if not name.startswith("HUZHU")}
        self.variables = variables | {"LC_ALL": "en_US.UTF-8", "XDG_STATE_HOME": str(folder / "state")}

    def _place(self, name: str, home: Path) -> Place:
        return Place(name, home, city=self)

    def __getitem__(self, name: str) -> Place:
        return self.places[name]

    def __enter__(self) -> "City":
        self._ends.callback(self.end)
        return self

    def __exit__(self, *_what: object) -> None:
        self._ends.close()

    def end(self) -> None:
        """Nothing of it runs any more."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                process.kill()
            process.communicate()
        for place in self.places.values():
            place.stop(signal.SIGKILL)

    def settle(self, names: Sequence[str], urls: dict[str, str] | None = None, every_minutes: int = 0) -> None:
        """Give each of these a port, and write down who is above and below it; ``urls`` where one is not itself."""
        with ExitStack() as stack:
            for name in names:
                place = self[name]
                if not place.port:
                    listening = stack.enter_context(socket.socket())
                    listening.bind(("127.0.0.1", 0))
                    place.port = listening.getsockname()[1]
        for name in names:
            self.write_settings(self[name], names, urls or {}, every_minutes)

    def write_settings(self, place: Place, names: Sequence[str], urls: dict[str, str], every_minutes: int) -> None:
        """Its ``node.toml``."""
        lines = [f'origin = "{place.origin}"', "[serve]", f'host = "{place.host}"', f"port = {place.port}"]
        lines.append(f"tend_every_minutes = {every_minutes}")
        for above in ancestors(place.name):
            if above in names:
                lines += ["[[parents]]", f'url = "{urls.get(above, self[above].url)}"']
        for name in names:
            if BELOW.get(name) == place.name:
                lines += ["[[children]]", f'origin = "{self[name].origin}"']
                lines.append(f'url = "{urls.get(name, self[name].url)}"')
        (place.home / "node.toml").write_text("\n".join(lines) + "\n")

    def start(self, *names: str) -> None:
        """Let these serve, and wait until each answers."""
        for name in names:
            self[name].begin_to_serve()
        for name in names:
            wait_for(self[name].answers, f"{name} serves")

    def rounds(self, *names: str, most: int = 12) -> list[Round]:
        """Rounds upwards and then in the villages, until no village has anything new to say: all that moves arrives."""
        done: list[Round] = []
        villages = [name for name in names if name in VILLAGES]
        above = [name for name in ("north", "south", "county", "city") if name in names]
        for _number in range(most):
            before = self.sizes(villages)
            for name in villages:
                self[name].seal()
            done += [self[name].tend() for name in (*above, *villages)]
            if self.sizes(villages) == before:
                return done
        raise AssertionError(f"it does not become quiet in {most} rounds: {before}")

    def sizes(self, names: Sequence[str]) -> dict[str, int]:
        """How many entries each has that are no seals."""
        found = {}
        for name in names:
            with self[name].node(writes=False) as node:
                found[name] = node.store.size - node.state.height
        return found


def ancestors(name: str) -> Iterator[str]:
    """Those above, nearest first."""
    while name in BELOW:
        name = BELOW[name]
        yield name


# Homes


def make_city(folder: Path) -> Path:
    """The homes of all eight, each admitted by the one above, with people in the villages. All is sealed."""
    places = {name: Place(name, folder / name) for name in NAMES}
    for name, place in places.items():
        above = [places[each] for each in ancestors(name)]
        found(place, above)
        if above:
            _admit(above[0], place)
        if name in VILLAGES:
            _settle_people(place)
    (folder / "trust.txt").write_text(f"log {places['city'].vkey()}\nquorum none\n")
    return folder


def found(place: Place, above: Sequence[Place]) -> None:
    """Begin its ledger, under those above, nearest first."""
    tier: Any = TIERS.get(place.name, "village")
    vkeys = [each.vkey() for each in above]
    founding = Founding(
        origin=place.origin,
        clerks=[place.clerk],
        members=place.members,
        threshold=2,
        tier=tier,
        parent=above[0].origin if above else None,
        parent_vkey=vkeys[0] if above else None,
        authorities=[key_of(f"{place.name} official {each}").public for each in (1, 2)] if above else [],
        parameters=Parameters(posting_days=0, trusted_logs=tuple(vkeys)),
    )
    Node.create(place.home, founding, None)


def found_village(place: Place, parent: Place) -> None:
    """A village with its people that says it is below that parent, which knows nothing of it."""
    found(place, [parent])
    _settle_people(place)


def _admit(parent: Place, place: Place) -> None:
    body = OrgAdmit(origin=place.origin, tier=TIERS.get(place.name, "village"), vkey=place.vkey())
    with parent.node() as node:
        (result,) = node.write(parent.members[0], parent.members[1:], [body])
        assert isinstance(result, Accepted), result
        node.seal()


def _settle_people(place: Place) -> None:
    """Anne with her hours, Ben, and a clerk's token."""
    place.write(*[AccountOpen(account=number, dossier=_HASH, holder="person") for number in (ANNE, BEN)])
    place.write(Opening(account=ANNE, minutes=HOURS, source=_HASH), signers=2)
    place.seal()
    with closing(Access(place.home / "access.db")) as access:
        access.add_user("clerk", "clerk", ledger=place.origin, account="", now=int(time.time()))
        user = access.user("clerk")
        assert user is not None
        made = make_token(access, user, label="test", scopes=("read", "submit"), days=9, now=int(time.time()))
    (place.home.parent / f"{place.name}.token").write_text(made.secret)
