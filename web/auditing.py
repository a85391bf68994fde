"""The auditor's two commands: ``verify`` a whole ledger, ``check-receipt`` one proof. Both work off line."""

import gc
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from web.command import (
    DONE,
    READS,
    WRONG,
    Command,
    argument,
    file_argument,
    file_option,
    option,
    pass_session,
    progress_bar,
)
from web.i18n import marked
from web.problems import DeskError

if TYPE_CHECKING:
    from chain.policy import Policy
    from verify.audit import LedgerReport, Trust
    from verify.receipts import Proven
    from verify.source import Source
    from web.session import Session

ALONE_MAX_ENTRIES = 10_000
"""Up to here starting workers takes longer than they save."""

GC_ALLOCATIONS = 100_000
"""An audit makes no cycles of garbage, only much of it: Python's collector is to look rarely."""


@click.command(cls=Command, takes=READS, example="huzhu verify huzhu-home/ledger.db --trust trust.txt")
@argument("target")
@file_option("--trust", help=marked("Trust file (tlog-policy): pinned keys and quorum."))
@file_option(
    "--since",
    "kept_files",
    multiple=True,
    help=marked("A checkpoint, receipt or promise kept from before; can be repeated."),
)
@file_option(
    "--balances",
    help=marked("Balances that somebody published, as `huzhu balance --json` prints them."),
)
@option("--jobs", type=click.IntRange(1, 256), help=marked("Processes to use (default: one for each core)."))
@pass_session
def verify(
    session: "Session",
    target: str,
    trust: Path | None,
    kept_files: tuple[Path, ...],
    balances: Path | None,
    jobs: int | None,
) -> int:
    """Audit a ledger.

    Recomputes every byte, signature, rule and balance. TARGET is an archive, a folder of tiles, or an http(s)
    address. Without --trust the key found in the ledger's first entry is taken, and the report says so. Exit status:
    0 sound, 1 findings, 2 it could not run.
    """
    from verify.report import is_sound, report_lines, report_object
    from web.findings import explain

    started = time.monotonic()
    brought = _trust(trust, kept_files, balances)
    with _opened(target) as ledgers:
        _check_brought(brought, [ledger.origin for ledger in ledgers])
        reports = list(_audit(ledgers, brought, jobs or os.cpu_count() or 1))
    seconds = time.monotonic() - started
    if session.settings.as_json:
        click.echo(json.dumps(report_object(reports, seconds), ensure_ascii=False, indent=1))
    else:
        for line in report_lines(reports, seconds, _, explain):
            click.echo(line)
    return DONE if is_sound(reports) else WRONG


@click.command("check-receipt", cls=Command, takes=READS, example="huzhu check-receipt 17.tlog-proof --trust trust.txt")
@file_argument("file")
@file_option("--trust", required=True, help=marked("Trust file (tlog-policy)."))
@pass_session
def check_receipt(session: "Session", file: Path, trust: Path) -> int:
    """Check the receipt of an entry or a balance, off line.

    Exit status: 0 proven, 1 not.
    """
    from chain.receipt import BALANCE_RECEIPT_MAX_BYTES
    from verify import receipts

    policy = _policy(trust)
    try:
        proven = receipts.check_receipt(_read(file, BALANCE_RECEIPT_MAX_BYTES), policy)
    except receipts.ReceiptError as error:
        if session.settings.as_json:
            click.echo(json.dumps({"proven": False, "detail": str(error)}, ensure_ascii=False))
        else:
            click.echo(_("NOT PROVEN: {why}").format(why=error))
        return WRONG
    if session.settings.as_json:
        click.echo(json.dumps(_proven_object(proven), ensure_ascii=False, indent=1))
    else:
        for line in _proven_lines(proven):
            click.echo(line)
    return DONE


def _check_brought(brought: "Trust", origins: Sequence[str]) -> None:
    """Whether what the auditor brought is about these ledgers: passed over in silence it would look like a pass."""
    for kept in brought.kept:
        if kept.origin not in origins:
            raise DeskError(_("{file} is of the ledger {origin}, which is not in the target").format(
                file=kept.name, origin=kept.origin))
    if brought.balances and len(origins) > 1:
        raise DeskError(_("--balances needs a target that holds one ledger; this one holds {count}").format(
            count=len(origins)))


