"""What one ledger says of others: hours that it sent, took, refused and got back, whom it admitted, what it anchored.

Gathered while a ledger is audited, from entries that are true, and laid beside those of other ledgers by
``verify.across`` (FORMAT §12 step 8). It is small, whatever the ledger's size, but for 40 bytes a seal: the root there,
to be compared with what a parent anchored.
"""

from bisect import bisect_left
from typing import Any

import msgspec

from chain.checkpoint import open_checkpoint
from chain.merkle import HASH_BYTES, leaf_hash
from chain.note import parse_vkey
from chain.receipt import parse_entry_receipt
from ledger.bodies import Anchor, OrgAdmit, OrgRetire, TransferBack, TransferIn, TransferOut, TransferRefuse
from ledger.numbers import parse_address

SIZE_BYTES = 8
SEAL_BYTES = SIZE_BYTES + HASH_BYTES


class Place(msgspec.Struct, array_like=True, frozen=True):
    """An entry of a ledger as a proof names it: ``leaf`` is its hash."""

    origin: str
    index: int
    leaf: bytes


class Sent(msgspec.Struct, array_like=True, frozen=True):
    """A ``transfer_out`` to an account of ``target``."""

    leaf: bytes
    target: str
    minutes: int


class Taken(msgspec.Struct, array_like=True, frozen=True):
    """A ``transfer_in`` of ``minutes``, or with None a ``transfer_refuse``, by a proof of ``sent``."""

    leaf: bytes
    sent: Place
    minutes: int | None


class Returned(msgspec.Struct, array_like=True, frozen=True):
    """A ``transfer_back`` of our ``transfer_out`` at ``sent_index``, by a proof of ``refusal``."""

    sent_index: int
    refusal: Place


class Admitted(msgspec.Struct, array_like=True, frozen=True):
    """An ``org_admit`` of the ledger that signs by ``public``; whether it holds, or an ``org_retire`` followed."""

    index: int
    public: bytes
    holds: bool = True


class AnchoredAt(msgspec.Struct, array_like=True, frozen=True):
    """An ``anchor``: the entry at ``index`` says what root another ledger had at ``size``."""

    index: int
    origin: str
    size: int
    root: bytes


class ShownAt(msgspec.Struct, array_like=True, frozen=True):
    """The proof in the entry at ``index`` shows a checkpoint that another ledger signed: its root at ``size``."""

    index: int
    origin: str
    size: int
    root: bytes


class Ties(msgspec.Struct):
    """What ties one ledger to others."""

    origin: str
    size: int = 0
    parent: str | None = None
    parent_vkey: str | None = None
    node_keys: list[bytes] = []
    """Every public key that has been its node's."""
    bridge: int = 0
    """Minutes: the balance of ``bridge``."""
    sent: dict[int, Sent] = {}
    taken: dict[int, Taken] = {}
    returned: dict[int, Returned] = {}
    admitted: dict[str, list[Admitted]] = {}
    anchors: list[AnchoredAt] = []
    shown: dict[str, ShownAt] = {}
    """Of each checkpoint in proofs and admissions, by its text, the first entry that carries it."""
    seals: bytearray = msgspec.field(default_factory=bytearray)
    """For each seal the size that it made, in eight bytes, and the root of all entries up to it."""

    def add_seal(self, size: int, root: bytes) -> None:
        """The log had this root after a seal that closed its block."""
        self.seals += size.to_bytes(SIZE_BYTES, "big") + root

    def root_at(self, size: int) -> bytes | None:
        """The root at a size, where a seal that closed its block made it."""
        seals = self.seals
        place = bisect_left(range(len(seals) // SEAL_BYTES), size, key=lambda each: _size_in(seals, each))
        start = place * SEAL_BYTES
        is_there = start < len(seals) and _size_in(seals, place) == size
        return bytes(seals[start + SIZE_BYTES : start + SEAL_BYTES]) if is_there else None

    def last_seal(self) -> tuple[int, bytes] | None:
        """The size and the root at the last seal that closed its block."""
        last = self.seals[-SEAL_BYTES:]
        return (_size_in(last, 0), bytes(last[SIZE_BYTES:])) if last else None

    def take(self, index: int, body: Any, hashed: bytes) -> None:
        """Take in an entry of one of ``KINDS`` that is true; ``hashed`` is its leaf."""
        if isinstance(body, TransferIn | TransferRefuse | TransferBack):
            for receipt in (body.proof, *body.admissions):
                checkpoint, note = open_checkpoint(parse_entry_receipt(receipt).checkpoint)
                shown = ShownAt(index, checkpoint.origin, checkpoint.size, checkpoint.root)
                self.shown.setdefault(note.text, shown)
        match body:
            case TransferOut():
                address = parse_address(body.to)
                self.sent[index] = Sent(hashed, address[0] if address else "", body.minutes)
            case TransferIn():
                self.taken[index] = Taken(hashed, _place(body.proof), body.minutes)
            case TransferRefuse():
                self.taken[index] = Taken(hashed, _place(body.proof), None)
            case TransferBack():
                self.returned[index] = Returned(body.index, _place(body.proof))
            case OrgAdmit():
                public = parse_vkey(body.vkey).public
                self.admitted.setdefault(body.origin, []).append(Admitted(index, public))
            case OrgRetire():
                admissions = self.admitted[body.origin]
                admissions[-1] = msgspec.structs.replace(admissions[-1], holds=False)
            case Anchor():
                checkpoint, _note = open_checkpoint(body.checkpoint)
                self.anchors.append(AnchoredAt(index, body.origin, checkpoint.size, checkpoint.root))


KINDS = frozenset(
    ("transfer_out", "transfer_in", "transfer_refuse", "transfer_back", "org_admit", "org_retire", "anchor")
)
"""Those that ``Ties.take`` takes in."""


def _place(proof: bytes) -> Place:
    receipt = parse_entry_receipt(proof)
    checkpoint, _note = open_checkpoint(receipt.checkpoint)
    return Place(checkpoint.origin, receipt.index, leaf_hash(receipt.extra))


def _size_in(seals: bytearray, place: int) -> int:
    start = place * SEAL_BYTES
    return int.from_bytes(seals[start : start + SIZE_BYTES], "big")
