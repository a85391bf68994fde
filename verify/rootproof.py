"""Receipts that lead from a village's entry to the root of its tree of ledgers (FORMAT §10).

    huzhu/root-proof@v1
    receipts <how many>
    bytes <length of the receipt>
    <an entry receipt>
    …

The first receipt is that of the entry. Each next one is of an ``anchor`` in the ledger above, whose ``checkpoint`` is
the very one that the receipt before it leads to. The last one's checkpoint is the root's, signed by a key that the
checker pins; so who trusts the root's key alone needs no other.

What is proven: the root's log holds its anchor, and the anchored logs hold the others and the entry. That an anchored
log is the one that the ledger of that name signed is the word of the ledger that anchored it, which its rules bind and
its audit shows; unless the checker pins a key of the ledger below, too: then that key must have signed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from chain.checkpoint import Checkpoint, open_checkpoint
from chain.encoding import format_decimal, parse_decimal, shown
from chain.entry import Entry
from chain.errors import ChainError, NoteError, ProofError
from chain.note import ED25519, verify_signature
from chain.policy import Policy
from chain.receipt import ENTRY_RECEIPT_MAX_BYTES, check_entry_receipt, parse_entry_receipt
from ledger.bodies import Anchor
from ledger.kinds import CODEC
from verify.receipts import ReceiptError, check_receipt

ROOT_PROOF_FIRST_BYTES = b"huzhu/root-proof@"
RECEIPTS_MAX = 8
"""Four tiers need four."""
ROOT_PROOF_MAX_BYTES = 64 + RECEIPTS_MAX * (32 + ENTRY_RECEIPT_MAX_BYTES)

_HEADER = "huzhu/root-proof@v1"
_LINE_MAX_BYTES = 64


@dataclass(frozen=True, slots=True)
class Step:
    """An entry under a checkpoint; of all but the first it is an anchor of the checkpoint of the step before."""

    checkpoint: Checkpoint
    index: int
    entry: Entry[Any]
    is_signed: bool
    """Whether a key that the checker pins signed the checkpoint; else it is the word of the ledger that anchors it."""


@dataclass(frozen=True, slots=True)
class ProvenToRoot:
    """The steps from the entry, the first, to the root's log, the last."""

    steps: tuple[Step, ...]

    @property
    def entry(self) -> Step:
        """What is proven."""
        return self.steps[0]

    @property
    def root(self) -> Step:
        """In the log whose key was pinned."""
        return self.steps[-1]

    @property
    def unsigned(self) -> tuple[str, ...]:
        """The ledgers of which no key was pinned."""
        return tuple(step.checkpoint.origin for step in self.steps if not step.is_signed)


def parse_root_proof(raw: bytes) -> tuple[bytes, ...]:
    """The receipts, each of which can be parsed, nothing of them verified; raises NoteError."""
    if len(raw) > ROOT_PROOF_MAX_BYTES:
        raise NoteError(f"a proof to the root has at most {ROOT_PROOF_MAX_BYTES} bytes, not {len(raw)}")
    header, place = _line(raw, 0)
    if header != _HEADER:
        raise NoteError(f"the proof does not begin with the line {_HEADER}")
    count, place = _number(raw, place, "receipts", RECEIPTS_MAX)
    if not count:
        raise NoteError("the proof holds no receipt")
    receipts = []
    for _receipt in range(count):
        length, start = _number(raw, place, "bytes", ENTRY_RECEIPT_MAX_BYTES)
        place = start + length
        receipts.append(raw[start:place])
        parse_entry_receipt(receipts[-1])
    if place != len(raw):
        raise NoteError("the proof goes on after its last receipt, or was cut off in it")
    return tuple(receipts)


def format_root_proof(receipts: Sequence[bytes]) -> bytes:
    """The bytes of a proof of these receipts, as ``format_entry_receipt`` wrote them; raises NoteError."""
    head = f"{_HEADER}\nreceipts {format_decimal(len(receipts))}\n".encode()
    raw = head + b"".join(b"bytes %d\n" % len(receipt) + receipt for receipt in receipts)
    parse_root_proof(raw)
    return raw


def check_root_proof(raw: bytes, policy: Policy) -> ProvenToRoot:
    """What the proof proves to somebody who trusts ``policy``; raises ReceiptError."""
    try:
        receipts = parse_root_proof(raw)
        steps = tuple(_check_step(receipt, policy) for receipt in receipts)
        for below, above in pairwise(steps):
            _check_anchor(below, above)
    except ChainError as error:
        raise ReceiptError(str(error)) from error
    check_receipt(receipts[-1], policy)
    return ProvenToRoot(steps)


def _check_step(raw: bytes, policy: Policy) -> Step:
    receipt = parse_entry_receipt(raw)
    checkpoint, note = open_checkpoint(receipt.checkpoint)
    pinned = [vkey for vkey in policy.logs if vkey.name == checkpoint.origin and vkey.type == ED25519]
    if pinned and not any(verify_signature(vkey, note.text, line) for vkey in pinned for line in note.signatures):
        raise NoteError(f"no pinned key of {checkpoint.origin} has signed the checkpoint")
    return Step(check_entry_receipt(receipt), receipt.index, CODEC.parse(receipt.extra), bool(pinned))


def _check_anchor(below: Step, above: Step) -> None:
    """Raise ProofError unless the one above anchors the checkpoint that the one below leads to."""
    body = above.entry.body
    origin = above.checkpoint.origin
    if not isinstance(body, Anchor):
        raise ProofError(f"entry {above.index} of {origin} is not an anchor but a {above.entry.kind}")
    anchored, _signed = open_checkpoint(body.checkpoint)
    if anchored != below.checkpoint or body.origin != anchored.origin:
        found = f"{anchored.origin} of size {anchored.size}"
        raise ProofError(
            f"entry {above.index} of {origin} anchors {found}, and not the checkpoint of "
            f"{below.checkpoint.origin} of size {below.checkpoint.size} to which the receipt below leads"
        )


def _number(raw: bytes, place: int, name: str, most: int) -> tuple[int, int]:
    """The number on the line ``name SP number`` at a place, and where the next line begins."""
    line, end = _line(raw, place)
    number = line.removeprefix(f"{name} ")
    if number == line:
        raise NoteError(f"{shown(line)} stands where the line `{name} …` is due")
    return parse_decimal(number, most), end


def _line(raw: bytes, place: int) -> tuple[str, int]:
    end = raw.find(b"\n", place, place + _LINE_MAX_BYTES)
    line = raw[place:end]
    if end < 0 or not line.isascii():
        raise NoteError("the proof is cut off, or has something else than ASCII in one of its own lines")
    return line.decode(), end + 1
