"""What the demonstrations share: they run ``huzhu`` as people would, and show each command with some of its lines."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from web.i18n import CHINESE, language_of_locale

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "demo-out"
HUZHU = Path(sys.executable).with_name("huzhu")
FOLDER_PREFIX = "huzhu-demo-"
SHOWN_LINES = 14
LANGUAGE = language_of_locale(os.environ)

Texts = dict[str, tuple[str, str]]
"""Headings by key, in Chinese and English."""


def say(texts: Texts, key: str, **values: object) -> None:
    """A heading in the reader's language."""
    print(f"\n\033[1m■ {said(*texts[key]).format(**values)}\033[0m", flush=True)


def said(chinese: str, english: str) -> str:
    """What a person says or types, in the reader's language."""
    return chinese if LANGUAGE == CHINESE else english


def ask(*words: str | Path, status: int = 0, typed: str = "", warnings: int = subprocess.STDOUT) -> str:
    """Run a command, with what somebody types, and answer its output."""
    done = subprocess.run(
        [HUZHU, *words], input=typed, stdout=subprocess.PIPE, stderr=warnings, text=True, check=False
    )
    if done.returncode != status:
        sys.exit(f"{done.stdout}\nhuzhu {' '.join(map(str, words))}: exit status {done.returncode}, not {status}")
    return done.stdout


def told(*words: str | Path, status: int = 0) -> Any:
    """What a command prints as JSON."""
    return json.loads(ask(*words, "--json", status=status, warnings=subprocess.DEVNULL))


def huzhu(
    *words: str | Path, status: int = 0, shown: int = SHOWN_LINES, tail: bool = False, typed: str = ""
) -> None:
    """Run a command, and print it and some of its lines."""
    typed_words = re.sub(rf"\S*/{FOLDER_PREFIX}[^/\s]+/", "", " ".join(map(str, words))).replace(f"{ROOT}/", "")
    print(f"\033[2m$ huzhu {typed_words}\033[0m", flush=True)
    lines = ask(*words, status=status, typed=typed).splitlines()
    cut = len(lines) > shown
    chosen = lines if not cut else lines[-shown:] if tail else lines[:shown]
    for line in (["…"] if cut and tail else []) + chosen + (["…"] if cut and not tail else []):
        print(f"  {line}")
