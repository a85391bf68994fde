"""Day sheets: one row of the village point's book is one service (RULES §3).

    date,start,end,provider,recipient,category,local,minutes,paid_by,evidence,coupon,recorder,certifier,remark

``SheetReader`` turns the cells of a row into a ``SheetRow`` or a ``Misread``; it asks nothing of the ledger. Times are
local; an end before its start is past midnight; empty ``minutes`` are all between them. Spreadsheets' own spellings are
read too: ``2025/11/1``, ``9:21`` and ``9:21:00``, and an account number that lost leading zeros, where its check digits
fit with them. ``remark`` is for the book alone and goes nowhere. Columns, services, payers and evidence may have their
Chinese names, and columns that nothing stands in may be left out.

Evidence is ``paper``: the file itself; or ``coupon``: the text of one, scanned or typed into the column ``coupon``. A
coupon that cannot be read makes the row ``bad-row``, a missing one ``no-evidence``; so are ``signed`` rows, as a sheet
has no signatures of the people served. Whether a coupon is good the rules say.
"""

import datetime
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple, cast

import msgspec

from chain.fields import ACCOUNT_DIGITS, UTC, Time, is_account_number, is_key_id, parse_time
from ledger.bodies import COUPON, PAPER, SIGNED, Evidence, Service
from ledger.numbers import has_check_digits
from web.i18n import CHINESE as LANGUAGE_CHINESE
from web.i18n import language
from web.i18n import translate as _
from web.problems import DeskError
from web.table import BadRowError, Columns, Record, Table, shown, trimmed

COLUMNS = (
    "date",
    "start",
    "end",
    "provider",
    "recipient",
    "category",
    "local",
    "minutes",
    "paid_by",
    "evidence",
    "coupon",
    "recorder",
    "certifier",
    "remark",
)
CHINESE = (
    *("日期", "开始", "结束", "服务的人", "被服务的人", "服务", "具体服务"),
    *("分钟", "谁支付", "凭证", "服务券", "录入员", "委员", "备注"),
)
"""The columns' Chinese names, in the same order."""
NEEDED = frozenset(("date", "start", "end", "provider", "recipient", "category", "paid_by", "evidence"))
COLUMNS_CALLED = dict(zip(CHINESE, COLUMNS, strict=True)) | {"志愿者": "provider", "老人": "recipient"}
SHEET_COLUMNS = Columns(COLUMNS, COLUMNS_CALLED, frozenset(COLUMNS) - NEEDED)
PAYERS = ("recipient", "pool", "issue")
CALLED = {
    "情感慰藉": "emotional_comfort",
    "协助服务": "assistance",
    "出行陪伴": "travel_companion",
    "文体活动": "culture_sports",
    "健康科普": "health_science",
    "法律援助": "legal_aid",
    "培训讲座": "training",
    "防诈宣传": "fraud_prevention",
    "被服务的人": "recipient",
    "老人": "recipient",
    "捐赠时间池": "pool",
    "平台": "issue",
    "纸单": "paper",
    "签字的纸单": "paper",
    "服务券": "coupon",
    "签名": "signed",
}
"""What stands in cells, in Chinese: services, payers, evidence."""
BAD_ROW, NO_EVIDENCE = "bad-row", "no-evidence"

CODE = re.compile(r"[a-z][a-z0-9_]{0,31}")
DATE = re.compile(r"(\d{4})([-/])(\d{1,2})\2(\d{1,2})", re.ASCII)
CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::00)?", re.ASCII)
MINUTES = re.compile(r"[1-9]\d{0,8}", re.ASCII)
FIRST_YEAR, LAST_YEAR = 2001, 2998
"""Whole years in which every local time is a time of the format."""

DAY_MINUTES, HOUR_MINUTES = 1_440, 60
CACHED_CELLS = 16_384
SPANS = tuple(datetime.timedelta(minutes=minutes) for minutes in range(2 * DAY_MINUTES))


class SheetRow(NamedTuple):
    """A service as the book has it, and the key ids of who recorded and who certified it (empty: those who import)."""

    service: Service
    recorder: str
    certifier: str


@dataclass(frozen=True, slots=True)
class Misread:
    """A row that no statement can be made of: the outcome's name and the reason."""

    outcome: str
    reason: str


