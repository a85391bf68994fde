"""Sheets: what a signature is over, where a path leads, and that neither can be moved to another place."""

import base64
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.entry import Entry, SheetPlace, Signature, Statement, format_statement, statement_of
from chain.errors import ChainError, EntryError, ProofError
from chain.fields import parse_time
from chain.keys import SigningKey, verify_ed25519
from chain.merkle import leaf_hash, levels_of, path_in, root_from_inclusion, root_of
from chain.sheet import NO_GENESIS, SheetDomain, SheetRoots, sign_sheet
from ledger.bodies import Gift
from ledger.kinds import CODEC

AUTHOR = SigningKey(bytes([1]) * 32)
BESIDE = sorted((SigningKey(bytes([number]) * 32) for number in (2, 3)), key=lambda key: key.id)
STRANGER = SigningKey(bytes([9]) * 32)
PUBLIC = {key.id: key.public for key in (AUTHOR, *BESIDE, STRANGER)}
ORIGIN = "village.example/huzhu"
GENESIS = bytes(range(32))
DOMAIN = SheetDomain(ORIGIN, GENESIS)
AT = parse_time("2026-03-04T05:06:07Z")


def statements(count: int, beside: list[SigningKey] | None = None, by: SigningKey = AUTHOR) -> list[bytes]:
    """So many different statements."""
    ids = tuple(key.id for key in (BESIDE if beside is None else beside))
    return [
        format_statement(
            Statement(
                at=AT,
                body=Gift(giver="00000097", minutes=number + 1, to="00000194"),
                by=by.id,
                kind="gift",
                seq=number,
                beside=ids,
            )
        )
        for number in range(count)
    ]


def entry_at(place: SheetPlace | None) -> Entry[Any]:
    """An entry of which only its place matters."""
    gift = Gift(giver="00000097", minutes=1, to="00000194")
    return Entry(at=AT, body=gift, by=AUTHOR.id, kind="gift", seq=0, sheet=place, sigs=(), v=1)


def verdict(raw: bytes, domain: SheetDomain = DOMAIN, roots: SheetRoots | None = None) -> str | None:
    """What a reader finds who knows the keys: a code, or None."""
    try:
        entry = CODEC.parse(raw)
    except EntryError as error:
        return error.code
    try:
        size, root = (roots or SheetRoots()).root(leaf_hash(statement_of(raw, entry)), entry)
    except ProofError:
        return "entry.sheet"
    as_author, as_beside = domain.messages(entry.by, size, root)
    for place, signature in enumerate(entry.sigs):
        message = as_beside if place else as_author
        if not verify_ed25519(PUBLIC[signature.key], message, signature.sig):
            return "entry.signature"
    return None


def edited(raw: bytes, **fields: Any) -> bytes:
    """The entry with other fields; one of None is left out."""
    plain = {**json.loads(raw), **fields}
    plain = {name: value for name, value in plain.items() if value is not None}
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


# What is signed


def test_the_two_messages_are_those_of_the_format() -> None:
    root = bytes([7]) * 32
    lines = [ORIGIN, base64.b64encode(GENESIS).decode(), AUTHOR.id, "12", base64.b64encode(root).decode(), ""]
    as_author, as_beside = DOMAIN.messages(AUTHOR.id, 12, root)
    assert as_author.decode() == "\n".join(["huzhu/sheet/v1", *lines])
    assert as_beside.decode() == "\n".join(["huzhu/beside/v1", *lines])


def test_entry_0_is_signed_with_32_zero_bytes_for_the_genesis() -> None:
    as_author, _ = SheetDomain(ORIGIN).messages(AUTHOR.id, 1, bytes(32))
    assert as_author.split(b"\n")[2] == base64.b64encode(bytes(32)) == base64.b64encode(NO_GENESIS)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 1_024])
def test_every_entry_of_a_sheet_stands_alone(count: int) -> None:
    sheet = sign_sheet(DOMAIN, statements(count), AUTHOR, BESIDE[::-1])
    entries = sheet.entries()
    assert len(entries) == count
    for index, raw in enumerate(entries):
        entry = CODEC.parse(raw)
        assert statement_of(raw, entry) == sheet.statements[index]
        assert (entry.sheet is None) == (count == 1)
        assert [signature.key for signature in entry.sigs] == [AUTHOR.id, *(key.id for key in BESIDE)]
    for raw in entries[:3] + entries[-3:]:
        assert verdict(raw) is None


@pytest.mark.parametrize("count", [0, 1_025])
def test_sheets_have_1_to_1024_statements(count: int) -> None:
    with pytest.raises(ChainError):
        sign_sheet(DOMAIN, [b"statement"] * count, AUTHOR)


