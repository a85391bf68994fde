"""Canonical JSON: RFC 8785 against another implementation of it, and FORMAT §1's own limits."""

import json
import random
import re
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chain.canonical import format_canonical, has_control, parse_canonical
from chain.errors import EntryError
from chain.limits import INTEGER_MAX, NESTING_MAX
from tests.chain.helpers import cut_off, flipped

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")

texts = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=20)
keys = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
scalars = texts | st.integers(-INTEGER_MAX, INTEGER_MAX) | st.booleans()


def values(levels: int) -> st.SearchStrategy[Any]:
    """Values that §1 allows, at most so many levels of arrays and objects deep."""
    if not levels:
        return scalars
    inner = values(levels - 1)
    return scalars | st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)


def nested(levels: int) -> list[Any]:
    """An array in an array …, so many levels."""
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@given(values(4))
@example({"b": 1, "a": 2, "a_": 3, "a0": 4})
@example(["\u00a0\u2028\ufeff\ufffe", '"\\/', "互助", "\U0001f375"])
@example([INTEGER_MAX, -INTEGER_MAX, 0, True, False])
def test_it_is_rfc_8785_and_comes_back(value: Any) -> None:
    raw = format_canonical(value)
    assert raw == rfc8785.dumps(value)
    assert parse_canonical(raw) == value


@settings(max_examples=300)
@given(values(3), st.randoms(use_true_random=False))
def test_whatever_is_read_re_encodes_to_itself_by_the_other_implementation(value: Any, chance: random.Random) -> None:
    raw = bytearray(format_canonical(value))
    for _ in range(chance.randint(0, 2)):
        raw[chance.randrange(len(raw))] = chance.choice(b' "\\,:[]{}0123456789-+.eEtfnu\x00\x7f\xc2\x80')
    try:
        read = parse_canonical(bytes(raw))
    except EntryError:
        return
    assert rfc8785.dumps(read) == raw


def test_one_level_less_than_too_deep() -> None:
    deepest = nested(NESTING_MAX)
    assert parse_canonical(format_canonical(deepest)) == deepest
    assert parse_canonical(b'{"a":' * 7 + b"{}" + b"}" * 7)


def test_the_edges_of_keys_and_integers() -> None:
    value = {"a" + "9_" * 15 + "z": -(2**53 - 1), "z": 2**53 - 1}
    assert parse_canonical(format_canonical(value)) == value


