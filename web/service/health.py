"""How the node is, in plain words: for whoever runs it, and for what watches it.

Two lists are kept apart. *Troubles* keep this node from its own work, and make the answer 503: it cannot write, the
disk is full, the keys are wrong, the writer has stopped, its rounds fail for long. What is wrong with *neighbours*, a
silent village or one that forked, is for people to look after: the answer stays 200, and a watcher has a figure.
"""

import datetime
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from chain.fields import Time, format_time
from store.home import Home
from store.log import StoreError
from store.settings import NodeSettings
from sync.witness import FORK_FILES
from web.access.guard import Guard
from web.access.who import READ, Who
from web.i18n import language
from web.i18n import translate as _
from web.problem import Problem
from web.service.answers import json_answer, problems, text_answer
from web.service.ledgers import Ledgers
from web.service.metrics import METRICS_TYPE, Metrics
from web.service.models import HealthModel
from web.service.sealing import ALIVE_HOURS
from web.service.tending import Tender
from web.service.writer import Writer

DISK_LOW_BYTES = 1 << 29
SEAL_LATE = datetime.timedelta(minutes=5)
SECONDS_AN_HOUR, MINUTES_AN_HOUR = 3_600, 60
ALARMS = "SELECT count(*) FROM alarm WHERE seen=0"
SILENT = "SELECT count(*) FROM mirror WHERE sealed_seconds IS NULL OR sealed_seconds<?"
HELD = "SELECT count(*) FROM mirror WHERE state IN ('forked', 'rolled-back')"


@dataclass(frozen=True, slots=True)
class Watched:
    """What health looks at."""

    settings: NodeSettings
    home: Home
    ledgers: Ledgers
    writer: Writer
    tender: Tender | None
    clock: Callable[[], Time]


def health_router(watched: Watched, guard: Guard, metrics: Metrics) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/api/v1", tags=["health"])

    @router.get(
        "/health",
        summary="Health",
        response_model=HealthModel,
        responses=problems(401) | {503: {"description": "Something is wrong.", "model": HealthModel}},
    )
    async def health(request: Request) -> Response:
        """Whether the node can do its work: 200, or 503 with what is wrong. A stranger is told no more than that.

        What is wrong with the ledgers below or the nodes above stands in `neighbours`, and changes no status.
        """
        who = guard.who_if_any(request)
        troubles = list(find_troubles(watched))
        plain = _short(watched, troubles)
        if who is not None and READ in who.scopes and guard_allows(guard, who, watched.ledgers.origin):
            plain |= _long(watched, troubles)
        answer = json_answer(plain)
        answer.headers["Content-Language"] = language()
        answer.status_code = 503 if troubles else 200
        return answer

    @router.get(
        "/metrics",
        summary="Metrics",
        response_class=Response,
        responses={
            200: text_answer(METRICS_TYPE, "Figures in the form of Prometheus.", "huzhu_entries 120.0"),
            **problems(401, 403),
        },
    )
    async def figures(who: Annotated[Who, Depends(guard.needs(READ))]) -> Response:
        """For Prometheus, which sends a token of somebody who may see this ledger. Nobody's data is in it."""
        guard.check_ledger(who, watched.ledgers.origin)
        return Response(metrics.text(), media_type=METRICS_TYPE)

    _watch(watched, metrics)
    return router


def guard_allows(guard: Guard, who: Any, origin: str) -> bool:
    """Whether they may see this node's own ledger."""
    if who.must_choose:
        return False
    try:
        guard.check_ledger(who, origin)
    except Problem:
        return False
    return True


