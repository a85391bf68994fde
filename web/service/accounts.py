"""What accounts have, over the API: one balance, its passbook and receipt, and the balances of many."""

from collections.abc import Iterator
from typing import Annotated, Any, cast

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Response

from chain.block import SEAL
from chain.entry import Entry
from chain.errors import EntryError
from chain.fields import format_time
from chain.limits import LOG_MAX_ENTRIES, ORIGIN_MAX_BYTES
from ledger.kinds import CODEC
from store.log import AccountRow, StoreError
from store.mirror_receipts import UnprovenError, mirror_balance_receipt
from store.reading import KeptLedger
from web.access.guard import Guard
from web.access.who import READ, Who
from web.desk import DeskNode
from web.i18n import translate as _
from web.passbook import other_side
from web.problem import Problem
from web.service.answers import (
    PAGE_ROWS,
    PRIVATE,
    RECEIPT_TYPE,
    AfterQuery,
    LedgerQuery,
    LimitQuery,
    NumberPath,
    StatusQuery,
    json_answer,
    no_account,
    not_sealed,
    problems,
    text_answer,
)
from web.service.ledgers import Ledgers
from web.service.models import AccountModel, BalancesPage, StatementPage
from web.service.writer import Writer

TIERS = ("village", "township", "county", "city")
CURSOR_MAX_CHARACTERS = ORIGIN_MAX_BYTES + 20

TierQuery = Annotated[
    str | None,
    Query(
        description="Only ledgers of this tier.", pattern="^(village|township|county|city)$", examples=["village"]
    ),
]
CursorQuery = Annotated[
    str | None,
    Query(
        description="What `next` of the page before says; absent: the first page.",
        max_length=CURSOR_MAX_CHARACTERS,
        examples=["liuduhe.example/huzhu:99"],
    ),
]


def account_router(ledgers: Ledgers, writer: Writer, guard: Guard) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/api/v1", tags=["accounts"])
    reader = Depends(guard.needs(READ))

    @router.get(
        "/accounts/{number}",
        summary="What an account has",
        response_model=AccountModel,
        responses=problems(400, 401, 403, 404),
    )
    async def account(number: NumberPath, who: Annotated[Who, reader], ledger: LedgerQuery = None) -> Response:
        """Balance and what waits, as of the newest entry that this node has of the ledger."""
        return answer_account(ledgers, guard, who, number, ledger)

    @router.get(
        "/accounts/{number}/statement",
        summary="Passbook",
        response_model=StatementPage,
        responses=problems(400, 401, 403, 404),
    )
    async def statement(
        number: NumberPath,
        who: Annotated[Who, reader],
        ledger: LedgerQuery = None,
        after: AfterQuery = None,
        limit: LimitQuery = PAGE_ROWS,
    ) -> Response:
        """Each line with the balance after it. That somebody looked is recorded."""
        origin = ledger or ledgers.origin
        guard.check_account(who, origin, number)
        kept = ledgers.get(ledger)
        row = kept.account(number)
        if row is None:
            raise no_account(number)
        await to_thread.run_sync(guard.note_look, who, "statement", origin, number)
        start = -1 if after is None else after
        lines = list(statement_lines(kept, number, start, limit))
        following = lines[-1]["index"] if len(lines) == limit else None
        found = {"ledger": kept.origin, "account": number, "unit": row.unit, "lines": lines, "next": following}
        return json_answer(found)

    @router.get(
        "/accounts/{number}/receipt",
        summary="Receipt of a balance",
        response_class=Response,
        responses={
            200: text_answer(RECEIPT_TYPE, "The receipt (FORMAT §10).", "huzhu/balance-proof@v1\n…"),
            **problems(400, 401, 403, _404="There is no such account, or no seal covers it yet."),
        },
    )
    async def receipt(number: NumberPath, who: Annotated[Who, reader], ledger: LedgerQuery = None) -> Response:
        """Proof of what the account had at the newest seal. That somebody looked is recorded."""
        origin = ledger or ledgers.origin
        guard.check_account(who, origin, number)
        kept = ledgers.get(ledger)
        if kept.account(number) is None:
            raise no_account(number)
        await to_thread.run_sync(guard.note_look, who, "receipt", origin, number)
        if kept.origin == ledgers.origin:
            raw = await writer.ask(lambda node: own_receipt(node, number))
        else:
            raw = mirrored_receipt(kept, number)
        return Response(raw, media_type=RECEIPT_TYPE, headers=PRIVATE)

    @router.get("/balances", summary="Many balances", response_model=BalancesPage, responses=problems(400, 401, 403))
    async def balances(
        who: Annotated[Who, reader],
        ledger: LedgerQuery = None,
        tier: TierQuery = None,
        status: StatusQuery = None,
        after: CursorQuery = None,
        limit: LimitQuery = PAGE_ROWS,
    ) -> Response:
        """By ledger, those that may be seen, and in the order in which the accounts were opened."""
        tiers = {origin: ledgers.tier(origin) for origin in ledgers.origins()} | {ledgers.origin: writer.standing.tier}
        asked = [
            origin
            for origin, its_tier in tiers.items()
            if (ledger is None or origin == ledger)
            and (tier is None or its_tier == tier)
            and who.may_read(origin, ledgers.parent_of)
        ]
        if ledger is not None and ledger not in asked and tier is None:
            guard.check_ledger(who, ledger)
            ledgers.get(ledger)
        lines = _balances(ledgers, asked, *_cursor(after, asked), limit, status)
        return json_answer({"balances": [plain for plain, _cursor in lines], "next": _following(lines, limit)})

    return router


