"""What the service does by itself: seals, looks after neighbours, and says how it is."""

import asyncio
import datetime
import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from chain.fields import Time, parse_time
from store.settings import NodeSettings, ServeSettings
from tests.store.village import donation
from tests.web.service.running import Running
from web.problem import Problem
from web.service.asking import Asker, end_program, start_program
from web.service.health import find_neighbours, find_troubles
from web.service.journal import Journal
from web.service.sealing import seal_rule
from web.service.tending import Round, Tender, has_neighbours
from web.service.writer import Standing

NOON = parse_time("2026-03-04T12:00:00Z")


def ago(**amount: int) -> Time:
    return NOON - datetime.timedelta(**amount)


@pytest.mark.parametrize(
    ("sealed_at", "entries", "settings", "due"),
    [
        (ago(minutes=59), 5, ServeSettings(), False),
        (ago(minutes=60), 5, ServeSettings(), True),
        (ago(minutes=0), 10_000, ServeSettings(), True),
        (ago(minutes=0), 3, ServeSettings(seal_entries=3), True),
        (ago(hours=23), 0, ServeSettings(), False),
        (ago(hours=24), 0, ServeSettings(), True),
        (ago(days=9), 5, ServeSettings(seal_every_minutes=0), False),
        (None, 0, ServeSettings(), False),
    ],
)
def test_when_a_block_is_closed(sealed_at: Time | None, entries: int, settings: ServeSettings, due: bool) -> None:
    state: Any = SimpleNamespace(sealed_at=sealed_at, block_entries=entries)
    assert seal_rule(settings, lambda: NOON)(state) == due


def test_the_service_seals_by_itself(service: Running) -> None:
    held = service.parts.writer
    before, kept = service.get("/api/v1/blocks?limit=1000").json()["blocks"][-1]["height"] + 1, held._seal_due
    held._seal_due = lambda state: state.block_entries > 0
    try:
        service.post(service.sheet([donation(1)]))
        assert held.standing.height == before + 1 and held.standing.unsealed == 0
    finally:
        held._seal_due = kept
    blocks = service.get("/api/v1/blocks?limit=1000").json()["blocks"]
    assert blocks[-1]["height"] == before and blocks[-1]["size"] == held.standing.size


def told(program: str, after: Callable[[Tender], Any] | None = None) -> list[Round]:
    """The rounds of a tender that runs this Python text, until the second has ended."""
    rounds: list[Round] = []

    async def tend() -> None:
        enough = asyncio.Event()

        def note(one: Round) -> None:
            rounds.append(one)
            if len(rounds) == 2:
                enough.set()

        tender = Tender([sys.executable, "-c", program], {"WORD": "x"}, 0, note)
        tender.start()
        if after is None:
            await enough.wait()
        else:
            await asyncio.sleep(0)
        await tender.stop()

    asyncio.run(tend())
    return rounds


def test_neighbours_are_looked_after_again_and_again() -> None:
    found = told("import os, sys; sys.exit(1 if os.environ['WORD'] == 'x' else 3)")
    assert [one.status for one in found] == [1, 1]


def test_what_a_round_could_not_do_is_told() -> None:
    plain = {"pull": [{"outcome": "same"}], "transfers": [{"failure": "nobody answers"}]}
    found = told(f"print({json.dumps(plain)!r})")
    assert [one.failures for one in found] == [["transfers: nobody answers"]] * 2
    assert told("print('no JSON')")[0].failures == []


def test_a_round_ends_with_the_service() -> None:
    assert told("import time; time.sleep(600)", after=lambda _tender: None) == []


def test_who_has_neighbours() -> None:
    assert not has_neighbours(NodeSettings("a.example"))
    assert has_neighbours(NodeSettings("a.example", parents=("http://b.example",)))


def test_questions_are_asked_once_for_each_size() -> None:
    program = "import json, sys, time; print(json.dumps([sys.argv[1:], time.time_ns()]))"

    async def ask() -> list[Any]:
        asker = Asker([sys.executable, "-c", program])
        first = await asyncio.gather(*(asker.ask(["a"], 1) for _ in range(5)))
        assert all(one == first[0] for one in first) and first[0][0] == ["a"]
        return [first[0], await asker.ask(["a"], 2), await asker.ask(["b"], 1)]

    one, two, three = asyncio.run(ask())
    assert len({one[1], two[1], three[1]}) == 3


@pytest.mark.parametrize(("status", "problem"), [(2, 400), (3, 503)])
def test_questions_that_have_no_answer(status: int, problem: int) -> None:
    asker_words = [sys.executable, "-c", f"import sys; sys.exit({status})"]

    async def ask() -> None:
        await Asker(asker_words).ask([], 1, Problem(400, "bad-period", "no", "no"))

    with pytest.raises(Problem) as caught:
        asyncio.run(ask())
    assert caught.value.status == problem


