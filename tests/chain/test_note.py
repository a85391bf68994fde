"""Signed notes and verifier keys."""

import base64
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.errors import NoteError
from chain.keys import SigningKey
from chain.limits import CHECKPOINT_MAX_SIGNATURES
from chain.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    ED25519,
    NAME_MAX_BYTES,
    NOTE_MAX_BYTES,
    NOTE_SIGNATURE_MAX_BYTES,
    NOTE_TEXT_MAX_BYTES,
    Note,
    NoteSignature,
    VerifierKey,
    add_signatures,
    format_note,
    format_vkey,
    is_key_name,
    key_hash,
    make_vkey,
    parse_note,
    parse_vkey,
    sign_note_ed25519,
    verify_signature,
)
from tests.chain.helpers import MLDSA_KEY, NODE_KEY, OTHER_KEY, flipped, from_base64, mangled, published

NAME = "village.example/huzhu"
TEXT = "first line\n\nthird line 互助\n"
VKEY = make_vkey(NAME, ED25519, NODE_KEY.public)
SIGNATURE = sign_note_ed25519(TEXT, NAME, NODE_KEY)
NOTE = Note(TEXT, (SIGNATURE,))

lines_of_text = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"), max_size=200)
texts = lines_of_text.map(lambda text: text + "\n")
names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=60).filter(is_key_name)
signatures = st.builds(NoteSignature, names, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=100))


def verifies(vkey: VerifierKey, raw: bytes) -> bool:
    """Whether ``raw`` is a note with a valid signature by ``vkey``."""
    try:
        note = parse_note(raw)
    except NoteError:
        return False
    return any(verify_signature(vkey, note.text, signature) for signature in note.signatures)


@pytest.mark.parametrize("case", published("notes.json"), ids=lambda case: case["name"])
def test_every_published_note_verifies_and_comes_back_byte_for_byte(case: dict[str, Any]) -> None:
    raw = case["note"].encode()
    vkey = parse_vkey(case["vkey"])
    assert verifies(vkey, raw)
    assert format_note(parse_note(raw)) == raw
    assert format_vkey(vkey) == case["vkey"]


@pytest.mark.parametrize("case", published("notes.json"), ids=lambda case: case["name"])
def test_no_published_note_verifies_when_mangled(case: dict[str, Any]) -> None:
    vkey = parse_vkey(case["vkey"])
    assert not any(verifies(vkey, bad) for bad in mangled(case["note"].encode()))


def test_signing_gives_the_published_bytes() -> None:
    (case,) = [case for case in published("notes.json") if "skey_seed_base64_with_type" in case]
    key = SigningKey(from_base64(case["skey_seed_base64_with_type"])[1:])
    text = case["note"].partition("\n\n")[0] + "\n"
    signed = Note(text, (sign_note_ed25519(text, "PeterNeumann", key),))
    assert format_note(signed).decode() == case["note"]


@given(texts, st.lists(signatures, min_size=1, max_size=5))
def test_what_is_formatted_parses_to_itself(text: str, lines: list[NoteSignature]) -> None:
    note = Note(text, tuple(lines))
    assert parse_note(format_note(note)) == note


@given(st.binary(max_size=300) | st.text(alphabet="— aA+=/\n\r\t\x00互", max_size=60).map(str.encode))
def test_what_parses_formats_to_itself(raw: bytes) -> None:
    try:
        note = parse_note(raw)
    except NoteError:
        return
    assert format_note(note) == raw


def test_the_text_may_hold_empty_lines_and_ends_at_the_last() -> None:
    assert parse_note(format_note(NOTE)).text == TEXT


