"""Finds people as a clerk types: some of a name, pinyin, a number, the end of a phone number.

    finder = Finder()
    finder.put(Someone("12345676", "王秀芳", "138 0000 5678"))
    finder.find("wxf")                # initials; so do "wangxf", "xiufang", "王秀", "1234", "5676" and 5678
    finder.drop("12345676")           # nothing of them is left

It is an index in memory, of five thousand people or a hundred thousand, and nothing else: it reads no file, keeps none
and says nothing to any log. What can be typed for a person is made once, when they are put in: each syllable of the
name may be written out or stand by its initial, and the last one may break off anywhere. All of that lies sorted, so
that a question costs two bisections and the ranking of what is between them.

A character with several readings is found by each of them, a surname's own among them: 单 by shan and dan, 仇 by qiu
and chou, 解 by xie and jie, 曾 by zeng and ceng. ü may be typed as v, u or ü, and tones are not listened to.
"""

import os
import re
import unicodedata
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from heapq import nsmallest
from itertools import islice, product

os.environ.setdefault("PYPINYIN_NO_PHRASES", "1")  # each character is looked up alone: no phrases, half a second less
from pypinyin import Style, pinyin

TYPED_MAX_CHARACTERS = 64
NAME_MAX_CHARACTERS = 64
"""Of a longer name only the beginning is found by its sound."""
READINGS_MAX, SURNAME_READINGS_MAX = 3, 6
"""Of one character: the first ones of its dictionary; of a name's first character more."""
MIXED_MAX_SYLLABLES = 4
"""Longer names are found by all initials or all sounds, not by every mixture of the two."""
FORMS_MAX = 1_024
"""Of one name, from each of its characters on."""
KNOWN_CHARACTERS_MAX = 16_384
NUMBER_END_MIN_DIGITS, PHONE_END_MIN_DIGITS = 2, 4
"""Fewer are no end of a number: too many people have it."""
NUMBER = re.compile(r"[0-9 ()+./-]+")
PHONES = re.compile(r"[,;/、]")
SYLLABLE = re.compile(r"[a-z]+")
LEAST = 1_000_000
LAST = "\U0010ffff"
"""Sorts behind all that can be typed."""

# fmt: off
SURNAMES = {
    "单": "shan", "仇": "qiu", "解": "xie", "曾": "zeng", "查": "zha", "朴": "piao", "区": "ou", "缪": "miao",
    "翟": "zhai", "盖": "ge", "任": "ren", "华": "hua", "覃": "qin", "员": "yun", "种": "chong", "乐": "yue",
    "折": "she", "尉": "yu", "冼": "xian", "黑": "he", "纪": "ji", "宁": "ning", "应": "ying", "柏": "bai",
    "秘": "bi", "繁": "po", "瞿": "qu", "召": "shao", "句": "gou", "长": "zhang", "石": "shi",
}
# fmt: on
"""As what is usual for a name's first character, where elsewhere something else may be."""

EXACT, BEGINS, WHOLE, SOUNDS, ENDS, PHONE, WITHIN, RARE, WITHIN_SOUNDS = (rank * 1_000 for rank in range(9))
"""How somebody was found, the surest first; to it is added how much more than was typed there is."""


@dataclass(frozen=True, slots=True)
class Someone:
    """What a person is found by; an empty text says nothing."""

    account: str
    name: str = ""
    phone: str = ""

    @property
    def phones(self) -> Iterator[str]:
        """The digits of each number that stands there."""
        text = unicodedata.normalize("NFKC", self.phone)
        return filter(None, (_digits(part) for part in PHONES.split(text)))


