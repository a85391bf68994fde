"""What must be true of a ledger at the end of every scenario."""

from collections import Counter
from collections.abc import Sequence

from chain.block import SEAL
from chain.entry import statement_of
from chain.merkle import leaf_hash
from chain.sheet import SignedSheet
from ledger.kinds import CODEC
from ledger.replay import Replay
from ledger.state import State
from node import Accepted, Node, NodeKeys
from store.log import MemoryStore
from tests.scenarios.village import FOUNDED_AT, Village, key_of


def check(village: Village) -> None:
    """Sums are zero, a second replay gives the same state, passbooks add up to balances, and the audit is clean."""
    node = village.node
    assert sums(node.state) == {}
    assert replayed(node).state == node.state
    for account in node.state.accounts.values():
        legs = list(node.legs(account.number))
        assert (sum(leg.balance for leg in legs), sum(leg.held for leg in legs)) == (account.balance, account.held)
    audit(node, village.node_keys)


def sums(state: State) -> Counter[str]:
    """Balance and held over all accounts by unit, those that are zero left out."""
    total: Counter[str] = Counter()
    for account in state.accounts.values():
        total[account.unit] += account.balance + account.held
    return Counter({unit: amount for unit, amount in total.items() if amount})


def replayed(node: Node) -> Replay:
    """The node's log replayed from nothing."""
    replay = Replay(State(origin=node.origin), lambda index: CODEC.read(node.store.entry(index)))
    for raw in node.store.entries(0, node.store.size):
        entry = CODEC.parse(raw).statement
        if entry.kind == SEAL:
            replay.close_block(entry, leaf_hash(raw))
            assert replay.books.root() == entry.body.state
            continue
        signers = replay.signers(entry)
        assert signers is not None, entry
        assert replay.admit(entry, signers) is None, entry
    return replay


def audit(node: Node, node_keys: Sequence[str]) -> None:
    """The full audit, which must be clean: every entry, submitted again to an empty node, gives the same log."""
    store, clock = MemoryStore(node.origin), [FOUNDED_AT]
    keys = {key_of(name).id: key_of(name) for name in node_keys}
    second, in_force = Node(store, None), ""
    for raw in node.store.entries(0, node.store.size):
        entry = CODEC.parse(raw)
        clock.append(max(clock[-1], entry.at))
        if second.state.roster.node != in_force:
            in_force = second.state.roster.node
            second = Node(store, NodeKeys(keys[in_force]), lambda: clock[-1])
        if entry.kind == SEAL:
            second.seal(entry.at)
        else:
            (result,) = second.submit(SignedSheet((statement_of(raw, entry),), entry.sigs))
            assert isinstance(result, Accepted), (entry, result)
        assert store.entry(store.size - 1) == raw
    assert second.state == node.state
