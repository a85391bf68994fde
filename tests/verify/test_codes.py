"""Every code of FORMAT §12, steps 1 to 7 and 9, comes out of an audit: one ledger for each, and where it is found."""

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import verify
from chain.block import SEAL
from chain.canonical import format_canonical
from chain.checkpoint import Checkpoint, sign_checkpoint
from chain.keys import SigningKey
from chain.limits import ENTRY_MAX_BYTES
from chain.merkle import leaf_hash, root_of
from chain.note import ED25519, format_note, make_vkey
from ledger.bodies import Donate, Genesis, Gift
from ledger.kinds import CODEC, KINDS, Kind
from tests.verify.ledgers import (
    ALICE,
    ALICE_KEY,
    BOB,
    CHEN,
    CLERK,
    DONG,
    HASH,
    MEMBER1,
    NODE_KEY,
    ORIGIN,
    PINNED,
    QUORUM,
    STRANGER,
    VKEY,
    Forge,
    Ledger,
    audit,
    found,
    plain,
    policy,
    village,
    village_node,
)
from verify.audit import LedgerReport, Trust, audit_ledger
from verify.kept import parse_kept

CODES = (
    *("log.truncated",),
    *("checkpoint.missing", "checkpoint.malformed", "checkpoint.signature", "checkpoint.root"),
    *("checkpoint.not-at-seal", "quorum.unmet"),
    *("entry.too-large", "entry.noncanonical", "entry.unknown-kind", "entry.malformed"),
    *("entry.unknown-key", "entry.sheet", "entry.signature", "entry.seq"),
    *("rule.no-balance",),
    *("seal.key", "seal.height", "seal.prev", "seal.size", "seal.root", "seal.time", "seal.state"),
    *("log.fork", "log.rollback", "log.promise-broken"),
    *("sum.nonzero", "balance.differs"),
)
"""The table of FORMAT §12; of ``rule.`` one outcome stands for all, which the scenarios go through."""

LEDGER = village()
PIN = Trust(PINNED)
CUT = 16
"""After the people, before the first service; the second seal stands at 15."""

Case = Callable[[], LedgerReport]
CASES: dict[str, tuple[int | None, Case]] = {}


def case(code: str, index: int | None) -> Callable[[Case], Case]:
    """The report in which ``code`` is found at ``index``."""

    def note(build: Case) -> Case:
        CASES[code] = index, build
        return build

    return note


def changed(index: int, change: Callable[[dict[str, Any]], object]) -> LedgerReport:
    """The audit of the sample with one entry's JSON changed."""
    value = plain(LEDGER.entries[index])
    change(value)
    return audit(LEDGER.with_entry(index, format_canonical(value)), PIN)


def forged(write: Callable[[Forge], object]) -> LedgerReport:
    """The audit of the sample's people, what ``write`` puts after them, and a good seal with its checkpoint."""
    forge = Forge(LEDGER.entries[:CUT])
    write(forge)
    forge.seal()
    forge.checkpoint()
    return audit(forge.ledger(LEDGER.checkpoints[:2]), PIN)


def sealed(**wrong: Any) -> LedgerReport:
    """The audit of a ledger whose third seal says something wrong, properly signed."""
    return forged(lambda forge: forge.seal(**wrong))


@case("log.truncated", 19)
def _cut() -> LedgerReport:
    return audit(LEDGER.with_entries(LEDGER.entries[:20]), PIN)


@case("checkpoint.missing", None)
def _no_checkpoint() -> LedgerReport:
    return audit(LEDGER.with_checkpoints(()), PIN)


@case("checkpoint.malformed", 1)
def _no_note() -> LedgerReport:
    return audit(LEDGER.with_note(0, b"a checkpoint\n"), PIN)


@case("checkpoint.signature", 1)
def _stranger_signed() -> LedgerReport:
    root = audit(LEDGER.cut(2)).root
    note = sign_checkpoint(Checkpoint(ORIGIN, 2, root), STRANGER)
    return audit(LEDGER.with_note(0, format_note(note)), PIN)


