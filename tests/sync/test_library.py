"""What a parent's node may answer, and where a library ends."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from chain.limits import ADMISSIONS_MAX
from sync import library
from sync.fetch import FetchError, Site
from sync.library import Library, LibraryError, MirrorLibrary, Notice, SiteLibrary, format_cursor, parse_cursor
from tests.sync.servers import raw_server, read_request, response

TO = "village.example/huzhu"
Answer = Callable[[str], bytes]


@contextmanager
def asking(answer: Answer) -> Iterator[SiteLibrary]:
    """A library whose node answers each path with these bytes."""

    def talk(connection: socket.socket) -> None:
        while request := read_request(connection):
            connection.sendall(answer(request.split()[1].decode()))

    with raw_server(talk) as url, closing(Site(url)) as site:
        yield SiteLibrary(site)


def page(*indexes: int, ledger: str = "other.example") -> bytes:
    notices = [{"ledger": ledger, "index": each, "kind": "transfer_out"} for each in indexes]
    return response(json.dumps(notices).encode())


def test_pages_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "PAGE_NOTICES", 2)
    asked: list[str] = []

    def answer(path: str) -> bytes:
        asked.append(path.partition("after=")[2])
        return page(*range(len(asked) * 2, len(asked) * 2 + (2 if len(asked) < 3 else 1)))

    with asking(answer) as parent:
        assert [notice.index for notice in parent.notices(TO)] == [2, 3, 4, 5, 6]
    assert asked == ["", "other.example%3A3", "other.example%3A5"]


def test_a_list_without_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "PAGE_NOTICES", 2)
    monkeypatch.setattr(library, "PAGES_MAX", 5)
    count = iter(range(0, 1_000, 2))

    def answer(_path: str) -> bytes:
        first = next(count)
        return page(first, first + 1)

    with asking(answer) as parent:
        assert len(list(parent.notices(TO))) == 10
    with asking(lambda _path: page(1, 2)) as parent:
        assert len(list(parent.notices(TO))) == 4


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[1]",
        b'[{"ledger":"a.example","index":-1,"kind":"transfer_out"}]',
        b'[{"ledger":"a.example","index":1.5,"kind":"transfer_out"}]',
        b'[{"ledger":"a.example","index":9007199254740993,"kind":"transfer_out"}]',
        b'[{"ledger":"../../etc","index":1,"kind":"transfer_out"}]',
        b'[{"ledger":"a.example?x=1","index":1,"kind":"transfer_out"}]',
        b"\xff\xfe",
        b"[" * 50_000,
    ],
)
def test_lists_that_are_none(body: bytes) -> None:
    with asking(lambda _path: response(body)) as parent, pytest.raises(LibraryError, match=r"127\.0\.0\.1"):
        list(parent.notices(TO))


def test_lists_and_receipts_are_bounded() -> None:
    with asking(lambda _path: response(b" " * 2_000_000)) as parent:
        for ask in (lambda: list(parent.notices(TO)), lambda: [parent.receipt("a.example", 1)]):
            with pytest.raises(FetchError, match="more than"):
                ask()
    with asking(lambda _path: response(b" " * 20_000_000)) as parent, pytest.raises(FetchError, match="more than"):
        parent.admissions("a.example")


@pytest.mark.parametrize("body", [b"{}", b"[1]", b'["!"]', b'["YWJj","YQ"]', b"\xff", b'[""]'])
def test_admissions_that_are_none(body: bytes) -> None:
    with asking(lambda _path: response(body)) as parent, pytest.raises(LibraryError, match=r"admissions of a\.example"):
        parent.admissions("a.example")


def test_admissions() -> None:
    with asking(lambda _path: response(b'["YWJj"' + b',"YWJj"' * 20 + b"]")) as parent:
        assert parent.admissions("a.example/b") == [b"abc"] * ADMISSIONS_MAX
    with asking(lambda _path: response(b"", status="404 Not Found")) as parent:
        assert parent.admissions("a.example") == ()
        with pytest.raises(FileNotFoundError):
            parent.receipt("a.example", 1)


def test_a_mirror_is_read_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "PAGE_NOTICES", 2)
    rows: list[library.NoticeRow] = [("a.example", index, "transfer_out", None) for index in range(5)]

    class Rows:
        def transfers(self, to: str, after: tuple[str, int] | None, limit: int) -> list[library.NoticeRow]:
            assert to == TO
            start = 0 if after is None else after[1] + 1
            return rows[start : start + limit]

        def admissions(self, origin: str) -> list[tuple[str, int]]:
            return [(origin, 1)]

    def receipt(origin: str, index: int) -> bytes:
        if index > 1:
            raise IndexError(index)
        return origin.encode()

    mirror: Library = MirrorLibrary("mirror.db", Rows(), receipt)
    assert [notice.index for notice in mirror.notices(TO)] == [0, 1, 2, 3, 4]
    assert mirror.admissions("a.example") == [b"a.example"]
    with pytest.raises(FileNotFoundError):
        mirror.receipt("a.example", 2)


def test_cursors_go_there_and_back() -> None:
    assert parse_cursor(format_cursor("a.example/b", 17)) == ("a.example/b", 17)
    notice = Notice("a.example", 1, "transfer_out")
    assert parse_cursor(format_cursor(notice.ledger, notice.index)) == ("a.example", 1)
