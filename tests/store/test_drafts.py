"""What waits for a second signature: on disk before anybody is told, decided once, and its secrets gone afterwards."""

import multiprocessing
import os
import signal
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from store import drafts as module
from store.drafts import EXPECTED, RECORDED, REFUSED, WAITING, Draft, Drafts, Order, Place, Signer
from store.log import StoreError

LI, WANG = Signer("li", "11" * 8, 1_000), Signer("wang", "22" * 8, 2_000)
ORDER = Order("service", b'{"a":1}', "C+M", "monday", "came late", b"secret")
LEAF = bytes(range(32))


@pytest.fixture
def drafts(tmp_path: Path) -> Drafts:
    return Drafts(tmp_path / "drafts.db")


def only(found: list[Draft]) -> Draft:
    (draft,) = found
    return draft


def test_nothing_waits_where_there_is_no_file(drafts: Drafts, tmp_path: Path) -> None:
    assert drafts.waiting() == [] and drafts.get(1) is None and not drafts.has_expected()
    assert list(tmp_path.iterdir()) == []


def test_what_was_put_waits_with_all_that_was_said(drafts: Drafts, tmp_path: Path) -> None:
    assert drafts.put([ORDER, Order("gift", b"{}", "C+M")], LI) == [1, 2]
    first, second = drafts.waiting()
    assert first == Draft(1, *ORDER, WAITING, "", 0, None, (LI,))
    assert (first.by, second.sheet, second.private) == (LI, "", b"")
    assert drafts.waiting(2) == [second]
    assert (tmp_path / "drafts.db").stat().st_mode & 0o777 == 0o600


def test_its_way_onto_the_ledger(drafts: Drafts) -> None:
    (number,) = drafts.put([ORDER], LI)
    drafts.expect({number: Place(17, LEAF)}, {number: WANG})
    held = only(drafts.waiting())
    assert (held.state, held.entry, held.signers) == (EXPECTED, 17, (LI, WANG))
    assert drafts.has_expected()
    drafts.settle([number], 3_000)
    done = only(drafts.decided(3_000))
    assert (done.state, done.entry, done.remark, done.private, done.decided_seconds) == (RECORDED, 17, "", b"", 3_000)
    assert drafts.decided(3_001) == [] and drafts.waiting() == []


def test_several_sign_one_after_the_other(drafts: Drafts) -> None:
    (number,) = drafts.put([ORDER], LI)
    drafts.sign([number], WANG)
    assert only(drafts.waiting()).signers == (LI, WANG)


def test_what_is_refused_is_gone_but_for_its_reason(drafts: Drafts, tmp_path: Path) -> None:
    (number,) = drafts.put([ORDER], LI)
    assert drafts.refuse([number, 99], "nobody came", 2_500, WANG) == 1
    assert drafts.refuse([number], "again", 2_600, WANG) == 0
    done = only(drafts.decided(0, REFUSED))
    assert (done.reason, done.signers[-1], done.remark, done.private) == ("nobody came", WANG, "", b"")
    with sqlite3.connect(tmp_path / "drafts.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"secret" not in (tmp_path / "drafts.db").read_bytes()


def test_what_was_decided_is_not_decided_again(drafts: Drafts) -> None:
    first, second = drafts.put([ORDER, ORDER], LI)
    drafts.refuse([first], "no", 2_000, WANG)
    with pytest.raises(StoreError, match="decided meanwhile"):
        drafts.expect({second: Place(1, LEAF), first: Place(2, LEAF)})
    assert drafts.waiting()[0].state == WAITING


@pytest.mark.parametrize(
    ("leaf", "state", "signers"), [(LEAF, RECORDED, (LI, WANG)), (bytes(32), WAITING, (LI,)), (None, WAITING, (LI,))]
)
def test_after_a_crash_the_ledger_knows(drafts: Drafts, leaf: bytes | None, state: str, signers: Any) -> None:
    (number,) = drafts.put([ORDER], LI)
    drafts.expect({number: Place(17, LEAF)}, {number: WANG})
    asked: list[int] = []

    def leaf_at(index: int) -> bytes | None:
        asked.append(index)
        return leaf

    drafts.recover(leaf_at, 4_000)
    found = drafts.get(number)
    assert found is not None and (found.state, found.signers, asked) == (state, signers, [17])


def test_who_proposed_stays_when_they_alone_had_signed(drafts: Drafts) -> None:
    (number,) = drafts.put([ORDER], LI)
    drafts.expect({number: Place(17, LEAF)})
    drafts.recover(lambda _index: None, 4_000)
    assert only(drafts.waiting()).signers == (LI,)


def test_old_decided_ones_are_forgotten(drafts: Drafts) -> None:
    drafts.put([ORDER], LI)
    drafts.refuse([1], "no", 2_000, WANG)
    drafts.put([ORDER], Signer("li", "k", 2_000 + module.KEPT_SECONDS))
    assert drafts.get(1) is not None
    drafts.put([ORDER], Signer("li", "k", 2_001 + module.KEPT_SECONDS))
    assert drafts.get(1) is None and [draft.id for draft in drafts.waiting()] == [2, 3]


def test_bounds(drafts: Drafts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 2)
    drafts.put([ORDER, ORDER], LI)
    with pytest.raises(StoreError, match="certify or refuse some first"):
        drafts.put([ORDER], LI)
    for big in (ORDER._replace(body=bytes(65_537)), ORDER._replace(private=bytes(65_537))):
        with pytest.raises(StoreError, match="at most"):
            drafts.put([big], LI)


def test_a_foreign_file_is_not_written_into(tmp_path: Path) -> None:
    path = tmp_path / "drafts.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE other(x)")
    with pytest.raises(StoreError, match="holds no drafts"):
        Drafts(path).put([ORDER], LI)
    path.write_bytes(b"no database at all, but long enough to look like something" * 20)
    with pytest.raises(StoreError):
        Drafts(path).waiting()


def test_many_threads_put_at_once(drafts: Drafts) -> None:
    threads = [threading.Thread(target=drafts.put, args=([ORDER] * 3, LI)) for _each in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drafts.waiting()) == 24


def test_what_was_put_outlives_a_kill(drafts: Drafts, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_put_and_die, args=(tmp_path / "drafts.db",))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert only(drafts.waiting()).signers == (LI,)


def _put_and_die(path: Path) -> None:
    Drafts(path).put([ORDER], LI)
    os.kill(os.getpid(), signal.SIGKILL)
