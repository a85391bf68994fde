"""Whom this node asks for hours that were sent: what it mirrors itself, and the nodes above; or one archive."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from store.archive import open_archive
from store.exchange import Exchange
from store.home import Home
from store.reading import LedgerReader
from sync.fetch import Site
from sync.library import ArchiveLibrary, Library, MirrorLibrary, SiteLibrary


@contextmanager
def libraries_of(home: Home) -> Iterator[list[Library]]:
    """The node's own mirror, where it has one, and its parents, nearest first; perhaps none at all."""
    with ExitStack() as stack:
        found = [_mirror(home, stack)] if home.mirror.exists() else []
        sites = [stack.enter_context(closing(Site(url))) for url in home.node_settings().parents]
        yield [*found, *map(SiteLibrary, sites)]


@contextmanager
def archive_library(path: Path) -> Iterator[list[Library]]:
    """The archive in a file, as from a USB stick."""
    with open_archive(path) as ledgers:
        yield [ArchiveLibrary(str(path), ledgers)]


def _mirror(home: Home, stack: ExitStack) -> Library:
    exchange = stack.enter_context(closing(Exchange(home.ledger, home.mirror)))
    readers = [stack.enter_context(closing(LedgerReader(path))) for path in (home.ledger, home.mirror)]

    def receipt(origin: str, index: int) -> bytes:
        for reader in readers:
            ledger = reader.ledger(origin)
            if ledger is not None:
                return ledger.receipt(index)
        raise KeyError(origin)

    return MirrorLibrary(home.mirror.name, exchange, receipt)
