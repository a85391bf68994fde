"""Who may set a node up: whoever reads the code in the terminal, in one browser at a time.

    gate = Gate(tell)                     # tells a code
    secret = gate.enter("k7qf 2m9t")      # spends it, and tells the next one; GateError where it is another
    gate.is_in(secret)                    # until another browser has come in by the next code

A code has 40 random bits and dies after twenty wrong ones; from the sixth wrong one on there is a wait between two.
"""

import hashlib
import hmac
import secrets
import time
import unicodedata
from collections.abc import Callable

from web.access.secret import new_secret
from web.i18n import translate as _
from web.problems import DeskError

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""No letter that could be taken for a digit (Crockford's base 32)."""
LOOK_ALIKE = str.maketrans("OIL", "011")
CODE_CHARACTERS, GROUP = 8, 4
TYPED_MAX_CHARACTERS = 64
FREE_TRIES, TRIES_MAX = 5, 20
WAIT_MAX_SECONDS = 60


class GateError(DeskError):
    """It is not the code, or it is too early for another try."""


class Gate:
    """The code in force, and the browser that has come in. For one event loop."""

    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """``tell`` shows each new code to whoever sits at the machine."""
        self._tell, self._clock = tell, clock
        self._inside: str | None = None
        self._wrong, self._not_before = 0, 0.0
        self._renew()

    def enter(self, typed: str) -> str:
        """The secret of the browser in which the code was typed; raises GateError."""
        wait = self._not_before - self._clock()
        if wait > 0:
            text = _("too many wrong codes: try again in {seconds} s")
            raise GateError(text.format(seconds=int(wait) + 1))
        if not hmac.compare_digest(_digest(folded(typed)), _digest(folded(self.code))):
            self._count()
            raise GateError(_("this is not the code that the terminal shows: look for the newest one there"))
        self._wrong = 0
        self._inside = new_secret()
        self._renew()
        return self._inside

    def is_in(self, secret: str | None) -> bool:
        """Whether this browser is the one that came in last."""
        if secret is None or self._inside is None:
            return False
        return hmac.compare_digest(_digest(secret), _digest(self._inside))

    def _count(self) -> None:
        self._wrong += 1
        if self._wrong >= FREE_TRIES:
            self._not_before = self._clock() + min(WAIT_MAX_SECONDS, 2 ** (self._wrong - FREE_TRIES))
        if self._wrong % TRIES_MAX == 0:
            self._renew()

    def _renew(self) -> None:
        drawn = "".join(secrets.choice(ALPHABET) for _place in range(CODE_CHARACTERS))
        self.code = f"{drawn[:GROUP]}-{drawn[GROUP:]}"
        self._tell(self.code)


def folded(typed: str) -> str:
    """A code as it is compared: however it was typed, with full-width letters or small ones, with or without hyphen."""
    text = unicodedata.normalize("NFKC", typed[:TYPED_MAX_CHARACTERS]).upper().translate(LOOK_ALIKE)
    return "".join(each for each in text if each in ALPHABET)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()
