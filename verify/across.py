"""Step 8 of an audit: several ledgers laid side by side (FORMAT §12).

    found = lay_side_by_side(audited, trust)
    found.reports, found.travel

Each ledger was audited alone (``verify.audit``), and says in its ``Ties`` what it has to do with others. Here the two
ends of each transfer are compared, each ledger with its admission, each anchor with the log it is of. What is said of a
ledger that is not at hand can be compared with nothing, and is counted.

The name of a ledger is anybody's to take: two copies whose nodes never had a key in common are two ledgers, and the one
whose key is pinned, or that the parent it names admits, is laid beside the others.

One pinned key leads to every ledger: one that a trusted and sound ledger admits, by a key that its log has had and as
of its tier, is trusted as if its own key were pinned.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chain.note import parse_vkey
from verify.audit import LedgerReport, Trust
from verify.checkpoints import COSIGNED_EARLIER_MAX_SECONDS, NOT_PINNED
from verify.finding import Findings
from verify.ties import Admitted, Place, Returned, Taken, Ties

IN, BACK = 0, 1
"""How the hours of a ``transfer_out`` were taken."""

CLOCKS_APART_MAX_SECONDS = COSIGNED_EARLIER_MAX_SECONDS
"""So much later than an entry elsewhere a copy's last seal is at the least, to have what that entry rests on."""


@dataclass(frozen=True, slots=True)
class Audited:
    """One ledger after its own audit."""

    report: LedgerReport
    ties: Ties


@dataclass(slots=True)
class Travel:
    """Hours between the ledgers at hand, in minutes.

    ``bridge`` = ``on_way`` + ``left`` − ``came``, unless a transfer has a finding.
    """

    bridge: int = 0
    """The balances of ``bridge`` of all ledgers."""
    on_way: int = 0
    """Sent to a ledger at hand, and neither taken nor back."""
    transfers_on_way: int = 0
    left: int = 0
    """Sent to ledgers that are not at hand, and not back."""
    came: int = 0
    """Taken by proofs of entries that are not at hand."""
    ahead: int = 0
    """Transfers that rest on an entry after the end of the other ledger's copy: a newer copy will tell."""


@dataclass(frozen=True, slots=True)
class Across:
    """The reports in their order, with the findings of step 8, and the hours between the ledgers."""

    reports: list[LedgerReport]
    travel: Travel


@dataclass(slots=True)
class _Sides:
    """The ledgers at hand, each by the copy that stands for its name; and what is found."""

    ledgers: dict[str, Ties]
    findings: dict[str, Findings]
    travel: Travel = field(default_factory=Travel)
    takers: dict[tuple[str, int], list[tuple[int, str, int]]] = field(default_factory=dict)
    """By ``transfer_out``: how it was taken, where, and by which entry."""
    admitters: dict[str, dict[str, list[Admitted]]] = field(default_factory=dict)
    """By ledger: those that ever admitted it."""


def lay_side_by_side(audited: Sequence[Audited], trust: Trust) -> Across:
    """Compare the ledgers with each other, in whatever order they come."""
    copies = _by_origin(audited)
    ledgers = {origin: max(named, key=lambda each: _rank(each, copies, trust)).ties for origin, named in copies.items()}
    sides = _Sides(ledgers, {origin: Findings(origin) for origin in ledgers})
    same = [each for each in audited if _is_same(each.ties, ledgers[each.ties.origin])]
    for each in same:
        _compare_copies(each.ties, sides)
    _gather_admissions(sides)
    for ties in ledgers.values():
        _compare_anchors(ties, sides)
        _compare_shown(ties, sides)
        for index, taken in ties.taken.items():
            _compare_taken(ties, index, taken, sides)
        for index, returned in ties.returned.items():
            _compare_returned(ties, index, returned, sides)
    _find_twice(sides)
    _find_admitted_twice(sides)
    _reckon(sides)
    trusted = _trusted(same, trust)
    for each in same:
        if each.ties is ledgers[each.ties.origin]:
            _judge_admission(each, trusted, trust, sides)
    return Across([_report_of(each, sides, trusted) for each in audited], sides.travel)


