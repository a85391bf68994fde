"""A report in people's words: sections of tables, the same for the page, the PDF and the spreadsheet.

A table's cells are plain values; ``Column.form`` says how each is written, and ``Chart`` which of them are drawn.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from gettext import gettext as _
from typing import Any

from ledger.figures import (
    OTHERS,
    SHARES,
    TOP_TENTH,
    AssessmentLine,
    CaseLine,
    CertifiedLine,
    ChangeLine,
    Count,
    Figures,
    FindingLine,
    Listing,
    SanctionLine,
    SuspicionLine,
    share,
)
from ledger.parameters import CATEGORIES as CATEGORY_CODES
from ledger.tally import DEVICE, NONE
from web.findings import SUSPICIONS
from web.i18n import marked
from web.report import LedgerLine, Report
from web.text import CASE_OUTCOMES, MEASURES, SOURCES, named, named_category

TEXT, CODE, NUMBER, HOURS, YUAN, SHARE, DAY = "text", "code", "number", "hours", "yuan", "share", "day"
"""How a value is written: words, a number or name to copy, a count, minutes as hours, fen as yuan, per mille, a day."""

BARS, COLUMNS, STACK, LINE = "bars", "columns", "stack", "line"
"""Lying bars, standing columns, one bar of shares, a line."""

PAYEES_SHOWN = 20
"""The largest ones; one more line has the rest."""

EVIDENCE = {
    "signed": marked("confirmed by the elder's own key"),
    "coupon": marked("paper coupon of the elder"),
    "paper": marked("paper sheet only"),
}
"""From strong to weak."""

PAYERS = {
    "recipient": marked("the elder's own hours"),
    "pool": marked("the pool"),
    "issue": marked("the platform"),
}

LOCALS = {
    "bathing": marked("help with bathing"),
    "cleaning": marked("cleaning"),
    "emergency": marked("emergency help"),
    "home_care": marked("care at home"),
    "meals": marked("meals"),
    "medical_escort": marked("escort to the doctor"),
    "recreation": marked("recreation"),
    "rehabilitation": marked("rehabilitation"),
}
"""Local services of the default parameters; those of a district's own stand as it named them."""

CAUSES = {
    "earned": marked("earned by services"),
    "opening": marked("carried over from the old book"),
    "granted": marked("granted by the platform"),
    "spent": marked("spent by elders"),
    "donated": marked("donated to the pool"),
    "sent": marked("sent to other ledgers"),
    "arrived": marked("arrived from other ledgers"),
    "returned": marked("refused by other ledgers and given back"),
    "ceiling": marked("over the ceiling, gone to the pool"),
    "closed": marked("left to the pool by closed accounts"),
    "reversed": marked("reversed"),
}

RISKS = {
    "outstanding": marked("owed to people at the end"),
    "held": marked("of it waiting (held)"),
    "earned": marked("earned in the period"),
    "redeemed": marked("redeemed in the period"),
    "granted": marked("given by the platform since the beginning"),
    "fen": marked("in all funds at the end"),
    "paper": marked("services on paper only"),
    "coupon": marked("services confirmed by coupon"),
    "signed": marked("services confirmed by key"),
    "disputed": marked("services disputed"),
    "top_tenth": marked("held by the tenth of accounts with most"),
}

DISPUTES = {
    "opened": marked("disputes opened"),
    "upheld": marked("disputes upheld"),
    "rejected": marked("disputes rejected"),
    "overtaken": marked("disputes over by a reversal"),
    "open": marked("disputes open at the end"),
}

CASES = {
    "opened": marked("cases opened"),
    "cleared": marked("cases closed: cleared"),
    "upheld": marked("cases closed: upheld"),
    "steps": marked("steps taken in cases"),
    "appeals": marked("appeals"),
    "open": marked("cases open at the end"),
}

SANCTIONS = {
    "imposed": marked("sanctions imposed"),
    "lifted": marked("sanctions lifted"),
    "in_force": marked("sanctions in force at the end"),
}

INSPECTIONS = {
    "made": marked("inspections made"),
    "findings": marked("findings in them"),
    "done": marked("findings mended"),
    "open": marked("findings open at the end"),
    "overdue": marked("of them overdue"),
}

