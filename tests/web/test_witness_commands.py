"""``huzhu witness``, ``check-fork``, and the trust files that nodes and auditors use."""

import json
from pathlib import Path

import pytest

from chain.checkpoint import open_checkpoint
from chain.fork import Fork, format_fork
from chain.note import parse_vkey
from chain.policy import parse_policy, quorum_met
from chain.witness import format_add_checkpoint
from store.home import Home
from store.log import StoreError
from store.witness import WITNESS_ID, WITNESS_KEY, WITNESS_MLDSA_KEY, open_memory
from tests.web.desk import ORIGIN, Desk, run
from tests.web.forking import forged, fork_file, newest
from web.witnessing import make_witness, witness_keys

NAME = "witness.county.example"


@pytest.fixture
def trust(desk: Desk) -> Path:
    path = desk.folder / "trust.txt"
    desk("trust", "-o", path)
    return path


def test_a_fork_is_proven_by_the_key_of_the_ledger(desk: Desk, trust: Path) -> None:
    path = desk.file("village.fork", fork_file(desk))
    shown = run("check-fork", path, "--trust", trust).stdout
    assert shown.startswith(f"PROVEN: the ledger {ORIGIN} has two histories.")
    vkey = parse_policy(trust.read_bytes()).logs[0]
    assert shown.count(vkey.hash.hex()) == 2
    vkey_text = trust.read_text().split()[1]
    assert desk.json("check-fork", path, "--vkey", vkey_text)["proven"] is True
    found = desk.json("check-fork", path)
    assert (found["outcome"], found["earlier"]["signed_by"]) == ("fork", [vkey_text])


@pytest.mark.parametrize(
    ("kind", "outcome"), [("rollback", "rollback"), ("larger", "no-path"), ("same", "same"), ("strange", "not-signed")]
)
def test_what_is_not_proven_says_why(desk: Desk, trust: Path, kind: str, outcome: str) -> None:
    true = newest(desk)
    fork = {
        "rollback": Fork(forged(desk, 5), true),
        "larger": Fork(true, forged(desk, 5)),
        "same": Fork(true, true),
        "strange": Fork(true, forged(desk)),
    }[kind]
    path = desk.file("x.fork", format_fork(fork))
    if kind == "strange":
        other = Desk(desk.folder / "other")
        other.folder.mkdir()
        other.init()
        other("trust", "-o", other.folder / "trust.txt")
        trust = other.folder / "trust.txt"
    shown = run("check-fork", path, "--trust", trust, "--json", status=1).stdout
    assert (json.loads(shown)["proven"], json.loads(shown)["outcome"]) == (False, outcome)
    assert run("check-fork", path, "--trust", trust, status=1).stdout.startswith("NOT PROVEN: ")


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"huzhu/fork@v1\n", b"x\n\n" * 1_000_000])
def test_another_file_is_no_evidence(desk: Desk, trust: Path, content: bytes) -> None:
    path = desk.file("x", content)
    assert "is no evidence of a fork" in run("check-fork", path, "--trust", trust, status=2).stderr
    run("check-fork", desk.folder / "nowhere", "--trust", trust, status=2)
    run("check-fork", desk.file("y", fork_file(desk)), "--vkey", "x", status=2)


def test_a_home_becomes_a_witness(desk: Desk) -> None:
    made = desk("witness", "new", "--name", NAME, "--url", "https://county.example/").stdout
    assert desk("witness", "show", "--url", "https://county.example").stdout == made
    policy = parse_policy(made.encode())
    assert [vkey.type for _name, vkey in policy.witnesses] == [0x04, 0x06]
    assert {url for _name, url in policy.witness_urls} == {"https://county.example"}
    assert all(quorum_met(policy, {name}) for name, _vkey in policy.witnesses)
    assert Home(desk.home).node_settings().witness_name == NAME
    assert (desk.home / "witness.db").stat().st_mode & 0o777 == 0o600
    for name in (WITNESS_KEY, WITNESS_MLDSA_KEY, WITNESS_ID):
        assert (desk.home / "keys" / name).stat().st_mode & 0o777 == 0o600
    assert (desk.home / "node.toml").stat().st_mode & 0o777 == 0o600
    assert "already" in desk("witness", "new", "--name", NAME, status=2).stderr
    assert "already" in desk("witness", "new", "--name", "other.example", status=2).stderr
    desk("seal")


def test_a_crash_while_a_witness_is_made_leaves_what_can_be_finished(desk: Desk) -> None:
    desk("witness", "new", "--name", NAME)
    kept = (desk.home / "keys" / WITNESS_KEY).read_bytes()
    settings = desk.home / "node.toml"
    settings.write_text(settings.read_text().partition("[witness]")[0])
    (desk.home / "keys" / WITNESS_MLDSA_KEY).unlink()
    desk("witness", "new", "--name", NAME)
    assert (desk.home / "keys" / WITNESS_KEY).read_bytes() == kept
    desk("witness", "show")


