"""Money at the desk: four sources, one purpose, vouchers, and a journal that hledger agrees with (RULES §8)."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from tests.web.desk import ANNE, DORA, Desk
from web.commands_funds import parse_yuan
from web.table import BadRowError
from web.text import yuan_of

SCAN = b"a scan"
HOUR = ("--date", "2025-11-01", "--start", "09:00", "--end", "10:00")


def receive(desk: Desk, amount: str, source: str, status: int = 0) -> None:
    """Money into the fund for meals."""
    voucher = desk.file("voucher.jpg", SCAN)
    desk("fund", "receive", "meals", amount, "--source", source, "--voucher", voucher, status=status)


def spend(desk: Desk, amount: str, payee: str, purpose: str = "meals", status: int = 0) -> str:
    """Money out of it; the outcome where it is refused."""
    voucher = desk.file("voucher.jpg", SCAN)
    words: list[str | Path] = ["fund", "spend", "meals", amount, "--purpose", purpose, "--payee", payee]
    return str(desk.json(*words, "--voucher", voucher, status=status).get("outcome"))


@pytest.fixture
def village(desk: Desk) -> Desk:
    """A fund that received from two sources and spent three times, one of which was taken back."""
    desk("fund", "open", "meals", "--purpose", "meals", "--title", "助餐资金")
    receive(desk, "1234.50", "government")
    receive(desk, "0.5", "individual")
    spend(desk, "100", "村食堂")
    spend(desk, "200.25", "粮店")
    spend(desk, "34.75", "村食堂")
    spend(desk, "800", "nobody")
    desk("reverse", str(len(desk.entries()) - 1), "--reason", "twice")
    desk("seal")
    return desk


def test_what_became_of_each_yuan(village: Desk) -> None:
    report = village.json("fund", "show", "meals")
    assert report["balance_fen"] == 90_000
    assert report["received_fen"] == {"government": 123_450, "collective": 0, "society": 0, "individual": 50}
    assert report["spent"] == [
        {"payee": "粮店", "purpose": "meals", "fen": 20_025},
        {"payee": "村食堂", "purpose": "meals", "fen": 13_475},
    ]
    assert sum(report["received_fen"].values()) - sum(each["fen"] for each in report["spent"]) == report["balance_fen"]
    assert len(report["movements"]) == 5
    assert {each["voucher"] for each in report["movements"]} == {hashlib.sha256(SCAN).hexdigest()}
    shown = village("fund", "show", "meals").stdout
    lines = {tuple(line.split()) for line in shown.splitlines()}
    assert {
        ("government", "1234.50", "yuan"),
        ("village", "collective", "0.00", "yuan"),
        ("society", "0.00", "yuan"),
        ("individuals", "0.50", "yuan"),
        ("村食堂", "(meals)", "134.75", "yuan"),
        ("balance", "900.00", "yuan"),
    } <= lines
    assert "nobody" not in shown
    assert "900.00 yuan" in village("fund", "list").stdout
    assert village.json("fund", "list") == [
        {"fund": "meals", "purpose": "meals", "title": "助餐资金", "balance_fen": 90_000}
    ]
    assert village.verify()["ok"]


def test_what_the_rules_refuse(village: Desk) -> None:
    assert spend(village, "1", "x", "repairs", status=1) == "wrong-purpose"
    assert spend(village, "900.01", "x", status=1) == "no-funds"
    assert spend(village, "900.00", "x") == "None"
    voucher = village.file("voucher.jpg", SCAN)
    nowhere = ("fund", "receive", "baths", "1", "--source", "society", "--voucher", voucher)
    assert village.json(*nowhere, status=1)["outcome"] == "no-account"
    again = ("fund", "open", "meals", "--purpose", "x", "--title", "x")
    assert village.json(*again, status=1)["outcome"] == "account-exists"
    assert "there is an account or fund of this name already" in village(*again, status=1).stderr
    assert village.verify()["ok"]


def test_two_members_sign_for_money(village: Desk) -> None:
    members = {key["key"] for key in village.json("key", "list") if key["role"] == "member"}
    for entry in village.entries():
        if entry.kind.startswith("fund_"):
            assert len({entry.by, *entry.beside} & members) == 2
    for path in sorted((village.home / "keys").glob("member-*.pem"))[1:]:
        path.unlink()
    error = village("fund", "open", "more", "--purpose", "x", "--title", "x", status=2).stderr
    assert "keys of 2 people" in error


def test_a_fund_is_an_account_in_yuan(village: Desk) -> None:
    balance = village.json("balance", "fund-meals")
    assert (balance["balance"], balance["unit"], balance["hours"]) == (90_000, "fen", None)
    assert "900.00 yuan" in village("balance", "fund-meals").stdout
    assert any(line["account"] == "fund-meals" for line in village.json("balance"))
    statement = village.json("statement", "fund-meals")
    assert [line["fen"] for line in statement["lines"]] == [123_450, 50, -10_000, -20_025, -3_475, -80_000, 80_000]
    assert {line["other"] for line in statement["lines"]} == {"outside"}
    assert all("minutes" not in line for line in statement["lines"])
    first, second, *_others = village("statement", "fund-meals").stdout.splitlines()[1:]
    assert first.split()[1:6] == ["money", "received", "outside", "+1234.50", "1234.50"]
    assert "+0.50" in second and "1235.00" in second
    assert "-800.00" in village("statement", "fund-meals").stdout
    outside = village.json("statement", "outside")["lines"]
    assert {line["other"] for line in outside} == {"fund-meals"}
    village("receipt", "--balance", "fund-meals", "-o", village.folder / "receipt")
    assert "there is no account fund-baths" in village("balance", "fund-baths", status=2).stderr
    assert "is no code" in village("statement", "fund-Meals", status=2).stderr


def test_the_journal_holds_yuan_and_hledger_agrees(village: Desk) -> None:
    journal = village.folder / "j.journal"
    village.populate()
    village("import", village.sheet({}), "--at", "2025-11-02T00:00:00Z")
    village("export", "--journal", journal)
    subprocess.run(["hledger", "-f", journal, "check", "--strict"], check=True)
    told = ["hledger", "-f", str(journal), "balance", "yuan", "--flat", "-O", "csv", "-N"]
    lines = subprocess.run(told, check=True, capture_output=True, text=True).stdout.splitlines()[1:]
    assert lines == [
        '"yuan:fund:fund-meals:balance","900.00 CNY"',
        '"yuan:system:outside:balance","-900.00 CNY"',
    ]
    found = ["hledger", "-f", str(journal), "register", "yuan:fund", "tag:purpose=meals", "-O", "csv"]
    assert subprocess.run(found, check=True, capture_output=True, text=True).stdout.count("fund_spend") == 4
    text = journal.read_text()
    assert "minute:person" in text and hashlib.sha256(SCAN).hexdigest() in text
    journal.write_text(text.replace("  123450", "").replace("  1234.50 CNY", "  1234.51 CNY", 1))
    assert subprocess.run(["hledger", "-f", journal, "check"], capture_output=True, check=False).returncode


def test_funds_in_chinese(village: Desk) -> None:
    shown = village("fund", "show", "meals", "--lang", "zh").stdout
    assert "政府" in shown and "1234.50 元" in shown and "助餐资金" in shown and "received" not in shown
    assert "收入资金" in village("statement", "fund-meals", "--lang", "zh").stdout
    voucher = village.file("voucher.jpg", SCAN)
    words = ("fund", "spend", "meals", "1", "--purpose", "baths", "--payee", "x", "--voucher", voucher)
    assert "资金的用途不符" in village(*words, "--lang", "zh", status=1).stderr


@pytest.mark.parametrize(
    ("cell", "fen"),
    [("1234.50", 123_450), ("0.01", 1), ("7", 700), (" 1.5 ", 150), ("9999999999.99", 999_999_999_999), ("007", 700)],
)
def test_yuan_are_read(cell: str, fen: int) -> None:
    assert parse_yuan(cell) == fen


@pytest.mark.parametrize(
    "cell",
    ["", "0", "0.00", "1.234", "1,234", "-5", "+5", "1e3", ".5", "5.", "１", "٣", "10000000000", "9" * 999],
)
def test_what_is_no_amount(cell: str) -> None:
    with pytest.raises(BadRowError):
        parse_yuan(cell)


@pytest.mark.parametrize(
    ("fen", "yuan"), [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (-12_345, "-123.45"), (2**53 - 1, "90071992547409.91")]
)
def test_yuan_are_exact(fen: int, yuan: str) -> None:
    assert yuan_of(fen) == yuan


@pytest.mark.parametrize(
    "words",
    [
        ("fund", "receive", "meals", "1", "--source", "society", "--voucher"),
        ("fund", "spend", "meals", "1", "--purpose", "meals", "--payee", "x", "--voucher"),
        ("opening", ANNE, "60", "--source"),
        ("record", ANNE, DORA, "--category", "assistance", *HOUR, "--paper"),
        ("assessment", "add", "x", "--period", "2026", "--score", "a=1", "--report"),
    ],
    ids=lambda words: words[0],
)
def test_an_empty_file_shows_nothing(desk: Desk, words: tuple[str, ...]) -> None:
    size = len(desk.entries())
    error = desk(*words, desk.file("scan.jpg", b""), status=2).stderr
    assert "scan.jpg is empty" in error and error.count("\n") == 1
    assert len(desk.entries()) == size


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("fund", "receive", "meals", "1.234", "--source", "society", "--voucher", "v"), "is no amount"),
        (("fund", "receive", "meals", "1", "--source", "bank", "--voucher", "v"), "'bank'"),
        (("fund", "receive", "meals", "1", "--source", "society", "--voucher", "none"), "none"),
        (("fund", "receive", "meals", "1", "--source", "society"), "Missing option '--voucher'"),
        (("fund", "spend", "Meals", "1", "--purpose", "x", "--payee", "x", "--voucher", "v"), "is no code"),
        (("fund", "show", "baths"), "there is no fund baths"),
        (("fund", "open", ANNE, "--purpose", "x", "--title", "x"), "is no code"),
        (("fund", "open", "meals", "--purpose", "x", "--title", " "), "only spaces"),
        (("fund", "receive", "meals", "1", "--source", "society", "--voucher", "/dev/null"), "/dev/null is not a file"),
        (
            ("fund", "spend", "meals", "1", "--purpose", "x", "--payee", "x", "--voucher", "/dev/zero"),
            "/dev/zero is not a file",
        ),
    ],
)
def test_words_that_cannot_be(desk: Desk, words: tuple[str, ...], message: str) -> None:
    size = len(desk.entries())
    result = desk(*words, status=2)
    assert message in result.stderr and result.stderr.count("\n") == 1
    assert len(desk.entries()) == size
