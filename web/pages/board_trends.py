"""How things go: hours by month, category and part of the tree, what proves them, who is active; and what is owed.

Every chart is a drawing with its table beside it. Figures are sums over the ledgers that somebody may see, of standing
services; what is owed to people by their age comes from the last seal of each ledger.
"""

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from ledger.figures import Period
from ledger.parameters import CATEGORIES
from ledger.risk import BAND_YEARS, REDEEMABLE_YEARS, forecast_of, format_period
from ledger.state import month_of
from store.overview import read_active, read_bands, read_months
from store.summaries import LedgerRow
from verify.summary import Band, active_by_month, bands_of
from web.charts import Points, bars, columns, line, stack
from web.i18n import translate as _
from web.pages.board_facts import Facts, overseer
from web.pages.board_urgent import address
from web.service.answers import PAGE_ROWS
from web.service.subtree import OWN
from web.text import hours_of, named_category

SPANS = (6, 12, 24, 60)
"""So many months back one can look."""
BELOW_SHOWN = 12
UNKNOWN_BAND = 0


class Chart(NamedTuple):
    """A drawing, and the values in it as a table: a name and what stands beside it."""

    title: str
    svg: Markup
    head: tuple[str, str]
    rows: list[tuple[str, str]]
    note: str = ""


def trend_routes(router: APIRouter, facts: Facts) -> None:
    """Hang the pages up."""
    kit = facts.kit

    @router.get("/board/trends")
    async def trends(request: Request, months: int = 12, ledger: str = "") -> Response:
        who = overseer(kit, request)
        span = months if months in SPANS else SPANS[1]
        last = month_of(facts.today())
        period = Period(last - span + 1, last)
        rows = facts.subtree.rows(who, ledger or None)
        if ledger:
            rows = _under(facts.subtree.rows(who), ledger)
        found = await facts.questions.supply(rows, period, None, PAGE_ROWS)
        active = await _active(facts, rows, period)
        charts = [*_of_months(found, active, period), *_of_kinds(found), *_below(facts, rows, ledger, period)]
        return kit.page(
            request,
            "board/trends.html",
            charts=charts,
            span=span,
            spans=SPANS,
            period=f"{format_period(period.first)} – {format_period(period.last)}",
            ledger_asked=ledger,
            ledgers=[row.origin for row in facts.subtree.rows(who)],
            found=found,
            address=address,
        )

    @router.get("/board/risk")
    async def risk(request: Request, ledger: str = "") -> Response:
        who = overseer(kit, request)
        rows = facts.subtree.rows(who, ledger or None)
        if ledger:
            rows = _under(facts.subtree.rows(who), ledger)
        owed = await _bands(facts, rows)
        _groups, total = facts.subtree.sums(rows, OWN, None)
        return kit.page(
            request,
            "board/risk.html",
            charts=_of_bands(owed, facts.today()),
            total=total.plain("total"),
            waiting=sum(band.waiting_minutes for band in owed),
            whole=sum(band.minutes for band in owed),
            ledger_asked=ledger,
            ledgers=[row.origin for row in facts.subtree.rows(who)],
            years=REDEEMABLE_YEARS,
            address=address,
        )


async def _active(facts: Facts, rows: Sequence[LedgerRow], period: Period) -> dict[str, int]:
    """How many served in each month; somebody with accounts on two ledgers counts twice."""
    found: Counter[str] = Counter()
    mirror, below = facts.kit.ledgers.mirror(), [row.origin for row in rows if row.state != OWN]
    if mirror is not None and below:
        found.update(read_active(mirror, below, format_period(period.first), format_period(period.last)))
    if len(below) < len(rows):
        first = period.first_day.toordinal()
        found.update(await facts.kit.writer.ask(lambda node: active_by_month(node.state, first)))
    return found


async def _bands(facts: Facts, rows: Sequence[LedgerRow]) -> list[Band]:
    """What is owed to people by their band of birth."""
    mirror, below = facts.kit.ledgers.mirror(), [row.origin for row in rows if row.state != OWN]
    owed = read_bands(mirror, below) if mirror is not None and below else []
    if len(below) < len(rows):
        owed += await facts.kit.writer.ask(lambda node: bands_of(node.state))
    minutes: Counter[int] = Counter()
    waiting: Counter[int] = Counter()
    for band in owed:
        minutes[band.band] += band.minutes
        waiting[band.band] += band.waiting_minutes
    return [Band(band, minutes[band], waiting[band]) for band in sorted(minutes)]


