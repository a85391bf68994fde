"""My key: made in the browser, shown to the desk, granted there; and what to do when the phone is lost.

The page shows which keys the ledger knows for the account. The key of this very browser is known to the browser alone:
``static/me-key.js`` makes it, shows its text (``passbook_keytext``) and asks for its QR code, which is drawn here.
"""

from fastapi import APIRouter, Request, Response

from chain.keys import key_id
from web.i18n import translate as _
from web.pages.forms import EMPTY
from web.pages.passbook_keytext import KEY_TEXT_MAX_CHARACTERS, format_key_text, parse_key_text
from web.pages.passbook_kit import Mine
from web.printing import qr_svg


def key_router(mine: Mine) -> APIRouter:
    """The routes."""
    kit = mine.kit
    router = kit.router()

    @router.get("/me/key")
    async def key(request: Request) -> Response:
        _who, own = await mine.own(request)
        return mine.page(request, own, "key.html", form=EMPTY, shown=None)

    @router.post("/me/key")
    async def show(request: Request) -> Response:
        """The same page with the QR code of a public key; nothing is kept."""
        _who, own = await mine.own(request)
        form = await kit.form(request)
        public = parse_key_text(form.text("key", KEY_TEXT_MAX_CHARACTERS, is_needed=True))
        if public is None:
            form.flaw("key", _("this is no key's text, or a letter of it is wrong"))
            return mine.page(request, own, "key.html", 422, form=form, shown=None)
        text = format_key_text(public)
        shown = {"text": text, "id": key_id(public), "qr": qr_svg(text)}
        return mine.page(request, own, "key.html", form=form, shown=shown)

    return router
