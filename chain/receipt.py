"""What a member takes home: receipts and promises (C2SP tlog-proof; FORMAT §3, §10).

An *entry receipt* proves that an entry is on the log: its bytes, its index, an inclusion proof, and the checkpoint that
the proof leads to.

    c2sp.org/tlog-proof@v1
    extra <base64 of the entry>
    index <leaf index>
    <base64 of a hash>        (a line each, from the leaf's side up)
                              (empty line)
    <the checkpoint, a signed note>

A *balance receipt* proves what an account held at a seal: the account's leaf of the state tree, its path to the seal's
``state``, and the entry receipt of that seal.

    huzhu/balance@v1
    leaf <base64 of the leaf>
    index <position>
    accounts <number of leaves of the state tree>
    genesis <base64 of the leaf hash of entry 0>
    <base64 of a hash>        (a line each)
                              (empty line)
    <the entry receipt of the seal>

``check_entry_receipt`` and ``check_balance_leaf`` check the hashes; nothing here checks a signature. A reader goes on
with the checkpoint's signatures (``chain.cosignature``), the seal's own signature, and what the seal says (FORMAT §10).

A *promise* comes before a receipt: the node's signed word, as a note, that an entry is on its disk at an index.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chain.checkpoint import CHECKPOINT_MAX_BYTES, Checkpoint, open_checkpoint, strip_cosignatures
from chain.encoding import format_base64, format_decimal, parse_base64, parse_decimal, shown
from chain.errors import NoteError, ProofError
from chain.fields import is_origin
from chain.keys import SigningKey
from chain.limits import ENTRY_MAX_BYTES, LOG_MAX_ENTRIES, ORIGIN_MAX_BYTES, PROOF_MAX_HASHES
from chain.merkle import HASH_BYTES, check_inclusion, leaf_hash
from chain.note import Note, VerifierKey, parse_note, sign_note_ed25519

BALANCE_LEAF_MAX_BYTES = 1_024
"""The leaf of FORMAT §7: an eight-digit or named account, two numbers, two words."""
HEAD_MAX_BYTES = 256 + (ENTRY_MAX_BYTES + 2) // 3 * 4 + PROOF_MAX_HASHES * ((HASH_BYTES + 2) // 3 * 4 + 1)
"""What stands before the empty line, of either receipt."""
ENTRY_RECEIPT_MAX_BYTES = HEAD_MAX_BYTES + 1 + CHECKPOINT_MAX_BYTES
BALANCE_RECEIPT_MAX_BYTES = HEAD_MAX_BYTES + 1 + ENTRY_RECEIPT_MAX_BYTES
PROMISE_TEXT_MAX_BYTES = ORIGIN_MAX_BYTES + 256

_ENTRY_HEADER = "c2sp.org/tlog-proof@v1"
_BALANCE_HEADER = "huzhu/balance@v1"
_PROMISE_HEADER = "huzhu/accepted/v1"
_PROMISE_LINES = 5


@dataclass(frozen=True, slots=True)
class EntryReceipt:
    """``extra`` is the entry's bytes, ``index`` its leaf index, ``checkpoint`` a signed note, byte for byte."""

    extra: bytes
    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class BalanceReceipt:
    """``leaf`` is the account's leaf, ``index`` its position among ``accounts`` leaves, ``seal`` the seal's receipt.

    ``genesis``, the leaf hash of entry 0, is part of what the seal's signature is over.
    """

    leaf: bytes
    index: int
    accounts: int
    genesis: bytes
    path: tuple[bytes, ...]
    seal: EntryReceipt


@dataclass(frozen=True, slots=True)
class Promise:
    """The log of ``origin`` with the genesis entry of leaf hash ``genesis`` holds, at ``index``, ``leaf_hash``."""

    origin: str
    genesis: bytes
    index: int
    leaf_hash: bytes


