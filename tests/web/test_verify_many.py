"""`huzhu verify` over several ledgers: by processes, by a cluster, and on from where the last audit ended."""

import json
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

from tests.web.desk import Desk, run
from web.targets import places_of

NAMES = ("east", "west", "north")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three villages' homes, archives and tiles, and all of them in one file; one of them is forged."""
    folder = tmp_path_factory.mktemp("county")
    for name in NAMES:
        desk = Desk(folder / name)
        desk.folder.mkdir()
        desk.init("--origin", f"{name}.example/huzhu")
        desk.populate()
        desk("seal")
        desk("export", "--archive", folder / f"{name}.db", "--tiles", folder / "site" / "log")
    run("join", folder / "county.db", *(folder / f"{name}.db" for name in NAMES))
    shutil.copy(folder / "county.db", folder / "forged.db")
    change(folder / "forged.db", 2, "west")
    return folder


def change(archive: Path, index: int, name: str) -> None:
    """Change one byte of an entry."""
    with closing(sqlite3.connect(archive)) as db, db:
        where = "idx=? AND log=(SELECT id FROM log WHERE origin=?)"
        key = (index, f"{name}.example/huzhu")
        (raw,) = db.execute(f"SELECT bytes FROM entry WHERE {where}", key).fetchone()  # noqa: S608
        bad = raw.replace(b"person", b"Person", 1)
        assert bad != raw
        db.execute(f"UPDATE entry SET bytes=? WHERE {where}", (bad, *key))  # noqa: S608


@pytest.fixture
def county(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made / "county.db", tmp_path / "county.db"))


def verify(*words: str | Path, status: int = 0) -> dict[str, Any]:
    """The report without how long it took."""
    report: dict[str, Any] = json.loads(run("verify", *words, "--json", status=status).stdout)
    del report["seconds"]
    return report


