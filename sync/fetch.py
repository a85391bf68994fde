"""Asking another node over HTTP, when that node is not to be trusted with our time or memory.

    site = Site("https://township.example")
    raw = site.get("log/village.example/huzhu/checkpoint", CHECKPOINT_MAX_BYTES)
    answer = site.post("add-checkpoint", body, "application/octet-stream", 65_536)
    site.close()

What is bounded: the whole time of one request from the connection to the last byte, however slowly bytes come in; the
bytes that are read, and those that come out of a compressed answer, before memory is taken for them. A redirect is
refused, so that nobody is sent elsewhere with our token. What an answer says proves nothing: the caller checks it.

    FetchError           the site cannot be reached, breaks off, or answers what cannot be used; one sentence, which
                         also says what to do
    FileNotFoundError    status 404 or 410: the site says that it has no such thing
"""

import gzip
import io
import ssl
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from gettext import gettext as _
from typing import IO, Any, cast

import httpcore
import httpx
import zstandard

from chain.encoding import shown

TIMEOUT_SECONDS = 60.0
CONNECTIONS_MAX = 8
CONNECTION_IDLE_SECONDS = 30.0
ZSTD_WINDOW_MAX_BYTES = 8 * 1_048_576
"""What RFC 8878 asks every reader of HTTP to be ready for, and where a careful one stops."""

_PIECE_BYTES = 65_536
_FRAMING_MAX_BYTES = 65_536
"""By how much a compressed answer may be longer than what it holds."""
_FRAME_HEADER_MAX_BYTES = 18
_OK, _REDIRECTS, _MISSING = 200, range(300, 400), (404, 410)
_TOKEN_MAX_CHARACTERS = 4_096
_PORT_MAX = 65_535
_BROKEN = (
    *(httpx.HTTPError, httpx.InvalidURL, httpx.StreamError),
    *(httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol),
    UnicodeError,  # in a host's name
)


class FetchError(Exception):
    """A site did not give what was asked for. The text says which site, what happened, and what to do."""


class StatusError(FetchError):
    """A site answered ``get`` with a status that is no success."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """What a site answered to ``post``; the type is as it stands in the header, or empty."""

    status: int
    content_type: str
    body: bytes


class Site:
    """One base address. Keeps its connections open between requests; several threads may ask at once."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """``token`` is sent as a bearer token; ``timeout_seconds`` is the longest that one request may take in all.
        A ``transport`` in place of the network's must stream its answers (``content=iter([…])``).

        Raises FetchError for an address that is not http(s), or has a user, a query or a fragment in it.
        """
        self.url = _checked_address(url)
        self._timeout_seconds = timeout_seconds
        headers = {"Accept-Encoding": "zstd, gzip", "User-Agent": "huzhu"}
        if token is not None:
            headers["Authorization"] = f"Bearer {_checked_token(token)}"
        self._client = httpx.Client(
            headers=headers, transport=transport or _Transport(), trust_env=False, follow_redirects=False
        )

    def get(self, path: str, maximum_bytes: int, params: Mapping[str, str | int] | None = None) -> bytes:
        """The body under ``path``, at most ``maximum_bytes`` long.

        Raises FileNotFoundError where the site says that there is none, FetchError for everything else.
        """
        with self._asked("GET", path, params=params) as response:
            if response.status_code in _MISSING:
                _drain(response)
                raise FileNotFoundError(f"{self.url}/{path}")
            if response.status_code != _OK:
                text = _("{url} answers with status {status}: is the address right, and may you read there?")
                status = response.status_code
                raise StatusError(text.format(url=_shown_url(response), status=status), status)
            return _read_body(response, maximum_bytes)

    def post(self, path: str, body: bytes, content_type: str, maximum_bytes: int) -> Answer:
        """What the site answers, of whatever status, with at most ``maximum_bytes`` of body; raises FetchError."""
        with self._asked("POST", path, content=body, headers={"Content-Type": content_type}) as response:
            kind = response.headers.get("content-type", "")
            return Answer(response.status_code, kind, _read_body(response, maximum_bytes))

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    @contextmanager
    def _asked(self, method: str, path: str, **more: Any) -> Iterator[httpx.Response]:
        """The answer's head; whatever goes wrong up to the end of the block becomes one FetchError."""
        deadline = time.monotonic() + self._timeout_seconds
        timeout = httpx.Timeout(deadline, pool=self._timeout_seconds)
        try:
            with self._client.stream(method, f"{self.url}/{path}", timeout=timeout, **more) as response:
                if response.status_code in _REDIRECTS:
                    text = _("{url} redirects to {target}, which is not followed: write the right address")
                    target = shown(response.headers.get("location", ""))
                    raise FetchError(text.format(url=_shown_url(response), target=target))
                yield response
        except (httpx.TimeoutException, httpcore.TimeoutException) as error:
            text = _("{url} did not answer in full within {seconds} s: is it up, and is the line good? Try again later")
            raise FetchError(text.format(url=self.url, seconds=round(self._timeout_seconds))) from error
        except _BROKEN as error:
            text = _("{url} cannot be read ({why}): is it up, and is the address right?")
            raise FetchError(text.format(url=self.url, why=_reason(error))) from error


