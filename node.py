"""One running node: a village committee's ledger, put together here and nowhere else.

    node = Node.create(home, founding)          # or Node.open(home, ...)
    results = node.write(clerk, [member], [body, ...])
    node.seal()
    node.balance("12345678"); node.receipt(17); node.balance_receipt("12345678")

*Accepted means on disk*: ``write``, ``submit`` and ``seal`` answer after the store's ``commit``. The state in memory is
a fold over the log (``store.fold``); whenever the disk fails it is thrown away and read again. A crash leaves what the
last commit left: at most a seal whose checkpoint is not signed yet, which the next ``open`` signs.

A service keeps its node open, and lets others write the home between its batches:

    shared = SharedNode(home, passphrase)
    with shared.batch() as node:                # locked, up to date, and on disk when it ends
        results = [node.submit(sheet, durable=False) for sheet in sheets]
"""

import datetime
import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from gettext import gettext as _
from pathlib import Path
from typing import Any

from care.people import People, PeopleError, create_people
from chain.block import SEAL, Seal
from chain.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from chain.cosignature import cosign_mldsa44, member_name
from chain.entry import Body, Entry, SheetPlace, Signature, Statement, format_statement, join_entry
from chain.fields import UTC, Time, format_time
from chain.keys import (
    MLDSA_SEED_BYTES,
    SEED_BYTES,
    SIGNATURE_BYTES,
    MldsaSigningKey,
    SigningKey,
)
from chain.limits import BLOCK_MAX_ENTRIES, CLOCK_AHEAD_MAX_SECONDS, SHEET_MAX_STATEMENTS
from chain.merkle import HASH_BYTES, leaf_hash, prove_consistency, prove_inclusion
from chain.note import (
    COSIGNATURE_ED25519,
    ED25519,
    VerifierKey,
    add_signatures,
    format_note,
    make_vkey,
)
from chain.receipt import (
    BalanceReceipt,
    EntryReceipt,
    Promiser,
    format_balance_receipt,
    format_entry_receipt,
    parse_entry_receipt,
)
from chain.sheet import SheetDomain, SignedSheet, sign_sheet
from ledger.bodies import NodeRotate
from ledger.founding import Founding as Founding
from ledger.founding import genesis_of
from ledger.kinds import KINDS
from ledger.roster import CLERK, MEMBER
from ledger.state import Account, State
from store.answers import Accepted as Accepted
from store.answers import Refused as Refused
from store.answers import Result as Result
from store.answers import format_answer, parse_answer
from store.fold import Fold
from store.home import NEXT_KEY, NEXT_MLDSA_KEY, NODE_KEY, NODE_MLDSA_KEY, PEOPLE_KEY, Home, new_home
from store.keyfiles import write_key
from store.log import Answer, Leg, LogStore, StoreError
from store.sqlite import SqliteStore
from verify.check import Signatures, Verdict
from verify.cosigned import CosignatureError, new_cosignatures

KIND_OF: Mapping[type[Body], str] = {kind.body: name for name, kind in KINDS.items()}
SNAPSHOT_ENTRIES = 4_096
"""How many entries may follow a snapshot before the next one: about what an opening replays at most."""

DAY_SECONDS = 86_400
Clock = Callable[[], Time]
Waits = Callable[[], Iterable[object]]
Leaf = tuple[bytes, bytes]
"""An entry with its leaf hash."""


