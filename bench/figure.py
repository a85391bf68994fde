"""One figure beside its limit, and how times and memory are taken."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HUZHU = Path(sys.executable).with_name("huzhu")
CORES = 2
WATCH = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=sys.stderr, check=True);"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One row."""

    what: str
    value: float
    unit: str
    limit: float
    is_ceiling: bool = False
    """Whether the limit is the most it may be, and not the least."""
    beside: str = ""

    @property
    def is_met(self) -> bool:
        return self.value <= self.limit if self.is_ceiling else self.value >= self.limit

    def row(self) -> str:
        """The row of the table."""
        sign = "≤" if self.is_ceiling else "≥"
        mark = "yes" if self.is_met else "NO"
        return f"| {self.what} | {self.value:,.2f} {self.unit} | {sign} {self.limit:,.2f} | {mark} | {self.beside} |"


def median_milliseconds(action: Callable[[], object], rounds: int) -> float:
    """The median time of an action."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1_000


def measured(*words: str) -> tuple[float, float]:
    """Seconds of a command of ``huzhu``, and MiB of its largest process, as a small parent of its own sees it."""
    started = time.perf_counter()
    order = [sys.executable, "-c", WATCH, str(HUZHU), *words]
    done = subprocess.run(order, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return time.perf_counter() - started, int(done.stdout) / 1_024
