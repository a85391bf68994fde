"""A ledger to practise on: sound, full of people, known by its name everywhere, and removed only where it is one."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from care.requestbook import REQUESTS_FILE, open_book
from chain.note import format_vkey
from ledger.bodies import Service
from node import Node
from store.access import Access
from store.answers import Accepted
from store.drafts import Drafts
from store.home import Home
from tests.web import tiers
from tests.web.desk import Desk, run
from web.access.passwords import Passwords, new_password
from web.practice import ASKED, ELDERS, ORIGIN, VOLUNTEERS, drop_practice, is_practice, password_of, refuse_practice
from web.problems import DeskError


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("practice") / "home"
    run("practice", "--home", folder, "--lang", "en")
    return folder


def test_it_is_a_sound_ledger_with_people_and_services(home: Path) -> None:
    report = json.loads(run("verify", home / "ledger.db", "--json").stdout)
    (ledger,) = report["ledgers"]

    assert report["findings"] == []
    assert ledger["origin"] == ORIGIN
    with Node.open(home, writes=True) as node:
        assert len([each for each in node.balances() if each.account.isdigit()]) == VOLUNTEERS + ELDERS
        with node.people() as people:
            names = [dossier.name for _locked, dossier in people.dossiers()]
    assert len(set(names)) == VOLUNTEERS + ELDERS
    assert all("一" <= name[0] <= "鿿" and name.split()[-1].isascii() for name in names)


def test_something_waits_to_be_done(home: Path) -> None:
    held = Home(home)
    waiting = Drafts(held.drafts).waiting()
    with closing(open_book(home / REQUESTS_FILE, held.people_secret(None))) as book:
        asked = book.live()
    assert len(waiting) == len(asked) == len(ASKED)
    with Node.open(home, writes=True) as node:
        clerk, member = (held.signing_key(held.key_files(role)[0][1], None) for role in ("clerk", "member"))
        bodies = [msgspec.json.decode(draft.body, type=Service) for draft in waiting]
        assert all(isinstance(result, Accepted) for result in node.write(clerk, [member], bodies, durable=False))


def test_everybody_signs_in_with_the_password_that_is_shown(home: Path) -> None:
    password = password_of(Home(home))
    new_password("clerk", password)
    assert (home / "practice.txt").stat().st_mode & 0o777 == 0o600
    with closing(Access(home / "access.db")) as access:
        users = {user.name: user for user in access.users()}
    assert {user.role for user in users.values()} == {"clerk", "member", "supervisor", "auditor", "person"}
    (hashed,) = {user.password for user in users.values()}
    assert Passwords().is_right(hashed, password)
    assert users["clerk"].key
    assert len({users[f"member{number}"].key for number in (1, 2, 3)}) == 3
    assert users["volunteer"].account != users["elder"].account


def test_the_command_begins_it_afresh_and_touches_nothing_else(tmp_path: Path, desk: Desk) -> None:
    folder = tmp_path / "practice"
    told = json.loads(run("practice", "--home", folder, "--json").stdout)
    assert told["password"] == password_of(Home(folder))
    assert "is not empty" in run("practice", "--home", folder, status=2).stderr
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        (before,) = connection.execute("SELECT min(bytes) FROM entry").fetchone()
    run("practice", "--home", folder, "--again")
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        (after,) = connection.execute("SELECT min(bytes) FROM entry").fetchone()
    assert before != after

    assert "no practice ledger" in desk("practice", "--again", status=2).stderr
    assert desk.verify()["findings"] == []


def test_no_tier_admits_it(home: Path, desk: Desk) -> None:
    tiers.township(desk)
    with Node.open(home, writes=False) as node:
        vkey = format_vkey(node.vkey)

    assert "to practise on" in desk("org", "admit", "--vkey", vkey, status=2).stderr
    with pytest.raises(DeskError):
        refuse_practice(ORIGIN)
    refuse_practice("village.example/practice.village")
    assert not is_practice("village.example/huzhu")


def test_only_a_practice_ledger_is_removed(desk: Desk) -> None:
    with pytest.raises(DeskError):
        drop_practice(Home(desk.home))
    assert desk.home.exists()
