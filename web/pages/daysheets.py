"""A day sheet at the desk: pasted, dropped or chosen, and row by row what is right and wrong before anybody signs.

It is the file that ``huzhu import`` reads (``web.daysheet``), or its rows as a spreadsheet copies them. Nothing of it
is kept between looking and proposing: the page carries it along, byte by byte, since its hash is the evidence of its
rows. The good rows then wait for a second signature as one sheet, rows with a coupon are recorded at once, and the
others come back as a file in which they can be mended. Whether a day's hours or a balance suffice for *all* rows
together the rules say when they are signed.
"""

import base64
import binascii
import hashlib
import io
from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec
from fastapi import APIRouter, Request, Response

from chain.limits import SHEET_MAX_STATEMENTS
from ledger.bodies import COUPON, Service
from ledger.state import State
from store.drafts import Order
from web.access.who import CLERK, MEMBER, Who
from web.coupons import Shelf, coupon_evidence, parse_coupon
from web.daysheet import BAD_ROW, COLUMNS, SHEET_COLUMNS, Misread, SheetReader, headings
from web.desk import DeskNode
from web.i18n import translate as _
from web.pages.approvals import at_desk, foretell_order, known, propose_all
from web.pages.desk_doubles import LINE, Mark, overlaps, warning
from web.pages.desk_recorded import Recorded, ServiceKey, key_of
from web.pages.desk_signing import (
    CLERK_ALONE,
    CLERK_MEMBER,
    NO_KEY,
    RECORDED,
    RECORDED_ALREADY,
    REFUSED,
    WAITS_ALREADY,
    Decision,
    Desk,
    order_of,
)
from web.pages.desk_words import Words, accounts_in, told, why
from web.pages.forms import EMPTY, Form
from web.pages.kit import Kit
from web.pages.names import Names
from web.problems import DeskError
from web.refused import format_row
from web.table import REFUSED_COLUMNS, BadRowError, Record, Table

SHEET_MAX_BYTES = 512 * 1024
"""More than a thousand rows have; a larger file is for `huzhu import`."""
STEP_ROWS = 200
"""So many rows are judged while the writer waits."""
SIGNERS_NAMED = "signers-named"
DOUBLE = "double"
NAME = "sheet.csv"


@dataclass(slots=True)
class Line:
    """One row: as it was written, what it says, and what is wrong with it ("" where nothing is)."""

    number: int
    cells: list[str]
    service: Service | None = None
    outcome: str = ""
    reason: str = ""
    words: list[str] = field(default_factory=list)
    done: str = ""
    warnings: list[str] = field(default_factory=list)
    """What to look at again before signing; the row can be taken over all the same."""


@dataclass(slots=True)
class Sheet:
    """A file that was read."""

    name: str
    raw: bytes
    header: list[str]
    lines: list[Line]
    ignored: list[str]

    @property
    def good(self) -> list[Line]:
        return [line for line in self.lines if not line.outcome]

    @property
    def bad(self) -> list[Line]:
        return [line for line in self.lines if line.outcome]

    @property
    def warned(self) -> list[Line]:
        return [line for line in self.good if line.warnings]

    @property
    def packed(self) -> str:
        """The file as a page carries it along."""
        return base64.b64encode(self.raw).decode()


def daysheet_router(kit: Kit, names: Names) -> APIRouter:
    """The routes."""
    router = kit.router()

    def blank(request: Request, form: Form, status: int = 200) -> Response:
        heading = dict(zip(COLUMNS, headings(), strict=True))
        return kit.page(request, "desk/sheets.html", status, form=form, sheet=None, heading=heading)

    @router.get("/desk/sheets")
    async def begin(request: Request) -> Response:
        kit.who(request, CLERK, MEMBER)
        return blank(request, EMPTY)

    @router.get("/desk/sheets/empty.csv")
    async def empty(request: Request) -> Response:
        kit.who(request, CLERK, MEMBER)
        return _csv(format_row(headings()), "day-sheet.csv")

    @router.post("/desk/sheets")
    async def take(request: Request) -> Response:
        who, form = kit.who(request, CLERK, MEMBER), await kit.form(request)
        name, raw = await _given(form, kit.clock().date().isoformat())
        if form.flaws:
            return blank(request, form, 422)
        try:
            sheet = await _judged(kit, who, name, raw)
        except DeskError as error:
            form.flaw("text", str(error))
            return blank(request, form, 422)
        act = form.text("act")
        if act == "refused":
            return _csv(refused_rows(sheet), f"{Path(name).stem}.refused.csv")
        if act == "propose" and sheet.good:
            await _propose(kit, who, sheet)
        await _tell(kit, names, request, who, sheet)
        return kit.page(request, "desk/sheet.html", sheet=sheet, is_done=act == "propose", form=form)

    return router


