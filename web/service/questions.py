"""A supervisor's questions, over the API: about this node's ledger and all below it that they may see.

Every figure says what it rests on: the checkpoint of its ledger, or of several how many they are and the oldest seal.
A ledger that is off line is answered for all the same, as of the newest checkpoint that came.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response

from chain.limits import LOG_MAX_ENTRIES, ORIGIN_MAX_BYTES
from ledger.figures import Period, format_span, share
from ledger.risk import format_period
from store.home import Home
from store.reading import ROWS_MAX
from store.settings import NodeSettings
from store.summaries import LedgerRow, ServiceRow, read_services, read_services_by_ledger, read_suspicions
from verify.summary import people_of
from web.access.guard import Guard
from web.access.who import READ, Who
from web.i18n import translate as _
from web.problem import Problem
from web.service.accounts import CursorQuery, TierQuery
from web.service.answers import PAGE_ROWS, LimitQuery, StatusQuery, json_answer, problems
from web.service.asking import Asker
from web.service.books import PeriodQuery, own_figures, own_suspicions, period_of
from web.service.ledgers import Ledgers
from web.service.models import ORIGIN
from web.service.question_models import LedgersPage, SubtreeSupplyModel, SubtreeSuspicionsPage, TotalsModel
from web.service.sheets import busy
from web.service.subtree import OWN, TOTAL, Subtree, oldest_sealed, plain_checkpoint
from web.service.writer import BusyError, Writer, WritingNode

KEPT_MAX = 64
Services = tuple[list[ServiceRow], dict[str, tuple[int, int]]]

AllLedgersQuery = Annotated[
    str | None,
    Query(
        description="Only this ledger; absent: all that may be seen.", max_length=ORIGIN_MAX_BYTES, examples=[ORIGIN]
    ),
]
NameQuery = Annotated[
    str | None,
    Query(
        description="What `next` of the page before says; absent: the first page.",
        max_length=ORIGIN_MAX_BYTES,
        examples=["liuduhe.example/huzhu"],
    ),
]
ByQuery = Annotated[Literal["ledger", "tier", "status"], Query(description="What the lines are.", examples=["tier"])]
SilentQuery = Annotated[
    bool | None, Query(description="Only those that are silent; false: only those that are not.", examples=[True])
]
StateQuery = Annotated[
    Literal["own", "sound", "findings", "forked", "rolled-back"] | None,
    Query(description="Only ledgers in this state.", examples=["findings"]),
]
CodeQuery = Annotated[
    str | None, Query(description="Only suspicions of this code.", max_length=32, examples=["overlap"])
]


def question_router(
    home: Home,
    settings: NodeSettings,
    ledgers: Ledgers,
    subtree: Subtree,
    writer: Writer,
    guard: Guard,
    asker: Asker,
) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/api/v1", tags=["questions"])
    reader = Depends(guard.needs(READ))
    answers = Questions(home, ledgers, subtree, writer, asker)

    @router.get("/totals", summary="Totals", response_model=TotalsModel, responses=problems(400, 401, 403, 404))
    async def totals(
        who: Annotated[Who, reader],
        by: ByQuery = "ledger",
        ledger: AllLedgersQuery = None,
        tier: TierQuery = None,
        status: StatusQuery = None,
        after: NameQuery = None,
        limit: LimitQuery = PAGE_ROWS,
    ) -> Response:
        """Number of accounts, balances, held and travelling hours of the ledgers that may be seen."""
        groups, total = subtree.sums(subtree.rows(who, ledger, tier), by, status)
        page, following = _page(list(groups), after, limit)
        lines = [groups[name].plain(name) for name in page]
        return json_answer({"by": by, "lines": lines, "total": total.plain(TOTAL), "next": following})

    @router.get("/ledgers", summary="Ledgers", response_model=LedgersPage, responses=problems(400, 401, 403))
    async def all_ledgers(
        who: Annotated[Who, reader],
        tier: TierQuery = None,
        silent: SilentQuery = None,
        state: StateQuery = None,
        after: NameQuery = None,
        limit: LimitQuery = PAGE_ROWS,
    ) -> Response:
        """Every ledger that may be seen: how far it came here, whether it is sound, and whether it is silent."""
        found = {
            row.origin: row
            for row in subtree.rows(who, tier=tier)
            if state in (None, row.state) and silent in (None, subtree.is_silent(row))
        }
        page, following = _page(list(found), after, limit)
        lines = [subtree.plain(found[origin]) for origin in page]
        return json_answer(
            {"ledgers": lines, "count": len(found), "above": list(settings.parents), "next": following}
        )

    @router.get(
        "/subtree/supply-demand",
        summary="Supply and demand of all ledgers",
        response_model=SubtreeSupplyModel,
        responses=problems(400, 401, 403, 404),
    )
    async def supply_demand(
        who: Annotated[Who, reader],
        period: PeriodQuery = None,
        ledger: AllLedgersQuery = None,
        tier: TierQuery = None,
        after: NameQuery = None,
        limit: LimitQuery = PAGE_ROWS,
    ) -> Response:
        """Who may serve, who may be served, what was done in a period and what proves it: summed up, and by ledger."""
        rows = subtree.rows(who, ledger, tier)
        return json_answer(await answers.supply(rows, period_of(period), after, limit))

    @router.get(
        "/subtree/suspicions",
        summary="Suspicions of all ledgers",
        response_model=SubtreeSuspicionsPage,
        responses=problems(400, 401, 403, 404),
    )
    async def suspicions(
        who: Annotated[Who, reader],
        ledger: AllLedgersQuery = None,
        tier: TierQuery = None,
        code: CodeQuery = None,
        after: CursorQuery = None,
        limit: LimitQuery = PAGE_ROWS,
    ) -> Response:
        """What the audits find unusual: questions for people, no proof of anything."""
        return json_answer(await answers.suspicions(subtree.rows(who, ledger, tier), code, after, limit))

    return router


class Questions:
    """Answers for which more must be read than totals; the own ledger's by its report and its audit."""

    def __init__(self, home: Home, ledgers: Ledgers, subtree: Subtree, writer: Writer, asker: Asker) -> None:
        self._home, self._ledgers, self._subtree, self._writer, self._asker = home, ledgers, subtree, writer, asker
        self._version: tuple[int, int] | None = None
        self._services: dict[tuple[Period, tuple[str, ...]], Services] = {}
        """What was read for earlier questions, as long as nobody commits anything."""

    async def supply(
        self, rows: Sequence[LedgerRow], period: Period, after: str | None, limit: int
    ) -> dict[str, Any]:
        """Supply, demand and evidence of these ledgers."""
        counts = _Counts()
        by_ledger: dict[str, tuple[int, int]] = {}
        people = {row.origin: (row.volunteers, row.elders) for row in rows}
        below = [row.origin for row in rows if row.state != OWN]
        if below:
            services, found = self._below(period, tuple(below))
            by_ledger |= found
            for row in services:
                counts.add(row)
        if len(below) < len(rows):
            people[self._subtree.origin], figures = await self._own(period)
            by_ledger[self._subtree.origin] = counts.add_figures(figures)
        page, following = _page([row.origin for row in rows], after, limit)
        by_origin = {row.origin: row for row in rows}
        return {
            "period": format_span(period),
            "ledgers": len(rows),
            "oldest_sealed": oldest_sealed(rows),
            "volunteers": sum(volunteers for volunteers, _elders in people.values()),
            "elders": sum(elders for _volunteers, elders in people.values()),
            **counts.plain(),
            "lines": [
                {
                    "ledger": origin,
                    "tier": by_origin[origin].tier,
                    "volunteers": people[origin][0],
                    "elders": people[origin][1],
                    "services": _plain_count(by_ledger.get(origin, (0, 0))),
                    "checkpoint": plain_checkpoint(by_origin[origin]),
                }
                for origin in page
            ],
            "next": following,
        }

    def _below(self, period: Period, origins: tuple[str, ...]) -> Services:
        """Services of mirrored ledgers: of all of them together, and how many each has."""
        mirror = self._ledgers.mirror()
        if mirror is None:
            return [], {}
        version, key = (id(mirror), mirror.version()), (period, origins)
        if version != self._version or len(self._services) >= KEPT_MAX:
            self._version, self._services = version, {}
        if key not in self._services:
            months = format_period(period.first), format_period(period.last)
            self._services[key] = (
                read_services(mirror, origins, *months),
                read_services_by_ledger(mirror, origins, *months),
            )
        return self._services[key]

    async def _own(self, period: Period) -> tuple[tuple[int, int], dict[str, Any]]:
        """Volunteers and elders of the own ledger, and its figures; none where it never had a service."""
        try:
            people, has_services = await self._writer.ask(_people)
        except BusyError:
            raise busy() from None
        if not has_services:
            return people, {}
        size = self._ledgers.own.entry_count()
        try:
            return people, await own_figures(self._home, self._asker, format_span(period), size)
        except Problem as problem:
            if problem.status != 400:
                raise
            return people, {}

    async def suspicions(
        self, rows: Sequence[LedgerRow], code: str | None, after: str | None, limit: int
    ) -> dict[str, Any]:
        """Suspicions of these ledgers, and how many there are."""
        counts = {row.origin: self._subtree.snapshot().suspicion_counts.get(row.origin, {}) for row in rows}
        own: list[dict[str, Any]] = []
        for row in rows:
            if row.state == OWN and self._subtree.has_people(row):
                own = await own_suspicions(self._home, self._asker, self._ledgers.own.entry_count())
                counts[row.origin] = _count_codes(each["code"] for each in own)
        wanted = {origin: each for origin, each in counts.items() if each and code in (None, *each)}
        first, place = _cursor(after, wanted)
        listed: list[tuple[dict[str, Any], str]] = []
        for origin in list(wanted)[list(wanted).index(first) if first else 0 :]:
            left = limit - len(listed)
            if origin == self._subtree.origin:
                chosen = [(number, each) for number, each in enumerate(own) if number > place]
                found = [(number, each) for number, each in chosen if code in (None, each["code"])][:left]
            else:
                found = self._of_mirror(origin, place, left, code)
            listed += [({"ledger": origin, **each}, f"{origin}:{number}") for number, each in found]
            place = -1
            if len(listed) == limit:
                break
        return {
            "ledgers": wanted,
            "counts": _added_up(wanted.values()),
            "suspicions": [plain for plain, _cursor in listed],
            "next": listed[-1][1] if len(listed) == limit else None,
        }

    def _of_mirror(self, origin: str, place: int, limit: int, code: str | None) -> list[tuple[int, dict[str, Any]]]:
        mirror = self._ledgers.mirror()
        rows = [] if mirror is None else read_suspicions(mirror, origin, place, min(limit, ROWS_MAX), code)
        names = ("code", "account", "entries", "detail")
        return [(row.place, dict(zip(names, row[1:], strict=True))) for row in rows]


