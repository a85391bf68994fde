"""How long what lasts, and how often who may try: one frozen value, as the service takes it."""

from dataclasses import dataclass

HOUR_SECONDS = 3_600
DAY_SECONDS = 86_400
LABEL_MAX_CHARACTERS = 60
"""Of what somebody writes beside a token."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of sessions, tokens and tries to sign in."""

    session_seconds: int = 12 * HOUR_SECONDS
    """A session ends then, whatever is done in it."""
    idle_seconds: int = HOUR_SECONDS
    """A session ends when nothing was done in it for so long."""
    renew_seconds: int = 300
    """Its use is noted on disk once in so long."""
    device_seconds: int = 180 * DAY_SECONDS
    """A browser in which somebody signed in is known again for so long."""
    token_days_max: int = 400
    device_free_tries: int = 6
    name_free_tries: int = 10
    address_free_tries: int = 20
    """Wrong passwords before the first wait: from a known browser, for one name, from one address."""
    device_wait_max_seconds: int = 900
    name_wait_max_seconds: int = 60
    """Short, since strangers can make somebody wait who comes from a browser that is not known yet."""
    address_wait_max_seconds: int = 300


LIMITS = Limits()
