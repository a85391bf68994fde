"""Day sheets onto the ledger: what goes in, what comes back, and nothing twice."""

import json
from pathlib import Path
from typing import Any

import pytest

from chain.fields import format_time
from ledger.numbers import account_number
from tests.web.desk import ANNE, BEN, CLARA, DORA, Desk
from web import importing

NO_VOLUNTEER = {"provider": DORA, "recipient": CLARA}


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.populate()
    return desk


def services(desk: Desk) -> list[Any]:
    return [entry for entry in desk.entries() if entry.kind == "service"]


def test_good_rows_go_in_and_bad_ones_come_back(desk: Desk) -> None:
    sheet = desk.sheet(
        {},
        {"start": "10:00", "end": "11:00", "minutes": "1e3", "remark": "=1+1"},
        {"start": "11:00", "end": "12:00"} | NO_VOLUNTEER,
        {"start": "13:00", "end": "14:30"},
    )
    result = desk("import", sheet, status=1)

    assert "rows: 4; accepted: 2; refused: 2" in result.stdout
    assert "sheet.refused.csv" in result.stderr
    assert desk.balance(ANNE) == 150
    first, second = desk.refused()
    assert (first["line"], first["outcome"], first["remark"]) == ("3", "bad-row", "=1+1")
    assert first["reason"] == "'1e3' is no number of minutes: write digits, or leave it empty"
    assert (second["line"], second["outcome"], second["provider"]) == ("4", "not-volunteer", DORA)
    assert second["reason"] == "who served is not registered as a volunteer"


def test_reasons_are_in_the_readers_language(desk: Desk) -> None:
    result = desk("import", desk.sheet(NO_VOLUNTEER), "--lang", "zh", status=1)
    assert "accepted" not in result.stdout
    assert desk.refused()[0]["reason"] == "提供服务的人没有登记为志愿者"


def test_the_refused_rows_can_be_mended_and_imported(desk: Desk) -> None:
    desk("import", desk.sheet({}, {"start": "10:00", "end": "25:00"}), status=1)
    refused = desk.folder / "sheet.refused.csv"
    refused.write_text(refused.read_text("utf-8").replace("25:00", "11:00"), "utf-8")

    assert not desk("import", refused).stderr
    assert desk.balance(ANNE) == 120
    assert not (desk.folder / "sheet.refused.refused.csv").exists()


def test_rows_that_are_refused_twice_have_one_reason(desk: Desk) -> None:
    desk("import", desk.sheet({}, {"start": "10:00", "end": "25:00"}), status=1)
    desk("import", desk.folder / "sheet.refused.csv", status=1)
    header, row = (desk.folder / "sheet.refused.refused.csv").read_text("utf-8").splitlines()
    assert header.startswith("line,outcome,reason,date,start")
    assert row.startswith("2,bad-row,")
    assert row.count("bad-row") == 1


def test_refused_rows_stand_in_order_of_line_and_outcomes_in_order_of_number(desk: Desk) -> None:
    rows = [{"date": f"2025-11-{day:02}"} | NO_VOLUNTEER for day in (3, 1, 2)]
    result = desk(
        "import", desk.sheet(*rows, {"end": "x"}, {"start": "x"}, {"provider": DORA}), "--seal-by", "date", status=1
    )
    assert [line for line, _outcome in desk.outcomes()] == [2, 3, 4, 5, 6, 7]
    said = [line.split(":")[0].split() for line in result.stderr.splitlines()[:3]]
    assert said == [["3", "not-volunteer"], ["2", "bad-row"], ["1", "self-dealing"]]


