"""What the pages about requests share: the request book beside the ledger, asked in the writer's thread.

    care = RequestKit(kit, names)
    await care.ask(lambda table: table.live())                    # the home locked, the ledger up to date
    answer = await care.ask(lambda table: table.take(7, step))    # the request after it, or an outcome

Every question opens the book anew: it is there only while the home's lock is held (``care.requestbook``).
"""

import asyncio
import datetime
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from care.dossier import CareError
from care.matching import Busy, Helper, Need
from care.requestbook import KEPT_DAYS, REQUESTS_FILE, Profile, RequestBook, open_book
from care.requests import (
    CHECKED_OUT,
    CLOCK,
    CONFIRM,
    CONFIRMED,
    DECLINED,
    EXPIRE,
    NOBODY_CAME,
    OBJECTED,
    PROPOSE,
    RECORD,
    TAKEN_BACK,
    Actor,
    Request,
    Step,
    Visit,
    take,
)
from care.vault import Vault
from care.walking import Place
from chain.fields import Time
from ledger.bodies import Service
from ledger.state import SUSPENDED, Account, State
from store.drafts import RECORDED as DRAFT_RECORDED
from store.drafts import REFUSED as DRAFT_REFUSED
from store.drafts import Drafts
from store.log import StoreError
from store.wishes import WISHES_FILE, Wishes
from web.desk import DeskNode
from web.pages.kit import Kit
from web.pages.names import Names
from web.pages.requests_history import Lately
from web.problems import DeskError

STAFF = Actor(is_staff=True)
LATELY_DAYS, HISTORY_DAYS = 30, 90
LEGS_LOOKED = 40
"""So far back a service is looked for that was recorded another way."""
DAY_HOURS = 24
T = TypeVar("T")


