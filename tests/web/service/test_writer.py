"""The queue before the one writer: what shares a disk sync, and what becomes of it when something fails."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from chain.sheet import SignedSheet
from store.answers import Accepted, Refused, Result
from store.log import StoreError
from web.service import writer as module
from web.service.writer import Answered, BusyError, Writer

POISON, UNPROMISED = b"poison", b"unpromised"


def sheet(*statements: bytes) -> SignedSheet:
    return SignedSheet(statements or (b"one",), ())


class FakeHome:
    """Keeps what was committed, and fails when told."""

    def __init__(self) -> None:
        self.committed: list[list[bytes]] = []
        self.fails = False
        self.gate = threading.Event()
        self.gate.set()
        self.is_closed = False
        self.state = SimpleNamespace(
            **{"size": 0, "height": 0, "block_entries": 0, "sealed_at": None, "tier": "village", "admitted": {}},
            **{"has_authority": True, "utc_offset": timedelta(hours=8)},
        )
        self.sealed = 0
        self.promised = threading.Event()
        self.waits: Callable[[], object] = bool
        """What the disk does before it fails."""

    def promise(self, _index: int, leaf_hash: bytes) -> bytes:
        self.promised.set()
        if leaf_hash == UNPROMISED:
            raise ValueError
        return b"promise"

    @contextmanager
    def batch(self, waits: Callable[[], Iterable[object]] = tuple) -> Iterator[Any]:  # noqa: ARG002
        self.gate.wait()
        written: list[bytes] = []
        yield FakeNode(self, written)
        if self.fails:
            self.waits()
            raise StoreError("the disk is full")
        self.committed.append(written)
        self.state.size += len(written)

    def close(self) -> None:
        self.is_closed = True

    @property
    def written(self) -> list[bytes]:
        """All that is on disk."""
        return [raw for batch in self.committed for raw in batch]


class FakeNode:
    def __init__(self, home: FakeHome, written: list[bytes]) -> None:
        self._home, self._written = home, written
        self.state = home.state

    def submit_all(self, sheets: Sequence[SignedSheet], *, durable: bool = True) -> list[list[Result]]:
        assert not durable
        return [self._take(sheet) for sheet in sheets]

    def _take(self, submitted: SignedSheet) -> list[Result]:
        if POISON in submitted.statements:
            raise ValueError
        self._written += submitted.statements
        return [Accepted(self.state.size + place, raw) for place, raw in enumerate(submitted.statements)]

    def promiser(self) -> Callable[[int, bytes], bytes]:
        return self._home.promise

    def seal(self, *, durable: bool) -> None:
        assert not durable
        self._home.sealed += 1


@contextmanager
def writing(home: FakeHome, seal_due: Callable[[Any], bool] = lambda _state: False) -> Iterator[Writer]:
    writer = Writer(home, seal_due)
    writer.start()
    try:
        yield writer
    finally:
        home.gate.set()
        writer.stop()
        assert home.is_closed


async def gathered(*waiting: Any) -> list[Any]:
    return await asyncio.gather(*waiting, return_exceptions=True)


def test_all_that_wait_share_one_commit() -> None:
    home = FakeHome()
    with writing(home) as writer:

        async def send() -> list[Any]:
            home.gate.clear()
            tasks = [asyncio.ensure_future(writer.submit(sheet(b"%d" % number), True)) for number in range(50)]
            await asyncio.sleep(0)
            assert not any(task.done() for task in tasks)
            home.gate.set()
            return await gathered(*tasks)

        answers = asyncio.run(send())
    assert all(isinstance(one, Answered) and one.promises == [b"promise"] for one in answers)
    assert home.written == [b"%d" % number for number in range(50)]
    assert len([batch for batch in home.committed if batch]) <= 2
    assert writer.counts.accepted == 50


def test_a_failing_commit_is_told_to_all_and_the_next_goes_on() -> None:
    home = FakeHome()
    with writing(home) as writer:
        home.fails = True
        failed = asyncio.run(gathered(writer_put(writer, b"a"), writer_put(writer, b"b")))
        assert all(isinstance(one, StoreError) for one in failed)
        assert writer.standing.trouble == "the disk is full"
        home.fails = False
        (answer,) = asyncio.run(gathered(writer_put(writer, b"c")))
        assert isinstance(answer, Answered) and writer.standing.trouble == ""
    assert [batch for batch in home.committed if batch] == [[b"c"]]


async def writer_put(writer: Writer, raw: bytes) -> Answered:
    return await writer.submit(sheet(raw), False)


def test_a_promise_that_is_signed_before_the_commit_fails_goes_to_nobody() -> None:
    home = FakeHome()
    with writing(home) as writer:
        home.fails, home.waits = True, home.promised.wait
        failed = asyncio.run(gathered(writer.submit(sheet(b"a"), True), writer_put(writer, b"b")))
        assert home.promised.is_set()
        assert all(isinstance(one, StoreError) for one in failed)
        home.fails = False
        assert asyncio.run(writer.submit(sheet(b"a"), True)).promises == [b"promise"]


def test_a_promise_that_cannot_be_signed_is_one_client_s_trouble() -> None:
    home = FakeHome()
    with writing(home) as writer:

        async def send() -> list[Any]:
            home.gate.clear()
            waiting = [writer.submit(sheet(raw), True) for raw in (b"a", UNPROMISED)]
            others: list[Any] = [writer_put(writer, b"b"), writer.ask(lambda _node: "answered")]
            tasks = [asyncio.ensure_future(each) for each in (*waiting, *others)]
            await asyncio.sleep(0)
            home.gate.set()
            return await gathered(*tasks)

        first, second, third, fourth = asyncio.run(send())
    assert first.promises == [b"promise"] and third.promises == () and fourth == "answered"
    assert isinstance(second, ValueError)
    assert home.written == [b"a", UNPROMISED, b"b"], "what is on disk stays there"


def test_what_one_sheet_breaks_does_not_break_the_others() -> None:
    home = FakeHome()
    with writing(home) as writer:
        answers = asyncio.run(gathered(*(writer_put(writer, raw) for raw in (b"a", POISON, b"b"))))
    assert isinstance(answers[1], ValueError)
    assert isinstance(answers[0], Answered) and isinstance(answers[2], Answered)
    assert sorted(home.written) == [b"a", b"b"]


def test_a_question_may_fail_alone() -> None:
    home = FakeHome()
    with writing(home) as writer:

        def fail(_node: Any) -> None:
            raise KeyError("x")

        answers = asyncio.run(gathered(writer_put(writer, b"a"), writer.ask(fail), writer.ask(lambda node: node.state)))
    assert isinstance(answers[0], Answered) and isinstance(answers[1], KeyError) and answers[2] is home.state


@pytest.mark.parametrize("cause", [None, ValueError("changed meanwhile"), OSError(28, "no space")])
def test_a_question_that_breaks_off_takes_nobody_with_it(cause: Exception | None) -> None:
    """Nothing of its batch is kept, and then all but itself is written; only a failing file is the node's trouble."""
    home = FakeHome()
    with writing(home) as writer:

        def fail(_node: Any) -> None:
            raise StoreError("draft 7") from cause

        async def send() -> list[Any]:
            home.gate.clear()
            first = asyncio.ensure_future(writer_put(writer, b"first"))
            await asyncio.sleep(0)
            rest = [asyncio.ensure_future(writer_put(writer, b"%d" % number)) for number in range(20)]
            questions: list[Callable[[Any], Any]] = [fail, lambda node: node.state, fail]
            asked = [asyncio.ensure_future(writer.ask(question)) for question in questions]
            more = asyncio.ensure_future(writer_put(writer, b"more"))
            await asyncio.sleep(0)
            home.gate.set()
            return await gathered(first, *rest, more, *asked)

        *sheets, one, good, two = asyncio.run(send())
        assert all(isinstance(answer, Answered) for answer in sheets) and good is home.state
        assert all(isinstance(error, StoreError) and str(error) == "draft 7" for error in (one, two))
        assert home.written == [b"first", *(b"%d" % number for number in range(20)), b"more"]
        assert writer.standing.trouble == ("draft 7" if isinstance(cause, OSError) else "")


