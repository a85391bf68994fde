"""Static files: what the node writes is tlog-tiles to the byte, and what others serve is not believed."""

import functools
import http.server
import shutil
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chain.checkpoint import CHECKPOINT_MAX_BYTES, open_checkpoint
from chain.limits import ENTRY_MAX_BYTES
from chain.merkle import leaf_hash, root_of
from chain.note import parse_note, parse_vkey, verify_signature
from chain.tile import TileReader, format_bundle, parse_bundle
from ledger.bodies import Donate, Reverse
from store.log import MemoryStore, StoreError
from store.tiles import TileLedger, open_address, open_folder, write_tiles
from tests.chain.helpers import PUBLISHED, tile_files
from tests.verify.ledgers import (
    BOB,
    CLERK,
    MEMBER1,
    MEMBER2,
    ORIGIN,
    PINNED,
    TRUST,
    Forge,
    Ledger,
    audit,
    found,
    memory_store,
    village,
)
from verify.audit import LedgerReport, Trust, audit_ledger

SMALL = village()
PUBLISHED_LOG = PUBLISHED / "tile-log"
PUBLISHED_VKEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"


@functools.cache
def long_ledger() -> Ledger:
    """The sample's people, 280 donations of a minute in two sheets, one of them reversed, and a seal: three bundles."""
    forge = Forge(SMALL.entries[:16])
    for _ in range(2):
        forge.write(CLERK, [MEMBER1], *(Donate(giver=BOB, minutes=1) for _ in range(140)))
    forge.write(MEMBER1, [MEMBER2], Reverse(index=20, reason="twice"))
    forge.write(CLERK, [MEMBER1], *(Donate(giver=BOB, minutes=1) for _ in range(250)))
    forge.write(MEMBER1, [MEMBER2], Reverse(index=300, reason="twice"))
    forge.seal()
    forge.checkpoint()
    return forge.ledger(SMALL.checkpoints[:2])


SIZE = 16 + 280 + 1 + 250 + 1 + 1
LAST = SIZE - 1


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiles")
    assert write_tiles(memory_store(long_ledger()), folder) == SIZE
    return folder / ORIGIN


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "log"))


def report_of(folder: Path, trust: Trust = TRUST) -> LedgerReport:
    (ledger,) = open_folder(folder)
    return audit_ledger(ledger, trust)


# What the node writes


@pytest.mark.parametrize("ledger", [SMALL, long_ledger()], ids=["small", "long"])
def test_the_files_are_tlog_tiles_and_no_others(tmp_path: Path, ledger: Ledger) -> None:
    size, note = ledger.checkpoints[-1]
    write_tiles(memory_store(ledger), tmp_path)
    folder = tmp_path / ORIGIN
    written = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    assert written == tile_files(ledger.entries[:size]) | {"checkpoint": note}


def test_an_authenticating_reader_accepts_them(original: Path) -> None:
    checkpoint, _ = open_checkpoint((original / "checkpoint").read_bytes())
    reader = TileReader(lambda path: (original / path).read_bytes(), checkpoint.size, checkpoint.root)
    assert [raw for _, raw in reader.entries()] == list(long_ledger().entries)


def test_the_published_tile_log_is_written_byte_for_byte(tmp_path: Path) -> None:
    """Tessera's own log: from its entries alone come its tiles and bundles, at every size that it was kept at."""
    bundle = (PUBLISHED_LOG / "tile/entries/000.p/15").read_bytes()
    entries = parse_bundle(bundle)
    for size in range(1, 16):
        store = MemoryStore("example.com/log/testdata")
        store.append(entries[:size], [leaf_hash(raw) for raw in entries[:size]], {})
        store.put_checkpoint(size, (PUBLISHED_LOG / f"checkpoint.{size}").read_bytes())
        assert write_tiles(store, tmp_path / str(size)) == size
        written = tmp_path / str(size) / "example.com/log/testdata"
        for path in (f"tile/0/000.p/{size}", f"tile/entries/000.p/{size}"):
            assert (written / path).read_bytes() == (PUBLISHED_LOG / path).read_bytes()


def test_the_published_tile_log_is_read_as_far_as_it_is_a_log() -> None:
    """Its entries are none of ours; its root and the signature on it are good."""
    (ledger,) = open_folder(PUBLISHED_LOG)
    assert ledger.origin == "example.com/log/testdata"
    report = audit_ledger(ledger)
    (size, note) = next(ledger.checkpoints())
    assert size == report.size == 15 and report.root == open_checkpoint(note)[0].root
    assert report.finding_counts["entry.noncanonical"] == 15 and "checkpoint.root" not in report.finding_counts
    opened = parse_note(note)
    assert any(verify_signature(parse_vkey(PUBLISHED_VKEY), opened.text, line) for line in opened.signatures)


def test_written_again_after_growing(tmp_path: Path) -> None:
    """The old partial files stay, so that whoever holds the older checkpoint can go on reading."""
    store = memory_store(long_ledger().cut(16))
    write_tiles(store, tmp_path)
    write_tiles(memory_store(long_ledger()), tmp_path)
    (tmp_path / ORIGIN / "checkpoint").write_bytes(SMALL.checkpoints[1][1])
    report = report_of(tmp_path, Trust(PINNED))
    assert report.findings == [] and report.size == 16


