"""A request for help and what becomes of it, step by step, until it stands on the ledger: pure values and ladders.

    request = Request(id=1, recipients=(GAO,), category="assistance", starts_at=…, minutes=60, requested_at=…)
    answer = take(request, Step(kind=OFFER, by=Actor(is_staff=True), at=now, volunteer=LI))
    answer                     # the request after that step, or the name of why it is not possible

A request asks for ``places`` volunteers; each of them has a *visit* of their own::

    offered → accepted → checked_in → checked_out → confirmed → recorded
       ↓          ↓                        ↑↓
    declined, taken_back, lapsed, nobody_came      objected

The request itself is ended by ``withdraw`` and ``expire``. Who may do which step: the committee's staff all of them,
since half of those concerned hold no phone; a volunteer what is theirs; the recipient, guardian and kin what is said of
them. Nobody confirms their own service. A step that was done already, by the mark that a browser made for it, changes
nothing: a phone that was off line sends it again until it hears an answer.

*Two clocks.* A phone that was off line says when something was; the node notes when it heard of it. Both are kept.
What is said counts where it can be true: no later than now, no older than ``SAID_MAX_HOURS``, and in order.

A group activity has several ``recipients``, or several places, and a ``title``; its entries carry ``group``.
"""

import datetime
from collections.abc import Callable, Iterator

import msgspec

from chain.fields import Time

OFFER, ACCEPT, DECLINE, TAKE_BACK = "offer", "accept", "decline", "take_back"
CHECK_IN, CHECK_OUT, NOBODY, CONFIRM, OBJECT = "check_in", "check_out", "nobody", "confirm", "object"
PROPOSE, RECORD, WITHDRAW, EXPIRE = "propose", "record", "withdraw", "expire"

OFFERED, DECLINED, TAKEN_BACK, LAPSED = "offered", "declined", "taken_back", "lapsed"
ACCEPTED, CHECKED_IN, CHECKED_OUT, OBJECTED = "accepted", "checked_in", "checked_out", "objected"
CONFIRMED, RECORDED, NOBODY_CAME = "confirmed", "recorded", "nobody_came"
REQUESTED, WITHDRAWN, EXPIRED = "requested", "withdrawn", "expired"

IN_ORDER = (ACCEPTED, CHECKED_IN, OBJECTED, CHECKED_OUT, CONFIRMED, RECORDED)
"""Stages of a visit that has a place, the least advanced first."""
STAGES = (REQUESTED, OFFERED, *IN_ORDER, WITHDRAWN, EXPIRED)
"""Of a request."""
OVER = frozenset((DECLINED, TAKEN_BACK, LAPSED, NOBODY_CAME))
"""Stages of a visit that came to nothing."""

VOLUNTEERS = frozenset((ACCEPT, DECLINE, CHECK_IN, CHECK_OUT))
RECIPIENTS = frozenset((NOBODY, CONFIRM, OBJECT, WITHDRAW))
"""Whose a step is; EXPIRE is nobody's, and the staff may do this and all others."""
BEGINS = {
    DECLINE: ((OFFERED, ACCEPTED), "not-offered"),
    TAKE_BACK: ((OFFERED, ACCEPTED), "not-offered"),
    CHECK_IN: ((ACCEPTED,), "not-accepted"),
    CHECK_OUT: ((CHECKED_IN,), "not-checked-in"),
    NOBODY: ((ACCEPTED,), "not-accepted"),
    CONFIRM: ((CHECKED_OUT, OBJECTED), "not-checked-out"),
    OBJECT: ((CHECKED_OUT, CONFIRMED), "not-checked-out"),
    PROPOSE: ((CONFIRMED,), "not-confirmed"),
    RECORD: ((CONFIRMED,), "not-confirmed"),
}
"""At which stages of its visit a step begins, and why it is not possible at any other."""

PAPER, COUPON, SCREEN = "paper", "coupon", "screen"
FORMS = (SCREEN, PAPER, COUPON)
"""How a service was confirmed: on a page, on signed paper, or with a coupon."""

