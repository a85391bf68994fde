"""One running node: a village committee's ledger, put together here and nowhere else.

    node = Node.create(home, founding)          # or Node.open(home, ...)
    results = node.write(clerk, [member], [body, ...])
    node.seal()
    node.balance("12345678"); node.receipt(17); node.balance_receipt("12345678")

*Accepted means on disk*: ``write``, ``submit`` and ``seal`` answer after the store's ``commit``. The state in memory is
a fold over the log; whenever the disk fails it is thrown away and read again. A crash leaves what the last commit
left: at most a seal whose checkpoint is not signed yet, which the next ``open`` signs.
"""

import datetime
import hashlib
import hmac
import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from gettext import gettext as _
from pathlib import Path
from typing import Any, Literal

import msgspec

from care.people import People, PeopleError, create_people
from chain.block import SEAL, Seal
from chain.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from chain.cosignature import cosign_mldsa44, member_name, verify_cosignature
from chain.entry import Body, Entry, SheetPlace, Signature, Statement, format_statement, join_entry
from chain.errors import EntryError, NoteError
from chain.fields import UTC, Time, format_time
from chain.keys import (
    MLDSA_SEED_BYTES,
    SEED_BYTES,
    SIGNATURE_BYTES,
    MldsaSigningKey,
    SigningKey,
    key_id,
)
from chain.limits import BLOCK_MAX_ENTRIES, CLOCK_AHEAD_MAX_SECONDS, SHEET_MAX_STATEMENTS
from chain.merkle import HASH_BYTES, Frontier, leaf_hash, prove_consistency, prove_inclusion, tree_root
from chain.note import (
    COSIGNATURE_ED25519,
    ED25519,
    VerifierKey,
    add_signatures,
    format_note,
    make_vkey,
    verify_signature,
)
from chain.receipt import (
    BalanceReceipt,
    EntryReceipt,
    Promise,
    format_balance_receipt,
    format_entry_receipt,
    parse_entry_receipt,
    sign_promise,
)
from chain.sheet import NO_GENESIS, SheetDomain, SignedSheet, sign_sheet
from ledger.bodies import Founder, Genesis, NodeRotate
from ledger.kinds import CODEC, KINDS
from ledger.parameters import DEFAULTS, Parameters, format_parameters
from ledger.replay import Replay, Signers
from ledger.roster import CLERK, MEMBER, NODE
from ledger.state import Account, State, freeze, thaw
from store.home import NEXT_KEY, NEXT_MLDSA_KEY, NODE_KEY, NODE_MLDSA_KEY, PEOPLE_KEY, Home, new_home
from store.keyfiles import write_key
from store.log import Leg, LogStore, StoreError
from store.sqlite import SqliteStore
from verify.check import Signatures
from verify.checkpoints import COSIGNED_EARLIER_MAX_SECONDS

KIND_OF: Mapping[type[Body], str] = {kind.body: name for name, kind in KINDS.items()}
SNAPSHOT_ENTRIES = 4_096
"""How many entries may follow a snapshot before the next one: about what an opening replays at most."""

REPLAY_ENTRIES = 4_096
STRANGERS_MAX = 32
"""How many cosignatures by keys that this ledger does not know are kept on one checkpoint."""
Clock = Callable[[], Time]
Waits = Callable[[], Iterable[object]]


class NodeError(Exception):
    """The node cannot do it: no such home, another process writes it, a key is missing. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """An entry that is on disk."""

    index: int
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry that is not on the log: a rule's outcome or the code of a finding, with a detail where there is one."""

    outcome: str
    detail: str = ""


Result = Accepted | Refused


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has, in minutes or fen as ``unit`` says."""

    account: str
    balance: int
    held: int
    status: str
    unit: str


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """The two keys of the node's program."""

    signing: SigningKey
    mldsa: MldsaSigningKey | None = None


