"""All routes under ``/people``, in the order in which an address is looked for: named pages before account numbers."""

from collections.abc import Iterator

from fastapi import APIRouter

from web.pages.keys import key_router
from web.pages.kit import Kit
from web.pages.names import Names
from web.pages.people import people_router
from web.pages.people_changes import change_router
from web.pages.people_dossiers import register
from web.pages.people_forms import form_router
from web.pages.people_person import person_router
from web.pages.people_signins import signin_router


def people_routers(kit: Kit, names: Names) -> Iterator[APIRouter]:
    """The routes; from now on particulars come with the entries that name them."""
    register()
    for made in (people_router, form_router, signin_router, key_router, change_router, person_router):
        yield made(kit, names)
