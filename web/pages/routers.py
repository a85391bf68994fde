"""All pages of a node, by area."""

from collections.abc import Iterator

from fastapi import APIRouter

from web.pages.alarms import alarm_router
from web.pages.assets import asset_router
from web.pages.board import board_router
from web.pages.board_facts import Facts
from web.pages.check import check_router
from web.pages.desk import desk_routers
from web.pages.entrance import entrance_router
from web.pages.kit import Kit
from web.pages.myrequests import myrequests_router
from web.pages.names import Names
from web.pages.paper import paper_router
from web.pages.passbook import passbook_router
from web.pages.people_areas import people_routers
from web.pages.requests import request_routers
from web.pages.setup_practice import practice_router
from web.practice import is_practice


def page_routers(kit: Kit) -> Iterator[APIRouter]:
    """The routes of every area."""
    names, facts = Names(kit), Facts(kit)
    yield asset_router()
    yield entrance_router(kit)
    yield from desk_routers(kit, names, facts)
    yield check_router(kit)
    yield paper_router(kit)
    yield passbook_router(kit, names)
    yield from people_routers(kit, names)
    yield from request_routers(kit, names)
    yield myrequests_router(kit, names)
    yield alarm_router(kit)
    yield board_router(kit, facts)
    if is_practice(kit.settings.origin):
        yield practice_router(kit)
