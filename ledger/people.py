"""Rules for keys, accounts, credentials and kin (RULES §1, §3).

Each rule reads as a ladder in the order of RULES.md and answers an outcome or None; the function that follows it makes
the entry true.
"""

from chain.keys import key_id
from chain.limits import INTEGER_MAX
from ledger.bodies import (
    AccountClose,
    AccountOpen,
    AccountUpdate,
    CredentialGrant,
    CredentialRevoke,
    KeyGrant,
    KeyRevoke,
    KinLink,
    KinUnlink,
)
from ledger.numbers import POOL, has_check_digits
from ledger.roster import AUTHORITY, GRANTABLE, MEMBER, NODE, Key
from ledger.signing import Claim
from ledger.state import CLOSED, OPEN, Account, Books


def key_grant_first(claim: Claim) -> str | None:
    body: KeyGrant = claim.entry.body
    return None if body.role in GRANTABLE else "role-not-grantable"


def key_grant(claim: Claim) -> str | None:
    body: KeyGrant = claim.entry.body
    return "key-exists" if key_id(body.key) in claim.state.roster.keys else None


def grant_key(claim: Claim, books: Books) -> None:
    body: KeyGrant = claim.entry.body
    books.state.roster.add(
        Key(id=key_id(body.key), public=body.key, role=body.role, account=body.account, until=body.until)
    )


def key_revoke_first(claim: Claim) -> str | None:
    body: KeyRevoke = claim.entry.body
    key = claim.state.roster.keys.get(body.key_id)
    if key is not None and key.role == NODE:
        return "role-not-grantable"
    return "no-such-key" if key is None or key.revoked else None


def key_revoke(claim: Claim) -> str | None:
    state, key = claim.state, claim.state.roster.keys[claim.entry.body.key_id]
    if key.role not in (MEMBER, AUTHORITY):
        return None
    others = {
        other.person
        for other in state.roster.keys.values()
        if other.role == key.role and other is not key and other.counts_at(claim.time)
    }
    if key.role == MEMBER:
        return "last-member" if len(others) < state.threshold else None
    return "last-authority" if state.has_authority and len(others) < 2 else None


def revoke_key(claim: Claim, books: Books) -> None:
    books.state.roster.keys[claim.entry.body.key_id].revoked = True


def account_open_first(claim: Claim) -> str | None:
    body: AccountOpen = claim.entry.body
    return None if has_check_digits(body.account) else "bad-check-digits"


def account_open(claim: Claim) -> str | None:
    body: AccountOpen = claim.entry.body
    return "account-exists" if body.account in claim.state.accounts else _account(claim, body)


def account_update(claim: Claim) -> str | None:
    return _account(claim, claim.entry.body)


def _account(claim: Claim, body: AccountOpen | AccountUpdate) -> str | None:
    state = claim.state
    if body.minor:
        guardian = state.accounts.get(body.guardian or "")
        if guardian is None or guardian.number == body.account or guardian.minor or guardian.status != OPEN:
            return "minor-needs-guardian"
    if body.funded is not None and body.funded not in state.parameters.funded_groups:
        return "unknown-group"
    return None


def open_account(claim: Claim, books: Books) -> None:
    body: AccountOpen = claim.entry.body
    account = Account(number=body.account, position=len(books.state.accounts), holder=body.holder)
    _describe(account, body)
    books.open(account)


def update_account(claim: Claim, books: Books) -> None:
    body: AccountUpdate = claim.entry.body
    _describe(books.state.accounts[body.account], body)


def _describe(account: Account, body: AccountOpen | AccountUpdate) -> None:
    account.volunteer = body.volunteer
    account.elder = body.elder
    account.redeemable = body.redeemable
    account.minor = body.minor
    account.visitor = body.visitor
    account.guardian = body.guardian
    account.funded = body.funded
    account.band = body.band


def account_close(claim: Claim) -> str | None:
    body: AccountClose = claim.entry.body
    account = claim.state.accounts[body.account]
    if account.held or account.balance < 0 or (account.balance and body.to is None):
        return "balance-left"
    if body.to not in (None, POOL) and body.to not in account.kin:
        return "not-kin"
    heirs = () if body.to is None else (POOL, body.to)
    is_too_much = any(claim.state.accounts[heir].balance + account.balance > INTEGER_MAX for heir in heirs)
    return "balance-left" if is_too_much else None


def close_account(claim: Claim, books: Books) -> None:
    body: AccountClose = claim.entry.body
    account = books.state.accounts[body.account]
    if account.balance and body.to is not None:
        minutes = account.balance
        books.post(claim.index, account.number, -minutes)
        books.credit(claim.index, body.to, minutes, claim.index)
    books.set_status(account, CLOSED)


def grant_credential(claim: Claim, books: Books) -> None:
    body: CredentialGrant = claim.entry.body
    books.state.accounts[body.account].credentials.setdefault(body.scope, []).append(body.until)


def credential_revoke(claim: Claim) -> str | None:
    body: CredentialRevoke = claim.entry.body
    return None if body.scope in claim.state.accounts[body.account].credentials else "no-credential"


def revoke_credential(claim: Claim, books: Books) -> None:
    body: CredentialRevoke = claim.entry.body
    del books.state.accounts[body.account].credentials[body.scope]


def kin_link(claim: Claim) -> str | None:
    body: KinLink = claim.entry.body
    if body.relation not in claim.state.parameters.kin_relations or body.person == body.relative:
        return "relation-not-allowed"
    return "already-kin" if body.relative in claim.state.accounts[body.person].kin else None


def link_kin(claim: Claim, books: Books) -> None:
    body: KinLink = claim.entry.body
    accounts = books.state.accounts
    accounts[body.person].kin.add(body.relative)
    accounts[body.relative].kin.add(body.person)


def kin_unlink(claim: Claim) -> str | None:
    body: KinUnlink = claim.entry.body
    return None if body.relative in claim.state.accounts[body.person].kin else "not-kin"


def unlink_kin(claim: Claim, books: Books) -> None:
    body: KinUnlink = claim.entry.body
    accounts = books.state.accounts
    accounts[body.person].kin.discard(body.relative)
    accounts[body.relative].kin.discard(body.person)