OTHER_DOMAINS = {
    "other-origin": SheetDomain("other.example/huzhu", GENESIS),
    "origin-cut-off": SheetDomain("village.example", GENESIS),
    "other-genesis": SheetDomain(ORIGIN, GENESIS[::-1]),
    "no-genesis": SheetDomain(ORIGIN),
}


@pytest.mark.parametrize("domain", OTHER_DOMAINS.values(), ids=OTHER_DOMAINS)
@pytest.mark.parametrize("count", [1, 3])
def test_a_sheet_is_for_one_ledger(domain: SheetDomain, count: int) -> None:
    for raw in sign_sheet(DOMAIN, statements(count), AUTHOR, BESIDE).entries():
        assert verdict(raw) is None
        assert verdict(raw, domain) == "entry.signature"


def test_whoever_signs_beside_has_not_signed_as_an_author() -> None:
    """The sheet of BESIDE[0] with the signature that BESIDE[0] gave beside AUTHOR's."""
    _, as_beside = DOMAIN.messages(AUTHOR.id, 1, leaf_hash(statements(1)[0]))
    [own] = statements(1, [], BESIDE[0])
    for message in (as_beside, DOMAIN.messages(BESIDE[0].id, 1, leaf_hash(own))[1]):
        given_beside = Signature(BESIDE[0].id, BESIDE[0].sign(message))
        moved = edited(own, sigs=[{"key": given_beside.key, "sig": base64.b64encode(given_beside.sig).decode()}])
        assert verdict(moved) == "entry.signature"


def test_whoever_signs_as_an_author_has_not_signed_beside() -> None:
    [raw] = sign_sheet(DOMAIN, statements(1), AUTHOR, BESIDE).entries()
    as_author, _ = DOMAIN.messages(AUTHOR.id, 1, leaf_hash(statements(1)[0]))
    sigs = json.loads(raw)["sigs"]
    sigs[1]["sig"] = base64.b64encode(BESIDE[0].sign(as_author)).decode()
    assert verdict(edited(raw, sigs=sigs)) == "entry.signature"


def test_a_stripped_or_swapped_certifier_is_found() -> None:
    [raw] = sign_sheet(DOMAIN, statements(1), AUTHOR, BESIDE).entries()
    sigs, beside = json.loads(raw)["sigs"], json.loads(raw)["with"]
    assert verdict(edited(raw, sigs=sigs[:2])) == "entry.malformed"
    assert verdict(edited(raw, sigs=sigs[:2], **{"with": beside[:1]})) == "entry.signature"
    assert verdict(edited(raw, sigs=sigs[:1], **{"with": None})) == "entry.signature"
    other = [sigs[0], {**sigs[1], "sig": sigs[2]["sig"]}, {**sigs[2], "sig": sigs[1]["sig"]}]
    assert verdict(edited(raw, sigs=other)) == "entry.signature"
    replaced = sorted([STRANGER.id, beside[1]])
    strangers = [sigs[0]] + [{"key": key, "sig": sigs[2]["sig"]} for key in replaced]
    assert verdict(edited(raw, sigs=strangers, **{"with": replaced})) == "entry.signature"


def test_a_signature_moved_to_another_statement_is_found() -> None:
    one, two = (sign_sheet(DOMAIN, [raw], AUTHOR, BESIDE).entries()[0] for raw in statements(2))
    assert verdict(edited(one, sigs=json.loads(two)["sigs"])) == "entry.signature"


# The place on the sheet


def test_every_changed_place_is_found() -> None:
    entries = sign_sheet(DOMAIN, statements(7), AUTHOR, BESIDE).entries()
    for raw in entries:
        place = json.loads(raw)["sheet"]
        index, path, size = place["index"], place["path"], place["size"]
        zero = base64.b64encode(bytes(32)).decode()
        for other in range(9):
            if other != index:
                bad = verdict(edited(raw, sheet={**place, "index": other}))
                assert bad in ("entry.sheet", "entry.signature")
        for other in (2, 3, 6, 8, 9, 1_024):
            assert verdict(edited(raw, sheet={**place, "size": other})) in ("entry.sheet", "entry.signature")
        assert verdict(edited(raw, sheet=None)) == "entry.signature"
        for bad_path in ([*path, zero], path[:-1], [], [zero] * 63):
            assert verdict(edited(raw, sheet={**place, "path": bad_path})) == "entry.sheet"
        for step in range(len(path)):
            bad_path = [*path[:step], zero, *path[step + 1 :]]
            assert verdict(edited(raw, sheet={**place, "path": bad_path})) == "entry.signature"
        if len(set(path)) > 1:
            assert verdict(edited(raw, sheet={**place, "path": path[::-1]})) == "entry.signature"
        assert verdict(edited(raw, sheet={"index": index, "path": path, "size": size})) is None


