"""What the tests of the pages share: a village with its service, Debian's Chromium, pictures, and axe-core.

    def test_somebody_signs_in(browser_page: OpenPage, shoot: Shoot, check_axe: Check) -> None:
        page = browser_page("clerk")                     # signed in; in Chinese, 1280 px wide
        page.goto("/desk")                               # paths are the node's
        shoot(page, "desk")                              # → $HUZHU_SHOTS/desk-zh.png, or .venv/shots
        check_axe(page)

``village`` is one for all tests of a worker: a test may add to it, and must not count what others add. A test that
needs its own makes it by ``tests.pages.village``. Whatever a page asks of another host, and every error that a browser
tells about a page (a refused script, an exception), is a failure of the test that opened it.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.pages.axe import check_page
from tests.pages.people import own_village  # noqa: F401 - one for all tests that change people
from tests.pages.village import Village, make_village, serving
from tests.pages.walking import Found, Route, routes, walk
from tests.web.conftest import _texts  # noqa: F401 - the catalogue, compiled once
from web.access.who import ROLES

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
LOCALES = {"zh": "zh-CN", "en": "en-US"}
HEIGHT, WAIT_MS = 900, 10_000
SHOTS = Path(os.environ.get("HUZHU_SHOTS") or Path(__file__).resolve().parents[2] / ".venv" / "shots")

Shoot = Callable[[Page, str], Path]
Check = Callable[[Page], None]


class OpenPage(Protocol):
    """``browser_page``: a page of a browser of its own, in which a user of the village is signed in (None: nobody).

    ``of``: another village that is served. ``more`` goes to Playwright's ``new_context``.
    """

    def __call__(
        self,
        role: str | None = None,
        language: str = "zh",
        width: int = 1280,
        *,
        javascript: bool = True,
        of: Village | None = None,
        **more: Any,
    ) -> Page: ...


@pytest.fixture(scope="session")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    """Thirty people, three weeks of services, users of each role, served."""
    with serving(make_village(tmp_path_factory.mktemp("village"))) as held:
        yield held


@pytest.fixture
def clerk(village: Village) -> Iterator[httpx.Client]:
    """The clerk's browser, without a window."""
    with village.client("clerk") as client:
        yield client


@pytest.fixture
def member(village: Village) -> Iterator[httpx.Client]:
    """A member's."""
    with village.client("member") as client:
        yield client


@pytest.fixture(scope="session")
def known(village: Village) -> list[Route]:
    """All routes of pages."""
    return routes(village)


@pytest.fixture(scope="session")
def walked(village: Village, known: list[Route]) -> dict[str | None, dict[str, Found]]:
    """What each of ``ROLES`` finds, by path; under None what a stranger finds."""
    found = {}
    for role in (None, *ROLES):
        with village.client(role) as client:
            found[role] = walk(client, known)
    return found


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser. Each test opens contexts of its own, which share nothing."""
    held = sync_playwright().start()
    loop = asyncio.get_running_loop()
    browser = held.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
    yield browser
    asyncio._set_running_loop(loop)
    browser.close()
    held.stop()


@pytest.fixture(autouse=True)
def _one_loop_at_a_time(request: pytest.FixtureRequest) -> Iterator[None]:
    """Playwright's event loop seems to run as long as the browser is open: between its tests others run theirs."""
    if "chromium" in request.fixturenames:
        browser: Any = request.getfixturevalue("chromium")
        asyncio._set_running_loop(browser._loop)
    yield
    asyncio._set_running_loop(None)


@pytest.fixture
def browser_page(chromium: Browser, village: Village) -> Iterator[OpenPage]:
    """Opens pages, and closes them after the test."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def open_page(
        role: str | None = None,
        language: str = "zh",
        width: int = 1280,
        *,
        javascript: bool = True,
        of: Village | None = None,
        **more: Any,
    ) -> Page:
        there = of or village
        settings: dict[str, Any] = {
            "base_url": there.url,
            "java_script_enabled": javascript,
            "locale": LOCALES[language],
            "timezone_id": "Asia/Shanghai",
            "viewport": {"width": width, "height": HEIGHT},
        }
        context = chromium.new_context(**settings | more)
        contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        if role is not None:
            held = there.session(role)
            context.add_cookies([{"name": "huzhu", "value": held, "url": there.url, "httpOnly": True}])
        watch(context, wrong, there.url)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong, wrong


def watch(context: BrowserContext, wrong: list[str], base: str) -> None:
    """Note what no page may do: ask elsewhere, or fail in the browser's eyes."""
    context.on("request", lambda asked: wrong.append(f"asks {asked.url}") if is_foreign(asked.url, base) else None)
    context.on("weberror", lambda error: wrong.append(f"exception: {error.error}"))
    context.on("console", lambda said: wrong.append(f"{said.type}: {said.text}") if is_wrong(said.text) else None)


def is_foreign(url: str, base: str) -> bool:
    """Whether a request leaves the node."""
    return not url.startswith((f"{base}/", "data:", "blob:", "about:", "chrome-error:"))


def is_wrong(text: str) -> bool:
    """Whether a line of the browser's console tells of a broken page; a refused form's status (422) is none."""
    return "Content Security Policy" in text or "Content-Security-Policy" in text


@pytest.fixture
def shoot() -> Shoot:
    """Keeps a picture of the whole page; its language is the page's."""

    def shoot_page(page: Page, name: str) -> Path:
        SHOTS.mkdir(parents=True, exist_ok=True)
        language = (page.locator("html").get_attribute("lang") or "")[:2]
        path = SHOTS / f"{name}-{language}.png"
        page.screenshot(path=path, full_page=True)
        return path

    return shoot_page


@pytest.fixture
def check_axe() -> Check:
    """Fails where axe-core finds a violation of WCAG 2.2 AA on the page."""
    return check_page
