"""What a node serves, read and checked by programs that others wrote: Go's sumdb, and aics-tlog."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from chain.checkpoint import open_checkpoint
from chain.cosignature import cosign_ed25519, member_name
from chain.merkle import prove_consistency, prove_inclusion, tree_root
from chain.note import COSIGNATURE_ED25519, add_signatures, format_note, format_vkey, make_vkey
from chain.tile import TileReader
from node import Node
from tests.go_interop import go_objection, interop_binary
from tests.store.village import MEMBERS, ORIGIN, donation
from tests.web.service.running import Running, fresh_home, now, running

ROOT = Path(__file__).resolve().parents[3]
PEERS = ROOT / ".venv" / "peers"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A log of more than two tiles that a member has cosigned, and entries beyond its checkpoint."""
    home, tokens = fresh_home(tmp_path_factory.mktemp("peers") / "home")
    with running(home, tokens) as held:
        assert held.post(held.sheet([donation(1)] * 600)).status_code == 200
        held.seal()
        with Node.open(home, writes=True) as node:
            checkpoint, note = open_checkpoint(node.checkpoint())
            name, key = member_name(ORIGIN, MEMBERS[0].id), MEMBERS[0]
            line = cosign_ed25519(checkpoint, name, key, int(now().timestamp()))
            assert node.cosign(format_note(add_signatures(note, line))) == 1
        assert held.post(held.sheet([donation(1)] * 3)).status_code == 200
        yield held


def keys(home: Path) -> list[str]:
    """The log's verifier key, and that of the member who cosigned."""
    with Node.open(home, writes=False) as node:
        log = format_vkey(node.vkey)
    return [log, format_vkey(make_vkey(member_name(ORIGIN, MEMBERS[0].id), COSIGNATURE_ED25519, MEMBERS[0].public))]


def aics(address: str, *vkeys: str) -> subprocess.CompletedProcess[str]:
    """Ask aics-tlog, in a process that has it on its path and no proxy between."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return subprocess.run(
        [sys.executable, ROOT / "tests" / "aics_peer.py", address, *vkeys],
        env=kept | {"PYTHONPATH": str(PEERS)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_aics_tlog_accepts_the_whole_log(served: Running) -> None:
    done = aics(f"{served.url}/log/{ORIGIN}/", *keys(served.home))
    assert (done.returncode, done.stderr) == (0, "")
    assert "bundles=3" in done.stdout


def test_aics_tlog_refuses_it_under_another_key(served: Running) -> None:
    log, member = keys(served.home)
    stranger = format_vkey(make_vkey(ORIGIN, 1, MEMBERS[1].public))
    assert aics(f"{served.url}/log/{ORIGIN}/", stranger, member).returncode == 1
    other = format_vkey(make_vkey("other.example/witness", COSIGNATURE_ED25519, MEMBERS[1].public))
    assert aics(f"{served.url}/log/{ORIGIN}/", log, other).returncode == 1


def test_go_accepts_checkpoint_and_proofs_from_the_tiles(
    served: Running, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with httpx.Client(base_url=f"{served.url}/log/{ORIGIN}/") as client:

        def read(path: str) -> bytes:
            answer = client.get(path)
            if answer.status_code == 404:
                raise FileNotFoundError(path)
            return answer.raise_for_status().content

        note = read("checkpoint")
        checkpoint, _note = open_checkpoint(note)
        tiles, size = TileReader(read, checkpoint.size, checkpoint.root), checkpoint.size
        places = [*range(0, size, 37), size - 1]
        inclusions = [(tiles.hash(0, place), place, prove_inclusion(place, size, tiles.hash)) for place in places]
        sizes = [*range(1, size, 41), size]
        consistencies = [(old, tree_root(old, tiles.hash), prove_consistency(old, size, tiles.hash)) for old in sizes]

    binary = interop_binary(tmp_path_factory)
    assert go_objection(binary, keys(served.home)[0], note, inclusions, consistencies) is None
    moved = [(leaf, place + 1, path) for leaf, place, path in inclusions[:1]]
    assert str(go_objection(binary, keys(served.home)[0], note, moved)).startswith("inclusion of ")
