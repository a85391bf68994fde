"""The proof of erasure: with every file and every key of the node, nobody reads a dossier or confirms what it said.

Each search is first turned on the home as it was before, where it must find what it looks for.
"""

import base64
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from care.dossier import Dossier, format_dossier, make_dossier, plain_dossier
from care.people import People
from care.vault import KEY, SALT_BYTES, WRAPPED_BYTES, Locked, Vault, VaultError, _bound, _open
from node import Node
from store.home import Home
from tests.web.desk import ANNE, CLARA, DORA, PEOPLE, Desk

PASSPHRASE = "correct horse"
CLARAS = {
    "name": "欧阳慕容雪",
    "born": "1940-02-29",
    "phone": "13987650421",
    "address": "六渡河村东沟41号后院",
    "care_level": "bedridden",
}
ADDED = {
    "phone": "13511224488",
    "income_band": "wubao-subsidy",
    "languages": ["蒙古语", "怀柔话"],
    "diet": "忌花生",
    "emergency_contact": "欧阳建国 13800110022",
}
REASON = "欧阳奶奶跌倒了"


class Held(NamedTuple):
    """What opened one version of a dossier, caught before the erasure."""

    locked: Locked
    key: bytes
    salt: bytes
    dossier: bytes

    def secrets(self) -> tuple[bytes, ...]:
        """What must be found nowhere; the hash is on the log."""
        return (self.key, self.salt, self.dossier, self.locked.wrapped, self.locked.sealed, self.locked.sealed[-16:])


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A home under a passphrase, with four people, one of whom can be told from all others."""
    monkeypatch.setenv("HUZHU_PASSPHRASE", PASSPHRASE)
    made = Desk(tmp_path)
    made.init()
    rows = [row | (CLARAS if row["account"] == CLARA else {"name": f"n{row['account']}"}) for row in PEOPLE]
    made("person", "import", made.people(*rows), "--at", "2025-10-31T00:00:00Z")
    made("import", made.sheet({"recipient": CLARA}, {"recipient": CLARA, "start": "11:00", "end": "12:00"}))
    made("seal")
    return made


def catch(desk: Desk, account: str) -> Held:
    """Open a dossier with everything that opens it."""
    with Node.open(desk.home, PASSPHRASE.encode(), writes=True) as node, node.people() as people:
        found = people.dossier(account)
        assert found is not None
        locked, vault = found[0], people._vault
        key = _open(vault._wrapping, locked.wrapped, _bound(KEY, account, locked.version))
        salted = vault.salted(locked)
    return Held(locked, key, salted[:SALT_BYTES], salted[SALT_BYTES:])


def files(home: Path) -> dict[str, bytes]:
    """Every file of the node, by name; a name may tell something too."""
    return {str(path.relative_to(home)): path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()}


def forms(secret: bytes) -> Iterator[bytes]:
    """In which a secret might lie in a file."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield base64.b64encode(secret).rstrip(b"=")
    yield base64.urlsafe_b64encode(secret).rstrip(b"=")


def found_in(held: dict[str, bytes], secrets: Iterable[bytes]) -> set[tuple[str, bytes]]:
    """Which of these, in any form, stands in which file or its name."""
    return {
        (name, secret)
        for secret in secrets
        for form in forms(secret)
        for name, raw in held.items()
        if form in raw or form in name.encode()
    }


def unwrapped(held: dict[str, bytes], vault: Vault, account: str, versions: Iterable[int]) -> set[bytes]:
    """Every key of that account that the people key gets out of any place in any file."""
    keys = set()
    for raw in held.values():
        for start in range(len(raw) - WRAPPED_BYTES + 1):
            for version in versions:
                try:
                    box = raw[start : start + WRAPPED_BYTES]
                    keys.add(_open(vault._wrapping, box, _bound(KEY, account, version)))
                except VaultError:
                    continue
    return keys


def confirmed(held: dict[str, bytes], dossier: bytes, hashes: Iterable[bytes]) -> bool:
    """Whether any 32 bytes of any file, taken for the salt, lead from the true dossier to a hash on the log."""
    wanted = set(hashes)
    return any(
        hashlib.sha256(raw[start : start + SALT_BYTES] + dossier).digest() in wanted
        for raw in held.values()
        for start in range(len(raw) - SALT_BYTES + 1)
    )


def test_after_an_erasure_nothing_is_left_that_tells(desk: Desk) -> None:
    first = catch(desk, CLARA)
    update = desk.file("clara.json", json.dumps(ADDED, ensure_ascii=False))
    desk("person", "update", CLARA, "--dossier", update)
    desk("person", "show", CLARA, "--reason", REASON)
    desk("seal")
    second = catch(desk, CLARA)
    true = [make_dossier(CLARAS), make_dossier(CLARAS | ADDED)]
    assert [first.dossier, second.dossier] == [format_dossier(each) for each in true]

    vault = Vault(Home(desk.home).people_secret(PASSPHRASE.encode()))
    before, balances = files(desk.home), desk.json("balance")
    assert found_in(before, [second.locked.wrapped]) == {("people.db", second.locked.wrapped)}
    assert found_in(before, first.secrets()) == set(), "an update destroys what was kept before"
    assert unwrapped({"people.db": before["people.db"]}, vault, CLARA, [1, 2]) == {second.key}
    assert confirmed({"leak": b"..." + second.salt + b"..."}, second.dossier, [second.locked.hash])

    desk("person", "erase", CLARA, "--yes")
    after = files(desk.home)

    # Nothing that is personal, and nothing that opens it, in any form in any file
    assert set(after) == {name for name in before if not name.endswith("-journal")}
    assert found_in(after, texts_of(*true)) == set()
    assert found_in(after, [*first.secrets(), *second.secrets()]) == set()

    # All keys that are left open nothing
    assert unwrapped(after, vault, CLARA, [1, 2]) == set()
    with Node.open(desk.home, PASSPHRASE.encode(), writes=True) as node, node.people() as people:
        assert people.dossier(CLARA) is None
        assert CLARA not in [locked.account for locked, _dossier in people.dossiers()]
        [look] = people.looks(CLARA)
        assert (look.fields, look.purpose) == (",".join(plain_dossier(true[-1])), "")

    # The hashes are on the log, and who has the true dossier cannot show that they are its hashes
    hashes = [bytes(entry.body.dossier) for entry in desk.entries() if entry.kind in ("account_open", "account_update")]
    assert {first.locked.hash, second.locked.hash} <= set(hashes)
    assert not any(confirmed(after, each.dossier, hashes) for each in (first, second))

    # The ledger still adds up
    assert desk.verify()["ok"]
    assert desk.json("balance") == balances


