"""Signing in and out of a browser, for the API and for the pages: cookies set, tries counted, passwords changed.

    sign_in_by = SignIn(access, guard, passwords)
    who = await sign_in_by.enter(request, response, "wang", typed)     # the cookies are in ``response``
    sign_in_by.leave(request, response)
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial

from fastapi import Request, Response

from store.access import Access, AccessError
from store.log import StoreError
from web.access.guard import Guard, unkept, who_of
from web.access.limits import LIMITS, Limits
from web.access.login import Login, Tried
from web.access.passwords import Passwords
from web.access.queue import HashQueue
from web.access.secret import secret_hash
from web.access.who import Who
from web.i18n import translate as _
from web.problem import Problem

NO_STORE = {"Cache-Control": "no-store"}


class SignIn:
    """Sessions of browsers. A request from another site's page is refused with a Problem 403."""

    def __init__(self, access: Access, guard: Guard, passwords: Passwords | None = None, limits: Limits = LIMITS):
        self._access, self._guard, self._limits = access, guard, limits
        self._login = Login(access, passwords or Passwords(), limits)
        self._queue = HashQueue()

    async def enter(self, request: Request, response: Response, name: str, password: str) -> Who:
        """Begin a session; raises Problem 401, 403, 429 or 503."""
        guard = self._guard
        if guard.is_from_elsewhere(request):
            guard.check_site(request)
        now, device = guard.now(), guard.cookie(request, guard.device_cookie)
        begin = partial(self._login.begin, name, address=guard.address(request), device=device, now=now)
        with told():
            async with self._let_through(begin) as tried:
                old_session = guard.cookie(request, guard.session_cookie)
                signed = await self._queue.run(
                    partial(self._login.sign_in, tried, password, device=device, old_session=old_session, now=now)
                )
            holder = self._access.session_holder(secret_hash(signed.session))
        if holder is None:
            raise unkept()
        self._set_cookie(response, guard.session_cookie, signed.session, self._limits.session_seconds)
        self._set_cookie(response, guard.device_cookie, signed.device, self._limits.device_seconds)
        return who_of(holder)

    def leave(self, request: Request, response: Response) -> None:
        """End the session at hand; raises Problem 503."""
        session = self._guard.cookie(request, self._guard.session_cookie)
        with told():
            self._access.close_session(secret_hash(session or ""))
        self._set_cookie(response, self._guard.session_cookie, "", 0)

    async def change_password(self, request: Request, response: Response, name: str, old: str, new: str) -> None:
        """Another password, and no session left; raises Problem 401, 422, 429 or 503."""
        guard = self._guard
        device = guard.cookie(request, guard.device_cookie)
        begin = partial(self._login.begin, name, address=guard.address(request), device=device, now=guard.now())
        with told():
            async with self._let_through(begin) as tried:
                await self._queue.run(partial(self._login.change_password, tried, old, new))
        self._set_cookie(response, guard.session_cookie, "", 0)

    @asynccontextmanager
    async def _let_through(self, begin: Callable[[], Tried]) -> AsyncIterator[Tried]:
        """A try that was counted and has a place in the queue; Problem 429 or 503: without a place none is counted."""
        tried = await self._queue.ask(begin)
        with ExitStack() as stack:
            try:
                stack.enter_context(self._queue.place(tried))
            except Problem:
                await self._queue.ask(partial(self._login.forgive, tried))
                raise
            yield tried

    def _set_cookie(self, response: Response, name: str, value: str, seconds: int) -> None:
        response.set_cookie(
            name, value, max_age=seconds, path="/", secure=self._guard.is_secure, httponly=True, samesite="strict"
        )
        response.headers.update(NO_STORE)


@contextmanager
def told() -> Iterator[None]:
    """What ``access.db`` refuses, as an answer."""
    try:
        yield
    except AccessError as error:
        raise Problem(403, "not-allowed", _("not allowed"), str(error), outcome="not-allowed") from error
    except StoreError as error:
        raise unkept() from error
