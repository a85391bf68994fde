"""Somebody who holds the keys writes history anew and signs all of it again (FORMAT §12 step 7, and who vouched).

The rewritten ledger is sound in itself: only what others have kept or cosigned gives it away. And what somebody does
who holds one of the keys alone: signatures stripped, moved and passed off as another's.
"""

import datetime
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from chain.canonical import format_canonical
from chain.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from chain.entry import statement_of
from chain.errors import NoteError, ProofError
from chain.keys import SigningKey
from chain.merkle import EMPTY_ROOT, leaf_hash
from chain.note import ED25519, Note, NoteSignature, add_signatures, format_note, make_vkey, parse_note
from chain.receipt import Promise, sign_promise
from chain.sheet import NO_GENESIS
from ledger.bodies import Donate
from ledger.kinds import CODEC
from tests.chain.helpers import mangled
from tests.verify.ledgers import (
    ALICE,
    BOB,
    BOB_KEY,
    CLERK,
    HASH,
    MEMBER1,
    MEMBER2,
    MEMBER3,
    NODE_KEY,
    ORIGIN,
    PINNED,
    QUORUM,
    STRANGER,
    VKEY,
    WITNESS,
    Forge,
    Ledger,
    audit,
    cosigned,
    found,
    only,
    plain,
    policy,
    village,
    village_node,
)
from verify.audit import LedgerReport, Trust
from verify.kept import KEPT_MAX_BYTES, Kept, parse_kept

OLD, OLD_NODE = village(), village_node()
NEW = village(minutes=120)
"""The first service has 120 minutes instead of 60, and every seal and checkpoint after it is signed anew."""
CHANGED = next(index for index, raw in enumerate(OLD.entries) if raw != NEW.entries[index])
SEALED = OLD.sizes[-1]


def kept(raw: bytes, name: str = "kept") -> Trust:
    return Trust(PINNED, (parse_kept(raw, name),))


def test_the_rewritten_ledger_is_sound_in_itself() -> None:
    assert OLD.at("service") == CHANGED
    assert NEW.sizes == OLD.sizes and len(NEW.entries) == len(OLD.entries)
    assert audit(NEW).findings == []


# Found by what somebody kept


@pytest.mark.parametrize("place", range(len(OLD.checkpoints)))
def test_found_by_a_checkpoint_kept_since(place: int) -> None:
    size, note = OLD.checkpoints[place]
    findings = audit(NEW, kept(note)).findings
    if size <= CHANGED:
        assert findings == [], "before the rewriting both are the same"
        return
    (finding,) = findings
    assert (finding.code, finding.index) == ("log.fork", size - 1)
    old, new = open_checkpoint(note)[0], open_checkpoint(NEW.checkpoints[place][1])[0]
    assert (finding.expected, finding.found) == (old.root.hex(), new.root.hex())
    assert "kept" in finding.detail


@pytest.mark.parametrize("index", range(SEALED))
def test_found_by_any_receipt(index: int) -> None:
    """The receipt's checkpoint covers the rewritten entry; the receipt of a changed entry names it, too."""
    report = audit(NEW, kept(OLD_NODE.receipt(index)))
    is_changed = OLD.entries[index] != NEW.entries[index]
    forks = sorted({SEALED - 1} | ({index} if is_changed else set()))
    assert set(found(report)) == {("log.fork", fork) for fork in forks}
    assert len(report.findings) == 1 + is_changed


def test_found_by_a_balance_receipt() -> None:
    assert ("log.fork", SEALED - 1) in found(audit(NEW, kept(OLD_NODE.balance_receipt(ALICE))))


@pytest.mark.parametrize("index", range(len(OLD.entries)))
def test_found_by_a_promise(index: int) -> None:
    is_changed = OLD.entries[index] != NEW.entries[index]
    expected = [("log.promise-broken", index)] if is_changed else []
    assert found(audit(NEW, kept(OLD_NODE.promise(index)))) == expected
    assert audit(OLD, kept(OLD_NODE.promise(index))).findings == []


