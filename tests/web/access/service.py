"""A service with nothing but its door: the routes of access, a question of each kind, and a clock that stands still."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError

from store.access import Access
from web.access.guard import Guard
from web.access.making import make_token
from web.access.passwords import Passwords
from web.access.routes import access_router
from web.access.signing import SignIn
from web.access.who import ROLES, Who
from web.problem import PROBLEM_TYPE, Problem, format_problem

NOW = 1_700_000_000
HOUR, DAY = 3_600, 86_400
CITY, COUNTY, TOWN, VILLAGE, OTHER = "city/x", "county/x", "town/x", "village/x", "other/x"
PARENTS = {VILLAGE: TOWN, TOWN: COUNTY, COUNTY: CITY, OTHER: COUNTY}
ANNE, BEN = "12345676", "87654342"
PASSWORD = "five yellow persimmons"
FAST = Passwords(1, 8_192)
SESSION = "/api/v1/session"
TOKENS = "/api/v1/tokens"


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = NOW

    def __call__(self) -> float:
        return self.seconds


class Door(httpx.BaseTransport):
    """Asks the application itself; an exception that it does not answer is raised here."""

    def __init__(self, app: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._ask(request))

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        asked = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        answer = await self._transport.handle_async_request(asked)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())


class Service:
    """A node's door, at the village."""

    def __init__(self, access: Access, *, is_secure: bool = False, behind_proxy: bool = False) -> None:
        self.access, self.clock = access, Clock()
        self.guard = Guard(
            access, is_secure=is_secure, behind_proxy=behind_proxy, parent_of=PARENTS.get, clock=self.clock
        )
        self.app = _app(access, self.guard)
        self.base = f"{'https' if is_secure else 'http'}://node.example"

    def client(self, token: str | None = None) -> httpx.Client:
        """Somebody's browser or program."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(transport=Door(self.app), base_url=self.base, headers=headers)

    def add(self, name: str, role: str = "clerk", ledger: str = VILLAGE, account: str = "", **more: Any) -> None:
        """A user with the one password."""
        assert role in ROLES
        hashed = FAST.hash(PASSWORD)
        self.access.add_user(name, role, ledger=ledger, account=account, password=hashed, now=NOW, **more)

    def token(self, name: str, *scopes: str, days: int = 1) -> str:
        """A token of a user."""
        user = self.access.user(name)
        assert user is not None
        return make_token(
            self.access, user, label="", scopes=scopes or ("read",), days=days, now=self.guard.now()
        ).secret

    def sign_in(self, name: str = "wang", password: str = PASSWORD, client: httpx.Client | None = None) -> Any:
        """The answer to a name and a password."""
        return (client or self.client()).post(SESSION, json={"name": name, "password": password})

    def signed_in(self, name: str = "wang") -> httpx.Client:
        """A browser in which somebody has signed in; it says of each request that this node's page sent it."""
        client = self.client()
        assert self.sign_in(name, client=client).status_code == 200
        client.headers["Sec-Fetch-Site"] = "same-origin"
        return client


@contextmanager
def opened(folder: Path, *, is_secure: bool = False) -> Iterator[Service]:
    """A service on a new file, with the clerk Wang."""
    with closing(Access(folder / "access.db")) as access:
        service = Service(access, is_secure=is_secure)
        service.add("wang")
        yield service


def _app(access: Access, guard: Guard) -> FastAPI:
    app = FastAPI()
    app.include_router(access_router(access, guard, SignIn(access, guard, FAST)))

    @app.get("/ledger/{ledger:path}")
    async def ledger(ledger: str, who: Annotated[Who, Depends(guard.needs("read"))]) -> str:
        guard.check_ledger(who, ledger)
        return "all of it"

    @app.get("/statement/{account}/{ledger:path}")
    def statement(account: str, ledger: str, who: Annotated[Who, Depends(guard.needs("read"))]) -> str:
        guard.check_account(who, ledger, account)
        guard.note_look(who, "statement", ledger, account)
        return "every line"

    @app.post("/entries")
    async def entries(who: Annotated[Who, Depends(guard.needs("submit"))]) -> str:
        return who.name

    @app.get("/public")
    async def public(request: Request) -> str:
        who = guard.who_if_any(request)
        return "stranger" if who is None else who.name

    @app.exception_handler(Problem)
    async def problem(_request: Request, error: Problem) -> Response:
        return Response(format_problem(error), error.status, {**error.headers, "Content-Type": PROBLEM_TYPE})

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, _error: RequestValidationError) -> Response:
        return Response(b"{}", 422)

    return app
