"""Writes our own published cases, ``tests/vectors/ours/*.json``: one small file each, named by its defect.

    python scripts/vectors.py             # writes them anew; on unchanged rules `git diff` then finds nothing
    python scripts/vectors.py FOLDER      # into another folder

Every case says ``what`` it shows, ``from`` which clause, how to ``check`` it, its input, and the answer that is right:
written here by hand, never taken from the code. All keys are test keys, whose seeds are in ``keys.json``; nothing is
drawn at random. ``tests/test_vectors.py`` asks the code.
"""

import datetime
import json
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from chain.block import SEAL, Seal
from chain.checkpoint import Checkpoint, sign_checkpoint
from chain.entry import Body, Signature, Statement, format_statement, join_entry
from chain.fields import UTC, Time
from chain.keys import SigningKey
from chain.merkle import leaf_hash, levels_of, path_in, root_of
from chain.note import ED25519, format_note, format_vkey, make_vkey, parse_note
from chain.receipt import (
    EntryReceipt,
    format_entry_receipt,
    open_promise,
    parse_entry_receipt,
    without_cosignatures,
)
from chain.sheet import SheetDomain, sign_sheet
from ledger.bodies import (
    AccountOpen,
    Anchor,
    Assessment,
    CaseOpen,
    CouponIssue,
    Donate,
    Evidence,
    Finding,
    FundSpend,
    Inspection,
    Opening,
    OrgAdmit,
    OrgRetire,
    Risk,
    Sanction,
    Service,
    TransferBack,
    TransferIn,
    TransferOut,
    TransferRefuse,
)
from ledger.kinds import CODEC
from ledger.numbers import account_number
from ledger.parameters import Parameters
from node import KIND_OF, Accepted, Founding, Node, NodeKeys
from store.log import MemoryStore

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "ours"

ORIGIN = "village.example/huzhu"
OTHER_ORIGIN = "hamlet.example/huzhu"
NODE, CLERK, MEMBER, MEMBER_TWO, STRANGER = (SigningKey(bytes([number]) * 32) for number in range(1, 6))
NAMED = {"node": NODE, "clerk": CLERK, "member": MEMBER, "member two": MEMBER_TWO, "stranger": STRANGER}
ELDER, VOLUNTEER = account_number(100_001), account_number(200_002)
START = datetime.datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
HOUR = datetime.timedelta(hours=1)

Case = dict[str, Any]
Cases = Iterator[tuple[str, Case]]


def base64(raw: bytes) -> str:
    return b64encode(raw).decode()


def vkey_of(origin: str, key: SigningKey) -> str:
    return format_vkey(make_vkey(origin, ED25519, key.public))


def text_or_base64(raw: bytes) -> Case:
    """An input as readable as it can be."""
    try:
        return {"text": raw.decode()}
    except UnicodeDecodeError:
        return {"base64": base64(raw)}


# The ledger that all cases show or spoil


class Village:
    """Seven entries: genesis, a seal, two accounts on one sheet, an opening, a service, a seal."""

    def __init__(self) -> None:
        self.now = START
        self.node = Node(MemoryStore(ORIGIN), NodeKeys(NODE), lambda: self.now)
        founding = Founding(
            origin=ORIGIN,
            clerks=[CLERK],
            members=[MEMBER, MEMBER_TWO],
            threshold=2,
            parameters=Parameters(posting_days=0),
        )
        self.node.found(founding)
        self.write(
            [MEMBER],
            AccountOpen(account=ELDER, dossier=bytes(32), elder=True, holder="person", redeemable=True),
            AccountOpen(account=VOLUNTEER, dossier=bytes(32), holder="person", volunteer=True),
        )
        self.write([MEMBER, MEMBER_TWO], Opening(account=ELDER, minutes=120, source=bytes(32)))
        self.now += HOUR
        self.write([MEMBER], self.service())
        self.node.seal()

    def service(self) -> Service:
        return Service(
            category="assistance",
            end=self.now,
            evidence=Evidence(form="paper", hash=bytes(range(32))),
            minutes=45,
            paid_by="recipient",
            provider=VOLUNTEER,
            recipient=ELDER,
            start=self.now - HOUR,
        )

    def write(self, beside: Sequence[SigningKey], *bodies: Body) -> None:
        self.now += HOUR
        for result in self.node.write(CLERK, beside, bodies):
            if not isinstance(result, Accepted):
                raise RuntimeError(f"the example ledger is against the rules: {result}")

    @property
    def entries(self) -> list[bytes]:
        return list(self.node.store.entries(0, self.node.store.size))

    @property
    def checkpoints(self) -> list[tuple[int, bytes]]:
        return list(self.node.store.checkpoints())

    @property
    def domain(self) -> SheetDomain:
        return self.node.domain


VILLAGE = Village()
ENTRIES, DOMAIN = VILLAGE.entries, VILLAGE.domain
LAST = len(ENTRIES) - 1
SERVICE = LAST - 1
SEQ = 1_772_400_000_000
"""Of the statements that the cases add: after all of the ledger's own."""


def edited(raw: bytes, change: Callable[[Case], object]) -> bytes:
    """The bytes with a change of what they say, canonical again; signatures stay as they were."""
    plain = json.loads(raw)
    change(plain)
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def replaced(old: str, new: str | bytes, raw: bytes) -> bytes:
    """One occurrence of some text is another; RuntimeError where there is not exactly one."""
    if raw.count(old.encode()) != 1:
        raise RuntimeError(f"{old!r} stands {raw.count(old.encode())} times in the example")
    return raw.replace(old.encode(), new.encode() if isinstance(new, str) else new)


# Keys and names


