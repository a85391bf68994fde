"""What needs a second person: proposed by one, signed by another.

    decision = await propose(kit, who, body, CLERK_MEMBER)       # kept on disk, or on the ledger where one suffices
    kit.note(request, told(decision), is_good=decision.state != REFUSED)

What the rules would refuse in any case is not kept: the decision says why. ``/desk/certify`` shows what waits, and a
clerk or member signs one, several or a whole sheet, or refuses them with a reason. Nobody signs what they recorded
themselves. The signatures are made here, when all have agreed, as one sheet for all that the same people sign.
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, TypeVar

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Request, Response

from chain.entry import Body
from ledger.bodies import Service
from store.drafts import Draft, Drafts, Order, Signer
from store.log import StoreError
from store.wishes import OBJECTIONS
from web.access.who import CLERK, MEMBER, SUPERVISOR, Who
from web.desk import DeskNode
from web.i18n import translate as _
from web.pages.desk_doubles import DRAFT, Mark, overlaps, warning
from web.pages.desk_foretelling import foretell
from web.pages.desk_signing import (
    KEY_GONE,
    NO_KEY,
    RECORDED,
    REFUSED,
    SIGNED,
    WAITS_ALREADY,
    Decision,
    Desk,
    body_of,
    decide,
    key_to_sign,
    missing,
    order_of,
    parse_body,
    recover,
)
from web.pages.desk_words import Words, accounts_in, needed_words, pointed, told, why
from web.pages.forms import EMPTY, Form
from web.pages.kit import Kit
from web.pages.names import Names
from web.problems import DeskError
from web.service.writer import is_of_medium

SHOWN_MAX = 300
NUMBER_MAX_DIGITS = 18
"""So many drafts stand on one page; a sheet is signed whole all the same."""
REASON_MAX_CHARACTERS = 200
MALFORMED = "entry.malformed"
REASONS = {"refuse": "reason", "back": "reason-back"}
"""Where it is said why: of what others recorded, and of what somebody takes back themselves."""
T = TypeVar("T")


async def propose(
    kit: Kit, who: Who, body: Body, demand: str, *, sheet: str = "", remark: str = "", private: bytes = b""
) -> Decision:
    """Have a statement wait for whoever else must sign, or record it where nobody else must."""
    (decision,) = await propose_all(kit, who, [order_of(body, demand, sheet, remark, private)])
    return decision


async def propose_all(kit: Kit, who: Who, orders: Sequence[Order]) -> list[Decision]:
    """The same for several, in their order; those that the rules would refuse now are not kept."""

    def put(desk: Desk) -> list[Decision]:
        key = desk.key_for(who)
        if not key:
            return [Decision(0, REFUSED, outcome=NO_KEY) for _order in orders]
        foretold = [foretell_order(desk, key, order) for order in orders]
        good = [order for order, refused in zip(orders, foretold, strict=True) if refused is None]
        ids = desk.drafts.put(good, Signer(who.name, key, desk.seconds)) if good else []
        kept = {draft.id: draft for draft in desk.drafts.waiting(*ids)} if ids else {}
        alone = [draft for draft in kept.values() if not missing(desk, draft)]
        done = {decision.draft: decision for decision in decide(desk, alone, None)}
        made = iter(done.get(number) or Decision(number, SIGNED) for number in ids)
        return [refused or next(made) for refused in foretold]

    return await at_desk(kit, put)


async def at_desk(kit: Kit, ask: Callable[[Desk], T]) -> T:
    """Ask in the writer's thread, with what waits and the keys of this home; a crash before is put right first.

    Texts that are made there are in the language of the request.
    """
    users = await to_thread.run_sync(kit.access.users)
    owners = {user.key: user.name for user in users if user.key}
    seconds, drafts = int(kit.clock().timestamp()), Drafts(kit.home.drafts)

    def question(node: DeskNode) -> T:
        desk = Desk(node, drafts, kit.home, kit.passphrase, owners, seconds)
        recover(desk)
        return ask(desk)

    context = copy_context()
    try:
        return await kit.writer.ask(lambda node: context.run(question, node))
    except StoreError as error:
        if is_of_medium(error):
            raise
        raise DeskError(str(error)) from error


def foretell_order(desk: Desk, key: str, order: Order) -> Decision | None:
    """Why an order would be refused: its body has no right form, the same waits already, or the rules say so."""
    if (order.kind, order.body) in desk.waiting_bodies:
        return Decision(0, REFUSED, outcome=WAITS_ALREADY)
    try:
        body = parse_body(order.kind, order.body)
    except msgspec.DecodeError as error:
        return Decision(0, REFUSED, 0, MALFORMED, str(error))
    return foretell(desk, key, order.demand, [body])[0]


# The page


class Waiting(NamedTuple):
    """A draft as somebody may sign it: why they cannot ("" where they can), and which roles are still missing."""

    draft: Draft
    body: Body
    why_not: str
    missing: tuple[str, ...]


@dataclass(slots=True)
class Row:
    """A draft on the page."""

    id: int
    kind: str
    lines: list[str]
    when: str
    remark: str
    cannot: str
    needs: str
    about: list[tuple[int, str]]
    warnings: list[str]
    outcome: str = ""


@dataclass(slots=True)
class Sheet:
    """What one person recorded together."""

    key: str
    title: str
    by: str
    rows: list[Row] = field(default_factory=list)
    count: int = 0

    @property
    def shown(self) -> str:
        """What the button asks to be signed: the sheet as far as it is shown, since more may come to it meanwhile."""
        return f"{self.key}#{max((row.id for row in self.rows), default=0)}"


def approval_router(kit: Kit, names: Names) -> APIRouter:
    """The routes."""
    router = kit.router()

    @router.get("/desk/certify")
    async def waiting(request: Request) -> Response:
        who = _signer(kit, request)
        return await _page(kit, names, request, who, EMPTY, {})

    @router.post("/desk/certify")
    async def certify(request: Request) -> Response:
        who, form = _signer(kit, request), await kit.form(request)
        act = form.text("act", 200)
        chosen = _ticked(form)
        if act.startswith("sheet:"):
            wanted = partial(_of_sheet, shown=act.removeprefix("sheet:"))
        else:
            wanted = partial(_of_numbers, chosen=chosen)
            if not chosen:
                form.flaw("drafts", _("tick at least one line"))
        field = REASONS.get(act)
        reason = "" if field is None else form.text(field, REASON_MAX_CHARACTERS, is_needed=True)
        if form.flaws:
            return await _page(kit, names, request, who, form, {}, 422)
        if field is not None:
            return await _refuse(kit, request, who, reason, chosen)
        decisions = await at_desk(kit, lambda desk: decide(desk, wanted(desk, who), who))
        if not decisions:
            kit.note(request, _("nothing of this waits for your signature any more"), is_good=False)
        _tell(kit, request, decisions)
        refused = {each.draft: why(each.outcome, each.detail) for each in decisions if each.state == REFUSED}
        if refused:
            return await _page(kit, names, request, who, form, refused)
        return kit.see(request, "/desk/certify")

    return router


def _signer(kit: Kit, request: Request) -> Who:
    """Somebody who may sign here; a supervisor only where this node's ledger is one that they oversee."""
    who = kit.who(request, CLERK, MEMBER, SUPERVISOR)
    kit.guard.check_ledger(who, kit.settings.origin)
    return who


