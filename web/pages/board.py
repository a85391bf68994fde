"""The board: what a supervisor and an auditor see first, and every ledger that they may see.

    /board                       what needs a person today, the totals
    /board/ledgers               the ledgers, one below the other, with their figures
    /board/suspicions            what is unusual, ledger by ledger
    /board/ledgers/ORIGIN/…      ``board_ledger``: one ledger, down to an entry and its proof
    /board/ledgers/ORIGIN/cases  ``board_cases``: from a suspicion to what two people decide
    /board/trends, /board/risk   ``board_trends``

Everybody sees their own subtree alone, an auditor all; there are numbers here and no names. Where no tier is above the
ledger, its members act in that tier's place (RULES §1): they see their own ledger here, and decide about it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from ledger.matters import CASE
from store.summaries import LedgerRow
from web.access.who import SUPERVISOR
from web.findings import SUSPICIONS
from web.i18n import translate as _
from web.pages.approvals import at_desk, survey
from web.pages.board_cases import CASE_KINDS, case_routes
from web.pages.board_facts import ROLES, Facts, Known, Seen, local, overseer
from web.pages.board_ledger import ledger_routes
from web.pages.board_trends import trend_routes
from web.pages.board_urgent import BAD, HEAVY, URGENCIES, Item, address, urgent
from web.pages.kit import Kit
from web.problem import Problem
from web.service.subtree import Subtree
from web.text import TIERS, named

PAGE = 50
EVIDENCE_MAX_BYTES = 2**24
STATES = ("own", "sound", "findings", "forked", "rolled-back")


class Line(NamedTuple):
    """One ledger in the list, with what is known of it, and how deep it lies."""

    known: Known
    depth: int
    accounts: int
    minutes: int
    suspicions: int
    open_cases: int


def board_router(kit: Kit, facts: Facts) -> APIRouter:
    """The routes."""
    router = kit.router()

    @router.get("/board")
    async def board(request: Request, after: int = 0) -> Response:
        seen = await facts.seen(overseer(kit, request))
        now = kit.clock()
        items = sorted([*urgent(seen, facts.today(), int(now.timestamp())), *await _to_sign(facts, request)])
        start = max(after, 0)
        shown = items[start : start + PAGE]
        return kit.page(
            request,
            "board/today.html",
            seen=seen,
            items=shown,
            count=len(items),
            at_once=sum(item.urgency == BAD for item in items),
            after=start + PAGE if start + PAGE < len(items) else None,
            now=local(int(now.timestamp())),
            figures=_figures(seen),
            urgencies=URGENCIES,
            local=local,
            address=address,
        )

    @router.get("/board/ledgers")
    async def ledgers(
        request: Request, tier: str = "", state: str = "", silent: str = "", find: str = "", after: int = 0
    ) -> Response:
        seen = await facts.seen(overseer(kit, request))
        found = [
            line
            for line in _lines(facts.subtree, seen)
            if tier in ("", line.known.row.tier)
            and state in ("", line.known.row.state)
            and (not silent or line.known.is_silent)
            and find.strip().lower() in line.known.row.origin
        ]
        start = max(after, 0)
        return kit.page(
            request,
            "board/ledgers.html",
            lines=found[start : start + PAGE],
            count=len(found),
            whole=len(seen.ledgers),
            after=start + PAGE if start + PAGE < len(found) else None,
            asked={"tier": tier, "state": state, "silent": silent, "find": find[:200]},
            tiers=TIERS,
            states=state_names(),
            local=local,
            address=address,
        )

    @router.get("/board/suspicions")
    async def suspicions(request: Request, code: str = "") -> Response:
        seen = await facts.seen(overseer(kit, request))
        counts: dict[str, int] = {}
        rows = []
        for origin, known in seen.ledgers.items():
            for each in known.suspicions:
                counts[each.code] = counts.get(each.code, 0) + each.number
                if code in ("", each.code):
                    rows.append((each.code not in HEAVY, -each.number, origin, each, known))
        rows.sort(key=lambda row: row[:3])
        return kit.page(
            request,
            "board/suspicions.html",
            rows=[(origin, each, known) for _light, _number, origin, each, known in rows],
            counts=sorted(counts.items(), key=lambda each: (each[0] not in HEAVY, -each[1])),
            code=code,
            is_audited=seen.is_audited,
            meaning=lambda each: named(SUSPICIONS, each),
            local=local,
            address=address,
        )

    @router.get("/board/alarms/{number}/evidence")
    async def evidence(request: Request, number: int) -> Response:
        who = kit.who(request, *ROLES)
        alarm = facts.alarm(number)
        if alarm is not None:
            kit.guard.check_ledger(who, alarm.origin)
        raw = None if alarm is None else _evidence(kit, alarm.latest_evidence or alarm.evidence)
        if raw is None:
            text = _("this alarm has no evidence in a file here, or somebody has looked at it meanwhile")
            raise Problem(404, "no-evidence", _("no such file"), text)
        headers = {"Content-Disposition": f'attachment; filename="alarm-{number}.txt"', "Cache-Control": "no-store"}
        return Response(raw, media_type="application/octet-stream", headers=headers)

    trend_routes(router, facts)
    case_routes(router, facts)
    ledger_routes(router, facts)
    return router


async def _to_sign(facts: Facts, request: Request) -> list[Item]:
    """What a colleague has proposed and waits for their signature."""
    who = facts.kit.who(request)
    is_member = facts.kit.stands_in(who)
    if not (is_member or who.role == SUPERVISOR) or not who.may_read(facts.subtree.origin, facts.kit.guard.parent_of):
        return []
    found, words = await at_desk(facts.kit, lambda desk: survey(desk, who))
    what = _("{user} has proposed: {what}")
    todo = _("Look at it, and sign it too or refuse it.")
    return [
        Item(
            1,
            each.draft.by.at_seconds,
            facts.subtree.origin,
            BAD,
            what.format(user=each.draft.by.user, what=_("; ").join(words.lines(each.body)) or each.draft.kind),
            todo,
            "/desk/certify",
        )
        for each in found
        if not each.why_not and (each.draft.kind in CASE_KINDS or not is_member)
    ]


def state_names() -> dict[str, str]:
    """How a ledger is, in people's words."""
    return {
        "own": _("this node"),
        "sound": _("in order"),
        "findings": _("has findings"),
        "forked": _("two histories"),
        "rolled-back": _("older state"),
    }


