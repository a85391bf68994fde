"""From the form of a record to a service: who is meant, when it was, and what shows that it took place.

The evidence of a record on paper is the hash of this one row as a day-sheet file (RULES §4, docs/desk.md), without the
remark: whoever keeps the paper can make it again.
"""

import datetime
import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import msgspec
from fastapi import Request

from ledger.bodies import COUPON, PAPER, Evidence, Service
from ledger.numbers import has_check_digits
from web.access.who import Who
from web.coupons import Coupon, Shelf, coupon_evidence, parse_coupon
from web.daysheet import COLUMNS, interval, local_midnight
from web.desk import DeskNode
from web.i18n import translate as _
from web.pages.desk_payers import PayerCode, usual_payer
from web.pages.desk_words import PAYERS
from web.pages.forms import Form
from web.pages.kit import Kit
from web.pages.names import Found, Names
from web.refused import format_row
from web.table import BadRowError

HOUR_MINUTES = 60
REMARK_MAX_CHARACTERS, SHEET_MAX_CHARACTERS = 200, 40
CHOICES_MAX = 8
"""So many people are shown where a name fits several."""
WHAT = re.compile(r"[a-z][a-z0-9_]{0,31}(/[a-z][a-z0-9_]{0,31})?")
NUMBER_AT_END = re.compile(r".*?([0-9]{8})")
EVIDENCES = (PAPER, COUPON)


@dataclass(slots=True)
class Record:
    """A form on its way to a service; ``choices`` are the people among whom somebody has to choose."""

    form: Form
    choices: dict[str, Sequence[Found]] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)


async def read_record(names: Names, request: Request, who: Who, form: Form) -> Record:
    """Find out who is meant, and look at what does not come onto the ledger."""
    read = Record(form)
    form.text("remark", REMARK_MAX_CHARACTERS)
    form.text("sheet", SHEET_MAX_CHARACTERS)
    for name in ("provider", "recipient"):
        read.people[name] = await _person(names, request, who, read, name)
    return read


async def _person(names: Names, request: Request, who: Who, read: Record, name: str) -> str:
    """The account number of whom a field means; "" with a flaw, and perhaps with choices."""
    form = read.form
    picked = form.text(f"{name}_pick", 16)
    typed = unicodedata.normalize("NFKC", form.text(name, 64, is_needed=True))
    found = NUMBER_AT_END.fullmatch(picked or typed.replace(" ", ""))
    if found is not None and (picked or not typed.isdigit() or len(typed) == len(found[1])):
        if has_check_digits(found[1]):
            return found[1]
        form.flaw(name, _("an account number has eight digits; look at the passbook's first page"))
    if not typed or name in form.flaws:
        return ""
    await names.asked(request, who)
    people = await names.find(typed, CHOICES_MAX)
    if len(people) == 1:
        return people[0].account
    read.choices[name] = people
    form.flaw(name, _("choose who is meant") if people else _("nobody is found by this: look at the name or number"))
    return ""


async def make_service(kit: Kit, read: Record) -> Service | None:
    """The service that the form says; None with flaws in it."""
    form = read.form
    day, start, end = form.date("date"), form.clock("start"), form.clock("end")
    what = form.text("what", 80, is_needed=True)
    if what and not WHAT.fullmatch(what):
        form.flaw("what", _("choose one of those offered"))
    payer = form.choice("paid_by", PAYERS, is_needed=False)
    shown_by = form.choice("evidence", EVIDENCES)
    coupon = form.text("coupon", 200, is_needed=shown_by == COUPON)
    minutes = form.number("minutes", 1, 24 * HOUR_MINUTES, is_needed=False)
    if form.flaws or day is None or start is None or end is None:
        return None
    if not 2001 <= day.year <= 2998:
        form.flaw("date", _("a date, like 2026-11-21"))
        return None
    slip = _slip(form, kit.settings.origin, coupon) if shown_by == COUPON else None
    if form.flaws:
        return None
    first, last = interval(start.hour * HOUR_MINUTES + start.minute, end.hour * HOUR_MINUTES + end.minute)

    def make(node: DeskNode) -> Service:
        state = node.state
        midnight = local_midnight(day, state.utc_offset)
        category, _slash, local = what.partition("/")
        evidence = None if slip is None else coupon_evidence(slip, state, Shelf(kit.home))
        provider = state.accounts.get(read.people["provider"])
        return Service(
            category=category,
            end=midnight + last,
            evidence=evidence or Evidence(form="paper", hash=bytes(32)),
            guardian=provider.guardian if provider is not None and provider.minor else None,
            local=local or None,
            minutes=minutes or max(1, int((last - first).total_seconds()) // 60),
            paid_by=cast(PayerCode, payer) if payer else usual_payer(state, read.people["recipient"]),
            provider=read.people["provider"],
            recipient=read.people["recipient"],
            start=midnight + first,
        )

    made = await kit.writer.ask(make)
    if made.evidence.form == PAPER:
        row = paper_row(day, start, end, made)
        return msgspec.structs.replace(made, evidence=Evidence(form="paper", hash=hashlib.sha256(row).digest()))
    return made


def _slip(form: Form, origin: str, text: str) -> Coupon | None:
    """The coupon that was scanned or typed; None with a flaw where it was misread."""
    try:
        return parse_coupon(text, origin)
    except BadRowError as error:
        form.flaw("coupon", str(error))
        return None


def paper_row(day: datetime.date, start: datetime.time, end: datetime.time, service: Service) -> bytes:
    """A service on paper as a day-sheet file of one row, of which the ledger has the hash."""
    cells = {
        "date": day.isoformat(),
        "start": f"{start:%H:%M}",
        "end": f"{end:%H:%M}",
        "provider": service.provider,
        "recipient": service.recipient,
        "category": service.category,
        "local": service.local or "",
        "minutes": str(service.minutes),
        "paid_by": service.paid_by,
        "evidence": PAPER,
    }
    return format_row(COLUMNS) + format_row(cells.get(column, "") for column in COLUMNS)
