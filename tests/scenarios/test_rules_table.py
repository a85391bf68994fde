"""The last section of ledger/RULES.md says where each sentence is done and what shows it: nothing is left out."""

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import pytest

from ledger.kinds import KINDS
from tests.scenarios.script import scenarios_on_file

ROOT = Path(__file__).resolve().parents[2]
RULES = (ROOT / "ledger" / "RULES.md").read_text("utf-8")

SECTION = re.compile(r"^## (\d+)\. .*$", re.MULTILINE)
END = re.compile(r"^## Changes$", re.MULTILINE)
TABLE = "## Where each sentence is done"
SECTIONS = range(1, 11)
CELLS = re.compile(r"(?<!\\)\|")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9`*“{−≥≤]|[^\x00-\x7f])")
CODE = re.compile(r"`([a-z_]+(?:\.[A-Za-z_0-9]+)+)`")
NODE = re.compile(r"`(tests/[a-z_/0-9]+\.py)::([A-Za-z_0-9]+)`")
SCENARIO = re.compile(r"“(.*?)”")


class Row(NamedTuple):
    """One row of the table: a section's number, the first words of a sentence, code and what shows it."""

    section: int
    words: str
    code: str
    shown: str


def sentences_of(section: str) -> Iterator[str]:
    """The sentences of a section; of its tables the first cell of each row."""
    paragraph: list[str] = []
    is_heading = True
    for line in [*section.splitlines(), ""]:
        text = line.strip()
        if paragraph and (not text or text.startswith(("- ", "|", "**"))):
            yield from SENTENCE_END.split(" ".join(paragraph))
            paragraph = []
        if text.startswith("|"):
            if not is_heading and not text.startswith("|---"):
                yield cells_of(text)[0]
            is_heading = False
        else:
            is_heading = True
            if text:
                paragraph.append(text.removeprefix("- "))


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in CELLS.split(line)[1:-1]]


def sentences(rules: str) -> list[tuple[int, str]]:
    """All sentences of the sections, with the section's number."""
    starts = list(SECTION.finditer(rules))
    ends = [match.start() for match in starts[1:]] + [end.start() for end in END.finditer(rules)]
    return [
        (int(match[1]), sentence)
        for match, end in zip(starts, ends, strict=True)
        if int(match[1]) in SECTIONS
        for sentence in sentences_of(rules[match.end() : end])
    ]


def rows(rules: str) -> list[Row]:
    """The rows of the table."""
    lines = rules.partition(TABLE)[2].splitlines()
    cells = [cells_of(line) for line in lines if re.match(r"\| \d", line)]
    return [Row(int(section), words, code, shown) for section, words, code, shown in cells]


@cache
def titles() -> frozenset[str]:
    return frozenset(scenario.title for _, scenario in scenarios_on_file())


@cache
def functions_of(path: str) -> frozenset[str]:
    """The names of all functions in a file."""
    tree = ast.parse((ROOT / path).read_text("utf-8")) if (ROOT / path).is_file() else ast.Module([], [])
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def resolves(reference: str) -> bool:
    """Whether ``module.name`` or ``module.Class.name`` is there."""
    parts = reference.split(".")
    for end in range(len(parts) - 1, 0, -1):
        try:
            place: object = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for name in parts[end:]:
            if not hasattr(place, name):
                return False
            place = getattr(place, name)
        return True
    return False


def row_complaints(row: Row) -> Iterator[str]:
    """What is wrong with one row."""
    references = CODE.findall(row.code)
    yield from (f"no such code: {reference}" for reference in references if not resolves(reference))
    if not references:
        yield f"no code: {row.words}"
    shown, nodes = SCENARIO.findall(row.shown), NODE.findall(row.shown)
    yield from (f"no such scenario: {title}" for title in shown if title not in titles())
    yield from (f"no such test: {path}::{name}" for path, name in nodes if name not in functions_of(path))
    if not shown and not nodes:
        yield f"nothing shows: {row.words}"


def complaints(rules: str) -> list[str]:
    """All that is wrong with the table."""
    found = []
    table = rows(rules)
    for said, row in zip_longest(sentences(rules), table):
        if said is None or row is None:
            found.append(f"left over: {said or row}")
        elif said[0] != row.section or not said[1].startswith(row.words):
            found.append(f"§{said[0]} “{said[1]}” is not §{row.section} “{row.words}”")
            break
    for row in table:
        meant = {words for section, words in sentences(rules) if section == row.section and words.startswith(row.words)}
        if len(meant) > 1 and row.words not in meant:
            found.append(f"more than one begins so: §{row.section} {row.words}")
        found += row_complaints(row)
    found += [f"twice: §{row.section} {row.words}" for row in table if table.count(row) > 1]
    return found


def test_every_sentence_has_its_row() -> None:
    assert complaints(RULES) == []
    assert len(rows(RULES)) == len(sentences(RULES)) > 200


def test_every_kind_of_the_rule_book_is_known_and_no_other() -> None:
    rows_of_kinds = [words for section, words in sentences(RULES) if section == 3 and re.fullmatch("`[a-z_]+`", words)]

    assert sorted(words.strip("`") for words in rows_of_kinds) == sorted([*KINDS, "seal"])


GIFT = "| 3 | `gift` | "
KIN_UNLINK = "| 3 | `kin_unlink` | `ledger.people.kin_unlink` `ledger.people.unlink_kin` |"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("Kinship is symmetric", "Who is rich pays less. Kinship is symmetric", "is not §1"),
        ("60 minutes are one *time coin*", "One *time coin* has 60 minutes", "is not §3"),
        ("| `gift` | from", "| `loan` | from: acct | clerk | |\n| `gift` | from", "is not §3"),
        (GIFT, "| 4 | `gift` | ", "is not §4"),
        (GIFT, GIFT + "`ledger.hours.lend` ", "no such code: ledger.hours.lend"),
        (GIFT, GIFT + "`ledger.loans.lend` ", "no such code: ledger.loans.lend"),
        (KIN_UNLINK, "| 3 | `kin_unlink` | — |", "no code: `kin_unlink`"),
        ("`ledger.tiers.anchor` `ledger.tiers.keep_anchor` |", "— |", "no code: `anchor`"),
        ("“gifts go to kin” |", "“gifts go to friends” |", "no such scenario: gifts go to friends"),
        ("::test_sleeper_only_gives` |", "::test_sleeper_sleeps` |", "no such test"),
        ("tests/ledger/test_machine.py::", "tests/ledger/test_model.py::", "no such test"),
        ("| `care.vault.Vault.salted` | ", "| | ", "no code"),
        ("| “redeem_min_minutes: a hundred hours first” |", "| all of them |", "nothing shows: `redeem_min_minutes`"),
        (GIFT, "", "is not §3"),
        ("| 3 | Whatever moves time or | ", "| 3 | W | ", "more than one begins so: §3 W"),
    ],
)
def test_a_table_that_is_not_whole_is_found(old: str, new: str, complaint: str) -> None:
    assert old in RULES
    assert any(complaint in found for found in complaints(RULES.replace(old, new, 1)))


def test_a_row_too_many_and_one_too_few_are_found() -> None:
    (*_, last) = RULES.splitlines(keepends=True)
    assert complaints(RULES + last) != []
    assert complaints(RULES.removesuffix(last)) != []
