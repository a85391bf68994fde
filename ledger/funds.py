"""Rules for money: funds with a purpose, four sources, spending by voucher (RULES §8). Amounts are in fen."""

from chain.limits import INTEGER_MAX
from ledger.bodies import FundOpen, FundReceive, FundSpend
from ledger.numbers import FEN, OUTSIDE, fund_number
from ledger.signing import Claim
from ledger.state import FUND, Account, Books


def fund_open(claim: Claim) -> str | None:
    body: FundOpen = claim.entry.body
    return "account-exists" if body.fund in claim.state.funds else None


def open_fund(claim: Claim, books: Books) -> None:
    body: FundOpen = claim.entry.body
    number = fund_number(body.fund)
    books.open(Account(number=number, position=len(books.state.accounts), holder=FUND, unit=FEN))
    books.state.funds[body.fund] = body.purpose


def fund_receive(claim: Claim) -> str | None:
    body: FundReceive = claim.entry.body
    accounts = claim.state.accounts
    if body.fund not in claim.state.funds:
        return "no-account"
    fullest = max(accounts[fund_number(body.fund)].balance, -accounts[OUTSIDE].balance)
    return "no-balance" if fullest + body.fen > INTEGER_MAX else None


def receive_money(claim: Claim, books: Books) -> None:
    body: FundReceive = claim.entry.body
    books.post(claim.index, OUTSIDE, -body.fen)
    books.post(claim.index, fund_number(body.fund), body.fen)


def fund_spend(claim: Claim) -> str | None:
    body: FundSpend = claim.entry.body
    purpose = claim.state.funds.get(body.fund)
    if purpose is None:
        return "no-account"
    if body.purpose != purpose:
        return "wrong-purpose"
    return "no-funds" if claim.state.accounts[fund_number(body.fund)].balance < body.fen else None


def spend_money(claim: Claim, books: Books) -> None:
    body: FundSpend = claim.entry.body
    books.post(claim.index, fund_number(body.fund), -body.fen)
    books.post(claim.index, OUTSIDE, body.fen)