def key_cases() -> Cases:
    yield (
        "keys",
        {
            "what": "The keys of all cases. Their seeds are public: never use them for anything else.",
            "from": "FORMAT §2",
            "check": "keys",
            "keys": {
                name: {"seed": base64(key.seed), "public": base64(key.public), "id": key.id}
                for name, key in NAMED.items()
            },
        },
    )
    yield (
        "key-id",
        {
            "what": "A key id is the first 16 hex digits of SHA-256 over `huzhu/key/v1`, LF and the public key.",
            "from": "FORMAT §2",
            "check": "key-id",
            "public": base64(bytes(32)),
            "id": "f8c060640f49648c",
        },
    )
    yield (
        "vkey",
        {
            "what": "The node's key as an auditor pins it: key name is the origin, type 0x01.",
            "from": "FORMAT §6",
            "check": "vkey",
            "origin": ORIGIN,
            "public": base64(NODE.public),
            "vkey": format_vkey(make_vkey(ORIGIN, ED25519, NODE.public)),
        },
    )
    for name, origin, is_good in (
        ("good", "village.example/huzhu", True),
        ("200-bytes", "a." + "b" * 198, True),
        ("201-bytes", "a." + "b" * 199, False),
        ("without-a-dot", "village/huzhu", False),
        ("upper-case", "Village.example", False),
        ("begins-with-huzhu", "huzhu/village.example", False),
        ("begins-with-cosignature", "cosignature/village.example", False),
        ("slash-at-its-end", "village.example/", False),
        ("part-begins-with-a-dot", "village.example/.huzhu", False),
        ("with-a-plus", "village.example+huzhu", False),
        ("not-ascii", "村.example", False),
    ):
        yield (
            f"origin-{name}",
            {
                "what": f"An origin that is {'accepted' if is_good else 'refused'}: {name.replace('-', ' ')}.",
                "from": "FORMAT §2",
                "check": "origin",
                "origin": origin,
                "accept": is_good,
            },
        )


# Single entries: bytes and shape


def entry_case(what: str, clause: str, raw: bytes, code: str | None) -> Case:
    return {"what": what, "from": clause, "check": "entry", "input": text_or_base64(raw), "code": code}


def params_entry(inner: str) -> bytes:
    """An entry with a free map that holds ``inner``, as text, at level 4."""
    statement = Statement(
        at=START, body=CODEC.bodies["params"](params={"a": 1}, version=1), by=MEMBER.id, kind="params", seq=1
    )
    raw = join_entry(format_statement(statement), None, (Signature(MEMBER.id, bytes(64)),))
    return replaced('{"a":1}', '{"a":' + inner + "}", raw)


def entry_with(body: Body) -> bytes:
    """An entry by a member alone, well shaped whoever may say it; its signature is zeros."""
    statement = Statement(at=START, body=body, by=MEMBER.id, kind=KIND_OF[type(body)], seq=1)
    return join_entry(format_statement(statement), None, (Signature(MEMBER.id, bytes(64)),))


def set_field(*path_and_value: Any) -> Callable[[Case], object]:
    """A change that puts a value at a path."""
    *path, last, value = path_and_value

    def change(plain: Case) -> None:
        for name in path:
            plain = plain[name]
        plain[last] = value

    return change


def entry_cases() -> Cases:
    yield from good_entries()
    yield from noncanonical_entries()
    yield from malformed_entries()
    yield from care_entries()
    yield from malformed_care_entries()
    yield from travel_entries()


def good_entries() -> Cases:
    yield (
        "entry-good-service",
        entry_case("A service with its evidence on paper.", "FORMAT §3", ENTRIES[SERVICE], None),
    )
    yield "entry-good-genesis", entry_case("Entry 0, a village's genesis.", "FORMAT §3", ENTRIES[0], None)
    yield "entry-good-sheet", entry_case("The second of two statements on a sheet.", "FORMAT §3", ENTRIES[3], None)
    yield "entry-good-seal", entry_case("The seal of block 1.", "FORMAT §5", ENTRIES[LAST], None)
    deepest = params_entry("[[[[[1]]]]]")
    yield "entry-nesting-8", entry_case("The deepest nesting allowed, 8 levels.", "FORMAT §1", deepest, None)
    largest = params_entry(str(2**53 - 1))
    yield "entry-integer-largest", entry_case("The largest integer allowed.", "FORMAT §1", largest, None)


def noncanonical_entries() -> Cases:
    raw = ENTRIES[SERVICE]
    cases: dict[str, tuple[str, bytes]] = {
        "empty": ("No bytes at all.", b""),
        "bom": ("A byte order mark in front.", b"\xef\xbb\xbf" + raw),
        "white-space": ("A space after a colon.", replaced('"kind":', '"kind": ', raw)),
        "newline-at-its-end": ("A line feed after the entry.", raw + b"\n"),
        "keys-unsorted": (
            "`paid_by` and `minutes` in the wrong order.",
            replaced('"minutes":45,"paid_by":"recipient"', '"paid_by":"recipient","minutes":45', raw),
        ),
        "key-twice": ("The same key twice with the same value.", replaced('"v":1', '"v":1,"v":1', raw)),
        "escape-of-a-letter": ("A letter as \\u0073.", replaced('"kind":"service"', '"kind":"\\u0073ervice"', raw)),
        "escape-of-a-slash": (
            "A slash behind a backslash.",
            replaced("village.example/huzhu", "village.example\\/huzhu", ENTRIES[0]),
        ),
        "surrogate-alone": ("Half a surrogate pair, escaped.", params_entry('"\\ud83c"')),
        "control-raw": ("U+0085, a control character, raw.", params_entry('"a\u0085"')),
        "control-escaped": ("U+0001, a control character, escaped.", params_entry('"\\u0001"')),
        "delete-character": ("U+007F, which other JSON allows.", params_entry('"\x7f"')),
        "utf8-invalid": ("A byte that is not UTF-8.", replaced('"assistance"', b'"assistanc\xff"', raw)),
        "utf8-overlong": ("A letter in two bytes.", replaced('"assistance"', b'"\xc1\xa1ssistance"', raw)),
        "null": ("A null.", replaced('"minutes":45', '"minutes":null', raw)),
        "fraction": ("A fraction that is whole.", replaced('"minutes":45', '"minutes":45.0', raw)),
        "exponent": ("An exponent.", replaced('"minutes":45', '"minutes":45e0', raw)),
        "minus-zero": ("Minus zero.", params_entry("-0")),
        "leading-zero": ("A leading zero.", replaced('"minutes":45', '"minutes":045', raw)),
        "integer-2-to-the-53": ("An integer that a double does not hold.", params_entry(str(2**53))),
        "integer-of-5000-digits": (
            "An integer of 5,000 digits.",
            replaced('"minutes":45', '"minutes":' + "9" * 5_000, raw),
        ),
        "nesting-9": ("Nesting of 9 levels.", params_entry("[[[[[[1]]]]]]")),
        "nesting-60000": ("Sixty thousand brackets: a reader has to bear it.", params_entry("[" * 60_000)),
        "key-upper-case": ("A key with a capital letter.", params_entry('{"A":1}')),
        "key-of-33-characters": ("A key that is too long.", params_entry('{"' + "a" * 33 + '":1}')),
    }
    for name, (what, bad) in cases.items():
        yield f"entry-{name}", entry_case(what, "FORMAT §1", bad, "entry.noncanonical")
    yield (
        "entry-too-large",
        entry_case(
            "65,536 bytes.", "FORMAT §11", params_entry("[" + "1," * 32_580 + "1]").ljust(65_536), "entry.too-large"
        ),
    )
    yield (
        "entry-kind-unknown",
        entry_case(
            "A kind that does not exist.",
            "FORMAT §8",
            edited(raw, set_field("kind", "unheard")),
            "entry.unknown-kind",
        ),
    )
    yield (
        "entry-version-2",
        entry_case("A version that does not exist.", "FORMAT §8", edited(raw, set_field("v", 2)), "entry.unknown-kind"),
    )


