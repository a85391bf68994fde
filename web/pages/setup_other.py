"""The set-up pages for those who do not begin anew: a home out of a backup, or a ledger to practise on."""

from pathlib import Path

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from store.home import Home, is_vacant
from web.access.passwords import PASSWORD_MIN_CHARACTERS
from web.i18n import translate as _
from web.pages.forms import EMPTY, Form
from web.pages.kit import redirect
from web.pages.setup_kit import Finished, SetupKit
from web.pages.setup_village import read_passphrase
from web.practice import is_practice, make_practice
from web.problems import DeskError
from web.recovery import NEEDED, TYPED_MAX_CHARACTERS, Sheet, SheetError, read_sheet, secret_of
from web.setup.backup import find_backups, practice_folder, restore_backup

PATH_MAX_CHARACTERS = 1_000
OTHER = "other"


def other_router(kit: SetupKit) -> APIRouter:
    """The routes."""
    router = kit.router()

    @router.get("/setup/recover")
    async def ask(request: Request) -> Response:
        kit.check_in(request)
        return await _recover_page(kit, request, EMPTY)

    @router.post("/setup/recover")
    async def recover(request: Request) -> Response:
        form = await kit.form(request)
        chosen = form.text("backup", PATH_MAX_CHARACTERS)
        backup = form.text("folder", PATH_MAX_CHARACTERS) if chosen in ("", OTHER) else chosen
        if not backup:
            form.flaw("folder", _("choose the backup, or type the folder that it lies in"))
        sheets = _sheets(form)
        passphrase = read_passphrase(form)
        if form.flaws or passphrase is None:
            return await _recover_page(kit, request, form, 422)
        try:
            async with kit.making:
                await to_thread.run_sync(restore_backup, kit.folder, Path(backup), sheets, passphrase)
        except SheetError as error:
            form.flaw("sheet1", str(error))
        except DeskError as error:
            form.flaw("folder", str(error))
        if form.flaws:
            return await _recover_page(kit, request, form, 422)
        kit.finished = Finished(kit.folder, passphrase)
        return redirect("/setup/done")

    @router.post("/setup/practice")
    async def practise(request: Request) -> Response:
        await kit.form(request)
        folder = practice_folder(kit.folder)
        async with kit.making:
            if is_vacant(folder):
                await to_thread.run_sync(make_practice, folder, kit.create)
            elif not is_practice(Home(folder).origin()):
                raise DeskError(_("{folder} is no practice ledger: move it away first").format(folder=folder))
        kit.finished = Finished(folder)
        return redirect("/practice")

    return router


def _sheets(form: Form) -> list[Sheet]:
    """The two sheets that were typed; flaws beside those that are none, or do not belong together."""
    sheets = []
    for place in range(1, NEEDED + 1):
        name = f"sheet{place}"
        typed = form.text(name, TYPED_MAX_CHARACTERS, is_needed=True)
        try:
            if typed:
                sheets.append(read_sheet(typed, place))
        except SheetError as error:
            form.flaw(name, str(error))
    if len(sheets) == NEEDED:
        try:
            secret_of(sheets)
        except SheetError as error:
            form.flaw("sheet2", str(error))
    return sheets


async def _recover_page(kit: SetupKit, request: Request, form: Form, status: int = 200) -> Response:
    found = await to_thread.run_sync(find_backups, kit.folder)
    backups = [(str(each), str(each)) for each in found]
    return kit.page(
        request, "recover.html", status, form=form, backups=backups, other=OTHER, least=PASSWORD_MIN_CHARACTERS
    )
