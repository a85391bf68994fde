"""The audit of one ledger: one pass over its entries, in bounded memory (FORMAT §12).

    report = audit_ledger(source, trust)           # all of it, at once

    audit = LedgerAudit(origin, trust)             # or in parts
    audit.take(source)
    audit.report()                                 # as often as one likes
    raw = audit.freeze()                           # as of the newest checkpoint
    audit = thaw_audit(raw, origin, trust)         # and later on from there: only new rows are read
    audit.take(source)

Workers judge entries alone (``verify.check``); this module takes their verdicts in order, replays what is good,
compares every seal and checkpoint with what came out, and reports all that differs. The executor is handed in; None
runs all of it here. However the log is cut into parts, the report is the same.
"""

import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any

from chain.block import SEAL, Seal
from chain.entry import Entry, Statement
from chain.fields import Time, format_time
from chain.limits import BLOCK_MAX_ENTRIES
from chain.merkle import HASH_BYTES, leaf_hash
from chain.note import VerifierKey, format_vkey
from chain.policy import Policy
from ledger.kinds import CODEC
from ledger.numbers import BRIDGE
from ledger.replay import OnAdmitted, Replay
from ledger.roster import NODE
from ledger.signing import Claim
from ledger.state import OnLeg, State
from ledger.suspicions import Suspicion
from verify.again import Remembered
from verify.check import CHUNK_BYTES, CHUNK_ENTRIES, Checked, Chunk, Verdict, check_chunk, keys_in
from verify.checkpoints import CheckpointCheck, Sealed, pinned_keys
from verify.finding import Finding
from verify.frozen import AuditStateError, Record, format_record, freeze_state, parse_record, split
from verify.kept import Kept, KeptCheck
from verify.source import Source
from verify.sums import Totals, compare_sums, totals_of
from verify.ties import KINDS as TIES
from verify.ties import Ties

CHUNKS_AHEAD_PER_WORKER = 3
KEYS_COPIED_MAX = 4_096
"""Up to so many public keys go along with every chunk; of more, those that it names."""

_KEY_NAMED = re.compile(rb'"key":"([0-9a-f]{16})"')
NODE_KEY_BRINGERS = ("genesis", "node_rotate")
"""Kinds that bring in a key of the node."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What the auditor brings along: pinned keys and a quorum, what he kept, and balances somebody published."""

    policy: Policy | None = None
    kept: tuple[Kept, ...] = ()
    balances: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """``balance`` and ``held`` by account number."""
    admits: bool = False
    """Whether several ledgers are audited, and one whose key is not pinned may be admitted by another (step 8)."""

    def pins(self, origin: str) -> bool:
        """Whether a key of that ledger is pinned."""
        return self.policy is not None and any(vkey.name == origin for vkey in self.policy.logs)

    def keys(self, origin: str) -> tuple[str, ...]:
        """The keys that its signatures are judged by, besides its own."""
        return tuple(format_vkey(vkey) for vkey in pinned_keys(self.policy, origin))


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """What the audit of one ledger found."""

    origin: str
    size: int
    sealed: Time | None
    """The time of the last seal."""
    pending: int
    """Entries after the last checkpoint."""
    blocks: int
    root: bytes
    state: bytes
    """The root of all balances at the last seal, as it came out."""
    entries: dict[str, int]
    is_pinned: bool
    """Whether the auditor brought a key for it; where not, the report is self-asserted."""
    genesis_key: VerifierKey | None
    findings: list[Finding]
    finding_counts: dict[str, int]
    totals: Totals
    suspicions: list[Suspicion]
    """What is unusual, yet allowed: never a finding."""
    suspicion_counts: dict[str, int]

    @property
    def is_sound(self) -> bool:
        """No finding at all."""
        return not self.finding_counts