BAD_NOTES = {
    "empty": (b"", "no empty line"),
    "no-signature": (b"text\n\n", "cut off"),
    "no-text": ("\n— n AAAAAAA=\n".encode(), "no empty line"),
    "no-gap": ("text\n— n AAAAAAA=\n".encode(), "no empty line"),
    "no-last-newline": ("text\n\n— n AAAAAAA=".encode(), "cut off"),
    "empty-line-at-end": ("text\n\n— n AAAAAAA=\n\n".encode(), "cut off"),
    "text-of-carriage-returns": ("text\r\n\n— n AAAAAAA=\n".encode(), r"U\+000D"),
    "tab-in-text": ("te\txt\n\n— n AAAAAAA=\n".encode(), r"U\+0009"),
    "null-in-text": ("te\0xt\n\n— n AAAAAAA=\n".encode(), r"U\+0000"),
    "return-in-line": ("text\n\n— n AAAAAAA=\r\n".encode(), "base64"),
    "not-utf-8": ("text\n\n— n AAAAAAA=\n".encode().replace(b"text", b"te\xffxt"), "not UTF-8 at byte 2"),
    "hyphen-for-dash": (b"text\n\n- n AAAAAAA=\n", "not a signature line"),
    "no-name": ("text\n\n—  AAAAAAA=\n".encode(), "cannot be a key's name"),
    "plus-in-name": ("text\n\n— n+m AAAAAAA=\n".encode(), "cannot be a key's name"),
    "wide-space-in-name": ("text\n\n— n\u3000m AAAAAAA=\n".encode(), "cannot be a key's name"),
    "no-signature-bytes": ("text\n\n— n\n".encode(), "not a signature line"),
    "hash-alone": ("text\n\n— n AAAAAA==\n".encode(), "holds 4 bytes"),
    "no-padding": ("text\n\n— n AAAAAAA\n".encode(), "not base64"),
    "loose-bits": ("text\n\n— n AAAAAAB=\n".encode(), "one spelling"),
    "url-alphabet": ("text\n\n— n AAAA-_A=\n".encode(), "not base64"),
    "two-spaces": ("text\n\n— n  AAAAAAA=\n".encode(), "not base64"),
    "space-at-end": ("text\n\n— n AAAAAAA= \n".encode(), "not base64"),
}


@pytest.mark.parametrize(("raw", "why"), BAD_NOTES.values(), ids=BAD_NOTES)
def test_bad_notes_are_refused_with_the_reason(raw: bytes, why: str) -> None:
    with pytest.raises(NoteError, match=why):
        parse_note(raw)


def test_at_most_64_signatures() -> None:
    lines = tuple(NoteSignature(f"n{number}", b"hash", b"s") for number in range(CHECKPOINT_MAX_SIGNATURES))
    full = Note(TEXT, lines)
    assert parse_note(format_note(full)) == full
    one_more = format_note(full) + "— n64 AAAAAAA=\n".encode()
    with pytest.raises(NoteError, match="65 signatures"):
        parse_note(one_more)
    with pytest.raises(NoteError, match="1 to 64"):
        format_note(Note(TEXT, (*lines, SIGNATURE)))
    with pytest.raises(NoteError, match="at most 64"):
        add_signatures(full, SIGNATURE)
    with pytest.raises(NoteError, match="1 to 64"):
        format_note(Note(TEXT, ()))


def test_lengths_are_bounded() -> None:
    signature = NoteSignature("n", b"hash", bytes(NOTE_SIGNATURE_MAX_BYTES))
    longest = Note("x" * (NOTE_TEXT_MAX_BYTES - 1) + "\n", (signature,))
    assert parse_note(format_note(longest)) == longest
    with pytest.raises(NoteError, match="text is longer than 65536 bytes"):
        parse_note(b"x" + format_note(longest))
    with pytest.raises(NoteError, match="text is longer than 3 bytes"):
        parse_note(format_note(NOTE), text_max_bytes=3)
    with pytest.raises(NoteError, match="too long"):
        parse_note(bytes(NOTE_MAX_BYTES + 1))
    with pytest.raises(NoteError, match="more than 5124 bytes"):
        format_note(Note(TEXT, (NoteSignature("n", b"hash", bytes(NOTE_SIGNATURE_MAX_BYTES + 1)),)))


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("village.example/huzhu", True),
        ("互助", True),
        ("x" * NAME_MAX_BYTES, True),
        ("x" * (NAME_MAX_BYTES + 1), False),
        ("互" * (NAME_MAX_BYTES // 3 + 1), False),
        ("", False),
        ("a b", False),
        ("a\u00a0b", False),
        ("a\u2028b", False),
        ("a\x85b", False),
        ("a+b", False),
        ("a\nb", False),
        ("a\x00b", False),
        ("a\ud800b", False),
    ],
)
def test_key_names(name: str, good: bool) -> None:
    assert is_key_name(name) is good


