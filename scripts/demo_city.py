"""A small city on one machine in under a minute: the second half of ``make demo``.

Seven nodes, each with its own folder, keys and service on loopback: a city, a county, two townships, three villages.
Hours travel from one village to another by proofs while one of them is off line; a plug is pulled; one village shows
two histories; and in the end an auditor who has nothing but the city's key checks all the others.

The rounds in which a node looks after its neighbours (``huzhu tend``) are called here one after the other, so that one
can see what each does; a service does them on a clock.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from stage import FOLDER_PREFIX, HUZHU, ask, huzhu, said, told
from stage import say as say_of

from ledger.numbers import account_number

START_SECONDS, TICK_SECONDS = 30, 0.05
TEXTS = {
    "begin": (
        "一座小城：市、县、两个镇、三个村，各有自己的账本和密钥，上级接纳下级",
        "A small city: city, county, two townships, three villages; each keeps a ledger, admitted by the one above",
    ),
    "serve": ("每个节点开始服务，各在本机的一个端口", "Each node begins to serve, on a port of this machine"),
    "earn": ("西庄村：李秀英为邻居服务，挣得一个半小时", "Xizhuang: a volunteer earns an hour and a half"),
    "send": (
        "她把 1 小时寄给外村的母亲（另一个镇）",
        "She sends an hour to her mother in a village of another township",
    ),
    "way": (
        "镇和县镜像下级的账本、逐条核对并锚定",
        "Townships and county mirror the ledgers below, check and anchor them",
    ),
    "arrive": (
        "母亲的村凭证明收下，再问一次也只记一次",
        "The mother's village takes it by proof; asked again, it counts once",
    ),
    "refuse": (
        "寄给一个不存在的账户：对方拒收，时间退回",
        "Hours for an account that is not there: refused, and they come back",
    ),
    "plug": (
        "拔掉西庄村的插头（kill -9）。县里照样回答它的余额，并附证明",
        "The plug of Xizhuang is pulled (kill -9). The county goes on answering for it, with proof",
    ),
    "root": ("一条村里的记录，一路证到市的根", "A record of the village, proven up to the city's root"),
    "forge": (
        "有人拿南庄村的旧硬盘和密钥，另写了一段历史",
        "Somebody takes an old disk of Nanzhuang, with its keys, and writes another history",
    ),
    "alarm": (
        "镇上不收，留下证据，报警；证据谁都能验",
        "The township takes none of it, keeps the evidence and raises an alarm; anyone can check it",
    ),
    "audit": (
        "审计员只有市的一把公钥：其余各村各镇全部核对",
        "An auditor with the city's key alone checks all the others",
    ),
    "done": ("小城用时 {seconds:.0f} 秒。", "The city took {seconds:.0f} s."),
    "failed": ("没有如演示所说：{what}", "It did not go as told: {what}"),
}


@dataclass
class Place:
    """One node: its folder, its ledger, whom it names, and its service while that runs."""

    name: str
    tier: str
    parent: "Place | None" = None
    vkey: str = ""
    port: int = 0
    service: "subprocess.Popen[bytes] | None" = None
    children: "list[Place]" = field(default_factory=list)

    @property
    def home(self) -> Path:
        return FOLDER / self.name

    @property
    def origin(self) -> str:
        return f"{self.name}.example/huzhu"

    @property
    def at(self) -> tuple[str, Path]:
        """The words by which a command finds it."""
        return "--home", self.home

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def above(self) -> "Iterator[Place]":
        """The nodes above, nearest first."""
        if self.parent is not None:
            yield self.parent
            yield from self.parent.above()

    def tend(self, status: int = 0) -> None:
        """One round of its duties, not shown."""
        ask("tend", *self.at, status=status)


class City(NamedTuple):
    """The nodes, from the root down."""

    root: Place
    county: Place
    bohai: Place
    qiaozi: Place
    xizhuang: Place
    nanzhuang: Place
    beigou: Place

    @property
    def upward(self) -> tuple[Place, ...]:
        """Those that look after nodes below them, the lowest first."""
        return self.bohai, self.qiaozi, self.county, self.root


def say(key: str, **values: object) -> None:
    """One of this city's headings."""
    say_of(TEXTS, key, **values)


def fail(what: str) -> None:
    """End where the demonstration does not show what it says."""
    say("failed", what=what)
    sys.exit(1)


