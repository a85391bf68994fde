"""One node's service from its home: which parts there are, and which files each has."""

import datetime
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from fastapi import APIRouter

from chain.fields import UTC, Time
from store.access import Access
from store.exchange import Exchange
from store.home import Home
from store.log import StoreError
from store.reading import LedgerReader
from store.settings import NodeSettings
from store.witness import open_memory
from web.access.guard import Guard
from web.access.routes import access_router
from web.access.signing import SignIn
from web.pages.kit import Kit
from web.pages.routers import page_routers
from web.service.app import Parts
from web.service.asking import Asker, own_program
from web.service.exchange import exchange_router
from web.service.journal import Journal, listen_to_server
from web.service.ledgers import Ledgers
from web.service.sealing import seal_rule
from web.service.tending import Round, Tender, has_neighbours
from web.service.witness import witness_router
from web.service.writer import SharedHome, Writer
from web.session import PASSPHRASE_VARIABLE
from web.witnessing import make_witness, witness_keys


def system_clock() -> Time:
    """Now, in whole seconds."""
    return datetime.datetime.now(UTC).replace(microsecond=0)


def assemble(
    home: Home,
    settings: NodeSettings,
    shared: SharedHome,
    passphrase: bytes | None,
    is_secure: bool,
    restart: Callable[[str], None] | None = None,
) -> Parts:
    """The parts, nothing of them started; StoreError where a file of the home cannot be opened."""
    journal = Journal()
    listen_to_server(journal)
    ledgers = Ledgers(home, settings.origin)
    access = Access(home.access)
    guard = Guard(
        access, is_secure=is_secure, behind_proxy=settings.serve.behind_tls, parent_of=ledgers.parent_of
    )
    tender = make_tender(home, settings, passphrase, journal)
    writer = Writer(shared, seal_rule(settings.serve, system_clock), _teller(journal))

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        if tender is not None:
            tender.start()
        yield
        if tender is not None:
            await tender.stop()
        ledgers.close()

    sign_in_by = SignIn(access, guard)
    kit = Kit(home, settings, ledgers, writer, access, guard, sign_in_by, system_clock, passphrase, restart, tender)
    return Parts(
        settings=settings,
        home=home,
        ledgers=ledgers,
        writer=writer,
        guard=guard,
        asker=Asker(own_program()),
        journal=journal,
        clock=system_clock,
        is_secure=is_secure,
        tender=tender,
        routers=(
            access_router(access, guard, sign_in_by),
            *page_routers(kit),
            exchange_router(Exchange(home.ledger, home.mirror), receipts(home)),
            *witness_routers(home, passphrase, writer, journal),
        ),
        refused=kit.refused_anywhere,
        running=running,
    )


def witness_routers(home: Home, passphrase: bytes | None, writer: Writer, journal: Journal) -> Iterator[APIRouter]:
    """The routes of the home's witness, where it is one."""
    keys = witness_keys(home, passphrase)
    if keys is not None:

        def tell(origin: str, size: int) -> None:
            journal.event("forked", ledger=origin, size=size)

        store = open_memory(home)
        yield witness_router(make_witness(home, keys, store, lambda: writer.standing.admitted, tell))


def make_tender(home: Home, settings: NodeSettings, passphrase: bytes | None, journal: Journal) -> Tender | None:
    """What looks after the neighbours; None where there are none or nobody wants it."""
    if not has_neighbours(settings) or not settings.serve.tend_every_minutes:
        return None
    variables = {} if passphrase is None else {PASSPHRASE_VARIABLE: os.fsdecode(passphrase)}
    words = [*own_program(), "tend", "--json", "--home", str(home.folder.absolute())]

    def tell(done: Round) -> None:
        journal.event("tended", status=done.status, seconds=round(done.seconds, 1), failures=len(done.failures))
        for failure in done.failures:
            journal.event("tend-failure", what=failure)

    return Tender(words, variables, settings.serve.tend_every_minutes, tell)


def receipts(home: Home) -> Callable[[str, int], bytes]:
    """The receipt of an entry of any ledger here, for threads; FileNotFoundError where there is none."""

    def receipt(origin: str, index: int) -> bytes:
        for path in (home.ledger, home.mirror):
            raw = _receipt_from(path, origin, index) if path.exists() else None
            if raw is not None:
                return raw
        raise FileNotFoundError(index)

    return receipt


def _receipt_from(path: Path, origin: str, index: int) -> bytes | None:
    with closing(LedgerReader(path)) as reader:
        ledger = reader.ledger(origin)
        if ledger is None:
            return None
        try:
            return ledger.receipt(index)
        except IndexError:
            return None


def _teller(journal: Journal) -> Callable[[Exception], None]:
    def tell(error: Exception) -> None:
        if isinstance(error, StoreError):
            journal.event("storage", error=type(error).__name__)
        else:
            journal.bug(error, "writer")

    return tell
