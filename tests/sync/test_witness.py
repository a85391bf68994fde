"""The witness: the published requests, many at once, and a process that is killed between disk and answer."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from chain.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from chain.cosignature import cosign_ed25519, verify_cosignature
from chain.fork import check_fork, parse_fork
from chain.keys import MldsaSigningKey, SigningKey
from chain.merkle import prove_consistency, tree_root
from chain.note import format_note, parse_vkey
from chain.witness import format_add_checkpoint, origin_hash, parse_signature_lines
from store.log import StoreError
from store.witness import EvidenceFolder, WitnessStore, make_memory
from sync.witness import (
    COSIGNED,
    FORKS_MAX,
    OTHER_SIZE,
    STATUS_OF,
    SUSPECTED_MAX,
    MemoryEvidence,
    MemoryWitnessStorage,
    Witness,
    WitnessKeys,
    WitnessStorage,
)
from tests.chain.helpers import mangled, node_reader, some_entries

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "vectors" / "witness"
KEYS = json.loads((FOLDER / "keys.json").read_text("utf-8"))
CASES = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem != "keys")
LOG = parse_vkey(KEYS["log"])
LOG_KEY = SigningKey(bytes(range(32)))
WITNESS_KEYS = WitnessKeys(
    KEYS["witness"],
    SigningKey(bytes.fromhex(KEYS["ed25519_seed"])),
    MldsaSigningKey(bytes.fromhex(KEYS["mldsa44_seed"])),
)
ENTRIES = some_entries(64)


def make_witness(storage: WitnessStorage, evidence: Any = None) -> Witness:
    return Witness(
        WITNESS_KEYS,
        lambda origin: [LOG] if origin == LOG.name else [],
        storage,
        MemoryEvidence() if evidence is None else evidence,
        lambda: int(KEYS["seconds"]),
    )


def note(size: int, entries: list[bytes] = ENTRIES) -> bytes:
    checkpoint = Checkpoint(LOG.name, size, tree_root(size, node_reader(entries)))
    return format_note(sign_checkpoint(checkpoint, LOG_KEY))


def request(old: int, size: int, entries: list[bytes] = ENTRIES) -> bytes:
    return format_add_checkpoint(old, prove_consistency(old, size, node_reader(entries)), note(size, entries))


def opened(path: Path) -> WitnessStore:
    """A witness's file, made where it is missing."""
    identity = path.with_name("witness.id")
    if not identity.exists():
        make_memory(path, identity)
    return WitnessStore(path, identity)


def remember(storage: WitnessStorage, raw: bytes) -> None:
    checkpoint, _signed = open_checkpoint(raw)
    storage.advance(None, checkpoint, raw)


@pytest.fixture(params=["memory", "file"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WitnessStorage]:
    if request.param == "memory":
        yield MemoryWitnessStorage()
        return
    with closing(opened(tmp_path / "witness.db")) as store:
        yield store


@pytest.mark.parametrize("name", CASES)
def test_published_case(name: str, storage: WitnessStorage) -> None:
    case = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    if case["stored"] is not None:
        remember(storage, case["stored"].encode())
    before = storage.latest(LOG.name)
    evidence = MemoryEvidence()
    witness = make_witness(storage, evidence)
    answer = witness.add_checkpoint(case["request"].encode())
    assert answer.status == case["status"]
    assert answer.content_type == case.get("content_type", "text/plain; charset=utf-8")
    assert [found.split("-")[1] for found in evidence.files] == [case["evidence"]] * bool(case["evidence"])
    if answer.status != 200:
        assert answer.body == case.get("body", answer.body.decode()).encode()
        assert storage.latest(LOG.name) == before
        return
    assert answer.body.decode().startswith(case["body"])
    kept = storage.latest(LOG.name)
    assert kept is not None
    assert f"{kept[0].origin}\n{kept[0].size}\n" in case["request"]
    lines = parse_signature_lines(answer.body)
    assert [verify_cosignature(*each) for each in zip(witness.vkeys(), [kept[0]] * 2, lines, strict=True)] == [
        KEYS["seconds"]
    ] * 2
    assert witness.checkpoint(origin_hash(LOG.name)) == kept[1]
    found, signed = open_checkpoint(kept[1])
    assert (found, signed.signatures[1:]) == (kept[0], lines)
    assert signed.signatures[0].hash == LOG.hash


def test_the_published_cases_are_those_that_the_script_writes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "scripts/witness_vectors.py", str(tmp_path)], cwd=ROOT, check=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in FOLDER.glob("*.json")
    }
    assert len(CASES) > 50


def test_a_mangled_request_is_refused() -> None:
    for raw in (request(9, 20), request(0, 20), request(20, 20)):
        storage = MemoryWitnessStorage()
        old = int(raw[4 : raw.index(b"\n")])
        if old:
            remember(storage, note(old))
        witness = make_witness(storage)
        for changed in mangled(raw):
            answer = witness.add_checkpoint(changed)
            assert answer.status in set(STATUS_OF.values()) - {200, 503}
        assert witness.add_checkpoint(raw).status == 200


