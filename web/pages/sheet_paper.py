"""Recovery sheets on paper: the page that the set-up shows, and files to print that `huzhu recovery new` writes.

A file lies on a disk, and whoever has two of them has what opens the keys: each is for its owner alone, one for each
holder, and is to be deleted once it is printed. None is ever written over.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from web.i18n import language
from web.i18n import translate as _
from web.pages.kit import environment
from web.printing import qr_svg
from web.problems import DeskError
from web.recovery import SHEETS, Sheet

FILE_MODE, FOLDER_MODE = 0o600, 0o700


def paper_of(sheets: Sequence[Sheet], name: str, origin: str, *, is_alone: bool = False) -> str:
    """Sheets, a page each; ``name`` is the village's, "" where it is not known; alone nothing else is with them."""
    drawn = [(sheet, qr_svg(sheet.text)) for sheet in sheets]
    values = {"language": language(), "drawn": drawn, "name": name, "origin": origin, "count": SHEETS}
    return environment().get_template("pages/setup/paper.html").render(values | {"is_alone": is_alone})


def write_papers(folder: Path, sheets: Sequence[Sheet], origin: str, name: str = "") -> list[Path]:
    """A file for each sheet, on disk when this returns; raises DeskError, and then none of them is there."""
    papers = [(_path(folder, sheet), paper_of([sheet], name, origin, is_alone=True)) for sheet in sheets]
    made: list[Path] = []
    try:
        folder.mkdir(FOLDER_MODE, exist_ok=True)
        for path, html in papers:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
            made.append(path)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(html)
                file.flush()
                os.fsync(file.fileno())
        _settle(folder)
    except OSError as error:
        for path in made:
            path.unlink(missing_ok=True)
        text = _("the sheets cannot be written to {path}: {error}")
        raise DeskError(text.format(path=error.filename or folder, error=error.strerror)) from error
    return made


def _path(folder: Path, sheet: Sheet) -> Path:
    return folder / f"recovery-{sheet.set_number}-{sheet.number}.html"


def _settle(folder: Path) -> None:
    """Have on disk which files stand in a folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
