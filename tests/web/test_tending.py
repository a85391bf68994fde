"""What `huzhu tend` says of hours that are still under way."""

import pytest

from node import Node
from sync.transfers import TransferReport
from tests.web.desk import ANNE, BEGINNING, BEN, Desk
from tests.web.tiers import mirror, stick, township, village
from web.tending import waiting_transfers

NOBODY = "00000195"
PEOPLE = (
    "account,name,born,roles,guardian,phone,address,care_level,funded,credentials,kin\n"
    f"{ANNE},,1970-01-01,volunteer,,,,,,,\n{BEN},,1950-05-05,volunteer,,,,,,,\n"
)


def furnish(desk: Desk) -> Desk:
    """Anne has ten hours there."""
    people = desk.file(f"{desk.home.name}.csv", PEOPLE)
    desk("person", "import", people, "--at", BEGINNING)
    desk("opening", ANNE, "600", "--source", people, "--at", BEGINNING)
    return desk


@pytest.fixture
def town(desk: Desk) -> Desk:
    township(desk)
    return furnish(desk)


@pytest.fixture
def east(town: Desk) -> Desk:
    return furnish(village(town, "east"))


def send(sender: Desk, name: str, number: str, minutes: int) -> int:
    words = ("--from", ANNE, "--to", f"{name}.example/huzhu#{number}", "--minutes", str(minutes), "--anyway")
    return int(sender.json("transfer", "out", *words)["index"])


def waits(desk: Desk) -> list[tuple[str, str | None, int]]:
    found = desk.json("tend", "--only", "transfers")["transfers"]
    return [(each["waiting"], each.get("ledger"), each["count"]) for each in found if "waiting" in each]


def test_tend_says_what_hours_wait_for(town: Desk, east: Desk) -> None:
    assert waits(town) == []
    send(town, "east", BEN, 10)
    send(town, "east", NOBODY, 10)
    mirror(town, east)
    assert waits(town) == [("not-sealed", "east.example/huzhu", 2)]
    town("seal")
    assert waits(town) == [("not-taken", "east.example/huzhu", 2)]
    assert "may be off line" in town("tend", "--only", "transfers").stdout
    east("transfer", "fetch", "--from", stick(town))
    east("seal")
    sent = send(east, "township", BEN, 5)
    mirror(town, east)
    assert waits(town) == []
    assert sent and waits(east) == [("not-sealed", "township.example/huzhu", 1)]
    east("seal")
    assert waits(east) == []
    with (east.home / "node.toml").open("a") as settings:
        settings.write('[[parents]]\nurl = "http://127.0.0.1:1"\n')
    assert waits(east) == [("not-known", "township.example/huzhu", 1)]


def test_what_was_refused_waits_for_its_proof(town: Desk) -> None:
    index = send(town, "east", NOBODY, 10)
    town("seal")
    with Node.open(town.home, writes=False) as node:
        refused = TransferReport((), (), 3, (), {index: "transfer_refuse"})
        assert [each.plain["waiting"] for each in waiting_transfers(node, refused, 1)] == ["no-proof", "not-proven"]
        arrived = TransferReport((), (), 0, (), {index: "transfer_in"})
        assert list(waiting_transfers(node, arrived, 1)) == []
