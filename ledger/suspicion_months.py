"""Suspicions about those who record and certify, by local months: ``paper_heavy`` and ``same_certifier``.

A *recorder* is a person who authors services with a clerk's key, a *certifier* the member who signs beside one on paper
(of several, the one whose account or key id is smallest) (RULES §6).
"""

from collections import Counter

import msgspec

from ledger.bodies import PAPER, Service
from ledger.roster import CLERK, MEMBER, persons_of
from ledger.signing import Claim
from ledger.suspicion_list import PAPER_HEAVY, SAME_CERTIFIER, SuspicionList

PAPER_SERVICES_MIN = 50
"""Of a recorder, and of all other recorders together: a share of fewer says nothing."""

PAPER_PER_MILLE = 900
OTHERS_PER_MILLE = 500
"""The other recorders show that it could be done otherwise: where all are on paper, nobody is named. What volunteers
record by their own phones does not compare: paper is what remains for the clerks."""

PAIR_SERVICES_MIN = 100
PAIR_PER_MILLE = 950
"""Almost all; a pair of holiday stand-ins takes more than a twentieth."""

OTHER_MEMBERS_MIN = 2
"""Others must be there to take turns: a committee that consists of the pair is not named every month."""

TEAMS_KEPT = 4_096
"""So many combinations of signatures are counted apart before they are added up."""


class Run(msgspec.Struct, array_like=True):
    """How many services there were, and the first and the last of them."""

    count: int
    first: int
    last: int

    def add(self, other: "Run") -> None:
        self.count += other.count
        self.last = max(self.last, other.last)


def _run_from(index: int) -> Run:
    return Run(0, index, index)


class MonthRecord(msgspec.Struct, array_like=True):
    """The services of a month so far."""

    services: int
    papers: dict[str, Run]
    others: dict[str, int]
    pairs: list[tuple[tuple[str, str], Run]]
    members: list[str]


class Months:
    """Counts the services of the month; ``close`` judges them and begins the next one."""

    def __init__(self, found: SuspicionList) -> None:
        self._found = found
        self._by, self._run = "", _run_from(0)
        self._beside: tuple[str, ...] = ()
        """The signers of the last service on paper, and what is counted of them; an empty id is nobody's."""
        self._teams: dict[tuple[str, tuple[str, ...]], tuple[Run, str, str, frozenset[str]]] = {}
        """Services on paper by all their signers: with the recorder, the certifier and all members among them."""
        self._clear()

    def _clear(self) -> None:
        self._services = 0
        self._papers: dict[str, Run] = {}
        self._others: Counter[str] = Counter()
        """Services not on paper, by recorder."""
        self._pairs: dict[tuple[str, str], Run] = {}
        self._members: set[str] = set()

    def see(self, claim: Claim) -> None:
        """Count a service."""
        entry = claim.entry
        body: Service = entry.body
        self._services += 1
        if body.evidence.form == PAPER:
            if entry.by != self._by or entry.beside != self._beside:
                self._turn_to(claim)
            run = self._run
            run.count += 1
            run.last = claim.index
        elif claim.author.role == CLERK:
            self._others[claim.author.person] += 1

    def _turn_to(self, claim: Claim) -> None:
        """Others signed this one than the last: a sheet has the same signers."""
        signers = (claim.entry.by, claim.entry.beside)
        team = self._teams.get(signers)
        if team is None:
            team = self._teams[signers] = self._new_team(claim)
        self._run = team[0]
        self._by, self._beside = signers

    def close(self, month: str) -> None:
        """The month ``YYYY-MM`` is over."""
        self.judge(month, self._found)
        self._clear()

    def judge(self, month: str, found: SuspicionList) -> None:
        """Enter in ``found`` what the month says so far."""
        self._add_up()
        self._look_at_paper(month, found)
        self._look_at_pairs(month, found)

    def record(self) -> MonthRecord:
        """What ``restore`` sets again."""
        self._add_up()
        return MonthRecord(
            self._services, self._papers, self._others, list(self._pairs.items()), sorted(self._members)
        )

    def restore(self, record: MonthRecord) -> None:
        """Be as the months were that the record is of."""
        self._services, self._papers, self._others = record.services, record.papers, Counter(record.others)
        self._pairs, self._members = dict(record.pairs), set(record.members)

    def _new_team(self, claim: Claim) -> tuple[Run, str, str, frozenset[str]]:
        if len(self._teams) >= TEAMS_KEPT:
            self._add_up()
        members = persons_of(claim.beside, MEMBER)
        return _run_from(claim.index), claim.author.person, min(members, default=""), frozenset(members)

    def _add_up(self) -> None:
        for run, recorder, certifier, members in self._teams.values():
            self._papers.setdefault(recorder, _run_from(run.first)).add(run)
            self._pairs.setdefault((recorder, certifier), _run_from(run.first)).add(run)
            self._members |= members
        self._teams.clear()
        self._by = ""

    def _look_at_paper(self, month: str, found: SuspicionList) -> None:
        paper_all = sum(run.count for run in self._papers.values())
        services_all = paper_all + self._others.total()
        for recorder, run in sorted(self._papers.items(), key=lambda item: item[0]):
            services = run.count + self._others[recorder]
            others, paper_others = services_all - services, paper_all - run.count
            if min(services, others) < PAPER_SERVICES_MIN or run.count * 1_000 < services * PAPER_PER_MILLE:
                continue
            if paper_others * 1_000 < others * OTHERS_PER_MILLE:
                found.add(
                    PAPER_HEAVY,
                    recorder,
                    {run.first, run.last},
                    count=run.count,
                    month=month,
                    services=services,
                    paper_others=paper_others,
                    services_others=others,
                )

    def _look_at_pairs(self, month: str, found: SuspicionList) -> None:
        services = self._services
        if services < PAIR_SERVICES_MIN:
            return
        for (recorder, certifier), run in self._pairs.items():
            if run.count * 1_000 >= services * PAIR_PER_MILLE and self._has_others(recorder, certifier):
                entries, count = {run.first, run.last}, run.count
                found.add(
                    SAME_CERTIFIER, certifier, entries, count=count, month=month, recorder=recorder, services=services
                )

    def _has_others(self, recorder: str, certifier: str) -> bool:
        """Whether others signed in this month who could have taken turns with the pair."""
        if len(self._members - {recorder, certifier}) >= OTHER_MEMBERS_MIN:
            return True
        return any(other not in (recorder, certifier) for other in self._papers.keys() | self._others.keys())
