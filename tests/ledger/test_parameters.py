"""Parameters: all of them, each within its bounds, and in one form."""

import json
from typing import Any

import pytest

from chain.canonical import format_canonical
from chain.entry import Signature, join_entry
from chain.errors import EntryError
from chain.limits import INTEGER_MAX
from ledger.kinds import CODEC
from ledger.parameters import DEFAULTS, NAMES, Parameters, format_parameters, parse_parameters
from tests.scenarios.village import Plain, plain_parameters

PLAIN = plain_parameters(DEFAULTS)

BOUNDS = [
    ("balance_max_minutes", 0, INTEGER_MAX),
    ("day_max_minutes", 1, 1_440),
    ("dispute_within_days", 0, 365),
    ("gift_count", 1, INTEGER_MAX),
    ("gift_days", 1, INTEGER_MAX),
    ("institution_minutes", 1, INTEGER_MAX),
    ("night_end", 0, 1_439),
    ("night_start", 0, 1_439),
    ("overdraft_minutes", 0, INTEGER_MAX),
    ("posting_days", 0, 365),
    ("reciprocal_count", 1, INTEGER_MAX),
    ("reciprocal_days", 1, INTEGER_MAX),
    ("record_within_days", 0, 36_500),
    ("redeem_min_minutes", 0, INTEGER_MAX),
    ("service_max_minutes", 1, 1_440),
    ("statement_max_age_days", 1, 36_500),
    ("unit_minutes", 1, 60),
    ("utc_offset_minutes", -720, 840),
]

OTHERS: list[tuple[str, Any, str]] = [
    ("credentials_needed", {}, "ok"),
    ("credentials_needed", {"meals": "cook", "assistance": "carer"}, "ok"),
    ("credentials_needed", {"meals": "A cook"}, "bad-parameter"),
    ("credentials_needed", {"meals": 1}, "bad-parameter"),
    ("credentials_needed", ["meals"], "bad-parameter"),
    ("funded_groups", [], "ok"),
    ("funded_groups", ["low_income", "key_elder"], "ok"),
    ("funded_groups", ["Low income"], "bad-parameter"),
    ("funded_groups", "low_income", "bad-parameter"),
    ("kin_relations", [], "bad-parameter"),
    ("kin_relations", ["child"], "ok"),
    ("kin_relations", ["a" * 33], "bad-parameter"),
    ("kin_relations", ["child\n"], "bad-parameter"),
    ("local_services", {}, "ok"),
    ("local_services", {"haircut": "assistance"}, "ok"),
    ("local_services", {"haircut": "meals"}, "bad-parameter"),
    ("local_services", {"haircut": "haircut"}, "bad-parameter"),
    ("trusted_logs", [], "ok"),
    ("trusted_logs", [1], "bad-parameter"),
    ("colour", "red", "unknown-parameter"),
]


def outcome(plain: Plain) -> str:
    parsed = parse_parameters(plain)
    return parsed if isinstance(parsed, str) else "ok"


@pytest.mark.parametrize(("name", "low", "high"), BOUNDS)
def test_bounds(name: str, low: int, high: int) -> None:
    assert outcome(PLAIN | {name: low}) == outcome(PLAIN | {name: high}) == "ok"
    wrong: list[Any] = [low - 1, high + 1, str(low), True, [low], {}]
    for value in wrong:
        assert outcome(PLAIN | {name: value}) == "bad-parameter", value


@pytest.mark.parametrize(("name", "value", "expected"), OTHERS)
def test_codes_and_maps(name: str, value: object, expected: str) -> None:
    assert outcome(PLAIN | {name: value}) == expected


def test_the_tables_name_every_parameter() -> None:
    assert {row[0] for row in BOUNDS} | {row[0] for row in OTHERS} == NAMES | {"colour"}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_none_may_be_left_out(name: str) -> None:
    plain = {other: value for other, value in PLAIN.items() if other != name}
    assert outcome(plain) == "bad-parameter"
    assert outcome(plain | {"colour": "red"}) == "unknown-parameter"


def test_round_trip() -> None:
    changed = Parameters(posting_days=0, local_services={"meals": "assistance", "haircut": "assistance"})
    for parameters in (DEFAULTS, changed):
        assert parse_parameters(format_parameters(parameters)) == parameters
        assert parse_parameters(plain_parameters(parameters)) == parameters
    assert list(format_parameters(changed)["local_services"]) == ["haircut", "meals"]


def nested(depth: int) -> object:
    return {"a": nested(depth - 1)} if depth else "red"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (nested(5), "ok"),  # entry, body and params are three levels, of eight
        (nested(6), "entry.noncanonical"),
        ("a\u0085b", "entry.noncanonical"),
        (1 << 53, "entry.noncanonical"),
        (-(1 << 53), "entry.noncanonical"),
        ((1 << 53) - 1, "ok"),
        ("", "entry.malformed"),
        ("a" * 1_024, "ok"),
        ("a" * 1_025, "entry.malformed"),
    ],
)
def test_an_unknown_parameter_is_still_canonical_json(value: object, code: str) -> None:
    """The shape of an entry is judged before its parameters are."""
    assert shape({"colour": value}) == code


def shape(params: Plain) -> str:
    """What reading an entry with those parameters answers."""
    placed = format_canonical({"at": "2026-03-01T00:00:00Z", "body": "", "by": "0" * 16, "kind": "params", "seq": 1})
    body = b'{"params":%s,"version":1}' % unchecked(params)
    statement = placed.replace(b'""', body, 1)[:-1] + b',"v":1}'
    try:
        CODEC.parse(join_entry(statement, None, (Signature("0" * 16, bytes(64)),)))
    except EntryError as error:
        return error.code
    return "ok"


def unchecked(value: object) -> bytes:
    """JSON that the canonical encoder would refuse to write."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True).encode()