def test_a_witness_that_lost_its_file_is_not_made_again(desk: Desk) -> None:
    desk("witness", "new", "--name", NAME)
    (desk.home / "witness.db").unlink()
    with pytest.raises(StoreError, match="must not cosign again"):
        open_memory(Home(desk.home))
    settings = desk.home / "node.toml"
    settings.write_text(settings.read_text().partition("[witness]")[0])
    assert "must not cosign again" in desk("witness", "new", "--name", NAME, status=2).stderr
    assert not (desk.home / "witness.db").exists()


@pytest.mark.parametrize("name", ["", "a b", "A.example", "x" * 300, "a+b", 'a"\nport = 1'])
def test_names_that_no_witness_has(desk: Desk, name: str) -> None:
    before = (desk.home / "node.toml").read_bytes()
    assert "cannot name a witness" in desk("witness", "new", "--name", name, status=2).stderr
    assert (desk.home / "node.toml").read_bytes() == before
    assert not (desk.home / "keys" / WITNESS_KEY).exists()


def test_a_home_that_is_no_witness_says_so(desk: Desk) -> None:
    assert "huzhu witness new" in desk("witness", "show", status=2).stderr
    assert "not a node's address" in desk("witness", "new", "--name", NAME, "--url", "x", status=2).stderr


def test_the_trust_file_asks_for_members_and_witnesses(desk: Desk) -> None:
    files: list[str | Path] = []
    for number in (1, 2):
        other = Desk(desk.folder / f"county{number}")
        other.folder.mkdir()
        other.init()
        shown = other("witness", "new", "--name", f"w{number}.example", "--url", f"http://192.0.2.{number}").stdout
        files += ["--witness", desk.file(f"w{number}.txt", shown)]
    path = desk.folder / "trust.txt"
    desk("trust", "--members", *files, "--witness-quorum", "1", "--url", "https://village.example", "-o", path)
    policy = parse_policy(path.read_bytes())
    assert dict(policy.log_urls)[policy.logs[0]] == "https://village.example"
    assert len(policy.witness_urls) == 4
    members = {name for name, _vkey in policy.witnesses if name.startswith("member-")}
    assert quorum_met(policy, members | {"w2.example-mldsa44"})
    assert not quorum_met(policy, members)
    assert not quorum_met(policy, {"w1.example-ed25519", "w2.example-ed25519"})
    desk("trust", *files, "-o", path)
    policy = parse_policy(path.read_bytes())
    assert not quorum_met(policy, {"w1.example-ed25519", "w1.example-mldsa44"})
    assert quorum_met(policy, {"w1.example-ed25519", "w2.example-ed25519"})
    assert "quorum of 3" in desk("trust", *files, "--witness-quorum", "3", status=2).stderr
    desk("trust", "--witness-quorum", "3", status=2)
    desk("trust", "--witness", desk.file("none.txt", "quorum none\n"), status=2)
    desk("trust", "--witness", desk.file("bad.txt", "x\n"), status=2)
    desk("trust", "--witness", desk.folder / "nowhere", status=2)
    desk("trust", *files, *files, status=2)


def test_whom_a_witness_serves(desk: Desk) -> None:
    """The ledgers of its trust file's log lines, and not its own."""
    county = Desk(desk.folder / "county")
    county.folder.mkdir()
    run("init", "--home", county.home, "--origin", "county.example/huzhu")
    county("witness", "new", "--name", NAME)
    desk("trust", "-o", county.home / "trust.txt")
    settings = county.home / "node.toml"
    settings.write_text('trust = "trust.txt"\n' + settings.read_text())
    home = Home(county.home)
    keys = witness_keys(home, None)
    assert keys is not None
    store = open_memory(home)
    witness = make_witness(home, keys, store, dict)
    raw = newest(desk)
    own = newest(county)
    assert witness.add_checkpoint(format_add_checkpoint(0, [], raw)).status == 200
    assert witness.add_checkpoint(format_add_checkpoint(0, [], own)).status == 404
    size = open_checkpoint(raw)[0].size
    assert witness.add_checkpoint(format_add_checkpoint(size, [], forged(desk))).status == 409
    store.close()
    (evidence,) = home.evidence.iterdir()
    vkey = parse_policy((county.home / "trust.txt").read_bytes()).logs[0]
    assert parse_vkey(run("check-fork", evidence, "--trust", county.home / "trust.txt", "--json").stdout.split('"')[-2])
    assert vkey.name == ORIGIN
