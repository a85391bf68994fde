"""One round of what a node does for its neighbours: ``huzhu tend``, run by the service on a clock, by cron or by hand.

    cosign       gather the cosignatures that our trust file asks for
    transfers    fetch the hours that others sent us, and settle them
    pull         mirror the ledgers below, each checked before it counts
    anchor       put their newest checkpoints into our own log

Each duty is done whatever became of the others. The first two do not wait for slow children; they are done once more
where those brought something. The home's lock is taken for the moments in which the ledger is
written, so that the desk and the service can write beside it.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from gettext import gettext as _
from typing import Any

from chain.checkpoint import open_checkpoint
from chain.entry import Body
from chain.limits import SHEET_MAX_STATEMENTS
from chain.merkle import prove_consistency
from chain.note import VerifierKey
from ledger.numbers import parse_address
from ledger.state import State
from store.home import Home
from store.mirror import MirrorRow, MirrorStore
from store.settings import Child
from store.tending import free_bytes, keep_evidence
from sync.anchors import due_anchors, root_proof
from sync.fetch import FetchError, Site
from sync.kept import HELD, NEW, SAME, UNADMITTED, UNREACHABLE, Pulled
from sync.library import IN, OUT, REFUSE
from sync.mirror import Mirror
from sync.quorum import gather
from sync.transfers import TransferReport, run_transfers
from web.auditing import read_policy, workers
from web.desk import DeskNode, Result, refusal
from web.history import past_of
from web.libraries import libraries_of
from web.problems import is_expected
from web.session import Session, known_index, say
from web.text import OUTCOMES, coded, named_kind

PULL, ANCHOR, TRANSFERS, COSIGN = "pull", "anchor", "transfers", "cosign"
DUTIES = (COSIGN, TRANSFERS, PULL, ANCHOR)
NOT_SEALED, NOT_TAKEN, NO_PROOF, NOT_KNOWN = "not-sealed", "not-taken", "no-proof", "not-known"
NOT_PROVEN = "not-proven"
"""What transfers wait for: those from here our seal, the other ledger, its proof, or word of it; those to here a seal
there."""
FOREIGN_MAX = 20
"""So many ledgers that belong to nobody here are named one by one: an archive may hold thousands."""
ARRIVED = "arrived"
WAITS_FOR = {IN: ARRIVED, REFUSE: NO_PROOF}
"""By what the tiers above have seen on the other ledger."""
EARLIER_CHECKPOINTS = 32
"""Among so many the one is looked for that a witness has cosigned last; else it tells."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Something that a duty could not bring to its end, for people and for programs."""

    line: str
    plain: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    """What one duty did, for people and for programs; ``alarms``: how many new ones it raised."""

    duty: str
    lines: list[str]
    plain: list[dict[str, Any]]
    alarms: int = 0
    error: Exception | None = None
    """Why it could not be done at all."""
    standing: tuple[Standing, ...] = ()
    """What is left when it has ended."""

    def all_lines(self) -> list[str]:
        """For people: what was done, then what is left."""
        return [*self.lines, *(each.line for each in self.standing)]

    def all_plain(self) -> list[dict[str, Any]]:
        """The same for programs."""
        return [*self.plain, *(each.plain for each in self.standing)]


@dataclass(frozen=True, slots=True)
class Own:
    """Our own ledger, as it was when the round began."""

    origin: str
    state: State
    admitted: dict[str, tuple[str, str]] = field(default_factory=dict)


def own_ledger(session: Session) -> Own:
    """What our log says of whom it admits."""
    with session.reading() as node:
        state = node.state
    return Own(node.origin, state, {name: (each.vkey, each.tier) for name, each in state.admitted.items()})


