"""What holds after every entry of any sequence, right or wrong, whatever the parameters."""

import datetime
from itertools import product
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.checkpoint import Checkpoint, sign_checkpoint
from chain.fields import format_time
from chain.merkle import leaf_hash, levels_of, path_in
from chain.note import format_note
from ledger.cases import LIST, REVOKE, SUSPEND
from ledger.coupons import book_root
from ledger.kinds import KINDS as LEDGER_KINDS
from ledger.numbers import BRIDGE, ISSUE, OUTSIDE, POOL, SYSTEM_ACCOUNTS
from ledger.risk import figures, format_period
from ledger.roster import STAFF
from ledger.state import SUSPENDED, State, freeze, month_of
from tests.ledger.travel import made_proof, refused, sent
from tests.scenarios.audit import check, sums
from tests.scenarios.script import ACCOUNT_FIELDS, PRESET, coupon_secrets
from tests.scenarios.village import (
    FOUNDERS,
    OK,
    ORIGIN,
    Plain,
    Village,
    b64,
    digest,
    key_of,
    number_of,
    plain_parameters,
    vkey_of,
)

PEOPLE: dict[str, Plain] = {
    "wang": {"volunteer": True},
    "li": {"elder": True, "redeemable": True, "funded": "key_elder"},
    "zhao": {"volunteer": True, "elder": True, "redeemable": True},
}
STAFF_NAMES = ["clerk", "clerk2", "m1", "m2", "m3", "m4", "a1", "a2"]
KEYS = [*STAFF_NAMES, *PEOPLE, "x1", "x2"]
KINDS = [kind for kind in LEDGER_KINDS if kind != "genesis"]

ANYTHING = list(product(KINDS, ["wang", "li", "shen"], ["li", "zhao", "nobody"], ["issue", "pool", "recipient"]))
LIKELY = [
    ("service", "wang", "li", "issue"),
    ("service", "zhao", "li", "issue"),
    ("service", "wang", "li", "recipient"),
    ("service", "wang", "zhao", "recipient"),
    ("service", "zhao", "li", "pool"),
    ("gift", "wang", "zhao", ""),
    ("gift", "zhao", "wang", ""),
    ("donate", "wang", "", ""),
    ("donate", "zhao", "", ""),
    ("grant", "", "li", ""),
    ("dispute", "li", "", ""),
    ("dispute", "li", "", ""),
    ("resolve", "", "", ""),
    ("resolve", "", "", ""),
    ("reverse", "", "", ""),
    ("params", "", "", ""),
    ("coupon_issue", "li", "", ""),
    ("case_open", "wang", "", ""),
    ("case_open", "zhao", "", ""),
    ("case_close", "", "", ""),
    ("case_close", "", "", ""),
    ("sanction", "", "", ""),
    ("sanction_lift", "", "", ""),
    ("fund_open", "", "", ""),
    ("fund_receive", "", "", ""),
    ("fund_receive", "", "", ""),
    ("fund_spend", "", "", ""),
    ("risk", "", "", ""),
    ("transfer_out", "wang", "", ""),
    ("transfer_out", "zhao", "", ""),
    ("transfer_in", "", "li", ""),
    ("transfer_in", "", "wang", ""),
    ("transfer_refuse", "", "li", ""),
    ("transfer_back", "", "", ""),
    ("transfer_back", "", "", ""),
    ("org_admit", "", "", ""),
    ("anchor", "", "", ""),
]
AIMS = {
    "resolve": "dispute",
    "sanction_lift": "sanction",
    "inspection_done": "inspection",
    "transfer_back": "transfer_out",
} | dict.fromkeys(("case_step", "case_close", "sanction", "appeal"), "case_open")
"""What an entry of that kind points to; the others to something that moved."""
MOVED = ("gift", "service", "service", "fund_receive", "service", "fund_spend")
COUPONS = 6

OPENERS = ("clerk", "m1", "m2")

