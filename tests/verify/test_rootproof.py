"""What a proof to the root proves of ledgers whose key is pinned, and of others."""

from dataclasses import replace

import pytest

from chain.checkpoint import open_checkpoint
from chain.keys import SigningKey
from chain.note import ED25519, Note, format_note, make_vkey, sign_note_ed25519
from chain.policy import NO_QUORUM, Policy
from chain.receipt import format_entry_receipt, parse_entry_receipt
from tests.sync.logs import TOWNSHIP, VILLAGE
from tests.sync.test_anchors import proof_of
from tests.sync.towers import tower
from verify.receipts import ReceiptError
from verify.rootproof import check_root_proof, format_root_proof, parse_root_proof


def test_a_pinned_key_of_a_ledger_below_must_have_signed() -> None:
    built = tower()
    raw = proof_of(built, 5)

    def policy(*logs: object) -> Policy:
        return Policy(logs, (), (), NO_QUORUM)  # type: ignore[arg-type]

    alone = policy(built.city.vkey)
    assert check_root_proof(raw, alone).unsigned == (VILLAGE, TOWNSHIP)
    both = policy(built.city.vkey, built.village.vkey)
    assert check_root_proof(raw, both).unsigned == (TOWNSHIP,)
    stranger = SigningKey(b"x" * 32)
    other = policy(built.city.vkey, make_vkey(VILLAGE, ED25519, stranger.public))
    with pytest.raises(ReceiptError, match=r"no pinned key of village\.example/huzhu"):
        check_root_proof(raw, other)

    first, *above = parse_root_proof(raw)
    receipt = parse_entry_receipt(first)
    _checkpoint, note = open_checkpoint(receipt.checkpoint)
    forged = format_note(Note(note.text, (sign_note_ed25519(note.text, VILLAGE, stranger),)))
    lied = format_root_proof([format_entry_receipt(replace(receipt, checkpoint=forged)), *above])
    assert VILLAGE in check_root_proof(lied, alone).unsigned
    with pytest.raises(ReceiptError, match="no pinned key"):
        check_root_proof(lied, both)
