"""An audit in parts says the same as one in one go, wherever the log is cut. What is no audit at rest is refused."""

import json
import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import verify.audit
import verify.checkpoints
from chain.checkpoint import open_checkpoint
from chain.note import add_signatures, format_note
from ledger.bodies import Donate, Gift, NodeRotate
from store.archive import open_archive
from store.tiles import open_folder, write_tiles
from tests.verify.ledgers import (
    ALICE,
    BOB,
    CLERK,
    DONG,
    MEMBER1,
    MEMBER2,
    NEW_NODE_KEY,
    ORIGIN,
    QUORUM,
    STRANGER,
    TRUST,
    VKEY,
    Forge,
    Ledger,
    audit,
    flip,
    found,
    memory_store,
    policy,
    service,
    village,
    write_archive,
)
from tests.verify.test_workers import BAD, GOOD
from tests.web.desk import BEGINNING, Desk
from verify.audit import LedgerAudit, LedgerReport, Trust, thaw_audit
from verify.frozen import AuditStateError
from verify.kept import parse_kept
from verify.resume import audit_on
from verify.source import MemorySource, SourceError
from verify.ties import Ties

LEDGER = village()
SAMPLE = Path(__file__).resolve().parent.parent / "data" / "liuduhe"


def forged() -> Ledger:
    """Somebody who holds all the keys: entries that the rules refuse, under good signatures, seals and checkpoints."""
    forge = Forge(LEDGER.entries, NEW_NODE_KEY)
    for _ in range(6):
        forge.write_void(CLERK, [MEMBER1], Donate(giver=BOB, minutes=10**9), Gift(giver=BOB, minutes=3, to=ALICE))
        forge.write_void(STRANGER, [], Donate(giver=BOB, minutes=1))
        forge.write(CLERK, [MEMBER1], Donate(giver=DONG, minutes=1))
        forge.write_void(CLERK, [MEMBER1], service(ALICE, BOB, 600, forge.now))
        forge.seal()
        forge.checkpoint()
    return forge.ledger(LEDGER.checkpoints)


LEDGERS = {"village": LEDGER, "good": GOOD, "bad": BAD, "forged": forged()}


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify.audit, "CHUNK_ENTRIES", 7)
    monkeypatch.setattr(verify.checkpoints, "BATCH_CHECKPOINTS", 3)


def in_parts(ledger: Ledger, cuts: list[int], trust: Trust = TRUST) -> tuple[LedgerReport, Ties, list[int]]:
    """The report and the ties of an audit that stops at each cut, and where it went on."""
    raw, starts = b"", []
    for size in (*cuts, len(ledger.entries)):
        cut = ledger.cut(size) if size < len(ledger.entries) else ledger
        run = thaw_audit(raw, ledger.origin, trust) if raw else LedgerAudit(ledger.origin, trust, keeps=True)
        run.keeps = True
        starts.append(run.size)
        run.take(cut.source())
        report = run.report()
        raw = run.freeze()
        assert run.report() == report, "a report disturbs nothing"
    return report, run.ties(), starts


def in_one_go(ledger: Ledger, trust: Trust = TRUST) -> tuple[LedgerReport, Ties]:
    run = LedgerAudit(ledger.origin, trust)
    run.take(ledger.source())
    return run.report(), run.ties()


@pytest.mark.parametrize("name", LEDGERS)
def test_cut_anywhere(name: str) -> None:
    ledger = LEDGERS[name]
    expected = in_one_go(ledger)
    assert expected[0] == audit(ledger)
    went_on = set()
    for cut in range(0, len(ledger.entries) + 1, 1 if name == "village" else 3):
        report, ties, starts = in_parts(ledger, [cut])
        assert (report, ties) == expected, cut
        went_on.add(starts[-1])
    assert went_on >= ({0, *ledger.sizes} if name == "village" else {0}), "it went on from every checkpoint"
    assert len(went_on) > (1 if name == "bad" else 4)


@pytest.mark.parametrize("name", LEDGERS)
def test_cut_twice_and_more(name: str) -> None:
    ledger = LEDGERS[name]
    expected = in_one_go(ledger)
    chance = random.Random(name)
    for count in (2, 2, 2, 2, 3, 5):
        cuts = sorted(chance.choices(range(len(ledger.entries) + 1), k=count))
        assert in_parts(ledger, cuts)[:2] == expected, cuts


