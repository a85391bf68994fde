"""CSV files as clerks keep them: read row by row in bounded memory, whatever is in them.

    with open_table(path, COLUMNS) as table:
        for record in table.records():                 # never fails
            cells = table.cells(record)                # or BadRowError, which says why this row cannot be read

UTF-8 (with or without BOM) or GB18030, one of them for the whole file (``choose_encoding``); comma, semicolon or tab,
by the header line; LF or CRLF; cells in quotes may hold line ends. A column may have other names beside its own
(``Columns``). A row is read up to ``ROW_MAX_BYTES`` and
``ROW_MAX_LINES``; one that is longer, or whose quotes do not close, is bad, and reading goes on at the next line.

A file with the columns ``REFUSED_COLUMNS`` is one that ``web.refused`` wrote, and somebody mended.
"""

import codecs
import csv
import hashlib
from collections.abc import Container, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, NamedTuple

from web.i18n import translate as _
from web.problems import DeskError

ROW_MAX_BYTES = 65_536
ROW_MAX_LINES = 16
COLUMNS_MAX = 256
CELL_MAX_CHARACTERS = 64
"""Of the cells that mean something to the ledger."""
SHOWN_CHARACTERS = 40
CHUNK_BYTES = 1 << 20
DELIMITERS = (",", ";", "\t")
BLANK = b' \t\r\n,;"'
BOM = "\ufeff"
ENCODINGS = ("UTF-8", "GB18030")
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
OUTCOME = "outcome"
REFUSED_COLUMNS = ("line", OUTCOME, "reason")


class BadRowError(ValueError):
    """A row or a cell of it cannot be read; the text says why."""


class Record(NamedTuple):
    """One row's bytes; ``line`` is the first of its lines, counted from 1. ``raw`` is None where it is too long."""

    line: int
    offset: int
    raw: bytes | None


class Columns(NamedTuple):
    """What a file's columns are: their names in order, other names for them, and those that may be left out."""

    names: Sequence[str]
    called: Mapping[str, str] = MappingProxyType({})
    optional: Container[str] = ()


class Table:
    """A file with a header line. Every record is read anew from the file; nothing but the header is kept."""

    def __init__(self, path: Path, file: BinaryIO, wanted: Columns | Sequence[str]) -> None:
        """Reads the header; raises DeskError where it is not one with all the columns."""
        known = wanted if isinstance(wanted, Columns) else Columns(wanted)
        columns = known.names
        self.path = path
        self.encoding = choose_encoding(file)
        self._file = file
        self._at = file.seek(0)
        self._delimiter = ""
        head = self._read_head()
        text = "" if head is None else self.decode(head).removeprefix(BOM)
        self._delimiter, self.header = _find_header(text, {*columns, *known.called})
        self.names = names = [known.called.get(name, name) for name in map(_plain, self.header)]
        self._check(names, known)
        self._lacks = not set(columns) <= set(names)
        places = {name: place for place, name in enumerate(names)}
        self._select = itemgetter(*(places.get(column, len(names)) for column in columns))
        self.was_refused = set(REFUSED_COLUMNS) <= set(names)
        read = (*columns, *REFUSED_COLUMNS) if self.was_refused else columns
        self.ignored = [name for name in names if name and name not in read]
        self._start, self._first_line = self._at, 1 + (head or b"").count(b"\n")

    def _read_head(self) -> bytes | None:
        head = self._read()
        if head in (b"", codecs.BOM_UTF8):
            raise DeskError(_("{path} is empty").format(path=self.path))
        if (head or b"").startswith(UTF16_BOMS):
            raise DeskError(_("{path} is UTF-16; save it as CSV UTF-8").format(path=self.path))
        return head

    def _check(self, names: list[str], known: Columns) -> None:
        columns = known.names
        if len(names) > COLUMNS_MAX:
            text = _("{path} has {count} columns; at most {most} are read")
            raise DeskError(text.format(path=self.path, count=len(names), most=COLUMNS_MAX))
        missing = [column for column in columns if column not in names and column not in known.optional]
        if missing:
            raise DeskError(
                _("{path} has no column {columns}; its first line must name them: {all}").format(
                    path=self.path, columns=", ".join(missing), all=",".join(columns)
                )
            )
        double = sorted({name for name in names if name in columns and names.count(name) > 1})
        if double:
            raise DeskError(
                _("{path} names the column {columns} twice").format(path=self.path, columns=", ".join(double))
            )

    def records(self) -> Iterator[Record]:
        """All rows after the header, without empty ones."""
        offset, line = self._start, self._first_line
        self._seek(offset)
        while True:
            raw = self._read()
            if raw == b"":
                return
            following = self._at
            if raw is None or raw.strip(BLANK):
                yield Record(line, offset, raw)
            self._seek(following)
            offset, line = following, line + (1 if raw is None else max(1, raw.count(b"\n")))

    def record(self, line: int, offset: int) -> Record:
        """The one row that ``records`` gave with that line and offset."""
        self._seek(offset)
        return Record(line, offset, self._read())

    def cells(self, record: Record) -> Sequence[str]:
        """The cells of the named columns, in their order; raises BadRowError."""
        row = self.row(record)
        cells: Sequence[str] = self._select([*row, ""] if self._lacks else row)
        return cells

    def row(self, record: Record) -> list[str]:
        """All cells of a row, as many as the header has; raises BadRowError."""
        raw = record.raw
        if raw is None:
            raise BadRowError(_("it is longer than {count} bytes, and not repeated here").format(count=ROW_MAX_BYTES))
        if b"\0" in raw:
            raise BadRowError(_("it holds a NUL byte"))
        return self._fit(split_cells(self.decode(raw), self._delimiter))

    def decode(self, raw: bytes) -> str:
        """The text of a row; raises BadRowError."""
        try:
            return raw.decode(self.encoding)
        except UnicodeDecodeError:
            text = _("it cannot be read as {encoding}, the encoding of this file")
            raise BadRowError(text.format(encoding=self.encoding)) from None

    def earlier_outcome(self, record: Record) -> str:
        """Why a row was refused before, in a file of refused rows; empty in any other. Raises BadRowError."""
        return self.row(record)[self.names.index(OUTCOME)].strip() if self.was_refused else ""

    def _fit(self, cells: list[str]) -> list[str]:
        """As many cells as the header has: spreadsheets drop empty ones at the end, or add some."""
        width = len(self.header)
        if len(cells) < width:
            return cells + [""] * (width - len(cells))
        if len(cells) > width and any(cells[width:]):
            raise BadRowError(_("it has {count} cells, the header {width}").format(count=len(cells), width=width))
        return cells[:width]

    def _seek(self, offset: int) -> None:
        if offset != self._at:
            self._file.seek(offset)
            self._at = offset

    def _read(self) -> bytes | None:
        """The next row: b"" at the end, None for one that is too long."""
        raw = self._file.readline(ROW_MAX_BYTES)
        self._at += len(raw)
        if len(raw) == ROW_MAX_BYTES and not raw.endswith(b"\n"):
            self._skip_line()
            return None
        return self._join(raw) if raw.count(b'"') % 2 else raw

    def _skip_line(self) -> None:
        while True:
            rest = self._file.readline(CHUNK_BYTES)
            self._at += len(rest)
            if len(rest) < CHUNK_BYTES or rest.endswith(b"\n"):
                return

    def _join(self, first: bytes) -> bytes:
        """A row with a line end inside quotes; the first line alone where that leads to no row."""
        back, raw = self._at, first
        for _line in range(ROW_MAX_LINES - 1):
            following = self._file.readline(ROW_MAX_BYTES)
            self._at += len(following)
            raw += following
            if not following or len(raw) > ROW_MAX_BYTES:
                break
            if raw.count(b'"') % 2 == 0:
                if self._is_row(raw):
                    return raw
                break
        self._seek(back)
        return first

    def _is_row(self, raw: bytes) -> bool:
        if not self._delimiter:
            return True
        try:
            return bool(self._fit(split_cells(self.decode(raw), self._delimiter)))
        except BadRowError:
            return False


