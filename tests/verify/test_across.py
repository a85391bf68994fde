"""Several ledgers laid side by side: both ends of transfers, admissions, anchors, copies, and what one key leads to."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from chain.keys import SigningKey
from chain.note import ED25519, VerifierKey, format_vkey, make_vkey, parse_vkey
from chain.policy import NO_QUORUM, Policy
from tests.sync.city import HOURS, NOBODY, Town, on_the_way, shelf
from tests.verify.ledgers import audit, policy, village
from verify.across import Across, Audited, lay_side_by_side
from verify.audit import LedgerAudit, LedgerReport, Trust
from verify.finding import Finding
from verify.ties import Admitted, AnchoredAt, Place, Returned, Sent, ShownAt, Taken, Ties

CITY, COUNTY, A, B, ELSEWHERE = (f"{name}.example/huzhu" for name in ("city", "county", "a", "b", "elsewhere"))
KEYS = {origin: SigningKey(bytes([number]) * 32) for number, origin in enumerate((CITY, COUNTY, A, B), 1)}
STRANGER = SigningKey(b"x" * 32)
REPORT = audit(village(), Trust())
SIZE = 100


def vkey(origin: str) -> VerifierKey:
    return make_vkey(origin, ED25519, KEYS[origin].public)


def leaf(number: int) -> bytes:
    return bytes([number]) * 32


def ties(origin: str, parent: str | None = None, **given: object) -> Ties:
    """A ledger of 100 entries with seals at 10, 20 … 100."""
    made = Ties(origin, size=SIZE, parent=parent, node_keys=[KEYS[origin].public])
    made.parent_vkey = None if parent is None else format_vkey(vkey(parent))
    for size in range(10, SIZE + 1, 10):
        made.add_seal(size, leaf(size))
    for name, value in given.items():
        setattr(made, name, value)
    return made


def admits(*origins: str) -> dict[str, list[Admitted]]:
    return {origin: [Admitted(5, KEYS[origin].public)] for origin in origins}


def city() -> list[Ties]:
    """A city, its county, and two villages: hours went from one to the other, and some came back."""
    return [
        ties(CITY, admitted=admits(COUNTY), anchors=[AnchoredAt(50, COUNTY, 90, leaf(90))]),
        ties(COUNTY, CITY, admitted=admits(A, B), anchors=[AnchoredAt(60, A, 30, leaf(30))]),
        ties(
            A, COUNTY, bridge=80,
            sent={1: Sent(leaf(1), B, 60), 2: Sent(leaf(2), B, 30), 3: Sent(leaf(3), B, 80)},
            returned={70: Returned(2, Place(B, 41, leaf(41)))},
        ),
        ties(
            B, COUNTY, bridge=-60,
            taken={40: Taken(leaf(40), Place(A, 1, leaf(1)), 60), 41: Taken(leaf(41), Place(A, 2, leaf(2)), None)},
        ),
    ]  # fmt: skip


PIN_CITY = Trust(policy(vkey(CITY)), admits=True)


def lay(ledgers: Sequence[Ties], trust: Trust = PIN_CITY, unsound: Sequence[str] = ()) -> Across:
    """With reports that are sound, but for those of ``unsound``."""
    return lay_side_by_side([Audited(report_of(each.origin, each.origin in unsound), each) for each in ledgers], trust)


def report_of(origin: str, is_bad: bool = False) -> LedgerReport:
    report = replace(REPORT, origin=origin)
    if is_bad:
        report = replace(report, findings=[Finding("seal.root", origin, "x", 7)], finding_counts={"seal.root": 1})
    return report


def found(across: Across) -> list[tuple[str, str, int | None]]:
    return [(each.origin, each.code, each.index) for report in across.reports for each in report.findings]


def changed(origin: str, **given: object) -> list[Ties]:
    """The city with something else in one ledger."""
    ledgers = city()
    for each in ledgers:
        if each.origin == origin:
            for name, value in given.items():
                setattr(each, name, value)
    return ledgers


def test_one_pinned_key_leads_to_every_ledger_in_whatever_order() -> None:
    for ledgers in permutations(city()):
        across = lay(ledgers)
        assert found(across) == []
        assert all(report.is_pinned for report in across.reports)
        travel = across.travel
        assert (travel.bridge, travel.on_way, travel.transfers_on_way) == (20, 80, 1)
        assert (travel.left, travel.came, travel.ahead) == (0, 0, 0)


def test_the_sums_hold() -> None:
    """B took 60 of A; A's bridge has what it sent and did not get back: 60 and 80."""
    across = lay(changed(A, bridge=140))
    assert across.travel.bridge == across.travel.on_way + across.travel.left - across.travel.came == 80


