"""A supervisor's questions to a county whose villages are off line: who sees what, and that the figures are right."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest
from pydantic import BaseModel

from ledger.figures import parse_span
from ledger.numbers import BRIDGE
from node import Node
from store.archive import open_archive
from store.mirror import MirrorStore
from tests.web.service.county import County
from verify.audit import Trust, audit_ledger
from web.report import report_of_archive
from web.service import models, question_models

VILLAGES = ("v1", "v2", "v3")


def get(county: County, path: str, user: str = "county") -> Any:
    answer = county.service.get(f"/api/v1/{path}", user)
    assert answer.status_code == 200, answer.text
    return answer.json()


def pages(county: County, path: str, field: str, limit: int, user: str = "county") -> Iterator[Any]:
    """All lines of all pages."""
    after = ""
    while True:
        page = get(county, f"{path}limit={limit}{after}", user)
        assert len(page[field]) <= limit
        yield from page[field]
        if page["next"] is None:
            return
        after = f"&after={page['next']}"


def names(lines: Sequence[dict[str, Any]], field: str = "ledger") -> list[str]:
    return sorted(line[field].partition(".")[0] for line in lines)


def test_everybody_sees_their_subtree(county: County) -> None:
    seen = {user: names(get(county, "ledgers", user)["ledgers"]) for user in county.service.tokens}
    everything = ["county", "east", "v1", "v2", "v3", "west"]
    assert seen == {"county": everything, "auditor": everything, "east": ["east", "v1", "v2"], "v3": ["v3"]}
    for path in ("totals?", "subtree/supply-demand?", "subtree/suspicions?", "balances?"):
        refused = county.service.get(f"/api/v1/{path}ledger={county.origin('v3')}", "east")
        assert refused.status_code == 403, path
        assert county.service.get(f"/api/v1/{path}", None).status_code == 401
    assert {line["ledger"] for line in get(county, "balances?limit=1000", "v3")["balances"]} == {county.origin("v3")}
    assert names(get(county, "totals", "east")["lines"], "name") == ["east", "v1", "v2"]
    assert get(county, "totals", "v3")["total"]["ledgers"] == 1
    assert names(get(county, "subtree/supply-demand", "east")["lines"]) == ["east", "v1", "v2"]
    assert set(names(get(county, "subtree/suspicions", "v3")["suspicions"])) == {"v3"}
    assert county.service.get("/api/v1/totals?ledger=x.example/y", "auditor").status_code == 404


def test_totals_are_those_of_the_ledgers(county: County) -> None:
    lines = {line["name"]: line for line in get(county, "totals?by=ledger")["lines"]}
    for name, town in county.towns.items():
        if name == "city":
            continue
        with Node.open(town.home, writes=False) as node:
            people = [each for each in node.balances() if each.account.isdigit()]
            line = lines[town.origin]
            assert line["accounts"] == len(people)
            assert line["minutes"] == sum(each.balance for each in people)
            assert line["held_minutes"] == sum(each.held for each in people)
            assert line["on_way_minutes"] == node.state.accounts[BRIDGE].balance
            books = ("minutes", "held_minutes", "pool_minutes", "issue_minutes", "on_way_minutes")
            assert sum(line[book] for book in books) == 0
            size = node.state.seal_indexes[-1] + 1
            assert (line["checkpoint"]["size"], line["checkpoint"]["origin"]) == (size, town.origin)
    whole = get(county, "totals?by=tier")
    assert whole["total"]["on_way_minutes"] == 45
    assert {line["name"]: line["ledgers"] for line in whole["lines"]} == {"county": 1, "township": 2, "village": 3}
    village = next(line for line in whole["lines"] if line["name"] == "village")
    assert village["minutes"] == sum(lines[county.origin(name)]["minutes"] for name in VILLAGES)
    assert village["checkpoint"] is None and village["oldest_sealed"].startswith("2026-03-02")


def test_totals_by_status_and_of_one_tier(county: County) -> None:
    found = get(county, "totals?by=status&tier=village")
    lines = {line["name"]: line for line in found["lines"]}
    assert {name: line["accounts"] for name, line in lines.items()} == {"open": 6, "closed": 3}
    assert lines["open"]["on_way_minutes"] is None and found["total"]["accounts"] == 9
    closed = get(county, "totals?by=tier&status=closed")
    assert [(line["name"], line["accounts"]) for line in closed["lines"] if line["accounts"]] == [("village", 3)]
    assert closed["total"]["on_way_minutes"] is None
    assert {line["status"] for line in get(county, "balances?status=closed")["balances"]} == {"closed"}
    tiers = {line["ledger"] for line in get(county, "balances?tier=township&limit=1000")["balances"]}
    assert tiers == {county.origin("east"), county.origin("west")}


def test_page_by_page_is_the_whole(county: County) -> None:
    assert list(pages(county, "ledgers?", "ledgers", 2)) == get(county, "ledgers")["ledgers"]
    assert list(pages(county, "totals?by=ledger&", "lines", 4)) == get(county, "totals")["lines"]
    assert list(pages(county, "balances?", "balances", 5)) == get(county, "balances?limit=1000")["balances"]
    whole = get(county, "subtree/supply-demand")["lines"]
    assert list(pages(county, "subtree/supply-demand?", "lines", 4)) == whole
    suspicions = get(county, "subtree/suspicions")["suspicions"]
    assert list(pages(county, "subtree/suspicions?", "suspicions", 1)) == suspicions
    for path in ("ledgers?", "totals?", "subtree/supply-demand?", "subtree/suspicions?"):
        for after in ("x", f"{county.origin('v1')}:x", "city.example/huzhu"):
            assert county.service.get(f"/api/v1/{path}after={after}", "county").status_code == 400


def test_ledgers_say_how_they_are(county: County) -> None:
    found = {line["ledger"]: line for line in get(county, "ledgers")["ledgers"]}
    own, village = found[county.origin("county")], found[county.origin("v1")]
    assert (own["state"], own["parent"], own["findings"]) == ("own", county.origin("city"), None)
    assert (village["state"], village["parent"], village["findings"]) == ("sound", county.origin("east"), 0)
    assert village["silent"] and village["suspicions"] == 2
    assert get(county, "ledgers?silent=false")["ledgers"] == []
    assert get(county, "ledgers?silent=true&tier=village&limit=1")["count"] == 3
    with closing(MirrorStore(county.service.home / "mirror.db")) as store:
        log = store.log(county.origin("v3"))
        assert log is not None
        log.hold("forked")
        store.commit()
        try:
            assert names(get(county, "ledgers?state=forked")["ledgers"]) == ["v3"]
        finally:
            log.release()


def test_supply_and_demand_are_those_of_the_report(county: County) -> None:
    for query, span in (("", "2026"), ("?period=2026-03", "2026-03"), ("?period=2026-04", "2026-04")):
        period = parse_span(span)
        assert period is not None
        report = report_of_archive(county.service.home / "mirror.db", period, Trust(), 1, lambda _done, _all: None)
        figures, found = report.figures, get(county, f"subtree/supply-demand{query}")
        assert found["period"] == span
        assert found["services"] == {"number": figures.services.number, "minutes": figures.services.minutes}
        for name in ("categories", "evidence"):
            counted = getattr(figures, name).items()
            assert found[name] == {key: {"number": one.number, "minutes": one.minutes} for key, one in counted}
        assert found["months"] == {
            month: {"services": line.services, "minutes": line.minutes, "redeemed_minutes": line.redeemed_minutes}
            for month, line in figures.months.items()
            if line.services
        }
        assert (found["volunteers"], found["elders"], found["ledgers"]) == (3, 3, 6)
    assert get(county, "subtree/supply-demand")["services"] == {"number": 7, "minutes": 3 * 90 + 15}
    assert get(county, "subtree/supply-demand")["evidence_per_mille"] == {"paper": 1_000}
    one = get(county, f"subtree/supply-demand?ledger={county.origin('v2')}")
    assert one["services"] == {"number": 3, "minutes": 105} and one["ledgers"] == 1
    assert county.service.get("/api/v1/subtree/supply-demand?period=x", "county").status_code == 400


def test_suspicions_are_those_of_the_audit(county: County) -> None:
    found = get(county, "subtree/suspicions?limit=1000")
    expected = []
    with open_archive(county.service.home / "mirror.db") as ledgers:
        for ledger in sorted(ledgers, key=lambda each: each.origin):
            report = audit_ledger(ledger)
            expected += [
                {
                    "ledger": ledger.origin,
                    "code": each.code,
                    "account": each.account,
                    "entries": list(each.entries),
                    "detail": each.detail,
                }
                for each in report.suspicions
            ]
            assert found["ledgers"].get(ledger.origin, {}) == report.suspicion_counts
    assert found["suspicions"] == expected and len(expected) >= 3
    assert found["counts"]["overlap"] == sum(each["code"] == "overlap" for each in expected)
    assert get(county, "subtree/suspicions?code=ring")["suspicions"] == []
    assert get(county, f"subtree/suspicions?ledger={county.origin('county')}")["suspicions"] == []


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("totals", question_models.TotalsModel),
        ("totals?by=status", question_models.TotalsModel),
        ("ledgers", question_models.LedgersPage),
        ("subtree/supply-demand", question_models.SubtreeSupplyModel),
        ("subtree/suspicions", question_models.SubtreeSuspicionsPage),
        ("balances?tier=village", models.BalancesPage),
    ],
)
def test_answers_are_as_they_are_described(county: County, path: str, model: type[BaseModel]) -> None:
    model.model_validate(get(county, path), strict=True)
