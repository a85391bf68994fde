"""Commands about hours that travel between two villages, carried on a USB stick or fetched from a parent."""

import json
import socket
from pathlib import Path

import msgspec
import pytest

from store.archive import open_archive
from sync.library import ArchiveLibrary
from tests.sync.servers import Talk, raw_server, read_request, response
from tests.web.desk import ANNE, BEGINNING, BEN, CLARA, Desk
from tests.web.tiers import mirror, stick, township, village

NOBODY = "00000195"


@pytest.fixture
def town(desk: Desk) -> Desk:
    township(desk)
    return desk


@pytest.fixture
def east(town: Desk) -> Desk:
    return furnished(town, "east")


@pytest.fixture
def west(town: Desk) -> Desk:
    return furnished(town, "west")


def furnished(town: Desk, name: str) -> Desk:
    """A village where Anne has ten hours."""
    made = village(town, name)
    furnish(made)
    return made


def furnish(desk: Desk) -> None:
    people = desk.file(f"{desk.home.name}.csv", PEOPLE_FILE)
    desk("person", "import", people, "--at", BEGINNING)
    desk("opening", ANNE, "600", "--source", people, "--at", BEGINNING)


PEOPLE_FILE = (
    "account,name,born,roles,guardian,phone,address,care_level,funded,credentials,kin\n"
    f"{ANNE},,1970-01-01,volunteer,,,,,,,\n{BEN},,1950-05-05,volunteer,,,,,,,\n"
)


def send(sender: Desk, name: str, number: str, minutes: int) -> int:
    words = ("--from", ANNE, "--to", f"{name}.example/huzhu#{number}", "--minutes", str(minutes), "--anyway")
    return int(sender.json("transfer", "out", *words)["index"])


def test_hours_are_carried_on_a_stick(town: Desk, east: Desk, west: Desk) -> None:
    first, second = send(east, "west", BEN, 90), send(east, "west", NOBODY, 30)
    assert [line["state"] for line in east.json("transfer", "list")] == ["not-sealed"] * 2
    east("seal")
    assert [line["state"] for line in east.json("transfer", "list")] == ["sent"] * 2
    shown = west("transfer", "fetch", "--from", stick(town, east)).stdout
    assert "90 min came in from east.example/huzhu" in shown
    assert "30 min from east.example/huzhu" in shown
    assert "are refused (no_account: there is no such account)" in shown
    again = west("transfer", "fetch", "--from", town.folder / "township.db")
    assert (again.stdout, again.stderr) == ("", "nothing new has come\n")
    west("seal")
    archive = stick(town, west)
    told = east("transfer", "list", "--from", archive).stdout
    assert "arrived there, as entry" in told
    assert "refused there, in entry" in told
    assert "30 min are back" in east("transfer", "fetch", "--from", archive).stdout
    lines = {line["index"]: line for line in east.json("transfer", "list", "--from", archive)}
    assert (lines[first]["state"], lines[second]["state"]) == ("arrived", "returned")
    assert lines[second]["reason"] == "no_account"
    came = west.json("transfer", "list")
    assert [(line["state"], line["account"], line["their_index"]) for line in came] == [
        ("taken", BEN, first),
        ("refused", NOBODY, second),
    ]
    assert "refused, sent there by entry" in west("transfer", "list").stdout
    assert (east.balance(ANNE), west.balance(BEN)) == (510, 90)
    assert east.balance("bridge") + west.balance("bridge") == 0
    for each in (east, west):
        each("seal")
        assert each.verify()["findings"] == []


def test_it_is_told_that_a_seal_is_needed(east: Desk) -> None:
    words = ("transfer", "out", "--anyway", "--from", ANNE, "--to", f"west.example/huzhu#{BEN}", "--minutes", "60")
    assert "after the next seal" in east(*words).stderr
    assert "after the next seal" not in east(*words[:-1], "6000", status=1).stderr


def test_a_person_sends_by_their_own_key(east: Desk) -> None:
    key = str(east.json("key", "new", "--role", "volunteer")["key"])
    east("key", "grant", key, "--role", "volunteer", "--account", ANNE)
    words = ("--from", ANNE, "--to", f"west.example/huzhu#{BEN}", "--minutes", "60", "--anyway")
    east("transfer", "out", *words, "--by", key)
    entry = east.entries()[-1]
    assert (entry.by, entry.beside) == (key, ())


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("west.example/huzhu", "no account of another ledger"),
        ("WEST#87654342", "no account of another ledger"),
        ("west.example/huzhu#pool", "pool"),
        ("west.example/huzhu#87654343", "no account of another ledger"),
        (f"west.example/huzhu#{BEN}#{BEN}", "#"),
    ],
)
def test_wrong_addresses(east: Desk, to: str, told: str) -> None:
    assert told in east("transfer", "out", "--from", ANNE, "--to", to, "--minutes", "1", status=2).stderr


def test_zeros_that_a_sheet_has_eaten(east: Desk) -> None:
    words = ("--from", ANNE, "--to", f"west.example/huzhu#{CLARA.lstrip('0')}", "--minutes", "1", "--anyway")
    east("transfer", "out", *words)
    assert east.entries()[-1].body.to == f"west.example/huzhu#{CLARA}"


def out_to(sender: Desk, name: str, *more: str | Path, status: int = 0) -> str:
    """What is said of a minute to that ledger."""
    words = ("--from", ANNE, "--to", f"{name}.example/huzhu#{BEN}", "--minutes", "1")
    return sender("transfer", "out", *words, *more, status=status).stderr


