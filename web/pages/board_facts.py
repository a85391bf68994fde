"""What the board is made of: the ledgers that somebody may see, and what is known of each, read once for each change.

    facts = Facts(kit)
    seen = await facts.seen(who)                 # all of one moment: rows, matters, suspicions, funds, evidence
    await facts.matters("village.example/huzhu")

Figures of mirrored ledgers come from the few rows that were written with their entries (``store.summaries``,
``store.overview``); they are kept in memory until somebody commits to the mirror. The own ledger answers through the
writer. Its suspicions need its whole audit, which runs beside: a page waits for it a moment, and else says so.
"""

import asyncio
import contextlib
import datetime
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fastapi import Request

from chain.fields import UTC, Time
from ledger.matters import CASE, Matter, matters_of
from ledger.parameters import DEFAULTS
from ledger.risk import format_period
from ledger.state import State, month_of
from store.mirror import AlarmRow
from store.overview import NOTHING, FundRow, NewSuspicions, Overview, read_funds, read_overview
from store.summaries import LedgerRow, SuspicionRow, read_suspicions
from verify.summary import people_of
from web.access.who import AUDITOR, SUPERVISOR, Who
from web.pages.kit import Kit
from web.problem import Problem
from web.service.asking import Asker, own_program
from web.service.books import own_suspicions
from web.service.questions import Questions
from web.service.subtree import OWN, Subtree, Sum
from web.service.writer import WritingNode

ROLES = (SUPERVISOR, AUDITOR)
"""Who looks at the board; members too where no tier is above (``overseer``)."""
EVIDENCE_MONTHS = 3
"""So many months back the evidence of services is looked at."""
AUDIT_PATIENCE_SECONDS, NEWER_PATIENCE_SECONDS = 3.0, 0.15
"""So long a page waits for the first audit of the own ledger, and for one that only takes in what is new."""
GLANCE_SECONDS = 600.0
"""Whoever only counts what waits has the own ledger audited at most so often: each audit reads it whole."""
SUSPICIONS_MAX = 10_000
ZONE = datetime.timezone(datetime.timedelta(minutes=DEFAULTS.utc_offset_minutes))


@dataclass(slots=True)
class Known:
    """What waits on one ledger."""

    row: LedgerRow
    is_silent: bool
    matters: list[Matter] = field(default_factory=list)
    suspicions: list[NewSuspicions] = field(default_factory=list)
    funds: list[FundRow] = field(default_factory=list)
    evidence: dict[str, int] = field(default_factory=dict)
    trouble: str = ""
    alarms: list[AlarmRow] = field(default_factory=list)
    members_decide: bool = False
    """Whether no tier is above this ledger, so that its members do what two of that tier would (RULES §1)."""


class Own(NamedTuple):
    """What the state of the own ledger says."""

    matters: list[Matter]
    volunteers: int
    elders: int
    evidence: dict[str, int]
    """Of how many services of the last months which evidence is there."""


@dataclass(slots=True)
class Seen:
    """All that one person may see, at one moment."""

    ledgers: dict[str, Known]
    total: Sum
    is_audited: bool
    """Whether the own ledger's suspicions are among them; if not, its audit still runs."""