def malformed_entries() -> Cases:
    raw, on_sheet = ENTRIES[SERVICE], ENTRIES[3]
    digest = json.loads(raw)["body"]["evidence"]["hash"]
    sigs = json.loads(raw)["sigs"]
    place = json.loads(on_sheet)["sheet"]
    evidence = ("body", "evidence", "hash")
    cases: dict[str, tuple[str, str, bytes]] = {
        "field-unknown": ("A field that no entry has.", "§1", edited(raw, set_field("note", "x"))),
        "field-missing": (
            "A service without `minutes`.",
            "§3",
            edited(raw, lambda plain: plain["body"].pop("minutes")),
        ),
        "string-empty": ("An empty string.", "§1", edited(raw, set_field("body", "group", ""))),
        "string-of-1025": (
            "A string of 1,025 code points.",
            "§1",
            edited(raw, set_field("body", "group", "互" * 1_025)),
        ),
        "flag-false": ("A flag that is false.", "§1", edited(ENTRIES[2], set_field("body", "minor", False))),
        "base64-unpadded": (
            "Base64 without its padding.",
            "§1",
            edited(raw, set_field(*evidence, digest.rstrip("="))),
        ),
        "base64-url-safe": ("The URL-safe alphabet.", "§1", edited(raw, set_field(*evidence, "-" + digest[1:]))),
        "base64-loose-bits": (
            "Base64 whose last bits are not zero.",
            "§1",
            edited(raw, set_field(*evidence, digest[:-2] + chr(ord(digest[-2]) + 1) + "=")),
        ),
        "base64-white-space": (
            "Base64 with a space.",
            "§1",
            edited(raw, set_field(*evidence, digest[:4] + " " + digest[4:])),
        ),
        "hash-of-31-bytes": ("A hash of 31 bytes.", "§1", edited(raw, set_field(*evidence, base64(bytes(31))))),
        "minutes-zero": ("No minutes.", "§3", edited(raw, set_field("body", "minutes", 0))),
        "account-in-full-width": ("Full-width digits.", "§3", edited(raw, set_field("body", "provider", "１" * 8))),
        "account-of-the-system": (
            "A system account in a body.",
            "§3",
            edited(raw, set_field("body", "provider", "issue")),
        ),
        "sigs-missing": ("One signature too few.", "§3", edited(raw, set_field("sigs", sigs[:1]))),
        "sigs-misordered": ("The author's signature last.", "§3", edited(raw, set_field("sigs", sigs[::-1]))),
        "sigs-surplus": ("One signature too many.", "§3", edited(raw, set_field("sigs", [*sigs, sigs[1]]))),
        "with-empty": ("`with` without anybody.", "§3", edited(raw, set_field("with", []))),
        "with-names-the-author": ("The author beside himself.", "§3", edited(raw, set_field("with", [CLERK.id]))),
        "with-unsorted": ("Falling order in `with`.", "§3", _with_unsorted()),
        "with-of-8": ("Eight beside the author: nine signatures.", "§11", _with_of_eight()),
        "sheet-of-one": (
            "A `sheet` where one statement stands alone.",
            "§3",
            edited(raw, set_field("sheet", {**place, "path": [], "index": 0, "size": 1})),
        ),
        "sheet-path-of-64": (
            "A path of 64 hashes.",
            "§11",
            edited(on_sheet, set_field("sheet", "path", [base64(bytes(32))] * 64)),
        ),
        "version-true": ("`v` is true.", "§3", edited(raw, set_field("v", True))),
    }
    for name, (what, clause, bad) in cases.items():
        yield f"entry-{name}", entry_case(what, f"FORMAT {clause}", bad, "entry.malformed")
    times = {
        "fraction": "2026-03-01T05:00:00.0Z",
        "offset": "2026-03-01T05:00:00+00:00",
        "lower-case": "2026-03-01t05:00:00z",
        "hour-24": "2026-03-01T24:00:00Z",
        "second-60": "2016-12-31T23:59:60Z",
        "february-30": "2026-02-30T00:00:00Z",
        "year-1999": "1999-12-31T23:59:59Z",
        "year-3000": "3000-01-01T00:00:00Z",
    }
    for name, time in times.items():
        bad = edited(raw, set_field("at", time))
        yield f"entry-time-{name}", entry_case(f"A time written {time}.", "FORMAT §1", bad, "entry.malformed")


# What a coupon, a case, a fund, an inspection and the figures look like

