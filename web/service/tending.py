"""The service's clock for its neighbours: `huzhu tend` in a process of its own, never two at once.

A process, because pulling and auditing whole ledgers takes minutes of a core and memory of its own: what fails there
fails there, and answers go on.
"""

import asyncio
import datetime
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from chain.fields import UTC, Time
from store.settings import NodeSettings
from web.service.asking import end_program, read_bounded, start_program

SECONDS_A_MINUTE = 60
ROUND_SECONDS = 6 * 3_600.0
"""A round that takes longer hangs."""
END_SECONDS = 20.0
OUTPUT_MAX_BYTES = 1_048_576
FAILURES_MAX, FAILURE_MAX_CHARACTERS = 20, 300


class _Done(msgspec.Struct):
    """What a round did in one place; of other fields nothing is needed here."""

    failure: str = ""


_decode = msgspec.json.Decoder(dict[str, list[_Done]]).decode


@dataclass(frozen=True, slots=True)
class Round:
    """How the last round ended: 0 well, 1 something is wrong with a neighbour's data, others not at all."""

    ended: Time
    status: int
    seconds: float
    failures: Sequence[str] = ()
    """What could not be done, each behind the name of its duty."""
    failing_since: Time | None = None
    """When the first of the rounds ended that failed without a good one between; None where this one is good."""

    @property
    def is_failed(self) -> bool:
        """Whether it could not be done at all."""
        return self.status not in (0, 1)


class Tender:
    """Runs rounds on one event loop."""

    def __init__(
        self,
        words: Sequence[str],
        variables: Mapping[str, str],
        every_minutes: float,
        on_round: Callable[[Round], None],
    ) -> None:
        """``words`` is the command with its arguments, ``variables`` what it finds in its environment."""
        self._words = words
        self._variables = dict(variables)
        self._every_seconds = every_minutes * SECONDS_A_MINUTE
        self._on_round = on_round
        self._task: asyncio.Task[None] | None = None
        self.last: Round | None = None

    def start(self) -> None:
        """Begin with a first round now."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End the round that runs."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            started = time.monotonic()
            status, failures = await self._round()
            ended = datetime.datetime.now(UTC).replace(microsecond=0)
            done = Round(ended, status, time.monotonic() - started, failures)
            before = None if self.last is None else self.last.failing_since
            self.last = replace(done, failing_since=before or ended) if done.is_failed else done
            self._on_round(self.last)
            await asyncio.sleep(max(0.0, self._every_seconds - self.last.seconds))

    async def _round(self) -> tuple[int, list[str]]:
        process = await start_program(self._words, self._variables)
        try:
            async with asyncio.timeout(ROUND_SECONDS):
                printed = await read_bounded(process, OUTPUT_MAX_BYTES)
                return await process.wait(), failures_in(printed or b"")
        except TimeoutError:
            return -1, []
        finally:
            await end_program(process, END_SECONDS)


def failures_in(printed: bytes) -> list[str]:
    """What ``huzhu tend --json`` could not do: by duty, what it did, and where it could not ``failure`` says why."""
    try:
        duties = _decode(printed)
    except msgspec.DecodeError:
        return []
    told = [(duty, each.failure) for duty, done in duties.items() for each in done if each.failure]
    found = [f"{duty}: {failure[:FAILURE_MAX_CHARACTERS]}" for duty, failure in told]
    return found[:FAILURES_MAX]


def has_neighbours(settings: NodeSettings) -> bool:
    """Whether there is anybody to look after."""
    return bool(settings.parents or settings.children or settings.trust)
