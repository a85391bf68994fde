"""The set-up pages at the beginning and the end: the code, the recovery sheets on paper, the home made of it all."""

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from web.i18n import LANGUAGES, language
from web.i18n import translate as _
from web.pages import sheet_paper
from web.pages.forms import EMPTY, Form, read_form
from web.pages.kit import HEADERS, LANGUAGE_COOKIE, LANGUAGE_SECONDS, local_path, redirect
from web.pages.pdfs import pdf_in_turn
from web.pages.setup_kit import FIRST, Finished, SetupKit
from web.pages.setup_village import summary
from web.problem import Problem
from web.recovery import Recovery, asked_places
from web.setup.answers import SHEETS
from web.setup.backup import practice_folder
from web.setup.gate import TYPED_MAX_CHARACTERS, GateError
from web.setup.making import make_home

WORD_MAX_CHARACTERS = 20
SAME_SITE = "same-origin"
"""What browsers say of a form of ours."""


def sheets_router(kit: SetupKit) -> APIRouter:
    """The routes."""
    router = kit.router()

    @router.get("/")
    async def first() -> Response:
        return redirect(FIRST)

    @router.get("/language")
    async def choose_language(to: str = "", back: str = FIRST) -> Response:
        response = redirect(local_path(back))
        if to in LANGUAGES:
            response.set_cookie(
                LANGUAGE_COOKIE, to, max_age=LANGUAGE_SECONDS, secure=kit.is_secure, httponly=True, samesite="lax"
            )
        return response

    @router.get("/setup")
    async def begin(request: Request) -> Response:
        if kit.secret_of(request) is None:
            return kit.page(request, "code.html", form=EMPTY)
        return kit.page(request, "begin.html", practice=practice_folder(kit.folder).name)

    @router.post("/setup")
    async def enter(request: Request) -> Response:
        if request.headers.get("sec-fetch-site", SAME_SITE) != SAME_SITE:
            text = _("another site's page sent this: open the address that the terminal shows")
            raise Problem(403, "other-site", _("not allowed"), text)
        form = await read_form(request)
        try:
            secret = kit.gate.enter(form.text("code", TYPED_MAX_CHARACTERS))
        except GateError as error:
            form.flaw("code", str(error))
            return kit.page(request, "code.html", 422, form=form)
        return kit.let_in(redirect(FIRST), secret)

    @router.get("/setup/sheets")
    async def sheets(request: Request) -> Response:
        kit.check_step(request, SHEETS)
        if kit.answers.is_plain:
            return kit.go_on()
        return _sheets_page(kit, request, EMPTY)

    @router.post("/setup/sheets")
    async def check_sheets(request: Request) -> Response:
        form = await kit.form(request)
        kit.check_step(request, SHEETS)
        if form.get("others"):
            kit.answers.draw_sheets()
            return redirect("/setup/sheets")
        check_words(form, kit.answers.sheets())
        if form.flaws:
            return _sheets_page(kit, request, form, 422)
        kit.answers.is_printed = True
        return kit.go_on()

    @router.get("/setup/sheets/paper")
    async def paper(request: Request) -> Response:
        kit.check_step(request, SHEETS)
        body = paper_of(kit)
        return Response(body, 200, HEADERS | {"Content-Language": language()}, "text/html; charset=utf-8")

    @router.get("/setup/sheets/paper.pdf")
    async def pdf(request: Request) -> Response:
        kit.check_step(request, SHEETS)
        raw = await pdf_in_turn(paper_of(kit, is_alone=True))
        return Response(raw, 200, {"Cache-Control": "no-store"}, "application/pdf")

    @router.get("/setup/found")
    async def review(request: Request) -> Response:
        kit.check_in(request)
        if kit.answers.next_step is not None:
            return kit.go_on()
        return kit.page(request, "found.html", rows=summary(kit.answers))

    @router.post("/setup/found")
    async def found(request: Request) -> Response:
        await kit.form(request)
        if kit.answers.next_step is not None:
            return kit.go_on()
        async with kit.making:
            if kit.finished is None:
                vkey = await to_thread.run_sync(make_home, kit.folder, kit.answers, kit.create)
                kit.finished = Finished(kit.folder, kit.answers.passphrase, vkey)
        return redirect("/setup/done")

    @router.get("/setup/done")
    async def done(request: Request) -> Response:
        kit.check_in(request)
        if kit.finished is None:
            return kit.go_on()
        return kit.page(request, "done.html", finished=kit.finished, folder=kit.finished.folder.absolute())

    return router


def check_words(form: Form, recovery: Recovery) -> None:
    """Whether two words of each sheet were given back; a flaw beside each that was not."""
    for sheet, places in zip(recovery.sheets, asked_places(recovery), strict=True):
        for place in places:
            name = f"word-{sheet.number}-{place}"
            typed = form.text(name, WORD_MAX_CHARACTERS, is_needed=True).casefold()
            if typed and typed != sheet.words[place - 1]:
                text = _("sheet {sheet} has another word {number}: look at that sheet once more")
                form.flaw(name, text.format(sheet=sheet.number, number=place))


def paper_of(kit: SetupKit, *, is_alone: bool = False) -> str:
    """The three sheets, a page each; alone there is nothing else with them, as on paper."""
    village = kit.answers.village
    name, origin = ("", "") if village is None else (village.name, village.origin)
    return sheet_paper.paper_of(kit.answers.sheets().sheets, name, origin, is_alone=is_alone)


def _sheets_page(kit: SetupKit, request: Request, form: Form, status: int = 200) -> Response:
    recovery = kit.answers.sheets()
    asked = [(sheet.number, places) for sheet, places in zip(recovery.sheets, asked_places(recovery), strict=True)]
    number = recovery.sheets[0].set_number
    return kit.page(request, "sheets.html", status, form=form, asked=asked, set_number=number)
