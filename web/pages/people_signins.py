"""Who may sign in: people get theirs from the clerk at the desk, clerks from a member. Nobody gives what they have not.

A first password is drawn here, shown once on a slip that can be printed, and kept nowhere but as its hash. The page
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
from web.access.who import CLERK, MEMBER, NAME_MAX_CHARACTERS, PERSON, Who, fold_name
from web.i18n import translate as _
from web.keyring import Keyring
from web.pages.forms import EMPTY, Form
from web.pages.kit import Kit
from web.pages.names import Names
from web.pages.people_person import known
from web.problem import Problem

GROUPS, GROUP_DIGITS = 4, 4
"""Sixteen digits in four groups: read aloud, typed on any keyboard, 53 bits."""
MADE_BY = {CLERK: (PERSON,), MEMBER: (PERSON, CLERK)}
"""Whose sign-ins somebody makes, changes and ends."""


def signin_router(kit: Kit, names: Names) -> APIRouter:
    """The routes; ``/people/sign-ins`` before those of ``/people/{account}``."""
    router = kit.router()

    @router.get("/people/sign-ins")
    async def sign_ins(request: Request) -> Response:
        who = kit.who(request, CLERK, MEMBER)
        return await show_all(request, who, EMPTY)

    @router.post("/people/sign-ins")
    async def add_clerk(request: Request) -> Response:
        who, form = kit.who(request, MEMBER), await kit.form(request)
        name, key = _name(form), form.choice("key", await to_thread.run_sync(_clerk_keys, kit), is_needed=False)
        if not form.flaws and await made(form, name, CLERK, "", key):
            return await slip(request, name, CLERK, "", await first_password(name))
        return await show_all(request, who, form, 422)

    @router.post("/people/sign-ins/change")
    async def change(request: Request) -> Response:
        who, form = kit.who(request, CLERK, MEMBER), await kit.form(request)
        user, act = await theirs(who, form.text("name", 4 * NAME_MAX_CHARACTERS)), form.text("act", 16)
        to = f"/people/{user.account}" if form.is_on("back") and user.account else "/people/sign-ins"
        match act:
            case "password":
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
        kit.who(request, CLERK, MEMBER)
        form = await kit.form(request)
        portrait = await known(kit, account)
        name = _name(form)
        if portrait.is_closed:
            form.flaw("name", _("the account is closed"))
        if not form.flaws and await made(form, name, PERSON, account, ""):
            return await slip(request, name, PERSON, account, await first_password(name))
        return await show_one(request, account, form, 422)

    async def made(form: Form, name: str, role: str, account: str, key: str) -> bool:
        """Keep a new user without a password yet; the form has the flaw where there cannot be one."""
        now, ledger = kit.guard.now(), kit.settings.origin
        add = partial(kit.access.add_user, name, role, ledger=ledger, account=account, key=key, now=now)
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
        await kept(partial(kit.access.set_password, name, hashed))
        return drawn

    async def slip(request: Request, name: str, role: str, account: str, password: str) -> Response:
        shown = await names.of([account]) if account else {}
        return kit.page(
            request,
            "people/slip.html",
            name=name,
            role=role,
            account=account,
            person=shown.get(account, ""),
            password=password,
        )

    async def theirs(who: Who, name: str) -> User:
        """A user whom they may change; Problem 403 else, whether there is such a one or not."""
        user = await to_thread.run_sync(kit.access.user, name)
        if user is None or user.role not in MADE_BY[who.role] or user.ledger != kit.settings.origin:
            text = _("this is not yours to change: members change the sign-ins of clerks, the command line all others")
            raise Problem(403, "not-allowed", _("not allowed"), text)
        return user

    async def show_all(request: Request, who: Who, form: Form, status: int = 200) -> Response:
        users = await to_thread.run_sync(_users, kit.access, kit.settings.origin)
        shown = await names.of([user.account for user in users if user.account])
        keys = await to_thread.run_sync(_clerk_keys, kit)
        values = {"users": users, "names": shown, "may": MADE_BY[who.role], "keys": [(key, key) for key in keys]}
        return kit.page(request, "people/sign-ins.html", status, form=form, **values)

    async def show_one(request: Request, account: str, form: Form, status: int = 200) -> Response:
        portrait = await known(kit, account)
        users = await to_thread.run_sync(_users, kit.access, kit.settings.origin)
        shown = await names.of([account])
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


def _clerk_keys(kit: Kit) -> list[str]:
    """The ids of clerks' keys that are kept here."""
    return [key_id for role, key_id, _path in Keyring.files(kit.home) if role == CLERK]
