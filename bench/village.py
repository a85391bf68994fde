"""Synthetic ledgers to measure on, written through the node itself."""

import csv
import datetime
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from chain.entry import Body
from chain.fields import UTC, Time
from chain.keys import SigningKey
from ledger.bodies import AccountOpen, Donate, Evidence, Grant, KeyGrant, Service
from ledger.numbers import account_number
from ledger.parameters import DEFAULTS
from node import Founding, Node, Refused, Result

ORIGIN = "village.example/bench"
SINCE = datetime.datetime(2001, 1, 1, 12, tzinfo=UTC)
"""Evening in China: the day's services are over."""
HOURS_OF_A_BLOCK = 24
SERVICE_MINUTES = 5
DAY_SHEET = (
    "date,start,end,provider,recipient,category,local,minutes,paid_by,evidence,coupon,recorder,certifier,remark"
)
COMMIT_ENTRIES = 5_000
OPENED_AT_ONCE = 500

PARAMETERS = msgspec.structs.replace(DEFAULTS, posting_days=0)


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now: Time = SINCE) -> None:
        self.now = now

    def __call__(self) -> Time:
        return self.now

    def forward(self, hours: int) -> None:
        """Let so many hours go by."""
        self.now += datetime.timedelta(hours=hours)


@dataclass(frozen=True, slots=True)
class Village:
    """Who signs in a synthetic ledger, and which accounts there are. The first half provides, the other receives."""

    clerk: SigningKey
    members: tuple[SigningKey, ...]
    device: SigningKey
    accounts: tuple[str, ...]


def village(account_count: int) -> Village:
    """The same village each time."""
    return Village(
        clerk=SigningKey(b"c" * 32),
        members=tuple(SigningKey(bytes([place]) * 32) for place in range(1, 4)),
        device=SigningKey(b"d" * 32),
        accounts=tuple(account_number(place) for place in range(account_count)),
    )


def founding(people: Village) -> Founding:
    """How its ledger begins."""
    return Founding(ORIGIN, [people.clerk], people.members, threshold=2, parameters=PARAMETERS)


def settle(node: Node, people: Village) -> None:
    """Open all accounts."""
    for start in range(0, len(people.accounts), OPENED_AT_ONCE):
        _write(node, people, [_opening(number) for number in people.accounts[start : start + OPENED_AT_ONCE]])


def equip_donor(node: Node, people: Village) -> None:
    """Give the first account a device and something to donate."""
    first, *_ = people.accounts
    one, *others = people.members
    node.write(one, others, [KeyGrant(account=first, key=people.device.public, role="volunteer")])
    node.write(one, others, [Grant(to=first, minutes=10**9, reason="bench")])


def services(people: Village, clock: Clock) -> Iterator[Service]:
    """Services without end, by chance from a fixed seed: by day, and everybody's turn comes before anyone's second."""
    chance = random.Random(1)
    half = len(people.accounts) // 2
    volunteers, elders = list(people.accounts[:half]), people.accounts[half:]
    chance.shuffle(volunteers)
    while True:
        for provider in volunteers:
            start = clock.now - datetime.timedelta(minutes=chance.randrange(150, 690))
            yield Service(
                category="assistance",
                end=start + datetime.timedelta(minutes=30),
                evidence=Evidence(form="paper", hash=bytes(32)),
                minutes=SERVICE_MINUTES,
                paid_by="issue",
                provider=provider,
                recipient=chance.choice(elders),
                start=start,
            )


def write_services(node: Node, people: Village, clock: Clock, count: int, sheet: int, block: int) -> None:
    """Write ``count`` services on sheets of ``sheet``, a block after each ``block`` of them."""
    source = services(people, clock)
    for done in range(0, count, sheet):
        _write(node, people, [next(source) for _ in range(min(sheet, count - done))], durable=False)
        _turn(node, clock, done, sheet, block)
    node.seal()


def write_donations(node: Node, people: Village, clock: Clock, count: int, block: int) -> None:
    """Write ``count`` donations, each signed by its giver alone: one signature an entry."""
    body = Donate(giver=people.accounts[0], minutes=1)
    for done in range(count):
        _must(node.write(people.device, (), [body], durable=False))
        _turn(node, clock, done, 1, block)
    node.seal()


def write_day_sheets(path: Path, people: Village, row_count: int, rows_a_day: int) -> None:
    """A day-sheet file of that many rows."""
    clock = Clock()
    source = services(people, clock)
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(DAY_SHEET.split(","))
        for done in range(row_count):
            if done % rows_a_day == 0:
                clock.forward(24)
            body = next(source)
            cells = [f"{clock.now:%Y-%m-%d}", "10:00", "10:05", body.provider, body.recipient, body.category]
            out.writerow([*cells, "", "", body.paid_by, "paper", "", "", "", ""])


def build(home: Path, count: int, sheet: int, block: int, account_count: int) -> None:
    """A home with ``count`` services; sheets of one are donations with a single signature each."""
    people, clock = village(account_count), Clock()
    Node.create(home, founding(people), None, clock)
    with Node.open(home, writes=True, clock=clock) as node:
        settle(node, people)
        if sheet == 1:
            equip_donor(node, people)
            write_donations(node, people, clock, count, block)
        else:
            write_services(node, people, clock, count, sheet, block)


def _turn(node: Node, clock: Clock, done: int, step: int, block: int) -> None:
    """After the entries ``done`` to ``done + step``: close the block and commit where it is time."""
    if done // block != (done + step) // block:
        clock.forward(HOURS_OF_A_BLOCK)
        node.seal(durable=False)
    if done // COMMIT_ENTRIES != (done + step) // COMMIT_ENTRIES:
        node.commit()


def _opening(number: str) -> AccountOpen:
    return AccountOpen(
        account=number, dossier=bytes(32), elder=True, funded="key_elder", holder="person", volunteer=True
    )


def _write(node: Node, people: Village, bodies: Sequence[Body], *, durable: bool = True) -> None:
    _must(node.write(people.clerk, people.members[:2], bodies, durable=durable))


def _must(results: Sequence[Result]) -> None:
    refused = [result for result in results if isinstance(result, Refused)]
    if refused:
        raise RuntimeError(f"the bench's own entry was refused: {refused[0]}")