def parse_entry_receipt(raw: bytes) -> EntryReceipt:
    """The entry receipt that ``raw`` holds, nothing of it verified; raises NoteError."""
    lines, checkpoint = _split(raw, _ENTRY_HEADER, ("extra", "index"), ENTRY_RECEIPT_MAX_BYTES)
    open_checkpoint(checkpoint)
    return EntryReceipt(
        extra=parse_base64(lines[0], 1, ENTRY_MAX_BYTES),
        index=parse_decimal(lines[1], LOG_MAX_ENTRIES - 1),
        path=_parse_path(lines[2:]),
        checkpoint=checkpoint,
    )


def format_entry_receipt(receipt: EntryReceipt) -> bytes:
    """The bytes of an entry receipt; raises NoteError for one that ``parse_entry_receipt`` would refuse."""
    head = [
        _ENTRY_HEADER,
        f"extra {format_base64(receipt.extra)}",
        f"index {format_decimal(receipt.index)}",
        *map(format_base64, receipt.path),
    ]
    raw = _join(head, receipt.checkpoint)
    parse_entry_receipt(raw)
    return raw


def check_entry_receipt(receipt: EntryReceipt) -> Checkpoint:
    """The checkpoint that the entry is proven to be under, its signatures not verified.

    Raises ProofError where the proof does not lead there, NoteError where the checkpoint is none.
    """
    checkpoint, _ = open_checkpoint(receipt.checkpoint)
    check_inclusion(leaf_hash(receipt.extra), receipt.index, checkpoint.size, receipt.path, checkpoint.root)
    return checkpoint


def without_cosignatures(receipt: EntryReceipt, vkey: VerifierKey) -> EntryReceipt:
    """The receipt as a transfer's proof and its admissions are: signed by the node's key ``vkey`` alone (RULES §10).

    Raises NoteError where that key did not sign its checkpoint.
    """
    return replace(receipt, checkpoint=strip_cosignatures(receipt.checkpoint, vkey))


def parse_balance_receipt(raw: bytes) -> BalanceReceipt:
    """The balance receipt that ``raw`` holds, nothing of it verified; raises NoteError."""
    lines, seal = _split(raw, _BALANCE_HEADER, ("leaf", "index", "accounts", "genesis"), BALANCE_RECEIPT_MAX_BYTES)
    return BalanceReceipt(
        leaf=parse_base64(lines[0], 1, BALANCE_LEAF_MAX_BYTES),
        index=parse_decimal(lines[1], LOG_MAX_ENTRIES - 1),
        accounts=parse_decimal(lines[2], LOG_MAX_ENTRIES),
        genesis=parse_base64(lines[3], HASH_BYTES, HASH_BYTES),
        path=_parse_path(lines[4:]),
        seal=parse_entry_receipt(seal),
    )


def format_balance_receipt(receipt: BalanceReceipt) -> bytes:
    """The bytes of a balance receipt; raises NoteError for one that ``parse_balance_receipt`` would refuse."""
    head = [
        _BALANCE_HEADER,
        f"leaf {format_base64(receipt.leaf)}",
        f"index {format_decimal(receipt.index)}",
        f"accounts {format_decimal(receipt.accounts)}",
        f"genesis {format_base64(receipt.genesis)}",
        *map(format_base64, receipt.path),
    ]
    raw = _join(head, format_entry_receipt(receipt.seal))
    parse_balance_receipt(raw)
    return raw


def check_balance_leaf(receipt: BalanceReceipt, accounts: int, state: bytes) -> None:
    """Raise ProofError unless the account's leaf is under ``state``, the root over ``accounts`` leaves.

    Both are what the seal's entry says. A path alone can lead to a root from a wrong number of leaves just as well.
    """
    if receipt.accounts != accounts:
        raise ProofError(f"the receipt speaks of {receipt.accounts} accounts, its seal of {accounts}")
    check_inclusion(leaf_hash(receipt.leaf), receipt.index, receipt.accounts, receipt.path, state)


