"""What a person signed in the browser with a key of their own: read within bounds, theirs alone, judged by the rules.

    sheet = own_sheet(form.text("sheet", SHEET_MAX_CHARACTERS), own, {"gift", "donate"})     # or UnsignedError
    index = await submit(kit, sheet)                                                         # or UnsignedError

The API lets persons read and nothing else. These pages take one statement at a time, by a key that the ledger has
granted to the very person who is signed in, and of a kind that the page is about. The same sheet sent again is answered
with the same entry and is never recorded twice.
"""

from collections.abc import Collection
from typing import Any

import msgspec

from chain.sheet import SignedSheet
from store.answers import Accepted
from web.i18n import translate as _
from web.pages.kit import Kit
from web.pages.passbook_reading import Own
from web.sheetfile import SheetFileError, parse_sheet
from web.text import sentence

SHEET_MAX_CHARACTERS = 12_000
"""A statement of a person has some hundred bytes; a long reason some thousand."""


class UnsignedError(Exception):
    """The sheet is not taken. The text says why, for the person."""


def own_sheet(text: str, own: Own, kinds: Collection[str], beside: int = 0) -> SignedSheet:
    """The sheet of one statement by a granted key of the person; ``beside`` others are to sign with them."""
    try:
        sheet = parse_sheet(text.encode())
    except SheetFileError as error:
        raise UnsignedError(_("what your browser signed cannot be read: load the page again")) from error
    if len(sheet.statements) != 1 or len(sheet.signatures) != 1:
        raise UnsignedError(_("sign one thing at a time"))
    plain = plain_of(sheet.statements[0])
    if plain["kind"] not in kinds or len(plain.get("with", ())) != beside:
        raise UnsignedError(_("this page does not take that kind of statement"))
    if plain["by"] not in own.granted or sheet.signatures[0].key != plain["by"]:
        raise UnsignedError(_("the key of this browser is not granted to you: show it at the village desk"))
    return sheet


def plain_of(statement: bytes) -> dict[str, Any]:
    """A statement as an object; whatever stands in it was only read, and is judged with the sheet."""
    plain = msgspec.json.decode(statement)
    if not isinstance(plain, dict) or not isinstance(plain.get("body"), dict):
        raise UnsignedError(_("what your browser signed cannot be read: load the page again"))
    if not isinstance(plain.get("with", []), list):
        raise UnsignedError(_("what your browser signed cannot be read: load the page again"))
    return plain


async def submit(kit: Kit, sheet: SignedSheet) -> int:
    """The entry that a sheet of one became, once it is on disk."""
    answered = await kit.writer.submit(sheet, promises=False)
    result = answered.results[0]
    if isinstance(result, Accepted):
        return result.index
    raise UnsignedError(sentence(result.outcome, result.detail))
