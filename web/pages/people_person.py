"""One person: the passbook's summary, roles, kin, credentials, keys; and behind a stated purpose the particulars.

Who opens the page of somebody has looked at them (``person``), which is on disk before it is shown. The dossier is
shown only to who says what for (RULES §9): that look stands in ``people.db`` with its fields and its purpose.
"""

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from care.dossier import FIELDS
from care.people import Look
from chain.fields import Time, format_time, parse_time
from ledger.numbers import has_check_digits
from web.access.who import CLERK, MEMBER, Who
from web.desk import DeskNode
from web.dossiers import NAMES as FIELD_NAMES
from web.dossiers import PURPOSES, open_people, plain_person, purpose_of, purpose_text
from web.i18n import translate as _
from web.pages.forms import EMPTY, Form
from web.pages.kit import Kit
from web.pages.names import Names
from web.pages.passbook_family import looked_at
from web.pages.people_dossiers import dossier_of, waiting_dossier
from web.pages.people_reading import Portrait, portrait_of
from web.pages.people_words import DOSSIER, GROUPS, PERSON, SCOPES, worded
from web.problem import Problem

PURPOSE_MAX_CHARACTERS = 200
LOOKS_SHOWN_MAX = 200


@dataclass(frozen=True, slots=True)
class LookRow:
    """One look, as a page shows it."""

    time: str
    user: str
    what: str
    purpose: str
    times: int


def person_router(kit: Kit, names: Names) -> APIRouter:
    """The routes."""
    router = kit.router()

    @router.get("/people/{account}")
    async def person(request: Request, account: str) -> Response:
        who = kit.who(request, CLERK, MEMBER)
        return await show(request, who, account, EMPTY)

    @router.post("/people/{account}/particulars")
    async def particulars(request: Request, account: str) -> Response:
        who, form = kit.who(request, CLERK, MEMBER), await kit.form(request)
        chosen = form.choice("purpose", PURPOSES)
        words = form.text("words", PURPOSE_MAX_CHARACTERS, is_needed=chosen == "other")
        if not chosen:
            form.flaw("purpose", _("say what you need it for"))
        if form.flaws:
            return await show(request, who, account, form, status=422)
        await look_at(kit, who, account, purpose_of(chosen, words))
        return await show(request, who, account, form, await read_dossier(kit, account))

    @router.get("/people/{account}/looks")
    async def looks(request: Request, account: str) -> Response:
        kit.who(request, CLERK, MEMBER)
        portrait = await known(kit, account)
        shown = await names.shown(request, [account])
        rows = await looks_at(kit, account, portrait)
        return kit.page(request, "people/looks.html", account=account, name=shown[account], rows=rows)

    @router.post("/people/{account}/export")
    async def export(request: Request, account: str) -> Response:
        who = kit.who(request, CLERK, MEMBER)
        await kit.form(request)
        await known(kit, account)
        await look_at(kit, who, account, _("a copy of everything for the person"))
        plain = await kit.writer.ask(partial(_all_of, account=account))
        plain["exported_at"] = format_time(kit.clock())
        headers = {
            "Content-Disposition": f'attachment; filename="{account}.json"',
            "Cache-Control": "no-store",
        }
        raw = json.dumps(plain, ensure_ascii=False, indent=1).encode()
        return Response(raw, headers=headers, media_type="application/json")

    async def show(
        request: Request,
        who: Who,
        account: str,
        form: Form,
        dossier: Mapping[str, Any] | None = None,
        status: int = 200,
    ) -> Response:
        portrait = await kit.writer.ask(partial(portrait_of, number=checked(account), now=kit.clock()))
        if portrait is None:
            return await _waiting_page(kit, request, who, account)
        await to_thread.run_sync(partial(kit.may_look, who, PERSON, account))
        own = portrait.own
        shown = await names.shown(request, [account, *own.kin, *own.wards, *filter(None, [own.guardian])])
        users = await to_thread.run_sync(kit.access.users)
        return kit.page(
            request,
            "people/person.html",
            status,
            account=account,
            portrait=portrait,
            own=own,
            names=shown,
            funded=None if portrait.funded is None else worded(GROUPS, portrait.funded),
            scope_names={each.scope: worded(SCOPES, each.scope) for each in portrait.credentials},
            dossier=None if dossier is None else told(dossier),
            form=form,
            purposes=[(code, _(text)) for code, text in PURPOSES.items()],
            sign_ins=[user for user in users if user.account == account],
        )

    return router


