"""One receipt checked off line: what it proves to whom, and that nothing mangled proves anything else (FORMAT §10)."""

import dataclasses
import datetime
import functools
from collections.abc import Callable

import msgspec
import pytest

from chain.checkpoint import open_checkpoint
from chain.errors import ChainError
from chain.merkle import leaf_hash, prove_inclusion
from chain.note import (
    ED25519,
    Note,
    NoteSignature,
    add_signatures,
    format_note,
    make_vkey,
    parse_note,
    sign_note_ed25519,
)
from chain.policy import Group, Policy
from chain.receipt import (
    ENTRY_RECEIPT_MAX_BYTES,
    BalanceReceipt,
    EntryReceipt,
    format_balance_receipt,
    format_entry_receipt,
    parse_balance_receipt,
    parse_entry_receipt,
)
from ledger.bodies import Donate
from ledger.kinds import CODEC
from tests.chain.helpers import cut_off, flipped, node_reader, with_a_line_twice, with_a_number_moved, without_a_line
from tests.verify.ledgers import (
    ALICE,
    BOB,
    CLERK,
    DONG,
    HASH,
    MEMBER1,
    MEMBER2,
    MLDSA_VKEY,
    NEW_VKEY,
    NODE_KEY,
    ORIGIN,
    QUORUM,
    STRANGER,
    VKEY,
    WITNESS,
    Forge,
    mldsa_line,
    policy,
    village,
    village_node,
)
from verify.receipts import Proven, ReceiptError, check_receipt

LEDGER, NODE = village(), village_node()
SEALED = LEDGER.sizes[-1]
NEW_PIN = policy(NEW_VKEY)
FULL = Policy((NEW_VKEY,), QUORUM.witnesses, QUORUM.groups, QUORUM.quorum)
"""Asks for two members and the witness, under the node key in force."""


def refusal(raw: bytes, trusted: Policy = NEW_PIN) -> str:
    with pytest.raises(ReceiptError) as caught:
        check_receipt(raw, trusted)
    text = str(caught.value)
    assert text and "\n" not in text
    return text


# Good ones


@pytest.mark.parametrize("index", range(SEALED))
def test_the_receipt_of_every_entry_is_accepted(index: int) -> None:
    for trusted in (NEW_PIN, FULL):
        proven = check_receipt(NODE.receipt(index), trusted)
        assert (proven.index, proven.entry, proven.balance) == (index, CODEC.parse(LEDGER.entries[index]), None)
        assert proven.checkpoint.size == SEALED and proven.checkpoint.origin == ORIGIN
        assert proven.at == proven.entry.at


@pytest.mark.parametrize("account", [balance.account for balance in NODE.balances()])
def test_the_balance_receipt_of_every_account_is_accepted(account: str) -> None:
    """It shows what the account had at the newest seal: pending entries do not count."""
    for trusted in (NEW_PIN, FULL):
        proven = check_receipt(NODE.balance_receipt(account), trusted)
        leaf, pending = proven.balance, {BOB: 1, DONG: 2, "pool": -3}.get(account, 0)
        now = NODE.balance(account)
        assert leaf is not None and now is not None
        assert msgspec.to_builtins(leaf) == {
            "account": account,
            "balance": now.balance + pending,
            "held": now.held,
            "status": now.status,
            "unit": now.unit,
        }
        assert proven.index == SEALED - 1 and proven.at == NODE.state.sealed_at


def test_an_old_receipt_stays_good() -> None:
    """The checkpoint of then and the key of then."""
    raw = receipt_at(2, 16)
    assert check_receipt(raw, policy(VKEY)).index == 2
    assert check_receipt(raw, policy(VKEY, NEW_VKEY)).index == 2


def receipt_at(index: int, size: int) -> bytes:
    """The receipt of an entry under an older checkpoint."""
    path = tuple(prove_inclusion(index, size, node_reader(LEDGER.entries[:size])))
    return format_entry_receipt(EntryReceipt(LEDGER.entries[index], index, path, dict(LEDGER.checkpoints)[size]))


# Whose word it is


def test_the_key_of_before_does_not_vouch_for_what_came_after() -> None:
    """Off line nothing leads from the key in genesis to the one in force."""
    assert "no pinned key" in refusal(NODE.receipt(3), policy(VKEY))
    assert "no pinned key" in refusal(NODE.balance_receipt(BOB), policy(VKEY))


