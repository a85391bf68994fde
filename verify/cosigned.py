"""Which cosignatures that others bring belong beside a ledger's own signed checkpoint."""

from collections.abc import Iterable
from gettext import gettext as _

from chain.checkpoint import Checkpoint
from chain.cosignature import verify_cosignature
from chain.note import Note, NoteSignature, VerifierKey
from verify.checkpoints import COSIGNED_EARLIER_MAX_SECONDS

STRANGERS_MAX = 32
"""How many cosignatures by keys that the ledger does not know are kept on one checkpoint."""


class CosignatureError(Exception):
    """A line by a key that the ledger knows is not true. The text says whose."""


def new_cosignatures(
    checkpoint: Checkpoint, own: Note, brought: Note, members: Iterable[VerifierKey], sealed_seconds: float
) -> list[NoteSignature]:
    """The lines of ``brought`` to add to ``own``, another copy of the same checkpoint.

    A member's line must verify and not be dated before the seal, or it raises CosignatureError. The node's own lines
    are never taken from outside. Lines of strangers are kept, up to a bound, and never take the place of another: whose
    word counts is the auditor's choice.
    """
    kept = {(line.name, line.hash) for line in own.signatures}
    known = {(vkey.name, vkey.hash): vkey for vkey in members}
    new, strangers = [], sum(place not in known for place in kept)
    for line in brought.signatures:
        place = (line.name, line.hash)
        if line.name == checkpoint.origin or line in own.signatures:
            continue
        if place in known:
            seconds = verify_cosignature(known[place], checkpoint, line)
            if seconds is None or 0 < seconds < sealed_seconds - COSIGNED_EARLIER_MAX_SECONDS:
                text = _("the signature by {name} does not verify, or is dated before the seal")
                raise CosignatureError(text.format(name=line.name))
            new.append(line)
        elif place not in kept and strangers < STRANGERS_MAX:
            strangers += 1
            new.append(line)
    return new
