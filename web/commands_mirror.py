"""Commands about the ledgers below this node: ``tend``, ``receive``, ``mirror`` and ``alarms``."""

import datetime
from collections.abc import Sequence
from contextlib import closing
from gettext import gettext as _
from pathlib import Path
from typing import Any

import click

from chain.fields import UTC, format_time
from store.archive import open_archive
from store.home import Home
from store.mirror import HELD_STATES, AlarmRow, MirrorRow, export_mirror
from store.tending import keep_evidence, tend_lock
from sync.kept import FORKED, FULL, HELD, LIES, ROLLED_BACK, UNADMITTED, UNREACHABLE, evidence_name
from web.command import (
    DONE,
    READS,
    WRONG,
    Command,
    Group,
    Number,
    argument,
    file_argument,
    file_option,
    json_options,
    key_options,
    option,
    pass_session,
)
from web.export import in_folder
from web.i18n import marked
from web.problems import DeskError
from web.session import Session, is_terminal, now, say
from web.tending import DUTIES, Done, make_mirror, open_mirror, own_ledger, pulled_done
from web.tending import tend as do_tend

SECONDS_AN_HOUR = 3_600
REFUSALS = frozenset({HELD, FORKED, ROLLED_BACK, LIES, UNADMITTED, FULL, UNREACHABLE})
"""What becomes of a ledger of which nothing was taken, though something may have been there."""
STATES = {
    "sound": marked("sound"),
    "findings": marked("has findings"),
    "forked": marked("FORKED"),
    "rolled-back": marked("ROLLED BACK"),
}
ALARMS = {
    "forked": marked("signed two histories"),
    "rolled-back": marked("went back to an older state"),
    "readmitted": marked("admits a ledger with another key"),
    "bad-checkpoint": marked("serves what is no checkpoint"),
    "bad-key": marked("serves what a foreign key signed"),
    "bad-files": marked("serves other files than were signed"),
    "bad-archive": marked("came in a false archive"),
    "findings": marked("breaks the rules"),
    "claimed-twice": marked("and another ledger both admit one"),
    "too-large": marked("is too large"),
    "disk-low": marked("has no room here"),
}
FORGOTTEN = "forgotten"
"""Stands in the name of a checkpoint that is kept when its ledger is forgotten."""


@click.command(cls=Command, takes=(json_options, key_options), example="huzhu tend")
@option("--only", type=click.Choice(DUTIES), multiple=True, help=marked("Only this duty; can be repeated."))
@pass_session
def tend(session: Session, only: tuple[str, ...]) -> int:
    """Look after the neighbours, once.

    Mirrors the ledgers below (pull), anchors them in our own (anchor), fetches hours from elsewhere (transfers), and
    gathers cosignatures (cosign), as node.toml names parents and children. Of hours that are still under way it says
    what they wait for. The service does it on a clock; cron can too. Exit status: 0 done, 1 there is a new alarm
    (`huzhu alarms`), 2 it could not run.
    """
    with tend_lock(session.home.folder):
        done = do_tend(session, only or DUTIES)
    return report(session, done)


@click.command(cls=Command, takes=READS, example="huzhu receive xizhuang.db")
@file_argument("file")
@option("--origin", "origins", multiple=True, metavar="ORIGIN", help=marked("Only this ledger; can be repeated."))
@pass_session
def receive(session: Session, file: Path, origins: tuple[str, ...]) -> int:
    """Mirror ledgers from an archive file.

    For a village without a line: FILE is what `huzhu export --archive` wrote there, on a USB stick, with one or many
    ledgers. It is checked as if it came over the line. Exit status: 0 done, 1 there is a new alarm or none of it was
    taken, 2 it could not run.
    """
    own = own_ledger(session)
    with tend_lock(session.home.folder), open_archive(file) as found, closing(open_mirror(session.home)) as store:
        ledgers = [ledger for ledger in found if not origins or ledger.origin in origins]
        if not ledgers:
            raise DeskError(_("{path} holds none of these ledgers").format(path=file))
        results = make_mirror(session.home, store, own).receive(ledgers)
    status = report(session, [pulled_done(results, say_same=True)])
    if not all(each.outcome in REFUSALS for each in results):
        return status
    say(_("nothing of {path} was taken: all of it was refused, as is said above").format(path=file))
    return WRONG


