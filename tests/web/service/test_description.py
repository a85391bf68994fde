"""The API's description: complete, and true of what is answered."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from tests.store.village import PROVIDER, donation
from tests.web.service.running import Running
from web.problem import PROBLEM_TYPE
from web.service import models

COMBINED = ("$ref", "anyOf", "oneOf", "allOf")


@pytest.fixture(scope="session")
def document(service: Running) -> dict[str, Any]:
    found: dict[str, Any] = service.get("/api/v1/openapi.json", None).json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def test_the_api_has_what_it_is_to_have(document: dict[str, Any]) -> None:
    found = {name for name, _operation in operations(document)}
    wanted = (
        *("post /entries", "get /entries/{index}", "get /entries/{index}/receipt", "get /accounts/{number}"),
        *("get /accounts/{number}/statement", "get /accounts/{number}/receipt", "get /balances", "get /blocks"),
        *("get /suspicions", "get /supply-demand", "get /funds", "get /public-list", "get /health", "get /metrics"),
    )
    assert {name.replace(" ", " /api/v1") for name in wanted} <= found


def test_every_field_has_a_description_and_an_example(document: dict[str, Any]) -> None:
    lacking = []
    for name, shape in document["components"]["schemas"].items():
        assert shape.get("description"), name
        for field, told in shape.get("properties", {}).items():
            if not told.get("description"):
                lacking.append(f"{name}.{field}: description")
            is_shown = told.get("examples") or {"$ref", "default", "enum", "const"} & told.keys()
            if not is_shown:
                lacking.append(f"{name}.{field}: example")
    for name, operation in operations(document):
        told_of = operation.get("parameters", [])
        lacking += [f"{name} {each['name']}: description" for each in told_of if not each.get("description")]
        lacking += [f"{name} {each['name']}: example" for each in told_of if not has_example(each)]
    assert lacking == []


def has_example(parameter: dict[str, Any]) -> bool:
    """Whether somebody who reads of a parameter of a path or query sees a value of it."""
    return "enum" in parameter["schema"] or bool(parameter.get("examples") or parameter["schema"].get("examples"))


def test_every_operation_tells_of_its_errors(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        answers = operation["responses"]
        assert operation.get("summary") and operation.get("description"), name
        assert {"500", "503"} <= answers.keys(), name
        if operation.get("security"):
            assert {"401", "403"} <= answers.keys() or "/session" in name or "/tokens" in name, name
        for code, answer in answers.items():
            assert answer.get("description"), (name, code)
            if code >= "400" and PROBLEM_TYPE in answer.get("content", {}):
                assert "schema" in answer["content"][PROBLEM_TYPE], (name, code)


def test_all_that_is_referred_to_is_there(document: dict[str, Any]) -> None:
    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for each in value.values():
                yield from references(each)
        elif isinstance(value, list):
            for each in value:
                yield from references(each)

    shapes = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= shapes


@pytest.mark.parametrize(
    ("path", "role", "model"),
    [
        ("entries/0", None, models.EntryModel),
        (f"accounts/{PROVIDER}", "person", models.AccountModel),
        ("accounts/issue", "clerk", models.AccountModel),
        (f"accounts/{PROVIDER}/statement?limit=1", "clerk", models.StatementPage),
        ("balances?limit=3&status=open", "auditor", models.BalancesPage),
        ("blocks?limit=2", "clerk", models.BlocksPage),
        ("suspicions", "clerk", models.SuspicionsModel),
        ("supply-demand", "clerk", models.SupplyDemandModel),
        ("funds", "clerk", models.FundsModel),
        ("public-list", None, models.PublicListModel),
        ("health", None, models.HealthModel),
        ("health", "member", models.HealthModel),
        ("entries/99999", None, models.ProblemModel),
        ("balances", None, models.ProblemModel),
        ("blocks?limit=x", "clerk", models.ProblemModel),
        ("nothing", None, models.ProblemModel),
    ],
)
def test_answers_are_as_they_are_described(
    service: Running, path: str, role: str | None, model: type[BaseModel]
) -> None:
    answer = service.get(f"/api/v1/{path}", role)
    assert (answer.status_code >= 400) == (model is models.ProblemModel), answer.text
    model.model_validate_json(answer.content, strict=True)
    assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_figures_for_prometheus_have_nobodys_data(service: Running) -> None:
    service.post(service.sheet([donation(1)]))
    service.get(f"/api/v1/accounts/{PROVIDER}")
    assert service.get("/api/v1/metrics", None).status_code == 401
    text = service.get("/api/v1/metrics").text
    assert "huzhu_entries " in text and 'route="/api/v1/accounts/{number}"' in text
    assert PROVIDER not in text and "hz_" not in text
