"""What matching knows of the past by the ledger."""

import datetime
from types import SimpleNamespace
from typing import Any

from chain.fields import UTC
from ledger.bodies import Donate, Evidence, Service
from web.pages.requests_history import Lately

NOW = datetime.datetime(2026, 11, 20, tzinfo=UTC)


def days_ago(days: int) -> datetime.datetime:
    return NOW - datetime.timedelta(days=days)


def served(days: int, provider: str, recipient: str) -> Any:
    body = Service(
        category="assistance",
        end=days_ago(days) + datetime.timedelta(hours=1),
        evidence=Evidence(form="paper", hash=bytes(32)),
        minutes=60,
        paid_by="issue",
        provider=provider,
        recipient=recipient,
        start=days_ago(days),
    )
    return SimpleNamespace(at=days_ago(days), body=body)


def node_of(entries: list[Any], reads: list[int]) -> Any:
    def entry(index: int) -> Any:
        reads.append(index)
        return entries[index]

    return SimpleNamespace(store=SimpleNamespace(size=len(entries)), entry=entry)


def test_it_reads_each_entry_once_and_nothing_that_is_too_old() -> None:
    entries = [served(100, "a", "x"), served(95, "b", "x"), served(50, "a", "x"), served(20, "b", "y")]
    lately, reads = Lately(), list[int]()
    lately.follow(node_of(entries, reads), days_ago(90))
    assert reads == [3, 2, 1]
    assert lately.visits({"x", "y"}, set()) == [(days_ago(20), "b"), (days_ago(50), "a")]
    entries += [served(1, "a", "y"), SimpleNamespace(at=NOW, body=Donate(giver="a", minutes=5))]
    lately.follow(node_of(entries, reads), days_ago(40))
    assert reads == [3, 2, 1, 5, 4]
    assert lately.minutes(days_ago(30), set()) == {"a": 60, "b": 60}
    assert lately.visits({"x", "y"}, {4}) == [(days_ago(20), "b")]
    assert lately.minutes(days_ago(30), {3, 4}) == {}


def test_a_ledger_that_was_restored_is_read_anew() -> None:
    lately = Lately()
    lately.follow(node_of([served(3, "a", "x"), served(2, "b", "x")], []), days_ago(90))
    lately.follow(node_of([served(3, "c", "x")], []), days_ago(90))
    assert lately.minutes(days_ago(90), set()) == {"c": 60}
