"""The log as static files, as any reader of C2SP tile logs asks for it."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import zstandard

from chain.checkpoint import open_checkpoint
from chain.tile import BUNDLE_MAX_BYTES, TileReader, format_bundle
from node import Node
from tests.store.village import ORIGIN, donation
from tests.web.service.running import Running, fresh_home, running
from web.service.log import GZIP, ZSTD, _taken

FOR_EVER = "public, max-age=31536000, immutable"


def fetch(service: Running, path: str, **headers: str) -> httpx.Response:
    return service.get(f"/log/{ORIGIN}/{path}", None, headers=headers)


@pytest.fixture(scope="module")
def long_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 entries under a checkpoint, and three that no checkpoint covers."""
    home, tokens = fresh_home(tmp_path_factory.mktemp("log") / "home")
    with running(home, tokens) as held:
        for count in (300, 300):
            assert held.post(held.sheet([donation(1)] * count)).status_code == 200
        held.seal()
        assert held.post(held.sheet([donation(1)] * 3)).status_code == 200
    return home


@pytest.fixture(scope="module")
def whole(long_log: Path) -> Iterator[Running]:
    with running(long_log, {}) as held:
        yield held


def test_a_reader_of_tile_logs_gets_the_whole_log(whole: Running) -> None:
    note = fetch(whole, "checkpoint")
    assert note.headers["content-type"] == "text/plain; charset=utf-8"
    checkpoint, _note = open_checkpoint(note.content)

    def read(path: str) -> bytes:
        answer = fetch(whole, path)
        if answer.status_code == 404:
            raise FileNotFoundError(path)
        assert answer.status_code == 200 and len(answer.content) < BUNDLE_MAX_BYTES
        assert answer.headers["cache-control"] == FOR_EVER
        assert answer.headers["content-type"] == "application/octet-stream"
        return answer.content

    found = [raw for _index, raw in TileReader(read, checkpoint.size, checkpoint.root).entries()]
    with Node.open(whole.home, writes=False) as node:
        assert found == list(node.store.entries(0, checkpoint.size))
        assert node.store.size == checkpoint.size + 3


