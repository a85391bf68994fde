"""Figures of the report: a village's year, and a county's in bounded memory.

    python -m bench.report [--full]

A county is made of ``FEW`` and then of ``MORE`` villages, so that what memory does can be seen; the seconds of all 300
are reckoned from them, or measured with ``--full`` (making 5 million services takes some minutes).
"""

import argparse
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from bench.figure import CORES, Figure, measured
from bench.village import PARAMETERS, Clock, Village, founding, services, settle, village
from chain.keys import SigningKey
from node import Founding, Node, NodeKeys, Refused
from store.log import LogStore, MemoryStore
from store.sqlite import SqliteStore

YEAR, DAYS = "2001", 365
VILLAGE_ACCOUNTS, VILLAGE_SERVICES = 5_000, 36_500
COUNTY_LEDGERS, COUNTY_ACCOUNTS, COUNTY_SERVICES = 300, 320, 16_667
FEW, MORE = 20, 60
"""Ledgers of two counties."""

NODE_KEYS = NodeKeys(SigningKey(b"n" * 32))

def write_days(node: Node, people: Village, clock: Clock, count: int, days: int = DAYS) -> None:
    """A year, or fewer days, of ``count`` services: a sheet and a block a day."""
    settle(node, people)
    source = services(people, clock)
    for day in range(days):
        clock.forward(24)
        bodies = [next(source) for _ in range(count * (day + 1) // days - count * day // days)]
        results = node.write(people.clerk, people.members[:1], bodies, durable=False)
        refused = [result for result in results if isinstance(result, Refused)]
        if refused:
            raise RuntimeError(f"the bench's own entry was refused: {refused[0]}")
        node.seal(durable=False)
    node.commit()


def make_home(home: Path, service_count: int) -> None:
    """A village's home with its year."""
    people, clock = village(VILLAGE_ACCOUNTS), Clock()
    Node.create(home, founding(people), None, clock)
    with Node.open(home, writes=True, clock=clock) as node:
        write_days(node, people, clock, service_count)


def make_county(path: Path, ledger_count: int, service_count: int = COUNTY_SERVICES) -> None:
    """An archive of so many villages, each with its year, under keys and signatures of its own ledger."""
    write_archive(path, (_year(number, service_count) for number in range(ledger_count)))


def _year(number: int, service_count: int) -> MemoryStore:
    people, clock, store = village(COUNTY_ACCOUNTS), Clock(), MemoryStore(f"village-{number}.example/bench")
    node = Node(store, NODE_KEYS, clock)
    node.found(Founding(store.origin, [people.clerk], people.members, 2, parameters=PARAMETERS))
    write_days(node, people, clock, service_count)
    return store


def write_archive(path: Path, stores: Iterable[LogStore]) -> None:
    """An archive of these ledgers, each made when its turn comes."""
    with closing(SqliteStore(path.with_suffix(".node"), "empty.example/bench")) as empty:
        empty.copy_to(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as archive:
        archive.execute("DELETE FROM log")
        for log, store in enumerate(stores, 1):
            archive.execute("BEGIN")
            archive.execute("INSERT OR IGNORE INTO log(id, origin) VALUES(?, ?)", (log, store.origin))
            entries = ((log, index, raw) for index, raw in enumerate(store.entries(0, store.size)))
            archive.executemany("INSERT INTO entry(log, idx, bytes) VALUES(?, ?, ?)", entries)
            notes = ((log, size, note) for size, note in store.checkpoints())
            archive.executemany("INSERT INTO checkpoint(log, size, note) VALUES(?, ?, ?)", notes)
            archive.execute("COMMIT")


def report(*words: str) -> tuple[float, float]:
    """Seconds and MiB of a report."""
    return measured("report", "--period", YEAR, *words)


def village_report(folder: Path, service_count: int = VILLAGE_SERVICES) -> Iterator[Figure]:
    """A village's year in every format."""
    home = folder / "village"
    make_home(home, service_count)
    for form in ("html", "xlsx", "pdf", "json"):
        seconds, peak = report("--home", str(home), "--format", form, "-o", str(folder / f"year.{form}"))
        label = f"report of a year, {service_count:,} services, {VILLAGE_ACCOUNTS:,} accounts, {form}"
        yield Figure(label, seconds, "s", 5, is_ceiling=True, beside=f"{peak:,.0f} MiB")


def county_report(folder: Path, is_full: bool) -> Iterator[Figure]:
    """A county's year: seconds, and the largest process at two sizes."""
    found = {}
    for ledger_count in (FEW, MORE, *([COUNTY_LEDGERS] if is_full else [])):
        path = folder / f"county-{ledger_count}.db"
        make_county(path, ledger_count)
        seconds, peak = report("--archive", str(path), "--jobs", str(CORES), "-o", str(folder / "county.html"))
        path.unlink()
        found[ledger_count] = seconds, peak
        beside = f"{seconds:,.0f} s, {ledger_count * COUNTY_SERVICES:,} services audited on {CORES} cores"
        yield Figure(f"report of {ledger_count} villages, largest process", peak, "MiB", 300, True, beside)
    growth = found[MORE][1] / found[FEW][1]
    yield Figure(f"memory of {MORE} villages ÷ of {FEW}", growth, "×", 1.25, is_ceiling=True)
    if not is_full:
        each = (found[MORE][0] - found[FEW][0]) / (MORE - FEW)
        seconds = found[MORE][0] + each * (COUNTY_LEDGERS - MORE)
        beside = f"reckoned at {each:.2f} s a village"
        yield Figure(f"report of {COUNTY_LEDGERS} villages", seconds, "s", 900, is_ceiling=True, beside=beside)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all 300 villages, 5 million services")
    options = parser.parse_args()
    print("| figure | measured | limit | met | beside |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        for part in (village_report(Path(name)), county_report(Path(name), options.full)):
            for figure in part:
                print(figure.row(), flush=True)


if __name__ == "__main__":
    main()
