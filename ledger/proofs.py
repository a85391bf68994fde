"""Proofs from other ledgers: whether an entry is on one that belongs to us (RULES §10).

A *proof* is the receipt of an entry of another ledger (``chain.receipt``), its checkpoint signed by that ledger's node
and by nobody else, so that a checkpoint proves in one spelling. Whose key that is, *admissions* show: receipts of
``org_admit`` entries, the first on a log whose key is trusted already, each next one on the log that the one before
admits, the last admitting the log of the proof. Where the proof's own log is trusted already, there are none.

    check_proof(proof, admissions, trusted_keys(state))      # a Proof, or None for anything else

A receipt proves that a log holds an entry, not that the entry is true: that is for the audit of that log. And it says
nothing of later entries: an admission that was retired since, or a key that was replaced, proves what it proved.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chain.checkpoint import open_checkpoint
from chain.entry import Entry, EntryCodec
from chain.errors import EntryError, NoteError, ProofError
from chain.limits import ADMISSIONS_MAX, BLOB_MAX_BYTES
from chain.note import parse_vkey, verify_signature
from chain.receipt import check_entry_receipt, parse_entry_receipt
from ledger.bodies import OrgAdmit, TransferOut, TransferRefuse
from ledger.state import State
from ledger.tiers import TIER_BELOW

_CODEC = EntryCodec({"org_admit": OrgAdmit, "transfer_out": TransferOut, "transfer_refuse": TransferRefuse})
"""Reads the kinds that a proof may be of."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a proof says: the log of ``origin`` holds ``entry`` at ``index``."""

    origin: str
    index: int
    entry: Entry[Any]


def trusted_keys(state: State) -> tuple[str, ...]:
    """The verifier keys at which admissions may begin: of ``trusted_logs``, of our parent, of those we admit."""
    parent = () if state.parent_vkey is None else (state.parent_vkey,)
    return (*state.parameters.trusted_logs, *parent, *(admission.vkey for admission in state.admitted.values()))


def check_proof(proof: bytes, admissions: Sequence[bytes], trusted: Sequence[str]) -> Proof | None:
    """What a proof says, if admissions that begin at one of the ``trusted`` verifier keys show it to be true."""
    if len(admissions) > ADMISSIONS_MAX:
        return None
    vkeys, tier = trusted, None
    for admission in admissions:
        admitted = _check_receipt(admission, vkeys)
        if admitted is None or not isinstance(admitted.entry.body, OrgAdmit):
            return None
        body = admitted.entry.body
        if tier is not None and body.tier != TIER_BELOW.get(tier):
            return None  # whoever was admitted as a village admits nobody
        vkeys, tier = (body.vkey,), body.tier
    return _check_receipt(proof, vkeys)


def parse_proof(raw: bytes) -> Proof | None:
    """What a proof says, nothing of it verified; None where it is none."""
    if len(raw) > BLOB_MAX_BYTES:
        return None
    try:
        receipt = parse_entry_receipt(raw)
        checkpoint, _ = open_checkpoint(receipt.checkpoint)
        return Proof(checkpoint.origin, receipt.index, _CODEC.parse(receipt.extra))
    except (NoteError, EntryError):
        return None


def _check_receipt(raw: bytes, vkeys: Sequence[str]) -> Proof | None:
    """What a receipt says, if it is of a log that one of ``vkeys`` signs for and proves it."""
    proof = parse_proof(raw)
    if proof is None:
        return None
    receipt = parse_entry_receipt(raw)
    _, note = open_checkpoint(receipt.checkpoint)
    if len(note.signatures) != 1:
        return None
    named = [parse_vkey(vkey) for vkey in vkeys if vkey.startswith(f"{proof.origin}+")]
    if not any(verify_signature(key, note.text, note.signatures[0]) for key in named):
        return None
    try:
        check_entry_receipt(receipt)
    except ProofError:
        return None
    return proof
