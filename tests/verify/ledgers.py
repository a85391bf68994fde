"""A small but whole ledger for the audit, ways to forge one by hand, and what the tests of ``verify`` share.

``village()`` is built by a node: every kind of entry, sheets of several statements, held credits and their release,
disputes, a reversal, a new node key, new parameters, checkpoints with cosignatures, and pending entries at the end.
``Forge`` goes on from any entries and signs whatever it is told to, as somebody would who holds all the keys.
"""

import datetime
import functools
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from chain.block import SEAL, Seal
from chain.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from chain.cosignature import cosign_ed25519, cosign_mldsa44, member_name
from chain.entry import Body, Statement, format_statement
from chain.fields import Time, parse_time
from chain.keys import MldsaSigningKey, SigningKey
from chain.merkle import Frontier, leaf_hash, levels_of, path_in
from chain.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    ED25519,
    NoteSignature,
    VerifierKey,
    add_signatures,
    format_note,
    make_vkey,
)
from chain.policy import NO_QUORUM, Group, Policy
from chain.sheet import NO_GENESIS, SheetDomain, sign_sheet
from ledger.bodies import (
    AccountClose,
    AccountOpen,
    AccountUpdate,
    Appeal,
    Assessment,
    CaseClose,
    CaseOpen,
    CaseStep,
    CouponIssue,
    CredentialGrant,
    CredentialRevoke,
    Dispute,
    Donate,
    Evidence,
    FundOpen,
    FundReceive,
    FundSpend,
    Gift,
    Grant,
    Inspection,
    InspectionDone,
    Institution,
    KeyGrant,
    KeyRevoke,
    KinLink,
    KinUnlink,
    NodeRotate,
    Opening,
    Params,
    Resolve,
    Reverse,
    Risk,
    Sanction,
    SanctionLift,
    Service,
)
from ledger.bodies import Finding as Found
from ledger.coupons import book_root
from ledger.kinds import CODEC
from ledger.numbers import POOL, account_number
from ledger.parameters import Parameters, format_parameters
from ledger.replay import Replay
from ledger.risk import figures, format_period
from ledger.state import State, month_of
from node import KIND_OF, Accepted, Founding, Node, NodeKeys
from store.log import LogStore, MemoryStore
from store.sqlite import SqliteStore
from verify.audit import LedgerReport, Trust, audit_ledger
from verify.finding import Finding
from verify.source import MemorySource

ORIGIN = "village.example/huzhu"
START = parse_time("2026-03-02T08:00:00Z")

NODE_KEY, NEW_NODE_KEY, CLERK, CLERK2, MEMBER1, MEMBER2, MEMBER3, ALICE_KEY, BOB_KEY, WITNESS, STRANGER = (
    SigningKey(bytes([number]) * 32) for number in range(1, 12)
)
ASSESSOR = SigningKey(bytes([12]) * 32)
MEMBERS = (MEMBER1, MEMBER2, MEMBER3)
NODE_MLDSA = MldsaSigningKey(bytes([20]) * 32)
WITNESS_MLDSA = MldsaSigningKey(bytes([21]) * 32)
WITNESS_NAME = "witness.example/w1"

ALICE, BOB, CHEN, DONG, ELSE = (account_number(number) for number in range(100_001, 100_006))
"""Alice and Chen volunteer; Bob and Dong are elders who pay themselves, the last is an elder for whom others pay."""

HASH = bytes(range(32))
SECRETS = tuple(bytes([30 + number]) * 16 for number in range(3))
"""The coupons of Bob's book."""
VKEY = make_vkey(ORIGIN, ED25519, NODE_KEY.public)
NEW_VKEY = make_vkey(ORIGIN, ED25519, NEW_NODE_KEY.public)
MLDSA_VKEY = make_vkey(ORIGIN, COSIGNATURE_MLDSA44, NODE_MLDSA.public)
WITNESS_VKEY = make_vkey(WITNESS_NAME, COSIGNATURE_ED25519, WITNESS.public)
WITNESS_MLDSA_VKEY = make_vkey(WITNESS_NAME, COSIGNATURE_MLDSA44, WITNESS_MLDSA.public)
MEMBER_VKEYS = tuple(make_vkey(member_name(ORIGIN, key.id), COSIGNATURE_ED25519, key.public) for key in MEMBERS)

