"""Anchors that are due, and proofs that lead to the root over nodes that are asked on loopback."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from chain.encoding import format_base64
from chain.note import ED25519, Note, format_note, format_vkey, make_vkey, parse_note
from chain.policy import NO_QUORUM, Policy
from ledger.bodies import OrgAdmit
from node import Node
from sync.anchors import due_anchors, root_proof
from sync.fetch import FetchError, Site
from tests.store.village import MEMBERS, accepted
from tests.sync.logs import NEW_KEYS, TOWNSHIP, VILLAGE, Answer, admit, files, grow, ledger, served
from tests.sync.towers import CITY, Tower, answers, tower
from verify.receipts import ReceiptError
from verify.rootproof import check_root_proof, format_root_proof, parse_root_proof
from web.cosigning import add_cosignature


@pytest.fixture(scope="module")
def built() -> Tower:
    return tower()


def pinning(node: Node) -> Policy:
    """A trust file with that node's key alone."""
    return Policy(logs=(node.vkey,), witnesses=(), groups=(), quorum=NO_QUORUM)


def proof_of(built: Tower, index: int, *lies: tuple[int, Callable[[Answer], Answer]], parents: int = 2) -> bytes:
    """The proof from a village's entry, the nodes above being asked; ``lies`` by their number from below."""
    changed = dict(lies)
    with ExitStack() as stack:
        sites = []
        for number, (below, node) in enumerate(zip(built.nodes, built.nodes[1:], strict=False)):
            honest = answers(below, node)
            answer = changed[number](honest) if number in changed else honest
            site = Site(stack.enter_context(served(answer)), timeout_seconds=10)
            stack.callback(site.close)
            sites.append(site)
        return root_proof(built.village.receipt, VILLAGE, index, sites[:parents])


@pytest.mark.parametrize("index", [0, 2, 17, 200, 318])
def test_a_proof_leads_from_the_village_to_the_city(built: Tower, index: int) -> None:
    proven = check_root_proof(proof_of(built, index), pinning(built.city))
    assert [step.checkpoint.origin for step in proven.steps] == [VILLAGE, TOWNSHIP, CITY]
    assert proven.entry.index == index
    assert proven.entry.entry == built.village.entry(index)
    assert [step.entry.kind for step in proven.steps[1:]] == ["anchor", "anchor"]


def test_one_parent_is_enough_where_it_is_the_root(built: Tower) -> None:
    proven = check_root_proof(proof_of(built, 3, parents=1), pinning(built.township))
    assert [step.checkpoint.origin for step in proven.steps] == [VILLAGE, TOWNSHIP]


def test_a_root_that_is_not_pinned_proves_nothing(built: Tower) -> None:
    raw = proof_of(built, 3)
    for other in (built.village, built.township):
        with pytest.raises(ReceiptError):
            check_root_proof(raw, pinning(other))


def test_what_is_not_anchored_yet_is_said(built: Tower) -> None:
    with pytest.raises(FetchError, match="has not anchored"):
        proof_of(built, built.village.store.size - 1)


def test_a_node_without_parents_has_no_proof(built: Tower) -> None:
    with pytest.raises(FetchError, match="names no parents"):
        proof_of(built, 1, parents=0)


def with_copies(built: Tower) -> Answer:
    """The city, which has a copy of the township's log, and knows the way down to the village."""
    own, copy = answers(built.township, built.city), files(built.township)
    admitted = [
        node.receipt(next(index for index in range(node.store.size) if isinstance(node.entry(index).body, OrgAdmit)))
        for node in (built.city, built.township)
    ]

    def answer(path: str) -> bytes:
        if path == f"/api/v1/admissions/{VILLAGE}":
            return json.dumps([format_base64(receipt) for receipt in admitted]).encode()
        return copy(path) if path.startswith(f"{TOWNSHIP}/") else own(path)

    return answer


def asked_with_a_copy(built: Tower, index: int, nearest: Answer) -> tuple[bytes, list[str]]:
    """The proof where the nearest answers that, and the city has copies; and what was told."""
    told: list[str] = []
    with served(nearest) as near, served(with_copies(built)) as far, ExitStack() as stack:
        sites = [Site(url, timeout_seconds=10) for url in (near, far)]
        for site in sites:
            stack.callback(site.close)
        raw = root_proof(built.village.receipt, VILLAGE, index, sites, told.append)
    return raw, told


@pytest.mark.parametrize("index", [0, 2, 200, 318])
def test_where_the_nearest_is_down_the_next_has_a_copy(built: Tower, index: int) -> None:
    def down(path: str) -> bytes:
        raise FileNotFoundError(path)

    raw, told = asked_with_a_copy(built, index, down)
    proven = check_root_proof(raw, pinning(built.city))
    assert [step.checkpoint.origin for step in proven.steps] == [VILLAGE, TOWNSHIP, CITY]
    assert proven.entry.index == index
    assert raw == proof_of(built, index)
    for words in ("has not anchored", f"of {TOWNSHIP} anchors {VILLAGE}", f"of {CITY} anchors {TOWNSHIP}"):
        assert words in " | ".join(told)


