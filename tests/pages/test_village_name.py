"""What people call the village stands on its pages and papers, beside the ledger's name, and nowhere in the ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from store.home import Home
from tests.pages.village import Village, make_village, serving
from tests.web.desk import ORIGIN, Desk
from web.pages.paper_sheets import node_address

NAME = "六渡河村"
ADDRESS = "huzhu.liuduhe.example:8300"


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    """One that has a name."""
    made = make_village(tmp_path_factory.mktemp("named"))
    settings = made.home / "node.toml"
    settings.write_text(f'name = "{NAME}"\n{settings.read_text()}')
    with serving(made) as held:
        yield held


def test_init_writes_the_name_beside_the_origin(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.init("--origin", ORIGIN, "--name", NAME)
    settings = Home(desk.home).node_settings()
    assert (settings.origin, settings.name) == (ORIGIN, NAME)
    assert NAME.encode() not in (desk.home / "ledger.db").read_bytes()
    refused = Desk(tmp_path / "other")("init", "--origin", ORIGIN, "--name", "two\nlines", status=2)
    assert "--name" in refused.stderr and refused.stderr.count("\n") == 1


def test_pages_and_papers_show_it(village: Village) -> None:
    with village.client("member") as client:
        account = village.volunteers[0].account
        for path in ("/desk", "/about", "/paper/held", f"/paper/passbook/{account}"):
            page = client.get(path)
            assert page.status_code == 200 and NAME in page.text and ORIGIN in page.text, path
        board = client.get(f"/board/ledgers/{ORIGIN}").text
        assert f"<h1>{NAME} <small>{ORIGIN}</small></h1>" in board
    with village.client() as stranger:
        assert NAME in stranger.get("/sign-in").text


def test_a_slip_says_where_the_pages_are(village: Village) -> None:
    elder = village.elders[6].account
    with village.client("clerk") as client:
        form = client.get(f"/people/{elder}/sign-in").text
        token = form.partition('name="token" value="')[2].partition('"')[0]
        data = {"token": token, "name": elder}
        slip = client.post(f"/people/{elder}/sign-in", data=data, headers={"Host": ADDRESS})
        assert slip.status_code == 200 and f"<b>http://{ADDRESS}</b>" in slip.text and "<svg" in slip.text
        assert NAME in slip.text


@pytest.mark.parametrize("host", ["", "127.0.0.1:8300", "localhost", "[::1]:8300", "x/y", "a b", "user@x.example"])
def test_an_address_that_leads_nowhere_is_not_printed(host: str) -> None:
    assert node_address(host, is_secure=True) == ""
