"""The witness over HTTP: the published cases by a real server, bounds while reading, and what it says of itself."""

import asyncio
import io
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from chain.note import format_vkey
from chain.witness import ADD_CHECKPOINT_MAX_BYTES, origin_hash
from store.home import Home
from store.log import StoreError
from sync.witness import MemoryWitnessStorage, WitnessStorage
from tests.store.village import new_home
from tests.sync.test_witness import CASES, ENTRIES, FOLDER, LOG, make_witness, remember, request
from web.service.assembly import system_clock, witness_routers
from web.service.health import find_neighbours, find_troubles
from web.service.journal import Journal
from web.service.witness import witness_router
from web.service.writer import Standing
from web.witnessing import make_keys


@contextmanager
def serving(storage: WitnessStorage, body_seconds: float = 5.0) -> Iterator[str]:
    """The router alone, by the server that nodes use."""
    app = FastAPI()
    app.include_router(witness_router(make_witness(storage), body_seconds))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


class Shared(MemoryWitnessStorage):
    """One server for all cases: each begins with what its file says."""

    def reset(self) -> None:
        self._kept.clear()


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Shared, str]]:
    storage = Shared()
    with serving(storage) as url:
        yield storage, url


@pytest.mark.parametrize("name", CASES)
def test_published_case(name: str, shared: tuple[Shared, str]) -> None:
    case = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    storage, url = shared
    storage.reset()
    if case["stored"] is not None:
        remember(storage, case["stored"].encode())
    answer = httpx.post(f"{url}/add-checkpoint", content=case["request"].encode())
    assert answer.status_code == case["status"]
    assert answer.headers["content-type"] == case.get("content_type", "text/plain; charset=utf-8")
    assert answer.text.startswith(case.get("body", ""))
    assert answer.content.endswith(b"\n")
    kept = storage.latest(LOG.name)
    found = httpx.get(f"{url}/witness/{origin_hash(LOG.name)}/checkpoint")
    assert (found.status_code, found.content) == ((404, found.content) if kept is None else (200, kept[1]))


@pytest.mark.parametrize("hashed", ["0" * 64, "A" * 64, "x", "0" * 63, "é" * 64, "..%2f.."])
def test_no_such_log(hashed: str, shared: tuple[Shared, str]) -> None:
    answer = httpx.get(f"{shared[1]}/witness/{hashed}/checkpoint")
    assert answer.status_code == 404


def test_a_body_is_bounded_while_it_is_read(shared: tuple[Shared, str]) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 200_000_000:
            sent += 65_536
            yield bytes(65_536)

    try:
        answer = httpx.post(f"{shared[1]}/add-checkpoint", content=endless())
        assert answer.status_code == 400
    except httpx.HTTPError:
        pass  # the server has answered and hung up while we were still sending
    assert sent < 50_000_000
    assert httpx.post(f"{shared[1]}/add-checkpoint", content=bytes(ADD_CHECKPOINT_MAX_BYTES)).status_code == 400


def test_a_body_that_drips_is_not_waited_for() -> None:
    with serving(MemoryWitnessStorage(), body_seconds=0.2) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            head = b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nold"
            connection.sendall(head)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 408 ")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(head)
        assert httpx.post(f"{url}/add-checkpoint", content=request(0, 9)).status_code == 200


def test_a_full_disk_is_said() -> None:
    class Full(MemoryWitnessStorage):
        def advance(self, *_more: object) -> bool:
            raise StoreError("full")

        def by_hash(self, hashed: str) -> bytes | None:
            raise StoreError(hashed)

    with serving(Full()) as url:
        assert httpx.post(f"{url}/add-checkpoint", content=request(0, 9)).status_code == 503
        assert httpx.get(f"{url}/witness/{'0' * 64}/checkpoint").status_code == 503


def test_the_description_names_every_status(tmp_path: Path) -> None:
    app = FastAPI()
    app.include_router(witness_router(make_witness(MemoryWitnessStorage())))
    paths = app.openapi()["paths"]
    posted = paths["/add-checkpoint"]["post"]
    assert set(posted["responses"]) == {"200", "400", "403", "404", "408", "409", "422", "503"}
    assert "example" in posted["requestBody"]["content"]["text/plain"]
    assert set(paths["/witness/{origin_hash}/checkpoint"]["get"]["responses"]) >= {"200", "404", "503"}
    assert not list(tmp_path.iterdir())


def test_a_home_that_witnesses_tells_of_a_fork_and_never_begins_again(tmp_path: Path) -> None:
    home = Home(new_home(tmp_path))
    make_keys(home, "witness.example", None)
    home.settings.write_text(
        'trust = "trust.txt"\n' + home.settings.read_text().replace(LOG.name, "county.example/huzhu")
    )
    (home.folder / "trust.txt").write_text(f"log {format_vkey(LOG)}\nquorum none\n")
    writer: Any = SimpleNamespace(standing=Standing(9, 2, 0, system_clock()))
    written = io.StringIO()
    app = FastAPI()
    app.include_router(*witness_routers(home, None, writer, Journal(written)))

    def post(body: bytes) -> int:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
                return await client.post("/add-checkpoint", content=body)

        return asyncio.run(ask()).status_code

    watched: Any = SimpleNamespace(
        settings=home.node_settings(),
        home=home,
        ledgers=SimpleNamespace(mirror=lambda: None),
        writer=writer,
        tender=None,
        clock=system_clock,
    )
    assert post(request(0, 9)) == 200
    assert [*find_troubles(watched), *find_neighbours(watched)] == []
    assert post(request(9, 9, [*ENTRIES[:3], b"another", *ENTRIES[4:]])) == 409
    line = json.loads(written.getvalue())
    assert (line["event"], line["ledger"], line["size"]) == ("forked", LOG.name, 9)
    assert list(find_troubles(watched)) == []
    assert ["has proven: 1;" in each for each in find_neighbours(watched)] == [True]
    home.witness.unlink()
    assert post(request(9, 20)) == 503
    with pytest.raises(StoreError, match="must not cosign again"):
        list(witness_routers(home, None, writer, Journal(written)))
