"""The request book: nothing lies open in it, erased is gone, a crash leaves it whole, damage is told; and demand."""

import datetime
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from care import requestbook as module
from care.demand import Asked, Cell, Total, demand
from care.dossier import CareError
from care.matching import Helper
from care.requestbook import NOTHING_TOLD, BookError, Profile, RequestBook, erase_from, open_book
from care.requests import (
    MARKS_MAX,
    PROOF_MAX_CHARACTERS,
    RECIPIENTS_MAX,
    TEXT_MAX_CHARACTERS,
    VISITS_MAX,
    Clocked,
    Proof,
    Request,
    Visit,
)
from care.walking import Place

SECRET = bytes(range(32))
GAO, LI, WU = "12345676", "87654342", "11112222"
NINE = datetime.datetime(2026, 11, 23, 9, tzinfo=datetime.UTC)
ASKED = Request(
    id=0,
    recipients=(GAO,),
    category="assistance",
    starts_at=NINE,
    minutes=60,
    requested_at=NINE,
    details="二楼左边",
    visits=(Visit(volunteer=LI, objection="没有来"),),
)
TOLD = Profile(place=Place(120, -40), languages=("吴语",), free_hours=(9, 10), care_most=2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "requests.db"


@pytest.fixture
def book(path: Path) -> Iterator[RequestBook]:
    with closing(open_book(path, SECRET)) as opened:
        yield opened


def files(path: Path) -> bytes:
    return b"".join(each.read_bytes() for each in sorted(path.parent.iterdir()) if each.is_file())


def test_what_was_put_is_there_again(path: Path, book: RequestBook) -> None:
    one, two = book.add(ASKED), book.add(msgspec.structs.replace(ASKED, recipients=(LI, GAO), visits=()))
    assert (one.id, two.id) == (1, 2)
    book.put_profile(LI, TOLD)
    changed = msgspec.structs.replace(one, ended="withdrawn", visits=(*one.visits, Visit(volunteer=WU)))
    book.put(changed)
    book.close()
    assert [each.name for each in path.parent.iterdir()] == ["requests.db"]
    with closing(open_book(path, SECRET)) as again:
        assert again.request(1) == changed
        assert again.live() == [two]
        assert again.since(NINE.toordinal()) == [changed, two]
        assert again.since(NINE.toordinal() + 1) == []
        assert again.of_person(LI) == [changed, two]
        assert again.of_person(WU) == [changed]
        assert again.profiles() == {LI: TOLD}
        assert again.profile(LI) == TOLD and again.profile(GAO) == NOTHING_TOLD


def test_the_file_is_its_owners_alone_and_has_nothing_open_in_it(path: Path, book: RequestBook) -> None:
    book.add(ASKED)
    book.put_profile(LI, TOLD)
    held = files(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for text in ("二楼", "没有来", "吴语", "assistance", "objection"):
        assert text.encode() not in held


def boxes(path: Path) -> list[bytes]:
    with closing(sqlite3.connect(path)) as connection:
        sql = "SELECT sealed FROM request UNION ALL SELECT sealed FROM visit UNION ALL SELECT sealed FROM profile"
        return [box for (box,) in connection.execute(sql)]


def test_an_elder_is_erased_with_all_requests_and_no_trace_is_left(path: Path, book: RequestBook) -> None:
    book.add(ASKED)
    kept = book.add(msgspec.structs.replace(ASKED, recipients=(WU,)))
    book.put_profile(GAO, TOLD)
    before = boxes(path)
    assert book.erase(GAO)
    assert book.live() == [kept] and book.profile(GAO) == NOTHING_TOLD
    gone = set(before) - set(boxes(path))
    assert len(gone) == 3 and not any(box in files(path) for box in gone)
    assert GAO.encode() not in files(path)
    assert not book.erase(GAO)


def test_a_volunteer_is_erased_out_of_requests_that_stay(path: Path, book: RequestBook) -> None:
    request = book.add(ASKED)
    book.put_profile(LI, TOLD)
    assert book.erase(LI)
    assert book.request(request.id) == msgspec.structs.replace(request, visits=())
    assert LI.encode() not in files(path)
    assert not erase_from(path, SECRET, LI) and erase_from(path, SECRET, GAO)
    assert not erase_from(path.with_name("none.db"), SECRET, GAO)


def test_what_was_erased_is_not_put_back(book: RequestBook) -> None:
    request = book.add(ASKED)
    book.erase(GAO)
    book.put(request)
    assert book.live() == [] and book.since(0) == []
    assert book.add(ASKED).id == request.id + 1, "no number is given twice"


@pytest.mark.parametrize("step", ["_clean", "scrub_journal"])
def test_an_erasure_that_a_crash_cut_short_is_ended_by_the_next_opening(
    path: Path, book: RequestBook, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.add(ASKED)
    gone = boxes(path)

    def crash(*_arguments: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(RequestBook if step == "_clean" else module, step, crash)
    with pytest.raises(RuntimeError):
        book.erase(GAO)
    monkeypatch.undo()
    book._connection.close()
    with closing(open_book(path, SECRET)) as again:
        assert again.live() == []
        assert not any(box in files(path) for box in gone)


def test_a_crash_while_it_is_made_leaves_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_arguments: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(module, "scrub_journal", crash)
    with pytest.raises(RuntimeError):
        open_book(path, SECRET)
    monkeypatch.undo()
    assert not path.exists()
    open_book(path, SECRET).close()
    assert [each.name for each in path.parent.iterdir()] == ["requests.db"]


def test_a_failing_write_leaves_what_was_there(book: RequestBook, monkeypatch: pytest.MonkeyPatch) -> None:
    request = book.add(ASKED)

    def crash(*_arguments: object) -> bytes:
        raise RuntimeError

    calls = iter((book._vault.lock_note, crash))

    def lock(label: str, text: str) -> bytes:
        return next(calls)(label, text)

    monkeypatch.setattr(book._vault, "lock_note", lock)
    with pytest.raises(RuntimeError):
        book.put(msgspec.structs.replace(request, minutes=30))
    monkeypatch.undo()
    assert book.live() == [request]


def test_it_is_bounded(book: RequestBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIVE_MAX", 2)
    monkeypatch.setattr(module, "PROFILES_MAX", 1)
    first, _second = book.add(ASKED), book.add(ASKED)
    with pytest.raises(BookError, match="2 requests are open"):
        book.add(ASKED)
    book.put(msgspec.structs.replace(first, ended="expired"))
    book.add(ASKED)
    book.put_profile(LI, TOLD)
    book.put_profile(LI, NOTHING_TOLD)
    with pytest.raises(BookError, match="at most 1 people"):
        book.put_profile(GAO, TOLD)


def test_the_largest_that_the_rules_let_through_fits(book: RequestBook) -> None:
    words = "互" * TEXT_MAX_CHARACTERS
    clocked = Clocked(NINE, NINE)
    proof = "A" * (PROOF_MAX_CHARACTERS // 2)
    visit = Visit(
        volunteer=LI,
        offered_at=NINE,
        accepted_at=NINE,
        checkin=clocked,
        checkout=clocked,
        objection=words,
        marks=("check_out:" + "m" * 64,) * MARKS_MAX,
        proofs=(Proof("check_out", "k" * 16, proof, "s" * 88), Proof("confirm", "k" * 16, proof, "s" * 88)),
    )
    request = msgspec.structs.replace(
        ASKED,
        recipients=tuple(f"{number:08}" for number in range(RECIPIENTS_MAX)),
        title=words,
        details=words,
        diet=words,
        visits=(visit,) * VISITS_MAX,
    )
    assert book.request(book.add(request).id) == msgspec.structs.replace(request, id=1)
    with pytest.raises(BookError, match="too long"):
        book.add(msgspec.structs.replace(ASKED, details=words * 10))


def test_what_is_over_goes_after_a_time(book: RequestBook) -> None:
    old, live = book.add(ASKED), book.add(ASKED)
    book.put(msgspec.structs.replace(old, ended="expired"))
    assert not book.drop_before(NINE.toordinal())
    assert book.drop_before(NINE.toordinal() + 1)
    assert book.since(0) == [live]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE request SET sealed=zeroblob(50)",
        "UPDATE request SET sealed=zeroblob(9000000)",
        "UPDATE request SET sealed=NULL",
        "UPDATE visit SET volunteer='99999999'",
        "UPDATE visit SET place=7",
        "UPDATE request SET id=9",
        "UPDATE visit SET sealed='text'",
    ],
)
def test_a_row_that_was_changed_or_moved_is_damage(path: Path, book: RequestBook, sql: str) -> None:
    book.add(ASKED)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(sql)
        connection.execute("UPDATE visit SET request=9 WHERE EXISTS (SELECT 1 FROM request WHERE id=9)")
        connection.commit()
    with pytest.raises(BookError, match="is damaged"):
        book.live()


def test_another_homes_file_and_other_files_are_not_opened(path: Path, book: RequestBook) -> None:
    book.close()
    with pytest.raises(BookError, match="of another home"):
        open_book(path, bytes(32))
    path.write_bytes(b"x" * 5_000)
    with pytest.raises(CareError, match="restore it from a backup"):
        open_book(path, SECRET)
    path.unlink()
    sqlite3.connect(path).close()
    os.truncate(path, 0)
    with pytest.raises(BookError, match="holds no requests"):
        open_book(path, SECRET)


def test_demand_counts_hours_and_says_what_is_missing() -> None:
    helpers = [
        Helper(account="a", free_hours=frozenset({9, 10}), scopes=frozenset({"legal"})),
        Helper(account="b", free_hours=frozenset({9})),
        Helper(account="c"),
        Helper(account="d", free_hours=frozenset({9}), is_resting=True),
        Helper(account="e", free_hours=frozenset({9}), may_serve=False),
    ]
    asked = [
        Asked("assistance", 60, (9, 10), 1, 1),
        Asked("assistance", 45, (9,), 2, 0),
        Asked("legal_aid", 30, (9,), 1, 0),
    ]
    found = demand(asked, helpers, {"legal_aid": frozenset({"legal"})})
    assert found.cells == {
        (9, "assistance"): Cell(3, 1, 2),
        (10, "assistance"): Cell(1, 1, 1),
        (9, "legal_aid"): Cell(1, 0, 1),
    }
    assert (found.free[9], found.free[10], found.free[11], found.untold) == (2, 1, 0, 1)
    assert found.totals == {"assistance": Total(150, 60), "legal_aid": Total(30, 0)}
    assert found.totals["assistance"].missing_minutes == 90
    assert [(hour, category) for hour, category, _cell in found.missing()] == [(9, "assistance"), (9, "legal_aid")]
