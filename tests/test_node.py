"""One node, end to end: write, submit, seal, prove, and be opened again."""

import base64
import dataclasses
import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chain.block import Seal
from chain.canonical import format_canonical
from chain.checkpoint import Checkpoint, format_checkpoint_text, open_checkpoint
from chain.cosignature import cosign_ed25519, member_name, verify_any, verify_cosignature
from chain.entry import Signature, Statement, format_statement
from chain.fields import parse_time
from chain.keys import SigningKey
from chain.merkle import check_consistency, leaf_hash, root_of
from chain.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    NoteSignature,
    VerifierKey,
    add_signatures,
    format_note,
    make_vkey,
    parse_note,
    verify_signature,
)
from chain.policy import NO_QUORUM, Policy
from chain.receipt import (
    check_balance_leaf,
    check_entry_receipt,
    open_promise,
    parse_balance_receipt,
    parse_entry_receipt,
)
from chain.sheet import SheetDomain, SignedSheet, sign_sheet
from ledger.bodies import AccountClose, KeyGrant, KeyRevoke, Params, Reverse
from ledger.numbers import POOL
from ledger.parameters import format_parameters
from ledger.state import freeze
from node import Accepted, Balance, Node, NodeError, Refused, Result, SharedNode
from store.home import NEXT_MLDSA_KEY, NODE_MLDSA_KEY, Home
from store.keyfiles import write_key
from store.log import MemoryStore, StoreError
from store.sqlite import SqliteStore
from tests.store.village import (
    CLERK,
    HOLDING,
    KEYS,
    KEYS_WITH_MLDSA,
    MEMBERS,
    OPENING_MINUTES,
    ORIGIN,
    OTHERS,
    PARAMETERS,
    PROVIDER,
    RECIPIENT,
    START,
    STRANGER,
    HandClock,
    accepted,
    assert_whole,
    contents,
    donation,
    founding,
    new_home,
    new_node,
    open_home,
    presigned,
    record,
    service,
)
from verify.audit import Trust, audit_ledger
from verify.receipts import check_receipt
from verify.source import MemorySource


def outcomes(results: list[Result]) -> list[str]:
    """``accepted`` or the outcome of each."""
    return ["accepted" if isinstance(result, Accepted) else result.outcome for result in results]


def minutes_of(node: Node, number: str) -> int:
    balance = node.balance(number)
    assert balance is not None
    return balance.balance


# Writing


def test_a_new_ledger_is_genesis_and_a_seal() -> None:
    store = MemoryStore(ORIGIN)
    node = Node(store, KEYS, HandClock())
    assert node.state.size == 0 and node.balances() == []
    with pytest.raises(NodeError, match="nothing is sealed yet"):
        node.checkpoint()
    node.found(founding())
    assert [node.entry(index).kind for index in range(store.size)] == ["genesis", "seal"]
    assert [balance.account for balance in node.balances()] == ["issue", "pool", "bridge", "outside"]
    assert_whole(node)


@pytest.mark.parametrize("threshold", [0, 1, 4, 8])
def test_a_founding_against_the_rules_is_refused(threshold: int) -> None:
    store = MemoryStore(ORIGIN)
    node = Node(store, KEYS, HandClock())
    with pytest.raises(NodeError, match=r"cannot begin so: (bad-threshold|entry\.malformed)"):
        node.found(dataclasses.replace(founding(), threshold=threshold))
    assert store.size == 0


def test_each_statement_gets_its_own_answer_in_order() -> None:
    node = new_node()
    size = node.store.size
    results = node.write(CLERK, [MEMBERS[0]], [service(60), service(241), donation(5), donation(10**9), service(1)])
    assert outcomes(results) == ["accepted", "bad-interval", "accepted", "no-balance", "accepted"]
    assert [result.index for result in results if isinstance(result, Accepted)] == [size, size + 1, size + 2]
    for result in results:
        if isinstance(result, Accepted):
            assert result.leaf_hash == leaf_hash(node.store.entry(result.index))
    assert node.entry(size).sheet is not None and node.entry(size + 2).sheet is not None
    assert node.balance(PROVIDER) == Balance(PROVIDER, OPENING_MINUTES + 60 + 1 - 5, 0, "open", "minute")
    assert minutes_of(node, RECIPIENT) == OPENING_MINUTES - 61 and minutes_of(node, POOL) == 5
    assert_whole(node)


def test_where_everything_is_refused_nothing_is_written() -> None:
    node = new_node()
    before = contents(node.store)
    assert outcomes(node.write(CLERK, [MEMBERS[0]], [service(241), donation(10**9)])) == [
        "bad-interval",
        "no-balance",
    ]
    assert outcomes(node.write(CLERK, [], [donation(1)])) == ["needs-second"]
    assert outcomes(node.write(STRANGER, [MEMBERS[0]], [donation(1)])) == ["entry.unknown-key"]
    assert outcomes(node.write(CLERK, [STRANGER], [donation(1)])) == ["entry.unknown-key"]
    assert node.write(CLERK, [MEMBERS[0]], []) == []
    assert contents(node.store) == before


def test_a_question_is_answered_as_the_rules_would_and_changes_nothing() -> None:
    node = new_node()
    before = contents(node.store), freeze(node.state)
    bodies = [donation(1), service(241), donation(1)]
    for _again in range(2):
        asked = node.judge(CLERK.id, [MEMBERS[0].id], bodies)
        assert [refused and refused.outcome for refused in asked] == [None, "bad-interval", None]
        assert (contents(node.store), freeze(node.state)) == before
    assert outcomes(node.write(CLERK, [MEMBERS[0]], bodies)) == ["accepted", "bad-interval", "accepted"]
    assert_whole(node)