class NodeError(Exception):
    """The node cannot do it: no such home, another process writes it, a key is missing. The text says what to do."""


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
        self._fold = Fold(store, None if keys is None else keys.signing)
        self._finish_seal()
        self._is_loaded = True

    @classmethod
    def create(
        cls,
        folder: Path,
        founding: Founding,
        passphrase: bytes | None,
        clock: Clock = system_clock,
        furnish: "Callable[[Home, Node], None]" = lambda _home, _node: None,
    ) -> None:
        """Make a home with keys, genesis and the first seal; raises StoreError and leaves nothing where it cannot.

        ``furnish`` adds what else is to be there from the first moment on.
        """
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
                node = cls(store, keys, clock)
                node._open_people = lambda: People(home.people, home.people_secret(passphrase))
                node.found(founding)
                furnish(home, node)
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
        home.origin()  # nothing is locked where there is no node
        with home.lock(waits()) if writes else nullcontext():
            node = cls._take_up(home, passphrase, writes=writes, clock=clock)
            try:
                yield node
            finally:
                node.store.close()

    @classmethod
    def _take_up(cls, home: Home, passphrase: bytes | None, *, writes: bool, clock: Clock) -> "Node":
        """The node of a home, which the caller has locked where it ``writes``."""
        origin = home.origin()
        store = SqliteStore(home.ledger, read_only=not writes)
        try:
            if store.origin != origin:
                text = _("{path} is the ledger of {found}, not of {origin}")
                raise StoreError(text.format(path=home.ledger, found=store.origin, origin=origin))
            node = cls(store, _keys_of(home, store, passphrase) if writes else None, clock)
        except BaseException:
            store.close()
            raise
        if writes:
            node._open_people = lambda: People(home.people, home.people_secret(passphrase))
        return node

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
        return self._fold.state

    @property
    def origin(self) -> str:
        return self.store.origin

    @property
    def domain(self) -> SheetDomain:
        """What sheets for this ledger are signed for."""
        return self._fold.domain

    @property
    def vkey(self) -> VerifierKey:
        """The key in force that signs checkpoints, as an auditor pins it."""
        roster = self.state.roster
        return make_vkey(self.origin, ED25519, roster.keys[roster.node].public)

    def entry(self, index: int) -> Entry[Any]:
        """The entry at an index; IndexError outside the log, StoreError where it is damaged."""
        return self._fold.entry(index)

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

    def receipt(self, index: int, size: int | None = None) -> bytes:
        """The entry receipt (FORMAT §10), from the checkpoint of that size, or the newest one."""
        note = self.checkpoint(size)
        checkpoint, _signed = open_checkpoint(note)
        if not 0 <= index < self.store.size:
            text = _("there is no entry {index}; the ledger has {size}")
            raise NodeError(text.format(index=index, size=self.store.size))
        if index >= checkpoint.size:
            text = _("entry {index} is not under the newest checkpoint, of size {size}: seal first")
            if size is not None:
                text = _("entry {index} is not under the checkpoint of size {size}")
            raise NodeError(text.format(index=index, size=checkpoint.size))
        path = prove_inclusion(index, checkpoint.size, self.store.hashes.read)
        return format_entry_receipt(EntryReceipt(self.store.entry(index), index, tuple(path), note))

    def balance_receipt(self, number: str) -> bytes:
        """The balance receipt (FORMAT §10), as of the newest seal."""
        account = self.state.accounts.get(number)
        if account is None:
            raise NodeError(_("there is no account {number}").format(number=number))
        sealed = self._fold.books.sealed_leaf(account.position)
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
        return self.promiser()(index, leaf_hash(self.store.entry(index)))

    def promiser(self) -> Promiser:
        """What signs the same for entries that are on disk, by the key in force now; any thread may call it."""
        return Promiser(self.origin, self.domain.genesis, self._key().signing)

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
            if not self._has_room(len(bodies)):
                self.seal(at, durable=False)
            place = _largest_place(len(bodies))
            results: list[Result | None] = []
            statements: list[bytes] = []
            for body in bodies:
                kind = KIND_OF[type(body)]
                statement = format_statement(
                    Statement(at=moment, body=body, by=author.id, kind=kind, seq=seq + 1, beside=ids)
                )
                statement = _normalised(statement)
                verdict = self._judge_unsigned(statement, place, (author.id, *ids))
                results.append(None if verdict is None else Refused(*verdict))
                if verdict is None:
                    statements.append(statement)
                    seq += 1
            if statements:
                sheet = sign_sheet(self.domain, statements, author, beside)
                leaves = [(raw, leaf_hash(raw)) for raw in sheet.entries()]
                accepted = (Accepted(index, hashed) for index, (_raw, hashed) in enumerate(leaves, self.store.size))
                results = [next(accepted) if result is None else result for result in results]
                self._append(leaves)
            if durable:
                self.commit()
        return [result for result in results if result is not None]

    def judge(
        self, author: str, beside: Sequence[str], bodies: Sequence[Body], at: Time | None = None
    ) -> list[Refused | None]:
        """What the rules would say if those keys, by their ids, signed each of these alone now; nothing is written."""
        moment, ids = self._moment(at), tuple(sorted(beside))
        known = self.state.roster.keys.get(author)
        seq = max(-1 if known is None else known.last_seq, int(moment.timestamp() * 1000) - 1) + 1
        refusals: list[Refused | None] = []
        for body in bodies:
            kind = KIND_OF[type(body)]
            statement = Statement(at=moment, body=body, by=author, kind=kind, seq=seq, beside=ids)
            verdict = self._judge_unsigned(_normalised(format_statement(statement)), None, (author, *ids), True)
            refusals.append(None if verdict is None else Refused(*verdict))
        return refusals

    def declare(self, bodies: Sequence[Body], at: Time | None = None) -> list[Result]:
        """What the node itself says by its own key: anchors, transfers that came in, were refused or came back."""
        return self.write(self._key().signing, (), bodies, at)

    def submit(self, sheet: SignedSheet, *, durable: bool = True) -> list[Result]:
        """Judge a sheet that others signed, append what is accepted, and answer one result for each statement.

        A sheet of which something is on the log already gets the answer that it got then. ``durable`` as in ``write``.
        """
        return self.submit_all([sheet], durable=durable)[0]

    def submit_all(self, sheets: Sequence[SignedSheet], *, durable: bool = True) -> list[list[Result]]:
        """As ``submit``, for sheets that came together: judged in their order, handed to the store at once."""
        for sheet in sheets:
            if not 1 <= len(sheet.statements) <= SHEET_MAX_STATEMENTS:
                text = _("a sheet has 1 to {maximum} statements, not {count}")
                raise NodeError(text.format(maximum=SHEET_MAX_STATEMENTS, count=len(sheet.statements)))
        with self._whole():
            results = self._take_all(sheets)
            if durable:
                self.commit()
        return results

    def _take_all(self, sheets: Sequence[SignedSheet]) -> list[list[Result]]:
        digests = [sheet.digest() for sheet in sheets]
        answered = {digest: self._recall(raw) for digest, raw in self.store.answers(digests).items()}
        now, taken, answers, results = self._clock(), list[Leaf](), list[Answer](), list[list[Result]]()
        latest_seconds = int(now.timestamp()) + CLOCK_AHEAD_MAX_SECONDS
        for digest, sheet in zip(digests, sheets, strict=True):
            if digest not in answered and not self._has_room(len(sheet.statements)):
                self._append(taken)
                taken.clear()
                self.seal(durable=False)
            results.append(answered.get(digest) or self._take(sheet, now, taken))
            if digest not in answered and any(isinstance(result, Accepted) for result in results[-1]):
                answered[digest] = results[-1]
                answers.append(Answer(digest, latest_seconds, format_answer(results[-1])))
        self._append(taken)
        self.store.put_answers(answers)
        return results

    def _recall(self, answer: bytes) -> list[Result]:
        return parse_answer(answer, lambda index: leaf_hash(self.store.entry(index)))

    def _take(self, sheet: SignedSheet, now: Time, taken: list[Leaf]) -> list[Result]:
        """Judge a sheet, and add to ``taken`` what is accepted: the store gets it later."""
        entries, root = sheet.placed()
        signatures, results = Signatures(self.domain, (len(entries), root)), list[Result]()
        for raw in entries:
            verdict = self._fold.judge(raw, signatures, now)
            if verdict is None:
                hashed = leaf_hash(raw)
                results.append(Accepted(self.store.size + len(taken), hashed))
                taken.append((raw, hashed))
            else:
                results.append(Refused(*verdict))
        return results

    def seal(self, at: Time | None = None, *, durable: bool = True) -> int:
        """Close the block and answer the new size; its checkpoint is signed once the seal is on disk.

        The seal is never dated before the last one or an entry of its block.
        """
        state, books = self.state, self._fold.books
        earliest = [time for time in (state.sealed_at, state.block_latest) if time is not None]
        moment = max([self._moment(at), *earliest])
        key = self._key().signing
        with self._whole():
            books.release(state.size, moment)
            body = Seal(
                accounts=len(state.accounts),
                height=state.height,
                prev=state.last_seal_hash,
                root=self._fold.tree.root(),
                size=state.size,
                state=books.root(),
            )
            seq = max(state.roster.keys[key.id].last_seq + 1, int(moment.timestamp() * 1000))
            statement = format_statement(Statement(at=moment, body=body, by=key.id, kind=SEAL, seq=seq))
            raw = sign_sheet(self.domain, [statement], key).entries()[0]
            self._fold.close_block(raw)
            self._append([(raw, leaf_hash(raw))])
            tree = self._fold.tree
            self._unsigned.append(Checkpoint(self.origin, tree.size, tree.root()))
            self.store.drop_answers(int(moment.timestamp()) - state.parameters.statement_max_age_days * DAY_SECONDS)
            if state.size - self._fold.snapshot_size >= SNAPSHOT_ENTRIES or not self._fold.snapshot_size:
                self._fold.save_snapshot(key)
            if durable:
                self.commit()
        return tree.size

    def commit(self) -> None:
        """Put everything written so far on disk, then sign the checkpoints of the seals among it."""
        with self._whole():
            self._fold.save_accounts()
            self.store.commit()
            for checkpoint in self._unsigned:
                self._sign(checkpoint)
            self._unsigned.clear()
            self.store.commit()

    def cosign(self, signed: bytes) -> int:
        """Take over the cosignatures that a copy of one of our checkpoints carries; answer how many.

        Raises NodeError where the checkpoint is another, or a line of a member is not true
        (``verify.cosigned.new_cosignatures``).
        """
        checkpoint, note = open_checkpoint(signed)
        own, own_note = open_checkpoint(self.checkpoint(checkpoint.size))
        if own != checkpoint:
            text = _("the checkpoint of size {size} is another than this ledger's")
            raise NodeError(text.format(size=checkpoint.size))
        sealed_at = self.entry(checkpoint.size - 1).at.timestamp()
        try:
            new = new_cosignatures(checkpoint, own_note, note, self._cosigners(), sealed_at)
        except CosignatureError as error:
            raise NodeError(str(error)) from error
        with self._whole():
            self.store.put_checkpoint(checkpoint.size, format_note(add_signatures(own_note, *new)))
            self.store.commit()
        return len(new)

    def found(self, founding: Founding) -> None:
        """Write genesis and the first seal into an empty store."""
        keys = self._key()
        genesis = genesis_of(founding, keys.signing.public, None if keys.mldsa is None else keys.mldsa.public)
        (result,) = self.write(keys.signing, (), [genesis], founding.at, durable=False)
        if isinstance(result, Refused):
            text = _("the ledger cannot begin so: {why}")
            raise NodeError(text.format(why=f"{result.outcome} {result.detail}".rstrip()))
        self.seal(founding.at, durable=False)
        self.commit()

    # How it is done

    def _judge_unsigned(
        self, statement: bytes, place: SheetPlace | None, keys: tuple[str, ...], is_question: bool = False
    ) -> Verdict | None:
        """Judge a statement that those keys are about to sign, on a sheet whose places are no longer than that one."""
        raw = join_entry(statement, place, tuple(Signature(key, bytes(SIGNATURE_BYTES)) for key in keys))
        return self._fold.judge(raw, None, self._clock(), is_question=is_question)

    def _append(self, leaves: Sequence[Leaf]) -> None:
        """Hand entries that the state has taken to the store."""
        self._fold.append([raw for raw, _hash in leaves], [hashed for _raw, hashed in leaves])

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
        self._unsigned.clear()
        self.store.rollback()
        self._fold.load()
        self._finish_seal()
        self._is_loaded = True

    def _catch_up(self) -> None:
        """Take what other processes have written since; the caller holds the home's lock."""
        if self._is_loaded:
            self._is_loaded = False
            self._fold.catch_up()
            self._finish_seal()
            self._is_loaded = True
        else:
            self._forget()

    def _finish_seal(self) -> None:
        """Sign the checkpoint of a seal after which the process had ended."""
        state, tree = self.state, self._fold.tree
        last = self.store.last_checkpoint()
        if self._keys is None or not state.height or state.block_entries:
            return
        if last is None or last[0] < tree.size:
            self._sign(Checkpoint(self.origin, tree.size, tree.root()))
            self.store.commit()

    def _has_room(self, entry_count: int) -> bool:
        """Whether so many more entries and a seal fit into the open block."""
        return self.state.block_entries + entry_count < BLOCK_MAX_ENTRIES

    def _moment(self, at: Time | None) -> Time:
        """The time to write: the clock's or a given one, and never before the last seal's, which it would count as.

        After a seal by a clock that was ahead it is this clock's: its log time is that seal's all the same.
        """
        now = self._clock()
        moment = now if at is None else at
        if (moment - now).total_seconds() > CLOCK_AHEAD_MAX_SECONDS:
            text = _("{time} is ahead of this clock, which says {now}")
            raise NodeError(text.format(time=format_time(moment), now=format_time(now)))
        logged = self.state.log_time(moment)
        return moment if (logged - now).total_seconds() > CLOCK_AHEAD_MAX_SECONDS else logged

    @property
    def has_key_in_force(self) -> bool:
        """Whether the key in this home is the one that the ledger names as the node's."""
        return self._keys is not None and self.state.roster.node in ("", self._keys.signing.id)

    def _key(self) -> NodeKeys:
        if self._keys is None:
            raise NodeError(_("this node was opened for reading only"))
        if not self.has_key_in_force:
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


