"""Assessments, inspections, risk figures and certificates at the desk (RULES §3, §8)."""

import pytest

from ledger import bodies
from ledger.risk import parse_period
from node import Node
from tests.web.desk import ANNE, BEN, CLARA, DORA, PARAMETERS, Desk
from tests.web.test_cases import kept, refused, signers, written_by
from web.commands_quality import parse_finding, parse_month, parse_score
from web.table import BadRowError

PAST, AHEAD = "2001-01-31", "2998-12-31"


@pytest.fixture
def village(desk: Desk) -> Desk:
    """Two hours of Anne's in November 2025, and half an hour of Ben's that is disputed."""
    desk.populate()
    half_an_hour = {"provider": BEN, "start": "13:00", "end": "13:30"}
    desk("import", desk.sheet({}, {"start": "11:00", "end": "12:00"}, half_an_hour), "--at", "2025-11-02T00:00:00Z")
    return desk


def assessor(desk: Desk) -> str:
    """A key that may assess; its id."""
    key = str(desk.json("key", "new", "--role", "assessor")["key"])
    desk("key", "grant", key, "--role", "assessor")
    return key


def test_an_inspection_is_overdue_then_done(village: Desk) -> None:
    key = assessor(village)
    words = ("--finding", f"fire:{AHEAD}:灭火器: 过期", "--finding", f"food:{PAST}:留样不足")
    inspection = str(village.json("inspection", "add", "六渡河驿站", *words)["index"])
    assert signers(village, int(inspection)) == {key}
    overdue = village.json("inspection", "list", "--overdue")
    assert overdue == [
        {
            "inspection": int(inspection),
            "finding": 1,
            "subject": "六渡河驿站",
            "code": "food",
            "text": "留样不足",
            "due": PAST,
            "overdue": True,
        }
    ]
    both = village.json("inspection", "list")
    assert [(each["finding"], each["overdue"]) for each in both] == [(1, True), (0, False)]
    assert both[1]["text"] == "灭火器: 过期"
    first, second = village("inspection", "list").stdout.splitlines()[1:]
    assert "overdue" in first and "overdue" not in second
    assert "逾期" in village("inspection", "list", "--lang", "zh").stdout

    village("inspection", "done", inspection, "1", "--note", "mended", "--by", key)
    assert refused(village, "inspection", "done", inspection, "1", "--note", "x") == "no-finding"
    assert refused(village, "inspection", "done", inspection, "2", "--note", "x") == "no-finding"
    assert village.json("inspection", "list", "--overdue") == []
    assert len(village.json("inspection", "list")) == 1
    village("inspection", "done", inspection, "0", "--note", "mended")
    assert village.json("inspection", "list") == []
    village("inspection", "add", "六渡河驿站")
    village("seal")
    assert village.verify()["ok"]


def test_who_inspects(village: Desk) -> None:
    error = village("inspection", "add", "x", status=2).stderr
    assert "role assessor / authority" in error and error.count("\n") == 1
    member = kept(village, "member")[0]
    assert refused(village, "inspection", "add", "x", "--by", member) == "not-allowed"
    key = village.json("key", "new", "--role", "authority")["key"]
    village("key", "grant", key, "--role", "authority")
    assert signers(village, village.json("inspection", "add", "x")["index"]) == {key}
    error = village("assessment", "add", "x", "--period", "x", "--score", "a=1", "--report", "x", status=2).stderr
    assert "x" in error and error.count("\n") == 1


def test_an_assessment(village: Desk) -> None:
    assessor(village)
    report = village.file("report.pdf", "very good")
    words = ("assessment", "add", "六渡河驿站", "--period", "2026-Q1", "--report", report)
    village(*words, "--score", "meals=90", "--score", "comfort=0")
    (listed,) = village.json("assessment", "list")
    assert (listed["subject"], listed["scores"], len(listed["report"])) == (
        "六渡河驿站",
        {"comfort": 0, "meals": 90},
        64,
    )
    assert "comfort 0, meals 90" in village("assessment", "list").stdout
    assert "each code has one score" in village(*words, "--score", "a=1", "--score", "a=2", status=2).stderr
    assert village.verify()["ok"]