def _csv(raw: bytes, name: str) -> Response:
    if not raw.isascii():
        raw = BOM_UTF8 + raw
    plain = "".join(each for each in name if each.isascii() and (each.isalnum() or each in "-_.")) or NAME
    headers = {"Content-Disposition": f'attachment; filename="{plain}"', "Cache-Control": "no-store"}
    return Response(raw, media_type="text/csv; charset=utf-8", headers=headers)


async def _given(form: Form, today: str) -> tuple[str, bytes]:
    """The file's name and bytes: carried along, chosen, or pasted."""
    packed, file = form.raw("packed"), form.file("file")
    if packed:
        try:
            return form.text("name", 100) or NAME, base64.b64decode(packed.encode("ascii"), validate=True)
        except (ValueError, binascii.Error):
            form.flaw("text", _("this cannot be read: begin with the sheet again"))
            return NAME, b""
    if file is not None:
        raw, name = await file.read(SHEET_MAX_BYTES + 1), (file.filename or NAME)[:100]
    else:
        raw, name = form.raw("text").replace("\r\n", "\n").encode(), f"{today}.csv"
    if not raw.strip():
        form.flaw("text", _("choose a file, or paste the rows with their first line"))
    if len(raw) > SHEET_MAX_BYTES:
        text = _("at most {most} KB at once; the technician imports larger files")
        form.flaw("text", text.format(most=SHEET_MAX_BYTES // 1024))
    return name, raw


# Read and judge


async def _judged(kit: Kit, who: Who, name: str, raw: bytes) -> Sheet:
    """Each row with what is wrong with it; DeskError where the whole is no day sheet, or was taken before."""
    sheet = await at_desk(kit, lambda desk: read_sheet(desk.node, kit, name, raw))
    if isinstance(sheet, str):
        raise DeskError(sheet)
    if not sheet.lines:
        raise DeskError(_("there are no rows below the first line"))
    if len(sheet.lines) > SHEET_MAX_STATEMENTS:
        raise DeskError(_("at most {most} rows at once").format(most=SHEET_MAX_STATEMENTS))
    good = sheet.good
    for start in range(0, len(good), STEP_ROWS):
        some = good[start : start + STEP_ROWS]
        for line, refused in zip(some, await at_desk(kit, partial(_foretell, who=who, lines=some)), strict=True):
            if refused is not None:
                line.outcome, line.reason = refused.outcome, why(refused.outcome, refused.detail)
    _find_doubles(sheet)
    await at_desk(kit, partial(_find_overlaps, sheet=sheet))
    return sheet


def _foretell(desk: Desk, who: Who, lines: Sequence[Line]) -> list[Decision | None]:
    key = desk.key_for(who)
    if not key:
        return [Decision(0, REFUSED, outcome=NO_KEY) for _line in lines]
    return [foretell_order(desk, key, _order(line, "")) for line in lines]


def read_sheet(node: DeskNode, kit: Kit, name: str, raw: bytes) -> Sheet | str:
    """All rows, read but not judged; or why it is no day sheet."""
    file, state = io.BytesIO(raw), node.state
    shelf = Shelf(kit.home)
    try:
        table = Table(Path(name), file, SHEET_COLUMNS)
    except BadRowError as error:
        return _("the first line of {path} cannot be read: {why}").format(path=name, why=error)
    except DeskError as error:
        return str(error)
    reader, recorded = SheetReader(
        table,
        hashlib.sha256(raw).digest(),
        state.utc_offset,
        lambda text: coupon_evidence(parse_coupon(text, node.origin), state, shelf),
    ), Recorded(node)
    lines = []
    for record in table.records():
        line = _read_line(table, reader, record, state)
        index = None if line.service is None else recorded.index(line.service)
        if index is not None:
            line.outcome = RECORDED_ALREADY
            line.reason = _("it is on the ledger already, as entry {index}").format(index=index)
        lines.append(line)
        if len(lines) > SHEET_MAX_STATEMENTS:
            break
    return Sheet(name, raw, table.header, lines, table.ignored)


def _read_line(table: Table, reader: SheetReader, record: Record, state: State) -> Line:
    try:
        cells = table.row(record)
    except BadRowError as error:
        return Line(record.line, [], None, BAD_ROW, str(error))
    row = reader.read(record)
    if isinstance(row, Misread):
        return Line(record.line, cells, None, row.outcome, row.reason)
    if row.recorder or row.certifier:
        reason = _("leave recorder and certifier empty here: those sign who are signed in")
        return Line(record.line, cells, None, SIGNERS_NAMED, reason)
    provider = state.accounts.get(row.service.provider)
    guardian = provider.guardian if provider is not None and provider.minor else None
    return Line(record.line, cells, msgspec.structs.replace(row.service, guardian=guardian))


def _find_doubles(sheet: Sheet) -> None:
    """The second of two rows that say the same is held back."""
    seen: dict[ServiceKey, int] = {}
    for line in sheet.good:
        service = line.service
        if service is None:
            continue
        key = key_of(service)
        if key in seen:
            text = _("it says the same as line {line}").format(line=seen[key])
            line.outcome, line.reason = DOUBLE, text
        seen.setdefault(key, line.number)


def _find_overlaps(desk: Desk, sheet: Sheet) -> None:
    """Rows of a volunteer who does something else at the same time, here or elsewhere, are warned of."""
    lines = {Mark(LINE, line.number): line for line in sheet.good}
    services = [(mark, line.service) for mark, line in lines.items() if line.service is not None]
    for mark, others in overlaps(desk, services).items():
        lines[mark].warnings = list(dict.fromkeys(map(warning, others)))


def _order(line: Line, sheet: str) -> Order:
    if line.service is None:
        raise ValueError(line.number)
    is_coupon = line.service.evidence.form == COUPON
    return order_of(line.service, CLERK_ALONE if is_coupon else CLERK_MEMBER, sheet)


# Propose and tell


async def _propose(kit: Kit, who: Who, sheet: Sheet) -> None:
    """Have the good rows wait as one sheet."""
    good = sheet.good
    key = f"{Path(sheet.name).stem[:40]}#{hashlib.sha256(sheet.raw).hexdigest()[:12]}"
    decisions = await propose_all(kit, who, [_order(line, key) for line in good])
    for line, decision in zip(good, decisions, strict=True):
        if decision.state == REFUSED:
            line.outcome, line.reason = decision.outcome, why(decision.outcome, decision.detail)
        else:
            line.done = told(decision) if decision.state == RECORDED else _("waits for a member's signature")


async def _tell(kit: Kit, names: Names, request: Request, who: Who, sheet: Sheet) -> None:
    """Put the rows in words."""
    services = [line.service for line in sheet.lines if line.service is not None]
    offset = await kit.writer.ask(lambda node: node.state.utc_offset)
    words = Words(await known(names, request, who, accounts_in(services)), offset)
    for line in sheet.lines:
        line.words = [" ".join(filter(None, line.cells))[:120]] if line.service is None else words.lines(line.service)


def refused_rows(sheet: Sheet) -> bytes:
    """The rows that are wrong, each behind its line, outcome and reason: to be mended and brought again."""
    names = [name.strip().lower() for name in sheet.header]
    kept = [place for place, name in enumerate(names) if name not in REFUSED_COLUMNS]
    rows = [format_row([*REFUSED_COLUMNS, *(sheet.header[place] for place in kept)])]
    for line in sheet.bad:
        if line.outcome in (WAITS_ALREADY, RECORDED_ALREADY):
            continue
        cells = [line.cells[place] for place in kept] if line.cells else []
        rows.append(format_row([line.number, line.outcome, line.reason, *cells]))
    return b"".join(rows)
