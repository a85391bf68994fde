"""Suspicions: what is allowed and yet unusual, computed from the log alone (RULES §6).

    watch = Watch()
    replay = Replay(state, read, on_admitted=watch.see)
    ...replay the whole log...
    watch.finish()
    watch.suspicions, watch.counts

``watch.so_far()`` says at any time what there would be if the log ended here, and ``freeze`` with ``thaw_watch`` lets
a watch rest between two parts of a log.

One pass over the entries that are true; every auditor gets the same list in the same order. Nothing here judges: a
suspicion opens no case and changes nothing. A service that is reversed later stays named: what was recorded, was.

Memory grows with accounts, not with entries: of each a bounded number of services is kept, and what is too old to be
compared with a new one is let go.
"""

from collections import Counter

import msgspec

from chain.fields import Time
from ledger.bodies import Service
from ledger.roster import Key
from ledger.signing import Claim
from ledger.state import State
from ledger.suspicion_clock import DAY_SECONDS, EPOCH, LATE_DAYS, ClockRecord, SuspicionClock
from ledger.suspicion_gifts import Gifts, Giver
from ledger.suspicion_list import (
    BURST,
    ENTRIES_MAX,
    IMPOSSIBLE,
    NIGHT,
    OVERLAP,
    ROUND,
    Suspicion,
    SuspicionList,
)
from ledger.suspicion_months import MonthRecord, Months
from ledger.suspicion_pairs import Pairs
from ledger.suspicion_people import (
    Provider,
    ProviderRecord,
    Recipient,
    RecipientRecord,
    thaw_provider,
    thaw_recipient,
)

__all__ = ["Suspicion", "Watch", "thaw_watch"]

WHOLE_HOURS_RUN = 30
"""So many services in a row of whole hours: real visits are not all of them, a made-up list is."""

BURST_TIMES = 2
"""So many times what the same recorder ever entered late at once: who enters a week each Monday does as always."""

BURST_MIN = 50
"""So many late services at one moment: more than the sheet of an ordinary day."""

SWEEP_EVERY = 65_536
"""After so many services, or as many as there are people, what is too old is let go."""

OFFSET_DAYS = 2
"""A change of ``utc_offset_minutes`` moves a local day by no more."""

SERVICE, GIFT_KINDS = "service", ("gift", "donate")


class WatchRecord(msgspec.Struct, array_like=True):
    """A watch at rest, each part under the name it has in ``Watch``."""

    clock: ClockRecord
    kept: list[Suspicion]
    counts: dict[str, int]
    time: Time | None
    recipients: list[RecipientRecord]
    providers: list[tuple[str, ProviderRecord]]
    since: dict[str, Time]
    habits: dict[str, int]
    late: dict[str, list[int]]
    quiet_until: list[tuple[tuple[str, ...], int]]
    spare: int
    month: MonthRecord
    givers: dict[str, Giver]
    until_sweep: int


