"""What becomes of a statement, and the answer to a sheet as it is kept beside the log.

A sheet that comes a second time, because its answer was lost on the way, gets the answer that it got: the indexes of
its entries and why the others were refused.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True)
class Accepted:
    """An entry that is on disk."""

    index: int
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry that is not on the log: a rule's outcome or the code of a finding, with a detail where there is one."""

    outcome: str
    detail: str = ""


Result = Accepted | Refused

_decode = msgspec.json.Decoder(list[int | tuple[str, str]]).decode


def format_answer(results: Sequence[Result]) -> bytes:
    """The index of each entry that was accepted, and why the others were not."""
    kept = [each.index if isinstance(each, Accepted) else (each.outcome, each.detail) for each in results]
    return msgspec.json.encode(kept)


def parse_answer(raw: bytes, leaf_hash: Callable[[int], bytes]) -> list[Result]:
    """The results in what ``format_answer`` made; ``leaf_hash`` is that of the entry at an index."""
    return [Accepted(kept, leaf_hash(kept)) if isinstance(kept, int) else Refused(*kept) for kept in _decode(raw)]
