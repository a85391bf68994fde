"""The outermost part of the application: everything that comes in passes here, and every answer goes out here.

Static logs are answered beside FastAPI. Every answer gets the security headers; every request is counted under its
route's pattern; what no part handles becomes a problem document, and a line in the journal without anybody's data.
"""

import asyncio
import html
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from web.i18n import language, listen_to
from web.i18n import translate as _
from web.problem import PROBLEM_TYPE, Problem, format_problem
from web.service.journal import Journal
from web.service.log import PREFIX, Headers
from web.service.metrics import Metrics

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SECURITY: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]
UNDER_TLS: Headers = [(b"strict-transport-security", b"max-age=31536000")]
SHEET_PATHS = frozenset({"/api/v1/entries", "/add-checkpoint", "/desk/sheets"})
"""Who takes more than a few fields, and bounds it by himself."""
SHEET_MAX_BYTES, BODY_MAX_BYTES = 5 * 1_048_576, 16_384
"""Of a request there, and of any other: those are read as JSON before anybody has signed in."""
CHECK_PATH, CHECK_MAX_BYTES = "/check", 1_048_576
"""Where anybody has a receipt checked, which may be long, and how long that form may be."""
FIRST_ERROR = 400
"""From this status on an answer holds a text for people."""
CLIENT_GONE = 499
BODY_SECONDS = 30.0
"""How long a request's body may take to come."""
LOG_ROUTE, NO_ROUTE = "/log", "none"


def security_headers(is_secure: bool) -> Headers:
    """What goes with every answer."""
    return SECURITY + (UNDER_TLS if is_secure else [])


class Door:
    """The ASGI application that uvicorn runs."""

    def __init__(self, app: App, files: App, headers: Headers, metrics: Metrics, journal: Journal) -> None:
        self._app = app
        self._files = files
        self._headers = headers
        self._metrics = metrics
        self._journal = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        listen_to(scope["headers"])

        async def pass_on(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if status >= FIRST_ERROR:
                    message["headers"] = _with_language(message["headers"])
            await send(message)

        async def pass_on_secured(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = message["headers"] if status < FIRST_ERROR else _with_language(message["headers"])
                given = {name for name, _value in own}
                message["headers"] = own + [pair for pair in self._headers if pair[0] not in given]
            await send(message)

        is_log = scope["path"].startswith(PREFIX)
        try:
            if not _names_host(scope):
                problem = _no_host()
                await _answer(pass_on_secured, problem.status, format_problem(problem))
            elif is_log:
                await self._files(scope, receive, pass_on)
            else:
                await self._app(scope, _Bounded(receive, body_max_bytes(scope["path"])), pass_on_secured)
        except ClientDisconnect:
            status = CLIENT_GONE
        except Exception as error:
            self._journal.bug(error, _route(scope, is_log))
            if not status:
                await _answer_bug(scope, pass_on_secured)
        self._metrics.answered(_route(scope, is_log), status, time.perf_counter() - started)


def body_max_bytes(path: str) -> int:
    """How long the body of a request for that path may be."""
    if path == CHECK_PATH:
        return CHECK_MAX_BYTES
    return SHEET_MAX_BYTES if path in SHEET_PATHS else BODY_MAX_BYTES


class _Bounded:
    """A request's body, of bounded length and duration."""

    def __init__(self, receive: Receive, maximum_bytes: int) -> None:
        self._receive = receive
        self._maximum_bytes = maximum_bytes
        self._until = asyncio.get_running_loop().time() + BODY_SECONDS
        self._bytes = 0
        self._is_whole = False

    async def __call__(self) -> MutableMapping[str, Any]:
        if self._is_whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408) from None
        self._bytes += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._bytes > self._maximum_bytes:
            raise HTTPException(413)
        return message


def _names_host(scope: Scope) -> bool:
    """Whether it says to which host it goes, once; HTTP/1.0 need not (RFC 9112 §3.2)."""
    count = sum(name == b"host" for name, _value in scope["headers"])
    return count == 1 or (not count and bool(scope["http_version"] == "1.0"))


def _no_host() -> Problem:
    text = _("a request names its host once, in the header `Host`")
    return Problem(400, "bad-request", _("not readable"), text)


def _with_language(headers: Headers) -> Headers:
    """The headers of an answer in words: in which language they are, and that another may be asked for."""
    if any(name == b"content-language" for name, _value in headers):
        return headers
    return [*headers, (b"content-language", language().encode()), (b"vary", b"Accept-Language")]


def _route(scope: Scope, is_log: bool) -> str:
    route = scope.get("route")
    if is_log:
        return LOG_ROUTE
    quick: str | None = scope.get("quick")
    return quick or (NO_ROUTE if route is None else str(route.path))


def bug_problem() -> Problem:
    """The program is at fault."""
    text = _(
        "the program is at fault, and has written where into its log. Go back and look whether what you asked for was "
        "done. If not, try again; where it fails again, tell whoever looks after this computer."
    )
    return Problem(500, "bug", _("a fault of the program"), text)


def is_for_people(path: str, accept: str) -> bool:
    """Whether a browser asks for a page."""
    return not path.startswith("/api/") and "text/html" in accept


def _bug_page(problem: Problem) -> str:
    """A page for when no template can be relied on."""
    title, detail = html.escape(problem.title), html.escape(problem.detail)
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    return f'<!doctype html><html lang="{language()}"><head>{head}</head><h1>{title}</h1><p>{detail}</p></html>'


async def _answer_bug(scope: Scope, send: Send) -> None:
    problem, kind = bug_problem(), PROBLEM_TYPE
    accept = b", ".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1")
    body = format_problem(problem)
    if is_for_people(scope["path"], accept):
        body, kind = _bug_page(problem).encode(), "text/html; charset=utf-8"
    await _answer(send, problem.status, body, kind)


async def _answer(send: Send, status: int, body: bytes, kind: str = PROBLEM_TYPE) -> None:
    headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
