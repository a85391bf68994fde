"""A county's board over townships and villages that are off line: who sees what, down to a proof up to the root."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from chain.note import parse_vkey
from chain.policy import NO_QUORUM, Policy
from ledger.bodies import CaseClose, CaseOpen, FundOpen, FundReceive, FundSpend, Inspection
from ledger.bodies import Finding as Found
from node import Node
from store.mirror import MirrorStore
from sync.anchors import due_anchors
from tests.sync.city import ANNE, BEN, HASH, START, Town
from tests.web.service.county import County, receive
from tests.web.service.county import county as county_of
from tests.web.service.running import patience
from verify.rootproof import check_root_proof

CASE_SUSPICION = "overlap"


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    """The county of the API's tests, where one village has a case, funds and findings."""
    with county_of(tmp_path_factory.mktemp("board-county")) as held:
        village = held.towns["v1"]
        one, two = village.one, village.two
        due = START.date().replace(year=2026, month=3, day=5)
        village.write((one, two), FundOpen(fund="meals", purpose="meals", title="meals"))
        village.write((one, two), FundReceive(fen=100_000, fund="meals", source="government", voucher=HASH))
        village.write((one, two), FundSpend(fen=95_000, fund="meals", payee="shop", purpose="meals", voucher=HASH))
        finding = Found(code="fire", due=due, text="extinguisher")
        village.write((village._officials[0],), Inspection(findings=(finding,), subject="point"))
        results = village.write((one,), CaseOpen(account=ANNE, entries=(8,), suspicion=CASE_SUSPICION))
        index = results[0].index  # type: ignore[union-attr]
        village.write((two, one), CaseClose(case=index, note="two places", outcome="upheld"))
        village.seal()
        root, above, *below = held.towns.values()
        _anchor(held.towns["east"], village)
        receive(above, *below)
        _anchor(above, held.towns["east"])
        receive(root, above, *below)
        _anchor(root, above)
        yield held


def _anchor(above: Town, below: Town) -> None:
    """Put the newest checkpoint of one below into a log, beside a service that may run."""
    note = list(below.source().checkpoints())[-1][1]
    with Node.open(above.home, writes=True, clock=lambda: START, waits=patience) as node:
        node.declare(due_anchors(node.state, {below.origin: note}))
        node.seal()


def page(county: County, path: str, user: str = "county", status: int = 200) -> httpx.Response:
    answer = county.service.get(path, user, headers={"Accept-Language": "en"})
    assert answer.status_code == status, answer.text
    return answer


def test_the_board_says_what_needs_a_person(county: County) -> None:
    text = page(county, "/board").text
    for told in (
        "was upheld, and nothing is decided about account " + ANNE,
        "has not sealed for too long",
        "the fund meals is nearly used up",
        "a finding of an inspection was to be mended by 2026-03-05: fire",
        "suspicions that nobody has looked into",
    ):
        assert told in text, told
    first = text.index("nothing is decided about")
    assert first < text.index("suspicions that nobody") < text.index("has not sealed") < text.index("nearly used up")


def test_a_fork_stands_at_the_top(county: County) -> None:
    with closing(MirrorStore(county.service.home / "mirror.db")) as store:
        log = store.log(county.origin("v3"))
        assert log is not None
        evidence = county.service.home / "evidence"
        evidence.mkdir(exist_ok=True)
        (evidence / "fork.txt").write_text("both notes")
        store.alarm(log.origin, "forked", "two histories", lambda: str(evidence / "fork.txt"), 1_770_000_000)
        log.hold("forked")
        store.commit()
        (alarm,) = store.alarms()
        try:
            text = page(county, "/board").text
            items = text.partition('class="urgent"')[2]
            assert items.index("has signed two histories") < items.index("nothing is decided about")
            assert page(county, f"/board/alarms/{alarm.id}/evidence", "v3").text == "both notes"
            page(county, f"/board/alarms/{alarm.id}/evidence", "east", 403)
            (evidence / "fork.txt").unlink()
            page(county, f"/board/alarms/{alarm.id}/evidence", "v3", 404)
        finally:
            log.release()
            store.see(alarm.id)