def find_troubles(watched: Watched) -> Iterator[str]:
    """What keeps this node from its own work, one sentence each."""
    standing, now = watched.writer.standing, watched.clock()
    if standing.trouble:
        yield _("the last batch could not be written: {trouble}").format(trouble=standing.trouble)
    yield from _seal_troubles(watched, now)
    free = disk_free_bytes(watched.home)
    if free < DISK_LOW_BYTES:
        yield _("the disk has only {megabytes} MB left").format(megabytes=free // 10**6)
    yield from _tend_troubles(watched, now)
    try:
        watched.ledgers.mirror()
    except StoreError as error:
        yield str(error)


def find_neighbours(watched: Watched) -> Iterator[str]:
    """What is wrong with the ledgers below and the nodes around, one sentence each: people have to ask there."""
    last = None if watched.tender is None else watched.tender.last
    if last is not None and last.failures:
        text = _("the last round of looking after neighbours could not do all ({count}): {first}")
        yield text.format(count=len(last.failures), first=last.failures[0])
    alarms, silent, held = (_figure(watched, sql) for sql in (ALARMS, SILENT, HELD))
    if alarms > 0:
        yield _("alarms that nobody has looked at: {count}; see `huzhu alarms`").format(count=alarms)
    if silent > 0:
        yield _("ledgers below that have been silent for too long: {count}").format(count=silent)
    if held > 0:
        yield _("ledgers below that show two histories or an older state: {count}; see `huzhu mirror list`").format(
            count=held
        )
    forks = sum(1 for _path in watched.home.evidence.glob(f"{FORK_FILES}*"))
    if forks:
        text = _(
            "forks that this witness has proven: {count}; see `huzhu check-fork`, then move the files out of {folder}"
        )
        yield text.format(count=forks, folder=watched.home.evidence.name)


def _seal_troubles(watched: Watched, now: Time) -> Iterator[str]:
    standing, serve = watched.writer.standing, watched.settings.serve
    if standing.sealed_at is None or not serve.seal_every_minutes:
        return
    every = serve.seal_every_minutes
    minutes = every if standing.unsealed else max(every, ALIVE_HOURS * MINUTES_AN_HOUR)
    age = now - standing.sealed_at
    if age > datetime.timedelta(minutes=minutes) + SEAL_LATE:
        yield _("the last seal is {hours} hours old").format(hours=int(age.total_seconds()) // SECONDS_AN_HOUR)
    if age < -SEAL_LATE:
        yield _("the last seal is ahead of this machine's clock: set the clock")


def _tend_troubles(watched: Watched, now: Time) -> Iterator[str]:
    tender, every = watched.tender, watched.settings.serve.tend_every_minutes
    if tender is None or tender.last is None:
        return
    late = datetime.timedelta(minutes=3 * every) + SEAL_LATE
    if tender.last.is_failed and now - (tender.last.failing_since or tender.last.ended) > late:
        yield _("the last round of looking after neighbours failed: run `huzhu tend` to see why")
    if now - tender.last.ended > late:
        yield _("neighbours have not been looked after since {time}").format(time=format_time(tender.last.ended))


def _figure(watched: Watched, sql: str) -> int:
    """How many of the mirror's rows ``sql`` counts; -1 where the mirror cannot be read."""
    since = int(watched.clock().timestamp()) - watched.settings.serve.silent_hours * SECONDS_AN_HOUR
    try:
        mirror = watched.ledgers.mirror()
        return 0 if mirror is None else int(mirror.value(sql, *([since] * sql.count("?"))) or 0)
    except StoreError:
        return -1


def disk_free_bytes(home: Home) -> int:
    """Room that is left for this process where the home lies."""
    found = os.statvfs(home.folder)
    return found.f_bavail * found.f_frsize


def _short(watched: Watched, troubles: list[str]) -> dict[str, Any]:
    standing = watched.writer.standing
    return {
        "ok": not troubles,
        "origin": watched.settings.origin,
        "size": standing.size,
        "sealed": None if standing.sealed_at is None else format_time(standing.sealed_at),
        "troubles": [],
        "neighbours": [],
    }


def _long(watched: Watched, troubles: list[str]) -> dict[str, Any]:
    last = None if watched.tender is None else watched.tender.last
    return {
        "troubles": troubles,
        "neighbours": list(find_neighbours(watched)),
        "unsealed": watched.writer.standing.unsealed,
        "waiting": watched.writer.waiting,
        "disk_free_bytes": disk_free_bytes(watched.home),
        "tended": None if last is None else format_time(last.ended),
    }


def _watch(watched: Watched, metrics: Metrics) -> None:
    writer, counts, home = watched.writer, watched.writer.counts, watched.home
    figures: dict[str, tuple[str, Callable[[], float]]] = {
        "huzhu_entries": ("Entries on the own ledger.", lambda: writer.standing.size),
        "huzhu_unsealed_entries": ("Entries since the last seal.", lambda: writer.standing.unsealed),
        "huzhu_waiting_statements": ("Statements that wait to be written.", lambda: writer.waiting),
        "huzhu_batches": ("Batches written.", lambda: counts.batches),
        "huzhu_batch_seconds": ("Seconds spent writing batches.", lambda: counts.seconds),
        "huzhu_batches_failed": ("Batches that could not be written.", lambda: counts.failed),
        "huzhu_statements_accepted": ("Statements accepted over the API.", lambda: counts.accepted),
        "huzhu_statements_refused": ("Statements refused over the API.", lambda: counts.refused),
        "huzhu_seals": ("Blocks closed by the service.", lambda: counts.seals),
        "huzhu_last_seal_seconds": ("When the last block was closed, POSIX seconds.", lambda: _sealed(writer)),
        "huzhu_disk_free_bytes": ("Room on the home's disk.", lambda: disk_free_bytes(home)),
        "huzhu_last_tend_status": ("Exit status of the last round; -1 before it.", lambda: _tended(watched)),
        "huzhu_alarms": ("Alarms that nobody has looked at.", lambda: _figure(watched, ALARMS)),
        "huzhu_silent_ledgers": ("Ledgers below that have not sealed for too long.", lambda: _figure(watched, SILENT)),
        "huzhu_held_ledgers": ("Ledgers below that forked or were rolled back.", lambda: _figure(watched, HELD)),
    }
    for name, (text, value) in figures.items():
        metrics.watch(name, text, value)


def _sealed(writer: Writer) -> float:
    sealed_at = writer.standing.sealed_at
    return 0.0 if sealed_at is None else sealed_at.timestamp()


def _tended(watched: Watched) -> float:
    return -1 if watched.tender is None or watched.tender.last is None else watched.tender.last.status

