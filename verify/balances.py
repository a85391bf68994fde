"""Checks all balances of a ledger at once, off line: they are the leaves of the tree that a seal states (FORMAT §7).

    policy = trust_by_admissions(policy, origin, receipts)    # where the trust file pins only a ledger above
    proven = check_balances(raw, leaves, policy)              # raw: the receipt of any one balance

Nothing is believed of whoever hands these out. An admission shows whose key a ledger signs by; that it was not retired
since, or that a key was not replaced, it does not show.
"""

from collections.abc import Sequence
from dataclasses import replace

from chain.block import Seal
from chain.merkle import leaf_hash, levels_of
from chain.note import ED25519, format_vkey, parse_vkey
from chain.policy import Policy
from ledger.bodies import OrgAdmit
from ledger.proofs import check_proof
from ledger.state import Account
from verify.receipts import Proven, ReceiptError, StateLeaf, check_receipt


def pins(policy: Policy, origin: str) -> bool:
    """Whether a key of that ledger is pinned."""
    return any(vkey.name == origin and vkey.type == ED25519 for vkey in policy.logs)


def trust_by_admissions(policy: Policy, origin: str, receipts: Sequence[bytes]) -> Policy:
    """The same trust with the key of ``origin`` pinned too, which receipts of ``org_admit`` entries lead to.

    Raises ReceiptError where they do not lead from a pinned key to that ledger.
    """
    if not receipts:
        raise ReceiptError(f"nothing leads from a pinned key to {origin}")
    pinned = [format_vkey(vkey) for vkey in policy.logs if vkey.type == ED25519]
    proof = check_proof(receipts[-1], receipts[:-1], pinned)
    if proof is None or not isinstance(proof.entry.body, OrgAdmit) or proof.entry.body.origin != origin:
        raise ReceiptError(f"the admissions do not lead from a pinned key to {origin}")
    return replace(policy, logs=(*policy.logs, parse_vkey(proof.entry.body.vkey)))


def check_balances(raw: bytes, leaves: Sequence[StateLeaf], policy: Policy) -> Proven:
    """That ``leaves``, in order of their positions, are what all accounts had at the seal of the balance receipt.

    Raises ReceiptError.
    """
    proven = check_receipt(raw, policy)
    seal = proven.entry.body
    if proven.balance is None or not isinstance(seal, Seal):
        raise ReceiptError("it is no receipt of a balance")
    if len(leaves) != seal.accounts or levels_of([leaf_hash(_bytes(leaf)) for leaf in leaves])[-1] != [seal.state]:
        raise ReceiptError("the balances are not those that the seal states")
    return proven


def _bytes(leaf: StateLeaf) -> bytes:
    return Account(
        number=leaf.account, position=0, balance=leaf.balance, held=leaf.held, status=leaf.status, unit=leaf.unit
    ).leaf()
