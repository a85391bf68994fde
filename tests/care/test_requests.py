"""Requests: each ladder with its outcomes, the two clocks, marks, groups, and any order of steps against a model."""

import datetime
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from care.requests import (
    ACCEPT,
    ACCEPTED,
    CHECK_IN,
    CHECK_OUT,
    CLOCK,
    CONFIRM,
    DECLINE,
    EFFECTS,
    EXPIRE,
    EXPIRED,
    NOBODY,
    OBJECT,
    OFFER,
    OVER,
    PROPOSE,
    RECORD,
    REQUESTED,
    STAGES,
    TAKE_BACK,
    VISITS_MAX,
    WITHDRAW,
    WITHDRAWN,
    Actor,
    Clocked,
    Request,
    Step,
    shares,
    take,
)
from chain.fields import Time

GAO, LI, WU, KIN = "12345676", "87654342", "11112222", "33334444"
NINE = datetime.datetime(2026, 11, 23, 9, tzinfo=datetime.UTC)
MINUTE, HOUR = datetime.timedelta(minutes=1), datetime.timedelta(hours=1)
STAFF, ELDER = Actor(is_staff=True), Actor(account=GAO, speaks_for=frozenset({GAO}))
ASKED = Request(
    id=1, recipients=(GAO,), category="assistance", starts_at=NINE, minutes=60, requested_at=NINE - 20 * HOUR
)


def volunteer(account: str = LI) -> Actor:
    return Actor(account=account, speaks_for=frozenset({account}))


WHO = {"staff": STAFF, "elder": ELDER, "li": volunteer(), "wu": volunteer(WU), "clock": CLOCK}
KIN_OF_GAO = Actor(account=KIN, speaks_for=frozenset({KIN, GAO}))
WAY = {
    OFFER: ("staff", -600),
    ACCEPT: ("li", -500),
    CHECK_IN: ("li", 0),
    CHECK_OUT: ("li", 60),
    CONFIRM: ("elder", 70),
    PROPOSE: ("staff", 80),
    RECORD: ("staff", 90),
}
"""The straight way: who does each step, and how many minutes after nine."""


def step(kind: str, who: str | None = None, at: float | None = None, **more: Any) -> Step:
    usual_who, usual_at = WAY.get(kind, ("staff", 70))
    moment = NINE + MINUTE * (usual_at if at is None else at)
    more = {"volunteer": LI} | more
    if kind == RECORD:
        more = {"index": 17} | more
    return Step(kind=kind, by=WHO[who or usual_who], at=moment, **more)


def after(*kinds: str, of: Request = ASKED) -> Request:
    """The request after these steps, as they usually go."""
    for kind in kinds:
        answer = take(of, step(kind, text="zu kurz"))
        assert isinstance(answer, Request), answer
        of = answer
    return of


def test_the_straight_way() -> None:
    request, stages = ASKED, [ASKED.stage]
    for kind in WAY:
        request = after(kind, of=request)
        stages.append(request.stage)
    assert stages == [
        "requested",
        "offered",
        "accepted",
        "checked_in",
        "checked_out",
        "confirmed",
        "confirmed",
        "recorded",
    ]
    (visit,) = request.visits
    assert (visit.minutes, visit.index, visit.confirmed_by, visit.form) == (60, 17, GAO, "screen")
    assert request.is_over and not request.missing


TO_OUT = (OFFER, ACCEPT, CHECK_IN, CHECK_OUT)


