"""A submitted sheet: from a request's bytes to a ``SignedSheet``, every bound enforced before memory is taken.

Statements that come in canonical form already, as a program sends them that has just signed them, are told by one
encoding and taken as they are; others are written canonically again by ``web.sheetfile``.
"""

from typing import Annotated

import msgspec
from fastapi import Request

from chain.entry import Signature
from chain.limits import ENTRY_MAX_BYTES, ENTRY_MAX_SIGNATURES, SHEET_MAX_STATEMENTS
from chain.sheet import SignedSheet
from web.i18n import translate as _
from web.problem import Problem
from web.sheetfile import SHEET_FILE_MAX_BYTES, SheetFileError, sheet_of

BODY_MAX_BYTES = SHEET_FILE_MAX_BYTES
BODIES_MAX_BYTES = 64 * 1_048_576
"""Of all requests that are being read at one time."""
FIELDS = frozenset({"at", "body", "by", "kind", "seq", "v"})
JSON_TYPE = b"application/json"


class _Sheet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    statements: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=SHEET_MAX_STATEMENTS)]
    sigs: Annotated[tuple[Signature, ...], msgspec.Meta(min_length=1, max_length=ENTRY_MAX_SIGNATURES)]


_decode_sheet = msgspec.json.Decoder(_Sheet).decode
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="sorted").encode


class BodyReader:
    """Reads bodies that are no longer than they may be, in as much memory as there may be for all of them."""

    def __init__(self) -> None:
        self._taken = 0

    async def read(self, request: Request) -> bytes:
        """The body; Problem 413, 415 or 503 where it is too large, no JSON, or one too many."""
        headers = request.scope["headers"]
        kind = next((value for name, value in headers if name == b"content-type"), b"")
        if kind.partition(b";")[0].strip().lower() != JSON_TYPE:
            text = _("send the sheet as application/json")
            raise Problem(415, "bad-content-type", _("not JSON"), text)
        stated = next((value for name, value in headers if name == b"content-length"), b"0")
        if not stated.isdigit() or int(stated[:20]) > BODY_MAX_BYTES:
            raise _too_large()
        taken = 0
        chunks: list[bytes] = []
        try:
            async for chunk in request.stream():
                taken += len(chunk)
                self._taken += len(chunk)
                if taken > BODY_MAX_BYTES:
                    raise _too_large()
                if self._taken > BODIES_MAX_BYTES:
                    raise busy()
                chunks.append(chunk)
        finally:
            self._taken -= taken
        return b"".join(chunks)


def read_sheet(raw: bytes) -> SignedSheet:
    """The sheet that a body holds, nothing judged; Problem 400 where it is none."""
    try:
        plain = _decode_sheet(raw)
        statements = [_canonical(bytes(statement)) for statement in plain.statements]
        if None not in statements:
            return SignedSheet(tuple(filter(None, statements)), plain.sigs)
        return sheet_of(_decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _bad_sheet(str(error)) from None
    except SheetFileError as error:
        raise _bad_sheet(str(error)) from None


def _canonical(raw: bytes) -> bytes | None:
    """The statement itself, where its bytes are in the one form already; else ``sheet_of`` looks at it."""
    value = _decode(raw)
    if len(raw) > ENTRY_MAX_BYTES or not isinstance(value, dict) or not value.keys() >= FIELDS:
        return None
    return raw if _encode(value) == raw else None


def busy(seconds: int = 1) -> Problem:
    """More waits than the node can take."""
    text = _("too much waits to be written: send it again in {seconds} s; nothing of it was taken")
    headers = {"Retry-After": str(seconds)}
    return Problem(503, "busy", _("too busy"), text.format(seconds=seconds), headers=headers)


def _too_large() -> Problem:
    text = _("a sheet has at most {maximum} bytes; send it in parts")
    return Problem(413, "too-large", _("too large"), text.format(maximum=BODY_MAX_BYTES))


def _bad_sheet(why: str) -> Problem:
    text = _("this is no signed sheet: {why}")
    return Problem(400, "bad-sheet", _("no signed sheet"), text.format(why=why[:300]))
