"""The audit as a page: all that is found stands in it, apart from what is only unusual, and it loads nothing."""

import re
import sqlite3
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web.desk import ANNE, DORA, ROW, Desk, run
from web.auditpage import COMPARED_MAX_CHARACTERS, beside

NIGHT = {**ROW, "start": "23:30", "end": "00:30"}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    made.init()
    made.populate()
    made("import", made.sheet(ROW, NIGHT))
    made("seal")
    return made


def page_of(desk: Desk, *words: str, status: int = 0) -> str:
    path = desk.folder / "audit.html"
    run("verify", desk.home, "--report", path, *words, status=status)
    return path.read_text(encoding="utf-8")


def change(desk: Desk, old: bytes, new: bytes) -> int:
    """Change one service behind the node's back; answers its index."""
    with sqlite3.connect(desk.home / "ledger.db") as connection:
        rows = connection.execute("SELECT idx, bytes FROM entry ORDER BY idx").fetchall()
        index, raw = next((index, raw) for index, raw in rows if old in raw)
        connection.execute("UPDATE entry SET bytes=? WHERE idx=?", (raw.replace(old, new), index))
    connection.close()
    return int(index)


@pytest.mark.parametrize(("language", "verdict"), [("zh", "没有问题"), ("en", "Sound")])
def test_a_sound_ledger_and_what_is_unusual_in_it(desk: Desk, language: str, verdict: str) -> None:
    page = page_of(desk, "--lang", language)
    assert f'<html lang="{language}">' in page and f"✓ {verdict}" in page
    findings, suspicions = page[page.index('id="findings"') :].split('id="suspicions"')
    assert "night" not in findings and "<article" not in findings
    assert re.search(rf'<td class="code">night</td><td class="code">({ANNE}|{DORA})', suspicions)


def test_a_changed_entry_is_shown_with_its_bytes_and_both_roots(desk: Desk) -> None:
    index = change(desk, b'"category":"assistance"', b'"category":"housework"')
    page = page_of(desk, "--lang", "en", status=1)
    assert "Not sound" in page
    article = next(each for each in page.split("<article") if "entry.signature" in each)
    assert f"entry {index}" in article
    assert '"category":"housework"' in unescape(article)
    root = next(each for each in page.split("<article") if "seal.root" in each)
    assert len(re.findall(r'<code class="bytes"><mark>[0-9a-f]{64}</mark></code>', root)) == 2


def test_it_says_whose_key_was_believed_and_how_to_repeat(desk: Desk) -> None:
    assert "Self-asserted" in page_of(desk, "--lang", "en")
    trust = desk.folder / "trust.txt"
    trust.write_text(f"log {verifier_key(desk)}\nquorum none\n", encoding="utf-8")
    page = page_of(desk, "--lang", "en", "--trust", str(trust))
    assert "Self-asserted" not in page
    assert f"huzhu verify {desk.home} --trust {trust} --full" in unescape(page)


def verifier_key(desk: Desk) -> str:
    (ledger,) = desk.json("verify", desk.home)["ledgers"]
    return str(ledger["key"])


def test_it_stands_alone_and_runs_nothing(desk: Desk) -> None:
    page = page_of(desk)
    assert not re.search(r"<script|<link|<iframe|src=|https?://(?!www\.w3\.org)|url\(|@import", page)


def test_nothing_that_stands_in_an_entry_becomes_markup(desk: Desk) -> None:
    change(desk, b'"category":"assistance"', b'"category":"<script>alert(1)</script>"')
    page = page_of(desk, status=1)
    assert "<script" not in page and "&lt;script&gt;" in page


def test_a_folder_that_is_not_there_is_named_before_anything_is_read(desk: Desk) -> None:
    done = run("verify", desk.home, "--report", desk.folder / "nowhere" / "audit.html", status=2)
    assert "nowhere" in done.stderr and len(done.stderr.splitlines()) == 1


@given(st.text(max_size=40), st.text(max_size=40))
def test_marks_leave_the_texts_as_they_were(expected: str, found: str) -> None:
    for text, marked in zip((expected, found), beside(expected, found), strict=True):
        plain = unescape(re.sub(r"</?mark>", "", str(marked)))
        assert len(plain) == len(text)
        assert [shown for shown in plain if not shown.isspace()] == [
            each for each in text if each.isprintable() and not each.isspace()
        ]


def test_only_what_differs_is_marked() -> None:
    expected, found = beside("balance 120, held 60", "balance 180, held 60")
    assert expected == "balance 1<mark>2</mark>0, held 60" and found == "balance 1<mark>8</mark>0, held 60"
    assert beside("a" * 32, "b" * 32) == ("<mark>" + "a" * 32 + "</mark>", "<mark>" + "b" * 32 + "</mark>")
    assert len(beside("x" * 10_000, "y")[0]) <= COMPARED_MAX_CHARACTERS + len("<mark></mark>")
