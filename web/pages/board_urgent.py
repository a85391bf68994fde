"""What needs a person today, the most urgent first: each a sentence of what is the matter, and one of what to do.

    items = urgent(seen, today)          # pure: the same facts give the same list

The order is that of what is lost by waiting: a ledger that shows two histories can be used against somebody at once; a
decision that was taken waits only for its signature; a fund that is low has some weeks. Nothing here is a verdict:
suspicions are questions (RULES §6).
"""

import datetime
from collections.abc import Iterator
from typing import NamedTuple

from ledger.matters import APPEAL, CASE, DISPUTE, FINDING, SANCTION, Matter
from store.mirror import FINDINGS, FORKED, ROLLED_BACK
from web.findings import SUSPICIONS
from web.i18n import marked
from web.i18n import translate as _
from web.pages.board_facts import Known, Seen
from web.text import MEASURES, named

DAY_SECONDS = 86_400
CASE_DAYS, DISPUTE_DAYS = 30, 14
"""So long a case and a dispute may wait before somebody is asked about them."""
LOW_FUND_SHARE = 10
"""A fund is low where less than one part in so many is left of all that came in."""
PAPER_SHARE, PAPER_LEAST = 0.9, 20
"""So large a share of services on paper alone, of at least so many, asks for a visit."""

BAD, WARN, SOON = "bad", "warn", "still"
URGENCIES = {BAD: marked("at once"), WARN: marked("today"), SOON: marked("this month")}

HEAVY = ("overlap", "impossible", "ring", "same_certifier", "burst")
"""Suspicions that two honest people seldom explain; these come first."""

WHAT_ALARMS = {
    FORKED: marked("has signed two histories of its ledger"),
    ROLLED_BACK: marked("shows an older state than it has shown before"),
    FINDINGS: marked("its entries do not stand up to the audit"),
}


class Item(NamedTuple):
    """One matter for one person."""

    rank: int
    since_seconds: int
    ledger: str
    urgency: str
    what: str
    todo: str
    link: str


def urgent(seen: Seen, today: datetime.date, now_seconds: int) -> list[Item]:
    """All of it, sorted: by rank, then what waits longest."""
    items = [item for known in seen.ledgers.values() for item in _of_ledger(known, today, now_seconds)]
    return sorted(items)


def _of_ledger(known: Known, today: datetime.date, now_seconds: int) -> Iterator[Item]:
    yield from _of_state(known)
    yield from _of_suspicions(known)
    for matter in known.matters:
        yield from _of_matter(known, matter, today, now_seconds)
    yield from _of_funds(known)
    yield from _of_evidence(known)


def _of_state(known: Known) -> Iterator[Item]:
    row, place = known.row, address(known.row.origin)
    since = row.pulled_seconds or row.sealed_seconds or 0
    told = {alarm.code for alarm in known.alarms}
    for alarm in known.alarms:
        rank = 0 if alarm.code in (FORKED, ROLLED_BACK) else 1
        what = _(WHAT_ALARMS[alarm.code]) if alarm.code in WHAT_ALARMS else _("alarm: {what}").format(what=alarm.detail)
        todo = _("Look at the evidence, call the committee, and mark it as seen, or `huzhu alarms --seen {number}`.")
        yield Item(rank, alarm.at_seconds, row.origin, BAD, what, todo.format(number=alarm.id), f"{place}#alarms")
    if row.state in (FORKED, ROLLED_BACK) and row.state not in told:
        todo = _("Nothing is taken from it until a person decides: `huzhu mirror release` says how.")
        yield Item(0, since, row.origin, BAD, _(WHAT_ALARMS[row.state]), todo, place)
    if row.findings and FINDINGS not in told:
        what = _("its entries do not stand up to the audit: {count} findings").format(count=row.findings)
        todo = _("Audit it yourself with `huzhu verify`, and ask the committee to explain each finding.")
        yield Item(1, since, row.origin, BAD, what, todo, place)
    if known.is_silent:
        what = _("has not sealed for too long") if row.sealed_seconds else _("nothing has come from it yet")
        todo = _("Call the committee: is the computer off, or the line down?")
        if known.trouble:
            todo = _("{todo} The last try said: {trouble}").format(todo=todo, trouble=known.trouble)
        yield Item(6, row.sealed_seconds or 0, row.origin, WARN, what, todo, place)


