"""Hours that travel between ledgers: one round of fetching what is ours and settling it (RULES §10).

    report = run_transfers(node.origin, node.state, [SiteLibrary(site), ...], declare)

Nothing needs to reach this node from outside, and either side may be off line for days: a ``transfer_out`` is an
entry of the other ledger, our ancestors mirror it, and in every round we ask each of them for what is addressed to us.
What is proven is written down by the node itself: ``transfer_in``; or ``transfer_refuse`` where the rules do not let it
in, for which the sender's node then finds the proof and writes ``transfer_back``. The judge is the rule book alone:
``declare`` writes what the rules accept, and answers the outcome of everything else.

*Exactly once*: a proof is used up on the log itself (``State.used_proofs``, ``State.returned``). Whatever is repeated,
lost or reordered, comes twice from two ancestors, or breaks off anywhere: the next round finds out from the ledger
what is still open. No other file remembers anything.

*A lying library* can only withhold. What does not prove itself is counted and named, and blocks nothing else: so many
bad proofs of one ledger, and the visit goes on with the others; a visit is bounded in notices, receipts and seconds.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from gettext import gettext as _
from typing import Protocol, cast

from chain.checkpoint import open_checkpoint
from chain.entry import Body
from chain.errors import ChainError
from chain.note import Note, VerifierKey, format_note, parse_vkey
from chain.receipt import EntryReceipt, format_entry_receipt, parse_entry_receipt
from ledger.bodies import OrgAdmit, TransferBack, TransferIn, TransferOut, TransferRefuse
from ledger.kinds import CODEC, KINDS
from ledger.numbers import parse_address
from ledger.proofs import Proof, check_proof, parse_proof, trusted_keys
from ledger.state import State
from sync.fetch import FetchError
from sync.library import BACK, IN, OUT, REFUSE, Library, LibraryError, Notice

RECEIPTS_MAX = 4_096
"""So many receipts are fetched from one library in one round; the rest is for the next."""
VISIT_MAX_SECONDS = 300.0
BAD_PROOFS_MAX = 16
"""Of one ledger, in one visit."""
BATCH = 32
"""So many are written down together: a break loses no more work than that."""

REASONS = {"no-account": "no_account", "closed": "closed", "no-balance": "no_balance"}
"""Outcomes of ``transfer_in`` that send the hours back, with the reason that ``transfer_refuse`` gives."""
ALREADY_USED = "already-used"
_OUT_NUMBER = KINDS[OUT].number


class Accepted(Protocol):
    """An entry that is on our log."""

    @property
    def index(self) -> int: ...


class Refused(Protocol):
    """One that is not, with the outcome."""

    @property
    def outcome(self) -> str: ...


Declare = Callable[[Sequence[Body]], Sequence[Accepted | Refused]]
"""Writes entries by the node's own key, and answers one result for each: ``Node.declare``."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What a round wrote: our entry ``index`` settles entry ``their_index`` of ``ledger``."""

    kind: str
    index: int
    ledger: str
    their_index: int
    minutes: int
    reason: str = ""
    """Why hours were refused."""


@dataclass(frozen=True, slots=True)
class BadProof:
    """What a library gave and nobody can use."""

    library: str
    ledger: str
    index: int
    why: str


@dataclass(frozen=True, slots=True)
class TransferReport:
    """One round."""

    settled: tuple[Settled, ...]
    bad: tuple[BadProof, ...]
    waiting: int
    """Transfers that are told of, and have no receipt yet."""
    failures: tuple[str, ...]
    """Libraries that could not be asked, or not to the end, with the reason."""
    told: Mapping[int, str] = field(default_factory=dict)
    """What the libraries say became of our own transfers: ``transfer_in`` or ``transfer_refuse`` by their index."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a library says became of a transfer that we sent; a hint, and no proof."""

    kind: str
    ledger: str
    index: int


@dataclass(frozen=True, slots=True)
class Carried:
    """A proof that holds, with its admissions, in the one spelling in which a log keeps them."""

    proof: Proof
    raw: bytes
    admissions: tuple[bytes, ...]


def run_transfers(
    origin: str,
    state: State,
    libraries: Iterable[Library],
    declare: Declare,
    clock: Callable[[], float] = time.monotonic,
) -> TransferReport:
    """Fetch what concerns the ledger ``origin`` from each library, nearest first, and settle it.

    ``state`` is only read, and may fall behind what ``declare`` writes. Errors of ``declare`` come through.
    """
    work = _Round(origin, state, declare)
    for library in libraries:
        _Visit(work, library, clock).run()
    return TransferReport(tuple(work.settled), tuple(work.bad), work.waiting, tuple(work.failures), work.told)


