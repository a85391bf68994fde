"""Everything that the log so far has led to: who may sign, what each account holds, what waits (FORMAT §7, RULES).

``State`` is a fold over the log and can be thrown away at any time. It is plain data (``freeze`` and ``thaw`` turn it
into bytes and back), changed only by ``ledger.replay`` after an entry was judged; rules read it.
"""

import array
import datetime
import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from chain.entry import Statement
from chain.fields import Date, Time
from chain.merkle import StateTree, leaf_hash
from ledger.numbers import BRIDGE, FEN, ISSUE, MINUTE, OUTSIDE, POOL
from ledger.parameters import DEFAULTS, Parameters
from ledger.roster import Roster

if TYPE_CHECKING:
    Ints = array.array[int]
else:
    Ints = array.array  # msgspec reads annotations at run time, where the class takes no parameter

OPEN, SUSPENDED, CLOSED = "open", "suspended", "closed"
PERSON, INSTITUTION, FUND, SYSTEM = "person", "institution", "fund", "system"

ReadEntry = Callable[[int], Statement[Any]]
"""Gives the entry at an index of this log that is below the one being judged and had no finding."""

OnLeg = Callable[[int, str, int, int], None]
"""Told each leg as it is posted: entry or seal index, account number, change of ``balance``, change of ``held``."""


class DayBook(msgspec.Struct):
    """Minutes that somebody gave on each local day, in order of days: six bytes a day, since a log has decades.

    ``days`` counts from 0001-01-01; ``minutes`` stands beside it.
    """

    days: Ints = msgspec.field(default_factory=lambda: array.array("i"))
    minutes: Ints = msgspec.field(default_factory=lambda: array.array("H"))

    def on(self, day: int) -> int:
        """Minutes given on that day."""
        days = self.days
        if not days or day > days[-1]:
            return 0
        place = bisect_left(days, day)
        return self.minutes[place] if days[place] == day else 0

    def add(self, day: int, minutes: int) -> None:
        """Add to that day; ``minutes`` is negative where a service is reversed."""
        days = self.days
        if not days or day > days[-1]:
            days.append(day)
            self.minutes.append(minutes)
            return
        place = bisect_left(days, day)
        if days[place] == day:
            self.minutes[place] += minutes
        else:
            days.insert(place, day)
            self.minutes.insert(place, minutes)


class Account(msgspec.Struct, kw_only=True):
    """One account. ``balance`` and ``held`` count its ``unit``; ``position`` is its leaf in the state tree."""

    number: str
    position: int
    holder: str = PERSON
    unit: str = MINUTE
    status: str = OPEN
    balance: int = 0
    held: int = 0
    volunteer: bool = False
    elder: bool = False
    redeemable: bool = False
    minor: bool = False
    visitor: bool = False
    guardian: str | None = None
    funded: str | None = None
    band: int | None = None
    kin: set[str] = msgspec.field(default_factory=set)
    credentials: dict[str, list[Time | None]] = msgspec.field(default_factory=dict)
    served: DayBook | None = None
    earned: int = 0
    """Minutes of its services that still stand."""
    suspensions: set[int] = msgspec.field(default_factory=set)
    """Sanctions in force that suspend it."""
    revocations: set[int] = msgspec.field(default_factory=set)
    """Sanctions in force that take the volunteer flag."""

    @property
    def may_serve(self) -> bool:
        """Whether it is a volunteer whom no sanction keeps from it."""
        return self.volunteer and not self.revocations

    def leaf(self) -> bytes:
        """Its canonical bytes in the state tree."""
        return b'{"account":"%s","balance":%d,"held":%d,"status":"%s","unit":"%s"}' % (
            self.number.encode(),
            self.balance,
            self.held,
            self.status.encode(),
            self.unit.encode(),
        )

    def holds_credential(self, scope: str, time: Time) -> bool:
        """Whether one of that scope is in force."""
        return any(until is None or time <= until for until in self.credentials.get(scope, ()))


class Credit(msgspec.Struct, array_like=True):
    """A service's credit while it is held. ``due_at`` is unknown until its block is sealed."""

    account: str
    minutes: int
    posting_days: int
    due_at: Time | None = None


class Objection(msgspec.Struct, array_like=True):
    """A dispute that is not resolved yet. ``index`` is the dispute's entry, ``service`` that of the service."""

    index: int
    service: int


