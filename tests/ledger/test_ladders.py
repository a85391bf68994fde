"""Where two outcomes apply at once, the earlier in the rule book's order is answered: every pair of every kind.

A ladder is an entry that is right, and for each outcome in order what makes it wrong in just that way. These are set
in the state itself, so that any two can be true together; the few that cannot are named.
"""

import datetime
from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any

import msgspec
import pytest

from chain.canonical import format_canonical
from chain.checkpoint import Checkpoint, format_checkpoint_text, sign_checkpoint
from chain.entry import Signature, join_entry
from chain.fields import Time, format_time
from chain.limits import INTEGER_MAX
from chain.note import Note, format_note, sign_note_ed25519
from ledger.kinds import CODEC
from ledger.replay import Replay
from ledger.risk import figures, parse_period
from ledger.roster import STAFF
from ledger.state import CLOSED, SUSPENDED, Account, Admission, Anchored, State, freeze, thaw
from tests.ledger.travel import admitted, made_proof, refused, sent
from tests.scenarios.script import SHEET_HASH, coupon_secrets, play
from tests.scenarios.test_scenarios import outcome_rows
from tests.scenarios.village import OK, ORIGIN, Plain, b64, key_of, number_of, plain_parameters, vkey_of

VILLAGE = play("""
given   dispute_within_days=365 statement_max_age_days=60
people  wang: volunteer phone   li: elder redeemable phone funded=key_elder   zhao: kin-of-wang   wu: kin-of-zhao
2026-03-01 09:00  m1+m2        credential_grant wang legal             | ok
2026-03-01 09:00  clerk+m1+m2  o1: opening wang 100                        | ok
2026-03-01 09:00  clerk+m1+m2  opening li 600                          | ok
2026-03-01 09:00  clerk+m1     s1: service wang -> li 60 recipient         | ok
2026-03-01 09:00  li           d1: dispute s1 li                           | ok
2026-03-01 09:00  a1+a2        key_grant as1 assessor                      | ok
2026-03-01 09:00  a1+a2        b1: coupon_issue li 1 60                    | ok
2026-03-01 09:00  m1           c1: case_open wang ring s1                  | ok
2026-03-01 09:00  m1           c2: case_open wang ring s1                  | ok
2026-03-01 09:00  m2+m3        case_close c1 upheld                        | ok
2026-03-01 09:00  a1+a2        x1: sanction wang list c1                   | ok
2026-03-01 09:00  m1+m2        fund_open canteen meals                     | ok
2026-03-01 09:00  m1+m2        fund_receive canteen 100 society            | ok
2026-03-01 09:00  wang         t1: transfer_out wang -> east.example/huzhu#li 20    | ok
2026-03-01 09:00  as1          i1: inspection point-3 stairs:2026-04-01    | ok
2026-03-01 09:00  seal
2026-05-01 12:00  seal
""")
FROZEN = freeze(VILLAGE.state)
OPENING, SERVICE, DISPUTE, BOOK, UPHELD_CASE, CASE, SANCTION, INSPECTION, SENT = (
    VILLAGE.labels[label] for label in ("o1", "s1", "d1", "b1", "c1", "c2", "x1", "i1", "t1")
)

NOW = VILLAGE.now
PEOPLE = ("wang", "li", "zhao", "wu")
NOBODY = number_of("nobody")


def hours(count: int) -> datetime.timedelta:
    return datetime.timedelta(hours=count)


@dataclass
class Case:
    """An entry to be judged on a state of its own. What makes it wrong changes the one or the other."""

    kind: str
    actors: list[str]
    body: Plain
    at: Time = NOW
    state: State = field(default_factory=lambda: thaw(FROZEN))

    def __post_init__(self) -> None:
        self.people = {name: self.state.accounts[number_of(name)] for name in PEOPLE}

    def set(self, **parameters: Any) -> None:
        self.state.parameters = msgspec.structs.replace(self.state.parameters, **parameters)

    def outcome(self) -> str:
        """What the rules answer; a refusal must leave the state as it was."""
        author, *beside = (key_of(name).id for name in self.actors)
        statement: Plain = {"at": format_time(self.at), "body": self.body, "by": author}
        statement |= {"kind": self.kind, "seq": 2**50, "v": 1} | ({"with": sorted(beside)} if beside else {})
        signatures = [Signature(key, bytes(64)) for key in (author, *sorted(beside))]
        raw = join_entry(format_canonical(statement), None, tuple(signatures))
        CODEC.parse(raw)
        entry = CODEC.read(raw)
        replay = Replay(self.state, lambda index: CODEC.read(VILLAGE.store.entry(index)))
        signers = replay.signers(entry)
        assert signers is not None
        before = freeze(self.state)
        outcome = replay.admit(entry, signers)
        assert (freeze(self.state) == before) is (outcome is not None)
        return outcome or OK