def tend(session: Session, duties: Sequence[str]) -> list[Done]:
    """Do these duties, in the order of ``DUTIES``; what depends on new entries below us is then done once more."""
    does: dict[str, Callable[[Session], Done]] = {
        PULL: pull_children,
        ANCHOR: write_anchors,
        TRANSFERS: settle_transfers,
        COSIGN: gather_cosignatures,
    }
    done = {duty: _try(does[duty], duty, session) for duty in DUTIES if duty in duties}
    brought = PULL in done and any(each.get("outcome") == NEW for each in done[PULL].plain)
    if brought or (ANCHOR in done and done[ANCHOR].plain):
        for duty in (TRANSFERS, COSIGN):
            if duty in done:
                done[duty] = _both(done[duty], _try(does[duty], duty, session))
    return list(done.values())


def _both(first: Done, again: Done) -> Done:
    """A duty that was done twice in a round; what was said before is not said again."""
    lines = [*first.lines, *(line for line in again.lines if line not in first.lines)]
    plain = [*first.plain, *(each for each in again.plain if each not in first.plain)]
    standing = first.standing if again.error else again.standing
    return Done(first.duty, lines, plain, first.alarms + again.alarms, again.error, standing)


def _try(do: Callable[[Session], Done], duty: str, session: Session) -> Done:
    """A duty that cannot be done at all keeps none of the others from being done."""
    try:
        return do(session)
    except Exception as error:
        if not _is_told(error):
            raise
        return Done(duty, [], [{"failure": str(error)}], error=error)


def _is_told(error: Exception) -> bool:
    """Whether it has a sentence for people: also a file that is not there."""
    return isinstance(error, OSError) or is_expected(error)


def open_mirror(home: Home) -> MirrorStore:
    """The node's mirror; made where there is none yet."""
    return MirrorStore(home.mirror)


def make_mirror(home: Home, store: MirrorStore, own: Own) -> Mirror:
    """What mirrors into this home."""

    def keep(name: str, raw: bytes) -> str:
        return str(keep_evidence(home.evidence, name, raw))

    jobs = os.cpu_count() or 1
    return Mirror(
        store,
        own.origin,
        own.admitted,
        keep,
        partial(free_bytes, home.folder),
        workers=partial(workers, jobs),
        jobs=jobs,
        witnesses=_witnesses(home),
    )


def _witnesses(home: Home) -> list[VerifierKey]:
    """The witnesses that we know; none where the trust file cannot be read, which ``cosign`` tells."""
    trust = home.node_settings().trust
    try:
        return [] if trust is None else [vkey for _name, vkey in read_policy(trust).witnesses]
    except Exception as error:
        if not _is_told(error):
            raise
        return []


def pull_children(session: Session) -> Done:
    """Mirror what the children serve, beginning with the one that waited longest."""
    home = session.home
    children = home.node_settings().children
    if not children:
        return Done(PULL, [], [])
    own = own_ledger(session)
    results: list[Pulled] = []
    with closing(open_mirror(home)) as store:
        mirror = make_mirror(home, store, own)
        for child in _longest_waiting(children, store.rows()):
            try:
                with closing(Site(child.url)) as site:
                    results += mirror.pull(child.origin, site)
            except FetchError as error:
                results.append(Pulled(child.origin, UNREACHABLE, 0, 0, str(error)))
    return pulled_done(results)


def _longest_waiting(children: Sequence[Child], rows: Sequence[MirrorRow]) -> list[Child]:
    tried = {row.origin: row.tried_seconds or 0 for row in rows}
    return sorted(children, key=lambda child: (tried.get(child.origin, 0), child.origin))


