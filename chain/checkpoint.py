"""Checkpoints: what a log is at one size, in three lines (C2SP tlog-checkpoint; FORMAT §6).

    <origin> LF <tree size> LF <base64 of the root> LF

as the text of a signed note. There are no extension lines: an ML-DSA-44 cosignature would not cover them.
``open_checkpoint`` reads the whole note and verifies no signature: that is ``chain.cosignature.verify_any``'s, with a
key that you had before.
"""

from dataclasses import dataclass

from chain.encoding import format_base64, format_decimal, parse_base64, parse_decimal, shown
from chain.errors import NoteError
from chain.fields import is_origin
from chain.keys import SigningKey
from chain.limits import CHECKPOINT_MAX_SIGNATURES, LOG_MAX_ENTRIES, ORIGIN_MAX_BYTES
from chain.merkle import HASH_BYTES
from chain.note import (
    NOTE_LINE_MAX_BYTES,
    Note,
    NoteSignature,
    VerifierKey,
    format_note,
    parse_note,
    sign_note_ed25519,
    verify_signature,
)

CHECKPOINT_TEXT_MAX_BYTES = ORIGIN_MAX_BYTES + 1 + len(str(LOG_MAX_ENTRIES)) + 1 + (HASH_BYTES + 2) // 3 * 4 + 1
CHECKPOINT_MAX_BYTES = CHECKPOINT_TEXT_MAX_BYTES + 1 + CHECKPOINT_MAX_SIGNATURES * NOTE_LINE_MAX_BYTES
_LINES = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log of ``origin`` has ``size`` entries, over which the Merkle root (32 bytes) is ``root``."""

    origin: str
    size: int
    root: bytes


def parse_checkpoint_text(text: str) -> Checkpoint:
    """The checkpoint that a note's text holds; raises NoteError."""
    if len(text) > CHECKPOINT_TEXT_MAX_BYTES:
        raise NoteError(f"the checkpoint's text is longer than {CHECKPOINT_TEXT_MAX_BYTES} bytes")
    lines = text.split("\n")
    if len(lines) != _LINES + 1 or lines[-1]:
        raise NoteError("a checkpoint has three lines: origin, tree size and root, and no others")
    origin, size, root, _ = lines
    if not is_origin(origin):
        raise NoteError(f"{shown(origin)} is not an origin")
    return Checkpoint(origin, parse_decimal(size, LOG_MAX_ENTRIES), parse_base64(root, HASH_BYTES, HASH_BYTES))


def format_checkpoint_text(checkpoint: Checkpoint) -> str:
    """The three lines of a checkpoint; raises NoteError for one that ``parse_checkpoint_text`` would refuse."""
    text = f"{checkpoint.origin}\n{format_decimal(checkpoint.size)}\n{format_base64(checkpoint.root)}\n"
    parse_checkpoint_text(text)
    return text


def open_checkpoint(raw: bytes) -> tuple[Checkpoint, Note]:
    """The checkpoint in a signed note, and the note, its signatures not verified; raises NoteError."""
    note = parse_note(raw, CHECKPOINT_TEXT_MAX_BYTES)
    return parse_checkpoint_text(note.text), note


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey, *cosignatures: NoteSignature) -> Note:
    """The signed note of a checkpoint: the node key's line (type 0x01, named like the origin), then ``cosignatures``.

    What never happens twice for one size is the caller's to keep (FORMAT §6).
    """
    text = format_checkpoint_text(checkpoint)
    return Note(text, (sign_note_ed25519(text, checkpoint.origin, key), *cosignatures))


def strip_cosignatures(raw: bytes, vkey: VerifierKey) -> bytes:
    """The signed note of a checkpoint with the line of the node's key ``vkey`` alone; raises NoteError without it."""
    _, note = open_checkpoint(raw)
    for line in note.signatures:
        if verify_signature(vkey, note.text, line):
            return format_note(Note(note.text, (line,)))
    raise NoteError(f"the checkpoint has no signature by the key {shown(vkey.name)}")
