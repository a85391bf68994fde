"""Two signed checkpoints of one ledger that do not go together, in one file that anyone can check.

    huzhu/fork@v1
    <base64 of a hash>        (a line each, 0 to 63)
                              (empty line)
    <the checkpoint that was seen first, a signed note>
                              (empty line)
    <the one that was seen later, a signed note>

A log has one tree at each size. Two signed checkpoints of one size with different roots are a *fork*, and nobody but
the holder of the key can have made them. So are two of different sizes where the larger tree does not begin with the
smaller: the hashes are then ``chain.merkle.prove_prefix`` of the larger tree, which lead to its signed root, and to
another root than the signed one at the smaller size. A smaller checkpoint that was seen after a larger one is a
*rollback*: the order is the word of whoever kept the file, the two notes prove only that the log once was longer.

``parse_fork`` checks no signature: ``check_fork`` does, by keys that you had before.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from chain.checkpoint import CHECKPOINT_MAX_BYTES, Checkpoint, open_checkpoint
from chain.cosignature import verify_any
from chain.encoding import format_base64, parse_base64
from chain.errors import NoteError, ProofError
from chain.limits import PROOF_MAX_HASHES
from chain.merkle import HASH_BYTES, prefix_roots
from chain.note import Note, VerifierKey

HEADER = "huzhu/fork@v1"
FIRST_BYTES = f"{HEADER}\n".encode()

_HASH_LINE_BYTES = (HASH_BYTES + 2) // 3 * 4 + 1
_PARTS = 5
"""Head, and the text and the signatures of each note: no empty line stands in any of them."""
FORK_MAX_BYTES = len(FIRST_BYTES) + PROOF_MAX_HASHES * _HASH_LINE_BYTES + 2 + 2 * CHECKPOINT_MAX_BYTES

FORK = "fork"
ROLLBACK = "rollback"
OTHER_LEDGER = "other-ledger"
NOT_SIGNED = "not-signed"
SAME = "same"
BAD_PATH = "bad-path"
NO_PATH = "no-path"
CONSISTENT = "consistent"
"""What ``check_fork`` finds. Only the first is proven; each is explained where ``check_fork`` decides it."""


@dataclass(frozen=True, slots=True)
class Fork:
    """The notes byte for byte, in the order in which they were seen, and hashes of the larger tree, or none."""

    earlier: bytes
    later: bytes
    path: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class ForkVerdict:
    """What is found of two checkpoints, and whose signatures on each of them verified."""

    outcome: str
    earlier: Checkpoint
    later: Checkpoint
    earlier_keys: tuple[VerifierKey, ...]
    later_keys: tuple[VerifierKey, ...]

    @property
    def is_proven(self) -> bool:
        """Whether nobody but the holder of the keys can have made what the file holds."""
        return self.outcome == FORK


def parse_fork(raw: bytes) -> Fork:
    """The fork file that ``raw`` holds, no signature verified; raises NoteError."""
    if len(raw) > FORK_MAX_BYTES:
        raise NoteError(f"a fork file has at most {FORK_MAX_BYTES} bytes, not {len(raw)}")
    parts = raw.split(b"\n\n", _PARTS)
    if len(parts) != _PARTS:
        raise NoteError("a fork file has a head and two signed notes, with an empty line between them")
    head, *texts = parts
    earlier, later = (b"\n\n".join(pair) for pair in (texts[:2], texts[2:]))
    fork = Fork(earlier + b"\n", later, _parse_head(head))
    for note in (fork.earlier, fork.later):
        open_checkpoint(note)
    return fork


def format_fork(fork: Fork) -> bytes:
    """The bytes of a fork file; raises NoteError for one that ``parse_fork`` would refuse."""
    head = "".join(f"{line}\n" for line in (HEADER, *map(format_base64, fork.path)))
    raw = b"\n".join((head.encode(), fork.earlier, fork.later))
    if parse_fork(raw) != fork:
        raise NoteError("the fork does not survive being written and read")
    return raw


def check_fork(fork: Fork, vkeys: Iterable[VerifierKey]) -> ForkVerdict:
    """What the two notes prove to one who trusts ``vkeys`` to be the log's; raises NoteError where one is none.

    Keys of other names than the origin do not count: a witness's cosignature says nothing of who forked.
    """
    known = tuple(vkeys)
    (earlier, earlier_note), (later, later_note) = open_checkpoint(fork.earlier), open_checkpoint(fork.later)
    signers = _signers(earlier, earlier_note, known), _signers(later, later_note, known)
    outcome = _outcome(fork, earlier, later, all(signers))
    return ForkVerdict(outcome, earlier, later, *signers)


def _outcome(fork: Fork, earlier: Checkpoint, later: Checkpoint, is_signed: bool) -> str:
    if earlier.origin != later.origin:
        return OTHER_LEDGER  # each is of a ledger of its own
    if not is_signed:
        return NOT_SIGNED  # anybody can have written one of them
    if earlier.size == later.size:
        return _outcome_at_one_size(fork, earlier, later)
    is_smaller_later = later.size < earlier.size
    if not fork.path:
        return ROLLBACK if is_smaller_later else NO_PATH  # the larger one may go on from the smaller
    smaller, larger = (later, earlier) if is_smaller_later else (earlier, later)
    try:
        beginning, whole = prefix_roots(smaller.size, larger.size, fork.path)
    except ProofError:
        return BAD_PATH  # too many hashes, or too few
    if whole != larger.root:
        return BAD_PATH  # of some other tree
    if beginning != smaller.root:
        return FORK
    return ROLLBACK if is_smaller_later else CONSISTENT  # the larger one does begin with the smaller


def _outcome_at_one_size(fork: Fork, earlier: Checkpoint, later: Checkpoint) -> str:
    if fork.path:
        return BAD_PATH  # nothing is left to prove by it
    return SAME if earlier.root == later.root else FORK


def _signers(checkpoint: Checkpoint, note: Note, vkeys: tuple[VerifierKey, ...]) -> tuple[VerifierKey, ...]:
    """Those of the keys that are this log's and have signed."""
    return tuple(
        vkey
        for vkey in vkeys
        if vkey.name == checkpoint.origin and any(verify_any(vkey, note, line) for line in note.signatures)
    )


def _parse_head(head: bytes) -> tuple[bytes, ...]:
    if not head.isascii() or head.count(b"\n") > PROOF_MAX_HASHES:
        raise NoteError(f"a fork file begins with the line {HEADER} and at most {PROOF_MAX_HASHES} hashes")
    first, *lines = head.decode().split("\n")
    if first != HEADER:
        raise NoteError(f"this is no fork file: its first line is not {HEADER}")
    return tuple(parse_base64(line, HASH_BYTES, HASH_BYTES) for line in lines)