def pulled_done(results: Sequence[Pulled], *, say_same: bool = False) -> Done:
    """What became of each ledger; with ``say_same`` also of those with nothing new."""
    plain = [
        {
            "origin": each.origin,
            "outcome": each.outcome,
            "entries": each.entries,
            "size": each.size,
            "detail": each.detail,
            "alarm": each.is_new_alarm,
        }
        for each in results
    ]
    left_out = {UNADMITTED} if say_same else {UNADMITTED, SAME}
    lines = [_pulled_line(each) for each in results if each.outcome not in left_out]
    foreign = [_pulled_line(each) for each in results if each.outcome == UNADMITTED]
    if len(foreign) > FOREIGN_MAX:
        text = _("and {count} more that belong to no ledger here")
        foreign[FOREIGN_MAX:] = [text.format(count=f"{len(foreign) - FOREIGN_MAX:,}")]
    return Done(PULL, lines + foreign, plain, sum(each.is_new_alarm for each in results))


def _pulled_line(each: Pulled) -> str:
    text = _("{origin}: {entries} new entries, {size} in all")
    if each.outcome in (HELD, UNREACHABLE) or (each.detail and not each.entries):
        text = _("{origin}: {detail}")
    elif each.detail:
        text = _("{origin}: {entries} new entries, {size} in all; {detail}")
    line = text.format(origin=each.origin, entries=each.entries, size=each.size, detail=each.detail)
    return _("ALARM: {line}").format(line=line) if each.is_new_alarm else line


def write_anchors(session: Session) -> Done:
    """Anchor the newest checkpoints of the ledgers that we admit, and seal, so that receipts of it exist."""
    home = session.home
    if not home.mirror.exists():
        return Done(ANCHOR, [], [])
    with session.reading() as node, closing(open_mirror(home)) as store:
        newest = store.notes(node.state.admitted)
        if not due_anchors(node.state, newest):
            return Done(ANCHOR, [], [])
    plain: list[dict[str, Any]] = []
    with session.writing() as (node, _keyring):
        bodies = due_anchors(node.state, newest)
        results: list[Result] = []
        for start in range(0, len(bodies), SHEET_MAX_STATEMENTS):
            results += node.declare(bodies[start : start + SHEET_MAX_STATEMENTS])
        size = node.seal()
    for body, result in zip(bodies, results, strict=True):
        refused = refusal(result)
        outcome = "accepted" if refused is None else refused.outcome
        plain.append({"origin": body.origin, "outcome": outcome, "index": getattr(result, "index", None)})
    lines = [_anchor_line(each) for each in plain]
    return Done(ANCHOR, [*lines, _("sealed: the ledger has {size} entries").format(size=size)], plain)


def _anchor_line(each: dict[str, Any]) -> str:
    if each["index"] is None:
        outcome = coded(OUTCOMES, each["outcome"])
        return _("{origin}: not anchored ({outcome})").format(origin=each["origin"], outcome=outcome)
    return _("{origin}: anchored by entry {index}").format(**each)


def settle_transfers(session: Session) -> Done:
    """Take from our own mirror, then from the nodes above, nearest first, what concerns us, and settle it."""
    own = own_ledger(session)

    def declare(bodies: Sequence[Body]) -> Sequence[Any]:
        with session.writing() as (node, _keyring):
            return node.declare(bodies)

    with libraries_of(session.home) as libraries:
        report = run_transfers(own.origin, own.state, libraries, declare)
    with session.reading() as node:
        return transfers_done(report, tuple(waiting_transfers(node, report, len(libraries))))


