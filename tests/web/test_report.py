"""Reports at the desk: the same figures as page, PDF and JSON, of one ledger and of many, from home and archive."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pypdfium2  # type: ignore[import-untyped]
import pytest

from chain.note import format_vkey
from ledger.figures import parse_span
from tests.verify.ledgers import ledger_of, write_archive
from tests.web.desk import ANNE, DORA, Desk, run
from tests.web.rendering import A4_MM, page_sizes
from tests.web.reporting import Year
from web import i18n
from web.command import WRONG
from web.report import plain_report, report_of_home

HOSTILE = "</td><script>alert(1)</script><img src=http://evil.example/x>\u202e=cmd|' /C calc'!A1"
LIUDUHE = Path(__file__).parent.parent / "data" / "liuduhe"
VOID = {"meta", "br", "img", "link", "rect", "path", "line", "circle", "polyline"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def year() -> Year:
    return Year().live()


@pytest.fixture(scope="module")
def archive(folder: Path, year: Year) -> Path:
    """One village's year."""
    return write_archive(folder / "year.db", ledger_of(year.node.store))


@pytest.fixture(scope="module")
def county(folder: Path) -> Path:
    """Three villages in one archive; one of them writes what it can into every text."""
    years = [Year().live(), Year("b.example/huzhu", seed=2).live(), Year("c.example/x", 3, hostile=HOSTILE).live()]
    path = write_archive(folder / "county.db", ledger_of(years[0].node.store))
    with closing(sqlite3.connect(path)) as connection, connection:
        for log, each in enumerate(years[1:], start=2):
            ledger = ledger_of(each.node.store)
            connection.execute("INSERT INTO log VALUES(?, ?)", (log, ledger.origin))
            entries = ((log, index, raw) for index, raw in enumerate(ledger.entries))
            connection.executemany("INSERT INTO entry VALUES(?, ?, ?)", entries)
            notes = ((log, size, note) for size, note in ledger.checkpoints)
            connection.executemany("INSERT INTO checkpoint VALUES(?, ?, ?)", notes)
    return path


def report(path: Path, *words: str | Path, status: int = 0) -> bytes:
    """What `huzhu report` of an archive prints."""
    return run("report", "--period", "2026", "--archive", path, *words, status=status).stdout_bytes


def plain(path: Path, *words: str | Path, status: int = 0) -> Any:
    return json.loads(report(path, "--format", "json", *words, status=status))


