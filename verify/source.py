"""What an audit reads: one ledger's bytes, wherever they lie, none of them believed.

The reader's own failures (no such file, no ledger in it) are the caller's; what a readable source holds, however
strange, comes through here and becomes findings.
"""

from collections.abc import Iterator, Sequence
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

    def rows(self) -> Iterator[Row]:
        """All entries in order of index, in bounded memory."""

    def entry(self, index: int) -> bytes:
        """The bytes of one entry that ``rows`` has given; IndexError where it gave none."""

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        """The signed notes in order of the size under which each is kept."""


class MemorySource:
    """A ledger in memory, for tests and small tools."""

    def __init__(self, origin: str, entries: Sequence[bytes | None], checkpoints: Sequence[tuple[int, bytes]]) -> None:
        self.origin = origin
        self._entries = entries
        self._checkpoints = checkpoints

    def size(self) -> int:
        return len(self._entries)

    def rows(self) -> Iterator[Row]:
        return iter(enumerate(self._entries))

    def entry(self, index: int) -> bytes:
        raw = self._entries[index]
        if raw is None:
            raise IndexError(index)
        return raw

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        return iter(self._checkpoints)
