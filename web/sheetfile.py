"""A signed sheet as one JSON object: what ``POST entries`` takes, and what travels on a USB stick to a node.

    {"statements":[{"at":…,"body":{…},"by":…,"kind":…,"seq":…,"v":1}, …],"sigs":[{"key":…,"sig":…}, …]}

The statements stand in the order of the sheet, the author's signature before those beside. What is signed are a
statement's canonical bytes (FORMAT §3), so white space and the order of fields do not matter here: ``parse_sheet``
makes the canonical bytes again. Whether the statements mean anything is the node's to judge.
"""

from typing import Any

import msgspec

from chain.canonical import format_canonical
from chain.entry import Signature
from chain.errors import EntryError
from chain.limits import ENTRY_MAX_BYTES, ENTRY_MAX_SIGNATURES, SHEET_MAX_STATEMENTS
from chain.sheet import SignedSheet
from web.i18n import translate as _

SHEET_FILE_MAX_BYTES = 4 * 1_048_576
"""Room for 1,024 statements of 4 kB; ordinary ones have some hundred bytes."""

_decode = msgspec.json.Decoder().decode


class SheetFileError(Exception):
    """The bytes are no signed sheet. The text says what is wrong and where."""


def parse_sheet(raw: bytes) -> SignedSheet:
    """The sheet that ``raw`` holds, no signature verified and nothing judged; raises SheetFileError."""
    if len(raw) > SHEET_FILE_MAX_BYTES:
        raise SheetFileError(_("it has more than {maximum} bytes").format(maximum=SHEET_FILE_MAX_BYTES))
    try:
        plain = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SheetFileError(_("it is not JSON: {error}").format(error=error)) from None
    return sheet_of(plain)


def sheet_of(plain: Any) -> SignedSheet:
    """The same from the decoded object; raises SheetFileError."""
    if not isinstance(plain, dict) or plain.keys() != {"statements", "sigs"}:
        raise SheetFileError(_('it is no object with exactly "statements" and "sigs"'))
    statements = _several(plain["statements"], "statements", SHEET_MAX_STATEMENTS)
    signatures = _several(plain["sigs"], "sigs", ENTRY_MAX_SIGNATURES)
    return SignedSheet(
        tuple(_statement(place, each) for place, each in enumerate(statements)),
        tuple(_signature(place, each) for place, each in enumerate(signatures)),
    )


def format_sheet(sheet: SignedSheet) -> bytes:
    """The bytes of the JSON object, on one line."""
    plain = {"statements": [msgspec.Raw(each) for each in sheet.statements], "sigs": sheet.signatures}
    return msgspec.json.encode(plain) + b"\n"


def _several(value: object, name: str, most: int) -> list[Any]:
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        text = _('"{name}" is no list of 1 to {most}')
        raise SheetFileError(text.format(name=name, most=most))
    return value


def _statement(place: int, value: object) -> bytes:
    if not isinstance(value, dict):
        raise SheetFileError(_("statement {place} is no object").format(place=place))
    try:
        raw = format_canonical(value)
    except EntryError as error:
        text = _("statement {place} cannot be written canonically: {error}")
        raise SheetFileError(text.format(place=place, error=error)) from None
    if len(raw) > ENTRY_MAX_BYTES:
        text = _("statement {place} has more than {maximum} bytes")
        raise SheetFileError(text.format(place=place, maximum=ENTRY_MAX_BYTES))
    if not {"at", "body", "by", "kind", "seq", "v"} <= value.keys():
        text = _('statement {place} lacks one of "at", "body", "by", "kind", "seq" and "v"')
        raise SheetFileError(text.format(place=place))
    return raw


def _signature(place: int, value: object) -> Signature:
    try:
        return msgspec.convert(value, Signature)
    except msgspec.ValidationError as error:
        text = _("signature {place} is no key id with base64 of 64 bytes: {error}")
        raise SheetFileError(text.format(place=place, error=error)) from None
