"""Receipts and promises."""

import base64
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.checkpoint import Checkpoint, sign_checkpoint
from chain.cosignature import verify_any
from chain.errors import ChainError, NoteError, ProofError
from chain.limits import ENTRY_MAX_BYTES, LOG_MAX_ENTRIES, PROOF_MAX_HASHES
from chain.merkle import StateTree, leaf_hash, prove_inclusion, root_of
from chain.note import ED25519, format_note, make_vkey, parse_note, verify_signature
from chain.receipt import (
    BALANCE_LEAF_MAX_BYTES,
    BALANCE_RECEIPT_MAX_BYTES,
    ENTRY_RECEIPT_MAX_BYTES,
    BalanceReceipt,
    EntryReceipt,
    Promise,
    Promiser,
    check_balance_leaf,
    check_entry_receipt,
    format_balance_receipt,
    format_entry_receipt,
    format_promise_text,
    open_promise,
    parse_balance_receipt,
    parse_entry_receipt,
    parse_promise_text,
    sign_promise,
)
from tests.chain.helpers import (
    NODE_KEY,
    ORIGIN,
    OTHER_KEY,
    cut_off,
    flipped,
    mangled,
    node_reader,
    some_entries,
    with_a_line_twice,
)

ENTRIES = some_entries(11)
READ = node_reader(ENTRIES)
CHECKPOINT = Checkpoint(ORIGIN, len(ENTRIES), root_of([leaf_hash(entry) for entry in ENTRIES]))
SIGNED = format_note(sign_checkpoint(CHECKPOINT, NODE_KEY))
VKEY = make_vkey(ORIGIN, ED25519, NODE_KEY.public)

LEAVES = [b'{"account":"%08d","balance":0,"held":0,"status":"open","unit":"minute"}' % number for number in range(5)]
STATE_TREE = StateTree([leaf_hash(leaf) for leaf in LEAVES])
PROMISE = Promise(ORIGIN, bytes(range(32)), 7, leaf_hash(ENTRIES[7]))
HASH = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

hashes = st.binary(min_size=32, max_size=32)
paths = st.lists(hashes, max_size=PROOF_MAX_HASHES).map(tuple)
entry_receipts = st.builds(
    EntryReceipt, st.binary(min_size=1, max_size=100), st.integers(0, LOG_MAX_ENTRIES - 1), paths, st.just(SIGNED)
)


def receipt_of(index: int) -> EntryReceipt:
    path = tuple(prove_inclusion(index, len(ENTRIES), READ))
    return EntryReceipt(ENTRIES[index], index, path, SIGNED)


GENESIS = leaf_hash(b"entry 0")


def balance_of(position: int) -> BalanceReceipt:
    return BalanceReceipt(
        LEAVES[position], position, len(LEAVES), GENESIS, tuple(STATE_TREE.path(position)), receipt_of(10)
    )


def proves(raw: bytes) -> bool:
    """Whether ``raw`` is an entry receipt whose proof holds under the node's signature."""
    try:
        receipt = parse_entry_receipt(raw)
        check_entry_receipt(receipt)
        note = parse_note(receipt.checkpoint)
    except ChainError:
        return False
    return any(verify_any(VKEY, note, signature) for signature in note.signatures)


def proves_balance(raw: bytes) -> bool:
    """Whether ``raw`` is a balance receipt that holds under the state root and the node's signature."""
    try:
        receipt = parse_balance_receipt(raw)
        check_balance_leaf(receipt, len(LEAVES), STATE_TREE.root())
        if receipt.genesis != GENESIS:
            return False  # the seal's own signature, which verify.receipts checks, is over it
        return proves(format_entry_receipt(receipt.seal))
    except ChainError:
        return False


# Entry receipts


@pytest.mark.parametrize("index", range(len(ENTRIES)))
def test_an_entry_receipt_proves_its_entry(index: int) -> None:
    raw = format_entry_receipt(receipt_of(index))
    receipt = parse_entry_receipt(raw)
    assert receipt == receipt_of(index)
    assert check_entry_receipt(receipt) == CHECKPOINT
    assert proves(raw)


def test_an_entry_receipt_is_a_text_of_these_lines() -> None:
    head, gap, checkpoint = format_entry_receipt(receipt_of(0)).partition(b"\n\n")
    first, extra, index, *path = head.decode().split("\n")
    assert (first, extra, index, gap) == ("c2sp.org/tlog-proof@v1", "extra ZW50cnkgMA==", "index 0", b"\n\n")
    assert all(re.fullmatch(r"[A-Za-z0-9+/]{43}=", line) for line in path)
    assert checkpoint == SIGNED


