"""What else changes of a person: kin, credentials, the end of an account, and the end of what is kept on somebody.

Kin and closing want clerk and member, credentials two members; each is proposed here and certified elsewhere. Erasing a
dossier is no entry: its two members say so here, one after the other (RULES §9), the second within a week.
"""

import datetime
from functools import partial
from typing import Literal, cast

from fastapi import APIRouter, Request, Response

from care.people import Wish
from care.requestbook import REQUESTS_FILE, erase_from
from chain.entry import Body
from chain.fields import Time, format_time, parse_time
from ledger.bodies import AccountClose, CredentialGrant, CredentialRevoke, KinLink, KinUnlink
from ledger.numbers import POOL
from store.wishes import WISHES_FILE, Wishes
from web.access.who import CLERK, MEMBER, Who
from web.desk import DeskNode
from web.dossiers import open_people
from web.i18n import translate as _
from web.pages.approvals import at_desk, propose
from web.pages.desk_signing import CLERK_MEMBER, NO_KEY, REFUSED, SAME_PERSON, TWO_MEMBERS, Desk
from web.pages.desk_words import told as said
from web.pages.desk_words import why
from web.pages.forms import EMPTY, Form
from web.pages.kit import Kit
from web.pages.names import Names
from web.pages.people_person import known
from web.pages.people_words import CLOSINGS, RELATIONS, SCOPES, worded

WISH_TIME = datetime.timedelta(days=7)
"""So long the second member may think about an erasure."""
TEXT_MAX = 200
DONE, BEGUN, NOTHING = "done", "begun", "nothing"


def change_router(kit: Kit, names: Names) -> APIRouter:
    """The routes."""
    router = kit.router()

    @router.get("/people/{account}/links")
    async def links(request: Request, account: str) -> Response:
        kit.who(request, CLERK, MEMBER)
        return await show_links(request, account, EMPTY)

    @router.post("/people/{account}/links")
    async def link(request: Request, account: str) -> Response:
        who, form = kit.who(request, CLERK, MEMBER), await kit.form(request)
        await known(kit, account)
        match form.text("act", 32):
            case "kin":
                relation, relative = form.text("relation", 32, is_needed=True), form.account("relative")
                body: Body = KinLink(person=account, relation=relation, relative=relative)
                demand = CLERK_MEMBER
            case "unlink":
                body, demand = KinUnlink(person=account, relative=form.account("relative")), CLERK_MEMBER
            case "credential":
                scope = form.text("other_scope", 32) or form.text("scope", 32, is_needed=True)
                issuer, until = form.text("issuer", TEXT_MAX, is_needed=True), form.date("until", is_needed=False)
                body = CredentialGrant(account=account, scope=scope, issuer=issuer, until=await end_of(until))
                demand = TWO_MEMBERS
            case _:
                scope, reason = form.text("scope", 32), form.text("reason", TEXT_MAX, is_needed=True)
                body, demand = CredentialRevoke(account=account, scope=scope, reason=reason), TWO_MEMBERS
        if form.flaws:
            return await show_links(request, account, form, 422)
        return await proposed(request, who, body, demand, f"/people/{account}/links")

    @router.get("/people/{account}/end")
    async def end(request: Request, account: str) -> Response:
        kit.who(request, CLERK, MEMBER)
        return await show_end(request, account, EMPTY)

    @router.post("/people/{account}/close")
    async def close(request: Request, account: str) -> Response:
        who, form = kit.who(request, CLERK, MEMBER), await kit.form(request)
        await known(kit, account)
        reason = cast(Literal["moved", "died", "asked"], form.choice("reason", CLOSINGS))
        heir = form.choice("heir", ("", "pool", "kin"), is_needed=False)
        to = POOL if heir == "pool" else form.account("to") if heir == "kin" else None
        if form.flaws:
            return await show_end(request, account, form, 422)
        body = AccountClose(account=account, reason=reason, to=to)
        return await proposed(request, who, body, CLERK_MEMBER, f"/people/{account}")

    @router.post("/people/{account}/erase")
    async def erase(request: Request, account: str) -> Response:
        who, form = kit.who(request, MEMBER), await kit.form(request)
        await known(kit, account)
        if not form.is_on("sure"):
            form.flaw("sure", _("tick this, if the person wants it so"))
            return await show_end(request, account, form, 422)
        outcome = await at_desk(kit, partial(_erase, who=who, account=account, now=kit.clock()))
        return kit.see(request, f"/people/{account}/end", _erased(outcome), is_good=outcome in (DONE, BEGUN))

    @router.post("/people/{account}/keep")
    async def keep(request: Request, account: str) -> Response:
        kit.who(request, MEMBER)
        await kit.form(request)
        await known(kit, account)
        await kit.writer.ask(partial(_withdraw, account=account))
        return kit.see(request, f"/people/{account}/end", _("nothing is erased"))

    async def proposed(request: Request, who: Who, body: Body, demand: str, to: str) -> Response:
        decision = await propose(kit, who, body, demand)
        return kit.see(request, to, said(decision), is_good=decision.state != REFUSED)

    async def end_of(day: datetime.date | None) -> Time | None:
        """The last second of a local day."""
        if day is None:
            return None
        offset = await kit.writer.ask(lambda node: node.state.utc_offset)
        return datetime.datetime.combine(day, datetime.time(23, 59, 59), datetime.UTC) - offset

    async def show_links(request: Request, account: str, form: Form, status: int = 200) -> Response:
        portrait = await known(kit, account)
        shown = await names.shown(request, [account, *portrait.own.kin])
        return kit.page(
            request,
            "people/links.html",
            status,
            account=account,
            portrait=portrait,
            names=shown,
            form=form,
            relations=[(code, worded(RELATIONS, code)) for code in portrait.kin_relations],
            scopes=[(code, worded(SCOPES, code)) for code in SCOPES],
            scope_names={each.scope: worded(SCOPES, each.scope) for each in portrait.credentials},
        )

    async def show_end(request: Request, account: str, form: Form, status: int = 200) -> Response:
        portrait = await known(kit, account)
        shown = await names.shown(request, [account, *portrait.own.kin])
        is_kept, wish, erased = await kit.writer.ask(partial(_standing, account=account, now=kit.clock()))
        local = "" if wish is None else f"{portrait.own.local(parse_time(wish.time)):%Y-%m-%d %H:%M}"
        return kit.page(
            request,
            "people/end.html",
            status,
            account=account,
            portrait=portrait,
            names=shown,
            form=form,
            reasons=[(code, _(text)) for code, text in CLOSINGS.items()],
            is_kept=is_kept,
            wished=local,
            erased="" if erased is None else f"{portrait.own.local(parse_time(erased)):%Y-%m-%d %H:%M}",
        )

    return router


