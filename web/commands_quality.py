"""Commands about quality and risk: assessments, inspections with due dates, risk figures, certificates."""

import datetime
import re
from gettext import gettext as _
from pathlib import Path

import click

from ledger.bodies import Assessment, Finding, Inspection, InspectionDone, Institution, Risk
from ledger.numbers import MINUTE
from ledger.risk import figures, forecast, format_period, parse_period
from ledger.roster import ASSESSOR, AUTHORITY
from ledger.state import month_of
from web.command import (
    READS,
    WRITES,
    WRITES_ALONE,
    WRITES_OF_TWO,
    Cell,
    Group,
    Number,
    argument,
    file_option,
    option,
    pass_session,
)
from web.daysheet import filled, parse_account, parse_code, parse_date, parse_words
from web.desk import DeskNode
from web.history import open_findings, past_of
from web.i18n import marked
from web.keyring import Keyring, Pair, Plan
from web.problems import DeskError
from web.session import Session, known_index, now
from web.table import BadRowError, hash_file, shown, trimmed
from web.telling import figure_rows
from web.text import columns, printable, whole_amount

SCORE_MAX = 100
SCORE_DIGITS = re.compile(r"\d{1,3}", re.ASCII)


def parse_score(cell: str) -> tuple[str, int]:
    """A code and its score of 0 to 100, from ``code=90``."""
    code, _equals, score = trimmed(cell).partition("=")
    if not SCORE_DIGITS.fullmatch(score) or int(score) > SCORE_MAX:
        text = _("{cell} is no score: write a code and 0 to 100, like {example}")
        raise BadRowError(text.format(cell=shown(cell), example="meals=90"))
    return parse_code(code), int(score)


def parse_finding(cell: str) -> Finding:
    """What was found, with the day by which it is to be mended, from ``code:2026-12-01:text``."""
    code, _colon, rest = cell.partition(":")
    due, _colon, text = rest.partition(":")
    if not text.strip():
        sentence = _("{cell} is no finding: write a code, the date due and what it is, like {example}")
        raise BadRowError(sentence.format(cell=shown(cell), example="fire:2026-12-01:灭火器过期"))
    return Finding(code=parse_code(code), due=parse_date(due), text=text.strip())


def parse_month(cell: str) -> int:
    """The number of a month, from ``YYYY-MM``."""
    month = parse_period(trimmed(cell))
    if month is None:
        raise BadRowError(_("{cell} is no month: write YYYY-MM").format(cell=shown(cell)))
    return month


ACCOUNT = Cell("ACCOUNT", parse_account)
SCORE = Cell("CODE=SCORE", parse_score)
FINDING = Cell("CODE:DATE:TEXT", parse_finding)
MONTH = Cell("YYYY-MM", parse_month)
INDEX = Number(min=0)
WORDS = Cell("TEXT", parse_words)


@click.group(cls=Group)
def assessment() -> None:
    """Enter what a third party thinks of a service point."""


@assessment.command(
    "add",
    example="huzhu assessment add 六渡河驿站 --period 2026-Q1 --score meals=90 --report report.pdf",
    takes=WRITES_ALONE,
)
@argument("subject", type=WORDS)
@option("--period", type=WORDS, required=True, help=marked("What time it is about."))
@option("--score", "scores", type=SCORE, multiple=True, required=True, help=marked("A code and 0 to 100; repeatable."))
@file_option("--report", required=True, help=marked("The report; its hash is written."))
@option("--by", metavar="KEY", help=marked("The assessor's key, by file or id (default: the first kept)."))
@pass_session
def assessment_add(
    session: Session, subject: str, period: str, scores: tuple[tuple[str, int], ...], report: Path, by: str | None
) -> int:
    """Enter an assessment.

    SUBJECT is who was assessed. The assessor signs alone. Everybody can read it.
    """
    given = dict(sorted(scores))
    if len(given) < len(scores):
        raise click.UsageError(_("each code has one score"))
    body = Assessment(period=period, report=hash_file(filled(report)), scores=given, subject=subject)
    return session.write(_signed_by(session, by, ASSESSOR), body)


@assessment.command("list", example="huzhu assessment list", takes=READS)
@pass_session
def assessment_list(session: Session) -> None:
    """List the assessments."""
    with session.reading() as node:
        found = list(past_of(node, "assessment"))
    plain = [each.plain() | {"report": each.body.report.hex()} for each in found]
    rows = [[_("entry"), _("date"), _("subject"), _("period"), _("scores")]]
    for each in found:
        scores = _(", ").join(f"{code} {score}" for code, score in each.body.scores.items())
        rows.append([str(each.index), each.date, printable(each.body.subject), printable(each.body.period), scores])
    session.print(plain, columns(rows))


@click.group(cls=Group)
def inspection() -> None:
    """Enter what an inspection found, and what was mended."""


@inspection.command(
    "add",
    example="huzhu inspection add 六渡河驿站 --finding fire:2026-12-01:灭火器过期",
    takes=WRITES_ALONE,
)
@argument("subject", type=WORDS)
@option(
    "--finding",
    "findings",
    type=FINDING,
    multiple=True,
    help=marked("A code, the date by which it is to be mended, and what it is; repeatable."),
)
@option("--by", metavar="KEY", help=marked("Whose key signs: an assessor's or the tier above's, by file or id."))
@pass_session
def inspection_add(session: Session, subject: str, findings: tuple[Finding, ...], by: str | None) -> int:
    """Enter an inspection, with its findings or without.

    SUBJECT is what was inspected. Everybody can read it: it names nobody.
    """
    plan = _signed_by(session, by, ASSESSOR, AUTHORITY)
    return session.write(plan, Inspection(findings=findings, subject=subject))


