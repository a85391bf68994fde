"""Other programs' books: what their audit finds, and what of them comes onto the ledger."""

import datetime
import hashlib
import json
import re
import shlex
import shutil
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ledger.bodies import Opening
from ledger.numbers import POOL
from tests.web.desk import ANNE, BEN, CLARA, DORA, PARAMETERS, Desk, run
from web import oldbook
from web.oldbook_formats import parse_minutes_per_unit, parse_moment, parse_parts
from web.table import ROW_MAX_BYTES, BadRowError

ROOT = Path(__file__).resolve().parent.parent.parent
BOOKS = ROOT / "tests" / "data" / "oldbooks"
KOMUNITIN = BOOKS / "komunitin.csv"
TIMEOVERFLOW_ROW = "{payer},Member,{payee},Member,{amount},{created},reason,1\n"
LEAVING_DEBTS = ("--accounts", BOOKS / "komunitin.map.csv", "--leave-debts")


def check(path: Path, form: str, *words: str | Path, status: int = 0) -> Any:
    """What ``oldbook check`` says with --json."""
    return json.loads(run("oldbook", "check", path, "--format", form, *words, "--json", status=status).stdout)


def found(report: Any) -> list[tuple[str, int]]:
    """Code and line of each finding."""
    return [(each["code"], each["line"]) for each in report["findings"]]


def transfers(*rows: tuple[str, str, object, str]) -> str:
    """A TimeOverflow file of rows of payer, payee, seconds and date."""
    return "".join(
        TIMEOVERFLOW_ROW.format(payer=payer, payee=payee, amount=amount, created=created)
        for payer, payee, amount, created in rows
    )


@pytest.fixture
def populated(desk: Desk) -> Desk:
    """A ledger with four people, and no service."""
    desk.populate()
    return desk


def carry(desk: Desk, book: Path, form: str, *words: str | Path, status: int = 0) -> Any:
    """What ``oldbook import`` says with --json."""
    return desk.json("oldbook", "import", book, "--format", form, *words, status=status)


def openings(desk: Desk) -> list[tuple[str, int, bytes]]:
    """Account, minutes and hash of each opening on the ledger."""
    bodies = [entry.body for entry in desk.entries()]
    return [(body.account, body.minutes, body.source) for body in bodies if isinstance(body, Opening)]


# Sound books


@pytest.mark.parametrize(
    ("name", "form", "balances", "rows", "counted", "above"),
    [
        ("timeoverflow.csv", "timeoverflow", "timeoverflow.balances.csv", 5, 5, 120),
        ("komunitin.csv", "komunitin", "komunitin.accounts.csv", 5, 3, 270),
        ("drupal.csv", "drupal", None, 6, 4, 129),
    ],
)
def test_a_sound_book(name: str, form: str, balances: str | None, rows: int, counted: int, above: int) -> None:
    words: Sequence[str | Path] = () if balances is None else ("--balances", BOOKS / balances)

    report = check(BOOKS / name, form, *words)

    assert report["findings"] == []
    assert (report["rows"], report["counted"], report["above_zero"]["minutes"]) == (rows, counted, above)
    assert report["below_zero"]["minutes"] == -above
    assert report["assumed"]


