"""A village point as its people would find it: thirty of them, three weeks of services, a service that runs, users.

    with serving(make_village(folder)) as village:           # a real ``huzhu serve``, on a port of its own
        village.url, village.users["clerk"], village.volunteers[0].account
        with village.client("clerk") as client: …           # a browser without a window, signed in

Everybody is made up, and the same in every run; only the days are counted back from today. All users have one password.
"""

import csv
import datetime
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from chain.fields import UTC
from ledger.numbers import account_number
from store.access import Access
from store.home import Home
from tests.web.access.service import FAST
from tests.web.desk import Desk, table
from web.access.secret import new_secret, secret_hash
from web.daysheet import COLUMNS as SHEET_COLUMNS
from web.people import COLUMNS as PEOPLE_COLUMNS

ROOT = Path(__file__).resolve().parents[2]
ORIGIN = "liuduhe.example/huzhu"
PASSWORD = "five yellow persimmons"
SESSION_SECONDS = 3_600
ANSWER_SECONDS = 30.0
FOUNDED_DAYS, SERVED_DAYS = 40, 20
"""So long ago the ledger began, and the first service was."""
POSTING_DAYS = 3
FIRST_NUMBER = 230_001
VOLUNTEERS, ELDERS = 12, 16
NAMES = (
    *("陈秀英", "王建国", "李桂兰", "张志强", "刘玉珍", "赵德福", "孙丽华", "周明远"),
    *("吴春梅", "郑国平", "冯晓燕", "蒋文彬", "韩素琴", "杨永贵", "朱淑芬", "秦长林"),
    *("许凤仙", "何守义", "吕月娥", "施广田", "曹金花", "袁福生", "邓翠莲", "彭万年"),
    *("萧玉兰", "田有才", "董桂芝", "梁大山", "潘彩云", "罗一鸣"),
)
"""The volunteers, then the elders, then two who are neither."""
CATEGORIES = ("assistance", "emotional_comfort", "travel_companion", "culture_sports")
OPENED = (13, 14, 15, 16)
"""Elders who had hours in the old book, by their place among all."""


@dataclass(frozen=True, slots=True)
class Villager:
    """Somebody as the committee knows them."""

    account: str
    name: str
    born: str
    phone: str
    address: str
    roles: str


@dataclass
class Village:
    """The home with its people, and where it is served."""

    home: Path
    people: list[Villager]
    users: dict[str, str]
    """The account of each user, "" where they act for no person."""
    url: str = ""
    password: str = field(default=PASSWORD, repr=False)

    @property
    def volunteers(self) -> list[Villager]:
        return [each for each in self.people if each.roles == "volunteer"]

    @property
    def elders(self) -> list[Villager]:
        return [each for each in self.people if each.roles == "elder"]

    def session(self, user: str) -> str:
        """A session of a user's, as after signing in, but without its cost: the cookie's value."""
        secret, now = new_secret(), int(time.time())
        with closing(Access(self.home / "access.db")) as access:
            found = access.user(user)
            assert found is not None, user
            until = now + SESSION_SECONDS
            assert access.open_session(
                found, secret_hash(secret), now=now, expires_seconds=until, password=found.password
            )
        return secret

    def add_user(self, name: str, role: str = "clerk", account: str = "") -> None:
        """A user of a test's own, to whom it may do what it likes."""
        with closing(Access(self.home / "access.db")) as access:
            hashed, now = FAST.hash(self.password), int(time.time())
            access.add_user(name, role, ledger=ORIGIN, account=account, password=hashed, now=now)

    def client(
        self, user: str | None = None, language: str = "en", *, session: str | None = None, **more: Any
    ) -> httpx.Client:
        """Somebody's browser, without a window; None: a stranger's, or whoever has that session."""
        headers = {"Accept-Language": language, "Sec-Fetch-Site": "same-origin"} | more.pop("headers", {})
        held = session if user is None else self.session(user)
        cookies = {} if held is None else {"huzhu": held}
        return httpx.Client(base_url=self.url, headers=headers, cookies=cookies, timeout=ANSWER_SECONDS, **more)


def make_village(folder: Path, mark: str = "") -> Village:
    """The home, made as the guides say: by commands. ``mark`` stands behind all that is written of people."""
    desk = Desk(folder)
    today = datetime.datetime.now(UTC).date()
    began = f"{today - datetime.timedelta(days=FOUNDED_DAYS)}T00:00:00Z"
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HUZHU_HOME", "HUZHU_PASSPHRASE", "LC_ALL", "LC_MESSAGES"):
            patch.delenv(name, raising=False)
        patch.setenv("LANG", "en_US.UTF-8")
        patch.setenv("LANGUAGE", "en")
        params = desk.file("params.json", json.dumps({"posting_days": POSTING_DAYS}))
        desk("init", "--origin", ORIGIN, "--params", params, "--at", began)
        people = _people(mark)
        desk("person", "import", desk.file("people.csv", _people_file(people)), "--at", began)
        book = desk.file("oldbook.txt", "the old book\n")
        for place in OPENED:
            desk("opening", people[place].account, "600", "--source", book, "--at", began)
        sheet = desk.file("services.csv", table(SHEET_COLUMNS, list(_services(people, today))))
        desk("import", sheet, "--seal-by", "date", "--at", "date")
    settings = desk.home / "node.toml"
    settings.write_text(f"{settings.read_text()}[serve]\ntend_every_minutes = 0\n")
    return Village(desk.home, people, _users(desk.home, people))


