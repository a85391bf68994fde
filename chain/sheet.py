"""Sheets: one signature over many statements of one author (FORMAT §3).

    domain = SheetDomain(origin, genesis)       # which ledger; ``genesis`` the leaf hash of its entry 0
    sheet = sign_sheet(domain, statements, author, beside)
    for raw in sheet.entries(): ...             # each stands alone on the log

The reader's side is ``SheetRoots.root`` (where a statement's path leads) and ``SheetDomain.message`` (what was signed).
"""

import hashlib
from base64 import b64encode
from binascii import b2a_base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from chain.entry import Entry, SheetPlace, Signature, join_entry
from chain.errors import ChainError, ProofError
from chain.keys import SigningKey
from chain.limits import SHEET_MAX_STATEMENTS
from chain.merkle import HASH_BYTES, leaf_hash, levels_of, path_in

_sha256 = hashlib.sha256

NO_GENESIS = bytes(HASH_BYTES)
"""Stands for the leaf hash of entry 0 in what entry 0 itself signs."""


@dataclass(frozen=True, slots=True)
class SheetDomain:
    """The ledger that a sheet is for: what keeps a signature from being used on another."""

    origin: str
    genesis: bytes = NO_GENESIS
    _author: bytes = field(init=False, repr=False)
    _beside: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        tail = b"\n%s\n%s\n" % (self.origin.encode(), b64encode(self.genesis))
        object.__setattr__(self, "_author", b"huzhu/sheet/v1" + tail)
        object.__setattr__(self, "_beside", b"huzhu/beside/v1" + tail)

    def messages(self, by: str, size: int, root: bytes) -> tuple[bytes, bytes]:
        """What the author signs, and what those beside him sign."""
        rest = b"%s\n%d\n%s" % (by.encode(), size, b2a_base64(root))
        return self._author + rest, self._beside + rest


@dataclass(frozen=True, slots=True)
class SignedSheet:
    """Statements of one author with everybody's signatures over their root, the author's first."""

    statements: tuple[bytes, ...]
    signatures: tuple[Signature, ...]

    def digest(self) -> bytes:
        """SHA-256 over statements and signatures: a name for exactly this sheet."""
        hashing = _sha256(b"huzhu/sheet-digest/v1\n%d\n" % len(self.statements))
        for statement in self.statements:
            hashing.update(b"%d\n" % len(statement) + statement)
        for signature in self.signatures:
            hashing.update(b"%s\n" % signature.key.encode() + signature.sig)
        return hashing.digest()

    def entries(self) -> list[bytes]:
        """The entry of each statement, in order."""
        return self.placed()[0]

    def placed(self) -> tuple[list[bytes], bytes]:
        """The entry of each statement, in order, and the root that all their paths lead to."""
        size = len(self.statements)
        levels = levels_of([leaf_hash(statement) for statement in self.statements])
        root = levels[-1][0]
        if size == 1:
            return [join_entry(self.statements[0], None, self.signatures)], root
        entries = [
            join_entry(statement, SheetPlace(index, tuple(path_in(levels, index)), size), self.signatures)
            for index, statement in enumerate(self.statements)
        ]
        return entries, root


def sign_sheet(
    domain: SheetDomain, statements: Sequence[bytes], author: SigningKey, beside: Sequence[SigningKey] = ()
) -> SignedSheet:
    """Sign 1 to 1,024 statements, each of which names ``author`` and all of ``beside``."""
    if not 1 <= len(statements) <= SHEET_MAX_STATEMENTS:
        raise ChainError(f"a sheet has 1 to {SHEET_MAX_STATEMENTS} statements, not {len(statements)}")
    root = levels_of([leaf_hash(statement) for statement in statements])[-1][0]
    as_author, as_beside = domain.messages(author.id, len(statements), root)
    signatures = [Signature(author.id, author.sign(as_author))]
    signatures += [Signature(key.id, key.sign(as_beside)) for key in sorted(beside, key=lambda key: key.id)]
    return SignedSheet(tuple(statements), tuple(signatures))


class SheetRoots:
    """Climbs from statements to the roots of their sheets.

    Entries of one sheet mostly follow each other. Where the climb from one joins that from the entry before it, the
    rest of both is the same, and is compared instead of hashed again.
    """

    __slots__ = ("_climbed", "_place", "_steps")

    def __init__(self) -> None:
        self._place: SheetPlace | None = None
        self._steps: tuple[int, ...] = ()
        self._climbed: list[bytes] = []

    def root(self, statement_hash: bytes, entry: Entry[Any]) -> tuple[int, bytes]:
        """Size and root of the entry's sheet, whose signatures vouch for it; ProofError where the path has no shape."""
        place = entry.sheet
        if place is None:
            return 1, statement_hash
        if place.index >= place.size:
            raise ProofError(f"statement {place.index} is not on a sheet of {place.size}")
        steps = _steps(place.index, place.size)
        if len(place.path) != steps[-1]:
            raise ProofError(f"statement {place.index} of {place.size} has a path of {len(place.path)} hashes")
        self._climbed = self._join(place, steps, statement_hash) or _climb(place, statement_hash, steps[-1])
        self._place, self._steps = place, steps
        return place.size, self._climbed[-1]

    def _join(self, place: SheetPlace, steps: tuple[int, ...], statement_hash: bytes) -> list[bytes] | None:
        """The climb, if it joins that of the entry before and both ways are the same from there on."""
        last = self._place
        if last is None or last.size != place.size or last.index == place.index:
            return None
        level = (last.index ^ place.index).bit_length()
        mine, theirs = steps[level], self._steps[level]
        climbed = _climb(place, statement_hash, mine)
        if climbed[-1] != self._climbed[theirs] or place.path[mine:] != last.path[theirs:]:
            return None
        return climbed + self._climbed[theirs + 1 :]


@lru_cache(maxsize=16_384)
def _steps(index: int, size: int) -> tuple[int, ...]:
    """For each level from the leaves up, how many hashes of the path lead to it; the last is the path's length."""
    steps, last = [0], size - 1
    while last:
        steps.append(steps[-1] + (index ^ 1 <= last))
        index >>= 1
        last >>= 1
    return tuple(steps)


@lru_cache(maxsize=16_384)
def _sides(index: int, size: int) -> tuple[bool, ...]:
    """For each hash of the path, whether it stands left."""
    sides, last = [], size - 1
    while last:
        if index ^ 1 <= last:
            sides.append(bool(index & 1))
        index >>= 1
        last >>= 1
    return tuple(sides)


def _climb(place: SheetPlace, statement_hash: bytes, steps: int) -> list[bytes]:
    """The nodes on the way up from a statement, itself first, over the first ``steps`` hashes of its path."""
    climbed, node, path = [statement_hash], statement_hash, place.path
    sides = _sides(place.index, place.size)
    for step in range(steps):
        node = _sha256(b"\x01" + path[step] + node if sides[step] else b"\x01" + node + path[step]).digest()
        climbed.append(node)
    return climbed
