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
from store.tending import tend_lock
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
from web.session import Session, now, say
from web.tending import DUTIES, Done, make_mirror, open_mirror, own_ledger, pulled_done
from web.tending import tend as do_tend

SECONDS_AN_HOUR = 3_600
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


@click.command(cls=Command, takes=(json_options, key_options), example="huzhu tend")
@option("--only", type=click.Choice(DUTIES), multiple=True, help=marked("Only this duty; can be repeated."))
@pass_session
def tend(session: Session, only: tuple[str, ...]) -> int:
    """Look after the neighbours, once.

    Mirrors the ledgers below (pull), anchors them in our own (anchor), fetches hours from elsewhere (transfers), and
    gathers cosignatures (cosign), as node.toml names parents and children. The service does it on a clock; cron can
    too. Exit status: 0 done, 1 there is a new alarm (`huzhu alarms`), 2 it could not run.
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
    ledgers. It is checked as if it came over the line. Exit status: 0 done, 1 there is a new alarm, 2 it could not run.
    """
    own = own_ledger(session)
    with tend_lock(session.home.folder), open_archive(file) as found, closing(open_mirror(session.home)) as store:
        ledgers = [ledger for ledger in found if not origins or ledger.origin in origins]
        if not ledgers:
            raise DeskError(_("{path} holds none of these ledgers").format(path=file))
        results = make_mirror(session.home, store, own).receive(ledgers)
    return report(session, [pulled_done(results, say_same=True)])


def report(session: Session, done: Sequence[Done]) -> int:
    """Print what was done; WRONG where there is a new alarm. Raises what a duty could not be done for."""
    lines = [line for each in done for line in each.lines]
    session.print({each.duty: each.plain for each in done}, lines or [_("nothing new")])
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
            text = _("the ledger {origin} is not mirrored here: see `huzhu mirror list`")
            raise DeskError(text.format(origin=origin))
        was_held = log.state in HELD_STATES
        log.release()
    session.print(
        {"origin": origin, "released": was_held},
        [(_("{origin} is taken from again") if was_held else _("{origin} was not held")).format(origin=origin)],
    )
    return DONE


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

    Each alarm names the ledger, what it did, and the file that proves it: `huzhu check-fork` shows that to anyone.
    """
    if not session.home.mirror.exists():
        found: list[AlarmRow] = []
    else:
        with closing(open_mirror(session.home)) as store:
            if seen is not None and not store.see(seen):
                raise DeskError(_("there is no alarm {number}").format(number=seen))
            found = store.alarms(also_seen=also_seen)
    if seen is not None and not session.home.mirror.exists():
        raise DeskError(_("there is no alarm {number}").format(number=seen))
    session.print(
        [plain_alarm(alarm) for alarm in found],
        [line for alarm in found for line in alarm_lines(alarm)] or [_("no alarm")],
    )


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
    }


def alarm_lines(alarm: AlarmRow) -> list[str]:
    """For people."""
    head = _("{id}  {at}  {origin} {what}").format(
        id=alarm.id, at=when(alarm.at_seconds), origin=alarm.origin, what=_(ALARMS.get(alarm.code, alarm.code))
    )
    evidence = [_("    evidence: {path}").format(path=alarm.evidence)] if alarm.evidence else []
    return [head, f"    {alarm.detail}", *evidence]


def when(seconds: int | None) -> str | None:
    """A time as the ledger writes it."""
    return None if seconds is None else format_time(datetime.datetime.fromtimestamp(seconds, UTC))
