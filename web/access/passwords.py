"""Passwords: what a new one must be, and Argon2id (RFC 9106) over it.

    hashed = passwords.hash(new_password("wang", typed))
    passwords.is_right(user.password if user else None, typed)     # the same work where there is no user

Memory and passes are libsodium's "interactive": 64 MiB and two, about a tenth of a second on a village's computer. They
stand in each hash; one that was made with less is made anew when its owner signs in (``is_weak``).
"""

import re
import unicodedata
from base64 import b64encode
from secrets import token_bytes

from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id

from web.i18n import translate as _
from web.problems import DeskError

PASSES, MEMORY_BYTES = argon2id.OPSLIMIT_INTERACTIVE, argon2id.MEMLIMIT_INTERACTIVE
PASSWORD_MIN_CHARACTERS, PASSWORD_MAX_CHARACTERS = 10, 256
DIFFERENT_MIN = 4
"""So many different characters it must have."""
HASH = re.compile(r"\$argon2id\$v=19\$m=([0-9]{1,9}),t=([0-9]{1,9}),p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}")
SALT_BYTES, HASH_BYTES = 16, 32
KIB = 1_024


class PasswordError(DeskError):
    """It is no password that protects anything. The text says what to do, never the password."""


class Passwords:
    """Hashes by parameters."""

    def __init__(self, passes: int = PASSES, memory_bytes: int = MEMORY_BYTES) -> None:
        self._passes, self._memory_bytes = passes, memory_bytes
        salt, made = (b64encode(token_bytes(length)).decode().rstrip("=") for length in (SALT_BYTES, HASH_BYTES))
        self._nobody = f"$argon2id$v=19$m={memory_bytes // KIB},t={passes},p=1${salt}${made}"

    def hash(self, password: str) -> str:
        """What is kept of a password: its hash, with salt and parameters."""
        return argon2id.str(_prepared(password), self._passes, self._memory_bytes).decode()

    def is_right(self, hashed: str | None, password: str) -> bool:
        """Whether it is the password; where there is none, it takes as long to say no."""
        try:
            is_same = argon2id.verify((hashed or self._nobody).encode(), _prepared(password))
        except (CryptoError, ValueError):
            return False
        return is_same and bool(hashed)

    def is_weak(self, hashed: str) -> bool:
        """Whether a hash was made with fewer passes or less memory than one would be now."""
        found = HASH.fullmatch(hashed)
        return found is None or int(found[1]) * KIB < self._memory_bytes or int(found[2]) < self._passes


def new_password(name: str, password: str) -> str:
    """The password itself; raises PasswordError where it is not fit to be one."""
    folded = unicodedata.normalize("NFKC", password)
    if len(folded) < PASSWORD_MIN_CHARACTERS:
        raise PasswordError(
            _("the password is too short: at least {least} characters").format(least=PASSWORD_MIN_CHARACTERS)
        )
    if len(password) > PASSWORD_MAX_CHARACTERS:
        raise PasswordError(
            _("the password is too long: at most {most} characters").format(most=PASSWORD_MAX_CHARACTERS)
        )
    if folded.casefold() == name.casefold():
        raise PasswordError(_("the password is the user's name: choose another"))
    if len(set(folded)) < DIFFERENT_MIN:
        raise PasswordError(_("the password is a few characters over and over: choose another"))
    return password


def are_same(password: str, other: str) -> bool:
    """Whether both are one password, however the keyboard wrote them."""
    return _prepared(password) == _prepared(other)


def _prepared(password: str) -> bytes:
    """One form for what keyboards write differently (full-width letters); one too long stays too long."""
    return unicodedata.normalize("NFKC", password[: PASSWORD_MAX_CHARACTERS + 1]).encode(errors="surrogatepass")