def test_one_statement_has_no_sheet_and_1024_share_one_signature() -> None:
    node = new_node()
    [one] = record(node, [donation(1)])
    assert node.entry(one.index).sheet is None
    many = record(node, [donation(1)] * 1_024)
    entries = [node.entry(result.index) for result in many]
    assert {entry.sigs for entry in entries} == {entries[0].sigs}
    assert all(entry.sheet is not None and entry.sheet.size == 1_024 for entry in entries)
    with pytest.raises(NodeError, match="at most 1024"):
        record(node, [donation(1)] * 1_025)
    assert_whole(node)


def test_a_statement_too_large_for_its_place_on_a_sheet_is_refused() -> None:
    """Alone it fits; with the path of a sheet it does not. A log with too large an entry could never be read again."""
    node = new_node()
    found = set()
    for shorter in range(0, 1_000, 50):
        codes = {f"k{number:04d}": "a" * (29 if number < shorter else 30) for number in range(1_578)}
        params = {**format_parameters(PARAMETERS), "credentials_needed": codes}
        body = Params(params=params, version=node.state.parameters_version + 1)
        others = [KeyRevoke(key_id="0" * 16, reason="x")] * 9
        on_a_sheet = outcomes(node.write(MEMBERS[0], [MEMBERS[1]], [body, *others]))
        body = Params(params=body.params, version=node.state.parameters_version + 1)
        alone = outcomes(node.write(MEMBERS[0], [MEMBERS[1]], [body]))
        found.add((on_a_sheet[0], *alone))
    assert found == {("accepted", "accepted"), ("entry.too-large", "accepted"), ("entry.too-large", "entry.too-large")}
    assert 65_000 < max(len(raw) for raw in node.store.entries(0, node.store.size)) <= 65_535
    assert_whole(node)


def test_an_authors_seq_rises_also_within_one_second() -> None:
    node = new_node()
    for count in (1, 3, 1):
        record(node, [donation(1)] * count)
    seqs = [node.entry(index).seq for index in range(2, node.store.size) if node.entry(index).by == CLERK.id]
    assert seqs == sorted(set(seqs)) and seqs[0] == int(START.timestamp() * 1000)


def test_nothing_is_dated_before_the_last_seal_unless_that_is_ahead_of_the_clock() -> None:
    clock = HandClock()
    node = new_node(clock=clock)
    clock.turn(hours=1)
    node.seal()
    clock.turn(minutes=-5)
    [result] = record(node, [donation(1)])
    assert node.entry(result.index).at == START + datetime.timedelta(hours=1)
    clock.turn(minutes=-1)
    [result] = record(node, [donation(1)])
    assert node.entry(result.index).at == START + datetime.timedelta(minutes=54)
    node.seal()
    assert node.entry(node.store.size - 1).at == START + datetime.timedelta(hours=1)
    assert_whole(node)


def test_what_is_written_later_counts_from_the_commit_on() -> None:
    node = new_node()
    before, balance = contents(node.store), minutes_of(node, PROVIDER)
    record(node, [donation(7)], durable=False)
    node.seal(durable=False)
    assert minutes_of(node, PROVIDER) == balance - 7
    node.store.rollback()
    assert contents(node.store) == before
    again = Node(node.store, KEYS, HandClock())
    assert minutes_of(again, PROVIDER) == balance
    record(again, [donation(7)], durable=False)
    again.seal(durable=False)
    record(again, [donation(1)], durable=False)
    again.seal(durable=False)
    again.commit()
    assert [size for size, _ in again.store.checkpoints()][-2:] == [again.store.size - 2, again.store.size]
    assert_whole(again)


# Submitting what others signed

Spoil = Callable[[Node, SignedSheet], SignedSheet]


def resigned(sheet: SignedSheet, *signatures: Signature) -> SignedSheet:
    return SignedSheet(sheet.statements, signatures)


def stripped(_: Node, sheet: SignedSheet) -> SignedSheet:
    return resigned(sheet, sheet.signatures[0])


def statement_stripped(_: Node, sheet: SignedSheet) -> SignedSheet:
    """The certifier is taken out of the statement as well."""
    statements = tuple(edited(statement, **{"with": None}) for statement in sheet.statements)
    return SignedSheet(statements, sheet.signatures[:1])


def edited(statement: bytes, **fields: object) -> bytes:
    plain = {**json.loads(statement), **fields}
    plain = {name: value for name, value in plain.items() if value is not None}
    return json.dumps(plain, separators=(",", ":"), sort_keys=True).encode()


def moved(node: Node, sheet: SignedSheet) -> SignedSheet:
    """The signatures of another sheet of the same people."""
    return resigned(sheet, *presigned(node, [donation(999)], at=START).signatures)


def certifier_moved(node: Node, sheet: SignedSheet) -> SignedSheet:
    return resigned(sheet, sheet.signatures[0], presigned(node, [donation(999)]).signatures[1])


def signatures_swapped(_: Node, sheet: SignedSheet) -> SignedSheet:
    author, beside = sheet.signatures
    return resigned(sheet, Signature(author.key, beside.sig), Signature(beside.key, author.sig))


def certifier_as_author(node: Node, sheet: SignedSheet) -> SignedSheet:
    """What a member signed beside the clerk, under a statement of which the member is made the author."""
    statements = tuple(edited(raw, by=MEMBERS[1].id, **{"with": [CLERK.id]}) for raw in sheet.statements)
    root = root_of([leaf_hash(raw) for raw in statements])
    _, as_beside = node.domain.messages(MEMBERS[1].id, len(statements), root)
    return SignedSheet(
        statements,
        (Signature(MEMBERS[1].id, MEMBERS[1].sign(as_beside)), Signature(CLERK.id, CLERK.sign(as_beside))),
    )


