"""Figures of the pages: searching people, the board over many villages, and how soon something is on the screen.

Answers are timed from outside, by one client on the same machine; what a browser shows, by the browser itself, slowed
down as "slow 3G" and a CPU four times slower (``SLOW``).
"""

import asyncio
import csv
import datetime
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from bench.figure import HUZHU, Figure, measured, median_milliseconds
from bench.report import NODE_KEYS, write_archive, write_days
from bench.service import served
from bench.village import PARAMETERS, Clock, Village, village
from chain.fields import UTC
from chain.note import format_vkey
from ledger.bodies import OrgAdmit
from ledger.numbers import account_number
from node import Accepted, Founding, Node
from store.access import Access
from store.log import MemoryStore
from web.access.secret import new_secret, secret_hash
from web.people import COLUMNS

PEOPLE, LEDGERS, FULL_ENTRIES = 5_000, 300, 1_000_000
"""How many people are searched, and villages overseen, in a bench of so many entries."""
ACCOUNTS, SERVICES, DAYS = 40, 120, 30
"""Of each village below it."""
TOP = "above.example/bench"
SESSION_SECONDS = 36_000
FAMILY, GIVEN = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗", "秀英桂兰玉珍淑芬建国志强德福永贵丽华春梅凤仙文彬"
SEARCHES = ("wxy", "li gui", "秀英", "陈", "8123", "zhang", "l", "yz", "00000098", "没有这个人")
"""Letters of sounds, sounds, characters, a phone's end, a number, nobody."""
ROUNDS = 4
SLOW = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
"""Slow 3G: 400 ms there and back, 400 kbit/s."""
SLOWER = 4
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
PATHS = (("clerk", "/desk"), ("clerk", "/desk/record"), ("person", "/me"), ("auditor", "/board"))
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


def pages(folder: Path, entry_count: int) -> Iterator[Figure]:
    """All figures of the pages."""
    scale = min(1.0, entry_count / FULL_ENTRIES)
    yield from searching(folder / "searched", max(50, int(PEOPLE * scale)))
    yield from overseeing(folder / "above", max(5, int(LEDGERS * scale)))


# Whoever is looked for


def searching(folder: Path, count: int) -> Iterator[Figure]:
    """People found by what is typed; then the pages of that village on a slow machine."""
    home = folder / "home"
    folder.mkdir()
    make_people(folder, home, count)
    users = add_users(home)
    with serving(home) as base, client(base, users["clerk"]) as asking:

        def ask(typed: str) -> None:
            answer = asking.post("/people/find", data={"q": typed})
            if answer.status_code != httpx.codes.OK:
                raise RuntimeError(f"searching failed: {answer.status_code}")

        first = median_milliseconds(lambda: ask(SEARCHES[0]), 1)
        taken = [median_milliseconds(partial(ask, typed), ROUNDS) for typed in SEARCHES]
        beside = f"the slowest of {len(taken)}; {first:,.0f} ms the first time"
        yield Figure(f"search among {count:,} people", max(taken), "ms", 100, True, beside)
        yield from painting(base, users, PATHS if count == PEOPLE else PATHS[:1])


def make_people(folder: Path, home: Path, count: int) -> None:
    """A village with so many dossiers."""
    chance = random.Random(5)
    people = folder / "people.csv"
    with people.open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, COLUMNS)
        rows.writeheader()
        for place in range(count):
            name = chance.choice(FAMILY) + "".join(chance.sample(GIVEN, 2))
            born, role = f"{chance.randrange(1935, 1990)}-05-06", ("volunteer", "elder")[place % 2]
            told = {"account": account_number(place), "name": name, "born": born, "roles": role}
            rows.writerow(told | {"phone": f"139{chance.randrange(10**8):08}"})
    measured("init", "--origin", TOP, "--home", str(home))
    measured("person", "import", str(people), "--home", str(home))


def add_users(home: Path) -> dict[str, str]:
    """A session of somebody of each role that ``PATHS`` names."""
    now, sessions = int(time.time()), {}
    whose = (("clerk", TOP, ""), ("person", TOP, account_number(0)), ("auditor", "", ""))
    with closing(Access(home / "access.db")) as access:
        for role, ledger, account in whose:
            access.add_user(role, role, ledger=ledger, account=account, now=now)
            user, secret = access.user(role), new_secret()
            if user is None:
                raise RuntimeError("no user")
            until = now + SESSION_SECONDS
            access.open_session(user, secret_hash(secret), now=now, expires_seconds=until, password="")
            sessions[role] = secret
    return sessions


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """Where a home's service answers, while it runs."""
    with served(str(HUZHU), "serve", "--home", str(home), "--port", "0") as port:
        yield f"http://127.0.0.1:{port}"


