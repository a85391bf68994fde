"""Mirroring honest ledgers, and every lie that a child can tell."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from chain.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from chain.fork import check_fork, parse_fork
from chain.merkle import tree_root
from chain.note import format_note, format_vkey
from chain.tile import Bundle, format_bundle, format_entries_path, parse_bundle
from ledger.bodies import Dispute, Donate, NodeRotate
from node import Node
from store.archive import open_archive
from store.mirror import MirrorSource
from store.sqlite import write_archive
from sync.kept import Bounds
from tests.store.village import KEYS, MEMBERS, RECIPIENT, accepted, record, service
from tests.sync.logs import (
    NEW_KEYS,
    TOWNSHIP,
    VILLAGE,
    Keeper,
    Shelf,
    admit,
    copy,
    files,
    grow,
    ledger,
    lying,
)
from tests.verify.ledgers import ALICE, NEW_NODE_KEY, STRANGER, VKEY, Forge, memory_store
from tests.verify.ledgers import village as village_ledger
from verify.audit import audit_ledger
from verify.source import MemorySource
from web.cosigning import add_cosignature

Village = tuple[Keeper, Node]


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    node = ledger()
    keeper = Keeper(tmp_path, node)
    yield keeper, node
    keeper.store.close()


def assert_mirrored(keeper: Keeper, node: Node) -> None:
    """What counts is what the node has, to the byte; and an auditor finds it sound."""
    size = open_checkpoint(node.checkpoint())[0].size
    log = keeper.log(node.origin)
    assert (log.size, log.staged, log.state) == (size, size, "sound")
    assert list(log.entries(0, size)) == list(node.store.entries(0, size))
    assert tree_root(size, log.read) == tree_root(size, node.store.hashes.read)
    rows = keeper.store._run(
        "SELECT number, position, balance, held, status, unit FROM account a JOIN log l ON l.id=a.log"
        " WHERE l.origin=? ORDER BY position",
        node.origin,
    ).fetchall()
    assert rows == [
        (each.number, each.position, each.balance, each.held, each.status, each.unit)
        for each in node.state.accounts.values()
    ]
    legs = keeper.store._run(
        "SELECT account, idx, balance, held FROM leg g JOIN log l ON l.id=g.log WHERE l.origin=? ORDER BY account, idx",
        node.origin,
    ).fetchall()
    assert legs == [tuple(leg) for number in sorted(node.state.accounts) for leg in node.store.legs(number)]
    assert audit_ledger(MirrorSource(log)).is_sound


def test_a_ledger_is_mirrored_and_followed(village: Village) -> None:
    keeper, node = village
    (first,) = keeper.pull(files(node))
    assert (first.outcome, first.entries, first.size) == ("new", node.store.size, node.store.size)
    assert_mirrored(keeper, node)
    assert [each.outcome for each in keeper.pull(files(node))] == ["same"]
    asked: list[str] = []
    (disputed,) = record(node, [service(1)])
    record(node, [Dispute(index=disputed.index, party=RECIPIENT, ground="x")])
    grow(node)
    assert [each.outcome for each in keeper.pull(files(node))] == ["new"]
    assert_mirrored(keeper, node)
    for records in (1, 3, 300, 700):
        grow(node, records)
        asked.clear()
        (result,) = keeper.pull(files(node), asked=asked)
        assert (result.outcome, result.entries) == ("new", records + 1)
        assert_mirrored(keeper, node)
    bundles = [path for path in asked if "/tile/entries/" in path]
    assert len(bundles) == len(set(bundles)) <= 700 // 256 + 2
    assert keeper.codes() == []


def test_those_who_help_to_audit_are_let_go_at_its_end(village: Village) -> None:
    keeper, node = village
    keeper.workers = lambda _entry_count: ThreadPoolExecutor(2)
    for _round in range(2):
        assert keeper.outcomes(files(node)) == [(VILLAGE, "new")]
        assert_mirrored(keeper, node)
        grow(node, 100)


def test_the_mirror_is_an_archive(village: Village) -> None:
    keeper, node = village
    keeper.pull(files(node))
    with open_archive(keeper.store.path) as (found,):
        report = audit_ledger(found)
    assert (report.is_sound, report.size, report.origin) == (True, node.store.size, VILLAGE)


def test_cosignatures_that_come_later_are_kept(village: Village) -> None:
    keeper, node = village
    keeper.pull(files(node))
    signed = add_cosignature(node.checkpoint(), MEMBERS[0], None, int(node._clock().timestamp()))
    node.cosign(signed)
    (result,) = keeper.pull(files(node))
    assert result.outcome == "same"
    log = keeper.log()
    assert log.note() == node.checkpoint()


def test_the_whole_subtree_comes_by_the_child(tmp_path: Path) -> None:
    below = ledger()
    township = ledger(TOWNSHIP, keys=NEW_KEYS, tier="township")
    other = ledger("other.example/huzhu")
    keeper = Keeper(tmp_path, township, tier="township")
    assert keeper.outcomes(files(township, below, other), TOWNSHIP) == [(TOWNSHIP, "new")]
    admit(township, below)
    assert keeper.outcomes(files(township, below, other), TOWNSHIP) == [(TOWNSHIP, "new"), (VILLAGE, "new")]
    assert_mirrored(keeper, below)
    assert_mirrored(keeper, township)
    assert keeper.log().row[:4] == (VILLAGE, TOWNSHIP, "village", keeper.log().vkey)
    older = copy(below)
    grow(below)
    assert keeper.outcomes(files(township, below), TOWNSHIP) == [(TOWNSHIP, "same"), (VILLAGE, "new")]
    assert keeper.outcomes(files(township, older), TOWNSHIP) == [(TOWNSHIP, "same"), (VILLAGE, "older")]
    assert keeper.codes() == []
    keeper.store.close()


def test_a_ledger_that_belongs_to_another_is_not_taken_over(tmp_path: Path) -> None:
    below, township = ledger(), ledger(TOWNSHIP, keys=NEW_KEYS, tier="township")
    keeper = Keeper(tmp_path, township, below)
    keeper.pull(files(below))
    admit(township, ledger(VILLAGE, keys=NEW_KEYS))
    assert keeper.outcomes(files(township, below), TOWNSHIP) == [(TOWNSHIP, "new"), (VILLAGE, "lies")]
    assert keeper.codes() == ["claimed-twice"]
    assert_mirrored(keeper, below)
    keeper.store.close()


def test_who_is_not_admitted_is_not_asked(village: Village) -> None:
    keeper, node = village
    asked: list[str] = []
    (result,) = keeper.pull(files(node), "other.example/huzhu", asked)
    assert (result.outcome, asked) == ("unadmitted", [])


def test_after_a_rotation_the_new_key_counts_too(village: Village) -> None:
    keeper, node = village
    keeper.pull(files(node))
    rotated = rotate(node)
    assert keeper.outcomes(files(rotated)) == [(VILLAGE, "new")]
    grow(rotated)
    assert keeper.outcomes(files(rotated)) == [(VILLAGE, "new")]
    assert_mirrored(keeper, rotated)


def rotate(node: Node) -> Node:
    """The node with other keys."""
    first, second = MEMBERS[:2]
    body = NodeRotate(key=NEW_KEYS.signing.public)
    accepted(node.write(first, [second, NEW_KEYS.signing], [body]))
    rotated = copy(node, keys=NEW_KEYS)
    rotated.seal()
    return rotated


def test_a_readmitted_ledger_is_audited_anew_under_its_new_key(village: Village) -> None:
    keeper, node = village
    keeper.pull(files(node))
    rotated = rotate(node)
    keeper.admitted[VILLAGE] = (format_vkey(rotated.vkey), "village")
    assert keeper.outcomes(files(rotated)) == [(VILLAGE, "new")]
    assert_mirrored(keeper, rotated)


# Lies


def test_a_rollback_is_caught_kept_and_held(village: Village) -> None:
    keeper, node = village
    older = copy(node)
    grow(node)
    keeper.pull(files(node))
    (result,) = keeper.pull(files(older))
    assert (result.outcome, result.is_new_alarm) == ("rolled-back", True)
    (alarm,) = keeper.store.alarms()
    assert alarm.code == "rolled-back"
    evidence = Path(alarm.evidence).read_bytes()
    fork = parse_fork(evidence)
    assert (fork.earlier, fork.later) == (node.checkpoint(), older.checkpoint())
    assert check_fork(fork, [node.vkey]).outcome == "rollback"
    assert Path(alarm.evidence).stat().st_mode & 0o777 == 0o600
    (again,) = keeper.pull(files(older))
    assert (again.outcome, again.is_new_alarm) == ("rolled-back", False)
    grow(node)
    assert keeper.outcomes(files(node)) == [(VILLAGE, "held")]
    keeper.log().release()
    assert keeper.outcomes(files(node)) == [(VILLAGE, "new")]
    assert_mirrored(keeper, node)
    assert keeper.codes() == ["rolled-back"]


def test_who_went_on_from_an_old_disk_has_forked(village: Village) -> None:
    keeper, node = village
    restored = copy(node)
    grow(node, 2)
    keeper.pull(files(node))
    grow(restored, 3, minutes=7)
    (result,) = keeper.pull(files(restored))
    assert (result.outcome, result.is_new_alarm, result.size) == ("forked", True, node.store.size)
    assert keeper.codes() == ["forked"]
    asked: list[str] = []
    assert [each.outcome for each in keeper.pull(files(restored), asked=asked)] == ["held"]
    assert asked == ["origins"]
    log = keeper.log()
    log.release()
    assert keeper.outcomes(files(restored)) == [(VILLAGE, "forked")]
    log.release()
    assert keeper.outcomes(files(node)) == [(VILLAGE, "same")]


@pytest.mark.parametrize(("ours", "theirs"), [(1, 1), (300, 2), (2, 300), (600, 599)])
def test_a_fork_of_any_size_is_proven(village: Village, ours: int, theirs: int) -> None:
    keeper, node = village
    other = copy(node)
    grow(node, ours)
    grow(other, theirs, minutes=2)
    keeper.pull(files(node))
    (result,) = keeper.pull(files(other))
    assert result.outcome == "forked"
    (alarm,) = keeper.store.alarms()
    verdict = check_fork(parse_fork(Path(alarm.evidence).read_bytes()), [node.vkey])
    assert (verdict.outcome, verdict.earlier.size, verdict.later.size) == ("fork", node.store.size, other.store.size)


def test_a_fork_between_what_was_promised_and_what_comes_is_caught(village: Village) -> None:
    """The checkpoint that was seen is never forgotten, though not all of its entries could be had."""
    keeper, node = village
    other = copy(node)
    grow(node, 600)
    last = format_entries_path(Bundle(1))
    assert keeper.outcomes(lying(files(node), {last: ConnectionError()})) == [(VILLAGE, "unreachable")]
    log = keeper.log()
    assert (log.size, log.staged) == (0, 256)
    grow(other, 700, minutes=2)
    assert keeper.outcomes(files(other)) == [(VILLAGE, "forked")]


def test_another_key_is_not_believed(village: Village) -> None:
    keeper, node = village
    stranger = ledger(keys=NEW_KEYS)
    grow(stranger, 300)
    assert keeper.outcomes(files(stranger)) == [(VILLAGE, "lies")]
    log = keeper.log()
    assert (log.size, log.staged, keeper.codes()) == (0, 0, ["bad-key"])
    keeper.pull(files(node))
    assert keeper.outcomes(files(stranger)) == [(VILLAGE, "lies")]
    assert_mirrored(keeper, node)


def flipped(raw: bytes) -> bytes:
    middle = len(raw) // 2
    return raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :]


Lies = dict[str, bytes | Exception | Callable[[bytes], bytes]]
LIES: dict[str, tuple[Lies, str | None]] = {
    "a changed entry": ({"tile/entries/000": flipped}, "bad-files"),
    "a bundle cut off": ({"tile/entries/000": lambda raw: raw[:-1]}, "bad-files"),
    "an entry too many": (
        {"tile/entries/000": lambda raw: format_bundle([*parse_bundle(raw)[:255], b"x", b"y"][:256])},
        "bad-files",
    ),
    "an entry too few": ({"tile/entries/000": lambda raw: format_bundle(parse_bundle(raw)[:-1])}, "bad-files"),
    "an empty bundle": ({"tile/entries/000": b""}, "bad-files"),
    "a partial bundle too short": (
        {"tile/entries/001.p/44": lambda raw: format_bundle(parse_bundle(raw)[:-1])},
        "bad-files",
    ),
    "a changed tile": ({"tile/0/001.p/44": flipped}, "bad-files"),
    "a tile of another length": ({"tile/1/000.p/1": lambda raw: raw + raw}, "bad-files"),
    "no checkpoint": ({"/checkpoint": b"hello\n"}, "bad-checkpoint"),
    "an empty checkpoint": ({"/checkpoint": b""}, "bad-checkpoint"),
    "a broken signature": ({"/checkpoint": lambda raw: raw[:-9] + b"AAAAAA==\n"}, None),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_changes_nothing_and_is_named(name: str, tmp_path: Path) -> None:
    node = ledger()
    grow(node, 300 - node.store.size - 1)
    assert node.store.size == 300
    keeper = Keeper(tmp_path, node)
    lies, code = LIES[name]
    (result,) = keeper.pull(lying(files(node), lies))
    assert result.outcome == "lies"
    assert result.is_new_alarm
    if code is not None:
        assert keeper.codes() == [code]
    (alarm,) = keeper.store.alarms()
    assert Path(alarm.evidence).exists() or lies.get("/checkpoint") == b""
    assert keeper.log().size == 0
    assert keeper.outcomes(files(node)) == [(VILLAGE, "new")]
    assert_mirrored(keeper, node)
    keeper.store.close()


def test_the_checkpoint_of_another_ledger(village: Village) -> None:
    keeper, node = village
    other = ledger("other.example/huzhu")
    assert keeper.outcomes(lying(files(node), {"/checkpoint": other.checkpoint()})) == [(VILLAGE, "lies")]
    assert keeper.codes() == ["bad-checkpoint"]


def test_another_root_under_the_right_key(village: Village) -> None:
    """The node itself signs a root that no files lead to."""
    keeper, node = village
    for size in (node.store.size, 2**40, 2**53 - 1):
        note = format_note(sign_checkpoint(Checkpoint(VILLAGE, size, bytes(32)), KEYS.signing))
        assert keeper.outcomes(lying(files(node), {"/checkpoint": note}))[0][1] in ("lies", "unreachable", "forked")
    log = keeper.log()
    assert (log.size, log.staged) == (0, 0)


@pytest.mark.parametrize(
    "raw", [b"", b"village.example/huzhu", b"\xff\n", b"Not an origin\n", b"other.example/huzhu\n", b"a\n" * 100_001]
)
def test_a_site_that_does_not_say_what_it_serves(village: Village, raw: bytes) -> None:
    keeper, node = village
    (result,) = keeper.pull(lying(files(node), {"origins": raw}))
    assert result.outcome == "unreachable"
    assert keeper.store.rows()[0].trouble == result.detail


@pytest.mark.parametrize("end", ["/checkpoint", "tile/entries/000", "tile/0/001.p/44", "origins"])
@pytest.mark.parametrize("error", [ConnectionError(), FileNotFoundError()])
def test_what_cannot_be_had_is_trouble_and_no_alarm(tmp_path: Path, end: str, error: Exception) -> None:
    node = ledger()
    grow(node, 300 - node.store.size - 1)
    keeper = Keeper(tmp_path, node)
    (result,) = keeper.pull(lying(files(node), {end: error}))
    assert result.outcome == "unreachable"
    assert keeper.codes() == []
    assert keeper.store.rows()[0].trouble
    assert keeper.outcomes(files(node)) == [(VILLAGE, "new")]
    assert keeper.store.rows()[0].trouble == ""
    keeper.store.close()


def test_an_endless_answer_is_cut_off(village: Village) -> None:
    keeper, node = village
    for end, most in (("/checkpoint", 600_000), ("tile/entries/000.p/16", 17 * 2**20)):
        (result,) = keeper.pull(lying(files(node), {end: bytes(most)}))
        assert result.outcome == "unreachable"
    assert keeper.log().staged == 0


@pytest.mark.parametrize("end", ["origins", "/checkpoint", "tile/0/001.p/44", "tile/entries/000"])
def test_a_child_that_never_answers_is_left(tmp_path: Path, end: str) -> None:
    node = ledger()
    grow(node, 300 - node.store.size - 1)
    keeper, over = Keeper(tmp_path, node), threading.Event()

    def hang(raw: bytes) -> bytes:
        over.wait()
        return raw

    honest, ender = files(node), threading.Timer(0.6, over.set)
    ender.start()
    (result,) = keeper.pull(lying(honest, {end: hang}), patience=0.3)
    assert result.outcome == "unreachable"
    assert "did not answer in full within" in result.detail
    ender.join()
    assert keeper.outcomes(honest) == [(VILLAGE, "new")]
    keeper.store.close()


def test_a_break_loses_no_bundle_that_came(tmp_path: Path) -> None:
    node = ledger()
    grow(node, 1_500)
    keeper = Keeper(tmp_path, node)
    for number in (2, 4):
        broken = lying(files(node), {format_entries_path(Bundle(number)): ConnectionError()})
        assert keeper.outcomes(broken) == [(VILLAGE, "unreachable")]
        assert keeper.log().staged == number * 256
        assert keeper.log().size == 0
    asked: list[str] = []
    keeper.pull(files(node), asked=asked)
    assert not any(path.endswith(("entries/000", "entries/001", "entries/003")) for path in asked)
    assert_mirrored(keeper, node)
    keeper.store.close()


def test_findings_are_kept_counted_and_told(tmp_path: Path) -> None:
    """Its node seals what the rules refuse: it is mirrored, changes nothing, and is an alarm."""
    forge = Forge(village_ledger().entries, node_key=NEW_NODE_KEY)
    forge.seal()
    forge.write_void(STRANGER, (), Donate(giver=ALICE, minutes=1))
    forge.seal()
    forge.checkpoint()
    shelf = Shelf(memory_store(forge.ledger()))
    keeper = Keeper(tmp_path)
    keeper.admitted[VILLAGE] = (format_vkey(VKEY), "village")
    (result,) = keeper.pull(files(shelf))
    assert (result.outcome, result.is_new_alarm) == ("new", True)
    log = keeper.log()
    assert (log.size, log.state, log.row.findings, keeper.codes()) == (forge.size, "findings", 1, ["findings"])
    rows = keeper.store._run("SELECT number, balance FROM account ORDER BY position").fetchall()
    assert rows == [(each.number, each.balance) for each in forge.state.accounts.values()]
    assert [each.outcome for each in keeper.pull(files(shelf))] == ["same"]
    forge.seal()
    forge.checkpoint()
    (again,) = keeper.pull(files(Shelf(memory_store(forge.ledger()))))
    assert (again.outcome, again.is_new_alarm, keeper.log().state) == ("new", False, "findings")
    keeper.store.close()


# Bounds


def test_a_ledger_that_is_too_large_is_stopped(tmp_path: Path) -> None:
    node = ledger()
    grow(node, 1_500)
    keeper = Keeper(tmp_path, node, bounds=Bounds(step_entries=256, ledger_bytes_max=500_000))
    (result,) = keeper.pull(files(node))
    assert (result.outcome, result.is_new_alarm, keeper.codes()) == ("full", True, ["too-large"])
    log = keeper.log()
    assert (log.size, log.byte_count < 800_000) == (0, True)
    assert 0 < log.staged < 1_500
    keeper.bounds = None
    assert keeper.outcomes(files(node)) == [(VILLAGE, "new")]
    assert_mirrored(keeper, node)
    keeper.store.close()


def test_a_full_disk_stops_before_it_is_full(village: Village) -> None:
    keeper, node = village
    keeper.free = 1_000_000
    (result,) = keeper.pull(files(node))
    assert (result.outcome, keeper.codes()) == ("full", ["disk-low"])
    keeper.free = 10**12
    assert keeper.outcomes(files(node)) == [(VILLAGE, "new")]


def test_a_slow_ledger_goes_on_the_next_time(tmp_path: Path) -> None:
    node = ledger()
    grow(node, 700)
    keeper = Keeper(tmp_path, node, bounds=Bounds(step_entries=256, ledger_seconds_max=0))
    outcomes = [keeper.outcomes(files(node))[0][1] for _round in range(3)]
    assert outcomes == ["more", "more", "new"]
    assert_mirrored(keeper, node)
    keeper.store.close()


# Archives


def test_an_archive_is_as_good_as_a_line(tmp_path: Path) -> None:
    below = ledger()
    township = ledger(TOWNSHIP, keys=NEW_KEYS, tier="township")
    admit(township, below)
    grow(below, 900)
    (tmp_path / "first").mkdir()
    first = Keeper(tmp_path / "first", township, tier="township")
    first.pull(files(township, below), TOWNSHIP)
    first.store.close()
    second = Keeper(tmp_path, township, tier="township")
    with open_archive(tmp_path / "first" / "mirror.db") as ledgers:
        assert {(each.origin, each.outcome) for each in second.mirror().receive(ledgers)} == {
            (TOWNSHIP, "new"),
            (VILLAGE, "new"),
        }
    assert_mirrored(second, below)
    newest = copy(below)
    grow(newest, 300)
    second.pull(files(township, newest), TOWNSHIP)
    with open_archive(tmp_path / "first" / "mirror.db") as ledgers:
        assert [each.outcome for each in second.mirror().receive(ledgers)] == ["same", "older"]
    assert second.codes() == []
    second.store.close()


def test_a_forged_archive_is_a_fork(village: Village, tmp_path: Path) -> None:
    keeper, node = village
    other = copy(node)
    grow(node, 300)
    grow(other, 600, minutes=3)
    keeper.pull(files(node))
    (tmp_path / "other").mkdir()
    second = Keeper(tmp_path / "other", other)
    second.pull(files(other))
    second.store.close()
    with open_archive(tmp_path / "other" / "mirror.db") as ledgers:
        assert [each.outcome for each in keeper.mirror().receive(ledgers)] == ["forked"]
    assert keeper.codes() == ["forked"]


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ("DELETE FROM entry WHERE idx=7", "unreachable"),
        ("UPDATE entry SET bytes='text' WHERE idx=7", "unreachable"),
        ("UPDATE entry SET bytes=x'00' WHERE idx=7", "lies"),
        ("DELETE FROM entry WHERE idx>5", "unreachable"),
        ("DELETE FROM checkpoint", "unreachable"),
        ("UPDATE checkpoint SET note=x'00'", "lies"),
        ("UPDATE checkpoint SET note='text'", "unreachable"),
    ],
)
def test_a_mangled_archive_changes_nothing(village: Village, tmp_path: Path, change: str, outcome: str) -> None:
    keeper, node = village
    path = tmp_path / "stick.db"
    source = MemorySource(VILLAGE, list(node.store.entries(0, node.store.size)), list(node.store.checkpoints()))
    write_archive(path, [source])
    whole = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(change)
        connection.commit()
    with open_archive(path) as ledgers:
        assert [each.outcome for each in keeper.mirror().receive(ledgers)] == [outcome]
    assert keeper.log().size == 0
    path.write_bytes(whole)
    with open_archive(path) as ledgers:
        assert [each.outcome for each in keeper.mirror().receive(ledgers)] == ["new"]
    assert_mirrored(keeper, node)