@pytest.mark.parametrize(
    ("before", "kind", "more", "outcome"),
    [
        ((), OFFER, {"who": "elder"}, "not-yours"),
        ((WITHDRAW,), OFFER, {}, "ended"),
        ((), OFFER, {"volunteer": GAO}, "own-request"),
        ((OFFER,), OFFER, {}, "asked-already"),
        ((OFFER, ACCEPT), OFFER, {"volunteer": WU}, "full"),
        ((), OFFER, {"at": 2_940}, None),
        ((), OFFER, {"at": 2_941}, "too-late"),
        ((OFFER,), ACCEPT, {"who": "wu"}, "not-yours"),
        ((WITHDRAW,), ACCEPT, {}, "ended"),
        ((), ACCEPT, {"who": "staff", "volunteer": GAO, "is_suitable": True}, "own-request"),
        ((OFFER, ACCEPT), ACCEPT, {}, "accepted-already"),
        ((OFFER, ACCEPT), ACCEPT, {"who": "wu", "volunteer": WU}, "full"),
        ((), ACCEPT, {}, "not-offered"),
        ((), ACCEPT, {"is_suitable": True}, None),
        ((OFFER, DECLINE), ACCEPT, {}, "not-offered"),
        ((OFFER,), ACCEPT, {"at": 61}, "too-late"),
        ((OFFER,), ACCEPT, {"who": "staff", "at": 2_940}, None),
        ((OFFER,), ACCEPT, {"who": "staff"}, None),
        ((OFFER,), DECLINE, {"who": "elder"}, "not-yours"),
        ((), DECLINE, {}, "not-offered"),
        ((OFFER, ACCEPT), DECLINE, {"who": "li"}, None),
        ((OFFER, ACCEPT, CHECK_IN), DECLINE, {}, "not-offered"),
        ((OFFER,), TAKE_BACK, {"who": "li"}, "not-yours"),
        ((OFFER, DECLINE), TAKE_BACK, {}, "not-offered"),
        ((OFFER, ACCEPT), CHECK_IN, {"who": "wu"}, "not-yours"),
        ((OFFER,), CHECK_IN, {}, "not-accepted"),
        ((OFFER, ACCEPT), CHECK_IN, {"said_at": NINE + 6 * MINUTE}, "in-future"),
        ((OFFER, ACCEPT), CHECK_IN, {"said_at": NINE + 5 * MINUTE}, None),
        ((OFFER, ACCEPT), CHECK_IN, {"at": 2_941, "said_at": NINE}, "too-old"),
        ((OFFER, ACCEPT), CHECK_IN, {"at": 2_880, "said_at": NINE}, None),
        ((OFFER, ACCEPT), CHECK_IN, {"who": "staff", "at": 9_999, "said_at": NINE}, None),
        ((OFFER, ACCEPT), CHECK_IN, {"at": -181}, "too-early"),
        ((OFFER, ACCEPT), CHECK_IN, {"at": 1_501}, "too-late"),
        ((OFFER, ACCEPT), CHECK_OUT, {}, "not-checked-in"),
        ((OFFER, ACCEPT, CHECK_IN), CHECK_OUT, {"who": "elder"}, "not-yours"),
        ((OFFER, ACCEPT, CHECK_IN), CHECK_OUT, {"at": 0}, "before-check-in"),
        ((OFFER, ACCEPT, CHECK_IN), CHECK_OUT, {"at": 1_441}, "too-long"),
        ((OFFER, ACCEPT, CHECK_IN), CHECK_OUT, {"at": 2_800, "said_at": NINE + HOUR}, None),
        ((OFFER, ACCEPT), NOBODY, {"who": "li"}, "not-yours"),
        ((OFFER,), NOBODY, {}, "not-accepted"),
        ((OFFER, ACCEPT), NOBODY, {"who": "elder", "at": 29}, "too-early"),
        ((OFFER, ACCEPT), NOBODY, {"who": "elder", "at": 30}, None),
        (TO_OUT, CONFIRM, {"who": "li"}, "own-service"),
        (TO_OUT, CONFIRM, {"who": "wu"}, "not-yours"),
        ((OFFER, ACCEPT, CHECK_IN), CONFIRM, {}, "not-checked-out"),
        ((*TO_OUT, OBJECT), CONFIRM, {}, None),
        (TO_OUT, OBJECT, {"who": "li", "text": "x"}, "not-yours"),
        (TO_OUT, OBJECT, {"who": "elder"}, "no-ground"),
        ((OFFER, ACCEPT, CHECK_IN), OBJECT, {"text": "x"}, "not-checked-out"),
        ((*TO_OUT, CONFIRM), OBJECT, {"who": "elder", "text": "x"}, None),
        (TO_OUT, PROPOSE, {}, "not-confirmed"),
        ((*TO_OUT, CONFIRM), PROPOSE, {"who": "elder"}, "not-yours"),
        ((*TO_OUT, CONFIRM), RECORD, {"who": "li"}, "not-yours"),
        ((*TO_OUT, CONFIRM), RECORD, {"index": None}, "not-on-the-ledger"),
        (TO_OUT, RECORD, {}, "not-confirmed"),
        ((), WITHDRAW, {"who": "li"}, "not-yours"),
        ((WITHDRAW,), WITHDRAW, {}, "ended"),
        ((OFFER, ACCEPT, CHECK_IN), WITHDRAW, {}, "under-way"),
        ((OFFER, ACCEPT), WITHDRAW, {"who": "elder"}, None),
        ((WITHDRAW,), EXPIRE, {"who": "clock", "at": 9_999}, "ended"),
        ((OFFER, ACCEPT, CHECK_IN), EXPIRE, {"who": "clock", "at": 9_999}, "under-way"),
        ((OFFER, ACCEPT), EXPIRE, {"who": "clock", "at": 9_999}, None),
        ((OFFER,), EXPIRE, {"who": "clock", "at": 2_940}, "too-early"),
        ((OFFER,), EXPIRE, {"who": "clock", "at": 2_941}, None),
    ],
)
def test_the_ladders(before: tuple[str, ...], kind: str, more: dict[str, Any], outcome: str | None) -> None:
    request = after(*before)
    answer = take(request, step(kind, **more))
    assert (answer if isinstance(answer, str) else None) == outcome
    if outcome is not None:
        assert request == after(*before), "a refused step leaves no trace"


