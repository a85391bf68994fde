"""Connections: who is still sending reads why he was refused, and nobody has too many."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from tests.store.village import new_home
from tests.web.service.running import SECONDS, Running, running
from web.service import connection, run
from web.service.connection import ADDRESS_CONNECTIONS_MAX, REST_MAX_BYTES, TOO_LARGE, Crowd, Patient, place_of

REST = 200_000
"""More than a socket takes in at one go, and less than is dropped."""


@contextlib.contextmanager
def connected(service: Running) -> Iterator[socket.socket]:
    url = httpx.URL(service.url)
    with socket.create_connection((url.host, url.port or 0), SECONDS) as made:
        yield made


def head(path: str, length: int, *lines: str) -> bytes:
    more = "".join(f"{line}\r\n" for line in lines)
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{more}\r\n".encode()


def answer_of(made: socket.socket) -> bytes:
    """The answer's head, once the whole answer was read."""
    file = made.makefile("rb")
    told, length = file.readline(), 0
    while (line := file.readline()) not in (b"\r\n", b""):
        name, _colon, value = line.partition(b":")
        length = int(value) if name == b"content-length" else length
        told += line
    file.read(length)
    return told


JSON = "Content-Type: application/json"
WRONG = "Authorization: Bearer hz_wrong"


@pytest.mark.parametrize(
    "path, lines, status",
    [
        ("/api/v1/session", (JSON,), b" 413 "),
        ("/api/v1/entries", (JSON,), b" 401 "),
        ("/api/v1/entries", (JSON, WRONG), b" 401 "),
        ("/log/x/checkpoint", (), b" 405 "),
        ("/nowhere", (), b" 404 "),
    ],
)
@pytest.mark.parametrize("more", [(), ("Connection: close",)])
def test_who_is_still_sending_reads_why(
    service: Running, path: str, lines: tuple[str, ...], status: bytes, more: tuple[str, ...]
) -> None:
    with connected(service) as made:
        made.sendall(head(path, REST, *lines, *more) + bytes(REST // 2))
        told = answer_of(made)
        assert status in told and b"connection: close" in told
        made.sendall(bytes(REST // 2))
        assert made.recv(1) == b""


def test_who_has_sent_all_may_ask_again(service: Running) -> None:
    with connected(service) as made:
        for _again in range(2):
            made.sendall(head("/nowhere", 1) + b"x")
            told = answer_of(made)
            assert b" 404 " in told and b"connection: close" not in told


@pytest.mark.parametrize("path", ["/log/origins", "/api/v1/health", "/"])
@pytest.mark.parametrize(
    ("version", "hosts", "is_refused"),
    [("1.1", 0, True), ("1.1", 2, True), ("1.0", 2, True), ("1.1", 1, False), ("1.0", 0, False)],
)
def test_a_request_says_to_which_host_it_goes(
    service: Running, path: str, version: str, hosts: int, *, is_refused: bool
) -> None:
    with connected(service) as made:
        made.sendall(f"GET {path} HTTP/{version}\r\n{'Host: x' * bool(hosts)}".encode())
        made.sendall(b"\r\nHost: y" * (hosts - 1) + b"\r\n" * bool(hosts) + b"\r\n")
        told = answer_of(made)
        assert (b" 400 " in told) == is_refused


def test_who_sends_in_the_wrong_form_reads_why(service: Running) -> None:
    sign = f"Authorization: Bearer {service.tokens['clerk']}"
    with connected(service) as made:
        made.sendall(head("/api/v1/entries", REST, sign) + bytes(REST))
        assert b" 415 " in answer_of(made)


def test_what_is_dropped_is_bounded(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    with connected(service) as made:
        made.sendall(head("/nowhere", 10**9))
        assert b" 404 " in answer_of(made)
        with pytest.raises(ConnectionError):
            while True:
                made.sendall(bytes(REST_MAX_BYTES))
    monkeypatch.setattr(connection, "REST_SECONDS", 0.05)
    with connected(service) as made:
        made.sendall(head("/nowhere", REST))
        assert b" 404 " in answer_of(made)
        assert made.recv(1) == b""


CHUNKED = "POST /api/v1/entries HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{}\r\n\r\n2\r\n{{}}\r\n0\r\n"


def test_trailers_are_no_headers(service: Running) -> None:
    """A second Authorization would be one too many."""
    begun = CHUNKED.format(f"Authorization: Bearer {service.tokens['clerk']}\r\n{JSON}").encode()
    for trailer in (b"", f"{WRONG}\r\n".encode()):
        with connected(service) as made:
            made.sendall(begun + trailer + b"\r\n")
            assert b" 400 " in answer_of(made)


@pytest.mark.parametrize("line", [b"T: " + b"x" * 1_000 + b"\r\n", b"x" * 1_000])
def test_trailers_have_an_end(service: Running, line: bytes) -> None:
    with connected(service) as made:
        made.sendall(CHUNKED.format(f"Authorization: Bearer {service.tokens['clerk']}\r\n{JSON}").encode() + b"T: ")
        with pytest.raises(ConnectionError):
            for _endless in range(100_000):
                made.sendall(line)


def test_who_takes_in_nothing_of_the_last_is_cut_off_after_a_while() -> None:
    """The node's own buffer may hold what nobody reads: to close would wait for it without end."""
    held: Any = object.__new__(Patient)
    done: list[str] = []
    later: list[tuple[float, str]] = []
    held.transport = SimpleNamespace(close=lambda: done.append("close"), abort="abort")

    def call_later(seconds: float, call: str) -> str:
        later.append((seconds, call))
        return call

    held.loop = SimpleNamespace(call_later=call_later)
    held._end()
    held._end()
    assert done == ["close", "close"] and later == [(connection.WRITE_SECONDS, "abort")]


def test_heads_too_large_are_told_so(service: Running) -> None:
    with connected(service) as made:
        made.sendall(b"GET / HTTP/1.1\r\nx-long: " + b"x" * REST)
        assert made.recv(len(TOO_LARGE), socket.MSG_WAITALL) == TOO_LARGE


@pytest.mark.parametrize(
    "host, place",
    [
        ("127.0.0.1", None),
        ("::1", None),
        ("::ffff:127.0.0.1", None),
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "20010db800010002"),
        ("fe80::1%eth0", "fe80000000000000"),
    ],
)
def test_what_counts_as_one_address(host: str, place: str | None) -> None:
    assert place_of(host) == place


def test_one_address_does_not_take_all() -> None:
    crowd = Crowd()
    assert all(crowd.enter("192.0.2.7") for _ in range(ADDRESS_CONNECTIONS_MAX))
    assert not crowd.enter("192.0.2.7") and crowd.enter("192.0.2.8") and crowd.enter(None)
    crowd.leave("192.0.2.7")
    crowd.leave("192.0.2.7")
    assert crowd.enter("192.0.2.7")


def test_one_too_many_from_one_address_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "place_of", lambda _host: "one place")
    monkeypatch.setattr(connection, "ADDRESS_CONNECTIONS_MAX", 2)
    monkeypatch.setattr(connection, "REFUSED_AT_ONCE", 1)
    with running(new_home(tmp_path / "home"), {}) as held, contextlib.ExitStack() as opened:
        first, second = (opened.enter_context(connected(held)) for _ in range(2))
        for made in (first, second):
            made.sendall(b"GET /log/origins HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 200 " in answer_of(made)
        with connected(held) as third, connected(held) as fourth:
            assert b" 503 " in answer_of(third)
            with contextlib.suppress(ConnectionError):
                assert fourth.recv(1) == b""
        first.close()
        for _patience in range(200):
            with connected(held) as made, contextlib.suppress(ConnectionError):
                made.sendall(b"GET /log/origins HTTP/1.1\r\nHost: x\r\n\r\n")
                if b" 200 " in answer_of(made):
                    break
        else:
            pytest.fail("nobody is let in again")


def test_one_too_many_of_all_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "connections_max", lambda: 2)
    with running(new_home(tmp_path / "home"), {}) as held, contextlib.ExitStack() as opened:
        *_two, third = (opened.enter_context(connected(held)) for _ in range(3))
        assert b" 503 " in answer_of(third)
