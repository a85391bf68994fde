"""What needs a second person: by another user, another key and another person, once and only once."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ledger.bodies import Dispute, KeyGrant, KeyRevoke
from node import Node, SharedNode
from store.drafts import Drafts, Signer
from store.home import Home
from store.log import StoreError
from tests.store.village import (
    CLERK,
    MEMBERS,
    PROVIDER,
    RECIPIENT,
    START,
    STRANGER,
    donation,
    new_home,
    open_home,
    service,
)
from web.access.who import CLERK as CLERK_ROLE
from web.access.who import MEMBER as MEMBER_ROLE
from web.access.who import SUPERVISOR, Who
from web.desk import refusal
from web.pages import desk_signing
from web.pages.approvals import may_refuse
from web.pages.desk_foretelling import foretell
from web.pages.desk_signing import (
    CLERK_ALONE,
    CLERK_MEMBER,
    KEY_GONE,
    NO_KEY,
    NOT_ASKED,
    RECORDED_ALREADY,
    SAME_PERSON,
    THRESHOLD,
    TWO_AUTHORITIES,
    TWO_MEMBERS,
    Decision,
    Desk,
    decide,
    key_to_sign,
    order_of,
    recover,
)
from web.pages.desk_words import needed_words

T = TypeVar("T")
SECONDS = int(START.timestamp())


def who(name: str, role: str = MEMBER_ROLE, key: str = "") -> Who:
    return Who(name, role, "", "", frozenset(), True, 0, key)


LI = who("li", CLERK_ROLE)
WANG, ZHAO, SUN = (who(name, key=key.id) for name, key in zip(("wang", "zhao", "sun"), MEMBERS, strict=True))


class Point:
    """A village point with its drafts; each block is a batch of the writer's."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(new_home(folder))
        self.drafts = Drafts(self.home.drafts)

    @contextmanager
    def desk(self, owners: dict[str, str] | None = None) -> Iterator[Desk]:
        with open_home(self.home.folder) as node:
            yield Desk(node, self.drafts, self.home, None, owners or {}, SECONDS)

    def propose(self, by: Who, demand: str, *bodies: Any) -> list[int]:
        with self.desk() as desk:
            orders = [order_of(body, demand) for body in bodies]
            return self.drafts.put(orders, Signer(by.name, desk.key_for(by), SECONDS))

    def sign(self, by: Who, *ids: int) -> list[Decision]:
        with self.desk() as desk:
            recover(desk)
            return decide(desk, self.drafts.waiting(*ids), by)

    def size(self) -> int:
        with self.desk() as desk:
            return desk.node.store.size


@pytest.fixture
def point(tmp_path: Path) -> Point:
    return Point(tmp_path / "home")


def outcomes(decisions: list[Decision]) -> list[tuple[str, str]]:
    return [(decision.state, decision.outcome) for decision in decisions]


def test_a_member_signs_what_a_clerk_recorded(point: Point) -> None:
    first, second = point.propose(LI, CLERK_MEMBER, service(), donation())
    before = point.size()

    decisions = point.sign(WANG, first, second)

    assert [(each.state, each.entry) for each in decisions] == [("recorded", before), ("recorded", before + 1)]
    with point.desk() as desk:
        entries = [desk.node.entry(before), desk.node.entry(before + 1)]
    assert {(entry.by, entry.beside) for entry in entries} == {(CLERK.id, (MEMBERS[0].id,))}
    assert entries[0].sheet is not None and entries[0].sheet.size == 2
    assert point.drafts.waiting() == []
    done = point.drafts.get(first)
    assert done is not None and (done.state, done.entry) == ("recorded", before)
    assert [signer.user for signer in done.signers] == ["li", "wang"]


def test_a_clerk_signs_what_a_member_proposed_and_is_its_author(point: Point) -> None:
    (number,) = point.propose(WANG, CLERK_MEMBER, service())
    (decision,) = point.sign(LI, number)
    with point.desk() as desk:
        entry = desk.node.entry(decision.entry)
    assert (entry.by, entry.beside) == (CLERK.id, (MEMBERS[0].id,))


