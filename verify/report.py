"""The report of an audit: as one object for programs, and as text for people.

Nothing here judges. Texts go through ``translate``, a function from the English text to the reader's language, and what
a code means comes from ``explain``, so that this module stays free of files and of the environment.
"""

from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from chain.fields import Time, format_time
from chain.note import format_vkey
from ledger.numbers import FEN, MINUTE
from ledger.suspicions import Suspicion
from verify.across import Travel
from verify.audit import LedgerReport
from verify.finding import Finding

Translate = Callable[[str], str]
Explain = Callable[[str], str]

SHOWN_PER_CODE = 5
"""How many findings of one code the text names; it counts the others."""

FOLLOWS_FROM_FIRST = ("seal.root", "seal.state", "checkpoint.root", "checkpoint.signature")
"""Of these the text names one: what comes after the first mostly follows from it."""


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a ledger this time: from the entry ``start`` on, the others as audited at ``since``."""

    start: int = 0
    since: Time | None = None
    why: str = ""
    """Why an earlier audit could not go on."""


def is_sound(reports: Sequence[LedgerReport]) -> bool:
    """Whether no ledger has a finding."""
    return all(report.is_sound for report in reports)


def report_object(
    reports: Sequence[LedgerReport], seconds: float, read: Sequence[Read] = (), travel: Travel | None = None
) -> dict[str, Any]:
    """The object that ``huzhu verify --json`` prints; ``read`` stands beside ``reports``."""
    totals: dict[str, Counter[str]] = {MINUTE: Counter(), FEN: Counter()}
    for report in reports:
        for unit, amounts in report.totals.items():
            totals[unit].update(amounts)
    return {
        "ok": is_sound(reports),
        "trusted": all(report.is_pinned for report in reports),
        "ledgers": [
            _ledger_object(report, each) for report, each in zip(reports, read or [Read()] * len(reports), strict=True)
        ],
        "findings": [finding_object(finding) for report in reports for finding in report.findings],
        "counts": dict(sorted(_counts(reports).items())),
        "suspicions": [
            suspicion_object(suspicion, report.origin) for report in reports for suspicion in report.suspicions
        ],
        "totals": {unit: dict(amounts) for unit, amounts in totals.items()},
        "travel": asdict(travel or Travel()),
        "seconds": round(seconds, 3),
    }


def finding_object(finding: Finding) -> dict[str, Any]:
    """One finding without its absent fields."""
    fields = {name: getattr(finding, name) for name in ("code", "origin", "index", "height", "expected", "found")}
    return {name: value for name, value in fields.items() if value is not None} | {"detail": finding.detail}


def suspicion_object(suspicion: Suspicion, origin: str) -> dict[str, Any]:
    """One suspicion with the account it names and the entries it rests on."""
    return {
        "code": suspicion.code,
        "origin": origin,
        "account": suspicion.account,
        "entries": list(suspicion.entries),
        "detail": suspicion.detail,
    }


def report_lines(
    reports: Sequence[LedgerReport],
    seconds: float,
    translate: Translate,
    explain: Explain,
    name_kind: Translate,
    read: Sequence[Read] = (),
    travel: Travel | None = None,
) -> Iterator[str]:
    """The report as lines of text; ``name_kind`` gives the reader's word for a kind of entry."""
    _ = translate
    for report, each in zip(reports, read or [Read()] * len(reports), strict=True):
        yield from _ledger_lines(report, _, name_kind)
        yield from _read_lines(each, _)
        yield from _finding_lines(report, _, explain)
        if report.suspicion_counts:
            counts = ", ".join(f"{code} {count}" for code, count in report.suspicion_counts.items())
            text = _("unusual  {counts}: allowed, and worth a look; `huzhu suspicions` names them")
            yield "  " + text.format(counts=counts)
    yield from _travel_lines(travel or Travel(), _)
    entries = sum(report.size for report in reports) - sum(each.start for each in read)
    yield _("{entries} entries recomputed in {seconds:.1f} s.").format(entries=entries, seconds=seconds)
    count = sum(_counts(reports).values())
    if count:
        yield _("NOT SOUND: findings: {count}.").format(count=count)
    else:
        yield _("Sound: every byte, signature, rule and balance follows.")