def test_several_things_kept_are_each_compared() -> None:
    trust = Trust(
        PINNED,
        tuple(
            parse_kept(raw, name)
            for name, raw in (
                ("a", OLD.checkpoints[0][1]),
                ("b", OLD.checkpoints[2][1]),
                ("c", OLD.checkpoints[2][1]),
                ("d", OLD_NODE.promise(CHANGED)),
                ("e", OLD_NODE.receipt(CHANGED)),
            )
        ),
    )
    report = audit(NEW, trust)
    assert found(report) == [
        ("log.fork", CHANGED),
        ("log.promise-broken", CHANGED),
        ("log.fork", 22),
        ("log.fork", 22),
        ("log.fork", SEALED - 1),
    ]
    assert [finding.detail[0] for finding in report.findings] == ["e", "d", "b", "c", "e"]


def test_what_was_kept_of_another_ledger_says_nothing() -> None:
    note = format_note(sign_checkpoint(Checkpoint("other.example/huzhu", 3, HASH), NODE_KEY))
    assert audit(OLD, kept(note)).findings == []


def test_a_kept_checkpoint_of_the_empty_log_is_where_every_log_began() -> None:
    note = format_note(sign_checkpoint(Checkpoint(ORIGIN, 0, EMPTY_ROOT), NODE_KEY))
    assert audit(OLD, kept(note)).findings == []
    bad = format_note(sign_checkpoint(Checkpoint(ORIGIN, 0, HASH), NODE_KEY))
    assert found(audit(OLD, kept(bad))) == [("log.fork", 0)]


def test_what_the_node_never_signed_proves_nothing_and_is_said_to() -> None:
    """Whoever kept a checkpoint of nobody's is told so, beside what it would show."""
    root = open_checkpoint(OLD.checkpoints[2][1])[0].root
    note = format_note(sign_checkpoint(Checkpoint(ORIGIN, 23, root), STRANGER))
    assert found(audit(OLD, kept(note))) == [("checkpoint.signature", 22)]
    node_line, *_ = (opened := parse_note(OLD.checkpoints[2][1])).signatures
    broken = format_note(add_signatures(opened, NoteSignature(ORIGIN, node_line.hash, bytes(64))))
    assert found(audit(OLD, kept(broken))) == [("checkpoint.signature", 22)]
    promise = Promise(ORIGIN, leaf_hash(OLD.entries[0]), 5, leaf_hash(OLD.entries[5]))
    assert found(audit(OLD, kept(format_note(sign_promise(promise, STRANGER))))) == [("checkpoint.signature", 5)]


def test_a_promise_by_an_old_node_key_still_holds() -> None:
    promise = Promise(ORIGIN, leaf_hash(OLD.entries[0]), CHANGED, leaf_hash(OLD.entries[CHANGED]))
    raw = format_note(sign_promise(promise, NODE_KEY))
    assert audit(OLD, kept(raw)).findings == []
    assert found(audit(NEW, kept(raw))) == [("log.promise-broken", CHANGED)]


def test_a_promise_of_another_genesis_is_broken() -> None:
    promise = Promise(ORIGIN, NO_GENESIS, 5, leaf_hash(OLD.entries[5]))
    (finding,) = audit(OLD, kept(format_note(sign_promise(promise, NODE_KEY)))).findings
    assert (finding.code, finding.index) == ("log.promise-broken", 5) and "genesis" in finding.detail


@pytest.mark.parametrize(
    "raw", [OLD.checkpoints[1][1], OLD_NODE.receipt(3), OLD_NODE.balance_receipt(ALICE), OLD_NODE.promise(3)]
)
def test_mangled_things_are_refused_or_found_or_say_the_same(raw: bytes) -> None:
    """Nothing raises anything else, and nothing mangled accuses the log without saying that it is not signed."""
    for bad in list(mangled(raw))[::23]:
        try:
            item = parse_kept(bad, "bad")
        except (NoteError, ProofError):
            continue
        codes = {code for code, _ in found(audit(OLD, Trust(PINNED, (item,))))}
        assert not codes or "checkpoint.signature" in codes, bad


