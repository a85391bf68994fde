"""The queue before the hashing of passwords: who may wait in it, so that no flood takes it from everybody.

    queue = HashQueue()
    with queue.place(tried):                       # Problem 503 where there is none
        await queue.run(work)                      # in a thread, two at a time

Few wait from one place (a known browser, or a network), and the last places are for browsers in which their owners
signed in before. A try takes a place only after it was counted and let through (``Login.begin``): what is told to wait
(429) never stands here. Used in the event loop's thread alone.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from web.access.login import Tried
from web.i18n import translate as _
from web.problem import Problem

HASHES_AT_ONCE = 2
PLACES = 32
"""So many are hashed or wait for it."""
KNOWN_PLACES = 8
"""Of them only for browsers that are known."""
PLACES_OF_ONE = 4
"""From one place."""
ASKED_AT_ONCE = 4
ASKING_MAX = 256
"""So many wait to be counted: that takes a disk's moment each."""
BUSY_SECONDS = 5

T = TypeVar("T")


class HashQueue:
    """Two limits: of those who are counted, and of those whose password is hashed."""

    def __init__(self) -> None:
        self._asking, self._hashing = CapacityLimiter(ASKED_AT_ONCE), CapacityLimiter(HASHES_AT_ONCE)
        self._taken: Counter[bytes] = Counter()

    async def ask(self, work: Callable[[], T]) -> T:
        """Work for the disk alone, in a thread; Problem 503 where too many wait for that already."""
        if self._asking.statistics().tasks_waiting >= ASKING_MAX:
            raise _busy()
        return await to_thread.run_sync(work, limiter=self._asking)

    async def run(self, work: Callable[[], T]) -> T:
        """Work that hashes a password, in a thread."""
        return await to_thread.run_sync(work, limiter=self._hashing)

    @contextmanager
    def place(self, tried: Tried) -> Iterator[None]:
        """A place for one try, until the block ends; Problem 503 where there is none."""
        most = PLACES if tried.is_known else PLACES - KNOWN_PLACES
        if self._taken.total() >= most or self._taken[tried.place] >= PLACES_OF_ONE:
            raise _busy()
        self._taken[tried.place] += 1
        try:
            yield
        finally:
            self._taken[tried.place] -= 1
            if not self._taken[tried.place]:
                del self._taken[tried.place]


def _busy() -> Problem:
    text = _("too many people sign in at once: try again in {seconds} seconds").format(seconds=BUSY_SECONDS)
    return Problem(503, "busy", _("too busy"), text, headers={"Retry-After": str(BUSY_SECONDS)})
