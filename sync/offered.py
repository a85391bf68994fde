"""A checkpoint as somebody offers it, and what can be wrong with it.

    offered = open_offered(log, fetch, is_own=True)     # LieError where it is none, or of another ledger
    known = known_of(log, fetch)                        # those that we saw before, the largest first
    with authenticated(offered):                        # what does not follow from it is a LieError too
        ...

``sync.mirror`` compares the two, and raises what it finds: each of the three errors ends one ledger's turn in a round.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from gettext import gettext as _

from chain.checkpoint import CHECKPOINT_MAX_BYTES, Checkpoint, open_checkpoint
from chain.errors import NoteError, ProofError
from chain.note import Note
from sync.kept import BAD_CHECKPOINT, BAD_FILES, BAD_KEY, MirrorLog
from sync.offers import CHECKPOINT, Fetch


class LieError(Exception):
    """What was offered cannot be what it says: an alarm, with evidence, about ``about`` or else whoever offered it."""

    def __init__(self, code: str, detail: str, evidence: bytes, about: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.evidence = evidence
        self.about = about


class HeldError(Exception):
    """It forked or was rolled back, and is held from now on; the alarm was raised, perhaps as a new one."""

    def __init__(self, state: str, detail: str, *, is_new_alarm: bool) -> None:
        super().__init__(detail)
        self.state = state
        self.is_new_alarm = is_new_alarm


class StopError(Exception):
    """We take no more of it now, for a reason of our own: an alarm."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class Offered:
    """A checkpoint as it was offered, with the files behind it. ``is_own``: by the site of that ledger itself.

    ``signed`` is its note with the node's lines alone; empty where no key signs it that is known to be the node's.
    """

    raw: bytes
    checkpoint: Checkpoint
    note: Note
    fetch: Fetch
    is_own: bool
    signed: bytes = b""


def open_offered(log: MirrorLog, fetch: Fetch, *, is_own: bool) -> Offered:
    """The checkpoint that is offered; LieError where it is none of this ledger's."""
    raw = fetch(CHECKPOINT, CHECKPOINT_MAX_BYTES)
    try:
        checkpoint, note = open_checkpoint(raw)
    except NoteError as error:
        text = _("what it offers as its checkpoint is none: {error}")
        raise LieError(BAD_CHECKPOINT, text.format(error=error), raw) from error
    if checkpoint.origin != log.origin:
        text = _("it offers the checkpoint of another ledger, {origin}")
        raise LieError(BAD_CHECKPOINT, text.format(origin=checkpoint.origin), raw)
    return Offered(raw, checkpoint, note, fetch, is_own)


def known_of(log: MirrorLog, fetch: Fetch) -> list[Offered]:
    """The checkpoints of it that we saw signed and that still say something, the largest first: the last one counts.

    What is not here of their entries ``fetch`` has to give.
    """
    kept = log.note()
    raws = log.shown() + ([] if kept is None else [kept])
    return [Offered(raw, *open_checkpoint(raw), fetch, is_own=False) for raw in raws]


def beside(known: Sequence[Offered], checkpoint: Checkpoint) -> list[Offered]:
    """Of the known ones, those that tell most of another one: of its size, next below, what counts, the largest.

    In this order: the first needs none of its entries. What is left out is compared when that many entries are here.
    """
    of_size = [each for each in known if each.checkpoint.size == checkpoint.size]
    below = [each for each in known if each.checkpoint.size < checkpoint.size]
    chosen = {id(each): each for each in (*of_size, *below[:1], *known[-1:], *known[:1])}
    return [each for each in chosen.values() if each.checkpoint != checkpoint]


def tell_older(newest: Offered, offered: Offered) -> str:
    """In words that a checkpoint is smaller than one before it."""
    text = _("it offers the checkpoint of size {size}, after that of size {larger}")
    return text.format(size=offered.checkpoint.size, larger=newest.checkpoint.size)


def foreign(offered: Offered) -> LieError:
    """The alarm about a checkpoint that none of the ledger's keys has signed."""
    text = _("the checkpoint of size {size} is not signed by the key that was admitted, nor by one of its own log")
    return LieError(BAD_KEY, text.format(size=offered.checkpoint.size), offered.raw)


@contextmanager
def authenticated(offered: Offered) -> Iterator[None]:
    """What does not follow from the checkpoint is a lie of whoever offers it."""
    try:
        yield
    except ProofError as error:
        text = _("its files are not those of the checkpoint that it offers: {error}")
        raise LieError(BAD_FILES, text.format(error=error), offered.raw) from error
