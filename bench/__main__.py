"""Prints the table of figures: what was measured, its limit, and whether it is met.

    python -m bench [--entries 1000000] [--large]

Machines are noisy: rates are shown as ratios to a peer measured in the same run, on the same cores. Nothing is
asserted.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nacl.bindings

from bench.figure import CORES, HUZHU, Figure, measured, median_milliseconds
from bench.neighbours import neighbours
from bench.pages import pages
from bench.report import VILLAGE_SERVICES, county_report, village_report
from bench.service import service
from bench.village import ORIGIN, Clock, build, founding, services, settle, village, write_day_sheets
from chain.entry import Statement
from chain.keys import MldsaSigningKey, SigningKey
from chain.merkle import prove_inclusion
from ledger.kinds import KINDS
from ledger.replay import Replay, Signers
from ledger.signing import Claim
from node import Node, NodeKeys
from store.archive import open_archive
from store.log import MemoryStore
from verify.audit import audit_ledger
from web.auditing import audit_workers

ROWS_A_DAY = 500
VILLAGE = 320
SHEETS_VILLAGE = 2_048
"""So that a block of 1,024 services is a day on which every volunteer served once."""
TOWN = 5_000
VILLAGES = 20
BARE_NOMINAL, SHEETS_NOMINAL = 45_000, 100_000
"""What the target for sheets of 64 is a ratio of: 100,000 entries/s where libsodium verifies 45,000 signatures/s."""


def bare_signatures(count: int) -> float:
    """Signatures a second that libsodium verifies in this process, through PyNaCl's thinnest call."""
    public, secret = nacl.bindings.crypto_sign_keypair()
    signed = nacl.bindings.crypto_sign(b"huzhu/sheet/v1\n" + bytes(120), secret)
    started = time.perf_counter()
    for _ in range(count):
        nacl.bindings.crypto_sign_open(signed, public)
    return count / (time.perf_counter() - started)


def audit_rate(home: Path) -> float:
    """Entries a second of the full audit on all cores."""
    with audit_workers(CORES) as executor, open_archive(home / "ledger.db") as (ledger,):
        list(executor.map(bare_signatures, [1] * CORES))  # the workers are running before the clock does
        started = time.perf_counter()
        report = audit_ledger(ledger, None, executor, CORES)
        seconds = time.perf_counter() - started
    if not report.is_sound:
        raise RuntimeError(f"the bench's own ledger is not sound: {report.findings[:3]}")
    return report.size / seconds


class Unasked(Replay):
    """A replay that makes every entry true without asking whether it may be, or whether it is unusual."""

    def admit(self, entry: Statement[Any], signers: Signers) -> str | None:
        state, kind = self.state, KINDS[entry.kind]
        kind.post(Claim(state, entry, state.size, *signers, self._read), self.books)
        signers[1].last_seq = entry.seq
        state.block_latest = max(state.block_latest or entry.at, entry.at)
        self._advance(kind.number)
        return None


def asking(home: Path, rounds: int = 5) -> tuple[float, float]:
    """What rules and suspicions add to the audit: its time as a multiple of one that only posts, and its rate."""
    ratios = []
    for _ in range(rounds):
        with patch("verify.audit.Replay", Unasked):
            posted = audit_rate(home)
        asked = audit_rate(home)
        ratios.append((posted / asked, asked))
    return statistics.median_low(ratios)


def beside_bare(home: Path, signature_count: int, rounds: int = 3) -> tuple[float, float, float]:
    """The audit's rate, libsodium's rate, and the median of their ratios over rounds that follow each other."""
    pairs = []
    with ProcessPoolExecutor(CORES) as executor:
        for _ in range(rounds):
            audited = audit_rate(home)
            pairs.append((audited, sum(executor.map(bare_signatures, [signature_count] * CORES))))
    ratios = [audited / bare for audited, bare in pairs]
    middle = pairs[ratios.index(statistics.median_low(ratios))]
    return *middle, statistics.median_low(ratios)


def peak_mebibytes(home: Path) -> float:
    """The largest process of `huzhu verify` over a home, in MiB."""
    state = str(home / "audits")
    return measured("verify", str(home / "ledger.db"), "--jobs", str(CORES), "--full", "--state", state)[1]


