"""The service beside an empty FastAPI endpoint: the same server, the same client, in one run.

The client is this process, the server another; on two cores each has one. Every round measures the empty endpoint right
before, since machines are noisy.
"""

import asyncio
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from bench.figure import HUZHU, Figure
from bench.village import PARAMETERS, Clock, services, settle, village
from chain.entry import Statement, format_statement
from chain.keys import SigningKey
from chain.sheet import sign_sheet
from ledger.numbers import account_number
from node import Founding, Node
from store.access import Access
from store.mirror import MirrorStore
from store.reading import LedgerReader
from web.access.making import make_token
from web.sheetfile import format_sheet

ORIGIN = "village.example/bench"
ACCOUNTS = 2_000
CLIENTS, SHEET_CLIENTS, SHEET = 64, 8, 64
LEDGERS, MIRRORED_ACCOUNTS = 300, 1_000_000
SECONDS, SECONDS_MIN = 4.0, 0.2
ROUNDS = 3
FULL_RECORDS = 100_000
"""With fewer records to post everything else is made smaller too."""
WAIT_SECONDS = 30.0
EMPTY = b"GET /empty HTTP/1.1\r\nHost: bench\r\n\r\n"
EMPTY_APP = (
    "-c",
    (
        "import sys\n"
        "from fastapi import FastAPI\n"
        "from web.service.run import Listening, run\n"
        "app = FastAPI()\n"
        "@app.get('/empty')\n"
        "async def empty(): return {}\n"
        'tell = lambda address: print(\'{"address":"%s"}\' % address, file=sys.stderr, flush=True)\n'
        "run(app, Listening('127.0.0.1', 0), tell)\n"
    ),
)


@dataclass(slots=True)
class Tally:
    """What one run of clients saw."""

    answers: int = 0
    seconds: float = 0.0
    bad: int = 0
    times: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.answers / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """Milliseconds that this share of the answers took at most."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1_000 if ordered else 0.0


class Client(asyncio.Protocol):
    """Sends one request after another over one connection, each when the last was answered.

    With ``pause``, seconds at a mean, they come as independent people's do: the times between them are exponential.
    """

    def __init__(self, requests: Callable[[], bytes | None], tally: Tally, pause: float, done: "asyncio.Future[None]"):
        self._requests, self._tally, self._pause, self._done = requests, tally, pause, done
        self._head, self._lacking = b"", 0
        self._sent_at = 0.0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._go_on()

    def data_received(self, data: bytes) -> None:
        if not self._lacking:
            self._head += data
            head, gap, body = self._head.partition(b"\r\n\r\n")
            if not gap:
                return
            place = head.find(b"content-length: ")
            self._lacking = int(head[place + 16 :].partition(b"\r\n")[0])
            data = body
        self._lacking -= len(data)
        if self._lacking:
            return
        now = time.perf_counter()
        self._tally.answers += 1
        self._tally.bad += not self._head.startswith(b"HTTP/1.1 200")
        self._head = b""
        self._tally.times.append(now - self._sent_at)
        self._go_on()

    def _go_on(self) -> None:
        if self._pause:
            asyncio.get_running_loop().call_later(random.expovariate(1 / self._pause), self._send)
        else:
            self._send()

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _send(self) -> None:
        request = self._requests()
        if request is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)


async def _drive(port: int, sources: Sequence[Callable[[], bytes | None]], pause: float) -> Tally:
    loop, tally = asyncio.get_running_loop(), Tally()
    waits = [loop.create_future() for _ in sources]
    started = time.perf_counter()
    for source, done in zip(sources, waits, strict=True):
        await loop.create_connection(partial(Client, source, tally, pause, done), "127.0.0.1", port)
    await asyncio.gather(*waits)
    tally.seconds = time.perf_counter() - started
    return tally


def drive(port: int, sources: Sequence[Callable[[], bytes | None]], pause: float = 0.0) -> Tally:
    """Run one client for each source until all are empty."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_drive(port, sources, pause))


def for_a_while(requests: Sequence[bytes], seconds: float) -> Callable[[], bytes | None]:
    """The requests again and again, for so many seconds from the first on."""
    place, end = 0, 0.0

    def following() -> bytes | None:
        nonlocal place, end
        now = time.perf_counter()
        end = end or now + seconds
        place += 1
        return requests[place % len(requests)] if now < end else None

    return following


def once(requests: Sequence[bytes]) -> Callable[[], bytes | None]:
    """Each request once."""
    waiting = deque(requests)
    return lambda: waiting.popleft() if waiting else None


