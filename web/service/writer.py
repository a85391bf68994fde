"""The one writer of a running node: many small sheets share one lock, one judgement in order, and one disk sync.

    writer = Writer(shared_home, seal_rule)
    writer.start()                                   # raises what opening the home raises
    answered = await writer.submit(sheet, promises=True)
    balance = await writer.ask(lambda node: node.balance_receipt("12345676"))
    writer.stop()                                    # finishes what waits

Requests put their sheets into a queue; a thread takes all that wait, holds the home's lock for as long as the batch
takes, and answers after the commit. *Accepted means on disk*: where the commit fails, everybody in the batch is told.
A question that breaks off with StoreError takes nothing of the others with it: they are written without it.
Between batches the command line may write; the node takes that up with the next one. Should the thread end by itself,
nobody waits for it any more, and the node's health says so.
"""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from gettext import gettext as _
from itertools import groupby
from typing import Any, Protocol, TypeVar

from chain.fields import Time
from chain.sheet import SignedSheet
from ledger.state import Admission, State
from store.answers import Accepted, Result
from store.log import StoreError
from web.desk import DeskNode

QUEUE_MAX_STATEMENTS = 65_536
"""More must wait outside: what is queued is held in memory, and somebody waits for it."""
BATCH_MAX_STATEMENTS = 4_096
"""About a tenth of a second of work: nobody waits longer for the answer because others came along."""
LOCK_TICK_SECONDS, LOCK_WAIT_SECONDS = 0.005, 20.0
LOOK_SECONDS = 10.0
"""How often the writer looks at the home by itself: whether a seal is due, and what others wrote."""
T = TypeVar("T")


class WritingNode(DeskNode, Protocol):
    """What a batch is written with."""

    def submit_all(self, sheets: Sequence[SignedSheet], *, durable: bool = True) -> list[list[Result]]: ...
    def promiser(self) -> "Promiser": ...


class SharedHome(Protocol):
    """``node.SharedNode``: the node of a home that others write too."""

    def batch(self, waits: Callable[[], Iterable[object]] = ...) -> AbstractContextManager[WritingNode]: ...
    def close(self) -> None: ...


Promiser = Callable[[int, bytes], bytes]
SealRule = Callable[[State], bool]
"""Whether the open block is to be closed now."""


class BusyError(Exception):
    """The queue is full, or the node is going down."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a sheet: one result for each statement, and a promise for each that was accepted."""

    results: Sequence[Result]
    promises: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Standing:
    """How the own ledger stood after the last batch."""

    size: int = 0
    height: int = 0
    unsealed: int = 0
    sealed_at: Time | None = None
    tier: str = ""
    admitted: Mapping[str, Admission] = field(default_factory=dict)
    """The ledgers of the tier below, by origin."""
    trouble: str = ""
    """Why the last batch could not be written; empty where it could."""
    has_authority: bool = True
    """Whether genesis names authorities; where it names none, members act in their place (RULES §1)."""
    utc_offset: timedelta = timedelta()
    """Of the village's clocks."""


@dataclass(slots=True)
class _Job:
    """A sheet that waits, or a question; ``future`` belongs to ``loop``."""

    future: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop
    sheet: SignedSheet | None = None
    promises: bool = False
    question: Callable[[WritingNode], Any] | None = None

    @property
    def statements(self) -> int:
        return 0 if self.sheet is None else len(self.sheet.statements)


