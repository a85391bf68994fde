"""What each kind of entry says: its fields and their types (RULES §3). Fields stand in the order of their bytes.

Each body tells which accounts it names (``numbers``), which times it holds, and what else its shape asks (``flaw``).
What it means is judged elsewhere.
"""

from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from chain.canonical import format_canonical
from chain.entry import Body
from chain.errors import EntryError
from chain.fields import (
    AccountNumber,
    Blob,
    Code,
    Count,
    CouponSecret,
    Date,
    Flag,
    Hash,
    Index,
    KeyId,
    MldsaPublicKey,
    PublicKey,
    Text,
    Time,
    is_account_number,
    is_key_id,
    is_origin,
)
from chain.keys import key_id
from chain.limits import ADMISSIONS_MAX, COUPONS_MAX, INTEGER_MAX, PROOF_MAX_HASHES, STRING_MAX_CODE_POINTS
from chain.note import parse_vkey
from ledger.numbers import POOL
from ledger.parameters import is_log_key

Numbers = tuple[str | None, ...]
Times = tuple[Time | None, ...]

Admissions = Annotated[tuple[Blob, ...], Meta(max_length=ADMISSIONS_MAX)]
"""Receipts of ``org_admit`` entries that lead to a ledger; none where its key is trusted already (RULES §10)."""

PAPER, SIGNED, COUPON = "paper", "signed", "coupon"
NO_COUPON = (None, None, None, None)

MAP_LEVEL = 3
"""How deep a map in a body is nested: the entry is 1, its body 2."""