VISITS_MAX, PLACES_MAX, RECIPIENTS_MAX = 32, 8, 12
MINUTES_MAX = 1_440
TEXT_MAX_CHARACTERS, MARK_MAX_CHARACTERS, PROOF_MAX_CHARACTERS = 400, 64, 4_096
MARKS_MAX = 8
SAID_MAX_HOURS = 48
"""As long a phone may have been off line."""
AHEAD_MAX_SECONDS = 300
"""So far a phone's clock may be ahead of ours."""
EARLY_MAX_MINUTES = 180
"""Nobody begins earlier than that before the time that was agreed."""
STAY_MAX_HOURS = 24
NOBODY_AFTER_MINUTES = 30
"""Whoever is later than this did not come."""
EXPIRES_HOURS = 48
"""After its end, when nobody has begun: as long as what a phone knows may be on its way."""


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who does a step. ``speaks_for``: the accounts for which they may confirm, their own, their wards' and kin's."""

    is_staff: bool = False
    account: str = ""
    speaks_for: frozenset[str] = frozenset()


CLOCK = Actor()
"""Nobody: time has passed."""


class Clocked(msgspec.Struct, frozen=True, array_like=True):
    """When something was, as it was said, and when the node heard of it."""

    said_at: Time
    heard_at: Time


class Proof(msgspec.Struct, frozen=True, array_like=True):
    """What somebody signed in the browser at a step: base64 of a statement, and of the signature."""

    step: str
    key: str
    statement: str
    signature: str


class Visit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One volunteer's part in a request."""

    volunteer: str
    stage: str = OFFERED
    offered_at: Time | None = None
    accepted_at: Time | None = None
    over_at: Time | None = None
    checkin: Clocked | None = None
    checkout: Clocked | None = None
    confirmed_at: Time | None = None
    confirmed_by: str = ""
    """The account of whoever confirmed; empty where the staff wrote it down."""
    form: str = ""
    rating: int | None = None
    objection: str = ""
    draft: str = ""
    """What waits for its second signature, by its id."""
    index: int | None = None
    marks: tuple[str, ...] = ()
    proofs: tuple[Proof, ...] = ()

    @property
    def is_live(self) -> bool:
        return self.stage not in OVER

    @property
    def has_place(self) -> bool:
        """Whether it takes up one of the request's places."""
        return self.stage in IN_ORDER

    @property
    def minutes(self) -> int:
        """Whole minutes between the times that were said; 0 as long as there are none."""
        if self.checkin is None or self.checkout is None:
            return 0
        return int((self.checkout.said_at - self.checkin.said_at).total_seconds()) // 60


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody asks for, with all visits so far."""

    id: int
    recipients: tuple[str, ...]
    category: str
    local: str = ""
    starts_at: Time
    minutes: int
    places: int = 1
    title: str = ""
    details: str = ""
    """For those alone who come: where, what to bring."""
    care_level: int | None = None
    languages: tuple[str, ...] = ()
    diet: str = ""
    requested_at: Time
    ended: str = ""
    ended_at: Time | None = None
    visits: tuple[Visit, ...] = ()

    @property
    def ends_at(self) -> Time:
        return self.starts_at + datetime.timedelta(minutes=self.minutes)

    @property
    def is_group(self) -> bool:
        return self.places > 1 or len(self.recipients) > 1

    @property
    def group(self) -> str:
        """What ties the entries of a group activity together on the ledger; nothing that is personal."""
        return f"request {self.id}" if self.is_group else ""

    @property
    def missing(self) -> int:
        """How many volunteers it still wants."""
        return 0 if self.ended else max(0, self.places - sum(visit.has_place for visit in self.visits))

    @property
    def stage(self) -> str:
        """Where the whole stands: as far as the visit that is furthest behind."""
        if self.ended:
            return self.ended
        if self.missing:
            return OFFERED if any(visit.stage == OFFERED for visit in self.visits) else REQUESTED
        return min((visit.stage for visit in self.visits if visit.has_place), key=IN_ORDER.index)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is expected of it."""
        return bool(self.ended) or self.stage == RECORDED

    def visit(self, volunteer: str) -> Visit | None:
        """The newest visit of that volunteer."""
        return next((visit for visit in reversed(self.visits) if visit.volunteer == volunteer), None)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody does. ``said_at`` is the phone's time; ``mark`` names the step once and for all."""

    kind: str
    by: Actor
    at: Time
    volunteer: str = ""
    said_at: Time | None = None
    mark: str = ""
    text: str = ""
    form: str = ""
    rating: int | None = None
    draft: str = ""
    index: int | None = None
    is_suitable: bool = False
    """Whether a volunteer who was not asked may report for it all the same."""
    proof: Proof | None = None

    @property
    def clocked(self) -> Clocked:
        said_at = self.at if self.said_at is None else min(self.said_at, self.at)
        return Clocked(said_at, self.at)