def test_no_mangled_entry_receipt_proves() -> None:
    raw = format_entry_receipt(receipt_of(5))
    assert not any(proves(bad) for bad in mangled(raw))
    assert not any(proves(bad) for bad in _lines_twice_before_the_signature(raw))


def test_an_entry_under_another_index_or_of_other_bytes_is_not_proven() -> None:
    good = receipt_of(5)
    for bad in (
        EntryReceipt(good.extra, 4, good.path, SIGNED),
        EntryReceipt(good.extra, len(ENTRIES), good.path, SIGNED),
        EntryReceipt(ENTRIES[4], 5, good.path, SIGNED),
        EntryReceipt(good.extra, 5, good.path[:-1], SIGNED),
        EntryReceipt(good.extra, 5, (*good.path, bytes(32)), SIGNED),
        EntryReceipt(good.extra, 5, good.path[::-1], SIGNED),
    ):
        with pytest.raises(ProofError):
            check_entry_receipt(bad)


@given(entry_receipts)
def test_every_entry_receipt_comes_back(receipt: EntryReceipt) -> None:
    assert parse_entry_receipt(format_entry_receipt(receipt)) == receipt


HEAD = "c2sp.org/tlog-proof@v1\nextra YWJj\nindex 7\n"
BAD_HEADS = {
    "empty": ("", "does not begin with"),
    "other-version": (HEAD.replace("v1", "v2"), "does not begin with"),
    "no-extra": ("c2sp.org/tlog-proof@v1\nindex 7\n", "does not begin with"),
    "no-extra-but-a-hash": (f"c2sp.org/tlog-proof@v1\nindex 7\n{HASH}\n", "`extra …` is due"),
    "extra-empty": (HEAD.replace("YWJj", ""), "holds 0 bytes"),
    "extra-loose-bits": (HEAD.replace("YWJj", "YWJ="), "one spelling"),
    "extra-not-base64": (HEAD.replace("YWJj", "YW J"), "not base64"),
    "extra-too-long": (HEAD.replace("YWJj", "AAAA" * 21_846), "more than 65535 bytes"),
    "extra-after-index": ("c2sp.org/tlog-proof@v1\nindex 7\nextra YWJj\n", "`extra …` is due"),
    "two-spaces": (HEAD.replace("index 7", "index  7"), "decimal"),
    "leading-zero": (HEAD.replace("index 7", "index 07"), "decimal"),
    "minus": (HEAD.replace("index 7", "index -7"), "decimal"),
    "index-over": (HEAD.replace("index 7", f"index {2**53 - 1}"), "is more than"),
    "short-hash": (f"{HEAD}{HASH[4:]}\n", "holds 29 bytes"),
    "long-hash": (f"{HEAD}AAAA{HASH}\n", "more than 32 bytes"),
    "hash-without-padding": (f"{HEAD}{HASH[:-1]}\n", "not base64"),
    "hash-and-space": (f"{HEAD}{HASH} \n", "more than 32 bytes|not base64"),
    "64-hashes": (HEAD + f"{HASH}\n" * 64, "at most 63 hashes"),
    "very-many-hashes": (HEAD + f"{HASH}\n" * 1_000, "at most 63 hashes|ASCII"),
    "carriage-returns": (HEAD.replace("\n", "\r\n"), "does not begin with"),
    "not-ascii": (HEAD.replace("7", "７"), "ASCII"),
}


@pytest.mark.parametrize(("head", "why"), BAD_HEADS.values(), ids=BAD_HEADS)
def test_bad_entry_receipts_are_refused_with_the_reason(head: str, why: str) -> None:
    with pytest.raises(NoteError, match=why):
        parse_entry_receipt(head.encode() + b"\n" + SIGNED)


def test_a_receipt_without_a_whole_checkpoint_is_refused() -> None:
    for rest in (b"", b"\n", b"\nno note\n", b"\n" + SIGNED[:-1], b"\n\n" + SIGNED, SIGNED):
        with pytest.raises(NoteError):
            parse_entry_receipt(HEAD.encode() + rest)


@pytest.mark.parametrize(
    "receipt",
    [
        EntryReceipt(b"", 7, (), SIGNED),
        EntryReceipt(bytes(ENTRY_MAX_BYTES + 1), 7, (), SIGNED),
        EntryReceipt(b"abc", -1, (), SIGNED),
        EntryReceipt(b"abc", 7, (bytes(31),), SIGNED),
        EntryReceipt(b"abc", 7, (bytes(32),) * 64, SIGNED),
        EntryReceipt(b"abc", 7, (), b"no checkpoint"),
    ],
)
def test_an_entry_receipt_that_would_not_parse_is_not_written(receipt: EntryReceipt) -> None:
    with pytest.raises(NoteError):
        format_entry_receipt(receipt)


