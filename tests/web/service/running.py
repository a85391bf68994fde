"""A node's service in this process, on loopback, with somebody of each role; and sheets to send it."""

import datetime
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from chain.entry import Body
from chain.fields import UTC, Time
from chain.keys import SigningKey
from chain.sheet import SignedSheet
from node import Node, SharedNode
from store.access import Access
from store.home import Home
from tests.store.village import CLERK, MEMBERS, ORIGIN, PROVIDER, new_home, presigned
from web.access.making import make_token
from web.service.app import Parts, make_app
from web.service.assembly import assemble
from web.service.run import Listening, Server, configured
from web.sheetfile import format_sheet

SECONDS = 20.0
JSON = {"Content-Type": "application/json"}


def now() -> Time:
    return datetime.datetime.now(UTC).replace(microsecond=0)


def patience() -> Iterator[None]:
    """As long as the service may take for a batch."""
    for _tick in range(2_000):
        time.sleep(0.005)
        yield


def make_tokens(home: Path) -> dict[str, str]:
    """A token for somebody of each role."""
    tokens = {}
    with closing(Access(home / "access.db")) as access:
        for role, ledger, account, scopes in (
            ("clerk", ORIGIN, "", ("read", "submit")),
            ("member", ORIGIN, "", ("read", "submit", "admin")),
            ("auditor", "", "", ("read",)),
            ("supervisor", "elsewhere.example/huzhu", "", ("read",)),
            ("person", ORIGIN, PROVIDER, ("read",)),
        ):
            access.add_user(role, role, ledger=ledger, account=account, now=int(time.time()))
            user = access.user(role)
            assert user is not None
            made = make_token(access, user, label="test", scopes=scopes, days=1, now=int(time.time()))
            tokens[role] = made.secret
    return tokens


@dataclass(frozen=True, slots=True)
class Running:
    """A service that runs."""

    home: Path
    url: str
    parts: Parts
    tokens: dict[str, str]

    def client(self, role: str | None = "clerk", **more: Any) -> httpx.Client:
        """Somebody who asks; None: a stranger."""
        headers = {} if role is None else {"Authorization": f"Bearer {self.tokens[role]}"}
        return httpx.Client(base_url=self.url, headers=headers | more.pop("headers", {}), timeout=SECONDS, **more)

    def get(self, path: str, role: str | None = "clerk", **more: Any) -> httpx.Response:
        with self.client(role) as client:
            return client.get(path, **more)

    def post(self, sheet: SignedSheet | bytes, role: str | None = "clerk", **headers: str) -> httpx.Response:
        """Submit a sheet."""
        body = sheet if isinstance(sheet, bytes) else format_sheet(sheet)
        with self.client(role) as client:
            return client.post("/api/v1/entries", content=body, headers=JSON | headers)

    def sheet(
        self, bodies: Sequence[Body], author: SigningKey = CLERK, beside: Sequence[SigningKey] = MEMBERS[1:2]
    ) -> SignedSheet:
        """A sheet of these that would be the author's next."""
        with Node.open(self.home, writes=False) as node:
            return presigned(node, bodies, author=author, beside=beside, at=now())

    def seal(self) -> int:
        """Close the block, as from the command line."""
        with Node.open(self.home, writes=True, waits=patience) as node:
            return node.seal()


@contextmanager
def running(home: Path, tokens: dict[str, str], **wanted: Any) -> Iterator[Running]:
    """The service of a home, until the block ends."""
    held = Home(home)
    parts = assemble(held, held.node_settings(), SharedNode(home), None, is_secure=False)
    parts.writer.start()
    started = threading.Event()
    address: list[str] = []

    def note(text: str) -> None:
        address.append(text)
        started.set()

    server = Server(configured(make_app(parts), Listening("127.0.0.1", 0, **wanted)), note)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert started.wait(SECONDS)
        yield Running(home, address[0], parts, tokens)
    finally:
        server.should_exit = True
        thread.join()
        parts.writer.stop()


def fresh_home(folder: Path) -> tuple[Path, dict[str, str]]:
    """The village of ``tests.store.village`` with its people's tokens; sealed now."""
    home = new_home(folder)
    with Node.open(home, writes=True) as node:
        node.seal()
    return home, make_tokens(home)