Answer = Request | str
"""The request after a step, or the outcome by which it was refused."""


def take(request: Request, step: Step) -> Answer:
    """Do a step, or say why not. A step whose mark was seen is done already."""
    known = request.visit(step.volunteer) if step.volunteer else None
    if step.mark and known is not None and f"{step.kind}:{step.mark}" in known.marks:
        return request
    outcome = outcome_of(request, step)
    return outcome if outcome is not None else EFFECTS[step.kind](request, step)


def outcome_of(request: Request, step: Step) -> str | None:
    """Why a step is not possible; None where it is."""
    if step.kind == CONFIRM and step.by.account and step.by.account == step.volunteer:
        return "own-service"
    if not _is_theirs(request, step):
        return "not-yours"
    if request.ended:
        return "ended"
    known = request.visit(step.volunteer)
    stages, otherwise = BEGINS.get(step.kind, ((), ""))
    if stages and (known is None or known.stage not in stages):
        return otherwise
    ladder = LADDERS.get(step.kind)
    return None if ladder is None else ladder(request, step)


def _is_theirs(request: Request, step: Step) -> bool:
    """Whether the step is one that whoever does it may do."""
    if step.kind in VOLUNTEERS:
        return bool(step.volunteer) and (step.by.is_staff or step.by.account == step.volunteer)
    if step.kind in RECIPIENTS:
        return step.by.is_staff or not step.by.speaks_for.isdisjoint(request.recipients)
    return step.by.is_staff or step.kind == EXPIRE


# The ladders: what has to be so besides


def _may_offer(request: Request, step: Step) -> str | None:
    known = request.visit(step.volunteer)
    if step.volunteer in request.recipients:
        return "own-request"
    if known is not None and known.is_live:
        return "asked-already"
    return _has_no_room(request, step)


def _may_accept(request: Request, step: Step) -> str | None:
    known = request.visit(step.volunteer)
    if step.volunteer in request.recipients:
        return "own-request"
    if known is not None and known.has_place:
        return "accepted-already"
    is_offered = known is not None and known.stage == OFFERED
    if request.missing and not is_offered and not step.is_suitable:
        return "not-offered"
    return _has_no_room(request, step, is_asked=is_offered)


def _has_no_room(request: Request, step: Step, *, is_asked: bool = False) -> str | None:
    """Whether all places are taken, too many were asked, or nobody can come any more.

    The staff may write down for some days who came all the same.
    """
    if not request.missing:
        return "full"
    if not is_asked and len(request.visits) >= VISITS_MAX:
        return "too-many-asked"
    late = datetime.timedelta(hours=EXPIRES_HOURS if step.by.is_staff else 0)
    return "too-late" if step.at > request.ends_at + late else None


def _may_check_in(request: Request, step: Step) -> str | None:
    outcome, said_at = _said_wrongly(step), step.clocked.said_at
    if outcome:
        return outcome
    if said_at < request.starts_at - datetime.timedelta(minutes=EARLY_MAX_MINUTES):
        return "too-early"
    return "too-late" if said_at > request.ends_at + datetime.timedelta(hours=STAY_MAX_HOURS) else None


