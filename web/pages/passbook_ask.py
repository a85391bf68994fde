"""Asking for help from one's own page, for oneself or for those one may speak for; and what has become of it.

    /me/ask              for whom, what, when and how long; sent, it is a wish to the village desk (``helpwishes``)
    /me/ask/{number}     take it back, as long as it waits there

Nothing is promised by it: the desk makes a request of the wish, or says why not. ``Helping`` reads for ``/me`` what has
been asked for and where it stands, also where the desk itself wrote the request down.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from fastapi import APIRouter, Response
from fastapi import Request as WebRequest

from care.requests import OFFERED, RECORDED, TEXT_MAX_CHARACTERS, Request
from ledger.state import CLOSED
from store.wishes import REFUSED, WISH_MAX, CrowdedError
from web.access.who import Who
from web.i18n import translate as _
from web.pages.desk_record import whats
from web.pages.forms import EMPTY, Form
from web.pages.helpwishes import Help, HelpAsked, help_waiting, helps_of, put_help
from web.pages.passbook_kit import Mine
from web.pages.passbook_reading import spoken
from web.pages.requests_form import DAYS_AHEAD, FAR_OFF, Told, at_of, request_of
from web.pages.requests_kit import RequestKit, Table
from web.pages.requests_words import RequestWords
from web.problems import DeskError

MINUTES = (30, 60, 90, 120, 180, 240)
"""How long somebody may be wanted; the desk can ask for other times."""
TOLD_DAYS = 7
"""So long after its time it is told that something came to nothing."""
SHOWN_MAX = 20
PAST, CROWDED = "past", "crowded"
"""Why a wish is not taken, beside FAR_OFF."""
CLOCK = "09:00"
"""Stands in the form until another time is chosen."""


class Standing(NamedTuple):
    """Something that was asked for, and where it stands: as a wish (``number``), or as a request."""

    request: Request
    stage: str
    people: tuple[str, ...]
    """Those of its recipients for whom whoever looks may speak."""
    number: int = 0
    word: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a form has to choose from."""

    elders: Sequence[str]
    whats: Sequence[tuple[str, str]]
    today: datetime.date


@dataclass(frozen=True, slots=True)
class Helping:
    """What was asked for, as the pages of whoever asked tell it."""

    mine: Mine
    care: RequestKit = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "care", RequestKit(self.mine.kit, self.mine.names))

    async def told(self, who: Who) -> dict[str, Any]:
        """Values for ``me/helps.html``, and how often they are ``invited`` to help.

        Nothing is told where the book of requests cannot be opened.
        """
        try:
            found, words, invited = await self.care.ask(
                lambda table: (_standings(table, who.account), _words(table), _invited(table, who.account))
            )
        except DeskError:
            return {"helps": [], "help_words": None, "invited": 0}
        accounts = {number for each in found for number in each.people}
        accounts |= {visit.volunteer for each in found for visit in each.request.visits if visit.has_place}
        names = await self.mine.named(who, accounts)
        return {"helps": found, "help_words": RequestWords(names, words.offset, words.now), "invited": invited}


def ask_router(helping: Helping) -> APIRouter:
    """The routes."""
    mine, care = helping.mine, helping.care
    kit = mine.kit
    router = kit.router()

    async def page(request: WebRequest, form: Form, status: int = 200) -> Response:
        who, own = await mine.own(request)
        choice = await care.ask(partial(_choice, account=who.account))
        names = await mine.named(who, choice.elders)
        values: dict[str, Any] = {
            "form": form,
            "choice": choice,
            "names": names,
            "clock": CLOCK,
            "tomorrow": choice.today + datetime.timedelta(days=1),
            "last": choice.today + datetime.timedelta(days=DAYS_AHEAD),
            "lengths": [(str(minutes), spoken(minutes)) for minutes in MINUTES],
            "details_max": TEXT_MAX_CHARACTERS,
        }
        return mine.page(request, own, "ask.html", status, **values, **await helping.told(who))

    @router.get("/me/ask")
    async def ask(request: WebRequest) -> Response:
        return await page(request, EMPTY)

    @router.post("/me/ask")
    async def send(request: WebRequest) -> Response:
        who, _own = await mine.own(request)
        form = await kit.form(request)
        choice = await care.ask(partial(_choice, account=who.account))
        told = _told_in(form, choice)
        if told is None or not await _is_sent(form, who, told):
            return await page(request, form, 422)
        return kit.see(request, "/me", _("The village desk has it. On this page you see what becomes of it."))

    async def _is_sent(form: Form, who: Who, told: Told) -> bool:
        """Whether it waits at the desk; else the form says why not."""
        outcome = await care.ask(partial(_sent, who=who, told=told))
        texts = {
            PAST: ("clock", _("this time has passed")),
            FAR_OFF: ("day", _("at most {days} days ahead").format(days=DAYS_AHEAD)),
            CROWDED: ("what", _("too much of yours waits at the desk already: ask there in person")),
        }
        if outcome:
            form.flaw(*texts[outcome])
        return not outcome

    @router.post("/me/ask/{number}")
    async def take_back(request: WebRequest, number: int) -> Response:
        who, _own = await mine.own(request)
        await kit.form(request)
        if await care.ask(partial(_taken_back, account=who.account, number=number)):
            return kit.see(request, "/me/ask", _("taken back: nobody is asked"))
        text = _("the desk has decided this already: see below")
        return kit.see(request, "/me/ask", text, is_good=False)

    return router


