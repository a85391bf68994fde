"""People are found as a clerk types: by characters, pinyin, numbers and the end of a phone number."""

import time
from itertools import product

import pytest

from care.finder import Finder, Someone, forms
from ledger.numbers import account_number

PEOPLE = (
    Someone("12345676", "王秀芳", "138 0000 5678"),
    Someone(account_number(200_000), "单田芳", "010-6123 4567、13911112222"),
    Someone(account_number(200_001), "仇英"),
    Someone(account_number(200_002), "解晓东"),
    Someone(account_number(200_003), "曾国藩"),
    Someone(account_number(200_004), "吕布"),
    Someone(account_number(200_005), "欧阳修"),
    Someone(account_number(200_006), "Anna Müller", "+49 30 123456"),
    Someone(account_number(200_007), "阿依古丽·买买提"),
    Someone(account_number(200_008), "王秀"),
    Someone(account_number(200_009)),
)
MOST_SECONDS = 0.1


@pytest.fixture
def finder() -> Finder:
    return Finder(PEOPLE)


def found(finder: Finder, typed: str) -> list[str]:
    return [someone.name for someone in finder.find(typed)]


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("王秀芳", "王秀芳"),
        ("王秀", "王秀"),
        ("秀芳", "王秀芳"),
        (" 王 秀芳 ", "王秀芳"),
        ("wxf", "王秀芳"),
        ("wangxf", "王秀芳"),
        ("wangxiufang", "王秀芳"),
        ("Wang Xiufang", "王秀芳"),
        ("wáng xiù fāng", "王秀芳"),
        ("wxiuf", "王秀芳"),
        ("xiufang", "王秀芳"),
        ("ｗｘｆ", "王秀芳"),
        ("shan", "单田芳"),
        ("stf", "单田芳"),
        ("shtf", "单田芳"),
        ("dantianfang", "单田芳"),
        ("qiuying", "仇英"),
        ("chouying", "仇英"),
        ("xiexd", "解晓东"),
        ("jiexiaodong", "解晓东"),
        ("zenggf", "曾国藩"),
        ("cengguofan", "曾国藩"),
        ("lvbu", "吕布"),
        ("lübu", "吕布"),
        ("lubu", "吕布"),
        ("oyx", "欧阳修"),
        ("muller", "Anna Müller"),
        ("am", "Anna Müller"),
        ("aygl", "阿依古丽·买买提"),
        ("ayiguli", "阿依古丽·买买提"),
        ("买买提", "阿依古丽·买买提"),
    ],
)
def test_names_and_their_sounds(finder: Finder, typed: str, first: str) -> None:
    assert found(finder, typed)[:1] == [first]


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("12345676", "王秀芳"),
        ("1234", "王秀芳"),
        ("5676", "王秀芳"),
        ("5678", "王秀芳"),
        ("00005678", "王秀芳"),
        ("0000-5678", "王秀芳"),
        ("１２３４５６７６", "王秀芳"),
        ("61234567", "单田芳"),
        ("2222", "单田芳"),
    ],
)
def test_numbers_and_their_ends(finder: Finder, typed: str, first: str) -> None:
    assert found(finder, typed)[:1] == [first]


@pytest.mark.parametrize("typed", ["", " ", "-", "678", "1380000", "xyz", "王芳", "%", "'", "\x00", "王" * 10_000])
def test_what_finds_nobody(finder: Finder, typed: str) -> None:
    assert found(finder, typed) == []


def test_the_likeliest_come_first_and_no_more_than_asked_for(finder: Finder) -> None:
    assert found(finder, "wangxiu") == ["王秀", "王秀芳"]
    assert found(finder, "fang") == ["单田芳", "王秀芳"]
    begin = [someone.account for someone in PEOPLE if someone.account.startswith("2000")]
    assert sorted(someone.account for someone in finder.find("2000")) == sorted(begin)
    assert len(finder.find("2000", most=3)) == 3


def test_whoever_is_dropped_or_renamed_is_found_no_more(finder: Finder) -> None:
    finder.put(Someone("12345676", "李秀芳", "13700001111"))
    assert [found(finder, typed) for typed in ("wxf", "5678", "lxf", "1111")] == [[], [], ["李秀芳"], ["李秀芳"]]
    for someone in PEOPLE:
        finder.drop(someone.account)
        finder.drop(someone.account)
    assert len(finder) == 0
    assert not any(keys.begin_with("") for keys in vars(finder).values() if hasattr(keys, "begin_with"))


def test_what_is_known_already_stays_as_it_is(finder: Finder) -> None:
    finder.put(PEOPLE[0])
    assert (len(finder), finder.get("12345676"), finder.get("87654321")) == (len(PEOPLE), PEOPLE[0], None)


def test_every_mixture_of_syllables_and_initials_is_typed() -> None:
    made = forms([("zhang",), ("xiu",)])
    assert made == {first + second for first, second in product(("zhang", "z", "zh"), ("xiu", "x"))}
    assert forms([("a",)] * 6) == {"aaaaaa"}
    assert forms([]) == set()


def test_a_name_of_any_length_takes_bounded_room() -> None:
    finder = Finder([Someone("12345676", "行" * 10_000), Someone(account_number(1), "a b c d e f g h " * 1_000)])
    assert len(finder.find("xing")) == 1
    assert sum(len(keys.begin_with("")) for keys in vars(finder).values() if hasattr(keys, "begin_with")) < 100_000


def test_five_thousand_people_are_searched_at_once() -> None:
    surnames, names = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马单仇解曾吕欧", "秀英华芳娟丽敏静强磊军洋勇艳杰涛明超兰霞"
    names_of = ("".join(parts) for parts in product(surnames, names, names))
    finder = Finder(
        Someone(account_number(100_000 + number * 97), next(names_of), f"138{number:08}") for number in range(5_000)
    )
    for typed in ("w", "wxf", "王", "wangxiu", "1234", "秀英"):
        finder.find(typed)
        started = time.perf_counter()
        assert finder.find(typed)
        assert time.perf_counter() - started < MOST_SECONDS