class _Counts:
    """Services added up."""

    def __init__(self) -> None:
        self._all = (0, 0)
        self._categories: dict[str, tuple[int, int]] = {}
        self._evidence: dict[str, tuple[int, int]] = {}
        self._months: dict[str, tuple[int, int, int]] = {}

    def add(self, row: ServiceRow) -> None:
        """Those of one month, category and evidence."""
        count = row.number, row.minutes
        self._all = _sum(self._all, count)
        self._categories[row.category] = _sum(self._categories.get(row.category, (0, 0)), count)
        self._evidence[row.evidence] = _sum(self._evidence.get(row.evidence, (0, 0)), count)
        known = self._months.get(row.month, (0, 0, 0))
        self._months[row.month] = (*_sum(known[:2], count), known[2] + row.redeemed_minutes)

    def add_figures(self, figures: dict[str, Any]) -> tuple[int, int]:
        """Those of a report; answers how many they are, and their minutes."""
        for target, name in ((self._categories, "categories"), (self._evidence, "evidence")):
            for key, each in figures.get(name, {}).items():
                target[key] = _sum(target.get(key, (0, 0)), (each["number"], each["minutes"]))
        for month, each in figures.get("months", {}).items():
            known = self._months.get(month, (0, 0, 0))
            more = each["services"], each["minutes"]
            self._months[month] = (*_sum(known[:2], more), known[2] + each["redeemed_minutes"])
        services = figures.get("services", {"number": 0, "minutes": 0})
        found = services["number"], services["minutes"]
        self._all = _sum(self._all, found)
        return found

    def plain(self) -> dict[str, Any]:
        """What an answer says of them."""
        return {
            "services": _plain_count(self._all),
            "categories": {name: _plain_count(each) for name, each in sorted(self._categories.items())},
            "evidence": {name: _plain_count(each) for name, each in sorted(self._evidence.items())},
            "evidence_per_mille": {
                name: share(number, self._all[0]) for name, (number, _minutes) in sorted(self._evidence.items())
            },
            "months": {
                month: {"services": number, "minutes": minutes, "redeemed_minutes": redeemed}
                for month, (number, minutes, redeemed) in sorted(self._months.items())
            },
        }


