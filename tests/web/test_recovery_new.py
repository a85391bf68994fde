"""New recovery sheets, and another passphrase, for a home however it was made: whole after a crash at every step."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import patch

import pytest

from node import Node
from store.home import Home
from store.keyfiles import PassphraseError, read_key
from tests.web.desk import BEGINNING, ORIGIN, Desk, run
from tests.web.test_recovery import NEW, OLD, opens
from web.pages.sheet_paper import write_papers
from web.problems import DeskError
from web.recovery import (
    BOX_MAX_BYTES,
    PASSPHRASES_MAX,
    WORDS,
    Recovery,
    Sheet,
    SheetError,
    box_path,
    change_passphrase,
    new_recovery,
    open_box,
    read_box,
    read_sheet,
    recover,
    renew_sheets,
    write_box,
)

ROOT = Path(__file__).resolve().parents[2]
OLDER = new_recovery()
STEPS = 40
"""More than either change has."""
KILLED = 9


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home under a passphrase, without sheets."""
    secret = tmp_path / "old.txt"
    secret.write_bytes(OLD)
    (tmp_path / "new.txt").write_bytes(NEW)
    run("init", "--home", tmp_path / "home", "--origin", ORIGIN, "--at", BEGINNING, "--passphrase-file", secret)
    return Home(tmp_path / "home")


class PulledError(BaseException):
    """The plug was pulled."""


def pulled_at(step: int, work: Callable[[], object]) -> bool:
    """Do work until its so-manieth file is on disk or in its place, and no more; whether it came to its end."""
    left = iter(range(step))

    def before(real: Callable[..., object]) -> Callable[..., object]:
        def or_pulled(*words: object, **more: object) -> object:
            if next(left, None) is None:
                raise PulledError
            return real(*words, **more)

        return or_pulled

    with patch("os.replace", before(os.replace)), patch("os.fsync", before(os.fsync)):
        try:
            work()
        except PulledError:
            return False
    return True


def typed(folder: Path, *numbers: int) -> list[Sheet]:
    """The sheets that were written into a folder, read off the paper."""
    found = []
    for place, number in enumerate(numbers, 1):
        (path,) = folder.glob(f"recovery-*-{number}.html")
        words = [line.partition("</b>")[0] for line in path.read_text("utf-8").split("<li><b>")[1:]]
        assert len(words) == WORDS
        found.append(read_sheet(" ".join(words), place))
    return found


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


# New sheets


def test_a_home_made_by_init_gets_sheets_and_two_of_them_open_it(home: Home, tmp_path: Path) -> None:
    sheets = tmp_path / "sheets"
    words = ("recovery", "new", "--home", home.folder, "--passphrase-file", tmp_path / "old.txt", "--sheets", sheets)
    told = json.loads(run(*words, "--json").stdout)

    assert told["files"] == [str(sheets / f"recovery-{told['set']}-{number}.html") for number in (1, 2, 3)]
    assert (told["replaced"], mode_of(sheets)) == (False, 0o700)
    assert {mode_of(path) for path in sheets.iterdir()} == {0o600}
    assert open_box(read_box(home), typed(sheets, 3, 1)) == [OLD]
    assert recover(home, typed(sheets, 1, 2), NEW) == len(list(home.keys.glob("*.pem")))


def test_a_sheet_is_a_page_that_stands_alone(tmp_path: Path) -> None:
    for path in write_papers(tmp_path / "sheets", OLDER.sheets, ORIGIN):
        page = path.read_text("utf-8")
        assert page.count('<section class="sheet">') == page.count("<svg") == page.count("<style>") == 1
        assert ORIGIN in page and str(OLDER.sheets[0].set_number) in page
        assert "<script" not in page and "href=" not in page and "src=" not in page


def test_older_sheets_open_nothing_any_more_and_that_is_said(home: Home, tmp_path: Path) -> None:
    write_box(home, OLDER.lock(OLD))
    words = ("recovery", "new", "--home", home.folder, "--passphrase-file", tmp_path / "old.txt", "--sheets")
    told = run(*words, tmp_path / "sheets").stderr

    assert "open this home no more: burn them" in told and "shred -u" in told
    with pytest.raises(SheetError, match="of set"):
        open_box(read_box(home), OLDER.sheets[:2])


