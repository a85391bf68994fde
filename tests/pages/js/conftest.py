"""A page that has the modules of ``web/pages/static`` at hand, and nothing else."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route

STATIC = Path(__file__).resolve().parents[3] / "web" / "pages" / "static"
HOST = "http://localhost"
Run = Callable[..., Any]


@pytest.fixture
def run(chromium: Browser) -> Iterator[Run]:
    """Runs a function in the browser; it may import the modules by ``/name.js``."""
    context = chromium.new_context()

    def answer(route: Route) -> None:
        path = STATIC / route.request.url.rpartition("/")[2]
        if path.suffix == ".js":
            route.fulfill(body=path.read_bytes(), content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html><title>modules</title>", content_type="text/html")

    context.route(f"{HOST}/**", answer)
    page = context.new_page()
    page.goto(f"{HOST}/")
    yield page.evaluate
    context.close()
