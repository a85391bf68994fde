"""``huzhu restore``: an archive takes the place of a home's ledger, after a disk was lost."""

import shutil
from contextlib import suppress
from gettext import gettext as _
from pathlib import Path

import click

from chain.checkpoint import open_checkpoint
from chain.merkle import tree_root
from store.archive import ArchiveLedger, open_archive
from store.home import Home
from store.log import StoreError
from store.sqlite import SqliteStore, write_archive
from web.command import Command, file_argument, json_options, key_options, pass_session
from web.problems import DeskError
from web.session import Session, say

BESIDE = ("", "-wal", "-shm")
"""What SQLite keeps of one database: a journal of another file must never be played over the new one."""


@click.command(cls=Command, takes=(json_options, key_options), example="huzhu restore xizhuang.db")
@file_argument("file")
@pass_session
def restore(session: Session, file: Path) -> None:
    """Put an archive in the place of this home's ledger.

    After a disk was lost or an older copy put back: FILE is what the tier above has of this ledger (`huzhu mirror
    export` there). Whoever goes on from an older copy instead writes a second history, and is caught. What was here
    is kept beside it, under another name.
    """
    home = session.home
    origin = home.origin()
    with home.lock(), open_archive(file) as ledgers:
        ledger = next((each for each in ledgers if each.origin == origin), None)
        if ledger is None:
            raise DeskError(_("{file} does not hold the ledger {origin}").format(file=file, origin=origin))
        _refuse_shorter(home, ledger, file)
        draft = home.folder / "ledger.db.restored"
        draft.unlink(missing_ok=True)
        write_archive(draft, [ledger])
        kept = _move_away(home)
        draft.replace(home.ledger)
    if kept is not None:
        say(_("what was here is kept as {path}").format(path=kept))
    with session.writing() as (node, _keyring):
        size = node.state.size
    session.print({"size": size}, [_("restored: the ledger has {size} entries").format(size=size)])


def _refuse_shorter(home: Home, ledger: ArchiveLedger, file: Path) -> None:
    """Nothing is put back where the ledger here goes on from it; a damaged one cannot say."""
    last = max(ledger.checkpoints(), default=None)
    if last is None:
        raise DeskError(_("{file} has no checkpoint: ask the tier above for its copy").format(file=file))
    with suppress(StoreError):
        store = SqliteStore(home.ledger, read_only=True)
        try:
            checkpoint, _note = open_checkpoint(last[1])
            size = checkpoint.size
            goes_on = store.size >= size and tree_root(size, store.hashes.read) == checkpoint.root
        finally:
            store.close()
        if goes_on:
            text = _("the ledger here has {size} entries and goes on from {file}: there is nothing to restore")
            raise DeskError(text.format(size=store.size, file=file))


def _move_away(home: Home) -> Path | None:
    """Give what is there another name, with SQLite's files beside it; that name, where there was anything."""
    if not any(home.ledger.with_name(home.ledger.name + suffix).exists() for suffix in BESIDE):
        return None
    number = 1
    while any(home.folder.glob(f"ledger-before-{number}.db*")):
        number += 1
    target = home.folder / f"ledger-before-{number}.db"
    for suffix in reversed(BESIDE):
        source = home.ledger.with_name(home.ledger.name + suffix)
        if source.exists():
            shutil.move(source, target.with_name(target.name + suffix))
    return target
