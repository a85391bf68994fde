"""What a service does when something of it is gone, damaged or too much."""

import asyncio
import contextlib
import resource
import socket
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from store.home import Home
from store.log import StoreError
from tests.store.village import ORIGIN, PROVIDER, new_home
from tests.web.service.running import SECONDS, Running, running
from web.service import run
from web.service.answers import storage_problem
from web.service.journal import Journal
from web.service.ledgers import Ledgers
from web.service.log import LogFiles
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
    for path in ("/api/v1/public-list", "/api/v1/funds", f"/api/v1/accounts/{PROVIDER}/receipt"):
        answer = service.get(path)
        assert answer.status_code == 503 and answer.headers["retry-after"], path


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


def test_a_connection_too_many_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "connections_max", lambda: 2)
    with running(new_home(tmp_path / "home"), {}) as held:
        url = httpx.URL(held.url)
        where = url.host, url.port or 0
        with contextlib.ExitStack() as held_open, contextlib.suppress(ConnectionError):
            *_two, third = (held_open.enter_context(socket.create_connection(where, SECONDS)) for _ in range(3))
            assert third.recv(10) == b""
