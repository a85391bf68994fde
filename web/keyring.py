"""Whose keys sign: two people, always (RULES §1), out of those whose private keys are kept in the node's home.

A *pair* is an author with those beside. The clerk is the first kept one that counts now, members likewise, unless the
person at the desk names them.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from chain.fields import Time
from chain.keys import SigningKey
from ledger.roster import AUTHORITY, CLERK, MEMBER, STAFF, Key
from ledger.state import State
from store.home import KEY_FILE, Home
from web.i18n import translate as _
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
        brought: Mapping[Path, SigningKey] | None = None,
    ) -> None:
        """``clerk`` and ``members`` are key ids to take in place of the first ones; ``brought`` keys come first."""
        self.home = home
        self._passphrase = passphrase
        self._state = state
        self._time = time
        self._clerk = clerk
        self._members = members
        self._concerned: AbstractSet[str] = frozenset()
        self._opened: dict[Path, SigningKey] = dict(brought or {})
        self._brought = {key.id: path for path, key in self._opened.items()}

    def apart_from(self, *numbers: str) -> "Keyring":
        """The same keys, but last of all those of people who may not sign what these accounts take part in.

        They are whose own account it is, or that of kin (``self-dealing``, RULES §1).
        """
        other, named, accounts = copy.copy(self), set(numbers), self._state.accounts
        owners = {key.account for key in self._state.roster.keys.values() if key.account is not None}
        other._concerned = frozenset(
            owner
            for owner in owners
            if owner in named or (owner in accounts and not accounts[owner].kin.isdisjoint(named))
        )
        return other

    def about_case(self, case: int) -> "Keyring":
        """The same apart from the account that the case at that index is about."""
        found = self._state.cases.get(case)
        return self if found is None else self.apart_from(found.account)

    def about_sanction(self, sanction: int) -> "Keyring":
        """The same apart from the account that the sanction in force at that index is imposed on."""
        found = self._state.sanctions.get(sanction)
        return self if found is None else self.apart_from(found.account)

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

    def one(self, *roles: str) -> Pair:
        """Somebody alone, of the first of these roles of whom a key is kept."""
        for role in roles:
            for path in self._people(role).values():
                return Pair(self._open(path))
        text = _("this needs a key of the role {role}; none that counts now is kept in {folder}")
        raise DeskError(text.format(role=" / ".join(map(named_role, roles)), folder=self.home.keys))

    def closing(self, case: int) -> Pair:
        """Two members, or else two of the tier above, of whom one did not sign the opening of the case (RULES §7).

        Two members who are named sign as they are told to.
        """
        if len(self._members) >= TWO:
            return self.together()
        found = self._state.cases.get(case)
        openers = () if found is None else found.openers
        for role, wanted in ((MEMBER, self._members), (AUTHORITY, ())):
            people = self._people(role, wanted)
            others = [person for person in people if person not in openers]
            beside = [person for person in people if person not in others[:1]]
            if others and beside:
                return Pair(self._open(people[others[0]]), (self._open(people[beside[0]]),))
        text = _(
            "two members, or two of the tier above, close a case, and one of them did not sign its opening; "
            "no such two have keys in {folder}"
        )
        raise DeskError(text.format(folder=self.home.keys))

    def for_role(self, role: str) -> Pair:
        """Who grants and revokes keys of that role."""
        if role == MEMBER:
            return self.threshold()
        return self.authorities() if role in STAFF - {CLERK} else self.together()

    def people_secret(self) -> bytes:
        """What opens that which is personal: dossiers and requests."""
        return self.home.people_secret(self._passphrase)

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
        found = self._paths().get(key_id)
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

    def _paths(self) -> dict[str, Path]:
        """The file of every key at hand by its id: those brought along, then those kept."""
        return self._brought | {key_id: path for _role, key_id, path in self.files(self.home)}

    def _several(
        self, role: str, count: int, wanted: Sequence[str] = (), without: AbstractSet[str] = frozenset()
    ) -> list[SigningKey]:
        """So many keys of different people, in the order of ``_people``."""
        chosen = list(self._people(role, wanted, without).values())[:count]
        if len(chosen) < count:
            raise DeskError(
                _(
                    "this needs keys of {count} people with the role {role}; {kept} are kept in {folder}, "
                    "and others come with --key-file"
                ).format(
                    count=count, role=named_role(role), kept=len(chosen), folder=self.home.keys
                )
            )
        return [self._open(path) for path in chosen]

    def _people(
        self, role: str, wanted: Sequence[str] = (), without: AbstractSet[str] = frozenset()
    ) -> dict[str, Path]:
        """A key file of each person in that role: first the wanted ones, then by key id, those concerned last."""
        files = self._paths()
        unwanted = [key_id for key_id in files if key_id not in wanted]
        chosen: dict[str, Path] = {}
        for key_id in [*wanted, *sorted(unwanted, key=lambda kept: self._person(kept) in self._concerned)]:
            person, known = self._person(key_id), self._state.roster.keys.get(key_id)
            if person in chosen or (person in without and key_id not in wanted):
                continue
            if key_id in files and known is not None and known.role == role and self._counts(known):
                chosen[person] = files[key_id]
            elif key_id in wanted:
                raise DeskError(
                    _("{key} is no key of role {role} that counts now and is kept in {folder}").format(
                        key=key_id, role=named_role(role), folder=self.home.keys
                    )
                )
        return chosen

    def _person(self, key_id: str) -> str:
        known = self._state.roster.keys.get(key_id)
        return key_id if known is None else known.person

    def _counts(self, key: Key) -> bool:
        return key.counts_at(self._state.log_time(self._time))

    def _open(self, path: Path) -> SigningKey:
        if path not in self._opened:
            self._opened[path] = self.home.signing_key(path, self._passphrase)
        return self._opened[path]
