"""The service's application, put together from its parts; nothing is opened or started here.

    app = make_app(parts)        # for uvicorn: Door around FastAPI and the static logs

``parts.routers`` are what others add: the witness, sign-in, exchange between nodes, a supervisor's questions.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from chain.fields import Time
from store.home import Home
from store.log import StoreError
from store.settings import NodeSettings
from web.access.guard import Guard
from web.i18n import translate as _
from web.problem import Problem
from web.service.accounts import account_router
from web.service.answers import DOCUMENT, busy_problem, http_response, problem_response, storage_problem
from web.service.asking import Asker
from web.service.books import book_router
from web.service.description import describe
from web.service.door import Door, bug_problem, is_for_people, security_headers
from web.service.entries import Submission, entry_router
from web.service.health import Watched, health_router
from web.service.journal import Journal
from web.service.ledgers import Ledgers
from web.service.log import LogFiles
from web.service.metrics import Metrics
from web.service.questions import question_router
from web.service.quick import Quick
from web.service.subtree import Subtree
from web.service.tending import Tender
from web.service.unread import flaw_words
from web.service.writer import BusyError, Writer

ABOUT = (
    "One node of the Huzhu time bank. Times are UTC, amounts are whole minutes or fen. Errors are RFC 9457 problem "
    "documents; where a rule refused, `outcome` names it. The log itself is below `/log/<origin>/` (C2SP tlog-tiles)."
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application is made of."""

    settings: NodeSettings
    home: Home
    ledgers: Ledgers
    writer: Writer
    guard: Guard
    asker: Asker
    journal: Journal
    clock: Callable[[], Time]
    is_secure: bool = False
    tender: Tender | None = None
    metrics: Metrics = field(default_factory=Metrics)
    routers: Sequence[APIRouter] = ()
    refused: Callable[[Request, Problem], Response] | None = None
    """How a browser is told of a problem, as a page."""
    running: Callable[[], AbstractAsyncContextManager[None]] | None = None
    """What is started and stopped with the server."""


def make_app(parts: Parts) -> Door:
    """The ASGI application."""
    submission = Submission(parts.ledgers, parts.writer, parts.guard)
    app = Quick(make_api(parts, submission), parts.ledgers, parts.guard, submission)
    headers = security_headers(parts.is_secure)
    return Door(app, LogFiles(parts.ledgers, headers), headers, parts.metrics, parts.journal)


def make_api(parts: Parts, submission: Submission) -> FastAPI:
    """FastAPI's part of it."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if parts.running is None:
            yield
        else:
            async with parts.running():
                yield

    app = FastAPI(
        title="Huzhu",
        version=version("huzhu"),
        description=ABOUT,
        openapi_url=DOCUMENT,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    watched = Watched(parts.settings, parts.home, parts.ledgers, parts.writer, parts.tender, parts.clock)
    for router in (
        entry_router(parts.ledgers, submission, parts.guard),
        account_router(parts.ledgers, parts.writer, parts.guard),
        book_router(parts.home, parts.ledgers, parts.writer, parts.guard, parts.asker),
        make_questions(parts),
        health_router(watched, parts.guard, parts.metrics),
        *parts.routers,
    ):
        app.include_router(router)
    app.add_exception_handler(Problem, _tell_problem)
    app.add_exception_handler(StoreError, _store_teller(parts.journal))
    app.add_exception_handler(BusyError, _tell_busy)
    app.add_exception_handler(RequestValidationError, _tell_unread)
    app.add_exception_handler(HTTPException, _http_teller(parts))
    app.add_exception_handler(Exception, _bug_teller(parts))
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    return app


def make_questions(parts: Parts) -> APIRouter:
    """What supervisors ask."""
    settings, ledgers, writer, guard = parts.settings, parts.ledgers, parts.writer, parts.guard
    subtree = Subtree(ledgers, writer, guard, settings.serve.silent_hours, parts.clock)
    return question_router(parts.home, settings, ledgers, subtree, writer, guard, parts.asker)


async def _tell_problem(_request: Request, error: Exception) -> Response:
    if not isinstance(error, Problem):
        raise error
    return problem_response(error)


async def _tell_busy(_request: Request, _error: Exception) -> Response:
    return problem_response(busy_problem())


def _store_teller(journal: Journal) -> Callable[[Request, Exception], Response]:
    def tell(_request: Request, error: Exception) -> Response:
        journal.event("storage", error=type(error).__name__)
        return problem_response(storage_problem())

    return tell


async def _tell_unread(_request: Request, error: Exception) -> Response:
    """What FastAPI could not read: where it stands, never what it was."""
    flaws = error.errors() if isinstance(error, RequestValidationError) else []
    places = [".".join(str(step) for step in flaw["loc"])[:100] for flaw in flaws[:3]]
    words = "; ".join(f"{place}: {flaw_words(flaw)}" for place, flaw in zip(places, flaws, strict=False))
    text = _("this cannot be read: {why}").format(why=words)
    return problem_response(Problem(400, "bad-request", _("not readable"), text))


def _http_teller(parts: Parts) -> Callable[[Request, Exception], Response]:
    def tell(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        if parts.refused is None or not _is_for_people(request):
            return http_response(error)
        text = _("there is no page at this address: go back, or begin at the first page")
        return parts.refused(request, Problem(error.status_code, "no-such-page", _("no such page"), text))

    return tell


def _bug_teller(parts: Parts) -> Callable[[Request, Exception], Response]:
    """What nobody foresaw; the door writes where it was into the journal."""

    def tell(request: Request, _error: Exception) -> Response:
        problem = bug_problem()
        if parts.refused is None or not _is_for_people(request):
            return problem_response(problem)
        return parts.refused(request, problem)

    return tell


def _is_for_people(request: Request) -> bool:
    """Whether a browser asks for a page."""
    return is_for_people(request.url.path, request.headers.get("accept", ""))
