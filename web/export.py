"""Copies of a ledger for others: as static tiles (C2SP tlog-tiles), and as a journal for hledger.

The archive itself is the store's (``copy_to``).
"""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from gettext import gettext as _
from heapq import merge
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO

import click

from chain.checkpoint import open_checkpoint
from chain.entry import Body
from chain.errors import NoteError
from chain.merkle import frontier
from chain.tile import (
    TILE_HEIGHT,
    TILE_WIDTH,
    bundles_of,
    format_bundle,
    format_entries_path,
    format_tile,
    format_tile_path,
    tiles_of,
)
from ledger.bodies import FundReceive, FundSpend, TransferOut
from ledger.numbers import FEN, MINUTE
from ledger.state import Account, State
from store.log import Leg, LogStore
from store.sqlite import SqliteStore
from web.desk import DeskNode
from web.problems import DeskError
from web.text import local_date, yuan_of

CHECKPOINT = "checkpoint"
STDOUT = "-"
COMMODITIES = {MINUTE: "1. min", FEN: "1.00 CNY"}
"""How hledger writes an amount of each unit: whole minutes, and money in yuan."""
ROOTS = {MINUTE: "minute", FEN: "yuan"}
"""Above the accounts of each unit."""


def in_folder(path: Path) -> None:
    """Raise DeskError where the folder of a file that is to be written is not there."""
    if not path.parent.is_dir():
        raise DeskError(_("there is no folder {folder}: make it first").format(folder=path.parent))


def write_file(path: Path, raw: bytes) -> None:
    """Put a whole file in its place, with the folders above it; a crash leaves the old one or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _whole_file(path) as file:
        file.write(raw)


@contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to fill; it comes to stand at ``path`` where the block ends well. What fails is said of ``path``.

    What stands there and is no file, as a pipe or a device, is written into; a link is followed.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as stream:
                yield stream
            return
        path = path.resolve() if path.is_symlink() else path
        handle, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            Path(draft).chmod(0o644)
            Path(draft).replace(path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(draft).unlink()
            raise
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def copy_archive(node: DeskNode, path: Path) -> None:
    """Copy the archive into a new file; raises DeskError where one is there already."""
    if not isinstance(node.store, SqliteStore):
        raise DeskError(_("this ledger is in memory only"))
    in_folder(path)
    if path.exists():
        raise DeskError(_("{path} exists already: choose another name").format(path=path))
    node.store.copy_to(path)


def export_tiles(node: DeskNode, folder: Path, progress: Callable[[int, int], object]) -> Path:
    """Write the newest checkpoint with all tiles and entries under it; answers the ledger's folder.

    What an earlier export left there stays and is gone on from; the checkpoint comes last. ``progress`` is told how
    many entries of how many are written.
    """
    place = folder.joinpath(*node.origin.split("/"))
    note = node.checkpoint()
    size = open_checkpoint(note)[0].size
    store = node.store
    old_size = _exported_size(place, store, size)
    for tile in tiles_of(size, old_size):
        first = tile.index * TILE_WIDTH
        hashes = [store.hashes.read(tile.level * TILE_HEIGHT, index) for index in range(first, first + tile.width)]
        write_file(place / format_tile_path(tile), format_tile(hashes))
    for bundle in bundles_of(size, old_size):
        first = bundle.index * TILE_WIDTH
        write_file(place / format_entries_path(bundle), format_bundle(list(store.entries(first, first + bundle.width))))
        progress(first + bundle.width, size)
    write_file(place / CHECKPOINT, note)
    return place


def _exported_size(place: Path, store: LogStore, size: int) -> int:
    """How many entries an earlier export put there; raises DeskError where it is of another history than ours."""
    path = place / CHECKPOINT
    if not path.exists():
        return 0
    try:
        old = open_checkpoint(path.read_bytes())[0]
    except NoteError as error:
        raise DeskError(_("{path} is no checkpoint: choose an empty folder").format(path=path)) from error
    if old.origin != store.origin or old.size > size or frontier(old.size, store.hashes.read).root() != old.root:
        raise DeskError(_("{folder} holds another ledger: choose an empty folder").format(folder=place))
    return old.size


def write_journal(node: DeskNode, path: Path) -> None:
    """Write the journal to a file, or to stdout where the path is ``-``."""
    if str(path) == STDOUT:
        for line in journal_lines(node):
            click.echo(line)
        return
    in_folder(path)
    with _whole_file(path) as file:
        file.writelines(f"{line}\n".encode() for line in journal_lines(node))


def journal_lines(node: DeskNode) -> Iterator[str]:
    """The ledger as a journal that hledger reads: a transaction for each entry that moves hours or money.

    Each account has its ``balance`` and, where hours wait, ``held`` below it. The last transaction moves nothing and
    asserts every balance, so that ``hledger check`` compares them with ours.
    """
    state = node.state
    yield f"; {node.origin}, {state.size} entries"
    for commodity in COMMODITIES.values():
        yield f"commodity {commodity}"
    held = {number for number in state.accounts if any(leg.held for leg in node.legs(number))}
    for number, account in state.accounts.items():
        for part in _parts(number, held):
            yield f"account {_name(account, part)}"
    last = ""
    for index, legs in groupby(_all_legs(node), key=attrgetter("entry_index")):
        entry = node.entry(index)
        day = local_date(entry.at, state.utc_offset_at(index))
        last = max(last, day)
        yield ""
        yield f"{day} ({index}) {entry.kind}  ; {', '.join(_tags(index, entry.body))}"
        for leg in legs:
            yield from _postings(state, leg)
    if last:
        yield ""
        yield f"{last} * balances  ; entry:{state.size - 1}"
        for account in state.accounts.values():
            yield from _assertions(account, _parts(account.number, held))


def _all_legs(node: DeskNode) -> Iterable[Leg]:
    """The legs of all accounts that move something, in order of entries."""
    legs = merge(*map(node.legs, node.state.accounts), key=attrgetter("entry_index"))
    return (leg for leg in legs if leg.balance or leg.held)


def _parts(number: str, held: set[str]) -> tuple[str, ...]:
    return ("balance", "held") if number in held else ("balance",)


def _tags(index: int, body: Body) -> Iterator[str]:
    """What hledger can search by: the entry, and of money where it came from or what it was for, and the voucher.

    Of hours that leave, where they go.
    """
    yield f"entry:{index}"
    if isinstance(body, TransferOut):
        yield f"to:{body.to}"
    if isinstance(body, FundReceive | FundSpend):
        yield f"source:{body.source}" if isinstance(body, FundReceive) else f"purpose:{body.purpose}"
        yield f"voucher:{body.voucher.hex()}"


def _amount(count: int, unit: str) -> str:
    return f"{yuan_of(count)} CNY" if unit == FEN else f"{count} min"


def _name(account: Account, part: str) -> str:
    return f"{ROOTS[account.unit]}:{account.holder}:{account.number}:{part}"


def _postings(state: State, leg: Leg) -> Iterator[str]:
    account = state.accounts[leg.account]
    for part, count in (("balance", leg.balance), ("held", leg.held)):
        if count:
            yield f"    {_name(account, part)}  {_amount(count, account.unit)}"


def _assertions(account: Account, parts: Iterable[str]) -> Iterator[str]:
    nothing = _amount(0, account.unit)
    amounts = {"balance": account.balance, "held": account.held}
    for part in parts:
        yield f"    {_name(account, part)}  {nothing} = {_amount(amounts[part], account.unit)}"
