"""A witness: cosigns a log's checkpoints as long as each goes on from the one before (C2SP tlog-witness).

    witness = Witness(keys, vkeys_of, storage, evidence, clock)
    answer = witness.add_checkpoint(body)             # what POST /add-checkpoint answers
    raw = witness.checkpoint(origin_hash)             # what GET /witness/<hash>/checkpoint answers

``judge`` is the whole decision, without any I/O. What it was made on can change while the cosignatures are computed,
by another thread or process: the storage takes the new checkpoint only in place of the one that was judged, and where
it does not, the request is judged once more. Nothing leaves before the storage has it: after a crash a log may have to
ask again, and never gets two cosignatures that do not go together.

A signed checkpoint that does not go on from ours is kept as evidence, in a number that whoever sends it cannot exceed.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from chain.checkpoint import Checkpoint
from chain.cosignature import cosign_ed25519, cosign_mldsa44, verify_any
from chain.errors import NoteError, ProofError
from chain.fork import Fork, check_fork, format_fork
from chain.keys import MldsaSigningKey, SigningKey
from chain.merkle import EMPTY_ROOT, check_consistency
from chain.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    Note,
    NoteSignature,
    VerifierKey,
    format_note,
    make_vkey,
)
from chain.witness import (
    SIZE_TYPE,
    AddCheckpoint,
    format_signature_lines,
    format_size_answer,
    origin_hash,
    parse_add_checkpoint,
)

FORKS_MAX = 16
"""How many proven forks of one log are kept: the first ones prove as much as all."""
SUSPECTED_MAX = 4
"""How many requests whose proof does not verify: anybody can send a log's checkpoint with a wrong proof."""
ATTEMPTS_MAX = 16
"""How often a request is judged again, because other requests of the same log came between."""

FORK_FILES = "witness-fork-"
"""How the names of proven forks begin."""
HASH_CHARACTERS = 16
"""How much of a hash stands in a file's name."""

PLAIN_TYPE = "text/plain; charset=utf-8"

MALFORMED = "malformed"
UNKNOWN_LOG = "unknown-log"
NOT_SIGNED = "not-signed"
OLD_BEYOND_NEW = "old-beyond-new"
OTHER_SIZE = "other-size"
OTHER_ROOT = "other-root"
BAD_PROOF = "bad-proof"
BUSY = "busy"
NO_CLOCK = "no-clock"
COSIGNED = "cosigned"
STATUS_OF = {
    MALFORMED: 400,
    UNKNOWN_LOG: 404,
    NOT_SIGNED: 403,
    OLD_BEYOND_NEW: 400,
    OTHER_SIZE: 409,
    OTHER_ROOT: 409,
    BAD_PROOF: 422,
    BUSY: 503,
    NO_CLOCK: 503,
    COSIGNED: 200,
}
"""In the order in which they are decided."""

_CONFLICT = 409
_WHY = {
    UNKNOWN_LOG: "this witness does not know the log of that origin",
    NOT_SIGNED: "no signature by a key that this witness trusts for the origin verifies",
    OLD_BEYOND_NEW: "the old size is larger than the checkpoint's",
    BAD_PROOF: "the consistency proof from the old size does not verify",
    BUSY: "many requests for this log came at once; try again",
    NO_CLOCK: "this witness's clock stands before 1970: it cannot date a cosignature until somebody sets it",
}


class WitnessStorage(Protocol):
    """The newest checkpoint of each log that was cosigned.

    *Durability*: it is on disk when ``advance`` has returned True, and nothing of it where it returns False or raises.
    *Atomicity*: of several that advance from the same checkpoint, in whatever threads and processes, one succeeds.
    *Visibility*: ``latest`` and ``by_hash`` see what the last ``advance`` left, by whomever.
    """

    def latest(self, origin: str) -> tuple[Checkpoint, bytes] | None:
        """The checkpoint and its note; None where none was cosigned."""

    def by_hash(self, hashed: str) -> bytes | None:
        """The note of the log whose ``chain.witness.origin_hash`` is this."""

    def advance(self, old: Checkpoint | None, new: Checkpoint, note: bytes) -> bool:
        """Put ``new`` in the place of ``old``, where ``old`` (None: nothing) is what is kept of its log."""


