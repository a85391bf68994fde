"""What every page is made with: who asks, which language, the template, the form that comes back.

    kit.who(request, CLERK, MEMBER)                     # or they are sent to sign in
    form = await kit.form(request)                      # its token checked
    return kit.page(request, "desk/record.html", form=form)
    return kit.see("/desk", _("entry {index} is on the ledger").format(index=17))

Routes are made on ``kit.router()``: whatever they raise that is an answer (``Problem``, ``DeskError``, a failing disk)
becomes a page in the reader's language, and who is not signed in is sent to sign in and back.
"""

import base64
import gzip
import hmac
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException

from chain.fields import Time
from store.access import Access
from store.home import Home
from store.log import StoreError
from store.settings import NodeSettings
from web.access.guard import GIVEN_PASSWORD, Guard
from web.access.signing import SignIn
from web.access.who import MEMBER, ROLES, Who
from web.i18n import CHINESE, LANGUAGES, language, language_of_header, speak
from web.i18n import translate as _
from web.pages.assets import asset, style, style_sources
from web.pages.forms import Form, read_form
from web.problem import TYPE_BASE, Problem
from web.problems import DeskError
from web.service.answers import busy_problem, storage_problem
from web.service.ledgers import Ledgers
from web.service.tending import Tender
from web.service.writer import BusyError, Writer
from web.text import USER_ROLES, hours_of, named, named_account, named_category, named_kind, sentence, yuan_of

LANGUAGE_COOKIE, LANGUAGE_SECONDS = "huzhu-lang", 365 * 86_400
ACCOUNT = "/account"
"""Where one's own password is chosen: the one page for who has to do that first."""
TOKEN_BYTES = 16
NOTES_MAX, NOTES_EACH_MAX = 4_096, 8
ZIPPED_MIN_BYTES = 500
LOCAL_PATH = re.compile(r"/(?![/\\])[\x21-\x7e]{0,500}")
"""A way back that leads nowhere else: one slash, and no second."""
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src {style_sources()}; script-src 'self'; img-src 'self' data:; connect-src 'self';"
        " manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",  # under "no-referrer" browsers say of our own forms that they come from nowhere
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Cookie, Accept-Language, Accept-Encoding",
}
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Leave(Exception):  # noqa: N818 - it is an answer
    """Somebody is sent elsewhere."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence shown once, on the next page: whether what was asked for is done."""

    text: str
    is_good: bool


