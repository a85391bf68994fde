"""Errors of the API as RFC 9457 problem documents.

    raise Problem(404, "no-account", "no such account", "there is no account 12345678")

``type`` is a name that programs can tell it by, ``title`` is the same for all of a type, ``detail`` says what happened
here and what to do; ``outcome`` is the rule's outcome or the finding's code where one refused. Whatever else
is given stands beside them.
"""

from typing import Any

import msgspec

PROBLEM_TYPE = "application/problem+json"
TYPE_BASE = "urn:huzhu:problem:"
"""A problem's type is a name, not an address: a village's node may have none."""


class Problem(Exception):  # noqa: N818 - it is called that in RFC 9457
    """An answer that is no success. ``headers`` go with it, such as ``Retry-After``."""

    def __init__(
        self,
        status: int,
        type: str,
        title: str,
        detail: str,
        outcome: str | None = None,
        *,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        """``type`` is the short name, such as ``no-account``."""
        super().__init__(detail)
        self.status = status
        self.type = TYPE_BASE + type
        self.title = title
        self.detail = detail
        self.outcome = outcome
        self.headers = headers or {}
        self.more = more

    def plain(self) -> dict[str, Any]:
        """The document's members."""
        found = {"type": self.type, "title": self.title, "status": self.status, "detail": self.detail}
        if self.outcome is not None:
            found["outcome"] = self.outcome
        return found | self.more


def format_problem(problem: Problem) -> bytes:
    """The document's bytes."""
    return msgspec.json.encode(problem.plain())