class Month(msgspec.Struct, array_like=True):
    """The services whose ``end`` lies in one local month. All but ``services`` and ``disputed`` count standing ones."""

    services: int = 0
    disputed: int = 0
    standing: int = 0
    earned_minutes: int = 0
    redeemed_minutes: int = 0
    evidence: dict[str, int] = msgspec.field(default_factory=dict)
    """Their number by class of evidence."""

    def add(self, form: str, minutes: int, redeemed: int, sign: int = 1) -> None:
        """Count a service; take it away again with ``sign`` −1."""
        self.standing += sign
        self.earned_minutes += sign * minutes
        self.redeemed_minutes += sign * redeemed
        self.evidence[form] = self.evidence.get(form, 0) + sign


class CouponBook(msgspec.Struct, array_like=True):
    """A printed book of coupons, and which of them were used."""

    account: str
    root: bytes
    count: int
    minutes_max: int
    used: set[int] = msgspec.field(default_factory=set)


class Case(msgspec.Struct, array_like=True):
    """A suspicion that people look into. ``openers`` signed its opening; a closed one has its ``outcome``."""

    account: str
    suspicion: str
    openers: tuple[str, ...]
    outcome: str | None = None


class Measure(msgspec.Struct, array_like=True):
    """A sanction in force: ``kind`` is ``suspend``, ``revoke`` or ``list``; ``until`` reminds and ends nothing."""

    account: str
    kind: str
    case: int
    until: Date | None = None


class Admission(msgspec.Struct, array_like=True):
    """A ledger of the tier below that belongs to us: by the entry at ``index`` its node signs by ``vkey``."""

    index: int
    vkey: str
    tier: str


class Anchored(msgspec.Struct, array_like=True):
    """The last checkpoint of a ledger that the entry at ``index`` put into this log."""

    index: int
    size: int
    root: bytes


