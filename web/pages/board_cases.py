"""From a suspicion to what two people decide: the entries behind it, a case, its steps, and what is imposed.

What is decided is signed where the ledger is kept. On a ledger's own node a supervisor whose authority's key lies there
opens a case alone, and proposes its closing, a sanction and its lifting; a second supervisor signs that on
``/desk/certify`` (A+A, RULES §3). Where no tier is above, members do the same: two close, and as many as the threshold
says sanction. Of a ledger that is only mirrored here the page says what two officials do in that village with their
keys: nothing that this node writes could reach it (docs/decisions/0020-board.md).
"""

import datetime
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from chain.entry import Body, Entry
from chain.errors import EntryError
from ledger.bodies import CaseClose, CaseOpen, CaseStep, Genesis, Sanction, SanctionLift
from ledger.kinds import CODEC
from ledger.matters import CASE, SANCTION, Matter
from ledger.roster import AUTHORITY
from store.reading import KeptLedger
from web.access.who import SUPERVISOR, Who
from web.desk import DeskNode
from web.findings import SUSPICIONS
from web.history import ABOUT_A_CASE, case_history
from web.i18n import translate as _
from web.pages.approvals import at_desk, propose, survey
from web.pages.board_facts import Facts, local, overseer
from web.pages.board_urgent import address
from web.pages.desk_signing import MEMBER_ALONE, REFUSED, SIGNED, TWO_AUTHORITIES, TWO_MEMBERS
from web.pages.desk_upheld import STATES as ENTRY_STATES
from web.pages.desk_upheld import states_at_desk, states_kept
from web.pages.desk_words import told
from web.pages.forms import EMPTY, Form
from web.problem import Problem
from web.telling import entry_lines
from web.text import CASE_OUTCOMES, MEASURES, STEPS, named

AUTHORITY_ALONE = "A"
NOTE_MAX_CHARACTERS = 500
ENTRIES_SHOWN = 24
CASE_KINDS = ("case_close", "sanction", "sanction_lift")
HEAR, CLEARED = "hear", "cleared"
ACTS = ("step", "close", "sanction", "lift")

History = Sequence[tuple[int, Entry[Any]]]


def case_routes(router: APIRouter, facts: Facts) -> None:
    """Hang the pages up."""
    kit = facts.kit

    def kept_of(request: Request, origin: str) -> KeptLedger:
        kit.guard.check_ledger(overseer(kit, request), origin)
        return kit.ledgers.get(origin)

    @router.get("/board/ledgers/{origin:path}/suspicions/{place}")
    async def suspicion(request: Request, origin: str, place: int) -> Response:
        kept_of(request, origin)
        return await _suspicion_page(facts, request, origin, place, EMPTY)

    @router.post("/board/ledgers/{origin:path}/suspicions/{place}")
    async def open_case(request: Request, origin: str, place: int) -> Response:
        kept_of(request, origin)
        who, form = _decider(facts, request, origin), await kit.form(request)
        found = await _suspicion(facts, origin, place)
        note = form.text("note", NOTE_MAX_CHARACTERS)
        if form.text("about") != f"{found.code}:{found.account}":
            text = _("the list of suspicions has changed meanwhile: look at it again")
            return kit.see(request, f"{address(origin)}/suspicions", text, is_good=False)
        account = found.account if found.account.isdigit() else form.account("account")
        if form.flaws:
            return await _suspicion_page(facts, request, origin, place, form, 422)
        body = CaseOpen(account=account, entries=tuple(found.entries), note=note or None, suspicion=found.code)
        decision = await propose(kit, who, body, MEMBER_ALONE if kit.stands_in(who) else AUTHORITY_ALONE)
        if decision.state == REFUSED:
            return kit.see(request, request.url.path, told(decision), is_good=False)
        return kit.see(request, f"{address(origin)}/cases/{decision.entry}", told(decision))

    @router.get("/board/ledgers/{origin:path}/cases/{index}")
    async def case(request: Request, origin: str, index: int) -> Response:
        kept = kept_of(request, origin)
        return await _case_page(facts, request, kept, index, EMPTY)

    @router.post("/board/ledgers/{origin:path}/cases/{index}")
    async def act_on(request: Request, origin: str, index: int) -> Response:
        kept = kept_of(request, origin)
        who, form = _decider(facts, request, origin), await kit.form(request)
        found = await _case(facts, origin, index)
        body = _statement(form, found, facts.today())
        if body is None or form.flaws:
            return await _case_page(facts, request, kept, index, form, 422)
        decision = await propose(kit, who, body, _demand(body, is_member=kit.stands_in(who)))
        text = told(decision)
        if decision.state == SIGNED and kit.stands_in(who):
            text = _("proposed: other members sign it now under “Certify”, each signed in as themselves")
        elif decision.state == SIGNED:
            text = _("proposed: a second supervisor signs it now, signed in as themselves")
        return kit.see(request, request.url.path, text, is_good=decision.state != REFUSED)


