"""Who signs what waits, and how it comes onto the ledger: run in the writer's thread, with the home locked.

    A demand names the roles of those who must sign, the author's first: "C+M" is a clerk and a member, "M×t" as many
    members as the threshold asks, "A+A" two of the tier above (or M×t where genesis names none; RULES §1).

Every signer is another user with another key, and another person behind the key. Whether they are the right ones the
rules say in the end; a draft that they refuse goes on waiting, without the signature that was just given.

A draft is *expected* on disk before the ledger's commit and settled after it (``store.drafts``).
"""

import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import NamedTuple, cast

import msgspec

from chain.entry import Body
from chain.fields import UTC
from chain.keys import SigningKey
from chain.limits import SHEET_MAX_STATEMENTS
from chain.merkle import leaf_hash
from ledger.bodies import Service
from ledger.kinds import KINDS
from ledger.roster import AUTHORITY, CLERK, MEMBER, Key
from ledger.state import State
from store.drafts import Draft, Drafts, Order, Place, Signer
from store.home import Home
from store.log import StoreError
from web.access import who as access
from web.access.who import Who
from web.desk import Accepted, DeskNode, refusal
from web.keyring import Keyring
from web.pages.desk_recorded import Recorded, ServiceKey, key_of

KEY_ROLE = {access.CLERK: CLERK, access.MEMBER: MEMBER, access.SUPERVISOR: AUTHORITY}
"""In which role somebody signs."""
CLERK_ALONE, MEMBER_ALONE = "C", "M"
CLERK_MEMBER, TWO_MEMBERS, TWO_AUTHORITIES, THRESHOLD = "C+M", "M+M", "A+A", "M×t"
CLERK_THRESHOLD, FUNDED = "C+M×t", "C+M+A+A"
LETTERS = {"C": CLERK, "M": MEMBER, "A": AUTHORITY}
KIND_OF: dict[type[Body], str] = {kind.body: name for name, kind in KINDS.items()}

RECORDED, SIGNED, REFUSED = "recorded", "signed", "refused"
SAME_PERSON, NOT_ASKED, NO_KEY, KEY_GONE = "same-person", "not-asked", "no-key", "key-gone"
WAITS_ALREADY, RECORDED_ALREADY = "waits-already", "recorded-already"
"""Why something is not signed or kept, besides the outcomes of the rules."""


class Decision(NamedTuple):
    """What became of a draft: ``recorded`` as an entry, ``signed`` and waiting for others, or ``refused`` and why."""

    draft: int
    state: str
    entry: int = 0
    outcome: str = ""
    detail: str = ""


BeforeCommit = Callable[["Desk", Sequence[tuple[Draft, int]], int], None]
"""Told which drafts become which entries, all of them from an index on, before they are committed."""
BEFORE_COMMIT: dict[str, BeforeCommit] = {}
"""By kind: who keeps something private beside an entry puts it in its place here."""


@dataclass(frozen=True)
class Desk:
    """The node at hand with what waits, its keys, and the keys that users have named as their own."""

    node: DeskNode
    drafts: Drafts
    home: Home
    passphrase: bytes | None
    owners: dict[str, str]
    """The user of each key that somebody has named."""
    seconds: int

    @property
    def state(self) -> State:
        return self.node.state

    @cached_property
    def kept(self) -> list[tuple[str, str]]:
        """Role and id of each key that is kept here."""
        return [(role, key_id) for role, key_id, _path in Keyring.files(self.home)]

    @cached_property
    def waiting_bodies(self) -> set[tuple[str, bytes]]:
        """Kind and body of all that waits: what is sent twice is kept once."""
        return {(draft.kind, draft.body) for draft in self.drafts.waiting()}

    def keyring(self) -> Keyring:
        return Keyring(self.home, self.passphrase, self.state, datetime.datetime.fromtimestamp(self.seconds, UTC))

    def counting(self, key_id: str) -> Key | None:
        """A key of the ledger that counts now."""
        known = self.state.roster.keys.get(key_id)
        now = self.state.log_time(datetime.datetime.fromtimestamp(self.seconds, UTC))
        return known if known is not None and known.counts_at(now) else None

    def key_for(self, who: Who, taken: AbstractSet[str] = frozenset()) -> str:
        """The key by which a user signs: the one they named, else the first kept one of their role.

        That one is nobody else's by name, and no person's of ``taken``. "" where there is none.
        """
        role = KEY_ROLE.get(who.role, "")
        if who.key:
            named = self.counting(who.key)
            return who.key if named is not None and named.role == role else ""
        for kept_role, key_id in self.kept:
            known = self.counting(key_id)
            if kept_role != role or known is None or known.role != role:
                continue
            if self.owners.get(key_id, who.name) == who.name and known.person not in taken:
                return key_id
        return ""