Row = tuple[int, bytes]
"""A checkpoint: the size under which it is kept, and the signed note."""


@dataclass(frozen=True)
class Ledger:
    """A ledger's bytes."""

    entries: tuple[bytes, ...]
    checkpoints: tuple[Row, ...]
    origin: str = ORIGIN

    @property
    def sizes(self) -> list[int]:
        return [size for size, _ in self.checkpoints]

    def source(self) -> MemorySource:
        return MemorySource(self.origin, list(self.entries), list(self.checkpoints))

    def with_entry(self, index: int, raw: bytes) -> "Ledger":
        """The same with another entry at ``index``."""
        return Ledger((*self.entries[:index], raw, *self.entries[index + 1 :]), self.checkpoints, self.origin)

    def with_entries(self, entries: Iterable[bytes]) -> "Ledger":
        return Ledger(tuple(entries), self.checkpoints, self.origin)

    def with_checkpoints(self, checkpoints: Iterable[Row]) -> "Ledger":
        return Ledger(self.entries, tuple(checkpoints), self.origin)

    def with_note(self, place: int, note: bytes) -> "Ledger":
        """The same with another note in the ``place``-th checkpoint's row."""
        size = self.checkpoints[place][0]
        return self.with_checkpoints((*self.checkpoints[:place], (size, note), *self.checkpoints[place + 1 :]))

    def cut(self, size: int) -> "Ledger":
        """The first ``size`` entries with the checkpoints that cover no more."""
        return Ledger(self.entries[:size], tuple(row for row in self.checkpoints if row[0] <= size), self.origin)

    def at(self, kind: str, nth: int = 0) -> int:
        """The index of the ``nth`` entry of that kind."""
        return [index for index, raw in enumerate(self.entries) if CODEC.read(raw).kind == kind][nth]

    def seal_after(self, index: int) -> int | None:
        """The index of the seal that closes the block of ``index``, the entry itself where it is one."""
        seals = (place for place in range(index, len(self.entries)) if CODEC.read(self.entries[place]).kind == SEAL)
        return next(seals, None)


class GapSource(MemorySource):
    """A ledger whose rows have any indexes."""

    def __init__(self, ledger: Ledger, indexes: Sequence[int]) -> None:
        super().__init__(ledger.origin, list(ledger.entries), list(ledger.checkpoints))
        self._indexes = indexes

    def rows(self, start: int = 0) -> Iterator[tuple[int, bytes | None]]:
        rows = zip(self._indexes, self._entries, strict=True)
        return (row for row in rows if row[0] >= start)


def policy(
    *logs: VerifierKey,
    witnesses: Sequence[tuple[str, VerifierKey]] = (),
    groups: Sequence[Group] = (),
    quorum: str = NO_QUORUM,
) -> Policy:
    """A trust file's content; it pins the key in genesis where it is given no other."""
    return Policy(logs or (VKEY,), tuple(witnesses), tuple(groups), quorum)


PINNED = policy()
QUORUM = policy(
    VKEY,
    witnesses=[*zip(("m1", "m2", "m3"), MEMBER_VKEYS, strict=True), ("w", WITNESS_VKEY)],
    groups=[Group("members", 2, ("m1", "m2", "m3")), Group("all", 2, ("members", "w"))],
    quorum="all",
)
"""Pins the key in genesis, and asks for two members and the witness."""

TRUST = Trust(QUORUM)


def audit(ledger: Ledger, trust: Trust = TRUST, executor: Executor | None = None, workers: int = 1) -> LedgerReport:
    return audit_ledger(ledger.source(), trust, executor, workers)


def found(report: LedgerReport) -> list[tuple[str, int | None]]:
    """Code and index of each finding."""
    return [(finding.code, finding.index) for finding in report.findings]


def only(report: LedgerReport, code: str) -> list[Finding]:
    """The findings of one code."""
    return [finding for finding in report.findings if finding.code == code]


class HandClock:
    """Stands still until somebody turns it."""

    def __init__(self, now: Time = START) -> None:
        self.now = now

    def __call__(self) -> Time:
        return self.now


def opening_of(number: str, **fields: Any) -> AccountOpen:
    return AccountOpen(account=number, dossier=HASH, holder="person", **fields)