def plan() -> City:
    """Who is above whom; nothing is on disk yet."""
    root = Place("beijing", "city")
    county = Place("huairou", "county", root)
    towns = [Place(name, "township", county) for name in ("bohai", "qiaozi")]
    names = ("xizhuang", "nanzhuang", "beigou")
    villages = [Place(name, "village", town) for name, town in zip(names, (towns[0], *towns), strict=True)]
    city = City(root, county, *towns, *villages)
    for place in city:
        if place.parent is not None:
            place.parent.children.append(place)
    return city


def found(place: Place) -> None:
    """Begin its ledger under the one above, which admits it."""
    words: list[str | Path] = ["init", *place.at, "--origin", place.origin, "--tier", place.tier]
    if place.parent is not None:
        words += ["--parent", place.parent.vkey, "--authority", officials(place.parent)]
        trusted = FOLDER / "params.json"
        above = [each.vkey for each in place.above()]
        trusted.write_text(json.dumps({"trusted_logs": above, "posting_days": 0}))
        words += ["--params", trusted]
    place.vkey = told(*words)["vkey"]
    if place.parent is not None:
        admit = ("org", "admit", *place.parent.at, "--vkey", place.vkey)
        if place.parent.tier == "city":
            huzhu(*admit)
        else:
            ask(*admit)
        ask("seal", *place.parent.at)


def officials(place: Place) -> Path:
    """The public keys of two officials of that tier."""
    path = FOLDER / f"{place.name}-officials.txt"
    if not path.exists():
        made = [
            told("key", "new", *place.at, "--role", "authority", "-o", FOLDER / f"{place.name}-{number}.pem")
            for number in (1, 2)
        ]
        path.write_text("".join(f"{key['public']}\n" for key in made))
    return path


def settle(city: City) -> None:
    """Give each a port, and write down in ``node.toml`` who is above and below."""
    with contextlib.ExitStack() as stack:
        for place in city:
            listening = stack.enter_context(socket.socket())
            listening.bind(("127.0.0.1", 0))
            place.port = listening.getsockname()[1]
    for place in city:
        lines = [f'origin = "{place.origin}"', "[serve]", f"port = {place.port}", "tend_every_minutes = 0"]
        for above in place.above():
            lines += ["[[parents]]", f'url = "{above.url}"']
        for child in place.children:
            lines += ["[[children]]", f'origin = "{child.origin}"', f'url = "{child.url}"']
        (place.home / "node.toml").write_text("\n".join(lines) + "\n")


def start(*places: Place) -> None:
    """Begin to serve, and wait until each answers."""
    for place in places:
        with (FOLDER / f"{place.name}.log").open("ab") as log:
            place.service = subprocess.Popen([HUZHU, "serve", *place.at], stderr=log, stdout=log)
    deadline = time.monotonic() + START_SECONDS
    for place in places:
        while not answers(place):
            if time.monotonic() > deadline:
                fail(f"{place.name} does not answer: " + (FOLDER / f"{place.name}.log").read_text()[-500:])
            time.sleep(TICK_SECONDS)


def answers(place: Place) -> bool:
    """Whether its service is there."""
    try:
        with urllib.request.urlopen(f"{place.url}/log/origins", timeout=5) as answer:  # noqa: S310 - http, our own
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def stop(place: Place, how: signal.Signals) -> None:
    """End its service."""
    if place.service is not None:
        place.service.send_signal(how)
        place.service.wait()
        place.service = None


def open_account(place: Place, *words: str) -> str:
    """The number of a new account."""
    return str(told("person", "open", *place.at, *words)["account"])


def seal(*places: Place) -> None:
    for place in places:
        ask("seal", *place.at)


def main() -> None:
    """The city."""
    started = time.monotonic()
    city = plan()
    say("begin")
    for place in city:
        found(place)
    settle(city)
    try:
        live(city)
    finally:
        for place in city:
            stop(place, signal.SIGTERM)
    say("done", seconds=time.monotonic() - started)


def live(city: City) -> None:
    """What happens in it."""
    serve(city)
    volunteer = earn(city.xizhuang)
    mother = send(city, volunteer)
    carry_upward(city)
    arrive(city.beigou, mother)
    come_back(city, volunteer)
    trust = prove_to_root(city, volunteer)
    pull_plug(city, trust)
    forge(city)
    raise_alarm(city)
    audit(city, trust)


def serve(city: City) -> None:
    """All of them; in a first round those above get to know the ledgers below, so that hours can be sent there."""
    say("serve")
    start(*city)
    for place in city:
        print(f"  {place.tier:9} {place.origin:26} {place.url}")
    for place in city.upward:
        place.tend()


