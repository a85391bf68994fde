"""Help that people ask for on their own pages: a wish to the village desk, of which the desk makes a request.

    put_help(table, account, HelpAsked(by=…, told=…))      # it waits; nobody is asked yet
    helps_waiting(table)                                   # for the desk
    helps_of(table, accounts)                              # for those who may speak for these
    await make_help(care, who, number, told)               # the request, by the way of ``/requests/new``

Such a wish stands in ``wishes.db`` under the account of whoever is to be helped, so that all who may speak for them see
it, and it goes when their dossier is erased. What is asked for is sealed there under the people key, as requests are.
Once it is a request the wish is gone; a refused one is kept for some time with the desk's word.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from care.requests import Request
from care.vault import VaultError
from store.log import StoreError
from store.wishes import HELP, OPEN, REFUSED, TAKEN, Wish
from web.access.who import Who
from web.pages.requests_form import ANOTHERS, GONE, Told, make_request
from web.pages.requests_kit import RequestKit, Table


class HelpAsked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is asked for. ``by``: the account of whoever typed it; ``word``: why the desk refused it."""

    by: str
    told: Told
    word: str = ""


class Help(NamedTuple):
    """A wish, opened."""

    wish: Wish
    asked: HelpAsked


def put_help(table: Table, account: str, asked: HelpAsked) -> None:
    """Have it wait for the desk, once however often it is sent. Raises CrowdedError where too much waits."""
    waiting = (each.asked for each in helps_of(table, [account]) if each.wish.state == OPEN)
    if not any(each.told == asked.told for each in waiting):
        table.wishes.put(account, HELP, _lock(table, account, asked), int(table.now.timestamp()))


def helps_waiting(table: Table) -> list[Help]:
    """What waits for the desk, the oldest first."""
    return [_opened(table, wish) for wish in table.wishes.open() if wish.kind == HELP]


def helps_of(table: Table, accounts: Iterable[str]) -> list[Help]:
    """What was asked for these accounts, the newest of each first."""
    wishes = (wish for account in sorted(accounts) for wish in table.wishes.of(account))
    return [_opened(table, wish) for wish in wishes if wish.kind == HELP]


def help_waiting(table: Table, number: int) -> Help | None:
    """The one of that number, where it still waits."""
    wish = table.wishes.get(number)
    return _opened(table, wish) if wish is not None and wish.kind == HELP and wish.state == OPEN else None


def refuse_help(table: Table, number: int, word: str) -> bool:
    """The desk says why not; False where somebody was quicker."""
    found = help_waiting(table, number)
    if found is None:
        return False
    body = _lock(table, found.wish.account, msgspec.structs.replace(found.asked, word=word))
    return table.wishes.decide(number, REFUSED, int(table.now.timestamp()), body=body)


async def make_help(care: RequestKit, who: Who, number: int, told: Told) -> Request | tuple[str, str]:
    """The request that a wish becomes; or the field that is wrong, and the outcome.

    First the wish is taken, then the request made: after a crash between the two nothing is ever made twice.
    """
    outcome = await care.ask(lambda table: _take(table, number, told))
    if outcome:
        return "person", outcome
    made: Request | tuple[str, str] | None = None
    try:
        made = await make_request(care, who, told)
    finally:
        is_made = isinstance(made, Request)
        await care.ask(lambda table: _end(table, number, is_made=is_made))
    return made


def _take(table: Table, number: int, told: Told) -> str:
    found = help_waiting(table, number)
    if found is None:
        return GONE
    if found.wish.account not in told.recipients:
        return ANOTHERS
    return "" if table.wishes.decide(number, TAKEN, int(table.now.timestamp())) else GONE


def _end(table: Table, number: int, *, is_made: bool) -> None:
    """Where a request stands in its place nothing is kept of it; else it waits again."""
    if is_made:
        table.wishes.drop(number, TAKEN)
    else:
        table.wishes.decide(number, OPEN, 0, TAKEN)


def _lock(table: Table, account: str, asked: HelpAsked) -> bytes:
    return table.vault.lock_note(f"wish/{account}", msgspec.json.encode(asked).decode())


def _opened(table: Table, wish: Wish) -> Help:
    try:
        text = table.vault.unlock_note(f"wish/{wish.account}", wish.body)
        return Help(wish, msgspec.json.decode(text, type=HelpAsked))
    except (VaultError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise StoreError(f"wish {wish.id}: {error}") from error
