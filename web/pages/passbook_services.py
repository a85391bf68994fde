"""A service that both sides sign on their own phones: a volunteer tells it, the elder confirms (RULES §4, ``signed``).

The volunteer's browser signs a ``service`` that names the key of whoever is to confirm: the elder's, the guardian's or
that of kin. It waits in ``store.halfsigned`` until that person's browser has signed beside; then both signatures go to
the ledger as one sheet. Nobody confirms their own service: the rules say so, and this page does not offer it.
"""

import datetime
from dataclasses import dataclass

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Request, Response

from chain.encoding import parse_base64
from chain.entry import Signature
from chain.errors import NoteError
from chain.fields import Time
from chain.keys import SIGNATURE_BYTES
from chain.sheet import SignedSheet
from ledger.bodies import Service
from ledger.hours import RECIPIENT_PAYS
from ledger.roster import PEOPLE
from store.halfsigned import CrowdedError, Half, Kept
from web.desk import DeskNode
from web.i18n import translate as _
from web.pages.forms import EMPTY, Form
from web.pages.passbook_kit import Mine
from web.pages.passbook_reading import Own, is_objectable, lines_of, met
from web.pages.passbook_signed import SHEET_MAX_CHARACTERS, UnsignedError, own_sheet, plain_of, submit
from web.text import CATEGORIES, named

SERVICE = "service"
SIGNED_EVIDENCE = {"class": "signed"}
FIELDS = frozenset(
    {"category", "end", "evidence", "guardian", "minutes", "paid_by", "provider", "recipient", "start"}
)
"""What the form makes, and all of it is shown to whoever confirms: nobody signs what they were not told."""
ISSUE_PAYS = "issue"
RECENT_MAX = 8
NUMBER_MAX = 2**53 - 1
SIGNATURE_MAX_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Confirmer:
    """The newest key of somebody who may confirm a service for a recipient: the one on the phone they use now."""

    key: str
    account: str
    is_self: bool


@dataclass(frozen=True, slots=True)
class Other:
    """The person served, as far as a volunteer's form needs it."""

    number: str
    confirmers: tuple[Confirmer, ...]
    guardian: str | None
    paid_by: str


@dataclass(frozen=True, slots=True)
class Told:
    """A half-signed service as its reader sees it; times are the village's."""

    id: int
    statement: str
    provider: str
    recipient: str
    category: str
    start: Time
    end: Time
    minutes: int
    paid_by: str
    key: str


def service_router(mine: Mine) -> APIRouter:
    """The routes."""
    kit = mine.kit
    router = kit.router()

    async def report_page(request: Request, form: Form, account: str, status: int = 200) -> Response:
        who, own = await mine.own(request)
        now = kit.clock()
        other = await kit.writer.ask(lambda node: other_of(node, own, account, now)) if account else None
        if account and other is None:
            form.flaw("with", _("there is no account {number} on this ledger").format(number=account))
        lines = lines_of(kit.ledgers.own, own.number, own.utc_offset)
        recent = list(dict.fromkeys(line.other for line in lines if is_objectable(line) and line.other))[:RECENT_MAX]
        known = await mine.named(who, {*recent, account} & ({*own.kin, *own.wards} | met(lines)))
        mine_waiting = await to_thread.run_sync(mine.halves.by_author, own.number)
        sent = [told for told in (_told(kept, own) for kept in mine_waiting) if told is not None]
        return mine.page(
            request,
            own,
            "report.html",
            status,
            form=form,
            other=other,
            recent=recent,
            names=known,
            sent=sent,
            today=mine.today(own),
            categories=[(code, named(CATEGORIES, code)) for code in CATEGORIES],
        )

    @router.get("/me/report")
    async def report(request: Request) -> Response:
        form = Form({"with": request.query_params.get("with", "")})
        account = form.account("with", is_needed=False)
        return await report_page(request, form, account, 422 if form.flaws else 200)

    @router.post("/me/report")
    async def keep(request: Request) -> Response:
        _who, own = await mine.own(request)
        form = await kit.form(request)
        account = form.account("with")
        now = kit.clock()
        other = await kit.writer.ask(lambda node: other_of(node, own, account, now)) if account else None
        try:
            half = _half(form, own, other, int(now.timestamp()))
            await to_thread.run_sync(mine.halves.put, half)
        except (UnsignedError, CrowdedError) as error:
            form.flaw("sheet", str(error))
            return await report_page(request, form, account, 422)
        text = _("Signed. It waits until the other person has confirmed it on their phone.")
        return kit.see(request, "/me/report", text)

    @router.get("/me/confirm")
    async def confirm(request: Request) -> Response:
        who, own = await mine.own(request)
        found = [told for told in (_told(kept, own) for kept in await mine.waiting(own)) if told is not None]
        sides = {told.provider for told in found} | {told.recipient for told in found}
        known = await mine.named(who, sides - {own.number})
        return mine.page(request, own, "confirm.html", form=EMPTY, found=found, names=known)

    @router.post("/me/confirm")
    async def sign(request: Request) -> Response:
        _who, own = await mine.own(request)
        form = await kit.form(request)
        number = form.number("half", 1, NUMBER_MAX)
        kept = next((each for each in await mine.waiting(own) if each.id == number), None)
        if kept is None:
            return kit.see(request, "/me/confirm", _("this waits for you no more"), is_good=False)
        if form.get("act") == "decline":
            await to_thread.run_sync(mine.halves.drop, kept.id)
            return kit.see(request, "/me/confirm", _("Not confirmed: nothing was recorded. Talk to each other."))
        try:
            index = await submit(kit, _whole(kept, form.text("sig", SIGNATURE_MAX_CHARACTERS)))
        except UnsignedError as error:
            return kit.see(request, "/me/confirm", str(error), is_good=False)
        await to_thread.run_sync(mine.halves.drop, kept.id)
        return kit.see(request, "/me/confirm", _("Done: entry {index} of the ledger.").format(index=index))

    return router