def audit_ledger(
    source: Source,
    trust: Trust | None = None,
    executor: Executor | None = None,
    workers: int = 1,
    on_progress: Callable[[int], None] | None = None,
    on_admitted: OnAdmitted | None = None,
    on_leg: OnLeg | None = None,
) -> LedgerReport:
    """Recompute everything that a ledger says. ``on_progress`` is told the number of entries done, now and then.

    ``on_admitted`` and ``on_leg`` are told what was found true, as by ``ledger.replay``.
    """
    audit = LedgerAudit(source.origin, trust, on_admitted, on_leg)
    audit.take(source, executor, workers, on_progress)
    return audit.report()


def thaw_audit(
    raw: bytes,
    origin: str,
    trust: Trust | None = None,
    on_admitted: OnAdmitted | None = None,
    on_leg: OnLeg | None = None,
) -> "LedgerAudit":
    """The audit that ``LedgerAudit.freeze`` made these bytes of; raises AuditStateError for any others.

    Also where ``trust`` has other keys than the audit had, or something kept, which is compared from entry 0 on.
    """
    trust = trust or Trust()
    record, state = parse_record(raw, origin, trust.keys(origin))
    if any(kept.origin == origin for kept in trust.kept):
        raise AuditStateError("what was kept is compared from the first entry on")
    return LedgerAudit(origin, trust, on_admitted, on_leg, record=record, state=state)


