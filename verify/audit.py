"""The audit of one ledger: one pass over its entries, in bounded memory (FORMAT §12).

Workers judge entries alone (``verify.check``); this module takes their verdicts in order, replays what is good,
compares every seal and checkpoint with what came out, and reports all that differs. The executor is handed in; None
runs all of it here.
"""

import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from chain.block import SEAL, Seal
from chain.entry import Entry, Statement
from chain.fields import Time, format_time
from chain.limits import BLOCK_MAX_ENTRIES
from chain.merkle import HASH_BYTES, Frontier, leaf_hash
from chain.note import VerifierKey
from chain.policy import Policy
from chain.sheet import NO_GENESIS
from ledger.kinds import CODEC
from ledger.numbers import FEN, MINUTE
from ledger.replay import OnAdmitted, Replay
from ledger.roster import NODE
from ledger.signing import Claim
from ledger.state import SYSTEM, OnLeg, State
from ledger.suspicions import Suspicion, Watch
from verify.check import CHUNK_BYTES, CHUNK_ENTRIES, UNREADABLE_HASH, Checked, Chunk, Verdict, check_chunk, keys_in
from verify.checkpoints import CheckpointCheck, Sealed
from verify.finding import Finding, Findings
from verify.kept import Kept, KeptCheck
from verify.source import Source, SourceError

CHUNKS_AHEAD_PER_WORKER = 3
GROUP_ENTRIES = 256
KEYS_COPIED_MAX = 4_096
"""Up to so many public keys go along with every chunk; of more, those that it names."""

_KEY_NAMED = re.compile(rb'"key":"([0-9a-f]{16})"')
NODE_KEY_BRINGERS = ("genesis", "node_rotate")
"""Kinds that bring in a key of the node."""

Totals = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Trust:
    """What the auditor brings along: pinned keys and a quorum, what he kept, and balances somebody published."""

    policy: Policy | None = None
    kept: tuple[Kept, ...] = ()
    balances: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """``balance`` and ``held`` by account number."""


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
    return _Audit(source, trust or Trust(), executor, workers, on_admitted, on_leg).run(on_progress)


