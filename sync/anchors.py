"""Anchors: a ledger's log holds the newest checkpoints of those it admits, and so on up to the root (RULES §10).

    bodies = due_anchors(state, newest)               # what our own log does not hold yet, to be declared by the node
    raw = root_proof(receipt, origin, index, sites)   # from an entry of ours to the root, by what the nodes above serve

A checkpoint that the root's log holds cannot be taken back by anyone below: not by the village, and not by all the
nodes between them together.
"""

from collections.abc import Callable, Mapping, Sequence
from gettext import gettext as _

from chain.checkpoint import Checkpoint, open_checkpoint
from chain.errors import ChainError, ProofError
from chain.merkle import prove_inclusion
from chain.note import Note, format_note, parse_vkey, verify_signature
from chain.receipt import ENTRY_RECEIPT_MAX_BYTES, EntryReceipt, format_entry_receipt, parse_entry_receipt
from chain.tile import TILE_WIDTH, TileReader
from ledger.bodies import Anchor
from ledger.kinds import CODEC
from ledger.state import State
from sync.fetch import FetchError, Site
from sync.offers import Ahead, site_offer
from verify.rootproof import format_root_proof

ReceiptAt = Callable[[int, int], bytes]
"""From an entry's index and the size of a checkpoint to the entry receipt under that checkpoint."""


def due_anchors(state: State, newest: Mapping[str, bytes]) -> list[Anchor]:
    """An anchor for each admitted ledger whose newest checkpoint is past the last one that was anchored."""
    found = []
    for origin, admission in state.admitted.items():
        raw, last = newest.get(origin), state.anchors.get(origin)
        if raw is None:
            continue
        checkpoint, note = open_checkpoint(raw)
        bare = _bare(note, admission.vkey)
        if bare is not None and checkpoint.size > (0 if last is None else last.size):
            found.append(Anchor(checkpoint=bare, origin=origin))
    return found


def _bare(note: Note, vkey: str) -> bytes | None:
    """The note with the admitted key's line alone; None where that key has not signed it."""
    key = parse_vkey(vkey)
    lines = [line for line in note.signatures if verify_signature(key, note.text, line)]
    return format_note(Note(note.text, (lines[0],))) if lines else None


def root_proof(receipt_at: ReceiptAt, origin: str, index: int, parents: Sequence[Site]) -> bytes:
    """The proof from our entry at ``index`` to the log of the last of ``parents``, which are named nearest first.

    Raises FetchError where one of them cannot be asked, or has not anchored it yet.
    """
    if not parents:
        raise FetchError(_("node.toml names no parents: a proof to the root leads through them"))
    receipts: list[bytes] = []
    below: Site | None = None
    for parent in parents:
        anchor = _anchor_receipt(parent, origin, index + 1)
        anchored, note = _anchored(parent, origin, anchor)
        if below is None:
            receipts.append(receipt_at(index, anchored.size))
        else:
            receipts.append(_receipt_at(below, anchored, note, index))
        origin, index, below = open_checkpoint(anchor.checkpoint)[0].origin, anchor.index, parent
    receipts.append(format_entry_receipt(anchor))
    return format_root_proof(receipts)


def _anchor_receipt(parent: Site, origin: str, size: int) -> EntryReceipt:
    """The receipt of the parent's oldest anchor of that ledger of at least that size."""
    try:
        raw = parent.get(f"api/v1/anchors/{origin}", ENTRY_RECEIPT_MAX_BYTES, {"size": size})
        return parse_entry_receipt(raw)
    except FileNotFoundError:
        text = _("{url} has not anchored {origin} at size {size} or more yet: try again when it has")
        raise FetchError(text.format(url=parent.url, origin=origin, size=size)) from None
    except ChainError as error:
        raise _useless(parent, error) from error


def _anchored(parent: Site, origin: str, receipt: EntryReceipt) -> tuple[Checkpoint, bytes]:
    """The checkpoint that an anchor holds, and its note."""
    try:
        body = CODEC.parse(receipt.extra).body
        if not isinstance(body, Anchor):
            raise ProofError(f"it is no anchor but a {type(body).__name__}")
        checkpoint, _note = open_checkpoint(body.checkpoint)
        if checkpoint.origin != origin:
            raise ProofError(f"it anchors {checkpoint.origin}")
    except ChainError as error:
        raise _useless(parent, error) from error
    return checkpoint, body.checkpoint


def _receipt_at(site: Site, checkpoint: Checkpoint, note: bytes, index: int) -> bytes:
    """The receipt of a site's entry under an older checkpoint of its log, from the log's files."""
    try:
        ahead = Ahead(site_offer(site, checkpoint.origin), None, ())
        reader = TileReader(ahead, checkpoint.size, checkpoint.root)
        number, place = divmod(index, TILE_WIDTH)
        entry = reader.bundle(number)[place]
        path = prove_inclusion(index, checkpoint.size, reader.hash)
        return format_entry_receipt(EntryReceipt(entry, index, tuple(path), note))
    except (ChainError, FileNotFoundError, IndexError) as error:
        raise _useless(site, error) from error


def _useless(site: Site, error: Exception) -> FetchError:
    text = _("{url} answers what proves nothing ({error}): tell whoever runs it")
    return FetchError(text.format(url=site.url, error=error))
