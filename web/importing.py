"""Day sheets onto the ledger: good rows in, refused ones back to the desk, and nothing twice.

A file is read four times, never held: its hash, which is the evidence; its encoding; where its rows are and of which
dates; then the rows themselves, judged and signed by the node. A commit follows about every ``COMMIT_ROWS`` rows, so a
crash leaves the first part of the file on the ledger. What is there already is found by the file's hash among the
services of the providers it names: without a word about it (``Again.REFUSE``) such a file is not touched,
``Again.RESUME`` writes what is missing. A row that a coupon shows has no hash: the coupon itself tells that the row was
written before, and it is left out in both modes.
"""

import array
import datetime
from base64 import b64encode
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Container, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from enum import Enum
from gettext import gettext as _
from itertools import groupby
from pathlib import Path

import msgspec

from chain.fields import Time
from chain.keys import SigningKey
from chain.limits import SHEET_MAX_STATEMENTS
from ledger.bodies import COUPON, Service
from ledger.roster import CLERK, MEMBER
from ledger.state import Ints, State
from web.coupons import PREFIX, USED, Shelf, coupon_evidence, parse_coupon
from web.daysheet import BAD_ROW, COLUMNS, SHEET_COLUMNS, Misread, ReadCoupon, SheetReader, SheetRow, filled
from web.desk import DeskNode, refusal
from web.keyring import Keyring, Pair
from web.problems import DeskError
from web.refused import RefusedRows
from web.session import say
from web.table import BadRowError, Record, Table, hash_file, open_table
from web.text import sentence

COMMIT_ROWS = 5_000
MALFORMED = "entry.malformed"
COUPON_COLUMN = COLUMNS.index("coupon")
LAST_SECOND = datetime.timedelta(days=1, seconds=-1)

ServiceKey = tuple[str, str, Time, Time]
"""Provider, recipient, start and end."""

Progress = Callable[[int, int], object]
"""Told how many rows of how many are done."""


class Again(Enum):
    """What to do with a file of which rows are on the ledger already."""

    REFUSE = "refuse"
    RESUME = "resume"
    REPEAT = "again"


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """How to import. ``at`` is the recorded time, None for the clock's, unless ``at_date`` takes each row's date."""

    again: Again = Again.REFUSE
    seal_by_date: bool = False
    seal: bool = False
    at: Time | None = None
    at_date: bool = False


@dataclass(slots=True)
class ImportSummary:
    """What became of a file's rows; all of it is on disk."""

    rows: int = 0
    accepted: int = 0
    skipped: int = 0
    blocks: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    refused_file: Path | None = None
    unkept: OSError | None = None
    """Why the refused rows could not be kept, where that is so."""
    ignored: list[str] = field(default_factory=list)
    """Columns that mean nothing here."""

    @property
    def refused(self) -> int:
        """Rows that were not accepted."""
        return self.outcomes.total()


@dataclass(frozen=True, slots=True)
class RowIndex:
    """Where the rows of a file are, in the order in which they are to be written, and whom they name."""

    lines: Ints
    offsets: Ints
    days: Ints
    """Local midnight of each row in POSIX seconds; a row that cannot be read has the day of the one before it."""
    order: Iterable[int]
    providers: frozenset[str]


def import_sheets(
    node: DeskNode, keyring: Keyring, path: Path, order: ImportOrder, clock: Callable[[], Time], progress: Progress
) -> ImportSummary:
    """Write the rows of a day-sheet file; raises DeskError before anything is written where the file is of no use."""
    paper_hash = hash_file(filled(path))
    with open_table(path, SHEET_COLUMNS) as table:
        read_coupon = _coupon_reader(node, Shelf(keyring.home))
        reader = SheetReader(table, paper_hash, node.state.utc_offset, read_coupon)
        index = index_rows(table, reader, node.state.accounts, by_date=order.seal_by_date)
        recorded = _recorded(node, paper_hash, index, order.again, path)
        with closing(RefusedRows(table)) as refused:
            desk = _Import(node, keyring, order, table, refused, recorded, clock, progress)
            try:
                desk.run(reader, index)
            except BaseException as error:
                if desk.committed_rows:
                    hint = _("{count} rows of the file are done; go on with --resume")
                    error.add_note(hint.format(count=desk.committed_rows))
                raise
            try:
                refused.finish()
                desk.summary.refused_file = refused.keep()
                _say_coupons(desk)
            except OSError as error:
                error.add_note(_("the rest of the file is done; import it with --resume to have the refused rows"))
                desk.summary.unkept = error
            desk.summary.ignored = table.ignored
    return desk.summary


