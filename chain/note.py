"""Signed notes and verifier keys (C2SP signed-note; FORMAT §2, §6).

A note is a text, an empty line, and one line a signature:

    — <key name> <base64 of key hash ‖ signature>

The *key hash* (4 bytes) only tells keys of one name apart: it is no proof of anything. A *verifier key* is what a
verifier keeps of a key, written ``<name>+<key hash in hex>+<base64 of type ‖ public key>``. The *type* says what is
signed: 0x01 the note's text itself, checked here by ``verify_signature``; 0x04 and 0x06 a cosignature, which
``chain.cosignature`` checks.

``parse_note`` proves nothing about who signed: do not use a note's text before a signature by a key that you had before
has been verified. Signatures by unknown keys, also of unknown types, are kept and mean nothing.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

from chain.encoding import format_base64, parse_base64, shown
from chain.errors import NoteError
from chain.keys import MLDSA_PUBLIC_KEY_BYTES, PUBLIC_KEY_BYTES, SigningKey, verify_ed25519
from chain.limits import CHECKPOINT_MAX_SIGNATURES

ED25519 = 0x01
COSIGNATURE_ED25519 = 0x04
COSIGNATURE_MLDSA44 = 0x06

PUBLIC_BYTES_OF_TYPE = {
    ED25519: PUBLIC_KEY_BYTES,
    COSIGNATURE_ED25519: PUBLIC_KEY_BYTES,
    COSIGNATURE_MLDSA44: MLDSA_PUBLIC_KEY_BYTES,
}
"""The types this project knows, and how long a public key of each is."""

KEY_HASH_BYTES = 4
NAME_MAX_BYTES = 255
"""What an ML-DSA-44 cosignature can hold of a name."""
NOTE_TEXT_MAX_BYTES = 65_536
NOTE_SIGNATURE_MAX_BYTES = 5_120
"""Without the key hash. The largest signature that signed-note speaks of, a post-quantum one, has nearly 5,000."""

_DASH = "— "
NOTE_LINE_MAX_BYTES = (
    len(_DASH.encode()) + NAME_MAX_BYTES + 1 + (KEY_HASH_BYTES + NOTE_SIGNATURE_MAX_BYTES + 2) // 3 * 4 + 1
)
NAMES_KEPT = 1_024
"""A node signs with one name all day: of so many the answers are kept."""
NOTE_MAX_BYTES = NOTE_TEXT_MAX_BYTES + 1 + CHECKPOINT_MAX_SIGNATURES * NOTE_LINE_MAX_BYTES

_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")
_HASH_IN_HEX = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: the key's name, its hash (4 bytes), and what the key's type makes of the rest."""

    name: str
    hash: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in LF, and its signatures in the order of their lines, 1 to 64 of them."""

    text: str
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name and the type under which it signs. Made by ``make_vkey`` or ``parse_vkey``."""

    name: str
    hash: bytes
    type: int
    public: bytes

    def made(self, signature: NoteSignature) -> bool:
        """Whether a signature line says it is by this key: same name, same key hash. It may lie."""
        return (self.name, self.hash) == (signature.name, signature.hash)


def parse_note(raw: bytes, text_max_bytes: int = NOTE_TEXT_MAX_BYTES) -> Note:
    """The note that ``raw`` holds, its signatures not verified; raises NoteError."""
    if len(raw) > text_max_bytes + 1 + CHECKPOINT_MAX_SIGNATURES * NOTE_LINE_MAX_BYTES:
        raise NoteError(f"the note is too long: {len(raw)} bytes")
    try:
        whole = raw.decode()
    except UnicodeDecodeError as error:
        raise NoteError(f"the note is not UTF-8 at byte {error.start}") from None
    text, gap, lines = whole.rpartition("\n\n")
    if not gap:
        raise NoteError("the note has no empty line between its text and its signatures")
    text += "\n"
    _check_text(text, text_max_bytes)
    if not lines.endswith("\n"):
        raise NoteError("the note does not end with a signature and the end of its line: it was cut off")
    count = lines.count("\n")
    if count > CHECKPOINT_MAX_SIGNATURES:
        raise NoteError(f"the note has {count} signatures; at most {CHECKPOINT_MAX_SIGNATURES} are allowed")
    return Note(text, tuple(_parse_signature(line) for line in lines[:-1].split("\n")))


def format_note(note: Note) -> bytes:
    """The bytes of a note; raises NoteError for one that ``parse_note`` would refuse."""
    _check_text(note.text, NOTE_TEXT_MAX_BYTES)
    if not 1 <= len(note.signatures) <= CHECKPOINT_MAX_SIGNATURES:
        raise NoteError(f"a note has 1 to {CHECKPOINT_MAX_SIGNATURES} signatures, not {len(note.signatures)}")
    lines = "".join(_format_signature(signature) for signature in note.signatures)
    return f"{note.text}\n{lines}".encode()


def add_signatures(note: Note, *signatures: NoteSignature) -> Note:
    """The note with more signature lines; one of the same name and key hash takes the place of the older line.

    The caller has verified what it adds. Raises NoteError where the lines become too many.
    """
    by_key = {(line.name, line.hash): line for line in (*note.signatures, *signatures)}
    if len(by_key) > CHECKPOINT_MAX_SIGNATURES:
        raise NoteError(f"a note has at most {CHECKPOINT_MAX_SIGNATURES} signatures, not {len(by_key)}")
    return Note(note.text, tuple(by_key.values()))


