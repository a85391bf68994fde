"""On paper: passbook page, receipt, certificate of hours and postings, for the desk and for one's own account.

A clerk and a member print for anybody of their ledger, below ``/paper``, and each look at an account is recorded; a
person prints what is their own, below ``/me/paper``. Every sheet is a page to look at and, with ``.pdf`` behind its
address, a PDF. No name stands on any of them: it is written in by hand, as it is on no ledger either.
"""

import re

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from web.access.who import CLERK, MEMBER, PERSON, Who
from web.i18n import translate as _
from web.pages.forms import ACCOUNT, EMPTY, Form
from web.pages.kit import Kit, redirect
from web.pages.paper_desk import PaperDesk
from web.pages.paper_reading import Month
from web.pages.paper_sheets import Sheet, pdf_answer, show
from web.problem import Problem
from web.service.answers import no_account

MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")
PDF = ".pdf"
PASSBOOK, CERTIFICATE, RECEIPT = "passbook", "certificate", "receipt"
"""What is recorded as looked at."""


def paper_router(kit: Kit) -> APIRouter:
    """The routes."""
    router = kit.router()
    desk = PaperDesk(kit)

    async def answer(request: Request, sheet: Sheet, back: str) -> Response:
        if request.url.path.endswith(PDF):
            return await pdf_answer(kit, request, sheet)
        return show(kit, request, sheet, back)

    # At the desk

    @router.get("/paper")
    async def choose(request: Request) -> Response:
        kit.who(request, CLERK, MEMBER)
        return await chosen(request, EMPTY)

    @router.post("/paper")
    async def go(request: Request) -> Response:
        kit.who(request, CLERK, MEMBER)
        form = await kit.form(request)
        address = _address(form)
        return await chosen(request, form, 422) if form.flaws else redirect(address)

    async def chosen(request: Request, form: Form, status: int = 200) -> Response:
        today = await desk.today()
        month = Month(today.year, today.month)
        values = {"today": today, "first": today.replace(month=1, day=1), "months": [month, month.before]}
        return kit.page(request, "paper/choose.html", status, form=form, **values)

    @router.get("/paper/posting/{month}")
    @router.get("/paper/posting/{month}.pdf")
    async def posting(request: Request, month: str) -> Response:
        kit.who(request, CLERK, MEMBER)
        return await answer(request, await desk.posting(_month(month.removesuffix(PDF))), "/paper")

    @router.get("/paper/held")
    @router.get("/paper/held.pdf")
    async def held(request: Request) -> Response:
        kit.who(request, CLERK, MEMBER)
        return await answer(request, await desk.held(), "/paper")

    @router.get("/paper/passbook/{number}")
    async def passbook(request: Request, number: str, before: int | None = None) -> Response:
        number = _number(number)
        await looked(kit.who(request, CLERK, MEMBER), PASSBOOK, number)
        return await answer(request, await desk.passbook(number, before), "/paper")

    @router.get("/paper/hours/{number}")
    async def hours(
        request: Request, number: str, first: str = "", last: str = "", receipts: bool = False
    ) -> Response:
        number = _number(number)
        await looked(kit.who(request, CLERK, MEMBER), CERTIFICATE, number)
        return await answer(request, await desk.certificate(number, first, last, receipts), "/paper")

    @router.get("/paper/entry/{index}")
    async def entry(request: Request, index: str) -> Response:
        who, place = kit.who(request, CLERK, MEMBER), _index(index)
        for number in sorted(filter(ACCOUNT.fullmatch, desk.numbers(place))):
            await looked(who, RECEIPT, number)
        return await answer(request, await desk.receipt(place), "/paper")

    # One's own

    @router.get("/me/paper")
    async def choose_own(request: Request) -> Response:
        own(request)
        today = await desk.today()
        return kit.page(request, "paper/own.html", form=EMPTY, today=today, first=today.replace(month=1, day=1))

    @router.get("/me/paper/passbook")
    @router.get("/me/paper/passbook.pdf")
    async def own_passbook(request: Request, before: int | None = None) -> Response:
        return await answer(request, await desk.passbook(own(request).account, before), "/me/paper")

    @router.get("/me/paper/hours")
    @router.get("/me/paper/hours.pdf")
    async def own_hours(request: Request, first: str = "", last: str = "", receipts: bool = False) -> Response:
        sheet = await desk.certificate(own(request).account, first, last, receipts)
        return await answer(request, sheet, "/me/paper")

    @router.get("/me/paper/entry/{index}")
    async def own_entry(request: Request, index: str) -> Response:
        who, place = own(request), _index(index)
        if not desk.is_about(place, who.account):
            text = _("entry {index} is not about your account").format(index=place)
            raise Problem(403, "not-allowed", _("not your page"), text)
        return await answer(request, await desk.receipt(place), "/me/paper")

    async def looked(who: Who, what: str, number: str) -> None:
        if kit.ledgers.own.account(number) is None:
            raise no_account(number)
        await to_thread.run_sync(kit.may_look, who, what, number)

    def own(request: Request) -> Who:
        who = kit.who(request, PERSON)
        if who.ledger != kit.settings.origin or kit.ledgers.own.account(who.account) is None:
            text = _("your sign-in belongs to no account of this ledger: ask at the village desk")
            raise Problem(403, "no-account", _("no passbook"), text)
        return who

    return router


def _address(form: Form) -> str:
    """Where the sheet is that a form asks for; "" where something is wrong with it."""
    match form.choice("what", ("passbook", "hours", "posting", "entry")):
        case "passbook":
            return f"/paper/passbook/{form.account('account')}"
        case "hours":
            first, last = form.date("first"), form.date("last")
            return f"/paper/hours/{form.account('account')}?first={first}&last={last}"
        case "posting":
            month = form.text("month", 7, is_needed=True)
            if month and not MONTH.fullmatch(month):
                form.flaw("month", _("a month, like 2026-11"))
            return f"/paper/posting/{month}"
        case "entry":
            return f"/paper/entry/{form.number('index', 0, 2**53 - 1)}"
    form.flaw("what", _("choose one of those offered"))
    return ""


def _number(text: str) -> str:
    number = text.removesuffix(PDF)
    if not ACCOUNT.fullmatch(number):
        raise no_account(number[:32])
    return number


def _index(text: str) -> int:
    index = text.removesuffix(PDF)
    if not re.fullmatch(r"[0-9]{1,15}", index):
        raise Problem(404, "no-entry", _("no such entry"), _("an entry has a number"))
    return int(index)


def _month(text: str) -> Month:
    found = MONTH.fullmatch(text)
    if found is None:
        raise Problem(404, "no-month", _("no such month"), _("a month, like 2026-11"))
    return Month(int(found[1]), int(found[2]))