def test_nobody_reads_a_file_by_an_alarm(county: County, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with closing(MirrorStore(county.service.home / "mirror.db")) as store:
        store.alarm(county.origin("v3"), "lies", "x", lambda: str(tmp_path / "secret"), 1)
        (alarm,) = store.alarms()
        page(county, f"/board/alarms/{alarm.id}/evidence", "v3", 404)
        store.see(alarm.id)


def test_ledgers_stand_below_each_other_and_are_filtered(county: County) -> None:
    text = page(county, "/board/ledgers").text.partition("<tbody>")[2]
    order = [text.index(f">{county.origin(name)}<") for name in ("county", "east", "v1", "v2", "west", "v3")]
    assert order == sorted(order)
    villages = page(county, "/board/ledgers?tier=village&silent=1").text
    assert "3 of 6 ledgers" in villages and county.origin("east") not in villages.partition("<tbody>")[2]
    assert "1 of 6 ledgers" in page(county, "/board/ledgers?find=v2").text
    assert "0 of 6 ledgers" in page(county, "/board/ledgers?state=forked").text


def test_a_township_sees_its_own_alone(county: County) -> None:
    for path in ("", "/accounts", "/suspicions", "/suspicions/0", "/entries/3", f"/accounts/{BEN}", "/cases/1"):
        page(county, f"/board/ledgers/{county.origin('v3')}{path}", "east", 403)
    text = page(county, "/board/ledgers", "east").text.partition("<tbody>")[2]
    assert county.origin("v3") not in text and county.origin("county") not in text
    assert county.origin("v3") not in page(county, "/board", "east").text.partition("<main")[2]
    page(county, f"/board/trends?ledger={county.origin('v3')}", "east", 403)
    page(county, f"/board/risk?ledger={county.origin('v3')}", "east", 403)


def test_down_to_the_entry_and_up_to_the_root(county: County) -> None:
    origin = county.origin("v1")
    ledger = page(county, f"/board/ledgers/{origin}").text
    assert "upheld" in ledger and "50.00" in ledger
    accounts = page(county, f"/board/ledgers/{origin}/accounts").text
    assert ANNE in accounts
    account = page(county, f"/board/ledgers/{origin}/accounts/{ANNE}").text
    assert "That you looked at this account is recorded." in account
    proof = page(county, f"/board/ledgers/{origin}/entries/8/proof").content
    root = Policy((parse_vkey(county.towns["city"].vkey),), (), (), NO_QUORUM)
    proven = check_root_proof(proof, root)
    assert [step.checkpoint.origin for step in proven.steps] == [
        county.origin(name) for name in ("v1", "east", "county", "city")
    ]
    assert proven.entry.index == 8
    refused = page(county, f"/board/ledgers/{county.origin('v2')}/entries/3/proof", status=404)
    assert "has not anchored" in refused.text


def test_a_case_of_a_mirrored_ledger_says_what_to_do_there(county: County) -> None:
    origin = county.origin("v1")
    ledger = page(county, f"/board/ledgers/{origin}").text
    index = int(ledger.partition(f"/board/ledgers/{origin}/cases/")[2].partition('"')[0])
    case = page(county, f"/board/ledgers/{origin}/cases/{index}").text
    assert f"huzhu sanction impose {ANNE} suspend --case {index}" in case
    assert "two places" in case and "Propose it" not in case


def test_trends_and_what_is_owed(county: County) -> None:
    trends = page(county, "/board/trends?months=60").text
    assert "Hours given, by month" in trends and "2026-03" in trends and trends.count("<svg") == 5
    assert county.origin("west") in trends.partition("Hours given, by ledger below")[2]
    below = page(county, f"/board/trends?months=60&ledger={county.origin('east')}").text
    assert county.origin("v1") in below.partition("Hours given, by ledger below")[2]
    risk = page(county, "/board/risk").text
    assert "Hours that become spendable" in risk and risk.count("<svg") == 2
