"""However the work is shared out, the report is the same: findings, their order, counts and all."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

import verify.audit
import verify.checkpoints
from chain.canonical import format_canonical
from ledger.bodies import Donate
from tests.verify.ledgers import (
    BOB,
    CLERK,
    MEMBER1,
    QUORUM,
    Forge,
    Ledger,
    audit,
    flip,
    found,
    plain,
    village,
    village_node,
)
from verify.audit import LedgerReport, Trust
from verify.kept import parse_kept

CHUNK_ENTRIES = 7
SMALL = village()
TRUST = Trust(
    QUORUM,
    (
        *(parse_kept(note, f"checkpoint.{size}") for size, note in village(minutes=120).checkpoints),
        parse_kept(village_node().promise(61), "promise"),
    ),
    {BOB: (1, 2)},
)


def long_ledger() -> Ledger:
    """The sample's people and forty blocks of three donations each: many chunks, many checkpoints."""
    forge = Forge(SMALL.entries[:16])
    for _ in range(40):
        forge.write(CLERK, [MEMBER1], *(Donate(giver=BOB, minutes=1) for _ in range(3)))
        forge.seal()
        forge.checkpoint()
    return forge.ledger(SMALL.checkpoints[:2])


GOOD = long_ledger()


def mangled() -> Ledger:
    """With entries changed at the beginning, the middle and the ends of chunks, and checkpoints of all sorts."""
    bad = GOOD
    for index in (20, 21, 55, 56, 62, 63, 100, 130, 160):
        value = plain(bad.entries[index])
        value["at"] = "2026-03-02T08:00:00Z"
        bad = bad.with_entry(index, format_canonical(value) if index % 2 else flip(bad.entries[index], 30))
    for place in (3, 20, 33, 41):
        note = bad.checkpoints[place][1]
        bad = bad.with_note(place, flip(note, len(note) - 8, 2))
    return bad.with_note(30, b"no note").with_note(10, bad.checkpoints[11][1])


BAD = mangled()


class Backwards(Executor):
    """Does its work late and in the wrong order: only when somebody asks for an answer, the last one first."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Future[Any], Any, Any]] = []

    def submit(self, fn: Any, /, *args: Any, **_: Any) -> Future[Any]:
        future = _Asked(self)
        self._waiting.append((future, fn, args))
        return future

    def work(self) -> None:
        while self._waiting:
            future, fn, args = self._waiting.pop()
            future.set_result(fn(*args))


class _Asked(Future[Any]):
    def __init__(self, executor: Backwards) -> None:
        super().__init__()
        self._executor = executor

    def result(self, timeout: float | None = None) -> Any:
        self._executor.work()
        return super().result(timeout)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify.audit, "CHUNK_ENTRIES", CHUNK_ENTRIES)
    monkeypatch.setattr(verify.checkpoints, "BATCH_CHECKPOINTS", 4)
    monkeypatch.setattr(verify.checkpoints, "BATCHES_AHEAD", 2)


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    # Not forked: pytest's own process may have threads.
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


def assert_same(ledger: Ledger, executor: Executor, workers: int) -> LedgerReport:
    alone = audit(ledger, TRUST)
    assert audit(ledger, TRUST, executor, workers) == alone
    return alone


@pytest.mark.parametrize("ledger", [GOOD, BAD, SMALL], ids=["good", "bad", "small"])
def test_threads(ledger: Ledger) -> None:
    for workers in (1, 3):
        with ThreadPoolExecutor(workers) as executor:
            assert_same(ledger, executor, workers)


@pytest.mark.parametrize("ledger", [GOOD, BAD, SMALL], ids=["good", "bad", "small"])
def test_processes(ledger: Ledger, processes: Executor) -> None:
    assert_same(ledger, processes, 2)


@pytest.mark.parametrize("workers", [1, 2, 100])
def test_an_executor_that_works_backwards(workers: int) -> None:
    for ledger in (GOOD, BAD, SMALL, Ledger((), ())):
        assert_same(ledger, Backwards(), workers)


def test_the_bad_ledger_has_many_findings() -> None:
    codes = audit(BAD, TRUST).finding_counts
    assert len(codes) >= 9 and sum(codes.values()) > 80, codes
    assert {"entry.signature", "entry.noncanonical", "checkpoint.signature", "checkpoint.malformed"} <= set(codes)


@pytest.mark.parametrize("entries", [1, 2, 3, 42, 10_000])
def test_however_large_the_chunks(monkeypatch: pytest.MonkeyPatch, entries: int) -> None:
    expected = audit(BAD, TRUST)
    monkeypatch.setattr(verify.audit, "CHUNK_ENTRIES", entries)
    assert audit(BAD, TRUST) == expected


def test_a_chunk_ends_at_so_many_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = audit(BAD, TRUST)
    monkeypatch.setattr(verify.audit, "CHUNK_BYTES", 1)
    assert audit(BAD, TRUST) == expected


def test_progress_is_told_after_each_chunk() -> None:
    told: list[int] = []
    report = verify.audit.audit_ledger(GOOD.source(), on_progress=told.append)
    assert told == [*range(CHUNK_ENTRIES, len(GOOD.entries), CHUNK_ENTRIES), len(GOOD.entries)]
    assert found(report) == []


def test_a_worker_s_own_failure_is_nobody_s_finding() -> None:
    """Our own bug raises at once."""

    class Broken(Backwards):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            del fn, args, kwargs
            future: Future[Any] = Future()
            future.set_exception(RuntimeError("a bug"))
            return future

    with pytest.raises(RuntimeError, match="a bug"):
        audit(GOOD, TRUST, Broken())
