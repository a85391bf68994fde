"""The public list, as strangers ask for it: from memory, so that no flood of questions keeps the writer from writing.

The writer knows the list. It is asked again only when the ledger has grown, and then no more often than every
``LOOK_SECONDS``; all who ask meanwhile get what is known, with the size that it rests on.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from web.history import measures_in_force
from web.service.ledgers import Ledgers
from web.service.writer import BusyError, Writer, WritingNode

LISTED = "list"
LOOK_SECONDS = 5.0


class PublicList:
    """The list of this node's own ledger; used on one event loop."""

    def __init__(self, ledgers: Ledgers, writer: Writer, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledgers = ledgers
        self._writer = writer
        self._clock = clock
        self._turn = asyncio.Lock()
        self._found: dict[str, Any] | None = None
        self._asked_at = 0.0

    async def get(self) -> dict[str, Any]:
        """``size`` and ``listed``; BusyError where nothing is known yet and the writer has too much to do."""
        async with self._turn:
            if self._found is None or self._is_due(self._found["size"]):
                await self._ask()
            if self._found is None:
                raise BusyError
            return self._found

    def _is_due(self, size: int) -> bool:
        return self._clock() >= self._asked_at + LOOK_SECONDS and self._ledgers.own.entry_count() != size

    async def _ask(self) -> None:
        self._asked_at = self._clock()
        try:
            self._found = await self._writer.ask(public_list_of)
        except BusyError:
            if self._found is None:
                raise


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
