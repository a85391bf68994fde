"""`huzhu serve` on an empty home, as a process of its own; and somebody who fills the pages in, without a browser.

    with setting_up(folder) as node:            # node.url, node.code() is the newest code of its terminal
        with Committee(node) as people: people.answer_all(); people.found()
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 30.0
TOLD = re.compile(r"(https?://\S+?)[ ，].*?([0-9A-Z]{4}-[0-9A-Z]{4})")
TOKEN = re.compile(r'name="token" value="([^"]*)"')
WORD = re.compile(r"<li><b>([a-z]+)</b></li>")
ASKED = re.compile(r'name="(word-(\d)-(\d+))"')
PASSPHRASE = "persimmons ripen in October"
ORIGIN = "liuduhe.example/huzhu"
NAMES = ("wang", "li", "zhang", "zhao")
"""The clerk, then three members."""


@dataclass
class SettingUp:
    """A process, and what it has told so far."""

    home: Path
    log: Path
    process: "subprocess.Popen[bytes]"

    def told(self) -> list[tuple[str, str]]:
        """Each address and code that its terminal shows, the newest last."""
        return TOLD.findall(self.log.read_text())

    @property
    def url(self) -> str:
        return self.wait()[0]

    def code(self) -> str:
        """The newest code."""
        return self.wait()[1]

    def wait(self, count: int = 1) -> tuple[str, str]:
        """What it told last, once it has told so often."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            told = self.told()
            if len(told) >= count:
                return told[-1]
            time.sleep(0.02)
        raise AssertionError(f"it tells no code: {self.log.read_text()}")

    def kill(self) -> None:
        """Pull the plug."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def setting_up(home: Path, *words: str) -> Iterator[SettingUp]:
    """The process, until the block ends."""
    command = [sys.executable, "-m", "cli", "serve", "--home", str(home), "--port", "0", "--lang", "en", *words]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("HUZHU")}
    log = home.parent / f"{home.name}.log"
    with log.open("ab") as file:
        file.truncate(0)
        held = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stderr=file, stdout=file, env=variables)
    node = SettingUp(home, log, held)
    try:
        yield node
    finally:
        held.terminate()
        try:
            held.wait(SECONDS)
        except subprocess.TimeoutExpired:
            node.kill()


class Committee:
    """A browser without a window, let in by the code, and the people before it."""

    def __init__(self, node: SettingUp, **more: str) -> None:
        headers = {"Accept-Language": "en", "Sec-Fetch-Site": "same-origin"} | more
        self.node = node
        self.client = httpx.Client(base_url=node.url, headers=headers, timeout=SECONDS)

    def __enter__(self) -> Self:
        self.enter(self.node.code())
        return self

    def __exit__(self, *_error: object) -> None:
        self.client.close()

    def enter(self, code: str) -> httpx.Response:
        """Type the code."""
        return self.client.post("/setup", data={"code": code})

    def post(self, path: str, **fields: str) -> httpx.Response:
        """Send a form of a page of this browser's."""
        token = TOKEN.search(self.client.get("/setup").text)
        return self.client.post(path, data={"token": token[1] if token else ""} | fields)

    def answer_village(self, **fields: str) -> httpx.Response:
        return self.post("/setup/village", **{"name": "六渡河", "origin": ORIGIN, "tier": "village"} | fields)

    def answer_people(self, *names: str, **fields: str) -> httpx.Response:
        clerk, *members = names or NAMES
        named = {f"member{number}": name for number, name in enumerate(members, 1)}
        more = {"clerk": clerk, "members": str(len(members)), "threshold": "2"}
        return self.post("/setup/people", **more | named | fields)

    def answer_passwords(self) -> httpx.Response:
        """Each the same way: ``password_of`` says which."""
        done = [
            self.post(f"/setup/passwords/{place}", password=password_of(name), again=password_of(name))
            for place, name in enumerate(NAMES)
        ]
        return done[-1]

    def answer_passphrase(self, passphrase: str = PASSPHRASE) -> httpx.Response:
        return self.post("/setup/passphrase", passphrase=passphrase, passphrase2=passphrase)

    def answer_rules(self, **fields: str) -> httpx.Response:
        page = self.client.get("/setup/rules").text
        shown = dict(re.findall(r'name="([a-z_]+)" type="text" value="(\d+)"', page))
        return self.post("/setup/rules", **shown | fields)

    def sheets(self) -> list[list[str]]:
        """The words of the three, as they are printed."""
        words = WORD.findall(self.client.get("/setup/sheets/paper").text)
        return [words[start : start + 20] for start in range(0, len(words), 20)]

    def asked(self) -> dict[str, str]:
        """The words that the page asks back."""
        sheets = self.sheets()
        found = ASKED.findall(self.client.get("/setup/sheets").text)
        return {name: sheets[int(sheet) - 1][int(place) - 1] for name, sheet, place in found}

    def answer_all(self) -> None:
        """Everything up to the last button."""
        self.answer_village()
        self.answer_people()
        self.answer_passwords()
        self.answer_passphrase()
        self.answer_rules(posting_days="0")
        last = self.post("/setup/sheets", **self.asked())
        assert last.headers["location"] == "/setup/found", last.text

    def found(self) -> httpx.Response:
        """The last button."""
        return self.post("/setup/found")


def password_of(name: str) -> str:
    """What that person chooses."""
    return f"the secret of {name}"