async def _waiting_page(kit: Kit, request: Request, who: Who, account: str) -> Response:
    """Somebody whose account is not open yet: what the clerk wrote, for whoever is to certify it."""
    dossier = await kit.writer.ask(partial(waiting_dossier, number=account))
    if dossier is None:
        raise no_account(account)
    await to_thread.run_sync(partial(kit.may_look, who, DOSSIER, account))
    return kit.page(request, "people/waiting.html", account=account, dossier=told(dossier))


async def known(kit: Kit, account: str) -> Portrait:
    """What the ledger says of an account; Problem 404 where there is none."""
    portrait = await kit.writer.ask(partial(portrait_of, number=checked(account), now=kit.clock()))
    if portrait is None:
        raise no_account(account)
    return portrait


def checked(account: str) -> str:
    """The number, where it can be one; Problem 404 else."""
    if not (len(account) == 8 and account.isascii() and account.isdigit() and has_check_digits(account)):
        raise no_account("")
    return account


def no_account(account: str) -> Problem:
    """The answer where an address names nobody."""
    text = _("there is no account {number} here").format(number=account) if account else _("this is no account number")
    return Problem(404, "no-account", _("no such account"), text)


async def look_at(kit: Kit, who: Who, account: str, purpose: str) -> None:
    """Have on disk that somebody is about to be shown a dossier, and what for."""
    await to_thread.run_sync(partial(kit.may_look, who, DOSSIER, account))
    now, ledger_fields = kit.clock(), ",".join(FIELDS)

    def note(node: DeskNode) -> None:
        with open_people(node) as people:
            people.note_looks([account], now, who.name, ledger_fields, purpose)

    await kit.writer.ask(note)


async def read_dossier(kit: Kit, account: str) -> dict[str, Any]:
    """The particulars; {} where none are kept. The look is on disk already."""
    dossier, _household = await kit.writer.ask(partial(dossier_of, number=account))
    return dossier


def told(dossier: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and content of each field that says something."""
    shown = {name: _(", ").join(value) if isinstance(value, list) else value for name, value in dossier.items()}
    return [(_(FIELD_NAMES[name]), str(shown[name])) for name in FIELDS if shown.get(name)]


async def looks_at(kit: Kit, account: str, portrait: Portrait) -> list[LookRow]:
    """Who looked at somebody, the newest first: the pages' own record, and the reasons given for the particulars."""

    def of_people(node: DeskNode) -> list[Look]:
        with open_people(node) as people:
            return people.looks(account)

    given = await kit.writer.ask(of_people)
    seen = await to_thread.run_sync(partial(kit.access.looks, account))
    own = portrait.own
    rows = [
        (look.at_seconds, look.user, looked_at(look.what), "", look.times)
        for look in seen
        if look.what != DOSSIER
    ]
    rows += [(_seconds(look.time), look.key, looked_at(DOSSIER), purpose_text(look.purpose), 1) for look in given]
    rows.sort(key=lambda row: row[0], reverse=True)
    return [
        LookRow(f"{own.local(_moment(at)):%Y-%m-%d %H:%M}", user, what, purpose, times)
        for at, user, what, purpose, times in rows[:LOOKS_SHOWN_MAX]
    ]


def _all_of(node: DeskNode, account: str) -> dict[str, Any]:
    with open_people(node) as people:
        return plain_person(node, people, account)


def _seconds(time: str) -> int:
    return int(parse_time(time).timestamp())


def _moment(seconds: int) -> Time:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
