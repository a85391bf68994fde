"""What a site may answer, and what becomes of it: the body, ``FileNotFoundError``, or one sentence."""

import gzip
import socket
import threading
import time
import zlib

import httpx
import pytest
import zstandard

from sync.fetch import FetchError, Site
from tests.sync.servers import Talk, raw_server, read_request, response, saying, saying_once

MOST = 1_000
TIMEOUT_SECONDS = 0.3
BOMB = bytes(100_000_000)
GZIP_BOMB, ZSTD_BOMB = gzip.compress(BOMB[:10_000_000]), zstandard.compress(BOMB)
WIDE = zstandard.ZstdCompressor(
    compression_params=zstandard.ZstdCompressionParameters(window_log=27, write_content_size=0)
).compressobj()
TEXT = b"thirty-two bytes of text, thrice " * 20


def got(talk: Talk, maximum_bytes: int = MOST, timeout_seconds: float = 5.0) -> bytes:
    with raw_server(talk) as url:
        site = Site(url, timeout_seconds=timeout_seconds)
        try:
            return site.get("log/x", maximum_bytes)
        finally:
            site.close()


def refused(talk: Talk, timeout_seconds: float = 5.0) -> str:
    with pytest.raises(FetchError) as caught:
        got(talk, timeout_seconds=timeout_seconds)
    (sentence,) = str(caught.value).splitlines()
    assert sentence.startswith("http://127.0.0.1:")
    return sentence


@pytest.mark.parametrize(
    ("headers", "encode"),
    [
        ((), bytes),
        (("Content-Encoding: identity",), bytes),
        (("Content-Encoding: gzip",), gzip.compress),
        (("Content-Encoding: GZIP",), lambda raw: gzip.compress(raw[:100]) + gzip.compress(raw[100:])),
        (("Content-Encoding: zstd",), zstandard.compress),
        (("Content-Encoding: zstd",), lambda raw: zstandard.ZstdCompressor(write_content_size=False).compress(raw)),
        (("X-Odd: \xff\xfe 互助", "Content-Type: \xe4"), bytes),
    ],
)
def test_body(headers: tuple[str, ...], encode: "object") -> None:
    assert callable(encode)
    assert got(saying(response(encode(TEXT), *headers))) == TEXT
    assert got(saying(response(encode(TEXT), *headers)), maximum_bytes=len(TEXT)) == TEXT


def test_a_body_without_a_length_ends_with_the_connection_or_its_last_chunk() -> None:
    assert got(saying_once(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + TEXT)) == TEXT
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert got(saying(chunked)) == b"abcde"


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_what_is_not_there(status: str) -> None:
    with pytest.raises(FileNotFoundError):
        got(saying(response(b"no such thing", status=status)))
    with pytest.raises(FileNotFoundError):
        got(saying_once(b"HTTP/1.1 %s\r\nConnection: close\r\n\r\n" % status.encode() + bytes(200_000)))


ODD = {
    "redirect": response(b"", "Location: http://elsewhere.example/", status="302 Found"),
    "redirect to nowhere": response(b"", status="301 Moved"),
    "redirect with odd bytes": response(b"", "Location: \xff\u202e", status="308 Moved"),
    "server's fault": response(b"oops", status="500 Internal Server Error"),
    "not for you": response(b"", status="401 Unauthorized"),
    "another success": response(b"x", status="206 Partial Content"),
    "a byte too many": response(bytes(MOST + 1)),
    "a length that lies low": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
    "a length beyond all": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n" + bytes(70_000),
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "a length that is no number": b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc",
    "cut off in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
    "chunks of no length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
    "no answer": b"",
    "no HTTP": b"\x15\x03\x01\x00\x02\x02\x50",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "a head without end": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000,
    "a status that is none": b"HTTP/1.1 abc OK\r\n\r\n",
    "gzip that is none": response(TEXT, "Content-Encoding: gzip"),
    "gzip cut off": response(gzip.compress(TEXT)[:-9], "Content-Encoding: gzip"),
    "gzip with another sum": response(gzip.compress(TEXT)[:-8] + bytes(8), "Content-Encoding: gzip"),
    "gzip bomb": response(GZIP_BOMB, "Content-Encoding: gzip"),
    "zstd that is none": response(TEXT, "Content-Encoding: zstd"),
    "zstd of nothing": response(b"", "Content-Encoding: zstd"),
    "zstd cut off": response(zstandard.compress(TEXT)[:-5], "Content-Encoding: zstd"),
    "zstd bomb": response(ZSTD_BOMB, "Content-Encoding: zstd"),
    "zstd that needs much memory": response(WIDE.compress(TEXT) + WIDE.flush(), "Content-Encoding: zstd"),
    "deflate": response(zlib.compress(TEXT), "Content-Encoding: deflate"),
    "an encoding twice": response(gzip.compress(gzip.compress(TEXT)), "Content-Encoding: gzip, gzip"),
}


