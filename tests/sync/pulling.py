"""One round of mirroring in a process of its own, to be killed or to run out of room.

    python -m tests.sync.pulling FOLDER URL VKEY (commit N before|after) | (room BYTES)
"""

import os
import resource
import signal
import sys
from pathlib import Path

from store.log import StoreError
from store.mirror import MirrorStore
from store.tending import keep_evidence
from sync.fetch import Site
from sync.kept import Bounds
from sync.mirror import Mirror
from tests.sync.logs import PARENT, VILLAGE

FULL = 3


class KilledStore(MirrorStore):
    """Its process is killed at one of its commits, before or after it is on disk."""

    left = 0
    moment = ""

    def commit(self) -> None:
        writes = self._connection.in_transaction
        self.left -= writes
        if writes and not self.left and self.moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        super().commit()
        if writes and not self.left:
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder: Path, url: str, vkey: str, how: str, number: int, moment: str = "") -> int:
    """Exit status 0 where the round came to its end."""
    store = KilledStore(folder / "mirror.db")
    if how == "commit":
        store.left, store.moment = number, moment
    else:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (number, resource.RLIM_INFINITY))

    def keep(name: str, raw: bytes) -> str:
        return str(keep_evidence(folder / "evidence", name, raw))

    bounds = Bounds(step_entries=256)
    mirror = Mirror(store, PARENT, {VILLAGE: (vkey, "village")}, keep, lambda: 10**12, bounds)
    try:
        (result,) = mirror.pull(VILLAGE, Site(url, timeout_seconds=20))
    except StoreError as error:
        print(error)
        return FULL
    return 0 if result.outcome in ("new", "same") else 1


if __name__ == "__main__":
    words = sys.argv[1:]
    sys.exit(main(Path(words[0]), words[1], words[2], words[3], int(words[4]), *words[5:]))
