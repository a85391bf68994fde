"""Why a path, query or body could not be read, in the language of who asks: FastAPI's own words are English."""

from collections.abc import Mapping
from typing import Any

from web.i18n import ENGLISH, language, marked
from web.i18n import translate as _

WORDS_MAX_CHARACTERS = 100
FLAWS = {
    "missing": marked("it is missing"),
    "int_parsing": marked("it is to be a whole number"),
    "int_type": marked("it is to be a whole number"),
    "bool_parsing": marked("it is to be true or false"),
    "greater_than_equal": marked("it is to be {ge} or more"),
    "less_than_equal": marked("it is to be {le} or less"),
    "string_type": marked("it is to be a text"),
    "string_too_short": marked("it is to have {min_length} characters or more"),
    "string_too_long": marked("it is to have {max_length} characters at most"),
    "too_short": marked("it is to have {min_length} values or more"),
    "too_long": marked("it is to have {max_length} values at most"),
    "literal_error": marked("it is to be one of: {expected}"),
    "extra_forbidden": marked("there is no such field"),
    "json_invalid": marked("it is not JSON"),
}
"""By pydantic's name for the flaw, with the gaps that it fills itself."""
OTHERWISE = marked("it is not as the API's description says")


def flaw_words(flaw: Mapping[str, Any]) -> str:
    """One flaw that pydantic found, in words; nothing of what was sent stands in them."""
    if language() == ENGLISH:
        return str(flaw["msg"])[:WORDS_MAX_CHARACTERS]
    gaps = {name: str(value)[:WORDS_MAX_CHARACTERS] for name, value in flaw.get("ctx", {}).items()}
    try:
        return _(FLAWS.get(flaw["type"], OTHERWISE)).format_map(gaps)
    except KeyError:
        return _(OTHERWISE)
