"""Policies: what an auditor writes down about whom to trust."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.checkpoint import Checkpoint, sign_checkpoint
from chain.cosignature import cosign_ed25519, cosign_mldsa44
from chain.errors import NoteError
from chain.keys import MldsaSigningKey, SigningKey
from chain.note import COSIGNATURE_ED25519, COSIGNATURE_MLDSA44, ED25519, NoteSignature, format_vkey, make_vkey
from chain.policy import (
    POLICY_MAX_BYTES,
    POLICY_MAX_GROUPS,
    POLICY_MAX_LOGS,
    POLICY_MAX_WITNESSES,
    Group,
    Policy,
    cosigned_names,
    format_policy,
    parse_policy,
    quorum_met,
)
from tests.chain.helpers import MLDSA_KEY, NODE_KEY, ORIGIN, flipped

LOG = make_vkey(ORIGIN, ED25519, NODE_KEY.public)
LOG_MLDSA = make_vkey(ORIGIN, COSIGNATURE_MLDSA44, MLDSA_KEY.public)
KEYS = [SigningKey(bytes([number]) * 32) for number in range(6)]
WITNESSES = [make_vkey(f"w{number}.example", COSIGNATURE_ED25519, key.public) for number, key in enumerate(KEYS)]
L, M = format_vkey(LOG), format_vkey(LOG_MLDSA)
W = [format_vkey(vkey) for vkey in WITNESSES]
COUNTY = MldsaSigningKey(bytes(range(3, 35)))
COUNTY_VKEY = make_vkey("county.example/witness", COSIGNATURE_MLDSA44, COUNTY.public)

EXAMPLE = f"""\
# two levels of groups, as in the specification
log {L} https://village.example/huzhu/
 log\t{M}

witness X1 {W[0]}
witness X2 {W[1]} https://x2.example/
witness X3 {W[2]}
group X-witnesses 2 X1 X2 X3
\t# comments may be indented
witness Y1 {W[3]}
witness Y2 {W[4]}
witness 县 {format_vkey(COUNTY_VKEY)}
group Y-witnesses any Y1 Y2 县  \t

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def test_the_specifications_example() -> None:
    policy = parse_policy(EXAMPLE.encode())
    assert policy == Policy(
        logs=(LOG, LOG_MLDSA),
        witnesses=(
            ("X1", WITNESSES[0]),
            ("X2", WITNESSES[1]),
            ("X3", WITNESSES[2]),
            ("Y1", WITNESSES[3]),
            ("Y2", WITNESSES[4]),
            ("县", COUNTY_VKEY),
        ),
        groups=(
            Group("X-witnesses", 2, ("X1", "X2", "X3")),
            Group("Y-witnesses", 1, ("Y1", "Y2", "县")),
            Group("X-and-Y", 2, ("X-witnesses", "Y-witnesses")),
        ),
        quorum="X-and-Y",
        log_urls=((LOG, "https://village.example/huzhu/"),),
        witness_urls=(("X2", "https://x2.example/"),),
    )
    assert parse_policy(format_policy(policy)) == policy


def test_the_examples_quorum_is_two_of_x_and_one_of_y() -> None:
    policy = parse_policy(EXAMPLE.encode())
    names = [name for name, _ in policy.witnesses]
    for count in range(len(names) + 1):
        for chosen in map(set, itertools.combinations(names, count)):
            expected = len(chosen & {"X1", "X2", "X3"}) >= 2 and bool(chosen & {"Y1", "Y2", "县"})
            assert quorum_met(policy, chosen) is expected


@pytest.mark.parametrize(
    ("quorum", "cosigned", "met"),
    [
        ("quorum none", set(), True),
        ("quorum w", set(), False),
        ("quorum w", {"w"}, True),
        ("quorum w", {"v"}, False),
        ("group g all w v\nquorum g", {"w"}, False),
        ("group g all w v\nquorum g", {"w", "v"}, True),
        ("group g any w v\nquorum g", {"v"}, True),
        ("group g 1 w v\nquorum g", set(), False),
        ("group g 1 w v\nquorum g", {"g"}, False),  # a group's own name is no witness's
        ("group g 1 w\ngroup h 1 g\nquorum h", {"w"}, True),
        ("quorum w\ngroup g all w v", {"w"}, True),
    ],
)
def test_quorums(quorum: str, cosigned: set[str], met: bool) -> None:
    policy = parse_policy(f"witness w {W[0]}\nwitness v {W[1]}\n{quorum}\n".encode())
    assert quorum_met(policy, cosigned) is met