@pytest.mark.parametrize("name", ODD)
def test_what_cannot_be_used_is_one_sentence(name: str) -> None:
    refused(saying_once(ODD[name]))


def test_an_endless_body_is_left_at_the_bound() -> None:
    sent = 0

    def talk(connection: socket.socket) -> None:
        nonlocal sent
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            sent += connection.send(bytes(65_536))

    assert "1000 bytes" in refused(talk)
    assert sent < 50_000_000


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"], ids=["head", "body"])
def test_bytes_that_drip_do_not_stretch_the_time(head: bytes) -> None:
    over = threading.Event()

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(head)
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"y" * 500:
            connection.sendall(bytes([byte]))
            if over.wait(0.01):
                return

    started = time.monotonic()
    try:
        assert "within 0 s" in refused(talk, timeout_seconds=TIMEOUT_SECONDS)
    finally:
        over.set()
    assert time.monotonic() - started < 3


def test_a_silent_site_and_one_that_does_not_read() -> None:
    over = threading.Event()

    def talk(_connection: socket.socket) -> None:
        over.wait(5)

    with raw_server(talk) as url:
        site = Site(url, timeout_seconds=TIMEOUT_SECONDS)
        for ask in (lambda: site.get("x", MOST), lambda: site.post("x", bytes(30_000_000), "text/plain", MOST)):
            with pytest.raises(FetchError, match="did not answer"):
                ask()
        site.close()
        over.set()


def test_nobody_listens() -> None:
    with raw_server(lambda _connection: None) as url:
        pass
    site = Site(url)
    with pytest.raises(FetchError, match="cannot be read"):
        site.get("x", MOST)
    site.close()


@pytest.mark.parametrize(
    "url",
    ["", "x", "ftp://x.example", "file:///etc/passwd", "http://", "https://user:secret@x.example", "http://x.example?a",
     "http://x.example/#a", "http://x.example:99999", "http://[::1", "http://x\n.example", "http://\udcff.example"],
)  # fmt: skip
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(FetchError) as caught:
        Site(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "é", "x" * 5_000])
def test_tokens_that_are_none(token: str) -> None:
    with pytest.raises(FetchError) as caught:
        Site("http://x.example", token=token)
    assert token[:3] not in str(caught.value) or not token.strip()


def test_what_is_sent_and_one_connection_for_many_requests() -> None:
    heard: list[bytes] = []
    connections = 0

    def talk(connection: socket.socket) -> None:
        nonlocal connections
        connections += 1
        while raw := read_request(connection):
            heard.append(raw)
            status = "404 Not Found" if b"missing" in raw else "409 Conflict"
            connection.sendall(response(b"7\n", "Content-Type: text/x.tlog.size", status=status))

    with raw_server(talk) as url:
        site = Site(f"{url}/base/", token="hz_secret")
        with pytest.raises(FileNotFoundError):
            site.get("missing", MOST, {"after": 3, "kind": "a b"})
        answer = site.post("add-checkpoint", b"body", "text/plain", 10)
        site.close()
    assert (answer.status, answer.content_type, answer.body) == (409, "text/x.tlog.size", b"7\n")
    assert heard[0].startswith(b"GET /base/missing?after=3&kind=a+b HTTP/1.1\r\n")
    assert heard[1].startswith(b"POST /base/add-checkpoint HTTP/1.1\r\n")
    assert heard[1].endswith(b"\r\n\r\nbody")
    assert all(b"authorization: bearer hz_secret" in raw.lower() for raw in heard)
    assert connections == 1


def test_a_sentence_does_not_repeat_what_was_asked_for() -> None:
    with raw_server(saying(response(b"", status="403 Forbidden"))) as url:
        site = Site(url)
        with pytest.raises(FetchError) as caught:
            site.get("api/v1/accounts", MOST, {"account": "12345676"})
        site.close()
    assert "12345676" not in str(caught.value)


def test_another_transport() -> None:
    streamed = httpx.MockTransport(lambda _request: httpx.Response(200, content=iter([b"a", b"bc"])))
    site = Site("http://x.example", transport=streamed)
    assert site.get("x", 3) == b"abc"
    with pytest.raises(FetchError, match="more than the 2 bytes"):
        site.get("x", 2)
    site.close()
