"""Seals: the entries that close blocks (FORMAT §5)."""

from typing import Annotated

from msgspec import Meta

from chain.entry import Body
from chain.fields import Hash, Index
from chain.merkle import HASH_BYTES

SEAL = "seal"


class Seal(Body, frozen=True, kw_only=True):
    """What a seal says of the log before it and of all balances. ``prev`` is empty at height 0."""

    accounts: Index
    height: Index
    prev: Annotated[bytes, Meta(max_length=HASH_BYTES)]
    root: Hash
    size: Index
    state: Hash

    def flaw(self) -> str | None:
        return None if len(self.prev) in (0, HASH_BYTES) else "`prev` is neither empty nor a hash"
