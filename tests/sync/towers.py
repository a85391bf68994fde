"""A village, its township and their city, each anchored in the one above."""

from dataclasses import dataclass

from chain.checkpoint import open_checkpoint
from ledger.bodies import Anchor
from node import Node
from sync.anchors import due_anchors
from tests.store.village import accepted
from tests.sync.logs import NEW_KEYS, TOWNSHIP, Answer, admit, files, grow, ledger

CITY = "city.example/huzhu"


@dataclass(frozen=True)
class Tower:
    """From the village up."""

    village: Node
    township: Node
    city: Node

    @property
    def nodes(self) -> tuple[Node, Node, Node]:
        return self.village, self.township, self.city

    def anchor(self) -> None:
        """Each above anchors what is below, and seals."""
        for below, above in ((self.village, self.township), (self.township, self.city)):
            bodies = due_anchors(above.state, {below.origin: below.checkpoint()})
            accepted(above.declare(bodies))
            above.seal()


def tower() -> Tower:
    """Anchored three times, and grown since."""
    village, township = ledger(), ledger(TOWNSHIP, keys=NEW_KEYS, tier="township")
    city = ledger(CITY, tier="county")
    admit(township, village)
    admit(city, township, "township")
    found = Tower(village, township, city)
    for records in (1, 300, 2):
        grow(village, records)
        found.anchor()
    grow(village)
    return found


def answers(below: Node, node: Node) -> Answer:
    """What a node above serves: its log, and its anchors of the one below."""
    logs = files(node)

    def answer(path: str) -> bytes:
        start = f"/api/v1/anchors/{below.origin}?size="
        if not path.startswith("/api/"):
            return logs(path)
        if not path.startswith(start):
            raise FileNotFoundError(path)
        least = int(path.removeprefix(start))
        for index in range(node.store.size):
            body = node.entry(index).body
            if isinstance(body, Anchor) and open_checkpoint(body.checkpoint)[0].size >= least:
                return node.receipt(index)
        raise FileNotFoundError(path)

    return answer
