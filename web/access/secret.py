"""Secrets that are given out: tokens, session ids, the marks of devices. 256 random bits each; only a hash is kept.

They are found by their SHA-256. How long that search takes says something of a hash, and nothing of what has it: so no
comparison of secrets is left that could be timed.
"""

import hashlib
import re
import secrets

SECRET_BYTES = 32
TOKEN_PREFIX = "hz_"  # noqa: S105 - the beginning of every token, so that one in a wrong place is known for what it is
SECRET = re.compile(rb"[A-Za-z0-9_-]{43}")
TOKEN = re.compile(rb"hz_[A-Za-z0-9_-]{43}")


def new_secret() -> str:
    """A session id, or a device's mark."""
    return secrets.token_urlsafe(SECRET_BYTES)


def new_token() -> str:
    """A token, to be shown once."""
    return TOKEN_PREFIX + new_secret()


def secret_hash(secret: str | bytes) -> bytes:
    """What is kept of it."""
    return hashlib.sha256(secret.encode() if isinstance(secret, str) else secret).digest()