def answer_account(ledgers: Ledgers, guard: Guard, who: Who, number: str, ledger: str | None) -> Response:
    """What an account has; raises Problem."""
    guard.check_account(who, ledger or ledgers.origin, number)
    kept = ledgers.get(ledger)
    row = kept.account(number)
    if row is None:
        raise no_account(number)
    return json_answer(_plain(kept, row))


def own_receipt(node: Any, number: str) -> bytes:
    """The balance receipt of the node's own ledger, as of the newest seal."""
    account = node.state.accounts.get(number)
    if account is None:
        raise no_account(number)
    if account.position >= _sealed_accounts(node):
        raise not_sealed()
    raw: bytes = node.balance_receipt(number)
    return raw


def _sealed_accounts(node: DeskNode) -> int:
    accounts: int = node.entry(node.state.seal_indexes[-1]).body.accounts
    return accounts


def mirrored_receipt(ledger: KeptLedger, number: str) -> bytes:
    """The same of a mirrored ledger, whose accounts are those at its newest checkpoint, which is a seal's."""
    try:
        return mirror_balance_receipt(ledger, number)
    except UnprovenError as error:
        text = _("the balances of this ledger are not those that its seal states: ask for its findings")
        raise Problem(404, "no-proof", _("no proof"), text) from error


class _Entries:
    """As much of a node as ``other_side`` asks for."""

    def __init__(self, ledger: KeptLedger) -> None:
        self._ledger = ledger

    def entry(self, index: int) -> Entry[Any]:
        raw = self._ledger.entry(index)
        if raw is None:
            raise StoreError(_("entry {index} is missing").format(index=index))
        return CODEC.parse(raw)


def statement_lines(ledger: KeptLedger, number: str, after: int, limit: int) -> Iterator[dict[str, Any]]:
    """What was posted to an account behind ``after``, each with what the account had then."""
    entries = cast(DeskNode, _Entries(ledger))
    balance, held = ledger.posted(number, after)
    for leg in ledger.legs(number, after, limit):
        balance += leg.balance
        held += leg.held
        try:
            entry = entries.entry(leg.entry_index)
        except EntryError as error:
            raise StoreError(str(error)) from error
        yield {
            "index": leg.entry_index,
            "at": format_time(entry.at),
            "kind": entry.kind,
            "other": None if entry.kind == SEAL else other_side(entries, leg.entry_index, number),
            "change": leg.balance,
            "held": leg.held,
            "balance": balance,
            "balance_held": held,
        }


def _plain(ledger: KeptLedger, row: AccountRow) -> dict[str, Any]:
    return {
        "ledger": ledger.origin,
        "account": row.number,
        "balance": row.balance,
        "held": row.held,
        "status": row.status,
        "unit": row.unit,
        "size": ledger.entry_count(),
    }


def _balances(
    ledgers: Ledgers, origins: list[str], first: str | None, position: int, limit: int, status: str | None
) -> list[tuple[dict[str, Any], str]]:
    """Lines with the cursor that goes on behind each, from a place on."""
    lines: list[tuple[dict[str, Any], str]] = []
    rest = origins[origins.index(first) :] if first is not None else origins
    for origin in rest:
        kept = ledgers.get(origin)
        rows = kept.accounts(position, limit - len(lines), status)
        lines += [(_plain(kept, row), f"{origin}:{row.position}") for row in rows]
        if len(lines) == limit:
            break
        position = -1
    return lines


def _following(lines: list[tuple[dict[str, Any], str]], limit: int) -> str | None:
    return lines[-1][1] if len(lines) == limit else None


def _cursor(after: str | None, origins: list[str]) -> tuple[str | None, int]:
    """Ledger and position behind which a page begins."""
    if after is None:
        return None, -1
    origin, _colon, position = after.rpartition(":")
    if origin not in origins or not (position.isascii() and position.isdigit() and int(position) <= LOG_MAX_ENTRIES):
        text = _("`after` is not what `next` of the page before says, or its ledger is not here any more")
        raise Problem(400, "bad-cursor", _("no such page"), text)
    return origin, int(position)
