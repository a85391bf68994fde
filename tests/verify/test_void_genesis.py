"""A ledger whose genesis is refused has nobody who may sign anything: all of it is findings, and nothing breaks."""

import msgspec

from chain.block import Seal
from ledger.kinds import CODEC
from tests.verify.ledgers import NODE_KEY, START, Forge, audit, found, village


def test_what_follows_a_refused_genesis_is_by_unknown_keys() -> None:
    forge = Forge()
    genesis = msgspec.structs.replace(CODEC.parse(village().entries[0]).body, threshold=7)
    (raw,) = forge.sign(NODE_KEY, (), genesis, at=START, seq=0)
    forge.add(raw, void=True)
    seal = Seal(accounts=0, height=0, prev=b"", root=forge.tree.root(), size=1, state=bytes(32))
    forge.entries += forge.sign(NODE_KEY, (), seal, at=START, seq=1)
    by_entry = [(code, index) for code, index in found(audit(forge.ledger())) if code.startswith(("entry.", "rule."))]
    assert by_entry == [("rule.bad-threshold", 0), ("entry.unknown-key", 1)]
