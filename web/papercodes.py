"""Receipts on paper: the texts of the QR codes that carry one, and the way back (docs/decisions/0021-paper-codes.md).

    texts = format_codes(slim(receipt))            # one for each QR code
    receipt = parse_codes("\\n".join(scanned))     # in any order, one a line or not

A receipt (FORMAT §10) is packed by zlib, written in base32 and cut into parts of nearly one length, each in a code:

    HZR1:<part>/<parts>:<id>:<base32 of the part>:<check>

``id`` is the first ten bytes of the receipt's SHA-256 in base32: it holds the parts together, and is compared in the
end. ``check`` is base32 too, of the first 20 bits of the SHA-256 of what stands before its colon: so that a code that
was typed or copied wrongly is named. All characters are in the alphanumeric set of QR codes; none is lost where spaces
or line ends are. Neither of the two proves anything: a receipt does, by its signatures.
"""

import re
import zlib
from base64 import b32decode, b32encode
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from itertools import count

from chain.checkpoint import open_checkpoint
from chain.cosignature import TIMESTAMP_BYTES
from chain.keys import SIGNATURE_BYTES
from chain.note import Note, format_note
from chain.receipt import (
    EntryReceipt,
    format_balance_receipt,
    format_entry_receipt,
    parse_balance_receipt,
    parse_entry_receipt,
)
from verify.receipts import BALANCE_FIRST_BYTES
from web.i18n import marked
from web.i18n import translate as _
from web.problems import DeskError
from web.text import printable

MARK = "HZR1:"
MARK_BYTES = MARK[:-1].encode()
CODE_MAX_CHARACTERS = 1_100
"""Of a part alone: with what stands around it version 22 at error correction M, 113 modules with its border."""
PARTS_MAX = 32
RECEIPT_MAX_BYTES = 65_536
"""Unpacked. Few receipts are longer: their entries hold other ledgers' proofs, and go from computer to computer."""
NARROW = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)} | {0x3000: " "}
"""Full-width signs, as an input method may write them, to those that are meant."""
TEXT_MAX_CHARACTERS = 131_072
"""Of all that was scanned: room for each code more than once."""
ID_BYTES = 10
CHECK_CHARACTERS = 4
SHOWN_CHARACTERS = 40

WORDS = {
    "too-much": marked("that is too much text for the codes of one receipt"),
    "none": marked("there is no code of a receipt in it: each begins with {mark}"),
    "foreign": marked("this is no code of a receipt: {text}; each begins with {mark}"),
    "cut": marked("a code was cut off or misread: {text}; scan it again"),
    "misread": marked("code {part} of {parts} was not read right: scan it again"),
    "no-part": marked("there is no code {part} of {parts}"),
    "different": marked("these are codes of different receipts: check one receipt after the other"),
    "missing": marked("of {count} codes these are missing: {numbers}; scan them too"),
    "whole": marked("together the codes make no receipt: scan all of them again"),
}
"""Why codes make no receipt, here and in ``papercodes.js``."""

_CODE = re.compile(r"HZR1:([1-9][0-9]?)/([1-9][0-9]?):([A-Z2-7]{16}):([A-Z2-7]{1,1200}):([A-Z2-7]{4})")
_NOTHING = re.compile(r"[\s\u200b\u200c\u200d\ufeff]+")


class PaperError(DeskError):
    """The codes make no receipt, or a receipt fits into no codes. The text says which one, and what to do."""


def slim(raw: bytes) -> bytes:
    """A receipt with the short signatures (Ed25519, FORMAT §6) of its checkpoint alone.

    Raises NoteError for what is no receipt, PaperError where nobody signed shortly. ML-DSA-44 makes 3,300 characters of
    each cosignature, which would fill four more codes: a trust file that asks for one needs the receipt as a file.
    """
    if raw.startswith(BALANCE_FIRST_BYTES):
        balance = parse_balance_receipt(raw)
        return format_balance_receipt(replace(balance, seal=_slim_entry(balance.seal)))
    return format_entry_receipt(_slim_entry(parse_entry_receipt(raw)))