@pytest.mark.parametrize(
    ("by", "demand", "signs", "outcome"),
    [
        (LI, CLERK_MEMBER, LI, SAME_PERSON),
        (LI, CLERK_MEMBER, who("other", CLERK_ROLE), NOT_ASKED),
        (WANG, TWO_MEMBERS, WANG, SAME_PERSON),
        (WANG, TWO_MEMBERS, who("alias", key=MEMBERS[0].id), SAME_PERSON),
        (WANG, TWO_MEMBERS, LI, NOT_ASKED),
        (LI, CLERK_MEMBER, who("gone", key=STRANGER.id), NO_KEY),
        (LI, CLERK_MEMBER, who("clerk's key", key=CLERK.id), NO_KEY),
        (LI, CLERK_MEMBER, who("city", SUPERVISOR), NOT_ASKED),
        (LI, CLERK_MEMBER, who("auditor", "auditor"), NOT_ASKED),
        (LI, CLERK_MEMBER, WANG, ""),
        (WANG, TWO_MEMBERS, ZHAO, ""),
        (WANG, TWO_MEMBERS, who("unnamed"), ""),
    ],
)
def test_who_may_sign(point: Point, by: Who, demand: str, signs: Who, outcome: str) -> None:
    (number,) = point.propose(by, demand, service())
    with point.desk() as desk:
        (draft,) = point.drafts.waiting(number)
        assert key_to_sign(desk, draft, signs)[1] == outcome
        if outcome:
            assert outcomes(decide(desk, [draft], signs)) == [("refused", outcome)]
            assert point.drafts.waiting(number) == [draft]


def test_two_keys_of_one_account_are_one_person(point: Point) -> None:
    with point.desk() as desk:
        grant = KeyGrant(key=STRANGER.public, role="member", account=PROVIDER)
        assert refusal(desk.node.write(MEMBERS[0], MEMBERS[1:], [grant])[0]) is None
        desk.state.roster.keys[MEMBERS[2].id].account = PROVIDER
        (number,) = point.drafts.put([order_of(service(), TWO_MEMBERS)], Signer("a", STRANGER.id, SECONDS))
        (draft,) = point.drafts.waiting(number)
        assert key_to_sign(desk, draft, SUN)[1] == SAME_PERSON
        assert key_to_sign(desk, draft, who("unnamed"))[0] in (MEMBERS[0].id, MEMBERS[1].id)


def test_a_key_that_somebody_names_is_nobody_elses(point: Point) -> None:
    owners = {key.id: name for key, name in zip(MEMBERS, ("wang", "zhao", "sun"), strict=True)}
    with point.desk(owners) as desk:
        assert desk.key_for(who("unnamed")) == ""
        assert desk.key_for(WANG) == MEMBERS[0].id


def test_as_many_members_as_the_threshold_asks(point: Point) -> None:
    (number,) = point.propose(WANG, THRESHOLD, KeyGrant(key=STRANGER.public, role="member"))
    assert outcomes(point.sign(ZHAO, number)) == [("recorded", "")]
    (again,) = point.propose(WANG, TWO_AUTHORITIES, service())
    with point.desk() as desk:
        assert desk_signing.needed(TWO_AUTHORITIES, desk.state) == ["member", "member"]
        assert desk_signing.missing(desk, point.drafts.waiting(again)[0]) == {"member": 1}


def test_three_sign_one_after_the_other(point: Point) -> None:
    (number,) = point.propose(LI, "C+M×t", service())
    assert outcomes(point.sign(WANG, number)) == [("signed", "")]
    assert outcomes(point.sign(WANG, number)) == [("refused", SAME_PERSON)]
    (decision,) = point.sign(ZHAO, number)
    with point.desk() as desk:
        assert desk.node.entry(decision.entry).beside == tuple(sorted(key.id for key in MEMBERS[:2]))


def test_what_the_rules_refuse_goes_on_waiting_unsigned(point: Point) -> None:
    bad, good = point.propose(LI, CLERK_MEMBER, donation(10**9), donation())
    before = point.size()
    assert sorted(outcomes(point.sign(WANG, bad, good))) == [("recorded", ""), ("refused", "no-balance")]
    assert point.size() == before + 1
    (left,) = point.drafts.waiting()
    assert left.id == bad and len(left.signers) == 1


def test_who_is_not_asked_to_sign_refuses_nothing(point: Point) -> None:
    """A clerk would keep the own key for ever."""
    (revocation,) = point.propose(WANG, TWO_MEMBERS, KeyRevoke(key_id=CLERK.id, reason="left"))
    (objection,) = point.propose(LI, CLERK_MEMBER, Dispute(index=3, party=RECIPIENT, ground="nobody came"))
    with point.desk() as desk:
        first, second = point.drafts.waiting(revocation, objection)
        assert [may_refuse(desk, first, who) for who in (LI, WANG, ZHAO)] == [False, True, True]
        assert [may_refuse(desk, second, who) for who in (LI, WANG)] == [False, True]


