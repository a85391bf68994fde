"""Shows what a proof to the root proves, and all that it rests on."""

from collections.abc import Iterator
from gettext import gettext as _
from typing import TYPE_CHECKING, Any

from chain.fields import format_time
from chain.policy import Policy
from verify.receipts import ReceiptError
from verify.rootproof import ProvenToRoot, check_root_proof
from web.command import DONE, WRONG
from web.telling import entry_lines
from web.text import named_kind
from web.wording import worded

if TYPE_CHECKING:
    from web.session import Session


def show_root_proof(session: "Session", raw: bytes, policy: Policy) -> int:
    """Check it, and print what came out."""
    try:
        proven = check_root_proof(raw, policy)
    except ReceiptError as error:
        session.print({"proven": False, "detail": str(error)}, [_("NOT PROVEN: {why}").format(why=worded(error))])
        return WRONG
    session.print(plain_root_proof(proven), list(root_proof_lines(proven)))
    return DONE


def plain_root_proof(proven: ProvenToRoot) -> dict[str, Any]:
    """For programs: the entry, and each step up to the root."""
    import msgspec

    first = proven.entry
    return {
        "proven": True,
        "origin": first.checkpoint.origin,
        "size": first.checkpoint.size,
        "index": first.index,
        "kind": first.entry.kind,
        "at": format_time(first.entry.at),
        "root": proven.root.checkpoint.origin,
        "unsigned": list(proven.unsigned),
        "anchors": [
            {
                "origin": step.checkpoint.origin,
                "size": step.checkpoint.size,
                "index": step.index,
                "at": format_time(step.entry.at),
            }
            for step in proven.steps[1:]
        ],
        "entry": msgspec.to_builtins(first.entry),
    }


def root_proof_lines(proven: ProvenToRoot) -> Iterator[str]:
    """For people."""
    first, root = proven.entry, proven.root
    text = _("PROVEN up to the log {root}, whose key the trust file pins:")
    yield text.format(root=root.checkpoint.origin)
    text = _("entry {index} of {origin}, {kind}, stated at {at}")
    yield "  " + text.format(
        index=first.index,
        origin=first.checkpoint.origin,
        kind=named_kind(first.entry.kind),
        at=format_time(first.entry.at),
    )
    for line in entry_lines(first.entry):
        yield "  " + line
    below = first
    for step in proven.steps[1:]:
        text = _("its log at size {size} is anchored by entry {index} of {origin}, stated at {at}")
        yield "  " + text.format(
            size=below.checkpoint.size,
            index=step.index,
            origin=step.checkpoint.origin,
            at=format_time(step.entry.at),
        )
        below = step
    if proven.unsigned:
        text = _(
            "It rests on that key, and on the word of those that anchored: the trust file pins no key of {origins}."
        )
        yield text.format(origins=", ".join(proven.unsigned))
    yield _("That the entry and the anchors keep the rules, the audits of these logs say.")