def _by_origin(audited: Iterable[Audited]) -> dict[str, list[Audited]]:
    found: dict[str, list[Audited]] = {}
    for each in audited:
        found.setdefault(each.ties.origin, []).append(each)
    return found


def _rank(each: Audited, copies: Mapping[str, Sequence[Audited]], trust: Trust) -> tuple[bool, bool, int]:
    """Of copies of one name the highest stands for it: its key is pinned, the parent it names admits it, it is long."""
    ties = each.ties
    logs = trust.policy.logs if trust.policy is not None else ()
    is_pinned = any(vkey.name == ties.origin and vkey.public in ties.node_keys for vkey in logs)
    parents = copies.get(ties.parent, ()) if ties.parent is not None else ()
    return is_pinned, any(_matches(parent.ties.admitted.get(ties.origin, []), ties) for parent in parents), ties.size


def _is_same(ties: Ties, other: Ties) -> bool:
    """Whether two copies of one name are of one ledger: their nodes had a key in common, or one has none at all."""
    return not ties.node_keys or not other.node_keys or not set(ties.node_keys).isdisjoint(other.node_keys)


def _report_of(each: Audited, sides: _Sides, trusted: set[str]) -> LedgerReport:
    """Its report with what was found in step 8; one that shares no more than the name was not compared."""
    origin = each.ties.origin
    if _is_same(each.ties, sides.ledgers[origin]):
        return _with(each.report, sides.findings[origin], origin in trusted)
    more = Findings(origin)
    more.add("org.unadmitted", "another ledger here has this name and other keys, and was compared with the others")
    return _with(each.report, more, is_trusted=False)


def _with(report: LedgerReport, more: Findings, is_trusted: bool) -> LedgerReport:
    """The report with what was found in step 8; of several copies of a ledger each has it."""
    both = Findings(report.origin, report.findings.copy())
    both.counts.update(report.finding_counts)
    both.extend(more)
    return replace(
        report,
        is_pinned=is_trusted,
        findings=both.in_order(),
        finding_counts=dict(sorted(both.counts.items())),
    )


def _compare_copies(ties: Ties, sides: _Sides) -> None:
    """A shorter copy of a ledger has the same root at its last seal as the longest."""
    longest = sides.ledgers[ties.origin]
    last = ties.last_seal()
    if ties is longest or last is None:
        return
    size, root = last
    if longest.root_at(size) != root:
        detail = "two copies of this ledger show two histories"
        sides.findings[ties.origin].add("log.fork", detail, size - 1, None, root.hex(), _hex(longest.root_at(size)))


def _compare_anchors(ties: Ties, sides: _Sides) -> None:
    """What this log anchored of others is what they show; a ledger is not shorter than its anchor."""
    for anchor in ties.anchors:
        other = sides.ledgers.get(anchor.origin)
        if other is None or other.root_at(anchor.size) == anchor.root or not anchor.is_signed_by(other.node_keys):
            continue
        findings, where = sides.findings[other.origin], f"entry {anchor.index} of {ties.origin}"
        if anchor.size > other.size:
            detail = f"{where} anchors a longer log: it was cut back"
            findings.add("log.rollback", detail, max(other.size - 1, 0), None, anchor.size, other.size)
        else:
            detail = f"{where} anchors another root of the first {anchor.size} entries"
            found = _hex(other.root_at(anchor.size))
            findings.add("log.fork", detail, max(anchor.size - 1, 0), None, anchor.root.hex(), found)


