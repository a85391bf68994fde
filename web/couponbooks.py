"""Books of coupons: made, written onto the ledger, and printed on sheets to be cut up (RULES §4).

A book is made in this order: leaves on disk, page on disk as ``coupons/<root>.page``, entry on disk, page to where it
was asked for. A crash before the entry is on disk leaves leaves of no book and perhaps a page: the next book drops
both. A crash after it leaves the page to be fetched: ``Shelf.unplaced``.

An A4 page has 24 coupons, three beside each other, line by line in the order of their numbers.
"""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from chain.fields import COUPON_SECRET_BYTES, Time
from chain.merkle import leaf_hash, root_of
from ledger.bodies import CouponIssue
from web.coupons import FIELD, Coupon, Shelf, format_coupon
from web.desk import Accepted, DeskNode, Result, refusal
from web.export import in_folder
from web.i18n import translate as _
from web.keyring import Pair
from web.printing import pdf_of, qr_svg, render
from web.problems import DeskError
from web.refused import Draft
from web.session import now
from web.text import local_date

PDF, HTML = ".pdf", ".html"
TEMPLATE = "coupons.html"
COLUMNS, ROWS = 3, 8
COUPON_MM, ROW_MM, COVER_MM = 64.6, 34, 8.5
QR_BORDER_MODULES = 2
"""As many again are white around the drawing, which makes the norm's four."""
GROUP_CHARACTERS = 4
GROUPS_A_LINE = 4


@dataclass(frozen=True, slots=True)
class Book:
    """A book on its way onto paper. It is never kept: the secrets are in it."""

    origin: str
    index: int
    body: CouponIssue
    date: str
    secrets: Sequence[bytes] = field(repr=False)

    def texts(self) -> list[str]:
        """The text of each coupon, in their order."""
        coupons = (Coupon(self.index, place, secret) for place, secret in enumerate(self.secrets))
        return [format_coupon(coupon, self.origin) for coupon in coupons]


@dataclass(frozen=True, slots=True)
class BookOrder:
    """A book to be made: for whom, how many coupons, for how long each, and where its page goes, in which language."""

    account: str
    count: int
    minutes_max: int
    output: Path
    language: str
    name: str = ""
    """What people call the ledger."""


def issue_book(
    node: DeskNode, pair: Pair, shelf: Shelf, order: BookOrder, at: Time | None
) -> tuple[Result, CouponIssue]:
    """Make a book; raises DeskError where its page cannot be made. What is refused leaves nothing behind."""
    _check_output(order.output)
    shelf.drop_orphans(node.state)
    drawn = [secrets.token_bytes(COUPON_SECRET_BYTES) for _place in range(order.count)]
    leaves = list(map(leaf_hash, drawn))
    body = CouponIssue(account=order.account, count=order.count, minutes_max=order.minutes_max, root=root_of(leaves))
    expected = _book(node, node.state.size, body, at or now(), drawn)
    with closing(Draft(order.output)) as draft:
        try:
            shelf.put(body.root, leaves)
            shelf.put_page(body.root, draw_page(expected, order))
            (result,) = node.write(pair.author, pair.beside, [body], at)
        except BaseException:
            _drop_unwritten(node, shelf, body)
            raise
        if refusal(result) is not None:
            shelf.drop(body.root)
            return result, body
        index = cast(Accepted, result).index
        book = _book(node, index, body, node.entry(index).at, drawn)
        if book != expected:  # a seal took its index, or midnight came
            shelf.put_page(body.root, draw_page(book, order))
        _place(draft, shelf, body.root)
    return result, body


def draw_page(book: Book, order: BookOrder) -> bytes:
    """The sheets of a book, as the name of the file asks."""
    html = draw_html(book, order.language, order.name)
    return pdf_of(html) if order.output.suffix.lower() == PDF else html.encode()


def draw_html(book: Book, language: str, name: str = "") -> str:
    """The sheets of a book as one page that stands alone."""
    coupons = list(_drawings(book))
    a_page = COLUMNS * ROWS
    pages = [coupons[start : start + a_page] for start in range(0, len(coupons), a_page)]
    return render(TEMPLATE, language, book=book, pages=pages, name=name)


def typed_lines(text: str) -> list[str]:
    """A coupon's text in three lines, its secret in groups, for somebody who types it."""
    *head, secret, check = text.split(FIELD)
    groups = [secret[start : start + GROUP_CHARACTERS] for start in range(0, len(secret), GROUP_CHARACTERS)]
    first, second = " ".join(groups[:GROUPS_A_LINE]), " ".join(groups[GROUPS_A_LINE:])
    return [FIELD.join(head) + FIELD, first, f"{second}{FIELD}{check}"]


def _drawings(book: Book) -> Iterator[dict[str, Any]]:
    """What the page says of each coupon, and where on its page it stands."""
    for place, text in enumerate(book.texts()):
        row, column = divmod(place % (COLUMNS * ROWS), COLUMNS)
        yield {
            "number": place + 1,
            "qr": qr_svg(text, QR_BORDER_MODULES),
            "typed": typed_lines(text),
            "edges": ("" if row else " first-row") + ("" if column else " first-column"),
            "left": round(column * COUPON_MM, 1),
            "top": COVER_MM + row * ROW_MM,
        }


def _book(node: DeskNode, index: int, body: CouponIssue, at: Time, drawn: Sequence[bytes]) -> Book:
    state = node.state
    return Book(node.origin, index, body, local_date(state.log_time(at), state.utc_offset), drawn)


def _drop_unwritten(node: DeskNode, shelf: Shelf, body: CouponIssue) -> None:
    """Forget a book unless its entry is on disk all the same, as where only what follows a commit failed."""
    if all(book.root != body.root for book in node.state.coupon_books.values()):
        shelf.drop(body.root)


def _place(draft: Draft, shelf: Shelf, root: bytes) -> None:
    """Put the page where it was asked for; where that fails it goes on waiting.

    Only on another file system it is copied: there a kill could leave a draft with secrets beside it.
    """
    waiting = shelf.page(root)
    try:
        if not _is_linked(waiting, draft.path):
            draft.write(waiting.read_bytes())
            draft.finish()
            draft.place()
    except OSError as error:
        error.add_note(_("the book is on the ledger; its page waits in {path}").format(path=waiting))
        raise
    shelf.drop_page(root)


def _is_linked(waiting: Path, output: Path) -> bool:
    """Give a page its second name, whole at once; whether the file systems allow it."""
    try:
        os.link(waiting, output)
    except OSError:
        return False
    return True


def _check_output(path: Path) -> None:
    """A page goes into a new file: an older book's coupons may not all be torn off yet."""
    if path.suffix.lower() not in (PDF, HTML):
        raise DeskError(_("{path} must end in .pdf or .html").format(path=path))
    in_folder(path)
    if path.exists() or path.is_symlink():
        raise DeskError(_("{path} is there already: name a new file for the coupons").format(path=path))
