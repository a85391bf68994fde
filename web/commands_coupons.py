"""Commands about coupons: books for elders without a phone, and what one coupon is worth."""

import os
import sys
from gettext import gettext as _
from pathlib import Path
from typing import Any, cast

import click

from chain.encoding import format_base64
from chain.limits import COUPONS_MAX
from ledger.state import CouponBook
from web.command import (
    DONE,
    READS,
    WRITES_OF_TWO,
    WRONG,
    Cell,
    Group,
    Number,
    argument,
    file_argument,
    file_option,
    option,
    pass_session,
)
from web.coupons import INVALID, TEXT_MAX_CHARACTERS, Coupon, Shelf, parse_coupon, standing
from web.daysheet import DAY_MINUTES, parse_account
from web.desk import Accepted, DeskNode, refusal
from web.export import STDOUT
from web.i18n import CHINESE, marked
from web.problems import DeskError
from web.session import Session, is_terminal, say
from web.table import BadRowError
from web.text import columns, sentence

BOOK = Number(min=0)
A_PAGE = 24


@click.group(cls=Group)
def coupon() -> None:
    """Books of coupons, for elders without a phone.

    The elder tears one off after a service and gives it to the volunteer, who brings it to the desk. Two people of the
    tier above sign for a book, or where there is none the members; never a clerk.
    """


@coupon.command(
    "issue",
    example="huzhu coupon issue 87654342 --count 24 --minutes-max 120 -o coupons.pdf",
    takes=WRITES_OF_TWO,
)
@argument("account", type=Cell("ACCOUNT", parse_account))
@option("--count", type=Number(1, COUPONS_MAX), default=A_PAGE, show_default=True, help=marked("How many coupons."))
@option(
    "--minutes-max", type=Number(1, DAY_MINUTES), required=True, help=marked("For how many minutes one serves at most.")
)
@file_option("-o", "--output", required=True, help=marked("New file for the sheets to print: .pdf or .html."))
@pass_session
def issue(session: Session, account: str, count: int, minutes_max: int, output: Path) -> int:
    """Issue and print a book of coupons.

    ACCOUNT is that of the elder. The file holds what each coupon is worth: print it, then delete it.
    """
    from web.couponbooks import BookOrder, issue_book

    name = session.home.node_settings().name
    order = BookOrder(account, count, minutes_max, output, os.environ.get("LANGUAGE", CHINESE), name)
    shelf = Shelf(session.home)
    with session.writing() as (node, keyring):
        _say_unplaced(node, shelf)
        pair = keyring.authorities()
        result, body = issue_book(node, pair, shelf, order, session.at)
        session.say_result_time(node, result)
    if refusal(result) is not None:
        return session.report(result, body)
    book = cast(Accepted, result).index
    plain = {"book": book, "root": format_base64(body.root), "count": count, "file": str(output)}
    session.print(
        {"accepted": True, "index": book} | plain,
        [_("book {book} of {count} coupons: print {path}, then delete it").format(book=book, count=count, path=output)],
    )
    return DONE


@coupon.command("show", example="huzhu coupon show", takes=READS)
@argument("book", type=BOOK, required=False)
@pass_session
def show(session: Session, book: int | None) -> None:
    """Show the books, or one of them.

    With how many of their coupons were used, and how many are left.
    """
    with session.reading() as node:
        books = node.state.coupon_books if book is None else {book: _known(node, book)}
        plain = [_plain_book(index, each) for index, each in books.items()]
        _say_unplaced(node, Shelf(session.home))
    heads = [_("book"), _("account"), _("coupons"), _("used so far"), _("still left"), _("minutes each, at most")]
    rows = [[str(cell) for cell in each.values()] for each in plain]
    session.print(plain if book is None else plain[0], columns([heads, *rows], right=range(6)))


@coupon.command("check", example="huzhu coupon check -", takes=READS)
@argument("text", required=False)
@pass_session
def check(session: Session, text: str | None) -> int:
    """Look at a coupon without using it.

    TEXT is what its code says; - reads it from standard input. Status 1 where the coupon cannot be used.
    """
    text = ask_coupon(text)
    with session.reading() as node:
        try:
            found = parse_coupon(text, node.origin)
        except BadRowError as error:
            return _report_check(session, {}, INVALID, str(error))
        book = node.state.coupon_books.get(found.book)
        outcome = standing(found, node.state, Shelf(session.home))
    if book is None or outcome == INVALID:
        return _report_check(session, {}, INVALID, sentence(INVALID))
    return _report_check(session, _plain_coupon(found, book), outcome, sentence(outcome or ""))


@coupon.command("restore", example="huzhu coupon restore 18 18.leaves")
@argument("book", type=BOOK)
@file_argument("file")
@pass_session
def restore(session: Session, book: int, file: Path) -> None:
    """Take back a copy of what the home keeps of a book.

    FILE is a copy of the book's file in the home's folder `coupons`; no coupon can be read from it.
    """
    with session.reading() as node:
        Shelf(session.home).restore(book, _known(node, book), file)
    say(_("the coupons of book {book} can be used again").format(book=book))


def ask_coupon(text: str | None) -> str:
    """A coupon's text: as given, from standard input for ``-``, or from whoever sits there, as a scanner types it."""
    if text is not None and text != STDOUT:
        return text
    if is_terminal():
        return click.prompt(_("Coupon"), err=True)
    if text is None:
        raise click.UsageError(_("give the coupon's text, or - to read it from standard input"))
    return sys.stdin.buffer.readline(TEXT_MAX_CHARACTERS + 1).decode(errors="replace")


def _known(node: DeskNode, book: int) -> CouponBook:
    found = node.state.coupon_books.get(book)
    if found is None:
        raise DeskError(_("there is no book {book}: `huzhu coupon show` lists them").format(book=book))
    return found


def _plain_book(index: int, book: CouponBook) -> dict[str, Any]:
    used = len(book.used)
    return {
        "book": index,
        "account": book.account,
        "count": book.count,
        "used": used,
        "left": book.count - used,
        "minutes_max": book.minutes_max,
    }


def _plain_coupon(found: Coupon, book: CouponBook) -> dict[str, Any]:
    return {
        "book": found.book,
        "number": found.number,
        "count": book.count,
        "account": book.account,
        "minutes_max": book.minutes_max,
    }


def _report_check(session: Session, plain: dict[str, Any], outcome: str | None, detail: str) -> int:
    """Say what a coupon is: where it can be used on stdout, why it cannot on stderr."""
    answer = {"valid": outcome is None, "outcome": outcome, "detail": detail or None} | plain
    text = _("coupon {number} of {count} of book {book}, of account {account}: good for up to {minutes_max} min")
    session.print(answer, [text.format(**plain)] if outcome is None else [])
    if outcome is not None and not session.settings.as_json:
        say(f"{outcome}: {detail}")
    return DONE if outcome is None else WRONG


def _say_unplaced(node: DeskNode, shelf: Shelf) -> None:
    """Say which printed pages nobody has fetched."""
    for book, path in shelf.unplaced(node.state):
        text = _("the page of book {book} never came to its place: it waits in {path}; print it, then delete it")
        say(text.format(book=book, path=path))
