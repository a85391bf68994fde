"""Today at the village point: what waits for somebody, what was done, and how the node is, one sentence each."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from care.requestbook import REQUESTS_FILE
from care.requests import ACCEPTED, CHECKED_IN
from chain.entry import Body, Entry
from chain.fields import Time
from store.drafts import REFUSED, Draft
from store.wishes import WISHES_FILE, Wishes
from web.access.who import CLERK, MEMBER, Who
from web.desk import DeskNode
from web.pages.approvals import Waiting, approval_router, at_desk, known, survey, worded
from web.pages.board_facts import Facts
from web.pages.board_urgent import urgent
from web.pages.daysheets import daysheet_router
from web.pages.desk_again import address_again
from web.pages.desk_coupons import coupon_router
from web.pages.desk_objections import objection_router
from web.pages.desk_record import record_router
from web.pages.desk_signing import Desk, body_of
from web.pages.desk_upheld import left_over
from web.pages.desk_words import Words
from web.pages.kit import Kit
from web.pages.names import Names
from web.pages.nodepage import node_router, watched
from web.pages.requests_kit import RequestKit
from web.service.health import find_neighbours, find_troubles

SHOWN_MAX = 8
SCANNED_MAX = 500
"""So many entries of today are looked at; more are counted as more."""
REFUSED_DAYS = 7
DAY_SECONDS = 86_400
EVERYDAY = ("service", "gift", "donate", "account_open", "dispute", "transfer_out")
"""What a list of today shows; the rest is the node's own business or seldom."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Requests that are open: how many want volunteers or are agreed on, and who is under way to whom."""

    missing: int
    agreed: int
    under_way: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Today:
    """What the node says of the day."""

    waiting: Sequence[Waiting]
    words: Words
    refused: Sequence[tuple[Draft, Body]]
    entries: Sequence[tuple[int, Entry[Body]]]
    counts: Counter[str]
    objections: int
    upheld: Sequence[tuple[int, Sequence[tuple[int, Body]]]]
    """Cases that were upheld, with what two members may still have to take back."""


def desk_routers(kit: Kit, names: Names, facts: Facts) -> Iterator[APIRouter]:
    """All of the desk but people and requests."""
    yield today_router(kit, names, facts)
    yield approval_router(kit, names)
    yield record_router(kit, names)
    yield daysheet_router(kit, names)
    yield node_router(kit, names)
    yield coupon_router(kit, names)
    yield objection_router(kit, names)


def today_router(kit: Kit, names: Names, facts: Facts) -> APIRouter:
    """The route."""
    router, care = kit.router(), RequestKit(kit, names)

    @router.get("/desk")
    async def today(request: Request) -> Response:
        who = kit.who(request, CLERK, MEMBER)
        now = kit.clock()
        found = await at_desk(kit, lambda desk: look(desk, who, now))
        asked = await read_requests(care)
        mentioned: list[Body] = [entry.body for _index, entry in found.entries]
        mentioned += [body for _draft, body in found.refused]
        mentioned += [body for _case, entries in found.upheld for _index, body in entries]
        words = await worded(names, request, found.words, who, mentioned)
        pairs = asked.under_way if asked else ()
        some = await known(names, request, who, {number for pair in pairs for number in pair})
        health = watched(kit)
        return kit.page(
            request,
            "desk/today.html",
            today=words.day(now),
            to_sign=sum(1 for each in found.waiting if not each.why_not),
            waiting=len(found.waiting),
            refused=[(draft, words.lines(body), address_again(body, words)) for draft, body in found.refused],
            upheld=[(case, [(index, words.brief(body)) for index, body in some]) for case, some in found.upheld],
            entries=[(index, entry.kind, words.lines(entry.body)) for index, entry in found.entries],
            counts=found.counts,
            objections=found.objections,
            on_board=await on_board(facts, who) if kit.stands_in(who) else 0,
            wishes=len(await to_thread.run_sync(Wishes(kit.home.folder / WISHES_FILE).open)),
            asked=asked,
            under_way=[tuple(some[number] or number for number in pair) for pair in pairs],
            unsealed=kit.writer.standing.unsealed,
            sealed=kit.writer.standing.sealed_at,
            words=words,
            troubles=list(find_troubles(health)),
            neighbours=list(find_neighbours(health)),
        )

    return router


async def on_board(facts: Facts, who: Who) -> int:
    """How many matters stand first on the board, for a member who acts where no tier is above."""
    seen = await facts.seen(who, is_glance=True)
    return len(urgent(seen, facts.today(), int(facts.kit.clock().timestamp())))


def look(desk: Desk, who: Who, now: Time) -> Today:
    """What stands on the ledger of today, and what waits."""
    waiting, words = survey(desk, who)
    midnight = words.local(now).replace(hour=0, minute=0, second=0, microsecond=0) - words.offset
    entries, counts = _entries_since(desk.node, midnight)
    refused = desk.drafts.decided(desk.seconds - REFUSED_DAYS * DAY_SECONDS, REFUSED)[:SHOWN_MAX]
    told = [(draft, body_of(draft)) for draft in refused]
    upheld = [(case, [(index, desk.node.entry(index).body) for index in some]) for case, some in left_over(desk)]
    return Today(waiting, words, told, entries, counts, len(desk.state.objections), upheld)


def _entries_since(node: DeskNode, midnight: Time) -> tuple[list[tuple[int, Entry[Body]]], Counter[str]]:
    """The newest entries of everyday kinds, and how many there are of each kind today."""
    found, counts = list[tuple[int, Entry[Body]]](), Counter[str]()
    size = node.store.size
    for index in range(size - 1, max(-1, size - 1 - SCANNED_MAX), -1):
        entry = node.entry(index)
        if entry.at < midnight:
            break
        if entry.kind in EVERYDAY:
            counts[entry.kind] += 1
            if len(found) < SHOWN_MAX:
                found.append((index, entry))
    return found, counts


async def read_requests(care: RequestKit) -> Asked | None:
    """What the book of requests says; None where nobody has asked for anything yet."""
    if not (care.kit.home.folder / REQUESTS_FILE).exists():
        return None
    live = await care.ask(lambda table: table.live())
    under_way = [
        (visit.volunteer, request.recipients[0])
        for request in live
        for visit in request.visits
        if visit.stage == CHECKED_IN and request.recipients
    ]
    missing = sum(1 for request in live if request.missing)
    agreed = sum(1 for request in live if request.stage == ACCEPTED)
    return Asked(missing, agreed, tuple(under_way[:SHOWN_MAX]))
