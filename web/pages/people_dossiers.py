"""Particulars that wait with a draft, and come with the entry that names them.

    body = make_opening(node, told, now)          # the dossier waits in people.db, encrypted; the body has its hash
    decision = await propose(kit, who, body, demand_of(body))
    …                                             # somebody certifies: just before the commit ``bring`` is told

The clerk writes down name, telephone and all else before anybody has certified that there is such a person. No log
names that yet, so it waits beside the dossiers (``People.wait``). ``bring`` makes it pending with the entry, and the
next opening of ``people.db`` settles it, whatever came in between (``web.dossiers``). What belongs to a draft that was
refused is destroyed by ``tidy``, which runs whenever the drafts have changed (``web.pages.names``). All of it runs in
the writer's thread.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from gettext import gettext as _
from typing import Any, cast

import msgspec

from care.dossier import CareError, Dossier, change_dossier, make_dossier, plain_dossier
from care.people import People
from chain.fields import Time
from ledger.bodies import AccountOpen, AccountUpdate
from store.drafts import Draft, Drafts
from store.log import StoreError
from web.desk import DeskNode
from web.dossiers import kept_dossier, open_people
from web.pages.desk_signing import BEFORE_COMMIT, CLERK_MEMBER, FUNDED, Desk, body_of
from web.pages.people_reading import last_description
from web.people import draw_number, opening_of, update_of

KINDS = ("account_open", "account_update")
LEAST_AGE = datetime.timedelta(minutes=10)
"""Between the particulars and their draft there is a moment: what is younger is left alone."""
WAITS_ALREADY, NOTHING_NEW = "waits-already", "nothing-new"


@dataclass(frozen=True, slots=True)
class Told:
    """What a form said: particulars by their names in a dossier, and what the ledger is to know."""

    personal: Mapping[str, Any]
    public: Mapping[str, Any]
    household: str = ""
    is_institution: bool = False


def register() -> None:
    """Have the particulars come with their entries."""
    BEFORE_COMMIT.update(dict.fromkeys(KINDS, bring))


def demand_of(body: AccountOpen | AccountUpdate) -> str:
    """Who has to sign: where others pay for the hours, the tier above too."""
    return CLERK_MEMBER if body.funded is None else FUNDED


def make_opening(node: DeskNode, told: Told, now: Time) -> AccountOpen:
    """A new account under a number that nobody has, its particulars waiting; raises CareError."""
    dossier = make_dossier(told.personal)
    with open_people(node) as people:
        taken = {locked.account for locked, _dossier in people.waiting()}
        number = draw_number(lambda drawn: drawn in node.state.accounts or drawn in taken)
        locked = people.lock(number, dossier)
        people.wait(locked, now)
    public = {**told.public, "born": dossier.born, "dossier": locked.hash, "household": told.household or None}
    opened = opening_of(number, public, (now + node.state.utc_offset).date())
    return msgspec.structs.replace(opened, holder="institution" if told.is_institution else "person")


def make_update(node: DeskNode, number: str, told: Told, now: Time) -> AccountUpdate | str:
    """An account described anew, particulars that changed waiting; or why there is nothing to propose."""
    last = last_description(node, number)
    with open_people(node) as people:
        kept = kept_dossier(node, people, number)
        before = Dossier() if kept is None else kept[1]
        after = change_dossier(before, told.personal)
        is_same = after == before and last is not None
        if not is_same and any(locked.account == number for locked, _dossier in people.waiting()):
            return WAITS_ALREADY
        locked = None if is_same else people.lock(number, after)
        hashed = locked.hash if locked is not None else bytes(cast(AccountOpen, last).dossier)
        updated = _updated(node, number, told, after, hashed, now)
        if last is not None and _same(updated, last):
            return NOTHING_NEW
        if locked is not None:
            people.wait(locked, now)
    return updated


def _updated(node: DeskNode, number: str, told: Told, dossier: Dossier, hashed: bytes, now: Time) -> AccountUpdate:
    public = {name: value for name, value in told.public.items() if name not in ("guardian", "funded")}
    public |= {"born": dossier.born, "dossier": hashed}
    updated = update_of(node.state.accounts[number], public, (now + node.state.utc_offset).date())
    return msgspec.structs.replace(
        updated,
        guardian=told.public.get("guardian"),
        funded=told.public.get("funded"),
        household=told.household or None,
    )


def _same(updated: AccountUpdate, last: AccountOpen | AccountUpdate) -> bool:
    return all(getattr(updated, name) == getattr(last, name) for name in AccountUpdate.__struct_fields__)


def dossier_of(node: DeskNode, number: str) -> tuple[dict[str, Any], str]:
    """What is kept of a person, and the household's word; nothing where nothing is. Have the look on disk first."""
    last = last_description(node, number)
    with open_people(node) as people:
        kept = kept_dossier(node, people, number)
    return ({} if kept is None else plain_dossier(kept[1])), (last.household or "" if last is not None else "")


def waiting_dossier(node: DeskNode, number: str) -> dict[str, Any] | None:
    """The particulars that wait of an account, the newest."""
    with open_people(node) as people:
        found = (plain_dossier(dossier) for locked, dossier in people.waiting() if locked.account == number)
        return next(found, None)


def forget(node: DeskNode, body: AccountOpen | AccountUpdate) -> None:
    """Destroy the particulars of a draft that came to nothing."""
    with open_people(node) as people:
        people.forget(body.account, bytes(body.dossier))


def bring(desk: Desk, drafts: Sequence[tuple[Draft, int]], since: int) -> None:
    """Have on disk the particulars that these entries name, before they are committed.

    Raises StoreError where they are gone: an entry must not name what nobody has, and only that ends the batch.
    """
    try:
        with desk.node.people() as people:
            for draft, _index in drafts:
                body = body_of(draft)
                if isinstance(body, AccountOpen | AccountUpdate) and not _is_here(people, body, since):
                    text = _("the particulars that draft {number} names are gone: refuse it, and propose it anew")
                    raise StoreError(text.format(number=draft.id))
    except CareError as error:
        raise StoreError(str(error)) from error


def _is_here(people: People, body: AccountOpen | AccountUpdate, since: int) -> bool:
    hashed = bytes(body.dossier)
    if people.bring(body.account, hashed, since):
        return True
    kept = people.dossier(body.account)
    return bool(people.erasures(body.account)) if kept is None else kept[0].hash == hashed


def tidy(people: People, drafts: Drafts, now: Time) -> None:
    """Destroy particulars whose draft was refused, or never came to be."""
    kept = list(people.waiting())
    if not kept:
        return
    named = {
        (body.account, bytes(body.dossier))
        for body in (body_of(draft) for draft in drafts.waiting() if draft.kind in KINDS)
        if isinstance(body, AccountOpen | AccountUpdate)
    }
    for locked, _dossier in kept:
        if (locked.account, locked.hash) not in named:
            people.forget(locked.account, locked.hash, now - LEAST_AGE)