class Finder:
    """The index. One thread at a time."""

    def __init__(self, people: Iterable[Someone] = ()) -> None:
        self._people: dict[str, Someone] = {}
        self._plain: dict[str, str] = {}
        self._numbers, self._number_ends, self._phone_ends = _Sorted(), _Sorted(), _Sorted()
        self._whole, self._sounds, self._rare, self._inner = _Sorted(), _Sorted(), _Sorted(), _Sorted()
        for someone in people:
            self.put(someone)

    def __len__(self) -> int:
        return len(self._people)

    def get(self, account: str) -> Someone | None:
        """One person, by number."""
        return self._people.get(account)

    def put(self, someone: Someone) -> None:
        """Take somebody in, in place of what was known under that number."""
        if self._people.get(someone.account) == someone:
            return
        self.drop(someone.account)
        self._people[someone.account] = someone
        self._plain[someone.account] = _folded(someone.name)
        for keys, key in _keys(self, someone):
            keys.add(key, someone.account)

    def drop(self, account: str) -> None:
        """Forget somebody; nothing where nobody is known under that number."""
        someone = self._people.pop(account, None)
        if someone is None:
            return
        del self._plain[account]
        for keys, key in _keys(self, someone):
            keys.remove(key, account)

    def find(self, typed: str, most: int = 20) -> list[Someone]:
        """Who is meant, the likeliest first; nobody where nothing was typed."""
        text = _folded(unicodedata.normalize("NFKC", typed[:TYPED_MAX_CHARACTERS]))
        ranks: dict[str, int] = {}
        for account, rank in self._by_number(text) if NUMBER.fullmatch(text) else self._by_name(text):
            if rank < ranks.get(account, LEAST):
                ranks[account] = rank
        likeliest = nsmallest(most, ((rank, self._plain[account], account) for account, rank in ranks.items()))
        return [self._people[account] for _rank, _plain, account in likeliest]

    def _by_number(self, text: str) -> Iterator[tuple[str, int]]:
        digits = _digits(text)
        if not digits:
            return
        for key, account in self._numbers.begin_with(digits):
            yield account, EXACT if key == digits else BEGINS
        if len(digits) >= NUMBER_END_MIN_DIGITS:
            for _key, account in self._number_ends.begin_with(digits[::-1]):
                yield account, ENDS
        if len(digits) >= PHONE_END_MIN_DIGITS:
            for key, account in self._phone_ends.begin_with(digits[::-1]):
                yield account, PHONE + len(key)

    def _by_name(self, text: str) -> Iterator[tuple[str, int]]:
        if not text:
            return
        for account, name in self._plain.items():
            place = name.find(text)
            if place >= 0:
                yield account, EXACT if name == text else (WITHIN if place else BEGINS) + len(name)
        sound = _sound(text)
        if sound:
            for account in self._whole.exactly(sound):
                yield account, WHOLE
            for keys, rank in ((self._sounds, SOUNDS), (self._rare, RARE), (self._inner, WITHIN_SOUNDS)):
                for key, account in keys.begin_with(sound):
                    yield account, rank + len(key)


class _Sorted:
    """Pairs of what can be typed and whose it is; sorted anew when somebody asks after many were added."""

    def __init__(self) -> None:
        self._pairs: list[tuple[str, str]] = []
        self._added: list[tuple[str, str]] = []

    def add(self, key: str, account: str) -> None:
        self._added.append((key, account))

    def remove(self, key: str, account: str) -> None:
        self._settle()
        place = bisect_left(self._pairs, (key, account))
        if self._pairs[place : place + 1] == [(key, account)]:
            del self._pairs[place]

    def begin_with(self, text: str) -> list[tuple[str, str]]:
        self._settle()
        return self._pairs[bisect_left(self._pairs, (text, "")) : bisect_left(self._pairs, (text + LAST, ""))]

    def exactly(self, text: str) -> list[str]:
        self._settle()
        start, end = bisect_left(self._pairs, (text, "")), bisect_left(self._pairs, (text, LAST))
        return [account for _key, account in self._pairs[start:end]]

    def _settle(self) -> None:
        if len(self._added) > len(self._pairs) // 16:
            self._pairs += self._added
            self._pairs.sort()
        else:
            for pair in self._added:
                insort(self._pairs, pair)
        self._added = []


