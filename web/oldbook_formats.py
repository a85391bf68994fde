"""How other time banks' programs write their books: CSV files of movements, and what stands in them.

    with open_book(path, FORMATS["komunitin"]) as table:
        for record in table.records():
            movement = parse_movement(table, record, FORMATS["komunitin"])      # or BadRowError

``timeoverflow``
    source_id,source_type,destination_id,destination_type,amount,created_at,reason,post_id; no line names them.
    ``amount`` is in seconds. A member goes by the number alone, any other holder as ``organization:5``.
``komunitin``
    id,created,updated,state,amount,description,hash,authorization,payer.id,payer.code,payee.id,payee.code,user.id
    ``amount`` is in the currency's whole unit with decimals, though the program counts in smaller ones. An account
    goes by its code, or by its id where it has none.
``drupal``
    payer,payee,quantity,created,state,type,description; of Community Accounting, the module ``mutual_credit``.
    ``quantity`` is in the currency's unit with decimals; ``created`` is a date, POSIX seconds or empty.

What is free text in them, and who typed it, is never read. A date without an offset is taken as UTC.
"""

import datetime
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from gettext import gettext as _
from pathlib import Path
from typing import BinaryIO, NamedTuple

from chain.fields import UTC, Time
from web.problems import DeskError
from web.table import BOM, DELIMITERS, BadRowError, Record, Table, open_table, shown, trimmed

DECIMALS = 9
PARTS = 1_000_000_000
"""Parts of the old program's unit in which amounts are counted, so that no decimal is lost."""

NAME_MAX_CHARACTERS = 254
"""Of an old account; some programs take an e-mail address for it."""

AMOUNT = re.compile(rf"(-?)(\d{{1,12}})(?:\.(\d{{1,{DECIMALS}}}))?", re.ASCII)
MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?) ?(Z|UTC|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII
)
POSIX_SECONDS = re.compile(r"\d{9,10}", re.ASCII)
MINUTES_PER_UNIT = re.compile(r"(\d{1,6})(?:/(\d{1,6}))?", re.ASCII)
FIRST_YEAR, LAST_YEAR = 1970, 2998
MEMBER = "member"
HOLDERS = (MEMBER, "organization", "user", "account")
HOUR, SECOND = Fraction(60), Fraction(1, 60)


class Movement(NamedTuple):
    """One row: ``payer`` gave ``parts`` of a unit to ``payee``. What a format does not have is empty or None."""

    payer: str
    payee: str
    parts: int
    created: Time | None
    state: str = ""
    id: str = ""
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Format:
    """How one program writes. Rows of a ``counted`` state moved hours, those of a ``waiting`` one did not."""

    name: str
    columns: tuple[str, ...]
    """Those that are read."""
    header: tuple[str, ...]
    """All of them, where the file has no line that names them; or else none."""
    minutes_per_unit: Fraction
    """What is assumed where nobody says otherwise."""
    counted: frozenset[str]
    waiting: frozenset[str]
    parse: Callable[[Sequence[str]], Movement]


class HeaderlessTable(Table):
    """A table whose columns are known and whose first line is a row already, unless it names them after all."""

    def __init__(self, path: Path, file: BinaryIO, form: Format) -> None:
        self._all = form.header
        super().__init__(path, file, form.columns)

    def _read_head(self) -> bytes | None:
        first = super()._read_head()
        text = (first or b"").decode(self.encoding, errors="replace").removeprefix(BOM)
        delimiter = max(DELIMITERS, key=text.count)
        names = [name.strip().lower() for name in text.split(delimiter)]
        if first is not None and names == list(self._all):
            return first
        self._at = self._file.seek(len(BOM_UTF8) if (first or b"").startswith(BOM_UTF8) else 0)
        return delimiter.join(self._all).encode()


@contextmanager
def open_book(path: Path, form: Format) -> Iterator[Table]:
    """The old book's table; raises DeskError where it is not one of that format, OSError where it cannot be read."""
    if not form.header:
        with open_table(path, form.columns) as table:
            yield table
        return
    with path.open("rb") as file:
        try:
            made = HeaderlessTable(path, file, form)
        except BadRowError as error:
            raise DeskError(_("the first line of {path} cannot be read: {why}").format(path=path, why=error)) from error
        yield made


def parse_movement(table: Table, record: Record, form: Format) -> Movement:
    """The movement in a row; raises BadRowError, also for a state that the program is not known to have."""
    movement = form.parse(table.cells(record))
    if movement.state not in form.counted and movement.state not in form.waiting:
        raise BadRowError(_("{cell} is no state that this program is known to have").format(cell=shown(movement.state)))
    return movement


def parse_name(cell: str) -> str:
    """What an old account is called. No message repeats it: it may be a person's address."""
    name = cell.strip()
    if not name:
        raise BadRowError(_("it does not name both accounts"))
    if len(name) > NAME_MAX_CHARACTERS:
        raise BadRowError(_("an account's name is longer than {count} characters").format(count=NAME_MAX_CHARACTERS))
    return name


