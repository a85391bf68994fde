"""Where proofs from other ledgers come from: a parent that is asked, an archive on a stick, or our own mirror.

A *library* holds other people's ledgers. It tells which of their entries concern ours (*notices*), and hands out the
receipts of single entries with the admissions that lead to their ledger. Nothing of that is believed here: a receipt
is judged where it is used (``sync.transfers``), and a library that withholds something only delays it.

    with closing(Site(url)) as site:
        library = SiteLibrary(site)
    library = ArchiveLibrary(name, ledgers)          # ``verify.source.Source``s, such as ``store.archive`` opens
    library = MirrorLibrary(name, shelf, receipt)    # what came here from below; the root has nobody else to ask
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from gettext import gettext as _
from itertools import pairwise
from typing import Protocol

import msgspec

from chain.checkpoint import Checkpoint, open_checkpoint
from chain.encoding import parse_base64, parse_decimal
from chain.errors import ChainError, NoteError
from chain.fields import Index, is_origin
from chain.limits import ADMISSIONS_MAX, LOG_MAX_ENTRIES
from chain.merkle import leaf_hash, node_hash, prove_inclusion, root_of
from chain.receipt import ENTRY_RECEIPT_MAX_BYTES, EntryReceipt, format_entry_receipt
from ledger.bodies import OrgAdmit, TransferIn, TransferOut, TransferRefuse
from ledger.kinds import CODEC
from ledger.numbers import parse_address
from ledger.proofs import parse_proof
from sync.fetch import Site
from verify.source import Source

OUT, IN, REFUSE, BACK = "transfer_out", "transfer_in", "transfer_refuse", "transfer_back"

PAGE_NOTICES = 500
NOTICE_MAX_BYTES = 512
PAGES_MAX = 256
"""More notices than that of one parent in one round are left for the next."""
CHUNK_BITS = 8
"""An archive's tree is kept from subtrees of 256 entries up; what is below is hashed again."""

_MARKS = tuple(f'"kind":"{kind}"'.encode() for kind in ("org_admit", OUT, IN, REFUSE))
"""One of these stands in every entry that a library looks for: no text in an entry can hold them unescaped."""


class LibraryError(Exception):
    """A library answers what nobody can use. The text says which, and what."""


class Notice(msgspec.Struct, frozen=True, omit_defaults=True):
    """``ledger`` has at ``index`` an entry of that kind that concerns us; a hint, and no proof.

    ``answers`` is the index of our own entry that it takes or refuses.
    """

    ledger: str
    index: Index
    kind: str
    answers: Index | None = None


NoticeRow = tuple[str, int, str, int | None]
"""The same as a row of a table."""


class Library(Protocol):
    """Other ledgers' entries. May fail at any call with LibraryError or FetchError."""

    @property
    def name(self) -> str:
        """How it is called in messages."""

    def notices(self, to: str) -> Iterator[Notice]:
        """Transfers to the ledger ``to``, and what became of those it sent, each ledger's in order of index."""

    def receipt(self, ledger: str, index: int) -> bytes:
        """The entry receipt; FileNotFoundError where there is none (yet)."""

    def admissions(self, ledger: str) -> Sequence[bytes]:
        """Receipts of ``org_admit`` entries from the library's highest ledger down to that one; perhaps none."""


