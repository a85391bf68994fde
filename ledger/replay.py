"""Replay: entries in, state out. The node and every auditor go this same way (RULES, FORMAT §12 steps 4–6).

    replay = Replay(state, read)
    signers = replay.signers(entry)          # None where a key is unknown or does not count any more
    ...the caller checks sheet and signatures...
    outcome = replay.admit(entry, signers)   # None: it is true now; otherwise nothing has changed
    replay.skip()                            # an entry that stands on the log and changes nothing
    replay.close_block(seal, leaf_hash)      # a seal

Every entry of the log is handed in exactly once, by one of ``admit`` (answered None), ``skip`` and ``close_block``.
"""

from collections.abc import Callable
from typing import Any

from chain.block import Seal
from chain.entry import Statement
from chain.fields import Time
from chain.keys import key_id
from ledger.bodies import PAPER, AccountOpen, Genesis, NodeRotate
from ledger.corrections import parties_of
from ledger.kinds import KINDS, SEAL_NUMBER, VOID_NUMBER, Kind
from ledger.roster import NODE, Key
from ledger.signing import Claim, deals_with_itself
from ledger.state import CLOSED, SUSPENDED, Books, OnLeg, ReadEntry, State

DAY_SECONDS = 86_400
KEY_KINDS = frozenset(("genesis", "key_grant", "key_revoke", "node_rotate"))
"""Those that change whose keys count."""
SERVICE = KINDS["service"]

Signers = tuple[Time, Key, tuple[Key, ...]]
"""The entry's log time, the author's key and those beside."""

OnAdmitted = Callable[[Claim], None]
"""Told every entry that was found true, after what it changed: ``claim.state`` has it, ``claim.index`` is its own."""


class Replay:
    """A state that goes on from entry to entry. ``read`` gives earlier entries by index.

    ``on_leg`` is told every leg and ``on_admitted`` every entry but seals, for what is computed on the side.
    """

    def __init__(
        self, state: State, read: ReadEntry, on_leg: OnLeg | None = None, on_admitted: OnAdmitted | None = None
    ) -> None:
        self.state = state
        self.books = Books(state, on_leg)
        self._read = read
        self._on_admitted = on_admitted
        self._last_signers: tuple[str, tuple[str, ...], Time, Signers] | None = None
        """Those of the last entry, as long as nothing has changed whom they are: a sheet has the same."""
        self._cleared: Signers | None = None
        """Those who may record services on paper."""

    def signers(self, entry: Statement[Any]) -> Signers | None:
        """The keys that signed, or None where one is unknown or does not count at the entry's log time."""
        last = self._last_signers
        if last is not None and last[0] == entry.by and last[1] == entry.beside and last[2] == entry.at:
            return last[3]
        self._last_signers = None
        signers = self._signers(entry)
        if signers is not None and self._are_all_granted(signers):
            self._last_signers = (entry.by, entry.beside, entry.at, signers)
        return signers

    def _are_all_granted(self, signers: Signers) -> bool:
        """Whether all stand on the roster: a key that an entry brings in counts for no other until that one is true."""
        _time, author, beside = signers
        return all(key.id in self.state.roster.keys for key in (author, *beside))

    def _signers(self, entry: Statement[Any]) -> Signers | None:
        time, keys = self.state.log_time(entry.at), self.state.roster.keys
        signers = []
        for key_name in (entry.by, *entry.beside):
            key = keys.get(key_name) or _introduced(key_name, entry, self.state)
            if key is None or not key.counts_at(time):
                return None
            signers.append(key)
        return time, signers[0], tuple(signers[1:])

    def admit(self, entry: Statement[Any], signers: Signers) -> str | None:
        """Judge the entry as the log's next one; make it true and answer None, or change nothing and say the outcome.

        The caller has checked signatures and ``seq``.
        """
        state, kind = self.state, KINDS[entry.kind]
        time, author, beside = signers
        claim = Claim(state, entry, state.size, time, author, beside, self._read)
        outcome = self._outcome(claim, kind, signers)
        if outcome is None:
            kind.post(claim, self.books)
            author.last_seq = entry.seq
            if entry.kind in KEY_KINDS:
                self._last_signers = None
            if state.block_latest is None or entry.at > state.block_latest:
                state.block_latest = entry.at
            if self._on_admitted is not None:
                self._on_admitted(claim)
            self._advance(kind.number)
        return outcome

    def foresee(self, entry: Statement[Any], signers: Signers) -> str | None:
        """What ``admit`` would answer; nothing is made true."""
        time, author, beside = signers
        claim = Claim(self.state, entry, self.state.size, time, author, beside, self._read)
        return self._outcome(claim, KINDS[entry.kind], signers)

    def _outcome(self, claim: Claim, kind: Kind, signers: Signers) -> str | None:
        """The first that is true. Whether these people may record services on paper is asked once a sheet."""
        if kind is not SERVICE or claim.entry.body.evidence.form != PAPER:
            return kind.first(claim) or kind.demand(claim) or _common(claim, kind) or kind.rule(claim)
        if signers is not self._cleared:
            outcome = kind.demand(claim) or _common(claim, kind)
            if outcome:
                return outcome
            self._cleared = signers
        return kind.rule(claim)

    def skip(self) -> None:
        """Pass an entry that changes nothing."""
        self._advance(VOID_NUMBER)

    def close_block(self, entry: Statement[Seal], leaf_hash: bytes) -> None:
        """Take a seal of the node's key: what is due becomes free, and a new block begins."""
        state = self.state
        self.books.release(state.size, entry.at)
        state.seal_indexes.append(state.size)
        state.seal_seconds.append(int(entry.at.timestamp()))
        state.height = entry.body.height + 1
        state.sealed_at = entry.at
        state.last_seal_hash = leaf_hash
        state.roster.keys[entry.by].last_seq = entry.seq
        self._advance(SEAL_NUMBER)
        state.block_entries = 0
        state.block_latest = None
        self._last_signers = None

    def _advance(self, number: int) -> None:
        self.state.kinds.append(number)
        self.state.size += 1
        self.state.block_entries += 1


