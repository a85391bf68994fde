"""Coupons at the desk: the text of one, what the home keeps of a book, and the sheets that are cut up (RULES §4).

    HZ1:<book>:<number>:<secret, 26 characters of base32>:<check, 2 characters>

That text is the coupon's QR code (all of it is of the code's alphanumeric set) and stands beside it in groups, to be
typed. ``number`` counts from 1, as it is printed; on the ledger the coupon's ``index`` counts from 0. The check is of
the ledger's name and the rest: it finds a misread character, 1,023 times in 1,024, and a coupon of another ledger. What
it lets pass the root finds.

The secrets stand on the page and nowhere else. The home keeps ``coupons/<root>.leaves``, the hashes of the secrets,
from which the path to the root is computed at the desk; a copy proves itself, since its root is on the ledger.

``web.couponbooks`` makes and prints books; here is what is done with a coupon that somebody brings.
"""

import hashlib
import os
import re
import unicodedata
from base64 import b32decode, b32encode
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from chain.fields import Time
from chain.limits import COUPONS_MAX, INTEGER_MAX
from chain.merkle import HASH_BYTES, leaf_hash, levels_of, path_in, root_of
from ledger.bodies import Evidence
from ledger.state import CouponBook, State
from store.home import DIRECTORY_MODE, Home
from web.i18n import translate as _
from web.problems import DeskError
from web.refused import Draft
from web.table import BadRowError

PREFIX = "HZ1"
FIELD = ":"
CHECK_CHARACTERS = 2
TEXT_MAX_CHARACTERS = 200
"""With all the spaces that somebody may type; the longest text has 58 characters."""
PADDING = "======"
LETTERS = str.maketrans("018", "OIB")
DIGITS = str.maketrans("OILB", "0118")
"""What is taken for what: base32 has no 0, 1 and 8, a number no letters."""
TEXT = re.compile(r"([0-9]{1,16}):([0-9]{1,4}):([A-Z2-7]{26}):([A-Z2-7]{2})")

BOOKS_CACHED = 64
BOOK_FILE = re.compile(r"\.?(?P<root>[0-9a-f]{64})\.(?P<part>leaves|page)(?P<draft>-\w{8})?")
"""What the shelf holds: a whole file, or a draft of one that was interrupted."""
INVALID, USED = "coupon-invalid", "coupon-used"


@dataclass(frozen=True, slots=True)
class Coupon:
    """One coupon: the entry that issued its book, its place there from 0 on, and 16 bytes that nobody can guess."""

    book: int
    index: int
    secret: bytes = field(repr=False)

    @property
    def number(self) -> int:
        """As it is printed, from 1 on."""
        return self.index + 1


def format_coupon(coupon: Coupon, origin: str) -> str:
    """The text of a coupon of the ledger ``origin``."""
    secret = b32encode(coupon.secret).decode().rstrip("=")
    plain = FIELD.join((PREFIX, str(coupon.book), str(coupon.number), secret))
    return f"{plain}{FIELD}{_check(plain, origin)}"


def parse_coupon(text: str, origin: str) -> Coupon:
    """The coupon that was scanned or typed; raises BadRowError, which never repeats the text.

    Small and wide letters, spaces, and characters that look alike (``LETTERS``, ``DIGITS``) are read too.
    """
    if len(text) > TEXT_MAX_CHARACTERS:
        raise BadRowError(_("this is too long for a coupon"))
    folded = "".join(unicodedata.normalize("NFKC", text).upper().split())
    prefix, *fields = folded.split(FIELD)
    spelled = [each.translate(DIGITS if place < 2 else LETTERS) for place, each in enumerate(fields)]
    match = TEXT.fullmatch(FIELD.join(spelled))
    if prefix.translate(DIGITS) != PREFIX or match is None:
        raise BadRowError(_("this is no coupon: scan its code, or type all of the small letters beside it"))
    book, number, secret = int(match[1]), int(match[2]), match[3]
    plain = FIELD.join((PREFIX, str(book), str(number), secret))
    if match[4] != _check(plain, origin):
        raise BadRowError(_("the coupon was misread, or it is of another ledger: compare it with the print"))
    raw = b32decode(secret + PADDING)
    if b32encode(raw).decode().rstrip("=") != secret or not 1 <= number <= COUPONS_MAX or book > INTEGER_MAX:
        raise BadRowError(_("the coupon was misread, or it is of another ledger: compare it with the print"))
    return Coupon(book, number - 1, raw)


def _check(plain: str, origin: str) -> str:
    """The first 10 bits of a hash, as two characters of base32."""
    digest = hashlib.sha256(f"{origin}\n{plain}".encode()).digest()
    return b32encode(digest).decode()[:CHECK_CHARACTERS]


