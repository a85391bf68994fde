"""Cosignatures of both types."""

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.checkpoint import Checkpoint, format_checkpoint_text, open_checkpoint, sign_checkpoint
from chain.cosignature import (
    TIMESTAMP_MAX,
    cosign_ed25519,
    cosign_mldsa44,
    member_name,
    verify_any,
    verify_cosignature,
)
from chain.errors import NoteError
from chain.limits import LOG_MAX_ENTRIES
from chain.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    ED25519,
    Note,
    NoteSignature,
    VerifierKey,
    format_note,
    key_hash,
    make_vkey,
    parse_note,
    sign_note_ed25519,
)
from tests.chain.helpers import MLDSA_KEY, NODE_KEY, ORIGIN, OTHER_KEY, cut_off, flipped, mangled

CHECKPOINT = Checkpoint(ORIGIN, 70_000, bytes(range(32)))
NAME = member_name(ORIGIN, OTHER_KEY.id)
TIME = 1_679_315_147

Cosign = Callable[[Checkpoint, str, int], NoteSignature]


def ed25519(checkpoint: Checkpoint, name: str, timestamp: int) -> NoteSignature:
    return cosign_ed25519(checkpoint, name, OTHER_KEY, timestamp)


def mldsa44(checkpoint: Checkpoint, name: str, timestamp: int) -> NoteSignature:
    return cosign_mldsa44(checkpoint, name, MLDSA_KEY, timestamp)


PUBLIC = {COSIGNATURE_ED25519: OTHER_KEY.public, COSIGNATURE_MLDSA44: MLDSA_KEY.public}
BOTH = pytest.mark.parametrize(
    ("cosign", "type"), [(ed25519, COSIGNATURE_ED25519), (mldsa44, COSIGNATURE_MLDSA44)], ids=["0x04", "0x06"]
)


def test_a_members_name() -> None:
    assert f"village.example/huzhu/member/{OTHER_KEY.id}" == NAME


@BOTH
def test_a_cosignature_states_its_time(cosign: Cosign, type: int) -> None:
    vkey = make_vkey(NAME, type, PUBLIC[type])
    for timestamp in (0, TIME, TIMESTAMP_MAX):
        assert verify_cosignature(vkey, CHECKPOINT, cosign(CHECKPOINT, NAME, timestamp)) == timestamp


@BOTH
def test_nothing_else_verifies(cosign: Cosign, type: int) -> None:
    signature = cosign(CHECKPOINT, NAME, TIME)
    vkey = make_vkey(NAME, type, PUBLIC[type])
    for other in (
        Checkpoint("other.example", CHECKPOINT.size, CHECKPOINT.root),
        Checkpoint(ORIGIN, CHECKPOINT.size + 1, CHECKPOINT.root),
        Checkpoint(ORIGIN, CHECKPOINT.size, bytes(32)),
    ):
        assert verify_cosignature(vkey, other, signature) is None
    assert verify_cosignature(make_vkey("other.example", type, PUBLIC[type]), CHECKPOINT, signature) is None
    for bad in [*flipped(signature.signature, [0]), *cut_off(signature.signature), signature.signature + b"\0"]:
        assert verify_cosignature(vkey, CHECKPOINT, NoteSignature(NAME, signature.hash, bad)) is None


@BOTH
def test_no_mangled_note_verifies(cosign: Cosign, type: int) -> None:
    vkey = make_vkey(NAME, type, PUBLIC[type])
    raw = format_note(Note(format_checkpoint_text(CHECKPOINT), (cosign(CHECKPOINT, NAME, TIME),)))
    assert _verifies(vkey, raw)
    assert not any(_verifies(vkey, bad) for bad in mangled(raw))


@given(st.integers(0, LOG_MAX_ENTRIES), st.binary(min_size=32, max_size=32), st.integers(0, TIMESTAMP_MAX))
def test_every_checkpoint_can_be_cosigned(size: int, root: bytes, timestamp: int) -> None:
    checkpoint = Checkpoint(ORIGIN, size, root)
    for cosign, type in ((ed25519, COSIGNATURE_ED25519), (mldsa44, COSIGNATURE_MLDSA44)):
        vkey = make_vkey(NAME, type, PUBLIC[type])
        assert verify_cosignature(vkey, checkpoint, cosign(checkpoint, NAME, timestamp)) == timestamp


def test_the_ed25519_message_is_the_published_one() -> None:
    message = f"cosignature/v1\ntime 1679315147\n{format_checkpoint_text(CHECKPOINT)}".encode()
    expected = struct.pack(">Q", TIME) + OTHER_KEY.sign(message)
    assert cosign_ed25519(CHECKPOINT, NAME, OTHER_KEY, TIME).signature == expected


def test_the_ml_dsa_message_is_the_published_structure() -> None:
    message = (
        bytes.fromhex("737562747265652f76310a00")
        + bytes([len(NAME)])
        + NAME.encode()
        + TIME.to_bytes(8, "big")
        + bytes([len(ORIGIN)])
        + ORIGIN.encode()
        + (0).to_bytes(8, "big")
        + (70_000).to_bytes(8, "big")
        + bytes(range(32))
    )
    vkey = make_vkey(NAME, COSIGNATURE_MLDSA44, MLDSA_KEY.public)
    by_hand = NoteSignature(NAME, vkey.hash, struct.pack(">Q", TIME) + MLDSA_KEY.sign(message))
    assert verify_cosignature(vkey, CHECKPOINT, by_hand) == TIME


