"""Mangling over the whole sample: whatever is done to an entry or a checkpoint is found, by code and index.

An audit here takes a millisecond: what is judged of an entry or a line alone is a pure function, and remembers its
answers for all the bytes that are as they were.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

import pytest

import verify.audit
import verify.check
import verify.checkpoints
from chain.checkpoint import open_checkpoint
from chain.errors import NoteError
from chain.note import Note
from chain.sheet import SheetDomain
from ledger.bodies import Donate
from ledger.kinds import CODEC
from tests.chain.helpers import flipped, with_a_line_twice, without_a_line
from tests.verify.ledgers import (
    BOB,
    CLERK,
    MEMBER1,
    NEW_VKEY,
    PINNED,
    QUORUM,
    TRUST,
    VKEY,
    Forge,
    GapSource,
    Ledger,
    audit,
    flip,
    found,
    village,
    village_node,
)
from verify.audit import LedgerReport, Trust, audit_ledger
from verify.kept import parse_kept

LEDGER = village()
SIZE, SEALED = len(LEDGER.entries), LEDGER.sizes[-1]
EVERY_ENTRY = range(SIZE)
EVERY_CHECKPOINT = range(len(LEDGER.checkpoints))
PENDING = range(SEALED, SIZE)
PROMISED = Trust(QUORUM, tuple(parse_kept(village_node().promise(index), f"promise.{index}") for index in PENDING))
"""For what comes after the last checkpoint: nobody but the node has vouched for it, by its promises."""

ENTIRELY_MAX_BYTES = 1_000
"""Of a note that is longer, by an ML-DSA-44 signature, one bit of each byte is turned over, not two."""

CHANGED_BITS = 0x20
"""The other flip: it turns letters from small to capital."""


@lru_cache(maxsize=512)
def _check_one(
    raw: bytes | None, start: int, origin: str, genesis: bytes, publics: tuple[tuple[str, bytes], ...]
) -> verify.check.Checked:
    return verify.check.check_chunk(verify.check.Chunk(start, [raw], origin, genesis, dict(publics)))


def _check_chunk(chunk: verify.check.Chunk) -> verify.check.Checked:
    publics = tuple(chunk.publics.items())
    checked = [
        _check_one(raw, index, chunk.origin, chunk.genesis, publics)
        for index, raw in enumerate(chunk.entries, chunk.start)
    ]
    return verify.check.Checked(
        b"".join(each.hashes for each in checked), [verdict for each in checked for verdict in each.verdicts]
    )


class _RememberingCodec:
    """Reads an entry once; what it gives is never changed."""

    read = staticmethod(lru_cache(maxsize=512)(CODEC.read))
    parse = staticmethod(lru_cache(maxsize=512)(CODEC.parse))


@pytest.fixture
def remembering() -> Iterator[None]:
    """Pure functions of the audit remember what they answered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify.audit, "check_chunk", _check_chunk)
        patch.setattr(verify.audit, "keys_in", lru_cache(maxsize=512)(verify.check.keys_in))
        patch.setattr(verify.audit, "CODEC", _RememberingCodec())
        for name in ("_verify_line", "_open"):
            patch.setattr(verify.checkpoints, name, lru_cache(maxsize=512)(getattr(verify.checkpoints, name)))
        yield


def root_finding(ledger: Ledger, index: int) -> set[tuple[str, int]]:
    """What the first checkpoint over an entry says where that entry is another."""
    return {("checkpoint.root", size - 1) for size in ledger.sizes if size > index and size <= len(ledger.entries)}


def assert_found_at(report: LedgerReport, ledger: Ledger, index: int) -> None:
    """One finding of steps 3 to 5 at the entry itself, and every later checkpoint has another root."""
    codes = [finding.code for finding in report.findings if finding.index == index]
    assert sum(code.startswith(("entry.", "rule.")) for code in codes) == 1, (index, codes)
    assert root_finding(ledger, index) <= set(found(report)), index


# Every byte


@pytest.mark.usefixtures("remembering")
@pytest.mark.parametrize("index", EVERY_ENTRY)
def test_every_byte_of_an_entry_changed(index: int) -> None:
    """On the whole log; but for genesis, without which no signature after it is good, on its beginning."""
    trust, ledger = Trust(PINNED), LEDGER if index else LEDGER.cut(LEDGER.sizes[1])
    for place in range(len(ledger.entries[index])):
        mangled = ledger.with_entry(index, flip(ledger.entries[index], place))
        assert_found_at(audit(mangled, trust), mangled, index)