def _introduced(key: str, entry: Statement[Any], state: State) -> Key | None:
    """The node's key where the entry itself brings it in: the first genesis as its author, a rotation as one beside."""
    body = entry.body
    if isinstance(body, Genesis) and not state.size and key_id(body.node_key) == key == entry.by:
        return Key(id=key, public=body.node_key, role=NODE)
    if isinstance(body, NodeRotate) and key_id(body.key) == key != entry.by:
        return Key(id=key, public=body.key, role=NODE)
    return None


def _common(claim: Claim, kind: Kind) -> str | None:
    """The outcomes of every kind, from the third on (RULES §1)."""
    state, entry = claim.state, claim.entry
    if (state.size == 0) != (entry.kind == "genesis"):
        return "no-genesis"
    if state.size and _age_seconds(claim.time, entry.at) > state.parameters.statement_max_age_days * DAY_SECONDS:
        return "stale"
    return _people(claim, kind) if kind.asks_common else None


def _age_seconds(now: Time, at: Time) -> int:
    if now is at:
        return 0
    age = now - at
    return age.days * DAY_SECONDS + age.seconds


def _people(claim: Claim, kind: Kind) -> str | None:
    accounts, body = claim.state.accounts, claim.entry.body
    if deals_with_itself(claim, parties_of):
        return "self-dealing"
    new = body.account if isinstance(body, AccountOpen) else None
    is_closed = False
    for number in body.numbers():
        if number is not None and number != new:
            account = accounts.get(number)
            if account is None:
                return "no-account"
            is_closed |= account.status == CLOSED
    if is_closed and kind.asks_closed:
        return "closed"
    if kind.gives is not None and accounts[getattr(body, kind.gives)].status == SUSPENDED:
        return "suspended"
    return None
