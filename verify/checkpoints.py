"""Checkpoints of one ledger: what each says of the log, and whose signatures on it are good (FORMAT §6, §12 step 2).

    check.begin(rows, executor)          # before the entries of a source are read
    check.at_size(size, root, sealed)    # as the audit reaches sizes
    check.settle()                       # after the last entry: waits for the signatures under way
    check.conclude(size, findings)       # at any time then: what there is to say if the log ends here

The newest checkpoint is *held*: it is judged by ``conclude``, and for good only when a newer one comes. Until then more
people may cosign it, and an audit that goes on later reads it again.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from itertools import islice
from typing import NamedTuple

import msgspec

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
from verify.kept import Kept, parse_kept

BATCH_CHECKPOINTS = 32
BATCHES_AHEAD = 16
COSIGNED_EARLIER_MAX_SECONDS = 600
"""How much older than its seal a cosignature of the checkpoint may be."""
NOT_PINNED = "the trust file pins no key of this log"


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


class Held(NamedTuple):
    """The newest checkpoint: its note as it was kept, and what the log is at its size."""

    size: int
    raw: bytes
    root: bytes
    sealed: Sealed | None
    known: int
    """How many keys were known at that size."""
    node: VerifierKey | None
    """The node's key in force at that size."""


class CheckpointRecord(msgspec.Struct, array_like=True):
    """A check at rest. Of the held checkpoint the note is enough: root and seal are those of the log so far."""

    known: list[VerifierKey] = []
    learnt: int = 0
    node: VerifierKey | None = None
    mldsa_keys: list[bytes] = []
    vouched: list[VerifierKey] = []
    newest: tuple[int, list[VerifierKey]] | None = None
    genesis_key: VerifierKey | None = None
    node_keys: list[bytes] = []
    last_size: int = 0
    held: bytes = b""


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
        self, origin: str, policy: Policy | None, admits: bool, findings: Findings, record: CheckpointRecord
    ) -> None:
        """``admits``: whether it is another ledger's to say that this one may be trusted."""
        self._origin = origin
        self._policy = policy
        self._admits = admits
        self._findings = findings
        self._rows: Iterator[tuple[int, bytes]] = iter(())
        self._row: tuple[int, bytes] | None = None
        self.next_size: float = math.inf
        """The size that the next checkpoint is kept under; infinite after the last."""
        self._executor: Executor | None = None
        self._known = {(vkey.name, vkey.hash): vkey for vkey in record.known or pinned_keys(policy, origin)}
        self._learnt = record.learnt
        self._node = record.node
        self._mldsa_keys = set(record.mldsa_keys)
        self._vouched = set(record.vouched)
        self._batch: list[Opened] = []
        self._under_way: deque[tuple[list[Opened], Future[Verified]]] = deque()
        self._newest = record.newest
        """The size of the newest checkpoint that could be read, and whose lines on it are good."""
        self._held: Held | None = None
        self._beyond = Findings(origin)
        """Of checkpoints that cover more entries than there are."""
        self._last_beyond = 0
        self.genesis_key = record.genesis_key
        self.node_keys = set(record.node_keys)
        """Every public key that has been the node's."""
        self._last_size = record.last_size
        """The largest size that a checkpoint was kept under."""

    def hold(self, size: int, raw: bytes, root: bytes, sealed: Sealed | None) -> None:
        """Take the checkpoint at ``size`` to be the newest one."""
        self._last_size = max(self._last_size, size)
        self._held = self._kept(size, raw, root, sealed)

    def _kept(self, size: int, raw: bytes, root: bytes, sealed: Sealed | None) -> Held:
        return Held(size, raw, root, sealed, len(self._known), self._node)

    @property
    def held_size(self) -> int:
        """The size of the newest checkpoint; 0 where there is none that the log's root agrees with."""
        return self._held.size if self._held is not None and _agrees(self._held, self._origin) else 0

    def record(self) -> CheckpointRecord:
        """The check, all but the held checkpoint judged. Called when the log is of just its size."""
        return CheckpointRecord(
            known=list(self._known.values()),
            learnt=self._learnt,
            node=self._node,
            mldsa_keys=sorted(self._mldsa_keys),
            vouched=sorted(self._vouched, key=lambda vkey: (vkey.name, vkey.hash)),
            newest=self._newest,
            genesis_key=self.genesis_key,
            node_keys=sorted(self.node_keys),
            last_size=self._last_size,
            held=self._held.raw if self._held is not None else b"",
        )

    def kept(self, name: str) -> Kept | None:
        """The held checkpoint as something kept, where the node has signed it."""
        if not self.held_size or self._held is None:
            return None
        kept = parse_kept(self._held.raw, name)
        return kept if kept.is_signed_by(self.node_keys) else None

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

    def begin(self, rows: Iterator[tuple[int, bytes]], executor: Executor | None) -> None:
        """Go on with ``rows``: from the held checkpoint on, which may have more lines by now, and need not come again.

        The log must be at the held checkpoint's size.
        """
        self._rows, self._executor = rows, executor
        self._beyond, self._last_beyond = Findings(self._origin), 0
        self._step()
        held = self._held
        if held is None:
            return
        while self._row is not None and self._row[0] <= held.size:
            if self._row[0] == held.size:
                self._held = held = held._replace(raw=self._row[1])
            self._step()
        if self._row is not None:
            self._judge_held()

    def at_size(self, size: int, root: bytes, sealed: Sealed | None) -> None:
        """Compare what is kept of the first ``size`` entries; ``sealed`` is None where the last closed no block."""
        while self._row is not None and self._row[0] <= size:
            kept_size, raw = self._row
            self._step()
            if self.next_size == math.inf and kept_size == size:
                self.hold(size, raw, root, sealed)
                return
            self._last_size = max(self._last_size, kept_size)
            self._add(self._compare(self._kept(kept_size, raw, root, sealed), self._findings))

    def settle(self) -> None:
        """Wait for all signatures."""
        self._verify_batch()
        while self._under_way:
            self._judge_next()

    def pass_beyond(self, size: int) -> None:
        """The source has no entry after the first ``size``, and whatever checkpoints are left."""
        while self._row is not None:
            kept_size, _ = self._row
            self._step()
            detail = "a checkpoint covers more entries than there are"
            self._beyond.add("log.truncated", detail, size - 1 if size else None, None, kept_size, size)
            self._last_beyond = max(self._last_beyond, kept_size)

    def conclude(self, findings: Findings) -> int:
        """Enter in ``findings`` what there is to say if the log ends here; the largest size that a checkpoint covers.

        What concerns the newest checkpoint, those beyond the log's end, and the keys that the auditor asks for.
        """
        vouched, newest = self._vouched, self._newest
        held = None if self._held is None else self._compare(self._held, findings)
        if held is not None:
            good = _judge(held, verify_lines(held.lines), findings)
            vouched, newest = vouched | _vouching(good), (held.checkpoint.size, good)
        findings.extend(self._beyond)
        last_size = max(self._last_size, self._last_beyond)
        if not last_size:
            findings.add("checkpoint.missing", "nothing on this log is vouched for: it has no checkpoint")
        self._judge_trust(vouched, newest, findings)
        return last_size

    def _step(self) -> None:
        self._row = next(self._rows, None)
        self.next_size = math.inf if self._row is None else self._row[0]

    def _judge_held(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._add(self._compare(held, self._findings))

    def _compare(self, held: Held, findings: Findings) -> Opened | None:
        """What can be told without verifying a signature; None where it cannot be read."""
        index = max(held.size - 1, 0)
        try:
            checkpoint, note = _open(held.raw, held.size, self._origin)
        except NoteError as error:
            findings.add("checkpoint.malformed", str(error), index)
            return None
        if checkpoint.root != held.root:
            detail = "the log has another root at this size"
            findings.add("checkpoint.root", detail, index, None, checkpoint.root.hex(), held.root.hex())
        if held.sealed is None:
            findings.add("checkpoint.not-at-seal", "the last entry under it is no seal that counts", index)
        known = self._known
        if held.known < len(known):
            known = dict(islice(known.items(), held.known))
        lines = list(_known_lines(checkpoint, note, known))
        if not any(line.vkey == held.node for line in lines):
            findings.add("checkpoint.signature", "the node's key in force has not signed it", index)
        return Opened(checkpoint, lines, held.sealed)

    def _add(self, opened: Opened | None) -> None:
        if opened is not None:
            self._batch.append(opened)
            if len(self._batch) >= BATCH_CHECKPOINTS:
                self._verify_batch()

    def _verify_batch(self) -> None:
        batch, self._batch = self._batch, []
        if not batch:
            return
        lines = [line for opened in batch for line in opened.lines]
        if self._executor is None:
            self._judge_batch(batch, verify_lines(lines))
            return
        self._under_way.append((batch, self._executor.submit(verify_lines, lines)))
        if len(self._under_way) > BATCHES_AHEAD:
            self._judge_next()

    def _judge_next(self) -> None:
        batch, future = self._under_way.popleft()
        self._judge_batch(batch, future.result())

    def _judge_batch(self, batch: list[Opened], verified: Verified) -> None:
        start = 0
        for opened in batch:
            times = verified[start : start + len(opened.lines)]
            start += len(opened.lines)
            good = _judge(opened, times, self._findings)
            self._vouched |= _vouching(good)
            self._newest = opened.checkpoint.size, good

    def _judge_trust(
        self, vouched: set[VerifierKey], newest: tuple[int, list[VerifierKey]] | None, findings: Findings
    ) -> None:
        """The keys and the quorum that the auditor asks for."""
        policy = self._policy
        if policy is None:
            return
        pinned = [vkey for vkey in policy.logs if vkey.name == self._origin]
        if policy.logs and not pinned and not self._admits:
            findings.add("checkpoint.signature", NOT_PINNED)
        for vkey in pinned:
            if vkey.public not in self.node_keys and vkey.public not in self._mldsa_keys:
                findings.add("checkpoint.signature", f"the log has never had the pinned key {vkey.hash.hex()}")
        if pinned and not any(vkey.type == ED25519 or vkey in vouched for vkey in pinned):
            # Genesis can name any ML-DSA-44 key: only a line by it shows that its owner knows this log.
            findings.add("checkpoint.signature", "no checkpoint here bears a good line by the pinned key")
        size, cosigned = newest or (0, [])
        names = {name for name, vkey in policy.witnesses if vkey in cosigned}
        if policy.quorum != NO_QUORUM and not quorum_met(policy, names):
            detail = f"the newest checkpoint lacks the quorum {policy.quorum!r} of the trust file"
            found = " ".join(sorted(names)) or "no cosignature that counts"
            findings.add("quorum.unmet", detail, max(size - 1, 0), None, policy.quorum, found)


def _judge(opened: Opened, times: Verified, findings: Findings) -> list[VerifierKey]:
    """Enter what the signatures show; the keys whose lines are good."""
    index = opened.checkpoint.size - 1
    good = []
    for line, time in zip(opened.lines, times, strict=True):
        if time is None:
            findings.add("checkpoint.signature", f"the signature by {line.vkey.name} does not verify", index)
            continue
        good.append(line.vkey)
        if time and opened.sealed is not None:
            _compare_times(index, line.vkey.name, time, opened.sealed, findings)
    return good


def _compare_times(index: int, name: str, cosigned_seconds: int, sealed: Sealed, findings: Findings) -> None:
    seconds = int(sealed.at.timestamp())
    if seconds - cosigned_seconds > COSIGNED_EARLIER_MAX_SECONDS:
        detail = f"{name} cosigned its checkpoint more than ten minutes before the seal's own time"
        findings.add("seal.time", detail, index, sealed.height, cosigned_seconds, seconds)


def _vouching(good: Iterable[VerifierKey]) -> set[VerifierKey]:
    """Those of type ML-DSA-44: a line by one shows that its owner knows the log that names it."""
    return {vkey for vkey in good if vkey.type == COSIGNATURE_MLDSA44}


def _agrees(held: Held, origin: str) -> bool:
    try:
        checkpoint, _note = _open(held.raw, held.size, origin)
    except NoteError:
        return False
    return checkpoint.root == held.root


def _open(raw: object, size: int, origin: str) -> tuple[Checkpoint, Note]:
    """Read what is kept under ``size``; raises NoteError where it says something else."""
    if not isinstance(raw, bytes):
        raise NoteError("it is not bytes")
    checkpoint, note = open_checkpoint(raw)
    if checkpoint.size != size or checkpoint.origin != origin:
        raise NoteError(f"it is of size {checkpoint.size} of {checkpoint.origin}, and kept as size {size} of {origin}")
    return checkpoint, note


def _known_lines(
    checkpoint: Checkpoint, note: Note, known: dict[tuple[str, bytes], VerifierKey]
) -> Iterator[Line]:
    for signature in note.signatures:
        vkey = known.get((signature.name, signature.hash))
        if vkey is not None:
            yield Line(vkey, checkpoint, note.text, signature)


def pinned_keys(policy: Policy | None, origin: str) -> Iterator[VerifierKey]:
    """The keys that a policy brings along for a log: its own that are pinned, and all witnesses'."""
    if policy is not None:
        yield from (vkey for vkey in policy.logs if vkey.name == origin)
        yield from (vkey for _, vkey in policy.witnesses)
