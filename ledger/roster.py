"""Whose keys there are, in which roles, and when they count (RULES §1).

A key counts from the entry after its grant until it is revoked, or up to and including its ``until``. Two keys of one
account are one person; a key without an account is a person of its own.
"""

from collections.abc import Iterable

import msgspec

from chain.fields import Time

NODE, CLERK, MEMBER, AUTHORITY, ASSESSOR = "node", "clerk", "member", "authority", "assessor"
VOLUNTEER, RECIPIENT, GUARDIAN = "volunteer", "recipient", "guardian"

STAFF = frozenset((CLERK, MEMBER, AUTHORITY, ASSESSOR))
"""Those who record or certify."""

PEOPLE = frozenset((VOLUNTEER, RECIPIENT, GUARDIAN))
"""People with a device, who speak for their own account."""

GRANTED_BY_MEMBERS = PEOPLE | {CLERK}
GRANTED_BY_AUTHORITIES = frozenset((AUTHORITY, ASSESSOR))
GRANTABLE = GRANTED_BY_MEMBERS | GRANTED_BY_AUTHORITIES | {MEMBER}


class Key(msgspec.Struct, kw_only=True):
    """One key that the log has named. ``last_seq`` is the highest ``seq`` it has used, −1 before its first entry."""

    id: str
    public: bytes
    role: str
    account: str | None = None
    until: Time | None = None
    revoked: bool = False
    last_seq: int = -1

    @property
    def person(self) -> str:
        """What tells two people apart."""
        return self.account or self.id

    def counts_at(self, time: Time) -> bool:
        """Whether it may sign at that log time."""
        return not self.revoked and (self.until is None or time <= self.until)


class Roster(msgspec.Struct):
    """All keys that the log has named, by key id; ``node`` is the id of the node's key in force."""

    keys: dict[str, Key] = msgspec.field(default_factory=dict)
    node: str = ""
    of_person: dict[str, list[str]] = msgspec.field(default_factory=dict)
    """The ids of each person's keys."""

    def add(self, key: Key) -> None:
        """Enter a key. The caller has made sure that its id is new."""
        self.keys[key.id] = key
        self.of_person.setdefault(key.person, []).append(key.id)

    def has_role(self, person: str, role: str, time: Time) -> bool:
        """Whether a key of that person's counts in that role at that log time."""
        keys = (self.keys[key_id] for key_id in self.of_person.get(person, ()))
        return any(key.role == role and key.counts_at(time) for key in keys)

    def persons(self, role: str, time: Time) -> set[str]:
        """The people who hold a key of that role at that log time."""
        return {key.person for key in self.keys.values() if key.role == role and key.counts_at(time)}


def persons_of(keys: Iterable[Key], role: str) -> set[str]:
    """The different people among ``keys`` of that role."""
    return {key.person for key in keys if key.role == role}
