"""At the door of the API: who asks, by token or cookie, and whether they may.

    guard = Guard(access, is_secure=True, parent_of=mirror.parent_of)
    @router.get("/accounts/{number}/statement")
    def statement(number: str, who: Annotated[Who, Depends(guard.needs("read"))]) -> …:
        guard.check_account(who, origin, number)               # before anything is looked up
        guard.note_look(who, "statement", origin, number)      # on disk before it is shown

*Tokens* come as ``Authorization: Bearer hz_…``; where that header stands, no cookie counts. *Sessions* come by a cookie
that no script can read and no other site can send along; what changes something by a cookie must also come from a page
of this node (``Sec-Fetch-Site`` or ``Origin``), or it is refused.

A check costs microseconds: who a token belongs to is remembered as long as nobody commits anything to ``access.db``, so
that what is revoked, by whichever process, is refused by the next request.
"""

import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from anyio import to_thread
from fastapi import Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from store.access import Access, Holder, Look, Version
from store.log import StoreError
from web.access.limits import LIMITS, Limits
from web.access.secret import SECRET, TOKEN, secret_hash
from web.access.who import SCOPES_OF, ParentOf, Who
from web.i18n import translate as _
from web.problem import Problem

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
GIVEN_PASSWORD = "given-password"  # noqa: S105 - no password, but what is told of one
"""The type of Problem for who has to choose a password of their own first."""
REMEMBERED_MAX = 4_096
BEARER = b"bearer "
COOKIE_MAX_BYTES = 8_192
CHALLENGE = {"WWW-Authenticate": "Bearer"}


@dataclass(frozen=True, slots=True)
class Known:
    """Whose a token or session is, and until when that may be believed without looking again."""

    who: Who
    hashed: bytes
    until_seconds: int
    renew_seconds: int