def test_health_says_what_is_wrong_in_words(service: Running) -> None:
    parts = service.parts
    serve = replace(parts.settings.serve, tend_every_minutes=5)
    tender: Any = SimpleNamespace(last=Round(ago(hours=2), 3, 1.0))
    writer: Any = SimpleNamespace(standing=Standing(9, 2, 4, ago(hours=30), "village", {}, "the disk is full"))
    watched: Any = SimpleNamespace(
        settings=replace(parts.settings, serve=serve),
        home=parts.home,
        ledgers=SimpleNamespace(mirror=lambda: None),
        writer=writer,
        tender=tender,
        clock=lambda: NOON,
    )
    said = " | ".join(find_troubles(watched))
    for words in ("could not be written: the disk is full", "30 hours old", "huzhu tend", "since 2026-03-04T10:00:00Z"):
        assert words in said
    writer.standing = Standing(9, 2, 0, NOON + datetime.timedelta(days=1))
    tender.last = Round(NOON, 0, 1.0)
    assert ["clock" in one for one in find_troubles(watched)] == [True]
    writer.standing = Standing(9, 2, 0, ago(hours=1))
    assert list(find_troubles(watched)) == []


class Mirrored:
    """A mirror of which every count is the same."""

    def value(self, _sql: str, *_values: object) -> int:
        return 2


def watched_of(service: Running, last: Round, mirror: object = None) -> Any:
    """A node that is well, but for its neighbours."""
    return SimpleNamespace(
        settings=replace(service.parts.settings, serve=ServeSettings(tend_every_minutes=5)),
        home=service.parts.home,
        ledgers=SimpleNamespace(mirror=lambda: mirror),
        writer=SimpleNamespace(standing=Standing(9, 2, 0, ago(hours=1))),
        tender=SimpleNamespace(last=last),
        clock=lambda: NOON,
    )


def test_what_is_wrong_below_is_no_fault_of_the_node(service: Running) -> None:
    watched = watched_of(service, Round(ago(minutes=1), 1, 1.0, ("pull: it is off line",)), Mirrored())
    assert list(find_troubles(watched)) == []
    said = " | ".join(find_neighbours(watched))
    for words in ("pull: it is off line", "silent for too long: 2", "looked at: 2", "older state: 2"):
        assert words in said


def test_rounds_that_fail_are_a_fault_once_they_fail_for_long(service: Running) -> None:
    just, long = (Round(NOON, 2, 1.0, failing_since=ago(minutes=minutes)) for minutes in (10, 30))
    assert list(find_troubles(watched_of(service, just))) == []
    assert ["huzhu tend" in each for each in find_troubles(watched_of(service, long))] == [True]


def test_it_is_noted_since_when_rounds_fail() -> None:
    async def rounds(*statuses: int) -> list[Round]:
        found: list[Round] = []
        tender = Tender([], {}, 0, found.append)
        ends = iter(statuses)

        async def end() -> tuple[int, list[str]]:
            status = next(ends, None)
            if status is None:
                raise EOFError
            return status, []

        tender._round = end  # type: ignore[method-assign]
        with pytest.raises(EOFError):
            await tender._run()
        return found

    first, again, well, anew = asyncio.run(rounds(2, -1, 1, 2))
    assert first.failing_since == again.failing_since == first.ended
    assert well.failing_since is None and anew.failing_since == anew.ended


def test_a_silent_village_leaves_the_county_well(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.parts.ledgers, "mirror", Mirrored)
    for role, told in ((None, 0), ("member", 3)):
        answer = service.get("/api/v1/health", role)
        assert (answer.status_code, answer.json()["ok"]) == (200, True)
        assert (answer.json()["troubles"], len(answer.json()["neighbours"])) == ([], told)
    figures = service.get("/api/v1/metrics").text
    assert "huzhu_silent_ledgers 2.0" in figures and "huzhu_held_ledgers 2.0" in figures


def test_strangers_hear_only_whether_it_is_well(service: Running) -> None:
    kept = service.parts.writer.standing
    service.parts.writer.standing = replace(kept, trouble="/the/path of something")
    try:
        short, long = service.get("/api/v1/health", None), service.get("/api/v1/health", "member")
    finally:
        service.parts.writer.standing = kept
    assert short.status_code == long.status_code == 503
    assert short.json()["ok"] is False and short.json()["troubles"] == []
    assert "/the/path" in long.json()["troubles"][0] and long.json()["disk_free_bytes"] > 0


def test_the_journal_quotes_nothing() -> None:
    stream = io.StringIO()
    journal = Journal(stream)
    journal.event("started", address="http://127.0.0.1:1")
    try:
        raise ValueError("hz_secret of 12345676")
    except ValueError as error:
        journal.bug(error, "/api/v1/accounts/{number}")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first["event"] == "started" and second["event"] == "bug" and second["error"] == "ValueError"
    assert "secret" not in stream.getvalue() and "12345676" not in stream.getvalue()
    assert "test_clockwork.py:" in second["lines"]


STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if not os.fork():
    print("both", flush=True)
while True:
    time.sleep(60)
"""


def test_who_does_not_end_kindly_ends_with_all_that_it_began() -> None:
    async def run() -> bytes:
        process = await start_program([sys.executable, "-c", STUBBORN], {})
        assert process.stdout is not None and await process.stdout.readline() == b"both\n"
        await end_program(process, 0.0)
        async with asyncio.timeout(20):
            return await process.stdout.read()

    assert asyncio.run(run()) == b""