def certifier_alone(_: Node, sheet: SignedSheet) -> SignedSheet:
    statements = tuple(edited(raw, by=MEMBERS[1].id, **{"with": None}) for raw in sheet.statements)
    return SignedSheet(statements, (sheet.signatures[1],))


def for_another_ledger(domain: SheetDomain) -> Spoil:
    return lambda _, sheet: sign_sheet(domain, sheet.statements, CLERK, [MEMBERS[1]])


def statement_changed(_: Node, sheet: SignedSheet) -> SignedSheet:
    statements = (sheet.statements[0].replace(b'"minutes":5', b'"minutes":6'), *sheet.statements[1:])
    return SignedSheet(statements, sheet.signatures)


def statement_dropped(_: Node, sheet: SignedSheet) -> SignedSheet:
    return SignedSheet(sheet.statements[:-1], sheet.signatures)


def statements_turned(_: Node, sheet: SignedSheet) -> SignedSheet:
    return SignedSheet(sheet.statements[::-1], sheet.signatures)


def by_a_stranger(_: Node, sheet: SignedSheet) -> SignedSheet:
    statements = tuple(edited(raw, by=STRANGER.id) for raw in sheet.statements)
    return sign_sheet(SheetDomain(ORIGIN), statements, STRANGER, [MEMBERS[1]])


def noncanonical(_: Node, sheet: SignedSheet) -> SignedSheet:
    return SignedSheet(tuple(raw.replace(b":", b": ", 1) for raw in sheet.statements), sheet.signatures)


def unknown_kind(_: Node, sheet: SignedSheet) -> SignedSheet:
    return SignedSheet(tuple(edited(raw, kind="unheard") for raw in sheet.statements), sheet.signatures)


SPOILS: dict[str, tuple[Spoil, str]] = {
    "certifier-stripped": (stripped, "entry.malformed"),
    "certifier-stripped-from-statement-too": (statement_stripped, "entry.signature"),
    "signatures-moved": (moved, "entry.signature"),
    "certifier-moved": (certifier_moved, "entry.signature"),
    "signatures-swapped": (signatures_swapped, "entry.signature"),
    "certifier-as-author": (certifier_as_author, "entry.signature"),
    "certifier-alone": (certifier_alone, "entry.signature"),
    "other-origin": (for_another_ledger(SheetDomain("other.example/huzhu", bytes(32))), "entry.signature"),
    "other-genesis": (for_another_ledger(SheetDomain(ORIGIN, bytes(range(32)))), "entry.signature"),
    "before-genesis": (for_another_ledger(SheetDomain(ORIGIN)), "entry.signature"),
    "statement-changed": (statement_changed, "entry.signature"),
    "statement-dropped": (statement_dropped, "entry.signature"),
    "statements-turned": (statements_turned, "entry.signature"),
    "stranger": (by_a_stranger, "entry.unknown-key"),
    "noncanonical": (noncanonical, "entry.noncanonical"),
    "unknown-kind": (unknown_kind, "entry.unknown-kind"),
}


def test_a_sheet_that_others_signed_is_taken() -> None:
    node = new_node()
    size = node.store.size
    sheet = presigned(node, [donation(5), service(5), donation(6)])
    results = accepted(node.submit(sheet))
    assert [result.index for result in results] == [size, size + 1, size + 2]
    assert [node.store.entry(result.index) for result in results] == sheet.entries()
    assert_whole(node)


@pytest.mark.parametrize(("spoil", "code"), SPOILS.values(), ids=SPOILS)
@pytest.mark.parametrize("count", [1, 3])
def test_a_spoiled_sheet_is_refused_whole(spoil: Spoil, code: str, count: int) -> None:
    node = new_node()
    sheet = presigned(node, [donation(5), service(5), donation(6)][-count:] if count > 1 else [donation(5)])
    bad = spoil(node, sheet)
    if not bad.statements or (spoil is statements_turned and count == 1):
        return
    before, state = contents(node.store), freeze(node.state)
    assert set(outcomes(node.submit(bad))) == {code}
    assert contents(node.store) == before and freeze(node.state) == state
    accepted(node.submit(sheet))
    assert_whole(node)


HASH = base64.b64encode(bytes(32)).decode()
PLACES = ((0, 0, 1), (0, 0, 2), (5, 1, 2), (0, 1, 2), (0, 1, 1024), (0, 10, 1024))
"""Index, hashes and size."""


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize(
    "brought",
    [
        *({"sheet": {"index": index, "path": [HASH] * count, "size": of}} for index, count, of in PLACES),
        {"sigs": [{"key": CLERK.id, "sig": base64.b64encode(bytes(64)).decode()}]},
    ],
    ids=[*map(str, PLACES), "signatures"],
)
def test_a_statement_brings_no_place_and_no_signatures_along(brought: dict[str, Any], size: int) -> None:
    """It would be signed as a sheet of its own, and audited as a part of another."""
    node = new_node()
    before, sheet = node.store.size, presigned(node, [donation(1), donation(2)][:size])
    first = format_canonical(json.loads(sheet.statements[0]) | brought)
    bad = sign_sheet(node.domain, [first, *sheet.statements[1:]], CLERK, [MEMBERS[1]])
    assert outcomes(node.submit(bad))[0].startswith("entry.")
    assert node.store.size == before + size - 1
    assert_whole(node)


