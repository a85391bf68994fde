"""What proves an entry of another ledger, and what proves nothing: whatever the bytes, never an exception."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint, strip_cosignatures
from chain.cosignature import cosign_ed25519
from chain.errors import EntryError, NoteError
from chain.limits import ADMISSIONS_MAX, BLOB_MAX_BYTES
from chain.note import Note, add_signatures, format_note, parse_vkey, sign_note_ed25519
from chain.receipt import format_entry_receipt, parse_entry_receipt, without_cosignatures
from ledger.kinds import CODEC
from ledger.numbers import format_address, parse_address
from ledger.proofs import Proof, check_proof, parse_proof, trusted_keys
from ledger.state import Admission, State
from tests.ledger.travel import admitted, made_entry, made_proof, sent
from tests.scenarios.village import Plain, b64, key_of, number_of, vkey_of

EAST, TOWN, COUNTY = "east.example/huzhu", "town.example/huzhu", "county.example/huzhu"
ENTRY = sent(f"village.example/huzhu#{number_of('li')}")
PROOF = made_proof(EAST, "east", ENTRY, index=5, others=7)
ADMISSIONS = (
    made_proof(COUNTY, "county", admitted(TOWN, "town", "township"), index=3, others=2),
    made_proof(TOWN, "town", admitted(EAST, "east"), index=2),
)
TRUSTED = (vkey_of(COUNTY, "county"),)


def proves(proof: bytes, admissions: Sequence[bytes] = ADMISSIONS, trusted: Sequence[str] = TRUSTED) -> bool:
    return check_proof(proof, admissions, trusted) is not None


def test_a_proof_says_which_entry_is_where() -> None:
    found = check_proof(PROOF, ADMISSIONS, TRUSTED)

    assert found is not None
    assert (found.origin, found.index, found.entry.kind, found.entry.body.minutes) == (EAST, 5, "transfer_out", 60)
    assert parse_proof(PROOF) == found


def test_admissions_lead_from_a_trusted_log_to_that_of_the_proof() -> None:
    assert proves(PROOF, (), [vkey_of(EAST, "east")])
    assert proves(PROOF, ADMISSIONS[1:], [vkey_of(TOWN, "old"), vkey_of(TOWN, "town")])
    assert not proves(PROOF, (), TRUSTED)
    assert not proves(PROOF, ADMISSIONS[::-1])
    assert not proves(PROOF, ADMISSIONS[:1])
    assert not proves(PROOF, ADMISSIONS, ())
    assert not proves(PROOF, ADMISSIONS, [vkey_of(COUNTY, "town")])
    assert not proves(PROOF, (*ADMISSIONS, PROOF)), "a transfer admits nobody"
    assert proves(ADMISSIONS[1], ADMISSIONS[:1]), "of whom a proof may be, the rules ask"
    assert not proves(PROOF, ADMISSIONS[1:]), "town signs, and nobody trusts it"


@pytest.mark.parametrize(
    ("tiers", "is_proven"),
    [
        (("county", "township", "village"), True),
        (("township", "village"), True),
        (("village",), True),
        (("village", "county"), False),
        (("county", "village"), False),
        (("village", "village"), False),
        (("township", "township"), False),
        (("village",) * ADMISSIONS_MAX, False),
        (("village",) * (ADMISSIONS_MAX + 1), False),
    ],
)
def test_each_admits_the_tier_below_the_one_it_was_admitted_to(tiers: tuple[str, ...], is_proven: bool) -> None:
    """Whoever was admitted as a village cannot bring in a county."""
    keys = [f"log{place}" for place in range(len(tiers) + 1)]
    origins = [f"{key}.example/huzhu" for key in keys]
    chain = [
        made_proof(origins[place], keys[place], admitted(origins[place + 1], keys[place + 1], tier))
        for place, tier in enumerate(tiers)
    ]
    trusted = [vkey_of(origins[0], keys[0])]

    assert bool(proves(made_proof(origins[-1], keys[-1], ENTRY), chain, trusted)) == is_proven


def test_a_proof_is_an_entry_of_a_known_kind_in_its_one_form() -> None:
    own, donation = [vkey_of(EAST, "east")], made_entry("donate", {"from": number_of("wang"), "minutes": 1})

    assert not proves(made_proof(EAST, "east", donation), (), own)
    assert not proves(made_proof(EAST, "east", ENTRY.replace(b'"seq":1', b'"seq": 1')), (), own)
    assert not proves(made_proof(EAST, "east", b"x"), (), own)
    assert not proves(made_proof(EAST, "east", b"\xff" * 30_000), (), own), "longer than a blob"
    assert not proves(b"x" * (BLOB_MAX_BYTES + 1), (), own)


def test_a_blob_has_so_many_bytes_and_no_more() -> None:
    """Nor are there more admissions: such an entry is refused before anybody looks into it."""
    transfer: Plain = {"minutes": 60, "proof": b64(PROOF), "to": number_of("li")}
    for fields in ({"proof": b64(bytes(BLOB_MAX_BYTES))}, {"admissions": ["AA=="] * ADMISSIONS_MAX}):
        CODEC.parse(made_entry("transfer_in", {"admissions": []} | transfer | fields))
    for fields in (
        {"proof": b64(bytes(BLOB_MAX_BYTES + 1))},
        {"proof": ""},
        {"admissions": ["AA=="] * (ADMISSIONS_MAX + 1)},
        {"admissions": [""]},
    ):
        with pytest.raises(EntryError) as caught:
            CODEC.parse(made_entry("transfer_in", {"admissions": []} | transfer | fields))
        assert caught.value.code == "entry.malformed"


def test_cosignatures_are_left_out() -> None:
    """One checkpoint, one proof: what others have signed beside is not under the node's signature."""
    receipt = parse_entry_receipt(PROOF)
    checkpoint, note = open_checkpoint(receipt.checkpoint)
    cosigned = add_signatures(note, cosign_ed25519(checkpoint, "witness.example", key_of("witness"), 1_700_000_000))
    with_more = replace(receipt, checkpoint=format_note(cosigned))

    assert not proves(format_entry_receipt(with_more))
    assert without_cosignatures(with_more, parse_vkey(vkey_of(EAST, "east"))) == receipt
    with pytest.raises(NoteError, match="no signature by the key"):
        without_cosignatures(with_more, parse_vkey(vkey_of(EAST, "other")))
    with pytest.raises(NoteError, match="no signature by the key"):
        strip_cosignatures(receipt.checkpoint, parse_vkey(vkey_of(TOWN, "east")))


