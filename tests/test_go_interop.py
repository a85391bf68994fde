"""Go's sumdb/note and sumdb/tlog accept what we sign and prove, and refuse it mangled."""

from pathlib import Path

import pytest

from chain.checkpoint import Checkpoint, sign_checkpoint
from chain.cosignature import cosign_ed25519, cosign_mldsa44
from chain.merkle import leaf_hash, prove_consistency, prove_inclusion, root_of
from chain.note import ED25519, format_note, format_vkey, make_vkey
from tests.chain.helpers import MLDSA_KEY, NODE_KEY, ORIGIN, OTHER_KEY, flipped, node_reader, some_entries
from tests.go_interop import Consistency, Inclusion, go_objection, interop_binary

SIZE = 300
ENTRIES = some_entries(SIZE)
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
READ = node_reader(ENTRIES)
CHECKPOINT = Checkpoint(ORIGIN, SIZE, root_of(LEAVES))
SIGNED = format_note(sign_checkpoint(CHECKPOINT, NODE_KEY))
VKEY = format_vkey(make_vkey(ORIGIN, ED25519, NODE_KEY.public))

INCLUSIONS: list[Inclusion] = [(LEAVES[index], index, prove_inclusion(index, SIZE, READ)) for index in range(SIZE)]
CONSISTENCIES: list[Consistency] = [
    (size, root_of(LEAVES[:size]), prove_consistency(size, SIZE, READ)) for size in range(1, SIZE + 1)
]


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return interop_binary(tmp_path_factory)


def test_go_accepts_our_checkpoint_and_every_proof(binary: Path) -> None:
    assert go_objection(binary, VKEY, SIGNED, INCLUSIONS, CONSISTENCIES) is None


def test_go_accepts_a_checkpoint_with_cosignatures(binary: Path) -> None:
    note = sign_checkpoint(
        CHECKPOINT,
        NODE_KEY,
        cosign_mldsa44(CHECKPOINT, ORIGIN, MLDSA_KEY, 1_700_000_000),
        cosign_ed25519(CHECKPOINT, "witness.example", OTHER_KEY, 1_700_000_000),
    )
    assert go_objection(binary, VKEY, format_note(note)) is None


def test_go_refuses_a_mangled_checkpoint(binary: Path) -> None:
    for bad in list(flipped(SIGNED, [0]))[::17]:
        assert str(go_objection(binary, VKEY, bad)).startswith("checkpoint: ")
    stranger = format_vkey(make_vkey(ORIGIN, ED25519, OTHER_KEY.public))
    assert go_objection(binary, stranger, SIGNED) == "checkpoint: note has no verifiable signatures"


def test_go_refuses_a_mangled_inclusion_proof(binary: Path) -> None:
    leaf, index, path = INCLUSIONS[123]
    for bad in (
        (bytes(32), index, path),
        (leaf, index + 1, path),
        (leaf, index, path[:-1]),
        (leaf, index, [*path, bytes(32)]),
        (leaf, index, [bytes(32), *path[1:]]),
    ):
        assert str(go_objection(binary, VKEY, SIGNED, [bad])).startswith("inclusion of ")


def test_go_refuses_a_mangled_consistency_proof(binary: Path) -> None:
    size, root, path = CONSISTENCIES[122]
    for bad in (
        (size + 1, root, path),
        (size, bytes(32), path),
        (size, root, path[:-1]),
        (size, root, [*path, bytes(32)]),
        (size, root, [bytes(32), *path[1:]]),
    ):
        assert str(go_objection(binary, VKEY, SIGNED, [], [bad])).startswith("consistency with ")
