"""What one ledger says of others: hours that it sent, took, refused and got back, whom it admitted, what it anchored.

Gathered while a ledger is audited, from entries that are true, and laid beside those of other ledgers by
``verify.across`` (FORMAT §12 step 8). It is small, whatever the ledger's size, but for 40 bytes a seal: the root there,
to be compared with what a parent anchored.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

import msgspec

from chain.checkpoint import Checkpoint, format_checkpoint_text, open_checkpoint
from chain.keys import SIGNATURE_BYTES, verify_ed25519
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
    seconds: int
    """The log's time at the entry."""


class Returned(msgspec.Struct, array_like=True, frozen=True):
    """A ``transfer_back`` of our ``transfer_out`` at ``sent_index``, by a proof of ``refusal``."""

    sent_index: int
    refusal: Place
    seconds: int


class Admitted(msgspec.Struct, array_like=True, frozen=True):
    """An ``org_admit`` of a ledger of a tier that signs by ``public``; whether it holds, or an ``org_retire`` came."""

    index: int
    public: bytes
    tier: str
    holds: bool = True


class ShownAt(msgspec.Struct, array_like=True, frozen=True):
    """The ``anchor`` or the proof in the entry at ``index`` shows a checkpoint of another ledger: its root at ``size``.

    Whose ``signatures`` they are is looked at where that ledger has another root: a log of its name may have made them.
    """

    index: int
    origin: str
    size: int
    root: bytes
    seconds: int
    """The log's time at the entry."""
    signatures: tuple[bytes, ...]

    def is_signed_by(self, node_keys: Iterable[bytes]) -> bool:
        """Whether one of a ledger's node keys made one of the signatures."""
        text = format_checkpoint_text(Checkpoint(self.origin, self.size, self.root)).encode()
        return any(verify_ed25519(public, text, signature) for public in node_keys for signature in self.signatures)


class Ties(msgspec.Struct):
    """What ties one ledger to others."""

    origin: str
    size: int = 0
    sealed_seconds: int = 0
    """When it was last sealed."""
    tier: str = ""
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
    anchors: list[ShownAt] = []
    shown: dict[str, ShownAt] = {}
    """Of each checkpoint in proofs and admissions, by its signed note, the first entry that carries it."""
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

    def take(self, index: int, body: Any, hashed: bytes, seconds: int) -> None:
        """Take in an entry of one of ``KINDS`` that is true; ``hashed`` is its leaf, ``seconds`` the log's time."""
        if isinstance(body, TransferIn | TransferRefuse | TransferBack):
            for receipt in (body.proof, *body.admissions):
                note = parse_entry_receipt(receipt).checkpoint
                if note.decode() not in self.shown:
                    self.shown[note.decode()] = _shown(index, seconds, note)
        match body:
            case TransferOut():
                address = parse_address(body.to)
                self.sent[index] = Sent(hashed, address[0] if address else "", body.minutes)
            case TransferIn():
                self.taken[index] = Taken(hashed, _place(body.proof), body.minutes, seconds)
            case TransferRefuse():
                self.taken[index] = Taken(hashed, _place(body.proof), None, seconds)
            case TransferBack():
                self.returned[index] = Returned(body.index, _place(body.proof), seconds)
            case OrgAdmit():
                public = parse_vkey(body.vkey).public
                self.admitted.setdefault(body.origin, []).append(Admitted(index, public, body.tier))
            case OrgRetire():
                admissions = self.admitted[body.origin]
                admissions[-1] = msgspec.structs.replace(admissions[-1], holds=False)
            case Anchor():
                self.anchors.append(_shown(index, seconds, body.checkpoint))


KINDS = frozenset(
    ("transfer_out", "transfer_in", "transfer_refuse", "transfer_back", "org_admit", "org_retire", "anchor")
)
"""Those that ``Ties.take`` takes in."""


def _shown(index: int, seconds: int, raw: bytes) -> ShownAt:
    """The checkpoint with the Ed25519 signatures that bear its origin's name."""
    checkpoint, note = open_checkpoint(raw)
    own = (line for line in note.signatures if line.name == checkpoint.origin)
    signatures = tuple(line.signature for line in own if len(line.signature) == SIGNATURE_BYTES)
    return ShownAt(index, checkpoint.origin, checkpoint.size, checkpoint.root, seconds, signatures)


def _place(proof: bytes) -> Place:
    receipt = parse_entry_receipt(proof)
    checkpoint, _note = open_checkpoint(receipt.checkpoint)
    return Place(checkpoint.origin, receipt.index, leaf_hash(receipt.extra))


def _size_in(seals: bytearray, place: int) -> int:
    start = place * SEAL_BYTES
    return int.from_bytes(seals[start : start + SIZE_BYTES], "big")
