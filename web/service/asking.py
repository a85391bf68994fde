"""Questions that need the whole ledger: this program itself is asked, in a process of its own, once for each size.

The commands are those that a person would type (`huzhu verify --json`, `huzhu report --format json`), so that the API
says what the audit says. One at a time; answers are kept until the ledger has grown.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import msgspec

from web.i18n import translate as _
from web.problem import Problem

ANSWER_MAX_BYTES = 64 * 1_048_576
ANSWER_SECONDS = 600.0
END_SECONDS = 10.0
WAITING_MAX = 16
KEPT_ANSWERS = 16
WITH_ANSWER = (0, 1)
"""Done; done, and something is wrong with the data."""
REFUSED = 2


class Asker:
    """Runs the questions of one event loop."""

    def __init__(self, program: Sequence[str]) -> None:
        """``program`` is what runs ``huzhu``: the words before a command's name."""
        self._program = program
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._kept: OrderedDict[tuple[object, ...], Any] = OrderedDict()

    async def ask(self, words: Sequence[str], version: object, refusal: Problem | None = None) -> Any:
        """The JSON that a command prints; the same ``version`` is answered the same. Problem 503 where it cannot.

        ``refusal`` is raised where the command says that it was asked something that has no answer.
        """
        key = (*words, version)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if self._waiting >= WAITING_MAX:
            raise _later(_("too many such questions wait"))
        self._waiting += 1
        try:
            async with self._turn:
                if key not in self._kept:
                    self._kept[key] = await self._run(words, refusal)
                while len(self._kept) > KEPT_ANSWERS:
                    self._kept.popitem(last=False)
                return self._kept[key]
        finally:
            self._waiting -= 1

    async def _run(self, words: Sequence[str], refusal: Problem | None) -> Any:
        process = await start_program([*self._program, *words], {})
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                raw = await read_bounded(process, ANSWER_MAX_BYTES)
                status = await process.wait()
        except TimeoutError:
            raise _later(_("the answer takes too long")) from None
        finally:
            await end_program(process, END_SECONDS)
        if status == REFUSED and refusal is not None:
            raise refusal
        if status not in WITH_ANSWER or raw is None:
            raise _later(_("the answer cannot be computed: see the node's health"))
        return msgspec.json.decode(raw)


async def start_program(words: Sequence[str], variables: dict[str, str]) -> asyncio.subprocess.Process:
    """Start a command without a terminal; what it complains of is read by nobody."""
    return await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **variables},
        start_new_session=True,
    )


async def read_bounded(process: asyncio.subprocess.Process, most: int) -> bytes | None:
    """All that it prints; None where that is more than ``most`` bytes."""
    raw = bytearray()
    while process.stdout is not None and (part := await process.stdout.read(1 << 16)):
        raw += part
        if len(raw) > most:
            return None
    return bytes(raw)


async def end_program(process: asyncio.subprocess.Process, seconds: float) -> None:
    """End a command of ``start_program`` that still runs, kindly first; then by force, with all that it began."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(seconds):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def own_program() -> list[str]:
    """How this program is called again: by this interpreter, and nothing of the current folder."""
    return [sys.executable, "-P", "-m", "cli"]


def _later(why: str) -> Problem:
    return Problem(503, "busy", _("too busy"), why, headers={"Retry-After": "60"})
