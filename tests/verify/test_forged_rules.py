"""Whoever holds all the keys can sign anything: the audit finds what the rules refuse, and says which rule it was."""

from collections.abc import Callable

import msgspec
import pytest

from chain.entry import Body
from chain.keys import SigningKey
from ledger.bodies import (
    Appeal,
    CaseClose,
    CaseOpen,
    CaseStep,
    CouponIssue,
    FundOpen,
    FundReceive,
    FundSpend,
    InspectionDone,
    Institution,
    Risk,
    Sanction,
    SanctionLift,
)
from ledger.coupons import book_root
from tests.verify.ledgers import (
    ALICE,
    ALICE_KEY,
    ASSESSOR,
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
    PINNED,
    SECRETS,
    Forge,
    audit,
    by_coupon,
    found,
    risk_of,
    service,
    village,
)
from verify.audit import Trust

LEDGER = village()
SEALED = LEDGER.sizes[-1]
BOOK, CASE, LISTED, INSPECTION, SERVICE, SUSPENDED = (
    LEDGER.at("coupon_issue"),
    LEDGER.at("case_open"),
    LEDGER.at("sanction", 1),
    LEDGER.at("inspection"),
    LEDGER.at("service"),
    LEDGER.at("sanction", 2),
)
LIFTED = LEDGER.at("sanction")

Signers = tuple[SigningKey, list[SigningKey]]
BY_CLERK: Signers = (CLERK, [MEMBER1])
BY_MEMBERS: Signers = (MEMBER1, [MEMBER2])
BY_ALICE: Signers = (ALICE_KEY, [])
BY_ASSESSOR: Signers = (ASSESSOR, [])

Make = Callable[[Forge], Body]


def visit(coupon: int, minutes: int = 10, recipient: str = BOB, **wrong: object) -> Make:
    """A service by a coupon of Bob's book, of which something may be wrong."""
    evidence = msgspec.structs.replace(by_coupon(BOOK, coupon), **wrong)
    return lambda forge: service(ALICE, recipient, minutes, forge.now, evidence=evidence)


def says(body: Body) -> Make:
    return lambda _: body


def figures_with(**wrong: int) -> Make:
    """The month's figures but for some."""

    def make(forge: Forge) -> Body:
        good = risk_of(forge.state)
        return Risk(figures=dict(sorted((good.figures | wrong).items())), period=good.period)

    return make


def spend(fen: int, purpose: str = "meals", fund: str = "canteen") -> Make:
    return says(FundSpend(fen=fen, fund=fund, payee="the grocer", purpose=purpose, voucher=HASH))


GOOD: list[tuple[str, Signers, Make]] = [
    ("coupon", BY_ALICE, visit(0)),
    ("case", (MEMBER3, []), says(CaseOpen(account=ALICE, entries=(1,), suspicion="ring"))),
    ("spend all", BY_MEMBERS, spend(70_000)),
    ("figures", BY_CLERK, figures_with()),
    ("finding", BY_ASSESSOR, says(InspectionDone(finding=0, inspection=INSPECTION, note="it was mended"))),
]

