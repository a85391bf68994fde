"""Alarms marked as seen on the pages: by who oversees the node that raised them, with the effect of the command."""

import re
import time
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from store.access import Access
from store.mirror import MirrorStore
from tests.web.service.county import County
from tests.web.service.county import county as county_of
from web.access.secret import new_secret, secret_hash

HOUR_SECONDS = 3_600


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    with county_of(tmp_path_factory.mktemp("alarms-county")) as held:
        now, origin = int(time.time()), held.origin("county")
        with closing(Access(held.service.home / "access.db")) as access:
            for role in ("member", "clerk"):
                access.add_user(role, role, ledger=origin, account="", now=now)
        yield held


@pytest.fixture
def alarm(county: County) -> int:
    """One that nobody has looked at."""
    with closing(MirrorStore(county.service.home / "mirror.db")) as store:
        store.alarm(county.origin("v3"), "bad-files", f"{time.monotonic_ns()}", str, 1_770_000_000)
        return store.alarms()[0].id


def unseen(county: County) -> set[int]:
    with closing(MirrorStore(county.service.home / "mirror.db")) as store:
        return {each.id for each in store.alarms()}


def signed_in(county: County, user: str) -> httpx.Client:
    """Somebody's browser."""
    secret, now = new_secret(), int(time.time())
    with closing(Access(county.service.home / "access.db")) as access:
        found = access.user(user)
        assert found is not None
        until = now + HOUR_SECONDS
        access.open_session(found, secret_hash(secret), now=now, expires_seconds=until, password=found.password)
    headers = {"Accept-Language": "en", "Sec-Fetch-Site": "same-origin"}
    return httpx.Client(base_url=county.service.url, headers=headers, cookies={"huzhu": secret}, timeout=30)


def press(client: httpx.Client, path: str) -> httpx.Response:
    """The button of that form, with the token of some page."""
    token = re.search(r'name="token" value="([^"]+)"', client.get("/account").text)
    assert token is not None
    return client.post(path, data={"token": token[1]})


def test_a_supervisor_of_this_node_marks_it(county: County, alarm: int) -> None:
    path = f"/board/alarms/{alarm}/seen"
    page = f"/board/ledgers/{county.origin('v3')}"
    with signed_in(county, "county") as supervisor:
        assert f'action="{path}"' in supervisor.get(page).text
        assert supervisor.post(path, data={}).status_code == 403 and alarm in unseen(county)
        assert press(supervisor, path).headers["location"] == "/board"
        assert alarm not in unseen(county)
        assert "somebody has looked at this alarm" in supervisor.get("/board").text
        assert f'action="{path}"' not in supervisor.get(page).text


def test_a_member_marks_it_at_the_desk(county: County, alarm: int) -> None:
    path = f"/desk/node/alarms/{alarm}/seen"
    with signed_in(county, "member") as member, signed_in(county, "clerk") as clerk:
        assert f'action="{path}"' in member.get("/desk/node").text
        shown = clerk.get("/desk/node").text
        assert "serves other files than were signed" in shown and f'action="{path}"' not in shown
        assert press(clerk, path).status_code == 403 and alarm in unseen(county)
        assert press(member, path).headers["location"] == "/desk/node"
        assert alarm not in unseen(county)


@pytest.mark.parametrize("user", ["v3", "east", "auditor", "member"])
def test_others_look_and_do_not_put_it_away(county: County, alarm: int, user: str) -> None:
    """The supervisor of the very village it is about least of all."""
    path = f"/board/alarms/{alarm}/seen"
    with signed_in(county, user) as client:
        assert f'action="{path}"' not in client.get(f"/board/ledgers/{county.origin('v3')}").text
        assert press(client, path).status_code == 403
        assert press(client, f"/desk/node/alarms/{alarm}/seen").status_code == (303 if user == "member" else 403)
    assert (alarm in unseen(county)) == (user != "member")


@pytest.mark.parametrize("number", ["0", "-1", "999999", "9" * 30])
def test_there_is_no_such_alarm(county: County, number: str) -> None:
    with signed_in(county, "county") as supervisor:
        assert press(supervisor, f"/board/alarms/{number}/seen").status_code == 303
        assert "there is no alarm" in supervisor.get("/board").text