def test_two_trees_are_evidence_that_anyone_can_check(tmp_path: Path) -> None:
    with closing(opened(tmp_path / "witness.db")) as store:
        witness = make_witness(store, EvidenceFolder(tmp_path / "evidence"))
        assert witness.add_checkpoint(request(0, 9)).status == 200
        false = [*ENTRIES[:3], b"another", *ENTRIES[4:]]
        assert witness.add_checkpoint(request(9, 20, false)).status == 422
        assert witness.add_checkpoint(request(9, 20, false)).status == 422
    (path,) = (tmp_path / "evidence").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert check_fork(parse_fork(path.read_bytes()), [LOG]).is_proven


def test_evidence_is_bounded_whatever_is_sent() -> None:
    evidence = MemoryEvidence()
    witness = make_witness(MemoryWitnessStorage(), evidence)
    assert witness.add_checkpoint(request(0, 9)).status == 200
    for number in range(FORKS_MAX + 5):
        false = [*ENTRIES[:3], b"another %d" % number, *ENTRIES[4:]]
        assert witness.add_checkpoint(request(9, 9, false)).status == 409
        bad = format_add_checkpoint(9, [bytes(32)], note(20 + number))
        assert witness.add_checkpoint(bad).status == 422
    assert len(evidence.files) == FORKS_MAX + SUSPECTED_MAX


def test_no_requests_at_once_lead_to_two_histories(tmp_path: Path) -> None:
    """Eight threads, two stores on one file, two logs under one key that part at entry 20, and replays of all."""
    trees = [ENTRIES, [*ENTRIES[:20], b"another", *ENTRIES[21:]]]
    given: list[tuple[int, int, Checkpoint]] = []
    lock = threading.Lock()

    def ask(seed: int) -> None:
        random = Random(seed)
        for _turn in range(25):
            known = witnesses[seed % 2].checkpoint(origin_hash(LOG.name))
            old = 0 if known is None else open_checkpoint(known)[0].size
            if random.random() < 0.2:
                old = random.randrange(old + 1)
            size = min(old + random.randrange(4), 64)
            raw = request(old, size, random.choice(trees))
            answer = witnesses[seed % 2].add_checkpoint(raw)
            assert answer.status in (200, 409, 422)
            if answer.status == 200:
                with lock:
                    given.append((old, size, open_checkpoint(raw.partition(b"\n\n")[2])[0]))

    with closing(opened(tmp_path / "w.db")) as one, closing(opened(tmp_path / "w.db")) as two:
        witnesses = [make_witness(one), make_witness(two)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, range(8)))
        last = one.latest(LOG.name)
    assert last is not None
    assert max(size for _old, size, _tree in given) == last[0].size
    tree = next(tree for tree in trees if tree_root(last[0].size, node_reader(tree)) == last[0].root)
    for old, size, checkpoint in given:
        assert checkpoint.root == tree_root(size, node_reader(tree))
        assert old <= size
    steps = sorted({(old, size) for old, size, _tree in given if old < size})
    assert [old for old, _size in steps] == [0, *(size for _old, size in steps[:-1])]


class Racing(MemoryWitnessStorage):
    """Between judgement and storing, another request always comes first."""

    def __init__(self, races: int) -> None:
        super().__init__()
        self.races = races

    def advance(self, old: Checkpoint | None, new: Checkpoint, note: bytes) -> bool:
        if self.races:
            self.races -= 1
            super().advance(old, Checkpoint(LOG.name, 64 - self.races, bytes(32)), b"")
        return super().advance(old, new, note)


def test_a_request_that_came_second_is_judged_again() -> None:
    answer = make_witness(Racing(1)).add_checkpoint(request(0, 9))
    assert (answer.outcome, answer.body) == (OTHER_SIZE, b"64\n")


def test_a_smaller_size_is_a_mistake_of_ours(tmp_path: Path) -> None:
    with closing(opened(tmp_path / "w.db")) as store, pytest.raises(ValueError, match="does not go back"):
        store.advance(Checkpoint(LOG.name, 9, bytes(32)), Checkpoint(LOG.name, 8, bytes(32)), b"")


KILLED = """
import os, signal, sys
from pathlib import Path
from store.witness import WitnessStore
from tests.sync.test_witness import make_witness, request

class Dying(WitnessStore):
    def advance(self, old, new, note):
        if sys.argv[2] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = super().advance(old, new, note)
        os.kill(os.getpid(), signal.SIGKILL)

path = Path(sys.argv[1])
store = Dying(path, path.with_name("witness.id"))
make_witness(store).add_checkpoint(request(9, 20))
"""


@pytest.mark.parametrize(("moment", "size"), [("before", 9), ("after", 20)])
def test_a_kill_between_disk_and_answer_leaves_a_state_to_go_on_from(tmp_path: Path, moment: str, size: int) -> None:
    path = tmp_path / "witness.db"
    with closing(opened(path)) as store:
        assert make_witness(store).add_checkpoint(request(0, 9)).status == 200
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), moment], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    with closing(opened(path)) as store:
        witness = make_witness(store)
        if size == 20:
            false = [*ENTRIES[:12], b"another", *ENTRIES[13:]]
            assert witness.add_checkpoint(request(9, 20, false)).body == b"20\n"
        assert witness.add_checkpoint(request(size, 20)).outcome == COSIGNED
        assert witness.add_checkpoint(request(20, 30)).outcome == COSIGNED
        assert store.origins() == [(LOG.name, 30)]


