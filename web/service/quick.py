"""The two requests that come most often, answered without FastAPI's routing: a balance, and a sheet.

FastAPI's own routes describe them and call the same functions. Of balances only the plain question is taken here; every
other goes the long way, and so does each that ends in a refusal.
"""

import re
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request

from store.log import StoreError
from web.access.guard import Guard
from web.access.who import READ, SUBMIT
from web.problem import Problem
from web.service.accounts import answer_account
from web.service.answers import http_response, problem_response, storage_problem
from web.service.door import App, Receive, Scope, Send
from web.service.entries import Submission
from web.service.ledgers import Ledgers

ACCOUNT_PATH = re.compile(r"/api/v1/accounts/([0-9]{8})")
LEDGER_QUERY = re.compile(rb"ledger=([a-z0-9./_%-]{1,600})", re.IGNORECASE)
ENTRIES_PATH = "/api/v1/entries"


class Quick:
    """The ASGI application between the door and FastAPI."""

    def __init__(self, app: App, ledgers: Ledgers, guard: Guard, submission: Submission) -> None:
        self._app = app
        self._ledgers = ledgers
        self._submission = submission
        self._may_read, self._may_submit = guard.needs(READ), guard.needs(SUBMIT)
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == ENTRIES_PATH and scope["method"] == "POST":
            await self._submit(scope, receive, send)
        elif scope["method"] != "GET" or not await self._account(scope, receive, send):
            await self._app(scope, receive, send)

    async def _account(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Whether it was a balance, and is answered."""
        path, query = ACCOUNT_PATH.fullmatch(scope["path"]), scope["query_string"]
        named = LEDGER_QUERY.fullmatch(query) if query else None
        if path is None or (query and named is None):
            return False
        ledger = None if named is None else unquote(named[1].decode())
        try:
            who = await self._may_read(Request(scope))
            response = answer_account(self._ledgers, self._guard, who, path[1], ledger)
        except (Problem, StoreError):
            return False
        scope["quick"] = "/api/v1/accounts/{number}"
        await response(scope, receive, send)
        return True

    async def _submit(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["quick"] = ENTRIES_PATH
        request = Request(scope, receive)
        try:
            who = await self._may_submit(request)
            response = await self._submission.answer(request, who)
        except Problem as problem:
            response = problem_response(problem)
        except StoreError:
            response = problem_response(storage_problem())
        except HTTPException as error:
            response = http_response(error)
        await response(scope, receive, send)