def test_where_nothing_can_be_written_nobody_waits_for_it_again_and_again() -> None:
    home, told = FakeHome(), list[Exception]()
    writer = Writer(home, lambda _state: False, told.append)
    writer.start()
    home.fails = True

    def fail(_node: Any) -> None:
        raise StoreError("draft 7")

    async def send() -> list[Any]:
        home.gate.clear()
        tasks: list[Any] = [asyncio.ensure_future(writer_put(writer, b"a"))]
        await asyncio.sleep(0)
        tasks += [asyncio.ensure_future(writer.ask(fail)) for _each in range(20)]
        tasks += [asyncio.ensure_future(writer_put(writer, b"b"))]
        await asyncio.sleep(0)
        home.gate.set()
        return await gathered(*tasks)

    answers = asyncio.run(send())
    writer.stop()
    assert all(isinstance(answer, StoreError) for answer in answers) and len(told) <= 3


def test_too_much_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUEUE_MAX_STATEMENTS", 3)
    home = FakeHome()
    with writing(home) as writer:

        async def send() -> list[Any]:
            home.gate.clear()
            tasks = [asyncio.ensure_future(writer.submit(sheet(b"a", b"b"), False)) for _ in range(6)]
            await asyncio.sleep(0)
            home.gate.set()
            return await gathered(*tasks)

        answers = asyncio.run(send())
    refused = [one for one in answers if isinstance(one, BusyError)]
    assert refused and len(refused) + writer.counts.sheets == 6


