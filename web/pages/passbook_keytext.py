"""How a person's public key goes from a phone to the desk: as a QR code, or typed.

    HZK1:<base64url of the 32 bytes, without padding>:<two check digits>

The check digits are ISO 7064 MOD 97-10 over the key as one big-endian number, as account numbers have them: a letter
that was misread is found before anybody grants the wrong key. ``static/keys.js`` writes the same.
"""

import base64
import re
import unicodedata

from chain.keys import PUBLIC_KEY_BYTES

PREFIX = "HZK1"
KEY_TEXT = re.compile(rf"{PREFIX}:([A-Za-z0-9_-]{{43}}):([0-9]{{2}})")
KEY_TEXT_MAX_CHARACTERS = 80
"""With the space that people leave around it."""


def format_key_text(public: bytes) -> str:
    """The text of a public key of 32 bytes."""
    if len(public) != PUBLIC_KEY_BYTES:
        raise ValueError(f"a public key has {PUBLIC_KEY_BYTES} bytes, not {len(public)}")
    spelled = base64.urlsafe_b64encode(public).decode().rstrip("=")
    return f"{PREFIX}:{spelled}:{_check_digits(public)}"


def parse_key_text(text: str) -> bytes | None:
    """The public key in a text that was scanned or typed; None where a letter of it is wrong."""
    plain = "".join(unicodedata.normalize("NFKC", text[:KEY_TEXT_MAX_CHARACTERS]).split())
    found = KEY_TEXT.fullmatch(plain)
    if found is None:
        return None
    public = base64.urlsafe_b64decode(f"{found[1]}=")
    return public if format_key_text(public) == plain else None


def _check_digits(public: bytes) -> str:
    return f"{98 - int.from_bytes(public) * 100 % 97:02d}"