def test_where_the_nearest_lacks_its_files_the_next_gives_them(built: Tower) -> None:
    honest = answers(built.village, built.township)

    def forgetful(path: str) -> bytes:
        if not path.startswith("/api/"):
            raise FileNotFoundError(path)
        return honest(path)

    raw, told = asked_with_a_copy(built, 5, forgetful)
    assert raw == proof_of(built, 5) and "has not anchored" not in " | ".join(told)


def test_what_no_copy_anchors_yet_is_said_too(built: Tower) -> None:
    with pytest.raises(FetchError, match="has not anchored"):
        asked_with_a_copy(built, built.village.store.size - 1, lambda _path: b"hello")


@pytest.mark.parametrize("body", [b"", b"hello", b"c2sp.org/tlog-proof@v1\nextra \n"])
def test_a_parent_that_answers_nonsense(built: Tower, body: bytes) -> None:
    def nonsense(_honest: Answer) -> Answer:
        return lambda _path: body

    for number in (0, 1):
        with pytest.raises(FetchError, match="proves nothing"):
            proof_of(built, 1, (number, nonsense))


def test_a_parent_that_gives_the_receipt_of_something_else(built: Tower) -> None:
    for other in (built.township.receipt(3), built.city.receipt(built.city.store.size - 2)):
        with pytest.raises(FetchError, match="proves nothing"):
            proof_of(built, 1, (0, lambda _honest, other=other: lambda _path: other))  # type: ignore[misc]


def test_a_parent_with_wrong_tiles(built: Tower) -> None:
    def wrong(honest: Answer) -> Answer:
        return lambda path: b"\0\1x" if "/tile/entries/" in path else honest(path)

    with pytest.raises(FetchError, match="proves nothing"):
        proof_of(built, 1, (0, wrong))


# The file


def test_a_proof_survives_being_written_and_read(built: Tower) -> None:
    raw = proof_of(built, 5)
    assert format_root_proof(parse_root_proof(raw)) == raw


def mangled(raw: bytes) -> Iterator[bytes]:
    """Each line dropped, doubled, and each byte of the lines between receipts changed; cut off, and gone on."""
    lines = raw.splitlines(keepends=True)
    for place in range(len(lines)):
        yield b"".join(lines[:place] + lines[place + 1 :])
        yield b"".join(lines[: place + 1] + lines[place:])
    for place in range(0, len(raw), 7):
        yield raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        yield raw[:place]
    yield raw + b"\n"


def test_nothing_of_a_proof_can_be_changed(built: Tower) -> None:
    raw, policy = proof_of(built, 5), pinning(built.city)
    honest = check_root_proof(raw, policy).entry.entry
    for other in mangled(raw):
        try:
            proven = check_root_proof(other, policy)
        except ReceiptError:
            continue
        assert proven.entry.entry == honest


def test_steps_must_follow_each_other(built: Tower) -> None:
    first, second, third = parse_root_proof(proof_of(built, 5))
    policy = pinning(built.city)
    for receipts in ([first, third], [second, first, third], [first, second, second, third], [third, third]):
        with pytest.raises(ReceiptError):
            check_root_proof(format_root_proof(receipts), policy)
    assert check_root_proof(format_root_proof([second, third]), policy).entry.entry.kind == "anchor"
    assert check_root_proof(format_root_proof([third]), policy).root.checkpoint.origin == CITY


def test_too_many_receipts_are_refused_before_they_are_read() -> None:
    for count in ("0", "9", "99999999999999999999", "-1", "01"):
        with pytest.raises(ReceiptError):
            check_root_proof(f"huzhu/root-proof@v1\nreceipts {count}\n".encode(), Policy((), (), (), NO_QUORUM))


# What is due


def test_anchors_are_due_once_for_each_newer_checkpoint() -> None:
    village, township = ledger(), ledger(TOWNSHIP, keys=NEW_KEYS, tier="township")
    assert due_anchors(township.state, {VILLAGE: village.checkpoint()}) == []
    admit(township, village)
    assert due_anchors(township.state, {}) == []
    (anchor,) = due_anchors(township.state, {VILLAGE: village.checkpoint()})
    accepted(township.declare([anchor]))
    assert due_anchors(township.state, {VILLAGE: village.checkpoint()}) == []
    grow(village)
    assert len(due_anchors(township.state, {VILLAGE: village.checkpoint()})) == 1


def test_an_anchor_carries_the_admitted_key_alone() -> None:
    village, township = ledger(), ledger(TOWNSHIP, keys=NEW_KEYS, tier="township")
    admit(township, village)
    signed = add_cosignature(village.checkpoint(), MEMBERS[0], None, int(village._clock().timestamp()))
    (anchor,) = due_anchors(township.state, {VILLAGE: signed})
    note = parse_note(anchor.checkpoint)
    assert [line.name for line in note.signatures] == [VILLAGE]
    foreign = make_vkey(VILLAGE, ED25519, NEW_KEYS.signing.public)
    assert format_vkey(foreign) != format_vkey(village.vkey)
    bare = format_note(Note(note.text, parse_note(signed).signatures[1:]))
    assert due_anchors(township.state, {VILLAGE: bare}) == []
