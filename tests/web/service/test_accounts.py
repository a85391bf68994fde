"""What accounts have, who may see it, and page by page."""

import pytest

from chain.policy import NO_QUORUM, Policy
from node import Node
from tests.store.village import OTHERS, PROVIDER, donation
from tests.web.service.running import Running
from verify.receipts import check_receipt


def test_a_balance_follows_the_entries_at_once(service: Running) -> None:
    before = service.get(f"/api/v1/accounts/{PROVIDER}").json()
    service.post(service.sheet([donation(7), donation(8)]))
    after = service.get(f"/api/v1/accounts/{PROVIDER}").json()
    assert before["balance"] - after["balance"] == 15 and after["size"] >= before["size"] + 2
    with Node.open(service.home, writes=False) as node:
        held = node.balance(PROVIDER)
        assert held is not None and held.balance == after["balance"]
    assert service.get(f"/api/v1/accounts/{PROVIDER}?ledger={service.parts.settings.origin}").json() == after


@pytest.mark.parametrize("part", ["", "/statement", "/receipt"])
def test_who_may_see_an_account(service: Running, part: str) -> None:
    for role, status in ((None, 401), ("supervisor", 403), ("clerk", 200), ("auditor", 200), ("person", 200)):
        assert service.get(f"/api/v1/accounts/{PROVIDER}{part}", role).status_code == status, role
    assert service.get(f"/api/v1/accounts/{OTHERS[0]}{part}", "person").status_code == 403
    assert service.get(f"/api/v1/accounts/99999999{part}", "person").status_code == 403
    missing = service.get(f"/api/v1/accounts/99999999{part}")
    assert missing.status_code == 404 and missing.json()["outcome"] == "no-account"
    assert service.get(f"/api/v1/accounts/{PROVIDER}{part}?ledger=x.example/y", "auditor").status_code == 404


def test_looks_at_a_passbook_are_recorded(service: Running) -> None:
    from contextlib import closing

    from store.access import Access

    service.get(f"/api/v1/accounts/{OTHERS[1]}/statement")
    with closing(Access(service.home / "access.db")) as access:
        assert any(look.account == OTHERS[1] and look.user == "clerk" for look in access.looks())
        for part in ("statement", "receipt"):
            assert service.get(f"/api/v1/accounts/99999998/{part}").status_code == 404
        assert not any(look.account == "99999998" for look in access.looks())


def test_a_passbook_page_by_page_is_the_whole(service: Running) -> None:
    service.post(service.sheet([donation(1)] * 5))
    whole = service.get(f"/api/v1/accounts/{PROVIDER}/statement?limit=1000").json()
    assert whole["next"] is None and whole["lines"][0]["kind"] == "opening"
    lines, after = [], ""
    while True:
        page = service.get(f"/api/v1/accounts/{PROVIDER}/statement?limit=3{after}").json()
        lines += page["lines"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert lines == whole["lines"]
    balance = service.get(f"/api/v1/accounts/{PROVIDER}").json()["balance"]
    assert lines[-1]["balance"] == balance == sum(line["change"] for line in lines)


def test_balances_page_by_page_and_by_status(service: Running) -> None:
    whole = service.get("/api/v1/balances?limit=1000").json()["balances"]
    with Node.open(service.home, writes=False) as node:
        assert [(one["account"], one["balance"]) for one in whole] == [
            (one.account, one.balance) for one in node.balances()
        ]
    found, after = [], ""
    while True:
        page = service.get(f"/api/v1/balances?limit=4{after}").json()
        found += page["balances"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert found == whole
    assert service.get("/api/v1/balances?status=closed").json()["balances"] == []
    assert len(service.get("/api/v1/balances?tier=village").json()["balances"]) == len(whole)
    assert service.get("/api/v1/balances?tier=city").json()["balances"] == []
    for query in ("after=x", "after=x:1", "after=village.example/huzhu:x", "tier=hamlet", "status=x", "limit=0"):
        assert service.get(f"/api/v1/balances?{query}").status_code == 400, query
    assert service.get("/api/v1/balances?ledger=other.example/x").status_code == 403
    assert service.get("/api/v1/balances", "supervisor").json()["balances"] == []


def test_a_receipt_of_a_balance_proves_it(service: Running) -> None:
    service.seal()
    answer = service.get(f"/api/v1/accounts/{PROVIDER}/receipt", "person")
    with Node.open(service.home, writes=False) as node:
        proven = check_receipt(answer.content, Policy((node.vkey,), (), (), NO_QUORUM))
        assert proven.balance is not None and proven.balance.account == PROVIDER

