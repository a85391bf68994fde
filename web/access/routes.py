"""The API by which people sign in and out, and make tokens for themselves.

    POST /api/v1/session      name and password; answers who it is, and sets the cookie
    GET /api/v1/session       who am I, and whether a password is to be chosen first
    DELETE /api/v1/session    sign out
    PUT /api/v1/password      change one's own; all sessions end
    /api/v1/tokens            list, make and revoke one's own; with a session only: a token makes no tokens

Passwords are hashed two at a time, in threads of their own: a flood of tries costs the rest of the API nothing, and no
more memory than two hashes take. A try is counted first, and who has to wait (429) takes no place before the hashing;
who finds none is answered 503, and not counted (``web.access.queue``).
"""

import datetime
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Path, Request, Response

from store.access import Access, Token
from web.access.guard import Guard, unkept
from web.access.limits import LIMITS, Limits
from web.access.making import make_token
from web.access.models import (
    Credentials,
    PasswordChange,
    Role,
    Scope,
    Signed,
    TokenListed,
    TokenMade,
    TokensListed,
    TokenWanted,
)
from web.access.signing import NO_STORE, SignIn, told
from web.access.who import SCOPES, Who
from web.i18n import translate as _
from web.problem import PROBLEM_TYPE, Problem

TOKEN_NUMBER_MAX = 2**63 - 1


def problems(**told: str) -> dict[int | str, dict[str, Any]]:
    """How the description tells of answers that are no success: ``_401="…"``."""
    return {int(code.strip("_")): {"description": text, "content": {PROBLEM_TYPE: {}}} for code, text in told.items()}


NOT_SIGNED_IN = "Nobody is signed in, or the token does not count."
OTHER_SITE = "The request comes from another site's page."
NO_STORAGE = "The node's disk fails."


def access_router(
    access: Access, guard: Guard, sign_in_by: SignIn, *, limits: Limits = LIMITS
) -> APIRouter:
    """The routes, for the service to include."""
    router = APIRouter(prefix="/api/v1", tags=["access"])
    _add_sessions(router, guard, sign_in_by)
    _add_password(router, guard, sign_in_by)
    _add_tokens(router, access, guard, limits)
    return router


def _add_sessions(router: APIRouter, guard: Guard, sign_in_by: SignIn) -> None:
    signed_in = Depends(guard.needs(even_newcomers=True))

    @router.post(
        "/session",
        summary="Sign in",
        responses=problems(
            _401="Name and password do not belong together.",
            _403=OTHER_SITE,
            _429="Too many wrong passwords; `Retry-After` says how many seconds to wait.",
            _503=NO_STORAGE + " Or too many people sign in at once.",
        ),
    )
    async def sign_in(request: Request, response: Response, body: Credentials) -> Signed:
        """Begin a session: a cookie that ends after twelve hours, or one hour without use."""
        return _signed(await sign_in_by.enter(request, response, body.name, body.password.get_secret_value()))

    @router.get("/session", summary="Who am I", responses=problems(_401=NOT_SIGNED_IN, _503=NO_STORAGE))
    async def who_am_i(response: Response, who: Annotated[Who, signed_in]) -> Signed:
        """Who is signed in, by cookie or token."""
        response.headers.update(NO_STORE)
        return _signed(who)

    @router.delete(
        "/session",
        status_code=204,
        summary="Sign out",
        responses=problems(_401=NOT_SIGNED_IN, _403=OTHER_SITE + " Or it was signed with a token.", _503=NO_STORAGE),
    )
    def sign_out(request: Request, who: Annotated[Who, signed_in]) -> Response:
        """End the session. A token is ended by revoking it."""
        _check_session(who)
        response = Response(status_code=204)
        sign_in_by.leave(request, response)
        return response


