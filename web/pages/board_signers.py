"""In which role the keys of an entry signed: as genesis, a grant or a change of the node's key names them.

A mirrored ledger's state is not here, but its entries are: an id once used is never granted again (RULES §1), so that
the one entry that names a key says its role for ever.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from chain.entry import Entry
from chain.errors import EntryError
from chain.keys import key_id
from ledger.bodies import Genesis, KeyGrant, NodeRotate
from ledger.kinds import CODEC
from ledger.roster import NODE
from store.reading import KeptLedger
from web.pages.board_facts import Facts

NAMING = (b'"kind":"key_grant"', b'"kind":"node_rotate"')


async def roles_of(facts: Facts, kept: KeptLedger, entry: Entry[Any]) -> Mapping[str, str]:
    """The role of each key that signed, by key id; of one that nothing here names none."""
    wanted = {each.key for each in getattr(entry, "sigs", ())}
    if facts.is_own(kept.origin):
        own: dict[str, str] = await facts.kit.writer.ask(
            lambda node: {key: known.role for key, known in node.state.roster.keys.items() if key in wanted}
        )
        return own
    found = dict(_named(kept.entry(0)))
    if not wanted <= found.keys():
        for mark in NAMING:
            for _index, raw in kept.entries_with(mark):
                found.update(_named(raw))
    return {key: role for key, role in found.items() if key in wanted}


def _named(raw: bytes | None) -> Iterable[tuple[str, str]]:
    """The keys that an entry names, with their roles."""
    try:
        body = None if raw is None else CODEC.parse(raw).body
    except EntryError:
        return
    match body:
        case Genesis():
            yield key_id(body.node_key), NODE
            for founder in body.members:
                yield key_id(founder.key), founder.role
        case KeyGrant():
            yield key_id(body.key), body.role
        case NodeRotate():
            yield key_id(body.key), NODE