def _ticked(form: Form) -> set[int]:
    """The numbers of the drafts that are ticked."""
    numbers = (number for number in form.several("draft") if number.isascii() and number.isdigit())
    return {int(number) for number in numbers if len(number) <= NUMBER_MAX_DIGITS}


async def _refuse(kit: Kit, request: Request, who: Who, reason: str, chosen: set[int]) -> Response:
    def refuse(desk: Desk) -> int:
        theirs = [draft.id for draft in desk.drafts.waiting(*chosen) if may_refuse(desk, draft, who)]
        return desk.drafts.refuse(theirs, reason, desk.seconds, Signer(who.name, desk.key_for(who), desk.seconds))

    count = await at_desk(kit, refuse)
    if count:
        kit.note(request, _("refused: {count}; nothing of it is on the ledger").format(count=count))
    if count < len(chosen):
        text = _("not refused: {count}; that is for who recorded it, or who is asked to sign it")
        kit.note(request, text.format(count=len(chosen) - count), is_good=False)
    return kit.see(request, "/desk/certify")


def _tell(kit: Kit, request: Request, decisions: Sequence[Decision]) -> None:
    """One sentence for each thing that happened."""
    recorded, signed, refused = (
        [each for each in decisions if each.state == state] for state in (RECORDED, SIGNED, REFUSED)
    )
    if len(recorded) == 1:
        kit.note(request, told(recorded[0]))
    elif recorded:
        text = _("recorded: {count}, as entries {first} to {last}")
        first, last = min(each.entry for each in recorded), max(each.entry for each in recorded)
        kit.note(request, text.format(count=len(recorded), first=first, last=last))
    if signed:
        kit.note(request, _("signed, waiting for another person: {count}").format(count=len(signed)))
    if refused:
        text = _("not recorded: {count}; why stands beside each line, and they go on waiting")
        kit.note(request, text.format(count=len(refused)), is_good=False)


def _of_numbers(desk: Desk, _who: Who, chosen: set[int]) -> list[Draft]:
    return desk.drafts.waiting(*chosen)


def _of_sheet(desk: Desk, who: Who, shown: str) -> list[Draft]:
    """Of a sheet whatever they can sign of what they were shown: nothing that came to it later."""
    key, _hash, last = shown.rpartition("#")
    if not (last.isascii() and last.isdigit()):
        return []
    waiting = desk.drafts.waiting()
    found = [draft for draft in waiting if sheet_key(draft) == key and draft.id <= int(last[:NUMBER_MAX_DIGITS])]
    return [draft for draft in found if not key_to_sign(desk, draft, who)[1]]


