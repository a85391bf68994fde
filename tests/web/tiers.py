"""A township and its villages on one desk, made as the guides say: by commands alone, but for the mirror."""

from contextlib import closing
from pathlib import Path

from chain.entry import Statement, format_statement
from chain.sheet import SignedSheet, sign_sheet
from ledger.bodies import Params
from ledger.parameters import format_parameters
from node import Node
from store.archive import open_archive
from store.home import Home
from store.mirror import MirrorStore
from sync.mirror import Mirror
from tests.web.desk import BEGINNING, Desk, run
from web.commands_tiers import SAMPLE_VKEY
from web.session import now

TOWNSHIP, VILLAGE = "township.example/huzhu", "xizhuang.example/huzhu"
OFFICIALS = ("official-1.pem", "official-2.pem")
ROOM_BYTES = 1 << 40


def township(desk: Desk) -> None:
    """Take the desk's village away, and put a township there."""
    desk.home.rename(desk.folder / "old-home")
    desk.json("init", "--origin", TOWNSHIP, "--tier", "township", "--at", BEGINNING)


def admit_sample(desk: Desk) -> None:
    """Admit a ledger that is not here."""
    desk("org", "admit", "--vkey", SAMPLE_VKEY)


def vkey_of(home: Path) -> str:
    """The verifier key, as `trust` writes it."""
    return run("trust", "--home", home).stdout.split()[1]


def village(desk: Desk, name: str = "xizhuang") -> Desk:
    """A village below the desk's township, admitted there; it has nobody yet."""
    below = Desk(desk.folder)
    below.home = desk.folder / name
    if not (desk.folder / OFFICIALS[0]).exists():
        keys = [run("key", "new", "--role", "authority", "-o", desk.folder / file).stdout for file in OFFICIALS]
        desk.file("officials.txt", "".join(f"{key.split()[-1]}\n" for key in keys))
    words = ("--parent", vkey_of(desk.home), "--authority", desk.folder / "officials.txt", "--at", BEGINNING)
    below("init", "--origin", f"{name}.example/huzhu", *words)
    desk("org", "admit", "--vkey", vkey_of(below.home))
    desk("seal")
    return below


def mirror(desk: Desk, *below: Desk) -> None:
    """Let the desk's node take copies of these ledgers."""
    with Node.open(desk.home, writes=False) as node:
        origin = node.origin
        admitted = {name: (each.vkey, each.tier) for name, each in node.state.admitted.items()}
    with closing(MirrorStore(Home(desk.home).mirror)) as store:
        taken = Mirror(store, origin, admitted, lambda name, _raw: name, lambda: ROOM_BYTES)
        for each in below:
            with open_archive(each.home / "ledger.db") as ledgers:
                taken.receive(ledgers)


def stick(desk: Desk, *others: Desk, name: str = "township.db") -> Path:
    """An archive with the desk's own ledger and those of others."""
    path = desk.folder / name
    path.unlink(missing_ok=True)
    parts = []
    for place, each in enumerate((desk, *others)):
        parts.append(desk.folder / f"{place}-{name}")
        parts[-1].unlink(missing_ok=True)
        each("export", "--archive", parts[-1])
    run("join", path, *parts)
    return path


def params_sheet(desk: Desk) -> SignedSheet:
    """New parameters, signed by two members of the desk's ledger."""
    home = Home(desk.home)
    keys = [home.signing_key(path, None) for _id, path in home.key_files("member")[:2]]
    with Node.open(desk.home, writes=False) as node:
        state, domain = node.state, node.domain
        author, beside = keys
        statement = Statement(
            at=state.log_time(now()),
            beside=(beside.id,),
            body=Params(params=format_parameters(state.parameters), version=state.parameters_version + 1),
            by=author.id,
            kind="params",
            seq=2**50,
        )
    return sign_sheet(domain, [format_statement(statement)], author, [beside])