def _compare_shown(ties: Ties, sides: _Sides) -> None:
    """What another ledger signed for a proof is what it shows; a copy may end before it, where it was sealed before."""
    for shown in ties.shown.values():
        other = sides.ledgers.get(shown.origin)
        if other is None or other.root_at(shown.size) == shown.root or not shown.is_signed_by(other.node_keys):
            continue
        findings, where = sides.findings[other.origin], f"entry {shown.index} of {ties.origin}"
        if shown.size <= other.size:
            detail = f"{where} rests on another root of the first {shown.size} entries"
            found = _hex(other.root_at(shown.size))
            findings.add("log.fork", detail, shown.size - 1, None, shown.root.hex(), found)
        elif _is_later(other, shown.seconds):
            detail = f"{where} rests on a longer log, and the copy here is newer: it was cut back"
            findings.add("log.rollback", detail, max(other.size - 1, 0), None, shown.size, other.size)


def _is_later(other: Ties, seconds: int) -> bool:
    """Whether a copy was sealed so late that it holds all that an entry of that time can rest on."""
    return other.sealed_seconds > seconds + CLOCKS_APART_MAX_SECONDS


def _compare_taken(ties: Ties, index: int, taken: Taken, sides: _Sides) -> None:
    """A ``transfer_in`` or ``transfer_refuse`` rests on a ``transfer_out`` that is true on the other ledger."""
    place, other = taken.sent, sides.ledgers.get(taken.sent.origin)
    minutes = taken.minutes or 0
    if not _is_at_hand(place, other, taken.seconds, sides.travel):
        sides.travel.came += minutes
        return
    sent = other.sent.get(place.index) if other is not None else None
    if sent is None or sent.leaf != place.leaf:
        detail = f"entry {place.index} of {place.origin} is not the transfer_out that it rests on, or is not true there"
        sides.findings[ties.origin].add("transfer.unproven", detail, index)
    elif taken.minutes is not None:
        sides.takers.setdefault((place.origin, place.index), []).append((IN, ties.origin, index))


def _compare_returned(ties: Ties, index: int, returned: Returned, sides: _Sides) -> None:
    """A ``transfer_back`` rests on a ``transfer_refuse`` that is true on the other ledger."""
    sides.takers.setdefault((ties.origin, returned.sent_index), []).append((BACK, ties.origin, index))
    place, other = returned.refusal, sides.ledgers.get(returned.refusal.origin)
    if not _is_at_hand(place, other, returned.seconds, sides.travel):
        return
    refusal = other.taken.get(place.index) if other is not None else None
    if refusal is None or refusal.minutes is not None or refusal.leaf != place.leaf:
        detail = f"entry {place.index} of {place.origin} is not the refusal that it rests on, or is not true there"
        sides.findings[ties.origin].add("transfer.unproven", detail, index)


def _is_at_hand(place: Place, other: Ties | None, seconds: int, travel: Travel) -> bool:
    """Whether the entry that a proof is of can be looked up; a copy sealed before ``seconds`` may end before it."""
    if other is None:
        return False
    if place.index >= other.size and not _is_later(other, seconds):
        travel.ahead += 1
        return False
    return True


def _find_twice(sides: _Sides) -> None:
    for (origin, sent_index), takers in sides.takers.items():
        for _how, taker, index in sorted(takers)[1:]:
            first = min(takers)
            detail = f"the hours of entry {sent_index} of {origin} were taken by entry {first[2]} of {first[1]} already"
            sides.findings[taker].add("transfer.twice", detail, index)


def _gather_admissions(sides: _Sides) -> None:
    for ties in sides.ledgers.values():
        for origin, admissions in ties.admitted.items():
            sides.admitters.setdefault(origin, {})[ties.origin] = admissions


def _find_admitted_twice(sides: _Sides) -> None:
    """A ledger belongs to the one that its first entry names, or where that names none, to the only one that admits."""
    for origin, admitters in sides.admitters.items():
        other = sides.ledgers.get(origin)
        named = other.parent if other is not None else None
        holders = sorted(admitter for admitter, each in admitters.items() if each[-1].holds)
        for admitter in admitters.keys() - {named}:
            admissions, findings = admitters[admitter], sides.findings[admitter]
            strange = [each.index for each in admissions if other is not None and not _is_of(each, other)]
            if named is not None and strange:
                detail = f"{origin}, which belongs to {named} by its own word, never had the key that is admitted here"
                findings.add("org.twice", detail, strange[0])
            elif admitter in holders and len(holders) > 1:
                detail = f"{origin} is admitted by {next(each for each in holders if each != admitter)}, too"
                findings.add("org.twice", detail, admissions[-1].index)


