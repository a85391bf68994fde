"""Requests at the desk: the committee blows the whistle, volunteers report for duty, and whoever came is recorded.

    /requests                 what is open, who is on the way, what waits; and who would best go to whom
    /requests/new             the whistle: an elder, a service, a time; or what somebody asked for on their own page
    /requests/{number}        one of them, with all who could come and why (``requests_one``)
    /requests/volunteers      what volunteers told about themselves (``requests_volunteers``)
    /requests/demand          what is asked for and missing, hour by hour (``requests_demand``)
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Response
from fastapi import Request as WebRequest

from care.matching import Helper, Need, Plan, Proposal, match
from care.requests import (
    ACCEPTED,
    CHECKED_IN,
    CHECKED_OUT,
    CONFIRMED,
    OBJECTED,
    OFFER,
    Request,
    Step,
)
from store.wishes import WISH_MAX
from web.access.who import CLERK, MEMBER
from web.i18n import translate as _
from web.pages.desk_record import whats
from web.pages.forms import EMPTY, Form
from web.pages.helpwishes import Help, help_waiting, make_help
from web.pages.kit import Kit
from web.pages.names import Names
from web.pages.requests_demand import demand_router
from web.pages.requests_form import GONE, Wanted, make_request, person_meant, read_request, told_in, why_not
from web.pages.requests_kit import STAFF, RequestKit, Table
from web.pages.requests_one import one_router
from web.pages.requests_volunteers import volunteers_router
from web.pages.requests_words import CARE_LEVELS, RequestWords

OFFERS_MAX = 500
OFFER_VALUE = re.compile(r"([0-9]{1,9}):([0-9]{8})")
SHOWN_MAX = 200


@dataclass(frozen=True, slots=True)
class Overview:
    """All that is not over, and what matching says."""

    requests: Sequence[Request]
    needs: Sequence[Need]
    helpers: Sequence[Helper]
    words: RequestWords


@dataclass(frozen=True, slots=True)
class Row:
    """A request on the page, with those who are proposed for it."""

    request: Request
    proposals: Sequence[Proposal]
    missing: int


def request_routers(kit: Kit, names: Names) -> list[APIRouter]:
    """The routes of the desk; ``/requests/{number}`` last, since the others' paths look like it."""
    care = RequestKit(kit, names)
    return [_router(care), volunteers_router(care), demand_router(care), one_router(care)]


def _router(care: RequestKit) -> APIRouter:
    kit, names = care.kit, care.names
    router = kit.router()

    @router.get("/requests")
    async def overview(request: WebRequest) -> Response:
        kit.who(request, CLERK, MEMBER)
        found = await care.ask(_overview)
        plan = await to_thread.run_sync(match, found.needs, found.helpers) if found.needs else Plan((), {})
        accounts = {account for each in found.requests for account in each.recipients}
        accounts |= {visit.volunteer for each in found.requests for visit in each.visits}
        accounts |= {proposal.account for proposal in plan.proposals}
        words = RequestWords(await names.shown(request, accounts), found.words.offset, found.words.now)
        return kit.page(request, "requests/overview.html", words=words, **_sections(found.requests, plan))

    @router.post("/requests/offer")
    async def offer(request: WebRequest) -> Response:
        kit.who(request, CLERK, MEMBER)
        form = await kit.form(request)
        pairs = [OFFER_VALUE.fullmatch(text) for text in form.several("offer", OFFERS_MAX)]
        chosen = [(int(pair[1]), pair[2]) for pair in pairs if pair is not None]
        count = await care.ask(lambda table: sum(_offered(table, number, account) for number, account in chosen))
        if not count:
            return kit.see(request, "/requests", _("nobody was asked: tick somebody first"), is_good=False)
        return kit.see(request, "/requests", _("asked: {count} volunteers").format(count=count))

    @router.get("/requests/new")
    async def begin(request: WebRequest, person: str = "", wish: int = 0) -> Response:
        kit.who(request, CLERK, MEMBER)
        if wish:
            found = await care.ask(lambda table: help_waiting(table, wish)) if 0 < wish <= WISH_MAX else None
            if found is None:
                return kit.see(request, "/desk/asked", why_not(GONE), is_good=False)
            return await _form(request, Wanted(_filled(found)))
        return await _form(request, Wanted(Form({"person": person[:8]}) if person else EMPTY))

    @router.post("/requests/new")
    async def whistle(request: WebRequest) -> Response:
        who, form = kit.who(request, CLERK, MEMBER), await kit.form(request)
        local = await care.ask(lambda table: dict(table.state.parameters.local_services))
        wanted = await read_request(care, request, who, form, {code for code, _text in whats(local)})
        account = "" if form.flaws else (await person_meant(names, request, who, form, "person"))[0]
        told = told_in(form, account) if account else None
        if told is None:
            return await _form(request, wanted, 422)
        wish = form.number("wish", 1, WISH_MAX, is_needed=False)
        made = await (make_help(care, who, wish, told) if wish else make_request(care, who, told))
        if isinstance(made, tuple):
            field, outcome = made
            form.flaw(field, why_not(outcome))
            return await _form(request, wanted, 422)
        return kit.see(request, f"/requests/{made.id}", _("noted. Choose below who is asked."))

    async def _form(request: WebRequest, wanted: Wanted, status: int = 200) -> Response:
        local, today = await care.ask(
            lambda table: (dict(table.state.parameters.local_services), table.now + table.state.utc_offset)
        )
        values: dict[str, Any] = {
            "form": wanted.form,
            "choices": wanted.choices,
            "whats": whats(local),
            "levels": [(str(code), _(text)) for code, text in CARE_LEVELS.items()],
            "today": today.date().isoformat(),
        }
        return kit.page(request, "requests/new.html", status, **values)

    return router


def _filled(found: Help) -> Form:
    """The form as somebody would fill it in who was asked for this."""
    told = found.asked.told
    fields = {"person": found.wish.account, "what": told.what, "minutes": str(told.minutes), "details": told.details}
    when = {"day": told.day.isoformat(), "clock": f"{told.clock:%H:%M}"}
    return Form(fields | when | {"wish": str(found.wish.id)})


def _overview(table: Table) -> Overview:
    live = table.live()
    needs = table.needs(live)
    helpers = table.helpers() if needs else []
    return Overview(live, needs, helpers, RequestWords({}, table.state.utc_offset, table.now))


def _sections(requests: Sequence[Request], plan: Plan) -> dict[str, Any]:
    """The requests by what is to be done about them, the next first."""
    proposals: dict[int, list[Proposal]] = {}
    for proposal in plan.proposals:
        proposals.setdefault(proposal.need, []).append(proposal)
    rows = [
        Row(request, proposals.get(request.id, []), plan.missing.get(request.id, 0))
        for request in sorted(requests, key=lambda each: (each.starts_at, each.id))
    ]
    return {
        "open": [row for row in rows if row.request.missing][:SHOWN_MAX],
        "coming": _at(rows, ACCEPTED, CHECKED_IN),
        "unconfirmed": _at(rows, CHECKED_OUT, OBJECTED),
        "confirmed": _at(rows, CONFIRMED),
    }


def _at(rows: Sequence[Row], *stages: str) -> list[Row]:
    """Where a volunteer's visit stands so, however the others' stand."""
    return [row for row in rows if any(visit.stage in stages for visit in row.request.visits)][:SHOWN_MAX]


def _offered(table: Table, number: int, account: str) -> bool:
    answer = table.take(number, Step(kind=OFFER, by=STAFF, at=table.now, volunteer=account))
    return isinstance(answer, Request)