SECRET = bytes(range(16))
DUE = datetime.date(2026, 6, 30)
BY_COUPON = entry_with(
    Service(
        category="assistance",
        end=START,
        evidence=Evidence(form="coupon", book=2, index=1, path=(bytes(32),), secret=SECRET),
        minutes=45,
        paid_by="issue",
        provider=VOLUNTEER,
        recipient=ELDER,
        start=START - HOUR,
    )
)
BOOK = entry_with(CouponIssue(account=ELDER, count=1_024, minutes_max=60, root=bytes(32)))
CASE = entry_with(CaseOpen(account=VOLUNTEER, entries=(5, 7), suspicion="overlap"))
SANCTION = entry_with(Sanction(account=VOLUNTEER, case=9, measure="suspend", until=DUE))
SPENDING = entry_with(FundSpend(fen=1, fund="canteen", payee="the grocer", purpose="meals", voucher=bytes(32)))
ASSESSMENT = entry_with(Assessment(period="2026-H1", report=bytes(32), scores={"care": 100, "food": 0}, subject="x"))
INSPECTION = entry_with(Inspection(findings=(Finding(code="stairs", due=DUE, text="no rail"),), subject="x"))
FIGURES = entry_with(Risk(figures={"band_0": 45, "earned": 45, "fen": -1}, period="2026-03"))


def care_entries() -> Cases:
    evidence = ("body", "evidence")
    for name, what, raw in (
        ("coupon-service", "A service by coupon 1 of the book at index 2.", BY_COUPON),
        (
            "coupon-path-empty",
            "The coupon of a book of one: its path is empty.",
            edited(BY_COUPON, lambda plain: plain["body"]["evidence"].update(index=0, path=[])),
        ),
        (
            "coupon-path-of-63",
            "The longest path of a coupon.",
            edited(BY_COUPON, set_field(*evidence, "path", [base64(bytes(32))] * 63)),
        ),
        ("coupons-1024", "The largest book of coupons.", BOOK),
        ("case", "A case over two entries.", CASE),
        ("sanction", "A sanction with the day of which it reminds.", SANCTION),
        ("one-fen", "One fen spent.", SPENDING),
        ("scores", "The lowest and the highest score.", ASSESSMENT),
        ("scores-empty", "A map may be empty.", edited(ASSESSMENT, set_field("body", "scores", {}))),
        ("findings", "An inspection that found something.", INSPECTION),
        ("findings-none", "An inspection that found nothing.", edited(INSPECTION, set_field("body", "findings", []))),
        ("figures", "Figures, one of them below zero.", FIGURES),
    ):
        yield f"entry-good-{name}", entry_case(what, "RULES §3", raw, None)
    unsorted = replaced('"band_0":45,"earned":45', '"earned":45,"band_0":45', FIGURES)
    yield "entry-figures-unsorted", entry_case("Figures out of order.", "FORMAT §1", unsorted, "entry.noncanonical")
    large = edited(FIGURES, set_field("body", "figures", "fen", -(2**53)))
    yield (
        "entry-figure-minus-2-to-the-53",
        entry_case("A figure that a double does not hold.", "FORMAT §1", large, "entry.noncanonical"),
    )


def malformed_care_entries() -> Cases:
    evidence, due = ("body", "evidence"), ("body", "findings", 0, "due")
    zeros = base64(bytes(32))
    cases: dict[str, tuple[str, bytes]] = {
        "coupon-secret-of-15-bytes": (
            "A coupon's secret of 15 bytes.",
            edited(BY_COUPON, set_field(*evidence, "secret", base64(SECRET[:15]))),
        ),
        "coupon-path-of-64": (
            "A path of 64 hashes.",
            edited(BY_COUPON, set_field(*evidence, "path", [zeros] * 64)),
        ),
        "coupon-without-path": (
            "A coupon without `path`.",
            edited(BY_COUPON, lambda plain: plain["body"]["evidence"].pop("path")),
        ),
        "coupon-with-a-sheet": (
            "A coupon and the hash of a paper sheet.",
            edited(BY_COUPON, set_field(*evidence, "hash", zeros)),
        ),
        "paper-with-a-coupon": (
            "Paper with the index of a coupon.",
            edited(ENTRIES[SERVICE], set_field(*evidence, "index", 1)),
        ),
        "coupons-1025": ("A book of 1,025 coupons.", edited(BOOK, set_field("body", "count", 1_025))),
        "case-without-entries": ("A case that rests on nothing.", edited(CASE, set_field("body", "entries", []))),
        "measure-unknown": ("A fine.", edited(SANCTION, set_field("body", "measure", "fine"))),
        "date-february-30": ("A date that is none.", edited(SANCTION, set_field("body", "until", "2026-02-30"))),
        "date-short": ("A month of one digit.", edited(INSPECTION, set_field(*due, "2026-6-30"))),
        "date-with-a-time": ("A time for a date.", edited(INSPECTION, set_field(*due, "2026-06-30T00:00:00Z"))),
        "fen-zero": ("Nothing spent.", edited(SPENDING, set_field("body", "fen", 0))),
        "fund-upper-case": ("A code with a capital.", edited(SPENDING, set_field("body", "fund", "Canteen"))),
        "score-101": ("A score above 100.", edited(ASSESSMENT, set_field("body", "scores", "care", 101))),
        "score-below-zero": ("A score below 0.", edited(ASSESSMENT, set_field("body", "scores", "care", -1))),
        "finding-without-due": (
            "A finding that is due on no day.",
            edited(INSPECTION, lambda plain: plain["body"]["findings"][0].pop("due")),
        ),
        "figure-true": ("A figure that is true.", edited(FIGURES, set_field("body", "figures", "fen", True))),
    }
    for name, (what, bad) in cases.items():
        yield f"entry-{name}", entry_case(what, "RULES §3", bad, "entry.malformed")


SENT = entry_with(TransferOut(giver=VOLUNTEER, minutes=45, to=f"{OTHER_ORIGIN}#{ELDER}"))
TAKEN = entry_with(TransferIn(admissions=(), minutes=45, proof=b"a proof", to=ELDER))
ADMITTED = entry_with(OrgAdmit(origin=OTHER_ORIGIN, tier="village", vkey=vkey_of(OTHER_ORIGIN, STRANGER)))


