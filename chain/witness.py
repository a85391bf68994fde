"""What a log sends to a witness, and what comes back (C2SP tlog-witness).

    old <size of the last checkpoint that the witness cosigned>
    <base64 of a hash>        (a line each, 0 to 63: the consistency proof)
                              (empty line)
    <the new checkpoint, a signed note>

The answer is one or more signature lines, as they stand in a note; or, where the witness has cosigned another size,
that size in one line (``SIZE_TYPE``). Nothing here verifies a signature or a proof: that is ``sync.witness``'s.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from chain.checkpoint import CHECKPOINT_MAX_BYTES, Checkpoint, open_checkpoint
from chain.encoding import format_base64, format_decimal, parse_base64, parse_decimal, shown
from chain.errors import NoteError
from chain.limits import LOG_MAX_ENTRIES, PROOF_MAX_HASHES
from chain.merkle import HASH_BYTES
from chain.note import Note, NoteSignature, format_note, parse_note

SIZE_TYPE = "text/x.tlog.size"
SIZE_ANSWER_MAX_BYTES = len(str(LOG_MAX_ENTRIES)) + 1

_OLD = "old "
_HEAD_MAX_BYTES = len(_OLD) + len(str(LOG_MAX_ENTRIES)) + PROOF_MAX_HASHES * (1 + (HASH_BYTES + 2) // 3 * 4)
ADD_CHECKPOINT_MAX_BYTES = _HEAD_MAX_BYTES + 2 + CHECKPOINT_MAX_BYTES
_ANY_TEXT = "-\n"


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request: the size to go on from, the proof, and the checkpoint with its note, of which nothing is verified."""

    old_size: int
    proof: tuple[bytes, ...]
    checkpoint: Checkpoint
    note: Note


def parse_add_checkpoint(raw: bytes) -> AddCheckpoint:
    """The request that ``raw`` holds; raises NoteError."""
    if len(raw) > ADD_CHECKPOINT_MAX_BYTES:
        raise NoteError(f"a request has at most {ADD_CHECKPOINT_MAX_BYTES} bytes, not {len(raw)}")
    head, gap, signed = raw.partition(b"\n\n")
    if not gap or len(head) > _HEAD_MAX_BYTES or not head.isascii():
        raise NoteError("the request has no empty line after its proof, or something else than ASCII before it")
    first, *lines = head.decode().split("\n")
    size = first.removeprefix(_OLD)
    if size == first:
        raise NoteError(f"{shown(first)} stands where the line `old <size>` is due")
    if len(lines) > PROOF_MAX_HASHES:
        raise NoteError(f"a proof has at most {PROOF_MAX_HASHES} hashes, not {len(lines)}")
    old_size = parse_decimal(size, LOG_MAX_ENTRIES)
    proof = tuple(parse_base64(line, HASH_BYTES, HASH_BYTES) for line in lines)
    return AddCheckpoint(old_size, proof, *open_checkpoint(signed))


def format_add_checkpoint(old_size: int, proof: Sequence[bytes], signed: bytes) -> bytes:
    """The bytes of a request; raises NoteError for one that ``parse_add_checkpoint`` would refuse."""
    lines = [f"{_OLD}{format_decimal(old_size)}", *map(format_base64, proof)]
    raw = "\n".join(lines).encode() + b"\n\n" + signed
    parse_add_checkpoint(raw)
    return raw


def parse_signature_lines(raw: bytes) -> tuple[NoteSignature, ...]:
    """The signatures of an answer, not verified; raises NoteError."""
    return parse_note(f"{_ANY_TEXT}\n".encode() + raw, len(_ANY_TEXT)).signatures


def format_signature_lines(signatures: Sequence[NoteSignature]) -> bytes:
    """Signature lines as they stand in a note; raises NoteError for none, or one that cannot be written."""
    return format_note(Note(_ANY_TEXT, tuple(signatures))).removeprefix(f"{_ANY_TEXT}\n".encode())


def parse_size_answer(raw: bytes) -> int:
    """The size in an answer of type ``SIZE_TYPE``; raises NoteError."""
    if len(raw) > SIZE_ANSWER_MAX_BYTES or not raw.isascii() or not raw.endswith(b"\n"):
        raise NoteError("the answer is not a size and the end of its line")
    return parse_decimal(raw[:-1].decode(), LOG_MAX_ENTRIES)


def format_size_answer(size: int) -> bytes:
    """A size in one line."""
    return f"{format_decimal(size)}\n".encode()


def origin_hash(origin: str) -> str:
    """By what a witness's monitors ask for a log: the SHA-256 of its origin in lower-case hex."""
    return hashlib.sha256(origin.encode()).hexdigest()
