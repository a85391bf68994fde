"""Who may author an entry and who must sign beside: two people, always (RULES §1).

A *demand* looks at a ``Claim`` (an entry with its signers, at its place) and answers None, ``not-allowed`` (the
author's role may not) or ``needs-second`` (somebody is missing).
"""

from collections.abc import Callable, Collection
from typing import Any

import msgspec

from chain.entry import Statement
from chain.fields import Time
from ledger.bodies import PAPER, SIGNED
from ledger.roster import ASSESSOR, AUTHORITY, CLERK, MEMBER, NODE, PEOPLE, STAFF, Key, persons_of
from ledger.state import ReadEntry, State

NOT_ALLOWED, NEEDS_SECOND = "not-allowed", "needs-second"


class Claim(msgspec.Struct, gc=False):
    """An entry that asks to be true: where it would stand, when (log time), and who signed it."""

    state: State
    entry: Statement[Any]
    index: int
    time: Time
    author: Key
    beside: tuple[Key, ...]
    read: ReadEntry


Demand = Callable[[Claim], str | None]


def by_node(claim: Claim) -> str | None:
    """The node's key in force."""
    return None if claim.author.role == NODE else NOT_ALLOWED


def clerk_and_member(claim: Claim) -> str | None:
    """C+M: a clerk authors, a member signs beside."""
    author = claim.author
    if author.role != CLERK:
        return NOT_ALLOWED
    for key in claim.beside:
        if key.role == MEMBER and key.person != author.person:
            return None
    return NEEDS_SECOND


def two_members(claim: Claim) -> str | None:
    """M+M."""
    return _together(claim, MEMBER, 2)


def threshold_of_members(claim: Claim) -> str | None:
    """M×t: ``threshold`` different members in all, the author among them."""
    return _together(claim, MEMBER, claim.state.threshold)


def two_authorities(claim: Claim) -> str | None:
    """A+A; where genesis names no authority, M×t suffices too."""
    if claim.author.role == MEMBER and not claim.state.has_authority:
        return threshold_of_members(claim)
    return _together(claim, AUTHORITY, 2)


def clerk_and_threshold(claim: Claim) -> str | None:
    """A clerk, and M×t beside."""
    if claim.author.role != CLERK:
        return NOT_ALLOWED
    members = persons_of(claim.beside, MEMBER) - {claim.author.person}
    return None if len(members) >= claim.state.threshold else NEEDS_SECOND


def for_account(claim: Claim) -> str | None:
    """C+M; with ``funded`` also A+A, or M×t where that stands in."""
    outcome = clerk_and_member(claim)
    if outcome or claim.entry.body.funded is None:
        return outcome
    if len(persons_of(claim.beside, AUTHORITY)) >= 2:
        return None
    return NEEDS_SECOND if claim.state.has_authority else clerk_and_threshold(claim)


def giver_or_clerk(claim: Claim) -> str | None:
    """The giver's own key, or C+M for him."""
    return None if speaks_for(claim.author, claim.entry.body.giver) else clerk_and_member(claim)


def party_or_clerk(claim: Claim) -> str | None:
    """The party's own key, or C+M for it."""
    return None if speaks_for(claim.author, claim.entry.body.party) else clerk_and_member(claim)


def for_service(claim: Claim) -> str | None:
    """On paper C+M; else the provider's key or a clerk, and where the recipient signs somebody beside (RULES §4)."""
    body = claim.entry.body
    if body.evidence.form == PAPER:
        return clerk_and_member(claim)
    if claim.author.role != CLERK and not speaks_for(claim.author, body.provider):
        return NOT_ALLOWED
    return NEEDS_SECOND if body.evidence.form == SIGNED and not claim.beside else None


def for_coupons(claim: Claim) -> str | None:
    """A+A, and nobody among the signers who is a clerk: who records must not print what proves his records."""
    outcome = two_authorities(claim)
    if outcome == NOT_ALLOWED:
        return outcome
    roster, time = claim.state.roster, claim.time
    is_clerk = any(roster.has_role(key.person, CLERK, time) for key in (claim.author, *claim.beside))
    return NOT_ALLOWED if is_clerk else outcome


def member_or_authority(claim: Claim) -> str | None:
    """M or A."""
    return None if claim.author.role in (MEMBER, AUTHORITY) else NOT_ALLOWED


def assessor(claim: Claim) -> str | None:
    """The third party that assesses."""
    return None if claim.author.role == ASSESSOR else NOT_ALLOWED


def assessor_or_authority(claim: Claim) -> str | None:
    """Assessor or A."""
    return None if claim.author.role in (ASSESSOR, AUTHORITY) else NOT_ALLOWED


def for_case_close(claim: Claim) -> str | None:
    """M+M or A+A, and one of them did not sign the opening of the case."""
    outcome = two_authorities(claim) if claim.author.role == AUTHORITY else two_members(claim)
    case = claim.state.cases.get(claim.entry.body.case)
    if outcome or case is None:
        return outcome
    signers = persons_of(claim.beside, claim.author.role) | {claim.author.person}
    return None if signers - set(case.openers) else NEEDS_SECOND


def for_appeal(claim: Claim) -> str | None:
    """The person's own key, or C+M for him."""
    case = claim.state.cases.get(claim.entry.body.case)
    return None if case is not None and speaks_for(claim.author, case.account) else clerk_and_member(claim)


def for_grant(claim: Claim) -> str | None:
    """Granting or revoking a key: by the role of that key."""
    return demand_for_role(claim.entry.body.role)(claim)


def for_revocation(claim: Claim) -> str | None:
    """As for its grant, or the key itself alone."""
    revoked = claim.state.roster.keys[claim.entry.body.key_id]
    return None if claim.author is revoked else demand_for_role(revoked.role)(claim)


def demand_for_role(role: str) -> Demand:
    """What granting a key of that role asks."""
    if role == MEMBER:
        return threshold_of_members
    return two_authorities if role not in PEOPLE and role != CLERK else two_members


def for_rotation(claim: Claim) -> str | None:
    """M×t, and the new node key beside."""
    outcome = threshold_of_members(claim)
    if outcome:
        return outcome
    return None if any(key.public == claim.entry.body.key for key in claim.beside) else NEEDS_SECOND


def speaks_for(key: Key, number: str | None) -> bool:
    """Whether it is that account's own key."""
    return key.account == number and number is not None and key.role in PEOPLE


def deals_with_itself(claim: Claim, parties_of: Callable[[Claim], Collection[str | None]]) -> bool:
    """Whether somebody records or certifies what he, or a person he is kin to, takes part in.

    ``parties_of`` tells who takes part; it is asked only where a signer has an account.
    """
    for key in (claim.author, *claim.beside):
        if key.account is not None and key.role in STAFF:
            account, parties = claim.state.accounts.get(key.account), parties_of(claim)
            if key.account in parties or (account is not None and not account.kin.isdisjoint(parties)):
                return True
    return False


def _together(claim: Claim, role: str, count: int) -> str | None:
    """The author and those beside are ``count`` different people of that role."""
    if claim.author.role != role:
        return NOT_ALLOWED
    persons = persons_of(claim.beside, role) | {claim.author.person}
    return None if len(persons) >= count else NEEDS_SECOND
