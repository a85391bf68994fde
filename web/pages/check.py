"""Check a receipt: open to everybody, off line once it is loaded; without JavaScript this node checks.

The page brings along all that checking needs (``check.js``): what is pasted, dropped or scanned stays in the browser.
Where that cannot check, or no script runs, the form is posted and ``verify.receipts`` checks, within the same bounds.
"""

from collections.abc import Mapping
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from chain.errors import NoteError
from chain.policy import Policy, format_policy, parse_policy
from chain.receipt import BALANCE_RECEIPT_MAX_BYTES
from verify.receipts import FIRST_BYTES, ReceiptError, check_receipt
from web.i18n import marked
from web.i18n import translate as _
from web.pages.forms import EMPTY, Form, read_form
from web.pages.kit import Kit
from web.papercodes import WORDS as CODE_WORDS
from web.papercodes import PaperError, is_codes, parse_codes
from web.telling import proven_lines
from web.text import CATEGORIES, KINDS, STATUSES
from web.trusting import trust_in_node
from web.wording import worded

TRUST_MAX_CHARACTERS = 262_144
SAID_MAX_CHARACTERS = 16_384
"""Of what was pasted, this much is shown again."""
NO_TRUST = marked("this is no trust file and no key: copy the whole line that begins with the ledger's name")
NO_RECEIPT = marked("this is no receipt, and no code of one: take all that stands in the file, from its first line")
WORDS = {
    "proven": marked("Proven"),
    "not-proven": marked("Not proven"),
    "not-checked": marked("Not checked"),
    "self": marked("Checked against the key that this node states of itself: compare it with your committee's paper."),
    "given": marked("Checked against the key that you gave."),
    "here": marked("Checked in your browser; nothing was sent."),
    "key": marked("the key above is of another ledger than this receipt, which is of {origin}"),
    "quorum": marked("the receipt lacks signatures for which the trust file asks ({name})"),
    "quorum-long": marked(
        "the trust file asks for signatures ({name}) that a browser cannot check, and that stand on no paper: take the"
        " receipt as a file, and the command huzhu check-receipt"
    ),
    "changed": marked("something in it is not what the ledger signed: it was changed or misread"),
    "trust": NO_TRUST,
    "no-receipt": NO_RECEIPT,
    "too-long": marked("this file is too long for a receipt"),
    "picture": marked(
        "this browser cannot read codes from pictures: scan them with another program and paste the text, or take"
        " this page to a phone"
    ),
    "no-code": marked("no code is to be seen in this picture: hold it straight and close, one code at a time"),
    "camera": marked("the camera cannot be used: allow it for this page, or choose a photograph"),
    "aim": marked("Hold the code into the picture."),
    "read": marked("{count} codes read."),
    "ledger": marked("Ledger"),
    "size": marked("Entries in the ledger then"),
    "entry": marked("Entry"),
    "what": marked("In short"),
    "at": marked("Stated at"),
    "account": marked("Account"),
    "balance": marked("Free to spend"),
    "held": marked("Still waiting"),
    "status": marked("Status"),
    "provider": marked("Who gave"),
    "recipient": marked("Who received"),
    "giver": marked("From"),
    "to": marked("To"),
    "category": marked("Service"),
    "minutes": marked("Time"),
    "hm": marked("{hours} h {minutes} min"),
    "h": marked("{hours} h"),
    "m": marked("{minutes} min"),
    "yuan": marked("{yuan} yuan"),
}
"""All that ``check.js`` says; a text that stands in this language once only."""


def check_router(kit: Kit) -> APIRouter:
    """The page, and the answer where no script runs."""
    router = kit.router()

    async def page(request: Request, form: Form, status: int = 200, **found: Any) -> Response:
        own = await _own_trust(kit)
        trust = form.text("trust", TRUST_MAX_CHARACTERS).replace("\r\n", "\n") or own
        values = {
            "lines": None,
            "why": None,
            "is_checked": True,
            "own": own,
            "trust": trust,
            "is_self": trust.strip() == own.strip(),
            "receipt": form.text("receipt", SAID_MAX_CHARACTERS),
            "words": _words(),
        }
        return kit.page(request, "check/check.html", status, **values | found)

    @router.get("/check")
    async def ask(request: Request) -> Response:
        return await page(request, EMPTY)

    @router.post("/check")
    async def answer(request: Request) -> Response:
        form = await read_form(request)
        raw, trust = await _receipt(form), form.text("trust", TRUST_MAX_CHARACTERS)
        try:
            policy = _policy(trust)
            lines = await to_thread.run_sync(lambda: _proven(raw, policy))
        except (PaperError, UncheckableError) as error:
            return await page(request, form, 422, why=str(error), is_checked=False)
        except ReceiptError as error:
            return await page(request, form, why=worded(error))
        return await page(request, form, lines=lines)

    return router


class UncheckableError(Exception):
    """What was given cannot be checked at all. The text says why."""


async def _own_trust(kit: Kit) -> str:
    """The trust file of this node's own word."""
    policy = await kit.writer.ask(lambda node: trust_in_node(node.state))
    return format_policy(policy).decode()


async def _receipt(form: Form) -> bytes:
    """What was chosen as a file, else what was pasted: browsers send other line ends, and cut off the last."""
    file = form.file("file")
    if file is not None:
        return await file.read(BALANCE_RECEIPT_MAX_BYTES + 1)
    text = form.text("receipt", BALANCE_RECEIPT_MAX_BYTES)
    return text.replace("\r\n", "\n").encode() + b"\n"


def _policy(text: str) -> Policy:
    """A trust file, or a key alone as one; raises UncheckableError."""
    told = text.replace("\r\n", "\n").strip()
    lines = told if len(told.split()) > 1 else f"log {told}\nquorum none"
    try:
        policy = parse_policy(f"{lines}\n".encode(errors="surrogateescape"))
    except (NoteError, UnicodeEncodeError):
        raise UncheckableError(_(NO_TRUST)) from None
    if not policy.logs:
        raise UncheckableError(_(NO_TRUST))
    return policy


def _proven(raw: bytes, policy: Policy) -> list[str]:
    """What the receipt proves, in lines; raises PaperError, UncheckableError or ReceiptError."""
    if not raw.startswith(FIRST_BYTES):
        if not is_codes(raw):
            raise UncheckableError(_(NO_RECEIPT))
        raw = parse_codes(raw.decode(errors="replace"))
    return [line.strip() for line in proven_lines(check_receipt(raw, policy))]


def _words() -> dict[str, Mapping[str, str]]:
    """Every sentence that the script may need, in the reader's language."""
    tables = {"said": WORDS, "codes": CODE_WORDS, "kinds": KINDS, "categories": CATEGORIES, "statuses": STATUSES}
    return {name: {key: _(text) for key, text in table.items()} for name, table in tables.items()}