def test_the_key_of_after_does_not_vouch_for_what_came_before() -> None:
    assert "no pinned key" in refusal(receipt_at(2, 16), NEW_PIN)


def test_a_trust_file_of_another_ledger() -> None:
    other = make_vkey("other.example/huzhu", ED25519, NODE_KEY.public)
    for trusted in (policy(other), Policy((), (), (), "none")):
        assert "pins no key of village.example/huzhu" in refusal(NODE.receipt(3), trusted)


def test_a_stranger_under_the_right_name() -> None:
    receipt = parse_entry_receipt(NODE.receipt(3))
    text = parse_note(receipt.checkpoint).text
    forged = format_note(Note(text, (sign_note_ed25519(text, ORIGIN, STRANGER),)))
    assert "no pinned key" in refusal(format_entry_receipt(dataclasses.replace(receipt, checkpoint=forged)))


def test_an_ml_dsa_key_alone_is_not_enough() -> None:
    """The seal behind a balance is signed by the Ed25519 key: that is the one to pin."""
    raw = receipt_at(1, 2)
    assert check_receipt(raw, policy(VKEY, MLDSA_VKEY)).index == 1
    assert "pins no key" in refusal(raw, policy(MLDSA_VKEY))


@pytest.mark.parametrize(
    ("names", "is_met"),
    [
        ((MEMBER1.id, MEMBER2.id, "/w1"), True),
        ((MEMBER1.id, MEMBER2.id), False),
        ((MEMBER1.id, "/w1"), False),
        (("/w1",), False),
        ((), False),
    ],
)
def test_the_quorum(names: tuple[str, ...], is_met: bool) -> None:
    receipt = parse_entry_receipt(NODE.receipt(3))
    note = parse_note(receipt.checkpoint)
    lines = tuple(line for line in note.signatures if line.name == ORIGIN or line.name.endswith(names))
    raw = format_entry_receipt(dataclasses.replace(receipt, checkpoint=format_note(Note(note.text, lines))))
    assert check_receipt(raw, NEW_PIN).index == 3
    if is_met:
        assert check_receipt(raw, FULL).index == 3
    else:
        assert "lacks the quorum 'all'" in refusal(raw, FULL)


def test_a_failing_line_of_anyone_trusted_is_refused_though_the_quorum_is_met() -> None:
    """Somebody has tampered with it: better ask for another."""
    third = policy(NEW_VKEY, witnesses=FULL.witnesses, groups=[Group("any", 1, ("m1", "w"))], quorum="any")
    receipt = parse_entry_receipt(NODE.receipt(3))
    note = parse_note(receipt.checkpoint)
    line = next(line for line in note.signatures if line.name.endswith("/w1"))
    bad = format_note(add_signatures(note, NoteSignature(line.name, line.hash, line.signature[:-1] + b"!")))
    raw = format_entry_receipt(dataclasses.replace(receipt, checkpoint=bad))
    assert check_receipt(NODE.receipt(3), third).index == 3
    assert "the signature by witness.example/w1 on the checkpoint does not verify" in refusal(raw, third)
    assert check_receipt(raw, NEW_PIN).index == 3, "whom nobody trusts says nothing"


def test_a_failing_ml_dsa_line_of_the_pinned_node_is_refused() -> None:
    receipt = parse_entry_receipt(receipt_at(1, 2))
    note = parse_note(receipt.checkpoint)
    line = mldsa_line(open_checkpoint(receipt.checkpoint)[0])
    bad = format_note(add_signatures(note, NoteSignature(line.name, line.hash, line.signature[:-1] + b"!")))
    raw = format_entry_receipt(dataclasses.replace(receipt, checkpoint=bad))
    assert "does not verify" in refusal(raw, policy(VKEY, MLDSA_VKEY))


# Mangled


def proves(raw: bytes, trusted: Policy) -> Proven | None:
    try:
        return check_receipt(raw, trusted)
    except ReceiptError:
        return None


def matters(good: bytes, bad: bytes, trusted: Policy) -> bool:
    """Whether anything differs between two receipts but lines of a checkpoint that nobody asked for.

    A line that the trust file knows, by name and key hash, may be missing where the quorum is met without it; it may
    not fail. All else must be byte for byte the same.
    """
    try:
        (head, note), (new_head, new_note) = parts_of(good), parts_of(bad)
    except ChainError:
        return True
    asked = {(vkey.name, vkey.hash) for vkey in (*trusted.logs, *(vkey for _, vkey in trusted.witnesses))}
    lines = [{line for line in each.signatures if (line.name, line.hash) in asked} for each in (note, new_note)]
    return (head, note.text, lines[0]) != (new_head, new_note.text, lines[1])


