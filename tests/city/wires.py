"""Network namespaces joined by wires that can be bad: cut, slow, lossy, out of order, saying things twice.

    with Wires(random.Random(7)) as wires:
        address = wires.add("east")                     # a namespace with a network card of its own
        wires.lines["east"] = Line(delay_seconds=0.05, jitter_seconds=0.1, loss=0.01, doubled=0.05)

Each node's card is a TAP device, and this process is the switch between them: it moves every frame itself, so that no
module of the kernel is needed for a bad line, and a line is as bad as a seed says. Frames whose delays differ overtake
each other. Needs root, iproute2 and /dev/net/tun. All namespaces are removed when the block ends.
"""

import ctypes
import fcntl
import heapq
import os
import random
import selectors
import signal
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

NETWORK = "10.77.0"
CARD = "line0"
FRAME_MAX_BYTES = 65_536
WAITING_MAX_FRAMES = 20_000
IDLE_SECONDS = 0.2
_CLONE_NEWNET = 0x4000_0000
_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x4004_54CA, 0x0002, 0x1000
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Line:
    """How a node's line is, in both directions; the chances are those of one frame."""

    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    loss: float = 0.0
    doubled: float = 0.0
    is_cut: bool = False


GOOD, CUT = Line(), Line(is_cut=True)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread, and what it opens, is in that namespace."""
    with Path("/proc/thread-self/ns/net").open("rb") as here, Path(f"/run/netns/{namespace}").open("rb") as there:
        _enter(there.fileno())
        try:
            yield
        finally:
            _enter(here.fileno())


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Wires:
    """The switch, with a namespace for each node."""

    def __init__(self, chance: random.Random) -> None:
        self.lines: dict[str, Line] = {}
        self.counts = {"frames": 0, "frames lost": 0, "frames doubled": 0, "frames late": 0}
        self._chance = chance
        self._prefix = f"hz{os.getpid() % 10_000:04d}{chance.randrange(256):02x}-"
        self._cards: dict[bytes, tuple[str, int]] = {}
        self._selector = selectors.DefaultSelector()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._move, name="wires")

    def __enter__(self) -> "Wires":
        self._thread.start()
        return self

    def __exit__(self, *_what: object) -> None:
        self._is_over.set()
        self._thread.join()
        for name, descriptor in self._cards.values():
            self.kill_all(name)
            os.close(descriptor)
            self._ip("netns", "del", self.namespace(name))
        self._selector.close()

    def namespace(self, name: str) -> str:
        return self._prefix + name

    def add(self, name: str) -> str:
        """A namespace for this node; its address."""
        number = len(self._cards) + 1
        address, mac = f"{NETWORK}.{number}", bytes((2, 0, 0, 0, 0, number))
        namespace = self.namespace(name)
        self._ip("netns", "add", namespace)
        with inside(namespace):
            descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            request = struct.pack("16sH22x", CARD.encode(), _IFF_TAP | _IFF_NO_PI)
            fcntl.ioctl(descriptor, _TUNSETIFF, request)
        self._cards[mac] = name, descriptor
        self.lines[name] = GOOD
        for words in (
            ("link", "set", CARD, "address", mac.hex(":"), "mtu", "9000", "up"),
            ("addr", "add", f"{address}/24", "dev", CARD),
            ("link", "set", "lo", "up"),
        ):
            self._ip("-n", namespace, *words)
        self._selector.register(descriptor, selectors.EVENT_READ, mac)
        return address

    def kill_all(self, name: str) -> None:
        """End every process in a namespace; this one is in none of them, but for threads of its own."""
        for pid in map(int, self._ip("netns", "pids", self.namespace(name)).split()):
            if pid != os.getpid():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def unplug(self, name: str) -> None:
        """The card itself goes down, so that its node knows."""
        self._ip("-n", self.namespace(name), "link", "set", CARD, "down")

    def plug(self, name: str) -> None:
        self._ip("-n", self.namespace(name), "link", "set", CARD, "up")

    def _ip(self, *words: str) -> str:
        done = subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
        return done.stdout

    # The switch

    def _move(self) -> None:
        """Take frames from each card, and hand them to others when it is time."""
        waiting: list[tuple[float, int, int, bytes]] = []
        number = 0
        while not self._is_over.is_set():
            pause = IDLE_SECONDS if not waiting else max(0.0, min(IDLE_SECONDS, waiting[0][0] - time.monotonic()))
            for key, _events in self._selector.select(pause):
                with suppress(OSError):
                    frame = os.read(key.fd, FRAME_MAX_BYTES)
                    for due, target in self._routes(key.data, frame):
                        number += 1
                        if len(waiting) < WAITING_MAX_FRAMES:
                            heapq.heappush(waiting, (due, number, target, frame))
            now = time.monotonic()
            while waiting and waiting[0][0] <= now:
                _due, _number, target, frame = heapq.heappop(waiting)
                with suppress(OSError):  # a card that is down
                    os.write(target, frame)

    def _routes(self, source: bytes, frame: bytes) -> Iterator[tuple[float, int]]:
        """When and to whom a frame goes, after what happens to it on its way."""
        target = frame[:6]
        sender = self._cards[source][0]
        for mac, (name, descriptor) in list(self._cards.items()):
            if mac != source and (target == mac or target[0] & 1):  # to it, or to all
                yield from ((due, descriptor) for due in self._arrivals(self.lines[sender], self.lines[name]))

    def _arrivals(self, *lines: Line) -> Iterator[float]:
        """No moment, one or two."""
        chance, now = self._chance.random, time.monotonic()
        self.counts["frames"] += 1
        if any(line.is_cut or (line.loss and chance() < line.loss) for line in lines):
            self.counts["frames lost"] += 1
            return
        copies = 1 + any(line.doubled and chance() < line.doubled for line in lines)
        self.counts["frames doubled"] += copies - 1
        for _copy in range(copies):
            late = sum(line.delay_seconds + line.jitter_seconds * chance() for line in lines)
            self.counts["frames late"] += late > 0
            yield now + late


def can_wire() -> str:
    """Why this machine cannot do it; empty where it can."""
    if os.geteuid() != 0:
        return "root is needed to make network namespaces"
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun"
    try:
        subprocess.run(["ip", "-V"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return "`ip` is missing: install iproute2"
    return ""