class Page(HTMLParser):
    """A page's elements, in order; AssertionError where one is not closed as it should be."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def cells(self, first: str) -> list[list[str]]:
        """The rows that begin with that cell."""
        return [row[1:] for row in self.rows if row[0] == first]


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_the_page_says_what_the_ledger_says(archive: Path, language: str) -> None:
    figures = plain(archive)["figures"]
    page = Page(report(archive, "--lang", language).decode())
    assert page.named("html") == [{"lang": language}]
    names = {"en": ("month", "assistance", "owed to people"), "zh": ("月份", "协助服务", "欠大家的时间")}[language]
    assert len(page.cells(names[0])) == 1
    for month, line in figures["months"].items():
        assert page.cells(month)[0][:2] == [f"{line['services']}", f"{line['minutes'] / 60:,.1f}"]
    number, minutes = figures["categories"]["assistance"].values()
    assert page.cells(names[1]) == [[f"{number}", f"{minutes / 60:,.1f}", cents(number, figures["services"]["number"])]]
    assert page.cells(names[2]) == [["0.0", f"{figures['end']['outstanding_minutes'] / 60:,.1f}"]]
    root = plain(archive)["ledgers"][0]["root"]
    assert root in page.texts
    assert len([line for line in page.rows if line and line[0] == "2026-01"]) == 1


def cents(part: int, whole: int) -> str:
    per_mille = part * 1_000 // whole
    return f"{per_mille // 10}.{per_mille % 10} %"


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_the_page_stands_alone_and_can_be_read_aloud(archive: Path, language: str) -> None:
    html = report(archive, "--lang", language).decode()
    page = Page(html)
    assert not page.named("script")
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", html)
    assert not [attributes for _tag, attributes in page.tags if {"src", "href", "onload", "onclick"} & set(attributes)]
    heads = page.named("th")
    assert heads
    assert all(attributes.get("scope") in ("col", "row") for attributes in heads)
    drawings = page.named("svg")
    assert len(drawings) >= 6
    assert len(page.named("desc")) == len(drawings) == len(page.named("title")) - 1
    identities = [attributes["id"] for _tag, attributes in page.tags if "id" in attributes]
    assert len(identities) == len(set(identities))
    section_titles = {"en": "Suspicions", "zh": "疑点"}[language]
    assert section_titles in page.texts
    sentence = {"en": "a question, not a judgement", "zh": "不是结论"}[language]
    assert sentence in html


def test_nobody_is_named_but_by_number(archive: Path, year: Year) -> None:
    html = report(archive).decode()
    dossier = year.node.entry(3).body.dossier.hex()
    assert dossier not in html
    assert year.volunteers[0] in html or year.volunteers[4] in html


def test_home_and_archive_agree(archive: Path, year: Year) -> None:
    span = parse_span("2026")
    assert span is not None
    seen: list[tuple[int, int]] = []
    found = report_of_home(year.node, span, lambda done, size: seen.append((done, size)))
    home = json.loads(json.dumps(plain_report(found)))
    audited = plain(archive)
    assert home["figures"] == audited["figures"]
    (ours,), (theirs,) = home["ledgers"], audited["ledgers"]
    assert ours | {"is_pinned": False} == theirs
    assert theirs["pending"] == 0
    assert seen[-1] == (year.node.store.size, year.node.store.size)


def test_the_sum_of_a_county_is_that_of_its_villages(county: Path, archive: Path) -> None:
    whole = plain(county)
    one = plain(archive)
    assert len(whole["ledgers"]) == 3
    assert whole["ledgers"][0] == one["ledgers"][0]
    for name in ("services", "minutes"):
        key = "number" if name == "services" else name
        assert sum(line[name] for line in whole["ledgers"]) == whole["figures"]["services"][key]
    owed = sum(line["outstanding_minutes"] for line in whole["ledgers"])
    assert owed == whole["figures"]["end"]["outstanding_minutes"] == whole["figures"]["risk"]["outstanding"]
    assert whole["figures"]["points"] == {}
    assert {line["origin"] for line in whole["figures"]["case_lines"]["lines"]} == {
        line["origin"] for line in whole["ledgers"]
    }


def test_processes_change_nothing(county: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = plain(county)
    monkeypatch.setattr("web.auditing.ALONE_MAX_ENTRIES", 0)
    assert plain(county, "--jobs", "2") == plain(county, "--jobs", "1") == alone


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_what_stands_on_the_ledger_is_text_and_nothing_else(county: Path, language: str) -> None:
    html = report(county, "--lang", language).decode()
    page = Page(html)
    assert not page.named("script")
    assert not page.named("img")
    assert "\u202e" not in html
    assert any("<script>alert(1)</script>" in text for text in page.texts)


def test_a_pdf_has_a4_pages_and_words(archive: Path, folder: Path) -> None:
    path = folder / "r.pdf"
    report(archive, "--format", "pdf", "-o", path, "--lang", "zh")
    raw = path.read_bytes()
    sizes = page_sizes(raw)
    assert len(sizes) >= 5
    assert set(sizes) == {A4_MM}
    words = "".join(texts(raw))
    for expected in ("时间银行工作报告", "疑点只是一个疑问", "助餐专项资金", "2026-12-21"):
        assert expected in words


def texts(raw: bytes) -> Iterator[str]:
    """The words of a PDF's pages, without white space."""
    document = pypdfium2.PdfDocument(raw)
    try:
        for page in document:
            yield re.sub(r"\s", "", page.get_textpage().get_text_range())
    finally:
        document.close()


def test_a_ledger_with_findings_says_so_first(archive: Path, folder: Path) -> None:
    path = folder / "forged.db"
    path.write_bytes(archive.read_bytes())
    with closing(sqlite3.connect(path)) as connection, connection:
        (raw,) = connection.execute("SELECT bytes FROM entry WHERE idx=200").fetchone()
        forged = raw.replace(b'"minutes":', b'"minutes":1', 1) if b'"minutes":' in raw else raw[:-2] + b"0}"
        connection.execute("UPDATE entry SET bytes=? WHERE idx=200", (forged,))
    found = plain(path, status=WRONG)
    assert found["ok"] is False
    assert sum(found["ledgers"][0]["findings"].values()) >= 1
    page = Page(report(path, status=WRONG).decode())
    alarms = [attributes for attributes in page.named("section") if attributes.get("class") == "alarm"]
    assert alarms == [{"class": "alarm", "role": "alert"}]
    words = " ".join(page.texts)
    assert words.index("cannot be relied on") < words.index("Services")


@pytest.mark.parametrize("index", [0, 1, 2, 40, 83, 300, 600, 834])
def test_whatever_is_spoiled_there_is_a_report_that_says_so(archive: Path, tmp_path: Path, index: int) -> None:
    path = tmp_path / "spoiled.db"
    path.write_bytes(archive.read_bytes())
    with closing(sqlite3.connect(path)) as connection, connection:
        (raw,) = connection.execute("SELECT bytes FROM entry WHERE idx=?", (index,)).fetchone()
        middle = len(raw) // 2
        spoiled = raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :]
        connection.execute("UPDATE entry SET bytes=? WHERE idx=?", (spoiled, index))
    found = plain(path, status=WRONG)
    assert found["ok"] is False
    assert found["figures"]["services"]["number"] <= 592
    assert "cannot be relied on" in report(path, status=WRONG).decode()


