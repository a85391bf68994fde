"""The installed project is this one, and its lock file fits every machine."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOP_LEVEL_NAMES = ("chain", "ledger", "verify", "store", "web", "node", "cli")

FIND_ORIGINS = """
import importlib.util, sys
for name in sys.argv[1:]:
    spec = importlib.util.find_spec(name)
    print(name, spec.origin if spec else None)
"""


def test_no_other_distribution_has_taken_our_names(tmp_path: Path) -> None:
    """A new interpreter outside the repository (``-I``: no folder of its own on the path) sees what ``huzhu`` sees."""
    command = [sys.executable, "-I", "-c", FIND_ORIGINS, *TOP_LEVEL_NAMES]
    printed = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    origins = dict(line.split(" ", 1) for line in printed.splitlines())

    ours = {name: str(ROOT / name / "__init__.py") for name in TOP_LEVEL_NAMES}
    ours |= {name: str(ROOT / f"{name}.py") for name in ("node", "cli")}
    assert origins == ours


def test_lock_file_names_no_index_or_address() -> None:
    address = re.compile(r"^-|://|@|index-url|find-links|trusted-host", re.IGNORECASE)
    assert [line for line in _lock_lines() if address.search(line)] == []


def test_every_locked_requirement_is_pinned_and_hashed() -> None:
    text = re.sub(r"\\\n", "", "\n".join(line for line in _lock_lines() if not line.lstrip().startswith("#")))
    requirements = [line for line in text.splitlines() if line.strip()]
    assert requirements
    for requirement in requirements:
        assert re.match(r"[a-z0-9-]+==\S+( ;.*?)?\s+--hash=sha256:[0-9a-f]{64}", requirement), requirement


@pytest.mark.parametrize("name", ["setuptools", "wheel"])
def test_lock_file_brings_what_the_editable_install_builds_with(name: str) -> None:
    assert any(line.startswith(f"{name}==") for line in _lock_lines())


def _lock_lines() -> list[str]:
    return (ROOT / "requirements.lock").read_text("utf-8").splitlines()