class State(msgspec.Struct, kw_only=True):
    """What a log of ``size`` entries has led to."""

    size: int = 0
    origin: str = ""
    genesis: bytes = b""
    tier: str = ""
    parent: str | None = None
    parent_vkey: str | None = None
    roster: Roster = msgspec.field(default_factory=Roster)
    threshold: int = 0
    has_authority: bool = False
    mldsa: bytes | None = None
    parameters: Parameters = DEFAULTS
    parameters_version: int = 0
    utc_offset: datetime.timedelta = datetime.timedelta(minutes=DEFAULTS.utc_offset_minutes)
    utc_offsets: list[tuple[int, datetime.timedelta]] = msgspec.field(default_factory=list)
    """Each offset with the entry that set it: a service stays on the local day on which it was accepted."""
    accounts: dict[str, Account] = msgspec.field(default_factory=dict)

    height: int = 0
    """Of the next seal."""
    sealed_at: Time | None = None
    last_seal_hash: bytes = b""
    block_entries: int = 0
    block_latest: Time | None = None
    seal_indexes: Ints = msgspec.field(default_factory=lambda: array.array("q"))
    seal_seconds: Ints = msgspec.field(default_factory=lambda: array.array("q"))

    kinds: bytearray = msgspec.field(default_factory=bytearray)
    """The kind of every entry as a number of ``ledger.kinds``, 0 for one that changed nothing."""
    first_service: int | None = None
    unsealed: list[int] = msgspec.field(default_factory=list)
    """Entries of the open block whose credit is held."""
    credits: dict[int, Credit] = msgspec.field(default_factory=dict)
    """Held credits by entry index."""
    due: list[tuple[Time, int]] = msgspec.field(default_factory=list)
    """A heap of (due time, entry index) over the sealed ones; may name some that are no longer held."""
    excess: dict[int, int] = msgspec.field(default_factory=dict)
    """Minutes of an entry's credit that the ceiling sent to the pool."""
    reversed: set[int] = msgspec.field(default_factory=set)
    disputed: set[int] = msgspec.field(default_factory=set)
    """Services that were disputed, once and for all."""
    objections: dict[int, Objection] = msgspec.field(default_factory=dict)
    """Open disputes by the index of the service."""
    coupon_books: dict[int, CouponBook] = msgspec.field(default_factory=dict)
    """By the index of the entry that issued them."""
    coupon_roots: set[bytes] = msgspec.field(default_factory=set)
    cases: dict[int, Case] = msgspec.field(default_factory=dict)
    sanctions: dict[int, Measure] = msgspec.field(default_factory=dict)
    """Those in force."""
    funds: dict[str, str] = msgspec.field(default_factory=dict)
    """What each fund is for."""
    open_findings: dict[int, dict[int, Date]] = msgspec.field(default_factory=dict)
    """Of each inspection, when the findings are due that nobody has mended yet."""
    months: dict[int, Month] = msgspec.field(default_factory=dict)
    """By ``month_of``."""
    admitted: dict[str, Admission] = msgspec.field(default_factory=dict)
    """The ledgers of the tier below, by origin."""
    anchors: dict[str, Anchored] = msgspec.field(default_factory=dict)
    """The last of each origin; stays where the ledger is retired."""
    used_proofs: dict[str, set[int]] = msgspec.field(default_factory=dict)
    """By origin, the ``transfer_out`` entries of other ledgers that were taken or refused here."""
    returned: set[int] = msgspec.field(default_factory=set)
    """Our ``transfer_out`` entries whose hours came back."""
    granted_minutes: int = 0
    """What the platform has given and was not taken back: grants, openings, services paid by ``issue``."""

    def log_time(self, at: Time) -> Time:
        """Log time of an entry with that ``at`` that comes next (FORMAT §3)."""
        sealed_at = self.sealed_at
        return at if sealed_at is None or at > sealed_at else sealed_at

    def set_parameters(self, parameters: Parameters, version: int) -> None:
        """From the next entry on these hold."""
        self.parameters = parameters
        self.parameters_version = version
        self.utc_offset = datetime.timedelta(minutes=parameters.utc_offset_minutes)
        self.utc_offsets.append((self.size, self.utc_offset))

    def utc_offset_at(self, index: int) -> datetime.timedelta:
        """The offset that was in force for the entry at ``index``."""
        return next(offset for since, offset in reversed(self.utc_offsets) if since < max(index, 1))

    def local_day(self, time: Time) -> int:
        """The local day that a time falls on, counted from 0001-01-01."""
        return (time + self.utc_offset).toordinal()

    def month(self, index: int, time: Time) -> Month:
        """The local month that a time falls in, by the offset in force for the entry at ``index``."""
        number = month_of(time + (self.utc_offset if index >= self.size else self.utc_offset_at(index)))
        month = self.months.get(number)
        if month is None:
            month = self.months[number] = Month()
        return month

    def open_account(self, account: Account) -> None:
        """Enter a new account, whose position is the next one."""
        self.accounts[account.number] = account

    def sealed_after(self, index: int) -> int | None:
        """POSIX seconds at which the block of that entry was sealed, or None while it is open."""
        place = bisect_left(self.seal_indexes, index)
        return self.seal_seconds[place] if place < len(self.seal_indexes) else None


MONTHS_A_YEAR = 12


def month_of(local: Date) -> int:
    """The number of a local month: 12 a year, January of year 0 being 0."""
    return local.year * MONTHS_A_YEAR + local.month - 1


def system_accounts() -> Iterator[Account]:
    """The four that genesis opens, in their positions."""
    units = ((ISSUE, MINUTE), (POOL, MINUTE), (BRIDGE, MINUTE), (OUTSIDE, FEN))
    for position, (number, unit) in enumerate(units):
        yield Account(number=number, position=position, holder=SYSTEM, unit=unit)