def parse_body(kind: str, raw: bytes) -> Body:
    """A statement's body from its JSON; msgspec.DecodeError where it has no right form."""
    return msgspec.json.decode(raw, type=KINDS[kind].body)


def body_of(draft: Draft) -> Body:
    """What a draft says; StoreError where the file holds something else."""
    try:
        return parse_body(draft.kind, draft.body)
    except (KeyError, msgspec.DecodeError) as error:
        raise StoreError(f"draft {draft.id}: {error}") from error


def order_of(body: Body, demand: str, sheet: str = "", remark: str = "", private: bytes = b"") -> Order:
    """A statement to be proposed."""
    return Order(KIND_OF[type(body)], msgspec.json.encode(body), demand, sheet, remark, private)


def needed(demand: str, state: State) -> list[str]:
    """The roles of all who must sign, the author's first."""
    if demand == TWO_AUTHORITIES and not state.has_authority:
        demand = THRESHOLD
    if demand == FUNDED and not state.has_authority:
        demand = CLERK_THRESHOLD
    roles = []
    for part in demand.split("+"):
        roles += [LETTERS[part[0]]] * (state.threshold if part.endswith("×t") else 1)
    return roles


def missing(desk: Desk, draft: Draft, more: Iterable[str] = ()) -> Counter[str]:
    """How many of each role have still to sign."""
    keys = [desk.state.roster.keys[key] for key in (*(signer.key for signer in draft.signers), *more)]
    return Counter(needed(draft.demand, desk.state)) - Counter(key.role for key in keys)


def why_not(desk: Desk, draft: Draft, who: Who, key: str) -> str:
    """Why somebody cannot sign a draft by that key; "" where they can."""
    if any(desk.counting(signer.key) is None for signer in draft.signers):
        return KEY_GONE
    if any(signer.user == who.name for signer in draft.signers):
        return SAME_PERSON
    if not missing(desk, draft)[KEY_ROLE.get(who.role, "")]:
        return NOT_ASKED
    known = desk.counting(key)
    if known is None:
        return NO_KEY
    return SAME_PERSON if known.person in persons(desk, draft) else ""


def persons(desk: Desk, draft: Draft) -> set[str]:
    """Who stands behind the keys that have signed."""
    keys = desk.state.roster.keys
    return {keys[signer.key].person for signer in draft.signers if signer.key in keys}


def key_to_sign(desk: Desk, draft: Draft, who: Who) -> tuple[str, str]:
    """The key by which a user would sign this draft, and why they cannot ("" where they can)."""
    key = desk.key_for(who, persons(desk, draft))
    return key, why_not(desk, draft, who, key)


def recover(desk: Desk) -> None:
    """Find out what became of drafts that a crash left in between."""
    if desk.drafts.has_expected():
        store = desk.node.store
        desk.drafts.recover(lambda index: leaf_hash(store.entry(index)) if index < store.size else None, desk.seconds)


def decide(desk: Desk, chosen: Sequence[Draft], who: Who | None) -> list[Decision]:
    """Sign drafts by ``who`` (None: whoever proposed them signs alone) and record what has all its signatures.

    Raises StoreError, and then nothing is kept of what was written: the batch around it must not go on.
    """
    try:
        return _decide(desk, chosen, who)
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(str(error) or type(error).__name__) from error


