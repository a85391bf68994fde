"""What audits leave for the next one: a file for each ledger of each target, the auditor's own.

Below ``$XDG_STATE_HOME`` (or ``~/.local/state``), readable by nobody else. Whoever can write there can make the next
audit pass over what he did: it is as safe as the auditor's own account, and an audit with ``--full`` needs none of it.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from gettext import gettext as _
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from chain.fields import UTC, Time
from web.problems import DeskError

if TYPE_CHECKING:
    from web.targets import Place

STATE_VARIABLE = "XDG_STATE_HOME"
NAME_DIGITS = 40
OWNER_ONLY, FOLDER_OWNER_ONLY = 0o600, 0o700


@dataclass(frozen=True, slots=True)
class AuditState:
    """That an audit of a ledger has left something, and when."""

    start: int
    """From which entry on the next one goes, by its own word."""
    at: Time


class AuditStates:
    """The files in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def look(self, place: "Place") -> AuditState | None:
        """Whether the last audit of it left something; None where there was none."""
        from verify.frozen import HEAD_BYTES, frozen_size

        head, written = self._read(place, HEAD_BYTES)
        return None if written is None else AuditState(frozen_size(head), datetime.fromtimestamp(int(written), UTC))

    def read(self, place: "Place") -> bytes:
        """What the last audit of it left; nothing where there was none."""
        from verify.frozen import FROZEN_MAX_BYTES, HEAD_BYTES

        return self._read(place, HEAD_BYTES + FROZEN_MAX_BYTES + 1)[0]

    def _read(self, place: "Place", most: int) -> tuple[bytes, float | None]:
        """The beginning of its file, and when that was written."""
        path = self._path(place)
        try:
            with path.open("rb") as file:
                return file.read(most), os.fstat(file.fileno()).st_mtime
        except FileNotFoundError:
            return b"", None
        except OSError as error:
            text = _("{path} cannot be read ({why}); `--full` audits without it, `--state` names another folder")
            raise DeskError(text.format(path=path, why=error.strerror)) from error

    def write(self, place: "Place", raw: bytes) -> None:
        """Keep what this audit leaves, in place of what there was.

        A crash leaves either of the two, or bytes that are found damaged: then the next audit begins anew. So nobody
        waits for the disk.
        """
        path = self._path(place)
        draft = path.with_suffix(f".{os.getpid()}.new")
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_OWNER_ONLY)
            with open(draft, "wb", opener=_private) as file:
                file.write(raw)
            draft.replace(path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            text = _("{path} cannot be written ({why}); `--state` names another folder")
            raise DeskError(text.format(path=path, why=error.strerror)) from error

    def _path(self, place: "Place") -> Path:
        name = sha256(f"{place.name}\n{place.origin}".encode(errors="surrogateescape")).hexdigest()[:NAME_DIGITS]
        return self.folder / f"{name}.audit"


def user_states() -> AuditStates:
    """Those in the user's own state folder."""
    named = os.environ.get(STATE_VARIABLE, "")
    base = Path(named) if Path(named).is_absolute() else Path.home() / ".local" / "state"
    return AuditStates(base / "huzhu" / "audits")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, OWNER_ONLY)
