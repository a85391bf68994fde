"""Commands of ``huzhu``, each in a process of its own that need not read the program in: it forks from one that has.

    status, printed = run_forked(["verify", "."], folder, {"LANG": "zh_CN.UTF-8"})

A page's guide has dozens of commands, and to read the program in takes most of each one's time.
"""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["cli", "web.session", "web.importing", "web.auditing", "web.audits", "web.commands_people", "web.commands_mirror"]
)


def run_forked(words: Sequence[str], folder: Path, environment: Mapping[str, str], typed: str = "") -> tuple[int, str]:
    """The exit status, and all that was printed."""
    with tempfile.TemporaryDirectory() as beside:
        heard, told = Path(beside) / "typed", Path(beside) / "told"
        heard.write_text(typed, "utf-8")
        process = CONTEXT.Process(target=_run, args=(words, folder, dict(environment), heard, told))
        process.start()
        process.join()
        status, printed = process.exitcode, told.read_text("utf-8")
        process.close()
    assert status is not None
    return status, printed


def _run(words: Sequence[str], folder: Path, environment: dict[str, str], heard: Path, told: Path) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path, flags in ((0, heard, os.O_RDONLY), (1, told, os.O_CREAT | os.O_WRONLY | os.O_APPEND)):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.dup2(1, 2)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    sys.argv = ["huzhu", *words]
    from cli import main

    main()
