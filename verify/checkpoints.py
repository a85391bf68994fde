"""Checkpoints of one ledger: what each says of the log, and whose signatures on it are good (FORMAT §6, §12 step 2).

``CheckpointCheck.at_size`` is called as the audit reaches sizes; signatures are verified in batches by the executor,
and what they show comes in later, at ``finish`` at the latest.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from itertools import islice
from typing import NamedTuple

from chain.checkpoint import Checkpoint, open_checkpoint
from chain.cosignature import member_name, verify_cosignature
from chain.errors import NoteError
from chain.fields import Time
from chain.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    ED25519,
    Note,
    NoteSignature,
    VerifierKey,
    make_vkey,
    verify_signature,
)
from chain.policy import NO_QUORUM, Policy, quorum_met
from ledger.roster import MEMBER, NODE
from ledger.state import State
from verify.finding import Findings

BATCH_CHECKPOINTS = 32
BATCHES_AHEAD = 16
COSIGNED_EARLIER_MAX_SECONDS = 600
"""How much older than its seal a cosignature of the checkpoint may be."""


class Line(NamedTuple):
    """One signature line to verify."""

    vkey: VerifierKey
    checkpoint: Checkpoint
    text: str
    signature: NoteSignature


class Sealed(NamedTuple):
    """What the seal under a checkpoint says: its height and its time."""

    height: int
    at: Time


class Opened(NamedTuple):
    """A checkpoint that could be read, the lines on it by known keys, and its seal, where there is one."""

    checkpoint: Checkpoint
    lines: list[Line]
    sealed: Sealed | None


Verified = list[int | None]
"""For each line None where it does not verify; else its time in POSIX seconds, 0 where it has none."""


def verify_lines(lines: Sequence[Line]) -> Verified:
    """Verify signature lines; a pure function for any worker."""
    return [_verify_line(line) for line in lines]


def _verify_line(line: Line) -> int | None:
    if line.vkey.type == ED25519:
        return 0 if verify_signature(line.vkey, line.text, line.signature) else None
    return verify_cosignature(line.vkey, line.checkpoint, line.signature)


class CheckpointCheck:
    """Compares the checkpoints of one ledger, which come in order of the size they are kept under."""

    def __init__(
        self,
        rows: Iterator[tuple[int, bytes]],
        origin: str,
        policy: Policy | None,
        findings: Findings,
        executor: Executor | None,
    ) -> None:
        self._rows = rows
        self._row: tuple[int, bytes] | None = None
        self.next_size: float = 0
        """The size that the next checkpoint is kept under; infinite after the last."""
        self._step()
        self._origin = origin
        self._policy = policy
        self._findings = findings
        self._executor = executor
        self._known = {(vkey.name, vkey.hash): vkey for vkey in _pinned(policy, origin)}
        self._learnt = 0
        self._node: VerifierKey | None = None
        self._mldsa_keys: set[bytes] = set()
        self._vouched: set[VerifierKey] = set()
        self._batch: list[Opened] = []
        self._under_way: deque[tuple[list[Opened], Future[Verified]]] = deque()
        self._newest: tuple[Opened, Verified] | None = None
        self.genesis_key: VerifierKey | None = None
        self.node_keys: set[bytes] = set()
        """Every public key that has been the node's."""
        self.last_size = 0
        """The largest size that a checkpoint was kept under."""

    def learn(self, state: State) -> None:
        """Take over the keys that the log has brought in since the last call. Called after each new key of the node."""
        keys = state.roster.keys
        new, self._learnt = len(keys) - self._learnt, len(keys)
        for key in islice(reversed(keys.values()), new):
            if key.role == NODE:
                self._node = self._know(make_vkey(self._origin, ED25519, key.public))
                self.node_keys.add(key.public)
                self.genesis_key = self.genesis_key or self._node
                if state.mldsa is not None:
                    self._mldsa_keys.add(state.mldsa)
                    self._know(make_vkey(self._origin, COSIGNATURE_MLDSA44, state.mldsa))
            elif key.role == MEMBER:
                self._know(make_vkey(member_name(self._origin, key.id), COSIGNATURE_ED25519, key.public))

    def _know(self, vkey: VerifierKey) -> VerifierKey:
        self._known.setdefault((vkey.name, vkey.hash), vkey)
        return vkey

    def at_size(self, size: int, root: bytes, sealed: Sealed | None) -> None:
        """Compare what is kept of the first ``size`` entries; ``sealed`` is None where the last closed no block."""
        while self._row is not None and self._row[0] <= size:
            kept_size, raw = self._row
            self._step()
            self.last_size = max(self.last_size, kept_size)
            self._compare(kept_size, raw, root, sealed)

    def finish(self, size: int) -> None:
        """Wait for all signatures; then what concerns the newest checkpoint, and those beyond the log's end."""
        self._verify_batch()
        while self._under_way:
            self._judge_next()
        while self._row is not None:
            kept_size, _ = self._row
            self._step()
            detail = "a checkpoint covers more entries than there are"
            self._findings.add("log.truncated", detail, size - 1 if size else None, None, kept_size, size)
            self.last_size = max(self.last_size, kept_size)
        if not self.last_size:
            self._findings.add("checkpoint.missing", "nothing on this log is vouched for: it has no checkpoint")
        self._judge_trust()

    def _step(self) -> None:
        self._row = next(self._rows, None)
        self.next_size = math.inf if self._row is None else self._row[0]

    def _compare(self, size: int, raw: object, root: bytes, sealed: Sealed | None) -> None:
        index = max(size - 1, 0)
        try:
            checkpoint, note = _open(raw, size, self._origin)
        except NoteError as error:
            self._findings.add("checkpoint.malformed", str(error), index)
            return
        if checkpoint.root != root:
            detail = "the log has another root at this size"
            self._findings.add("checkpoint.root", detail, index, None, checkpoint.root.hex(), root.hex())
        if sealed is None:
            self._findings.add("checkpoint.not-at-seal", "the last entry under it is no seal that counts", index)
        lines = list(_known_lines(checkpoint, note, self._known))
        if not any(line.vkey == self._node for line in lines):
            self._findings.add("checkpoint.signature", "the node's key in force has not signed it", index)
        self._batch.append(Opened(checkpoint, lines, sealed))
        if len(self._batch) >= BATCH_CHECKPOINTS:
            self._verify_batch()

    def _verify_batch(self) -> None:
        batch, self._batch = self._batch, []
        lines = [line for opened in batch for line in opened.lines]
        if self._executor is None:
            self._judge(batch, verify_lines(lines))
            return
        self._under_way.append((batch, self._executor.submit(verify_lines, lines)))
        if len(self._under_way) > BATCHES_AHEAD:
            self._judge_next()

    def _judge_next(self) -> None:
        batch, future = self._under_way.popleft()
        self._judge(batch, future.result())

    def _judge(self, batch: list[Opened], verified: Verified) -> None:
        start = 0
        for opened in batch:
            times = verified[start : start + len(opened.lines)]
            start += len(opened.lines)
            self._newest = (opened, times)
            index = opened.checkpoint.size - 1
            for line, time in zip(opened.lines, times, strict=True):
                if time is None:
                    detail = f"the signature by {line.vkey.name} does not verify"
                    self._findings.add("checkpoint.signature", detail, index)
                    continue
                if line.vkey.type == COSIGNATURE_MLDSA44:
                    self._vouched.add(line.vkey)
                if time and opened.sealed is not None:
                    self._compare_times(index, line.vkey.name, time, opened.sealed)

    def _compare_times(self, index: int, name: str, cosigned_seconds: int, sealed: Sealed) -> None:
        seconds = int(sealed.at.timestamp())
        if seconds - cosigned_seconds > COSIGNED_EARLIER_MAX_SECONDS:
            detail = f"{name} cosigned its checkpoint more than ten minutes before the seal's own time"
            self._findings.add("seal.time", detail, index, sealed.height, cosigned_seconds, seconds)

    def _judge_trust(self) -> None:
        """The keys and the quorum that the auditor asks for."""
        policy = self._policy
        if policy is None:
            return
        pinned = [vkey for vkey in policy.logs if vkey.name == self._origin]
        if policy.logs and not pinned:
            self._findings.add("checkpoint.signature", "the trust file pins no key of this log")
        for vkey in pinned:
            if vkey.public not in self.node_keys and vkey.public not in self._mldsa_keys:
                self._findings.add("checkpoint.signature", f"the log has never had the pinned key {vkey.hash.hex()}")
        if pinned and not any(vkey.type == ED25519 or vkey in self._vouched for vkey in pinned):
            # Genesis can name any ML-DSA-44 key: only a line by it shows that its owner knows this log.
            self._findings.add("checkpoint.signature", "no checkpoint here bears a good line by the pinned key")
        cosigned = {line.vkey for line in _good_lines(self._newest)}
        names = {name for name, vkey in policy.witnesses if vkey in cosigned}
        if policy.quorum != NO_QUORUM and not quorum_met(policy, names):
            size = self._newest[0].checkpoint.size if self._newest is not None else 0
            detail = f"the newest checkpoint lacks the quorum {policy.quorum!r} of the trust file"
            found = " ".join(sorted(names)) or "no cosignature that counts"
            self._findings.add("quorum.unmet", detail, max(size - 1, 0), None, policy.quorum, found)


