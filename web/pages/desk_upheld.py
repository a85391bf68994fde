"""What an upheld case leaves behind: the entries that it rests on count until two members take them back (RULES §3).

Closing a case and a sanction move no hours. An entry is taken back on its page, ``/desk/entries/17``, by a member, and
a second one signs that.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any

from chain.entry import Entry
from ledger.bodies import CaseOpen, Dispute, Resolve, Reverse
from ledger.corrections import REVERSIBLE, UPHELD
from ledger.kinds import CODEC
from store.reading import KeptLedger
from web.i18n import marked
from web.pages.desk_signing import Desk, body_of

COUNTED, TAKEN_BACK, PROPOSED = "counted", "taken-back", "proposed"
STATES = {
    COUNTED: marked("still counts"),
    TAKEN_BACK: marked("was taken back"),
    PROPOSED: marked("to be taken back: waits for another member's signature"),
}
CASES_MAX, SCANNED_MAX, ENTRIES_MAX = 5, 100, 24
"""So many cases are named, among so many of the newest; of each so many entries."""


def states_at_desk(desk: Desk, entries: Iterable[int]) -> dict[int, str]:
    """By entry, of those that can be taken back: whether it still counts."""
    return _states(desk, entries, _proposed(desk))


def _proposed(desk: Desk) -> set[int]:
    return {body.index for body in map(body_of, desk.drafts.waiting()) if isinstance(body, Reverse)}


def _states(desk: Desk, entries: Iterable[int], proposed: AbstractSet[int]) -> dict[int, str]:
    found = {}
    for index in entries:
        if index in desk.state.reversed:
            found[index] = TAKEN_BACK
        elif isinstance(desk.node.entry(index).body, REVERSIBLE):
            found[index] = PROPOSED if index in proposed else COUNTED
    return found


def states_kept(kept: KeptLedger, entries: Iterable[int]) -> dict[int, str]:
    """The same of a mirrored ledger, from the entries that name them."""
    found = {}
    for index in entries:
        raw = kept.entry(index)
        if raw is not None and isinstance(CODEC.parse(raw).body, REVERSIBLE):
            found[index] = TAKEN_BACK if _is_taken_back(kept, index) else COUNTED
    return found


def _is_taken_back(kept: KeptLedger, index: int) -> bool:
    about = [(place, entry.body) for place, entry in _naming(kept, index)]
    if any(isinstance(body, Reverse) for _place, body in about):
        return True
    disputes = [place for place, body in about if isinstance(body, Dispute)]
    decisions = [entry.body for place in disputes for _index, entry in _naming(kept, place)]
    return any(isinstance(body, Resolve) and body.outcome == UPHELD for body in decisions)


def _naming(kept: KeptLedger, index: int) -> list[tuple[int, Entry[Any]]]:
    """The true entries whose ``index`` is this one."""
    parsed = [(place, CODEC.parse(raw)) for place, raw in kept.entries_with(b'"index":%d' % index)]
    return [(place, entry) for place, entry in parsed if getattr(entry.body, "index", None) == index]


def left_over(desk: Desk) -> list[tuple[int, list[int]]]:
    """The newest upheld cases of which nothing was taken back or proposed yet, each with the entries that count."""
    found, proposed = [], _proposed(desk)
    for index in sorted(desk.state.cases, reverse=True)[:SCANNED_MAX]:
        if desk.state.cases[index].outcome != UPHELD:
            continue
        case = desk.node.entry(index).body
        states = _states(desk, case.entries[:ENTRIES_MAX], proposed) if isinstance(case, CaseOpen) else {}
        if states and set(states.values()) == {COUNTED}:
            found.append((index, list(states)))
        if len(found) == CASES_MAX:
            break
    return found
