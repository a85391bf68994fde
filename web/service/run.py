"""Runs the application: uvicorn with bounds on what a stranger may cost.

One process, one event loop, one writer thread. It stops at SIGTERM or SIGINT: takes no new connection, answers what it
has begun, writes what waits, and ends with 0.
"""

import contextlib
import resource
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from gettext import gettext as _
from pathlib import Path
from typing import Any

import uvicorn

from store.log import StoreError
from web.service.connection import HEAD_SECONDS, Crowd, Patient

CONNECTIONS_MAX, CONNECTIONS_MIN = 1_024, 16
FILES_KEPT = 128
"""So many open files are left to the node itself, however many connections there are."""
STOP_SECONDS = 30
BACKLOG = 1_024
SWITCH_SECONDS = 0.0005
"""How long the writer may compute while the event loop waits."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to listen, and with which certificate."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None


class Server(uvicorn.Server):
    """uvicorn's server, which ends with 0 when it is told to stop."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[str], None]) -> None:
        super().__init__(config)
        self._on_start = on_start

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_start(self._address())

    def _address(self) -> str:
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        name = f"[{host}]" if ":" in host else host
        return f"{'https' if self.config.is_ssl else 'http'}://{name}:{port}"

    def handle_exit(self, sig: int, frame: Any) -> None:  # noqa: ARG002 - as uvicorn has it
        """Stop, and no faster when told again: who waits for an answer gets it, within ``STOP_SECONDS``."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The same as uvicorn's, which would end by the signal itself in the end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        kept = {each: signal.signal(each, self.handle_exit) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in kept.items():
                signal.signal(each, handler)


def configured(app: Any, listening: Listening) -> uvicorn.Config:
    """uvicorn's settings; StoreError where the certificate cannot be used."""
    protocol: Any = partial(Patient, crowd=Crowd())
    config = uvicorn.Config(
        app,
        host=listening.host,
        port=listening.port,
        loop="uvloop",
        http=protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=connections_max(),
        backlog=BACKLOG,
        timeout_keep_alive=int(HEAD_SECONDS),
        timeout_graceful_shutdown=STOP_SECONDS,
        ssl_certfile=listening.certificate,
        ssl_keyfile=listening.key,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        text = _("the certificate {certificate} and the key {key} cannot be used: {error}")
        raise StoreError(
            text.format(certificate=listening.certificate, key=listening.key, error=error.strerror or error)
        ) from error
    if config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    return config


def connections_max() -> int:
    """How many connections there may be at one time, once this process allows itself all the open files that it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    if soft == resource.RLIM_INFINITY:
        return CONNECTIONS_MAX
    return max(CONNECTIONS_MIN, min(CONNECTIONS_MAX, soft - FILES_KEPT))


def run(app: Any, listening: Listening, on_start: Callable[[str], None], heard: socket.socket | None = None) -> bool:
    """Serve until told to stop; whether it could begin. ``on_start`` is told the address.

    ``heard`` is a socket that listens already; it stays open, for whoever serves there next.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    server = Server(configured(app, listening), on_start)
    try:
        server.run(None if heard is None else [heard.dup()])
    except SystemExit:
        return False
    return server.started