def sheet_key(draft: Draft) -> str:
    """What belongs together: of one person, what they recorded as one sheet, or else within a day."""
    return f"{draft.by.user}/{unicodedata.normalize('NFC', draft.sheet) or draft.by.at_seconds // 86_400}"


def is_for(desk: Desk, draft: Draft, who: Who) -> bool:
    """Whether somebody may look at a draft: at the desk all, from above what they have a part in."""
    return who.role != SUPERVISOR or may_refuse(desk, draft, who)


def may_refuse(desk: Desk, draft: Draft, who: Who) -> bool:
    """Whoever could sign it, or proposed it; no objection by who took it up; anybody what nobody can sign any more."""
    if key_to_sign(desk, draft, who)[1] in ("", KEY_GONE):
        return True
    return draft.by.user == who.name and draft.kind not in OBJECTIONS


def survey(desk: Desk, who: Who) -> tuple[list[Waiting], Words]:
    """All that waits, and what a user can do about it."""
    found = []
    for draft in desk.drafts.waiting():
        if not is_for(desk, draft, who):
            continue
        is_known = all(signer.key in desk.state.roster.keys for signer in draft.signers)
        lacking = tuple(missing(desk, draft).elements()) if is_known else ()
        found.append(Waiting(draft, body_of(draft), key_to_sign(desk, draft, who)[1], lacking))
    return found, Words({}, desk.state.utc_offset)


async def _page(
    kit: Kit, names: Names, request: Request, who: Who, form: Form, refused: dict[int, str], status: int = 200
) -> Response:
    found, bare, notes = await at_desk(kit, lambda desk: _noted(desk, *survey(desk, who)))
    bodies = [each.body for each in found[:SHOWN_MAX]]
    bodies += [note.about[1] for note in notes.values() if note.about is not None]
    words = await worded(names, request, bare, who, bodies)
    mine, others = (_sheets(found, words, notes, refused, can=can) for can in (True, False))
    values = {
        "sheets": mine,
        "others": others,
        "form": form,
        "ticked": _ticked(form),
        "is_back": form.get("act") == "back",
        "hidden": max(0, len(found) - SHOWN_MAX),
    }
    return kit.page(request, "desk/certify.html", status, **values)


class Noted(NamedTuple):
    """What stands beside a draft: the entry that it is about, and what to look at again."""

    about: tuple[int, Body] | None
    warnings: list[str]


def _noted(desk: Desk, found: Sequence[Waiting], words: Words) -> tuple[Sequence[Waiting], Words, dict[int, Noted]]:
    """The same, and for each of those shown what stands beside it."""
    shown = found[:SHOWN_MAX]
    services = [(Mark(DRAFT, each.draft.id), each.body) for each in shown if isinstance(each.body, Service)]
    clashing = overlaps(desk, services) if services else {}
    notes = {}
    for each in shown:
        others = clashing.get(Mark(DRAFT, each.draft.id), [])
        notes[each.draft.id] = Noted(pointed(desk.node, each.body), list(dict.fromkeys(map(warning, others))))
    return found, words, notes


async def worded(names: Names, request: Request, bare: Words, who: Who, bodies: Iterable[Body]) -> Words:
    """The same words with names, for those who may see names; that they do is on record first."""
    return Words(await known(names, request, who, accounts_in(bodies)), bare.offset)


async def known(names: Names, request: Request, who: Who, accounts: Iterable[str]) -> dict[str, str]:
    """The names of accounts, for those who may see names."""
    wanted = list(accounts)
    if not wanted or who.role not in (CLERK, MEMBER):
        return {}
    await names.asked(request, who)
    return await names.of(wanted)


def _sheets(
    found: Sequence[Waiting], words: Words, notes: dict[int, Noted], refused: dict[int, str], *, can: bool
) -> list[Sheet]:
    """Those that somebody can sign, or those that they cannot."""
    sheets: dict[str, Sheet] = {}
    for each in found:
        if (each.why_not == "") != can:
            continue
        draft = each.draft
        key = sheet_key(draft)
        title = draft.sheet.partition("#")[0] or words.moment(draft.by.at_seconds)[:10]
        sheet = sheets.setdefault(key, Sheet(key, title, draft.by.user))
        sheet.count += 1
        if draft.id in notes:
            sheet.rows.append(_row(each, words, notes[draft.id], refused.get(draft.id, "")))
    return list(sheets.values())


def _row(each: Waiting, words: Words, noted: Noted, outcome: str) -> Row:
    draft = each.draft
    needs = needed_words(each.missing)
    cannot = why(each.why_not) if each.why_not else ""
    when = words.moment(draft.by.at_seconds)
    about = [] if noted.about is None else [(noted.about[0], words.brief(noted.about[1]))]
    lines = words.lines(each.body)
    return Row(draft.id, draft.kind, lines, when, draft.remark, cannot, needs, about, noted.warnings, outcome)
