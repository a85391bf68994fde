"""Names beside numbers: who is meant by what a clerk types, and who an account is.

    names = Names(kit)                               # one for all pages, made in ``web.pages.routers``
    await names.find("wxf")                          # [Found("12345676", "王秀芳", "phone …5678"), …]
    await names.shown(request, ["12345676"])    # {"12345676": "王秀芳"}; "" where no name is kept
    await names.asked(request, who)                  # before somebody is shown what they searched for

Only a clerk and a member of this ledger are shown names: ``kit.who(request, CLERK, MEMBER)`` comes first. What is typed
is sent by POST and never stands in an address: ``POST /people/find`` with the field ``q`` (and the header that browsers
send themselves) answers ``{"found": [{"account": …, "name": …, "detail": …}]}`` for a list below a field.

*The index* (``care.finder``) lives in memory alone. It is made when first asked, and put in order before an answer
whenever ``people.db`` or the number of accounts has changed: the writer's thread says which dossiers stand there, by
their hashes, and decrypts those that are new, ``SLICE`` at a time, so that writing goes on in between. So whoever is
erased or renamed, here or by the command line, is gone from the next answer on. Whose account waits to be certified has
a name by ``of``, so that whoever certifies it sees whom; ``find`` finds them when the account is open.

*Looks.* A list in which names stand is recorded as one look ``search`` an hour for each user, at nobody in particular:
a row for each name at each key would be thousands a day, and would say less. Whoever then opens a person's page is
recorded with that account (``person``), and the dossier's particulars with their fields in ``people.db`` as well. See
docs/decisions/0018-names-in-memory.md.
"""

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from anyio import to_thread
from fastapi import Request

from care.finder import Finder, Someone
from chain.fields import Time, is_account_number
from ledger.state import OPEN
from store.drafts import Drafts
from web.access.who import Who
from web.desk import DeskNode
from web.dossiers import open_people
from web.i18n import translate as _
from web.pages.kit import Kit
from web.pages.people_dossiers import tidy
from web.problem import Problem
from web.problems import DeskError
from web.text import STATUSES, named

SLICE = 200
"""Dossiers that are decrypted while the writer waits: about a hundredth of a second."""
CHANGES = slice(24, 28)
"""Where SQLite counts in a file's head how often it was changed."""
SEARCH, NAME = "search", "name"
HOUR_SECONDS = 3_600
AT_ONCE, EACH_SECOND = 60, 3.0
"""So often a session may search at once, and for ever: more than anybody types, and no way to copy all out."""
SESSIONS_MAX = 4_096
PHONE_SHOWN_DIGITS = 4