class Founder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A key that genesis names."""

    account: AccountNumber | None = None
    key: PublicKey
    role: Literal["clerk", "member", "authority"]


class Genesis(Body, frozen=True, kw_only=True):
    """Entry 0: who keeps this ledger, by which keys and parameters."""

    members: Annotated[tuple[Founder, ...], Meta(min_length=1)]
    mldsa: MldsaPublicKey | None = None
    node_key: PublicKey
    origin: Text
    params: dict[str, Any]
    parent: Text | None = None
    parent_vkey: Text | None = None
    threshold: Count
    tier: Literal["village", "township", "county", "city"]

    def numbers(self) -> Numbers:
        return tuple(founder.account for founder in self.members)

    def flaw(self) -> str | None:
        ids = [key_id(founder.key) for founder in self.members]
        if any(first >= second for first, second in pairwise(ids)):
            return "the keys in `members` do not rise by key id"
        if key_id(self.node_key) in ids:
            return "the node's key stands among `members`"
        if not is_origin(self.origin) or (self.parent is not None and not is_origin(self.parent)):
            return "`origin` or `parent` is not the name of a ledger"
        if self.parent_vkey is not None and not is_log_key(self.parent_vkey):
            return "`parent_vkey` is not an Ed25519 verifier key"
        return _plain_flaw(self.params)


class KeyGrant(Body, frozen=True, kw_only=True):
    account: AccountNumber | None = None
    key: PublicKey
    role: Code
    until: Time | None = None

    def numbers(self) -> Numbers:
        return (self.account,)

    def times(self) -> Times:
        return (self.until,)


class KeyRevoke(Body, frozen=True, kw_only=True):
    key_id: KeyId
    reason: Text

    def flaw(self) -> str | None:
        return None if is_key_id(self.key_id) else "`key_id` is not 16 lower-case hex digits"


class NodeRotate(Body, frozen=True, kw_only=True):
    key: PublicKey
    mldsa: MldsaPublicKey | None = None


class Params(Body, frozen=True, kw_only=True):
    params: dict[str, Any]
    version: Count

    def flaw(self) -> str | None:
        return _plain_flaw(self.params)


class AccountOpen(Body, frozen=True, kw_only=True):
    account: AccountNumber
    band: Count | None = None
    dossier: Hash
    elder: Flag = False
    funded: Code | None = None
    guardian: AccountNumber | None = None
    holder: Literal["person", "institution"]
    household: Text | None = None
    minor: Flag = False
    redeemable: Flag = False
    visitor: Flag = False
    volunteer: Flag = False

    def numbers(self) -> Numbers:
        return (self.account, self.guardian)


class AccountUpdate(Body, frozen=True, kw_only=True):
    account: AccountNumber
    band: Count | None = None
    dossier: Hash
    elder: Flag = False
    funded: Code | None = None
    guardian: AccountNumber | None = None
    household: Text | None = None
    minor: Flag = False
    redeemable: Flag = False
    visitor: Flag = False
    volunteer: Flag = False

    def numbers(self) -> Numbers:
        return (self.account, self.guardian)


class AccountClose(Body, frozen=True, kw_only=True):
    account: AccountNumber
    reason: Literal["moved", "died", "asked"]
    to: Text | None = None

    def numbers(self) -> Numbers:
        return (self.account, None if self.to == POOL else self.to)

    def flaw(self) -> str | None:
        if self.to in (None, POOL) or (len(self.to or "") == len(self.account) and is_account_number(self.to or "")):
            return None
        return "`to` is neither an account number nor `pool`"


class CredentialGrant(Body, frozen=True, kw_only=True):
    account: AccountNumber
    issuer: Text
    scope: Code
    until: Time | None = None

    def numbers(self) -> Numbers:
        return (self.account,)

    def times(self) -> Times:
        return (self.until,)


class CredentialRevoke(Body, frozen=True, kw_only=True):
    account: AccountNumber
    reason: Text
    scope: Code

    def numbers(self) -> Numbers:
        return (self.account,)


class KinLink(Body, frozen=True, kw_only=True):
    """``relative`` is the ``relation`` of ``person``."""

    person: AccountNumber
    relation: Code
    relative: AccountNumber

    def numbers(self) -> Numbers:
        return (self.person, self.relative)


class KinUnlink(Body, frozen=True, kw_only=True):
    person: AccountNumber
    relative: AccountNumber

    def numbers(self) -> Numbers:
        return (self.person, self.relative)


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False):
    """What shows that a service took place (RULES §4), by class.

    ``paper``: ``hash`` of the signed paper sheet or of the day-sheet file. ``signed``: the recipient's key, its
    guardian's or that of kin signs beside. ``coupon``: the ``secret`` of the coupon ``index`` out of the book that the
    entry ``book`` issued, with its ``path`` to the book's root. ``checkin`` and ``checkout`` are optional but on paper.
    """

    book: Index | None = None
    checkin: Time | None = None
    checkout: Time | None = None
    form: Literal["paper", "signed", "coupon"] = msgspec.field(name="class")
    hash: Hash | None = None
    index: Index | None = None
    path: tuple[Hash, ...] | None = None
    secret: CouponSecret | None = None

    def flaw(self) -> str | None:
        """Which field does not go with the class."""
        coupon = (self.book, self.index, self.path, self.secret)
        if self.form == COUPON:
            if None in coupon or self.hash is not None:
                return "`evidence` by coupon has `book`, `index`, `path` and `secret`, and no `hash`"
            return "the path of its coupon is too long" if len(self.path or ()) > PROOF_MAX_HASHES else None
        if coupon != NO_COUPON:
            return "`evidence` without a coupon has no `book`, `index`, `path` or `secret`"
        if self.form == PAPER:
            timed = self.checkin is not None or self.checkout is not None
            return "`evidence` on paper has a `hash` and nothing else" if timed or self.hash is None else None
        return None if self.hash is None else "signed `evidence` has no `hash`"


class Service(Body, frozen=True, kw_only=True):
    accepted: Time | None = None
    category: Code
    end: Time
    evidence: Evidence
    group: Text | None = None
    guardian: AccountNumber | None = None
    local: Code | None = None
    minutes: Count
    paid_by: Literal["recipient", "pool", "issue"]
    provider: AccountNumber
    rating: Annotated[int, Meta(ge=1, le=5)] | None = None
    recipient: AccountNumber
    requested: Time | None = None
    start: Time

    def numbers(self) -> Numbers:
        return (self.provider, self.recipient, self.guardian)

    def times(self) -> Times:
        evidence = self.evidence
        if evidence.form == PAPER and self.accepted is None and self.requested is None:
            return (self.start, self.end)
        return (self.start, self.end, self.accepted, self.requested, evidence.checkin, evidence.checkout)

    def flaw(self) -> str | None:
        return self.evidence.flaw()


class Gift(Body, frozen=True, kw_only=True):
    giver: AccountNumber = msgspec.field(name="from")
    minutes: Count
    to: AccountNumber

    def numbers(self) -> Numbers:
        return (self.giver, self.to)


class Donate(Body, frozen=True, kw_only=True):
    giver: AccountNumber = msgspec.field(name="from")
    minutes: Count

    def numbers(self) -> Numbers:
        return (self.giver,)


class Opening(Body, frozen=True, kw_only=True):
    account: AccountNumber
    minutes: Count
    source: Hash

    def numbers(self) -> Numbers:
        return (self.account,)


class Grant(Body, frozen=True, kw_only=True):
    minutes: Count
    reason: Text
    to: AccountNumber

    def numbers(self) -> Numbers:
        return (self.to,)


class Reverse(Body, frozen=True, kw_only=True):
    index: Index
    reason: Text


class Dispute(Body, frozen=True, kw_only=True):
    ground: Text
    index: Index
    party: AccountNumber

    def numbers(self) -> Numbers:
        return (self.party,)


class Resolve(Body, frozen=True, kw_only=True):
    index: Index
    outcome: Literal["upheld", "rejected"]
    reason: Text


class Institution(Body, frozen=True, kw_only=True):
    """A certificate for what an account has given."""

    account: AccountNumber

    def numbers(self) -> Numbers:
        return (self.account,)


class CouponIssue(Body, frozen=True, kw_only=True):
    """A printed book of ``count`` coupons for one recipient; ``root`` is over the leaves of their secrets."""

    account: AccountNumber
    count: Annotated[int, Meta(ge=1, le=COUPONS_MAX)]
    minutes_max: Count
    root: Hash

    def numbers(self) -> Numbers:
        return (self.account,)


class CaseOpen(Body, frozen=True, kw_only=True):
    account: AccountNumber
    entries: Annotated[tuple[Index, ...], Meta(min_length=1)]
    note: Text | None = None
    suspicion: Code

    def numbers(self) -> Numbers:
        return (self.account,)


class CaseStep(Body, frozen=True, kw_only=True):
    case: Index
    note: Text
    step: Literal["remind", "track", "hear"]


class CaseClose(Body, frozen=True, kw_only=True):
    case: Index
    note: Text
    outcome: Literal["cleared", "upheld"]


class Sanction(Body, frozen=True, kw_only=True):
    """``until`` reminds; only a lift ends it."""

    account: AccountNumber
    case: Index
    measure: Literal["suspend", "revoke", "list"]
    until: Date | None = None

    def numbers(self) -> Numbers:
        return (self.account,)


class SanctionLift(Body, frozen=True, kw_only=True):
    reason: Text
    sanction: Index


class Appeal(Body, frozen=True, kw_only=True):
    case: Index
    ground: Text


class FundOpen(Body, frozen=True, kw_only=True):
    fund: Code
    purpose: Code
    title: Text


class FundReceive(Body, frozen=True, kw_only=True):
    fen: Count
    fund: Code
    source: Literal["government", "collective", "society", "individual"]
    voucher: Hash


class FundSpend(Body, frozen=True, kw_only=True):
    fen: Count
    fund: Code
    payee: Text
    purpose: Code
    voucher: Hash


class Assessment(Body, frozen=True, kw_only=True):
    period: Text
    report: Hash
    scores: dict[Code, Annotated[int, Meta(ge=0, le=100)]]
    subject: Text

    def flaw(self) -> str | None:
        return _map_flaw(self.scores)


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an inspection found, and when it is to be mended."""

    code: Code
    due: Date
    text: Text


