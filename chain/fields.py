"""The types of an entry's fields (FORMAT §1, RULES §2), as msgspec checks them while decoding.

Binary fields decode from base64 to ``bytes`` and times to aware ``datetime``; both are re-encoded and compared, so only
one spelling of each passes.
"""

import datetime
import re
from typing import Annotated

from msgspec import Meta

from chain.keys import MLDSA_PUBLIC_KEY_BYTES, PUBLIC_KEY_BYTES, SIGNATURE_BYTES
from chain.limits import BLOB_MAX_BYTES, INTEGER_MAX, ORIGIN_MAX_BYTES, SHEET_MAX_STATEMENTS, STRING_MAX_CODE_POINTS
from chain.merkle import HASH_BYTES

ORIGIN = re.compile(r"[a-z0-9][a-z0-9.-]*(/[a-z0-9][a-z0-9._-]*)*")

KEY_ID = re.compile(r"[0-9a-f]{16}")
KEY_ID_DIGITS = 16
ACCOUNT_DIGITS = 8

Text = Annotated[str, Meta(min_length=1, max_length=STRING_MAX_CODE_POINTS)]
Code = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}\Z")]
KeyId = Annotated[str, Meta(min_length=KEY_ID_DIGITS, max_length=KEY_ID_DIGITS)]
"""Its digits are checked by ``is_key_id``, once a key and not once an entry."""
AccountNumber = Annotated[str, Meta(min_length=ACCOUNT_DIGITS, max_length=ACCOUNT_DIGITS)]
"""Its digits are checked by ``is_account_number``."""
Count = Annotated[int, Meta(ge=1, le=INTEGER_MAX)]
Index = Annotated[int, Meta(ge=0, le=INTEGER_MAX)]
Hash = Annotated[bytes, Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]
PublicKey = Annotated[bytes, Meta(min_length=PUBLIC_KEY_BYTES, max_length=PUBLIC_KEY_BYTES)]
MldsaPublicKey = Annotated[bytes, Meta(min_length=MLDSA_PUBLIC_KEY_BYTES, max_length=MLDSA_PUBLIC_KEY_BYTES)]
SignatureBytes = Annotated[bytes, Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]
SheetSize = Annotated[int, Meta(ge=2, le=SHEET_MAX_STATEMENTS)]
COUPON_SECRET_BYTES = 16
CouponSecret = Annotated[bytes, Meta(min_length=COUPON_SECRET_BYTES, max_length=COUPON_SECRET_BYTES)]
Blob = Annotated[bytes, Meta(min_length=1, max_length=BLOB_MAX_BYTES)]
Time = datetime.datetime
Date = datetime.date
Flag = bool

UTC = datetime.UTC


def is_time(value: Time) -> bool:
    """Whether a decoded time is UTC, in whole seconds and of the years 2000 to 2999."""
    return value.tzinfo is UTC and not value.microsecond and 2000 <= value.year <= 2999


def is_key_id(text: str) -> bool:
    """Whether ``text`` is 16 lower-case hex digits."""
    return KEY_ID.fullmatch(text) is not None


def is_account_number(text: str) -> bool:
    """Whether ``text``, of eight characters, is eight digits."""
    return text.isascii() and text.isdigit()


def is_origin(text: str) -> bool:
    """Whether ``text`` may name a ledger (FORMAT §2)."""
    return (
        len(text) <= ORIGIN_MAX_BYTES
        and ORIGIN.fullmatch(text) is not None
        and "." in text
        and not text.startswith(("huzhu/", "cosignature/"))
    )


def parse_time(text: str) -> Time:
    """``YYYY-MM-DDTHH:MM:SSZ`` as a time; raises ValueError."""
    value = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    if format_time(value) != text or not is_time(value):
        raise ValueError(f"{text!r} is not of the form YYYY-MM-DDTHH:MM:SSZ, of the years 2000 to 2999")
    return value


def format_time(value: Time) -> str:
    """A time as ``YYYY-MM-DDTHH:MM:SSZ``."""
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")
