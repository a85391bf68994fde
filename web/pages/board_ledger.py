"""One ledger on the board, down to its entries: figures, seals, accounts, an account's lines, an entry with its proof.

Whoever opens an account's page is recorded before it is shown (``Guard.note_look``). An entry is open to everybody by
the log itself, so that looking at one is no look at a person.
"""

from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from chain.block import SEAL
from chain.encoding import format_base64
from chain.errors import EntryError
from chain.fields import parse_time
from chain.limits import LOG_MAX_ENTRIES
from chain.merkle import leaf_hash
from ledger.kinds import CODEC
from ledger.matters import CASE, DISPUTE, FINDING, SANCTION
from store.reading import KeptLedger
from sync.fetch import FetchError
from web.findings import SUSPICIONS
from web.i18n import translate as _
from web.pages.alarms import may_mark
from web.pages.board_facts import Facts, local, overseer, unseen
from web.pages.board_proofs import proof_upwards
from web.pages.board_signers import roles_of
from web.pages.board_urgent import address
from web.problem import Problem
from web.service.accounts import statement_lines
from web.service.answers import no_account, not_sealed
from web.telling import entry_lines
from web.text import CASE_OUTCOMES, MEASURES, STATUSES, named, named_role

SEALS_SHOWN, ROWS = 10, 50
RECEIPT_SUFFIX, PROOF_SUFFIX = ".receipt", ".root-proof"


def ledger_routes(router: APIRouter, facts: Facts) -> None:
    """Hang the pages up; the longer addresses first, since an origin has slashes in it."""
    kit = facts.kit

    def kept_of(request: Request, origin: str) -> KeptLedger:
        who = overseer(kit, request)
        kit.guard.check_ledger(who, origin)
        return kit.ledgers.get(origin)

    @router.get("/board/ledgers/{origin:path}/accounts/{number}")
    async def account(request: Request, origin: str, number: str, after: int = -1) -> Response:
        kept, who = kept_of(request, origin), kit.who(request)
        row = kept.account(number)
        if row is None:
            raise no_account(number[:64])
        await to_thread.run_sync(kit.guard.note_look, who, "statement", origin, number)
        lines = _lines(kept, number, after)
        matters = [each for each in await facts.matters(origin) if each.account == number]
        found = await facts.suspicions(origin)
        return kit.page(
            request,
            "board/account.html",
            origin=origin,
            row=row,
            standing=named(STATUSES, row.status),
            lines=lines,
            after=lines[-1]["index"] if len(lines) == ROWS else None,
            matters=matters,
            suspicions=[each for each in found or [] if each.account == number],
            meaning=_meaning,
            outcome=case_outcome,
            measure=lambda code: named(MEASURES, code),
            local=local,
            address=address,
        )

    @router.get("/board/ledgers/{origin:path}/accounts")
    async def accounts(
        request: Request, origin: str, status: str = "", number: str = "", after: int = -1
    ) -> Response:
        kept = kept_of(request, origin)
        wanted = number.strip()[:64]
        if wanted and kept.account(wanted) is not None:
            return kit.see(request, f"{address(origin)}/accounts/{wanted}")
        chosen = status if status in STATUSES else None
        rows = kept.accounts(min(max(after, -1), LOG_MAX_ENTRIES), ROWS, chosen)
        return kit.page(
            request,
            "board/accounts.html",
            origin=origin,
            rows=rows,
            after=rows[-1].position if len(rows) == ROWS else None,
            asked={"status": chosen or "", "number": wanted},
            statuses=STATUSES,
            address=address,
        )

    @router.get("/board/ledgers/{origin:path}/entries/{index}/receipt")
    async def receipt(request: Request, origin: str, index: int) -> Response:
        kept = kept_of(request, origin)
        try:
            raw = kept.receipt(index)
        except IndexError:
            raise (_no_entry() if _entry(kept, index) is None else not_sealed()) from None
        return _download(raw, origin, index, RECEIPT_SUFFIX)

    @router.get("/board/ledgers/{origin:path}/entries/{index}/proof")
    async def proof(request: Request, origin: str, index: int) -> Response:
        kept = kept_of(request, origin)
        if index >= kept.size or _entry(kept, index) is None:
            raise not_sealed()
        try:
            raw = await to_thread.run_sync(proof_upwards, kit.home, kit.settings, origin, index)
        except FetchError as error:
            raise Problem(404, "no-proof", _("no proof yet"), str(error)) from error
        return _download(raw, origin, index, PROOF_SUFFIX)

    @router.get("/board/ledgers/{origin:path}/entries/{index}")
    async def entry(request: Request, origin: str, index: int) -> Response:
        kept = kept_of(request, origin)
        raw = _entry(kept, index)
        if raw is None:
            raise _no_entry()
        try:
            read = CODEC.parse(raw)
        except EntryError:
            read = None
        seal = _seal_over(kept, index)
        return kit.page(
            request,
            "board/entry.html",
            origin=origin,
            index=index,
            entry=read,
            lines=[] if read is None else entry_lines(read),
            accounts=() if read is None else sorted(set(_accounts(read.body))),
            at=None if read is None else local(int(read.at.timestamp())),
            raw=raw.decode("utf-8", "replace"),
            hash=format_base64(leaf_hash(raw)),
            seal=seal,
            roles={} if read is None else await roles_of(facts, kept, read),
            role=named_role,
            has_parents=bool(kit.settings.parents) or not facts.is_own(origin),
            last=kept.entry_count() - 1,
            address=address,
        )

    @router.get("/board/ledgers/{origin:path}/suspicions")
    async def suspicions(request: Request, origin: str, also: str = "") -> Response:
        kept_of(request, origin)
        found = await facts.suspicions(origin)
        rows = found or []
        fresh = unseen(rows, await facts.matters(origin))
        return kit.page(
            request,
            "board/ledger-suspicions.html",
            origin=origin,
            rows=rows if also else fresh,
            looked_into=len(rows) - len(fresh),
            also=bool(also),
            is_audited=found is not None,
            meaning=_meaning,
            address=address,
        )

    @router.get("/board/ledgers/{origin:path}")
    async def ledger(request: Request, origin: str) -> Response:
        kept, who = kept_of(request, origin), kit.who(request)
        row = facts.row(who, origin)
        seen = (await facts.seen(who)).ledgers[origin]
        matters = await facts.matters(origin)
        _groups, total = facts.subtree.sums([row], "ledger", None)
        notes = _seals(kept)
        return kit.page(
            request,
            "board/ledger.html",
            origin=origin,
            known=seen,
            row=row,
            total=total.plain(origin),
            seals=notes,
            checkpoint=None if kept.checkpoint() is None else (kept.checkpoint() or (0, b""))[1].decode(),
            cases=[each for each in matters if each.kind == CASE],
            sanctions=[each for each in matters if each.kind == SANCTION],
            waiting=[each for each in matters if each.kind in (DISPUTE, FINDING)],
            funds=facts.funds(origin),
            below=[each for each in facts.subtree.rows(who) if each.parent == origin],
            meaning=_meaning,
            outcome=case_outcome,
            measure=lambda code: named(MEASURES, code),
            local=local,
            address=address,
            unsealed=kept.entry_count() - kept.size,
            may_mark=may_mark(kit, who),
        )