class Guard:
    """Knows who asks. Its methods may be called from any thread."""

    def __init__(
        self,
        access: Access,
        *,
        is_secure: bool = False,
        behind_proxy: bool = False,
        parent_of: ParentOf = lambda _origin: None,
        limits: Limits = LIMITS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``is_secure``: people reach the node by TLS, its own or that of a proxy before it.

        ``behind_proxy``: what comes from this machine comes from that proxy, which says whom it is from.
        """
        self._access, self._limits, self._clock = access, limits, clock
        self._remembered: tuple[Version | None, dict[bytes, Known]] = (None, {})
        self.is_secure = is_secure
        self._behind_proxy = behind_proxy
        self.parent_of = parent_of
        prefix = "__Host-" if is_secure else ""
        self.session_cookie, self.device_cookie = f"{prefix}huzhu", f"{prefix}huzhu-device"

    def now(self) -> int:
        """Seconds since 1970."""
        return int(self._clock())

    # Who asks

    def who(self, request: Request) -> Who:
        """Whoever asks; Problem 401 where nobody is signed in, or 403 where the request comes from another site.

        Problem 403 too for who has to choose a password of their own first.
        """
        return _owner(self.newcomer(request))

    def newcomer(self, request: Request) -> Who:
        """The same where even they may be: to choose a password, and to sign out."""
        return self._known(request).who

    def who_if_any(self, request: Request) -> Who | None:
        """The same for what everybody may see; None for a stranger. A token that does not count is a Problem 401.

        Who has to choose a password first may see no more than a stranger: ``must_choose`` says so.
        """
        found = self._find(request)
        return None if found is None else found.who

    def needs(self, scope: str | None = None, *, even_newcomers: bool = False) -> "Needs":
        """A dependency that answers ``Who``, and refuses who is not signed in, or has not that scope.

        Who has to choose a password first is refused too, but ``even_newcomers``.
        """
        return Needs(self, scope, even_newcomers=even_newcomers)

    def renew(self, known: Known) -> None:
        """Note that a session is in use. Where the disk is full it just ends earlier."""
        try:
            self._access.touch_session(known.hashed, self.now())
        except StoreError:
            return

    def _known(self, request: Request) -> Known:
        found = self._find(request)
        if found is None:
            text = _("sign in first: POST /api/v1/session, or send a token in the header `Authorization: Bearer hz_…`")
            raise Problem(401, "not-signed-in", _("not signed in"), text, headers=CHALLENGE)
        return found

    def _find(self, request: Request) -> Known | None:
        tokens = [value for name, value in request.scope["headers"] if name == b"authorization"]
        if tokens:
            return self._of_token(tokens)
        session = self.cookie(request, self.session_cookie)
        if session is None:
            return None
        found = self._recall(secret_hash(session), self._session)
        if found is not None and request.method not in SAFE_METHODS:
            self.check_site(request)
        return found

    def _of_token(self, values: list[bytes]) -> Known:
        """Whose token it is; raises Problem where there is more than one, or it does not count."""
        value = values[0]
        token = value[len(BEARER) :].strip()
        found = None
        if len(values) == 1 and value[: len(BEARER)].lower() == BEARER and TOKEN.fullmatch(token):
            found = self._recall(secret_hash(token), self._token)
        if found is None:
            text = _("the token is unknown, expired or revoked; make another with `huzhu token new`")
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            raise Problem(401, "bad-token", _("the token does not count"), text, headers=challenge)
        return found

    def _recall(self, hashed: bytes, look_up: Callable[[bytes], Known | None]) -> Known | None:
        """What is known of a secret by its hash, looked up anew when anything was committed since."""
        try:
            version = self._access.version
            seen_version, known = self._remembered
            if version != seen_version or len(known) > REMEMBERED_MAX:
                known = {}
                self._remembered = (version, known)
            found = known.get(hashed)
            if found is None:
                found = look_up(hashed)
                if found is not None:
                    known[hashed] = found
        except StoreError as error:
            raise unkept() from error
        return found if found is not None and self.now() < found.until_seconds else None

    def _token(self, hashed: bytes) -> Known | None:
        holder = self._access.token_holder(hashed)
        if holder is None or holder.role not in SCOPES_OF:
            return None
        return Known(who_of(holder), hashed, holder.expires_seconds, holder.expires_seconds)

    def _session(self, hashed: bytes) -> Known | None:
        holder = self._access.session_holder(hashed)
        if holder is None or holder.role not in SCOPES_OF:
            return None
        until = min(holder.expires_seconds, holder.seen_seconds + self._limits.idle_seconds)
        return Known(who_of(holder), hashed, until, holder.seen_seconds + self._limits.renew_seconds)

    def cookie(self, request: Request, name: str) -> str | None:
        """A secret from a cookie; None where there is none, several, or something else."""
        begin = name.encode() + b"="
        headers = [value for key, value in request.scope["headers"] if key == b"cookie"]
        if sum(map(len, headers)) > COOKIE_MAX_BYTES:
            return None
        pairs = (pair.strip() for value in headers for pair in value.split(b";"))
        found = {pair[len(begin) :] for pair in pairs if pair.startswith(begin)}
        if len(found) != 1:
            return None
        (value,) = found
        return value.decode() if SECRET.fullmatch(value) else None

    def address(self, request: Request) -> str:
        """From where a request comes: whom the proxy on this machine names last, which it saw itself; else the peer."""
        peer = request.client.host if request.client else ""
        if not self._behind_proxy or not _is_loopback(peer):
            return peer
        named = request.headers.getlist("x-forwarded-for")[-1:]
        last = _without_port(named[0].rpartition(",")[2].strip()) if named else ""
        return last if _ip_of(last) is not None else peer

    def check_site(self, request: Request) -> None:
        """Raise Problem 403 unless a page of this node sent the request, as browsers say."""
        if not self._is_same_site(request):
            text = _("what changes something must come from a page of this node; programs send a token, not a cookie")
            raise Problem(403, "other-site", _("the request comes from elsewhere"), text)

    def is_from_elsewhere(self, request: Request) -> bool:
        """Whether a browser says that another site's page sent the request; programs say nothing."""
        said = {"sec-fetch-site", "origin"} & set(request.headers.keys())
        return bool(said) and not self._is_same_site(request)

    def _is_same_site(self, request: Request) -> bool:
        sites = request.headers.getlist("sec-fetch-site")
        origins = request.headers.getlist("origin")
        if sites and sites != ["same-origin"]:
            return False
        if not origins:
            return bool(sites)
        scheme, _colon, host = origins[0].partition("://")
        hosts = request.headers.getlist("host")
        is_right_scheme = scheme == "https" if self.is_secure else scheme in ("http", "https")
        return is_right_scheme and len(origins) == len(hosts) == 1 and host.lower() == hosts[0].lower()

    # What they may

    def check_ledger(self, who: Who, ledger: str) -> None:
        """Raise Problem 403 where they may not see a ledger in full; whether there is such a one is not said."""
        if not who.may_read(ledger, self.parent_of):
            raise _not_allowed(_("{name} may not see the ledger {ledger}").format(name=who.name, ledger=ledger))

    def check_account(self, who: Who, ledger: str, account: str) -> None:
        """Raise Problem 403 where they may not see an account; whether there is such a one is not said."""
        if not who.may_read_account(ledger, account, self.parent_of):
            text = _("{name} may not see the account {number} of {ledger}")
            raise _not_allowed(text.format(name=who.name, number=account, ledger=ledger))

    def note_look(self, who: Who, what: str, ledger: str, account: str) -> None:
        """Have on disk that they are about to be shown ``what`` of an account; nothing where it is their own.

        Raises Problem 503 where that cannot be recorded: then it is not to be shown.
        """
        if who.owns(ledger, account):
            return
        try:
            self._access.note_look(Look(self.now(), who.name, what, account, ledger))
        except StoreError as error:
            raise unkept() from error


class Needs(SecurityBase):
    """A dependency: who asks, where they have a scope (None: any). FastAPI names it in the API's description."""

    def __init__(self, guard: Guard, scope: str | None, *, even_newcomers: bool = False) -> None:
        self._guard, self._scope, self._even_newcomers = guard, scope, even_newcomers
        self.model = HTTPBearer(description="A token of `huzhu token new`, or the cookie of `POST /api/v1/session`.")
        self.scheme_name = "token"

    async def __call__(self, request: Request) -> Who:
        """The path of every request: nothing here waits for a disk, but once in a while for a session in use."""
        guard = self._guard
        known = guard._known(request)
        if not self._even_newcomers:
            _owner(known.who)
        if self._scope is not None and self._scope not in known.who.scopes:
            text = _("{name} has not the right `{scope}` here").format(name=known.who.name, scope=self._scope)
            raise _not_allowed(text)
        if known.who.is_session and known.renew_seconds <= guard.now():
            await to_thread.run_sync(partial(guard.renew, known))
        return known.who


def _owner(who: Who) -> Who:
    """The same; Problem 403 for who signed in with a password that somebody else made."""
    if who.must_choose:
        text = _("somebody else made your password: first choose your own, by PUT /api/v1/password or under your name")
        raise Problem(403, GIVEN_PASSWORD, _("choose a password first"), text, outcome="not-allowed")
    return who


def _is_loopback(address: str) -> bool:
    found = _ip_of(address)
    return found is not None and (getattr(found, "ipv4_mapped", None) or found).is_loopback


def _without_port(text: str) -> str:
    """An address as some proxies name it, with the port that it came from: 192.0.2.1:5678, [2001:db8::1]:5678."""
    bracketed, _bracket, port = text[1:].partition("]")
    if text.startswith("[") and (not port or port[:1] == ":"):
        return bracketed
    return text.partition(":")[0] if text.count(":") == 1 else text


def _ip_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def unkept() -> Problem:
    """What to answer where ``access.db`` fails; the file's path is for the node's own log only."""
    text = _("the node cannot look up or keep who asks: its disk is full, failing or locked; tell whoever runs it")
    return Problem(503, "no-storage", _("the node's disk fails"), text, headers={"Retry-After": "60"})


def _not_allowed(text: str) -> Problem:
    return Problem(403, "not-allowed", _("not allowed"), text, outcome="not-allowed")


def who_of(holder: Holder) -> Who:
    """The user who holds a token or session, with what its role lets it do at most."""
    of_role = SCOPES_OF[holder.role]
    scopes = of_role if holder.scopes is None else of_role & set(holder.scopes)
    is_session = holder.scopes is None
    return Who(
        holder.name,
        holder.role,
        holder.ledger,
        holder.account,
        scopes,
        is_session,
        holder.expires_seconds,
        holder.key,
        holder.is_given,
    )
