"""Writes tests/vectors/witness/: a request to a witness, what it has cosigned before, and what it must answer.

    scripts/witness_vectors.py [FOLDER]
"""

import json
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from chain.checkpoint import Checkpoint, sign_checkpoint  # noqa: E402
from chain.cosignature import cosign_ed25519  # noqa: E402
from chain.keys import SigningKey  # noqa: E402
from chain.merkle import leaf_hash, levels_of, prove_consistency, tree_root  # noqa: E402
from chain.note import ED25519, format_note, format_vkey, make_vkey  # noqa: E402

FOLDER = ROOT / "tests" / "vectors" / "witness"
ORIGIN, OTHER_ORIGIN = "village.example/huzhu", "other.example/huzhu"
WITNESS = "witness.county.example"
KEY, OTHER_KEY = SigningKey(bytes(range(32))), SigningKey(bytes(range(1, 33)))
WITNESS_SEED, WITNESS_MLDSA_SEED = bytes(range(2, 34)), bytes(range(3, 35))
SECONDS = 1_770_000_000
TRUE = levels_of([leaf_hash(b"entry %d" % index) for index in range(40)])
FALSE = levels_of([leaf_hash(b"entry %d" % (index if index != 5 else 99)) for index in range(40)])
SIZE = 9

Case = dict[str, Any]


def root(size: int, levels: list[list[bytes]] = TRUE) -> bytes:
    return tree_root(size, lambda level, index: levels[level][index])


def proof(size1: int, size2: int, levels: list[list[bytes]] = TRUE) -> list[bytes]:
    return prove_consistency(size1, size2, lambda level, index: levels[level][index])


def note(size: int, levels: list[list[bytes]] = TRUE, key: SigningKey = KEY, origin: str = ORIGIN) -> str:
    return format_note(sign_checkpoint(Checkpoint(origin, size, root(size, levels)), key)).decode()


def wrong_root(size: int) -> str:
    return format_note(sign_checkpoint(Checkpoint(ORIGIN, size, bytes(32)), KEY)).decode()


def request(old: object, hashes: list[bytes], signed: str) -> str:
    return "".join(f"{line}\n" for line in (f"old {old}", *(b64encode(each).decode() for each in hashes), "")) + signed


def with_strangers(size: int) -> str:
    """Lines before and after the log's own: by a key of the same name, a witness, an unknown type, the same again."""
    checkpoint = Checkpoint(ORIGIN, size, root(size))
    signed = sign_checkpoint(checkpoint, KEY)
    text, _gap, own = format_note(signed).decode().partition("\n\n")
    stranger = format_note(sign_checkpoint(checkpoint, OTHER_KEY)).decode().partition("\n\n")[2]
    old = format_note(sign_checkpoint(checkpoint, OTHER_KEY, cosign_ed25519(checkpoint, "w.example", OTHER_KEY, 7)))
    witness = old.decode().partition("\n\n")[2].split("\n")[1] + "\n"
    return f"{text}\n\n{stranger}{witness}— {ORIGIN} {b64encode(bytes(90)).decode()}\n{own}{own}"


def swapped(signed: str) -> str:
    """The log's key name and hash over another's signature."""
    text, _gap, line = signed.partition("\n\n")
    *head, blob = line.rstrip("\n").split(" ")
    return f"{text}\n\n{' '.join(head)} {blob[:20]}{'A' if blob[20] != 'A' else 'B'}{blob[21:]}\n"


def case(what: str, stored: str | None, sent: str, status: int, **more: Any) -> Case:
    return {"what": what, "stored": stored, "request": sent, "status": status, "evidence": None, **more}


def refused(stored: str | None, sent: str, what: str = "") -> Case:
    return case(what or "The request is malformed.", stored, sent, 400)


def conflict(what: str, stored: str | None, sent: str, size: int, evidence: str | None = None) -> Case:
    return case(what, stored, sent, 409, content_type="text/x.tlog.size", body=f"{size}\n", evidence=evidence)


