"""The text of a coupon, typed and misread; and what the home keeps of a book."""

import stat
from base64 import b32encode
from pathlib import Path

import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st

from chain.limits import COUPONS_MAX, INTEGER_MAX
from chain.merkle import check_inclusion, leaf_hash
from ledger.coupons import book_root
from ledger.state import CouponBook, State
from store.home import Home
from web.couponbooks import typed_lines
from web.coupons import (
    TEXT_MAX_CHARACTERS,
    Coupon,
    Shelf,
    _check,
    coupon_evidence,
    format_coupon,
    parse_coupon,
    standing,
)
from web.problems import DeskError
from web.table import BadRowError

ORIGIN = "liuduhe.example/huzhu"
ALPHANUMERIC = set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")
"""What a QR code writes in 5.5 bits a character."""

SECRETS = [bytes([place]) + bytes(range(1, 16)) for place in range(7)]
LEAVES = list(map(leaf_hash, SECRETS))
ROOT = book_root(SECRETS)
BOOK = 57

coupons = st.builds(
    Coupon, st.integers(0, INTEGER_MAX), st.integers(0, COUPONS_MAX - 1), st.binary(min_size=16, max_size=16)
)


@given(coupons)
def test_a_coupon_is_read_as_it_was_written(coupon: Coupon) -> None:
    text = format_coupon(coupon, ORIGIN)
    assert parse_coupon(text, ORIGIN) == coupon
    assert set(text) <= ALPHANUMERIC
    assert len(text) <= 58
    assert parse_coupon(" ".join(typed_lines(text)), ORIGIN) == coupon


@given(coupons, st.data())
def test_it_is_read_however_it_is_typed(coupon: Coupon, data: st.DataObject) -> None:
    text = format_coupon(coupon, ORIGIN)
    secret = text.split(":")[3]
    alike = text.replace(secret, secret.translate(str.maketrans("OIB", "018")))
    spaced = "".join(each + data.draw(st.sampled_from(["", "", "", " ", "\u3000", "\n"])) for each in alike)
    wide = "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in spaced)
    for typed in (text.lower(), alike, spaced, wide, wide.lower(), text.replace("1", "l").replace("0", "o")):
        assert parse_coupon(typed, ORIGIN) == coupon


def test_its_code_is_small() -> None:
    text = format_coupon(Coupon(123_456_789, 1_023, bytes(16)), ORIGIN)
    code = segno.make(text, error="m", micro=False)
    assert (code.mode, code.version) == ("alphanumeric", 3)


def wrong_texts(text: str) -> set[str]:
    """Each character replaced by every other one, left out, doubled or changed with its neighbour."""
    found = set()
    for place, character in enumerate(text):
        head, tail = text[:place], text[place + 1 :]
        found |= {head + other + tail for other in ALPHANUMERIC}
        found |= {head + tail, head + character + text[place:], head + tail[:1] + character + tail[1:]}
    return found - {text}


def test_what_the_check_lets_pass_the_root_finds() -> None:
    state = a_state()
    passed = alike = 0
    wrong = [(place, each) for place in range(7) for each in wrong_texts(text_of(place))]
    for place, text in wrong:
        try:
            read = parse_coupon(text, ORIGIN)
        except BadRowError as error:
            assert text_of(place).split(":")[3] not in str(error)
            continue
        if read == Coupon(BOOK, place, SECRETS[place]):
            alike += 1
            continue
        passed += 1
        book = state.coupon_books.get(read.book)
        assert book is None or read.index >= book.count or leaf_hash(read.secret) != LEAVES[read.index]
    assert alike < 7 * 60
    assert passed <= len(wrong) // 400


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "::::",
        "HZ1",
        "x" * (TEXT_MAX_CHARACTERS + 1),
        " " * 1_000_000,
        "\ufdfa" * TEXT_MAX_CHARACTERS,
        "\0\ud800",
        "HZ2:57:1:AAAAAAAAAAAAAAAAAAAAAAAAAA:AA",
        "https://liuduhe.example/?c=HZ1:57:1",
        "HZ1:57:1:AAAAAAAAAAAAAAAAAAAAAAAAAA:AA:AA",
        "HZ1:-1:1:AAAAAAAAAAAAAAAAAAAAAAAAAA:AA",
        "HZ1:٥٧:1:AAAAAAAAAAAAAAAAAAAAAAAAAA:AA",
    ],
)
def test_what_is_no_coupon(text: str) -> None:
    with pytest.raises(BadRowError) as caught:
        parse_coupon(text, ORIGIN)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize(
    ("book", "number", "secret"),
    [
        ("57", "0", "A" * 26),
        ("57", str(COUPONS_MAX + 1), "A" * 26),
        (str(INTEGER_MAX + 1), "1", "A" * 26),
        ("57", "1", "A" * 25 + "B"),
    ],
    ids=["number-0", "number-too-large", "book-too-large", "spare-bits-set"],
)
def test_a_right_check_does_not_make_a_coupon(book: str, number: str, secret: str) -> None:
    plain = f"HZ1:{book}:{number}:{secret}"
    with pytest.raises(BadRowError):
        parse_coupon(f"{plain}:{_check(plain, ORIGIN)}", ORIGIN)


