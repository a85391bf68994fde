"""The auditor's commands: ``verify`` a whole ledger, its ``suspicions``, ``check-receipt`` one proof; all off line."""

import gc
import json
import multiprocessing
import os
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
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
    Number,
    argument,
    file_argument,
    file_option,
    option,
    pass_session,
    progress_bar,
)
from web.i18n import marked
from web.problems import DeskError
from web.wording import worded

if TYPE_CHECKING:
    from chain.policy import Policy
    from verify.across import Across
    from verify.audit import LedgerReport, Trust
    from verify.receipts import Proven
    from verify.report import Read
    from verify.resume import Resumed
    from verify.source import Source
    from web.audits import OnProgress, Pool
    from web.auditstates import AuditState, AuditStates
    from web.session import Session
    from web.targets import Place

ALONE_MAX_ENTRIES = 10_000
"""Up to here starting workers takes longer than they save, and so does keeping what an audit leaves."""

GC_ALLOCATIONS = 100_000
"""An audit makes no cycles of garbage, only much of it: Python's collector is to look rarely."""


@click.command(cls=Command, takes=READS, example="huzhu verify huzhu-home/ledger.db --trust trust.txt")
@argument("targets", metavar="TARGET...", nargs=-1, required=True)
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
@option("--jobs", type=Number(1, 256), help=marked("Processes to use (default: one for each core)."))
@option("--cluster", help=marked("Audit on a Dask cluster: its scheduler's address, tcp://host:port."))
@file_option("--state", help=marked("Folder for what this audit leaves to the next (default: in the user's own)."))
@option("--full", is_flag=True, help=marked("Read everything from the first entry on, whatever was audited before."))
@file_option("--report", "page", help=marked("Write the report as one page (HTML) too, with findings side by side."))
@pass_session
def verify(
    session: "Session",
    targets: tuple[str, ...],
    trust: Path | None,
    kept_files: tuple[Path, ...],
    balances: Path | None,
    jobs: int | None,
    cluster: str | None,
    state: Path | None,
    full: bool,
    page: Path | None,
) -> int:
    """Audit ledgers, and what they say of each other.

    Recomputes every byte, signature, rule and balance. TARGET is an archive, a node's home, a folder of tiles, or an
    http(s) address, also of a node that serves many ledgers. Without --trust the key found in a ledger's first entry is
    taken, and the report says so; with it, ledgers that a trusted one admits are trusted too. Targets of more than
    10,000 entries are read from where their last audit ended; --full begins anew. Exit status: 0 sound, 1 findings, 2
    it could not run.
    """
    from verify.across import lay_side_by_side
    from verify.report import is_sound, report_lines, report_object
    from web.export import in_folder
    from web.findings import explain, pin_lines
    from web.targets import places_of
    from web.text import named_kind

    if page is not None:
        in_folder(page)
    started = time.monotonic()
    brought = _trust(trust, kept_files, balances)
    places = places_of(targets)
    _check_brought(brought, [place.origin for place in places])
    states = _states(places, state)
    old = {} if states is None or full else _old_states(places, states)
    _look_through(places, old)
    with _pool(jobs or os.cpu_count() or 1, cluster, places, old) as pool, progress_bar() as show:
        found = list(_resumed(places, old, states, brought, pool, show))
    _check_brought(brought, [each.audited.report.origin for each in found])
    across = lay_side_by_side([each.audited for each in found], brought)
    read = [_read_of(each, old.get(place)) for place, each in zip(places, found, strict=True)]
    seconds = time.monotonic() - started
    if page is not None:
        _write_page(page, across, read, seconds, places, targets, trust, brought)
    if session.settings.as_json:
        printed = report_object(across.reports, seconds, read, across.travel)
        click.echo(json.dumps(printed, ensure_ascii=False, indent=1))
    else:
        for line in report_lines(across.reports, seconds, _, explain, named_kind, read, across.travel):
            click.echo(line)
        for line in pin_lines(across.reports):
            click.echo(line)
    return DONE if is_sound(across.reports) else WRONG


def _states(places: "Sequence[Place]", folder: Path | None) -> "AuditStates | None":
    """Where audits keep what they leave; None where all is read as fast."""
    from web.auditstates import AuditStates, user_states

    if folder is not None:
        return AuditStates(folder)
    return user_states() if sum(place.size for place in places) > ALONE_MAX_ENTRIES else None


def _old_states(places: "Sequence[Place]", states: "AuditStates") -> "dict[Place, AuditState]":
    found = ((place, states.look(place)) for place in places)
    return {place: old for place, old in found if old is not None}


def _look_through(places: "Sequence[Place]", old: "Mapping[Place, AuditState]") -> None:
    """Look once through each archive of which a ledger is read for the first time."""
    from store.archive import open_archive

    for name in {place.name for place in places if place not in old and place.is_archive}:
        with open_archive(Path(name)):
            pass


