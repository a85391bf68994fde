"""From what a clerk types to a request: who is meant, when, and what the elder's dossier says of care and language.

The dossier is looked into once, when the request is made, and the look is recorded; what matters for finding somebody
is kept with the request, under the same lock (``care.requestbook``).
"""

import datetime
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import msgspec
from anyio import to_thread
from fastapi import Request as WebRequest

from care.dossier import Dossier
from care.requests import MINUTES_MAX, PLACES_MAX, RECIPIENTS_MAX, TEXT_MAX_CHARACTERS, Request
from chain.fields import Time
from ledger.numbers import has_check_digits
from ledger.state import CLOSED, State
from web.access.who import Who
from web.daysheet import local_midnight
from web.dossiers import open_people
from web.i18n import translate as _
from web.pages.forms import Form
from web.pages.names import Found, Names
from web.pages.requests_kit import RequestKit, Table
from web.text import sentence

CHOICES_MAX = 8
NUMBER = re.compile(r"[0-9]{8}")
NUMBER_AT_END = re.compile(r".*?([0-9]{8})")
LOOKED_AT = "care_level,diet,languages"
DAYS_BACK, DAYS_AHEAD = 2, 180
"""A whistle is about what comes; two days back for what was agreed by word of mouth."""
OTHERS_MAX_CHARACTERS = 12 * RECIPIENTS_MAX
FAR_OFF, GONE, ANOTHERS, TWICE = "far-off", "wish-gone", "wish-of-another", "asked-twice"
"""Why no request is made, beside what the ledger's rules say."""
LEVEL_WORDS = (
    ("能力完好", "自理", "independent"),
    ("轻度", "mild"),
    ("中度", "moderate"),
    ("重度", "severe"),
    ("完全失能", "全失能", "total"),
)
"""What people write for the five levels of the national standard."""


