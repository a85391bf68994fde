"""What the tests of the desk share: a command line in process, a home to try it on, and compiled texts."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from tests.web.desk import Desk
from web.i18n import LOCALE


@pytest.fixture(scope="session", autouse=True)
def _texts() -> None:
    """The catalogue, compiled as ``make`` does; several runs may do it at once."""
    source = LOCALE / "zh" / "LC_MESSAGES" / "huzhu.po"
    draft = source.with_suffix(f".{os.getpid()}")
    with source.open("rb") as file, draft.open("wb") as compiled:
        write_mo(compiled, read_po(file))
    draft.replace(source.with_suffix(".mo"))


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No locale, home or passphrase of whoever runs the tests; and no language left behind by the command line."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "HUZHU_HOME", "HUZHU_PASSPHRASE", "LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    monkeypatch.setenv("LANGUAGE", "en")
    yield


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A ledger that begins on 2025-10-31, with nobody on it."""
    made = Desk(tmp_path)
    made.init()
    return made
