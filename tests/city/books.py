"""What must hold of a whole city, whatever happened to it, looked at twice.

Once by ``huzhu verify`` of all ledgers together, as an auditor would; and once more here, by adding up entries with
none of the program's own bookkeeping: each transfer that left ended at most once, and no minute came from nowhere.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ledger.bodies import TransferBack, TransferIn, TransferOut, TransferRefuse
from ledger.kinds import CODEC
from ledger.numbers import BRIDGE, POOL
from ledger.proofs import parse_proof
from tests.city.harness import ANNE, BEN, HOURS, NAMES, VILLAGES, City, Place, Round

Left = tuple[str, int]
"""A transfer: the ledger that it left, and the index of the entry."""


@dataclass
class Books:
    """What the entries of all villages say of the hours between them."""

    left: dict[Left, int] = field(default_factory=dict)
    taken: Counter[Left] = field(default_factory=Counter)
    refused: Counter[Left] = field(default_factory=Counter)
    returned: Counter[Left] = field(default_factory=Counter)
    entries: int = 0

    def add(self, place: Place) -> None:
        """All of a village's entries."""
        with place.node(writes=False) as node:
            size = node.store.size
            rows = list(node.store.entries(0, size))
        self.entries += size
        for index, raw in enumerate(rows):
            self._see(place.origin, index, CODEC.parse(raw).body)

    def _see(self, origin: str, index: int, body: Any) -> None:
        if isinstance(body, TransferOut):
            self.left[origin, index] = body.minutes
        elif isinstance(body, TransferBack):
            self.returned[origin, body.index] += 1
        elif isinstance(body, TransferIn | TransferRefuse):
            proof = parse_proof(body.proof)
            assert proof is not None
            (self.taken if isinstance(body, TransferIn) else self.refused)[proof.origin, proof.index] += 1

    def check(self) -> int:
        """Each ended at most once, and only what was refused came back; answers the minutes that are on the way."""
        for kind in (self.taken, self.refused, self.returned):
            assert set(kind) <= set(self.left), "hours that nobody sent"
            assert max(kind.values(), default=0) <= 1, "counted twice"
        assert not set(self.taken) & set(self.refused), "taken and refused"
        assert set(self.returned) <= set(self.refused), "returned without a refusal"
        ended = set(self.taken) | set(self.returned)
        return sum(minutes for left, minutes in self.left.items() if left not in ended)


def check_city(city: City, *, is_quiet: bool = True) -> Books:
    """All of it holds; where it ``is_quiet`` nothing is on the way either. Answers the books."""
    books = Books()
    total = bridge = 0
    for name in VILLAGES:
        place = city[name]
        books.add(place)
        place.assert_kept()
        with place.node(writes=False) as node:
            balances = {each.account: each.balance for each in node.balances()}
        assert sum(balances.values()) == 0, (name, balances)
        total += balances[ANNE] + balances[BEN] + balances[POOL]
        bridge += balances.get(BRIDGE, 0)
    on_the_way = books.check()
    assert on_the_way == bridge
    assert total + bridge == HOURS * len(VILLAGES)
    assert not (is_quiet and on_the_way), f"{on_the_way} minutes are still on the way"
    audit = verify(city)
    assert audit.status == 0, findings(audit) or audit.said
    return books


def verify(city: City, replaced: Mapping[str, Path] = MappingProxyType({})) -> Round:
    """The audit of all ledgers together, by the city's key alone; ``replaced``: by other homes than their own."""
    homes = [replaced.get(name, city[name].home) for name in NAMES]
    return city["city"].run(
        "verify", *(home / "ledger.db" for home in homes), "--full", "--trust", city.folder / "trust.txt"
    )


def findings(audit: Round) -> list[tuple[str, str]]:
    """The ledger and the code of each finding."""
    return [(finding["origin"].partition(".")[0], finding["code"]) for finding in audit.plain["findings"]]
