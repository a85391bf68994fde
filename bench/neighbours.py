"""Figures of nodes that watch each other: mirroring, witnessing, and the audit of a county's villages.

    python -m bench.neighbours [--entries 1000000] [--villages 20] [--services 16667]
"""

import argparse
import os
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bench.figure import CORES, HUZHU, Figure, measured
from bench.pages import TOP, make_parent, serving
from bench.report import COUNTY_SERVICES, NODE_KEYS, make_county, write_archive
from bench.service import drive, once, served
from bench.village import ORIGIN, Clock, build, founding, village
from chain.merkle import prove_consistency
from chain.note import format_vkey
from chain.witness import format_add_checkpoint
from node import Founding, Node
from store.log import MemoryStore

VILLAGE = 320
BLOCK = 50
CHECKPOINTS = 600
"""So many are witnessed; the first half, while the files still grow, does not count."""
SYNC_BYTES = 4_096
ROUNDS = 5


def neighbours(folder: Path, large: Path, villages: int, services: int = COUNTY_SERVICES) -> Iterator[Figure]:
    """All of them. ``large`` is a home in blocks of 50; each of the villages has so many services in its year."""
    folder.mkdir()
    yield from mirroring(folder, large)
    yield from witnessing(folder, large)
    yield from auditing(folder, villages, services)


def mirroring(folder: Path, large: Path) -> Iterator[Figure]:
    """A parent pulls a ledger from its node, both on this machine, and checks everything; beside `huzhu verify`."""
    home = folder / "above"
    with Node.open(large, writes=False) as node:
        size, vkey = node.store.size, format_vkey(node.vkey)
    with serving(large) as url:
        make_parent(home, village(VILLAGE), Clock(), {ORIGIN: vkey})
        with (home / "node.toml").open("a") as settings:
            settings.write(f'\n[[children]]\norigin = "{ORIGIN}"\nurl = "{url}"\n')
        pulled = measured("tend", "--only", "pull", "--home", str(home))[0]
    file = str(large / "ledger.db")
    audited = measured("verify", file, "--full", "--jobs", str(CORES), "--state", str(folder / "audits"))[0]
    beside = f"{size / pulled:,.0f} entries/s beside {size / audited:,.0f} by `verify` on {CORES} cores"
    yield Figure(f"mirroring {size:,} entries ÷ their audit", audited / pulled, "×", 0.7, beside=beside)


def witnessing(folder: Path, large: Path) -> Iterator[Figure]:
    """One checkpoint after the other of a ledger, beside what this disk takes to sync a page."""
    home = folder / "witness"
    Node.create(home, Founding(TOP, [village(1).clerk], village(1).members, 2), None, Clock())
    trust = home / "trust.txt"
    for order in (
        ("witness", "new", "--name", "witness.example/w1", "--home", str(home)),
        ("trust", "--home", str(large), "-o", str(trust)),
    ):
        measured(*order)
    settings = home / "node.toml"
    settings.write_text(f'trust = "trust.txt"\n{settings.read_text()}')
    requests = list(_requests(large))
    with served(str(HUZHU), "serve", "--home", str(home), "--port", "0") as port:
        half = len(requests) // 2
        first, then = (drive(port, [once(part)]) for part in (requests[:half], requests[half:]))
    if first.bad or then.bad:
        raise RuntimeError(f"{first.bad + then.bad} checkpoints were not witnessed")
    beside = f"a bare sync of the disk takes {_sync(folder):.2f} ms"
    yield Figure("witnessing a checkpoint", then.percentile(0.5), "ms", 3, True, beside)


def _requests(large: Path) -> Iterator[bytes]:
    """What a log asks its witness seal by seal."""
    with Node.open(large, writes=False) as node:
        before = 0
        for size, note in list(node.store.checkpoints())[:CHECKPOINTS]:
            body = format_add_checkpoint(before, prove_consistency(before, size, node.store.hashes.read), note)
            yield b"POST /add-checkpoint HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            before = size


def _sync(folder: Path) -> float:
    """Milliseconds of writing a page again and having it on disk."""
    times = []
    with (folder / "page").open("wb", buffering=0) as page:
        page.write(bytes(SYNC_BYTES))
        for _ in range(100):
            started = time.perf_counter()
            page.seek(0)
            page.write(bytes(SYNC_BYTES))
            os.fdatasync(page.fileno())
            times.append(time.perf_counter() - started)
    return statistics.median(times) * 1_000


def auditing(folder: Path, villages: int, services: int) -> Iterator[Figure]:
    """A county's archive by one process and by two, and again with one more day of each village.

    Of that day's share the command's own start is no part: it is the same for one village and for a thousand.
    """
    county, tomorrow = folder / "county.db", folder / "tomorrow.db"
    make_county(tomorrow, villages, services)
    shutil.copy(tomorrow, county)
    size = _take_last_day(county)
    order = ("verify", str(county), "--state", str(folder / "audits"), "--jobs")
    one, two = (measured(*order, str(jobs), "--full")[0] for jobs in (1, CORES))
    beside = f"{one:,.1f} s and {two:,.1f} s, {size:,} entries"
    yield Figure(f"audit of {villages} villages, one process ÷ two", one / two, "×", 1.8, beside=beside)
    tomorrow.replace(county)
    begun, nothing = folder / "begun", folder / "nothing.db"
    (folder / "audits").rename(begun)
    write_archive(nothing, [_nothing()])
    days, starts = [], []
    for _ in range(ROUNDS):
        shutil.copytree(begun, folder / "audits", dirs_exist_ok=True)
        days.append(measured(*order, "1")[0])
        starts.append(measured("verify", str(nothing))[0])
    day, start = statistics.median(days), statistics.median(starts)
    beside = f"{day:,.2f} s, of it {start:,.2f} s to start"
    yield Figure("audit of one more day ÷ the full one", 100 * (day - start) / (one - start), "%", 2, True, beside)


def _nothing() -> MemoryStore:
    """A ledger that has only begun."""
    people, store = village(0), MemoryStore(ORIGIN)
    Node(store, NODE_KEYS, Clock()).found(founding(people))
    return store


def _take_last_day(county: Path) -> int:
    """Take the last block from every ledger, and answer how many entries are left in all."""
    with closing(sqlite3.connect(county)) as archive, archive:
        for log, size in archive.execute("SELECT log, max(size) FROM checkpoint GROUP BY log").fetchall():
            archive.execute("DELETE FROM checkpoint WHERE log=? AND size=?", (log, size))
            archive.execute(
                "DELETE FROM entry WHERE log=? AND idx>=(SELECT max(size) FROM checkpoint WHERE log=?)", (log, log)
            )
        return int(archive.execute("SELECT count(*) FROM entry").fetchone()[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.neighbours", description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000, help="size of the mirrored ledger")
    parser.add_argument("--villages", type=int, default=20, help="how many villages are audited")
    parser.add_argument("--services", type=int, default=COUNTY_SERVICES, help="services of each of them in its year")
    options = parser.parse_args()
    print("| figure | measured | limit | met | beside |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        build(Path(name) / "large", options.entries, BLOCK, BLOCK, VILLAGE)
        folder = Path(name) / "neighbours"
        for figure in neighbours(folder, Path(name) / "large", options.villages, options.services):
            print(figure.row(), flush=True)


if __name__ == "__main__":
    main()
