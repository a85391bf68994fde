"""All pages of a node, by area."""

from collections.abc import Iterator

from fastapi import APIRouter

from web.pages.assets import asset_router
from web.pages.entrance import entrance_router
from web.pages.kit import Kit


def page_routers(kit: Kit) -> Iterator[APIRouter]:
    """The routes of every area."""
    yield asset_router()
    yield entrance_router(kit)
