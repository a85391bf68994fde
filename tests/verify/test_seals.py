"""Seals and checkpoints that the node signs though they are wrong (FORMAT §12, steps 2 and 6), and who vouches."""

import datetime
from collections.abc import Sequence
from typing import Any

import pytest

import verify.audit
from chain.cosignature import cosign_ed25519, cosign_mldsa44, member_name
from chain.keys import MldsaSigningKey, SigningKey
from chain.note import COSIGNATURE_MLDSA44, ED25519, NoteSignature, add_signatures, format_note, make_vkey, parse_note
from chain.policy import Group
from ledger.bodies import Donate, KeyGrant, NodeRotate
from tests.verify.ledgers import (
    BOB,
    CLERK,
    HASH,
    MEMBER1,
    MEMBER2,
    MEMBER3,
    MEMBER_VKEYS,
    MLDSA_VKEY,
    NEW_NODE_KEY,
    NEW_VKEY,
    NODE_KEY,
    NODE_MLDSA,
    ORIGIN,
    PINNED,
    QUORUM,
    STRANGER,
    VKEY,
    WITNESS,
    WITNESS_MLDSA,
    WITNESS_MLDSA_VKEY,
    WITNESS_NAME,
    WITNESS_VKEY,
    Forge,
    audit,
    cosigned,
    found,
    only,
    policy,
    village,
)
from verify.audit import LedgerReport, Trust

LEDGER = village()
CUT = 16
PIN = Trust(PINNED)
MINUTE = datetime.timedelta(minutes=1)


def forge_after_people() -> Forge:
    """The first two blocks of the sample, and an entry after them."""
    forge = Forge(LEDGER.entries[:CUT])
    forge.write(CLERK, [MEMBER1], Donate(giver=BOB, minutes=1), at=forge.now + 10 * MINUTE)
    return forge


def report_of(forge: Forge, trust: Trust = PIN) -> LedgerReport:
    return audit(forge.ledger(LEDGER.checkpoints[:2]), trust)


# Seals


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("seal.height", {"height": 1}),
        ("seal.height", {"height": 3}),
        ("seal.prev", {"prev": b""}),
        ("seal.prev", {"prev": HASH}),
        ("seal.size", {"size": CUT}),
        ("seal.size", {"size": CUT + 2}),
        ("seal.root", {"root": HASH}),
        ("seal.state", {"state": HASH}),
        ("seal.state", {"accounts": 8}),
        ("seal.state", {"accounts": 10}),
    ],
)
def test_a_seal_says_something_wrong(code: str, wrong: dict[str, Any]) -> None:
    """It closes its block all the same, and the next seal is judged against what it said."""
    forge = forge_after_people()
    place = forge.seal(**wrong)
    forge.checkpoint()
    forge.seal()
    forge.checkpoint()
    (finding,) = report_of(forge).findings
    assert (finding.code, finding.index) == (code, place)
    assert finding.height == wrong.get("height", 2)
    assert None not in (finding.expected, finding.found) and finding.expected != finding.found


def test_all_of_it_may_be_wrong_at_once() -> None:
    forge = forge_after_people()
    place = forge.seal(height=7, prev=HASH, size=1, root=HASH, state=HASH, at=forge.now - 11 * MINUTE)
    forge.checkpoint()
    expected = ["seal.height", "seal.prev", "seal.root", "seal.size", "seal.state", "seal.time"]
    report = report_of(forge)
    assert found(report) == [(code, place) for code in expected]
    assert {finding.height for finding in report.findings} == {7}


@pytest.mark.parametrize(
    ("minutes", "is_early"), [(0, False), (-1, True), (-10, True), (-11, True), (60, False)]
)
def test_a_seal_is_not_dated_before_its_block(minutes: int, is_early: bool) -> None:
    forge = forge_after_people()
    place = forge.seal(at=forge.now + minutes * MINUTE)
    forge.checkpoint()
    assert found(report_of(forge)) == ([("seal.time", place)] if is_early else [])