def test_a_damaged_box_is_replaced(home: Home) -> None:
    box_path(home).write_bytes(b"{}")
    made = renew_sheets(home, OLD, lambda _made: None)

    assert open_box(read_box(home), made.sheets[:2]) == [OLD]


def test_nothing_is_made_where_the_passphrase_is_wrong_missing_or_none(home: Home, desk: Desk, tmp_path: Path) -> None:
    sheets = tmp_path / "sheets"
    words = ("recovery", "new", "--home", home.folder, "--sheets", sheets)

    assert "does not open" in run(*words, "--passphrase-file", tmp_path / "new.txt", status=2).stderr
    assert "give the passphrase" in run(*words, status=2).stderr
    assert "have no passphrase" in desk("recovery", "new", "--sheets", sheets, status=2).stderr
    nowhere = ("recovery", "new", "--home", home.folder, "--sheets", tmp_path / "not" / "there")
    assert "there is no folder" in run(*nowhere, "--passphrase-file", tmp_path / "old.txt", status=2).stderr
    assert not sheets.exists() and not box_path(home).exists()


def test_no_file_is_written_over_and_then_none_is_left(home: Home, tmp_path: Path) -> None:
    write_box(home, OLDER.lock(OLD))
    sheets = tmp_path / "sheets"
    sheets.mkdir()
    taken = sheets / f"recovery-{OLDER.sheets[0].set_number}-2.html"
    taken.write_text("mine")
    with patch("web.recovery.new_recovery", lambda: OLDER), pytest.raises(DeskError, match="File exists"):
        renew_sheets(home, OLD, lambda made: write_papers(sheets, made.sheets, ORIGIN))

    assert [(path, path.read_text()) for path in sheets.iterdir()] == [(taken, "mine")]
    assert open_box(read_box(home), OLDER.sheets[:2]) == [OLD]


def test_a_crash_leaves_the_older_sheets_good_or_the_new_ones_on_paper(home: Home, tmp_path: Path) -> None:
    write_box(home, OLDER.lock(OLD))
    for step in range(STEPS):
        sheets = tmp_path / str(step)

        def keep(made: Recovery, folder: Path = sheets) -> None:
            write_papers(folder, made.sheets, ORIGIN)

        is_done = pulled_at(step, lambda keep=keep: renew_sheets(home, OLD, keep))  # type: ignore[misc]
        box = read_box(home)
        good = OLDER.sheets[:2] if box.public == OLDER.public else typed(sheets, 2, 3)
        assert open_box(box, good) == [OLD]
        if is_done:
            break
        write_box(home, OLDER.lock(OLD))
    assert is_done and 5 < step < STEPS


def test_who_is_killed_between_has_the_older_sheets(home: Home, tmp_path: Path) -> None:
    write_box(home, OLDER.lock(OLD))
    program = (
        "import os, sys, web.recovery\n"
        f"web.recovery.write_box = lambda *_words: os._exit({KILLED})\n"
        "from cli import main\n"
        "main(sys.argv[1:])\n"
    )
    given = ("--passphrase-file", str(tmp_path / "old.txt"))
    words = ("recovery", "new", "--home", str(home.folder), "--sheets", str(tmp_path / "sheets"), *given)
    killed = subprocess.run([sys.executable, "-c", program, *words], cwd=ROOT, capture_output=True, check=False)

    assert (killed.returncode, killed.stdout) == (KILLED, b"")
    assert len(typed(tmp_path / "sheets", 1, 2, 3)) == 3
    assert open_box(read_box(home), OLDER.sheets[:2]) == [OLD]
    run(*words)
    assert read_box(home).public != OLDER.public


# Another passphrase


