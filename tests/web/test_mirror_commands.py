"""A township's desk looks after its villages: `tend`, `receive`, `mirror`, `alarms`, and receipts up to the root."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from chain.checkpoint import open_checkpoint
from chain.merkle import leaf_hash
from node import Node
from store.home import Home
from store.log import MemoryStore
from store.mirror import MirrorStore
from store.mirror_receipts import mirror_balance_receipt
from store.reading import LedgerReader
from store.tending import tend_lock
from tests.sync.logs import Answer, files, lying, served
from tests.sync.towers import answers
from tests.web import tiers
from tests.web.desk import BEGINNING, BEN, DORA, Desk, run
from tests.web.tiers import TOWNSHIP, VILLAGE, vkey_of
from web import tending
from web.tending import Done


@pytest.fixture
def below(desk: Desk) -> Desk:
    """The township's village, with its people."""
    tiers.township(desk)
    village = Desk(desk.folder)
    village.home = desk.folder / "village"
    village("init", "--origin", VILLAGE, "--at", BEGINNING)
    desk("org", "admit", "--vkey", vkey_of(village.home))
    village.populate()
    village("seal", "--at", BEGINNING)
    return village


def in_memory(desk: Desk) -> Node:
    """The desk's ledger as it is now, for the threads of a server."""
    with Node.open(desk.home, writes=False) as node:
        entries = list(node.store.entries(0, node.store.size))
        store = MemoryStore(node.origin)
        store.append(entries, [leaf_hash(raw) for raw in entries], {})
        for size, note in node.store.checkpoints():
            store.put_checkpoint(size, note)
        store.commit()
    return Node(store, None)


@contextmanager
def serving(desk: Desk, below: Desk, lie: Answer | None = None) -> Iterator[str]:
    """The village's node is up, and the township's node.toml names it."""
    with served(lie or files(in_memory(below))) as url:
        name(desk, f'[[children]]\norigin = "{VILLAGE}"\nurl = "{url}"\n')
        yield url


def name(desk: Desk, lines: str) -> None:
    """Add to node.toml, in place of what was added before."""
    settings = desk.home / "node.toml"
    head = settings.read_text().split("[[")[0]
    settings.write_text(head + lines)


def tend(desk: Desk, status: int = 0) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = desk.json("tend", status=status)
    return found


def test_tend_mirrors_and_anchors(desk: Desk, below: Desk) -> None:
    with serving(desk, below):
        done = tend(desk)
        assert [(each["origin"], each["outcome"], each["alarm"]) for each in done["pull"]] == [(VILLAGE, "new", False)]
        assert [(each["origin"], each["outcome"]) for each in done["anchor"]] == [(VILLAGE, "accepted")]
        again = tend(desk)
        assert ([each["outcome"] for each in again["pull"]], again["anchor"]) == (["same"], [])
        assert "nothing new" in desk("tend").stdout
    (row,) = desk.json("mirror", "list")
    assert (row["origin"], row["parent"], row["state"], row["waiting"]) == (VILLAGE, TOWNSHIP, "sound", 0)
    assert row["size"] == len(below.entries())
    assert f"{VILLAGE}: {row['size']} entries" in desk("mirror", "list").stdout
    assert row["silent"] is True
    below("seal")
    with serving(desk, below):
        tend(desk)
    assert desk.json("mirror", "list")[0]["silent"] is False
    run("verify", desk.home / "mirror.db")
    assert [entry.kind for entry in desk.entries()][-2:] == ["anchor", "seal"]
    assert Home(desk.home).mirror.stat().st_mode & 0o777 == 0o600


def test_a_child_that_is_down_is_trouble_and_no_failure(desk: Desk, below: Desk) -> None:
    with serving(desk, below):
        tend(desk)
    (result,) = tend(desk)["pull"]
    assert (result["outcome"], result["alarm"]) == ("unreachable", False)
    (row,) = desk.json("mirror", "list")
    assert row["trouble"]
    assert row["trouble"] in desk("mirror", "list").stdout


