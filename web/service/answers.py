"""What routes share: how an answer is written, what is asked in paths and queries, and how errors are described."""

from typing import Annotated, Any

import msgspec
from fastapi import Path, Query, Response
from starlette.exceptions import HTTPException

from chain.limits import LOG_MAX_ENTRIES, ORIGIN_MAX_BYTES
from store.reading import ROWS_MAX
from web.i18n import marked
from web.i18n import translate as _
from web.problem import PROBLEM_TYPE, Problem, format_problem
from web.service.models import ACCOUNT, ORIGIN, ProblemModel, Status

NUMBER_MAX_CHARACTERS = 64
PAGE_ROWS = 100
BUSY_SECONDS = 1
DOCUMENT = "/api/v1/openapi.json"
TITLES = {
    404: marked("no such address"),
    405: marked("not with this method"),
    408: marked("too slow"),
    413: marked("too large"),
}
PRIVATE = {"Cache-Control": "no-store"}
RECEIPT_TYPE = "text/plain; charset=utf-8"

LedgerQuery = Annotated[
    str | None,
    Query(
        description="Origin of the ledger; absent: this node's own.", max_length=ORIGIN_MAX_BYTES, examples=[ORIGIN]
    ),
]
NumberPath = Annotated[
    str,
    Path(
        description="Account number of eight digits, or the name of a system account or fund.",
        min_length=1,
        max_length=NUMBER_MAX_CHARACTERS,
        examples=[ACCOUNT],
    ),
]
IndexPath = Annotated[
    int, Path(description="Index of the entry, from 0.", ge=0, le=LOG_MAX_ENTRIES, examples=[17])
]
AfterQuery = Annotated[
    int | None,
    Query(
        description="What `next` of the page before says; absent: the first page.",
        ge=0,
        le=LOG_MAX_ENTRIES,
        examples=[17],
    ),
]
LimitQuery = Annotated[
    int, Query(description="How many rows a page has at most.", ge=1, le=ROWS_MAX, examples=[PAGE_ROWS])
]
StatusQuery = Annotated[Status | None, Query(description="Only accounts in this status.", examples=["open"])]

_encode = msgspec.json.Encoder().encode


def json_answer(value: Any, headers: dict[str, str] | None = None) -> Response:
    """A value as JSON; what an account has is kept by no cache unless ``headers`` say otherwise."""
    return Response(_encode(value), media_type="application/json", headers=headers or PRIVATE)


def problem_response(problem: Problem) -> Response:
    """A problem as an answer."""
    return Response(format_problem(problem), problem.status, problem.headers, PROBLEM_TYPE)


def http_response(error: HTTPException) -> Response:
    """What the framework and the door refuse, as a problem too."""
    title = TITLES.get(error.status_code, marked("refused"))
    text = _("the API is described at {where}").format(where=DOCUMENT)
    return problem_response(
        Problem(error.status_code, title.replace(" ", "-"), _(title), text, headers=dict(error.headers or {}))
    )


def storage_problem() -> Problem:
    """The medium fails; its path and why are for the journal and for whoever may see the node's health."""
    text = _("the node's disk fails or its files are damaged; if you sent a sheet, send the very same sheet again")
    return Problem(503, "no-storage", _("the node's disk fails"), text, headers={"Retry-After": "10"})


def busy_problem() -> Problem:
    """The writer, who answers this, has too much to do."""
    text = _("too much waits to be written: ask again in {seconds} s")
    detail = text.format(seconds=BUSY_SECONDS)
    return Problem(503, "busy", _("too busy"), detail, headers={"Retry-After": str(BUSY_SECONDS)})


def problems(*codes: int, **told: str) -> dict[int | str, dict[str, Any]]:
    """How the description tells of answers that are no success: by the usual words, or ``_404="…"``."""
    words = {code: USUAL[code] for code in codes} | {int(code.strip("_")): text for code, text in told.items()}
    return {code: problem_answer(text) for code, text in words.items()}


def problem_answer(text: str, model: type[ProblemModel] = ProblemModel) -> dict[str, Any]:
    """One of them."""
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"description": text, "content": {PROBLEM_TYPE: {"schema": reference}}}


USUAL = {
    400: "Something in the path or query is not what it may be.",
    401: "Nobody is signed in, or the token does not count.",
    403: "Whoever is signed in may not see or do this.",
    404: "There is no such thing here.",
    500: "The program is at fault; its log says where.",
    503: "The node's disk fails, or too much waits; `Retry-After` says when to come again.",
}
"""What is said of a status wherever nothing more fitting is."""


def no_account(number: str) -> Problem:
    """There is none of that number."""
    text = _("there is no account {number} on this ledger")
    return Problem(404, "no-account", _("no such account"), text.format(number=number), outcome="no-account")


def not_sealed() -> Problem:
    """The newest checkpoint does not cover it yet."""
    text = _("it is on the ledger but not under a checkpoint yet: ask again after the next seal")
    return Problem(404, "not-sealed", _("not sealed yet"), text)


def text_answer(media_type: str, text: str, example: str) -> dict[str, Any]:
    """How the description tells of an answer that is no JSON."""
    return {"description": text, "content": {media_type: {"schema": {"type": "string", "examples": [example]}}}}
