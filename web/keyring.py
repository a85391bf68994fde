"""Whose keys sign: two people, always (RULES §1), out of those whose private keys are kept in the node's home.

A *pair* is an author with those beside. The clerk is the first kept one that counts now, members likewise, unless the
person at the desk names them.
"""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from gettext import gettext as _
from pathlib import Path

from chain.fields import Time
from chain.keys import SigningKey
from ledger.roster import AUTHORITY, CLERK, MEMBER, STAFF, Key
from ledger.state import State
from store.home import KEY_FILE, Home
from web.problems import DeskError
from web.text import named_role

TWO = 2


@dataclass(frozen=True, slots=True)
class Pair:
    """Who signs a sheet."""

    author: SigningKey
    beside: tuple[SigningKey, ...] = ()


Plan = Callable[["Keyring"], Pair]
"""Chooses who signs."""


class Keyring:
    """The private keys kept in a home, against the roster of its ledger at ``time``."""

    def __init__(
        self,
        home: Home,
        passphrase: bytes | None,
        state: State,
        time: Time,
        clerk: str | None = None,
        members: Sequence[str] = (),
    ) -> None:
        """``clerk`` and ``members`` are key ids to take in place of the first ones."""
        self._home = home
        self._passphrase = passphrase
        self._state = state
        self._time = time
        self._clerk = clerk
        self._members = members
        self._opened: dict[Path, SigningKey] = {}

    def clerk(self) -> SigningKey:
        """The clerk at this desk."""
        return self._several(CLERK, 1, [self._clerk] if self._clerk else [])[0]

    def members(self, count: int, without: AbstractSet[str] = frozenset()) -> list[SigningKey]:
        """So many different members, none of the people ``without`` among them."""
        return self._several(MEMBER, count, self._members, without)

    def clerk_and_members(self, count: int = 1) -> Pair:
        """C+M; with a larger ``count`` so many members beside."""
        clerk = self.clerk()
        return Pair(clerk, tuple(self.members(max(count, len(self._members)), {self._person(clerk.id)})))

    def together(self, count: int = TWO, without: AbstractSet[str] = frozenset()) -> Pair:
        """M+M, or more of them."""
        author, *beside = self.members(max(count, len(self._members)), without)
        return Pair(author, tuple(beside))

    def threshold(self) -> Pair:
        """M×t."""
        return self.together(self._state.threshold)

    def authorities(self) -> Pair:
        """A+A, or M×t where genesis names no authority."""
        if not self._state.has_authority:
            return self.threshold()
        author, *beside = self._several(AUTHORITY, TWO)
        return Pair(author, tuple(beside))

    def opening(self) -> Pair:
        """A clerk, and M×t beside."""
        return self.clerk_and_members(self._state.threshold)

    def account(self, is_funded: bool) -> Pair:
        """C+M for an account; where it is funded, A+A (or M×t) too."""
        if not is_funded:
            return self.clerk_and_members()
        if not self._state.has_authority:
            return self.opening()
        pair = self.clerk_and_members()
        return Pair(pair.author, (*pair.beside, *self._several(AUTHORITY, TWO)))

    def for_role(self, role: str) -> Pair:
        """Who grants and revokes keys of that role."""
        if role == MEMBER:
            return self.threshold()
        return self.authorities() if role in STAFF - {CLERK} else self.together()

    def role_of(self, key_id: str) -> str:
        """In which role the ledger knows a key; empty where it knows none of that id."""
        known = self._state.roster.keys.get(key_id)
        return "" if known is None else known.role

    def is_funded(self, number: str) -> bool:
        """Whether an account belongs to a group whose hours are paid for."""
        account = self._state.accounts.get(number)
        return account is not None and account.funded is not None

    def kept(self, key_id: str) -> SigningKey | None:
        """The private key of that id, of whatever role, where it is kept here."""
        found = next((path for _role, kept, path in self.files(self._home) if kept == key_id), None)
        return None if found is None else self._open(found)

    def kept_as(self, role: str, key_id: str) -> SigningKey | None:
        """The private key of that id, where it is kept here, counts now and is on the log in that role."""
        known = self._state.roster.keys.get(key_id)
        return self.kept(key_id) if known is not None and known.role == role and self._counts(known) else None

    @staticmethod
    def files(home: Home) -> Iterator[tuple[str, str, Path]]:
        """Role, key id and file of every person's key that is kept in a home."""
        for path in sorted(home.keys.glob("*.pem")):
            match = KEY_FILE.fullmatch(path.name)
            if match is not None:
                yield match[1], match[2], path

    def _several(
        self, role: str, count: int, wanted: Sequence[str] = (), without: AbstractSet[str] = frozenset()
    ) -> list[SigningKey]:
        """So many keys of different people: first the wanted ones, then the others in order of key id."""
        chosen: dict[str, SigningKey] = {}
        for key_id in [*wanted, *(kept for _role, kept, _path in self.files(self._home) if kept not in wanted)]:
            person = self._person(key_id)
            if len(chosen) == count or person in chosen or (person in without and key_id not in wanted):
                continue
            key = self.kept_as(role, key_id)
            if key is not None:
                chosen[person] = key
            elif key_id in wanted:
                raise DeskError(
                    _("{key} is no key of role {role} that counts now and is kept in {folder}").format(
                        key=key_id, role=named_role(role), folder=self._home.keys
                    )
                )
        if len(chosen) < count:
            raise DeskError(
                _("this needs keys of {count} people with the role {role}; {kept} are kept in {folder}").format(
                    count=count, role=named_role(role), kept=len(chosen), folder=self._home.keys
                )
            )
        return list(chosen.values())

    def _person(self, key_id: str) -> str:
        known = self._state.roster.keys.get(key_id)
        return key_id if known is None else known.person

    def _counts(self, key: Key) -> bool:
        return key.counts_at(self._state.log_time(self._time))

    def _open(self, path: Path) -> SigningKey:
        if path not in self._opened:
            self._opened[path] = self._home.signing_key(path, self._passphrase)
        return self._opened[path]