def test_what_did_not_move_hours_is_counted_by_state() -> None:
    assert check(KOMUNITIN, "komunitin")["waiting"] == {"pending": 1, "rejected": 1}
    drupal = check(BOOKS / "drupal.csv", "drupal")
    assert drupal["waiting"] == {"erased": 1, "pending": 1}
    assert drupal["undated"] == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: b"\xef\xbb\xbf" + raw,
        lambda raw: raw.replace(b"\n", b"\r\n"),
        lambda raw: raw.decode().replace("shopping", "买菜").encode("gb18030"),
        lambda raw: raw.decode().replace("shopping", "买菜").encode(),
        lambda raw: raw.rstrip(b"\n"),
        lambda raw: b"\n\n" + raw,
        lambda raw: raw.replace(b'"two\nlines"', b"x").replace(b"Reading, and", b"x").replace(b",", b";"),
        lambda raw: b"source_id,source_type,destination_id,destination_type,amount,created_at,reason,post_id\n" + raw,
    ],
    ids=["bom", "crlf", "gb18030", "utf-8", "no-last-line-end", "empty-lines", "semicolons", "header-after-all"],
)
def test_one_book_in_many_spellings(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "book.csv"
    path.write_bytes(change((BOOKS / "timeoverflow.csv").read_bytes()))

    report = check(path, "timeoverflow", "--balances", BOOKS / "timeoverflow.balances.csv")

    assert (report["counted"], report["findings"]) == (5, [])


def test_a_book_may_run_backwards(desk: Desk) -> None:
    rows = [("1", "2", 60, f"2024-01-{day:02}") for day in range(20, 0, -1)]
    assert found(check(desk.file("down.csv", transfers(*rows)), "timeoverflow")) == []
    rows[5], rows[6] = rows[6], rows[5]
    assert found(check(desk.file("mixed.csv", transfers(*rows)), "timeoverflow", status=1)) == [("out-of-order", 7)]


def test_minutes_per_unit_can_be_told() -> None:
    for told, minutes in (("60", 270), ("1", 4.5), ("1/60", 0.075), ("90/4", 101.25)):
        report = check(KOMUNITIN, "komunitin", "--minutes-per-unit", told, "--round", "down")
        assert report["above_zero"]["minutes"] == minutes
        assert not report["assumed"]


@pytest.mark.parametrize("told", ["0", "1/0", "-1", "", "1.5", "1/2/3", "9999999", "٣"])
def test_no_minutes_per_unit(told: str) -> None:
    assert (
        "write 60 or 1/60"
        in run("oldbook", "check", KOMUNITIN, "--format", "komunitin", "--minutes-per-unit", told, status=2).stderr
    )
    with pytest.raises(BadRowError):
        parse_minutes_per_unit(told)


# Flaws


def test_every_flaw_of_a_timeoverflow_book_is_named() -> None:
    report = check(BOOKS / "timeoverflow.flawed.csv", "timeoverflow", status=1)

    assert found(report) == [
        *(("bad-row", line) for line in (7, 8, 9, 10, 11)),
        ("self", 4),
        *(("not-positive", line) for line in (5, 6)),
        ("duplicate", 3),
        ("not-whole-minutes", 2),
        ("out-of-order", 13),
        ("in-future", 12),
    ]
    assert (report["rows"], report["counted"]) == (13, 4)
    assert report["above_zero"]["minutes"] == -report["below_zero"]["minutes"] == 50
    assert report["counts"] == dict(Counter(code for code, _line in found(report)))


def test_flaws_of_a_drupal_book_and_nobody_by_address() -> None:
    report = check(BOOKS / "drupal.flawed.csv", "drupal", status=1)
    assert found(report) == [("bad-row", 4), ("self", 5), ("duplicate", 7), ("not-whole-minutes", 3)]
    shown = run("oldbook", "check", BOOKS / "drupal.flawed.csv", "--format", "drupal", status=1)
    assert "zhao" not in shown.output
    assert "line 3: 19.8 min are no whole minutes" in shown.stdout
    assert "not read: type, description" in shown.stderr


def test_a_printed_balance_that_does_not_follow() -> None:
    report = check(KOMUNITIN, "komunitin", "--balances", BOOKS / "komunitin.flawed-accounts.csv", status=1)
    assert found(report) == [("balance-differs", 4), ("sum-not-zero", 0)]
    text = report["findings"][0]["text"]
    assert ("NET0003" in text, "225 min are printed" in text, "165 min follow" in text) == (True, True, True)


@pytest.mark.parametrize(
    ("balances", "findings"),
    [
        ("account,balance\nNET0001,-4.5\nNET0002,1:45\nNET0003,2.75\n", []),
        ("user,balance,gross_income\nNET0001,-4.5,1\nNET0002,1.75,1\nNET0003,2.75,9\n", []),
        ("account,balance\nNET0001,-4:30\nNET0002,1.75\nNET0003,2.75\nNET0009,0\n", []),
        ("account,balance\nNET0001,-4.5\nNET0002,1.75\n", [("balance-differs", 0), ("sum-not-zero", 0)]),
        (
            "account,balance\nNET0001,-5.5\nNET0002,1.75\nNET0003,2.75\nNET0009,1\n",
            [("balance-differs", 2), ("balance-differs", 5)],
        ),
        (
            "account,balance\nNET0001,-4.5\nNET0002,1.75\nNET0003,2.75\nNET0003,2.75\nNET0001,much\n,1\n",
            [("bad-balance", line) for line in (5, 6, 7)],
        ),
    ],
    ids=["same", "drupal's names", "unknown-zero", "missing", "differs", "bad-rows"],
)
def test_printed_balances(desk: Desk, balances: str, findings: list[tuple[str, int]]) -> None:
    path = desk.file("balances.csv", balances)
    assert found(check(KOMUNITIN, "komunitin", "--balances", path, status=int(bool(findings)))) == findings


def test_nobody_need_print_a_balance_of_nothing(desk: Desk) -> None:
    path = desk.file("balances.csv", "account,balance\n3,7200\norganization,-7200\n")
    assert found(check(BOOKS / "timeoverflow.csv", "timeoverflow", "--balances", path)) == []


def test_tomorrow_is_still_to_come(desk: Desk) -> None:
    now = datetime.datetime.now(datetime.UTC)
    days = [(now + datetime.timedelta(days=count)).isoformat(sep=" ", timespec="seconds") for count in (-1, 1)]
    book = desk.file("book.csv", transfers(*(("1", "2", 60, day) for day in days)))
    assert found(check(book, "timeoverflow", status=1)) == [("in-future", 2)]


def test_a_balance_of_an_address_is_shown_by_its_line(desk: Desk) -> None:
    path = desk.file("balances.csv", "user,balance\n4,-2.15\n5,0.75\nzhao@village.example,9\nli@village.example,1\n")
    words = ("oldbook", "check", BOOKS / "drupal.csv", "--format", "drupal", "--balances", path)
    shown = run(*words, status=1)
    assert "(payee of line 3): 540 min are printed, 84 min follow" in shown.stdout
    assert "(in no movement): 60 min are printed" in shown.stdout
    assert "@" not in shown.output


@pytest.mark.parametrize(
    ("first", "second", "is_duplicate"),
    [
        ("a,2024-05-08T15:40:14.123Z,1.5,h", "a,2024-05-09T15:40:14.123Z,2.5,i", True),
        ("a,2024-05-08T15:40:14.123Z,1.5,h", "b,2024-05-09T15:40:14.123Z,2.5,h", True),
        ("a,2024-05-08T15:40:14.123Z,1.5,h", "b,2024-05-08T15:40:14.123Z,1.50,i", True),
        ("a,2024-05-08T15:40:14.123Z,1.5,h", "b,2024-05-08T15:40:14.124Z,1.5,i", False),
        ("a,2024-05-08T15:40:14.123Z,1.5,", "b,2024-05-09T15:40:14.123Z,1.5,", False),
    ],
    ids=["id", "hash", "date-parties-amount", "a-millisecond-later", "no-hash"],
)
def test_what_a_duplicate_is(desk: Desk, first: str, second: str, is_duplicate: bool) -> None:
    header = "id,created,amount,hash,state,payer.id,payer.code,payee.id,payee.code"
    book = desk.file("book.csv", "\n".join([header, *(f"{row},committed,,N1,p-2," for row in (first, second))]))
    report = check(book, "komunitin", status=int(is_duplicate))
    assert found(report) == ([("duplicate", 3)] if is_duplicate else [])


def test_findings_are_all_counted_and_some_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oldbook, "KEPT_FINDINGS", 3)
    rows = [("1", "2", 60, f"2024-01-{day}") for day in (20, 19, 21, 18, 22, 17, 23, 16, 24, 15, 25, 26)]
    rows += [("1", "1", 60, "2024-02-01")] * 5
    report = check(desk.file("book.csv", transfers(*rows)), "timeoverflow", status=1)
    assert report["counts"] == {"self": 5, "out-of-order": 5}
    assert Counter(code for code, _line in found(report)) == {"self": 3, "out-of-order": 3}