@contextmanager
def open_table(path: Path, columns: Columns | Sequence[str]) -> Iterator[Table]:
    """The table in a file; raises DeskError where its first line is no header, OSError where it cannot be read."""
    with path.open("rb") as file:
        try:
            table = Table(path, file, columns)
        except BadRowError as error:
            raise DeskError(_("the first line of {path} cannot be read: {why}").format(path=path, why=error)) from error
        yield table


def _find_header(text: str, names: Set[str]) -> tuple[str, list[str]]:
    """The delimiter by which a line names most of the columns, and its cells; raises BadRowError."""
    found: list[tuple[str, list[str]]] = []
    for delimiter in DELIMITERS:
        with suppress(BadRowError):
            found.append((delimiter, split_cells(text, delimiter)))
    if not found:
        raise BadRowError(_("its quotes do not pair"))
    return max(found, key=lambda each: len(names & set(map(_plain, each[1]))))


def split_cells(text: str, delimiter: str) -> list[str]:
    """The cells of one row; raises BadRowError where its quotes do not pair."""
    text = text.rstrip("\r\n")
    if '"' not in text:
        return text.split(delimiter)
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise BadRowError(_("its quotes do not pair")) from error
    return rows[0] if rows else []


def choose_encoding(file: BinaryIO) -> str:
    """The encoding of a whole file: UTF-8 where it has a BOM, or else that in which fewer of its rows cannot be read.

    Where there are as many it is UTF-8; so it is UTF-8 if every row is, or else GB18030 if every row is. One row cannot
    tell: ``券`` of GB18030 is ``ȯ`` of UTF-8. In a mixed file the rows of the other encoding are bad, or garbled where
    they happen to be of both. Rows that are too long are bad anyway and do not count.
    """
    if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8:
        return ENCODINGS[0]
    file.seek(0)
    unreadable = dict.fromkeys(ENCODINGS, 0)
    for line in _lines(file):
        if line.isascii():
            continue
        for encoding in ENCODINGS:
            try:
                line.decode(encoding)
            except UnicodeDecodeError:
                unreadable[encoding] += 1
    return min(ENCODINGS, key=unreadable.__getitem__)


def hash_file(path: Path) -> bytes:
    """SHA-256 over a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def shown(cell: str) -> str:
    """The beginning of a cell, for a message."""
    return repr(cell if len(cell) <= SHOWN_CHARACTERS else cell[:SHOWN_CHARACTERS] + "…")


def trimmed(cell: str) -> str:
    """A cell that means something, without spaces around it; raises BadRowError for one that is far too long."""
    if len(cell) > CELL_MAX_CHARACTERS:
        raise BadRowError(_("{cell} is too long").format(cell=shown(cell)))
    return cell.strip()


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file from where it stands, without those that are too long for a row."""
    is_whole = True
    while piece := file.readline(ROW_MAX_BYTES):
        ends = len(piece) < ROW_MAX_BYTES or piece.endswith(b"\n")
        if is_whole and ends:
            yield piece
        is_whole = ends


def _plain(name: str) -> str:
    return name.strip().lower()
