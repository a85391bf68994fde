"""The demo, the pictures and the bench do what the README says of them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.parsers import expat

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*words: str, language: str = "en_US.UTF-8") -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("LANGUAGE", "LC_MESSAGES")}
    environment |= {"LC_ALL": language, "PYTHONWARNINGS": ""}
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("language", "caught"), [("C", "审计说出是哪一条"), ("en_US.UTF-8", "The audit names it")])
def test_the_demo_catches_the_changed_byte_by_its_index(language: str, caught: str) -> None:
    done = run("scripts/demo.py", language=language)
    assert done.returncode == 0, done.stdout + done.stderr
    assert caught in done.stdout
    assert "entry.signature" in done.stdout
    assert not done.stderr


@pytest.mark.parametrize(
    ("script", "names", "shows"),
    [("picture", ("audit",), "entry.signature"), ("pages_picture", ("passbook", "board"), "foreignObject")],
)
def test_the_pictures_are_those_that_the_script_draws(script: str, names: tuple[str, ...], shows: str) -> None:
    code = f"import json, sys; sys.path.insert(0, 'scripts'); import {script} as it; print(json.dumps(it.pictures()))"
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    drawn = json.loads(done.stdout)
    assert set(drawn) == {f"docs/{name}{ending}" for name in names for ending in (".svg", ".zh.svg")}
    for name, picture in drawn.items():
        assert (ROOT / name).read_text(encoding="utf-8") == picture, f"{name} is old: run scripts/{script}.py"
        assert shows in picture
        expat.ParserCreate().Parse(picture, True)


def test_the_bench_prints_its_table() -> None:
    done = run("-m", "bench", "--entries", "2000")
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines()]
    assert [len(row) for row in rows] == [5] * len(rows)
    assert len(rows) == 2 + 16 + 9 + 4 + 5
    assert all(row[3].strip() in ("yes", "NO") for row in rows[2:])