@pytest.mark.usefixtures("remembering")
@pytest.mark.parametrize("index", EVERY_ENTRY)
def test_every_byte_of_an_entry_changed_otherwise(index: int) -> None:
    """Every second byte, on the log up to the next checkpoint: what comes after can only add findings."""
    trust = Trust(PINNED)
    ledger = LEDGER.cut(next((size for size in LEDGER.sizes if size > index), SIZE))
    for place in range(index % 2, len(ledger.entries[index]), 2):
        mangled = ledger.with_entry(index, flip(ledger.entries[index], place, CHANGED_BITS))
        assert_found_at(audit(mangled, trust), mangled, index)


def test_some_bytes_of_every_entry_changed_and_nothing_remembered() -> None:
    for index in EVERY_ENTRY:
        for place in range(index % 7, len(LEDGER.entries[index]), 101):
            mangled = LEDGER.with_entry(index, flip(LEDGER.entries[index], place))
            assert_found_at(audit(mangled), mangled, index)


@pytest.mark.usefixtures("remembering")
@pytest.mark.parametrize("place", EVERY_CHECKPOINT)
def test_every_byte_of_a_checkpoint_changed(place: int) -> None:
    note = LEDGER.checkpoints[place][1]
    for bad in flipped(note, (0, 5) if len(note) < ENTIRELY_MAX_BYTES else (0,)):
        assert_line_found(place, bad)


@pytest.mark.parametrize("place", EVERY_CHECKPOINT)
def test_every_line_of_a_checkpoint_dropped_or_doubled(place: int) -> None:
    note = LEDGER.checkpoints[place][1]
    for bad in (*without_a_line(note), *with_a_line_twice(note)):
        assert_line_found(place, bad)


@pytest.mark.parametrize("place", EVERY_CHECKPOINT)
def test_lines_of_a_checkpoint_exchanged(place: int) -> None:
    """Signature lines may stand in any order; nothing else may."""
    lines = LEDGER.checkpoints[place][1].splitlines(keepends=True)
    for first in range(len(lines) - 1):
        swapped = [*lines[:first], lines[first + 1], lines[first], *lines[first + 2 :]]
        assert_line_found(place, b"".join(swapped))


def assert_line_found(place: int, bad: bytes) -> None:
    """The audit says of a checkpoint exactly what is to be said of it."""
    report = audit(LEDGER.with_note(place, bad))
    assert set(found(report)) == expected_findings(place, bad), bad


def expected_findings(place: int, bad: bytes) -> set[tuple[str, int]]:
    """What is wrong with a mangled checkpoint, read from the format.

    A line whose name or key hash is another is a stranger's, and says nothing: to anyone who keeps the file, whoever
    cosigned an old checkpoint may be dropped. What may not be dropped is the node's line, and the newest's quorum.
    """
    size, good = LEDGER.checkpoints[place]
    is_newest = place == len(LEDGER.checkpoints) - 1
    text, old = open_checkpoint(good)
    try:
        checkpoint, note = open_checkpoint(bad)
    except NoteError:
        checkpoint, note = text, None
    if note is None or (checkpoint.origin, checkpoint.size) != (text.origin, size):
        # Where it is the newest, the newest one that can be read is another, which lacks the witness.
        unmet = {("quorum.unmet", LEDGER.sizes[place - 1] - 1)} if is_newest else set()
        return {("checkpoint.malformed", size - 1)} | unmet
    codes = line_codes(old, note, is_newest) | ({"checkpoint.root"} if checkpoint.root != text.root else set())
    return {(code, size - 1) for code in codes}


def line_codes(old: Note, note: Note, is_newest: bool) -> set[str]:
    """What the signature lines of a mangled checkpoint give away."""
    codes = set()
    good = {(line.name, line.hash): line.signature for line in old.signatures}
    node = next((vkey.name, vkey.hash) for vkey in (VKEY, NEW_VKEY) if (vkey.name, vkey.hash) in good)
    kept = {(line.name, line.hash) for line in note.signatures}
    changed = {
        (line.name, line.hash)
        for line in note.signatures
        if good.get((line.name, line.hash), line.signature) != line.signature or note.text != old.text
    } & set(good)
    if node not in kept or changed:
        codes.add("checkpoint.signature")
    if is_newest and (changed or set(good) - kept) - {node}:
        codes.add("quorum.unmet")
    return codes


# Whole entries


@pytest.mark.parametrize("index", EVERY_ENTRY)
def test_an_entry_is_missing(index: int) -> None:
    """Its row is not there: what comes after cannot be checked."""
    entries = LEDGER.entries[:index] + LEDGER.entries[index + 1 :]
    source = GapSource(LEDGER.with_entries(entries), [*range(index), *range(index + 1, SIZE)])
    report = audit_ledger(source, PROMISED)
    code = "log.truncated" if index < SIZE - 1 else "log.promise-broken"
    assert (code, index) in found(report)


