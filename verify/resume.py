"""An audit that goes on where the last one ended, and begins anew where the log does not go on from there.

    found = audit_on(source, raw, trust)     # raw: what the last audit left, b"" where there was none
    found.audited, found.start, found.frozen

What was audited before is not read again: that an old entry has changed since on the disk is noticed only where a rule
looks at it, or by an audit from the first entry on. That the log is another one is always noticed: its seal at the
last audit's end differs or is gone. Then all is read, with the checkpoint of then as something kept, so that the
finding says what it is (``log.fork``, ``log.rollback``).
"""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from chain.checkpoint import open_checkpoint
from chain.errors import ChainError
from chain.merkle import leaf_hash
from verify.across import Audited
from verify.audit import LedgerAudit, Trust, thaw_audit
from verify.frozen import AuditStateError
from verify.source import Source, SourceError

BREAKS = ("checkpoint.root", "seal.root", "log.truncated")
"""Findings that new entries have where they do not follow from the old ones."""

LAST_AUDIT = "the checkpoint that the last audit saw"

OnProgress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Resumed:
    """One ledger after an audit that could go on: which entries were read this time, and what to keep for the next."""

    audited: Audited
    start: int
    """Entries before this one were taken from the last audit."""
    frozen: bytes
    """Empty where there is nothing to go on from. Where the log is another one than it was, what was frozen then: until
    somebody begins anew, each audit says so again."""
    why: str = ""
    """Why the last audit could not go on, where it could not."""


def audit_on(
    source: Source,
    raw: bytes,
    trust: Trust,
    executor: Executor | None = None,
    workers: int = 1,
    on_progress: OnProgress | None = None,
) -> Resumed:
    """Audit the ledger, from where the audit ``raw`` ended if it can go on."""
    why = ""
    if raw:
        try:
            audit = thaw_audit(raw, source.origin, trust)
        except AuditStateError as error:
            why = str(error)
        else:
            found = _go_on(audit, source, executor, workers, on_progress)
            if isinstance(found, Resumed):
                return found
            why = found
            kept = audit.kept(LAST_AUDIT)
            if kept is not None:
                trust = replace(trust, kept=(*trust.kept, kept))
                return _from_first(source, trust, executor, workers, on_progress, raw, why)
    return _from_first(source, trust, executor, workers, on_progress, b"", why)


def _from_first(
    source: Source,
    trust: Trust,
    executor: Executor | None,
    workers: int,
    on_progress: OnProgress | None,
    raw: bytes,
    why: str,
) -> Resumed:
    """Audit all of it; ``raw`` stays what there is to go on from, where it is given."""
    audit = LedgerAudit(source.origin, trust, keeps=True)
    audit.take(source, executor, workers, on_progress)
    return Resumed(Audited(audit.report(), audit.ties()), 0, raw or audit.freeze(), why)


def _go_on(
    audit: LedgerAudit, source: Source, executor: Executor | None, workers: int, on_progress: OnProgress | None
) -> Resumed | str:
    """Or why not: the log is another one, was cut back, or does not show a checkpoint as new as it did."""
    start, before = audit.size, audit.report().finding_counts
    why = f"the log does not go on from its first {start} entries as the last audit saw them"
    try:
        if leaf_hash(source.entry(start - 1)) != audit.state.last_seal_hash:
            return why
        if not any(_is_as_new(raw, source.origin, start) for _size, raw in source.checkpoints(start)):
            return f"the log does not show the checkpoint of its first {start} entries any more, nor a newer one"
        audit.keeps = True
        audit.take(source, executor, workers, on_progress)
    except (IndexError, SourceError):
        return why
    report = audit.report()
    if any(report.finding_counts.get(code, 0) > before.get(code, 0) for code in BREAKS):
        return why
    return Resumed(Audited(report, audit.ties()), start, audit.freeze())


def _is_as_new(raw: bytes, origin: str, size: int) -> bool:
    """Whether these bytes are a checkpoint of that log, of that size or a larger one; all else is for the audit."""
    try:
        checkpoint, _note = open_checkpoint(raw)
    except ChainError:
        return False
    return checkpoint.origin == origin and checkpoint.size >= size