Mark = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Somebody who may be meant. ``detail`` tells those of one name apart."""

    account: str
    name: str
    detail: str


class Names:
    """The names of this ledger's people. From the event loop's thread only."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._finder = Finder()
        self._known: dict[str, bytes] = {}
        self._waiting: dict[str, str] = {}
        self._last_position = -1
        self._mark: Mark | None = None
        self._lock = asyncio.Lock()
        self._tries: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._noted: dict[str, int] = {}

    async def find(self, typed: str, most: int = 20) -> list[Found]:
        """Who is meant, the likeliest first. Raises DeskError where the dossiers cannot be read."""
        await self._follow()
        return [self._found(someone) for someone in self._finder.find(typed, most)]

    async def of(self, accounts: Iterable[str]) -> dict[str, str]:
        """The name of each account; "" where none is kept, or none can be read."""
        wanted = list(accounts)
        try:
            await self._follow()
        except DeskError:
            return dict.fromkeys(wanted, "")
        return {account: self._name(account) for account in wanted}

    async def shown(self, request: Request, accounts: Iterable[str]) -> dict[str, str]:
        """The same for a page at the desk: that somebody is shown names is on disk, and how often is bounded."""
        wanted, who = list(accounts), self._kit.who(request)
        await self.asked(request, who)
        if len(wanted) == 1:
            await to_thread.run_sync(partial(self._kit.may_look, who, NAME, wanted[0]))
        return await self.of(wanted)

    async def asked(self, request: Request, who: Who) -> None:
        """Have the look on disk, and bound how often: Problem 429 where it is too often, 503 where the disk fails."""
        self._bound(self._kit.session_of(request) or who.name)
        hour = self._kit.guard.now() // HOUR_SECONDS
        if self._noted.get(who.name) != hour:
            await to_thread.run_sync(partial(self._kit.may_look, who, SEARCH, ""))
            self._noted[who.name] = hour

    # The index

    async def _follow(self) -> None:
        """Bring the index up to date."""
        if self._is_current():
            return
        async with self._lock:
            if self._is_current():
                return
            mark = self._seen()  # before the look: what changes after it is seen the next time
            ask = partial(_standing, drafts=Drafts(self._kit.home.drafts), now=self._kit.clock())
            wanted, self._waiting, position = await self._kit.writer.ask(ask)
            for gone in [account for account, hashed in self._known.items() if wanted.get(account) != hashed]:
                self._finder.drop(gone)
                del self._known[gone]
            fresh = [account for account in wanted if account not in self._known]
            for start in range(0, len(fresh), SLICE):
                await self._take(fresh[start : start + SLICE], wanted)
            self._mark, self._last_position = mark, position

    async def _take(self, accounts: Sequence[str], wanted: Mapping[str, bytes]) -> None:
        """Take these in: those without a dossier by their number alone."""
        kept = [account for account in accounts if wanted[account]]
        opened = await self._kit.writer.ask(partial(_opened, accounts=kept)) if kept else {}
        for account in accounts:
            self._finder.put(opened.get(account, Someone(account)))
            self._known[account] = wanted[account]

    def _is_current(self) -> bool:
        if self._mark is None or self._mark != self._seen():
            return False
        return not self._kit.ledgers.own.accounts(self._last_position, 1)

    def _seen(self) -> Mark | None:
        """Another value whenever dossiers or drafts have changed; None where there are no dossiers."""
        people, drafts = _mark_of(self._kit.home.people), _mark_of(self._kit.home.drafts)
        return None if people is None else (*people, *(drafts or ()))

    def _name(self, account: str) -> str:
        someone = self._finder.get(account)
        return self._waiting.get(account, "") if someone is None else someone.name

    def _found(self, someone: Someone) -> Found:
        row = self._kit.ledgers.own.account(someone.account)
        phone = next(someone.phones, "")[-PHONE_SHOWN_DIGITS:]
        told = [_("phone …{digits}").format(digits=phone)] if phone else []
        if row is not None and row.status != OPEN:
            told.append(named(STATUSES, row.status))
        return Found(someone.account, someone.name, " · ".join(told))

    def _bound(self, session: str) -> None:
        """Count a search of a session; raises Problem 429."""
        now = time.monotonic()
        left, seen = self._tries.pop(session, (AT_ONCE, now))
        left = min(AT_ONCE, left + (now - seen) * EACH_SECOND)
        self._tries[session] = max(left - 1, 0.0), now
        while len(self._tries) > SESSIONS_MAX:
            self._tries.popitem(last=False)
        if left < 1:
            text = _("that was a great deal of searching: wait a few seconds, and go on")
            raise Problem(429, "too-often", _("too often"), text, headers={"Retry-After": "5"})


def _standing(node: DeskNode, drafts: Drafts, now: Time) -> tuple[dict[str, bytes], dict[str, str], int]:
    """The hash of each account's dossier (b"": none), the names that wait, and the last account's position."""
    with open_people(node) as people:
        tidy(people, drafts, now)
        hashes = people.hashes()
        waiting = {locked.account: dossier.name for locked, dossier in people.waiting()}
    accounts = node.state.accounts
    numbers = filter(is_account_number, accounts)
    position = max((account.position for account in accounts.values()), default=-1)
    return {number: hashes.get(number, b"") for number in numbers}, waiting, position


def _opened(node: DeskNode, accounts: Sequence[str]) -> dict[str, Someone]:
    """What these people are found by; nothing of whoever was erased meanwhile."""
    with open_people(node) as people:
        found = {account: people.dossier(account) for account in accounts}
    return {
        account: Someone(account, kept[1].name, kept[1].phone) for account, kept in found.items() if kept is not None
    }


def _mark_of(path: Path) -> Mark | None:
    """Which file it is, and how often it was changed; None where there is none."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            head = file.read(CHANGES.stop)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, int.from_bytes(head[CHANGES])