class Shelf:
    """What a home keeps of its books of coupons: files for the owner alone, with no secret but on a waiting page."""

    def __init__(self, home: Home) -> None:
        self._folder = home.folder / "coupons"
        self._levels = lru_cache(BOOKS_CACHED)(self._read_levels)

    def put(self, root: bytes, leaves: Sequence[bytes]) -> None:
        """Keep the leaves of a book; they are on disk when this returns."""
        self._write(self._file(root, "leaves"), b"".join(leaves))

    def drop(self, root: bytes) -> None:
        """Forget a book that did not come to be."""
        for part in ("leaves", "page"):
            self._file(root, part).unlink(missing_ok=True)

    def leaves(self, index: int, book: CouponBook) -> Sequence[bytes]:
        """The leaves of the book that entry ``index`` issued; raises DeskError where they are not there or damaged."""
        return self._levels(index, book.root, book.count)[0]

    def path(self, index: int, book: CouponBook, leaf_index: int) -> tuple[bytes, ...]:
        """The path of a coupon to the book's root; raises DeskError."""
        return tuple(path_in(self._levels(index, book.root, book.count), leaf_index))

    def restore(self, index: int, book: CouponBook, copy: Path) -> None:
        """Keep a copy of a book's leaves; raises DeskError where it is one of something else."""
        raw = _read(copy, book.count)
        if not _is_of(raw, book.root, book.count):
            text = _("{path} is no copy of the leaves of book {book}: their root is another")
            raise DeskError(text.format(path=copy, book=index))
        self._write(self._file(book.root, "leaves"), raw)
        self._levels.cache_clear()

    def page(self, root: bytes) -> Path:
        """Where the page of a book waits."""
        return self._file(root, "page")

    def put_page(self, root: bytes, raw: bytes) -> None:
        """Have a page wait until its book is on the ledger."""
        self._write(self.page(root), raw)

    def drop_page(self, root: bytes) -> None:
        """The page is where it belongs."""
        self.page(root).unlink(missing_ok=True)

    def unplaced(self, state: State) -> Iterator[tuple[int, Path]]:
        """Books on the ledger whose page never came to its place, and where it waits."""
        for index, book in state.coupon_books.items():
            path = self.page(book.root)
            if path.exists():
                yield index, path

    def drop_orphans(self, state: State) -> None:
        """Remove what is of no book of the ledger, and half-written pages; the caller writes, and nobody else.

        A half-written copy of a known book's leaves stays: whoever restores one needs no lock, and it holds no secret.
        """
        known = {book.root.hex() for book in state.coupon_books.values()}
        for path in self._folder.glob("*"):
            found = BOOK_FILE.fullmatch(path.name)
            if found is None:
                continue
            is_half_page = found["draft"] is not None and found["part"] == "page"
            if is_half_page or found["root"] not in known:
                path.unlink(missing_ok=True)

    def _read_levels(self, index: int, root: bytes, count: int) -> list[list[bytes]]:
        path = self._file(root, "leaves")
        try:
            raw = _read(path, count)
        except FileNotFoundError:
            raw = b""
        if not _is_of(raw, root, count):
            text = _("{path}, the leaves of book {book}, is missing or damaged: `huzhu coupon restore` takes a copy")
            raise DeskError(text.format(path=path, book=index))
        return levels_of(_split(raw))

    def _file(self, root: bytes, part: str) -> Path:
        return self._folder / f"{root.hex()}.{part}"

    def _write(self, path: Path, raw: bytes) -> None:
        self._folder.mkdir(DIRECTORY_MODE, exist_ok=True)
        with closing(Draft(path)) as draft:
            draft.write(raw)
            draft.finish()
            draft.place()
        _sync(self._folder)


def coupon_evidence(
    coupon: Coupon, state: State, shelf: Shelf, checkin: Time | None = None, checkout: Time | None = None
) -> Evidence:
    """The coupon as evidence of a service; raises DeskError where the book's leaves are missing.

    A coupon of no book, or of a place that its book does not have, gets no path: the rules refuse it.
    """
    book = state.coupon_books.get(coupon.book)
    path = () if book is None or coupon.index >= book.count else shelf.path(coupon.book, book, coupon.index)
    return Evidence(
        form="coupon",
        book=coupon.book,
        index=coupon.index,
        secret=coupon.secret,
        path=path,
        checkin=checkin,
        checkout=checkout,
    )


def standing(coupon: Coupon, state: State, shelf: Shelf) -> str | None:
    """Whether the coupon can be used: None, or the outcome it would lead to; raises DeskError as above."""
    book = state.coupon_books.get(coupon.book)
    if book is None or coupon.index >= book.count:
        return INVALID
    if shelf.leaves(coupon.book, book)[coupon.index] != leaf_hash(coupon.secret):
        return INVALID
    return USED if coupon.index in book.used else None


def _read(path: Path, count: int) -> bytes:
    """At most one byte more than the leaves of a book of ``count`` coupons have."""
    with path.open("rb") as file:
        return file.read(count * HASH_BYTES + 1)


def _is_of(raw: bytes, root: bytes, count: int) -> bool:
    return len(raw) == count * HASH_BYTES and root_of(_split(raw)) == root


def _split(raw: bytes) -> list[bytes]:
    return [raw[start : start + HASH_BYTES] for start in range(0, len(raw), HASH_BYTES)]


def _sync(folder: Path) -> None:
    """Have the names in a folder on disk, where the system can do that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
