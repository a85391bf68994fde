"""Several ledgers laid side by side: both ends of transfers, admissions, anchors, copies, and what one key leads to."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from chain.checkpoint import Checkpoint, format_checkpoint_text
from chain.keys import SigningKey
from chain.note import ED25519, VerifierKey, format_vkey, make_vkey, parse_vkey
from chain.policy import NO_QUORUM, Policy
from tests.sync.city import HOURS, NOBODY, Town, on_the_way, shelf
from tests.verify.ledgers import audit, policy, village
from verify.across import Across, Audited, lay_side_by_side
from verify.audit import LedgerAudit, LedgerReport, Trust
from verify.finding import Finding
from verify.ties import Admitted, Place, Returned, Sent, ShownAt, Taken, Ties

CITY, COUNTY, A, B, ELSEWHERE = (f"{name}.example/huzhu" for name in ("city", "county", "a", "b", "elsewhere"))
KEYS = {origin: SigningKey(bytes([number]) * 32) for number, origin in enumerate((CITY, COUNTY, A, B), 1)}
TIERS = {CITY: "city", COUNTY: "county", A: "village", B: "village"}
STRANGER = SigningKey(b"x" * 32)
NOW = 1_800_000_000
"""When all that is taken in these ledgers is taken."""
REPORT = audit(village(), Trust())
SIZE = 100


def vkey(origin: str) -> VerifierKey:
    return make_vkey(origin, ED25519, KEYS[origin].public)


def leaf(number: int) -> bytes:
    return bytes([number]) * 32


def ties(origin: str, parent: str | None = None, **given: object) -> Ties:
    """A ledger of 100 entries with seals at 10, 20 … 100."""
    made = Ties(origin, size=SIZE, tier=TIERS[origin], parent=parent, node_keys=[KEYS[origin].public])
    made.parent_vkey = None if parent is None else format_vkey(vkey(parent))
    for size in range(10, SIZE + 1, 10):
        made.add_seal(size, leaf(size))
    for name, value in given.items():
        setattr(made, name, value)
    return made


def admits(*origins: str) -> dict[str, list[Admitted]]:
    return {origin: [admitted(origin)] for origin in origins}


def admitted(origin: str, key: SigningKey | None = None, index: int = 5, *, holds: bool = True) -> Admitted:
    return Admitted(index, (key or KEYS[origin]).public, TIERS[origin], holds)


def shown(index: int, origin: str, size: int, root: bytes, key: SigningKey | None = None) -> ShownAt:
    """A checkpoint, signed by the ledger's node or by somebody else."""
    text = format_checkpoint_text(Checkpoint(origin, size, root)).encode()
    return ShownAt(index, origin, size, root, NOW, ((key or KEYS[origin]).sign(text),))


def taken(number: int, place: Place, minutes: int | None) -> Taken:
    return Taken(leaf(number), place, minutes, NOW)


