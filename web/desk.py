"""What the pages and the command line need of a node: the shape of ``node.Node``, seen from here.

``web`` does not import ``node``: ``cli`` hands one in. Durability and concurrency are as ``node`` says.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from chain.entry import Body, Entry
from chain.fields import Time
from chain.keys import SigningKey
from chain.note import VerifierKey
from chain.sheet import SignedSheet
from ledger.state import State
from store.log import Leg, LogStore

if TYPE_CHECKING:
    from care.people import People


class Accepted(Protocol):
    """An entry that is on the log."""

    @property
    def index(self) -> int: ...
    @property
    def leaf_hash(self) -> bytes: ...


class Refused(Protocol):
    """An entry that is not: the outcome's name, and a detail where there is one."""

    @property
    def outcome(self) -> str: ...
    @property
    def detail(self) -> str: ...


Result = Accepted | Refused


class Balance(Protocol):
    """What an account has, in minutes or fen as ``unit`` says."""

    @property
    def account(self) -> str: ...
    @property
    def balance(self) -> int: ...
    @property
    def held(self) -> int: ...
    @property
    def status(self) -> str: ...
    @property
    def unit(self) -> str: ...


class DeskNode(Protocol):
    """One node, opened."""

    @property
    def store(self) -> LogStore: ...
    @property
    def state(self) -> State: ...
    @property
    def origin(self) -> str: ...
    @property
    def vkey(self) -> VerifierKey: ...
    def entry(self, index: int) -> Entry[Any]: ...
    def balance(self, number: str) -> Balance | None: ...
    def balances(self) -> Sequence[Balance]: ...
    def legs(self, number: str) -> Iterator[Leg]: ...
    def checkpoint(self, size: int | None = None) -> bytes: ...
    def receipt(self, index: int, size: int | None = None) -> bytes: ...
    def balance_receipt(self, number: str) -> bytes: ...
    def promise(self, index: int) -> bytes: ...
    def write(
        self,
        author: SigningKey,
        beside: Sequence[SigningKey],
        bodies: Sequence[Body],
        at: Time | None = None,
        *,
        durable: bool = True,
    ) -> Sequence[Result]: ...
    def judge(
        self, author: str, beside: Sequence[str], bodies: Sequence[Body], at: Time | None = None
    ) -> Sequence[Refused | None]: ...
    def declare(self, bodies: Sequence[Body], at: Time | None = None) -> Sequence[Result]: ...
    def submit(self, sheet: SignedSheet) -> Sequence[Result]: ...
    def seal(self, at: Time | None = None, *, durable: bool = True) -> int: ...
    def commit(self) -> None: ...
    def cosign(self, signed: bytes) -> int: ...
    def people(self) -> AbstractContextManager["People"]: ...


class OpenNode(Protocol):
    """How to come by one: ``node.Node.open``."""

    def __call__(
        self, folder: Path, passphrase: bytes | None = None, *, writes: bool
    ) -> AbstractContextManager[DeskNode]: ...


def refusal(result: Result) -> Refused | None:
    """The refusal, where it is one."""
    return cast(Refused, result) if hasattr(result, "outcome") else None
