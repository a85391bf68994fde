"""What persons ask the desk for: a clerk or member reads each wish and takes it up, or refuses it.

What is to be recorded is from then on a proposal of whoever takes it up: it waits for the other one's signature at
``/desk/certify`` like everything else (RULES §1, C+M). Of help the whistle makes a request at once, or the form of
``/requests/new`` does, where it can be changed first. Who refuses something says why, for the person to read. An
objection is refused by a clerk and a member only: it may be against what one of them did.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Request, Response

from care.requests import Request as Asked
from chain.entry import Body
from chain.fields import UTC, Time
from ledger.bodies import Appeal, Dispute, Donate, Gift
from ledger.kinds import KINDS
from store.drafts import Drafts
from store.log import StoreError
from store.wishes import HELP, OBJECTIONS, OPEN, REFUSED, TAKEN, WISH_MAX, WORD_MAX_CHARACTERS, Wish
from web.access.who import CLERK, MEMBER, Who
from web.i18n import translate as _
from web.pages.approvals import propose
from web.pages.desk_signing import CLERK_MEMBER, SIGNED, Decision
from web.pages.desk_signing import REFUSED as NOT_TAKEN
from web.pages.desk_words import Words, accounts_in, pointed, told
from web.pages.forms import Form
from web.pages.helpwishes import Help, help_waiting, helps_waiting, make_help, refuse_help
from web.pages.passbook_acts import wishes_of
from web.pages.passbook_kit import Mine
from web.pages.passbook_reading import spoken
from web.pages.requests_form import GONE, request_of, why_not
from web.pages.requests_kit import RequestKit, Table
from web.pages.requests_words import RequestWords
from web.text import named_account, named_kind


@dataclass(frozen=True, slots=True)
class Row:
    """A wish in words."""

    wish: Wish
    name: str
    kind: str
    text: str
    at: Time
    about: tuple[int, str] | None
    """The entry that it is about, and what that says."""


@dataclass(frozen=True, slots=True)
class HelpRow:
    """Help that somebody asks for, as the request that it would be."""

    help: Help
    request: Asked
    at: Time


def asked_router(mine: Mine) -> APIRouter:
    """The routes."""
    kit, care = mine.kit, RequestKit(mine.kit, mine.names)
    router = kit.router()

    def seconds() -> int:
        return int(kit.clock().timestamp())

    async def settle(wish: Wish, state: str, before: str = OPEN, word: str = "") -> bool:
        """First the wish, then the proposal: after a crash between the two nothing is ever proposed twice."""
        return await to_thread.run_sync(wishes_of(mine).decide, wish.id, state, seconds(), before, None, word)

    @router.get("/desk/asked")
    async def asked(request: Request) -> Response:
        kit.who(request, CLERK, MEMBER)
        await to_thread.run_sync(wishes_of(mine).reopen, seconds())
        found = [wish for wish in await to_thread.run_sync(wishes_of(mine).open) if wish.kind != HELP]
        helps, offset, now = await care.ask(_helps)
        bodies = {wish.id: body_of(wish) for wish in found}
        accounts = {number for body in bodies.values() for number in body.numbers() if number}
        accounts |= {number for row in helps for number in (row.help.wish.account, row.help.asked.by)}
        about = await kit.writer.ask(lambda node: {each: pointed(node, body) for each, body in bodies.items()})
        accounts |= accounts_in(each[1] for each in about.values() if each is not None)
        names = await mine.names.shown(request, accounts | {wish.account for wish in found})
        told_of = Words(names, offset)
        rows = [_row(wish, bodies[wish.id], about[wish.id], told_of) for wish in found]
        hidden = await to_thread.run_sync(wishes_of(mine).open_count) - len(rows) - len(helps)
        words, most = RequestWords(names, offset, now), WORD_MAX_CHARACTERS
        return kit.page(
            request, "me/asked.html", rows=rows, helps=helps, words=words, hidden=max(0, hidden), most=most
        )

    @router.post("/desk/asked")
    async def decide(request: Request) -> Response:
        who, form = kit.who(request, CLERK, MEMBER), await kit.form(request)
        number = form.number("wish", 1, WISH_MAX)
        wish = None if number is None else await to_thread.run_sync(wishes_of(mine).get, number)
        if wish is None:
            return kit.see(request, "/desk/asked", _("there is no such request any more"), is_good=False)
        if wish.kind == HELP:
            return await decide_help(request, who, form, wish.id)
        if form.get("act") == "take":
            return await take_up(request, who, wish)
        word = form.text("word", WORD_MAX_CHARACTERS, is_needed=True)
        if form.flaws:
            return kit.see(request, "/desk/asked", _no_word(), is_good=False)
        return await refuse(request, who, wish, word)

    async def take_up(request: Request, who: Who, wish: Wish) -> Response:
        if not await settle(wish, TAKEN):
            return kit.see(request, "/desk/asked", _("somebody has decided this already"), is_good=False)
        draft = await to_thread.run_sync(_draft_of, Drafts(kit.home.drafts), wish)
        decision = Decision(draft, SIGNED)
        if not draft:
            remark = _("asked for by the person on their own page")
            try:
                decision = await propose(kit, who, body_of(wish), CLERK_MEMBER, remark=remark)
            except Exception:
                await settle(wish, OPEN, TAKEN)
                raise
        if decision.state == NOT_TAKEN:
            await settle(wish, OPEN, TAKEN)
            return kit.see(request, "/desk/asked", told(decision), is_good=False)
        await to_thread.run_sync(wishes_of(mine).name_draft, wish.id, decision.draft)
        return kit.see(request, "/desk/asked", told(decision))

    async def refuse(request: Request, who: Who, wish: Wish, word: str) -> Response:
        if wish.kind in OBJECTIONS and not wish.refuser:
            await to_thread.run_sync(wishes_of(mine).doubt, wish.id, f"{who.role} {who.name}", word)
            text = _("noted. An objection is refused only when somebody of the other role at the desk refuses it too")
            return kit.see(request, "/desk/asked", text)
        if wish.kind in OBJECTIONS and wish.refuser.partition(" ")[0] == who.role:
            text = _("somebody of your role wants to refuse it already: one of the other role decides now")
            return kit.see(request, "/desk/asked", text, is_good=False)
        if not await settle(wish, REFUSED, word=word):
            return kit.see(request, "/desk/asked", _("somebody has decided this already"), is_good=False)
        return kit.see(request, "/desk/asked", _("refused: the person reads your word on their page"))

    async def decide_help(request: Request, who: Who, form: Form, number: int) -> Response:
        if form.get("act") == "whistle":
            found = await care.ask(lambda table: help_waiting(table, number))
            made = ("wish", GONE) if found is None else await make_help(care, who, number, found.asked.told)
            if isinstance(made, tuple):
                return kit.see(request, "/desk/asked", why_not(made[1]), is_good=False)
            return kit.see(request, f"/requests/{made.id}", _("noted. Choose below who is asked."))
        word = form.text("word", WORD_MAX_CHARACTERS, is_needed=True)
        if form.flaws:
            return kit.see(request, "/desk/asked", _no_word(), is_good=False)
        if not await care.ask(lambda table: refuse_help(table, number, word)):
            return kit.see(request, "/desk/asked", why_not(GONE), is_good=False)
        return kit.see(request, "/desk/asked", _("refused: the person reads your word on their page"))

    return router


def _no_word() -> str:
    text = _("say why in a word or two, at most {most} characters: the person reads it")
    return text.format(most=WORD_MAX_CHARACTERS)


def _draft_of(drafts: Drafts, wish: Wish) -> int:
    """What was proposed for it before something broke off; 0 where nothing was."""
    made = [*drafts.waiting(), *drafts.decided(wish.at_seconds)]
    return next((draft.id for draft in made if (draft.kind, draft.body) == (wish.kind, wish.body)), 0)


def body_of(wish: Wish) -> Body:
    """What a wish asks to be recorded; StoreError where the file holds something else."""
    try:
        body: Body = msgspec.json.decode(wish.body, type=KINDS[wish.kind].body)
    except (KeyError, msgspec.DecodeError) as error:
        raise StoreError(f"wish {wish.id}: {error}") from error
    return body


def _row(wish: Wish, body: Body, about: tuple[int, Body] | None, words: Words) -> Row:
    time, name = Time.fromtimestamp(wish.at_seconds, UTC), words.names.get(wish.account, "")
    meant = None if about is None else (about[0], words.brief(about[1]))
    return Row(wish, name, named_kind(wish.kind), _told(body, words.names), time, meant)


def _told(body: Body, names: Mapping[str, str]) -> str:
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


def _helps(table: Table) -> tuple[list[HelpRow], datetime.timedelta, Time]:
    """Help that is asked for, what is wanted soonest first, and the village's clock."""
    rows = [
        HelpRow(each, request_of(table, each.asked.told), Time.fromtimestamp(each.wish.at_seconds, UTC))
        for each in helps_waiting(table)
    ]
    return sorted(rows, key=lambda row: row.request.starts_at), table.state.utc_offset, table.now