def index_rows(table: Table, reader: SheetReader, accounts: Container[str], *, by_date: bool) -> RowIndex:
    """Go through a file once; 24 bytes a row are kept, and of the providers those that are among the accounts."""
    lines, offsets, days = array.array("q"), array.array("q"), array.array("q")
    providers = set()
    day = 0
    is_rising = True
    for record in table.records():
        place = reader.place(record)
        if place is not None:
            midnight = int(place[0].timestamp())
            is_rising = is_rising and midnight >= day
            day = midnight
            if place[1] in accounts:
                providers.add(place[1])
        lines.append(record.line)
        offsets.append(record.offset)
        days.append(day)
    order: Iterable[int] = range(len(lines))
    if by_date and not is_rising:
        order = sorted(order, key=days.__getitem__)
    return RowIndex(lines, offsets, days, order, frozenset(providers))


def recorded_services(
    node: DeskNode, paper_hash: bytes, index: RowIndex
) -> Generator[tuple[int, ServiceKey], None, None]:
    """Entry index and key of each service on the ledger whose evidence is this file.

    Such an entry posts to its provider, and stands in a block sealed no earlier than the service's day; so few entries
    are read.
    """
    since = _first_index_after(node.state, min(filter(None, index.days), default=0))
    marker = b64encode(paper_hash)
    for provider in index.providers:
        for leg in node.legs(provider):
            if leg.entry_index >= since and marker in node.store.entry(leg.entry_index):
                body = node.entry(leg.entry_index).body
                if isinstance(body, Service) and body.provider == provider:
                    yield leg.entry_index, _key_of(body)


def _recorded(node: DeskNode, paper_hash: bytes, index: RowIndex, again: Again, path: Path) -> Counter[ServiceKey]:
    """The rows to leave out: those on the ledger already, where the import is resumed."""
    if again is Again.REPEAT:
        return Counter()
    with closing(recorded_services(node, paper_hash, index)) as found:
        if again is Again.RESUME:
            return Counter(key for _index, key in found)
        first = next(found, None)
    if first is not None:
        raise DeskError(
            _(
                "rows of {path} are on the ledger already (entry {index} is one): "
                "--resume writes those that are missing, --again writes all once more"
            ).format(path=path, index=first[0])
        )
    return Counter()


class _Import:
    """One file on its way onto the ledger."""

    def __init__(
        self,
        node: DeskNode,
        keyring: Keyring,
        order: ImportOrder,
        table: Table,
        refused: RefusedRows,
        recorded: Counter[ServiceKey],
        clock: Callable[[], Time],
        progress: Progress,
    ) -> None:
        self.summary = ImportSummary()
        self.has_refused_coupons = False
        """Whether a row was refused whose coupon may still be used."""
        self.committed_rows = 0
        """How many rows of the file are judged, and what was accepted of them is on disk."""
        self._node = node
        self._order = order
        self._table = table
        self._refused = refused
        self._recorded = recorded
        self._clock = clock
        self._progress = progress
        self._signers = _Signers(keyring)
        self._size_before = node.store.size
        self._sheet: list[tuple[Record, Service]] = []
        self._pair: Pair | None = None
        self._since_commit = 0
        self._is_unsealed = False
        self._total = 0

    def run(self, reader: SheetReader, index: RowIndex) -> None:
        """Write all rows; with ``seal_by_date`` a block per date."""
        day_of = index.days.__getitem__ if self._order.seal_by_date else (lambda _row: 0)
        self._total = len(index.lines)
        for day, rows in groupby(index.order, key=day_of):
            for row in rows:
                record = self._table.record(index.lines[row], index.offsets[row])
                self._take(record, reader.read(record), day)
            self._write(day)
            if self._order.seal_by_date and self._is_unsealed:
                self._seal(day)
        if self._order.seal or (self._order.seal_by_date and self.summary.skipped):
            self._seal(0)
        self._commit()

    def _take(self, record: Record, row: SheetRow | Misread, day: int) -> None:
        """Put one row on the sheet at hand, or refuse it."""
        self.summary.rows += 1
        if isinstance(row, Misread):
            self._refuse(record, row.outcome, row.reason)
            return
        if self._is_recorded(row.service):
            self.summary.skipped += 1
            return
        pair = self._signers.pair(row)
        if isinstance(pair, Misread):
            self._refuse(record, pair.outcome, pair.reason)
            return
        if pair is not self._pair or len(self._sheet) == SHEET_MAX_STATEMENTS:
            self._write(day)
            self._pair = pair
        self._sheet.append((record, _with_guardian(row.service, self._node.state)))

    def _is_recorded(self, service: Service) -> bool:
        """Whether the row was written before; each entry stands for one row."""
        if service.evidence.form == COUPON:
            return self._order.again is not Again.REPEAT and self._is_redeemed(service)
        key = _key_of(service)
        if not self._recorded[key]:
            return False
        self._recorded[key] -= 1
        return True

    def _is_redeemed(self, service: Service) -> bool:
        """Whether this coupon was used for this very service before the import."""
        evidence = service.evidence
        book = self._node.state.coupon_books.get(evidence.book or 0)
        if book is None or evidence.index not in book.used:
            return False
        marker = b64encode(evidence.secret or b"")
        for leg in self._node.legs(service.provider):
            if leg.entry_index < self._size_before and marker in self._node.store.entry(leg.entry_index):
                body = self._node.entry(leg.entry_index).body
                if isinstance(body, Service) and _key_of(body) == _key_of(service):
                    return True
        return False

    def _write(self, day: int) -> None:
        """Have the sheet at hand signed and written.

        What came before is committed first: the last sheet of a date is on disk only together with its seal.
        """
        if not self._sheet or self._pair is None:
            return
        if self._since_commit >= COMMIT_ROWS:
            self._commit()
        sheet, self._sheet = self._sheet, []
        moment = self._moment(day, max(service.end for _record, service in sheet))
        bodies = [service for _record, service in sheet]
        results = self._node.write(self._pair.author, self._pair.beside, bodies, moment, durable=False)
        for (record, _service), result in zip(sheet, results, strict=True):
            refused = refusal(result)
            if refused is None:
                self.summary.accepted += 1
                self._is_unsealed = True
            elif refused.outcome == MALFORMED:
                self._refuse(record, BAD_ROW, refused.detail)
            else:
                self._refuse(record, refused.outcome, sentence(refused.outcome, refused.detail))
        self._since_commit += len(sheet)

    def _seal(self, day: int) -> None:
        """Close the block, where anything is in it."""
        if self._node.state.block_entries:
            self._node.seal(self._moment(day, None), durable=False)
            self.summary.blocks += 1
            self._is_unsealed = False

    def _moment(self, day: int, last_end: Time | None) -> Time | None:
        """The recorded time: with ``at_date`` the date's last second, or its last row's end, never after the clock."""
        if not self._order.at_date:
            return self._order.at
        moment = datetime.datetime.fromtimestamp(day, datetime.UTC) + LAST_SECOND
        if last_end is not None and last_end > moment:
            moment = last_end
        return min(moment, self._clock())

    def _commit(self) -> None:
        self._node.commit()
        self.committed_rows = self.summary.rows - len(self._sheet)
        self._progress(self.committed_rows, self._total)
        self._since_commit = 0

    def _refuse(self, record: Record, outcome: str, reason: str) -> None:
        self.summary.outcomes[outcome] += 1
        self._refused.add(record, outcome, reason)
        self.has_refused_coupons = self.has_refused_coupons or (outcome != USED and _has_coupon(self._table, record))


