"""What a person does with their own hours: give to kin, donate, object to a service, appeal in a case.

Giving is asked for twice, the second time with what is given to whom in full: nothing of it can be taken back.

A form is signed by the person's own key where the browser has one that is granted: then it carries ``sheet``, and what
stands on it is judged and recorded at once. Without it the same form asks the desk (``store.wishes``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from chain.entry import Body
from chain.limits import LOG_MAX_ENTRIES, STRING_MAX_CODE_POINTS
from ledger.bodies import Appeal, Dispute, Donate, Gift
from ledger.kinds import KINDS
from ledger.numbers import POOL
from store.drafts import RECORDED, Drafts
from store.drafts import REFUSED as DRAFT_REFUSED
from store.wishes import HELP, REFUSED, TAKEN, WISHES_FILE, CrowdedError, Wishes
from web.i18n import translate as _
from web.pages.forms import EMPTY, Form
from web.pages.passbook_kit import Mine
from web.pages.passbook_reading import Line, Own, is_objectable, line_of, lines_of, met, spoken
from web.pages.passbook_signed import SHEET_MAX_CHARACTERS, UnsignedError, own_sheet, submit
from web.text import HOUR_MINUTES

HOURS_MAX = 10_000
GROUND_MAX_CHARACTERS = 500
LOOKED_THROUGH = 100
"""Of the last lines so many are looked through for services that may be objected to."""
SERVICES_MAX = 8
"""So many are offered."""
Entry = Annotated[int | None, Query(ge=0, le=LOG_MAX_ENTRIES)]
KIND_OF: dict[type[Body], str] = {kind.body: name for name, kind in KINDS.items()}


def act_router(mine: Mine) -> APIRouter:
    """The routes."""
    kit = mine.kit
    router = kit.router()

    async def give_page(request: Request, form: Form, status: int = 200) -> Response:
        who, own = await mine.own(request)
        known = await mine.named(who, own.kin)
        wished = await to_thread.run_sync(wished_by, mine, own.number)
        return mine.page(request, own, "give.html", status, form=form, names=known, wished=wished)

    @router.get("/me/give")
    async def give(request: Request) -> Response:
        return await give_page(request, EMPTY)

    @router.post("/me/give")
    async def give_it(request: Request) -> Response:
        who, own = await mine.own(request)
        form = await kit.form(request)
        body = _gift(form, own)
        if body is None or form.get("back"):
            return await give_page(request, form, 422 if form.flaws else 200)
        names = await mine.named(who, own.kin)
        is_sure = bool(form.get("sure"))
        if not is_sure or not await _done(mine, request, form, own, body, _given(body, names)):
            status = 422 if is_sure else 200
            return mine.page(request, own, "sure.html", status, form=form, gift=body, names=names)
        return kit.see(request, "/me")

    async def object_page(request: Request, form: Form, entry: int | None, status: int = 200) -> Response:
        who, own = await mine.own(request)
        found = lines_of(kit.ledgers.own, own.number, own.utc_offset, None, LOOKED_THROUGH)
        asked = None if entry is None else line_of(kit.ledgers.own, own.number, own.utc_offset, entry)
        found += [asked] if asked is not None else []
        services = _services(own, found, entry)
        known = await mine.named(who, met(services))
        return mine.page(
            request, own, "object.html", status, form=form, services=services, names=known, entry=entry or ""
        )

    @router.get("/me/object")
    async def object_to(request: Request, entry: Entry = None) -> Response:
        return await object_page(request, EMPTY, entry)

    @router.post("/me/object")
    async def object_it(request: Request) -> Response:
        _who, own = await mine.own(request)
        form = await kit.form(request)
        body = _objection(form, own)
        if body is None or not await _done(mine, request, form, own, body):
            return await object_page(request, form, None, 422)
        return kit.see(request, "/me")

    return router


def wishes_of(mine: Mine) -> Wishes:
    """What persons ask the desk for."""
    return Wishes(mine.kit.home.folder / WISHES_FILE)


@dataclass(frozen=True, slots=True)
class Wished:
    """Something that the desk was asked to record, and where it stands: ``entry`` once it is on the ledger."""

    kind: str
    state: str
    word: str = ""
    entry: int | None = None


def wished_by(mine: Mine, account: str) -> list[Wished]:
    """All that a person has asked to be recorded, the newest first."""
    drafts = Drafts(mine.kit.home.drafts)
    found = []
    for wish in wishes_of(mine).of(account):
        draft = drafts.get(wish.draft) if wish.draft else None
        if wish.kind == HELP:
            continue
        if draft is None or wish.state != TAKEN:
            found.append(Wished(wish.kind, wish.state, wish.word if wish.state == REFUSED else ""))
        elif draft.state == DRAFT_REFUSED:
            found.append(Wished(wish.kind, REFUSED, draft.reason))
        else:
            found.append(Wished(wish.kind, wish.state, entry=draft.entry if draft.state == RECORDED else None))
    return found


def _gift(form: Form, own: Own) -> Gift | Donate | None:
    """The gift or donation that a form asks for; None where it has a flaw."""
    to = form.choice("to", {POOL, *own.kin})
    hours = form.number("hours", 0, HOURS_MAX, is_needed=False) or 0
    rest = form.number("minutes", 0, HOUR_MINUTES - 1, is_needed=False) or 0
    minutes = hours * HOUR_MINUTES + rest
    if not form.flaws and not minutes:
        form.flaw("hours", _("how many hours do you want to give?"))
    if form.flaws:
        return None
    return Donate(giver=own.number, minutes=minutes) if to == POOL else Gift(giver=own.number, to=to, minutes=minutes)


def _given(body: Gift | Donate, names: Mapping[str, str]) -> str:
    """What is told when it is done."""
    if isinstance(body, Donate):
        return _("Given to the village's pool: {amount}.").format(amount=spoken(body.minutes))
    return _("Given to {name}: {amount}.").format(name=names.get(body.to) or body.to, amount=spoken(body.minutes))


def _objection(form: Form, own: Own) -> Body | None:
    """The objection or appeal that a form asks for."""
    ground = form.text("ground", min(GROUND_MAX_CHARACTERS, STRING_MAX_CODE_POINTS), is_needed=True)
    ground = " ".join(ground.split())
    if form.get("case"):
        case = form.number("case", 0, LOG_MAX_ENTRIES)
        if case is not None and case not in {each.index for each in own.cases}:
            form.flaw("case", _("choose one of those offered"))
        return None if form.flaws or case is None else Appeal(case=case, ground=ground)
    index = form.number("index", 0, LOG_MAX_ENTRIES)
    return None if form.flaws or index is None else Dispute(index=index, party=own.number, ground=ground)


async def _done(mine: Mine, request: Request, form: Form, own: Own, body: Body, told: str = "") -> bool:
    """Whether it was recorded or put before the desk; else the form says why not. ``told`` says that it is recorded."""
    kit, kind = mine.kit, KIND_OF[type(body)]
    sheet = form.text("sheet", SHEET_MAX_CHARACTERS)
    try:
        if sheet:
            index = await submit(kit, own_sheet(sheet, own, {kind}))
            kit.note(request, told or _("Done: entry {index} of the ledger.").format(index=index))
        else:
            seconds = int(kit.clock().timestamp())
            await to_thread.run_sync(wishes_of(mine).put, own.number, kind, msgspec.json.encode(body), seconds)
            kit.note(request, _("The village desk has your request and records it for you, with a second signature."))
    except (UnsignedError, CrowdedError) as error:
        form.flaw("sheet", str(error))
        return False
    return True


def _services(own: Own, lines: Sequence[Line], entry: int | None) -> list[Line]:
    """The services among lines that nobody objects to yet, each once; the one that was asked about first."""
    found = {line.index: line for line in lines if is_objectable(line) and line.index not in own.objected}
    return sorted(found.values(), key=lambda line: (line.index != entry, -line.index))[:SERVICES_MAX]