# Hostile files


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\n\n,,,\n", "holds no movements"),
        (b"\xff\xfe1\x00,\x00", "UTF-16"),
        (b"\x00" * 5_000, "NUL"),
        (b"x" * 3 * ROW_MAX_BYTES, "longer than"),
        (b'"' * 999 + b"\n", "holds no movements"),
        (b'"' * 998 + b"1\n", "no row"),
        (b"1,Member,2,Member," + b"9" * 60_000 + b",2024-01-01,,\n", "is too long"),
        (b"1,Member,2,Member," + b"9" * 1_000_000 + b",2024-01-01,,\n", "longer than"),
        (b"1,Member,2,Member,60,2024-13-41,,\n", "is no date"),
        (b"1,Member,2,Member,60,0001-01-01 00:00:00 +23:59,,\n", "is no date"),
        (b"1,Member,2,Member,1e9,2024-01-01,,\n", "is no amount"),
        ("1,Member,2,Member,６０,2024-01-01,,\n".encode(), "is no amount"),
        (b"n" * 300 + b",Member,2,Member,60,2024-01-01,,\n", "longer than 254"),
        (b"1,Member,2,Member,60,2024-01-01,,,,,,,,x\n", "cells"),
        (KOMUNITIN.read_bytes(), "is it of another program?"),
    ],
)
def test_a_file_that_is_no_book(desk: Desk, content: bytes, reason: str) -> None:
    path = desk.file("book.csv", content)
    told = run("oldbook", "check", path, "--format", "timeoverflow", status=2).stderr
    assert reason in told
    assert len(told) < 500
    assert told.count("\n") <= 2


