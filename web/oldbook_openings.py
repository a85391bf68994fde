"""The old book's balances onto the ledger: an ``opening`` for each account, all of them or none (RULES §3).

    old,account
    NET0003,12345676
    NET0004,

says which ledger account carries on an old one; one that is to be left behind has an empty cell. An opening names
minutes and the hash of the old file, and nothing else of it. It cannot carry a debt, and takes whole minutes only: what
is in the way is said of every account before anything is written.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from gettext import gettext as _
from pathlib import Path
from typing import NamedTuple, cast

from chain.fields import Time
from chain.limits import SHEET_MAX_STATEMENTS
from ledger.bodies import Opening
from ledger.kinds import KINDS
from web.daysheet import filled, parse_account
from web.desk import Accepted, DeskNode, Result, refusal
from web.i18n import marked
from web.keyring import Keyring
from web.oldbook import ACCOUNTS_MAX, MINUTE_SECONDS, OldBook, plain_number
from web.oldbook_formats import parse_name
from web.problems import DeskError
from web.table import BadRowError, open_table
from web.text import sentence

MAP_COLUMNS = ("old", "account")
UNMAPPED, DEBT, NOT_WHOLE = "unmapped", "debt", "not-whole-minutes"
OPENING_DIFFERS, OTHER_OPENING = "opening-differs", "other-opening"
IN_THE_WAY: dict[str, str] = {
    UNMAPPED: marked("the file of accounts does not say which account carries it on"),
    DEBT: marked("it is below zero, and an opening carries no debt: --leave-debts leaves it behind"),
    NOT_WHOLE: marked("it is no whole minutes: --round down leaves the seconds behind"),
    OPENING_DIFFERS: marked("it was carried over from this file before, with other minutes: reverse that entry first"),
    OTHER_OPENING: marked("it has an opening from another file already: --second-book adds this one to it"),
}
"""Why an account of the old book cannot be carried over, apart from what the rules say (``web.text``)."""


class Carried(NamedTuple):
    """An old account, as messages show it, on its way to a ledger account."""

    shown: str
    number: str
    minutes: int


class Obstacle(NamedTuple):
    """An old account that is in the way of all; with the ledger account and its entry where there are any."""

    outcome: str
    shown: str
    text: str


class Given(NamedTuple):
    """An opening that stands on the ledger."""

    entry_index: int
    body: Opening


@dataclass(frozen=True, slots=True)
class OpeningOrder:
    """What may be left behind, and whether accounts may have an opening from another file already."""

    leave_debts: bool = False
    rounds: bool = False
    second_book: bool = False
    at: Time | None = None


@dataclass(slots=True)
class OpeningPlan:
    """What of a book is to be carried over, and what stays behind."""

    carried: list[Carried] = field(default_factory=list)
    obstacles: list[Obstacle] = field(default_factory=list)
    debts: list[tuple[str, Fraction]] = field(default_factory=list)
    """Accounts below zero, and by how many minutes."""
    left: list[tuple[str, Fraction]] = field(default_factory=list)
    """Accounts that the map leaves behind, and their minutes."""
    lost: list[tuple[str, Fraction]] = field(default_factory=list)
    """Accounts and the seconds that rounding takes from them."""


@dataclass(slots=True)
class OpeningSummary:
    """What became of a plan. With any obstacle nothing was written."""

    plan: OpeningPlan
    written: list[Result] = field(default_factory=list)
    minutes: int = 0
    skipped: int = 0
    """Accounts that were carried over from this file before."""
    pool_minutes: int = 0
    """What the ceiling on balances sent to the pool."""


def read_map(path: Path) -> dict[str, str]:
    """Ledger accounts by old account, empty where one stays behind; raises DeskError for the first bad row."""
    found: dict[str, str] = {}
    taken: dict[str, int] = {}
    with open_table(filled(path), MAP_COLUMNS) as table:
        for record in table.records():
            try:
                old, number = table.cells(record)
                name, account = parse_name(old), parse_account(number) if number.strip() else ""
                if name in found:
                    raise BadRowError(_("it names an old account for the second time"))
                if account in taken:
                    text = _("account {number} stands in line {line} already: one old account goes to it")
                    raise BadRowError(text.format(number=account, line=taken[account]))
            except BadRowError as error:
                text = _("line {line} of {path} is wrong: {why}")
                raise DeskError(text.format(line=record.line, path=path, why=error)) from error
            if len(found) == ACCOUNTS_MAX:
                text = _("{path} names more than {count} accounts: this program does not read so many")
                raise DeskError(text.format(path=path, count=ACCOUNTS_MAX))
            found[name] = account
            if account:
                taken[account] = record.line
    return found


def plan_openings(book: OldBook, mapping: dict[str, str], order: OpeningOrder) -> OpeningPlan:
    """What a book and a map of its accounts come to."""
    plan = OpeningPlan()
    for name in book.accounts:
        minutes = book.minutes(name)
        if minutes:
            _plan_one(plan, book.shown(name), minutes, mapping.get(name), order)
    return plan


def _plan_one(plan: OpeningPlan, shown: str, minutes: Fraction, number: str | None, order: OpeningOrder) -> None:
    """Where one balance goes."""
    if minutes < 0:
        plan.debts.append((shown, -minutes))
        if not order.leave_debts:
            plan.obstacles.append(_obstacle(DEBT, shown, minutes))
        return
    if number is None:
        plan.obstacles.append(_obstacle(UNMAPPED, shown, minutes))
        return
    if not number:
        plan.left.append((shown, minutes))
        return
    whole = math.floor(minutes)
    if whole != minutes:
        plan.lost.append((shown, minutes % 1 * MINUTE_SECONDS))
        if not order.rounds:
            plan.obstacles.append(_obstacle(NOT_WHOLE, shown, minutes))
            return
    if whole:
        plan.carried.append(Carried(shown, number, whole))


def _obstacle(outcome: str, shown: str, minutes: Fraction) -> Obstacle:
    return Obstacle(
        outcome, shown, _("{minutes} min; {why}").format(minutes=plain_number(minutes), why=explain(outcome))
    )


def explain(outcome: str) -> str:
    """Why an account is in the way, in the language in use."""
    return _(IN_THE_WAY[outcome]) if outcome in IN_THE_WAY else sentence(outcome)


def carry_over(
    node: DeskNode, keyring: Keyring, plan: OpeningPlan, source: bytes, order: OpeningOrder
) -> OpeningSummary:
    """Write the openings of a plan in one commit, or none; adds to the plan's obstacles what the ledger says."""
    summary = OpeningSummary(plan)
    wanted = list(_missing(node, summary, source, order))
    if plan.obstacles or not wanted:
        return summary
    pair = keyring.opening()
    for start in range(0, len(wanted), SHEET_MAX_STATEMENTS):
        sheet = wanted[start : start + SHEET_MAX_STATEMENTS]
        bodies = [Opening(account=each.number, minutes=each.minutes, source=source) for each in sheet]
        results = node.write(pair.author, pair.beside, bodies, order.at, durable=False)
        summary.written += results
        plan.obstacles += _refused(sheet, results)
    if plan.obstacles:
        summary.written.clear()
        return summary
    node.commit()
    excess = node.state.excess
    summary.minutes = sum(each.minutes for each in wanted)
    summary.pool_minutes = sum(excess.get(_index_of(result), 0) for result in summary.written)
    return summary


