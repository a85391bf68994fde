"""Sheets over the API: accepted once, answered the same, refused with the outcome's name; and entries with receipts."""

import json
import socket
import threading
from base64 import b64decode
from contextlib import AbstractContextManager

import httpx
import msgspec
import pytest

from chain.merkle import leaf_hash
from chain.note import verify_signature
from chain.receipt import check_entry_receipt, open_promise, parse_entry_receipt
from node import Node
from tests.store.village import OPENING_MINUTES, ORIGIN, STRANGER, assert_whole, donation, record
from tests.web.service.running import JSON, SECONDS, Running, patience
from web.service.door import BODY_MAX_BYTES, SHEET_MAX_BYTES, body_max_bytes
from web.service.models import EntryModel, RefusedSheetModel, ResultsModel
from web.sheetfile import format_sheet

PROBLEM = "application/problem+json"


def size_of(service: Running) -> int:
    with Node.open(service.home, writes=False) as node:
        return node.store.size


def test_what_is_answered_is_on_disk_and_promised(service: Running) -> None:
    before = size_of(service)
    answer = service.post(service.sheet([donation(5), donation(6)]))
    assert answer.status_code == 200
    results = ResultsModel.model_validate_json(answer.content, strict=True).results
    assert [one["index"] for one in answer.json()["results"]] == [before, before + 1] and len(results) == 2
    with Node.open(service.home, writes=False) as node:
        for one in answer.json()["results"]:
            raw = node.store.entry(one["index"])
            assert b64decode(one["leaf"]) == leaf_hash(raw)
            promise, note = open_promise(one["promise"].encode())
            assert (promise.origin, promise.index, promise.leaf_hash) == (ORIGIN, one["index"], leaf_hash(raw))
            assert verify_signature(node.vkey, note.text, note.signatures[0])
        assert_whole(node)


def test_the_same_sheet_is_answered_the_same_and_recorded_once(service: Running) -> None:
    sheet = service.sheet([donation(1), donation(OPENING_MINUTES * 100), donation(2)])
    first = service.post(sheet)
    size = size_of(service)
    assert first.status_code == 200
    assert [one.get("outcome") for one in first.json()["results"]] == [None, "no-balance", None]
    assert service.post(sheet).json() == first.json()
    minimal = service.post(sheet, prefer="return=minimal").json()["results"]
    assert [one.get("index") for one in minimal] == [one.get("index") for one in first.json()["results"]]
    assert all("promise" not in one for one in minimal)
    assert size_of(service) == size


def test_the_same_sheet_at_the_same_time(service: Running) -> None:
    sheet, before = service.sheet([donation(3)] * 3), size_of(service)
    answers: list[bytes] = []
    threads = [threading.Thread(target=lambda: answers.append(service.post(sheet).content)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8 and len(set(answers)) == 1
    assert size_of(service) == before + 3


def test_none_accepted_is_a_problem_with_every_outcome(service: Running) -> None:
    before = size_of(service)
    answer = service.post(service.sheet([donation(OPENING_MINUTES * 100)] * 2))
    assert answer.status_code == 422 and answer.headers["content-type"] == PROBLEM
    told = RefusedSheetModel.model_validate_json(answer.content, strict=True)
    assert told.outcome == "no-balance" and [one.outcome for one in told.results] == ["no-balance"] * 2
    assert service.post(service.sheet([donation(1)], author=STRANGER)).json()["outcome"] == "entry.unknown-key"
    sheet = service.sheet([donation(1)])
    forged = msgspec.structs.replace(sheet.signatures[0], sig=bytes(64))
    bad = type(sheet)(sheet.statements, (forged, *sheet.signatures[1:]))
    assert service.post(bad).json()["outcome"] == "entry.signature"
    assert size_of(service) == before


def test_a_sheet_may_be_written_in_any_order_and_with_spaces(service: Running) -> None:
    plain = json.loads(format_sheet(service.sheet([donation(4), donation(5)])))
    turned = {key: plain[key] for key in ("sigs", "statements")}
    turned["statements"] = [dict(reversed(one.items())) for one in plain["statements"]]
    assert service.post(json.dumps(turned, indent=2).encode()).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"{}", b"null", b"\xff", b'{"statements":[],"sigs":[]}', b"[" * 100_000, b'{"statements":1e400}'),
        b'{"statements":[{}],"sigs":[]}',
        b'{"statements":[{"at":1}],"sigs":[{"key":"0123456789abcdef","sig":"AA=="}]}',
        b'{"statements":' + b"[" * 5_000 + b"]" * 5_000 + b',"sigs":[]}',
        b'{"statements":[' + b"1," * 2_000 + b'1],"sigs":[]}',
    ],
)
def test_what_is_no_sheet(service: Running, body: bytes) -> None:
    answer = service.post(body)
    assert answer.status_code == 400 and answer.headers["content-type"] == PROBLEM
    assert answer.json()["type"] == "urn:huzhu:problem:bad-sheet"