Break = Callable[[Case], object]


def body(**fields: Any) -> Break:
    return lambda case: case.body.update(fields)


def parameters(**changed: Any) -> Break:
    return lambda case: case.set(**changed)


def person(name: str, **attributes: Any) -> Break:
    """Change a person's account, also where it is off the log already."""

    def apply(case: Case) -> None:
        for attribute, value in attributes.items():
            setattr(case.people[name], attribute, value)

    return apply


def off_the_log(name: str) -> Break:
    return lambda case: case.state.accounts.pop(number_of(name))


def author(name: str) -> Break:
    """Another author, whose role may not."""

    def apply(case: Case) -> None:
        case.actors[0] = name

    return apply


def alone(case: Case) -> None:
    del case.actors[1:]


def no_log(case: Case) -> None:
    case.state.size = 0


def old(case: Case) -> None:
    case.at = NOW - datetime.timedelta(days=61)


def staff_are_kin(case: Case) -> None:
    """Everybody on the staff is a person of his own, and kin to everybody."""
    for position, key in enumerate(case.state.roster.keys.values(), 1_000):
        if key.role in STAFF:
            key.account = number_of(key.id + "x")
            kin = {number_of(name) for name in PEOPLE}
            case.state.accounts[key.account] = Account(number=key.account, position=position, kin=kin)


def exists_already(case: Case) -> None:
    number = case.body["account"]
    case.state.accounts[number] = Account(number=number, position=1_000)


def funded_by_nobody_known(case: Case) -> None:
    case.body["funded"] = "veterans"
    if len(case.actors) > 1:
        case.actors += ["a1", "a2"]


def starts_too_late(case: Case) -> None:
    case.body["start"] = case.body["end"]


def too_long_ago(case: Case) -> None:
    case.body |= {"start": format_time(NOW - hours(24 * 9 + 10)), "end": format_time(NOW - hours(24 * 9))}


def needs_a_nurse(case: Case) -> None:
    case.set(credentials_needed={case.body["category"]: "nurse"})


def is_minor(case: Case) -> None:
    case.people["wang"].minor = True
    case.people["wang"].guardian = number_of("zhao")


def no_funds(case: Case) -> None:
    case.body["paid_by"] = "pool"
    case.people["li"].funded = None


def not_redeemable(case: Case) -> None:
    case.people["li"].redeemable = False


def signed_by_nobody(case: Case) -> None:
    case.body["evidence"] = {"class": "signed"}


def by_coupon(case: Case) -> None:
    """The only coupon of the book, unless there is one already."""
    if case.body["evidence"]["class"] != "coupon":
        (secret,) = coupon_secrets("b1", 1)
        case.body["evidence"] = {"class": "coupon", "book": BOOK, "index": 0, "path": [], "secret": b64(secret)}


def of_no_book(case: Case) -> None:
    by_coupon(case)
    case.body["evidence"]["index"] = 1


def used_before(case: Case) -> None:
    by_coupon(case)
    case.state.coupon_books[BOOK].used |= {0, 1}


def too_long_for_it(case: Case) -> None:
    by_coupon(case)
    case.state.coupon_books[BOOK].minutes_max = 1


def not_upheld(case: Case) -> None:
    for other in case.state.cases.values():
        other.outcome = None


def revoked_before(case: Case) -> None:
    case.state.roster.keys[case.body["key_id"]].revoked = True


def threshold_of_three(case: Case) -> None:
    case.state.threshold = 3
    if len(case.actors) > 1:
        case.actors.append("m3")


def key_of_an_authority(case: Case) -> None:
    case.body["key"] = b64(key_of("a1").public)
    case.actors = ["a1" if name == "node2" else name for name in case.actors]


def another_party(case: Case) -> None:
    if case.body["party"] == number_of("li"):
        case.body["party"] = number_of("wu")


