"""What a store of one ledger promises, and the one that keeps it in memory.

*Durability*: what was appended or put is on disk when ``commit`` has returned, all of it or, after a crash or a full
disk, nothing since the last ``commit``. *Visibility*: this store's own readers see it at once, others after ``commit``.
*Concurrency*: one writer. Errors of the medium are ``StoreError``, whose text says what to do; after one, ``rollback``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from store.hashes import HashTiles


class StoreError(Exception):
    """The medium failed: full, read-only, damaged or gone. The text says what to do."""


class Leg(NamedTuple):
    """What one entry or seal did to one account: changes of ``balance`` and ``held``, in minutes or fen.

    Both are 0 where an entry concerns an account and posts nothing to it (``ledger.concern``).
    """

    account: str
    entry_index: int
    balance: int
    held: int


Legs = Mapping[tuple[str, int], tuple[int, int]]
"""Legs as they are put down: changes of ``balance`` and ``held`` by account and index of the entry."""


class AccountRow(NamedTuple):
    """One account as it is, with its position in the state tree; in minutes or fen as ``unit`` says."""

    number: str
    position: int
    balance: int
    held: int
    status: str
    unit: str


class Answer(NamedTuple):
    """What was answered to a sheet, by its digest; none of its statements is later than ``at_seconds``."""

    digest: bytes
    at_seconds: int
    results: bytes


class LogStore(Protocol):
    """One ledger: entries by index, checkpoints by size, hashes of the tree, and what follows from them."""

    @property
    def origin(self) -> str:
        """The ledger's name."""

    @property
    def size(self) -> int:
        """Number of entries."""

    @property
    def hashes(self) -> HashTiles:
        """The tree's hashes, over ``size`` entries."""

    def append(self, entries: Sequence[bytes], leaf_hashes: Sequence[bytes], legs: Legs) -> None:
        """Add entries at the end, with what they post."""

    def legs(self, account: str) -> Iterator[Leg]:
        """What was posted to an account, in order of entries."""

    def clear_legs(self) -> None:
        """Forget all legs, to put them again."""

    def put_legs(self, legs: Legs) -> None:
        """Keep legs of entries that are there already."""

    def entry(self, index: int) -> bytes:
        """One entry's bytes; IndexError outside the log."""

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """The entries from ``start`` up to but not including ``end``."""

    def put_checkpoint(self, size: int, note: bytes) -> None:
        """Keep the signed note of that size, in place of one with fewer signatures."""

    def checkpoint(self, size: int) -> bytes | None:
        """The signed note of that size."""

    def last_checkpoint(self) -> tuple[int, bytes] | None:
        """The newest one: size and note."""

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        """All of them in order of size."""

    def put_snapshot(self, size: int, digest: bytes, raw: bytes) -> None:
        """Keep a frozen state of a log of ``size`` entries, in place of the last one. It can be lost at any time."""

    def snapshot(self) -> tuple[int, bytes, bytes] | None:
        """Size, digest and bytes of what ``put_snapshot`` kept."""

    def accounts(self) -> list[AccountRow]:
        """All accounts in order of their positions, as of the last entry."""

    def put_accounts(self, rows: Sequence[AccountRow]) -> None:
        """Keep accounts, new ones and those that have changed."""

    def clear_accounts(self) -> None:
        """Forget all accounts, to put them again."""

    def answers(self, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        """What was answered to those of the sheets, by their digests, of which entries are on the log."""

    def put_answers(self, answers: Sequence[Answer]) -> None:
        """Keep answers with their entries."""

    def drop_answers(self, before_seconds: int) -> None:
        """Forget answers to sheets that are older: they would be refused as stale anyway."""

    def refresh(self) -> bool:
        """Look at what others have committed since; whether there was anything."""

    def commit(self) -> None:
        """Everything since the last commit is durable when this returns."""

    def rollback(self) -> None:
        """Forget everything since the last commit."""

    def close(self) -> None:
        """Let go of the medium. What was not committed is forgotten."""


class MemoryStore:
    """A store for tests and for replay: durable as long as the process."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._entries: list[bytes] = []
        self._legs: dict[tuple[str, int], tuple[int, int]] = {}
        self._tiles: dict[tuple[int, int], bytes] = {}
        self._checkpoints: dict[int, bytes] = {}
        self._snapshot: tuple[int, bytes, bytes] | None = None
        self._accounts: dict[str, AccountRow] = {}
        self._answers: dict[bytes, Answer] = {}
        self.commit()
        self.hashes = HashTiles(0, self._tile)

    @property
    def size(self) -> int:
        return len(self._entries)

    def append(self, entries: Sequence[bytes], leaf_hashes: Sequence[bytes], legs: Legs) -> None:
        self.put_legs(legs)
        for level, index, joined in self.hashes.append(leaf_hashes):
            self._tiles[level, index] = joined
        self._entries.extend(entries)

    def legs(self, account: str) -> Iterator[Leg]:
        return (Leg(*place, *amounts) for place, amounts in sorted(self._legs.items()) if place[0] == account)

    def clear_legs(self) -> None:
        self._legs.clear()

    def put_legs(self, legs: Legs) -> None:
        self._legs.update(legs)

    def entry(self, index: int) -> bytes:
        if not 0 <= index < self.size:
            raise IndexError(index)
        return self._entries[index]

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        return iter(self._entries[start:end])

    def put_checkpoint(self, size: int, note: bytes) -> None:
        self._checkpoints[size] = note

    def checkpoint(self, size: int) -> bytes | None:
        return self._checkpoints.get(size)

    def last_checkpoint(self) -> tuple[int, bytes] | None:
        return max(self._checkpoints.items(), default=None)

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        return iter(sorted(self._checkpoints.items()))

    def put_snapshot(self, size: int, digest: bytes, raw: bytes) -> None:
        self._snapshot = size, digest, raw

    def snapshot(self) -> tuple[int, bytes, bytes] | None:
        return self._snapshot

    def accounts(self) -> list[AccountRow]:
        return sorted(self._accounts.values(), key=lambda row: row.position)

    def put_accounts(self, rows: Sequence[AccountRow]) -> None:
        self._accounts.update((row.number, row) for row in rows)

    def clear_accounts(self) -> None:
        self._accounts.clear()

    def answers(self, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        return {digest: self._answers[digest].results for digest in digests if digest in self._answers}

    def put_answers(self, answers: Sequence[Answer]) -> None:
        self._answers.update((answer.digest, answer) for answer in answers)

    def drop_answers(self, before_seconds: int) -> None:
        self._answers = {digest: kept for digest, kept in self._answers.items() if kept.at_seconds >= before_seconds}

    def refresh(self) -> bool:
        return False

    def commit(self) -> None:
        self._committed = (
            len(self._entries),
            dict(self._tiles),
            dict(self._checkpoints),
            self._snapshot,
            dict(self._legs),
            dict(self._accounts),
            dict(self._answers),
        )

    def rollback(self) -> None:
        size, tiles, checkpoints, self._snapshot, legs, accounts, answers = self._committed
        self._legs = dict(legs)
        self._accounts, self._answers = dict(accounts), dict(answers)
        del self._entries[size:]
        self._tiles, self._checkpoints = dict(tiles), dict(checkpoints)
        self.hashes = HashTiles(size, self._tile)

    def close(self) -> None:
        self.rollback()

    def _tile(self, level: int, index: int) -> bytes:
        return self._tiles[level, index]
