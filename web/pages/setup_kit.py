"""What the set-up pages are made with: whoever has the terminal's code, and what they have answered so far.

There is no home yet, so there are no users, sessions or writer: one browser is in, by a cookie of its own. Pages look
as all others do. Nothing here stays on disk, in a log or in an address.
"""

import asyncio
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from store.log import StoreError
from web.i18n import language, speak
from web.i18n import translate as _
from web.pages.forms import Form, read_form
from web.pages.kit import HEADERS, Handler, Leave, environment, language_of, redirect
from web.problem import Problem
from web.problems import DeskError
from web.setup.answers import STEPS, Answers
from web.setup.gate import Gate
from web.setup.making import Create

COOKIE = "huzhu-setup"
SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
FIRST = "/setup"


@dataclass(frozen=True, slots=True)
class Finished:
    """A home that is made, to be served from now on. ``vkey`` is "" where the page need not show it."""

    folder: Path
    passphrase: bytes | None = field(default=None, repr=False)
    vkey: str = ""


@dataclass(slots=True)
class SetupKit:
    """The parts of a set-up. ``finished`` is set once; from then on the service may begin."""

    folder: Path
    """Where the home is to stand."""
    gate: Gate
    create: Create
    is_secure: bool = False
    answers: Answers = field(default_factory=Answers)
    finished: Finished | None = None
    making: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Whoever makes a home holds it: a button that is pressed twice makes one."""

    def router(self) -> APIRouter:
        """Where pages are hung; whatever they raise that is an answer becomes a page."""
        kit = self

        class SetupRoute(APIRoute):
            def get_route_handler(self) -> Handler:
                answer = super().get_route_handler()

                async def handle(request: Request) -> Response:
                    speak(language_of(request))
                    return await kit._answered(request, answer)

                return handle

        return APIRouter(include_in_schema=False, route_class=SetupRoute)

    async def _answered(self, request: Request, answer: Handler) -> Response:
        try:
            return await answer(request)
        except Leave as leave:
            return leave.response
        except Problem as problem:
            return self.refused(request, problem)
        except (DeskError, StoreError) as error:
            return self.refused(request, Problem(422, "refused", _("not possible"), str(error)))
        except RequestValidationError:
            return self.refused(request, Problem(400, "bad-request", _("not readable"), _("this address is not right")))
        except HTTPException as error:
            return self.refused(request, Problem(error.status_code, "refused", _("not possible"), _("try it again")))

    # Who asks

    def secret_of(self, request: Request) -> str | None:
        """The secret of the browser that is in; None for any other."""
        held = request.cookies.get(COOKIE, "")
        return held if SECRET.fullmatch(held) and self.gate.is_in(held) else None

    def check_in(self, request: Request) -> str:
        """The same, where others are sent to the page that asks for the code."""
        secret = self.secret_of(request)
        if secret is None:
            raise Leave(redirect(FIRST))
        return secret

    def check_step(self, request: Request, step: str) -> None:
        """Send them to the first step that is not done, where that comes before this one."""
        self.check_in(request)
        if not self.answers.may_enter(step):
            raise Leave(redirect(f"/setup/{self.answers.next_step}"))

    def let_in(self, response: Response, secret: str) -> Response:
        """Give the browser its cookie."""
        response.set_cookie(COOKIE, secret, secure=self.is_secure, httponly=True, samesite="strict")
        return response

    # Answers and forms

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """A template with values, as ``Kit.page``."""
        secret = self.secret_of(request)
        village = self.answers.village
        shared: dict[str, Any] = {
            "language": language(),
            "path": request.url.path,
            "query": request.url.query,
            "who": None,
            "ledger": "" if village is None else village.origin,
            "ledger_name": "" if village is None else village.name,
            "notes": [],
            "token": "" if secret is None else _token(secret),
            "answers": self.answers,
            "steps": STEPS,
        }
        body = environment().get_template(f"pages/setup/{template}").render(shared | values)
        return Response(body, status, HEADERS | {"Content-Language": language()}, "text/html; charset=utf-8")

    def refused(self, request: Request, problem: Problem) -> Response:
        """A page that says why not."""
        return self.page(request, "refused.html", problem.status, problem=problem)

    async def form(self, request: Request) -> Form:
        """The form that a page of ours sent back, from the browser that is in."""
        secret = self.check_in(request)
        form = await read_form(request)
        if not hmac.compare_digest(form.get("token").encode(errors="replace"), _token(secret).encode()):
            text = _("this form is of an older session: go back, load the page again and send it again")
            raise Problem(403, "bad-token", _("the form has expired"), text)
        return form

    def go_on(self) -> Response:
        """To the first step that is not done, or to the last page before the home is made."""
        return redirect(f"/setup/{self.answers.next_step or 'found'}")


def taken(form: Form, name: str, check: Callable[[str], Any], text: str) -> Any:
    """What ``check`` makes of a text; None, and a flaw beside the field, where it refuses."""
    try:
        return check(text)
    except DeskError as error:
        form.flaw(name, str(error))
        return None


def _token(secret: str) -> str:
    """Says that a form is from a page of this browser's. Pages are not packed, so that nothing can be told of it."""
    return hmac.digest(secret.encode(), b"form", "sha256").hex()
