"""Tries to sign in, counted on disk, so that neither a restart nor many processes help who guesses.

A try is counted at each of its gates (a name, an address, a browser) before the password is looked at, so that many at
once gain nothing, and taken back where it was right. Beyond ``free`` tries each doubles the wait, up to
``wait_max_seconds``; an hour in peace halves the count. Gates are named by hashes: people type passwords into the field
for the name. As many are kept as ``GATES_MAX``; the oldest give way.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import NamedTuple

ATTEMPT_TABLE = "CREATE TABLE attempt(gate BLOB PRIMARY KEY, count INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID"
ATTEMPT_INDEX = "CREATE INDEX attempt_at ON attempt(at)"
GATES_MAX = 20_000
DOUBLINGS_MAX = 20
FADING_SECONDS = 3_600
COUNT_BITS = 63

Run = Callable[..., sqlite3.Cursor]
"""``execute`` of a connection with a transaction under way."""


class Gate(NamedTuple):
    """Where tries are counted: a name's hash, how many are free, and how long the wait may grow."""

    key: bytes
    free: int
    wait_max_seconds: int


class Tries(NamedTuple):
    """How many there were at a gate, and when the last one was."""

    total: int
    at_seconds: int

    def faded(self, now: int) -> int:
        """What is left of the count after hours without a try."""
        return self.total >> min(max(0, now - self.at_seconds) // FADING_SECONDS, COUNT_BITS)

    def wait_seconds(self, gate: Gate, now: int) -> int:
        """How long the next try has to wait; a clock that was set back makes it no longer than the whole wait."""
        beyond = self.faded(now) - gate.free
        if beyond < 0:
            return 0
        wait = min(gate.wait_max_seconds, 1 << min(beyond, DOUBLINGS_MAX))
        return min(wait, max(0, self.at_seconds + wait - now))


def begin_attempt(run: Run, gates: Sequence[Gate], now: int) -> int:
    """Count a try at each gate and answer 0; or count nothing and answer how many seconds to wait."""
    found = [_tries(run, gate, now) for gate in gates]
    wait = max(tries.wait_seconds(gate, now) for gate, tries in zip(gates, found, strict=True))
    if wait:
        return wait
    sql = "INSERT OR REPLACE INTO attempt(gate, count, at) VALUES(?, ?, ?)"
    for gate, tries in zip(gates, found, strict=True):
        run(sql, (gate.key, tries.faded(now) + 1, now))
    oldest = "SELECT gate FROM attempt ORDER BY at DESC LIMIT -1 OFFSET ?"
    if run("SELECT count(*) FROM attempt").fetchone()[0] > GATES_MAX:
        run(f"DELETE FROM attempt WHERE gate IN ({oldest})", (GATES_MAX,))  # noqa: S608 - a constant
    return 0


def forgive_attempt(run: Run, gates: Sequence[Gate]) -> None:
    """Take back a try that was right."""
    for gate in gates:
        run("UPDATE attempt SET count=count-1 WHERE gate=?", (gate.key,))
        run("DELETE FROM attempt WHERE gate=? AND count<=0", (gate.key,))


def _tries(run: Run, gate: Gate, now: int) -> Tries:
    row = run("SELECT count, at FROM attempt WHERE gate=?", (gate.key,)).fetchone()
    return Tries(0, now) if row is None else Tries(*row)