def _people(node: WritingNode) -> tuple[tuple[int, int], bool]:
    return people_of(node.state), node.state.first_service is not None


def _sum(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]


def _plain_count(count: tuple[int, int]) -> dict[str, int]:
    return {"number": count[0], "minutes": count[1]}


def _count_codes(codes: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for code in codes:
        found[code] = found.get(code, 0) + 1
    return found


def _added_up(counts: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in counts:
        for code, number in each.items():
            found[code] = found.get(code, 0) + number
    return found


def _page(names: list[str], after: str | None, limit: int) -> tuple[list[str], str | None]:
    """The names of a page, and what comes after it."""
    if after is not None and after not in names:
        raise _no_page()
    start = 0 if after is None else names.index(after) + 1
    page = names[start : start + limit]
    return page, page[-1] if start + limit < len(names) else None


def _cursor(after: str | None, wanted: dict[str, Any]) -> tuple[str | None, int]:
    """Ledger and place behind which a page begins."""
    if after is None:
        return None, -1
    origin, _colon, place = after.rpartition(":")
    if origin not in wanted or not (place.isascii() and place.isdigit() and int(place) <= LOG_MAX_ENTRIES):
        raise _no_page()
    return origin, int(place)


def _no_page() -> Problem:
    text = _("`after` is not what `next` of the page before says, or its ledger is not here any more")
    return Problem(400, "bad-cursor", _("no such page"), text)
