"""What a store's log has led to: the state in memory, restored from what lies beside the log and kept up with it.

    fold = Fold(store, key)          # from the snapshot and what follows it, or from the first entry
    fold.judge(raw, signatures, now) # the log's next entry: None and true in the state, or why not
    fold.append(entries, hashes)     # hands what was judged to the store, with the legs that it posted
    fold.save_accounts()             # before the store's commit: accounts as they are now
    fold.catch_up()                  # takes what another process has appended

Nothing here is signed but the snapshot, nothing is committed but what a fresh reading made again. After a failure of
the store the caller rolls it back and calls ``load``: state and store agree again.
"""

import hashlib
import hmac
from collections.abc import Sequence
from gettext import gettext as _
from typing import Any

import msgspec

from chain.block import SEAL, Seal
from chain.checkpoint import open_checkpoint
from chain.entry import Entry, Statement
from chain.errors import EntryError, NoteError
from chain.fields import Time
from chain.keys import SigningKey
from chain.limits import CLOCK_AHEAD_MAX_SECONDS
from chain.merkle import HASH_BYTES, Frontier, leaf_hash, tree_root
from chain.note import ED25519, make_vkey, verify_signature
from chain.sheet import NO_GENESIS, SheetDomain
from ledger.concern import concerned
from ledger.kinds import CODEC
from ledger.replay import Replay, Signers
from ledger.roster import NODE
from ledger.signing import Claim
from ledger.state import Account, Books, State, freeze, thaw
from store.log import AccountRow, LogStore, StoreError
from verify.check import Signatures, Verdict

REPLAY_ENTRIES = 4_096


