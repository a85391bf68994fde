"""What other nodes ask of a township's: over HTTP, from its own log and its mirror."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import msgspec
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response

from chain.checkpoint import open_checkpoint
from chain.encoding import parse_base64
from chain.note import Note, format_note, parse_vkey
from chain.receipt import ENTRY_RECEIPT_MAX_BYTES, check_entry_receipt, parse_entry_receipt
from ledger.bodies import Anchor, OrgRetire
from ledger.kinds import CODEC
from store.exchange import Exchange
from store.home import Home
from store.mirror import MirrorStore
from store.reading import LedgerReader
from sync.fetch import Site
from sync.library import SiteLibrary
from sync.mirror import Mirror
from tests.sync.city import BEN, HOURS, NOBODY, Town, on_the_way
from tests.web.desk import run
from web.problem import PROBLEM_TYPE, Problem, format_problem
from web.service.exchange import exchange_router

ROOM_BYTES = 1 << 40


@contextmanager
def serving(town: Town) -> Iterator[str]:
    """A township's node on loopback, with the routes that fetching needs."""
    home = Home(town.home)
    exchange = Exchange(home.ledger, home.mirror)

    def receipt(origin: str, index: int) -> bytes:
        with closing(LedgerReader(home.ledger if origin == town.origin else home.mirror)) as reader:
            found = reader.ledger(origin)
            try:
                if found is not None:
                    return found.receipt(index)
            except IndexError:
                pass
            raise FileNotFoundError(index)

    app = FastAPI()
    app.include_router(exchange_router(exchange, receipt))

    @app.get("/api/v1/entries/{index}/receipt")
    async def entry_receipt(index: int, ledger: str) -> Response:
        try:
            return Response(receipt(ledger, index), media_type="text/plain")
        except FileNotFoundError:
            raise Problem(404, "no-entry", "no such entry", "not there") from None

    @app.exception_handler(Problem)
    async def tell(_request: Request, problem: Problem) -> Response:
        return Response(format_problem(problem), problem.status, media_type=PROBLEM_TYPE)

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", loop="asyncio"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        exchange.close()
        listener.close()


def mirror(town: Town, *others: Town) -> None:
    """Let the town take copies of these, as from a USB stick."""
    with town.node() as node:
        admitted = {origin: (each.vkey, each.tier) for origin, each in node.state.admitted.items()}
    with closing(MirrorStore(Home(town.home).mirror)) as store:
        taken = Mirror(store, town.origin, admitted, lambda name, _raw: name, lambda: ROOM_BYTES)
        taken.receive([other.source() for other in others])


@pytest.fixture
def county(tmp_path: Path) -> Town:
    return Town(tmp_path, "county", "county")


@pytest.fixture
def town(tmp_path: Path, county: Town) -> Town:
    return Town(tmp_path, "town", "township", county)


@pytest.fixture
def villages(tmp_path: Path, town: Town) -> tuple[Town, Town]:
    east, west = Town(tmp_path, "east", above=town), Town(tmp_path, "west", above=town)
    for each in (east, west):
        each.people()
        each.seal()
    return east, west


def test_hours_travel_over_http(town: Town, villages: tuple[Town, Town]) -> None:
    east, west = villages
    east.send(west, BEN, 10)
    east.send(west, NOBODY, 20)
    for receiver, sender, kinds in ((west, east, ["transfer_in", "transfer_refuse"]), (east, west, ["transfer_back"])):
        sender.seal()
        mirror(town, east, west)
        with serving(town) as url, closing(Site(url)) as site:
            report = receiver.fetch(SiteLibrary(site))
            assert [each.kind for each in report.settled] == kinds
            assert (report.bad, report.failures, report.waiting) == ((), (), 0)
    assert (east.balance(), west.balance(BEN), on_the_way(east, west)) == (HOURS - 10, 10, 0)


def test_pages(town: Town, villages: tuple[Town, Town], monkeypatch: pytest.MonkeyPatch) -> None:
    """A small page shows that a list goes on where it ended, over the ledgers."""
    east, west = villages
    monkeypatch.setattr("sync.library.PAGE_NOTICES", 2)
    town.people()
    own = [town.send(west, BEN, 1) for _number in range(3)]
    sent = [east.send(west, BEN, 1) for _number in range(4)]
    for each in (town, east):
        each.seal()
    mirror(town, east, west)
    with serving(town) as url, closing(Site(url)) as site:
        found = [(notice.ledger, notice.index) for notice in SiteLibrary(site).notices(west.origin)]
        assert found == [*((town.origin, index) for index in own), *((east.origin, index) for index in sent)]
        report = west.fetch(SiteLibrary(site))
        assert ([each.kind for each in report.settled], report.bad) == (["transfer_in"] * 7, ())