def said(service: Running, request: str) -> bytes:
    """The first line of what the node answers to these bytes."""
    url = httpx.URL(service.url)
    with socket.create_connection((url.host, url.port or 0), SECONDS) as connection:
        connection.sendall(request.encode())
        return connection.makefile("rb").readline()


def test_bounds_are_enforced_before_memory_is_taken(service: Running) -> None:
    with service.client() as client:
        token = service.tokens["clerk"]
        head = f"POST /api/v1/entries HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        assert b" 413 " in said(service, f"{head}Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n")
        endless = client.post("/api/v1/entries", content=(bytes(65_536) for _ in range(200)), headers=JSON)
        assert endless.status_code == 413
        other = client.post("/api/v1/session", content=b" " * (BODY_MAX_BYTES + 1), headers=JSON)
        assert other.status_code == 413
        assert body_max_bytes("/add-checkpoint") == SHEET_MAX_BYTES
        assert client.post("/api/v1/entries", content=b"{}").status_code == 415


def test_who_hangs_up_in_the_middle_is_no_fault_of_the_program(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[BaseException] = []
    monkeypatch.setattr(service.parts.journal, "bug", lambda error, _where: told.append(error))
    url, head = httpx.URL(service.url), f"Authorization: Bearer {service.tokens['clerk']}\r\nContent-Length: 10\r\n"
    for path in ("/api/v1/entries", "/api/v1/session"):
        with socket.create_connection((url.host, url.port or 0), SECONDS) as connection:
            connection.sendall(
                f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{head}\r\n{{".encode()
            )
    for _ in range(200):
        if b'status="499"' in service.get("/api/v1/metrics").content:
            break
    assert b'status="499"' in service.get("/api/v1/metrics").content and told == []


def test_only_who_may_submit(service: Running) -> None:
    sheet = service.sheet([donation(1)])
    assert service.post(sheet, None).status_code == 401
    for role in ("auditor", "supervisor", "person"):
        assert service.post(sheet, role).status_code == 403
    assert service.post(sheet, "member").status_code == 200


def test_the_command_line_writes_beside_the_service(service: Running) -> None:
    for _round in range(3):
        with open_home_now(service) as node:
            written = record(node, [donation(1)] * 2)
        answer = service.post(service.sheet([donation(2)]))
        assert answer.json()["results"][0]["index"] == written[-1].index + 1
        found = service.get(f"/api/v1/entries/{written[0].index}", None).json()
        assert found["entry"]["kind"] == "donate" and not found["sealed"]


def open_home_now(service: Running) -> AbstractContextManager[Node]:
    """The node as a command opens it beside the service."""
    return Node.open(service.home, writes=True, waits=patience)


def test_an_entry_and_its_receipt(service: Running) -> None:
    (result,) = service.post(service.sheet([donation(1)])).json()["results"]
    index = result["index"]
    found = service.get(f"/api/v1/entries/{index}", None)
    assert EntryModel.model_validate_json(found.content, strict=True).leaf == result["leaf"]
    early = service.get(f"/api/v1/entries/{index}/receipt", None)
    assert early.status_code == 404 and early.json()["type"] == "urn:huzhu:problem:not-sealed"
    service.seal()
    receipt = service.get(f"/api/v1/entries/{index}/receipt", None)
    assert receipt.headers["content-type"] == "text/plain; charset=utf-8"
    assert check_entry_receipt(parse_entry_receipt(receipt.content)).origin == ORIGIN
    assert "immutable" in service.get(f"/api/v1/entries/{index}", None).headers["cache-control"]
    for path in ("entries/99999999", "entries/99999999/receipt", "entries/1?ledger=other.example/x"):
        assert service.get(f"/api/v1/{path}", None).status_code == 404
    for path in ("entries/-1", "entries/x", f"entries/{2**63}", f"entries/1?ledger={'x' * 300}"):
        assert service.get(f"/api/v1/{path}", None).status_code == 400
