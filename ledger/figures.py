"""The figures of a report: their shape, the period they are of, and how those of many ledgers are added up.

``ledger.tally`` makes a ``Figures`` of one ledger; ``add_up`` joins two. What each figure counts stands beside it here,
and in ``docs/report.md``. *Standing* is what was not reversed; minutes are whole minutes, money is in fen.
"""

import calendar
import datetime
import re
from typing import Any

import msgspec

from ledger.risk import PER_MILLE, format_period, parse_period
from ledger.state import MONTHS_A_YEAR

BEFORE, WITHIN, AFTER = 0, 1, 2
"""Where a month lies: before a period, in it, after it."""

MONTHS_MAX = 1_200
"""A period has no more months."""

LISTED_MAX = 200
"""So many lines a listing keeps; it counts the others."""

SUM_NAMES_MAX = 100_000
"""A sum over many ledgers tells apart so many names (payees, purposes, local services) and joins the others."""

OTHERS = "*"
"""The name of those that are not told apart."""

TEXT_MAX_CHARACTERS = 120
"""A listing keeps so much of a text of the log."""

QUARTER = re.compile(r"([0-9]{4})-Q([1-4])")
YEAR = re.compile(r"[0-9]{4}")
SHARES = ("paper", "coupon", "signed", "disputed")
"""Risk figures that are no sums, and follow from counts."""
TOP_TENTH = "top_tenth"


class Period(msgspec.Struct, frozen=True):
    """Local months, the first and the last one included, as ``ledger.state.month_of`` numbers them."""

    first: int
    last: int

    def place(self, month: int) -> int:
        """``BEFORE``, ``WITHIN`` or ``AFTER``."""
        return BEFORE if month < self.first else WITHIN if month <= self.last else AFTER

    @property
    def first_day(self) -> datetime.date:
        """The day with which it begins."""
        year, month = divmod(self.first, MONTHS_A_YEAR)
        return datetime.date(year, month + 1, 1)

    @property
    def last_day(self) -> datetime.date:
        """The day with which it ends."""
        year, month = divmod(self.last, MONTHS_A_YEAR)
        return datetime.date(year, month + 1, calendar.monthrange(year, month + 1)[1])


def parse_span(text: str) -> Period | None:
    """The period that ``2026-10``, ``2026``, ``2026-Q3`` or ``2026-01..2026-06`` names, or None where it is none."""
    if YEAR.fullmatch(text):
        return _span(parse_period(f"{text}-01"), parse_period(f"{text}-12"))
    quarter = QUARTER.fullmatch(text)
    if quarter:
        first = parse_period(f"{quarter[1]}-01")
        begin = None if first is None else first + 3 * (int(quarter[2]) - 1)
        return _span(begin, None if begin is None else begin + 2)
    first_text, dots, last_text = text.partition("..")
    first = parse_period(first_text)
    return _span(first, parse_period(last_text) if dots else first)


def _span(first: int | None, last: int | None) -> Period | None:
    if first is None or last is None or first < MONTHS_A_YEAR:
        return None
    return Period(first, last) if first <= last < first + MONTHS_MAX else None


def format_span(period: Period) -> str:
    """The shortest way to write it: a month, a year, a quarter, or two months."""
    year, month = divmod(period.first, MONTHS_A_YEAR)
    count = period.last - period.first + 1
    if count == 1:
        return format_period(period.first)
    if count == MONTHS_A_YEAR and not month:
        return f"{year:04d}"
    if count == 3 and month % 3 == 0:
        return f"{year:04d}-Q{month // 3 + 1}"
    return f"{format_period(period.first)}..{format_period(period.last)}"


class Count(msgspec.Struct):
    """How many, and how many minutes they have together."""

    number: int = 0
    minutes: int = 0

    def add(self, minutes: int, sign: int = 1) -> None:
        """Count one; take it away again with ``sign`` −1."""
        self.number += sign
        self.minutes += sign * minutes


class MonthLine(msgspec.Struct):
    """One local month: standing services whose ``end`` lies in it."""

    services: int = 0
    minutes: int = 0
    redeemed_minutes: int = 0


