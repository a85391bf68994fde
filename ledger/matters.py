"""What waits for people on a ledger: cases, sanctions, appeals, disputes and findings (RULES §7, §8), from its state.

    for matter in matters_of(state, read): …

Nothing here judges, and no clock is asked: a matter says since when it stands and when it is due, and whoever shows it
says whether that is late. ``read`` gives an earlier entry; only those that the state names are read.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from chain.entry import Entry
from ledger.corrections import UPHELD
from ledger.kinds import KINDS
from ledger.state import State

MATTERS_MAX = 4_096
"""So many of one ledger are told, the newest of each kind: nobody reads more, and a hostile log must not fill us up."""

CASE, SANCTION, APPEAL, DISPUTE, FINDING = "case", "sanction", "appeal", "dispute", "finding"
IMPOSED = "imposed"
"""Outcome of a case that was upheld and for which something was imposed, be it lifted since."""

Read = Callable[[int], Entry[Any]]


class Matter(NamedTuple):
    """One matter. ``entry_index`` and ``place`` say where it stands: of an inspection which finding, of an appeal which
    case.

    ``code`` is a case's suspicion, a sanction's measure, a finding's code. ``outcome`` is a case's: empty while it is
    open, ``cleared``, ``upheld`` while nothing was imposed, ``imposed``. ``due`` is a date or empty.
    """

    kind: str
    entry_index: int
    place: int
    account: str
    code: str
    since_seconds: int
    due: str
    outcome: str


def matters_of(state: State, read: Read) -> list[Matter]:
    """All that waits, and all cases that ever were, so that nobody looks into the same thing twice."""
    found = [*_cases(state, read), *_sanctions(state, read), *_appeals(state, read)]
    return [*found, *_disputes(state, read), *_findings(state, read)]


def _cases(state: State, read: Read) -> Iterator[Matter]:
    imposed = {read(index).body.case for index in _newest(_indexes(state, "sanction"))}
    for index in _newest(sorted(state.cases)):
        case = state.cases[index]
        outcome = IMPOSED if case.outcome == UPHELD and index in imposed else case.outcome or ""
        yield Matter(CASE, index, 0, case.account, case.suspicion, _since(read, index), "", outcome)


def _sanctions(state: State, read: Read) -> Iterator[Matter]:
    for index in _newest(sorted(state.sanctions)):
        measure = state.sanctions[index]
        due = "" if measure.until is None else measure.until.isoformat()
        yield Matter(SANCTION, index, 0, measure.account, measure.kind, _since(read, index), due, "")


def _appeals(state: State, read: Read) -> Iterator[Matter]:
    """Those of cases for which something is in force."""
    in_force = {measure.case for measure in state.sanctions.values()}
    for index in _newest(_indexes(state, "appeal")) if in_force else ():
        case = read(index).body.case
        if case in in_force:
            yield Matter(APPEAL, index, case, state.cases[case].account, "", _since(read, index), "", "")


def _disputes(state: State, read: Read) -> Iterator[Matter]:
    for index in _newest(sorted(each.index for each in state.objections.values())):
        yield Matter(DISPUTE, index, 0, read(index).body.party, "", _since(read, index), "", "")


def _findings(state: State, read: Read) -> Iterator[Matter]:
    for index in _newest(sorted(state.open_findings)):
        findings, since = read(index).body.findings, _since(read, index)
        for place, due in state.open_findings[index].items():
            yield Matter(FINDING, index, place, "", findings[place].code, since, due.isoformat(), "")


def _indexes(state: State, kind: str) -> list[int]:
    """Where the true entries of a kind stand."""
    return [found.start() for found in re.finditer(re.escape(bytes([KINDS[kind].number])), state.kinds)]


def _newest(indexes: list[int]) -> list[int]:
    return indexes[-MATTERS_MAX:]


def _since(read: Read, index: int) -> int:
    return int(read(index).at.timestamp())