def report(session: Session, done: Sequence[Done]) -> int:
    """Print what was done; WRONG where there is a new alarm. Raises what a duty could not be done for."""
    lines = [line for each in done for line in each.all_lines()]
    session.print({each.duty: each.all_plain() for each in done}, lines or [_("nothing new")])
    alarms = sum(each.alarms for each in done)
    errors = [each.error for each in done if each.error is not None]
    for error in errors[1:]:
        say(str(error))
    if errors:
        raise errors[0]
    if alarms:
        say(_("new alarms: {count}; see `huzhu alarms`").format(count=alarms))
    return WRONG if alarms else DONE


@click.group(cls=Group)
def mirror() -> None:
    """The ledgers below this node that are kept here."""


@mirror.command("list", takes=READS, example="huzhu mirror list")
@pass_session
def mirror_list(session: Session) -> None:
    """List the mirrored ledgers.

    Each with its size, when it was last sealed and asked, and whether it is sound; SILENT where it has not sealed for
    as long as node.toml says (serve.silent_hours), and the reason where it could not be had the last time.
    """
    settings = session.home.node_settings()
    silent_before = int(now().timestamp()) - settings.serve.silent_hours * SECONDS_AN_HOUR
    rows = sorted(mirrored(session.home))
    session.print(
        [plain_row(row, silent_before) for row in rows],
        [line for row in rows for line in row_lines(row, silent_before)] or [_("no ledger is mirrored here")],
    )


@mirror.command("release", takes=READS, example="huzhu mirror release xizhuang.example/huzhu")
@argument("origin")
@pass_session
def mirror_release(session: Session, origin: str) -> int:
    """Take from a ledger again that forked or was rolled back.

    First look at the evidence, and have it mended there: who lost a disk takes back what is mirrored here (`huzhu
    mirror export`), and all that it had. What does not go on from that is refused again.
    """
    with tend_lock(session.home.folder), closing(open_mirror(session.home)) as store:
        log = store.log(origin)
        if log is None:
            raise DeskError(_not_mirrored(origin))
        was_held = log.state in HELD_STATES
        log.release()
    session.print(
        {"origin": origin, "released": was_held},
        [(_("{origin} is taken from again") if was_held else _("{origin} was not held")).format(origin=origin)],
    )
    return DONE


@mirror.command(
    "forget",
    takes=READS,
    example="huzhu mirror forget xizhuang.example/huzhu --again xizhuang.example/huzhu",
)
@argument("origin")
@option("--again", metavar="ORIGIN", help=marked("The ledger's name once more, in place of typing it when asked."))
@pass_session
def mirror_forget(session: Session, origin: str, again: str | None) -> int:
    """Forget what is mirrored here of a ledger.

    For one that begins anew under another key, as after `readmitted`: the next round mirrors it again from its
    beginning. Alarms and their evidence stay, and the newest checkpoint becomes evidence too; the entries are gone,
    so write them down first if they may be the only copy (`huzhu mirror export`).
    """
    home = session.home
    with tend_lock(home.folder), closing(open_mirror(home)) as store:
        log = store.log(origin)
        if log is None:
            raise DeskError(_not_mirrored(origin))
        size, note = log.size, log.target() or log.note()
        _check_again(origin, again, size)
        kept = None if note is None else keep_evidence(home.evidence, evidence_name(origin, FORGOTTEN, note), note)
        log.forget()
    session.print(
        {"origin": origin, "entries": size, "evidence": None if kept is None else str(kept)},
        [
            _("{size} entries of {origin} are forgotten; the next round begins anew").format(size=size, origin=origin),
            *([] if kept is None else [_("    evidence: {path}").format(path=kept)]),
        ],
    )
    return DONE


def _check_again(origin: str, again: str | None, size: int) -> None:
    """Have the ledger's name said twice: what is forgotten may be nowhere else."""
    if again is None:
        if not is_terminal():
            raise DeskError(_("forgetting cannot be undone: name the ledger again with --again"))
        question = _("{size} entries are forgotten for ever. Type the ledger's name once more").format(size=size)
        again = click.prompt(question, err=True)
    if again != origin:
        raise DeskError(_("the two names differ: nothing was forgotten"))


def _not_mirrored(origin: str) -> str:
    return _("the ledger {origin} is not mirrored here: see `huzhu mirror list`").format(origin=origin)