def _decide(desk: Desk, chosen: Sequence[Draft], who: Who | None) -> list[Decision]:
    keyring, ready, decisions = desk.keyring(), [], []
    signed: dict[int, Signer] = {}
    for draft in chosen:
        if who is not None:
            key, why = key_to_sign(desk, draft, who)
            if why:
                decisions.append(Decision(draft.id, REFUSED, outcome=why))
                continue
            signed[draft.id] = Signer(who.name, key, desk.seconds)
        if missing(desk, draft, [signed[draft.id].key] if who is not None else []):
            decisions.append(Decision(draft.id, SIGNED))
        else:
            ready.append(draft)
    for signer, group in _by_signer(signed, [decision.draft for decision in decisions if decision.state == SIGNED]):
        desk.drafts.sign(group, signer)
    return decisions + _record(desk, keyring, ready, signed)


def _record(desk: Desk, keyring: Keyring, ready: Sequence[Draft], signed: dict[int, Signer]) -> list[Decision]:
    """Write what is complete, one sheet for those whom the same people sign."""
    node, since, decisions, places = desk.node, desk.node.store.size, list[Decision](), dict[int, Place]()
    doubles = _doubles(desk, ready)
    decisions += [Decision(number, REFUSED, outcome=RECORDED_ALREADY) for number in doubles]
    ready = [draft for draft in ready if draft.id not in doubles]
    for keys, group in groupby(ready, lambda draft: _keys_of(desk, draft, signed)):
        drafts = list(group)
        opened = [keyring.kept_as(desk.state.roster.keys[key].role, key) for key in keys]
        if None in opened:
            decisions += [Decision(draft.id, REFUSED, outcome=KEY_GONE) for draft in drafts]
            continue
        author, *beside = cast(list[SigningKey], opened)
        for start in range(0, len(drafts), SHEET_MAX_STATEMENTS):
            some = drafts[start : start + SHEET_MAX_STATEMENTS]
            results = node.write(author, beside, [body_of(draft) for draft in some], durable=False)
            for draft, result in zip(some, results, strict=True):
                refused = refusal(result)
                if refused is not None:
                    decisions.append(Decision(draft.id, REFUSED, 0, refused.outcome, refused.detail))
                    continue
                taken = cast(Accepted, result)
                places[draft.id] = Place(taken.index, taken.leaf_hash)
                decisions.append(Decision(draft.id, RECORDED, taken.index))
    if places:
        _commit(desk, [draft for draft in ready if draft.id in places], places, signed, since)
    return decisions


def _doubles(desk: Desk, drafts: Sequence[Draft]) -> list[int]:
    """The services among these that the ledger has, or that another one of these says before."""
    recorded, keys, found = Recorded(desk.node), set[ServiceKey](), list[int]()
    for draft in drafts:
        body = body_of(draft) if draft.kind == "service" else None
        if isinstance(body, Service):
            key = key_of(body)
            if key in keys or recorded.index(body) is not None:
                found.append(draft.id)
            keys.add(key)
    return found


def _commit(
    desk: Desk, drafts: Sequence[Draft], places: dict[int, Place], signed: dict[int, Signer], since: int
) -> None:
    """First the drafts say which entries they will be, then the ledger is on disk, then they are settled."""
    for kind, before in BEFORE_COMMIT.items():
        own = [(draft, places[draft.id].entry) for draft in drafts if draft.kind == kind]
        if own:
            before(desk, own, since)
    desk.drafts.expect(places, signed)
    desk.node.commit()
    desk.drafts.settle(places, desk.seconds)


def _keys_of(desk: Desk, draft: Draft, signed: dict[int, Signer]) -> tuple[str, ...]:
    """The author's key first: that of the first signer in the role that the demand begins with."""
    keys = [signer.key for signer in draft.signers] + [signed[draft.id].key for _each in range(draft.id in signed)]
    first = needed(draft.demand, desk.state)[0]
    return tuple(sorted(keys, key=lambda key: desk.state.roster.keys[key].role != first))


def _by_signer(signed: dict[int, Signer], ids: Iterable[int]) -> list[tuple[Signer, list[int]]]:
    groups: dict[Signer, list[int]] = {}
    for number in ids:
        if number in signed:
            groups.setdefault(signed[number], []).append(number)
    return list(groups.items())
