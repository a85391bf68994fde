"""Writes the worked examples of ``chain/FORMAT.md`` anew, through the project's own code.

    python scripts/examples.py            # rewrites what stands between the markers
    python scripts/examples.py --check    # changes nothing; status 1 where something would differ

A small ledger is made from keys whose seeds are on the page, at times that are on the page; nothing in it is drawn at
random, so that the same bytes come out on every machine. Each function named in ``EXAMPLES`` writes one example.
"""

import datetime
import hashlib
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

from chain.canonical import format_canonical
from chain.checkpoint import Checkpoint, format_checkpoint_text, open_checkpoint
from chain.cosignature import cosign_ed25519, cosign_mldsa44, member_name
from chain.entry import Body, join_entry, statement_of
from chain.errors import EntryError
from chain.fields import UTC, format_time
from chain.keys import MldsaSigningKey, SigningKey
from chain.merkle import leaf_hash, levels_of, path_in, prove_consistency, prove_inclusion, root_of
from chain.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    ED25519,
    Note,
    add_signatures,
    format_note,
    format_vkey,
    make_vkey,
)
from chain.tile import Bundle, Tile, format_bundle, format_entries_path, format_tile_path
from ledger.bodies import AccountOpen, Evidence, Opening, Service
from ledger.kinds import CODEC
from ledger.numbers import account_number
from node import Accepted, Founding, Node, NodeKeys
from store.log import MemoryStore

PAGE = Path(__file__).resolve().parent.parent / "chain" / "FORMAT.md"
BEGIN, END = "<!-- example:{name} -->", "<!-- /example -->"

ORIGIN = "village.example/huzhu"
BEGINNING = datetime.datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
HOUR = datetime.timedelta(hours=1)
ELDER, VOLUNTEER = account_number(100_001), account_number(200_002)
SHOWN_MLDSA_CHARACTERS = 16
"""Key hash and time, 12 bytes: what comes after them is another at each signing."""

NAMES = ("node", "clerk", "member one", "member two")


def seed_of(name: str) -> bytes:
    """The seed of the example key of that name."""
    return hashlib.sha256(f"huzhu example {name}".encode()).digest()


def digest(text: str) -> bytes:
    """What stands for the hash of a paper or a file."""
    return hashlib.sha256(text.encode()).digest()


class Example:
    """The ledger of the examples: genesis, a seal, two accounts, an opening, a service, a seal."""

    def __init__(self) -> None:
        self.keys = {name: SigningKey(seed_of(name)) for name in NAMES}
        self.mldsa = MldsaSigningKey(seed_of("node mldsa"))
        self._now = BEGINNING
        self.node = Node(MemoryStore(ORIGIN), NodeKeys(self.keys["node"]), lambda: self._now)
        clerk, one, two = (self.keys[name] for name in NAMES[1:])
        self.node.found(Founding(origin=ORIGIN, clerks=[clerk], members=[one, two], threshold=2))
        self._now += HOUR
        people = [
            AccountOpen(
                account=ELDER, band=1945, dossier=digest("a dossier"), elder=True, holder="person", redeemable=True
            ),
            AccountOpen(
                account=VOLUNTEER, band=1985, dossier=digest("another dossier"), holder="person", volunteer=True
            ),
        ]
        self._write(clerk, [one], *people)
        self._now += HOUR
        self._write(clerk, [one, two], Opening(account=ELDER, minutes=120, source=digest("the old book")))
        self._now += HOUR
        service = Service(
            category="assistance",
            end=self._now - HOUR / 2,
            evidence=Evidence(form="paper", hash=digest("a day sheet")),
            local="meals",
            minutes=60,
            paid_by="recipient",
            provider=VOLUNTEER,
            recipient=ELDER,
            start=self._now - HOUR * 3 / 2,
        )
        self._write(clerk, [one], service)
        self._now += HOUR
        self.node.seal()
        self.entries = list(self.node.store.entries(0, self.node.store.size))
        self.hashes = [leaf_hash(raw) for raw in self.entries]
        self.checkpoint, self.note = open_checkpoint(self.node.checkpoint())

    def _write(self, author: SigningKey, beside: list[SigningKey], *bodies: Body) -> None:
        for result in self.node.write(author, beside, bodies):
            if not isinstance(result, Accepted):
                raise RuntimeError(f"the example ledger refuses its own entry: {result.outcome} {result.detail}")

    def statement(self, index: int) -> bytes:
        """The statement in the entry at ``index``."""
        return statement_of(self.entries[index], CODEC.parse(self.entries[index]))

    def read(self, level: int, index: int) -> bytes:
        """A node of the log's tree (``chain.merkle.ReadNode``)."""
        return self.node.store.hashes.read(level, index)


