"""Record one service at the desk, in a few key strokes: what is not typed again is kept from the record before.

People are named by number, or by what ``web.pages.names`` finds them by; where several are meant, the page asks which.
"Look first" says what the rules will say and what the balances become, and writes nothing; ``desk.js`` asks the same
while somebody types. A remark stays with the draft and never comes onto the ledger.

The evidence of a record on paper is the hash of this one row as a day-sheet file (RULES §4, docs/desk.md), without the
remark: whoever keeps the paper can make it again. With a coupon nobody else has to sign: it is recorded at once.
"""

import datetime
import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Request, Response

from ledger.bodies import COUPON, PAPER, Evidence, Service
from ledger.numbers import has_check_digits
from web.access.who import CLERK, MEMBER, Who
from web.coupons import Coupon, Shelf, coupon_evidence, parse_coupon
from web.daysheet import COLUMNS, interval, local_midnight
from web.desk import DeskNode
from web.i18n import translate as _
from web.pages.approvals import at_desk, known, propose
from web.pages.desk_signing import CLERK_ALONE, CLERK_MEMBER, NO_KEY, RECORDED, REFUSED, Desk, foretell
from web.pages.desk_words import PAYERS, local_name, told, why
from web.pages.forms import Form
from web.pages.kit import Kit
from web.pages.names import Found, Names
from web.refused import format_row
from web.table import BadRowError
from web.text import CATEGORIES, hours_of, named_category

HOUR_MINUTES = 60
REMARK_MAX_CHARACTERS, SHEET_MAX_CHARACTERS = 200, 40
CHOICES_MAX = 8
"""So many people are shown where a name fits several."""
WHAT = re.compile(r"[a-z][a-z0-9_]{0,31}(/[a-z][a-z0-9_]{0,31})?")
NUMBER_AT_END = re.compile(r".*?([0-9]{8})")
KEPT = ("provider", "date", "what", "paid_by", "evidence", "sheet")
"""What the next record begins with."""
EVIDENCES = (PAPER, COUPON)


@dataclass(slots=True)
class Record:
    """A form on its way to a service; ``choices`` are the people among whom somebody has to choose."""

    form: Form
    choices: dict[str, Sequence[Found]] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)


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
        read = await _read(names, request, who, form)
        if read.form.flaws:
            return await _page(kit, request, read, None, 422)
        service = await _service(kit, read)
        if service is None:
            return await _page(kit, request, read, None, 422)
        if form.text("act") == "look":
            return await _page(kit, request, read, await _preview(kit, names, request, who, service))
        demand = CLERK_ALONE if service.evidence.form == COUPON else CLERK_MEMBER
        remark = form.text("remark")
        decision = await propose(kit, who, service, demand, sheet=form.text("sheet"), remark=remark)
        if decision.state == REFUSED:
            said = _("not possible: {why}").format(why=why(decision.outcome, decision.detail))
            return await _page(kit, request, read, Preview(False, [said]), 422)
        return kit.see(request, _next(form, service), _done(decision.state == RECORDED, told(decision), service))

    @router.post("/desk/record/look")
    async def look(request: Request) -> Response:
        """The same preview for a page's module, as JSON."""
        who, form = kit.who(request, CLERK, MEMBER), await kit.form(request)
        read = await _read(names, request, who, form)
        service = None if read.form.flaws else await _service(kit, read)
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


# From the form to a service


async def _read(names: Names, request: Request, who: Who, form: Form) -> Record:
    """Find out who is meant, and look at what does not come onto the ledger."""
    read = Record(form)
    form.text("remark", REMARK_MAX_CHARACTERS)
    form.text("sheet", SHEET_MAX_CHARACTERS)
    for name in ("provider", "recipient"):
        read.people[name] = await _person(names, request, who, read, name)
    return read


