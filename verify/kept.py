"""What an auditor kept from before, and what it proves against a log of today (FORMAT §12 step 7).

A checkpoint, a receipt or a promise: each is the node's signed word about a log that may only have grown since.
``parse_kept`` reads any of the three; ``KeptCheck`` compares them as the audit passes by.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from chain.checkpoint import Checkpoint, open_checkpoint
from chain.errors import ChainError, NoteError
from chain.merkle import leaf_hash
from chain.note import ED25519, Note, make_vkey, verify_signature
from chain.receipt import (
    Promise,
    check_entry_receipt,
    open_promise,
    parse_balance_receipt,
    parse_entry_receipt,
)
from verify.finding import Findings
from verify.receipts import BALANCE_FIRST_BYTES, ENTRY_FIRST_BYTES

PROMISE_FIRST_BYTES = b"huzhu/accepted/"
KEPT_MAX_BYTES = 2**22


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing kept: a checkpoint (of a receipt, too) or a promise, with the note that was signed."""

    name: str
    """The file's name, for the report."""
    note: Note
    checkpoint: Checkpoint | None = None
    leaf: tuple[int, bytes] | None = None
    """An entry's index and leaf hash."""
    promise: Promise | None = None

    @property
    def index(self) -> int:
        """The last entry that it speaks of."""
        if self.promise is not None:
            return self.promise.index
        return max(self.checkpoint.size - 1, 0) if self.checkpoint else 0

    def is_signed_by(self, node_keys: Iterable[bytes]) -> bool:
        """Whether one of the node's keys has signed it."""
        keys = [make_vkey(self.origin, ED25519, public) for public in node_keys]
        return any(
            key.made(line) and verify_signature(key, self.note.text, line)
            for key in keys
            for line in self.note.signatures
        )

    @property
    def origin(self) -> str:
        return self.promise.origin if self.promise is not None else self.checkpoint.origin if self.checkpoint else ""


def parse_kept(raw: bytes, name: str) -> Kept:
    """Read a checkpoint, an entry or balance receipt, or a promise; raises NoteError or ProofError."""
    if len(raw) > KEPT_MAX_BYTES:
        raise NoteError(f"{name} is too large for a checkpoint, a receipt or a promise")
    if raw.startswith(PROMISE_FIRST_BYTES):
        promise, note = open_promise(raw)
        return Kept(name, note, leaf=(promise.index, promise.leaf_hash), promise=promise)
    try:
        if raw.startswith(ENTRY_FIRST_BYTES):
            receipt = parse_entry_receipt(raw)
        elif raw.startswith(BALANCE_FIRST_BYTES):
            receipt = parse_balance_receipt(raw).seal
        else:
            checkpoint, note = open_checkpoint(raw)
            return Kept(name, note, checkpoint)
        checkpoint = check_entry_receipt(receipt)
        _, note = open_checkpoint(receipt.checkpoint)
        return Kept(name, note, checkpoint, (receipt.index, leaf_hash(receipt.extra)))
    except ChainError as error:
        raise NoteError(f"{name} is no checkpoint, receipt or promise: {error}") from error


class KeptCheck:
    """Compares what was kept with the log as it is read."""

    def __init__(self, kept: tuple[Kept, ...], origin: str) -> None:
        self._own = [item for item in kept if item.origin == origin]
        self._by_size: dict[int, list[Kept]] = {}
        self._by_index: dict[int, list[Kept]] = {}
        for item in self._own:
            if item.checkpoint is not None:
                self._by_size.setdefault(item.checkpoint.size, []).append(item)
            if item.leaf is not None:
                self._by_index.setdefault(item.leaf[0], []).append(item)

    def __bool__(self) -> bool:
        return bool(self._own)

    def at_leaf(self, index: int, hashed: bytes, genesis: bytes, findings: Findings) -> None:
        """Compare the entry at ``index``."""
        for item in self._by_index.pop(index, ()):
            same_ledger = item.promise is None or item.promise.genesis == genesis
            if item.leaf is not None and (item.leaf[1] != hashed or not same_ledger):
                code = "log.fork" if item.promise is None else "log.promise-broken"
                what = "shows another entry here" if same_ledger else "is of another genesis"
                detail = f"{item.name} {what}"
                findings.add(code, detail, index, None, item.leaf[1].hex(), hashed.hex())

    def at_size(self, size: int, root: bytes, findings: Findings) -> None:
        """Compare the root of the first ``size`` entries."""
        for item in self._by_size.pop(size, ()):
            if item.checkpoint is not None and item.checkpoint.root != root:
                detail = f"{item.name} has another root of the first {size} entries: the log was rewritten"
                findings.add("log.fork", detail, max(size - 1, 0), None, item.checkpoint.root.hex(), root.hex())

    def is_due(self, size: int) -> bool:
        """Whether a root of that size is to be compared."""
        return size in self._by_size

    def finish(self, size: int, node_keys: set[bytes], findings: Findings) -> None:
        """What was not reached: the log is shorter than it was. What the node never signed: worth nothing."""
        for kept_size, items in self._by_size.items():
            for item in items:
                detail = f"{item.name} is of a longer log: it was cut back"
                findings.add("log.rollback", detail, size - 1 if size else None, None, kept_size, size)
        for indexes in self._by_index.values():
            for item in indexes:
                if item.promise is not None:
                    detail = f"{item.name} promises an entry that the log does not have"
                    promised = item.promise.index
                    expected, found = f"entry {promised}", f"a ledger of {size} entries"
                    findings.add("log.promise-broken", detail, promised, None, expected, found)
        for item in self._own:
            if not item.is_signed_by(node_keys):
                detail = f"{item.name} is not signed by a key that this log has had"
                findings.add("checkpoint.signature", detail, item.index)
