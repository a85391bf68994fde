"""The stores that one suite runs over, and one that fails."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from store.hashes import HashTiles
from store.log import AccountRow, Answer, Leg, Legs, LogStore, MemoryStore, StoreError
from store.sqlite import SqliteStore
from tests.store.village import ORIGIN

MakeStore = Callable[[Path], LogStore]


def memory_store(_: Path) -> LogStore:
    return MemoryStore(ORIGIN)


def sqlite_store(folder: Path) -> LogStore:
    return SqliteStore(folder / "ledger.db", ORIGIN)


def failing_memory_store(folder: Path) -> LogStore:
    """Never told to fail, it must be as good as what is inside it."""
    return FailingStore(memory_store(folder))


STORES: dict[str, MakeStore] = {
    "memory": memory_store,
    "sqlite": sqlite_store,
    "wrapped": failing_memory_store,
}


class FailingStore:
    """Passes every call on, but fails those that the test names by number, counted from ``fail``.

    A call may fail before it reaches the store, or after: then it has done its work and nobody knows. A commit that
    fails has failed: what the medium did of it is the medium's secret, which ``rollback`` tells.
    """

    def __init__(self, inner: LogStore) -> None:
        self._inner = inner
        self.calls: list[str] = []
        self._failing: range = range(0)
        self._after = False

    def fail(self, first: int, count: int = 1, *, after: bool = False) -> None:
        """Fail ``count`` calls from the ``first`` on, counted from 0; with ``after`` once they have done their work."""
        self.calls = []
        self._failing = range(first, first + count)
        self._after = after

    def heal(self) -> None:
        self._failing = range(0)

    @property
    def has_failed(self) -> bool:
        return len(self.calls) > self._failing.start if self._failing else False

    def _pass(self, name: str, call: Callable[[], Any]) -> Any:
        number = len(self.calls)
        self.calls.append(name)
        if number in self._failing and not self._after:
            raise StoreError(f"{name} failed as call {number}")
        result = call()
        if number in self._failing:
            raise StoreError(f"{name} failed after its work as call {number}")
        return result

    @property
    def origin(self) -> str:
        return self._inner.origin

    @property
    def size(self) -> int:
        return self._inner.size

    @property
    def hashes(self) -> HashTiles:
        return self._inner.hashes

    def append(self, entries: Sequence[bytes], leaf_hashes: Sequence[bytes], legs: Legs) -> None:
        self._pass("append", lambda: self._inner.append(entries, leaf_hashes, legs))

    def legs(self, account: str) -> Iterator[Leg]:
        return iter(self._pass("legs", lambda: list(self._inner.legs(account))))

    def clear_legs(self) -> None:
        self._pass("clear_legs", self._inner.clear_legs)

    def put_legs(self, legs: Legs) -> None:
        self._pass("put_legs", lambda: self._inner.put_legs(legs))

    def entry(self, index: int) -> bytes:
        raw: bytes = self._pass("entry", lambda: self._inner.entry(index))
        return raw

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        return iter(self._pass("entries", lambda: list(self._inner.entries(start, end))))

    def put_checkpoint(self, size: int, note: bytes) -> None:
        self._pass("put_checkpoint", lambda: self._inner.put_checkpoint(size, note))

    def checkpoint(self, size: int) -> bytes | None:
        note: bytes | None = self._pass("checkpoint", lambda: self._inner.checkpoint(size))
        return note

    def last_checkpoint(self) -> tuple[int, bytes] | None:
        last: tuple[int, bytes] | None = self._pass("last_checkpoint", self._inner.last_checkpoint)
        return last

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        return iter(self._pass("checkpoints", lambda: list(self._inner.checkpoints())))

    def put_snapshot(self, size: int, digest: bytes, raw: bytes) -> None:
        self._pass("put_snapshot", lambda: self._inner.put_snapshot(size, digest, raw))

    def snapshot(self) -> tuple[int, bytes, bytes] | None:
        kept: tuple[int, bytes, bytes] | None = self._pass("snapshot", self._inner.snapshot)
        return kept

    def accounts(self) -> list[AccountRow]:
        rows: list[AccountRow] = self._pass("accounts", self._inner.accounts)
        return rows

    def put_accounts(self, rows: Sequence[AccountRow]) -> None:
        self._pass("put_accounts", lambda: self._inner.put_accounts(rows))

    def clear_accounts(self) -> None:
        self._pass("clear_accounts", self._inner.clear_accounts)

    def answers(self, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        kept: dict[bytes, bytes] = self._pass("answers", lambda: self._inner.answers(digests))
        return kept

    def put_answers(self, answers: Sequence[Answer]) -> None:
        self._pass("put_answers", lambda: self._inner.put_answers(answers))

    def drop_answers(self, before_seconds: int) -> None:
        self._pass("drop_answers", lambda: self._inner.drop_answers(before_seconds))

    def refresh(self) -> bool:
        found: bool = self._pass("refresh", self._inner.refresh)
        return found

    def commit(self) -> None:
        self._pass("commit", self._inner.commit)

    def rollback(self) -> None:
        """Does not fail: a store that cannot even forget is closed, and opened again."""
        self._inner.rollback()

    def close(self) -> None:
        self._inner.close()