def other_of(node: DeskNode, own: Own, number: str, now: Time) -> Other | None:
    """Who was served, and by which keys that can be confirmed; None where there is no such account."""
    state = node.state
    account = state.accounts.get(number)
    if account is None or not number.isdigit() or number == own.number:
        return None
    time = state.log_time(now)
    confirming = [number, *([account.guardian] if account.guardian else []), *sorted(account.kin)]
    keys = []
    for person in confirming:
        theirs = (state.roster.keys[key_id] for key_id in reversed(state.roster.of_person.get(person, ())))
        newest = next((key for key in theirs if key.role in PEOPLE and key.counts_at(time)), None)
        if newest is not None and person != own.number:
            keys.append(Confirmer(newest.id, person, person == number))
    provider = state.accounts[own.number]
    is_funded = account.funded in state.parameters.funded_groups and not (account.redeemable and account.balance > 0)
    guardian = provider.guardian if provider.minor else None
    return Other(number, tuple(keys), guardian, ISSUE_PAYS if is_funded else RECIPIENT_PAYS)


def _half(form: Form, own: Own, other: Other | None, seconds: int) -> Half:
    """What a volunteer's browser signed, if it is their own service and waits for somebody who may confirm it."""
    sheet = own_sheet(form.text("sheet", SHEET_MAX_CHARACTERS), own, {SERVICE}, beside=1)
    plain = plain_of(sheet.statements[0])
    body, (beside,) = plain["body"], plain["with"]
    if body.get("provider") != own.number or other is None or body.get("recipient") != other.number:
        raise UnsignedError(_("sign only what you did yourself"))
    if not body.keys() <= FIELDS or body.get("evidence") != SIGNED_EVIDENCE:
        raise UnsignedError(_("this page does not take that kind of statement"))
    if beside not in {confirmer.key for confirmer in other.confirmers}:
        raise UnsignedError(_("that key cannot confirm it: load the page again"))
    return Half(sheet.statements[0], sheet.signatures[0].sig, own.number, beside, seconds)


def _whole(kept: Kept, signature: str) -> SignedSheet:
    """The sheet with both signatures."""
    try:
        raw = parse_base64(signature, SIGNATURE_BYTES, SIGNATURE_BYTES)
    except NoteError as error:
        raise UnsignedError(_("what your browser signed cannot be read: load the page again")) from error
    by = plain_of(kept.half.statement)["by"]
    signatures = (Signature(by, kept.half.signature), Signature(kept.half.beside, raw))
    return SignedSheet((kept.half.statement,), signatures)


def _told(kept: Kept, own: Own) -> Told | None:
    """A half-signed service in fields; None where it is none that can be shown, so that nobody is asked to sign it."""
    try:
        body = msgspec.convert(plain_of(kept.half.statement)["body"], Service)
    except (msgspec.ValidationError, UnsignedError):
        return None
    return Told(
        id=kept.id,
        statement=kept.half.statement.decode(),
        provider=body.provider,
        recipient=body.recipient,
        category=named(CATEGORIES, body.category),
        start=_shifted(body.start, own.utc_offset),
        end=_shifted(body.end, own.utc_offset),
        minutes=body.minutes,
        paid_by=body.paid_by,
        key=kept.half.beside,
    )


def _shifted(time: Time, offset: datetime.timedelta) -> Time:
    try:
        return time + offset
    except OverflowError:
        return time
