"""Record one service at the desk, in a few key strokes: what is not typed again is kept from the record before.

People are named by number, or by what ``web.pages.names`` finds them by; where several are meant, the page asks which.
"Look first" says what the rules will say and what the balances become, and writes nothing; ``desk.js`` asks the same
while somebody types. A remark stays with the draft and never comes onto the ledger.

With a coupon nobody else has to sign: it is recorded at once. What the form's fields mean ``desk_service`` knows.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Request, Response

from ledger.bodies import Service
from web.access.who import CLERK, MEMBER, Who
from web.i18n import translate as _
from web.pages.approvals import at_desk, known, propose
from web.pages.desk_latest import latest
from web.pages.desk_preview import Preview, demand_of, preview
from web.pages.desk_service import Record, make_service, read_record
from web.pages.desk_signing import RECORDED, REFUSED, Decision
from web.pages.desk_words import PAYERS, Words, accounts_in, local_name, told, why
from web.pages.forms import Form
from web.pages.kit import Kit
from web.pages.names import Found, Names
from web.text import CATEGORIES, hours_of, named_category

KEPT = ("provider", "date", "what", "paid_by", "evidence", "sheet")
"""What the next record begins with."""
FILLED = (*KEPT, "recipient", "start", "end", "minutes")
"""What a link may fill in, such as that beside a record that was refused."""


def record_router(kit: Kit, names: Names) -> APIRouter:
    """The routes."""
    router = kit.router()

    @router.get("/desk/record")
    async def begin(request: Request) -> Response:
        who = kit.who(request, CLERK, MEMBER)
        asked = {name: request.query_params.get(name, "")[:64] for name in FILLED}
        given = {name: value for name, value in asked.items() if value}
        for name in ("provider", "recipient"):
            if name in given:
                found = await known(names, request, who, [given[name]])
                given[name] = f"{found[given[name]]} {given[name]}".strip()
        return await _page(kit, names, request, who, Record(Form(given)), None)

    @router.post("/desk/record")
    async def record(request: Request) -> Response:
        who, form = kit.who(request, CLERK, MEMBER), await kit.form(request)
        read = await read_record(names, request, who, form)
        service = None if read.form.flaws else await make_service(kit, read)
        if service is None:
            return await _page(kit, names, request, who, read, None, 422)
        foretold = await preview(kit, names, request, who, service)
        if form.text("act") == "look":
            return await _page(kit, names, request, who, read, foretold)
        if not foretold.is_good:
            return await _page(kit, names, request, who, read, foretold, 422)
        sheet, remark = form.text("sheet"), form.text("remark")
        decision = await propose(kit, who, service, demand_of(service), sheet=sheet, remark=remark)
        if decision.state == REFUSED:
            said = _("not possible: {why}").format(why=why(decision.outcome, decision.detail))
            return await _page(kit, names, request, who, read, Preview(False, [said]), 422)
        people = await known(names, request, who, [service.provider, service.recipient])
        kit.note(request, _done(decision, service, people, is_clerk=who.role == CLERK))
        for text in foretold.warnings:
            kit.note(request, text, is_good=False)
        return kit.see(request, _next(form, service))

    @router.post("/desk/record/look")
    async def look(request: Request) -> Response:
        """The same preview for a page's module, as JSON."""
        who, form = kit.who(request, CLERK, MEMBER), await kit.form(request)
        read = await read_record(names, request, who, form)
        service = None if read.form.flaws else await make_service(kit, read)
        if service is None:
            return _json(Preview(False, list(read.form.flaws.values())[:1]))
        return _json(await preview(kit, names, request, who, service))

    return router


def _json(foretold: Preview) -> Response:
    raw = msgspec.json.encode(foretold)
    return Response(raw, media_type="application/json", headers={"Cache-Control": "no-store"})


def _done(decision: Decision, service: Service, people: Mapping[str, str], *, is_clerk: bool) -> str:
    """Who for whom, how long, and what comes next."""
    text = _("{hours} hours by {provider} for {recipient}: {said}")
    if decision.state != RECORDED and is_clerk:
        text = _(
            "{hours} hours by {provider} for {recipient} noted; a committee member signs next. Go on with the next one."
        )
    elif decision.state != RECORDED:
        text = _("{hours} hours by {provider} for {recipient} noted; a clerk signs next. Go on with the next one.")
    return text.format(
        hours=hours_of(service.minutes),
        provider=people.get(service.provider) or service.provider,
        recipient=people.get(service.recipient) or service.recipient,
        said=told(decision),
    )


def _next(form: Form, service: Service) -> str:
    """Where the next record begins: with what stays the same on a sheet."""
    kept = {name: form.text(name, 64) for name in KEPT} | {"provider": service.provider}
    return f"/desk/record?{urlencode({name: value for name, value in kept.items() if value})}"


# What the page shows


async def _page(
    kit: Kit, names: Names, request: Request, who: Who, read: Record, foretold: Preview | None, status: int = 200
) -> Response:
    local, offset, recorded = await at_desk(
        kit,
        lambda desk: (dict(desk.state.parameters.local_services), desk.state.utc_offset, latest(desk, who)),
    )
    people = await known(names, request, who, accounts_in(each.body for each in recorded))
    words = Words(people, offset)
    today = (kit.clock() + offset).date().isoformat()
    form = read.form
    return kit.page(
        request,
        "desk/record.html",
        status,
        form=form,
        choices=read.choices,
        preview=foretold,
        latest=[each.told(words) for each in recorded],
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