@pytest.mark.parametrize("form", ["komunitin", "drupal"])
def test_a_file_of_another_program(form: str) -> None:
    assert "has no column" in run("oldbook", "check", BOOKS / "timeoverflow.csv", "--format", form, status=2).stderr
    assert "No such file" in run("oldbook", "check", "none.csv", "--format", form, status=2).stderr


@pytest.mark.parametrize("form", ["timeoverflow", "komunitin", "drupal"])
def test_a_device_is_no_book(desk: Desk, form: str) -> None:
    error = run("oldbook", "check", "/dev/full", "--format", form, status=2).stderr
    assert "/dev/full is not a file" in error and error.count("\n") == 1
    words = ("oldbook", "check", KOMUNITIN, "--format", "komunitin", "--balances", "/dev/full")
    assert "/dev/full is not a file" in run(*words, status=2).stderr
    words = ("oldbook", "import", KOMUNITIN, "--format", "komunitin", "--accounts", "/dev/full")
    assert "/dev/full is not a file" in desk(*words, status=2).stderr


@pytest.mark.parametrize("form", ["komunitin", "drupal"])
@pytest.mark.parametrize("content", [bytes(3 * ROW_MAX_BYTES), b"created," * ROW_MAX_BYTES])
def test_a_header_is_read_up_to_a_bound(desk: Desk, form: str, content: bytes) -> None:
    told = run("oldbook", "check", desk.file("book.csv", content), "--format", form, status=2).stderr
    assert len(told) < 500 and told.count("\n") == 1


def test_rows_among_hostile_ones_still_count(desk: Desk) -> None:
    good = transfers(("1", "2", 60, "2024-01-01")).encode()
    bad = b'1,"Member,2\n' + b"\0,\n" + b"z" * 2 * ROW_MAX_BYTES + b"\n" + b"\xff\xff,Member,2,Member,60,2024-01-01,,\n"
    report = check(desk.file("book.csv", good + bad + good.replace(b"60", b"120")), "timeoverflow", status=1)
    assert (report["rows"], report["counted"], report["above_zero"]["minutes"]) == (6, 2, 3)
    assert found(report) == [("bad-row", line) for line in (2, 3, 4, 5)]


def test_balances_are_those_of_a_plain_sum(desk: Desk) -> None:
    random = Random(7)
    balances: Counter[str] = Counter()
    rows = []
    for second in range(500):
        payer, payee = random.sample([str(number) for number in range(1, 9)], 2)
        minutes = random.randrange(1, 600)
        balances[payer] -= minutes
        balances[payee] += minutes
        rows.append((payer, payee, 60 * minutes, f"2024-01-01 00:{second // 60:02}:{second % 60:02}"))
    printed = "".join(f"{name},{60 * minutes}\n" for name, minutes in balances.items())
    words = ("--balances", desk.file("balances.csv", "account,balance\n" + printed))

    report = check(desk.file("book.csv", transfers(*rows)), "timeoverflow", *words)

    assert report["counted"] == 500
    assert report["above_zero"]["minutes"] == sum(each for each in balances.values() if each > 0)