@contextmanager
def served(*words: str) -> Iterator[int]:
    """A server's port, while it runs."""
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        if process.stderr is None:
            raise RuntimeError("no stderr")
        address = json.loads(next(line for line in process.stderr if "address" in line))["address"]
        yield int(address.rpartition(":")[2])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(WAIT_SECONDS)
        if process.stderr is not None:
            process.stderr.close()


def clerks() -> list[SigningKey]:
    """One for each client: the numbers of one author rise, and requests of many clients overtake each other."""
    return [SigningKey(bytes([1, number]) + bytes(30)) for number in range(CLIENTS)]


def make_home(folder: Path, mirrored_accounts: int) -> tuple[str, str]:
    """A village with many clerks and a mirror with many accounts beside it; tokens of a clerk and an auditor."""
    people, clock = village(ACCOUNTS), Clock()
    founding = Founding(ORIGIN, [people.clerk, *clerks()], people.members, 2, parameters=PARAMETERS)
    Node.create(folder, founding, None, clock)
    with Node.open(folder, writes=True, clock=clock) as node:
        settle(node, people)
        node.seal()
    mirror_accounts(folder / "mirror.db", mirrored_accounts)
    now, access = int(time.time()), Access(folder / "access.db")
    secrets = []
    for role, scopes in (("clerk", ("read", "submit")), ("auditor", ("read",))):
        access.add_user(role, role, ledger=ORIGIN if role == "clerk" else "", now=now)
        user = access.user(role)
        if user is None:
            raise RuntimeError("no user")
        secrets.append(make_token(access, user, label="bench", scopes=scopes, days=1, now=now).secret)
    access.close()
    clerk, auditor = secrets
    return clerk, auditor


def mirror_accounts(path: Path, account_count: int) -> None:
    """Accounts over as many ledgers as a county has; no entries, since nobody asks for them here."""
    MirrorStore(path).close()
    each = account_count // LEDGERS + 1
    connection = sqlite3.connect(path)
    with connection:
        for log in range(1, LEDGERS + 1):
            connection.execute("INSERT INTO log VALUES(?, ?)", (log, f"v{log}.example/huzhu"))
            connection.executemany(
                "INSERT INTO account VALUES(?, ?, ?, ?, 0, 'open', 'minute')",
                ((log, account_number(place), place, place) for place in range(each)),
            )
    connection.close()


def sheets(home: Path, per_client: int, size: int, clients: int, start: int) -> list[list[bytes]]:
    """Bodies of ready-made sheets of services, those of each client by a clerk of its own."""
    people, clock = village(ACCOUNTS), Clock()
    clock.now = clock.now.fromtimestamp(int(time.time()) - 60, clock.now.tzinfo)
    source, made = services(people, clock), []
    with Node.open(home, writes=False) as node:
        domain, member = node.domain, people.members[0]
    for clerk in clerks()[:clients]:
        mine = []
        for number in range(per_client):
            statements = [
                format_statement(
                    Statement(
                        at=clock.now,
                        body=msgspec.structs.replace(next(source), minutes=1),  # one day holds them all
                        by=clerk.id,
                        kind="service",
                        beside=(member.id,),
                        seq=start + number * size + place,
                    )
                )
                for place in range(size)
            ]
            mine.append(format_sheet(sign_sheet(domain, statements, clerk, [member])))
        made.append(mine)
    return made


def asking(requests: Sequence[bytes], seconds: float, _number: int) -> list[Callable[[], bytes | None]]:
    """All clients, each with the same questions again and again."""
    return [for_a_while(requests, seconds) for _ in range(CLIENTS)]


def post(body: bytes, token: str, prefer: str = "") -> bytes:
    """A sheet, ready to be sent."""
    head = (
        f"POST /api/v1/entries HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{prefer}\r\n"
    )
    return head.encode() + body


def get(path: str, token: str = "") -> bytes:
    """A question, ready to be sent."""
    sign = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n{sign}\r\n".encode()


