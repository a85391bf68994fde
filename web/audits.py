"""Audits many ledgers: here, by processes of this machine, or by a Dask cluster, and says the same whichever way.

Few large ledgers are cut into chunks that workers check; of many, each is a task of its own, which opens the ledger
where it lies. Each goes on from what its last audit left.
"""

import functools
import importlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from gettext import gettext as _
from typing import TYPE_CHECKING, Any

from web.problems import DeskError

if TYPE_CHECKING:
    from verify.audit import Trust
    from verify.resume import Resumed
    from web.targets import Place

TASKS_AHEAD_PER_WORKER = 2
CLUSTER_SECONDS = 15
"""How long a cluster's scheduler is waited for."""

OnProgress = Callable[[int, int], None]


class Pool:
    """Workers, and how many."""

    def __init__(self, executor: Executor | None, workers: int) -> None:
        self.executor = executor
        self.workers = workers


def audit_places(
    places: "Sequence[Place]", frozen: "Callable[[Place], bytes]", trust: "Trust", pool: Pool, show: OnProgress
) -> "Iterator[Resumed]":
    """Audit each ledger, from what ``frozen`` gives of it; in order."""
    total = sum(place.size for place in places)
    if pool.executor is not None and _are_tasks(places, pool.workers):
        yield from _by_tasks(places, frozen, trust, pool.executor, pool.workers, show)
        return
    done = 0
    for place in places:
        yield _audit_here(place, frozen(place), trust, pool, functools.partial(_show, show, done, total))
        done += place.size
        show(done, total)


def _are_tasks(places: "Sequence[Place]", workers: int) -> bool:
    """Whether there are enough ledgers of about one size to keep the workers busy with one each."""
    sizes = [place.size for place in places]
    return len(sizes) > 1 and max(sizes) * workers <= sum(sizes)


def _audit_here(
    place: "Place", raw: bytes, trust: "Trust", pool: Pool, on_progress: Callable[[int], None]
) -> "Resumed":
    from verify.resume import audit_on

    with place.opened() as source:
        return audit_on(source, raw, trust, pool.executor, pool.workers, on_progress)


def _show(show: OnProgress, done: int, total: int, size: int) -> None:
    show(done + size, total)


def audit_there(place: "Place", raw: bytes, trust: "Trust") -> "Resumed":
    """Audit one ledger in a worker, which opens it itself."""
    from verify.resume import audit_on

    with place.opened() as source:
        return audit_on(source, raw, trust)


def _by_tasks(
    places: "Sequence[Place]",
    frozen: "Callable[[Place], bytes]",
    trust: "Trust",
    executor: Executor,
    workers: int,
    show: OnProgress,
) -> "Iterator[Resumed]":
    total, done = sum(place.size for place in places), 0
    under_way: deque[tuple[Place, Future[Resumed]]] = deque()
    for place in [*places, None]:
        if place is not None:
            under_way.append((place, executor.submit(audit_there, place, frozen(place), trust)))
        while under_way and (place is None or len(under_way) > TASKS_AHEAD_PER_WORKER * workers):
            first, future = under_way.popleft()
            yield future.result()
            done += first.size
            show(done, total)


@contextmanager
def cluster(address: str) -> Iterator[Pool]:
    """The workers of a Dask cluster, by its scheduler's address (``tcp://host:port``)."""
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        text = _("--cluster needs the package distributed: install huzhu with the extra `cluster`")
        raise DeskError(text) from None
    try:
        client = distributed.Client(address, timeout=CLUSTER_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        text = _("{address} is no Dask scheduler that can be reached ({why}); it is given as tcp://host:port")
        raise DeskError(text.format(address=address, why=str(error)[:200] or type(error).__name__)) from error
    with client:
        count = sum(client.nthreads().values())
        if not count:
            raise DeskError(_("the cluster at {address} has no workers").format(address=address))
        try:
            yield Pool(client.get_executor(), count)
        except (distributed.KilledWorker, CancelledError, ConnectionError) as error:
            text = _("the cluster at {address} failed: {why}")
            raise DeskError(text.format(address=address, why=str(error)[:200] or type(error).__name__)) from error
