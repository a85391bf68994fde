"""Open an account, or describe a person anew: one form, in the words of the desk.

What the ledger learns (roles, guardian, whose hours are paid for, the five-year band of birth) and what it never learns
(name, telephone, address …) stand in two parts of the form. Both are proposed together, and somebody in the other role
certifies them.
"""

import datetime
from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from care.dossier import FIRST_BIRTH_YEAR, TEXT_MAX_CHARACTERS, CareError, make_dossier
from ledger.bodies import AccountOpen, AccountUpdate
from web.access.who import CLERK, MEMBER, Who
from web.i18n import marked
from web.i18n import translate as _
from web.pages.approvals import propose
from web.pages.desk_signing import REFUSED
from web.pages.desk_words import told as said
from web.pages.forms import EMPTY, Form
from web.pages.kit import Kit
from web.pages.names import Names
from web.pages.people_dossiers import (
    NOTHING_NEW,
    WAITS_ALREADY,
    Told,
    demand_of,
    dossier_of,
    forget,
    make_opening,
    make_update,
)
from web.pages.people_person import known, look_at
from web.pages.people_words import GROUPS, worded
from web.people import ADULT_YEARS, age_on

PERSONAL = ("name", "phone", "address", "care_level", "income_band", "diet", "emergency_contact")
LANGUAGES_MAX_CHARACTERS = 300
FLAGS = ("volunteer", "elder", "visitor")
WHY_NOT = {
    WAITS_ALREADY: marked("a change of these particulars waits already: have it certified or refused first"),
    NOTHING_NEW: marked("nothing was changed"),
}


def form_router(kit: Kit, names: Names) -> APIRouter:
    """The routes; before those of ``/people/{account}``."""
    router = kit.router()

    @router.get("/people/open")
    async def ask(request: Request) -> Response:
        kit.who(request, CLERK, MEMBER)
        return await show(request, EMPTY)

    @router.post("/people/open")
    async def open_account(request: Request) -> Response:
        who, form = kit.who(request, CLERK, MEMBER), await kit.form(request)
        told = await read(form)
        if form.flaws:
            return await show(request, form, status=422)
        body = await kit.writer.ask(partial(make_opening, told=told, now=kit.clock()))
        return await proposed(request, who, form, body, told, "")

    @router.get("/people/{account}/edit")
    async def ask_again(request: Request, account: str) -> Response:
        who = kit.who(request, CLERK, MEMBER)
        portrait = await known(kit, account)
        await look_at(kit, who, account, _("to change the particulars"))
        dossier, household = await kit.writer.ask(partial(dossier_of, number=account))
        own = portrait.own
        given = {
            **_fields_of(dossier),
            "household": household,
            "guardian": own.guardian or "",
            "funded": portrait.funded or "",
            "volunteer": "1" if own.is_volunteer else "",
            "elder": "1" if own.is_elder else "",
            "visitor": "1" if portrait.is_visitor else "",
        }
        return await show(request, Form(given), account)

    @router.post("/people/{account}/edit")
    async def change(request: Request, account: str) -> Response:
        who, form = kit.who(request, CLERK, MEMBER), await kit.form(request)
        await known(kit, account)
        told = await read(form)
        if form.flaws:
            return await show(request, form, account, 422)
        body = await kit.writer.ask(partial(make_update, number=account, told=told, now=kit.clock()))
        if isinstance(body, str):
            form.flaw("name", _(WHY_NOT[body]))
            return await show(request, form, account, 422)
        return await proposed(request, who, form, body, told, account)

    async def read(form: Form) -> Told:
        """What the form says, its flaws noted beside the fields."""
        told = _read(form, (kit.clock() + datetime.timedelta(hours=8)).date())
        if not form.flaws:
            try:
                make_dossier(told.personal)
            except CareError as error:
                form.flaw("name", str(error))
        return told

    async def show(request: Request, form: Form, account: str = "", status: int = 200) -> Response:
        groups = await kit.writer.ask(lambda node: tuple(node.state.parameters.funded_groups))
        shown = await names.shown(request, [account]) if account else {"": ""}
        offered = [(group, worded(GROUPS, group)) for group in groups]
        values = {"account": account, "name": shown[account], "groups": offered, "form": form}
        return kit.page(request, "people/form.html", status, **values)

    async def proposed(
        request: Request, who: Who, form: Form, body: AccountOpen | AccountUpdate, told: Told, account: str
    ) -> Response:
        try:
            decision = await propose(kit, who, body, demand_of(body))
        except BaseException:
            await kit.writer.ask(partial(forget, body=body))
            raise
        if decision.state == REFUSED:
            await kit.writer.ask(partial(forget, body=body))
            form.flaw("guardian" if decision.outcome == "minor-needs-guardian" else "name", said(decision))
            return await show(request, form, account, 422)
        if account:
            return kit.see(request, f"/people/{account}", said(decision))
        text = _("account {number} is noted for {name}: it is open when somebody in the other role has certified it")
        name = told.personal.get("name", "")
        return kit.see(request, f"/people/{body.account}", text.format(number=body.account, name=name))

    return router


def _read(form: Form, today: datetime.date) -> Told:
    personal: dict[str, Any] = {
        name: form.text(name, TEXT_MAX_CHARACTERS, is_needed=name == "name") for name in PERSONAL
    }
    is_institution = form.choice("holder", ("person", "institution"), is_needed=False) == "institution"
    born = form.date("born", is_needed=not is_institution)
    if born is not None and not datetime.date(FIRST_BIRTH_YEAR, 1, 1) <= born <= today:
        form.flaw("born", _("a day between 1880 and today"))
    personal["born"] = "" if born is None else born
    spoken = form.text("languages", LANGUAGES_MAX_CHARACTERS)
    for mark in "，、;；+/":
        spoken = spoken.replace(mark, ",")
    personal["languages"] = [word.strip() for word in spoken.split(",") if word.strip()]
    guardian = form.account("guardian", is_needed=False)
    if born is not None and age_on(today, born) < ADULT_YEARS and not guardian:
        form.flaw("guardian", _("who is not eighteen yet needs a guardian"))
    public: dict[str, Any] = {flag: form.is_on(flag) for flag in FLAGS}
    public |= {"guardian": guardian or None, "funded": form.text("funded", 32) or None}
    return Told(personal, public, form.text("household", 100), is_institution)


def _fields_of(dossier: Mapping[str, Any]) -> dict[str, str]:
    """A dossier as the form's fields have it."""
    fields = {name: str(value) for name, value in dossier.items() if not isinstance(value, list)}
    return fields | {"languages": ", ".join(dossier.get("languages", []))}
