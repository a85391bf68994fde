"""What would become of a service: what the rules say, the balances afterwards, and what to look at again."""

from dataclasses import dataclass, field

from fastapi import Request

from ledger.bodies import COUPON, Service
from ledger.numbers import POOL
from web.access.who import Who
from web.i18n import translate as _
from web.pages.approvals import at_desk, foretell_order, known
from web.pages.desk_doubles import LINE, Mark, overlaps, warning
from web.pages.desk_payers import Unpaid, find_unpaid, payer_account
from web.pages.desk_recorded import Recorded
from web.pages.desk_signing import CLERK_ALONE, CLERK_MEMBER, NO_KEY, RECORDED_ALREADY, Desk, order_of
from web.pages.desk_words import PAYERS, why
from web.pages.kit import Kit
from web.pages.names import Names
from web.text import hours_of

AT_HAND = Mark(LINE, 0)


@dataclass(frozen=True, slots=True)
class Preview:
    """What the rules say before anything is written; ``warnings`` keep nobody from recording it."""

    is_good: bool
    lines: list[str]
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Foretold:
    """The same of the ledger alone, without names."""

    outcome: str
    detail: str = ""
    unpaid: Unpaid | None = None
    provider_minutes: int = 0
    payer_minutes: int = 0
    others: tuple[Mark, ...] = ()
    """What the provider does at the same time."""


def demand_of(service: Service) -> str:
    """Who signs: with a coupon the clerk alone."""
    return CLERK_ALONE if service.evidence.form == COUPON else CLERK_MEMBER


async def preview(kit: Kit, names: Names, request: Request, who: Who, service: Service) -> Preview:
    """What would become of a service that somebody records."""
    found = await at_desk(kit, lambda desk: foretell_service(desk, who, service))
    asked = [service.provider, service.recipient]
    shown = await known(names, request, who, asked)
    people = {number: shown.get(number) or number for number in asked} | {POOL: _(PAYERS["pool"])}
    if found.outcome:
        lines = [_("not possible: {why}").format(why=why(found.outcome, found.detail))]
        if found.unpaid is not None:
            lines += found.unpaid.told(people.get(found.unpaid.account, found.unpaid.account))
        return Preview(False, lines)
    after = {service.provider: found.provider_minutes + service.minutes}
    if service.paid_by != "issue":
        after[payer_account(service)] = found.payer_minutes - service.minutes
    text = _("{name} then has {hours} h")
    lines = [
        _("{hours} hours").format(hours=hours_of(service.minutes)),
        _("paid by: {payer}").format(payer=_(PAYERS[service.paid_by])),
        *(text.format(name=people[number], hours=hours_of(minutes)) for number, minutes in after.items()),
    ]
    return Preview(True, lines, list(dict.fromkeys(map(warning, found.others))))


def foretell_service(desk: Desk, who: Who, service: Service) -> Foretold:
    """What the rules would say of it, recorded by somebody now."""
    key, accounts = desk.key_for(who), desk.state.accounts
    if not key:
        return Foretold(NO_KEY)
    if Recorded(desk.node).index(service) is not None:
        return Foretold(RECORDED_ALREADY)
    demand = demand_of(service)
    refused = foretell_order(desk, key, order_of(service, demand))
    if refused is not None:
        unpaid = find_unpaid(desk, key, service, demand, refused.outcome)
        return Foretold(refused.outcome, refused.detail, unpaid)
    others = tuple(overlaps(desk, [(AT_HAND, service)])[AT_HAND])
    provider, payer = accounts[service.provider].balance, accounts[payer_account(service)].balance
    return Foretold("", "", None, provider, payer, others)
