"""Requests in plain words: stages, reasons, why a step is not possible, when and how long."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from care.matching import Proposal, Reason
from care.requests import Request, Visit
from chain.fields import Time
from web.i18n import marked
from web.i18n import translate as _
from web.pages.desk_words import local_name
from web.text import hours_of, named, named_category

STAGES = {
    "requested": marked("nobody yet"),
    "offered": marked("asked, no answer yet"),
    "accepted": marked("will come"),
    "checked_in": marked("is there now"),
    "checked_out": marked("done, waits for confirmation"),
    "objected": marked("somebody objected"),
    "confirmed": marked("confirmed, to be recorded"),
    "recorded": marked("on the ledger"),
    "declined": marked("cannot come"),
    "taken_back": marked("taken back"),
    "lapsed": marked("no longer needed"),
    "nobody_came": marked("did not come"),
    "withdrawn": marked("withdrawn"),
    "expired": marked("the time has passed"),
}
BADGES = {"requested": "warn", "offered": "warn", "objected": "bad", "nobody_came": "bad"}
BADGES |= dict.fromkeys(("declined", "taken_back", "lapsed", "withdrawn", "expired"), "still")
CARE_LEVELS = {
    0: marked("manages alone"),
    1: marked("needs a little help"),
    2: marked("needs help every day"),
    3: marked("needs much help"),
    4: marked("needs help with everything"),
}
DIRECTIONS = {
    "north": marked("north"),
    "northeast": marked("north-east"),
    "east": marked("east"),
    "southeast": marked("south-east"),
    "south": marked("south"),
    "southwest": marked("south-west"),
    "west": marked("west"),
    "northwest": marked("north-west"),
}
DAYS = (
    marked("Monday"),
    marked("Tuesday"),
    marked("Wednesday"),
    marked("Thursday"),
    marked("Friday"),
    marked("Saturday"),
    marked("Sunday"),
)
CREDENTIALS = {"legal": marked("law"), "finance": marked("money matters")}
AGAINST = {
    "not-volunteer": marked("is no volunteer (any more)"),
    "suspended": marked("is suspended"),
    "self": marked("is the person who asks"),
    "kin": marked("is family"),
    "declined": marked("has said no to this, or was taken back"),
    "resting": marked("does not want to be asked for now"),
    "needs-credential": marked("lacks the certificate that this needs"),
    "care-level": marked("has not learnt to care for somebody who needs so much help"),
    "no-language": marked("speaks no language that the elder speaks"),
    "not-free": marked("is not free then"),
    "day-full": marked("has given all the hours of that day already"),
    "busy": marked("is with somebody else then"),
    "too-far": marked("lives more than a quarter of an hour away"),
}
OUTCOMES = {
    "no-such-request": marked("there is no such request (any more)"),
    "not-yours": marked("this is not yours to say"),
    "own-request": marked("nobody comes to themselves"),
    "own-service": marked("nobody confirms their own service"),
    "ended": marked("this request was withdrawn, or its time has passed"),
    "asked-already": marked("they are asked already"),
    "accepted-already": marked("that is settled already"),
    "full": marked("somebody else was quicker: all places are taken"),
    "too-many-asked": marked("too many were asked for this one request: make a new one"),
    "not-offered": marked("this was not offered to you, or not any more"),
    "not-accepted": marked("nobody has said that they will come"),
    "not-checked-in": marked("check in first, when you begin"),
    "not-checked-out": marked("the service has not ended yet: the volunteer checks out first"),
    "not-confirmed": marked("the elder has to confirm it first"),
    "before-check-in": marked("not a minute has passed since the beginning; or is the phone's clock wrong?"),
    "in-future": marked("this time has not come yet: is the phone's clock right?"),
    "too-old": marked("this is more than two days ago: tell the committee, who record it from paper"),
    "too-early": marked("it is too early for that"),
    "too-late": marked("it is too late for that"),
    "too-long": marked("that is longer than a day: tell the committee when it ended"),
    "no-ground": marked("say what was wrong"),
    "proposed-already": marked("it is being recorded already: object in the passbook when it is on the ledger"),
    "not-on-the-ledger": marked("it is not on the ledger yet"),
    "too-few-minutes": marked("not more minutes than between coming and going, and at least one unit"),
    "one-coupon-for-one": marked("a coupon is one person's: a group is recorded from paper"),
    "under-way": marked("somebody is there already: that cannot be withdrawn"),
}


@dataclass(frozen=True, slots=True)
class RequestWords:
    """Tells in the language of the page; ``names`` as far as whoever reads may know them."""

    names: Mapping[str, str]
    offset: datetime.timedelta
    now: Time

    def name(self, account: str) -> str:
        """A name, else the number."""
        return self.names.get(account, "") or account

    def people(self, request: Request) -> str:
        """For whom it is."""
        told = _(", ").join(map(self.name, request.recipients))
        return _("{title} ({people})").format(title=request.title, people=told) if request.title else told

    def what(self, request: Request) -> str:
        """Which service."""
        return local_name(request.local) if request.local else named_category(request.category)

    def when(self, request: Request) -> str:
        """On which day, from when and how long."""
        begin = request.starts_at + self.offset
        text = _("{day} {clock}, {hours} h")
        return text.format(day=self.day(begin), clock=f"{begin:%H:%M}", hours=hours_of(request.minutes))

    def day(self, local: datetime.datetime) -> str:
        """Today, tomorrow, or the day of the week and the date."""
        days = local.toordinal() - (self.now + self.offset).toordinal()
        near = {-1: _("yesterday"), 0: _("today"), 1: _("tomorrow")}
        return near.get(days) or f"{_(DAYS[local.weekday()])} {local:%Y-%m-%d}"

    def clock(self, time: Time | None) -> str:
        """A moment of a visit, as the village's clocks show it."""
        if time is None:
            return ""
        local = time + self.offset
        return f"{self.day(local)} {local:%H:%M}"

    def span(self, visit: Visit) -> str:
        """From when to when somebody was there."""
        if visit.checkin is None:
            return ""
        begin = visit.checkin.said_at + self.offset
        if visit.checkout is None:
            return _("since {clock}").format(clock=f"{begin:%H:%M}")
        end = visit.checkout.said_at + self.offset
        return _("{start}–{end}, {minutes} minutes").format(
            start=f"{begin:%H:%M}", end=f"{end:%H:%M}", minutes=visit.minutes
        )

    def stage(self, code: str) -> str:
        return named(STAGES, code)

    def badge(self, code: str) -> str:
        return BADGES.get(code, "")

    def reasons(self, proposal: Proposal) -> list[str]:
        """Why somebody is proposed."""
        return [reason_of(reason) for reason in proposal.reasons]


def reason_of(reason: Reason) -> str:
    """One of them."""
    texts = {
        "walk": _("{count} min on foot"),
        "no-place": _("how far it is nobody knows: no place is told"),
        "credential": _("has the certificate that this needs"),
        "rare-skill": _("has a certificate that others may need more"),
        "language": _("speaks the same language"),
        "no-languages": _("languages are not told"),
        "free": _("is free then"),
        "no-hours": _("free hours are not told"),
        "diet": _("knows the diet"),
        "no-diet": _("does not know the diet"),
        "known-face": _("has been there before ({count}×)"),
        "always-same": _("almost always the same ({count}×): better somebody else"),
        "lately": _("gives {count} h in 30 days") if reason.count else _("gives nothing in 30 days"),
    }
    return texts[reason.code].format(count=reason.count)


def told(outcome: str) -> str:
    """Why a step is not possible, as a sentence."""
    return _("not possible: {why}").format(why=named(OUTCOMES, outcome))


def against(code: str) -> str:
    """Why somebody is not suitable."""
    return named(AGAINST, code)