def test_the_largest_entry_receipt_comes_back_and_a_larger_one_is_refused_unread() -> None:
    largest = EntryReceipt(bytes(ENTRY_MAX_BYTES), LOG_MAX_ENTRIES - 1, (bytes(32),) * PROOF_MAX_HASHES, SIGNED)
    assert parse_entry_receipt(format_entry_receipt(largest)) == largest
    with pytest.raises(NoteError, match="a receipt has at most"):
        parse_entry_receipt(bytes(ENTRY_RECEIPT_MAX_BYTES + 1))


# Balance receipts


@pytest.mark.parametrize("position", range(len(LEAVES)))
def test_a_balance_receipt_proves_its_leaf(position: int) -> None:
    raw = format_balance_receipt(balance_of(position))
    assert parse_balance_receipt(raw) == balance_of(position)
    assert proves_balance(raw)


def test_a_balance_receipt_is_a_text_of_these_lines() -> None:
    head, _, seal = format_balance_receipt(balance_of(4)).partition(b"\n\n")
    first, leaf, *rest = head.decode().split("\n")
    assert first == "huzhu/balance@v1"
    assert leaf.startswith("leaf eyJhY2NvdW50Ij")
    assert rest[:2] == ["index 4", "accounts 5"]
    assert rest[2].startswith("genesis ")
    assert len(rest) == 3 + 1  # the fifth of five leaves has one sibling
    assert seal == format_entry_receipt(receipt_of(10))


def test_no_mangled_balance_receipt_proves() -> None:
    raw = format_balance_receipt(balance_of(2))
    assert not any(proves_balance(bad) for bad in mangled(raw))
    assert not any(proves_balance(bad) for bad in _lines_twice_before_the_signature(raw))


def test_a_balance_under_another_root_is_not_proven() -> None:
    with pytest.raises(ProofError):
        check_balance_leaf(balance_of(2), len(LEAVES), bytes(32))


def test_a_balance_among_another_number_of_accounts_is_not_proven() -> None:
    """The same path leads to the same root in a tree of six: only the seal tells that there were five."""
    good = balance_of(2)
    six = BalanceReceipt(good.leaf, good.index, 6, good.genesis, good.path, good.seal)
    with pytest.raises(ProofError, match="speaks of 6 accounts, its seal of 5"):
        check_balance_leaf(six, len(LEAVES), STATE_TREE.root())
    check_balance_leaf(six, 6, STATE_TREE.root())


@given(
    st.builds(
        BalanceReceipt,
        st.binary(min_size=1, max_size=200),
        st.integers(0, LOG_MAX_ENTRIES - 1),
        st.integers(0, LOG_MAX_ENTRIES),
        st.binary(min_size=32, max_size=32),
        paths,
        entry_receipts,
    )
)
def test_every_balance_receipt_comes_back(receipt: BalanceReceipt) -> None:
    assert parse_balance_receipt(format_balance_receipt(receipt)) == receipt


BALANCE_HEAD = f"huzhu/balance@v1\nleaf YWJj\nindex 7\naccounts 9\ngenesis {HASH}\n"
BAD_BALANCE_HEADS = {
    "entry-receipt": ("", "does not begin with the lines huzhu/balance@v1, leaf, index, accounts, genesis"),
    "no-accounts": (BALANCE_HEAD.replace("accounts 9\n", ""), "does not begin with"),
    "no-genesis": (BALANCE_HEAD.replace("genesis ", ""), "`genesis …` is due"),
    "no-accounts-but-a-hash": (BALANCE_HEAD.replace("accounts 9", HASH), "`accounts …` is due"),
    "other-order": (f"huzhu/balance@v1\nindex 7\nleaf YWJj\naccounts 9\ngenesis {HASH}\n", "`leaf …` is due"),
    "leaf-too-long": (BALANCE_HEAD.replace("YWJj", "AAAA" * 400), "more than 1024 bytes"),
    "leading-zero": (BALANCE_HEAD.replace("accounts 9", "accounts 09"), "decimal"),
    "64-hashes": (BALANCE_HEAD + f"{HASH}\n" * 64, "at most 63 hashes"),
}


@pytest.mark.parametrize(("head", "why"), BAD_BALANCE_HEADS.values(), ids=BAD_BALANCE_HEADS)
def test_bad_balance_receipts_are_refused_with_the_reason(head: str, why: str) -> None:
    gap = b"\n" if head else b""
    with pytest.raises(NoteError, match=why):
        parse_balance_receipt(head.encode() + gap + format_entry_receipt(receipt_of(10)))