@dataclass(slots=True)
class Counts:
    """What the writer has done since it began."""

    batches: int = 0
    sheets: int = 0
    accepted: int = 0
    refused: int = 0
    seals: int = 0
    failed: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class _Queue:
    """What waits, guarded by ``changed``."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    jobs: deque[_Job] = field(default_factory=deque)
    statements: int = 0
    is_closing: bool = False


class Writer:
    """Runs the writing thread. ``submit`` and ``ask`` are called from an event loop."""

    def __init__(
        self,
        home: SharedHome,
        seal_due: SealRule,
        on_failure: Callable[[Exception], None] = lambda _error: None,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._home = home
        self._seal_due = seal_due
        self._on_failure = on_failure
        self._look_seconds = look_seconds
        self._queue = _Queue()
        self._thread: threading.Thread | None = None
        self._signing = ThreadPoolExecutor(1, "huzhu-promises")
        self._begun = threading.Event()
        self._begin_error: Exception | None = None
        self.counts = Counts()
        self.standing = Standing()

    def start(self) -> None:
        """Open the home and go on; raises what keeps it from opening."""
        self._thread = threading.Thread(target=self._run, name="huzhu-writer")
        self._thread.start()
        self._begun.wait()
        if self._begin_error is not None:
            self._thread.join()
            raise self._begin_error

    def stop(self) -> None:
        """Take nothing more, finish what waits, and close the home."""
        with self._queue.changed:
            self._queue.is_closing = True
            self._queue.changed.notify()
        if self._thread is not None:
            self._thread.join()

    @property
    def waiting(self) -> int:
        """How many statements wait."""
        return self._queue.statements

    async def submit(self, sheet: SignedSheet, promises: bool) -> Answered:
        """What became of a sheet, once it is on disk; BusyError where too much waits, StoreError from the disk."""
        loop = asyncio.get_running_loop()
        answered: Answered = await self._put(_Job(loop.create_future(), loop, sheet, promises))
        return answered

    async def ask(self, question: Callable[[WritingNode], T]) -> T:
        """What the node says to a question, up to date and with what waited before it; raises what that raises."""
        loop = asyncio.get_running_loop()
        answer: T = await self._put(_Job(loop.create_future(), loop, question=question))
        return answer

    def _put(self, job: _Job) -> "asyncio.Future[Any]":
        queue = self._queue
        with queue.changed:
            is_full = queue.statements + job.statements > QUEUE_MAX_STATEMENTS
            if queue.is_closing or is_full or len(queue.jobs) >= QUEUE_MAX_STATEMENTS:
                raise BusyError
            queue.jobs.append(job)
            queue.statements += job.statements
            if len(queue.jobs) == 1:
                queue.changed.notify()
        return job.future

    # The thread

    def _run(self) -> None:
        try:
            with self._home.batch(self._waits) as node:
                self._look(node)
        except Exception as error:
            self._begin_error = error
            self._begun.set()
            self._close()
            return
        self._begun.set()
        jobs: list[_Job] | None = []
        try:
            while (jobs := self._take()) is not None:
                self._write_safely(jobs)
        except BaseException as error:  # the thread ends: who waits must hear of it
            self._give_up(jobs or [], error)
        finally:
            self._close()

    def _close(self) -> None:
        self._signing.shutdown()
        self._home.close()

    def _write_safely(self, jobs: Sequence[_Job]) -> None:
        """Whatever fails, who waits is answered and the next batch is written."""
        try:
            self._write(jobs)
        except Exception as error:
            self._fail(jobs, error)

    def _give_up(self, jobs: Sequence[_Job], error: BaseException) -> None:
        """Take nothing more, and answer all: those of the last batch, and those that never came into one."""
        text = _("the writer has stopped; start the service again")
        with self._queue.changed:
            self._queue.is_closing = True
            waiting = list(self._queue.jobs)
            self._queue.jobs.clear()
            self._queue.statements = 0
        self.standing = replace(self.standing, trouble=text)
        _settle(jobs, [StoreError(text)] * len(jobs))
        _settle(waiting, [BusyError()] * len(waiting))
        with contextlib.suppress(Exception):
            self._on_failure(error if isinstance(error, Exception) else RuntimeError(text))

    def _take(self) -> list[_Job] | None:
        """All that waits, up to a batch; nothing after a while without any; None at the end."""
        queue, jobs, statements = self._queue, [], 0
        with queue.changed:
            if not queue.jobs and not queue.is_closing:
                queue.changed.wait(self._look_seconds)
            if not queue.jobs and queue.is_closing:
                return None
            while queue.jobs and statements < BATCH_MAX_STATEMENTS:
                job = queue.jobs.popleft()
                jobs.append(job)
                statements += job.statements
            queue.statements -= statements
        return jobs

    def _write(self, jobs: Sequence[_Job]) -> bool:
        """Write one batch and answer it; False where nothing can be written.

        What only one job breaks is found by taking them one by one.
        """
        started = time.perf_counter()
        try:
            answers = self._batch(jobs)
        except _EndedError as ended:
            return self._write_apart(jobs) if len(jobs) > 1 else self._refuse(ended)
        except StoreError as error:
            self._fail(jobs, error)
            return False
        except Exception as error:
            if len(jobs) > 1:
                return self._write_parts([[job] for job in jobs])
            self._fail(jobs, error)
            return True
        self.counts.batches += 1
        self.counts.seconds += time.perf_counter() - started
        _settle(jobs, answers)
        return True

    def _write_apart(self, jobs: Sequence[_Job]) -> bool:
        """A question has ended the batch: first all sheets without any question, then the questions one by one."""
        sheets = [job for job in jobs if job.sheet is not None]
        return self._write_parts(([sheets] if sheets else []) + [[job] for job in jobs if job.sheet is None])

    def _write_parts(self, parts: Sequence[Sequence[_Job]]) -> bool:
        """Where nothing can be written any more nobody waits for it again and again."""
        for number, part in enumerate(parts):
            if not self._write(part):
                left = [job for later in parts[number + 1 :] for job in later]
                _settle(left, [StoreError(self.standing.trouble)] * len(left))
                return False
        return True

    def _batch(self, jobs: Sequence[_Job]) -> Sequence[Any]:
        """What each job came to, all of it on disk; its promises are signed while the disk is at work."""
        answers: list[Any] = []
        with self._home.batch(self._waits) as node:
            for is_question, together in groupby(jobs, lambda job: job.sheet is None):
                waiting = list(together)
                answers += [_answer(node, job) for job in waiting] if is_question else _submit(node, waiting)
            promiser = node.promiser() if any(job.promises for job in jobs) else None
            is_sealed = self._seal_due(node.state)
            if is_sealed:
                node.seal(durable=False)
            signed = self._signing.submit(_promised_all, jobs, answers, promiser)
        self.counts.seals += is_sealed
        self._look(node)
        self._count([answer for answer in answers if isinstance(answer, Answered)])
        return signed.result()

    def _count(self, answers: Sequence[Answered]) -> None:
        accepted = sum(isinstance(one, Accepted) for answer in answers for one in answer.results)
        self.counts.sheets += len(answers)
        self.counts.accepted += accepted
        self.counts.refused += sum(len(answer.results) for answer in answers) - accepted

    def _look(self, node: WritingNode) -> None:
        state = node.state
        self.standing = Standing(
            state.size,
            state.height,
            state.block_entries,
            state.sealed_at,
            state.tier,
            dict(state.admitted),
            has_authority=state.has_authority,
            utc_offset=state.utc_offset,
        )

    def _fail(self, jobs: Sequence[_Job], error: Exception) -> None:
        """Nothing could be written: this node's health says so until something can."""
        self.standing = replace(self.standing, trouble=str(error) or type(error).__name__)
        self._tell(jobs, error)

    def _refuse(self, ended: "_EndedError") -> bool:
        """A question broke off: a trouble of this node where a file failed it, and nobody else's in its batch."""
        tell = self._fail if is_of_medium(ended.error) else self._tell
        tell([ended.job], ended.error)
        return True

    def _tell(self, jobs: Sequence[_Job], error: Exception) -> None:
        self.counts.failed += 1
        _settle(jobs, [error] * len(jobs))
        with contextlib.suppress(Exception):
            self._on_failure(error)

    def _waits(self) -> Iterator[None]:
        """As long as another process may hold the home: those who wait here are told to come again."""
        for _tick in range(int(LOCK_WAIT_SECONDS / LOCK_TICK_SECONDS)):
            time.sleep(LOCK_TICK_SECONDS)
            yield