def test_a_run_without_refusals_leaves_no_file_of_an_older_one(desk: Desk) -> None:
    sheet = desk.sheet({"provider": BEN})
    sheet.write_text(sheet.read_text("utf-8").replace("paper", "photo"), "utf-8")
    desk("import", sheet, status=1)
    desk("import", desk.sheet({"provider": BEN}))
    assert sorted(path.name for path in desk.folder.glob("*sheet*")) == ["sheet.csv"]


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8-sig", "utf-8"])
def test_the_refused_rows_open_in_a_spreadsheet(desk: Desk, encoding: str) -> None:
    sheet = desk.sheet({"remark": "陪老人聊天"}, {"remark": "种菜", "category": "gardening"})
    sheet.write_bytes(sheet.read_text("utf-8").encode(encoding))
    desk("import", sheet, status=1)
    raw = (desk.folder / "sheet.refused.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert desk.refused()[0]["remark"] == "种菜"
    assert desk.balance(ANNE) == 60


def test_plain_refused_rows_have_no_mark(desk: Desk) -> None:
    desk("import", desk.sheet(NO_VOLUNTEER), status=1)
    assert (desk.folder / "sheet.refused.csv").read_bytes().startswith(b"line,outcome,reason,date")


def test_what_a_spreadsheet_makes_of_the_sheet(desk: Desk) -> None:
    header = (
        "date;start;end;provider;recipient;category;local;minutes;paid_by;evidence;coupon;recorder;certifier;remark"
    )
    rows = [f"2025/11/1;9:00;10:30;{ANNE};8321728;assistance;;;issue;paper;;;;陪伴", ";;;;;;;;;;;;;", ""]
    sheet = desk.file("sheet.csv", "\r\n".join([header, *rows]).encode("gb18030"))
    desk("import", sheet)
    [entry] = services(desk)
    assert (entry.body.recipient, entry.body.minutes) == (DORA, 90)


def test_hostile_rows_one_by_one(desk: Desk) -> None:
    good = desk.sheet({}).read_bytes().splitlines(keepends=True)
    bad = [
        good[1].replace(b"paper", b"paper\0"),
        good[1].replace(b"\n", b"x" * 10_000_000 + b"\n"),
        good[1].replace(b"assistance", b'"assistance'),
        good[1].replace(b"2025-11-01", b"2026-02-30"),
        good[1].replace(ANNE.encode(), "１２３４５６７６".encode()),
        good[1].replace(b"09:00", b"@x"),
        good[1].replace(b"\n", b"\xff\xff\n"),
        b"=1+1\n",
    ]
    desk("import", desk.file("sheet.csv", b"".join([good[0], *bad, good[1]])), status=1)
    assert desk.outcomes() == [(line, "bad-row") for line in range(2, 10)]
    assert desk.balance(ANNE) == 60
    assert "not repeated here" in desk.refused()[1]["reason"]
    assert (desk.folder / "sheet.refused.csv").stat().st_size < 10_000


def test_services_over_midnight_and_of_no_length(desk: Desk) -> None:
    sheet = desk.sheet({"start": "23:30", "end": "00:30"}, {"start": "10:00", "end": "10:00"})
    desk("import", sheet, status=1)
    assert desk.outcomes() == [(3, "bad-interval")]
    assert desk.balance(ANNE) == 60


def test_a_minors_guardian_is_named(desk: Desk) -> None:
    tim = account_number(222_222)
    minor = {"account": tim, "born": "2012-01-01", "roles": "volunteer", "guardian": ANNE}
    desk("person", "import", desk.people(minor, name="minor.csv"), "--at", "2025-10-31T01:00:00Z")
    desk("import", desk.sheet({"provider": tim}))
    assert services(desk)[0].body.guardian == ANNE


# Who signs


def key_ids(desk: Desk, role: str) -> list[str]:
    return [key["key"] for key in desk.json("key", "list") if key["role"] == role]


def test_rows_of_another_recorder_and_certifier_stand_on_sheets_of_their_own(desk: Desk) -> None:
    made = desk.json("key", "new", "--role", "clerk")["key"]
    desk("key", "grant", made, "--role", "clerk")
    clerk, members = next(key for key in key_ids(desk, "clerk") if key != made), key_ids(desk, "member")
    sheet = desk.sheet(
        {"start": "08:00", "end": "08:10", "recorder": clerk},
        {"start": "08:10", "end": "08:20", "recorder": made, "certifier": members[2]},
        {"start": "08:20", "end": "08:30", "certifier": members[0]},
        {"start": "08:30", "end": "08:40"},
    )
    desk("import", sheet, "--clerk", clerk, "--member", members[0])
    assert [(entry.by, entry.beside) for entry in services(desk)] == [
        (clerk, (members[0],)),
        (made, (members[2],)),
        (clerk, (members[0],)),
        (clerk, (members[0],)),
    ]


def test_rows_that_name_keys_which_are_not_here_are_refused(desk: Desk) -> None:
    member = key_ids(desk, "member")[0]
    sheet = desk.sheet({"recorder": "0123456789abcdef"}, {"certifier": "0123456789abcdef"}, {"recorder": member})
    desk("import", sheet, status=1)
    assert desk.outcomes() == [(2, "not-allowed"), (3, "needs-second"), (4, "not-allowed")]


# Dates and blocks


def test_blocks_by_date_are_stamped_at_the_end_of_the_day(desk: Desk) -> None:
    sheet = desk.sheet(
        {"date": "2025-11-03"},
        {"date": "2025-11-02", "start": "23:00", "end": "00:30"},
        {"date": "2025-11-02", "start": "20:00", "end": "20:30"},
    )
    summary = desk.json("import", sheet, "--seal-by", "date", "--at", "date")
    assert (summary["accepted"], summary["blocks"]) == (3, 2)
    *_people, first, second, seal, third, last = desk.entries()
    assert [entry.body.minutes for entry in (first, second, third)] == [90, 30, 60]
    stamps = [format_time(entry.at) for entry in (first, second, seal, third, last)]
    assert stamps == ["2025-11-02T16:30:00Z"] * 3 + ["2025-11-03T15:59:59Z"] * 2
    assert desk.verify()["ok"]


def test_without_seal_by_nothing_is_sealed_unless_asked(desk: Desk) -> None:
    assert desk.json("import", desk.sheet({}))["blocks"] == 0
    assert desk.entries()[-1].kind == "service"
    assert desk.json("import", desk.sheet({"date": "2025-11-02"}), "--seal")["blocks"] == 1
    assert desk.entries()[-1].kind == "seal"


def test_a_date_whose_rows_are_all_refused_has_no_block(desk: Desk) -> None:
    sheet = desk.sheet(NO_VOLUNTEER, {"date": "2025-11-02"}, {"date": "x"})
    assert desk.json("import", sheet, "--seal-by", "date", status=1)["blocks"] == 1


def test_at_a_given_time(desk: Desk) -> None:
    desk("import", desk.sheet({}), "--at", "2025-11-04T00:00:00Z")
    assert format_time(services(desk)[0].at) == "2025-11-04T00:00:00Z"


@pytest.mark.parametrize(
    "words",
    [
        ("--at", "date"),
        ("--at", "yesterday"),
        ("--at", "2999-01-01T00:00:00Z"),
        ("--resume", "--again"),
        ("--seal-by", "week"),
    ],
)
def test_options_that_do_not_go(desk: Desk, words: tuple[str, ...]) -> None:
    result = desk("import", desk.sheet({}), *words, status=2)
    assert result.stderr.count("\n") == 1
    assert not services(desk)


# Nothing twice


def test_the_same_file_is_not_taken_twice(desk: Desk) -> None:
    sheet = desk.sheet(NO_VOLUNTEER, {}, {"start": "10:00", "end": "11:00"})
    desk("import", sheet, "--seal", status=1)
    assert "--resume" in desk("import", sheet, status=2).stderr
    assert desk.balance(ANNE) == 120

    resumed = desk.json("import", sheet, "--resume", status=1)
    assert (resumed["accepted"], resumed["skipped"], resumed["refused"]) == (0, 2, 1)
    assert desk.json("import", sheet, "--again", status=1)["accepted"] == 2
    assert desk.balance(ANNE) == 240


def test_the_same_row_twice_in_one_file_is_two_rows_when_it_is_resumed(desk: Desk) -> None:
    sheet = desk.sheet({}, {})
    desk("import", sheet)
    assert desk.json("import", sheet, "--resume")["skipped"] == 2


def test_another_file_of_the_same_day_is_no_repetition(desk: Desk) -> None:
    desk("import", desk.sheet({}))
    desk("import", desk.sheet({"recipient": CLARA}))
    assert desk.balance(ANNE) == 120


@pytest.mark.parametrize("words", [(), ("--seal-by", "date"), ("--seal-by", "date", "--at", "date")])
def test_an_import_that_was_cut_off_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    days = [f"2025-11-{day:02}" for day in range(1, 8)]
    rows = [
        {"date": day, "start": f"{hour:02}:00", "end": f"{hour:02}:10"} | more
        for day in days
        for hour in (8, 9, 10)
        for more in ({}, NO_VOLUNTEER)
    ]
    sheet = desk.sheet(*rows)
    monkeypatch.setattr(importing, "COMMIT_ROWS", 5)
    monkeypatch.setattr(importing, "SHEET_MAX_STATEMENTS", 2)
    done: list[int] = []

    def cut(_self: object) -> None:
        done.append(1)
        if len(done) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as cutting:
        whole = importing._Import._commit

        def commit(self: Any) -> None:
            whole(self)
            cut(self)

        cutting.setattr(importing._Import, "_commit", commit)
        said = desk("import", sheet, *words, status=2).stderr
        assert "interrupted" in said
        assert "go on with --resume" in said
    assert 0 < desk.balance(ANNE) < 210
    assert not list(desk.folder.glob("*refused*"))

    summary = desk.json("import", sheet, *words, "--resume", status=1)
    assert summary["accepted"] + summary["skipped"] == summary["refused"] == 21
    assert desk.balance(ANNE) == 210
    assert len(services(desk)) == 21
    if words:
        assert sum(entry.kind == "seal" for entry in desk.entries()) == 1 + len(days)
    assert desk.verify()["ok"]


# What is no day sheet


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"date,start,end\n", "has no column provider, recipient"),
        (b"\x89PNG\r\n\x1a\n\0\0", "has no column date"),
        (b'"date,start\n', "cannot be read: its quotes do not pair"),
    ],
)
def test_a_file_that_is_no_day_sheet(desk: Desk, content: bytes, message: str) -> None:
    result = desk("import", desk.file("sheet.csv", content), status=2)
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert [path.name for path in desk.folder.glob("*sheet*")] == ["sheet.csv"]


def test_a_file_that_is_not_there(desk: Desk, tmp_path: Path) -> None:
    assert "nothing.csv" in desk("import", tmp_path / "nothing.csv", status=2).stderr
    assert desk("import", tmp_path, status=2).stderr.count("\n") == 1


def test_json_says_what_became_of_the_rows(desk: Desk) -> None:
    summary = desk.json("import", desk.sheet({}, NO_VOLUNTEER), status=1)
    assert summary == {
        "rows": 2,
        "accepted": 1,
        "refused": 1,
        "skipped": 0,
        "blocks": 0,
        "outcomes": {"not-volunteer": 1},
        "refused_file": str(desk.folder / "sheet.refused.csv"),
    }
    assert json.dumps(summary)