def _decider(facts: Facts, request: Request, origin: str) -> Who:
    """A supervisor at the ledger's own node, or a member in their place; Problem 403 for others."""
    who = facts.kit.who(request)
    if not facts.kit.stands_in(who):
        who = facts.kit.who(request, SUPERVISOR)
    if not facts.is_own(origin):
        text = _("this ledger is kept by another node: what is decided about it is signed there")
        raise Problem(403, "not-here", _("not here"), text)
    return who


def _demand(body: Body, *, is_member: bool) -> str:
    """Who signs what a form asked for; "A+A" becomes M×t where genesis names no authority (RULES §1)."""
    if isinstance(body, CaseStep):
        return MEMBER_ALONE if is_member else AUTHORITY_ALONE
    return TWO_MEMBERS if is_member and isinstance(body, CaseClose) else TWO_AUTHORITIES


def _statement(form: Form, case: Matter, today: datetime.date) -> Body | None:
    """What a form on a case's page asks for; None, with what is wrong in ``form.flaws``, where it is nothing."""
    act = form.choice("act", ACTS)
    index = case.entry_index
    if act == "step":
        step, note = form.choice("step", STEPS), form.text("note", NOTE_MAX_CHARACTERS, is_needed=True)
        return None if form.flaws else CaseStep(case=index, note=note, step=step)  # type: ignore[arg-type]
    if act == "close":
        outcome = form.choice("outcome", CASE_OUTCOMES)
        note = form.text("closing", NOTE_MAX_CHARACTERS, is_needed=True)
        return None if form.flaws else CaseClose(case=index, note=note, outcome=outcome)  # type: ignore[arg-type]
    if act == "sanction":
        measure, until = form.choice("measure", MEASURES), form.date("until", is_needed=False)
        if until is not None and until <= today:
            form.flaw("until", _("this day is past: name a later one"))
        return (
            None
            if form.flaws
            else Sanction(account=case.account, case=index, measure=measure, until=until)  # type: ignore[arg-type]
        )
    if act == "lift":
        number = form.number("sanction", 0, 2**53)
        reason = form.text("reason", NOTE_MAX_CHARACTERS, is_needed=True)
        return None if number is None or form.flaws else SanctionLift(reason=reason, sanction=number)
    return None


async def _suspicion(facts: Facts, origin: str, place: int) -> Any:
    rows = await facts.suspicions(origin) or []
    found = next((row for row in rows if row.place == place), None)
    if found is None:
        text = _("there is no suspicion of that number now: the list changes with new entries, or its audit still runs")
        raise Problem(404, "no-suspicion", _("no such suspicion"), text)
    return found


async def _suspicion_page(
    facts: Facts, request: Request, origin: str, place: int, form: Form, status: int = 200
) -> Response:
    """What is unusual, and each entry behind it."""
    found = await _suspicion(facts, origin, place)
    kept = facts.kit.ledgers.get(origin)
    matters = await facts.matters(origin)
    cases = [each for each in matters if each.kind == CASE and each.code == found.code]
    return facts.kit.page(
        request,
        "board/suspicion.html",
        status,
        origin=origin,
        found=found,
        meaning=named(SUSPICIONS, found.code),
        entries=[_told(kept, index) for index in found.entries[:ENTRIES_SHOWN]],
        more=max(0, len(found.entries) - ENTRIES_SHOWN),
        is_person=found.account.isdigit() and kept.account(found.account) is not None,
        by_members=_is_of_members(kept),
        cases=[each for each in cases if each.account == found.account],
        can=await _can(facts, request, origin),
        form=form,
        local=local,
        address=address,
    )


async def _case(facts: Facts, origin: str, index: int) -> Matter:
    for matter in await facts.matters(origin):
        if matter.kind == CASE and matter.entry_index == index:
            return matter
    raise Problem(404, "no-case", _("no such case"), _("there is no case of that number on this ledger here"))