def _open(raw: object, size: int, origin: str) -> tuple[Checkpoint, Note]:
    """Read what is kept under ``size``; raises NoteError where it says something else."""
    if not isinstance(raw, bytes):
        raise NoteError("it is not bytes")
    checkpoint, note = open_checkpoint(raw)
    if checkpoint.size != size or checkpoint.origin != origin:
        raise NoteError(f"it is of size {checkpoint.size} of {checkpoint.origin}, and kept as size {size} of {origin}")
    return checkpoint, note


def _good_lines(newest: tuple[Opened, Verified] | None) -> list[Line]:
    if newest is None:
        return []
    opened, times = newest
    return [line for line, time in zip(opened.lines, times, strict=True) if time is not None]


def _known_lines(
    checkpoint: Checkpoint, note: Note, known: dict[tuple[str, bytes], VerifierKey]
) -> Iterator[Line]:
    for signature in note.signatures:
        vkey = known.get((signature.name, signature.hash))
        if vkey is not None:
            yield Line(vkey, checkpoint, note.text, signature)


def _pinned(policy: Policy | None, origin: str) -> Iterator[VerifierKey]:
    if policy is not None:
        yield from (vkey for vkey in policy.logs if vkey.name == origin)
        yield from (vkey for _, vkey in policy.witnesses)
