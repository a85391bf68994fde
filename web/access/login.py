"""Signing in by name and password: slow for who guesses, and the same for who guesses at names.

    tried = login.begin("wang", address="192.0.2.7", device=None, now=now)      # Problem 429 where it is too early
    signed = login.sign_in(tried, typed, device=None, old_session=None, now=now)
    signed.session                      # goes into the cookie; a new one at every sign-in, whatever came before

*The same for everybody*: an unknown name, a wrong password and a disabled user cost the same work, count alike and are
answered alike. *Slow*: a try counts for the name and for the address it comes from (of IPv6 the /64), on disk, before
the password is looked at. *No lock-out*: strangers can make a name wait a minute at most; a browser in which its owner
signed in before has a mark by which it is counted alone, so that nobody else can make it wait.
"""

import hashlib
import ipaddress
from dataclasses import dataclass

from store.access import Access, User
from store.attempts import Gate
from web.access.guard import CHALLENGE
from web.access.limits import LIMITS, Limits
from web.access.passwords import PasswordError, Passwords, are_same, new_password
from web.access.secret import new_secret, secret_hash
from web.access.who import fold_name
from web.i18n import translate as _
from web.problem import Problem

IPV6_PREFIX_BITS = 64


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What the browser is to keep; of either the node keeps only the hash."""

    session: str
    device: str


@dataclass(frozen=True, slots=True)
class Tried:
    """A try that was counted, and whose password may be looked at. ``name`` is None where nobody can have that one."""

    name: str | None
    gates: tuple[Gate, ...]
    place: bytes
    """From where it comes: a known browser, or a network."""
    is_known: bool
    """Whether it is a browser in which the same person signed in before."""


class Login:
    """Signs people in. Waits for the disk, and ``sign_in`` for a password to be hashed: call it in a thread."""

    def __init__(self, access: Access, passwords: Passwords, limits: Limits = LIMITS) -> None:
        self._access, self._passwords, self._limits = access, passwords, limits

    def begin(self, name: str, *, address: str, device: str | None, now: int) -> Tried:
        """Count a try, before any password is looked at; Problem 429 where it is too early for another."""
        folded = fold_name(name)
        is_known = device is not None and self._access.device_user(secret_hash(device)) == (folded or name)
        gates = self._gates(folded or name, address, device if is_known else None)
        wait = self._access.begin_attempt(gates, now)
        if wait:
            raise _too_early(wait)
        return Tried(folded, gates, gates[-1].key, is_known)

    def forgive(self, tried: Tried) -> None:
        """Take back a try whose password was right, or was not looked at."""
        self._access.forgive_attempt(tried.gates)

    def sign_in(
        self, tried: Tried, password: str, *, device: str | None, old_session: str | None, now: int
    ) -> SignedIn:
        """Begin a session; Problem 401 where name or password are wrong."""
        user = self._check(tried, password)
        session = self._open(user, password, old_session, now)
        self.forgive(tried)
        return SignedIn(session, self._mark(user, device, now))

    def change_password(self, tried: Tried, password: str, new: str) -> None:
        """Another password for who knows the old one; all sessions end. Problem as above, and 422 for a bad one.

        From then on it is the user's own, whoever made the old one.
        """
        user = self._check(tried, password)
        self.forgive(tried)
        try:
            chosen = new_password(user.name, new)
            if are_same(chosen, password):
                raise PasswordError(_("this is the password until now: choose another"))
            hashed = self._passwords.hash(chosen)
        except PasswordError as error:
            raise Problem(422, "bad-password", _("not a good password"), str(error)) from None
        self._access.set_password(user.name, hashed)

    def _check(self, tried: Tried, password: str) -> User:
        """The user, where the password is right; or Problem."""
        user = None if tried.name is None else self._access.user(tried.name)
        is_right = self._passwords.is_right(user.password if user else None, password)
        if user is None or not is_right or user.is_disabled:
            raise _wrong()
        return user

    def _open(self, user: User, password: str, old_session: str | None, now: int) -> str:
        """A new session; the one that the browser had ends. A hash of weaker parameters is made anew."""
        hashed = self._passwords.hash(password) if self._passwords.is_weak(user.password) else user.password
        session = new_secret()
        expires = now + self._limits.session_seconds
        is_open = self._access.open_session(
            user, secret_hash(session), now=now, expires_seconds=expires, password=hashed
        )
        if not is_open:
            raise _wrong()
        if old_session is not None:
            self._access.close_session(secret_hash(old_session))
        return session

    def _mark(self, user: User, device: str | None, now: int) -> str:
        """The browser's mark: the one it has, where it is this user's, or a new one."""
        if device is None or self._access.device_user(secret_hash(device)) != user.name:
            device = new_secret()
        self._access.trust_device(user, secret_hash(device), now)
        return device

    def _gates(self, name: str, address: str, known_device: str | None) -> tuple[Gate, ...]:
        """Where a try counts; the last one says from where it comes."""
        limits = self._limits
        if known_device is not None:
            return (_gate("device", known_device, limits.device_free_tries, limits.device_wait_max_seconds),)
        return (
            _gate("name", name, limits.name_free_tries, limits.name_wait_max_seconds),
            _gate("address", network_of(address), limits.address_free_tries, limits.address_wait_max_seconds),
        )


def network_of(address: str) -> str:
    """Where somebody is, as far as one household can be told from the next."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, IPV6_PREFIX_BITS), strict=False))


def _gate(kind: str, named: str, free: int, wait_max_seconds: int) -> Gate:
    return Gate(hashlib.sha256(f"{kind}\n{named}".encode(errors="surrogatepass")).digest(), free, wait_max_seconds)


def _wrong() -> Problem:
    text = _("name and password do not belong together; if you forgot it, ask whoever runs the node")
    return Problem(401, "bad-login", _("not signed in"), text, headers=CHALLENGE)


def _too_early(wait_seconds: int) -> Problem:
    text = _("too many wrong passwords: try again in {seconds} seconds").format(seconds=wait_seconds)
    headers = {"Retry-After": str(wait_seconds)}
    return Problem(429, "too-many-tries", _("too many tries"), text, headers=headers, wait_seconds=wait_seconds)
