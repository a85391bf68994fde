"""Private keys on disk."""

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from chain.keys import MldsaSigningKey, SigningKey
from store.keyfiles import KEY_FILE_MAX_BYTES, PassphraseError, read_key, write_key
from store.log import StoreError

KEYS: dict[str, SigningKey | MldsaSigningKey] = {
    "ed25519": SigningKey(bytes([1]) * 32),
    "mldsa": MldsaSigningKey(bytes([2]) * 32),
}
keys = pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
PASSPHRASES = {"plain": None, "ascii": b"correct horse", "zh": "密码".encode()}
passphrases = pytest.mark.parametrize("passphrase", PASSPHRASES.values(), ids=PASSPHRASES)


@keys
@passphrases
def test_a_key_comes_back(key: SigningKey | MldsaSigningKey, passphrase: bytes | None, tmp_path: Path) -> None:
    write_key(tmp_path / "k.pem", key, passphrase)
    read = read_key(tmp_path / "k.pem", passphrase)
    assert (type(read), read.seed, read.public) == (type(key), key.seed, key.public)
    assert read.sign(b"x") and stat.S_IMODE((tmp_path / "k.pem").stat().st_mode) == 0o600


def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_key(tmp_path / "k.pem", KEYS["ed25519"], None)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "k.pem").stat().st_mode) == 0o600


@passphrases
def test_a_file_is_what_other_tools_read(passphrase: bytes | None, tmp_path: Path) -> None:
    write_key(tmp_path / "k.pem", KEYS["ed25519"], passphrase)
    pem = (tmp_path / "k.pem").read_bytes()
    kind = b"PRIVATE KEY" if passphrase is None else b"ENCRYPTED PRIVATE KEY"
    assert pem.startswith(b"-----BEGIN " + kind + b"-----\n")
    private = load_pem_private_key(pem, passphrase)
    assert isinstance(private, Ed25519PrivateKey)
    assert private.private_bytes_raw() == KEYS["ed25519"].seed
    assert passphrase is None or KEYS["ed25519"].seed not in pem


@keys
def test_a_wrong_or_missing_passphrase_is_told_apart(key: SigningKey | MldsaSigningKey, tmp_path: Path) -> None:
    write_key(tmp_path / "k.pem", key, b"right")
    with pytest.raises(PassphraseError, match=r"is encrypted: give its passphrase$"):
        read_key(tmp_path / "k.pem", None)
    for wrong in (b"wrong", b"", b"right "):
        with pytest.raises(PassphraseError, match="does not open"):
            read_key(tmp_path / "k.pem", wrong)


def test_a_plain_key_needs_no_passphrase_and_minds_none(tmp_path: Path) -> None:
    write_key(tmp_path / "k.pem", KEYS["ed25519"], None)
    assert read_key(tmp_path / "k.pem", b"any") == KEYS["ed25519"]


def test_an_empty_passphrase_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(PassphraseError, match="empty"):
        write_key(tmp_path / "k.pem", KEYS["ed25519"], b"")
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    write_key(tmp_path / "k.pem", KEYS["ed25519"], None)
    with pytest.raises(StoreError, match="cannot be made"):
        write_key(tmp_path / "k.pem", KEYS["mldsa"], None)
    assert read_key(tmp_path / "k.pem", None) == KEYS["ed25519"]


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be made"):
        write_key(tmp_path / "none" / "k.pem", KEYS["ed25519"], None)
    with pytest.raises(StoreError, match="cannot be read"):
        read_key(tmp_path / "none" / "k.pem", None)
    with pytest.raises(StoreError, match="cannot be read"):
        read_key(tmp_path, None)


def _pem(private: Ed25519PrivateKey | X25519PrivateKey | EllipticCurvePrivateKey) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


GOOD_PEM = _pem(Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
BAD_FILES = {
    "empty": b"",
    "text": b"not a key",
    "zeros": bytes(200),
    "cut-off": GOOD_PEM[:60],
    "one-character-changed": GOOD_PEM.replace(b"MC4", b"MC5"),
    "public-key": Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "says-it-is-encrypted": b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    "too-large": GOOD_PEM + b"\n" * KEY_FILE_MAX_BYTES,
    "x25519": _pem(X25519PrivateKey.from_private_bytes(bytes([7]) * 32)),
    "p-256": _pem(derive_private_key(7, SECP256R1())),
}


@pytest.mark.parametrize("raw", BAD_FILES.values(), ids=BAD_FILES)
def test_what_is_no_key_of_ours_is_one_clear_line(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "k.pem").write_bytes(raw)
    with pytest.raises(StoreError) as refused:
        read_key(tmp_path / "k.pem", b"passphrase")
    assert str(tmp_path / "k.pem") in str(refused.value)
    assert "\n" not in str(refused.value)
