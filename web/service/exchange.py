"""What other nodes ask of this one, so that hours can travel and receipts lead to the root. All of it is public.

    GET /api/v1/transfers?to=ORIGIN            transfers to a ledger, and what became of those it sent
    GET /api/v1/admissions/ORIGIN              receipts of the entries that admit it, from our own log down
    GET /api/v1/anchors/ORIGIN?size=N          receipt of the entry of our log that anchors it

Nobody needs to believe these answers: a list is a hint where to look, a receipt proves itself.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from chain.checkpoint import open_checkpoint
from chain.encoding import format_base64
from chain.errors import NoteError
from chain.fields import is_origin
from chain.keys import SIGNATURE_BYTES
from chain.limits import ADMISSIONS_MAX, LOG_MAX_ENTRIES, ORIGIN_MAX_BYTES
from chain.note import Note, format_note
from chain.receipt import EntryReceipt, format_entry_receipt, parse_entry_receipt
from store.exchange import Exchange
from store.log import StoreError
from sync.library import PAGE_NOTICES, Notice, parse_cursor
from web.i18n import translate as _
from web.problem import Problem
from web.service.answers import RECEIPT_TYPE, json_answer, not_sealed, problems, storage_problem, text_answer

AT_ONCE = 4
"""So many of these questions are answered at the same time; others wait and hold no thread."""
LIST_CACHE = {"Cache-Control": "public, max-age=5"}
RECEIPT_CACHE = {"Cache-Control": "public, max-age=60"}
CURSOR_MAX_CHARACTERS = ORIGIN_MAX_BYTES + 20
NO_NAME = "It is no name of a ledger."

Receipt = Callable[[str, int], bytes]
"""The entry receipt of a ledger's entry, own or mirrored; FileNotFoundError where there is none under a checkpoint.

