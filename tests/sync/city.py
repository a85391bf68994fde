"""Towns with real homes, one above the other, and the hours that they send each other.

A *shelf* is what an ancestor's mirror holds at a moment: whatever a town writes after it was made is not on it, as when
the line is down.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from chain.entry import Body
from chain.fields import parse_time
from chain.keys import SigningKey
from chain.note import format_vkey
from ledger.bodies import AccountClose, AccountOpen, Opening, OrgAdmit, Params, TransferOut
from ledger.numbers import BRIDGE, account_number
from ledger.parameters import format_parameters
from node import Accepted, Founding, Node, Refused
from store.archive import open_archive
from sync.library import ArchiveLibrary, Library
from sync.transfers import TransferReport, run_transfers
from verify.audit import Trust, audit_ledger
from verify.source import MemorySource

Tier = Literal["village", "township", "county", "city"]
Result = Accepted | Refused
START = parse_time("2026-03-02T08:00:00Z")
HASH = bytes(range(32))
ANNE, BEN, NOBODY = (account_number(number) for number in (100_001, 100_002, 100_003))
"""Two with accounts in every village, and one without."""

HOURS = 600
"""What Anne begins with."""


class Town:
    """One node, opened whenever it does something."""

    def __init__(self, folder: Path, name: str, tier: Tier = "village", above: "Town | None" = None) -> None:
        self.home = folder / name
        self.origin = f"{name}.example/huzhu"
        self.clerk, self.one, self.two = (_key(f"{name} {who}") for who in ("clerk", "member 1", "member 2"))
        self._officials = [_key(f"{name} official {number}") for number in (1, 2)]
        Node.create(self.home, self._founding(tier, above), None, lambda: START)
        self._note_key()
        if above is not None:
            above.write((above.one, above.two), OrgAdmit(origin=self.origin, tier=tier, vkey=self.vkey))
            above.seal()

    @contextmanager
    def node(self) -> Iterator[Node]:
        with Node.open(self.home, writes=True, clock=lambda: START) as node:
            yield node

    def rotate(self) -> None:
        """Give the node new keys, and seal."""
        Node.rotate(self.home, [self.one, self.two], None, clock=lambda: START)
        self._note_key()

    def write(self, signers: Sequence[SigningKey], *bodies: Body) -> list[Result]:
        """All must be accepted."""
        with self.node() as node:
            results = node.write(signers[0], signers[1:], bodies)
        assert all(isinstance(result, Accepted) for result in results), results
        return results

    def seal(self) -> None:
        with self.node() as node:
            node.seal()

    def people(self) -> None:
        """Anne with her hours, and Ben."""
        opens = [AccountOpen(account=number, dossier=HASH, holder="person") for number in (ANNE, BEN)]
        self.write((self.clerk, self.one), *opens)
        self.write((self.clerk, self.one, self.two), Opening(account=ANNE, minutes=HOURS, source=HASH))

    def send(self, other: "Town", number: str = ANNE, minutes: int = 60) -> int:
        """Anne's hours leave; the index of the entry, which is not sealed."""
        body = TransferOut(giver=ANNE, minutes=minutes, to=f"{other.origin}#{number}")
        (result,) = self.write((self.clerk, self.one), body)
        assert isinstance(result, Accepted)
        return result.index

    def close_account(self, number: str) -> None:
        self.write((self.clerk, self.one), AccountClose(account=number, reason="asked"))

    def trust(self, *others: "Town") -> None:
        """Take proofs that begin at these, by new parameters."""
        with self.node() as node:
            state = node.state
        parameters = replace(state.parameters, trusted_logs=tuple(other.vkey for other in others))
        body = Params(params=format_parameters(parameters), version=state.parameters_version + 1)
        self.write(self._officials, body)

    def fetch(self, *libraries: Library) -> TransferReport:
        """One round."""
        with self.node() as node:
            origin, state = node.origin, node.state
        return run_transfers(origin, state, libraries, self.declare, clock=lambda: 0.0)

    def declare(self, bodies: Sequence[Body]) -> Sequence[Result]:
        with self.node() as node:
            return node.declare(bodies)

    def balance(self, number: str = ANNE) -> int:
        with self.node() as node:
            found = node.balance(number)
        assert found is not None
        return found.balance

    def source(self) -> MemorySource:
        """A copy of the ledger as it is now."""
        with open_archive(self.home / "ledger.db") as (ledger,):
            return MemorySource(ledger.origin, [raw for _index, raw in ledger.rows()], list(ledger.checkpoints()))

    def check(self) -> None:
        """The audit finds nothing."""
        report = audit_ledger(self.source(), Trust())
        assert report.findings == []

    def _note_key(self) -> None:
        with self.node() as node:
            self.vkey = format_vkey(node.vkey)

    def _founding(self, tier: Tier, above: "Town | None") -> Founding:
        return Founding(
            origin=self.origin,
            clerks=[self.clerk],
            members=[self.one, self.two],
            threshold=2,
            tier=tier,
            parent=None if above is None else above.origin,
            parent_vkey=None if above is None else above.vkey,
            authorities=[] if above is None else [key.public for key in self._officials],
        )


def shelf(*towns: Town, name: str = "shelf") -> ArchiveLibrary:
    """The ledgers of these towns as they are now."""
    return ArchiveLibrary(name, [town.source() for town in towns])


def on_the_way(*towns: Town) -> int:
    """Minutes that left one of these ledgers and came to none."""
    return sum(town.balance(BRIDGE) for town in towns)


def _key(name: str) -> SigningKey:
    return SigningKey(sha256(name.encode()).digest())

