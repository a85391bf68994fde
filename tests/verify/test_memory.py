"""An audit holds no more of a log of 60,000 entries than of one of 20,000."""

import tracemalloc
from collections.abc import Iterator

from ledger.bodies import Gift
from tests.verify.ledgers import BOB, CLERK, DONG, MEMBER1, Forge, village
from verify.audit import audit_ledger

GIFTS = [Gift(giver=BOB, minutes=1, to=DONG), Gift(giver=DONG, minutes=1, to=BOB)] * 128
"""A sheet."""
BLOCK_SHEETS = 4
GROWTH_MAX_BYTES = 400_000
"""For 40,000 entries more: what is kept of an entry for good is a byte for its kind, and 16 for a seal."""


class Endless:
    """The sample's people, then gifts of a minute from Bob to Dong and back, made as they are asked for and forgotten again."""

    origin = village().origin

    def __init__(self, size: int) -> None:
        self._size = size

    def size(self) -> int:
        return self._size

    def entry(self, index: int) -> bytes:
        raise AssertionError(f"nothing asks for entry {index}")

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        return iter(village().checkpoints[:2])

    def rows(self) -> Iterator[tuple[int, bytes | None]]:
        forge = Forge(village().entries[:16])
        yield from enumerate(forge.entries)
        del forge.entries[1:]
        sheets = 0
        while forge.size < self._size:
            start = forge.size
            if sheets % (BLOCK_SHEETS + 1) == BLOCK_SHEETS:
                forge.seal()
            else:
                forge.write(CLERK, [MEMBER1], *GIFTS)
            sheets += 1
            yield from enumerate(forge.entries[1:], start)
            del forge.entries[1:]


def peak_bytes(size: int) -> int:
    """The most that was held at once while auditing a log of about ``size`` entries."""
    tracemalloc.start()
    try:
        report = audit_ledger(Endless(size))
        assert report.size >= size and report.findings == []
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_stays_flat() -> None:
    peak_bytes(5_000)
    print(peak_bytes(20_000),peak_bytes(60_000))
    assert peak_bytes(60_000) - peak_bytes(20_000) < GROWTH_MAX_BYTES