@case("checkpoint.root", 1)
def _other_root() -> LedgerReport:
    note = sign_checkpoint(Checkpoint(ORIGIN, 2, HASH), NODE_KEY)
    return audit(LEDGER.with_note(0, format_note(note)), PIN)


@case("checkpoint.not-at-seal", CUT)
def _between_seals() -> LedgerReport:
    def write(forge: Forge) -> None:
        forge.write(CLERK, [MEMBER1], Donate(giver=BOB, minutes=1))
        forge.checkpoint()

    return forged(write)


@case("quorum.unmet", CUT)
def _nobody_cosigned() -> LedgerReport:
    forge = Forge(LEDGER.entries[:CUT])
    forge.seal()
    forge.checkpoint(cosigners=[MEMBER1], witness=None)
    return audit(forge.ledger(LEDGER.checkpoints[:2]), Trust(QUORUM))


@case("entry.too-large", 16)
def _too_large() -> LedgerReport:
    return audit(LEDGER.with_entry(16, b"{" * (ENTRY_MAX_BYTES + 1)), PIN)


@case("entry.noncanonical", 16)
def _white_space() -> LedgerReport:
    return audit(LEDGER.with_entry(16, LEDGER.entries[16] + b"\n"), PIN)


@case("entry.unknown-kind", 16)
def _unknown_kind() -> LedgerReport:
    return changed(16, lambda entry: entry.update(kind="loan"))


@case("entry.malformed", 16)
def _no_minutes() -> LedgerReport:
    return changed(16, lambda entry: entry["body"].pop("minutes"))


@case("entry.unknown-key", CUT)
def _stranger_wrote() -> LedgerReport:
    return forged(lambda forge: forge.write_void(STRANGER, [MEMBER1], Donate(giver=BOB, minutes=1)))


@case("entry.sheet", 16)
def _no_such_place() -> LedgerReport:
    return changed(16, lambda entry: entry["sheet"].update(index=entry["sheet"]["size"]))


@case("entry.signature", 16)
def _other_minutes() -> LedgerReport:
    return changed(16, lambda entry: entry["body"].update(minutes=59))


@case("entry.seq", CUT)
def _old_seq() -> LedgerReport:
    return forged(lambda forge: forge.write_void(CLERK, [MEMBER1], Donate(giver=BOB, minutes=1), seq=1))


@case("rule.no-balance", CUT)
def _too_much() -> LedgerReport:
    return forged(lambda forge: forge.write_void(CLERK, [MEMBER1], Donate(giver=BOB, minutes=6_001)))


@case("seal.key", CUT)
def _clerk_seals() -> LedgerReport:
    return forged(lambda forge: forge.write_void(CLERK, [], forge.seal_body(forge.now)))


@case("seal.height", CUT)
def _other_height() -> LedgerReport:
    return sealed(height=3)


@case("seal.prev", CUT)
def _other_prev() -> LedgerReport:
    return sealed(prev=HASH)


@case("seal.size", CUT)
def _other_size() -> LedgerReport:
    return sealed(size=CUT - 1)


@case("seal.root", CUT)
def _other_sealed_root() -> LedgerReport:
    return sealed(root=HASH)


@case("seal.time", CUT + 1)
def _backdated() -> LedgerReport:
    def write(forge: Forge) -> None:
        before = forge.now
        forge.write(CLERK, [MEMBER1], Donate(giver=BOB, minutes=1), at=before.replace(hour=before.hour + 1))
        forge.seal(at=before)

    return forged(write)


@case("seal.state", CUT)
def _other_state() -> LedgerReport:
    return sealed(state=HASH)


@case("log.fork", CUT - 1)
def _rewritten() -> LedgerReport:
    note = format_note(sign_checkpoint(Checkpoint(ORIGIN, CUT, HASH), NODE_KEY))
    return audit(LEDGER, Trust(PINNED, (parse_kept(note, "kept"),)))


