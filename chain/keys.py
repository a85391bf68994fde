"""Keys and raw signatures (FORMAT §2).

Ed25519 by libsodium, whose acceptance rule is the format's; ML-DSA-44 (FIPS 204) by ``cryptography``. Signed texts
with names and key hashes are ``chain.note``'s; this module knows only bytes.
"""

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import nacl.bindings
from nacl.exceptions import BadSignatureError

from chain.errors import BadKeyError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

PUBLIC_KEY_BYTES = 32
SEED_BYTES = 32
SIGNATURE_BYTES = 64
MLDSA_PUBLIC_KEY_BYTES = 1_312
MLDSA_SIGNATURE_BYTES = 2_420
MLDSA_SEED_BYTES = 32


def key_id(public: bytes) -> str:
    """First 16 hex digits of SHA-256 over the domain line and a 32-byte Ed25519 public key."""
    return hashlib.sha256(b"huzhu/key/v1\n" + public).hexdigest()[:16]


def verify_ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether libsodium accepts ``signature`` (64 bytes) by ``public`` (32 bytes) over ``message``."""
    if len(public) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        nacl.bindings.crypto_sign_open(signature + message, public)
    except BadSignatureError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key pair, made from its 32-byte seed. Its ``repr`` shows no secret."""

    seed: bytes = field(repr=False)
    public: bytes = field(init=False)
    id: str = field(init=False)
    _secret: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.seed) != SEED_BYTES:
            raise BadKeyError(f"an Ed25519 seed has {SEED_BYTES} bytes, not {len(self.seed)}")
        public, secret = nacl.bindings.crypto_sign_seed_keypair(self.seed)
        object.__setattr__(self, "public", public)
        object.__setattr__(self, "id", key_id(public))
        object.__setattr__(self, "_secret", secret)

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature (RFC 8032)."""
        return nacl.bindings.crypto_sign(message, self._secret)[:SIGNATURE_BYTES]


def verify_mldsa44(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` (2,420 bytes) by ``public`` (1,312 bytes) over ``message`` is valid, with no context."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

    if len(public) != MLDSA_PUBLIC_KEY_BYTES or len(signature) != MLDSA_SIGNATURE_BYTES:
        return False
    try:
        MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class MldsaSigningKey:
    """An ML-DSA-44 key pair, made from its 32-byte seed."""

    seed: bytes = field(repr=False)
    public: bytes = field(init=False)
    _private: "MLDSA44PrivateKey" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.seed) != MLDSA_SEED_BYTES:
            raise BadKeyError(f"an ML-DSA-44 seed has {MLDSA_SEED_BYTES} bytes, not {len(self.seed)}")
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

        private = MLDSA44PrivateKey.from_seed_bytes(self.seed)
        object.__setattr__(self, "_private", private)
        object.__setattr__(self, "public", private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """The 2,420-byte signature."""
        return self._private.sign(message)
