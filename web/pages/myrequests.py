"""A person's side of requests: what is offered to me or open nearby, coming and going, and what was done for me.

    /me/requests               offers, open requests nearby, and the way to those whom I have promised to come
    /me/requests/{number}      where to go: name, address and what was asked, once I have accepted
    /me/service                check in, check out; confirm what was done for me and mine, or object

``POST /me/service/{number}`` takes ``step`` (check_in, check_out, confirm, object, nobody), and may say ``at``, the
phone's time as 2026-11-23T09:00:00Z: a phone that was off line sends it up to two days late. ``mark`` names a step once
and for all, so that it may be sent again. ``statement``, ``signature`` and ``key`` keep what a browser signed. With
``Accept: application/json`` the answer is ``{"done": …, "stage": …, "told": …}``, and 409 where it is not possible.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Response
from fastapi import Request as WebRequest

from care.dossier import Dossier
from care.matching import propose
from care.requests import (
    ACCEPT,
    ACCEPTED,
    CHECK_IN,
    CHECK_OUT,
    CHECKED_IN,
    CHECKED_OUT,
    CONFIRM,
    DECLINE,
    MARK_MAX_CHARACTERS,
    NOBODY,
    OBJECT,
    OBJECTED,
    OFFERED,
    PROOF_MAX_CHARACTERS,
    TEXT_MAX_CHARACTERS,
    Actor,
    Proof,
    Request,
    Step,
    Visit,
)
from chain.fields import Time, parse_time
from web.access.who import PERSON, Who
from web.dossiers import open_people
from web.i18n import translate as _
from web.pages.forms import Form
from web.pages.kit import Kit
from web.pages.names import Names
from web.pages.passbook_kit import Mine
from web.pages.requests_kit import RequestKit, Table
from web.pages.requests_words import RequestWords, told
from web.problem import Problem

NEARBY_MAX = 10
AT = re.compile(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z")
MARK = re.compile(rf"[A-Za-z0-9_-]{{1,{MARK_MAX_CHARACTERS}}}")
KEY = re.compile(r"[0-9a-f]{16}")
MINE_STEPS = frozenset((CHECK_IN, CHECK_OUT))
THEIRS_STEPS = frozenset((CONFIRM, OBJECT, NOBODY))
WHERE_TO = "address,name,phone"


@dataclass(frozen=True, slots=True)
class Near:
    """An open request, and how far it is: 0 where nobody knows."""

    request: Request
    minutes: int


@dataclass(frozen=True, slots=True)
class Task:
    """A visit of a request."""

    request: Request
    visit: Visit


@dataclass(frozen=True, slots=True)
class Concern:
    """All that concerns one person."""

    offered: Sequence[Near]
    nearby: Sequence[Near]
    promised: Sequence[Task]
    to_confirm: Sequence[Task]
    expected: Sequence[Task]
    words: RequestWords


def myrequests_router(kit: Kit, names: Names) -> APIRouter:
    """The routes."""
    care, mine = RequestKit(kit, names), Mine(kit, names)
    router = kit.router()

    @router.get("/me/requests")
    async def nearby(request: WebRequest) -> Response:
        return await _page(care, mine, request, "nearby.html")

    @router.get("/me/requests/{number}")
    async def where(request: WebRequest, number: int) -> Response:
        who = _person(kit, request)
        task, words = await care.ask(lambda table: (_promised(table, number, who), _words(table)))
        if task is None:
            raise Problem(404, "no-request", _("no such request"), told("not-offered"))
        for account in task.request.recipients:
            await to_thread.run_sync(partial(kit.may_look, who, WHERE_TO, account))
        dossiers = await care.ask(lambda table: _where_to(table, who, task.request))
        names = {account: dossier.name for account, dossier in dossiers}
        shown = RequestWords(names, words.offset, words.now)
        return kit.page(request, "requests/where.html", task=task, dossiers=dossiers, words=shown)

    @router.post("/me/requests/{number}")
    async def answer(request: WebRequest, number: int) -> Response:
        who, form = _person(kit, request), await kit.form(request)
        kind = form.choice("step", (ACCEPT, DECLINE))
        if not kind:
            return kit.see(request, "/me/requests", form.flaws["step"], is_good=False)
        outcome = await care.ask(lambda table: _answer(table, number, who, kind))
        if isinstance(outcome, str):
            return kit.see(request, "/me/requests", told(outcome), is_good=False)
        if kind == DECLINE:
            return kit.see(request, "/me/requests", _("noted: somebody else will be asked"))
        return kit.see(request, f"/me/requests/{number}", _("thank you: it is noted that you come"))

    @router.get("/me/service")
    async def service(request: WebRequest) -> Response:
        return await _page(care, mine, request, "service.html")

    @router.post("/me/service/{number}")
    async def step(request: WebRequest, number: int) -> Response:
        who, form = _person(kit, request), await kit.form(request)
        read = _read_step(form, who, kit.clock())
        outcome: Request | str = (
            next(iter(form.flaws.values()))
            if read is None
            else await care.ask(lambda table: _stepped(table, number, who, read))
        )
        said = _done(form.get("step")) if isinstance(outcome, Request) else outcome if read is None else told(outcome)
        if "application/json" in request.headers.get("accept", ""):
            return _json(outcome, said, read)
        return kit.see(request, "/me/service", said, is_good=isinstance(outcome, Request))

    return router


def _person(kit: Kit, request: WebRequest) -> Who:
    """Somebody with an account here."""
    who = kit.who(request, PERSON)
    if not who.account or who.ledger != kit.settings.origin:
        text = _("your sign-in belongs to no account of this ledger: ask at the village desk")
        raise Problem(403, "no-account", _("no passbook"), text)
    return who


def _json(outcome: Request | str, said: str, step: Step | None) -> Response:
    is_done = isinstance(outcome, Request)
    visit = outcome.visit(step.volunteer) if isinstance(outcome, Request) and step is not None else None
    plain = {"done": is_done, "stage": "" if visit is None else visit.stage, "told": said}
    headers = {"Cache-Control": "no-store"}
    return Response(msgspec.json.encode(plain), 200 if is_done else 409, headers, "application/json")


def _done(kind: str) -> str:
    texts = {
        CHECK_IN: _("you are checked in: the time is noted"),
        CHECK_OUT: _("you are checked out; now it waits for confirmation. Thank you"),
        CONFIRM: _("confirmed. Thank you"),
        OBJECT: _("noted: the committee will look into it"),
        NOBODY: _("noted: the committee will send somebody else"),
    }
    return texts.get(kind, "")


# Steps


def _read_step(form: Form, who: Who, now: Time) -> Step | None:
    """What a form says; None with flaws in it. For whom somebody may speak is for the ledger to say."""
    kind = form.choice("step", MINE_STEPS | THEIRS_STEPS)
    said, mark = form.text("at", 32), form.text("mark", MARK_MAX_CHARACTERS)
    if said and not AT.fullmatch(said):
        form.flaw("at", _("a time, like 2026-11-23T09:00:00Z"))
    if mark and not MARK.fullmatch(mark):
        form.flaw("mark", _("this form cannot be read: send it again"))
    volunteer = who.account if kind in MINE_STEPS else form.account("volunteer")
    rating = form.number("rating", 1, 5, is_needed=False)
    text = form.text("text", TEXT_MAX_CHARACTERS)
    try:
        said_at: Time | None = parse_time(said) if said and not form.flaws else None
    except ValueError:
        form.flaw("at", _("a time, like 2026-11-23T09:00:00Z"))
        said_at = None
    if form.flaws:
        return None
    return Step(
        kind=kind,
        by=Actor(account=who.account),
        at=now,
        volunteer=volunteer,
        said_at=said_at,
        mark=mark,
        text=text,
        rating=rating,
        proof=_proof(form, kind),
    )


def _proof(form: Form, kind: str) -> Proof | None:
    """What the browser signed, kept as it came; who records it checks it."""
    statement, signature = form.text("statement", PROOF_MAX_CHARACTERS // 2), form.text("signature", 128)
    key = form.text("key", 16)
    return Proof(kind, key, statement, signature) if statement and signature and KEY.fullmatch(key) else None


def _stepped(table: Table, number: int, who: Who, step: Step) -> Request | str:
    return table.take(number, msgspec.structs.replace(step, by=table.actor(who.account), at=table.now))


def _answer(table: Table, number: int, who: Who, kind: str) -> Request | str:
    request = table.book.request(number)
    if request is None:
        return "no-such-request"
    is_suitable = kind == ACCEPT and _is_suitable(table, request, who.account)
    by = table.actor(who.account)
    step = Step(kind=kind, by=by, at=table.now, volunteer=who.account, is_suitable=is_suitable)
    return table.take(number, step)


def _is_suitable(table: Table, request: Request, account: str) -> bool:
    helper = table.helper(account)
    need = next(iter(table.needs([request])), None)
    return helper is not None and need is not None and propose(need, helper) is not None


# What is shown


def _promised(table: Table, number: int, who: Who) -> Task | None:
    """The request, for a volunteer who has accepted it and has not left it."""
    request = table.book.request(number)
    visit = None if request is None else request.visit(who.account)
    is_mine = visit is not None and visit.stage in (ACCEPTED, CHECKED_IN)
    return Task(request, visit) if is_mine and request is not None and visit is not None else None


def _where_to(table: Table, who: Who, request: Request) -> list[tuple[str, Dossier]]:
    """Where the recipients live, the look on disk first."""
    with open_people(table.node) as people:
        people.note_looks(request.recipients, table.now, who.name, WHERE_TO, "")
        found = [(account, people.dossier(account)) for account in request.recipients]
    return [(account, kept[1]) for account, kept in found if kept is not None]


def _words(table: Table) -> RequestWords:
    return RequestWords({}, table.state.utc_offset, table.now)


def _concern(table: Table, account: str) -> Concern:
    live = table.live()
    speaks_for = table.actor(account).speaks_for
    mine = [Task(each, visit) for each in live for visit in each.visits if visit.volunteer == account]
    theirs = [
        Task(each, visit)
        for each in live
        if not speaks_for.isdisjoint(each.recipients)
        for visit in each.visits
        if visit.volunteer != account
    ]
    near = _nearby(table, live, account)
    asked = {task.request.id for task in mine if task.visit.stage == OFFERED}
    return Concern(
        offered=[each for each in near if each.request.id in asked]
        + [Near(task.request, 0) for task in mine if task.visit.stage == OFFERED and task.request.id not in _ids(near)],
        nearby=[each for each in near if each.request.id not in asked][:NEARBY_MAX],
        promised=_in_order([task for task in mine if task.visit.stage in (ACCEPTED, CHECKED_IN)]),
        to_confirm=_in_order([task for task in theirs if task.visit.stage in (CHECKED_OUT, OBJECTED)]),
        expected=_in_order([task for task in theirs if task.visit.stage in (ACCEPTED, CHECKED_IN)]),
        words=_words(table),
    )


def _ids(near: Sequence[Near]) -> set[int]:
    return {each.request.id for each in near}


def _in_order(tasks: Sequence[Task]) -> list[Task]:
    return sorted(tasks, key=lambda task: (task.request.starts_at, task.request.id))


def _nearby(table: Table, live: Sequence[Request], account: str) -> list[Near]:
    """What this volunteer is suitable for and could still take, the nearest in time first."""
    helper = table.helper(account)
    if helper is None:
        return []
    found = []
    by_number = {request.id: request for request in live}
    for need in table.needs(live):
        request = by_number[need.id]
        proposal = propose(need, helper) if request.ends_at > table.now else None
        if proposal is not None:
            walk = next((reason.count for reason in proposal.reasons if reason.code == "walk"), 0)
            found.append(Near(request, walk))
    return sorted(found, key=lambda near: (near.request.starts_at, near.request.id))


async def _page(care: RequestKit, mine: Mine, request: WebRequest, template: str) -> Response:
    who, own = await mine.own(request)
    found = await care.ask(lambda table: _concern(table, own.number))
    tasks = [*found.promised, *found.to_confirm, *found.expected]
    accounts = {account for task in tasks for account in task.request.recipients}
    accounts |= {task.visit.volunteer for task in (*found.to_confirm, *found.expected)}
    words = RequestWords(await mine.named(who, accounts), found.words.offset, found.words.now)
    return mine.page(request, own, template, mine=found, words=words)