def test_the_forged_ledger_is_cut_after_findings() -> None:
    _report, _ties, starts = in_parts(LEDGERS["forged"], [len(LEDGERS["forged"].entries) - 3])
    assert starts[-1] > len(LEDGER.entries)
    assert audit(LEDGERS["forged"]).finding_counts["rule.no-balance"] == 6


def test_one_audit_goes_on_from_checkpoint_to_checkpoint() -> None:
    """As a mirror does, which takes nothing that no checkpoint covers."""
    ledger = LEDGERS["forged"]
    whole, run = Ledger(ledger.entries[: ledger.sizes[-1]], ledger.checkpoints), LedgerAudit(ORIGIN, TRUST)
    with ThreadPoolExecutor(2) as executor:
        for size in whole.sizes:
            run.take(whole.cut(size).source(), executor, 2)
            assert run.report() == audit(whole.cut(size))
            thawed = thaw_audit(run.freeze(), ORIGIN, TRUST)
            assert thawed.report() == run.report() and thawed.freeze() == run.freeze()
    assert run.report() == audit(whole) and run.ties() == in_one_go(whole)[1]


def test_it_goes_on_from_its_newest_checkpoint_alone() -> None:
    run = LedgerAudit(ORIGIN, TRUST)
    run.take(LEDGER.source())
    assert run.freeze() == b"", "entries follow the checkpoint, and nobody asked to keep the audit there"
    with pytest.raises(ValueError, match="newest checkpoint"):
        run.take(LEDGER.source())
    with pytest.raises(ValueError, match="same ledger"):
        LedgerAudit("other.example/huzhu").take(LEDGER.source())


def test_the_newest_checkpoint_is_read_again() -> None:
    """Whoever cosigns later is seen, and so is a bad line; without its row the note is remembered."""
    plain = [*LEDGER.checkpoints[:-1], (LEDGER.sizes[-1], only_node(LEDGER.checkpoints[-1][1]))]
    early = LedgerAudit(ORIGIN, TRUST, keeps=True)
    early.take(LEDGER.with_checkpoints(plain).source())
    assert found(early.report()) == [("quorum.unmet", LEDGER.sizes[-1] - 1)]
    raw = early.freeze()
    newest = LEDGER.checkpoints[-1][1]
    for ledger in (LEDGER, LEDGER.with_note(len(LEDGER.sizes) - 1, flip(newest, len(newest) - 8, 2))):
        later = thaw_audit(raw, ORIGIN, TRUST)
        later.take(ledger.source())
        assert later.report() == audit(ledger)
    later = thaw_audit(raw, ORIGIN, TRUST)
    later.take(LEDGER.with_checkpoints(()).source())
    assert later.report() == early.report()


def only_node(note: bytes) -> bytes:
    """The note with the node's own lines alone."""
    _checkpoint, opened = open_checkpoint(note)
    lines = [line for line in opened.signatures if line.name == ORIGIN]
    return format_note(add_signatures(type(opened)(opened.text, tuple(lines[:1])), *lines[1:]))


def test_a_later_key_of_the_node_signs_for_nothing_older() -> None:
    """The held checkpoint is judged by the keys of its own size, though entries behind it bring in others."""
    forge = Forge(LEDGER.entries[: LEDGER.at("node_rotate")])
    forge.seal()
    forge.checkpoint()
    forge.write(MEMBER1, [MEMBER2, NEW_NODE_KEY], NodeRotate(key=NEW_NODE_KEY.public))
    ledger = forge.ledger(LEDGER.checkpoints[:3])
    assert found(audit(ledger, Trust())) == []
    assert in_parts(ledger, [len(ledger.entries) - 1], Trust())[0] == audit(ledger, Trust())


def test_no_checkpoint_that_agrees_leaves_nothing_to_go_on_from() -> None:
    for ledger in (
        LEDGER.with_checkpoints(()),
        LEDGER.with_note(len(LEDGER.sizes) - 1, b"no note"),
        LEDGER.with_entry(20, flip(LEDGER.entries[20], 30)),
        LEDGER.with_checkpoints([*LEDGER.checkpoints, (999, LEDGER.checkpoints[-1][1])]),
        Ledger((), ()),
    ):
        run = LedgerAudit(ORIGIN, TRUST, keeps=True)
        run.take(ledger.source())
        assert run.freeze() == b""