def test_what_was_proposed_is_no_longer_objected_to() -> None:
    proposed = take(after(*TO_OUT, CONFIRM), step(PROPOSE, draft="7"))
    assert isinstance(proposed, Request)
    assert take(proposed, step(OBJECT, "elder", text="x")) == "proposed-already"
    assert isinstance(take(proposed, step(PROPOSE, draft="")), Request)


def test_kin_and_guardians_confirm() -> None:
    confirmed = take(after(*TO_OUT), msgspec.structs.replace(step(CONFIRM), by=KIN_OF_GAO, rating=5))
    assert isinstance(confirmed, Request)
    assert (confirmed.visits[0].confirmed_by, confirmed.visits[0].rating) == (KIN, 5)


def test_a_phone_that_was_off_line_sends_it_twice() -> None:
    """It says when it was; the second time nothing is done, also after the next step."""
    said = step(CHECK_IN, at=300, said_at=NINE, mark="m1")
    once = take(after(OFFER, ACCEPT), said)
    assert isinstance(once, Request)
    assert once.visits[0].checkin == Clocked(NINE, NINE + 300 * MINUTE)
    assert take(once, said) == once
    assert take(once, msgspec.structs.replace(said, mark="m2")) == "not-accepted"
    out = take(once, step(CHECK_OUT, at=301, said_at=NINE + HOUR, mark="m1"))
    assert isinstance(out, Request) and out.visits[0].minutes == 60
    assert take(out, said) == out


def test_a_clock_that_is_a_little_ahead_is_set_back() -> None:
    ahead = take(after(OFFER, ACCEPT), step(CHECK_IN, said_at=NINE + 4 * MINUTE))
    assert isinstance(ahead, Request) and ahead.visits[0].checkin == Clocked(NINE, NINE)


def test_the_first_to_accept_has_it() -> None:
    offered = take(after(OFFER), step(OFFER, volunteer=WU))
    assert isinstance(offered, Request)
    taken = take(offered, step(ACCEPT, "wu", volunteer=WU))
    assert isinstance(taken, Request)
    assert [visit.stage for visit in taken.visits] == ["lapsed", "accepted"]
    given_up = take(taken, step(DECLINE, "wu", volunteer=WU))
    assert isinstance(given_up, Request) and given_up.stage == REQUESTED
    again = take(given_up, step(OFFER))
    assert isinstance(again, Request) and again.stage == "offered"


def test_a_group_stands_where_the_last_of_them_stands() -> None:
    group = msgspec.structs.replace(ASKED, recipients=(GAO, "55556666"), places=2, title="早操")
    one = after(OFFER, ACCEPT, CHECK_IN, CHECK_OUT, of=group)
    assert (one.stage, one.missing, one.group) == (REQUESTED, 1, "request 1")
    both = take(one, step(ACCEPT, "wu", volunteer=WU, is_suitable=True))
    assert isinstance(both, Request) and (both.stage, both.missing) == (ACCEPTED, 0)


@pytest.mark.parametrize(
    ("recipients", "minutes", "unit", "parts"),
    [
        ((GAO,), 60, 1, [60]),
        ((GAO, LI, WU), 60, 1, [20, 20, 20]),
        ((GAO, LI, WU), 50, 1, [17, 17, 16]),
        ((GAO, LI, WU), 59, 30, [30]),
        ((GAO, LI), 61, 1, []),
    ],
)
def test_recipients_share_a_visit_one_after_another(
    recipients: tuple[str, ...], minutes: int, unit: int, parts: list[int]
) -> None:
    request = after(*TO_OUT, of=msgspec.structs.replace(ASKED, recipients=(GAO,)))
    request = msgspec.structs.replace(request, recipients=recipients)
    found = shares(request, request.visits[0], minutes, unit)
    assert [share.minutes for share in found] == parts
    begin = NINE
    for share in found:
        assert (share.starts_at, share.ends_at) == (begin, begin + share.minutes * MINUTE)
        begin = share.ends_at


