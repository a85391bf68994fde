"""A program that writes ledgers and is killed, for ``tests/test_crash.py``.

    python -m tests.store.crashing kill FOLDER ROUNDS     a writer is killed so many times; what is left is looked at
    python -m tests.store.crashing limit FOLDER           files may not grow any more, and then they may

It prints one JSON object. It forks, which a test runner with threads had better not do: each writer starts warm, and is
killed some hundred microseconds after it began or in the middle of its work, at moments drawn from a fixed seed.
"""

import contextlib
import json
import os
import random
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import node as node_module
from chain.block import SEAL
from chain.checkpoint import open_checkpoint
from chain.merkle import Frontier, leaf_hash
from ledger.state import freeze
from node import Node
from store.log import StoreError
from tests.store.village import (
    CLERK,
    MEMBERS,
    HandClock,
    accepted,
    assert_whole,
    donation,
    new_home,
    open_home,
    presigned,
    record,
    replayed,
    service,
)

REPLAYED_EVERY = 20
SPINS_MAX = 60_000
LINES_MAX = 40


def rounds_of_killing(folder: Path, rounds: int) -> dict[str, Any]:
    """How much was accepted; AssertionError where something is wrong afterwards.

    A round is *cut short* where more is on disk than anybody was told: the kill came between the two.
    """
    node_module.SNAPSHOT_ENTRIES = 48
    home = new_home(folder / "home")
    chance = random.Random(20_260_304)
    promised: dict[int, str] = {}
    sealed: set[int] = set()
    size, rounds_cut_short = 14, 0
    for number in range(rounds):
        lines = one_round(home, number, chance)
        for kind, index, hashed in lines:
            if kind == "sealed":
                sealed.add(index)
            else:
                promised[index] = hashed
        size_before, size = size, look(home, promised, sealed, number % REPLAYED_EVERY == 0)
        rounds_cut_short += size - size_before > len(lines)
    with open_home(home) as node:
        assert_whole(node)
        for index, hashed in promised.items():
            assert leaf_hash(node.store.entry(index)).hex() == hashed
    return {
        "rounds": rounds,
        "accepted": len(promised),
        "sealed": len(sealed),
        "size": size,
        "rounds_cut_short": rounds_cut_short,
    }


def one_round(home: Path, number: int, chance: random.Random) -> list[tuple[str, int, str]]:
    """Start a writer, kill it, and give all that it had answered before."""
    lines_before, spins = chance.randrange(LINES_MAX), chance.randrange(SPINS_MAX)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        write_for_ever(home, writer, number)
    os.close(writer)
    with os.fdopen(reader, "rb") as answers:
        heard = b"".join(answers.readline() for _ in range(lines_before))
        while spins:
            spins -= 1
        os.kill(child, signal.SIGKILL)
        heard += answers.read()
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
        raise RuntimeError(f"the writer of round {number} ended by itself")
    whole, _, _ = heard.rpartition(b"\n")
    return [_parse(line) for line in whole.decode().splitlines()]


def _parse(line: str) -> tuple[str, int, str]:
    kind, index, hashed = line.split(" ")
    return kind, int(index), hashed


def write_for_ever(home: Path, answers: int, number: int) -> None:
    """The writer: as clerks and an import do, and says each time what was accepted. It never comes back."""
    try:
        clock = HandClock()
        clock.turn(minutes=number)
        with open_home(home, clock=clock) as node:
            chance = random.Random(number)
            while True:
                for line in one_step(node, chance):
                    os.write(answers, line.encode())
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def one_step(node: Node, chance: random.Random) -> list[str]:
    """Write something durably; the lines that may be said afterwards."""
    count = chance.randint(1, 4)
    match chance.randrange(6):
        case 0 | 1:
            results = record(node, [donation(chance.randint(1, 3))] * count)
        case 2:
            results = accepted(node.submit(presigned(node, [donation(2)] * count, at=node._clock())))
        case 3:
            return [f"sealed {node.seal()} -\n"]
        case 4:
            results = record(node, [service(1)], durable=False)
            for _ in range(count):
                results += record(node, [donation(1)] * chance.randint(1, 30), durable=False)
            node.commit()
        case _:
            results, sizes = [], []
            for _ in range(count):
                results += record(node, [donation(1)] * 3, durable=False)
                sizes.append(node.seal(durable=False))
            node.commit()
            return [*_said(results), *(f"sealed {size} -\n" for size in sizes)]
    return _said(results)


def _said(results: list[Any]) -> list[str]:
    return [f"accepted {result.index} {result.leaf_hash.hex()}\n" for result in results]


def look(home: Path, promised: dict[int, str], sealed: set[int], replays: bool) -> int:
    """Everything promised is there, and the node opens without a hand; the size of its log.

    Its clock has gone back to the beginning, as after a power cut: what it signs now must not tell against it.
    """
    with open_home(home) as node:
        store = node.store
        entries = list(store.entries(0, store.size))
        hashes = [leaf_hash(raw) for raw in entries]
        for index, hashed in promised.items():
            assert hashes[index].hex() == hashed, f"entry {index} is another than was accepted"
        for size in sealed:
            assert store.checkpoint(size) is not None, f"the seal before {size} has no checkpoint"
        last = store.last_checkpoint()
        assert last is not None
        checkpoint, _ = open_checkpoint(last[1])
        assert checkpoint.size == last[0]
        assert store.hashes.frontier().nodes() == _nodes(hashes)
        if node.entry(store.size - 1).kind == SEAL:
            assert checkpoint.size == store.size, "the last seal has no checkpoint"
            assert checkpoint.root == store.hashes.frontier().root()
        if replays:
            assert freeze(replayed(store)) == freeze(node.state)
        return store.size


def _nodes(hashes: list[bytes]) -> tuple[bytes, ...]:
    tree = Frontier()
    for hashed in hashes:
        tree.append(hashed)
    return tree.nodes()


def limited(folder: Path) -> dict[str, Any]:
    """Files that may not grow: what a writer is told at each length of the log ahead; afterwards it goes on."""
    home = new_home(folder / "home")
    told = []
    for room in range(0, 300_000, 9_000):
        with open_home(home) as node:
            record(node, [donation(1)])
            log_bytes = (home / "ledger.db-wal").stat().st_size
            with file_limit(log_bytes + room):
                told.append(write_until_told(node))
            record(node, [donation(1)])
            node.seal()
            assert_whole(node)
    return {"told": told}


@contextlib.contextmanager
def file_limit(limit_bytes: int) -> Iterator[None]:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def write_until_told(node: Node) -> str:
    """Write and seal until the store says that it cannot; nothing of what it refused is there."""
    for count in range(1, 200):
        size = node.store.size
        try:
            results = node.write(CLERK, [MEMBERS[0]], [donation(1)] * (count % 5 * 7 + 1))
        except StoreError as error:
            assert node.store.size == node.state.size == size
            return str(error)
        accepted(results)
        size = node.store.size
        try:
            node.seal()
        except StoreError as error:
            assert node.store.size == node.state.size
            assert node.store.size in (size, size + 1)
            return str(error)
    raise RuntimeError("the disk never filled up")


def main(task: str, folder: str, *rest: str) -> None:
    found = rounds_of_killing(Path(folder), int(rest[0])) if task == "kill" else limited(Path(folder))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
