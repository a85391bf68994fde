"""Few rows about each mirrored ledger in ``mirror.db``, so that questions over hundreds of them read no accounts.

``total`` sums up the accounts by status and unit, ``service`` counts services by month, ``suspicion`` is what its audit
finds unusual, ``summary`` how many there are who give and who need, ``active`` how many gave in which month, ``matter``
what waits for people, ``band`` what is owed to people by their age. They are written with the entries that they follow
from, in one transaction (``write_summary``), and read by ``LedgerReader`` (``read_…``), which sees all or nothing.

Totals of a node's own file, which has no such rows, are added up from its accounts (``own_totals``).
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from ledger.numbers import fund_number
from store.reading import LedgerReader
from verify.summary import Summary

TABLES = (
    "CREATE TABLE total(log INTEGER, kind TEXT, status TEXT, unit TEXT, accounts INTEGER NOT NULL,"
    " balance INTEGER NOT NULL, held INTEGER NOT NULL, PRIMARY KEY(log, kind, status, unit)) WITHOUT ROWID",
    "CREATE TABLE service(log INTEGER, month TEXT, category TEXT, evidence TEXT, number INTEGER NOT NULL,"
    " minutes INTEGER NOT NULL, redeemed INTEGER NOT NULL, PRIMARY KEY(log, month, category, evidence)) WITHOUT ROWID",
    "CREATE TABLE suspicion(log INTEGER, place INTEGER, code TEXT NOT NULL, account TEXT NOT NULL,"
    " entries TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY(log, place)) WITHOUT ROWID",
    "CREATE TABLE suspicion_count(log INTEGER, code TEXT, number INTEGER NOT NULL, PRIMARY KEY(log, code))"
    " WITHOUT ROWID",
    "CREATE TABLE summary(log INTEGER PRIMARY KEY, volunteers INTEGER NOT NULL, elders INTEGER NOT NULL)",
)

MATTER_TABLES = (
    "CREATE TABLE active(log INTEGER, month TEXT, accounts INTEGER NOT NULL, PRIMARY KEY(log, month)) WITHOUT ROWID",
    "CREATE TABLE matter(log INTEGER, kind TEXT, idx INTEGER, place INTEGER, account TEXT NOT NULL,"
    " code TEXT NOT NULL, since INTEGER NOT NULL, due TEXT NOT NULL, outcome TEXT NOT NULL,"
    " PRIMARY KEY(log, kind, idx, place)) WITHOUT ROWID",
    "CREATE TABLE band(log INTEGER, band INTEGER, minutes INTEGER NOT NULL, waiting INTEGER NOT NULL,"
    " PRIMARY KEY(log, band)) WITHOUT ROWID",
)
"""Read by ``store.overview``."""

ACCOUNT_KIND, FUND_KIND = "account", "fund"
"""Kinds of a total; of a system account its name."""

Run = Callable[..., sqlite3.Cursor]
RunAll = Callable[[str, Iterable[Sequence[object]]], None]

_KIND = (
    f"CASE WHEN number GLOB '[0-9]*' THEN '{ACCOUNT_KIND}' WHEN number GLOB '{fund_number('*')}' THEN '{FUND_KIND}'"
    " ELSE number END"
)
_SUMS = f"{_KIND} AS kind, status, unit, count(*), sum(balance), sum(held) FROM account WHERE log=?"
_LEDGERS = (
    "SELECT l.origin, m.parent, m.tier, m.size, m.sealed_seconds, m.pulled_seconds, m.state, m.findings,"
    " (SELECT coalesce(sum(number), 0) FROM suspicion_count WHERE log=m.log), coalesce(s.volunteers, 0),"
    " coalesce(s.elders, 0), c.note FROM mirror m JOIN log l ON l.id=m.log LEFT JOIN summary s ON s.log=m.log"
    " LEFT JOIN checkpoint c ON c.log=m.log AND c.size=m.size ORDER BY l.origin"
)
_TOTALS = (
    "SELECT l.origin, t.kind, t.status, t.unit, t.accounts, t.balance, t.held FROM total t JOIN log l ON l.id=t.log"
    " ORDER BY l.origin"
)
_OF_MONTHS = (
    " FROM service s JOIN log l ON l.id=s.log WHERE s.month>=? AND s.month<=?"
    " AND l.origin IN (SELECT value FROM json_each(?))"
)
_SERVICES = (
    f"SELECT s.month, s.category, s.evidence, sum(s.number), sum(s.minutes), sum(s.redeemed){_OF_MONTHS}"
    " GROUP BY s.month, s.category, s.evidence"
)
_SERVICES_BY_LEDGER = f"SELECT l.origin, sum(s.number), sum(s.minutes){_OF_MONTHS} GROUP BY l.origin"
_SUSPICIONS = (
    "SELECT s.place, s.code, s.account, s.entries, s.detail FROM suspicion s JOIN log l ON l.id=s.log"
    " WHERE l.origin=? AND s.place>? AND (? IS NULL OR s.code=?) ORDER BY s.place LIMIT ?"
)
_COUNTS = "SELECT l.origin, s.code, s.number FROM suspicion_count s JOIN log l ON l.id=s.log"


class LedgerRow(NamedTuple):
    """One mirrored ledger, also one of which nothing is here yet: then ``note`` is None and ``size`` 0."""

    origin: str
    parent: str
    tier: str
    size: int
    sealed_seconds: int | None
    pulled_seconds: int | None
    state: str
    findings: int
    suspicions: int
    volunteers: int
    elders: int
    note: bytes | None


class TotalRow(NamedTuple):
    """Accounts of one kind, status and unit together."""

    origin: str
    kind: str
    status: str
    unit: str
    accounts: int
    balance: int
    held: int


class ServiceRow(NamedTuple):
    """Standing services of one month, category and class of evidence."""

    month: str
    category: str
    evidence: str
    number: int
    minutes: int
    redeemed_minutes: int


class Snapshot(NamedTuple):
    """The mirrored ledgers at one moment."""

    ledgers: list[LedgerRow]
    totals: dict[str, list[TotalRow]]
    """By origin."""
    suspicion_counts: dict[str, dict[str, int]]
    """By origin and code: also those that no list has room for."""


class SuspicionRow(NamedTuple):
    """One suspicion; ``place`` is its place in the audit's list."""

    place: int
    code: str
    account: str
    entries: list[int]
    detail: str