FORGED: list[tuple[str, Signers, Make]] = [
    ("coupon-used", BY_ALICE, visit(1)),
    ("coupon-invalid", BY_ALICE, visit(0, secret=bytes(16))),
    ("coupon-invalid", BY_ALICE, visit(0, index=2)),
    ("coupon-invalid", BY_ALICE, visit(0, book=CASE)),
    ("coupon-invalid", BY_ALICE, visit(0, recipient=DONG)),
    ("coupon-over", BY_ALICE, visit(0, minutes=61)),
    ("not-allowed", (BOB_KEY, []), visit(0)),
    ("suspended", BY_CLERK, lambda forge: service(CHEN, BOB, 10, forge.now)),
    (
        "not-allowed",
        BY_CLERK,  # the village itself
        says(CouponIssue(account=BOB, count=3, minutes_max=60, root=book_root(SECRETS))),
    ),
    ("needs-second", (MEMBER1, []), says(CouponIssue(account=BOB, count=3, minutes_max=60, root=HASH))),
    ("no-account", BY_MEMBERS, says(CouponIssue(account="99999999", count=3, minutes_max=60, root=HASH))),
    ("under-threshold", BY_MEMBERS, says(Institution(account=DONG))),
    ("not-allowed", BY_CLERK, says(CaseOpen(account=ALICE, entries=(1,), suspicion="ring"))),
    ("no-case", (MEMBER1, []), says(CaseStep(case=CASE, note="again", step="track"))),
    ("no-case", BY_MEMBERS, says(CaseClose(case=CASE, note="it was nothing", outcome="cleared"))),
    ("not-allowed", BY_CLERK, says(Sanction(account=CHEN, case=CASE, measure="list"))),
    ("needs-second", (MEMBER1, []), says(Sanction(account=CHEN, case=CASE, measure="list"))),
    ("no-case", BY_MEMBERS, says(Sanction(account=ALICE, case=CASE, measure="suspend"))),
    ("no-case", BY_MEMBERS, says(Sanction(account=CHEN, case=SERVICE, measure="suspend"))),
    ("no-sanction", BY_MEMBERS, says(SanctionLift(reason="again", sanction=LIFTED))),
    ("needs-second", (MEMBER1, []), says(SanctionLift(reason="alone", sanction=SUSPENDED))),
    ("not-allowed", BY_ALICE, says(Appeal(case=CASE, ground="Chen is a good man"))),
    ("account-exists", BY_MEMBERS, says(FundOpen(fund="canteen", purpose="travel", title="Another"))),
    ("no-account", BY_MEMBERS, says(FundReceive(fen=1, fund="school", source="society", voucher=HASH))),
    ("no-balance", BY_MEMBERS, says(FundReceive(fen=2**53 - 1, fund="canteen", source="society", voucher=HASH))),
    ("no-funds", BY_MEMBERS, spend(70_001)),
    ("wrong-purpose", BY_MEMBERS, spend(1, "travel")),
    ("no-account", BY_MEMBERS, spend(1, fund="school")),
    ("no-finding", BY_ASSESSOR, says(InspectionDone(finding=1, inspection=INSPECTION, note="again"))),
    ("not-allowed", (MEMBER1, []), says(InspectionDone(finding=0, inspection=INSPECTION, note="by us"))),
    ("figures-differ", BY_CLERK, figures_with(paper=0)),
    ("figures-differ", BY_CLERK, figures_with(mood=1)),
    ("needs-second", (CLERK, []), figures_with()),
]


def forge_on() -> Forge:
    return Forge(LEDGER.entries[:SEALED], node_key=NEW_NODE_KEY)


@pytest.mark.parametrize(("signers", "make"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
def test_what_is_right_has_no_finding(signers: Signers, make: Make) -> None:
    forge = forge_on()
    forge.write(*signers, make(forge))
    forge.seal()
    forge.checkpoint()

    assert audit(forge.ledger(LEDGER.checkpoints), Trust(PINNED)).findings == []


@pytest.mark.parametrize(("outcome", "signers", "make"), FORGED, ids=[f"{row[0]}-{n}" for n, row in enumerate(FORGED)])
def test_what_is_forged_is_found(outcome: str, signers: Signers, make: Make) -> None:
    forge = forge_on()
    (index,) = forge.write_void(*signers, make(forge))
    forge.seal()
    forge.checkpoint()

    report = audit(forge.ledger(LEDGER.checkpoints), Trust(PINNED))

    assert found(report) == [(f"rule.{outcome}", index)]


def test_a_case_closed_by_those_who_opened_it() -> None:
    forge = forge_on()
    (case,) = forge.write(*BY_MEMBERS, CaseOpen(account=ALICE, entries=(1,), suspicion="ring"))
    (index,) = forge.write_void(MEMBER2, [MEMBER1], CaseClose(case=case, note="it was nothing", outcome="cleared"))
    (early,) = forge.write_void(*BY_MEMBERS, Sanction(account=ALICE, case=case, measure="suspend"))
    forge.write(MEMBER2, [MEMBER3], CaseClose(case=case, note="it was nothing", outcome="cleared"))
    (forged,) = forge.write_void(*BY_MEMBERS, Sanction(account=ALICE, case=case, measure="suspend"))
    forge.seal()
    forge.checkpoint()

    report = audit(forge.ledger(LEDGER.checkpoints), Trust(PINNED))

    refused = [(early, "rule.case-not-upheld"), (forged, "rule.case-not-upheld"), (index, "rule.needs-second")]
    assert sorted((place or 0, code) for code, place in found(report)) == sorted(refused)


def test_a_seal_that_forgets_a_suspension() -> None:
    """The status is in the tree of accounts: whoever leaves it out states another root."""
    forge = forge_on()
    forge.write(*BY_MEMBERS, SanctionLift(reason="it was long enough", sanction=LISTED))
    forge.replay.books.set_status(forge.state.accounts[CHEN], "open")
    index = forge.seal()
    forge.checkpoint()

    assert found(audit(forge.ledger(LEDGER.checkpoints), Trust(PINNED))) == [("seal.state", index)]