def reversed_before(case: Case) -> None:
    case.state.reversed.update(range(case.state.size))


def disputed_before(case: Case) -> None:
    case.state.disputed.update(range(case.state.size))


def no_kin(case: Case) -> None:
    for account in case.people.values():
        account.kin.clear()


def after_the_first_day(case: Case) -> None:
    case.state.first_service = SERVICE


EAST, EAST_KEY = "east.example/huzhu", vkey_of("east.example/huzhu", "east")
ARRIVED = b64(made_proof(EAST, "east", sent(f"{ORIGIN}#{number_of('wang')}"), index=4))
ARRIVED_ELSEWHERE = b64(made_proof(EAST, "east", sent(f"west.example/huzhu#{number_of('wang')}"), index=5))
OURS = sent(f"{EAST}#{number_of('li')}", 20)
OUR_PROOF = made_proof(ORIGIN, "node", OURS, index=SENT)
REFUSED = b64(made_proof(EAST, "east", refused(OUR_PROOF)))


def east_is_ours(case: Case) -> None:
    """A township that admits the village ``east``, and has its last checkpoint."""
    case.state.tier = "township"
    case.state.admitted[EAST] = Admission(1, EAST_KEY, "village")
    case.state.anchors[EAST] = Anchored(2, 8, bytes(32))


def checkpoint(size: int, root: bytes = bytes(32), origin: str = EAST, key: str = "east") -> str:
    return b64(format_note(sign_checkpoint(Checkpoint(origin, size, root), key_of(key))))


def retired_before(case: Case) -> None:
    case.state.admitted.clear()


def used_up(case: Case) -> None:
    case.state.used_proofs[EAST] = {4, 5}


def came_back_before(case: Case) -> None:
    case.state.returned.add(SENT)


OF_ONE: tuple[tuple[str, Break], ...] = (("no-genesis", no_log), ("stale", old))
ALWAYS = (("needs-second", alone), *OF_ONE)
STAFF_ARE_KIN = ("self-dealing", staff_are_kin)
PAYER_IS_FULL = person("li", balance=INTEGER_MAX)

Ladder = tuple[list[str], Plain, list[tuple[str, Break]]]

PARAMETERS = plain_parameters(VILLAGE.state.parameters)
ACCOUNT = {"account": number_of("zhou"), "dossier": SHEET_HASH, "minor": True, "guardian": number_of("li")}

