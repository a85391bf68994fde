"""Checks one receipt off line, with a trust file and nothing else (FORMAT §10)."""

from dataclasses import dataclass
from typing import Any

import msgspec

from chain.block import SEAL, Seal
from chain.checkpoint import Checkpoint, open_checkpoint
from chain.cosignature import verify_any
from chain.entry import Entry, statement_of
from chain.errors import ChainError, NoteError, ProofError
from chain.fields import Time
from chain.keys import key_id, verify_ed25519
from chain.merkle import leaf_hash
from chain.note import ED25519, VerifierKey, verify_signature
from chain.policy import NO_QUORUM, Policy, cosigned_names, quorum_met
from chain.receipt import (
    BalanceReceipt,
    EntryReceipt,
    check_balance_leaf,
    check_entry_receipt,
    parse_balance_receipt,
    parse_entry_receipt,
)
from chain.sheet import SheetDomain
from ledger.kinds import CODEC

ENTRY_FIRST_BYTES, BALANCE_FIRST_BYTES = b"c2sp.org/tlog-proof", b"huzhu/balance@"
FIRST_BYTES = (ENTRY_FIRST_BYTES, BALANCE_FIRST_BYTES)
"""How a receipt of an entry begins, and one of a balance."""


class ReceiptError(Exception):
    """The receipt does not prove what it says. The text says why."""


class StateLeaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An account's leaf in the state tree (FORMAT §7)."""

    account: str
    balance: int
    held: int
    status: str
    unit: str


@dataclass(frozen=True, slots=True)
class Proven:
    """What a receipt proves: an entry, or with ``balance`` what an account had at the time of the seal ``entry``."""

    checkpoint: Checkpoint
    index: int
    entry: Entry[Any]
    balance: StateLeaf | None = None

    @property
    def at(self) -> Time:
        """When the entry or the seal was made, by its author's word."""
        return self.entry.at


def check_receipt(raw: bytes, policy: Policy) -> Proven:
    """What the receipt proves to somebody who trusts ``policy``; raises ReceiptError."""
    try:
        if raw.startswith(BALANCE_FIRST_BYTES):
            return _check_balance(parse_balance_receipt(raw), policy)
        return _check_entry(parse_entry_receipt(raw), policy)
    except ChainError as error:
        raise ReceiptError(str(error)) from error


def _check_entry(receipt: EntryReceipt, policy: Policy) -> Proven:
    checkpoint = check_entry_receipt(receipt)
    _check_signatures(receipt.checkpoint, policy)
    return Proven(checkpoint, receipt.index, CODEC.parse(receipt.extra))


def _check_balance(receipt: BalanceReceipt, policy: Policy) -> Proven:
    proven = _check_entry(receipt.seal, policy)
    seal = proven.entry
    body = seal.body
    if seal.kind != SEAL or not isinstance(body, Seal):
        raise ProofError("the entry behind the balance is no seal")
    vkey = next((vkey for vkey in _pinned(policy, proven.checkpoint.origin) if key_id(vkey.public) == seal.by), None)
    if vkey is None or seal.sheet is not None or seal.beside:
        raise ProofError("the seal is not the node's own, by a pinned key")
    if body.size != receipt.seal.index:
        raise ProofError(f"the seal says it is entry {body.size}, and stands at {receipt.seal.index}")
    root = leaf_hash(statement_of(receipt.seal.extra, seal))
    message, _ = SheetDomain(proven.checkpoint.origin, receipt.genesis).messages(seal.by, 1, root)
    if not verify_ed25519(vkey.public, message, seal.sigs[0].sig):
        raise ProofError("the seal's own signature does not verify")
    check_balance_leaf(receipt, body.accounts, body.state)
    try:
        leaf = msgspec.json.decode(receipt.leaf, type=StateLeaf)
    except msgspec.DecodeError as error:
        raise ProofError(f"the account's leaf cannot be read: {error}") from error
    return Proven(proven.checkpoint, proven.index, seal, leaf)


def _pinned(policy: Policy, origin: str) -> list[VerifierKey]:
    """The Ed25519 keys of that log in the trust file."""
    return [vkey for vkey in policy.logs if vkey.name == origin and vkey.type == ED25519]


def _check_signatures(raw: bytes, policy: Policy) -> None:
    """Raise NoteError unless a pinned key and the quorum signed, and every line of a key of the trust file verifies."""
    checkpoint, note = open_checkpoint(raw)
    pinned = _pinned(policy, checkpoint.origin)
    if not pinned:
        raise NoteError(f"the trust file pins no key of {checkpoint.origin}")
    for vkey in (*policy.logs, *(vkey for _, vkey in policy.witnesses)):
        if any(vkey.made(line) and not verify_any(vkey, note, line) for line in note.signatures):
            raise NoteError(f"the signature by {vkey.name} on the checkpoint does not verify")
    if policy.quorum != NO_QUORUM and not quorum_met(policy, cosigned_names(policy, checkpoint, note)):
        raise NoteError(f"the checkpoint lacks the quorum {policy.quorum!r} of the trust file")
    if not any(verify_signature(vkey, note.text, line) for vkey in pinned for line in note.signatures):
        raise NoteError(f"no pinned key of {checkpoint.origin} has signed the checkpoint")
