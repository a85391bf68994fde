"""From a confirmed visit to a statement that waits for its second signature: a click, and a coupon where there is one.

The times are those of the visit: asked, accepted, begun and ended. What shows the service (RULES §4): a coupon; or
paper, of which the ledger has the hash of one row of a day sheet, as of every record at the desk. What volunteer and
elder sign in their browsers is recorded by themselves, without the desk; ``Table.follow`` then finds it on the ledger.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import msgspec

from care.requests import CONFIRMED, PROPOSE, RECORD, Request, Share, Step, Visit, shares
from ledger.bodies import Evidence, Service
from ledger.state import State
from web.access.who import Who
from web.coupons import Shelf, coupon_evidence, parse_coupon
from web.i18n import translate as _
from web.pages.approvals import propose_all
from web.pages.desk_service import paper_row
from web.pages.desk_signing import CLERK_ALONE, CLERK_MEMBER, RECORDED, REFUSED, Decision, order_of
from web.pages.desk_words import PAYERS, why
from web.pages.forms import Form
from web.pages.requests_kit import STAFF, RequestKit, Table
from web.pages.requests_words import told
from web.problems import DeskError
from web.table import BadRowError

PayerCode = Literal["recipient", "pool", "issue"]
SHEET = "request-{number}"


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose hours a service may cost."""

    code: str
    text: str


def payers_of(state: State, request: Request) -> list[Payer]:
    """Those that the rules allow for all recipients, the usual one first."""
    accounts = [state.accounts[number] for number in request.recipients if number in state.accounts]
    codes: list[str] = []
    if all(account.redeemable for account in accounts):
        codes.append("recipient")
    if all(account.funded in state.parameters.funded_groups for account in accounts):
        codes += ["issue", "pool"]
    enough = all(account.balance >= request.minutes for account in accounts)
    if "recipient" in codes and not enough:
        codes = [code for code in codes if code != "recipient"] + ["recipient"]
    return [Payer(code, PAYERS[code]) for code in codes or ["recipient"]]


async def record_visit(care: RequestKit, who: Who, number: int, account: str, form: Form) -> tuple[str, bool]:
    """Propose what a visit comes to on the ledger; what to say, and whether it went well."""
    payer = form.choice(f"payer-{account}", PAYERS)
    minutes = form.number(f"minutes-{account}", 1, 1_440)
    coupon = form.text(f"coupon-{account}", 200)
    if form.flaws or minutes is None:
        return next(iter(form.flaws.values())), False
    async with care.recording:
        try:
            bodies = await care.ask(
                lambda table: _bodies(care, table, number, account, cast(PayerCode, payer), minutes, coupon)
            )
        except BadRowError as error:
            return _("the coupon cannot be used: {why}").format(why=error), False
        if isinstance(bodies, str):
            return told(bodies), False
        sheet = SHEET.format(number=number) if len(bodies) > 1 else ""
        orders = [order_of(body, CLERK_ALONE if coupon else CLERK_MEMBER, sheet) for body in bodies]
        decisions = await propose_all(care.kit, who, orders)
        await care.ask(lambda table: _note(table, number, account, decisions))
    return _told(decisions)


def _told(decisions: Sequence[Decision]) -> tuple[str, bool]:
    refused = [decision for decision in decisions if decision.state == REFUSED]
    if refused:
        return _("not possible: {why}").format(why=why(refused[0].outcome, refused[0].detail)), False
    if all(decision.state == RECORDED for decision in decisions):
        return _("recorded as entry {index}").format(index=decisions[0].entry), True
    return _("noted; a committee member certifies it next"), True


def _note(table: Table, number: int, account: str, decisions: Sequence[Decision]) -> None:
    """Have the visit name what became of it: the drafts that wait, those of a group that were refused left out."""
    step = Step(kind=PROPOSE, by=STAFF, at=table.now, volunteer=account)
    kept = [decision for decision in decisions if decision.state != REFUSED]
    if kept and all(decision.state == RECORDED for decision in kept):
        table.take(number, msgspec.structs.replace(step, kind=RECORD, index=kept[0].entry))
    elif kept:
        table.take(number, msgspec.structs.replace(step, draft=" ".join(str(each.draft) for each in kept)))


def _bodies(
    care: RequestKit, table: Table, number: int, account: str, payer: PayerCode, minutes: int, coupon: str
) -> list[Service] | str:
    """What the ledger would say of the visit, a statement for each recipient; or the outcome why not."""
    request = table.book.request(number)
    visit = None if request is None else request.visit(account)
    if request is None or visit is None or visit.stage != CONFIRMED:
        return "not-confirmed"
    if visit.draft:
        return "proposed-already"
    parts = shares(request, visit, minutes, table.state.parameters.unit_minutes)
    if not parts or (coupon and len(parts) > 1):
        return "too-few-minutes" if not parts else "one-coupon-for-one"
    shown_by = _coupon(care, table, coupon, visit) if coupon else None
    return [_service(table, request, visit, part, payer, shown_by) for part in parts]


def _coupon(care: RequestKit, table: Table, text: str, visit: Visit) -> Evidence:
    checkin, checkout = visit.checkin, visit.checkout
    if checkin is None or checkout is None:
        raise DeskError(_("the service has not ended yet: the volunteer checks out first"))
    coupon = parse_coupon(text, table.node.origin)
    return coupon_evidence(coupon, table.state, Shelf(care.kit.home), checkin.said_at, checkout.said_at)


def _service(
    table: Table, request: Request, visit: Visit, part: Share, payer: PayerCode, shown_by: Evidence | None
) -> Service:
    state = table.state
    provider = state.accounts.get(visit.volunteer)
    made = Service(
        accepted=visit.accepted_at,
        category=request.category,
        end=part.ends_at,
        evidence=shown_by or Evidence(form="paper", hash=bytes(32)),
        group=request.group or None,
        guardian=provider.guardian if provider is not None and provider.minor else None,
        local=request.local or None,
        minutes=part.minutes,
        paid_by=payer,
        provider=visit.volunteer,
        rating=visit.rating,
        recipient=part.recipient,
        requested=request.requested_at,
        start=part.starts_at,
    )
    if shown_by is not None:
        return made
    local, end = part.starts_at + state.utc_offset, part.ends_at + state.utc_offset
    row = paper_row(local.date(), local.time(), end.time(), made)
    return msgspec.structs.replace(made, evidence=Evidence(form="paper", hash=hashlib.sha256(row).digest()))

