"""Raw keys and signatures, against the published edge cases."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.errors import BadKeyError
from chain.keys import (
    MLDSA_PUBLIC_KEY_BYTES,
    MLDSA_SIGNATURE_BYTES,
    MldsaSigningKey,
    SigningKey,
    key_id,
    verify_ed25519,
    verify_mldsa44,
)
from tests.chain.helpers import MLDSA_KEY, NODE_KEY, flipped, published


def test_every_published_ed25519_case_is_judged_as_libsodium_does() -> None:
    cases = published("ed25519.json")
    answers = {
        case["number"]: verify_ed25519(bytes.fromhex(case["key"]), case["msg"].encode(), bytes.fromhex(case["sig"]))
        for case in cases
    }
    assert len(answers) == 914
    assert answers == {case["number"]: case["accept"] for case in cases}


def test_published_ed25519_cases_hold_both_answers() -> None:
    answers = {case["accept"] for case in published("ed25519.json")}
    assert answers == {True, False}


def test_rfc_8032_first_test() -> None:
    key = SigningKey(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
    assert key.public.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert key.sign(b"").hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )


def test_key_id_is_the_start_of_a_hash_with_its_own_first_line() -> None:
    assert key_id(NODE_KEY.public) == hashlib.sha256(b"huzhu/key/v1\n" + NODE_KEY.public).hexdigest()[:16]
    assert NODE_KEY.id == key_id(NODE_KEY.public)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200))
def test_what_is_signed_verifies(seed: bytes, message: bytes) -> None:
    key = SigningKey(seed)
    signature = key.sign(message)
    assert verify_ed25519(key.public, message, signature)
    assert not verify_ed25519(key.public, message + b"\x00", signature)


def test_every_flipped_bit_of_an_ed25519_signature_is_refused() -> None:
    signature = NODE_KEY.sign(b"message")
    assert not any(verify_ed25519(NODE_KEY.public, b"message", bad) for bad in flipped(signature, range(8)))
    assert not any(verify_ed25519(bad, b"message", signature) for bad in flipped(NODE_KEY.public, range(8)))


def test_an_ml_dsa_signature_verifies_and_no_mangled_one_does() -> None:
    signature = MLDSA_KEY.sign(b"message")
    assert len(MLDSA_KEY.public) == MLDSA_PUBLIC_KEY_BYTES
    assert len(signature) == MLDSA_SIGNATURE_BYTES
    assert verify_mldsa44(MLDSA_KEY.public, b"message", signature)
    assert not verify_mldsa44(MLDSA_KEY.public, b"another", signature)
    assert not any(verify_mldsa44(MLDSA_KEY.public, b"message", bad) for bad in flipped(signature, [0]))


@pytest.mark.parametrize("length", [0, 31, 33, 1_311, 1_313])
def test_a_key_of_another_length_verifies_nothing(length: int) -> None:
    assert not verify_ed25519(bytes(length), b"message", NODE_KEY.sign(b"message"))
    assert not verify_mldsa44(bytes(length), b"message", MLDSA_KEY.sign(b"message"))


@pytest.mark.parametrize("length", [0, 63, 65, 2_419, 2_421])
def test_a_signature_of_another_length_is_none(length: int) -> None:
    assert not verify_ed25519(NODE_KEY.public, b"message", bytes(length))
    assert not verify_mldsa44(MLDSA_KEY.public, b"message", bytes(length))


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_seed_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(BadKeyError, match="seed has 32 bytes"):
        SigningKey(bytes(length))
    with pytest.raises(BadKeyError, match="seed has 32 bytes"):
        MldsaSigningKey(bytes(length))


def test_no_key_shows_its_secret() -> None:
    for key in (NODE_KEY, MLDSA_KEY):
        assert repr(key.seed) not in repr(key)
        assert "seed" not in repr(key)
        assert "_secret" not in repr(key)