def test_too_much_to_have_been_kept_is_refused_unread() -> None:
    with pytest.raises(NoteError, match="too large"):
        parse_kept(bytes(KEPT_MAX_BYTES + 1), "kept")
    for raw in (b"", b"\n\n", b"huzhu/accepted/v1\n", b"c2sp.org/tlog-proof@v1\n", b"huzhu/balance@v1\n", b"\xff"):
        with pytest.raises(NoteError):
            parse_kept(raw, "kept")


def test_a_kept_thing_knows_what_it_is_of() -> None:
    item: Kept = parse_kept(OLD_NODE.promise(7), "p")
    assert (item.origin, item.index, item.leaf) == (ORIGIN, 7, (7, leaf_hash(OLD.entries[7])))
    item = parse_kept(OLD_NODE.receipt(7), "r")
    assert (item.origin, item.index, item.leaf) == (ORIGIN, SEALED - 1, (7, leaf_hash(OLD.entries[7])))


# A log cut back


@pytest.mark.parametrize("place", range(len(OLD.checkpoints) - 1))
def test_a_log_cut_back_to_an_older_checkpoint(place: int) -> None:
    """It is sound: only its age shows, and what somebody kept from after."""
    size = OLD.sizes[place]
    cut = OLD.cut(size)
    report = audit(cut, Trust(PINNED))
    assert report.findings == [] and report.size == size and report.pending == 0
    report = audit(cut, kept(OLD.checkpoints[-1][1]))
    (finding,) = only(report, "log.rollback")
    assert (finding.index, finding.expected, finding.found) == (size - 1, str(SEALED), str(size))
    is_rotated = size > OLD.at("node_rotate")
    assert len(report.findings) == (1 if is_rotated else 2), "the key that signed it came in after the cut"
    assert ("log.promise-broken", SEALED - 1) in found(audit(cut, kept(OLD_NODE.promise(SEALED - 1))))
    assert ("log.rollback", size - 1) in found(audit(cut, kept(OLD_NODE.receipt(0))))


@pytest.mark.parametrize("size", range(1, SEALED))
def test_a_log_cut_off_behind_its_checkpoints(size: int) -> None:
    report = audit(OLD.with_entries(OLD.entries[:size]), Trust(PINNED))
    beyond = [kept_size for kept_size in OLD.sizes if kept_size > size]
    assert [finding.expected for finding in only(report, "log.truncated")] == [str(kept_size) for kept_size in beyond]
    assert {finding.index for finding in only(report, "log.truncated")} == {size - 1}


# Found by who vouched for it


def with_lines_of(ledger: Ledger, *names: str) -> Ledger:
    """The ledger with the node's signature and those whose name ends so, and no others."""
    rows = []
    for size, raw in ledger.checkpoints:
        note = parse_note(raw)
        lines = [line for line in note.signatures if line.name.endswith((ORIGIN, *names))]
        rows.append((size, format_note(Note(note.text, tuple(lines)))))
    return ledger.with_checkpoints(rows)


def test_found_by_the_quorum_that_would_not_sign_again() -> None:
    """Node, clerk and one member together are not enough."""
    alone = with_lines_of(NEW, MEMBER1.id)
    assert audit(alone, Trust(PINNED)).findings == []
    assert found(audit(alone, Trust(QUORUM))) == [("quorum.unmet", SEALED - 1)]
    without_witness = with_lines_of(NEW, MEMBER1.id, MEMBER2.id)
    assert found(audit(without_witness, Trust(QUORUM))) == [("quorum.unmet", SEALED - 1)]