def parse_parts(cell: str) -> int:
    """An amount in parts of the old unit; decimals after a point."""
    match = AMOUNT.fullmatch(trimmed(cell))
    if match is None:
        text = _("{cell} is no amount: digits, and at most {count} decimals after a point")
        raise BadRowError(text.format(cell=shown(cell), count=DECIMALS))
    parts = int(match[2]) * PARTS + int((match[3] or "").ljust(DECIMALS, "0"))
    return -parts if match[1] else parts


def parse_moment(cell: str) -> Time:
    """A date, with or without time of day and offset, in UTC."""
    match = MOMENT.fullmatch(trimmed(cell))
    moment = None
    if match is not None and FIRST_YEAR <= int(match[1][:4]) <= LAST_YEAR:
        offset = (match[3] or "").replace("UTC", "Z")
        try:
            moment = datetime.datetime.fromisoformat(f"{match[1]}T{match[2] or '00:00'}{offset}")
        except ValueError:
            moment = None
    if moment is None:
        raise BadRowError(_("{cell} is no date: write 2025-11-21 09:30:00").format(cell=shown(cell)))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_moment_or_seconds(cell: str) -> Time | None:
    """The same, or POSIX seconds; None for an empty cell."""
    text = trimmed(cell)
    if POSIX_SECONDS.fullmatch(text):
        return datetime.datetime.fromtimestamp(int(text), UTC)
    return parse_moment(cell) if text else None


def parse_minutes_per_unit(cell: str) -> Fraction:
    """A whole number or a fraction of two: 60, 1/60."""
    match = MINUTES_PER_UNIT.fullmatch(cell.strip())
    if match is None or not int(match[1]) or not int(match[2] or 1):
        raise BadRowError(_("{cell} is no number of minutes: write 60 or 1/60").format(cell=shown(cell)))
    return Fraction(int(match[1]), int(match[2] or 1))


def _holder(number: str, kind: str) -> str:
    """A TimeOverflow account by its holder's number and type."""
    holder = trimmed(kind).lower() or MEMBER
    if holder not in HOLDERS:
        text = _("{cell} holds no account: one of {all} does")
        raise BadRowError(text.format(cell=shown(kind), all=", ".join(HOLDERS)))
    if holder == MEMBER:
        return parse_name(number)
    return f"{holder}:{number.strip()}" if number.strip() else holder


def _timeoverflow(cells: Sequence[str]) -> Movement:
    source, source_kind, destination, destination_kind, amount, created = cells
    return Movement(
        payer=parse_name(_holder(source, source_kind)),
        payee=parse_name(_holder(destination, destination_kind)),
        parts=parse_parts(amount),
        created=parse_moment(created),
    )


def _komunitin(cells: Sequence[str]) -> Movement:
    number, created, state, amount, hashed, payer_id, payer_code, payee_id, payee_code = cells
    return Movement(
        payer=parse_name(payer_code.strip() or payer_id),
        payee=parse_name(payee_code.strip() or payee_id),
        parts=parse_parts(amount),
        created=parse_moment(created),
        state=trimmed(state).lower(),
        id=trimmed(number),
        hash=hashed.strip(),
    )


def _drupal(cells: Sequence[str]) -> Movement:
    payer, payee, quantity, created, state = cells
    return Movement(
        payer=parse_name(payer),
        payee=parse_name(payee),
        parts=parse_parts(quantity),
        created=parse_moment_or_seconds(created),
        state=trimmed(state).lower(),
    )


MOVED = ("source_id", "source_type", "destination_id", "destination_type", "amount", "created_at")
TIMEOVERFLOW = Format(
    name="timeoverflow",
    columns=MOVED,
    header=(*MOVED, "reason", "post_id"),
    minutes_per_unit=SECOND,
    counted=frozenset({""}),
    waiting=frozenset(),
    parse=_timeoverflow,
)
KOMUNITIN = Format(
    name="komunitin",
    columns=("id", "created", "state", "amount", "hash", "payer.id", "payer.code", "payee.id", "payee.code"),
    header=(),
    minutes_per_unit=HOUR,
    counted=frozenset({"committed"}),
    waiting=frozenset({"new", "pending", "accepted", "rejected", "submitted", "failed", "deleted"}),
    parse=_komunitin,
)
DRUPAL = Format(
    name="drupal",
    columns=("payer", "payee", "quantity", "created", "state"),
    header=(),
    minutes_per_unit=HOUR,
    counted=frozenset({"", "1", "done", "finished"}),
    waiting=frozenset({"0", "-1", "pending", "erased", "undone", "deleted"}),
    parse=_drupal,
)
FORMATS = {form.name: form for form in (TIMEOVERFLOW, KOMUNITIN, DRUPAL)}