LADDERS: dict[str, Ladder] = {
    "key_grant": (
        ["m1", "m2"],
        {"key": b64(key_of("x").public), "role": "volunteer", "account": number_of("wang")},
        [
            ("role-not-grantable", body(role="mayor")),
            ("not-allowed", author("clerk")),
            *ALWAYS,
            STAFF_ARE_KIN,
            ("no-account", off_the_log("wang")),
            ("key-exists", body(key=b64(key_of("clerk").public))),
        ],
    ),
    "key_revoke": (
        ["m1", "m2"],
        {"key_id": key_of("m3").id, "reason": "lost"},
        [
            ("role-not-grantable", body(key_id=key_of("node").id)),
            ("no-such-key", revoked_before),
            ("not-allowed", author("clerk")),
            *ALWAYS,
            ("last-member", threshold_of_three),
        ],
    ),
    "node_rotate": (
        ["m1", "m2", "node2"],
        {"key": b64(key_of("node2").public)},
        [("not-allowed", author("clerk")), *ALWAYS, ("key-exists", key_of_an_authority)],
    ),
    "params": (
        ["a1", "a2"],
        {"params": PARAMETERS, "version": 1},
        [
            ("not-allowed", author("m1")),
            *ALWAYS,
            ("bad-version", body(version=7)),
            ("unknown-parameter", lambda case: case.body.update(params=case.body["params"] | {"colour": "red"})),
            ("bad-parameter", lambda case: case.body.update(params=case.body["params"] | {"posting_days": -1})),
        ],
    ),
    "account_open": (
        ["clerk", "m1"],
        ACCOUNT | {"holder": "person"},
        [
            ("bad-check-digits", body(account="12345678")),
            ("not-allowed", author("m3")),
            *ALWAYS,
            STAFF_ARE_KIN,
            ("no-account", off_the_log("li")),
            ("closed", person("li", status=CLOSED)),
            ("account-exists", exists_already),
            ("minor-needs-guardian", person("li", minor=True)),
            ("unknown-group", funded_by_nobody_known),
        ],
    ),
    "account_update": (
        ["clerk", "m1"],
        ACCOUNT | {"account": number_of("wang")},
        [
            ("not-allowed", author("m3")),
            *ALWAYS,
            STAFF_ARE_KIN,
            ("no-account", off_the_log("wang")),
            ("closed", person("li", status=CLOSED)),
            ("minor-needs-guardian", person("li", minor=True)),
            ("unknown-group", funded_by_nobody_known),
        ],
    ),
    "account_close": (
        ["clerk", "m1"],
        {"account": number_of("zhao"), "reason": "moved", "to": number_of("wu")},
        [
            ("not-allowed", author("m3")),
            *ALWAYS,
            STAFF_ARE_KIN,
            ("no-account", off_the_log("wu")),
            ("closed", person("zhao", status=CLOSED)),
            ("balance-left", person("zhao", held=1)),
            ("not-kin", no_kin),
        ],
    ),
    "credential_grant": (
        ["m1", "m2"],
        {"account": number_of("wang"), "issuer": "the county", "scope": "legal"},
        [("not-allowed", author("clerk")), *ALWAYS, STAFF_ARE_KIN, ("no-account", off_the_log("wang"))],
    ),
    "credential_revoke": (
        ["m1", "m2"],
        {"account": number_of("wang"), "reason": "withdrawn", "scope": "legal"},
        [
            ("not-allowed", author("clerk")),
            *ALWAYS,
            STAFF_ARE_KIN,
            ("no-account", off_the_log("wang")),
            ("no-credential", body(scope="finance")),
        ],
    ),
    "kin_link": (
        ["clerk", "m1"],
        {"person": number_of("wang"), "relation": "child", "relative": number_of("li")},
        [
            ("not-allowed", author("m3")),
            *ALWAYS,
            STAFF_ARE_KIN,
            ("no-account", off_the_log("li")),
            ("relation-not-allowed", body(relation="cousin")),
            ("already-kin", person("wang", kin={number_of("li")})),
        ],
    ),
    "kin_unlink": (
        ["clerk", "m1"],
        {"person": number_of("wang"), "relative": number_of("zhao")},
        [
            ("not-allowed", author("m3")),
            *ALWAYS,
            STAFF_ARE_KIN,
            ("no-account", off_the_log("zhao")),
            ("not-kin", no_kin),
        ],
    ),
    "service": (
        ["clerk", "m1"],
        {
            "category": "assistance",
            "end": format_time(NOW - hours(1)),
            "evidence": {"class": "paper", "hash": SHEET_HASH},
            "minutes": 60,
            "paid_by": "recipient",
            "provider": number_of("wang"),
            "recipient": number_of("li"),
            "start": format_time(NOW - hours(11)),
        },
        [
            ("not-allowed", author("m3")),
            *ALWAYS,
            ("bad-check-digits", body(guardian="12345678")),
            ("no-account", off_the_log("li")),
            ("closed", person("wang", status=CLOSED)),
            ("suspended", person("li", status=SUSPENDED)),
            STAFF_ARE_KIN,
            ("unknown-category", body(category="gardening")),
            ("in-future", body(end=format_time(NOW + hours(1)))),
            ("too-late", too_long_ago),
            ("bad-interval", starts_too_late),
            ("over-service-cap", parameters(service_max_minutes=59)),
            ("over-day-cap", parameters(day_max_minutes=59)),
            ("under-unit", parameters(unit_minutes=7)),
            ("not-volunteer", person("wang", volunteer=False)),
            ("not-elder", person("li", elder=False)),
            ("needs-credential", needs_a_nurse),
            ("guardian-missing", is_minor),
            ("not-funded", no_funds),
            ("not-yet-redeemable", not_redeemable),
            ("no-balance", person("li", balance=0)),
            ("no-evidence", signed_by_nobody),
            ("coupon-invalid", of_no_book),
            ("coupon-used", used_before),
            ("coupon-over", too_long_for_it),
        ],
    ),
    "gift": (
        ["clerk", "m1"],
        {"from": number_of("wang"), "minutes": 10, "to": number_of("zhao")},
        [
            ("not-allowed", author("m3")),
            *ALWAYS,
            STAFF_ARE_KIN,
            ("no-account", off_the_log("zhao")),
            ("closed", person("zhao", status=CLOSED)),
            ("suspended", person("wang", status=SUSPENDED)),
            ("not-kin", no_kin),
            ("no-balance", person("wang", balance=9)),
        ],
    ),
    "donate": (
        ["clerk", "m1"],
        {"from": number_of("wang"), "minutes": 10},
        [
            ("not-allowed", author("m3")),
            *ALWAYS,
            STAFF_ARE_KIN,
            ("no-account", off_the_log("wang")),
            ("closed", person("wang", status=CLOSED)),
            ("suspended", person("wang", status=SUSPENDED)),
            ("no-balance", person("wang", balance=9)),
        ],
    ),
    "opening": (
        ["clerk", "m1", "m2"],
        {"account": number_of("wang"), "minutes": 10, "source": SHEET_HASH},
        [
            ("not-allowed", author("m3")),
            *ALWAYS,
            STAFF_ARE_KIN,
            ("no-account", off_the_log("wang")),
            ("closed", person("wang", status=CLOSED)),
            ("not-first-day", after_the_first_day),
            ("no-balance", body(minutes=INTEGER_MAX)),
        ],
    ),
    "grant": (
        ["a1", "a2"],
        {"minutes": 10, "reason": "new year", "to": number_of("li")},
        [
            ("not-allowed", author("m1")),
            *ALWAYS,
            STAFF_ARE_KIN,
            ("no-account", off_the_log("li")),
            ("closed", person("li", status=CLOSED)),
            ("not-funded", person("li", funded=None)),
            ("no-balance", body(minutes=INTEGER_MAX)),
        ],
    ),
    "reverse": (
        ["m1", "m2"],
        {"index": SERVICE, "reason": "a mistake"},
        [
            ("not-allowed", author("clerk")),
            *ALWAYS,
            STAFF_ARE_KIN,
            ("not-reversible", body(index=DISPUTE)),
            ("already-reversed", reversed_before),
            ("no-balance", PAYER_IS_FULL),
        ],
    ),
    "dispute": (
        ["clerk", "m1"],
        {"ground": "nobody came", "index": SERVICE, "party": number_of("li")},
        [
            ("not-allowed", author("m3")),
            *ALWAYS,
            STAFF_ARE_KIN,
            ("no-account", body(party=NOBODY)),
            ("not-reversible", body(index=OPENING)),
            ("not-party", another_party),
            ("too-late", parameters(dispute_within_days=30)),
            ("already-disputed", disputed_before),
        ],
    ),
    "resolve": (
        ["m2", "m3"],
        {"index": DISPUTE, "outcome": "upheld", "reason": "both were heard"},
        [
            ("not-allowed", author("clerk")),
            *ALWAYS,
            STAFF_ARE_KIN,
            ("no-dispute", body(index=SERVICE)),
            ("already-resolved", lambda case: case.state.objections.clear()),
            ("no-balance", PAYER_IS_FULL),
        ],
    ),
    "coupon_issue": (
        ["a1", "a2"],
        {"account": number_of("li"), "count": 4, "minutes_max": 60, "root": SHEET_HASH},
        [
            ("not-allowed", author("m1")),
            *ALWAYS,
            STAFF_ARE_KIN,
            ("no-account", off_the_log("li")),
            ("coupon-used", lambda case: case.state.coupon_roots.add(b64decode(SHEET_HASH))),
        ],
    ),
    "institution": (
        ["m1", "m2"],
        {"account": number_of("wang")},
        [
            ("not-allowed", author("clerk")),
            *ALWAYS,
            STAFF_ARE_KIN,
            ("no-account", off_the_log("wang")),
            ("under-threshold", person("wang", earned=0)),
        ],
    ),
    "case_open": (
        ["m1"],
        {"account": number_of("wang"), "entries": [SERVICE], "suspicion": "ring"},
        [("not-allowed", author("clerk")), *OF_ONE, STAFF_ARE_KIN, ("no-account", off_the_log("wang"))],
    ),
    "case_step": (
        ["m1"],
        {"case": CASE, "note": "they were seen", "step": "hear"},
        [("not-allowed", author("clerk")), *OF_ONE, STAFF_ARE_KIN, ("no-case", body(case=SERVICE))],
    ),
    "case_close": (
        ["m2", "m3"],
        {"case": CASE, "note": "everybody was heard", "outcome": "upheld"},
        [("not-allowed", author("clerk")), *ALWAYS, STAFF_ARE_KIN, ("no-case", body(case=SERVICE))],
    ),
    "sanction": (
        ["a1", "a2"],
        {"account": number_of("wang"), "case": UPHELD_CASE, "measure": "suspend"},
        [
            ("not-allowed", author("m1")),
            *ALWAYS,
            STAFF_ARE_KIN,
            ("no-account", off_the_log("wang")),
            ("closed", person("wang", status=CLOSED)),
            ("no-case", body(case=SERVICE)),
            ("case-not-upheld", not_upheld),
        ],
    ),
    "sanction_lift": (
        ["a1", "a2"],
        {"reason": "it was long enough", "sanction": SANCTION},
        [("not-allowed", author("m1")), *ALWAYS, STAFF_ARE_KIN, ("no-sanction", body(sanction=SERVICE))],
    ),
    "appeal": (
        ["clerk", "m1"],
        {"case": CASE, "ground": "it was not so"},
        [("not-allowed", author("m3")), *ALWAYS, STAFF_ARE_KIN, ("no-case", body(case=SERVICE))],
    ),
    "fund_open": (
        ["m1", "m2"],
        {"fund": "school", "purpose": "books", "title": "a fund"},
        [("not-allowed", author("clerk")), *ALWAYS, ("account-exists", body(fund="canteen"))],
    ),
    "fund_receive": (
        ["m1", "m2"],
        {"fen": 10, "fund": "canteen", "source": "society", "voucher": SHEET_HASH},
        [
            ("not-allowed", author("clerk")),
            *ALWAYS,
            ("no-account", body(fund="school")),
            ("no-balance", body(fen=INTEGER_MAX)),
        ],
    ),
    "fund_spend": (
        ["m1", "m2"],
        {"fen": 10, "fund": "canteen", "payee": "the grocer", "purpose": "meals", "voucher": SHEET_HASH},
        [
            ("not-allowed", author("clerk")),
            *ALWAYS,
            ("no-account", body(fund="school")),
            ("wrong-purpose", body(purpose="books")),
            ("no-funds", body(fen=101)),
        ],
    ),
    "assessment": (
        ["as1"],
        {"period": "2026-H1", "report": SHEET_HASH, "scores": {}, "subject": "point-3"},
        [("not-allowed", author("m1")), *OF_ONE],
    ),
    "inspection": (
        ["as1"],
        {"findings": [], "subject": "point-3"},
        [("not-allowed", author("m1")), *OF_ONE],
    ),
    "inspection_done": (
        ["as1"],
        {"finding": 0, "inspection": INSPECTION, "note": "it was mended"},
        [("not-allowed", author("m1")), *OF_ONE, ("no-finding", body(finding=1))],
    ),
    "risk": (
        ["clerk", "m1"],
        {"figures": figures(VILLAGE.state, parse_period("2026-05") or 0), "period": "2026-05"},
        [("not-allowed", author("m3")), *ALWAYS, ("figures-differ", body(figures={}))],
    ),
    "transfer_out": (
        ["clerk", "m1"],
        {"from": number_of("wang"), "minutes": 10, "to": f"{EAST}#{number_of('li')}"},
        [
            ("not-allowed", author("m3")),
            *ALWAYS,
            STAFF_ARE_KIN,
            ("no-account", off_the_log("wang")),
            ("closed", person("wang", status=CLOSED)),
            ("suspended", person("wang", status=SUSPENDED)),
            ("no-balance", person("wang", balance=9)),
            ("bad-address", body(to=f"{ORIGIN}#{number_of('li')}")),
        ],
    ),
    "transfer_in": (
        ["node", "clerk"],
        {"admissions": [], "minutes": 60, "proof": ARRIVED, "to": number_of("wang")},
        [
            ("not-allowed", author("m3")),
            *OF_ONE,
            STAFF_ARE_KIN,
            ("no-account", off_the_log("wang")),
            ("closed", person("wang", status=CLOSED)),
            ("bad-proof", body(minutes=59)),
            ("already-used", used_up),
            ("wrong-target", body(proof=ARRIVED_ELSEWHERE)),
            ("no-balance", person("wang", balance=INTEGER_MAX)),
        ],
    ),
    "transfer_refuse": (
        ["node"],
        {"admissions": [], "proof": ARRIVED, "reason": "no_account"},
        [
            ("not-allowed", author("m3")),
            *OF_ONE,
            ("bad-proof", body(proof=ARRIVED_ELSEWHERE)),
            ("already-used", used_up),
        ],
    ),
    "transfer_back": (
        ["node", "clerk"],
        {"admissions": [], "index": SENT, "proof": REFUSED},
        [
            ("not-allowed", author("m3")),
            *OF_ONE,
            STAFF_ARE_KIN,
            ("bad-proof", body(proof=ARRIVED)),
            ("already-used", came_back_before),
            ("no-balance", person("wang", balance=INTEGER_MAX)),
        ],
    ),
    "org_admit": (
        ["m1", "m2"],
        {"origin": "west.example/huzhu", "tier": "village", "vkey": vkey_of("west.example/huzhu", "west")},
        [
            ("not-allowed", author("clerk")),
            *ALWAYS,
            ("already-admitted", body(origin=EAST, vkey=EAST_KEY)),
            ("wrong-tier", body(tier="county")),
        ],
    ),
    "org_retire": (
        ["m1", "m2"],
        {"origin": EAST, "reason": "it has joined another"},
        [("not-allowed", author("clerk")), *ALWAYS, ("not-admitted", retired_before)],
    ),
    "anchor": (
        ["node"],
        {"checkpoint": checkpoint(9), "origin": EAST},
        [
            ("not-allowed", author("m3")),
            *OF_ONE,
            ("not-admitted", retired_before),
            ("bad-checkpoint", body(checkpoint=checkpoint(7))),
        ],
    ),
}