def test_one_child_keeps_no_other_from_being_mirrored(desk: Desk, below: Desk) -> None:
    other = tiers.village(desk, "liuduhe")
    with serving(desk, below), served(lambda _path: b"hello") as nonsense:
        settings = desk.home / "node.toml"
        lines = settings.read_text()
        more = "".join(
            f'[[children]]\norigin = "{origin}"\nurl = "{url}"\n'
            for origin, url in (
                ("liuduhe.example/huzhu", nonsense),
                ("nobody.example/huzhu", "http://127.0.0.1:1"),
                ("other.example/huzhu", "http://nowhere.invalid"),
            )
        )
        settings.write_text(lines + more)
        outcomes = {each["origin"]: each["outcome"] for each in tend(desk)["pull"]}
    assert outcomes == {
        VILLAGE: "new",
        "liuduhe.example/huzhu": "unreachable",
        "nobody.example/huzhu": "unadmitted",
        "other.example/huzhu": "unadmitted",
    }
    assert len(other.entries()) == 2


def test_one_duty_alone(desk: Desk, below: Desk) -> None:
    with serving(desk, below):
        assert list(desk.json("tend", "--only", "pull")) == ["pull"]
        assert list(desk.json("tend", "--only", "anchor", "--only", "cosign")) == ["cosign", "anchor"]


def test_a_duty_that_cannot_be_done_keeps_no_other_from_it(desk: Desk, below: Desk) -> None:
    with serving(desk, below):
        settings = desk.home / "node.toml"
        settings.write_text('trust = "nowhere.txt"\n' + settings.read_text())
        result = desk("tend", status=2)
    assert "nowhere.txt" in result.stderr
    assert desk.json("mirror", "list")[0]["size"] == len(below.entries())


