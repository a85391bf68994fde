"""What the tests of the pages of people share: forms filled in by a browser without a window."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from tests.pages.village import Village, make_village, serving

TOKEN = re.compile(r'name="token" value="([^"]+)"')
HAN = {
    "name": "仇单解",
    "born": "1950-03-04",
    "phone": "139 1234 6789",
    "address": "六渡河村 99 号",
    "languages": "普通话、客家话",
    "elder": "1",
}
"""Somebody new."""


@pytest.fixture(scope="session")
def own_village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    """A village whose people may be changed and erased."""
    with serving(make_village(tmp_path_factory.mktemp("people"))) as held:
        yield held


def send(
    village: Village, user: str, page: str, fields: Mapping[str, Any], to: str = "", **more: Any
) -> httpx.Response:
    """Fill in the form of a page and send it, to another address where one is named; answers the last page."""
    with village.client(user, follow_redirects=True, **more) as client:
        shown = client.get(page)
        assert shown.status_code == 200, shown.text
        token = TOKEN.search(shown.text)
        assert token is not None, page
        return client.post(to or page, data={"token": token[1], **fields})


def look(village: Village, user: str, page: str, **more: Any) -> str:
    """A page's text."""
    with village.client(user, **more) as client:
        shown = client.get(page)
        assert shown.status_code == 200, shown.text
        return shown.text


def drafts(village: Village, user: str) -> list[str]:
    """The numbers of what waits."""
    return re.findall(r'name="draft" value="([0-9]+)"', look(village, user, "/desk/certify"))


def certify(village: Village, user: str = "member") -> httpx.Response:
    """Sign all that waits."""
    return send(village, user, "/desk/certify", {"act": "sign", "draft": drafts(village, user)})


def find(village: Village, typed: str) -> list[str]:
    """The numbers of whom a clerk finds."""
    with village.client("clerk") as client:
        answer = client.post("/people/find", data={"q": typed})
        assert answer.status_code == 200, answer.text
        return [one["account"] for one in answer.json()["found"]]


def opened(village: Village, fields: Mapping[str, str] = HAN) -> str:
    """An account that was proposed and certified; answers its number."""
    answer = send(village, "clerk", "/people/open", fields)
    assert answer.status_code == 200, answer.text
    number = answer.url.path.rpartition("/")[2]
    done = certify(village)
    assert done.status_code == 200, done.text
    return number
