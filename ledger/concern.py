"""Whom an entry concerns, whether or not it posts anything to them: their passbook shows it.

A service that the platform or the pool pays for does nothing to the hours of the person who is served. They are the one
who knows whether it took place, so it stands in their passbook too, and with it what is said about it later.
"""

from typing import Any

from chain.entry import Body
from ledger.bodies import Dispute, Resolve, Reverse, Service
from ledger.corrections import entry_at
from ledger.signing import Claim


def concerned(claim: Claim) -> tuple[str, ...]:
    """The two sides of the service that an entry is, objects to, decides about or takes back; else nobody."""
    body: Body | Any = claim.entry.body
    if isinstance(body, Service):
        return body.provider, body.recipient
    while isinstance(body, Dispute | Resolve | Reverse):
        earlier = entry_at(claim.state, claim.read, body.index)
        if earlier is None:
            return ()
        body = earlier.body
        if isinstance(body, Service):
            return body.provider, body.recipient
    return ()
