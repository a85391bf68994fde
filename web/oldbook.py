"""The audit of another program's book: does what it says of its accounts follow from its movements?

Only movements of a counted state are added up, each once; what cannot be read, goes from an account to itself, is not
more than nothing or stands there a second time is named and left out. Dates are only looked at. What the old program
printed as balances is compared by ``web.oldbook_balances``.

A file is read row by row. Of a row its hashes are kept, to find it again; of an account its balance. Up to
``KEPT_FINDINGS`` findings of a kind are kept, and all are counted. Old accounts may go by an e-mail address:
``OldBook.shown`` says where such a one stands instead.
"""

import datetime
import re
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from gettext import gettext as _
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from chain.fields import Time
from web.daysheet import BAD_ROW, filled
from web.i18n import marked
from web.oldbook_formats import PARTS, Format, Movement, open_book, parse_movement
from web.problems import DeskError
from web.table import BadRowError, Record, Table, hash_file

ROWS_MAX = 500_000
ACCOUNTS_MAX = 100_000
KEPT_FINDINGS = 100
KEY_BYTES = 8
AHEAD_MAX = datetime.timedelta(minutes=5)
MINUTE_SECONDS = 60
SHOWN_PLACES = 3
CODE_NAME = re.compile(r"(?:[a-z]+:)?(?:[A-Za-z]{0,8}[-_]?\d{1,8}|organization)", re.ASCII)
"""A name that is a number or a code, and nobody's address or telephone."""

SELF, NOT_POSITIVE, DUPLICATE, NOT_WHOLE = "self", "not-positive", "duplicate", "not-whole-minutes"
OUT_OF_ORDER, IN_FUTURE = "out-of-order", "in-future"
BAD_BALANCE, BALANCE_DIFFERS, SUM_NOT_ZERO = "bad-balance", "balance-differs", "sum-not-zero"
FINDINGS: dict[str, str] = {
    BAD_ROW: marked("rows that cannot be read; they are not counted"),
    SELF: marked("movements from an account to itself; they are not counted"),
    NOT_POSITIVE: marked("amounts that are not more than nothing; they are not counted"),
    DUPLICATE: marked("movements that stand there a second time; they are counted once"),
    NOT_WHOLE: marked("amounts that are no whole minutes; they are counted as they are"),
    OUT_OF_ORDER: marked("dates that do not follow the order of the others"),
    IN_FUTURE: marked("dates that are still to come"),
    BAD_BALANCE: marked("printed balances that cannot be read"),
    BALANCE_DIFFERS: marked("printed balances that do not follow from the movements"),
    SUM_NOT_ZERO: marked("the sum of the printed balances is not zero"),
}
"""What an audit can find, in the order in which it is told."""


class Finding(NamedTuple):
    """One thing that does not add up; ``line`` is that of the file which the text speaks of, 0 for none."""

    code: str
    line: int
    text: str


@dataclass(slots=True)
class Findings:
    """All counted, some kept."""

    counts: Counter[str] = field(default_factory=Counter)
    kept: list[Finding] = field(default_factory=list)

    def add(self, code: str, line: int, text: str) -> None:
        """One more."""
        if self.counts[code] < KEPT_FINDINGS:
            self.kept.append(Finding(code, line, text))
        self.counts[code] += 1


@dataclass(slots=True)
class OldAccount:
    """What the movements left on an account, in parts of the old unit, and where it is named first."""

    line: int
    is_payer: bool
    parts: int = 0


@dataclass(slots=True)
class OldBook:
    """An old book and what was found in it. ``source`` is SHA-256 over the bytes of its file."""

    form: Format
    source: bytes
    minutes_per_unit: Fraction
    rows: int = 0
    counted: int = 0
    undated: int = 0
    waiting: Counter[str] = field(default_factory=Counter)
    """Rows by state that moved nothing."""
    accounts: dict[str, OldAccount] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)
    ignored: list[str] = field(default_factory=list)
    """Columns that are not read."""

    def minutes(self, name: str) -> Fraction:
        """The balance of an account, exactly; nothing for one that no movement names."""
        account = self.accounts.get(name)
        return Fraction(0) if account is None else self.in_minutes(account.parts)

    def in_minutes(self, parts: int) -> Fraction:
        """An amount of the old unit in minutes."""
        return self.minutes_per_unit * Fraction(parts, PARTS)

    def lost_seconds(self) -> list[tuple[str, Fraction]]:
        """What accounts above zero lose where only whole minutes are carried over."""
        balances = [(name, self.minutes(name)) for name in self.accounts]
        return [
            (self.shown(name), minutes % 1 * MINUTE_SECONDS)
            for name, minutes in balances
            if minutes > 0 and minutes % 1
        ]

    def shown(self, name: str) -> str:
        """An account for a message: its number or code; or else where it stands, as its name may be personal."""
        if CODE_NAME.fullmatch(name):
            return name
        account = self.accounts.get(name)
        if account is None:
            return _("in no movement")
        text = _("payer of line {line}") if account.is_payer else _("payee of line {line}")
        return text.format(line=account.line)


def audit_book(path: Path, form: Format, minutes_per_unit: Fraction, now: Time, *, rounds: bool = False) -> OldBook:
    """Read a book and add it up; raises DeskError where it is not one of that format, or larger than can be read.

    With ``rounds`` amounts that are no whole minutes are no finding: whoever asks knows of them.
    """
    book = OldBook(form, hash_file(filled(path)), minutes_per_unit)
    with open_book(path, form) as table:
        book.ignored = table.ignored
        _Audit(book, table, now, rounds=rounds).run()
    if book.rows == book.findings.counts[BAD_ROW]:
        raise DeskError(_no_movements(path, book))
    if hash_file(filled(path)) != book.source:
        raise DeskError(_("{path} was changed while it was read: try again").format(path=path))
    return book