@inspection.command("done", example="huzhu inspection done 19 0 --note 已更换", takes=WRITES_ALONE)
@argument("index", metavar="INSPECTION", type=INDEX)
@argument("finding", type=INDEX)
@option(
    "--note", type=WORDS, required=True, help=marked("What there is to say; everybody can read it, so it names nobody.")
)
@option("--by", metavar="KEY", help=marked("Whose key signs: an assessor's or the tier above's, by file or id."))
@pass_session
def inspection_done(session: Session, index: int, finding: int, note: str, by: str | None) -> int:
    """Note that a finding is mended.

    INSPECTION is the number of its entry; FINDING counts from 0, as `huzhu inspection list` shows them.
    """

    def body(node: DeskNode) -> InspectionDone:
        return InspectionDone(finding=finding, inspection=known_index(node, index), note=note)

    return session.write(_signed_by(session, by, ASSESSOR, AUTHORITY), body)


@inspection.command("list", example="huzhu inspection list --overdue", takes=READS)
@option("--overdue", "only_overdue", is_flag=True, help=marked("Only what should have been mended by now."))
@pass_session
def inspection_list(session: Session, only_overdue: bool) -> None:
    """List what inspections found that is still to be mended."""
    with session.reading() as node:
        today = (now() + node.state.utc_offset).date()
        found = [each for each in open_findings(node) if each.is_overdue(today) or not only_overdue]
    plain = [
        {
            "inspection": each.inspection,
            "finding": each.finding,
            "subject": each.subject,
            "code": each.code,
            "text": each.text,
            "due": each.due.isoformat(),
            "overdue": each.is_overdue(today),
        }
        for each in found
    ]
    rows = [[_("inspection"), _("finding"), _("due"), "", _("subject"), _("what")]]
    rows += [
        [
            str(each.inspection),
            str(each.finding),
            each.due.isoformat(),
            _("overdue") if each.is_overdue(today) else "",
            printable(each.subject),
            _("{head}: {text}").format(head=each.code, text=printable(each.text)),
        ]
        for each in found
    ]
    session.print(plain, columns(rows))


@click.group(cls=Group)
def risk() -> None:
    """Figures that show how the ledger fares, and that everybody can compute anew."""


@risk.command("show", example="huzhu risk show", takes=READS)
@option("--period", "month", type=MONTH, help=marked("The month (default: this one)."))
@pass_session
def risk_show(session: Session, month: int | None) -> None:
    """Show the risk figures, and how many hours people become old enough to spend."""
    with session.reading() as node:
        today = (now() + node.state.utc_offset).date()
        period = _period(node, month, today)
        found, ahead = figures(node.state, period), forecast(node.state, today)
    rows = figure_rows(found)
    text = _("of those, to be spent by the end of {year} by people who turn 60")
    rows += [[text.format(year=today.year + years), _hours(count)] for years, count in ahead.items()]
    session.print(
        {
            "period": format_period(period),
            "figures": found,
            "forecast_minutes": {str(years): count for years, count in ahead.items()},
        },
        [_("month {period}").format(period=format_period(period)), *columns(rows)],
    )


@risk.command("record", example="huzhu risk record", takes=WRITES)
@option("--period", "month", type=MONTH, help=marked("The month (default: this one)."))
@pass_session
def risk_record(session: Session, month: int | None) -> int:
    """Write the risk figures onto the ledger.

    They are computed here, and anew by whoever audits the ledger. Clerk and member sign.
    """

    def body(node: DeskNode) -> Risk:
        state = node.state
        today = (state.log_time(session.at or now()) + state.utc_offset).date()
        period = _period(node, month, today)
        return Risk(figures=figures(state, period), period=format_period(period))

    return session.write(Keyring.clerk_and_members, body)


@click.group(cls=Group)
def institution() -> None:
    """Certify what an account has given."""


@institution.command("certify", example="huzhu institution certify 12345676", takes=WRITES_OF_TWO)
@argument("account", type=ACCOUNT)
@pass_session
def institution_certify(session: Session, account: str) -> int:
    """Certify that an account has given as many hours as the parameters ask.

    Two members sign. What was reversed does not count.
    """
    return session.write(lambda keyring: keyring.apart_from(account).together(), Institution(account=account))


@institution.command("list", example="huzhu institution list", takes=READS)
@pass_session
def institution_list(session: Session) -> None:
    """List the certificates."""
    with session.reading() as node:
        found = list(past_of(node, "institution"))
        earned = [node.state.accounts[each.body.account].earned for each in found]
    plain = [each.plain() | {"earned_minutes": minutes} for each, minutes in zip(found, earned, strict=True)]
    rows = [[_("account"), _("date"), _("entry"), _("given by now")]]
    rows += [
        [each.body.account, each.date, str(each.index), _hours(minutes)]
        for each, minutes in zip(found, earned, strict=True)
    ]
    session.print(plain, columns(rows, right=(2, 3)))


def _signed_by(session: Session, by: str | None, *roles: str) -> Plan:
    """The key that is named, or the first one kept of these roles."""
    return (lambda keyring: keyring.one(*roles)) if by is None else lambda _keyring: Pair(session.person_key(by))


def _period(node: DeskNode, month: int | None, today: datetime.date) -> int:
    """The month that is asked for, or this one; raises DeskError for one to come or before the ledger began."""
    this = month_of(today)
    if month is None:
        return this
    if month > this:
        raise DeskError(_("the month {period} has not begun").format(period=format_period(month)))
    began = month_of((node.entry(0).at + node.state.utc_offset).date())
    if month < began:
        text = _("{period} is before this ledger began, in {began}")
        raise DeskError(text.format(period=format_period(month), began=format_period(began)))
    return month


def _hours(minutes: int) -> str:
    return whole_amount(minutes, MINUTE)
