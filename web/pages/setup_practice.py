"""The page of a practice ledger: who can sign in, with which password; and buttons that begin it afresh, or end it."""

import anyio
from fastapi import APIRouter, Request, Response

from web.access.who import CLERK, MEMBER
from web.i18n import translate as _
from web.pages.kit import Kit, redirect
from web.practice import AGAIN, END, password_of
from web.problem import Problem

WAYS = (AGAIN, END)
CLOSE_SECONDS = 0.5
"""After so long the service takes no connection any more."""


def practice_router(kit: Kit) -> APIRouter:
    """The routes; only where the ledger is one to practise on."""
    router = kit.router()

    @router.get("/practice")
    async def practice(request: Request) -> Response:
        who = kit.who_if_any(request)
        may_end = kit.restart is not None and who is not None and who.role in (CLERK, MEMBER)
        users = [(user.name, user.role, user.account) for user in kit.access.users()]
        return kit.page(request, "setup/practice.html", users=users, password=password_of(kit.home), may_end=may_end)

    @router.post("/practice")
    async def end(request: Request) -> Response:
        kit.who(request, CLERK, MEMBER)
        form = await kit.form(request)
        what = form.choice("what", WAYS)
        if kit.restart is None:
            raise Problem(409, "not-here", _("not possible"), _("this practice ledger is served by another program"))
        if not what:
            return redirect("/practice")
        response = redirect("/practice" if what == AGAIN else "/")
        response.headers["Connection"] = "close"
        kit.restart(what)
        await anyio.sleep(CLOSE_SECONDS)  # the answer must not come back to the service that ends
        return response

    return router