def test_a_key_signs_for_the_ledger_that_it_is_named_for() -> None:
    """The node's line is named like the origin of the checkpoint: a key admitted for one ledger proves no other."""
    note = sign_checkpoint(Checkpoint(EAST, 1, bytes(32)), key_of("town"))
    receipt = replace(parse_entry_receipt(PROOF), checkpoint=format_note(note), index=0, path=())

    assert not proves(format_entry_receipt(receipt), ADMISSIONS[:1])
    assert not proves(made_proof(EAST, "town", ENTRY), ADMISSIONS[:1])
    honest = parse_entry_receipt(PROOF)
    text = open_checkpoint(honest.checkpoint)[1].text
    lines = (sign_note_ed25519(text, TOWN, key_of("town")),)
    under_its_own_name = replace(honest, checkpoint=format_note(Note(text, lines)))
    assert not proves(format_entry_receipt(under_its_own_name), ADMISSIONS[:1]), "the text is of another ledger"


def test_one_more_and_one_less_of_every_number() -> None:
    receipt = parse_entry_receipt(PROOF)
    for wrong in (
        replace(receipt, index=receipt.index + 1),
        replace(receipt, index=receipt.index - 1),
        replace(receipt, path=receipt.path[:-1]),
        replace(receipt, path=(*receipt.path, bytes(32))),
        replace(receipt, path=receipt.path[::-1]),
        replace(receipt, extra=receipt.extra.replace(b":60,", b":61,")),
    ):
        assert wrong != receipt
        assert not proves(format_entry_receipt(wrong))


def mangled(raw: bytes) -> Iterator[bytes]:
    """Every byte flipped, every line left out, cut at every place, and something behind it."""
    for place in range(len(raw)):
        yield raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        yield raw[:place]
    lines = raw.splitlines(keepends=True)
    for place in range(len(lines)):
        yield b"".join(lines[:place] + lines[place + 1 :])
        yield b"".join(lines[: place + 1] + lines[place:])
    yield raw + b"\n"
    yield raw.replace(b"\n", b"\r\n")


def test_mangled_proofs_and_admissions_prove_nothing() -> None:
    assert [place for place, wrong in enumerate(mangled(PROOF)) if proves(wrong)] == []
    for position, admission in enumerate(ADMISSIONS):
        for wrong in mangled(admission):
            assert not proves(PROOF, (*ADMISSIONS[:position], wrong, *ADMISSIONS[position + 1 :]))


@settings(max_examples=200)
@given(st.binary(max_size=200), st.integers(0, len(PROOF)), st.integers(0, 300))
def test_whatever_stands_in_a_proof_it_is_answered(raw: bytes, start: int, length: int) -> None:
    wrong = PROOF[:start] + raw + PROOF[start + length :]
    assert proves(wrong) is (wrong == PROOF)
    assert not proves(PROOF, (raw,))
    assert parse_proof(raw) is None


def test_trust_begins_with_the_parameters_the_parent_and_those_we_admit() -> None:
    state = State()
    assert trusted_keys(state) == ()
    state.parent, state.parent_vkey = TOWN, vkey_of(TOWN, "town")
    state.admitted[EAST] = Admission(3, vkey_of(EAST, "east"), "village")
    assert trusted_keys(state) == (vkey_of(TOWN, "town"), vkey_of(EAST, "east"))


@pytest.mark.parametrize(
    "text",
    [
        "", "#", EAST, f"{EAST}#", f"#{number_of('li')}", f"{EAST}#1234567", f"{EAST}#123456789", f"{EAST}#12345678",
        f"{EAST}#{number_of('li')} ", f"{EAST}##{number_of('li')}", f"East.example#{number_of('li')}", f"{EAST}#pool",
        f"{EAST}#١٢٣٤٥٦٧٨", f"huzhu/x.y#{number_of('li')}", f"{'a' * 199}.b#{number_of('li')}",
    ],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    assert parse_address(text) is None


def test_an_address_is_an_origin_and_an_account() -> None:
    address = format_address(EAST, number_of("li"))
    assert parse_address(address) == (EAST, number_of("li"))


def test_proofs_compare_by_what_they_say() -> None:
    later = made_proof(EAST, "east", ENTRY, index=5, others=40)
    assert later != PROOF
    assert isinstance(parse_proof(later), Proof)
    assert parse_proof(later) == parse_proof(PROOF)
