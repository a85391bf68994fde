"""One request at the desk: who was asked, who could come and why, and every step for those who have no phone."""

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Response
from fastapi import Request as WebRequest

from care.matching import Need, Proposal, ranked, unsuitable
from care.requests import (
    ACCEPT,
    CHECK_IN,
    CHECK_OUT,
    CONFIRM,
    CONFIRMED,
    COUPON,
    DECLINE,
    FORMS,
    NOBODY,
    OBJECT,
    OFFER,
    PAPER,
    TAKE_BACK,
    TEXT_MAX_CHARACTERS,
    WITHDRAW,
    Request,
    Step,
    Visit,
    outcome_of,
)
from chain.fields import Time
from web.access.who import CLERK, MEMBER, Who
from web.i18n import translate as _
from web.pages.forms import EMPTY, Form
from web.pages.names import Found
from web.pages.requests_form import at_of, person_meant
from web.pages.requests_kit import STAFF, RequestKit, Table
from web.pages.requests_recording import Payer, payers_of, record_visit
from web.pages.requests_words import AGAINST, CARE_LEVELS, RequestWords, against, told
from web.problem import Problem

SHOWN_MAX = 12
FOR_ONE = frozenset((ACCEPT, DECLINE, TAKE_BACK, CHECK_IN, CHECK_OUT, NOBODY, CONFIRM, OBJECT))
OFFERS = TICKED, NAMED = "offer", "offer_one"
CLOCKED = frozenset((CHECK_IN, CHECK_OUT))
NEVER = frozenset(("not-volunteer", "suspended", "self", "kin", "needs-credential"))
"""Against these the clerk's better knowledge does not help."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request with all who could come."""

    request: Request
    ranked: Sequence[Proposal]
    against: Counter[str]
    payers: Mapping[str, Sequence[Payer]]
    words: RequestWords


def one_router(care: RequestKit) -> APIRouter:
    """The routes."""
    kit = care.kit
    router = kit.router()

    @router.get("/requests/{number}")
    async def look(request: WebRequest, number: int) -> Response:
        kit.who(request, CLERK, MEMBER)
        return await _page(care, request, number, EMPTY, ())

    @router.post("/requests/{number}")
    async def act(request: WebRequest, number: int) -> Response:
        who, form = kit.who(request, CLERK, MEMBER), await kit.form(request)
        kind, _colon, account = form.text("act", 32).partition(":")
        here = f"/requests/{number}"
        if kind in OFFERS:
            return await _offer(care, request, number, who, form, kind)
        if kind == "record":
            said, is_good = await record_visit(care, who, number, account, form)
            return kit.see(request, here, said, is_good=is_good)
        if kind == WITHDRAW or kind in FOR_ONE:
            clock = form.clock(f"clock-{account}", is_needed=False) if kind in CLOCKED else None
            if form.flaws:
                return kit.see(request, here, next(iter(form.flaws.values())), is_good=False)
            answer = await care.ask(lambda table: _step(table, number, kind, account, clock, form))
            is_good = isinstance(answer, Request)
            return kit.see(request, here, _("noted") if is_good else told(str(answer)), is_good=is_good)
        raise Problem(400, "bad-request", _("not readable"), _("this form cannot be read: send it again"))

    return router


def _step(
    table: Table, number: int, kind: str, account: str, clock: datetime.time | None, form: Form
) -> Request | str:
    """A step that staff does, mostly for somebody without a phone."""
    request = table.book.request(number)
    if request is None:
        return "no-such-request"
    shown_by = form.text(f"form-{account}", 16)
    step = Step(
        kind=kind,
        by=STAFF,
        at=table.now,
        volunteer=account,
        said_at=None if clock is None else _said_at(table, request, request.visit(account), clock),
        text=form.text(f"text-{account}", TEXT_MAX_CHARACTERS),
        form=shown_by if shown_by in FORMS else PAPER,
    )
    return table.take(number, step)


