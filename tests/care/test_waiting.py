"""Particulars that wait for a second person: brought with their entry, forgotten with their draft, or erased."""

import datetime
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from care.dossier import Dossier
from care.people import WAITING_TIME, People, PeopleError, Wish, create_people
from tests.care.test_people import GAO, KEY, LI, NOON, SECRET, enter, files

XU = Dossier(name="徐小敏", phone="13612345678")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_people(tmp_path / "people.db")
    return tmp_path / "people.db"


@pytest.fixture
def people(path: Path) -> Iterator[People]:
    with closing(People(path, SECRET)) as opened:
        yield opened


def names(people: People) -> list[str]:
    return [dossier.name for _locked, dossier in people.waiting()]


def test_what_waits_is_nobodys_dossier_until_it_is_brought(people: People) -> None:
    locked = people.lock(GAO, XU)
    people.wait(locked, NOON)
    assert (people.dossier(GAO), people.hashes(), people.pending_since, names(people)) == (None, {}, None, [XU.name])
    people.settle(set())
    assert names(people) == [XU.name]
    assert people.bring(GAO, locked.hash, 17)
    assert (people.pending_since, names(people)) == (17, [])
    people.settle({(GAO, locked.hash)})
    found = people.dossier(GAO)
    assert found is not None and found[1] == XU
    assert people.hashes() == {GAO: locked.hash}
    assert not people.bring(GAO, locked.hash, 18)


def test_what_was_brought_for_an_entry_that_never_came_is_destroyed(people: People) -> None:
    locked = people.lock(GAO, XU)
    people.wait(locked, NOON)
    people.bring(GAO, locked.hash, 17)
    people.settle(set())
    assert (people.dossier(GAO), names(people)) == (None, [])


def test_an_older_one_does_not_come_after_a_newer(people: People) -> None:
    older = people.lock(GAO, XU)
    people.wait(older, NOON)
    newer = enter(people, GAO, Dossier(name="徐大敏"))
    assert newer.version > older.version
    with pytest.raises(PeopleError):
        people.bring(GAO, older.hash, 3)
    assert people.hashes() == {GAO: newer.hash}


def test_two_that_wait_have_two_versions(people: People) -> None:
    versions = set()
    for name in ("一", "二"):
        locked = people.lock(GAO, Dossier(name=name))
        people.wait(locked, NOON)
        versions.add(locked.version)
    assert (len(versions), names(people)) == (2, ["二", "一"])


def test_what_is_forgotten_erased_or_too_old_is_in_no_file(people: People, path: Path) -> None:
    forgotten, erased, old = (people.lock(account, XU) for account in (GAO, LI, "00000098"))
    people.wait(old, NOON - WAITING_TIME - datetime.timedelta(seconds=1))
    for locked in (forgotten, erased):
        people.wait(locked, NOON)
    people.forget(GAO, forgotten.hash, NOON)
    assert len(names(people)) == 2
    people.forget(GAO, forgotten.hash, NOON + datetime.timedelta(seconds=1))
    assert people.erase(LI, NOON, [KEY])
    assert names(people) == []
    assert not any(locked.sealed in files(path) or locked.wrapped in files(path) for locked in (forgotten, erased))


def test_a_wish_stands_until_it_is_withdrawn_or_fulfilled(people: People) -> None:
    wish = Wish("2026-03-04T12:00:00Z", KEY)
    enter(people, GAO, XU)
    people.set_wish(GAO, wish)
    assert (people.wish(GAO), people.wish(LI)) == (wish, None)
    people.set_wish(GAO, None)
    assert people.wish(GAO) is None
    people.set_wish(GAO, wish)
    people.erase(GAO, NOON, [KEY])
    assert people.wish(GAO) is None
