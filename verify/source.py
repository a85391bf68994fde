"""What an audit reads: one ledger's bytes, wherever they lie, none of them believed.

The reader's own failures (no such file, no ledger in it) are the caller's; what a readable source holds, however
strange, comes through here and becomes findings.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol

Row = tuple[int, bytes | None]
"""An entry's index and its bytes; None where there are too many to read, or something else than bytes stands there."""


class SourceError(Exception):
    """The source gave other bytes when it was asked again: it is damaged, or made to deceive."""


class Source(Protocol):
    """One ledger. May be read several times; must give the same each time."""

    @property
    def origin(self) -> str:
        """The name under which it is kept."""

    def size(self) -> int:
        """About how many entries there are: for progress, never for a judgement."""

    def rows(self, start: int = 0) -> Iterator[Row]:
        """All entries from ``start`` on in order of index, in bounded memory."""

    def entry(self, index: int) -> bytes:
        """The bytes of one entry that ``rows`` has given, or would have from 0 on; IndexError where there is none."""

    def checkpoints(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """The signed notes in order of the size under which each is kept, from the size ``start`` on.

        From 0 on that is all of them, whatever sizes they have.
        """


class MemorySource:
    """A ledger in memory, for tests and small tools."""

    def __init__(self, origin: str, entries: Sequence[bytes | None], checkpoints: Sequence[tuple[int, bytes]]) -> None:
        self.origin = origin
        self._entries = entries
        self._checkpoints = checkpoints

    def size(self) -> int:
        return len(self._entries)

    def rows(self, start: int = 0) -> Iterator[Row]:
        return islice(enumerate(self._entries), start, None)

    def entry(self, index: int) -> bytes:
        raw = self._entries[index]
        if raw is None:
            raise IndexError(index)
        return raw

    def checkpoints(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        return (row for row in self._checkpoints if not start or row[0] >= start)