@dataclass(slots=True)
class RequestKit:
    """The parts, and the secret that opens the book, read once."""

    kit: Kit
    names: Names
    recording: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held from looking at a visit until it names what waits of it: pressed twice at once, it is proposed once."""
    lately: Lately = field(default_factory=Lately)
    _secret: bytes | None = field(default=None, repr=False)

    async def ask(self, question: Callable[["Table"], T]) -> T:
        """What the book and the ledger say to a question; DeskError where the book cannot be opened."""
        home, now = self.kit.home, self.kit.clock()

        def with_table(node: DeskNode) -> T:
            try:
                with closing(open_book(home.folder / REQUESTS_FILE, self._key())) as book:
                    wishes = Wishes(home.folder / WISHES_FILE)
                    drafts, vault = Drafts(home.drafts), Vault(self._key())
                    return question(Table(node, book, now, drafts, wishes, vault, self.lately))
            except CareError as error:
                raise DeskError(str(error)) from error

        return await self.kit.writer.ask(with_table)

    def _key(self) -> bytes:
        if self._secret is None:
            try:
                self._secret = self.kit.home.people_secret(self.kit.passphrase)
            except StoreError as error:
                raise DeskError(str(error)) from error
        return self._secret


@dataclass(frozen=True, slots=True)
class Table:
    """The open book beside the node, at one moment; what people ask for is under ``vault`` among the ``wishes``."""

    node: DeskNode
    book: RequestBook
    now: Time
    drafts: Drafts
    wishes: Wishes
    vault: Vault
    lately: Lately

    @property
    def state(self) -> State:
        return self.node.state

    @property
    def today(self) -> int:
        return self.now.toordinal()

    def take(self, number: int, step: Step) -> Request | str:
        """Do a step with a request; the request after it is on disk, or the outcome says why not."""
        request = self.book.request(number)
        if request is None:
            return "no-such-request"
        answer = take(request, step)
        if isinstance(answer, Request) and answer is not request:
            self.book.put(answer)
        return answer

    def actor(self, account: str) -> Actor:
        """A person with those for whom they may speak: wards and kin (RULES §4)."""
        accounts = self.state.accounts
        own = accounts.get(account)
        kin = set() if own is None else own.kin
        wards = {each.number for each in accounts.values() if each.guardian == account}
        return Actor(account=account, speaks_for=frozenset({account} | kin | wards))

    # Keeping up with time and with the ledger

    def live(self) -> list[Request]:
        """All requests of which something is expected, up to date."""
        self.book.drop_before(self.today - KEPT_DAYS)
        return [each for each in map(self.follow, self.book.live()) if not each.is_over]

    def follow(self, request: Request) -> Request:
        """A request after what has happened without it: time passed, a draft was decided, somebody recorded it."""
        after = _taken(request, Step(kind=EXPIRE, by=CLOCK, at=self.now))
        for visit in after.visits:
            for step in self._news(after, visit):
                after = _taken(after, step)
        if after is not request:
            self.book.put(after)
        return after

    def _news(self, request: Request, visit: Visit) -> list[Step]:
        """The steps that a visit has made elsewhere."""
        step = Step(kind=RECORD, by=STAFF, at=self.now, volunteer=visit.volunteer)
        if visit.draft:
            found = [self.drafts.get(int(number)) for number in visit.draft.split()]
            if any(draft is not None and draft.state == DRAFT_REFUSED for draft in found):
                return [msgspec.structs.replace(step, kind=PROPOSE, draft="")]
            entries = [draft.entry for draft in found if draft is not None and draft.state == DRAFT_RECORDED]
            return [msgspec.structs.replace(step, index=entries[0])] if found and len(entries) == len(found) else []
        if visit.stage not in (CHECKED_OUT, OBJECTED, CONFIRMED):
            return []
        index = self._recorded(request, visit)
        if index is None:
            return []
        confirm = [] if visit.stage == CONFIRMED else [msgspec.structs.replace(step, kind=CONFIRM)]
        return [*confirm, msgspec.structs.replace(step, index=index)]

    def _recorded(self, request: Request, visit: Visit) -> int | None:
        """The entry by which somebody has recorded this very visit: signed by phones, or from a day sheet."""
        if visit.checkin is None:
            return None
        begin = visit.checkin.said_at
        for leg in list(self.node.legs(visit.volunteer))[-LEGS_LOOKED:]:
            body = self.node.entry(leg.entry_index).body
            if isinstance(body, Service) and body.provider == visit.volunteer and body.recipient in request.recipients:
                is_same = body.start in (begin, begin.replace(second=0)) or body.evidence.checkin == begin
                if is_same and leg.entry_index not in self.state.reversed:
                    return leg.entry_index
        return None

    # What matching needs to know

    def needs(self, requests: Sequence[Request]) -> list[Need]:
        """What these ask for that still want somebody."""
        profiles, past = self.book.profiles(), self.book.since(self.today - HISTORY_DAYS)
        self._read_ledger()
        return [self._need(each, profiles, past) for each in requests if each.missing]

    def _read_ledger(self) -> None:
        self.lately.follow(self.node, self.now - datetime.timedelta(days=HISTORY_DAYS))

    def _need(self, request: Request, profiles: dict[str, Profile], past: Sequence[Request]) -> Need:
        state = self.state
        needed = state.parameters.credentials_needed
        parties = [state.accounts[each] for each in request.recipients if each in state.accounts]
        first = profiles.get(request.recipients[0])
        over = {visit.volunteer for visit in request.visits if visit.stage in (DECLINED, TAKEN_BACK, NOBODY_CAME)}
        return Need(
            id=request.id,
            recipients=request.recipients,
            starts_at=request.starts_at,
            minutes=request.minutes,
            day=state.local_day(request.starts_at),
            week_hours=frozenset(self.week_hours(request)),
            places=request.missing,
            scopes=frozenset(needed[code] for code in (request.category, request.local) if code in needed),
            care_level=request.care_level,
            languages=frozenset(request.languages),
            diet=request.diet,
            place=None if first is None else first.place,
            kin=frozenset(number for each in parties for number in (*each.kin, each.guardian) if number),
            last_visits=tuple(self._last_visits(request, past)),
            refused=frozenset(over),
            asked=frozenset(visit.volunteer for visit in request.visits if visit.is_live),
        )

    def week_hours(self, request: Request) -> list[int]:
        """The local hours of the week that a request touches."""
        begin = request.starts_at + self.state.utc_offset
        first = begin.weekday() * DAY_HOURS + begin.hour
        count = -(-(begin.minute + request.minutes) // 60)
        return [(first + hour) % (7 * DAY_HOURS) for hour in range(count)]

    def helper(self, account: str) -> Helper | None:
        """One volunteer; None for whoever is none."""
        return next((helper for helper in self.helpers() if helper.account == account), None)

    def helpers(self) -> list[Helper]:
        """All volunteers, in order of account."""
        profiles = self.book.profiles()
        booked: dict[str, list[tuple[Request, Visit]]] = {}
        since = self.now - datetime.timedelta(days=LATELY_DAYS)
        self._read_ledger()
        lately = self.lately.minutes(since, self.state.reversed)
        for request in self.book.since(self.today - LATELY_DAYS):
            for visit in request.visits:
                if visit.has_place and not request.ended:
                    if visit.index is None:
                        lately[visit.volunteer] += visit.minutes or request.minutes
                    if request.ends_at > since:
                        booked.setdefault(visit.volunteer, []).append((request, visit))
        volunteers = sorted(each.number for each in self.state.accounts.values() if each.volunteer)
        return [
            self._helper(number, profiles.get(number, Profile()), booked.get(number, []), lately[number])
            for number in volunteers
        ]

    def _helper(self, number: str, profile: Profile, booked: Sequence[tuple[Request, Visit]], lately: int) -> Helper:
        state, account = self.state, self.state.accounts[number]
        time = state.log_time(self.now)
        ahead = [request for request, visit in booked if visit.checkout is None and request.ends_at > self.now]
        return Helper(
            account=number,
            may_serve=account.may_serve and account.status in ("open", SUSPENDED),
            is_suspended=account.status == SUSPENDED,
            is_resting=profile.is_resting,
            is_minor=account.minor,
            scopes=frozenset(scope for scope in account.credentials if account.holds_credential(scope, time)),
            care_most=profile.care_most,
            languages=frozenset(profile.languages),
            diets=frozenset(profile.diets),
            free_hours=frozenset(profile.free_hours),
            busy=tuple(Busy(request.starts_at, request.ends_at) for request in ahead),
            day_minutes_max=state.parameters.day_max_minutes,
            day_minutes=self._day_minutes(account, ahead),
            place=profile.place,
            asked_minutes=lately,
        )

    def _day_minutes(self, account: Account, ahead: Sequence[Request]) -> dict[int, int]:
        """What somebody gives on today's local day, as recorded, and on those ahead, as agreed."""
        today = self.state.local_day(self.now)
        found = {today: account.served.on(today)} if account.served is not None else {}
        for request in ahead:
            day = self.state.local_day(request.starts_at)
            found[day] = found.get(day, 0) + request.minutes
        return found

    def _last_visits(self, request: Request, past: Iterable[Request]) -> list[str]:
        """Who came to these recipients before, the last first: by the ledger, and by what waits to stand there."""
        wanted = set(request.recipients)
        waiting = [
            (each.starts_at, visit.volunteer)
            for each in past
            if each.id != request.id and not wanted.isdisjoint(each.recipients)
            for visit in each.visits
            if visit.minutes and visit.index is None
        ]
        on_ledger = self.lately.visits(wanted, self.state.reversed)
        return [volunteer for _at, volunteer in sorted([*waiting, *on_ledger], reverse=True)]

    def place(self, account: str) -> Place | None:
        """Where somebody lives, as far as it was told."""
        return self.book.profile(account).place


def _taken(request: Request, step: Step) -> Request:
    """The request after a step, or as it was where that is not possible."""
    answer = take(request, step)
    return answer if isinstance(answer, Request) else request
