"""Who is erased is erased from the request book too, in the same command."""

import datetime
from contextlib import closing
from pathlib import Path

from care.requestbook import REQUESTS_FILE, Profile, open_book
from care.requests import Request, Visit
from chain.fields import UTC
from store.home import Home
from tests.web.desk import ANNE, CLARA, DORA, PEOPLE, Desk

NINE = datetime.datetime(2025, 11, 23, 9, tzinfo=UTC)


def test_requests_are_erased_with_the_person(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.init()
    rows = [row | {"name": f"n{row['account']}"} for row in PEOPLE]
    desk("person", "import", desk.people(*rows), "--at", "2025-10-31T00:00:00Z")
    path, secret = desk.home / REQUESTS_FILE, Home(desk.home).people_secret(None)
    with closing(open_book(path, secret)) as book:
        asked = Request(
            id=0, recipients=(CLARA,), category="assistance", starts_at=NINE, minutes=60, requested_at=NINE
        )
        book.add(asked)
        other = Request(
            id=0,
            recipients=(DORA,),
            category="assistance",
            starts_at=NINE,
            minutes=60,
            requested_at=NINE,
            visits=(Visit(volunteer=ANNE),),
        )
        kept = book.add(other)
        book.put_profile(CLARA, Profile(is_resting=True))
    desk("person", "erase", CLARA, "--yes")
    with closing(open_book(path, secret)) as book:
        assert book.live() == [kept] and book.profiles() == {}
    assert CLARA.encode() not in path.read_bytes()
