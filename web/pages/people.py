"""People: the list of them, and the search for one. A clerk and a member of this ledger see these pages, nobody else.

What somebody types to find a person is sent by POST, by the form and by ``people.js`` alike: a name is in no address.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from chain.fields import is_account_number
from ledger.state import OPEN, Account
from web.access.who import CLERK, MEMBER
from web.desk import DeskNode
from web.i18n import marked
from web.i18n import translate as _
from web.pages.forms import EMPTY, Form, read_form
from web.pages.kit import Kit
from web.pages.names import Found, Names
from web.problem import PROBLEM_TYPE, Problem, format_problem
from web.problems import DeskError

PAGE_PEOPLE = 50
FOUND_MAX = 30
TYPED_MAX_CHARACTERS = 64
ONLY = {
    "volunteer": marked("volunteers"),
    "elder": marked("elders"),
    "minor": marked("minors"),
    "institution": marked("institutions"),
    "suspended": marked("suspended"),
    "closed": marked("closed"),
}
"""Of whom the list can be, by the word in its address."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list."""

    account: str
    position: int
    minutes: int
    held_minutes: int
    status: str
    is_volunteer: bool
    is_elder: bool


def people_router(kit: Kit, names: Names) -> APIRouter:
    """The list, the search by form, and the search by a page's module."""
    router = kit.router()

    @router.get("/people")
    async def people(request: Request, after: int = -1, only: str = "") -> Response:
        who = kit.who(request, CLERK, MEMBER)
        only = only if only in ONLY else ""
        rows = await kit.writer.ask(lambda node: _rows(node, after, only))
        await names.asked(request, who)
        further = rows[PAGE_PEOPLE - 1].position if len(rows) > PAGE_PEOPLE else None
        return await show(request, EMPTY, rows[:PAGE_PEOPLE], only=only, after=further)

    @router.post("/people")
    async def search(request: Request) -> Response:
        who, form = kit.who(request, CLERK, MEMBER), await kit.form(request)
        typed = form.text("q", TYPED_MAX_CHARACTERS, is_needed=True)
        if form.flaws:
            return await show(request, form, [], status=422)
        await names.asked(request, who)
        found = await names.find(typed, FOUND_MAX)
        if len(found) == 1:
            return kit.see(request, f"/people/{found[0].account}")
        wanted = [one.account for one in found]
        rows = await kit.writer.ask(lambda node: _rows_of(node, wanted))
        details = {one.account: one.detail for one in found}
        return await show(request, form, rows, details=details)

    @router.post("/people/find")
    async def find(request: Request) -> Response:
        try:
            who = kit.who(request, CLERK, MEMBER)
            form = await read_form(request)
            typed = form.text("q", TYPED_MAX_CHARACTERS)
            await names.asked(request, who)
            found = await names.find(typed)
        except Problem as problem:
            return _told(problem)
        except DeskError as error:
            return _told(Problem(503, "no-names", _("the names cannot be read"), str(error)))
        return _json(found)

    async def show(request: Request, form: Form, rows: list[Row], status: int = 200, **values: Any) -> Response:
        shown = await names.shown(request, [row.account for row in rows])
        given = {"details": None, "only": "", "after": None, "form": form, "rows": rows, "names": shown, "kinds": ONLY}
        return kit.page(request, "people/list.html", status, **given | values)

    return router


def _json(found: list[Found]) -> Response:
    return Response(
        msgspec.json.encode({"found": found}), headers={"Cache-Control": "no-store"}, media_type="application/json"
    )


def _told(problem: Problem) -> Response:
    headers = {"Cache-Control": "no-store"} | problem.headers
    return Response(format_problem(problem), problem.status, headers, PROBLEM_TYPE)


def _rows(node: DeskNode, after: int, only: str) -> list[Row]:
    """A page of people in the order of their accounts, and one more where there is one."""
    found: list[Row] = []
    for account in _people(node):
        if account.position > after and _is(account, only):
            found.append(_row(account))
            if len(found) > PAGE_PEOPLE:
                break
    return found


def _rows_of(node: DeskNode, numbers: list[str]) -> list[Row]:
    accounts = node.state.accounts
    return [_row(accounts[number]) for number in numbers if number in accounts]


def _people(node: DeskNode) -> Iterator[Account]:
    return (account for account in node.state.accounts.values() if is_account_number(account.number))


def _is(account: Account, only: str) -> bool:
    match only:
        case "volunteer":
            return account.may_serve
        case "elder":
            return account.elder
        case "minor":
            return account.minor
        case "institution":
            return account.holder == "institution"
        case "":
            return True
        case _:
            return account.status == only


def _row(account: Account) -> Row:
    return Row(
        account.number,
        account.position,
        account.balance,
        account.held,
        "" if account.status == OPEN else account.status,
        account.may_serve,
        account.elder,
    )
