"""`huzhu serve`: the node on line; and where there is none yet, the pages that make it."""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from store.settings import ServeSettings
from web.command import DONE, WRONG, Command, Number, file_option, key_options, option, pass_session
from web.i18n import marked
from web.practice import is_practice

if TYPE_CHECKING:
    from store.home import Home
    from store.settings import NodeSettings
    from web.pages.setup_kit import Finished
    from web.service.app import Parts
    from web.service.run import Listening
    from web.service.writer import SharedHome
    from web.session import Session

PORT_MAX = 65_535
SHARED, CREATE = "huzhu.shared", "huzhu.create"
"""Where ``cli`` leaves ``OpenShared`` and ``Create`` for this command."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")

OpenShared = Callable[..., "SharedHome"]
"""``node.SharedNode``."""


@click.command(cls=Command, example="huzhu serve", takes=(key_options,))
@option("--host", metavar="ADDRESS", help=marked("The address to listen on (default: as node.toml says, 127.0.0.1)."))
@option("--port", type=Number(0, PORT_MAX), help=marked("The port (default: as node.toml says, 8300; 0: any)."))
@file_option("--certificate", help=marked("PEM file of the certificate and those above it; with --key: TLS."))
@file_option("--key", help=marked("PEM file of the certificate's private key."))
@option("--insecure", is_flag=True, help=marked("Listen to other machines without TLS: behind a proxy that has it."))
@pass_session
def serve(session: "Session", host: str | None, port: int | None, certificate: Any, key: Any, insecure: bool) -> int:
    """Serve the node: its log for everybody, its API, its part as a witness.

    Runs until it is told to stop (Ctrl-C or SIGTERM), and finishes what it has begun. Other commands may write the same
    home meanwhile. What happens is told on stderr, one JSON object a line. Where there is no node yet, it serves the
    pages that set one up, on this machine only.
    """
    from store.home import is_vacant
    from web.problems import DeskError
    from web.service.run import Listening

    is_first = is_vacant(session.home.folder)
    settings = ServeSettings() if is_first else session.home.node_settings().serve
    listening = _listening(settings, host, port, certificate, key, Listening)
    if listening.certificate is None and listening.host not in LOOPBACK and not insecure:
        text = _(
            "{host} is heard by other machines, and without a certificate anybody on the way reads passwords: give"
            " --certificate and --key, or --insecure where a proxy in front has TLS"
        )
        raise DeskError(text.format(host=listening.host))
    if is_first or is_practice(session.home.origin()):
        return _serve_first(session, listening, insecure=insecure)
    return _serve(session.home, session.passphrase(), listening, insecure=insecure)


def _serve_first(session: "Session", listening: "Listening", *, insecure: bool) -> int:
    """Where there is no home yet: set one up, then serve it; where it is for practice, as often as people want."""
    from store.home import Home, is_vacant
    from web.practice import AGAIN, drop_practice, make_practice

    create, home, passphrase = click.get_current_context().find_root().meta[CREATE], session.home, None
    with _heard(listening) as heard:
        while True:
            if is_vacant(home.folder):
                finished = _set_up(session.home.folder, create, listening, heard)
                if finished is None:
                    return DONE
                home, passphrase = Home(finished.folder), finished.passphrase
            asked: list[str] = []
            status = _serve(home, passphrase, listening, heard, insecure=insecure, asked=asked)
            if not asked:
                return status
            drop_practice(home)
            if AGAIN in asked:
                make_practice(home.folder, create)
            else:
                home = session.home


def _set_up(folder: Path, create: Any, listening: "Listening", heard: socket.socket) -> "Finished | None":
    """The pages on which a committee makes its home."""
    from web.problems import DeskError
    from web.session import say
    from web.setup.service import serve_setup

    if listening.host not in LOOPBACK:
        text = _("there is no node in {folder} yet: it is set up on this machine itself, without --host")
        raise DeskError(text.format(folder=folder))

    def tell(url: str, code: str) -> None:
        say(_("Set up this node: open {url} on this computer, and type the code {code}").format(url=url, code=code))

    return serve_setup(folder, create, listening, heard, tell)


@contextmanager
def _heard(listening: "Listening") -> Iterator[socket.socket]:
    """A socket that listens, and stays while one service gives way to another: who knocks meanwhile waits."""
    from web.service.run import BACKLOG

    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    with socket.create_server((listening.host, listening.port), family=family, backlog=BACKLOG) as heard:
        yield heard


def _serve(
    home: "Home",
    passphrase: bytes | None,
    listening: "Listening",
    heard: socket.socket | None = None,
    *,
    insecure: bool,
    asked: list[str] | None = None,
) -> int:
    """Serve a home until told to stop. ``asked`` takes down what its pages ask for after that."""
    from web.service.run import run

    settings = home.node_settings()
    restart = None if asked is None or not is_practice(settings.origin) else partial(_end, asked)
    is_secure = _is_secure(settings.serve, listening, insecure)
    parts, app = _put_together(home, settings, passphrase, restart, is_secure=is_secure)
    parts.writer.start()
    is_served = False
    more = () if heard is None else (heard,)
    try:
        is_served = run(app, listening, lambda address: parts.journal.event("started", address=address), *more)
    finally:
        parts.writer.stop()
        parts.journal.event("stopped")
    return DONE if is_served else WRONG


def _end(asked: list[str], what: str) -> None:
    """Stop this service as anybody would, and note what is to come after it."""
    asked.append(what)
    signal.raise_signal(signal.SIGTERM)


def _listening(
    serve: ServeSettings, host: str | None, port: int | None, certificate: Any, key: Any, make: type["Listening"]
) -> "Listening":
    """The settings, with what the command line says in their place."""
    if (certificate is None) != (key is None):
        raise click.UsageError(_("--certificate and --key go together"))
    pair = (serve.certificate, serve.key) if certificate is None else (certificate, key)
    return make(host or serve.host, serve.port if port is None else port, *pair)


def _is_secure(serve: ServeSettings, listening: "Listening", insecure: bool) -> bool:
    """Whether people reach the node by TLS, its own or that of a proxy before it."""
    return listening.certificate is not None or serve.behind_tls or insecure


def _put_together(
    home: "Home",
    settings: "NodeSettings",
    passphrase: bytes | None,
    restart: Callable[[str], None] | None,
    *,
    is_secure: bool,
) -> tuple["Parts", Any]:
    """All parts of the service, nothing of it started."""
    from web.service.app import make_app
    from web.service.assembly import assemble

    open_shared = cast(OpenShared, click.get_current_context().find_root().meta[SHARED])
    parts = assemble(home, settings, open_shared(home.folder, passphrase), passphrase, is_secure, restart)
    return parts, make_app(parts)