@contextmanager
def _pool(
    jobs: int, cluster_address: str | None, places: "Sequence[Place]", old: "Mapping[Place, AuditState]"
) -> "Iterator[Pool]":
    """As many workers as the new entries are worth."""
    from web.audits import Pool, cluster

    if cluster_address is not None:
        with cluster(cluster_address) as pool:
            yield pool
        return
    starts = {place: state.start for place, state in old.items()}
    new_count = sum(max(0, place.size - starts.get(place, 0)) for place in places)
    with workers(jobs, new_count) as executor:
        yield Pool(executor, jobs)


def _resumed(
    places: "Sequence[Place]",
    old: "Mapping[Place, AuditState]",
    states: "AuditStates | None",
    brought: "Trust",
    pool: "Pool",
    show: "OnProgress",
) -> "Iterator[Resumed]":
    """Each ledger's audit; what it goes on from is read when its turn comes, and what it leaves is kept at once."""
    from web.audits import audit_places

    def frozen(place: "Place") -> bytes:
        return states.read(place) if states is not None and place in old else b""

    for place, each in zip(places, audit_places(places, frozen, brought, pool, show), strict=True):
        if states is not None and each.frozen and each.frozen != frozen(place):
            states.write(place, each.frozen)
        yield replace(each, frozen=b"")


def _write_page(
    path: Path,
    across: "Across",
    read: "Sequence[Read]",
    seconds: float,
    places: "Sequence[Place]",
    targets: Sequence[str],
    trust: Path | None,
    brought: "Trust",
) -> None:
    """The report as a page, in a new file or in the place of an older one."""
    from importlib.metadata import version

    from web.auditpage import Shown, audit_page
    from web.export import write_file
    from web.i18n import language
    from web.session import now

    def bytes_of(place: int, index: int) -> bytes | None:
        if places[place].name.startswith(("http://", "https://")):
            return None
        with places[place].opened() as source:
            return next((raw for found, raw in source.rows(index) if found == index), None)

    words = ["huzhu", "verify", *targets, *(() if trust is None else ("--trust", str(trust))), "--full"]
    shown = Shown(
        across.reports,
        read,
        across.travel,
        seconds,
        targets,
        shlex.join(words),
        brought.policy,
        now(),
        version("huzhu"),
        bytes_of,
    )
    write_file(path, audit_page(shown, language()).encode())


def _read_of(each: "Resumed", old: "AuditState | None") -> "Read":
    from verify.report import Read

    return Read(each.start, old.at if old is not None and each.start else None, each.why)


@click.command(cls=Command, takes=READS, example="huzhu suspicions huzhu-home/ledger.db --account 12345676")
@argument("target", required=False)
@option("--account", help=marked("Only those that name this account."))
@option("--jobs", type=Number(1, 256), help=marked("Processes to use (default: one for each core)."))
@pass_session
def suspicions(session: "Session", target: str | None, account: str | None, jobs: int | None) -> int:
    """List what is unusual in a ledger, yet allowed.

    Whoever audits the same ledger gets the same list. A suspicion is a question, not a judgement: people look into it
    and open a case, or do not. TARGET is as for `huzhu verify`; without it the home's own ledger. Exit status: 0
    listed, 1 the ledger itself is not sound, 2 it could not run.
    """
    from verify.audit import Trust
    from verify.report import is_sound, suspicion_object
    from web.findings import suspicion_lines
    from web.session import say

    with _opened(target or str(session.home.folder)) as ledgers:
        reports = list(_audit(ledgers, Trust(), jobs or os.cpu_count() or 1))
    named = [
        (report.origin, suspicion)
        for report in reports
        for suspicion in report.suspicions
        if account is None or account in (suspicion.account, *suspicion.values.values())
    ]
    lines = [line for _origin, suspicion in named for line in suspicion_lines(suspicion)]
    if not is_sound(reports):
        say(_("this ledger is not sound; see `huzhu verify`"))
    session.print(
        [suspicion_object(suspicion, origin) for origin, suspicion in named],
        lines or [_("Nothing unusual.")],
    )
    return DONE if is_sound(reports) else WRONG


@click.command("check-receipt", cls=Command, takes=READS, example="huzhu check-receipt 17.tlog-proof --trust trust.txt")
@file_argument("file")
@file_option("--trust", required=True, help=marked("Trust file (tlog-policy)."))
@pass_session
def check_receipt(session: "Session", file: Path, trust: Path) -> int:
    """Check the receipt of an entry or a balance, off line.

    FILE is the receipt, or a text with what was read from the QR codes of a printed one, in any order. Exit status: 0
    proven, 1 not, 2 it is no receipt.
    """
    from verify import receipts
    from verify.rootproof import ROOT_PROOF_FIRST_BYTES, ROOT_PROOF_MAX_BYTES
    from web.papercodes import is_codes, parse_codes
    from web.rootproofs import show_root_proof
    from web.telling import proven_lines

    policy, raw = read_policy(trust), _read(file, ROOT_PROOF_MAX_BYTES)
    if raw.startswith(ROOT_PROOF_FIRST_BYTES):
        return show_root_proof(session, raw, policy)
    if not raw.startswith(receipts.FIRST_BYTES) and is_codes(raw):
        raw = parse_codes(raw.decode(errors="replace"))
    if not raw.startswith(receipts.FIRST_BYTES):
        raise DeskError(_no_receipt(file, raw))
    try:
        proven = receipts.check_receipt(raw, policy)
    except receipts.ReceiptError as error:
        if session.settings.as_json:
            click.echo(json.dumps({"proven": False, "detail": str(error)}, ensure_ascii=False))
        else:
            click.echo(_("NOT PROVEN: {why}").format(why=worded(error)))
        return WRONG
    if session.settings.as_json:
        click.echo(json.dumps(_proven_object(proven), ensure_ascii=False, indent=1))
    else:
        for line in proven_lines(proven):
            click.echo(line)
    return DONE