async def _case_page(
    facts: Facts, request: Request, kept: KeptLedger, index: int, form: Form, status: int = 200
) -> Response:
    """All that there is of a case, and what can be done."""
    kit, origin = facts.kit, kept.origin
    found = await _case(facts, origin, index)
    if facts.is_own(origin):
        history: History = await kit.writer.ask(lambda node: _own_history(node, index))
    else:
        history = _kept_history(kept, index)
    numbers = {place for place, _entry in history}
    in_force = [each for each in await facts.matters(origin) if each.kind == SANCTION and each.entry_index in numbers]
    can = await _can(facts, request, origin)
    account = kept.account(found.account)
    resting: Sequence[int] = history[0][1].body.entries[:ENTRIES_SHOWN] if history else ()
    states = await _states(facts, kept, resting) if found.outcome not in ("", CLEARED) else {}
    return kit.page(
        request,
        "board/case.html",
        status,
        origin=origin,
        case=found,
        meaning=named(SUSPICIONS, found.code),
        history=[_line(place, entry) for place, entry in history],
        rests_on=[_told(kept, place) for place in resting],
        counted=[(place, _(ENTRY_STATES[state]), state) for place, state in states.items()],
        is_own=facts.is_own(origin),
        in_force=in_force,
        status_of=None if account is None else account.status,
        by_members=_is_of_members(kept),
        threshold=await kit.writer.ask(lambda node: node.state.threshold),
        is_heard=any(isinstance(entry.body, CaseStep) and entry.body.step == HEAR for _place, entry in history),
        pending=await _pending(facts, request, found, numbers) if can else [],
        can=can,
        form=form,
        measures=[(code, named(MEASURES, code)) for code in MEASURES],
        steps=[(code, named(STEPS, code)) for code in STEPS],
        outcomes=[(code, named(CASE_OUTCOMES, code)) for code in CASE_OUTCOMES],
        measure=lambda code: named(MEASURES, code),
        local=local,
        address=address,
    )


async def _states(facts: Facts, kept: KeptLedger, entries: Sequence[int]) -> dict[int, str]:
    """Which of the entries that a case rests on still count."""
    if facts.is_own(kept.origin):
        return await at_desk(facts.kit, lambda desk: states_at_desk(desk, entries))
    try:
        return states_kept(kept, entries)
    except EntryError:
        return {}


async def _can(facts: Facts, request: Request, origin: str) -> bool:
    """Whether they can decide here: a supervisor or a member in their place, on the own node, whose key lies in it."""
    who = facts.kit.who(request)
    if not (who.role == SUPERVISOR or facts.kit.stands_in(who)) or not facts.is_own(origin):
        return False
    return bool(await at_desk(facts.kit, lambda desk: desk.key_for(who)))


def _is_of_members(kept: KeptLedger) -> bool:
    """Whether genesis names no authority, so that members decide (RULES §1)."""
    first = _parsed(kept.entry(0))
    return first is not None and isinstance(first.body, Genesis) and not any(
        founder.role == AUTHORITY for founder in first.body.members
    )


async def _pending(facts: Facts, request: Request, case: Matter, numbers: set[int]) -> list[dict[str, Any]]:
    """What was proposed about a case and waits for a second signature."""
    who = facts.kit.who(request)
    found, words = await at_desk(facts.kit, lambda desk: survey(desk, who))
    told_of = []
    for each in found:
        body: Any = each.body
        about = body.sanction in numbers if isinstance(body, SanctionLift) else getattr(body, "case", None)
        if each.draft.kind in CASE_KINDS and about in (True, case.entry_index):
            told_of.append({"kind": each.draft.kind, "lines": words.lines(body), "can": not each.why_not})
    return told_of


def _own_history(node: DeskNode, index: int) -> History:
    return [(each.index, each.entry) for each in case_history(node, index)]


def _kept_history(kept: KeptLedger, case: int) -> History:
    """The same of a mirrored ledger, from its entries."""
    found: dict[int, Entry[Any]] = {}
    for index, raw in ((case, kept.entry(case)), *reversed(kept.entries_with(b'"case":%d' % case))):
        entry = _parsed(raw)
        if entry is not None and (index == case or (entry.kind in ABOUT_A_CASE and _case_of(entry) == case)):
            found[index] = entry
    sanctions = {index for index, entry in found.items() if entry.kind == "sanction"}
    for index, raw in reversed(kept.entries_with(b'"kind":"sanction_lift"')) if sanctions else ():
        entry = _parsed(raw)
        if entry is not None and isinstance(entry.body, SanctionLift) and entry.body.sanction in sanctions:
            found[index] = entry
    return sorted(found.items())


def _case_of(entry: Entry[Any]) -> object:
    return getattr(entry.body, "case", None)


def _parsed(raw: bytes | None) -> Entry[Any] | None:
    try:
        return None if raw is None else CODEC.parse(raw)
    except EntryError:
        return None


def _told(kept: KeptLedger, index: int) -> dict[str, Any]:
    """An entry in plain words."""
    entry = _parsed(kept.entry(index))
    return {"index": index, "at": None, "kind": "", "lines": []} if entry is None else _line(index, entry)


def _line(index: int, entry: Entry[Any]) -> dict[str, Any]:
    at = local(int(entry.at.timestamp()))
    return {"index": index, "at": at, "kind": entry.kind, "lines": entry_lines(entry)}
