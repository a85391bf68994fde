"""Ledgers that come through other hands: what these can add, keep back or admit harms nobody but themselves."""

from collections.abc import Callable
from pathlib import Path

import pytest

import verify.frozen
from chain.checkpoint import open_checkpoint
from chain.cosignature import cosign_ed25519, member_name
from chain.fork import parse_fork
from chain.keys import SigningKey
from chain.note import COSIGNATURE_ED25519, Note, NoteSignature, format_note, format_vkey, make_vkey
from chain.policy import NO_QUORUM, Policy
from ledger.bodies import OrgAdmit, OrgRetire
from node import Node
from store.archive import open_archive
from store.mirror import MirrorSource
from store.sqlite import write_archive
from sync.kept import Bounds
from sync.lines import STRANGERS_MAX, true_lines
from tests.store.village import MEMBERS, accepted
from tests.sync.logs import NEW_KEYS, TOWNSHIP, VILLAGE, Answer, Keeper, admit, copy, files, grow, ledger, lying
from verify.audit import audit_ledger
from verify.receipts import check_receipt
from verify.source import MemorySource
from web.cosigning import add_cosignature

Tier = tuple[Keeper, Node, Node]


@pytest.fixture
def tier(tmp_path: Path) -> Tier:
    """A township that serves its village."""
    below, town = ledger(), ledger(TOWNSHIP, keys=NEW_KEYS, tier="township")
    admit(town, below)
    return Keeper(tmp_path, town, tier="township"), town, below


def with_lines(*lines: NoteSignature) -> Callable[[bytes], bytes]:
    def add(raw: bytes) -> bytes:
        _checkpoint, note = open_checkpoint(raw)
        return format_note(Note(note.text, (*note.signatures, *lines)[:64]))

    return add


def relayed(town: Node, below: Node, *lines: NoteSignature) -> Answer:
    return lying(files(town, below), {f"{VILLAGE}/checkpoint": with_lines(*lines)})


def village_outcome(keeper: Keeper, answer: Answer) -> str:
    return dict(keeper.outcomes(answer, TOWNSHIP))[VILLAGE]


def member_line(_node: Node) -> NoteSignature:
    vkey = make_vkey(member_name(VILLAGE, MEMBERS[0].id), COSIGNATURE_ED25519, MEMBERS[0].public)
    return NoteSignature(vkey.name, vkey.hash, bytes(72))


def node_line(node: Node) -> NoteSignature:
    return NoteSignature(VILLAGE, node.vkey.hash, bytes(64))


def foreign_member_line(_node: Node) -> NoteSignature:
    return NoteSignature(f"{VILLAGE}/member/0000", b"1234", bytes(72))


@pytest.mark.parametrize("line", [member_line, node_line, foreign_member_line])
def test_a_false_line_by_a_known_key_is_dropped(tier: Tier, line: Callable[[Node], NoteSignature]) -> None:
    keeper, town, below = tier
    lying_relay = relayed(town, below, line(below))
    for outcome in ("new", "same", "new"):
        assert village_outcome(keeper, lying_relay) == outcome
        assert keeper.log().note() == below.checkpoint()
        if outcome == "same":
            grow(below)
    assert (keeper.log().state, keeper.codes()) == ("sound", [])
    assert audit_ledger(MirrorSource(keeper.log())).is_sound
    grow(below)
    assert village_outcome(keeper, files(town, below)) == "new"
    assert (keeper.log().state, keeper.codes()) == ("sound", [])


def test_lines_of_strangers_take_nobodys_place(tier: Tier) -> None:
    keeper, town, below = tier
    junk = [NoteSignature(f"w{number}.example/x", bytes([number] * 4), bytes(72)) for number in range(63)]
    assert village_outcome(keeper, relayed(town, below, *junk)) == "new"
    below.cosign(add_cosignature(below.checkpoint(), MEMBERS[0], None, int(below._clock().timestamp())))
    assert village_outcome(keeper, files(town, below)) == "same"
    kept = keeper.log().note()
    assert kept is not None
    lines = open_checkpoint(kept)[1].signatures
    assert lines[:2] == open_checkpoint(below.checkpoint())[1].signatures
    assert len(lines) == 2 + STRANGERS_MAX


