"""What persons ask the desk for: a clerk or member reads each wish and proposes it, or refuses it.

A wish that somebody takes up is their own proposal from then on: it waits for the other one's signature at
``/desk/certify`` like everything else (RULES §1, C+M).
"""

from dataclasses import dataclass

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Request, Response

from chain.entry import Body
from chain.fields import UTC, Time
from ledger.bodies import Appeal, Dispute, Donate, Gift
from ledger.kinds import KINDS
from store.log import StoreError
from store.wishes import OPEN, REFUSED, TAKEN, Wish
from web.access.who import CLERK, MEMBER
from web.i18n import translate as _
from web.pages.approvals import propose
from web.pages.desk_signing import CLERK_MEMBER
from web.pages.desk_signing import REFUSED as NOT_TAKEN
from web.pages.desk_words import told
from web.pages.passbook_acts import wishes_of
from web.pages.passbook_kit import Mine
from web.pages.passbook_reading import spoken
from web.text import named_account, named_kind

WISH_MAX = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Row:
    """A wish in words."""

    id: int
    account: str
    name: str
    kind: str
    text: str
    at: Time


def asked_router(mine: Mine) -> APIRouter:
    """The routes."""
    kit = mine.kit
    router = kit.router()

    async def settle(wish: Wish, state: str, before: str = OPEN) -> bool:
        """First the wish, then the proposal: after a crash between the two nothing is ever proposed twice."""
        seconds = int(kit.clock().timestamp())
        return await to_thread.run_sync(wishes_of(mine).decide, wish.id, state, seconds, before)

    @router.get("/desk/asked")
    async def asked(request: Request) -> Response:
        kit.who(request, CLERK, MEMBER)
        found = await to_thread.run_sync(wishes_of(mine).open)
        bodies = {wish.id: body_of(wish) for wish in found}
        accounts = {number for body in bodies.values() for number in body.numbers() if number}
        names = await mine.names.of(accounts | {wish.account for wish in found})
        rows = [_row(wish, bodies[wish.id], names) for wish in found]
        return kit.page(request, "me/asked.html", rows=rows)

    @router.post("/desk/asked")
    async def decide(request: Request) -> Response:
        who, form = kit.who(request, CLERK, MEMBER), await kit.form(request)
        number = form.number("wish", 1, WISH_MAX)
        wish = None if number is None else await to_thread.run_sync(wishes_of(mine).get, number)
        if wish is None:
            return kit.see(request, "/desk/asked", _("there is no such request any more"), is_good=False)
        if form.get("act") != "take":
            await settle(wish, REFUSED)
            return kit.see(request, "/desk/asked", _("refused: nothing of it is on the ledger"))
        if not await settle(wish, TAKEN):
            return kit.see(request, "/desk/asked", _("somebody has decided this already"), is_good=False)
        remark = _("asked for by the person on their own page")
        decision = await propose(kit, who, body_of(wish), CLERK_MEMBER, remark=remark)
        if decision.state == NOT_TAKEN:
            await settle(wish, OPEN, TAKEN)
        return kit.see(request, "/desk/asked", told(decision), is_good=decision.state != NOT_TAKEN)

    return router


def body_of(wish: Wish) -> Body:
    """What a wish asks to be recorded; StoreError where the file holds something else."""
    try:
        body: Body = msgspec.json.decode(wish.body, type=KINDS[wish.kind].body)
    except (KeyError, msgspec.DecodeError) as error:
        raise StoreError(f"wish {wish.id}: {error}") from error
    return body


def _row(wish: Wish, body: Body, names: dict[str, str]) -> Row:
    time = Time.fromtimestamp(wish.at_seconds, UTC)
    return Row(wish.id, wish.account, names.get(wish.account, ""), named_kind(wish.kind), _told(body, names), time)


def _told(body: Body, names: dict[str, str]) -> str:
    """What is asked for, as a sentence."""
    if isinstance(body, Gift):
        to = names.get(body.to) or named_account(body.to)
        return _("{amount} to {other}").format(amount=spoken(body.minutes), other=f"{to} {body.to}")
    if isinstance(body, Donate):
        return _("{amount} to the village's pool").format(amount=spoken(body.minutes))
    if isinstance(body, Dispute):
        return _("objects to entry {index}: {ground}").format(index=body.index, ground=body.ground)
    if isinstance(body, Appeal):
        return _("appeals in case {index}: {ground}").format(index=body.case, ground=body.ground)
    return ""
