"""Who may see which part of the pages, by how a path begins: the longest beginning counts."""

from typing import Final

from web.access.who import AUDITOR, CLERK, MEMBER, PERSON, ROLES, SUPERVISOR

DESK, OVERSEERS, PEOPLE, EVERYBODY = (CLERK, MEMBER), (SUPERVISOR, AUDITOR), (PERSON,), ROLES
AREAS: Final[dict[str, tuple[str, ...]]] = {
    "/account": EVERYBODY,
    "/board": (*OVERSEERS, MEMBER),  # members where no tier is above, as in the village that all areas share
    "/board/alarms": OVERSEERS,  # what is said of the ledgers below
    "/desk": DESK,
    "/desk/certify": (*DESK, SUPERVISOR),  # who oversees a village signs what needs its authority
    "/desk/coupons": (*DESK, SUPERVISOR),  # and its coupon books
    "/me": PEOPLE,
    "/paper": DESK,
    "/people": DESK,
    "/requests": DESK,
    "/sign-out": EVERYBODY,
}
APP = ("/me/app.webmanifest", "/me/icon-{pixels}.png", "/me/offline", "/me/sw.js")
"""What the passbook is installed from: the same for everybody, and kept by browsers."""
OPEN = ("/", "/about", "/assets", "/check", "/language", "/sign-in", *APP)
"""What a stranger may see."""


def may_see(role: str | None, pattern: str) -> bool:
    """Whether somebody of a role (None: a stranger) may see a page; KeyError where the table has not the area."""
    if any(is_below(pattern, each) for each in OPEN):
        return True
    areas = [each for each in AREAS if is_below(pattern, each)]
    return role in AREAS[max(areas, key=len, default=pattern)]


def is_below(path: str, beginning: str) -> bool:
    """Whether a path is that one, or goes on from it; "/" is only itself."""
    return path == beginning or (beginning != "/" and path.startswith(f"{beginning}/"))
