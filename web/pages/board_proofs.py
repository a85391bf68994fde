"""The way up from an entry to the root, made of what this node keeps and, above it, of what its parents serve.

    raw = proof_upwards(home, settings, "village.example/huzhu", 17)     # for `huzhu check-receipt`; for a thread

From a mirrored ledger it climbs from anchor to anchor in the copies that lie here, up to this node's own log; from
there to the root its parents are asked (``sync.anchors``). Where this node has no parents its own log is the root.
Raises FetchError where a level has not anchored the one below yet.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from chain.checkpoint import Checkpoint, open_checkpoint
from chain.errors import ChainError
from chain.merkle import prove_inclusion
from chain.receipt import EntryReceipt, format_entry_receipt
from ledger.bodies import Anchor
from ledger.kinds import CODEC
from store.home import Home
from store.log import StoreError
from store.reading import KeptLedger, LedgerReader
from store.settings import NodeSettings
from sync.anchors import root_proof
from sync.fetch import FetchError, Site
from verify.rootproof import RECEIPTS_MAX, format_root_proof, parse_root_proof
from web.i18n import translate as _


class Copies:
    """The ledgers that lie here, read by one thread."""

    def __init__(self, own: LedgerReader, mirror: LedgerReader | None, origin: str) -> None:
        self.origin = origin
        self._own, self._mirror = own, mirror

    def ledger(self, origin: str) -> KeptLedger:
        """One of them."""
        reader = self._own if origin == self.origin else self._mirror
        found = None if reader is None else reader.ledger(origin)
        if found is None:
            raise FetchError(_("there is no copy of {origin} here").format(origin=origin))
        return found

    def parent(self, origin: str) -> str:
        """The ledger above a mirrored one."""
        sql = "SELECT m.parent FROM mirror m JOIN log l ON l.id=m.log WHERE l.origin=?"
        found = None if self._mirror is None else self._mirror.value(sql, origin)
        if not found:
            raise FetchError(_("there is no copy of {origin} here").format(origin=origin))
        return str(found)


@contextmanager
def copies(home: Home, origin: str) -> Iterator[Copies]:
    """All of a home; StoreError where the own ledger is gone."""
    with ExitStack() as stack:
        own = stack.enter_context(closing(LedgerReader(home.ledger)))
        mirror = stack.enter_context(closing(LedgerReader(home.mirror))) if home.mirror.exists() else None
        yield Copies(own, mirror, origin)


def proof_upwards(home: Home, settings: NodeSettings, origin: str, index: int) -> bytes:
    """The proof (FORMAT §10) from an entry to the root."""
    with copies(home, settings.origin) as held:
        receipts: list[bytes] = []
        while origin != held.origin and len(receipts) < RECEIPTS_MAX:
            above = held.ledger(held.parent(origin))
            anchor, checkpoint, note = _anchor(above, origin, index + 1)
            receipts.append(receipt_under(held.ledger(origin), index, checkpoint, note))
            origin, index = above.origin, anchor
        own = held.ledger(held.origin)
        try:
            if not settings.parents:
                return format_root_proof([*receipts, own.receipt(index)])
            with ExitStack() as stack:
                sites = [stack.enter_context(closing(Site(url))) for url in settings.parents]
                raw = root_proof(lambda place, size: _receipt_at(own, place, size), own.origin, index, sites)
            return format_root_proof([*receipts, *parse_root_proof(raw)])
        except IndexError:
            raise FetchError(_("this node has not sealed it yet: try again after the next seal")) from None
        except ChainError as error:
            raise StoreError(str(error)) from error


def _anchor(above: KeptLedger, origin: str, size: int) -> tuple[int, Checkpoint, bytes]:
    """The oldest sealed entry of a log that anchors ``origin`` at that size or more: its index, and what it holds."""
    found = None
    for index, raw in above.entries_with(b'"kind":"anchor"', origin.encode()):
        try:
            body = CODEC.parse(raw).body
            checkpoint = open_checkpoint(body.checkpoint)[0] if isinstance(body, Anchor) else None
        except ChainError:
            continue
        if checkpoint is None or body.origin != origin:
            continue
        if checkpoint.size < size:
            break
        found = index, checkpoint, body.checkpoint
    if found is None:
        text = _("{above} has not anchored {origin} so far yet: try again after its next round")
        raise FetchError(text.format(above=above.origin, origin=origin))
    return found


def receipt_under(ledger: KeptLedger, index: int, checkpoint: Checkpoint, note: bytes) -> bytes:
    """The receipt of an entry under an older checkpoint, of which a log above holds the note."""
    raw = ledger.entry(index)
    if raw is None or not index < checkpoint.size <= ledger.size:
        raise FetchError(_("there is no copy of {origin} here").format(origin=ledger.origin))
    path = prove_inclusion(index, checkpoint.size, ledger.hashes().read)
    return format_entry_receipt(EntryReceipt(raw, index, tuple(path), note))


def _receipt_at(own: KeptLedger, index: int, size: int) -> bytes:
    """The receipt of an entry of our own under our checkpoint of that size."""
    notes = own.checkpoints(size - 1, 1)
    if not notes or notes[0][0] != size:
        raise IndexError(index)
    return receipt_under(own, index, open_checkpoint(notes[0][1])[0], notes[0][1])