def arrivals(origin: str, libraries: Iterable[Library]) -> tuple[dict[int, Arrival], list[str]]:
    """What the libraries say became of our transfers, by their index; and which libraries failed."""
    found: dict[int, Arrival] = {}
    failures: list[str] = []
    for library in libraries:
        try:
            for notice in library.notices(origin):
                if notice.kind in (IN, REFUSE) and notice.answers is not None:
                    found.setdefault(notice.answers, Arrival(notice.kind, notice.ledger, notice.index))
        except (FetchError, LibraryError, FileNotFoundError) as error:
            failures.append(f"{library.name}: {error}")
    return found, failures


def find_proof(receipt: bytes, admissions: Sequence[bytes], trusted: Sequence[str]) -> Carried | None:
    """The shortest proof by these admissions, which may begin above a ledger that is trusted; None if there is none."""
    for start in range(len(admissions), -1, -1):
        found = _prove(receipt, admissions[start:], trusted)
        if found is not None:
            return found
    return None


def _prove(receipt: bytes, admissions: Sequence[bytes], trusted: Sequence[str]) -> Carried | None:
    vkeys = [parse_vkey(vkey) for vkey in trusted]
    plain = []
    try:
        for admission in admissions:
            plain.append(only_signed_by(vkeys, admission))
            body = CODEC.parse(parse_entry_receipt(admission).extra).body
            if not isinstance(body, OrgAdmit):
                return None
            vkeys = [parse_vkey(body.vkey)]
        raw = only_signed_by(vkeys, receipt)
    except ChainError:
        return None
    proof = check_proof(raw, plain, trusted)
    return None if proof is None else Carried(proof, raw, tuple(plain))


def only_signed_by(vkeys: Sequence[VerifierKey], receipt: bytes) -> bytes:
    """The receipt with the first signature that is one of theirs; raises ChainError where there is none."""
    parsed = parse_entry_receipt(receipt)
    _checkpoint, note = open_checkpoint(parsed.checkpoint)
    lines = [line for line in note.signatures if any(vkey.made(line) for vkey in vkeys)]
    checkpoint = format_note(Note(note.text, tuple(lines[:1])))
    return format_entry_receipt(EntryReceipt(parsed.extra, parsed.index, parsed.path, checkpoint))


@dataclass(slots=True)
class _Round:
    """What a round knows, and what came out of it so far."""

    origin: str
    state: State
    declare: Declare
    settled: list[Settled] = field(default_factory=list)
    bad: list[BadProof] = field(default_factory=list)
    waiting: int = 0
    failures: list[str] = field(default_factory=list)
    told: dict[int, str] = field(default_factory=dict)
    done: set[tuple[str, int]] = field(default_factory=set)
    """Entries of other ledgers that this round has settled or found settled."""

    def hear(self, notice: Notice) -> None:
        """Remember what is said of a transfer that we sent."""
        kinds, index = self.state.kinds, notice.answers
        if notice.kind in (IN, REFUSE) and index is not None and index < len(kinds) and kinds[index] == _OUT_NUMBER:
            self.told[index] = notice.kind

    def is_settled(self, notice: Notice) -> bool:
        """Whether there is nothing to do for it any more, as far as can be told without its receipt."""
        if notice.ledger == self.origin or (notice.ledger, notice.index) in self.done:
            return True
        if notice.kind == REFUSE:
            return notice.answers in self.state.returned
        return notice.kind != OUT or notice.index in self.state.used_proofs.get(notice.ledger, ())


