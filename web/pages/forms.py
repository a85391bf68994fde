"""What a browser sends back: fields read within bounds, each mistake told beside its field.

    form = await read_form(request)
    minutes = form.number("minutes", 1, 1_440)          # None, and a sentence in ``form.flaws``, where it is none
    if form.flaws: …                                     # show the page again, with ``form`` in it
"""

import datetime
import re
import unicodedata
from collections.abc import Container, Mapping
from typing import Any

from fastapi import Request
from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect

from ledger.numbers import has_check_digits
from web.i18n import translate as _
from web.problem import Problem

FIELDS_MAX, FILES_MAX = 2_000, 1
FIELD_MAX_BYTES = 2**20
"""Of one field that is no file. Files go to disk piece by piece, and the door bounds the whole."""
TEXT_MAX_CHARACTERS = 2_000
YEARS = 1880, 2998
"""The oldest was born then; a ledger lasts no longer, whatever is added to a day."""
ACCOUNT = re.compile(r"[0-9]{8}")
CLOCK = re.compile(r"([01]?[0-9]|2[0-3])[:：]?([0-5][0-9])")


class Form:
    """The fields of one request. ``flaws`` holds a sentence for each field that could not be read."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields
        self.flaws: dict[str, str] = {}

    def text(self, name: str, maximum: int = TEXT_MAX_CHARACTERS, *, is_needed: bool = False) -> str:
        """A field's text without the space around it; in NFC where it has no more than ``TEXT_MAX_CHARACTERS``.

        Cut before it is looked at: to normalise text takes the square of its length at worst.
        """
        value = self._fields.get(name, "")
        text = value.strip() if isinstance(value, str) else ""
        if len(text) > maximum:
            self.flaw(name, _("at most {most} characters").format(most=maximum))
            return text[:maximum]
        if len(text) <= TEXT_MAX_CHARACTERS:
            text = unicodedata.normalize("NFC", text)
        if is_needed and not text:
            self.flaw(name, _("this is needed"))
        return text

    def number(self, name: str, least: int, most: int, *, is_needed: bool = True) -> int | None:
        """A whole number."""
        text = unicodedata.normalize("NFKC", self.text(name, 32, is_needed=is_needed))
        if not text:
            return None
        if not re.fullmatch(r"-?[0-9]{1,15}", text) or not least <= int(text) <= most:
            self.flaw(name, _("a whole number from {least} to {most}").format(least=least, most=most))
            return None
        return int(text)

    def account(self, name: str, *, is_needed: bool = True) -> str:
        """An account number, its check digits right; "" where it is none."""
        text = unicodedata.normalize("NFKC", self.text(name, 32, is_needed=is_needed)).replace(" ", "")
        if text and not (ACCOUNT.fullmatch(text) and has_check_digits(text)):
            self.flaw(name, _("an account number has eight digits; look at the passbook's first page"))
            return ""
        return text

    def date(self, name: str, *, is_needed: bool = True) -> datetime.date | None:
        """A day."""
        text = self.text(name, 32, is_needed=is_needed)
        try:
            day = datetime.date.fromisoformat(text) if text else None
        except ValueError:
            day = datetime.date.min
        if day is not None and not YEARS[0] <= day.year <= YEARS[1]:
            self.flaw(name, _("a date, like 2026-11-21"))
            return None
        return day

    def clock(self, name: str, *, is_needed: bool = True) -> datetime.time | None:
        """A time of the day; ``0930`` and full-width colons are understood."""
        text = unicodedata.normalize("NFKC", self.text(name, 16, is_needed=is_needed))
        found = CLOCK.fullmatch(text)
        if text and found is None:
            self.flaw(name, _("a time of the day, like 09:30"))
        return datetime.time(int(found[1]), int(found[2])) if found else None

    def choice(self, name: str, among: Container[str], *, is_needed: bool = True) -> str:
        """One of those offered; "" where it is another."""
        text = self.text(name, 64, is_needed=is_needed)
        if text and text not in among:
            self.flaw(name, _("choose one of those offered"))
            return ""
        return text

    def is_on(self, name: str) -> bool:
        """Whether a box is ticked."""
        return self.text(name, 16) not in ("", "0", "off")

    def several(self, name: str, most: int = FIELDS_MAX) -> list[str]:
        """All values of a field that may stand more than once."""
        fields = self._fields
        values = fields.getlist(name) if isinstance(fields, FormData) else [fields.get(name, "")]
        return [value.strip()[:TEXT_MAX_CHARACTERS] for value in values[:most] if isinstance(value, str) and value]

    def file(self, name: str) -> UploadFile | None:
        """A file that was sent along; None where there is none, or an empty one without a name."""
        value = self._fields.get(name)
        return value if isinstance(value, UploadFile) and (value.filename or value.size) else None

    def get(self, name: str, otherwise: str = "") -> str:
        """What was typed, to be shown again as it was."""
        value = self._fields.get(name, otherwise)
        return value[:TEXT_MAX_CHARACTERS] if isinstance(value, str) else otherwise

    def raw(self, name: str) -> str:
        """A long text as it was sent, such as pasted rows: within ``FIELD_MAX_BYTES``."""
        value = self._fields.get(name, "")
        return value if isinstance(value, str) else ""

    def flaw(self, name: str, text: str) -> None:
        """Say what is wrong with a field; the first word counts."""
        self.flaws.setdefault(name, text)


EMPTY = Form({})
"""A form that nobody has filled in yet."""


async def read_form(request: Request) -> Form:
    """The fields of a request; Problem 400 where they cannot be read, or hold what no text can (half a character)."""
    try:
        fields = await request.form(max_files=FILES_MAX, max_fields=FIELDS_MAX, max_part_size=FIELD_MAX_BYTES)
        for name, value in fields.multi_items():
            f"{name}{value if isinstance(value, str) else value.filename}".encode()
    except (MultiPartException, FormParserError, UnicodeError, LookupError, ClientDisconnect) as error:
        raise Problem(400, "bad-request", _("not readable"), _("this form cannot be read: send it again")) from error
    return Form(fields)

