"""A node's home: its files and their modes, the lock, and that a home is there as a whole or not at all."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from care.dossier import Dossier
from chain.keys import MldsaSigningKey, SigningKey
from node import Node, NodeError
from store.home import Home, new_home
from store.log import StoreError
from tests.store.village import CLERK, MEMBERS, ORIGIN, PROVIDER, HandClock, founding, open_home, record, service
from tests.store.village import new_home as village_home

ROOT = Path(__file__).resolve().parents[2]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("umask", [0, 0o022, 0o077], ids=lambda umask: f"umask-{umask:03o}")
def test_nobody_else_reads_any_of_it(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        home = village_home(tmp_path / "home", b"passphrase")
        with open_home(home, b"passphrase") as node:
            record(node, [service()])
            assert {mode(path) for path in home.glob("ledger.db*")} == {0o600}
            assert len(list(home.glob("ledger.db*"))) == 3
            with node.people() as people:
                people.put([people.lock(PROVIDER, Dossier(name="x"))], 0)
                assert {mode(path) for path in home.glob("people.db*")} == {0o600}
                assert len(list(home.glob("people.db*"))) == 2
    finally:
        os.umask(before)
    assert mode(home) == mode(home / "keys") == 0o700
    files = [path for path in home.rglob("*") if path.is_file()]
    assert {mode(path) for path in files} == {0o600}
    names = [f"keys/clerk-{CLERK.id}.pem", *(f"keys/member-{key.id}.pem" for key in MEMBERS)]
    assert tree(home) == sorted(
        [
            "keys",
            *("keys/node-mldsa.pem", "keys/node.pem", "keys/people.pem"),
            *("ledger.db", "lock", "node.toml", "people.db"),
            *names,
        ]
    )


def test_the_keys_of_a_home_are_found_by_role(tmp_path: Path) -> None:
    home = Home(village_home(tmp_path / "home", b"passphrase"))
    assert home.origin() == ORIGIN
    found = home.key_files("member")
    assert [key_id for key_id, _ in found] == sorted(key.id for key in MEMBERS)
    assert {home.signing_key(path, b"passphrase") for _, path in found} == set(MEMBERS)
    assert home.key_files("authority") == home.key_files("node") == []
    (home.keys / "member-x.pem").write_text("not named like a key")
    assert home.key_files("member") == found


def test_the_people_key_stays_when_the_nodes_keys_are_changed(tmp_path: Path) -> None:
    home = Home(village_home(tmp_path / "home", b"passphrase"))
    secret = home.people_secret(b"passphrase")
    assert len(secret) == 32
    assert secret != home.signing_key(home.keys / "node.pem", b"passphrase").seed
    with open_home(home.folder, b"passphrase") as node, node.people() as people:
        locked = people.lock(PROVIDER, Dossier(name="x"))
        people.put([locked], 0)
        people.settle({(PROVIDER, locked.hash)})
    Node.rotate(home.folder, MEMBERS[:2], b"passphrase", clock=HandClock())
    assert home.people_secret(b"passphrase") == secret
    with open_home(home.folder, b"passphrase") as node, node.people() as people:
        assert people.dossier(PROVIDER) == (locked, Dossier(name="x"))


def test_a_node_that_only_reads_opens_no_dossiers(tmp_path: Path) -> None:
    with open_home(village_home(tmp_path / "home"), writes=False) as node, pytest.raises(NodeError, match="reading"):
        node.people()


def test_a_key_of_the_wrong_kind_is_told(tmp_path: Path) -> None:
    home = Home(village_home(tmp_path / "home"))
    with pytest.raises(StoreError, match="holds no Ed25519 key"):
        home.signing_key(home.keys / "node-mldsa.pem", None)
    (home.keys / "node-mldsa.pem").write_bytes((home.keys / "node.pem").read_bytes())
    with pytest.raises(StoreError, match="holds no ML-DSA-44 key"):
        home.mldsa_key(home.keys / "node-mldsa.pem", None)
    assert home.mldsa_key(home.keys / "none.pem", None) is None
    assert isinstance(home.signing_key(home.add_key("clerk", SigningKey(bytes(32)), None), None), SigningKey)
    assert MldsaSigningKey(bytes(32)).public


def test_a_second_process_cannot_write_a_home_and_may_read_it(tmp_path: Path) -> None:
    home = village_home(tmp_path / "home")
    script = (
        "import sys; from pathlib import Path; from node import Node; from store.log import StoreError\n"
        "try:\n"
        "    with Node.open(Path(sys.argv[1]), writes=sys.argv[2] == 'w') as node: print('open', node.store.size)\n"
        "except StoreError as error: print('refused', error)\n"
    )

    def second(access: str) -> str:
        command = [sys.executable, "-c", script, str(home), access]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    with open_home(home) as node:
        assert second("w") == f"refused another process writes {home}: wait for it to end, or stop it\n"
        assert second("r") == f"open {node.store.size}\n"
        with pytest.raises(StoreError, match="another process writes"), open_home(home):
            pass
        record(node, [service()])
    assert second("w").startswith("open")


def test_the_lock_goes_with_the_process_that_held_it(tmp_path: Path) -> None:
    home = village_home(tmp_path / "home")
    script = (
        "import os, signal, sys; from pathlib import Path; from store.home import Home\n"
        "with Home(Path(sys.argv[1])).lock(): os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(home)], cwd=ROOT, check=False)
    assert ended.returncode == -9
    with open_home(home) as node:
        record(node, [service()])


def test_a_lock_is_tried_again_as_long_as_somebody_waits(tmp_path: Path) -> None:
    home = Home(village_home(tmp_path / "home"))
    with home.lock(), pytest.raises(StoreError, match="another process writes"), home.lock([1, 2]):
        pass
    other = home.lock()
    other.__enter__()

    def waits() -> Iterator[None]:
        yield
        other.__exit__(None, None, None)
        yield
        raise AssertionError("it is free already")

    with home.lock(waits()):
        pass


def test_where_there_is_no_node_it_says_so(tmp_path: Path) -> None:
    for writes in (True, False):
        with pytest.raises(StoreError, match=r"there is no node in .*: make one with `huzhu init`"):
            open_home(tmp_path, writes=writes).__enter__()
    assert list(tmp_path.iterdir()) == []


BAD_SETTINGS = {
    "empty": b"",
    "not-toml": b"origin = ",
    "not-utf-8": b'origin = "\xff"',
    "no-origin": b"name = 'x'",
    "origin-is-a-number": b"origin = 1",
    "origin-is-no-name": b'origin = "Village"',
}


@pytest.mark.parametrize("raw", BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_bad_settings_are_one_clear_line(raw: bytes, tmp_path: Path) -> None:
    home = village_home(tmp_path / "home")
    (home / "node.toml").write_bytes(raw)
    with pytest.raises(StoreError) as refused, open_home(home):
        pass
    assert "node.toml" in str(refused.value) and "\n" not in str(refused.value)


def test_the_ledger_of_another_home_is_refused(tmp_path: Path) -> None:
    home = village_home(tmp_path / "home")
    (home / "node.toml").write_text('origin = "other.example/huzhu"\n')
    for writes in (True, False):
        with pytest.raises(StoreError, match=f"is the ledger of {ORIGIN}, not of other.example/huzhu"):
            open_home(home, writes=writes).__enter__()


@pytest.mark.parametrize("name", ["node.pem", "ledger.db", "keys"])
def test_a_missing_part_is_one_clear_line(name: str, tmp_path: Path) -> None:
    home = village_home(tmp_path / "home")
    (home / name).rename(tmp_path / name) if name != "node.pem" else (home / "keys" / name).unlink()
    with pytest.raises(StoreError) as refused, open_home(home):
        pass
    assert name in str(refused.value) and "\n" not in str(refused.value)


def test_a_home_is_not_made_over_anything(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("mine")
    with pytest.raises(StoreError, match="exists already and is not empty"):
        Node.create(tmp_path / "home", founding(), None, HandClock())
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match="exists already"):
        Node.create(tmp_path / "file", founding(), None, HandClock())
    assert tree(tmp_path) == ["file", "home", "home/letter.txt"]


def test_an_empty_folder_becomes_a_home(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    Node.create(tmp_path / "home", founding(), None, HandClock())
    assert Home(tmp_path / "home").origin() == ORIGIN


def test_whatever_fails_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_home(tmp_path / "a" / "home", ORIGIN) as draft:
        draft.ledger.write_text("half")
        raise RuntimeError
    with pytest.raises(StoreError, match="cannot be made"), new_home(tmp_path / "a" / "home", ORIGIN) as draft:
        raise OSError(28, "No space left on device")
    assert tree(tmp_path) == ["a"]
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError, match="cannot be made"):
        Node.create(tmp_path / "file" / "home", founding(), None, HandClock())


def test_a_ledger_that_cannot_begin_leaves_no_home(tmp_path: Path) -> None:
    bad = founding()
    object.__setattr__(bad, "threshold", 7)
    with pytest.raises(Exception, match="bad-threshold"):
        Node.create(tmp_path / "home", bad, None, HandClock())
    assert list(tmp_path.iterdir()) == []
