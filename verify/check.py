"""What can be judged of each entry alone: bytes, place on the sheet, signatures (FORMAT §12, steps 3 and 4).

``check_chunk`` is a pure function of a ``Chunk`` and can run in any worker. A key id is the hash of its key, so that
public keys may be handed out before it is known whether they count: that is for the replay to say.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from chain.entry import Entry, statement_of
from chain.errors import EntryError, ProofError
from chain.keys import key_id, verify_ed25519
from chain.limits import ENTRY_MAX_BYTES
from chain.merkle import leaf_hash
from chain.sheet import NO_GENESIS, SheetDomain, SheetRoots
from ledger.bodies import Genesis, KeyGrant, NodeRotate
from ledger.kinds import CODEC

CHUNK_ENTRIES = 2_048
CHUNK_BYTES = 2**21
"""A chunk ends at whichever comes first."""

UNREADABLE_HASH = leaf_hash(b"\x00unreadable")
"""Stands in the tree for an entry that cannot be read: no entry begins with this byte."""

Verdict = tuple[str, str]
"""Code and detail of what is wrong with an entry."""

_KEY_BRINGERS = (b'key_grant"', b'node_rotate"', b'genesis"')


class Chunk(NamedTuple):
    """Entries that follow each other, with the ledger they claim to be of and the public keys seen so far by id."""

    start: int
    entries: Sequence[bytes | None]
    origin: str
    genesis: bytes
    publics: Mapping[str, bytes]


class Checked(NamedTuple):
    """Leaf hashes of a chunk, side by side, and a verdict for each entry, None where nothing is wrong."""

    hashes: bytes
    verdicts: list[Verdict | None]


def keys_in(raw: bytes | None) -> dict[str, bytes]:
    """The public keys that an entry brings in, whether it counts or not, by key id."""
    if raw is None or not raw.startswith(_KEY_BRINGERS, raw.rfind(b',"kind":"') + 9):
        return {}
    try:
        body = CODEC.parse(raw).body
    except EntryError:
        return {}
    if isinstance(body, Genesis):
        keys = [body.node_key, *(founder.key for founder in body.members)]
    else:
        keys = [body.key] if isinstance(body, KeyGrant | NodeRotate) else []
    return {key_id(key): key for key in keys}


def check_chunk(chunk: Chunk) -> Checked:
    """Judge each entry of a chunk alone."""
    domain = SheetDomain(chunk.origin, chunk.genesis)
    signatures = Signatures(domain)
    hashes: list[bytes] = []
    verdicts: list[Verdict | None] = []
    for index, raw in enumerate(chunk.entries, chunk.start):
        if raw is None:
            hashes.append(UNREADABLE_HASH)
            verdicts.append(("entry.too-large", f"it is not of 1 to {ENTRY_MAX_BYTES} bytes"))
            continue
        hashes.append(leaf_hash(raw))
        try:
            entry = CODEC.parse(raw)
        except EntryError as error:
            verdicts.append((error.code, str(error)))
            continue
        if index == 0:
            verdicts.append(Signatures(SheetDomain(chunk.origin, NO_GENESIS)).verdict(raw, entry, chunk.publics))
        else:
            verdicts.append(signatures.verdict(raw, entry, chunk.publics))
    return Checked(b"".join(hashes), verdicts)


class Signatures:
    """Verifies sheets and signatures; those of entries that follow each other on one sheet once.

    ``sheet`` is size and root of the one sheet that all of them are on, for whoever has put them there himself: where
    an entry says so too, its path is not climbed again.
    """

    def __init__(self, domain: SheetDomain, sheet: tuple[int, bytes] | None = None) -> None:
        self._domain = domain
        self._sheet = sheet
        self._roots = SheetRoots()
        self._last: tuple[Any, ...] = ()
        self._last_verdict: Verdict | None = None

    def verdict(self, raw: bytes, entry: Entry[Any], publics: Mapping[str, bytes]) -> Verdict | None:
        """What is wrong with the entry's sheet or signatures; ``publics`` are the keys to verify with, by key id."""
        try:
            size, root = self._known(entry) or self._roots.root(leaf_hash(statement_of(raw, entry)), entry)
        except ProofError as error:
            return "entry.sheet", str(error)
        sheet = (root, size, entry.by, entry.sigs)
        if sheet != self._last:
            self._last, self._last_verdict = sheet, self._verify(entry, size, root, publics)
        return self._last_verdict

    def _known(self, entry: Entry[Any]) -> tuple[int, bytes] | None:
        """The sheet, where the entry has the place that it was given: a statement may have brought another along."""
        is_alone = self._sheet is not None and self._sheet[0] == 1
        return self._sheet if is_alone == (entry.sheet is None) else None

    def _verify(self, entry: Entry[Any], size: int, root: bytes, publics: Mapping[str, bytes]) -> Verdict | None:
        message, beside = self._domain.messages(entry.by, size, root)
        for signature in entry.sigs:
            public = publics.get(signature.key)
            if public is None or not verify_ed25519(public, message, signature.sig):
                return "entry.signature", f"the signature by {signature.key} does not verify over the sheet it leads to"
            message = beside
        return None