def _no_movements(path: Path, book: OldBook) -> str:
    """Why a file is no book at all."""
    if not book.rows:
        return _("{path} holds no movements").format(path=path)
    first = book.findings.kept[0]
    text = _("no row of {path} can be read as {format}: is it of another program? line {line}: {why}")
    return text.format(path=path, format=book.form.name, line=first.line, why=first.text)


class _Audit:
    """One book on its way through."""

    def __init__(self, book: OldBook, table: Table, now: Time, *, rounds: bool) -> None:
        self._book = book
        self._table = table
        self._latest = now + AHEAD_MAX
        self._rounds = rounds
        self._seen: dict[bytes, int] = {}
        self._order = _Order()

    def run(self) -> None:
        """Take all rows."""
        book = self._book
        for record in self._table.records():
            if book.rows == ROWS_MAX:
                text = _("{path} has more than {count} rows: this program does not read so many")
                raise DeskError(text.format(path=self._table.path, count=ROWS_MAX))
            book.rows += 1
            self._take(record)
        self._order.report(book.findings)

    def _take(self, record: Record) -> None:
        """Count one row, or say why not."""
        book, line = self._book, record.line
        try:
            movement = parse_movement(self._table, record, book.form)
        except BadRowError as error:
            book.findings.add(BAD_ROW, line, str(error))
            return
        if movement.state in book.form.waiting:
            book.waiting[movement.state] += 1
            return
        flaw = self._flaw(movement, line)
        if flaw is not None:
            book.findings.add(flaw[0], line, flaw[1])
            return
        self._look_at(movement, line)
        book.counted += 1
        self._account(movement.payer, line, is_payer=True).parts -= movement.parts
        self._account(movement.payee, line, is_payer=False).parts += movement.parts

    def _flaw(self, movement: Movement, line: int) -> tuple[str, str] | None:
        """Why a movement is not counted: code and sentence."""
        if movement.payer == movement.payee:
            return SELF, _("payer and payee are one account")
        if movement.parts <= 0:
            return NOT_POSITIVE, _("the amount is not more than nothing")
        earlier = [self._seen[key] for key in _keys(movement) if key in self._seen]
        if earlier:
            return DUPLICATE, _("it stands in line {line} already").format(line=min(earlier))
        self._seen.update((key, line) for key in _keys(movement))
        return None

    def _look_at(self, movement: Movement, line: int) -> None:
        """Name what is odd about a movement that counts."""
        book = self._book
        minutes = book.in_minutes(movement.parts)
        if minutes.denominator != 1 and not self._rounds:
            text = _("{minutes} min are no whole minutes").format(minutes=plain_number(minutes))
            book.findings.add(NOT_WHOLE, line, text)
        if movement.created is None:
            book.undated += 1
            return
        if movement.created > self._latest:
            text = _("its date is {date}, which is still to come")
            book.findings.add(IN_FUTURE, line, text.format(date=movement.created.date()))
        self._order.add(movement.created, line)

    def _account(self, name: str, line: int, *, is_payer: bool) -> OldAccount:
        accounts = self._book.accounts
        account = accounts.get(name)
        if account is None:
            if len(accounts) == ACCOUNTS_MAX:
                text = _("{path} names more than {count} accounts: this program does not read so many")
                raise DeskError(text.format(path=self._table.path, count=ACCOUNTS_MAX))
            account = accounts[name] = OldAccount(line, is_payer)
        return account


class _Order:
    """Dates as they follow each other. A book runs forwards or backwards: the rarer steps are out of order."""

    def __init__(self) -> None:
        self._before: tuple[Time, int] | None = None
        self._steps: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
        self._counts: Counter[bool] = Counter()

    def add(self, created: Time, line: int) -> None:
        """The date of the next row."""
        before, self._before = self._before, (created, line)
        if before is None or created == before[0]:
            return
        rises = created > before[0]
        self._counts[rises] += 1
        if len(self._steps[rises]) < KEPT_FINDINGS:
            self._steps[rises].append((line, before[1]))

    def report(self, findings: Findings) -> None:
        """Name the steps against the order."""
        against = self._counts[True] < self._counts[False]
        text = _("its date stands out of order after that of line {line}")
        for line, before in self._steps[against]:
            findings.add(OUT_OF_ORDER, line, text.format(line=before))
        findings.counts[OUT_OF_ORDER] += self._counts[against] - len(self._steps[against])


def plain_number(amount: Fraction) -> str:
    """A number for people: whole, or to at most three decimals."""
    return str(amount.numerator) if amount.denominator == 1 else f"{float(amount):.{SHOWN_PLACES}f}".rstrip("0")


def _keys(movement: Movement) -> list[bytes]:
    """By what a movement is known again: its id, its hash; date, parties and amount together."""
    same = (movement.payer, movement.payee, str(movement.parts))
    known = [("id", movement.id)] if movement.id else []
    known += [("hash", movement.hash)] if movement.hash else []
    parts: list[tuple[str, ...]] = [*known]
    if movement.created is not None:
        parts.append(("same", movement.created.isoformat(), *same))
    return [blake2b("\0".join(part).encode(), digest_size=KEY_BYTES).digest() for part in parts]
