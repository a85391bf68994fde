"""What a supervisor's board is made of, read from ``mirror.db`` in a few questions over all ledgers together.

    overview = read_overview(mirror, "2026-09")      # one moment, to be kept until somebody commits there
    read_active(mirror, origins, "2026-01", "2026-12"); read_bands(mirror, origins)

The rows follow from the entries and are written with them (``store.summaries``); here nothing is counted from accounts
but the few of funds.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from ledger.matters import Matter
from ledger.numbers import fund_number
from store.mirror import ALARMS_LISTED_MAX, AlarmRow
from store.reading import KeptLedger, LedgerReader
from verify.summary import Band

FUND_FIRST, FUND_AFTER = fund_number(""), fund_number("")[:-1] + "."
"""All numbers of funds lie between these: the character behind the hyphen is the full stop."""

_ALARMS = (
    "SELECT a.id, l.origin, a.code, a.at_seconds, a.detail, a.evidence, a.seen, a.times,"
    " coalesce(a.latest_seconds, a.at_seconds), coalesce(a.latest_evidence, a.evidence) FROM alarm a"
    " JOIN log l ON l.id=a.log WHERE NOT a.seen ORDER BY a.id DESC LIMIT ?"
)
_MATTERS = (
    "SELECT l.origin, m.kind, m.idx, m.place, m.account, m.code, m.since, m.due, m.outcome FROM matter m"
    " JOIN log l ON l.id=m.log ORDER BY l.origin, m.kind, m.idx, m.place"
)
_NEW_SUSPICIONS = (
    "SELECT l.origin, s.code, count(*), min(s.place) FROM suspicion s JOIN log l ON l.id=s.log"
    " WHERE NOT EXISTS (SELECT 1 FROM matter m WHERE m.log=s.log AND m.kind='case' AND m.account=s.account"
    " AND m.code=s.code AND m.idx>coalesce(json_extract(s.entries, '$[#-1]'), 0)) GROUP BY l.origin, s.code"
)
_FUNDS = (
    "SELECT l.origin, a.number, a.balance, (SELECT coalesce(sum(g.balance), 0) FROM leg g WHERE g.log=a.log"
    " AND g.account=a.number AND g.balance>0) FROM log l JOIN account a ON a.log=l.id"
    " WHERE a.number>=? AND a.number<? ORDER BY l.origin, a.number"
)
_EVIDENCE = (
    "SELECT l.origin, s.evidence, sum(s.number) FROM service s JOIN log l ON l.id=s.log WHERE s.month>=?"
    " GROUP BY l.origin, s.evidence"
)
_TROUBLE = "SELECT l.origin, m.trouble FROM mirror m JOIN log l ON l.id=m.log WHERE m.trouble<>''"
_ACTIVE = (
    "SELECT a.month, sum(a.accounts) FROM active a JOIN log l ON l.id=a.log WHERE a.month>=? AND a.month<=?"
    " AND l.origin IN (SELECT value FROM json_each(?)) GROUP BY a.month ORDER BY a.month"
)
_MONTHS = (
    "SELECT l.origin, s.month, sum(s.minutes) FROM service s JOIN log l ON l.id=s.log WHERE s.month>=? AND s.month<=?"
    " AND l.origin IN (SELECT value FROM json_each(?)) GROUP BY l.origin, s.month"
)
_BANDS = (
    "SELECT b.band, sum(b.minutes), sum(b.waiting) FROM band b JOIN log l ON l.id=b.log"
    " WHERE l.origin IN (SELECT value FROM json_each(?)) GROUP BY b.band ORDER BY b.band"
)


class FundRow(NamedTuple):
    """A fund, and all that ever came into it, in fen."""

    number: str
    balance_fen: int
    received_fen: int


class NewSuspicions(NamedTuple):
    """Suspicions of one code that no later case looks into; ``place`` is that of the first in the audit's list."""

    code: str
    number: int
    place: int


class Overview(NamedTuple):
    """The mirrored ledgers, by origin, at one moment."""

    alarms: list[AlarmRow]
    matters: dict[str, list[Matter]]
    suspicions: dict[str, list[NewSuspicions]]
    funds: dict[str, list[FundRow]]
    evidence: dict[str, dict[str, int]]
    """How many services since the month that was named rest on what."""
    troubles: dict[str, str]
    """Why a ledger could not be had the last time."""


NOTHING = Overview([], {}, {}, {}, {}, {})


def read_overview(mirror: LedgerReader, since_month: str) -> Overview:
    """All of it; ``since_month`` (``YYYY-MM``) bounds ``evidence``."""
    overview = Overview([], {}, {}, {}, {}, {})
    mirror.rows("BEGIN")
    try:
        overview.alarms.extend(AlarmRow(*row) for row in mirror.rows(_ALARMS, ALARMS_LISTED_MAX))
        for origin, *row in mirror.rows(_MATTERS):
            overview.matters.setdefault(origin, []).append(Matter(*row))
        for origin, *row in mirror.rows(_NEW_SUSPICIONS):
            overview.suspicions.setdefault(origin, []).append(NewSuspicions(*row))
        for origin, *row in mirror.rows(_FUNDS, FUND_FIRST, FUND_AFTER):
            overview.funds.setdefault(origin, []).append(FundRow(*row))
        for origin, form, number in mirror.rows(_EVIDENCE, since_month):
            overview.evidence.setdefault(origin, {})[form] = number
        overview.troubles.update(mirror.rows(_TROUBLE))
    finally:
        mirror.rows("COMMIT")
    return overview


def read_funds(reader: LedgerReader, ledger: KeptLedger) -> list[FundRow]:
    """The funds of one ledger, of a node's own file too."""
    sql = _FUNDS.replace("ORDER BY", "AND l.id=? ORDER BY")
    return [FundRow(*row[1:]) for row in reader.rows(sql, FUND_FIRST, FUND_AFTER, ledger.log)]


def read_active(mirror: LedgerReader, origins: Sequence[str], first_month: str, last_month: str) -> dict[str, int]:
    """How many accounts of these ledgers gave a service, by month; a person with two accounts counts twice."""
    return dict(mirror.rows(_ACTIVE, first_month, last_month, _named(origins)))


def read_months(
    mirror: LedgerReader, origins: Sequence[str], first_month: str, last_month: str
) -> dict[str, dict[str, int]]:
    """Minutes of standing services of each of these ledgers, by month."""
    found: dict[str, dict[str, int]] = {}
    for origin, month, minutes in mirror.rows(_MONTHS, first_month, last_month, _named(origins)):
        found.setdefault(origin, {})[month] = minutes
    return found


def read_bands(mirror: LedgerReader, origins: Sequence[str]) -> list[Band]:
    """What is owed to people of these ledgers together, by their band of birth."""
    return [Band(*row) for row in mirror.rows(_BANDS, _named(origins))]


def _named(origins: Sequence[str]) -> str:
    return msgspec.json.encode(origins).decode()