def test_without_a_trust_file_nothing_is_pinned_and_admissions_are_compared_all_the_same() -> None:
    across = lay(city(), Trust())
    assert found(across) == [] and not any(report.is_pinned for report in across.reports)
    assert found(lay(changed(COUNTY, admitted=admits(A)), Trust())) == [(B, "org.unadmitted", None)]


@pytest.mark.parametrize(
    ("sent", "index"),
    [
        ({}, 40),
        ({1: Sent(leaf(9), B, 60)}, 40),
        ({7: Sent(leaf(1), B, 60)}, 40),
    ],
    ids=["never sent", "another entry there", "at another place"],
)
def test_hours_that_the_other_ledger_never_sent(sent: dict[int, Sent], index: int) -> None:
    ledgers = changed(A, sent={**sent, 2: Sent(leaf(2), B, 30)})
    assert found(lay(ledgers)) == [(B, "transfer.unproven", index)]


def test_a_refusal_of_what_was_never_sent() -> None:
    ledgers = changed(A, sent={1: Sent(leaf(1), B, 60)}, returned={})
    assert found(lay(ledgers)) == [(B, "transfer.unproven", 41)]


@pytest.mark.parametrize(
    "taken",
    [
        {},
        {41: Taken(leaf(99), Place(A, 2, leaf(2)), None)},
        {41: Taken(leaf(41), Place(A, 7, leaf(2)), 30)},
    ],
    ids=["never refused", "another refusal", "not refused but taken"],
)
def test_hours_that_came_back_without_a_refusal(taken: dict[int, Taken]) -> None:
    ledgers = changed(B, taken={40: Taken(leaf(40), Place(A, 1, leaf(1)), 60), **taken})
    assert (A, "transfer.unproven", 70) in found(lay(ledgers))


def test_hours_taken_and_given_back() -> None:
    both = {
        40: Taken(leaf(40), Place(A, 1, leaf(1)), 60),
        41: Taken(leaf(41), Place(A, 2, leaf(2)), None),
        43: Taken(leaf(43), Place(A, 2, leaf(2)), 30),
    }
    assert found(lay(changed(B, taken=both))) == [(A, "transfer.twice", 70)]


def test_hours_taken_by_two_ledgers_or_twice() -> None:
    twice = {40: Taken(leaf(40), Place(A, 1, leaf(1)), 60), 42: Taken(leaf(42), Place(A, 1, leaf(1)), 60)}
    assert (B, "transfer.twice", 42) in found(lay(changed(B, taken=twice)))
    ledgers = changed(COUNTY, taken={77: Taken(leaf(77), Place(A, 1, leaf(1)), 60)})
    assert found(lay(ledgers)) == [(COUNTY, "transfer.twice", 77)]


def test_what_is_not_at_hand_is_counted_and_no_finding() -> None:
    travel = lay(changed(A, sent={3: Sent(leaf(3), ELSEWHERE, 80)}, returned={})[:3]).travel
    assert (travel.left, travel.on_way, travel.came) == (80, 0, 0)
    (_city, _county, _a, b) = city()
    across = lay([b], Trust())
    assert found(across) == [] and across.travel.came == 60 and across.travel.ahead == 0


def test_a_copy_that_ends_before_the_proof_is_only_old() -> None:
    """A mirror takes ledgers one after the other: hours may have arrived that its copy has not seen leaving."""
    late = Taken(leaf(40), Place(A, SIZE, leaf(1)), 60)
    across = lay(changed(B, taken={40: late, 41: Taken(leaf(41), Place(A, 2, leaf(2)), None)}))
    assert found(across) == [] and across.travel.ahead == 1 and across.travel.came == 60


def test_a_ledger_that_its_parent_never_admitted_or_with_another_key() -> None:
    assert found(lay(changed(COUNTY, admitted=admits(A)))) == [(B, "org.unadmitted", None)]
    other = admits(A) | {B: [Admitted(5, STRANGER.public)]}
    across = lay(changed(COUNTY, admitted=other))
    assert found(across) == [(B, "org.unadmitted", None)]
    assert [report.is_pinned for report in across.reports] == [True, True, True, False]
    again = admits(A) | {B: [Admitted(5, STRANGER.public, holds=False), Admitted(9, KEYS[B].public)]}
    assert found(lay(changed(COUNTY, admitted=again))) == []


def test_a_ledger_that_names_another_parent_of_the_same_name() -> None:
    strange = format_vkey(make_vkey(COUNTY, ED25519, STRANGER.public))
    assert found(lay(changed(A, parent_vkey=strange))) == [(A, "org.unadmitted", None)]


def test_a_retired_ledger_is_not_trusted_and_no_finding() -> None:
    retired = admits(A) | {B: [Admitted(5, KEYS[B].public, holds=False)]}
    across = lay(changed(COUNTY, admitted=retired))
    assert found(across) == []
    assert [report.is_pinned for report in across.reports] == [True, True, True, False]


