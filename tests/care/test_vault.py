"""Dossiers under lock: what opens them, and that nothing else does."""

import hashlib

import pytest

from care.dossier import Dossier, format_dossier
from care.vault import SALT_BYTES, SEALED_MAX_BYTES, WRAPPED_BYTES, Locked, Vault, VaultError

SECRET = bytes(range(32))
GAO = Dossier(name="高秀芳", phone="15040260662")
LI = Dossier(name="李建国", phone="15040260663")


@pytest.fixture
def vault() -> Vault:
    return Vault(SECRET)


def test_what_was_locked_opens_and_the_log_has_its_salted_hash(vault: Vault) -> None:
    locked = vault.lock("12345676", 1, GAO)
    salted = vault.salted(locked)
    assert vault.unlock(locked) == GAO
    assert (locked.account, locked.version, len(locked.wrapped)) == ("12345676", 1, WRAPPED_BYTES)
    assert salted[SALT_BYTES:] == format_dossier(GAO)
    assert locked.hash == hashlib.sha256(salted).digest()


def test_each_version_has_its_own_key_and_salt(vault: Vault) -> None:
    one, other = vault.lock("12345676", 1, GAO), vault.lock("12345676", 1, GAO)
    assert len({one.hash, other.hash}) == len({one.wrapped[12:], other.wrapped[12:]}) == 2
    assert vault.salted(one)[:SALT_BYTES] != vault.salted(other)[:SALT_BYTES]
    with pytest.raises(VaultError):
        vault.unlock(one._replace(sealed=other.sealed))
    with pytest.raises(VaultError):
        vault.unlock(one._replace(wrapped=other.wrapped))


def test_another_people_key_opens_nothing(vault: Vault) -> None:
    locked = vault.lock("12345676", 1, GAO)
    with pytest.raises(VaultError):
        Vault(bytes(32)).unlock(locked)
    with pytest.raises(VaultError):
        Vault(bytes(32)).unlock_note("12345676", vault.lock_note("12345676", "x"))


def test_one_persons_row_is_of_no_use_in_anothers_place(vault: Vault) -> None:
    gao, li = vault.lock("12345676", 1, GAO), vault.lock("87654342", 1, LI)
    for moved in (
        gao._replace(account=li.account),
        li._replace(hash=gao.hash, wrapped=gao.wrapped, sealed=gao.sealed),
        gao._replace(version=2),
        gao._replace(hash=li.hash),
    ):
        with pytest.raises(VaultError):
            vault.unlock(moved)
    with pytest.raises(VaultError):
        vault.unlock_note(li.account, vault.lock_note(gao.account, "visit"))


def test_every_changed_byte_is_noticed(vault: Vault) -> None:
    locked = vault.lock("12345676", 1, GAO)
    for part in ("hash", "wrapped", "sealed"):
        raw = getattr(locked, part)
        for place in range(len(raw)):
            changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
            with pytest.raises(VaultError):
                vault.unlock(locked._replace(**{part: changed}))


@pytest.mark.parametrize("length", [0, 1, 27, SEALED_MAX_BYTES + 1])
def test_boxes_of_impossible_length_are_not_tried(vault: Vault, length: int) -> None:
    locked = vault.lock("12345676", 1, GAO)
    for spoiled in (locked._replace(sealed=bytes(length)), locked._replace(wrapped=bytes(length))):
        with pytest.raises(VaultError, match="no possible length"):
            vault.unlock(spoiled)


def test_what_opens_and_is_no_dossier_is_refused(vault: Vault) -> None:
    from care import vault as module

    salted = bytes(SALT_BYTES) + b'{"name": 7}'
    key = bytes(32)
    sealed = module._seal(key, salted, module._bound(module.DOSSIER, "12345676", 1))
    wrapped = module._seal(vault._wrapping, key, module._bound(module.KEY, "12345676", 1))
    with pytest.raises(VaultError, match="no dossier"):
        vault.unlock(Locked("12345676", 1, hashlib.sha256(salted).digest(), wrapped, sealed))


def test_notes_come_back(vault: Vault) -> None:
    box = vault.lock_note("12345676", "上门看望")
    assert vault.unlock_note("12345676", box) == "上门看望"
    assert "上门看望".encode() not in box


def test_a_mark_is_known_by_its_key_alone() -> None:
    one, other = Vault(bytes(32)), Vault(bytes(range(32)))
    mark = one.lock_mark()
    assert one.is_mark(mark) and not other.is_mark(mark)
    assert not one.is_mark(mark[:-1]) and not one.is_mark(b"") and not one.is_mark(one.lock_note("", ""))
