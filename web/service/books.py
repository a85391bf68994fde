"""The ledger as a whole, over the API: blocks, suspicions, supply and demand, funds, and the public list."""

import datetime
from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from chain.block import SEAL
from chain.encoding import format_base64
from chain.errors import EntryError
from chain.fields import format_time
from ledger.figures import Period, format_span, parse_span
from ledger.kinds import CODEC
from ledger.numbers import fund_number
from store.home import Home
from store.reading import KeptLedger
from web.access.guard import Guard
from web.access.who import READ, Who
from web.i18n import translate as _
from web.problem import Problem
from web.service.answers import (
    PAGE_ROWS,
    AfterQuery,
    LedgerQuery,
    LimitQuery,
    json_answer,
    problems,
)
from web.service.asking import Asker
from web.service.ledgers import Ledgers
from web.service.models import BlocksPage, FundsModel, PublicListModel, SupplyDemandModel, SuspicionsModel
from web.service.publiclist import PublicList
from web.service.writer import Writer, WritingNode

PERIOD_MAX_CHARACTERS = 16
LIST_CACHE = {"Cache-Control": "public, max-age=60"}

PeriodQuery = Annotated[
    str | None,
    Query(
        description="A month 2026-10, a year 2026, a quarter 2026-Q3, or 2026-01..2026-06; absent: this year.",
        max_length=PERIOD_MAX_CHARACTERS,
        examples=["2026"],
    ),
]


def book_router(home: Home, ledgers: Ledgers, writer: Writer, guard: Guard, asker: Asker) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/api/v1", tags=["ledger"])
    reader = Depends(guard.needs(READ))
    listed = PublicList(ledgers, writer)

    @router.get("/blocks", summary="Blocks", response_model=BlocksPage, responses=problems(400, 401, 403, 404))
    async def blocks(
        who: Annotated[Who, reader],
        ledger: LedgerQuery = None,
        after: AfterQuery = None,
        limit: LimitQuery = PAGE_ROWS,
    ) -> Response:
        """The sealed blocks with their checkpoints, the oldest first."""
        guard.check_ledger(who, ledger or ledgers.origin)
        kept = ledgers.get(ledger)
        notes = kept.checkpoints(after or 0, limit)
        found = [plain for size, note in notes if (plain := _block(kept, size, note)) is not None]
        following = notes[-1][0] if len(notes) == limit else None
        return json_answer({"ledger": kept.origin, "blocks": found, "next": following})

    @router.get("/suspicions", summary="Suspicions", response_model=SuspicionsModel, responses=problems(401, 403))
    async def suspicions(who: Annotated[Who, reader]) -> Response:
        """What the audit of this node's own ledger finds unusual: questions for people, no proof of anything."""
        guard.check_ledger(who, ledgers.origin)
        size = ledgers.own.entry_count()
        listed = await own_suspicions(home, asker, size)
        counts = Counter(each["code"] for each in listed)
        return json_answer({"ledger": ledgers.origin, "size": size, "suspicions": listed, "counts": counts})

    @router.get(
        "/supply-demand",
        summary="Supply and demand",
        response_model=SupplyDemandModel,
        responses=problems(400, 401, 403),
    )
    async def supply_demand(who: Annotated[Who, reader], period: PeriodQuery = None) -> Response:
        """Who gives, who needs, of what, and what proves it, on this node's own ledger."""
        guard.check_ledger(who, ledgers.origin)
        span = format_span(period_of(period))
        size = ledgers.own.entry_count()
        found = await own_figures(home, asker, span, size)
        names = ("volunteers", "elders", "services", "categories", "evidence", "months")
        return json_answer(
            {"ledger": ledgers.origin, "size": size, "period": span}
            | {name: found[name] for name in names}
            | {"outstanding_minutes": found["end"]["outstanding_minutes"]}
        )

    @router.get("/funds", summary="Funds", response_model=FundsModel, responses=problems(401, 403))
    async def funds(who: Annotated[Who, reader]) -> Response:
        """What each fund of this node's own ledger has."""
        guard.check_ledger(who, ledgers.origin)
        return json_answer({"ledger": ledgers.origin, **await writer.ask(_funds)})

    @router.get("/public-list", summary="Public list", response_model=PublicListModel)
    async def public_list() -> Response:
        """Who stands on the public list of this node's own ledger: numbers, why, and until when."""
        return json_answer({"ledger": ledgers.origin, **await listed.get()}, LIST_CACHE)

    return router


def _block(ledger: KeptLedger, size: int, note: bytes) -> dict[str, Any] | None:
    """One block from its checkpoint; None where that stands on no seal, as a damaged ledger's may."""
    raw = ledger.entry(size - 1)
    try:
        entry = None if raw is None else CODEC.parse(raw)
    except EntryError:
        return None
    if entry is None or entry.kind != SEAL:
        return None
    return {
        "height": entry.body.height,
        "size": size,
        "accounts": entry.body.accounts,
        "sealed": format_time(entry.at),
        "root": format_base64(entry.body.root),
        "state": format_base64(entry.body.state),
        "checkpoint": note.decode(),
    }


def _funds(node: WritingNode) -> dict[str, Any]:
    accounts = node.state.accounts
    listed = [
        {"fund": code, "purpose": purpose, "fen": accounts[fund_number(code)].balance}
        for code, purpose in node.state.funds.items()
    ]
    return {"size": node.state.size, "funds": listed}


async def own_suspicions(home: Home, asker: Asker, size: int) -> list[dict[str, Any]]:
    """What the audit of the own ledger finds unusual, as of ``size`` entries."""
    found = await asker.ask(["verify", str(home.ledger), "--json", "--jobs", "1"], size)
    return [{name: each.get(name) for name in ("code", "account", "entries", "detail")} for each in found["suspicions"]]


async def own_figures(home: Home, asker: Asker, span: str, size: int) -> dict[str, Any]:
    """The figures of the own ledger's report; Problem 400 where the ledger was not there in that period."""
    words = ["report", "--home", str(home.folder), "--period", span, "--format", "json"]
    found: dict[str, Any] = (await asker.ask(words, size, _no_period()))["figures"]
    return found


def period_of(text: str | None) -> Period:
    """The period that was asked for; Problem 400 where it is none."""
    found = parse_span(str(datetime.datetime.now(datetime.UTC).year) if text is None else text)
    if found is None:
        raise _no_period()
    return found


def _no_period() -> Problem:
    text = _("`period` is a month 2026-10, a year 2026, a quarter 2026-Q3 or 2026-01..2026-06 in which the ledger was")
    return Problem(400, "bad-period", _("no such period"), text)
