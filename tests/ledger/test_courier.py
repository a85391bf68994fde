"""Hours between ledgers, carried by a courier who repeats, reorders and loses proofs, and tries them anywhere.

Six ledgers of a city. Whatever is done in whatever order, the minutes that people have on all of them together, and
those on their way, stay the same; and each ``transfer_out`` ends exactly once, taken or given back.
"""

from collections import Counter
from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ledger.kinds import KINDS
from ledger.numbers import BRIDGE, format_address
from ledger.state import CLOSED
from tests.scenarios.audit import check
from tests.scenarios.village import OK, Plain, Village, number_of, origin_of

PARENTS = {"county": "city", "town": "county", "other": "county", "north": "town", "south": "town", "far": "other"}
TIERS = {"city": "city", "county": "county", "town": "township", "other": "township"}
PLACES = ["town", "north", "south", "far"]
PEOPLE = ["wang", "li", "zhao"]
OPENED_MINUTES = 100
Place = tuple[str, int]
"""A ledger's name and the index of an entry on it."""


class Sent(NamedTuple):
    """Hours that left: what the model knows of a ``transfer_out``."""

    giver: str
    target: str
    taker: str
    minutes: int


class Courier(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.ledgers = {"city": Village("city.example/huzhu", node_key="city", tier="city")}
        self.ledgers["city"].found()
        self.admissions: dict[str, Place] = {}
        for name, parent in PARENTS.items():
            self._begin(name, parent)
        for ledger in self.ledgers.values():
            ledger.seal()
        self.sent: dict[Place, Sent] = {}
        self.ends: dict[Place, str] = {}
        """How those ended that are not on their way any more: ``taken`` or ``back``."""
        self.refusals: dict[Place, list[Place]] = {}
        """Where each is refused, by what was sent; a ledger tells the truth, so there is one at most."""
        self.carried: dict[Place, list[str]] = {}
        """Proofs that the courier has made, also old ones."""

    def _begin(self, name: str, parent: str) -> None:
        above = self.ledgers[parent]
        ledger = Village(origin_of(name), node_key=name, tier=TIERS.get(name, "village"), parent=above)
        self.ledgers[name] = ledger
        ledger.found(overdraft_minutes=30, trusted_logs=[self.ledgers["city"].vkey])
        body = {"origin": ledger.origin, "tier": ledger.tier, "vkey": ledger.vkey}
        assert above.submit("org_admit", body, ["m1", "m2"]) == OK
        self.admissions[name] = (parent, above.last_index)
        for person in PEOPLE if name in PLACES else ():
            ledger.open(person)
            opening: Plain = {"account": number_of(person), "minutes": OPENED_MINUTES, "source": "A" * 43 + "="}
            assert ledger.submit("opening", opening, ["clerk", "m1", "m2"]) == OK

    def _chain(self, name: str, asking: str) -> list[str]:
        """Admissions from the city down; none where the asking ledger knows the other's key already."""
        if PARENTS[name] == asking or PARENTS[asking] == name:
            return []
        chain: list[str] = []
        while name in PARENTS:
            parent, index = self.admissions[name]
            chain.insert(0, self.ledgers[parent].proof(index))
            name = parent
        return chain

    def _proof(self, place: Place, pick: int) -> str | None:
        """A proof of that entry: mostly a new one, sometimes an old one; None while it is not sealed."""
        ledger = self.ledgers[place[0]]
        made = self.carried.setdefault(place, [])
        if place[1] < ledger.state.seal_indexes[-1]:
            made.append(ledger.proof(place[1]))
        return made[-1 - pick % len(made)] if made else None

    @rule(
        way=st.tuples(st.sampled_from(PLACES), st.sampled_from(PLACES)),
        giver=st.sampled_from(PEOPLE),
        taker=st.sampled_from([*PEOPLE, "nobody"]),
        minutes=st.integers(1, 70),
    )
    def send(self, way: tuple[str, str], giver: str, taker: str, minutes: int) -> None:
        place, target = way
        ledger = self.ledgers[place]
        address = format_address(origin_of(target), number_of(taker))
        account = ledger.account(giver)
        outcome = ledger.submit(
            "transfer_out", {"from": number_of(giver), "minutes": minutes, "to": address}, ["clerk", "m1"]
        )
        if account.status == CLOSED:
            assert outcome == "closed"
        elif account.balance - minutes < -30 and outcome != OK:
            assert outcome == "no-balance"
        elif target == place:
            assert outcome == "bad-address"
        else:
            assert outcome == OK
            self.sent[place, ledger.last_index] = Sent(giver, target, taker, minutes)

    @rule(place=st.sampled_from(PLACES))
    def seal(self, place: str) -> None:
        self.ledgers[place].seal()

    @rule(place=st.sampled_from(PLACES), person=st.sampled_from(PEOPLE[1:]))
    def close(self, place: str, person: str) -> None:
        """Whoever leaves gives what is left to the pool, which the sum counts as people's."""
        body = {"account": number_of(person), "reason": "moved", "to": "pool"}
        assert self.ledgers[place].submit("account_close", body, ["clerk", "m1"]) in (OK, "closed", "balance-left")

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), pick=st.integers(0, 3), at=st.sampled_from(["there"] * 6 + PLACES), is_refused=st.booleans())
    def deliver(self, data: st.DataObject, pick: int, at: str, is_refused: bool) -> None:
        place = data.draw(st.sampled_from(sorted(self.sent)))
        self._deliver(place, pick, self.sent[place].target if at == "there" else at, is_refused)

    def _deliver(self, place: Place, pick: int, at: str, is_refused: bool) -> None:
        sent, ledger, proof = self.sent[place], self.ledgers[at], self._proof(place, pick)
        if proof is None or at == place[0]:
            return
        body: Plain = {"admissions": self._chain(place[0], at), "proof": proof}
        if is_refused:
            outcome = ledger.submit("transfer_refuse", body | {"reason": "other"}, [at])
            if outcome == OK:
                self.refusals.setdefault(place, []).append((at, ledger.last_index))
                assert len(self.refusals[place]) == 1
        else:
            outcome = ledger.submit("transfer_in", body | {"minutes": sent.minutes, "to": number_of(sent.taker)}, [at])
            if outcome == OK:
                self._end(place, "taken")
        assert outcome == self._expected(place, at, is_refused) or outcome == OK

    def _expected(self, place: Place, at: str, is_refused: bool) -> str | None:
        """Why it is refused, where it is."""
        sent = self.sent[place]
        account = self.ledgers[at].state.accounts.get(number_of(sent.taker))
        if not is_refused and account is None:
            return "no-account"
        if not is_refused and account is not None and account.status == CLOSED:
            return "closed"
        if at != sent.target:
            return "bad-proof" if is_refused else "wrong-target"
        return "already-used" if place in self.ends or place in self.refusals else None

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), pick=st.integers(0, 3))
    def give_back(self, data: st.DataObject, pick: int) -> None:
        self._give_back(data.draw(st.sampled_from(sorted(self.sent))), pick)

    def _give_back(self, place: Place, pick: int) -> None:
        for refusal in self.refusals.get(place, ()):
            proof = self._proof(refusal, pick)
            if proof is None:
                continue
            name, index = place
            body: Plain = {"admissions": self._chain(refusal[0], name), "index": index, "proof": proof}
            outcome = self.ledgers[name].submit("transfer_back", body, [name])
            assert outcome == ("already-used" if place in self.ends else OK)
            if outcome == OK:
                self._end(place, "back")

    def _end(self, place: Place, how: str) -> None:
        assert place not in self.ends, "it ends once"
        self.ends[place] = how

    @invariant()
    def nothing_is_lost_and_nothing_made(self) -> None:
        people, bridges = 0, 0
        for ledger in self.ledgers.values():
            accounts = ledger.state.accounts
            people += sum(account.balance for account in accounts.values() if account.number not in (BRIDGE, "issue"))
            bridges += accounts[BRIDGE].balance
        on_its_way = sum(sent.minutes for place, sent in self.sent.items() if place not in self.ends)
        assert bridges == on_its_way
        assert people + on_its_way == OPENED_MINUTES * len(PEOPLE) * len(PLACES)

    def teardown(self) -> None:
        """At last everything is carried where it belongs, twice; nothing is left on its way."""
        for _twice in range(2):
            for place in self.sent:
                self._finish(place)
        assert set(self.ends) == set(self.sent)
        assert {ledger.account(BRIDGE).balance for name, ledger in self.ledgers.items() if name not in PLACES} == {0}
        assert sum(ledger.account(BRIDGE).balance for ledger in self.ledgers.values()) == 0
        self.nothing_is_lost_and_nothing_made()
        self._count_ends()
        for name in PLACES:
            check(self.ledgers[name])

    def _finish(self, place: Place) -> None:
        target = self.sent[place].target
        self.ledgers[place[0]].seal()
        self._deliver(place, 0, target, is_refused=False)
        self._deliver(place, 0, target, is_refused=True)
        self.ledgers[target].seal()
        self._give_back(place, 0)

    def _count_ends(self) -> None:
        """What the logs themselves say: of each kind so many as the model has ended in that way."""
        found: Counter[str] = Counter()
        numbers = {KINDS[kind].number: kind for kind in ("transfer_out", "transfer_in", "transfer_back")}
        for ledger in self.ledgers.values():
            found.update(numbers[number] for number in ledger.state.kinds if number in numbers)
        ends = Counter(self.ends.values())
        assert found == Counter(
            {"transfer_out": len(self.sent), "transfer_in": ends["taken"], "transfer_back": ends["back"]}
        )
        for name, ledger in self.ledgers.items():
            targets = {place for place, sent in self.sent.items() if sent.target == name}
            proofs = ledger.state.used_proofs
            assert {(origin.split(".")[0], index) for origin, used in proofs.items() for index in used} == targets
            came_back = {index for (place, index), end in self.ends.items() if place == name and end == "back"}
            assert came_back == ledger.state.returned


TestCourier = Courier.TestCase
TestCourier.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
