"""Go's sumdb/note and sumdb/tlog accept what a whole node hands out: checkpoints, inclusion and consistency proofs."""

from pathlib import Path

import pytest

from chain.checkpoint import open_checkpoint
from chain.merkle import leaf_hash
from chain.note import ED25519, format_vkey, make_vkey
from chain.receipt import parse_balance_receipt, parse_entry_receipt
from tests.chain.helpers import flipped
from tests.go_interop import go_objection, interop_binary
from tests.verify.ledgers import BOB, NEW_VKEY, ORIGIN, STRANGER, VKEY, village, village_node

LEDGER, NODE = village(), village_node()
SEALED = LEDGER.sizes[-1]


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return interop_binary(tmp_path_factory)


@pytest.mark.parametrize("place", range(len(LEDGER.checkpoints)))
def test_go_accepts_every_checkpoint_with_all_its_cosignatures(binary: Path, place: int) -> None:
    size, note = LEDGER.checkpoints[place]
    vkey = VKEY if size <= LEDGER.at("node_rotate") else NEW_VKEY
    assert go_objection(binary, format_vkey(vkey), note) is None
    assert go_objection(binary, format_vkey(VKEY if vkey is NEW_VKEY else NEW_VKEY), note) is not None


def test_go_accepts_the_receipt_of_every_entry(binary: Path) -> None:
    receipts = [parse_entry_receipt(NODE.receipt(index)) for index in range(SEALED)]
    (note,) = {receipt.checkpoint for receipt in receipts}
    inclusions = [(leaf_hash(receipt.extra), receipt.index, receipt.path) for receipt in receipts]
    assert go_objection(binary, format_vkey(NEW_VKEY), note, inclusions) is None
    for leaf, index, path in inclusions[::7]:
        assert go_objection(binary, format_vkey(NEW_VKEY), note, [(leaf, (index + 1) % SEALED, path)]) is not None


def test_go_accepts_the_seal_behind_a_balance(binary: Path) -> None:
    seal = parse_balance_receipt(NODE.balance_receipt(BOB)).seal
    inclusion = (leaf_hash(seal.extra), seal.index, seal.path)
    assert go_objection(binary, format_vkey(NEW_VKEY), seal.checkpoint, [inclusion]) is None


def test_go_accepts_that_the_log_only_grew(binary: Path) -> None:
    """From every checkpoint that the node has signed to its newest."""
    consistencies = [
        (size, open_checkpoint(note)[0].root, NODE.consistency(size)) for size, note in LEDGER.checkpoints
    ]
    newest = NODE.checkpoint()
    assert go_objection(binary, format_vkey(NEW_VKEY), newest, [], consistencies) is None
    size, _, path = consistencies[1]
    rewritten = open_checkpoint(village(minutes=120).checkpoints[2][1])[0]
    assert go_objection(binary, format_vkey(NEW_VKEY), newest, [], [(rewritten.size, rewritten.root, path)]) is not None
    assert size != rewritten.size


def test_go_refuses_what_we_refuse(binary: Path) -> None:
    newest = NODE.checkpoint()
    stranger = format_vkey(make_vkey(ORIGIN, ED25519, STRANGER.public))
    assert go_objection(binary, stranger, newest) == "checkpoint: note has no verifiable signatures"
    text_and_first_line = newest.index(b"\n", newest.index(b"\n\n") + 2)
    for bad in list(flipped(newest, (0,)))[3:text_and_first_line:31]:
        assert str(go_objection(binary, format_vkey(NEW_VKEY), bad)).startswith("checkpoint: ")
