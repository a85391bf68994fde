"""Cosignatures: "at this time I saw the log at this checkpoint, and it only grew" (C2SP tlog-cosignature; FORMAT §6).

A cosignature is one line of a checkpoint's note: 8 bytes of POSIX time, big-endian, then the signature. Type 0x04
(Ed25519) signs two lines and the checkpoint's text; type 0x06 (ML-DSA-44) signs a binary structure that also names the
cosigner. A committee member cosigns as ``member_name``; the node cosigns its own checkpoint with ML-DSA-44 under the
name of the origin; a witness has a name of its own.

The clock is the caller's. A cosigner first checks that the new checkpoint goes on from the last one it signed: nothing
here does.
"""

import struct

from chain.checkpoint import Checkpoint, format_checkpoint_text, parse_checkpoint_text
from chain.errors import NoteError
from chain.keys import MldsaSigningKey, SigningKey, verify_ed25519, verify_mldsa44
from chain.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    ED25519,
    Note,
    NoteSignature,
    VerifierKey,
    make_vkey,
    verify_signature,
)

TIMESTAMP_BYTES = 8
TIMESTAMP_MAX = 2**63 - 1
"""Seconds since 1970; tlog-cosignature refuses later ones."""


def member_name(origin: str, key_id: str) -> str:
    """The cosigner name of a committee member: origin, ``/member/``, key id (FORMAT §6)."""
    return f"{origin}/member/{key_id}"


def cosign_ed25519(checkpoint: Checkpoint, name: str, key: SigningKey, timestamp: int) -> NoteSignature:
    """A cosignature of type 0x04; ``timestamp`` in POSIX seconds. Raises NoteError for a bad name or time."""
    vkey = make_vkey(name, COSIGNATURE_ED25519, key.public)
    signature = key.sign(_message_ed25519(checkpoint, _checked(timestamp)))
    return NoteSignature(name, vkey.hash, _format_timestamp(timestamp) + signature)


def cosign_mldsa44(checkpoint: Checkpoint, name: str, key: MldsaSigningKey, timestamp: int) -> NoteSignature:
    """A cosignature of type 0x06; ``timestamp`` in POSIX seconds. Raises NoteError for a bad name or time."""
    vkey = make_vkey(name, COSIGNATURE_MLDSA44, key.public)
    signature = key.sign(_message_mldsa44(checkpoint, name, _checked(timestamp)))
    return NoteSignature(name, vkey.hash, _format_timestamp(timestamp) + signature)


def verify_cosignature(vkey: VerifierKey, checkpoint: Checkpoint, signature: NoteSignature) -> int | None:
    """The POSIX seconds that ``vkey`` states beside ``checkpoint``, or None where ``signature`` is not its valid one.

    0 is a time too: with type 0x06 the cosigner then says nothing about when.
    """
    if not vkey.made(signature) or len(signature.signature) <= TIMESTAMP_BYTES:
        return None
    timestamp = int.from_bytes(signature.signature[:TIMESTAMP_BYTES], "big")
    if timestamp > TIMESTAMP_MAX:
        return None
    return timestamp if _is_valid(vkey, checkpoint, timestamp, signature.signature[TIMESTAMP_BYTES:]) else None


def verify_any(vkey: VerifierKey, note: Note, signature: NoteSignature) -> bool:
    """Whether ``signature`` is ``vkey``'s, of whichever type, over the checkpoint that ``note`` holds.

    False, too, where the note's text is no checkpoint and the key makes cosignatures.
    """
    if vkey.type == ED25519:
        return verify_signature(vkey, note.text, signature)
    try:
        checkpoint = parse_checkpoint_text(note.text)
    except NoteError:
        return False
    return verify_cosignature(vkey, checkpoint, signature) is not None


def _is_valid(vkey: VerifierKey, checkpoint: Checkpoint, timestamp: int, signature: bytes) -> bool:
    if vkey.type == COSIGNATURE_ED25519:
        return verify_ed25519(vkey.public, _message_ed25519(checkpoint, timestamp), signature)
    if vkey.type == COSIGNATURE_MLDSA44:
        return verify_mldsa44(vkey.public, _message_mldsa44(checkpoint, vkey.name, timestamp), signature)
    return False


def _message_ed25519(checkpoint: Checkpoint, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{format_checkpoint_text(checkpoint)}".encode()


def _message_mldsa44(checkpoint: Checkpoint, name: str, timestamp: int) -> bytes:
    """``cosigned_message``: label, cosigner's name, time, origin, start 0, end = tree size, root."""
    return b"".join(
        (
            b"subtree/v1\n\x00",
            _format_opaque(name),
            _format_timestamp(timestamp),
            _format_opaque(checkpoint.origin),
            struct.pack(">QQ", 0, checkpoint.size),
            checkpoint.root,
        )
    )


def _format_opaque(text: str) -> bytes:
    """One byte of length, then the UTF-8 bytes; key names and origins are short enough (1 to 255 bytes)."""
    raw = text.encode()
    return bytes([len(raw)]) + raw


def _format_timestamp(timestamp: int) -> bytes:
    return timestamp.to_bytes(TIMESTAMP_BYTES, "big")


def _checked(timestamp: int) -> int:
    if not 0 <= timestamp <= TIMESTAMP_MAX:
        raise NoteError(f"{timestamp} is not a cosignature's time: seconds since 1970, at most 2^63 − 1")
    return timestamp
