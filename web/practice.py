"""A ledger to practise on: forty people who are made up, four weeks of their services, and users with one password.

    make_practice(folder, create)      # at a vacant place; nothing in it is secret
    is_practice(origin)                # by its name, for ever: practice.…

Its name tells it from a real one wherever it goes: on every page, on paper, in an audit. No committee's desk admits a
ledger of such a name (``refuse_practice``). It is made by the same imports as a real village's books.
"""

import csv
import datetime
import random
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from web.access.who import AUDITOR, CLERK, MEMBER, PERSON, SUPERVISOR
from web.i18n import translate as _
from web.problems import DeskError

if TYPE_CHECKING:
    from store.home import Home
    from web.desk import DeskNode

PREFIX = "practice."
ORIGIN = "practice.village.example/huzhu"
NAME = "练习村 (Practice Village)"
SHOWN_FILE = "practice.txt"
"""In its home: the password of everybody, another in each practice ledger. The page shows it; it protects nothing."""
BESIDE = "-practice"
"""Behind a home's name: where the set-up page puts its practice ledger."""
AGAIN, END = "again", "end"
"""What its page asks for: the same from the beginning, or an end of it."""
VOLUNTEERS, ELDERS = 18, 22
FOUNDED_DAYS, SERVED_DAYS, SERVICES_A_DAY = 35, 28, 6
MEMBERS = 3
FAMILY_NAMES = "王李张刘陈杨赵黄周吴徐孙"
GIVEN_NAMES = ("秀英", "桂兰", "建国", "志强", "淑珍", "玉梅", "海燕", "小红", "明亮", "春生", "福贵")
CATEGORIES = ("emotional_comfort", "assistance", "travel_companion", "culture_sports", "health_science")
ASKED = (("assistance", 60), ("travel_companion", 90), ("emotional_comfort", 45), ("health_science", 30))
"""What is asked for, and what waits for a signature: category and minutes, an elder each."""
SEED = 20_251_102


def is_practice(origin: str) -> bool:
    """Whether a ledger is one to practise on."""
    return origin.startswith(PREFIX)


def refuse_practice(origin: str) -> None:
    """Raise DeskError where a ledger that is to be admitted is one to practise on."""
    if is_practice(origin):
        text = _("{origin} is a ledger to practise on: nobody in it is real, and no tier admits it")
        raise DeskError(text.format(origin=origin))