RIGHT = {
    "grant": ("a1", "a2"),
    "params": ("a1", "a2"),
    "opening": OPENERS,
    "resolve": ("m2", "m3"),
    "case_close": ("m2", "m3"),
    "node_rotate": ("m1", "m2", "node2"),
}
RIGHT |= dict.fromkeys(("reverse", "key_grant", "key_revoke", "credential_grant", "credential_revoke"), ("m1", "m2"))
RIGHT |= dict.fromkeys(("institution", "fund_open", "fund_receive", "fund_spend"), ("m1", "m2"))
RIGHT |= dict.fromkeys(("coupon_issue", "sanction", "sanction_lift"), ("a1", "a2"))
RIGHT |= dict.fromkeys(("case_open", "case_step"), ("m1",))
RIGHT |= dict.fromkeys(("assessment", "inspection", "inspection_done"), ("as1",))
RIGHT |= dict.fromkeys(("transfer_in", "transfer_refuse", "transfer_back", "anchor"), ("node",))
RIGHT |= dict.fromkeys(("org_admit", "org_retire"), ("m1", "m2"))

OF_ONE = {"gift", "donate", "dispute", "key_revoke", "appeal", "case_open", "case_step"}
OF_ONE |= {"assessment", "inspection", "inspection_done"}
OF_ONE |= {"transfer_out", "transfer_in", "transfer_refuse", "transfer_back", "anchor"}
"""What somebody may say alone: about his own, or what moves nothing."""


class Step(NamedTuple):
    """One line of a random ledger; what its kind does not need is not looked at."""

    what: tuple[str, str, str, str]
    """Kind, who, with whom, and who pays."""
    actors: list[str] | None
    minutes: int
    is_signed: bool
    coupon: int | None
    pick: int
    key: str
    outcome: str
    parameters: Plain
    hours: int
    age_days: int

    @property
    def kind(self) -> str:
        return self.what[0]