class Inspection(Body, frozen=True, kw_only=True):
    findings: tuple[Finding, ...]
    subject: Text


class InspectionDone(Body, frozen=True, kw_only=True):
    """``finding`` counts from 0."""

    finding: Index
    inspection: Index
    note: Text


class Risk(Body, frozen=True, kw_only=True):
    figures: dict[Code, Annotated[int, Meta(ge=-INTEGER_MAX, le=INTEGER_MAX)]]
    period: Text

    def flaw(self) -> str | None:
        return _map_flaw(self.figures)


class TransferOut(Body, frozen=True, kw_only=True):
    """Hours leave for an account of another ledger: ``to`` is ``origin#account``."""

    giver: AccountNumber = msgspec.field(name="from")
    minutes: Count
    to: Text

    def numbers(self) -> Numbers:
        return (self.giver,)


class TransferIn(Body, frozen=True, kw_only=True):
    """``proof`` is the receipt of the other ledger's ``transfer_out``."""

    admissions: Admissions
    minutes: Count
    proof: Blob
    to: AccountNumber

    def numbers(self) -> Numbers:
        return (self.to,)


class TransferRefuse(Body, frozen=True, kw_only=True):
    """Hours that came are not taken: ``proof`` is the receipt of the other ledger's ``transfer_out``."""

    admissions: Admissions
    proof: Blob
    reason: Code


class TransferBack(Body, frozen=True, kw_only=True):
    """Our ``transfer_out`` at ``index`` was refused: ``proof`` is the receipt of the other's ``transfer_refuse``."""

    admissions: Admissions
    index: Index
    proof: Blob


class OrgAdmit(Body, frozen=True, kw_only=True):
    """A ledger of the tier below belongs to us, and its node signs by ``vkey``."""

    origin: Text
    tier: Code
    vkey: Text

    def flaw(self) -> str | None:
        if not is_origin(self.origin):
            return "`origin` is not the name of a ledger"
        is_named = is_log_key(self.vkey) and parse_vkey(self.vkey).name == self.origin
        return None if is_named else "`vkey` is not an Ed25519 verifier key with the name `origin`"


class OrgRetire(Body, frozen=True, kw_only=True):
    origin: Text
    reason: Text

    def flaw(self) -> str | None:
        return None if is_origin(self.origin) else "`origin` is not the name of a ledger"


class Anchor(Body, frozen=True, kw_only=True):
    """A ledger's checkpoint, kept in the log of the one that admitted it."""

    checkpoint: Blob
    origin: Text

    def flaw(self) -> str | None:
        return None if is_origin(self.origin) else "`origin` is not the name of a ledger"


def _plain_flaw(value: object) -> str | None:
    """What is wrong with a body's map that no type describes."""
    try:
        format_canonical(value, MAP_LEVEL)
    except EntryError as error:
        return str(error)
    return _map_flaw(value)


def _map_flaw(value: object) -> str | None:
    """The order of its keys, or the length of a string."""
    if isinstance(value, str):
        return None if 1 <= len(value) <= STRING_MAX_CODE_POINTS else "a string in it is empty or too long"
    if isinstance(value, dict) and list(value) != sorted(value):
        return "the keys of a map in it do not rise"
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            flaw = _map_flaw(item)
            if flaw:
                return flaw
    return None
