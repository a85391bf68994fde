"""Mirrors the ledgers below a node: fetches what is new, believes nothing of it, and keeps what proves to be theirs.

    mirror = Mirror(store, own_origin, admitted, keep_evidence, free_bytes)
    results = mirror.pull("village.example/huzhu", site)     # a child, and what its site serves of the ledgers below
    results = mirror.receive(ledgers)                        # the same from an archive on a stick

A ledger belongs to us where our log admits it, or the log of one that belongs to us does; the admission names its key.
Of each, in this order:

1. the checkpoint: of that origin, signed by that key, or by one that the log itself has made its node's. It is kept
   at once, whatever can be had of its entries: what was once signed is not forgotten;
2. against what we keep: the same tree, or one that begins with ours. Another tree of that size is a *fork*, a smaller
   one a *rollback*: nothing more is taken until a person says so, and both signed notes are kept as evidence;
3. the entries in steps, every file authenticated against the checkpoint's root before it is used (``TileReader``).
   Each step is one transaction: after a break the next round goes on from there;
4. when all of them are here they are audited, from where the last audit ended, and begin to count: one transaction.

One ledger's failure is a result, and no other's. Only our own disk's failure (the store's error) ends the round.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from gettext import gettext as _
from heapq import heappop, heappush
from typing import NoReturn

from chain.checkpoint import open_checkpoint
from chain.fork import Fork, format_fork
from chain.merkle import ReadNode, leaf_hash, prove_prefix, tree_root
from chain.note import Note, VerifierKey, format_note, parse_vkey
from chain.policy import NO_QUORUM, Policy
from chain.tile import TILE_WIDTH, TileReader, bundles_of
from ledger.kinds import CODEC
from ledger.state import State
from sync.fetch import FetchError, Site
from sync.kept import (
    BAD_ARCHIVE,
    CLAIMED_TWICE,
    DISK_LOW,
    FINDINGS,
    FORKED,
    FULL,
    HELD,
    LIES,
    MORE,
    NEW,
    OLDER,
    READMITTED,
    ROLLED_BACK,
    SAME,
    TOO_LARGE,
    UNADMITTED,
    UNREACHABLE,
    Bounds,
    KeepEvidence,
    MirrorLog,
    MirrorStore,
    Pulled,
    Workers,
    evidence_name,
    no_workers,
)
from sync.lines import log_keys, node_keys, signed_by, true_lines
from sync.offered import (
    HeldError,
    LieError,
    Offered,
    StopError,
    authenticated,
    beside,
    foreign,
    known_of,
    open_offered,
    tell_older,
)
from sync.offers import AHEAD_BUNDLES, Ahead, Fetch, archive_offers, site_offers
from sync.posted import Posted
from verify.audit import LedgerAudit, Trust, thaw_audit
from verify.frozen import AuditStateError
from verify.source import Source, SourceError
from verify.summary import summary_of

UNKNOWN_ENTRIES_MAX = 262_144
"""In so many new entries a log may bring in the key that has signed for them, and they are taken to see whether."""
Taken = tuple[str, str, bool]
"""Outcome of one ledger, what there is to say, and whether a new alarm was raised."""


class Mirror:
    """One round of mirroring, for the node of ``origin``, whose log admits ``admitted``: key and tier by origin."""

    def __init__(
        self,
        store: MirrorStore,
        origin: str,
        admitted: Mapping[str, tuple[str, str]],
        keep_evidence: KeepEvidence,
        free_bytes: Callable[[], int],
        bounds: Bounds | None = None,
        workers: Workers = no_workers,
        jobs: int = 1,
        witnesses: Sequence[VerifierKey] = (),
    ) -> None:
        """``workers`` gives the processes, of which there are ``jobs``, that help to audit so many new entries.

        Lines by ``witnesses`` are kept where they verify.
        """
        self._store = store
        self._origin = origin
        self._admitted = admitted
        self._keep_evidence = keep_evidence
        self._free_bytes = free_bytes
        self._bounds = bounds or Bounds()
        self._workers = workers
        self._jobs = jobs
        self._witnesses = witnesses
        self._until = float("inf")
        """When the child that is being asked has had its time."""

    def pull(self, child: str, site: Site) -> list[Pulled]:
        """Take what is new from a child's site: its own ledger, and those below it that it serves."""
        if child not in self._admitted:
            return [self._unadmitted(child)]
        self._until = time.monotonic() + self._bounds.child_seconds_max
        vkey, tier = self._admitted[child]
        log = self._store.admit(child, self._origin, tier, vkey)
        try:
            offers = site_offers(site)
            if child not in offers:
                raise FetchError(_("{url} does not serve {origin}").format(url=site.url, origin=child))
        except FetchError as error:
            log.trouble(str(error), int(time.time()))
            self._store.commit()
            return [Pulled(child, UNREACHABLE, 0, log.size, str(error))]
        with _fetchers() as executor:
            results = list(self._walk([child], offers, executor, own=child))
        self._settle(results)
        return results

    def receive(self, ledgers: Sequence[Source]) -> list[Pulled]:
        """Take what is new from an archive, of all ledgers in it that belong to us."""
        self._until = float("inf")
        offers = archive_offers(ledgers)
        results = list(self._walk(self._admitted, offers, None, own=None))
        self._settle(results)
        known = {result.origin for result in results}
        results += [self._unadmitted(origin) for origin in offers if origin not in known]
        return results

    # From ledger to ledger

    def _walk(
        self, first: Iterable[str], offers: Mapping[str, Fetch], executor: Executor | None, own: str | None
    ) -> Iterator[Pulled]:
        """Down from ``first``, as admissions lead, through all that is offered; those first that waited longest.

        A child that has had its time waits for the next round, but for one ledger below it.
        """
        tried = self._store.tried()
        waiting: list[tuple[int, str, str, str, str]] = []

        def wait(parent: str, admissions: Iterable[tuple[str, tuple[str, str]]]) -> None:
            for below, (vkey, tier) in admissions:
                heappush(waiting, (tried.get(below, 0), below, parent, vkey, tier))

        wait(self._origin, ((origin, self._admitted[origin]) for origin in first))
        done: set[str] = set()
        taken = 0
        while waiting:
            _tried, origin, parent, vkey, tier = heappop(waiting)
            if origin in done:
                continue
            done.add(origin)
            twice = self._claimed_twice(origin, parent)
            if twice is not None:
                yield twice
                continue
            if origin in offers:
                if taken > 1 and own is not None and time.monotonic() > self._until:
                    text = _("its time in this round is over: what is left below it waits for the next")
                    yield Pulled(own, MORE, 0, 0, text)
                    return
                taken += 1
                log = self._store.admit(origin, parent, tier, vkey)
                yield self._take_safely(log, offers[origin], executor, own)
            wait(origin, self._store.admissions(origin).items())

    def _claimed_twice(self, origin: str, parent: str) -> Pulled | None:
        """A ledger has one parent: whoever admits one that belongs to another, or to ourselves, is named.

        The evidence about each is the receipt of his own admission; ours is on our own log.
        """
        known = self._store.parent(origin)
        if parent == self._origin:
            return None
        by_us = origin == self._origin or origin in self._admitted
        by_other = known not in (None, parent) and origin in self._store.admissions(known or "")
        if not by_us and not by_other:
            return None
        other = self._origin if by_us else known or ""
        detail = _("{parent} and {other} both admit {origin}; it stays under {other} until one retires it: ask both")
        text = detail.format(parent=parent, origin=origin, other=other)
        accused = (parent,) if by_us else (parent, other)
        receipt = self._store.admission_receipt
        alarms = [self._alarm(each, CLAIMED_TWICE, text, receipt(each, origin)) for each in accused]
        return Pulled(origin, LIES, 0, 0, text, any(alarms))

    def _settle(self, results: Iterable[Pulled]) -> None:
        """Of ledgers that were good in this round, what it did not find again is over: the next time is a new alarm."""
        outcomes = {result.origin: result.outcome for result in results}

        def lasts(origin: str, code: str) -> bool:
            if code == CLAIMED_TWICE:
                by_us = self._store.admissions(origin).keys() & {self._origin, *self._admitted}
                return bool(by_us) or self._store.has_rival(origin)
            return code == FINDINGS or (code == TOO_LARGE and outcomes[origin] == SAME)

        self._store.settle({origin for origin, outcome in outcomes.items() if outcome in (NEW, SAME)}, lasts)

    def _unadmitted(self, origin: str) -> Pulled:
        text = _("{origin} belongs to no ledger here: admit it with `huzhu org admit`, or have its parent do so")
        return Pulled(origin, UNADMITTED, 0, 0, text.format(origin=origin))

    def _take_safely(self, log: MirrorLog, fetch: Fetch, executor: Executor | None, own: str | None) -> Pulled:
        """One ledger, whatever comes of it; what cannot be had is its trouble, what is false an alarm.

        ``own`` is the child whose site offers it, None for an archive.
        """
        before, is_new = log.staged, False
        try:
            outcome, detail, is_new = self._take(log, fetch, executor, is_own=log.origin == own)
        except HeldError as held:
            outcome, detail, is_new = held.state, str(held), held.is_new_alarm
        except LieError as lie:
            self._store.rollback()
            log.load()
            outcome, detail = LIES, str(lie)
            is_new = self._blame(log, lie, own)
        except StopError as stop:
            is_new = self._alarm(log.origin, stop.code, str(stop))
            outcome, detail = FULL, str(stop)
        except (FetchError, FileNotFoundError, SourceError) as error:
            self._store.rollback()
            log.load()
            text = _("{file} is not there") if isinstance(error, FileNotFoundError) else "{file}"
            outcome, detail = UNREACHABLE, text.format(file=error)
        if outcome in (NEW, SAME, OLDER, MORE):
            log.pulled(int(time.time()))
        else:
            log.trouble(detail, int(time.time()))
        self._store.commit()
        return Pulled(log.origin, outcome, log.staged - before, log.size, detail, is_new)

    def _blame(self, log: MirrorLog, lie: LieError, own: str | None) -> bool:
        """Raise the alarm about whoever lied: what nobody has signed is the word of those who brought it."""
        about, code, detail = lie.about or own or log.origin, lie.code, str(lie)
        if not lie.about and own is None:
            code, detail = BAD_ARCHIVE, _("an archive brought {origin}: {detail}")
        elif about != log.origin and not lie.about:
            detail = _("as {origin} is served there: {detail}")
        return self._alarm(about, code, detail.format(origin=log.origin, detail=lie), lie.evidence)

    def _alarm(self, origin: str, code: str, detail: str, evidence: bytes = b"", *, each: bool = False) -> bool:
        """With ``each``, also while another of its kind waits for somebody to look at it."""

        def keep() -> str:
            return self._keep_evidence(evidence_name(origin, code, evidence), evidence) if evidence else ""

        return self._store.alarm(origin, code, detail, keep, int(time.time()), each=each)

    # One ledger

    def _take(self, log: MirrorLog, fetch: Fetch, executor: Executor | None, *, is_own: bool) -> Taken:
        """What became of it."""
        if log.state == FORKED:
            text = _("nothing is taken from it since it forked: see `huzhu alarms`, and what it rests on")
            return HELD, text, False
        offered = open_offered(log, fetch, is_own=is_own)
        signed = signed_by(offered.note, [parse_vkey(log.vkey)]) or signed_by(offered.note, self._own_keys(log))
        offered, is_signed = replace(offered, signed=signed), bool(signed)
        if not is_signed and not 0 < offered.checkpoint.size - log.size <= UNKNOWN_ENTRIES_MAX:
            raise foreign(offered)
        older = self._lay_beside(log, offered) if is_signed else ""
        if older:
            return OLDER, older, False
        if log.state == ROLLED_BACK:
            text = _("nothing is taken from it since it was rolled back: see `huzhu mirror release --help`")
            return HELD, text, False
        if log.note() is not None and log.size == offered.checkpoint.size:
            self._keep_lines(log, offered)
            return SAME, "", False
        return self._follow(log, offered, executor, is_signed=is_signed)

    def _own_keys(self, log: MirrorLog) -> list[VerifierKey]:
        """The keys that the log so far has made its node's."""
        audit = _thaw(log)
        return [] if audit is None else _node_keys(audit.state, log.vkey)

    def _keep_lines(self, log: MirrorLog, offered: Offered) -> None:
        """Of the checkpoint that counts: signature lines that were added since."""
        kept = log.note()
        if kept is None:
            return
        _checkpoint, note = open_checkpoint(kept)
        if set(offered.note.signatures) <= set(note.signatures):
            return
        audit = _thaw(log)
        if audit is None:
            return
        merged = self._true_note(log, offered.note, audit.state, note)
        if merged != note:
            log.keep_note(format_note(merged))
            self._store.commit()

    def _true_note(self, log: MirrorLog, note: Note, state: State, kept: Note | None = None) -> Note:
        """The note without what others have put on it in the name of keys that we know."""
        known = (*log_keys(state), parse_vkey(log.vkey), *self._witnesses)
        return true_lines(log.origin, note, known, () if kept is None else kept.signatures)

    def _lay_beside(self, log: MirrorLog, offered: Offered) -> str:
        """A signed checkpoint beside those before; answers why it is merely an older one, or nothing.

        It is kept before anything else is asked: who shows another one of its size later has forked, whatever of either
        could be had. To see that one is smaller than another none of their entries are needed either.
        """
        known, size = known_of(log, offered.fetch), offered.checkpoint.size
        if size > log.size:
            log.show(size, offered.signed)
            self._store.commit()
        is_older = bool(known) and known[0].checkpoint.size > size
        path: tuple[bytes, ...] = ()
        for other in beside(known, offered.checkpoint):
            try:
                is_fork, path = self._compare(log, other, offered)
            except (FetchError, FileNotFoundError, SourceError, LieError):
                if not is_older:
                    raise
                is_fork, path = False, ()
            if is_fork:
                self._hold(log, FORKED, other, offered, path)
        if not is_older:
            return ""
        if offered.is_own:
            self._hold(log, ROLLED_BACK, known[0], offered, path)
        return tell_older(known[0], offered)

    def _compare(self, log: MirrorLog, other: Offered, offered: Offered) -> tuple[bool, tuple[bytes, ...]]:
        """Whether two signed checkpoints are of two histories, and the hashes of the larger tree that prove it or not.

        For two of one size none are needed.
        """
        smaller, larger = (other, offered) if other.checkpoint.size <= offered.checkpoint.size else (offered, other)
        size = smaller.checkpoint.size
        if size == larger.checkpoint.size:
            return smaller.checkpoint.root != larger.checkpoint.root, ()
        if not size:
            return False, ()
        with authenticated(offered):
            read = self._tree(log, larger)
            path = tuple(prove_prefix(size, larger.checkpoint.size, read))
            return tree_root(size, read) != smaller.checkpoint.root, path

    def _tree(self, log: MirrorLog, larger: Offered) -> ReadNode:
        """Authenticated hashes of the tree of a checkpoint: our own, or those that are offered."""
        checkpoint = larger.checkpoint
        if checkpoint.size <= log.staged and tree_root(checkpoint.size, log.read) == checkpoint.root:
            return log.read
        return TileReader(Ahead(larger.fetch, None, ()), checkpoint.size, checkpoint.root).hash

    def _hold(
        self, log: MirrorLog, state: str, newest: Offered, offered: Offered, path: tuple[bytes, ...]
    ) -> NoReturn:
        """Two histories under one key, or one that was taken back: nothing more is taken.

        The evidence is on disk before the alarm, and both before it is held: after a crash between them it is found
        again. Of two histories the one that was seen first stays what this ledger has to go on from. Where they are
        signed by keys that nothing in the log ties together, it is its parent's word that both are this ledger's, and
        nothing of the ledger's own.
        """
        ours = signed_by(newest.note, [parse_vkey(log.vkey), *self._own_keys(log)])
        if not ours:
            raise self._readmitted(log, Fork(newest.raw, offered.raw, path))
        detail = tell_older(newest, offered)
        if state == FORKED:
            text = _("it has signed two histories: of size {size} and of size {other}")
            detail = text.format(size=newest.checkpoint.size, other=offered.checkpoint.size)
        evidence = format_fork(Fork(ours, offered.signed, path))
        is_new = self._alarm(log.origin, state, detail, evidence, each=log.state != state)
        if state == FORKED and offered.checkpoint.size != newest.checkpoint.size:
            log.unshow(offered.checkpoint.size)
        log.hold(state)
        self._store.commit()
        raise HeldError(state, detail, is_new_alarm=is_new)

    def _readmitted(self, log: MirrorLog, notes: Fork) -> LieError:
        parent = self._store.parent(log.origin) or self._origin
        text = _(
            "{parent} admits {origin} with another key, {key}, and what that signs does not go on from what is here:"
            " nothing of it is taken; ask {parent}"
        ).format(parent=parent, origin=log.origin, key=parse_vkey(log.vkey).hash.hex())
        return LieError(READMITTED, text, format_fork(notes), log.origin if parent == self._origin else parent)

    # The entries

    def _follow(self, log: MirrorLog, offered: Offered, executor: Executor | None, *, is_signed: bool) -> Taken:
        """Take the entries up to the checkpoint, step by step."""
        checkpoint = offered.checkpoint
        deadline = min(self._until, time.monotonic() + self._bounds.ledger_seconds_max)
        with authenticated(offered):
            ahead = Ahead(offered.fetch, executor, bundles_of(checkpoint.size, log.staged))
            reader = TileReader(ahead, checkpoint.size, checkpoint.root)
            if log.staged > checkpoint.size or (
                log.staged and tree_root(log.staged, reader.hash) != tree_root(log.staged, log.read)
            ):
                if not is_signed:
                    raise foreign(offered)
                log.drop_staged()
                return MORE, _("what was here in part is of another tree; the next round begins again"), False
        ahead.look_ahead()
        try:
            while log.staged < checkpoint.size:
                self._check_room(log)
                error = _stage_step(log, reader, self._bounds, offered)
                self._store.commit()
                if error is not None:
                    raise error
                if time.monotonic() > deadline and log.staged < checkpoint.size:
                    text = _("it goes on the next time: {staged} of {size} entries are here")
                    return MORE, text.format(staged=log.staged, size=checkpoint.size), False
        finally:
            ahead.stop()
        return self._reach(log, offered)

    def _check_room(self, log: MirrorLog) -> None:
        bounds = self._bounds
        if log.byte_count > bounds.ledger_bytes_max:
            text = _("it has more than {count} bytes of entries: nothing more is taken; is it flooding us?")
            raise StopError(TOO_LARGE, text.format(count=bounds.ledger_bytes_max))
        if self._free_bytes() < bounds.free_bytes_min:
            text = _("less than {count} MB are free on this disk: nothing more is taken; make room")
            raise StopError(DISK_LOW, text.format(count=bounds.free_bytes_min // 1_048_576))

    def _check_shown(self, log: MirrorLog, offered: Offered) -> None:
        """Whatever was shown on the way here, and could not be compared then, is this tree or its beginning."""
        for other in known_of(log, offered.fetch):
            size = other.checkpoint.size
            if not 0 < size <= log.staged or tree_root(size, log.read) == other.checkpoint.root:
                continue
            path = tuple(prove_prefix(size, log.staged, log.read)) if size < log.staged else ()
            self._store.rollback()
            log.load()
            self._hold(log, FORKED, other, offered, path)

    def _reach(self, log: MirrorLog, offered: Offered) -> Taken:
        """All of it is here: it is audited, and counts if one of the ledger's keys has signed for it."""
        posted = Posted(log)
        audit = _thaw(log, posted) or LedgerAudit(log.origin, _trust(log), posted.admitted, posted.leg)
        is_whole = not audit.size
        with self._workers(log.staged - audit.size) as executor:
            audit.take(_KeptSource(log, offered), executor, self._jobs)
            posted.flush()
            state = audit.state
            signed = signed_by(offered.note, [parse_vkey(log.vkey), *_node_keys(state, log.vkey)])
            if not signed:
                self._store.rollback()
                log.load()
                log.drop_staged()
                raise foreign(offered)
            self._check_shown(log, replace(offered, signed=signed))
            note = self._true_note(log, offered.note, state)
            if note != offered.note:
                offered = replace(offered, raw=format_note(note), note=note)
                audit.take(_KeptSource(log, offered))
            report, frozen = audit.report(), audit.freeze()
        log.reach(
            offered.raw,
            frozen,
            [
                (each.number, each.position, each.balance, each.held, each.status, each.unit)
                for each in state.accounts.values()
            ],
            {origin: (admission.vkey, admission.tier) for origin, admission in state.admitted.items()},
            None if state.sealed_at is None else int(state.sealed_at.timestamp()),
            sum(report.finding_counts.values()),
        )
        log.put_summary(
            summary_of(posted.services, state, report, lambda index: CODEC.parse(log.entry(index)), is_whole=is_whole)
        )
        counts = ", ".join(f"{code} {count}" for code, count in report.finding_counts.items())
        detail = _("its audit has findings: {counts}").format(counts=counts) if counts else ""
        is_new = bool(detail) and self._alarm(log.origin, FINDINGS, detail)
        if audit.size and not frozen:
            large = _("what its audit has to remember is too large to be kept: all of it is audited again each time")
            is_new = self._alarm(log.origin, TOO_LARGE, large) or is_new
        self._store.commit()
        return NEW, detail, is_new


def _stage_step(log: MirrorLog, reader: TileReader, bounds: Bounds, offered: Offered) -> Exception | None:
    """Put the next entries where they wait; what broke off their coming is told, and what came before it is kept."""
    entries: list[bytes] = []
    byte_count, error = 0, None
    first, offset = divmod(log.staged, TILE_WIDTH)
    try:
        with authenticated(offered):
            for number in range(first, -(-offered.checkpoint.size // TILE_WIDTH)):
                bundle = reader.bundle(number)[offset:]
                entries += bundle
                offset, byte_count = 0, byte_count + sum(map(len, bundle))
                if len(entries) >= bounds.step_entries or byte_count >= bounds.step_bytes:
                    break
    except (LieError, FetchError, FileNotFoundError) as broken:
        error = broken
    log.stage(entries, list(map(leaf_hash, entries)))
    return error


class _KeptSource:
    """What is here of a ledger, as its audit reads it: up to the checkpoint that is being reached."""

    def __init__(self, log: MirrorLog, offered: Offered) -> None:
        self.origin = log.origin
        self._log = log
        self._offered = offered

    def size(self) -> int:
        return self._log.staged

    def rows(self, start: int = 0) -> Iterator[tuple[int, bytes | None]]:
        return enumerate(self._log.entries(start, self._log.staged), start)

    def entry(self, index: int) -> bytes:
        return self._log.entry(index)

    def checkpoints(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        yield from self._log.checkpoints(start)
        yield self._offered.checkpoint.size, self._offered.raw


def _node_keys(state: State, vkey: str) -> list[VerifierKey]:
    """The node's keys; none where the admitted key is not among them: then it is the log of somebody else."""
    keys = node_keys(state)
    return keys if parse_vkey(vkey) in keys else []


def _thaw(log: MirrorLog, posted: Posted | None = None) -> LedgerAudit | None:
    """The audit of what counts; None where there is none yet, or another program or another key froze it."""
    raw = log.audit()
    if raw is None:
        return None
    told = (None, None) if posted is None else (posted.admitted, posted.leg)
    try:
        return thaw_audit(raw, log.origin, _trust(log), *told)
    except AuditStateError:
        return None


def _trust(log: MirrorLog) -> Trust:
    return Trust(policy=Policy(logs=(parse_vkey(log.vkey),), witnesses=(), groups=(), quorum=NO_QUORUM))


@contextmanager
def _fetchers() -> Iterator[Executor]:
    """Threads that fetch; each of their requests has its own time bound."""
    executor = ThreadPoolExecutor(AHEAD_BUNDLES, "fetch")
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)
