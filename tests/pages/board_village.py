"""A village whose township has two officials, who sign in at its own node; and somebody in two places at once."""

import datetime
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chain.encoding import format_base64
from chain.fields import UTC
from chain.keys import SigningKey
from chain.note import ED25519, format_vkey, make_vkey
from ledger.numbers import account_number
from store.access import Access
from store.home import Home
from tests.pages.village import ORIGIN, Village, Villager
from tests.web.access.service import FAST
from tests.web.desk import Desk, table
from web.daysheet import COLUMNS as SHEET_COLUMNS
from web.people import COLUMNS as PEOPLE_COLUMNS

PASSWORD = "five yellow persimmons"
TOWNSHIP = "bohai.example/huzhu"
OFFICIALS = (SigningKey(bytes([7, 1]) + bytes(30)), SigningKey(bytes([7, 2]) + bytes(30)))
FOUNDED_DAYS, SERVED_DAYS = 60, 40
VOLUNTEERS, ELDERS = 4, 6
NUMBERS = [account_number(230_101 + 11 * place) for place in range(VOLUNTEERS + ELDERS)]
BORN = {"volunteer": "1970-03-01", "elder": "1940-03-01"}
PEOPLE = [
    Villager(NUMBERS[place], f"村民{place}号", BORN[role], f"1390013{place:04}", f"村东{place}号", role)
    for place, role in enumerate(["volunteer"] * VOLUNTEERS + ["elder"] * ELDERS)
]
FRAUD = PEOPLE[0].account
"""Whom the audit finds in two places at once."""


def make_board_village(folder: Path, *, has_township: bool = True) -> Village:
    """The home: supervisors ``li`` and ``zhao`` with an official's key each, and others; or a village of its own.

    Without a township those keys are on no ledger, and members act in its place.
    """
    desk = Desk(folder)
    today = datetime.datetime.now(UTC).date()
    began = f"{today - datetime.timedelta(days=FOUNDED_DAYS)}T00:00:00Z"
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HUZHU_HOME", "HUZHU_PASSPHRASE", "LC_ALL", "LC_MESSAGES"):
            patch.delenv(name, raising=False)
        patch.setenv("LANG", "en_US.UTF-8")
        patch.setenv("LANGUAGE", "en")
        officials = desk.file("officials.txt", "".join(f"{format_base64(key.public)}\n" for key in OFFICIALS))
        params = desk.file("params.json", '{"posting_days": 3}')
        township = format_vkey(make_vkey(TOWNSHIP, ED25519, OFFICIALS[0].public))
        above = ("--parent", township, "--authority", officials) if has_township else ()
        desk("init", "--origin", ORIGIN, *above, "--params", params, "--at", began)
        home = Home(desk.home)
        for key in OFFICIALS if has_township else ():
            home.add_key("authority", key, None)
        rows = [{"account": each.account, "born": each.born, "roles": each.roles} for each in PEOPLE]
        rows = [row | ({"funded": "key_elder"} if row["roles"] == "elder" else {}) for row in rows]
        desk("person", "import", desk.file("people.csv", table(PEOPLE_COLUMNS, rows)), "--at", began)
        sheet = desk.file("services.csv", table(SHEET_COLUMNS, list(_services(today))))
        desk("import", sheet, "--seal-by", "date", "--at", "date")
    settings = desk.home / "node.toml"
    settings.write_text(f"{settings.read_text()}[serve]\ntend_every_minutes = 0\n")
    return Village(desk.home, PEOPLE, _users(desk.home))


def _services(today: datetime.date) -> Iterator[dict[str, str]]:
    """Each volunteer serves in turn; the first one is with two elders at one time."""
    for days in range(SERVED_DAYS, 0, -1):
        row = {"category": "assistance", "paid_by": "issue", "evidence": "paper"}
        row["date"] = str(today - datetime.timedelta(days=days))
        provider, elder = PEOPLE[days % VOLUNTEERS].account, PEOPLE[VOLUNTEERS + days % ELDERS].account
        yield row | {"start": "09:05", "end": "10:00", "provider": provider, "recipient": elder}
        if days in (3, 7, 11):
            other = PEOPLE[VOLUNTEERS + (days + 1) % ELDERS].account
            yield row | {"start": "14:00", "end": "15:10", "provider": FRAUD, "recipient": elder}
            yield row | {"start": "14:30", "end": "15:40", "provider": FRAUD, "recipient": other}


def _users(home: Path) -> dict[str, str]:
    first, second = (key.id for key in OFFICIALS)
    members = [key for key, _path in Home(home).key_files("member")]
    users = {
        "li": ("supervisor", first, ORIGIN),
        "zhao": ("supervisor", second, ORIGIN),
        "elsewhere": ("supervisor", "", "xizhuang.example/huzhu"),
        "auditor": ("auditor", "", ""),
        "clerk": ("clerk", "", ORIGIN),
        "member": ("member", members[0], ORIGIN),
        "second": ("member", members[1], ORIGIN),
        "person": ("person", "", ORIGIN),
    }
    hashed, now = FAST.hash(PASSWORD), int(time.time())
    with closing(Access(home / "access.db")) as access:
        for name, (role, key, ledger) in users.items():
            account = FRAUD if role == "person" else ""
            access.add_user(name, role, ledger=ledger, account=account, key=key, password=hashed, now=now)
    return dict.fromkeys(users, "")
