"""The way back to a form that was refused, filled with what it said; of people only account numbers stand in it."""

from typing import Any
from urllib.parse import urlencode

from ledger.bodies import AccountOpen, CouponIssue, Dispute, KeyGrant, KeyRevoke, Resolve, Reverse, Service
from web.daysheet import interval
from web.pages.desk_service import EVIDENCES
from web.pages.desk_words import Words

SIMPLY: dict[type[Any], str] = {
    AccountOpen: "/people/open",
    CouponIssue: "/desk/coupons",
    KeyGrant: "/people/keys",
    KeyRevoke: "/people/keys",
    Resolve: "/desk/objections",
}
"""Where the form is that holds nothing of what was refused: it said more than may stand in an address."""


def address_again(body: Any, words: Words) -> str:
    """Where something like it is written down; "" where no page of the desk does that."""
    if isinstance(body, Service):
        return f"/desk/record?{urlencode(_record(body, words))}"
    if isinstance(body, Dispute):
        return f"/desk/objections?entry={body.index}"
    if isinstance(body, Reverse):
        return f"/desk/entries/{body.index}"
    if type(body) in SIMPLY:
        return SIMPLY[type(body)]
    number = next((number for number in body.numbers() if number and number.isdigit()), "")
    return f"/people/{number}" if number else ""


def _record(body: Service, words: Words) -> dict[str, str]:
    """The fields of ``/desk/record``."""
    start, end = words.clock(body.start), words.clock(body.end)
    first, last = (words.local(time).hour * 60 + words.local(time).minute for time in (body.start, body.end))
    since, until = interval(first, last)
    is_whole = int((until - since).total_seconds()) // 60 == body.minutes
    return {
        "provider": body.provider,
        "recipient": body.recipient,
        "date": words.day(body.start),
        "start": start,
        "end": end,
        "what": f"{body.category}/{body.local}" if body.local else body.category,
        "paid_by": body.paid_by,
        "evidence": body.evidence.form if body.evidence.form in EVIDENCES else EVIDENCES[0],
    } | ({} if is_whole else {"minutes": str(body.minutes)})