def test_an_inner_node_is_no_statement() -> None:
    """The sheet of two read as one of 64 bytes: leaves and nodes are hashed apart."""
    pair = [leaf_hash(raw) for raw in statements(2)]
    assert root_of(pair) != leaf_hash(b"".join(pair))


# The climber against the plain climb


def expected(statement_hash: bytes, place: SheetPlace | None) -> tuple[int, bytes] | None:
    if place is None:
        return 1, statement_hash
    try:
        return place.size, root_from_inclusion(statement_hash, place.index, place.size, place.path)
    except ProofError:
        return None


def climbed(roots: SheetRoots, statement_hash: bytes, place: SheetPlace | None) -> tuple[int, bytes] | None:
    try:
        return roots.root(statement_hash, entry_at(place))
    except ProofError:
        return None


def leaves_of(count: int, seed: int) -> list[bytes]:
    return [leaf_hash(b"%d/%d" % (seed, number)) for number in range(count)]


@pytest.mark.parametrize("size", range(2, 71))
def test_the_climber_ends_where_the_plain_climb_ends(size: int) -> None:
    leaves = leaves_of(size, 0)
    levels = levels_of(leaves)
    places = [SheetPlace(index, tuple(path_in(levels, index)), size) for index in range(size)]
    chance = random.Random(size)
    shuffled = list(range(size))
    chance.shuffle(shuffled)
    for order in (range(size), range(size - 1, -1, -1), shuffled, [index for index in shuffled for _ in range(2)]):
        roots = SheetRoots()
        for index in order:
            assert climbed(roots, leaves[index], places[index]) == (size, levels[-1][0])


@pytest.mark.parametrize("size", range(2, 71))
def test_the_climber_is_never_led_astray_by_what_it_saw_before(size: int) -> None:
    """Good and bad places in any order: each answer is what the plain climb says of this place alone."""
    chance = random.Random(1_000 + size)
    leaves, other_leaves = leaves_of(size, 1), leaves_of(size, 2)
    levels, other_levels = levels_of(leaves), levels_of(other_leaves)
    good = [(leaves[index], SheetPlace(index, tuple(path_in(levels, index)), size)) for index in range(size)]
    other = [(other_leaves[i], SheetPlace(i, tuple(path_in(other_levels, i)), size)) for i in range(size)]
    roots = SheetRoots()
    for _ in range(150):
        statement_hash, place = chance.choice(good if chance.random() < 0.7 else other)
        if chance.random() < 0.6:
            statement_hash, place = spoiled(statement_hash, place, chance, other_leaves)
        assert climbed(roots, statement_hash, place) == expected(statement_hash, place)


def spoiled(
    statement_hash: bytes, place: SheetPlace, chance: random.Random, hashes: list[bytes]
) -> tuple[bytes, SheetPlace]:
    path, index, size = list(place.path), place.index, place.size
    match chance.randrange(7):
        case 0:
            statement_hash = chance.choice(hashes)
        case 1:
            path[chance.randrange(len(path))] = chance.choice(hashes)
        case 2:
            path.pop(chance.randrange(len(path)))
        case 3:
            path.insert(chance.randint(0, len(path)), chance.choice(hashes))
        case 4:
            index = chance.choice([index ^ 1, index + 1, abs(index - 1), size, size - 1, 0, 2**53 - 1])
        case 5:
            size = max(2, size + chance.choice([-2, -1, 1, 2]))
        case _:
            chance.shuffle(path)
    return statement_hash, SheetPlace(index, tuple(path), size)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(2, 9), st.integers(0, 9), st.integers(0, 40)), max_size=30))
def test_small_sheets_mixed_in_any_order(steps: list[tuple[int, int, int]]) -> None:
    """Two sheets of each size; some places carry a hash of the other one."""
    roots = SheetRoots()
    for size, index, twist in steps:
        seed, step = twist % 2, twist // 4
        leaves = leaves_of(size, seed)
        path = path_in(levels_of(leaves), min(index, size - 1))
        if twist & 2:
            path[step % len(path)] = levels_of(leaves_of(size, 1 - seed))[0][0]
        place = SheetPlace(index, tuple(path), size)
        hashed = leaves[min(index, size - 1)]
        assert climbed(roots, hashed, place) == expected(hashed, place)


def test_entries_without_a_sheet_between_those_of_one() -> None:
    entries = sign_sheet(DOMAIN, statements(5), AUTHOR, BESIDE).entries()
    [alone] = sign_sheet(DOMAIN, statements(1), AUTHOR, BESIDE).entries()
    roots = SheetRoots()
    for raw in (entries[0], alone, entries[1], alone, entries[1], entries[4], entries[0]):
        assert verdict(raw, roots=roots) is None