def _erase(desk: Desk, who: Who, account: str, now: Time) -> str:
    """The will of one member; with that of another before, the end of the dossier."""
    key = desk.key_for(who)
    known_key = desk.counting(key)
    if known_key is None:
        return NO_KEY
    with open_people(desk.node) as people:
        if people.dossier(account) is None:
            return NOTHING
        wish = _fresh(people.wish(account), now)
        if wish is None:
            people.set_wish(account, Wish(format_time(now), key))
            return BEGUN
        first = desk.counting(wish.key)
        if first is None:
            people.set_wish(account, Wish(format_time(now), key))
            return BEGUN
        if first.person == known_key.person:
            return SAME_PERSON
        erase_from(desk.home.folder / REQUESTS_FILE, desk.home.people_secret(desk.passphrase), account)
        Wishes(desk.home.folder / WISHES_FILE).erase(account)
        people.erase(account, now, [wish.key, key])
    return DONE


def _standing(node: DeskNode, account: str, now: Time) -> tuple[bool, Wish | None, str | None]:
    """Whether a dossier is kept, who wants it erased, and when one was erased last."""
    with open_people(node) as people:
        erasures = people.erasures(account)
        wish = _fresh(people.wish(account), now)
        return people.dossier(account) is not None, wish, erasures[-1].time if erasures else None


def _fresh(wish: Wish | None, now: Time) -> Wish | None:
    return None if wish is None or now - parse_time(wish.time) > WISH_TIME else wish


def _withdraw(node: DeskNode, account: str) -> None:
    with open_people(node) as people:
        people.set_wish(account, None)


def _erased(outcome: str) -> str:
    match outcome:
        case "done":
            return _("the particulars are erased for ever; the ledger stays as it is")
        case "begun":
            return _("noted; they are erased when a second member says so too, within seven days")
        case "nothing":
            return _("no particulars are kept of this account")
        case _:
            return why(outcome)
