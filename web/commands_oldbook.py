"""Commands that carry another program's book over: its audit, then its balances as openings."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from gettext import gettext as _
from pathlib import Path
from typing import Any

import click

from chain.encoding import format_base64
from ledger.numbers import MINUTE
from web.command import (
    DONE,
    READS,
    WRITES,
    WRONG,
    Cell,
    Decorator,
    F,
    Group,
    file_argument,
    file_option,
    option,
    pass_session,
)
from web.i18n import marked
from web.oldbook import FINDINGS, Finding, OldBook, audit_book, plain_number
from web.oldbook_balances import check_balances
from web.oldbook_formats import FORMATS, parse_minutes_per_unit
from web.oldbook_openings import (
    OpeningOrder,
    OpeningPlan,
    OpeningSummary,
    carry_over,
    explain,
    plan_openings,
    read_map,
)
from web.session import Session, now, say
from web.text import whole_amount

LINES_MAX = 100
"""Of a list on the terminal; JSON has it whole."""

Amounts = Sequence[tuple[str, Fraction]]


def book_options(function: F) -> F:
    """What both commands ask about the old book."""
    decorators: list[Decorator] = [
        file_argument("file"),
        option(
            "--format",
            "form",
            type=click.Choice(list(FORMATS)),
            required=True,
            help=marked("Which program wrote the file."),
        ),
        file_option("--balances", help=marked("CSV file account,balance as the old program printed them.")),
        option(
            "--minutes-per-unit",
            type=Cell("MINUTES", parse_minutes_per_unit),
            help=marked("How many minutes one unit of the amounts is, such as 60 or 1/60 (default: by the program)."),
        ),
        option(
            "--round",
            "rounding",
            type=click.Choice(["down"]),
            help=marked("Carry whole minutes over and leave the seconds behind; each is reported."),
        ),
    ]
    for decorate in reversed(decorators):
        function = decorate(function)
    return function


@click.group(cls=Group)
def oldbook() -> None:
    """Carry the book of another program over."""


@oldbook.command(example="huzhu oldbook check transfers.csv --format komunitin --balances accounts.csv", takes=READS)
@book_options
@pass_session
def check(session: Session, /, **told: Any) -> int:
    """Check an old book.

    Adds the movements of FILE up and names what is wrong with it. Nothing is written, and no ledger is needed.
    """
    book = _audit(**told)
    lost = book.lost_seconds() if told["rounding"] else []
    _print_book(session, book, lost, assumed=told["minutes_per_unit"] is None)
    return WRONG if book.findings.kept else DONE


@oldbook.command(
    "import",
    example="huzhu oldbook import transfers.csv --format komunitin --accounts map.csv --leave-debts",
    takes=WRITES,
)
@book_options
@file_option(
    "--accounts", "map_file", required=True, help=marked("CSV file old,account: which account carries an old one on.")
)
@option("--accept-differences", is_flag=True, help=marked("Go on in spite of what the check names."))
@option("--leave-debts", is_flag=True, help=marked("Leave accounts below zero behind; the sum is printed."))
@option("--second-book", is_flag=True, help=marked("Accounts may have an opening from another file already."))
@pass_session
def import_(
    session: Session,
    /,
    map_file: Path,
    *,
    accept_differences: bool,
    leave_debts: bool,
    second_book: bool,
    **told: Any,
) -> int:
    """Carry the balances of an old book over.

    Each account with hours in FILE gets an opening of as many minutes, with the file's hash; all of them or none. Only
    before the first service. An account that has its opening from this file already is left out.
    """
    mapping = read_map(map_file)
    book = _audit(**told)
    if book.findings.kept and not accept_differences:
        _print_book(session, book, [], assumed=told["minutes_per_unit"] is None)
        say(_("nothing is written: look at what was found; --accept-differences goes on in spite of it"))
        return WRONG
    _say_findings(book)
    order = OpeningOrder(leave_debts, told["rounding"] is not None, second_book, session.at)
    plan = plan_openings(book, mapping, order)
    with session.writing() as (node, keyring):
        summary = carry_over(node, keyring, plan, book.source, order)
        if summary.written:
            session.say_result_time(node, summary.written[-1])
    _print_summary(session, book, summary)
    return _report_obstacles(plan)


def _audit(
    file: Path, form: str, balances: Path | None, minutes_per_unit: Fraction | None, rounding: str | None
) -> OldBook:
    """The old book, with everything that is wrong with it."""
    chosen = FORMATS[form]
    per_unit = chosen.minutes_per_unit if minutes_per_unit is None else minutes_per_unit
    book = audit_book(file, chosen, per_unit, now(), rounds=rounding is not None)
    if balances is not None:
        check_balances(book, balances)
    return book


def _print_book(session: Session, book: OldBook, lost: Amounts, *, assumed: bool) -> None:
    """What an audit says; ``lost`` is what rounding would take."""
    balances = [book.minutes(name) for name in book.accounts]
    above, below = [each for each in balances if each > 0], [each for each in balances if each < 0]
    findings = sorted(book.findings.kept, key=lambda each: (list(FINDINGS).index(each.code), each.line))
    plain = {
        "format": book.form.name,
        "source": format_base64(book.source),
        "minutes_per_unit": str(book.minutes_per_unit),
        "assumed": assumed,
        "rows": book.rows,
        "counted": book.counted,
        "waiting": dict(sorted(book.waiting.items())),
        "undated": book.undated,
        "accounts": len(book.accounts),
        "above_zero": {"accounts": len(above), "minutes": plain_minutes(sum(above, Fraction(0)))},
        "below_zero": {"accounts": len(below), "minutes": plain_minutes(sum(below, Fraction(0)))},
        "lost_seconds": plain_amounts(lost),
        "counts": {code: count for code, count in sorted(book.findings.counts.items()) if count},
        "findings": [each._asdict() for each in findings],
    }
    session.print(
        plain,
        [*_book_lines(book, above, below, assumed=assumed), *_lost_lines(lost), *_finding_lines(book, findings)],
    )
    session.say_ignored(book.ignored)


def _book_lines(book: OldBook, above: list[Fraction], below: list[Fraction], *, assumed: bool) -> Iterator[str]:
    text = _("rows: {rows}; counted: {counted}; accounts: {accounts}")
    yield text.format(rows=book.rows, counted=book.counted, accounts=len(book.accounts))
    unit = _("a unit of the amounts is {minutes} min")
    if assumed:
        unit = _("a unit of the amounts is taken for {minutes} min; --minutes-per-unit says otherwise")
    yield unit.format(minutes=book.minutes_per_unit)
    for state, count in sorted(book.waiting.items()):
        yield _("not counted, as they are {state}: {count}").format(state=state, count=count)
    if book.undated:
        yield _("rows without a date: {count}").format(count=book.undated)
    text = _("above zero: {count} accounts, {amount}")
    yield text.format(count=len(above), amount=_shown_minutes(sum(above, Fraction(0))))
    text = _("below zero: {count} accounts, {amount}")
    yield text.format(count=len(below), amount=_shown_minutes(sum(below, Fraction(0))))


def _finding_lines(book: OldBook, findings: Sequence[Finding]) -> Iterator[str]:
    """What was found, each kind under its heading."""
    counts = book.findings.counts
    if not findings:
        yield _("everything adds up")
    for code, meaning in FINDINGS.items():
        if counts[code]:
            yield f"{counts[code]:7}  {code}: {_(meaning)}"
        for each in findings:
            if each.code == code:
                yield "         " + (
                    _("line {line}: {text}").format(line=each.line, text=each.text) if each.line else each.text
                )


def _say_findings(book: OldBook) -> None:
    """What was accepted."""
    for code, count in sorted(book.findings.counts.items()):
        if count:
            say(_("accepted: {count}  {code}: {text}").format(count=count, code=code, text=_(FINDINGS[code])))


def _print_summary(session: Session, book: OldBook, summary: OpeningSummary) -> None:
    """What an import wrote, and what it left behind."""
    plan = summary.plan
    plain = {
        "source": format_base64(book.source),
        "accepted": len(summary.written),
        "minutes": summary.minutes,
        "skipped": summary.skipped,
        "pool_minutes": summary.pool_minutes,
        "debts": plain_amounts(plan.debts),
        "left": plain_amounts(plan.left),
        "lost_seconds": plain_amounts(plan.lost),
        "obstacles": [each._asdict() for each in plan.obstacles],
    }
    text = _("carried over: {count} accounts, {amount}; there already: {skipped}")
    amount = whole_amount(summary.minutes, MINUTE)
    lines = [text.format(count=len(summary.written), amount=amount, skipped=summary.skipped)]
    session.print(plain, [*lines, *_left_lines(plan, summary)])


def _left_lines(plan: OpeningPlan, summary: OpeningSummary) -> Iterator[str]:
    if summary.pool_minutes:
        yield _("above the ceiling on balances, so in the pool: {minutes} min").format(minutes=summary.pool_minutes)
    if plan.debts:
        text = _("below zero, and not carried over: {count} accounts, {amount}")
        yield text.format(count=len(plan.debts), amount=_shown_minutes(_total(plan.debts)))
    if plan.left:
        text = _("left behind, as the file of accounts says: {count} accounts, {amount}")
        yield text.format(count=len(plan.left), amount=_shown_minutes(_total(plan.left)))
    yield from _lost_lines(plan.lost)


def _lost_lines(lost: Amounts) -> Iterator[str]:
    """What rounding takes, in all and from whom."""
    if lost:
        text = _("lost by rounding down: {count} accounts, {seconds} s")
        yield text.format(count=len(lost), seconds=plain_number(_total(lost)))
    for shown, seconds in lost[:LINES_MAX]:
        yield "         " + _("{account}: {seconds} s").format(account=shown, seconds=plain_number(seconds))


def _report_obstacles(plan: OpeningPlan) -> int:
    """Say what was in the way, on stderr; answers the exit status."""
    if not plan.obstacles:
        return DONE
    outcomes = sorted({each.outcome for each in plan.obstacles})
    for outcome in outcomes:
        told = [each for each in plan.obstacles if each.outcome == outcome]
        say(f"{len(told):7}  {outcome}: {explain(outcome)}")
        for each in told[:LINES_MAX]:
            say(f"         {each.shown}: {each.text}")
    say(_("nothing is written"))
    return WRONG


def plain_amounts(amounts: Amounts) -> dict[str, Any]:
    """Amounts by old account as JSON has them, with their sum."""
    return {
        "total": plain_minutes(_total(amounts)),
        "accounts": [{"old": shown, "amount": plain_minutes(each)} for shown, each in amounts],
    }


def plain_minutes(amount: Fraction) -> int | float:
    """A number as JSON has it; whole ones are integers."""
    return amount.numerator if amount.denominator == 1 else float(amount)


def _total(amounts: Amounts) -> Fraction:
    return sum((each for _shown, each in amounts), Fraction(0))


def _shown_minutes(minutes: Fraction) -> str:
    """Hours where they are whole minutes."""
    if minutes.denominator == 1:
        return whole_amount(minutes.numerator, MINUTE)
    return _("{minutes} min").format(minutes=plain_number(minutes))