# How examples are written


def base64(raw: bytes) -> str:
    return b64encode(raw).decode()


def block(*lines: str) -> str:
    """A fenced block."""
    return "\n".join(("```text", *lines, "```"))


def fields(**values: str | bytes | int) -> str:
    """A fenced block of names and values; bytes as base64."""
    width = max(map(len, values))
    shown = {name: base64(value) if isinstance(value, bytes) else value for name, value in values.items()}
    return block(*(f"{name.replace('_', ' '):{width}}  {value}" for name, value in shown.items()))


def numbered(values: list[bytes]) -> str:
    """A fenced block of hashes."""
    return block(*(f"{index}  {base64(value)}" for index, value in enumerate(values)))


def hex_lines(raw: bytes) -> list[str]:
    """Bytes in hex, 32 a line."""
    return [raw[start : start + 32].hex() for start in range(0, len(raw), 32)]


# The examples


def canonical(_: Example) -> Iterator[str]:
    value = {"text": '互助 "a\\b"', "list": [0, -1, 2**53 - 1], "flag": True, "map": {"b": "é", "a": []}}
    raw = format_canonical(value)
    yield "The keys `text`, `list`, `flag` and `map` in canonical bytes, as text and in hex:"
    yield block(raw.decode(), *hex_lines(raw))


def refused(example: Example) -> Iterator[str]:
    yield "What is changed in entry 5 below, and the code of step 3 (§12) that follows:"
    raw = example.entries[5]
    changes = (
        ("a space after a colon", b'"seq":', b'"seq": '),
        ("a character written as an escape that needs none", b'"meals"', b'"me\\u0061ls"'),
        ("a number with a fraction", b'"minutes":60', b'"minutes":60.0'),
        ("a number that is 2^53", b'"minutes":60', b'"minutes":9007199254740992'),
        ("`null` for an absent field", b'"local":"meals"', b'"local":null'),
        ("a control character (U+0085) in a string", b'"meals"', b'"me\xc2\x85ls"'),
        ("another kind", b'"kind":"service"', b'"kind":"servise"'),
        ("another version", b'"v":1', b'"v":2'),
        ("an unknown field of the body", b'"local":"meals"', b'"local":"meals","meal":"soup"'),
        ("a flag or enumeration with another value", b'"paid_by":"recipient"', b'"paid_by":"volunteer"'),
        ("a string without a character", b'"local":"meals"', b'"local":""'),
        ("a second that does not exist", b":30:00Z", b":30:60Z"),
        ("base64 that does not re-encode to itself", b'="}', b'"}'),
        ("a count below its least value", b'"minutes":60', b'"minutes":0'),
    )
    rows = ["| change | code |", "|---|---|"]
    for what, old, new in changes:
        if old not in raw:
            raise RuntimeError(f"entry 5 does not hold {old!r}")
        rows.append(f"| {what} | `{_code(raw.replace(old, new, 1))}` |")
    entry = CODEC.parse(raw)
    signatures = tuple(reversed(entry.sigs))
    rows.append(f"| the signatures in another order | `{_code(join_entry(example.statement(5), None, signatures))}` |")
    yield "\n".join(rows)


def _code(raw: bytes) -> str:
    try:
        CODEC.parse(raw)
    except EntryError as error:
        return error.code
    raise RuntimeError(f"these bytes are an entry, and should not be: {raw!r}")


def keys(example: Example) -> Iterator[str]:
    yield (
        "The keys of the examples. Each seed is the SHA-256 of the ASCII text `huzhu example ` and the name; never use"
        " them."
    )
    rows = ["| name | seed (hex) | public key (base64) | key id |", "|---|---|---|---|"]
    rows += [f"| {n} | `{k.seed.hex()}` | `{base64(k.public)}` | `{k.id}` |" for n, k in example.keys.items()]
    yield "\n".join(rows)
    node = example.keys["node"]
    yield f"The key id of `node` is the beginning of the SHA-256 of these {13 + len(node.public)} bytes (hex):"
    yield block((b"huzhu/key/v1\n" + node.public).hex())
    yield "Its verifier key, as an auditor pins it, and that of `member one` as a cosigner (§6):"
    one = example.keys["member one"]
    cosigner = make_vkey(member_name(ORIGIN, one.id), COSIGNATURE_ED25519, one.public)
    yield block(format_vkey(make_vkey(ORIGIN, ED25519, node.public)), format_vkey(cosigner))


