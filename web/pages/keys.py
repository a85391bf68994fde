"""Keys: whose device may sign for an account, and which staff there are; granted and revoked by two members (RULES §1).

A person's key is made in their own browser and never leaves it; what comes to the desk is its public text ``HZK1:…``,
scanned from the passbook's page or typed (``web.pages.passbook_keytext``). A staff key is made here and kept in the
home, as ``huzhu key new`` does.
"""

import datetime
from dataclasses import dataclass
from functools import partial

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from chain.encoding import parse_base64
from chain.errors import NoteError
from chain.fields import KEY_ID, Time
from chain.keys import PUBLIC_KEY_BYTES
from ledger.bodies import KeyGrant, KeyRevoke
from ledger.roster import ASSESSOR, AUTHORITY, CLERK, GUARDIAN, MEMBER, RECIPIENT, STAFF, VOLUNTEER, Key
from web.access import who as access
from web.desk import DeskNode
from web.i18n import marked
from web.i18n import translate as _
from web.keyring import Keyring
from web.pages.approvals import propose
from web.pages.desk_signing import REFUSED, THRESHOLD, TWO_AUTHORITIES, TWO_MEMBERS
from web.pages.desk_words import told as said
from web.pages.forms import EMPTY, Form
from web.pages.kit import Kit
from web.pages.names import Names
from web.pages.passbook_keytext import KEY_TEXT_MAX_CHARACTERS, parse_key_text
from web.pages.people_person import known
from web.session import new_key
from web.text import named_role

OF_PEOPLE = {
    VOLUNTEER: marked("volunteer: records the services they give"),
    RECIPIENT: marked("served person: confirms the services they receive"),
    GUARDIAN: marked("guardian: confirms for whom they answer"),
}
REASONS = {
    "lost": marked("the device is lost"),
    "new": marked("the person has another device"),
    "left": marked("the person has left"),
    "asked": marked("the person asked for it"),
}
ENDS_SOON = datetime.timedelta(days=30)
STAFF_HERE = (CLERK, MEMBER)
"""Whose keys are made and kept here."""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key as a page shows it; times are local."""

    id: str
    role: str
    account: str
    user: str
    until: str
    counts: bool
    ends_soon: bool
    is_kept: bool


@dataclass(frozen=True, slots=True)
class Staff:
    """The staff's keys, and how many members the ledger needs."""

    rows: list[KeyRow]
    threshold: int
    has_authority: bool


def key_router(kit: Kit, names: Names) -> APIRouter:
    """The routes; ``/people/keys`` before those of ``/people/{account}``."""
    router = kit.router()

    @router.get("/people/keys")
    async def staff(request: Request) -> Response:
        kit.who(request, access.CLERK, access.MEMBER)
        return await show_staff(request, EMPTY)

    @router.post("/people/keys")
    async def grant_staff(request: Request) -> Response:
        who, form = kit.who(request, access.MEMBER), await kit.form(request)
        role = form.choice("role", STAFF_HERE)
        account, until = form.account("account", is_needed=False), form.date("until", is_needed=False)
        if account:
            await known(kit, account)
        if form.flaws:
            return await show_staff(request, form, 422)
        key = new_key()
        await to_thread.run_sync(kit.home.add_key, role, key, kit.passphrase)
        body = KeyGrant(account=account or None, key=key.public, role=role, until=await end_of(until))
        decision = await propose(kit, who, body, demand_of(role))
        if decision.state == REFUSED:
            await to_thread.run_sync(kit.home.drop_key, role, key.id)
        return kit.see(request, "/people/keys", said(decision), is_good=decision.state != REFUSED)

    @router.post("/people/keys/{key}/revoke")
    async def revoke(request: Request, key: str) -> Response:
        who, form = kit.who(request, access.CLERK, access.MEMBER), await kit.form(request)
        account = form.account("account", is_needed=False)
        to = f"/people/{account}/keys" if account else "/people/keys"
        reason = form.choice("reason", REASONS)
        if form.flaws or KEY_ID.fullmatch(key) is None:
            return kit.see(request, to, _("choose why the key is to end"), is_good=False)
        role = await kit.writer.ask(partial(_role_of, key=key))
        body = KeyRevoke(key_id=key, reason=REASONS[reason])
        decision = await propose(kit, who, body, demand_of(role))
        return kit.see(request, to, said(decision), is_good=decision.state != REFUSED)

    @router.get("/people/{account}/keys")
    async def keys(request: Request, account: str) -> Response:
        kit.who(request, access.CLERK, access.MEMBER)
        return await show_keys(request, account, EMPTY)

    @router.post("/people/{account}/keys")
    async def grant(request: Request, account: str) -> Response:
        who, form = kit.who(request, access.CLERK, access.MEMBER), await kit.form(request)
        await known(kit, account)
        public = read_key(form)
        role, until = form.choice("role", OF_PEOPLE), form.date("until", is_needed=False)
        if public is None or form.flaws:
            return await show_keys(request, account, form, 422)
        body = KeyGrant(account=account, key=public, role=role, until=await end_of(until))
        decision = await propose(kit, who, body, TWO_MEMBERS)
        if decision.state == REFUSED:
            form.flaw("key", said(decision))
            return await show_keys(request, account, form, 422)
        return kit.see(request, f"/people/{account}/keys", said(decision))

    async def end_of(day: datetime.date | None) -> Time | None:
        """The last second of a local day."""
        if day is None:
            return None
        offset = await kit.writer.ask(lambda node: node.state.utc_offset)
        return datetime.datetime.combine(day, datetime.time(23, 59, 59), datetime.UTC) - offset

    async def show_keys(request: Request, account: str, form: Form, status: int = 200) -> Response:
        portrait = await known(kit, account)
        shown = await names.shown(request, [account])
        own = portrait.own
        usual = GUARDIAN if own.wards else VOLUNTEER if own.is_volunteer else RECIPIENT
        return kit.page(
            request,
            "people/keys.html",
            status,
            account=account,
            portrait=portrait,
            name=shown[account],
            form=form,
            roles=[(role, _(text)) for role, text in OF_PEOPLE.items()],
            usual=usual,
            rows=[(key, named_role(key.role)) for key in own.keys],
            reasons=[(code, _(text)) for code, text in REASONS.items()],
        )

    async def show_staff(request: Request, form: Form, status: int = 200) -> Response:
        users = await to_thread.run_sync(kit.access.users)
        owners = {user.key: user.name for user in users if user.key}
        kept = {key_id for _role, key_id, _path in await to_thread.run_sync(lambda: list(Keyring.files(kit.home)))}
        found = await kit.writer.ask(partial(_staff, now=kit.clock(), owners=owners, kept=kept))
        shown = await names.shown(request, [row.account for row in found.rows if row.account])
        values = {
            "rows": found.rows,
            "names": shown,
            "todo": todo(found),
            "form": form,
            "roles": [(role, named_role(role)) for role in STAFF_HERE],
            "role_names": {role: named_role(role) for role in STAFF},
            "reasons": [(code, _(text)) for code, text in REASONS.items()],
        }
        return kit.page(request, "people/staff.html", status, **values)

    return router


