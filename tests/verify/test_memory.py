"""An audit holds no more of a log of 40,000 entries than of one of 10,000."""

import tracemalloc
from collections.abc import Iterator, Sequence

import msgspec

from chain.block import SEAL, Seal
from chain.entry import Statement, format_statement
from chain.merkle import leaf_hash
from chain.sheet import sign_sheet
from ledger.bodies import Gift
from tests.verify.ledgers import BOB, CLERK, DONG, MEMBER1, NODE_KEY, Forge, village
from verify.audit import audit_ledger

SHEET_ENTRIES, BLOCK_SHEETS = 512, 4
GROWTH_MAX_BYTES = 200_000
"""For 30,000 entries more: what is kept of an entry for good is a byte for its kind, and of a seal a few words."""


class Endless:
    """The sample's people, then gifts of a minute from Bob to Dong and back, made when they are asked for, and lost.

    After each sheet everybody has what he had before, so that all seals state the same balances.
    """

    origin = village().origin

    def __init__(self, size: int) -> None:
        self._size = size

    def size(self) -> int:
        return self._size

    def entry(self, index: int) -> bytes:
        raise AssertionError(f"nothing asks for entry {index}")

    def checkpoints(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        return (row for row in village().checkpoints[:2] if row[0] >= start)

    def rows(self, start: int = 0) -> Iterator[tuple[int, bytes | None]]:
        if start:
            raise AssertionError("nobody goes on from there")
        forge = Forge(village().entries[:16])
        yield from enumerate(forge.entries)
        body, size = forge.seal_body(forge.now), forge.size
        gifts = [self._gift(forge, giver, to) for giver, to in ((BOB, DONG), (DONG, BOB))]
        while size < self._size:
            for _ in range(BLOCK_SHEETS):
                first = size
                seqs = range(2**50 + size, 2**50 + size + SHEET_ENTRIES)
                statements = [gifts[seq % 2].replace(b":9,", b":%d," % seq) for seq in seqs]
                for raw in sign_sheet(forge.domain, statements, CLERK, [MEMBER1]).entries():
                    forge.tree.append(leaf_hash(raw))
                    yield size, raw
                    size += 1
                assert size == first + SHEET_ENTRIES
            body = msgspec.structs.replace(body, root=forge.tree.root(), size=size)
            raw = self._seal(forge, body)
            forge.tree.append(leaf_hash(raw))
            yield size, raw
            size += 1
            body = msgspec.structs.replace(body, height=body.height + 1, prev=leaf_hash(raw))

    def _gift(self, forge: Forge, giver: str, to: str) -> bytes:
        gift = Gift(giver=giver, minutes=1, to=to)
        return format_statement(
            Statement(at=forge.now, body=gift, by=CLERK.id, kind="gift", seq=9, beside=(MEMBER1.id,))
        )

    def _seal(self, forge: Forge, body: Seal) -> bytes:
        seq = 2**50 + body.height
        statement = format_statement(Statement(at=forge.now, body=body, by=NODE_KEY.id, kind=SEAL, seq=seq))
        return sign_sheet(forge.domain, [statement], NODE_KEY).entries()[0]


def peak_bytes(sizes: Sequence[int]) -> list[int]:
    """The most that was held at once while auditing logs of about these sizes."""
    peaks = []
    tracemalloc.start()
    try:
        for size in sizes:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            report = audit_ledger(Endless(size))
            assert report.size >= size and report.findings == []
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    return peaks


def test_memory_stays_flat() -> None:
    _, shorter, longer = peak_bytes([4_000, 10_000, 40_000])
    assert longer - shorter < GROWTH_MAX_BYTES, (shorter, longer)
