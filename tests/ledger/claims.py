"""Entries that are true, as the watch over a log sees them, without the log: made by hand, one after the other."""

import datetime
from typing import Any

import msgspec

from chain.entry import Body, Statement
from chain.fields import UTC, Time
from ledger.bodies import Donate, Evidence, Gift, Service
from ledger.parameters import DEFAULTS
from ledger.roster import Key
from ledger.signing import Claim
from ledger.state import State
from ledger.suspicions import Suspicion, Watch

BEGINNING = datetime.datetime(2026, 1, 1, tzinfo=UTC)
PAPER, SIGNED = Evidence(form="paper", hash=bytes(32)), Evidence(form="signed")
ROLES = {"clerk": "clerk", "aide": "clerk", "mei": "member", "ning": "member", "ou": "member"}


def key(name: str) -> Key:
    """The staff's keys by name; everybody else signs with a phone of his own account."""
    if name in ROLES:
        return Key(id=name, public=b"", role=ROLES[name])
    return Key(id=f"phone {name}", public=b"", role="volunteer", account=name)


def local(day: int, hour: int = 9, minute: int = 0) -> Time:
    """A time on the village's clock, UTC + 8 hours: days from 2026-01-01 on."""
    return BEGINNING + datetime.timedelta(days=day, hours=hour - 8, minutes=minute)


class Log:
    """Hands entries to a watch; each call answers its entry's index."""

    def __init__(self, watch: Watch | None = None, **parameters: Any) -> None:
        self.watch = Watch() if watch is None else watch
        self.state = State()
        self.set_parameters(**parameters)

    def set_parameters(self, **parameters: Any) -> None:
        """As a ``params`` entry would."""
        self.state.parameters = msgspec.structs.replace(DEFAULTS, **parameters)

    def serve(
        self,
        provider: str,
        recipient: str,
        start: Time,
        minutes: int = 45,
        *,
        end: Time | None = None,
        at: Time | None = None,
        by: str = "clerk",
        beside: tuple[str, ...] = ("mei",),
        evidence: Evidence = PAPER,
    ) -> int:
        """A service of so many minutes, or to ``end``, recorded ``at``, two hours after it where nothing is said."""
        end = start + datetime.timedelta(minutes=minutes) if end is None else end
        body = Service(
            provider=provider,
            recipient=recipient,
            category="assistance",
            start=start,
            end=end,
            minutes=minutes,
            paid_by="issue",
            evidence=evidence,
        )
        return self._see("service", body, end + datetime.timedelta(hours=2) if at is None else at, by, beside)

    def give(self, giver: str, at: Time, to: str | None = None) -> int:
        """A gift, or a donation where nobody receives it."""
        if to is None:
            return self._see("donate", Donate(giver=giver, minutes=10), at, giver, ())
        return self._see("gift", Gift(giver=giver, to=to, minutes=10), at, giver, ())

    def _see(self, kind: str, body: Body, at: Time, by: str, beside: tuple[str, ...]) -> int:
        author, others = key(by), tuple(map(key, beside))
        index = self.state.size
        statement = Statement(
            at=at, body=body, by=author.id, kind=kind, seq=index, beside=tuple(other.id for other in others)
        )
        self.watch.see(Claim(self.state, statement, index, at, author, others, _read))
        self.state.size += 1
        return index

    def end(self) -> list[Suspicion]:
        """All suspicions, after the end of the log."""
        self.watch.finish()
        return self.watch.suspicions

    def named(self) -> list[tuple[str, str, tuple[int, ...]]]:
        """The same as code, account and entries."""
        return [(each.code, each.account, each.entries) for each in self.end()]


def _read(index: int) -> Statement[Any]:
    raise LookupError(f"a suspicion looked up entry {index}: it should need nothing but what it was shown")