def _may_check_out(request: Request, step: Step) -> str | None:
    outcome, said_at = _said_wrongly(step), step.clocked.said_at
    if outcome:
        return outcome
    known = request.visit(step.volunteer)
    began = None if known is None else known.checkin
    if began is None or said_at <= began.said_at:
        return "before-check-in"
    return "too-long" if said_at - began.said_at > datetime.timedelta(hours=STAY_MAX_HOURS) else None


def _may_say_nobody(request: Request, step: Step) -> str | None:
    is_early = step.at < request.starts_at + datetime.timedelta(minutes=NOBODY_AFTER_MINUTES)
    return "too-early" if is_early else None


def _may_object(request: Request, step: Step) -> str | None:
    if not step.text:
        return "no-ground"
    known = request.visit(step.volunteer)
    return "proposed-already" if known is not None and known.draft else None


def _may_record(_request: Request, step: Step) -> str | None:
    return "not-on-the-ledger" if step.index is None else None


def _may_withdraw(request: Request, _step: Step) -> str | None:
    return "under-way" if _is_under_way(request) else None


def _may_expire(request: Request, step: Step) -> str | None:
    if _is_under_way(request):
        return "under-way"
    is_early = step.at <= request.ends_at + datetime.timedelta(hours=EXPIRES_HOURS)
    return "too-early" if is_early else None


def _is_under_way(request: Request) -> bool:
    """Whether somebody has begun."""
    return any(visit.has_place and visit.stage != ACCEPTED for visit in request.visits)


def _said_wrongly(step: Step) -> str | None:
    """Whether the time that was said cannot be. The staff may write down from paper what is older."""
    if step.said_at is None:
        return None
    if step.said_at > step.at + datetime.timedelta(seconds=AHEAD_MAX_SECONDS):
        return "in-future"
    is_old = step.said_at < step.at - datetime.timedelta(hours=SAID_MAX_HOURS)
    return "too-old" if is_old and not step.by.is_staff else None


# What the steps do


def _offer(request: Request, step: Step) -> Request:
    visit = Visit(volunteer=step.volunteer, offered_at=step.at)
    return msgspec.structs.replace(request, visits=(*request.visits, visit))


def _accept(request: Request, step: Step) -> Request:
    known = request.visit(step.volunteer)
    if known is None or known.stage != OFFERED:
        visit = _marked(Visit(volunteer=step.volunteer, stage=ACCEPTED, accepted_at=step.at), step)
        accepted = msgspec.structs.replace(request, visits=(*request.visits, visit))
    else:
        accepted = _change(request, step, stage=ACCEPTED, accepted_at=step.at)
    return accepted if accepted.missing else _lapse(accepted, step.at)


def _lapse(request: Request, at: Time) -> Request:
    """All places are taken: what else was offered is offered no more."""
    visits = tuple(
        msgspec.structs.replace(visit, stage=LAPSED, over_at=at) if visit.stage == OFFERED else visit
        for visit in request.visits
    )
    return msgspec.structs.replace(request, visits=visits)


def _over(stage: str) -> Callable[[Request, Step], Request]:
    return lambda request, step: _change(request, step, stage=stage, over_at=step.at)


def _check_in(request: Request, step: Step) -> Request:
    return _change(request, step, stage=CHECKED_IN, checkin=step.clocked)


def _check_out(request: Request, step: Step) -> Request:
    return _change(request, step, stage=CHECKED_OUT, checkout=step.clocked)


def _confirm(request: Request, step: Step) -> Request:
    """An objection that was talked over is kept beside the confirmation."""
    form = step.form if step.form in FORMS else SCREEN
    by = "" if step.by.is_staff else step.by.account
    return _change(
        request, step, stage=CONFIRMED, confirmed_at=step.at, confirmed_by=by, form=form, rating=step.rating
    )