@dataclass(slots=True)
class Wanted:
    """A form on its way to a request; ``choices`` are the people among whom somebody has to choose."""

    form: Form
    choices: Mapping[str, Sequence[Found]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """What the form says, but for what the dossier adds."""

    recipients: tuple[str, ...]
    category: str
    local: str
    day: datetime.date
    clock: datetime.time
    minutes: int
    places: int = 1
    title: str = ""
    details: str = ""
    care_level: int | None = None

    @property
    def what(self) -> str:
        """The service, as a form offers it."""
        return f"{self.category}/{self.local}" if self.local else self.category


async def person_meant(
    names: Names, request: WebRequest, who: Who, form: Form, name: str
) -> tuple[str, Sequence[Found]]:
    """The account that a field means; "" with a flaw, and the people among whom to choose."""
    picked = form.text(f"{name}_pick", 16)
    typed = unicodedata.normalize("NFKC", form.text(name, 64, is_needed=not picked))
    found = NUMBER_AT_END.fullmatch(picked or typed.replace(" ", ""))
    if found is not None and (picked or not typed.isdigit() or len(typed) == len(found[1])):
        if has_check_digits(found[1]):
            return found[1], ()
        form.flaw(name, _("an account number has eight digits; look at the passbook's first page"))
    if not typed or name in form.flaws:
        return "", ()
    await names.asked(request, who)
    people = await names.find(typed, CHOICES_MAX)
    if len(people) == 1:
        return people[0].account, ()
    form.flaw(name, _("choose who is meant") if people else _("nobody is found by this: look at the name or number"))
    return "", people


async def read_request(care: RequestKit, request: WebRequest, who: Who, form: Form, whats: Collection[str]) -> Wanted:
    """Read all fields, each flaw beside its field; ``person`` may lead to a choice."""
    account, choices = await person_meant(care.names, request, who, form, "person")
    wanted = Wanted(form, {"person": choices} if choices else {})
    form.choice("what", whats)
    form.date("day")
    form.clock("clock")
    form.number("minutes", 5, MINUTES_MAX)
    form.number("places", 1, PLACES_MAX, is_needed=False)
    form.text("title", 60)
    form.text("details", TEXT_MAX_CHARACTERS)
    form.choice("care_level", "01234", is_needed=False)
    others = form.text("others", OTHERS_MAX_CHARACTERS)
    numbers = _numbers(others)
    is_list = all(NUMBER.fullmatch(number) and has_check_digits(number) for number in numbers)
    if not is_list or len(numbers) >= RECIPIENTS_MAX:
        form.flaw("others", _("account numbers, one after another, at most {most}").format(most=RECIPIENTS_MAX - 1))
    if account and account in numbers:
        form.flaw("others", _("the same person stands here twice"))
    return wanted


def told_in(form: Form, account: str) -> Told | None:
    """What a form without flaws says."""
    day, clock, minutes = form.date("day"), form.clock("clock"), form.number("minutes", 5, MINUTES_MAX)
    if form.flaws or day is None or clock is None or minutes is None:
        return None
    category, _slash, local = form.text("what", 80).partition("/")
    level = form.text("care_level", 4)
    return Told(
        recipients=tuple(dict.fromkeys((account, *_numbers(form.text("others", OTHERS_MAX_CHARACTERS))))),
        category=category,
        local=local,
        day=day,
        clock=clock,
        minutes=minutes,
        places=form.number("places", 1, PLACES_MAX, is_needed=False) or 1,
        title=form.text("title", 60),
        details=form.text("details", TEXT_MAX_CHARACTERS),
        care_level=int(level) if level else None,
    )


def _numbers(text: str) -> list[str]:
    """What stands between spaces and commas."""
    return re.findall(r"[^\s,、;]+", unicodedata.normalize("NFKC", text))


async def make_request(care: RequestKit, who: Who, told: Told) -> Request | tuple[str, str]:
    """The request, on disk; or the field that is wrong, and the outcome."""
    for account in told.recipients:
        await to_thread.run_sync(partial(care.kit.may_look, who, LOOKED_AT, account))
    return await care.ask(lambda table: _make(table, who.name, told))


def _make(table: Table, user: str, told: Told) -> Request | tuple[str, str]:
    flaw = _flaw_of(table, told, at_of(table.state, told.day, told.clock))
    if flaw is not None:
        return flaw
    dossiers = _looked_at(table, user, told.recipients)
    levels = [level for level in (care_level_of(each.care_level) for each in dossiers) if level is not None]
    return table.book.add(
        msgspec.structs.replace(
            request_of(table, told),
            care_level=told.care_level if told.care_level is not None else max(levels, default=None),
            languages=dossiers[0].languages if dossiers else (),
            diet=dossiers[0].diet if dossiers else "",
        )
    )


def why_not(outcome: str) -> str:
    """Why no request was made."""
    texts = {
        FAR_OFF: _("from two days ago to {days} days ahead").format(days=DAYS_AHEAD),
        TWICE: _("there is this very request already, and it is open: look among the requests"),
        GONE: _("this was decided or taken back meanwhile"),
        ANOTHERS: _("this is asked for somebody else: put them back here, or make a request of its own"),
    }
    return texts.get(outcome) or sentence(outcome)


def request_of(table: Table, told: Told) -> Request:
    """What is told as a request that stands in no book yet."""
    return Request(
        id=0,
        recipients=told.recipients,
        category=told.category,
        local=told.local,
        starts_at=at_of(table.state, told.day, told.clock),
        minutes=told.minutes,
        places=told.places,
        title=told.title,
        details=told.details,
        requested_at=table.now,
    )


def _flaw_of(table: Table, told: Told, starts_at: Time) -> tuple[str, str] | None:
    accounts = table.state.accounts
    for place, number in enumerate(told.recipients):
        account, name = accounts.get(number), "others" if place else "person"
        if account is None or account.status == CLOSED:
            return name, "no-account"
        if not account.elder:
            return name, "not-elder"
    if told.local and table.state.parameters.local_services.get(told.local) != told.category:
        return "what", "unknown-category"
    days = (starts_at - table.now).days
    if not -DAYS_BACK <= days <= DAYS_AHEAD:
        return "day", FAR_OFF
    wanted = _asked(request_of(table, told))
    return ("clock", TWICE) if any(_asked(each) == wanted for each in table.live()) else None


def _asked(request: Request) -> tuple[object, ...]:
    """What two requests have in common that are one form, sent twice."""
    what = request.recipients, request.category, request.local, request.title, request.details
    return *what, request.starts_at, request.minutes, request.places


def _looked_at(table: Table, user: str, accounts: Sequence[str]) -> list[Dossier]:
    """The dossiers that are kept of them, the look on disk first."""
    with open_people(table.node) as people:
        people.note_looks(accounts, table.now, user, LOOKED_AT, "")
        found = [people.dossier(account) for account in accounts]
    return [each[1] for each in found if each is not None]


def at_of(state: State, day: datetime.date, clock: datetime.time) -> Time:
    """A local day and time of day as the ledger counts time."""
    return local_midnight(day, state.utc_offset) + datetime.timedelta(hours=clock.hour, minutes=clock.minute)


def care_level_of(text: str) -> int | None:
    """What a dossier says of somebody's care level, as one of the five; None where it says nothing that is known."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if re.fullmatch(r"[0-4]\s*级?", plain):
        return int(plain[0])
    found = [level for level, words in enumerate(LEVEL_WORDS) if any(word in plain.lower() for word in words)]
    return max(found, default=None)
