"""The private database: what is pending, what a crash leaves, what an erasure leaves, and what damage is told as."""

import datetime
import random
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from care import people as module
from care.dossier import Dossier
from care.people import NOTE_MAX_BYTES, People, PeopleError, create_people
from care.vault import SEALED_MAX_BYTES, Locked

SECRET = bytes(range(32))
GAO, LI = "12345676", "87654342"
DOSSIERS = {GAO: Dossier(name="高秀芳", phone="15040260662"), LI: Dossier(name="李建国")}
NOON = datetime.datetime(2026, 3, 4, 12, tzinfo=datetime.UTC)
KEY = "0123456789abcdef"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_people(tmp_path / "people.db")
    return tmp_path / "people.db"


@pytest.fixture
def people(path: Path) -> Iterator[People]:
    """With two people in it."""
    with closing(People(path, SECRET)) as opened:
        for account, dossier in DOSSIERS.items():
            enter(opened, account, dossier)
        yield opened


def enter(people: People, account: str, dossier: Dossier) -> Locked:
    """Keep a dossier whose hash the log names."""
    locked = people.lock(account, dossier)
    people.put([locked], 0)
    people.settle({(account, locked.hash)})
    return locked


def kept(people: People, account: str) -> Locked:
    """The version that is kept of an account."""
    found = people.dossier(account)
    assert found is not None
    return found[0]


def files(path: Path) -> bytes:
    """All bytes in the folder."""
    return b"".join(each.read_bytes() for each in sorted(path.parent.iterdir()) if each.is_file())