def test_a_strangers_junk_does_not_keep_out_the_true_line() -> None:
    checkpoint, note = open_checkpoint(ledger().checkpoint())
    key = SigningKey(bytes([9]) * 32)
    vkey = make_vkey("witness.example", COSIGNATURE_ED25519, key.public)
    true = cosign_ed25519(checkpoint, vkey.name, key, 1)
    junk = NoteSignature(vkey.name, vkey.hash, bytes(72))
    both = Note(note.text, (junk, true))
    assert true_lines(VILLAGE, both, []).signatures == (junk, true)
    assert true_lines(VILLAGE, both, [vkey]).signatures == (true,)
    assert true_lines(VILLAGE, Note(note.text, (true,)), [vkey], (junk,)).signatures == (true,)


def test_a_parent_that_admits_another_key_makes_no_fork(tier: Tier) -> None:
    keeper, town, below = tier
    assert village_outcome(keeper, files(town, below)) == "new"
    evil = ledger(keys=NEW_KEYS)
    grow(evil, 3)
    readmit(town, evil)
    for _round in range(2):
        assert village_outcome(keeper, files(town, evil)) == "lies"
    log = keeper.log()
    assert (log.state, log.note()) == ("sound", below.checkpoint())
    (alarm,) = keeper.store.alarms()
    assert (alarm.origin, alarm.code) == (TOWNSHIP, "readmitted")
    notes = parse_fork(Path(alarm.evidence).read_bytes())
    assert (notes.earlier, notes.later) == (below.checkpoint(), evil.checkpoint())
    readmit(town, below)
    grow(below)
    assert village_outcome(keeper, files(town, below)) == "new"
    assert audit_ledger(MirrorSource(keeper.log())).is_sound


def readmit(town: Node, below: Node) -> None:
    accepted(town.write(MEMBERS[0], MEMBERS[1:2], [OrgRetire(origin=VILLAGE, reason="x")]))
    admit(town, below)


def test_what_we_admit_with_another_key_is_told_of_the_ledger(tmp_path: Path) -> None:
    below, other = ledger(), ledger(keys=NEW_KEYS)
    keeper = Keeper(tmp_path, below)
    keeper.pull(files(below))
    grow(other)
    keeper.admitted[VILLAGE] = (format_vkey(other.vkey), "village")
    assert keeper.outcomes(files(other)) == [(VILLAGE, "lies")]
    assert [(each.origin, each.code) for each in keeper.store.alarms()] == [(VILLAGE, "readmitted")]


def test_a_ledger_that_was_forgotten_begins_anew(tmp_path: Path) -> None:
    old, new = ledger(), ledger(keys=NEW_KEYS)
    grow(new, 5)
    keeper = Keeper(tmp_path, old)
    keeper.pull(files(old))
    keeper.admitted[VILLAGE] = (format_vkey(new.vkey), "village")
    for _round in range(2):
        assert keeper.outcomes(files(new)) == [(VILLAGE, "lies")]
    (alarm,) = keeper.store.alarms()
    assert (alarm.code, alarm.times, Path(alarm.evidence).exists()) == ("readmitted", 2, True)
    keeper.log().forget()
    assert keeper.outcomes(files(new)) == [(VILLAGE, "new")]
    assert audit_ledger(MirrorSource(keeper.log())).is_sound and keeper.log().size == new.store.size
    assert keeper.store.alarms() == [alarm] and Path(alarm.evidence).exists()


def test_who_serves_junk_is_named(tier: Tier) -> None:
    keeper, town, below = tier
    assert village_outcome(keeper, lying(files(town, below), {f"{VILLAGE}/checkpoint": b"junk"})) == "lies"
    stranger = ledger(keys=NEW_KEYS)
    assert village_outcome(keeper, files(town, stranger)) == "lies"
    assert {(each.origin, each.code) for each in keeper.store.alarms()} == {
        (TOWNSHIP, "bad-checkpoint"),
        (TOWNSHIP, "bad-key"),
    }
    assert all(VILLAGE in each.detail for each in keeper.store.alarms()[-1:])


def test_a_false_archive_is_named_as_one(tmp_path: Path) -> None:
    below, stranger = ledger(), ledger(keys=NEW_KEYS)
    keeper = Keeper(tmp_path, below)
    path = tmp_path / "stick.db"
    rows = list(stranger.store.entries(0, stranger.store.size))
    write_archive(path, [MemorySource(VILLAGE, rows, list(stranger.store.checkpoints()))])
    with open_archive(path) as ledgers:
        assert [each.outcome for each in keeper.mirror().receive(ledgers)] == ["lies"]
    assert keeper.codes() == ["bad-archive"]


