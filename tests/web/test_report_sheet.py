"""The spreadsheet of a report, read back: the same numbers, no formulas, charts on their own cells."""

import io
import zipfile
from pathlib import Path
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pytest

from ledger.figures import parse_span
from tests.web.reporting import Year
from web import i18n
from web.report import Report, report_of_home
from web.report_sheet import report_sheet
from web.report_tables import sections

HOSTILE = "=cmd|' /C calc'!A1"
LINK = "http://evil.example/x"


def report_of(hostile: str = "") -> Report:
    span = parse_span("2026")
    assert span is not None
    return report_of_home(Year(hostile=hostile).live().node, span, lambda _done, _of: None)


@pytest.fixture(scope="module")
def report() -> Report:
    return report_of()


def book_of(report: Report, language: str = "en") -> Any:
    i18n.use(language)
    return openpyxl.load_workbook(io.BytesIO(report_sheet(report)))


def rows_of(sheet: Any) -> list[list[Any]]:
    """What stands below the headings."""
    return [list(row) for row in sheet.iter_rows(min_row=4, values_only=True)]


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_every_table_has_its_sheet_with_the_same_numbers(report: Report, language: str) -> None:
    book = book_of(report, language)
    tables = [table for section in sections(report) for table in section.tables]
    sheets = book.worksheets[1:-1]
    assert len(sheets) == len(tables)
    divisors = {"hours": 60, "yuan": 100, "share": 1_000}
    for table, sheet in zip(tables, sheets, strict=True):
        assert sheet["A1"].value == table.title
        assert [cell.value for cell in sheet[3]][: len(table.columns)] == [column.title for column in table.columns]
        assert sheet.freeze_panes == "B4"
        found = rows_of(sheet)
        assert len(found) == len(table.rows)
        for row, cells in zip(table.rows, found, strict=True):
            for value, cell, column in zip(row, cells, table.columns, strict=True):
                if column.form in divisors:
                    assert cell == pytest.approx(value / divisors[column.form]), table.key
                elif cell is None:
                    assert value == "", table.key
                else:
                    assert str(cell) == str(value), table.key


def test_numbers_are_numbers_with_formats(report: Report) -> None:
    sheet = book_of(report)["By month"]
    services, hours = sheet["B4"], sheet["C4"]
    assert isinstance(services.value, int)
    assert services.number_format == "#,##0"
    assert hours.number_format == "#,##0.00"
    assert sheet.column_dimensions["A"].width > 20


def test_charts_are_native_and_point_at_the_cells(report: Report) -> None:
    i18n.use("en")
    raw = report_sheet(report)
    with zipfile.ZipFile(io.BytesIO(raw)) as files:
        names = [name for name in files.namelist() if name.startswith("xl/charts/chart")]
        drawn = "".join(files.read(name).decode() for name in names)
    charts = sum(table.chart is not None and bool(table.rows) for s in sections(report) for table in s.tables)
    assert len(names) == charts >= 7
    assert "'By month'!$C$4:$C$15" in drawn
    assert "barChart" in drawn
    assert "pieChart" in drawn
    assert "lineChart" in drawn


def test_the_summary_has_the_main_figures(report: Report) -> None:
    rows = {row[0]: row[1] for row in book_of(report)["Summary"].iter_rows(values_only=True) if row[0]}
    assert rows["period"] == "2026"
    assert rows["services"] == report.figures.services.number
    assert rows["in all funds (yuan)"] == report.figures.end.fen / 100


@pytest.mark.parametrize("text", [HOSTILE, LINK, "+1", "@SUM(A1)", "-1+1"])
def test_no_text_becomes_a_formula_or_a_link(text: str) -> None:
    raw = report_sheet(report_of(text))
    book = openpyxl.load_workbook(io.BytesIO(raw))
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert not [cell.value for cell in cells if cell.data_type == "f"]
    assert not [cell.value for cell in cells if cell.hyperlink is not None]
    assert [cell for cell in cells if cell.value == text]
    with zipfile.ZipFile(io.BytesIO(raw)) as files:
        sheets = [files.read(name) for name in files.namelist() if name.startswith("xl/worksheets/sheet")]
    assert not any(b"<f>" in sheet for sheet in sheets)


def test_sheets_have_names_that_differ_and_fit(report: Report) -> None:
    for language in i18n.LANGUAGES:
        names = book_of(report, language).sheetnames
        assert len({name.lower() for name in names}) == len(names)
        assert all(0 < len(name) <= 31 for name in names)


def test_a_workbook_is_written_to_a_file(tmp_path: Path, report: Report) -> None:
    path = tmp_path / "r.xlsx"
    path.write_bytes(report_sheet(report))
    assert openpyxl.load_workbook(path, read_only=True).sheetnames[0]