def tamper(path: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(sql, values)
        connection.commit()


def test_the_file_is_its_owners_alone_and_has_nothing_open_in_it(path: Path, people: People) -> None:
    people.note_looks([GAO], NOON, KEY, "name", "上门看望")
    held = files(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for text in ("高秀芳", "15040260662", "李建国", "上门看望"):
        assert text.encode() not in held
    people.close()
    assert [each.name for each in path.parent.iterdir()] == ["people.db"]


def test_it_is_not_made_over_another(path: Path) -> None:
    with pytest.raises(PeopleError, match="cannot be made"):
        create_people(path)
    with pytest.raises(PeopleError, match="cannot be made"):
        create_people(path.parent / "none" / "people.db")


def test_dossiers_are_kept(path: Path, people: People) -> None:
    people.close()
    with closing(People(path, SECRET)) as again:
        found = again.dossier(GAO)
        assert found is not None and found[1] == DOSSIERS[GAO]
        assert [dossier for _locked, dossier in again.dossiers()] == [DOSSIERS[GAO], DOSSIERS[LI]]
        assert again.dossier("00000098") is None


def test_a_new_version_takes_the_place_of_the_old_one(path: Path, people: People) -> None:
    old = kept(people, GAO)
    salt, key = people._vault.salted(old)[:32], old.wrapped
    new = enter(people, GAO, Dossier(name="高秀英"))
    assert (old.version, new.version) == (1, 2)
    assert people.dossier(GAO) == (new, Dossier(name="高秀英"))
    held = files(path)
    assert new.wrapped in held and new.sealed in held
    assert not any(each in held for each in (salt, key, old.sealed, old.hash))


# Two databases, one fact


def test_what_the_log_does_not_name_is_dropped(path: Path, people: People) -> None:
    before = people.dossier(GAO)
    lost = people.lock(GAO, Dossier(name="新"))
    people.put([lost], 17)
    assert people.pending_since == 17
    people.close()
    with closing(People(path, SECRET)) as again:
        again.settle({(GAO, bytes(32)), (LI, lost.hash)})
        assert again.dossier(GAO) == before
        assert again.pending_since is None
        assert lost.wrapped not in files(path) and lost.sealed not in files(path)


def test_what_the_log_names_stays_after_a_crash(path: Path, people: People) -> None:
    kept = people.lock(GAO, Dossier(name="新"))
    people.put([kept], 17)
    people._connection.close()
    with closing(People(path, SECRET)) as again:
        again.settle({(GAO, kept.hash)})
        assert again.dossier(GAO) == (kept, Dossier(name="新"))


def test_nothing_of_what_is_put_together_stays_alone(people: People) -> None:
    one, other = people.lock("00000098", Dossier(name="一")), people.lock(LI, Dossier(name="二"))
    with pytest.raises(PeopleError):
        people.put([one, other, other], 1)
    assert people.pending_since is None
    assert people.dossier("00000098") is None


# Looks


def test_looks_are_told_in_order_with_their_reason(people: People) -> None:
    people.note_looks([GAO], NOON, KEY, "name,phone", "上门看望")
    people.note_looks([GAO, LI], NOON + datetime.timedelta(hours=1), "f" * 16, "name", "")
    assert people.looks(GAO) == [
        ("2026-03-04T12:00:00Z", KEY, "name,phone", "上门看望"),
        ("2026-03-04T13:00:00Z", "f" * 16, "name", ""),
    ]
    assert len(people.looks(LI)) == 1
    assert people.looks("00000098") == []


def test_a_reason_has_an_end(people: People) -> None:
    with pytest.raises(PeopleError, match=f"at most {NOTE_MAX_BYTES} bytes"):
        people.note_looks([GAO], NOON, KEY, "name", "看" * NOTE_MAX_BYTES)
    assert people.looks(GAO) == []


# Erasure


def test_an_erasure_leaves_that_there_was_one_and_who_looked(path: Path, people: People) -> None:
    people.note_looks([GAO], NOON, KEY, "name", "上门看望")
    locked = kept(people, GAO)
    salted = people._vault.salted(locked)
    assert people.erase(GAO, NOON, [KEY, "f" * 16])
    assert people.dossier(GAO) is None
    assert people.looks(GAO) == [("2026-03-04T12:00:00Z", KEY, "name", "")]
    assert people.erasures(GAO) == [("2026-03-04T12:00:00Z", f"{KEY} {'f' * 16}")]
    found = people.dossier(LI)
    assert found is not None and found[1] == DOSSIERS[LI]
    held = files(path)
    assert not any(each in held for each in (locked.hash, locked.wrapped, locked.sealed, salted[:32], salted[32:]))
    assert not people.erase(GAO, NOON, [KEY])
    assert not people.erase("00000098", NOON, [KEY])
    assert len(people.erasures(GAO)) == 1


def test_copies_in_pages_that_were_divided_go_too(path: Path) -> None:
    """SQLite leaves copies of a row behind where a page is divided, and a deletion does not overwrite those."""
    draw = random.Random(3)
    accounts = [f"{number:08}" for number in draw.sample(range(2_000), 1_500)]
    with closing(People(path, SECRET)) as people:
        versions = [people.lock(account, Dossier(name="x" * draw.randrange(1, 400))) for account in accounts]
        people.put(versions, 0)
        people.settle({(each.account, each.hash) for each in versions})
        held = path.read_bytes()
        copied = [each for each in versions if held.count(each.hash) > 1 or held.count(each.wrapped) > 1][:5]
        assert copied, "no row was copied: this shows nothing"
        for locked in copied:
            assert people.erase(locked.account, NOON, [KEY])
            held = files(path)
            assert not any(part in held for part in (locked.hash, locked.wrapped, locked.sealed[-16:]))
        assert len(list(people.dossiers())) == len(accounts) - len(copied)


@pytest.mark.parametrize("step", ["VACUUM", "journal"])
def test_an_erasure_that_a_crash_cut_short_is_ended_by_the_next_opening(
    path: Path, people: People, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = kept(people, GAO)

    def crash(*_arguments: object) -> None:
        raise RuntimeError

    target, name = {"VACUUM": (People, "_clean"), "journal": (module, "scrub_journal")}[step]
    monkeypatch.setattr(target, name, crash)
    with pytest.raises(RuntimeError):
        people.erase(GAO, NOON, [KEY])
    people._connection.close()
    monkeypatch.undo()
    assert (path.parent / "people.db-journal").stat().st_size
    assert step == "journal" or locked.wrapped in files(path), "old pages lie in the journal, or this shows nothing"
    with closing(People(path, SECRET)) as again:
        assert locked.wrapped not in files(path)
        assert again.dossier(GAO) is None
        assert len(again.erasures(GAO)) == 1


def test_an_erasure_that_cannot_be_written_changes_nothing(path: Path, people: People) -> None:
    tamper(path, "CREATE TRIGGER no BEFORE INSERT ON erasure BEGIN SELECT RAISE(FAIL, 'no'); END")
    with pytest.raises(PeopleError):
        people.erase(GAO, NOON, [KEY])
    assert people.dossier(GAO) is not None


# Damage


def spoil_sealed(path: Path) -> None:
    tamper(path, "UPDATE dossier SET sealed = zeroblob(60)")


def swap(path: Path) -> None:
    tamper(
        path,
        "UPDATE dossier SET (hash, wrapped, sealed) = (SELECT hash, wrapped, sealed FROM dossier WHERE account=?)"
        " WHERE account=?",
        LI,
        GAO,
    )


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "sealed": (spoil_sealed, "does not open"),
    "swapped": (swap, "does not open"),
    "text-for-bytes": (lambda path: tamper(path, "UPDATE dossier SET wrapped='x'"), "is damaged"),
    "short-key": (lambda path: tamper(path, "UPDATE dossier SET wrapped=x'00'"), "is damaged"),
    "null": (lambda path: tamper(path, "UPDATE dossier SET hash=NULL"), "is damaged"),
    "huge": (
        lambda path: tamper(path, "UPDATE dossier SET sealed=zeroblob(?)", SEALED_MAX_BYTES + 1),
        "is damaged",
    ),
    "no-table": (lambda path: tamper(path, "DROP TABLE dossier"), "is damaged"),
}


@pytest.mark.parametrize(("spoil", "why"), DAMAGES.values(), ids=DAMAGES)
def test_damage_is_one_clear_line(path: Path, people: People, spoil: Callable[[Path], None], why: str) -> None:
    people.close()
    spoil(path)
    with closing(People(path, SECRET)) as again, pytest.raises(PeopleError, match=why) as told:
        again.dossier(GAO)
    assert "restore" in str(told.value) and "\n" not in str(told.value)


OTHER_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: path.unlink(), "is missing"),
    "empty": (lambda path: path.write_bytes(b""), "is no database of people"),
    "junk": (lambda path: path.write_bytes(b"junk" * 5_000), "is damaged"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:5_000]), "is damaged"),
    "of-another-program": (lambda path: tamper(path, "PRAGMA application_id=7"), "is no database of people"),
    "of-tomorrow": (lambda path: tamper(path, "PRAGMA user_version=2"), "is of version 2"),
    "cleaning": (lambda path: tamper(path, "DROP TABLE cleaning"), "is damaged"),
    "since": (lambda path: tamper(path, "UPDATE dossier SET since='x'"), "is damaged"),
}


