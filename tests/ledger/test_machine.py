"""The whole node against a model of a few lines: balances as plain numbers, entries as notes in a list.

The model is written from the rule book alone, for entries that are signed as they should be, and knows nothing of
replay, trees, signatures or stores.
"""

import datetime
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import node
from chain.fields import Time, format_time
from chain.merkle import leaf_hash, levels_of, path_in
from ledger.coupons import book_root
from ledger.state import CLOSED, OPEN, SUSPENDED
from tests.scenarios.audit import check
from tests.scenarios.script import PRESET, coupon_secrets
from tests.scenarios.village import FOUNDED_AT, OK, Plain, Village, b64, number_of, plain_parameters

VOLUNTEERS, ELDERS, REDEEMABLE, FUNDED = {"wang", "wu", "zhao"}, {"li", "zhao", "sun"}, {"zhao", "sun"}, {"li"}
KIN = [{"wang", "zhao"}, {"zhao", "sun"}]
PEOPLE = sorted(VOLUNTEERS | ELDERS)
OVERDRAFT, DAY_MAX, DISPUTE_DAYS = 30, 150, 5
LOCAL = datetime.timedelta(hours=8)

COUPONS, COUPON_MINUTES = 3, 45
FUND, PURPOSE = "fund-canteen", "meals"

names, minutes, picks = st.sampled_from(PEOPLE), st.integers(1, 90), st.integers(0, 10_000)
services = st.sampled_from(
    [("wang", "li", "issue"), ("wu", "li", "pool"), ("wang", "zhao", "recipient"), ("zhao", "sun", "recipient")] * 20
    + list(product(PEOPLE, PEOPLE, ["recipient", "issue", "pool"]))
)
coupon_services = st.sampled_from([("wang", "li", "issue"), ("wu", "li", "issue"), ("wang", "zhao", "recipient")])
gifts = st.sampled_from([("wang", "zhao"), ("zhao", "wang"), ("zhao", "sun")] * 10 + list(product(PEOPLE, PEOPLE)))


@dataclass
class Note:
    """An entry that moved minutes or fen. ``held`` while it waits, ``over`` what the ceiling sent to the pool."""

    payer: str
    payee: str
    minutes: int
    service_day: datetime.date | None = None
    parties: tuple[str, ...] = ()
    month: str = ""
    form: str = ""
    posting_days: int = 0
    held: bool = False
    sealed_at: Time | None = None
    over: int = 0
    is_reversed: bool = False
    is_disputed: bool = False
    """Once and for all."""
    is_waiting: bool = False
    """While a dispute is open."""


