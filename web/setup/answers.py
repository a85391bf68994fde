"""What a committee has answered so far: kept in the process alone, until the home is made of all of it at once.

Steps come in the order of ``STEPS``; each may be gone back to, and what was answered stays. ``next_step`` is the first
that is not done. Nothing here is on disk: whoever pulls the plug begins again, with an empty home as before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from chain.errors import NoteError
from chain.fields import is_origin
from chain.note import ED25519, parse_vkey
from ledger.parameters import DEFAULTS, Parameters
from web.access.who import CLERK, MEMBER, fold_name
from web.founding import override, parse_public_key
from web.i18n import translate as _
from web.practice import is_practice
from web.problems import DeskError
from web.recovery import Recovery, new_recovery
from web.wording import worded

STEPS = ("village", "people", "passwords", "passphrase", "rules", "sheets")
VILLAGE, PEOPLE, PASSWORDS, PASSPHRASE, RULES, SHEETS = STEPS
NAME_MAX_CHARACTERS, ORIGIN_MAX_CHARACTERS = 60, 200
MEMBERS_MIN, MEMBERS_MAX, MEMBERS = 2, 7, 3
THRESHOLD_MIN, THRESHOLD = 2, 2
OFFICIALS_MIN, OFFICIALS_MAX = 2, 20


@dataclass(slots=True)
class Seat:
    """Somebody who will sign in, and the hash of the password they chose."""

    name: str
    role: str
    hashed: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Village:
    """Whose ledger it is, and who is above it."""

    name: str
    origin: str
    tier: Any
    parent_vkey: str = ""
    officials: tuple[bytes, ...] = ()


@dataclass(slots=True)
class Answers:
    """All of them."""

    village: Village | None = None
    seats: list[Seat] = field(default_factory=list)
    threshold: int = THRESHOLD
    passphrase: bytes | None = field(default=None, repr=False)
    is_plain: bool = False
    """Whether it was said, after the warning, that the keys are to lie open."""
    overrides: dict[str, Any] = field(default_factory=dict)
    has_seen_rules: bool = False
    recovery: Recovery | None = field(default=None, repr=False)
    is_printed: bool = False
    """Whether two words of each sheet were given back."""

    @property
    def next_step(self) -> str | None:
        """The first step that is not done; None where the home can be made."""
        return next((step for step in STEPS if not self.is_done(step)), None)

    def is_done(self, step: str) -> bool:
        """Whether a step needs nothing more."""
        return {
            VILLAGE: self.village is not None,
            PEOPLE: bool(self.seats),
            PASSWORDS: bool(self.seats) and all(seat.hashed for seat in self.seats),
            PASSPHRASE: self.passphrase is not None or self.is_plain,
            RULES: self.has_seen_rules,
            SHEETS: self.is_plain or self.is_printed,
        }[step]

    def may_enter(self, step: str) -> bool:
        """Whether all steps before it are done."""
        return all(self.is_done(each) for each in STEPS[: STEPS.index(step)])

    def seat_people(self, names: Sequence[str], threshold: int) -> None:
        """The clerk's and the members' sign-in names; who keeps a name keeps the password."""
        known = {(seat.name, seat.role): seat for seat in self.seats}
        roles = [CLERK, *[MEMBER] * (len(names) - 1)]
        pairs = list(zip(names, roles, strict=True))
        self.seats = [known.get(pair) or Seat(*pair) for pair in pairs]
        self.threshold = threshold

    def protect(self, passphrase: bytes | None) -> None:
        """What the keys are to be encrypted under; None: nothing, and then there are no sheets."""
        self.passphrase, self.is_plain = passphrase, passphrase is None
        if passphrase is None:
            self.recovery, self.is_printed = None, False

    def sheets(self) -> Recovery:
        """The sheets; the same until others are asked for."""
        if self.recovery is None:
            self.draw_sheets()
        if self.recovery is None:
            raise DeskError(_("there are no recovery sheets"))
        return self.recovery

    def draw_sheets(self) -> None:
        """Others: those that were printed before open nothing."""
        self.recovery, self.is_printed = new_recovery(), False

    def parameters(self) -> Parameters:
        """The defaults, with what was answered in their place."""
        return override(self.overrides) if self.overrides else DEFAULTS


def check_origin(text: str) -> str:
    """The ledger's name; raises DeskError where it can be none."""
    if not is_origin(text):
        raise DeskError(
            _("{origin} cannot name a ledger: write a domain name, and a path in small letters").format(origin=text)
        )
    if is_practice(text):
        raise DeskError(_("names that begin with “practice.” are for practising: choose another"))
    return text


def check_name(text: str) -> str:
    """A sign-in name as it is kept; raises DeskError."""
    folded = fold_name(text)
    if folded is None:
        raise DeskError(_("a name for signing in has letters and digits only, without spaces"))
    return folded


def check_parent(text: str) -> str:
    """The verifier key of the tier above; raises DeskError."""
    try:
        vkey = parse_vkey(text)
    except NoteError as error:
        raise DeskError(worded(error)) from error
    if vkey.type != ED25519:
        raise DeskError(_("this key signs no checkpoints: ask the tier above for the line that begins with its name"))
    return text


def check_officials(text: str) -> tuple[bytes, ...]:
    """The public keys of officials of the tier above, one a line; raises DeskError."""
    keys = []
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines()[: 2 * OFFICIALS_MAX])), 1):
        try:
            keys.append(parse_public_key(line))
        except NoteError as error:
            raise DeskError(_("line {line}: {why}").format(line=number, why=worded(error))) from error
    if not OFFICIALS_MIN <= len(set(keys)) <= OFFICIALS_MAX or len(set(keys)) < len(keys):
        text = _("the tier above gives the keys of {least} officials or more, one a line, each once")
        raise DeskError(text.format(least=OFFICIALS_MIN))
    return tuple(keys)