def waiting_transfers(node: DeskNode, report: TransferReport, library_count: int) -> Iterator[Standing]:
    """Hours that are under way and for what they wait: by ledger those from here, all those to here together.

    Whether hours were taken in stands on the other ledger alone: where nobody can be asked, nothing is said of it.
    """
    otherwise = NOT_TAKEN if len(report.failures) < library_count else NOT_KNOWN
    sealed = node.state.seal_indexes[-1] if node.state.seal_indexes else -1
    counts: Counter[tuple[str, str]] = Counter()
    minutes: Counter[tuple[str, str]] = Counter()
    for past in past_of(node, OUT):
        address = parse_address(past.body.to)
        what = NOT_SEALED if past.index > sealed else WAITS_FOR.get(report.told.get(past.index, ""), otherwise)
        if past.index in node.state.returned or what == ARRIVED or address is None:
            continue
        if what == NOT_KNOWN and not library_count:
            continue
        counts[what, address[0]] += 1
        minutes[what, address[0]] += past.body.minutes
    texts = {
        NOT_SEALED: _("{count} transfers to {ledger}, {minutes} min, wait for our next seal"),
        NO_PROOF: _("{count} transfers to {ledger}, {minutes} min, were refused there: the proof is not here yet"),
        NOT_TAKEN: _(
            "{count} transfers to {ledger}, {minutes} min, are not taken in yet: it may be off line, or not mirrored"
            " above since"
        ),
        NOT_KNOWN: _("{count} transfers to {ledger}, {minutes} min, were sent: nobody above could be asked of them"),
    }
    for (what, ledger), count in sorted(counts.items()):
        told = {"ledger": ledger, "count": count, "minutes": minutes[what, ledger]}
        yield Standing(texts[what].format_map(told), {"waiting": what, **told})
    if report.waiting:
        text = _("{count} transfers to this ledger have no proof yet: they wait for the seal there")
        plain = {"waiting": NOT_PROVEN, "count": report.waiting}
        yield Standing(text.format(count=report.waiting), plain)


def transfers_done(report: TransferReport, standing: tuple[Standing, ...] = ()) -> Done:
    """What was settled, and what could not be."""
    plain: list[dict[str, Any]] = [
        {
            "kind": each.kind,
            "index": each.index,
            "ledger": each.ledger,
            "their_index": each.their_index,
            "minutes": each.minutes,
        }
        for each in report.settled
    ]
    line = _("entry {index}: {kind} of {minutes} minutes, entry {their_index} of {ledger}")
    lines = [line.format_map({**each, "kind": named_kind(each["kind"])}) for each in plain]
    bad = _("{library}: the proof of entry {index} of {ledger} is not good ({why})")
    lines += [
        bad.format(library=each.library, index=each.index, ledger=each.ledger, why=coded(OUTCOMES, each.why))
        for each in report.bad
    ]
    lines += report.failures
    plain += [{"failure": failure} for failure in report.failures]
    return Done(TRANSFERS, lines, plain, standing=standing)


def gather_cosignatures(session: Session) -> Done:
    """Ask the witnesses of our trust file to cosign our newest checkpoint."""
    trust = session.home.node_settings().trust
    if trust is None:
        return Done(COSIGN, [], [])
    policy = read_policy(trust)
    with session.reading() as node:
        raw = node.checkpoint()
        size = open_checkpoint(raw)[0].size
        sizes = [index + 1 for index in node.state.seal_indexes[-EARLIER_CHECKPOINTS:] if index + 1 < size]
        notes = [node.store.checkpoint(each) for each in reversed(sizes)]
        gathered = gather(
            policy,
            raw,
            [note for note in notes if note is not None],
            lambda old_size: prove_consistency(old_size, size, node.store.hashes.read),
        )
    if gathered.cosignatures:
        with session.writing() as (writer, _keyring):
            writer.cosign(gathered.note)
    names = [line.name for line in gathered.cosignatures]
    lines = [_("cosigned by {name}").format(name=name) for name in names]
    lines += gathered.failures
    if not gathered.is_met:
        lines.append(_("the checkpoint of size {size} lacks the quorum of {path}").format(size=size, path=trust))
    plain = {"size": size, "cosigned": names, "quorum": gathered.is_met, "failures": list(gathered.failures)}
    return Done(COSIGN, lines, [plain])


def receipt_to_root(session: Session, index: int) -> bytes:
    """The proof from an entry of ours to the root: the nodes above are asked for their anchors."""
    parents = session.home.node_settings().parents
    with session.reading() as node, ExitStack() as stack:
        sites = [stack.enter_context(closing(Site(url))) for url in parents]
        return root_proof(node.receipt, node.origin, known_index(node, index), sites, say)