def parts_of(raw: bytes) -> tuple[tuple[object, ...], Note]:
    """A receipt in its parts, and the checkpoint's note."""
    if raw.startswith(b"huzhu/balance@"):
        balance = parse_balance_receipt(raw)
        seal = balance.seal
        head: tuple[object, ...] = (balance.leaf, balance.index, balance.accounts, balance.genesis, balance.path)
    else:
        head, seal = (), parse_entry_receipt(raw)
    return (*head, seal.extra, seal.index, seal.path), parse_note(seal.checkpoint)


SAMPLES = [NODE.receipt(3), NODE.receipt(SEALED - 1), NODE.balance_receipt(ALICE)]
MANGLES: list[Callable[[bytes], object]] = [
    functools.partial(flipped, bits=(0,)),
    functools.partial(flipped, bits=(5,)),
    without_a_line,
    with_a_line_twice,
    with_a_number_moved,
    cut_off,
]


@pytest.mark.parametrize("trusted", [NEW_PIN, FULL], ids=["pinned", "quorum"])
@pytest.mark.parametrize("mangle", MANGLES, ids=["flip-0", "flip-5", "dropped", "doubled", "moved", "cut-off"])
@pytest.mark.parametrize("good", SAMPLES, ids=["entry", "seal", "balance"])
def test_a_mangled_receipt_proves_nothing_or_exactly_the_same(
    good: bytes, mangle: Callable[[bytes], list[bytes]], trusted: Policy
) -> None:
    original = check_receipt(good, trusted)
    for bad in mangle(good):
        if bad == good:
            continue
        proven = proves(bad, trusted)
        if matters(good, bad, trusted):
            assert proven is None, bad
        else:
            assert proven == original, bad


def test_lines_of_a_receipt_exchanged() -> None:
    for good in SAMPLES:
        lines = good.splitlines(keepends=True)
        for first in range(len(lines) - 1):
            bad = b"".join([*lines[:first], lines[first + 1], lines[first], *lines[first + 2 :]])
            if bad != good and matters(good, bad, FULL):
                assert proves(bad, FULL) is None, bad


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"huzhu/balance@v1\n\n", bytes(9), bytes(ENTRY_RECEIPT_MAX_BYTES + 1)])
def test_something_else_is_no_receipt(raw: bytes) -> None:
    refusal(raw)
    refusal(LEDGER.checkpoints[-1][1])
    refusal(NODE.promise(3))


# Put together from good parts


BALANCE = parse_balance_receipt(NODE.balance_receipt(ALICE))
OF_BOB = parse_balance_receipt(NODE.balance_receipt(BOB))


def changed(**parts: object) -> bytes:
    receipt: BalanceReceipt = dataclasses.replace(BALANCE, **parts)  # type: ignore[arg-type]
    return format_balance_receipt(receipt)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"leaf": OF_BOB.leaf}, "does not lead to the root"),
        ({"leaf": BALANCE.leaf.replace(b'"held":0', b'"held":1')}, "does not lead to the root"),
        ({"leaf": OF_BOB.leaf, "path": OF_BOB.path}, "does not lead to the root"),
        ({"leaf": OF_BOB.leaf, "index": OF_BOB.index}, "does not lead to the root"),
        ({"index": BALANCE.index + 1}, "does not lead to the root"),
        ({"accounts": BALANCE.accounts + 1}, "speaks of 11 accounts, its seal of 10"),
        ({"genesis": HASH}, "the seal's own signature"),
        ({"path": BALANCE.path[1:]}, "proof of leaf"),
        ({"path": (*BALANCE.path, HASH)}, "proof of leaf"),
        ({"seal": parse_entry_receipt(NODE.receipt(3))}, "is no seal"),
        ({"seal": parse_entry_receipt(NODE.receipt(LEDGER.at("seal", 4))), "accounts": 9}, "does not lead to the root"),
    ],
)
def test_a_balance_receipt_of_parts_that_do_not_belong_together(parts: dict[str, object], says: str) -> None:
    assert says in refusal(changed(**parts))