def travel_entries() -> Cases:
    eight = edited(TAKEN, set_field("body", "admissions", [base64(b"a")] * 8))
    for name, what, raw in (
        ("transfer-out", "Hours for an account of another ledger.", SENT),
        ("transfer-in", "Hours taken by a proof without admissions.", TAKEN),
        ("transfer-in-eight-admissions", "Hours taken by as many admissions as there may be.", eight),
        (
            "transfer-in-longest-proof",
            "A proof of 32,768 bytes. What is no receipt has the right shape and the wrong meaning.",
            edited(TAKEN, set_field("body", "proof", base64(bytes(32_768)))),
        ),
        (
            "transfer-refuse",
            "Hours refused.",
            entry_with(TransferRefuse(admissions=(), proof=b"a proof", reason="no_account")),
        ),
        ("transfer-back", "Hours given back.", entry_with(TransferBack(admissions=(b"a",), index=7, proof=b"a proof"))),
        ("org-admit", "A ledger of the tier below.", ADMITTED),
        ("org-retire", "A ledger that leaves.", entry_with(OrgRetire(origin=OTHER_ORIGIN, reason="it has moved"))),
        ("anchor", "A checkpoint of another ledger.", entry_with(Anchor(checkpoint=b"a note", origin=OTHER_ORIGIN))),
    ):
        yield f"entry-good-{name}", entry_case(what, "RULES §3", raw, None)
    nine = edited(TAKEN, set_field("body", "admissions", [base64(b"a")] * 9))
    for name, what, bad in (
        ("transfer-in-nine-admissions", "One admission too many.", nine),
        (
            "transfer-in-proof-too-long",
            "A proof of 32,769 bytes.",
            edited(TAKEN, set_field("body", "proof", base64(bytes(32_769)))),
        ),
        (
            "transfer-in-without-admissions",
            "Admissions may be none, and are written.",
            edited(TAKEN, lambda plain: plain["body"].pop("admissions")),
        ),
        ("transfer-in-proof-empty", "An empty proof.", edited(TAKEN, set_field("body", "proof", ""))),
        (
            "org-admit-of-another-name",
            "A verifier key that is named like another ledger.",
            edited(ADMITTED, set_field("body", "vkey", vkey_of(ORIGIN, STRANGER))),
        ),
        (
            "org-admit-without-a-key",
            "What is no verifier key.",
            edited(ADMITTED, set_field("body", "vkey", f"{OTHER_ORIGIN}+00000000+AAAA")),
        ),
    ):
        yield f"entry-{name}", entry_case(what, "RULES §3", bad, "entry.malformed")


def proof_of(entry: bytes, key: SigningKey = STRANGER, origin: str = OTHER_ORIGIN) -> bytes:
    """The proof that ``entry`` is the second of three in a log of ``origin``, signed by ``key``."""
    levels = levels_of([leaf_hash(b"first"), leaf_hash(entry), leaf_hash(b"last")])
    note = format_note(sign_checkpoint(Checkpoint(origin, 3, levels[-1][0]), key))
    return format_entry_receipt(EntryReceipt(entry, 1, tuple(path_in(levels, 1)), note))


def _with_unsorted() -> bytes:
    low, high = sorted((MEMBER.id, MEMBER_TWO.id))
    signature = json.loads(ENTRIES[SERVICE])["sigs"][0]

    def change(plain: Case) -> None:
        plain["with"] = [high, low]
        plain["sigs"] = [signature, {**signature, "key": high}, {**signature, "key": low}]

    return edited(ENTRIES[SERVICE], change)


def _with_of_eight() -> bytes:
    ids = [f"{number:016x}" for number in range(8)]
    signature = json.loads(ENTRIES[SERVICE])["sigs"][0]

    def change(plain: Case) -> None:
        plain["with"] = ids
        plain["sigs"] = [signature, *({**signature, "key": key} for key in ids)]

    return edited(ENTRIES[SERVICE], change)


# Sheets: what a signature is over


def donations(
    count: int, *, author: SigningKey = CLERK, beside: Sequence[SigningKey] = (MEMBER,), seq: int = SEQ
) -> list[bytes]:
    """Statements that may stand on the ledger."""
    ids = tuple(sorted(key.id for key in beside))
    at = VILLAGE.now
    return [
        format_statement(
            Statement(
                at=at,
                body=Donate(giver=VOLUNTEER, minutes=place + 1),
                by=author.id,
                kind=KIND_OF[Donate],
                seq=seq + place,
                beside=ids,
            )
        )
        for place in range(count)
    ]


def sheet_case(what: str, entries: Sequence[bytes], codes: Sequence[str | None]) -> Case:
    """``codes`` are those of step 4 as far as sheet and signatures go, entry by entry."""
    return {
        "what": what,
        "from": "FORMAT §3",
        "check": "sheet",
        "origin": ORIGIN,
        "genesis": base64(DOMAIN.genesis),
        "publics": {key.id: base64(key.public) for key in NAMED.values()},
        "entries": [raw.decode() for raw in entries],
        "codes": list(codes),
    }


def sheet_cases() -> Cases:
    for count, name in ((1, "one"), (2, "two"), (3, "three"), (7, "seven")):
        good = sign_sheet(DOMAIN, donations(count), CLERK, [MEMBER]).entries()
        what = f"A sheet of {name}, signed by its author and one beside him."
        yield f"sheet-{name}-statement{'s' if count > 1 else ''}", sheet_case(what, good, [None] * count)
    yield from misplaced_entries()
    yield from misused_signatures()


def misplaced_entries() -> Cases:
    entries = sign_sheet(DOMAIN, donations(3), CLERK, [MEMBER]).entries()
    first = json.loads(entries[0])["sheet"]["path"]
    zeros = base64(bytes(32))
    for name, what, change, code in (
        ("index-beyond-size", "Index 3 of 3.", set_field("sheet", "index", 3), "entry.sheet"),
        (
            "index-of-another",
            "The place of statement 1 for statement 0.",
            set_field("sheet", "index", 1),
            "entry.signature",
        ),
        ("size-larger", "A sheet of 4 with the path in one of 3.", set_field("sheet", "size", 4), "entry.signature"),
        ("size-smaller", "A sheet of 2 with the path in one of 3.", set_field("sheet", "size", 2), "entry.sheet"),
        ("path-short", "The last hash of the path is gone.", set_field("sheet", "path", first[:-1]), "entry.sheet"),
        ("path-long", "One hash too many.", set_field("sheet", "path", [*first, zeros]), "entry.sheet"),
        (
            "path-turned",
            "The hashes of the path in another order.",
            set_field("sheet", "path", first[::-1]),
            "entry.signature",
        ),
        (
            "path-changed",
            "Another hash in the path.",
            set_field("sheet", "path", [first[0], zeros]),
            "entry.signature",
        ),
        ("place-missing", "No `sheet`, as if it stood alone.", lambda plain: plain.pop("sheet"), "entry.signature"),
        ("statement-changed", "Other minutes than were signed.", set_field("body", "minutes", 9), "entry.signature"),
    ):
        bad = [edited(entries[0], change), *entries[1:]]
        yield f"sheet-{name}", sheet_case(what, bad, [code, None, None])