Called in any thread."""

Origin = Annotated[
    str, Path(description="Name of a ledger below this one.", max_length=ORIGIN_MAX_BYTES, examples=["a.example/huzhu"])
]


class Transfer(BaseModel):
    """An entry that concerns the ledger that was asked about."""

    ledger: str = Field(description="Name of the ledger that holds it.", examples=["village.example/huzhu"])
    index: int = Field(description="Index of the entry there, from 0.", examples=[17], ge=0, le=LOG_MAX_ENTRIES - 1)
    kind: str = Field(
        description="transfer_out: hours sent to the ledger asked about; transfer_in and transfer_refuse: its own "
        "transfer was taken there, or refused.",
        examples=["transfer_out"],
    )
    answers: int | None = Field(
        default=None,
        description="Of transfer_in and transfer_refuse: index of the transfer_out on the ledger asked about.",
        examples=[9],
    )


def exchange_router(exchange: Exchange, receipt: Receipt) -> APIRouter:
    """The routes, for the service to include."""
    router = APIRouter(prefix="/api/v1", tags=["exchange"])
    limiter = CapacityLimiter(AT_ONCE)

    async def ask(question: Callable[[], Any]) -> Any:
        with _told():
            return await to_thread.run_sync(question, limiter=limiter)

    _add_transfers(router, exchange, ask)
    _add_admissions(router, exchange, receipt, ask)
    _add_anchors(router, exchange, receipt, ask)
    return router


def _add_transfers(router: APIRouter, exchange: Exchange, ask: Any) -> None:
    @router.get(
        "/transfers",
        summary="Transfers that concern a ledger",
        response_model=list[Transfer],
        response_model_exclude_none=True,
        responses=problems(503, _400="`to` or `after` cannot be one."),
    )
    async def transfers(
        to: Annotated[
            str, Query(description="Name of the ledger.", max_length=ORIGIN_MAX_BYTES, examples=["b.example/huzhu"])
        ],
        after: Annotated[
            str | None,
            Query(
                description="Go on behind this entry: `ledger` and `index` of the last one, with a colon between.",
                max_length=CURSOR_MAX_CHARACTERS,
                examples=["village.example/huzhu:17"],
            ),
        ] = None,
        limit: Annotated[
            int, Query(description="How many entries at most.", ge=1, le=PAGE_NOTICES, examples=[100])
        ] = PAGE_NOTICES,
    ) -> Response:
        """Sealed entries of this node's ledger and of all that it mirrors, ledger by ledger in order of index.

        A list of fewer than `limit` entries is the end.
        """
        _check_origin(to, "to")
        rows = await ask(partial(exchange.transfers, to, _cursor(after), limit))
        return json_answer([Notice(*row) for row in rows], LIST_CACHE)


def _add_admissions(router: APIRouter, exchange: Exchange, receipt: Receipt, ask: Any) -> None:
    @router.get(
        "/admissions/{origin:path}",
        summary="Receipts that lead from this node's ledger to one below",
        response_model=Annotated[list[str], Field(max_length=ADMISSIONS_MAX)],
        responses=problems(503, _400=NO_NAME, _404="It is not below this one."),
    )
    async def admissions(origin: Origin) -> Response:
        """Entry receipts in base64: of the `org_admit` on this node's ledger, then of each one below it.

        The last one admits the ledger asked about. Their checkpoints carry the signature of their own node alone.
        """
        _check_origin(origin, "origin")
        places = await ask(partial(exchange.admissions, origin))
        if not places:
            text = _("{origin} is not below this ledger: ask its own parent").format(origin=origin)
            raise Problem(404, "not-admitted", _("not admitted"), text)
        return json_answer(await ask(partial(_receipts, receipt, places)), RECEIPT_CACHE)


def _add_anchors(router: APIRouter, exchange: Exchange, receipt: Receipt, ask: Any) -> None:
    @router.get(
        "/anchors/{origin:path}",
        summary="Receipt of the entry that anchors a ledger's checkpoint",
        response_class=Response,
        responses={
            200: text_answer(RECEIPT_TYPE, "An entry receipt (C2SP tlog-proof).", "c2sp.org/tlog-proof@v1\nextra …"),
            **problems(503, _400=NO_NAME, _404="There is no such anchor yet."),
        },
    )
    async def anchors(
        origin: Origin,
        size: Annotated[
            int,
            Query(description="How many entries the checkpoint must cover.", ge=0, le=LOG_MAX_ENTRIES, examples=[120]),
        ] = 0,
    ) -> Response:
        """The oldest sealed `anchor` on this node's ledger whose checkpoint of that ledger covers so many entries."""
        _check_origin(origin, "origin")
        place = await ask(partial(exchange.anchor, origin, size))
        if place is None:
            text = _("no checkpoint of {origin} with {size} entries or more is anchored here yet: try again later")
            raise Problem(404, "no-anchor", _("no anchor"), text.format(origin=origin, size=size))
        return Response(await ask(partial(receipt, *place)), media_type=RECEIPT_TYPE, headers=RECEIPT_CACHE)


def _check_origin(origin: str, name: str) -> None:
    if not is_origin(origin):
        text = _("{name} is no name of a ledger, such as village.example/huzhu").format(name=name)
        raise Problem(400, "bad-origin", _("no ledger's name"), text)


def _cursor(after: str | None) -> tuple[str, int] | None:
    try:
        return None if after is None else parse_cursor(after)
    except NoteError:
        text = _("after is the ledger and the index of the last entry of the list before, such as {example}")
        detail = text.format(example="village.example/huzhu:17")
        raise Problem(400, "bad-cursor", _("no place in the list"), detail) from None


@contextmanager
def _told() -> Iterator[None]:
    """What fails below, as a problem."""
    try:
        yield
    except FileNotFoundError:
        raise not_sealed() from None
    except StoreError:
        raise storage_problem() from None


def _receipts(receipt: Receipt, places: Sequence[tuple[str, int]]) -> list[str]:
    return [format_base64(_without_cosignatures(receipt(*place))) for place in places]


def _without_cosignatures(raw: bytes) -> bytes:
    """The receipt with the Ed25519 signature of its ledger's own node alone."""
    receipt = parse_entry_receipt(raw)
    checkpoint, note = open_checkpoint(receipt.checkpoint)
    own = [
        line for line in note.signatures if line.name == checkpoint.origin and len(line.signature) == SIGNATURE_BYTES
    ]
    stripped = format_note(Note(note.text, tuple(own[:1])))
    return format_entry_receipt(EntryReceipt(receipt.extra, receipt.index, receipt.path, stripped))