def _add_password(router: APIRouter, guard: Guard, sign_in_by: SignIn) -> None:
    @router.put(
        "/password",
        status_code=204,
        summary="Change my password",
        responses=problems(
            _401=NOT_SIGNED_IN + " Or the old password is wrong.",
            _403=OTHER_SITE + " Or signed in with a token.",
            _422="The new password is too short, too easily guessed, or the old one.",
            _429="Too many wrong passwords; `Retry-After` says how many seconds to wait.",
            _503=NO_STORAGE + " Or too many people sign in at once.",
        ),
    )
    async def change_password(
        request: Request, body: PasswordChange, who: Annotated[Who, Depends(guard.needs(even_newcomers=True))]
    ) -> Response:
        """Another password; all one's sessions end, this one too. Tokens go on."""
        _check_session(who)
        response = Response(status_code=204)
        old, new = body.old.get_secret_value(), body.new.get_secret_value()
        await sign_in_by.change_password(request, response, who.name, old, new)
        return response


def _add_tokens(router: APIRouter, access: Access, guard: Guard, limits: Limits) -> None:
    signed_in = Depends(guard.needs())

    @router.get("/tokens", summary="My tokens", responses=problems(_401=NOT_SIGNED_IN, _403="Signed in with a token."))
    def list_tokens(response: Response, who: Annotated[Who, signed_in]) -> TokensListed:
        """All one's own tokens, without what opens anything."""
        _check_session(who)
        response.headers.update(NO_STORE)
        with told():
            return TokensListed(tokens=[TokenListed(**_plain(each)) for each in access.tokens(who.name)])

    @router.post(
        "/tokens",
        status_code=201,
        summary="Make a token",
        responses=problems(
            _401=NOT_SIGNED_IN,
            _403=OTHER_SITE + " Or signed in with a token, or the role has not that scope.",
            _503=NO_STORAGE,
        ),
    )
    def add_token(response: Response, body: TokenWanted, who: Annotated[Who, signed_in]) -> TokenMade:
        """A token for programs, in one's own name; it is shown this once."""
        _check_session(who)
        response.headers.update(NO_STORE)
        with told():
            user = access.user(who.name)
            if user is None:
                raise unkept()
            made = make_token(
                access, user, label=body.label, scopes=body.scopes, days=body.days, now=guard.now(), limits=limits
            )
        return TokenMade(**_plain(made.token), token=made.secret)

    @router.delete(
        "/tokens/{number}",
        status_code=204,
        summary="Revoke a token",
        responses=problems(
            _401=NOT_SIGNED_IN, _403=OTHER_SITE + " Or signed in with a token.", _404="No such token.", _503=NO_STORAGE
        ),
    )
    def revoke_token(
        number: Annotated[int, Path(description="The token's number.", examples=[7], ge=1, le=TOKEN_NUMBER_MAX)],
        who: Annotated[Who, signed_in],
    ) -> Response:
        """End one of one's own tokens; the next request with it is refused."""
        _check_session(who)
        with told():
            is_found = access.revoke_token(number, who.name)
        if not is_found:
            text = _("you have no token {number}").format(number=number)
            raise Problem(404, "no-token", _("no such token"), text)
        return Response(status_code=204, headers=NO_STORE)


def _check_session(who: Who) -> None:
    """Raise Problem 403 where a token asks for what is for people at a browser."""
    if not who.is_session:
        text = _("this needs a session: sign in with name and password; tokens are also made with `huzhu token new`")
        raise Problem(403, "needs-session", _("not with a token"), text)


def _signed(who: Who) -> Signed:
    return Signed(
        name=who.name,
        role=cast(Role, who.role),
        ledger=who.ledger,
        account=who.account,
        scopes=[cast(Scope, scope) for scope in SCOPES if scope in who.scopes],
        by="session" if who.is_session else "token",
        must_choose=who.must_choose,
        expires_at=_time(who.expires_seconds),
    )


def _plain(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "label": token.label,
        "scopes": list(token.scopes),
        "created_at": _time(token.created_seconds),
        "expires_at": _time(token.expires_seconds),
    }


def _time(seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
