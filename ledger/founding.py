"""What a new ledger begins with, and the genesis that says so (RULES, genesis)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from chain.fields import Time
from chain.keys import SigningKey, key_id
from ledger.bodies import Founder, Genesis
from ledger.parameters import DEFAULTS, Parameters, format_parameters


@dataclass(frozen=True, slots=True)
class Founding:
    """What a new ledger begins with. ``clerks`` and ``members`` are signing keys to be kept in the home."""

    origin: str
    clerks: Sequence[SigningKey]
    members: Sequence[SigningKey]
    threshold: int
    tier: Literal["village", "township", "county", "city"] = "village"
    parent: str | None = None
    parent_vkey: str | None = None
    authorities: Sequence[bytes] = ()
    """Public keys of the tier above."""
    parameters: Parameters = DEFAULTS
    at: Time | None = None
    """The recorded time in place of the clock's."""


def genesis_of(founding: Founding, node: bytes, mldsa: bytes | None) -> Genesis:
    """The first entry; ``node`` and ``mldsa`` are the public keys of the node."""
    founders = [Founder(key=key.public, role="clerk") for key in founding.clerks]
    founders += [Founder(key=key.public, role="member") for key in founding.members]
    founders += [Founder(key=public, role="authority") for public in founding.authorities]
    return Genesis(
        members=tuple(sorted(founders, key=lambda founder: key_id(founder.key))),
        mldsa=mldsa,
        node_key=node,
        origin=founding.origin,
        params=format_parameters(founding.parameters),
        parent=founding.parent,
        parent_vkey=founding.parent_vkey,
        threshold=founding.threshold,
        tier=founding.tier,
    )