class Watch:
    """Told every entry that is true (``see``) and the end (``finish``); has the suspicions found so far.

    ``sweep_every`` weighs memory against time and changes nothing else.
    """

    def __init__(self, sweep_every: int = SWEEP_EVERY) -> None:
        self._list = SuspicionList()
        self._clock = SuspicionClock()
        self._time: Time | None = None
        self._providers: dict[str, Provider] = {}
        """All who ever served."""
        self._recipients: dict[str, Recipient] = {}
        """All who were ever served."""
        self._author: Key | None = None
        self._since: dict[str, Time] = {}
        """By person who ever authored a service: the moment of the first one."""
        self._habits: dict[str, int] = {}
        """By recorder: the most late services of an earlier moment."""
        self._late: dict[str, list[int]] = {}
        """By recorder, of this moment: how many late services, then the indexes of the last ones."""
        self._pairs = Pairs(self._clock, self._list, self._providers)
        self._months = Months(self._list)
        self._gifts = Gifts(self._clock, self._list)
        self._sweep_every = self._until_sweep = sweep_every

    @property
    def suspicions(self) -> list[Suspicion]:
        """The first ``LISTED_MAX``, in the order in which they were found."""
        return self._list.kept

    @property
    def counts(self) -> Counter[str]:
        """How many there are of each code, also those that are not kept."""
        return self._list.counts

    def see(self, claim: Claim) -> None:
        """Take in an entry that is true; only services, gifts and donations matter."""
        kind = claim.entry.kind
        if kind == SERVICE:
            self._see_service(claim)
        elif kind in GIFT_KINDS:
            self._move_to(claim.time, claim.state)
            giver = claim.entry.body.giver
            self._gifts.see(claim, giver in self._providers or giver in self._recipients)

    def finish(self) -> None:
        """The log ends here: judge the moment and the month that it ends in. Then ``see`` nothing more."""
        self._end_moment()
        self._months.close(self._clock.month)

    def so_far(self) -> SuspicionList:
        """All there is if the log ends here; the watch can go on."""
        found = self._list.copy()
        self._name_bursts(found)
        self._months.judge(self._clock.month, found)
        return found

    def freeze(self) -> bytes:
        """The watch as bytes, for ``thaw_watch``, without what is too old."""
        self._sweep()
        places = {number: place for place, number in enumerate(self._recipients)}
        record = WatchRecord(
            clock=self._clock.record(),
            kept=self._list.kept,
            counts=self._list.counts,
            time=self._time,
            recipients=[recipient.record() for recipient in self._recipients.values()],
            providers=[(number, provider.record(places)) for number, provider in self._providers.items()],
            since=self._since,
            habits=self._habits,
            late=self._late,
            quiet_until=list(self._pairs.quiet_until.items()),
            spare=self._pairs.spare,
            month=self._months.record(),
            givers=self._gifts.givers,
            until_sweep=self._until_sweep,
        )
        return msgspec.msgpack.encode(record)

    def restore(self, record: WatchRecord) -> None:
        """Be as the watch was that the record is of."""
        self._clock.restore(record.clock)
        self._list.kept, self._list.counts = record.kept, Counter(record.counts)
        self._time, self._since, self._habits, self._late = record.time, record.since, record.habits, record.late
        recipients = [thaw_recipient(recipient) for recipient in record.recipients]
        self._recipients.update((recipient.number, recipient) for recipient in recipients)
        self._providers.update((number, thaw_provider(provider, recipients)) for number, provider in record.providers)
        self._pairs.quiet_until, self._pairs.spare = dict(record.quiet_until), record.spare
        self._months.restore(record.month)
        self._gifts.givers = record.givers
        self._until_sweep = record.until_sweep

    def _see_service(self, claim: Claim) -> None:
        """Runs for every service of an audit: what is ordinary passes without a call."""
        if claim.time != self._time or claim.state.parameters is not self._clock.parameters:
            self._move_to(claim.time, claim.state)
        if claim.author is not self._author:
            self._author = claim.author
            self._since.setdefault(claim.author.person, claim.time)
        body: Service = claim.entry.body
        index, clock = claim.index, self._clock
        span = body.start - EPOCH
        start = span.days * DAY_SECONDS + span.seconds
        span = body.end - EPOCH
        end = span.days * DAY_SECONDS + span.seconds

        provider = self._providers.get(body.provider)
        if provider is None:
            provider = self._providers[body.provider] = Provider()
        recipient = self._recipients.get(body.recipient)
        if recipient is None:
            recipient = self._recipients[body.recipient] = Recipient(body.recipient)
        if end - start > provider.longest:
            provider.longest = end - start
        if start >= provider.latest_end:
            provider.starts.append(start)
            provider.ends.append(end)
            provider.indexes.append(index)
            provider.recipients.append(recipient)
            provider.latest_end = end
        elif overlapped := provider.insert(start, end, index, recipient, clock.oldest):
            self._list.add(OVERLAP, body.provider, [*overlapped, index])

        into_night = (start + clock.night_shift) % DAY_SECONDS
        if into_night < clock.night_length or into_night + end - start > DAY_SECONDS:
            self._name_night(body, index)
        if body.minutes % 60 or not clock.asks_round:
            if provider.whole:
                provider.whole.clear()
        elif len(provider.whole) < WHOLE_HOURS_RUN:
            self._add_whole(body.provider, provider, index)

        if start >= clock.oldest:
            if received := recipient.add((start + clock.offset) // DAY_SECONDS, body.minutes, index):
                self._list.add(IMPOSSIBLE, body.recipient, received[1:], minutes=received[0])
            if body.recipient in self._providers:
                self._pairs.look(body.provider, recipient, start)

        if end < clock.late_before:
            self._add_late(claim)
        self._months.see(claim)
        self._until_sweep -= 1
        if not self._until_sweep:
            self._sweep()

    def _move_to(self, time: Time, state: State) -> None:
        """Go on to an entry's log time, with its parameters."""
        clock = self._clock
        if self._late and time != self._time:
            self._end_moment()
        self._time = time
        if state.parameters is not clock.parameters:
            clock.set_parameters(state.parameters)
        month = clock.month
        if clock.advance(time):
            self._months.close(month)

    def _name_night(self, body: Service, index: int) -> None:
        clock, minutes = self._clock, body.minutes
        if clock.night_length:
            start, end = clock.night_start, clock.night_end
            self._list.add(NIGHT, body.provider, [index], minutes=minutes, night_start=start, night_end=end)

    def _add_whole(self, number: str, provider: Provider, index: int) -> None:
        provider.whole.append(index)
        if len(provider.whole) == WHOLE_HOURS_RUN:
            self._list.add(ROUND, number, provider.whole)

    def _add_late(self, claim: Claim) -> None:
        late = self._late.setdefault(claim.author.person, [0])
        late[0] += 1
        late.append(claim.index)
        if len(late) > ENTRIES_MAX + 1:
            del late[1]

    def _end_moment(self) -> None:
        """Judge the late services of the moment that is over, by what the same recorder did before."""
        self._name_bursts(self._list)
        for recorder, (count, *_indexes) in self._late.items():
            self._habits[recorder] = max(self._habits.get(recorder, 0), count)
        self._late.clear()

    def _name_bursts(self, found: SuspicionList) -> None:
        for recorder, (count, *indexes) in self._late.items():
            habit = self._habits.get(recorder, 0)
            if count >= max(BURST_MIN, BURST_TIMES * habit) and self._since[recorder] != self._time:
                found.add(BURST, recorder, indexes, count=count, days=LATE_DAYS)

    def _sweep(self) -> None:
        """Let go of what no rule can look at any more: whenever this runs, the same is found."""
        clock = self._clock
        for provider in self._providers.values():
            provider.prune(clock.oldest_pair)
        for recipient in self._recipients.values():
            recipient.prune((clock.oldest + clock.offset) // DAY_SECONDS - OFFSET_DAYS)
        self._until_sweep = max(self._sweep_every, len(self._providers) + len(self._recipients))


def thaw_watch(raw: bytes) -> Watch:
    """The watch that ``Watch.freeze`` made these bytes of; raises msgspec.DecodeError for others."""
    watch = Watch()
    watch.restore(msgspec.msgpack.decode(raw, type=WatchRecord))
    return watch