def _reckon(sides: _Sides) -> None:
    """Add up what is between the ledgers."""
    travel = sides.travel
    for ties in sides.ledgers.values():
        travel.bridge += ties.bridge
        for index, sent in ties.sent.items():
            if (ties.origin, index) in sides.takers:
                continue
            if sent.target in sides.ledgers:
                travel.on_way += sent.minutes
                travel.transfers_on_way += 1
            else:
                travel.left += sent.minutes


def _trusted(audited: Sequence[Audited], trust: Trust) -> set[str]:
    """The ledgers whose key the auditor pinned, and those to which admissions lead from them."""
    by_origin = _by_origin(audited)
    trusted = {origin for origin in by_origin if trust.pins(origin)}
    ahead = sorted(trusted)
    while ahead:
        for each in by_origin[ahead.pop()]:
            for origin in _admitted_by(each, by_origin):
                if origin not in trusted:
                    trusted.add(origin)
                    ahead.append(origin)
    return trusted


def _admitted_by(each: Audited, by_origin: Mapping[str, Iterable[Audited]]) -> Iterator[str]:
    """The ledgers at hand that a sound one admits: all copies have had the key."""
    if each.report.is_sound:
        for origin, admissions in each.ties.admitted.items():
            copies = by_origin.get(origin)
            if copies and all(_matches([last for last in admissions if last.holds], copy.ties) for copy in copies):
                yield origin


def _matches(admissions: Iterable[Admitted], ties: Ties) -> bool:
    """Whether one of them is of a key that the ledger's node has had, and of its tier."""
    return any(admission.tier == ties.tier and _is_of(admission, ties) for admission in admissions)


def _is_of(admission: Admitted, ties: Ties) -> bool:
    """Whether it is of a key that the ledger's node has had."""
    return admission.public in ties.node_keys


def _judge_admission(each: Audited, trusted: set[str], trust: Trust, sides: _Sides) -> None:
    """A ledger with a parent at hand is admitted by it; where keys are pinned, they lead to it."""
    ties, findings = each.ties, sides.findings[each.ties.origin]
    parent = sides.ledgers.get(ties.parent) if ties.parent is not None else None
    if parent is not None:
        admissions = parent.admitted.get(ties.origin, [])
        if not _matches(admissions, ties):
            has_key = any(_is_of(admission, ties) for admission in admissions)
            other = f"as another tier than {ties.tier}, of which it says it is" if has_key else "with another key"
            why = f"admitted it {other}" if admissions else "never admitted it"
            findings.add("org.unadmitted", f"{parent.origin}, to which it says it belongs, {why}")
            return
        if ties.parent_vkey is None or parse_vkey(ties.parent_vkey).public not in parent.node_keys:
            findings.add("org.unadmitted", f"it belongs to another ledger of the name {parent.origin}: its key differs")
            return
        if not any(admission.holds for admission in admissions):
            return
    if ties.origin in trusted:
        return
    admissions = [each for named in sides.admitters.get(ties.origin, {}).values() for each in named]
    if ties.parent is None and any(_is_of(each, ties) for each in admissions) and not _matches(admissions, ties):
        findings.add("org.unadmitted", f"it was admitted as another tier than {ties.tier}, of which it says it is")
    elif trust.policy is None or not trust.policy.logs:
        return
    elif parent is None:
        findings.add("checkpoint.signature", NOT_PINNED)
    else:
        detail = f"{parent.origin} admits it, but no pinned key leads there, or that ledger is not sound"
        findings.add("org.unadmitted", detail)


def _hex(root: bytes | None) -> str:
    return "no seal there" if root is None else root.hex()