def _checked_address(url: str) -> str:
    """The address without the slashes at its end."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError) as error:
        text = _("{url} is not an address: {why}")
        raise FetchError(text.format(url=shown(url), why=_reason(error))) from error
    is_web = parsed.scheme in ("http", "https") and parsed.host and (parsed.port or 0) <= _PORT_MAX
    if not is_web or not url.isprintable():
        text = _("{url} is not an address that can be read: it begins with http:// or https:// and a host's name")
        raise FetchError(text.format(url=shown(url)))
    if parsed.userinfo or parsed.query or parsed.fragment or "?" in url or "#" in url:
        text = _("{url} may have no user, password, query or fragment: a token is given apart from the address")
        raise FetchError(text.format(url=shown(f"{parsed.scheme}://{parsed.host}")))
    return url.rstrip("/")


def _checked_token(token: str) -> str:
    if not (token.isascii() and token.isprintable() and 0 < len(token) <= _TOKEN_MAX_CHARACTERS and " " not in token):
        raise FetchError(_("the token is not one word of ASCII letters, digits and signs: copy it again"))
    return token


def _shown_url(response: httpx.Response) -> str:
    """The address that was asked, without what was asked: a query can name people."""
    return str(response.request.url.copy_with(query=None))


def _reason(error: Exception) -> str:
    """The error's own words on one line, from other people's libraries and servers."""
    return shown(" ".join(str(error).split()) or type(error).__name__)


def _drain(response: httpx.Response) -> None:
    """Read the page that says that there is nothing, so that the connection can be used again."""
    with suppress(_TooLongError):
        _read_all(_Wire(response.iter_raw(), _FRAMING_MAX_BYTES), _FRAMING_MAX_BYTES)


def _read_body(response: httpx.Response, maximum_bytes: int) -> bytes:
    """The body, decoded; a byte more than ``maximum_bytes`` ends it with FetchError."""
    wire = _Wire(response.iter_raw(), maximum_bytes + _FRAMING_MAX_BYTES)
    try:
        body = _decoded(wire, response, maximum_bytes)
    except _TooLongError:
        text = _("{url} sends more than the {most} bytes that such an answer may have: nothing of it was kept")
        raise FetchError(text.format(url=_shown_url(response), most=maximum_bytes)) from None
    except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
        text = _("{url} sends compressed bytes that do not open ({why}): try again, or tell whoever runs it")
        raise FetchError(text.format(url=_shown_url(response), why=_reason(error))) from error
    return body


def _decoded(wire: "_Wire", response: httpx.Response, maximum_bytes: int) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    match encoding:
        case "identity" | "":
            return _read_all(wire, maximum_bytes)
        case "gzip":
            return _read_all(cast(IO[bytes], gzip.GzipFile(fileobj=io.BufferedReader(wire))), maximum_bytes)
        case "zstd":
            return _read_zstd(wire, maximum_bytes)
    text = _("{url} sends its answer as {encoding}, which was not asked for: tell whoever runs it")
    raise FetchError(text.format(url=_shown_url(response), encoding=shown(encoding)))


def _read_zstd(wire: "_Wire", maximum_bytes: int) -> bytes:
    """One frame. Where its head says how much it holds, that is what it must hold: the library takes a cut one."""
    buffered = io.BufferedReader(wire)
    head = buffered.peek(_FRAME_HEADER_MAX_BYTES)
    said = zstandard.get_frame_parameters(head[:_FRAME_HEADER_MAX_BYTES]).content_size
    opener = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_MAX_BYTES)
    with opener.stream_reader(cast(IO[bytes], buffered), closefd=False) as reader:
        body = _read_all(reader, maximum_bytes)
    if said not in (len(body), zstandard.CONTENTSIZE_UNKNOWN):
        raise EOFError(f"{len(body)} bytes came of {said}")
    return body


def _read_all(file: Any, maximum_bytes: int) -> bytes:
    body = bytearray()
    while piece := file.read(min(_PIECE_BYTES, maximum_bytes + 1 - len(body))):
        body += piece
        if len(body) > maximum_bytes:
            raise _TooLongError
    return bytes(body)


class _TooLongError(Exception):
    """More bytes than were allowed."""


class _Wire(io.RawIOBase):
    """The bytes of a body as they come, as a file that may be ``most`` bytes long."""

    def __init__(self, pieces: Iterator[bytes], most: int) -> None:
        super().__init__()
        self._pieces = pieces
        self._left = most
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left -= len(piece)
            if self._left < 0:
                raise _TooLongError
            self._piece = memoryview(piece)
        size = min(len(buffer), len(self._piece))
        buffer[:size], self._piece = self._piece[:size], self._piece[size:]
        return size


class _Transport(httpx.BaseTransport):
    """Connections by ``httpcore``, whose timeouts are points in time: see ``_Stream``."""

    def __init__(self) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context(),  # the system's authorities, or those of SSL_CERT_FILE
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=CONNECTIONS_MAX,
            keepalive_expiry=CONNECTION_IDLE_SECONDS,
            network_backend=_Network(),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        response = self._pool.handle_request(
            httpcore.Request(
                request.method,
                target,
                headers=request.headers.raw,
                content=cast(Iterable[bytes], request.stream),
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_ResponseStream(response),
            extensions=response.extensions,
        )

    def close(self) -> None:
        self._pool.close()


class _ResponseStream(httpx.SyncByteStream):
    """A body on its way from one library to the other."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class _Network(httpcore.NetworkBackend):
    """Opens connections until a point in time."""

    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *more: Any, **named: Any) -> "_Stream":
        left = _seconds_left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._backend.connect_tcp(host, port, left, *more, **named))


class _Stream(httpcore.NetworkStream):
    """A connection. ``timeout`` of every call is the moment, by the monotonic clock, at which the request is over.

    The library gives each single read the same timeout: a duration would begin anew with every byte that a slow
    sender lets through, the moment does not.
    """

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _seconds_left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _seconds_left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> "_Stream":
        left = _seconds_left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _seconds_left(deadline: float | None, over: type[Exception]) -> float | None:
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise over
    return left