# The form


def _choice(table: Table, account: str) -> Choice:
    """For whom this person may ask, themselves first, and what for."""
    accounts = table.state.accounts
    known = (accounts.get(number) for number in table.actor(account).speaks_for)
    elders = (each.number for each in known if each is not None and each.elder and each.status != CLOSED)
    today = (table.now + table.state.utc_offset).date()
    first = sorted(elders, key=lambda number: (number != account, number))
    return Choice(first, whats(dict(table.state.parameters.local_services)), today)


def _told_in(form: Form, choice: Choice) -> Told | None:
    """What a form asks for; None with flaws in it."""
    account = form.choice("person", choice.elders)
    category, _slash, local = form.choice("what", {code for code, _text in choice.whats}).partition("/")
    day, clock = form.date("day"), form.clock("clock")
    minutes = form.choice("minutes", set(map(str, MINUTES)))
    details = form.text("details", TEXT_MAX_CHARACTERS)
    if form.flaws or day is None or clock is None:
        return None
    return Told((account,), category, local, day, clock, int(minutes), details=details)


def _sent(table: Table, who: Who, told: Told) -> str:
    """Put before the desk, or why not."""
    ahead = at_of(table.state, told.day, told.clock) - table.now
    if ahead <= datetime.timedelta():
        return PAST
    if ahead.days > DAYS_AHEAD:
        return FAR_OFF
    try:
        put_help(table, told.recipients[0], HelpAsked(by=who.account, told=told))
    except CrowdedError:
        return CROWDED
    return ""


def _taken_back(table: Table, account: str, number: int) -> bool:
    """Whoever may speak for them takes back what was asked; False where it does not wait, or is another's."""
    found = help_waiting(table, number) if 0 < number <= WISH_MAX else None
    is_own = found is not None and found.wish.account in table.actor(account).speaks_for
    return is_own and table.wishes.drop(number)


# What became of it


def _standings(table: Table, account: str) -> list[Standing]:
    """Wishes that wait or were refused, and requests that are not over or came to nothing of late; the next first."""
    people = table.actor(account).speaks_for
    since = table.now - datetime.timedelta(days=TOLD_DAYS)
    wishes = (_of_wish(table, each) for each in helps_of(table, people))
    requests = (table.follow(each) for each in _requests_for(table, people).values())
    standings = [*wishes, *(_of_request(each, people) for each in requests)]
    found = [each for each in standings if each.request.ends_at > since or not _is_over(each)]
    return sorted(found, key=lambda each: (each.request.starts_at, each.number))[:SHOWN_MAX]


def _invited(table: Table, account: str) -> int:
    """How many requests wait for an answer of this volunteer."""
    asked = (request.visit(account) for request in table.live())
    return sum(visit is not None and visit.stage == OFFERED for visit in asked)


def _is_over(each: Standing) -> bool:
    return each.stage == REFUSED or bool(each.request.ended)


def _of_wish(table: Table, found: Help) -> Standing:
    wish, asked = found
    return Standing(request_of(table, asked.told), wish.state, (wish.account,), wish.id, asked.word)


def _of_request(request: Request, people: Iterable[str]) -> Standing:
    return Standing(request, request.stage, tuple(sorted(set(people) & set(request.recipients))))


def _requests_for(table: Table, people: Iterable[str]) -> Mapping[int, Request]:
    """All requests for these but what stands on the ledger, each once."""
    return {
        each.id: each
        for account in people
        for each in table.book.of_person(account)
        if account in each.recipients and each.stage != RECORDED
    }


def _words(table: Table) -> RequestWords:
    return RequestWords({}, table.state.utc_offset, table.now)
