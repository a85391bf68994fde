"""Rules for hours that travel between ledgers, by way of ``bridge`` (RULES §3, §10).

A ``transfer_out`` ends exactly once: as a ``transfer_in`` on the ledger that it names, or as a ``transfer_refuse``
there and then a ``transfer_back`` here. Whoever carries the proofs may repeat, lose and reorder them.
"""

from chain.limits import INTEGER_MAX
from ledger.bodies import TransferBack, TransferIn, TransferOut, TransferRefuse
from ledger.corrections import entry_at
from ledger.hours import overflows
from ledger.numbers import BRIDGE, POOL, format_address, parse_address
from ledger.proofs import Proof, check_proof, parse_proof, trusted_keys
from ledger.signing import Claim
from ledger.state import Account, Books


def transfer_out(claim: Claim) -> str | None:
    body: TransferOut = claim.entry.body
    accounts = claim.state.accounts
    giver = accounts[body.giver]
    if giver.balance - body.minutes < -claim.state.parameters.overdraft_minutes:
        return "no-balance"
    if overflows(giver, accounts[BRIDGE], body.minutes):
        return "no-balance"
    address = parse_address(body.to)
    return "bad-address" if address is None or address[0] == claim.state.origin else None


def send_hours(claim: Claim, books: Books) -> None:
    body: TransferOut = claim.entry.body
    books.post(claim.index, body.giver, -body.minutes)
    books.post(claim.index, BRIDGE, body.minutes)


def transfer_in(claim: Claim) -> str | None:
    body: TransferIn = claim.entry.body
    state = claim.state
    proven = _proven_transfer(claim)
    if proven is None or proven.entry.body.minutes != body.minutes:
        return "bad-proof"
    if _is_used(claim, proven):
        return "already-used"
    if proven.entry.body.to != format_address(state.origin, body.to):
        return "wrong-target"
    return "no-balance" if _overflows(claim, state.accounts[body.to], body.minutes) else None


def take_hours(claim: Claim, books: Books) -> None:
    body: TransferIn = claim.entry.body
    _use_proof(claim, books)
    books.post(claim.index, BRIDGE, -body.minutes)
    books.credit(claim.index, body.to, body.minutes, claim.index)


def transfer_refuse(claim: Claim) -> str | None:
    proven = _proven_transfer(claim)
    if proven is None or not _is_for_us(claim, proven):
        return "bad-proof"
    return "already-used" if _is_used(claim, proven) else None


def refuse_hours(claim: Claim, books: Books) -> None:
    _use_proof(claim, books)


def transfer_back(claim: Claim) -> str | None:
    body: TransferBack = claim.entry.body
    sent = entry_at(claim.state, claim.read, body.index)
    if sent is None or not isinstance(sent.body, TransferOut) or not _is_refused(claim, sent.body):
        return "bad-proof"
    if body.index in claim.state.returned:
        return "already-used"
    accounts = claim.state.accounts
    return "no-balance" if overflows(accounts[BRIDGE], accounts[sent.body.giver], sent.body.minutes) else None


def take_hours_back(claim: Claim, books: Books) -> None:
    """To the account that gave them, whatever has become of it; its own hours meet no ceiling."""
    body: TransferBack = claim.entry.body
    sent: TransferOut = claim.read(body.index).body
    books.state.returned.add(body.index)
    books.post(claim.index, BRIDGE, -sent.minutes)
    books.post(claim.index, sent.giver, sent.minutes)


def _proven_transfer(claim: Claim) -> Proof | None:
    """The ``transfer_out`` of another ledger that the claim's proof is of."""
    proven = _prove(claim)
    if proven is None or proven.origin == claim.state.origin:
        return None
    return proven if isinstance(proven.entry.body, TransferOut) else None


def _prove(claim: Claim) -> Proof | None:
    body: TransferIn | TransferRefuse | TransferBack = claim.entry.body
    return check_proof(body.proof, body.admissions, trusted_keys(claim.state))


def _is_for_us(claim: Claim, proven: Proof) -> bool:
    """Whether the ``transfer_out`` names this ledger, if it names any."""
    address = parse_address(proven.entry.body.to)
    return address is not None and address[0] == claim.state.origin


def _is_used(claim: Claim, proven: Proof) -> bool:
    return proven.index in claim.state.used_proofs.get(proven.origin, ())


def _use_proof(claim: Claim, books: Books) -> None:
    """Mark what an accepted proof is of."""
    proof = parse_proof(claim.entry.body.proof)
    if proof is None:
        raise RuntimeError("a proof was accepted that is none")
    books.state.used_proofs.setdefault(proof.origin, set()).add(proof.index)


def _is_refused(claim: Claim, sent: TransferOut) -> bool:
    """Whether the claim's proof is of a refusal, by the ledger that it was sent to, of our ``transfer_out``."""
    refusal, address = _prove(claim), parse_address(sent.to)
    if refusal is None or address is None or refusal.origin != address[0]:
        return False
    if not isinstance(refusal.entry.body, TransferRefuse):
        return False
    refused = parse_proof(refusal.entry.body.proof)
    if refused is None or refused.entry.body != sent:
        return False
    return (refused.origin, refused.index) == (claim.state.origin, claim.entry.body.index)


def _overflows(claim: Claim, payee: Account, minutes: int) -> bool:
    """Whether a balance would leave the integers that an entry can hold, the pool's too where there is a ceiling."""
    state = claim.state
    if state.parameters.balance_max_minutes and state.accounts[POOL].balance + minutes > INTEGER_MAX:
        return True
    return overflows(state.accounts[BRIDGE], payee, minutes)