def misused_signatures() -> Cases:
    [statement] = donations(1)
    [good] = sign_sheet(DOMAIN, [statement], CLERK, [MEMBER]).entries()
    root = leaf_hash(statement)
    as_author, as_beside = DOMAIN.messages(CLERK.id, 1, root)

    def signed_by(author: bytes, beside: bytes) -> list[bytes]:
        return [join_entry(statement, None, (Signature(CLERK.id, author), Signature(MEMBER.id, beside)))]

    author, beside = CLERK.sign(as_author), MEMBER.sign(as_beside)
    [other] = donations(1, seq=SEQ + 1)
    other_beside = MEMBER.sign(DOMAIN.messages(CLERK.id, 1, leaf_hash(other))[1])
    [own] = donations(1, author=MEMBER, beside=())
    own_as_beside = MEMBER.sign(DOMAIN.messages(MEMBER.id, 1, leaf_hash(own))[1])
    elsewhere = SheetDomain(OTHER_ORIGIN, DOMAIN.genesis)
    reborn = SheetDomain(ORIGIN, bytes(32))
    for name, what, entries in (
        ("beside-as-author", "The author signed the text of those beside.", signed_by(CLERK.sign(as_beside), beside)),
        ("author-as-beside", "The certifier signed the author's text.", signed_by(author, MEMBER.sign(as_author))),
        ("beside-moved", "A certifier's signature from another sheet.", signed_by(author, other_beside)),
        ("signatures-swapped", "The two signatures change places.", signed_by(beside, author)),
        (
            "certifier-made-author",
            "What a member signed beside, over a statement that names him as its author.",
            [join_entry(own, None, (Signature(MEMBER.id, own_as_beside),))],
        ),
        (
            "certifier-stripped",
            "The certifier taken out of `with` and `sigs`.",
            [edited(good, lambda plain: (plain.pop("with"), plain["sigs"].pop()))],
        ),
        (
            "for-another-origin",
            "Signed for another ledger.",
            sign_sheet(elsewhere, [statement], CLERK, [MEMBER]).entries(),
        ),
        (
            "for-another-genesis",
            "Signed as if for entry 0.",
            sign_sheet(reborn, [statement], CLERK, [MEMBER]).entries(),
        ),
    ):
        yield f"sheet-{name}", sheet_case(what, entries, ["entry.signature"])


# Whole logs


def log_case(
    what: str,
    clause: str,
    entries: Sequence[bytes],
    findings: Sequence[tuple[str, int | None]],
    checkpoints: Sequence[tuple[int, bytes]] | None = None,
) -> Case:
    """``findings`` are codes and entry indexes, all that one run reports, with no key pinned."""
    notes = VILLAGE.checkpoints if checkpoints is None else checkpoints
    return {
        "what": what,
        "from": clause,
        "check": "log",
        "origin": ORIGIN,
        "entries": [raw.decode() for raw in entries],
        "checkpoints": [{"size": size, "note": note.decode()} for size, note in notes],
        "findings": [{"code": code, "index": index} for code, index in findings],
    }


def with_checkpoint(entries: Sequence[bytes], size: int | None = None) -> list[tuple[int, bytes]]:
    """The first checkpoint, and one that the node signs over these entries."""
    size = len(entries) if size is None else size
    checkpoint = Checkpoint(ORIGIN, size, root_of([leaf_hash(raw) for raw in entries[:size]]))
    return [VILLAGE.checkpoints[0], (size, format_note(sign_checkpoint(checkpoint, NODE)))]


def resealed(
    before: Sequence[bytes],
    *,
    at: Time | None = None,
    key: SigningKey = NODE,
    beside: Sequence[SigningKey] = (),
    **fields: Any,
) -> list[bytes]:
    """The log before the last seal with another seal after it, signed well."""
    good: Seal = CODEC.parse(ENTRIES[LAST]).body
    says = {name: getattr(good, name) for name in good.__struct_fields__}
    says |= {"size": len(before), "root": root_of([leaf_hash(raw) for raw in before]), **fields}
    statement: Statement[Seal] = Statement(
        at=at or VILLAGE.now,
        body=Seal(**says),
        by=key.id,
        kind=SEAL,
        seq=SEQ,
        beside=tuple(sorted(each.id for each in beside)),
    )
    return [*before, *sign_sheet(DOMAIN, [format_statement(statement)], key, beside).entries()]


def log_cases() -> Cases:
    yield "log-good", log_case("A whole ledger in order.", "FORMAT §12", ENTRIES, [])
    yield from bad_seals()
    yield from bad_logs()
    yield from bad_checkpoints()