ReadCoupon = Callable[[str], Evidence]
"""Makes evidence of a coupon's text; raises BadRowError where it is none, DeskError where it cannot be proven here."""


class SheetReader:
    """Reads rows of one file, which is the evidence for them (``paper_hash``)."""

    def __init__(
        self, table: Table, paper_hash: bytes, utc_offset: datetime.timedelta, read_coupon: ReadCoupon
    ) -> None:
        self._table = table
        self._paper = Evidence(form="paper", hash=paper_hash)
        self._read_coupon = read_coupon
        self._offset = utc_offset
        self.midnight = lru_cache(CACHED_CELLS)(self._midnight)

    def read(self, record: Record) -> SheetRow | Misread:
        """The service in a row."""
        try:
            return self._parse(*self._table.cells(record))
        except BadRowError as error:
            return Misread(BAD_ROW, str(error))

    def place(self, record: Record) -> tuple[Time, str] | None:
        """Local midnight of the row's date, in UTC, and its provider; None where they cannot be read."""
        try:
            cells = self._table.cells(record)
            return self.midnight(cells[0]), parse_account(cells[3])
        except BadRowError:
            return None

    def _parse(
        self,
        date: str,
        start: str,
        end: str,
        provider: str,
        recipient: str,
        category: str,
        local: str,
        minutes: str,
        paid_by: str,
        evidence: str,
        coupon: str,
        recorder: str,
        certifier: str,
        _remark: str,
    ) -> SheetRow | Misread:
        midnight = self.midnight(date)
        start_minute, end_minute = parse_clock(start), parse_clock(end)
        if end_minute < start_minute:
            end_minute += DAY_MINUTES
        service = Service(
            category=parse_code(_code(category)),
            end=midnight + SPANS[end_minute],
            evidence=self._paper,
            local=parse_code(local) if local and trimmed(local) else None,
            minutes=parse_minutes(minutes, end_minute - start_minute),
            paid_by=parse_payer(_code(paid_by)),
            provider=parse_account(provider),
            recipient=parse_account(recipient),
            start=midnight + SPANS[start_minute],
        )
        shown_by = self._shown_by(_code(evidence), coupon)
        if isinstance(shown_by, Misread):
            return shown_by
        if shown_by is not self._paper:
            service = msgspec.structs.replace(service, evidence=shown_by)
        return SheetRow(service, parse_key_id(recorder), parse_key_id(certifier))

    def _shown_by(self, evidence: str, coupon: str) -> Evidence | Misread:
        """What shows that a row's service took place, or why nothing on a day sheet does."""
        if evidence == PAPER and not coupon.strip():
            return self._paper
        if evidence == PAPER:
            return Misread(NO_EVIDENCE, _("the row has a coupon, but its evidence is paper: write coupon there"))
        if evidence == SIGNED:
            reason = _("a signed service is recorded with the recipient's signature, not from a sheet")
            return Misread(NO_EVIDENCE, reason)
        if evidence != COUPON:
            raise BadRowError(_("{cell} is no evidence: write paper, signed or coupon").format(cell=shown(evidence)))
        if not coupon.strip():
            return Misread(NO_EVIDENCE, _("the coupon is missing: scan or type it into the column coupon"))
        try:
            return self._read_coupon(coupon)
        except DeskError as error:
            return Misread(NO_EVIDENCE, str(error))

    def _midnight(self, cell: str) -> Time:
        return local_midnight(parse_date(cell), self._offset)


def headings() -> tuple[str, ...]:
    """The columns as whoever reads calls them."""
    return CHINESE if language() == LANGUAGE_CHINESE else COLUMNS


def _code(cell: str) -> str:
    """A cell's code, where a Chinese name stands in it."""
    plain = trimmed(cell)
    return CALLED.get(plain, plain)


