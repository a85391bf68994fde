"""Coupons at the desk: the books, whether a coupon is good, and a new book (RULES §4).

A book is proposed by one and signed by another of those who may issue it: the tier above, or so many members as the
threshold asks where there is none, and never a clerk. Its secrets wait in the draft and are erased with it. When the
book is on the ledger its page waits on the home's shelf until somebody says that it is printed, and is then forgotten
here; who fetches it until then is on the record of the account's looks.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from chain.fields import COUPON_SECRET_BYTES
from chain.merkle import leaf_hash, root_of
from ledger.bodies import CouponIssue
from store.drafts import Draft
from store.home import Home
from store.log import StoreError
from web.access.who import CLERK, MEMBER, SUPERVISOR, Who
from web.couponbooks import Book, draw_html
from web.coupons import Coupon, Shelf, parse_coupon, standing
from web.desk import DeskNode
from web.i18n import language
from web.i18n import translate as _
from web.pages.approvals import known, propose
from web.pages.desk_signing import BEFORE_COMMIT, REFUSED, TWO_AUTHORITIES, Desk, body_of
from web.pages.desk_words import told
from web.pages.forms import EMPTY, Form
from web.pages.kit import Kit
from web.pages.names import Names
from web.pages.pdfs import pdf_in_turn
from web.problem import Problem
from web.table import BadRowError
from web.text import hours_of, local_date, sentence

BOOK_DEFAULT, MINUTES_DEFAULT = 24, 240
BOOK_MAX = 240
"""As many coupons has a book made here: its page is drawn while the writer waits. Larger ones are for the command."""
DAY_MINUTES = 1_440
SHOWN_MAX = 200
COUPONS = "coupons"
"""What was looked at, in the record of looks."""
LANGUAGE_BYTES = 2


@dataclass(frozen=True, slots=True)
class Shown:
    """A book as it is listed."""

    index: int
    account: str
    count: int
    used: int
    minutes_max: int
    waits: bool
    """Whether its page was not fetched and printed yet."""


def coupon_router(kit: Kit, names: Names) -> APIRouter:
    """The routes."""
    router = kit.router()

    @router.get("/desk/coupons")
    async def books(request: Request) -> Response:
        _keeper(kit, request, CLERK, MEMBER, SUPERVISOR)
        return await _page(kit, names, request, EMPTY)

    @router.post("/desk/coupons/look")
    async def look(request: Request) -> Response:
        who, form = _keeper(kit, request, CLERK, MEMBER), await kit.form(request)
        try:
            slip = parse_coupon(form.text("coupon", 200, is_needed=True), kit.settings.origin)
        except BadRowError as error:
            form.flaw("coupon", str(error))
            return await _page(kit, names, request, form, status=422)
        outcome, account, minutes = await kit.writer.ask(lambda node: _standing(node, kit.home, slip))
        if outcome:
            said = _("coupon {number} of book {book}: {why}")
            said = said.format(number=slip.number, book=slip.book, why=sentence(outcome))
            return await _page(kit, names, request, EMPTY, said, is_good=False)
        person = f"{(await known(names, request, who, [account]))[account]} {account}".strip()
        said = _("coupon {number} of book {book} is good, for {person}, up to {hours} h")
        said = said.format(number=slip.number, book=slip.book, person=person, hours=hours_of(minutes))
        return await _page(kit, names, request, EMPTY, said)

    @router.post("/desk/coupons")
    async def issue(request: Request) -> Response:
        who, form = _keeper(kit, request, MEMBER, SUPERVISOR), await kit.form(request)
        account = form.account("account")
        count = form.number("count", 1, BOOK_MAX)
        minutes = form.number("minutes_max", 1, DAY_MINUTES)
        if form.flaws or count is None or minutes is None:
            return await _page(kit, names, request, form, status=422)
        drawn = [secrets.token_bytes(COUPON_SECRET_BYTES) for _place in range(count)]
        body = CouponIssue(account=account, count=count, minutes_max=minutes, root=root_of(list(map(leaf_hash, drawn))))
        private = language().encode() + b"".join(drawn)
        decision = await propose(kit, who, body, TWO_AUTHORITIES, private=private)
        return kit.see(request, "/desk/coupons", told(decision), is_good=decision.state != REFUSED)

    @router.get("/desk/coupons/{index}/page")
    async def fetch(request: Request, index: int) -> Response:
        who = _keeper(kit, request, MEMBER, SUPERVISOR)
        path = await kit.writer.ask(lambda node: _waiting_page(node, kit.home, index))
        if path is None:
            raise Problem(404, "no-page", _("no page"), _("the page of this book was printed, or is not here"))
        book = await kit.writer.ask(lambda node: node.entry(index).body)
        await to_thread.run_sync(kit.may_look, who, COUPONS, book.account)
        raw = await pdf_in_turn(await to_thread.run_sync(path.read_text, "utf-8"))
        headers = {"Content-Disposition": f'attachment; filename="coupons-{index}.pdf"', "Cache-Control": "no-store"}
        return Response(raw, media_type="application/pdf", headers=headers)

    @router.post("/desk/coupons/{index}/printed")
    async def printed(request: Request, index: int) -> Response:
        _keeper(kit, request, MEMBER, SUPERVISOR)
        await kit.form(request)
        path = await kit.writer.ask(lambda node: _waiting_page(node, kit.home, index))
        if path is not None:
            path.unlink(missing_ok=True)
        return kit.see(request, "/desk/coupons", _("the page is forgotten here; the paper is the only one now"))

    return router


def shelve(desk: Desk, issued: Sequence[tuple[Draft, int]], _since: int) -> None:
    """Put the leaves of books and their pages on the shelf, just before the books are on the ledger."""
    node, shelf = desk.node, Shelf(desk.home)
    for draft, index in issued:
        body = body_of(draft)
        spoken, raw = draft.private[:LANGUAGE_BYTES].decode(), draft.private[LANGUAGE_BYTES:]
        if not isinstance(body, CouponIssue) or len(raw) != body.count * COUPON_SECRET_BYTES:
            raise StoreError(f"draft {draft.id}")
        drawn = [raw[at : at + COUPON_SECRET_BYTES] for at in range(0, len(raw), COUPON_SECRET_BYTES)]
        date = local_date(node.entry(index).at, node.state.utc_offset)
        shelf.put(body.root, list(map(leaf_hash, drawn)))
        book, name = Book(node.origin, index, body, date, drawn), desk.home.node_settings().name
        shelf.put_page(body.root, draw_html(book, spoken, name).encode())


BEFORE_COMMIT["coupon_issue"] = shelve


def _standing(node: DeskNode, home: Home, slip: Coupon) -> tuple[str, str, int]:
    """Why a coupon cannot be used ("" where it can), whose it is, and for how many minutes."""
    outcome = standing(slip, node.state, Shelf(home)) or ""
    book = node.state.coupon_books.get(slip.book)
    return (outcome, "", 0) if book is None else (outcome, book.account, book.minutes_max)


def _waiting_page(node: DeskNode, home: Home, index: int) -> Path | None:
    return dict(Shelf(home).unplaced(node.state)).get(index)


def _books(node: DeskNode, home: Home) -> list[Shown]:
    """The newest first."""
    waiting = dict(Shelf(home).unplaced(node.state))
    found = []
    for index, book in reversed(node.state.coupon_books.items()):
        used = len(book.used)
        found.append(Shown(index, book.account, book.count, used, book.minutes_max, index in waiting))
        if len(found) == SHOWN_MAX:
            break
    return found


def _keeper(kit: Kit, request: Request, *roles: str) -> Who:
    """Somebody in one of these roles; a supervisor only where this node's ledger is one that they oversee."""
    who = kit.who(request, *roles)
    kit.guard.check_ledger(who, kit.settings.origin)
    return who


async def _page(
    kit: Kit, names: Names, request: Request, form: Form, said: str = "", *, is_good: bool = True, status: int = 200
) -> Response:
    who = _keeper(kit, request, CLERK, MEMBER, SUPERVISOR)
    books = await kit.writer.ask(lambda node: _books(node, kit.home))
    people = await known(names, request, who, {book.account for book in books})
    return kit.page(
        request,
        "desk/coupons.html",
        status,
        books=[(book, f"{people.get(book.account, '')} {book.account}".strip()) for book in books],
        form=form,
        said=said,
        is_good=is_good,
        may_issue=who.role in (MEMBER, SUPERVISOR),
        count=BOOK_DEFAULT,
        minutes=MINUTES_DEFAULT,
    )
