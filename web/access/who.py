"""Somebody who asks, and what they may see: pure rules, without disk, network or clock.

    clerk, member     the ledger of their own node, in full
    supervisor        one ledger, and every one below it
    auditor           every ledger
    person            their own account only: balance, statement, receipts, cases about it

A *given* password is one that somebody else made: whoever made it could act as its user. All but persons have to choose
their own before anything else; persons are only asked to, since many are old and the slip lies in their passbook.

What everybody may see, the log itself and the public list, asks for nobody. ``read`` looks, ``submit`` sends entries,
``admin`` runs the node; a token has some of those that its user's role has, never others.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

READ, SUBMIT, ADMIN = "read", "submit", "admin"
SCOPES = (READ, SUBMIT, ADMIN)
CLERK, MEMBER, SUPERVISOR, AUDITOR, PERSON = "clerk", "member", "supervisor", "auditor", "person"
SCOPES_OF = {
    CLERK: frozenset({READ, SUBMIT}),
    MEMBER: frozenset({READ, SUBMIT, ADMIN}),
    SUPERVISOR: frozenset({READ}),
    AUDITOR: frozenset({READ}),
    PERSON: frozenset({READ}),
}
ROLES = tuple(SCOPES_OF)

DEPTH_MAX = 16
"""As many ledgers may stand above one another; more are a circle."""
NAME_MAX_CHARACTERS = 32
NAME = re.compile(rf"\w[\w.-]{{0,{NAME_MAX_CHARACTERS - 1}}}")

ParentOf = Callable[[str], str | None]
"""The ledger above a ledger, by their origins; None at the top, and of one that is not known."""


@dataclass(frozen=True, slots=True)
class Who:
    """One user, as whoever asks has shown to be.

    ``ledger`` is the origin of their own ledger, or of the one at the top of what they oversee; "" is every one.
    """

    name: str
    role: str
    ledger: str
    account: str
    scopes: frozenset[str]
    is_session: bool
    expires_seconds: int
    key: str = ""
    """The id of the key that they sign with; "" where none is named."""
    is_given: bool = False
    """Whether somebody else made their password."""

    @property
    def must_choose(self) -> bool:
        """Whether they may do nothing before they have chosen a password of their own."""
        return self.is_given and self.is_session and self.role != PERSON

    def may_read(self, ledger: str, parent_of: ParentOf) -> bool:
        """Whether they may see a ledger in full."""
        if READ not in self.scopes:
            return False
        if self.role == AUDITOR:
            return True
        if self.role in (CLERK, MEMBER):
            return ledger == self.ledger
        return self.role == SUPERVISOR and is_under(ledger, self.ledger, parent_of)

    def may_read_account(self, ledger: str, account: str, parent_of: ParentOf) -> bool:
        """Whether they may see what stands of one account."""
        return (READ in self.scopes and self.owns(ledger, account)) or self.may_read(ledger, parent_of)

    def owns(self, ledger: str, account: str) -> bool:
        """Whether it is their own account: looking at it is no look at somebody."""
        return self.role == PERSON and (ledger, account) == (self.ledger, self.account)


def is_under(ledger: str, top: str, parent_of: ParentOf) -> bool:
    """Whether a ledger is ``top`` or stands below it."""
    above: str | None = ledger
    for _step in range(DEPTH_MAX):
        if not above or above == top:
            return bool(above)
        above = parent_of(above)
    return False


def fold_name(text: str) -> str | None:
    """A user's name as it is kept: NFKC, small letters; None where it can be no name."""
    folded = unicodedata.normalize("NFKC", text[: 4 * NAME_MAX_CHARACTERS]).casefold()
    return folded if NAME.fullmatch(folded) else None
