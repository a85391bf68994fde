"""Who pays for a service at the desk: what is usual for whom is served, and what would do where one cannot pay."""

from dataclasses import dataclass
from typing import Literal

import msgspec

from ledger.bodies import Service
from ledger.state import State
from web.i18n import translate as _
from web.pages.approvals import foretell_order
from web.pages.desk_signing import Desk, order_of
from web.pages.desk_words import PAYERS
from web.text import hours_of

PayerCode = Literal["recipient", "pool", "issue"]
NO_BALANCE = "no-balance"
ABOUT_PAYING = frozenset((NO_BALANCE, "not-funded", "not-yet-redeemable"))


@dataclass(frozen=True, slots=True)
class Unpaid:
    """Why a service is not paid for: whose account, what it has and what is needed, and who else could pay."""

    outcome: str
    account: str
    minutes: int
    needed_minutes: int
    others: tuple[str, ...]

    def told(self, name: str) -> list[str]:
        """That in words; ``name`` is that of the account."""
        lines = []
        if self.outcome == NO_BALANCE:
            text = _("{name} has {has} h on the account, and {needed} h are needed")
            has, needed = hours_of(self.minutes), hours_of(self.needed_minutes)
            lines.append(text.format(name=name, has=has, needed=needed))
        if self.others:
            payers = _(", ").join(_(PAYERS[code]) for code in self.others)
            lines.append(_("under “Paid by” this would do: {payers}").format(payers=payers))
        else:
            lines.append(_("nobody else can pay for it either: hours have to be earned, given or donated first"))
        return lines


def usual_payer(state: State, recipient: str) -> PayerCode:
    """The platform for those in a group whose hours are paid for; others pay themselves."""
    account = state.accounts.get(recipient)
    return "issue" if account is not None and account.funded in state.parameters.funded_groups else "recipient"


def payer_account(service: Service) -> str:
    """The account that a service costs."""
    return service.recipient if service.paid_by == "recipient" else service.paid_by


def find_unpaid(desk: Desk, key: str, service: Service, demand: str, outcome: str) -> Unpaid | None:
    """What to say where the rules refuse a service for its payer; None where they refuse it for something else."""
    if outcome not in ABOUT_PAYING:
        return None
    parameters, account = desk.state.parameters, payer_account(service)
    needed = service.minutes
    if service.paid_by == "recipient":
        needed = max(parameters.redeem_min_minutes, service.minutes - parameters.overdraft_minutes)
    others = [msgspec.structs.replace(service, paid_by=code) for code in PAYERS if code != service.paid_by]
    good = [each.paid_by for each in others if foretell_order(desk, key, order_of(each, demand)) is None]
    return Unpaid(outcome, account, desk.state.accounts[account].balance, needed, tuple(good))
