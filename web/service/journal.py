"""What a running node says of itself: one JSON object a line, an event's name and key-value pairs.

Never in it: secrets, tokens, account numbers, people's data, addresses with their queries. A path stands as its
route's pattern.
"""

import contextlib
import logging
import sys
import time
import traceback
from pathlib import Path
from typing import TextIO

import msgspec

_encode = msgspec.json.Encoder().encode


class Journal:
    """Writes events to a stream; may be used from any thread."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream

    def event(self, name: str, **pairs: str | int | float | bool | None) -> None:
        """One line, where it can be written: a full disk or a closed pipe keeps nobody from his work."""
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
