"""PDFs for browsers, one at a time: each takes a second of a processor, and a few would keep everybody else waiting."""

from anyio import CapacityLimiter, to_thread

from web.printing import pdf_of
from web.service.writer import BusyError

WAITING_MAX = 8
_turn = CapacityLimiter(1)


async def pdf_in_turn(html: str) -> bytes:
    """The page as PDF; BusyError where too many wait for theirs, DeskError where this machine cannot make one."""
    if _turn.statistics().tasks_waiting >= WAITING_MAX:
        raise BusyError
    return await to_thread.run_sync(pdf_of, html, limiter=_turn)
