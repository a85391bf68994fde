"""Our own published cases: the code gives the answers that stand in them, and writing them anew finds no difference."""

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chain.errors import EntryError
from chain.fields import is_origin
from chain.keys import SigningKey, key_id
from chain.merkle import Frontier, check_inclusion, leaf_hash, root_of
from chain.note import ED25519, format_note, format_vkey, make_vkey, parse_vkey
from chain.policy import parse_policy
from chain.receipt import Promise, open_promise, sign_promise
from ledger.kinds import CODEC
from ledger.proofs import check_proof
from tests.chain.test_entry import reference_code
from verify.audit import audit_ledger
from verify.check import Chunk, check_chunk
from verify.receipts import ReceiptError, check_receipt
from verify.source import MemorySource

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests" / "vectors" / "ours"
FILES = sorted(FOLDER.glob("*.json"))
Case = dict[str, Any]


def raw_of(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def check_keys(case: Case) -> None:
    for key in case["keys"].values():
        made = SigningKey(raw_of(key["seed"]))
        assert (made.public, made.id) == (raw_of(key["public"]), key["id"])


def check_key_id(case: Case) -> None:
    assert key_id(raw_of(case["public"])) == case["id"]
    assert hashlib.sha256(b"huzhu/key/v1\n" + raw_of(case["public"])).hexdigest().startswith(case["id"])


def check_vkey(case: Case) -> None:
    assert format_vkey(make_vkey(case["origin"], ED25519, raw_of(case["public"]))) == case["vkey"]
    assert parse_vkey(case["vkey"]).public == raw_of(case["public"])


def check_origin(case: Case) -> None:
    assert is_origin(case["origin"]) == case["accept"]


def check_entry(case: Case) -> None:
    given = case["input"]
    raw = given["text"].encode() if "text" in given else raw_of(given["base64"])
    try:
        CODEC.parse(raw)
        code = None
    except EntryError as error:
        code = error.code
    assert code == case["code"]
    assert reference_code(raw) == case["code"]


def check_sheet(case: Case) -> None:
    entries = [text.encode() for text in case["entries"]]
    publics = {key: raw_of(public) for key, public in case["publics"].items()}
    checked = check_chunk(Chunk(1, entries, case["origin"], raw_of(case["genesis"]), publics))
    assert [verdict and verdict[0] for verdict in checked.verdicts] == case["codes"]


def check_log(case: Case) -> None:
    entries = [text.encode() for text in case["entries"]]
    checkpoints = [(row["size"], row["note"].encode()) for row in case["checkpoints"]]
    report = audit_ledger(MemorySource(case["origin"], entries, checkpoints))
    expected = sorted((finding["code"], finding["index"]) for finding in case["findings"])
    assert sorted((finding.code, finding.index) for finding in report.findings) == expected


def check_state(case: Case) -> None:
    hashes = [leaf_hash(leaf.encode()) for leaf in case["leaves"]]
    assert hashes == [raw_of(hashed) for hashed in case["hashes"]]
    assert root_of(hashes) == raw_of(case["root"])


def check_promise(case: Case) -> None:
    promise = Promise(case["origin"], raw_of(case["genesis"]), case["index"], raw_of(case["leaf_hash"]))
    note = format_note(sign_promise(promise, SigningKey(raw_of(case["seed"]))))
    assert note.decode() == case["note"]
    assert open_promise(note)[0] == promise


def check_receipt_case(case: Case) -> None:
    policy = parse_policy(f"log {case['vkey']}\nquorum none\n".encode())
    try:
        proven = check_receipt(case["receipt"].encode(), policy)
    except ReceiptError:
        assert case["index"] is None
        return
    assert proven.index == case["index"]
    assert (None if proven.balance is None else proven.balance.balance) == case.get("balance")


def check_transfer_proof(case: Case) -> None:
    admissions = [admission.encode() for admission in case["admissions"]]
    proof = check_proof(case["proof"].encode(), admissions, case["trusted"])
    assert (None if proof is None else proof.index) == case["index"]


def check_tree(case: Case) -> None:
    hashes = [leaf_hash(leaf.encode()) for leaf in case["leaves"]]
    tree = Frontier()
    roots = [tree.root()]
    for hashed in hashes:
        tree.append(hashed)
        roots.append(tree.root())
    assert roots == [raw_of(root) for root in case["roots"]]
    for index, path in enumerate(case["paths"]):
        check_inclusion(hashes[index], index, len(hashes), [raw_of(hashed) for hashed in path], roots[-1])


CHECKS: dict[str, Callable[[Case], None]] = {
    "keys": check_keys,
    "key-id": check_key_id,
    "vkey": check_vkey,
    "origin": check_origin,
    "entry": check_entry,
    "sheet": check_sheet,
    "log": check_log,
    "state": check_state,
    "promise": check_promise,
    "receipt": check_receipt_case,
    "transfer-proof": check_transfer_proof,
    "tree": check_tree,
}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_code_gives_the_answer(file: Path) -> None:
    case = json.loads(file.read_text("utf-8"))
    assert case["what"] and case["from"].startswith(("FORMAT §", "RULES §"))
    CHECKS[case["check"]](case)


def test_writing_them_anew_finds_no_difference(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "scripts/vectors.py", str(tmp_path)], cwd=ROOT, check=True)
    written = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert written == {file.name: file.read_bytes() for file in FILES}
    assert {file.name for file in FOLDER.iterdir()} == {*written, "README.md"}


def test_every_code_of_step_3_and_every_seal_code_has_a_case() -> None:
    text = "".join(file.read_text("utf-8") for file in FILES)
    for code in ("entry.too-large", "entry.noncanonical", "entry.unknown-kind", "entry.malformed"):
        assert f'"code": "{code}"' in text
    for code in ("key", "height", "prev", "size", "root", "time", "state"):
        assert f'"seal.{code}"' in text
