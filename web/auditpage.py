"""The report of an audit as one page that stands alone: for the auditor's file, and for whoever asks him.

    audit_page(Shown(reports, read, travel, seconds, targets, command, time, version, bytes_of), language)

What is wrong stands apart from what is only unusual. Of a finding that compares two things, both stand beside each
other with the places marked where they differ; of one about an entry, the entry's bytes.
"""

from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from gettext import gettext as _
from typing import Any

from markupsafe import Markup, escape

from chain.fields import Time, format_time
from chain.note import format_vkey
from chain.policy import Policy
from ledger.numbers import FEN, MINUTE
from verify.across import Travel
from verify.audit import LedgerReport
from verify.finding import Finding
from verify.report import FOLLOWS_FROM_FIRST, Read
from web import charts
from web.findings import SUSPICIONS, explain
from web.i18n import marked
from web.printing import render
from web.text import hours_of, named_kind, printable, yuan_of
from web.wording import worded

TEMPLATE = "audit.html"
LEDGERS_SHOWN, FINDINGS_SHOWN, SUSPICIONS_SHOWN, KINDS_SHOWN = 500, 200, 500, 30
ALIKE = 0.75
"""Texts that have less in common than this are told apart as wholes."""
COMPARED_MAX_CHARACTERS, BYTES_MAX_CHARACTERS = 600, 2_000

