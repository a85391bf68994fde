"""Entries over the API: one signed sheet in, results out; one entry and its receipt, open to everybody."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Header, Request, Response

from chain.encoding import format_base64
from chain.merkle import leaf_hash
from store.answers import Accepted, Refused
from web.access.guard import Guard
from web.access.who import SUBMIT, Who
from web.i18n import translate as _
from web.problem import PROBLEM_TYPE, Problem, format_problem
from web.service.answers import (
    RECEIPT_TYPE,
    IndexPath,
    LedgerQuery,
    json_answer,
    not_sealed,
    problem_answer,
    problems,
    text_answer,
)
from web.service.ledgers import Ledgers
from web.service.models import EntryModel, RefusedSheetModel, ResultsModel
from web.service.sheets import BodyReader, busy, read_sheet
from web.service.writer import Answered, BusyError, Writer
from web.text import sentence

MINIMAL = "return=minimal"
FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
NOT_YET = {"Cache-Control": "no-cache"}
RECEIPT_CACHE = {"Cache-Control": "public, max-age=60"}
SHEET = {"$ref": "#/components/schemas/SheetModel"}
SHEET_BODY = {"required": True, "content": {"application/json": {"schema": SHEET}}}


class Submission:
    """What becomes of a request that carries a sheet."""

    def __init__(self, ledgers: Ledgers, writer: Writer, guard: Guard) -> None:
        self._ledgers, self._writer, self._guard = ledgers, writer, guard
        self._bodies = BodyReader()

    async def answer(self, request: Request, who: Who) -> Response:
        """Read the sheet, have it written, and tell; raises Problem, and StoreError from the disk."""
        self._guard.check_ledger(who, self._ledgers.origin)
        sheet = read_sheet(await self._bodies.read(request))
        try:
            answered = await self._writer.submit(sheet, promises=MINIMAL not in request.headers.get("prefer", ""))
        except BusyError:
            raise busy() from None
        return _answer(self._ledgers.origin, answered)


def entry_router(ledgers: Ledgers, submission: Submission, guard: Guard) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/api/v1", tags=["entries"])

    @router.post(
        "/entries",
        summary="Submit a sheet",
        response_model=ResultsModel,
        openapi_extra={"requestBody": SHEET_BODY},
        responses={
            **problems(401, 403, _400="The body is no signed sheet.", _408="The sheet came too slowly."),
            **problems(_413="The sheet is too large.", _415="The body is not JSON."),
            422: problem_answer("None of the statements was accepted; nothing is on the ledger.", RefusedSheetModel),
        },
    )
    async def post_entries(
        request: Request,
        who: Annotated[Who, Depends(guard.needs(SUBMIT))],
        prefer: Annotated[  # noqa: ARG001 - told here, read from the request
            str | None, Header(description="`return=minimal` leaves out the promises.", examples=[MINIMAL])
        ] = None,
    ) -> Response:
        """Write a sheet onto this node's ledger; answered once it is on disk.

        The same sheet sent again gets the same indexes and is never recorded twice: after a lost answer, send it again.
        """
        return await submission.answer(request, who)

    @router.get("/entries/{index}", summary="One entry", response_model=EntryModel, responses=problems(400, 404))
    async def entry(index: IndexPath, ledger: LedgerQuery = None) -> Response:
        """An entry as it stands on the ledger. Entries never change."""
        kept = ledgers.get(ledger)
        raw = kept.entry(index)
        if raw is None:
            raise _no_entry(index)
        is_sealed = index < kept.size
        found = {
            "ledger": kept.origin,
            "index": index,
            "leaf": format_base64(leaf_hash(raw)),
            "sealed": is_sealed,
            "entry": msgspec.Raw(raw),
        }
        return json_answer(found, FOR_EVER if is_sealed else NOT_YET)

    @router.get(
        "/entries/{index}/receipt",
        summary="Receipt of an entry",
        response_class=Response,
        responses={
            200: text_answer(RECEIPT_TYPE, "The receipt, a tlog-proof (FORMAT §10).", "c2sp.org/tlog-proof@v1\n…"),
            **problems(400, _404="There is no such entry, or no checkpoint covers it yet."),
        },
    )
    async def receipt(index: IndexPath, ledger: LedgerQuery = None) -> Response:
        """Proof that the entry is on the ledger, for anybody to check off line: `huzhu check-receipt`."""
        kept = ledgers.get(ledger)
        try:
            raw = kept.receipt(index)
        except IndexError:
            raise (_no_entry(index) if kept.entry(index) is None else not_sealed()) from None
        return Response(raw, media_type=RECEIPT_TYPE, headers=RECEIPT_CACHE)

    return router


def _answer(origin: str, answered: Answered) -> Response:
    """200 where at least one statement is on the ledger, else 422."""
    promises = iter(answered.promises)
    results = [_plain(one, promises) for one in answered.results]
    if any(isinstance(one, Accepted) for one in answered.results):
        return json_answer({"ledger": origin, "results": results})
    first = _first_refusal(answered.results)
    text = _("none of the statements was accepted; the first: {why}")
    why = sentence(first.outcome, first.detail)
    problem = Problem(422, "refused", _("refused"), text.format(why=why), outcome=first.outcome, results=results)
    return Response(format_problem(problem), 422, media_type=PROBLEM_TYPE)


def _plain(one: Any, promises: Any) -> dict[str, Any]:
    if isinstance(one, Refused):
        return {"outcome": one.outcome, "detail": one.detail}
    plain = {"index": one.index, "leaf": format_base64(one.leaf_hash)}
    promise = next(promises, None)
    return plain if promise is None else plain | {"promise": promise.decode()}


def _first_refusal(results: Sequence[Any]) -> Refused:
    return next(one for one in results if isinstance(one, Refused))


def _no_entry(index: int) -> Problem:
    text = _("there is no entry {index} on this ledger")
    return Problem(404, "no-entry", _("no such entry"), text.format(index=index))