NEVER_TOGETHER = {
    ("service", "in-future", "too-late"),
    ("service", "not-funded", "not-yet-redeemable"),  # it is paid by the one or by the other
    ("key_revoke", "no-such-key", "last-member"),  # without its own signature enough others remain
    ("donate", "closed", "suspended"),  # the same account
    ("transfer_out", "closed", "suspended"),
    *product(["service"], ["needs-second", "no-evidence"], ["coupon-invalid", "coupon-used", "coupon-over"]),
}

BEFORE: dict[str, Sequence[Break]] = {
    "opening": (lambda case: setattr(case.state, "first_service", None),),
    "institution": (parameters(institution_minutes=60),),
    "dispute": (lambda case: case.state.disputed.clear(), lambda case: case.state.objections.clear()),
    **dict.fromkeys(("transfer_in", "transfer_refuse", "transfer_back"), (east_is_ours,)),
    **dict.fromkeys(("org_admit", "org_retire", "anchor"), (east_is_ours,)),
}
"""What the village has too much or too little of for a right entry of that kind."""


def judged(kind: str, *breaks: Break) -> str:
    """The outcome for the ladder's right entry after those changes."""
    actors, plain, _ = LADDERS[kind]
    case = Case(kind, list(actors), dict(plain))
    for change in (*BEFORE.get(kind, ()), *breaks):
        change(case)
    return case.outcome()


