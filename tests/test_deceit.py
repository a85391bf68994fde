"""Deceits that were tried on the node and the audit, and what comes of them."""

import datetime
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import node as node_module
from chain.checkpoint import open_checkpoint
from chain.cosignature import cosign_ed25519, member_name
from chain.fields import format_time
from chain.keys import SigningKey
from chain.note import Note, NoteSignature, format_note
from ledger.bodies import Dispute, Reverse
from node import Accepted, NodeError, Refused
from store import archive as archive_module
from store.archive import open_archive
from store.log import StoreError
from tests.store.village import (
    CLERK,
    KEYS_WITH_MLDSA,
    MEMBERS,
    PROVIDER,
    START,
    HandClock,
    accepted,
    new_home,
    new_node,
    open_home,
    presigned,
    record,
    service,
)
from verify.audit import audit_ledger
from verify.source import MemorySource, SourceError


class TwoFacedSource(MemorySource):
    """Gives another entry when it is asked a second time."""

    def __init__(self, honest: MemorySource, index: int, other: bytes) -> None:
        super().__init__(honest.origin, [raw for _index, raw in honest.rows()], list(honest.checkpoints()))
        self._other = {index: other}

    def entry(self, index: int) -> bytes:
        return self._other.get(index) or super().entry(index)


def source_of(node: node_module.Node) -> MemorySource:
    return MemorySource(
        node.origin, list(node.store.entries(0, node.store.size)), list(node.store.checkpoints())
    )


@pytest.mark.parametrize("filler", [0, 300])
def test_a_source_that_gives_another_entry_the_second_time_is_no_ledger(filler: int) -> None:
    node = new_node()
    (entry,) = record(node, [service(7)])
    for _ in range(0, filler, 100):
        record(node, [service(1)] * 100)
    accepted(node.write(MEMBERS[0], MEMBERS[1:], [Reverse(index=entry.index, reason="wrong")]))
    node.seal()
    honest = source_of(node)
    assert audit_ledger(honest).is_sound
    other = honest.entry(entry.index).replace(b'"minutes":7', b'"minutes":1')
    with pytest.raises(SourceError, match=f"entry {entry.index} of .* was not the same"):
        audit_ledger(TwoFacedSource(honest, entry.index, other))


def test_pages_that_lead_round_in_circles_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = new_home(tmp_path / "home")
    monkeypatch.setattr(archive_module, "STEPS_A_LOOK", 1)
    monkeypatch.setattr(archive_module, "LOOKS_MIN", -(10**12))
    with pytest.raises(StoreError, match="interrupted"), open_archive(home / "ledger.db"):
        pass


def test_a_sheet_may_speak_of_its_own_statements() -> None:
    node = new_node()
    index = node.state.size
    dispute = Dispute(ground="not I", index=index, party=PROVIDER)
    first, second = node.write(CLERK, MEMBERS[:1], [service(), dispute])
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    again = node.submit(presigned(node, [service(), dispute]))
    assert isinstance(again[0], Accepted)
    assert again[1] == Refused("already-disputed")
    node.seal()
    assert audit_ledger(source_of(node)).is_sound


def test_a_block_that_is_full_closes_at_the_time_that_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = HandClock()
    node = new_node(clock=clock)
    clock.now += datetime.timedelta(days=60)
    monkeypatch.setattr(node_module, "BLOCK_MAX_ENTRIES", 8)
    at = START + datetime.timedelta(hours=1)
    for _ in range(4):
        accepted(node.write(CLERK, MEMBERS[:1], [service()] * 3, at))
    assert node.state.sealed_at is not None
    assert format_time(node.state.sealed_at) == format_time(at)


def tampered(node: node_module.Node, *lines: NoteSignature) -> bytes:
    note = open_checkpoint(node.checkpoint())[1]
    return format_note(Note(note.text, (*note.signatures[:1], *lines)))


def test_nobody_spoils_a_checkpoint_by_cosigning() -> None:
    first = new_node()
    first.seal()
    node = node_module.Node(first.store, KEYS_WITH_MLDSA, HandClock())
    node.seal()
    checkpoint, note = open_checkpoint(node.checkpoint())
    member, witness = MEMBERS[0], SigningKey(b"w" * 32)
    now = int(START.timestamp())
    good = cosign_ed25519(checkpoint, "witness.example/w", witness, now)
    assert node.cosign(tampered(node, good)) == 1
    own = note.signatures[1]
    junk = bytes(len(own.signature))
    assert node.cosign(tampered(node, NoteSignature(own.name, own.hash, junk))) == 0
    assert node.cosign(tampered(node, NoteSignature(good.name, good.hash, bytes(72)))) == 0
    early = cosign_ed25519(checkpoint, member_name(node.origin, member.id), member, 1)
    with pytest.raises(NodeError, match="does not verify, or is dated before the seal"):
        node.cosign(tampered(node, early))
    strangers = [NoteSignature(f"stranger.example/{place}", b"abcd", bytes(72)) for place in range(60)]
    assert node.cosign(tampered(node, *strangers)) < len(strangers)
    late = cosign_ed25519(checkpoint, member_name(node.origin, member.id), member, now + 10**9)
    assert node.cosign(tampered(node, late)) == 1
    assert audit_ledger(source_of(node)).is_sound


def test_what_somebody_put_into_the_file_is_not_sealed(tmp_path: Path) -> None:
    """An entry after the last checkpoint whose signatures were never made."""
    home = new_home(tmp_path / "home")
    with open_home(home) as node:
        record(node, [service()])
    with closing(sqlite3.connect(home / "ledger.db")) as connection, connection:
        index, raw = connection.execute("SELECT idx, bytes FROM entry ORDER BY idx DESC LIMIT 1").fetchone()
        place = raw.index(b'"sig":"') + 7
        changed = raw[:place] + b"AAAA" + raw[place + 4 :]
        connection.execute("UPDATE entry SET bytes=? WHERE idx=?", (changed, index))
    with pytest.raises(StoreError, match=f"entry {index} of .* is damaged"), open_home(home):
        pass


def test_a_snapshot_that_another_wrote_is_not_believed(tmp_path: Path) -> None:
    """Its digest is right and its balances are, but only the node's key can vouch for who may sign."""
    home = new_home(tmp_path / "home")
    with closing(sqlite3.connect(home / "ledger.db")) as connection, connection:
        (digest,) = connection.execute("SELECT digest FROM snapshot").fetchone()
        connection.execute("UPDATE snapshot SET digest=?", (digest[:32] + bytes(32),))
    with open_home(home) as node:
        assert node._fold.snapshot_size == 0  # replayed from the first entry
        record(node, [service()])
        node.seal()
        assert audit_ledger(source_of(node)).is_sound
