"""Whose signature lines are kept on a checkpoint that came through other hands.

Anybody on the way can add lines to a note. One that claims to be by a key we know, or by the ledger's own people, and
is not, would make an honest ledger's audit fail: it is dropped. Lines of strangers are an auditor's to judge.
"""

from collections.abc import Iterable, Iterator, Sequence

from chain.cosignature import member_name, verify_any
from chain.limits import CHECKPOINT_MAX_SIGNATURES
from chain.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    ED25519,
    Note,
    NoteSignature,
    VerifierKey,
    format_note,
    make_vkey,
)
from ledger.roster import MEMBER, NODE
from ledger.state import State

STRANGERS_MAX = 16
"""So many lines by keys that we do not know are kept on one checkpoint; those that came last."""


def true_lines(
    origin: str, note: Note, known: Iterable[VerifierKey], kept: Sequence[NoteSignature] = ()
) -> Note:
    """The checkpoint of ``origin`` with the lines that belong on it: those kept before, and those of ``note``.

    Lines by known keys must verify, and come first; any other under the ledger's own names is false.
    """
    keys = {(vkey.name, vkey.hash): vkey for vkey in known}
    good: dict[tuple[str, bytes], NoteSignature] = {}
    for line in (*kept, *note.signatures):
        place = line.name, line.hash
        if place in keys and place not in good and verify_any(keys[place], note, line):
            good[place] = line
    own = member_name(origin, "")
    strangers = [
        line
        for line in dict.fromkeys((*note.signatures, *kept))
        if (line.name, line.hash) not in keys and line.name != origin and not line.name.startswith(own)
    ]
    return Note(note.text, (*good.values(), *strangers[:STRANGERS_MAX])[:CHECKPOINT_MAX_SIGNATURES])


def signed_by(note: Note, vkeys: Iterable[VerifierKey]) -> bytes:
    """The note with the lines of these keys alone; nothing where none of them has signed it."""
    keys = tuple(vkeys)
    lines = tuple(line for line in note.signatures if any(verify_any(vkey, note, line) for vkey in keys))
    return format_note(Note(note.text, lines)) if lines else b""


def log_keys(state: State) -> Iterator[VerifierKey]:
    """The keys whose lines the log itself lets anybody judge: its node's and its members'."""
    yield from node_keys(state)
    if state.mldsa is not None:
        yield make_vkey(state.origin, COSIGNATURE_MLDSA44, state.mldsa)
    for key in state.roster.keys.values():
        if key.role == MEMBER:
            yield make_vkey(member_name(state.origin, key.id), COSIGNATURE_ED25519, key.public)


def node_keys(state: State) -> list[VerifierKey]:
    """The keys that are or were the node's: one that was exchanged still tells a rollback to its own days."""
    keys = state.roster.keys.values()
    return [make_vkey(state.origin, ED25519, key.public) for key in keys if key.role == NODE]
