"""The ledgers that a service answers for: its own, and those that it mirrors once there are some.

Used from the event loop's thread only. A file that was replaced, as by a restore, is opened anew. A damaged mirror
fails those ledgers alone that are in it.
"""

import time
from pathlib import Path

from store.home import Home
from store.log import StoreError
from store.reading import KeptLedger, LedgerReader
from web.i18n import translate as _
from web.problem import Problem

LOOK_SECONDS = 1.0


class Ledgers:
    """Finds a ledger by its origin."""

    def __init__(self, home: Home, origin: str) -> None:
        self.origin = origin
        self._paths = (home.ledger, home.mirror)
        self._readers: dict[Path, tuple[tuple[int, int], LedgerReader]] = {}
        self._mirror_trouble = ""
        self._look_at = 0.0
        self._relations_version = (0, 0)
        self._relations_known: dict[str, tuple[str, str]] = {}

    @property
    def own(self) -> KeptLedger:
        """The node's own ledger; StoreError where it is gone."""
        found = self._find(self.origin)
        if found is None:
            raise StoreError(_("{path} is missing; restore it from a backup").format(path=self._paths[0]))
        return found

    def find(self, origin: str | None) -> KeptLedger | None:
        """The ledger of that name; the own one where none is named."""
        return self.own if origin is None or origin == self.origin else self._find(origin)

    def get(self, origin: str | None) -> KeptLedger:
        """The same; Problem 404 where this node has none of that name."""
        found = self.find(origin)
        if found is None:
            text = _("this node has no ledger of that name; GET /log/origins lists those that it has")
            raise Problem(404, "no-ledger", _("no such ledger"), text)
        return found

    def origins(self) -> list[str]:
        """All that have a checkpoint, the own one first."""
        self._look()
        found = self._origins_in(self._paths[0]) + self._mirrored_origins()
        own = [self.origin] if self.origin in found else []
        return own + [origin for origin in found if origin != self.origin]

    def _origins_in(self, path: Path) -> list[str]:
        known = self._readers.get(path)
        return [] if known is None else known[1].origins()

    def _mirrored_origins(self) -> list[str]:
        try:
            return self._origins_in(self._paths[1])
        except StoreError:
            return []

    def tier(self, origin: str) -> str | None:
        """The tier of a mirrored ledger."""
        found = self._relations().get(origin)
        return None if found is None else found[1]

    def parent_of(self, origin: str) -> str | None:
        """The ledger above a mirrored one."""
        found = self._relations().get(origin)
        return None if found is None else found[0]

    def own_file(self) -> LedgerReader:
        """The file of the own ledger; StoreError where it is gone."""
        self._look()
        known = self._readers.get(self._paths[0])
        if known is None:
            raise StoreError(_("{path} is missing; restore it from a backup").format(path=self._paths[0]))
        return known[1]

    def mirror(self) -> LedgerReader | None:
        """The file of mirrored ledgers, where there is one; StoreError where it is damaged."""
        self._look()
        if self._mirror_trouble:
            raise StoreError(self._mirror_trouble)
        known = self._readers.get(self._paths[1])
        return None if known is None else known[1]

    def _relations(self) -> dict[str, tuple[str, str]]:
        """Parent and tier by origin, as long as nobody commits anything; none where the mirror is damaged."""
        try:
            reader = self.mirror()
            if reader is None:
                return {}
            version = id(reader), reader.version()
            if version == self._relations_version:
                return self._relations_known
            rows = reader.rows("SELECT l.origin, m.parent, m.tier FROM mirror m JOIN log l ON l.id=m.log")
        except StoreError:
            return {}
        self._relations_known = {origin: (parent, tier) for origin, parent, tier in rows}
        self._relations_version = version
        return self._relations_known

    def close(self) -> None:
        """Let go of the files."""
        for _file, reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def _find(self, origin: str) -> KeptLedger | None:
        self._look()
        for path in self._paths if origin == self.origin else self._paths[1:]:
            known = self._readers.get(path)
            found = None if known is None else known[1].ledger(origin)
            if found is not None:
                return found
        if origin != self.origin and self._mirror_trouble:
            raise StoreError(self._mirror_trouble)
        return None

    def _look(self) -> None:
        """See once a second whether the files are still the same."""
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        own, mirror = self._paths
        self._mirror_trouble = ""
        try:
            self._open(mirror)
        except StoreError as error:
            self._mirror_trouble = str(error)
        self._open(own)

    def _open(self, path: Path) -> None:
        """Have a reader of the file that is there now."""
        file, known = _identity(path), self._readers.get(path)
        if known is not None and known[0] != file:
            known[1].close()
            del self._readers[path]
        if file is not None and path not in self._readers:
            self._readers[path] = file, LedgerReader(path)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
