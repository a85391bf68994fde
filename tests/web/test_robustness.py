"""What an attacker, a full disk or a slip of the hand may do: always one line, status 2, and nothing left behind."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from store.keyfiles import KEY_FILE_MAX_BYTES
from tests.web.desk import ANNE, DORA, PEOPLE, Desk, run
from web import people, problems
from web.auditing import audit_workers
from web.refused import Draft
from web.table import COLUMNS_MAX

PROGRAM = Path(__file__).resolve().parent.parent.parent / "cli.py"
DEEP = "[" * 100_000


def process(
    *words: str | bytes | Path, before: str = "", environment: Mapping[bytes, bytes] | None = None
) -> subprocess.CompletedProcess[str]:
    """Type a command in a process of its own; ``before`` is Python that runs first."""
    code = f"{before}\nimport sys; sys.path.insert(0, {str(PROGRAM.parent)!r})\nfrom cli import main; main()"
    given = {**os.environb, **(environment or {})}
    return subprocess.run(
        [sys.executable, "-c", code, *words], env=given, capture_output=True, text=True, check=False, errors="replace"
    )


def said(*words: str | Path, desk: Desk | None = None) -> str:
    """What a command that cannot run says: one line."""
    stderr = (run if desk is None else desk)(*words, status=2).stderr
    assert stderr.count("\n") == 1
    assert "unexpected" not in stderr
    return stderr


@pytest.mark.parametrize(
    "error",
    [
        RecursionError("deep"),
        MemoryError(),
        OverflowError("x" * 1_000),
        UnicodeEncodeError("utf-8", "\udcff", 0, 1, "n"),
    ],
)
@pytest.mark.parametrize("debug", ["", "1"])
def test_what_nobody_expected_is_one_line(
    error: Exception, debug: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> NoReturn:
        raise error

    monkeypatch.setenv("HUZHU_DEBUG", debug)
    assert problems.ending(fail) == 2
    stderr = capsys.readouterr().err
    assert f"unexpected error in this program: {type(error).__name__}: " in stderr
    assert ("Traceback" in stderr) is bool(debug)
    assert debug or (stderr.count("\n") == 1 and len(stderr) < 400)


def test_control_characters_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> NoReturn:
        raise ValueError("\x1b[2J \udcff 好")

    assert problems.ending(fail) == 2
    assert r"\x1b[2J \udcff 好" in capsys.readouterr().err


def test_words_that_are_no_text(tmp_path: Path) -> None:
    done = process("balance", b"\xff\xfe", environment={b"HUZHU_HOME": os.fsencode(tmp_path)})
    assert (done.returncode, done.stderr) == (
        2,
        "huzhu: word 2 of the command line is not UTF-8 text: \\udcff\\udcfe\n",
    )
    done = process("balance", environment={b"HUZHU_HOME": b"\xff"})
    assert (done.returncode, done.stderr) == (2, "huzhu: the variable HUZHU_HOME is not UTF-8 text\n")


def test_a_passphrase_may_be_any_bytes(tmp_path: Path) -> None:
    secret = {b"HUZHU_PASSPHRASE": b"\xff\xfe"}
    assert process("init", "--origin", "a.example/b", "--home", tmp_path / "home", environment=secret).returncode == 0
    assert process("seal", "--home", tmp_path / "home", environment=secret).returncode == 0


def test_a_passphrase_that_is_too_long(tmp_path: Path) -> None:
    (tmp_path / "pass").write_text("x" * 1_024)
    home = tmp_path / "home"
    stderr = said("init", "--origin", "a.example/b", "--home", home, "--passphrase-file", tmp_path / "pass")
    assert "at most 1023" in stderr
    assert not home.exists()


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_streams(desk: Desk, closed: tuple[int, ...]) -> None:
    shut = " ".join(("<&-", ">&-", "2>&-")[each] for each in closed)
    words = [sys.executable, str(PROGRAM), "seal", "--home", str(desk.home)]
    done = subprocess.run(["sh", "-c", f'"$@" {shut}', "sh", *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert desk.verify()["ok"]


@pytest.mark.parametrize("size", [2**63, 2**64, 10**30])
def test_numbers_that_no_ledger_has(desk: Desk, size: int) -> None:
    assert "there is no checkpoint" in said("checkpoint", str(size), desk=desk)
    for command in ("receipt", "promise"):
        assert "there is no entry" in said(command, str(size), desk=desk)


def test_workers_leave_the_interrupt_to_the_one_who_began_them() -> None:
    with audit_workers(1) as executor:
        assert executor.submit(signal.getsignal, signal.SIGINT).result() is signal.SIG_IGN
        assert executor.submit(signal.getsignal, signal.SIGTERM).result() is signal.SIG_DFL


def test_deep_json(desk: Desk, tmp_path: Path) -> None:
    deep = desk.file("deep.json", DEEP)
    assert "is not JSON" in said("init", "--origin", "a.example/b", "--params", deep, "--home", tmp_path / "other")
    assert "is not JSON" in said("params", "set", "--file", deep, desk=desk)
    assert "sets no parameter" in said("params", "set", f"posting_days={DEEP[:50_000]}", desk=desk)
    said("verify", desk.home, "--balances", deep)


@pytest.mark.parametrize("content", [f"x = {DEEP}", "x = " + "9" * 5_000, "\0", b"\xff", "x" * 70_000, "origin = 1"])
def test_absurd_settings(desk: Desk, content: str | bytes) -> None:
    desk.file("huzhu-home/node.toml", content)
    assert "node.toml" in said("balance", desk=desk)


def test_a_folder_where_the_refused_rows_belong(desk: Desk) -> None:
    desk.populate()
    sheet = desk.sheet({"recipient": ANNE})
    (desk.folder / "sheet.refused.csv").mkdir()
    size = len(desk.entries())
    assert "is a folder" in said("import", sheet, desk=desk)
    others = desk.people(PEOPLE[0] | {"account": ""}, name="more.csv")
    (desk.folder / "more.refused.csv").mkdir()
    assert "is a folder" in said("person", "import", others, desk=desk)
    assert len(desk.entries()) == size
    assert not list(desk.folder.glob(".*"))


def test_the_summary_stands_where_the_refused_rows_cannot(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_draft: Draft) -> NoReturn:
        raise OSError(28, "No space left on device")

    desk.populate()
    monkeypatch.setattr(Draft, "place", fail)
    result = desk("import", desk.sheet({}, {"recipient": ANNE}), status=2)
    assert "accepted: 1; refused: 1" in result.stdout
    assert "the disk is full" in result.stderr
    assert "--resume" in result.stderr
    result = desk("person", "import", desk.people({"born": "1950-01-01"}, name="more.csv"), status=2)
    assert "do not import the file again" in result.stderr
    assert not list(desk.folder.glob(".*"))


def test_too_many_columns(desk: Desk) -> None:
    header, row, _end = desk.sheet({}).read_text().split("\n")
    wide = desk.file("wide.csv", f"{header}{',x' * COLUMNS_MAX}\n{row}\n")
    assert f"at most {COLUMNS_MAX} are read" in said("import", wide, desk=desk)
    desk("import", desk.file("empty.csv", f"{header}\n{row}{',' * 10_000}\n"), status=1)
    assert len((desk.folder / "empty.refused.csv").read_bytes()) < 1_000


def test_too_many_people(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "PEOPLE_MAX", 3)
    assert "more than 3 rows" in said("person", "import", desk.people(*PEOPLE), desk=desk)
    assert not list(desk.folder.glob(".*"))


def test_drafts_of_a_killed_run_go_away(desk: Desk) -> None:
    desk.populate()
    stale = desk.file(".sheet.refused.csv-abcd_123", "secret")
    other = desk.file(".sheet.refused.csv-of-mine", "kept")
    held = Draft(desk.folder / "sheet.refused.csv")
    desk("import", desk.sheet({}))
    assert not stale.exists()
    assert other.exists()
    held.finish()
    assert held.place().exists()
    held.close()


def test_termination_leaves_no_drafts(desk: Desk) -> None:
    desk.populate()
    killing = (
        "import os, signal, web.importing as i\n"
        "i._Import._commit = lambda self: os.kill(os.getpid(), signal.SIGTERM)"
    )
    sheet = desk.sheet({})
    before = f"import sys; sys.path.insert(0, {str(PROGRAM.parent)!r})\n{killing}"
    done = process("import", sheet, "--home", desk.home, before=before)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "interrupted" in done.stderr
    assert not list(desk.folder.glob(".*"))


def test_output_into_a_pipe_and_through_a_link(desk: Desk) -> None:
    pipe, link, target = desk.folder / "pipe", desk.folder / "link", desk.file("target", "old")
    os.mkfifo(pipe)
    link.symlink_to(target)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()), daemon=True)
    reader.start()
    desk("checkpoint", "-o", pipe)
    reader.join(10)
    desk("checkpoint", "-o", link)
    desk("checkpoint", "-o", "/dev/null")
    assert found == [target.read_bytes()]
    assert pipe.is_fifo()
    assert link.is_symlink()
    assert Path("/dev/null").is_char_device()


def test_a_key_file_without_end(desk: Desk) -> None:
    assert "is too large" in said("cosign", "--key", "/dev/zero", desk=desk)
    assert KEY_FILE_MAX_BYTES < 1 << 20
    assert DORA in desk("person", "open", DORA, "--born", "1945-02-01").stdout


def test_what_the_system_says_is_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problems, "_", lambda text: f"《{text}》")
    assert problems._of_system(FileNotFoundError(2, "x", "f.csv")) == "f.csv: 《No such file or directory》"
    assert problems._of_system(OSError(5, "x")) == "x"