class SiteLibrary:
    """A parent's node, asked over HTTP."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @property
    def name(self) -> str:
        return self._site.url

    def notices(self, to: str) -> Iterator[Notice]:
        last: Notice | None = None
        for _page in range(PAGES_MAX):
            page = self._page(to, last)
            yield from page
            if len(page) < PAGE_NOTICES or page[-1] == last:
                return
            last = page[-1]

    def receipt(self, ledger: str, index: int) -> bytes:
        path = f"api/v1/entries/{index}/receipt"
        return self._site.get(path, ENTRY_RECEIPT_MAX_BYTES, {"ledger": ledger})

    def admissions(self, ledger: str) -> Sequence[bytes]:
        most = ADMISSIONS_MAX * (ENTRY_RECEIPT_MAX_BYTES * 4 // 3 + 8)
        try:
            raw = self._site.get(f"api/v1/admissions/{ledger}", most)
            texts = msgspec.json.decode(raw, type=list[str])
            return [parse_base64(text, 1, ENTRY_RECEIPT_MAX_BYTES) for text in texts[:ADMISSIONS_MAX]]
        except FileNotFoundError:
            return ()
        except (msgspec.DecodeError, UnicodeDecodeError, NoteError) as error:
            text = _("{name}: its admissions of {ledger} cannot be read: {error}")
            raise LibraryError(text.format(name=self.name, ledger=ledger, error=error)) from None

    def _page(self, to: str, last: Notice | None) -> list[Notice]:
        params: dict[str, str | int] = {"to": to, "limit": PAGE_NOTICES}
        if last is not None:
            params["after"] = format_cursor(last.ledger, last.index)
        raw = self._site.get("api/v1/transfers", PAGE_NOTICES * NOTICE_MAX_BYTES, params)
        try:
            page = msgspec.json.decode(raw, type=list[Notice])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            text = _("{name}: its list of transfers cannot be read: {error}")
            raise LibraryError(text.format(name=self.name, error=error)) from None
        if not all(is_origin(notice.ledger) for notice in page):
            text = _("{name}: its list of transfers names what is no ledger")
            raise LibraryError(text.format(name=self.name))
        return page[:PAGE_NOTICES]


class Shelf(Protocol):
    """What a node has mirrored, with an index of it (``store.exchange``)."""

    def transfers(self, to: str, after: tuple[str, int] | None, limit: int) -> Sequence[NoticeRow]:
        """Notices, from behind that entry on."""

    def admissions(self, origin: str) -> Sequence[tuple[str, int]]:
        """Ledger and index of each ``org_admit`` from our own log down."""


class MirrorLibrary:
    """The ledgers below, as this node mirrors them."""

    def __init__(self, name: str, shelf: Shelf, receipt: Callable[[str, int], bytes]) -> None:
        """``receipt`` gives an entry's receipt; LookupError where there is none."""
        self.name = name
        self._shelf = shelf
        self._receipt = receipt

    def notices(self, to: str) -> Iterator[Notice]:
        after: tuple[str, int] | None = None
        while page := self._shelf.transfers(to, after, PAGE_NOTICES):
            yield from (Notice(*row) for row in page)
            after = page[-1][0], page[-1][1]

    def receipt(self, ledger: str, index: int) -> bytes:
        try:
            return self._receipt(ledger, index)
        except LookupError:
            text = _("entry {index} of {origin} is not there, or not under a checkpoint")
            raise FileNotFoundError(text.format(index=index, origin=ledger)) from None

    def admissions(self, ledger: str) -> Sequence[bytes]:
        return [self.receipt(*place) for place in self._shelf.admissions(ledger)]


class ArchiveLibrary:
    """The ledgers of one archive, of which a bad one spoils no other. One pass over all of it finds what is asked for.

    Reads as far as entries follow each other, and proves by the newest checkpoint that covers no more than that.
    """

    def __init__(self, name: str, ledgers: Iterable[Source]) -> None:
        self.name = name
        self._ledgers = {ledger.origin: _Shelved(ledger) for ledger in ledgers}

    def notices(self, to: str) -> Iterator[Notice]:
        for ledger in self._ledgers.values():
            if ledger.origin != to:
                yield from (notice for target, notice in ledger.notices if target == to)

    def receipt(self, ledger: str, index: int) -> bytes:
        if ledger not in self._ledgers:
            raise FileNotFoundError(_("{name} does not hold {ledger}").format(name=self.name, ledger=ledger))
        return self._ledgers[ledger].receipt(index)

    def admissions(self, ledger: str) -> Sequence[bytes]:
        chain: list[bytes] = []
        while len(chain) < ADMISSIONS_MAX:
            found = next((each for each in self._ledgers.values() if ledger in each.admitted), None)
            if found is None:
                break
            try:
                chain.append(found.receipt(found.admitted[ledger]))
            except FileNotFoundError:
                break
            ledger = found.origin
        return tuple(reversed(chain))