class SharedNode:
    """The node of a home that other processes write too: it stays open, and is locked for a batch at a time.

    One thread at a time. Between two batches anything may happen to the home: others write it, change the node's keys,
    or restore it from a backup.
    """

    def __init__(self, folder: Path, passphrase: bytes | None = None, clock: Clock = system_clock) -> None:
        """Opens nothing yet; the first batch does."""
        self._home = Home(folder)
        self._passphrase = passphrase
        self._clock = clock
        self._node: Node | None = None
        self._file = (0, 0)

    @contextmanager
    def batch(self, waits: Waits = tuple) -> Iterator[Node]:
        """The node, up to date, while the home is locked. What was written is on disk when the block has ended.

        Raises as ``Node.open`` does. Where the block or the disk fails, nothing of the batch is kept.
        """
        with self._home.lock(waits()):
            try:
                node = self._current()
            except BaseException:
                self.close()
                raise
            with node._whole():
                yield node
                node.commit()

    def close(self) -> None:
        """Let go of the ledger; the next batch opens it again."""
        node, self._node = self._node, None
        if node is not None:
            node.store.close()

    def _current(self) -> Node:
        """The open node, where it still is that of this home's file and has the key in force; or one opened anew."""
        file = self._identity()
        if self._node is not None and file == self._file:
            self._node._catch_up()
            if self._node.has_key_in_force:
                return self._node
        self.close()
        self._node = Node._take_up(self._home, self._passphrase, writes=True, clock=self._clock)
        self._file = file
        return self._node

    def _identity(self) -> tuple[int, int]:
        """Which file the ledger is: a restored one is another of the same name."""
        try:
            found = self._home.ledger.stat()
        except OSError:
            return 0, 0
        return found.st_dev, found.st_ino


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


def _balance(account: Account) -> Balance:
    return Balance(account.number, account.balance, account.held, account.status, account.unit)