def _keys(finder: Finder, someone: Someone) -> Iterator[tuple[_Sorted, str]]:
    """All that can be typed for somebody, and where it is kept; each once."""
    yield finder._numbers, someone.account
    yield finder._number_ends, someone.account[::-1]
    for phone in set(someone.phones):
        yield finder._phone_ends, phone[::-1]
    syllables = _syllables(someone.name)
    usual = [readings[:1] for readings in syllables]
    whole = {"".join(way) for count in range(1, len(usual) + 1) for way in product(*usual[:count])}
    sounds = forms(usual)
    rare = forms(syllables) - sounds
    inner = {form for start in range(1, len(syllables)) for form in forms(syllables[start:])} - sounds - rare
    for index, made in ((finder._whole, whole), (finder._sounds, sounds), (finder._rare, rare), (finder._inner, inner)):
        for key in made:
            yield index, key


def forms(syllables: list[tuple[str, ...]]) -> set[str]:
    """What can be typed for these syllables, each given by its readings: written out, or by initials."""
    if len(syllables) > MIXED_MAX_SYLLABLES:
        ways = [product(*syllables), product(*([each[0] for each in readings] for readings in syllables))]
    else:
        ways = [product(*(_ways(readings) for readings in syllables))]
    return {"".join(way) for each in ways for way in islice(each, FORMS_MAX)} - {""}


def _ways(readings: tuple[str, ...]) -> list[str]:
    """Of one syllable: each reading, its first letter, and ``zh``, ``ch``, ``sh``; no way twice."""
    short = [reading[0] for reading in readings]
    double = [reading[:2] for reading in readings if reading[:2] in ("zh", "ch", "sh")]
    return list(dict.fromkeys([*readings, *short, *double]))


def _syllables(name: str) -> list[tuple[str, ...]]:
    """The readings of each character, or of each word in Latin letters; nothing for signs and other scripts."""
    found: list[tuple[str, ...]] = []
    for part in re.findall(r"[a-z]+|[^a-z\W\d_]", _unmarked(name[:NAME_MAX_CHARACTERS]), re.IGNORECASE):
        if part.isascii():
            readings: tuple[str, ...] = tuple(dict.fromkeys((part, part.replace("v", "u"))))
        else:
            readings = _readings(part)[:READINGS_MAX] if found else _first_readings(part)
        if readings:
            found.append(readings)
    return found


def _first_readings(character: str) -> tuple[str, ...]:
    """The same of a name's first character: as a surname it may be read otherwise."""
    surname = SURNAMES.get(character)
    usual = _readings(character)
    return tuple(dict.fromkeys(([surname] if surname else []) + list(usual)))[:SURNAME_READINGS_MAX]


@lru_cache(KNOWN_CHARACTERS_MAX)
def _readings(character: str) -> tuple[str, ...]:
    """How a character is read, the usual reading first; ü both as v and as u."""
    read = pinyin(character, style=Style.NORMAL, heteronym=True, errors="ignore")
    spelled = [reading for each in read for reading in each if SYLLABLE.fullmatch(reading)]
    return tuple(dict.fromkeys(form for reading in spelled for form in (reading, reading.replace("v", "u"))))


def _sound(text: str) -> str:
    """What was typed, where it may be pinyin: small letters without tones, spaces or apostrophes; else nothing."""
    sound = re.sub(r"['’ʼ-]", "", _unmarked(text))
    return sound if SYLLABLE.fullmatch(sound) else ""


def _unmarked(text: str) -> str:
    """Without marks over Latin letters, ü as v."""
    plain = unicodedata.normalize("NFC", text).casefold()
    plain = re.sub("[üǖǘǚǜ]", "v", plain)
    return "".join(each for each in unicodedata.normalize("NFD", plain) if not unicodedata.combining(each))


def _folded(text: str) -> str:
    """A name for comparing: NFKC, small letters, no spaces."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text).casefold())


def _digits(text: str) -> str:
    return "".join(filter(str.isdecimal, text))
