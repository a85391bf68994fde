"""One client's connection: uvicorn's protocol, with bounds on what a stranger may cost.

Nobody is waited for without end: a request's head has its bytes and its time, and so has whoever does not take in what
he is sent. One address may have only so many connections, as may all together; who is one too many reads so (503).

What stands behind a chunked body (trailers) is no header of the request, and is dropped.

An answer that comes before the whole request has, a refusal mostly, is to be read by somebody who is still sending. To
close on him would throw away what is on its way to him, so the rest of the request is dropped up to a bound; and the
answer says that the connection ends.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_MAX_BYTES = 32_768
HEAD_SECONDS = 15.0
"""How long a connection may be idle, and a request's first line and headers may take to come."""
WRITE_SECONDS = 60.0
"""How long a client may take in nothing of what it is sent, also of the last of it."""
REST_MAX_BYTES, REST_SECONDS = 262_144, 2.0
"""So much of a request is still read, for so long, after it was answered."""
ADDRESS_CONNECTIONS_MAX = 256
"""Connections of one address; a whole office or village may stand behind it."""
HOUSEHOLD_BITS = 64
REFUSED_AT_ONCE = 64
"""So many who are one too many are told so at the same time; others are cut off."""
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
TOO_MANY = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 10\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Crowd:
    """Who is connected to one server: how many from each place, and how many who are told to go."""

    def __init__(self) -> None:
        self._places: Counter[str] = Counter()
        self.refused = 0

    def enter(self, place: str | None) -> bool:
        """Count one more; whether there may be so many from that place."""
        if place is None:
            return True
        self._places[place] += 1
        return self._places[place] <= ADDRESS_CONNECTIONS_MAX

    def leave(self, place: str | None) -> None:
        """One less."""
        if place is None:
            return
        self._places[place] -= 1
        if not self._places[place]:
            del self._places[place]


def place_of(host: str) -> str | None:
    """What counts as one address: of IPv6 the /64 that a household is given; None for this machine, as for a proxy."""
    address = ip_address(host)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return None
    return f"{int(address) >> HOUSEHOLD_BITS:016x}" if isinstance(address, IPv6Address) else str(address)


class Patient(HttpToolsProtocol):
    """uvicorn's protocol, which waits for nobody for ever, and lets its answers arrive."""

    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _ending: asyncio.TimerHandle | None = None
    _place: str | None = None
    _is_in_head = True
    _head_bytes = 0
    _odd_bytes = 0
    """How much came behind the head since the body's last byte."""
    _is_whole = True
    """Whether all has come of the request that is being answered."""
    _may_stay = True
    """Whether the connection goes on after an answer to a whole request."""
    _rest_bytes: int | None = None
    """How much more is dropped of a request that was answered, before the connection ends."""
    _is_refused = False
    """Whether nothing more of it is looked at."""

    def __init__(self, *settings: Any, crowd: Crowd, **named: Any) -> None:
        super().__init__(*settings, **named)
        self._crowd = crowd

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._begin_head()
        self._place = None if self.client is None else place_of(self.client[0])
        is_welcome = self._crowd.enter(self._place)
        if not is_welcome or (self.limit_concurrency is not None and len(self.connections) > self.limit_concurrency):
            self._turn_away()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._timer, self._stalled, self._ending):
            if timer is not None:
                timer.cancel()
        self._crowd.leave(self._place)
        self._crowd.refused -= self._is_refused
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._rest_bytes is not None:
            self._rest_bytes -= len(data)
            if self._rest_bytes < 0:
                self._end()
                return
        if self._is_refused:
            return
        was_in_head = self._is_in_head
        self._odd_bytes += len(data)
        super().data_received(data)
        if not self._is_whole and not was_in_head and self._odd_bytes > HEAD_MAX_BYTES:
            self.transport.abort()
        if not (was_in_head and self._is_in_head) or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_MAX_BYTES:
            self._refuse(TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begin_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_in_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        self._odd_bytes = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        self._is_in_head = self._is_whole = False
        self._odd_bytes = 0
        if self._timer is not None:
            self._timer.cancel()
        super().on_headers_complete()
        answering: Any = _Answering(self.transport, self.cycle, self._hang_up)
        self.cycle.transport = answering
        self._may_stay, self.cycle.keep_alive = self.cycle.keep_alive, False

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._is_whole = True
        if self._rest_bytes is not None:
            self._end()
        elif not self.cycle.response_started:
            self.cycle.keep_alive = self._may_stay

    def on_response_complete(self) -> None:
        is_last = not self.pipeline
        super().on_response_complete()
        if is_last and self._is_whole and not self.transport.is_closing():
            self._begin_head()

    def shutdown(self) -> None:
        self._may_stay = False
        super().shutdown()
        if self.transport.is_closing():
            self._end()

    def timeout_keep_alive_handler(self) -> None:
        self._end()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(WRITE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
        super().resume_writing()

    def _begin_head(self) -> None:
        self._is_in_head, self._head_bytes = True, 0
        self._wait(HEAD_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if self._is_in_head:
            self._end()

    def _turn_away(self) -> None:
        """One connection too many."""
        self.connections.discard(self)
        if self._crowd.refused < REFUSED_AT_ONCE:
            self._refuse(TOO_MANY)
        else:
            self.transport.abort()

    def _refuse(self, answer: bytes) -> None:
        """Answer what came before anybody looked at it, and look at nothing more."""
        self._is_refused = True
        self._crowd.refused += 1
        self.transport.write(answer)
        self._drop_rest()

    def _hang_up(self) -> None:
        """End the connection with the answer that was given."""
        if self._is_whole:
            self._end()
        else:
            self._drop_rest()

    def _end(self) -> None:
        """Close the connection when all is sent, or after a while in which not all is taken in."""
        self.transport.close()
        if self._ending is None:
            self._ending = self.loop.call_later(WRITE_SECONDS, self.transport.abort)

    def _drop_rest(self) -> None:
        """Read on for a while, for the sake of who must send before he reads."""
        if self._rest_bytes is None:
            self._rest_bytes = REST_MAX_BYTES
            self._is_in_head = False
            self._wait(REST_SECONDS, self._end)

    def _wait(self, seconds: float, do: Callable[[], None]) -> None:
        """In place of what was waited for."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, do)


class _Answering:
    """The transport as it is given to the answer to one request.

    The answer's head travels with the beginning of its body, in one packet; and it ends as the connection wants to.
    """

    def __init__(self, transport: asyncio.Transport, cycle: RequestResponseCycle, end: Callable[[], None]) -> None:
        self.is_closing = transport.is_closing
        self._write, self._cycle, self._end = transport.write, cycle, end
        self._head: bytes | None = b"" if cycle.scope["method"] == "HEAD" else None
        """None before there is one, and empty once it is sent."""

    def write(self, data: bytes) -> None:
        if self._head is None and self._cycle.response_started:
            self._head = data
            return
        if self._head:
            data, self._head = self._head + data, b""
        if not self.is_closing():
            self._write(data)

    def close(self) -> None:
        if self._head:
            self.write(b"")
        self._end()