class _Audit:
    """One run over one ledger."""

    def __init__(
        self,
        source: Source,
        trust: Trust,
        executor: Executor | None,
        workers: int,
        on_admitted: OnAdmitted | None,
        on_leg: OnLeg | None,
    ) -> None:
        self._source = source
        self._trust = trust
        self._executor = executor
        self._workers = workers
        self._findings = Findings(source.origin)
        self._watch = Watch()
        self._on_admitted = on_admitted
        on_entry = self._watch.see if on_admitted is None else self._see
        self._replay = Replay(State(origin=source.origin), self._earlier, on_leg, on_entry)
        self._tree = Frontier()
        self._checkpoints = CheckpointCheck(
            source.checkpoints(), source.origin, trust.policy, self._findings, executor
        )
        self._kept = KeptCheck(trust.kept, source.origin)
        self._keeps = bool(self._kept)
        self._genesis = NO_GENESIS
        self._groups: list[bytes] = []
        self._group: list[bytes] = []
        self._kinds: Counter[str] = Counter()
        self._state_root = b""

    def run(self, on_progress: Callable[[int], None] | None) -> LedgerReport:
        self._kept.at_size(0, self._tree.root(), self._findings)
        for chunk, checked in self._checked():
            hashes = checked.hashes
            for offset, (raw, verdict) in enumerate(zip(chunk.entries, checked.verdicts, strict=True)):
                self._take(raw, hashes[offset * HASH_BYTES : (offset + 1) * HASH_BYTES], verdict)
            if on_progress is not None:
                on_progress(self._tree.size)
        size = self._tree.size
        self._checkpoints.learn(self._replay.state)
        self._checkpoints.finish(size)
        self._kept.finish(size, self._checkpoints.node_keys, self._findings)
        self._watch.finish()
        self._compare_sums()
        return self._report()

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
        publics: dict[str, bytes] = {}
        entries: list[bytes | None] = []
        start = byte_count = 0
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
        return Chunk(start, entries, self._source.origin, self._genesis, needed)

    def _whole_rows(self) -> Iterator[bytes | None]:
        """The entries from 0 on, up to the first gap, which is a finding."""
        for expected, (index, raw) in enumerate(self._source.rows()):
            if index != expected:
                detail = "this entry is missing; nothing after it can be checked"
                self._findings.add("log.truncated", detail, expected, None, expected, index)
                return
            yield raw

    # Steps 3 to 6: one entry after the other, on the state so far

    def _take(self, raw: bytes | None, hashed: bytes, verdict: Verdict | None) -> None:
        index = self._tree.size
        if raw is None or (verdict is not None and verdict[0] not in ("entry.sheet", "entry.signature")):
            self._refuse(index, *(verdict or ("entry.too-large", "it cannot be read")))
        else:
            statement = CODEC.read(raw)
            self._kinds[statement.kind] += 1
            self._judge(index, statement, raw, hashed, verdict)
            if statement.kind in NODE_KEY_BRINGERS:
                self._checkpoints.learn(self._replay.state)
        self._tree.append(hashed)
        self._remember(hashed)
        if index + 1 >= self._checkpoints.next_size:
            self._checkpoints.learn(self._replay.state)
            self._checkpoints.at_size(index + 1, self._tree.root(), self._sealed(index))
        if self._keeps:
            self._kept.at_leaf(index, hashed, self._genesis, self._findings)
            if self._kept.is_due(index + 1):
                self._kept.at_size(index + 1, self._tree.root(), self._findings)

    def _sealed(self, index: int) -> Sealed | None:
        """The seal at ``index``; None where no seal stands there, or one that closed nothing."""
        state = self._replay.state
        if state.sealed_at is None or state.seal_indexes[-1] != index:
            return None
        return Sealed(state.height - 1, state.sealed_at)

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

    def _earlier(self, index: int) -> Statement[Any]:
        """For the rules: an entry that was good when it was passed, read again, and the same bytes as then."""
        try:
            raw = self._source.entry(index)
        except IndexError:
            raise SourceError(f"entry {index} of {self._source.origin} was gone when it was read again") from None
        group, place = divmod(index, GROUP_ENTRIES)
        start = group * GROUP_ENTRIES
        if group < len(self._groups):
            hashes = [self._hash_again(other) for other in range(start, start + GROUP_ENTRIES)]
            is_same = hashes[place] == leaf_hash(raw) and sha256(b"".join(hashes)).digest() == self._groups[group]
        else:
            is_same = self._group[place] == leaf_hash(raw)
        if not is_same:
            raise SourceError(f"entry {index} of {self._source.origin} was not the same when it was read again")
        return CODEC.read(raw)

    def _hash_again(self, index: int) -> bytes:
        try:
            return leaf_hash(self._source.entry(index))
        except IndexError:
            return UNREADABLE_HASH

    def _remember(self, hashed: bytes) -> None:
        """Keep what tells whether an entry is the same when it is read again: 32 bytes for each 256 of them."""
        self._group.append(hashed)
        if len(self._group) == GROUP_ENTRIES:
            self._groups.append(sha256(b"".join(self._group)).digest())
            self._group.clear()

    def _see(self, claim: Claim) -> None:
        """Both look at an entry that was found true."""
        self._watch.see(claim)
        if self._on_admitted is not None:
            self._on_admitted(claim)

    # Step 9, and what there is to say

    def _compare_sums(self) -> None:
        for unit, total in self._sums().items():
            if total:
                detail = f"the {unit} balances of all accounts do not add up to zero"
                self._findings.add("sum.nonzero", detail, None, None, 0, total)
        accounts = self._replay.state.accounts
        for number, published in self._trust.balances.items():
            account = accounts.get(number)
            replayed = None if account is None else (account.balance, account.held)
            if replayed != published:
                expected, found = _amounts(published), "no such account" if replayed is None else _amounts(replayed)
                detail = f"the published balance and held hours of account {number} do not follow from the entries"
                self._findings.add("balance.differs", detail, None, None, expected, found)

    def _sums(self) -> dict[str, int]:
        sums = {MINUTE: 0, FEN: 0}
        for account in self._replay.state.accounts.values():
            sums[account.unit] += account.balance + account.held
        return sums

    def _totals(self) -> Totals:
        """For each unit: each system account, what all others have together, and how many there are."""
        totals: Totals = {MINUTE: {}, FEN: {}}
        for account in self._replay.state.accounts.values():
            total = totals[account.unit]
            if account.holder == SYSTEM:
                total[account.number] = account.balance
            else:
                total["accounts"] = total.get("accounts", 0) + 1
                total["balance"] = total.get("balance", 0) + account.balance
                total["held"] = total.get("held", 0) + account.held
        return totals

    def _report(self) -> LedgerReport:
        state, policy = self._replay.state, self._trust.policy
        return LedgerReport(
            origin=self._source.origin,
            size=self._tree.size,
            sealed=state.sealed_at,
            pending=max(0, self._tree.size - self._checkpoints.last_size),
            blocks=len(state.seal_indexes),
            root=self._tree.root(),
            state=self._state_root,
            entries=dict(sorted(self._kinds.items())),
            is_pinned=policy is not None and any(vkey.name == self._source.origin for vkey in policy.logs),
            genesis_key=self._checkpoints.genesis_key,
            findings=self._findings.in_order(),
            finding_counts=dict(sorted(self._findings.counts.items())),
            totals=self._totals(),
            suspicions=self._watch.suspicions,
            suspicion_counts=dict(sorted(self._watch.counts.items())),
        )


def _amounts(amounts: tuple[int, int]) -> str:
    return f"balance {amounts[0]}, held {amounts[1]}"