def test_the_same_sheet_gets_the_same_answer_and_is_recorded_once() -> None:
    clock = HandClock()
    node = new_node(clock=clock)
    sheet = presigned(node, [donation(5), donation(10**9), donation(6)])
    answer = node.submit(sheet)
    assert outcomes(answer) == ["accepted", "no-balance", "accepted"]
    size = node.store.size
    for _time in range(2):
        assert node.submit(sheet) == answer
        node.seal()
    assert node.store.size == size + 2
    clock.turn(days=PARAMETERS.statement_max_age_days + 1)
    node.seal()
    assert outcomes(node.submit(sheet)) == ["entry.seq"] * 3
    assert_whole(node)


def test_another_sheet_of_the_same_seq_is_refused() -> None:
    node = new_node()
    accepted(node.submit(presigned(node, [donation(5), donation(6)])))
    last = node.state.roster.keys[CLERK.id].last_seq
    assert outcomes(node.submit(presigned(node, [donation(1)], seq=last))) == ["entry.seq"]
    assert outcomes(node.submit(presigned(node, [donation(1)], seq=last + 1))) == ["accepted"]
    assert_whole(node)


def test_sheets_that_come_together_are_judged_as_if_one_by_one() -> None:
    alone, together = new_node(), new_node()
    seq = 10**14
    sheets = [
        presigned(alone, [donation(OPENING_MINUTES + 1)], seq=seq + 9),
        presigned(alone, [service(60)], seq=seq),
        presigned(alone, [donation(5), donation(6)], seq=seq + 1),
        presigned(alone, [donation(7)], seq=seq + 2),
    ]
    sheets += [sheets[2], sheets[0]]
    one_by_one = [alone.submit(sheet) for sheet in sheets]
    assert list(map(outcomes, one_by_one)) == [
        ["no-balance"],
        ["accepted"],
        ["accepted", "accepted"],
        ["entry.seq"],
        ["accepted", "accepted"],
        ["accepted"],
    ]
    assert together.submit_all(sheets) == one_by_one
    assert together.submit_all(sheets) == one_by_one[-1:] + one_by_one[1:]
    alone.seal()
    together.seal()
    assert together.state == alone.state
    assert_whole(together)


def test_a_block_that_is_full_is_closed_between_sheets_that_come_together(monkeypatch: pytest.MonkeyPatch) -> None:
    node = new_node()
    monkeypatch.setattr("node.BLOCK_MAX_ENTRIES", node.state.block_entries + 5)
    seq, height = 10**14, node.state.height
    sheets = [presigned(node, [donation(1), donation(2)], seq=seq + 2 * number) for number in range(4)]
    results = [accepted(each) for each in node.submit_all(sheets)]
    assert node.state.height == height + 1
    seals = set(range(results[0][0].index, results[-1][-1].index)) - {one.index for each in results for one in each}
    assert [node.entry(index).kind for index in sorted(seals)] == ["seal"]
    assert_whole(node)


def test_a_sheet_of_which_nothing_was_accepted_is_judged_again() -> None:
    node = new_node()
    sheet = presigned(node, [donation(OPENING_MINUTES + 1)], seq=10**14)
    assert outcomes(node.submit(sheet)) == ["no-balance"]
    accepted(node.submit(presigned(node, [service(60)])))
    assert outcomes(node.submit(sheet)) == ["accepted"]
    assert_whole(node)


def test_of_one_sheet_some_are_taken_and_some_refused() -> None:
    node = new_node()
    size = node.store.size
    results = node.submit(presigned(node, [donation(5), donation(10**9), service(5), service(241), donation(1)]))
    assert outcomes(results) == ["accepted", "no-balance", "accepted", "bad-interval", "accepted"]
    assert [result.index for result in results if isinstance(result, Accepted)] == [size, size + 1, size + 2]
    assert_whole(node)


@pytest.mark.parametrize(
    ("seconds", "outcome"),
    [
        (-86_400 * 31, "stale"),
        (-86_400 * 30, "accepted"),
        (300, "accepted"),
        (301, "at-in-future"),
        (86_400, "at-in-future"),
    ],
)
def test_a_statement_may_be_five_minutes_ahead_and_thirty_days_old(seconds: int, outcome: str) -> None:
    node = new_node()
    at = START + datetime.timedelta(seconds=seconds)
    assert outcomes(node.submit(presigned(node, [donation(1)], at=at))) == [outcome]
    assert_whole(node)


def test_nobody_else_seals() -> None:
    node = new_node()
    state = node.state
    body = Seal(
        accounts=len(state.accounts),
        height=state.height,
        prev=state.last_seal_hash,
        root=bytes(32),
        size=state.size,
        state=bytes(32),
    )
    for key in (CLERK, KEYS.signing):
        statement = format_statement(Statement(at=START, body=body, by=key.id, kind="seal", seq=10**15))
        assert outcomes(node.submit(sign_sheet(node.domain, [statement], key))) == ["not-allowed"]


@pytest.mark.parametrize("count", [0, 1_025])
def test_a_sheet_of_another_size_is_an_error(count: int) -> None:
    node = new_node()
    with pytest.raises(NodeError, match="1 to 1024"):
        node.submit(SignedSheet((b"statement",) * count, ()))