def bad_seals() -> Cases:
    before = ENTRIES[:LAST]
    for name, what, code, sealed in (
        ("prev-wrong", "`prev` is another hash.", "seal.prev", resealed(before, prev=bytes(32))),
        ("prev-empty", "`prev` is empty above height 0.", "seal.prev", resealed(before, prev=b"")),
        ("height-wrong", "Height 2 after height 0.", "seal.height", resealed(before, height=2)),
        ("size-wrong", "`size` is one more than the seal's index.", "seal.size", resealed(before, size=LAST + 1)),
        ("root-wrong", "`root` is another hash.", "seal.root", resealed(before, root=bytes(32))),
        ("state-wrong", "`state` is another hash.", "seal.state", resealed(before, state=bytes(32))),
        ("accounts-wrong", "`accounts` is one less.", "seal.state", resealed(before, accounts=5)),
        (
            "time-before-an-entry",
            "Dated before the service it seals.",
            "seal.time",
            resealed(before, at=START + 2 * HOUR),
        ),
        ("time-before-the-last", "Dated before the seal before it.", "seal.time", resealed(before, at=START - HOUR)),
        ("with-somebody-beside", "A member signs beside the node.", "seal.key", resealed(before, beside=[MEMBER])),
    ):
        clause = "FORMAT §5"
        yield f"seal-{name}", log_case(what, clause, sealed, [(code, LAST)], with_checkpoint(sealed))
    sealed = resealed(before, key=CLERK)
    what = "A clerk's key signs it: it closes nothing, and the checkpoint stands at no seal."
    findings = [("seal.key", LAST), ("checkpoint.not-at-seal", LAST)]
    yield "seal-by-a-clerk", log_case(what, "FORMAT §12", sealed, findings, with_checkpoint(sealed))


def bad_logs() -> Cases:
    """Good seals over bad entries: whoever holds the node's key can make them."""
    for name, what, extra, code in (
        (
            "author-unknown",
            "An author whose key the log never named.",
            _more(donations(1, author=STRANGER), STRANGER),
            "entry.unknown-key",
        ),
        (
            "certifier-unknown",
            "A certifier whose key the log never named.",
            _more(donations(1, beside=[STRANGER]), CLERK, [STRANGER]),
            "entry.unknown-key",
        ),
        ("replayed", "An entry of the log once more.", [ENTRIES[SERVICE]], "entry.seq"),
        (
            "seq-not-rising",
            "A statement with the author's last `seq`.",
            _more(donations(1, seq=CODEC.parse(ENTRIES[SERVICE]).seq)),
            "entry.seq",
        ),
        (
            "certifier-missing",
            "A donation that nobody certified.",
            _more(donations(1, beside=[]), CLERK, []),
            "rule.needs-second",
        ),
        ("second-genesis", "Genesis again.", [ENTRIES[0]], "entry.signature"),
    ):
        entries = resealed([*ENTRIES[:LAST], *extra])
        finding = [(code, LAST)]
        yield f"log-{name}", log_case(what, "FORMAT §12", entries, finding, with_checkpoint(entries))
    yield (
        "log-byte-changed",
        log_case(
            "One digit of the service is another; nobody signed again.",
            "FORMAT §12",
            [*ENTRIES[:SERVICE], replaced('"minutes":45', '"minutes":46', ENTRIES[SERVICE]), ENTRIES[LAST]],
            [("checkpoint.root", LAST), ("entry.signature", SERVICE), ("seal.root", LAST), ("seal.state", LAST)],
        ),
    )
    yield (
        "log-cut-off",
        log_case(
            "The last seal is gone: the last entry that is there is named.",
            "FORMAT §12",
            ENTRIES[:LAST],
            [("log.truncated", SERVICE)],
        ),
    )


def _more(statements: list[bytes], author: SigningKey = CLERK, beside: Sequence[SigningKey] = (MEMBER,)) -> list[bytes]:
    return sign_sheet(DOMAIN, statements, author, beside).entries()


def bad_checkpoints() -> Cases:
    size, good = VILLAGE.checkpoints[-1]
    first = VILLAGE.checkpoints[0]
    text = parse_note(good).text
    forged = format_note(sign_checkpoint(Checkpoint(ORIGIN, size, bytes(32)), NODE))
    strange = format_note(sign_checkpoint(Checkpoint(OTHER_ORIGIN, size, bytes(32)), NODE))
    signature = good.rpartition(b" ")[2]
    broken = bytearray(b64decode(signature))
    broken[-1] ^= 1
    for name, what, code, index, note in (
        ("root-wrong", "Signed over another root.", "checkpoint.root", size - 1, forged),
        ("origin-wrong", "Of another ledger.", "checkpoint.malformed", size - 1, strange),
        (
            "signature-wrong",
            "One bit of its signature is another.",
            "checkpoint.signature",
            size - 1,
            good.replace(signature, b64encode(bytes(broken)) + b"\n"),
        ),
        (
            "extension-line",
            "A fourth line.",
            "checkpoint.malformed",
            size - 1,
            good.replace(text.encode(), text.encode() + b"more\n"),
        ),
        (
            "leading-zero",
            "Its size with a leading zero.",
            "checkpoint.malformed",
            size - 1,
            good.replace(b"\n%d\n" % size, b"\n0%d\n" % size),
        ),
    ):
        yield f"checkpoint-{name}", log_case(what, "FORMAT §6", ENTRIES, [(code, index)], [first, (size, note)])
    yield (
        "checkpoint-not-at-a-seal",
        log_case(
            "At a size that is not one past a seal.",
            "FORMAT §6",
            ENTRIES,
            [("checkpoint.not-at-seal", SERVICE)],
            with_checkpoint(ENTRIES, SERVICE + 1),
        ),
    )
    yield "checkpoint-missing", log_case("None at all.", "FORMAT §12", ENTRIES, [("checkpoint.missing", None)], [])


# State, promises, receipts


