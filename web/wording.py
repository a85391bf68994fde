"""What the parts below say in English, in the reader's language: they do no I/O, and know of no languages.

    worded("the trust file pins no key of a.example/x")       # "信任文件没有固定 a.example/x 的公钥"

Each template is a msgid; what stands in its gaps is taken from the English sentence, and worded in turn where it is a
sentence itself. What fits no template stays as it is: the name of a field, or something that only a program reads.
"""

import re
from functools import cache

from web.i18n import ENGLISH, language, marked, translate

TEMPLATES = (
    # Receipts and proofs (verify)
    marked("the trust file pins no key of this log"),
    marked("the trust file pins no key of {origin}"),
    marked("no pinned key of {origin} has signed the checkpoint"),
    marked("the signature by {name} on the checkpoint does not verify"),
    marked("the checkpoint lacks the quorum {name} of the trust file"),
    marked("the seal is not the node's own, by a pinned key"),
    marked("the seal's own signature does not verify"),
    marked("the entry behind the balance is no seal"),
    marked("nothing leads from a pinned key to {origin}"),
    marked("the admissions do not lead from a pinned key to {origin}"),
    marked("it is no receipt of a balance"),
    marked("the balances are not those that the seal states"),
    marked("the receipt is of the ledger {origin}"),
    marked("the proof of leaf {index} does not lead to the root of the tree of {size}"),
    marked("the proof of leaf {index} in a tree of {size} is too long: {count} hashes"),
    marked("the proof of leaf {index} in a tree of {size} is too short: {count} hashes"),
    marked("a receipt has at most {most} bytes, not {count}"),
    marked("a proof to the root has at most {most} bytes, not {count}"),
    marked("the proof does not begin with the line {line}"),
    marked("the proof holds no receipt"),
    marked("the proof goes on after its last receipt, or was cut off in it"),
    marked("the receipt has no empty line after its proof, or something else than ASCII before it"),
    # Notes, keys and checkpoints (chain)
    marked("the note has no empty line between its text and its signatures"),
    marked("the note does not end with a signature and the end of its line: it was cut off"),
    marked("the note is too long: {count} bytes"),
    marked("a checkpoint has three lines: origin, tree size and root, and no others"),
    marked("the checkpoint has no signature by the key {name}"),
    marked("{text} is not an origin"),
    marked("{text} is not a verifier key: <name>+<8 hex digits>+<base64>"),
    marked("the verifier key of {name} says hash {said}, but its key has {found}"),
    marked("{text} is not base64: {error}"),
    marked("{text} is not the one spelling of its bytes in base64"),
    marked("{text} holds {count} bytes, not {wanted}"),
    marked("this is no fork file: its first line is not {line}"),
    marked("a fork file has at most {most} bytes, not {count}"),
    marked("a fork file has a head and two signed notes, with an empty line between them"),
    # Trust files (chain.policy)
    marked("policy line {number}: {error}"),
    marked("it begins with {word}; write log, witness, group, quorum or #"),
    marked("the policy has no quorum line; end it with `quorum <name>` or `quorum none`"),
    marked("the policy's last line does not end: add a line end, or fetch the whole file again"),
    marked("the policy has {count} bytes; at most {most} are allowed"),
    marked("write `log <vkey>`, and at most an address after it"),
    marked("write `witness <name> <vkey>`, and at most an address after it"),
    marked("write `group <name> all|any|<k> <member>...`, with one member at least"),
    marked("write `quorum <name>` or `quorum none`"),
    marked("this log's key is in the file already; remove one of the two lines"),
    marked("this witness's key is in the file already; remove one of the two lines"),
    marked("the quorum is set already; keep one quorum line"),
    marked("{name} is not defined on a line before; define it above this line"),
    marked("{name} is defined already; choose another name"),
    marked("{name} is a member of a group already; it may stand in one group, once"),
    marked("{word} is no threshold; write all, any, or a number from 1 to {most}"),
    # What an earlier audit left (verify.frozen)
    marked("it is of another version of this program"),
    marked("it is damaged"),
    marked("it was made with other pinned keys or witnesses"),
    marked("its entries do not make the root of its newest checkpoint"),
)
"""The sentences that people meet most."""

DEPTH_MAX = 3
TEXT_MAX_CHARACTERS = 2_000
"""A longer one is no sentence of ours."""


def worded(text: object, depth: int = DEPTH_MAX) -> str:
    """A sentence of the parts below, such as an error's, in the language in use here."""
    said = str(text)
    if language() == ENGLISH or not depth or len(said) > TEXT_MAX_CHARACTERS:
        return said
    for template in TEMPLATES:
        found = _pattern(template).fullmatch(said)
        if found is not None:
            gaps = {name: worded(each, depth - 1) for name, each in found.groupdict().items()}
            return translate(template).format_map(gaps)
    return said


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """What a template's sentences look like."""
    parts = re.split(r"\{(\w+)\}", template)
    gaps = (f"(?P<{part}>.+?)" if place % 2 else re.escape(part) for place, part in enumerate(parts))
    return re.compile("".join(gaps), re.DOTALL)