def test_both_parents_are_named(tmp_path: Path) -> None:
    first, second = (ledger(f"{name}.example/huzhu", keys=NEW_KEYS, tier="township") for name in "ab")
    below = ledger()
    keeper = Keeper(tmp_path, first, second, tier="township")
    for parent in (first, second):
        admit(parent, below)
        keeper.pull(files(parent, below), parent.origin)
    alarms = keeper.store.alarms()
    assert {(each.origin, each.code) for each in alarms} == {
        (first.origin, "claimed-twice"),
        (second.origin, "claimed-twice"),
    }
    assert all(first.origin in each.detail and second.origin in each.detail for each in alarms)
    for alarm in alarms:
        node = {each.origin: each for each in (first, second)}[alarm.origin]
        policy = Policy(logs=(node.vkey,), witnesses=(), groups=(), quorum=NO_QUORUM)
        proven = check_receipt(Path(alarm.evidence).read_bytes(), policy)
        admission = OrgAdmit(origin=VILLAGE, tier="village", vkey=format_vkey(below.vkey))
        assert (alarm.origin, proven.checkpoint.origin, proven.entry.body) == (node.origin, node.origin, admission)
    keeper.pull(files(second, below), second.origin)
    assert {(each.origin, each.times) for each in keeper.store.alarms()} == {(first.origin, 2), (second.origin, 2)}


def test_another_rollback_has_its_own_evidence(tmp_path: Path) -> None:
    node = ledger()
    old = copy(node)
    grow(node)
    keeper = Keeper(tmp_path, node)
    for _round in range(2):
        keeper.pull(files(node))
        (result,) = keeper.pull(files(old))
        assert (result.outcome, result.is_new_alarm) == ("rolled-back", True)
        keeper.log().release()
        grow(node)
    evidence = [each.evidence for each in keeper.store.alarms()]
    assert len(set(evidence)) == 2
    assert all(Path(path).exists() for path in evidence)


def test_a_child_that_has_had_its_time_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    town = ledger(TOWNSHIP, keys=NEW_KEYS, tier="township")
    origins = [f"g{number}.example/huzhu" for number in range(3)]
    vkeys = [format_vkey(make_vkey(origin, 1, NEW_KEYS.signing.public)) for origin in origins]
    bodies = [OrgAdmit(origin=origin, tier="village", vkey=vkey) for origin, vkey in zip(origins, vkeys, strict=True)]
    accepted(town.write(MEMBERS[0], MEMBERS[1:2], bodies))
    town.seal()
    honest = files(town)

    def answer(path: str) -> bytes:
        return honest(path) + "".join(f"{each}\n" for each in origins).encode() if path == "origins" else honest(path)

    keeper, seconds = Keeper(tmp_path, town, tier="township", bounds=Bounds(child_seconds_max=-1)), iter(range(1, 99))
    monkeypatch.setattr("sync.mirror.time.time", lambda: next(seconds))
    asked = []
    for _round in range(4):
        own, below, late = keeper.pull(answer, TOWNSHIP)
        assert (own.origin, below.outcome, late.outcome) == (TOWNSHIP, "unreachable", "more")
        asked.append(below.origin)
    assert asked == [*origins, origins[0]]


def test_a_state_too_large_to_keep_is_an_alarm_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = ledger()
    keeper = Keeper(tmp_path, node)
    monkeypatch.setattr(verify.frozen, "FROZEN_MAX_BYTES", 1_000)
    (result,) = keeper.pull(files(node))
    assert (result.outcome, result.is_new_alarm, keeper.codes()) == ("new", True, ["too-large"])
    grow(node)
    (again,) = keeper.pull(files(node))
    assert (again.outcome, again.is_new_alarm, keeper.log().size) == ("new", False, node.store.size)
    assert keeper.log().state == "sound"


def test_an_unsigned_checkpoint_before_what_waits_is_a_foreign_one(tmp_path: Path) -> None:
    node = ledger()
    grow(node, 600)
    keeper = Keeper(tmp_path, node)
    keeper.pull(lying(files(node), {"tile/entries/001": ConnectionError()}))
    assert keeper.log().staged == 256
    assert keeper.outcomes(files(ledger(keys=NEW_KEYS))) == [(VILLAGE, "lies")]
    assert keeper.codes() == ["bad-key"]
    assert keeper.outcomes(files(node)) == [(VILLAGE, "new")]