def _no_receipt(path: Path, raw: bytes) -> str:
    """What the file is instead, and which command takes it."""
    from chain.checkpoint import open_checkpoint
    from chain.errors import ChainError
    from verify.kept import PROMISE_FIRST_BYTES

    if raw.startswith(PROMISE_FIRST_BYTES):
        text = _("{path} is a promise, no receipt: compare it with the ledger by `huzhu verify TARGET --since {path}`")
        return text.format(path=path)
    try:
        open_checkpoint(raw)
    except ChainError:
        text = _("{path} is no receipt: `huzhu receipt` writes them; a whole ledger is for `huzhu verify`")
        return text.format(path=path)
    text = _("{path} is a checkpoint, no receipt: compare it with the ledger by `huzhu verify TARGET --since {path}`")
    return text.format(path=path)


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
    with workers(jobs, sum(sizes)) as executor:
        for ledger, size in zip(ledgers, sizes, strict=True):
            with progress_bar() as show:
                yield audit_ledger(ledger, brought, executor, jobs, partial(_show, show, size))


def _show(show: Callable[[int, int], None], size: int, done: int) -> None:
    show(done, size)


@contextmanager
def workers(jobs: int, entry_count: int) -> Iterator[Executor | None]:
    """Processes to audit so many entries with, or None where starting them takes longer than they save."""
    if entry_count <= ALONE_MAX_ENTRIES:
        yield None
        return
    with audit_workers(jobs) as executor:
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise


def audit_workers(jobs: int) -> ProcessPoolExecutor:
    """Processes that are ready to audit."""
    gc.set_threshold(GC_ALLOCATIONS)
    return ProcessPoolExecutor(jobs, initializer=_prepare_worker)


def _prepare_worker() -> None:
    """Leave Ctrl-C to the process that began it: it ends its workers, and says so once.

    Where it is killed it cannot: then each ends by itself.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.set_threshold(GC_ALLOCATIONS)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the end of the parent, however it comes: the system then closes the pipe between the two.

    Workers that began later hold that pipe open too; the last one ends at once, and so on to the first.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _opened(target: str) -> Any:
    """A context that gives the ledgers of TARGET."""
    from store.archive import open_archive
    from store.home import Home
    from store.tiles import open_address, open_folder

    if target.startswith(("http://", "https://")):
        return nullcontext(open_address(target))
    if "://" in target:
        raise DeskError(_("{address} cannot be read: an address begins with http:// or https://").format(address=target))
    path = Path(target)
    if Home(path).ledger.is_file():
        path = Home(path).ledger
    return nullcontext(open_folder(path)) if path.is_dir() else open_archive(path)


def _trust(trust: Path | None, kept_files: tuple[Path, ...], balances: Path | None) -> "Trust":
    from verify.audit import Trust
    from verify.kept import KEPT_MAX_BYTES, parse_kept

    return Trust(
        policy=None if trust is None else read_policy(trust),
        kept=tuple(parse_kept(_read(file, KEPT_MAX_BYTES), file.name) for file in kept_files),
        balances={} if balances is None else _balances(balances),
        admits=True,
    )


def read_policy(path: Path) -> "Policy":
    """The trust file at ``path``; raises DeskError where it is none, or pins no ledger."""
    from chain.errors import NoteError
    from chain.policy import POLICY_MAX_BYTES, parse_policy

    try:
        policy = parse_policy(_read(path, POLICY_MAX_BYTES))
    except NoteError as error:
        raise DeskError(_("{path} is not a trust file: {why}").format(path=path, why=worded(error))) from error
    if not policy.logs:
        raise DeskError(_("{path} pins no ledger: give it a line `log` with the ledger's key").format(path=path))
    return policy


def _balances(path: Path) -> dict[str, tuple[int, int]]:
    """What ``huzhu balance --json`` printed, one object or a list."""
    import msgspec

    from verify.receipts import StateLeaf

    class Published(StateLeaf, frozen=True):
        hours: float | None = None

    raw = _read(path, 2**30)
    try:
        found = msgspec.json.decode(raw, type=list[Published] | Published)
    except (msgspec.DecodeError, RecursionError) as error:
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