def client(base: str, session: str) -> httpx.Client:
    """Somebody's browser, as far as the node can tell."""
    headers = {"Sec-Fetch-Site": "same-origin", "Accept-Language": "zh", "Accept-Encoding": "gzip"}
    return httpx.Client(base_url=base, headers=headers, cookies={"huzhu": session}, timeout=60)


# On the screen


def painting(base: str, users: dict[str, str], paths: Sequence[tuple[str, str]]) -> Iterator[Figure]:
    """When the first words are on the screen: of whoever comes for the first time, and of who was here before."""
    firsts, laters = asyncio.run(_paint(base, users, paths))
    what = f"first paint of the slowest page, slow 3G and a CPU {SLOWER} times slower"
    yield Figure(what, max(laters.values()), "s", 1, True, _told(laters))
    yield Figure(f"{what}, nothing kept", max(firsts.values()), "s", 1, True, _told(firsts))


async def _paint(
    base: str, users: dict[str, str], paths: Sequence[tuple[str, str]]
) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds for each page, when nothing is in the browser's memory yet and when its style sheet is."""
    from playwright.async_api import async_playwright

    firsts: dict[str, float] = {}
    laters: dict[str, float] = {}
    async with async_playwright() as held:
        browser = await held.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for role, path in paths:
            context = await browser.new_context(base_url=base, locale="zh-CN")
            with client(base, users[role]) as warming:  # the node has then read what it keeps in memory
                warming.get(path).raise_for_status()
            await context.add_cookies([{"name": "huzhu", "value": users[role], "url": base}])
            page = await context.new_page()
            slow = await context.new_cdp_session(page)
            await slow.send("Network.enable")
            await slow.send("Network.emulateNetworkConditions", SLOW)
            await slow.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
            for seen in (firsts, laters):
                answer = await page.goto(path)
                if answer is None or not answer.ok:
                    raise RuntimeError(f"{path} is not shown")
                paint: Any = None
                while paint is None:
                    paint = await page.evaluate(PAINT)
                seen[path] = paint / 1_000
                await page.goto("about:blank")
            await context.close()
        await browser.close()
    return firsts, laters


def _told(seconds: dict[str, float]) -> str:
    return "; ".join(f"{path} {each:.2f} s" for path, each in seconds.items())


# The board


def overseeing(folder: Path, count: int) -> Iterator[Figure]:
    """The board over so many villages."""
    folder.mkdir()
    home = folder / "home"
    make_tier(folder, home, count)
    users = add_users(home)
    with serving(home) as base, client(base, users["auditor"]) as asking:
        for path in ("/board", "/board/ledgers"):
            first = median_milliseconds(_getter(asking, path), 1)
            taken = median_milliseconds(_getter(asking, path), 2 * ROUNDS)
            yield Figure(f"{path} over {count} villages", taken, "ms", 300, True, f"{first:,.0f} ms the first time")


def _getter(asking: httpx.Client, path: str) -> Callable[[], None]:
    def get() -> None:
        answer = asking.get(path)
        if answer.status_code != httpx.codes.OK:
            raise RuntimeError(f"{path}: {answer.status_code}")

    return get


def make_tier(folder: Path, home: Path, count: int) -> None:
    """A home that has admitted and mirrored so many villages, each with a month of services."""
    people, clock = village(ACCOUNTS), Clock()
    clock.now = datetime.datetime.now(UTC).replace(microsecond=0) - datetime.timedelta(days=DAYS + 1)
    origins = [f"village-{number}.example/bench" for number in range(count)]
    nodes = [_village(origin, people, Clock(clock.now)) for origin in origins]
    make_parent(home, people, clock, {node.origin: format_vkey(node.vkey) for node in nodes})
    write_archive(folder / "villages.db", [node.store for node in nodes])
    measured("receive", str(folder / "villages.db"), "--home", str(home))


def make_parent(home: Path, people: Village, clock: Clock, vkeys: Mapping[str, str]) -> None:
    """The home of a township that has admitted these villages, each with its key."""
    Node.create(home, Founding(TOP, [people.clerk], people.members, 2, tier="township"), None, clock)
    with Node.open(home, writes=True, clock=clock) as above:
        admissions = [OrgAdmit(origin=origin, tier="village", vkey=vkey) for origin, vkey in vkeys.items()]
        results = above.write(people.members[0], people.members[1:2], admissions)
        if not all(isinstance(result, Accepted) for result in results):
            raise RuntimeError(f"an admission was refused: {results}")
        above.seal()


def _village(origin: str, people: Village, clock: Clock) -> Node:
    node = Node(MemoryStore(origin), NODE_KEYS, clock)
    node.found(Founding(origin, [people.clerk], people.members, 2, parameters=PARAMETERS))
    write_days(node, people, clock, SERVICES, DAYS)
    return node
