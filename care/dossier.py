"""What is kept of a person beside the ledger (RULES §9), and its one form in bytes.

A dossier's bytes are the canonical JSON of the fields that say something, in any order given and always the same order
written. ``make_dossier`` takes what people wrote, ``parse_dossier`` reads the bytes back.

    CareError
    └── DossierError     something that was written is no dossier; the text names the field, never what stands in it
"""

import datetime
import re
import unicodedata
from collections.abc import Mapping
from gettext import gettext as _
from typing import Any

import msgspec

from chain.canonical import format_canonical, parse_canonical
from chain.errors import EntryError

DOSSIER_MAX_BYTES = 8_192
TEXT_MAX_CHARACTERS = 500
LANGUAGES_MAX = 16
FIRST_BIRTH_YEAR = 1880
BIRTH_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class CareError(Exception):
    """The private side cannot do it. The text says what is wrong and what to do, and nothing of any person."""


class DossierError(CareError):
    """What was written is no dossier."""


class Dossier(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One person's particulars; an empty field says nothing."""

    name: str = ""
    phone: str = ""
    born: datetime.date | None = None
    address: str = ""
    care_level: str = ""
    income_band: str = ""
    languages: tuple[str, ...] = ()
    diet: str = ""
    emergency_contact: str = ""


FIELDS = Dossier.__struct_fields__


def make_dossier(told: Mapping[str, Any]) -> Dossier:
    """The dossier that somebody wrote down: texts by the names of ``FIELDS``, ``languages`` a list of texts.

    Texts lose the space around them and are brought into NFC; empty ones say nothing. Raises DossierError.
    """
    unknown = sorted(set(told) - set(FIELDS))
    if unknown:
        text = _("a dossier has no field {field}; it may have: {fields}")
        raise DossierError(text.format(field=_word(unknown[0]), fields=", ".join(FIELDS)))
    made = Dossier(**{name: _value(name, value) for name, value in told.items()})
    format_dossier(made)
    return made


def change_dossier(dossier: Dossier, told: Mapping[str, Any]) -> Dossier:
    """The same with what was told in place of what was there; an empty text takes a field away."""
    return make_dossier(plain_dossier(dossier) | dict(told))


def plain_dossier(dossier: Dossier) -> dict[str, Any]:
    """The fields that say something, as JSON has them."""
    plain: dict[str, Any] = msgspec.to_builtins(dossier)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}


def format_dossier(dossier: Dossier) -> bytes:
    """The dossier's bytes, at most ``DOSSIER_MAX_BYTES``; raises DossierError."""
    try:
        raw = format_canonical(plain_dossier(dossier))
    except EntryError as error:
        raise DossierError(_("a dossier takes no control characters")) from error
    if len(raw) > DOSSIER_MAX_BYTES:
        text = _("the dossier takes {count} bytes; at most {most} are kept")
        raise DossierError(text.format(count=len(raw), most=DOSSIER_MAX_BYTES))
    return raw


def parse_dossier(raw: bytes) -> Dossier:
    """The dossier in bytes that ``format_dossier`` wrote; raises DossierError for any others."""
    try:
        plain = parse_canonical(raw) if len(raw) <= DOSSIER_MAX_BYTES else None
    except EntryError:
        plain = None
    made = make_dossier(plain) if isinstance(plain, dict) else None
    if made is None or format_dossier(made) != raw:
        raise DossierError(_("these bytes are no dossier"))
    return made


def _value(name: str, value: Any) -> Any:
    """A field's value, out of what was told."""
    if name == "languages":
        return _texts(name, value)
    text = _text(name, value.isoformat() if isinstance(value, datetime.date) else value)
    return text if name != "born" else _birth_date(text)


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > LANGUAGES_MAX:
        text = _("{field} of a dossier is a list of at most {most} texts")
        raise DossierError(text.format(field=name, most=LANGUAGES_MAX))
    return tuple(filter(None, (_text(name, each) for each in value)))


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DossierError(_("{field} of a dossier is a text").format(field=name))
    if len(value) > TEXT_MAX_CHARACTERS:
        text = _("{field} of a dossier is too long: at most {most} characters")
        raise DossierError(text.format(field=name, most=TEXT_MAX_CHARACTERS))
    return unicodedata.normalize("NFC", value.strip())


def _birth_date(text: str) -> datetime.date | None:
    if not text:
        return None
    try:
        day = datetime.date.fromisoformat(text) if BIRTH_DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or day.year < FIRST_BIRTH_YEAR:
        raise DossierError(_("{field} of a dossier is a date: write YYYY-MM-DD").format(field="born"))
    return day


def _word(text: Any) -> str:
    """A field's name as somebody wrote it: shown as far as it can be one."""
    return text[:32] if isinstance(text, str) and text.isidentifier() else "?"
