"""Dossiers under lock: each version under a random key of its own, and that key under the node's people key.

    vault = Vault(secret)                      # 32 bytes: the seed of keys/people.pem
    locked = vault.lock(account, 1, dossier)   # locked.hash goes onto the log
    vault.unlock(locked)                       # the dossier again, or VaultError

What is encrypted is salt ‖ dossier, whose SHA-256 is the hash on the log (RULES §9): so salt and key live and die
together. The account and the version are bound to both ciphertexts as associated data: one person's row is of no use in
another's place. The people key opens nothing once ``wrapped`` is gone; that is what erasure rests on.

Every box is a nonce of 12 random bytes ‖ the ciphertext ‖ the tag of 16, by ChaCha20-Poly1305 (RFC 8439). A person's
key encrypts once; the people key wraps far fewer than 2^32 keys, so that random nonces do not meet.
"""

import hashlib
import os
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from care.dossier import DOSSIER_MAX_BYTES, CareError, Dossier, DossierError, format_dossier, parse_dossier

KEY_BYTES, SALT_BYTES, NONCE_BYTES, TAG_BYTES = 32, 32, 12, 16
WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES
SEALED_MAX_BYTES = NONCE_BYTES + SALT_BYTES + DOSSIER_MAX_BYTES + TAG_BYTES
WRAPPING = b"huzhu/people/v1"
"""What the wrapping key is derived for."""
DOSSIER, KEY, NOTE, FILE = b"dossier", b"key", b"note", b"file"
"""What a box holds, as its associated data say."""


class VaultError(CareError):
    """A box does not open: another key, another person's, or changed bytes."""


class Locked(NamedTuple):
    """One version of a person's dossier as it is kept; ``hash`` is what the log has of it."""

    account: str
    version: int
    hash: bytes
    wrapped: bytes
    sealed: bytes


class Vault:
    """Locks and unlocks with one people key."""

    def __init__(self, secret: bytes) -> None:
        self._wrapping = HKDF(SHA256(), KEY_BYTES, salt=None, info=WRAPPING).derive(secret)

    def lock(self, account: str, version: int, dossier: Dossier) -> Locked:
        """Encrypt a dossier under a new key, with a new salt."""
        key = os.urandom(KEY_BYTES)
        salted = os.urandom(SALT_BYTES) + format_dossier(dossier)
        return Locked(
            account,
            version,
            hashlib.sha256(salted).digest(),
            _seal(self._wrapping, key, _bound(KEY, account, version)),
            _seal(key, salted, _bound(DOSSIER, account, version)),
        )

    def unlock(self, locked: Locked) -> Dossier:
        """The dossier; raises VaultError where it is not the one that was locked for this account and version."""
        salted = self.salted(locked)
        try:
            return parse_dossier(salted[SALT_BYTES:])
        except DossierError as error:
            raise VaultError(str(error)) from error

    def salted(self, locked: Locked) -> bytes:
        """Salt ‖ dossier, as it was hashed for the log."""
        bound = locked.account, locked.version
        key = _open(self._wrapping, locked.wrapped, _bound(KEY, *bound))
        salted = _open(key, locked.sealed, _bound(DOSSIER, *bound))
        if hashlib.sha256(salted).digest() != locked.hash:
            raise VaultError("the dossier is not the one of its hash")
        return salted

    def lock_note(self, account: str, text: str) -> bytes:
        """Encrypt a line that was written about a person."""
        return _seal(self._wrapping, text.encode(), _bound(NOTE, account, 0))

    def unlock_note(self, account: str, box: bytes) -> str:
        """The line again; raises VaultError."""
        return _open(self._wrapping, box, _bound(NOTE, account, 0)).decode()

    def lock_mark(self) -> bytes:
        """An empty box, by which a file is known as this key's."""
        return _seal(self._wrapping, b"", _bound(FILE, "", 0))

    def is_mark(self, box: bytes) -> bool:
        """Whether the box was made by ``lock_mark`` under this key."""
        try:
            return _open(self._wrapping, box, _bound(FILE, "", 0)) == b""
        except VaultError:
            return False


def _bound(what: bytes, account: str, version: int) -> bytes:
    """Associated data: what is in the box, and whose it is."""
    return b"huzhu/people/v1\n%b\n%b\n%d" % (what, account.encode(), version)


def _seal(key: bytes, plain: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + ChaCha20Poly1305(key).encrypt(nonce, plain, bound)


def _open(key: bytes, box: bytes, bound: bytes) -> bytes:
    if not NONCE_BYTES + TAG_BYTES <= len(box) <= SEALED_MAX_BYTES:
        raise VaultError("the box has no possible length")
    try:
        return ChaCha20Poly1305(key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], bound)
    except InvalidTag as error:
        raise VaultError("the box does not open") from error
