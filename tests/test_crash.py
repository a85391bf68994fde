"""Killed, out of room, or cut off in the middle of a word: nothing that was accepted is lost, and nothing is half."""

import contextlib
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chain.keys import SigningKey
from ledger.state import freeze
from node import Node
from store.keyfiles import write_key
from store.log import StoreError
from store.sqlite import SqliteStore
from tests.store.crashing import write_until_told
from tests.store.village import (
    CLERK,
    MEMBERS,
    HandClock,
    assert_whole,
    donation,
    founding,
    new_home,
    open_home,
    record,
    replayed,
    service,
)

ROOT = Path(__file__).resolve().parents[1]
KILLS = 200
PAGE_BYTES = 16_384
DISK_BYTES = 2 * 2**20


def run(*words: str) -> dict[str, Any]:
    """One task of ``tests.store.crashing``, in a process of its own."""
    command = [sys.executable, "-m", "tests.store.crashing", *words]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-4_000:]
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


# Killed


def test_what_was_accepted_survives_200_kills(tmp_path: Path) -> None:
    """The program itself looks after every kill; see there for what it asks."""
    found = run("kill", str(tmp_path), str(KILLS))
    assert found["rounds"] == KILLS
    assert found["accepted"] > 10 * KILLS and found["sealed"] > KILLS
    assert found["size"] >= found["accepted"] + found["sealed"]


# Out of room


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A disk of two megabytes at ``folder``; False where this machine lets nobody mount one."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700"]
    try:
        mounted = subprocess.run(["mount", *options, "tmpfs", str(folder)], capture_output=True, check=False)
        is_mounted = mounted.returncode == 0
    except FileNotFoundError:
        is_mounted = False
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", str(folder)], check=True)


def fill_up(folder: Path, left_bytes: int) -> Path:
    """Take all the room but ``left_bytes``."""
    filler = folder / "filler"
    free = shutil.disk_usage(folder).free
    with filler.open("ab") as file:
        file.write(bytes(max(0, free - left_bytes)))
    return filler


def test_files_that_cannot_grow(tmp_path: Path) -> None:
    """The same on any machine, by the limit that a process has on the length of files."""
    found = run("limit", str(tmp_path))
    assert len(found["told"]) > 20
    for sentence in found["told"]:
        assert "ledger.db" in sentence and "full" in sentence and "\n" not in sentence