def read_key(form: Form) -> bytes | None:
    """The public key that was scanned or typed; None and a flaw where a letter of it is wrong."""
    text = form.text("key", 2 * KEY_TEXT_MAX_CHARACTERS, is_needed=True)
    public = parse_key_text(text)
    if public is None and text:
        public = _plain_key(text)
    if public is None and text:
        form.flaw("key", _("a letter of the key is wrong: scan it again, or compare it with the passbook's page"))
    return public


def _plain_key(text: str) -> bytes | None:
    """A key in base64, as ``huzhu key new`` prints it."""
    try:
        return parse_base64(text, PUBLIC_KEY_BYTES, PUBLIC_KEY_BYTES)
    except NoteError:
        return None


def demand_of(role: str) -> str:
    """Who grants and revokes keys of a role."""
    if role == MEMBER:
        return THRESHOLD
    return TWO_AUTHORITIES if role in (AUTHORITY, ASSESSOR) else TWO_MEMBERS


def todo(staff: Staff) -> list[str]:
    """What the committee still has to do about its keys, as sentences."""
    counting = [row for row in staff.rows if row.counts]
    members = {row.account or row.id for row in counting if row.role == MEMBER}
    found = []
    if len(members) <= staff.threshold:
        text = _("{count} members can sign, and {threshold} are needed: if one loses the key, nothing moves any more")
        found.append(text.format(count=len(members), threshold=staff.threshold))
    if not any(row.role == CLERK and row.is_kept for row in counting):
        found.append(_("no clerk's key is kept here: nobody can record"))
    found += [
        _("the key {key} ends on {day}: grant another before").format(key=row.id, day=row.until)
        for row in counting
        if row.ends_soon
    ]
    nameless = [row for row in counting if row.role in STAFF_HERE and row.is_kept and not row.user]
    if nameless:
        text = _("keys kept here that no sign-in names: {count}; give each person a sign-in with a key of their own")
        found.append(text.format(count=len(nameless)))
    return found


def _staff(node: DeskNode, now: Time, owners: dict[str, str], kept: set[str]) -> Staff:
    state = node.state
    time = state.log_time(now)

    def row(key: Key) -> KeyRow:
        local = "" if key.until is None else f"{key.until + state.utc_offset:%Y-%m-%d}"
        ends_soon = key.until is not None and key.until - time < ENDS_SOON
        is_kept, user = key.id in kept, owners.get(key.id, "")
        return KeyRow(key.id, key.role, key.account or "", user, local, key.counts_at(time), ends_soon, is_kept)

    rows = [row(key) for key in state.roster.keys.values() if key.role in STAFF]
    rows.sort(key=lambda each: (not each.counts, each.role, each.id))
    return Staff(rows, state.threshold, state.has_authority)


def _role_of(node: DeskNode, key: str) -> str:
    known_key = node.state.roster.keys.get(key)
    return "" if known_key is None else known_key.role
