"""My passbook: what I have, what waits, each line with its proof. A person's own pages begin here.

    yield passbook_router(kit, names)        # in ``page_routers``; the routes of all ``passbook_*`` modules

Each page works without JavaScript, in large print, and is made of sentences rather than tables, so that it reads well
aloud. What is signed in the browser comes back by an ordinary form (``passbook_signed``); who has no key asks the desk
by the same form (``passbook_asked``).
"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request, Response

from chain.limits import LOG_MAX_ENTRIES
from web.i18n import translate as _
from web.pages.kit import Kit
from web.pages.names import Names
from web.pages.passbook_acts import act_router, wished_by
from web.pages.passbook_app import app_router
from web.pages.passbook_ask import Helping, ask_router
from web.pages.passbook_asked import asked_router
from web.pages.passbook_family import family_router
from web.pages.passbook_keys import key_router
from web.pages.passbook_kit import Mine
from web.pages.passbook_reading import LINES, Line, Own, is_objectable, line_of, lines_of, met
from web.pages.passbook_services import service_router
from web.problem import Problem
from web.service.accounts import own_receipt
from web.service.answers import PRIVATE, RECEIPT_TYPE, not_sealed

FIRST_LINES = 5
"""On the first page."""
IndexInPath = Annotated[int, Path(ge=0, le=LOG_MAX_ENTRIES)]
Before = Annotated[int | None, Query(ge=0, le=LOG_MAX_ENTRIES)]


def passbook_router(kit: Kit, names: Names) -> APIRouter:
    """The routes of a person's own pages, and of the desk's page with what persons ask for."""
    router, mine = kit.router(), Mine(kit, names)
    helping = Helping(mine)
    for part in (app_router(kit), _book_router(mine, helping), key_router(mine), act_router(mine), ask_router(helping)):
        router.include_router(part)
    router.include_router(service_router(mine))
    router.include_router(family_router(mine))
    router.include_router(asked_router(mine))
    return router


def _book_router(mine: Mine, helping: Helping) -> APIRouter:
    kit = mine.kit
    router = kit.router()

    def lines(own: Own, before: int | None, most: int) -> Sequence[Line]:
        return lines_of(kit.ledgers.own, own.number, own.utc_offset, before, most)

    @router.get("/me")
    async def me(request: Request) -> Response:
        who, own = await mine.own(request)
        last = lines(own, None, FIRST_LINES)
        known = await mine.named(who, _known(own, last))
        waiting = await mine.waiting(own)
        helps = await helping.told(who)
        wished = await to_thread.run_sync(wished_by, mine, own.number)
        values: dict[str, Any] = {"lines": last, "names": known, "waiting": len(waiting), "wished": wished}
        return mine.page(request, own, "me.html", **values, **helps)

    @router.get("/me/lines")
    async def all_lines(request: Request, after: Before = None) -> Response:
        who, own = await mine.own(request)
        shown = lines(own, after, LINES)
        known = await mine.named(who, _known(own, shown))
        following = shown[-1].index if len(shown) == LINES else None
        return mine.page(request, own, "lines.html", lines=shown, names=known, following=following)

    @router.get("/me/lines/{index}")
    async def one_line(request: Request, index: IndexInPath) -> Response:
        who, own = await mine.own(request)
        line = _own_line(mine, own, index)
        known = await mine.named(who, _known(own, [line]))
        return mine.page(request, own, "line.html", line=line, names=known, may_object=is_objectable(line))

    @router.get("/me/lines/{index}/receipt")
    async def receipt(request: Request, index: IndexInPath) -> Response:
        _who, own = await mine.own(request)
        _own_line(mine, own, index)
        try:
            raw = kit.ledgers.own.receipt(index)
        except IndexError:
            raise not_sealed() from None
        return _file(raw, f"{own.number}-{index}.tlog-proof")

    @router.get("/me/lines/{index}/promise")
    async def promise(request: Request, index: IndexInPath) -> Response:
        _who, own = await mine.own(request)
        _own_line(mine, own, index)
        raw = await kit.writer.ask(lambda node: node.promise(index))
        return _file(raw, f"{own.number}-{index}.promise")

    @router.get("/me/receipt")
    async def balance_receipt(request: Request) -> Response:
        _who, own = await mine.own(request)
        raw = await kit.writer.ask(partial(own_receipt, number=own.number))
        return _file(raw, f"{own.number}.balance-proof")

    return router


def _own_line(mine: Mine, own: Own, index: int) -> Line:
    """A line of one's own; Problem 404 where that entry does not concern the account."""
    line = line_of(mine.kit.ledgers.own, own.number, own.utc_offset, index)
    if line is None:
        text = _("entry {index} is no line of your passbook")
        raise Problem(404, "no-line", _("no such line"), text.format(index=index))
    return line


def _known(own: Own, lines: Sequence[Line]) -> set[str]:
    """Those on the other side of lines who are named: who was there with them, and the family."""
    family = {*own.kin, *own.wards} | ({own.guardian} if own.guardian else set())
    return met(lines) | ({line.other for line in lines if line.other} & family)


def _file(raw: bytes, name: str) -> Response:
    """A proof as a file to keep; its name has nothing but numbers."""
    headers = PRIVATE | {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(raw, media_type=RECEIPT_TYPE, headers=headers)