def cases() -> Iterator[tuple[str, Case]]:
    yield from accepted_cases()
    yield from malformed_cases()
    good = request(0, [], note(SIZE))
    yield "origin-unknown", case("No log of that origin is known.", None, good.replace(ORIGIN, OTHER_ORIGIN), 404)
    for name, signed in (
        ("signed-by-a-stranger", note(SIZE, key=OTHER_KEY)),
        ("signature-wrong", swapped(note(SIZE))),
        ("signed-over-another-root", note(SIZE).replace(note(SIZE).split("\n")[2], note(8).split("\n")[2])),
    ):
        yield name, case("No signature by the log's key verifies.", None, request(0, [], signed), 403)
        what = "The signature is looked at first."
        yield f"{name}-and-old-beyond-new", case(what, None, request(99, [], signed), 403)
    yield "old-beyond-new", case("The old size is larger than the new.", None, request(10, [], note(SIZE)), 400)
    yield "old-beyond-new-as-stored", case("The same.", note(20), request(20, [], note(SIZE)), 400)
    yield "old-not-stored", conflict("Something was cosigned.", note(SIZE), request(0, [], note(20)), SIZE)
    yield "old-behind-stored", conflict("More was cosigned.", note(SIZE), request(8, proof(8, 20), note(20)), SIZE)
    yield "old-ahead-of-stored", conflict("Less was cosigned.", note(SIZE), request(10, proof(10, 20), note(20)), SIZE)
    yield "old-of-nothing-stored", conflict("Nothing was cosigned.", None, request(SIZE, proof(SIZE, 20), note(20)), 0)
    yield "smaller-again", conflict("A smaller tree is no news.", note(20), request(SIZE, [], note(SIZE)), 20)
    what = "One size has two roots."
    yield "same-size-other-root", conflict(what, note(SIZE), request(SIZE, [], note(SIZE, FALSE)), SIZE, "fork")
    yield "same-size-other-root-with-a-proof", conflict(
        what, note(SIZE), request(SIZE, proof(5, 9), note(SIZE, FALSE)), SIZE, "fork"
    )
    yield "same-size-other-root-from-nothing", conflict(
        what, note(SIZE), request(0, [], note(SIZE, FALSE)), SIZE, "fork"
    )
    yield from proof_cases()


def accepted_cases() -> Iterator[tuple[str, Case]]:
    good: list[tuple[str, str | None, str, str]] = [
        ("first", None, request(0, [], note(SIZE)), "Nothing was cosigned before."),
        ("first-and-empty", None, request(0, [], note(0)), "An empty log has a checkpoint too."),
        ("from-empty", note(0), request(0, [], note(SIZE)), "From the empty tree no proof is needed."),
        ("goes-on", note(SIZE), request(SIZE, proof(SIZE, 20), note(20)), "The proof leads on."),
        ("goes-on-from-a-power-of-two", note(8), request(8, proof(8, 20), note(20)), "The first hash is left out."),
        ("goes-on-to-a-power-of-two", note(SIZE), request(SIZE, proof(SIZE, 32), note(32)), "The proof leads on."),
        ("same-again", note(SIZE), request(SIZE, [], note(SIZE)), "It is cosigned again, with the time of now."),
        ("lines-of-strangers", None, request(0, [], with_strangers(SIZE)), "Lines by unknown keys are ignored."),
    ]
    for name, stored, sent, what in good:
        yield name, case(what, stored, sent, 200, signed=sent.partition("\n\n")[2].partition("\n\n")[0] + "\n")


def malformed_cases() -> Iterator[tuple[str, Case]]:
    good = request(SIZE, proof(SIZE, 20), note(20))
    first_hash = b64encode(proof(SIZE, 20)[0]).decode()
    changes = {
        "empty": "",
        "no-old-line": good.partition("\n")[2],
        "old-in-capitals": good.replace("old", "Old", 1),
        "old-two-spaces": good.replace("old ", "old  ", 1),
        "old-tab": good.replace("old ", "old\t", 1),
        "old-leading-zero": good.replace("old 9", "old 09", 1),
        "old-plus": good.replace("old 9", "old +9", 1),
        "old-negative": good.replace("old 9", "old -9", 1),
        "old-no-number": good.replace("old 9", "old", 1),
        "old-full-width": good.replace("old 9", "old ９", 1),
        "old-beyond-all": good.replace("old 9", "old 99999999999999999999999", 1),
        "old-trailing-space": good.replace("old 9", "old 9 ", 1),
        "carriage-returns": good.replace("\n", "\r\n"),
        "hash-no-base64": good.replace(first_hash, "!" * 44, 1),
        "hash-url-safe": good.replace(first_hash, "-_" * 21 + "A=", 1),
        "hash-too-short": good.replace(first_hash, b64encode(bytes(31)).decode(), 1),
        "hash-too-long": good.replace(first_hash, b64encode(bytes(33)).decode(), 1),
        "hash-not-its-one-spelling": good.replace(first_hash, "A" * 42 + "B=", 1),
        "hashes-64": request(SIZE, [bytes(32)] * 64, note(20)),
        "no-empty-line": good.replace("\n\n", "\n", 1),
        "two-empty-lines": good.replace("\n\n", "\n\n\n", 1),
        "no-checkpoint": good.partition("\n\n")[0] + "\n\n",
        "checkpoint-without-signatures": good.rpartition("\n\n")[0] + "\n",
        "checkpoint-cut-off": good[:-1],
        "checkpoint-extension-line": good.replace("\n\n—", "\nmore\n\n—"),
        "checkpoint-size-leading-zero": good.replace("\n20\n", "\n020\n"),
        "checkpoint-root-too-short": good.replace(note(20).split("\n")[2], b64encode(bytes(31)).decode()),
        "checkpoint-origin-empty": good.replace(f"\n{ORIGIN}\n", "\n\n"),
        "signatures-65": good + (good.rpartition("\n\n")[2] * 64),
    }
    for name, sent in changes.items():
        yield f"malformed-{name}", refused(note(SIZE), sent)