def test_a_revoked_key_signs_no_more() -> None:
    node = new_node()
    sheet = presigned(node, [donation(1)])
    accepted(node.write(MEMBERS[0], [MEMBERS[2]], [KeyRevoke(key_id=CLERK.id, reason="lost")]))
    assert outcomes(node.submit(sheet)) == ["entry.unknown-key"]
    assert outcomes(node.write(CLERK, [MEMBERS[0]], [donation(1)])) == ["entry.unknown-key"]
    accepted(node.write(MEMBERS[0], [MEMBERS[1]], [KeyGrant(key=STRANGER.public, role="clerk")]))
    assert outcomes(node.write(STRANGER, [MEMBERS[0]], [donation(1)])) == ["accepted"]
    assert_whole(node)


# Seals and checkpoints


def test_a_seal_says_what_the_log_before_it_is() -> None:
    node = new_node()
    previous = leaf_hash(node.store.entry(1))
    for height in (1, 2, 3):
        record(node, [donation(1)] * height)
        size = node.store.size
        entries = list(node.store.entries(0, size))
        assert node.seal() == size + 1
        body = node.entry(size).body
        assert (body.height, body.size, body.prev) == (height, size, previous)
        assert body.root == root_of([leaf_hash(raw) for raw in entries])
        assert body.accounts == len(node.balances()) == 10
        assert body.state == root_of([leaf_hash(account.leaf()) for account in node.state.accounts.values()])
        previous = leaf_hash(node.store.entry(size))
    assert_whole(node)


def test_an_empty_block_proves_that_the_node_is_alive() -> None:
    clock = HandClock()
    node = new_node(clock=clock)
    node.seal()
    size = node.store.size
    clock.turn(days=1)
    assert node.seal() == size + 1
    assert node.entry(size).at == clock.now
    assert_whole(node)


def test_a_seal_is_never_dated_before_what_it_closes() -> None:
    clock = HandClock()
    node = new_node(clock=clock)
    ahead = START + datetime.timedelta(minutes=5)
    accepted(node.submit(presigned(node, [donation(1)], at=ahead)))
    node.seal()
    assert node.entry(node.store.size - 1).at == ahead
    node.seal(parse_time("2020-01-01T00:00:00Z"))
    assert node.entry(node.store.size - 1).at == ahead
    assert_whole(node)


def test_a_checkpoint_is_signed_by_the_node_and_once_a_size() -> None:
    store = MemoryStore(ORIGIN)
    node = Node(store, KEYS_WITH_MLDSA, HandClock())
    node.found(founding())
    for _ in range(3):
        node.seal()
    sizes = [size for size, _ in store.checkpoints()]
    assert sizes == [2, 3, 4, 5]
    for size, raw in store.checkpoints():
        checkpoint, note = open_checkpoint(raw)
        assert raw == node.checkpoint(size)
        assert checkpoint.size == size
        assert checkpoint.root == root_of([leaf_hash(entry) for entry in store.entries(0, size)])
        first, second = note.signatures
        assert verify_signature(node.vkey, note.text, first)
        assert KEYS_WITH_MLDSA.mldsa is not None
        vkey = make_vkey(ORIGIN, COSIGNATURE_MLDSA44, KEYS_WITH_MLDSA.mldsa.public)
        assert verify_cosignature(vkey, checkpoint, second) == int(START.timestamp())
    assert_whole(node)
    with pytest.raises(NodeError, match="no checkpoint of size 1"):
        node.checkpoint(1)


def test_a_seal_whose_checkpoint_was_not_signed_gets_it_at_the_next_start() -> None:
    node = new_node()
    node.seal()
    size, note = node.store.size, node.checkpoint()
    store = MemoryStore(ORIGIN)
    entries = list(node.store.entries(0, size))
    store.append(entries, [leaf_hash(raw) for raw in entries], {})
    store.put_checkpoint(2, node.checkpoint(2))
    store.commit()
    assert Node(store, None, HandClock()).checkpoint() == node.checkpoint(2)
    assert Node(store, KEYS, HandClock()).checkpoint() == note
    assert store.checkpoint(size) == note


def test_a_block_is_closed_before_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.BLOCK_MAX_ENTRIES", 8)
    node = new_node()
    for count in (1, 6, 7, 2, 3, 1, 1, 1, 7):
        record(node, [donation(1)] * count)
        accepted(node.submit(presigned(node, [donation(1)] * count)))
    node.seal()
    seals = [index for index in range(node.store.size) if node.entry(index).kind == "seal"]
    lengths = [after - before for before, after in zip([-1, *seals], seals, strict=False)]
    assert max(lengths[2:]) <= 8
    assert [size - 1 for size, _ in node.store.checkpoints()] == seals
    assert_whole(node)


def test_held_hours_become_free_at_the_first_seal_after_their_time() -> None:
    clock = HandClock()
    node = new_node(clock=clock, parameters=HOLDING)
    record(node, [service(60)])
    assert node.balance(PROVIDER) == Balance(PROVIDER, OPENING_MINUTES, 60, "open", "minute")
    node.seal()
    clock.turn(days=2, hours=23, minutes=59)
    node.seal()
    assert node.balance(PROVIDER) == Balance(PROVIDER, OPENING_MINUTES, 60, "open", "minute")
    clock.turn(minutes=1)
    node.seal()
    assert node.balance(PROVIDER) == Balance(PROVIDER, OPENING_MINUTES + 60, 0, "open", "minute")
    last = list(node.legs(PROVIDER))[-1]
    assert (last.entry_index, last.balance, last.held) == (node.store.size - 1, 60, -60)
    assert_whole(node)


