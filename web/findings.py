"""What each finding and each suspicion of an audit means, in a sentence for people (FORMAT §12, RULES §6)."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from chain.note import format_vkey
from ledger.suspicions import Suspicion
from web.i18n import marked
from web.i18n import translate as _
from web.text import sentence

if TYPE_CHECKING:
    from verify.audit import LedgerReport

RULE = "rule."
UNPINNED_SHOWN_MAX = 20

FINDINGS = {
    "log.truncated": marked("entries are missing that were there: the ledger was cut, or a part of it was lost"),
    "log.fork": marked("what you kept shows another history: this ledger was rewritten since"),
    "log.rollback": marked("what you kept is of a longer ledger: this one was cut back to an older state"),
    "log.promise-broken": marked("the node promised an entry that the ledger does not hold"),
    "checkpoint.missing": marked("the node has vouched for nothing in this ledger"),
    "checkpoint.malformed": marked("what should be a checkpoint is none, or is one of another ledger"),
    "checkpoint.signature": marked("a signature that the checkpoint needs is missing or wrong"),
    "checkpoint.root": marked("the checkpoint vouches for other entries than these"),
    "checkpoint.not-at-seal": marked("the checkpoint does not stand behind a seal"),
    "quorum.unmet": marked("too few of the witnesses whom the trust file asks for have cosigned"),
    "entry.too-large": marked("the entry cannot be read: it is too large, or not bytes"),
    "entry.noncanonical": marked("the entry's bytes are not in the one form that is allowed: they were changed"),
    "entry.unknown-kind": marked("the entry is of a kind that this program does not know"),
    "entry.malformed": marked("a field of the entry is missing, surplus, or not what it must be"),
    "entry.unknown-key": marked("a key that signs the entry is not on the ledger, or counts no more"),
    "entry.sheet": marked("the entry's place on its sheet is impossible"),
    "entry.signature": marked("the entry was changed after it was signed, or was never signed so"),
    "entry.seq": marked("the entry repeats an older one of its author"),
    "seal.key": marked("the seal is not the node's alone"),
    "seal.height": marked("the seals do not count up by one"),
    "seal.prev": marked("the seal does not follow the seal before it"),
    "seal.size": marked("the seal stands in another place than it says, or its block is too large"),
    "seal.root": marked("the entries before the seal are not those that it sealed"),
    "seal.time": marked("the seal's time cannot be true"),
    "seal.state": marked("the balances that follow from the entries are not those that were sealed"),
    "transfer.unproven": marked("the ledger that the hours came from, or that refused them, does not say so"),
    "transfer.twice": marked("the same hours were taken twice"),
    "org.unadmitted": marked("no ledger above admits this one with its key: it may be anybody's"),
    "org.twice": marked("this ledger admits one that belongs to another, or that another admits, too"),
    "sum.nonzero": marked("hours or money came from nowhere: the sum over all accounts is not zero"),
    "balance.differs": marked("a published balance does not follow from the entries"),
}

SUSPICIONS = {
    "overlap": marked("one volunteer gave two services at the same time"),
    "night": marked("a service lies in the night"),
    "reciprocal": marked("two people serve each other again and again"),
    "gifts": marked("somebody gives hours away again and again"),
    "ring": marked("a few people serve each other in a circle"),
    "paper_heavy": marked("one recorder has almost only paper, where the others have not"),
    "same_certifier": marked("one pair records and certifies almost everything, though others could"),
    "burst": marked("many services of past days were recorded at once"),
    "round": marked("one volunteer has only whole hours"),
    "impossible": marked("somebody was served more than 24 hours in a day"),
    "sleeper": marked("an account only gives hours away, and nobody has seen the person serve or be served"),
}


def explain(code: str) -> str:
    """What a finding means, in the language in use."""
    if code.startswith(RULE):
        return _("the rules refuse this entry: {why}").format(why=sentence(code.removeprefix(RULE)))
    return _(FINDINGS[code])


def pin_lines(reports: "Sequence[LedgerReport]") -> Iterator[str]:
    """What to write into the trust file for ledgers of which it pins no key; nothing where there are none."""
    from verify.checkpoints import NOT_PINNED

    unpinned = [each for each in reports if any(finding.detail == NOT_PINNED for finding in each.findings)]
    if not unpinned:
        return
    yield _("The trust file pins no key of these ledgers, so nothing shows whose they are. Either pin each:")
    for each in unpinned[:UNPINNED_SHOWN_MAX]:
        yield f"  log {format_vkey(each.genesis_key)}" if each.genesis_key is not None else f"  {each.origin}"
    if len(unpinned) > UNPINNED_SHOWN_MAX:
        yield _("  … and {count} more").format(count=len(unpinned) - UNPINNED_SHOWN_MAX)
    yield _(
        "once the line is the same as on the committee's paper. Or pin the ledger above that admits them, and audit it"
        " together with them: `huzhu verify ledger.db mirror.db --trust FILE`."
    )


def suspicion_lines(suspicion: Suspicion) -> Iterator[str]:
    """What is unusual, about whom, and the entries it rests on."""
    yield f"? {suspicion.code}  {suspicion.account}  {_(SUSPICIONS[suspicion.code])}"
    yield f"    {_(suspicion.text).format(**suspicion.values)}"
    yield "    " + _("entries {indexes}").format(indexes=", ".join(map(str, suspicion.entries)))
