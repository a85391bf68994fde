"""Charts as drawings, and what a page does with more than it has room for."""

import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from ledger.figures import Count, Figures, Fund, MonthLine, Period
from web import charts, i18n
from web.report import LedgerLine, Report
from web.report_page import ROWS_SHOWN, chart_of, report_page, rows_more, written
from web.report_tables import HOURS, NUMBER, SHARE, TEXT, YUAN, sections

SVG = "{http://www.w3.org/2000/svg}"
DRAW = {"bars": charts.bars, "columns": charts.columns, "line": charts.line, "stack": charts.stack}
PERIOD = Period(24_312, 24_323)


def drawn(draw: Callable[..., Markup], *points: tuple[str, int]) -> ElementTree.Element:
    """The drawing, which must be XML."""
    return ElementTree.fromstring(draw("a title", points, str))  # noqa: S314 - our own


def words(drawing: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in drawing.iter(f"{SVG}text")]


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_every_value_is_written_and_told(draw: Callable[..., Markup]) -> None:
    drawing = drawn(draw, ("meals", 30), ("</text><script>", 70))
    assert drawing.findtext(f"{SVG}title") == "a title"
    assert drawing.findtext(f"{SVG}desc") == "meals 30; </text><script> 70"
    assert "30" in " ".join(words(drawing))
    assert "70" in " ".join(words(drawing))
    assert drawing.find(f"{SVG}script") is None


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
@pytest.mark.parametrize("values", [(), (0,), (0, 0), (-5, 3), (2**60, 1), (-1,)])
def test_no_value_breaks_a_drawing(draw: Callable[..., Markup], values: tuple[int, ...]) -> None:
    drawing = drawn(draw, *((f"n{place}", value) for place, value in enumerate(values)))
    for box in drawing.iter(f"{SVG}rect"):
        assert float(box.attrib["width"]) >= 0
        assert float(box.attrib["height"]) >= 0
        assert float(box.attrib["x"]) + float(box.attrib["width"]) <= charts.WIDTH + 0.5


def test_bars_are_as_long_as_their_values() -> None:
    boxes = list(drawn(charts.bars, ("a", 100), ("b", 25), ("c", 0)).iter(f"{SVG}rect"))
    widths = [float(box.attrib["width"]) for box in boxes]
    assert widths[1] == pytest.approx(widths[0] / 4, abs=0.1)
    assert widths[2] == 0


def test_shares_fill_the_bar_and_differ_in_more_than_colour() -> None:
    drawing = drawn(charts.stack, ("a", 1), ("b", 2), ("c", 1))
    patterns = [pattern.attrib["id"] for pattern in drawing.iter(f"{SVG}pattern")]
    assert len(patterns) == 2
    fills = [box.attrib["fill"] for box in drawing.iter(f"{SVG}rect")]
    assert all(f"url(#{name})" in fills for name in patterns)
    assert {"25.0 %", "50.0 %"} <= set(words(drawing))


def test_labels_do_not_run_into_each_other() -> None:
    points = [(f"2026-{place:02d}", 100_000 + place) for place in range(60)]
    drawing = drawn(charts.columns, *points)
    names = [word for word in words(drawing) if word.startswith("2026-")]
    assert 5 <= len(names) <= 20
    assert len(list(drawing.iter(f"{SVG}rect"))) == 60


def test_long_names_are_cut_by_their_width() -> None:
    (wide, *_more) = words(drawn(charts.bars, ("村" * 40, 1)))
    (narrow, *_more) = words(drawn(charts.bars, ("x" * 80, 1)))
    assert wide.endswith("…")
    assert len(wide) < len(narrow) <= charts.LABEL_COLUMNS


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (1_234, NUMBER, "1,234"),
        (90, HOURS, "1.5"),
        (-90, HOURS, "−1.5"),
        (-1_234, NUMBER, "−1,234"),
        (123_456_789, YUAN, "1,234,567.89"),
        (-5, YUAN, "−0.05"),
        (2**60 + 1, YUAN, "11,529,215,046,068,469.77"),
        (854, SHARE, "85.4 %"),
        ("a\u202eb\x07", TEXT, "a b "),
    ],
)
def test_how_values_are_written(value: object, form: str, text: str) -> None:
    assert written(value, form) == text


def line(number: int) -> LedgerLine:
    return LedgerLine(
        origin=f"v{number}.example/x", size=1, root="", sealed=None, pending=0, is_pinned=False, findings={},
        services=2, minutes=60, volunteers=1, elders=1, paper=1, outstanding_minutes=60, suspicions=0,
    )  # fmt: skip


def test_a_page_shows_what_it_has_room_for_and_counts_the_rest() -> None:
    i18n.use("en")
    figures = Figures(
        services=Count(1_400, 60),
        local={f"local{number}": Count(1, 1) for number in range(700)},
        payees={f"payee {number}": 1_000 - number for number in range(300)},
        funds={f"f{number}": Fund(f"fund {number}", "x", spent_fen=5) for number in range(20)},
        months={f"{year}-{month:02d}": MonthLine(1, 60) for year in range(1950, 2049) for month in range(1, 13)},
        as_of="2026-12-31",
    )
    report = Report(PERIOD, figures, [line(number) for number in range(ROWS_SHOWN + 100)])
    tables = {table.key: table for section in sections(report) for table in section.tables}
    assert rows_more(tables["ledgers"]) == 100
    assert rows_more(tables["local"]) == 200
    payees = tables["payees"].rows
    assert len(payees) == 21
    assert payees[-1][:2] == ("280 others", sum(1_000 - number for number in range(20, 300)))
    drawing = chart_of(tables["funds"])
    assert drawing is not None
    assert "all others 0.65 yuan" in drawing
    html = report_page(report, "en")
    assert html.count("v499.example/x") == 2
    assert "v500.example/x" not in html
    assert len(re.findall("100 more, in the spreadsheet", html)) == 2
    assert len(html) < 2_000_000