def _ledger_object(report: LedgerReport, read: Read) -> dict[str, Any]:
    return {
        "origin": report.origin,
        "size": report.size,
        "sealed": None if report.sealed is None else format_time(report.sealed),
        "pending": report.pending,
        "blocks": report.blocks,
        "root": b64encode(report.root).decode(),
        "state": b64encode(report.state).decode(),
        "entries": report.entries,
        "trusted": report.is_pinned,
        "key": None if report.genesis_key is None else format_vkey(report.genesis_key),
        "read_from": read.start,
        "since": None if read.since is None else format_time(read.since),
        "since_unused": read.why or None,
    }


def _counts(reports: Sequence[LedgerReport]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for report in reports:
        counts.update(report.finding_counts)
    return counts


def _ledger_lines(report: LedgerReport, _: Translate, name_kind: Translate) -> Iterator[str]:
    yield _("Ledger {origin}").format(origin=report.origin)
    if not report.is_pinned:
        yield "  " + _("SELF-ASSERTED: no key was brought along; the ledger's own was taken from its first entry.")
    if report.genesis_key is not None:
        yield "  " + _("key      {key}").format(key=format_vkey(report.genesis_key))
    sealed = "—" if report.sealed is None else format_time(report.sealed)
    yield "  " + _("sealed   {time}, blocks: {blocks}").format(time=sealed, blocks=report.blocks)
    yield "  " + _("entries  {size}, of them {pending} after the last checkpoint").format(
        size=report.size, pending=report.pending
    )
    kinds = ", ".join(f"{name_kind(kind)} {count}" for kind, count in report.entries.items())
    yield "  " + _("kinds    {kinds}").format(kinds=kinds)
    yield "  " + _("root     {root}").format(root=b64encode(report.root).decode())
    yield "  " + _("balances {state}").format(state=b64encode(report.state).decode())
    minutes = report.totals[MINUTE]
    yield "  " + _("hours    {accounts} accounts have {balance:.1f} h, and {held:.1f} h that are held").format(
        accounts=minutes.get("accounts", 0),
        balance=minutes.get("balance", 0) / 60,
        held=minutes.get("held", 0) / 60,
    )


def _read_lines(read: Read, _: Translate) -> Iterator[str]:
    """What was not read this time, or why the last audit was of no use."""
    if read.since is not None:
        text = _(
            "before   {count} entries stand as audited on {time} and were not read again: `--full` reads them too, and "
            "sees what has changed in them since"
        )
        yield "  " + text.format(count=read.start, time=format_time(read.since))
    if read.why:
        yield "  " + _("before   the last audit was of no use, all was read: {why}").format(why=read.why)


def _travel_lines(travel: Travel, _: Translate) -> Iterator[str]:
    """Hours between the ledgers; nothing where none ever travelled."""
    if travel.bridge or travel.transfers_on_way or travel.left or travel.came:
        text = _(
            "Between the ledgers: {bridge:.1f} h on the bridges; on their way {on_way:.1f} h in {count} transfers; to "
            "ledgers that are not here {left:.1f} h, from such {came:.1f} h"
        )
        yield text.format(
            bridge=travel.bridge / 60,
            on_way=travel.on_way / 60,
            count=travel.transfers_on_way,
            left=travel.left / 60,
            came=travel.came / 60,
        )
    if travel.ahead:
        text = _("{count} transfers rest on entries beyond the end of a ledger here: a newer copy of it will tell")
        yield text.format(count=travel.ahead)


def _finding_lines(report: LedgerReport, _: Translate, explain: Explain) -> Iterator[str]:
    shown: Counter[str] = Counter()
    for finding in report.findings:
        code = finding.code
        if shown[code] < (1 if code in FOLLOWS_FROM_FIRST else SHOWN_PER_CODE):
            shown[code] += 1
            yield f"  ✗ {code}  {_where(finding, _)}".rstrip()
            yield f"      {explain(code)}"
            if code not in FOLLOWS_FROM_FIRST:
                yield f"      ({finding.detail})"
            if finding.expected is not None or finding.found is not None:
                yield "      " + _("expected {expected}").format(expected=finding.expected)
                yield "      " + _("found    {found}").format(found=finding.found)
    for code, count in report.finding_counts.items():
        if count > shown[code]:
            yield "  " + _("… and {count} more of {code}").format(count=count - shown[code], code=code)


def _where(finding: Finding, _: Translate) -> str:
    if finding.height is not None:
        return _("entry {index}, the seal of block {height}").format(index=finding.index, height=finding.height)
    return "" if finding.index is None else _("entry {index}").format(index=finding.index)