def test_a_name_or_hash_of_another_key_is_no_signature_of_this_one() -> None:
    assert verify_signature(VKEY, TEXT, SIGNATURE)
    assert not verify_signature(VKEY, TEXT, NoteSignature("other.example", SIGNATURE.hash, SIGNATURE.signature))
    assert not verify_signature(VKEY, TEXT, NoteSignature(NAME, b"\0\0\0\0", SIGNATURE.signature))
    assert not verify_signature(make_vkey(NAME, ED25519, OTHER_KEY.public), TEXT, SIGNATURE)
    assert not verify_signature(VKEY, TEXT + "\n", SIGNATURE)


def test_a_cosigner_key_makes_no_plain_signature_even_under_its_own_hash() -> None:
    cosigner = make_vkey(NAME, COSIGNATURE_ED25519, NODE_KEY.public)
    assert cosigner.hash != VKEY.hash
    assert not verify_signature(cosigner, TEXT, NoteSignature(NAME, cosigner.hash, SIGNATURE.signature))


def test_adding_signatures_replaces_the_line_of_the_same_key() -> None:
    other = sign_note_ed25519(TEXT, "witness.example", OTHER_KEY)
    newer = NoteSignature(NAME, SIGNATURE.hash, b"newer")
    assert add_signatures(NOTE, other).signatures == (SIGNATURE, other)
    assert add_signatures(NOTE, other, newer).signatures == (newer, other)


def test_a_text_that_no_note_can_hold_is_not_signed() -> None:
    for text in ("no end of line", "tab\t\n", "half a pair \ud800\n", ""):
        with pytest.raises(NoteError):
            sign_note_ed25519(text, NAME, NODE_KEY)
    with pytest.raises(NoteError, match="cannot be a key's name"):
        sign_note_ed25519(TEXT, "two words", NODE_KEY)


@pytest.mark.parametrize(
    ("type", "public"),
    [(ED25519, NODE_KEY.public), (COSIGNATURE_ED25519, NODE_KEY.public), (COSIGNATURE_MLDSA44, MLDSA_KEY.public)],
)
def test_verifier_keys_come_back_and_no_mangled_one_is_taken_for_the_same(type: int, public: bytes) -> None:
    vkey = make_vkey(NAME, type, public)
    text = format_vkey(vkey)
    assert re.fullmatch(r"village\.example/huzhu\+[0-9a-f]{8}\+[A-Za-z0-9+/]+=*", text)
    assert parse_vkey(text) == vkey
    assert vkey.hash == key_hash(NAME, type, public)
    for bad in flipped(text.encode()):
        with pytest.raises(NoteError):
            parse_vkey(bad.decode(errors="surrogateescape"))


BAD_VKEYS = {
    "empty": ("", "is not a verifier key"),
    "two-parts": ("name+00000000", "is not a verifier key"),
    "upper-case-hash": ("example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "not a verifier key"),
    "hash-of-another": ("example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "has 530d903a"),
    "name-of-another": ("example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "says hash 530d903a"),
    "unknown-type": ("n+00000000+" + base64.b64encode(b"\x02" + bytes(32)).decode(), "0x02"),
    "short-key": ("n+00000000+" + base64.b64encode(b"\x01" + bytes(31)).decode(), "holds 32 bytes"),
    "long-ed25519-key": ("n+00000000+" + base64.b64encode(b"\x01" + bytes(33)).decode(), "has 32 bytes, not 33"),
    "too-long": ("n+00000000+" + base64.b64encode(b"\x06" + bytes(1_400)).decode(), "more than 1313 bytes"),
    "space-in-name": ("a b+00000000+" + base64.b64encode(b"\x01" + bytes(32)).decode(), "cannot be a key's name"),
}


@pytest.mark.parametrize(("text", "why"), BAD_VKEYS.values(), ids=BAD_VKEYS)
def test_bad_verifier_keys_are_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(NoteError, match=why):
        parse_vkey(text)