@pytest.fixture
def _many(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every ledger is worth a worker, and states go where the test can see them."""
    monkeypatch.setattr("web.auditing.ALONE_MAX_ENTRIES", 0)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.mark.usefixtures("_many")
def test_processes_and_a_cluster_say_the_same(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = verify(made / "forged.db", "--full", "--jobs", "1", status=1)
    assert [each["origin"] for each in alone["ledgers"]] == [f"{name}.example/huzhu" for name in NAMES]
    assert {finding["origin"] for finding in alone["findings"]} == {"west.example/huzhu"}
    monkeypatch.setattr("web.audits.TASKS_AHEAD_PER_WORKER", 1)
    assert verify(made / "forged.db", "--full", "--jobs", "2", status=1) == alone
    monkeypatch.setattr("web.audits._are_tasks", lambda *_: False)
    assert verify(made / "forged.db", "--full", "--jobs", "2", status=1) == alone


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """A scheduler with one worker, both in this process, on loopback."""
    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=1, threads_per_worker=2, processes=False, protocol="tcp://", host="127.0.0.1", dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


@pytest.mark.usefixtures("_many")
def test_a_cluster_says_the_same(made: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = verify(made / "forged.db", "--full", "--jobs", "1", status=1)
    assert verify(made / "forged.db", "--full", "--cluster", scheduler, status=1) == alone
    monkeypatch.setattr("web.audits._are_tasks", lambda *_: False)
    assert verify(made / "forged.db", "--full", "--cluster", scheduler, status=1) == alone


def test_a_cluster_that_is_not_there(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.audits.CLUSTER_SECONDS", 0.2)
    said = run("verify", made / "county.db", "--cluster", "tcp://127.0.0.1:1", status=2).stderr
    assert "no Dask scheduler" in said and said.count("\n") == 1
    assert "no Dask scheduler" in run("verify", made / "county.db", "--cluster", "x://y", status=2).stderr
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    said = run("verify", made / "county.db", "--cluster", "tcp://127.0.0.1:1", status=2).stderr
    assert "install huzhu with the extra `cluster`" in said


def test_many_targets_and_each_once(made: Path) -> None:
    targets = [made / "east" / "huzhu-home", made / "west.db", made / "west.db", made / "site"]
    report = verify(*targets)
    assert [each["origin"].split(".")[0] for each in report["ledgers"]] == ["east", "west", "east", "north", "west"]
    assert report["ok"] and not report["trusted"]
    assert report["travel"] == dict.fromkeys(("bridge", "on_way", "transfers_on_way", "left", "came", "ahead"), 0)


def test_an_audit_goes_on_from_the_last(county: Path, tmp_path: Path) -> None:
    state = tmp_path / "audits"
    first = verify(county, "--state", state)
    assert {each["read_from"] for each in first["ledgers"]} == {0}
    files = sorted(state.iterdir())
    assert len(files) == 3 and {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert state.stat().st_mode & 0o777 == 0o700
    again = verify(county, "--state", state)
    for old, new in zip(first["ledgers"], again["ledgers"], strict=True):
        assert new["read_from"] == old["size"] - old["pending"] > 0 and new["since"].endswith("Z")
        assert {**new, "read_from": 0, "since": None} == old
    assert {**again, "ledgers": first["ledgers"]} == first
    said = run("verify", county, "--state", state).stdout
    assert "entries stand as audited on" in said and "`--full` reads them too" in said
    assert "0 entries recomputed" in said


def test_only_a_full_audit_sees_what_changed_in_old_entries(county: Path, tmp_path: Path) -> None:
    state = tmp_path / "audits"
    verify(county, "--state", state)
    change(county, 2, "west")
    assert verify(county, "--state", state)["ok"]
    assert not verify(county, "--state", state, "--full", status=1)["ok"]


def test_a_ledger_that_was_rewritten_since(made: Path, tmp_path: Path) -> None:
    """The same name with another history: found out from the state, until somebody begins anew."""
    state, desk = tmp_path / "audits", Desk(tmp_path / "other")
    desk.folder.mkdir()
    desk.init("--origin", "east.example/huzhu")
    desk("seal")
    place = tmp_path / "east.db"
    shutil.copy(made / "east.db", place)
    assert verify(place, "--state", state)["ok"]
    place.unlink()
    desk("export", "--archive", place)
    for _ in range(2):
        counts = verify(place, "--state", state, status=1)["counts"]
        assert {"log.rollback", "log.fork"} & counts.keys()
    assert "before   the last audit was of no use" in run("verify", place, "--state", state, status=1).stdout
    assert verify(place, "--state", state, "--full")["ok"]
    assert verify(place, "--state", state)["ok"]


def test_a_state_that_is_damaged_or_cannot_be_kept(county: Path, tmp_path: Path) -> None:
    state = tmp_path / "audits"
    verify(county, "--state", state)
    for file in state.iterdir():
        file.write_bytes(file.read_bytes()[:-5])
    report = verify(county, "--state", state)
    assert report["ok"] and {each["since_unused"] for each in report["ledgers"]} == {"it is damaged"}
    assert {each["read_from"] for each in verify(county, "--state", state)["ledgers"]} != {0}
    (tmp_path / "file").write_text("x")
    assert "`--state` names another folder" in run("verify", county, "--state", tmp_path / "file", status=2).stderr


@pytest.mark.usefixtures("_many")
def test_states_are_the_user_s_own_and_small_targets_leave_none(
    county: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.auditing.ALONE_MAX_ENTRIES", 10_000)
    verify(county)
    assert not (tmp_path / "state").exists()
    monkeypatch.setattr("web.auditing.ALONE_MAX_ENTRIES", 3)
    verify(county, "--jobs", "1")
    assert len(list((tmp_path / "state" / "huzhu" / "audits").iterdir())) == 3


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(made: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A node's static files behind an address, and the folder of them."""
    folder = tmp_path / "site"
    shutil.copytree(made / "site", folder)
    (folder / "log" / "origins").write_text("".join(f"{name}.example/huzhu\n" for name in NAMES))
    with serving(Quiet, folder) as address:
        yield address, folder


@contextmanager
def serving(handler: type[SimpleHTTPRequestHandler], folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class TwoFaced(Quiet):
    """Shows one ledger's checkpoint twice, to whoever looks what there is, and then another's."""

    asked = 0

    def do_GET(self) -> None:
        if self.path == "/checkpoint":
            TwoFaced.asked += 1
            name = "east" if TwoFaced.asked <= 2 else "west"
            self.path = f"/log/{name}.example/huzhu/checkpoint"
        super().do_GET()


def test_an_address_that_names_another_ledger_the_second_time(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was kept of the first would be compared with nothing."""
    kept = made / "site" / "log" / "east.example" / "huzhu" / "checkpoint"
    monkeypatch.setattr(TwoFaced, "asked", 0)
    with serving(TwoFaced, made / "site") as address:
        said = run("verify", address, "--since", kept, status=2).stderr
    assert "first gave the ledger east.example/huzhu, and now gives west.example/huzhu" in said


def test_a_kept_thing_that_nothing_was_compared_with(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same, should a place ever give another ledger unseen."""
    kept = made / "site" / "log" / "east.example" / "huzhu" / "checkpoint"
    shutil.copytree(made / "site" / "log" / "east.example", tmp_path / "tiles")
    found = places_of([str(tmp_path / "tiles")])
    shutil.rmtree(tmp_path / "tiles")
    shutil.copytree(made / "site" / "log" / "west.example", tmp_path / "tiles")
    monkeypatch.setattr("web.targets.places_of", lambda _: found)
    monkeypatch.setattr("web.targets.Place._same", lambda _, source: source)
    said = run("verify", tmp_path / "tiles", "--since", kept, status=2).stderr
    assert "is of the ledger east.example/huzhu, which is not in the target" in said


def test_an_address_serves_many_ledgers(site: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = site
    report = verify(address + "/", "--state", tmp_path / "audits")
    assert [each["origin"] for each in report["ledgers"]] == [f"{name}.example/huzhu" for name in NAMES]
    assert report["ok"]
    again = verify(address, "--state", tmp_path / "audits")
    assert all(each["read_from"] == each["size"] for each in again["ledgers"])
    assert len(verify(f"{address}/log/east.example/huzhu")["ledgers"]) == 1
    origins = folder / "log" / "origins"
    for text, why in (
        ("", "does not list the ledgers"),
        ("no origin\n", "does not list the ledgers"),
        ("\udcff", "neither a checkpoint nor a list"),
        ("x" * 2**22 + "y", "neither a checkpoint nor a list"),
        ("south.example/huzhu\n", "no checkpoint that can be read"),
    ):
        origins.write_bytes(text.encode(errors="surrogateescape"))
        assert why in run("verify", address, status=2).stderr
    (folder / "log" / "south.example").mkdir()
    shutil.copytree(folder / "log" / "east.example" / "huzhu", folder / "log" / "south.example" / "huzhu")
    origins.write_text("south.example/huzhu\n")
    assert "a checkpoint of another ledger" in run("verify", address, status=2).stderr


def test_it_is_said_what_to_pin(made: Path, tmp_path: Path) -> None:
    words = (tmp_path / "trust.txt").write_text(run("trust", "--home", made / "east" / "huzhu-home").stdout)
    assert words
    shown = run("verify", made / "county.db", "--trust", tmp_path / "trust.txt", status=1).stdout
    lines = shown.partition("pins no key of these ledgers")[2].splitlines()
    assert [line.split("+")[0].strip() for line in lines if line.startswith("  log ")] == [
        "log west.example/huzhu",
        "log north.example/huzhu",
    ]
    assert "or pin the ledger above".lower() in shown.lower()
    assert "pins no key" not in run("verify", made / "east.db", "--trust", tmp_path / "trust.txt").stdout
