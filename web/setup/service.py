"""The set-up as a service on this machine alone, until there is a home; then whoever serves that takes over its socket.

    finished = serve_setup(folder, create, listening, heard)      # None: told to stop before anything was made

When the home is made, the last page stays until somebody goes on: the first request for anything else is sent to the
same address again, and what listens there by then is the node. Requests that name another host than this machine, as a
foreign page behind a changed name would, are refused.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from web.i18n import speak
from web.i18n import translate as _
from web.pages.assets import asset_router
from web.pages.kit import language_of, local_path
from web.pages.setup_kit import Finished, SetupKit
from web.pages.setup_other import other_router
from web.pages.setup_sheets import sheets_router
from web.pages.setup_village import village_router
from web.problem import Problem
from web.service.door import App, Door, Receive, Scope, Send, bug_problem, security_headers
from web.service.journal import Journal
from web.service.metrics import Metrics
from web.service.run import Listening, Server, configured
from web.setup.gate import Gate
from web.setup.making import Create

HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
CLOSE_TICKS, TICK_SECONDS = 250, 0.02
Stop = Callable[[], Awaitable[None]]
"""Takes no more connections, once it has answered: those who come wait for the node."""
STAYS = ("/setup/done", "/assets/", "/language")
"""What is answered here still when the home is made."""


def serve_setup(
    folder: Path,
    create: Create,
    listening: Listening,
    heard: socket.socket,
    tell: Callable[[str, str], None],
) -> Finished | None:
    """Set a node up; what was made. ``tell`` shows the address and a code to whoever sits at the machine."""
    host, port = heard.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    is_secure = listening.certificate is not None
    url = f"{'https' if is_secure else 'http'}://{name}:{port}"
    kit = SetupKit(folder, Gate(lambda code: tell(url, code)), create, is_secure)

    async def stop() -> None:
        server.should_exit = True
        for _tick in range(CLOSE_TICKS):
            if not any(each.is_serving() for each in server.servers):
                return
            await asyncio.sleep(TICK_SECONDS)

    server = Server(configured(make_setup_app(kit, stop), listening), lambda _address: None)
    server.run([heard.dup()])
    return kit.finished


def make_setup_app(kit: SetupKit, stop: Stop) -> Door:
    """The ASGI application."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    for router in (asset_router(), sheets_router(kit), village_router(kit), other_router(kit)):
        app.include_router(router)
    app.add_exception_handler(HTTPException, _teller(kit))
    app.add_exception_handler(Exception, _teller(kit))
    return Door(Threshold(app, kit, stop), _nothing, security_headers(kit.is_secure), Metrics(), Journal())


def _teller(kit: SetupKit) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Answers with a page in the reader's language; of a bug the door has the rest in the journal."""

    async def tell(request: Request, error: Exception) -> Response:
        speak(language_of(request))
        if not isinstance(error, HTTPException):
            return kit.refused(request, bug_problem())
        text = _("there is no page at this address: go back, or begin at the first page")
        return kit.refused(request, Problem(error.status_code, "no-such-page", _("no such page"), text))

    return tell


class Threshold:
    """Lets requests of this machine in; and out, to the node, when there is one."""

    def __init__(self, app: App, kit: SetupKit, stop: Stop) -> None:
        self._app, self._kit, self._stop = app, kit, stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif not _is_own(scope):
            await Response(status_code=421)(scope, receive, send)
        elif self._kit.finished is not None and not scope["path"].startswith(STAYS):
            query = scope["query_string"].decode("latin-1")
            again = local_path(scope["path"] + (f"?{query}" if query else ""))
            headers = {"Location": again, "Connection": "close", "Cache-Control": "no-store"}
            await self._stop()
            await Response(status_code=307, headers=headers)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_own(scope: Scope) -> bool:
    """Whether the request names this machine as its host."""
    hosts = [value.decode("latin-1").casefold() for name, value in scope["headers"] if name == b"host"]
    return len(hosts) == 1 and (hosts[0] in HOSTS or hosts[0].rpartition(":")[0] in HOSTS)


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """There are no log files yet."""
    await Response(status_code=404)(scope, receive, send)