def _object(request: Request, step: Step) -> Request:
    text = step.text[:TEXT_MAX_CHARACTERS]
    return _change(request, step, stage=OBJECTED, objection=text, confirmed_at=None, confirmed_by="", form="")


def _propose(request: Request, step: Step) -> Request:
    """With no draft: the one that waited was refused, and another may be made."""
    return _change(request, step, draft=step.draft)


def _record(request: Request, step: Step) -> Request:
    return _change(request, step, stage=RECORDED, index=step.index, draft="")


def _end(ended: str) -> Callable[[Request, Step], Request]:
    def end(request: Request, step: Step) -> Request:
        visits = tuple(
            msgspec.structs.replace(visit, stage=LAPSED, over_at=step.at) if visit.is_live else visit
            for visit in request.visits
        )
        return msgspec.structs.replace(request, ended=ended, ended_at=step.at, visits=visits)

    return end


def _change(request: Request, step: Step, **fields: object) -> Request:
    """The request with the volunteer's newest visit changed."""
    visits = list(request.visits)
    for place in reversed(range(len(visits))):
        if visits[place].volunteer == step.volunteer:
            visits[place] = _marked(msgspec.structs.replace(visits[place], **fields), step)
            break
    return msgspec.structs.replace(request, visits=tuple(visits))


def _marked(visit: Visit, step: Step) -> Visit:
    """With the step's mark and proof on it, where it has any."""
    marks = (*visit.marks, f"{step.kind}:{step.mark}")[-MARKS_MAX:] if step.mark else visit.marks
    proofs = visit.proofs
    if step.proof is not None:
        proofs = (*(proof for proof in proofs if proof.step != step.proof.step), step.proof)
    return msgspec.structs.replace(visit, marks=marks, proofs=proofs)


Ladder = Callable[[Request, Step], str | None]
LADDERS: dict[str, Ladder] = {
    OFFER: _may_offer,
    ACCEPT: _may_accept,
    CHECK_IN: _may_check_in,
    CHECK_OUT: _may_check_out,
    NOBODY: _may_say_nobody,
    OBJECT: _may_object,
    RECORD: _may_record,
    WITHDRAW: _may_withdraw,
    EXPIRE: _may_expire,
}
EFFECTS: dict[str, Callable[[Request, Step], Request]] = {
    OFFER: _offer,
    ACCEPT: _accept,
    DECLINE: _over(DECLINED),
    TAKE_BACK: _over(TAKEN_BACK),
    CHECK_IN: _check_in,
    CHECK_OUT: _check_out,
    NOBODY: _over(NOBODY_CAME),
    CONFIRM: _confirm,
    OBJECT: _object,
    PROPOSE: _propose,
    RECORD: _record,
    WITHDRAW: _end(WITHDRAWN),
    EXPIRE: _end(EXPIRED),
}


class Share(msgspec.Struct, frozen=True):
    """The part of a visit that one recipient's account is asked for."""

    recipient: str
    starts_at: Time
    ends_at: Time
    minutes: int


def shares(request: Request, visit: Visit, minutes: int, unit_minutes: int) -> list[Share]:
    """A visit as the ledger has it: several recipients one after another, so that no minute counts twice.

    ``minutes`` is at most those of the visit; each part is a whole number of units, and those that are left over
    go to the first recipients. Nobody has a part of nothing. It begins with the whole minute of the check-in, as a
    paper sheet would have it.
    """
    if visit.checkin is None or visit.checkout is None or minutes > visit.minutes:
        return []
    begin = visit.checkin.said_at.replace(second=0, microsecond=0)
    return list(_shared(request.recipients, begin, minutes // unit_minutes, unit_minutes))


def _shared(recipients: tuple[str, ...], begin: Time, units: int, unit_minutes: int) -> Iterator[Share]:
    each, over = divmod(units, len(recipients))
    for place, recipient in enumerate(recipients):
        minutes = (each + (place < over)) * unit_minutes
        end = begin + datetime.timedelta(minutes=minutes)
        if minutes:
            yield Share(recipient, begin, end, minutes)
        begin = end
