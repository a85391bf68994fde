"""What a password must be, and its hash."""

import pytest
from nacl.pwhash import argon2id

from web.access.passwords import HASH, PasswordError, Passwords, new_password

verify = argon2id.verify

FAST, MORE_MEMORY, MORE_PASSES = Passwords(1, 8_192), Passwords(1, 16_384), Passwords(2, 8_192)
GOOD = "five yellow persimmons"


@pytest.mark.parametrize(
    ("name", "password", "text"),
    [
        ("wang", "persimmon", "too short: at least 10"),
        ("wang", "", "too short"),
        ("wang", "x" * 257, "too long: at most 256"),
        ("wang-the-clerk", "wang-the-clerk", "is the user's name"),
        ("wang-the-clerk", "Wang-The-Clerk", "is the user's name"),
        ("wang", "1212121212", "over and over"),
    ],
)
def test_what_protects_nothing_is_refused_and_not_repeated(name: str, password: str, text: str) -> None:
    with pytest.raises(PasswordError, match=text) as caught:
        new_password(name, password)
    assert not password or password not in str(caught.value)


@pytest.mark.parametrize("password", [GOOD, "五个黄柿子挂在门前的树上", "x" * 250 + "abcdef"])
def test_what_is_good_is_hashed_and_known_again(password: str) -> None:
    hashed = FAST.hash(new_password("wang", password))
    assert hashed.startswith("$argon2id$")
    assert password not in hashed
    assert FAST.is_right(hashed, password)
    assert not FAST.is_right(hashed, password + "x")
    assert not FAST.is_right(hashed, password[:-1])


def test_full_width_letters_are_the_same_password() -> None:
    assert FAST.is_right(FAST.hash(GOOD), "ｆｉｖｅ yellow persimmons")


@pytest.mark.parametrize("hashed", [None, "", "x", "$argon2id$v=19$m=1", "x" * 10_000, "\x00"])
def test_without_a_hash_no_password_is_right(hashed: str | None) -> None:
    assert not FAST.is_right(hashed, "nobody")
    assert not FAST.is_right(hashed, "")


def test_without_a_user_the_work_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def verifying(hashed: bytes, password: bytes) -> bool:
        asked.append(hashed)
        return verify(hashed, password)

    monkeypatch.setattr(argon2id, "verify", verifying)
    for hashed in (None, FAST.hash("another")):
        assert not FAST.is_right(hashed, GOOD)
    nobody, somebody = (HASH.fullmatch(each.decode()) for each in asked)
    assert nobody and somebody and nobody.groups() == somebody.groups()


def test_a_password_that_is_no_text_is_wrong() -> None:
    assert not FAST.is_right(FAST.hash(GOOD), "\ud800")


def test_a_hash_of_fewer_passes_or_less_memory_is_weak() -> None:
    hashed = FAST.hash(GOOD)
    assert not FAST.is_weak(hashed)
    assert MORE_MEMORY.is_weak(hashed)
    assert MORE_PASSES.is_weak(hashed)
    assert not FAST.is_weak(MORE_MEMORY.hash(GOOD))
    assert FAST.is_weak("$2b$12$something")


def test_by_default_a_hash_takes_64_mib() -> None:
    assert Passwords().hash(GOOD).startswith("$argon2id$v=19$m=65536,t=2,p=1$")