def _audit(ledgers: "Sequence[Source]", brought: "Trust", jobs: int) -> "Iterator[LedgerReport]":
    """The report of each ledger, one after the other."""
    from verify.audit import audit_ledger

    sizes = [ledger.size() for ledger in ledgers]
    with _workers(jobs, sum(sizes)) as executor:
        for ledger, size in zip(ledgers, sizes, strict=True):
            with progress_bar() as show:
                yield audit_ledger(ledger, brought, executor, jobs, partial(_show, show, size))


def _show(show: Callable[[int, int], None], size: int, done: int) -> None:
    show(done, size)


@contextmanager
def _workers(jobs: int, entry_count: int) -> Iterator[Executor | None]:
    if entry_count <= ALONE_MAX_ENTRIES:
        yield None
        return
    with audit_workers(jobs) as executor:
        yield executor


def audit_workers(jobs: int) -> ProcessPoolExecutor:
    """Processes that are ready to audit."""
    gc.set_threshold(GC_ALLOCATIONS)
    return ProcessPoolExecutor(jobs, initializer=gc.set_threshold, initargs=(GC_ALLOCATIONS,))


def _opened(target: str) -> Any:
    """A context that gives the ledgers of TARGET."""
    from store.archive import open_archive
    from store.tiles import open_address, open_folder

    if target.startswith(("http://", "https://")):
        return nullcontext(open_address(target))
    path = Path(target)
    return nullcontext(open_folder(path)) if path.is_dir() else open_archive(path)


def _trust(trust: Path | None, kept_files: tuple[Path, ...], balances: Path | None) -> "Trust":
    from verify.audit import Trust
    from verify.kept import KEPT_MAX_BYTES, parse_kept

    return Trust(
        policy=None if trust is None else _policy(trust),
        kept=tuple(parse_kept(_read(file, KEPT_MAX_BYTES), file.name) for file in kept_files),
        balances={} if balances is None else _balances(balances),
    )


def _policy(path: Path) -> "Policy":
    from chain.errors import NoteError
    from chain.policy import POLICY_MAX_BYTES, parse_policy

    try:
        return parse_policy(_read(path, POLICY_MAX_BYTES))
    except NoteError as error:
        raise DeskError(_("{path} is not a trust file: {why}").format(path=path, why=error)) from error


def _balances(path: Path) -> dict[str, tuple[int, int]]:
    """What ``huzhu balance --json`` printed, one object or a list."""
    import msgspec

    from verify.receipts import StateLeaf

    class Published(StateLeaf, frozen=True):
        hours: float | None = None

    raw = _read(path, 2**30)
    try:
        found = msgspec.json.decode(raw, type=list[Published] | Published)
    except msgspec.DecodeError as error:
        raise DeskError(_("{path} does not hold balances: {why}").format(path=path, why=error)) from error
    return {item.account: (item.balance, item.held) for item in (found if isinstance(found, list) else [found])}


def _read(path: Path, maximum_bytes: int) -> bytes:
    with path.open("rb") as file:
        raw = file.read(maximum_bytes + 1)
    if len(raw) > maximum_bytes:
        raise DeskError(_("{path} is too large").format(path=path))
    return raw


def _proven_object(proven: "Proven") -> dict[str, Any]:
    import msgspec

    from chain.fields import format_time

    found: dict[str, Any] = {
        "proven": True,
        "origin": proven.checkpoint.origin,
        "size": proven.checkpoint.size,
        "index": proven.index,
        "kind": proven.entry.kind,
        "at": format_time(proven.at),
    }
    if proven.balance is not None:
        return found | {"balance": msgspec.to_builtins(proven.balance)}
    return found | {"entry": msgspec.to_builtins(proven.entry)}


def _proven_lines(proven: "Proven") -> Iterator[str]:
    from chain.fields import format_time
    from web.text import whole_amount

    yield _("PROVEN by the log {origin}, of {size} entries:").format(
        origin=proven.checkpoint.origin, size=proven.checkpoint.size
    )
    at, leaf = format_time(proven.at), proven.balance
    if leaf is None:
        yield "  " + _("entry {index}, {kind}, stated at {at}").format(
            index=proven.index, kind=proven.entry.kind, at=at
        )
        return
    balance, held = (whole_amount(count, leaf.unit) for count in (leaf.balance, leaf.held))
    yield "  " + _("account {account} had {balance}, and {held} held, at {at}").format(
        account=leaf.account, balance=balance, held=held, at=at
    )
