"""The API's OpenAPI document, completed: problem documents for every error, and the shapes of what is read by hand."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from web.problem import PROBLEM_TYPE
from web.service.answers import USUAL, problem_answer
from web.service.models import ProblemModel, RefusedSheetModel, SheetModel

REFERENCE = "#/components/schemas/{model}"
READ_BY_HAND: tuple[type[BaseModel], ...] = (SheetModel, ProblemModel, RefusedSheetModel)
VALIDATION = ("HTTPValidationError", "ValidationError")
ANYWHERE = (500, 503)
METHODS = ("get", "post", "put", "delete", "patch")


def describe(app: FastAPI) -> dict[str, Any]:
    """The document; made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        _add_shapes(document)
        for operation in _operations(document):
            _complete(operation)
        app.openapi_schema = document
    return app.openapi_schema


def _add_shapes(document: dict[str, Any]) -> None:
    shapes = document.setdefault("components", {}).setdefault("schemas", {})
    _names, found = models_json_schema([(model, "validation") for model in READ_BY_HAND], ref_template=REFERENCE)
    shapes.update(found["$defs"])
    for name in VALIDATION:
        shapes.pop(name, None)


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        for method, operation in path.items():
            if method in METHODS:
                yield operation


def _complete(operation: dict[str, Any]) -> None:
    """Every operation tells of the errors that may come anywhere; a question that cannot be read is 400, not 422."""
    answers = operation["responses"]
    unread = answers.get("422", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if unread.get("$ref", "").endswith(VALIDATION[0]):
        del answers["422"]
    if operation.get("parameters") or operation.get("requestBody"):
        answers.setdefault("400", problem_answer(USUAL[400]))
    for code in ANYWHERE:
        answers.setdefault(str(code), problem_answer(USUAL[code]))
    for answer in answers.values():
        content = answer.get("content", {})
        if content.get(PROBLEM_TYPE) == {}:
            answer["content"] = problem_answer(answer["description"])["content"]
