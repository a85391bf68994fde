"""The node for those who are no technicians: how it is, sealing, cosigning, and one entry in plain words.

A clerk or member closes the block; a member puts their own line on the newest checkpoint, by their own key, signed in
as themselves. An entry's receipt proves it to anybody; as long as its block is open there is the node's promise.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from chain.checkpoint import open_checkpoint
from chain.cosignature import member_name
from chain.entry import Entry
from chain.errors import NoteError
from ledger.bodies import Reverse, Service
from ledger.corrections import REVERSIBLE
from ledger.roster import MEMBER as MEMBER_KEY
from store.log import StoreError
from web.access.who import CLERK, MEMBER, Who
from web.commands_mirror import ALARMS
from web.cosigning import add_cosignature
from web.i18n import marked
from web.i18n import translate as _
from web.pages.approvals import at_desk, propose, worded
from web.pages.desk_signing import NO_KEY, REFUSED, TWO_MEMBERS, Desk
from web.pages.desk_words import Words, told, why
from web.pages.forms import EMPTY, Form
from web.pages.kit import Kit
from web.pages.names import Names
from web.problem import Problem
from web.service.health import Watched, disk_free_bytes, find_neighbours, find_troubles
from web.text import named, named_role

SEALS_SHOWN, ALARMS_SHOWN = 10, 20
REASON_MAX_CHARACTERS = 500
STATES = {
    "reversed": marked("it was taken back"),
    "disputed": marked("somebody objects to it, and nobody has decided yet"),
    "held": marked("its hours are being posted on the board, and become free after some days"),
    "standing": marked("it stands"),
}
NOT_CHANGED = "cosigned-already"


@dataclass(frozen=True, slots=True)
class Seal:
    """A block that was closed."""

    index: int
    when: str
    entries: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What the node's page tells of the ledger."""

    words: Words
    seals: list[Seal]
    size: int
    unsealed: int
    cosigners: list[str]
    """The keys of members that have cosigned the newest checkpoint."""
    members: int
    my_key: str


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry with all that is told of it."""

    entry: Entry[Any]
    words: Words
    state: str
    signers: list[tuple[str, str]]
    """Role and key id of each."""
    is_sealed: bool


def watched(kit: Kit) -> Watched:
    """What the node's health is read from."""
    return Watched(kit.settings, kit.home, kit.ledgers, kit.writer, kit.tender, kit.clock)


def node_router(kit: Kit, names: Names) -> APIRouter:
    """The routes."""
    router = kit.router()

    @router.get("/desk/node")
    async def node_page(request: Request) -> Response:
        who = kit.who(request, CLERK, MEMBER)
        found = await at_desk(kit, lambda desk: standing(desk, who))
        health = watched(kit)
        return kit.page(
            request,
            "desk/node.html",
            found=found,
            troubles=list(find_troubles(health)),
            neighbours=list(find_neighbours(health)),
            alarms=alarms(kit, found.words),
            disk_gb=disk_free_bytes(kit.home) // 10**9,
            tended=None if kit.tender is None or kit.tender.last is None else kit.tender.last.ended,
        )

    @router.post("/desk/node/seal")
    async def seal(request: Request) -> Response:
        kit.who(request, CLERK, MEMBER)
        await kit.form(request)
        size = await kit.writer.ask(lambda node: node.seal())
        return kit.see(request, "/desk/node", _("sealed; the ledger has {size} entries").format(size=size))

    @router.post("/desk/node/cosign")
    async def cosign(request: Request) -> Response:
        who = kit.who(request, MEMBER)
        await kit.form(request)
        outcome = await at_desk(kit, lambda desk: cosign_newest(desk, who))
        if outcome == NO_KEY:
            return kit.see(request, "/desk/node", why(NO_KEY), is_good=False)
        said = _("your signature stands on the newest checkpoint")
        if outcome == NOT_CHANGED:
            said = _("your signature stood there already")
        return kit.see(request, "/desk/node", said)

    @router.get("/desk/entries/{index}")
    async def entry_page(request: Request, index: int) -> Response:
        who = kit.who(request, CLERK, MEMBER)
        return await _entry(kit, names, request, who, index, EMPTY)

    @router.post("/desk/entries/{index}")
    async def reverse(request: Request, index: int) -> Response:
        who, form = kit.who(request, MEMBER), await kit.form(request)
        reason = form.text("reason", REASON_MAX_CHARACTERS, is_needed=True)
        if form.flaws:
            return await _entry(kit, names, request, who, index, form, 422)
        decision = await propose(kit, who, Reverse(index=index, reason=reason), TWO_MEMBERS)
        return kit.see(request, f"/desk/entries/{index}", told(decision), is_good=decision.state != REFUSED)

    @router.get("/desk/entries/{index}/receipt")
    async def receipt(request: Request, index: int) -> Response:
        kit.who(request, CLERK, MEMBER)
        if not 0 <= index < kit.ledgers.own.size:
            raise _not_sealed(index)
        return _file(kit.ledgers.own.receipt(index), f"receipt-{index}.txt")

    @router.get("/desk/entries/{index}/promise")
    async def promise(request: Request, index: int) -> Response:
        kit.who(request, CLERK, MEMBER)
        raw = await kit.writer.ask(lambda node: node.promise(index) if 0 <= index < node.store.size else None)
        if raw is None:
            raise _no_entry(index)
        return _file(raw, f"promise-{index}.txt")

    return router


