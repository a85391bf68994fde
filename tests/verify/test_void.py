"""An entry with a finding of steps 3 to 5 changes nothing: no posting, no key, no ``seq``, no time (FORMAT §12).

Each ledger here goes on after a void entry as though it were not there, and the audit has that one finding; or it goes
on as though it counted, and the audit says where it does not.
"""

import datetime
from typing import Any

import msgspec
import pytest

from chain.canonical import format_canonical
from chain.keys import SigningKey
from ledger.bodies import (
    Donate,
    Gift,
    Grant,
    KeyGrant,
    KeyRevoke,
    NodeRotate,
    Opening,
    Params,
    Reverse,
)
from ledger.numbers import account_number
from ledger.parameters import format_parameters
from tests.verify.ledgers import (
    ALICE,
    ALICE_KEY,
    BOB,
    BOB_KEY,
    CHEN,
    CLERK,
    DONG,
    HASH,
    MEMBER1,
    MEMBER2,
    MEMBER3,
    NEW_NODE_KEY,
    NODE_KEY,
    PINNED,
    STRANGER,
    Forge,
    audit,
    found,
    opening_of,
    plain,
    service,
    village,
)
from verify.audit import LedgerReport, Trust

LEDGER = village()
CUT = 16
NUMBER = account_number(7)
HOUR = datetime.timedelta(hours=1)


def after_people() -> Forge:
    return Forge(LEDGER.entries[:CUT])


def report_of(forge: Forge) -> LedgerReport:
    forge.seal()
    forge.checkpoint()
    return audit(forge.ledger(LEDGER.checkpoints[:2]), Trust(PINNED))


Void = tuple[SigningKey, list[SigningKey], Any]


@pytest.mark.parametrize(
    ("outcome", "void"),
    [
        ("not-kin", (BOB_KEY, [], Gift(giver=BOB, minutes=5, to=ALICE))),
        ("no-balance", (BOB_KEY, [], Donate(giver=BOB, minutes=6_001))),
        ("needs-second", (CLERK, [], Donate(giver=BOB, minutes=5))),
        ("not-allowed", (ALICE_KEY, [], Donate(giver=BOB, minutes=5))),
        ("needs-second", (MEMBER1, [], KeyGrant(key=STRANGER.public, role="clerk"))),
        ("role-not-grantable", (MEMBER1, [MEMBER2], KeyGrant(key=STRANGER.public, role="node"))),
        ("needs-second", (MEMBER1, [], KeyRevoke(key_id=CLERK.id, reason="lost"))),
        ("needs-second", (MEMBER1, [MEMBER2], NodeRotate(key=NEW_NODE_KEY.public))),
        ("bad-version", (MEMBER1, [MEMBER2], Params(params={}, version=2))),
        ("bad-parameter", (MEMBER1, [MEMBER2], Params(params={}, version=1))),
        ("account-exists", (CLERK, [MEMBER1], opening_of(BOB))),
        ("bad-check-digits", (CLERK, [MEMBER1], opening_of("12345678"))),
        ("not-allowed", (MEMBER1, [MEMBER2], Opening(account=BOB, minutes=5, source=HASH))),
        ("not-funded", (MEMBER1, [MEMBER2], Grant(minutes=5, reason="x", to=BOB))),
        ("not-reversible", (MEMBER1, [MEMBER2], Reverse(index=2, reason="x"))),
    ],
)  # fmt: skip
def test_what_the_rules_refuse_changes_nothing(outcome: str, void: Void) -> None:
    """Everything after it goes on as before: the same seal, the same balances, the same keys."""
    author, beside, body = void
    forge = after_people()
    (place,) = forge.write_void(author, beside, body)
    forge.write(CLERK, [MEMBER1], Donate(giver=BOB, minutes=1))
    report = report_of(forge)
    assert found(report) == [(f"rule.{outcome}", place)]

    without = after_people()
    without.write(CLERK, [MEMBER1], Donate(giver=BOB, minutes=1))
    assert report.state == report_of(without).state and report.totals == report_of(without).totals


