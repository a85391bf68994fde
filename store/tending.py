"""What looking after the neighbours needs of a home: its lock, room on the disk, and where evidence is kept."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from gettext import gettext as _
from pathlib import Path

from store.home import DIRECTORY_MODE, FILE_MODE
from store.log import StoreError

_held: set[int] = set()
"""The descriptors of the locks that this process holds."""


def _let_go() -> None:
    """In a forked process: close what it has of its parent's locks, which stay the parent's."""
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_let_go)


def keep_evidence(folder: Path, name: str, raw: bytes) -> Path:
    """Write what proves a lie, for nobody but the owner to read; on disk when this returns. Raises StoreError."""
    try:
        folder.mkdir(DIRECTORY_MODE, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        target = folder / name
        Path(draft).replace(target)
    except OSError as error:
        raise StoreError(_("{path} cannot be made: {error}").format(path=folder, error=error.strerror)) from error
    return target


@contextmanager
def tend_lock(folder: Path) -> Iterator[None]:
    """Only one process at a time looks after a home's neighbours; raises StoreError where another does.

    It is another lock than that of who writes the ledger, which is held for moments only. Processes that are forked
    from this one, as to audit, do not hold it: else it would last as long as they do.
    """
    path = folder / "tend.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise StoreError(_("{path} cannot be written: {error}").format(path=path, error=error.strerror)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        text = _("another process tends {path}: wait for it to end, or stop it")
        raise StoreError(text.format(path=folder)) from None
    _held.add(descriptor)
    try:
        yield
    finally:
        if descriptor in _held:
            _held.remove(descriptor)
            os.close(descriptor)


def free_bytes(folder: Path) -> int:
    """How much the disk has left on which a folder lies."""
    return shutil.disk_usage(folder).free