def test_admissions_lead_down(county: Town, town: Town, villages: tuple[Town, Town]) -> None:
    east, _west = villages
    mirror(county, town)
    with serving(county) as url, closing(Site(url)) as site:
        receipts = [parse_entry_receipt(raw) for raw in SiteLibrary(site).admissions(east.origin)]
        assert [check_entry_receipt(each).origin for each in receipts] == [county.origin, town.origin]
        assert [CODEC.parse(each.extra).body.origin for each in receipts] == [town.origin, east.origin]
        assert [len(open_checkpoint(each.checkpoint)[1].signatures) for each in receipts] == [1, 1]
        raw = httpx.get(f"{url}/api/v1/admissions/{town.origin}", trust_env=False)
        assert len(raw.json()) == 1
        assert parse_base64(raw.json()[0], 1, ENTRY_RECEIPT_MAX_BYTES)
        assert "max-age" in raw.headers["cache-control"]
        assert SiteLibrary(site).admissions("elsewhere.example/huzhu") == ()


def test_who_is_retired_is_not_led_to(county: Town, town: Town, villages: tuple[Town, Town]) -> None:
    east, west = villages
    town.write((town.one, town.two), OrgRetire(origin=east.origin, reason="moved"))
    town.seal()
    mirror(county, town)
    exchange = Exchange(county.home / "ledger.db", county.home / "mirror.db")
    with closing(exchange):
        assert exchange.admissions(west.origin)[0][0] == county.origin
        county.write((county.one, county.two), OrgRetire(origin=town.origin, reason="moved"))
        county.seal()
        assert exchange.admissions(west.origin) == []
        assert exchange.admissions(town.origin) == []


def test_anchors(town: Town, villages: tuple[Town, Town]) -> None:
    east, _west = villages
    sizes = []
    for _day in range(3):
        east.seal()
        with east.node() as node:
            note = node.checkpoint()
        sizes.append(open_checkpoint(note)[0].size)
        town.declare([Anchor(checkpoint=_bare(note, east), origin=east.origin)])
    town.seal()
    with serving(town) as url:
        for asked, expected in ((0, sizes[0]), (sizes[0] + 1, sizes[1]), (sizes[2], sizes[2])):
            answer = httpx.get(f"{url}/api/v1/anchors/{east.origin}", params={"size": asked}, trust_env=False)
            assert answer.headers["content-type"].startswith("text/plain")
            body = CODEC.parse(parse_entry_receipt(answer.content).extra).body
            assert open_checkpoint(body.checkpoint)[0].size == expected
        missing = httpx.get(f"{url}/api/v1/anchors/{east.origin}", params={"size": sizes[2] + 1}, trust_env=False)
        assert (missing.status_code, missing.json()["type"]) == (404, "urn:huzhu:problem:no-anchor")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("transfers?to=UPPER", 400),
        ("transfers?to=a.example&after=b", 400),
        ("transfers?to=a.example&after=b.example:99999999999999999999999", 400),
        ("transfers?to=a.example&after=b.example:5", 200),
        ("transfers?to=a.example&limit=0", 422),
        ("transfers", 422),
        ("admissions/..", 404),
        ("admissions/a..b//", 400),
        ("admissions/nobody.example", 404),
        ("anchors/nobody.example?size=-1", 422),
        ("anchors/nobody.example", 404),
    ],
)
def test_bad_questions(town: Town, path: str, status: int) -> None:
    with serving(town) as url:
        assert httpx.get(f"{url}/api/v1/{path}", trust_env=False).status_code == status


def test_a_ledger_that_was_replaced_is_read_anew(tmp_path: Path, town: Town, villages: tuple[Town, Town]) -> None:
    east, west = villages
    town.people()
    town.seal()
    path, kept = town.home / "ledger.db", tmp_path / "kept.db"
    with closing(Exchange(path, town.home / "mirror.db")) as exchange:
        assert exchange.transfers(west.origin, None, 10) == []
        run("export", "--home", town.home, "--archive", kept)
        index = town.send(west)
        assert exchange.transfers(west.origin, None, 10) == []
        town.seal()
        assert [row.entry_index for row in exchange.transfers(west.origin, None, 10)] == [index]
        path.with_name("ledger.db-wal").unlink(missing_ok=True)
        kept.replace(path)
        assert exchange.transfers(west.origin, None, 10) == []
        assert exchange.admissions(east.origin) != []


def test_the_description_tells_every_field(town: Town) -> None:
    home = Home(town.home)
    with closing(Exchange(home.ledger, home.mirror)) as exchange:
        app = FastAPI()
        app.include_router(exchange_router(exchange, lambda _origin, _index: b""))
        told = app.openapi()
    fields = told["components"]["schemas"]["Transfer"]["properties"]
    assert all(field["description"] and field["examples"] for field in fields.values())
    for path in told["paths"].values():
        assert all(each["description"] and each["schema"]["examples"] for each in path["get"]["parameters"])
    assert msgspec.json.encode(told)


def _bare(note: bytes, town: Town) -> bytes:
    _checkpoint, parsed = open_checkpoint(note)
    return format_note(Note(parsed.text, tuple(line for line in parsed.signatures if parse_vkey(town.vkey).made(line))))