def test_a_full_disk_is_told_and_nothing_is_half(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as is_mounted:
        if not is_mounted:
            assert run("limit", str(tmp_path))["told"]
            return
        home = new_home(tmp_path / "disk" / "home")
        for pages in range(0, 24):
            with open_home(home) as node:
                filler = fill_up(tmp_path / "disk", pages * PAGE_BYTES // 2)
                told = write_until_told(node)
                assert "the disk that holds" in told and "is full" in told and "\n" not in told
                state = freeze(node.state)
                assert freeze(replayed(node.store)) == state
                with pytest.raises(StoreError, match="full"):
                    for _ in range(20):
                        record(node, [donation(1)] * 100)
                filler.unlink()
                record(node, [service(1)])
                node.seal()
                assert_whole(node)
            with open_home(home) as node:
                assert_whole(node)


def test_a_home_on_a_full_disk_opens_again_when_there_is_room(tmp_path: Path) -> None:
    """It is closed and opened while the disk is full: that may fail, with one sentence, and loses nothing."""
    with small_disk(tmp_path / "disk") as is_mounted:
        if not is_mounted:
            assert run("limit", str(tmp_path))["told"]
            return
        home = new_home(tmp_path / "disk" / "home")
        for pages in range(0, 6):
            with open_home(home) as node:
                filler = fill_up(tmp_path / "disk", pages * PAGE_BYTES)
                write_until_told(node)
                size = node.store.size
            try:
                with open_home(home) as node:
                    assert node.store.size == size
            except StoreError as error:
                assert "full" in str(error) and "\n" not in str(error)
            filler.unlink()
            with open_home(home) as node:
                assert node.store.size - size in (0, 1)
                record(node, [donation(1)])
                node.seal()
                assert_whole(node)


def test_a_home_for_which_there_is_no_room_is_not_made(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as is_mounted:
        if not is_mounted:
            assert run("limit", str(tmp_path))["told"]
            return
        disk = tmp_path / "disk"
        for left in [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48]:
            filler = fill_up(disk, left * 4_096)
            with pytest.raises(StoreError, match=r"full|No space left"):
                Node.create(disk / "home", founding(), b"passphrase", HandClock())
            assert [path.name for path in disk.iterdir()] == ["filler"]
            filler.unlink()
        Node.create(disk / "home", founding(), None, HandClock())


def test_a_copy_and_a_key_for_which_there_is_no_room_leave_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as is_mounted:
        if not is_mounted:
            assert run("limit", str(tmp_path))["told"]
            return
        home = new_home(tmp_path / "home")
        fill_up(tmp_path / "disk", 4_096)
        with open_home(home) as node:
            assert isinstance(node.store, SqliteStore)
            with pytest.raises(StoreError, match="full"):
                node.store.copy_to(tmp_path / "disk" / "copy.db")
        fill_up(tmp_path / "disk", 0)
        with pytest.raises(StoreError, match="No space left"):
            write_key(tmp_path / "disk" / "key.pem", SigningKey(bytes(32)), None)
        assert [path.name for path in (tmp_path / "disk").iterdir()] == ["filler"]


# Cut off in the middle of a word


@pytest.fixture(scope="module")
def torn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[int, int]]]:
    """A home as a power cut finds it, with all that it has written in its log ahead.

    With it, after each commit, the length of that log and how many entries there were.
    """
    folder = tmp_path_factory.mktemp("torn")
    home = new_home(folder / "home")
    commits = []
    with open_home(home) as node:
        ahead = home / "ledger.db-wal"
        commits.append((0, node.store.size))
        for count in range(1, 9):
            record(node, [donation(1)] * count)
            commits.append((ahead.stat().st_size, node.store.size))
            if count % 3 == 0:
                node.seal()
                commits.append((ahead.stat().st_size, node.store.size))
        shutil.copytree(home, folder / "cut")
    return folder / "cut", commits


def opened_after(torn: Path, folder: Path, ahead: bytes) -> int:
    """Open a copy of the home that has this much of its log ahead; its size, whole and working."""
    shutil.copytree(torn, folder)
    (folder / "ledger.db-shm").unlink(missing_ok=True)
    (folder / "ledger.db-wal").write_bytes(ahead)
    with open_home(folder) as node:
        size = node.store.size
        assert_whole(node)
        assert freeze(replayed(node.store)) == freeze(node.state)
        results = node.write(CLERK, [MEMBERS[0]], [donation(1)])
        assert [type(result).__name__ for result in results] == ["Accepted"]
        node.seal()
        assert_whole(node)
    shutil.rmtree(folder)
    return size


def test_a_log_ahead_that_is_cut_off_loses_only_what_was_not_committed(
    torn: tuple[Path, list[tuple[int, int]]], tmp_path: Path
) -> None:
    home, commits = torn
    ahead = (home / "ledger.db-wal").read_bytes()
    chance = random.Random(5)
    lengths = {0, 1, 31, 32, 33, len(ahead) - 1, len(ahead)}
    lengths |= {max(0, length + step) for length, _ in commits for step in (-1, 0, 1)}
    lengths |= {chance.randrange(len(ahead)) for _ in range(40)}
    for length in sorted(lengths):
        whole = [size for written, size in commits if written <= length]
        size = opened_after(home, tmp_path / "home", ahead[:length])
        assert max(whole) <= size, f"after {length} bytes"
        assert size in {size for _, size in commits}


def test_a_log_ahead_that_is_scribbled_over_ends_there(
    torn: tuple[Path, list[tuple[int, int]]], tmp_path: Path
) -> None:
    home, commits = torn
    ahead = (home / "ledger.db-wal").read_bytes()
    chance = random.Random(6)
    sizes = [size for _, size in commits]
    for _ in range(40):
        place = chance.randrange(len(ahead))
        noise = bytes([ahead[place] ^ 1 << chance.randrange(8)])
        size = opened_after(home, tmp_path / "home", ahead[:place] + noise + ahead[place + 1 :])
        assert size in sizes
        assert size >= max(size for written, size in commits if written <= place)
    zeroed = ahead[: len(ahead) // 2] + bytes(len(ahead) - len(ahead) // 2)
    assert opened_after(home, tmp_path / "home", zeroed) in sizes