def parse_promise_text(text: str) -> Promise:
    """The promise that a note's text holds; raises NoteError."""
    if len(text) > PROMISE_TEXT_MAX_BYTES:
        raise NoteError(f"the promise's text is longer than {PROMISE_TEXT_MAX_BYTES} bytes")
    lines = text.split("\n")
    if len(lines) != _PROMISE_LINES + 1 or lines[-1] or lines[0] != _PROMISE_HEADER:
        raise NoteError(f"a promise has the line {_PROMISE_HEADER} and four more: origin, genesis, index and leaf hash")
    _, origin, genesis, index, hashed, _ = lines
    if not is_origin(origin):
        raise NoteError(f"{shown(origin)} is not an origin")
    return Promise(
        origin=origin,
        genesis=parse_base64(genesis, HASH_BYTES, HASH_BYTES),
        index=parse_decimal(index, LOG_MAX_ENTRIES - 1),
        leaf_hash=parse_base64(hashed, HASH_BYTES, HASH_BYTES),
    )


def format_promise_text(promise: Promise) -> str:
    """The text that the node signs; raises NoteError for one that ``parse_promise_text`` would refuse."""
    lines = (
        _PROMISE_HEADER,
        promise.origin,
        format_base64(promise.genesis),
        format_decimal(promise.index),
        format_base64(promise.leaf_hash),
    )
    text = "".join(f"{line}\n" for line in lines)
    parse_promise_text(text)
    return text


def sign_promise(promise: Promise, key: SigningKey) -> Note:
    """The promise file's note: signed by the node's key (type 0x01), named like the origin."""
    text = format_promise_text(promise)
    return Note(text, (sign_note_ed25519(text, promise.origin, key),))


class Promiser:
    """Signs a node's promises. What they have in common is written once: a node makes some thousand a second."""

    def __init__(self, origin: str, genesis: bytes, key: SigningKey) -> None:
        """Raises NoteError for an origin that no promise can name."""
        example = Promise(origin, genesis, 0, bytes(HASH_BYTES))
        lines = format_promise_text(example).split("\n")
        (signature,) = sign_promise(example, key).signatures
        self._head = "\n".join(lines[:3])
        self._name, self._hash, self._key = origin, signature.hash, key

    def __call__(self, index: int, leaf_hash: bytes) -> bytes:
        """The promise file for an entry, by its index and its leaf hash of 32 bytes."""
        text = f"{self._head}\n{format_decimal(index)}\n{format_base64(leaf_hash)}\n"
        line = format_base64(self._hash + self._key.sign(text.encode()))
        return f"{text}\n— {self._name} {line}\n".encode()


def open_promise(raw: bytes) -> tuple[Promise, Note]:
    """The promise in a signed note, and the note, its signatures not verified; raises NoteError."""
    note = parse_note(raw, PROMISE_TEXT_MAX_BYTES)
    return parse_promise_text(note.text), note


def _split(raw: bytes, header: str, keys: Sequence[str], maximum_bytes: int) -> tuple[list[str], bytes]:
    """The values behind ``keys`` and then the proof's lines, and what stands after the empty line."""
    if len(raw) > maximum_bytes:
        raise NoteError(f"a receipt has at most {maximum_bytes} bytes, not {len(raw)}")
    head, gap, rest = raw[: HEAD_MAX_BYTES + 1].partition(b"\n\n")
    if not gap or not head.isascii():
        raise NoteError("the receipt has no empty line after its proof, or something else than ASCII before it")
    if head.count(b"\n") > len(keys) + PROOF_MAX_HASHES:
        raise NoteError(f"a proof has at most {PROOF_MAX_HASHES} hashes")
    first, *lines = head.decode().split("\n")
    if first != header or len(lines) < len(keys):
        raise NoteError(f"the receipt does not begin with the lines {header}, {', '.join(keys)}")
    values = [_parse_pair(key, line) for key, line in zip(keys, lines, strict=False)]
    return values + lines[len(keys) :], rest + raw[HEAD_MAX_BYTES + 1 :]


def _parse_pair(key: str, line: str) -> str:
    value = line.removeprefix(f"{key} ")
    if value == line:
        raise NoteError(f"{shown(line)} stands where the line `{key} …` is due")
    return value


def _parse_path(lines: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(parse_base64(line, HASH_BYTES, HASH_BYTES) for line in lines)


def _join(head: Sequence[str], rest: bytes) -> bytes:
    return "\n".join(head).encode() + b"\n\n" + rest
