"""The table of kinds: what each says, who must sign, which rule judges it and what it changes (RULES §3)."""

from collections.abc import Callable
from dataclasses import dataclass

from chain.block import SEAL, Seal
from chain.entry import Body, EntryCodec
from ledger import (
    bodies,
    cases,
    corrections,
    coupons,
    funds,
    government,
    hours,
    people,
    quality,
    risk,
    service,
    signing,
    tiers,
    transfers,
)
from ledger.signing import Claim, Demand
from ledger.state import Books

Rule = Callable[[Claim], str | None]
Post = Callable[[Claim, Books], None]


def _no_question(_: Claim) -> str | None:
    """Nothing is asked."""
    return None


def _no_change(_claim: Claim, _books: Books) -> None:
    """It is said, and nothing follows from it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table. ``number`` stands for the kind in ``State.kinds`` and never changes."""

    number: int
    body: type[Body]
    demand: Demand
    rule: Rule
    post: Post
    first: Rule = _no_question
    """Asked before who signed."""
    asks_common: bool = True
    """Whether the common outcomes about people are asked here; where not, the rule asks them in its own order."""
    asks_closed: bool = False
    """Whether it changes an account or moves time, so that no account it names may be closed."""
    gives: str | None = None
    """The field whose account gives, and may not be suspended."""


KINDS: dict[str, Kind] = {
    "genesis": Kind(
        1, bodies.Genesis, signing.by_node, government.genesis, government.found, asks_common=False
    ),
    "key_grant": Kind(
        2, bodies.KeyGrant, signing.for_grant, people.key_grant, people.grant_key, first=people.key_grant_first
    ),
    "key_revoke": Kind(
        3, bodies.KeyRevoke, signing.for_revocation, people.key_revoke, people.revoke_key, first=people.key_revoke_first
    ),
    "node_rotate": Kind(
        4, bodies.NodeRotate, signing.for_rotation, government.node_rotate, government.rotate_node
    ),
    "params": Kind(5, bodies.Params, signing.two_authorities, government.params, government.set_params),
    "account_open": Kind(
        6,
        bodies.AccountOpen,
        signing.for_account,
        people.account_open,
        people.open_account,
        first=people.account_open_first,
        asks_closed=True,
    ),
    "account_update": Kind(
        7, bodies.AccountUpdate, signing.for_account, people.account_update, people.update_account, asks_closed=True
    ),
    "account_close": Kind(
        8, bodies.AccountClose, signing.clerk_and_member, people.account_close, people.close_account, asks_closed=True
    ),
    "credential_grant": Kind(
        9, bodies.CredentialGrant, signing.two_members, _no_question, people.grant_credential
    ),
    "credential_revoke": Kind(
        10, bodies.CredentialRevoke, signing.two_members, people.credential_revoke, people.revoke_credential
    ),
    "kin_link": Kind(11, bodies.KinLink, signing.clerk_and_member, people.kin_link, people.link_kin),
    "kin_unlink": Kind(12, bodies.KinUnlink, signing.clerk_and_member, people.kin_unlink, people.unlink_kin),
    "service": Kind(
        13, bodies.Service, signing.for_service, service.service, service.post_service, asks_common=False
    ),
    "gift": Kind(
        14, bodies.Gift, signing.giver_or_clerk, hours.gift, hours.post_hours, asks_closed=True, gives="giver"
    ),
    "donate": Kind(
        15, bodies.Donate, signing.giver_or_clerk, hours.donate, hours.post_hours, asks_closed=True, gives="giver"
    ),
    "opening": Kind(
        16, bodies.Opening, signing.clerk_and_threshold, hours.opening, hours.post_hours, asks_closed=True
    ),
    "grant": Kind(17, bodies.Grant, signing.two_authorities, hours.grant, hours.post_hours, asks_closed=True),
    "reverse": Kind(18, bodies.Reverse, signing.two_members, corrections.reverse, corrections.post_reversal),
    "dispute": Kind(19, bodies.Dispute, signing.party_or_clerk, corrections.dispute, corrections.open_dispute),
    "resolve": Kind(20, bodies.Resolve, corrections.for_resolution, corrections.resolve, corrections.close_dispute),
    "coupon_issue": Kind(
        21, bodies.CouponIssue, signing.for_coupons, coupons.coupon_issue, coupons.issue_coupons
    ),
    "institution": Kind(22, bodies.Institution, signing.two_members, quality.institution, _no_change),
    "case_open": Kind(23, bodies.CaseOpen, signing.member_or_authority, _no_question, cases.open_case),
    "case_step": Kind(24, bodies.CaseStep, signing.member_or_authority, cases.case_step, _no_change),
    "case_close": Kind(25, bodies.CaseClose, signing.for_case_close, cases.case_step, cases.close_case),
    "sanction": Kind(
        26, bodies.Sanction, signing.two_authorities, cases.sanction, cases.impose_sanction, asks_closed=True
    ),
    "sanction_lift": Kind(
        27, bodies.SanctionLift, signing.two_authorities, cases.sanction_lift, cases.lift_sanction
    ),
    "appeal": Kind(28, bodies.Appeal, signing.for_appeal, cases.appeal, _no_change),
    "fund_open": Kind(29, bodies.FundOpen, signing.two_members, funds.fund_open, funds.open_fund),
    "fund_receive": Kind(30, bodies.FundReceive, signing.two_members, funds.fund_receive, funds.receive_money),
    "fund_spend": Kind(31, bodies.FundSpend, signing.two_members, funds.fund_spend, funds.spend_money),
    "assessment": Kind(32, bodies.Assessment, signing.assessor, _no_question, _no_change),
    "inspection": Kind(
        33, bodies.Inspection, signing.assessor_or_authority, _no_question, quality.open_findings
    ),
    "inspection_done": Kind(
        34, bodies.InspectionDone, signing.assessor_or_authority, quality.inspection_done, quality.close_finding
    ),
    "risk": Kind(35, bodies.Risk, signing.clerk_and_member, risk.risk, _no_change),
    "transfer_out": Kind(
        36,
        bodies.TransferOut,
        signing.giver_or_clerk,
        transfers.transfer_out,
        transfers.send_hours,
        asks_closed=True,
        gives="giver",
    ),
    "transfer_in": Kind(
        37, bodies.TransferIn, signing.by_node, transfers.transfer_in, transfers.take_hours, asks_closed=True
    ),
    "transfer_refuse": Kind(
        38, bodies.TransferRefuse, signing.by_node, transfers.transfer_refuse, transfers.refuse_hours
    ),
    "transfer_back": Kind(
        39, bodies.TransferBack, signing.by_node, transfers.transfer_back, transfers.take_hours_back
    ),
    "org_admit": Kind(
        40, bodies.OrgAdmit, signing.threshold_of_members, tiers.org_admit, tiers.admit_ledger
    ),
    "org_retire": Kind(
        41, bodies.OrgRetire, signing.threshold_of_members, tiers.org_retire, tiers.retire_ledger
    ),
    "anchor": Kind(42, bodies.Anchor, signing.by_node, tiers.anchor, tiers.keep_anchor),
}

VOID_NUMBER, SEAL_NUMBER = 0, 255
"""In ``State.kinds``: an entry that changed nothing, and a seal."""

CODEC = EntryCodec({name: kind.body for name, kind in KINDS.items()} | {SEAL: Seal})
"""Reads every kind this ledger knows."""