def _people(mark: str) -> list[Villager]:
    roles = ["volunteer"] * VOLUNTEERS + ["elder"] * ELDERS + [""] * (len(NAMES) - VOLUNTEERS - ELDERS)
    return [
        Villager(
            account=account_number(FIRST_NUMBER + place * 7),
            name=name + mark,
            born=f"{(1938 if role == 'elder' else 1968) + place % 14}-{place % 12 + 1:02}-{place % 27 + 1:02}",
            phone=f"1380013{8000 + place * 37}",
            address=f"六渡河村 {place + 1} 号{mark}",
            roles=role,
        )
        for place, (name, role) in enumerate(zip(NAMES, roles, strict=True))
    ]


def _people_file(people: list[Villager]) -> str:
    """Everybody as a row; the first volunteer is the first elder's child, the last of all the second's guardian."""
    first, second = VOLUNTEERS, VOLUNTEERS + 1
    told = io.StringIO()
    rows = csv.DictWriter(told, PEOPLE_COLUMNS, lineterminator="\n")
    rows.writeheader()
    for place, each in enumerate(people):
        more: dict[str, str] = {"funded": "key_elder", "care_level": str(place % 4)} if each.roles == "elder" else {}
        if place == 0:
            more["kin"] = f"parent:{people[first].account}"
        if place == second:
            more["guardian"] = people[-1].account
        row = {"account": each.account, "name": each.name, "born": each.born, "roles": each.roles}
        rows.writerow(row | {"phone": each.phone, "address": each.address} | more)
    return told.getvalue()


def _services(people: list[Villager], today: datetime.date) -> Iterator[dict[str, str]]:
    """A few every day until yesterday; who had hours in the old book pays, the others' time is issued."""
    for days in range(SERVED_DAYS, 0, -1):
        for turn in range(3):
            place = VOLUNTEERS + (days * 3 + turn * 5) % ELDERS
            yield {
                "date": str(today - datetime.timedelta(days=days)),
                "start": f"{8 + turn * 3:02}:00",
                "end": f"{9 + turn * 3:02}:{days % 4 * 15:02}",
                "provider": people[(days + turn * 4) % VOLUNTEERS].account,
                "recipient": people[place].account,
                "category": CATEGORIES[(days + turn) % len(CATEGORIES)],
                "paid_by": "recipient" if place in OPENED else "issue",
                "evidence": "paper",
            }


def _users(home: Path, people: list[Villager]) -> dict[str, str]:
    """One for each role, a second member, and people with a sign-in of their own."""
    members = [key for key, _path in Home(home).key_files("member")]
    users = {
        "clerk": ("clerk", "", ""),
        "member": ("member", "", members[0]),
        "second": ("member", "", members[1]),
        "supervisor": ("supervisor", "", ""),
        "auditor": ("auditor", "", ""),
        "person": ("person", people[0].account, ""),
        "elder": ("person", people[VOLUNTEERS].account, ""),
        "guardian": ("person", people[-1].account, ""),
    }
    hashed, now = FAST.hash(PASSWORD), int(time.time())
    with closing(Access(home / "access.db")) as access:
        for name, (role, account, key) in users.items():
            ledger = "" if role == "auditor" else ORIGIN
            access.add_user(name, role, ledger=ledger, account=account, key=key, password=hashed, now=now)
    return {name: account for name, (_role, account, _key) in users.items()}


@contextmanager
def serving(village: Village) -> Iterator[Village]:
    """The village's node as a process of its own, until the block ends; its log must tell of no bug and nobody."""
    command = [sys.executable, "-m", "cli", "serve", "--home", str(village.home), "--port", "0", "--lang", "zh"]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("HUZHU")}
    log = village.home.parent / "serve.log"
    with log.open("wb") as told:
        held = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stderr=told, env=variables)
    try:
        village.url = _address(held, log)
        yield village
    finally:
        held.terminate()
        try:
            held.wait(ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            held.kill()
            held.wait()
    told_of = log.read_text()
    assert '"event":"bug"' not in told_of, told_of
    private = [text for each in village.people for text in (each.name, each.phone, each.address)]
    assert not [text for text in private if text in told_of], told_of


def _address(held: "subprocess.Popen[bytes]", log: Path) -> str:
    """Where it says that it listens."""
    until = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < until and held.poll() is None:
        first, end, _rest = log.read_text().partition("\n")
        if end:
            return str(json.loads(first)["address"])
        time.sleep(0.02)
    raise AssertionError(f"the node does not serve: {log.read_text()}")