def test_entries_that_point_to_earlier_ones() -> None:
    node = new_node()
    [gone] = record(node, [service(60)])
    node.seal()
    accepted(node.write(MEMBERS[0], [MEMBERS[1]], [Reverse(index=gone.index, reason="twice")]))
    assert outcomes(node.write(MEMBERS[0], [MEMBERS[1]], [Reverse(index=gone.index, reason="twice")])) == [
        "already-reversed"
    ]
    assert minutes_of(node, PROVIDER) == OPENING_MINUTES
    record(node, [AccountClose(account=OTHERS[0], reason="moved", to="pool")])
    assert node.balance(OTHERS[0]) == Balance(OTHERS[0], 0, 0, "closed", "minute")
    node.seal()
    assert_whole(node)


# Promises, receipts, proofs


def test_a_promise_is_the_nodes_word_for_one_entry() -> None:
    node = new_node()
    [result] = record(node, [donation(1)])
    promise, note = open_promise(node.promise(result.index))
    assert (promise.origin, promise.index, promise.leaf_hash) == (ORIGIN, result.index, result.leaf_hash)
    assert promise.genesis == leaf_hash(node.store.entry(0))
    assert [verify_signature(node.vkey, note.text, line) for line in note.signatures] == [True]
    with pytest.raises(IndexError):
        node.promise(node.store.size)


def test_every_sealed_entry_has_a_receipt() -> None:
    node = new_node()
    record(node, [donation(1)] * 20)
    with pytest.raises(NodeError, match="is not under the newest checkpoint, of size 2: seal first"):
        node.receipt(2)
    node.seal()
    sealed = node.store.size
    record(node, [donation(1)])
    for index in range(sealed):
        receipt = parse_entry_receipt(node.receipt(index))
        checkpoint = check_entry_receipt(receipt)
        assert (receipt.index, receipt.extra) == (index, node.store.entry(index))
        assert checkpoint.size == sealed
        note = parse_note(receipt.checkpoint)
        assert any(verify_any(node.vkey, note, line) for line in note.signatures)
    for index, why in ((sealed, "is not under"), (-1, "there is no entry"), (10**6, "there is no entry 1000000")):
        with pytest.raises(NodeError, match=why):
            node.receipt(index)


def assert_proves(raw: bytes, node: Node, balance: int, held: int, seal_index: int) -> None:
    receipt = parse_balance_receipt(raw)
    checkpoint = check_entry_receipt(receipt.seal)
    note = parse_note(receipt.seal.checkpoint)
    assert any(verify_any(node.vkey, note, line) for line in note.signatures)
    assert receipt.seal.index == seal_index < checkpoint.size
    seal = node.entry(seal_index).body
    assert receipt.genesis == node.domain.genesis
    check_balance_leaf(receipt, seal.accounts, seal.state)
    leaf = json.loads(receipt.leaf)
    assert (leaf["balance"], leaf["held"]) == (balance, held)


def test_a_balance_receipt_is_of_the_newest_seal_whatever_came_after() -> None:
    node = new_node()
    with pytest.raises(NodeError, match="was opened after the newest seal"):
        node.balance_receipt(PROVIDER)
    with pytest.raises(NodeError, match="there is no account 99999999"):
        node.balance_receipt("99999999")
    assert_proves(node.balance_receipt("issue"), node, 0, 0, 1)
    record(node, [service(60)])
    node.seal()
    first_seal = node.store.size - 1
    early = node.balance_receipt(PROVIDER)
    assert_proves(early, node, OPENING_MINUTES + 60, 0, first_seal)
    record(node, [donation(7), service(3)])
    assert node.balance_receipt(PROVIDER) == early
    reopened = Node(node.store, KEYS, HandClock())
    assert_proves(reopened.balance_receipt(PROVIDER), node, OPENING_MINUTES + 60, 0, first_seal)
    node.seal()
    assert_proves(node.balance_receipt(PROVIDER), node, OPENING_MINUTES + 56, 0, node.store.size - 1)
    assert_proves(early, node, OPENING_MINUTES + 60, 0, first_seal)
    for account in node.balances():
        assert_proves(node.balance_receipt(account.account), node, account.balance, 0, node.store.size - 1)


def test_balance_receipts_after_a_failure_are_of_the_newest_seal_too() -> None:
    node = new_node()
    record(node, [service(60)])
    node.seal()
    receipt = node.balance_receipt(PROVIDER)
    record(node, [donation(5)])
    with pytest.raises(RuntimeError), node._whole():
        raise RuntimeError
    assert node.balance_receipt(PROVIDER) == receipt


def test_each_checkpoint_goes_on_from_those_before() -> None:
    node = new_node()
    for count in range(1, 6):
        record(node, [donation(1)] * count)
        node.seal()
    newest, _ = open_checkpoint(node.checkpoint())
    for size, raw in node.store.checkpoints():
        older, _ = open_checkpoint(raw)
        check_consistency(size, newest.size, older.root, newest.root, node.consistency(size))


# Cosignatures


def cosigned(node: Node, *lines: NoteSignature) -> bytes:
    _, note = open_checkpoint(node.checkpoint())
    return format_note(add_signatures(note, *lines))


def test_a_members_cosignature_is_kept_and_counted_once() -> None:
    node = new_node()
    node.seal()
    checkpoint, _ = open_checkpoint(node.checkpoint())
    name = member_name(ORIGIN, MEMBERS[0].id)
    line = cosign_ed25519(checkpoint, name, MEMBERS[0], 1_772_611_200)
    assert node.cosign(cosigned(node, line)) == 1
    assert node.cosign(cosigned(node)) == 0
    assert line in open_checkpoint(node.checkpoint())[1].signatures
    vkey = make_vkey(name, COSIGNATURE_ED25519, MEMBERS[0].public)
    note = parse_note(node.checkpoint())
    assert any(verify_any(vkey, note, found) for found in note.signatures)
    strange = cosign_ed25519(checkpoint, "witness.example", STRANGER, 1)
    assert node.cosign(cosigned(node, strange)) == 1
    assert_whole(node)


