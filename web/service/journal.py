"""What a running node says of itself: one JSON object a line, an event's name and key-value pairs.

Never in it: secrets, tokens, account numbers, people's data, addresses with their queries. A path stands as its
route's pattern.

Strangers can cause lines, as by bytes that are no request. Of each kind only so many are written (``LINES_AT_ONCE``,
then ``LINES_A_MINUTE``); the event ``left-out`` says of which kind how many were not.
"""

import contextlib
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import msgspec

_encode = msgspec.json.Encoder().encode


LINES_AT_ONCE, LINES_A_MINUTE = 64, 12
"""Of each kind; in a day of attack no more than some 2 MB."""
KINDS_MAX = 64
"""So many kinds are told apart; all others are one."""
OTHERS = "others"
LEFT_OUT = "left-out"
SECONDS_A_MINUTE = 60.0

Value = str | int | float | bool | None


@dataclass(slots=True)
class _Bucket:
    """How many lines of one kind may still be written at ``filled_at``, and how many were not."""

    lines: float
    filled_at: float
    left_out: int = 0
    told_at: float = -SECONDS_A_MINUTE

    def fill(self, now: float) -> None:
        came = (now - self.filled_at) * LINES_A_MINUTE / SECONDS_A_MINUTE
        self.lines, self.filled_at = min(LINES_AT_ONCE, self.lines + came), now


class Journal:
    """Writes events to a stream; may be used from any thread."""

    def __init__(self, stream: TextIO = sys.stderr, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def event(self, name: str, **pairs: Value) -> None:
        """One line, where it can be written: a full disk or a closed pipe keeps nobody from his work.

        Its kind is its name, and its ``text`` where it has one.
        """
        with self._lock:
            if not self._may_write(f"{name} {pairs.get('text', '')}".rstrip()):
                return
            self._tell_left_out()
            self._write(name, pairs)

    def _tell_left_out(self) -> None:
        """What was not written, of each kind at most once a minute."""
        now = self._clock()
        for kind, bucket in self._buckets.items():
            if bucket.left_out and now >= bucket.told_at + SECONDS_A_MINUTE:
                self._write(LEFT_OUT, {"of": kind, "lines": bucket.left_out})
                bucket.left_out, bucket.told_at = 0, now

    def _may_write(self, kind: str) -> bool:
        """Take one line of that kind from what there may be; where there is none it is counted."""
        now = self._clock()
        if kind not in self._buckets and len(self._buckets) >= KINDS_MAX:
            kind = OTHERS
        bucket = self._buckets.setdefault(kind, _Bucket(LINES_AT_ONCE, now))
        bucket.fill(now)
        if bucket.lines < 1:
            bucket.left_out += 1
            return False
        bucket.lines -= 1
        return True

    def _write(self, name: str, pairs: dict[str, Value]) -> None:
        line = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "event": name} | pairs
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(_encode(line).decode() + "\n")
            self._stream.flush()

    def bug(self, error: BaseException, where: str) -> None:
        """Something that must not happen: what, and in which lines. Its text may quote anything, and stays away."""
        steps = traceback.extract_tb(error.__traceback__)[-8:]
        lines = " ".join(f"{Path(step.filename).name}:{step.lineno}" for step in steps)
        self.event("bug", error=type(error).__name__, where=where, lines=lines)


class ServerLog(logging.Handler):
    """What uvicorn has to say, of warnings and worse: the message's pattern, without what is filled in."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(logging.WARNING)
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self._journal.bug(error, "server")
        else:
            self._journal.event("server", level=record.levelname.lower(), text=str(record.msg).split("\n")[0])


def listen_to_server(journal: Journal) -> None:
    """Have uvicorn and asyncio speak through the journal."""
    for name in ("uvicorn", "uvicorn.error", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers = [ServerLog(journal)]
        logger.propagate = False