@pytest.mark.parametrize("name", [MEMBER2.id, "/w1"])
def test_found_by_an_old_cosignature_that_was_left_on(name: str) -> None:
    """A line by a member's key or a witness's over the old root does not verify over the new one."""
    rows = []
    for (size, old), (_, new) in zip(OLD.checkpoints, with_lines_of(NEW, MEMBER1.id).checkpoints, strict=True):
        lines = [line for line in parse_note(old).signatures if line.name.endswith(name)]
        rows.append((size, format_note(add_signatures(parse_note(new), *lines))))
    report = audit(NEW.with_checkpoints(rows), Trust(QUORUM))
    left_on = [size for size, raw in OLD.checkpoints if size > CHANGED and name in raw.decode()]
    expected = [("checkpoint.signature", size - 1) for size in left_on]
    assert left_on and found(report) == [*expected, ("quorum.unmet", SEALED - 1)]


def test_found_by_the_pinned_key_where_genesis_is_another() -> None:
    """Whoever lacks the node's key begins anew with a key of his own: the ledger is sound, and not that one."""
    fake = village(node_key=STRANGER)
    assert audit(fake, Trust()).findings == [] and not audit(fake, Trust()).is_pinned
    report = audit(fake, Trust(PINNED))
    assert found(report) == [("checkpoint.signature", None)] and "never had the pinned key" in report.findings[0].detail
    assert report.genesis_key == make_vkey(ORIGIN, ED25519, STRANGER.public)
    assert set(found(audit(fake, kept(OLD.checkpoints[0][1])))) == {
        ("checkpoint.signature", None),
        ("checkpoint.signature", 1),
        ("log.fork", 1),
    }
    assert ("log.promise-broken", 7) in found(audit(fake, kept(OLD_NODE.promise(7))))


def test_no_cosignature_can_be_made_for_another_root_or_size() -> None:
    """A cosignature taken from one checkpoint onto another is found, whichever way it is turned."""
    newest, before = OLD.checkpoints[-1], OLD.checkpoints[-2]
    for giver, taker in ((newest, before), (before, newest)):
        lines = [line for line in parse_note(giver[1]).signatures if "/member/" in line.name]
        bad = format_note(add_signatures(parse_note(taker[1]), *lines))
        report = audit(OLD.with_note(OLD.sizes.index(taker[0]), bad))
        assert ("checkpoint.signature", taker[0] - 1) in found(report)


def test_the_witness_who_signs_again_gives_the_time_away() -> None:
    """Cosignatures made in time for the old seals are early for seals that are dated later than they were."""
    forge = Forge(OLD.entries[:16])
    late = forge.now + datetime.timedelta(days=1)
    place = forge.seal(at=late)
    forge.checkpoint(cosigners=[], witness=None)
    size, note = forge.checkpoints.pop()
    forge.checkpoints.append((size, cosigned(note, MEMBER1, at=late - datetime.timedelta(hours=1), witness=WITNESS)))
    report = audit(forge.ledger(OLD.checkpoints[:2]), Trust(QUORUM))
    assert {code for code, index in found(report) if index == place} == {"seal.time", "quorum.unmet"}


# One key alone: signatures stripped, moved, or passed off as another's


def with_changed(index: int, change: Callable[[dict[str, Any]], object]) -> LedgerReport:
    value = plain(OLD.entries[index])
    change(value)
    return audit(OLD.with_entry(index, format_canonical(value)), Trust(PINNED))


CERTIFIED = [index for index in range(len(OLD.entries)) if "with" in plain(OLD.entries[index])]


@pytest.mark.parametrize("index", CERTIFIED)
def test_a_certifier_is_stripped(index: int) -> None:
    def signature_alone(entry: dict[str, Any]) -> None:
        entry["sigs"].pop()

    def altogether(entry: dict[str, Any]) -> None:
        entry["sigs"].pop()
        entry["with"].pop()
        if not entry["with"]:
            del entry["with"]

    def all_of_them(entry: dict[str, Any]) -> None:
        del entry["sigs"][1:], entry["with"]

    assert ("entry.malformed", index) in found(with_changed(index, signature_alone))
    assert ("entry.signature", index) in found(with_changed(index, altogether))
    assert ("entry.signature", index) in found(with_changed(index, all_of_them))


