"""Private keys on disk: PKCS #8 PEM, mode 0600, encrypted under a passphrase where one is given.

A key's file is named by who it belongs to: ``clerk-<key id>.pem``, ``member-<key id>.pem``, ``node.pem``.
"""

import os
from gettext import gettext as _
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from chain.keys import MldsaSigningKey, SigningKey
from store.log import StoreError

FILE_MODE = 0o600
KEY_FILE_MAX_BYTES = 16_384
PASSPHRASE_MAX_BYTES = 1_023
"""What the library encrypts under."""


class PassphraseError(StoreError):
    """The key file is encrypted and the passphrase is missing or wrong."""


def write_key(path: Path, key: SigningKey | MldsaSigningKey, passphrase: bytes | None) -> None:
    """Write a private key to a new file; raises StoreError and leaves nothing where it cannot, or where one stands."""
    if passphrase is not None and not passphrase:
        text = _("an empty passphrase protects nothing: give one for {path}, or none at all")
        raise PassphraseError(text.format(path=path))
    if passphrase is not None and len(passphrase) > PASSPHRASE_MAX_BYTES:
        text = _("the passphrase has {count} bytes; at most {most} can be used")
        raise PassphraseError(text.format(count=len(passphrase), most=PASSPHRASE_MAX_BYTES))
    private = (
        Ed25519PrivateKey.from_private_bytes(key.seed)
        if isinstance(key, SigningKey)
        else MLDSA44PrivateKey.from_seed_bytes(key.seed)
    )
    protection: KeySerializationEncryption = NoEncryption()
    if passphrase is not None:
        protection = BestAvailableEncryption(passphrase)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    except OSError as error:
        text = _("the key file {path} cannot be made: {error}")
        raise StoreError(text.format(path=path, error=error.strerror)) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        text = _("the key file {path} cannot be written: {error}")
        raise StoreError(text.format(path=path, error=error.strerror)) from error


def read_key(path: Path, passphrase: bytes | None) -> SigningKey | MldsaSigningKey:
    """The private key in a file; raises StoreError, or PassphraseError where only the passphrase is at fault."""
    try:
        with path.open("rb") as file:
            pem = file.read(KEY_FILE_MAX_BYTES + 1)
    except OSError as error:
        text = _("the key file {path} cannot be read: {error}")
        raise StoreError(text.format(path=path, error=error.strerror)) from error
    if len(pem) > KEY_FILE_MAX_BYTES:
        raise StoreError(_("{path} is too large for a key file").format(path=path))
    is_encrypted = b"ENCRYPTED" in pem
    if is_encrypted and passphrase is None:
        raise PassphraseError(_("{path} is encrypted: give its passphrase").format(path=path))
    try:
        private = load_pem_private_key(pem, passphrase if is_encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if is_encrypted:
            raise PassphraseError(_("the passphrase does not open {path}").format(path=path)) from error
        raise StoreError(_("{path} is not a private key in PKCS #8 PEM").format(path=path)) from error
    if isinstance(private, Ed25519PrivateKey):
        return SigningKey(private.private_bytes_raw())
    if isinstance(private, MLDSA44PrivateKey):
        return MldsaSigningKey(private.private_bytes_raw())
    raise StoreError(_("{path} holds a key of another kind than Ed25519 and ML-DSA-44").format(path=path))