def test_a_seal_is_not_dated_before_the_one_before() -> None:
    forge = Forge(LEDGER.entries[:CUT])
    place = forge.seal(at=forge.now - MINUTE)
    forge.checkpoint()
    assert found(report_of(forge)) == [("seal.time", place)]


def test_an_entry_with_a_finding_does_not_date_its_block() -> None:
    forge = Forge(LEDGER.entries[:CUT])
    before = forge.now
    (void,) = forge.write_void(CLERK, [MEMBER1], Donate(giver=BOB, minutes=9_999), at=before + 60 * MINUTE)
    forge.seal(at=before)
    forge.checkpoint()
    assert found(report_of(forge)) == [("rule.no-balance", void)]


@pytest.mark.parametrize(("limit", "is_over"), [(2, False), (1, True)])
def test_a_block_has_too_many_entries(monkeypatch: pytest.MonkeyPatch, limit: int, is_over: bool) -> None:
    forge = Forge(LEDGER.entries[:2])
    forge.write(MEMBER1, [MEMBER2], KeyGrant(key=STRANGER.public, role="clerk"))
    place = forge.seal()
    forge.checkpoint()
    monkeypatch.setattr(verify.audit, "BLOCK_MAX_ENTRIES", limit)
    report = audit(forge.ledger(LEDGER.checkpoints[:1]), PIN)
    expected = [("seal.size", 1), ("seal.size", place)] if is_over else []
    assert found(report) == expected


@pytest.mark.parametrize("key", [CLERK, MEMBER1])
def test_a_seal_by_another_key_closes_nothing(key: SigningKey) -> None:
    """The node's next seal counts on as though it were not there."""
    forge = forge_after_people()
    (place,) = forge.write_void(key, [], forge.seal_body(forge.now))
    forge.checkpoint()
    forge.seal()
    forge.checkpoint()
    report = report_of(forge)
    assert found(report) == [("checkpoint.not-at-seal", place), ("seal.key", place)]
    assert report.blocks == 3


def test_a_seal_with_somebody_beside_it_closes_its_block() -> None:
    forge = forge_after_people()
    (raw,) = forge.sign(NODE_KEY, [MEMBER1], forge.seal_body(forge.now))
    place = forge.add(raw)
    forge.checkpoint()
    report = report_of(forge)
    assert found(report) == [("seal.key", place)] and report.blocks == 3


def test_a_seal_on_a_sheet_of_two_closes_its_block() -> None:
    forge = forge_after_people()
    body = forge.seal_body(forge.now)
    raw, _ = forge.sign(NODE_KEY, [], body, body)
    place = forge.add(raw)
    forge.checkpoint()
    report = report_of(forge)
    assert found(report) == [("seal.key", place)] and report.blocks == 3


def test_a_seal_whose_signature_is_bad_closes_nothing() -> None:
    """No checkpoint may stand at it, and the next seal goes on from the one before."""
    forge = forge_after_people()
    (raw,) = forge.sign(NODE_KEY, [], forge.seal_body(forge.now))
    bad = raw.replace(b'"accounts":9', b'"accounts":8')
    assert bad != raw
    place = forge.add(bad, void=True)
    forge.checkpoint()
    forge.seal()
    forge.checkpoint()
    assert found(report_of(forge)) == [("checkpoint.not-at-seal", place), ("entry.signature", place)]


def test_the_old_node_key_seals_no_more() -> None:
    forge = Forge(LEDGER.entries[:30], NEW_NODE_KEY)
    forge.write(MEMBER1, [MEMBER2, NEW_NODE_KEY], NodeRotate(key=NEW_NODE_KEY.public))
    (place,) = forge.write_void(NODE_KEY, [], forge.seal_body(forge.now))
    forge.seal()
    forge.checkpoint()
    assert found(audit(forge.ledger(LEDGER.checkpoints[:4]), PIN)) == [("entry.unknown-key", place)]


def test_the_old_node_key_signs_no_more_checkpoints() -> None:
    """Its line is a good one by a key of the log, and yet not by the one in force."""
    forge = Forge(LEDGER.entries[:31], NEW_NODE_KEY)
    place = forge.seal()
    forge.node_key = NODE_KEY
    forge.checkpoint()
    assert found(audit(forge.ledger(LEDGER.checkpoints[:4]), PIN)) == [("checkpoint.signature", place)]


