"""Whether somebody would serve two people at once.

What overlaps is allowed, and a suspicion afterwards (RULES §6, ``overlap``). Who signs hears of it before: of what
stands on the ledger, of what waits, and of the lines of the same sheet, as the suspicion's own code finds it.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from ledger.bodies import Service
from ledger.suspicion_clock import LONG_AGO, seconds_of
from ledger.suspicion_people import Provider, Recipient
from web.i18n import translate as _
from web.pages.desk_recorded import Recorded, ServiceKey, key_of
from web.pages.desk_signing import Desk, body_of

ENTRY, DRAFT, LINE = "entry", "draft", "line"


class Mark(NamedTuple):
    """Where a service stands: an entry, a draft, or a line of the sheet at hand."""

    where: str
    number: int


class Hours:
    """One volunteer's services, taken in one by one."""

    def __init__(self) -> None:
        self._provider, self._marks = Provider(), list[Mark]()

    def add(self, mark: Mark, key: ServiceKey) -> list[Mark]:
        """Take a service in; those before that it overlaps."""
        _who, recipient, start, end = key
        since, until = seconds_of(start), seconds_of(end)
        self._provider.longest = max(self._provider.longest, until - since)
        found = self._provider.insert(since, until, len(self._marks), Recipient(recipient), LONG_AGO)
        self._marks.append(mark)
        return [self._marks[place] for place in found]


def overlaps(desk: Desk, services: Sequence[tuple[Mark, Service]]) -> dict[Mark, list[Mark]]:
    """By service: what its volunteer does at the same time, on the ledger, among what waits, and among these."""
    recorded, given = Recorded(desk.node), defaultdict[str, list[tuple[Mark, Service]]](list)
    for mark, service in services:
        given[service.provider].append((mark, service))
    waiting = defaultdict[str, list[tuple[Mark, Service]]](list)
    for draft in desk.drafts.waiting():
        body = body_of(draft) if draft.kind == "service" else None
        if isinstance(body, Service) and body.provider in given:
            waiting[body.provider].append((Mark(DRAFT, draft.id), body))
    found: dict[Mark, list[Mark]] = {mark: [] for mark, _service in services}
    for provider, own in given.items():
        hours = Hours()
        for key, index in recorded.since(provider, min(service.start for _mark, service in own)).items():
            hours.add(Mark(ENTRY, index), key)
        for mark, service in waiting[provider]:
            if mark not in found:
                hours.add(mark, key_of(service))
        for mark, service in own:
            for other in hours.add(mark, key_of(service)):
                found[mark].append(other)
                if other in found:
                    found[other].append(mark)
    return found


def warning(other: Mark) -> str:
    """What whoever signs should look at again."""
    if other.where == ENTRY:
        return _("Look again: it overlaps entry {index} of the same volunteer").format(index=other.number)
    if other.where == LINE:
        return _("Look again: it overlaps line {line} of the same volunteer").format(line=other.number)
    return _("Look again: it overlaps another record of the same volunteer that waits for a signature")
