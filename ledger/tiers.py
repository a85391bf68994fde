"""Rules for the ledgers of the tier below: admitted, retired, anchored (RULES §3, §10)."""

from chain.checkpoint import Checkpoint, open_checkpoint
from chain.errors import NoteError
from chain.note import parse_vkey, verify_signature
from ledger.bodies import Anchor, OrgAdmit, OrgRetire
from ledger.signing import Claim
from ledger.state import Admission, Anchored, Books

TIER_BELOW = {"city": "county", "county": "township", "township": "village"}


def org_admit(claim: Claim) -> str | None:
    body: OrgAdmit = claim.entry.body
    state = claim.state
    if body.origin in state.admitted or body.origin == state.origin:
        return "already-admitted"
    return None if body.tier == TIER_BELOW.get(state.tier) else "wrong-tier"


def admit_ledger(claim: Claim, books: Books) -> None:
    body: OrgAdmit = claim.entry.body
    books.state.admitted[body.origin] = Admission(claim.index, body.vkey, body.tier)


def org_retire(claim: Claim) -> str | None:
    body: OrgRetire = claim.entry.body
    return None if body.origin in claim.state.admitted else "not-admitted"


def retire_ledger(claim: Claim, books: Books) -> None:
    body: OrgRetire = claim.entry.body
    del books.state.admitted[body.origin]


def anchor(claim: Claim) -> str | None:
    body: Anchor = claim.entry.body
    state = claim.state
    admission = state.admitted.get(body.origin)
    if admission is None:
        return "not-admitted"
    checkpoint = _signed_checkpoint(body, admission.vkey)
    if checkpoint is None:
        return "bad-checkpoint"
    last = state.anchors.get(body.origin)
    if last is None or checkpoint.size > last.size:
        return None
    return None if (checkpoint.size, checkpoint.root) == (last.size, last.root) else "bad-checkpoint"


def keep_anchor(claim: Claim, books: Books) -> None:
    body: Anchor = claim.entry.body
    checkpoint, _ = open_checkpoint(body.checkpoint)
    books.state.anchors[body.origin] = Anchored(claim.index, checkpoint.size, checkpoint.root)


def _signed_checkpoint(body: Anchor, vkey: str) -> Checkpoint | None:
    """The checkpoint, if it is of that ledger and signed by the key it was admitted with."""
    try:
        checkpoint, note = open_checkpoint(body.checkpoint)
    except NoteError:
        return None
    key = parse_vkey(vkey)
    is_signed = any(verify_signature(key, note.text, line) for line in note.signatures)
    return checkpoint if is_signed and checkpoint.origin == body.origin else None