@pytest.mark.parametrize(("spoil", "why"), OTHER_FILES.values(), ids=OTHER_FILES)
def test_another_file_is_one_clear_line(path: Path, people: People, spoil: Callable[[Path], object], why: str) -> None:
    people.close()
    spoil(path)
    with pytest.raises(PeopleError, match=why) as told, closing(People(path, SECRET)) as again:
        again.pending_since  # noqa: B018 - a property that reads
    assert "\n" not in str(told.value)


def test_a_file_that_cannot_be_written_shows_nothing_new(path: Path, people: People) -> None:
    """SQLite takes a file of a later write version as read-only, whoever runs the test."""
    people.close()
    raw = bytearray(path.read_bytes())
    raw[18] = 3
    path.write_bytes(raw)
    with closing(People(path, SECRET)) as again:
        with pytest.raises(PeopleError, match="cannot be written: check its owner and mode"):
            again.note_looks([GAO], NOON, KEY, "name", "")
        with pytest.raises(PeopleError, match="cannot be written"):
            again.erase(GAO, NOON, [KEY])


def test_two_at_once_wait_and_then_say_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_MILLISECONDS", 1)
    with closing(People(path, SECRET)) as other, closing(sqlite3.connect(path)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(PeopleError, match="another process writes"):
            other.note_looks([GAO], NOON, KEY, "name", "")


def test_the_file_of_another_key_is_not_opened(path: Path, people: People) -> None:
    people.erase(GAO, NOON, [KEY])
    people.erase(LI, NOON, [KEY])
    people.close()
    before = path.read_bytes()
    with pytest.raises(PeopleError, match=r"is of another home, or people\.pem is not its key"):
        People(path, bytes(32))
    assert path.read_bytes() == before
    People(path, SECRET).close()


@pytest.mark.parametrize("mark", ["x", b"", bytes(28), bytes(100_000)])
def test_a_mark_that_is_none_opens_nothing(path: Path, people: People, mark: str | bytes) -> None:
    people.close()
    tamper(path, "UPDATE owner SET mark=?", mark)
    with pytest.raises(PeopleError, match="is of another home"):
        People(path, SECRET)


def test_a_file_without_a_mark_is_taken_by_the_key_that_opens_it(path: Path, people: People) -> None:
    people.close()
    tamper(path, "DELETE FROM owner")
    with pytest.raises(PeopleError, match=r"people\.pem is not its key"):
        People(path, bytes(32))
    People(path, SECRET).close()
    with pytest.raises(PeopleError, match="is of another home"):
        People(path, bytes(32))


def test_through_a_link_no_journal_stays_beside_the_file(path: Path, people: People, tmp_path: Path) -> None:
    people.close()
    (tmp_path / "home").mkdir()
    link = tmp_path / "home" / "people.db"
    link.symlink_to(path)
    with closing(People(link, SECRET)) as linked:
        locked = kept(linked, GAO)
        assert linked.erase(GAO, NOON, [KEY])
        assert not any(part in files(path.parent / "x") for part in (locked.wrapped, locked.sealed))
    assert not path.with_name("people.db-journal").exists()
    loop = tmp_path / "loop.db"
    loop.symlink_to(loop)
    with pytest.raises(PeopleError, match="is missing"):
        People(loop, SECRET)


def test_a_damaged_note_is_told(path: Path, people: People) -> None:
    people.note_looks([GAO], NOON, KEY, "name", "why")
    tamper(path, "UPDATE look SET purpose='text'")
    with pytest.raises(PeopleError, match="is damaged"):
        people.looks(GAO)
