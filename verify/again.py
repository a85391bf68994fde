"""What tells whether an entry is the same when it is read again: 32 bytes for each 256 of them."""

from hashlib import sha256
from typing import Any

from chain.entry import Statement
from chain.merkle import leaf_hash
from ledger.kinds import CODEC
from verify.check import UNREADABLE_HASH
from verify.source import Source, SourceError

GROUP_ENTRIES = 256


class Remembered:
    """The leaf hashes of all entries so far: of the last ones each, of the others a hash of each 256.

    ``source`` is where they are read again.
    """

    source: Source

    def __init__(self, groups: list[bytes], group: list[bytes]) -> None:
        self._groups = groups
        self._group = group

    def add(self, hashed: bytes) -> None:
        """The next entry's leaf hash."""
        self._group.append(hashed)
        if len(self._group) == GROUP_ENTRIES:
            self._groups.append(sha256(b"".join(self._group)).digest())
            self._group.clear()

    def read(self, index: int) -> bytes:
        """An entry that was added, read again; raises SourceError where it is not the same."""
        source = self.source
        try:
            raw = source.entry(index)
        except IndexError:
            raise SourceError(f"entry {index} of {source.origin} was gone when it was read again") from None
        group, place = divmod(index, GROUP_ENTRIES)
        start = group * GROUP_ENTRIES
        if group < len(self._groups):
            hashes = [_hash_again(source, other) for other in range(start, start + GROUP_ENTRIES)]
            is_same = hashes[place] == leaf_hash(raw) and sha256(b"".join(hashes)).digest() == self._groups[group]
        else:
            is_same = self._group[place] == leaf_hash(raw)
        if not is_same:
            raise SourceError(f"entry {index} of {source.origin} was not the same when it was read again")
        return raw

    def statement(self, index: int) -> Statement[Any]:
        """For the rules: what an entry declared that was good when it was passed, from the same bytes as then."""
        return CODEC.read(self.read(index))

    def frozen(self) -> tuple[bytes, bytes]:
        """The hashes of groups, and those of the entries after them, each side by side."""
        return b"".join(self._groups), b"".join(self._group)


def _hash_again(source: Source, index: int) -> bytes:
    try:
        return leaf_hash(source.entry(index))
    except IndexError:
        return UNREADABLE_HASH