def test_a_coupon_of_another_ledger_is_noticed() -> None:
    texts = [format_coupon(Coupon(BOOK, place, secret), "other.example/huzhu") for place, secret in enumerate(SECRETS)]
    for text in texts:
        with pytest.raises(BadRowError, match="another ledger"):
            parse_coupon(text, ORIGIN)


def test_a_coupon_that_is_logged_does_not_tell_its_secret() -> None:
    coupon = Coupon(BOOK, 0, b"sixteen letters!")
    assert "sixteen" not in repr(coupon)
    assert b32encode(coupon.secret).decode()[:8] not in repr(coupon)


# What the home keeps


def text_of(place: int) -> str:
    """The text of one coupon of the book."""
    return format_coupon(Coupon(BOOK, place, SECRETS[place]), ORIGIN)


def a_state() -> State:
    """A ledger with one book."""
    state = State()
    state.coupon_books[BOOK] = CouponBook("00000098", ROOT, len(SECRETS), 120)
    return state


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A home with the leaves of the book."""
    made = Shelf(Home(tmp_path))
    made.put(ROOT, LEAVES)
    return made


def leaves_file(folder: Path) -> Path:
    """Where they are."""
    return folder / "coupons" / f"{ROOT.hex()}.leaves"


def test_the_file_has_the_leaves_and_no_secret(tmp_path: Path, shelf: Shelf) -> None:
    path = leaves_file(tmp_path)
    assert path.read_bytes() == b"".join(LEAVES)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert list(shelf.leaves(BOOK, a_state().coupon_books[BOOK])) == LEAVES


@pytest.mark.parametrize("place", range(7))
def test_evidence_proves_itself(shelf: Shelf, place: int) -> None:
    state = a_state()
    coupon = Coupon(BOOK, place, SECRETS[place])
    evidence = coupon_evidence(coupon, state, shelf)
    assert (evidence.form, evidence.book, evidence.index, evidence.secret) == ("coupon", BOOK, place, SECRETS[place])
    assert evidence.path is not None
    check_inclusion(leaf_hash(SECRETS[place]), place, 7, evidence.path, ROOT)
    assert standing(coupon, state, shelf) is None
    state.coupon_books[BOOK].used.add(place)
    assert standing(coupon, state, shelf) == "coupon-used"


@pytest.mark.parametrize(
    "coupon",
    [
        Coupon(BOOK + 1, 0, SECRETS[0]),
        Coupon(BOOK, 7, SECRETS[0]),
        Coupon(BOOK, 1, SECRETS[0]),
        Coupon(BOOK, 0, bytes(16)),
    ],
)
def test_a_coupon_of_no_book_is_invalid(shelf: Shelf, coupon: Coupon) -> None:
    state = a_state()
    assert standing(coupon, state, shelf) == "coupon-invalid"
    coupon_evidence(coupon, state, shelf)
    if coupon.index < 7 and coupon.book == BOOK:
        state.coupon_books[BOOK].used.add(coupon.index)
        assert standing(coupon, state, shelf) == "coupon-invalid"


@pytest.mark.parametrize(
    "raw",
    [None, b"", b"".join(LEAVES[:-1]), b"".join(LEAVES) + b"\0", b"".join(reversed(LEAVES)), bytes(7 * 32)],
    ids=["missing", "empty", "short", "long", "turned", "zero"],
)
def test_a_damaged_file_is_named_and_restored(tmp_path: Path, shelf: Shelf, raw: bytes | None) -> None:
    path, copy = leaves_file(tmp_path), tmp_path / "copy"
    path.rename(copy)
    if raw is not None:
        path.write_bytes(raw)
    state = a_state()
    book, coupon = state.coupon_books[BOOK], Coupon(BOOK, 0, SECRETS[0])
    with pytest.raises(DeskError, match=r"\.leaves, the leaves of book 57, .* `huzhu coupon restore`"):
        coupon_evidence(coupon, state, shelf)
    bad = tmp_path / "bad"
    bad.write_bytes(raw or b"x" * 1_000_000)
    with pytest.raises(DeskError, match="no copy"):
        shelf.restore(BOOK, book, bad)
    shelf.restore(BOOK, book, copy)
    assert standing(coupon, state, shelf) is None


def test_a_book_of_one_coupon_has_no_path(shelf: Shelf) -> None:
    root = leaf_hash(SECRETS[0])
    shelf.put(root, [root])
    assert shelf.path(60, CouponBook("00000098", root, 1, 120), 0) == ()
