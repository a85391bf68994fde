"""Legs: what a reversal posts is what was posted, negated, from wherever it lies now."""

from collections import Counter

import pytest

from ledger.numbers import SYSTEM_ACCOUNTS
from tests.scenarios.audit import check
from tests.scenarios.script import play
from tests.scenarios.village import OK, Village, number_of

PEOPLE = "people  wang: volunteer   li: elder redeemable funded=key_elder   zhao: kin-of-wang\n"
OPENED = "2026-03-01 09:00  clerk+m1+m2  opening wang 80 | ok\n2026-03-01 09:00  clerk+m1+m2  opening li 90 | ok\n"
HELD, FREE, FREED = "posting_days=3", "posting_days=0", "posting_days=3 "
LATER = "2026-03-01 10:00 seal\n2026-03-09 10:00 seal\n"

Legs = Counter[tuple[str, str]]


def legs_of(village: Village, indexes: range) -> Legs:
    """Changes by account and part, over those entries and seals; those that come to nothing left out."""
    names = {number_of(name): name for name in ("wang", "li", "zhao", *SYSTEM_ACCOUNTS)}
    total: Legs = Counter()
    for number, name in names.items():
        for leg in village.node.legs(number):
            if leg.entry_index in indexes:
                total[name, "balance"] += leg.balance
                total[name, "held"] += leg.held
    return Counter({place: amount for place, amount in total.items() if amount})


@pytest.mark.parametrize(
    ("given", "entry", "then", "legs"),
    [
        (HELD, "service wang -> li 60 issue", "", "issue -60, wang +60 held"),
        (FREE, "service wang -> li 60 issue", "", "issue -60, wang +60"),
        (FREED, "service wang -> li 60 issue", LATER, "issue -60, wang +60"),
        (FREED + "balance_max_minutes=100", "service wang -> li 60 issue", LATER, "issue -60, wang +20, pool +40"),
        (FREE + " balance_max_minutes=100", "service wang -> li 60 recipient", "", "li -60, wang +20, pool +40"),
        (FREE + " balance_max_minutes=80", "service wang -> li 60 issue", "", "issue -60, pool +60"),
        (FREE + " balance_max_minutes=100", "gift wang -> zhao 30", "", "wang -30, zhao +30"),
        (FREE + " balance_max_minutes=100", "opening wang 60", "", "issue -60, wang +20, pool +40"),
        (FREE, "donate wang 60", "", "wang -60, pool +60"),
        (FREE + " balance_max_minutes=100", "grant li 30", "", "issue -30, li +10, pool +20"),
    ],
)
def test_a_reversal_negates_the_legs(given: str, entry: str, then: str, legs: str) -> None:
    actors = {"opening": "clerk+m1+m2", "grant": "a1+a2"}.get(entry.split()[0], "clerk+m1")
    village = play(f"given {given}\n{PEOPLE}{OPENED}2026-03-01 09:00  {actors}  e: {entry} | ok\n{then}")
    index, end = village.labels["e"], village.store.size

    body = {"index": index, "reason": "a mistake"}
    assert village.submit("reverse", body, ["m1", "m2"]) == OK

    posted, negated = legs_of(village, range(index, end)), legs_of(village, range(end, end + 1))
    assert shown(posted) == sorted(legs.split(", "))
    assert negated == Counter({place: -amount for place, amount in posted.items()})
    check(village)


def shown(legs: Legs) -> list[str]:
    """``wang +60 held``, in order."""
    return sorted(f"{name} {amount:+d}{' held' if part == 'held' else ''}" for (name, part), amount in legs.items())