def test_what_waits_is_finished_at_the_end() -> None:
    home = FakeHome()
    writer = Writer(home, lambda _state: False)
    writer.start()

    async def send() -> list[Any]:
        home.gate.clear()
        tasks = [asyncio.ensure_future(writer_put(writer, b"%d" % number)) for number in range(5)]
        await asyncio.sleep(0)
        threading.Timer(0.01, home.gate.set).start()
        await asyncio.to_thread(writer.stop)
        found = await gathered(*tasks)
        return [*found, *await gathered(writer_put(writer, b"late"))]

    *answers, late = asyncio.run(send())
    assert all(isinstance(one, Answered) for one in answers) and isinstance(late, BusyError)
    assert len(home.written) == 5


def test_it_seals_when_that_is_due_and_tells_what_keeps_it_from_beginning() -> None:
    home = FakeHome()
    with writing(home, lambda state: state.size == 0) as writer:
        asyncio.run(gathered(writer_put(writer, b"a")))
        asyncio.run(gathered(writer_put(writer, b"b")))
    assert home.sealed == writer.counts.seals == 1
    home.fails = True
    with pytest.raises(StoreError, match="full"):
        Writer(home, lambda _state: False).start()


def test_refusals_are_counted() -> None:
    home = FakeHome()
    with writing(home) as writer:
        refused = Answered([Refused("no-balance")], ())
        writer._count([refused])
        assert (writer.counts.refused, writer.counts.accepted) == (1, 0)


def test_a_journal_that_fails_keeps_nobody_waiting() -> None:
    def tell(_error: Exception) -> None:
        raise OSError("the pipe is closed")

    home = FakeHome()
    writer = Writer(home, lambda _state: False, tell)
    writer.start()
    home.fails = True
    (failed,) = asyncio.run(gathered(writer_put(writer, b"a")))
    home.fails = False
    (answer,) = asyncio.run(gathered(writer_put(writer, b"b")))
    writer.stop()
    assert isinstance(failed, StoreError) and isinstance(answer, Answered)


def test_nobody_waits_for_a_writer_that_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(_jobs: Any) -> None:
        raise SystemExit

    home, told = FakeHome(), list[Exception]()
    writer = Writer(home, lambda _state: False, told.append)
    writer.start()
    monkeypatch.setattr(writer, "_write", end)
    first, *late = asyncio.run(gathered(*(writer_put(writer, b"%d" % number) for number in range(3))))
    (last,) = asyncio.run(gathered(writer_put(writer, b"late")))
    writer.stop()
    assert isinstance(first, StoreError) and isinstance(last, BusyError)
    assert all(isinstance(one, StoreError | BusyError) for one in late)
    assert "the writer has stopped" in writer.standing.trouble and home.is_closed and len(told) == 1


def test_what_was_not_committed_is_not_told() -> None:
    home = FakeHome()
    is_due = False
    with writing(home, lambda _state: is_due) as writer:
        home.fails = is_due = True
        home.state.size = 7
        asyncio.run(gathered(writer_put(writer, b"a")))
        assert writer.standing.size == 0 and writer.counts.seals == 0