REFUSED = {
    "empty": b"",
    "two-values": b"1 2",
    "cut-off": b'{"a":1',
    "bom": b"\xef\xbb\xbf{}",
    "utf-16": '{"a":1}'.encode("utf-16"),
    "leading-space": b" {}",
    "trailing-newline": b"{}\n",
    "space-after-colon": b'{"a": 1}',
    "tab-between": b'{"a":1,\t"b":2}',
    "comment": b'{"a":1}//',
    "trailing-comma": b"[1,]",
    "single-quotes": b"{'a':1}",
    "keys-unsorted": b'{"b":1,"a":2}',
    "keys-unsorted-inside": b'{"a":{"z":1,"y":2}}',
    "key-twice": b'{"a":1,"a":1}',
    "key-twice-inside": b'[{"a":1,"a":2}]',
    "key-twice-by-escape": b'{"a":1,"\\u0061":1}',
    "key-upper-case": b'{"A":1}',
    "key-with-dash": b'{"a-b":1}',
    "key-begins-with-digit": b'{"1a":1}',
    "key-begins-with-underscore": b'{"_a":1}',
    "key-empty": b'{"":1}',
    "key-of-33": b'{"%s":1}' % (b"a" * 33),
    "key-not-ascii": '{"é":1}'.encode(),
    "key-with-newline-at-its-end": b'{"a\n":1}',
    "key-with-escaped-newline-at-its-end": b'{"a\\n":1}',
    "escape-of-a-letter": b'"\\u0041"',
    "escape-of-a-slash": b'"\\/"',
    "escape-of-a-quote-by-number": b'"\\u0022"',
    "escape-upper-case": b'"\\u00E9"',
    "escape-of-a-pair": b'"\\ud83c\\udf75"',
    "high-surrogate-alone": b'"\\ud83c"',
    "low-surrogate-alone": b'"\\udf75"',
    "surrogates-in-utf-8": b'"\xed\xa0\xbc\xed\xbd\xb5"',
    "invalid-utf-8": b'"\xff"',
    "utf-8-cut-off": b'"\xe4\xba"',
    "overlong-slash": b'"\xc0\xaf"',
    "overlong-nul": b'"\xc0\x80"',
    "overlong-three-bytes": b'"\xe0\x80\xaf"',
    "beyond-unicode": b'"\xf4\x90\x80\x80"',
    "null": b"null",
    "null-inside": b'{"a":null}',
    "nan": b"NaN",
    "infinity": b"[Infinity]",
    "minus-infinity": b"[-Infinity]",
    "fraction": b"1.5",
    "fraction-that-is-whole": b"1.0",
    "exponent": b"1e3",
    "exponent-upper-case": b"1E3",
    "minus-zero": b"-0",
    "minus-zero-fraction": b"-0.0",
    "plus-sign": b"+1",
    "leading-zero": b"01",
    "hexadecimal": b"0x10",
    "full-width-digits": "１２".encode(),
    "two-to-the-53": b"9007199254740992",
    "minus-two-to-the-53": b"-9007199254740992",
    "thirty-digits": b"9" * 30,
    "five-thousand-digits": b"9" * 5_000,
    "sixty-thousand-digits": b"9" * 60_000,
    "nine-levels": b"[" * 9 + b"]" * 9,
    "nine-levels-of-objects": b'{"a":' * 8 + b"{}" + b"}" * 8,
    "sixty-thousand-brackets": b"[" * 60_000,
    "thirty-thousand-pairs": b"[" * 30_000 + b"]" * 30_000,
    "sixty-thousand-objects": b'{"a":' * 13_000,
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED)
def test_these_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(EntryError) as refused:
        parse_canonical(raw)
    assert refused.value.code == "entry.noncanonical"
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("point", [*range(0x20), *range(0x7F, 0xA0)], ids=lambda point: f"{point:04x}")
def test_a_control_character_is_refused_raw_and_escaped(point: int) -> None:
    escaped = b'"a\\u%04x"' % point
    for raw in (f'"a{chr(point)}"'.encode(), escaped, json.dumps(chr(point)).encode(), b'{"k":%s}' % escaped):
        with pytest.raises(EntryError):
            parse_canonical(raw)
    with pytest.raises(EntryError):
        format_canonical(["a" + chr(point)])


@pytest.mark.parametrize(
    "value",
    [None, 1.0, float("nan"), b"raw", (1,), {1}, 2**53, -(2**53), "\ud800", {"A": 1}, {"a": None}, nested(9)],
    ids=repr,
)
def test_these_values_are_not_written(value: object) -> None:
    with pytest.raises(EntryError):
        format_canonical(value)


def test_no_shortened_or_flipped_text_is_read_as_two_things() -> None:
    raw = format_canonical({"a": ["互助", 12, True, {"b": '"\\'}], "z": -7})
    seen = {raw}
    for bad in [*cut_off(raw), *flipped(raw, range(8))]:
        try:
            read = parse_canonical(bad)
        except EntryError:
            continue
        assert bad not in seen
        assert format_canonical(read) == bad
        seen.add(bad)


@settings(max_examples=500)
@given(st.text(st.sampled_from('a"\\\n\x00\x7f\x80\x9f\xa0Â\xad互/u0'), max_size=12))
@example('\\"')
@example('\\\\\n')
@example("\\\\n")
@example("Â\x80")
def test_control_characters_are_seen_in_encoded_bytes(text: str) -> None:
    raw = json.dumps([text], ensure_ascii=False, separators=(",", ":")).encode()
    assert has_control(raw) == (CONTROL.search(text) is not None)
