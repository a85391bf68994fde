"""Parameters: what differs between cities (RULES §5). Every ``params`` entry and genesis hold all of them.

``parse_parameters`` turns the plain map of an entry into ``Parameters`` or an outcome; ``format_parameters`` is its
other side; ``DEFAULTS`` is what a new ledger begins with.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from chain.errors import NoteError
from chain.fields import Code, Text
from chain.limits import INTEGER_MAX
from chain.note import ED25519, parse_vkey

CATEGORIES = (
    "emotional_comfort",
    "assistance",
    "travel_companion",
    "culture_sports",
    "health_science",
    "legal_aid",
    "training",
    "fraud_prevention",
)
"""The eight services, closed (RULES §3)."""

DAYS_MAX, YEARS_100_DAYS = 365, 36_500

Days = Annotated[int, Meta(ge=0, le=DAYS_MAX)]
DayMinutes = Annotated[int, Meta(ge=1, le=1_440)]
Positive = Annotated[int, Meta(ge=1, le=INTEGER_MAX)]
NotNegative = Annotated[int, Meta(ge=0, le=INTEGER_MAX)]
MinuteOfDay = Annotated[int, Meta(ge=0, le=1_439)]


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All parameters; the defaults are those that ``init`` writes. Minutes, days and counts as the names say."""

    balance_max_minutes: NotNegative = 0
    credentials_needed: dict[Code, Code] = msgspec.field(
        default_factory=lambda: {"fraud_prevention": "finance", "legal_aid": "legal"}
    )
    day_max_minutes: DayMinutes = 480
    dispute_within_days: Days = 30
    funded_groups: tuple[Code, ...] = ("key_elder",)
    gift_count: Positive = 3
    gift_days: Positive = 30
    institution_minutes: Positive = 600_000
    kin_relations: Annotated[tuple[Code, ...], Meta(min_length=1)] = (
        "spouse",
        "parent",
        "grandparent",
        "child",
        "grandchild",
        "parent_in_law",
    )
    local_services: dict[Code, Code] = msgspec.field(
        default_factory=lambda: {
            "bathing": "assistance",
            "cleaning": "assistance",
            "emergency": "assistance",
            "home_care": "assistance",
            "meals": "assistance",
            "medical_escort": "travel_companion",
            "recreation": "culture_sports",
            "rehabilitation": "assistance",
        }
    )
    night_end: MinuteOfDay = 360
    night_start: MinuteOfDay = 1_320
    overdraft_minutes: NotNegative = 0
    posting_days: Days = 3
    reciprocal_count: Positive = 3
    reciprocal_days: Positive = 30
    record_within_days: Annotated[int, Meta(ge=0, le=YEARS_100_DAYS)] = 7
    redeem_min_minutes: NotNegative = 0
    service_max_minutes: DayMinutes = 480
    statement_max_age_days: Annotated[int, Meta(ge=1, le=YEARS_100_DAYS)] = 30
    trusted_logs: tuple[Text, ...] = ()
    unit_minutes: Annotated[int, Meta(ge=1, le=60)] = 1
    utc_offset_minutes: Annotated[int, Meta(ge=-720, le=840)] = 480


DEFAULTS = Parameters()
NAMES = frozenset(Parameters.__struct_fields__)


def format_parameters(parameters: Parameters) -> dict[str, Any]:
    """The plain map that an entry holds, its keys in order."""
    plain: dict[str, Any] = msgspec.to_builtins(parameters)
    return {name: dict(sorted(value.items())) if isinstance(value, dict) else value for name, value in plain.items()}


def parse_parameters(plain: dict[str, Any]) -> Parameters | str:
    """The parameters in an entry's map, or the outcome ``unknown-parameter`` or ``bad-parameter``."""
    if not NAMES.issuperset(plain):
        return "unknown-parameter"
    if len(plain) < len(NAMES):
        return "bad-parameter"
    try:
        parameters = msgspec.convert(plain, Parameters)
    except msgspec.ValidationError:
        return "bad-parameter"
    if not set(parameters.local_services.values()) <= set(CATEGORIES):
        return "bad-parameter"
    return parameters if all(map(is_log_key, parameters.trusted_logs)) else "bad-parameter"


def is_log_key(text: str) -> bool:
    """Whether a text is a log's verifier key, of type Ed25519."""
    try:
        return parse_vkey(text).type == ED25519
    except NoteError:
        return False