def city() -> list[Ties]:
    """A city, its county, and two villages: hours went from one to the other, and some came back."""
    return [
        ties(CITY, admitted=admits(COUNTY), anchors=[shown(50, COUNTY, 90, leaf(90))]),
        ties(COUNTY, CITY, admitted=admits(A, B), anchors=[shown(60, A, 30, leaf(30))]),
        ties(
            A, COUNTY, bridge=80,
            sent={1: Sent(leaf(1), B, 60), 2: Sent(leaf(2), B, 30), 3: Sent(leaf(3), B, 80)},
            returned={70: Returned(2, Place(B, 41, leaf(41)), NOW)},
        ),
        ties(
            B, COUNTY, bridge=-60,
            taken={40: taken(40, Place(A, 1, leaf(1)), 60), 41: taken(41, Place(A, 2, leaf(2)), None)},
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
    "others",
    [
        {},
        {41: taken(99, Place(A, 2, leaf(2)), None)},
        {41: taken(41, Place(A, 7, leaf(2)), 30)},
    ],
    ids=["never refused", "another refusal", "not refused but taken"],
)
def test_hours_that_came_back_without_a_refusal(others: dict[int, Taken]) -> None:
    ledgers = changed(B, taken={40: taken(40, Place(A, 1, leaf(1)), 60), **others})
    assert (A, "transfer.unproven", 70) in found(lay(ledgers))


def test_hours_taken_and_given_back() -> None:
    both = {
        40: taken(40, Place(A, 1, leaf(1)), 60),
        41: taken(41, Place(A, 2, leaf(2)), None),
        43: taken(43, Place(A, 2, leaf(2)), 30),
    }
    assert found(lay(changed(B, taken=both))) == [(A, "transfer.twice", 70)]


def test_hours_taken_by_two_ledgers_or_twice() -> None:
    twice = {40: taken(40, Place(A, 1, leaf(1)), 60), 42: taken(42, Place(A, 1, leaf(1)), 60)}
    assert (B, "transfer.twice", 42) in found(lay(changed(B, taken=twice)))
    ledgers = changed(COUNTY, taken={77: taken(77, Place(A, 1, leaf(1)), 60)})
    assert found(lay(ledgers)) == [(COUNTY, "transfer.twice", 77)]


def test_what_is_not_at_hand_is_counted_and_no_finding() -> None:
    travel = lay(changed(A, sent={3: Sent(leaf(3), ELSEWHERE, 80)}, returned={})[:3]).travel
    assert (travel.left, travel.on_way, travel.came) == (80, 0, 0)
    (_city, _county, _a, b) = city()
    across = lay([b], Trust())
    assert found(across) == [] and across.travel.came == 60 and across.travel.ahead == 0


def test_a_copy_that_ends_before_the_proof_is_only_old() -> None:
    """A mirror takes ledgers one after the other: hours may have arrived that its copy has not seen leaving."""
    late = taken(40, Place(A, SIZE, leaf(1)), 60)
    across = lay(changed(B, taken={40: late, 41: taken(41, Place(A, 2, leaf(2)), None)}))
    assert found(across) == [] and across.travel.ahead == 1 and across.travel.came == 60


def test_a_ledger_that_its_parent_never_admitted_or_with_another_key() -> None:
    assert found(lay(changed(COUNTY, admitted=admits(A)))) == [(B, "org.unadmitted", None)]
    other = admits(A) | {B: [admitted(B, STRANGER)]}
    across = lay(changed(COUNTY, admitted=other))
    assert found(across) == [(B, "org.unadmitted", None)]
    assert [report.is_pinned for report in across.reports] == [True, True, True, False]
    again = admits(A) | {B: [admitted(B, STRANGER, holds=False), admitted(B, index=9)]}
    assert found(lay(changed(COUNTY, admitted=again))) == []


def test_a_ledger_that_names_another_parent_of_the_same_name() -> None:
    strange = format_vkey(make_vkey(COUNTY, ED25519, STRANGER.public))
    assert found(lay(changed(A, parent_vkey=strange))) == [(A, "org.unadmitted", None)]


def test_a_retired_ledger_is_not_trusted_and_no_finding() -> None:
    retired = admits(A) | {B: [admitted(B, holds=False)]}
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
    other = [shown(60, A, 30, leaf(31))]
    assert found(lay(changed(COUNTY, anchors=other))) == [(A, "log.fork", 29)]
    between = [shown(60, A, 35, leaf(35))]
    assert found(lay(changed(COUNTY, anchors=between))) == [(A, "log.fork", 34)]


def test_an_anchor_of_a_longer_log() -> None:
    assert found(lay(changed(COUNTY, anchors=[shown(60, A, 110, leaf(110))]))) == [(A, "log.rollback", SIZE - 1)]


@pytest.mark.parametrize(
    ("size", "root", "codes"),
    [(30, leaf(30), []), (30, leaf(9), ["log.fork"]), (31, leaf(31), ["log.fork"]), (110, leaf(110), [])],
    ids=["the same", "another", "no seal there", "after the end of the copy"],
)
def test_a_checkpoint_in_a_proof_is_the_others_word(size: int, root: bytes, codes: list[str]) -> None:
    side = changed(B, shown={"its text": shown(40, COUNTY, size, root)})
    assert [each[:2] for each in found(lay(side))] == [(COUNTY, code) for code in codes]


@pytest.mark.parametrize(
    ("sealed", "codes"),
    [(NOW - 1, set()), (NOW + 600, set()), (NOW + 601, {(A, "log.rollback"), (B, "transfer.unproven")})],
    ids=["an older copy", "clocks apart", "a newer copy"],
)
def test_hours_by_a_tree_that_the_log_never_grew_into(sealed: int, codes: set[tuple[str, str]]) -> None:
    """A village signs a checkpoint of a log without end: its copies were ahead of nothing for ever."""
    ledgers = changed(A, sealed_seconds=sealed)
    ledgers[3].taken[45] = taken(45, Place(A, 2**52, leaf(1)), 60)
    ledgers[3].shown["its note"] = shown(45, A, 2**53 - 1, leaf(1))
    across = lay(ledgers)
    assert {each[:2] for each in found(across)} == codes and across.travel.ahead == (not codes)


def test_what_another_key_signed_is_of_another_ledger() -> None:
    """A township that admits a ledger of its own under a village's name makes no fork of the village."""
    side = changed(B, shown={"1": shown(40, A, 30, leaf(9), STRANGER), "2": shown(40, A, 2**53 - 1, leaf(9), STRANGER)})
    assert found(lay([*changed(A, sealed_seconds=NOW * 2)[:3], side[3]])) == []
    assert found(lay(changed(COUNTY, anchors=[shown(60, A, 30, leaf(9), STRANGER)]))) == []
    assert found(lay(changed(COUNTY, anchors=[shown(60, A, 110, leaf(9), STRANGER)]))) == []


def test_two_ledgers_of_one_name_are_no_fork_of_each_other() -> None:
    """The one that its parent admits stands for the name, though the other is longer; with a pinned key, that one."""
    other = ties(A, size=200, node_keys=[STRANGER.public], parent=None, bridge=999)
    other.add_seal(200, leaf(200))
    for ledgers in ([*city(), other], [other, *city()]):
        across = lay(ledgers)
        assert found(across) == [(A, "org.unadmitted", None)] and across.travel.bridge == 20
        assert [report.is_pinned for report in across.reports] == [each is not other for each in ledgers]
    stranger = make_vkey(A, ED25519, STRANGER.public)
    across = lay([*city(), other], Trust(policy(vkey(CITY), stranger), admits=True))
    assert across.travel.bridge == 999 - 60 and across.reports[-1].is_pinned and not across.reports[2].is_pinned


def test_an_admission_of_another_tier() -> None:
    """A county's powers for what was admitted as a village: it extends no trust."""
    across = lay(changed(B, tier="county"))
    assert found(across) == [(B, "org.unadmitted", None)] and not across.reports[3].is_pinned
    assert found(lay(changed(B, tier="county"), Trust())) == [(B, "org.unadmitted", None)]
    orphan = changed(B, tier="county", parent=None, parent_vkey=None)
    for trust in (Trust(), PIN_CITY):
        across = lay(orphan, trust)
        assert found(across) == [(B, "org.unadmitted", None)] and not across.reports[3].is_pinned
    orphan[3].tier = "village"
    assert found(lay(orphan)) == [] and lay(orphan).reports[3].is_pinned


@pytest.mark.parametrize("key", [None, STRANGER], ids=["its key", "another key"])
def test_a_ledger_that_two_admit(key: SigningKey | None) -> None:
    ledgers = changed(CITY, admitted=admits(COUNTY) | {B: [admitted(B, key, 8)]})
    assert found(lay(ledgers)) == [(CITY, "org.twice", 8)]
    ledgers[1].admitted[B] = [admitted(B, holds=False)]
    assert found(lay(ledgers)) == ([(CITY, "org.twice", 8)] if key else [])


def test_a_ledger_without_a_parent_that_two_admit() -> None:
    ledgers = changed(CITY, admitted=admits(COUNTY) | {B: [admitted(B, index=8)]})
    ledgers[3].parent = ledgers[3].parent_vkey = None
    assert found(lay(ledgers)) == [(CITY, "org.twice", 8), (COUNTY, "org.twice", 5)]
    assert found(lay(ledgers[:3]))[:2] == [(CITY, "org.twice", 8), (COUNTY, "org.twice", 5)]
    ledgers[0].admitted[B] = [admitted(B, index=8, holds=False)]
    assert found(lay(ledgers)) == []


def test_copies_of_one_ledger_agree() -> None:
    short = ties(A, COUNTY, size=25, seals=bytearray())
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
