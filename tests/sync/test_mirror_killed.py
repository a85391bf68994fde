"""A mirror whose process is killed or runs out of room at any point goes on, and counts nothing twice."""

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from chain.note import format_vkey
from node import Node
from store.archive import open_archive
from store.mirror import MirrorStore
from tests.sync.logs import VILLAGE, Keeper, copy, files, grow, ledger, served
from tests.sync.pulling import FULL
from tests.sync.test_mirror import assert_mirrored
from verify.audit import audit_ledger

ROOT = Path(__file__).resolve().parents[2]
ROUNDS_MAX = 40


def pull(folder: Path, url: str, node: Node, *how: str) -> subprocess.CompletedProcess[str]:
    """A round in a process of its own."""
    words = [sys.executable, "-m", "tests.sync.pulling", str(folder), url, format_vkey(node.vkey), *how]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


def assert_whole_so_far(folder: Path, node: Node) -> tuple[int, int]:
    """What counts and what is here after a crash; what counts is sound, what waits is the node's own."""
    with closing(MirrorStore(folder / "mirror.db")) as store:
        log = store.log(VILLAGE)
        if log is None:
            return 0, 0
        assert list(log.entries(0, log.staged)) == list(node.store.entries(0, log.staged))
        (legs,) = store._run("SELECT coalesce(max(idx), -1) FROM leg").fetchone()
        assert legs < log.size or not log.size
        sizes = log.size, log.staged
    if sizes[0]:
        with open_archive(folder / "mirror.db") as (found,):
            assert audit_ledger(found).is_sound
    return sizes


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_every_commit(tmp_path: Path, moment: str) -> None:
    node = ledger()
    grow(node, 600)
    asked: list[str] = []
    with served(files(node), asked) as url:
        seen = []
        for number in range(1, ROUNDS_MAX):
            ended = pull(tmp_path, url, node, "commit", str(number), moment)
            if ended.returncode == 0:
                break
            assert ended.returncode == -signal.SIGKILL, ended.stderr
            seen.append(assert_whole_so_far(tmp_path, node))
            if number == 2:
                grow(node, 300)
    assert seen == sorted(seen)
    keeper = Keeper(tmp_path, node)
    assert keeper.outcomes(files(node)) == [(VILLAGE, "same")]
    assert_mirrored(keeper, node)
    keeper.store.close()
    assert len([path for path in asked if path.endswith("entries/000")]) <= 4


@pytest.mark.parametrize("moment", ["before", "after"])
def test_what_is_held_has_its_alarm_and_evidence(tmp_path: Path, moment: str) -> None:
    node = ledger()
    older = copy(node)
    grow(node, 3)
    keeper = Keeper(tmp_path, node)
    keeper.pull(files(node))
    keeper.store.close()
    with served(files(older)) as url:
        for number in range(1, ROUNDS_MAX):
            ended = pull(tmp_path, url, node, "commit", str(number), moment)
            with closing(MirrorStore(tmp_path / "mirror.db")) as store:
                alarms, log = store.alarms(), store.log(VILLAGE)
                assert log is not None
                assert all(Path(alarm.evidence).exists() for alarm in alarms)
                state = log.state
                assert len(alarms) == 1 or state == "sound"
            if ended.returncode != -signal.SIGKILL:
                break
    assert (ended.returncode, state, [alarm.code for alarm in alarms]) == (1, "rolled-back", ["rolled-back"])


def test_out_of_room(tmp_path: Path) -> None:
    node = ledger()
    grow(node, 1_000)
    with served(files(node)) as url:
        for room in (200_000, 400_000, 700_000):
            ended = pull(tmp_path, url, node, "room", str(room))
            assert ended.returncode == FULL, ended.stderr
            assert "Traceback" not in ended.stderr
            assert_whole_so_far(tmp_path, node)
        assert pull(tmp_path, url, node, "commit", "99").returncode == 0
    keeper = Keeper(tmp_path, node)
    assert_mirrored(keeper, node)
    keeper.store.close()