@dataclass
class Model:
    """What the rule book says of a village."""

    balances: dict[str, int] = field(default_factory=lambda: dict.fromkeys([*PEOPLE, "pool", "issue", "outside"], 0))
    notes: dict[int, Note] = field(default_factory=dict)
    disputes: dict[int, int] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    books: dict[int, set[int]] = field(default_factory=dict)
    """Of li's books, which coupons were used."""
    cases: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Whose, and how it was closed."""
    sanctions: dict[int, tuple[str, str]] = field(default_factory=dict)
    """On whom, and what."""
    posting_days: int = 2
    ceiling: int = 0

    def held(self, name: str) -> int:
        return sum(note.minutes for note in self.notes.values() if note.held and note.payee == name)

    def services(self) -> list[int]:
        return [index for index, note in self.notes.items() if note.parties]

    def credit(self, note: Note) -> None:
        kept = note.minutes
        if self.ceiling and note.payee in PEOPLE:
            kept = min(kept, max(0, self.ceiling - self.balances[note.payee]))
        note.over = note.minutes - kept
        self.balances[note.payee] += kept
        self.balances["pool"] += note.over

    def move(self, index: int, note: Note) -> None:
        self.notes[index] = note
        self.balances[note.payer] -= note.minutes
        note.held = note.service_day is not None and self.posting_days > 0
        note.posting_days = self.posting_days
        if not note.held:
            self.credit(note)

    def can_give(self, name: str, amount: int) -> bool:
        return self.balances[name] - amount >= (0 if name in ("pool", FUND) else -OVERDRAFT)

    def is_sanctioned(self, name: str, measure: str) -> bool:
        return (name, measure) in self.sanctions.values()

    def status(self, name: str) -> str:
        if name in self.closed:
            return CLOSED
        return SUSPENDED if self.is_sanctioned(name, "suspend") else OPEN

    def judge_service(self, note: Note) -> str:
        provider, recipient = note.parties
        day = [other for other in self.notes.values() if other.service_day == note.service_day]
        given = sum(other.minutes for other in day if other.payee == provider and not other.is_reversed)
        ladder = [
            ("closed", provider in self.closed or recipient in self.closed),
            ("suspended", self.is_sanctioned(provider, "suspend") or self.is_sanctioned(recipient, "suspend")),
            ("self-dealing", provider == recipient),
            ("over-day-cap", given + note.minutes > DAY_MAX),
            ("not-volunteer", provider not in VOLUNTEERS or self.is_sanctioned(provider, "revoke")),
            ("not-elder", recipient not in ELDERS),
            ("not-funded", note.payer != recipient and recipient not in FUNDED),
            ("not-yet-redeemable", note.payer == recipient and recipient not in REDEEMABLE),
            ("no-balance", note.payer == recipient and self.balances[recipient] < 0),  # redeem_min_minutes is 0
            ("no-balance", note.payer != "issue" and not self.can_give(note.payer, note.minutes)),
        ]
        return next((outcome for outcome, is_so in ladder if is_so), OK)

    def judge_gift(self, giver: str, to: str, amount: int) -> str:
        if giver in self.closed or to in self.closed:
            return "closed"
        if self.is_sanctioned(giver, "suspend"):
            return "suspended"
        if to != "pool" and {giver, to} not in KIN:
            return "not-kin"
        return OK if self.can_give(giver, amount) else "no-balance"

    def judge_coupon(self, book: int, index: int, note: Note) -> str:
        if note.parties[1] != "li" or book not in self.books or index >= COUPONS:
            return "coupon-invalid"
        if index in self.books[book]:
            return "coupon-used"
        return "coupon-over" if note.minutes > COUPON_MINUTES else OK

    def judge_sanction(self, name: str, case: int) -> str:
        if name in self.closed:
            return "closed"
        whose, outcome = self.cases.get(case, ("", ""))
        if whose != name:
            return "no-case"
        return OK if outcome == "upheld" else "case-not-upheld"

    def judge_spending(self, amount: int, purpose: str) -> str:
        if FUND not in self.balances:
            return "no-account"
        if purpose != PURPOSE:
            return "wrong-purpose"
        return OK if self.can_give(FUND, amount) else "no-funds"

    def figures(self, month: str) -> dict[str, int]:
        """Every figure counted anew from everything that ever moved."""
        services = [note for note in self.notes.values() if note.parties and note.month == month]
        standing = [note for note in services if not note.is_reversed]
        given = [note.minutes for note in self.notes.values() if note.payer == "issue" and not note.is_reversed]
        owed = sorted(max(0, self.balances[name] + self.held(name)) for name in PEOPLE)
        found = {"outstanding": sum(owed), "band_0": sum(owed), "granted": sum(given)}
        found["held"] = sum(self.held(name) for name in PEOPLE)
        found["earned"] = sum(note.minutes for note in standing)
        found["redeemed"] = sum(note.minutes for note in standing if note.payer == note.parties[1])
        found["top_tenth"] = 1000 * owed[-1] // sum(owed) if sum(owed) else 0
        found["fen"] = self.balances.get(FUND, 0)
        disputed = sum(note.is_disputed for note in services)
        found["disputed"] = 1000 * disputed // len(services) if services else 0
        for form in ("paper", "signed", "coupon"):
            number = sum(note.form == form for note in standing)
            found[form] = 1000 * number // len(standing) if standing else 0
        return dict(sorted(found.items()))

    def judge_close(self, name: str, to: str | None) -> str:
        if name in self.closed or to in self.closed:
            return "closed"
        balance = self.balances[name]
        if self.held(name) or balance < 0 or (balance > 0 and to is None):
            return "balance-left"
        return OK if to in (None, "pool") or {name, to} in KIN else "not-kin"

    def judge_dispute(self, index: int, party: str, now: Time) -> str:
        note = self.notes.get(index)
        if note is None or not note.parties or note.is_reversed:
            return "not-reversible"
        if party not in note.parties:
            return "not-party"
        if note.sealed_at is not None and now - note.sealed_at > datetime.timedelta(days=DISPUTE_DAYS):
            return "too-late"
        return "already-disputed" if note.is_disputed else OK

    def judge_reverse(self, index: int) -> str:
        note = self.notes.get(index)
        if note is None:
            return "not-reversible"
        return "already-reversed" if note.is_reversed else OK

    def judge_resolve(self, index: int) -> str:
        if index not in self.disputes:
            return "no-dispute"
        return OK if self.notes[self.disputes[index]].is_waiting else "already-resolved"

    def reverse(self, index: int) -> None:
        note = self.notes[index]
        note.is_reversed, note.is_waiting = True, False
        self.balances[note.payer] += note.minutes
        if note.held:
            note.held = False
        else:
            self.balances[note.payee] -= note.minutes - note.over
            self.balances["pool"] -= note.over

    def seal(self, at: Time) -> None:
        due = []
        for index, note in self.notes.items():
            note.sealed_at = note.sealed_at or at
            due_at = note.sealed_at + datetime.timedelta(days=note.posting_days)
            if note.held and not note.is_waiting and due_at <= at:
                due.append((due_at, index))
        for _, index in sorted(due):
            self.notes[index].held = False
            self.credit(self.notes[index])


class NodeMachine(RuleBasedStateMachine):
    """Does the same to both, and finds the same outcome each time."""

    def __init__(self) -> None:
        super().__init__()
        self.village, self.model = Village(), Model()
        self.printed: dict[int, list[bytes]] = {}

    @initialize(rich=st.integers(0, len(PEOPLE)), posting_days=st.integers(0, 2), ceiling=st.sampled_from([0, 120]))
    def found(self, rich: int, posting_days: int, ceiling: int) -> None:
        village = self.village
        self.model.posting_days, self.model.ceiling = posting_days, ceiling
        limits: Plain = {
            "overdraft_minutes": OVERDRAFT,
            "day_max_minutes": DAY_MAX,
            "dispute_within_days": DISPUTE_DAYS,
        }
        limits |= {"posting_days": posting_days, "balance_max_minutes": ceiling}
        assert village.found(**limits) == OK
        for name in PEOPLE:
            flags: Plain = {"volunteer": True} if name in VOLUNTEERS else {}
            flags |= {"elder": True} if name in ELDERS else {}
            flags |= {"redeemable": True} if name in REDEEMABLE else {}
            flags |= {"funded": "key_elder"} if name in FUNDED else {}
            assert village.open(name, **flags) == OK
        for one, other in map(sorted, KIN):
            link = {"person": number_of(one), "relative": number_of(other), "relation": "spouse"}
            assert village.submit("kin_link", link, ["clerk", "m1"]) == OK
        village.seal()
        for name in PEOPLE[:rich]:
            self.opening(name, 100)

    def submit(self, kind: str, body: Plain, *actors: str, expected: str) -> bool:
        outcome = self.village.submit(kind, PRESET.get(kind, {}) | body, actors)
        assert outcome == expected
        return outcome == OK

    def some_index(self, pick: int, likely: list[int]) -> int:
        """An entry of the log: mostly one of the likely ones, now and then any, or one that is not there."""
        everything = [*range(self.village.store.size + 1), *likely * 20]
        index: int = everything[pick % len(everything)]
        return index

    @rule(hours=st.sampled_from([0, 1, 6, 24, 48, 130]))
    def time_passes(self, hours: int) -> None:
        self.village.now += datetime.timedelta(hours=hours)

    def a_service(self, who: tuple[str, str, str], amount: int, form: str) -> tuple[Plain, Note]:
        """The body and the note of a service that ends now."""
        provider, recipient, paid_by = who
        end = self.village.now
        start = end - datetime.timedelta(minutes=amount)
        body: Plain = {"provider": number_of(provider), "recipient": number_of(recipient), "minutes": amount}
        body |= {"paid_by": paid_by, "start": format_time(start), "end": format_time(end)}
        note = Note(recipient if paid_by == "recipient" else paid_by, provider, amount, parties=(provider, recipient))
        note.service_day = (start + LOCAL).date()
        note.month, note.form = (end + LOCAL).strftime("%Y-%m"), form
        return body, note

    @rule(who=services, amount=minutes)
    def service(self, who: tuple[str, str, str], amount: int) -> None:
        body, note = self.a_service(who, amount, "paper")
        if self.submit("service", body, "clerk", "m1", expected=self.model.judge_service(note)):
            self.model.move(self.village.last_index, note)

    @rule(who=services, amount=minutes)
    def another_service(self, who: tuple[str, str, str], amount: int) -> None:
        self.service(who, amount)

    @rule()
    def coupon_issue(self) -> None:
        secrets = coupon_secrets(f"b{len(self.printed)}", COUPONS)
        body = {"account": number_of("li"), "count": COUPONS, "minutes_max": COUPON_MINUTES}
        body["root"] = b64(book_root(secrets))
        self.submit("coupon_issue", body, "a1", "a2", expected=OK)
        self.printed[self.village.last_index] = secrets
        self.model.books[self.village.last_index] = set()
        self.submit("coupon_issue", body, "a1", "a2", expected="coupon-used")

    @precondition(lambda self: self.model.books)
    @rule(who=coupon_services, amount=minutes, pick=picks, index=st.integers(0, COUPONS))
    def service_by_coupon(self, who: tuple[str, str, str], amount: int, pick: int, index: int) -> None:
        """``COUPONS`` is the index of a coupon that the book does not have."""
        body, note = self.a_service(who, amount, "coupon")
        book, real = self.some_index(pick, list(self.model.books)), index % COUPONS
        secrets = self.printed.get(book) or coupon_secrets("of no book", COUPONS)
        path = [b64(hashed) for hashed in path_in(levels_of([leaf_hash(secret) for secret in secrets]), real)]
        body["evidence"] = {"class": "coupon", "book": book, "index": index, "path": path, "secret": b64(secrets[real])}
        expected = self.model.judge_service(note)
        if expected == OK:
            expected = self.model.judge_coupon(book, index, note)
        if self.submit("service", body, "clerk", expected=expected):
            self.model.move(self.village.last_index, note)
            self.model.books[book].add(index)

    @rule(name=names)
    def case_open(self, name: str) -> None:
        body = {"account": number_of(name), "entries": [0], "suspicion": "ring"}
        self.submit("case_open", body, "m1", expected=OK)
        self.model.cases[self.village.last_index] = (name, "")

    @precondition(lambda self: self.model.cases)
    @rule(pick=picks, outcome=st.sampled_from(["upheld", "upheld", "cleared"]))
    def case_close(self, pick: int, outcome: str) -> None:
        index = self.some_index(pick, list(self.model.cases))
        expected = OK if self.model.cases.get(index, ("", "closed"))[1] == "" else "no-case"
        if self.submit("case_close", {"case": index, "outcome": outcome}, "m2", "m3", expected=expected):
            self.model.cases[index] = (self.model.cases[index][0], outcome)

    @precondition(lambda self: self.model.cases)
    @rule(pick=picks, name=names, measure=st.sampled_from(["suspend", "revoke", "list"]))
    def sanction(self, pick: int, name: str, measure: str) -> None:
        index = self.some_index(pick, list(self.model.cases))
        if pick % 4 and index in self.model.cases:
            name = self.model.cases[index][0]
        body = {"account": number_of(name), "case": index, "measure": measure}
        if self.submit("sanction", body, "a1", "a2", expected=self.model.judge_sanction(name, index)):
            self.model.sanctions[self.village.last_index] = (name, measure)

    @precondition(lambda self: self.model.sanctions)
    @rule(pick=picks)
    def sanction_lift(self, pick: int) -> None:
        index = self.some_index(pick, list(self.model.sanctions))
        expected = OK if index in self.model.sanctions else "no-sanction"
        if self.submit("sanction_lift", {"sanction": index}, "a1", "a2", expected=expected):
            del self.model.sanctions[index]

    @rule()
    def fund_open(self) -> None:
        expected = "account-exists" if FUND in self.model.balances else OK
        if self.submit("fund_open", {"fund": "canteen", "purpose": PURPOSE}, "m1", "m2", expected=expected):
            self.model.balances[FUND] = 0

    @rule(fen=minutes)
    def fund_receive(self, fen: int) -> None:
        expected = OK if FUND in self.model.balances else "no-account"
        body = {"fen": fen, "fund": "canteen", "source": "individual"}
        if self.submit("fund_receive", body, "m1", "m2", expected=expected):
            self.model.move(self.village.last_index, Note("outside", FUND, fen))

    @rule(fen=minutes, purpose=st.sampled_from([PURPOSE, PURPOSE, PURPOSE, "travel"]))
    def fund_spend(self, fen: int, purpose: str) -> None:
        body = {"fen": fen, "fund": "canteen", "purpose": purpose}
        expected = self.model.judge_spending(fen, purpose)
        if self.submit("fund_spend", body, "m1", "m2", expected=expected):
            self.model.move(self.village.last_index, Note(FUND, "outside", fen))

    @rule(months_ago=st.sampled_from([0, 0, 1]))
    def risk(self, months_ago: int) -> None:
        month = (self.village.now + LOCAL - datetime.timedelta(days=28 * months_ago)).strftime("%Y-%m")
        body = {"period": month, "figures": self.model.figures(month)}
        assert self.submit("risk", body, "clerk", "m1", expected=OK)

    @rule(who=gifts, amount=minutes)
    def gift(self, who: tuple[str, str], amount: int) -> None:
        giver, to = who
        body = {"from": number_of(giver), "to": number_of(to), "minutes": amount}
        if self.submit("gift", body, "clerk", "m1", expected=self.model.judge_gift(giver, to, amount)):
            self.model.move(self.village.last_index, Note(giver, to, amount))

    @rule(giver=names, amount=minutes)
    def donate(self, giver: str, amount: int) -> None:
        body = {"from": number_of(giver), "minutes": amount}
        if self.submit("donate", body, "clerk", "m1", expected=self.model.judge_gift(giver, "pool", amount)):
            self.model.move(self.village.last_index, Note(giver, "pool", amount))

    @rule(to=st.sampled_from([*FUNDED] * 9 + PEOPLE), amount=minutes)
    def grant(self, to: str, amount: int) -> None:
        expected = "closed" if to in self.model.closed else OK if to in FUNDED else "not-funded"
        if self.submit("grant", {"to": number_of(to), "minutes": amount}, "a1", "a2", expected=expected):
            self.model.move(self.village.last_index, Note("issue", to, amount))

    @rule(name=names, amount=minutes)
    def opening(self, name: str, amount: int) -> None:
        expected = "closed" if name in self.model.closed else "not-first-day" if self.model.services() else OK
        body = {"account": number_of(name), "minutes": amount}
        if self.submit("opening", body, "clerk", "m1", "m2", expected=expected):
            self.model.move(self.village.last_index, Note("issue", name, amount))

    @precondition(lambda self: self.model.notes)
    @rule(pick=picks)
    def reverse(self, pick: int) -> None:
        index = self.some_index(pick, list(self.model.notes))
        if self.submit("reverse", {"index": index}, "m1", "m2", expected=self.model.judge_reverse(index)):
            self.model.reverse(index)

    @precondition(lambda self: self.model.services())
    @rule(pick=picks, party=names)
    def dispute(self, pick: int, party: str) -> None:
        index = self.some_index(pick, self.model.services())
        note = self.model.notes.get(index)
        if note is not None and note.parties and pick % 4:
            party = note.parties[pick % 2]
        expected = self.model.judge_dispute(index, party, self.village.now)
        if self.submit("dispute", {"index": index, "party": number_of(party)}, "clerk", "m1", expected=expected):
            self.model.disputes[self.village.last_index] = index
            self.model.notes[index].is_disputed = self.model.notes[index].is_waiting = True

    @precondition(lambda self: self.model.disputes)
    @rule(pick=picks, outcome=st.sampled_from(["upheld", "rejected"]))
    def resolve(self, pick: int, outcome: str) -> None:
        index = self.some_index(pick, list(self.model.disputes))
        expected = self.model.judge_resolve(index)
        if self.submit("resolve", {"index": index, "outcome": outcome}, "m2", "m3", expected=expected):
            service = self.model.disputes[index]
            self.model.notes[service].is_waiting = False
            if outcome == "upheld":
                self.model.reverse(service)

    @rule(name=names, to=st.sampled_from([*PEOPLE, "pool", None]), really=st.integers(0, 3))
    def close(self, name: str, to: str | None, really: int) -> None:
        expected = self.model.judge_close(name, to)
        if expected == OK and really:
            return  # or all would soon be closed
        body = {"account": number_of(name), "reason": "moved"} | ({} if to is None else {"to": number_of(to)})
        if self.submit("account_close", body, "clerk", "m1", expected=expected):
            self.model.closed.add(name)
            if to is not None:
                left = Note(name, to, self.model.balances[name])
                self.model.balances[name] = 0
                self.model.credit(left)

    @rule(posting_days=st.integers(0, 4), ceiling=st.sampled_from([0, 0, 60, 120]))
    def new_parameters(self, posting_days: int, ceiling: int) -> None:
        state = self.village.state
        params = plain_parameters(state.parameters) | {
            "posting_days": posting_days,
            "balance_max_minutes": ceiling,
        }
        body = {"params": params, "version": state.parameters_version + 1}
        assert self.submit("params", body, "a1", "a2", expected=OK)
        self.model.posting_days, self.model.ceiling = posting_days, ceiling

    @rule(hours=st.sampled_from([0, 24, 60]))
    def seal(self, hours: int) -> None:
        self.time_passes(hours)
        self.village.seal()
        self.model.seal(self.village.now)

    @precondition(lambda self: self.model.disputes)
    @rule(pick=picks)
    def reject(self, pick: int) -> None:
        self.resolve(pick, "rejected")

    @rule()
    def reopen(self) -> None:
        self.village.reopen()

    @rule()
    def reopen_with_a_damaged_snapshot(self) -> None:
        self.village.store.put_snapshot(1, b"", b"")
        self.village.store.commit()
        self.village.reopen()

    @invariant()
    def both_agree(self) -> None:
        model, accounts = self.model, self.village.state.accounts
        if not accounts:
            return
        for name, balance in model.balances.items():
            account = accounts[name if name == FUND else number_of(name)]
            assert (account.balance, account.held) == (balance, model.held(name)), name
            assert account.status == model.status(name)

    def teardown(self) -> None:
        if self.village.now > FOUNDED_AT:
            check(self.village)


def test_the_node_agrees_with_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "SNAPSHOT_ENTRIES", 5)  # so that some reopenings replay little, and some much
    run_state_machine_as_test(NodeMachine, settings=settings(max_examples=100, stateful_step_count=40))


@pytest.mark.parametrize("seed", range(30))
def test_long_histories(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same steps in the proportions of a village, far longer than Hypothesis makes them."""
    monkeypatch.setattr(node, "SNAPSHOT_ENTRIES", 50)
    chance, machine = random.Random(seed), NodeMachine()
    pairs = [("wang", "li", "issue"), ("wu", "li", "pool"), ("wang", "zhao", "recipient"), ("zhao", "sun", "recipient")]
    kin = [("wang", "zhao"), ("zhao", "wang"), ("zhao", "sun")]

    by_coupon = [("wang", "li", "issue"), ("wu", "li", "issue"), ("wang", "zhao", "recipient")]

    def name() -> str:
        return chance.choice(PEOPLE)

    def index() -> int:
        return chance.randint(0, COUPONS)

    def amount() -> int:
        return chance.randint(1, 90)

    def pick() -> int:
        return chance.randrange(10_000)

    steps: list[tuple[int, Callable[[], None]]] = [
        (60, lambda: machine.service(chance.choice(pairs), amount())),
        (10, lambda: machine.service((name(), name(), chance.choice(["recipient", "issue", "pool"])), amount())),
        (10, lambda: machine.gift(chance.choice(kin), amount())),
        (2, lambda: machine.gift((name(), name()), amount())),
        (5, lambda: machine.donate(name(), amount())),
        (5, lambda: machine.grant(chance.choice(["li", "li", name()]), amount())),
        (5, lambda: machine.reverse(pick())),
        (15, lambda: machine.dispute(pick(), name())),
        (10, lambda: machine.resolve(pick(), chance.choice(["upheld", "rejected", "rejected"]))),
        (2, lambda: machine.close(name(), chance.choice([*PEOPLE, "pool", None]), chance.randrange(4))),
        (1, machine.coupon_issue),
        (30, lambda: machine.service_by_coupon(chance.choice(by_coupon), chance.randint(1, 50), pick(), index())),
        (6, lambda: machine.case_open(name())),
        (10, lambda: machine.case_close(pick(), chance.choice(["upheld", "upheld", "cleared"]))),
        (15, lambda: machine.sanction(pick(), name(), chance.choice(["suspend", "revoke", "list"]))),
        (15, lambda: machine.sanction_lift(pick())),
        (1, machine.fund_open),
        (5, lambda: machine.fund_receive(amount())),
        (8, lambda: machine.fund_spend(amount(), chance.choice(["meals", "meals", "travel"]))),
        (6, lambda: machine.risk(chance.choice([0, 0, 1]))),
        (3, lambda: machine.new_parameters(chance.randrange(4), chance.choice([0, 60, 120, 200]))),
        (30, lambda: machine.seal(chance.choice([0, 3, 12, 24, 48]))),
        (1, machine.reopen),
        (1, machine.reopen_with_a_damaged_snapshot),
    ]
    machine.found(rich=chance.randrange(6), posting_days=chance.randrange(4), ceiling=chance.choice([0, 120]))
    for step in chance.choices([step for _, step in steps], [weight for weight, _ in steps], k=300):
        step()
        machine.both_agree()
    machine.teardown()
