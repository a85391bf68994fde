"""What a service does when something of it is gone, damaged or too much."""

import asyncio
import io
import json
import resource
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from store.home import Home
from store.log import StoreError
from tests.store.village import ORIGIN, PROVIDER, new_home
from tests.web.service.running import Running
from web.service import run
from web.service.answers import storage_problem
from web.service.journal import KINDS_MAX, LINES_A_MINUTE, LINES_AT_ONCE, Journal
from web.service.ledgers import Ledgers
from web.service.log import LogFiles
from web.service.publiclist import FRESH_SECONDS, LOOK_SECONDS, PublicList
from web.service.writer import BusyError


class Broken:
    """A stream that nothing can be written to."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def write(self, _text: str) -> None:
        raise self._error


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(28, "no space"), ValueError("closed file")])
def test_a_journal_that_cannot_be_written_raises_nothing(error: Exception) -> None:
    stream: Any = Broken(error)
    Journal(stream).bug(KeyError("x"), "here")


def test_strangers_do_not_fill_the_journal() -> None:
    stream, now = io.StringIO(), [1_000.0]
    journal = Journal(stream, lambda: now[0])

    def written() -> list[tuple[str, int | None]]:
        lines = [json.loads(line) for line in stream.getvalue().splitlines()]
        stream.seek(0)
        stream.truncate()
        return [(line["event"], line.get("lines")) for line in lines]

    for _request in range(1_000):
        journal.event("server", text="Invalid HTTP request received.")
    assert written() == [("server", None)] * LINES_AT_ONCE
    journal.event("server", text="another")
    journal.event("tended")
    left_out = ("left-out", 1_000 - LINES_AT_ONCE)
    assert written() == [left_out, ("server", None), ("tended", None)]
    for _second in range(600):
        now[0] += 1
        for _request in range(10):
            journal.event("server", text="Invalid HTTP request received.")
    told = written()
    assert told.count(("server", None)) == 10 * LINES_A_MINUTE
    assert len(told) - 10 * LINES_A_MINUTE <= 10
    for number in range(10_000):
        journal.event(f"kind {number}")
    assert len(written()) <= KINDS_MAX + LINES_AT_ONCE + 1


def test_a_damaged_mirror_fails_the_mirrored_ledgers_alone(tmp_path: Path) -> None:
    home = Home(new_home(tmp_path / "home"))
    home.mirror.write_bytes(b"no database" * 1_000)
    with closing(Ledgers(home, ORIGIN)) as ledgers:
        assert ledgers.own.size and ledgers.origins() == [ORIGIN]
        assert ledgers.parent_of("x.example/huzhu") is None
        for ask in (ledgers.mirror, lambda: ledgers.find("x.example/huzhu")):
            with pytest.raises(StoreError, match="mirror"):
                ask()


def test_health_names_a_damaged_mirror(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise StoreError("mirror.db is damaged")

    monkeypatch.setattr(service.parts.ledgers, "mirror", fail)
    assert "mirror.db is damaged" in service.get("/api/v1/health").json()["troubles"]


class FakeLedger:
    def __init__(self, size: int, content: bytes) -> None:
        self.origin, self.size, self._content = ORIGIN, size, content

    def tile(self, _level: int, _index: int, width: int) -> bytes:
        return self._content * width


def test_files_in_memory_are_let_go_when_the_ledger_is_not_what_it_was() -> None:
    held = SimpleNamespace(ledger=FakeLedger(300, b"a"))
    ledgers: Any = SimpleNamespace(find=lambda _origin: held.ledger)
    files = LogFiles(ledgers, [])
    whole, part = f"/log/{ORIGIN}/tile/0/000", f"/log/{ORIGIN}/tile/0/001.p/44"
    first = files._find(part)
    assert first is not None and files._find(part) is first and files._find(whole) is not None
    held.ledger.size = 290
    assert files._find(part) is None and files._find(whole) is not None
    held.ledger = FakeLedger(300, b"b")
    found = files._find(whole)
    assert found is not None and found.plain == b"b" * 256
    held.ledger = None
    assert files._find(whole) is None


def test_figures_are_for_those_who_may_see_the_ledger(service: Running) -> None:
    assert service.get("/api/v1/metrics").status_code == 200
    assert service.get("/api/v1/metrics", "supervisor").status_code == 403


def test_who_asks_too_much_is_told_when_to_come_again(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(_question: Any) -> None:
        await asyncio.sleep(0)
        raise BusyError

    monkeypatch.setattr(service.parts.writer, "ask", busy)
    for path in ("/api/v1/funds", f"/api/v1/accounts/{PROVIDER}/receipt"):
        answer = service.get(path)
        assert answer.status_code == 503 and answer.headers["retry-after"], path


def test_a_flood_for_the_public_list_holds_nobody_up() -> None:
    held = SimpleNamespace(entries=5, now=100.0, asked=0, is_busy=False)

    async def ask(_question: Any) -> dict[str, Any]:
        await asyncio.sleep(0)
        if held.is_busy:
            raise BusyError
        held.asked += 1
        return {"size": held.entries, "listed": []}

    ledgers: Any = SimpleNamespace(own=SimpleNamespace(entry_count=lambda: held.entries))
    writer: Any = SimpleNamespace(ask=ask)

    async def flood(public: PublicList, size: int, asked: int) -> None:
        found = await asyncio.gather(*(public.get() for _ in range(100)))
        assert {each["size"] for each in found} == {size} and held.asked == asked

    async def ask_much() -> None:
        public = PublicList(ledgers, writer, lambda: held.now)
        held.is_busy = True
        with pytest.raises(BusyError):
            await public.get()
        held.is_busy = False
        await flood(public, 5, 1)
        held.now += LOOK_SECONDS
        await flood(public, 5, 1)
        held.entries = 6
        await flood(public, 6, 2)
        held.entries = 7
        await flood(public, 6, 2)
        held.now += LOOK_SECONDS
        held.is_busy = True
        await flood(public, 6, 2)

    asyncio.run(ask_much())


@pytest.mark.parametrize("error", [StoreError("another process holds the home"), BusyError()])
def test_who_asks_for_the_public_list_does_not_wait_for_who_holds_the_home(error: Exception) -> None:
    held = SimpleNamespace(entries=5, now=100.0, asked=0, gate=asyncio.Event())

    async def ask(_question: Any) -> dict[str, Any]:
        held.asked += 1
        if held.asked > 1:
            await held.gate.wait()
            raise error
        return {"size": held.entries, "listed": []}

    ledgers: Any = SimpleNamespace(own=SimpleNamespace(entry_count=lambda: held.entries))
    writer: Any = SimpleNamespace(ask=ask)

    async def ask_much() -> None:
        public = PublicList(ledgers, writer, lambda: held.now)
        assert (await public.get())["size"] == 5
        held.entries = 6
        for _look in range(2):
            held.now += LOOK_SECONDS
            async with asyncio.timeout(10):
                found = await asyncio.gather(*(public.get() for _ in range(100)))
            assert {each["size"] for each in found} == {5}
            held.now += LOOK_SECONDS
            async with asyncio.timeout(FRESH_SECONDS / 2):
                assert (await public.get())["size"] == 5, "at once, the second time"
            assert held.asked == 2
        held.gate.set()
        await asyncio.sleep(0)
        assert (await public.get())["size"] == 5

    asyncio.run(ask_much())


def test_where_no_public_list_is_known_all_are_told_why() -> None:
    async def ask(_question: Any) -> None:
        await asyncio.sleep(0)
        raise StoreError("another process holds the home")

    async def ask_much() -> None:
        public = PublicList(ledgers, writer)
        told = await asyncio.gather(*(public.get() for _ in range(5)), return_exceptions=True)
        assert all(isinstance(each, StoreError) for each in told)

    ledgers: Any = SimpleNamespace(own=SimpleNamespace(entry_count=lambda: 1))
    writer: Any = SimpleNamespace(ask=ask)
    asyncio.run(ask_much())


def test_a_failing_disk_claims_nothing_of_what_was_sent() -> None:
    assert "the very same sheet again" in storage_problem().detail


@pytest.mark.parametrize(
    "soft, hard, refused, connections",
    [(256, 65_536, False, 1_024), (256, 1_000, False, 872), (256, 65_536, True, 128), (100, 100, False, 16)],
)
def test_as_many_connections_as_there_may_be_files(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, refused: bool, connections: int
) -> None:
    def set_limit(_which: int, _limits: tuple[int, int]) -> None:
        if refused:
            raise ValueError

    monkeypatch.setattr(resource, "getrlimit", lambda _which: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    assert run.connections_max() == connections