class _Signers:
    """The pair that signs a row: those who import, or those it names, where their keys are kept here."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._importing = keyring.clerk_and_members()
        self._pairs: dict[tuple[str, str], Pair] = {("", ""): self._importing}

    def pair(self, row: SheetRow) -> Pair | Misread:
        """Who signs, or why nobody can."""
        named = row.recorder, row.certifier
        pair = self._pairs.get(named) or self._find(*named)
        if isinstance(pair, Pair):
            self._pairs[named] = pair
        return pair

    def _find(self, recorder: str, certifier: str) -> Pair | Misread:
        importing = self._importing
        author = self._kept(CLERK, recorder) if recorder else importing.author
        if author is None:
            return Misread("not-allowed", _("{key} is no clerk's key kept here").format(key=recorder))
        beside = self._kept(MEMBER, certifier) if certifier else None
        if certifier and beside is None:
            return Misread("needs-second", _("{key} is no member's key kept here").format(key=certifier))
        found = Pair(author, importing.beside if beside is None else (beside,))
        return importing if found == importing else found

    def _kept(self, role: str, key_id: str) -> SigningKey | None:
        return self._keyring.kept_as(role, key_id)


def _coupon_reader(node: DeskNode, shelf: Shelf) -> ReadCoupon:
    """What makes evidence of a coupon's text, against the books of this ledger."""
    return lambda text: coupon_evidence(parse_coupon(text, node.origin), node.state, shelf)


def _has_coupon(table: Table, record: Record) -> bool:
    """Whether a coupon stands in a row; also in one of which the cells cannot be told apart."""
    try:
        return bool(table.cells(record)[COUPON_COLUMN].strip())
    except BadRowError:
        return PREFIX.encode() in (record.raw or b"").upper()


def _say_coupons(desk: _Import) -> None:
    """Say that the refused rows are worth something."""
    path = desk.summary.refused_file
    if path is not None and desk.has_refused_coupons:
        say(_("{path} holds coupons that nobody has used yet: delete it once it is mended").format(path=path))


def _with_guardian(service: Service, state: State) -> Service:
    """A minor's service names the guardian, for whom the sheet has no column: the account knows."""
    provider = state.accounts.get(service.provider)
    if provider is None or not provider.minor:
        return service
    return msgspec.structs.replace(service, guardian=provider.guardian)


def _key_of(service: Service) -> ServiceKey:
    return service.provider, service.recipient, service.start, service.end


def _first_index_after(state: State, seconds: int) -> int:
    """The first entry that can speak of something that happened at that time or later."""
    sealed = bisect_left(state.seal_seconds, seconds)
    return state.seal_indexes[sealed - 1] + 1 if sealed else 0