@pytest.mark.parametrize("index", EVERY_ENTRY)
def test_an_entry_is_dropped_and_the_gap_closed(index: int) -> None:
    bad = LEDGER.with_entries(LEDGER.entries[:index] + LEDGER.entries[index + 1 :])
    report = audit(bad, PROMISED)
    assert min(finding.index for finding in report.findings if finding.index is not None) >= min(index, SEALED)
    if index >= SEALED:
        assert ("log.promise-broken", SIZE - 1) in found(report)
        return
    assert root_finding(LEDGER, index) <= set(found(report))
    assert in_block(report, index)


@pytest.mark.parametrize("index", EVERY_ENTRY)
def test_an_entry_stands_there_twice(index: int) -> None:
    bad = LEDGER.with_entries((*LEDGER.entries[: index + 1], *LEDGER.entries[index:]))
    report = audit(bad)
    assert ("entry.seq" if index else "entry.signature", index + 1) in found(report)
    assert root_finding(LEDGER, index + 1) <= set(found(report))


@pytest.mark.parametrize("index", range(SIZE - 1))
def test_an_entry_and_its_neighbour_are_exchanged(index: int) -> None:
    first, second = LEDGER.entries[index : index + 2]
    bad = LEDGER.with_entries((*LEDGER.entries[:index], second, first, *LEDGER.entries[index + 2 :]))
    report = audit(bad, PROMISED)
    assert root_finding(LEDGER, index) <= set(found(report))
    assert in_block(report, index)


@pytest.mark.parametrize("index", range(SIZE + 1))
def test_an_entry_of_another_ledger_is_inserted(index: int) -> None:
    """By the same people and keys, but signed for another origin."""
    (foreign,) = Forge().sign(
        CLERK, [MEMBER1], Donate(giver=BOB, minutes=1), domain=SheetDomain("other.example/huzhu"), seq=2**50
    )
    bad = LEDGER.with_entries((*LEDGER.entries[:index], foreign, *LEDGER.entries[index:]))
    report = audit(bad)
    assert ("entry.signature" if index else "entry.unknown-key", index) in found(report)
    assert root_finding(LEDGER, index) <= set(found(report))


@pytest.mark.parametrize("size", EVERY_ENTRY)
def test_the_log_is_cut_off(size: int) -> None:
    report = audit(LEDGER.with_entries(LEDGER.entries[:size]), PROMISED)
    if size < SEALED:
        assert ("log.truncated", size - 1 if size else None) in found(report)
    assert ("log.promise-broken", SIZE - 1) in found(report)


@pytest.mark.parametrize("place", EVERY_CHECKPOINT)
def test_a_checkpoint_is_dropped(place: int) -> None:
    """An old one may be: the newest covers all of it. Without the newest, the quorum of the one before is asked."""
    rows = list(LEDGER.checkpoints)
    del rows[place]
    report = audit(LEDGER.with_checkpoints(rows), TRUST)
    is_newest = place == len(rows)
    assert found(report) == ([("quorum.unmet", rows[-1][0] - 1)] if is_newest else [])
    assert report.pending == SIZE - rows[-1][0]


@pytest.mark.parametrize("place", EVERY_CHECKPOINT)
def test_a_checkpoint_stands_under_another_size(place: int) -> None:
    for size in (*range(SIZE + 2), -1, 2**62):
        if size not in LEDGER.sizes:
            rows = [*LEDGER.checkpoints]
            rows[place] = size, rows[place][1]
            report = audit(LEDGER.with_checkpoints(sorted(rows)), Trust(PINNED))
            expected = ("log.truncated", SIZE - 1) if size > SIZE else ("checkpoint.malformed", max(size - 1, 0))
            assert expected in found(report), size


def in_block(report: LedgerReport, index: int) -> bool:
    """Whether a finding stands between an entry and the end of its block, one place earlier or later."""
    last = LEDGER.seal_after(index)
    end = SIZE if last is None else last + 1
    return any(finding.index is not None and index - 1 <= finding.index <= end for finding in report.findings)


def test_all_checkpoints_are_dropped() -> None:
    report = audit(LEDGER.with_checkpoints(()), Trust(PINNED))
    assert found(report) == [("checkpoint.missing", None)] and report.pending == SIZE


def test_everything_is_dropped() -> None:
    assert found(audit(Ledger((), ()), Trust(PINNED))) == unpinned(["checkpoint.missing"])
    assert found(audit(LEDGER.with_entries(()), Trust(PINNED))) == unpinned(["log.truncated"] * 7)


def unpinned(codes: Iterable[str]) -> list[tuple[str, None]]:
    """A log without genesis has never had the pinned key."""
    return sorted([*((code, None) for code in codes), ("checkpoint.signature", None)])