def format_codes(raw: bytes) -> list[str]:
    """The text of each code; raises PaperError for a receipt that is too long for paper."""
    text = _base32(zlib.compress(raw, 9))
    parts = -(-len(text) // CODE_MAX_CHARACTERS)
    if parts > PARTS_MAX or len(raw) > RECEIPT_MAX_BYTES:
        raise PaperError(_("this receipt is too long for paper: hand it out as a file (`huzhu receipt`)"))
    each = -(-len(text) // parts)
    pieces = (text[start : start + each] for start in range(0, len(text), each))
    heads = (f"{MARK}{part}/{parts}:{_id(raw)}:" for part in count(1))
    return [f"{head}{piece}:{_check(head + piece)}" for head, piece in zip(heads, pieces, strict=False)]


def is_codes(raw: bytes) -> bool:
    """Whether a file holds codes rather than the receipt itself."""
    return MARK_BYTES in raw[:TEXT_MAX_CHARACTERS].upper()


def parse_codes(text: str) -> bytes:
    """The receipt that codes make, nothing of it verified; raises PaperError, which says which code is wrong."""
    if len(text) > TEXT_MAX_CHARACTERS:
        raise _error("too-much")
    parts = list(_read(_NOTHING.sub("", text.translate(NARROW)).upper()))
    if len({(parts_count, name) for _part, parts_count, name, _piece in parts}) > 1:
        raise _error("different")
    found = {part: piece for part, _count, _name, piece in parts}
    _part, parts_count, name, _piece = parts[0]
    missing = [str(part) for part in range(1, parts_count + 1) if part not in found]
    if missing:
        raise _error("missing", count=parts_count, numbers=", ".join(missing))
    return _unpacked("".join(found[part] for part in range(1, parts_count + 1)), name)


def _read(text: str) -> Iterator[tuple[int, int, str, str]]:
    """Part, parts, id and piece of each code; at least one."""
    end = 0
    for code in _CODE.finditer(text):
        _refuse_foreign(text[end : code.start()])
        end = code.end()
        part, parts = int(code[1]), int(code[2])
        if code[5] != _check(code[0][: -CHECK_CHARACTERS - 1]):
            raise _error("misread", part=part, parts=parts)
        if not part <= parts <= PARTS_MAX:
            raise _error("no-part", part=part, parts=parts)
        yield part, parts, code[3], code[4]
    _refuse_foreign(text[end:])
    if not end:
        raise _error("none", mark=MARK)


def _refuse_foreign(text: str) -> None:
    """Raise PaperError for what stands between codes, and is none."""
    if text.startswith(MARK):
        raise _error("cut", text=_shown(text))
    if text:
        raise _error("foreign", text=_shown(text), mark=MARK)


def _unpacked(text: str, name: str) -> bytes:
    """The receipt in the parts' base32, as long as it is allowed to be."""
    unpacking = zlib.decompressobj()
    try:
        packed = b32decode(text + "=" * (-len(text) % 8))
        raw = unpacking.decompress(packed, RECEIPT_MAX_BYTES)
    except (ValueError, zlib.error):
        raw = b""
    if not unpacking.eof or unpacking.unused_data or _id(raw) != name:
        raise _error("whole")
    return raw


def _slim_entry(receipt: EntryReceipt) -> EntryReceipt:
    _checkpoint, note = open_checkpoint(receipt.checkpoint)
    short = tuple(line for line in note.signatures if len(line.signature) <= TIMESTAMP_BYTES + SIGNATURE_BYTES)
    if not short:
        raise PaperError(_("the checkpoint has no signature that fits on paper: hand the receipt out as a file"))
    return replace(receipt, checkpoint=format_note(Note(note.text, short)))


def _id(raw: bytes) -> str:
    return _base32(sha256(raw).digest()[:ID_BYTES])


def _check(text: str) -> str:
    return _base32(sha256(text.encode()).digest())[:CHECK_CHARACTERS]


def _base32(raw: bytes) -> str:
    return b32encode(raw).decode().rstrip("=")


def _error(why: str, **values: object) -> PaperError:
    return PaperError(_(WORDS[why]).format(**values))


def _shown(text: str) -> str:
    return printable(text[:SHOWN_CHARACTERS])
