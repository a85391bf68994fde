"""What the pages of one person show of the ledger, read in the writer's thread; nothing here is personal.

    portrait = await kit.writer.ask(partial(portrait_of, number="12345676", now=now))     # None: no such account
    body = last_description(node, "12345676")           # what the ledger says last of who an account belongs to
"""

import datetime
import re
from dataclasses import dataclass

from chain.fields import Time
from ledger.bodies import AccountOpen, AccountUpdate
from ledger.state import Account
from web.desk import DeskNode
from web.dossiers import SCAN_ENTRIES
from web.pages.passbook_reading import Own, own_of
from web.people import BAND_YEARS


@dataclass(frozen=True, slots=True)
class Credential:
    """What a person is qualified for. ``until`` is the latest of those granted, None for one without an end."""

    scope: str
    until: datetime.date | None
    is_valid: bool


@dataclass(frozen=True, slots=True)
class Portrait:
    """An account with whom it belongs to, as far as the ledger says."""

    own: Own
    is_institution: bool
    may_serve: bool
    is_suspended: bool
    is_redeemable: bool
    is_visitor: bool
    funded: str | None
    born: str
    credentials: tuple[Credential, ...]
    earned_minutes: int
    kin_relations: tuple[str, ...]
    funded_groups: tuple[str, ...]

    @property
    def is_closed(self) -> bool:
        return self.own.status == "closed"


def portrait_of(node: DeskNode, number: str, now: Time) -> Portrait | None:
    """Everything that the ledger says of a person's or institution's account."""
    own = own_of(node, number, now)
    if own is None:
        return None
    state, account = node.state, node.state.accounts[number]
    time = state.log_time(now)
    return Portrait(
        own=own,
        is_institution=account.holder == "institution",
        may_serve=account.may_serve,
        is_suspended=bool(account.suspensions),
        is_redeemable=account.redeemable,
        is_visitor=account.visitor,
        funded=account.funded,
        born="" if account.band is None else f"{account.band}–{account.band + BAND_YEARS - 1}",
        credentials=tuple(_credential(account, scope, time, state.utc_offset) for scope in sorted(account.credentials)),
        earned_minutes=account.earned,
        kin_relations=tuple(state.parameters.kin_relations),
        funded_groups=tuple(state.parameters.funded_groups),
    )


def _credential(account: Account, scope: str, time: Time, offset: datetime.timedelta) -> Credential:
    untils = account.credentials[scope]
    last = None if None in untils else max((until for until in untils if until is not None), default=None)
    return Credential(scope, None if last is None else (last + offset).date(), account.holds_credential(scope, time))


def last_description(node: DeskNode, number: str) -> AccountOpen | AccountUpdate | None:
    """The entry by which an account was opened or described last, looked for from the log's end."""
    named = re.compile(b'"account":"%b"' % re.escape(number).encode())
    for end in range(node.store.size, 0, -SCAN_ENTRIES):
        start = max(0, end - SCAN_ENTRIES)
        indexes = [index for index, raw in enumerate(node.store.entries(start, end), start) if named.search(raw)]
        for index in reversed(indexes):
            body = node.entry(index).body
            if isinstance(body, AccountOpen | AccountUpdate) and body.account == number:
                return body
    return None