async def _person(names: Names, request: Request, who: Who, read: Record, name: str) -> str:
    """The account number of whom a field means; "" with a flaw, and perhaps with choices."""
    form = read.form
    picked = form.text(f"{name}_pick", 16)
    typed = unicodedata.normalize("NFKC", form.text(name, 64, is_needed=True))
    found = NUMBER_AT_END.fullmatch(picked or typed.replace(" ", ""))
    if found is not None and (picked or not typed.isdigit() or len(typed) == len(found[1])):
        if has_check_digits(found[1]):
            return found[1]
        form.flaw(name, _("an account number has eight digits; look at the passbook's first page"))
    if not typed or name in form.flaws:
        return ""
    await names.asked(request, who)
    people = await names.find(typed, CHOICES_MAX)
    if len(people) == 1:
        return people[0].account
    read.choices[name] = people
    form.flaw(name, _("choose who is meant") if people else _("nobody is found by this: look at the name or number"))
    return ""


async def _service(kit: Kit, read: Record) -> Service | None:
    """The service that the form says; None with flaws in it."""
    form = read.form
    day, start, end = form.date("date"), form.clock("start"), form.clock("end")
    what = form.text("what", 80, is_needed=True)
    if what and not WHAT.fullmatch(what):
        form.flaw("what", _("choose one of those offered"))
    payer = form.choice("paid_by", PAYERS)
    shown_by = form.choice("evidence", EVIDENCES)
    coupon = form.text("coupon", 200, is_needed=shown_by == COUPON)
    minutes = form.number("minutes", 1, 24 * HOUR_MINUTES, is_needed=False)
    if form.flaws or day is None or start is None or end is None:
        return None
    if not 2001 <= day.year <= 2998:
        form.flaw("date", _("a date, like 2026-11-21"))
        return None
    slip = _slip(form, kit.settings.origin, coupon) if shown_by == COUPON else None
    if form.flaws:
        return None
    first, last = interval(start.hour * HOUR_MINUTES + start.minute, end.hour * HOUR_MINUTES + end.minute)

    def make(node: DeskNode) -> Service:
        state = node.state
        midnight = local_midnight(day, state.utc_offset)
        category, _slash, local = what.partition("/")
        evidence = None if slip is None else coupon_evidence(slip, state, Shelf(kit.home))
        provider = state.accounts.get(read.people["provider"])
        return Service(
            category=category,
            end=midnight + last,
            evidence=evidence or Evidence(form="paper", hash=bytes(32)),
            guardian=provider.guardian if provider is not None and provider.minor else None,
            local=local or None,
            minutes=minutes or max(1, int((last - first).total_seconds()) // 60),
            paid_by=cast(Literal["recipient", "pool", "issue"], payer),
            provider=read.people["provider"],
            recipient=read.people["recipient"],
            start=midnight + first,
        )

    made = await kit.writer.ask(make)
    if made.evidence.form == PAPER:
        row = paper_row(day, start, end, made)
        return msgspec.structs.replace(made, evidence=Evidence(form="paper", hash=hashlib.sha256(row).digest()))
    return made


def _slip(form: Form, origin: str, text: str) -> Coupon | None:
    """The coupon that was scanned or typed; None with a flaw where it was misread."""
    try:
        return parse_coupon(text, origin)
    except BadRowError as error:
        form.flaw("coupon", str(error))
        return None


def paper_row(day: datetime.date, start: datetime.time, end: datetime.time, service: Service) -> bytes:
    """A service on paper as a day-sheet file of one row, of which the ledger has the hash."""
    cells = {
        "date": day.isoformat(),
        "start": f"{start:%H:%M}",
        "end": f"{end:%H:%M}",
        "provider": service.provider,
        "recipient": service.recipient,
        "category": service.category,
        "local": service.local or "",
        "minutes": str(service.minutes),
        "paid_by": service.paid_by,
        "evidence": PAPER,
    }
    return format_row(COLUMNS) + format_row(cells.get(column, "") for column in COLUMNS)


# What the page shows


async def _preview(kit: Kit, names: Names, request: Request, who: Who, service: Service) -> Preview:
    """What would become of it."""
    demand = CLERK_ALONE if service.evidence.form == COUPON else CLERK_MEMBER

    def ask(desk: Desk) -> tuple[str, str, int, int]:
        key, state = desk.key_for(who), desk.state
        if not key:
            return NO_KEY, "", 0, 0
        (refused,) = foretell(desk, key, demand, [service])
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