def test_what_is_not_sound_vouches_for_nobody() -> None:
    across = lay(city(), unsound=[COUNTY])
    assert found(across) == [
        (COUNTY, "seal.root", 7),
        (A, "org.unadmitted", None),
        (B, "org.unadmitted", None),
    ]
    assert [report.is_pinned for report in across.reports] == [True, True, False, False]


def test_no_pinned_key_leads_there() -> None:
    """A village alone, whose key the trust file does not have: as before there were admissions."""
    (_city, county, a, _b) = city()
    assert found(lay([a])) == [(A, "checkpoint.signature", None)]
    assert found(lay([county, a])) == [(COUNTY, "checkpoint.signature", None), (A, "org.unadmitted", None)]
    assert found(lay([a], Trust(policy(vkey(A)), admits=True))) == []


def test_an_anchor_of_another_history() -> None:
    other = [AnchoredAt(60, A, 30, leaf(31))]
    assert found(lay(changed(COUNTY, anchors=other))) == [(A, "log.fork", 29)]
    between = [AnchoredAt(60, A, 35, leaf(35))]
    assert found(lay(changed(COUNTY, anchors=between))) == [(A, "log.fork", 34)]


def test_an_anchor_of_a_longer_log() -> None:
    assert found(lay(changed(COUNTY, anchors=[AnchoredAt(60, A, 110, leaf(110))]))) == [(A, "log.rollback", SIZE - 1)]


@pytest.mark.parametrize(
    ("size", "root", "codes"),
    [(30, leaf(30), []), (30, leaf(9), ["log.fork"]), (31, leaf(31), ["log.fork"]), (110, leaf(110), [])],
    ids=["the same", "another", "no seal there", "after the end of the copy"],
)
def test_a_checkpoint_in_a_proof_is_the_others_word(size: int, root: bytes, codes: list[str]) -> None:
    side = changed(B, shown={"its text": ShownAt(40, COUNTY, size, root)})
    assert [each[:2] for each in found(lay(side))] == [(COUNTY, code) for code in codes]


def test_copies_of_one_ledger_agree() -> None:
    short = Ties(A, size=25, parent=COUNTY, parent_vkey=format_vkey(vkey(COUNTY)), node_keys=[KEYS[A].public])
    short.add_seal(10, leaf(10))
    short.add_seal(20, leaf(20))
    for ledgers in ([*city(), short], [short, *city()]):
        across = lay(ledgers)
        assert found(across) == [] and all(report.is_pinned for report in across.reports)
    short.add_seal(24, leaf(24))
    assert found(lay([*city(), short])) == [(A, "log.fork", 23)] * 2


def test_roots_at_seals() -> None:
    made = ties(A)
    assert [made.root_at(size) for size in (0, 9, 10, 11, 100, 101)] == [None, None, leaf(10), None, leaf(100), None]
    assert made.last_seal() == (100, leaf(100)) and Ties(A).last_seal() is None and Ties(A).root_at(1) is None


def test_a_real_city(tmp_path: Path) -> None:
    """Hours that went, were refused and came back, over real nodes; then one village shows another history."""
    city = Town(tmp_path, "city", "city")
    county = Town(tmp_path, "county", "county", city)
    township = Town(tmp_path, "township", "township", county)
    east, west = (Town(tmp_path, name, "village", township) for name in ("east", "west"))
    for village_town in (east, west):
        village_town.people()
        village_town.trust(city)
        village_town.seal()
    shutil.copytree(east.home, tmp_path / "before")
    east.send(west)
    east.send(west, NOBODY, 30)
    east.seal()
    towns = (city, county, township, east, west)
    for _ in range(2):
        for each in (west, east):
            each.fetch(shelf(*towns))
            each.seal()
    east.send(west, minutes=45)
    east.seal()
    trust = Trust(Policy((parse_vkey(city.vkey),), (), (), NO_QUORUM), admits=True)
    across = lay_side_by_side([audited(town, trust) for town in towns], trust)
    assert found(across) == [] and all(report.is_pinned for report in across.reports)
    assert (across.travel.on_way, across.travel.transfers_on_way, across.travel.ahead) == (45, 1, 0)
    assert across.travel.bridge == on_the_way(east, west) == 45
    assert west.balance() == HOURS + 60 and east.balance() == HOURS - 60 - 45

    shutil.rmtree(east.home)
    (tmp_path / "before").rename(east.home)
    for _ in range(3):
        east.seal()
    across = lay_side_by_side([audited(town, trust) for town in towns], trust)
    assert {each[:2] for each in found(across)} == {(east.origin, "log.fork"), (west.origin, "transfer.unproven")}


def audited(town: Town, trust: Trust) -> Audited:
    run = LedgerAudit(town.origin, trust)
    run.take(town.source())
    return Audited(run.report(), run.ties())
