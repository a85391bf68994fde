"""Fork files: what two signed checkpoints prove, and what they do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.checkpoint import Checkpoint, sign_checkpoint
from chain.cosignature import cosign_ed25519, cosign_mldsa44
from chain.errors import NoteError
from chain.fork import (
    BAD_PATH,
    CONSISTENT,
    FIRST_BYTES,
    FORK,
    FORK_MAX_BYTES,
    NO_PATH,
    NOT_SIGNED,
    OTHER_LEDGER,
    ROLLBACK,
    SAME,
    Fork,
    check_fork,
    format_fork,
    parse_fork,
)
from chain.merkle import prove_prefix, tree_root
from chain.note import COSIGNATURE_ED25519, COSIGNATURE_MLDSA44, ED25519, format_note, make_vkey
from tests.chain.helpers import (
    MLDSA_KEY,
    NODE_KEY,
    ORIGIN,
    OTHER_KEY,
    mangled,
    node_reader,
    some_entries,
    with_a_line_twice,
)

VKEY = make_vkey(ORIGIN, ED25519, NODE_KEY.public)
TRUE = some_entries(40)
FALSE = [*TRUE[:5], b"another", *TRUE[6:]]


def note(entries: list[bytes], size: int, origin: str = ORIGIN, key: object = NODE_KEY) -> bytes:
    assert key in (NODE_KEY, OTHER_KEY)
    checkpoint = Checkpoint(origin, size, tree_root(size, node_reader(entries)))
    return format_note(sign_checkpoint(checkpoint, NODE_KEY if key == NODE_KEY else OTHER_KEY))


def path(entries: list[bytes], size1: int, size2: int) -> tuple[bytes, ...]:
    return tuple(prove_prefix(size1, size2, node_reader(entries)))


CASES = {
    "one size, two roots": (Fork(note(TRUE, 9), note(FALSE, 9)), FORK),
    "one size, two roots, a path": (Fork(note(TRUE, 9), note(FALSE, 9), path(TRUE, 5, 9)), BAD_PATH),
    "one tree": (Fork(note(TRUE, 9), note(TRUE, 9)), SAME),
    "the later, larger tree begins otherwise": (Fork(note(TRUE, 9), note(FALSE, 20), path(FALSE, 9, 20)), FORK),
    "the same from a power of two": (Fork(note(TRUE, 8), note(FALSE, 20), path(FALSE, 8, 20)), FORK),
    "the earlier, larger tree begins otherwise": (Fork(note(FALSE, 20), note(TRUE, 9), path(FALSE, 9, 20)), FORK),
    "hashes of the other tree": (Fork(note(TRUE, 9), note(FALSE, 20), path(TRUE, 9, 20)), BAD_PATH),
    "a hash too few": (Fork(note(TRUE, 9), note(FALSE, 20), path(FALSE, 9, 20)[:-1]), BAD_PATH),
    "a hash too many": (Fork(note(TRUE, 9), note(FALSE, 20), (*path(FALSE, 9, 20), bytes(32))), BAD_PATH),
    "hashes for another size": (Fork(note(TRUE, 9), note(FALSE, 20), path(FALSE, 10, 20)), BAD_PATH),
    "nothing and a path": (Fork(note(TRUE, 0), note(FALSE, 20), path(FALSE, 9, 20)), BAD_PATH),
    "larger later, no path": (Fork(note(TRUE, 9), note(FALSE, 20)), NO_PATH),
    "smaller later, no path": (Fork(note(TRUE, 20), note(FALSE, 9)), ROLLBACK),
    "smaller later, and it is the beginning": (Fork(note(TRUE, 20), note(TRUE, 9), path(TRUE, 9, 20)), ROLLBACK),
    "larger later, and it goes on": (Fork(note(TRUE, 9), note(TRUE, 20), path(TRUE, 9, 20)), CONSISTENT),
    "forked after both": (Fork(note(TRUE, 4), note(FALSE, 20), path(FALSE, 4, 20)), CONSISTENT),
    "two ledgers": (Fork(note(TRUE, 9), note(FALSE, 9, "other.example/huzhu")), OTHER_LEDGER),
    "a stranger's first": (Fork(note(TRUE, 9, key=OTHER_KEY), note(FALSE, 9)), NOT_SIGNED),
    "a stranger's second": (Fork(note(TRUE, 9), note(FALSE, 9, key=OTHER_KEY)), NOT_SIGNED),
    "a stranger's path": (Fork(note(TRUE, 9), note(FALSE, 20, key=OTHER_KEY), path(FALSE, 9, 20)), NOT_SIGNED),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_proven(name: str) -> None:
    fork, outcome = CASES[name]
    found = check_fork(parse_fork(format_fork(fork)), [VKEY])
    assert (found.outcome, found.is_proven) == (outcome, outcome == FORK)


@given(st.integers(1, 39), st.integers(1, 40), st.integers(0, 39), st.booleans())
def test_a_fork_is_proven_exactly_where_the_trees_part(size1: int, size2: int, place: int, backwards: bool) -> None:
    if size1 >= size2:
        return
    parted = [*TRUE[:place], b"another", *TRUE[place + 1 :]]
    smaller, larger, hashes = note(TRUE, size1), note(parted, size2), path(parted, size1, size2)
    fork = Fork(larger, smaller, hashes) if backwards else Fork(smaller, larger, hashes)
    assert check_fork(fork, [VKEY]).is_proven == (place < size1)


def test_keys_of_a_log_count_and_no_others() -> None:
    trees = [Checkpoint(ORIGIN, 9, tree_root(9, node_reader(entries))) for entries in (TRUE, FALSE)]
    lines = [
        (cosign_mldsa44(tree, ORIGIN, MLDSA_KEY, 5), cosign_ed25519(tree, "witness.example", OTHER_KEY, 5))
        for tree in trees
    ]
    first, second = (
        format_note(sign_checkpoint(tree, key, *more))
        for tree, key, more in zip(trees, (NODE_KEY, OTHER_KEY), lines, strict=True)
    )
    fork = parse_fork(format_fork(Fork(first, second)))
    rotated = make_vkey(ORIGIN, ED25519, OTHER_KEY.public)
    mldsa = make_vkey(ORIGIN, COSIGNATURE_MLDSA44, MLDSA_KEY.public)
    witness = make_vkey("witness.example", COSIGNATURE_ED25519, OTHER_KEY.public)
    assert check_fork(fork, []).outcome == NOT_SIGNED
    assert check_fork(fork, [VKEY, witness]).outcome == NOT_SIGNED
    assert check_fork(fork, [mldsa]).outcome == FORK
    both = check_fork(fork, [VKEY, rotated])
    assert (both.outcome, both.earlier_keys, both.later_keys) == (FORK, (VKEY,), (rotated,))


@pytest.mark.parametrize("name", ["one size, two roots", "the later, larger tree begins otherwise"])
def test_a_mangled_file_proves_nothing(name: str) -> None:
    raw = format_fork(CASES[name][0])
    for changed in mangled(raw):
        try:
            fork = parse_fork(changed)
        except NoteError:
            continue
        assert not check_fork(fork, [VKEY]).is_proven


def test_no_spelling_but_one() -> None:
    raw = format_fork(CASES["the later, larger tree begins otherwise"][0])
    for changed in (*with_a_line_twice(raw), b"\n" + raw, raw + b"\n", raw.replace(b"\n", b"\r\n"), raw[:-1]):
        try:
            assert format_fork(parse_fork(changed)) == changed
        except NoteError:
            continue


@pytest.mark.parametrize(
    "raw",
    [b"", b"\n\n\n\n", FIRST_BYTES, b"\xff" * 100, FIRST_BYTES + b"A" * FORK_MAX_BYTES, b"\n\n" * 500_000,
     FIRST_BYTES + b"A" * 43 + b"=\n" * 64 + b"\n" + note(TRUE, 9) + b"\n" + note(FALSE, 9)],
)  # fmt: skip
def test_what_is_no_fork_file(raw: bytes) -> None:
    with pytest.raises(NoteError):
        parse_fork(raw)


def test_notes_that_are_none_are_not_written() -> None:
    with pytest.raises(NoteError):
        format_fork(Fork(note(TRUE, 9), b"x"))