def service(provider: str, recipient: str, minutes: int, end: Time, **fields: Any) -> Service:
    """A service on paper, paid by its recipient, unless ``fields`` say otherwise."""
    given: dict[str, Any] = {"evidence": Evidence(form="paper", hash=HASH), "paid_by": "recipient"} | fields
    start = end - datetime.timedelta(minutes=minutes)
    return Service(
        category="assistance", end=end, minutes=minutes, provider=provider, recipient=recipient, start=start, **given
    )


def cosigned(note: bytes, *cosigners: SigningKey, at: Time, witness: SigningKey | None = None) -> bytes:
    """A note with more lines: of members, and of a witness."""
    checkpoint, opened = open_checkpoint(note)
    seconds = int(at.timestamp())
    lines = [cosign_ed25519(checkpoint, member_name(checkpoint.origin, key.id), key, seconds) for key in cosigners]
    if witness is not None:
        lines.append(cosign_ed25519(checkpoint, WITNESS_NAME, witness, seconds))
    return format_note(add_signatures(opened, *lines))


def by_coupon(book: int, index: int) -> Evidence:
    """The coupon ``index`` of the book with ``SECRETS`` that the entry ``book`` issued."""
    path = tuple(path_in(levels_of([leaf_hash(secret) for secret in SECRETS]), index))
    return Evidence(form="coupon", book=book, index=index, path=path, secret=SECRETS[index])


def risk_of(state: State) -> Risk:
    """The figures of the month of its last seal."""
    month = month_of((state.sealed_at or START) + state.utc_offset)
    return Risk(figures=figures(state, month), period=format_period(month))