def write_summary(run: Run, run_all: RunAll, log: int, summary: Summary) -> None:
    """Write it beside the accounts of the same log, which stand already, in the transaction that is open."""
    added_to = ("service",) if summary.is_whole else ()
    for table in ("total", "suspicion", "suspicion_count", "matter", "band", "active", *added_to):
        run(f"DELETE FROM {table} WHERE log=?", log)  # noqa: S608 - one of seven names
    run(f"INSERT INTO total SELECT log, {_SUMS} GROUP BY kind, status, unit", log)
    run_all(
        "INSERT INTO service VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET number=number+excluded.number,"
        " minutes=minutes+excluded.minutes, redeemed=redeemed+excluded.redeemed",
        ((log, *key, *count) for key, count in summary.services.items()),
    )
    run("DELETE FROM service WHERE log=? AND number=0", log)
    run_all(
        "INSERT INTO suspicion VALUES(?, ?, ?, ?, ?, ?)",
        (
            (log, place, each.code, each.account, msgspec.json.encode(each.entries).decode(), each.detail)
            for place, each in enumerate(summary.suspicions)
        ),
    )
    counts = summary.suspicion_counts.items()
    run_all("INSERT INTO suspicion_count VALUES(?, ?, ?)", ((log, code, number) for code, number in counts))
    run("INSERT OR REPLACE INTO summary VALUES(?, ?, ?)", log, summary.volunteers, summary.elders)
    run_all("INSERT INTO active VALUES(?, ?, ?)", ((log, *each) for each in summary.active.items()))
    run_all("INSERT INTO matter VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", ((log, *each) for each in summary.matters))
    run_all("INSERT INTO band VALUES(?, ?, ?, ?)", ((log, *each) for each in summary.bands))


def read_snapshot(mirror: LedgerReader) -> Snapshot:
    """All that there is of the mirrored ledgers, but their services and suspicions, as of one moment."""
    mirror.rows("BEGIN")
    try:
        ledgers = [LedgerRow(*row) for row in mirror.rows(_LEDGERS)]
        totals: dict[str, list[TotalRow]] = {}
        for row in mirror.rows(_TOTALS):
            totals.setdefault(row[0], []).append(TotalRow(*row))
        counts: dict[str, dict[str, int]] = {}
        for origin, code, number in mirror.rows(_COUNTS):
            counts.setdefault(origin, {})[code] = number
    finally:
        mirror.rows("COMMIT")
    return Snapshot(ledgers, totals, counts)


def own_totals(reader: LedgerReader, origin: str) -> list[TotalRow]:
    """The same of the accounts of a node's own file, as of its newest entry."""
    log = reader.value("SELECT id FROM log WHERE origin=?", origin)
    rows: list[tuple[Any, ...]] = reader.rows(f"SELECT {_SUMS} GROUP BY kind, status, unit", log)
    return [TotalRow(origin, *row) for row in rows]


def read_services(
    mirror: LedgerReader, origins: Sequence[str], first_month: str, last_month: str
) -> list[ServiceRow]:
    """Services of these ledgers together, of the months from ``first_month`` to ``last_month`` (``YYYY-MM``)."""
    named = msgspec.json.encode(origins).decode()
    return [ServiceRow(*row) for row in mirror.rows(_SERVICES, first_month, last_month, named)]


def read_services_by_ledger(
    mirror: LedgerReader, origins: Sequence[str], first_month: str, last_month: str
) -> dict[str, tuple[int, int]]:
    """How many services each of these ledgers has in those months, and their minutes."""
    named = msgspec.json.encode(origins).decode()
    rows = mirror.rows(_SERVICES_BY_LEDGER, first_month, last_month, named)
    return {origin: (number, minutes) for origin, number, minutes in rows}


def read_suspicions(
    mirror: LedgerReader, origin: str, after_place: int, limit: int, code: str | None = None
) -> list[SuspicionRow]:
    """Suspicions of one ledger behind a place of the list."""
    rows = mirror.rows(_SUSPICIONS, origin, after_place, code, code, limit)
    return [SuspicionRow(row[0], row[1], row[2], msgspec.json.decode(row[3]), row[4]) for row in rows]

