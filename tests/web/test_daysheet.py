"""Cells of day sheets: what they mean, in the book's spelling and in spreadsheets' own."""

import datetime
import gettext
from pathlib import Path
from typing import Any

import pytest

from chain.fields import format_time
from ledger.bodies import Evidence
from tests.web.desk import ANNE, DORA, ROW, table
from web.daysheet import CALLED, COLUMNS, SHEET_COLUMNS, Misread, SheetReader, SheetRow
from web.i18n import CHINESE, DOMAIN, LOCALE
from web.problems import DeskError
from web.table import BadRowError, open_table
from web.text import CATEGORIES

CHINA = datetime.timedelta(hours=8)


SHOWN = Evidence(form="coupon", book=3, index=0, secret=bytes(16), path=())


def read_coupon(text: str) -> Evidence:
    """Knows one coupon, and one whose book is not kept here."""
    if text == "unkept":
        raise DeskError("its leaves are missing")
    if text != "good":
        raise BadRowError("this is no coupon")
    return SHOWN


def read(folder: Path, **cells: str) -> SheetRow | Misread:
    """The one row of a sheet."""
    return read_text(folder, table(COLUMNS, [ROW | cells]))


def read_text(folder: Path, text: str) -> SheetRow | Misread:
    path = folder / "sheet.csv"
    path.write_text(text, "utf-8")
    with open_table(path, SHEET_COLUMNS) as opened:
        [record] = opened.records()
        return SheetReader(opened, bytes(32), CHINA, read_coupon).read(record)


def service(folder: Path, **cells: str) -> Any:
    """The service of a row that can be read."""
    row = read(folder, **cells)
    assert isinstance(row, SheetRow), row
    return row.service


def test_a_row(tmp_path: Path) -> None:
    found = service(tmp_path, local="meals", remark="陪伴")
    assert (found.provider, found.recipient, found.category, found.local) == (ANNE, DORA, "assistance", "meals")
    assert (format_time(found.start), format_time(found.end)) == ("2025-11-01T01:00:00Z", "2025-11-01T02:00:00Z")
    assert (found.minutes, found.paid_by, found.evidence.hash) == (60, "issue", bytes(32))


def test_a_sheet_in_chinese_says_the_same_and_leaves_out_what_is_empty(tmp_path: Path) -> None:
    text = "\ufeff日期,开始,结束,志愿者,老人,服务,谁支付,凭证,备注\n"
    text += f"2025/11/1,9:00,10:00,{ANNE},{DORA},协助服务,平台,纸单,下雨\n"
    assert read_text(tmp_path, text) == read(tmp_path)
    shorter = text.replace("志愿者,", "").replace(f"{ANNE},", "")
    with pytest.raises(DeskError, match="has no column provider"):
        read_text(tmp_path, shorter)


def test_chinese_cells_are_what_the_pages_call_these_services() -> None:
    chinese = gettext.translation(DOMAIN, LOCALE, [CHINESE])
    assert {chinese.gettext(text): code for code, text in CATEGORIES.items()}.items() <= CALLED.items()