class _Building:
    """A village under a node; each step must be accepted."""

    def __init__(self, minutes: int, node_key: SigningKey) -> None:
        self.clock = HandClock()
        self.store = MemoryStore(ORIGIN)
        self.minutes = minutes
        self.node_key = node_key
        self.run(node_key, NODE_MLDSA)

    def run(self, key: SigningKey, mldsa: MldsaSigningKey | None = None) -> None:
        """Take the node up with these keys."""
        self.node = Node(self.store, NodeKeys(key, mldsa), self.clock)

    def write(self, author: SigningKey, beside: Sequence[SigningKey], *bodies: Body) -> list[int]:
        """One sheet; the indexes of its entries."""
        results = self.node.write(author, beside, bodies)
        accepted = [result.index for result in results if isinstance(result, Accepted)]
        if len(accepted) < len(bodies):
            raise AssertionError(results)
        return accepted

    def seal(self, *cosigners: SigningKey, witness: SigningKey | None = None, **later: int) -> None:
        self.clock.now += datetime.timedelta(**later)
        self.node.seal()
        if cosigners or witness:
            at = self.clock.now + datetime.timedelta(minutes=1)
            self.node.cosign(cosigned(self.node.checkpoint(), *cosigners, at=at, witness=witness))

    def build(self) -> None:
        parameters = Parameters(kin_relations=("spouse",), local_services={}, credentials_needed={"training": "legal"})
        self.node.found(Founding(origin=ORIGIN, clerks=[CLERK], members=MEMBERS, threshold=2, parameters=parameters))
        self.run(self.node_key)
        self.people()
        self.services()
        self.corrections()
        self.rotation()
        self.last_corrections()
        self.care()
        self.write(CLERK, [MEMBER1], Donate(giver=BOB, minutes=1), Donate(giver=DONG, minutes=2))

    def people(self) -> None:
        volunteer, elder = {"volunteer": True}, {"elder": True, "redeemable": True}
        self.write(
            CLERK, [MEMBER1],
            opening_of(ALICE, **volunteer), opening_of(BOB, **elder), opening_of(CHEN, **volunteer),
            opening_of(DONG, **elder),
        )  # fmt: skip
        self.write(CLERK, [MEMBER1, MEMBER2], opening_of(ELSE, elder=True, funded="key_elder"))
        self.write(
            CLERK, [MEMBER1, MEMBER2],
            Opening(account=BOB, minutes=6_000, source=HASH), Opening(account=DONG, minutes=600, source=HASH),
        )  # fmt: skip
        self.write(
            MEMBER1, [MEMBER2],
            KeyGrant(account=ALICE, key=ALICE_KEY.public, role="volunteer"),
            KeyGrant(account=BOB, key=BOB_KEY.public, role="recipient"),
            KeyGrant(key=CLERK2.public, role="clerk"),
        )  # fmt: skip
        self.write(MEMBER1, [MEMBER2], CredentialGrant(account=ALICE, issuer="the county", scope="legal"))
        self.write(
            CLERK, [MEMBER1],
            KinLink(person=BOB, relation="spouse", relative=DONG),
            KinLink(person=ALICE, relation="spouse", relative=CHEN),
        )  # fmt: skip
        self.seal(MEMBER1, hours=9)

    def services(self) -> None:
        self.clock.now += datetime.timedelta(hours=15)
        now = self.clock.now
        self.disputed = self.write(
            CLERK, [MEMBER1],
            service(ALICE, BOB, self.minutes, now), service(CHEN, DONG, 90, now),
            service(ALICE, ELSE, 30, now, paid_by="issue"),
        )  # fmt: skip
        evidence = Evidence(form="signed", checkin=now - datetime.timedelta(minutes=45))
        self.reversed = self.write(ALICE_KEY, [BOB_KEY], service(ALICE, BOB, 45, now, evidence=evidence))
        self.write(BOB_KEY, [], Gift(giver=BOB, minutes=20, to=DONG), Donate(giver=BOB, minutes=10))
        self.seal(MEMBER1, MEMBER2, hours=9)

    def corrections(self) -> None:
        self.clock.now += datetime.timedelta(hours=15)
        first, second, _ = self.disputed
        dispute = self.write(BOB_KEY, [], Dispute(ground="nobody came", index=first, party=BOB))
        dispute += self.write(CLERK, [MEMBER1], Dispute(ground="too long", index=second, party=DONG))
        self.write(MEMBER1, [MEMBER2], Grant(minutes=45, reason="spring", to=ELSE))
        self.write(MEMBER2, [MEMBER3], Reverse(index=self.reversed[0], reason="twice"))
        self.write(
            MEMBER2, [MEMBER3],
            Resolve(index=dispute[0], outcome="rejected", reason="they came"),
            Resolve(index=dispute[1], outcome="upheld", reason="so it was"),
        )  # fmt: skip
        self.seal(MEMBER1, MEMBER2, witness=WITNESS, hours=9)

    def rotation(self) -> None:
        """The node's new key; what the second day earned becomes free at its first seal."""
        self.clock.now += datetime.timedelta(days=2)
        self.write(MEMBER1, [MEMBER2, NEW_NODE_KEY], NodeRotate(key=NEW_NODE_KEY.public))
        self.run(NEW_NODE_KEY)
        self.seal(MEMBER2, MEMBER3, hours=9)

    def last_corrections(self) -> None:
        self.clock.now += datetime.timedelta(hours=15)
        parameters = msgspec.structs.replace(self.node.state.parameters, posting_days=0, balance_max_minutes=5_900)
        parameters = msgspec.structs.replace(parameters, institution_minutes=60)
        self.write(MEMBER1, [MEMBER2], Params(params=format_parameters(parameters), version=1))
        self.write(
            CLERK, [MEMBER1],
            AccountUpdate(account=CHEN, dossier=HASH), KinUnlink(person=ALICE, relative=CHEN),
            service(ALICE, BOB, 15, self.clock.now),
        )  # fmt: skip
        self.write(MEMBER3, [MEMBER2], CredentialRevoke(account=ALICE, reason="expired", scope="legal"))
        self.write(MEMBER3, [MEMBER2], KeyRevoke(key_id=CLERK2.id, reason="left"))
        self.write(CLERK, [MEMBER1], AccountClose(account=ELSE, reason="moved", to=POOL))
        self.seal(MEMBER1, MEMBER2, hours=9)

    def care(self) -> None:
        """Coupons, a case with two sanctions, a fund, an inspection, a certificate and the month's figures."""
        self.clock.now += datetime.timedelta(hours=15)
        self.write(MEMBER1, [MEMBER2], KeyGrant(key=ASSESSOR.public, role="assessor"))
        root = book_root(SECRETS)
        (book,) = self.write(
            MEMBER1, [MEMBER2], CouponIssue(account=BOB, count=len(SECRETS), minutes_max=60, root=root)
        )
        self.write(ALICE_KEY, [], service(ALICE, BOB, 20, self.clock.now, evidence=by_coupon(book, 1)))
        (case,) = self.write(MEMBER1, [], CaseOpen(account=CHEN, entries=(16, book), suspicion="burst"))
        self.write(MEMBER2, [], CaseStep(case=case, note="Chen was heard", step="hear"))
        self.write(CLERK, [MEMBER3], Appeal(case=case, ground="it was not so"))
        self.write(MEMBER2, [MEMBER3], CaseClose(case=case, note="it was so", outcome="upheld"))
        until = datetime.date(2026, 6, 30)
        suspension, _ = self.write(
            MEMBER1, [MEMBER2],
            Sanction(account=CHEN, case=case, measure="suspend", until=until),
            Sanction(account=CHEN, case=case, measure="list", until=until),
        )  # fmt: skip
        self.write(MEMBER1, [MEMBER2], SanctionLift(reason="for the harvest", sanction=suspension))
        self.write(MEMBER1, [MEMBER2], Sanction(account=CHEN, case=case, measure="suspend"))
        self.write(
            MEMBER1, [MEMBER2],
            FundOpen(fund="canteen", purpose="meals", title="The village canteen"),
            FundReceive(fen=100_000, fund="canteen", source="government", voucher=HASH),
            FundSpend(fen=30_000, fund="canteen", payee="the grocer", purpose="meals", voucher=HASH),
            Institution(account=ALICE),
        )  # fmt: skip
        self.write(ASSESSOR, [], Assessment(period="2026-03", report=HASH, scores={"care": 90}, subject="point 3"))
        found = (Found(code="stairs", due=until, text="no rail"), Found(code="fire", due=until, text="no alarm"))
        (inspection,) = self.write(ASSESSOR, [], Inspection(findings=found, subject="point 3"))
        self.write(ASSESSOR, [], InspectionDone(finding=1, inspection=inspection, note="there is one now"))
        self.write(CLERK, [MEMBER1], risk_of(self.node.state))
        self.seal(MEMBER1, MEMBER2, witness=WITNESS, hours=9)