@pytest.mark.parametrize("kind", LADDERS)
def test_the_right_entry_is_right_and_each_step_makes_it_wrong(kind: str) -> None:
    assert judged(kind) == OK
    assert [judged(kind, change) for _, change in LADDERS[kind][2]] == [name for name, _ in LADDERS[kind][2]]


@pytest.mark.parametrize("kind", LADDERS)
def test_the_earlier_outcome_is_answered(kind: str) -> None:
    found = {
        (earlier, later): judged(kind, first, second)
        for (earlier, first), (later, second) in combinations(LADDERS[kind][2], 2)
        if (kind, earlier, later) not in NEVER_TOGETHER
    }
    assert {pair: outcome for pair, outcome in found.items() if outcome != pair[0]} == {}


@pytest.mark.parametrize(("kind", "shown"), [row for row in outcome_rows() if row[0] != "genesis"])
def test_ladders_are_the_rule_book_s(kind: str, shown: list[str]) -> None:
    steps = [name for name, _ in LADDERS[kind][2]]
    if kind == "key_revoke":
        steps.append("last-authority")  # never together with last-member

    assert [name for name in steps if name in shown] == shown
    assert set(steps) - set(shown) == {"no-genesis"}


def test_what_a_suspended_account_may() -> None:
    assert judged("gift", person("zhao", status=SUSPENDED)) == OK
    assert judged("grant", person("li", status=SUSPENDED)) == OK
    assert judged("service", person("wang", status=SUSPENDED)) == "suspended"
    assert judged("account_open", person("li", status=SUSPENDED)) == "minor-needs-guardian"