def over(checkpoint: Checkpoint, raw: bytes) -> bytes:
    """The signatures of a note under another checkpoint."""
    return format_note(dataclasses.replace(parse_note(raw), text=format_checkpoint_text(checkpoint)))


def test_a_cosignature_that_does_not_verify_is_refused() -> None:
    node = new_node()
    checkpoint, _ = open_checkpoint(node.checkpoint())
    before = node.checkpoint()
    line = cosign_ed25519(checkpoint, member_name(ORIGIN, MEMBERS[0].id), MEMBERS[0], 1)
    broken = dataclasses.replace(line, signature=line.signature[:-1] + bytes([line.signature[-1] ^ 1]))
    with pytest.raises(NodeError, match="does not verify"):
        node.cosign(cosigned(node, broken))
    with pytest.raises(NodeError, match="is another than this ledger's"):
        node.cosign(over(Checkpoint(ORIGIN, 2, bytes(32)), before))
    with pytest.raises(NodeError, match="no checkpoint of size 1"):
        node.cosign(over(Checkpoint(ORIGIN, 1, checkpoint.root), before))
    assert node.checkpoint() == before


# A home


def test_a_home_opens_as_it_was_left(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home", b"passphrase")
    with open_home(home, b"passphrase") as node:
        record(node, [service(60)])
        node.seal()
        record(node, [donation(1)])
        state, held, vkey = freeze(node.state), contents(node.store), node.vkey
    for writes in (True, False, True):
        with open_home(home, b"passphrase", writes=writes) as node:
            assert freeze(node.state) == state
            assert contents(node.store) == held
            assert node.vkey == vkey
            assert_whole(node)


def test_a_home_has_an_mldsa_key_that_genesis_names(tmp_path: Path) -> None:
    with open_home(new_home(tmp_path / "home")) as node:
        node.seal()
        _, note = open_checkpoint(node.checkpoint())
        assert len(note.signatures) == 2
        assert node.entry(0).body.mldsa is not None
        assert_whole(node)


def test_a_wrong_passphrase_opens_nothing_and_reading_needs_none(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home", b"passphrase")
    for passphrase in (None, b"wrong"):
        with pytest.raises(StoreError), open_home(home, passphrase):
            pass
    with open_home(home, None, writes=False) as node:
        assert node.store.size == 14
        with pytest.raises(NodeError, match="opened for reading only"):
            node.promise(0)


def test_genesis_and_keys_show_no_secret(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    raw = (home / "ledger.db").read_bytes()
    for key in (CLERK, *MEMBERS):
        assert key.seed not in raw and base64.b64encode(key.seed) not in raw
        assert key.seed.hex() not in repr(key)


def test_a_day_in_one_home_step_by_step(tmp_path: Path) -> None:
    """Found, record, seal, restart, correct, seal, prove: and the audit finds nothing."""
    home, clock = new_home(tmp_path / "home", parameters=HOLDING), HandClock()
    with open_home(home, clock=clock) as node:
        results = node.write(CLERK, [MEMBERS[0]], [service(60), service(30), service(241)])
        assert outcomes(results) == ["accepted", "accepted", "bad-interval"]
        clock.turn(hours=10)
        node.seal()
    clock.turn(days=4)
    with open_home(home, clock=clock) as node:
        assert isinstance(results[1], Accepted)
        accepted(node.write(MEMBERS[1], [MEMBERS[2]], [Reverse(index=results[1].index, reason="not so")]))
        node.seal()
        assert node.balance(PROVIDER) == Balance(PROVIDER, OPENING_MINUTES + 60, 0, "open", "minute")
        assert_proves(node.balance_receipt(PROVIDER), node, OPENING_MINUTES + 60, 0, node.store.size - 1)
        assert_whole(node)


def test_refusals_carry_a_detail_where_there_is_one() -> None:
    node = new_node()
    [refused] = node.write(STRANGER, [], [donation(1)])
    assert isinstance(refused, Refused) and "not on the log" in refused.detail


# A home that others write too


def shared(home: Path) -> SharedNode:
    return SharedNode(home, clock=HandClock())


def test_a_shared_node_takes_up_what_others_wrote(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    held = shared(home)
    for round_number in range(3):
        with held.batch() as node:
            record(node, [service(60), donation(1)])
            opened = node
        with open_home(home) as other:
            record(other, [donation(2)] * 3)
            if round_number:
                other.seal()
            expected = contents(other.store)
        with held.batch() as node:
            assert node is opened
            assert contents(node.store) == expected
            assert_whole(node)
    held.close()


def test_a_shared_node_finishes_what_others_left_without_a_signature(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    held = shared(home)
    with held.batch() as node:
        record(node, [service(60)])
    with open_home(home) as other:
        other.seal(durable=False)
        other._unsigned.clear()
        other.commit()
        size = other.store.size
        assert open_checkpoint(other.checkpoint())[0].size == 2
    with held.batch() as node:
        assert open_checkpoint(node.checkpoint())[0].size == size
        assert_whole(node)
    held.close()


def test_a_shared_node_takes_up_new_keys_and_a_restored_file(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    held = shared(home)
    with held.batch() as node:
        record(node, [service(60)])
        first = node.vkey
    copied = (home / "ledger.db").read_bytes()
    Node.rotate(home, MEMBERS[:2], None, clock=HandClock())
    with held.batch() as node:
        assert node.vkey != first
        node.seal()
        assert_whole(node)
    (home / "restored.db").write_bytes(copied)
    for suffix in ("-wal", "-shm"):
        (home / f"ledger.db{suffix}").unlink(missing_ok=True)
    (home / "restored.db").replace(home / "ledger.db")
    with pytest.raises(NodeError, match="another key"), held.batch() as node:
        node.seal()
    held.close()


def test_a_batch_that_fails_leaves_nothing_and_the_next_goes_on(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    held = shared(home)
    with pytest.raises(RuntimeError), held.batch() as node:
        node.submit(presigned(node, [donation(1)]), durable=False)
        raise RuntimeError
    with held.batch() as node:
        assert node.store.size == 14
        record(node, [donation(1)])
        assert_whole(node)
    held.close()


def test_while_a_batch_is_written_nobody_else_writes(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    held = shared(home)
    with held.batch(), pytest.raises(StoreError, match="another process writes"), open_home(home):
        pass
    with open_home(home), pytest.raises(StoreError, match="another process writes"), held.batch():
        pass
    with open_home(home) as node:
        record(node, [donation(1)])
    held.close()


# The node changes its keys


def assert_goes_on(home: Path, pin: VerifierKey) -> VerifierKey:
    """The home opens, records, seals, and the audit finds nothing against the pinned key; the key in force."""
    with open_home(home) as node:
        record(node, [donation(1)])
        node.seal()
        assert not list((home / "keys").glob("*next*"))
        _, note = open_checkpoint(node.checkpoint())
        assert len(note.signatures) == 2
        entries = list(node.store.entries(0, node.store.size))
        source = MemorySource(ORIGIN, entries, list(node.store.checkpoints()))
        report = audit_ledger(source, Trust(Policy((pin,), (), (), NO_QUORUM)))
        assert report.findings == [] and report.is_pinned
        assert_whole(node)
        return node.vkey


def test_after_a_rotation_the_first_key_stays_the_pin(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    with open_home(home) as node:
        node.seal()
        first, promise = node.vkey, node.promise(0)
    for _time in range(2):
        before = (home / "keys" / NODE_MLDSA_KEY).read_bytes()
        new = Node.rotate(home, MEMBERS[:2], None, clock=HandClock())
        assert (home / "keys" / NODE_MLDSA_KEY).read_bytes() != before
        vkey = assert_goes_on(home, first)
        with open_home(home) as node:
            assert node.state.roster.node == new
            assert vkey == node.vkey != first
            receipt = node.balance_receipt(PROVIDER)
            assert check_receipt(receipt, Policy((first, vkey), (), (), NO_QUORUM)).balance is not None
    _promise, note = open_promise(promise)
    assert verify_signature(first, note.text, note.signatures[0])


@pytest.mark.parametrize(
    ("members", "why"),
    [(MEMBERS[:1], "needs-second"), ((CLERK, MEMBERS[0]), "not-allowed"), ((MEMBERS[0], STRANGER), "unknown-key")],
)
def test_a_rotation_that_is_refused_leaves_the_keys(
    members: tuple[SigningKey, ...], why: str, tmp_path: Path
) -> None:
    home = new_home(tmp_path / "home")
    with open_home(home) as node:
        vkey = node.vkey
    with pytest.raises(NodeError, match=f"the node's key cannot be changed: .*{why}"):
        Node.rotate(home, members, None, clock=HandClock())
    assert assert_goes_on(home, vkey) == vkey


class Killed(BaseException):
    """Stands for the end of the process: nobody handles it."""


def killed_between_the_key_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def write_one_key(path: Path, *rest: Any) -> None:
        if path.name == NEXT_MLDSA_KEY:
            raise Killed
        write_key(path, *rest)

    monkeypatch.setattr("node.write_key", write_one_key)


def killed_before_the_log_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def commit(_store: SqliteStore) -> None:
        raise Killed

    monkeypatch.setattr(SqliteStore, "commit", commit)


def killed_when_the_log_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(node: Node, *words: Any) -> None:
        accepted(real_write(node, *words))
        raise Killed

    real_write = Node.write
    monkeypatch.setattr(Node, "write", write)


def killed_between_the_two_renames(monkeypatch: pytest.MonkeyPatch) -> None:
    def promote(home: Home) -> None:
        (home.keys / NEXT_MLDSA_KEY).replace(home.keys / NODE_MLDSA_KEY)
        raise Killed

    monkeypatch.setattr(Home, "promote_next_keys", promote)


def killed_before_the_seal(monkeypatch: pytest.MonkeyPatch) -> None:
    def seal(*_words: Any) -> None:
        raise Killed

    monkeypatch.setattr(Node, "seal", seal)


@pytest.mark.parametrize(
    ("kill", "is_rotated"),
    [
        (killed_between_the_key_files, False),
        (killed_before_the_log_names_them, False),
        (killed_when_the_log_names_them, True),
        (killed_between_the_two_renames, True),
        (killed_before_the_seal, True),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_rotation_that_was_killed_is_mended_by_the_next_opening(
    kill: Callable[[pytest.MonkeyPatch], None], is_rotated: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = new_home(tmp_path / "home")
    with open_home(home) as node:
        first = node.vkey
    with monkeypatch.context() as patched, pytest.raises(Killed):
        kill(patched)
        Node.rotate(home, MEMBERS[:2], None, clock=HandClock())
    with open_home(home, writes=False) as node:
        assert (node.vkey != first) == is_rotated
    vkey = assert_goes_on(home, first)
    assert (vkey != first) == is_rotated
    Node.rotate(home, MEMBERS[:2], None, clock=HandClock())
    assert assert_goes_on(home, first) not in (first, vkey)