@functools.cache
def village_node(minutes: int = 60, node_key: SigningKey = NODE_KEY) -> Node:
    """The node of ``village``. Nobody may write with it: it is shared."""
    building = _Building(minutes, node_key)
    building.build()
    return building.node


@functools.cache
def village(minutes: int = 60, node_key: SigningKey = NODE_KEY) -> Ledger:
    """The sample. Other ``minutes`` of one old service are another history, signed by all the same keys."""
    return ledger_of(village_node(minutes, node_key).store)


def ledger_of(store: LogStore) -> Ledger:
    return Ledger(tuple(store.entries(0, store.size)), tuple(store.checkpoints()), store.origin)


def write_archive(path: Path, ledger: Ledger) -> Path:
    """The ledger as an archive, by the node's own store."""
    wide = path.with_suffix(".node")
    store = SqliteStore(wide, ledger.origin)
    store.append(ledger.entries, [leaf_hash(raw) for raw in ledger.entries], {})
    for size, note in ledger.checkpoints:
        store.put_checkpoint(size, note)
    store.commit()
    store.copy_to(path)
    store.close()
    return path


def memory_store(ledger: Ledger) -> MemoryStore:
    """The ledger in a store, to write tiles from."""
    store = MemoryStore(ledger.origin)
    store.append(ledger.entries, [leaf_hash(raw) for raw in ledger.entries], {})
    for size, note in ledger.checkpoints:
        store.put_checkpoint(size, note)
    store.commit()
    return store