STEPS = (
    marked("each entry's bytes: that they are in the one form that is allowed, and no field is missing or surplus"),
    marked("each signature, over the sheet on which the statement stood, by keys that counted then"),
    marked("each rule, in the order of the entries: who may record what, for whom, how much, and when"),
    marked("each balance, computed again from the first entry on, and compared with every seal"),
    marked("each seal and checkpoint: that it covers exactly these entries, and follows the one before it"),
    marked("the sum over all accounts: no hour and no money came from nowhere"),
    marked("what was kept from before: that no entry which was there is gone or changed"),
    marked("what ledgers say of each other: hours that travelled, admissions, and anchors"),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page tells. ``bytes_of`` gives an entry's bytes by its ledger's place among ``reports`` and its index.

    ``policy`` is the trust file that was brought along, ``command`` how to repeat the audit.
    """

    reports: Sequence[LedgerReport]
    read: Sequence[Read]
    travel: Travel
    seconds: float
    targets: Sequence[str]
    command: str
    policy: Policy | None
    time: Time
    version: str
    bytes_of: Callable[[int, int], bytes | None]


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """A finding with what people need to judge it."""

    finding: Finding
    where: str
    meaning: str
    detail: str
    expected: Markup | None
    found: Markup | None
    bytes: str


def audit_page(shown: Shown, language: str) -> str:
    """The page in the language in use, which ``language`` names."""
    reports = shown.reports
    findings = list(_findings(shown))
    suspicions = [(report.origin, each) for report in reports for each in report.suspicions]
    counts: Counter[str] = Counter()
    for report in reports:
        counts.update(report.finding_counts)
    return render(
        TEMPLATE,
        language,
        targets=shown.targets,
        time=format_time(shown.time),
        day=shown.time.date().isoformat(),
        version=shown.version,
        is_sound=not counts,
        finding_count=counts.total(),
        self_asserted=sum(not report.is_pinned for report in reports),
        tiles=_tiles(shown, counts.total(), len(suspicions)),
        steps=[_(step) for step in STEPS],
        trust_text=_trust_text(shown.policy),
        ledgers=[
            (report, read, _read_text(read))
            for report, read in zip(reports[:LEDGERS_SHOWN], shown.read[:LEDGERS_SHOWN], strict=True)
        ],
        ledger_count=len(reports),
        ledgers_more=max(0, len(reports) - LEDGERS_SHOWN),
        findings=findings,
        findings_more=counts.total() - len(findings),
        finding_chart=charts.bars(_("Findings by code"), counts.most_common(KINDS_SHOWN), str) if counts else None,
        suspicions=[
            (origin, each, _(SUSPICIONS[each.code]), _(each.text).format(**each.values))
            for origin, each in suspicions[:SUSPICIONS_SHOWN]
        ],
        suspicions_more=max(0, len(suspicions) - SUSPICIONS_SHOWN),
        kind_chart=_kind_chart(reports),
        facts=list(_facts(shown)),
        command=shown.command,
        format_vkey=format_vkey,
        format_time=format_time,
        base64=lambda raw: b64encode(raw).decode(),
    )


def _tiles(shown: Shown, finding_count: int, suspicion_count: int) -> list[tuple[str, str, bool]]:
    entries = sum(report.size for report in shown.reports)
    return [
        (f"{len(shown.reports):,}", _("ledgers"), False),
        (f"{entries:,}", _("entries"), False),
        (f"{finding_count:,}", _("findings"), finding_count > 0),
        (f"{suspicion_count:,}", _("questions"), False),
        (f"{shown.seconds:,.1f} s", _("computed in"), False),
    ]


def _trust_text(policy: Policy | None) -> str:
    if policy is None:
        return _("No trust file was brought along. Each ledger's key is the one that it names itself.")
    text = _("The trust file pins {keys} keys of ledgers and names {witnesses} witnesses.")
    return text.format(keys=len(policy.logs), witnesses=len(policy.witnesses))


def _read_text(read: Read) -> str:
    if read.since is None:
        return ""
    text = _("{count} of them stand as audited on {time} and were not read again")
    return text.format(count=read.start, time=format_time(read.since))


def _findings(shown: Shown) -> Iterator[ShownFinding]:
    """As many as the page has room for; of those that follow from each other the first."""
    left = FINDINGS_SHOWN
    for place, report in enumerate(shown.reports):
        seen: set[str] = set()
        for finding in report.findings:
            if not left:
                return
            if finding.code not in FOLLOWS_FROM_FIRST or finding.code not in seen:
                seen.add(finding.code)
                left -= 1
                yield _shown(finding, None if finding.index is None else shown.bytes_of(place, finding.index))


def _shown(finding: Finding, raw: bytes | None) -> ShownFinding:
    is_pair = finding.expected is not None or finding.found is not None
    expected, found = beside(finding.expected or "—", finding.found or "—") if is_pair else (None, None)
    text = "" if raw is None else raw[:BYTES_MAX_CHARACTERS].decode(errors="replace")
    cut = " …" if raw is not None and len(raw) > BYTES_MAX_CHARACTERS else ""
    meaning = explain(finding.code)
    return ShownFinding(
        finding, _where(finding), meaning, printable(worded(finding.detail)), expected, found, printable(text) + cut
    )


def _where(finding: Finding) -> str:
    if finding.height is not None:
        return _("entry {index}, the seal of block {height}").format(index=finding.index, height=finding.height)
    return "" if finding.index is None else _("entry {index}").format(index=finding.index)


def beside(expected: str, found: str) -> tuple[Markup, Markup]:
    """Two texts, each with the places marked where it differs from the other; both are cut to the same bound.

    Where they have little in common, as two hashes have, all of both is marked.
    """
    left, right = (printable(text[:COMPARED_MAX_CHARACTERS]) for text in (expected, found))
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    if matcher.ratio() < ALIKE:
        return _marked(left, False), _marked(right, False)
    steps = matcher.get_opcodes()
    return (
        Markup().join(_marked(left[start:end], step == "equal") for step, start, end, _from, _to in steps),
        Markup().join(_marked(right[start:end], step == "equal") for step, _from, _to, start, end in steps),
    )


def _marked(text: str, is_same: bool) -> Markup:
    return escape(text) if is_same or not text else Markup("<mark>{}</mark>").format(text)


def _kind_chart(reports: Sequence[LedgerReport]) -> Markup:
    kinds: Counter[str] = Counter()
    for report in reports:
        kinds.update(report.entries)
    points = [(named_kind(kind), count) for kind, count in kinds.most_common(KINDS_SHOWN)]
    return charts.bars(_("Entries by kind"), points, lambda count: f"{count:,}")


def _facts(shown: Shown) -> Iterator[tuple[str, str]]:
    totals: dict[str, Counter[str]] = {MINUTE: Counter(), FEN: Counter()}
    for report in shown.reports:
        for unit, amounts in report.totals.items():
            totals[unit].update(amounts)
    minutes, fen = totals[MINUTE], totals[FEN]
    yield _("accounts"), f"{minutes['accounts']:,}"
    yield _("hours that people have"), f"{hours_of(minutes['balance']):,}"
    yield _("hours that are held"), f"{hours_of(minutes['held']):,}"
    if fen["accounts"]:
        yield _("money in funds, in yuan"), yuan_of(fen["balance"])
    travel: dict[str, Any] = {
        _("hours on their way between ledgers"): hours_of(shown.travel.on_way),
        _("hours gone to ledgers that are not here"): hours_of(shown.travel.left),
        _("hours come from ledgers that are not here"): hours_of(shown.travel.came),
    }
    yield from ((title, f"{hours:,}") for title, hours in travel.items() if hours)
