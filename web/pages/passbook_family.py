"""My family, and who looked at my data.

A guardian sees what a minor has whom they speak for, and that look is recorded; kin see that they are kin, and may be
given to and confirm for each other (RULES §3, §4), but not what the other has.
"""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from chain.fields import UTC, Time
from store.access import Look
from web.access.who import Who
from web.desk import DeskNode
from web.dossiers import NAMES, open_people, purpose_text
from web.i18n import marked
from web.i18n import translate as _
from web.pages.kit import Kit
from web.pages.passbook_kit import Mine
from web.pages.passbook_reading import Held, own_of
from web.problems import DeskError
from web.text import USER_ROLES, named

BALANCE = "balance"
DAYS = 365
LOOKS_SHOWN_MAX = 200
WHAT: dict[str, str] = {
    "account": marked("what the account has"),
    "balance": marked("what the account has"),
    "statement": marked("the passbook"),
    "receipt": marked("a receipt of the balance"),
    "name": marked("the name"),
    "person": marked("the person's page"),
    "dossier": marked("personal details"),
    "passbook": marked("the passbook"),
    "search": marked("the name, in a search"),
    "request": marked("a request for help"),
    "profile": marked("when and for what one is free, and where one lives"),
    "coupons": marked("a book of coupons, to print it"),
    "certificate": marked("the certificate of hours"),
    "sign-in": marked("a sign-in or password was made"),
}
"""What was looked at."""


@dataclass(frozen=True, slots=True)
class Ward:
    """A minor for whom somebody speaks."""

    number: str
    balance: int
    held: int
    waiting: tuple[Held, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """Somebody looked at something, ``times`` in that hour."""

    at: Time
    user: str
    role: str
    what: str
    purpose: str
    times: int


def family_router(mine: Mine) -> APIRouter:
    """The routes."""
    kit = mine.kit
    router = kit.router()

    @router.get("/me/family")
    async def family(request: Request) -> Response:
        who, own = await mine.own(request)
        for ward in own.wards:
            await to_thread.run_sync(kit.may_look, who, BALANCE, ward)
        wards = await kit.writer.ask(partial(_wards, numbers=own.wards, now=kit.clock()))
        known = await mine.named(who, {*own.kin, *own.wards, *([own.guardian] if own.guardian else [])})
        return mine.page(request, own, "family.html", wards=wards, names=known)

    @router.get("/me/looks")
    async def looks(request: Request) -> Response:
        who, own = await mine.own(request)
        since = int(kit.clock().timestamp()) - DAYS * 86_400
        found = await to_thread.run_sync(_looks, kit, who, since)
        dossier = await kit.writer.ask(partial(_dossier_looks, number=own.number))
        seen = sorted([*found, *_timely(dossier, since)], key=lambda look: look.at, reverse=True)
        local = [
            (own.local(look.at), look, looked_at(look.what), purpose_text(look.purpose))
            for look in seen[:LOOKS_SHOWN_MAX]
        ]
        return mine.page(request, own, "looks.html", looks=local, is_cut=len(seen) > LOOKS_SHOWN_MAX)

    return router


def looked_at(what: str) -> str:
    """What was looked at, in people's words: a whole, or fields of the dossier."""
    return _(", ").join(named(WHAT | NAMES, part) for part in what.split(","))


def _wards(node: DeskNode, numbers: Iterable[str], now: Time) -> list[Ward]:
    found = (own_of(node, number, now) for number in numbers)
    return [Ward(each.number, each.balance, each.held, each.waiting) for each in found if each is not None]


def _looks(kit: Kit, who: Who, since: int) -> list[Seen]:
    """What others were shown of the account over pages and API."""
    roles = {user.name: user.role for user in kit.access.users()}
    looks: Sequence[Look] = kit.access.looks(account=who.account)
    return [
        Seen(
            datetime.datetime.fromtimestamp(look.at_seconds, UTC),
            look.user,
            named(USER_ROLES, roles.get(look.user, "")),
            look.what,
            "",
            look.times,
        )
        for look in looks
        if look.ledger in ("", who.ledger) and look.at_seconds >= since and look.user != who.name
    ]


def _dossier_looks(node: DeskNode, number: str) -> list[Seen]:
    """What was shown of the dossier, with the reason that was given."""
    try:
        with open_people(node) as people:
            found = people.looks(number)
    except DeskError:
        return []
    return [
        Seen(datetime.datetime.fromisoformat(look.time), look.key, "", look.fields, look.purpose, 1) for look in found
    ]


def _timely(looks: Iterable[Seen], since: int) -> list[Seen]:
    return [look for look in looks if look.at.timestamp() >= since]