def case_outcome(outcome: str) -> str:
    """How a case stands, in people's words."""
    if not outcome:
        return _("open")
    return _("upheld, measures taken") if outcome == "imposed" else named(CASE_OUTCOMES, outcome)


def _meaning(code: str) -> str:
    return named(SUSPICIONS, code)


def _entry(kept: KeptLedger, index: int) -> bytes | None:
    return kept.entry(index) if 0 <= index <= LOG_MAX_ENTRIES else None


def _no_entry() -> Problem:
    return Problem(404, "no-entry", _("no such entry"), _("there is no entry of that number on this ledger here"))


def _download(raw: bytes, origin: str, index: int, suffix: str) -> Response:
    name = f"{origin.replace('/', '_')}-{index}{suffix}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(raw, media_type="text/plain; charset=utf-8", headers=headers)


def _seals(kept: KeptLedger) -> list[dict[str, Any]]:
    """The newest checkpoints with their seals, the newest first."""
    found = []
    for size, _note in kept.newest_checkpoints(SEALS_SHOWN):
        raw = kept.entry(size - 1)
        try:
            entry = None if raw is None else CODEC.parse(raw)
        except EntryError:
            entry = None
        if entry is not None and entry.kind == SEAL:
            at = local(int(entry.at.timestamp()))
            found.append({"height": entry.body.height, "size": size, "at": at, "accounts": entry.body.accounts})
    return found


def _seal_over(kept: KeptLedger, index: int) -> int | None:
    """The size of the first checkpoint that covers an entry; None while none does."""
    notes = kept.checkpoints(index, 1)
    return notes[0][0] if notes else None


def _accounts(body: Any) -> list[str]:
    """The people's accounts that an entry names."""
    numbers = getattr(body, "numbers", None)
    return [] if numbers is None else [number for number in numbers() if number and number.isdigit()]


def _lines(kept: KeptLedger, number: str, after: int) -> list[dict[str, Any]]:
    """What was posted to an account, from the oldest on, its times as the village's clocks show them."""
    lines = statement_lines(kept, number, after, ROWS)
    return [line | {"at": local(int(parse_time(line["at"]).timestamp()))} for line in lines]