class _Visit:
    """One library in one round."""

    def __init__(self, work: _Round, library: Library, clock: Callable[[], float]) -> None:
        self._work = work
        self._library = library
        self._clock = clock
        self._deadline = clock() + VISIT_MAX_SECONDS
        self._trusted = trusted_keys(work.state)
        self._admissions: tuple[str, Sequence[bytes]] = ("", ())
        """Those of the ledger that was asked for last: notices of one ledger follow each other."""
        self._bad: Counter[str] = Counter()
        self._batch: list[tuple[Carried, Body]] = []

    def run(self) -> None:
        """Ask for everything, as far as it goes; whatever was proven by then is written down."""
        try:
            self._ask()
        except (FetchError, LibraryError, FileNotFoundError) as error:
            self._work.failures.append(f"{self._library.name}: {error}")
        self._settle()

    def _ask(self) -> None:
        fetched = 0
        for notice in self._library.notices(self._work.origin):
            if self._clock() > self._deadline or fetched == RECEIPTS_MAX:
                raise LibraryError(_("more is waiting there than one round takes; the next one goes on"))
            self._work.hear(notice)
            if self._work.is_settled(notice) or self._bad[notice.ledger] >= BAD_PROOFS_MAX:
                continue
            fetched += 1
            self._take(notice)
            if len(self._batch) >= BATCH:
                self._settle()

    def _take(self, notice: Notice) -> None:
        """Fetch the proof of one notice, and put what follows from it into the batch."""
        try:
            receipt = self._library.receipt(notice.ledger, notice.index)
        except FileNotFoundError:
            self._work.waiting += 1
            return
        carried = find_proof(receipt, self._admissions_of(notice.ledger), self._trusted)
        if carried is None:
            self._blame(notice, _("its receipt does not prove it, by any ledger that is trusted here"))
        elif (carried.proof.origin, carried.proof.index) != (notice.ledger, notice.index):
            self._blame(notice, _("its receipt is of another entry"))
        else:
            body = self._answer(carried)
            if isinstance(body, str):
                self._blame(notice, body)
            elif body is not None:
                self._batch.append((carried, body))

    def _answer(self, carried: Carried) -> Body | str | None:
        """What to write down for a proof; None where that is done, a text where it is not for us."""
        origin, state = self._work.origin, self._work.state
        body = carried.proof.entry.body
        if isinstance(body, TransferOut):
            address = parse_address(body.to)
            if address is None or address[0] != origin:
                return _("it is a transfer to another ledger")
            return TransferIn(admissions=carried.admissions, minutes=body.minutes, proof=carried.raw, to=address[1])
        sent = parse_proof(body.proof) if isinstance(body, TransferRefuse) else None
        if sent is None or sent.origin != origin:
            return _("it is no transfer to this ledger, and no refusal of one from here")
        if sent.index in state.returned:
            return None
        return TransferBack(admissions=carried.admissions, index=sent.index, proof=carried.raw)

    def _settle(self) -> None:
        """Write the batch down; what the rules do not let in is refused, so that it goes back."""
        batch, self._batch = self._batch, []
        rejected = [
            (carried, TransferRefuse(admissions=carried.admissions, proof=carried.raw, reason=REASONS[outcome]))
            for carried, body, outcome in self._write(batch)
            if isinstance(body, TransferIn) and outcome in REASONS
        ]
        self._write(rejected)

    def _write(self, batch: Sequence[tuple[Carried, Body]]) -> list[tuple[Carried, Body, str]]:
        """Declare the bodies; those that were not accepted, with the outcome."""
        left = []
        results = self._work.declare([body for _carried, body in batch]) if batch else ()
        for (carried, body), result in zip(batch, results, strict=True):
            outcome = getattr(result, "outcome", None)
            place = (carried.proof.origin, carried.proof.index)
            if outcome is None:
                self._work.done.add(place)
                self._work.settled.append(_settled(carried.proof, body, cast(Accepted, result).index))
            elif outcome == ALREADY_USED:
                self._work.done.add(place)
            else:
                left.append((carried, body, outcome))
                if not (isinstance(body, TransferIn) and outcome in REASONS):
                    self._blame(Notice(*place, kind=OUT), outcome)
        return left

    def _admissions_of(self, ledger: str) -> Sequence[bytes]:
        if self._admissions[0] != ledger:
            self._admissions = (ledger, self._library.admissions(ledger))
        return self._admissions[1]

    def _blame(self, notice: Notice, why: str) -> None:
        self._bad[notice.ledger] += 1
        self._work.bad.append(BadProof(self._library.name, notice.ledger, notice.index, why))


def _settled(proof: Proof, body: Body, index: int) -> Settled:
    """What an accepted body says that was settled, for the report."""
    theirs = proof.entry.body
    if isinstance(body, TransferBack):
        sent = parse_proof(theirs.proof)
        minutes = 0 if sent is None else sent.entry.body.minutes
        return Settled(BACK, index, proof.origin, proof.index, minutes, theirs.reason)
    if isinstance(body, TransferRefuse):
        return Settled(REFUSE, index, proof.origin, proof.index, theirs.minutes, body.reason)
    return Settled(IN, index, proof.origin, proof.index, theirs.minutes)
