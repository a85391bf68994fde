"""Recovery sheets: any two of three open a home, one alone does not, and what is mistyped gets one clear sentence."""

import itertools
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import web.recovery
from chain.keys import SigningKey
from node import Node
from store.home import Home
from store.keyfiles import PassphraseError, read_key
from tests.web.desk import BEGINNING, ORIGIN, Desk, run
from web.problems import DeskError
from web.recovery import (
    BOX_MAX_BYTES,
    SHEETS,
    WORDS,
    Recovery,
    Sheet,
    SheetError,
    asked_places,
    box_path,
    new_recovery,
    open_box,
    read_box,
    read_sheet,
    recover,
    secret_of,
    write_box,
)

OLD, NEW = b"persimmons ripen in October", "柿子熟了的时候".encode()
RECOVERY = new_recovery()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home under a passphrase, with the box of ``RECOVERY``."""
    secret = tmp_path / "secret.txt"
    secret.write_bytes(OLD)
    run("init", "--home", tmp_path / "home", "--origin", ORIGIN, "--at", BEGINNING, "--passphrase-file", secret)
    made = Home(tmp_path / "home")
    write_box(made, RECOVERY.lock(OLD))
    return made


def opens(home: Home, passphrase: bytes) -> bool:
    """Whether every key of a home opens by a passphrase."""
    try:
        for path in home.keys.glob("*.pem"):
            read_key(path, passphrase)
    except PassphraseError:
        return False
    return True


@pytest.mark.parametrize("chosen", list(itertools.permutations(range(SHEETS), 2)))
def test_any_two_of_three_give_the_passphrase_back(chosen: Sequence[int]) -> None:
    typed = [read_sheet(RECOVERY.sheets[place].text, number) for number, place in enumerate(chosen, 1)]

    assert open_box(RECOVERY.lock(OLD), typed) == [OLD]


def test_sheets_are_numbered_and_of_one_set() -> None:
    assert [sheet.number for sheet in RECOVERY.sheets] == [1, 2, 3]
    assert len({sheet.set_number for sheet in RECOVERY.sheets}) == 1
    assert {len(sheet.words) for sheet in RECOVERY.sheets} == {WORDS}
    assert RECOVERY.sheets[0].words[5] not in repr(RECOVERY)
    assert new_recovery().public != RECOVERY.public


@pytest.mark.parametrize(
    "written",
    [
        lambda words: "  ".join(words).upper(),
        lambda words: "\n".join(f"{number}. {word}" for number, word in enumerate(words, 1)),
        "、".join,
        lambda words: " ".join(word[:4] for word in words),
        lambda words: " ".join(word.translate({ord(each): ord(each) + 0xFEE0 for each in word}) for word in words),
    ],
    ids=["capitals", "numbered", "separated", "cut-off", "full-width"],
)
def test_a_sheet_is_understood_however_it_is_typed(written: Callable[[Sequence[str]], str]) -> None:
    first = RECOVERY.sheets[0]

    assert read_sheet(written(first.words), 1) == first


def changed(words: Sequence[str], place: int, word: str) -> str:
    return " ".join([*words[:place], word, *words[place + 1 :]])


def test_what_is_mistyped_is_named() -> None:
    words = RECOVERY.sheets[0].words
    another = next(word for word in RECOVERY.sheets[1].words if word not in words)
    swapped = [*words[:6], words[7], words[6], *words[8:]]

    for text, told in (
        ("", "sheet 1 has 20 words; 0 were typed"),
        (" ".join(words[:19]), "sheet 1 has 20 words; 19 were typed"),
        (" ".join([*words, "acid"]), "sheet 1 has 20 words; 21 were typed"),
        (changed(words, 6, "persimmon"), "sheet 1, word 7: “persimmon” is in no sheet"),
        (changed(words, 6, "acedemic"), "sheet 1, word 7: “acedemic” is in no sheet; is it “academic”?"),
        (changed(words, 6, another), "sheet 1: one word is not as on the paper, or two have changed places"),
        (" ".join(swapped), "sheet 1: one word is not as on the paper, or two have changed places"),
        ("acid " * 1_000, "sheet 1: this is too long"),
    ):
        with pytest.raises(SheetError) as caught:
            read_sheet(text, 1)
        assert str(caught.value).startswith(told), text
        assert "\n" not in str(caught.value)


def test_every_single_wrong_word_is_noticed() -> None:
    words = RECOVERY.sheets[2].words
    for place, word in enumerate(words):
        other = "acid" if word != "acid" else "acne"
        with pytest.raises(SheetError):
            read_sheet(changed(words, place, other), 3)


@pytest.mark.parametrize(
    ("sheets", "told"),
    [
        (RECOVERY.sheets[:1], "one sheet alone opens nothing"),
        ((), "one sheet alone opens nothing"),
        ((RECOVERY.sheets[1], RECOVERY.sheets[1]), "this is sheet 2 twice"),
        ((RECOVERY.sheets[0], new_recovery().sheets[1]), "these sheets are of different sets"),
    ],
)
def test_sheets_that_do_not_belong_together(sheets: Sequence[Sheet], told: str) -> None:
    with pytest.raises(SheetError, match=told):
        secret_of(sheets)


def test_the_sheets_of_another_village_do_not_open_the_box() -> None:
    other = new_recovery()
    with pytest.raises(SheetError, match=rf"of set {other.sheets[0].set_number}, and this backup is of set"):
        open_box(RECOVERY.lock(OLD), other.sheets[:2])
    forged = Recovery(RECOVERY.sheets, other.public).lock(OLD)
    with pytest.raises(SheetError, match="do not open this backup"):
        open_box(forged, RECOVERY.sheets[:2])


def test_words_that_are_asked_back_are_of_the_secret() -> None:
    asked = asked_places(RECOVERY)

    assert asked == asked_places(RECOVERY)
    assert [len(places) for places in asked] == [2, 2, 2]
    assert all(4 < first <= 10 < second <= WORDS for first, second in asked)


def test_the_box_tells_nothing_and_is_bounded(home: Home) -> None:
    path = box_path(home)
    assert path.stat().st_mode & 0o777 == 0o600
    assert OLD not in path.read_bytes()
    assert len(RECOVERY.lock(b"x").sealed[0]) == len(RECOVERY.lock(OLD).sealed[0])
    for raw in (b"", b"[]", b"{}", b"x" * (BOX_MAX_BYTES + 1), path.read_bytes()[:-5]):
        path.write_bytes(raw)
        with pytest.raises(DeskError, match="damaged"):
            read_box(home)
    path.unlink()
    with pytest.raises(DeskError, match="recovery sheets were never made"):
        read_box(home)


def test_two_sheets_give_every_key_a_new_passphrase(home: Home) -> None:
    count = len(list(home.keys.glob("*.pem")))

    assert recover(home, RECOVERY.sheets[1:], NEW) == count
    assert opens(home, NEW)
    assert not opens(home, OLD)
    assert open_box(read_box(home), RECOVERY.sheets[:2]) == [NEW]
    with Node.open(home.folder, NEW, writes=True) as node:
        node.seal()
    assert sorted(path.suffix for path in home.keys.iterdir()) == [".json", *[".pem"] * count]


def test_keys_that_were_made_after_the_sheets_are_opened_too(home: Home) -> None:
    home.add_key("clerk", SigningKey(bytes(32)), OLD)
    recover(home, RECOVERY.sheets[:2], NEW)

    assert opens(home, NEW)


def test_nothing_is_changed_where_one_key_does_not_open(home: Home) -> None:
    home.add_key("clerk", SigningKey(bytes(32)), b"another one entirely")
    before = {path.name: path.read_bytes() for path in home.keys.iterdir()}
    with pytest.raises(DeskError, match="is under another passphrase"):
        recover(home, RECOVERY.sheets[:2], NEW)

    assert {path.name: path.read_bytes() for path in home.keys.iterdir()} == before


@pytest.mark.parametrize("step", range(8))
def test_a_crash_at_any_step_is_mended_by_the_same_call(home: Home, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = iter(range(step))
    rewrite = web.recovery._rewrite

    def failing(*words: object) -> None:
        if next(steps, None) is None:
            raise OSError("pulled")
        rewrite(*words)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr("web.recovery._rewrite", failing)
        if step < len(list(home.keys.glob("*.pem"))):
            with pytest.raises(OSError, match="pulled"):
                recover(home, RECOVERY.sheets[:2], b"a passphrase in between")
    recover(home, RECOVERY.sheets[1:], NEW)

    assert opens(home, NEW)
    assert open_box(read_box(home), RECOVERY.sheets[:2]) == [NEW]


def test_the_command_recovers_a_backup(home: Home, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    shutil.copytree(home.folder, backup)
    for sheet in RECOVERY.sheets[:2]:
        (tmp_path / f"{sheet.number}.txt").write_text("\n".join(sheet.words))
    (tmp_path / "new.txt").write_bytes(NEW)
    words: list[str | Path] = ["recover", "--home", backup, "--sheet", tmp_path / "1.txt"]
    new = ("--passphrase-file", tmp_path / "new.txt")

    assert "one sheet alone" in run(*words, *new, status=2).stderr
    assert "twice" in run(*words, "--sheet", tmp_path / "1.txt", *new, status=2).stderr
    assert "give two sheets" in run("recover", "--home", backup, *new, status=2).stderr
    assert "give the new passphrase" in run(*words, "--sheet", tmp_path / "2.txt", status=2).stderr
    assert "keys that open" in run(*words, "--sheet", tmp_path / "2.txt", *new).stdout
    assert opens(Home(backup), NEW)
    assert opens(home, OLD)


def test_a_home_without_sheets_says_so(desk: Desk) -> None:
    assert "recovery sheets were never made" in desk("recover", "--sheet", "x", "--sheet", "y", status=2).stderr