def test_a_failing_line_of_an_old_node_key_is_found() -> None:
    note = LEDGER.checkpoints[-1][1]
    line = NoteSignature(ORIGIN, VKEY.hash, bytes(64))
    bad = format_note(add_signatures(parse_note(note), line))
    (finding,) = audit(LEDGER.with_note(-1 + len(LEDGER.checkpoints), bad), PIN).findings
    assert (finding.code, finding.index) == ("checkpoint.signature", 59)


def test_lines_of_strangers_say_nothing() -> None:
    note = parse_note(LEDGER.checkpoints[-1][1])
    lines = [NoteSignature("stranger.example", bytes(4), bytes(64)), NoteSignature(ORIGIN, bytes(4), bytes(64))]
    bad = format_note(add_signatures(note, *lines))
    assert audit(LEDGER.with_note(len(LEDGER.checkpoints) - 1, bad)).findings == []


# When it was cosigned


@pytest.mark.parametrize(("seconds", "is_early"), [(-601, True), (-600, False), (0, False), (10**9, False)])
def test_a_cosignature_older_than_its_seal(seconds: int, is_early: bool) -> None:
    forge = forge_after_people()
    place = forge.seal()
    forge.checkpoint(cosigners=[MEMBER1], witness=None, at=forge.now + datetime.timedelta(seconds=seconds))
    report = report_of(forge)
    assert found(report) == ([("seal.time", place)] if is_early else [])
    if is_early:
        (finding,) = report.findings
        assert finding.height == 2 and "ten minutes" in finding.detail


def test_a_witness_whom_nobody_trusts_dates_nothing() -> None:
    forge = forge_after_people()
    forge.seal()
    forge.checkpoint(cosigners=[], at=forge.now - 60 * MINUTE)
    assert report_of(forge).findings == []
    assert [code for code, _ in found(report_of(forge, Trust(policy(VKEY, witnesses=[("w", WITNESS_VKEY)]))))] == [
        "seal.time"
    ]


def test_a_cosignature_that_does_not_verify_dates_nothing() -> None:
    forge = forge_after_people()
    place = forge.seal()
    note = forge.checkpoint(cosigners=[MEMBER1], witness=None, at=forge.now - 60 * MINUTE)
    line = parse_note(note).signatures[1]
    line = NoteSignature(line.name, line.hash, line.signature[:-1] + b"!")
    forge.checkpoints[-1] = forge.size, format_note(add_signatures(parse_note(note), line))
    assert found(report_of(forge)) == [("checkpoint.signature", place)]


@pytest.mark.parametrize(("seconds", "is_early"), [(0, False), (1, True)])
def test_an_ml_dsa_cosignature_need_not_say_when(seconds: int, is_early: bool) -> None:
    forge = forge_after_people()
    place = forge.seal()
    checkpoint = forge.checkpoint_now()
    forge.checkpoint(cosign_mldsa44(checkpoint, ORIGIN, NODE_MLDSA, seconds), cosigners=[], witness=None)
    assert found(report_of(forge)) == ([("seal.time", place)] if is_early else [])


# Who must have cosigned


MEMBERS_ONLY = policy(
    VKEY, witnesses=list(zip("abc", MEMBER_VKEYS, strict=True)), groups=[Group("two", 2, tuple("abc"))], quorum="two"
)
BOTH_WITNESSES = policy(
    VKEY,
    witnesses=[("w", WITNESS_VKEY), ("pq", WITNESS_MLDSA_VKEY)],
    groups=[Group("both", 2, ("w", "pq"))],
    quorum="both",
)


@pytest.mark.parametrize(
    ("cosigners", "is_met"),
    [
        ([], False),
        ([MEMBER1], False),
        ([MEMBER1, MEMBER3], True),
        ([MEMBER1, MEMBER2, MEMBER3], True),
        ([MEMBER1, STRANGER], False),
    ],
)
def test_the_quorum_of_members(cosigners: Sequence[SigningKey], is_met: bool) -> None:
    forge = forge_after_people()
    place = forge.seal()
    forge.checkpoint(cosigners=cosigners, witness=WITNESS)
    assert found(report_of(forge, Trust(MEMBERS_ONLY))) == ([] if is_met else [("quorum.unmet", place)])


