"""The balances that an old program printed, against those that follow from its movements.

    account,balance
    NET0003,2.75

Each must follow, and together they must be nothing. The first column may be called as the programs call it; a balance
is in the unit of the book's amounts, or hours and minutes with a colon.
"""

import re
from contextlib import suppress
from fractions import Fraction
from gettext import gettext as _
from pathlib import Path

from web.daysheet import filled
from web.oldbook import ACCOUNTS_MAX, BAD_BALANCE, BALANCE_DIFFERS, SUM_NOT_ZERO, OldBook, plain_number
from web.oldbook_formats import parse_name, parse_parts
from web.problems import DeskError
from web.table import BadRowError, Record, Table, open_table, trimmed

HOUR_MINUTES = 60
CLOCK_AMOUNT = re.compile(r"(-?)(\d{1,9}):([0-5]\d)", re.ASCII)
BALANCE, ACCOUNT_NAMES = "balance", ("account", "code", "user")
"""How the programs call the columns of their list of balances."""


def check_balances(book: OldBook, path: Path) -> None:
    """Compare the balances that the old program printed with those that follow; adds to the book's findings.

    Its columns are ``account`` (or ``code`` or ``user``) and ``balance``, in the book's unit or in hours as ``1:30``.
    Raises DeskError where the file has no such columns.
    """
    printed: dict[str, Fraction] = {}
    with open_table(filled(path), (_account_column(path), BALANCE)) as table:
        for record in table.records():
            try:
                name, minutes = _printed(book, table, record)
                if name in printed:
                    raise BadRowError(_("it names an account for the second time"))
            except BadRowError as error:
                book.findings.add(BAD_BALANCE, record.line, f"{path.name}: {error}")
                continue
            if len(printed) == ACCOUNTS_MAX:
                text = _("{path} names more than {count} accounts: this program does not read so many")
                raise DeskError(text.format(path=path, count=ACCOUNTS_MAX))
            printed[name] = minutes
            _compare(book, path, record.line, name, minutes)
    _report_rest(book, printed)


def _account_column(path: Path) -> str:
    """How a list of balances calls its accounts."""
    for name in ACCOUNT_NAMES:
        with suppress(DeskError), open_table(path, (name, BALANCE)):
            return name
    return ACCOUNT_NAMES[0]


def _printed(book: OldBook, table: Table, record: Record) -> tuple[str, Fraction]:
    """Account and minutes in a row of printed balances; raises BadRowError."""
    name, cell = table.cells(record)
    clock = CLOCK_AMOUNT.fullmatch(trimmed(cell))
    if clock is None:
        return parse_name(name), book.in_minutes(parse_parts(cell))
    minutes = int(clock[2]) * HOUR_MINUTES + int(clock[3])
    return parse_name(name), Fraction(-minutes if clock[1] else minutes)


def _compare(book: OldBook, path: Path, line: int, name: str, found: Fraction) -> None:
    expected = book.minutes(name)
    if found != expected:
        shown = book.shown(name)
        text = _("{file}: account ({shown}): {found} min are printed, {expected} min follow from the movements")
        told = text.format(file=path.name, shown=shown, found=plain_number(found), expected=plain_number(expected))
        book.findings.add(BALANCE_DIFFERS, line, told)


def _report_rest(book: OldBook, printed: dict[str, Fraction]) -> None:
    """Accounts of which no balance is printed, and the sum of those that are."""
    for name in book.accounts:
        minutes = book.minutes(name)
        if minutes and name not in printed:
            text = _("account ({shown}): no balance is printed, {expected} min follow from the movements")
            told = text.format(shown=book.shown(name), expected=plain_number(minutes))
            book.findings.add(BALANCE_DIFFERS, 0, told)
    total = sum(printed.values(), Fraction(0))
    if total:
        book.findings.add(SUM_NOT_ZERO, 0, _("they are {minutes} min together").format(minutes=plain_number(total)))
