"""What the pages of one's own passbook share: whose it is, what it has, and what its page brings along for the browser.

    me = Mine(kit, names)
    who, own = await me.own(request)                      # a person's session, or they are sent to sign in
    return me.page(request, own, "give.html", form=form)  # a template of ``pages/me``

A page of ``Mine.page`` may be kept by the browser for as long as the session lasts (``static/sw.js``): two headers say
whose it is and until when. The name of the session in it is of no use to anybody else.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from anyio import to_thread
from fastapi import Request, Response

from chain.encoding import format_base64
from chain.fields import UTC, format_time
from store.halfsigned import HalfSigned, Kept
from web.access.who import PERSON, Who
from web.i18n import translate as _
from web.pages.kit import Kit
from web.pages.names import Names
from web.pages.passbook_reading import Own, changed, own_of, said, spoken, standing
from web.problem import Problem

SESSION, UNTIL = "Huzhu-Session", "Huzhu-Until"
"""Whose session a page was made for, and when it ends in seconds since 1970: the service worker heeds both."""
NAME = "name"
"""What is recorded as looked at."""
HOUR_SECONDS = 3_600
NOTED_MAX = 4_096
"""So many looks of this hour are remembered, to be written down once."""


@dataclass(frozen=True, slots=True)
class Mine:
    """One's own pages."""

    kit: Kit
    names: Names
    halves: HalfSigned = field(init=False)
    _noted: dict[tuple[str, str], int] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "halves", HalfSigned(self.kit.home.folder / "halfsigned.db"))

    async def own(self, request: Request) -> tuple[Who, Own]:
        """Who asks, and their account as it is now; Problem where they have none."""
        who = self.kit.who(request, PERSON)
        own = await self.kit.writer.ask(partial(own_of, number=who.account, now=self.kit.clock()))
        if own is None or who.ledger != self.kit.settings.origin:
            text = _("your sign-in belongs to no account of this ledger: ask at the village desk")
            raise Problem(403, "no-account", _("no passbook"), text)
        return who, own

    async def named(self, who: Who, accounts: Iterable[str]) -> dict[str, str]:
        """Names of oneself, of one's family and of who comes to them; each look on record, once an hour."""
        wanted = sorted(set(accounts))
        if not wanted:
            return {}
        hour = self.kit.guard.now() // HOUR_SECONDS
        for account in wanted:
            if account != who.account and self._noted.get((who.name, account)) != hour:
                await to_thread.run_sync(self.kit.may_look, who, NAME, account)
                self._noted[who.name, account] = hour
        while len(self._noted) > NOTED_MAX:
            del self._noted[next(iter(self._noted))]
        return await self.names.of(wanted)

    async def waiting(self, own: Own) -> list[Kept]:
        """Services that wait for this person's signature."""
        found = await to_thread.run_sync(lambda: [kept for key in own.granted for kept in self.halves.for_key(key)])
        return sorted(found, key=lambda kept: kept.id)

    def page(self, request: Request, own: Own, template: str, status: int = 200, **values: Any) -> Response:
        """A page of ``pages/me``, large, which the browser may keep until this session ends."""
        kit = self.kit
        now = kit.clock()
        signing = {
            "data-genesis": format_base64(own.domain.genesis),
            "data-vkey": own.domain.vkey,
            "data-now": format_time(now),
            "data-seq": str(own.next_seq),
            "data-keys": " ".join(own.granted),
            "data-offset": str(int(own.utc_offset.total_seconds() // 60)),
        }
        words = {"spoken": spoken, "standing": standing, "said": said, "changed": changed}
        response = kit.page(request, f"me/{template}", status, own=own, signing=signing, **words, **values)
        response.headers[SESSION] = kit.session_of(request)
        response.headers[UNTIL] = str(kit.who(request).expires_seconds)
        return response

    def today(self, own: Own) -> datetime.date:
        """The day in the village."""
        return own.local(self.kit.clock().astimezone(UTC)).date()
