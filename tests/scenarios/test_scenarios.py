"""Every scenario comes out as it says; together they show every outcome of the rule book, in its order."""

import re

import pytest

from ledger.kinds import KINDS
from ledger.parameters import Parameters
from tests.scenarios.audit import check
from tests.scenarios.script import FOLDER, Player, Scenario, outcomes_of, play, scenarios_on_file
from tests.scenarios.village import OK

SCENARIOS = list(scenarios_on_file())
ROW = re.compile(r"\| ([a-z_]+) \| (.*?) \|")
NO_RULE_READS = {
    "gift_count", "gift_days", "night_end", "night_start", "reciprocal_count", "reciprocal_days",
}  # fmt: skip
FINDINGS = re.compile(r"ok|at-in-future|entry\..*")


@pytest.mark.parametrize(
    "scenario", [pytest.param(scenario, id=f"{stem}: {scenario.title}") for stem, scenario in SCENARIOS]
)
def test_scenario(scenario: Scenario) -> None:
    player = Player(scenario)
    player.play()
    for village in player.villages.values():
        if village.store.size:
            check(village)


def outcome_rows() -> list[tuple[str, list[str]]]:
    """Kind, and its outcomes in order."""
    rows = ROW.findall((FOLDER / "OUTCOMES.md").read_text("utf-8"))
    return [(kind, re.findall("`(.*?)`", outcomes)) for kind, outcomes in rows if kind != "kind"]


def refusals_by_file(kind: str) -> dict[str, list[str]]:
    """For each file the outcomes that end a line of that kind, each once, in order."""
    shown: dict[str, list[str]] = {}
    for stem, scenario in SCENARIOS:
        for name, outcome in outcomes_of(scenario):
            refusals = shown.setdefault(stem, [])
            if name == kind and outcome not in refusals and not FINDINGS.fullmatch(outcome):
                refusals.append(outcome)
    return shown


@pytest.mark.parametrize(("kind", "outcomes"), outcome_rows())
def test_every_outcome_has_a_line_in_order(kind: str, outcomes: list[str]) -> None:
    shown = refusals_by_file(kind)

    assert max(shown.values(), key=len) == outcomes, "the file that shows this kind shows its ladder"
    assert set().union(*shown.values()) == set(outcomes), "an outcome that the list does not have"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_listed_and_comes_out_well_somewhere(kind: str) -> None:
    assert kind in [row[0] for row in outcome_rows()]
    assert (kind, "ok") in {said for _, scenario in SCENARIOS for said in outcomes_of(scenario)}


@pytest.mark.parametrize("name", [name for name in Parameters.__struct_fields__ if name not in NO_RULE_READS])
def test_every_parameter_changes_in_the_middle_of_a_month(name: str) -> None:
    """The same record is right and then refused, or the other way, or it posts otherwise."""
    (scenario,) = [scenario for stem, scenario in SCENARIOS if stem == "parameters" and scenario.title.startswith(name)]
    said = [line.text.partition("  ")[2].strip() for line in scenario.lines]
    outcomes: dict[str, set[str]] = {}
    for entry, _, outcome in (text.rpartition("|") for text in said if "|" in text):
        outcomes.setdefault(" ".join(entry.split()), set()).add(outcome.strip())

    assert any(f"params {name}=" in entry for entry in outcomes)
    assert any(len(found) > 1 and OK in found for found in outcomes.values()) or name == "balance_max_minutes"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("2026-03-01 09:00  clerk+m1  account_open wang | needs-second", "expected needs-second, found ok"),
        ("people wang:\nbalance wang 1", "line 2"),
        ("people wang:\nstatus wang closed", "line 2"),
        ("2026-03-01 09:00  clerk+m1  account_open wang", "line 1"),
        ("no such step", "line 1"),
    ],
)
def test_a_scenario_that_does_not_come_out_says_where(text: str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        play(text)