@mirror.command("export", takes=(), example="huzhu mirror export xizhuang.example/huzhu -o xizhuang.db")
@argument("origin", nargs=-1, required=True)
@file_option("-o", "--output", required=True, help=marked("Where to write the archive."))
@pass_session
def mirror_export(session: Session, origin: tuple[str, ...], output: Path) -> None:
    """Write an archive of mirrored ledgers.

    For an auditor; and for a village that lost its disk: with its home restored from a backup, it puts the archive
    in the place of ledger.db and has all back that was mirrored.
    """
    in_folder(output)
    with closing(open_mirror(session.home)) as store:
        export_mirror(store, origin, output)
    say(_("the archive is in {path}").format(path=output))


@click.command(cls=Command, takes=READS, example="huzhu alarms")
@option("--seen", type=Number(1), help=marked("Note that somebody has looked at the alarm of this number."))
@option("--all", "also_seen", is_flag=True, help=marked("Also those that somebody has looked at."))
@pass_session
def alarms(session: Session, seen: int | None, also_seen: bool) -> None:
    """List what is wrong below this node.

    Each alarm names the ledger, what it did, how often, and the files that prove it: the first and the latest. `huzhu
    check-fork` shows a fork to anyone, `huzhu check-receipt` an admission by two.
    """
    if seen is not None and not see_alarm(session.home, seen):
        raise DeskError(_("there is no alarm {number}").format(number=seen))
    found: list[AlarmRow] = []
    if session.home.mirror.exists():
        with closing(open_mirror(session.home)) as store:
            found = store.alarms(also_seen=also_seen)
    session.print(
        [plain_alarm(alarm) for alarm in found],
        [line for alarm in found for line in alarm_lines(alarm)] or [_("no alarm")],
    )


def see_alarm(home: Home, number: int) -> bool:
    """Note that somebody has looked at an alarm; False where there is none of that number."""
    if not home.mirror.exists():
        return False
    with closing(open_mirror(home)) as store:
        return store.see(number)


def mirrored(home: Home) -> list[MirrorRow]:
    """The mirrored ledgers of a home."""
    if not home.mirror.exists():
        return []
    with closing(open_mirror(home)) as store:
        return store.rows()


def is_silent(row: MirrorRow, silent_before: int) -> bool:
    """Whether it has not sealed since; one that was never had is silent too."""
    return row.sealed_seconds is None or row.sealed_seconds < silent_before


def plain_row(row: MirrorRow, silent_before: int) -> dict[str, Any]:
    """For programs."""
    return {
        "origin": row.origin,
        "parent": row.parent,
        "tier": row.tier,
        "size": row.size,
        "waiting": row.staged - row.size,
        "sealed": when(row.sealed_seconds),
        "asked": when(row.pulled_seconds),
        "state": row.state,
        "findings": row.findings,
        "silent": is_silent(row, silent_before),
        "trouble": row.trouble,
    }


def row_lines(row: MirrorRow, silent_before: int) -> list[str]:
    """For people."""
    words = [_(STATES[row.state])]
    if is_silent(row, silent_before):
        words.append(_("SILENT"))
    line = _("{origin}: {size} entries, sealed {sealed}; {state}").format(
        origin=row.origin, size=row.size, sealed=when(row.sealed_seconds) or "—", state=", ".join(words)
    )
    return [line, *([f"    {row.trouble}"] if row.trouble else [])]


def plain_alarm(alarm: AlarmRow) -> dict[str, Any]:
    """For programs."""
    return {
        "id": alarm.id,
        "origin": alarm.origin,
        "code": alarm.code,
        "at": when(alarm.at_seconds),
        "detail": alarm.detail,
        "evidence": alarm.evidence or None,
        "seen": bool(alarm.seen),
        "count": alarm.times,
        "latest_at": when(alarm.latest_seconds),
        "latest_evidence": alarm.latest_evidence or None,
    }


def alarm_lines(alarm: AlarmRow) -> list[str]:
    """For people."""
    head = _("{id}  {at}  {origin} {what}").format(
        id=alarm.id, at=when(alarm.at_seconds), origin=alarm.origin, what=_(ALARMS.get(alarm.code, alarm.code))
    )
    lines = [head, f"    {alarm.detail}"]
    if alarm.times > 1:
        text = _("    {count} times by now, at last {at}")
        lines.append(text.format(count=alarm.times, at=when(alarm.latest_seconds)))
    files = [path for path in dict.fromkeys((alarm.evidence, alarm.latest_evidence)) if path]
    return lines + [_("    evidence: {path}").format(path=path) for path in files]


def when(seconds: int | None) -> str | None:
    """A time as the ledger writes it."""
    return None if seconds is None else format_time(datetime.datetime.fromtimestamp(seconds, UTC))