class _Raised:
    """What a question raised: the batch around it goes on."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class _EndedError(Exception):
    """A question has ended its batch: nothing that it wrote may be kept."""

    def __init__(self, job: _Job, error: StoreError) -> None:
        super().__init__(str(error))
        self.job = job
        self.error = error


def is_of_medium(error: BaseException) -> bool:
    """Whether a disk or a file failed, and not only what somebody asked for: by what the error came from."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError | sqlite3.Error):
            return True
        cause = cause.__cause__
    return False


def _submit(node: WritingNode, jobs: Sequence[_Job]) -> list[Answered]:
    sheets = [job.sheet for job in jobs if job.sheet is not None]
    return [Answered(results, ()) for results in node.submit_all(sheets, durable=False)]


def _answer(node: WritingNode, job: _Job) -> Any:
    """The answer to a question; only StoreError ends the batch: what the question wrote is not certain then."""
    try:
        return None if job.question is None else job.question(node)
    except StoreError as error:
        raise _EndedError(job, error) from error
    except Exception as error:
        return _Raised(error)


def _promised_all(jobs: Sequence[_Job], answers: Sequence[Any], promiser: Promiser | None) -> Sequence[Any]:
    """The answers with the promises that were asked for. Nobody is given one before the batch is on disk."""
    return [_promised(*pair, promiser) for pair in zip(jobs, answers, strict=True)] if promiser else answers


def _promised(job: _Job, answer: Any, promiser: Promiser) -> Any:
    if not job.promises:
        return answer
    accepted = [one for one in answer.results if isinstance(one, Accepted)]
    try:
        return Answered(answer.results, [promiser(one.index, one.leaf_hash) for one in accepted])
    except Exception as error:
        return error


def _settle(jobs: Sequence[_Job], answers: Sequence[Any]) -> None:
    """Wake up who waits, each loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for job, answer in zip(jobs, answers, strict=True):
        by_loop.setdefault(job.loop, []).append((job.future, answer))
    for loop, pairs in by_loop.items():
        with contextlib.suppress(RuntimeError):  # a loop that was closed: nobody waits there
            loop.call_soon_threadsafe(_set_all, pairs)


def _set_all(pairs: Sequence[tuple["asyncio.Future[Any]", Any]]) -> None:
    for future, answer in pairs:
        if future.done():
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        elif isinstance(answer, _Raised):
            future.set_exception(answer.error)
        else:
            future.set_result(answer)