class Evidence(Protocol):
    """Where files go that somebody should look at."""

    def count(self, prefix: str) -> int:
        """How many files have a name that begins so."""

    def keep(self, name: str, raw: bytes) -> bool:
        """Write a file, or leave the one of that name; True where it is new."""


OnFork = Callable[[str, int], None]
"""Told of a proven fork that was kept: the log's origin, and the size at which somebody came with another tree."""


def tell_nobody(origin: str, size: int) -> None:
    """For who looks at the evidence itself."""


class MemoryWitnessStorage:
    """For tests: durable as long as the process, atomic between its threads."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Checkpoint, bytes]] = {}
        self._lock = threading.Lock()

    def latest(self, origin: str) -> tuple[Checkpoint, bytes] | None:
        return self._kept.get(origin)

    def by_hash(self, hashed: str) -> bytes | None:
        return next((note for origin, (_, note) in list(self._kept.items()) if origin_hash(origin) == hashed), None)

    def advance(self, old: Checkpoint | None, new: Checkpoint, note: bytes) -> bool:
        with self._lock:
            kept = self._kept.get(new.origin)
            if (None if kept is None else kept[0]) != old:
                return False
            self._kept[new.origin] = new, note
            return True


class MemoryEvidence:
    """For tests."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def count(self, prefix: str) -> int:
        return sum(name.startswith(prefix) for name in self.files)

    def keep(self, name: str, raw: bytes) -> bool:
        is_new = name not in self.files
        self.files.setdefault(name, raw)
        return is_new


@dataclass(frozen=True, slots=True)
class WitnessKeys:
    """What a witness signs with: its name and both keys."""

    name: str
    ed25519: SigningKey
    mldsa44: MldsaSigningKey

    def vkeys(self) -> tuple[VerifierKey, VerifierKey]:
        """By which others verify it: Ed25519, then ML-DSA-44."""
        return (
            make_vkey(self.name, COSIGNATURE_ED25519, self.ed25519.public),
            make_vkey(self.name, COSIGNATURE_MLDSA44, self.mldsa44.public),
        )

    def cosign(self, checkpoint: Checkpoint, seconds: int) -> tuple[NoteSignature, NoteSignature]:
        """Both lines, dated ``seconds`` since 1970."""
        return (
            cosign_ed25519(checkpoint, self.name, self.ed25519, seconds),
            cosign_mldsa44(checkpoint, self.name, self.mldsa44, seconds),
        )


@dataclass(frozen=True, slots=True)
class WitnessAnswer:
    """An HTTP answer, and the outcome that it says."""

    outcome: str
    content_type: str
    body: bytes

    @property
    def status(self) -> int:
        return STATUS_OF[self.outcome]


def judge(request: AddCheckpoint, is_known: bool, is_signed: bool, latest: Checkpoint | None) -> str:
    """The outcome of a request, where ``latest`` is what was cosigned last of its log."""
    checkpoint = request.checkpoint
    kept = latest or Checkpoint(checkpoint.origin, 0, EMPTY_ROOT)
    if not is_known:
        return UNKNOWN_LOG
    if not is_signed:
        return NOT_SIGNED
    if request.old_size > checkpoint.size:
        return OLD_BEYOND_NEW
    if request.old_size != kept.size:
        return OTHER_SIZE
    if latest is not None and checkpoint.size == kept.size and checkpoint.root != kept.root:
        return OTHER_ROOT
    try:
        check_consistency(kept.size, checkpoint.size, kept.root, checkpoint.root, request.proof)
    except ProofError:
        return BAD_PROOF
    return COSIGNED