def _said_at(table: Table, request: Request, visit: Visit | None, clock: datetime.time) -> Time:
    """A time of day as a moment: of the request's day, or of the day after where it would lie before the check-in."""
    local = (request.starts_at + table.state.utc_offset).date()
    moment = at_of(table.state, local, clock)
    began = None if visit is None or visit.checkin is None else visit.checkin.said_at
    return moment + datetime.timedelta(days=1) if began is not None and moment < began else moment


async def _offer(care: RequestKit, request: WebRequest, number: int, who: Who, form: Form, kind: str) -> Response:
    """Ask those who are ticked; or whoever is named, and then nobody else."""
    kit = care.kit
    chosen = [account for account in form.several("offer", SHOWN_MAX * 2) if account.isdigit()]
    if kind == NAMED or form.text("somebody", 64):
        account, choices = await person_meant(care.names, request, who, form, "somebody")
        if not account:
            return await _page(care, request, number, form, choices, 422)
        chosen = [account]
    answers = await care.ask(lambda table: [_offered(table, number, account) for account in chosen])
    refused = [answer for answer in answers if isinstance(answer, str)]
    if refused:
        form.flaw("somebody", against(refused[0]) if refused[0] in AGAINST else told(refused[0]))
        return await _page(care, request, number, form, (), 422)
    if not answers:
        return kit.see(request, f"/requests/{number}", _("nobody was asked: tick somebody first"), is_good=False)
    shown = await care.names.shown(request, chosen)
    named = _(", ").join(shown[account] or account for account in chosen)
    return kit.see(request, f"/requests/{number}", _("asked: {names}").format(names=named))


def _offered(table: Table, number: int, account: str) -> Request | str:
    request = table.book.request(number)
    if request is None:
        return "no-such-request"
    need, helper = next(iter(table.needs([request])), None), table.helper(account)
    if helper is None:
        return "not-volunteer"
    outcome = None if need is None else unsuitable(need, helper)
    if outcome in NEVER:
        return outcome
    return table.take(number, Step(kind=OFFER, by=STAFF, at=table.now, volunteer=account))


def _seen(table: Table, number: int) -> Seen | None:
    found = table.book.request(number)
    if found is None:
        return None
    request = table.follow(found)
    need: Need | None = next(iter(table.needs([request])), None)
    helpers = table.helpers() if need is not None else []
    best = ranked(need, helpers, SHOWN_MAX) if need is not None else []
    reasons = (unsuitable(need, helper) for helper in helpers if helper.account not in need.asked) if need else ()
    payers = {
        visit.volunteer: payers_of(table.state, request) for visit in request.visits if visit.stage == CONFIRMED
    }
    words = RequestWords({}, table.state.utc_offset, table.now)
    return Seen(request, best, Counter(code for code in reasons if code is not None), payers, words)


async def _page(
    care: RequestKit, request: WebRequest, number: int, form: Form, choices: Sequence[Found], status: int = 200
) -> Response:
    seen = await care.ask(lambda table: _seen(table, number))
    if seen is None:
        raise Problem(404, "no-request", _("no such request"), told("no-such-request"))
    found = seen.request
    accounts = {*found.recipients, *(visit.volunteer for visit in found.visits), *(one.account for one in seen.ranked)}
    words = RequestWords(await care.names.shown(request, accounts), seen.words.offset, seen.words.now)
    return care.kit.page(
        request,
        "requests/one.html",
        status,
        form=form,
        choices=choices,
        found=found,
        ranked=seen.ranked,
        against=[(against(code), count) for code, count in seen.against.most_common()],
        payers=seen.payers,
        words=words,
        levels={code: _(text) for code, text in CARE_LEVELS.items()},
        may_withdraw=outcome_of(found, Step(kind=WITHDRAW, by=STAFF, at=seen.words.now)) is None,
        forms=[(PAPER, _("signed paper")), (COUPON, _("coupon"))],
    )
