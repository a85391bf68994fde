"""A node gathers cosignatures: from good witnesses, slow, lying and absent ones."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from chain.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from chain.cosignature import cosign_ed25519
from chain.keys import MldsaSigningKey, SigningKey
from chain.merkle import prove_consistency, tree_root
from chain.note import ED25519, format_note, make_vkey
from chain.policy import Group, Policy, cosigned_names
from chain.witness import format_signature_lines
from sync.quorum import Gathered, gather
from sync.witness import MemoryEvidence, MemoryWitnessStorage, Witness, WitnessKeys
from tests.chain.helpers import NODE_KEY, ORIGIN, node_reader, some_entries
from tests.sync.servers import raw_server, read_request, response, saying, saying_once

LOG = make_vkey(ORIGIN, ED25519, NODE_KEY.public)
ENTRIES = some_entries(40)
READ = node_reader(ENTRIES)
NAMES = ("w1.example", "w2.example")
KEYS = {
    name: WitnessKeys(name, SigningKey(bytes([number] * 32)), MldsaSigningKey(bytes([number] * 32)))
    for number, name in enumerate(NAMES, 1)
}


def note(size: int) -> bytes:
    return format_note(sign_checkpoint(Checkpoint(ORIGIN, size, tree_root(size, READ)), NODE_KEY))


class Served:
    """A witness on loopback; counts what it is asked."""

    def __init__(self, name: str) -> None:
        self.witness = Witness(
            KEYS[name], lambda _origin: [LOG], MemoryWitnessStorage(), MemoryEvidence(), lambda: 1_770_000_000
        )
        self.statuses: list[int] = []

    @contextmanager
    def serving(self) -> Iterator[str]:
        with raw_server(self._talk) as url:
            yield url

    def _talk(self, connection: socket.socket) -> None:
        while raw := read_request(connection):
            assert raw.startswith(b"POST /add-checkpoint ")
            answer = self.witness.add_checkpoint(raw.partition(b"\r\n\r\n")[2])
            self.statuses.append(answer.status)
            status = f"{answer.status} X"
            connection.sendall(response(answer.body, f"Content-Type: {answer.content_type}", status=status))


def policy(**urls: str) -> Policy:
    """Both witnesses must have cosigned, each by either of its keys."""
    witnesses = [(f"{name}-{number}", vkey) for name in NAMES for number, vkey in enumerate(KEYS[name].vkeys())]
    groups = [Group(name, 1, (f"{name}-0", f"{name}-1")) for name in NAMES]
    addresses = [(name, urls[name[:2]]) for name, _vkey in witnesses if name[:2] in urls]
    return Policy(
        (LOG,), tuple(witnesses), (*groups, Group("all", 2, NAMES)), "all", witness_urls=tuple(addresses)
    )


def gathered(trust: Policy, size: int, *earlier: bytes, raw: bytes | None = None) -> Gathered:
    return gather(trust, raw or note(size), earlier, lambda old: prove_consistency(old, size, READ))


@pytest.fixture
def both() -> Iterator[tuple[list[Served], Policy]]:
    served = [Served(name) for name in NAMES]
    with ExitStack() as stack:
        w1, w2 = (stack.enter_context(each.serving()) for each in served)
        yield served, policy(w1=f"{w1}/", w2=w2)


def test_all_keys_of_all_witnesses_cosign_and_are_asked_once(both: tuple[list[Served], Policy]) -> None:
    served, trust = both
    first = gathered(trust, 9)
    assert (first.is_met, first.failures, len(first.cosignatures)) == (True, (), 4)
    checkpoint, signed = open_checkpoint(first.note)
    assert len(cosigned_names(trust, checkpoint, signed)) == 4
    second = gathered(trust, 20, first.note)
    assert second.is_met
    assert gathered(trust, 20, raw=second.note).cosignatures == ()
    assert [each.statuses for each in served] == [[200, 200]] * 2


def test_a_forgotten_size_is_asked_for(both: tuple[list[Served], Policy]) -> None:
    served, trust = both
    assert gathered(trust, 9).is_met
    assert gathered(trust, 20).is_met
    assert gathered(trust, 20).is_met
    assert [each.statuses for each in served] == [[200, 409, 200, 409, 200]] * 2


def test_a_witness_that_knows_more_is_an_alarm(both: tuple[list[Served], Policy]) -> None:
    _served, trust = both
    assert gathered(trust, 20).is_met
    found = gathered(trust, 9)
    assert (found.is_met, found.cosignatures) == (False, ())
    assert all("ALARM" in failure and "cosigned 20 entries" in failure for failure in found.failures)
    other = [*ENTRIES[:3], b"another", *ENTRIES[4:]]
    for size in (20, 30):
        read = node_reader(other)
        raw = format_note(sign_checkpoint(Checkpoint(ORIGIN, size, tree_root(size, read)), NODE_KEY))
        forked = gather(trust, raw, (), partial(prove_consistency, size2=size, read=read))
        assert [failure.startswith("ALARM") for failure in forked.failures] == [True, True]
        assert forked.cosignatures == ()


def cosigned(checkpoint_size: int, key: WitnessKeys) -> bytes:
    checkpoint, _signed = open_checkpoint(note(checkpoint_size))
    return format_signature_lines([cosign_ed25519(checkpoint, key.name, key.ed25519, 5)])


STRANGER = WitnessKeys("w1.example", SigningKey(bytes(32)), MldsaSigningKey(bytes(32)))
LIES: dict[str, Callable[[], bytes]] = {
    "another's line": lambda: response(cosigned(9, STRANGER)),
    "a line over another checkpoint": lambda: response(cosigned(8, KEYS["w1.example"])),
    "no line": lambda: response(b""),
    "no text": lambda: response(b"\xff\xfe\n"),
    "a page": lambda: response(b"<html>welcome</html>\n"),
    "not known": lambda: response(b"unknown log\n", status="404 Not Found"),
    "an error": lambda: response(b"\x1b[31moops" * 1_000, status="500 Oops"),
    "a redirect": lambda: response(b"", "Location: http://x.example/", status="307 X"),
    "a size without its type": lambda: response(b"7\n", status="409 Conflict"),
    "a size that is none": lambda: response(b"seven\n", "Content-Type: text/x.tlog.size", status="409 Conflict"),
    "always another size": lambda: response(b"7\n", "Content-Type: text/x.tlog.size", status="409 Conflict"),
    "a size beyond all": lambda: response(
        b"99999999999999999999\n", "Content-Type: text/x.tlog.size", status="409 Conflict"
    ),
    "endless": lambda: response(bytes(2_000_000)),
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("name", LIES)
def test_one_that_lies_or_fails_takes_nothing_from_the_others(name: str) -> None:
    served = Served("w2.example")
    talk = saying(LIES[name]()) if LIES[name]() else saying_once(b"")
    with raw_server(talk) as bad, served.serving() as good:
        found = gathered(policy(w1=bad, w2=good), 9)
    (failure,) = found.failures
    assert failure.isprintable()
    assert {line.name for line in found.cosignatures} == {"w2.example"}
    assert not found.is_met


def test_one_that_is_not_there_and_one_without_an_address() -> None:
    with raw_server(saying(b"")) as gone:
        pass
    found = gathered(policy(w1=gone), 9)
    assert len(found.failures) == 1
    assert gathered(policy(), 9).failures == ()
    assert gathered(policy(w1="ftp://x"), 9).failures != ()
