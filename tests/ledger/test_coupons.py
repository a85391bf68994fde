"""Coupons: every one of a book proves itself, and nothing else does."""

import datetime

import msgspec
import pytest

from chain.fields import UTC
from chain.limits import COUPONS_MAX
from chain.merkle import leaf_hash, levels_of, path_in, root_of
from ledger.bodies import Evidence, Service
from ledger.coupons import book_root, coupon, use_coupon
from ledger.numbers import account_number
from ledger.state import CouponBook, State
from tests.scenarios.script import coupon_secrets

LI, SUN, WANG = (account_number(number) for number in (1, 2, 3))
BOOK = 7
NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_book(count: int) -> tuple[State, list[Evidence]]:
    """A state with a book for Li, and all its coupons."""
    secrets = coupon_secrets("b1", count)
    levels = levels_of([leaf_hash(secret) for secret in secrets])
    state = State(coupon_books={BOOK: CouponBook(LI, book_root(secrets), count, 60)})
    return state, [
        Evidence(form="coupon", book=BOOK, index=index, path=tuple(path_in(levels, index)), secret=secret)
        for index, secret in enumerate(secrets)
    ]


def visit(evidence: Evidence, recipient: str = LI, minutes: int = 60) -> Service:
    return Service(
        category="assistance",
        end=NOON,
        evidence=evidence,
        minutes=minutes,
        paid_by="issue",
        provider=WANG,
        recipient=recipient,
        start=NOON - datetime.timedelta(hours=1),
    )


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 31, 33, COUPONS_MAX])
def test_every_coupon_serves_once(count: int) -> None:
    state, coupons = a_book(count)
    for evidence in coupons:
        assert coupon(state, visit(evidence)) is None
        use_coupon(state, evidence)
        assert coupon(state, visit(evidence)) == "coupon-used"
    assert state.coupon_books[BOOK].used == set(range(count))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13])
def test_nothing_else_does(count: int) -> None:
    state, coupons = a_book(count)
    for evidence in coupons:
        secret, path = evidence.secret or b"", evidence.path or ()
        others: list[dict[str, object]] = [{"index": index} for index in range(count + 2) if index != evidence.index]
        others += [{"secret": secret[:place] + bytes([secret[place] ^ 1]) + secret[place + 1 :]} for place in range(16)]
        others += [{"path": (*path[:place], *path[place + 1 :])} for place in range(len(path))]
        others += [{"path": (*path, bytes(32))}, {"path": (bytes(32), *path)}, {"book": BOOK + 1}, {"book": 0}]
        others += [{"path": path[::-1]}] if path != path[::-1] else []
        for wrong in others:
            assert coupon(state, visit(msgspec.structs.replace(evidence, **wrong))) == "coupon-invalid", wrong


def test_a_hash_inside_the_tree_is_no_coupon() -> None:
    """A leaf is hashed otherwise than a node: two secrets next to each other, or a hash, are not one."""
    secrets = coupon_secrets("b1", 4)
    state, _ = a_book(4)
    left, right = (root_of([leaf_hash(secret) for secret in pair]) for pair in (secrets[:2], secrets[2:]))
    for secret in (left[:16], left[16:], secrets[0] + secrets[1], left):
        forged = Evidence(form="coupon", book=BOOK, index=0, path=(right,), secret=secret)
        assert coupon(state, visit(forged)) == "coupon-invalid"


def test_it_is_the_recipients_and_has_an_end() -> None:
    state, (first, *_) = a_book(3)
    assert coupon(state, visit(first, recipient=SUN)) == "coupon-invalid"
    assert coupon(state, visit(first, minutes=61)) == "coupon-over"
    use_coupon(state, first)
    assert coupon(state, visit(first, minutes=61)) == "coupon-used"