def users(people: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Name, role and account of everybody who may sign in; ``people`` are all accounts, the volunteers first."""
    yield "clerk", CLERK, ""
    for number in range(1, MEMBERS + 1):
        yield f"member{number}", MEMBER, ""
    yield "supervisor", SUPERVISOR, ""
    yield "auditor", AUDITOR, ""
    yield "volunteer", PERSON, people[0]
    yield "elder", PERSON, people[VOLUNTEERS]


def password_of(home: "Home") -> str:
    """What everybody signs in with."""
    return (home.folder / SHOWN_FILE).read_text("ascii")


def make_practice(folder: Path, create: Callable[..., None]) -> None:
    """Make its home; raises DeskError or StoreError. People and services are there before it is at its place."""
    from ledger.founding import Founding
    from web.session import new_key, now

    today = now().date()
    founded = datetime.datetime.combine(today, datetime.time(), datetime.UTC) - datetime.timedelta(days=FOUNDED_DAYS)
    founding = Founding(
        origin=ORIGIN,
        clerks=[new_key()],
        members=[new_key() for _number in range(MEMBERS)],
        threshold=2,
        at=founded,
    )
    keys = [key.id for key in (*founding.clerks, *founding.members)]

    def furnish(home: "Home", node: "DeskNode") -> None:
        chance = random.Random(SEED)  # noqa: S311 - the same people every time
        home.set_name(NAME)
        accounts = _fill(home, node, founded, today, chance)
        _add_users(home, accounts, keys)
        _add_requests(home, accounts, now())
        _add_waiting(home, accounts, keys[0], now())

    create(folder, founding, None, furnish)


def drop_practice(home: "Home") -> None:
    """Remove a practice ledger with all that is in it; DeskError where the home is no such."""
    import shutil

    if not is_practice(home.origin()):
        raise DeskError(_("{folder} is no practice ledger: it stays").format(folder=home.folder))
    shutil.rmtree(home.folder)


def _add_users(home: "Home", accounts: Sequence[str], keys: Sequence[str]) -> None:
    import time

    from store.access import Access
    from store.database import FILE_MODE
    from web.access.passwords import Passwords

    password, path = f"lianxi-{secrets.randbelow(10**6):06}", home.folder / SHOWN_FILE
    path.touch(FILE_MODE)
    path.write_text(password, "ascii")
    hashed, signing = Passwords().hash(password), iter(keys)
    with closing(Access(home.access)) as access:
        for name, role, account in users(accounts):
            key = next(signing) if role in (CLERK, MEMBER) else ""
            ledger = "" if role == AUDITOR else ORIGIN
            access.add_user(
                name, role, ledger=ledger, account=account, key=key, password=hashed, now=int(time.time())
            )


def _fill(
    home: "Home", node: "DeskNode", founded: datetime.datetime, today: datetime.date, chance: random.Random
) -> list[str]:
    """People and services, by the imports that a village has; answers the accounts, the volunteers first."""
    from web.daysheet import COLUMNS as SHEET_COLUMNS
    from web.importing import ImportOrder, import_sheets
    from web.keyring import Keyring
    from web.people import COLUMNS as PEOPLE_COLUMNS
    from web.people import import_people
    from web.session import now

    people = list(_people(chance))
    accounts = [row["account"] for row in people]
    with tempfile.TemporaryDirectory() as name:
        keyring = Keyring(home, None, node.state, now())
        folder = Path(name)
        people_file = _write(folder / "people.csv", PEOPLE_COLUMNS, people)
        import_people(node, keyring, people_file, now(), founded)
        sheets = _write(folder / "services.csv", SHEET_COLUMNS, _services(accounts, today, chance))
        order = ImportOrder(seal_by_date=True, at_date=True)
        import_sheets(node, keyring, sheets, order, now, lambda _done, _total: None)
        node.seal()
    return accounts


def _add_requests(home: "Home", accounts: Sequence[str], at: datetime.datetime) -> None:
    """What elders ask for on the next days; nobody has been offered yet."""
    from care.requestbook import REQUESTS_FILE, open_book
    from care.requests import Request

    morning = datetime.datetime.combine(at.date(), datetime.time(1), datetime.UTC)  # nine o'clock in China
    with closing(open_book(home.folder / REQUESTS_FILE, home.people_secret(None))) as book:
        for place, (category, minutes) in enumerate(ASKED):
            book.add(
                Request(
                    id=0,
                    recipients=(accounts[VOLUNTEERS + place],),
                    category=category,
                    starts_at=morning + datetime.timedelta(days=1 + place, hours=place),
                    minutes=minutes,
                    requested_at=at,
                )
            )


def _add_waiting(home: "Home", accounts: Sequence[str], clerk: str, at: datetime.datetime) -> None:
    """Services of yesterday's evening that the clerk has recorded, and that wait for a member."""
    from ledger.bodies import Evidence, Service
    from store.drafts import Drafts, Signer
    from web.pages.desk_signing import CLERK_MEMBER, order_of

    start = datetime.datetime.combine(at.date(), datetime.time(), datetime.UTC) - datetime.timedelta(hours=14)
    bodies = [
        Service(
            category=category,
            end=start + datetime.timedelta(hours=place, minutes=minutes),
            evidence=Evidence(form="paper", hash=bytes(32)),
            minutes=minutes,
            paid_by="issue",
            provider=accounts[place],
            recipient=accounts[VOLUNTEERS + place],
            start=start + datetime.timedelta(hours=place),
        )
        for place, (category, minutes) in enumerate(ASKED)
    ]
    Drafts(home.drafts).put(
        [order_of(body, CLERK_MEMBER) for body in bodies], Signer("clerk", clerk, int(at.timestamp()))
    )


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, columns, restval="")
        out.writeheader()
        out.writerows(rows)
    return path


def _people(chance: random.Random) -> Iterator[dict[str, str]]:
    """A row each; names in both scripts, telephone numbers that nobody has."""
    from pypinyin import lazy_pinyin

    from ledger.numbers import account_number

    numbers = chance.sample(range(1_000_000), VOLUNTEERS + ELDERS)
    names = chance.sample([family + given for family in FAMILY_NAMES for given in GIVEN_NAMES], VOLUNTEERS + ELDERS)
    for place, (number, name) in enumerate(zip(numbers, names, strict=True)):
        family, *given = lazy_pinyin(name)
        both = f"{name} {family.capitalize()} {''.join(given).capitalize()}"
        is_elder = place >= VOLUNTEERS
        year = chance.randrange(1936, 1956) if is_elder else chance.randrange(1960, 2002)
        born = datetime.date(year, 1 + place % 12, 15)
        row = {"account": account_number(number), "name": both, "born": str(born), "phone": f"100000{place:05}"}
        row |= {"address": f"练习村 {place + 1} 号 (Practice Village {place + 1})"}
        if is_elder:
            yield row | {"roles": "elder", "care_level": str(place % 4), "funded": "key_elder"}
        else:
            yield row | {"roles": "volunteer"}


def _services(accounts: Sequence[str], today: datetime.date, chance: random.Random) -> Iterator[dict[str, str]]:
    """A few every day, the last yesterday; nobody is in two places at once."""
    volunteers, elders = accounts[:VOLUNTEERS], accounts[VOLUNTEERS:]
    for days in range(SERVED_DAYS, 0, -1):
        date = today - datetime.timedelta(days=days)
        at_work, at_home = chance.sample(volunteers, SERVICES_A_DAY), chance.sample(elders, SERVICES_A_DAY)
        for provider, recipient in zip(at_work, at_home, strict=True):
            start = datetime.datetime.combine(date, datetime.time(chance.randrange(8, 17), chance.choice((0, 15, 30))))
            end = start + datetime.timedelta(minutes=chance.choice((30, 45, 60, 90)))
            yield {
                "date": str(date),
                "start": f"{start:%H:%M}",
                "end": f"{end:%H:%M}",
                "provider": provider,
                "recipient": recipient,
                "category": chance.choice(CATEGORIES),
                "paid_by": "issue",
                "evidence": "paper",
            }
