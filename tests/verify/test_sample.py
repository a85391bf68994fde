"""The sample ledger is whole and its audit is clean, wherever its bytes lie."""

from pathlib import Path

import pytest

from chain.block import SEAL
from ledger.kinds import CODEC, KINDS
from store.archive import open_archive
from store.tiles import open_folder, write_tiles
from tests.verify.ledgers import (
    ALICE,
    BOB,
    MLDSA_VKEY,
    NEW_VKEY,
    ORIGIN,
    QUORUM,
    TRUST,
    VKEY,
    Forge,
    audit,
    memory_store,
    policy,
    village,
    village_node,
    write_archive,
)
from verify.audit import Trust, audit_ledger
from verify.kept import parse_kept
from verify.report import is_sound, report_object
from verify.ties import KINDS as TIES

LEDGER = village()


def test_the_sample_has_every_kind_and_every_feature() -> None:
    entries = [CODEC.parse(raw) for raw in LEDGER.entries]
    assert {entry.kind for entry in entries} == {*KINDS, SEAL} - TIES, "of one village alone"
    assert sum(entry.sheet is not None for entry in entries) > 10
    assert {len(entry.sigs) for entry in entries} == {1, 2, 3}
    assert len(LEDGER.entries) > LEDGER.sizes[-1], "pending entries"
    node = village_node()
    held = [leg.held for leg in node.legs(ALICE)]
    assert min(held) < 0 < max(held), "held credits and their release"


def test_its_audit_is_clean() -> None:
    report = audit(LEDGER)
    assert report.findings == [] and report.is_sound
    assert report.is_pinned and report.genesis_key == VKEY
    assert (report.size, report.pending, report.blocks) == (62, 2, 7)
    assert report.entries["service"] == 6 and report.entries[SEAL] == 7
    assert sum(report.entries.values()) == 62
    node = village_node()
    assert report.sealed == node.state.sealed_at
    assert report.root == node.store.hashes.frontier().root()
    minute = report.totals["minute"]
    assert minute["balance"] + minute["held"] + minute["issue"] + minute["pool"] + minute["bridge"] == 0
    assert minute["accounts"] == 5
    assert report.totals["fen"] == {"outside": -70_000, "accounts": 1, "balance": 70_000, "held": 0}


def test_without_a_trust_file_it_is_self_asserted() -> None:
    report = audit(LEDGER, Trust())
    assert report.is_sound and not report.is_pinned and report.genesis_key == VKEY


@pytest.mark.parametrize("logs", [(VKEY,), (NEW_VKEY,), (VKEY, NEW_VKEY), (VKEY, MLDSA_VKEY), (MLDSA_VKEY,)])
def test_any_key_that_the_log_has_had_may_be_pinned(logs: tuple[object, ...]) -> None:
    report = audit(LEDGER, Trust(policy(*logs)))  # type: ignore[arg-type]
    assert report.is_sound and report.is_pinned


@pytest.mark.parametrize("logs", [(VKEY,), (NEW_VKEY,), (VKEY, MLDSA_VKEY)])
def test_the_newest_checkpoint_alone_leads_from_an_old_key_to_the_key_in_force(logs: tuple[object, ...]) -> None:
    newest = LEDGER.with_checkpoints(LEDGER.checkpoints[-1:])
    kept = tuple(parse_kept(note, f"checkpoint.{size}") for size, note in LEDGER.checkpoints)
    report = audit(newest, Trust(policy(*logs), kept))  # type: ignore[arg-type]
    assert report.findings == [] and report.genesis_key == VKEY


def test_everything_that_the_node_handed_out_agrees() -> None:
    node = village_node()
    kept = [parse_kept(note, "checkpoint") for _, note in LEDGER.checkpoints]
    kept += [parse_kept(node.receipt(index), "receipt") for index in range(LEDGER.sizes[-1])]
    kept += [parse_kept(node.promise(index), "promise") for index in range(len(LEDGER.entries))]
    kept.append(parse_kept(node.balance_receipt(BOB), "balance receipt"))
    balances = {item.account: (item.balance, item.held) for item in node.balances()}
    assert audit(LEDGER, Trust(QUORUM, tuple(kept), balances)).findings == []


def test_as_an_archive(tmp_path: Path) -> None:
    with open_archive(write_archive(tmp_path / "ledger.db", LEDGER)) as ledgers:
        (ledger,) = ledgers
        assert ledger.origin == ORIGIN and ledger.size() == 62
        assert [(index, bytes(raw or b"")) for index, raw in ledger.rows()] == list(enumerate(LEDGER.entries))
        assert list(ledger.checkpoints()) == list(LEDGER.checkpoints)
        assert [ledger.entry(index) for index in range(62)] == list(LEDGER.entries)
        assert audit_ledger(ledger, TRUST) == audit(LEDGER)


def test_as_a_folder_of_tiles(tmp_path: Path) -> None:
    assert write_tiles(memory_store(LEDGER), tmp_path) == 60
    (ledger,) = open_folder(tmp_path)
    assert ledger.size() == 60
    report = audit_ledger(ledger, TRUST)
    assert report.findings == [] and (report.size, report.pending) == (60, 0)
    assert report.root == audit(LEDGER.cut(60)).root


def test_an_empty_block_and_a_block_of_one() -> None:
    forge = Forge(LEDGER.entries[:2])
    forge.seal()
    forge.seal()
    forge.checkpoint()
    report = audit(forge.ledger(LEDGER.checkpoints[:1]))
    assert report.findings == [] and report.blocks == 3


def test_the_report_as_an_object_names_what_it_found() -> None:
    good, bad = audit(LEDGER), audit(LEDGER.with_entry(5, LEDGER.entries[5].replace(b"elder", b"elden")))
    assert is_sound([good]) and not is_sound([good, bad])
    printed = report_object([good, bad], 1.5)
    assert printed["ok"] is False and printed["trusted"] is True and printed["seconds"] == 1.5
    assert [ledger["size"] for ledger in printed["ledgers"]] == [62, 62]
    assert all(set(finding) >= {"code", "origin", "detail"} for finding in printed["findings"])
    assert {"code": "entry.malformed", "index": 5}.items() <= printed["findings"][0].items()
    assert printed["counts"] == bad.finding_counts
    assert len(printed["findings"]) == len(bad.findings) == sum(bad.finding_counts.values()) - 5
    assert bad.finding_counts["seal.state"] == 6, "of differing state roots the first is listed, the others counted"