def test_the_line_of_the_published_example_holds_the_time_it_says() -> None:
    raw = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa "
        "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
        "— witness.example.com/w1 "
        "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
    )
    checkpoint, note = open_checkpoint(raw.encode())
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert int.from_bytes(note.signatures[1].signature[:8], "big") == TIME
    assert len(note.signatures[1].signature) == 8 + 64


def test_a_time_after_2_to_63_is_refused_even_when_signed() -> None:
    late = TIMESTAMP_MAX + 1
    vkey = make_vkey(NAME, COSIGNATURE_ED25519, OTHER_KEY.public)
    message = f"cosignature/v1\ntime {late}\n{format_checkpoint_text(CHECKPOINT)}".encode()
    signature = NoteSignature(NAME, vkey.hash, struct.pack(">Q", late) + OTHER_KEY.sign(message))
    assert verify_cosignature(vkey, CHECKPOINT, signature) is None


@pytest.mark.parametrize("cosign", [ed25519, mldsa44])
@pytest.mark.parametrize("timestamp", [-1, TIMESTAMP_MAX + 1, 2**64])
def test_no_such_time_is_signed(cosign: Cosign, timestamp: int) -> None:
    with pytest.raises(NoteError, match="is not a cosignature's time"):
        cosign(CHECKPOINT, NAME, timestamp)


@pytest.mark.parametrize("cosign", [ed25519, mldsa44])
def test_a_bad_cosigner_name_is_refused(cosign: Cosign) -> None:
    for name in ("", "two words", "a+b", "x" * 256):
        with pytest.raises(NoteError, match="cannot be a key's name"):
            cosign(CHECKPOINT, name, TIME)


def test_types_are_not_taken_for_one_another() -> None:
    """Same name, same Ed25519 key, and the key hash of the type that is asked for: the message still differs."""
    note_key = make_vkey(NAME, ED25519, OTHER_KEY.public)
    cosigner = make_vkey(NAME, COSIGNATURE_ED25519, OTHER_KEY.public)
    assert note_key.hash != cosigner.hash
    text = format_checkpoint_text(CHECKPOINT)
    plain = sign_note_ed25519(text, NAME, OTHER_KEY)
    timed = cosign_ed25519(CHECKPOINT, NAME, OTHER_KEY, TIME)
    for vkey, right, wrong in ((note_key, plain, timed), (cosigner, timed, plain)):
        renamed = NoteSignature(NAME, vkey.hash, wrong.signature)
        note = Note(text, (right, wrong, renamed))
        assert [verify_any(vkey, note, signature) for signature in note.signatures] == [True, False, False]


def test_an_ml_dsa_cosignature_holds_for_its_cosigner_alone() -> None:
    signature = cosign_mldsa44(CHECKPOINT, NAME, MLDSA_KEY, TIME)
    other = make_vkey("witness.example", COSIGNATURE_MLDSA44, MLDSA_KEY.public)
    renamed = NoteSignature(other.name, other.hash, signature.signature)
    assert verify_cosignature(other, CHECKPOINT, renamed) is None


def test_the_node_cosigns_its_own_checkpoint_under_the_name_of_the_origin() -> None:
    note = sign_checkpoint(CHECKPOINT, NODE_KEY, cosign_mldsa44(CHECKPOINT, ORIGIN, MLDSA_KEY, TIME))
    keys = [make_vkey(ORIGIN, ED25519, NODE_KEY.public), make_vkey(ORIGIN, COSIGNATURE_MLDSA44, MLDSA_KEY.public)]
    again = parse_note(format_note(note))
    answers = [[verify_any(vkey, again, signature) for signature in again.signatures] for vkey in keys]
    assert answers == [[True, False], [False, True]]


def test_verify_any_says_no_to_a_cosignature_of_what_is_no_checkpoint() -> None:
    signature = cosign_ed25519(CHECKPOINT, NAME, OTHER_KEY, TIME)
    vkey = make_vkey(NAME, COSIGNATURE_ED25519, OTHER_KEY.public)
    assert verify_any(vkey, Note(format_checkpoint_text(CHECKPOINT), (signature,)), signature)
    assert not verify_any(vkey, Note("another text\n", (signature,)), signature)


def test_key_hashes_follow_name_type_and_key() -> None:
    hashes = {
        key_hash(name, type, public)
        for name in (NAME, ORIGIN)
        for type in (ED25519, COSIGNATURE_ED25519)
        for public in (NODE_KEY.public, OTHER_KEY.public)
    }
    assert len(hashes) == 8


def _verifies(vkey: VerifierKey, raw: bytes) -> bool:
    try:
        note = parse_note(raw)
    except NoteError:
        return False
    return any(verify_any(vkey, note, signature) for signature in note.signatures)