class Books(msgspec.Struct):
    """What persons and institutions have at one moment, and money."""

    accounts: int = 0
    """Opened so far and not closed."""
    net_minutes: int = 0
    """Sum of ``balance`` and ``held`` of all of them."""
    outstanding_minutes: int = 0
    """The same of those above zero: what is owed to people."""
    held_minutes: int = 0
    fen: int = 0
    """Sum over funds."""


class Fund(msgspec.Struct):
    """One fund's period. A reversal counts back in the period in which it is made."""

    title: str = ""
    purpose: str = ""
    before_fen: int = 0
    received_fen: dict[str, int] = {}
    """By source."""
    spent_fen: int = 0
    after_fen: int = 0


class Listing(msgspec.Struct):
    """Up to ``LISTED_MAX`` lines, and how many more there are."""

    lines: list[Any] = []
    more: int = 0

    def add(self, line: Any) -> None:
        """Enter a line, or count it where there is no room."""
        if len(self.lines) < LISTED_MAX:
            self.lines.append(line)
        else:
            self.more += 1


class CaseLine(msgspec.Struct, omit_defaults=True):
    """One case as it stood at the end. Days are local."""

    origin: str
    index: int
    account: str
    suspicion: str
    opened: str
    steps: int = 0
    appeals: int = 0
    outcome: str | None = None
    closed: str | None = None


class SanctionLine(msgspec.Struct, omit_defaults=True):
    """One sanction in force at the end."""

    origin: str
    index: int
    account: str
    measure: str
    imposed: str
    until: str | None = None


class FindingLine(msgspec.Struct):
    """What an inspection found and nobody has mended by the end."""

    origin: str
    inspection: int
    subject: str
    code: str
    text: str
    due: str
    overdue: bool = False


class AssessmentLine(msgspec.Struct, frozen=True):
    """What a third party gave an organisation, of 100."""

    origin: str
    day: str
    subject: str
    period: str
    scores: dict[str, int]


class ChangeLine(msgspec.Struct, frozen=True):
    """One parameter that was changed."""

    origin: str
    day: str
    version: int
    name: str
    before: str
    after: str


class SuspicionLine(msgspec.Struct, frozen=True):
    """One suspicion whose newest entry is of the period. ``text`` has places for ``values``."""

    origin: str
    code: str
    account: str
    entries: tuple[int, ...]
    text: str
    values: dict[str, int | str]


class CertifiedLine(msgspec.Struct, frozen=True):
    """An institution that got a certificate."""

    origin: str
    day: str
    account: str


