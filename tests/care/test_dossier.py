"""What may stand in a dossier, and its one form in bytes; everything else is refused in a sentence without the data."""

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from care.dossier import (
    DOSSIER_MAX_BYTES,
    FIELDS,
    LANGUAGES_MAX,
    TEXT_MAX_CHARACTERS,
    Dossier,
    DossierError,
    change_dossier,
    format_dossier,
    make_dossier,
    parse_dossier,
    plain_dossier,
)

GAO = {
    "name": "高秀芳",
    "phone": "15040260662",
    "born": "1957-01-03",
    "address": "六渡河村23号",
    "care_level": "partial",
    "income_band": "low",
    "languages": ["普通话", "English"],
    "diet": "无糖",
    "emergency_contact": "高明 13900000000",
}


def test_every_field_goes_in_and_comes_out() -> None:
    assert set(GAO) == set(FIELDS)
    made = make_dossier(GAO)
    assert made.born == datetime.date(1957, 1, 3)
    assert parse_dossier(format_dossier(made)) == made
    assert plain_dossier(made) == GAO


def test_the_order_in_which_it_was_told_does_not_matter() -> None:
    assert format_dossier(make_dossier(dict(reversed(GAO.items())))) == format_dossier(make_dossier(GAO))


def test_what_says_nothing_is_not_there() -> None:
    made = make_dossier({"name": "  ", "phone": None, "born": "", "languages": ["", " "]})
    assert made == Dossier()
    assert format_dossier(made) == b"{}"


def test_texts_are_in_one_form() -> None:
    assert make_dossier({"name": " e\u0301 "}).name == "\u00e9"


def test_what_changes_takes_the_place_of_what_was_there() -> None:
    changed = change_dossier(make_dossier(GAO), {"phone": "1", "diet": "", "languages": []})
    assert plain_dossier(changed) == {
        name: value for name, value in (GAO | {"phone": "1"}).items() if name not in ("diet", "languages")
    }


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"shoe_size": "秘密"}, "no field shoe_size"),
        ({"x y": "秘密"}, "no field ?"),
        ({7: "秘密"}, "no field ?"),
        ({"name": 7}, "name of a dossier is a text"),
        ({"name": ["秘密"]}, "name of a dossier is a text"),
        ({"name": "秘\x00密"}, "control characters"),
        ({"name": "秘密\ud800"}, "control characters"),
        ({"name": "秘" * (TEXT_MAX_CHARACTERS + 1)}, "name of a dossier is too long"),
        ({"languages": "秘密"}, "languages of a dossier is a list"),
        ({"languages": ["秘密"] * (LANGUAGES_MAX + 1)}, "languages of a dossier is a list"),
        ({"languages": [["秘密"]]}, "languages of a dossier is a text"),
        ({"languages": ["秘" * TEXT_MAX_CHARACTERS] * 6}, f"at most {DOSSIER_MAX_BYTES}"),
        ({"born": "秘密"}, "born of a dossier is a date"),
        ({"born": "1957-02-30"}, "born of a dossier is a date"),
        ({"born": "19570103"}, "born of a dossier is a date"),
        ({"born": "1700-01-03"}, "born of a dossier is a date"),
        ({"born": 1957}, "born of a dossier is a text"),
    ],
)
def test_what_is_no_dossier_is_refused_without_telling_it(told: Any, why: str) -> None:
    with pytest.raises(DossierError) as refused:
        make_dossier(told)
    assert why in str(refused.value)
    assert "秘" not in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        b"[]",
        b"7",
        b'"name"',
        b"[" * 5_000,
        b'{"name": "x"}',
        b'{"phone":"1","name":"x"}',
        b'{"name":"x","name":"x"}',
        b'{"name":""}',
        b'{"name":" x"}',
        b'{"name":"x","zzz":"y"}',
        b'{"languages":["a",""]}',
        b'{"name":"' + b"x" * DOSSIER_MAX_BYTES + b'"}',
    ],
)
def test_other_bytes_are_no_dossier(raw: bytes) -> None:
    with pytest.raises(DossierError):
        parse_dossier(raw)


TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40)


@given(
    st.fixed_dictionaries(
        {},
        optional={name: TEXTS for name in FIELDS if name not in ("born", "languages")}
        | {
            "born": st.dates(datetime.date(1880, 1, 1), datetime.date(2100, 1, 1)),
            "languages": st.lists(TEXTS, max_size=LANGUAGES_MAX),
        },
    )
)
def test_what_can_be_made_is_read_back(told: dict[str, Any]) -> None:
    made = make_dossier(told)
    assert parse_dossier(format_dossier(made)) == made
    assert change_dossier(made, {}) == made