@dataclass(frozen=True, slots=True)
class Kit:
    """The parts of a node that pages use. ``passphrase`` opens the keys and dossiers of its home."""

    home: Home
    settings: NodeSettings
    ledgers: Ledgers
    writer: Writer
    access: Access
    guard: Guard
    sign_in_by: SignIn
    clock: Callable[[], Time]
    passphrase: bytes | None = field(default=None, repr=False)
    restart: Callable[[str], None] | None = field(default=None, repr=False)
    """Ends this service, so that another goes on in its place: what practice ledgers need, and no others have."""
    tender: Tender | None = None
    """What looks after the neighbours, where there are any."""
    _secret: bytes = field(default_factory=lambda: os.urandom(32), repr=False)
    _notes: "OrderedDict[str, list[Note]]" = field(default_factory=OrderedDict, repr=False)

    # Routes

    def router(self) -> APIRouter:
        """Where pages are hung: none of them is part of the API's description."""
        kit = self

        class PageRoute(APIRoute):
            def get_route_handler(self) -> Handler:
                answer = super().get_route_handler()

                async def handle(request: Request) -> Response:
                    speak(language_of(request))
                    return zipped(request, await kit._answered(request, answer))

                return handle

        return APIRouter(include_in_schema=False, route_class=PageRoute)

    async def _answered(self, request: Request, answer: Handler) -> Response:
        try:
            return await answer(request)
        except Leave as leave:
            return leave.response
        except Problem as problem:
            if problem.status == 401 and request.method == "GET":
                return self.to_sign_in(request)
            if problem.type == TYPE_BASE + GIVEN_PASSWORD:
                return redirect(ACCOUNT)
            return self.refused(request, problem)
        except DeskError as error:
            return self.refused(request, Problem(422, "refused", _("not possible"), str(error)))
        except BusyError:
            return self.refused(request, busy_problem())
        except StoreError:
            return self.refused(request, storage_problem())
        except RequestValidationError:
            return self.refused(request, Problem(400, "bad-request", _("not readable"), _("this address is not right")))
        except HTTPException as error:
            return self.refused(request, Problem(error.status_code, "refused", _("not possible"), _("try it again")))

    # Who asks

    def who(self, request: Request, *roles: str) -> Who:
        """Whoever is signed in, in one of these roles (none named: in any); others are told why they may not."""
        who = self.guard.who(request)
        if roles and who.role not in roles:
            text = _("this page is for {roles}; you are signed in as {role}")
            names = _(", ").join(named(USER_ROLES, role) for role in ROLES if role in roles)
            text = text.format(roles=names, role=named(USER_ROLES, who.role))
            raise Problem(403, "not-allowed", _("not your page"), text)
        return who

    def stands_in(self, who: Who | None) -> bool:
        """Whether they are a member who acts in place of the tier above, since genesis names none (RULES §1)."""
        return who is not None and who.role == MEMBER and not self.writer.standing.has_authority

    def who_if_any(self, request: Request) -> Who | None:
        """The same where anybody may look; a session that has ended is nobody's."""
        try:
            return self.guard.who_if_any(request)
        except Problem:
            return None

    def session_of(self, request: Request) -> str:
        """A name for the browser's session, which tells nothing of its secret; "" where there is none."""
        session = self.guard.cookie(request, self.guard.session_cookie)
        return "" if session is None else hmac.digest(self._secret, session.encode(), "sha256").hex()

    def to_sign_in(self, request: Request) -> Response:
        """Ask them to sign in, and lead them back here afterwards."""
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return redirect("/sign-in" if path == "/" else f"/sign-in?to={quote(path, safe='')}")

    # Answers

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """A template of ``web/templates/pages`` with values; texts in it are msgids, all else is escaped."""
        who = self.who_if_any(request)
        session = self.session_of(request)
        shared = {
            "language": language(),
            "path": request.url.path,
            "query": request.url.query,
            "who": who,
            "stands_in": self.stands_in(who),
            "ledger": self.settings.origin,
            "ledger_name": self.settings.name,
            "notes": self._notes.pop(session, []),
            "token": self._token(session),
        }
        body = environment().get_template(f"pages/{template}").render(shared | values)
        return Response(body, status, HEADERS | {"Content-Language": language()}, "text/html; charset=utf-8")

    def refused(self, request: Request, problem: Problem) -> Response:
        """A page that says why not, and what to do."""
        response = self.page(request, "refused.html", problem.status, problem=problem)
        response.headers.update(problem.headers)
        return response

    def see(self, request: Request, path: str, text: str = "", *, is_good: bool = True) -> Response:
        """Go on at another page, and tell this there."""
        if text:
            self.note(request, text, is_good=is_good)
        return redirect(path)

    def refused_anywhere(self, request: Request, problem: Problem) -> Response:
        """The same for an address where no page of ours is."""
        speak(language_of(request))
        return zipped(request, self.refused(request, problem))

    def note(self, request: Request, text: str, *, is_good: bool = True) -> None:
        """Tell something on the next page that this browser is shown."""
        session = self.session_of(request)
        if session:
            self._notes.setdefault(session, []).append(Note(text, is_good))
            del self._notes[session][:-NOTES_EACH_MAX]
            while len(self._notes) > NOTES_MAX:
                self._notes.popitem(last=False)

    # Forms

    async def form(self, request: Request) -> Form:
        """The form that a page of ours sent back; Problem 403 where it does not carry this session's token."""
        form = await read_form(request)
        if not self._is_token(self.session_of(request), form.get("token")):
            text = _("this form is of an older session: go back, load the page again and send it again")
            raise Problem(403, "bad-token", _("the form has expired"), text)
        return form

    def _token(self, session: str) -> str:
        """Says that a form is from this session's page; another each time, so that no packed answer betrays it."""
        pad = os.urandom(TOKEN_BYTES)
        mixed = bytes(one ^ other for one, other in zip(pad, self._plain_token(session), strict=True))
        return base64.urlsafe_b64encode(pad + mixed).decode()

    def _is_token(self, session: str, text: str) -> bool:
        try:
            raw = base64.urlsafe_b64decode(text.encode("ascii"))
        except ValueError:
            return False
        if len(raw) != 2 * TOKEN_BYTES or not session:
            return False
        plain = bytes(one ^ other for one, other in zip(raw[:TOKEN_BYTES], raw[TOKEN_BYTES:], strict=True))
        return hmac.compare_digest(plain, self._plain_token(session))

    def _plain_token(self, session: str) -> bytes:
        return hmac.digest(self._secret, b"form:" + session.encode(), "sha256")[:TOKEN_BYTES]

    def may_look(self, who: Who, what: str, account: str, ledger: str = "") -> None:
        """Have on disk that they are shown ``what`` of an account; Problem 503 where that cannot be recorded."""
        self.guard.note_look(who, what, ledger or self.settings.origin, account)


def language_of(request: Request) -> str:
    """As the reader chose on a page, else as the browser asks, else Chinese."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    return language_of_header(request.headers.get("accept-language", "")) or CHINESE


def local_path(text: str) -> str:
    """A way within this node; "/" for any other."""
    return text if LOCAL_PATH.fullmatch(text) else "/"


def redirect(path: str) -> Response:
    """Go and look there."""
    return Response(status_code=303, headers={"Location": path, "Cache-Control": "no-store"})


def zipped(request: Request, response: Response) -> Response:
    """A page packed, where the browser can unpack it."""
    body = response.body
    if (
        len(body) < ZIPPED_MIN_BYTES
        or "content-encoding" in response.headers
        or not response.headers.get("content-type", "").startswith("text/")
        or "gzip" not in request.headers.get("accept-encoding", "")
    ):
        return response
    response.body = gzip.compress(bytes(body), 5, mtime=0)
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Content-Length"] = str(len(response.body))
    return response


@cache
def environment() -> Environment:
    """Templates, with what people's words are made of."""
    made = Environment(
        loader=PackageLoader("web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_callables(_, _plural, newstyle=False)  # type: ignore[attr-defined]
    made.globals.update(asset=asset, style=style, role_name=lambda role: named(USER_ROLES, role))
    made.filters.update(
        hours=hours_of,
        yuan=yuan_of,
        account=named_account,
        category=named_category,
        kind=named_kind,
        sentence=sentence,
        day=lambda time: time.strftime("%Y-%m-%d"),
        moment=lambda time: time.strftime("%Y-%m-%d %H:%M"),
    )
    return made


def _plural(one: str, several: str, count: int) -> str:
    return _(one if count == 1 else several)