@dataclass
class Forge:
    """Goes on from ``entries`` and signs anything: wrong seals, void entries, checkpoints of what never was."""

    start: Sequence[bytes] = ()
    node_key: SigningKey = NODE_KEY
    origin: str = ORIGIN
    entries: list[bytes] = field(default_factory=list)
    checkpoints: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.replay = Replay(State(origin=self.origin), lambda index: CODEC.read(self.entries[index]))
        self.tree = Frontier()
        for raw in self.start:
            self.add(raw)

    @property
    def state(self) -> State:
        return self.replay.state

    @property
    def size(self) -> int:
        return self.state.size

    @property
    def domain(self) -> SheetDomain:
        return SheetDomain(self.origin, leaf_hash(self.entries[0]) if self.entries else NO_GENESIS)

    @property
    def now(self) -> Time:
        """The earliest time at which one may go on."""
        times = [time for time in (self.state.sealed_at, self.state.block_latest) if time is not None]
        return max(times, default=START)

    def ledger(self, checkpoints: Sequence[Row] = ()) -> Ledger:
        return Ledger(tuple(self.entries), (*checkpoints, *self.checkpoints), self.origin)

    def add(self, raw: bytes, *, void: bool = False) -> int:
        """Put an entry on the log; ``void`` where an audit has to find that it changes nothing."""
        if void:
            self.replay.skip()
        else:
            statement = CODEC.parse(raw).statement
            if statement.kind == SEAL:
                self.replay.close_block(statement, leaf_hash(raw))
                self.replay.books.root()
            else:
                signers = self.replay.signers(statement)
                outcome = "unknown key" if signers is None else self.replay.admit(statement, signers)
                if outcome:
                    raise AssertionError(f"entry {self.size}: {outcome}")
        self.entries.append(raw)
        self.tree.append(leaf_hash(raw))
        return self.size - 1

    def sign(
        self,
        author: SigningKey,
        beside: Sequence[SigningKey],
        *bodies: Body,
        at: Time | None = None,
        seq: int | None = None,
        domain: SheetDomain | None = None,
    ) -> list[bytes]:
        """The entries of one sheet, not on the log yet."""
        known = self.state.roster.keys.get(author.id)
        first = (0 if known is None else known.last_seq + 1) if seq is None else seq
        ids = tuple(sorted(key.id for key in beside))
        statements = [
            format_statement(
                Statement(
                    at=at or self.now,
                    body=body,
                    by=author.id,
                    kind=SEAL if isinstance(body, Seal) else KIND_OF[type(body)],
                    seq=number,
                    beside=ids,
                )
            )
            for number, body in enumerate(bodies, first)
        ]
        return sign_sheet(domain or self.domain, statements, author, beside).entries()

    def write(self, author: SigningKey, beside: Sequence[SigningKey], *bodies: Body, **how: Any) -> list[int]:
        """One sheet whose entries are all good."""
        return [self.add(raw) for raw in self.sign(author, beside, *bodies, **how)]

    def write_void(self, author: SigningKey, beside: Sequence[SigningKey], *bodies: Body, **how: Any) -> list[int]:
        """One sheet whose entries all have a finding."""
        return [self.add(raw, void=True) for raw in self.sign(author, beside, *bodies, **how)]

    def seal_body(self, at: Time, **wrong: Any) -> Seal:
        """What the next seal has to say, but for what is ``wrong``."""
        state, books = self.state, self.replay.books
        books.release(state.size, at)
        body = Seal(
            accounts=len(state.accounts),
            height=state.height,
            prev=state.last_seal_hash,
            root=self.tree.root(),
            size=state.size,
            state=books.root(),
        )
        return msgspec.structs.replace(body, **wrong)

    def seal(self, *, at: Time | None = None, **wrong: Any) -> int:
        """A seal by the node's key; the index at which it stands."""
        moment = at or self.now
        (raw,) = self.sign(self.node_key, (), self.seal_body(moment, **wrong), at=moment)
        return self.add(raw)

    def checkpoint(
        self,
        *lines: NoteSignature,
        cosigners: Sequence[SigningKey] = (MEMBER1, MEMBER2),
        witness: SigningKey | None = WITNESS,
        at: Time | None = None,
    ) -> bytes:
        """Sign a checkpoint over all entries, and keep it; with ``lines`` more, and with cosignatures."""
        note = format_note(sign_checkpoint(self.checkpoint_now(), self.node_key, *lines))
        if cosigners or witness:
            note = cosigned(note, *cosigners, at=at or self.now, witness=witness)
        self.checkpoints.append((self.size, note))
        return note

    def checkpoint_now(self) -> Checkpoint:
        return Checkpoint(self.origin, self.size, self.tree.root())


def mldsa_line(checkpoint: Checkpoint, at: Time = START) -> NoteSignature:
    """The node's own ML-DSA-44 cosignature."""
    return cosign_mldsa44(checkpoint, checkpoint.origin, NODE_MLDSA, int(at.timestamp()))


def flip(raw: bytes, place: int, mask: int = 1) -> bytes:
    """``raw`` with one byte changed."""
    return raw[:place] + bytes([raw[place] ^ mask]) + raw[place + 1 :]


def plain(raw: bytes) -> dict[str, Any]:
    """An entry's JSON, to be changed by hand and written again by ``format_canonical``."""
    value: dict[str, Any] = json.loads(raw)
    return value
