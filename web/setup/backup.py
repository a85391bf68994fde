"""A home out of a backup: copied whole, opened by two recovery sheets, put under a new passphrase, then put in place.

The backup itself is only read. What is copied are the plain files of a home's folder, and those of ``keys`` and
``evidence`` in it; a link is followed nowhere.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from store.home import Home, is_vacant, new_home
from store.log import StoreError
from web.i18n import translate as _
from web.practice import BESIDE
from web.problems import DeskError
from web.recovery import Sheet, box_path, read_box, recover

PLACES = (Path("/media"), Path("/run/media"), Path("/mnt"))
"""Where sticks come to lie."""
DEPTH_MAX, FOLDERS_MAX, FOUND_MAX = 4, 2_000, 20
FOLDERS = ("keys", "evidence")
LEFT_OUT = ("lock",)
FILES_MAX = 100_000


def practice_folder(folder: Path) -> Path:
    """Where a practice ledger is made, beside a home that is still to be made."""
    return folder.absolute().with_name(folder.absolute().name + BESIDE)


def find_backups(folder: Path) -> list[Path]:
    """Copies of homes with a box of recovery sheets, on sticks and beside where the home is to stand."""
    found: list[Path] = []
    left = FOLDERS_MAX
    for top, depth in ((folder.absolute().parent, 1), *((place, DEPTH_MAX) for place in PLACES)):
        for each in _folders(top, depth):
            left -= 1
            if left < 0 or len(found) == FOUND_MAX:
                return found
            if Home(each).settings.is_file() and box_path(Home(each)).is_file():
                found.append(each)
    return found


def restore_backup(folder: Path, backup: Path, sheets: Sequence[Sheet], passphrase: bytes) -> None:
    """Make the home out of a backup; raises DeskError or StoreError, and then nothing is there."""
    source = Home(backup)
    try:
        origin = source.origin()
    except StoreError as error:
        text = _("{folder} holds no backup of a home: choose the folder in which node.toml lies")
        raise DeskError(text.format(folder=backup)) from error
    missing = [path.name for path in (source.ledger, source.people, source.keys) if not path.exists()]
    if missing:
        text = _("the backup in {folder} lacks {files}: copy it there first, as the guide says")
        raise DeskError(text.format(folder=backup, files=", ".join(missing)))
    read_box(source)
    if not is_vacant(folder):
        raise DeskError(_("{folder} exists already and is not empty: choose another --home").format(folder=folder))
    with new_home(folder, origin) as home:
        _copy(source.folder, home.folder)
        for name in FOLDERS:
            if (source.folder / name).is_dir():
                (home.folder / name).mkdir(mode=0o700, exist_ok=True)
                _copy(source.folder / name, home.folder / name)
        recover(home, sheets, passphrase)


def _folders(top: Path, depth: int) -> Iterator[Path]:
    """A folder's folders, so deep; none of another's."""
    try:
        inside = sorted(each.path for each in os.scandir(top) if each.is_dir(follow_symlinks=False))
    except OSError:
        return
    for each in inside:
        if not Path(each).name.startswith("."):
            yield Path(each)
            if depth > 1:
                yield from _folders(Path(each), depth - 1)


def _copy(source: Path, target: Path) -> None:
    for count, each in enumerate(os.scandir(source)):
        if count == FILES_MAX:
            raise DeskError(_("{folder} has too many files to be a backup").format(folder=source))
        if each.is_file(follow_symlinks=False) and each.name not in LEFT_OUT:
            shutil.copyfile(each.path, target / each.name)
            (target / each.name).chmod(0o600)