def _of_months(found: Mapping[str, Any], active: Mapping[str, int], period: Period) -> list[Chart]:
    names = [format_period(month) for month in range(period.first, period.last + 1)]
    months = found["months"]
    hours = [(name, months.get(name, {}).get("minutes", 0)) for name in names]
    people = [(name, active.get(name, 0)) for name in names]
    return [
        _chart(_("Hours given, by month"), hours, _("month"), _("hours"), columns, is_hours=True),
        _chart(_("Active volunteers, by month"), people, _("month"), _("volunteers"), line),
    ]


def _of_kinds(found: Mapping[str, Any]) -> list[Chart]:
    categories = [(named_category(code), found["categories"].get(code, {}).get("minutes", 0)) for code in CATEGORIES]
    kept = sorted((each for each in categories if each[1]), key=lambda each: -each[1])
    words = {"signed": _("the elder's own key"), "coupon": _("paper coupon"), "paper": _("paper sheet only")}
    forms = [(words[form], found["evidence"].get(form, {}).get("number", 0)) for form in words]
    return [
        _chart(_("Hours given, by kind of service"), kept, _("kind of service"), _("hours"), bars, is_hours=True),
        _chart(_("What proves the services"), forms, _("proof"), _("services"), stack),
    ]


def _below(facts: Facts, rows: Sequence[LedgerRow], ledger: str, period: Period) -> list[Chart]:
    """Hours of each part of the tree right below the top."""
    mirror, origins = facts.kit.ledgers.mirror(), [row.origin for row in rows if row.state != OWN]
    top = ledger or facts.subtree.origin
    if mirror is None or len(origins) < 2:
        return []
    parents = {row.origin: row.parent for row in rows}
    sums: Counter[str] = Counter()
    found = read_months(mirror, origins, format_period(period.first), format_period(period.last))
    for origin, months in found.items():
        sums[_branch(origin, top, parents)] += sum(months.values())
    points = [(name, minutes) for name, minutes in sums.most_common(BELOW_SHOWN) if minutes]
    rest = sum(sums.values()) - sum(minutes for _name, minutes in points)
    if rest > 0:
        points.append((_("all others"), rest))
    title = _("Hours given, by ledger below")
    return [_chart(title, points, _("ledger"), _("hours"), bars, is_hours=True)] if points else []


def _branch(origin: str, top: str, parents: Mapping[str, str]) -> str:
    """Which of the ledgers right below ``top`` one belongs to."""
    for _step in parents:
        above = parents.get(origin, "")
        if above == top or above not in parents:
            break
        origin = above
    return origin


def _under(rows: Sequence[LedgerRow], top: str) -> list[LedgerRow]:
    """A ledger and all below it."""
    found = {top}
    for _step in rows:
        more = {row.origin for row in rows if row.parent in found} - found
        if not more:
            break
        found |= more
    return [row for row in rows if row.origin in found]


def _of_bands(owed: Sequence[Band], today: datetime.date) -> list[Chart]:
    points = [(_band(band.band), band.minutes) for band in owed if band.minutes]
    waiting = {band.band: band.waiting_minutes for band in owed if band.band != UNKNOWN_BAND}
    ahead = [
        (_("within {years} years").format(years=years), minutes)
        for years, minutes in forecast_of(waiting, today).items()
    ]
    note = _(
        "Those who may not spend hours yet, and turn {years} within so many years; who has no year of birth on the"
        " ledger is in none of it."
    )
    title = _("Hours that people are owed, by year of birth")
    first = _chart(title, points, _("born"), _("hours"), bars, is_hours=True)
    second = _chart(_("Hours that become spendable"), ahead, _("when"), _("hours"), bars, is_hours=True)
    return [first, second._replace(note=note.format(years=REDEEMABLE_YEARS))]


def _band(band: int) -> str:
    return _("not on the ledger") if band == UNKNOWN_BAND else f"{band}–{band + BAND_YEARS - 1}"


def _chart(title: str, points: Points, name: str, unit: str, draw: Any, *, is_hours: bool = False) -> Chart:
    def label(value: int) -> str:
        return f"{hours_of(value):,}" if is_hours else f"{value:,}"

    rows = [(each, label(value)) for each, value in points]
    return Chart(title, draw(title, points, label), (name, unit), rows)
