"""What people name to be audited: archives, homes, folders of tiles and addresses, and the ledgers in them.

A ``Place`` says where one ledger lies, so that any process that can reach it can open it again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

from web.problems import DeskError

if TYPE_CHECKING:
    from store.tiles import TileLedger
    from verify.source import Source

ADDRESSES = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ledger lies: ``name`` is an archive's path, a folder's, or an address."""

    name: str
    origin: str
    size: int
    """About how many entries it has."""

    @property
    def is_archive(self) -> bool:
        """Whether it is one file."""
        return not self.name.startswith(ADDRESSES) and Path(self.name).is_file()

    @contextmanager
    def opened(self) -> "Iterator[Source]":
        """Its bytes; raises DeskError where another ledger stands there now. An archive was looked through before."""
        from store.archive import open_archive
        from store.tiles import open_address, open_tiles

        if self.name.startswith(ADDRESSES):
            yield self._same(open_address(self.name)[0])
        elif Path(self.name).is_dir():
            yield self._same(open_tiles(Path(self.name)))
        else:
            with open_archive(Path(self.name), origin=self.origin, looks_through=False) as (ledger,):
                yield ledger

    def _same(self, found: "TileLedger") -> "TileLedger":
        if found.origin != self.origin:
            text = _("{place} first gave the ledger {origin}, and now gives {other}: ask whoever keeps it why")
            raise DeskError(text.format(place=self.name, origin=self.origin, other=found.origin))
        return found


def places_of(targets: Sequence[str]) -> list[Place]:
    """The ledgers of all targets, in their order."""
    return [place for target in dict.fromkeys(targets) for place in _places_of(target)]


def _places_of(target: str) -> Iterator[Place]:
    from store.archive import open_archive
    from store.home import Home
    from store.tiles import open_address, open_folder

    if target.startswith(ADDRESSES):
        yield from (Place(ledger.name, ledger.origin, ledger.size()) for ledger in open_address(target))
        return
    if "://" in target:
        raise DeskError(_("{address} cannot be read: an address begins with http:// or https://").format(address=target))
    path = Path(target)
    if Home(path).ledger.is_file():
        path = Home(path).ledger
    path = path.absolute()
    if path.is_dir():
        yield from (Place(ledger.name, ledger.origin, ledger.size()) for ledger in open_folder(path))
        return
    with open_archive(path, looks_through=False) as ledgers:
        yield from [Place(str(path), ledger.origin, ledger.size()) for ledger in ledgers]