def earn(village: Place) -> str:
    """The account of a volunteer who has an hour and a half now."""
    say("earn")
    volunteer = open_account(village, "--name", "李秀英", "--volunteer")
    elder = open_account(village, "--name", "王桂兰", "--elder", "--born", "1950-03-15")
    paper = FOLDER / "paper.jpg"
    paper.write_bytes(b"a scanned sheet")
    huzhu("opening", elder, "600", *village.at, "--source", paper)
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400))
    service = ("--category", "assistance", "--date", day, "--start", "09:00", "--end", "10:30", "--paper", paper)
    huzhu("record", volunteer, elder, *service, *village.at)
    return volunteer


def send(city: City, volunteer: str) -> str:
    """The account of the mother, to whom an hour is on its way; a quarter goes to nobody."""
    mother = open_account(city.beigou, "--name", "张玉梅", "--elder", "--born", "1950-03-15")
    say("send")
    out = ("transfer", "out", *city.xizhuang.at, "--from", volunteer, "--to")
    huzhu(*out, f"{city.beigou.origin}#{mother}", "--minutes", "60")
    huzhu(*out, f"{city.nanzhuang.origin}#{account_number(0)}", "--minutes", "15")
    seal(city.xizhuang)
    return mother


def carry_upward(city: City) -> None:
    """Past the mother's village, which is off line meanwhile."""
    say("way")
    stop(city.beigou, signal.SIGTERM)
    for place in city.upward:
        huzhu("tend", *place.at)


def arrive(village: Place, mother: str) -> None:
    say("arrive")
    start(village)
    huzhu("tend", *village.at)
    huzhu("tend", *village.at)
    huzhu("balance", mother, *village.at)


def come_back(city: City, volunteer: str) -> None:
    """What was sent to nobody."""
    say("refuse")
    huzhu("tend", *city.nanzhuang.at)
    seal(city.nanzhuang)
    city.bohai.tend()
    huzhu("tend", *city.xizhuang.at)
    huzhu("transfer", "list", *city.xizhuang.at)
    huzhu("balance", volunteer, *city.xizhuang.at)
    seal(city.xizhuang, city.beigou)
    for place in city.upward:
        place.tend()


def prove_to_root(city: City, volunteer: str) -> Path:
    """The file with the city's key, by which everything later is checked."""
    say("root")
    trust = FOLDER / "city.policy"
    huzhu("trust", *city.root.at, "-o", trust)
    proof = FOLDER / "service.root-proof"
    lines = told("statement", volunteer, *city.xizhuang.at)["lines"]
    index = next(line["index"] for line in lines if line["kind"] == "service")
    huzhu("receipt", str(index), *city.xizhuang.at, "--to-root", "-o", proof)
    huzhu("check-receipt", proof, "--trust", trust)
    return trust


def pull_plug(city: City, trust: Path) -> None:
    """Of a village: the county answers for it."""
    say("plug")
    county, village = city.county, city.xizhuang
    stop(village, signal.SIGKILL)
    token = FOLDER / "token"
    ask("user", "add", "chen", "--role", "supervisor", "--no-password", *county.at)
    token.write_text(told("token", "new", "chen", "--scope", "read", *county.at)["token"])
    huzhu("balances", "--at", county.url, "--token-file", token, "--ledger", village.origin, "--trust", trust)


def forge(city: City) -> None:
    """A village signs two histories: one that the nodes above have seen, and from an old disk another."""
    say("forge")
    village, old_disk = city.nanzhuang, FOLDER / "old-disk"
    shutil.copytree(village.home, old_disk)
    open_account(village, "--name", "赵志强", "--volunteer")
    seal(village)
    for place in city.upward:
        place.tend()
    stop(village, signal.SIGTERM)
    forger = open_account(Place(old_disk.name, "village"), "--name", "赵志强", "--volunteer")
    ask("seal", "--home", old_disk)
    print(f"  {said('伪造的账户', 'the forged account')}: {forger}")
    shutil.move(village.home, FOLDER / "true-disk")
    shutil.move(old_disk, village.home)
    start(village)


def raise_alarm(city: City) -> None:
    say("alarm")
    huzhu("tend", *city.bohai.at, status=1)
    huzhu("alarms", *city.bohai.at)
    (evidence, *_more) = sorted((city.bohai.home / "evidence").iterdir())
    huzhu("check-fork", evidence, "--vkey", city.nanzhuang.vkey)


def audit(city: City, trust: Path) -> None:
    say("audit")
    city.county.tend()
    huzhu("verify", city.county.url, city.root.url, "--trust", trust, tail=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX) as name:
        FOLDER = Path(name)
        os.environ["XDG_STATE_HOME"] = str(FOLDER / "state")
        os.environ.pop("HUZHU_HOME", None)
        main()