def texts_of(*dossiers: Dossier) -> set[bytes]:
    """Every text of a dossier in the encodings that a village uses, with the reason that somebody gave."""
    texts = {REASON}
    for dossier in dossiers:
        texts |= {dossier.name, dossier.phone, dossier.address, dossier.care_level, "1940-02-29", *dossier.languages}
        texts |= {dossier.income_band, dossier.diet, dossier.emergency_contact}
    return {text.encode(encoding) for text in texts if text for encoding in ("utf-8", "gb18030", "utf-16-le")}


def test_the_others_stay_and_the_ledger_goes_on_without_the_erased(desk: Desk) -> None:
    desk("person", "erase", CLARA, "--yes")
    assert desk.json("person", "show", DORA)["dossier"]["name"] == f"n{DORA}"
    shown = desk.json("person", "show", CLARA)
    assert (shown["dossier"], shown["status"], shown["elder"]) == (None, "open", True)
    assert shown["erased_at"]
    assert f"the dossier of account {CLARA} was erased at" in desk("person", "show", CLARA).stdout

    service = max(index for index, entry in enumerate(desk.entries()) if entry.kind == "service")
    desk("dispute", str(service), CLARA, "--ground", "x")
    desk("import", desk.sheet({"recipient": CLARA, "start": "13:00", "end": "14:00"}, name="more.csv"))
    desk("person", "update", CLARA, "--no-volunteer", "--visitor")
    assert desk.json("person", "show", CLARA)["dossier"] == {}
    desk("person", "close", CLARA, "--reason", "asked")
    desk("seal")
    assert desk.verify()["ok"]


def test_an_erasure_takes_two_members_and_a_word(desk: Desk) -> None:
    assert "say --yes" in desk("person", "erase", CLARA, status=2).stderr
    members = sorted((desk.home / "keys").glob("member-*.pem"))
    for path in members[1:]:
        path.unlink()
    assert "this needs keys of 2 people" in desk("person", "erase", CLARA, "--yes", status=2).stderr
    assert desk.json("person", "show", CLARA)["dossier"]["name"] == CLARAS["name"]


def test_an_erasure_says_what_it_cannot_reach(desk: Desk) -> None:
    done = desk("person", "erase", CLARA, "--yes")
    assert "its key and its salt are destroyed" in done.stdout
    assert "older backups of people.db" in done.stderr
    assert CLARAS["name"] not in done.output
    again = desk("person", "erase", CLARA, "--yes", status=2).stderr
    assert "was erased at" in again and again.count("\n") == 1
    assert "there is no account" in desk("person", "erase", "87654300", "--yes", status=2).stderr
    erased = desk.json("person", "looks", CLARA)["erasures"]
    assert len(erased) == 1
    assert len(erased[0]["keys"].split()) == 2


def test_on_a_full_disk_the_dossier_is_erased_and_the_cleaning_is_done_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, run = catch(desk, CLARA), People._run

    def full(self: People, sql: str, *values: object) -> sqlite3.Cursor:
        if sql == "VACUUM":
            raise sqlite3.OperationalError("database or disk is full")
        return run(self, sql, *values)

    with monkeypatch.context() as patch:
        patch.setattr(People, "_run", full)
        said = desk("person", "erase", CLARA, "--yes", status=2).stderr
        assert f"the dossier of account {CLARA} is erased, but traces" in said
        assert "nothing more was written" not in said and said.count("\n") == 1
        again = desk("person", "erase", CLARA, "--yes", status=2).stderr
        assert "traces of what was erased are left" in again and again.count("\n") == 1
    done = desk.json("person", "erase", CLARA, "--yes")
    erased = desk.json("person", "looks", CLARA)["erasures"]
    assert [each["time"] for each in erased] == [done["erased_at"]]
    assert found_in(files(desk.home), held.secrets()) == set()
    assert "was erased at" in desk("person", "erase", CLARA, "--yes", status=2).stderr


def test_who_comes_back_is_kept_anew(desk: Desk) -> None:
    desk("person", "erase", ANNE, "--yes")
    desk("person", "update", ANNE, "--name", "新")
    assert desk.json("person", "show", ANNE)["dossier"] == {"name": "新"}
    desk("person", "erase", ANNE, "--yes")
    assert len(desk.json("person", "looks", ANNE)["erasures"]) == 2
