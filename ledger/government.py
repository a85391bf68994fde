"""Rules for the ledger's own constitution: genesis, parameters and the node's key (RULES §1, §3)."""

from chain.keys import key_id
from ledger.bodies import Genesis, NodeRotate, Params
from ledger.parameters import Parameters, parse_parameters
from ledger.roster import AUTHORITY, MEMBER, NODE, Key
from ledger.signing import Claim
from ledger.state import Books, system_accounts

THRESHOLD_MIN, THRESHOLD_MAX = 2, 7
AUTHORITIES_MIN = 2


def genesis(claim: Claim) -> str | None:
    body: Genesis = claim.entry.body
    if body.origin != claim.state.origin:
        return "no-genesis"
    members = {founder.account or key_id(founder.key) for founder in body.members if founder.role == MEMBER}
    authorities = {founder.account or key_id(founder.key) for founder in body.members if founder.role == AUTHORITY}
    if not THRESHOLD_MIN <= body.threshold <= min(THRESHOLD_MAX, len(members)):
        return "bad-threshold"
    if (body.parent is None) != (body.parent_vkey is None):
        return "bad-threshold"
    if body.parent is not None and len(authorities) < AUTHORITIES_MIN:
        return "bad-threshold"
    parameters = parse_parameters(body.params)
    return parameters if isinstance(parameters, str) else None


def found(claim: Claim, books: Books) -> None:
    body: Genesis = claim.entry.body
    state = books.state
    state.tier = body.tier
    state.parent, state.parent_vkey = body.parent, body.parent_vkey
    state.threshold = body.threshold
    state.has_authority = any(founder.role == AUTHORITY for founder in body.members)
    state.mldsa = body.mldsa
    state.set_parameters(_parsed(body.params), 0)
    for founder in body.members:
        state.roster.add(
            Key(id=key_id(founder.key), public=founder.key, role=founder.role, account=founder.account)
        )
    state.roster.add(claim.author)
    state.roster.node = claim.author.id
    for account in system_accounts():
        books.open(account)


def node_rotate(claim: Claim) -> str | None:
    """The new key signs beside as a stranger; an old one has been on the log."""
    body: NodeRotate = claim.entry.body
    return "key-exists" if key_id(body.key) in claim.state.roster.keys else None


def rotate_node(claim: Claim, books: Books) -> None:
    body: NodeRotate = claim.entry.body
    roster = books.state.roster
    roster.keys[roster.node].revoked = True
    new = key_id(body.key)
    roster.add(Key(id=new, public=body.key, role=NODE))
    roster.node = new
    books.state.mldsa = body.mldsa


def params(claim: Claim) -> str | None:
    body: Params = claim.entry.body
    if body.version != claim.state.parameters_version + 1:
        return "bad-version"
    parameters = parse_parameters(body.params)
    return parameters if isinstance(parameters, str) else None


def set_params(claim: Claim, books: Books) -> None:
    body: Params = claim.entry.body
    books.state.set_parameters(_parsed(body.params), body.version)


def _parsed(plain: dict[str, object]) -> Parameters:
    parameters = parse_parameters(plain)
    if isinstance(parameters, str):
        raise RuntimeError(f"parameters were accepted that are not: {parameters}")
    return parameters