def statement(example: Example) -> Iterator[str]:
    yield "Two statements, each one line without its end. The clerk opens two accounts, and `member one` signs beside:"
    yield block(*(example.statement(index).decode() for index in (2, 3)))


def sheet(example: Example) -> Iterator[str]:
    statements = [example.statement(index) for index in (2, 3)]
    hashes = [leaf_hash(raw) for raw in statements]
    entry = CODEC.parse(example.entries[2])
    as_author, as_beside = example.node.domain.messages(entry.by, 2, root_of(hashes))
    yield "The sheet of these two: leaf hashes of the statements, and the root."
    yield fields(statement_0=hashes[0], statement_1=hashes[1], root=root_of(hashes))
    yield "What the clerk signs, and what `member one` signs; each line, the last one too, ends in LF:"
    yield block(*as_author.decode().splitlines())
    yield block(*as_beside.decode().splitlines())
    yield "The two signatures:"
    yield fields(clerk=entry.sigs[0].sig, member_one=entry.sigs[1].sig)


def entry(example: Example) -> Iterator[str]:
    yield "The entries 2 and 3 that come of this sheet, each with its place on it:"
    yield block(*(example.entries[index].decode() for index in (2, 3)))
    yield (
        "Two sheets of one statement: entry 4, an opening with two members beside, and entry 5, a service on paper. The"
        " root that is signed is the leaf hash of the one statement."
    )
    yield block(*(example.entries[index].decode() for index in (4, 5)))
    yield fields(root_of_entry_4=leaf_hash(example.statement(4)), root_of_entry_5=leaf_hash(example.statement(5)))


def promise(example: Example) -> Iterator[str]:
    yield "The promise of entry 5. The note's text is the five lines before the empty one, each with its LF:"
    yield block(*example.node.promise(5).decode().splitlines())


def tree(example: Example) -> Iterator[str]:
    size = len(example.hashes)
    yield "The leaf hashes of the example's entries 0 to 6:"
    yield numbered(example.hashes)
    yield "The roots of the first 1, 2, … of them (size, root):"
    yield block(*(f"{end}  {base64(root_of(example.hashes[:end]))}" for end in range(1, size + 1)))
    yield f"The inclusion path of entry 5 in the tree of {size}, and the consistency proof from 2 to {size}:"
    yield numbered(prove_inclusion(5, size, example.read))
    yield numbered(prove_consistency(2, size, example.read))
    path, bundle = Tile(0, 0, size), format_bundle(example.entries)
    yield (
        f"As files: `{format_tile_path(path)}` is the {size * 32} bytes of the leaf hashes side by side;"
        f" `{format_entries_path(Bundle(0, size))}` has {len(bundle)} bytes, of SHA-256"
        f" `{hashlib.sha256(bundle).hexdigest()}`, and begins with the length of entry 0, `{bundle[:2].hex()}`."
    )


def genesis(example: Example) -> Iterator[str]:
    yield (
        "Entry 0 of the example. So that all bytes of this page can be made again it names no ML-DSA-44 key; nobody but"
        " the node signs it, over 32 zero bytes in place of its own leaf hash."
    )
    yield block(example.entries[0].decode())
    yield block(*_message_of(example, 0))


def seal(example: Example) -> Iterator[str]:
    yield "The seals of the example, entries 1 and 6, which close the blocks 0 and 1:"
    yield block(*(example.entries[index].decode() for index in (1, 6)))
    yield "What the node signs for entry 6:"
    yield block(*_message_of(example, 6))


def _message_of(example: Example, index: int) -> list[str]:
    """What the author of a sheet of one signs."""
    domain = example.node.domain if index else type(example.node.domain)(ORIGIN)
    by = CODEC.parse(example.entries[index]).by
    return domain.messages(by, 1, leaf_hash(example.statement(index)))[0].decode().splitlines()


def checkpoint(example: Example) -> Iterator[str]:
    yield "The checkpoint of size 7, as the node signs it:"
    yield block(*example.node.checkpoint().decode().splitlines())
    sealed = example.node.state.sealed_at or BEGINNING
    seconds, one = int(sealed.timestamp()) + 60, example.keys["member one"]
    name = member_name(ORIGIN, one.id)
    ours = cosign_ed25519(example.checkpoint, name, one, seconds)
    yield f"`member one` cosigns it (type 0x04) at {format_time(sealed + HOUR / 60)}, {seconds}. It signs"
    yield block("cosignature/v1", f"time {seconds}", *format_checkpoint_text(example.checkpoint).splitlines())
    yield "and the note has a second line:"
    yield block(*_lines(add_signatures(example.note, ours))[4:])
    yield from _mldsa(example, seconds)