class Books:
    """Posts legs to a state's accounts, and keeps the tree of balances up with them.

    ``on_leg`` is told every leg, for passbooks and journals.
    """

    def __init__(self, state: State, on_leg: OnLeg | None = None) -> None:
        self.state = state
        self.on_leg = on_leg
        self._leaves = [account.leaf() for account in state.accounts.values()]
        self._tree = StateTree([leaf_hash(leaf) for leaf in self._leaves])
        self._changed: dict[str, Account] = {}
        self.touched: set[str] = set()
        """Accounts that were opened or changed; whoever keeps them elsewhere empties it."""

    def open(self, account: Account) -> None:
        """Enter a new account."""
        self.state.open_account(account)
        self._changed[account.number] = account
        self.touched.add(account.number)

    def set_status(self, account: Account, status: str) -> None:
        account.status = status
        self._changed[account.number] = account
        self.touched.add(account.number)

    def post(self, index: int, number: str, balance: int, held: int = 0) -> None:
        """One leg: change what the account has, by minutes or fen."""
        account = self.state.accounts[number]
        account.balance += balance
        account.held += held
        self._changed[number] = account
        self.touched.add(number)
        if self.on_leg is not None:
            self.on_leg(index, number, balance, held)

    def credit(self, index: int, number: str, minutes: int, entry_index: int) -> None:
        """Add to a balance; what would lift a person's over the ceiling goes to the pool (RULES §3).

        ``index`` is the entry or seal at which it happens, ``entry_index`` the entry whose credit it is.
        """
        ceiling = self.state.parameters.balance_max_minutes
        if ceiling:
            account = self.state.accounts[number]
            excess = min(minutes, max(0, account.balance + minutes - ceiling))
            if excess and account.holder == PERSON:
                self.state.excess[entry_index] = excess
                self.post(index, POOL, excess)
                minutes -= excess
        if minutes:
            self.post(index, number, minutes)

    def hold(self, index: int, number: str, minutes: int) -> None:
        """Enter a service's credit as held."""
        self.post(index, number, 0, minutes)
        state = self.state
        state.credits[index] = Credit(number, minutes, state.parameters.posting_days)
        state.unsealed.append(index)

    def release(self, index: int, time: Time) -> None:
        """At the seal ``index``: set the due times of its block, then free what is due and not disputed."""
        state = self.state
        for entry_index in state.unsealed:
            held = state.credits.get(entry_index)
            if held is not None:
                held.due_at = time + datetime.timedelta(days=held.posting_days)
                heapq.heappush(state.due, (held.due_at, entry_index))
        state.unsealed.clear()
        while state.due and state.due[0][0] <= time:
            _, entry_index = heapq.heappop(state.due)
            held = state.credits.get(entry_index)
            if held is None or entry_index in state.objections:
                continue
            del state.credits[entry_index]
            self.post(index, held.account, 0, -held.minutes)
            self.credit(index, held.account, held.minutes, entry_index)

    def wait_no_more(self, entry_index: int) -> None:
        """A dispute was rejected: the credit moves at the next seal at or after its due time."""
        held = self.state.credits.get(entry_index)
        if held is not None and held.due_at is not None:
            heapq.heappush(self.state.due, (held.due_at, entry_index))

    def root(self) -> bytes:
        """Root of all balances as they are now. Called at seals alone: until the next, proofs are of this one."""
        leaves, tree = self._leaves, self._tree
        opened = len(leaves)
        for account in self._changed.values():
            leaf = account.leaf()
            if account.position < opened:
                leaves[account.position] = leaf
                tree.put(account.position, leaf_hash(leaf))
        for account in islice(self.state.accounts.values(), opened, None):
            leaves.append(account.leaf())
            tree.put(account.position, leaf_hash(leaves[-1]))
        self._changed.clear()
        return tree.root()

    def sealed_leaf(self, position: int) -> tuple[bytes, list[bytes]] | None:
        """An account's leaf at the last ``root()`` with its path to it; None where it was opened since."""
        return (self._leaves[position], self._tree.path(position)) if position < len(self._leaves) else None


FORM = b"huzhu/state/v4\n"
"""Before a state's bytes. Another one with every change of what a state counts: what an older program has counted lacks
something from the first entry on, and is replayed anew."""


def freeze(state: State) -> bytes:
    """A state as bytes, for a cache on disk."""
    return FORM + msgspec.msgpack.encode(state, enc_hook=_freeze_array)


def thaw(raw: bytes) -> State:
    """The state in bytes that ``freeze`` made; raises msgspec.DecodeError for any others."""
    if not raw.startswith(FORM):
        raise msgspec.DecodeError("these are not the bytes of a state of this form")
    return msgspec.msgpack.decode(memoryview(raw)[len(FORM) :], type=State, dec_hook=_thaw_array)


def _freeze_array(value: Any) -> Any:
    return [value.typecode, value.tobytes()]


def _thaw_array(_: type, value: Any) -> Any:
    thawed = array.array(value[0])
    thawed.frombytes(value[1])
    return thawed