@pytest.mark.parametrize(
    "proof",
    [
        made_proof(EAST, "east", refused(made_proof(ORIGIN, "node", OURS, index=SENT + 1))),
        made_proof(EAST, "east", refused(made_proof("west.example/huzhu", "node", OURS, index=SENT))),
        made_proof(EAST, "east", refused(made_proof(ORIGIN, "node", sent(f"{EAST}#{number_of('li')}"), index=SENT))),
        made_proof(EAST, "east", refused(b"no proof")),
        made_proof(EAST, "east", refused(made_proof(ORIGIN, "node", admitted(EAST, "east"), index=SENT))),
        made_proof("west.example/huzhu", "west", refused(OUR_PROOF)),
        made_proof(EAST, "west", refused(OUR_PROOF)),
    ],
)
def test_what_refuses_none_of_ours(proof: bytes) -> None:
    """Of another entry, of another ledger's, of nothing, of no transfer, by another ledger than ours was sent to."""

    def trusts_west(case: Case) -> None:
        case.set(trusted_logs=(vkey_of("west.example/huzhu", "west"),))

    assert judged("transfer_back", trusts_west, body(proof=b64(proof))) == "bad-proof"


def test_a_liar_who_refuses_twice_is_paid_back_once() -> None:
    """The other ledger may hold several refusals of the same: none of ours comes back more than once."""
    again = b64(made_proof(EAST, "east", refused(OUR_PROOF), index=9))
    assert again != REFUSED
    assert judged("transfer_back", body(proof=again)) == OK
    assert judged("transfer_back", body(proof=again), came_back_before) == "already-used"