class LedgerAudit:
    """The audit of the ledger ``origin``. It goes on with ``take``, as long as the log ends at its newest checkpoint.

    ``on_admitted`` and ``on_leg`` are told what was found true, as by ``ledger.replay``. ``keeps`` lets ``freeze`` give
    the audit as of the newest checkpoint also where entries follow it; it costs a pause there.
    """

    def __init__(
        self,
        origin: str,
        trust: Trust | None = None,
        on_admitted: OnAdmitted | None = None,
        on_leg: OnLeg | None = None,
        *,
        keeps: bool = False,
        record: Record | None = None,
        state: State | None = None,
    ) -> None:
        """``record`` with its ``state`` is what ``thaw_audit`` read."""
        record = record or Record(origin=origin)
        self.origin = origin
        self.keeps = keeps
        self._trust = trust or Trust()
        self._findings = record.findings()
        self._watch = record.thaw_watch()
        self._remembered = Remembered(split(record.groups), split(record.group))
        see = self._watch.see if on_admitted is None else _both(self._watch.see, on_admitted)
        # Nothing here is a method of ours: an audit that refers to itself would stay until the collector comes.
        self._replay = Replay(state or record.thaw_state(), self._remembered.statement, on_leg, see)
        self._tree = record.frontier(self._replay.state.size)
        self._checkpoints = CheckpointCheck(
            origin, self._trust.policy, self._trust.admits, self._findings, record.checkpoints
        )
        self._kept = KeptCheck(self._trust.kept, origin)
        self._has_kept = bool(self._kept)
        self._genesis = record.genesis
        self._publics = dict(record.publics)
        self._kinds = Counter(record.kinds)
        self._state_root = record.state_root
        self._ties = record.ties or Ties(origin)
        self._has_closed = False
        """Whether the last entry closed its block."""
        self._freezes_at = -1
        """Before the entry at this index the audit is frozen."""
        self._frozen = b""
        if record.checkpoints.held:
            size = self._tree.size
            self._checkpoints.hold(size, record.checkpoints.held, self._tree.root(), self._sealed(size - 1))

    @property
    def state(self) -> State:
        """What the entries so far have led to; not to be changed."""
        return self._replay.state

    @property
    def size(self) -> int:
        """How many entries were taken."""
        return self._tree.size

    def take(
        self,
        source: Source,
        executor: Executor | None = None,
        workers: int = 1,
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        """Go on with the rows of ``source`` from ``size`` on, to its end, and with its checkpoints from the newest on.

        Raises SourceError where it gives an earlier entry with other bytes than it was judged by.
        """
        held_size = self._checkpoints.held_size
        if source.origin != self.origin or self.size != held_size:
            raise ValueError("an audit goes on with the same ledger, from its newest checkpoint: thaw what was frozen")
        self._source, self._executor, self._workers = source, executor, workers
        self._remembered.source = source
        self._checkpoints.begin(source.checkpoints(held_size), executor)
        if not self.size:
            self._kept.at_size(0, self._tree.root(), self._findings)
        self._freeze_later()
        for chunk, checked in self._checked():
            hashes = checked.hashes
            for offset, (raw, verdict) in enumerate(zip(chunk.entries, checked.verdicts, strict=True)):
                self._take(raw, hashes[offset * HASH_BYTES : (offset + 1) * HASH_BYTES], verdict)
            if on_progress is not None:
                on_progress(self._tree.size)
        self._checkpoints.learn(self._replay.state)
        self._checkpoints.settle()
        self._checkpoints.pass_beyond(self.size)

    def freeze(self) -> bytes:
        """The audit as of the newest checkpoint, for ``thaw_audit``; nothing where no checkpoint agrees with the log.

        Whatever was taken after that checkpoint is taken again then.
        """
        if self._frozen or self._kept or not self.size or self._checkpoints.held_size != self.size:
            return self._frozen
        return self._freeze()

    def kept(self, name: str) -> Kept | None:
        """The newest checkpoint as something kept, for an audit of a log that may not go on from it.

        None where none of the node's keys has signed it.
        """
        return self._checkpoints.kept(name)

    def ties(self) -> Ties:
        """What the ledger says of others, for step 8."""
        state, ties = self._replay.state, self._ties
        ties.size, ties.tier, ties.parent, ties.parent_vkey = self.size, state.tier, state.parent, state.parent_vkey
        ties.sealed_seconds = 0 if state.sealed_at is None else int(state.sealed_at.timestamp())
        ties.node_keys = sorted(self._checkpoints.node_keys)
        bridge = state.accounts.get(BRIDGE)
        ties.bridge = bridge.balance if bridge is not None else 0
        return ties

    # Step 1: reading, and judging each entry alone

    def _checked(self) -> Iterator[tuple[Chunk, Checked]]:
        """The chunks with their verdicts, in order, a bounded number of them under way."""
        if self._executor is None:
            yield from ((chunk, check_chunk(chunk)) for chunk in self._chunks())
            return
        under_way: deque[tuple[Chunk, Future[Checked]]] = deque()
        for chunk in self._chunks():
            under_way.append((chunk, self._executor.submit(check_chunk, chunk)))
            if len(under_way) >= CHUNKS_AHEAD_PER_WORKER * self._workers:
                done, future = under_way.popleft()
                yield done, future.result()
        for done, future in under_way:
            yield done, future.result()

    def _chunks(self) -> Iterator[Chunk]:
        publics = self._publics
        entries: list[bytes | None] = []
        start, byte_count = self.size, 0
        for raw in self._whole_rows():
            if not start and not entries:
                self._genesis = leaf_hash(raw or b"")
            publics.update(keys_in(raw))
            entries.append(raw)
            byte_count += len(raw or b"")
            if len(entries) >= CHUNK_ENTRIES or byte_count >= CHUNK_BYTES:
                yield self._chunk(start, entries, publics)
                start, entries, byte_count = start + len(entries), [], 0
        if entries:
            yield self._chunk(start, entries, publics)

    def _chunk(self, start: int, entries: list[bytes | None], publics: dict[str, bytes]) -> Chunk:
        """A chunk with a copy of the keys it may need: a worker may still be sent it when others have come in."""
        if len(publics) <= KEYS_COPIED_MAX:
            needed = dict(publics)
        else:
            named = {key.decode() for raw in entries if raw is not None for key in _KEY_NAMED.findall(raw)}
            needed = {key: publics[key] for key in named if key in publics}
        return Chunk(start, entries, self.origin, self._genesis, needed)

    def _whole_rows(self) -> Iterator[bytes | None]:
        """The entries from ``size`` on, up to the first gap, which is a finding."""
        size = self.size
        for expected, (index, raw) in enumerate(self._source.rows(size), size):
            if index != expected:
                detail = "this entry is missing; nothing after it can be checked"
                self._findings.add("log.truncated", detail, expected, None, expected, index)
                return
            yield raw

    # Steps 3 to 6: one entry after the other, on the state so far

    def _take(self, raw: bytes | None, hashed: bytes, verdict: Verdict | None) -> None:
        index = self._tree.size
        if index == self._freezes_at:
            self._frozen = self._freeze()
        if raw is None or (verdict is not None and verdict[0] not in ("entry.sheet", "entry.signature")):
            self._refuse(index, *(verdict or ("entry.too-large", "it cannot be read")))
        else:
            statement = CODEC.read(raw)
            self._kinds[statement.kind] += 1
            self._judge(index, statement, raw, hashed, verdict)
            if statement.kind in NODE_KEY_BRINGERS:
                self._checkpoints.learn(self._replay.state)
        self._tree.append(hashed)
        self._remembered.add(hashed)
        if self._has_closed:
            self._has_closed = False
            self._ties.add_seal(index + 1, self._tree.root())
        if index + 1 >= self._checkpoints.next_size:
            self._checkpoints.learn(self._replay.state)
            self._checkpoints.at_size(index + 1, self._tree.root(), self._sealed(index))
            self._freeze_later()
        if self._has_kept:
            self._kept.at_leaf(index, hashed, self._genesis, self._findings)
            if self._kept.is_due(index + 1):
                self._kept.at_size(index + 1, self._tree.root(), self._findings)

    def _sealed(self, index: int) -> Sealed | None:
        """The seal at ``index``; None where no seal stands there, or one that closed nothing."""
        state = self._replay.state
        if state.sealed_at is None or state.seal_indexes[-1] != index:
            return None
        return Sealed(state.height - 1, state.sealed_at)

    def _freeze_later(self) -> None:
        """Freeze before the next entry, should one follow what may be the newest checkpoint."""
        if self.keeps and not self._kept and 0 < self._checkpoints.held_size == self.size:
            self._freezes_at = self.size

    def _judge(
        self, index: int, statement: Statement[Any], raw: bytes, hashed: bytes, verdict: Verdict | None
    ) -> None:
        signers = self._replay.signers(statement)
        if signers is None:
            self._refuse(index, "entry.unknown-key", "a key that signs it is not on the log, or counts no more")
        elif verdict is not None:
            self._refuse(index, *verdict)
        elif statement.seq <= signers[1].last_seq:
            detail = f"{statement.by} has used this `seq` or a higher one"
            self._refuse(index, "entry.seq", detail, f"> {signers[1].last_seq}", statement.seq)
        elif statement.kind == SEAL:
            self._judge_seal(index, CODEC.parse(raw), hashed, signers[1].role == NODE)
        else:
            outcome = self._replay.admit(statement, signers)
            if outcome is not None:
                self._refuse(index, f"rule.{outcome}", f"the rules refuse this {statement.kind}")
            elif statement.kind in TIES:
                log_time = self._replay.state.log_time(statement.at)
                self._ties.take(index, statement.body, hashed, int(log_time.timestamp()))

    def _refuse(self, index: int, code: str, detail: str, expected: object = None, found: object = None) -> None:
        """An entry with a finding changes nothing."""
        self._findings.add(code, detail, index, None, expected, found)
        self._replay.skip()

    def _judge_seal(self, index: int, entry: Entry[Seal], hashed: bytes, is_node: bool) -> None:
        """Step 6. A seal by the node's key closes its block, whatever is wrong with it."""
        state, body = self._replay.state, entry.body

        def differ(code: str, detail: str, expected: object = None, found: object = None) -> None:
            self._findings.add(code, detail, index, body.height, expected, found)

        if not is_node or entry.beside or entry.sheet is not None:
            differ("seal.key", "a seal is the node's alone, on a sheet of its own", state.roster.node, entry.by)
        if not is_node:
            self._replay.skip()
            return
        if body.height != state.height:
            differ("seal.height", "seals count up by one", state.height, body.height)
        if body.prev != state.last_seal_hash:
            differ("seal.prev", "it follows another seal", state.last_seal_hash.hex(), body.prev.hex())
        if body.size != index:
            differ("seal.size", "a seal's size is its own index", index, body.size)
        if state.block_entries >= BLOCK_MAX_ENTRIES:
            differ("seal.size", "its block has too many entries", BLOCK_MAX_ENTRIES, state.block_entries + 1)
        root = self._tree.root()
        if body.root != root:
            differ("seal.root", "the entries before it are not those that it sealed", body.root.hex(), root.hex())
        earliest = max((time for time in (state.sealed_at, state.block_latest) if time is not None), default=None)
        if earliest is not None and entry.at < earliest:
            differ("seal.time", "it is dated before what it seals", format_time(earliest), format_time(entry.at))
        self._replay.close_block(entry.statement, hashed)
        self._has_closed = True
        self._compare_state(index, body)

    def _compare_state(self, index: int, body: Seal) -> None:
        """Of differing roots the first is reported and the later ones are counted: they follow from it."""
        account_count = len(self._replay.state.accounts)
        self._state_root = self._replay.books.root()
        if body.state == self._state_root and body.accounts == account_count:
            return
        if self._findings.counts["seal.state"]:
            self._findings.counts["seal.state"] += 1
            return
        expected = f"{body.state.hex()} of {body.accounts} accounts"
        found = f"{self._state_root.hex()} of {account_count} accounts"
        detail = "the balances that follow from the entries are not those that it sealed"
        self._findings.add("seal.state", detail, index, body.height, expected, found)

    # Step 9, and what there is to say

    def report(self) -> LedgerReport:
        """What there is to say if the log ends here; the audit can go on."""
        state, findings = self._replay.state, self._findings.copy()
        last_size = self._checkpoints.conclude(findings)
        self._kept.finish(self.size, self._checkpoints.node_keys, findings)
        compare_sums(state, self._trust.balances, findings)
        suspicions = self._watch.so_far()
        return LedgerReport(
            origin=self.origin,
            size=self.size,
            sealed=state.sealed_at,
            pending=max(0, self.size - last_size),
            blocks=len(state.seal_indexes),
            root=self._tree.root(),
            state=self._state_root,
            entries=dict(sorted(self._kinds.items())),
            is_pinned=self._trust.pins(self.origin),
            genesis_key=self._checkpoints.genesis_key,
            findings=findings.in_order(),
            finding_counts=dict(sorted(findings.counts.items())),
            totals=totals_of(state),
            suspicions=suspicions.kept,
            suspicion_counts=dict(sorted(suspicions.counts.items())),
        )

    def _freeze(self) -> bytes:
        """The audit as bytes. Called when the log is of the newest checkpoint's size."""
        self._checkpoints.learn(self._replay.state)
        self._checkpoints.settle()
        groups, group = self._remembered.frozen()
        record = Record(
            origin=self.origin,
            keys=self._trust.keys(self.origin),
            state=freeze_state(self._replay.state),
            nodes=b"".join(self._tree.nodes()),
            genesis=self._genesis,
            groups=groups,
            group=group,
            kinds=self._kinds,
            publics=self._publics,
            state_root=self._state_root,
            listed=self._findings.listed,
            counts=self._findings.counts,
            checkpoints=self._checkpoints.record(),
            watch=self._watch.freeze(),
            ties=self._ties,
        )
        return format_record(record, self.size)


def _both(first: OnAdmitted, second: OnAdmitted) -> OnAdmitted:
    """Both look at an entry that was found true."""

    def see(claim: Claim) -> None:
        first(claim)
        second(claim)

    return see
