"""An audit at rest: what it has to remember to go on with new entries alone, as bytes.

    huzhu/audit/v2 LF ‖ size (8 bytes) ‖ SHA-256 of the rest (32 bytes) ‖ MessagePack of a ``Record``

It is the auditor's own: whoever can write it can make the next audit believe anything. It is checked all the same,
since disks rot and files are taken for others: version, hash, origin, the keys it was judged by, and that the entries
it counts make the root of the newest checkpoint that it saw.
"""

from collections import Counter
from hashlib import sha256

import msgspec

from chain.checkpoint import open_checkpoint
from chain.errors import ChainError
from chain.merkle import HASH_BYTES, Frontier
from chain.sheet import NO_GENESIS
from ledger.state import State, freeze, thaw
from ledger.suspicions import Watch, thaw_watch
from verify.checkpoints import CheckpointRecord
from verify.finding import Finding, Findings
from verify.ties import Ties

FORM = b"huzhu/audit/v2\n"
"""Another one with every change of what an audit remembers or finds."""

FROZEN_MAX_BYTES = 2**30
"""Room for some ten million entries; what is larger is not read."""


SIZE_BYTES = 8
HEAD_BYTES = len(FORM) + SIZE_BYTES + HASH_BYTES


class AuditStateError(Exception):
    """These bytes are no audit that can go on. The text says why, and the audit begins at the first entry."""


class Record(msgspec.Struct, kw_only=True):
    """What an audit of a ledger remembers; the defaults are its beginning."""

    origin: str
    keys: tuple[str, ...] = ()
    """The keys that the auditor brought along, and judged signatures by."""
    state: bytes = b""
    nodes: bytes = b""
    """The complete subtrees of the tree of entries, the largest first."""
    genesis: bytes = NO_GENESIS
    groups: bytes = b""
    group: bytes = b""
    kinds: dict[str, int] = {}
    publics: dict[str, bytes] = {}
    state_root: bytes = b""
    listed: list[Finding] = []
    counts: dict[str, int] = {}
    checkpoints: CheckpointRecord = msgspec.field(default_factory=CheckpointRecord)
    watch: bytes = b""
    ties: Ties | None = None

    def thaw_state(self) -> State:
        return thaw(self.state) if self.state else State(origin=self.origin)

    def thaw_watch(self) -> Watch:
        return thaw_watch(self.watch) if self.watch else Watch()

    def findings(self) -> Findings:
        return Findings(self.origin, list(self.listed), Counter(self.counts))

    def frontier(self, size: int) -> Frontier:
        return Frontier(size, split(self.nodes))


def freeze_state(state: State) -> bytes:
    """The ledger's state for ``Record.state``."""
    return freeze(state)


def split(hashes: bytes) -> list[bytes]:
    """Hashes that lie side by side."""
    return [hashes[start : start + HASH_BYTES] for start in range(0, len(hashes), HASH_BYTES)]


def frozen_size(raw: bytes) -> int:
    """From which entry on an audit at rest would go on, by its own word; 0 where it cannot."""
    return int.from_bytes(raw[len(FORM) : len(FORM) + SIZE_BYTES], "big") if raw.startswith(FORM) else 0


def format_record(record: Record, size: int) -> bytes:
    """The bytes of an audit at rest; none where there are too many to be read again."""
    payload = msgspec.msgpack.encode(record)
    if len(payload) > FROZEN_MAX_BYTES:
        return b""
    return FORM + size.to_bytes(SIZE_BYTES, "big") + sha256(payload).digest() + payload


def parse_record(raw: bytes, origin: str, keys: tuple[str, ...]) -> tuple[Record, State]:
    """The audit at rest, and the state in it; raises AuditStateError where it cannot go on for ``origin``."""
    if not raw.startswith(FORM):
        raise AuditStateError("it is of another version of this program")
    if len(raw) > HEAD_BYTES + FROZEN_MAX_BYTES:
        raise AuditStateError("it is too large")
    payload = memoryview(raw)[HEAD_BYTES:]
    if sha256(payload).digest() != raw[HEAD_BYTES - HASH_BYTES : HEAD_BYTES]:
        raise AuditStateError("it is damaged")
    try:
        record = msgspec.msgpack.decode(payload, type=Record)
        state = record.thaw_state()
        checkpoint, _note = open_checkpoint(record.checkpoints.held)
        root = record.frontier(state.size).root() if frozen_size(raw) == state.size else b""
    except (msgspec.DecodeError, ChainError) as error:
        raise AuditStateError(f"it cannot be read: {error}") from error
    if record.origin != origin:
        raise AuditStateError(f"it is of the ledger {record.origin}")
    if record.keys != keys:
        raise AuditStateError("it was made with other pinned keys or witnesses")
    if (checkpoint.origin, checkpoint.size, checkpoint.root) != (origin, frozen_size(raw), root):
        raise AuditStateError("its entries do not make the root of its newest checkpoint")
    return record, state