def _of_suspicions(known: Known) -> Iterator[Item]:
    if not known.suspicions:
        return
    sorts = sorted(known.suspicions, key=lambda each: (each.code not in HEAVY, -each.number))
    first, count = sorts[0], sum(each.number for each in sorts)
    meaning = named(SUSPICIONS, first.code)
    what = _("suspicion: {meaning}").format(meaning=meaning)
    if count > 1:
        text = _("{count} suspicions that nobody has looked into; among them: {meaning}")
        what = text.format(count=count, meaning=meaning)
    todo = _("Look at the entries behind it, hear the person, and open a case where it cannot be explained.")
    rank, urgency = (3, BAD) if first.code in HEAVY else (5, WARN)
    link = f"{address(known.row.origin)}/suspicions"
    yield Item(rank, known.row.sealed_seconds or 0, known.row.origin, urgency, what, todo, link)


def _of_matter(known: Known, matter: Matter, today: datetime.date, now_seconds: int) -> Iterator[Item]:
    origin = known.row.origin
    place, since = address(origin), matter.since_seconds
    days = (now_seconds - since) // DAY_SECONDS
    is_due = bool(matter.due) and datetime.date.fromisoformat(matter.due) < today
    case = f"{place}/cases/{matter.place if matter.kind == APPEAL else matter.entry_index}"
    if matter.kind == CASE and matter.outcome == "upheld":
        what = _("case {case} was upheld, and nothing is decided about account {account}")
        todo = _("Decide what follows: two of the tier above impose a sanction, or say why none.")
        if known.members_decide:
            todo = _("Decide what follows: the members impose a sanction, or say why none.")
        what = what.format(case=matter.entry_index, account=matter.account)
        yield Item(2, since, origin, BAD, what, todo, case)
    if matter.kind == APPEAL:
        what = _("account {account} objects to what was imposed in case {case}")
        todo = _("Read it, hear the person, and lift the sanction or say why not.")
        yield Item(4, since, origin, WARN, what.format(account=matter.account, case=matter.place), todo, case)
    if matter.kind == CASE and not matter.outcome and days > CASE_DAYS:
        what = _("case {case} about account {account} has been open for {days} days")
        todo = _("Hear the person, and close it: cleared or upheld.")
        what = what.format(case=matter.entry_index, account=matter.account, days=days)
        yield Item(7, since, origin, WARN, what, todo, case)
    if matter.kind == DISPUTE:
        is_late = days > DISPUTE_DAYS
        what = _("an objection of account {account} waits for a decision")
        if is_late:
            what = _("an objection of account {account} has waited for {days} days")
        todo = _("Ask the committee to resolve it: two members who had no part in the record.")
        if known.members_decide:
            todo = _("Two members who had no part in the record resolve it, on the page “Objections” of the desk.")
        link = f"{place}/entries/{matter.entry_index}"
        what = what.format(account=matter.account, days=days)
        yield Item(7 if is_late else 8, since, origin, WARN if is_late else SOON, what, todo, link)
    if matter.kind == FINDING and is_due:
        what = _("a finding of an inspection was to be mended by {due}: {code}")
        todo = _("Ask whether it is mended, and have it noted, or visit.")
        link = f"{place}/entries/{matter.entry_index}"
        yield Item(7, since, origin, WARN, what.format(due=matter.due, code=matter.code), todo, link)
    if matter.kind == SANCTION and is_due:
        what = _("a sanction on account {account} was to end on {due}: {measure}")
        todo = _("Two of the tier above lift it: it does not end by itself.")
        if known.members_decide:
            todo = _("The members lift it: it does not end by itself.")
        what = what.format(account=matter.account, due=matter.due, measure=named(MEASURES, matter.code))
        yield Item(4, since, origin, WARN, what, todo, f"{place}/entries/{matter.entry_index}")


def _of_funds(known: Known) -> Iterator[Item]:
    for fund in known.funds:
        if fund.received_fen and fund.balance_fen * LOW_FUND_SHARE < fund.received_fen:
            what = _("the fund {fund} is nearly used up").format(fund=fund.number.removeprefix("fund-"))
            todo = _("Ask who pays next, or what the committee will do without.")
            link = f"{address(known.row.origin)}#funds"
            yield Item(8, known.row.sealed_seconds or 0, known.row.origin, SOON, what, todo, link)


def _of_evidence(known: Known) -> Iterator[Item]:
    count, paper = sum(known.evidence.values()), known.evidence.get("paper", 0)
    if count >= PAPER_LEAST and paper >= PAPER_SHARE * count:
        what = _("{share} percent of the services of the last three months rest on paper alone")
        todo = _("Compare some sheets by lot on your next visit, and bring coupon books for the elders.")
        link = address(known.row.origin)
        since = known.row.sealed_seconds or 0
        yield Item(9, since, known.row.origin, SOON, what.format(share=paper * 100 // count), todo, link)


def address(origin: str) -> str:
    """Where a ledger's page is."""
    return f"/board/ledgers/{origin}"
