"""Coupons: how an elder without a phone confirms a service (RULES §4).

The tier above prints a book of coupons for one recipient. Each carries a secret of 16 bytes; the log has the root of a
Merkle tree over SHA-256(0x00 ‖ secret): a coupon proves itself to anyone, and nobody can make one up.
"""

from collections.abc import Sequence

from chain.errors import ProofError
from chain.merkle import check_inclusion, leaf_hash, root_of
from ledger.bodies import CouponIssue, Evidence, Service
from ledger.signing import Claim
from ledger.state import Books, CouponBook, State


def book_root(secrets: Sequence[bytes]) -> bytes:
    """The root over the coupons of a book, in their order."""
    return root_of([leaf_hash(secret) for secret in secrets])


def coupon_issue(claim: Claim) -> str | None:
    """The same secrets must not serve twice by being issued twice."""
    body: CouponIssue = claim.entry.body
    return "coupon-used" if body.root in claim.state.coupon_roots else None


def issue_coupons(claim: Claim, books: Books) -> None:
    body: CouponIssue = claim.entry.body
    books.state.coupon_roots.add(body.root)
    books.state.coupon_books[claim.index] = CouponBook(body.account, body.root, body.count, body.minutes_max)


def coupon(state: State, body: Service) -> str | None:
    """Whether the coupon is of a book of the recipient's, not used, and good for so many minutes."""
    evidence = body.evidence
    book = state.coupon_books.get(evidence.book or 0)
    if book is None or book.account != body.recipient or not _is_of(book, evidence):
        return "coupon-invalid"
    if evidence.index in book.used:
        return "coupon-used"
    return "coupon-over" if body.minutes > book.minutes_max else None


def _is_of(book: CouponBook, evidence: Evidence) -> bool:
    leaf, index = leaf_hash(evidence.secret or b""), evidence.index or 0
    try:
        check_inclusion(leaf, index, book.count, evidence.path or (), book.root)
    except ProofError:
        return False
    return True


def use_coupon(state: State, evidence: Evidence) -> None:
    """Each serves once, also where the service is reversed later."""
    state.coupon_books[evidence.book or 0].used.add(evidence.index or 0)
