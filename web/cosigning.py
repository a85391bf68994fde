"""Cosigning at the desk: a member's or a witness's own line on a checkpoint (C2SP tlog-cosignature)."""

from pathlib import Path

from chain.checkpoint import CHECKPOINT_MAX_BYTES, open_checkpoint
from chain.cosignature import cosign_ed25519, member_name
from chain.keys import SigningKey
from chain.note import add_signatures, format_note


def read_checkpoint(path: Path) -> bytes:
    """The bytes of a checkpoint file, no more of it than a checkpoint can have."""
    with path.open("rb") as file:
        return file.read(CHECKPOINT_MAX_BYTES + 1)


def add_cosignature(raw: bytes, key: SigningKey, name: str | None, seconds: int) -> bytes:
    """The note with one cosignature more, dated ``seconds`` since 1970; raises NoteError where it is no checkpoint.

    Without a ``name`` it is that of a committee member of the checkpoint's ledger.
    """
    checkpoint, note = open_checkpoint(raw)
    cosigner = name or member_name(checkpoint.origin, key.id)
    return format_note(add_signatures(note, cosign_ed25519(checkpoint, cosigner, key, seconds)))
