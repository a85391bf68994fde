"""The report of a period: recomputed from a node's own ledger, or from an archive that somebody made.

    report = report_of_home(node, period, progress)
    report = report_of_archive(path, period, trust, jobs, progress)
    plain_report(report)                 # as JSON has it; tables for people are in ``web.report_tables``

A ledger is always replayed from its first entry. The node has verified its own when it opened it; an archive's ledgers
are audited, and the figures counted by an observer of that audit. Of many ledgers one after the other is in memory, and
of each a line remains, and the sum of all figures.
"""

import datetime
from base64 import b64encode
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from gettext import gettext as _
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from chain.block import SEAL
from chain.fields import Time, format_time
from chain.merkle import frontier, leaf_hash
from ledger.bodies import PAPER
from ledger.figures import Count, Figures, Period, add_up, format_span
from ledger.kinds import CODEC
from ledger.replay import Replay
from ledger.risk import format_period
from ledger.signing import Claim
from ledger.state import State, month_of
from ledger.suspicions import Watch
from ledger.tally import Tally
from store.archive import open_archive
from verify.audit import LedgerReport, Trust, audit_ledger
from verify.source import Source
from web.auditing import workers
from web.desk import DeskNode
from web.problems import DeskError

READ_AT_ONCE = 10_000
LOCAL_AHEAD_MAX = datetime.timedelta(hours=14)
"""So far is local time ahead of UTC at most."""
PARTS_A_WORKER = 8
"""Into so many parts for each process a county's ledgers are cut: progress shows, and no process waits long."""

Progress = Callable[[int, int], None]
"""Told how many entries of how many are done."""


class LedgerLine(msgspec.Struct, frozen=True, kw_only=True):
    """One ledger in the report: which history its figures rest on, and its main figures."""

    origin: str
    size: int
    """Entries counted."""
    root: str
    """Base64 of the tree's root over them: the checkpoint of that size has the same."""
    sealed: str | None
    pending: int
    """Of the entries, those after the last checkpoint."""
    is_pinned: bool
    """Whether the node's own, or audited with a key that was brought along."""
    findings: dict[str, int]
    """Of the audit, by code: with any, the figures cannot be relied on."""
    services: int
    minutes: int
    volunteers: int
    elders: int
    paper: int
    outstanding_minutes: int
    suspicions: int


@dataclass(frozen=True, slots=True)
class Report:
    """A period's figures, of one ledger or the sum of many."""

    period: Period
    figures: Figures
    ledgers: Sequence[LedgerLine]

    @property
    def is_sound(self) -> bool:
        """Whether no audit found anything."""
        return not any(line.findings for line in self.ledgers)

    @property
    def is_of_many(self) -> bool:
        """Whether it sums up several ledgers."""
        return len(self.ledgers) != 1


def check_begun(period: Period, now: Time) -> None:
    """Raise DeskError where a period lies wholly after the month of ``now``, wherever on earth that is."""
    if period.first > month_of((now + LOCAL_AHEAD_MAX).date()):
        raise DeskError(_("the period {period} has not begun").format(period=format_span(period)))


def check_within(period: Period, node: DeskNode) -> None:
    """Raise DeskError where a period lies wholly before the month in which the node's ledger begins."""
    began = month_of((node.entry(0).at + node.state.utc_offset).date())
    if period.last < began:
        text = _("{period} is before this ledger began, in {began}")
        raise DeskError(text.format(period=format_span(period), began=format_period(began)))


def report_of_home(node: DeskNode, period: Period, progress: Progress) -> Report:
    """The report of the node's own ledger, all its entries replayed."""
    store, tally, watch = node.store, Tally(period), Watch()

    def see(claim: Claim) -> None:
        watch.see(claim)
        tally.see(claim)

    state = State(origin=store.origin)
    replay = Replay(state, lambda index: CODEC.read(store.entry(index)), tally.take_leg, see)
    for start in range(0, store.size, READ_AT_ONCE):
        for raw in store.entries(start, min(start + READ_AT_ONCE, store.size)):
            _take(replay, raw)
        progress(state.size, store.size)
    watch.finish()
    figures = tally.finish(state, watch.suspicions, watch.counts)
    last = store.last_checkpoint()
    line = LedgerLine(
        origin=store.origin,
        size=store.size,
        root=b64encode(frontier(store.size, store.hashes.read).root()).decode(),
        sealed=_sealed(state.sealed_at),
        pending=store.size - (0 if last is None else last[0]),
        is_pinned=True,
        findings={},
        **_main_figures(figures),
    )
    return Report(period, figures, [line])