def beside_empty(port: int, empty: int, seconds: float, sources: Callable[[int], list[Any]]) -> tuple[float, str]:
    """The median ratio to the empty endpoint over rounds, and both rates of that round."""
    found = []
    for number in range(ROUNDS):
        bare = drive(empty, asking([EMPTY], seconds / 2, number))
        ours = drive(port, sources(number))
        if ours.bad:
            raise RuntimeError(f"{ours.bad} of {ours.answers} requests failed")
        found.append((ours.rate / bare.rate, ours, bare))
    ratio, ours, bare = sorted(found, key=lambda each: each[0])[len(found) // 2]
    told = f"{ours.rate:,.0f}/s beside {bare.rate:,.0f}/s; p99 {ours.percentile(0.99):.1f} ms"
    return ratio, told


def service(folder: Path, entry_count: int) -> Iterator[Figure]:
    """All figures of the service; about ``entry_count`` records are posted."""
    home, scale = folder / "service", min(1.0, entry_count / FULL_RECORDS)
    accounts, seconds = int(MIRRORED_ACCOUNTS * scale), max(SECONDS_MIN, SECONDS * scale)
    clerk, auditor = make_home(home, accounts)
    environment = [sys.executable, *EMPTY_APP]
    with served(*environment) as empty, served(str(HUZHU), "serve", "--home", str(home), "--port", "0") as port:
        yield from reading(port, empty, auditor, accounts, seconds)
        yield from posting(home, port, empty, clerk, entry_count, seconds)
    yield Figure("ledger.db ÷ entry bytes, written by the service", _spread(home), "×", 1.3, True)


def reading(port: int, empty: int, token: str, account_count: int, seconds: float) -> Iterator[Figure]:
    """Balances and tiles."""
    chance = range(0, account_count // LEDGERS + 1, 7)
    asked = [
        get(f"/api/v1/accounts/{account_number(place)}?ledger=v{1 + place % LEDGERS}.example/huzhu", token)
        for place in chance
    ]
    ratio, told = beside_empty(port, empty, seconds, partial(asking, asked, seconds))
    yield Figure(f"GET accounts of {account_count:,} ÷ empty endpoint", ratio, "×", 0.6, beside=told)
    half = drive(port, asking(asked, seconds, 0), pause=_pause(told))
    yield Figure("the same at half load, p99", half.percentile(0.99), "ms", 10, True, f"{half.rate:,.0f}/s")
    tiles = [get(f"/log/{ORIGIN}/tile/entries/000"), get(f"/log/{ORIGIN}/tile/0/000"), get(f"/log/{ORIGIN}/checkpoint")]
    for what, requests in (("tiles of hashes", tiles[1:2]), ("checkpoints", tiles[2:]), ("bundles", tiles[:1])):
        ratio, told = beside_empty(port, empty, seconds, partial(asking, requests, seconds))
        yield Figure(f"GET {what} ÷ empty endpoint", ratio, "×", 0.8, beside=told)


def posting(
    home: Path, port: int, empty: int, token: str, entry_count: int, seconds: float
) -> Iterator[Figure]:
    """Single records by many clients, and sheets."""
    per_client = max(4, entry_count // 8 // CLIENTS // ROUNDS)
    base = int(time.time() * 1_000)
    singles = [
        [[post(body, token) for body in mine] for mine in sheets(home, per_client, 1, CLIENTS, base + 10**6 * number)]
        for number in range(ROUNDS)
    ]
    ratio, told = beside_empty(port, empty, seconds, lambda number: [once(mine) for mine in singles[number]])
    yield Figure(f"POST of single records, {CLIENTS} clients ÷ empty endpoint", ratio, "×", 0.25, beside=told)
    for prefer, label in (("", "with promises"), ("Prefer: return=minimal\r\n", "without promises")):
        per_client = max(2, entry_count // 4 // SHEET // SHEET_CLIENTS)
        base += 10**8
        bodies = sheets(home, per_client, SHEET, SHEET_CLIENTS, base)
        bare = drive(empty, asking([EMPTY], seconds / 2, 0))
        ours = drive(port, [once([post(body, token, prefer) for body in mine]) for mine in bodies])
        if ours.bad:
            raise RuntimeError(f"{ours.bad} of {ours.answers} sheets failed")
        beside = f"p99 {ours.percentile(0.99):.0f} ms; the empty endpoint answers {bare.rate:,.0f}/s"
        what = f"POST of sheets of {SHEET}, {SHEET_CLIENTS} clients, {label}"
        yield Figure(what, ours.rate * SHEET, "records/s", 15_000, beside=beside)


def _pause(told: str) -> float:
    """How long each client waits between requests so that all ask for half of what can be answered."""
    return CLIENTS / (float(told.partition("/s")[0].replace(",", "")) / 2)


def _spread(home: Path) -> float:
    """The file's size beside its entries'."""
    reader = LedgerReader(home / "ledger.db")
    total = int(reader.value("SELECT sum(length(bytes)) FROM entry"))
    reader.close()
    return (home / "ledger.db").stat().st_size / total