def filled(path: Path) -> Path:
    """The path of a file with something in it.

    Raises DeskError for an empty one and for what is no regular file (a device may never end), OSError for none.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise DeskError(_("{path} is not a file").format(path=path))
    if not status.st_size:
        raise DeskError(_("{path} is empty").format(path=path))
    return path


def parse_words(cell: str) -> str:
    """A text that says something, as it is."""
    if cell and not cell.strip():
        raise BadRowError(_("there are only spaces here: write some words"))
    return cell


def local_midnight(day: datetime.date, utc_offset: datetime.timedelta) -> Time:
    """The moment at which a local day begins."""
    return datetime.datetime(day.year, day.month, day.day, tzinfo=UTC) - utc_offset


def interval(start_minute: int, end_minute: int) -> tuple[datetime.timedelta, datetime.timedelta]:
    """Start and end as spans from local midnight; an end before the start is past the next one."""
    return SPANS[start_minute], SPANS[end_minute + (DAY_MINUTES if end_minute < start_minute else 0)]


@lru_cache(CACHED_CELLS)
def parse_clock(cell: str) -> int:
    """Minutes since local midnight from ``HH:MM``."""
    match = CLOCK.fullmatch(trimmed(cell))
    hour, minute = (int(match[1]), int(match[2])) if match else (-1, -1)
    if not (0 <= hour < DAY_MINUTES // HOUR_MINUTES and 0 <= minute < HOUR_MINUTES):
        raise BadRowError(_("{cell} is no time of day: write HH:MM, from 00:00 to 23:59").format(cell=shown(cell)))
    return hour * HOUR_MINUTES + minute


def parse_clock_or_time(cell: str) -> int | Time:
    """Minutes since local midnight, or a full time in UTC."""
    if "T" not in cell:
        return parse_clock(cell)
    try:
        return parse_time(trimmed(cell))
    except ValueError:
        raise BadRowError(_("{cell} is not a time: write 2026-11-21T09:30:00Z").format(cell=shown(cell))) from None


def parse_date(cell: str, first_year: int = FIRST_YEAR) -> datetime.date:
    """A real day from ``YYYY-MM-DD`` or ``YYYY/M/D``."""
    match = DATE.fullmatch(trimmed(cell))
    try:
        day = datetime.date(int(match[1]), int(match[3]), int(match[4])) if match else None
    except ValueError:
        day = None
    if day is None or not first_year <= day.year <= LAST_YEAR:
        raise BadRowError(_("{cell} is no date: write YYYY-MM-DD").format(cell=shown(cell)))
    return day


@lru_cache(CACHED_CELLS)
def parse_account(cell: str) -> str:
    """An account number; leading zeros that a spreadsheet took away come back where the check digits then fit."""
    number = trimmed(cell)
    if not 1 <= len(number) <= ACCOUNT_DIGITS or not is_account_number(number):
        raise BadRowError(_("{cell} is no account number: write its eight digits").format(cell=shown(cell)))
    full = number.zfill(ACCOUNT_DIGITS)
    if full != number and not has_check_digits(full):
        raise BadRowError(
            _("{cell} has lost digits; with zeros before it its check digits do not fit").format(cell=shown(cell))
        )
    return full


@lru_cache(CACHED_CELLS)
def parse_code(cell: str) -> str:
    """A category or a local service, of the form of a code."""
    code = trimmed(cell)
    if not CODE.fullmatch(code):
        raise BadRowError(_("{cell} is no code: write small letters a to z, digits and _").format(cell=shown(cell)))
    return code


def parse_minutes(cell: str, between: int) -> int:
    """Whole minutes; empty means all ``between`` start and end.

    Where those are the same there are none: one minute then stands for them, and the rule says ``bad-interval``.
    """
    if not cell or not trimmed(cell):
        return max(1, between)
    if not MINUTES.fullmatch(trimmed(cell)):
        raise BadRowError(_("{cell} is no number of minutes: write digits, or leave it empty").format(cell=shown(cell)))
    return int(cell)


def parse_payer(cell: str) -> Literal["recipient", "pool", "issue"]:
    """Who pays."""
    payer = trimmed(cell)
    if payer not in PAYERS:
        raise BadRowError(_("{cell} cannot pay: write recipient, pool or issue").format(cell=shown(cell)))
    return cast(Literal["recipient", "pool", "issue"], payer)


@lru_cache(CACHED_CELLS)
def parse_key_id(cell: str) -> str:
    """A key id, or nothing."""
    key_id = trimmed(cell)
    if key_id and not is_key_id(key_id):
        raise BadRowError(_("{cell} is no key id: write its 16 digits, or leave it empty").format(cell=shown(cell)))
    return key_id
