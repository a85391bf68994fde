"""A report as a spreadsheet: a sheet for each table, with real numbers, frozen headings and native charts.

Nothing that stands on the ledger can become a formula or a link: every text is written as a string.
"""

import re
from collections.abc import Iterator
from gettext import gettext as _
from io import BytesIO
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]

from ledger.figures import format_span
from web.report import Report
from web.report_tables import (
    BARS,
    CODE,
    COLUMNS,
    DAY,
    HOURS,
    LINE,
    NUMBER,
    SHARE,
    STACK,
    TEXT,
    YUAN,
    Column,
    Section,
    Table,
    sections,
    tiles,
)
from web.text import HOUR_MINUTES, YUAN_FEN, printable

SAFE = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
NUMBER_FORMS = {NUMBER: "#,##0", HOURS: "#,##0.00", YUAN: "#,##0.00", SHARE: "0.0%"}
DIVISORS = {HOURS: HOUR_MINUTES, YUAN: YUAN_FEN, SHARE: 1_000}
WIDTHS = {TEXT: 34, CODE: 24, DAY: 13, NUMBER: 13, HOURS: 13, YUAN: 15, SHARE: 11}
"""Of columns, in characters."""

FIRST_WIDTH = 38
KINDS = {BARS: "bar", COLUMNS: "column", LINE: "line", STACK: "pie"}
GREEN = "#1f5c4d"
HEADING_ROW = 2
"""Title, note, headings; then the rows."""

ROWS_MAX = 1_000_000
"""A sheet has room for a few more."""

NAME_MAX_CHARACTERS = 31
CELL_MAX_CHARACTERS = 32_767
NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\']")


def report_sheet(report: Report) -> bytes:
    """The workbook in the language in use."""
    buffer = BytesIO()
    with xlsxwriter.Workbook(buffer, SAFE) as book:
        forms = {form: book.add_format({"num_format": text}) for form, text in NUMBER_FORMS.items()}
        styles = {
            "title": book.add_format({"bold": True, "font_size": 14, "font_color": GREEN}),
            "note": book.add_format({"font_color": "#5d6b66", "italic": True}),
            "head": book.add_format({"bold": True, "bottom": 2, "bottom_color": GREEN}),
            "alarm": book.add_format({"bold": True, "font_color": "#a3261b"}),
        }
        writer = _Writer(book, forms, styles)
        writer.summary(report)
        for section, table in _tables(sections(report)):
            writer.table(section, table)
        writer.table(None, _basis(report))
    return buffer.getvalue()


def _tables(all_sections: list[Section]) -> Iterator[tuple[Section, Table]]:
    return ((section, table) for section in all_sections for table in section.tables)


class _Writer:
    """Fills one workbook."""

    def __init__(self, book: Any, forms: dict[str, Any], styles: dict[str, Any]) -> None:
        self._book = book
        self._forms = forms
        self._styles = styles

    def summary(self, report: Report) -> None:
        """The first sheet: which period, of what, and the main figures."""
        sheet = self._book.add_worksheet(self._name(_("Summary")))
        sheet.set_column(0, 0, FIRST_WIDTH)
        sheet.set_column(1, 1, WIDTHS[TEXT])
        sheet.write_string(0, 0, _("Report of the time bank"), self._styles["title"])
        origins = report.ledgers[0].origin if not report.is_of_many else str(len(report.ledgers))
        head = ((_("period"), format_span(report.period)), (_("as of"), report.figures.as_of), (_("ledger"), origins))
        for row, (name, text) in enumerate(head, start=1):
            sheet.write_string(row, 0, name)
            sheet.write_string(row, 1, text)
        row = len(head) + 2
        if not report.is_sound:
            text = _("The audit has findings: these figures cannot be relied on")
            sheet.write_string(row - 1, 0, text, self._styles["alarm"])
        for number, tile in enumerate(tiles(report), start=row):
            sheet.write_string(number, 0, tile.title)
            self._write(sheet, number, 1, tile.value, tile.form)

    def table(self, section: Section | None, table: Table) -> None:
        """A sheet for one table."""
        sheet = self._book.add_worksheet(self._name(table.title))
        sheet.write_string(0, 0, table.title, self._styles["title"])
        lead = "" if section is None else section.lead
        sheet.write_string(1, 0, " ".join(filter(None, (lead, table.note))), self._styles["note"])
        for number, column in enumerate(table.columns):
            sheet.set_column(number, number, WIDTHS[column.form] if number else FIRST_WIDTH)
            sheet.write_string(HEADING_ROW, number, column.title, self._styles["head"])
        for row, values in enumerate(table.rows[:ROWS_MAX], start=HEADING_ROW + 1):
            for number, (value, column) in enumerate(zip(values, table.columns, strict=True)):
                self._write(sheet, row, number, value, column.form)
        sheet.freeze_panes(HEADING_ROW + 1, 1)
        if table.rows and table.chart is not None:
            self._draw(sheet, table)

    def _write(self, sheet: Any, row: int, column: int, value: Any, form: str) -> None:
        if form in NUMBER_FORMS:
            divisor = DIVISORS.get(form)
            sheet.write_number(row, column, value if divisor is None else value / divisor, self._forms[form])
        else:
            sheet.write_string(row, column, printable(str(value))[:CELL_MAX_CHARACTERS])

    def _draw(self, sheet: Any, table: Table) -> None:
        """The table's chart, right of it, on its own cells."""
        if table.chart is None:
            return
        chart = self._book.add_chart({"type": KINDS[table.chart.kind]})
        first, last = HEADING_ROW + 1, HEADING_ROW + min(len(table.rows), ROWS_MAX)
        name, column = sheet.get_name(), table.chart.column
        series: dict[str, Any] = {
            "name": table.columns[column].title,
            "categories": [name, first, 0, last, 0],
            "values": [name, first, column, last, column],
            "data_labels": {"percentage": True} if table.chart.kind == STACK else {"value": True},
        }
        if table.chart.kind != STACK:
            series["fill"] = series["border"] = {"color": GREEN}
            chart.set_legend({"none": True})
        if table.chart.kind == BARS:
            chart.set_y_axis({"reverse": True})
        chart.add_series(series)
        chart.set_title({"name": table.title, "name_font": {"size": 12}})
        chart.set_size({"width": 620, "height": 340})
        sheet.insert_chart(HEADING_ROW, len(table.columns) + 1, chart)

    def _name(self, title: str) -> str:
        """A name for a sheet, which no other sheet has and which the program takes."""
        plain = NOT_IN_NAMES.sub(" ", title)[:NAME_MAX_CHARACTERS]
        taken = {sheet.get_name().lower() for sheet in self._book.worksheets()}
        name, number = plain, 1
        while name.lower() in taken:
            number += 1
            name = f"{plain[: NAME_MAX_CHARACTERS - 4]} {number}"
        return name


def _basis(report: Report) -> Table:
    columns = (
        Column(_("ledger"), CODE), Column(_("entries"), NUMBER), Column(_("after the last checkpoint"), NUMBER),
        Column(_("sealed"), CODE), Column(_("root"), CODE), Column(_("findings of the audit"), NUMBER),
    )  # fmt: skip
    rows = tuple(
        (line.origin, line.size, line.pending, line.sealed or "", line.root, sum(line.findings.values()))
        for line in report.ledgers
    )
    return Table("basis", _("What this report rests on"), columns, rows)
