"""What the description allows, and what it does not, sent to the node: it never fails, and answers as described."""

from contextlib import suppress
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.web.service.running import Running

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 6
SLOW = "/api/v1/s(uspicions|upply-demand|ession)"
"""Each starts a process or hashes a password; their own tests ask them."""


def test_the_node_answers_as_described(service: Running) -> None:
    schema = schemathesis.openapi.from_url(f"{service.url}/api/v1/openapi.json").exclude(path_regex=SLOW)
    asked = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        ask_all(operation.as_strategy(generation_mode=GenerationMode.POSITIVE), service)
        ask_all(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE), service)
        asked += 1
    assert asked >= 15


def ask_all(cases: SearchStrategy[schemathesis.Case[Any]], service: Running) -> None:
    """Send some of them, as a clerk and as a stranger."""

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def ask(case: schemathesis.Case[Any]) -> None:
        for role in ("clerk", None):
            headers = {} if role is None else {"Authorization": f"Bearer {service.tokens[role]}"}
            case.call_and_validate(headers=headers, checks=CHECKS)

    with suppress(Unsatisfiable):  # where there is nothing that could be wrong
        ask()
