"""Requests to a witness and its answers: one spelling each, bounded, and mangled ones refused or another's."""

import pytest

from chain.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from chain.cosignature import cosign_ed25519, cosign_mldsa44
from chain.errors import NoteError
from chain.merkle import prove_consistency, tree_root
from chain.note import format_note
from chain.witness import (
    ADD_CHECKPOINT_MAX_BYTES,
    format_add_checkpoint,
    format_signature_lines,
    format_size_answer,
    origin_hash,
    parse_add_checkpoint,
    parse_signature_lines,
    parse_size_answer,
)
from tests.chain.helpers import MLDSA_KEY, NODE_KEY, ORIGIN, mangled, node_reader, some_entries, with_a_line_twice

READ = node_reader(some_entries(20))
CHECKPOINT = Checkpoint(ORIGIN, 20, tree_root(20, READ))
SIGNED = format_note(sign_checkpoint(CHECKPOINT, NODE_KEY))
PROOF = tuple(prove_consistency(9, 20, READ))
LINES = (cosign_ed25519(CHECKPOINT, "w.example", NODE_KEY, 7), cosign_mldsa44(CHECKPOINT, "w.example", MLDSA_KEY, 7))


@pytest.mark.parametrize(("size", "proof"), [(9, PROOF), (0, ()), (2**53 - 1, (bytes(32),) * 63)])
def test_a_request_is_read_as_it_was_written(size: int, proof: tuple[bytes, ...]) -> None:
    request = parse_add_checkpoint(format_add_checkpoint(size, proof, SIGNED))
    assert (request.old_size, request.proof, request.checkpoint) == (size, proof, CHECKPOINT)
    assert request.note == open_checkpoint(SIGNED)[1]


def test_a_mangled_request_is_refused_or_says_something_else() -> None:
    raw = format_add_checkpoint(9, PROOF, SIGNED)
    whole = parse_add_checkpoint(raw)
    for changed in (*mangled(raw), *with_a_line_twice(raw)):
        try:
            request = parse_add_checkpoint(changed)
        except NoteError:
            continue
        assert request != whole
        assert format_add_checkpoint(request.old_size, request.proof, format_note(request.note)) == changed


@pytest.mark.parametrize(
    "raw", [b"", b"old 0\n\n", b"old 0\n" * 100_000, bytes(ADD_CHECKPOINT_MAX_BYTES + 1), b"old " + b"9" * 500_000]
)
def test_what_is_no_request(raw: bytes) -> None:
    with pytest.raises(NoteError):
        parse_add_checkpoint(raw)


def test_answers_are_read_as_they_were_written() -> None:
    assert parse_signature_lines(format_signature_lines(LINES)) == LINES
    assert [parse_size_answer(format_size_answer(size)) for size in (0, 9, 2**53 - 1)] == [0, 9, 2**53 - 1]
    assert origin_hash("a") == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"


@pytest.mark.parametrize("raw", [b"", b"\n", b"x\n", b"\xff\n", format_signature_lines(LINES)[:-1], b"\n\n" + SIGNED])
def test_what_are_no_signature_lines(raw: bytes) -> None:
    with pytest.raises(NoteError):
        parse_signature_lines(raw)


@pytest.mark.parametrize("raw", [b"", b"9", b"09\n", b"-1\n", b"9\n\n", b" 9\n", b"\xd9\xa9\n", b"9" * 30 + b"\n"])
def test_what_is_no_size(raw: bytes) -> None:
    with pytest.raises(NoteError):
        parse_size_answer(raw)
