"""Alarms about the ledgers below, marked as seen: what ``huzhu alarms --seen`` does, from the pages that show them.

    /board/alarms/{number}/seen        a supervisor of this node's tier, or of one above it
    /desk/node/alarms/{number}/seen    a member at this node's own desk

Whoever oversees only a ledger below may look at its alarms, and not put them away: they are about that ledger. As with
the command it is kept that somebody has looked, and the alarm with its evidence stays (``huzhu alarms --all``).
"""

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from chain.limits import INTEGER_MAX
from web.access.who import MEMBER, SUPERVISOR, Who
from web.commands_mirror import see_alarm
from web.i18n import translate as _
from web.pages.kit import Kit
from web.problem import Problem


def alarm_router(kit: Kit) -> APIRouter:
    """The routes."""
    router = kit.router()

    async def see(request: Request, number: int, back: str) -> Response:
        await kit.form(request)
        if not 0 < number <= INTEGER_MAX or not await to_thread.run_sync(see_alarm, kit.home, number):
            return kit.see(request, back, _("there is no alarm {number}").format(number=number), is_good=False)
        return kit.see(request, back, _("noted: somebody has looked at this alarm"))

    @router.post("/board/alarms/{number}/seen")
    async def on_board(request: Request, number: int) -> Response:
        who = kit.who(request, SUPERVISOR)
        if not may_mark(kit, who):
            text = _("only who oversees this node marks its alarms as seen")
            raise Problem(403, "not-allowed", _("not your page"), text)
        return await see(request, number, "/board")

    @router.post("/desk/node/alarms/{number}/seen")
    async def at_desk(request: Request, number: int) -> Response:
        kit.who(request, MEMBER)
        return await see(request, number, "/desk/node")

    return router


def may_mark(kit: Kit, who: Who) -> bool:
    """Whether they oversee the node that raised them, and not only one of whom it tells."""
    return who.role == SUPERVISOR and who.may_read(kit.settings.origin, kit.guard.parent_of)
