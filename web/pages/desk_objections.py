"""Objections: those that nobody has decided, one to be written down, and deciding one (RULES §3, §7).

A clerk and a member write an objection down for whoever comes to the desk. Two members decide it who neither recorded
nor certified the service; where it is upheld, the service is taken back.
"""

from dataclasses import dataclass
from typing import Literal, cast

from fastapi import APIRouter, Request, Response

from chain.entry import Body
from ledger.bodies import Dispute, Resolve, Service
from web.access.who import CLERK, MEMBER, Who
from web.desk import DeskNode
from web.history import past
from web.i18n import translate as _
from web.pages.approvals import at_desk, propose, worded
from web.pages.desk_signing import CLERK_MEMBER, REFUSED, TWO_MEMBERS, Desk
from web.pages.desk_words import Words, told
from web.pages.forms import EMPTY, Form
from web.pages.kit import Kit
from web.pages.names import Names
from web.text import NO_NEUTRAL_PART

TEXT_MAX_CHARACTERS = 500
SHOWN_MAX = 100
INDEX_MAX = 2**53 - 1
OUTCOMES = ("upheld", "rejected")


@dataclass(frozen=True, slots=True)
class Objection:
    """An objection with the service that it is about."""

    index: int
    date: str
    party: str
    ground: str
    service: int
    body: Service
    is_involved: bool
    """Whether who looks at it recorded or certified the service, so that others decide."""


def objection_router(kit: Kit, names: Names) -> APIRouter:
    """The routes."""
    router = kit.router()

    @router.get("/desk/objections")
    async def open_ones(request: Request) -> Response:
        who = kit.who(request, CLERK, MEMBER)
        entry = request.query_params.get("entry", "")[:16]
        return await _page(kit, names, request, who, Form({"entry": entry}))

    @router.post("/desk/objections")
    async def write_down(request: Request) -> Response:
        who, form = kit.who(request, CLERK, MEMBER), await kit.form(request)
        index = form.number("entry", 0, INDEX_MAX)
        ground = form.text("ground", TEXT_MAX_CHARACTERS, is_needed=True)
        service = None if index is None else await kit.writer.ask(lambda node: _service(node, index))
        if index is not None and service is None:
            form.flaw("entry", _("entry {index} is no service").format(index=index))
        side = form.choice("party", ("provider", "recipient"))
        if form.flaws or service is None or index is None:
            return await _page(kit, names, request, who, form, 422)
        party = service.provider if side == "provider" else service.recipient
        decision = await propose(kit, who, Dispute(ground=ground, index=index, party=party), CLERK_MEMBER)
        return kit.see(request, "/desk/objections", told(decision), is_good=decision.state != REFUSED)

    @router.post("/desk/objections/{index}")
    async def decide(request: Request, index: int) -> Response:
        who, form = kit.who(request, MEMBER), await kit.form(request)
        outcome = form.choice("outcome", OUTCOMES)
        reason = form.text("reason", TEXT_MAX_CHARACTERS, is_needed=True)
        if form.flaws:
            text = next(iter(form.flaws.values()))
            return kit.see(request, "/desk/objections", text, is_good=False)
        body = Resolve(index=index, outcome=cast(Literal["upheld", "rejected"], outcome), reason=reason)
        decision = await propose(kit, who, body, TWO_MEMBERS)
        text = told(decision)
        if decision.outcome == "not-allowed":
            text = _(NO_NEUTRAL_PART)
        return kit.see(request, "/desk/objections", text, is_good=decision.state != REFUSED)

    return router


async def _page(
    kit: Kit, names: Names, request: Request, who: Who, form: Form = EMPTY, status: int = 200
) -> Response:
    entry = form.get("entry")
    index = int(entry) if entry.isascii() and entry.isdigit() else -1
    found, chosen, bare = await at_desk(
        kit, lambda desk: (_objections(desk, who), _service(desk.node, index), Words({}, desk.state.utc_offset))
    )
    bodies: list[Body] = [each.body for each in found]
    words = await worded(names, request, bare, who, bodies + ([chosen] if chosen else []))
    return kit.page(
        request,
        "desk/objections.html",
        status,
        form=form,
        objections=[(each, words.person(each.party), words.lines(each.body)) for each in found],
        chosen=words.lines(chosen) if chosen else [],
        parties=[
            ("recipient", _("who was served: {person}").format(person=words.person(chosen.recipient))),
            ("provider", _("who served: {person}").format(person=words.person(chosen.provider))),
        ]
        if chosen
        else [("recipient", _("who was served")), ("provider", _("who served"))],
    )


def _objections(desk: Desk, who: Who) -> list[Objection]:
    """Those that nobody has decided, the oldest first."""
    found, node, keys = [], desk.node, desk.state.roster.keys
    own = keys.get(desk.key_for(who))
    for each in sorted(node.state.objections.values(), key=lambda one: one.index)[:SHOWN_MAX]:
        dispute, service = past(node, each.index), past(node, each.service)
        body: Dispute = dispute.body
        signers = {keys[key].person for key in (service.entry.by, *service.entry.beside) if key in keys}
        is_involved = own is not None and own.person in signers
        found.append(
            Objection(each.index, dispute.date, body.party, body.ground, each.service, service.body, is_involved)
        )
    return found


def _service(node: DeskNode, index: int) -> Service | None:
    """The service that is an entry; None where it is none."""
    if not 0 <= index < node.store.size:
        return None
    body = node.entry(index).body
    return body if isinstance(body, Service) else None