def test_what_is_not_sealed_yet_is_counted_and_said(desk: Desk) -> None:
    desk.populate()
    desk("import", desk.sheet({}, {"start": "11:00", "end": "12:00"}), "--seal")
    desk("record", ANNE, DORA, "--category", "assistance", "--date", "2025-11-01", "--start", "13:00", "--end", "14:00",
         "--paid-by", "issue", "--paper", desk.file("sheet.jpg", "x"))  # fmt: skip
    found = json.loads(desk("report", "--period", "2025-11", "--format", "json").stdout)
    assert found["figures"]["services"] == {"number": 3, "minutes": 180}
    assert found["ledgers"][0]["pending"] == 1
    archived = run("report", "--period", "2025-11", "--format", "json", "--archive", desk.home / "ledger.db").stdout
    assert json.loads(archived)["figures"] == found["figures"]
    assert json.loads(archived)["ledgers"][0]["pending"] == 1


def test_a_sound_one_has_no_alarm(archive: Path) -> None:
    page = Page(report(archive).decode())
    assert not [attributes for attributes in page.named("section") if attributes.get("class") == "alarm"]


def test_an_archive_that_nobody_pinned_says_so(archive: Path, folder: Path, year: Year) -> None:
    assert "Self-asserted" in report(archive).decode()
    policy = folder / "trust.txt"
    policy.write_text(f"log {format_vkey(year.node.vkey)}\nquorum none\n")
    assert "Self-asserted" not in report(archive, "--trust", policy).decode()
    assert plain(archive, "--trust", policy)["ledgers"][0]["is_pinned"] is True


def test_a_ledger_on_which_nothing_happened(desk: Desk) -> None:
    for form in ("html", "json", "xlsx", "pdf"):
        desk("report", "--period", "2026-10", "--format", form, "-o", desk.folder / f"r.{form}")
    found = json.loads((desk.folder / "r.json").read_text())
    assert found["figures"]["services"] == {"number": 0, "minutes": 0}
    page = Page((desk.folder / "r.html").read_text())
    assert "none in this period" in page.texts
    assert not [title for title in page.named("polyline") if title]


def test_of_liuduhe_every_service_is_counted_once(desk: Desk) -> None:
    desk("params", "set", "posting_days=0")
    copies = [desk.file(name, (LIUDUHE / name).read_bytes()) for name in ("people.csv", "day-sheets.csv")]
    home = desk.folder / "liuduhe"
    words = ("--origin", "six.example/huzhu", "--params", LIUDUHE / "params.json", "--at", "2025-10-31T00:00:00Z")
    run("init", "--home", home, *words)
    run("person", "import", "--home", home, copies[0], "--at", "2025-10-31T00:00:00Z")
    run("import", "--home", home, copies[1], "--seal-by", "date", "--at", "date", status=WRONG)
    found = json.loads(run("report", "--home", home, "--period", "2025-11..2026-01", "--format", "json").stdout)
    figures = found["figures"]
    assert figures["services"]["number"] == 1_250
    assert sum(count["number"] for count in figures["categories"].values()) == 1_250
    assert sum(line["minutes"] for line in figures["months"].values()) == figures["services"]["minutes"]
    key = json.loads((LIUDUHE / "key.json").read_text())
    balances = key["balances"]
    assert figures["end"]["net_minutes"] == sum(balances.values())
    assert figures["suspicions"] == found_suspicions(home)


def found_suspicions(home: Path) -> dict[str, int]:
    """Those of the audit, by code."""
    audited = json.loads(run("verify", home / "ledger.db", "--json").stdout)
    codes = [each["code"] for each in audited["suspicions"]]
    return {code: codes.count(code) for code in codes}


@pytest.mark.parametrize("period", ["2026-13", "yesterday", "2026-06..2026-01", "<script>"])
def test_what_is_no_period_is_said(desk: Desk, period: str) -> None:
    assert "2026-Q3" in desk("report", "--period", period, status=2).stderr


@pytest.mark.parametrize(
    ("period", "reason"),
    [
        ("9999", "has not begun"),
        ("1900", "began, in 2025-10"),
        ("2025-09", "began, in 2025-10"),
        ("2025-Q3", "began, in 2025-10"),
    ],
)
def test_a_period_in_which_there_is_no_ledger(desk: Desk, period: str, reason: str) -> None:
    error = desk("report", "--period", period, status=2).stderr
    assert reason in error and error.count("\n") == 1
    archived = run("report", "--period", "9999", "--archive", desk.home / "ledger.db", status=2).stderr
    assert "has not begun" in archived


@pytest.mark.parametrize("period", ["2025-10", "2025", "2025-Q4"])
def test_a_period_may_begin_before_the_ledger(desk: Desk, period: str) -> None:
    assert json.loads(desk("report", "--period", period, "--format", "json").stdout)["period"] == period


def test_what_does_not_go_together(desk: Desk) -> None:
    trust = desk.file("trust.txt", "quorum none\n")
    assert "--archive" in desk("report", "--period", "2026", "--trust", trust, status=2).stderr
    missing = desk.folder / "no" / "r.html"
    assert "make it first" in desk("report", "--period", "2026", "-o", missing, status=2).stderr
    assert "not a file" in run("report", "--period", "2026", "--archive", desk.folder / "no.db", status=2).stderr
    nonsense = desk.file("policy.txt", "nonsense\n")
    words = ("--archive", desk.home / "ledger.db", "--trust", nonsense)
    assert "policy.txt is not a trust file" in run("report", "--period", "2026", *words, status=2).stderr