def test_archives_and_tiles_are_read_from_any_entry(tmp_path: Path) -> None:
    cut = LEDGER.cut(LEDGER.sizes[3])
    run = LedgerAudit(ORIGIN, TRUST)
    run.take(cut.source())
    raw = run.freeze()
    with open_archive(write_archive(tmp_path / "ledger.db", LEDGER)) as (ledger,):
        for start in range(len(LEDGER.entries) + 2):
            assert [index for index, _ in ledger.rows(start)] == list(range(start, len(LEDGER.entries)))
            assert [size for size, _ in ledger.checkpoints(start)] == [size for size in LEDGER.sizes if size >= start]
            assert list(LEDGER.source().rows(start)) == list(ledger.rows(start))
        later = thaw_audit(raw, ORIGIN, TRUST)
        later.take(ledger)
        assert later.report() == audit(LEDGER)
    write_tiles(memory_store(LEDGER), tmp_path / "tiles")
    (tiles,) = open_folder(tmp_path / "tiles")
    for start in range(tiles.size() + 2):
        assert [index for index, _ in tiles.rows(start)] == list(range(start, tiles.size()))
    later = thaw_audit(raw, ORIGIN, TRUST)
    later.take(tiles)
    assert later.report() == audit(LEDGER.cut(tiles.size()))


def test_an_earlier_entry_that_has_changed_is_noticed_when_it_is_read_again() -> None:
    """Rules read earlier entries: a dispute its service. Its hash is remembered."""
    dispute = LEDGER.at("dispute")
    size = max(size for size in LEDGER.sizes if size <= dispute)
    run = LedgerAudit(ORIGIN, TRUST)
    run.take(LEDGER.cut(size).source())
    bad = LEDGER.with_entry(LEDGER.at("service"), LEDGER.entries[3])
    with pytest.raises(SourceError, match="was not the same"):
        thaw_audit(run.freeze(), ORIGIN, TRUST).take(bad.source())