def change(home: Home, tmp_path: Path, old: str | None = "old.txt", new: str = "new.txt", status: int = 0) -> str:
    given: Sequence[str | Path] = () if old is None else ("--passphrase-file", tmp_path / old)
    words = ("passphrase", "--home", home.folder, "--new-passphrase-file", tmp_path / new)
    return run(*words, *given, status=status).output


def test_every_key_and_the_sheets_open_by_the_new_passphrase(home: Home, tmp_path: Path) -> None:
    write_box(home, OLDER.lock(OLD))
    told = change(home, tmp_path)

    assert f"now: {len(list(home.keys.glob('*.pem')))}" in told and "make a new backup" in told
    assert opens(home, NEW) and not opens(home, OLD)
    assert open_box(read_box(home), OLDER.sheets[1:]) == [NEW]
    assert {mode_of(path) for path in home.keys.iterdir()} == {0o600}
    with Node.open(home.folder, NEW, writes=True) as node:
        node.seal()


def test_keys_that_lie_open_get_a_passphrase(desk: Desk) -> None:
    desk("passphrase", "--new-passphrase-file", desk.file("new.txt", NEW))

    assert opens(Home(desk.home), NEW) and not opens(Home(desk.home), OLD)
    assert not box_path(Home(desk.home)).exists()


def test_what_is_not_changed(home: Home, tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_bytes(b"long " * 400)
    (tmp_path / "empty.txt").write_bytes(b"\n")
    (tmp_path / "third.txt").write_bytes(b"a third one")
    before = {path.name: path.read_bytes() for path in home.keys.iterdir()}

    assert "until now: choose another" in change(home, tmp_path, new="old.txt", status=2)
    assert "at most 1023 can be used" in change(home, tmp_path, new="long.txt", status=2)
    assert "no passphrase in its first line" in change(home, tmp_path, new="empty.txt", status=2)
    assert "opens neither" in change(home, tmp_path, old="third.txt", status=2)
    assert "opens neither" in change(home, tmp_path, old=None, status=2)
    asked = run("passphrase", "--home", home.folder, "--passphrase-file", tmp_path / "old.txt", status=2).stderr
    assert "give the new passphrase" in asked
    with pytest.raises(DeskError, match="protects nothing"):
        change_passphrase(home, OLD, b"")
    assert {path.name: path.read_bytes() for path in home.keys.iterdir()} == before


@pytest.mark.parametrize("has_sheets", [True, False])
def test_a_change_that_was_broken_off_goes_on_by_the_same_call(home: Home, has_sheets: bool) -> None:
    count = len(list(home.keys.glob("*.pem")))
    passphrases = [OLD, NEW]
    for step in range(STEPS):
        if has_sheets:
            write_box(home, OLDER.lock(passphrases[0]))
        old, new = passphrases
        is_done = pulled_at(step, lambda old=old, new=new: change_passphrase(home, old, new))  # type: ignore[misc]
        if has_sheets:
            assert {*open_box(read_box(home), OLDER.sheets[:2])} <= {OLD, NEW}
            assert all(opened_by_box(home, path) for path in home.keys.glob("*.pem"))
        assert change_passphrase(home, old, new) == count
        assert opens(home, new)
        passphrases.reverse()
        if is_done:
            break
    assert is_done and count < step < STEPS
    assert len(list(home.keys.glob("*.pem"))) == count


def opened_by_box(home: Home, path: Path) -> bool:
    """Whether two sheets would open that key."""
    for passphrase in open_box(read_box(home), OLDER.sheets[:2]):
        try:
            read_key(path, passphrase)
        except PassphraseError:
            continue
        return True
    return False


def test_the_largest_box_is_read_again(home: Home) -> None:
    for number in range(PASSPHRASES_MAX + 1):
        box = read_box(home) if number else OLDER.lock(OLD)
        more = OLDER.lock(b"%d" % number).sealed
        write_box(home, type(box)(box.format, box.set_number, box.public, (*box.sealed, *more)[-PASSPHRASES_MAX:]))

    assert len(read_box(home).sealed) == PASSPHRASES_MAX
    assert box_path(home).stat().st_size < BOX_MAX_BYTES
