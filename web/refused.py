"""What an import leaves beside its file ``NAME.csv``: each appears whole or not at all, for its owner alone.

``RefusedRows`` is ``NAME.refused.csv``: the rows that were not accepted. Cells stand there as they were, so that the
file can be mended and read again; nothing in them is computed here, but a spreadsheet may take ``=1+1`` for a formula.
"""

import array
import csv
import fcntl
import io
import os
import tempfile
from codecs import BOM_UTF8
from collections.abc import Iterable
from contextlib import suppress
from gettext import gettext as _
from pathlib import Path

from web.problems import DeskError
from web.table import REFUSED_COLUMNS, BadRowError, Record, Table

ACCOUNT = "account"
DRAFT_RANDOM_CHARACTERS = 8
"""What ``mkstemp`` puts at the end of a name."""


def beside(path: Path, part: str) -> Path:
    """``NAME.part.csv`` for ``NAME.csv``."""
    return path.with_name(f"{path.stem}.{part}.csv")


class Draft:
    """A file that takes its place when it is finished; mode 0600, as it may hold what is personal."""

    def __init__(self, path: Path) -> None:
        """Raises DeskError where the file could not take its place, OSError where its folder cannot be written."""
        self.path = path
        if path.is_dir():
            raise DeskError(_("{path} is a folder, and a file is to be written there: move it away").format(path=path))
        prefix = f".{path.name}-"
        _drop_stale(path.parent, prefix)
        try:
            handle, name = tempfile.mkstemp(prefix=prefix, dir=path.parent)
        except OSError as error:
            error.filename = str(path)
            raise
        self._draft = Path(name)
        self._file = os.fdopen(handle, "wb")
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def write(self, raw: bytes) -> None:
        """Go on writing."""
        self._file.write(raw)

    def finish(self) -> None:
        """Have it all on disk; what can fail for want of space fails here."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def place(self) -> Path:
        """Put the finished file where it belongs, in place of an older one."""
        try:
            self._draft.replace(self.path)
        except OSError as error:
            error.filename, error.filename2 = str(self.path), None
            raise
        return self.path

    def close(self) -> None:
        """Leave no draft behind."""
        try:
            with suppress(FileNotFoundError):
                self._draft.unlink()
        finally:
            with suppress(OSError):
                self._file.close()


def _drop_stale(folder: Path, prefix: str) -> None:
    """Remove the drafts that a killed run left behind: nobody holds their lock."""
    with suppress(OSError):
        for path in list(folder.iterdir()):
            if not path.name.startswith(prefix) or len(path.name) != len(prefix) + DRAFT_RANDOM_CHARACTERS:
                continue
            with suppress(OSError):
                handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
                finally:
                    os.close(handle)


class RefusedRows:
    """The rows that were not accepted, in order of line.

    They wait in a nameless file for ``finish``, which writes the draft, and ``keep``, which puts it in place of an
    older one; where nothing was refused, none is left. A BOM stands before text that is not ASCII: without it
    spreadsheets take UTF-8 for something else.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        dropped = REFUSED_COLUMNS if table.was_refused else ()
        self._columns = [place for place, name in enumerate(table.names) if name not in dropped]
        self._draft = Draft(beside(table.path, "refused"))
        try:
            self._waiting = tempfile.TemporaryFile(dir=table.path.parent)  # noqa: SIM115 - closed in close()
        except BaseException:
            self._draft.close()
            raise
        self._lines, self._ends = array.array("q"), array.array("q", [0])
        self._is_ascii = True

    def add(self, record: Record, outcome: str, reason: str, account: str | None = None) -> None:
        """One row that was not accepted; ``account`` is the number that it has by now, where it may have had none."""
        try:
            cells = self._table.row(record)
        except BadRowError:
            cells = _as_it_is(record.raw, self._table.encoding)
        else:
            if account is not None:
                cells[self._table.names.index(ACCOUNT)] = account
            cells = [cells[place] for place in self._columns]
        raw = format_row([record.line, outcome, reason, *cells])
        self._is_ascii = self._is_ascii and raw.isascii()
        self._waiting.write(raw)
        self._lines.append(record.line)
        self._ends.append(self._ends[-1] + len(raw))

    def finish(self) -> None:
        """Write the draft."""
        header = format_row([*REFUSED_COLUMNS, *(self._table.header[place] for place in self._columns)])
        if not (self._is_ascii and header.isascii()):
            self._draft.write(BOM_UTF8)
        self._draft.write(header)
        for row in sorted(range(len(self._lines)), key=self._lines.__getitem__):
            self._waiting.seek(self._ends[row])
            self._draft.write(self._waiting.read(self._ends[row + 1] - self._ends[row]))
        self._draft.finish()

    def keep(self) -> Path | None:
        """Put the finished file in its place; answers where, or None where nothing was refused."""
        if self._lines:
            return self._draft.place()
        self._draft.path.unlink(missing_ok=True)
        return None

    def close(self) -> None:
        """Leave no draft behind."""
        try:
            with suppress(OSError):
                self._waiting.close()
        finally:
            self._draft.close()


def format_row(cells: Iterable[object]) -> bytes:
    """One row of CSV in UTF-8."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode(errors="replace")


def _as_it_is(raw: bytes | None, encoding: str) -> list[str]:
    """A row that has no cells, as one cell; nothing of one that is too long."""
    return [] if raw is None else [raw.decode(encoding, errors="replace").rstrip("\r\n").replace("\0", "\ufffd")]