def test_balance_receipts_are_bounded() -> None:
    seal = receipt_of(10)
    with pytest.raises(NoteError):
        format_balance_receipt(BalanceReceipt(bytes(BALANCE_LEAF_MAX_BYTES + 1), 0, 1, GENESIS, (), seal))
    with pytest.raises(NoteError):
        format_balance_receipt(BalanceReceipt(b"leaf", 0, 1, GENESIS, (bytes(32),) * 64, seal))
    with pytest.raises(NoteError, match="a receipt has at most"):
        parse_balance_receipt(bytes(BALANCE_RECEIPT_MAX_BYTES + 1))


# Promises


def test_the_text_of_a_promise() -> None:
    hashed = base64.b64encode(leaf_hash(ENTRIES[7])).decode()
    assert format_promise_text(PROMISE) == f"huzhu/accepted/v1\nvillage.example/huzhu\n{HASH}\n7\n{hashed}\n"
    assert parse_promise_text(format_promise_text(PROMISE)) == PROMISE


def test_a_signed_promise_opens_and_verifies() -> None:
    raw = format_note(sign_promise(PROMISE, NODE_KEY))
    promise, note = open_promise(raw)
    assert promise == PROMISE
    assert [verify_signature(VKEY, note.text, signature) for signature in note.signatures] == [True]
    assert not verify_signature(make_vkey(ORIGIN, ED25519, OTHER_KEY.public), note.text, note.signatures[0])


@given(st.integers(0, LOG_MAX_ENTRIES - 1), hashes)
def test_a_promiser_signs_the_same(index: int, hashed: bytes) -> None:
    promise = Promise(ORIGIN, PROMISE.genesis, index, hashed)
    assert Promiser(ORIGIN, PROMISE.genesis, NODE_KEY)(index, hashed) == format_note(sign_promise(promise, NODE_KEY))


def test_no_mangled_promise_verifies() -> None:
    raw = format_note(sign_promise(PROMISE, NODE_KEY))
    for bad in [*flipped(raw, range(8)), *mangled(raw), *with_a_line_twice(raw.partition(b"\n\n")[0])]:
        try:
            _, note = open_promise(bad)
        except NoteError:
            continue
        assert not any(verify_signature(VKEY, note.text, signature) for signature in note.signatures)


@given(hashes, st.integers(0, LOG_MAX_ENTRIES - 1), hashes)
def test_every_promise_comes_back(genesis: bytes, index: int, hashed: bytes) -> None:
    promise = Promise(ORIGIN, genesis, index, hashed)
    assert parse_promise_text(format_promise_text(promise)) == promise


PROMISE_TEXT = f"huzhu/accepted/v1\n{ORIGIN}\n{HASH}\n7\n{HASH}\n"
BAD_PROMISES = {
    "empty": ("", "a promise has the line"),
    "other-version": (PROMISE_TEXT.replace("v1", "v2"), "a promise has the line"),
    "a-line-more": (f"{PROMISE_TEXT}more\n", "a promise has the line"),
    "no-last-newline": (PROMISE_TEXT[:-1], "a promise has the line"),
    "bad-origin": (PROMISE_TEXT.replace(ORIGIN, "village"), "not an origin"),
    "leading-zero": (PROMISE_TEXT.replace("\n7\n", "\n07\n"), "decimal"),
    "index-over": (PROMISE_TEXT.replace("\n7\n", f"\n{2**53 - 1}\n"), "is more than"),
    "short-hash": (PROMISE_TEXT.replace(HASH, HASH[4:]), "holds 29 bytes"),
    "far-too-long": (PROMISE_TEXT + "x" * 10_000, "longer than"),
}


@pytest.mark.parametrize(("text", "why"), BAD_PROMISES.values(), ids=BAD_PROMISES)
def test_bad_promises_are_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(NoteError, match=why):
        parse_promise_text(text)


def test_every_beginning_of_a_promises_text_is_refused() -> None:
    for part in cut_off(PROMISE_TEXT.encode()):
        with pytest.raises(NoteError):
            parse_promise_text(part.decode())


def test_a_promise_that_would_not_parse_is_not_signed() -> None:
    for bad in (
        Promise("village", bytes(32), 7, bytes(32)),
        Promise(ORIGIN, bytes(31), 7, bytes(32)),
        Promise(ORIGIN, bytes(32), -1, bytes(32)),
        Promise(ORIGIN, bytes(32), 7, b""),
    ):
        with pytest.raises(NoteError):
            sign_promise(bad, NODE_KEY)


def _lines_twice_before_the_signature(raw: bytes) -> Iterator[bytes]:
    """A signature line may stand twice, as signed-note has it; no other line may."""
    head, dash, signature = raw.rpartition("— ".encode())
    for bad in with_a_line_twice(head):
        yield bad + dash + signature
