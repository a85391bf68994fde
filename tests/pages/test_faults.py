"""A fault of the program is told as a page, in the reader's language and without its insides; the journal has them."""

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli import create_home
from tests.web.service.running import Running, running
from web.pages.kit import environment
from web.pages.setup_kit import SetupKit
from web.service.door import Door
from web.service.journal import Journal
from web.setup.gate import Gate
from web.setup.service import make_setup_app

BROWSER = {"Accept": "text/html,application/xhtml+xml", "Host": "localhost"}
INSIDE = "what nobody should read"
TOLD = {"zh": "程序错误", "en": "a fault of the program"}


@pytest.fixture(params=["sign-in.html", "code.html", ""], ids=["page", "setup", "every-page"])
def broken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A template at fault, or all of them, and the name of it."""
    found = environment().get_template

    def get(name: str, *more: Any) -> Any:
        if name.endswith(request.param):
            raise ZeroDivisionError(INSIDE)
        return found(name, *more)

    monkeypatch.setattr(environment(), "get_template", get)
    return str(request.param)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    from tests.web.desk import Desk

    desk = Desk(tmp_path_factory.mktemp("faults"))
    desk.init()
    with running(desk.home, {}) as held:
        yield held


def check(answer: httpx.Response, language: str) -> None:
    assert answer.status_code == 500 and answer.headers["content-type"].startswith("text/html")
    assert INSIDE not in answer.text and "Traceback" not in answer.text and "ZeroDivision" not in answer.text
    assert "<h1>" in answer.text and TOLD[language] in answer.text


@pytest.mark.parametrize("language", TOLD)
def test_a_node_tells_of_its_fault(
    service: Running, broken: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[BaseException] = []
    monkeypatch.setattr(service.parts.journal, "bug", lambda error, _where: told.append(error))
    answer = httpx.get(f"{service.url}/sign-in", headers=BROWSER | {"Accept-Language": language})
    if broken == "code.html":
        assert answer.status_code == 200 and not told
        return
    check(answer, language)
    assert told


@pytest.mark.parametrize("language", TOLD)
def test_the_set_up_tells_of_its_fault(broken: str, language: str, tmp_path: Path) -> None:
    kit = SetupKit(tmp_path / "home", Gate(lambda _code: None), create_home)
    journal = io.StringIO()

    async def stop() -> None:
        """Nothing serves."""

    app = make_setup_app(kit, stop)
    app = Door(app._app, app._files, app._headers, app._metrics, Journal(journal))

    async def ask(path: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.get(path, headers=BROWSER | {"Accept-Language": language})

    answer = asyncio.run(ask("/setup"))
    if broken == "sign-in.html":
        assert answer.status_code == 200
        gone = asyncio.run(ask("/nothing"))
        assert gone.status_code == 404 and "<h1>" in gone.text
        return
    check(answer, language)
    assert "ZeroDivisionError" in journal.getvalue()