def test_a_seal_of_before_the_rotation_under_a_checkpoint_of_after() -> None:
    """The seal may be by an older key than the checkpoint, where both are pinned: then the leaf alone is wrong here."""
    receipt = changed(seal=parse_entry_receipt(NODE.receipt(LEDGER.at("seal", 3))), accounts=9)
    assert "the seal is not the node's own" in refusal(receipt, policy(NEW_VKEY))
    assert "does not lead to the root" in refusal(receipt, policy(VKEY, NEW_VKEY))


def balance_receipt_of(forge: Forge, seal_index: int, position: int = 0) -> bytes:
    """A balance receipt by hand: of the state of now, under the forge's last checkpoint."""
    sealed = forge.replay.books.sealed_leaf(position)
    assert sealed is not None
    leaf, path = sealed
    size, note = forge.checkpoints[-1]
    proof = tuple(prove_inclusion(seal_index, size, node_reader(forge.entries[:size])))
    return format_balance_receipt(
        BalanceReceipt(
            leaf=leaf,
            index=position,
            accounts=len(forge.state.accounts),
            genesis=leaf_hash(forge.entries[0]),
            path=tuple(path),
            seal=EntryReceipt(forge.entries[seal_index], seal_index, proof, note),
        )
    )


def after_people() -> Forge:
    return Forge(LEDGER.entries[:16])


def test_a_good_seal_by_hand() -> None:
    forge = after_people()
    place = forge.seal()
    forge.checkpoint()
    proven = check_receipt(balance_receipt_of(forge, place), policy(VKEY))
    assert proven.balance is not None and proven.balance.account == "issue" and proven.balance.balance == -6_600


def test_a_seal_by_a_clerk_proves_no_balance() -> None:
    forge = after_people()
    (raw,) = forge.sign(CLERK, [], forge.seal_body(forge.now))
    place = forge.add(raw, void=True)
    forge.checkpoint()
    assert "not the node's own" in refusal(balance_receipt_of(forge, place), policy(VKEY))


def test_a_seal_with_somebody_beside_proves_no_balance() -> None:
    forge = after_people()
    (raw,) = forge.sign(NODE_KEY, [MEMBER1], forge.seal_body(forge.now))
    place = forge.add(raw)
    forge.checkpoint()
    assert "not the node's own" in refusal(balance_receipt_of(forge, place), policy(VKEY))


def test_a_seal_on_a_sheet_proves_no_balance() -> None:
    forge = after_people()
    body = forge.seal_body(forge.now)
    raw, _ = forge.sign(NODE_KEY, [], body, body)
    place = forge.add(raw)
    forge.checkpoint()
    assert "not the node's own" in refusal(balance_receipt_of(forge, place), policy(VKEY))


def test_a_seal_at_another_place_proves_no_balance() -> None:
    """The node's own seal, put on the log a second time where its size is not its index."""
    forge = after_people()
    place = forge.seal()
    again = forge.add(forge.entries[place], void=True)
    forge.checkpoint()
    assert f"says it is entry {place}, and stands at {again}" in refusal(
        balance_receipt_of(forge, again), policy(VKEY)
    )
    assert check_receipt(balance_receipt_of(forge, place), policy(VKEY)).index == place


def test_a_seal_whose_signature_is_another_s_proves_no_balance() -> None:
    """The checkpoint vouches for the bytes; the seal has to be signed for itself."""
    forge = after_people()
    (raw,) = forge.sign(NODE_KEY, [], forge.seal_body(forge.now))
    (other,) = forge.sign(NODE_KEY, [], Donate(giver=BOB, minutes=1))
    mixed = raw[: raw.index(b'"sigs"')] + other[other.index(b'"sigs"') :]
    place = forge.add(mixed, void=True)
    forge.checkpoint()
    assert "the seal's own signature does not verify" in refusal(balance_receipt_of(forge, place), policy(VKEY))


def test_an_entry_that_is_none_is_proven_by_nobody() -> None:
    forge = after_people()
    place = forge.add(b"anything", void=True)
    forge.seal()
    forge.checkpoint(witness=WITNESS, at=forge.now + datetime.timedelta(minutes=1))
    size, note = forge.checkpoints[-1]
    proof = tuple(prove_inclusion(place, size, node_reader(forge.entries[:size])))
    assert "JSON" in refusal(format_entry_receipt(EntryReceipt(b"anything", place, proof, note)), policy(VKEY))
