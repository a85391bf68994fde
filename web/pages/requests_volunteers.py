"""What volunteers told about themselves: when they are free, where they live, which languages; and where elders live.

A place is minutes on foot from the committee's house and a direction, as anybody would tell it: enough to find who is
near, and no address. Skills are the certificates on the ledger, which the people's pages grant.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from anyio import to_thread
from fastapi import APIRouter, Response
from fastapi import Request as WebRequest

from care.matching import Helper
from care.requestbook import Profile
from care.walking import FAR_MAX_MINUTES, place_of, told
from ledger.state import State
from web.access.who import CLERK, MEMBER
from web.i18n import translate as _
from web.pages.forms import EMPTY, Form
from web.pages.requests_kit import RequestKit, Table
from web.pages.requests_words import CARE_LEVELS, CREDENTIALS, DAYS, DIRECTIONS, RequestWords
from web.problem import Problem
from web.text import named

PAGE = 100
WORDS_MAX, WORD_MAX_CHARACTERS = 8, 20
PARTS = (("early", 6, 9), ("morning", 9, 12), ("noon", 12, 14), ("afternoon", 14, 18), ("evening", 18, 22))
"""Of a day: a code, from which hour, and until which."""
PROFILE = "profile"
"""What is recorded as looked at."""


@dataclass(frozen=True, slots=True)
class Someone:
    """Whom a profile is about."""

    account: str
    is_volunteer: bool
    profile: Profile
    scopes: Sequence[str]


def volunteers_router(care: RequestKit) -> APIRouter:
    """The routes."""
    kit = care.kit
    router = kit.router()

    @router.get("/requests/volunteers")
    async def everybody(request: WebRequest, after: str = "") -> Response:
        kit.who(request, CLERK, MEMBER)
        helpers = await care.ask(lambda table: table.helpers())
        shown = [helper for helper in helpers if helper.account > after[:8]]
        next_after = shown[PAGE - 1].account if len(shown) > PAGE else None
        names = await care.names.shown(request, [helper.account for helper in shown[:PAGE]])
        words = RequestWords(names, datetime.timedelta(), kit.clock())
        rows = [(helper, free_told(helper.free_hours), _place_told(helper)) for helper in shown[:PAGE]]
        untold = sum(not helper.free_hours or helper.place is None for helper in helpers)
        return kit.page(
            request,
            "requests/volunteers.html",
            rows=rows,
            words=words,
            after=next_after,
            untold=untold,
            credential=lambda code: named(CREDENTIALS, code),
        )

    @router.get("/requests/volunteers/{account}")
    async def one(request: WebRequest, account: str) -> Response:
        kit.who(request, CLERK, MEMBER)
        return await _page(care, request, account, EMPTY)

    @router.post("/requests/volunteers/{account}")
    async def keep(request: WebRequest, account: str) -> Response:
        kit.who(request, CLERK, MEMBER)
        form = await kit.form(request)
        profile = read_profile(form)
        if form.flaws:
            return await _page(care, request, account, form, 422)
        await care.ask(lambda table: _keep(table, account, profile))
        return kit.see(request, "/requests/volunteers", _("noted"))

    return router


def _keep(table: Table, account: str, profile: Profile) -> None:
    """Of somebody who is no volunteer the place alone is kept."""
    known = table.state.accounts.get(account)
    if known is not None:
        table.book.put_profile(account, profile if known.volunteer else Profile(place=profile.place))


async def _page(care: RequestKit, request: WebRequest, account: str, form: Form, status: int = 200) -> Response:
    someone = await care.ask(lambda table: _someone(table.state, table, account))
    if someone is None:
        raise Problem(404, "no-account", _("no such account"), _("there is no account of that number here"))
    who = care.kit.who(request)
    await to_thread.run_sync(partial(care.kit.may_look, who, PROFILE, account))
    names = await care.names.shown(request, [account])
    profile = someone.profile
    direction, minutes = ("", "") if profile.place is None else told(profile.place)
    return care.kit.page(
        request,
        "requests/volunteer.html",
        status,
        form=form,
        someone=someone,
        name=names.get(account, "") or account,
        place={"direction": direction, "minutes": str(minutes)},
        directions=[(code, _(text)) for code, text in DIRECTIONS.items()],
        levels=[(str(code), _(text)) for code, text in CARE_LEVELS.items()],
        parts=[(code, part_name(code), f"{first}–{last}") for code, first, last in PARTS],
        days=[_(day) for day in DAYS],
        ticked=ticked(profile.free_hours),
        credentials=[named(CREDENTIALS, code) for code in someone.scopes],
    )


def _someone(state: State, table: Table, account: str) -> Someone | None:
    known = state.accounts.get(account)
    if known is None or not account.isdigit():
        return None
    time = state.log_time(table.now)
    scopes = sorted(scope for scope in known.credentials if known.holds_credential(scope, time))
    return Someone(account, known.volunteer, table.book.profile(account), scopes)


def read_profile(form: Form) -> Profile:
    """What a form tells; flaws stay in it."""
    minutes = form.number("minutes", 0, FAR_MAX_MINUTES, is_needed=False)
    direction = form.choice("direction", DIRECTIONS, is_needed=bool(minutes))
    level = form.choice("care_most", "01234", is_needed=False)
    free = {
        day * 24 + hour
        for day in range(len(DAYS))
        for code, first, last in PARTS
        if form.is_on(f"free-{day}-{code}")
        for hour in range(first, last)
    }
    is_placed = minutes is not None and not form.flaws and (direction or not minutes)
    return Profile(
        place=place_of(direction or "north", minutes or 0) if is_placed else None,
        languages=_words(form, "languages"),
        diets=_words(form, "diets"),
        care_most=int(level) if level else None,
        free_hours=tuple(sorted(free)),
        is_resting=form.is_on("resting"),
    )


def _words(form: Form, name: str) -> tuple[str, ...]:
    """Words with commas between them."""
    text = form.text(name, WORDS_MAX * WORD_MAX_CHARACTERS)
    for comma in ",、;；":
        text = text.replace(comma, "，")
    words = [word.strip()[:WORD_MAX_CHARACTERS] for word in text.split("，")]
    return tuple(dict.fromkeys(filter(None, words)))[:WORDS_MAX]


def ticked(hours: Sequence[int]) -> set[str]:
    """Which boxes of the week are ticked: those parts of a day of which every hour is free."""
    known = set(hours)
    return {
        f"free-{day}-{code}"
        for day in range(len(DAYS))
        for code, first, last in PARTS
        if known.issuperset(range(day * 24 + first, day * 24 + last))
    }


def part_name(code: str) -> str:
    """A part of the day."""
    texts: Mapping[str, str] = {
        "early": _("early"),
        "morning": _("morning"),
        "noon": _("noon"),
        "afternoon": _("afternoon"),
        "evening": _("evening"),
    }
    return texts[code]


def free_told(hours: Sequence[int] | frozenset[int]) -> str:
    """How much of the week somebody is free, in a few words."""
    if not hours:
        return ""
    days = sorted({hour // 24 for hour in hours})
    text = _("{hours} h on {days}")
    return text.format(hours=len(hours), days=_(", ").join(_(DAYS[day]) for day in days))


def _place_told(helper: Helper) -> str:
    if helper.place is None:
        return ""
    direction, minutes = told(helper.place)
    if not minutes:
        return _("at the committee's house")
    return _("{minutes} min {direction}").format(minutes=minutes, direction=_(DIRECTIONS[direction]))
