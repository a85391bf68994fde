"""Drafts and entries in plain words, with the names of those whom they are about."""

import datetime
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chain.entry import Body
from chain.fields import UTC, Time
from ledger.bodies import COUPON, PAPER, Dispute, Resolve, Reverse, Service
from web.desk import DeskNode
from web.i18n import marked
from web.i18n import translate as _
from web.pages.desk_signing import (
    KEY_GONE,
    NO_KEY,
    NOT_ASKED,
    RECORDED,
    RECORDED_ALREADY,
    SAME_PERSON,
    SIGNED,
    WAITS_ALREADY,
    Decision,
)
from web.telling import TELLERS
from web.text import OTHERS, hours_of, named, named_category, sentence

NUMBER = re.compile(r"(?<![0-9])[0-9]{8}(?![0-9])")
CANNOT_SIGN = {
    SAME_PERSON: marked("you recorded or signed this yourself: another person has to look at it"),
    NOT_ASKED: marked("this waits for somebody in another role"),
    NO_KEY: marked("no key of yours is kept here, or it does not count any more"),
    WAITS_ALREADY: marked("the same waits for a signature already"),
    RECORDED_ALREADY: marked("the same service is on the ledger already"),
    KEY_GONE: marked("a key that signed it does not count any more or is not kept here: refuse it, and record it anew"),
}
EVIDENCE = {
    PAPER: marked("signed paper"),
    COUPON: marked("coupon"),
    "signed": marked("signed by the elder"),
}
PAYERS = {
    "recipient": marked("the person served"),
    "pool": marked("the pool of donated hours"),
    "issue": marked("the platform"),
}
LOCAL_SERVICES = {
    "meals": marked("meals"),
    "bathing": marked("help with bathing"),
    "cleaning": marked("cleaning"),
    "medical_escort": marked("going along to the doctor"),
    "emergency": marked("emergency help"),
    "recreation": marked("recreation"),
    "rehabilitation": marked("rehabilitation"),
    "home_care": marked("care at home"),
}
"""What people call the district's own services that ``init`` writes."""
ROLES_NEEDED = {
    "clerk": marked("a clerk"),
    "member": marked("a committee member"),
    "authority": marked("the tier above"),
}
MORE_NEEDED = {
    "clerk": marked("{number} clerks"),
    "member": marked("{number} committee members"),
    "authority": marked("{number} of the tier above"),
}


@dataclass(frozen=True, slots=True)
class Words:
    """Tells in the language of the request; ``names`` are those of ``web.pages.names``, ``offset`` is the ledger's."""

    names: Mapping[str, str]
    offset: datetime.timedelta

    def person(self, number: str | None) -> str:
        """A name with the number behind it."""
        if not number:
            return ""
        name = self.names.get(number, "")
        return f"{name} {number}" if name else named(OTHERS, number)

    def name(self, number: str) -> str:
        """The name alone, else the number."""
        return self.names.get(number, "") or named(OTHERS, number)

    def lines(self, body: Body) -> list[str]:
        """What a statement says."""
        if isinstance(body, Service):
            return self._service(body)
        tell = TELLERS.get(type(body))
        return [NUMBER.sub(lambda found: self.person(found[0]), line) for line in (tell(body) if tell else [])]

    def _service(self, body: Service) -> list[str]:
        what = named_category(body.category)
        if body.local:
            what = _("{category}: {local}").format(category=what, local=local_name(body.local))
        text = _("{provider} served {recipient}: {what}")
        first = text.format(provider=self.person(body.provider), recipient=self.person(body.recipient), what=what)
        text = _("{day} {start}–{end}, {hours} h; paid by {payer}; shown by: {evidence}")
        second = text.format(
            day=self.day(body.start),
            start=self.clock(body.start),
            end=self.clock(body.end),
            hours=hours_of(body.minutes),
            payer=_(PAYERS[body.paid_by]),
            evidence=_(EVIDENCE[body.evidence.form]),
        )
        return [first, second]

    def brief(self, body: Body) -> str:
        """The same in one line: the day, who, and how long."""
        if not isinstance(body, Service):
            return " ".join(self.lines(body))
        text = _("{day} {start}–{end}, {provider} for {recipient}, {hours} h")
        return text.format(
            day=self.day(body.start),
            start=self.clock(body.start),
            end=self.clock(body.end),
            provider=self.person(body.provider),
            recipient=self.person(body.recipient),
            hours=hours_of(body.minutes),
        )

    def local(self, time: Time) -> datetime.datetime:
        """A time as the village's clocks show it."""
        return time + self.offset

    def day(self, time: Time) -> str:
        """The local day."""
        return f"{self.local(time):%Y-%m-%d}"

    def clock(self, time: Time) -> str:
        """The local time of day."""
        return f"{self.local(time):%H:%M}"

    def moment(self, seconds: int) -> str:
        """A local day and time."""
        return f"{self.local(datetime.datetime.fromtimestamp(seconds, UTC)):%Y-%m-%d %H:%M}"


def needed_words(roles: Iterable[str]) -> str:
    """Who has still to sign, by their roles."""
    return _(", ").join(
        _(ROLES_NEEDED.get(role, role)) if number == 1 else _(MORE_NEEDED.get(role, role)).format(number=number)
        for role, number in Counter(roles).items()
    )


def local_name(code: str) -> str:
    """A district's own service in people's words."""
    return named(LOCAL_SERVICES, code)


def accounts_in(bodies: Iterable[Any]) -> set[str]:
    """All accounts that statements name."""
    return {number for body in bodies for number in body.numbers() if number}


def pointed(node: DeskNode, body: Any) -> tuple[int, Body] | None:
    """The entry that a statement takes back or objects to; of a decision, the service that was objected to."""
    found = None
    while isinstance(body, Dispute | Resolve | Reverse) and 0 <= body.index < node.store.size:
        found = body.index, node.entry(body.index).body
        body = found[1]
    return found


def why(outcome: str, detail: str = "") -> str:
    """Why something was not signed or recorded."""
    return _(CANNOT_SIGN[outcome]) if outcome in CANNOT_SIGN else sentence(outcome, detail)


def told(decision: Decision) -> str:
    """What became of one draft."""
    if decision.state == RECORDED:
        return _("recorded as entry {index}").format(index=decision.entry)
    if decision.state == SIGNED:
        return _("noted; it waits for another person's signature")
    return why(decision.outcome, decision.detail)