@pytest.mark.parametrize(("bound", "told"), [("ROWS_MAX", "more than 4 rows"), ("ACCOUNTS_MAX", "than 4 accounts")])
def test_bounds(desk: Desk, monkeypatch: pytest.MonkeyPatch, bound: str, told: str) -> None:
    monkeypatch.setattr(oldbook, bound, 4)
    rows = [(str(number), "99", 60, "2024-01-01") for number in range(1, 6)]
    book = desk.file("book.csv", transfers(*rows))
    assert told in run("oldbook", "check", book, "--format", "timeoverflow", status=2).stderr


def test_no_decimal_is_lost() -> None:
    assert parse_parts("0.1") * 10 == parse_parts("1") == 1_000_000_000
    assert parse_parts("-999999999999.999999999") == -(10**21 - 1)
    book = oldbook.OldBook(form=None, source=b"", minutes_per_unit=Fraction(1, 60))  # type: ignore[arg-type]
    assert book.in_minutes(parse_parts("1")) * 60 == 1


def test_one_moment_in_many_spellings() -> None:
    spellings = ["2024-03-04 08:00:00 UTC", "2024-03-04T08:00:00.000Z", "2024-03-04 08:00", "2024-03-04T16:00:00+0800"]
    spellings += ["2024-03-04 09:00:00.000000 +01:00", "2024-03-04 09:00:00+01", "2024-03-04 08:00:00.0"]
    assert {parse_moment(each).isoformat() for each in spellings} == {"2024-03-04T08:00:00+00:00"}


# Onto the ledger


def test_balances_come_over_and_nothing_else(populated: Desk) -> None:
    summary = carry(populated, KOMUNITIN, "komunitin", *LEAVING_DEBTS)

    source = hashlib.sha256(KOMUNITIN.read_bytes()).digest()
    assert sorted(openings(populated)) == [(CLARA, 165, source), (ANNE, 105, source)]
    assert (summary["accepted"], summary["minutes"], summary["skipped"]) == (2, 270, 0)
    assert summary["debts"] == {"total": 270, "accounts": [{"old": "NET0001", "amount": 270}]}
    assert (populated.balance(ANNE), populated.balance(CLARA), populated.balance("issue")) == (105, 165, -270)
    populated("seal")
    assert populated.verify()["ok"]
    raw = (populated.home / "ledger.db").read_bytes()
    assert [word for word in (b"NET000", b"Garden", b"thanks", b"u-1", b"7d00") if word in raw] == []


def test_a_second_import_adds_nothing(populated: Desk) -> None:
    carry(populated, KOMUNITIN, "komunitin", *LEAVING_DEBTS)
    size = len(populated.entries())
    summary = carry(populated, KOMUNITIN, "komunitin", *LEAVING_DEBTS)
    assert (summary["accepted"], summary["skipped"], len(populated.entries())) == (0, 2, size)

    populated("import", populated.sheet({}))
    summary = carry(populated, KOMUNITIN, "komunitin", *LEAVING_DEBTS)
    assert (summary["accepted"], summary["skipped"], summary["obstacles"]) == (0, 2, [])


def test_what_was_reversed_can_be_carried_over_again(populated: Desk) -> None:
    carry(populated, KOMUNITIN, "komunitin", *LEAVING_DEBTS)
    last = len(populated.entries()) - 1
    populated("reverse", str(last), "--reason", "x")
    again = ("--minutes-per-unit", "120", *LEAVING_DEBTS)
    summary = carry(populated, KOMUNITIN, "komunitin", *again, status=1)
    assert [each["outcome"] for each in summary["obstacles"]] == ["opening-differs"]
    assert str(last - 1) in summary["obstacles"][0]["text"]
    populated("reverse", str(last - 1), "--reason", "x")
    assert carry(populated, KOMUNITIN, "komunitin", *again)["minutes"] == 540
    assert populated.verify()["ok"]


def test_a_newer_export_would_double_the_hours(populated: Desk) -> None:
    carry(populated, KOMUNITIN, "komunitin", *LEAVING_DEBTS)
    newer = populated.file("newer.csv", KOMUNITIN.read_bytes() + b"\n")
    summary = carry(populated, newer, "komunitin", *LEAVING_DEBTS, status=1)
    assert [each["outcome"] for each in summary["obstacles"]] == ["other-opening"] * 2
    assert populated.balance(ANNE) == 105
    assert carry(populated, newer, "komunitin", *LEAVING_DEBTS, "--second-book")["accepted"] == 2
    assert populated.balance(ANNE) == 210