def test_a_file_of_another_kind_is_not_written_into(tmp_path: Path) -> None:
    path = tmp_path / "witness.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="is not the file of a witness"):
        make_memory(path, tmp_path / "witness.id")
    (tmp_path / "witness.id").write_text("0" * 32)
    with pytest.raises(StoreError):
        WitnessStore(path, tmp_path / "witness.id")
    assert path.read_bytes() == b"not a database" * 100
    with pytest.raises(StoreError, match="cannot be made"):
        make_memory(tmp_path / "nowhere" / "witness.db", tmp_path / "witness.id")


def test_a_witness_that_has_forgotten_does_not_begin_again(tmp_path: Path) -> None:
    path, identity = tmp_path / "witness.db", tmp_path / "witness.id"
    opened(path).close()
    path.unlink()
    with pytest.raises(StoreError, match="has forgotten must not cosign again"):
        WitnessStore(path, identity)
    assert not path.exists()
    path.touch()
    with pytest.raises(StoreError, match="has forgotten must not cosign again"):
        WitnessStore(path, identity)


def test_the_file_of_another_witness_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "witness.db"
    opened(path).close()
    make_memory(tmp_path / "other.db", tmp_path / "other.id")
    (tmp_path / "other.db").replace(path)
    with pytest.raises(StoreError, match="is not the file that this witness was made with"):
        opened(path)


@pytest.mark.parametrize("is_replaced", [False, True])
def test_nothing_is_cosigned_after_the_file_was_taken_away(tmp_path: Path, is_replaced: bool) -> None:
    path = tmp_path / "witness.db"
    with closing(opened(path)) as store:
        witness = make_witness(store)
        assert witness.add_checkpoint(request(0, 9)).status == 200
        copy = path.read_bytes()
        path.rename(tmp_path / "away.db")
        if is_replaced:
            path.write_bytes(copy)
        with pytest.raises(StoreError, match="was moved away or replaced"):
            witness.add_checkpoint(request(9, 20))
        (tmp_path / "away.db").replace(path)
        assert witness.add_checkpoint(request(9, 20)).status == 200


def test_a_proven_fork_is_told_once() -> None:
    told: list[tuple[str, int]] = []
    witness = Witness(
        WITNESS_KEYS,
        lambda _origin: [LOG],
        MemoryWitnessStorage(),
        MemoryEvidence(),
        lambda: 1,
        lambda *fork: told.append(fork),
    )
    assert witness.add_checkpoint(request(0, 9)).status == 200
    false = [*ENTRIES[:3], b"another", *ENTRIES[4:]]
    for _time in range(2):
        assert witness.add_checkpoint(request(9, 9, false)).status == 409
    assert told == [(LOG.name, 9)]


def test_evidence_that_comes_at_once_is_bounded_too() -> None:
    evidence = MemoryEvidence()
    witness = make_witness(MemoryWitnessStorage(), evidence)
    assert witness.add_checkpoint(request(0, 9)).status == 200
    asked = [request(9, 9, [b"%d" % number, *ENTRIES[1:]]) for number in range(3 * FORKS_MAX)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(witness.add_checkpoint, asked))
    assert len(evidence.files) == FORKS_MAX


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    with closing(opened(tmp_path / "witness.db")):
        assert (tmp_path / "witness.db").stat().st_mode & 0o777 == 0o600


def test_lines_of_other_witnesses_are_not_kept() -> None:
    checkpoint, signed = open_checkpoint(note(9))
    stranger = cosign_ed25519(checkpoint, "other.example", SigningKey(bytes(32)), 5)
    raw = format_note(sign_checkpoint(checkpoint, LOG_KEY, *[stranger] * 60))
    storage = MemoryWitnessStorage()
    assert make_witness(storage).add_checkpoint(format_add_checkpoint(0, [], raw)).status == 200
    kept = storage.latest(LOG.name)
    assert kept is not None
    assert [line.name for line in open_checkpoint(kept[1])[1].signatures] == [LOG.name, *[KEYS["witness"]] * 2]
    assert signed.signatures[0] == open_checkpoint(kept[1])[1].signatures[0]


@pytest.mark.parametrize(("seconds", "status"), [(-1, 503), (-(2**40), 503), (0, 200), (2**40, 200)])
def test_a_clock_before_1970_dates_nothing_and_says_so(seconds: int, status: int) -> None:
    storage = MemoryWitnessStorage()
    witness = Witness(WITNESS_KEYS, lambda _origin: [LOG], storage, MemoryEvidence(), lambda: seconds)
    answer = witness.add_checkpoint(request(0, 9))
    assert answer.status == status
    assert (storage.latest(LOG.name) is None) == (b"stands before 1970" in answer.body) == (status == 503)
