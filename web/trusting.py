"""The trust file that a committee hands to auditors (C2SP tlog-policy; FORMAT §6)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from gettext import gettext as _

from chain.cosignature import member_name
from chain.fields import Time
from chain.note import COSIGNATURE_ED25519, ED25519, VerifierKey, make_vkey
from chain.policy import NO_QUORUM, Group, Policy
from ledger.roster import MEMBER, NODE, Key
from ledger.state import State
from web.problems import DeskError

MEMBERS, WITNESSES, EVERYBODY = "members", "witnesses", "members-and-witnesses"


def node_keys(state: State) -> tuple[VerifierKey, ...]:
    """The key to pin, which is the one in genesis; and beside it the one in force, where that is another."""
    first, *later = (key for key in state.roster.keys.values() if key.role == NODE)
    return tuple(make_vkey(state.origin, ED25519, key.public) for key in (first, *later[-1:]))


def trust_in_node(state: State) -> Policy:
    """Nobody but the node need have signed."""
    return Policy(node_keys(state), (), (), NO_QUORUM)


def trust_in_members(state: State, now: Time, quorum: int | None) -> Policy:
    """So many members must have cosigned too, as many as the ledger's threshold where ``quorum`` does not say.

    Whoever has several keys counts once. Raises DeskError where there are too few members.
    """
    people = list(_people(state, now))
    threshold = state.threshold if quorum is None else quorum
    if threshold > len(people):
        text = _("a quorum of {quorum} cannot be met: the keys of {count} members count now")
        raise DeskError(text.format(quorum=threshold, count=len(people)))
    witnesses: list[tuple[str, VerifierKey]] = []
    groups: list[Group] = []
    for place, keys in enumerate(people, 1):
        person = f"member-{place}"
        names = [person] if len(keys) == 1 else [f"{person}-{number}" for number in range(1, len(keys) + 1)]
        witnesses += zip(names, (_cosigner(state.origin, key) for key in keys), strict=True)
        if len(keys) > 1:
            groups.append(Group(person, 1, tuple(names)))
    groups.append(Group(MEMBERS, threshold, tuple(f"member-{place}" for place in range(1, len(people) + 1))))
    return Policy(node_keys(state), tuple(witnesses), tuple(groups), MEMBERS)


def trust_in_witness(vkeys: tuple[VerifierKey, VerifierKey], url: str | None) -> Policy:
    """A witness must have cosigned, by its Ed25519 or its ML-DSA-44 key."""
    name = vkeys[0].name
    witnesses = tuple(zip((f"{name}-ed25519", f"{name}-mldsa44"), vkeys, strict=True))
    group = Group(name, 1, tuple(each for each, _vkey in witnesses))
    urls = () if url is None else tuple((each, url) for each, _vkey in witnesses)
    return Policy((), witnesses, (group,), name, witness_urls=urls)


def with_witnesses(policy: Policy, witnesses: Sequence[Policy], needed: int | None) -> Policy:
    """So many of the witnesses must have cosigned too: all, where ``needed`` does not say. Raises DeskError.

    Each is what ``trust_in_witness`` made, or another file that says of whom a quorum is.
    """
    count = len(witnesses) if needed is None else needed
    if not 1 <= count <= len(witnesses):
        text = _("a quorum of {quorum} cannot be met: {count} witnesses are given")
        raise DeskError(text.format(quorum=count, count=len(witnesses)))
    if any(each.quorum == NO_QUORUM for each in witnesses):
        raise DeskError(_("a witness's file must end with the name of whose cosignature counts, not with quorum none"))
    quorum = WITNESSES
    groups = [*policy.groups, *(group for each in witnesses for group in each.groups)]
    groups.append(Group(WITNESSES, count, tuple(each.quorum for each in witnesses)))
    if policy.quorum != NO_QUORUM:
        quorum = EVERYBODY
        groups.append(Group(EVERYBODY, 2, (policy.quorum, WITNESSES)))
    return replace(
        policy,
        witnesses=(*policy.witnesses, *(pair for each in witnesses for pair in each.witnesses)),
        witness_urls=(*policy.witness_urls, *(pair for each in witnesses for pair in each.witness_urls)),
        groups=tuple(groups),
        quorum=quorum,
    )


def with_address(policy: Policy, url: str) -> Policy:
    """The same with the address below which the ledger's files lie."""
    return replace(policy, log_urls=tuple((vkey, url) for vkey in policy.logs))


def _people(state: State, now: Time) -> Iterator[Sequence[Key]]:
    """The keys of each member that count now."""
    time = state.log_time(now)
    keys = [key for key in state.roster.keys.values() if key.role == MEMBER and key.counts_at(time)]
    for person in dict.fromkeys(key.person for key in keys):
        yield [key for key in keys if key.person == person]


def _cosigner(origin: str, key: Key) -> VerifierKey:
    return make_vkey(member_name(origin, key.id), COSIGNATURE_ED25519, key.public)
