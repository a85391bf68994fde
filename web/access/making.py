"""Making a token: the same whether a command or the API asks."""

from collections.abc import Collection
from typing import NamedTuple

from store.access import Access, AccessError, Token, User
from web.access.limits import DAY_SECONDS, LIMITS, Limits
from web.access.secret import new_token, secret_hash
from web.access.who import SCOPES, SCOPES_OF
from web.i18n import translate as _


class Made(NamedTuple):
    """A token, and what is listed of it."""

    secret: str
    token: Token


def make_token(
    access: Access, user: User, *, label: str, scopes: Collection[str], days: int, now: int, limits: Limits = LIMITS
) -> Made:
    """A new token of a user; raises AccessError where it asks for more than the role has, or for too long."""
    beyond = sorted(set(scopes) - SCOPES_OF.get(user.role, frozenset()))
    if beyond or not scopes:
        text = _("{name} is {role}, which may not {scope}: leave it out")
        raise AccessError(text.format(name=user.name, role=user.role, scope=", ".join(beyond) or "-"))
    if not 1 <= days <= limits.token_days_max:
        text = _("a token lives 1 to {most} days, not {days}")
        raise AccessError(text.format(most=limits.token_days_max, days=days))
    ordered = tuple(scope for scope in SCOPES if scope in scopes)
    secret, expires = new_token(), now + days * DAY_SECONDS
    number = access.add_token(
        user.name, secret_hash(secret), label=label, scopes=ordered, now=now, expires_seconds=expires
    )
    return Made(secret, Token(number, user.name, label, ordered, now, expires))