COUPONS = {
    "books": marked("coupon books issued"),
    "printed": marked("coupons in them"),
    "used": marked("coupons used in the period"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, and how its values are written."""

    title: str
    form: str = TEXT


Columns = tuple[Column, ...]
Cells = tuple[Any, ...]
Rows = tuple[Cells, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Which column of a table is drawn, against its first column."""

    kind: str
    column: int


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings. ``key`` names it for programs; ``note`` says where its figures come from."""

    key: str
    title: str
    columns: Columns
    rows: Rows
    note: str = ""
    chart: Chart | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its tables. A question is no judgement: ``lead`` says what the reader should know first."""

    key: str
    title: str
    tables: tuple[Table, ...]
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the figures at the top."""

    title: str
    value: int
    form: str
    is_warning: bool = False


def tiles(report: Report) -> list[Tile]:
    """What a reader in a hurry looks at."""
    found = report.figures
    paper = found.risk.get("paper", 0)
    return [
        Tile(_("services"), found.services.number, NUMBER),
        Tile(_("hours of service"), found.services.minutes, HOURS),
        Tile(_("active volunteers"), found.volunteers, NUMBER),
        Tile(_("elders served"), found.elders, NUMBER),
        Tile(_("hours owed to people"), found.end.outstanding_minutes, HOURS),
        Tile(_("services on paper only"), paper, SHARE),
        Tile(_("in all funds (yuan)"), found.end.fen, YUAN),
        Tile(_("suspicions"), sum(found.suspicions.values()), NUMBER),
        Tile(_("cases open"), found.cases.get("open", 0), NUMBER),
        _overdue_tile(found),
    ]


def _overdue_tile(found: Figures) -> Tile:
    overdue = found.inspections.get("overdue", 0)
    return Tile(_("findings overdue"), overdue, NUMBER, bool(overdue))


def sections(report: Report) -> list[Section]:
    """The whole report, in the reader's language."""
    found = report.figures
    return [
        Section("services", _("Services"), tuple(_services(report))),
        Section("hours", _("Hours"), tuple(_hours(found))),
        Section("funds", _("Money"), tuple(_funds(found))),
        Section("suspicions", _("Suspicions"), tuple(_suspicions(report)), _suspicion_lead(found)),
        Section("cases", _("Disputes, cases and sanctions"), tuple(_cases(report))),
        Section("inspections", _("Inspections and quality"), tuple(_quality(report))),
        Section("risk", _("Risk"), tuple(_risk(found))),
    ]


def _services(report: Report) -> Iterable[Table]:
    found = report.figures
    standing = _("Services that end in the period and were not reversed.")
    yield _months(found, standing)
    categories = [(named_category(code), found.categories.get(code, Count())) for code in CATEGORY_CODES]
    yield _counted("categories", _("By category"), _("category"), categories, found, standing, BARS)
    local = {name: count for name, count in found.local.items() if name != NONE}
    if local:
        named = _largest((_local(name), count) for name, count in local.items())
        note = _("The district's own names; a service may have none.")
        yield _counted("local", _("By local service"), _("local service"), named, found, note, None)
    if report.is_of_many:
        yield _ledgers(report.ledgers)
    else:
        named = _largest((_point(name), count) for name, count in found.points.items())
        note = _("By the account or key of the clerk who recorded.")
        yield _counted("points", _("By village point"), _("recorded by"), named, found, note, None)
    evidence = [(_(name), found.evidence.get(form, Count())) for form, name in EVIDENCE.items()]
    note = _("What shows that a service took place, from strong to weak. Paper alone is the weakest.")
    yield _counted("evidence", _("Evidence"), _("evidence"), evidence, found, note, STACK)
    payers = [(_(name), found.payers.get(payer, Count())) for payer, name in PAYERS.items()]
    yield _counted("payers", _("Who paid the hours"), _("paid by"), payers, found, standing, None)


def _months(found: Figures, note: str) -> Table:
    columns: Columns = (
        Column(_("month")), Column(_("services"), NUMBER), Column(_("hours"), HOURS),
        Column(_("of them paid by elders"), HOURS),
    )  # fmt: skip
    rows = [
        (month, line.services, line.minutes, line.redeemed_minutes) for month, line in sorted(found.months.items())
    ]
    chart = Chart(COLUMNS, 2) if len(rows) > 1 else None
    return Table("months", _("By month"), columns, tuple(rows), note, chart)


def _counted(
    key: str,
    title: str,
    heading: str,
    counts: Iterable[tuple[str, Count]],
    found: Figures,
    note: str,
    chart: str | None,
) -> Table:
    """A table of counts with the share of each in all services."""
    columns: Columns = (
        Column(heading), Column(_("services"), NUMBER), Column(_("hours"), HOURS), Column(_("share"), SHARE),
    )  # fmt: skip
    whole = found.services.number
    rows = tuple((name, count.number, count.minutes, share(count.number, whole)) for name, count in counts)
    return Table(key, title, columns, rows, note, None if chart is None else Chart(chart, 1))


def _ledgers(ledgers: Sequence[LedgerLine]) -> Table:
    columns: Columns = (
        Column(_("ledger"), CODE), Column(_("services"), NUMBER), Column(_("hours"), HOURS),
        Column(_("volunteers"), NUMBER), Column(_("elders"), NUMBER), Column(_("on paper"), SHARE),
        Column(_("hours owed"), HOURS), Column(_("suspicions"), NUMBER), Column(_("findings of the audit"), NUMBER),
    )  # fmt: skip
    rows = tuple(
        (
            line.origin, line.services, line.minutes, line.volunteers, line.elders, share(line.paper, line.services),
            line.outstanding_minutes, line.suspicions, sum(line.findings.values()),
        )
        for line in ledgers
    )  # fmt: skip
    return Table("ledgers", _("By ledger"), columns, rows, _("Each ledger was audited for this report."))


def _hours(found: Figures) -> Iterable[Table]:
    columns: Columns = (Column(_("what")), Column(_("hours"), HOURS))
    rows = [(_("all people had at the beginning"), found.begin.net_minutes)]
    causes = [*CAUSES, *(cause for cause in found.flows if cause not in CAUSES)]
    rows += [(_(CAUSES.get(cause, cause)), found.flows[cause]) for cause in causes if found.flows.get(cause)]
    rows.append((_("all people have at the end"), found.end.net_minutes))
    note = _("By when it was entered on the ledger; the lines add up. Waiting hours are included.")
    yield Table("statement", _("Where hours came from and went to"), columns, tuple(rows), note)
    begin, end = found.begin, found.end
    columns = (Column(_("what")), Column(_("begin"), HOURS), Column(_("end"), HOURS))
    books = (
        (_("owed to people"), begin.outstanding_minutes, end.outstanding_minutes),
        (_("of it waiting (held)"), begin.held_minutes, end.held_minutes),
    )
    note = _("Owed: what all accounts above zero have together, waiting hours included.")
    yield Table("books", _("Hours owed"), columns, books, note)
    columns = (Column(_("what")), Column(_("begin"), NUMBER), Column(_("end"), NUMBER))
    accounts = ((_("open accounts of people and institutions"), begin.accounts, end.accounts),)
    yield Table("accounts", _("Accounts"), columns, accounts)
    columns = (Column(_("what")), Column(_("number"), NUMBER), Column(_("hours"), HOURS))
    counts = (
        (_("gifts to kin"), found.gifts), (_("donations to the pool"), found.donations),
        (_("grants of the platform"), found.grants), (_("carried over from the old book"), found.openings),
        (_("sent to other ledgers"), found.sent), (_("arrived from other ledgers"), found.arrived),
        (_("refused by other ledgers and given back"), found.returned),
        (_("services reversed"), found.reversed_services),
    )  # fmt: skip
    rows_of_counts = tuple((name, count.number, count.minutes) for name, count in counts)
    note = _("As entered in the period; reversed services by the day on which they ended.")
    yield Table("gifts", _("Gifts, donations, grants, transfers, reversals"), columns, rows_of_counts, note)


def _funds(found: Figures) -> Iterable[Table]:
    received = {
        source: sum(fund.received_fen.get(source, 0) for fund in found.funds.values()) for source in SOURCES
    }
    whole = sum(received.values())
    columns: Columns = (Column(_("source")), Column(_("yuan"), YUAN), Column(_("of each yuan"), SHARE))
    rows: Rows = tuple((_(name), received[source], share(received[source], whole)) for source, name in SOURCES.items())
    note = _("Money received in the period; what was reversed is taken off again.")
    yield Table("sources", _("Where money came from"), columns, rows, note, Chart(STACK, 1))
    columns = (
        Column(_("fund")), Column(_("purpose"), CODE), Column(_("begin"), YUAN), Column(_("received"), YUAN),
        Column(_("spent"), YUAN), Column(_("end"), YUAN),
    )  # fmt: skip
    funds = tuple(
        (
            fund.title or named(LOCALS, fund.purpose), fund.purpose, fund.before_fen, sum(fund.received_fen.values()),
            fund.spent_fen, fund.after_fen,
        )
        for fund in found.funds.values()
    )  # fmt: skip
    note = _("Begin + received − spent = end. A fund is spent for its purpose alone.")
    yield Table("funds", _("Funds and their spending"), columns, funds, note, Chart(STACK, 4))
    payees = sorted(found.payees.items(), key=lambda item: (item[0] == OTHERS, -item[1], item[0]))
    shown = [(_("all others") if name == OTHERS else name, fen) for name, fen in payees[:PAYEES_SHOWN]]
    rest = sum(fen for _name, fen in payees[PAYEES_SHOWN:])
    if len(payees) > PAYEES_SHOWN:
        shown.append((_("{count} others").format(count=len(payees) - PAYEES_SHOWN), rest))
    spent = sum(fen for _name, fen in payees)
    columns = (Column(_("paid to")), Column(_("yuan"), YUAN), Column(_("of each yuan"), SHARE))
    rows = tuple((name, fen, share(fen, spent)) for name, fen in shown)
    note = _("Every payment has a voucher, whose hash is on the ledger.")
    yield Table("payees", _("Where money went to"), columns, rows, note, Chart(BARS, 1))


def _suspicion_lead(found: Figures) -> str:
    lead = _(
        "A suspicion is a question, not a judgement: a computer found something unusual that the rules allow. Whoever "
        "is named may have a good answer. Only people open a case."
    )
    if found.suspicions_not_kept:
        more = _("The ledger has {count} more suspicions, which are in no period: there are too many to keep.")
        return f"{lead} {more.format(count=found.suspicions_not_kept)}"
    return lead


def _suspicions(report: Report) -> Iterable[Table]:
    found = report.figures
    columns = (Column(_("suspicion")), Column(_("number"), NUMBER))
    rows = tuple((_(name), found.suspicions[code]) for code, name in SUSPICIONS.items() if found.suspicions.get(code))
    note = _("Those whose newest entry is of the period.")
    yield Table("suspicions", _("Suspicions by kind"), columns, rows, note)
    about = (Column(_("about"), CODE), Column(_("suspicion")), Column(_("what")), Column(_("entries"), CODE))

    def cells(line: SuspicionLine) -> Cells:
        return line.account, named(SUSPICIONS, line.code), _told(line.text, line.values), _entries(line.entries)

    yield _listing(report, "suspicion_lines", _("Each suspicion"), about, found.suspicion_lines, cells)


def _cases(report: Report) -> Iterable[Table]:
    found = report.figures
    yield _numbers("dispute_numbers", _("Disputes"), DISPUTES, found.disputes)
    yield _numbers("case_numbers", _("Cases"), CASES, found.cases)
    yield _numbers("sanction_numbers", _("Sanctions"), SANCTIONS, found.sanctions)
    columns: Columns = (
        Column(_("case"), CODE), Column(_("account"), CODE), Column(_("suspicion")), Column(_("opened on"), DAY),
        Column(_("steps"), NUMBER), Column(_("appeals"), NUMBER), Column(_("outcome")), Column(_("closed on"), DAY),
    )  # fmt: skip

    def case(line: CaseLine) -> Cells:
        outcome = _("still open") if line.outcome is None else named(CASE_OUTCOMES, line.outcome)
        suspicion = named(SUSPICIONS, line.suspicion)
        days = line.opened, line.closed or ""
        return line.index, line.account, suspicion, days[0], line.steps, line.appeals, outcome, days[1]

    yield _listing(report, "cases", _("Cases of the period, and those still open"), columns, found.case_lines, case)
    columns = (Column(_("account"), CODE), Column(_("measure")), Column(_("since"), DAY), Column(_("due to end"), DAY))

    def sanction(line: SanctionLine) -> Cells:
        return line.account, named(MEASURES, line.measure), line.imposed, line.until or ""

    title = _("Sanctions in force at the end")
    yield _listing(report, "sanctions", title, columns, found.sanction_lines, sanction)


def _quality(report: Report) -> Iterable[Table]:
    found = report.figures
    yield _numbers("inspection_numbers", _("Inspections"), INSPECTIONS, found.inspections)
    yield _numbers("coupon_numbers", _("Coupons"), COUPONS, found.coupons)
    columns: Columns = (
        Column(_("due"), DAY), Column(_("overdue")), Column(_("inspected")), Column(_("finding")), Column(_("text")),
    )  # fmt: skip

    def finding(line: FindingLine) -> Cells:
        return line.due, _("overdue") if line.overdue else "", line.subject, line.code, line.text

    title = _("Findings that nobody has mended yet")
    yield _listing(report, "findings", title, columns, found.finding_lines, finding)
    columns = (Column(_("day"), DAY), Column(_("assessed")), Column(_("period")), Column(_("scores, of 100")))

    def assessment(line: AssessmentLine) -> Cells:
        return line.day, line.subject, line.period, _scores(line.scores)

    title = _("Assessments by third parties")
    yield _listing(report, "assessments", title, columns, found.assessments, assessment)
    columns = (Column(_("day"), DAY), Column(_("account"), CODE))

    def certificate(line: CertifiedLine) -> Cells:
        return line.day, line.account

    yield _listing(report, "certified", _("Certificates given"), columns, found.certified, certificate)
    columns = (Column(_("day"), DAY), Column(_("parameter"), CODE), Column(_("before")), Column(_("after")))

    def change(line: ChangeLine) -> Cells:
        return line.day, line.name, line.before, line.after

    yield _listing(report, "changes", _("Parameters changed"), columns, found.changes, change)


def _listing(
    report: Report, key: str, title: str, columns: Columns, listing: Listing, cells: Callable[[Any], Cells]
) -> Table:
    """A table of a listing's lines; of many ledgers each line names its own."""
    rows: Rows = tuple(cells(line) for line in listing.lines)
    if report.is_of_many:
        columns = (*columns, Column(_("ledger"), CODE))
        rows = tuple((*row, line.origin) for row, line in zip(rows, listing.lines, strict=True))
    return Table(key, title, columns, rows, _more(listing.more))


def _risk(found: Figures) -> Iterable[Table]:
    note = _("Recomputed from the ledger, by the same formulas as for everyone (ledger/RULES.md, 8).")
    columns: Columns = (Column(_("what")), Column(_("hours"), HOURS))
    hours = ("outstanding", "held", "earned", "redeemed", "granted")
    rows: Rows = tuple((_(RISKS[code]), found.risk.get(code, 0)) for code in hours)
    yield Table("risk_hours", _("Hours at the end"), columns, rows, note)
    columns = (Column(_("what")), Column(_("share"), SHARE))
    shares = [code for code in (*SHARES, TOP_TENTH) if code in found.risk]
    rows = tuple((_(RISKS[code]), found.risk[code]) for code in shares)
    yield Table("risk_shares", _("Shares"), columns, rows, note)
    columns = (Column(_("born")), Column(_("hours owed"), HOURS))
    bands = [(code.removeprefix("band_"), minutes) for code, minutes in found.risk.items() if code.startswith("band_")]
    named = tuple((_band(int(band)), minutes) for band, minutes in sorted(bands, key=lambda each: int(each[0])))
    yield Table("bands", _("Hours owed by five-year band of birth"), columns, named, "", Chart(COLUMNS, 1))
    columns = (Column(_("within")), Column(_("hours"), HOURS))
    ahead = tuple((_years(years), minutes) for years, minutes in found.forecast.items())
    note = _(
        "Hours owed today to people who turn 60 within so many years, and may spend them then; people of a band are "
        "taken as born evenly over its five years."
    )
    yield Table("forecast", _("Hours that become redeemable"), columns, ahead, note, Chart(LINE, 1))


def _numbers(key: str, title: str, names: Mapping[str, str], counts: Mapping[str, int]) -> Table:
    """A table of plain numbers."""
    rows = tuple((_(title_of), counts.get(name, 0)) for name, title_of in names.items())
    return Table(key, title, (Column(_("what")), Column(_("number"), NUMBER)), rows)


def _largest(counts: Iterable[tuple[str, Count]]) -> list[tuple[str, Count]]:
    return sorted(counts, key=lambda each: (-each[1].number, each[0]))


def _local(name: str) -> str:
    return _("all others") if name == OTHERS else named(LOCALS, name)


def _point(name: str) -> str:
    if name == DEVICE:
        return _("volunteers' own devices")
    return _("all others") if name == OTHERS else name


def _band(year: int) -> str:
    return f"{year}–{year + 4}" if year else _("not known")


def _told(text: str, values: Mapping[str, int | str]) -> str:
    return _(text).format(**values)


def _entries(entries: Sequence[int]) -> str:
    shown = ", ".join(map(str, entries[-5:]))
    return f"… {shown}" if len(entries) > 5 else shown


def _scores(scores: Mapping[str, int]) -> str:
    return ", ".join(f"{code} {score}" for code, score in scores.items())


def _more(count: int) -> str:
    return _("… and {count} more, counted above").format(count=count) if count else ""


def _years(count: str) -> str:
    return _("1 year") if count == "1" else _("{years} years").format(years=count)
