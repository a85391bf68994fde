"""A small village to keep in a store: people with fixed keys, a clock that is turned by hand, and days of records."""

import dataclasses
import datetime
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from chain.entry import Body, Statement, format_statement
from chain.fields import Time, parse_time
from chain.keys import MldsaSigningKey, SigningKey
from chain.merkle import leaf_hash, root_of
from chain.sheet import SignedSheet, sign_sheet
from ledger.bodies import AccountOpen, Donate, Evidence, Opening, Service
from ledger.numbers import account_number
from ledger.parameters import Parameters
from ledger.state import State, freeze
from node import KIND_OF, Accepted, Founding, Node, NodeKeys, Result
from store.log import LogStore, MemoryStore
from verify.audit import LedgerReport, audit_ledger
from verify.source import MemorySource

ORIGIN = "village.example/huzhu"
CLERK = SigningKey(bytes([1]) * 32)
MEMBERS = tuple(SigningKey(bytes([number]) * 32) for number in (2, 3, 4))
STRANGER = SigningKey(bytes([9]) * 32)
KEYS = NodeKeys(SigningKey(bytes([5]) * 32))
KEYS_WITH_MLDSA = NodeKeys(SigningKey(bytes([5]) * 32), MldsaSigningKey(bytes([6]) * 32))

PROVIDER, RECIPIENT, *OTHERS = (account_number(number) for number in range(100_000, 100_006))
START = parse_time("2026-03-04T08:00:00Z")
PARAMETERS = Parameters(posting_days=0)
HOLDING = Parameters(posting_days=3)
OPENING_MINUTES = 1_000_000
DOSSIER = bytes(range(32))


class HandClock:
    """Stands still until somebody turns it."""

    def __init__(self, now: Time = START) -> None:
        self.now = now

    def __call__(self) -> Time:
        return self.now

    def turn(self, **amount: int) -> None:
        """Forward: ``turn(hours=3)``; or back, with negative amounts."""
        self.now += datetime.timedelta(**amount)


def founding(parameters: Parameters = PARAMETERS, origin: str = ORIGIN) -> Founding:
    return Founding(origin=origin, clerks=[CLERK], members=list(MEMBERS), threshold=2, parameters=parameters)


def new_node(
    store: LogStore | None = None, clock: HandClock | None = None, parameters: Parameters = PARAMETERS
) -> Node:
    """A node of 14 entries: genesis and the first seal, then six accounts and what each had before, not sealed yet."""
    store = MemoryStore(ORIGIN) if store is None else store
    node = Node(store, KEYS, clock or HandClock())
    node.found(founding(parameters, store.origin))
    open_accounts(node)
    return node


def new_home(folder: Path, passphrase: bytes | None = None, parameters: Parameters = PARAMETERS) -> Path:
    """A home on disk with the same; its node's keys are random."""
    Node.create(folder, founding(parameters), passphrase, HandClock())
    with open_home(folder, passphrase) as node:
        open_accounts(node)
    return folder


def open_home(
    folder: Path, passphrase: bytes | None = None, *, writes: bool = True, clock: HandClock | None = None
) -> AbstractContextManager[Node]:
    """``Node.open`` with a clock turned by hand."""
    return Node.open(folder, passphrase, writes=writes, clock=clock or HandClock())


def open_accounts(node: Node) -> None:
    bodies = [
        AccountOpen(account=number, dossier=DOSSIER, elder=True, holder="person", redeemable=True, volunteer=True)
        for number in (PROVIDER, RECIPIENT, *OTHERS)
    ]
    accepted(node.write(CLERK, [MEMBERS[0]], bodies))
    openings = [
        Opening(account=body.account, minutes=OPENING_MINUTES, source=DOSSIER) for body in bodies
    ]
    accepted(node.write(CLERK, MEMBERS[:2], openings))


def service(minutes: int = 1, provider: str = PROVIDER, recipient: str = RECIPIENT, end: Time = START) -> Service:
    """A service that ended in time."""
    return Service(
        category="assistance",
        end=end,
        evidence=Evidence(form="paper", hash=DOSSIER),
        minutes=minutes,
        paid_by="recipient",
        provider=provider,
        recipient=recipient,
        start=end - datetime.timedelta(hours=4),
    )


def donation(minutes: int = 1, giver: str = PROVIDER) -> Donate:
    return Donate(giver=giver, minutes=minutes)


def record(node: Node, bodies: Sequence[Body], *, durable: bool = True) -> list[Accepted]:
    """Write as the clerk, certified by a member, what must be accepted."""
    return accepted(node.write(CLERK, [MEMBERS[0]], bodies, durable=durable))


def presigned(
    node: Node,
    bodies: Sequence[Body],
    *,
    author: SigningKey = CLERK,
    beside: Sequence[SigningKey] = (MEMBERS[1],),
    at: Time = START,
    seq: int | None = None,
) -> SignedSheet:
    """A sheet that was signed elsewhere, for ``node.submit``; ``seq`` goes on from the author's last."""
    known = node.state.roster.keys.get(author.id)
    first = seq if seq is not None else 0 if known is None else known.last_seq + 1
    statements = [
        Statement(
            at=at,
            body=body,
            by=author.id,
            kind=KIND_OF[type(body)],
            seq=first + place,
            beside=tuple(sorted(key.id for key in beside)),
        )
        for place, body in enumerate(bodies)
    ]
    return sign_sheet(node.domain, [format_statement(statement) for statement in statements], author, beside)


def accepted(results: Sequence[Result]) -> list[Accepted]:
    """All of the results; AssertionError where one is a refusal."""
    refused = [result for result in results if not isinstance(result, Accepted)]
    assert not refused, refused
    return [result for result in results if isinstance(result, Accepted)]


def contents(store: LogStore) -> tuple[object, ...]:
    """All that a store holds, to compare."""
    accounts = ("a", "b", "pool", "issue", PROVIDER, RECIPIENT, *OTHERS)
    return (
        store.origin,
        store.size,
        list(store.entries(0, store.size)),
        list(store.checkpoints()),
        store.last_checkpoint(),
        store.snapshot(),
        [list(store.legs(account)) for account in accounts],
        store.accounts(),
        store.hashes.size,
        store.hashes.frontier().nodes(),
    )


def replayed(store: LogStore) -> State:
    """The state of a node that knows nothing but the entries."""
    fresh = MemoryStore(store.origin)
    entries = list(store.entries(0, store.size))
    fresh.append(entries, [leaf_hash(raw) for raw in entries], {})
    fresh.commit()
    return Node(fresh, None, HandClock()).state


def assert_whole(node: Node) -> None:
    """The node's state, hashes and legs are those that follow from its entries, and its ledger passes the audit."""
    store, fresh = node.store, replayed(node.store)
    assert freeze(node.state) == freeze(fresh)
    entries = list(store.entries(0, store.size))
    assert len(entries) == store.size == store.hashes.size == node.state.size
    assert store.hashes.frontier().root() == root_of([leaf_hash(raw) for raw in entries])
    for account in node.balances():
        legs = list(store.legs(account.account))
        assert sum(leg.balance for leg in legs) == account.balance, account
        assert sum(leg.held for leg in legs) == account.held, account
    assert [(row.number, row.balance, row.held, row.status, row.unit) for row in store.accounts()] == [
        dataclasses.astuple(balance) for balance in node.balances()
    ]
    report = audited(store)
    assert report.is_sound, report.findings


def audited(store: LogStore) -> LedgerReport:
    """The audit of what a store holds."""
    return audit_ledger(
        MemorySource(store.origin, list(store.entries(0, store.size)), list(store.checkpoints()))
    )
