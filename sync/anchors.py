"""Anchors: a ledger's log holds the newest checkpoints of those it admits, and so on up to the root (RULES §10).

    bodies = due_anchors(state, newest)               # what our own log does not hold yet, to be declared by the node
    raw = root_proof(receipt, origin, index, sites)   # from an entry of ours to the root, by what the nodes above serve

A checkpoint that the root's log holds cannot be taken back by anyone below: not by the village, and not by all the
nodes between them together.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from gettext import gettext as _

from chain.checkpoint import CHECKPOINT_MAX_BYTES, Checkpoint, open_checkpoint
from chain.errors import ChainError, ProofError
from chain.merkle import prove_inclusion
from chain.note import Note, format_note, parse_vkey, verify_signature
from chain.receipt import ENTRY_RECEIPT_MAX_BYTES, EntryReceipt, format_entry_receipt, parse_entry_receipt
from chain.tile import TILE_WIDTH, TileReader
from ledger.bodies import Anchor
from ledger.kinds import CODEC
from ledger.state import State
from sync.fetch import FetchError, Site
from sync.library import LibraryError, SiteLibrary
from sync.offers import CHECKPOINT, Ahead, site_offer
from verify.rootproof import RECEIPTS_MAX, format_root_proof

ReceiptAt = Callable[[int, int], bytes]
"""From an entry's index and the size of a checkpoint to the entry receipt under that checkpoint."""
Tell = Callable[[str], None]
SEARCHED_BUNDLES_MAX = 256
"""So far back an anchor is looked for in somebody's copy of a log: 65,536 entries."""


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


def root_proof(
    receipt_at: ReceiptAt, origin: str, index: int, parents: Sequence[Site], tell: Tell = lambda _text: None
) -> bytes:
    """The proof from our entry at ``index`` to the log of the last of ``parents``, which are named nearest first.

    Where one of them does not answer, or lacks a level, the next ones are asked: they have copies of what is below
    them. ``tell`` hears who gave what. Raises FetchError where a level cannot be had from any of them, or is not
    anchored yet.
    """
    if not parents:
        raise FetchError(_("node.toml names no parents: a proof to the root leads through them"))
    receipts: list[bytes] = []
    below: Site | None = None
    first = 0
    while first < len(parents) and len(receipts) < RECEIPTS_MAX - 1:
        rung = _climb(parents, first, origin, index + 1, tell)
        anchored, note = _anchored(rung.site, origin, rung.anchor)
        if below is None:
            receipts.append(receipt_at(index, anchored.size))
        else:
            receipts.append(_receipt_from([below, *parents], anchored, note, index))
        above = open_checkpoint(rung.anchor.checkpoint)[0].origin
        text = _("{url}: entry {index} of {above} anchors {origin} at size {size}")
        tell(
            text.format(url=rung.site.url, index=rung.anchor.index, above=above, origin=origin, size=anchored.size)
        )
        origin, index, below, first = above, rung.anchor.index, rung.site, rung.following
    receipts.append(format_entry_receipt(rung.anchor))
    return format_root_proof(receipts)


@dataclass(frozen=True, slots=True)
class _Rung:
    """The receipt of an anchor, who gave it, and which of the parents to ask from there on."""

    anchor: EntryReceipt
    site: Site
    following: int


def _climb(parents: Sequence[Site], first: int, origin: str, size: int, tell: Tell) -> _Rung:
    """An anchor of that ledger at that size or more, from the first of ``parents[first:]`` that has one."""
    failures: list[str] = []
    for number, parent in enumerate(parents[first:], first):
        try:
            anchor = _anchor_receipt(parent, origin, size)
            _anchored(parent, origin, anchor)
            return _Rung(anchor, parent, number + 1)
        except FetchError as error:
            failures.append(str(error))
        try:
            return _Rung(_mirrored_anchor(parent, origin, size), parent, number)
        except (FetchError, LibraryError):
            tell(failures[-1])
    raise FetchError("; ".join(failures))


def _mirrored_anchor(parent: Site, origin: str, size: int) -> EntryReceipt:
    """The same from its copy of the ledger that admits that one: the oldest that is large enough.

    Anchors of a ledger rise, so that the first one from the end that is too small ends the search.
    """
    admissions = SiteLibrary(parent).admissions(origin)
    found: tuple[int, bytes] | None = None
    try:
        above = open_checkpoint(parse_entry_receipt(admissions[-1]).checkpoint)[0].origin
        note = parent.get(f"log/{above}/{CHECKPOINT}", CHECKPOINT_MAX_BYTES)
        checkpoint = open_checkpoint(note)[0]
        reader = TileReader(Ahead(site_offer(parent, above), None, ()), checkpoint.size, checkpoint.root)
        for index, raw in _from_the_end(reader, checkpoint.size):
            anchored_size = _anchored_size(raw, origin)
            if anchored_size is not None and anchored_size < size:
                break
            if anchored_size is not None:
                found = index, raw
        if found is None:
            raise _not_anchored(parent, origin, size)
        index, raw = found
        return EntryReceipt(raw, index, tuple(prove_inclusion(index, checkpoint.size, reader.hash)), note)
    except (ChainError, FileNotFoundError, IndexError) as error:
        raise _useless(parent, error) from error


def _from_the_end(reader: TileReader, size: int) -> Iterator[tuple[int, bytes]]:
    """The newest entries of a log, the last one first."""
    last = (size - 1) // TILE_WIDTH
    for number in range(last, max(-1, last - SEARCHED_BUNDLES_MAX), -1):
        entries = reader.bundle(number)
        for place in reversed(range(len(entries))):
            yield number * TILE_WIDTH + place, entries[place]


def _anchored_size(raw: bytes, origin: str) -> int | None:
    """At which size an entry anchors that ledger; None where it does not."""
    if b'"kind":"anchor"' not in raw:
        return None
    body = CODEC.parse(raw).body
    return open_checkpoint(body.checkpoint)[0].size if isinstance(body, Anchor) and body.origin == origin else None


def _anchor_receipt(parent: Site, origin: str, size: int) -> EntryReceipt:
    """The receipt of the parent's oldest anchor of that ledger of at least that size."""
    try:
        raw = parent.get(f"api/v1/anchors/{origin}", ENTRY_RECEIPT_MAX_BYTES, {"size": size})
        return parse_entry_receipt(raw)
    except FileNotFoundError:
        raise _not_anchored(parent, origin, size) from None
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


def _receipt_from(sites: Sequence[Site], checkpoint: Checkpoint, note: bytes, index: int) -> bytes:
    """The receipt of an entry under an older checkpoint, from the first of these that has the log's files."""
    failures: list[str] = []
    for site in dict.fromkeys(sites):
        try:
            return _receipt_at(site, checkpoint, note, index)
        except FetchError as error:
            failures.append(str(error))
    raise FetchError("; ".join(failures))


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


def _not_anchored(site: Site, origin: str, size: int) -> FetchError:
    text = _("{url} has not anchored {origin} at size {size} or more yet: try again when it has")
    return FetchError(text.format(url=site.url, origin=origin, size=size))


def _useless(site: Site, error: Exception) -> FetchError:
    text = _("{url} answers what proves nothing ({error}): tell whoever runs it")
    return FetchError(text.format(url=site.url, error=error))
