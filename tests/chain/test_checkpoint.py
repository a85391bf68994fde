"""Checkpoints."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.checkpoint import (
    CHECKPOINT_MAX_BYTES,
    Checkpoint,
    format_checkpoint_text,
    open_checkpoint,
    parse_checkpoint_text,
    sign_checkpoint,
)
from chain.cosignature import verify_any
from chain.errors import NoteError
from chain.limits import LOG_MAX_ENTRIES
from chain.note import ED25519, VerifierKey, format_note, make_vkey, parse_vkey
from tests.chain.helpers import NODE_KEY, ORIGIN, OTHER_KEY, PUBLISHED, mangled

PUBLISHED_VKEY = parse_vkey("example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx")
PUBLISHED_CHECKPOINTS = sorted((PUBLISHED / "tile-log").glob("checkpoint*"))
CHECKPOINT = Checkpoint(ORIGIN, 70_000, bytes(range(32)))
TEXT = f"{ORIGIN}\n70000\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
VKEY = make_vkey(ORIGIN, ED25519, NODE_KEY.public)

origins = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,40}\.[a-z]{2,9}(/[a-z0-9][a-z0-9._-]{0,20}){0,3}", fullmatch=True)
checkpoints = st.builds(
    Checkpoint,
    origins.filter(lambda origin: not origin.startswith(("huzhu/", "cosignature/"))),
    st.integers(0, LOG_MAX_ENTRIES),
    st.binary(min_size=32, max_size=32),
)


def verifies(vkey: VerifierKey, raw: bytes) -> bool:
    """Whether ``raw`` is a checkpoint with a valid signature by ``vkey``."""
    try:
        _, note = open_checkpoint(raw)
    except NoteError:
        return False
    return any(verify_any(vkey, note, signature) for signature in note.signatures)


@pytest.mark.parametrize("path", PUBLISHED_CHECKPOINTS, ids=lambda path: path.name)
def test_every_published_checkpoint_verifies_and_comes_back_byte_for_byte(path: Path) -> None:
    raw = path.read_bytes()
    checkpoint, note = open_checkpoint(raw)
    assert verifies(PUBLISHED_VKEY, raw)
    assert format_note(note) == raw
    assert format_checkpoint_text(checkpoint) == note.text


def test_the_published_checkpoints_are_all_there() -> None:
    sizes = [open_checkpoint(path.read_bytes())[0].size for path in PUBLISHED_CHECKPOINTS]
    assert sorted(sizes) == [*range(16), 15]


def test_a_signed_checkpoint_opens_and_verifies() -> None:
    raw = format_note(sign_checkpoint(CHECKPOINT, NODE_KEY))
    checkpoint, note = open_checkpoint(raw)
    assert checkpoint == CHECKPOINT
    assert note.text == TEXT
    assert verifies(VKEY, raw)
    assert not verifies(make_vkey(ORIGIN, ED25519, OTHER_KEY.public), raw)


def test_no_mangled_checkpoint_verifies() -> None:
    raw = format_note(sign_checkpoint(CHECKPOINT, NODE_KEY))
    assert not any(verifies(VKEY, bad) for bad in mangled(raw))


@given(checkpoints)
def test_what_is_formatted_parses_to_itself(checkpoint: Checkpoint) -> None:
    assert parse_checkpoint_text(format_checkpoint_text(checkpoint)) == checkpoint


ROOT = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
BAD_TEXTS = {
    "empty": ("", "three lines"),
    "two-lines": (f"{ORIGIN}\n7\n", "three lines"),
    "extension": (f"{ORIGIN}\n7\n{ROOT}\nextra\n", "three lines"),
    "empty-line-behind": (f"{ORIGIN}\n7\n{ROOT}\n\n", "three lines"),
    "no-last-newline": (f"{ORIGIN}\n7\n{ROOT}", "three lines"),
    "no-origin": (f"\n7\n{ROOT}\n", "not an origin"),
    "origin-without-a-dot": (f"village\n7\n{ROOT}\n", "not an origin"),
    "origin-in-capitals": (f"Village.example\n7\n{ROOT}\n", "not an origin"),
    "origin-of-ours": (f"huzhu/a.b\n7\n{ROOT}\n", "not an origin"),
    "origin-of-cosignatures": (f"cosignature/v1.0\n7\n{ROOT}\n", "not an origin"),
    "origin-too-long": (f"{'a' * 197}.com\n7\n{ROOT}\n", "not an origin"),
    "leading-zero": (f"{ORIGIN}\n07\n{ROOT}\n", "decimal"),
    "plus": (f"{ORIGIN}\n+7\n{ROOT}\n", "decimal"),
    "minus": (f"{ORIGIN}\n-7\n{ROOT}\n", "decimal"),
    "no-size": (f"{ORIGIN}\n\n{ROOT}\n", "decimal"),
    "space": (f"{ORIGIN}\n7 \n{ROOT}\n", "decimal"),
    "underscore": (f"{ORIGIN}\n7_000\n{ROOT}\n", "decimal"),
    "other-digits": (f"{ORIGIN}\n７\n{ROOT}\n", "decimal"),
    "size-over": (f"{ORIGIN}\n{2**53}\n{ROOT}\n", "is more than"),
    "very-many-digits": (f"{ORIGIN}\n{'9' * 21}\n{ROOT}\n", "decimal"),
    "no-root": (f"{ORIGIN}\n7\n\n", "three lines|holds 0 bytes"),
    "short-root": (f"{ORIGIN}\n7\n{ROOT[4:]}\n", "holds 29 bytes"),
    "root-loose-bits": (f"{ORIGIN}\n7\n{ROOT[:-2]}9=\n", "one spelling"),
    "root-no-padding": (f"{ORIGIN}\n7\n{ROOT[:-1]}\n", "not base64"),
    "root-too-long": (f"{ORIGIN}\n7\nAAAA{ROOT}\n", "more than 32 bytes"),
    "far-too-long": ("a" * 10_000, "longer than"),
}


@pytest.mark.parametrize(("text", "why"), BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_bad_texts_are_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(NoteError, match=why):
        parse_checkpoint_text(text)


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint("village", 7, bytes(32)),
        Checkpoint(ORIGIN, -1, bytes(32)),
        Checkpoint(ORIGIN, LOG_MAX_ENTRIES + 1, bytes(32)),
        Checkpoint(ORIGIN, 7, bytes(31)),
        Checkpoint(ORIGIN + "\n8", 7, bytes(32)),
    ],
)
def test_a_checkpoint_that_would_not_parse_is_not_signed(checkpoint: Checkpoint) -> None:
    with pytest.raises(NoteError):
        sign_checkpoint(checkpoint, NODE_KEY)


def test_a_note_longer_than_any_checkpoint_is_refused_unread() -> None:
    with pytest.raises(NoteError, match="too long"):
        open_checkpoint(bytes(CHECKPOINT_MAX_BYTES + 1))