def test_nothing_is_written_before_the_first_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nothing is sealed"):
        write_tiles(MemoryStore(ORIGIN), tmp_path)
    assert list(tmp_path.iterdir()) == []


# A folder that others made


def test_a_good_folder(folder: Path) -> None:
    report = report_of(folder)
    assert report.findings == [] and report.size == SIZE
    assert report == audit(long_ledger().with_checkpoints(long_ledger().checkpoints[-1:]))


def test_several_ledgers_below_one_folder(tmp_path: Path) -> None:
    write_tiles(memory_store(SMALL), tmp_path)
    shutil.copytree(PUBLISHED_LOG, tmp_path / "other")
    assert {ledger.origin for ledger in open_folder(tmp_path)} == {ORIGIN, "example.com/log/testdata"}


def test_a_full_bundle_in_place_of_a_partial_one_that_a_grown_log_has_deleted(folder: Path) -> None:
    """tlog-tiles lets a log do so; the entries beyond the checkpoint are not looked at."""
    partial = folder / f"tile/entries/002.p/{SIZE % 256}"
    entries = parse_bundle(partial.read_bytes())
    partial.unlink()
    (folder / "tile/entries/002").write_bytes(format_bundle([*entries, *[b"later"] * (256 - len(entries))]))
    assert report_of(folder).findings == []


@pytest.mark.parametrize(
    ("path", "size"), [("tile/entries/000", 0), ("tile/entries/001", 256), (f"tile/entries/002.p/{SIZE % 256}", 512)]
)
def test_a_bundle_is_missing_or_cannot_be_read(folder: Path, path: str, size: int) -> None:
    """The log ends there, short of what its checkpoint claims."""
    good = (folder / path).read_bytes()
    expected = ("log.truncated", size - 1 if size else None)
    cases: list[bytes | None] = [
        None,
        b"",
        good[:-1],
        good + b"\x00",
        struct.pack(">H", ENTRY_MAX_BYTES) + good,
        good + b"\x00\x01x" * 256,
    ]
    for raw in cases:
        (folder / path).unlink()
        if raw is not None:
            (folder / path).write_bytes(raw)
        report = report_of(folder)
        assert expected in found(report) and report.size == size, raw and raw[:20]
        (folder / path).write_bytes(good)
    (folder / path).unlink()
    (folder / path).mkdir()
    assert expected in found(report_of(folder))


def test_a_bundle_with_surplus_entries(folder: Path) -> None:
    path = folder / f"tile/entries/002.p/{SIZE % 256}"
    path.write_bytes(path.read_bytes() + format_bundle([b"surplus"]))
    assert ("log.truncated", 511) in found(report_of(folder))


def test_a_bundle_with_too_few_entries(folder: Path) -> None:
    """Found where the first one lacks."""
    path = folder / "tile/entries/001"
    path.write_bytes(format_bundle(parse_bundle(path.read_bytes())[:-5]))
    assert {("log.truncated", 507), ("log.truncated", 506)} == set(found(report_of(folder, Trust())))


def test_an_oversized_bundle_is_not_loaded(folder: Path) -> None:
    path = folder / "tile/entries/001"
    path.unlink()
    with path.open("wb") as file:
        file.truncate(2**40)
    assert ("log.truncated", 255) in found(report_of(folder))


def test_a_changed_byte_is_named_by_its_entry(folder: Path) -> None:
    path = folder / "tile/entries/001"
    entries = parse_bundle(path.read_bytes())
    entries[30] = entries[30].replace(b'"minutes":1', b'"minutes":2')
    path.write_bytes(format_bundle(entries))
    assert ("entry.signature", 286) in found(report_of(folder))


def test_the_hash_tiles_are_not_asked(folder: Path) -> None:
    """Every hash is computed: what a tile says can neither help nor harm."""
    shutil.rmtree(folder / "tile/0")
    assert report_of(folder).findings == []


@pytest.mark.parametrize(
    "raw", [b"", b"text\n", bytes(100), bytes(CHECKPOINT_MAX_BYTES + 1), b"no origin\n1\nAAAA\n\n"]
)
def test_a_folder_without_a_checkpoint_that_can_be_read(folder: Path, raw: bytes) -> None:
    (folder / "checkpoint").write_bytes(raw)
    with pytest.raises(StoreError, match="no checkpoint that can be read"):
        open_folder(folder)


def test_a_folder_without_any_checkpoint(folder: Path) -> None:
    (folder / "checkpoint").unlink()
    with pytest.raises(StoreError, match="no file named `checkpoint`"):
        open_folder(folder)
    (folder / "checkpoint").mkdir()
    with pytest.raises(StoreError, match="no file named `checkpoint`"):
        open_folder(folder)


