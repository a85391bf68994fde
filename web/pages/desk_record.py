"""Record one service at the desk, in a few key strokes: what is not typed again is kept from the record before.

People are named by number, or by what ``web.pages.names`` finds them by; where several are meant, the page asks which.
"Look first" says what the rules will say and what the balances become, and writes nothing; ``desk.js`` asks the same
while somebody types. A remark stays with the draft and never comes onto the ledger.

With a coupon nobody else has to sign: it is recorded at once. What the form's fields mean ``desk_service`` knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Request, Response

from ledger.bodies import COUPON, Service
from web.access.who import CLERK, MEMBER, Who
from web.i18n import translate as _
from web.pages.approvals import at_desk, foretell_order, known, propose
from web.pages.desk_doubles import Recorded
from web.pages.desk_service import Record, make_service, read_record
from web.pages.desk_signing import (
    CLERK_ALONE,
    CLERK_MEMBER,
    NO_KEY,
    RECORDED,
    RECORDED_ALREADY,
    REFUSED,
    Decision,
    Desk,
    order_of,
)
from web.pages.desk_words import PAYERS, local_name, told, why
from web.pages.forms import Form
from web.pages.kit import Kit
from web.pages.names import Found, Names
from web.text import CATEGORIES, hours_of, named_category

KEPT = ("provider", "date", "what", "paid_by", "evidence", "sheet")
"""What the next record begins with."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What the rules say before anything is written."""

    is_good: bool
    lines: list[str]


def record_router(kit: Kit, names: Names) -> APIRouter:
    """The routes."""
    router = kit.router()

    @router.get("/desk/record")
    async def begin(request: Request) -> Response:
        who = kit.who(request, CLERK, MEMBER)
        asked = {name: request.query_params.get(name, "")[:64] for name in (*KEPT, "recipient")}
        given = {name: value for name, value in asked.items() if value}
        for name in ("provider", "recipient"):
            if name in given:
                found = await known(names, request, who, [given[name]])
                given[name] = f"{found[given[name]]} {given[name]}".strip()
        return await _page(kit, request, Record(Form(given)), None)

    @router.post("/desk/record")
    async def record(request: Request) -> Response:
        who, form = kit.who(request, CLERK, MEMBER), await kit.form(request)
        read = await read_record(names, request, who, form)
        if read.form.flaws:
            return await _page(kit, request, read, None, 422)
        service = await make_service(kit, read)
        if service is None:
            return await _page(kit, request, read, None, 422)
        if form.text("act") == "look":
            return await _page(kit, request, read, await _preview(kit, names, request, who, service))
        demand = CLERK_ALONE if service.evidence.form == COUPON else CLERK_MEMBER
        decision = Decision(0, REFUSED, outcome=RECORDED_ALREADY)
        if not await kit.writer.ask(lambda node: Recorded(node).index(service)):
            sheet, remark = form.text("sheet"), form.text("remark")
            decision = await propose(kit, who, service, demand, sheet=sheet, remark=remark)
        if decision.state == REFUSED:
            said = _("not possible: {why}").format(why=why(decision.outcome, decision.detail))
            return await _page(kit, request, read, Preview(False, [said]), 422)
        return kit.see(request, _next(form, service), _done(decision.state == RECORDED, told(decision), service))

    @router.post("/desk/record/look")
    async def look(request: Request) -> Response:
        """The same preview for a page's module, as JSON."""
        who, form = kit.who(request, CLERK, MEMBER), await kit.form(request)
        read = await read_record(names, request, who, form)
        service = None if read.form.flaws else await make_service(kit, read)
        if service is None:
            return _json(Preview(False, list(read.form.flaws.values())[:1]))
        return _json(await _preview(kit, names, request, who, service))

    return router


def _json(preview: Preview) -> Response:
    raw = msgspec.json.encode(preview)
    return Response(raw, media_type="application/json", headers={"Cache-Control": "no-store"})


def _done(is_recorded: bool, said: str, service: Service) -> str:
    hours = hours_of(service.minutes)
    if is_recorded:
        return _("{hours} h {said}").format(hours=hours, said=said)
    return _("{hours} h noted; a committee member signs next. Go on with the next one.").format(hours=hours)


def _next(form: Form, service: Service) -> str:
    """Where the next record begins: with what stays the same on a sheet."""
    kept = {name: form.text(name, 64) for name in KEPT} | {"provider": service.provider}
    return f"/desk/record?{urlencode({name: value for name, value in kept.items() if value})}"


# What the page shows


async def _preview(kit: Kit, names: Names, request: Request, who: Who, service: Service) -> Preview:
    """What would become of it."""
    demand = CLERK_ALONE if service.evidence.form == COUPON else CLERK_MEMBER

    def ask(desk: Desk) -> tuple[str, str, int, int]:
        key, state = desk.key_for(who), desk.state
        if not key:
            return NO_KEY, "", 0, 0
        refused = foretell_order(desk, key, order_of(service, demand))
        if Recorded(desk.node).index(service):
            refused = Decision(0, REFUSED, outcome=RECORDED_ALREADY)
        payer = service.recipient if service.paid_by == "recipient" else service.paid_by
        if refused is not None:
            return refused.outcome, refused.detail, 0, 0
        return "", "", state.accounts[service.provider].balance, state.accounts[payer].balance

    outcome, detail, provider, payer = await at_desk(kit, ask)
    if outcome:
        return Preview(False, [_("not possible: {why}").format(why=why(outcome, detail))])
    shown = await known(names, request, who, [service.provider, service.recipient])
    text = _("{name} then has {hours} h")
    lines = [
        _("{hours} hours").format(hours=hours_of(service.minutes)),
        text.format(name=shown[service.provider] or service.provider, hours=hours_of(provider + service.minutes)),
    ]
    if service.paid_by == "recipient":
        name = shown[service.recipient] or service.recipient
        lines.append(text.format(name=name, hours=hours_of(payer - service.minutes)))
    elif service.paid_by == "pool":
        lines.append(text.format(name=_(PAYERS["pool"]), hours=hours_of(payer - service.minutes)))
    return Preview(True, lines)


async def _page(
    kit: Kit, request: Request, read: Record, preview: Preview | None, status: int = 200
) -> Response:
    local, offset = await kit.writer.ask(
        lambda node: (dict(node.state.parameters.local_services), node.state.utc_offset)
    )
    today = (kit.clock() + offset).date().isoformat()
    form = read.form
    return kit.page(
        request,
        "desk/record.html",
        status,
        form=form,
        choices=read.choices,
        preview=preview,
        today=today,
        whats=whats(local),
        payers=[(code, _(text)) for code, text in PAYERS.items()],
        focus=_focus(form, read.choices),
    )


def whats(local: Mapping[str, str]) -> list[tuple[str, str]]:
    """The services to choose from: the eight, and below each the district's own."""
    found = []
    for category in CATEGORIES:
        found.append((category, named_category(category)))
        own = sorted(code for code, of in local.items() if of == category)
        text = _("{category}: {local}")
        name = named_category(category)
        found += [(f"{category}/{code}", text.format(category=name, local=local_name(code))) for code in own]
    return found


def _focus(form: Form, choices: Mapping[str, Sequence[Found]]) -> str:
    """Where typing goes on."""
    if choices:
        return ""
    if form.flaws:
        return next(iter(form.flaws))
    return "recipient" if form.get("provider") else "provider"