def test_a_void_entry_uses_up_no_seq() -> None:
    forge = after_people()
    (place,) = forge.write_void(BOB_KEY, [], Gift(giver=BOB, minutes=5, to=ALICE), seq=77)
    forge.write(BOB_KEY, [], Gift(giver=BOB, minutes=5, to=DONG), seq=77)
    assert found(report_of(forge)) == [("rule.not-kin", place)]


def test_a_void_entry_with_a_bad_signature_uses_up_no_seq() -> None:
    """Else anybody could keep somebody else from ever writing again."""
    forge = after_people()
    (raw,) = forge.sign(BOB_KEY, [], Gift(giver=BOB, minutes=5, to=DONG), seq=2**53 - 1)
    value = plain(raw)
    value["body"]["minutes"] = 6
    place = forge.add(format_canonical(value), void=True)
    forge.write(BOB_KEY, [], Gift(giver=BOB, minutes=5, to=DONG))
    assert found(report_of(forge)) == [("entry.signature", place)]


def test_a_key_whose_grant_is_void_is_unknown() -> None:
    forge = after_people()
    (grant,) = forge.write_void(MEMBER1, [], KeyGrant(key=STRANGER.public, role="clerk"))
    (used,) = forge.write_void(STRANGER, [MEMBER1], Donate(giver=BOB, minutes=5), seq=1)
    assert found(report_of(forge)) == [("rule.needs-second", grant), ("entry.unknown-key", used)]


def test_a_key_whose_revocation_is_void_still_counts() -> None:
    forge = after_people()
    (void,) = forge.write_void(MEMBER1, [], KeyRevoke(key_id=CLERK.id, reason="lost"))
    forge.write(CLERK, [MEMBER1], Donate(giver=BOB, minutes=5))
    assert found(report_of(forge)) == [("rule.needs-second", void)]


def test_a_revoked_key_counts_no_more() -> None:
    forge = after_people()
    forge.write(MEMBER1, [MEMBER2], KeyRevoke(key_id=CLERK.id, reason="lost"))
    (void,) = forge.write_void(CLERK, [MEMBER1], Donate(giver=BOB, minutes=5))
    (beside,) = forge.write_void(BOB_KEY, [CLERK], Donate(giver=BOB, minutes=5))
    assert found(report_of(forge)) == [("entry.unknown-key", void), ("entry.unknown-key", beside)]


def test_a_node_key_whose_rotation_is_void_seals_nothing() -> None:
    forge = after_people()
    (rotation,) = forge.write_void(MEMBER1, [NEW_NODE_KEY], NodeRotate(key=NEW_NODE_KEY.public))
    (seal,) = forge.write_void(NEW_NODE_KEY, [], forge.seal_body(forge.now), seq=1)
    assert found(report_of(forge)) == [("rule.needs-second", rotation), ("entry.unknown-key", seal)]


def test_an_account_whose_opening_is_void_is_not_there() -> None:
    forge = after_people()
    (void,) = forge.write_void(CLERK, [], opening_of(NUMBER))
    (used,) = forge.write_void(CLERK, [MEMBER1, MEMBER2], Opening(account=NUMBER, minutes=5, source=HASH))
    report = report_of(forge)
    assert found(report) == [("rule.needs-second", void), ("rule.no-account", used)]
    assert report.totals["minute"]["accounts"] == 5


def test_a_void_entry_cannot_be_reversed() -> None:
    forge = after_people()
    (void,) = forge.write_void(CLERK, [], Donate(giver=BOB, minutes=5))
    (reverse,) = forge.write_void(MEMBER1, [MEMBER2], Reverse(index=void, reason="x"))
    assert found(report_of(forge)) == [("rule.needs-second", void), ("rule.not-reversible", reverse)]


def test_an_unreadable_entry_cannot_be_reversed() -> None:
    forge = after_people()
    place = forge.add(b"\x00\xff", void=True)
    (reverse,) = forge.write_void(MEMBER1, [MEMBER2], Reverse(index=place, reason="x"))
    assert found(report_of(forge)) == [("entry.noncanonical", place), ("rule.not-reversible", reverse)]


def test_a_void_entry_counts_in_its_block_and_in_the_tree() -> None:
    """It stands on the log: size, root and the block's limit count it; the next checkpoint covers it."""
    forge = after_people()
    forge.add(b"{}", void=True)
    report = report_of(forge)
    assert found(report) == [("entry.malformed", CUT)]
    assert (report.size, report.blocks, report.pending) == (CUT + 2, 3, 0)