@lru_cache(NAMES_KEPT)
def is_key_name(name: str) -> bool:
    """Whether a key may bear this name: not empty, no space of any kind, no control character, no ``+``."""
    if not name or "+" in name or _CONTROL.search(name) or any(character.isspace() for character in name):
        return False
    try:
        return len(name.encode()) <= NAME_MAX_BYTES
    except UnicodeEncodeError:
        return False


def key_hash(name: str, type: int, public: bytes) -> bytes:
    """The first 4 bytes of SHA-256(name ‖ LF ‖ type ‖ public key)."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([type]) + public).digest()[:KEY_HASH_BYTES]


@lru_cache(NAMES_KEPT)
def make_vkey(name: str, type: int, public: bytes) -> VerifierKey:
    """The verifier key of a public key; raises NoteError for a bad name, an unknown type or a wrong length."""
    if not is_key_name(name):
        raise NoteError(f"{shown(name)} cannot be a key's name: it is empty or too long, or has a space or a +")
    if type not in PUBLIC_BYTES_OF_TYPE:
        raise NoteError(f"the type of the key {shown(name)} is 0x{type:02x}; 0x01, 0x04 and 0x06 are known")
    if len(public) != PUBLIC_BYTES_OF_TYPE[type]:
        raise NoteError(f"a key of type 0x{type:02x} has {PUBLIC_BYTES_OF_TYPE[type]} bytes, not {len(public)}")
    return VerifierKey(name, key_hash(name, type, public), type, public)


def parse_vkey(text: str) -> VerifierKey:
    """The key that ``<name>+<hash>+<key>`` spells; raises NoteError, also where the hash is not the key's own."""
    parts = text.split("+", 2)
    if len(parts) != 3 or not _HASH_IN_HEX.fullmatch(parts[1]):
        raise NoteError(f"{shown(text)} is not a verifier key: <name>+<8 hex digits>+<base64>")
    name, hash_in_hex, encoded = parts
    material = parse_base64(encoded, 1 + PUBLIC_KEY_BYTES, 1 + MLDSA_PUBLIC_KEY_BYTES)
    vkey = make_vkey(name, material[0], material[1:])
    if vkey.hash.hex() != hash_in_hex:
        raise NoteError(f"the verifier key of {shown(name)} says hash {hash_in_hex}, but its key has {vkey.hash.hex()}")
    return vkey


def format_vkey(vkey: VerifierKey) -> str:
    """A verifier key as ``<name>+<hash>+<key>``."""
    return f"{vkey.name}+{vkey.hash.hex()}+{format_base64(bytes([vkey.type]) + vkey.public)}"


def sign_note_ed25519(text: str, name: str, key: SigningKey) -> NoteSignature:
    """The signature (type 0x01) over a note's text; raises NoteError where the text cannot be a note's."""
    _check_text(text, NOTE_TEXT_MAX_BYTES)
    vkey = make_vkey(name, ED25519, key.public)
    return NoteSignature(name, vkey.hash, key.sign(text.encode()))


def verify_signature(vkey: VerifierKey, text: str, signature: NoteSignature) -> bool:
    """Whether ``signature`` is by ``vkey`` over ``text``. A key that is not of type 0x01 never made one."""
    if vkey.type != ED25519 or not vkey.made(signature):
        return False
    return verify_ed25519(vkey.public, text.encode(), signature.signature)


def _check_text(text: str, maximum_bytes: int) -> None:
    if len(text.encode(errors="surrogatepass")) > maximum_bytes:
        raise NoteError(f"the note's text is longer than {maximum_bytes} bytes")
    if not text.endswith("\n"):
        raise NoteError("the note's text does not end with the end of a line")
    if found := _CONTROL.search(text):
        raise NoteError(f"the note's text has the control character U+{ord(found[0]):04X}")
    if re.search("[\ud800-\udfff]", text):
        raise NoteError("the note's text has half a surrogate pair, which UTF-8 cannot hold")


def _parse_signature(line: str) -> NoteSignature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not (line.startswith(_DASH) and space):
        raise NoteError(f"{shown(line)} is not a signature line: — <name> <base64>")
    if not is_key_name(name):
        raise NoteError(f"{shown(name)} cannot be a key's name: it is empty or too long, or has a space or a +")
    blob = parse_base64(encoded, KEY_HASH_BYTES + 1, KEY_HASH_BYTES + NOTE_SIGNATURE_MAX_BYTES)
    return NoteSignature(name, blob[:KEY_HASH_BYTES], blob[KEY_HASH_BYTES:])


def _format_signature(signature: NoteSignature) -> str:
    line = f"{_DASH}{signature.name} {format_base64(signature.hash + signature.signature)}"
    if len(signature.hash) != KEY_HASH_BYTES or _parse_signature(line) != signature:
        raise NoteError(f"the signature by {shown(signature.name)} cannot be written as a line")
    return line + "\n"
