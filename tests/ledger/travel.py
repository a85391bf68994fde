"""Proofs without a node: whoever has a ledger's key can prove any entry to be on it, which is all that a proof says."""

from chain.canonical import format_canonical
from chain.checkpoint import Checkpoint, sign_checkpoint
from chain.entry import Signature, join_entry
from chain.fields import format_time
from chain.merkle import leaf_hash, levels_of, path_in
from chain.note import format_note
from chain.receipt import EntryReceipt, format_entry_receipt
from tests.scenarios.village import FOUNDED_AT, Plain, b64, digest, key_of, number_of, vkey_of


def made_entry(kind: str, body: Plain) -> bytes:
    """The bytes of an entry that nobody has judged."""
    author = key_of("clerk").id
    statement: Plain = {"at": format_time(FOUNDED_AT), "body": body, "by": author, "kind": kind, "seq": 1, "v": 1}
    return join_entry(format_canonical(statement), None, (Signature(author, bytes(64)),))


def made_proof(origin: str, key: str, entry: bytes, index: int = 0, others: int = 0) -> bytes:
    """The proof that ``entry`` is at ``index`` of a log that is made up, with so many ``others`` after it."""
    leaves = [digest(f"leaf {place}") for place in range(index + 1 + others)]
    leaves[index] = leaf_hash(entry)
    levels = levels_of(leaves)
    note = sign_checkpoint(Checkpoint(origin, len(leaves), levels[-1][0]), key_of(key))
    return format_entry_receipt(EntryReceipt(entry, index, tuple(path_in(levels, index)), format_note(note)))


def sent(to: str, minutes: int = 60, giver: str = "wang") -> bytes:
    """A ``transfer_out`` to that address."""
    return made_entry("transfer_out", {"from": number_of(giver), "minutes": minutes, "to": to})


def refused(proof: bytes) -> bytes:
    """A ``transfer_refuse`` of what that proof is of."""
    return made_entry("transfer_refuse", {"admissions": [], "proof": b64(proof), "reason": "no_account"})


def admitted(origin: str, key: str, tier: str = "village") -> bytes:
    """An ``org_admit`` of that ledger."""
    return made_entry("org_admit", {"origin": origin, "tier": tier, "vkey": vkey_of(origin, key)})