def test_nothing_is_sent_to_a_ledger_that_nobody_knows(town: Desk, east: Desk, west: Desk) -> None:
    said = out_to(east, "township-of-nobody", status=2)
    assert "knows a ledger township-of-nobody.example/huzhu" in said and "is it township.example/huzhu" in said
    assert east.balance("bridge") == 0
    out_to(east, "township")
    furnish(town)
    out_to(town, "west")
    assert "is it west.example/huzhu" in out_to(town, "vest", status=2)
    archive = stick(town, west)
    out_to(east, "west", "--from-archive", archive)
    assert "knows a ledger" in out_to(east, "south", "--from-archive", archive, status=2)
    out_to(east, "south", "--anyway")
    assert east.balance("bridge") == 3


def test_the_nodes_above_are_asked_whether_they_know_a_ledger(east: Desk) -> None:
    served = "west.example/huzhu"

    def talk(connection: socket.socket) -> None:
        while request := read_request(connection):
            path = request.split()[1].decode()
            known = (f"/log/{served}/checkpoint", "/api/v1/admissions/north.example/huzhu")
            connection.sendall(response(b"[]", status="200 OK" if path in known else "404 Not Found"))

    with raw_server(talk) as url:
        with (east.home / "node.toml").open("a") as settings:
            settings.write(f'[[parents]]\nurl = "http://127.0.0.1:1"\n[[parents]]\nurl = "{url}"\n')
        out_to(east, "west")
        out_to(east, "north")
        said = out_to(east, "south", status=2)
    assert "knows a ledger south" in said and "127.0.0.1:1" in said


def test_nowhere_to_ask(east: Desk) -> None:
    assert "no parent stands in" in east("transfer", "fetch", status=2).stderr
    assert "no parent stands in" in east("transfer", "list", "--ask", status=2).stderr
    assert "is not a file" in east("transfer", "fetch", "--from", east.folder / "gone.db", status=2).stderr


def test_hours_are_fetched_from_the_parents(town: Desk, east: Desk, west: Desk) -> None:
    """The nearest is off line, the next one answers."""
    index = send(east, "west", BEN, 60)
    east("seal")
    with raw_server(parent(stick(town, east), west)) as url:
        with (west.home / "node.toml").open("a") as settings:
            settings.write(f'[[parents]]\nurl = "http://127.0.0.1:1"\n[[parents]]\nurl = "{url}"\n')
        told = west.json("transfer", "fetch", status=1)
    assert [line["their_index"] for line in told["settled"]] == [index]
    assert "127.0.0.1:1" in told["failures"][0]
    assert west.balance(BEN) == 60


def test_a_tier_with_nobody_above_looks_into_its_own_mirror(town: Desk, west: Desk) -> None:
    furnish(town)
    sent, lost = send(west, "township", BEN, 60), send(west, "township", NOBODY, 30)
    west("seal")
    mirror(town, west)
    settled = town.json("transfer", "fetch")["settled"]
    assert [(line["kind"], line["their_index"]) for line in settled] == [
        ("transfer_in", sent),
        ("transfer_refuse", lost),
    ]
    back = send(town, "west", NOBODY, 10)
    town("seal")
    assert len(west.json("transfer", "fetch", "--from", stick(town))["settled"]) == 2
    west("seal")
    mirror(town, west)
    assert "refused there" in town("transfer", "list", "--ask").stdout
    assert [line["kind"] for line in town.json("transfer", "fetch")["settled"]] == ["transfer_back"]
    assert [line["state"] for line in town.json("transfer", "list") if line["index"] == back] == ["returned"]
    assert town.balance("bridge") + west.balance("bridge") == 0


def test_lies_are_named(town: Desk, east: Desk, west: Desk) -> None:
    """A parent that gives other entries' receipts: nothing is taken."""
    for _number in range(3):
        send(east, "west", BEN, 1)
    east("seal")
    other = furnished(town, "north")
    other("seal")
    with raw_server(parent(stick(town, east, other), west, lies=True)) as url:
        with (west.home / "node.toml").open("a") as settings:
            settings.write(f'[[parents]]\nurl = "{url}"\n')
        shown = west("transfer", "fetch", status=1)
    assert "of east.example/huzhu was not taken: its receipt is of another entry" in shown.stderr
    assert "nothing new has come" in shown.stderr
    assert west.balance(BEN) == 0


def parent(archive: Path, asked_by: Desk, *, lies: bool = False) -> Talk:
    """A parent's node that serves an archive; where it lies, every receipt is that of the last entry."""
    with open_archive(archive) as ledgers:
        library = ArchiveLibrary("parent", ledgers)
        origin = f"{asked_by.home.name}.example/huzhu"
        notices = list(library.notices(origin))
        receipts = {
            (each.ledger, each.index): library.receipt(each.ledger, notices[-1].index if lies else each.index)
            for each in notices[: -1 if lies else None]
        }
        admissions = {each.ledger: library.admissions(each.ledger) for each in notices}

    def talk(connection: socket.socket) -> None:
        while request := read_request(connection):
            connection.sendall(response(answer(request.split()[1].decode())))

    def answer(path: str) -> bytes:
        if path.startswith("/api/v1/transfers?"):
            return msgspec.json.encode([each for each in notices if (each.ledger, each.index) in receipts])
        if path.startswith("/api/v1/admissions/"):
            return json.dumps([msgspec.to_builtins(raw) for raw in admissions[path.split("/", 4)[4]]]).encode()
        index, ledger = path.split("/")[4], path.split("ledger=")[1].replace("%2F", "/")
        return receipts[ledger, int(index)]

    return talk