def test_void_parameters_are_not_in_force() -> None:
    forge = after_people()
    parameters = msgspec.structs.replace(forge.state.parameters, day_max_minutes=10)
    (void,) = forge.write_void(MEMBER1, [], Params(params=format_parameters(parameters), version=1))
    forge.write(CLERK, [MEMBER1], service(ALICE, BOB, 60, forge.now))
    forge.write(MEMBER1, [MEMBER2], Params(params=format_parameters(parameters), version=1))
    (too_long,) = forge.write_void(CLERK, [MEMBER1], service(CHEN, BOB, 60, forge.now))
    assert found(report_of(forge)) == [("rule.needs-second", void), ("rule.over-day-cap", too_long)]


# A ledger that goes on as though the void entry counted


@pytest.mark.parametrize("later_blocks", [0, 1, 4])
def test_of_states_that_count_a_void_entry_the_first_is_listed_and_the_later_counted(later_blocks: int) -> None:
    forge = after_people()
    (raw,) = forge.sign(BOB_KEY, [], Donate(giver=BOB, minutes=5))
    value = plain(raw)
    place = forge.add(raw)
    first = forge.seal()
    for _ in range(later_blocks):
        forge.write(CLERK, [MEMBER1], Donate(giver=BOB, minutes=1))
        forge.seal()
    forge.checkpoint()
    value["body"]["minutes"] = 4
    ledger = forge.ledger(LEDGER.checkpoints[:2]).with_entry(place, format_canonical(value))
    report = audit(ledger, Trust(PINNED))
    codes = [code for code, _ in found(report) if code not in ("seal.root", "checkpoint.root")]
    assert codes == ["entry.signature", "seal.state"]
    (listed,) = (finding for finding in report.findings if finding.code == "seal.state")
    assert (listed.index, listed.height) == (first, 2)
    assert report.finding_counts["seal.state"] == 1 + later_blocks


def test_what_follows_from_a_void_account_is_found_entry_by_entry() -> None:
    """The node took the account for good; every entry about it has a finding of its own, by its own index."""
    forge = after_people()
    (opened,) = forge.write(CLERK, [MEMBER1], opening_of(NUMBER, elder=True, redeemable=True))
    (given,) = forge.write(CLERK, [MEMBER1, MEMBER2], Opening(account=NUMBER, minutes=500, source=HASH))
    forge.write(CLERK, [MEMBER1], Donate(giver=BOB, minutes=2))
    (lost,) = forge.write(CLERK, [MEMBER1], Donate(giver=NUMBER, minutes=2))
    seal = forge.seal()
    forge.checkpoint()
    ledger = forge.ledger(LEDGER.checkpoints[:2]).with_entry(opened, forge.entries[opened].replace(b"elder", b"eldes"))
    assert found(audit(ledger, Trust(PINNED))) == [
        ("entry.malformed", opened),
        ("rule.no-account", given),
        ("rule.no-account", lost),
        ("checkpoint.root", seal),
        ("seal.root", seal),
        ("seal.state", seal),
    ]


def test_an_entry_that_is_late_counts_by_the_last_good_seal() -> None:
    """Log time comes from seals that count: a void seal with a far time makes nobody's statement late."""
    forge = after_people()
    body = forge.seal_body(forge.now)
    (raw,) = forge.sign(STRANGER, [], body, at=forge.now + 9_000 * HOUR, seq=1)
    place = forge.add(raw, void=True)
    forge.write(CLERK, [MEMBER1], service(ALICE, BOB, 60, forge.now))
    assert found(report_of(forge)) == [("entry.unknown-key", place)]


def test_the_node_key_is_nobody_beside() -> None:
    forge = after_people()
    (void,) = forge.write_void(CLERK, [NODE_KEY], Donate(giver=BOB, minutes=5))
    (other,) = forge.write_void(MEMBER3, [NODE_KEY], opening_of(NUMBER))
    assert found(report_of(forge)) == [("rule.needs-second", void), ("rule.not-allowed", other)]

