"""Statements and entries: from hostile bytes to typed values, once (FORMAT §3).

A *statement* is what somebody declares, an *entry* the statement with its signatures and its place on the sheet.
``EntryCodec`` is made from the body type of every kind and parses entries: it decodes into that type, encodes again
and compares, so that an entry that it returns has exactly one spelling. What an entry means is ``ledger``'s.

    codec = EntryCodec({"seal": Seal, ...})
    entry = codec.parse(raw)                  # or EntryError with the finding's code
    codec.read(raw)                           # its statement alone, where somebody has parsed it before
    statement_of(raw, entry)                  # the bytes that were put on the sheet
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec

from chain.canonical import has_control, parse_canonical
from chain.errors import EntryError
from chain.fields import UTC, Hash, Index, KeyId, SheetSize, SignatureBytes, Time, is_key_id
from chain.limits import ENTRY_MAX_BESIDE, ENTRY_MAX_BYTES, PROOF_MAX_HASHES

VERSION = 1
FLAW_MAX_CHARACTERS = 200
"""What is said of a bad entry may quote it, and it may be long."""


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False):
    """Base of every body. Fields stand in the order of their names, which is the order of their bytes."""

    def times(self) -> tuple[Time | None, ...]:
        """All times in it, also nested ones."""
        return ()

    def numbers(self) -> tuple[str | None, ...]:
        """All account numbers in it: the accounts that it names."""
        return ()

    def flaw(self) -> str | None:
        """What is wrong with its shape that the types of its fields do not say, or None."""
        return None


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One signature of an entry: over its sheet."""

    key: KeyId
    sig: SignatureBytes