def proof_cases() -> Iterator[tuple[str, Case]]:
    hashes = proof(SIZE, 20)
    bad = {
        "missing": [],
        "hash-too-few": hashes[:-1],
        "hash-too-many": [*hashes, bytes(32)],
        "hash-wrong": [bytes(32), *hashes[1:]],
        "hashes-swapped": [hashes[1], hashes[0], *hashes[2:]],
        "of-another-size": proof(10, 20),
        "hashes-63": [bytes(32)] * 63,
    }
    for name, given in bad.items():
        what = "The consistency proof does not verify."
        yield f"proof-{name}", case(what, note(SIZE), request(SIZE, given, note(20)), 422, evidence="suspected")
    what = "The log's own proof shows that it has forked."
    sent = request(SIZE, proof(SIZE, 20, FALSE), note(20, FALSE))
    yield "proof-of-the-forked-tree", case(what, note(SIZE), sent, 422, evidence="fork")
    what = "The log has forked; from a power of two its proof does not show that."
    sent = request(8, proof(8, 20, FALSE), note(20, FALSE))
    yield "proof-of-the-forked-tree-power-of-two", case(what, note(8), sent, 422, evidence="suspected")
    what = "From nothing the proof is empty."
    yield "proof-from-nothing", case(what, None, request(0, [bytes(32)], note(SIZE)), 422)
    what = "From a tree to itself the proof is empty."
    yield "proof-to-itself", case(what, note(SIZE), request(SIZE, [bytes(32)], note(SIZE)), 422)
    yield "root-of-nothing-wrong", case("The empty tree has one root.", None, request(0, [], wrong_root(0)), 422)


def keys() -> Case:
    return {
        "what": "By whom the requests are signed, and with what seeds (hex) the witness cosigns them.",
        "log": format_vkey(make_vkey(ORIGIN, ED25519, KEY.public)),
        "witness": WITNESS,
        "seconds": SECONDS,
        "ed25519_seed": WITNESS_SEED.hex(),
        "mldsa44_seed": WITNESS_MLDSA_SEED.hex(),
    }


def completed(made: Case) -> Case:
    """With the Ed25519 line that the witness must answer; its ML-DSA-44 line is made by chance, and must verify."""
    signed = made.pop("signed", None)
    if signed is not None:
        origin, size, _root, _end = signed.split("\n")
        checkpoint = Checkpoint(origin, int(size), root(int(size)))
        line = cosign_ed25519(checkpoint, WITNESS, SigningKey(WITNESS_SEED), SECONDS)
        shown = f"— {line.name} {b64encode(line.hash + line.signature).decode()}\n"
        made |= {"content_type": "text/plain; charset=utf-8", "body": shown}
    return made


def write_all(folder: Path) -> None:
    """Write every case, and take away those that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"keys": keys(), **{name: completed(made) for name, made in cases()}}
    for name, plain in files.items():
        text = json.dumps(plain, ensure_ascii=False, indent=1)
        (folder / f"{name}.json").write_text(f"{text}\n", "utf-8")
    for old in folder.glob("*.json"):
        if old.stem not in files:
            old.unlink()


if __name__ == "__main__":
    write_all(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
