"""A report as one page that stands alone, for the screen and for A4."""

from dataclasses import dataclass
from gettext import gettext as _
from typing import Any

from markupsafe import Markup

from ledger.figures import format_span
from web import charts
from web.findings import explain
from web.printing import render
from web.report import LedgerLine, Report
from web.report_tables import (
    BARS,
    CODE,
    COLUMNS,
    HOURS,
    LINE,
    NUMBER,
    SHARE,
    STACK,
    YUAN,
    Column,
    Table,
    sections,
    tiles,
)
from web.text import HOUR_MINUTES, YUAN_FEN, percent_of, printable

DRAWN = {BARS: charts.bars, COLUMNS: charts.columns, LINE: charts.line, STACK: charts.stack}
NUMBERS = (NUMBER, HOURS, YUAN, SHARE)
TEMPLATE = "report.html"
MINUS = "−"
ROWS_SHOWN = 500
"""Of a table; the spreadsheet has the others."""

POINTS_DRAWN = {BARS: 30, COLUMNS: 1_200, LINE: 1_200, STACK: 8}
"""What a drawing of each kind has room for; its last point has the rest."""

HALF_COLUMNS, HALF_ROWS = 3, 16
"""Tables of no more than these take half the width of the page."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as it is written, and whether it stands on the right, in a line of digits."""

    text: str
    is_number: bool
    is_code: bool


def report_page(report: Report, language: str) -> str:
    """The page in the language in use, which ``language`` names."""
    single = None if report.is_of_many else report.ledgers[0]
    return render(
        TEMPLATE,
        language,
        report=report,
        period=format_span(report.period),
        single=single,
        tiles=[(tile, written(tile.value, tile.form)) for tile in tiles(report)],
        sections=sections(report),
        cells_of=cells_of,
        chart_of=chart_of,
        rows_more=rows_more,
        is_number=_is_number,
        is_half=_is_half,
        findings=_findings(report),
        ledgers=report.ledgers[:ROWS_SHOWN],
        ledgers_more=max(0, len(report.ledgers) - ROWS_SHOWN),
        self_asserted=[line.origin for line in report.ledgers if not line.is_pinned],
    )


def written(value: Any, form: str) -> str:
    """A value as people read it."""
    if form not in NUMBERS:
        return printable(str(value))
    return _number(value, form).replace("-", MINUS)


def _number(value: int, form: str) -> str:
    if form == HOURS:
        return f"{value / HOUR_MINUTES:,.1f}"
    if form == YUAN:
        yuan, cents = divmod(abs(value), YUAN_FEN)
        return f"{'-' if value < 0 else ''}{yuan:,}.{cents:02d}"
    return percent_of(value) if form == SHARE else f"{value:,}"


def cells_of(table: Table) -> list[list[Cell]]:
    """The rows of a table as they are written, the first ``ROWS_SHOWN``."""
    return [
        [
            Cell(written(value, column.form), _is_number(column), column.form == CODE)
            for value, column in zip(row, table.columns, strict=True)
        ]
        for row in table.rows[:ROWS_SHOWN]
    ]


def rows_more(table: Table) -> int:
    """How many rows the page does not show."""
    return max(0, len(table.rows) - ROWS_SHOWN)


def chart_of(table: Table) -> Markup | None:
    """The table's drawing, where it has one and there is something to draw."""
    chart = table.chart
    if chart is None or not any(row[chart.column] for row in table.rows):
        return None
    form = table.columns[chart.column].form
    points = [(printable(str(row[0])), row[chart.column]) for row in table.rows]
    room = POINTS_DRAWN[chart.kind]
    if len(points) > room:
        points = [*points[: room - 1], (_("all others"), sum(value for _name, value in points[room - 1 :]))]
    return DRAWN[chart.kind](table.title, points, lambda value: _with_unit(value, form))


def _with_unit(value: int, form: str) -> str:
    text = written(value, form)
    if form == HOURS:
        return _("{hours} h").format(hours=text)
    return _("{yuan} yuan").format(yuan=text) if form == YUAN else text


def _is_half(table: Table) -> bool:
    """Whether two such tables stand side by side."""
    return table.chart is None and len(table.columns) <= HALF_COLUMNS and len(table.rows) <= HALF_ROWS


def _is_number(column: Column) -> bool:
    return column.form in NUMBERS


def _findings(report: Report) -> list[tuple[LedgerLine, list[tuple[str, int, str]]]]:
    """Of each ledger with findings, their codes, how often, and what that means."""
    return [
        (line, [(code, count, explain(code)) for code, count in line.findings.items()])
        for line in report.ledgers
        if line.findings
    ][:ROWS_SHOWN]