LAST_LINE_BAD = {
    "unknown-keyword": ("threshold 2", "begins with 'threshold'; write log, witness, group, quorum"),
    "keyword-in-capitals": (f"Log {L}", "begins with 'Log'"),
    "no-break-space": (f"log\u00a0{L}", "begins with 'log"),
    "log-alone": ("log", "write `log <vkey>`"),
    "log-too-much": (f"log {L} url more", "write `log <vkey>`"),
    "log-bad-key": (f"log {L.replace('village', 'hamlet')}", "the verifier key of 'hamlet.example/huzhu' says hash"),
    "log-witness-key": (f"log {W[0]}", "a log's key has type 0x01 or 0x06, not 0x04"),
    "log-twice": (f"log {L}\nlog {L}", "this log's key is in the file already"),
    "log-twice-under-another-name": (
        f"log {L}\nlog {format_vkey(make_vkey('other.example', ED25519, NODE_KEY.public))}",
        "this log's key is in the file already",
    ),
    "witness-alone": ("witness w", "write `witness <name> <vkey>`"),
    "witness-too-much": (f"witness w {W[0]} url more", "write `witness <name> <vkey>`"),
    "witness-note-key": (f"witness w {L}", "has type 0x04 or 0x06, not 0x01"),
    "witness-named-none": (f"witness none {W[0]}", "choose another name"),
    "witness-name-twice": (f"witness w {W[0]}\nwitness w {W[1]}", "is defined already"),
    "witness-key-twice": (f"witness w {W[0]}\nwitness v {W[0]}", "this witness's key is in the file already"),
    "group-alone": ("group g", "with one member at least"),
    "group-no-members": (f"witness w {W[0]}\ngroup g any", "with one member at least"),
    "group-named-none": (f"witness w {W[0]}\ngroup none any w", "choose another name"),
    "group-named-like-a-witness": (f"witness w {W[0]}\ngroup w any w", "is defined already"),
    "group-of-itself": ("group g any g", "'g' is not defined on a line before"),
    "group-of-none": ("group g any none", "'none' is not defined"),
    "group-member-twice": (f"witness w {W[0]}\ngroup g any w w", "'w' is a member of a group already"),
    "member-of-two-groups": (f"witness w {W[0]}\ngroup g any w\ngroup h any w", "'w' is a member of a group already"),
    "threshold-zero": (f"witness w {W[0]}\ngroup g 0 w", "'0' is no threshold; .* a number from 1 to 1"),
    "threshold-over": (f"witness w {W[0]}\ngroup g 2 w", "'2' is no threshold"),
    "threshold-leading-zero": (f"witness w {W[0]}\ngroup g 01 w", "'01' is no threshold"),
    "threshold-plus": (f"witness w {W[0]}\ngroup g +1 w", r"'\+1' is no threshold"),
    "threshold-word": (f"witness w {W[0]}\ngroup g most w", "'most' is no threshold"),
    "quorum-alone": ("quorum", "write `quorum <name>`"),
    "quorum-too-much": (f"witness w {W[0]}\nquorum w w", "write `quorum <name>`"),
    "quorum-of-an-unknown": ("quorum w", "'w' is not defined on a line before"),
    "quorum-twice": ("quorum none\nquorum none", "keep one quorum line"),
}


@pytest.mark.parametrize(("lines", "why"), LAST_LINE_BAD.values(), ids=LAST_LINE_BAD)
def test_bad_lines_are_refused_with_their_number_and_what_to_do(lines: str, why: str) -> None:
    number = 3 + lines.count("\n")
    with pytest.raises(NoteError, match=f"^policy line {number}: .*{why}"):
        parse_policy(f"# first\n\n{lines}\nquorum none\n".encode())


@pytest.mark.parametrize("line", ["group g any w", "quorum w"])
def test_a_name_is_defined_above_the_line_that_uses_it(line: str) -> None:
    with pytest.raises(NoteError, match=r"^policy line 1: 'w' is not defined on a line before; define it above"):
        parse_policy(f"{line}\nwitness w {W[0]}\nquorum none\n".encode())


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "no quorum line"),
        (b"# nothing\n", "no quorum line"),
        (b"quorum none", "last line does not end"),
        (b"# a\nquorum none\r\n", "policy line 2: it has the control character 0x0d"),
        (b"quorum\x0bnone\n", "policy line 1: it has the control character 0x0b"),
        (b"\n\n#\x7f\nquorum none\n", "policy line 3: it has the control character 0x7f"),
        (b"quorum none\n\x00\n", "policy line 2: it has the control character 0x00"),
        (b"#" * POLICY_MAX_BYTES + b"\n", "at most 4194304 are allowed"),
    ],
)
def test_bad_files_are_refused_with_the_reason(raw: bytes, why: str) -> None:
    with pytest.raises(NoteError, match=why):
        parse_policy(raw)