@dataclass(frozen=True, slots=True)
class Founding:
    """What a new ledger begins with. ``clerks`` and ``members`` are signing keys to be kept in the home."""

    origin: str
    clerks: Sequence[SigningKey]
    members: Sequence[SigningKey]
    threshold: int
    tier: Literal["village", "township", "county", "city"] = "village"
    parent: str | None = None
    parent_vkey: str | None = None
    authorities: Sequence[bytes] = ()
    """Public keys of the tier above."""
    parameters: Parameters = DEFAULTS
    at: Time | None = None
    """The recorded time in place of the clock's."""


def system_clock() -> Time:
    """Now, in whole seconds."""
    return datetime.datetime.now(UTC).replace(microsecond=0)


class Node:
    """A ledger in a store, with the state that its log has led to. One at a time writes a home."""

    def __init__(self, store: LogStore, keys: NodeKeys | None, clock: Clock = system_clock) -> None:
        """Take up the ledger in ``store``. Without ``keys`` nothing can be sealed, and nothing is written."""
        self.store = store
        self._keys = keys
        self._clock = clock
        self._unsigned: list[Checkpoint] = []
        self._is_loaded = False
        self._open_people: Callable[[], People] | None = None
        self._load()

    @classmethod
    def create(cls, folder: Path, founding: Founding, passphrase: bytes | None, clock: Clock = system_clock) -> None:
        """Make a home with keys, genesis and the first seal; raises StoreError and leaves nothing where it cannot."""
        mldsa = MldsaSigningKey(os.urandom(MLDSA_SEED_BYTES))
        keys = NodeKeys(SigningKey(os.urandom(SEED_BYTES)), mldsa)
        with new_home(folder, founding.origin) as home:
            write_key(home.keys / NODE_KEY, keys.signing, passphrase)
            write_key(home.keys / NODE_MLDSA_KEY, mldsa, passphrase)
            _make_people(home, passphrase)
            for role, owners in ((CLERK, founding.clerks), (MEMBER, founding.members)):
                for owner in owners:
                    home.add_key(role, owner, passphrase)
            store = SqliteStore(home.ledger, founding.origin)
            try:
                cls(store, keys, clock).found(founding)
            finally:
                store.close()

    @classmethod
    @contextmanager
    def open(
        cls,
        folder: Path,
        passphrase: bytes | None = None,
        *,
        writes: bool,
        clock: Clock = system_clock,
        waits: Waits = tuple,
    ) -> Iterator["Node"]:
        """The node in a home. With ``writes`` it holds the home's lock and has its keys; without, it only reads.

        ``waits`` is how long to wait for the lock (``Home.lock``): by itself not at all.
        """
        home = Home(folder)
        origin = home.origin()
        with home.lock(waits()) if writes else nullcontext():
            store = SqliteStore(home.ledger, read_only=not writes)
            try:
                if store.origin != origin:
                    text = _("{path} is the ledger of {found}, not of {origin}")
                    raise StoreError(text.format(path=home.ledger, found=store.origin, origin=origin))
                node = cls(store, _keys_of(home, store, passphrase) if writes else None, clock)
                if writes:
                    node._open_people = lambda: People(home.people, home.people_secret(passphrase))
                yield node
            finally:
                store.close()

    @classmethod
    def rotate(
        cls,
        folder: Path,
        members: Sequence[SigningKey],
        passphrase: bytes | None,
        at: Time | None = None,
        clock: Clock = system_clock,
        waits: Waits = tuple,
    ) -> str:
        """Give the node new keys, by ``threshold`` members; its old ones sign nothing more. Answers the new key's id.

        The new keys are on disk before the log names them; a crash at any point is mended by the next ``open``.
        """
        home = Home(folder)
        key, mldsa = SigningKey(os.urandom(SEED_BYTES)), MldsaSigningKey(os.urandom(MLDSA_SEED_BYTES))
        with cls.open(folder, passphrase, writes=True, clock=clock, waits=waits) as node:
            home.drop_next_keys()
            write_key(home.keys / NEXT_KEY, key, passphrase)
            write_key(home.keys / NEXT_MLDSA_KEY, mldsa, passphrase)
            first, *others = members
            (result,) = node.write(first, [*others, key], [NodeRotate(key=key.public, mldsa=mldsa.public)], at)
            if isinstance(result, Refused):
                home.drop_next_keys()
                text = _("the node's key cannot be changed: {why}")
                raise NodeError(text.format(why=f"{result.outcome} {result.detail}".rstrip()))
        with cls.open(folder, passphrase, writes=True, clock=clock, waits=waits) as node:
            node.seal(at)
        return key.id

    # What the ledger says

    @property
    def state(self) -> State:
        """What the log has led to, entries not yet sealed included. Only read it."""
        return self._replay.state

    @property
    def origin(self) -> str:
        return self.store.origin

    @property
    def domain(self) -> SheetDomain:
        """What sheets for this ledger are signed for."""
        return SheetDomain(self.origin, leaf_hash(self.store.entry(0)) if self.store.size else NO_GENESIS)

    @property
    def vkey(self) -> VerifierKey:
        """The key in force that signs checkpoints, as an auditor pins it."""
        roster = self.state.roster
        return make_vkey(self.origin, ED25519, roster.keys[roster.node].public)

    def entry(self, index: int) -> Entry[Any]:
        """The entry at an index; IndexError outside the log, StoreError where it is damaged."""
        try:
            return CODEC.parse(self.store.entry(index))
        except EntryError as error:
            raise self._damage(index) from error

    def balance(self, number: str) -> Balance | None:
        """What an account has now; None where there is none of that number."""
        account = self.state.accounts.get(number)
        return None if account is None else _balance(account)

    def balances(self) -> list[Balance]:
        """Of all accounts, in the order of their opening."""
        return [_balance(account) for account in self.state.accounts.values()]

    def legs(self, number: str) -> Iterator[Leg]:
        """Everything posted to an account, in order."""
        return self.store.legs(number)

    def checkpoint(self, size: int | None = None) -> bytes:
        """The signed note of that size, or the newest one."""
        if size is not None:
            note = self.store.checkpoint(size) if size <= self.store.size else None
            if note is None:
                raise NodeError(_("there is no checkpoint of size {size}").format(size=size))
            return note
        last = self.store.last_checkpoint()
        if last is None:
            raise NodeError(_("nothing is sealed yet: run `huzhu seal` first"))
        return last[1]

    def receipt(self, index: int) -> bytes:
        """The entry receipt (FORMAT §10), from the newest checkpoint."""
        note = self.checkpoint()
        checkpoint, _signed = open_checkpoint(note)
        if not 0 <= index < self.store.size:
            text = _("there is no entry {index}; the ledger has {size}")
            raise NodeError(text.format(index=index, size=self.store.size))
        if index >= checkpoint.size:
            text = _("entry {index} is not under the newest checkpoint, of size {size}: seal first")
            raise NodeError(text.format(index=index, size=checkpoint.size))
        path = prove_inclusion(index, checkpoint.size, self.store.hashes.read)
        return format_entry_receipt(EntryReceipt(self.store.entry(index), index, tuple(path), note))

    def balance_receipt(self, number: str) -> bytes:
        """The balance receipt (FORMAT §10), as of the newest seal."""
        account = self.state.accounts.get(number)
        if account is None:
            raise NodeError(_("there is no account {number}").format(number=number))
        sealed = self._replay.books.sealed_leaf(account.position)
        if sealed is None:
            text = _("account {number} was opened after the newest seal: seal first")
            raise NodeError(text.format(number=number))
        leaf, path = sealed
        seal_index = self.state.seal_indexes[-1]
        seal: Seal = self.entry(seal_index).body
        return format_balance_receipt(
            BalanceReceipt(
                leaf=leaf,
                index=account.position,
                accounts=seal.accounts,
                genesis=self.domain.genesis,
                path=tuple(path),
                seal=parse_entry_receipt(self.receipt(seal_index)),
            )
        )

    def people(self) -> AbstractContextManager[People]:
        """The dossiers of this home, open; only in a node that writes: a look is written too."""
        if self._open_people is None:
            raise NodeError(_("this node was opened for reading only"))
        return closing(self._open_people())

    def promise(self, index: int) -> bytes:
        """The node's signed word that the entry at ``index`` is on disk (FORMAT §3)."""
        hashed = leaf_hash(self.store.entry(index))
        return format_note(sign_promise(Promise(self.origin, self.domain.genesis, index, hashed), self._key().signing))

    def consistency(self, size: int) -> list[bytes]:
        """The proof that the newest checkpoint's log begins with the one of ``size``."""
        checkpoint, _signed = open_checkpoint(self.checkpoint())
        return prove_consistency(size, checkpoint.size, self.store.hashes.read)

    # What is written

    def write(
        self,
        author: SigningKey,
        beside: Sequence[SigningKey],
        bodies: Sequence[Body],
        at: Time | None = None,
        *,
        durable: bool = True,
    ) -> list[Result]:
        """Judge statements, sign those that are accepted as one sheet, append them, and answer one result each.

        At most 1,024. With ``durable`` false they count from the next ``commit`` on, and are forgotten without it.
        """
        if len(bodies) > SHEET_MAX_STATEMENTS:
            text = _("a sheet has at most {maximum} statements, not {count}")
            raise NodeError(text.format(maximum=SHEET_MAX_STATEMENTS, count=len(bodies)))
        moment = self._moment(at)
        ids = tuple(sorted(key.id for key in beside))
        known = self.state.roster.keys.get(author.id)
        seq = max(-1 if known is None else known.last_seq, int(moment.timestamp() * 1000) - 1)
        with self._whole():
            self._make_room(len(bodies), at)
            place = _largest_place(len(bodies))
            results: list[Result | None] = []
            statements: list[bytes] = []
            for body in bodies:
                kind = KIND_OF[type(body)]
                statement = format_statement(
                    Statement(at=moment, body=body, by=author.id, kind=kind, seq=seq + 1, beside=ids)
                )
                statement = _normalised(statement)
                refused = self._judge_unsigned(statement, place, (author.id, *ids))
                results.append(refused)
                if refused is None:
                    statements.append(statement)
                    seq += 1
            if statements:
                accepted = iter(self._append(sign_sheet(self.domain, statements, author, beside).entries()))
                results = [next(accepted) if result is None else result for result in results]
            if durable:
                self.commit()
        return [result for result in results if result is not None]

    def declare(self, bodies: Sequence[Body], at: Time | None = None) -> list[Result]:
        """What the node itself says by its own key: anchors, transfers that came in, were refused or came back."""
        return self.write(self._key().signing, (), bodies, at)

    def submit(self, sheet: SignedSheet) -> list[Result]:
        """Judge a sheet that others signed, append what is accepted, and answer one result for each statement."""
        if not 1 <= len(sheet.statements) <= SHEET_MAX_STATEMENTS:
            text = _("a sheet has 1 to {maximum} statements, not {count}")
            raise NodeError(text.format(maximum=SHEET_MAX_STATEMENTS, count=len(sheet.statements)))
        with self._whole():
            self._make_room(len(sheet.statements))
            signatures = Signatures(self.domain)
            verdicts: list[Refused | bytes] = [self._judge(raw, signatures) or raw for raw in sheet.entries()]
            accepted = iter(self._append([raw for raw in verdicts if isinstance(raw, bytes)]))
            self.commit()
        return [next(accepted) if isinstance(verdict, bytes) else verdict for verdict in verdicts]

    def seal(self, at: Time | None = None, *, durable: bool = True) -> int:
        """Close the block and answer the new size; its checkpoint is signed once the seal is on disk.

        The seal is never dated before the last one or an entry of its block.
        """
        state, books = self.state, self._replay.books
        earliest = [time for time in (state.sealed_at, state.block_latest) if time is not None]
        moment = max([self._moment(at), *earliest])
        key = self._key().signing
        with self._whole():
            books.release(state.size, moment)
            body = Seal(
                accounts=len(state.accounts),
                height=state.height,
                prev=state.last_seal_hash,
                root=self._tree.root(),
                size=state.size,
                state=books.root(),
            )
            seq = max(state.roster.keys[key.id].last_seq + 1, int(moment.timestamp() * 1000))
            statement = format_statement(Statement(at=moment, body=body, by=key.id, kind=SEAL, seq=seq))
            raw = sign_sheet(self.domain, [statement], key).entries()[0]
            self._replay.close_block(CODEC.read(raw), leaf_hash(raw))
            self._append([raw])
            self._unsigned.append(Checkpoint(self.origin, self._tree.size, self._tree.root()))
            if state.size - self._snapshot_size >= SNAPSHOT_ENTRIES or not self._snapshot_size:
                self._save_snapshot()
            if durable:
                self.commit()
        return self._tree.size

    def commit(self) -> None:
        """Put everything written so far on disk, then sign the checkpoints of the seals among it."""
        with self._whole():
            self.store.commit()
            for checkpoint in self._unsigned:
                self._sign(checkpoint)
            self._unsigned.clear()
            self.store.commit()

    def cosign(self, signed: bytes) -> int:
        """Take over the cosignatures that a copy of one of our checkpoints carries; answer how many.

        Raises NodeError where the checkpoint is another, or a member's line does not verify or is dated before the
        seal. The node's own lines are never taken from outside. Lines of strangers are kept, up to a bound, and never
        take the place of another: whose word counts is the auditor's choice.
        """
        checkpoint, note = open_checkpoint(signed)
        own, own_note = open_checkpoint(self.checkpoint(checkpoint.size))
        if own != checkpoint:
            text = _("the checkpoint of size {size} is another than this ledger's")
            raise NodeError(text.format(size=checkpoint.size))
        kept = {(line.name, line.hash) for line in own_note.signatures}
        members = {(vkey.name, vkey.hash): vkey for vkey in self._cosigners()}
        sealed_at = self.entry(checkpoint.size - 1).at.timestamp()
        new, strangers = [], sum(place not in members for place in kept)
        for line in note.signatures:
            place = (line.name, line.hash)
            if line.name == self.origin or line in own_note.signatures:
                continue
            if place in members:
                seconds = verify_cosignature(members[place], checkpoint, line)
                if seconds is None or 0 < seconds < sealed_at - COSIGNED_EARLIER_MAX_SECONDS:
                    text = _("the signature by {name} does not verify, or is dated before the seal")
                    raise NodeError(text.format(name=line.name))
                new.append(line)
            elif place not in kept and strangers < STRANGERS_MAX:
                strangers += 1
                new.append(line)
        with self._whole():
            self.store.put_checkpoint(checkpoint.size, format_note(add_signatures(own_note, *new)))
            self.store.commit()
        return len(new)

    def found(self, founding: Founding) -> None:
        """Write genesis and the first seal into an empty store."""
        founders = [Founder(key=key.public, role="clerk") for key in founding.clerks]
        founders += [Founder(key=key.public, role="member") for key in founding.members]
        founders += [Founder(key=public, role="authority") for public in founding.authorities]
        keys = self._key()
        genesis = Genesis(
            members=tuple(sorted(founders, key=lambda founder: key_id(founder.key))),
            mldsa=None if keys.mldsa is None else keys.mldsa.public,
            node_key=keys.signing.public,
            origin=founding.origin,
            params=format_parameters(founding.parameters),
            parent=founding.parent,
            parent_vkey=founding.parent_vkey,
            threshold=founding.threshold,
            tier=founding.tier,
        )
        (result,) = self.write(keys.signing, (), [genesis], founding.at, durable=False)
        if isinstance(result, Refused):
            text = _("the ledger cannot begin so: {why}")
            raise NodeError(text.format(why=f"{result.outcome} {result.detail}".rstrip()))
        self.seal(founding.at, durable=False)
        self.commit()

    # How it is done

    def _judge_unsigned(self, statement: bytes, place: SheetPlace | None, keys: tuple[str, ...]) -> Refused | None:
        """Judge a statement that those keys are about to sign, on a sheet whose places are no longer than that one."""
        raw = join_entry(statement, place, tuple(Signature(key, bytes(SIGNATURE_BYTES)) for key in keys))
        return self._judge(raw, None)

    def _judge(self, raw: bytes, signatures: Signatures | None) -> Refused | None:
        """Judge an entry as the log's next, and make it true in the state; the steps of FORMAT §12, 3 to 5."""
        try:
            entry = CODEC.parse(raw)
        except EntryError as error:
            return Refused(error.code, str(error))
        if entry.kind == SEAL:
            return Refused("not-allowed", _("seals are the node's"))
        if (entry.at - self._clock()).total_seconds() > CLOCK_AHEAD_MAX_SECONDS:
            return Refused("at-in-future", _("its time is more than five minutes ahead of this clock"))
        statement = entry.statement
        signers = self._replay.signers(statement)
        if signers is None:
            detail = _("a key that signs it is not on the log, or does not count any more")
            return Refused("entry.unknown-key", detail)
        _time, author, beside = signers
        if signatures is not None:
            verdict = signatures.verdict(raw, entry, {key.id: key.public for key in (author, *beside)})
            if verdict is not None:
                return Refused(*verdict)
        if entry.seq <= author.last_seq:
            return Refused("entry.seq", _("an entry of this author with the same or a higher `seq` is on the log"))
        outcome = self._replay.admit(statement, signers)
        if outcome is not None:
            return Refused(outcome)
        self._judged.append(statement)
        return None

    def _append(self, entries: Sequence[bytes]) -> list[Accepted]:
        """Hand entries that the state has taken to the store, with the legs that they posted."""
        hashes = [leaf_hash(raw) for raw in entries]
        start = self.store.size
        self.store.append(entries, hashes, self._take_legs())
        self._judged.clear()
        for hashed in hashes:
            self._tree.append(hashed)
        return [Accepted(index, hashed) for index, hashed in enumerate(hashes, start)]

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """All or nothing: whatever fails in the block is forgotten, in the store and in the state.

        Where the disk fails in the forgetting too, nothing is written before the state has been read again.
        """
        if not self._is_loaded:
            self._forget()
        try:
            yield
        except BaseException:
            self._forget()
            raise

    def _forget(self) -> None:
        self._is_loaded = False
        self.store.rollback()
        self._load()

    def _make_room(self, entry_count: int, at: Time | None = None) -> None:
        """Close the block where so many more entries and a seal would not fit into it."""
        if self.state.block_entries + entry_count >= BLOCK_MAX_ENTRIES:
            self.seal(at, durable=False)

    def _moment(self, at: Time | None) -> Time:
        """The time to write: the clock's or a given one, and never before the last seal's, which it would count as."""
        now = self._clock()
        moment = now if at is None else at
        if (moment - now).total_seconds() > CLOCK_AHEAD_MAX_SECONDS:
            text = _("{time} is ahead of this clock, which says {now}")
            raise NodeError(text.format(time=format_time(moment), now=format_time(now)))
        return self.state.log_time(moment)

    def _key(self) -> NodeKeys:
        if self._keys is None:
            raise NodeError(_("this node was opened for reading only"))
        if self.state.roster.node not in ("", self._keys.signing.id):
            text = _("the ledger names another key as the node's than the one in this home: restore that key")
            raise NodeError(text)
        return self._keys

    def _sign(self, checkpoint: Checkpoint) -> None:
        keys = self._key()
        cosignatures = []
        if keys.mldsa is not None:
            seconds = int(self.state.log_time(self._clock()).timestamp())
            cosignatures.append(cosign_mldsa44(checkpoint, self.origin, keys.mldsa, seconds))
        note = sign_checkpoint(checkpoint, keys.signing, *cosignatures)
        self.store.put_checkpoint(checkpoint.size, format_note(note))

    def _cosigners(self) -> Iterator[VerifierKey]:
        """The keys of committee members, as cosigners of this ledger."""
        for key in self.state.roster.keys.values():
            if key.role == MEMBER:
                yield make_vkey(member_name(self.origin, key.id), COSIGNATURE_ED25519, key.public)

    def _take_leg(self, index: int, number: str, balance: int, held: int) -> None:
        """Add up what one entry does to one account."""
        before = self._legs.get((number, index), (0, 0))
        self._legs[number, index] = before[0] + balance, before[1] + held

    def _take_legs(self) -> list[Leg]:
        """What was posted since the last call."""
        legs = [Leg(account, index, *amounts) for (account, index), amounts in self._legs.items()]
        self._legs.clear()
        return legs

    # From the store

    def _load(self) -> None:
        """Read the state again: from the snapshot and what follows it, or from the first entry."""
        self._unsigned.clear()
        self._judged: list[Statement[Any]] = []
        self._legs: dict[tuple[str, int], tuple[int, int]] = {}
        self._tree: Frontier = self.store.hashes.frontier()
        last = self.store.last_checkpoint()
        self._vouched_size = 0 if last is None else last[0]
        snapshot = self.store.snapshot()
        if snapshot is None or not self._restore(snapshot):
            self._rebuild()
        self._legs.clear()
        self._check_last_checkpoint()
        if self._keys is not None:
            self._finish_seal()
        self._is_loaded = True

    def _restore(self, snapshot: tuple[int, bytes, bytes]) -> bool:
        """Replay what follows a snapshot; whether it is ours and every seal states the balances that came out."""
        size, digest, raw = snapshot
        expected = _digest(size, raw)
        if size > self.store.size or digest[:HASH_BYTES] != expected:
            return False
        if self._keys is not None and digest[HASH_BYTES:] != _seal_of_snapshot(expected, self._keys.signing):
            return False
        try:
            self._begin(thaw(raw))
        except (msgspec.DecodeError, TypeError, ValueError):
            return False
        self._snapshot_size = size
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
        self._snapshot_size = 0
        if self._keys is not None:
            self.store.clear_legs()
        while self.state.size < self.store.size:
            if not self._retake_next():
                raise self._damage(self.state.size)
            if self._keys is not None:
                self.store.put_legs(self._take_legs())
            self._legs.clear()
        self.store.commit()

    def _begin(self, state: State) -> None:
        self._legs.clear()
        self._replay = Replay(state, self._earlier, self._take_leg)

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
        return self._replay.books.root() == bytes(statement.body.state)

    def _is_signed(self, raw: bytes, signers: Signers) -> bool:
        """For entries after the last checkpoint: what somebody put into the file is not on the log."""
        _time, author, beside = signers
        publics = {key.id: key.public for key in (author, *beside)}
        entry = CODEC.parse(raw)
        domain = self.domain if self.state.size else SheetDomain(self.origin)
        return entry.seq > author.last_seq and Signatures(domain).verdict(raw, entry, publics) is None

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
        if not 0 < state.size == self._snapshot_size:
            return False
        raw = self.store.entry(state.size - 1)
        try:
            body = CODEC.parse(raw).body
        except EntryError:
            return False
        return (
            isinstance(body, Seal)
            and state.last_seal_hash == leaf_hash(raw)
            and self._replay.books.root() == body.state
        )

    def _damage(self, index: int) -> StoreError:
        text = _("entry {index} of {origin} is damaged: restore ledger.db from a backup")
        return StoreError(text.format(index=index, origin=self.origin))

    def _check_last_checkpoint(self) -> None:
        """Never go on from another log than the one that was signed last: that would be a second history."""
        last = self.store.last_checkpoint()
        if last is None:
            return
        try:
            checkpoint, note = open_checkpoint(last[1])
        except NoteError as error:
            raise StoreError(_("the last checkpoint is damaged: restore ledger.db from a backup")) from error
        nodes = [key.public for key in self.state.roster.keys.values() if key.role == NODE]
        vkeys = [make_vkey(self.origin, ED25519, public) for public in nodes]
        if not any(verify_signature(vkey, note.text, line) for vkey in vkeys for line in note.signatures):
            raise StoreError(_("the last checkpoint is not this node's: restore ledger.db from a backup"))
        size = checkpoint.size
        if size > self.store.size or tree_root(size, self.store.hashes.read) != checkpoint.root:
            text = _("the entries of {origin} are not those under its last checkpoint: restore ledger.db from a backup")
            raise StoreError(text.format(origin=self.origin))

    def _finish_seal(self) -> None:
        """Sign the checkpoint of a seal after which the process had ended."""
        state = self.state
        last = self.store.last_checkpoint()
        if state.height and state.block_entries == 0 and (last is None or last[0] < self._tree.size):
            self._sign(Checkpoint(self.origin, self._tree.size, self._tree.root()))
            self.store.commit()

    def _save_snapshot(self) -> None:
        raw = freeze(self.state)
        self._snapshot_size = self.state.size
        digest = _digest(self._snapshot_size, raw)
        self.store.put_snapshot(self._snapshot_size, digest + _seal_of_snapshot(digest, self._key().signing), raw)


