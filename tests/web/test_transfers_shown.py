"""Hours that travel, as the passbook, the journal and the report show them: a line each, and all adds up."""

import subprocess
from pathlib import Path

import pytest

from ledger.figures import Count
from tests.ledger.test_tally import figures_of
from tests.scenarios.script import Player, parse_scenarios
from tests.scenarios.village import Village, number_of
from web.export import journal_lines
from web.passbook import passbook

TRAVEL = """
ledger  town township
2026-03-01 08:00  m1+m2        v: org_admit village.example/huzhu village                    | ok
2026-03-01 08:00  m1+m2        e: org_admit east.example/huzhu village                       | ok
2026-03-01 08:00  seal
ledger  village village under town
people  wang: phone
2026-03-01 09:00  clerk+m1+m2  opening wang 200                                              | ok
2026-03-01 09:00  wang         t1: transfer_out wang -> east.example/huzhu#li 70             | ok
2026-03-01 09:00  wang         t2: transfer_out wang -> east.example/huzhu#zhou 30           | ok
2026-03-01 09:00  wang         t3: transfer_out wang -> east.example/huzhu#li 10             | ok
2026-03-01 09:00  seal
ledger  east village under town
given   balance_max_minutes=50
people  li: phone
2026-03-01 10:00  east         transfer_in li 70 proof=village/t1 admissions=town/v          | ok
2026-03-01 10:00  east         r2: transfer_refuse no_account proof=village/t2 admissions=town/v  | ok
2026-03-01 10:00  seal
ledger  village
2026-04-01 11:00  node         transfer_back t2 proof=east/r2 admissions=town/e              | ok
2026-04-01 11:00  seal
"""
WANG, LI, ZHOU = (number_of(name) for name in ("wang", "li", "zhou"))


@pytest.fixture(scope="module")
def ledgers() -> dict[str, Village]:
    (scenario,) = parse_scenarios(TRAVEL)
    player = Player(scenario)
    player.play()
    return {origin.split(".")[0]: village for origin, village in player.villages.items()}


def lines(village: Village, number: str) -> list[tuple[str, str | None, int, int]]:
    """Kind, other side, change and balance of each line."""
    return [(line.kind, line.other, line.change, line.balance) for line in passbook(village.node, number)]


def test_a_passbook_names_the_account_on_the_other_ledger(ledgers: dict[str, Village]) -> None:
    assert lines(ledgers["village"], WANG) == [
        ("opening", "issue", 200, 200),
        ("transfer_out", f"east.example/huzhu#{LI}", -70, 130),
        ("transfer_out", f"east.example/huzhu#{ZHOU}", -30, 100),
        ("transfer_out", f"east.example/huzhu#{LI}", -10, 90),
        ("transfer_back", f"east.example/huzhu#{ZHOU}", 30, 120),
    ]
    assert lines(ledgers["east"], LI) == [("transfer_in", f"village.example/huzhu#{WANG}", 50, 50)]


def test_the_bridge_and_the_pool_name_our_own_account(ledgers: dict[str, Village]) -> None:
    assert lines(ledgers["village"], "bridge") == [
        ("transfer_out", WANG, 70, 70),
        ("transfer_out", WANG, 30, 100),
        ("transfer_out", WANG, 10, 110),
        ("transfer_back", WANG, -30, 80),
    ]
    assert lines(ledgers["east"], "bridge") == [("transfer_in", LI, -70, -70)]
    assert lines(ledgers["east"], "pool") == [("transfer_in", LI, 20, 20)]


@pytest.mark.parametrize("name", ["village", "east"])
def test_the_journal_adds_up(ledgers: dict[str, Village], tmp_path: Path, name: str) -> None:
    journal = tmp_path / "j.journal"
    text = "".join(f"{line}\n" for line in journal_lines(ledgers[name].node))
    journal.write_text(text, "utf-8")
    subprocess.run(["hledger", "-f", journal, "check", "--strict"], check=True)
    if name == "village":
        found = subprocess.run(
            ["hledger", "-f", journal, "print", "tag:to=east.*"], check=True, capture_output=True, text=True
        ).stdout
        assert found.count("transfer_out") == 3


def test_the_report_says_what_left_what_arrived_and_what_came_back(ledgers: dict[str, Village]) -> None:
    march = figures_of(ledgers["village"].store, "2026-03")
    assert (march.sent, march.arrived, march.returned) == (Count(3, 110), Count(), Count())
    assert march.flows == {"opening": 200, "sent": -110}
    april = figures_of(ledgers["village"].store, "2026-04")
    assert (april.sent, april.arrived, april.returned) == (Count(), Count(), Count(1, 30))
    assert april.flows == {"returned": 30}
    assert (april.begin.net_minutes, april.end.net_minutes) == (90, 120)
    east = figures_of(ledgers["east"].store, "2026-03")
    assert (east.sent, east.arrived, east.returned) == (Count(), Count(1, 70), Count())
    assert east.flows == {"arrived": 70, "ceiling": -20}