@pytest.mark.parametrize("index", CERTIFIED)
def test_a_certifier_s_signature_comes_from_another_entry(index: int) -> None:
    """From every other sheet that the same person has signed, as author or beside."""
    key = plain(OLD.entries[index])["with"][-1]
    place = plain(OLD.entries[index])["sigs"][-1]
    others = {
        signature["sig"]
        for raw in OLD.entries
        for signature in plain(raw)["sigs"]
        if signature["key"] == key and signature != place
    }
    assert others or key not in (MEMBER1.id, MEMBER2.id)
    for sig in others:
        report = with_changed(index, lambda entry, sig=sig: entry["sigs"][-1].update(sig=sig))  # type: ignore[misc]
        assert ("entry.signature", index) in found(report)


def test_a_certifier_s_signature_is_used_as_an_author_s() -> None:
    """Member 1 signed beside the clerk; the same words under his own name are not what he signed."""
    index = OLD.at("grant")
    beside = plain(OLD.entries[OLD.at("account_open")])
    forge = Forge(OLD.entries[:index])
    for sign_as in (beside["sigs"][1], plain(OLD.entries[index])["sigs"][1] | {"key": MEMBER1.id}):
        (raw,) = forge.sign(MEMBER1, [MEMBER2], Donate(giver=BOB, minutes=1))
        entry = plain(raw)
        entry["sigs"][0] = sign_as
        assert ("entry.signature", index) in found(audit(OLD.with_entry(index, format_canonical(entry)), Trust(PINNED)))


def signed_as(message_of: int, author: SigningKey, beside: Sequence[SigningKey]) -> bytes:
    """An entry of one statement whose signatures are all over the author's text (0) or all over the others' (1)."""
    forge = Forge(OLD.entries[:16])
    (raw,) = forge.sign(author, beside, Donate(giver=BOB, minutes=1))
    entry = plain(raw)
    root = leaf_hash(statement_of(raw, CODEC.parse(raw)))
    message = forge.domain.messages(author.id, 1, root)[message_of]
    for signature, key in zip(entry["sigs"], (author, *beside), strict=True):
        signature["sig"] = b64encode(key.sign(message)).decode()
    return format_canonical(entry)


@pytest.mark.parametrize("message_of", [0, 1])
def test_an_author_s_text_is_not_a_certifier_s(message_of: int) -> None:
    """Who signs the same root in the other role has not signed this entry."""
    forge = Forge(OLD.entries[:16])
    place = forge.add(signed_as(message_of, CLERK, [MEMBER1]), void=True)
    forge.seal()
    forge.checkpoint()
    assert found(audit(forge.ledger(OLD.checkpoints[:2]), Trust(PINNED))) == [("entry.signature", place)]


def test_a_signature_made_for_genesis_counts_nowhere_else() -> None:
    """What is signed before genesis has a hash (over 32 zero bytes) is no entry after it."""
    forge = Forge(OLD.entries[:16])
    early = Forge().sign(BOB_KEY, [], Donate(giver=BOB, minutes=1), at=forge.now, seq=1)
    place = forge.add(early[0], void=True)
    forge.seal()
    forge.checkpoint()
    assert found(audit(forge.ledger(OLD.checkpoints[:2]), Trust(PINNED))) == [("entry.signature", place)]


def test_an_entry_sent_twice_counts_once() -> None:
    """The very same bytes later on: a replay, found by its ``seq``; also where another entry came between."""
    forge = Forge(OLD.entries[:16])
    (first,) = forge.write(BOB_KEY, [], Donate(giver=BOB, minutes=1))
    (second,) = forge.write(BOB_KEY, [], Donate(giver=BOB, minutes=2))
    places = [forge.add(forge.entries[index], void=True) for index in (first, second)]
    forge.seal()
    forge.checkpoint()
    report = audit(forge.ledger(OLD.checkpoints[:2]), Trust(PINNED))
    assert found(report) == [("entry.seq", place) for place in places]


def test_a_policy_may_pin_more_than_it_meets() -> None:
    """Other ledgers' keys in a trust file disturb nothing."""
    other = make_vkey("other.example/huzhu", ED25519, MEMBER3.public)
    assert audit(OLD, Trust(policy(other, VKEY))).findings == []