steps = st.builds(
    Step,
    what=st.sampled_from(LIKELY * (len(ANYTHING) // 8) + ANYTHING),
    actors=st.one_of(*[st.none()] * 5, st.lists(st.sampled_from(KEYS), min_size=1, max_size=4, unique=True)),
    minutes=st.sampled_from([1, 10, 20, 30, 40, 50, 60, 61, 500, 2**53 - 1]),
    is_signed=st.booleans(),
    coupon=st.sampled_from([None, None, *range(COUPONS)]),
    pick=st.integers(0, 12),
    key=st.sampled_from(KEYS),
    outcome=st.sampled_from(["upheld", "rejected"]),
    parameters=st.fixed_dictionaries(
        {
            "posting_days": st.integers(0, 3),
            "balance_max_minutes": st.sampled_from([0, 50, 100]),
            "overdraft_minutes": st.sampled_from([0, 40]),
        }
    ),
    hours=st.sampled_from([0, 0, 1, 5, 30, 80]),
    age_days=st.sampled_from([0] * 20 + [1, 31]),
)


def body_of(step: Step, village: Village) -> Plain:
    """The body of that step, as the kind wants it."""
    kind, who, whom, paid_by = step.what
    one, other, number = number_of(who or "li"), number_of(whom or "wang"), step.minutes
    aim = AIMS.get(kind, MOVED[step.pick % len(MOVED)])
    aims = [index for index, number in enumerate(village.state.kinds) if number == LEDGER_KINDS[aim].number]
    index = aims[-1 - step.pick % len(aims)] if aims else step.pick
    params = plain_parameters(village.state.parameters) | step.parameters
    dossier = {"dossier": b64(digest("dossier"))}
    service: Plain = {"provider": one, "recipient": other, "minutes": number, "paid_by": paid_by or "issue"}
    service["start"] = format_time(village.now - datetime.timedelta(minutes=min(number, 10_000)))
    service["end"] = format_time(village.now)
    if step.is_signed:
        service["evidence"] = {"class": "signed"}
    elif step.coupon is not None:
        service["evidence"] = coupon_of(step.coupon, village)
    case, month = village.state.cases.get(index), month_of(village.now + village.state.utc_offset)
    fund = "school" if step.pick == 5 else "canteen"
    bodies: dict[str, Plain] = {
        "account_open": {"account": one, **dossier, "elder": True},
        "account_update": {"account": one, **dossier, **PEOPLE.get(who, {})},
        "account_close": {"account": one, "reason": "moved", "to": POOL if step.is_signed else other},
        "credential_grant": {"account": one, "scope": "legal"},
        "credential_revoke": {"account": one, "scope": "legal"},
        "kin_link": {"person": one, "relative": other, "relation": "child"},
        "kin_unlink": {"person": one, "relative": other},
        "key_grant": {"key": b64(key_of(step.key).public), "role": "volunteer", "account": one},
        "key_revoke": {"key_id": key_of(step.key).id},
        "node_rotate": {"key": b64(key_of("node2").public)},
        "params": {"params": params, "version": village.state.parameters_version + 1},
        "service": service,
        "gift": {"from": one, "to": other, "minutes": number},
        "donate": {"from": one, "minutes": number},
        "opening": {"account": one, "minutes": number},
        "grant": {"to": other, "minutes": number},
        "reverse": {"index": index},
        "dispute": {"index": index, "party": one},
        "resolve": {"index": index, "outcome": step.outcome},
        "coupon_issue": {"account": one, "count": COUPONS, "minutes_max": 50, "root": b64(book_root(SECRETS))},
        "institution": {"account": one},
        "case_open": {"account": one, "entries": [index], "suspicion": "ring"},
        "case_step": {"case": index, "step": "hear"},
        "case_close": {"case": index, "outcome": "upheld" if step.pick else "cleared"},
        "sanction": {"account": case.account if case else one, "case": index, "measure": MEASURES[step.pick % 3]},
        "sanction_lift": {"sanction": index},
        "appeal": {"case": index},
        "fund_open": {"fund": fund, "purpose": "meals"},
        "fund_receive": {"fen": number, "fund": fund, "source": "society"},
        "fund_spend": {"fen": number, "fund": fund, "purpose": "meals" if step.pick else "travel"},
        "assessment": {"period": "2026", "subject": "point-3"},
        "inspection": {"findings": [{"code": "stairs", "due": "2026-04-01", "text": "steep"}], "subject": "point-3"},
        "inspection_done": {"finding": step.pick % 2, "inspection": index},
        "risk": {"figures": figures(village.state, month), "period": format_period(month)},
        "transfer_out": {"from": one, "minutes": number, "to": f"{EAST}#{other}"},
        "transfer_in": {"minutes": number, "proof": arrived(step, other), "to": other},
        "transfer_refuse": {"proof": arrived(step, other), "reason": "no_account"},
        "transfer_back": {"index": index, "proof": refusal_of(village, index)},
        "org_admit": {"origin": WEST, "tier": "village", "vkey": vkey_of(WEST, "west")},
        "org_retire": {"origin": EAST if step.pick else WEST},
        "anchor": {"checkpoint": checkpoint_of(step.pick), "origin": EAST},
    }
    return PRESET.get(kind, {}) | bodies[kind]


EAST, WEST = "east.example/huzhu", "west.example/huzhu"


def arrived(step: Step, account: str) -> str:
    """Proof of hours that come from the ledger in the east, which is there for whoever has its key."""
    giver = step.what[1] or "wang"
    entry = sent(f"{ORIGIN}#{account}", step.minutes, giver if giver in PEOPLE else "wang")
    return b64(made_proof(EAST, "east", entry, index=step.pick))


def refusal_of(village: Village, index: int) -> str:
    """Proof that the east has refused what we sent, if we did."""
    sent_by_us = made_proof(ORIGIN, "node", village.store.entry(index), index) if index < village.store.size else b"x"
    return b64(made_proof(EAST, "east", refused(sent_by_us)))


def checkpoint_of(size: int) -> str:
    return b64(format_note(sign_checkpoint(Checkpoint(EAST, size, digest(f"root {size}")), key_of("east"))))


SECRETS = coupon_secrets("b1", COUPONS)
MEASURES = (SUSPEND, REVOKE, LIST)


def coupon_of(index: int, village: Village) -> Plain:
    """That coupon of the newest book."""
    books = village.state.coupon_books
    path = path_in(levels_of([leaf_hash(secret) for secret in SECRETS]), index)
    evidence: Plain = {"class": "coupon", "book": max(books, default=0), "index": index}
    return evidence | {"path": [b64(hashed) for hashed in path], "secret": b64(SECRETS[index])}


def actors_of(step: Step) -> tuple[str, ...]:
    """Who signs: mostly those who should."""
    if step.actors is not None:
        return tuple(step.actors)
    kind, who, whom, _ = step.what
    if kind == "service" and step.is_signed and {who, whom} <= set(PEOPLE) and who != whom:
        return who, whom
    if kind == "service" and not step.is_signed and step.coupon is not None:
        return ("clerk",)
    return RIGHT.get(kind, ("clerk", "m1"))


def a_village() -> Village:
    """One where two of the staff have accounts, and everybody a phone; a township, so that it admits others."""
    village = Village(tier="township")
    limits = {"posting_days": 1, "overdraft_minutes": 40, "institution_minutes": 10}
    assert village.found([*FOUNDERS, "clerk2@wang", "m4@li"], **limits) == OK
    for name, fields in PEOPLE.items():
        assert village.open(name, **fields) == OK
        assert village.give_phone(name, "volunteer") == OK
        assert village.submit("opening", PRESET["opening"] | {"account": number_of(name), "minutes": 90}, OPENERS) == OK
    link = {"person": number_of("wang"), "relative": number_of("zhao"), "relation": "child"}
    assert village.submit("kin_link", link, ["clerk", "m1"]) == OK
    assert village.submit("key_grant", {"key": b64(key_of("as1").public), "role": "assessor"}, ["a1", "a2"]) == OK
    east = {"origin": EAST, "tier": "village", "vkey": vkey_of(EAST, "east")}
    assert village.submit("org_admit", east, ["m1", "m2"]) == OK
    village.seal()
    return village


def balances(state: State) -> dict[str, int]:
    return {account.number: account.balance for account in state.accounts.values()}


def persons(state: State, actors: tuple[str, ...]) -> set[str]:
    """The different people among them, before the entry; a key that it brings in is somebody of its own."""
    keys = [state.roster.keys.get(key_of(name).id) for name in actors]
    return {name if key is None else key.person for name, key in zip(actors, keys, strict=True)}


def own_parties(step: Step, body: Plain, state: State) -> set[Any]:
    """Accounts of the staff who signed that the entry itself names."""
    keys = [state.roster.keys.get(key_of(name).id) for name in actors_of(step)]
    staff = {key.account for key in keys if key is not None and key.role in STAFF}
    return staff & {value for name, value in body.items() if name in ACCOUNT_FIELDS}


def take(village: Village, step: Step) -> bool:
    """Submit one step, look at what it did, and tell whether it was accepted."""
    village.now += datetime.timedelta(hours=step.hours)
    if step.hours > 1:
        village.seal()
    body, actors, at = body_of(step, village), actors_of(step), village.now - datetime.timedelta(days=step.age_days)
    frozen, size, before = freeze(village.state), village.store.size, balances(village.state)
    suspended = {account.number for account in village.state.accounts.values() if account.status == SUSPENDED}
    people, own = persons(village.state, actors), own_parties(step, body, village.state)
    parameters, state = village.state.parameters, village.state

    outcome = village.submit(step.kind, body, actors, at)

    assert sums(village.state) == {}
    if outcome != OK:
        assert freeze(village.state) == frozen, "nothing is half applied"
        assert village.store.size == size
        return False
    is_by_coupon = body.get("evidence", {}).get("class") == "coupon"
    assert len(people) >= 2 or is_by_coupon or step.kind in OF_ONE, "two people, always"
    assert not own, "nobody records or certifies what he takes part in"
    if step.kind not in ("reverse", "resolve"):
        for number, balance in balances(state).items():
            owes_nothing = number in SYSTEM_ACCOUNTS or number.startswith("fund-")
            if balance < before.get(number, 0) and number not in (ISSUE, OUTSIDE, BRIDGE):
                floor = 0 if owes_nothing else -parameters.overdraft_minutes
                assert balance >= floor, "nobody owes more than he may but by a reversal"
                assert number not in suspended or step.kind == "account_close", "the suspended give nothing"
    if step.kind == "service":
        assert not suspended & {body["provider"], body["recipient"]}, "nor earn, nor spend"
    return True


@settings(max_examples=120)
@given(st.lists(steps, min_size=10, max_size=40))
def test_any_sequence(sequence: list[Step]) -> None:
    village = a_village()
    for step in sequence:
        take(village, step)
    village.seal()
    check(village)


BEFORE: dict[str, list[tuple[str, str]]] = {
    "key_revoke": [("key_grant", "wang")],
    "credential_revoke": [("credential_grant", "wang")],
    "institution": [("service", "wang")],
    "dispute": [("service", "wang")],
    "resolve": [("service", "wang"), ("dispute", "wang")],
    "reverse": [("service", "wang")],
    "case_step": [("case_open", "wang")],
    "case_close": [("case_open", "wang")],
    "appeal": [("case_open", "wang")],
    "sanction": [("case_open", "wang"), ("case_close", "")],
    "sanction_lift": [("case_open", "wang"), ("case_close", ""), ("sanction", "")],
    "fund_receive": [("fund_open", "")],
    "fund_spend": [("fund_open", ""), ("fund_receive", "")],
    "inspection_done": [("inspection", "")],
    "transfer_back": [("transfer_out", "wang")],
}
"""What an entry of that kind speaks of."""
WITH_KIN = {"gift", "kin_unlink", "account_close"}
RIGHT_STEP = Step(("", "", "", ""), None, 10, False, None, 2, "x1", "upheld", {}, 0, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_after_anything_an_entry_of_each_kind(kind: str) -> None:
    """Every kind is accepted somewhere, and breaks none of what ``take`` looks at."""
    accepted = set()

    @settings(max_examples=12)
    @given(st.lists(steps, max_size=8), steps)
    def run(sequence: list[Step], step: Step) -> None:
        village = a_village()
        for name, who in [*BEFORE.get(kind, ()), (kind, "shen" if kind == "account_open" else "wang")]:
            if take(village, RIGHT_STEP._replace(what=(name, who, "zhao" if kind in WITH_KIN else "li", "issue"))):
                accepted.add(name)
        for other in sequence:
            take(village, other)
        take(village, step._replace(what=(kind, *step.what[1:])))
        check(village)

    run()
    assert kind in accepted


@settings(max_examples=60)
@given(st.lists(steps, min_size=5, max_size=25), st.integers(0, 200))
def test_reversing_whatever_moved_gives_every_minute_back(sequence: list[Step], ceiling: int) -> None:
    """All that can be reversed, in any order of time: what is left is what cannot, closings and transfers."""
    village = Village()
    village.found(balance_max_minutes=ceiling, posting_days=1)
    for name, fields in PEOPLE.items():
        village.open(name, **fields)
    for step in sequence:
        if step.kind != "account_close" and not step.kind.startswith("transfer"):
            take(village, step._replace(parameters={}))
    for index in range(village.store.size):
        outcome = village.submit("reverse", PRESET["reverse"] | {"index": index}, ["m2", "m3"])
        assert outcome in (OK, "not-reversible", "already-reversed", "entry.unknown-key", "needs-second")
        if outcome in ("entry.unknown-key", "needs-second"):
            return  # one of the two keys was revoked on the way
    assert set(balances(village.state).values()) == {0}
    assert {account.held for account in village.state.accounts.values()} == {0}
    check(village)