def test_after_the_first_service_every_row_is_too_late(populated: Desk) -> None:
    populated("import", populated.sheet({}))
    size = len(populated.entries())

    words = ("oldbook", "import", KOMUNITIN, "--format", "komunitin", *LEAVING_DEBTS)
    told = populated(*words, status=1).stderr

    assert "2  not-first-day: services are on the ledger already" in told
    assert "NET0002: account 12345676: services are on the ledger already" in told
    assert "nothing is written" in told
    assert len(populated.entries()) == size


def test_more_minutes_than_a_ledger_counts(populated: Desk) -> None:
    book = populated.file("book.csv", "payer,payee,quantity,created,state\n1,2,999999999999,2024-01-01,1\n")
    mapping = populated.file("map.csv", f"old,account\n2,{ANNE}\n")
    words = ("--accounts", mapping, "--leave-debts", "--minutes-per-unit", "999999")
    summary = carry(populated, book, "drupal", *words, status=1)
    assert [each["outcome"] for each in summary["obstacles"]] == ["entry.noncanonical"]
    assert openings(populated) == []


def test_one_refusal_keeps_all_back(populated: Desk) -> None:
    populated("person", "close", CLARA, "--reason", "moved")
    size = len(populated.entries())
    summary = carry(populated, KOMUNITIN, "komunitin", *LEAVING_DEBTS, status=1)
    assert [(each["outcome"], each["shown"]) for each in summary["obstacles"]] == [("closed", "NET0003")]
    assert (summary["accepted"], summary["minutes"], len(populated.entries())) == (0, 0, size)
    assert populated.balance(ANNE) == 0


def test_debts_and_unmapped_accounts_are_all_named(populated: Desk) -> None:
    mapping = populated.file("map.csv", f"old,account\nNET0003,{ANNE}\n")
    told = populated("oldbook", "import", KOMUNITIN, "--format", "komunitin", "--accounts", mapping, status=1).stderr
    assert "NET0001: -270 min; it is below zero" in told
    assert "NET0002: 105 min; the file of accounts does not say" in told
    assert openings(populated) == []


def test_an_old_account_can_be_left_behind(populated: Desk) -> None:
    mapping = populated.file("map.csv", f"old;account\nNET0003;\nNET0002;{int(CLARA)}\nNET0077;{BEN}\n")
    summary = carry(populated, KOMUNITIN, "komunitin", "--accounts", mapping, "--leave-debts")
    assert summary["left"] == {"total": 165, "accounts": [{"old": "NET0003", "amount": 165}]}
    assert [(account, minutes) for account, minutes, _source in openings(populated)] == [(CLARA, 105)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("old,account\nNET0002,123\n", "line 2"),
        (f"old,account\nNET0002,{ANNE}\nNET0002,{BEN}\n", "an old account for the second time"),
        (f"old,account\nNET0002,{ANNE}\nNET0003,{ANNE}\n", "stands in line 2 already"),
        (f"old,account\n,{ANNE}\n", "line 2"),
        (f"name,account\n,{ANNE}\n", "has no column old"),
        ("", "is empty"),
    ],
)
def test_a_wrong_file_of_accounts(populated: Desk, content: str, told: str) -> None:
    mapping = populated.file("map.csv", content)
    words = ("oldbook", "import", KOMUNITIN, "--format", "komunitin", "--accounts", mapping)
    assert told in populated(*words, "--leave-debts", status=2).stderr
    assert openings(populated) == []


def test_findings_stop_an_import_until_they_are_accepted(populated: Desk) -> None:
    book = BOOKS / "drupal.flawed.csv"
    mapping = populated.file("map.csv", f"old,account\n5,{ANNE}\nzhao@village.example,{CLARA}\n")
    words = ("--accounts", mapping, "--leave-debts")

    first = populated("oldbook", "import", book, "--format", "drupal", *words, status=1)
    assert "duplicate" in first.stdout
    assert "--accept-differences" in first.stderr
    accepted = carry(populated, book, "drupal", *words, "--accept-differences", status=1)
    assert [each["outcome"] for each in accepted["obstacles"]] == ["not-whole-minutes"]
    assert openings(populated) == []

    rounded = carry(populated, book, "drupal", *words, "--accept-differences", "--round", "down")
    assert rounded["lost_seconds"] == {"total": 48, "accounts": [{"old": "5", "amount": 48}]}
    assert [each[:2] for each in openings(populated)] == [(ANNE, 94), (CLARA, 60)]