class Facts:
    """One for all pages of the board. Used from the event loop's thread only."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.subtree = Subtree(kit.ledgers, kit.writer, kit.guard, kit.settings.serve.silent_hours, kit.clock)
        self._asker = Asker(own_program())
        self.questions = Questions(kit.home, kit.ledgers, self.subtree, kit.writer, self._asker)
        self._overview: tuple[object, Overview] = (None, NOTHING)
        self._own: tuple[object, Own] = (None, Own([], 0, 0, {}))
        self._audit: tuple[int, asyncio.Task[list[dict[str, Any]]]] | None = None
        self._audit_began = 0.0
        self._audited: list[dict[str, Any]] | None = None
        """What the last audit of the own ledger that has ended found."""

    async def seen(self, who: Who, *, is_glance: bool = False) -> Seen:
        """The own ledger and those below it, as far as they may see them; at a glance with what is known already."""
        rows = self.subtree.rows(who)
        overview = self._read()
        ledgers = {row.origin: self._known(row, overview) for row in rows}
        for alarm in overview.alarms:
            if alarm.origin in ledgers:
                ledgers[alarm.origin].alarms.append(alarm)
        is_audited = True
        own = ledgers.get(self.subtree.origin)
        if own is not None:
            is_audited = await self._add_own(own, is_glance=is_glance)
        _groups, total = self.subtree.sums(rows, OWN, None)
        return Seen(ledgers, total, is_audited)

    def row(self, who: Who, origin: str) -> LedgerRow:
        """One ledger; Problem 403 or 404 where they may not see it, or it is not here."""
        return self.subtree.rows(who, origin)[0]

    def today(self) -> datetime.date:
        """The day in the villages."""
        return self.kit.clock().astimezone(ZONE).date()

    def is_own(self, origin: str) -> bool:
        """Whether it is this node's."""
        return origin == self.subtree.origin

    async def matters(self, origin: str) -> list[Matter]:
        """What waits on one ledger."""
        if not self.is_own(origin):
            return self._read().matters.get(origin, [])
        return (await self._ask_own()).matters

    async def suspicions(self, origin: str) -> list[SuspicionRow] | None:
        """All of one ledger that its audit lists; None while the first audit of the own ledger runs."""
        if self.is_own(origin):
            await self._hear_audit()
            found = self._audited
            return None if found is None else [_row(place, each) for place, each in enumerate(found)]
        mirror = self.kit.ledgers.mirror()
        rows: list[SuspicionRow] = []
        while mirror is not None:
            more = read_suspicions(mirror, origin, rows[-1].place if rows else -1, SUSPICIONS_MAX)
            rows += more
            if not more or len(rows) >= SUSPICIONS_MAX:
                break
        return rows

    def funds(self, origin: str) -> list[FundRow]:
        """Those of one ledger."""
        if not self.is_own(origin):
            return self._read().funds.get(origin, [])
        return read_funds(self.kit.ledgers.own_file(), self.kit.ledgers.own)

    def alarm(self, number: int) -> AlarmRow | None:
        """One that nobody has looked at."""
        return next((alarm for alarm in self._read().alarms if alarm.id == number), None)

    def _read(self) -> Overview:
        mirror = self.kit.ledgers.mirror()
        if mirror is None:
            return NOTHING
        now = self.kit.clock().astimezone(ZONE)
        since = format_period(month_of(now) - EVIDENCE_MONTHS + 1)
        version = id(mirror), mirror.version(), since
        if version != self._overview[0]:
            self._overview = version, read_overview(mirror, since)
        return self._overview[1]

    async def _ask_own(self) -> Own:
        """What the own ledger's state says, asked again when somebody has committed there."""
        reader = self.kit.ledgers.own_file()
        since = month_of(self.kit.clock().astimezone(ZONE)) - EVIDENCE_MONTHS + 1
        version = id(reader), reader.version(), since
        if version != self._own[0]:
            self._own = version, await self.kit.writer.ask(lambda node: _own_of(node, since))
        return self._own[1]

    def _known(self, row: LedgerRow, overview: Overview) -> Known:
        origin = row.origin
        return Known(
            row,
            self.subtree.is_silent(row) and row.state != OWN,
            overview.matters.get(origin, []),
            overview.suspicions.get(origin, []),
            overview.funds.get(origin, []),
            overview.evidence.get(origin, {}),
            overview.troubles.get(origin, ""),
        )

    async def _add_own(self, known: Known, *, is_glance: bool) -> bool:
        """What no mirror tells; False while its audit runs."""
        origin = known.row.origin
        own = await self._ask_own()
        known.matters, known.funds, known.evidence = own.matters, self.funds(origin), own.evidence
        known.members_decide = not self.kit.writer.standing.has_authority
        known.row = known.row._replace(volunteers=own.volunteers, elders=own.elders)
        if not self.subtree.has_people(known.row):
            return True
        is_audited = await self._hear_audit(is_glance=is_glance)
        rows = [_row(place, each) for place, each in enumerate(self._audited or [])]
        known.suspicions = summed(unseen(rows, known.matters))
        return is_audited

    async def _hear_audit(self, *, is_glance: bool = False) -> bool:
        """Have the own ledger audited as of now, and wait a moment for what is found; False while it still runs."""
        size, now = self.kit.ledgers.own.entry_count(), self.kit.clock().timestamp()
        is_enough = is_glance and self._audit is not None and now - self._audit_began < GLANCE_SECONDS
        if self._audit is None or (not is_enough and (self._audit[0] != size or _has_failed(self._audit[1]))):
            self._audit = size, asyncio.create_task(own_suspicions(self.kit.home, self._asker, size))
            self._audit_began = now
        task = self._audit[1]
        patience = AUDIT_PATIENCE_SECONDS if self._audited is None else NEWER_PATIENCE_SECONDS
        if is_glance:
            patience = 0.0
        with contextlib.suppress(TimeoutError, Problem):
            self._audited = await asyncio.wait_for(asyncio.shield(task), patience)
            return True
        return False


def overseer(kit: Kit, request: Request) -> Who:
    """Who looks at the board: a supervisor, an auditor, or a member where no tier is above; Problem 403 for others."""
    who = kit.who(request)
    return who if kit.stands_in(who) else kit.who(request, *ROLES)


def unseen(rows: list[SuspicionRow], matters: list[Matter]) -> list[SuspicionRow]:
    """Suspicions of which no later case says that somebody has looked into them."""
    last: dict[tuple[str, str], int] = {}
    for each in matters:
        if each.kind == CASE:
            pair = each.account, each.code
            last[pair] = max(last.get(pair, 0), each.entry_index)
    return [row for row in rows if last.get((row.account, row.code), -1) <= max(row.entries, default=0)]


def summed(rows: list[SuspicionRow]) -> list[NewSuspicions]:
    """How many there are of each code, and where the first stands."""
    found: dict[str, NewSuspicions] = {}
    for row in rows:
        known = found.get(row.code, NewSuspicions(row.code, 0, row.place))
        found[row.code] = known._replace(number=known.number + 1)
    return [found[code] for code in sorted(found)]


def local(seconds: int | None) -> Time | None:
    """A moment as the clocks of the villages show it."""
    return None if seconds is None else datetime.datetime.fromtimestamp(seconds, UTC).astimezone(ZONE)


def _own_of(node: WritingNode, since_month: int) -> Own:
    return Own(matters_of(node.state, node.entry), *people_of(node.state), _evidence_of(node.state, since_month))


def _evidence_of(state: State, since_month: int) -> dict[str, int]:
    """Standing services by class of evidence, of a month and those after it."""
    found: Counter[str] = Counter()
    for number, month in state.months.items():
        if number >= since_month:
            found.update(month.evidence)
    return found


def _row(place: int, plain: dict[str, Any]) -> SuspicionRow:
    return SuspicionRow(place, plain["code"], plain["account"], plain["entries"], plain["detail"])


def _has_failed(task: "asyncio.Task[Any]") -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