def test_nothing_is_shared_before_it_took_place() -> None:
    request = after(OFFER, ACCEPT)
    assert shares(request, request.visits[0], 0, 1) == []


def test_so_many_are_asked_and_no_more() -> None:
    request = ASKED
    for number in range(VISITS_MAX):
        offered = take(request, step(OFFER, volunteer=f"v{number}"))
        assert isinstance(offered, Request)
        request = offered
    assert take(request, step(OFFER)) == "too-many-asked"


class Days(RuleBasedStateMachine):
    """Anybody tries any step at any time. The model: what each volunteer's stage may lead to."""

    LEADS: ClassVar[dict[str | None, dict[str, str]]] = {
        None: {ACCEPT: "accepted", OFFER: "offered"},
        "offered": {ACCEPT: "accepted", DECLINE: "declined", TAKE_BACK: "taken_back"},
        "accepted": {CHECK_IN: "checked_in", DECLINE: "declined", TAKE_BACK: "taken_back", NOBODY: "nobody_came"},
        "checked_in": {CHECK_OUT: "checked_out"},
        "checked_out": {CONFIRM: "confirmed", OBJECT: "objected"},
        "objected": {CONFIRM: "confirmed"},
        "confirmed": {OBJECT: "objected", PROPOSE: "confirmed", RECORD: "recorded"},
        "recorded": {},
    }

    def __init__(self) -> None:
        super().__init__()
        self.request = msgspec.structs.replace(ASKED, places=2)
        self.now = NINE - 10 * HOUR
        self.stages: dict[str, str] = {}

    @rule(minutes=st.sampled_from((1, 20, 60, 600)))
    def time_passes(self, minutes: int) -> None:
        self.now += minutes * MINUTE

    @rule(
        kind=st.sampled_from(sorted(EFFECTS)),
        who=st.sampled_from(sorted(WHO)),
        account=st.sampled_from((LI, WU, KIN)),
        late=st.sampled_from((None, 0, 30, 3_000)),
        is_suitable=st.booleans(),
    )
    def somebody_tries(self, kind: str, who: str, account: str, late: int | None, is_suitable: bool) -> None:
        said_at: Time | None = None if late is None else self.now - late * MINUTE
        before = self.request
        answer = take(
            before,
            Step(
                kind=kind,
                by=WHO[who],
                at=self.now,
                volunteer=account,
                said_at=said_at,
                text="x",
                index=9,
                is_suitable=is_suitable,
            ),
        )
        if isinstance(answer, str):
            return
        self.request = answer
        if kind in (WITHDRAW, EXPIRE):
            assert who in ("staff", "elder") or kind == EXPIRE
            self.stages = dict.fromkeys(self.stages, "lapsed")
            return
        known = self.stages.get(account)
        self.stages[account] = self.LEADS[None if known in OVER else known][kind]
        if not answer.missing:
            self.stages = {name: "lapsed" if stage == "offered" else stage for name, stage in self.stages.items()}

    @precondition(lambda self: not self.request.ended)
    @invariant()
    def the_model_agrees(self) -> None:
        found = {visit.volunteer: visit.stage for visit in self.request.visits}
        assert found == self.stages
        assert self.request.stage in STAGES
        assert sum(visit.has_place for visit in self.request.visits) + self.request.missing == 2

    @invariant()
    def times_are_in_order(self) -> None:
        for visit in self.request.visits:
            if visit.checkin is not None and visit.checkout is not None:
                assert visit.checkin.said_at < visit.checkout.said_at <= visit.checkout.heard_at <= self.now

    @invariant()
    def who_ended_it_ended_it_for_good(self) -> None:
        if self.request.ended:
            assert self.request.ended in (WITHDRAWN, EXPIRED)
            assert not any(visit.is_live for visit in self.request.visits)

    @invariant()
    def it_survives_its_bytes(self) -> None:
        raw = msgspec.json.encode(self.request)
        assert msgspec.json.decode(raw, type=Request) == self.request


TestDays = Days.TestCase