@pytest.mark.parametrize("width", [1, 7, 100])
def test_parts_of_any_width_that_there_ever_was(whole: Running, width: int) -> None:
    with Node.open(whole.home, writes=False) as node:
        entries = list(node.store.entries(512, 512 + width))
    assert fetch(whole, f"tile/entries/002.p/{width}").content == format_bundle(entries)
    assert len(fetch(whole, f"tile/0/002.p/{width}").content) == 32 * width
    assert fetch(whole, "tile/1/000.p/2").status_code == fetch(whole, "tile/1/000.p/1").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        *("tile/0/002", "tile/entries/002", "tile/entries/002.p/110", "tile/0/002.p/200", "tile/1/000.p/3"),
        *("tile/0/003", "tile/2/000.p/1", "tile/64/000", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/0", "tile/"),
        *("tile/0/x000/000", "tile/0/999999999999999999999", "tile/x", "checkpoint/", "origins", ""),
    ],
)
def test_what_is_not_there_is_a_problem(whole: Running, path: str) -> None:
    answer = fetch(whole, path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:huzhu:problem:no-file"


def test_only_logs_that_are_here(whole: Running) -> None:
    assert whole.get("/log/origins", None).text == f"{ORIGIN}\n"
    for origin in ("other.example/huzhu", "", "x" * 1_000):
        assert whole.get(f"/log/{origin}/checkpoint", None).status_code == 404


def test_compressed_for_whoever_takes_it(whole: Running) -> None:
    plain = fetch(whole, "tile/entries/001", **{"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers and plain.headers["vary"] == "accept-encoding"
    with whole.client(None) as client:
        for encoding, undo in (("gzip", gzip.decompress), ("zstd", zstandard.decompress)):
            path, headers = f"/log/{ORIGIN}/tile/entries/001", {"accept-encoding": encoding}
            request = client.build_request("GET", path, headers=headers)
            answer = client.send(request, stream=True)
            raw = b"".join(answer.iter_raw())
            answer.close()
            assert answer.headers["content-encoding"] == encoding
            assert len(raw) < len(plain.content) / 2
            assert undo(raw) == plain.content
    assert "content-encoding" not in fetch(whole, "tile/0/000").headers


def test_heads_and_conditions(whole: Running) -> None:
    for path in ("checkpoint", "tile/0/000", "tile/entries/000"):
        answer = fetch(whole, path, **{"accept-encoding": "identity"})
        with whole.client(None) as client:
            head = client.head(f"/log/{ORIGIN}/{path}", headers={"accept-encoding": "identity"})
            again = client.get(f"/log/{ORIGIN}/{path}", headers={"if-none-match": answer.headers["etag"]})
            other = client.get(f"/log/{ORIGIN}/{path}", headers={"if-none-match": '"other"'})
        assert head.content == b"" and head.headers["content-length"] == str(len(answer.content))
        assert again.status_code == 304 and again.content == b""
        assert other.content == answer.content
    with whole.client(None) as client:
        refused = client.post(f"/log/{ORIGIN}/checkpoint")
    assert refused.status_code == 405 and refused.headers["allow"] == "GET, HEAD"


def test_each_encoding_has_its_own_tag(whole: Running) -> None:
    path = "tile/entries/001"
    found = {
        encoding: fetch(whole, path, **{"accept-encoding": encoding}) for encoding in ("identity", "gzip", "zstd")
    }
    tags = {encoding: answer.headers["etag"] for encoding, answer in found.items()}
    assert len(set(tags.values())) == 3
    assert all(answer.headers["vary"] == "accept-encoding" for answer in found.values())
    for takes, has, status, held in (
        ("gzip", "gzip", 304, "gzip"),
        ("zstd", "gzip", 200, "zstd"),
        ("gzip, zstd", "gzip", 304, "gzip"),
        ("identity", "gzip", 200, "identity"),
        ("gzip", "identity", 304, "identity"),
    ):
        listed = f'"other", W/{tags[has]}'
        answer = fetch(whole, path, **{"accept-encoding": takes, "if-none-match": listed})
        assert (answer.status_code, answer.headers["etag"]) == (status, tags[held]), (takes, has)
        assert answer.headers["vary"] == "accept-encoding"
    everything = fetch(whole, path, **{"accept-encoding": "gzip", "if-none-match": "*"})
    assert (everything.status_code, everything.headers["etag"]) == (304, tags["gzip"])


def test_a_checkpoint_is_new_after_a_seal(service: Running) -> None:
    before = fetch(service, "checkpoint")
    service.seal()
    after = fetch(service, "checkpoint", **{"if-none-match": before.headers["etag"]})
    assert after.status_code == 200 and after.content != before.content
    assert "immutable" not in after.headers["cache-control"]


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [(b"gzip", True), (b"br, GZIP;q=0.5", True), (b"gzip;q=0", False), (b"", False), (b"xgzip", False)],
)
def test_what_accept_encoding_says(accepted: bytes, takes: bool) -> None:
    assert (GZIP in _taken(accepted, (ZSTD, GZIP))) == takes


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        (b"gzip, zstd", [ZSTD, GZIP]),
        (b"zstd;q=0.5, gzip", [GZIP, ZSTD]),
        (b"zstd; q=0.5, gzip;q=0.501", [GZIP, ZSTD]),
        (b"*", [ZSTD, GZIP]),
        (b"*, zstd;q=0", [GZIP]),
        (b"gzip, *;q=0", [GZIP]),
        (b"*;q=0", []),
        (b"identity, gzip;q=0.9", []),
        (b"identity;q=0.5, gzip", [GZIP]),
        (b"identity;q=0, gzip;q=0.000", []),
        (b"gzip;q=much", [GZIP]),
        (b"gzip;q=0.3, *;q=0.5", [ZSTD]),
    ],
)
def test_what_is_liked_best_is_sent(accepted: bytes, taken: list[bytes]) -> None:
    assert _taken(accepted, (ZSTD, GZIP)) == taken


def test_lines_of_one_header_are_one_list(whole: Running) -> None:
    path = f"/log/{ORIGIN}/tile/entries/001"

    def ask(*lines: tuple[str, str]) -> httpx.Response:
        with whole.client(None) as client:
            del client.headers["accept-encoding"]
            return client.get(path, headers=list(lines))

    assert ask(("accept-encoding", "gzip"), ("accept-encoding", "br")).headers["content-encoding"] == "gzip"
    tag = ask().headers["etag"]
    assert ask(("if-none-match", tag), ("if-none-match", '"other"')).status_code == 304
    assert ask(("if-none-match", '"one"'), ("if-none-match", '"other"')).status_code == 200