def test_what_was_proposed_twice_is_recorded_once(point: Point) -> None:
    """Typed by hand after it was on a day sheet, or changed a little and typed again."""
    made = service()
    first, second = point.propose(LI, CLERK_MEMBER, made, service(2))
    before = point.size()
    assert sorted(outcomes(point.sign(WANG, first, second))) == [("recorded", ""), ("refused", RECORDED_ALREADY)]
    assert outcomes(point.sign(WANG, second)) == [("refused", RECORDED_ALREADY)]
    assert point.size() == before + 1


def test_what_the_rules_would_say(point: Point) -> None:
    with point.desk() as desk:
        size = desk.node.store.size
        said = foretell(desk, CLERK.id, CLERK_MEMBER, [donation(), donation(10**9), service(recipient=PROVIDER)])
        assert [each and each.outcome for each in said] == [None, "no-balance", "self-dealing"]
        (alone,) = foretell(desk, MEMBERS[0].id, CLERK_ALONE, [donation()])
        assert alone is not None and alone.outcome == "needs-second"
        assert desk.node.store.size == size


def test_a_revoked_key_signs_nothing(point: Point) -> None:
    (number,) = point.propose(LI, CLERK_MEMBER, service())
    with point.desk() as desk:
        desk.node.write(MEMBERS[0], [MEMBERS[1]], [KeyRevoke(key_id=CLERK.id, reason="left")])
    assert outcomes(point.sign(WANG, number)) == [("refused", KEY_GONE)]


@pytest.mark.parametrize("after_commit", [False, True])
def test_a_crash_between_ledger_and_drafts_records_once(
    point: Point, monkeypatch: pytest.MonkeyPatch, after_commit: bool
) -> None:
    (number,) = point.propose(LI, CLERK_MEMBER, service())
    before = point.size()
    crash = RuntimeError("the power is gone")

    def fail(*_given: Any) -> None:
        raise crash

    with monkeypatch.context() as patch:
        part: type = Drafts if after_commit else Node
        patch.setattr(part, "settle" if after_commit else "commit", fail)
        with pytest.raises(StoreError):
            point.sign(WANG, number)
    held = point.drafts.get(number)
    assert held is not None and held.state == "expected"
    assert point.size() == before + after_commit

    again = point.sign(WANG, number)

    assert outcomes(again) == ([] if after_commit else [("recorded", "")])
    assert point.size() == before + 1
    done = point.drafts.get(number)
    assert done is not None and (done.state, done.entry) == ("recorded", before)
    assert [signer.user for signer in done.signers] == ["li", "wang"]


@pytest.mark.parametrize(("part", "name"), [(Drafts, "expect"), (Node, "commit"), (Drafts, "settle")])
@pytest.mark.parametrize("does_it_first", [False, True])
def test_a_kill_at_any_step_records_once(point: Point, part: type, name: str, does_it_first: bool) -> None:
    first, second = point.propose(LI, CLERK_MEMBER, service(), donation())
    before = point.size()
    process = multiprocessing.get_context("fork").Process(
        target=_sign_and_die, args=(point, [first, second], part, name, does_it_first)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL

    point.sign(WANG, first, second)

    assert point.size() == before + 2
    assert [draft.entry for draft in reversed(point.drafts.decided(0))] == [before, before + 1]
    assert point.drafts.waiting() == []


def _sign_and_die(point: Point, ids: list[int], part: Any, name: str, does_it_first: bool) -> None:
    """Killed just before, or just after, one of the steps."""
    step = getattr(part, name)

    def die(*given: Any) -> None:
        if does_it_first:
            step(*given)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(part, name, die)
    point.sign(WANG, *ids)


def test_a_failing_part_of_a_batch_leaves_nothing(point: Point, monkeypatch: pytest.MonkeyPatch) -> None:
    (number,) = point.propose(LI, CLERK_MEMBER, service())
    before = point.size()

    def fail(*_given: object) -> None:
        raise ValueError("no dossier")

    monkeypatch.setitem(desk_signing.BEFORE_COMMIT, "service", fail)
    shared = SharedNode(point.home.folder, None, lambda: START)
    with pytest.raises(StoreError), shared.batch() as node:
        decide(Desk(node, point.drafts, point.home, None, {}, SECONDS), point.drafts.waiting(number), WANG)
    shared.close()
    assert point.size() == before
    assert [draft.state for draft in point.drafts.waiting()] == ["waiting"]


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        ((), ""),
        (("member",), "a committee member"),
        (("member", "member", "clerk"), "2 committee members, a clerk"),
        (("authority", "authority"), "2 of the tier above"),
    ],
)
def test_who_has_still_to_sign_is_counted(roles: tuple[str, ...], words: str) -> None:
    assert needed_words(roles) == words