def _keys_of(home: Home, store: LogStore, passphrase: bytes | None) -> NodeKeys:
    """The node's keys; where a change of them was begun, those that the log names."""
    next_path = home.keys / NEXT_KEY
    if next_path.exists():
        if Node(store, None).state.roster.node == home.signing_key(next_path, passphrase).id:
            home.promote_next_keys()
        else:
            home.drop_next_keys()
    signing = home.signing_key(home.keys / NODE_KEY, passphrase)
    return NodeKeys(signing, home.mldsa_key(home.keys / NODE_MLDSA_KEY, passphrase))


def _make_people(home: Home, passphrase: bytes | None) -> None:
    """The private side of a new home."""
    write_key(home.keys / PEOPLE_KEY, SigningKey(os.urandom(SEED_BYTES)), passphrase)
    try:
        create_people(home.people)
    except PeopleError as error:
        raise StoreError(str(error)) from error


def _largest_place(statement_count: int) -> SheetPlace | None:
    """No place on a sheet of at most so many statements takes more bytes."""
    if statement_count <= 1:
        return None
    last = statement_count - 1
    return SheetPlace(last, (bytes(HASH_BYTES),) * last.bit_length(), statement_count)


def _normalised(statement: bytes) -> bytes:
    """With its texts in NFC (FORMAT §1): nothing that JSON is made of composes with what follows it."""
    return statement if statement.isascii() else unicodedata.normalize("NFC", statement.decode()).encode()


def _digest(size: int, raw: bytes) -> bytes:
    return hashlib.sha256(b"%d\n" % size + raw).digest()


def _seal_of_snapshot(digest: bytes, key: SigningKey) -> bytes:
    """What only this node can have written beside a snapshot: who may sign does not follow from any root."""
    return hmac.digest(hashlib.sha256(b"huzhu/snapshot/v1\n" + key.seed).digest(), digest, "sha256")


def _balance(account: Account) -> Balance:
    return Balance(account.number, account.balance, account.held, account.status, account.unit)