def test_a_proof_is_used_up_by_ledger_and_index() -> None:
    def others_used(case: Case) -> None:
        case.state.used_proofs = {"west.example/huzhu": {4}, EAST: {3, 5}}

    for kind in ("transfer_in", "transfer_refuse"):
        assert judged(kind, others_used) == OK
        assert judged(kind, others_used, used_up) == "already-used"


def test_with_a_ceiling_the_pool_has_to_have_room() -> None:
    def pool_is_full(case: Case) -> None:
        case.state.accounts["pool"].balance = INTEGER_MAX

    assert judged("transfer_in", pool_is_full) == OK
    assert judged("transfer_in", pool_is_full, parameters(balance_max_minutes=1)) == "no-balance"


def checkpoint_of_another() -> str:
    """Of the west, under the name and the key of the east."""
    text = format_checkpoint_text(Checkpoint("west.example/huzhu", 9, bytes(32)))
    return b64(format_note(Note(text, (sign_note_ed25519(text, EAST, key_of("east")),))))


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (checkpoint_of_another(), "bad-checkpoint"),
        (checkpoint(8), OK),
        (checkpoint(8, root=b"x" * 32), "bad-checkpoint"),
        (checkpoint(9, root=b"x" * 32), OK),
        (checkpoint(9, key="west"), "bad-checkpoint"),
        (checkpoint(9, origin="west.example/huzhu"), "bad-checkpoint"),
        (b64(b"no note"), "bad-checkpoint"),
        (b64(b"x" * 32_768), "bad-checkpoint"),
    ],
)
def test_which_checkpoints_may_be_anchored(said: str, outcome: str) -> None:
    assert judged("anchor", body(checkpoint=said)) == outcome


@pytest.mark.parametrize("kind", ["transfer_in", "transfer_refuse"])
def test_our_own_log_proves_nothing_to_us(kind: str) -> None:
    """Whoever keeps a log can put there what its rules refuse: nothing comes back in by the way of other ledgers."""
    own = b64(made_proof(ORIGIN, "node", sent(f"{ORIGIN}#{number_of('wang')}"), index=4))

    def trusts_itself(case: Case) -> None:
        case.set(trusted_logs=(vkey_of(ORIGIN, "node"),))

    assert judged(kind, trusts_itself, body(proof=own)) == "bad-proof"
