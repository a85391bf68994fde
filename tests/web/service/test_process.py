"""`huzhu serve` as a process: killed under load, told to stop, under TLS, and with people who waste its time."""

import contextlib
import datetime
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from chain.encoding import format_base64
from chain.keys import SigningKey
from chain.merkle import leaf_hash
from chain.sheet import SignedSheet
from ledger.bodies import KeyGrant
from node import Node
from store.home import Home
from tests.store.village import MEMBERS, accepted, assert_whole, donation, presigned
from tests.web.desk import run
from tests.web.service.running import JSON, SECONDS, Running, fresh_home, now, running
from web.sheetfile import format_sheet

ROOT = Path(__file__).resolve().parents[3]
KILLS = 3
CLERKS = [SigningKey(bytes([100 + number]) * 32) for number in range(4)]


@contextlib.contextmanager
def process(home: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the address that it says it listens on."""
    command = [sys.executable, "-m", "cli", "serve", "--home", str(home), "--port", "0", "--lang", "en", *words]
    held = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert held.stderr is not None
    try:
        line = held.stderr.readline()
        yield held, json.loads(line)["address"]
    finally:
        held.kill()
        held.wait()
        held.stderr.close()


@pytest.mark.parametrize("told", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT, signal.SIGTERM]], ids=len)
def test_it_stops_when_told_to_and_loses_nothing(told: list[signal.Signals], tmp_path: Path) -> None:
    home, tokens = fresh_home(tmp_path / "home")
    with process(home) as (held, url):
        with httpx.Client(base_url=url, timeout=SECONDS) as client:
            assert client.get("/api/v1/health").json()["ok"]
            body = format_sheet(sheet_of(home, 3))
            sign = {"Authorization": f"Bearer {tokens['clerk']}"}
            assert client.post("/api/v1/entries", content=body, headers=JSON | sign).status_code == 200
        for each in told:
            held.send_signal(each)
        assert held.stderr is not None
        said = held.stderr.read()
        assert held.wait(SECONDS) == 0
        assert json.loads(said.splitlines()[-1])["event"] == "stopped"
        assert "hz_" not in said and "Traceback" not in said
    with Node.open(home, writes=True) as node:
        assert node.store.size >= 18
        assert_whole(node)


def test_behind_a_proxy_that_has_tls(tmp_path: Path) -> None:
    home, tokens = fresh_home(tmp_path / "home")
    password = "five yellow persimmons"
    words = ("user", "add", "wang", "--role", "clerk", "--home", home, "--password-file", "-", "--lang", "en")
    run(*words, stdin=f"{password}\n")
    with (home / "node.toml").open("a") as settings:
        settings.write("[serve]\nbehind_tls = true\ntend_every_minutes = 0\n")
    with process(home) as (_held, url), httpx.Client(base_url=url, timeout=SECONDS) as client:
        for path in ("/api/v1/health", "/log/origins", "/nothing"):
            assert "max-age" in client.get(path).headers["strict-transport-security"], path
        signed = client.post("/api/v1/session", json={"name": "wang", "password": password})
        cookies = signed.headers.get_list("set-cookie")
    assert signed.status_code == 200 and len(cookies) == 2
    assert all(each.startswith("__Host-huzhu") and "secure" in each.lower() for each in cookies)
    assert tokens


def sheet_of(home: Path, count: int) -> SignedSheet:
    with Node.open(home, writes=False) as node:
        return presigned(node, [donation(1)] * count, at=now())


def test_killed_under_load_every_answer_is_on_disk_once(tmp_path: Path) -> None:
    home, tokens = fresh_home(tmp_path / "home")
    with Node.open(home, writes=True) as node:
        accepted(node.write(MEMBERS[0], MEMBERS[1:2], [KeyGrant(key=key.public, role="clerk") for key in CLERKS]))
    answered: list[dict[str, object]] = []
    sent: list[bytes] = []
    for number in range(KILLS):
        with process(home) as (held, url):
            threads = [
                threading.Thread(target=load, args=(home, url, tokens["clerk"], place, number, answered, sent))
                for place in range(len(CLERKS))
            ]
            enough = len(answered) + 30
            for thread in threads:
                thread.start()
            while len(answered) < enough and any(thread.is_alive() for thread in threads):
                threads[0].join(0.005)
            os.kill(held.pid, signal.SIGKILL)
            for thread in threads:
                thread.join()
    assert len(answered) >= 30 * KILLS
    with Node.open(home, writes=True) as node:
        assert_whole(node)
        entries = list(node.store.entries(0, node.store.size))
        hashes = [format_base64(leaf_hash(raw)) for raw in entries]
        for one in answered:
            assert hashes[int(str(one["index"]))] == one["leaf"]
        assert len({one["leaf"] for one in answered}) == len(answered)
        size = node.store.size
    with running(home, tokens) as service:
        for body in sent:
            told = service.post(body, prefer="return=minimal")
            assert told.status_code in (200, 422), told.text
    with Node.open(home, writes=True) as node:
        kinds = [node.entry(index).kind for index in range(size, node.store.size)]
        lost = len(sent) - len(answered)
        assert sum(kind != "seal" for kind in kinds) <= lost
        assert_whole(node)


def load(
    home: Path, url: str, token: str, place: int, number: int, answered: list[dict[str, object]], sent: list[bytes]
) -> None:
    """Send single records, each client by a clerk of its own so that nobody's numbers cross, until the node is gone."""
    author = CLERKS[place]
    with Node.open(home, writes=False) as node:
        first = node.state.roster.keys[author.id].last_seq + 1 + number
        sheets = [
            presigned(node, [donation(1)], author=author, at=now(), seq=first + count)
            for count in range(400)
        ]
    headers = JSON | {"Authorization": f"Bearer {token}", "Prefer": "return=minimal"}
    with httpx.Client(base_url=url, timeout=SECONDS) as client, contextlib.suppress(httpx.TransportError):
        for sheet in sheets:
            body = format_sheet(sheet)
            sent.append(body)
            answer = client.post("/api/v1/entries", content=body, headers=headers)
            assert answer.status_code == 200, answer.text
            answered.extend(answer.json()["results"])


# People who waste its time


def address(url: str) -> tuple[str, int]:
    parsed = httpx.URL(url)
    return parsed.host, parsed.port or 0


def test_endless_headers_and_slow_ones_are_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, tokens = fresh_home(tmp_path / "home")
    with running(home, tokens) as service:
        with socket.create_connection(address(service.url), SECONDS) as endless:
            endless.sendall(b"GET / HTTP/1.1\r\n")
            with contextlib.suppress(ConnectionError):
                for _ in range(100):
                    endless.sendall(b"x-long: " + b"x" * 1_000 + b"\r\n")
                assert endless.recv(100).startswith(b"HTTP/1.1 431 ")
        monkeypatch.setattr("web.service.connection.HEAD_SECONDS", 0.2)
        monkeypatch.setattr("web.service.door.BODY_SECONDS", 0.2)
        for begun in (b"", b"GET / HT", b"\r\n\r\n"):
            with socket.create_connection(address(service.url), SECONDS) as slow:
                slow.sendall(begun)
                assert slow.recv(1_000) == b""
        sign = f"Authorization: Bearer {tokens['clerk']}\r\nContent-Type: application/json\r\n"
        with socket.create_connection(address(service.url), SECONDS) as slow:
            slow.sendall(f"POST /api/v1/entries HTTP/1.1\r\nHost: x\r\n{sign}Content-Length: 10\r\n\r\n{{".encode())
            assert b" 408 " in slow.recv(1_000)
        assert service.get("/api/v1/health", None).status_code == 200


# TLS


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    moment = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(moment - datetime.timedelta(days=1))
        .not_valid_after(moment + datetime.timedelta(days=1))
        .sign(key, SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


def test_under_tls_of_1_2_at_least(tmp_path: Path) -> None:
    home, tokens = fresh_home(tmp_path / "home")
    pem, key = certificate(tmp_path)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with running(home, tokens, certificate=pem, key=key) as service:
        assert service.url.startswith("https://")
        assert httpx.get(f"{service.url}/api/v1/health", verify=context, timeout=SECONDS).status_code == 200
        config = service_config(service, pem, key)
        assert config is not None and config.minimum_version == ssl.TLSVersion.TLSv1_2


def service_config(_service: Running, pem: Path, key: Path) -> ssl.SSLContext | None:
    from web.service.run import Listening, configured

    return configured(lambda: None, Listening("127.0.0.1", 0, pem, key)).ssl


def test_what_it_refuses_to_begin_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, _tokens = fresh_home(tmp_path / "home")
    pem, key = certificate(tmp_path)
    monkeypatch.setattr("web.service.run.run", lambda *_words: True)
    refused = run("serve", "--home", home, "--host", "0.0.0.0", status=2)  # noqa: S104
    assert "--insecure" in refused.stderr
    run("serve", "--home", home, "--host", "0.0.0.0", "--insecure")  # noqa: S104
    run("serve", "--home", home, "--host", "0.0.0.0", "--certificate", pem, "--key", key)  # noqa: S104
    assert "go together" in run("serve", "--home", home, "--key", key, status=2).stderr
    with Home(home).lock():
        monkeypatch.setattr("web.service.writer.LOCK_WAIT_SECONDS", 0.01)
        assert "another process writes" in run("serve", "--home", home, status=2).stderr
    monkeypatch.undo()
    pem.write_text("no certificate")
    refused = run("serve", "--home", home, "--certificate", pem, "--key", key, "--lang", "en", status=2)
    assert "cannot be used" in refused.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        run("serve", "--home", home, "--port", port, status=1)