def audits(folder: Path, entry_count: int) -> Iterator[Figure]:
    """The audit beside bare signature verification."""
    single, sheets = folder / "single", folder / "sheets"
    signatures = entry_count // 50
    build(single, entry_count // 20, 1, 1_000, VILLAGE)
    audited, bare, ratio = beside_bare(single, signatures)
    yield Figure("audit, one signature an entry ÷ libsodium", ratio, "×", 0.85, beside=_rates(audited, bare))
    build(sheets, entry_count // 5, 64, 1_024, SHEETS_VILLAGE)
    audited, bare, ratio = beside_bare(sheets, signatures)
    limit = SHEETS_NOMINAL / BARE_NOMINAL
    yield Figure("audit, sheets of 64 ÷ libsodium", ratio, "×", limit, beside=_rates(audited, bare))
    ratio, asked = asking(sheets)
    yield Figure(
        "audit, sheets of 64 ÷ the same without rules and suspicions", ratio, "×", 1.25, True, f"{asked:,.0f} entries/s"
    )


def large_home(folder: Path, entry_count: int) -> Iterator[Figure]:
    """One home with many entries in blocks of 50: memory, opening, proofs, size."""
    home = folder / "large"
    started = time.perf_counter()
    build(home, entry_count, 50, 50, VILLAGE)
    seconds = time.perf_counter() - started
    label = f"{entry_count:,} entries in blocks of 50"
    yield Figure(f"writing {label}", entry_count / seconds, "entries/s", 0, beside="sheet, seal, both signatures")
    with open_archive(home / "ledger.db") as (ledger,):
        entry_bytes = sum(len(raw or b"") for _, raw in ledger.rows())
    yield Figure("ledger.db ÷ entry bytes", (home / "ledger.db").stat().st_size / entry_bytes, "×", 1.3, True)

    def reopen() -> None:
        with Node.open(home, writes=False):
            pass

    yield Figure(f"opening a home of {entry_count:,}", median_milliseconds(reopen, 3) / 1_000, "s", 1, True)
    with Node.open(home, writes=False) as node:
        size, read = node.store.size, node.store.hashes.read
        places = iter(range(0, size, max(1, size // 200)))
        proving = median_milliseconds(lambda: prove_inclusion(next(places), size, read), 100)
    yield Figure(f"inclusion proof from {entry_count:,}", proving, "ms", 1, True)
    yield Figure(f"verify's largest process, {entry_count:,}", peak_mebibytes(home), "MiB", 300, True)


def desk(folder: Path) -> Iterator[Figure]:
    """One record with the disk's sync, and a seal in a town."""
    people, clock = village(VILLAGE), Clock()
    home = folder / "desk"
    Node.create(home, founding(people), None, clock)
    with Node.open(home, writes=True, clock=clock) as node:
        settle(node, people)
        clock.forward(24)
        source = services(people, clock)
        recording = median_milliseconds(lambda: node.write(people.clerk, people.members[:1], [next(source)]), 200)
    yield Figure("one record, on disk", recording, "ms", 50, True)
    people, clock = village(TOWN), Clock()
    keys = NodeKeys(SigningKey(b"n" * 32), MldsaSigningKey(b"n" * 32))
    town = Node(MemoryStore(ORIGIN), keys, clock)
    town.found(founding(people))
    settle(town, people)
    town.seal()
    source, sealing = services(people, clock), []
    for _ in range(50):
        clock.forward(24)
        town.write(people.clerk, people.members[:1], [next(source) for _ in range(10)])
        sealing.append(median_milliseconds(town.seal, 1))
    yield Figure(f"sealing 10 records among {TOWN:,} accounts", statistics.median(sealing), "ms", 2, True)


def importing(folder: Path, row_count: int) -> Iterator[Figure]:
    """The command `huzhu import` from its start to its end, everything on disk."""
    people, clock, home, sheets = village(VILLAGE), Clock(), folder / "import", folder / "sheets.csv"
    Node.create(home, founding(people), None, clock)
    with Node.open(home, writes=True, clock=clock) as node:
        settle(node, people)
    write_day_sheets(sheets, people, row_count, ROWS_A_DAY)
    started = time.perf_counter()
    order = [str(HUZHU), "import", "--home", str(home), str(sheets), "--seal-by", "date", "--at", "date"]
    done = subprocess.run(order, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    beside = f"{row_count:,} rows, a sheet and a block for each {ROWS_A_DAY}"
    yield Figure("importing day sheets", row_count / seconds, "rows/s", 20_000, beside=beside)


def starting() -> Iterator[Figure]:
    """How long the program takes to say what `verify` does."""
    help_command, nothing = [str(HUZHU), "verify", "--help"], [sys.executable, "-c", ""]
    taken = median_milliseconds(lambda: subprocess.run(help_command, capture_output=True, check=True), 7)
    empty = median_milliseconds(lambda: subprocess.run(nothing, check=True), 7)
    yield Figure("huzhu verify --help", taken / 1_000, "s", 0.3, True, f"an empty Python takes {empty / 1_000:.2f} s")


def _rates(audited: float, bare: float) -> str:
    return f"{audited:,.0f} entries/s beside {bare:,.0f} signatures/s on {CORES} cores"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000, help="size of the large home")
    parser.add_argument("--large", action="store_true", help="four times as many once more, and a county")
    options = parser.parse_args()
    print("| figure | measured | limit | met | beside |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name)
        parts = [
            starting(),
            desk(folder),
            importing(folder, options.entries // 10),
            audits(folder, options.entries),
            large_home(folder, options.entries),
            village_report(folder, VILLAGE_SERVICES * options.entries // 1_000_000),
            service(folder, options.entries // 10),
            neighbours(folder / "neighbours", folder / "large", max(2, VILLAGES * options.entries // 1_000_000)),
            pages(folder, options.entries),
        ]
        if options.large:
            parts += [large_home(folder / "4", 4 * options.entries), county_report(folder, is_full=False)]
        for part in parts:
            for figure in part:
                print(figure.row(), flush=True)


if __name__ == "__main__":
    main()
