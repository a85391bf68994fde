"""Every page there is, found as somebody would find it: by links, by forms, and by the routes of the application.

    routes(village)                              # all that pages are hung on: method and pattern
    walked = walk(client, routes)                # GET whatever can be reached; a few addresses of each pattern
    walked["/desk"].forms, walked["/desk"].links

A new area is walked without a line here, as soon as its router stands in ``web/pages/routers.py``.
"""

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, compile_path

from node import SharedNode
from store.home import Home
from tests.pages.village import Village
from web.service.assembly import assemble

EACH_MAX = 3
"""So many addresses of one pattern are visited."""
PRINTED = ".pdf"
"""Of what is laid out for the printer, which takes long, one address is enough."""
AWAY = ("/api/", "/log/", "/assets/", "/language")
"""Where no page is; or one that was visited just now."""
SAMPLES = {"index": "5", "number": "5", "id": "1", "draft": "1", "case": "1", "ledger": "liuduhe.example/huzhu"}
"""What stands in a pattern's parameter where no link names one; accounts are the village's."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a page is hung."""

    method: str
    pattern: str

    def matches(self, path: str) -> bool:
        """Whether it answers that path."""
        expression: re.Pattern[str] = compile_path(self.pattern)[0]
        return expression.match(path) is not None

    def sample(self, account: str) -> str:
        """A path of it."""
        return re.sub(r"\{(\w+)(:\w+)?\}", lambda found: SAMPLES.get(found[1], account), self.pattern)


@dataclass
class Field:
    """What a form has room for."""

    name: str
    type: str
    value: str = ""


@dataclass
class Form:
    """A form as it stands on a page."""

    method: str
    action: str
    fields: list[Field] = field(default_factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted({each.name for each in self.fields}))


@dataclass
class Found:
    """A page as it was answered."""

    path: str
    answer: httpx.Response
    links: list[str]
    forms: list[Form]

    @property
    def is_page(self) -> bool:
        return str(self.answer.headers.get("content-type", "")).startswith("text/html")


class Reader(HTMLParser):
    """Links and forms of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._field: Field | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in given:
            self.links.append(given["href"].partition("#")[0])
        elif tag == "form":
            self.forms.append(Form(given.get("method", "get").lower(), given.get("action", "")))
        elif self.forms and tag in ("input", "select", "textarea", "button") and given.get("name"):
            self._field = Field(given["name"], given.get("type", tag), given.get("value", ""))
            self.forms[-1].fields.append(self._field)
        elif tag == "option" and self._field is not None and (not self._field.value or "selected" in given):
            self._field.value = given.get("value", "")


def routes(village: Village) -> list[Route]:
    """All that the pages are hung on."""
    home = Home(village.home)
    parts = assemble(home, home.node_settings(), SharedNode(village.home), None, is_secure=False)
    with closing(parts.ledgers), closing(parts.guard._access):
        hung = [each for router in parts.routers for each in _flat(router.routes)]
        pages = [each for each in hung if each.__class__ is not APIRoute]
        return [Route(method, each.path) for each in pages for method in sorted(each.methods or ())]


def _flat(hung: Iterable[BaseRoute]) -> Iterator[APIRoute]:
    """The routes of a router and of those that it includes."""
    for each in hung:
        inner = getattr(each, "original_router", None)
        if inner is not None:
            yield from _flat(inner.routes)
        elif isinstance(each, APIRoute):
            yield each


def patterns(known: Sequence[Route], method: str = "GET") -> Iterator[Route]:
    """The routes of one method."""
    return (each for each in known if each.method == method)


def read(path: str, answer: httpx.Response) -> Found:
    """A page's links, to this node only and without their fragments, and its forms."""
    reader = Reader()
    if answer.headers.get("content-type", "").startswith("text/html"):
        reader.feed(answer.text)
    links = [urlsplit(urljoin(path, each)) for each in reader.links if each]
    local = [f"{each.path}{'?' if each.query else ''}{each.query}" for each in links if not each.netloc]
    for form in reader.forms:
        form.action = urljoin(path, form.action)
    return Found(path, answer, [each for each in local if each.startswith("/")], reader.forms)


def walk(client: httpx.Client, known: Sequence[Route], each_max: int = EACH_MAX) -> dict[str, Found]:
    """Everything that can be reached from the first page and from the routes that need no parameter."""
    waiting = deque(["/", *(each.pattern for each in patterns(known) if "{" not in each.pattern)])
    seen: dict[str, Found] = {}
    visits: Counter[str] = Counter()
    while waiting:
        path = waiting.popleft()
        pattern = pattern_of(path, known)
        most = each_max if PRINTED not in pattern else 1
        if path in seen or path.startswith(AWAY) or visits[pattern] >= most:
            continue
        visits[pattern] += 1
        seen[path] = found = read(path, client.get(path))
        target = found.answer.headers.get("location", "")
        waiting.extend([*found.links, *([target] if target.startswith("/") else [])])
    return seen


def pattern_of(path: str, known: Sequence[Route]) -> str:
    """Under which pattern a path is answered, with the names in its query."""
    bare, _question, query = path.partition("?")
    names = ",".join(sorted(part.partition("=")[0] for part in query.split("&")))
    pattern = next((each.pattern for each in patterns(known) if each.matches(bare)), bare)
    return pattern if pattern.endswith(PRINTED) else f"{pattern}?{names}"