def _take(replay: Replay, raw: bytes) -> None:
    """Take an entry that the node has verified; RuntimeError where it is not true after all."""
    statement = CODEC.read(raw)
    if statement.kind == SEAL:
        replay.close_block(statement, leaf_hash(raw))
        return
    signers = replay.signers(statement)
    if signers is None or replay.admit(statement, signers) is not None:
        raise RuntimeError(f"entry {replay.state.size} of the node's own ledger is refused")


def report_of_archive(path: Path, period: Period, trust: Trust, jobs: int, progress: Progress) -> Report:
    """The report of all ledgers of an archive, each of them audited; in processes where there is much to do."""
    with open_archive(path) as ledgers:
        sizes = [ledger.size() for ledger in ledgers]
        with workers(jobs, sum(sizes)) as executor:
            if len(sizes) == 1:
                show = partial(_show, progress, sizes[0])
                line, figures = _tally_ledger(ledgers[0], period, trust, executor, jobs, show)
                return Report(period, figures, [line])
            return _sum_of_parts(path, period, trust, sizes, executor, jobs, progress)


def _show(progress: Progress, size: int, done: int) -> None:
    progress(done, size)


def _sum_of_parts(
    path: Path,
    period: Period,
    trust: Trust,
    sizes: Sequence[int],
    executor: Executor | None,
    jobs: int,
    progress: Progress,
) -> Report:
    """The ledgers in parts that follow each other, so that the sum is the same however many processes there are."""
    count = min(len(sizes), jobs * PARTS_A_WORKER)
    ends = [len(sizes) * number // max(count, 1) for number in range(count + 1)]
    parts = [range(start, end) for start, end in pairwise(ends)]
    lines: list[LedgerLine] = []
    total = Figures()
    done = map if executor is None else executor.map
    for part_lines, figures in done(partial(_tally_part, path, period, trust), parts):
        lines += part_lines
        total = add_up(total, figures)
        progress(sum(sizes[: len(lines)]), sum(sizes))
    return Report(period, total, lines)


def _tally_part(path: Path, period: Period, trust: Trust, places: range) -> tuple[list[LedgerLine], Figures]:
    """The ledgers at those places of an archive: a line of each, and the sum of their figures."""
    lines: list[LedgerLine] = []
    total = Figures()
    with open_archive(path) as ledgers:
        for place in places:
            line, figures = _tally_ledger(ledgers[place], period, trust)
            total = add_up(total, figures)
            lines.append(line)
    return lines, total


def _tally_ledger(
    source: Source,
    period: Period,
    trust: Trust,
    executor: Executor | None = None,
    workers: int = 1,
    on_progress: Callable[[int], None] | None = None,
) -> tuple[LedgerLine, Figures]:
    """Audit a ledger and count along."""
    tally, state = Tally(period), State(origin=source.origin)

    def see(claim: Claim) -> None:
        nonlocal state
        state = claim.state
        tally.see(claim)

    audited = audit_ledger(source, trust, executor, workers, on_progress, see, tally.take_leg)
    figures = tally.finish(state, audited.suspicions, audited.suspicion_counts)
    return _audited_line(audited, figures), figures


def _audited_line(audited: LedgerReport, figures: Figures) -> LedgerLine:
    return LedgerLine(
        origin=audited.origin,
        size=audited.size,
        root=b64encode(audited.root).decode(),
        sealed=_sealed(audited.sealed),
        pending=audited.pending,
        is_pinned=audited.is_pinned,
        findings=audited.finding_counts,
        **_main_figures(figures),
    )


def _sealed(time: Time | None) -> str | None:
    return None if time is None else format_time(time)


def _main_figures(figures: Figures) -> dict[str, Any]:
    return {
        "services": figures.services.number,
        "minutes": figures.services.minutes,
        "volunteers": figures.volunteers,
        "elders": figures.elders,
        "paper": figures.evidence.get(PAPER, Count()).number,
        "outstanding_minutes": figures.end.outstanding_minutes,
        "suspicions": sum(figures.suspicions.values()),
    }


def plain_report(report: Report) -> dict[str, Any]:
    """The report as JSON has it: minutes, fen, per mille; names that never change (docs/report.md)."""
    return {
        "period": format_span(report.period),
        "as_of": report.figures.as_of,
        "ok": report.is_sound,
        "ledgers": [msgspec.to_builtins(line) for line in report.ledgers],
        "figures": msgspec.to_builtins(report.figures),
    }