@case("log.rollback", 22)
def _cut_back() -> LedgerReport:
    return audit(LEDGER.cut(23), Trust(PINNED, (parse_kept(LEDGER.checkpoints[-1][1], "kept"),)))


@case("log.promise-broken", 60)
def _promised() -> LedgerReport:
    promise = parse_kept(village_node().promise(60), "kept")
    return audit(LEDGER.with_entry(60, LEDGER.entries[61]), Trust(PINNED, (promise,)))


@case("sum.nonzero", None)
def _lost_minute() -> LedgerReport:
    """No entry can do this while the rules are right: so one rule is made to lose a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(KINDS, "donate", losing(KINDS["donate"]))
        return forged(lambda forge: forge.write(CLERK, [MEMBER1], Donate(giver=BOB, minutes=5)))


@case("balance.differs", None)
def _published() -> LedgerReport:
    return audit(LEDGER, Trust(PINNED, balances={BOB: (1, 0)}))


def losing(kind: Kind) -> Kind:
    return dataclasses.replace(kind, post=lambda claim, books: books.post(claim.index, claim.entry.body.giver, -1))


@pytest.mark.parametrize("code", CODES)
def test_the_code_is_found_where_it_should(code: str) -> None:
    index, build = CASES[code]
    report = build()
    assert (code, index) in found(report), report.findings
    assert report.finding_counts[code] >= 1 and not report.is_sound
    for finding in report.findings:
        assert finding.origin == ORIGIN and finding.detail
        assert (finding.height is not None) == finding.code.startswith("seal."), finding


def test_every_code_has_a_case_and_the_code_knows_no_other() -> None:
    assert set(CASES) == set(CODES)
    families = {code.split(".")[0] for code in CODES}
    assert {code for code in literals() if code.split(".")[0] in families} == {
        code for code in CODES if not code.startswith(("rule.", "entry."))
    } | {"entry.too-large", "entry.unknown-key", "entry.sheet", "entry.signature", "entry.seq"}


def literals() -> Iterator[str]:
    """The codes that the modules of ``verify`` write down."""
    for path in Path(verify.__path__[0]).glob("*.py"):
        yield from re.findall(r'"((?:[a-z]+)\.[a-z-]+)"', path.read_text("utf-8"))


# More ways to some of them


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda entry: entry.update(v=2), "entry.unknown-kind"),
        (lambda entry: entry.update(v=True), "entry.malformed"),
        (lambda entry: entry.update(more=1), "entry.malformed"),
        (lambda entry: entry.update(at="2026-03-03T08:00:60Z"), "entry.malformed"),
        (lambda entry: entry.update(seq=-1), "entry.malformed"),
        (lambda entry: entry["body"].update(minutes=0), "entry.malformed"),
        (lambda entry: entry["body"].update(provider="pool"), "entry.malformed"),
        (lambda entry: entry["sheet"].update(size=1_025), "entry.malformed"),
        (lambda entry: entry["sheet"].update(path=entry["sheet"]["path"] * 64), "entry.malformed"),
        (lambda entry: entry["sheet"].update(path=entry["sheet"]["path"][:1]), "entry.sheet"),
        (lambda entry: entry["sheet"].update(path=[*entry["sheet"]["path"], "A" * 43 + "="]), "entry.sheet"),
        (lambda entry: entry["sheet"].update(path=["A" * 43 + "="] * 2), "entry.signature"),
        (lambda entry: entry["sheet"].update(index=1), "entry.signature"),
        (lambda entry: entry["sheet"].update(size=4), "entry.signature"),
        (lambda entry: entry.pop("sheet"), "entry.signature"),
        (lambda entry: entry["sigs"].pop(), "entry.malformed"),
        (lambda entry: entry["sigs"].append(entry["sigs"][0]), "entry.malformed"),
        (lambda entry: entry["sigs"].reverse(), "entry.malformed"),
        (lambda entry: entry.update(seq=entry["seq"] + 1), "entry.signature"),
        (lambda entry: entry.update(at="2026-03-03T08:00:01Z"), "entry.signature"),
    ],
)
def test_an_entry_changed_by_hand(change: Callable[[dict[str, Any]], object], code: str) -> None:
    assert (code, 16) in found(changed(16, change))


@pytest.mark.parametrize("raw", [None, b"", b"{}", b"null", b"[]", b"\xff", b"{" * 1_000, b'{"kind":"donate"}'])
def test_an_entry_of_anything(raw: bytes | None) -> None:
    source = Ledger((*LEDGER.entries[:16], raw, *LEDGER.entries[17:]), LEDGER.checkpoints).source()  # type: ignore[arg-type]
    report = audit_ledger(source, PIN)
    (code,) = (finding.code for finding in report.findings if finding.index == 16)
    assert code == {None: "entry.too-large", b"{}": "entry.malformed"}.get(raw, code)
    assert code.startswith("entry.")


@pytest.mark.parametrize(("key", "code"), [(NODE_KEY, "rule.no-genesis"), (STRANGER, "entry.unknown-key")])
def test_a_second_genesis_founds_nothing(key: SigningKey, code: str) -> None:
    genesis: Genesis = CODEC.parse(LEDGER.entries[0]).body

    def write(forge: Forge) -> None:
        forge.write_void(key, [], msgspec.structs.replace(genesis, node_key=key.public))

    assert found(forged(write)) == [(code, CUT)]


def test_a_genesis_of_another_origin_is_refused_by_the_rules() -> None:
    report = audit(Ledger(LEDGER.entries, LEDGER.checkpoints, "other.example/huzhu"), Trust())
    assert ("entry.signature", 0) in found(report), "it is signed for the origin that it names"
    assert {finding.index for finding in report.findings if finding.code == "checkpoint.malformed"} == {
        size - 1 for size in LEDGER.sizes
    }


def test_several_things_wrong_with_one_entry_are_one_finding() -> None:
    """An old ``seq``, a bad signature and a rule: only the first failure is reported."""

    def write(forge: Forge) -> None:
        (raw,) = forge.sign(ALICE_KEY, [], Gift(giver=BOB, minutes=9_999, to=CHEN), seq=0)
        value = json.loads(raw)
        value["sigs"][0]["sig"] = "A" * 86 + "=="
        forge.add(format_canonical(value), void=True)

    assert found(forged(write)) == [("entry.signature", CUT)]


@pytest.mark.parametrize("balances", [{ALICE: (0, 0)}, {DONG: (590, 0)}, {"99999999": (0, 0)}, {"issue": (0, 0)}])
def test_published_balances_that_do_not_follow(balances: dict[str, tuple[int, int]]) -> None:
    (finding,) = audit(LEDGER, Trust(PINNED, balances=balances)).findings
    assert finding.code == "balance.differs" and next(iter(balances)) in finding.detail


def test_a_log_key_of_another_ledger_alone_is_no_pin() -> None:
    other = make_vkey("other.example/huzhu", ED25519, NODE_KEY.public)
    report = audit(LEDGER, Trust(policy(other)))
    assert found(report) == [("checkpoint.signature", None)] and not report.is_pinned
    assert audit(LEDGER, Trust(policy(other, VKEY))).is_sound


def test_the_leaf_hashes_of_entries_make_the_root() -> None:
    """The report's root is RFC 6962's over the bytes as they lie there, void entries included."""
    bad = LEDGER.with_entry(20, b"{}")
    assert audit(bad, PIN).root == root_of([leaf_hash(raw) for raw in bad.entries])


def test_kinds_are_counted_also_where_an_entry_is_void() -> None:
    report = changed(16, lambda entry: entry["body"].update(minutes=59))
    assert report.entries["service"] == 6 and report.entries[SEAL] == 7
    assert sum(audit(LEDGER.with_entry(16, b"{}"), PIN).entries.values()) == 61