@pytest.mark.parametrize(
    ("cells", "field", "value"),
    [
        ({"date": "2025/11/1"}, "start", "2025-11-01T01:00:00Z"),
        ({"date": "2025-11-1"}, "start", "2025-11-01T01:00:00Z"),
        ({"date": " 2025-11-01 "}, "start", "2025-11-01T01:00:00Z"),
        ({"start": "9:00"}, "start", "2025-11-01T01:00:00Z"),
        ({"start": "9:00:00"}, "start", "2025-11-01T01:00:00Z"),
        ({"start": "00:00"}, "start", "2025-10-31T16:00:00Z"),
        ({"start": "23:30", "end": "00:10"}, "end", "2025-11-01T16:10:00Z"),
        ({"start": "23:30", "end": "00:10"}, "minutes", 40),
        ({"minutes": "45"}, "minutes", 45),
        ({"minutes": "99999"}, "minutes", 99999),
        ({"end": "09:00"}, "minutes", 1),
        ({"end": "09:00"}, "end", "2025-11-01T01:00:00Z"),
        ({"recipient": "8321728"}, "recipient", "08321728"),
        ({"recipient": " 08321728"}, "recipient", "08321728"),
        ({"recipient": "98"}, "recipient", "00000098"),
        ({"provider": "12345678"}, "provider", "12345678"),
        ({"category": "gardening"}, "category", "gardening"),
        ({"remark": "=1+1"}, "minutes", 60),
        ({"remark": "x" * 60_000}, "minutes", 60),
    ],
)
def test_cells_that_can_be_read(tmp_path: Path, cells: dict[str, str], field: str, value: object) -> None:
    found = getattr(service(tmp_path, **cells), field)
    assert (format_time(found) if isinstance(found, datetime.datetime) else found) == value


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"date": ""}, "'' is no date"),
        ({"date": "2026-02-30"}, "'2026-02-30' is no date"),
        ({"date": "2025-13-01"}, "no date"),
        ({"date": "2025-11/01"}, "no date"),
        ({"date": "11/01/2025"}, "no date"),
        ({"date": "1999-12-31"}, "no date"),
        ({"date": "２０２５-11-01"}, "no date"),
        ({"date": "=TODAY()"}, "no date"),
        ({"date": "45962"}, "no date"),
        ({"start": ""}, "'' is no time of day"),
        ({"start": "24:00"}, "no time of day"),
        ({"start": "09:60"}, "no time of day"),
        ({"start": "09:00:30"}, "no time of day"),
        ({"end": "９:00"}, "no time of day"),
        ({"end": "9.5"}, "no time of day"),
        ({"provider": ""}, "'' is no account number"),
        ({"provider": "１２３４５６７６"}, "no account number"),
        ({"provider": "²2345676"}, "no account number"),
        ({"provider": "123456767"}, "no account number"),
        ({"provider": "1234567x"}, "no account number"),
        ({"provider": "issue"}, "no account number"),
        ({"provider": "-2345676"}, "no account number"),
        ({"recipient": "8321729"}, "its check digits do not fit"),
        ({"recipient": "=1+1"}, "'=1+1' is no account number"),
        ({"category": ""}, "'' is no code"),
        ({"category": "Gardening"}, "no code"),
        ({"category": "@SUM(A1)"}, "no code"),
        ({"local": "+1"}, "no code"),
        ({"minutes": "0"}, "'0' is no number of minutes"),
        ({"minutes": "1e3"}, "no number of minutes"),
        ({"minutes": "-60"}, "no number of minutes"),
        ({"minutes": "60.0"}, "no number of minutes"),
        ({"minutes": "６０"}, "no number of minutes"),
        ({"minutes": "0x3c"}, "no number of minutes"),
        ({"minutes": "9999999999"}, "no number of minutes"),
        ({"paid_by": ""}, "'' cannot pay"),
        ({"paid_by": "bridge"}, "'bridge' cannot pay"),
        ({"evidence": ""}, "'' is no evidence"),
        ({"evidence": "photo"}, "'photo' is no evidence"),
        ({"recorder": "anne"}, "'anne' is no key id"),
        ({"certifier": "0123456789ABCDEF"}, "no key id"),
        ({"category": "x" * 60_000}, "is too long"),
        ({"minutes": " " * 60_000}, "is too long"),
    ],
)
def test_cells_that_cannot(tmp_path: Path, cells: dict[str, str], reason: str) -> None:
    row = read(tmp_path, **cells)
    assert isinstance(row, Misread)
    assert row.outcome == "bad-row"
    assert reason in row.reason
    assert len(row.reason) < 200


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"evidence": "signed"}, "signature"),
        ({"evidence": "signed", "coupon": "good"}, "signature"),
        ({"evidence": "coupon"}, "the coupon is missing"),
        ({"evidence": "coupon", "coupon": "  "}, "the coupon is missing"),
        ({"evidence": "coupon", "coupon": "unkept"}, "leaves"),
        ({"coupon": "good"}, "its evidence is paper"),
    ],
)
def test_what_a_sheet_cannot_show(tmp_path: Path, cells: dict[str, str], reason: str) -> None:
    row = read(tmp_path, **cells)
    assert isinstance(row, Misread)
    assert row.outcome == "no-evidence"
    assert reason in row.reason


def test_a_row_with_a_coupon(tmp_path: Path) -> None:
    found = service(tmp_path, evidence=" coupon ", coupon="good")
    assert found.evidence == SHOWN
    row = read(tmp_path, evidence="coupon", coupon="secret words")
    assert row == Misread("bad-row", "this is no coupon")
