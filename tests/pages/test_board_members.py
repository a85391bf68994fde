"""A village without a tier above: its members look into what is unusual and decide, and nobody else gets further."""

import re
from collections.abc import Iterator

import httpx
import pytest

from node import Node
from tests.pages.board_village import FRAUD, make_board_village
from tests.pages.village import ORIGIN, Village, serving

LEDGER = f"/board/ledgers/{ORIGIN}"
SUSPICION = f"{LEDGER}/suspicions/0"
PATHS = ("/board", "/board/ledgers", "/board/suspicions", "/board/trends", "/board/risk", LEDGER, SUSPICION)


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    """One that names no tier above, as the set-up makes it where nobody fills that in."""
    with serving(make_board_village(tmp_path_factory.mktemp("alone"), has_township=False)) as held:
        yield held


def send(client: httpx.Client, path: str, **fields: str) -> str:
    """Fill the form on a page in; the page that comes then."""
    page = client.get(path).text
    found = re.search(r'name="token" value="([^"]+)"', page)
    about = re.search(r'name="about" value="([^"]+)"', page)
    assert found is not None
    data = {"token": found[1], **({} if about is None else {"about": about[1]}), **fields}
    answer = client.post(path, data=data)
    assert answer.status_code == 303, answer.text
    return client.get(answer.headers["location"]).text


def certify(client: httpx.Client) -> str:
    """Sign all that waits."""
    page = client.get("/desk/certify").text
    drafts = re.findall(r'name="draft" value="([0-9]+)"', page)
    assert len(drafts) == 1
    return send(client, "/desk/certify", draft=drafts[0], act="sign")


def test_others_get_no_further(village: Village) -> None:
    for role in ("clerk", "person"):
        with village.client(role) as client:
            assert {client.get(path).status_code for path in PATHS} == {403}
            assert client.post(SUSPICION).status_code == 403
            assert 'href="/board' not in client.get("/desk").text
    with village.client("li") as client:
        page = client.get(SUSPICION).text
        assert "No tier is above this ledger" in page and "official-1.pem" not in page
    with village.client("member") as client:
        assert client.get("/board/ledgers/bohai.example/huzhu").status_code in (403, 404)
        assert client.get("/board/alarms/1/evidence").status_code == 403


def test_members_find_close_and_suspend(village: Village) -> None:
    with village.client("member") as first, village.client("second") as second:
        assert {first.get(path).status_code for path in PATHS} == {200}
        board = first.get("/board").text
        assert "suspicions that nobody has looked into" in board
        assert "percent of the services of the last three months rest on paper alone" in board
        desk = first.get("/desk").text
        assert 'href="/board"' in desk and "matters to look into, on the board" in desk
        opened = send(first, SUSPICION, note="in two places")
        case = re.search(rf"{LEDGER}/cases/[0-9]+", opened)
        assert case is not None and "No step here says that the person was heard" in first.get(case[0]).text
        send(first, case[0], act="step", step="hear", note="says nothing")
        assert "No step here says" not in first.get(case[0]).text
        assert "other members sign it now" in send(
            first, case[0], act="close", outcome="upheld", closing="at two places at one time"
        )
        assert "has proposed" in second.get("/board").text
        certify(second)
        board = first.get("/board").text
        assert "the members impose a sanction, or say why none" in board
        send(second, case[0], act="sanction", measure="suspend")
        certify(first)
        entry = first.get(f"{LEDGER}/entries/{case[0].rpartition('/')[2]}").text
        assert re.search(r'member <span class="code">[0-9a-f]{16}', entry)
    with Node.open(village.home, writes=False) as node:
        assert node.state.accounts[FRAUD].suspensions