def test_the_quorum_asks_for_the_newest_checkpoint_alone() -> None:
    forge = forge_after_people()
    forge.seal()
    forge.checkpoint(cosigners=[], witness=None)
    forge.seal()
    forge.checkpoint()
    assert report_of(forge, Trust(QUORUM)).findings == []


def test_a_quorum_with_an_ml_dsa_witness() -> None:
    forge = forge_after_people()
    place = forge.seal()
    checkpoint = forge.checkpoint_now()
    line = cosign_mldsa44(checkpoint, WITNESS_NAME, WITNESS_MLDSA, int(forge.now.timestamp()))
    forge.checkpoint(line)
    assert report_of(forge, Trust(BOTH_WITNESSES)).findings == []
    forge.checkpoints.pop()
    forge.checkpoint()
    assert found(report_of(forge, Trust(BOTH_WITNESSES))) == [("quorum.unmet", place)]


def test_a_member_does_not_stand_for_another() -> None:
    """A cosignature by one member's key under the name of another is nobody's."""
    forge = forge_after_people()
    place = forge.seal()
    forge.checkpoint(cosigners=[MEMBER1], witness=None)
    name = member_name(ORIGIN, MEMBER2.id)
    line = cosign_ed25519(forge.checkpoint_now(), name, MEMBER1, int(forge.now.timestamp()))
    note = format_note(add_signatures(parse_note(forge.checkpoints[-1][1]), line))
    forge.checkpoints[-1] = forge.size, note
    assert found(report_of(forge, Trust(MEMBERS_ONLY))) == [("quorum.unmet", place)]


def test_one_key_does_not_make_two_witnesses() -> None:
    """The same member twice on a note counts once."""
    forge = forge_after_people()
    place = forge.seal()
    note = forge.checkpoint(cosigners=[MEMBER1], witness=None)
    again = cosigned(note, MEMBER1, at=forge.now + MINUTE)
    twice = note + again.splitlines(keepends=True)[-1]
    forge.checkpoints[-1] = forge.size, twice
    assert found(report_of(forge, Trust(MEMBERS_ONLY))) == [("quorum.unmet", place)]


# Pinned keys


def test_a_pinned_key_that_the_log_never_had() -> None:
    stranger = make_vkey(ORIGIN, ED25519, STRANGER.public)
    for logs in ((stranger,), (VKEY, stranger)):
        (finding,) = audit(LEDGER, Trust(policy(*logs))).findings
        assert (finding.code, finding.index) == ("checkpoint.signature", None)
        assert stranger.hash.hex() in finding.detail


def test_a_pinned_ml_dsa_key_that_the_log_never_had() -> None:
    stranger = make_vkey(ORIGIN, COSIGNATURE_MLDSA44, MldsaSigningKey(bytes(32)).public)
    for logs in ((stranger,), (VKEY, stranger)):
        report = audit(LEDGER, Trust(policy(*logs)))
        assert {finding.code for finding in report.findings} == {"checkpoint.signature"}


def test_a_pinned_ml_dsa_key_that_genesis_merely_names() -> None:
    """Anyone can write another's key into a genesis of his own: a line by it must be there."""
    silent = LEDGER.with_checkpoints(LEDGER.checkpoints[1:])
    report = audit(silent, Trust(policy(MLDSA_VKEY)))
    assert found(report) == [("checkpoint.signature", None)]
    assert audit(silent, Trust(policy(VKEY, MLDSA_VKEY))).findings == []


def test_the_key_in_force_may_be_pinned_alone() -> None:
    assert audit(LEDGER, Trust(policy(NEW_VKEY))).findings == []
    (finding,) = only(audit(LEDGER.cut(23), Trust(policy(NEW_VKEY))), "checkpoint.signature")
    assert "never had" in finding.detail
