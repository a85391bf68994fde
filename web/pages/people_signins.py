"""Who may sign in: people get theirs at the desk. Sign-ins of clerks and members are made at the machine itself.

Whoever could give out a clerk's sign-in could also sign in with it, and would be two people: what a clerk and a member
have to do together one of them could do alone. So the pages make those of people only, one for each account, and the
person sees who made it and when.

A first password is drawn here, shown once on a slip that can be printed, and kept nowhere but as its hash. It counts as
given until the person chooses another: whoever printed the slip could sign in with it. The page
that shows it is the answer to the form: it has no address of its own, and whoever reloads it makes nothing new.
"""

import secrets
from functools import partial

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from store.access import Access, AccessError, User
from store.log import StoreError
from web.access.guard import unkept
from web.access.passwords import Passwords
from web.access.who import CLERK, MEMBER, NAME_MAX_CHARACTERS, PERSON, fold_name
from web.i18n import translate as _
from web.pages.forms import EMPTY, Form
from web.pages.kit import Kit
from web.pages.names import Names
from web.pages.paper_sheets import node_address
from web.pages.people_person import known
from web.practice import is_practice
from web.printing import qr_svg
from web.problem import Problem

GROUPS, GROUP_DIGITS = 4, 4
"""Sixteen digits in four groups: read aloud, typed on any keyboard, 53 bits."""
SIGN_IN = "sign-in"
"""What the person sees on record when somebody makes a sign-in for their account, or another password."""


def signin_router(kit: Kit, names: Names) -> APIRouter:
    """The routes; ``/people/sign-ins`` before those of ``/people/{account}``."""
    router = kit.router()

    @router.get("/people/sign-ins")
    async def sign_ins(request: Request) -> Response:
        kit.who(request, CLERK, MEMBER)
        users = await to_thread.run_sync(_users, kit.access, kit.settings.origin)
        shown = await names.shown(request, [user.account for user in users if user.account])
        return kit.page(request, "people/sign-ins.html", users=users, names=shown, may=(PERSON,))

    @router.post("/people/sign-ins/change")
    async def change(request: Request) -> Response:
        who, form = kit.who(request, CLERK, MEMBER), await kit.form(request)
        user, act = await theirs(form.text("name", 4 * NAME_MAX_CHARACTERS)), form.text("act", 16)
        to = f"/people/{user.account}" if form.is_on("back") and user.account else "/people/sign-ins"
        match act:
            case "password":
                await to_thread.run_sync(kit.may_look, who, SIGN_IN, user.account)
                return await slip(request, user.name, user.role, user.account, await first_password(user.name))
            case "disable" | "enable":
                await kept(partial(kit.access.set_disabled, user.name, act == "disable"))
                text = _("{name} cannot sign in for now") if act == "disable" else _("{name} can sign in again")
            case "remove":
                await kept(partial(kit.access.remove_user, user.name))
                text = _("the sign-in {name} is gone")
            case _:
                raise Problem(404, "no-such-page", _("no such page"), _("go back, and choose again"))
        return kit.see(request, to, text.format(name=user.name))

    @router.get("/people/{account}/sign-in")
    async def ask(request: Request, account: str) -> Response:
        kit.who(request, CLERK, MEMBER)
        return await show_one(request, account, EMPTY)

    @router.post("/people/{account}/sign-in")
    async def add_person(request: Request, account: str) -> Response:
        who, form = kit.who(request, CLERK, MEMBER), await kit.form(request)
        portrait = await known(kit, account)
        name = _name(form)
        if portrait.is_closed:
            form.flaw("name", _("the account is closed"))
        if any(user.account == account for user in await to_thread.run_sync(_users, kit.access, kit.settings.origin)):
            form.flaw("name", _("there is a sign-in for this account: make another password for it"))
        if not form.flaws and await made(form, name, account):
            await to_thread.run_sync(kit.may_look, who, SIGN_IN, account)
            return await slip(request, name, PERSON, account, await first_password(name))
        return await show_one(request, account, form, 422)

    async def made(form: Form, name: str, account: str) -> bool:
        """Keep a new user without a password yet; the form has the flaw where there cannot be one."""
        now, ledger = kit.guard.now(), kit.settings.origin
        add = partial(kit.access.add_user, name, PERSON, ledger=ledger, account=account, now=now)
        try:
            await to_thread.run_sync(add)
        except AccessError as error:
            form.flaw("name", str(error))
        except StoreError as error:
            raise unkept() from error
        return not form.flaws

    async def first_password(name: str) -> str:
        """Another password of a user, at random; all their sessions end."""
        drawn = draw_password()
        hashed = await to_thread.run_sync(_hash, drawn)
        is_given = not is_practice(kit.settings.origin)
        await kept(partial(kit.access.set_password, name, hashed, is_given=is_given))
        return drawn

    async def slip(request: Request, name: str, role: str, account: str, password: str) -> Response:
        shown = await names.shown(request, [account]) if account else {}
        address = node_address(request.headers.get("host", ""), is_secure=kit.guard.is_secure)
        return kit.page(
            request,
            "people/slip.html",
            name=name,
            role=role,
            account=account,
            person=shown.get(account, ""),
            password=password,
            address=address,
            code=qr_svg(address) if address else "",
        )

    async def theirs(name: str) -> User:
        """A person's user; Problem 403 else, whether there is such a one or not."""
        user = await to_thread.run_sync(kit.access.user, name)
        if user is None or user.role != PERSON or user.ledger != kit.settings.origin:
            text = _("this is not to be changed here: the pages change the sign-ins of people, `huzhu user` all others")
            raise Problem(403, "not-allowed", _("not allowed"), text)
        return user

    async def show_one(request: Request, account: str, form: Form, status: int = 200) -> Response:
        portrait = await known(kit, account)
        users = await to_thread.run_sync(_users, kit.access, kit.settings.origin)
        shown = await names.shown(request, [account])
        mine = [user for user in users if user.account == account]
        values = {"account": account, "portrait": portrait, "name": shown[account], "users": mine, "form": form}
        return kit.page(request, "people/sign-in.html", status, **values)

    return router


async def kept(change: "partial[None]") -> None:
    """Have it on disk; what cannot be is told."""
    try:
        await to_thread.run_sync(change)
    except AccessError as error:
        raise Problem(403, "not-allowed", _("not allowed"), str(error)) from error
    except StoreError as error:
        raise unkept() from error


def _hash(password: str) -> str:
    return Passwords().hash(password)


def draw_password() -> str:
    """Groups of digits at random."""
    groups = [f"{secrets.randbelow(10**GROUP_DIGITS):0{GROUP_DIGITS}}" for _group in range(GROUPS)]
    return "-".join(groups)


def _name(form: Form) -> str:
    text = form.text("name", 4 * NAME_MAX_CHARACTERS, is_needed=True)
    folded = fold_name(text)
    if text and folded is None:
        said = _("at most {most} letters, digits, dots or hyphens, without spaces")
        form.flaw("name", said.format(most=NAME_MAX_CHARACTERS))
    return folded or ""


def _users(access: Access, origin: str) -> list[User]:
    """The clerks, members and people of this ledger."""
    return [user for user in access.users() if user.ledger == origin and user.role in (CLERK, MEMBER, PERSON)]

