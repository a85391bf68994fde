"""Sheets of paper: what stands on one, its receipts as QR codes, and the page or PDF that is made of it.

    proof = proof_of(raw)                                   # a receipt as it is printed
    sheet = Sheet("passbook", _("Passbook page"), "passbook-12345676", {…})
    show(kit, request, sheet)                               # a page, with the way to its PDF
    await pdf_answer(kit, request, sheet)                   # the PDF

The same template and style sheet (``paper/*.html``, ``paper.css``) make both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msgspec
from fastapi import Request, Response
from markupsafe import Markup

from chain.block import SEAL
from chain.checkpoint import Checkpoint, open_checkpoint
from chain.entry import Entry
from chain.errors import EntryError
from chain.fields import Time
from chain.receipt import parse_balance_receipt, parse_entry_receipt
from ledger.bodies import Service
from ledger.kinds import CODEC
from store.log import StoreError
from store.settings import is_address
from verify.receipts import BALANCE_FIRST_BYTES, StateLeaf
from web.i18n import language
from web.i18n import translate as _
from web.pages.kit import Kit, environment
from web.pages.passbook_reading import Line, paid_by, spoken
from web.pages.pdfs import pdf_in_turn
from web.papercodes import format_codes, slim
from web.printing import qr_svg
from web.text import SEAL_MOVES, named_category, named_kind

PDF_TYPE = "application/pdf"


@dataclass(frozen=True, slots=True)
class Proof:
    """A receipt as it stands on paper, and what it says; ``leaf`` is an account's where it is of a balance.

    ``entry`` is of such a one the seal. All of it is the node's own word until somebody checks the codes.
    """

    raw: bytes = field(repr=False)
    checkpoint: Checkpoint
    index: int
    entry: Entry[Any]
    leaf: StateLeaf | None

    @property
    def at(self) -> Time:
        """When the entry or the seal was made."""
        return self.entry.at

    @property
    def codes(self) -> list[Markup]:
        """The drawings."""
        return [qr_svg(text) for text in format_codes(self.raw)]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is printed: ``template`` stands in ``pages/paper``, ``name`` is that of the PDF's file without its end.

    ``values`` are for the template; ``query`` goes with the address of the PDF.
    """

    template: str
    title: str
    name: str
    values: Mapping[str, Any]
    query: str = ""


def proof_of(raw: bytes) -> Proof:
    """A receipt of the own ledger, made fit for paper; StoreError where its entry cannot be read."""
    raw = slim(raw)
    is_balance = raw.startswith(BALANCE_FIRST_BYTES)
    balance = parse_balance_receipt(raw) if is_balance else None
    receipt = parse_entry_receipt(raw) if balance is None else balance.seal
    checkpoint, _note = open_checkpoint(receipt.checkpoint)
    leaf = None if balance is None else msgspec.json.decode(balance.leaf, type=StateLeaf)
    try:
        return Proof(raw, checkpoint, receipt.index, CODEC.parse(receipt.extra), leaf)
    except EntryError as error:
        raise StoreError(str(error)) from error


def show(kit: Kit, request: Request, sheet: Sheet, back: str) -> Response:
    """The sheet as a page to look at and to print."""
    pdf = f"{request.url.path}.pdf{sheet.query}"
    values = _shared(kit, request) | dict(sheet.values)
    return kit.page(request, "paper/page.html", sheet=sheet, pdf=pdf, back=back, **values)


async def pdf_answer(kit: Kit, request: Request, sheet: Sheet) -> Response:
    """The sheet as PDF; DeskError where this machine cannot make one."""
    values = {"sheet": sheet, "language": language(), **_shared(kit, request)}
    html = environment().get_template("pages/paper/print.html").render(values | dict(sheet.values))
    raw = await pdf_in_turn(html)
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'inline; filename="{sheet.name}.pdf"'}
    return Response(raw, media_type=PDF_TYPE, headers=headers)


def what(line: Line) -> str:
    """What a line of a passbook is, in a few words that are true for whoever reads them."""
    body = line.entry.body
    if line.entry.kind == SEAL:
        return _(SEAL_MOVES)
    if not isinstance(body, Service):
        about = "" if line.about is None else _("entry {index}").format(index=line.about)
        return _(", ").join(filter(None, [named_kind(line.entry.kind), about]))
    text = _("gave: {what}") if line.number == body.provider else _("received: {what}")
    payer = paid_by(line)
    return _(", ").join(filter(None, [text.format(what=named_category(body.category)), payer]))


def signed(minutes: int) -> str:
    """A change with its sign; nothing where nothing changes."""
    sign = "+" if minutes > 0 else "−"
    return f"{sign}{spoken(minutes)}" if minutes else ""


def standing(minutes: int) -> str:
    """What there is, below zero with its sign."""
    return f"−{spoken(minutes)}" if minutes < 0 else spoken(minutes)


def check_address(host: str, *, is_secure: bool) -> str:
    """Where whoever holds the paper finds the page that checks it; "" where this node answers on its own machine only.

    ``host`` is what the person who prints has in the browser's address.
    """
    address = node_address(host, is_secure=is_secure)
    return address and f"{address}/check"


def node_address(host: str, *, is_secure: bool) -> str:
    """Where this node's pages are, as the browser of whoever prints knows it; "" where only this machine finds them."""
    address = f"{'https' if is_secure else 'http'}://{host}"
    if not is_address(address) or "/" in host:
        return ""
    name = urlsplit(address).hostname or ""
    return "" if name == "localhost" or name == "::1" or name.startswith("127.") else address


def _shared(kit: Kit, request: Request) -> dict[str, Any]:
    """What every sheet's template needs."""
    functions: dict[str, Callable[..., Any]] = {
        "what": what,
        "signed": signed,
        "standing": standing,
        "spoken_or_none": lambda minutes: standing(minutes) if minutes else "",
        "qr_svg": qr_svg,
    }
    address = check_address(request.headers.get("host", ""), is_secure=kit.guard.is_secure)
    return {"origin": kit.settings.origin, "ledger_name": kit.settings.name, "check_address": address, **functions}