class _Shelved:
    """One ledger of an archive: which of its entries others may ask for, and the upper part of its tree."""

    def __init__(self, source: Source) -> None:
        self.origin = source.origin
        self.notices: list[tuple[str, Notice]] = []
        """With the ledger that each concerns."""
        self.admitted: dict[str, int] = {}
        """The entry that admitted each ledger last."""
        self._source = source
        self._chunks: list[list[bytes]] = [[]]
        """Roots of complete subtrees of 2**CHUNK_BITS leaves, and of twice as many, and so on."""
        self._size = self._read()
        while len(self._chunks[-1]) > 1:
            below = self._chunks[-1]
            self._chunks.append([node_hash(*pair) for pair in list(pairwise(below))[::2]])
        self._checkpoint = self._newest()

    def receipt(self, index: int) -> bytes:
        """The entry receipt, under the newest checkpoint; FileNotFoundError where the entry is not under it."""
        if self._checkpoint is None or not 0 <= index < self._checkpoint[0].size:
            text = _("entry {index} of {origin} is not there, or not under a checkpoint")
            raise FileNotFoundError(text.format(index=index, origin=self.origin))
        checkpoint, note = self._checkpoint
        path = prove_inclusion(index, checkpoint.size, self._node)
        return format_entry_receipt(EntryReceipt(self._source.entry(index), index, tuple(path), note))

    def _read(self) -> int:
        """Go through all entries that follow each other; how many they are."""
        size, hashes = 0, []
        for index, raw in self._source.rows():
            if index != size or raw is None:
                break
            hashes.append(leaf_hash(raw))
            if len(hashes) >> CHUNK_BITS:
                self._chunks[0].append(root_of(hashes))
                hashes = []
            if any(mark in raw for mark in _MARKS):
                self._note(index, raw)
            size += 1
        return size

    def _note(self, index: int, raw: bytes) -> None:
        try:
            body = CODEC.parse(raw).body
        except ChainError:
            return
        if isinstance(body, OrgAdmit):
            self.admitted[body.origin] = index
        elif isinstance(body, TransferOut):
            address = parse_address(body.to)
            if address is not None:
                self.notices.append((address[0], Notice(self.origin, index, OUT)))
        elif isinstance(body, TransferIn | TransferRefuse):
            other = parse_proof(body.proof)
            if other is not None:
                kind = IN if isinstance(body, TransferIn) else REFUSE
                self.notices.append((other.origin, Notice(self.origin, index, kind, other.index)))

    def _newest(self) -> tuple[Checkpoint, bytes] | None:
        """The newest checkpoint over entries that are here."""
        newest = None
        for size, raw in self._source.checkpoints():
            if not 0 < size <= self._size:
                continue
            try:
                checkpoint, _note = open_checkpoint(raw)
            except NoteError:
                continue
            if (checkpoint.origin, checkpoint.size) == (self.origin, size):
                newest = checkpoint, raw
        return newest

    def _node(self, level: int, index: int) -> bytes:
        """The hash of a complete subtree (``chain.merkle.ReadNode``)."""
        if level >= CHUNK_BITS:
            return self._chunks[level - CHUNK_BITS][index]
        leaves = range(index << level, (index + 1) << level)
        return root_of([leaf_hash(self._source.entry(leaf)) for leaf in leaves])


def format_cursor(ledger: str, index: int) -> str:
    """Where a list of notices goes on: after that entry."""
    return f"{ledger}:{index}"


def parse_cursor(text: str) -> tuple[str, int]:
    """The ledger and the index that ``format_cursor`` joined; raises NoteError."""
    ledger, _colon, index = text.rpartition(":")
    if not is_origin(ledger):
        raise NoteError("a cursor is the name of a ledger, a colon and an index")
    return ledger, parse_decimal(index, LOG_MAX_ENTRIES - 1)