def _index_of(result: Result) -> int:
    return cast(Accepted, result).index


def _refused(sheet: Sequence[Carried], results: Sequence[Result]) -> Iterator[Obstacle]:
    """What the rules say against openings."""
    for each, result in zip(sheet, results, strict=True):
        refused = refusal(result)
        if refused is not None:
            text = _("account {number}: {why}").format(
                number=each.number, why=sentence(refused.outcome, refused.detail)
            )
            yield Obstacle(refused.outcome, each.shown, text)


def _missing(node: DeskNode, summary: OpeningSummary, source: bytes, order: OpeningOrder) -> Iterator[Carried]:
    """Those of a plan that are not on the ledger yet."""
    given: dict[str, list[Given]] = {}
    for each in given_openings(node):
        given.setdefault(each.body.account, []).append(each)
    for carried in summary.plan.carried:
        before = given.get(carried.number, [])
        same = [each for each in before if each.body.source == source]
        if any(each.body.minutes == carried.minutes for each in same):
            summary.skipped += 1
        elif same:
            summary.plan.obstacles.append(_standing(OPENING_DIFFERS, carried, same[0]))
        elif before and not order.second_book:
            summary.plan.obstacles.append(_standing(OTHER_OPENING, carried, before[0]))
        else:
            yield carried


def _standing(outcome: str, carried: Carried, given: Given) -> Obstacle:
    """An opening that is in the way of another."""
    text = _("account {number}, entry {index}: {why}")
    return Obstacle(
        outcome, carried.shown, text.format(number=carried.number, index=given.entry_index, why=explain(outcome))
    )


def given_openings(node: DeskNode) -> Iterator[Given]:
    """All openings of a ledger that were not taken back."""
    state = node.state
    number = KINDS["opening"].number
    index = state.kinds.find(number)
    while index >= 0:
        body = node.entry(index).body
        if index not in state.reversed and isinstance(body, Opening):
            yield Given(index, body)
        index = state.kinds.find(number, index + 1)
