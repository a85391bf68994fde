"""`huzhu serve`: the node on line."""

from collections.abc import Callable
from gettext import gettext as _
from typing import TYPE_CHECKING, Any, cast

import click

from web.command import DONE, WRONG, Command, Number, file_option, key_options, option, pass_session
from web.i18n import marked

if TYPE_CHECKING:
    from store.settings import NodeSettings, ServeSettings
    from web.service.app import Parts
    from web.service.run import Listening
    from web.service.writer import SharedHome
    from web.session import Session

PORT_MAX = 65_535
SHARED = "huzhu.shared"
"""Where ``cli`` leaves ``OpenShared`` for this command."""
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
    home meanwhile. What happens is told on stderr, one JSON object a line.
    """
    from web.problems import DeskError
    from web.service.run import Listening, run

    settings = session.home.node_settings()
    listening = _listening(settings.serve, host, port, certificate, key, Listening)
    if listening.certificate is None and listening.host not in LOOPBACK and not insecure:
        text = _(
            "{host} is heard by other machines, and without a certificate anybody on the way reads passwords: give"
            " --certificate and --key, or --insecure where a proxy in front has TLS"
        )
        raise DeskError(text.format(host=listening.host))
    parts, app = _put_together(session, settings, is_secure=_is_secure(settings.serve, listening, insecure))
    parts.writer.start()
    is_served = False
    try:
        is_served = run(app, listening, lambda address: parts.journal.event("started", address=address))
    finally:
        parts.writer.stop()
        parts.journal.event("stopped")
    return DONE if is_served else WRONG


def _listening(
    serve: "ServeSettings", host: str | None, port: int | None, certificate: Any, key: Any, make: type["Listening"]
) -> "Listening":
    """The settings, with what the command line says in their place."""
    if (certificate is None) != (key is None):
        raise click.UsageError(_("--certificate and --key go together"))
    pair = (serve.certificate, serve.key) if certificate is None else (certificate, key)
    return make(host or serve.host, serve.port if port is None else port, *pair)


def _is_secure(serve: "ServeSettings", listening: "Listening", insecure: bool) -> bool:
    """Whether people reach the node by TLS, its own or that of a proxy before it."""
    return listening.certificate is not None or serve.behind_tls or insecure


def _put_together(session: "Session", settings: "NodeSettings", *, is_secure: bool) -> tuple["Parts", Any]:
    """All parts of the service, nothing of it started."""
    from web.service.app import make_app
    from web.service.assembly import assemble

    passphrase = session.passphrase()
    open_shared = cast(OpenShared, click.get_current_context().find_root().meta[SHARED])
    parts = assemble(session.home, settings, open_shared(session.home.folder, passphrase), passphrase, is_secure)
    return parts, make_app(parts)