def proof_cases() -> Cases:
    leaves = [account.leaf() for account in VILLAGE.node.state.accounts.values()]
    yield (
        "state-leaf",
        {
            "what": "The leaves of all accounts in their positions, and the root that the seal states.",
            "from": "FORMAT §7",
            "check": "state",
            "leaves": [leaf.decode() for leaf in leaves],
            "hashes": [base64(leaf_hash(leaf)) for leaf in leaves],
            "root": base64(CODEC.parse(ENTRIES[LAST]).body.state),
        },
    )
    note = VILLAGE.node.promise(SERVICE)
    promise, _ = open_promise(note)
    yield (
        "promise",
        {
            "what": "The node's word that the service is on its disk at its index.",
            "from": "FORMAT §3",
            "check": "promise",
            "seed": base64(NODE.seed),
            "origin": promise.origin,
            "genesis": base64(promise.genesis),
            "index": promise.index,
            "leaf_hash": base64(promise.leaf_hash),
            "note": note.decode(),
        },
    )
    vkey = format_vkey(VILLAGE.node.vkey)
    receipt = VILLAGE.node.receipt(SERVICE)
    balance = VILLAGE.node.balance_receipt(VOLUNTEER)
    yield "receipt-entry", receipt_case("The service's entry receipt.", vkey, receipt, SERVICE, None)
    yield "receipt-balance", receipt_case("The volunteer's balance receipt.", vkey, balance, LAST, 45)
    for name, what, bad in (
        ("index-moved", "An entry receipt with another index.", receipt.replace(b"\nindex 5\n", b"\nindex 4\n")),
        ("path-cut", "An entry receipt without its last hash.", _without_last_hash(receipt)),
        (
            "entry-changed",
            "An entry receipt with another entry.",
            receipt.replace(_extra(SERVICE), _extra(SERVICE - 1)),
        ),
        ("balance-leaf-changed", "A balance receipt with a higher balance.", _other_balance(balance)),
        (
            "balance-index-moved",
            "A balance receipt with another index.",
            balance.replace(b"\nindex 5\n", b"\nindex 4\n", 1),
        ),
        (
            "balance-accounts-changed",
            "A balance receipt with one account more.",
            balance.replace(b"\naccounts 6\n", b"\naccounts 7\n"),
        ),
    ):
        if bad in (receipt, balance):
            raise RuntimeError(f"the receipt {name} is not spoiled")
        yield f"receipt-{name}", receipt_case(what, vkey, bad, None, None)


def receipt_case(what: str, vkey: str, raw: bytes, index: int | None, balance: int | None) -> Case:
    """``index`` is the entry's that it proves, None where it proves nothing; ``balance`` that of a balance receipt."""
    case = {
        "what": what,
        "from": "FORMAT §10",
        "check": "receipt",
        "vkey": vkey,
        "receipt": raw.decode(),
        "index": index,
    }
    return case if balance is None else {**case, "balance": balance}


PARENT_ORIGIN = "township.example/huzhu"


def transfer_cases() -> Cases:
    """Proofs of the other ledger's ``transfer_out``, by one admission of the township that we trust."""
    trusted = vkey_of(PARENT_ORIGIN, MEMBER)
    admission, proof = proof_of(ADMITTED, MEMBER, PARENT_ORIGIN), proof_of(SENT)
    receipt = parse_entry_receipt(proof)
    twice = receipt.checkpoint + receipt.checkpoint.splitlines(keepends=True)[-1]
    own = without_cosignatures(parse_entry_receipt(VILLAGE.node.receipt(SERVICE)), VILLAGE.node.vkey)
    no_admission, other_name = proof_of(SENT, MEMBER, PARENT_ORIGIN), proof_of(SENT, STRANGER, ORIGIN)
    cosigned = proof.replace(receipt.checkpoint, twice)
    for name, what, given, admissions, index in (
        ("admitted", "A proof by an admission on a trusted log.", proof, [admission], 1),
        ("unadmitted", "A proof of a ledger that nobody admits.", proof, [], None),
        ("of-a-trusted-log", "The admission itself is on a trusted log.", admission, [], 1),
        ("admission-twice", "The township does not admit itself.", proof, [admission, admission], None),
        ("admission-of-another", "An admission that is a transfer.", proof, [no_admission], None),
        ("other-key", "Signed by another key than was admitted.", proof_of(SENT, MEMBER_TWO), [admission], None),
        ("other-origin", "The admitted key under another ledger's name.", other_name, [admission], None),
        ("two-signatures", "A checkpoint with a line more.", cosigned, [admission], None),
        ("other-kind", "A service travels nowhere.", format_entry_receipt(own), [], None),
        ("index-moved", "Another index.", proof.replace(b"\nindex 1\n", b"\nindex 2\n"), [admission], None),
        (
            "entry-changed",
            "More minutes than were sent.",
            proof.replace(b64encode(SENT), b64encode(edited(SENT, set_field("body", "minutes", 46)))),
            [admission],
            None,
        ),
    ):
        yield (
            f"transfer-proof-{name}",
            {
                "what": what,
                "from": "RULES §10",
                "check": "transfer-proof",
                "trusted": [trusted, vkey_of(ORIGIN, NODE)] if name == "other-kind" else [trusted],
                "admissions": [each.decode() for each in admissions],
                "proof": given.decode(),
                "index": index,
            },
        )


def _extra(index: int) -> bytes:
    return b"\nextra " + b64encode(ENTRIES[index]) + b"\n"


def _without_last_hash(receipt: bytes) -> bytes:
    head, gap, rest = receipt.partition(b"\n\n")
    return head.rpartition(b"\n")[0] + gap + rest


def _other_balance(receipt: bytes) -> bytes:
    head, first, rest = receipt.partition(b"\nleaf ")
    leaf, newline, tail = rest.partition(b"\n")
    return head + first + b64encode(b64decode(leaf).replace(b'"balance":45', b'"balance":46')) + newline + tail


def tree_cases() -> Cases:
    leaves = [b"leaf %d" % number for number in range(7)]
    levels = levels_of([leaf_hash(leaf) for leaf in leaves])
    yield (
        "tree-of-seven",
        {
            "what": "Seven leaves, the root over each beginning of them, and every inclusion path in all seven.",
            "from": "FORMAT §4",
            "check": "tree",
            "leaves": [leaf.decode() for leaf in leaves],
            "roots": [base64(root_of([leaf_hash(leaf) for leaf in leaves[:size]])) for size in range(8)],
            "paths": [[base64(hashed) for hashed in path_in(levels, index)] for index in range(7)],
        },
    )


SECTIONS = (key_cases, entry_cases, sheet_cases, log_cases, proof_cases, transfer_cases, tree_cases)


def write_all(folder: Path) -> None:
    """Write every case, and take away those that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    names = set()
    for section in SECTIONS:
        for name, case in section():
            if name in names:
                raise RuntimeError(f"two cases are named {name}")
            names.add(name)
            (folder / f"{name}.json").write_text(json.dumps(case, ensure_ascii=False, indent=1) + "\n", "utf-8")
    for old in folder.glob("*.json"):
        if old.stem not in names:
            old.unlink()


if __name__ == "__main__":
    write_all(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