def test_risk_figures_are_shown_and_recorded(village: Desk) -> None:
    service = next(index for index, entry in enumerate(village.entries()) if entry.kind == "service")
    village("dispute", str(service), DORA, "--ground", "x", "--at", "2025-11-03T00:00:00Z")
    shown = village.json("risk", "show", "--period", "2025-11")
    assert shown["period"] == "2025-11"
    assert shown["figures"] == {
        "band_1940": 0,
        "band_1945": 0,
        "band_1950": 30,
        "band_1970": 120,
        "coupon": 0,
        "disputed": 333,
        "earned": 150,
        "fen": 0,
        "granted": 150,
        "held": 0,
        "outstanding": 150,
        "paper": 1_000,
        "redeemed": 0,
        "signed": 0,
        "top_tenth": 800,
    }
    assert set(shown["forecast_minutes"]) == {"1", "5", "10", "20"}
    ahead = list(shown["forecast_minutes"].values())
    assert ahead == sorted(ahead) and ahead[-1] == 120
    lines = village("risk", "show", "--period", "2025-11").stdout
    assert "2.5 h (150 min)" in lines and "33.3 %" in lines and "born 1970–1974" in lines
    chinese = village("risk", "show", "--period", "2025-11", "--lang", "zh").stdout
    assert "33.3 %" in chinese and "有异议" in chinese and "1970–1974" in chinese and "people" not in chinese

    index = village.json("risk", "record", "--period", "2025-11")["index"]
    assert village.entries()[index].body.figures == shown["figures"]
    village("risk", "record")
    village("seal")
    assert village.verify()["ok"]


def test_false_risk_figures_are_refused(village: Desk) -> None:
    figures = village.json("risk", "show", "--period", "2025-11")["figures"]
    clerk, member = kept(village, "clerk")[0], kept(village, "member")[0]
    for changed, period in (
        (figures | {"outstanding": 0}, "2025-11"),
        ({code: count for code, count in figures.items() if code != "fen"}, "2025-11"),
        (dict(sorted((figures | {"more": 1}).items())), "2025-11"),
        (figures, "2025-12"),
        (figures, "2998-01"),
    ):
        result = written_by(village, bodies.Risk(figures=changed, period=period), clerk, [member])
        assert result.outcome == "figures-differ"
    assert written_by(village, bodies.Risk(figures=figures, period="2025-11"), clerk, [member]).index


def test_months(village: Desk) -> None:
    assert parse_month(" 2025-11 ") == parse_period("2025-11")
    for words in (("risk", "show"), ("risk", "record")):
        assert "has not begun" in village(*words, "--period", "2998-01", status=2).stderr
        assert "began, in 2025-10" in village(*words, "--period", "2025-09", status=2).stderr
        village(*words, "--period", "2025-10")
        for month in ("2025", "2025-13", "2025-00", "2025-1", "x" * 3_000):
            error = village(*words, "--period", month, status=2).stderr
            assert "write YYYY-MM" in error or "too long" in error
            assert error.count("\n") == 1


def test_a_certificate_for_what_was_given(tmp_path_factory: pytest.TempPathFactory) -> None:
    desk = Desk(tmp_path_factory.mktemp("desk"))
    desk.init(parameters=PARAMETERS | {"institution_minutes": 120})
    desk.populate()
    desk("import", desk.sheet({}), "--at", "2025-11-02T00:00:00Z")
    assert refused(desk, "institution", "certify", ANNE) == "under-threshold"
    assert "没有达到" in desk("institution", "certify", ANNE, "--lang", "zh", status=1).stderr
    desk("import", desk.sheet({"start": "11:00", "end": "12:00"}, name="more.csv"), "--at", "2025-11-02T00:00:00Z")
    index = desk.json("institution", "certify", ANNE)["index"]
    (listed,) = desk.json("institution", "list")
    assert (listed["account"], listed["index"], listed["earned_minutes"]) == (ANNE, index, 120)
    assert ANNE in desk("institution", "list").stdout and "2 h (120 min)" in desk("institution", "list").stdout
    assert refused(desk, "institution", "certify", CLARA) == "under-threshold"
    assert desk.verify()["ok"]


@pytest.mark.parametrize("cell", ["", "meals", "meals=", "meals=101", "meals=-1", "meals=1.5", "Meals=1", "=1", "a=９"])
def test_what_is_no_score(cell: str) -> None:
    with pytest.raises(BadRowError):
        parse_score(cell)
    assert parse_score("meals=100") == ("meals", 100)


@pytest.mark.parametrize(
    "cell", ["", "fire", "fire:2026-12-01", "fire:2026-12-01: ", "fire:soon:x", "Fire:2026-12-01:x", ":2026-12-01:x"]
)
def test_what_is_no_finding(cell: str) -> None:
    with pytest.raises(BadRowError):
        parse_finding(cell)
    assert parse_finding("fire:2026-12-01:a:b").text == "a:b"


def test_what_is_too_large_is_refused_and_nothing_is_written(village: Desk) -> None:
    assessor(village)
    size = len(village.entries())
    findings = [word for place in range(70) for word in ("--finding", f"c{place}:2026-12-01:{'x' * 1_000}")]
    assert refused(village, "inspection", "add", "x", *findings) == "entry.too-large"
    assert refused(village, "inspection", "add", "x", "--finding", f"a:{PAST}:{'x' * 2_000}") == "entry.malformed"
    with Node.open(village.home, writes=False) as node:
        assert node.state.size == size
