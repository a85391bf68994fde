"""What is asked for and what is missing: the last weeks by service, and the hours in which nobody could come."""

from collections.abc import Sequence
from dataclasses import dataclass

from anyio import to_thread
from fastapi import APIRouter, Response
from fastapi import Request as WebRequest

from care.demand import Asked, Demand, Total, demand
from care.matching import Helper
from care.requests import WITHDRAWN, Request
from web.access.who import CLERK, MEMBER
from web.i18n import translate as _
from web.pages.requests_kit import RequestKit, Table
from web.pages.requests_words import DAYS
from web.text import CATEGORIES, named_category

WEEKS = 8
FIRST_HOUR, LAST_HOUR = 6, 22
DAY_HOURS = 24


@dataclass(frozen=True, slots=True)
class Square:
    """One hour of the week on the page: how many were asked for and came, and who is free."""

    asked: int
    missing: int
    free: int

    @property
    def look(self) -> str:
        """How it is marked; the numbers say the same."""
        if self.missing:
            return "short"
        return "asked" if self.asked else "free" if self.free else ""


def demand_router(care: RequestKit) -> APIRouter:
    """The route."""
    kit = care.kit
    router = kit.router()

    @router.get("/requests/demand")
    async def look(request: WebRequest) -> Response:
        kit.who(request, CLERK, MEMBER)
        asked, helpers, needed = await care.ask(_asked)
        found = await to_thread.run_sync(demand, asked, helpers, needed)
        missing = [(_hour(hour), named_category(code), cell) for hour, code, cell in found.missing()]
        categories = [(named_category(code), found.totals.get(code, Total())) for code in CATEGORIES]
        return kit.page(
            request,
            "requests/demand.html",
            weeks=WEEKS,
            categories=categories,
            missing=missing,
            days=[_(day) for day in DAYS],
            rows=[(hour, _squares(found, hour)) for hour in range(FIRST_HOUR, LAST_HOUR)],
            untold=found.untold,
            volunteers=len(helpers),
        )

    return router


def _asked(table: Table) -> tuple[list[Asked], Sequence[Helper], dict[str, frozenset[str]]]:
    requests = table.book.since(table.today - 7 * WEEKS)
    needed = table.state.parameters.credentials_needed
    scopes = {code: frozenset({scope}) for code, scope in needed.items() if code in CATEGORIES}
    return [_one(table, each) for each in requests if each.ended != WITHDRAWN], table.helpers(), scopes


def _one(table: Table, request: Request) -> Asked:
    came = sum(visit.has_place for visit in request.visits)
    return Asked(request.category, request.minutes, tuple(table.week_hours(request)), request.places, came)


def _squares(found: Demand, hour: int) -> list[Square]:
    """One hour of the day through the week."""
    squares = []
    for day in range(len(DAYS)):
        at = day * DAY_HOURS + hour
        cells = [cell for (place, _code), cell in found.cells.items() if place == at]
        missing = sum(max(0, cell.missing) for cell in cells)
        squares.append(Square(sum(cell.asked for cell in cells), missing, found.free[at]))
    return squares


def _hour(hour: int) -> str:
    text = _("{day} {first}:00–{last}:00")
    return text.format(day=_(DAYS[hour // DAY_HOURS]), first=hour % DAY_HOURS, last=hour % DAY_HOURS + 1)
