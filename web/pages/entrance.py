"""The way in: sign in and out, one's own password, the language, and who sees which page first.

Who signs in with a password that somebody else made is led to ``/account``, and stays there until it is their own; a
person is only asked to (``web.access.who``).
"""

from typing import Any

from fastapi import APIRouter, Request, Response

from web.access.passwords import PASSWORD_MIN_CHARACTERS
from web.access.who import CLERK, MEMBER, PERSON
from web.i18n import LANGUAGES, marked
from web.i18n import translate as _
from web.pages.forms import EMPTY, Form, read_form
from web.pages.kit import ACCOUNT, LANGUAGE_COOKIE, LANGUAGE_SECONDS, Kit, local_path, redirect
from web.problem import Problem

FIRST = {CLERK: "/desk", MEMBER: "/desk", PERSON: "/me"}
"""Supervisors and auditors begin at the board."""
BOARD = "/board"
NAME_MAX, PASSWORD_MAX = 64, 1_000
WRONG_PAIR = marked("name and password do not belong together")


def entrance_router(kit: Kit) -> APIRouter:
    """The routes."""
    router = kit.router()

    @router.get("/")
    async def first(request: Request) -> Response:
        who = kit.who_if_any(request)
        return redirect("/sign-in" if who is None else FIRST.get(who.role, BOARD))

    @router.get("/about")
    async def about(request: Request) -> Response:
        return kit.page(request, "about.html", standing=kit.writer.standing)

    @router.get("/language")
    async def language(to: str = "", back: str = "/") -> Response:
        response = redirect(local_path(back))
        if to in LANGUAGES:
            response.set_cookie(
                LANGUAGE_COOKIE,
                to,
                max_age=LANGUAGE_SECONDS,
                secure=kit.guard.is_secure,
                httponly=True,
                samesite="lax",
            )
        return response

    @router.get("/sign-in")
    async def ask(request: Request, to: str = "/") -> Response:
        if kit.who_if_any(request) is not None:
            return redirect(local_path(to))
        return kit.page(request, "sign-in.html", form=EMPTY, to=local_path(to))

    @router.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        form = await read_form(request)
        to = local_path(form.text("to"))
        response = redirect(to)
        name, password = form.text("name", NAME_MAX, is_needed=True), form.get("password")[:PASSWORD_MAX]
        try:
            who = await kit.sign_in_by.enter(request, response, name, password)
        except Problem as problem:
            return _again(kit, request, "sign-in.html", form, "password", problem, to=to)
        if who.must_choose:
            response.headers["Location"] = ACCOUNT
        return response

    @router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        kit.guard.newcomer(request)
        await kit.form(request)
        response = redirect("/sign-in")
        kit.sign_in_by.leave(request, response)
        return response

    @router.get(ACCOUNT)
    async def account(request: Request) -> Response:
        kit.guard.newcomer(request)
        return kit.page(request, "account.html", form=EMPTY, least=PASSWORD_MIN_CHARACTERS)

    @router.post(ACCOUNT)
    async def change_password(request: Request) -> Response:
        who, form = kit.guard.newcomer(request), await kit.form(request)
        response = redirect("/sign-in")
        old, new = form.get("old")[:PASSWORD_MAX], form.get("new")[:PASSWORD_MAX]
        try:
            await kit.sign_in_by.change_password(request, response, who.name, old, new)
        except Problem as problem:
            name = "new" if problem.status == 422 else "old"
            return _again(kit, request, "account.html", form, name, problem, least=PASSWORD_MIN_CHARACTERS)
        return response

    return router


def _again(
    kit: Kit, request: Request, template: str, form: Form, name: str, problem: Problem, **values: Any
) -> Response:
    """The form once more, with what is wrong beside the field."""
    form.flaw(name, _(WRONG_PAIR) if problem.status == 401 else problem.detail)
    response = kit.page(request, template, problem.status, form=form, **values)
    response.headers.update(problem.headers)
    return response

