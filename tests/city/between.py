"""Somebody on the line between two nodes, who passes on, changes, holds back or makes up what they say.

    with between(place.url, lies) as url:        # a node that asks ``url`` hears what ``lies`` makes of the answers
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

PIECE = bytes(65_536)
GIGABYTES_10 = 10 * 2**30
ANSWER_SECONDS = 60.0
KEPT = ("authorization", "content-type", "accept")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent for one request; with ``claimed`` another length than the body's stands in its head."""

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    claimed: int | None = None
    endless: bytes = b""
    """Sent over and over after the body, until the other side hangs up."""
    drips_seconds: float = 0.0
    """Between one byte and the next."""


HANG_UP = Answer(claimed=1_000)
"""The head of an answer, and then nothing."""

Lies = Callable[[str, Answer], Answer]
"""From the path with its query and the true answer to what is sent."""


def changing(lies: dict[str, Callable[[bytes], bytes] | Answer]) -> Lies:
    """Lies for some paths: those in which a key occurs. True otherwise."""

    def lie(path: str, true: Answer) -> Answer:
        for key, what in lies.items():
            if key in path:
                return what if isinstance(what, Answer) else Answer(what(true.body), true.status, true.headers)
        return true

    return lie


@contextmanager
def between(url: str, lies: Lies, *, twice: bool = False, host: str = "127.0.0.1") -> Iterator[str]:
    """Its address. ``twice``: each request reaches the node twice, the second answer is passed on."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def handle(self) -> None:
            with suppress(OSError):  # whoever asked has hung up
                super().handle()

        def do_GET(self) -> None:
            self._pass_on(b"")

        def do_POST(self) -> None:
            self._pass_on(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

        def _pass_on(self, body: bytes) -> None:
            self._send(lies(self.path, self._ask(body)))

        def _ask(self, body: bytes) -> Answer:
            headers = {name: value for name, value in self.headers.items() if name.lower() in KEPT}
            try:
                with httpx.Client(timeout=ANSWER_SECONDS, trust_env=False) as client:
                    for _time in range(1 + twice):
                        found = client.request(self.command, url + self.path, content=body, headers=headers)
            except httpx.HTTPError:
                return Answer(status=502)
            return Answer(found.content, found.status_code, (("Content-Type", found.headers.get("content-type", "")),))

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            length = len(answer.body) if answer.claimed is None else answer.claimed
            if not answer.endless or answer.claimed is not None:
                self.send_header("Content-Length", str(length))
            self.close_connection = bool(answer.endless or answer.claimed is not None)
            self.end_headers()
            if answer.drips_seconds:
                for place in range(len(answer.body)):
                    self.wfile.write(answer.body[place : place + 1])
                    self.wfile.flush()
                    if over.wait(answer.drips_seconds):
                        return
            else:
                self.wfile.write(answer.body)
            while answer.endless and not over.is_set():
                self.wfile.write(answer.endless)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((host, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://{host}:{server.server_address[1]}"
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()