def _mldsa(example: Example, seconds: int) -> Iterator[str]:
    """The ML-DSA-44 line; its signature differs each time it is made and is left out."""
    key = example.mldsa
    vkey = make_vkey(ORIGIN, COSIGNATURE_MLDSA44, key.public)
    line = cosign_mldsa44(example.checkpoint, ORIGIN, key, seconds)
    yield (
        f"Where the node has an ML-DSA-44 key too, here the one of the seed SHA-256(`huzhu example node mldsa`), whose"
        f" public key has the SHA-256 `{hashlib.sha256(key.public).hexdigest()}` and the key hash `{vkey.hash.hex()}`,"
        " it signs these bytes (hex), with an empty context (FIPS 204),"
    )
    yield block(*hex_lines(_mldsa_message(example.checkpoint, seconds)))
    shown = _lines(Note(example.note.text, (line,)))[-1][: len(f"— {ORIGIN} ") + SHOWN_MLDSA_CHARACTERS]
    yield (
        "and the note has the line below. Its first 12 bytes are the key hash and the time; the 2,420 bytes of the"
        " signature follow, which differ each time it is made:"
    )
    yield block(f"{shown}…")


def _mldsa_message(checkpoint: Checkpoint, seconds: int) -> bytes:
    """Taken from what the cosigner really hands to its key."""
    signed: list[bytes] = []

    class Listener(MldsaSigningKey):
        def sign(self, message: bytes) -> bytes:
            signed.append(message)
            return bytes(2_420)

    cosign_mldsa44(checkpoint, ORIGIN, Listener(seed_of("node mldsa")), seconds)
    return signed[0]


def _lines(note: Note) -> list[str]:
    return format_note(note).decode().splitlines()


def state(example: Example) -> Iterator[str]:
    leaves = [account.leaf() for account in example.node.state.accounts.values()]
    hashes = [leaf_hash(leaf) for leaf in leaves]
    yield (
        "The leaves after entry 6, in order of position. The elder had 120 minutes from the old book and spent 60; the"
        " volunteer's 60 are held, because `posting_days` is 3."
    )
    yield block(*(leaf.decode() for leaf in leaves))
    yield "Their leaf hashes, and the root, which entry 6 states as `state`:"
    yield numbered(hashes)
    yield fields(root=root_of(hashes))
    yield "The path of position 5:"
    yield numbered(path_in(levels_of(hashes), 5))


def receipt(example: Example) -> Iterator[str]:
    yield "The receipt of entry 5, from the checkpoint of size 7:"
    yield block(*example.node.receipt(5).decode().splitlines())


def balance_receipt(example: Example) -> Iterator[str]:
    yield f"The balance receipt of account {VOLUNTEER}, as of entry 6:"
    yield block(*example.node.balance_receipt(VOLUNTEER).decode().splitlines())


EXAMPLES: dict[str, Callable[[Example], Iterator[str]]] = {
    "canonical": canonical,
    "refused": refused,
    "keys": keys,
    "statement": statement,
    "sheet": sheet,
    "entry": entry,
    "promise": promise,
    "tree": tree,
    "genesis": genesis,
    "seal": seal,
    "checkpoint": checkpoint,
    "state": state,
    "receipt": receipt,
    "balance-receipt": balance_receipt,
}


def fill(page: str) -> str:
    """The page with every example written anew; ValueError where its markers are not those of ``EXAMPLES``."""
    example = Example()
    for name, write in EXAMPLES.items():
        before, begin, rest = page.partition(BEGIN.format(name=name))
        old, end, after = rest.partition(END)
        if not (begin and end) or "<!-- example:" in old:
            raise ValueError(f"the page has no example {name!r}, or one without its end")
        page = "".join((before, begin, "\n", "\n\n".join(write(example)), "\n", end, after))
    if page.count("<!-- example:") != len(EXAMPLES):
        raise ValueError("the page has examples that nothing writes")
    return page


def main(arguments: list[str]) -> int:
    old = PAGE.read_text("utf-8")
    new = fill(old)
    if arguments == ["--check"]:
        return int(old != new)
    PAGE.write_text(new, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