class Witness:
    """Answers requests; several threads may ask at once."""

    def __init__(
        self,
        keys: WitnessKeys,
        vkeys_of: Callable[[str], Sequence[VerifierKey]],
        storage: WitnessStorage,
        evidence: Evidence,
        clock: Callable[[], int],
        on_fork: OnFork = tell_nobody,
    ) -> None:
        """``vkeys_of`` gives the keys that are trusted for an origin now, none where the log is not known.

        ``clock``: seconds since 1970.
        """
        self._keys = keys
        self._vkeys_of = vkeys_of
        self._storage = storage
        self._evidence = evidence
        self._clock = clock
        self._on_fork = on_fork
        self._keeping = threading.Lock()

    def vkeys(self) -> tuple[VerifierKey, VerifierKey]:
        """By which this witness is verified."""
        return self._keys.vkeys()

    def checkpoint(self, hashed: str) -> bytes | None:
        """The newest cosigned checkpoint of the log with that ``origin_hash``, with our lines; None: there is none."""
        return self._storage.by_hash(hashed)

    def add_checkpoint(self, raw: bytes) -> WitnessAnswer:
        """Cosign what goes on from what we cosigned before; otherwise say what is wrong."""
        try:
            request = parse_add_checkpoint(raw)
        except NoteError as error:
            return WitnessAnswer(MALFORMED, PLAIN_TYPE, f"{error}\n".encode())
        vkeys = self._vkeys_of(request.checkpoint.origin)
        lines = tuple(_lines_by(vkeys, request.note))
        for _attempt in range(ATTEMPTS_MAX):
            kept = self._storage.latest(request.checkpoint.origin)
            latest = None if kept is None else kept[0]
            outcome = judge(request, bool(vkeys), bool(lines), latest)
            if outcome != COSIGNED:
                self._look_for_fork(request, lines, vkeys, kept, outcome)
                return _refusal(outcome, latest)
            seconds = self._clock()
            if seconds < 0:
                return _refusal(NO_CLOCK, None)
            cosignatures = self._keys.cosign(request.checkpoint, seconds)
            note = format_note(Note(request.note.text, (*lines, *cosignatures)))
            if self._storage.advance(latest, request.checkpoint, note):
                return WitnessAnswer(COSIGNED, PLAIN_TYPE, format_signature_lines(cosignatures))
        return _refusal(BUSY, None)

    def _look_for_fork(
        self,
        request: AddCheckpoint,
        lines: tuple[NoteSignature, ...],
        vkeys: Sequence[VerifierKey],
        kept: tuple[Checkpoint, bytes] | None,
        outcome: str,
    ) -> None:
        """Keep both notes where one size has two trees, or the proof of a signed checkpoint does not verify."""
        if kept is None or not lines or kept[0] == request.checkpoint:
            return
        ours, note = kept
        theirs = format_note(Note(request.note.text, lines))
        if ours.size == request.checkpoint.size:
            fork = Fork(note, theirs)
        elif outcome == BAD_PROOF:
            # The proof that a forked log makes of its own tree proves the fork, unless it leaves the first hash to us.
            fork = Fork(note, theirs, request.proof)
        else:
            return
        if check_fork(fork, vkeys).is_proven:
            if self._keep("fork", fork, (ours, request.checkpoint), FORKS_MAX):
                self._on_fork(ours.origin, request.checkpoint.size)
        else:
            self._keep("suspected", Fork(note, theirs), (ours, request.checkpoint), SUSPECTED_MAX)

    def _keep(self, code: str, fork: Fork, trees: tuple[Checkpoint, Checkpoint], most: int) -> bool:
        """One file for each two trees: the same two do not fill the folder, however often. True where it is new."""
        of_log = f"witness-{code}-{origin_hash(trees[0].origin)[:HASH_CHARACTERS]}-"
        digest = hashlib.sha256(b"".join(b"%d %s\n" % (tree.size, tree.root) for tree in trees)).hexdigest()
        with self._keeping:
            if self._evidence.count(of_log) >= most:
                return False
            return self._evidence.keep(f"{of_log}{digest[:HASH_CHARACTERS]}.fork", format_fork(fork))


def _lines_by(vkeys: Sequence[VerifierKey], note: Note) -> Iterator[NoteSignature]:
    """The first line of each key that verifies: nothing else of a note is kept, however often it is repeated."""
    for vkey in vkeys:
        yield from islice((line for line in note.signatures if verify_any(vkey, note, line)), 1)


def _refusal(outcome: str, latest: Checkpoint | None) -> WitnessAnswer:
    if STATUS_OF[outcome] == _CONFLICT:
        return WitnessAnswer(outcome, SIZE_TYPE, format_size_answer(0 if latest is None else latest.size))
    return WitnessAnswer(outcome, PLAIN_TYPE, f"{_WHY[outcome]}\n".encode())
