"""What mirroring says and needs: its outcomes and alarms, its bounds, and the storage it asks for.

``sync.mirror`` fills the storage, ``store.mirror`` has it on disk.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

from chain.merkle import ReadNode
from ledger.bodies import TransferBack, TransferIn, TransferOut, TransferRefuse
from ledger.numbers import parse_address
from ledger.proofs import parse_proof
from verify.summary import Summary

NEW, SAME, MORE, OLDER = "new", "same", "more", "older"
HELD, FORKED, ROLLED_BACK = "held", "forked", "rolled-back"
UNREACHABLE, LIES, FULL, UNADMITTED = "unreachable", "lies", "full", "unadmitted"
"""What became of one ledger in one round."""

BAD_CHECKPOINT, BAD_KEY, BAD_FILES = "bad-checkpoint", "bad-key", "bad-files"
BAD_ARCHIVE, READMITTED = "bad-archive", "readmitted"
FINDINGS, CLAIMED_TWICE, TOO_LARGE, DISK_LOW = "findings", "claimed-twice", "too-large", "disk-low"
"""Codes of alarms, beside ``forked`` and ``rolled-back``."""

KINDS_OF_EVIDENCE = {FORKED: "fork", ROLLED_BACK: "fork", READMITTED: "fork", CLAIMED_TWICE: "receipt"}
"""What the evidence of these codes is; of all others it is the checkpoint that was offered."""

Legs = dict[tuple[str, int], tuple[int, int]]
Transfer = tuple[int, str, str, int | None]
Workers = Callable[[int], AbstractContextManager[Executor | None]]
"""From a number of entries to processes that help to audit so many, or none where that is not worth while."""
KeepEvidence = Callable[[str, bytes], str]
"""From a file's name and bytes to its path, the file being on disk."""


class MirrorLog(Protocol):
    """One kept ledger. What is written is durable after ``MirrorStore.commit``, all of it or nothing."""

    @property
    def origin(self) -> str: ...
    @property
    def vkey(self) -> str: ...
    @property
    def state(self) -> str:
        """``sound``, ``findings``, ``forked`` or ``rolled-back``."""

    @property
    def size(self) -> int:
        """Entries that count."""

    @property
    def staged(self) -> int:
        """Entries that are here."""

    @property
    def byte_count(self) -> int:
        """What these take."""

    @property
    def read(self) -> ReadNode:
        """Hashes of the tree of ``staged`` entries."""

    def note(self) -> bytes | None:
        """The checkpoint that counts."""

    def shown(self) -> list[bytes]:
        """Signed ones of more entries than count, under the key that it has now, the largest first."""

    def audit(self) -> bytes | None:
        """The frozen audit of what counts."""

    def entry(self, index: int) -> bytes: ...
    def entries(self, start: int, end: int) -> Iterator[bytes]: ...
    def checkpoints(self, start: int = 0) -> Iterator[tuple[int, bytes]]: ...
    def load(self) -> None:
        """Read again what is on disk."""

    def show(self, size: int, note: bytes) -> None:
        """Keep a signed checkpoint before its entries are here, unless there is one of that size; bounded."""

    def unshow(self, size: int) -> None: ...
    def stage(self, entries: Sequence[bytes], leaf_hashes: Sequence[bytes]) -> None: ...
    def put_legs(self, legs: Legs) -> None: ...
    def put_transfers(self, transfers: Sequence[Transfer]) -> None: ...
    def reach(
        self,
        note: bytes,
        audit: bytes,
        accounts: Iterable[tuple[str, int, int, int, str, str]],
        admissions: Mapping[str, tuple[str, str]],
        sealed_seconds: int | None,
        findings: int,
    ) -> None:
        """All that is here counts from now on, with what its audit found."""

    def put_summary(self, summary: Summary) -> None: ...
    def drop_staged(self) -> None: ...
    def keep_note(self, note: bytes) -> None: ...
    def pulled(self, at_seconds: int) -> None: ...
    def trouble(self, text: str, at_seconds: int) -> None: ...
    def hold(self, state: str) -> None: ...


class MirrorStore(Protocol):
    """Where mirrored ledgers are kept; ``store.mirror`` has it on disk."""

    def log(self, origin: str) -> MirrorLog | None: ...
    def parent(self, origin: str) -> str | None:
        """The ledger under which it is mirrored."""

    def admit(self, origin: str, parent: str, tier: str, vkey: str) -> MirrorLog: ...
    def admissions(self, origin: str) -> Mapping[str, tuple[str, str]]:
        """Verifier key and tier of each ledger that this one admits."""

    def admission_receipt(self, origin: str, admitted: str) -> bytes:
        """Entry receipt of what admits a ledger in this one; empty where nothing that counts does."""

    def tried(self) -> Mapping[str, int]:
        """When each ledger was asked last, in POSIX seconds, whatever came of it."""

    def alarm(
        self,
        origin: str,
        code: str,
        detail: str,
        keep_evidence: Callable[[], str],
        at_seconds: int,
        *,
        each: bool = False,
    ) -> bool:
        """Raise an alarm; whether it is a new one, and not one more time the same.

        With ``each``, other evidence is another alarm. One that was over is a new one.
        """

    def settle(self, good: AbstractSet[str], lasts: Callable[[str, str], bool]) -> None:
        """What this round did not raise about ledgers that were good in it is over, but what ``lasts``."""

    def has_rival(self, origin: str) -> bool:
        """Whether another ledger admits one that this one admits."""

    def commit(self) -> None: ...
    def rollback(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one round may take."""

    step_entries: int = 16_384
    step_bytes: int = 32 * 1_048_576
    """What a break loses at most."""
    ledger_bytes_max: int = 32 * 1_073_741_824
    """No ledger may take more: a village writes some 20 MB a year."""
    free_bytes_min: int = 512 * 1_048_576
    """Stays free on the disk: our own ledger needs it."""
    ledger_seconds_max: float = 900.0
    """For one ledger in one round: a slow line must not keep all others waiting."""
    child_seconds_max: float = 1_200.0
    """For one child in one round, with all that it serves of the ledgers below."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What became of one ledger: an outcome, how many entries were new, how many count now, and a sentence."""

    origin: str
    outcome: str
    entries: int = 0
    size: int = 0
    detail: str = ""
    is_new_alarm: bool = False


def evidence_name(origin: str, code: str, evidence: bytes) -> str:
    """The name of the file in which evidence is kept: about whom, of what, which, and how it is read."""
    kind = KINDS_OF_EVIDENCE.get(code, "checkpoint")
    return f"{origin.replace('/', '_')}.{code}.{sha256(evidence).hexdigest()[:16]}.{kind}"


def transfer_of(body: Any) -> tuple[str, int | None] | None:
    """The other ledger of a transfer's entry, and the index of the ``transfer_out`` that it speaks of; None for others.

    For ``transfer_out`` itself that index is its own, and not said.
    """
    if isinstance(body, TransferOut):
        address = parse_address(body.to)
        return None if address is None else (address[0], None)
    if isinstance(body, TransferIn | TransferRefuse | TransferBack):
        proof = parse_proof(body.proof)
        if proof is not None:
            return proof.origin, body.index if isinstance(body, TransferBack) else proof.index
    return None


def no_workers(_entry_count: int) -> AbstractContextManager[None]:
    """All of it is audited here."""
    return nullcontext()