class SheetPlace(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Where a statement stands on its sheet of ``size`` statements, with its inclusion path."""

    index: Index
    path: tuple[Hash, ...]
    size: SheetSize


B = TypeVar("B", bound=Body)


class Statement(msgspec.Struct, Generic[B], frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """What an author declares. ``seq`` is greater than in any earlier entry of the author; ``beside`` sign with him."""

    at: Time
    body: B
    by: str
    kind: str
    seq: Index
    v: int = msgspec.field(default_factory=lambda: VERSION)
    beside: tuple[KeyId, ...] = msgspec.field(default=(), name="with")


class Entry(
    msgspec.Struct, Generic[B], frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False
):
    """One entry of the log: a statement with its signatures, the author's first, and its place on the sheet."""

    at: Time
    body: B
    by: KeyId
    kind: str
    seq: Index
    sheet: SheetPlace | None = None
    sigs: tuple[Signature, ...]
    v: int
    beside: tuple[KeyId, ...] = msgspec.field(default=(), name="with")


    @property
    def statement(self) -> Statement[B]:
        """What it declares, without what vouches for it."""
        return Statement(at=self.at, body=self.body, by=self.by, kind=self.kind, seq=self.seq, beside=self.beside)


_encode = msgspec.json.Encoder().encode


def format_statement(statement: Statement[Any]) -> bytes:
    """The canonical bytes of a statement: what a sheet is made of."""
    return _encode(statement)


def statement_of(raw: bytes, entry: Entry[Any]) -> bytes:
    """The statement's bytes inside those of a parsed entry.

    ``sheet`` and ``sigs`` stand together just before ``v``, and no text after them can hold these patterns: only base64
    and hex digits follow.
    """
    start = raw.rfind(b',"sigs":[' if entry.sheet is None else b',"sheet":{')
    return raw[:start] + raw[raw.rfind(b',"v":') :]


def join_entry(statement: bytes, place: SheetPlace | None, signatures: tuple[Signature, ...]) -> bytes:
    """The entry's bytes from its statement's, its place (None on a sheet of one) and its signatures."""
    end = statement.rfind(b',"v":')
    sheet = b"" if place is None else b',"sheet":' + _encode(place)
    return statement[:end] + sheet + b',"sigs":' + _encode(signatures) + statement[end:]


class EntryCodec:
    """Reads entries whose body types are given by kind. Has no state of its own; safe to share."""

    def __init__(self, bodies: Mapping[str, type[Body]]) -> None:
        self.bodies = dict(bodies)
        self._entry = {kind.encode(): _decoder(Entry, body) for kind, body in bodies.items()}
        self._statement = {kind.encode(): _decoder(Statement, body) for kind, body in bodies.items()}

    def parse(self, raw: bytes) -> Entry[Any]:
        """The entry that ``raw`` holds; raises EntryError with the code of FORMAT §12 step 3."""
        if len(raw) > ENTRY_MAX_BYTES:
            raise EntryError("entry.too-large", f"it has {len(raw)} bytes, more than {ENTRY_MAX_BYTES}")
        try:
            entry: Entry[Any] = self._entry[_kind(raw)](raw)
        except (KeyError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._explain(raw, str(error)) from None
        if _encode(entry) != raw or has_control(raw):
            raise self._explain(raw, "a value in it is not written in its one form (base64, flag or absent field)")
        flaw = _flaw(entry)
        if flaw:
            raise self._explain(raw, flaw)
        return entry

    def read(self, raw: bytes) -> Statement[Any]:
        """The statement of an entry that ``parse`` has accepted before; of any other bytes the result means nothing."""
        statement: Statement[Any] = self._statement[_kind(raw)](raw)
        return statement

    def _explain(self, raw: bytes, flaw: str) -> EntryError:
        """Why ``raw`` was refused: the first of noncanonical, unknown-kind and malformed that is true."""
        try:
            value = parse_canonical(raw)
        except EntryError as error:
            return error
        if isinstance(value, dict):
            kind, version = value.get("kind"), value.get("v")
            if isinstance(kind, str) and kind not in self.bodies:
                return EntryError("entry.unknown-kind", f"the kind {kind[:32]!r} is not known")
            if type(version) is int and version != VERSION:
                return EntryError("entry.unknown-kind", f"version {version} is not known")
        return EntryError("entry.malformed", flaw[:FLAW_MAX_CHARACTERS])


def _decoder(outer: Any, body: type[Body]) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(outer[body]).decode


def _kind(raw: bytes) -> bytes:
    """The kind of an entry: no field after ``kind`` has this name, and no text can hold its quotes unescaped."""
    start = raw.rfind(b',"kind":"') + 9
    return raw[start : raw.find(b'"', start)]


def _flaw(entry: Entry[Any]) -> str | None:
    """What is wrong with an entry's shape that the types of its fields do not say. Runs for every entry ever read."""
    by, beside, body = entry.by, entry.beside, entry.body
    if entry.v != VERSION:
        return "its version is another"
    for time in (entry.at, *body.times()):
        if time is not None and (time.tzinfo is not UTC or time.microsecond or not 2000 <= time.year <= 2999):
            return "a time in it is not of the form YYYY-MM-DDTHH:MM:SSZ, of the years 2000 to 2999"
    if [signature.key for signature in entry.sigs] != [by, *beside]:
        return "its signatures are not the author's and then those of `with`, in its order"
    flaw = _flaw_of_keys(by, beside)
    if flaw:
        return flaw
    if entry.sheet is not None and len(entry.sheet.path) > PROOF_MAX_HASHES:
        return "the path of its sheet is too long"
    for number in body.numbers():
        if number is not None and not (number.isdigit() and number.isascii()):
            return "an account number in it is not eight digits"
    of_body: str | None = body.flaw()
    return of_body


@lru_cache(maxsize=16_384)
def _flaw_of_keys(by: str, beside: tuple[str, ...]) -> str | None:
    """What is wrong with the keys that sign; the same few sign thousands of entries."""
    if len(beside) > ENTRY_MAX_BESIDE:
        return f"more than {ENTRY_MAX_BESIDE} keys stand in `with`"
    if not all(map(is_key_id, (by, *beside))):
        return "a key id in it is not 16 lower-case hex digits"
    if list(beside) != sorted({*beside}):
        return "the keys in `with` do not rise"
    return "the author stands in `with` too" if by in beside else None
