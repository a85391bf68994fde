"""Processes that help to audit end with the one who began them, however it ends, and leave it nothing locked."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from store.tending import tend_lock
from web.auditing import ALONE_MAX_ENTRIES

TENDING = """
import sys, time
from pathlib import Path
from store.tending import tend_lock
from web.auditing import workers
def spin():
    while True:
        pass
with tend_lock(Path(sys.argv[1])), workers(3, int(sys.argv[2]) + 1) as executor:
    assert [*executor.map(abs, range(9))] == [*range(9)]
    busy = [executor.submit(spin) for _each in range(3)]
    print("busy", flush=True)
    busy[0].result()
"""
SECONDS = 60.0


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_the_process_that_began_them(tmp_path: Path, end: signal.Signals) -> None:
    words = [sys.executable, "-c", TENDING, str(tmp_path), str(ALONE_MAX_ENTRIES)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None and process.stdout.readline() == b"busy\n"
        process.send_signal(end)
        # Its workers hold the other end of the pipe as long as they live.
        assert process.communicate(timeout=SECONDS)[0] == b""
    with tend_lock(tmp_path):
        pass
