"""A county's node that serves, above two townships with three villages that are off line; and the city above it."""

import datetime
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledger.bodies import AccountClose, AccountOpen, Evidence, Opening, Reverse, Service, TransferOut
from ledger.numbers import account_number
from node import Accepted
from store.access import Access
from store.home import Home
from store.mirror import MirrorStore
from sync.mirror import Mirror
from tests.sync.city import ANNE, BEN, HASH, START, Town
from tests.web.service.running import Running, running
from verify.source import MemorySource
from web.access.making import make_token

ROOM_BYTES = 10**12
CLOSED = account_number(100_009)
QUIET = "[serve]\nseal_every_minutes = 0\ntend_every_minutes = 0\n"


@dataclass(frozen=True, slots=True)
class County:
    """All towns, and the county's service."""

    towns: dict[str, Town]
    service: Running

    def origin(self, name: str) -> str:
        return self.towns[name].origin


def make_towns(folder: Path) -> dict[str, Town]:
    """A city, a county, two townships, three villages with their people."""
    root = Town(folder, "city", "city")
    county = Town(folder, "county", "county", root)
    east, west = (Town(folder, name, "township", county) for name in ("east", "west"))
    villages = [Town(folder, f"v{number}", "village", above) for number, above in ((1, east), (2, east), (3, west))]
    for village in villages:
        people(village)
    for town in (root, county, east, west):
        town.seal()
    return {town.home.name: town for town in (root, county, east, west, *villages)}


def people(village: Town) -> None:
    """A volunteer and an elder with hours, somebody who left, and services: two overlap, and one is reversed."""
    opens = [
        AccountOpen(account=ANNE, dossier=HASH, holder="person", volunteer=True),
        AccountOpen(account=BEN, dossier=HASH, holder="person", elder=True, redeemable=True),
        AccountOpen(account=CLOSED, dossier=HASH, holder="person"),
    ]
    village.write((village.clerk, village.one), *opens)
    opening = Opening(account=BEN, minutes=6_000, source=HASH)
    village.write((village.clerk, village.one, village.two), opening)
    village.write((village.clerk, village.one), AccountClose(account=CLOSED, reason="moved"))
    serve(village, 30, 60)
    (wrong,) = serve(village, 90)
    reverse(village, wrong)
    village.seal()


def reverse(village: Town, index: int) -> None:
    village.write((village.one, village.two), Reverse(index=index, reason="twice"))


def serve(village: Town, *minutes: int) -> Sequence[int]:
    """Anne serves Ben for so long, all of it to the same moment; the indexes of the services."""
    bodies = [
        Service(
            category="assistance" if each % 60 else "training",
            end=START,
            evidence=Evidence(form="paper", hash=HASH),
            minutes=each,
            paid_by="recipient",
            provider=ANNE,
            recipient=BEN,
            start=START - datetime.timedelta(minutes=each),
        )
        for each in minutes
    ]
    results = village.write((village.clerk, village.one), *bodies)
    return [result.index for result in results if isinstance(result, Accepted)]


def send(village: Town, other: Town, minutes: int) -> None:
    """Ben's hours leave for another village, and are on their way."""
    body = TransferOut(giver=BEN, minutes=minutes, to=f"{other.origin}#{ANNE}")
    village.write((village.clerk, village.one), body)
    village.seal()


def receive(above: Town, *below: Town) -> None:
    """Mirror these ledgers as they are now."""
    with above.node() as node:
        admitted = {name: (each.vkey, each.tier) for name, each in node.state.admitted.items()}
    sources: list[MemorySource] = [town.source() for town in below]
    with closing(MirrorStore(Home(above.home).mirror)) as store:
        Mirror(store, above.origin, admitted, lambda name, _raw: name, lambda: ROOM_BYTES).receive(sources)


def tokens(home: Path, **ledgers: str) -> dict[str, str]:
    """A token for a supervisor of each of these ledgers, and for an auditor."""
    made = {}
    now = int(time.time())
    with closing(Access(home / "access.db")) as access:
        for name, ledger in {**ledgers, "auditor": ""}.items():
            access.add_user(name, "supervisor" if ledger else "auditor", ledger=ledger, account="", now=now)
            user = access.user(name)
            assert user is not None
            made[name] = make_token(access, user, label="", scopes=("read",), days=1, now=now).secret
    return made


@contextmanager
def county(folder: Path) -> Iterator[County]:
    """The county's service; the city's too, which knows whom it admits."""
    towns = make_towns(folder)
    root, above, *below = towns.values()
    receive(above, *below)
    send(towns["v1"], towns["v3"], 45)
    later, _more = serve(towns["v2"], 25, 15)
    towns["v2"].seal()
    receive(above, *below)
    reverse(towns["v2"], later)
    towns["v2"].seal()
    receive(above, *below)
    above.seal()
    receive(root, above, *below)
    for town in (root, above):
        (town.home / "node.toml").write_text(f'origin = "{town.origin}"\n{QUIET}')
    with running(root.home, {}) as city:
        settings = above.home / "node.toml"
        settings.write_text(f'{settings.read_text()}[[parents]]\nurl = "{city.url}"\n')
        held = tokens(above.home, county=above.origin, east=towns["east"].origin, v3=towns["v3"].origin)
        with running(above.home, held) as service:
            yield County(towns, service)
