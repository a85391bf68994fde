"""What time it is on the log, for suspicions: how far back they look, and the local day and month (RULES §6).

Times are POSIX seconds here: a full audit asks for millions of them. ``now`` is the greatest log time of the services,
gifts and donations so far, and neither it nor the horizons nor the month ever go back.
"""

import datetime

import msgspec

from chain.fields import UTC, Time
from ledger.parameters import DEFAULTS, Parameters

DAY_SECONDS = 86_400
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
LONG_AGO = -(2**62)
"""Before all times."""

SPARE_DAYS = 2
"""Beyond ``record_within_days``: local days are not UTC days, and a long service starts before it ends."""

LATE_DAYS = 3
"""A service that ended so many local days before it was recorded: a weekend explains two, and nobody enters a sheet
later than that out of habit."""

WHOLE_HOUR_UNIT = 30
"""Where time is booked in multiples of this, whole hours are what everybody has."""


def seconds_of(time: Time) -> int:
    """A time as POSIX seconds."""
    span = time - EPOCH
    return span.days * DAY_SECONDS + span.seconds


def clock_time(minute_of_day: int) -> str:
    """A minute of the day as ``HH:MM``."""
    return f"{minute_of_day // 60:02d}:{minute_of_day % 60:02d}"


class ClockRecord(msgspec.Struct, array_like=True):
    """A clock at rest."""

    parameters: Parameters
    now: int
    oldest: int
    oldest_pair: int
    late_before: int
    month: str
    month_end: int


class SuspicionClock:
    """Moves with the log. What says nothing else is in seconds; ``month`` is YYYY-MM, the night's ends are HH:MM."""

    def __init__(self) -> None:
        self.now = LONG_AGO
        self.oldest = LONG_AGO
        """Services before this are not looked at any more."""
        self.oldest_pair = LONG_AGO
        """Services of pairs that started before this are forgotten."""
        self.late_before = LONG_AGO
        """Services that ended before this are late at this moment."""
        self.month = ""
        self.set_parameters(DEFAULTS)

    def set_parameters(self, parameters: Parameters) -> None:
        """From now on these hold."""
        self.parameters = parameters
        self.offset = parameters.utc_offset_minutes * 60
        self.reach = (parameters.record_within_days + SPARE_DAYS) * DAY_SECONDS
        self.pair_span = parameters.reciprocal_days * DAY_SECONDS
        self.night_shift = self.offset - parameters.night_start * 60
        """Added to a time: its distance from the beginning of a night, modulo one day."""
        self.night_length = (parameters.night_end - parameters.night_start) * 60 % DAY_SECONDS
        self.night_start, self.night_end = clock_time(parameters.night_start), clock_time(parameters.night_end)
        self.asks_round = parameters.unit_minutes % WHOLE_HOUR_UNIT != 0
        self._month_end = LONG_AGO

    def record(self) -> ClockRecord:
        """What ``restore`` sets again."""
        return ClockRecord(
            self.parameters, self.now, self.oldest, self.oldest_pair, self.late_before, self.month, self._month_end
        )

    def restore(self, record: ClockRecord) -> None:
        """Be as the clock was that the record is of."""
        self.set_parameters(record.parameters)
        self.now, self.oldest, self.oldest_pair = record.now, record.oldest, record.oldest_pair
        self.late_before, self.month, self._month_end = record.late_before, record.month, record.month_end

    def advance(self, time: Time) -> bool:
        """Go on to an entry of that log time; whether a new month begins with it."""
        span = time - EPOCH
        seconds = span.days * DAY_SECONDS + span.seconds
        self.late_before = seconds - (seconds + self.offset) % DAY_SECONDS - (LATE_DAYS - 1) * DAY_SECONDS
        if seconds > self.now:
            self.now = seconds
        oldest = self.now - self.reach
        if oldest > self.oldest:
            self.oldest = oldest
        if oldest - self.pair_span > self.oldest_pair:
            self.oldest_pair = oldest - self.pair_span
        return self.now >= self._month_end and self._is_new_month()

    def _is_new_month(self) -> bool:
        local = EPOCH + datetime.timedelta(seconds=self.now + self.offset)
        following = datetime.datetime(local.year + local.month // 12, local.month % 12 + 1, 1, tzinfo=UTC)
        self._month_end = seconds_of(following) - self.offset
        month = f"{local.year:04d}-{local.month:02d}"
        is_new = month > self.month
        if is_new:
            self.month = month
        return is_new
