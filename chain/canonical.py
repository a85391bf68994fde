"""Which JSON is an entry's: RFC 8785 with narrower limits (FORMAT §1).

``format_canonical`` writes it and ``parse_canonical`` reads it strictly: bytes that do not re-encode to themselves are
refused. Both work on plain values and are not fast; ``chain.entry`` reads good entries by a quicker way, and comes here
to learn what is wrong with a bad one.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from chain.errors import EntryError
from chain.limits import INTEGER_MAX, NESTING_MAX

KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
CONTROL_BYTES = re.compile(rb'\x7f|\xc2[\x80-\x9f]|\\[^"\\]')
"""Finds a control character, or an escape of anything but the two allowed, in canonical bytes."""


BACKSLASH, DELETE, LATIN = 0x5C, 0x7F, 0xC2
"""Without one of these bytes there is nothing to look for: U+0080 to U+009F begin with the last."""


def format_canonical(value: object, level: int = 1) -> bytes:
    """The canonical bytes of a plain value; raises EntryError for one that §1 does not allow.

    ``level`` is the value's own level of nesting, where it is a part of an entry: that is level 1, its body 2.
    """
    _check(value, level)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def parse_canonical(raw: bytes) -> Any:
    """The plain value that ``raw`` holds; raises EntryError ``entry.noncanonical``."""
    try:
        value = json.loads(
            raw.decode(),
            object_pairs_hook=_object,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except UnicodeDecodeError as error:
        refuse(f"it is not UTF-8 at byte {error.start}")
    except json.JSONDecodeError as error:
        refuse(f"it is not JSON at character {error.pos}: {error.msg}")
    except RecursionError:
        refuse(f"it nests deeper than {NESTING_MAX} levels")
    except ValueError as error:
        refuse(str(error))
    if format_canonical(value) != raw:
        refuse("its bytes do not re-encode to themselves (order of keys, white space, escapes or numbers)")
    return value


def has_control(raw: bytes) -> bool:
    """Whether canonical bytes hold a control character or another escape than ``\\"`` and ``\\\\``."""
    return (BACKSLASH in raw or DELETE in raw or LATIN in raw) and CONTROL_BYTES.search(unescaped(raw)) is not None


def unescaped(raw: bytes) -> bytes:
    """``raw`` without the two escapes that are allowed."""
    return raw.replace(b"\\\\", b"").replace(b'\\"', b"")


def refuse(why: str) -> NoReturn:
    """Raise EntryError ``entry.noncanonical``."""
    raise EntryError("entry.noncanonical", why)


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:32]!r} stands in it twice")
        found[key] = value
    return found


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(f"it holds the number {text[:32]}, which is no integer")


def _check(value: object, level: int) -> None:
    """Keys, nesting, kinds of value, numbers and control characters."""
    if isinstance(value, str):
        if CONTROL.search(value):
            refuse("it holds a control character")
        if not value.isascii() and re.search("[\ud800-\udfff]", value):
            refuse("it holds half a surrogate pair")
    elif isinstance(value, bool):
        pass
    elif isinstance(value, int):
        if abs(value) > INTEGER_MAX:
            refuse("it holds an integer of 2^53 or more")
    elif isinstance(value, dict | list):
        if level > NESTING_MAX:
            refuse(f"it nests deeper than {NESTING_MAX} levels")
        if isinstance(value, dict):
            for key in value:
                if not KEY.fullmatch(key):
                    refuse(f"the key {key[:32]!r} is not of the form [a-z][a-z0-9_]{{0,31}}")
        for item in value.values() if isinstance(value, dict) else value:
            _check(item, level + 1)
    else:
        refuse(f"it holds a {type(value).__name__}, which is no string, integer, boolean, array or object")
