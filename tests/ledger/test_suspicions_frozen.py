"""A watch that rests between any two entries finds what one finds that never rests."""

import msgspec
import pytest
from hypothesis import given

from ledger.suspicions import Watch, thaw_watch
from tests.ledger.claims import Log
from tests.ledger.test_suspicions_model import Parameters, Step, parameters, play, steps


class RestingLog(Log):
    """Freezes and thaws its watch at each service, and asks before what there is so far."""

    def serve(self, *given: object, **more: object) -> int:
        self.watch.so_far()
        self.watch = thaw_watch(self.watch.freeze())
        return super().serve(*given, **more)  # type: ignore[arg-type]


@given(steps(60), steps(60), parameters, parameters)
def test_rest_changes_nothing(first: list[Step], second: list[Step], before: Parameters, after: Parameters) -> None:
    found = []
    for log in (Log(None, **before), RestingLog(None, **before)):
        play(log, first)
        log.set_parameters(**after)
        play(log, second)
        so_far = log.watch.so_far()
        log.end()
        assert (so_far.kept, so_far.counts) == (log.watch.suspicions, log.watch.counts)
        found.append((log.watch.suspicions, log.watch.counts))
    assert found[0] == found[1]


def test_what_is_no_watch_is_refused() -> None:
    raw = Watch().freeze()
    assert thaw_watch(raw).freeze() == raw
    for bad in (b"", raw[:-1], raw + b"x", b"\x00"):
        with pytest.raises(msgspec.DecodeError):
            thaw_watch(bad)