class Fold:
    """The state of one store's log. Without ``key`` it only reads: nothing is written beside the log."""

    def __init__(self, store: LogStore, key: SigningKey | None) -> None:
        """``key`` is the node's: it vouches for snapshots."""
        self.store = store
        self._key = key
        self._domain: SheetDomain | None = None
        self.load()

    @property
    def state(self) -> State:
        return self._replay.state

    @property
    def books(self) -> Books:
        return self._replay.books

    @property
    def domain(self) -> SheetDomain:
        """What sheets for this ledger are signed for."""
        if self._domain is None and self.store.size:
            self._domain = SheetDomain(self.store.origin, leaf_hash(self.store.entry(0)))
        return self._domain or SheetDomain(self.store.origin, NO_GENESIS)

    def entry(self, index: int) -> Entry[Any]:
        """The entry at an index; IndexError outside the log, StoreError where it is damaged."""
        try:
            return CODEC.parse(self.store.entry(index))
        except EntryError as error:
            raise self._damage(index) from error

    # What comes next

    def judge(
        self, raw: bytes, signatures: Signatures | None, now: Time, *, is_question: bool = False
    ) -> Verdict | None:
        """Judge an entry as the log's next, and make it true in the state; the steps of FORMAT §12, 3 to 5.

        Of a question nothing is made true.
        """
        try:
            entry = CODEC.parse(raw)
        except EntryError as error:
            return error.code, str(error)
        if entry.kind == SEAL:
            return "not-allowed", _("seals are the node's")
        if (entry.at - now).total_seconds() > CLOCK_AHEAD_MAX_SECONDS:
            return "at-in-future", _("its time is more than five minutes ahead of this clock")
        statement = entry.statement
        signers = self._replay.signers(statement)
        if signers is None:
            return "entry.unknown-key", _("a key that signs it is not on the log, or does not count any more")
        _time, author, beside = signers
        if signatures is not None:
            verdict = signatures.verdict(raw, entry, {key.id: key.public for key in (author, *beside)})
            if verdict is not None:
                return verdict
        if entry.seq <= author.last_seq:
            return "entry.seq", _("an entry of this author with the same or a higher `seq` is on the log")
        outcome = (self._replay.foresee if is_question else self._replay.admit)(statement, signers)
        if outcome is not None:
            return outcome, ""
        if not is_question:
            self._judged.append(statement)
        return None

    def close_block(self, raw: bytes) -> None:
        """Make a seal true that the node has signed."""
        self._replay.close_block(CODEC.read(raw), leaf_hash(raw))

    def append(self, entries: Sequence[bytes], leaf_hashes: Sequence[bytes]) -> None:
        """Hand entries that the state has taken to the store, with the legs that they posted."""
        self.store.append(entries, leaf_hashes, self._legs)
        self._legs.clear()
        self._judged.clear()
        for hashed in leaf_hashes:
            self.tree.append(hashed)

    def save_accounts(self) -> None:
        """Hand the store the accounts that have changed since the last time."""
        touched = self.books.touched
        if touched:
            accounts = self.state.accounts
            self.store.put_accounts([_row(accounts[number]) for number in touched])
            touched.clear()

    def save_snapshot(self, key: SigningKey) -> None:
        """Keep the state beside the log, so that the next opening need not replay it."""
        raw = freeze(self.state)
        self.snapshot_size = self.state.size
        digest = _digest(self.snapshot_size, raw)
        self.store.put_snapshot(self.snapshot_size, digest + _seal_of_snapshot(digest, key), raw)

    def _take_leg(self, index: int, number: str, balance: int, held: int) -> None:
        """Add up what one entry does to one account."""
        before = self._legs.get((number, index), (0, 0))
        self._legs[number, index] = before[0] + balance, before[1] + held

    def _take_concerned(self, claim: Claim) -> None:
        """A leg of nothing for whoever an entry concerns and posts nothing to."""
        for number in concerned(claim):
            self._legs.setdefault((number, claim.index), (0, 0))

    # From the store

    def load(self) -> None:
        """Read the state again: from the snapshot and what follows it, or from the first entry."""
        self._judged: list[Statement[Any]] = []
        self._vouching: Signatures | None = None
        self._domain = None
        self._legs: dict[tuple[str, int], tuple[int, int]] = {}
        self.tree: Frontier = self.store.hashes.frontier()
        self._vouched_size = self._checkpoint_size()
        snapshot = self.store.snapshot()
        if snapshot is None or not self._restore(snapshot):
            self._rebuild()
        self._legs.clear()
        self._check_last_checkpoint()
        if self._key is not None:
            self._mend_accounts()
        self.books.touched.clear()

    def catch_up(self) -> None:
        """Take what another process has appended since; where that does not fit, everything is read again."""
        if not self.store.refresh():
            return
        self._vouched_size = self._checkpoint_size()
        size = self.tree.size
        if size > self.store.size or tree_root(size, self.store.hashes.read) != self.tree.root():
            self.load()
            return
        while self.state.size < self.store.size:
            if not self._retake_next():
                self.load()
                return
            self._legs.clear()
        self.tree = self.store.hashes.frontier()
        self._check_last_checkpoint()
        self.books.touched.clear()

    def _checkpoint_size(self) -> int:
        last = self.store.last_checkpoint()
        return 0 if last is None else last[0]

    def _restore(self, snapshot: tuple[int, bytes, bytes]) -> bool:
        """Replay what follows a snapshot; whether it is ours and every seal states the balances that came out."""
        size, digest, raw = snapshot
        expected = _digest(size, raw)
        if size > self.store.size or digest[:HASH_BYTES] != expected:
            return False
        if self._key is not None and digest[HASH_BYTES:] != _seal_of_snapshot(expected, self._key):
            return False
        try:
            self._begin(thaw(raw))
        except (msgspec.DecodeError, TypeError, ValueError):
            return False
        self.snapshot_size = size
        if not self._is_sealed():
            return False
        for _start in range(size, self.store.size, REPLAY_ENTRIES):
            if not self._retake_next():
                return False
            self._legs.clear()
        return True

    def _rebuild(self) -> None:
        """Replay the whole log, and write down again what each entry posted."""
        self._begin(State(origin=self.store.origin))
        self.snapshot_size = 0
        if self._key is not None:
            self.store.clear_legs()
        while self.state.size < self.store.size:
            if not self._retake_next():
                raise self._damage(self.state.size)
            if self._key is not None:
                self.store.put_legs(self._legs)
            self._legs.clear()
        self.store.commit()

    def _mend_accounts(self) -> None:
        """Write the accounts beside the log again, where they are not what the log has led to."""
        rows = [_row(account) for account in self.state.accounts.values()]
        if self.store.accounts() != rows:
            self.store.clear_accounts()
            self.store.put_accounts(rows)
            self.store.commit()

    def _begin(self, state: State) -> None:
        self._legs.clear()
        self._replay = Replay(state, self._earlier, self._take_leg, self._take_concerned)

    def _retake_next(self) -> bool:
        """Take the next some thousand entries of our own log; False at one that does not fit."""
        start = self.state.size
        end = min(start + REPLAY_ENTRIES, self.store.size)
        return all(map(self._retake, self.store.entries(start, end))) and self.state.size == end

    def _retake(self, raw: bytes) -> bool:
        """Take an entry of our own log into the state; False where it does not fit there."""
        try:
            statement = CODEC.parse(raw).statement
        except EntryError:
            return False
        signers = self._replay.signers(statement)
        if signers is None or (self.state.size >= self._vouched_size and not self._is_signed(raw, signers)):
            return False
        if statement.kind != SEAL:
            return self._replay.admit(statement, signers) is None
        if statement.by != self.state.roster.node or statement.body.size != self.state.size:
            return False
        self._replay.close_block(statement, leaf_hash(raw))
        return self.books.root() == bytes(statement.body.state)

    def _is_signed(self, raw: bytes, signers: Signers) -> bool:
        """For entries after the last checkpoint: what somebody put into the file is not on the log."""
        _time, author, beside = signers
        publics = {key.id: key.public for key in (author, *beside)}
        entry = CODEC.parse(raw)
        if self.state.size <= 1 or self._vouching is None:
            self._vouching = Signatures(self.domain if self.state.size else SheetDomain(self.store.origin))
        return entry.seq > author.last_seq and self._vouching.verdict(raw, entry, publics) is None

    def _earlier(self, index: int) -> Statement[Any]:
        """For the rules: an entry of our own log, or of the sheet that is being judged."""
        if index >= self.store.size:
            return self._judged[index - self.store.size]
        try:
            return CODEC.read(self.store.entry(index))
        except (KeyError, msgspec.DecodeError) as error:
            raise self._damage(index) from error

    def _is_sealed(self) -> bool:
        """Whether a thawed state is what its last seal closed.

        The seal's hash stands for the whole log before it, its ``state`` for all balances.
        """
        state = self.state
        if not 0 < state.size == self.snapshot_size:
            return False
        raw = self.store.entry(state.size - 1)
        try:
            body = CODEC.parse(raw).body
        except EntryError:
            return False
        return isinstance(body, Seal) and state.last_seal_hash == leaf_hash(raw) and self.books.root() == body.state

    def _check_last_checkpoint(self) -> None:
        """Never go on from another log than the one that was signed last: that would be a second history."""
        last = self.store.last_checkpoint()
        if last is None:
            return
        try:
            checkpoint, note = open_checkpoint(last[1])
        except NoteError as error:
            raise StoreError(_("the last checkpoint is damaged: restore ledger.db from a backup")) from error
        origin = self.store.origin
        nodes = [key.public for key in self.state.roster.keys.values() if key.role == NODE]
        vkeys = [make_vkey(origin, ED25519, public) for public in nodes]
        if not any(verify_signature(vkey, note.text, line) for vkey in vkeys for line in note.signatures):
            raise StoreError(_("the last checkpoint is not this node's: restore ledger.db from a backup"))
        size = checkpoint.size
        if size > self.store.size or tree_root(size, self.store.hashes.read) != checkpoint.root:
            text = _("the entries of {origin} are not those under its last checkpoint: restore ledger.db from a backup")
            raise StoreError(text.format(origin=origin))

    def _damage(self, index: int) -> StoreError:
        text = _("entry {index} of {origin} is damaged: restore ledger.db from a backup")
        return StoreError(text.format(index=index, origin=self.store.origin))


def _row(account: Account) -> AccountRow:
    return AccountRow(
        account.number, account.position, account.balance, account.held, account.status, account.unit
    )


def _digest(size: int, raw: bytes) -> bytes:
    return hashlib.sha256(b"%d\n" % size + raw).digest()


def _seal_of_snapshot(digest: bytes, key: SigningKey) -> bytes:
    """What only this node can have written beside a snapshot: who may sign does not follow from any root."""
    return hmac.digest(hashlib.sha256(b"huzhu/snapshot/v1\n" + key.seed).digest(), digest, "sha256")
