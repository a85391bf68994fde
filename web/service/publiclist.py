"""The public list, as strangers ask for it: from memory, so that no flood of questions keeps the writer from writing.

The writer knows the list. It is asked again only when the ledger has grown, and then no more often than every
``LOOK_SECONDS``, one question at a time. All who ask meanwhile get what is known, with the size that it rests on: at
once where the writer cannot answer or takes long, as while another process holds the home.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from store.log import StoreError
from web.history import measures_in_force
from web.service.ledgers import Ledgers
from web.service.writer import BusyError, Writer, WritingNode

LISTED = "list"
LOOK_SECONDS = 5.0
FRESH_SECONDS = 0.5
"""So long after the writer was asked its answer is waited for, where an older one is known."""


class PublicList:
    """The list of this node's own ledger; used on one event loop."""

    def __init__(self, ledgers: Ledgers, writer: Writer, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledgers = ledgers
        self._writer = writer
        self._clock = clock
        self._asking: asyncio.Task[Exception | None] | None = None
        self._until = 0.0
        self._found: dict[str, Any] | None = None
        self._asked_at = 0.0

    async def get(self) -> dict[str, Any]:
        """``size`` and ``listed``; BusyError or StoreError where nothing is known yet and the writer cannot say."""
        if self._asking is None and (self._found is None or self._is_due(self._found["size"])):
            self._asked_at = self._clock()
            self._until = asyncio.get_running_loop().time() + FRESH_SECONDS
            self._asking = asyncio.create_task(self._ask())
        if self._asking is None:
            return self._known()
        left = None if self._found is None else max(0.0, self._until - asyncio.get_running_loop().time())
        done, _waiting = await asyncio.wait({self._asking}, timeout=left)
        return self._known(*(task.result() for task in done))

    def _known(self, error: Exception | None = None) -> dict[str, Any]:
        """What is known; else why nothing is. What no busy writer and no failing disk explains is told in any case."""
        if error is not None and not (self._found and isinstance(error, BusyError | StoreError)):
            raise error
        return self._found or {}

    def _is_due(self, size: int) -> bool:
        try:
            return self._clock() >= self._asked_at + LOOK_SECONDS and self._ledgers.own.entry_count() != size
        except StoreError:
            return False

    async def _ask(self) -> Exception | None:
        """Ask the writer; why it did not answer, or nothing."""
        try:
            self._found = await self._writer.ask(public_list_of)
        except Exception as error:
            return error
        else:
            return None
        finally:
            self._asking = None


def public_list_of(node: WritingNode) -> dict[str, Any]:
    """Who stands on the list, and as of how many entries."""
    listed = [
        {
            "account": each.account,
            "why": each.suspicion,
            "since": each.date,
            "until": None if each.until is None else each.until.isoformat(),
            "note": each.note,
        }
        for each in measures_in_force(node)
        if each.measure == LISTED
    ]
    return {"size": node.state.size, "listed": listed}
