"""Asks Go's own note and tlog packages about a checkpoint and its proofs (``tests/go/interop.go``).

Needs Debian's ``golang-go`` and ``golang-golang-x-mod-dev``; without them the tests that ask here fail.
"""

import base64
import functools
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pytest import TempPathFactory

SOURCE = Path(__file__).resolve().parent / "go" / "interop.go"
PACKAGED_GOPATH = "/usr/share/gocode"

Inclusion = tuple[bytes, int, Sequence[bytes]]
"""Leaf hash, leaf index, path."""
Consistency = tuple[int, bytes, Sequence[bytes]]
"""Earlier size, its root, path."""


def interop_binary(tmp_path_factory: TempPathFactory) -> Path:
    """The program, built once a session into pytest's own directory."""
    return _build(tmp_path_factory.getbasetemp() / "go-interop")


def go_objection(
    binary: Path,
    vkey: str,
    checkpoint: bytes,
    inclusions: Sequence[Inclusion] = (),
    consistencies: Sequence[Consistency] = (),
) -> str | None:
    """What Go first objects to, or None where it accepts the signed checkpoint and every proof under it."""
    question = {
        "vkey": vkey,
        "checkpoint": _base64(checkpoint),
        "inclusion": [
            {"leaf_hash": _base64(leaf), "index": index, "path": [_base64(hashed) for hashed in path]}
            for leaf, index, path in inclusions
        ],
        "consistency": [
            {"size": size, "root": _base64(root), "path": [_base64(hashed) for hashed in path]}
            for size, root, path in consistencies
        ],
    }
    answer = subprocess.run([binary], input=json.dumps(question), capture_output=True, text=True, check=False)
    if answer.returncode not in (0, 1):
        raise RuntimeError(f"the Go program did not understand the question: {answer.stdout}{answer.stderr}")
    return answer.stdout.strip() or "refused without a word" if answer.returncode else None


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@functools.cache
def _build(directory: Path) -> Path:
    directory.mkdir(exist_ok=True)
    binary = directory / "interop"
    environment = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GO111MODULE": "off",
        "GOCACHE": str(directory / "cache"),
        "GOFLAGS": "",
        "GOPATH": PACKAGED_GOPATH,
    }
    command = ["go", "build", "-o", str(binary), str(SOURCE)]
    built = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if built.returncode:
        raise RuntimeError(f"go build failed; are golang-go and golang-golang-x-mod-dev installed?\n{built.stderr}")
    return binary