class Figures(msgspec.Struct, kw_only=True):
    """All figures of a period; see ``ledger.tally`` for how an entry comes to belong to it."""

    services: Count = msgspec.field(default_factory=Count)
    """Standing services whose ``end`` lies in the period; all shares below are of these."""
    reversed_services: Count = msgspec.field(default_factory=Count)
    disputed_services: int = 0
    """Of all services of the period, also reversed ones."""
    volunteers: int = 0
    """Accounts that gave at least one of them, and that received one:"""
    elders: int = 0
    categories: dict[str, Count] = {}
    local: dict[str, Count] = {}
    """By the district's own service; ``-`` where a service names none."""
    points: dict[str, Count] = {}
    """By the clerk who recorded (account or key id); ``device`` where a person's own key did."""
    evidence: dict[str, Count] = {}
    payers: dict[str, Count] = {}
    months: dict[str, MonthLine] = {}

    begin: Books = msgspec.field(default_factory=Books)
    end: Books = msgspec.field(default_factory=Books)
    flows: dict[str, int] = {}
    """What changed ``net_minutes`` from the begin to the end, by cause."""
    gifts: Count = msgspec.field(default_factory=Count)
    donations: Count = msgspec.field(default_factory=Count)
    grants: Count = msgspec.field(default_factory=Count)
    openings: Count = msgspec.field(default_factory=Count)
    sent: Count = msgspec.field(default_factory=Count)
    """To other ledgers; also those that come back."""
    arrived: Count = msgspec.field(default_factory=Count)
    returned: Count = msgspec.field(default_factory=Count)
    """Sent in this period or an earlier one, refused there, and given back."""
    reversals: dict[str, int] = {}
    """Made in the period, by the kind of what was reversed."""

    disputes: dict[str, int] = {}
    """``opened``, ``upheld``, ``rejected``, ``overtaken`` (reversed meanwhile), and ``open`` at the end."""
    cases: dict[str, int] = {}
    """``opened``, ``cleared``, ``upheld``, ``steps``, ``appeals``, and ``open`` at the end."""
    case_lines: Listing = msgspec.field(default_factory=Listing)
    """Those opened or closed in the period, and those open at its end."""
    sanctions: dict[str, int] = {}
    """``imposed``, ``lifted``, and ``in_force`` at the end."""
    sanction_lines: Listing = msgspec.field(default_factory=Listing)
    suspicions: dict[str, int] = {}
    suspicion_lines: Listing = msgspec.field(default_factory=Listing)
    suspicions_not_kept: int = 0
    """Of the whole ledger, those of which the audit kept no line: they are in no period."""

    coupons: dict[str, int] = {}
    """``books`` issued, coupons ``printed`` in them, coupons ``used``."""
    funds: dict[str, Fund] = {}
    payees: dict[str, int] = {}
    """Fen by payee."""
    inspections: dict[str, int] = {}
    """``made``, ``findings`` made, ``done``, and ``open`` and ``overdue`` ones at the end."""
    finding_lines: Listing = msgspec.field(default_factory=Listing)
    assessments: Listing = msgspec.field(default_factory=Listing)
    certified: Listing = msgspec.field(default_factory=Listing)
    changes: Listing = msgspec.field(default_factory=Listing)
    risk: dict[str, int] = {}
    """RULES §8, over the whole period and at its end."""
    forecast: dict[str, int] = {}
    """Minutes that fall redeemable, by years from ``as_of`` on."""
    as_of: str = ""
    """The local day of the end: that of the period, or of the last entry where that comes before it."""


def add_up(one: Figures, other: Figures) -> Figures:
    """The figures of both together.

    ``points`` are each ledger's own and left out, and so is the share ``top_tenth``; funds are joined by purpose.
    """
    total: Figures = _merged(_by_purpose(one), _by_purpose(other))
    total.points = {}
    total.as_of = max(one.as_of, other.as_of)
    total.risk.pop(TOP_TENTH, None)
    whole, recorded = total.services.number, total.services.number + total.reversed_services.number
    counts = {form: total.evidence.get(form, Count()).number for form in ("paper", "coupon", "signed")}
    shares = {form: share(number, whole) for form, number in counts.items()}
    shares["disputed"] = share(total.disputed_services, recorded)
    total.risk = dict(sorted((total.risk | shares).items()))
    return total


def _by_purpose(figures: Figures) -> Figures:
    funds: dict[str, Fund] = {}
    for fund in figures.funds.values():
        joined = msgspec.structs.replace(fund, title="")
        known = funds.get(fund.purpose)
        funds[fund.purpose] = joined if known is None else _merged(known, joined)
    return msgspec.structs.replace(figures, funds=funds)


def share(part: int, whole: int) -> int:
    """In per mille, rounded down; 0 where the whole is 0."""
    return part * PER_MILLE // whole if whole else 0


def _merged(one: Any, other: Any) -> Any:
    if isinstance(one, int):
        return one + other
    if isinstance(one, dict):
        both = dict(one)
        for key, value in other.items():
            name = key if key in both or len(both) < SUM_NAMES_MAX else OTHERS
            both[name] = _merged(both[name], value) if name in both else value
        return both
    if isinstance(one, Listing):
        lines = one.lines + other.lines
        return Listing(lines[:LISTED_MAX], one.more + other.more + max(0, len(lines) - LISTED_MAX))
    if isinstance(one, msgspec.Struct):
        return type(one)(
            **{name: _merged(getattr(one, name), getattr(other, name)) for name in one.__struct_fields__}
        )
    return one