def test_names_are_octets() -> None:
    """A K and a Kelvin sign are two names, and what is no UTF-8 is a name too."""
    raw = b"witness K %s\nwitness \xe2\x84\xaa %s\nwitness \xff\xfe %s\ngroup g 2 \xff\xfe K\nquorum g\n" % tuple(
        vkey.encode() for vkey in W[:3]
    )
    policy = parse_policy(raw)
    assert len({name for name, _ in policy.witnesses}) == 3
    assert format_policy(policy) == raw
    with pytest.raises(NoteError, match="udcff") as caught:
        parse_policy(b"quorum \xff\n")
    str(caught.value).encode()


def test_every_bit_of_a_key_counts() -> None:
    for bad in flipped(W[0].encode()):
        with pytest.raises(NoteError, match="policy line 1:"):
            parse_policy(b"witness w " + bad + b"\nquorum w\n")


def test_counts_are_bounded() -> None:
    keys = [SigningKey(number.to_bytes(32, "big")).public for number in range(POLICY_MAX_WITNESSES + 1)]
    logs = [f"log {format_vkey(make_vkey('a.example', ED25519, key))}\n" for key in keys]
    witnesses = [
        f"witness w{number} {format_vkey(make_vkey('a.example', COSIGNATURE_ED25519, key))}\n"
        for number, key in enumerate(keys)
    ]
    groups = [f"group g{number} 1 w{number}\n" for number in range(POLICY_MAX_GROUPS)]
    full = [*logs[:-1], *witnesses[:-1], *groups, "quorum none\n"]
    policy = parse_policy("".join(full).encode())
    assert [len(part) for part in (policy.logs, policy.witnesses, policy.groups)] == [1_024, 1_024, 1_024]
    for surplus, why in (
        (logs[-1], f"more than {POLICY_MAX_LOGS} logs"),
        (witnesses[-1], f"more than {POLICY_MAX_WITNESSES} witnesses"),
        ("group another 1 g0\n", f"more than {POLICY_MAX_GROUPS} groups"),
    ):
        with pytest.raises(NoteError, match=why):
            parse_policy("".join([*full, surplus]).encode())


@given(
    logs=st.integers(0, 2),
    thresholds=st.lists(st.integers(1, 6), max_size=3),
    quorum=st.integers(0, 8),
    url=st.sampled_from([None, "https://a.example/"]),
)
def test_what_is_formatted_parses_to_itself(logs: int, thresholds: list[int], quorum: int, url: str | None) -> None:
    witnesses = tuple((f"w{number}", vkey) for number, vkey in enumerate(WITNESSES))
    groups: list[Group] = []
    left = [name for name, _ in witnesses]
    for number, threshold in enumerate(thresholds):
        members, left = tuple(left[:threshold]), left[threshold:]
        if members:
            groups.append(Group(f"g{number}", len(members) // 2 + 1, members))
            left.append(f"g{number}")
    names = ["none", *(name for name, _ in witnesses), *(group.name for group in groups)]
    policy = Policy(
        logs=(LOG, LOG_MLDSA)[:logs],
        witnesses=witnesses,
        groups=tuple(groups),
        quorum=names[quorum % len(names)],
        log_urls=((LOG, url),) if url and logs else (),
        witness_urls=(("w1", url),) if url else (),
    )
    assert parse_policy(format_policy(policy)) == policy


@pytest.mark.parametrize(
    "policy",
    [
        Policy((), (("two words", WITNESSES[0]),), (), "none"),
        Policy((), (("", WITNESSES[0]),), (), "none"),
        Policy((), (), (Group("g", 1, ("w",)),), "none"),
        Policy((), (), (), "w"),
        Policy((), (), (), ""),
        Policy((LOG,), (), (), "none", log_urls=((LOG_MLDSA, "https://a.example/"),)),
        Policy((LOG,), (), (), "none", log_urls=((LOG, "two words"),)),
    ],
)
def test_a_policy_that_would_not_parse_is_not_written(policy: Policy) -> None:
    with pytest.raises(NoteError):
        format_policy(policy)


def test_only_cosignatures_that_verify_count() -> None:
    policy = parse_policy(EXAMPLE.encode())
    checkpoint = Checkpoint(ORIGIN, 7, bytes(32))
    other = Checkpoint(ORIGIN, 8, bytes(32))
    good = cosign_ed25519(checkpoint, WITNESSES[0].name, KEYS[0], 1_700_000_000)
    elsewhere = cosign_ed25519(other, WITNESSES[1].name, KEYS[1], 1_700_000_000)
    stolen = NoteSignature(WITNESSES[2].name, WITNESSES[2].hash, good.signature)
    unknown = cosign_ed25519(checkpoint, WITNESSES[5].name, KEYS[5], 1_700_000_000)
    county = cosign_mldsa44(checkpoint, COUNTY_VKEY.name, COUNTY, 1_700_000_000)
    note = sign_checkpoint(checkpoint, NODE_KEY, good, elsewhere, stolen, unknown, county)
    assert cosigned_names(policy, checkpoint, note) == {"X1", "县"}
    assert not quorum_met(policy, cosigned_names(policy, checkpoint, note))