def test_a_checkpoint_of_very_many_entries(folder: Path) -> None:
    """Costs nothing: the first bundle that is not there ends it."""
    note = (folder / "checkpoint").read_bytes()
    (folder / "checkpoint").write_bytes(note.replace(b"\n%d\n" % SIZE, b"\n%d\n" % (2**53 - 1), 1))
    assert ("log.truncated", 511) in found(report_of(folder))


# What the rules look up again


def test_a_bundle_that_is_another_the_second_time() -> None:
    """A reversal makes the audit read an old entry again: whoever then shows another is caught."""
    files = tile_files(long_ledger().entries) | {"checkpoint": long_ledger().checkpoints[-1][1]}
    entries = list(long_ledger().entries[:256])
    entries[20] = entries[21]
    lie = format_bundle(entries)
    answers: list[Callable[[], bytes]] = [lambda: lie, lambda: b"", lambda: format_bundle(entries[:5]), raising]
    for answer in answers:
        served: list[str] = []

        def fetch(path: str, _: int, answer: Callable[[], bytes] = answer, served: list[str] = served) -> bytes:
            served.append(path)
            return answer() if served.count("tile/entries/000") == 2 and path == "tile/entries/000" else files[path]

        with pytest.raises(StoreError, match="bundle 0") as caught:
            audit_ledger(TileLedger(fetch, "there"), TRUST)
        assert "second time" in str(caught.value)


def raising() -> bytes:
    raise OSError("gone")


def test_a_bundle_is_fetched_once_for_many_lookups() -> None:
    files = tile_files(long_ledger().entries) | {"checkpoint": long_ledger().checkpoints[-1][1]}
    served: list[str] = []

    def fetch(path: str, _: int) -> bytes:
        served.append(path)
        return files[path]

    ledger = TileLedger(fetch, "there")
    assert audit_ledger(ledger, TRUST).findings == []
    assert served.count("tile/entries/000") == 2
    assert [ledger.entry(index) for index in range(256, SIZE)] == list(long_ledger().entries[256:])
    assert served.count("tile/entries/001") == 2 and served.count(f"tile/entries/002.p/{SIZE % 256}") == 2


# The same behind an address


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine sends its requests through, it is not for its own address."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    yield from serving(functools.partial(_Quiet, directory=str(folder)))


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Whoever asks may hang up before the answer is through: so the audit does where there is too much of it."""


def serving(handler: Any) -> Iterator[str]:
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_good_address(address: str) -> None:
    for spelled in (address, address + "/"):
        (ledger,) = open_address(spelled)
        report = audit_ledger(ledger, TRUST)
        assert report.findings == [] and report.size == SIZE


def test_an_address_that_lacks_a_bundle(address: str, folder: Path) -> None:
    (ledger,) = open_address(address)
    (folder / "tile/entries/001").unlink()
    assert ("log.truncated", 255) in found(audit_ledger(ledger, TRUST))


def test_an_address_that_serves_an_oversized_bundle(address: str, folder: Path) -> None:
    with (folder / "tile/entries/001").open("r+b") as file:
        file.truncate(2**31)
    (ledger,) = open_address(address)
    assert ("log.truncated", 255) in found(audit_ledger(ledger, TRUST))


@pytest.mark.parametrize(
    "wrong", ["{}/nothing", "http://127.0.0.1:1", "http://[", "http://a b/", "ftp://127.0.0.1/x", "x"]
)
def test_an_address_without_a_ledger(address: str, wrong: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_address(wrong.format(address))
    assert "\n" not in str(caught.value)


ANSWERS = {
    "no-answer": b"",
    "no-http": b"hello\r\n\r\n",
    "bad-length": b"HTTP/1.1 200 OK\r\nContent-Length: minus\r\n\r\n",
    "cut-off": b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nvillage",
    "bad-chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nvillage",
    "long-line": b"HTTP/1.1 200 " + b"x" * 70_000 + b"\r\n\r\n",
    "many-headers": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",
    "error": b"HTTP/1.1 500 \x1b[31m\r\n\r\n",
    "redirected-in-a-circle": b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
    "redirected-to-a-file": b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_address_that_answers_anything(answer: bytes) -> None:
    """As the checkpoint: one sentence. As a bundle: the log ends there."""

    class Handler(_Quiet):
        def do_GET(self) -> None:
            self.wfile.write(answer)

    for address in serving(Handler):
        with pytest.raises(StoreError) as caught:
            open_address(address)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_address_that_answers_anything_for_a_bundle(folder: Path, answer: bytes) -> None:
    class Handler(_Quiet):
        def do_GET(self) -> None:
            if "entries/001" in self.path:
                self.wfile.write(answer)
            else:
                super().do_GET()

    for address in serving(functools.partial(Handler, directory=str(folder))):
        (ledger,) = open_address(address)
        assert ("log.truncated", 255) in found(audit_ledger(ledger, TRUST))


def test_the_root_that_the_files_make_is_the_checkpoint_s(original: Path) -> None:
    checkpoint, _ = open_checkpoint((original / "checkpoint").read_bytes())
    assert checkpoint.root == root_of([leaf_hash(raw) for raw in long_ledger().entries])
    assert checkpoint.size == SIZE == LAST + 1