class _Totals(NamedTuple):
    """What stands in the tiles."""

    ledgers: int
    silent: int
    accounts: int
    minutes: int
    held_minutes: int
    on_way_minutes: int
    volunteers: int
    elders: int
    fund_fen: int
    suspicions: int
    open_cases: int


def _figures(seen: Seen) -> _Totals:
    total = seen.total.plain("total")
    ledgers = seen.ledgers.values()
    return _Totals(
        ledgers=len(ledgers),
        silent=sum(known.is_silent for known in ledgers),
        accounts=total["accounts"],
        minutes=total["minutes"],
        held_minutes=total["held_minutes"],
        on_way_minutes=total["on_way_minutes"] or 0,
        volunteers=sum(known.row.volunteers for known in ledgers),
        elders=sum(known.row.elders for known in ledgers),
        fund_fen=total["fund_fen"],
        suspicions=sum(each.number for known in ledgers for each in known.suspicions),
        open_cases=sum(_open_cases(known) for known in ledgers),
    )


def _lines(subtree: Subtree, seen: Seen) -> Iterator[Line]:
    """The ledgers, each with those below it behind it."""
    for row, depth in in_order([known.row for known in seen.ledgers.values()]):
        totals = subtree.totals(row.origin)
        people = [each for each in totals if each.kind == "account"]
        known = seen.ledgers[row.origin]
        yield Line(
            known,
            depth,
            sum(each.accounts for each in people),
            sum(each.balance for each in people),
            sum(each.number for each in known.suspicions),
            _open_cases(known),
        )


def in_order(rows: Sequence[LedgerRow]) -> Iterator[tuple[LedgerRow, int]]:
    """Each ledger, how deep it lies, and behind it those below it by name. A circle of parents stands at the end."""
    origins = {row.origin for row in rows}
    below: dict[str, list[LedgerRow]] = {}
    for row in rows:
        below.setdefault(row.parent if row.parent in origins else "", []).append(row)
    waiting = [(row, 0) for row in sorted(below.pop("", []), key=lambda row: row.origin, reverse=True)]
    while waiting:
        row, depth = waiting.pop()
        yield row, depth
        children = sorted(below.pop(row.origin, []), key=lambda each: each.origin, reverse=True)
        waiting += [(child, depth + 1) for child in children]
    yield from ((row, 0) for children in below.values() for row in children)


def _open_cases(known: Known) -> int:
    return sum(each.kind == CASE and not each.outcome for each in known.matters)


def _evidence(kit: Kit, name: str) -> bytes | None:
    """A file of the evidence folder; None for any other."""
    path, folder = Path(name), kit.home.evidence.resolve()
    try:
        if not name or path.resolve().parent != folder:
            return None
        with path.open("rb") as file:
            return file.read(EVIDENCE_MAX_BYTES)
    except OSError:
        return None