def _file(raw: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(raw, media_type="text/plain; charset=utf-8", headers=headers)


def _no_entry(index: int) -> Problem:
    return Problem(404, "no-entry", _("no such entry"), _("there is no entry {index} here").format(index=index))


def _not_sealed(index: int) -> Problem:
    text = _("entry {index} is not sealed yet: seal first, or take the promise").format(index=index)
    return Problem(404, "not-sealed", _("no receipt yet"), text)


# The node


def standing(desk: Desk, who: Who) -> Standing:
    """How the ledger stands, and who has cosigned it."""
    state = desk.state
    words = Words({}, state.utc_offset)
    indexes, seconds = state.seal_indexes, state.seal_seconds
    seals = []
    for place in range(len(indexes) - 1, max(-1, len(indexes) - 1 - SEALS_SHOWN), -1):
        before = indexes[place - 1] if place else -1
        seals.append(Seal(indexes[place], words.moment(seconds[place]), indexes[place] - before - 1))
    members = [key for key in state.roster.keys.values() if key.role == MEMBER_KEY and desk.counting(key.id)]
    signed = _cosigners(desk)
    return Standing(
        words=words,
        seals=seals,
        size=state.size,
        unsealed=state.block_entries,
        cosigners=[key.id for key in members if member_name(desk.node.origin, key.id) in signed],
        members=len(members),
        my_key=desk.key_for(who) if who.role == MEMBER else "",
    )


def _cosigners(desk: Desk) -> set[str]:
    """The names on the newest checkpoint."""
    last = desk.node.store.last_checkpoint()
    if last is None:
        return set()
    _checkpoint, note = open_checkpoint(last[1])
    return {signature.name for signature in note.signatures}


def cosign_newest(desk: Desk, who: Who) -> str:
    """Put a member's line on the newest checkpoint; "" where that is done, or why it is not."""
    key_id = desk.key_for(who)
    key = desk.keyring().kept_as(MEMBER_KEY, key_id) if key_id else None
    if key is None:
        return NO_KEY
    if member_name(desk.node.origin, key_id) in _cosigners(desk):
        return NOT_CHANGED
    last = desk.node.store.last_checkpoint()
    if last is None:
        return NOT_CHANGED
    checkpoint, _note = open_checkpoint(last[1])
    sealed_at = int(desk.node.entry(checkpoint.size - 1).at.timestamp())
    try:
        desk.node.cosign(add_cosignature(last[1], key, None, max(desk.seconds, sealed_at)))
    except NoteError as error:
        raise StoreError(str(error)) from error
    return ""


def alarms(kit: Kit, words: Words) -> list[tuple[int, str, str, str]]:
    """The number, when, which ledger, and what: alarms that nobody has looked at."""
    try:
        mirror = kit.ledgers.mirror()
        rows = [] if mirror is None else mirror.rows(
            "SELECT a.id, a.at_seconds, l.origin, a.code FROM alarm a JOIN log l ON l.id=a.log WHERE NOT a.seen"
            " ORDER BY a.id DESC LIMIT ?",
            ALARMS_SHOWN,
        )
    except StoreError:
        return []
    return [(number, words.moment(seconds), origin, named(ALARMS, code)) for number, seconds, origin, code in rows]


# One entry


async def _entry(
    kit: Kit, names: Names, request: Request, who: Who, index: int, form: Form, status: int = 200
) -> Response:
    found = await at_desk(kit, partial(show, index=index))
    if found is None:
        raise _no_entry(index)
    entry, words = found.entry, await worded(names, request, found.words, who, [found.entry.body])
    return kit.page(
        request,
        "desk/entry.html",
        status,
        form=form,
        index=index,
        kind=entry.kind,
        lines=words.lines(entry.body),
        when=words.moment(int(entry.at.timestamp())),
        state=_(STATES[found.state]) if found.state else "",
        state_code=found.state,
        signers=[(named_role(role), key) for role, key in found.signers],
        is_sealed=found.is_sealed,
        is_service=isinstance(entry.body, Service),
        people=[(number, words.person(number)) for number in dict.fromkeys(filter(None, entry.body.numbers()))],
        may_reverse=who.role == MEMBER and found.state in ("held", "standing"),
    )


def show(desk: Desk, index: int) -> Shown | None:
    """An entry, what became of it, and who signed it; None where there is none."""
    node, state = desk.node, desk.state
    if not 0 <= index < node.store.size:
        return None
    entry = node.entry(index)
    known = state.roster.keys
    roles = [(known[key].role if key in known else "", key) for key in (entry.by, *entry.beside)]
    last = node.store.last_checkpoint()
    became = _became(desk, index) if isinstance(entry.body, REVERSIBLE) else ""
    is_sealed = last is not None and index < last[0]
    return Shown(entry, Words({}, state.utc_offset_at(index)), became, roles, is_sealed)


def _became(desk: Desk, index: int) -> str:
    if index in desk.state.reversed:
        return "reversed"
    if index in desk.state.objections:
        return "disputed"
    return "held" if index in desk.state.credits else "standing"