def test_what_is_no_audit_at_rest_is_refused() -> None:
    run = LedgerAudit(ORIGIN, TRUST, keeps=True)
    run.take(LEDGER.source())
    raw = run.freeze()
    assert thaw_audit(raw, ORIGIN, TRUST).size == LEDGER.sizes[-1]
    for bad, why in (
        (b"", "another version"),
        (raw.replace(b"/v2\n", b"/v0\n", 1), "another version"),
        (flip(raw, 20), "newest checkpoint"),
        (raw[:-1], "damaged"),
        (flip(raw, len(raw) // 2), "damaged"),
        (raw + b"x", "damaged"),
    ):
        with pytest.raises(AuditStateError, match=why):
            thaw_audit(bad, ORIGIN, TRUST)
    with pytest.raises(AuditStateError, match="of the ledger village"):
        thaw_audit(raw, "other.example/huzhu", TRUST)
    with pytest.raises(AuditStateError, match="other pinned keys"):
        thaw_audit(raw, ORIGIN, Trust(policy(VKEY)))
    kept = parse_kept(LEDGER.checkpoints[0][1], "kept")
    with pytest.raises(AuditStateError, match="from the first entry"):
        thaw_audit(raw, ORIGIN, Trust(QUORUM, (kept,)))


@pytest.fixture(scope="module")
def liuduhe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """The sample village with all its suspicions."""
    desk = Desk(tmp_path_factory.mktemp("liuduhe"))
    for name in ("people.csv", "day-sheets.csv"):
        shutil.copy(SAMPLE / name, desk.folder)
    desk.init(parameters=json.loads((SAMPLE / "params.json").read_text("utf-8")))
    desk.json("person", "import", desk.folder / "people.csv", "--at", BEGINNING)
    desk.json("import", desk.folder / "day-sheets.csv", "--seal-by", "date", "--at", "date", status=1)
    with open_archive(desk.home / "ledger.db") as (ledger,):
        yield Ledger(tuple(raw or b"" for _, raw in ledger.rows()), tuple(ledger.checkpoints()), ledger.origin)


def test_suspicions_are_the_same(liuduhe: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify.audit, "CHUNK_ENTRIES", 2_048)
    expected = in_one_go(liuduhe, Trust())
    assert expected[0].suspicion_counts.keys() == {"night", "overlap", "reciprocal"}
    chance = random.Random(4)
    for _ in range(4):
        cuts = sorted(chance.choices(range(len(liuduhe.entries)), k=2))
        report, ties, starts = in_parts(liuduhe, cuts, Trust())
        assert (report, ties) == expected and starts[-1] > 0, cuts
    cuts = liuduhe.sizes[::8]
    assert in_parts(liuduhe, cuts, Trust())[:2] == expected


def test_a_log_that_hides_its_newest_checkpoint_is_read_from_the_first_entry() -> None:
    """What was vouched for then is not vouched for by what is shown now: the report says what a whole audit says."""
    early = audit_on(LEDGER.source(), b"", TRUST)
    for checkpoints in (LEDGER.checkpoints[:-1], (), ((LEDGER.sizes[-1], b"junk"),)):
        source = MemorySource(ORIGIN, LEDGER.entries, checkpoints)
        later, whole = audit_on(source, early.frozen, TRUST), audit_on(source, b"", TRUST)
        assert later.start == 0 and later.audited.report == whole.audited.report
        assert "not show the checkpoint" in later.why and later.frozen == early.frozen
    assert audit_on(LEDGER.source(), early.frozen, TRUST).start == LEDGER.sizes[-1]


def test_a_source_is_a_memory_source() -> None:
    """``rows`` and ``checkpoints`` of the smallest source."""
    source = MemorySource(ORIGIN, [b"a", None, b"c"], [(1, b"x"), (3, b"y")])
    assert list(source.rows(1)) == [(1, None), (2, b"c")]
    assert list(source.checkpoints(2)) == [(3, b"y")]


@pytest.mark.parametrize("name", LEDGERS)
def test_an_audit_that_can_go_on_says_the_same(name: str) -> None:
    ledger = LEDGERS[name]
    expected = in_one_go(ledger)
    starts = set()
    for cut in range(0, len(ledger.entries), 7):
        early = audit_on(ledger.cut(cut).source(), b"", TRUST)
        assert early.start == 0 and early.why == ""
        later = audit_on(ledger.source(), early.frozen, TRUST)
        assert (later.audited.report, later.audited.ties) == expected
        assert later.start == max([0, *(size for size in ledger.sizes if size <= cut)]) or later.start == 0
        starts.add(later.start)
    assert len(starts) > (0 if name == "bad" else 4)


def forked() -> Ledger:
    """Another history from the fourth checkpoint on."""
    forge = Forge(LEDGER.cut(LEDGER.sizes[2]).entries)
    for _ in range(5):
        forge.write(CLERK, [MEMBER1], Donate(giver=DONG, minutes=1))
        forge.seal()
        forge.checkpoint()
    return forge.ledger(LEDGER.checkpoints[:3])


def test_a_log_that_was_rewritten_or_cut_back_since() -> None:
    """All is read, the old checkpoint convicts it, and does so until the audit begins anew."""
    raw = audit_on(LEDGER.source(), b"", Trust()).frozen
    for other, code in ((forked(), "log.rollback"), (LEDGER.cut(LEDGER.sizes[-2]), "log.rollback")):
        assert found(audit(other, Trust())) == []
        for _ in range(2):
            again = audit_on(other.source(), raw, Trust())
            codes = [finding.code for finding in again.audited.report.findings]
            assert codes in ([code], [code, "checkpoint.signature"]), "it never had the newer key, either"
            assert again.start == 0 and "does not go on" in again.why
            assert again.frozen == raw
    raw = audit_on(LEDGER.cut(LEDGER.sizes[3]).source(), b"", Trust()).frozen
    longer = forked()
    assert LEDGER.sizes[3] in range(longer.sizes[2], len(longer.entries))
    assert "log.fork" in audit_on(longer.source(), raw, Trust()).audited.report.finding_counts


def test_an_old_entry_that_changed_is_seen_from_the_first_entry_on_alone() -> None:
    raw = audit_on(LEDGER.source(), b"", Trust()).frozen
    bad = LEDGER.with_entry(1, flip(LEDGER.entries[1], 30))
    assert audit_on(bad.source(), raw, Trust()).audited.report.is_sound
    assert not audit_on(bad.source(), b"", Trust()).audited.report.is_sound


def test_a_state_that_cannot_be_used_says_why() -> None:
    raw = audit_on(LEDGER.source(), b"", Trust()).frozen
    for state, trust, why in ((raw[:-1], Trust(), "damaged"), (b"x", Trust(), "version"), (raw, TRUST, "pinned keys")):
        again = audit_on(LEDGER.source(), state, trust)
        assert why in again.why and again.start == 0 and again.frozen
        assert again.audited.report == audit(LEDGER, trust)
    kept = Trust(kept=(parse_kept(LEDGER.checkpoints[0][1], "kept"),))
    again = audit_on(LEDGER.source(), raw, kept)
    assert "from the first entry" in again.why and again.frozen == b"" and again.audited.report.is_sound