def test_what_rounding_loses_is_reported_before_it_does(desk: Desk) -> None:
    book = desk.file("book.csv", transfers(("1", "2", 90, "2024-01-01"), ("1", "3", 3599, "2024-01-02")))
    assert found(check(book, "timeoverflow", status=1)) == [("not-whole-minutes", 1), ("not-whole-minutes", 2)]
    shown = run("oldbook", "check", book, "--format", "timeoverflow", "--round", "down").stdout
    assert "lost by rounding down: 2 accounts, 89 s" in shown
    assert "2: 30 s" in shown
    assert "3: 59 s" in shown


def test_less_than_a_minute_is_no_opening(populated: Desk) -> None:
    book = populated.file("book.csv", transfers(("1", "2", 59, "2024-01-01"), ("1", "3", 60, "2024-01-02")))
    mapping = populated.file("map.csv", f"old,account\n2,{ANNE}\n3,{BEN}\n")
    summary = carry(populated, book, "timeoverflow", "--accounts", mapping, "--leave-debts", "--round", "down")
    assert [each[:2] for each in openings(populated)] == [(BEN, 1)]
    assert summary["lost_seconds"]["total"] == 59


def test_more_accounts_than_a_sheet_holds(populated: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.oldbook_openings.SHEET_MAX_STATEMENTS", 2)
    rows = [("1", str(number), 60 * number, f"2024-01-0{number}") for number in (2, 3, 4, 5)]
    book = populated.file("book.csv", transfers(*rows))
    numbers = dict(zip("2345", (ANNE, BEN, CLARA, DORA), strict=True))
    mapping = populated.file("map.csv", "old,account\n" + "".join(f"{old},{new}\n" for old, new in numbers.items()))
    assert carry(populated, book, "timeoverflow", "--accounts", mapping, "--leave-debts")["accepted"] == 4
    assert [populated.balance(new) for new in numbers.values()] == [2, 3, 4, 5]
    assert populated.verify()["ok"]


def test_what_the_ceiling_sends_to_the_pool_is_said(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.init(parameters=PARAMETERS | {"balance_max_minutes": 120})
    desk.populate()
    words = ("oldbook", "import", KOMUNITIN, "--format", "komunitin", *LEAVING_DEBTS)
    assert "in the pool: 45 min" in desk(*words).stdout
    assert (desk.balance(CLARA), desk.balance(POOL)) == (120, 45)


# The guide


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_guide_does_what_it_says(language: str, populated: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(populated.folder)
    for sample, name in (("", "transfers"), (".accounts", "accounts"), (".map", "map")):
        shutil.copy(BOOKS / f"komunitin{sample}.csv", f"{name}.csv")
    printed = ""
    for line in guide_lines(language):
        if line.startswith("$ huzhu"):
            command, _hash, said = line.removeprefix("$ huzhu ").partition("  # ")
            status = int(re.sub(r"\D", "", said) or 0)
            printed = run(*shlex.split(command), "--lang", language, status=status).output
        else:
            assert " ".join(line.split()) in " ".join(printed.split())


def test_the_guide_shows_the_map_and_both_languages_run_the_same() -> None:
    english, chinese = ([line for line in guide_lines(each) if line[0] == "$"] for each in ("en", "zh"))
    assert [line.partition("  #")[0] for line in english] == [line.partition("  #")[0] for line in chinese]
    assert len(english) == 6
    for name in ("carry-over.md", "carry-over.zh.md"):
        assert (BOOKS / "komunitin.map.csv").read_text("utf-8") in (ROOT / "docs" / name).read_text("utf-8")


def guide_lines(language: str) -> list[str]:
    """The lines of a guide's console blocks."""
    text = (ROOT / "docs" / ("carry-over.md" if language == "en" else "carry-over.zh.md")).read_text("utf-8")
    return "".join(re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)).splitlines()