def test_what_does_not_need_the_children_goes_before_them(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    outcomes = iter(["new", "same"])

    def does(duty: str) -> Callable[[object], Done]:
        def do(_session: object) -> Done:
            done.append(duty)
            return Done(duty, [], [{"outcome": next(outcomes)}] if duty == "pull" else [])

        return do

    names = {"cosign": "gather_cosignatures", "transfers": "settle_transfers", "pull": "pull_children"}
    for duty, name in {**names, "anchor": "write_anchors"}.items():
        monkeypatch.setattr(tending, name, does(duty))
    for again in (["transfers", "cosign"], []):
        done.clear()
        assert [each.duty for each in tending.tend(None, tending.DUTIES)] == list(tending.DUTIES)  # type: ignore[arg-type]
        assert done == ["cosign", "transfers", "pull", "anchor", *again]


def test_one_process_tends_at_a_time(desk: Desk) -> None:
    with tend_lock(desk.home):
        assert "another process tends" in desk("tend", status=2).stderr
    desk("tend")


def test_a_village_put_back_to_an_old_disk_takes_its_entries_from_the_mirror(desk: Desk, below: Desk) -> None:
    shutil.copytree(below.home, desk.folder / "backup")
    below("donate", BEN, "1", status=1)
    below("person", "update", DORA, "--volunteer")
    below("seal")
    size = len(below.entries())
    with serving(desk, below):
        tend(desk)
    shutil.rmtree(below.home)
    shutil.copytree(desk.folder / "backup", below.home)
    with serving(desk, below):
        done = tend(desk, status=1)
        assert [(each["outcome"], each["alarm"]) for each in done["pull"]] == [("rolled-back", True)]
        assert [each["alarm"] for each in tend(desk)["pull"]] == [False]
    (alarm,) = desk.json("alarms")
    assert (alarm["origin"], alarm["code"], alarm["seen"]) == (VILLAGE, "rolled-back", False)
    assert Path(alarm["evidence"]).read_bytes().startswith(b"huzhu/fork@v1\n")
    shown = desk("alarms").stdout
    assert VILLAGE in shown
    assert alarm["evidence"] in shown
    assert "ROLLED BACK" in desk("mirror", "list").stdout

    archive = desk.folder / "back.db"
    desk("mirror", "export", VILLAGE, "-o", archive)
    for file in below.home.glob("ledger.db*"):
        file.unlink()
    shutil.copy(archive, below.home / "ledger.db")
    below("seal")
    assert len(below.entries()) == size + 1
    with serving(desk, below):
        assert [each["outcome"] for each in tend(desk)["pull"]] == ["held"]
        assert desk.json("mirror", "release", VILLAGE) == {"origin": VILLAGE, "released": True}
        assert [each["outcome"] for each in tend(desk)["pull"]] == ["new"]
    assert desk.json("alarms", "--seen", "1") == []
    assert [each["seen"] for each in desk.json("alarms", "--all")] == [True]
    assert "no alarm" in desk("alarms").stdout


def test_alarms_and_mirrors_that_are_not_there(desk: Desk) -> None:
    assert "no alarm" in desk("alarms").stdout
    assert "no ledger is mirrored" in desk("mirror", "list").stdout
    assert "no alarm 7" in desk("alarms", "--seen", "7", status=2).stderr
    for words in (("release", VILLAGE), ("export", VILLAGE, "-o", desk.folder / "x.db")):
        assert "is not mirrored here" in desk("mirror", *words, status=2).stderr
    assert not (desk.folder / "x.db").exists()


def test_receive_takes_an_archive(desk: Desk, below: Desk) -> None:
    below("export", "--archive", desk.folder / "stick.db")
    (result,) = desk.json("receive", desk.folder / "stick.db")["pull"]
    assert (result["origin"], result["outcome"]) == (VILLAGE, "new")
    assert [each["outcome"] for each in desk.json("receive", desk.folder / "stick.db")["pull"]] == ["same"]
    other = Desk(desk.folder)
    other.home = desk.folder / "stranger"
    other("init", "--origin", "stranger.example/huzhu")
    run("join", desk.folder / "both.db", desk.folder / "stick.db", other.home / "ledger.db")
    outcomes = {each["origin"]: each["outcome"] for each in desk.json("receive", desk.folder / "both.db")["pull"]}
    assert outcomes == {VILLAGE: "same", "stranger.example/huzhu": "unadmitted"}
    words = ("receive", desk.folder / "both.db", "--origin")
    assert [each["origin"] for each in desk.json(*words, VILLAGE)["pull"]] == [VILLAGE]
    assert "holds none of these" in desk(*words, "nobody.example/huzhu", status=2).stderr
    assert "is no archive" in desk("receive", desk.file("x.db", "hello"), status=2).stderr


def test_of_a_thousand_foreign_ledgers_a_few_are_named(desk: Desk, below: Desk) -> None:
    stick = desk.folder / "stick.db"
    below("export", "--archive", stick)
    with closing(sqlite3.connect(stick)) as connection:
        rows = ((number, f"v{number}.example/huzhu") for number in range(2, 2_002))
        connection.executemany("INSERT INTO log VALUES(?, ?)", rows)
        connection.commit()
    first, *others, last = desk("receive", stick).stdout.splitlines()
    assert first.startswith(f"{VILLAGE}: ") and "new entries" in first
    assert len(others) == tending.FOREIGN_MAX and all("belongs to no ledger here" in line for line in others)
    assert last == f"and {2_000 - tending.FOREIGN_MAX:,} more that belong to no ledger here"


def test_what_is_forgotten_is_mirrored_again(desk: Desk, below: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    stick = desk.folder / "below.db"
    below("export", "--archive", stick)
    desk("receive", stick)
    forget = ("mirror", "forget", VILLAGE)
    assert "--again" in desk(*forget, status=2).stderr
    assert "nothing was forgotten" in desk(*forget, "--again", "xizhuang", status=2).stderr
    assert "not mirrored here" in desk("mirror", "forget", "no.example/huzhu", "--again", "x", status=2).stderr
    (before,) = desk.json("mirror", "list")
    told = desk.json(*forget, "--again", VILLAGE)
    assert (told["origin"], told["entries"]) == (VILLAGE, before["size"])
    note = Path(told["evidence"]).read_bytes()
    assert open_checkpoint(note)[0].size == before["size"]
    (after,) = desk.json("mirror", "list")
    assert (after["size"], after["state"], after["asked"]) == (0, "sound", None)
    desk("receive", stick)
    assert [row["size"] for row in desk.json("mirror", "list")] == [before["size"]]
    monkeypatch.setattr("web.commands_mirror.is_terminal", lambda: True)
    assert "nothing was forgotten" in desk(*forget, status=2, stdin="another\n").stderr
    assert desk(*forget, stdin=f"{VILLAGE}\n").stdout


def test_alarms_that_are_raised_again_are_counted(desk: Desk, below: Desk) -> None:
    for lie in (b"junk", b"other junk"):
        with serving(desk, below, lying(files(in_memory(below)), {f"{VILLAGE}/checkpoint": lie})):
            desk("tend", "--only", "pull", status=int(lie == b"junk"))
    (alarm,) = desk.json("alarms")
    assert (alarm["code"], alarm["count"]) == ("bad-checkpoint", 2)
    assert [Path(alarm[name]).read_bytes() for name in ("evidence", "latest_evidence")] == [b"junk", b"other junk"]
    shown = desk("alarms").stdout
    assert "2 times" in shown and alarm["evidence"] in shown and alarm["latest_evidence"] in shown


def test_a_balance_of_a_mirrored_ledger_has_a_receipt(desk: Desk, below: Desk) -> None:
    tiers.mirror(desk, below)
    with closing(LedgerReader(desk.home / "mirror.db")) as reader:
        ledger = reader.ledger(VILLAGE)
        assert ledger is not None
        for account in (BEN, DORA, "issue", "pool"):
            file = desk.file("x.balance-proof", mirror_balance_receipt(ledger, account))
            below("trust", "-o", desk.folder / "trust.txt")
            shown = json.loads(run("check-receipt", file, "--trust", desk.folder / "trust.txt", "--json").stdout)
            assert shown["balance"]["account"] == account
            assert shown["balance"]["balance"] == below.json("balance", account)["balance"]
        with pytest.raises(IndexError):
            mirror_balance_receipt(ledger, "00000000")


def test_an_archive_of_which_all_is_refused(desk: Desk, below: Desk) -> None:
    stranger = tiers.village(desk, "stranger")
    desk("org", "retire", "stranger.example/huzhu", "--reason", "merged")
    stranger("export", "--archive", desk.folder / "stranger.db")
    refused = desk("receive", desk.folder / "stranger.db", status=1)
    assert "nothing of" in refused.stderr and "belongs to no ledger here" in refused.stdout
    below("export", "--archive", desk.folder / "below.db")
    run("join", desk.folder / "both.db", desk.folder / "below.db", desk.folder / "stranger.db")
    assert "nothing of" not in desk("receive", desk.folder / "both.db").stderr
    assert desk("receive", desk.folder / "below.db").stderr == ""


def test_a_receipt_leads_to_the_root(desk: Desk, below: Desk) -> None:
    with serving(desk, below):
        tend(desk)
    below("seal")
    proof = desk.folder / "2.root-proof"
    node = in_memory(below)
    with served(answers(node, in_memory(desk))) as url:
        name(below, f'[[parents]]\nurl = "{url}"\n')
        below("receipt", "2", "--to-root", "-o", proof)
        assert "has not anchored" in below("receipt", str(node.store.size - 1), "--to-root", status=2).stderr
        assert "there is no entry" in below("receipt", str(node.store.size), "--to-root", status=2).stderr
    run("trust", "--home", desk.home, "-o", desk.folder / "root.txt")
    shown = json.loads(run("check-receipt", proof, "--trust", desk.folder / "root.txt", "--json").stdout)
    assert (shown["proven"], shown["origin"], shown["index"], shown["root"]) == (True, VILLAGE, 2, TOWNSHIP)
    assert [each["origin"] for each in shown["anchors"]] == [TOWNSHIP]
    text = run("check-receipt", proof, "--trust", desk.folder / "root.txt").stdout
    assert f"PROVEN up to the log {TOWNSHIP}" in text
    assert "It rests on that key" in text
    below("trust", "-o", desk.folder / "village.txt")
    assert "NOT PROVEN" in run("check-receipt", proof, "--trust", desk.folder / "village.txt", status=1).stdout


def test_to_root_needs_parents_and_an_entry(desk: Desk) -> None:
    assert "names no parents" in desk("receipt", "0", "--to-root", status=2).stderr
    desk("receipt", "--balance", BEN, "--to-root", status=2)


def test_a_lying_child_is_an_alarm(desk: Desk, below: Desk) -> None:
    lie = lying(files(in_memory(below)), {"/checkpoint": b"hello\n"})
    with serving(desk, below, lie):
        (result,) = tend(desk, status=1)["pull"]
    assert result["outcome"] == "lies"
    with closing(MirrorStore(desk.home / "mirror.db")) as store:
        assert [alarm.code for alarm in store.alarms()] == ["bad-checkpoint"]
    assert vkey_of(below.home).startswith(VILLAGE)
