"""What waits for the second signature, and what persons ask the desk for."""

from pathlib import Path

import pytest

from store import halfsigned, wishes
from store.halfsigned import Half, HalfSigned
from store.log import StoreError
from store.wishes import OPEN, REFUSED, TAKEN, Wishes

NOW = 1_800_000_000
KEY, OTHER = "a" * 16, "b" * 16


def half(text: bytes = b"{}", beside: str = KEY, at: int = NOW, author: str = "20000237") -> Half:
    return Half(text, bytes(64), author, beside, at)


def test_a_half_signed_statement_waits_for_one_key(tmp_path: Path) -> None:
    halves = HalfSigned(tmp_path / "halfsigned.db")
    assert halves.for_key(KEY) == halves.by_author("20000237") == [] and halves.get(1) is None
    halves.put(half())
    halves.put(half())
    (kept,) = halves.for_key(KEY)
    assert kept.half == half() and halves.get(kept.id) == kept and halves.by_author("20000237") == [kept]
    assert halves.for_key(OTHER) == []
    halves.drop(kept.id)
    assert halves.for_key(KEY) == []
    assert (tmp_path / "halfsigned.db").stat().st_mode & 0o777 == 0o600


def test_old_ones_go_and_too_many_are_refused(tmp_path: Path) -> None:
    halves = HalfSigned(tmp_path / "halfsigned.db")
    halves.put(half(b"old", at=NOW - halfsigned.KEPT_SECONDS - 1))
    for number in range(halfsigned.OF_AUTHOR_MAX):
        halves.put(half(b"%d" % number))
    assert b"old" not in [kept.half.statement for kept in halves.for_key(KEY)]
    with pytest.raises(halfsigned.CrowdedError):
        halves.put(half(b"one more"))
    halves.put(half(b"somebody else's", author="10000119"))
    with pytest.raises(StoreError):
        halves.put(half(bytes(halfsigned.STATEMENT_MAX_BYTES + 1), author="10000119"))


def test_a_wish_is_decided_once(tmp_path: Path) -> None:
    kept = Wishes(tmp_path / "wishes.db")
    assert kept.open() == kept.of("20000237") == [] and kept.get(1) is None
    kept.put("20000237", "gift", b"{}", NOW)
    kept.put("20000237", "gift", b"{}", NOW + 1)
    (wish,) = kept.open()
    assert (wish.account, wish.kind, wish.body, wish.state) == ("20000237", "gift", b"{}", OPEN)
    assert kept.decide(wish.id, TAKEN, NOW) and not kept.decide(wish.id, REFUSED, NOW)
    assert kept.open() == [] and kept.of("20000237")[0].state == TAKEN
    assert kept.decide(wish.id, OPEN, NOW, TAKEN) and kept.open() == [wish]


def test_wishes_are_bounded(tmp_path: Path) -> None:
    kept = Wishes(tmp_path / "wishes.db")
    for number in range(wishes.OF_ACCOUNT_MAX):
        kept.put("20000237", "gift", b"%d" % number, NOW)
    with pytest.raises(wishes.CrowdedError):
        kept.put("20000237", "gift", b"more", NOW)
    with pytest.raises(StoreError):
        kept.put("10000119", "gift", bytes(wishes.BODY_MAX_BYTES + 1), NOW)
    assert len(kept.of("20000237")) == wishes.OF_ACCOUNT_MAX


@pytest.mark.parametrize("store", [HalfSigned, Wishes])
def test_another_programs_file_is_not_written(tmp_path: Path, store: type[HalfSigned] | type[Wishes]) -> None:
    path = tmp_path / "other.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError):
        store(path).get(1)
